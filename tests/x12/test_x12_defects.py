"""Seeded defects: each is found, with its fault, its exact place and its code in the 997, and nothing else is."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from edi.problems import Fault
from edi.tree import Group, GroupEnd, InterchangeEnd, Transaction
from x12 import acks
from x12_support import DOCUMENTS, VERSIONS, check, damaged, document, events, only, raw

import x12


class Defect(NamedTuple):
    set: str
    name: str
    old: str
    new: str
    fault: Fault
    segment: str
    position: int
    element: int | None = None
    component: int | None = None
    segment_code: str = "8"  # AK304
    element_code: str | None = None  # AK403


F = Fault
DEFECTS = [
    Defect("850", "required element", "*SA*PO-1001*", "*SA**", F.ELEMENT_MISSING, "BEG", 2, 3, None, "8", "1"),
    Defect("850", "too long", "PO-1001", "P" * 23, F.TOO_LONG, "BEG", 2, 3, None, "8", "5"),
    Defect("850", "too short", "EA*9.25", "E*9.25", F.TOO_SHORT, "PO1", 12, 3, None, "8", "4"),
    Defect("850", "code", "BEG*00", "BEG*QQ", F.CODE_UNKNOWN, "BEG", 2, 1, None, "8", "7"),
    Defect("850", "paired", "*VN*SKU-1", "*VN", F.CONDITION_UNMET, "PO1", 12, 9, None, "8", "2"),
    Defect("850", "one required", "REF*DP*012", "REF*DP", F.CONDITION_UNMET, "REF", 4, 2, None, "8", "2"),
    Defect("850", "only one", "MEA*WT*G*2.5*LB", "MEA*WT*G*2.5*LB****22", F.CONDITION_EXCLUDES, "MEA", 14, 3,
           None, "8", "10"),
    Defect("850", "conditional", "62701*US", "62701*US**X", F.CONDITION_UNMET, "N4", 11, 5, None, "8", "2"),
    Defect("850", "list conditional", "ITD*14*3*2**30**31", "ITD*14*3*2****31", F.CONDITION_UNMET, "ITD", 6, 4,
           None, "8", "2"),
    Defect("850", "date", "20260105", "20260231", F.DATE_INVALID, "BEG", 2, 5, None, "8", "8"),
    Defect("850", "number", "*10*EA*9.25", "*10*EA*9,25", F.NUMBER_INVALID, "PO1", 12, 4, None, "8", "6"),
    Defect("850", "character", "Blue widget", "Blue\x07widget", F.CHARACTER_INVALID, "PID", 13, 5, None, "8", "6"),
    Defect("850", "too many elements", "N4*Springfield*IL*62701*US", "N4*Springfield*IL*62701*US*****9",
           F.ELEMENT_NOT_DEFINED, "N4", 11, 9, None, "8", "3"),
    Defect("850", "component in a simple element", "Store 12", "Store>12", F.COMPONENT_NOT_DEFINED, "N1", 9, 2,
           None, "8", "3"),
    Defect("850", "code in a composite", "2.5*LB", "2.5*LB>1>1>Q7Z", F.TOO_LONG, "MEA", 14, 4, 4, "8", "5"),
    Defect("850", "unknown segment", "REF*DP*012", "REF*DP*012\nZZ9*1", F.SEGMENT_UNKNOWN, "ZZ9", 5, None, None, "1"),
    Defect("850", "segment of another set", "REF*DP*012", "REF*DP*012\nW05*N*1", F.SEGMENT_NOT_IN_SET, "W05", 5,
           None, None, "6"),
    Defect("850", "missing segment", "BEG*00*SA*PO-1001**20260105", "", F.SEGMENT_MISSING, "BEG", 2, None, None, "3"),
    Defect("850", "segment too often", "CUR*BY*USD", "CUR*BY*USD\nCUR*BY*USD", F.SEGMENT_TOO_OFTEN, "CUR", 4, None,
           None, "5"),
    Defect("850", "order", "DTM*002*20260120", "DTM*002*20260120\nCUR*BY*USD", F.SEGMENT_OUT_OF_ORDER, "CUR", 8,
           None, None, "7"),
    Defect("850", "number of lines", "CTT*2*15", "CTT*3*15", F.TOTAL_MISMATCH, "CTT", 16, 1, None, "8", "7"),
    Defect("856", "required element", "BSN*00*SHIP-77", "BSN*00*", F.ELEMENT_MISSING, "BSN", 2, 2, None, "8", "1"),
    Defect("856", "too short", "*SHIP-77*", "*S*", F.TOO_SHORT, "BSN", 2, 2, None, "8", "4"),
    Defect("856", "time", "*1015", "*2515", F.TIME_INVALID, "BSN", 2, 4, None, "8", "9"),
    Defect("856", "code", "HL*2*1*O", "HL*2*1*q", F.CODE_UNKNOWN, "HL", 10, 3, None, "8", "7"),
    Defect("856", "parent", "HL*3*2*P", "HL*3*9*P", F.HIERARCHY_BROKEN, "HL", 12, 2, None, "8", "7"),
    Defect("856", "level twice", "HL*4*3*I", "HL*3*2*I", F.HIERARCHY_BROKEN, "HL", 14, 1, None, "8", "7"),
    Defect("856", "paired", "SN1*1*10*EA**10*EA", "SN1*1*10*EA**10", F.CONDITION_UNMET, "SN1", 16, 6, None, "8", "2"),
    Defect("856", "segment too often", "PRF*PO-1001***20260105", "PRF*PO-1001\nPRF*PO-1002", F.SEGMENT_TOO_OFTEN,
           "PRF", 12, None, None, "5"),
    Defect("856", "order", "PRF*PO-1001***20260105", "REF*PO*1\nPRF*PO-1001", F.SEGMENT_OUT_OF_ORDER, "PRF", 12,
           None, None, "7"),
    Defect("856", "number of levels", "CTT*4", "CTT*5", F.TOTAL_MISMATCH, "CTT", 18, 1, None, "8", "7"),
    Defect("940", "required element", "W05*N*WO-1", "W05*N*", F.ELEMENT_MISSING, "W05", 2, 2, None, "8", "1"),
    Defect("940", "too long", "Springfield", "S" * 31, F.TOO_LONG, "N4", 5, 1, None, "8", "5"),
    Defect("940", "code", "W01*10*EA", "W01*10*ZY", F.CODE_UNKNOWN, "W01", 10, 2, None, "8", "7"),
    Defect("940", "one required", "W01*10*EA**UP*012345678905", "W01*10*EA", F.CONDITION_UNMET, "W01", 10, 3, None,
           "8", "2"),
    Defect("940", "date", "G62*10*20260110", "G62*10*20261310", F.DATE_INVALID, "G62", 7, 2, None, "8", "8"),
    Defect("940", "number", "W76*15", "W76*1.5.1", F.NUMBER_INVALID, "W76", 14, 1, None, "8", "6"),
    Defect("940", "missing segment", "W05*N*WO-1*PO-1001", "", F.SEGMENT_MISSING, "W05", 2, None, None, "3"),
    Defect("940", "segment too often", "W66*CC*M***UPSN", "W66*CC*M***UPSN\nW66*CC*M", F.SEGMENT_TOO_OFTEN, "W66", 9,
           None, None, "5"),
    Defect("940", "order", "LX*2", "W05*N*2\nLX*2", F.SEGMENT_OUT_OF_ORDER, "W05", 12, None, None, "7"),
    Defect("945", "required element", "W06*N*", "W06**", F.ELEMENT_MISSING, "W06", 2, 1, None, "8", "1"),
    Defect("945", "too long", "*SHIP-77*", "*" + "S" * 31 + "*", F.TOO_LONG, "W06", 2, 4, None, "8", "5"),
    Defect("945", "code", "W27*M", "W27*q", F.CODE_UNKNOWN, "W27", 7, 1, None, "8", "7"),
    Defect("945", "paired", "N1*ST*Store 12*92*0012", "N1*ST*Store 12*92", F.CONDITION_UNMET, "N1", 3, 4, None,
           "8", "2"),
    Defect("945", "date", "*20260110*SHIP", "*20260100*SHIP", F.DATE_INVALID, "W06", 2, 3, None, "8", "8"),
    Defect("945", "order", "LX*1", "LX*1\nW27*M*UPSN", F.SEGMENT_OUT_OF_ORDER, "W27", 9, None, None, "7"),
    Defect("997", "required element", "AK1*PO*1", "AK1**1", F.ELEMENT_MISSING, "AK1", 2, 1, None, "8", "1"),
    Defect("997", "code", "AK9*E", "AK9*Q", F.CODE_UNKNOWN, "AK9", 7, 1, None, "8", "7"),
    Defect("997", "number", "AK3*BEG*2", "AK3*BEG*two", F.NUMBER_INVALID, "AK3", 4, 2, None, "8", "6"),
    Defect("997", "missing segment", "AK5*E*5", "", F.SEGMENT_MISSING, "AK5", 6, None, None, "3"),
    Defect("997", "composite", "AK4*3*", "AK4*3>1>>2*", F.COMPONENT_NOT_DEFINED, "AK4", 5, 1, 4, "8", "3"),
]  # fmt: skip


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: f"{d.set}-{d.name}")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_seeded_defect_is_told_with_its_place_and_its_997_code(defect: Defect, version: str) -> None:
    data = damaged(defect.set, defect.old, defect.new, version)
    verdict = check(data)
    found = [(p.fault, p.segment, p.position, p.element, p.component) for p in verdict.problems]
    assert found == [(defect.fault, defect.segment, defect.position, defect.element, defect.component)]
    assert verdict.status == "rejected"
    answer = _answer(data).transactions[0]
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
