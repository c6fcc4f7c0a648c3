"""What a partner's computer says about what it received."""

from __future__ import annotations

from edi.documents.parts import Extra, Value


class ElementError(Value, frozen=True):
    """A fault in an element; `code` is the syntax's own."""

    element: int
    code: str
    component: int | None = None
    repetition: int | None = None
    data_element: str | None = None
    value: str | None = None
    extra: Extra = ()


class SegmentError(Value, frozen=True):
    """A fault in a segment, `position` counted from ST = 1."""

    segment: str
    position: int
    loop: str | None = None
    code: str | None = None
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
