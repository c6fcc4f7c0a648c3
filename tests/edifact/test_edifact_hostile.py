"""Content made to break a reader: it ends in problems, in bounded memory, and never in a traceback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from edifact_bombs import BOMBS as FILES_OF_1_MIB
from edifact_support import (
    NAMES,
    answer,
    check,
    document,
    events,
    lines,
    mirrored,
    problems,
    raw,
    shape,
    transactions,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from edi import edifact
from edi.edifact import acks
from edi.edifact.writer import Body, write
from edi.pretty import pretty
from edi.problems import CannotWrite, Fault, NotEdi, Problem
from edi.reading import LIMITS
from edi.report import problems_in, report
from edi.tree import NORMAL, Event, Interchange, InterchangeEnd, Transaction


def _problems(found: list[Event]) -> Iterator[Problem]:
    for event in found:
        yield from edifact.check(event).problems if isinstance(event, Transaction) else event.problems


def _grammatical(found: list[Event]) -> bool:
    text = shape(found)
    while True:
        shorter = text.replace("T", "").replace("Gg", "").replace("Ii", "")
        if shorter == text:
            return text == ""
        text = shorter


def _interchanges(found: list[Event]) -> Iterator[list[Event]]:
    start = 0
    for at, event in enumerate(found, 1):
        if isinstance(event, InterchangeEnd):
            yield found[start:at]
            start = at


@pytest.mark.parametrize("line_end", ["", "\n"])
@pytest.mark.parametrize("una", ["", "UNA:+.? '"])
def test_a_file_cut_at_any_byte_ends_in_problems(line_end: str, una: str) -> None:
    data = raw("ORDERS", lines("ORDERS"), una=una, line_end=line_end)
    for length in range(len(data)):
        try:
            found = events(data[:length])
        except NotEdi:
            assert length < 3
            continue
        assert _grammatical(found)
        whole = length >= len(data.rstrip().rstrip(b"'"))
        assert whole or any(True for _ in _problems(found)), length


SAMPLES = Path(__file__).parents[1] / "samples" / "edifact"
FILES = [p.read_bytes() for p in sorted(SAMPLES.rglob("*")) if p.is_file() and p.stat().st_size < 6000]
FILES += [
    document(m, syntax=s) for m in ("ORDERS", "DESADV", "CONTRL") for s in ("UNOA:2", "UNOX:4", "UNOY:4")
]
PIECES = st.one_of(
    st.binary(max_size=4),
    st.sampled_from(
        [
            *(
                b"'",
                b"+",
                b":",
                b"?",
                b"*",
                b"??",
                b"?'",
                b"?\n",
                b"\r\n",
                b"\x1b$B",
                b"\x1b(B",
                b"\xe2\x82\xac",
            ),
            *(b"'UNH+1+ORDERS:D:96A:UN'", b"'UNT+1+1'", b"UNB+", b"'UNG+ORDERS'", b"UNA:+.? '", b"'CPS+1'"),
            *(b"UNO+1+A:1+B:1+9'", b"UNOY:4", b"UNOF:3", b"UNOX:4", b"\x1c", b"\x1d", b"\x1f", b"UNZ+1+1'"),
        ]
    ),
)


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from(FILES), st.lists(st.tuples(st.integers(0, 6000), PIECES, st.integers(0, 40)), max_size=6)
)
def test_a_damaged_file_is_reported_rendered_and_answered_without_an_exception(
    original: bytes, damage: list[tuple[int, bytes, int]]
) -> None:
    data = bytearray(original)
    for at, text, taken in damage:
        start = at % (len(data) + 1)
        data[start : start + taken] = text
    try:
        found = events(bytes(data))
    except NotEdi:
        return
    assert _grammatical(found)
    told = list(problems_in(report(iter(found), edifact.check)))
    assert all(p["offset"] is None or 0 <= p["offset"] <= len(data) for p in told)
    assert all(line.isprintable() for line in pretty(iter(found), NAMES))
    for interchange in _interchanges(found):
        _answered(interchange)


def _answered(found: list[Event]) -> None:
    header = found[0]
    assert isinstance(header, Interchange)
    ack = answer(found)
    body = Body("CONTRL", "1", acks.version_for(header), acks.write_contrl(ack))
    try:
        data = write(mirrored(header), [body], check=True)
    except CannotWrite:  # because of what any answer has to repeat
        with pytest.raises(CannotWrite):
            bare = Body("CONTRL", "1", "D.3", acks.write_contrl(acks.answer_interchange(header, code="18")))
            write(mirrored(header), [bare], check=True)
        return
    (reply,) = transactions(data)
    assert edifact.check(reply).status == "accepted"
    rows = [segment.split(NORMAL.element) for segment in reply.segments]
    assert rows[1][1].strip() == ack.control_number
    assert rows[1][4] == ack.action
    assert sum(row[0] == "UCM" for row in rows) == len(ack.all_messages)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                *("UNA", "UNB", "UNG", "UNH", "UNT", "UNE", "UNZ", "UNO", "UNP", "UNS", "CPS", "RFF"),
                *("+", "'", ":", "?", "*", "1", "9999", "\n", " ", "ORDERS:D:96A:UN", ":+.? '"),
            ]
        ),
        max_size=60,
    )
)
def test_any_order_of_service_segments_gives_a_grammatical_stream(parts: list[str]) -> None:
    head = raw("ORDERS", []).split(b"UNH+")[0]
    for found in (events(head + "".join(parts).encode()), events(head + "'".join(parts).encode())):
        assert _grammatical(found)
        list(_problems(found))


BOMBS = {
    "an alphanumeric element separator": b"UNA:X.? 'UNBXUNOA:3X",
    "an alphanumeric terminator": b"UNA:+.? QUNB+UNOA:3+",
    "one character as two separators": b"UNA++.? 'UNB+UNOA:3+",
    "the release character as terminator": b"UNA:+.? ?UNB+UNOA:3+",
    "a space as component separator": b"UNA +.? 'UNB+UNOA:3+",
    "UNA alone": b"UNA:+.? '",
    "UNA cut": b"UNA:+.",
    "UNB alone": b"UNB+",
    "UNB of separators": b"UNB" + b"+" * 300,
    "UNB of components": b"UNB+" + b":" * 300 + b"'",
    "UNB without end": b"UNB+UNOA:3+" + b"A" * 200_000,
    "UNB of released terminators": b"UNB+" + b"?'" * 200_000,
}


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_an_unusable_header_is_a_typed_problem(name: str) -> None:
    found = events(BOMBS[name])
    assert _grammatical(found)
    faults = {p.fault for p in problems(found)}
    assert faults & {Fault.SEPARATORS_INVALID, Fault.ENVELOPE_MALFORMED, Fault.LIMIT_EXCEEDED}


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("1E999999", Fault.NUMBER_INVALID),
        ("9" * 100_000, Fault.TOO_LONG),
        ("NaN", Fault.NUMBER_INVALID),
        ("Infinity", Fault.NUMBER_INVALID),
        ("1_000", Fault.NUMBER_INVALID),
        ("?+1", Fault.NUMBER_INVALID),
        ("٣", Fault.NUMBER_INVALID),
        ("1,2.3", Fault.NUMBER_INVALID),
        ("1.", Fault.NUMBER_INVALID),
        ("{{7*7}}", Fault.NUMBER_INVALID),
    ],
)
def test_huge_and_strange_numerals_are_told_without_being_computed(value: str, fault: Fault) -> None:
    for syntax in ("UNOY:3", "UNOC:3"):
        body = [line.replace("21:10:", "21:@:") for line in lines("ORDERS")]
        data = raw("ORDERS", body, syntax=syntax).replace(b"@", value.encode())
        assert fault in {p.fault for p in check(data).problems if p.segment == "QTY" and p.component == 2}
        total = [line.replace("CNT+2:2", "CNT+2:@") for line in lines("ORDERS")]
        data = raw("ORDERS", total, syntax=syntax).replace(b"@", value.encode())
        assert fault in {p.fault for p in check(data).problems if p.segment == "CNT"}


@pytest.mark.parametrize("value", ["99999999", "00000000", "20260230", "²²²²²²²²", "2026010"])
def test_impossible_dates_are_told(value: str) -> None:
    data = document("ORDERS").replace(b"20260105", value.encode("latin-1"))
    assert {p.fault for p in check(data).problems} == {Fault.DATE_INVALID}


def test_a_message_of_a_million_segments_is_a_typed_problem() -> None:
    data = document("ORDERS")
    start = data.index(b"LIN+1")
    bomb = data[:start] + b"RFF+CT:1'\n" * 1_000_000 + data[start:]
    found = events(bomb)
    assert shape(found) == "IGTgi"
    assert [p.fault for p in found[2].problems] == [Fault.LIMIT_EXCEEDED]
    assert found[-1].problems == ()


@pytest.mark.parametrize("piece", [b"+1", b"?'", b"??", b"?\n", b"\n", b":"])
def test_a_segment_of_a_megabyte_is_a_typed_problem_and_the_next_interchange_is_read(piece: bytes) -> None:
    data = document("ORDERS").replace(b"RFF+CT:K-1", b"RFF+CT:K" + piece * (2**20 // len(piece)))
    found = events(data + document("DESADV"))
    assert Fault.LIMIT_EXCEEDED in {p.fault for p in problems(found[:-5])}
    assert shape(found).endswith("IGTgi")
    assert problems(found[-5:]) == []


def test_ten_thousand_packages_are_walked_in_order() -> None:
    levels = [f"CPS+{number}+{number - 1 or ''}" for number in range(1, 10_001)]
    verdict = check(raw("DESADV", ["BGM+351+1+9", *levels]))
    assert [p.fault for p in verdict.problems] == [Fault.LOOP_TOO_OFTEN]
    assert check(raw("DESADV", ["BGM+351+1+9", *levels[:9999]])).status == "accepted"


@pytest.mark.parametrize("piece", [b"UNH+1+ORDERS:D:96A:UN'\n", b"UNH'\n", b"UNG+ORDERS'\n", b"UNG'\n"])
def test_an_interchange_of_headers_without_trailers_is_given_up_and_the_next_is_read(piece: bytes) -> None:
    data = document("ORDERS")
    start, end = data.index(b"UNH+"), data.index(b"UNZ+")
    found = events(data[:start] + piece * 60_000 + data[end:] + document("DESADV"))
    assert _grammatical(found)
    assert shape(found)[-5:] == "IGTgi"
    assert problems(found[-5:]) == []
    first = found[:-5]
    assert [p.fault for p in first[-1].problems].count(Fault.LIMIT_EXCEEDED) == 1
    assert len(first) < 2 * LIMITS.broken + 10


def test_after_too_many_broken_headers_an_interchange_is_whole_or_refused() -> None:
    broken = b"UNB+'\n" * (LIMITS.broken + 1)
    data = document("ORDERS")
    found = events(broken + data + b"UNB+A+B'\n" + data)
    assert _grammatical(found)
    assert shape(found)[-10:] == "IGTgi" * 2
    assert Fault.TEXT_OUTSIDE_INTERCHANGE in {p.fault for p in problems(found[-10:])}


@pytest.mark.parametrize("piece", [b"UNB+", b"UNB+UNOA:1+A?'+B+C", b"UNA:+???'UNB+UNOA:1+A"])
def test_headers_that_end_nowhere_are_looked_for_a_few_times_only(piece: bytes) -> None:
    found = events(piece * (2**20 // len(piece)))
    assert _grammatical(found)
    assert len(found) < 100
    assert Fault.LIMIT_EXCEEDED in {p.fault for p in problems(found)}
    found = events(piece * 3 + b"A" * LIMITS.segment * 4 + document("ORDERS"))
    assert shape(found).endswith("IGTgi")
    assert problems(found[-5:]) == []


def test_packages_without_number_are_told_a_hundred_times_only() -> None:
    head, tail = document("ORDERS").split(b"UNZ+")
    found = events(head + b"UNO+1+A:1+B:1+5'12345'" * 20_000 + b"UNZ+" + tail)
    assert shape(found) == "IGTgi"
    assert 100 <= len(found[-1].problems) <= 102


def test_an_unclosed_shift_costs_no_more_than_its_segment() -> None:
    data = raw("ORDERS", ["FTX+AAI+++@"], syntax="UNOX:4")
    bomb = data.replace(b"@", b"\x1b$B" + b"'\nUNT+" * 200_000)
    found = events(bomb + document("DESADV"))
    assert Fault.LIMIT_EXCEEDED in {p.fault for p in problems(found)}
    assert shape(found).endswith("IGTgi")


MEASURE = """
import io, sys
from edi.edifact.codec import read

