"""IFTSTA, the status report: each event of a consignment says of which goods it is, and of whom.

A FreightStatus has numbers, marks and parties with the progress of a shipment. So events of a consignment
that follow each other and agree in them are one progress, and each is written with all of them. The number of
the consignment itself (CNI02) is the reference "consignment", its totals (CNT) are a load.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import groupby

from edi.documents import Extra, FreightEvent, FreightProgress, FreightStatus, Load, Mark, Party, Reference
from edi.documents.parts import Value
from edi.problems import Problem
from mappings.shaped import facts, kept, only, proven, recast, refuse, whole_number

CONSIGNMENT = "consignment"
_GROSS = "gross"


class ReportedEvent(FreightEvent, frozen=True):
    """An event (STS), the numbers of the goods that it happened to, and who had to do with it."""

    references: tuple[Reference, ...] = ()
    marks: tuple[Mark, ...] = ()
    parties: tuple[Party, ...] = ()


class Totals(Value, frozen=True):
    """Totals of a consignment (CNT); the weight is the gross weight."""

    weight: Decimal | None = None
    weight_unit: str | None = None
    packages: int | None = None
    volume: Decimal | None = None
    volume_unit: str | None = None


class Consignment(Value, frozen=True):
    """A consignment (CNI) and what happened to it."""

    number: str | None = None
    id: str | None = None
    totals: Totals | None = None
    events: tuple[ReportedEvent, ...] = ()
    extra: Extra = ()


class StatusReport(FreightStatus, frozen=True, tag_field="schema", tag="status_report"):
    """The message."""

    consignments: tuple[Consignment, ...] = ()


def to_status(report: StatusReport) -> tuple[FreightStatus, tuple[Problem, ...]]:
    """The status that the message reports."""
    progress: list[FreightProgress] = []
    for position, consignment in enumerate(report.consignments, 1):
        progress += _progress(consignment, position)
    return recast(FreightStatus, report, progress=tuple(progress)), ()


def _progress(consignment: Consignment, position: int) -> list[FreightProgress]:
    number = whole_number(consignment.number)
    extra = consignment.extra
    if number is None and consignment.number:
        extra = (("CNI01", consignment.number), *extra)
    own = () if consignment.id is None else (Reference(CONSIGNMENT, consignment.id),)
    totals = consignment.totals
    loads: tuple[Load, ...] = ()
    if totals:
        loads = (recast(Load, totals, weight_type=None if totals.weight is None else _GROSS),)
    made = []
    for events in [[*events] for _, events in groupby(consignment.events, _common)] or [[]]:
        references, marks, parties = _common(events[0] if events else ReportedEvent())
        made.append(
            FreightProgress(
                position if number is None else number,
                events=tuple(recast(FreightEvent, event) for event in events),
                references=(*own, *references),
                marks=marks,
                parties=parties,
                loads=loads,
                extra=extra,
            )
        )
        loads, extra = (), ()
    return made


def _common(event: ReportedEvent) -> tuple[tuple[Reference, ...], tuple[Mark, ...], tuple[Party, ...]]:
    """What an event shares with the others of its progress."""
    return event.references, event.marks, event.parties


def _from_status(status: FreightStatus) -> StatusReport:
    consignments: list[Consignment] = []
    before: tuple[int, str | None] | None = None
    for at, progress in enumerate(status.progress):
        where = f"FreightStatus.progress[{at}]"
        only(progress, ("number", "events", "references", "marks", "parties", "loads", "extra"), where)
        id, references = _own(progress.references)
        common = {"references": references, "marks": progress.marks, "parties": progress.parties}
        events = tuple(recast(ReportedEvent, event, **common) for event in progress.events)
        last = consignments[-1] if consignments else None
        if last and before == (progress.number, id) and not (progress.loads or progress.extra):
            consignments[-1] = recast(Consignment, last, events=last.events + events)
            continue
        told, extra = kept(progress.extra, "CNI01")
        number = told.get("CNI01") or str(progress.number)
        consignments.append(Consignment(number, id, _totals(progress, where), events, extra))
        before = (progress.number, id)
    return recast(StatusReport, status, progress=(), consignments=tuple(consignments))


def _totals(progress: FreightProgress, where: str) -> Totals | None:
    """The one load as totals, unless it says something else or nothing."""
    if not progress.loads:
        return None
    load = progress.loads[0]
    if len(progress.loads) > 1 or load.weight_type not in (None, _GROSS) or not facts(load):
        raise refuse(f"{where}.loads", "has to be one, of gross weight")
    only(load, {"weight_type", *Totals.__struct_fields__}, f"{where}.loads[0]")
    return recast(Totals, load)


def _own(references: tuple[Reference, ...]) -> tuple[str | None, tuple[Reference, ...]]:
    """The number of the consignment, and the other references."""
    first = references[0] if references else None
    if first and first.value and first == Reference(CONSIGNMENT, first.value):
        return first.value, references[1:]
    return None, references


from_status = proven(to_status, _from_status)
"""The message that reports a status. Raises CannotWrite."""
