"""The report and the readable rendering, on real and on broken files."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

import x12
from edi.pretty import Names, pretty
from edi.report import problems_in, report, structural
from x12 import dictionary
from x12.codec import read

SAMPLES = Path(__file__).parents[1] / "samples" / "x12"
NAMES = Names(x12.check, dictionary.definition, dictionary.meaning)
BROKEN = SAMPLES / "850" / "olmelabs_EdiEngine__TestData_850.SyntaxNotes.ERR.edi"
PROBLEM_KEYS = {
    *("fault", "severity", "segment", "position", "element", "component", "offset", "value", "message"),
}


def test_a_report_has_the_keys_that_scripts_rely_on() -> None:
    value = json.loads(json.dumps(report(read(io.BytesIO(BROKEN.read_bytes())), x12.check)))
    assert set(value) == {"interchanges", "problems"}
    (interchange,) = value["interchanges"]
    assert set(interchange) == {
        *("syntax", "sender", "receiver", "control_number", "version", "usage", "groups", "problems"),
    }
    assert interchange["sender"] == {"qualifier": "ZZ", "id": "ABCDEFGHIJKLMNO"}
    (group,) = interchange["groups"]
    assert set(group) == {"functional_id", "control_number", "version", "transactions", "problems"}
    (transaction,) = group["transactions"]
    assert set(transaction) == {"type", "control_number", "segments", "status", "problems"}
    assert (transaction["type"], transaction["segments"], transaction["status"]) == ("850", 33, "rejected")
    assert all(set(problem) == PROBLEM_KEYS for problem in problems_in(value))
    first = transaction["problems"][0]
    assert (first["fault"], first["segment"], first["position"], first["element"], first["offset"]) == (
        *("CONDITION_UNMET", "PO1", 13, 7, 460),
    )


def test_an_inspection_tells_structure_but_not_values() -> None:
    value = report(read(io.BytesIO(BROKEN.read_bytes())), structural(x12.check))
    assert list(problems_in(value)) == []
    assert value["interchanges"][0]["groups"][0]["transactions"][0]["status"] == "accepted"


def test_an_inspection_notes_a_set_that_is_not_defined_and_accepts_it() -> None:
    path = SAMPLES / "840" / "kputnam_stupidedi__pass_basic-request-for-quotation.edi"
    value = report(read(io.BytesIO(path.read_bytes())), structural(x12.check))
    problems = list(problems_in(value))
    assert [(p["fault"], p["severity"]) for p in problems if p["severity"] != "warning"] == [
        ("SET_UNKNOWN", "note")
    ]
    assert value["interchanges"][0]["groups"][0]["transactions"][0]["status"] != "rejected"


def test_a_file_that_is_no_edi_is_one_problem_of_the_file() -> None:
    value = report(read(io.BytesIO(b"hello")), x12.check)
    assert value["interchanges"] == []
    assert [p["fault"] for p in value["problems"]] == ["NOT_EDI"]


def test_values_are_shown_as_the_characters_their_bytes_mean() -> None:
    data = BROKEN.read_bytes().replace(b"SOLON*OH", "SÃO PAULO*XÉX".encode())
    problems = list(problems_in(report(read(io.BytesIO(data)), x12.check)))
    assert "XÉX" in {p["value"] for p in problems}


def test_the_rendering_names_segments_codes_loops_and_marks_problems_in_place() -> None:
    lines = list(pretty(read(io.BytesIO(BROKEN.read_bytes())), NAMES))
    text = "\n".join(lines)
    assert "850 Purchase Order  000000010  rejected" in text
    assert "02 Purchase Order Type Code: SA = Stand-alone Order" in text
    assert "loop PO1 1" in text
    marked = next(i for i, line in enumerate(lines) if "!! CONDITION_UNMET PO106" in line)
    owner = next(line for line in reversed(lines[:marked]) if line.strip().startswith("PO1  "))
    assert owner.strip() == "PO1  Baseline Item Data"


def test_the_loops_of_each_parent_are_counted_from_one() -> None:
    path = SAMPLES / "856" / "Silvenga_vscode-edi-x12-support__docs_old.edi"
    lines = [line.strip() for line in pretty(read(io.BytesIO(path.read_bytes())), NAMES)]
    loops = [line for line in lines if line.startswith("loop HL")]
    assert loops == [f"loop HL {n}" for n in range(1, len(loops) + 1)]
    assert len(loops) > 1


@pytest.mark.parametrize("path", sorted(p for p in SAMPLES.rglob("*") if p.is_file()), ids=lambda p: p.name)
def test_every_real_file_can_be_reported_and_rendered(path: Path) -> None:
    data = path.read_bytes()
    value = report(read(io.BytesIO(data)), x12.check)
    lines = list(pretty(read(io.BytesIO(data)), NAMES))
    told = len(list(problems_in(value)))
    assert sum(line.strip().startswith(("!! ", "! ", "- ")) for line in lines) >= told
    assert all(line.isprintable() for line in lines)


def test_a_problem_stands_under_its_element_and_a_missing_segment_where_it_should_have_come() -> None:
    body = b"ST*850*0001~N1*ST*Store*92~PO1*1*5*EA*x**UP*012345678905~MEA*WT*G*1*LB>1>1>Q7Z~SE*5*0001~"
    data = (
        b"ISA*00*          *00*          *ZZ*SENDER         *01*RECEIVER       *260106*1230*U*00401*000000007"
        b"*0*P*>~GS*PO*SENDER*RECEIVER*20260106*1230*3*X*004010~" + body + b"GE*1*3~IEA*1*000000007~"
    )
    lines = [line.strip() for line in pretty(read(io.BytesIO(data)), NAMES)]
    told = {lines[at - 1]: line[:30] for at, line in enumerate(lines) if line.startswith("!! ")}
    assert told == {
        "02 Transaction Set Control Number: 0001": "!! SEGMENT_MISSING mandatory s",
        "04 Identification Code: (absent)": "!! CONDITION_UNMET N103 and N1",
        "04 Unit Price: x": "!! NUMBER_INVALID PO104 Unit P",
        "04-4 Unit or Basis for Measurement Code: Q7Z": "!! TOO_LONG MEA04-4 Unit or Ba",
    }
