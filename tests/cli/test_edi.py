"""`edi`: one file in, its report, answer, documents or rendering out."""

import json
import re
from pathlib import Path

import pytest
from cli_running import Run

ORDER = (
    "ISA*00*          *00*          *08*9254110060     *ZZ*NORTHWIND      "
    "*261124*0930*U*00401*000000905*1*T*>~\n"
    "GS*PO*9254110060*NORTHWIND*20261124*0930*17*X*004010~\n"
    "ST*850*0001~\n"
    "BEG*00*SA*4500042**20261124~\n"
    "N1*ST*BIGMART DC 12*92*0012~\n"
    "PO1*1*48*EA*9.25**VP*AB3542~\n"
    "CTT*1~\n"
    "SE*6*0001~\n"
    "ST*850*0002~\n"
    "BEG*00*SA*4500043**20261332~\n"
    "PO1*1*12*EA*9.25**VP*AB3542~\n"
    "CTT*1~\n"
    "SE*5*0002~\n"
    "GE*2*17~\n"
    "IEA*1*000000905~\n"
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


def test_inspect_gives_the_envelope_tree_with_the_keys_of_the_contract(run: Run, order: Path) -> None:
    ran = run("edi", "inspect", order, "--json")
    assert ran.exit == 0
    assert ran.json["problems"] == []
    (interchange,) = ran.json["interchanges"]
    (group,) = interchange.pop("groups")
    assert interchange == {
        "syntax": "x12",
        "sender": {"qualifier": "08", "id": "9254110060"},
        "receiver": {"qualifier": "ZZ", "id": "NORTHWIND"},
        "control_number": "000000905",
        "version": "00401",
        "usage": "T",
        "problems": [],
    }
    assert [(found["type"], found["segments"]) for found in group["transactions"]] == [("850", 6), ("850", 5)]


def test_check_names_the_fault_with_its_exact_place_and_is_exit_5(run: Run, order: Path) -> None:
    ran = run("edi", "check", order, "--json")
    assert ran.exit == 5
    good, bad = ran.json["interchanges"][0]["groups"][0]["transactions"]
    assert (good["status"], bad["status"]) == ("accepted", "rejected")
    (problem,) = bad["problems"]
    message = problem.pop("message")
    assert problem == {
        "fault": "DATE_INVALID",
        "severity": "error",
        "segment": "BEG",
        "position": 2,
        "element": 5,
        "component": None,
        "offset": ORDER.index("20261332"),
        "value": "20261332",
    }
    assert message


def test_check_tells_a_person_the_same(run: Run, order: Path, good: Path) -> None:
    ran = run("edi", "check", order)
    assert ran.exit == 5
    head, group, accepted, rejected, problem = ran.out.splitlines()
    assert head == "interchange 000000905  x12 00401  08:9254110060 -> ZZ:NORTHWIND  test"
    assert group == "  group PO 17  004010"
    assert accepted == "    850 0001  6 segments  accepted"
    assert rejected == "    850 0002  5 segments  rejected"
    assert problem.startswith(
        f"      error  BEG05 (segment 2), byte {ORDER.index('20261332')}: DATE_INVALID "
    )
    assert run("edi", "check", good).exit == 0


def test_a_truncated_file_is_reported_with_what_is_missing(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "cut.edi"
    file.write_text(GOOD[: GOOD.index("SE*5")])
    ran = run("edi", "check", file, "--json")
    assert ran.exit == 5
    assert '"TRAILER_MISSING"' in ran.out


@pytest.mark.parametrize("content", [b"", b"hello\n", b"\x00\xff" * 500, b"ST*850*0001~SE*1*0001~", b"{}"])
@pytest.mark.parametrize("command", ["inspect", "check"])
def test_what_is_no_edi_is_one_problem_and_exit_5(run: Run, command: str, content: bytes) -> None:
    ran = run("edi", command, "-", "--json", input=content)
    assert ran.exit == 5
    assert ran.json["interchanges"] == []
    assert [problem["fault"] for problem in ran.json["problems"]] == ["NOT_EDI"]


@pytest.mark.parametrize("command", ["ack", "documents", "pretty"])
def test_what_is_no_edi_has_no_acknowledgment_documents_or_rendering(run: Run, command: str) -> None:
    ran = run("edi", command, "-", input=b"hello")
    assert (ran.exit, ran.out) == (5, "")
    assert ran.err.startswith("NOT-EDI  ")


def test_a_file_that_is_missing_or_a_folder_is_told(run: Run, tmp_path: Path) -> None:
    ran = run("edi", "check", tmp_path / "absent")
    assert (ran.exit, ran.err.split()[0]) == (3, "FILE-MISSING")
    ran = run("edi", "check", tmp_path)
    assert (ran.exit, ran.err.split()[0]) == (1, "FILE-UNREADABLE")


def test_the_acknowledgment_is_valid_mirrors_the_envelope_and_names_the_element(
    run: Run, order: Path, tmp_path: Path
) -> None:
    ran = run("edi", "ack", order, "--control-number", 77)
    assert ran.exit == 0
    lines = ran.out.splitlines()
    assert lines[0].startswith("ISA*00*          *00*          *ZZ*NORTHWIND      *08*9254110060     *")
    assert lines[0].endswith("*00401*000000077*0*T*>~")
    assert lines[1] == "TA1*000000905*261124*0930*A*000~"
    assert lines[2].startswith("GS*FA*NORTHWIND*9254110060*")
    assert [line for line in lines if line[:2] == "AK"] == [
        "AK1*PO*17~",
        "AK2*850*0001~",
        "AK5*A~",
        "AK2*850*0002~",
        "AK3*BEG*2**8~",
        "AK4*5*373*8*20261332~",
        "AK5*R*5~",
        "AK9*P*2*2*1~",
    ]
    answer = tmp_path / "ack.edi"
    answer.write_text(ran.out)
    assert run("edi", "check", answer).exit == 0


def test_an_acknowledgment_is_never_acknowledged(run: Run, order: Path) -> None:
    answer = run("edi", "ack", order).out
    ran = run("edi", "ack", "-", input=answer.encode())
    assert (ran.exit, ran.out) == (0, "")
    assert "nothing to acknowledge" in ran.err


def test_the_acknowledgment_as_json_says_what_it_says(run: Run, order: Path) -> None:
    (answer,) = run("edi", "ack", order, "--json").lines
    assert answer["groups"][0]["status"] == "P"
    assert answer["interchange"]["status"] == "A"
    assert answer["data"].startswith("ISA*")


def test_documents_are_a_line_each_and_what_is_rejected_is_told_with_exit_5(run: Run, order: Path) -> None:
    ran = run("edi", "documents", order, "--json")
    assert ran.exit == 5
    (document,) = ran.lines
    assert document["schema"] == "tradelane.sales_order/1"
    assert document["number"] == "4500042"
    assert document["lines"][0]["quantity"] == "48"
    (told,) = [json.loads(line) for line in ran.err.splitlines()]
    assert (told["transaction"], told["fault"]) == ("850 0002", "DATE_INVALID")


def test_what_a_map_cannot_read_is_told_with_its_place_in_the_file(run: Run) -> None:
    huge = GOOD.replace("PO1*1*48*", "PO1*1*48E99*", 1)
    ran = run("edi", "documents", "-", "--json", input=huge.encode())
    assert (ran.exit, len(ran.lines)) == (5, 1)
    told = json.loads(ran.err)
    assert (told["transaction"], told["fault"], told["segment"]) == ("850 0001", "MAPPING_FAILED", "PO1")
    assert (told["position"], told["element"], told["value"]) == (4, 2, "48E99")
    assert told["offset"] == huge.index("48E99")


def test_documents_written_back_are_the_same_documents(run: Run, good: Path) -> None:
    documents = run("edi", "documents", good)
    assert documents.exit == 0
    assert len(documents.lines) == 2
    flags = ["--set", "850", "--version", "005010", "--from", "08:A", "--to", "ZZ:B", "--lines"]
    written = run("edi", "write", *flags, input=documents.out.encode())
    assert written.exit == 0, written.err
    assert written.out.startswith("ISA*00*          *00*          *08*A              *ZZ*B ")
    assert "*00501*000000001*0*T*>~\nGS*PO*A*B*" in written.out
    again = run("edi", "documents", "-", input=written.out.encode())
    assert again.out == documents.out


def test_repetitions_are_read_and_written_back_as_the_same_bytes(run: Run, tmp_path: Path) -> None:
    head = "ISA*00*          *00*          *08*A              *ZZ*B              *{}*^*00501*000000001*0*T*>~"
    body = (
        "ST*999*0001~AK1*PO*17*005010~AK2*850*0001*005010~IK3*N1*3*N1*8~CTX*CTX>A^CTX>B*N1*3~IK4*4*67*1*x~"
        "IK5*R*5~AK9*R*1*1*0~SE*9*0001~"
    )
    file = tmp_path / "ack.edi"
    group = f"GS*FA*A*B*20260106*1230*1*X*005010~{body}GE*1*1~IEA*1*000000001~"
    file.write_text(head.format("260106*1230") + group)
    found = run("edi", "documents", file)
    assert found.exit == 0
    flags = ["--set", "999", "--version", "005010", "--from", "08:A", "--to", "ZZ:B"]
    written = run("edi", "write", *flags, "--separators", "*>~^", input=found.out.encode())
    assert body in written.out
    older = run("edi", "write", "--set", "999", "--version", "004010", input=found.out.encode())
    assert (older.exit, older.out) == (5, "")
    assert "CTX01 repeats" in older.err


def test_the_separators_can_be_chosen(run: Run, good: Path) -> None:
    found = run("edi", "documents", good).out.encode()
    written = run("edi", "write", "--set", "850", "--separators", "|:'", input=found).out
    assert written.startswith("ISA|00|")
    assert "BEG|00|SA|4500042||20261124'" in written
    for wrong in ("*>", "**~", "A>~"):
        ran = run("edi", "write", "--set", "850", "--separators", wrong, input=found)
        assert (ran.exit, ran.out) == (2 if len(wrong) < 3 else 5, "")


def test_what_is_wrong_with_each_document_is_told_with_its_number(run: Run, good: Path) -> None:
    first, second = (json.loads(line) for line in run("edi", "documents", good).out.splitlines())
    first["number"] = "x" * 30
    first["lines"][0]["unit"] = "furlong"
    second["number"] = "a*b"
    lines = "\n".join(json.dumps(document) for document in (first, second, second | {"number": "1"}))
    ran = run("edi", "write", "--set", "850", "--json", input=lines.encode())
    assert (ran.exit, ran.out) == (5, "")
    told = json.loads(ran.err)
    assert told["what"] == "2 of 3 documents cannot be written as 850"
    assert [problem["message"].split(":")[0] for problem in told["problems"]] == [
        *("document 1", "document 1", "document 2"),
    ]
    by_hand = run("edi", "write", "--set", "850", input=lines.encode())
    assert "document 1: " in by_hand.err
    assert "document 2: BEG03" in by_hand.err


def test_write_takes_ids_version_and_map_from_the_partner(
    run: Run, good: Path, home: Path, add_bigmart: object
) -> None:
    assert callable(add_bigmart)
    add_bigmart("--live")
    documents = run("edi", "documents", good).out.encode()
    ran = run("--home", home, "edi", "write", "--set", "850", "--partner", "bigmart", input=documents)
    assert ran.exit == 0
    assert "*ZZ*NORTHWIND      *08*9254110060     *" in ran.out
    assert "*00401*000000001*0*P*>~" in ran.out
    ran = run("--home", home, "edi", "write", "--set", "850", "--partner", "bigmrt", input=documents)
    assert ran.exit == 3


@pytest.mark.parametrize(
    ("flags", "line", "code"),
    [
        (["--set", "850"], b"{", "BAD-DOCUMENT"),
        (["--set", "850"], b'{"schema": "tradelane.sales_order/1"}', "BAD-DOCUMENT"),
        (["--set", "850"], b'{"schema": "tradelane.nonsense/1"}', "BAD-DOCUMENT"),
        (["--set", "856"], b"GOOD", "CANNOT-WRITE"),
        (["--set", "123"], b"GOOD", "CANNOT-WRITE"),
        (["--set", "850", "--version", "009999"], b"GOOD", "CANNOT-WRITE"),
    ],
)
def test_what_cannot_be_written_is_exit_5_and_writes_nothing(
    run: Run, good: Path, flags: list[str], line: bytes, code: str
) -> None:
    if line == b"GOOD":
        line = run("edi", "documents", good).out.encode()
    ran = run("edi", "write", *flags, input=line)
    assert (ran.exit, ran.out, ran.err.split()[0]) == (5, "", code)


def test_every_line_that_is_no_document_is_told(run: Run) -> None:
    ran = run("edi", "write", "--set", "850", input=b'{}\n\n{"schema": "tradelane.nonsense/1"}\n')
    assert (ran.exit, ran.out, ran.err.split()[0]) == (5, "", "BAD-DOCUMENT")
    assert ("line 1: " in ran.err, "line 2: " in ran.err, "line 3: " in ran.err) == (True, False, True)


def test_pretty_names_segments_codes_and_marks_the_problem_in_place(run: Run, order: Path) -> None:
    ran = run("edi", "pretty", order)
    assert ran.exit == 0
    assert "Beginning Segment for Purchase Order" in ran.out
    assert "BEG02   Purchase Order Type Code            SA = Stand-alone Order" in ran.out
    lines = ran.out.splitlines()
    (mark,) = [number for number, line in enumerate(lines) if line.strip() == "^" * 8]
    assert lines[mark - 1].endswith("BEG05   Date                                20261332")
    assert lines[mark + 1].split()[:2] == ["error", "DATE_INVALID"]


def test_pretty_shows_one_transaction_or_only_what_has_problems(run: Run, order: Path) -> None:
    sets = [
        line["reference"] for line in run("edi", "pretty", order, "--json").lines if line["kind"] == "set"
    ]
    assert sets == ["0001", "0002"]
    one = run("edi", "pretty", order, "--transaction", "1")
    assert ("4500042" in one.out, "4500043" in one.out) == (True, False)
    bad = run("edi", "pretty", order, "--problems-only", "--json").lines
    assert [line["reference"] for line in bad if line["kind"] == "segment"] == ["BEG"]
    assert [line["problem"]["fault"] for line in bad if line["kind"] == "problem"] == ["DATE_INVALID"]
    assert bad[-1]["problem"]["offset"] == ORDER.index("20261332")
    none = run("edi", "pretty", order, "--transaction", "7")
    assert (none.exit, none.err.split()[0]) == (3, "DOCUMENT-UNKNOWN")


def test_pretty_is_coloured_only_when_asked_or_on_a_terminal(run: Run, order: Path) -> None:
    assert "\x1b" not in run("edi", "pretty", order).out
    coloured = run("edi", "pretty", order, "--color").out
    assert "\x1b[31m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == run("edi", "pretty", order).out
    assert "\x1b" not in run("edi", "pretty", order, "--color", "--no-color").out


def test_pretty_keeps_to_the_width_asked_for(run: Run, order: Path) -> None:
    wide = run("edi", "pretty", order, "--width", 80).out
    assert max(map(len, wide.splitlines())) <= 80
    assert "…" in wide


def test_a_terminal_is_not_steered_by_what_a_partner_wrote(run: Run) -> None:
    hostile = GOOD.replace("BIGMART DC 12", "\x1b]0;owned\x07\x1b[2J\x9b2J").encode("latin-1")
    for command in ("inspect", "check", "pretty", "documents"):
        ran = run("edi", command, "-", input=hostile)
        assert "\x1b" not in ran.out + ran.err, command
        assert not {"\x07", "\x9b"} & set(ran.out + ran.err), command
