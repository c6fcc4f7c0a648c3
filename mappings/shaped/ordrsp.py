"""ORDRSP, the answer to an order or to a change of one.

EANCOM answers by the function of the message (1225) alone: 29 is accepted, 27 rejected, 4 accepted with
changes, of an original answer. What is not said by it takes the response type (4343), too. A line is answered
by its action (1229), with a reason for a change (4295), and by quantities of several kinds; the dates that
are promised are those of its first answer.
"""

from __future__ import annotations

from decimal import Decimal

from edi.documents import AnsweredLine, Dated, Extra, LineAnswer, OrderAcknowledgment
from edi.documents.parts import Value
from edi.problems import Problem
from mappings.shaped import kept, recast, refuse
from mappings.shaped.terms import PaymentTerms, from_terms, to_terms

_ORIGINAL = "original"
_ANSWERS = {  # function -> answer
    "accepted": "accepted",
    "change": "acknowledged_with_changes",
    "on_hold": "on_hold",
    "rejected": "rejected",
    "response": "acknowledged",
}
_NEVER_PURPOSES = {"accepted", "on_hold", "rejected"}
_FUNCTIONS = {answer: function for function, answer in _ANSWERS.items()}
_RESPONSES = {  # 4343 -> answer
    "AB": "acknowledged",
    "AC": "acknowledged_with_changes",
    "AD": "acknowledged_with_detail",
    "AP": "accepted",
    "NA": "no_acknowledgment_needed",
    "RE": "rejected",
}
_RESPONSE_CODES = {answer: code for code, answer in _RESPONSES.items()}

_REASONS = {  # status by its action, 4295 -> status
    ("accepted_with_changes", "DC"): "accepted_rescheduled",
    ("accepted_with_changes", "PS"): "accepted_substituted",
    ("accepted_with_changes", "QO"): "accepted_quantity_changed",
    ("accepted_with_changes", "UP"): "accepted_price_changed",
    ("rejected", "AV"): "rejected_not_available",
    ("rejected", "UM"): "rejected_unit",
}
_ACTIONS = {status: told for told, status in _REASONS.items()}
_REASON = "QVR03-1"
_STATED = {  # quantities of a line -> status of the answers that they are, beside its action
    "deliverable": "to_be_delivered",
    "back_ordered": "back_ordered",
    "cancelled": "deleted",
    "refused": "rejected",
}
_ALONE = _STATED | {"cancelled": "182", "refused": "185"}  # where the line has no action
_SUBSTITUTED = "substituted"  # the status of what is told of a substitute alone
_KINDS = {status: kind for stated in (_STATED, _ALONE) for kind, status in stated.items()}
_WITHOUT_ACTION = {_SUBSTITUTED, *_ALONE.values()}
_PROMISED = {
    "estimated_delivery", "promised_delivery", "promised_ship", "scheduled_delivery", "scheduled_ship", "67",
}  # fmt: skip


class StatedQuantity(Value, frozen=True):
    """A quantity of a kind (QTY)."""

    quantity: Decimal
    unit: str | None = None
    extra: Extra = ()


class ResponseLine(AnsweredLine, frozen=True):
    """A line (LIN): `action` is what is said of it, and why; `substitute` names what comes instead."""

    action: str | None = None
    reason: str | None = None
    substitute: dict[str, str] = {}
    deliverable: tuple[StatedQuantity, ...] = ()
    back_ordered: tuple[StatedQuantity, ...] = ()
    cancelled: tuple[StatedQuantity, ...] = ()
    refused: tuple[StatedQuantity, ...] = ()


class OrderResponse(OrderAcknowledgment, frozen=True, tag_field="schema", tag="order_response"):
    """The message."""

    function: str | None = None
    response: str | None = None
    payment: tuple[PaymentTerms, ...] = ()
    lines: tuple[ResponseLine, ...] = ()


def to_acknowledgment(message: OrderResponse) -> tuple[OrderAcknowledgment, tuple[Problem, ...]]:
    """The answer in a message."""
    purpose, answer, told = _read(message.function, message.response)
    acknowledgment = recast(
        OrderAcknowledgment,
        message,
        purpose=purpose,
        answer=answer,
        terms=to_terms(message.payment),
        lines=tuple(_answered(line) for line in message.lines),
        extra=(*told, *message.extra),
    )
    return acknowledgment, ()


