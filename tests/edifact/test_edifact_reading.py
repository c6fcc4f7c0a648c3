"""The reader: every form of an interchange that ISO 9735 knows, every way real files are cut, wrapped, joined
and broken, and the events that come of it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from edifact_forms import Form, Written, letters, write, written
from edifact_support import (
    DOCUMENTS,
    Pieces,
    check,
    document,
    envelope,
    events,
    lines,
    only,
    problems,
    raw,
    rows,
    shape,
    transactions,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from edi import edifact
from edi.edifact import writer
from edi.edifact.codec import CHARACTER_SETS, LEVEL_B, read
from edi.edifact.writer import Body, Heading, join
from edi.problems import Fault, NotEdi, Severity
from edi.reading import Limits
from edi.tree import NORMAL, Event, Group, GroupEnd, Interchange, PartyId, Transaction


def interchange(data: bytes) -> Interchange:
    found = only(events(data), Interchange)
    assert isinstance(found, Interchange)
    return found


def text_of(data: bytes, segment: int = 2, element: int = 4) -> str:
    """An element of the only message."""
    (transaction,) = transactions(data)
    return transaction.segments[segment - 1].split(NORMAL.element)[element]


def grouped(message: str = "ORDERS", version: str = "D.96A/EAN008") -> bytes:
    heading = Heading(message, "DEPT1", "DEPT2", "5", version)
    return join(envelope(), [(heading, [Body(message, "1", version, rows(message))])])


def alike(found: list[Event]) -> list[Event]:
    """Events without what is only a hint: in which piece of a file something odd stood."""
    return [replace(event, plain=False) if isinstance(event, Transaction) else event for event in found]


# Envelopes


def test_an_interchange_tells_who_sent_it_to_whom_and_how() -> None:
    first = interchange(document("ORDERS"))
    assert (first.sender, first.receiver) == (PartyId("14", "SENDER"), PartyId("ZZ", "RECEIVER"))
    assert (first.control_number, first.version, first.usage) == ("7", "UNOC:3", "P")
    assert (first.date, first.time, first.ack_requested, first.offset) == ("260106", "1230", False, 0)
    assert first.separators == ("+", ":", "'", "", "?", ".", "\n")
    asked = interchange(document("ORDERS", usage="T", ack_requested=True, syntax="UNOA:4"))
    assert (asked.usage, asked.ack_requested, asked.date) == ("T", True, "20260106")


def test_a_message_tells_its_type_number_and_version() -> None:
    (transaction,) = transactions(document("ORDERS", "D.96A/EAN008"))
    assert (transaction.type, transaction.control_number, transaction.version) == (
        *("ORDERS", "1", "D.96A/EAN008"),
    )
    assert transaction.separators is NORMAL
    assert transaction.segments[0] == "UNH\x1c1\x1cORDERS\x1fD\x1f96A\x1fUN\x1fEAN008"
    assert transactions(raw("ORDERS", [], "D:96A:XX"))[0].version == "XX:D.96A"
    assert transactions(raw("ORDERS", [], "2:912:UN"))[0].version == "2.912"
    assert transactions(raw("ORDERS", [], "D:96A"))[0].version == "D.96A"
    assert transactions(raw("ORDERS", []).replace(b":D:96A:UN", b""))[0].version == ""


def test_a_group_tells_its_number_sides_and_version() -> None:
    found = events(grouped())
    group = only(found, Group)
    assert isinstance(group, Group)
    assert (group.functional_id, group.sender, group.receiver, group.control_number, group.version) == (
        *("ORDERS", "DEPT1", "DEPT2", "5", "D.96A/EAN008"),
    )
    assert shape(found) == "IGTgi"
    assert problems(found) == []


def test_messages_without_a_group_are_in_one_that_is_implied_and_has_no_ids() -> None:
    group = only(events(document("ORDERS")), Group)
    assert isinstance(group, Group)
    assert (group.functional_id, group.control_number, group.version, group.segment) == ("", "", "", "")


def test_groups_and_interchanges_follow_each_other_with_service_characters_of_their_own() -> None:
    headings = [Heading("ORDERS", "A", "B", number, "D.96A") for number in ("1", "2")]
    two = [(heading, [Body("ORDERS", "1", "D.96A", rows("ORDERS"))]) for heading in headings]
    first = join(envelope(), two)
    second = b"UNA|*,# ~" + document("DESADV").translate(bytes.maketrans(b":+'?", b"|*~#"))
    found = events(first + b"\r\n" + second)
    assert shape(found) == "IGTgGTgiIGTgi"
    assert problems(found) == []
    assert [e.separators[:3] for e in found if isinstance(e, Interchange)] == [
        ("+", ":", "'"),
        ("*", "|", "~"),
    ]
    assert [e.offset for e in found if isinstance(e, Interchange)] == [0, len(first) + 2 + 9]


def test_messages_in_groups_and_beside_them_are_a_fault() -> None:
    loose = b"UNH+9+ORDERS:D:96A:UN'\nUNT+2+9'\n"
    found = events(grouped().replace(b"UNZ+1", loose + b"UNZ+1"))
    assert shape(found) == "IGTgGTgi"
    assert [(p.fault, p.segment) for p in found[-1].problems] == [(Fault.HEADER_MISSING, "UNG")]


def test_a_group_of_another_type_of_message_is_a_warning_at_the_message() -> None:
    (transaction,) = transactions(grouped().replace(b"UNG+ORDERS", b"UNG+DESADV"))
    assert [(p.fault, p.severity, p.segment, p.element) for p in transaction.problems] == [
        (Fault.FUNCTIONAL_ID_MISMATCH, Severity.WARNING, "UNH", 2)
    ]


def test_a_number_given_twice_is_told_at_the_second_message_or_group() -> None:
    data = document("ORDERS")
    message = data[data.index(b"UNH") : data.index(b"UNZ")]
    found = events(data.replace(message, message * 2).replace(b"UNZ+1", b"UNZ+2"))
    (problem,) = problems(found)
    assert (problem.fault, problem.segment, problem.element) == (Fault.CONTROL_NUMBER_REPEATED, "UNH", 1)
    data = grouped()
    group = data[data.index(b"UNG") : data.index(b"UNZ")]
    found = events(data.replace(group, group * 2).replace(b"UNZ+1", b"UNZ+2"))
    (problem,) = problems(found)
    assert (problem.fault, problem.segment, problem.element) == (Fault.CONTROL_NUMBER_REPEATED, "UNG", 5)
    assert data.replace(group, group * 2)[problem.offset :].startswith(b"5+UN+")


def test_text_around_interchanges_is_told_and_skipped() -> None:
    one = document("ORDERS")
    found = events(
        b"From: UNBOUND\n\n" + one + b"-- \nUNA is no header\n" + b"UNA:+.? '\n" + one + b"\n UNTIL"
    )
    assert shape(found) == "IGTgiIGTgi"
    told = [(p.fault, p.severity, (p.value or "")[:4]) for p in problems(found)]
    strange = (Fault.TEXT_OUTSIDE_INTERCHANGE, Severity.WARNING)
    assert told == [(*strange, "From"), (*strange, "-- \n"), (*strange, "UNTI")]


def test_a_byte_order_mark_and_blanks_before_an_interchange_are_nothing_to_tell() -> None:
    found = events(b"\xef\xbb\xbf \r\n" + document("ORDERS") + b" \n\x09\r\n")
    assert shape(found) == "IGTgi"
    assert problems(found) == []
    assert found[0].offset == 6  # type: ignore[union-attr]


# Service characters


@pytest.mark.parametrize(
    ("una", "syntax", "expected"),
    [
        ("", "UNOC:3", ("+", ":", "'", "", "?", ".")),
        ("UNA:+.? '", "UNOC:3", ("+", ":", "'", "", "?", ".")),
        ("UNA:+,? '", "UNOC:3", ("+", ":", "'", "", "?", ",")),
        ("UNA:+.?*'", "UNOC:3", ("+", ":", "'", "", "?", ".")),
        ("UNA:+.  '", "UNOC:3", ("+", ":", "'", "", "", ".")),
        ("", "UNOC:4", ("+", ":", "'", "*", "?", ".")),
        ("UNA:+.? '", "UNOC:4", ("+", ":", "'", "", "?", ".")),
        ("UNA:+.?*'", "UNOC:4", ("+", ":", "'", "*", "?", ".")),
        ("UNA:+.?#'\r\n", "UNOC:4", ("+", ":", "'", "#", "?", ".")),
    ],
)
def test_una_says_the_service_characters_and_only_syntax_4_has_one_for_repetitions(
    una: str, syntax: str, expected: tuple[str, ...]
) -> None:
    data = raw("ORDERS", lines("ORDERS"), syntax=syntax, una=una)
    first = interchange(data)
    assert first.separators[:6] == expected
    assert first.offset == len(una)
    assert check(data).problems == ()


@pytest.mark.parametrize(
    ("una", "syntax"),
    [
        ("UNA++.? '", "UNOC:3"),
        ("UNA:+.?+'", "UNOC:4"),
        ("UNA:+.?A'", "UNOC:4"),
        ("UNA:+.? Q", "UNOC:3"),
        ("UNA:+.? ?", "UNOC:3"),
        ("UNA: .? '", "UNOC:3"),
        ("UNA:\n.? \n", "UNOC:3"),
        ("UNA:+", "UNOC:3"),
    ],
)
def test_service_characters_that_cannot_work_are_a_fault_of_una(una: str, syntax: str) -> None:
    found = events(raw("ORDERS", lines("ORDERS"), syntax=syntax, una=una))
    assert (found[0].problems[0].fault, found[0].problems[0].segment) == (Fault.SEPARATORS_INVALID, "UNA")
    assert found[0].problems[0].severity is Severity.ERROR


@pytest.mark.parametrize("terminator", ["\n", "\r", "\r\n"])
def test_a_line_end_can_be_the_terminator(terminator: str) -> None:
    body = document("ORDERS").replace(b"'\n", terminator.encode())
    data = b"UNA:+.? " + terminator.encode() + body
    assert problems(events(data)) == []
    assert check(data).status == "accepted"
    assert check(data.rstrip()).status == "accepted"
    separators = interchange(data).separators
    assert transactions(document("ORDERS", separators=separators)) == transactions(data)


@pytest.mark.parametrize("terminator", ["\n", "\r", "\r\n"])
def test_lines_end_segments_where_unb_shows_it_although_no_una_says_so(terminator: str) -> None:
    data = document("ORDERS").replace(b"'\n", terminator.encode())
    (problem,) = problems(events(data))
    assert (problem.fault, problem.severity) == (Fault.SEPARATORS_INVALID, Severity.WARNING)
    assert data[problem.offset :].startswith(terminator.encode())
    assert check(data).status == "accepted"
    quoted = data.replace(b"keep dry", b"don't?+")
    assert text_of(quoted, 5).endswith("don't+")
    assert list(read(Pieces(data, 1))) == events(data)  # type: ignore[arg-type]


def test_level_b_has_service_characters_of_its_own_that_nothing_releases() -> None:
    data = document("ORDERS").translate(bytes.maketrans(b"+:'", b"\x1d\x1f\x1c")).replace(b"UNOC", b"UNOB")
    data = data.replace(b"Handle with care", b"What? It's 1+1: '*'")
    first = interchange(data)
    assert first.separators[:5] == LEVEL_B[:5] == ("\x1d", "\x1f", "\x1c", "", "")
    assert text_of(data, 5).startswith("What? It's 1+1: '*'")
    assert problems(events(data)) == []
    assert check(data).status == "accepted"


def test_release_characters_are_taken_out_once_and_may_release_anything() -> None:
    body = ["FTX+AAI+++a?'b?+c?:d??e?f:?'??+??", "FTX+AAI+++??", "?FTX+AAI+++???'x", "UN?S+S"]
    (transaction,) = transactions(raw("ORDERS", body))
    assert transaction.segments[1:-1] == (
        "FTX\x1cAAI\x1c\x1c\x1ca'b+c:d?ef\x1f'?\x1c?",
        "FTX\x1cAAI\x1c\x1c\x1c?",
        "FTX\x1cAAI\x1c\x1c\x1c?'x",
        "UNS\x1cS",
    )
    assert transaction.problems == ()


def test_a_release_character_at_the_end_releases_what_should_end_the_segment() -> None:
    found = events(raw("ORDERS", ["FTX+AAI+++a?"]))
    (transaction,) = (event for event in found if isinstance(event, Transaction))
    assert transaction.segments[1] == "FTX\x1cAAI\x1c\x1c\x1ca'UNT\x1c3\x1c1"
    assert [(p.fault, p.segment) for p in transaction.problems] == [(Fault.TRAILER_MISSING, "UNT")]
    found = events(document("ORDERS").rstrip()[:-1] + b"?")
    assert shape(found) == "IGTgi"
    assert [(p.fault, p.segment) for p in problems(found)] == [(Fault.CONTROL_NUMBER_MISMATCH, "UNZ")]


def test_a_control_character_that_the_normal_form_uses_is_no_separator_of_a_value() -> None:
    data = raw("ORDERS", ["FTX+AAI+++a\x1cb\x1dc?\x1ed\x1f"])
    (transaction,) = transactions(data)
    assert len(transaction.segments[1].split(NORMAL.element)) == 5
    assert Fault.CHARACTER_INVALID in {p.fault for p in edifact.check(transaction).problems}


@pytest.mark.parametrize("syntax", ["UNOC:3", "UNOC:4"])
def test_an_asterisk_separates_repetitions_in_syntax_4_and_is_data_before(syntax: str) -> None:
    data = raw("ORDERS", ["FTX+AAI+++a*b?*c"], syntax=syntax).replace(b"SENDER:", b"SEN?*DER:")
    assert interchange(data).sender.id == "SEN*DER"
    if syntax == "UNOC:3":
        assert interchange(data.replace(b"?*D", b"*D")).sender.id == "SEN*DER"
    text = text_of(data)
    assert text == ("a*b*c" if syntax == "UNOC:3" else f"a{NORMAL.repetition}b*c")


@pytest.mark.parametrize("una", ["UNA:+.? '", "UNA:+,? '", ""])
@pytest.mark.parametrize("mark", [".", ","])
def test_either_decimal_mark_is_read_whatever_una_says(una: str, mark: str) -> None:
    body = [line.replace("9.25", f"9{mark}25") for line in lines("ORDERS")]
    assert check(raw("ORDERS", body, una=una)).problems == ()


# Character sets


def test_every_syntax_identifier_of_the_standard_has_its_character_set() -> None:
    definition = edifact.directory.service("UNB", "4")
    assert definition is not None
    listed = definition.elements[0].element.components[0].element.codes
    assert listed is not None
    assert listed - set(CHARACTER_SETS) == {"KECA"}


@pytest.mark.parametrize("syntax", sorted(set(CHARACTER_SETS) - {"UNOX"}))
@pytest.mark.parametrize("version", "1234")
def test_text_is_read_in_the_character_set_that_unb_names(syntax: str, version: str) -> None:
    value = "".join(c for c in letters(syntax) if c not in "+:'?*")[:60]
    form = Form(syntax, version, *"+:'*?", una=False, line_end="\n", wraps=0, spare=0, padded=False)  # type: ignore[arg-type]
    body = [("FTX", [[["AAI"]], [[""]], [[""]], [[value, "Z"]]])]
    made = write(form, body, "REF", random.Random(1))
    assert text_of(made.data) == f"{value}{NORMAL.component}Z"
    assert problems(events(made.data)) == []
    assert check(made.data).problems[0].segment == "BGM"  # only what is not there is missing


@pytest.mark.parametrize(
    ("syntax", "byte"), [("UNOF", 0xD2), ("UNOG", 0xA5), ("UNOI", 0xA1), ("UNOJ", 0xFB), ("UNOY", 0xFF)]
)
def test_a_byte_that_is_no_character_of_its_set_is_told_at_its_place(syntax: str, byte: int) -> None:
    body = [line.replace("keep", f"k{chr(byte)}ep") for line in lines("ORDERS")]
    data = raw("ORDERS", body, syntax=f"{syntax}:4")
    (problem,) = check(data).problems
    assert (problem.fault, problem.segment, problem.element, problem.component) == (
        *(Fault.CHARACTER_INVALID, "FTX", 4, 2),
    )
    assert data[problem.offset :].startswith(b"k" + bytes([byte]))
    assert problem.value == "k\ufffdep dry"


@pytest.mark.parametrize(
    "value",
    [b"a\xc3", b"\xe2\x82", b"\xc3\xa9\xa9", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82\xe2\x82\xac"],
)
def test_what_is_no_utf8_is_decoded_byte_by_byte_and_places_after_it_are_right(value: bytes) -> None:
    data = raw("ORDERS", ["FTX+AAI+++??@:here"], syntax="UNOY:4").replace(b"@", value)
    (transaction,) = transactions(data)
    assert "\ufffd" in transaction.segments[1]
    assert transaction.offset_of(2, 4, 2) == data.index(b"here")
    assert transaction.offset_of(3) == data.index(b"UNT+")


@pytest.mark.parametrize(
    ("value", "syntax", "good"),
    [
        ("a\x85b", "UNOC", False),
        ("Ω\x85", "UNOF", False),
        ("a\u202eb", "UNOY", False),
        ("\u202e日本", "UNOW", False),
        ("日\ufeff本", "UNOY", False),
        ("日本\u3000語", "UNOY", True),
        ("\xa0x", "UNOC", True),
        ("Ω\xad", "UNOF", True),
        ("\x00", "UNOC", False),
        ("a\x7f", "UNOC", False),
    ],
)
def test_characters_that_cannot_be_seen_are_told_in_every_set(value: str, syntax: str, good: bool) -> None:
    body = "\n".join(lines("ORDERS")).replace("keep dry", "@").splitlines()
    data = raw("ORDERS", body, syntax=f"{syntax}:4").replace(b"@", value.encode(CHARACTER_SETS[syntax]))
    assert [p.fault for p in check(data).problems] == ([] if good else [Fault.CHARACTER_INVALID])


@pytest.mark.parametrize("value", ["日本", "\uff21\uff0b\uff22", "ガギグゲゴ", "ЖЗИЙ"])
def test_shifts_of_unox_are_followed_whatever_their_bytes_look_like(value: str) -> None:
    shifted = value.encode("iso2022_jp_2")
    assert b"\x1b$" in shifted
    data = raw("ORDERS", ["FTX+AAI+++a@b:here", "FTX+AAI+++c"], syntax="UNOX:4").replace(b"@", shifted)
    (transaction,) = transactions(data)
    assert transaction.segments[1].endswith(f"a{value}b{NORMAL.component}here")
    assert transaction.offset_of(2, 4, 2) == data.index(b"here")
    assert transaction.offset_of(4) == data.index(b"UNT+")
    assert alike(list(read(Pieces(data, 1, 2, 3)))) == alike(events(data))  # type: ignore[arg-type]


def test_a_shift_in_unb_hides_no_terminator() -> None:
    name = "倉+庫".encode("iso2022_jp_2")
    hidden = "\u0412\u0433".encode("iso2022_jp_2")  # whose bytes hold an apostrophe
    assert b"'" in hidden
    data = raw("ORDERS", lines("ORDERS"), syntax="UNOX:4").replace(
        b"SENDER", name.replace(b"+", b"?+") + hidden
    )
    first = interchange(data)
    assert (first.sender.id, first.receiver.id, first.control_number) == (
        "倉+庫\u0412\u0433",
        "RECEIVER",
        "7",
    )


@pytest.mark.parametrize(
    ("syntax", "value", "severity"),
    [
        ("UNOA:3", "lower", Severity.NOTE),
        ("UNOA:3", "A#B", Severity.NOTE),
        ("UNOB:3", "lower", None),
        ("UNOB:3", "a#b", Severity.NOTE),
        ("UNOA:3", "CAF\xc9", Severity.WARNING),
        ("UNOB:3", "caf\xe9", Severity.WARNING),
        ("UNOC:3", "caf\xe9#", None),
    ],
)
def test_characters_beyond_the_set_that_unb_names_are_told_once_and_read(
    syntax: str, value: str, severity: Severity | None
) -> None:
    for line_end in ("\n", "\n "):  # split at once, and segment by segment
        body = [f"FTX+AAI+++X{value}", f"FTX+AAI+++X{value}"]
        data = raw("ORDERS", body, syntax=syntax, line_end=line_end)
        (transaction,) = transactions(data)
        assert text_of(data) == f"X{value}"
        assert [p.severity for p in transaction.problems] == ([severity] if severity else [])
        for problem in transaction.problems:
            assert problem.value is not None
            assert problem.fault is Fault.CHARACTER_INVALID
            assert data[problem.offset :].decode("latin-1").startswith(problem.value)
        assert alike(list(read(Pieces(data, 3)))) == alike(events(data))  # type: ignore[arg-type]


def test_lower_case_in_a_thousand_messages_of_unoa_gives_nothing_up() -> None:
    one = "UNH+{0}+ORDERS:D:96A:UN'\nBGM+220+a{0}+9'\nUNT+3+{0}'\n"
    head, tail = raw("ORDERS", [], syntax="UNOA:3").split(b"UNH+1+ORDERS:D:96A:UN'\nUNT+2+1'\n")
    data = head + "".join(one.format(n) for n in range(1, 1501)).encode() + tail.replace(b"+1+", b"+1500+")
    found = events(data)
    assert sum(isinstance(event, Transaction) for event in found) == 1500
    assert {p.severity for p in problems(found)} == {Severity.NOTE}


# The bytes, however they come


@settings(max_examples=400, deadline=None)
@given(written())
def test_every_form_of_an_interchange_is_read_as_the_values_that_were_written_and_their_places(
    made: Written,
) -> None:
    (transaction,) = transactions(made.data)
    assert transaction.segments == made.segments
    for (position, element, component), offset in made.places.items():
        assert transaction.offset_of(position, element, component) == offset
    told = problems(events(made.data))
    assert {p.fault for p in told} <= {Fault.CHARACTER_INVALID}
    for problem in told:
        assert 0 <= (problem.offset or 0) < len(made.data)


@settings(max_examples=300, deadline=None)
@given(written(), st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(0, 400))
def test_events_are_the_same_however_few_bytes_a_stream_gives_at_a_time(
    made: Written, sizes: list[int], cut: int
) -> None:
    for data in (made.data, made.data[: max(3, len(made.data) - cut)], made.data + b"x" + made.data):
        try:
            whole = events(data)
        except NotEdi:
            continue
        assert alike(list(read(Pieces(data, *sizes)))) == alike(whole)  # type: ignore[arg-type]


def test_a_file_is_read_alike_in_pieces_of_every_size() -> None:
    data = raw(
        "ORDERS", [*lines("ORDERS")[:4], "FTX+AAI+++???'?+??:x??'"], una="UNA:+.? '\r\n", line_end="\r\n"
    )
    data += b" tail?' " + document("DESADV", "D.01B", syntax="UNOY:4").replace(b"SHIP", "SHÄP".encode())
    whole = alike(events(data))
    assert shape(whole) == "IGTgiIGTgi"
    for size in range(1, 120):
        assert alike(list(read(Pieces(data, size)))) == whole  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [80, 7, 3, 1])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_wrapped_lines_are_joined_even_between_a_release_character_and_what_it_releases(
    width: int, line_end: str
) -> None:
    body = "\n".join(lines("ORDERS")).replace("keep dry", "it?'s 1?+1 ??").splitlines()
    flat = raw("ORDERS", body, line_end="").decode()
    start = flat.index("UNH")
    wrapped = line_end.join(flat[at : at + width] for at in range(start, len(flat), width))
    data = (flat[:start] + wrapped).encode()
    (transaction,) = transactions(data)
    assert transaction.segments == transactions(flat.encode())[0].segments
    assert problems(events(data)) == []
    assert edifact.check(transaction).status == "accepted"
    plain = data.replace(b"\r", b"").replace(b"\n", b"")
    assert plain == flat.encode()
    for position in range(1, len(transaction.segments) + 1):
        rest = data[transaction.offset_of(position) :].translate(None, b"\r\n")
        assert rest.startswith(transaction.segments[position - 1][:3].encode())


@pytest.mark.parametrize("between", ["", "\n", "\r\n", "\n\n", " ", "\t\n", "'", "\n'\n"])
def test_line_ends_blanks_and_spare_terminators_between_segments_are_nothing(between: str) -> None:
    data = raw("ORDERS", lines("ORDERS"), line_end=between).removesuffix(between.encode())
    assert check(data).status == "accepted"
    assert problems(events(data)) == []
    (transaction,) = transactions(data)
    assert transaction.segments == transactions(document("ORDERS"))[0].segments
    for position, segment in enumerate(transaction.segments, 1):
        assert data[transaction.offset_of(position) :].startswith(segment[:3].encode())


@given(
    st.lists(st.sampled_from(sorted(DOCUMENTS)), min_size=1, max_size=4), st.sampled_from(["", "\n", "\r\n"])
)
def test_offsets_of_messages_are_exact_in_every_file(messages: list[str], line_end: str) -> None:
    data = b"".join(document(message).replace(b"\n", line_end.encode()) for message in messages)
    for transaction in transactions(data):
        offset = transaction.offset
        for segment in transaction.segments:
            spelled = segment.replace(NORMAL.element, "+").replace(NORMAL.component, ":")
            assert data[offset:].startswith(spelled.encode())
            offset += len(segment) + transaction.gap


@pytest.mark.parametrize("odd", ["\x07", "\xe9", "\x7f", "?'"])
def test_an_odd_character_is_found_wherever_in_a_long_file_it_stands(odd: str) -> None:
    text = document("ORDERS").decode("latin-1")
    start, end = text.index("UNH+"), text.index("UNZ+")
    one = text[start:end]
    count = 700_000 // len(one)
    for damaged in (0, 1, count // 2, count - 1):
        messages = [
            one.replace("UNH+1", f"UNH+{number}").replace("UNT+24+1", f"UNT+24+{number}")
            for number in range(1, count + 1)
        ]
        messages[damaged] = messages[damaged].replace("Store 12", f"Store{odd}12")
        data = (text[:start] + "".join(messages) + f"UNZ+{count}+7'").encode("latin-1")
        found = transactions(data)
        wrong = [at for at, t in enumerate(found) if edifact.check(t).status == "rejected"]
        assert wrong == ([] if odd in ("\xe9", "?'") else [damaged])
        assert not found[damaged].plain
        assert any(t.plain for t in found)


# What is missing


@pytest.mark.parametrize(
    ("cut", "expected", "missing"),
    [
        (b"UNT+", "IGTgi", [("UNT", "T"), ("UNE", "g"), ("UNZ", "i")]),
        (b"UNE+", "IGTgi", [("UNE", "g"), ("UNZ", "i")]),
        (b"UNZ+", "IGTgi", [("UNZ", "i")]),
        (b"UNH+", "IGgi", [("UNE", "g"), ("UNZ", "i")]),
        (b"UNG+", "Ii", [("UNZ", "i")]),
    ],
)
def test_a_file_that_ends_early_tells_every_trailer_it_lacks(
    cut: bytes, expected: str, missing: list[tuple[str, str]]
) -> None:
    data = grouped()
    found = events(data[: data.index(cut)])
    assert shape(found) == expected
    told = [(p.segment, shape([e])) for e in found for p in e.problems if p.fault is Fault.TRAILER_MISSING]
    assert told == missing


@pytest.mark.parametrize("gone", [b"UNT+", b"UNE+", b"UNZ+"])
def test_a_missing_trailer_in_the_middle_costs_nothing_after_it(gone: bytes) -> None:
    data = grouped()
    start = data.index(gone)
    broken = data[:start] + data[data.index(b"\n", start) + 1 :]
    found = events(broken + document("DESADV"))
    assert shape(found) == "IGTgiIGTgi"
    assert [p.fault for p in problems(found[:5])] == [Fault.TRAILER_MISSING]
    assert problems(found[5:]) == []


def test_a_missing_trailer_of_a_message_is_no_longer_told_as_a_missing_segment() -> None:
    data = document("ORDERS")
    start = data.index(b"UNT+")
    (problem,) = check(data[:start] + data[data.index(b"\n", start) + 1 :]).problems
    assert (problem.fault, problem.segment) == (Fault.TRAILER_MISSING, "UNT")


def test_the_last_terminator_may_be_missing() -> None:
    data = document("ORDERS").rstrip().rstrip(b"'")
    assert problems(events(data)) == []


def test_segments_outside_every_message_are_told_one_by_one() -> None:
    data = document("ORDERS").replace(b"\nUNZ", b"\nFTX+AAI'\nUNT+5+1'\nUNZ")
    end = only(events(data), GroupEnd)
    assert [(p.fault, p.segment) for p in end.problems] == [
        (Fault.HEADER_MISSING, "FTX"),
        (Fault.HEADER_MISSING, "UNT"),
    ]
    assert end.problems[0].offset == data.index(b"FTX+AAI'\nUNT")


# Packages


@pytest.mark.parametrize("payload", [b"'UNT+1+1'", b"\r\n\n''", b"plain", b"\x00\xff+:?", b"?", b""])
def test_a_package_is_passed_over_by_its_length(payload: bytes) -> None:
    package = b"UNO+P1+RFF:1+GIF:1+%d'%sUNP+%d+P1'\n" % (len(payload), payload, len(payload))
    data = document("ORDERS").replace(b"UNZ+1", package + b"UNZ+2")
    found = events(data)
    assert shape(found) == "IGTgi"
    (problem,) = problems(found)
    assert (problem.fault, problem.severity, problem.segment) == (
        *(Fault.SEGMENT_NOT_USED, Severity.WARNING, "UNO"),
    )
    assert list(read(Pieces(data, 1))) == found  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("package", "faults"),
    [
        (b"UNO+P1+RFF:1+GIF:1+5'12345UNP+5+P2'\n", [Fault.SEGMENT_NOT_USED, Fault.CONTROL_NUMBER_MISMATCH]),
        (b"UNO+P1+RFF:1+GIF:1+5'12345'\n", [Fault.SEGMENT_NOT_USED, Fault.TRAILER_MISSING]),
        (b"UNO+P1+RFF:1+GIF:1+x'UNP+5+P1'\n", [Fault.ENVELOPE_MALFORMED, Fault.HEADER_MISSING]),
        (b"UNO+P1'UNP+5+P1'\n", [Fault.ENVELOPE_MALFORMED, Fault.HEADER_MISSING]),
    ],
)
def test_a_package_that_is_not_whole_is_told(package: bytes, faults: list[Fault]) -> None:
    data = document("ORDERS").replace(b"UNZ+1", package + b"UNZ+2")
    assert [p.fault for p in problems(events(data))] == faults


def test_a_package_that_claims_more_than_the_file_has_ends_it() -> None:
    data = document("ORDERS").replace(b"UNZ+1", b"UNO+P1+RFF:1+GIF:1+999999999999'\nUNZ+2")
    found = events(data)
    assert shape(found) == "IGTgi"
    assert [p.segment for p in problems(found)] == ["UNO", "UNP", "UNZ"]


# Trailers, headers and limits


@pytest.mark.parametrize(
    ("old", "new", "fault", "segment", "element", "severity"),
    [
        (b"UNT+24+1", b"UNT+23+1", Fault.COUNT_MISMATCH, "UNT", 1, "error"),
        (b"UNT+24+1", b"UNT+24+2", Fault.CONTROL_NUMBER_MISMATCH, "UNT", 2, "error"),
        (b"UNT+24+1", b"UNT+24+001", Fault.CONTROL_NUMBER_MISMATCH, "UNT", 2, "warning"),
        (b"UNE+1+5", b"UNE+2+5", Fault.COUNT_MISMATCH, "UNE", 1, "error"),
        (b"UNE+1+5", b"UNE+1+6", Fault.CONTROL_NUMBER_MISMATCH, "UNE", 2, "error"),
        (b"UNZ+1+7", b"UNZ+2+7", Fault.COUNT_MISMATCH, "UNZ", 1, "error"),
        (b"UNZ+1+7", b"UNZ+1+8", Fault.CONTROL_NUMBER_MISMATCH, "UNZ", 2, "error"),
        (b"UNZ+1+7", b"UNZ+1+07", Fault.CONTROL_NUMBER_MISMATCH, "UNZ", 2, "warning"),
        (b"UNZ+1+7", b"UNZ+1\r\n+?8", Fault.CONTROL_NUMBER_MISMATCH, "UNZ", 2, "error"),
        (b"UNT+24+1", b"UNT+\n2\n4+?7", Fault.CONTROL_NUMBER_MISMATCH, "UNT", 2, "error"),
        (b"UNE+1+5", b"UNE+?1+6", Fault.CONTROL_NUMBER_MISMATCH, "UNE", 2, "error"),
    ],
)
def test_wrong_trailers_are_told_with_their_place(
    old: bytes, new: bytes, fault: Fault, segment: str, element: int, severity: str
) -> None:
    data = grouped()
    assert data.count(old) == 1
    data = data.replace(old, new)
    (problem,) = problems(events(data))
    assert (problem.fault, problem.segment, problem.element) == (fault, segment, element)
    assert problem.severity == severity
    assert problem.value is not None
    here = data[problem.offset :].replace(b"?", b"").replace(b"\n", b"")
    assert here.startswith(problem.value.encode())


@pytest.mark.parametrize(
    ("old", "new", "fault", "segment", "element", "severity"),
    [
        (b"UNOC:3", b"UNOC:5", Fault.VERSION_UNKNOWN, "UNB", 1, "error"),
        (b"UNOC:3", b"XXXC:3", Fault.CODE_UNKNOWN, "UNB", 1, "warning"),
        (b"+SENDER:14", b"+A?+B?:?'\nC:14", Fault.CHARACTER_INVALID, "UNB", 2, ""),
        (b"+SENDER:", b"+SEN\x07ER:", Fault.CHARACTER_INVALID, "UNB", 2, "error"),
        (b":1230+7'\nUNG", b":1230+7+A+B\x07+C+1+D+1'\nUNG", Fault.CHARACTER_INVALID, "UNB", 7, "error"),
        (b"+SENDER:", b"+" + b"S" * 36 + b":", Fault.TOO_LONG, "UNB", 2, "warning"),
        (b"+260106:1230+7", b"+26A106:1230+7", Fault.NUMBER_INVALID, "UNB", 4, "warning"),
        (b"+260106:1230+7", b"+260106:123+7", Fault.TOO_SHORT, "UNB", 4, "warning"),
        (b"+260106:1230+7", b"+20260106:1230+7", Fault.TOO_LONG, "UNB", 4, ""),
        (b":1230+7'", b":1230+7++++Q'", Fault.NUMBER_INVALID, "UNB", 9, "warning"),
        (b":1230+7'", b":1230+7++++++2'", Fault.CODE_UNKNOWN, "UNB", 11, "warning"),
        (b"+DEPT1+", b"+DE\x07T1+", Fault.CHARACTER_INVALID, "UNG", 2, "error"),
        (b"+260106:1230+5", b"+260106:12x0+5", Fault.NUMBER_INVALID, "UNG", 4, "warning"),
        (b"+260106:1230+5", b"?+?++260106:12x0+5", Fault.NUMBER_INVALID, "UNG", 4, "warning"),
    ],
)
def test_values_of_headers_are_looked_at_and_told_with_their_place(
    old: bytes, new: bytes, fault: Fault, segment: str, element: int, severity: str
) -> None:
    data = grouped()
    assert data.count(old) == 1
    data = data.replace(old, new)
    told = [p for p in problems(events(data)) if p.segment == segment and p.element == element]
    assert [(p.fault, p.severity) for p in told] == ([(fault, severity)] if severity else [])
    for problem in told:
        assert problem.value is not None
        assert data[problem.offset :].decode("latin-1").startswith(problem.value)


def test_released_characters_and_wrapped_lines_in_unb_move_the_places_after_them() -> None:
    data = document("ORDERS").replace(b"SENDER:14", b"A?+B??\r\n?:C:14").replace(b":1230+7", b":12x0+7")
    first = interchange(data)
    assert first.sender == PartyId("14", "A+B?:C")
    (problem,) = first.problems
    assert data[problem.offset :].startswith(b"12x0+7")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "neither UNA nor UNB"),
        (b"hello", "neither UNA nor UNB"),
        (b"UNG+ORDERS+A+B'", "begins with UNG: the interchange header UNB"),
        (b"UNH+1+ORDERS:D:96A:UN'", "begins with UNH: the interchange header UNB"),
        (b"ISA*00*", "neither UNA nor UNB"),
        (b"U", "neither UNA nor UNB"),
        (b"\x00" * 100_000 + b"UNB+", "neither UNA nor UNB"),
    ],
)
def test_what_is_no_edifact_is_refused_with_what_it_lacks(data: bytes, message: str) -> None:
    with pytest.raises(NotEdi, match=message):
        events(data)


def test_limits_may_be_set_by_the_caller() -> None:
    for limits, line_end in (
        (Limits(segments=5), "\n"),
        (Limits(segments=5), " "),
        (Limits(transaction=50), " "),
    ):
        data = raw("ORDERS", lines("ORDERS"), line_end=line_end)
        (transaction,) = (e for e in events(data, limits) if isinstance(e, Transaction))
        assert [p.fault for p in transaction.problems] == [Fault.LIMIT_EXCEEDED]
        verdict = edifact.check(transaction)
        assert (verdict.status, verdict.problems) == ("rejected", transaction.problems)
    found = events(document("ORDERS"), Limits(segment=60))
    assert Fault.LIMIT_EXCEEDED in {p.fault for p in problems(found)}
    found = events(document("ORDERS") + document("DESADV"), Limits(segment=60, elements=2))
    assert shape(found).endswith("i")
    assert Fault.LIMIT_EXCEEDED in {p.fault for p in problems(found)}


def test_what_is_written_with_every_service_character_is_read_back() -> None:
    for message in DOCUMENTS:
        for syntax in ("UNOC:3", "UNOC:4", "UNOY:4"):
            data = document(
                message, syntax=syntax, separators=writer.LEVEL_A._replace(element="|", segment="~")
            )
            assert data.startswith(b"UNA:|.?")
            assert check(data).problems == ()
