"""Writing and reading a document gives the document back, for any document a map can write."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from maps_strategies import documents
from maps_support import standard

from edi.documents import decode, encode
from mappings.writer import placed_rows

SETS = ["850", "856", "940", "945", "810", "997"]


@pytest.mark.parametrize("version", ["004010", "005010"])
@pytest.mark.parametrize("transaction_set", SETS)
def test_a_written_document_is_read_back_equal(transaction_set: str, version: str) -> None:
    map = standard(transaction_set, version)

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def round_trip(data: st.DataObject) -> None:
        document = data.draw(documents(map))
        placed = placed_rows(map._scope, document, map.definition.nodes, ">")
        rows = [row for _, row in placed]
        again, problems = map.read(rows, tuple(node for node, _ in placed))
        assert problems == ()
        assert again == document
        assert map.write(again) == rows
        assert decode(encode(document)) == document
        assert map._write is not None
        assert map._write(document, ">") == rows

    round_trip()
