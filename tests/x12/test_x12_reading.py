"""The reader: every way real files are cut, wrapped, joined and broken, and the events that come of it."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from x12_support import (
    DOCUMENTS,
    check,
    document,
    events,
    only,
    raw,
    shape,
    transactions,
)

import x12
from edi.problems import Fault, NotEdi, Severity
from edi.reading import Limits
from edi.tree import Group, GroupEnd, Interchange, InterchangeEnd, PartyId, Transaction
from x12.codec import read


def test_an_interchange_tells_who_sent_it_to_whom_and_how() -> None:
    first = only(events(document("850", "005010")), Interchange)
    assert isinstance(first, Interchange)
    assert (first.sender, first.receiver) == (PartyId("ZZ", "SENDER"), PartyId("01", "RECEIVER"))
    assert (first.control_number, first.version, first.usage) == ("000000007", "00501", "P")
    assert first.separators[:5] == ("*", ">", "~", "^", "")
    assert (first.date, first.time, first.ack_requested, first.offset) == ("260106", "1230", False, 0)


def test_a_group_and_its_sets_tell_their_type_number_and_version() -> None:
    found = events(document("850"))
    group, transaction = only(found, Group), only(found, Transaction)
    assert isinstance(group, Group)
    assert isinstance(transaction, Transaction)
    assert (group.functional_id, group.sender, group.receiver, group.control_number, group.version) == (
        *("PO", "SENDER", "RECEIVER", "3", "004010"),
    )
    assert (transaction.type, transaction.control_number, transaction.version) == ("850", "0001", "004010")
    assert transaction.segments[0] == "ST*850*0001"
    assert transaction.segments[-1].startswith("SE*")


def test_st03_governs_the_version_where_it_is_present() -> None:
    data = document("850", "005010").replace(b"ST*850*0001", b"ST*850*0001*005010X999")
    assert transactions(data)[0].version == "005010X999"


@pytest.mark.parametrize("line_end", ["", "\n", "\r\n", "\n\n"])
@pytest.mark.parametrize("terminator", ["~", "\x1c", "!", "\x85", "\u2026"])
def test_terminators_and_line_ends_of_every_kind_give_the_same_segments(
    line_end: str, terminator: str
) -> None:
    usual = document("850").decode().replace("~\n", "~")
    data = usual.replace("~", terminator + line_end).encode("utf-8")
    if terminator == "\x85":
        data = usual.replace("~", terminator + line_end).encode("latin-1")
    (transaction,) = transactions(data)
    assert transaction.segments == transactions(document("850"))[0].segments
    assert x12.check(transaction).status == "accepted"
    assert data[transaction.offset :].startswith(b"ST*850")


@pytest.mark.parametrize("terminator", ["\n", "\r\n", "\r"])
def test_a_line_end_can_be_the_terminator(terminator: str) -> None:
    data = document("850").decode().replace("~\n", terminator).encode()
    assert check(data).status == "accepted"
    assert check(data.rstrip()).status == "accepted"


@pytest.mark.parametrize("width", [80, 7, 3, 1])
def test_wrapped_lines_are_joined_and_offsets_stay_those_of_the_file(width: int) -> None:
    flat = document("850").replace(b"\n", b"")
    wrapped = (flat[i : i + width] for i in range(110, len(flat), width))
    data = flat[:80] + b"\n" + flat[80:110] + b"\n" + b"\n".join(wrapped) + b"\n"
    (transaction,) = transactions(data)
    assert transaction.segments == transactions(flat)[0].segments
    assert transaction.offsets is not None
    for offset, segment in zip(transaction.offsets, transaction.segments, strict=True):
        assert data[offset:].replace(b"\n", b"").startswith(segment.encode())


def test_segments_that_are_indented_or_doubly_terminated_are_read_all_the_same() -> None:
    data = (
        document("850").replace(b"\nREF", b"\n\t  REF").replace(b"DTM*002*20260120~", b"DTM*002*20260120~~")
    )
    assert check(data).status == "accepted"


def test_a_stream_that_gives_a_byte_at_a_time_gives_the_same_events() -> None:
    class Slow(io.RawIOBase):
        def __init__(self, data: bytes) -> None:
            self._rest = io.BytesIO(data)

        def read(self, size: int = -1) -> bytes:
            return self._rest.read(1)

    data = document("850") + document("856") + b"tail"
    assert list(read(Slow(data))) == events(data)  # type: ignore[arg-type]


def test_several_interchanges_groups_and_sets_follow_each_other_with_separators_of_their_own() -> None:
    second = document("856", "005010").replace(b"*", b"|").replace(b">", b":")
    data = document("850")
    body = data[data.index(b"GS*") : data.index(b"IEA*")]
    data = data.replace(body, body + body).replace(b"IEA*1", b"IEA*2")
    found = events(data + b"\r\n" + second)
    assert shape(found) == "IGTgGTgiIGTgi"
    assert not any(e.problems for e in found)
    assert [e.separators.element for e in found if isinstance(e, Interchange)] == ["*", "|"]
    assert [e.offset for e in found if isinstance(e, Interchange)] == [0, len(data) + 2]


def test_text_around_interchanges_is_told_and_skipped() -> None:
    found = events(
        b"From: someone\n\n" + document("850") + b"-- \nsent from a phone ISAAC\n" + document("850")
    )
    assert shape(found) == "IGTgiIGTgi"
    before, after = found[0].problems, found[4].problems
    assert [(p.fault, p.severity, p.offset) for p in before] == [
        (Fault.TEXT_OUTSIDE_INTERCHANGE, Severity.WARNING, 0)
    ]
    assert [p.fault for p in after] == [Fault.TEXT_OUTSIDE_INTERCHANGE]
    assert after[0].value is not None
    assert after[0].value.startswith("-- ")


def test_interchange_acknowledgments_outside_groups_are_kept_as_loose_segments() -> None:
    data = document("850").replace(b"\nGS*", b"\nTA1*000000001*260101*1200*A*000~\nGS*")
    assert only(events(data), InterchangeEnd).loose == ("TA1*000000001*260101*1200*A*000",)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("cut", "expected", "missing"),
    [
        (b"SE*", "IGTgi", [("SE", "T"), ("GE", "g"), ("IEA", "i")]),
        (b"GE*", "IGTgi", [("GE", "g"), ("IEA", "i")]),
        (b"IEA*", "IGTgi", [("IEA", "i")]),
        (b"ST*", "IGgi", [("GE", "g"), ("IEA", "i")]),
        (b"GS*", "Ii", [("IEA", "i")]),
    ],
)
def test_a_file_that_ends_early_tells_every_trailer_it_lacks(
    cut: bytes, expected: str, missing: list[tuple[str, str]]
) -> None:
    data = document("850")
    found = events(data[: data.index(cut)])
    assert shape(found) == expected
    told = [(p.segment, shape([e])) for e in found for p in e.problems if p.fault is Fault.TRAILER_MISSING]
    assert told == missing


@pytest.mark.parametrize("gone", [b"SE*", b"GE*", b"IEA*"])
def test_a_missing_trailer_in_the_middle_costs_nothing_after_it(gone: bytes) -> None:
    data = document("850")
    start = data.index(gone)
    broken = data[:start] + data[data.index(b"\n", start) + 1 :]
    found = events(broken + document("856"))
    assert shape(found) == "IGTgiIGTgi"
    assert [p.fault for e in found[:5] for p in e.problems] == [Fault.TRAILER_MISSING]
    assert not any(e.problems for e in found[5:])


def test_a_missing_trailer_of_a_set_is_no_longer_told_as_a_missing_segment() -> None:
    data = document("850")
    start = data.index(b"SE*")
    (problem,) = check(data[:start] + data[data.index(b"\n", start) + 1 :]).problems
    assert (problem.fault, problem.segment) == (Fault.TRAILER_MISSING, "SE")


def test_sets_outside_a_group_imply_one_and_say_so() -> None:
    data = document("850")
    start = data.index(b"GS*")
    data = data[:start] + data[data.index(b"\n", start) + 1 :].replace(b"GE*1*3~\n", b"")
    found = events(data)
    assert shape(found) == "IGTgi"
    assert [(p.fault, p.segment) for p in found[1].problems] == [(Fault.HEADER_MISSING, "GS")]


def test_segments_outside_every_set_are_told_one_by_one() -> None:
    data = document("850").replace(b"\nGE*", b"\nREF*DP*1~\nSE*5*0001~\nGE*")
    end = only(events(data), GroupEnd)
    assert [(p.fault, p.segment) for p in end.problems] == [
        (Fault.HEADER_MISSING, "REF"),
        (Fault.HEADER_MISSING, "SE"),
    ]
    assert end.problems[0].offset == data.index(b"REF*DP*1~\nSE")


def test_collapsed_padding_of_isa_is_a_warning_and_everything_is_read() -> None:
    data = b"~\n".join(
        b"*".join(e.strip() for e in line.split(b"*")) for line in document("850").split(b"~\n")
    )
    found = events(data)
    assert [p.element for p in found[0].problems] == [2, 4, 6, 8]
    assert {(p.fault, p.severity) for p in found[0].problems} == {
        (Fault.ENVELOPE_MALFORMED, Severity.WARNING)
    }
    assert shape(found) == "IGTgi"
    assert x12.check(found[2]).status == "accepted"  # type: ignore[arg-type]


def test_an_absent_isa16_is_seen_by_the_segment_after_it() -> None:
    data = document("850").replace(b"*P*>~\n", b"*P*~\n", 1)
    found = events(data)
    assert found[0].separators[:3] == ("*", "", "~")  # type: ignore[union-attr]
    assert [p.element for p in found[0].problems] == [16]
    assert x12.check(found[2]).status == "accepted"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("isa11", "version", "repetition"),
    [(b"U", b"00501", ""), (b"^", b"00501", "^"), (b"|", b"00401", ""), (b">", b"00501", "")],
)
def test_isa11_separates_repetitions_only_where_the_version_says_so(
    isa11: bytes, version: bytes, repetition: str
) -> None:
    data = document("850").replace(b"*U*00401*", b"*" + isa11 + b"*" + version + b"*")
    assert events(data)[0].separators.repetition == repetition  # type: ignore[union-attr]


@pytest.mark.parametrize("payload", [b"~SE*1*0001~", b"\r\n\n~~", b"plain", b"\x00\xff*>"])
def test_a_binary_segment_is_taken_by_its_length(payload: bytes) -> None:
    data = raw("850", "").replace(
        b"ST*850*0001~\n", b"ST*850*0001~\n" + b"BIN*%d*%s~\n" % (len(payload), payload)
    )
    (transaction,) = transactions(data)
    assert transaction.segments[1].encode("latin-1") == b"BIN*%d*%s" % (len(payload), payload)
    assert transaction.segments[-1].startswith("SE*")
    assert not any(p.fault is Fault.TRAILER_MISSING for p in transaction.problems)


def test_a_control_number_with_other_padding_is_a_warning() -> None:
    end = only(events(document("850").replace(b"GE*1*3", b"GE*1*0003")), GroupEnd)
    assert [(p.fault, p.severity) for p in end.problems] == [
        (Fault.CONTROL_NUMBER_MISMATCH, Severity.WARNING)
    ]


def test_a_group_of_another_kind_of_set_is_a_warning_at_the_set() -> None:
    (transaction,) = transactions(document("850").replace(b"GS*PO", b"GS*SH"))
    assert [(p.fault, p.severity) for p in transaction.problems] == [
        (Fault.FUNCTIONAL_ID_MISMATCH, Severity.WARNING)
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no ISA"),
        (b"hello", "no ISA"),
        (b"GS*PO*A*B~", "begins with GS: the interchange header ISA"),
        (b"ST*850*0001~", "begins with ST: the headers ISA and GS"),
        (b"UNB+UNOA:1+A+B'", "no ISA"),
        (b"I", "no ISA"),
        (b"\x00" * 100_000 + b"ISA*", "no ISA"),
    ],
)
def test_what_is_no_edi_is_refused_with_what_it_lacks(data: bytes, message: str) -> None:
    with pytest.raises(NotEdi, match=message):
        events(data)


@given(
    st.lists(st.sampled_from(sorted(DOCUMENTS)), min_size=1, max_size=4), st.sampled_from(["", "\n", "\r\n"])
)
def test_offsets_of_sets_are_exact_in_every_file(sets: list[str], line_end: str) -> None:
    data = b"".join(document(s).replace(b"\n", line_end.encode()) for s in sets)
    for transaction in transactions(data):
        offset = transaction.offset
        for segment in transaction.segments:
            assert data[offset:].startswith(segment.encode("latin-1"))
            offset += len(segment) + transaction.gap


def test_limits_may_be_set_by_the_caller() -> None:
    (transaction,) = (e for e in events(document("850"), Limits(segments=5)) if isinstance(e, Transaction))
    assert [p.fault for p in transaction.problems] == [Fault.LIMIT_EXCEEDED]
    verdict = x12.check(transaction)
    assert (verdict.status, verdict.problems) == ("rejected", transaction.problems)


@pytest.mark.parametrize("odd", ["\x07", "é", "\x7f", ">"])
def test_an_odd_character_is_found_wherever_in_a_long_file_it_stands(odd: str) -> None:
    text = document("850").decode("latin-1")
    start, end = text.index("ST*850"), text.index("GE*1")
    one = text[start:end]
    count = 700_000 // len(one)
    for damaged in (0, 1, count // 2, count - 1):
        sets = [one.replace("*0001", f"*{number:04}") for number in range(1, count + 1)]
        sets[damaged] = sets[damaged].replace("Store 12", f"Store{odd}12")
        data = (text[:start] + "".join(sets) + text[end:].replace("GE*1", f"GE*{count}")).encode("latin-1")
        verdicts = [x12.check(t).status for t in transactions(data)]
        wrong = [at for at, verdict in enumerate(verdicts) if verdict == "rejected"]
        assert wrong == ([] if odd == "é" else [damaged])
        assert [at for at, t in enumerate(transactions(data)) if not t.plain and at == damaged]


@pytest.mark.parametrize(
    ("old", "new", "fault", "segment", "element", "severity"),
    [
        (b"*260106*", b"*260136*", Fault.DATE_INVALID, "ISA", 9, "warning"),
        (b"*1230*U", b"*2530*U", Fault.TIME_INVALID, "ISA", 10, "warning"),
        (b"*ZZ*", b"*QQ*", Fault.CODE_UNKNOWN, "ISA", 5, "warning"),
        (b"*0*P*", b"*0*X*", Fault.CODE_UNKNOWN, "ISA", 15, "warning"),
        (b"*SENDER  ", b"*SEN\x07ER  ", Fault.CHARACTER_INVALID, "ISA", 6, "error"),
        (b"*SENDER*", b"*SEN\x07ER*", Fault.CHARACTER_INVALID, "GS", 2, "error"),
        (b"*RECEIVER*", b"*\xe2\x80\xaeR*", Fault.CHARACTER_INVALID, "GS", 3, "error"),
        (b"*20260106*", b"*20260136*", Fault.DATE_INVALID, "GS", 4, "warning"),
        (b"*1230*3", b"*1290*3", Fault.TIME_INVALID, "GS", 5, "warning"),
    ],
)
def test_values_of_headers_are_looked_at_and_told_with_their_place(
    old: bytes, new: bytes, fault: Fault, segment: str, element: int, severity: str
) -> None:
    data = document("850")
    at = data.index(old)
    data = data[:at] + new + data[at + len(old) :]
    (problem,) = [p for event in events(data) for p in event.problems]
    assert (problem.fault, problem.segment, problem.element) == (fault, segment, element)
    assert problem.severity == severity
    assert problem.offset is not None
    assert problem.value is not None
    assert data[problem.offset :].decode("latin-1").startswith(problem.value)


@pytest.mark.parametrize(
    ("ta1", "fault", "element"),
    [
        ("TA1*00000001*260105*1200*A*000", Fault.TOO_SHORT, 1),
        ("TA1*000000001*260135*1200*A*000", Fault.DATE_INVALID, 2),
        ("TA1*000000001*260105*2500*A*000", Fault.TIME_INVALID, 3),
        ("TA1*000000001*260105*1200*Q*000", Fault.CODE_UNKNOWN, 4),
        ("TA1*000000001*260105*1200*R*099", Fault.CODE_UNKNOWN, 5),
        ("TA1*000000001*260105*1200*R", Fault.ELEMENT_MISSING, 5),
        ("TA1*000000001*260105*1200*A*000*X", Fault.ELEMENT_NOT_DEFINED, 6),
    ],
)
def test_a_ta1_is_checked_like_any_segment(ta1: str, fault: Fault, element: int) -> None:
    head = document("850")[:107]
    good = head + b"TA1*000000001*260105*1200*A*000~\nIEA*0*000000007~\n"
    assert [p for event in events(good) for p in event.problems] == []
    data = head + ta1.encode() + b"~\nIEA*0*000000007~\n"
    (problem,) = [p for event in events(data) for p in event.problems]
    assert (problem.fault, problem.segment, problem.element) == (fault, "TA1", element)
    assert problem.offset == 107 + len("*".join(ta1.split("*")[:element])) + (
        fault is not Fault.ELEMENT_MISSING
    )