def from_acknowledgment(document: OrderAcknowledgment) -> OrderResponse:
    """The message of an answer."""
    told, extra = kept(document.extra, "BGM04")
    function = _FUNCTIONS.get(document.answer or "") if document.purpose == _ORIGINAL else None
    response = told.get("BGM04")
    if function is None:
        function, extra = document.purpose, document.extra
        response = _RESPONSE_CODES.get(document.answer or "", document.answer)
    if _read(function, response)[:2] != (document.purpose, document.answer):
        raise refuse("OrderAcknowledgment.answer", "would be read otherwise")
    return recast(
        OrderResponse,
        document,
        purpose=None,
        answer=None,
        function=function,
        response=response,
        terms=(),
        payment=from_terms(document.terms, "OrderAcknowledgment"),
        lines=tuple(
            _responding(line, f"OrderAcknowledgment.lines[{number}]")
            for number, line in enumerate(document.lines)
        ),
        extra=extra,
    )


def _read(function: str | None, response: str | None) -> tuple[str | None, str | None, Extra]:
    """Purpose and answer, and what else the response type says."""
    if function in _ANSWERS and (response is None or function in _NEVER_PURPOSES):
        return _ORIGINAL, _ANSWERS[function], () if response is None else (("BGM04", response),)
    return function, _RESPONSES.get(response or "", response), ()


def _answered(line: ResponseLine) -> AnsweredLine:
    """The line with its answers, the one by its action first."""
    stated = {kind: list(getattr(line, kind)) for kind in _STATED}
    dates, extra = list(line.dates), line.extra
    answers = []
    if line.action is not None:
        status = _REASONS.get((line.action, line.reason or ""))
        told = ((_REASON, line.reason),) if line.reason and status is None else ()
        of_status = stated[_kind(line.action)]
        quantity = of_status.pop(0) if of_status else None
        promised = next((date for date in dates if _is_promise(date)), None)
        if promised:
            dates.remove(promised)
        answers.append(
            LineAnswer(
                status=status or line.action,
                quantity=quantity and quantity.quantity,
                unit=quantity and quantity.unit,
                date_type=promised.type if promised else None,
                on=promised.on if promised else None,
                ids=line.substitute,
                extra=(*told, *(quantity.extra if quantity else ())),
            )
        )
    else:
        extra = (*(((_REASON, line.reason),) if line.reason else ()), *extra)
        if line.substitute:
            answers.append(LineAnswer(status=_SUBSTITUTED, ids=line.substitute))
    statuses = _ALONE if line.action is None else _STATED
    answers += [
        LineAnswer(status=statuses[kind], quantity=one.quantity, unit=one.unit, extra=one.extra)
        for kind, quantities in stated.items()
        for one in quantities
    ]
    return recast(AnsweredLine, line, answers=tuple(answers), dates=tuple(dates), extra=extra)


def _kind(status: str) -> str:
    """The kind of quantity that goes with a status."""
    return (
        "cancelled" if status == "deleted" else "refused" if status.startswith("rejected") else "deliverable"
    )


def _is_promise(date: Dated) -> bool:
    return date.on is not None and date == Dated(type=date.type, on=date.on) and date.type in _PROMISED


def _responding(line: AnsweredLine, where: str) -> ResponseLine:
    """The line as the message has it; raises CannotWrite for answers that it does not have."""
    first, *others = line.answers or (None,)
    if first and first.status in _WITHOUT_ACTION:
        first, others = None, list(line.answers)
    stated: dict[str, list[StatedQuantity]] = {kind: [] for kind in _STATED}
    told: dict[str, str] = {}
    dates, substitute = line.dates, {}
    action, reason, extra = None, None, line.extra
    if first:
        told, rest = kept(first.extra, _REASON)
        action, reason = _ACTIONS.get(first.status, (first.status, told.get(_REASON)))
        substitute = first.ids
        if first.quantity is not None:
            stated[_kind(action)].append(StatedQuantity(first.quantity, first.unit, rest))
        if first.on is not None:
            dates = (Dated(type=first.date_type, on=first.on), *dates)
    else:
        told, extra = kept(extra, _REASON)
        reason = told.get(_REASON)
    for answer in others:
        if answer.status == _SUBSTITUTED:
            substitute = answer.ids
        elif answer.status in _KINDS and answer.quantity is not None:
            stated[_KINDS[answer.status]].append(StatedQuantity(answer.quantity, answer.unit, answer.extra))
    found = recast(
        ResponseLine,
        line,
        answers=(),
        dates=dates,
        extra=extra,
        action=action,
        reason=reason,
        substitute=substitute,
        **{kind: tuple(quantities) for kind, quantities in stated.items()},
    )
    if _answered(found) != line:
        raise refuse(f"{where}.answers", "would be read otherwise")
    return found
