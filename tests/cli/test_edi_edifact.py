"""`edi` on EDIFACT: the same commands, by the name of the message or by what the file begins with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_running import Run

ORDER = (
    "UNA:+.? '\n"
    "UNB+UNOC:3+5412345000020:14+NORTHWIND:ZZZ+261124:0930+905++++1++1'\n"
    "UNH+1+ORDERS:D:96A:UN:EAN008'\n"
    "BGM+220+4500042+9'\n"
    "DTM+137:20261124:102'\n"
    "NAD+BY+5412345000020::9++O?'BRIEN ?+ CO'\n"
    "LIN+1++4000862141404:EN'\n"
    "QTY+21:48'\n"
    "UNS+S'\n"
    "CNT+2:1'\n"
    "UNT+9+1'\n"
    "UNH+2+ORDERS:D:96A:UN:EAN008'\n"
    "BGM+220+4500043+9'\n"
    "DTM+137:20261332:102'\n"
    "NAD+BY+5412345000020::9'\n"
    "LIN+1++4000862141404:EN'\n"
    "QTY+21:12'\n"
    "UNS+S'\n"
    "UNT+8+2'\n"
    "UNZ+2+905'\n"
)
GOOD = ORDER.replace("20261332", "20261130")


@pytest.fixture
def order(tmp_path: Path) -> Path:
    file = tmp_path / "order.edi"
    file.write_text(ORDER)
    return file


@pytest.fixture
def good(tmp_path: Path) -> Path:
    file = tmp_path / "good.edi"
    file.write_text(GOOD)
    return file


def test_inspect_gives_the_envelope_tree_and_a_group_without_ids(run: Run, order: Path) -> None:
    ran = run("edi", "inspect", order, "--json")
    assert ran.exit == 0
    (interchange,) = ran.json["interchanges"]
    (group,) = interchange.pop("groups")
    assert interchange == {
        "syntax": "edifact",
        "sender": {"qualifier": "14", "id": "5412345000020"},
        "receiver": {"qualifier": "ZZZ", "id": "NORTHWIND"},
        "control_number": "905",
        "version": "UNOC:3",
        "usage": "T",
        "problems": [],
    }
    assert (group["functional_id"], group["control_number"], group["version"]) == (None, None, None)
    assert [(one["type"], one["control_number"], one["segments"]) for one in group["transactions"]] == [
        ("ORDERS", "1", 9),
        ("ORDERS", "2", 8),
    ]


def test_check_names_the_fault_with_its_exact_place_and_is_exit_5(run: Run, order: Path, good: Path) -> None:
    ran = run("edi", "check", order, "--json")
    assert ran.exit == 5
    first, second = ran.json["interchanges"][0]["groups"][0]["transactions"]
    assert (first["status"], second["status"]) == ("accepted", "rejected")
    (problem,) = second["problems"]
    assert problem.pop("message")
    assert problem == {
        "fault": "DATE_INVALID",
        "severity": "error",
        "segment": "DTM",
        "position": 3,
        "element": 1,
        "component": 2,
        "offset": ORDER.index("20261332"),
        "value": "20261332",
    }
    assert run("edi", "check", good).exit == 0


def test_a_file_may_begin_with_other_text_and_its_own_service_characters(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "other.edi"
    odd = GOOD.replace("\n", "").translate(str.maketrans("+:'?", "*>~\\")).replace("UNA>*.\\ ~", "UNA>*.\\ ~")
    file.write_text(f"Subject: an order\n\n{odd}")
    ran = run("edi", "check", file, "--json")
    assert (ran.exit, ran.json["interchanges"][0]["control_number"]) == (0, "905")
    answer = run("edi", "ack", file)
    assert answer.out.startswith("UNA>*.\\ ~UNB*UNOC>3*NORTHWIND>ZZZ*5412345000020>14*")


def test_ack_writes_a_contrl_that_answers_every_message(run: Run, order: Path) -> None:
    ran = run("edi", "ack", order, "--control-number", 77)
    assert ran.exit == 0
    rows = ran.out.replace("\n", "").split("'")
    assert rows[0].startswith("UNB+UNOC:3+NORTHWIND:ZZZ+5412345000020:14+")
    assert rows[0].endswith("+77++++++1")
    assert rows[1:] == [
        "UNH+1+CONTRL:D:3:UN",
        "UCI+905+5412345000020:14+NORTHWIND:ZZZ+7",
        "UCM+1+ORDERS:D:96A:UN:EAN008+7",
        "UCM+2+ORDERS:D:96A:UN:EAN008+4",
        "UCS+3",
        "UCD+12+2:2",
        "UNT+7+1",
        "UNZ+1+77",
        "",
    ]


def test_ack_as_json_says_what_became_of_each_message(run: Run, order: Path) -> None:
    told = run("edi", "ack", order, "--json").json
    assert (told["interchange"]["action"], told["groups"]) == ("7", [])
    assert [message["action"] for message in told["interchange"]["messages"]] == ["7", "4"]
    assert told["data"].startswith("UNB+")


def test_each_syntax_has_its_own_acknowledgments(run: Run, order: Path) -> None:
    assert run("edi", "ack", order, "--as", "CONTRL").out == run("edi", "ack", order).out
    wrong = run("edi", "ack", order, "--as", "997")
    assert wrong.exit == 2
    assert "EDIFACT is not answered by 997, but by CONTRL" in wrong.err
    sample = Path(__file__).parents[2] / "gateway" / "samples" / "850.x12"
    wrong = run("edi", "ack", sample, "--as", "CONTRL")
    assert wrong.exit == 2
    assert "X12 is not answered by CONTRL, but by 997, 999, TA1" in wrong.err


def test_a_contrl_is_a_document_and_is_not_answered(run: Run, order: Path, tmp_path: Path) -> None:
    answer = tmp_path / "contrl.edi"
    answer.write_text(run("edi", "ack", order).out)
    (document,) = run("edi", "documents", answer).lines
    assert document["schema"] == "tradelane.interchange_acknowledgment/1"
    assert (document["control_number"], document["status"]) == ("905", "accepted")
    assert [message["status"] for message in document["messages"]] == ["accepted", "rejected"]
    assert document["messages"][1]["segments"] == [
        {"position": 3, "elements": [{"element": 2, "code": "12", "component": 2}]}
    ]
    again = run("edi", "ack", answer)
    assert (again.exit, again.out) == (0, "")
    assert "nothing to acknowledge" in again.err


def test_a_contrl_is_written_from_its_document(run: Run, order: Path, tmp_path: Path) -> None:
    answer = tmp_path / "contrl.edi"
    answer.write_text(run("edi", "ack", order).out)
    document = run("edi", "documents", answer).out.encode()
    ran = run("edi", "write", "--set", "CONTRL", "--from", "US:14", "--to", "THEM", input=document)
    assert ran.exit == 0, ran.err
    assert ran.out.startswith("UNB+UNOC:3+US:14+THEM+")
    kept = [row for row in ran.out.split("'") if row[:2] == "UC"]
    assert kept == [row for row in answer.read_text().replace("\n", "").split("'") if row[:2] == "UC"]


def test_pretty_shows_names_meanings_and_groups_of_segments(run: Run, order: Path) -> None:
    shown = run("edi", "pretty", order).out
    assert "UNB02-1 Interchange sender identification   5412345000020" in shown
    assert "BGM01-1 Document/message name, coded        220 = Order" in shown or "BGM01   Document" in shown
    assert "loop SG2 1" in shown
    assert "O'BRIEN + CO" in shown
    assert "DATE_INVALID" in shown
    only = run("edi", "pretty", order, "--transaction", "2", "--problems-only").out
    assert "4500042" not in only
    assert "20261332" in only


def test_set_and_segment_tell_the_standard_of_either_syntax(run: Run) -> None:
    told = run("edi", "set", "orders", "--json").json
    assert (told["set"], told["version"], told["children"][0]["segment"]) == ("ORDERS", "D.96A", "UNH")
    assert run("edi", "set", "ORDERS", "--version", "D.01B/EAN010", "--json").json["version"] == "D.01B"
    segment = run("edi", "segment", "NAD", "--json").json
    assert [one["element"] for one in segment["elements"][:2]] == ["3035", "C082"]
    assert run("edi", "segment", "LIN", "--json").json["elements"][0]["element"] == "350"
    line = run("edi", "segment", "LIN", "--version", "D.96A", "--json").json
    assert line["elements"][0]["element"] == "1082"
    assert "edi segment LIN --version D.96A" in run("edi", "segment", "LIN").err
    assert run("edi", "segment", "BEG").err == ""
    for words in (["set", "ORDERZ"], ["segment", "XYZ"], ["segment", "NAD", "--version", "D.07A"]):
        refused = run("edi", *words)
        assert refused.exit == 3
        assert "is not defined" in refused.err


@pytest.mark.parametrize("damage", ["", "UNH+1+ORDERS:D:96A:UN'", "UNA:+.? '", "UNB"])
def test_what_is_no_interchange_is_exit_5_with_one_problem(run: Run, tmp_path: Path, damage: str) -> None:
    file = tmp_path / "none.edi"
    file.write_text(damage)
    for command in ("inspect", "check"):
        ran = run("edi", command, file, "--json")
        assert ran.exit == 5
        assert [problem["fault"] for problem in ran.json["problems"]] == ["NOT_EDI"]


def test_a_partner_may_be_added_by_its_edifact_id_alone(
    run: Run, tmp_path: Path, their_ssh_key: Path
) -> None:
    home = tmp_path / "home"
    identity = ["--isa", "ZZ:NORTHWIND", "--unb", "5412345000013:14"]
    assert run("--home", home, "init", "--name", "Northwind", *identity).exit == 0
    added = run(
        *(
            "--home",
            home,
            "partner",
            "add",
            "acme",
            "--role",
            "3pl",
            "--unb",
            "ACME3PL",
            "--sftp-user",
            "acme",
        ),
        *("--sftp-key", their_ssh_key, "--in", "DESADV,CONTRL", "--out", "INSDES", "--live", "--json"),
    )
    assert added.exit == 0, added.err
    assert added.json["unb"] == {"qualifier": "", "id": "ACME3PL"}
    shown = run("--home", home, "partner", "show", "acme").out
    assert "UNB\tACME3PL\n" in shown
    assert "EDIFACT\tD.96A, UNOC:3, UNA where needed\n" in shown
    assert "X12" not in shown
    assert "in\tDESADV as shipment confirmation, CONTRL in 15m\n" in shown
    assert "in\tCONTRL, no acknowledgment\n" in shown
    assert run("--home", home, "partner", "list").out.split("\t")[4] == "ACME3PL"
    sheet = run("--home", home, "partner", "sheet", "acme", "--format", "json")
    assert sheet.exit == 0, sheet.err
    page = json.loads(sheet.out)
    assert dict(page["connection"])["our UNB id"] == "5412345000013 qualifier 14"
    (despatch,) = [one for one in page["sets"] if one["type"] == "DESADV"]
    assert despatch["example"].startswith("UNH+1+DESADV:D:96A:UN'")


def test_a_message_needs_an_edifact_id_on_both_sides(run: Run, home: Path) -> None:
    ours = run("--home", home, "partner", "add", "x", "--role", "3pl", "--unb", "X:14", "--in", "DESADV")
    assert ours.exit == 2
    assert "DESADV is EDIFACT, which needs our own id in UNB: write unb in [us]" in ours.err


def test_numbers_of_edifact_are_counted_and_set_apart(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    identity = ["--isa", "ZZ:NORTHWIND", "--unb", "5412345000013:14"]
    assert run("--home", home, "init", "--name", "Northwind", *identity).exit == 0
    both = ["--isa", "08:RETAIL", "--unb", "5412345000020:14", "--out", "810,DESADV"]
    assert run("--home", home, "partner", "add", "shop", "--role", "retailer", *both).exit == 0
    ran = run("--home", home, "control", "set", "shop", "--next", 500, "--syntax", "edifact", "--json")
    assert ran.json["levels"] == {"UNB": {"was": 1, "next": 500}, "UNH": {"was": 1, "next": 500}}
    assert run("--home", home, "control", "set", "shop", "--next", 10**13, "--syntax", "edifact").exit == 0
    too_high = run("--home", home, "control", "set", "shop", "--next", 10**13)
    assert too_high.exit == 2
    assert "the highest interchange number is 999999999" in too_high.err
    assert run("--home", home, "control", "set", "shop", "--next", 7, "--level", "interchange").exit == 8
    assert (
        run(
            *("--home", home, "control", "set", "shop", "--next", 7, "--level", "interchange", "--force")
        ).exit
        == 0
    )
    rows = run("--home", home, "control", "show", "shop", "--json").lines
    assert {(row["ours"], row["level"]): row["next"] for row in rows} == {
        ("14:5412345000013", "UNB"): 7,
        ("14:5412345000013", "UNH"): 10**13,
        ("ZZ:NORTHWIND", "interchange"): 7,
    }
    assert {row["partner"] for row in rows} == {"shop"}


def test_an_order_is_read_and_written_back(run: Run, good: Path) -> None:
    documents = run("edi", "documents", good)
    assert documents.exit == 0, documents.err
    assert [one["number"] for one in documents.lines] == ["4500042", "4500043"]
    words = ["--from", "5412345000020:14", "--to", "NORTHWIND:ZZZ", "--control-number", 9, "--lines"]
    ran = run(
        *("edi", "write", "--set", "ORDERS", "--version", "D.96A/EAN008", *words),
        input=documents.out.encode(),
    )
    assert ran.exit == 0, ran.err
    lines = ran.out.splitlines()
    assert lines[0].startswith("UNB+UNOC:3+5412345000020:14+NORTHWIND:ZZZ+")
    assert lines[0].endswith("+9++++++1'")
    assert lines[1] == "UNH+1+ORDERS:D:96A:UN:EAN008'"
    assert "NAD+BY+5412345000020::9++O?'BRIEN ?+ CO'" in lines
    assert lines[-1] == "UNZ+2+9'"
    again = run("edi", "documents", "-", input=ran.out.encode())
    assert again.out == documents.out


def test_what_a_message_carries_is_told_by_the_partner(run: Run, tmp_path: Path, their_ssh_key: Path) -> None:
    home = tmp_path / "home"
    identity = ["--isa", "ZZ:NORTHWIND", "--unb", "5412345000013:14"]
    assert run("--home", home, "init", "--name", "Northwind", *identity).exit == 0
    acme = ["--role", "3pl", "--unb", "ACME3PL", "--in", "DESADV", "--out", "INSDES"]
    assert run("--home", home, "partner", "add", "acme", *acme).exit == 0
    file = tmp_path / "desadv.edi"
    file.write_text(
        "UNB+UNOC:3+ACME3PL+5412345000013:14+261124:0930+1'UNH+1+DESADV:D:96A:UN'BGM+351+S-1+9'"
        "DTM+137:20261124:102'RFF+AAJ:PO-1'CPS+1'LIN+1++4000862141404:EN'QTY+12:5'UNT+8+1'UNZ+1+1'"
    )
    usual = run("edi", "documents", file).lines
    assert [one["schema"] for one in usual] == ["tradelane.ship_notice/1"]
    told = run("--home", home, "edi", "documents", file, "--partner", "acme").lines
    assert [one["schema"] for one in told] == ["tradelane.shipment_confirmation/1"]
    written = run(
        *("--home", home, "edi", "write", "--set", "INSDES", "--partner", "acme"),
        input=b'{"schema": "tradelane.warehouse_order/1", "number": "PO-1", "purchase_order": "PO-1", '
        b'"dates": [{"type": "document", "on": "2026-11-24"}], "groups": [{"number": 1, "lines": '
        b'[{"quantity": "5", "unit": "each", "ids": {"ean": "4000862141404"}}]}]}',
    )
    assert written.exit == 0, written.err
    assert written.out.startswith("UNB+UNOC:3+5412345000013:14+ACME3PL+")
    assert "++++1++1'UNH+1+INSDES:D:96A:UN'BGM+350+PO-1'" in written.out
