"""What a file holds and what is wrong with it, as one JSON value whose keys scripts may rely on.

`{"interchanges": [{"syntax", "sender": {"qualifier", "id"}, "receiver", "control_number", "version", "usage",
"groups": [{"functional_id", "control_number", "version", "transactions": [{"type", "control_number",
"segments", "status", "problems"}], "problems"}], "problems"}], "problems"}`. A group that only EDIFACT's
grammar implies has null ids. The outermost problems are of the file: that it is no EDI at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from edi.elements import decoded
from edi.problems import Fault, NotEdi, Problem, Severity, status_of
from edi.schema import Check
from edi.tree import Event, Group, GroupEnd, Interchange, InterchangeEnd, PartyId, Transaction

STRUCTURE = frozenset(
    {
        Fault.SEGMENT_UNKNOWN,
        Fault.SEGMENT_NOT_IN_SET,
        Fault.SEGMENT_OUT_OF_ORDER,
        Fault.SEGMENT_MISSING,
        Fault.SEGMENT_TOO_OFTEN,
        Fault.LOOP_TOO_OFTEN,
    }
)
_UNDEFINED = frozenset({Fault.SET_UNKNOWN, Fault.VERSION_UNKNOWN})


def report(events: Iterator[Event], check: Callable[[Transaction], Check]) -> dict[str, Any]:
    """The report on a stream of events, each transaction checked in full."""
    interchanges: list[dict[str, Any]] = []
    try:
        for event in events:
            _add(interchanges, event, check)
    except NotEdi as error:
        return {"interchanges": [], "problems": [as_json(Problem(Fault.NOT_EDI, str(error), offset=0))]}
    return {"interchanges": interchanges, "problems": []}


def structural(check: Callable[[Transaction], Check]) -> Callable[[Transaction], Check]:
    """`check` narrowed to the envelope and the structure; that a set is not defined here is only a note."""

    def narrowed(transaction: Transaction) -> Check:
        verdict = check(transaction)
        of_envelope = len(transaction.problems)
        problems = [*transaction.problems]
        for problem in verdict.problems[of_envelope:]:
            if problem.fault in _UNDEFINED:
                problems.append(replace(problem, severity=Severity.NOTE))
            elif problem.fault in STRUCTURE:
                problems.append(problem)
        return Check(status_of(problems), tuple(problems), verdict.rows, verdict.places)

    return narrowed


def problems_in(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every problem of a report, outermost first."""
    yield from value["problems"]
    for interchange in value["interchanges"]:
        yield from interchange["problems"]
        for group in interchange["groups"]:
            yield from group["problems"]
            for transaction in group["transactions"]:
                yield from transaction["problems"]


def as_json(problem: Problem) -> dict[str, Any]:
    """A problem with the report's keys; bytes that are UTF-8 are shown as the characters they mean."""
    value = problem.value
    return {
        "fault": problem.fault.value,
        "severity": problem.severity.value,
        "segment": problem.segment,
        "position": problem.position,
        "element": problem.element,
        "component": problem.component,
        "offset": problem.offset,
        "value": value if value is None else decoded(value) or value,
        "message": problem.message,
    }


def _add(interchanges: list[dict[str, Any]], event: Event, check: Callable[[Transaction], Check]) -> None:
    if isinstance(event, Interchange):
        interchanges.append(
            {
                "syntax": event.syntax,
                "sender": _party(event.sender),
                "receiver": _party(event.receiver),
                "control_number": event.control_number,
                "version": event.version,
                "usage": event.usage,
                "groups": [],
                "problems": _all(event.problems),
            }
        )
        return
    interchange = interchanges[-1]
    if isinstance(event, InterchangeEnd):
        interchange["problems"] += _all(event.problems)
    elif isinstance(event, Group):
        interchange["groups"].append(
            {
                "functional_id": event.functional_id or None,
                "control_number": event.control_number or None,
                "version": event.version or None,
                "transactions": [],
                "problems": _all(event.problems),
            }
        )
    elif isinstance(event, GroupEnd):
        interchange["groups"][-1]["problems"] += _all(event.problems)
    else:
        verdict = check(event)
        interchange["groups"][-1]["transactions"].append(
            {
                "type": event.type,
                "control_number": event.control_number,
                "segments": len(event.segments),
                "status": verdict.status,
                "problems": _all(verdict.problems),
            }
        )


def _party(party: PartyId) -> dict[str, str]:
    return {"qualifier": party.qualifier, "id": party.id}


def _all(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    return [as_json(problem) for problem in problems]
