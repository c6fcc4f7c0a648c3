"""The writer: what it writes is read back the same, and what would not be is refused."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from x12_support import DOCUMENTS, GROUPS, VERSIONS, check, envelope, events, only, rows, shape, transactions

import x12
from edi.elements import decoded
from edi.problems import CannotWrite, Fault
from edi.tree import Group, Interchange, PartyId, Separators
from x12.codec import read
from x12.writer import Body, write, write_transaction

CHARACTERS = st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="*>~^\x7f")
VALUE = st.text(CHARACTERS, max_size=20).filter(lambda value: decoded(value) is not None)
ROW = st.tuples(
    st.sampled_from(["REF", "N1", "PO1", "MSG", "ZZ9"]),
    st.lists(st.one_of(VALUE, st.tuples(VALUE, VALUE, VALUE)), min_size=1, max_size=6),
).map(lambda pair: [pair[0], *pair[1]])


REPEATED = st.lists(st.one_of(VALUE, st.tuples(VALUE, VALUE)), min_size=2, max_size=4)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(VALUE, REPEATED), min_size=1, max_size=4).filter(lambda row: row[-1]))
def test_repetitions_are_written_between_their_separator_and_never_where_there_is_none(
    values: list[str | list[str | tuple[str, ...]]],
) -> None:
    body = [["REF", *values, "END"]]
    (transaction,) = transactions(write(envelope("005010"), [Body("850", 1, body)]))
    expected = [
        "^".join(">".join(v).rstrip(">") if isinstance(v, tuple) else v for v in value)
        if isinstance(value, list)
        else value
        for value in values
    ]
    assert transaction.segments[1].split("*")[1:-1] == expected
    if any(isinstance(value, list) for value in values):
        with pytest.raises(CannotWrite, match="repeats"):
            write(envelope("004010"), [Body("850", 1, body)])


def test_a_set_in_a_group_of_others_and_a_number_given_twice_are_refused_when_asked_to_check() -> None:
    with pytest.raises(CannotWrite, match="GS01 IN is no group of 850"):
        write(envelope(functional_id="IN"), [Body("850", 1, rows("850"))], check=True)
    with pytest.raises(CannotWrite, match="ST02 0001 stands twice"):
        write(envelope(), [Body("850", 1, rows("850"))] * 2, check=True)


def _normal(row: list[str | tuple[str, ...]]) -> list[str]:
    """A row as it is read: components joined, nothing empty at the end of anything."""
    values = [v if isinstance(v, str) else ">".join(v).rstrip(">") for v in row]
    while len(values) > 1 and not values[-1]:
        values.pop()
    return values


@settings(max_examples=200, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=8), st.sampled_from(VERSIONS), st.sampled_from(["", "\n", "\r\n"]))
def test_what_is_written_is_read_back_the_same(
    body: list[list[str | tuple[str, ...]]], version: str, line_end: str
) -> None:
    said = envelope(version, separators=Separators(suffix=line_end))
    data = write(said, [Body("850", 1, body), Body("850", 2, body)])
    found = events(data)
    assert shape(found) == "IGTTgi"
    assert not any(e.problems for e in found)
    for transaction in transactions(data):
        read_rows = [segment.split("*") for segment in transaction.segments]
        assert read_rows[1:-1] == [_normal(row) for row in body]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("transaction_set", sorted(DOCUMENTS))
def test_a_file_written_from_its_own_rows_is_the_same_bytes(transaction_set: str, version: str) -> None:
    said = envelope(version, GROUPS[transaction_set])
    data = write(said, [Body(transaction_set, 1, rows(transaction_set))], check=True)
    verdict = check(data)
    components = [[tuple(v.split(">")) if ">" in v else v for v in row] for row in verdict.rows[1:-1]]
    assert write(said, [Body(transaction_set, 1, components)]) == data


def test_isa_has_its_fixed_width_and_says_what_the_envelope_says() -> None:
    data = write(envelope("005010VICS", usage="T", ack_requested=True), [Body("850", 12345, rows("850"))])
    assert data.index(b"~") == 105
    first = only(events(data), Interchange)
    assert isinstance(first, Interchange)
    assert (first.usage, first.ack_requested, first.version, first.separators.repetition) == (
        "T",
        True,
        "00501",
        "^",
    )
    assert (first.date, first.time, first.control_number) == ("260106", "1230", "000000007")
    group = only(events(data), Group)
    assert isinstance(group, Group)
    assert (group.version, group.functional_id, group.sender) == ("005010VICS", "PO", "SENDER")
    assert transactions(data)[0].control_number == "12345"


def test_group_parties_may_differ_from_those_of_the_interchange() -> None:
    data = write(envelope(group_sender="DEPT1", group_receiver="DEPT2"), [Body("850", 1, rows("850"))])
    assert b"GS*PO*DEPT1*DEPT2*20260106*1230*3*X*004010~" in data


def test_an_interchange_without_sets_has_no_group() -> None:
    data = write(envelope(), [], loose=[["TA1", "000000001", "260101", "1200", "A", "000"]])
    found = events(data)
    assert shape(found) == "Ii"
    assert found[-1].loose == ("TA1*000000001*260101*1200*A*000",)  # type: ignore[union-attr]
    assert found[-1].problems == ()
    assert data.endswith(b"IEA*0*000000007~\n")


@pytest.mark.parametrize("value", ["a*b", "a~b", "a>b", "a\nb", "a\x00b", "Ω", "a\x85b"])
def test_data_that_would_change_the_meaning_of_the_bytes_is_refused_or_replaced(value: str) -> None:
    body = [["REF", "DP", value]]
    with pytest.raises(CannotWrite, match="REF02"):
        write(envelope(), [Body("850", 1, body)])
    data = write(envelope(), [Body("850", 1, body)], replace="?")
    assert transactions(data)[0].segments[1] in ("REF*DP*a?b", "REF*DP*?")


def test_every_value_that_cannot_be_written_is_told_with_its_place() -> None:
    body: list[list[str | tuple[str, ...]]] = [
        ["BEG", "00", "SA", "PO*1", "", "2026~"],
        ["REF", "DP", "1"],
        ["PO1", "1", "1\x07", ("a>b", "c")],
    ]
    with pytest.raises(CannotWrite) as refused:
        write(envelope(), [Body("850", 1, body)])
    assert [(p.segment, p.position, p.element, p.value) for p in refused.value.problems] == [
        ("BEG", 2, 3, "PO*1"),
        ("BEG", 2, 5, "2026~"),
        ("PO1", 4, 2, "1\x07"),
        ("PO1", 4, 3, "a>b"),
    ]


def test_the_repetition_separator_is_refused_only_where_the_version_has_one() -> None:
    body = [["REF", "DP", "a^b"]]
    assert b"a^b" in write(envelope("004010"), [Body("850", 1, body)])
    with pytest.raises(CannotWrite, match="REF02"):
        write(envelope("005010"), [Body("850", 1, body)])


def test_a_replacement_that_is_itself_a_separator_is_no_way_out() -> None:
    with pytest.raises(CannotWrite):
        write(envelope(), [Body("850", 1, [["REF", "DP", "a*b"]])], replace="*")


def test_utf8_that_was_read_is_written_as_the_same_bytes() -> None:
    text = "日本 café".encode().decode("latin-1")
    body = [["MSG", text]]
    assert "日本 café".encode() in write(envelope(), [Body("850", 1, body)])


@pytest.mark.parametrize(
    "changes",
    [
        {"sender": PartyId("ZZ", "X" * 16)},
        {"receiver": PartyId("Z", "X")},
        {"sender": PartyId("ZZ", "")},
        {"sender": PartyId("ZZ", "A*B")},
        {"control_number": 1_000_000_000},
        {"group_control_number": 0},
        {"group_sender": "A~B"},
        {"separators": Separators(element="A")},
        {"separators": Separators(component="~")},
        {"separators": Separators(segment=" ")},
        {"separators": Separators(element="*", repetition="*"), "version": "005010"},
    ],
)
def test_an_envelope_that_cannot_be_written_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(CannotWrite):
        write(envelope(**changes), [Body("850", 1, rows("850"))])  # type: ignore[arg-type]


def test_what_the_checker_would_reject_is_not_written_when_asked_to_check() -> None:
    body = rows("850")
    body[0][3] = ""
    assert b"BEG*00*SA***20260105" in write(envelope(), [Body("850", 1, body)])
    with pytest.raises(CannotWrite, match="BEG03") as refused:
        write(envelope(), [Body("850", 1, body)], check=True)
    assert [p.fault for p in refused.value.problems] == [Fault.ELEMENT_MISSING]


def test_a_transaction_can_be_written_without_an_envelope() -> None:
    segments = write_transaction(Body("850", 7, rows("850")), Separators())
    assert segments[0] == "ST*850*0007"
    assert segments[-1] == f"SE*{len(segments)}*0007"


def test_sets_are_numbered_as_the_caller_says() -> None:
    data = write(envelope(), [Body("850", number, rows("850")) for number in (9, 10, 123456789)])
    assert [t.control_number for t in transactions(data)] == ["0009", "0010", "123456789"]
    assert all(x12.check(t).status == "accepted" for t in transactions(data))
    assert len(list(read(io.BytesIO(data)))) == 7


@pytest.mark.parametrize(
    ("read_as", "expected"),
    [
        (Separators(), ("*", ">", "~", "^")),
        (Separators(component=""), ("*", ">", "~", "^")),
        (Separators(element=">", component=""), (">", ":", "~", "^")),
        (Separators(segment="\xe2\x80\xa6"), ("*", ">", "~", "^")),
        (Separators(segment="\n", repetition="!"), ("*", ">", "\n", "!")),
    ],
)
def test_separators_that_were_read_are_mirrored_or_give_way_to_usual_ones(
    read_as: Separators, expected: tuple[str, ...]
) -> None:
    data = write(envelope("005010", separators=read_as), [Body("850", 1, rows("850"))])
    first = only(events(data), Interchange)
    assert isinstance(first, Interchange)
    assert first.separators[:4] == expected
    assert x12.check(transactions(data)[0]).status == "accepted"
