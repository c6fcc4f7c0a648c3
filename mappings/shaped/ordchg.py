"""ORDCHG, a change of an order: its terms stand in groups."""

from __future__ import annotations

from edi.documents import OrderChange
from edi.problems import Problem
from mappings.shaped import recast
from mappings.shaped.terms import PaymentTerms, from_terms, to_terms


class OrderChangeRequest(OrderChange, frozen=True, tag_field="schema", tag="order_change"):
    """The message."""

    payment: tuple[PaymentTerms, ...] = ()


def to_change(message: OrderChangeRequest) -> tuple[OrderChange, tuple[Problem, ...]]:
    """The change in a message."""
    return recast(OrderChange, message, terms=to_terms(message.payment)), ()


def from_change(change: OrderChange) -> OrderChangeRequest:
    """The message of a change."""
    payment = from_terms(change.terms, "OrderChange")
    return recast(OrderChangeRequest, change, terms=(), payment=payment)
