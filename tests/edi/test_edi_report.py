"""The report, on real and on broken files."""

from __future__ import annotations

import io
import json
from pathlib import Path

import x12
from edi.report import problems_in, report, structural
from edi.tree import Transaction
from x12.codec import read

SAMPLES = Path(__file__).parents[1] / "samples" / "x12"
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


def test_a_transaction_knows_where_an_element_is_as_the_checker_tells_it() -> None:
    compared = 0
    for path in (path for path in sorted(SAMPLES.rglob("*")) if path.is_file()):
        data = path.read_bytes()
        if b"ISA" not in data:
            continue
        for event in read(io.BytesIO(data)):
            if not isinstance(event, Transaction):
                continue
            for problem in x12.check(event).problems:
                if problem.position is None or problem.repetition or problem.offset is None:
                    continue
                if problem.segment != event.segments[problem.position - 1].split(event.separators.element)[0]:
                    continue  # one that is missing there
                place = event.offset_of(problem.position, problem.element or 0, problem.component or 0)
                assert place == problem.offset, (path.name, problem)
                compared += 1
    assert compared > 100
