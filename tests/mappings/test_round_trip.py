"""Writing and reading a document gives the document back, for any document a map can write."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from maps_strategies import documents
from maps_support import MESSAGES, QUICKLY, SETS, each, flat, placed, separators_of, shaped, standard

import x12
from edi.documents import decode, encode
from edi.example import example
from edi.problems import CannotWrite
from edi.tree import Separators, Transaction
from mappings.quick import DOUBTS


@each([*SETS, *MESSAGES])
def test_a_written_document_is_read_back_equal(transaction_set: str, version: str) -> None:
    map = standard(transaction_set, version)
    separators = separators_of(map)

    @settings(max_examples=12, deadline=None, phases=QUICKLY, suppress_health_check=list(HealthCheck))
    @given(documents(map))
    def round_trip(document: Any) -> None:
        try:
            rows_and_nodes = placed(map, document)
        except CannotWrite as why:
            ambiguous = all(" would be read as " in problem.message for problem in why.problems)
            assume(not ambiguous)  # a second description where there is no first
            raise
        rows = [row for _, row in rows_and_nodes]
        again, problems = map.read(rows, tuple(node for node, _ in rows_and_nodes), separators)
        assert problems == ()
        assert again == document
        assert flat(map.write(again), separators) == rows
        assert decode(encode(document)) == document
        assert map._write is not None
        assert map._write(shaped(map, document), separators.component) == rows

    round_trip()


def plain(rows: list[list[str]]) -> list[list[str]]:
    """Rows without the counts, which the writer makes, and without zeros before numbers."""
    return [
        [text.lstrip("0") if text.isdecimal() else text for text in row] for row in rows if row[0] != "CTT"
    ]


@each(SETS)
def test_one_of_everything_that_a_set_has_is_written_as_it_was_read(
    transaction_set: str, version: str
) -> None:
    map = standard(transaction_set, version)
    body = ["*".join(row) for row in flat(example(map.definition, full=True))]
    segments = (f"ST*{transaction_set}*0001", *body, f"SE*{len(body) + 2}*0001")
    check = x12.check(Transaction(transaction_set, "0001", version, Separators(), segments, 0))
    assert check.problems == ()
    document, problems = map.read(check.rows, check.places)
    assert problems == ()
    assert document is not None
    assert plain(flat(map.write(document))) == plain(check.rows[1:-1])


# What a document made in Python, not decoded, may wrongly hold.
WRONG = ["", "00", "EA", "a>b", "a\x1fb", None, 5, True, 1.5, Decimal("NaN"), Decimal("1E+99"),
         dt.datetime(2026, 1, 5), ("a", ""), (5,), {"": "x"}, {"k": ""}, {"k": 5},
         {f"k{n}": "v" for n in range(30)}, ("x",) * 30, (("BEG01", "07"),), (("TD3", "TL"),),
         (("FOO", "1"),)]  # fmt: skip


def spoil(value: Any, data: st.DataObject) -> Any:
    """`value` with one field, somewhere in it, holding what may be wrong for it."""
    if isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
        at = data.draw(st.integers(0, len(value) - 1))
        return (*value[:at], spoil(value[at], data), *value[at + 1 :])
    if not isinstance(value, msgspec.Struct):
        return data.draw(st.sampled_from(WRONG))
    names = value.__struct_fields__
    inner = [name for name in names if _is_struct(getattr(value, name))]
    if inner and data.draw(st.booleans()):
        name = data.draw(st.sampled_from(inner))
        return msgspec.structs.replace(value, **{name: spoil(getattr(value, name), data)})
    return msgspec.structs.replace(
        value, **{data.draw(st.sampled_from(names)): data.draw(st.sampled_from(WRONG))}
    )


def _is_struct(value: Any) -> bool:
    return isinstance(value, msgspec.Struct) or (
        isinstance(value, tuple) and bool(value) and isinstance(value[0], msgspec.Struct)
    )


@pytest.mark.parametrize("transaction_set", [*SETS, *MESSAGES])
def test_the_compiled_writer_writes_only_what_the_other_writes(transaction_set: str) -> None:
    map = standard(transaction_set)
    separator = separators_of(map).component

    @settings(max_examples=25, deadline=None, phases=QUICKLY, suppress_health_check=list(HealthCheck))
    @given(documents(map), st.data())
    def sound(document: Any, data: st.DataObject) -> None:
        spoiled = spoil(document, data)
        assert map._write is not None
        try:
            quick = map._write(shaped(map, spoiled), separator)
        except (*DOUBTS, CannotWrite):
            return
        assert quick == [row for _, row in placed(map, spoiled)]

    sound()


@pytest.mark.parametrize("transaction_set", [*SETS, *MESSAGES])
def test_a_spoiled_document_is_written_or_refused_but_never_crashes_the_writer(transaction_set: str) -> None:
    map = standard(transaction_set)

    @settings(max_examples=12, deadline=None, phases=QUICKLY, suppress_health_check=list(HealthCheck))
    @given(documents(map), st.data())
    def refused(document: Any, data: st.DataObject) -> None:
        spoiled = spoil(document, data)
        try:
            texts = [text for row in flat(map.write(spoiled)) for text in row]
        except CannotWrite as why:
            texts = [problem.message for problem in why.problems] or [None]
        assert all(isinstance(text, str) for text in texts)

    refused()
