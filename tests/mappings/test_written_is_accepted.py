"""What is written is what `edi check` accepts, envelope and all, or it is not written."""

from __future__ import annotations

import io
import json
from datetime import datetime
from typing import Any

import pytest
import test_written_catalog
import test_written_freight
import test_written_orders
import test_written_planning
import test_written_sets
import test_written_stock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from maps_strategies import documents
from maps_support import QUICKLY, SETS, accepted, each, standard, versions

from edi.documents import Document, NotADocument, decode, encode
from edi.problems import CannotWrite
from edi.report import problems_in
from edi.tree import PartyId, Separators
from gateway import edi
from gateway.edi import Envelope

DOCUMENTS: dict[str, Document] = {
    **test_written_catalog.DOCUMENTS,
    **test_written_freight.DOCUMENTS,
    **test_written_orders.DOCUMENTS,
    **test_written_planning.DOCUMENTS,
    **test_written_sets.DOCUMENTS,
    **test_written_stock.DOCUMENTS,
}
IDS = st.builds(
    PartyId,
    st.sampled_from(["ZZ", "01", "12", "Z", ""]),
    st.sampled_from(["SENDER", "A", "X" * 15, "X" * 16, "", "a*b", "a>b", " B", "\x07", "é"]),
)
SEPARATORS = st.sampled_from(
    [
        Separators(),
        Separators("|", ":", "'", "^", suffix="\n"),
        Separators("*", "*", "~"),
        Separators("A", ">", "~"),
        Separators("*", ">", "\n"),
        Separators(" ", ">", "~"),
        Separators("*", ">", "~", "!", suffix="\r\n"),
    ]
)
ENVELOPES = st.builds(
    Envelope,
    sender=st.just(PartyId("ZZ", "SENDER")) | IDS,
    receiver=st.just(PartyId("01", "RECEIVER")) | IDS,
    version=st.sampled_from(
        ["004010", "005010", "004010VICS", "005010X231A1", "003050", "", "4010", "004010*"]
    ),
    usage=st.sampled_from(["P", "T", "X", "", "PP"]),
    ack_requested=st.booleans(),
    group_sender=st.sampled_from(["", "G", "X" * 15, "X" * 16, "a*"]),
    group_receiver=st.just(""),
    separators=SEPARATORS,
)
CONTROL_NUMBERS = st.sampled_from([1, 999_999_999, 0, -1, 10**9])
NOW = datetime(2026, 1, 5, 12, 30)
MOMENTS = st.sampled_from([NOW, datetime(1999, 12, 31, 23, 59)])


def passes(data: bytes) -> bool:
    """Whether `edi check` accepts every part of a file."""
    return not [told for told in problems_in(edi.check(io.BytesIO(data))) if told["severity"] == "error"]


@each(DOCUMENTS)
def test_a_document_made_by_hand_is_written_as_the_full_check_accepts_it(
    transaction_set: str, version: str
) -> None:
    assert accepted(DOCUMENTS[transaction_set], transaction_set, version)


@each(SETS)
def test_any_document_is_written_as_the_checker_accepts_it_or_not_at_all(
    transaction_set: str, version: str
) -> None:
    map = standard(transaction_set, version)
    said = Envelope(PartyId("ZZ", "SENDER"), PartyId("01", "RECEIVER"), version)

    @settings(max_examples=6, deadline=None, phases=QUICKLY, suppress_health_check=list(HealthCheck))
    @given(documents(map))
    def written(document: Any) -> None:
        try:
            data = edi.write(transaction_set, [document], said, now=NOW)
        except CannotWrite:
            return
        assert passes(data)

    written()


SPOILT = st.sampled_from(
    ["", " ", "a*b", "a>b", "a~b", "a^b", "\x07", "\x1f", "\x1d", "\n", "日", "é", "x" * 90]
)


def _texts(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of every text in a JSON value."""
    if isinstance(value, str):
        return [path]
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in inside for found in _texts(item, (*path, key))]


@pytest.mark.parametrize("transaction_set", sorted(DOCUMENTS))
def test_a_document_with_a_text_spoilt_is_written_as_the_checker_accepts_it_or_not_at_all(
    transaction_set: str,
) -> None:
    whole = json.loads(encode(DOCUMENTS[transaction_set]))
    paths = [path for path in _texts(whole) if path != ("schema",)]
    separators = Separators(repetition="^")

    @settings(max_examples=25, deadline=None, phases=QUICKLY, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(st.sampled_from(paths), SPOILT), min_size=1, max_size=3), st.booleans())
    def written(damage: list[tuple[tuple[str | int, ...], str]], newer: bool) -> None:
        spoilt = json.loads(json.dumps(whole))
        for path, text in damage:
            owner = spoilt
            for key in path[:-1]:
                owner = owner[key]
            owner[path[-1]] = text
        version = "005010" if newer else versions(transaction_set)[0]
        said = Envelope(PartyId("ZZ", "SENDER"), PartyId("01", "RECEIVER"), version, separators=separators)
        try:
            document = decode(json.dumps(spoilt).encode())
            data = edi.write(transaction_set, [document], said, now=NOW)
        except (NotADocument, CannotWrite):
            return
        assert passes(data)

    written()


@settings(max_examples=400, deadline=None)
@given(ENVELOPES, MOMENTS, CONTROL_NUMBERS)
def test_any_envelope_is_written_as_it_is_read_or_not_at_all(
    envelope: Envelope, now: datetime, control_number: int
) -> None:
    try:
        data = edi.write("850", [DOCUMENTS["850"]], envelope, now=now, control_number=control_number)
    except CannotWrite:
        return
    assert passes(data), data
