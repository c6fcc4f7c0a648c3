"""The rendering for human eyes: names, loops, problems in place, and nothing that steers a terminal."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import x12
from edi.pretty import Line, Names, lines, pretty, spans, text
from edi.problems import Problem
from edi.report import problems_in, report
from edi.schema import SegmentDef
from edi.tree import Transaction
from x12 import dictionary
from x12.codec import read


def _segment(tag: str, version: str) -> SegmentDef | None:
    known = (base for base in dictionary.VERSIONS if version and base.startswith(version[:6]))
    return dictionary.segment(tag, next(known, "005010"))


SAMPLES = Path(__file__).parents[1] / "samples" / "x12"
FILES = sorted(path for path in SAMPLES.rglob("*") if path.is_file())
NAMES = Names(x12.check, dictionary.definition, _segment, dictionary.meaning)

ISA = (
    "ISA*00*          *00*          *ZZ*SENDER         *01*RECEIVER       *260106*1230*{}*000000007*0*P*>~"
    "GS*PO*SENDER*RECEIVER*20260106*1230*3*X*{}~"
)
ORDER = (
    "ST*850*0001~BEG*00*SA*PO-1**20260106~N1*ST*Store*92*0012~N4*Solon*OH~"
    "PO1*1*5*EA*9.25**UP*012345678905~PID*F****Widget~PO1*2*5*EA*9.25~N1*SF*Depot~CTT*2~SE*10*0001~"
)


def _file(body: str, version: str = "004010", ends: str = "GE*1*3~IEA*1*000000007~") -> bytes:
    isa = "U*00401" if version == "004010" else "^*00501"
    return (ISA.format(isa, version) + body + ends).encode("latin-1")


def _shown(data: bytes, width: int | None = None) -> list[str]:
    return list(pretty(read(io.BytesIO(data)), NAMES, width))


def _lines(
    data: bytes, wanted: Callable[[Transaction], bool] | None = None, *, only_problems: bool = False
) -> list[Line]:
    return list(lines(read(io.BytesIO(data)), NAMES, wanted, only_problems=only_problems))


def _under(found: list[Line]) -> list[tuple[str, str, str]]:
    """Each problem as (what stands above it, its value, its fault)."""
    told = []
    above = found[0]
    for line in found:
        if line.problem is None:
            above = line
        else:
            told.append((above.reference, above.value, line.problem.fault.value))
    return told


def test_names_meanings_and_the_loop_tree_stand_beside_what_was_sent() -> None:
    shown = _shown(_file(ORDER))
    text = "\n".join(shown)
    assert "    850 Purchase Order 0001  10 segments  accepted" in shown
    assert "BEG02   Purchase Order Type Code            SA = Stand-alone Order" in text
    loops = [line for line in shown if line.strip().startswith("loop ")]
    assert loops == [
        "      loop N1 1  Ship To",
        "      loop PO1 1",
        "        loop PID 1",
        "      loop PO1 2",
        "        loop N1 1  Ship From",
        "      loop CTT 1",
    ]


def test_the_elements_of_the_envelope_have_their_names() -> None:
    text = "\n".join(_shown(_file(ORDER)))
    for told in (
        "  ISA  Interchange Control Header",
        "    ISA06   Interchange Sender ID               SENDER\n",
        "    ISA16   Component Element Separator         >\n",
        "      GS01    Functional Identifier Code          PO = Purchase Order\n",
        "        SE01    Number of Included Segments         10\n",
        "      GE02    Group Control Number                3\n",
        "    IEA01   Number of Included Functional Groups  1\n",
    ):
        assert told in text


def test_a_level_says_what_it_is_and_what_it_is_under() -> None:
    path = SAMPLES / "856" / "Silvenga_vscode-edi-x12-support__docs_old.edi"
    loops = [line for line in _lines(path.read_bytes()) if line.kind == "loop" and line.reference == "HL"]
    assert [line.value for line in loops] == [str(n) for n in range(1, len(loops) + 1)]
    assert [line.meaning for line in loops][:2] == ["Shipment", "Order, under 1"]


def test_composites_and_repetitions_are_taken_apart() -> None:
    body = (
        "ST*999*0001~AK1*PO*1*005010~AK2*850*0001*005010~IK3*N1*3*N1*8~CTX*SITUATIONAL TRIGGER*N1*3**1>2>3~"
        "IK4*4>1*67*1*x~IK5*R*5~AK9*R*1*1*0~SE*9*0001~"
    )
    found = _lines(_file(body, "005010"))
    of_ik4 = [(line.kind, line.reference, line.value) for line in found if line.reference[:5] == "IK401"]
    assert of_ik4 == [("composite", "IK401", ""), ("element", "IK401-1", "4"), ("element", "IK401-2", "1")]
    body = body.replace("SITUATIONAL TRIGGER", "CTX>A^CTX>B")
    repeated = [line.reference for line in _lines(_file(body, "005010")) if line.reference[:5] == "CTX01"]
    assert repeated == [
        *("CTX01#1", "CTX01#1-1", "CTX01#1-2", "CTX01#2", "CTX01#2-1", "CTX01#2-2"),
    ]


def test_a_problem_stands_under_its_element_and_a_missing_segment_where_it_should_have_come() -> None:
    body = "ST*850*0001~N1*ST*Store*92~PO1*1*5*EA*x**UP*012345678905~MEA*WT*G*1*LB>1>1>Q7Z~SE*5*0001~"
    found = _lines(_file(body))
    assert _under(found) == [
        ("BEG", "", "SEGMENT_MISSING"),
        ("N104", "", "CONDITION_UNMET"),
        ("PO104", "x", "NUMBER_INVALID"),
        ("MEA04-4", "Q7Z", "TOO_LONG"),
    ]
    at = next(n for n, line in enumerate(found) if line.kind == "missing")
    assert (found[at - 1].reference, found[at + 2].kind, found[at].depth) == ("ST02", "loop", 3)


def test_the_marks_stand_exactly_under_the_value() -> None:
    body = "ST*850*0001~BEG*00*SA*PO-1**20261332~PO1*1*5*EA*x**UP*012345678905~SE*4*0001~"
    for width in (None, 80, 120):
        shown = _shown(_file(body), width)
        marked = [(shown[n - 1], line) for n, line in enumerate(shown) if "^^" in line or line.endswith(" ^")]
        assert [line.strip() for _, line in marked] == ["^" * 8, "^"]
        for above, line in marked:
            assert above[line.index("^") :] in ("20261332", "x")


def test_problems_of_the_envelope_stand_under_its_elements() -> None:
    found = _lines(_file(ORDER, ends="GE*2*3~IEA*1*000000008~"))
    assert _under(found) == [
        ("GE01", "2", "COUNT_MISMATCH"),
        ("IEA02", "000000008", "CONTROL_NUMBER_MISMATCH"),
    ]
    cut = _lines(_file(ORDER[: ORDER.index("CTT")], ends=""))
    assert _under(cut)[-3:] == [
        ("SE", "", "TRAILER_MISSING"),
        ("GE", "", "TRAILER_MISSING"),
        ("IEA", "", "TRAILER_MISSING"),
    ]


def test_the_loop_tree_is_shown_although_a_segment_has_no_place_in_it() -> None:
    body = ORDER.replace("PID*F", "ZZZ*1~PID*F").replace("SE*10", "SE*11")
    found = _lines(_file(body))
    assert _under(found) == [("ZZZ", "", "SEGMENT_UNKNOWN")]
    assert [f"{line.reference} {line.value}" for line in found if line.kind == "loop"] == [
        *("N1 1", "PO1 1", "PID 1", "PO1 2", "N1 1", "CTT 1"),
    ]


def test_only_segments_with_problems_and_the_loops_around_them_can_be_asked_for() -> None:
    second = ORDER.replace("0001~", "0002~").replace("PO1*2*5", "PO1*2*x")
    found = _lines(_file(ORDER + second, ends="GE*2*3~IEA*1*000000007~"), only_problems=True)
    assert [(line.kind, line.reference) for line in found if line.kind not in ("element", "problem")] == [
        ("interchange", "000000007"),
        ("group", "PO 3"),
        ("set", "0002"),
        ("loop", "PO1"),
        ("segment", "PO1"),
    ]
    assert _under(found) == [("PO102", "x", "NUMBER_INVALID")]


def test_one_transaction_can_be_asked_for_and_no_other_is_checked() -> None:
    checked = []

    def check(transaction: Transaction) -> object:
        checked.append(transaction.control_number)
        return x12.check(transaction)

    body = ORDER + ORDER.replace("0001~", "0002~")
    names = NAMES._replace(check=check)  # type: ignore[arg-type]
    data = _file(body, ends="GE*2*3~IEA*1*000000007~")
    found = list(lines(read(io.BytesIO(data)), names, lambda found: found.control_number == "0002"))
    assert checked == ["0002"]
    assert [line.kind for line in found[:3]] == ["interchange", "group", "set"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_real_file_is_shown_whole_and_within_the_width(path: Path) -> None:
    data = path.read_bytes()
    found = _lines(data)
    told = len(list(problems_in(report(read(io.BytesIO(data)), x12.check))))
    assert sum(line.problem is not None for line in found) == told
    assert sum(line.problem is not None for line in _lines(data, only_problems=True)) == told
    for line in found:
        assert len(list(text(line))) == 1 + (line.kind == "problem" and bool(line.reference))
        for width in (80, 120):
            assert all(len(shown) <= width and shown.isprintable() for shown in text(line, width))


HOSTILE = st.text(st.characters(blacklist_categories=["Cs"]), max_size=60) | st.sampled_from(
    ["\x1b]0;owned\x07", "\x1b[2J", "\x9b31m", "\u202eabc", "a\r\nb", "\x00", "\u2028", "日本語" * 20]
)


@settings(max_examples=300, deadline=None)
@given(HOSTILE, HOSTILE, HOSTILE, st.sampled_from([None, 40, 80, 120]), st.integers(0, 12))
def test_nothing_that_a_partner_wrote_reaches_the_terminal_as_it_is(
    reference: str, value: str, message: str, width: int | None, depth: int
) -> None:
    from edi.problems import Fault

    problem = Problem(Fault.CODE_UNKNOWN, message, offset=3)
    for line in (
        Line("interchange", depth, reference, "Interchange", value, message),
        Line("segment", depth, reference, value),
        Line("loop", depth, reference, "loop", "1", message),
        Line("element", depth, reference, value, value, message),
        Line("problem", depth, reference, "Name", value, problem=problem),
        Line("problem", depth, problem=problem),
    ):
        for shown in text(line, width):
            assert shown.isprintable()
        for laid_out in spans(line, width):
            assert all(span.text.isprintable() for span in laid_out)


def test_values_in_utf8_are_shown_as_characters() -> None:
    data = _file(ORDER).replace(b"Store", "Lagerhaus Zürich".encode())
    assert any(line.value == "Lagerhaus Zürich" for line in _lines(data))


def test_what_is_no_edi_is_one_line() -> None:
    (line,) = lines(iter(read(io.BytesIO(b"hello"))), NAMES)
    assert line.problem is not None
    assert line.problem.fault == "NOT_EDI"


class _Endless:
    """A file of as many transactions as are asked for; it knows how far it has been read."""

    def __init__(self) -> None:
        self.given = 0
        self._parts = self._made()

    def _made(self) -> Iterator[bytes]:
        yield _file("", ends="")
        while True:
            yield ORDER.encode()

    def read(self, size: int = -1) -> bytes:
        data = b"".join(next(self._parts) for _ in range(20))
        self.given += len(data)
        return data


def test_a_file_is_shown_as_it_is_read() -> None:
    stream = _Endless()
    shown = lines(read(cast("BinaryIO", stream)), NAMES)
    for _ in range(2000):
        next(shown)
    assert stream.given < 2_000_000
