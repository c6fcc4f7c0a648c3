"""Seeded defects: each is found with its fault, exact place and code in the 997, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from x12_support import DOCUMENTS, VERSIONS, check, damaged, document, events, only, raw

import x12
from edi.problems import Fault
from edi.tree import Group, GroupEnd, InterchangeEnd, Transaction
from x12 import acks


class Defect(NamedTuple):
    set: str
    name: str
    old: str
    new: str
    fault: Fault
    segment: str
    position: int
    element: int | None
    component: int | None
    segment_code: str  # AK304
    element_code: str | None  # AK403


def _defects() -> Iterator[Defect]:
    for line in (Path(__file__).parent / "x12_defects.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        transaction_set, name, old, new, place, codes = (part.strip(" ") for part in line.split(" | "))
        fault, segment, position, element, component = place.split()
        segment_code, element_code = codes.split()
        yield Defect(
            transaction_set,
            name,
            old.encode().decode("unicode_escape"),
            new.encode().decode("unicode_escape"),
            Fault(fault),
            segment,
            int(position),
            None if element == "-" else int(element),
            None if component == "-" else int(component),
            segment_code,
            None if element_code == "-" else element_code,
        )


DEFECTS = list(_defects())


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: f"{d.set}-{d.name}")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_seeded_defect_is_told_with_its_place_and_its_997_code(defect: Defect, version: str) -> None:
    data = damaged(defect.set, defect.old, defect.new, version)
    verdict = check(data)
    found = [(p.fault, p.segment, p.position, p.element, p.component) for p in verdict.problems]
    assert found == [(defect.fault, defect.segment, defect.position, defect.element, defect.component)]
    assert verdict.status == "rejected"
    group = _answer(data)
    rows = [
        [":".join(e) if isinstance(e, tuple) else e for e in row] for row in acks.write_997(group, version)
    ]
    answer = acks.read_group_ack(rows, ":").transactions[0]
    assert (answer.status, answer.codes) == ("R", ("5",))
    (segment,) = answer.segments
    assert (segment.tag, segment.position, segment.code) == (
        defect.segment,
        defect.position,
        defect.segment_code,
    )
    later = {"component in a simple element": "13", "composite": "13"} if version == "005010" else {}
    codes = [(e.element, e.component, e.code) for e in segment.elements]
    code = later.get(defect.name, defect.element_code)
    assert codes == ([(defect.element, defect.component, code)] if code else [])


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: f"{d.set}-{d.name}")
def test_the_offset_of_a_defect_is_where_its_segment_and_value_stand(defect: Defect) -> None:
    data = damaged(defect.set, defect.old, defect.new)
    (problem,) = check(data).problems
    assert problem.offset is not None
    if problem.value:
        assert data[problem.offset :].decode("latin-1").startswith(problem.value)
    elif problem.fault is not Fault.SEGMENT_MISSING and problem.element is None:
        assert data[problem.offset :].startswith(defect.segment.encode() + b"*")


def _answer(data: bytes) -> acks.GroupAck:
    found = events(data)
    group, end = only(found, Group), only(found, GroupEnd)
    builder = acks.FunctionalAck(group)
    for event in found:
        if isinstance(event, Transaction):
            builder.add(event, x12.check(event))
    return builder.finish(end)


@pytest.mark.parametrize("transaction_set", sorted(DOCUMENTS))
@pytest.mark.parametrize("version", VERSIONS)
def test_every_set_is_accepted_when_it_is_right(transaction_set: str, version: str) -> None:
    verdict = check(document(transaction_set, version))
    assert (verdict.status, verdict.problems) == ("accepted", ())
    assert verdict.places is not None
    assert len(verdict.places) == len(verdict.rows)


@pytest.mark.parametrize("transaction_set", sorted(DOCUMENTS))
@pytest.mark.parametrize(
    ("old", "new", "segment", "element", "fault", "codes"),
    [
        (b"~\nSE*", b"~\nSE*9", "SE", 1, Fault.COUNT_MISMATCH, ("4",)),
        (b"*0001~\nGE", b"*0002~\nGE", "SE", 2, Fault.CONTROL_NUMBER_MISMATCH, ("3",)),
    ],
)
def test_a_wrong_trailer_of_a_set_rejects_the_set(
    transaction_set: str,
    old: bytes,
    new: bytes,
    segment: str,
    element: int,
    fault: Fault,
    codes: tuple[str, ...],
) -> None:
    data = document(transaction_set).replace(old, new)
    (problem,) = check(data).problems
    assert (problem.fault, problem.segment, problem.element) == (fault, segment, element)
    assert problem.value is not None
    assert problem.offset is not None
    assert data[problem.offset :].startswith(problem.value.encode())
    answer = _answer(data)
    assert (answer.status, answer.transactions[0].codes, answer.transactions[0].segments) == ("R", codes, ())


@pytest.mark.parametrize("transaction_set", sorted(DOCUMENTS))
@pytest.mark.parametrize(
    ("old", "new", "element", "fault", "code"),
    [
        (b"GE*1*", b"GE*2*", 1, Fault.COUNT_MISMATCH, "5"),
        (b"GE*1*3", b"GE*1*4", 2, Fault.CONTROL_NUMBER_MISMATCH, "4"),
        (b"GE*1*3~\n", b"", None, Fault.TRAILER_MISSING, "3"),
    ],
)
def test_a_wrong_trailer_of_a_group_rejects_the_group(
    transaction_set: str, old: bytes, new: bytes, element: int | None, fault: Fault, code: str
) -> None:
    data = document(transaction_set).replace(old, new)
    (problem,) = only(events(data), GroupEnd).problems  # type: ignore[union-attr]
    assert (problem.fault, problem.segment, problem.element) == (fault, "GE", element)
    answer = _answer(data)
    assert (answer.status, answer.codes, answer.accepted) == ("R", (code,), 0)
    assert answer.received == 1


@pytest.mark.parametrize(
    ("old", "new", "element", "fault", "note"),
    [
        (b"IEA*1*", b"IEA*2*", 1, Fault.COUNT_MISMATCH, "021"),
        (b"IEA*1*000000007", b"IEA*1*000000008", 2, Fault.CONTROL_NUMBER_MISMATCH, "001"),
        (b"IEA*1*000000007~\n", b"", None, Fault.TRAILER_MISSING, "023"),
    ],
)
def test_a_wrong_trailer_of_an_interchange_is_answered_by_a_rejecting_ta1(
    old: bytes, new: bytes, element: int | None, fault: Fault, note: str
) -> None:
    found = events(document("850").replace(old, new))
    end = only(found, InterchangeEnd)
    assert isinstance(end, InterchangeEnd)
    (problem,) = end.problems
    assert (problem.fault, problem.element) == (fault, element)
    answer = acks.answer_interchange(found[0], end)  # type: ignore[arg-type]
    assert (answer.status, answer.note) == ("R", note)


def test_a_wrong_sum_is_a_warning_and_accepted_with_errors() -> None:
    data = damaged("850", "CTT*2*15", "CTT*2*16")
    verdict = check(data)
    assert verdict.status == "accepted_with_errors"
    assert [(p.fault, p.element) for p in verdict.problems] == [(Fault.TOTAL_MISMATCH, 2)]
    answer = _answer(data)
    assert (answer.status, answer.transactions[0].status, answer.transactions[0].codes) == ("E", "E", ())


def test_a_mandatory_loop_that_is_missing_is_told_by_its_first_segment() -> None:
    body = "BSN*00*SHIP-77*20260110*1015\nDTM*011*20260110"
    (problem,) = check(raw("856", body)).problems
    assert (problem.fault, problem.segment, problem.position) == (Fault.SEGMENT_MISSING, "HL", 4)


def test_a_repeated_control_number_is_told_at_the_second_set() -> None:
    data = document("850")
    body = data[data.index(b"ST*") : data.index(b"GE*")]
    data = data.replace(body, body + body).replace(b"GE*1", b"GE*2")
    first, second = (e for e in events(data) if isinstance(e, Transaction))
    assert first.problems == ()
    assert [p.fault for p in second.problems] == [Fault.CONTROL_NUMBER_REPEATED]
    answer = _answer(data)
    assert (answer.status, answer.accepted) == ("P", 1)
    assert answer.transactions[1].codes == ("23",)


def test_a_repetition_of_an_element_that_does_not_repeat_is_told_where_the_version_knows_repetition() -> None:
    body = DOCUMENTS["850"].replace("REF*DP*012", "REF*DP*012^013")
    (problem,) = check(raw("850", body, "005010")).problems
    assert (problem.fault, problem.segment, problem.element) == (Fault.REPEATED_TOO_OFTEN, "REF", 2)
    assert check(raw("850", body, "004010")).problems == ()
