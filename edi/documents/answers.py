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


class FaultySegment(Value, frozen=True):
    """A segment of a message that is in error, `position` counted from UNH = 1; `code` is of list 0085.

    Of its elements `element` counts the tag as 1 (0098).
    """

    position: int
    code: str | None = None
    elements: tuple[ElementError, ...] = ()
    extra: Extra = ()


class MessageStatus(Value, frozen=True):
    """What became of one message: accepted, rejected.

    `note` is the code of list 0085 that says why, `segment` the service segment that is to blame, and
    `element` (its tag is 1) and `component` where in it.
    """

    status: str
    control_number: str | None = None
    type: str | None = None
    version: str | None = None
    release: str | None = None
    agency: str | None = None
    association: str | None = None
    note: str | None = None
    segment: str | None = None
    element: int | None = None
    component: int | None = None
    segments: tuple[FaultySegment, ...] = ()
    extra: Extra = ()


class GroupStatus(Value, frozen=True):
    """What became of one group of messages, and of each in it that is told; the rest as `MessageStatus`."""

    control_number: str
    status: str
    sender: str | None = None
    receiver: str | None = None
    note: str | None = None
    segment: str | None = None
    element: int | None = None
    component: int | None = None
    messages: tuple[MessageStatus, ...] = ()
    extra: Extra = ()


class InterchangeAcknowledgment(
    Value, frozen=True, tag_field="schema", tag="tradelane.interchange_acknowledgment/1"
):
    """A partner's answer to one interchange of ours.

    A TA1 (X12.5) has looked at the envelope alone; `sent_on` and `sent_time` are the interchange's. A CONTRL
    (ISO 9735-4) tells of each group and message in it, too: of what it names not, what it says of the level
    above. `status` is accepted, accepted_with_errors or rejected, or received where no more was done yet;
    `note` is the code that says why, absent where there is none.
    """

    control_number: str
    status: str
    note: str | None = None
    sent_on: dt.date | None = None
    sent_time: dt.time | None = None
    partner: str | None = None
    extra: Extra = ()
    sender: str | None = None
    sender_qualifier: str | None = None
    receiver: str | None = None
    receiver_qualifier: str | None = None
    segment: str | None = None
    element: int | None = None
    component: int | None = None
    messages: tuple[MessageStatus, ...] = ()
    groups: tuple[GroupStatus, ...] = ()
