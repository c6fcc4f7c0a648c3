"""What was paid, and for what."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

from edi.documents.parts import (
    Charge,
    Component,
    Contact,
    Dated,
    Extra,
    HasParties,
    Note,
    Party,
    Person,
    Reference,
    Value,
    once,
)


class BankAccount(Value, frozen=True):
    """An account at a bank: the `bank` by a number of `bank_type`, the account's `type` and `number`."""

    bank_type: str | None = None
    bank: str | None = None
    type: str | None = None
    number: str | None = None


class PaidLine(HasParties, frozen=True):
    """One item of what was paid, or of what was deducted."""

    number: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    price: Decimal | None = None
    price_basis: str | None = None
    ids: dict[str, str] = {}
    references: tuple[Reference, ...] = ()
    charges: tuple[Charge, ...] = ()
    components: tuple[Component, ...] = ()
    extra: Extra = ()


class Adjustment(HasParties, frozen=True):
    """An amount added or, negative, deducted: why (`reason`), and under which number of which type."""

    amount: Decimal
    reason: str | None = None
    reference_type: str | None = None
    reference_number: str | None = None
    notes: tuple[Note, ...] = ()
    contacts: tuple[Contact, ...] = ()
    dates: tuple[Dated, ...] = ()
    references: tuple[Reference, ...] = ()
    lines: tuple[PaidLine, ...] = ()
    extra: Extra = ()


class PaidItem(HasParties, frozen=True):
    """What one invoice (`type` "invoice", `number`) or credit was paid.

    `paid` is `amount`, as it was invoiced, less `discount` and with all adjustments.
    """

    type: str | None = None
    number: str | None = None
    action: str | None = None
    paid: Decimal | None = None
    amount: Decimal | None = None
    discount: Decimal | None = None
    adjustment_reason: str | None = None
    adjustment: Decimal | None = None
    notes: tuple[Note, ...] = ()
    references: tuple[Reference, ...] = ()
    dates: tuple[Dated, ...] = ()
    lines: tuple[PaidLine, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    extra: Extra = ()


class Remittance(HasParties, frozen=True):
    """The items and adjustments of one account, store or entity that a payment is for."""

    number: int | None = None
    role: str | None = None
    ids: dict[str, str] = {}
    reference_type: str | None = None
    reference_number: str | None = None
    names: tuple[Person, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    items: tuple[PaidItem, ...] = ()
    extra: Extra = ()


class PaymentAdvice(HasParties, frozen=True, tag_field="schema", tag="tradelane.payment_advice/1"):
    """What a payment of `amount` is made of. `number` traces it: a check number, a transfer's reference.

    `handling` tells whether the money comes with the advice or another way, `method` how it moves.
    """

    amount: Decimal
    number: str | None = None
    trace_type: str | None = None
    trace_originator: str | None = None
    trace_reference: str | None = None
    handling: str | None = None
    sign: str | None = None
    method: str | None = None
    format: str | None = None
    function: str | None = None
    paid_on: dt.date | None = None
    originator: str | None = None
    originator_code: str | None = None
    payer_account: BankAccount | None = None
    payee_account: BankAccount | None = None
    return_account: BankAccount | None = None
    currency: str | None = None
    notes: tuple[Note, ...] = ()
    references: tuple[Reference, ...] = ()
    dates: tuple[Dated, ...] = ()
    parties: tuple[Party, ...] = ()
    remittances: tuple[Remittance, ...] = ()
    partner: str | None = None
    extra: Extra = ()

    @property
    def items(self) -> Iterator[PaidItem]:
        """What was paid, invoice by invoice, over all remittances."""
        for remittance in self.remittances:
            yield from remittance.items

    @property
    def adjustments(self) -> Iterator[Adjustment]:
        """All additions and deductions, those of an invoice with it."""
        for remittance in self.remittances:
            yield from remittance.adjustments
            for item in remittance.items:
                yield from item.adjustments

    @property
    def purchase_orders(self) -> tuple[str, ...]:
        """The orders whose invoices were paid, as far as they are named, each once."""
        numbers = (item.reference("purchase_order") for item in self.items)
        return once(numbers)
