"""The writer: what it writes is read back the same, and what would not be is refused."""

from __future__ import annotations

import pytest
from edifact_forms import letters
from edifact_support import (
    DOCUMENTS,
    SYNTAXES,
    VERSIONS,
    check,
    document,
    envelope,
    events,
    only,
    problems,
    rows,
    shape,
    transactions,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from edi import edifact
from edi.edifact.codec import CHARACTER_SETS, LEVEL_A, LEVEL_B
from edi.edifact.writer import Body, Heading, Row, identifier, join, writable, write, write_transaction
from edi.guide import read_guide
from edi.problems import CannotWrite, Fault
from edi.tree import NORMAL, Group, Interchange, PartyId, Separators

Value = str | tuple[str, ...] | list[str | tuple[str, ...]]
SERVICE = "+:'*?|~#!;^%&"


@st.composite
def written(draw: st.DrawFn) -> tuple[str, Separators, list[Row]]:
    """A syntax, service characters and rows that they can write."""
    syntax = f"{draw(st.sampled_from(sorted(CHARACTER_SETS)))}:{draw(st.sampled_from('1234'))}"
    separators = LEVEL_A
    if draw(st.booleans()):
        element, component, segment, repetition, release = draw(st.permutations(SERVICE))[:5]
        segment = draw(st.sampled_from([segment, segment, "\n"]))
        separators = Separators(element, component, segment, repetition, release, draw(st.sampled_from(".,")))
    separators = separators._replace(
        suffix=draw(st.sampled_from(["", "\n", "\r\n"])) if separators.segment != "\n" else ""
    )
    characters = "ABC xyz" + SERVICE + "日本" if syntax.startswith("UNOX") else letters(syntax[:4]) + SERVICE
    if syntax[:4] in ("UNOA", "UNOB"):
        characters = characters.replace("|", "").replace("~", "")
    value = st.text(st.sampled_from(characters), max_size=10)
    composite = st.tuples(value, value, value)
    element_ = st.one_of(value, composite)
    if syntax.endswith("4"):
        element_ = st.one_of(element_, st.lists(st.one_of(value, composite), min_size=2, max_size=3))
    row = st.tuples(st.sampled_from(["FTX", "NAD", "ZZZ"]), st.lists(element_, min_size=1, max_size=5))
    return syntax, separators, [[tag, *values] for tag, values in draw(st.lists(row, min_size=1, max_size=6))]


def _normal(row: Row) -> str:
    """A row as it is read: in normal form, nothing empty at the end of anything."""

    def composite(value: str | tuple[str, ...]) -> str:
        if isinstance(value, str):
            return value
        parts = list(value)
        while len(parts) > 1 and not parts[-1]:
            parts.pop()
        return NORMAL.component.join(parts)

    elements = [
        NORMAL.repetition.join(map(composite, value)) if isinstance(value, list) else composite(value)
        for value in row
    ]
    while len(elements) > 1 and not elements[-1]:
        elements.pop()
    return NORMAL.element.join(elements)


@settings(max_examples=400, deadline=None)
@given(written())
def test_what_is_written_is_read_back_the_same(case: tuple[str, Separators, list[Row]]) -> None:
    syntax, separators, body = case
    said = envelope(syntax=syntax, separators=separators)
    data = write(said, [Body("ORDERS", "1", "D.96A", body), Body("ORDERS", "2", "D.01B/EAN010", body)])
    found = events(data)
    assert shape(found) == "IGTTgi"
    assert {p.fault for p in problems(found)} <= {Fault.CHARACTER_INVALID}  # notes on UNOA
    first = only(found, Interchange)
    assert isinstance(first, Interchange)
    assert first.separators == writable(separators, syntax)
    for transaction in transactions(data):
        assert list(transaction.segments[1:-1]) == [_normal(row) for row in body]


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("message", sorted(DOCUMENTS))
def test_a_file_written_from_its_own_rows_is_the_same_bytes(message: str, version: str, syntax: str) -> None:
    data = document(message, version, syntax=syntax)
    again = [
        [tuple(value.split(NORMAL.component)) if NORMAL.component in value else value for value in row]
        for row in check(data).rows[1:-1]
    ]
    assert write(envelope(syntax=syntax), [Body(message, "1", version, again)], check=True) == data


def test_unb_says_what_the_envelope_says() -> None:
    said = envelope(usage="T", ack_requested=True, sender=PartyId("", "A+B"), syntax="UNOY:4")
    data = write(said, [Body("ORDERS", "9", "D.96A", rows("ORDERS"))])
    assert data.startswith(b"UNB+UNOY:4+A?+B+RECEIVER:ZZ+20260106:1230+7++++1++1'\n")
    first = only(events(data), Interchange)
    assert isinstance(first, Interchange)
    assert (first.usage, first.ack_requested, first.sender) == ("T", True, PartyId("", "A+B"))
    assert write(envelope(), []).startswith(b"UNB+UNOC:3+SENDER:14+RECEIVER:ZZ+260106:1230+7'\nUNZ+0+7'\n")


@pytest.mark.parametrize(
    ("changes", "syntax", "una", "begins"),
    [
        ({}, "UNOC:3", None, b"UNB+"),
        ({}, "UNOC:4", None, b"UNB+"),
        ({}, "UNOC:3", True, b"UNA:+.? '\nUNB+"),
        ({}, "UNOC:4", True, b"UNA:+.?*'\nUNB+"),
        ({"decimal": ","}, "UNOC:3", None, b"UNA:+,? '\nUNB+"),
        ({"release": "!"}, "UNOC:3", None, b"UNA:+.! '\nUNB+"),
        ({"release": ""}, "UNOC:3", None, b"UNA:+.  '\nUNB+"),
        ({"repetition": "#"}, "UNOC:4", None, b"UNA:+.?#'\nUNB+"),
        ({"repetition": "#"}, "UNOC:3", None, b"UNB+"),
        ({"segment": "~"}, "UNOC:3", False, b"UNB+"),
    ],
)
def test_una_is_written_where_it_is_needed_or_wanted(
    changes: dict[str, str], syntax: str, una: bool | None, begins: bytes
) -> None:
    said = envelope(separators=LEVEL_A._replace(suffix="\n", **changes), syntax=syntax, una=una)
    assert write(said, [Body("ORDERS", "1", "D.96A", rows("ORDERS"))]).startswith(begins)


def test_level_b_is_written_and_read() -> None:
    data = document("ORDERS", syntax="UNOB:2", separators=LEVEL_B)
    assert data.startswith(b"UNA\x1f\x1d.  \x1cUNB\x1dUNOB\x1f2")
    assert check(data).status == "accepted"


def test_numbers_have_the_decimal_mark_of_the_interchange_and_nothing_else_does() -> None:
    body: list[Row] = [
        ["FTX", "AAI", "", "", "1.5"],
        ["PRI", ("AAA", "9.25")],
        ["CUX", ("2", "EUR", "9"), "", "1.1"],
    ]
    said = envelope(separators=LEVEL_A._replace(decimal=","))
    (transaction,) = transactions(write(said, [Body("ORDERS", "1", "D.96A", body)]))
    assert list(transaction.segments[1:-1]) == [
        "FTX\x1cAAI\x1c\x1c\x1c1.5",
        "PRI\x1cAAA\x1f9,25",
        "CUX\x1c2\x1fEUR\x1f9\x1c\x1c1,1",
    ]


def test_groups_are_written_with_their_numbers_and_counts() -> None:
    body = Body("ORDERS", "1", "D.96A/EAN008", rows("ORDERS"))
    headings = [Heading("ORDERS", "A", "B", number, "D.96A/EAN008") for number in ("5", "6")]
    data = join(envelope(), [(headings[0], [body]), (headings[1], [body, body._replace(control_number="2")])])
    found = events(data)
    assert shape(found) == "IGTgGTTgi"
    assert problems(found) == []
    assert [event.control_number for event in found if isinstance(event, Group)] == ["5", "6"]
    assert b"UNZ+2+7'" in data


def test_a_version_is_told_as_its_message_has_it() -> None:
    assert identifier("ORDERS", "D.96A") == ("ORDERS", "D", "96A", "UN")
    assert identifier("ORDERS", "D.96A/EAN008") == ("ORDERS", "D", "96A", "UN", "EAN008")
    assert identifier("ORDERS", "XX:2.912") == ("ORDERS", "2", "912", "XX")


@pytest.mark.parametrize("value", ["a\nb", "a\x00b", "a\x1cb", "a\x85b", "Ω", "日", "\u202ea"])
def test_data_that_the_character_set_cannot_say_is_refused_or_replaced(value: str) -> None:
    body: list[Row] = [["FTX", "AAI", "", "", ("x", value)]]
    with pytest.raises(CannotWrite, match="FTX04-2"):
        write(envelope(), [Body("ORDERS", "1", "D.96A", body)])
    data = write(envelope(), [Body("ORDERS", "1", "D.96A", body)], replace=".")
    assert transactions(data)[0].segments[1].endswith(("a.b", "x\x1f.", ".a"))


@pytest.mark.parametrize("value", ["é", "¥", "Ω\u0301", "日本", "ЖЗ", "漢"])
def test_what_is_written_in_unox_is_what_its_reader_follows(value: str) -> None:
    body: list[Row] = [["FTX", "AAI", "", "", value]]
    try:
        data = write(envelope(syntax="UNOX:4"), [Body("ORDERS", "1", "D.96A", body)])
    except CannotWrite:
        assert value in ("é", "¥", "Ω\u0301")
        return
    assert transactions(data)[0].segments[1].endswith(value)


def test_every_value_that_cannot_be_written_is_told_with_its_place() -> None:
    body: list[Row] = [
        ["BGM", "220", "PO\n1", "9"],
        ["RFF", ("ON", "1")],
        ["NAD", "B\x07", ("a", "", "Ω")],
    ]
    with pytest.raises(CannotWrite) as refused:
        write(envelope(), [Body("ORDERS", "1", "D.96A", body)])
    assert [(p.segment, p.position, p.element, p.component, p.value) for p in refused.value.problems] == [
        ("BGM", 2, 2, None, "PO\n1"),
        ("NAD", 4, 1, None, "B\x07"),
        ("NAD", 4, 2, 3, "Ω"),
    ]


def test_service_characters_in_data_are_refused_where_nothing_releases_them() -> None:
    said = envelope(separators=LEVEL_A._replace(release=""))
    assert write(said, [Body("ORDERS", "1", "D.96A", [["FTX", "AAI", "", "", "a?b"]])])
    for value in ("a+b", "a:b", "a'b"):
        with pytest.raises(CannotWrite, match="FTX04"):
            write(said, [Body("ORDERS", "1", "D.96A", [["FTX", "AAI", "", "", value]])])
        with pytest.raises(CannotWrite):
            write(said, [Body("ORDERS", "1", "D.96A", [["FTX", "AAI", "", "", value]])], replace="+")


def test_a_repetition_is_refused_where_the_syntax_has_none() -> None:
    body: list[Row] = [["FTX", "AAI", "", "", ["a", "b"]]]
    assert transactions(write(envelope(syntax="UNOC:4"), [Body("ORDERS", "1", "D.96A", body)]))
    with pytest.raises(CannotWrite, match="repeats"):
        write(envelope(), [Body("ORDERS", "1", "D.96A", body)])


@pytest.mark.parametrize(
    "changes",
    [
        {"sender": PartyId("14", "")},
        {"sender": PartyId("14", "X" * 36)},
        {"sender": PartyId("14141", "X")},
        {"sender": PartyId("14", "a\nb")},
        {"receiver": PartyId("14", "日本")},
        {"control_number": ""},
        {"control_number": "123456789012345"},
        {"control_number": "a\x00"},
        {"usage": "I"},
        {"syntax": "UNOC:5"},
        {"syntax": "UNOC"},
        {"syntax": "UN:3"},
        {"separators": LEVEL_A._replace(element="A")},
        {"separators": LEVEL_A._replace(element=" ")},
        {"separators": LEVEL_A._replace(element=":")},
        {"separators": LEVEL_A._replace(element="\n")},
        {"separators": LEVEL_A._replace(segment="")},
        {"separators": LEVEL_A._replace(segment="§")},
        {"separators": LEVEL_A._replace(repetition="+"), "syntax": "UNOC:4"},
    ],
)
def test_an_envelope_that_cannot_be_written_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(CannotWrite):
        write(envelope(**changes), [Body("ORDERS", "1", "D.96A", rows("ORDERS"))])


@pytest.mark.parametrize("number", ["", "123456789012345", "a\n"])
def test_a_message_reference_that_cannot_be_written_is_refused(number: str) -> None:
    with pytest.raises(CannotWrite):
        write(envelope(), [Body("ORDERS", number, "D.96A", rows("ORDERS"))])


def test_a_reference_given_twice_is_refused() -> None:
    with pytest.raises(CannotWrite, match="UNH01 1 stands twice"):
        write(envelope(), [Body("ORDERS", "1", "D.96A", rows("ORDERS"))] * 2)


def test_what_the_checker_would_reject_is_not_written_when_asked_to_check() -> None:
    body = rows("ORDERS")[1:]
    assert write(envelope(), [Body("ORDERS", "1", "D.96A", body)])
    with pytest.raises(CannotWrite, match="mandatory segment BGM") as refused:
        write(envelope(), [Body("ORDERS", "1", "D.96A", body)], check=True)
    assert [p.fault for p in refused.value.problems] == [Fault.SEGMENT_MISSING]
    asked = read_guide(b'name="A"\nset="ORDERS"\n[rules]\nFTX="never"\n')
    with pytest.raises(CannotWrite, match="guide of A"):
        write(envelope(), [Body("ORDERS", "1", "D.96A", rows("ORDERS"))], check=True, guide=asked)


def test_a_message_can_be_written_without_an_envelope() -> None:
    segments = write_transaction(Body("ORDERS", "7", "D.96A", rows("ORDERS")))
    assert segments[0] == "UNH+7+ORDERS:D:96A:UN"
    assert segments[-1] == f"UNT+{len(segments)}+7"
    assert edifact.check(transactions(document("ORDERS"))[0]).status == "accepted"
