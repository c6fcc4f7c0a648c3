"""The canonical documents as JSON, which is what an ERP sees."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest

from edi.documents import (
    DOCUMENTS,
    Invoice,
    Level,
    Mark,
    NotADocument,
    OrderLine,
    Party,
    Reference,
    SalesOrder,
    ShipNotice,
    WarehouseLine,
    WarehouseOrder,
    decode,
    encode,
    grouped,
    schema_of,
)
from edi.schemas.derive import file_of, text_of

ORDER = SalesOrder(
    number="4600000406",
    ordered_on=dt.date(2026, 1, 5),
    parties=(Party(role="ship_to", name="STORE 12", ids={"gln": "0012345000010"}),),
    references=(Reference(type="department", value="038"),),
    lines=(OrderLine(number="1", quantity=Decimal("120"), unit="each", price=Decimal("9.50")),),
)
DEEP = b'[{"kind":"pack","levels":' * 100_000


def test_a_document_is_one_line_of_json_that_begins_with_its_schema() -> None:
    assert encode(ORDER) == (
        b'{"schema":"tradelane.sales_order/1","number":"4600000406","ordered_on":"2026-01-05",'
        b'"references":[{"type":"department","value":"038"}],'
        b'"parties":[{"role":"ship_to","name":"STORE 12","ids":{"gln":"0012345000010"}}],'
        b'"lines":[{"number":"1","quantity":"120","unit":"each","price":"9.50"}]}'
    )
    assert decode(encode(ORDER)) == ORDER


def test_a_decimal_keeps_its_digits_whether_it_comes_as_number_or_text() -> None:
    data = b'{"schema":"tradelane.sales_order/1","number":"1","lines":[{"price":9.50},{"price":"0.10"}]}'
    order = decode(data)
    assert isinstance(order, SalesOrder)
    assert [str(line.price) for line in order.lines] == ["9.50", "0.10"]


def test_parties_references_and_dates_are_found_by_what_they_are() -> None:
    party = ORDER.party("ship_to")
    assert party is not None
    assert party.name == "STORE 12"
    assert ORDER.party("bill_to") is None
    assert ORDER.reference("department") == "038"
    assert ORDER.reference("bill_of_lading") is None


def test_lines_of_a_warehouse_order_are_in_groups_numbered_from_one() -> None:
    lines = (WarehouseLine(quantity=Decimal(2)), WarehouseLine(quantity=Decimal(3)))
    order = WarehouseOrder(number="W1", groups=grouped(lines))
    assert [group.number for group in order.groups] == [1, 2]
    assert order.lines == lines


def test_the_levels_of_a_shipment_are_walked_in_the_order_they_are_written() -> None:
    pack = Level(kind="pack", marks=(Mark(type="sscc", number="1"),), levels=(Level(kind="item"),))
    notice = ShipNotice(number="S1", levels=(Level(kind="shipment", levels=(pack, Level(kind="pack"))),))
    assert [level.kind for level in notice.walk()] == ["shipment", "pack", "item", "pack"]
    assert notice.of_kind("pack")[0].marks[0].number == "1"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"{}", "schema"),
        (b"[]", "object"),
        (b"", "truncated"),
        (b"\xff\xfe", "malformed"),
        (b'{"schema":"tradelane.nothing/1"}', "$.schema"),
        (b'{"schema":"tradelane.sales_order/2","number":"1"}', "$.schema"),
        (b'{"schema":"tradelane.sales_order/1"}', "number"),
        (b'{"schema":"tradelane.sales_order/1","number":"1","lines":[{"qty":1}]}', "$.lines[0]"),
        (b'{"schema":"tradelane.sales_order/1","number":1}', "$.number"),
        (b'{"schema":"tradelane.sales_order/1","number":"1","ordered_on":"05.01.2026"}', "$.ordered_on"),
        (b'{"schema":"tradelane.ship_notice/1","number":"1","levels":' + DEEP, "recursion"),
    ],
)
def test_what_is_no_document_is_refused_with_the_path_of_what_is_wrong(data: bytes, says: str) -> None:
    with pytest.raises(NotADocument) as refused:
        decode(data)
    assert says in str(refused.value)


def _without_prose(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _without_prose(value) for key, value in schema.items() if key != "description"}
    return [_without_prose(value) for value in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize("schema", sorted(DOCUMENTS))
def test_a_document_keeps_the_json_schema_that_its_version_was_published_with(schema: str) -> None:
    published = json.loads(file_of(schema).read_text("utf-8"))
    assert _without_prose(json.loads(text_of(schema))) == _without_prose(published)


def test_every_document_names_its_schema_and_version() -> None:
    assert schema_of(ORDER) == "tradelane.sales_order/1"
    assert schema_of(Invoice) == "tradelane.invoice/1"
    assert len(DOCUMENTS) >= 11
