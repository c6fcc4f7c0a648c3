"""`edi set` and `edi segment`: the standard, to be read beside a printed guide."""

from __future__ import annotations

from cli_running import Run


def test_a_set_is_told_in_order_with_loops_and_how_often(run: Run) -> None:
    ran = run("edi", "set", "945")
    assert ran.exit == 0
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert lines[0] == "945 Warehouse Shipping Advice, in groups SW, version 004010"
    assert lines[2:6] == [
        "ST Transaction Set Header M 1",
        "W06 Warehouse Shipment Identification M 1",
        "loop N1 M 10",
        "N1 Name M 1",
    ]
    assert max(map(len, ran.out.splitlines())) <= 80


def test_a_set_as_json_nests_its_loops(run: Run) -> None:
    told = run("edi", "set", "850", "--version", "005010", "--json").json
    assert (told["set"], told["functional_id"], told["version"]) == ("850", "PO", "005010")
    (line,) = (child for child in told["children"] if child.get("loop") == "PO1")
    assert line["children"][0] == {
        "segment": "PO1", "name": "Baseline Item Data", "requirement": "M", "max": 1,
    }  # fmt: skip


def test_a_segment_is_told_with_codes_and_conditions_in_words(run: Run) -> None:
    ran = run("edi", "segment", "n1")
    assert "N104        67  Identification Code" in ran.out
    assert "codes, told by --codes" in ran.out
    assert "P0304      N103 and N104 stand together or not at all" in ran.out
    assert "Ship To" in run("edi", "segment", "N1", "--codes").out
    told = run("edi", "segment", "N1", "--json").json
    assert told["notes"] == ["R0203", "P0304"]
    assert "ST" in told["elements"][0]["codes"]


def test_what_is_not_defined_is_told_with_what_is(run: Run) -> None:
    ran = run("edi", "set", "851")
    assert ran.exit == 3
    assert "850, 852" in ran.err
    assert run("edi", "segment", "ZZZ").exit == 3
    assert run("edi", "set", "850", "--version", "003010").exit == 3
