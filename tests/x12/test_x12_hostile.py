"""Content made to break a reader: it ends in problems, in bounded memory, and never in a traceback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from x12_bombs import BOMBS as FILES_OF_1_MIB
from x12_support import DOCUMENTS, check, document, envelope, events, raw, shape, transactions

import x12
from edi.pretty import Names, pretty
from edi.problems import Fault, NotEdi, Problem
from edi.reading import LIMITS
from edi.report import problems_in, report
from edi.tree import Event, Group, GroupEnd, Interchange, Transaction
from x12 import acks, dictionary
from x12.writer import Body, write


def _problems(found: list[Event]) -> Iterator[Problem]:
    for event in found:
        yield from x12.check(event).problems if isinstance(event, Transaction) else event.problems


def _grammatical(found: list[Event]) -> bool:
    text = shape(found)
    while True:
        shorter = text.replace("T", "").replace("Gg", "").replace("Ii", "")
        if shorter == text:
            return text == ""
        text = shorter


@pytest.mark.parametrize("line_end", ["", "\n"])
def test_a_file_cut_at_any_byte_ends_in_problems(line_end: str) -> None:
    data = document("850").decode().replace("\n", line_end).encode()
    for length in range(len(data)):
        try:
            found = events(data[:length])
        except NotEdi:
            assert length < 3
            continue
        assert _grammatical(found)
        whole = length >= len(data.rstrip().rstrip(b"~"))
        assert whole or any(True for _ in _problems(found)), length


SAMPLES = Path(__file__).parents[1] / "samples" / "x12"
FILES = [p.read_bytes() for p in sorted(SAMPLES.rglob("*")) if p.is_file() and p.stat().st_size < 6000]
NAMES = Names(x12.check, dictionary.definition, dictionary.segment, dictionary.meaning)
PIECES = st.one_of(
    st.binary(max_size=4),
    st.sampled_from(
        [
            b"~",
            b"*",
            b">",
            b"^",
            b"\r\n",
            b"~ST*850*0001~",
            b"~SE*1*1~",
            b"ISA*",
            b"~GS*PO~",
            b"BIN*3*~~~",
            b"~HL*1**S~",
        ]
    ),
)


@settings(max_examples=500, deadline=None)
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
    told = list(problems_in(report(iter(found), x12.check)))
    assert all(p["offset"] is None or 0 <= p["offset"] <= len(data) for p in told)
    assert all(line.isprintable() for line in pretty(iter(found), NAMES))
    for event in found:
        if isinstance(event, Interchange):
            separators = event.separators
        elif isinstance(event, Group):
            group, answer = event, acks.FunctionalAck(event)
        elif isinstance(event, Transaction):
            answer.add(event, x12.check(event))
        elif isinstance(event, GroupEnd) and acks.answers(group):
            ack = answer.finish(event)
            version = dictionary.base_version(group.version) or "004010"
            said = envelope(version, "FA", separators=separators)
            body = acks.write_997(ack, version, separators)
            (reply,) = transactions(write(said, [Body("997", 1, body)], check=True))
            again = acks.read_group_ack(x12.check(reply).rows, reply.separators.component)
            assert (again.status, again.codes, again.accepted) == (ack.status, ack.codes, ack.accepted)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "ISA",
                "GS",
                "ST",
                "SE",
                "GE",
                "IEA",
                "TA1",
                "BIN",
                "BDS",
                "REF",
                "*",
                "~",
                ">",
                "^",
                "1",
                "9999",
                "\n",
            ]
        ),
        max_size=60,
    )
)
def test_any_order_of_service_segments_gives_a_grammatical_stream(parts: list[str]) -> None:
    data = document("850")[:107] + "".join(parts).encode()
    assert _grammatical(events(data))


BOMBS = {
    "alphanumeric element separator": b"ISAX00X" + b"X" * 200,
    "alphanumeric terminator": raw("850", "").replace(b"*P*>~\n", b"*P*>Q", 1),
    "one character as two separators": raw("850", "").replace(b"*P*>~\n", b"*P*~~\n", 1),
    "element separator as component separator": raw("850", "").replace(b"*P*>~\n", b"*P**~\n", 1),
    "a space as terminator": raw("850", "").replace(b"*P*>~\n", b"*P*> \n", 1),
    "nothing after ISA": raw("850", "")[:106],
    "ISA alone": b"ISA",
    "ISA of separators": b"ISA" + b"*" * 300,
}


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_an_unusable_isa_is_a_typed_problem(name: str) -> None:
    found = events(BOMBS[name])
    assert _grammatical(found)
    faults = {p.fault for p in found[0].problems + found[-1].problems}
    assert faults & {Fault.SEPARATORS_INVALID, Fault.ENVELOPE_MALFORMED, Fault.TRAILER_MISSING}


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("1E999999", Fault.NUMBER_INVALID),
        ("9" * 100_000, Fault.TOO_LONG),
        ("NaN", Fault.NUMBER_INVALID),
        ("Infinity", Fault.NUMBER_INVALID),
        ("1_000", Fault.NUMBER_INVALID),
        ("+1", Fault.NUMBER_INVALID),
        ("٣", Fault.NUMBER_INVALID),
        ("{{7*7}}".replace("*", ""), Fault.NUMBER_INVALID),
    ],
)
def test_huge_and_strange_numerals_are_told_without_being_computed(value: str, fault: Fault) -> None:
    data = document("850").replace(b"PO1*1*10*", b"PO1*1*" + value.encode() + b"*")
    assert fault in {p.fault for p in check(data).problems if p.segment == "PO1" and p.element == 2}


@pytest.mark.parametrize("value", ["99999999", "00000000", "20260230", "²²²²²²²²"])
def test_impossible_dates_are_told(value: str) -> None:
    data = document("850").replace(b"20260105", value.encode("latin-1"))
    assert {p.fault for p in check(data).problems} & {Fault.DATE_INVALID}


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("Café".encode(), True),
        ("Café".encode("latin-1"), True),
        ("日本".encode(), True),
        (b"a\x00b", False),
        (b"a\x9bb", False),
        ("a\u202eb".encode(), False),
        ("\ufeffa".encode(), False),
        ("a".encode("utf-16"), False),
        (b"a\xc3(", True),  # latin-1: the standard's national characters
    ],
)
def test_characters_are_judged_by_what_the_bytes_mean(value: bytes, good: bool) -> None:
    faults = {p.fault for p in check(document("850").replace(b"Blue widget", value)).problems}
    assert faults == (set() if good else {Fault.CHARACTER_INVALID})


def test_a_set_of_a_million_segments_is_a_typed_problem() -> None:
    data = document("850")
    start = data.index(b"PO1*")
    bomb = data[:start] + b"REF*DP*1~\n" * 1_000_000 + data[start:]
    found = events(bomb)
    assert shape(found) == "IGTgi"
    assert [p.fault for p in found[2].problems] == [Fault.LIMIT_EXCEEDED]
    assert found[-1].problems == ()


def test_a_segment_of_a_million_elements_is_a_typed_problem_and_the_next_interchange_is_read() -> None:
    data = document("850").replace(b"REF*DP*012", b"REF" + b"*1" * 1_000_000)
    found = events(data + document("856"))
    assert Fault.LIMIT_EXCEEDED in {p.fault for e in found[:-5] for p in e.problems}
    assert shape(found).endswith("IGTgi")
    assert not any(e.problems for e in found[-5:])


def test_ten_thousand_nested_looking_loops_are_walked_in_order() -> None:
    body = (
        DOCUMENTS["856"].splitlines()[0]
        + "\n"
        + "\n".join(f"HL*{i}*{i - 1 or ''}*S" for i in range(1, 10_001))
    )
    verdict = check(raw("856", body))
    assert verdict.status == "accepted"


@pytest.mark.parametrize("piece", [b"ST*850*1~\n", b"ST~\n", b"GS*PO~\n", b"GS~\n"])
def test_an_interchange_of_headers_without_trailers_is_given_up_and_the_next_is_read(piece: bytes) -> None:
    data = document("850")
    start, end = data.index(b"ST*"), data.index(b"GE*")
    found = events(data[:start] + piece * 60_000 + data[end:] + document("856"))
    assert _grammatical(found)
    assert shape(found)[-5:] == "IGTgi"
    assert not any(event.problems for event in found[-5:])
    first = found[:-5]
    assert [p.fault for p in first[-1].problems].count(Fault.LIMIT_EXCEEDED) == 1
    assert len(first) < 2 * LIMITS.broken + 10


def test_after_too_many_broken_headers_an_interchange_is_whole_or_refused() -> None:
    broken = b"ISA*00*00~\n" * (LIMITS.broken + 1)
    data = document("850")
    found = events(broken + data + data.replace(b"SE*", b"XX*") + data.replace(b"*ZZ*", b"*Z*") + data)
    assert _grammatical(found)
    told = shape(found)[-15:]
    assert told == "IGTgi" * 3  # what had a wrong width is told as text that belongs to no interchange
    assert [bool(event.problems) for event in found[-15:]].count(True) == 3
    assert Fault.LIMIT_EXCEEDED in {p.fault for p in found[-6].problems}
    assert Fault.TEXT_OUTSIDE_INTERCHANGE in {p.fault for p in found[-6].problems}


MEASURE = """
import io, sys
from x12.codec import read

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
    ("piece", "megabytes"), [("A", 100), ("*1", 100), ("REF*DP*1~", 8), ("ZZZ~~~\n", 8), ("~", 8)]
)
@pytest.mark.parametrize("place", ["in a set", "after ISA", "after IEA"])
def test_endless_content_of_any_kind_is_read_in_constant_memory(
    piece: str, megabytes: int, place: str
) -> None:
    data = document("850").decode("latin-1")
    head = {"in a set": data[: data.index("SE*")], "after ISA": data[:107], "after IEA": data}[place]
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, head, piece, str(megabytes * 2**20)],
        capture_output=True,
        text=True,
        check=True,
    )
    peak, *faults = run.stdout.split()
    assert int(peak) < 128
    assert faults or piece == "~"


@pytest.mark.parametrize("part", range(6))
def test_every_operation_on_every_hostile_file_ends_within_its_limits(part: int) -> None:
    names = sorted(FILES_OF_1_MIB)[part::6]
    argv = [sys.executable, str(Path(__file__).parents[1] / "bench" / "endings.py"), "x12", *names]
    run = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == names
