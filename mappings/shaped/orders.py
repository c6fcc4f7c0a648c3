"""ORDERS, the order: its terms stand in groups."""

from __future__ import annotations

from edi.documents import SalesOrder
from edi.problems import Problem
from mappings.shaped import recast
from mappings.shaped.terms import PaymentTerms, from_terms, to_terms


class OrderMessage(SalesOrder, frozen=True, tag_field="schema", tag="order"):
    """The message."""

    payment: tuple[PaymentTerms, ...] = ()


def to_order(message: OrderMessage) -> tuple[SalesOrder, tuple[Problem, ...]]:
    """The order in a message."""
    return recast(SalesOrder, message, terms=to_terms(message.payment)), ()


def from_order(order: SalesOrder) -> OrderMessage:
    """The message of an order."""
    payment = from_terms(order.terms, "SalesOrder")
    return recast(OrderMessage, order, terms=(), payment=payment)
