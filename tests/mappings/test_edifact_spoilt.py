"""Messages that hold what they should not: a map reads them or says why not, and writes all it has read."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from maps_support import QUICKLY, each, placed, rows_of_everything, standard, told

from edi.documents import decode, encode
from edi.problems import CannotWrite
from edi.tree import NORMAL

OURS = [
    *("INSDES", "INVRPT", "INVRPT.inventory_adjustment", "RETANN", "IFTSTA"),
    *("SLSRPT", "DELFOR", "DELFOR.ship_schedule", "IFTMIN", "OSTRPT"),
]
PARTS = [
    *("", "X", "0", "1", "-5", "1.5", "2", "10", "37", "38", "63", "64", "113", "137", "156", "220"),
    *("20260105", "102", "203", "9", "92", "EN", "SA", "LI", "ON", "BX", "BJ", "F", "W", "4", "1\x1f2"),
]


@each(OURS)
def test_what_is_read_of_a_spoilt_message_is_written_again(transaction_set: str, version: str) -> None:
    map = standard(transaction_set, version)
    whole, places = rows_of_everything(transaction_set, version)
    nodes = map.definition.nodes

    @settings(max_examples=40, deadline=None, phases=QUICKLY, suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=False))
    def spoilt(chance: random.Random) -> None:
        kept = [
            at
            for at in range(1, len(whole) - 1)
            for _ in range(1 if at == 1 or nodes[places[at]].first else chance.choice((0, 1, 1, 2)))
        ]
        rows = [list(whole[at]) for at in kept]
        for _ in range(chance.randint(0, 5)):
            row = chance.choice(rows)
            at = chance.randint(1, 6)
            row.extend([""] * (at + 1 - len(row)))
            parts = row[at].split("\x1f")
            parts[chance.randrange(len(parts))] = chance.choice(PARTS)
            row[at] = "\x1f".join(parts)
        document, problems = map.read(rows, tuple(places[at] for at in kept), NORMAL)
        if document is None:
            assert problems
            return
        assert decode(encode(document)) == document
        try:
            written = placed(map, document)
        except CannotWrite as why:
            assume(not all(" would be read as " in problem.message for problem in why.problems))
            raise
        again, problems = map.read([row for _, row in written], tuple(node for node, _ in written), NORMAL)
        assert problems == ()
        assert again is not None
        assert sorted(told(map.write(again))) == sorted(told([row for _, row in written]))

    spoilt()


@pytest.mark.parametrize("transaction_set", OURS)
def test_a_message_without_anything_is_told_to_lack_what_a_document_needs(transaction_set: str) -> None:
    document, problems = standard(transaction_set).read([["BGM"]], (1,), NORMAL)
    assert (document is None) == bool(problems)
