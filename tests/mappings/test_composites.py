"""Composites between documents and bytes: separators belong to the bytes alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
from maps_support import checked, interchange, standard

from edi.documents import decode, encode
from edi.tree import PartyId, Separators
from x12 import writer

ORDER = interchange("""
    ST*850*0001
    BEG*00*SA*PO1**20260105
    PO1*1*5*EA*2.5**VN*A
    CTP**RTL*3*7*LB>2
    MEA*PD*WT*3*LB>2
    CTT*1
""")

ENVELOPE = writer.Envelope(
    sender=PartyId("ZZ", "A"),
    receiver=PartyId("ZZ", "B"),
    control_number=1,
    group_control_number=1,
    functional_id="PO",
    version="004010",
    now=datetime(2026, 1, 5, tzinfo=UTC),
)


def read(data: bytes) -> Any:
    transaction, check = checked(data)
    assert check.status == "accepted", check.problems
    document, problems = standard("850").read(check.rows, check.places, transaction.separators)
    assert problems == ()
    return document


def test_composites_read_under_one_separator_are_written_under_another() -> None:
    order = read(ORDER)
    assert order.lines[0].measures[0].unit == "pound"
    rows = standard("850").write(order)
    assert ["MEA", "PD", "WT", "3", ("LB", "2")] in rows
    assert ["CTP", "", "RTL", "3", "7", ("LB", "2")] in rows
    other = replace(ENVELOPE, separators=Separators(element="|", component=":", segment="'"))
    data = writer.write(other, [writer.Body("850", 1, rows)], check=True)
    assert b"MEA|PD|WT|3|LB:2'" in data
    assert b"CTP||RTL|3|7|LB:2'" in data
    assert read(data) == order
    assert decode(encode(order)) == order


def test_the_partner_of_a_document_stands_in_no_segment() -> None:
    order = read(ORDER)
    named = msgspec.structs.replace(order, partner="bigmart")
    assert standard("850").write(named) == standard("850").write(order)