class Endless(io.RawIOBase):
    def __init__(self, head, piece, size):
        self.head, self.piece, self.left = head, piece, size
    def read(self, size=-1):
        if self.head:
            head, self.head = self.head, b""
            return head
        taken = min(size, self.left)
        self.left -= taken
        return (self.piece * (taken // len(self.piece) + 1))[:taken]

head, piece, size = sys.argv[1].encode("latin-1"), sys.argv[2].encode("latin-1"), int(sys.argv[3])
faults = {p.fault.value for e in read(Endless(head, piece, size)) for p in e.problems}
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
print(int(peak) // 1024, *sorted(faults))
"""


@pytest.mark.parametrize(
    ("piece", "megabytes"),
    [("A", 100), ("+1", 100), ("??", 40), ("?'", 40), ("RFF+CT:1'", 8), ("ZZZ'''\n", 8), ("'", 8)],
)
@pytest.mark.parametrize("place", ["in a message", "after UNB", "after UNZ"])
def test_endless_content_of_any_kind_is_read_in_constant_memory(
    piece: str, megabytes: int, place: str
) -> None:
    data = document("ORDERS").decode("latin-1")
    heads = {
        "in a message": data[: data.index("UNT+")],
        "after UNB": data.split("UNH+")[0],
        "after UNZ": data,
    }
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, heads[place], piece, str(megabytes * 2**20)],
        capture_output=True,
        text=True,
        check=True,
    )
    peak, *faults = run.stdout.split()
    assert int(peak) < 128
    assert faults or piece == "'"


@pytest.mark.parametrize("part", range(6))
def test_every_operation_on_every_hostile_file_ends_within_its_limits(part: int) -> None:
    names = sorted(FILES_OF_1_MIB)[part::6]
    argv = [sys.executable, str(Path(__file__).parents[1] / "bench" / "endings.py"), "edifact", *names]
    run = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == names


def test_what_names_a_message_is_not_trusted_with_a_path_or_a_pattern() -> None:
    for type, version in (
        ("../ORDERS", "D:96A:UN"),
        ("OR*", "D:..:UN"),
        ("CONTRL", "../..:4:UN"),
        ("", "D:96A:UN"),
    ):
        (transaction,) = transactions(raw(type.replace("*", "?*"), [], version, syntax="UNOC:4"))
        assert edifact.check(transaction).status == "rejected"
