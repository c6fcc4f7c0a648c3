"""CONTRL: what it says of what was read, at which level, and that it is valid itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from edifact_support import (
    DOCUMENTS,
    SYNTAXES,
    VERSIONS,
    answer,
    contrl,
    damaged,
    document,
    envelope,
    events,
    flat,
    lines,
    mirrored,
    only,
    problems,
    raw,
    rows,
    transactions,
)

from edi import edifact
from edi.edifact import acks, directory
from edi.edifact.acks import ElementAck, GroupAck, MessageAck, SegmentAck
from edi.edifact.writer import Body, Heading, join, writable, write
from edi.guide import read_guide
from edi.problems import CannotWrite, Fault
from edi.tree import NORMAL, GroupEnd, Interchange, InterchangeEnd, PartyId, Separators

SAMPLES = Path(__file__).parents[1] / "samples" / "edifact"


def said(data: bytes) -> list[str]:
    """The answer to a file, a segment a line, without its first; UCI is told by what follows the sides."""
    first, *others = flat(acks.write_contrl(answer(events(data))))
    return ["+".join(["UCI", *first[4:]]), *("+".join(row) for row in others)]


def many(count: int, wrong: int = 0) -> bytes:
    body = rows("ORDERS")
    bodies = [Body("ORDERS", str(number), "D.96A", body) for number in range(1, count + 1)]
    data = write(envelope(), bodies)
    at = data.index(f"UNH+{wrong}+".encode()) if wrong else 0
    return data[:at] + data[at:].replace(b"BGM+220", b"BGM+QQQ", 1) if wrong else data


def grouped(*groups: tuple[str, str], version: str = "D.96A") -> bytes:
    """Groups by number and type of message, each with one message."""
    parts = [
        (Heading(type, "DEPT1", "DEPT2", number, version), [Body(type, "1", version, rows(type))])
        for number, type in groups
    ]
    return join(envelope(), parts)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("message", sorted(set(DOCUMENTS) - {"CONTRL"}))
def test_a_right_message_is_accepted(message: str, version: str, syntax: str) -> None:
    data = document(message, version, syntax=syntax)
    ack = answer(events(data))
    assert (ack.action, ack.code, ack.groups) == (acks.ACCEPTED, None, ())
    assert ack.messages == (MessageAck(message, "1", version, acks.ACCEPTED),)
    assert [m.status for m in ack.messages] == ["A"]
    number, release = version.split(".")
    assert flat(acks.write_contrl(ack)) == [
        ["UCI", "7", "SENDER:14", "RECEIVER:ZZ", "7"],
        ["UCM", "1", f"{message}:{number}:{release}:UN", "7"],
    ]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_contrl_is_valid_itself_and_mirrors_what_it_answers(syntax: str) -> None:
    separators = Separators("|", ";", "~", "^", "!", ",", "\r\n")
    data = document("ORDERS", syntax=syntax, separators=separators, usage="T").replace(
        b"BGM|220", b"BGM|Q!|Q"
    )
    data = data.replace(b"CUX|2;EUR;9", b"CUX|2;EUR;9~\r\nZZZ|1").replace(b"UNT|24", b"UNT|25")
    written = contrl(data)
    first = only(events(written), Interchange)
    assert isinstance(first, Interchange)
    assert first.separators == writable(separators, syntax)
    assert (first.sender, first.receiver) == (PartyId("ZZ", "RECEIVER"), PartyId("14", "SENDER"))
    assert (first.usage, first.version) == ("T", syntax)
    (transaction,) = transactions(written)
    assert (transaction.type, transaction.version) == ("CONTRL", "D.3" if syntax == "UNOC:3" else "4.1")
    verdict = edifact.check(transaction)
    assert (verdict.status, verdict.problems) == ("accepted", ())
    spelled = [
        segment.replace(NORMAL.element, "+").replace(NORMAL.component, ":")
        for segment in transaction.segments[1:-1]
    ]
    assert spelled == [
        "UCI+7+SENDER:14+RECEIVER:ZZ+7",
        "UCM+1+ORDERS:D:96A:UN+4",
        "UCS+2",
        "UCD+12+2:1",
        "UCS+13+15",
    ]


def test_errors_are_told_down_to_the_component_and_the_repetition() -> None:
    data = damaged("ORDERS", "DTM+137:20260105:102", "DTM+137:20260199:102")
    ack = answer(events(data))
    assert ack.messages[0].segments == (SegmentAck(3, None, (ElementAck(1, 2, None, "12"),)),)
    assert said(data) == ["UCI+7", "UCM+1+ORDERS:D:96A:UN+4", "UCS+3", "UCD+12+2:2"]
    assert str(ack) == "CONTRL 7, 1 of 1 messages rejected"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("NAD+BY+", "NAD++", ["UCS+8", "UCD+13+2"]),
        ("NAD+BY+5412345000013::9", "NAD+BY+::9", ["UCS+8", "UCD+13+3:1"]),
        ("BGM+220", "BGM+220:::::X", ["UCS+2", "UCD+16+2:6"]),
        ("BGM+220+PO-1001+9", "BGM+220+PO-1001+9+AC+X", ["UCS+2", "UCD+16+6"]),
        ("10:PCE", "x:PCE", ["UCS+16", "UCD+37+2:2"]),
        ("10:PCE", "1.0.:PCE", ["UCS+16", "UCD+19+2:2"]),
        ("10:PCE", "1234567890123456:PCE", ["UCS+16", "UCD+39+2:2"]),
        ("keep dry", "\x07", ["UCS+5", "UCD+21+5:2"]),
        ("FTX+AAI", "FTX+QQQ", ["UCS+5", "UCD+12+2"]),
        ("UNS+S", "", ["UCS+20+13"]),
        ("BGM+220+PO-1001+9\n", "", ["UCS+1+13"]),
        ("CUX+2:EUR:9", "CPS+1\nCUX+2:EUR:9", ["UCS+12+15"]),
        ("CUX+2:EUR:9", "UCM+1\nCUX+2:EUR:9", ["UCS+12+15"]),
        ("CNT+2:2", "PAI+::10\nCNT+2:2", ["UCS+23+15"]),
        ("UNS+S", "UNS+S\nUNS+S", ["UCS+22+35"]),
        ("CNT+2:2", "CNT+2:3", ["UCS+23", "UCD+12+2:2"]),
        (
            "BGM+220+PO-1001+9",
            "BGM+QQQ+PO-1001+QQQ",
            ["UCS+2", "UCD+12+2:1", "UCD+12+4"],
        ),
    ],
)
def test_each_error_has_its_segment_its_element_and_its_code(old: str, new: str, told: list[str]) -> None:
    body = "\n".join(lines("ORDERS"))
    assert old in body
    data = raw("ORDERS", filter(None, body.replace(old, new, 1).splitlines()))
    assert said(data) == ["UCI+7", "UCM+1+ORDERS:D:96A:UN+4", *told]
    assert edifact.check(transactions(contrl(data))[0]).problems == ()


@pytest.mark.parametrize("count", [9, 200])
def test_a_group_too_many_is_told_at_the_segment_that_begins_it(count: int) -> None:
    body = [*lines("ORDERS")[:2], *["RFF+ON:1"] * (10 + count), *lines("ORDERS")[-3:]]
    told = said(raw("ORDERS", [*body[:-2]]))
    assert told[2:] == [f"UCS+{at}+36" for at in range(14, 14 + count)]


def test_of_a_repeating_element_the_occurrence_is_told() -> None:
    ack = answer(events(document("ORDERS")))
    element = ElementAck(3, None, 2, "12")
    (message,) = ack.messages
    message = MessageAck(
        message.type, "1", message.version, acks.REJECTED, segments=(SegmentAck(4, None, (element,)),)
    )
    ack = acks.InterchangeAck("7", ack.sender, ack.receiver, acks.ACCEPTED, messages=(message,))
    assert "+".join(flat(acks.write_contrl(ack))[-1]) == "UCD+12+4::2"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b"UNT+24+1", b"UNT+25+1", "4+29+UNT+2"),
        (b"UNT+24+1", b"UNT+24+2", "4+28+UNT+3"),
        (b"UNT+24+1'\n", b"", "4+13+UNT"),
        (b"UNT+24+1", b"UNT+24+01", "7"),
    ],
)
def test_a_wrong_trailer_of_a_message_rejects_the_message(old: bytes, new: bytes, told: str) -> None:
    assert said(document("ORDERS").replace(old, new)) == ["UCI+7", f"UCM+1+ORDERS:D:96A:UN+{told}"]


@pytest.mark.parametrize(
    ("old", "new", "identifier", "told"),
    [
        (b"ORDERS:D:96A:UN", b"ORDERS:D:97A:UN", "ORDERS:D:97A:UN", "4+14+UNH+3:3"),
        (b"ORDERS:D:96A:UN", b"QUOTES:D:96A:UN", "QUOTES:D:96A:UN", "4+14+UNH+3:1"),
        (b"ORDERS:D:96A:UN", b"ORDERS:D:96A:UN:EAN008", "ORDERS:D:96A:UN:EAN008", "7"),
        (b"ORDERS:D:96A:UN", b"ORDERS:D:96A:UN:EAN008X", "", ""),
    ],
)
def test_what_is_not_known_here_is_told_at_unh(old: bytes, new: bytes, identifier: str, told: str) -> None:
    data = document("ORDERS").replace(old, new)
    if identifier:
        assert said(data) == ["UCI+7", f"UCM+1+{identifier}+{told}"]
        assert edifact.check(transactions(contrl(data))[0]).problems == ()
    else:
        assert said(data) == ["UCI+4+13+UNH+3"]


def test_a_number_given_twice_is_told_at_the_second_message() -> None:
    data = document("ORDERS")
    message = data[data.index(b"UNH") : data.index(b"UNZ")]
    data = data.replace(message, message * 2).replace(b"UNZ+1", b"UNZ+2")
    assert said(data) == ["UCI+7", "UCM+1+ORDERS:D:96A:UN+7", "UCM+1+ORDERS:D:96A:UN+4+26+UNH+2"]


def test_one_bad_message_of_ten_is_rejected_alone() -> None:
    ack = answer(events(many(10, wrong=5)))
    assert (ack.action, len(ack.all_messages)) == (acks.ACCEPTED, 10)
    assert [m.status for m in ack.messages] == list("AAAARAAAAA")
    assert str(ack) == "CONTRL 7, 1 of 10 messages rejected"
    assert str(answer(events(many(3)))) == "CONTRL 7"


def test_a_warning_is_no_reason_to_reject_and_is_not_told() -> None:
    data = damaged("ORDERS", "CNT+1:15", "CNT+1:16")
    assert edifact.check(transactions(data)[0]).status == "accepted_with_errors"
    assert said(data) == ["UCI+7", "UCM+1+ORDERS:D:96A:UN+7"]


def test_what_a_guide_asks_is_told_with_the_nearest_code() -> None:
    rules = b'name="A"\nset="ORDERS"\n[rules]\nFTX="never"\nBGM03="never"\n"NAD[IV]"="must"\nBGM02={max=3}\n'
    ack = answer(events(document("ORDERS")), read_guide(rules))
    assert ["+".join(row) for row in flat(acks.write_contrl(ack))][2:] == [
        "UCS+2", "UCD+39+3", "UCD+15+4", "UCS+5+15", "UCS+11+13",
    ]  # fmt: skip


# Groups


def test_groups_are_told_one_by_one_with_their_messages() -> None:
    data = grouped(("5", "ORDERS"), ("6", "DESADV")).replace(b"BGM+351", b"BGM+QQQ")
    ack = answer(events(data))
    assert [(g.control_number, g.sender, g.receiver, g.action) for g in ack.groups] == [
        ("5", "DEPT1", "DEPT2", acks.ACCEPTED),
        ("6", "DEPT1", "DEPT2", acks.ACCEPTED),
    ]
    assert said(data) == [
        "UCI+7",
        "UCF+5+DEPT1+DEPT2+7",
        "UCM+1+ORDERS:D:96A:UN+7",
        "UCF+6+DEPT1+DEPT2+7",
        "UCM+1+DESADV:D:96A:UN+4",
        "UCS+2",
        "UCD+12+2:1",
    ]
    assert edifact.check(transactions(contrl(data))[0]).problems == ()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b"UNE+1+5", b"UNE+2+5", "4+29+UNE+2"),
        (b"UNE+1+5", b"UNE+1+6", "4+28+UNE+3"),
        (b"UNE+1+5'\n", b"", "4+13+UNE"),
        (b"UNG+ORDERS", b"UNG+DESADV", "7"),
    ],
)
def test_a_group_whose_envelope_is_wrong_is_rejected_with_all_in_it(
    old: bytes, new: bytes, told: str
) -> None:
    data = grouped(("5", "ORDERS"), ("7", "DESADV")).replace(old, new)
    _, first, *others = said(data)
    assert first == f"UCF+5+DEPT1+DEPT2+{told}"
    if told.startswith("4"):
        assert others == ["UCF+7+DEPT1+DEPT2+7", "UCM+1+DESADV:D:96A:UN+7"]
    assert edifact.check(transactions(contrl(data))[0]).problems == ()


def test_a_group_number_given_twice_is_told_at_the_second_group() -> None:
    data = grouped(("5", "ORDERS"), ("5", "DESADV"))
    assert said(data)[1:] == [
        "UCF+5+DEPT1+DEPT2+7",
        "UCM+1+ORDERS:D:96A:UN+7",
        "UCF+5+DEPT1+DEPT2+4+26+UNG+6",
    ]


def test_sides_of_a_group_that_no_answer_can_repeat_are_left_out() -> None:
    data = grouped(("5", "ORDERS")).replace(b"DEPT1", b"D" * 36)
    assert said(data)[1] == "UCF+5++DEPT2+7"
    odd = grouped(("5", "ORDERS")).replace(b"DEPT1", b"\x00")
    assert said(odd)[1] == "UCF+5++DEPT2+4+21+UNG+3:1"
    assert edifact.check(transactions(contrl(odd))[0]).problems == ()
    assert edifact.check(transactions(contrl(data))[0]).problems == ()


def test_a_group_that_no_answer_can_name_rejects_the_interchange() -> None:
    for number in (b"", b"0123456789ABCDE", b"\x07"):
        data = grouped(("5", "ORDERS")).replace(b":1230+5+", b":1230+" + number + b"+")
        data = data.replace(b"UNE+1+5", b"UNE+1+" + number)
        assert said(data)[0].startswith("UCI+4+")
        assert len(said(data)) == 1
        assert edifact.check(transactions(contrl(data))[0]).problems == ()


def test_messages_in_groups_and_beside_them_reject_the_interchange() -> None:
    loose = b"UNH+9+ORDERS:D:96A:UN'\nUNT+2+9'\n"
    assert said(grouped(("5", "ORDERS")).replace(b"UNZ+1", loose + b"UNZ+1")) == ["UCI+4+30+UNG"]


# Interchanges


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b"UNZ+1+7", b"UNZ+2+7", "4+29+UNZ+2"),
        (b"UNZ+1+7", b"UNZ+1+8", "4+28+UNZ+3"),
        (b"UNZ+1+7'\n", b"", "4+13+UNZ"),
        (b"UNOC:3", b"UNOC:5", "4+2+UNB+2:2"),
        (b"SENDER:14", b"SEN\x07ER:14", "4+21+UNB+3:1"),
        (b"+RECEIVER:ZZ", b"+:ZZ", "4+13+UNB+4:1"),
        (b"+260106:1230", b"+", "4+13+UNB+5"),
        (b"UNZ+1", b"FTX+AAI'\nUNZ+1", "4+33"),
        (b"UNOC:3", b"XXXC:3", "7"),
        (b"UNZ+1+7", b"UNZ+1+07", "7"),
    ],
)
def test_an_interchange_whose_envelope_is_wrong_is_rejected_as_a_whole(
    old: bytes, new: bytes, told: str
) -> None:
    data = document("ORDERS")
    assert old in data
    data = data.replace(old, new)
    first, *others = said(data)
    assert first == f"UCI+{told}"
    assert others == ([] if told.startswith("4") else ["UCM+1+ORDERS:D:96A:UN+7"])


def test_a_segment_outside_every_message_rejects_the_interchange() -> None:
    data = document("ORDERS").replace(b"UNZ+1", b"FTX+AAI'\nUNZ+1")
    assert {p.fault for p in problems(events(data))} == {Fault.HEADER_MISSING}
    assert said(data)[0] == "UCI+4+33"


@pytest.mark.parametrize(("code", "tag"), [("23", "UNB"), ("7", "UNB"), ("26", None), ("24", "UNB")])
def test_the_gateway_can_reject_for_a_reason_of_its_own(code: str, tag: str | None) -> None:
    first = only(events(document("ORDERS")), Interchange)
    assert isinstance(first, Interchange)
    ack = acks.answer_interchange(first, code=code)
    assert (ack.action, ack.code, ack.tag, ack.all_messages) == (acks.REJECTED, code, tag, ())
    assert str(ack) == f"CONTRL 4, {code}: {acks.CODES[code]}"
    data = write(mirrored(first), [Body("CONTRL", "1", "D.3", acks.write_contrl(ack))], check=True)
    assert edifact.check(transactions(data)[0]).status == "accepted"


def test_the_answer_by_the_envelope_alone_takes_groups_into_account() -> None:
    found = events(grouped(("5", "ORDERS"), ("5", "DESADV")))
    header, end = found[0], found[-1]
    assert isinstance(header, Interchange)
    assert isinstance(end, InterchangeEnd)
    groups = [event for event in found if type(event).__name__ == "Group"]
    assert acks.answer_interchange(header, end).action == acks.ACCEPTED
    ack = acks.answer_interchange(header, end, groups=groups)  # type: ignore[arg-type]
    assert (ack.action, ack.code, ack.tag) == (acks.REJECTED, "26", "UNG")


# What is never answered, and what cannot be


def test_a_contrl_is_never_answered() -> None:
    assert not acks.answers("CONTRL")
    assert acks.answers("APERAK")
    ack = answer(events(document("CONTRL", "D.3")))
    assert (ack.action, ack.all_messages) == (acks.ACCEPTED, ())
    mixed = [Body("CONTRL", "1", "D.3", rows("CONTRL")), Body("ORDERS", "2", "D.96A", rows("ORDERS"))]
    assert said(write(envelope(), mixed)) == ["UCI+7", "UCM+2+ORDERS:D:96A:UN+7"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"UNH+1+", b"UNH++"),
        (b"UNH+1+", b"UNH+123456789012345+"),
        (b"UNH+1+", b"UNH+\x07+"),
        (b"UNH+1+ORDERS:D:96A:UN", b"UNH+1"),
        (b"UNH+1+ORDERS:D:96A:UN", b"UNH+1+ORDERS"),
        (b"UNH+1+ORDERS:D:96A:UN", b"UNH+1+ORDERS1:D:96A:UN"),
        (b"UNH+1+ORDERS:D:96A:UN", b"UNH+1+ORDERS:D:96AXX:UN"),
        (b"UNH+1+ORDERS:D:96A:UN", b"UNH+1+ORDERS:D:96A:UNXX"),
        (b"UNH+1+ORDERS:D:96A:UN", b"UNH+1+ORD\xc9RS:D:96A:UN"),
        (b"UNH+1+ORDERS:D:96A:UN", b"UNH+1+:D:96A:UN"),
    ],
)
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_message_that_no_answer_can_name_rejects_the_interchange(
    old: bytes, new: bytes, syntax: str
) -> None:
    data = document("ORDERS", syntax=syntax)
    assert old in data
    data = data.replace(old, new)
    assert said(data) == ["UCI+4+13+UNH+3"]
    assert edifact.check(transactions(contrl(data))[0]).problems == ()


def test_qualifiers_that_partners_have_agreed_on_are_repeated() -> None:
    data = document("ORDERS").replace(b"SENDER:14", b"SENDER:01").replace(b"RECEIVER:ZZ", b"RECEIVER:XYZ")
    assert problems(events(data)) == []
    written = contrl(data)
    assert b"UCI+7+SENDER:01+RECEIVER:XYZ+7'" in written
    assert edifact.check(transactions(written)[0]).problems == ()


@pytest.mark.parametrize("reference", ["A?+B", "A??", "A?:?'B", "A*B", "\xdcB"])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_references_with_service_characters_are_repeated_as_they_were(reference: str, syntax: str) -> None:
    data = document("ORDERS", syntax=syntax).decode()
    if syntax.endswith("4"):
        reference = reference.replace("*", "?*")
    data = data.replace(":1230+7'", f":1230+{reference}'").replace("UNZ+1+7", f"UNZ+1+{reference}")
    data = data.replace("+SENDER:", f"+{reference}:")
    written = contrl(data.encode("latin-1"))
    answered = transactions(written)[0].segments[1].split(NORMAL.element)
    first = only(events(data.encode("latin-1")), Interchange)
    assert isinstance(first, Interchange)
    assert answered[1] == first.control_number
    assert answered[2] == f"{first.sender.id}{NORMAL.component}14"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"+SENDER:14", b"+:14"),
        (b"+SENDER:14", b"+" + b"S" * 36 + b":14"),
        (b"+SENDER:14", b"+SENDER:14141"),
        (b":1230+7'", b":1230'"),
        (b":1230+7'", b":1230+123456789012345'"),
    ],
)
def test_an_interchange_that_no_answer_can_name_cannot_be_answered(old: bytes, new: bytes) -> None:
    with pytest.raises(CannotWrite):
        contrl(document("ORDERS").replace(old, new))


def test_an_answer_has_no_more_than_the_standard_lets_it_have() -> None:
    wrong = ["FTX+AAI" + "+" * 5 + "+X" * 150]
    ack = answer(events(raw("ORDERS", [*lines("ORDERS")[:3], *wrong, *lines("ORDERS")[3:]])))
    rows_of = acks.write_contrl(ack)
    assert sum(row[0] == "UCD" for row in rows_of) == 99
    body = [*lines("ORDERS")[:2], *["ZZZ"] * 2000, *lines("ORDERS")[2:]]
    data = raw("ORDERS", body)
    assert sum(row[0] == "UCS" for row in acks.write_contrl(answer(events(data)))) == 999
    assert edifact.check(transactions(contrl(data))[0]).problems == ()
    far = raw("ORDERS", ["BGM" + "+" * 1000 + "X", *lines("ORDERS")[1:]])
    assert edifact.check(transactions(contrl(far))[0]).problems == ()


# The words


def test_every_fault_has_a_code_and_every_code_is_of_the_list_at_its_level() -> None:
    listed = directory.service("UCM", "4")
    assert listed is not None
    codes = listed.elements[3].element.codes
    assert codes is not None
    tables = (acks._SEGMENT_CODES, acks._ELEMENT_CODES, acks._ENVELOPE_CODES)
    given = {code for table in tables for code in table.values()}
    assert given <= set(acks.CODES) <= codes
    told = {fault for table in tables for fault in table}
    assert set(Fault) - told == {Fault.NOT_EDI, Fault.TEXT_OUTSIDE_INTERCHANGE, Fault.MAPPING_FAILED,
                                 Fault.CONTROL_NUMBER_INVALID}  # fmt: skip
    everywhere = {"12", "13", "14", "15", "16", "18", "21", "22", "27", "34", "35"}
    assert set(acks._SEGMENT_CODES.values()) <= everywhere | {"36"}
    assert set(acks._ELEMENT_CODES.values()) <= everywhere | {"19", "37", "38", "39", "40"}


@pytest.mark.parametrize("path", sorted(SAMPLES.rglob("*")), ids=lambda p: p.name)
def test_every_real_file_gets_a_valid_answer(path: Path) -> None:
    if not path.is_file() or path.stat().st_size > 100_000 or not re.search(rb"UNB\+", path.read_bytes()):
        return
    found = events_of_first(path.read_bytes())
    ack = answer(found)
    header = found[0]
    assert isinstance(header, Interchange)
    body = Body("CONTRL", "1", "D.3", acks.write_contrl(ack))
    if not (header.sender.id and header.receiver.id):
        with pytest.raises(CannotWrite, match="is no interchange id"):
            write(mirrored(header), [body], check=True)
        return
    (transaction,) = transactions(write(mirrored(header), [body], check=True))
    assert edifact.check(transaction).status == "accepted"
    assert transaction.segments[1].split(NORMAL.element)[4] == ack.action
    told = sum(segment.startswith("UCM") for segment in transaction.segments)
    assert told == len(ack.all_messages)


def events_of_first(data: bytes) -> list:  # type: ignore[type-arg]
    found = events(data)
    end = next(at for at, event in enumerate(found) if isinstance(event, InterchangeEnd))
    return found[: end + 1]


def test_groups_and_ends_belong_to_an_answer_in_their_order() -> None:
    found = events(grouped(("5", "ORDERS")))
    ack = answer(found)
    assert ack.groups == (
        GroupAck("5", "DEPT1", "DEPT2", acks.ACCEPTED, messages=(MessageAck("ORDERS", "1", "D.96A", "7"),)),
    )
    assert isinstance(found[-2], GroupEnd)
