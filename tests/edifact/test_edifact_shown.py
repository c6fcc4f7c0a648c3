"""EDIFACT for human eyes, and as a report: names, meanings, the tree of groups, problems where they are."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from edifact_support import (
    DOCUMENTS,
    NAMES,
    SYNTAXES,
    VERSIONS,
    check,
    damaged,
    document,
    envelope,
    events,
    lines,
    raw,
    rows,
)

from edi import edifact
from edi.edifact.codec import read, service_row
from edi.edifact.writer import Body, Heading, join
from edi.pretty import Line, pretty, text
from edi.pretty import lines as lines_of
from edi.problems import Fault, NotEdi
from edi.report import problems_in, report, structural
from edi.tree import NORMAL, Transaction

SAMPLES = Path(__file__).parents[1] / "samples" / "edifact"
FILES = sorted(path for path in SAMPLES.rglob("*") if path.is_file())


def _shown(data: bytes, width: int | None = None) -> list[str]:
    return list(pretty(read(io.BytesIO(data)), NAMES, width))


def _lines(data: bytes, *, only_problems: bool = False) -> list[Line]:
    return list(lines_of(read(io.BytesIO(data)), NAMES, only_problems=only_problems))


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


def _loops(found: list[Line]) -> list[str]:
    return [f"{line.reference} {line.value} {line.meaning}".rstrip() for line in found if line.kind == "loop"]


def test_names_meanings_and_the_tree_of_groups_stand_beside_what_was_sent() -> None:
    shown = _shown(document("ORDERS", "D.96A/EAN008"))
    text = "\n".join(shown)
    assert "    ORDERS Purchase order message 1  24 segments  accepted" in shown
    for told in (
        "  BGM01   Document/message name, coded        220 = Order\n",
        "    DTM01   Date/time/period\n",
        "  DTM01-1 Date/time/period qualifier          137 = Document/message date/time\n",
        "  DTM01-2 Date/time/period                    20260105\n",
        "  NAD02-1 Party id. identification            5412345000013\n",
        "  LIN03-2 Item number type, coded             EN = International Article Numbering Association\n",
        "  FTX04-2 Free text                           keep dry\n",
    ):
        assert told in text
    assert _loops(_lines(document("ORDERS"))) == [
        "SG1 1 Contract number",
        "SG2 1 Buyer",
        "SG2 2 Delivery party",
        "SG5 1 Order contact",
        "SG7 1 Reference currency",
        "SG25 1",
        "SG28 1 Calculation net",
        "SG25 2",
        "SG28 1 Calculation net",
    ]


def test_a_level_says_what_it_is_under() -> None:
    found = _loops(_lines(document("DESADV")))
    assert [loop for loop in found if loop.startswith("SG10")] == [
        "SG10 1",
        "SG10 2 under 1",
        "SG10 3 under 1",
    ]


def test_the_elements_of_the_envelope_have_their_names_meanings_and_parts() -> None:
    heading = Heading("ORDERS", "DEPT1", "DEPT2", "5", "D.96A/EAN008")
    data = join(envelope(), [(heading, [Body("ORDERS", "1", "D.96A", rows("ORDERS"))])])
    text = "\n".join(_shown(data))
    for told in (
        "Interchange 7  14:SENDER -> ZZ:RECEIVER  edifact UNOC:3, production\n",
        "  UNB  Interchange header\n",
        "    UNB02   Interchange sender\n",
        "      UNB02-1 Interchange sender identification   SENDER\n",
        "      UNB02-2 Identification code qualifier       14 = GS1\n",
        "    UNB05   Interchange control reference       7\n",
        "  Group ORDERS 5  D.96A/EAN008\n",
        "      UNG05   Group reference number              5\n",
        "          UNH02-3 Message release number              96A\n",
        "        UNS01   Section identification              S = Between detail and summary\n",
        "        UNT01   Number of segments in a message     24\n",
        "      UNE02   Group reference number              5\n",
        "    UNZ01   Interchange control count           1\n",
    ):
        assert told in text + "\n"


@pytest.mark.parametrize("table", ["+:'", "|;~", "\x1d\x1f\x1c"])
def test_a_file_is_shown_alike_whatever_its_service_characters(table: str) -> None:
    data = document("ORDERS").replace(b"+SENDER:14", b"+SEN?+DER:14").replace(b"UNZ+1+7", b"UNZ+1+?7")
    wanted = _shown(data)
    if table == "|;~":
        data = b"UNA;|.? ~" + data.replace(b"?+", b"+").translate(bytes.maketrans(b":'", b";~"))
        head, _, rest = data.partition(b"UNB+")
        data = head + b"UNB|" + rest.replace(b"+", b"|").replace(b"SEN|DER", b"SEN+DER")
    elif table == "\x1d\x1f\x1c":
        data = data.replace(b"UNOC", b"UNOB").replace(b"SEN?+DER", b"SEN@DER").replace(b"?7", b"7")
        data = data.translate(bytes.maketrans(b"+:'", b"\x1d\x1f\x1c")).replace(b"@", b"+")
    shown = [
        line.replace("UNOB = Letters, digits and marks of ISO 646", "UNOC = ISO 8859-1")
        for line in _shown(data)
    ]
    assert [line.replace("UNOB", "UNOC") for line in shown] == wanted
    assert any("SEN+DER" in line for line in wanted)
    assert not any("?" in line or "\\x" in line for line in wanted)


def test_a_service_segment_is_taken_apart_as_the_reader_does() -> None:
    for syntax, name in (("UNOC:3", "Zürich"), ("UNOY:4", "日本"), ("UNOF:4", "Ωμέγα"), ("UNOX:4", "日本")):
        codec = {"UNOC": "latin-1", "UNOY": "utf-8", "UNOF": "iso8859-7", "UNOX": "iso2022_jp_2"}[syntax[:4]]
        data = raw("ORDERS", lines("ORDERS"), syntax=syntax).replace(
            b"SENDER", b"A?+\r\n" + name.encode(codec)
        )
        header = events(data)[0]
        row = service_row(header.segment, header.separators)  # type: ignore[union-attr]
        assert row[2] == f"A+{name}{NORMAL.component}14"
        assert any(f"A+{name}" in line for line in _shown(data))
        assert header.sender.id == f"A+{name}"  # type: ignore[union-attr]


def test_repetitions_are_taken_apart() -> None:
    data = raw("ORDERS", [line.replace("PO-1001", "PO*1001") for line in lines("ORDERS")], syntax="UNOC:4")
    found = [
        (line.kind, line.reference, line.value) for line in _lines(data) if line.reference[:5] == "BGM02"
    ]
    assert found == [
        ("element", "BGM02#1", "PO"),
        ("problem", "BGM02#1", "PO"),
        ("element", "BGM02#2", "1001"),
    ]


def test_a_problem_stands_under_its_component_and_a_missing_segment_where_it_should_have_come() -> None:
    body = (
        "\n".join(lines("ORDERS")).replace("DTM+137:20260105", "DTM+137:20269905").replace("10:PCE", "x:PCE")
    )
    body = body.replace("UNS+S\n", "").replace("NAD+BY+5412345000013::9", "NAD+BY+::9+N")
    found = _lines(raw("ORDERS", body.splitlines()))
    assert _under(found) == [
        ("DTM01-2", "20269905", "DATE_INVALID"),
        ("NAD02-1", "", "ELEMENT_MISSING"),
        ("QTY01-2", "x", "NUMBER_INVALID"),
        ("UNS", "", "SEGMENT_MISSING"),
    ]


def test_the_marks_stand_exactly_under_the_value() -> None:
    data = damaged("ORDERS", "DTM+137:20260105", "DTM+137:20269905")
    for width in (None, 80, 120):
        shown = _shown(data, width)
        ((above, marks),) = ((shown[n - 1], line) for n, line in enumerate(shown) if line.strip() == "^" * 8)
        assert above[marks.index("^") :] == "20269905"


def test_a_composite_where_there_is_none_and_a_tag_that_is_one_can_be_read() -> None:
    body = ["LIN:1:1+x", *lines("ORDERS")]
    body[3] = body[3].replace("DTM+2:", "DTM+2:")
    data = raw("ORDERS", [line.replace("NAD+BY+", "NAD+BY:1+") for line in body])
    shown = "\n".join(_shown(data))
    assert "\\x" not in shown
    assert "NAD01   Party qualifier                     BY:1" in shown
    assert "      LIN:1:1\n" in shown
    (problem,) = (p for p in check(data).problems if p.fault is Fault.COMPONENT_NOT_DEFINED)
    assert problem.value == "BY:1"


def test_a_character_beyond_the_set_that_unb_names_is_shown_at_its_segment() -> None:
    for line_end in ("\n", "\n "):
        data = raw("ORDERS", lines("ORDERS"), syntax="UNOA:3", line_end=line_end)
        assert _under(_lines(data))[0] == ("FTX", "", "CHARACTER_INVALID")
        (note,) = (p for p in check(data).problems if p.fault is Fault.CHARACTER_INVALID)
        assert (note.segment, note.position) == ("FTX", 5)
        assert data[note.offset :].startswith(b"andle with care")


def test_problems_of_the_envelope_stand_under_its_elements() -> None:
    data = document("ORDERS").replace(b":1230+7'", b":12x0+7'").replace(b"UNZ+1+7", b"UNZ+2+8")
    assert _under(_lines(data)) == [
        ("UNB04-2", "12x0", "NUMBER_INVALID"),
        ("UNZ01", "2", "COUNT_MISMATCH"),
        ("UNZ02", "8", "CONTROL_NUMBER_MISMATCH"),
    ]
    cut = _lines(data[: data.index(b"UNT+")])
    assert _under(cut)[-2:] == [("UNT", "", "TRAILER_MISSING"), ("UNZ", "", "TRAILER_MISSING")]


def test_only_segments_with_problems_and_the_groups_around_them_can_be_asked_for() -> None:
    data = damaged("ORDERS", "10:PCE", "x:PCE")
    found = _lines(data, only_problems=True)
    assert [(line.kind, line.reference) for line in found if line.kind not in ("element", "problem")] == [
        ("interchange", "7"), ("set", "1"), ("loop", "SG25"), ("segment", "QTY"), ("composite", "QTY01"),
    ]  # fmt: skip
    assert _under(found) == [("QTY01-2", "x", "NUMBER_INVALID")]


def test_what_no_header_tells_is_left_out() -> None:
    shown = _shown(b"UNA:+.? Q" + document("ORDERS"))
    assert shown[0] == "Interchange     edifact, production"
    assert "SEPARATORS_INVALID" in shown[1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_real_file_is_shown_whole_and_within_the_width(path: Path) -> None:
    data = path.read_bytes()
    found = _lines(data)
    told = len(list(problems_in(report(read(io.BytesIO(data)), edifact.check))))
    assert sum(line.problem is not None for line in found) == told
    assert sum(line.problem is not None for line in _lines(data, only_problems=True)) == told
    for line in found:
        assert len(list(text(line))) == 1 + (line.kind == "problem" and bool(line.reference))
        for width in (80, 120):
            assert all(len(shown) <= width and shown.isprintable() for shown in text(line, width))


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("message", sorted(DOCUMENTS))
def test_everything_that_was_sent_is_shown(message: str, version: str, syntax: str) -> None:
    data = document(message, version, syntax=syntax)
    shown = "\n".join(_shown(data))
    for line in lines(message):
        tag, *elements = line.split("+")
        assert f"  {tag}  " in shown
        for value in ":".join(elements).split(":"):
            assert value in shown


# The report


def test_a_report_has_the_same_keys_and_tells_groups_that_are_implied() -> None:
    data = damaged("ORDERS", "10:PCE", "x:PCE")
    value = json.loads(json.dumps(report(read(io.BytesIO(data)), edifact.check)))
    (interchange,) = value["interchanges"]
    assert (interchange["syntax"], interchange["version"], interchange["usage"]) == ("edifact", "UNOC:3", "P")
    assert interchange["sender"] == {"qualifier": "14", "id": "SENDER"}
    (group,) = interchange["groups"]
    assert (group["functional_id"], group["control_number"], group["version"]) == (None, None, None)
    (message,) = group["transactions"]
    assert (message["type"], message["control_number"], message["segments"]) == ("ORDERS", "1", 24)
    (problem,) = message["problems"]
    assert problem["value"] == "x"
    assert (problem["segment"], problem["position"], problem["element"], problem["component"]) == (
        "QTY",
        16,
        1,
        2,
    )
    assert data[problem["offset"] :].startswith(b"x:PCE")


def test_an_inspection_tells_structure_but_not_values() -> None:
    value = report(events_of(damaged("ORDERS", "10:PCE", "x:PCE")), structural(edifact.check))
    assert list(problems_in(value)) == []
    value = report(events_of(damaged("ORDERS", "UNS+S", "")), structural(edifact.check))
    assert [problem["fault"] for problem in problems_in(value)] == ["SEGMENT_MISSING"]
    value = report(events_of(raw("ORDERS", [], "D:97A:UN")), structural(edifact.check))
    assert [(p["fault"], p["severity"]) for p in problems_in(value)] == [("VERSION_UNKNOWN", "note")]


def events_of(data: bytes):  # type: ignore[no-untyped-def]
    return read(io.BytesIO(data))


def test_no_value_that_is_told_holds_a_separator_of_the_normal_form() -> None:
    for path in FILES:
        try:
            value = report(read(io.BytesIO(path.read_bytes())), edifact.check)
        except NotEdi:
            continue
        for problem in problems_in(value):
            assert not set(f"{problem['value']}{problem['message']}") & set(NORMAL[:4]), (path.name, problem)


def test_a_transaction_knows_where_an_element_is_as_the_checker_tells_it() -> None:
    compared = 0
    for path in FILES:
        try:
            found = events(path.read_bytes())
        except NotEdi:
            continue
        for event in found:
            if not isinstance(event, Transaction):
                continue
            for problem in edifact.check(event).problems:
                if (
                    problem.position is None
                    or problem.repetition
                    or problem.offset is None
                    or not problem.element
                ):
                    continue
                if problem.segment != event.segments[problem.position - 1].split(NORMAL.element)[0]:
                    continue  # one that is missing there
                place = event.offset_of(problem.position, problem.element, problem.component or 0)
                assert place == problem.offset, (path.name, problem)
                compared += 1
    assert compared > 80
