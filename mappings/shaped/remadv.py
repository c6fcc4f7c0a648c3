"""REMADV, the remittance advice: what was paid, document after document, where a PaymentAdvice has accounts.

It advises of a payment to whom it is sent, and moves no money itself. Adjustments are written with their
sign; partners tell deductions without one, too, which shows where all of an item's are: what was paid is then
the amount less the discount and the adjustments.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from msgspec.structs import replace

from edi.documents import (
    BankAccount,
    Dated,
    Extra,
    Note,
    PaidItem,
    Party,
    PaymentAdvice,
    Reference,
    Remittance,
)
from edi.documents.parts import Value
from edi.problems import Fault, Problem
from mappings.shaped import negated, number_in_row, only, proven, recast, refuse

_HANDLING, _SIGN = "advice_only", "credit"  # of every payment that is told in this message
_TOTALS = ("11", "139", "9", "128", "86")  # 5025 of what may tell the payment where 12 does not


class RemittanceAdvice(Value, frozen=True):
    """The message."""

    number: str | None = None
    amount: Decimal | None = None
    method: str | None = None
    paid_on: dt.date | None = None
    payer_account: BankAccount | None = None
    payee_account: BankAccount | None = None
    currency: str | None = None
    notes: tuple[Note, ...] = ()
    references: tuple[Reference, ...] = ()
    dates: tuple[Dated, ...] = ()
    parties: tuple[Party, ...] = ()
    items: tuple[PaidItem, ...] = ()
    extra: Extra = ()


def to_payment(advice: RemittanceAdvice) -> tuple[PaymentAdvice | None, tuple[Problem, ...]]:
    """The payment in a message: of what was remitted (MOA+12), or else of another total that is told."""
    amount = advice.amount
    for kind in _TOTALS:
        amount = number_in_row(advice.extra, "MOA", kind) if amount is None else amount
    if amount is None:
        missing = Problem(Fault.MAPPING_FAILED, "it does not tell how much was paid", segment="MOA")
        return None, (missing,)
    items = tuple(_signed(item) for item in advice.items)
    payment = recast(
        PaymentAdvice,
        advice,
        amount=amount,
        handling=_HANDLING,
        sign=_SIGN,
        remittances=(Remittance(items=items),) if items else (),
    )
    return payment, ()


def _signed(item: PaidItem) -> PaidItem:
    """The item with its deductions below zero."""
    if item.paid is None or item.amount is None:
        return item
    told = sum((one.amount for one in item.adjustments), Decimal(0))
    needed = item.paid - item.amount + (item.discount or 0)
    if not told or told == needed or told != -needed:
        return item
    deducted = tuple(replace(one, amount=negated(one.amount)) for one in item.adjustments)
    return replace(item, adjustments=deducted)


def _from_payment(payment: PaymentAdvice) -> RemittanceAdvice:
    names = {*RemittanceAdvice.__struct_fields__, "handling", "sign", "remittances", "partner"}
    only(payment, names, "PaymentAdvice")
    for name, is_always in (("handling", _HANDLING), ("sign", _SIGN)):
        if getattr(payment, name) != is_always:
            raise refuse(f"PaymentAdvice.{name}", f"is always {is_always!r} here")
    remittance, *others = payment.remittances or (Remittance(),)
    if others:
        raise refuse("PaymentAdvice.remittances", "there is one alone")
    only(remittance, {"items"}, "PaymentAdvice.remittances[0]")
    return recast(RemittanceAdvice, payment, items=remittance.items)


from_payment = proven(to_payment, _from_payment)
"""The message of a payment. Raises CannotWrite."""
