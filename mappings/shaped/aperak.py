"""APERAK, the verdict of a partner's application on one message.

An ApplicationAdvice has verdicts; the message is one. Whether it accepts is told by its response type (4343),
or else by its function (1225) or its name (1001), and where none of them does, what errors it tells are why
it refuses. What it is about is the first reference to a kind of document that we send, or what DOC names, or
else its first reference.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from edi.documents import (
    ApplicationAdvice,
    ApplicationError,
    Dated,
    Extra,
    Party,
    Reference,
    Verdict,
)
from edi.documents.parts import Value
from edi.problems import Fault, Problem
from mappings.shaped import kept, only, proven, recast, refuse

_RESPONSES = {  # 4343
    "AC": "accepted_with_changes",
    "AJ": "on_hold",
    "AP": "accepted",
    "CA": "accepted_with_errors",
    "RE": "rejected",
}
_RESPONSE_CODES = {status: code for code, status in _RESPONSES.items()}
_FUNCTIONS = {"accepted": "29", "accepted_with_changes": "34", "rejected": "27"}  # status -> 1225
_NAMES = {"312": "accepted", "313": "rejected"}  # 1001
_MESSAGES = {  # type of a reference -> the message that bears its number
    "invoice": "INVOIC",
    "seller_credit_memo": "INVOIC",
    "seller_debit_memo": "INVOIC",
    "despatch_advice": "DESADV",
    "order_response": "ORDRSP",
    "inventory_report": "INVRPT",
}
_DOCUMENTS = {  # 1001 -> type of the reference to such a document
    "380": "invoice",
    "381": "seller_credit_memo",
    "383": "seller_debit_memo",
    "351": "despatch_advice",
    "231": "order_response",
    "35": "inventory_report",
    "220": "purchase_order",
}

_OF_VERDICT = {
    "status", "number_type", "number", "sent_on", "transaction_set", "references", "dates", "errors", "extra",
}  # fmt: skip


class ErrorReport(Value, frozen=True):
    """The message."""

    number: str
    function: str | None = None
    response: str | None = None
    advised_on: dt.date | None = None
    advised_time: dt.time | None = None
    dates: tuple[Dated, ...] = ()
    references: tuple[Reference, ...] = ()
    parties: tuple[Party, ...] = ()
    errors: tuple[ApplicationError, ...] = ()
    extra: Extra = ()


class _Subject(NamedTuple):
    """What a message is about, and at which of its references that stands, if at one."""

    type: str
    number: str
    on: dt.date | None = None
    extra: Extra = ()
    at: int | None = None


def to_advice(report: ErrorReport) -> tuple[ApplicationAdvice | None, tuple[Problem, ...]]:
    """The advice in a message; None where it tells no date or not what it is about."""
    subject = _subject(report.references, report.extra)
    if subject is None or report.advised_on is None:
        segment, what = ("RFF", "what it is about") if subject is None else ("DTM", "when it was made")
        return None, (Problem(Fault.MAPPING_FAILED, f"it does not tell {what}", segment=segment),)
    status, told = _status(report)
    verdict = Verdict(
        status=status,
        number_type=subject.type,
        number=subject.number,
        sent_on=subject.on,
        transaction_set=_MESSAGES.get(subject.type),
        references=tuple(one for at, one in enumerate(report.references) if at != subject.at),
        dates=report.dates,
        errors=report.errors,
        extra=subject.extra,
    )
    purpose = None if report.function in _FUNCTIONS else report.function
    advice = recast(
        ApplicationAdvice, report, purpose=purpose, verdicts=(verdict,), extra=(*told, *report.extra)
    )
    return advice, ()


def _subject(references: tuple[Reference, ...], extra: Extra) -> _Subject | None:
    """What references and DOC say that a message is about."""
    numbered = [
        _Subject(one.type, one.value, one.on, one.extra, at)
        for at, one in enumerate(references)
        if one.type and one.value
    ]
    named = (
        _Subject(_DOCUMENTS[parts[0]], number)
        for entry in extra
        if entry[0] == "DOC" and len(entry) > 2
        if (parts := entry[1].split("\x1f"))[0] in _DOCUMENTS and (number := entry[2].split("\x1f")[0])
    )
    ours = (one for one in numbered if one.type in _MESSAGES)
    return next(ours, None) or next(named, None) or next(iter(numbered), None)


def _status(report: ErrorReport) -> tuple[str, Extra]:
    """The verdict, and what else the message's beginning says, of which there is no field."""
    told: list[tuple[str, str]] = []
    if report.function in _FUNCTIONS:
        told.append(("BGM03", _FUNCTIONS[report.function]))
    if report.response in _RESPONSES:
        return _RESPONSES[report.response], tuple(told)
    if report.response:
        told.append(("BGM04", report.response))
    name = _NAMES.get(kept(report.extra, "BGM01-1")[0].get("BGM01-1", ""))
    function = report.function if report.function in _FUNCTIONS else None
    return function or name or ("rejected" if report.errors else "accepted"), tuple(told)


def _from_advice(advice: ApplicationAdvice) -> ErrorReport:
    only(advice, {*ErrorReport.__struct_fields__, "purpose", "verdicts", "partner"}, "ApplicationAdvice")
    verdict, *others = advice.verdicts or (None,)
    if verdict is None or others:
        raise refuse("ApplicationAdvice.verdicts", "there must be one, and one alone")
    only(verdict, _OF_VERDICT, "ApplicationAdvice.verdicts[0]")
    told, extra = kept(advice.extra, "BGM03", "BGM04")
    references = verdict.references
    named = _subject(references, extra)
    if named is None or named.at is not None or named[:2] != (verdict.number_type, verdict.number):
        subject = Reference(
            type=verdict.number_type, value=verdict.number, on=verdict.sent_on, extra=verdict.extra
        )
        references = (subject, *references)
    functions = {code: function for function, code in _FUNCTIONS.items()}
    return recast(
        ErrorReport,
        advice,
        function=functions.get(told.get("BGM03", "")) or advice.purpose,
        response=told.get("BGM04") or _RESPONSE_CODES.get(verdict.status, verdict.status),
        references=references,
        dates=verdict.dates,
        errors=verdict.errors,
        extra=extra,
    )


from_advice = proven(to_advice, _from_advice)
"""The message of an advice. Raises CannotWrite."""
