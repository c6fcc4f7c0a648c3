"""What a partner's computer says about what it received."""

from __future__ import annotations

import datetime as dt

from edi.documents.parts import ErrorContext, Extra, Value


class ElementError(Value, frozen=True):
    """A fault in an element; `code` is the syntax's own."""

    element: int
    code: str
    component: int | None = None
    repetition: int | None = None
    data_element: str | None = None
    value: str | None = None
    contexts: tuple[ErrorContext, ...] = ()
    extra: Extra = ()


class SegmentError(Value, frozen=True):
    """A fault in a segment, `position` counted from ST = 1."""

    segment: str
    position: int
    loop: str | None = None
    code: str | None = None
    contexts: tuple[ErrorContext, ...] = ()
    elements: tuple[ElementError, ...] = ()
    extra: Extra = ()


class TransactionStatus(Value, frozen=True):
    """What became of one transaction: accepted, accepted_with_errors, rejected."""

    type: str
    control_number: str
    status: str
    convention: str | None = None
    errors: tuple[str, ...] = ()
    segments: tuple[SegmentError, ...] = ()
    extra: Extra = ()


class Acknowledgment(Value, frozen=True, tag_field="schema", tag="tradelane.acknowledgment/1"):
    """A partner's answer to one group of ours. `status` may also be partially_accepted."""

    functional_id: str
    control_number: str
    status: str
    included: int | None = None
    received: int | None = None
    accepted: int | None = None
    version: str | None = None
    errors: tuple[str, ...] = ()
    transactions: tuple[TransactionStatus, ...] = ()
    partner: str | None = None
    extra: Extra = ()


class InterchangeAcknowledgment(
    Value, frozen=True, tag_field="schema", tag="tradelane.interchange_acknowledgment/1"
):
    """A partner's answer to one interchange of ours (TA1, X12.5): its envelope alone was looked at.

    `note` is the code that says why, absent where there is none; `sent_on` and `sent_time` are the
    interchange's.
    """

    control_number: str
    status: str
    note: str | None = None
    sent_on: dt.date | None = None
    sent_time: dt.time | None = None
    partner: str | None = None
    extra: Extra = ()
