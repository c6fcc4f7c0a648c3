"""`map coverage`: what a sample loses on its way into a set."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_running import Run

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.mark.parametrize("into", ["ORDERS", "850"])
def test_an_order_of_edifact_is_carried_whole_by_both_syntaxes(run: Run, into: str) -> None:
    ran = run("map", "coverage", EXAMPLES / "orders.edi", "--set", into)
    assert (ran.exit, ran.out.splitlines()[-1]) == (0, "everything is carried")


def test_what_one_syntax_cannot_say_is_listed_once_with_how_often_and_an_example(run: Run) -> None:
    ran = run("map", "coverage", EXAMPLES / "850.x12", "--set", "ORDERS", "--json")
    assert ran.exit == 5
    assert (ran.json["set"], ran.json["version"], ran.json["documents"]) == ("ORDERS", "D.96A", 1)
    assert ran.json["not_carried"] == 0
    (finding,) = ran.json["findings"]
    assert (finding["field"], finding["times"]) == ("lines.ids.buyer_catalog", 2)
    assert finding["lost"] == "has no code here"


def test_documents_are_taken_as_json_too(run: Run, tmp_path: Path) -> None:
    documents = tmp_path / "orders.json"
    documents.write_text(run("edi", "documents", EXAMPLES / "orders.edi").out)
    ran = run("map", "coverage", documents, "--set", "ORDERS", "--version", "D.01B")
    assert (ran.exit, ran.out.splitlines()[0]) == (0, "1 document as ORDERS D.01B")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--set", "ORDERS", "--version", "D.70A"], "version 'D.70A' is not defined here"),
        (["--set", "DESADV"], "DESADV carries ShipNotice, not SalesOrder"),
    ],
)
def test_a_set_that_carries_no_such_document_is_told(run: Run, words: list[str], why: str) -> None:
    ran = run("map", "coverage", EXAMPLES / "orders.edi", *words)
    assert ran.exit == 5
    assert why in ran.err


def test_a_file_that_cannot_be_read_is_told_with_the_next_command(run: Run, tmp_path: Path) -> None:
    broken = tmp_path / "broken.edi"
    broken.write_bytes((EXAMPLES / "orders.edi").read_bytes().replace(b"UNT+22", b"UNT+21"))
    ran = run("map", "coverage", broken, "--set", "850")
    assert ran.exit != 0
    assert "ORDERS 1 cannot be read" in ran.err
    assert "tradelane edi check" in ran.err
