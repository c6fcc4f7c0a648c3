"""What a partner's application says about what it was sent, after its computer could read it."""

from __future__ import annotations

import datetime as dt

from edi.documents.parts import (
    Amount,
    CodedFacts,
    Contact,
    Dated,
    ErrorContext,
    Extra,
    HasParties,
    Note,
    Party,
    Person,
    Quantity,
    Reference,
    Value,
    once,
)

REFUSALS = frozenset({"rejected", "group_rejected", "item_rejected", "batch_rejected"})


class RelatedData(Value, frozen=True):
    """What belongs to an error: a `text`, such as the number of the order, and a `code` of a `list`."""

    text: str
    type: str | None = None
    agency: str | None = None
    list: str | None = None
    code: str | None = None
    extra: Extra = ()


class ApplicationError(Value, frozen=True):
    """One thing wrong: `code` is a word such as "missing_data"; the rest says where, as far as it was told.

    `position` counts segments from ST = 1, `element` and `component` from 1.
    """

    code: str
    message: str | None = None
    segment: str | None = None
    position: int | None = None
    element: int | None = None
    component: int | None = None
    repetition: int | None = None
    data_element: str | None = None
    value: str | None = None
    should_be: str | None = None
    contexts: tuple[ErrorContext, ...] = ()
    notes: tuple[Note, ...] = ()
    related: tuple[RelatedData, ...] = ()
    extra: Extra = ()


class Verdict(HasParties, frozen=True):
    """What became of one transaction, or of an item, group or batch: `status` is "accepted", "rejected" ...

    `number` is that of the document that it is about, and `number_type` says what kind of number it is.
    `control_number`, `group_control_number` and `transaction_set` tell the transaction that carried it.
    """

    status: str
    number_type: str
    number: str
    sender: str | None = None
    receiver: str | None = None
    sent_on: dt.date | None = None
    sent_time: dt.time | None = None
    group_control_number: str | None = None
    control_number: str | None = None
    transaction_set: str | None = None
    version: str | None = None
    purpose: str | None = None
    type: str | None = None
    application: str | None = None
    action: str | None = None
    handling: str | None = None
    reason: str | None = None
    references: tuple[Reference, ...] = ()
    dates: tuple[Dated, ...] = ()
    contacts: tuple[Contact, ...] = ()
    amounts: tuple[Amount, ...] = ()
    quantities: tuple[Quantity, ...] = ()
    names: tuple[Person, ...] = ()
    errors: tuple[ApplicationError, ...] = ()
    facts: tuple[CodedFacts, ...] = ()
    extra: Extra = ()

    @property
    def refused(self) -> bool:
        """Whether it was turned down as a whole."""
        return self.status in REFUSALS


class ApplicationAdvice(HasParties, frozen=True, tag_field="schema", tag="tradelane.application_advice/1"):
    """A partner's application accepts or refuses what it was sent: an invoice, a ship notice."""

    number: str
    advised_on: dt.date
    advised_time: dt.time | None = None
    zone: str | None = None
    purpose: str | None = None
    about: str | None = None
    type: str | None = None
    action: str | None = None
    parties: tuple[Party, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    partner: str | None = None
    extra: Extra = ()

    @property
    def purchase_orders(self) -> tuple[str, ...]:
        """The orders that it is about, each once."""
        named = [
            number
            for one in self.verdicts
            for number in (
                one.number if one.number_type == "purchase_order" else None,
                *(kept.value for kept in one.references if kept.type == "purchase_order"),
            )
        ]
        return once(named)
