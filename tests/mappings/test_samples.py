"""Real transactions, written by others, become documents; nothing in them is lost."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pytest
from maps_support import SAMPLES, SETS, checked, flat, standard, transactions

import x12
from edi.documents import (
    Acknowledgment,
    FreightInvoice,
    FreightStatus,
    Invoice,
    PaymentAdvice,
    SalesOrder,
    ShipmentConfirmation,
    ShipNotice,
    WarehouseOrder,
    decode,
    encode,
)
from edi.problems import NotEdi
from edi.schema import Check
from edi.tree import Transaction

FILES = [path for kind in SETS for path in sorted((SAMPLES / kind).glob("*"))]


def known(path: Path) -> list[tuple[Transaction, Check]]:
    """The transactions of a file whose structure is that of their set, with their checks."""
    try:
        found = [(transaction, x12.check(transaction)) for transaction in transactions(path.read_bytes())]
    except NotEdi:
        return []
    return [(transaction, check) for transaction, check in found if check.places is not None]


def content(rows: list[list[str]], ordered: bool = True) -> Counter[tuple[str, ...]]:
    """What rows say, without the counts that a writer makes, empty elements, and forms of numbers."""
    order = list if ordered else sorted
    return Counter(
        (row[0], *order(_plain(text) for text in row[1:] if text))
        for row in rows
        if row[0] not in ("ST", "SE", "CTT") and any(row[1:])
    )


def _plain(text: str) -> str:
    try:
        return str(Decimal(text).normalize()) if text.isascii() and "_" not in text else text
    except InvalidOperation:
        return text


def timed(row: list[str]) -> bool:
    """Whether a row tells a time to the second, which is written to the minute where the seconds are none."""
    at = {"DTM": 3, "G62": 4}.get(row[0], 0)
    return 0 < at < len(row) and len(row[at]) > 4


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.name[:60]}")
def test_a_real_transaction_becomes_a_document_and_loses_nothing(path: Path) -> None:
    for transaction, check in known(path):
        map = standard(transaction.type, transaction.version)
        document, problems = map.read(check.rows, check.places, transaction.separators)
        if document is None:
            assert check.status == "rejected"
            assert problems[0].message
            continue
        assert problems == ()
        assert decode(encode(document)) == document

        rows = flat(map.write(document), transaction.separators)
        ordered = check.status != "rejected"  # ids among empty elements move up
        before, after = content(check.rows, ordered), content(rows, ordered)
        if not any(timed(row) for row in check.rows):
            assert before == after

        separator = transaction.separators.element
        segments = [
            transaction.segments[0],
            *(separator.join(row) for row in rows),
            separator.join(["SE", str(len(rows) + 2), transaction.control_number]),
        ]
        again = x12.check(dataclasses.replace(transaction, segments=tuple(segments), problems=()))
        assert again.places is not None
        assert map.read(again.rows, again.places, transaction.separators) == (document, ())


def test_most_samples_are_what_this_test_is_about() -> None:
    assert sum(len(known(path)) for path in FILES) >= 75


CANONICAL = [
    "855/Stedi-Demos_bootstrap-archived__855_inbound.edi",
    "855/kputnam_stupidedi__pass_po-ack-ship-details.edi",
    "999/imsweb_x12-parser__837_5010_x12_999_accepted.txt",
    "999/xlate_staedi__x12_simple999.edi",
    "850/kputnam_stupidedi__pass_1.edi",
    "850/kputnam_stupidedi__pass_taxexempt-po.edi",
    "856/apimeister_x12-types__v004010_test_856.rs.emb5.edi",
    "856/apimeister_x12-types__v004010_test_856.rs.loose1.edi",
    "940/apimeister_x12-types__v004010_test_940.rs.emb3.edi",
    "945/apimeister_x12-types__945_v005010_full.edi",
    "810/apimeister_x12-types__v004010_test_810.rs.loose1.edi",
    "810/indice-co_EDI.Net__Samples_x12.810a.edi",
    "997/azoner_pyx12__test_x12testdata.py.emb7.edi",
    "210/xlate_staedi__issue128_ts210_80char.edi",
    "214/xlate_staedi__issue109_ts214_ellipses_segterm.edi",
    "820/indice-co_EDI.Net__Samples_x12.820.issue140.edi",
    "820/kputnam_stupidedi__pass_summary-bill-payment.edi",
]


@pytest.mark.parametrize("name", CANONICAL)
def test_a_canonical_file_is_written_as_it_was_read(name: str) -> None:
    transaction, check = checked((SAMPLES / name).read_bytes())
    map = standard(transaction.type, transaction.version)
    document, _ = map.read(check.rows, check.places, transaction.separators)
    assert document is not None
    assert flat(map.write(document), transaction.separators) == check.rows[1:-1]


def read(name: str) -> object:
    transaction, check = checked((SAMPLES / name).read_bytes())
    document, problems = standard(transaction.type, transaction.version).read(
        check.rows, check.places, transaction.separators
    )
    assert problems == ()
    return document


def test_an_850_tells_who_orders_what_until_when() -> None:
    order = read("850/olmelabs_EdiEngine__TestData_850.OK.edi")
    assert isinstance(order, SalesOrder)
    assert order.number == "08292233294"
    assert order.purpose == "original"
    assert order.type == "stand_alone"
    assert order.ordered_on == dt.date(2010, 11, 27)
    assert order.contract == "610385385"
    assert order.reference("department") == "038"
    assert order.date("requested_delivery") == dt.date(2010, 12, 14)
    assert order.terms[0].discount_percent == Decimal(2)
    assert (order.terms[0].discount_days, order.terms[0].net_days) == (45, 46)
    ship_to = order.party("ship_to")
    assert ship_to is not None
    assert ship_to.address is not None
    assert (ship_to.name, ship_to.address.city) == ("XYZ RETAIL", "SOLON")
    assert len(order.lines) == 6
    line = order.lines[0]
    assert (line.number, line.quantity, line.unit, line.price) == ("1", Decimal(120), "each", Decimal("9.25"))
    assert line.ids == {"buyer_catalog": "065322-117", "PR": "RO", "vendor": "AB3542"}
    assert line.description == "SMALL WIDGET"
    assert order.routing[0].ids == {"buyer_assigned": "P3"}
    assert ("PKG", "F", "68", "", "", "PALLETIZE SHIPMENT") in order.extra


def test_an_856_is_a_shipment_of_orders_of_packs_of_items() -> None:
    notice = read("856/Silvenga_vscode-edi-x12-support__docs_old.edi")
    assert isinstance(notice, ShipNotice)
    assert notice.number == "177164933"
    assert notice.sent_time == dt.time(5, 31)
    (shipment,) = notice.levels
    (order,) = shipment.levels
    (pack,) = order.levels
    (item,) = pack.levels
    assert [level.kind for level in notice.walk()] == ["shipment", "order", "pack", "item"]
    assert shipment.reference("bill_of_lading") == "1Z764R371309889853"
    assert shipment.date("shipped") == dt.date(2019, 9, 16)
    assert (shipment.lading[0].weight, shipment.lading[0].weight_unit) == (Decimal("0.58"), "pound")
    assert (order.purchase_order, order.ordered_on) == ("6218", dt.date(2019, 9, 16))
    assert [(mark.type, mark.number) for mark in pack.marks] == [("sscc", "0354023220190916")]
    assert item.ids == {"vendor_catalog": "10151", "ndc": "50242005306", "lot": "3308212"}
    assert (item.shipped, item.unit, item.ordered) == (Decimal(4), "each", Decimal(4))
    maker = item.party("manufacturer")
    assert maker is not None
    assert maker.ids == {"dea": "RG0132441"}


def test_an_856_may_leave_a_level_out_and_have_several_of_one() -> None:
    notice = read("856/apimeister_x12-types__v004010_test_856.rs.emb5.edi")
    assert isinstance(notice, ShipNotice)
    (pack,) = notice.of_kind("pack")
    assert [item.ids for item in pack.levels] == [{"upc": "123456789"}, {"upc": "987654321"}]


def test_a_940_tells_a_warehouse_what_to_ship_where() -> None:
    order = read("940/apimeister_x12-types__v004010_test_940.rs.emb3.edi")
    assert isinstance(order, WarehouseOrder)
    assert (order.number, order.purchase_order, order.status) == ("18061923", "Test Order 1", "original")
    assert order.date("requested_ship") == dt.date(2011, 12, 12)
    assert order.routing[0].ids == {"scac": "CPU"}
    assert [line.quantity for line in order.lines] == [Decimal(750), Decimal(170)]
    assert order.lines[0].ids["upc_case_code"] == "072534238746"
    assert order.lines[0].ids["vendor"] == "0638746000"
    assert (order.quantity, order.weight, order.weight_unit) == (Decimal(920), Decimal(42670), "pound")


def test_a_945_tells_what_left_and_how() -> None:
    shipped = read("945/apimeister_x12-types__945_v005010_full.edi")
    assert isinstance(shipped, ShipmentConfirmation)
    assert (shipped.number, shipped.purchase_order, shipped.shipment) == ("IF102", "PO9865", "BOL12345")
    assert shipped.shipped_on == dt.date(2019, 6, 4)
    assert shipped.routing[0].ids == {"scac": "NPLT"}
    (pack,) = shipped.packs
    (line,) = pack.lines
    assert (pack.number, line.shipped, line.difference, line.lot) == (
        10,
        Decimal(3000),
        Decimal(0),
        "LOT12314",
    )
    assert line.references[0].value == "LPN6569"
    assert (shipped.shipped, shipped.weight) == (Decimal(3000), Decimal(15000))


def test_an_810_has_its_total_in_money_not_in_cents() -> None:
    invoice = read("810/kputnam_stupidedi__pass_1.edi")
    assert isinstance(invoice, Invoice)
    assert (invoice.number, invoice.purchase_order) == ("00237058", "0691-0014403")
    assert invoice.total == Decimal("285.66")
    assert [line.price for line in invoice.lines] == [Decimal(70), Decimal("5.66")]
    assert invoice.terms[0].net_days == 30


def test_an_820_tells_what_was_paid_and_deducted_for_each_invoice() -> None:
    payment = read("820/indice-co_EDI.Net__Samples_x12.820.issue140.edi")
    assert isinstance(payment, PaymentAdvice)
    assert (payment.number, payment.amount, payment.method) == ("4529952", Decimal("21298.97"), "check")
    assert payment.paid_on == dt.date(2019, 10, 29)
    items = list(payment.items)
    assert [item.number for item in items[:2]] == ["26801", "26927"]
    first = items[0]
    assert (first.amount, first.discount, first.paid) == (
        Decimal("4650.41"),
        Decimal("97.9"),
        Decimal("4408.75"),
    )
    assert (first.reference("purchase_order"), first.date("created")) == (
        "1016071221",
        dt.date(2019, 9, 4),
    )
    (deduction,) = payment.adjustments
    assert (deduction.amount, deduction.reason) == (Decimal("-143.76"), "not_received")
    assert deduction.reference_number == "26801"
    assert sum(item.paid or 0 for item in items) == payment.amount
    assert payment.extra == ()


def test_a_214_tells_what_happened_where_and_when() -> None:
    status = read("214/xlate_staedi__issue109_ts214_ellipses_segterm.edi")
    assert isinstance(status, FreightStatus)
    assert (status.number, status.shipment, status.carrier) == ("0542550913", "7727019", "XXXX")
    assert status.purchase_orders == ("900169",)
    estimated, departed = status.events
    assert (estimated.status, estimated.on, estimated.time) == (
        "estimated_delivery",
        dt.date(2020, 9, 11),
        dt.time(11, 59),
    )
    assert (departed.status, departed.reason, departed.trailer) == ("departed_pickup", "normal", "902577")
    consignee = status.party("consignee")
    assert consignee is not None
    assert consignee.name == "ADDISON HVAC LLC"


def test_a_210_tells_what_was_carried_and_what_each_part_of_it_costs() -> None:
    invoice = read("210/xlate_staedi__issue128_ts210_80char.edi")
    assert isinstance(invoice, FreightInvoice)
    assert (invoice.number, invoice.shipment, invoice.due) == ("699751522", "134982", Decimal("124.17"))
    assert invoice.purchase_orders == ("721295", "109483")
    charges = [charge for line in invoice.lines for charge in line.charges]
    assert [(charge.code, charge.amount) for charge in charges] == [
        (None, Decimal("561.86")),
        ("discount", Decimal("-449.49")),
        ("fuel", Decimal("11.80")),
    ]
    assert sum(charge.amount or 0 for charge in charges) == invoice.charges
    assert invoice.lines[0].goods[1].text == "SS 775"


def test_a_997_tells_which_element_of_which_transaction_is_wrong() -> None:
    answer = read("997/azoner_pyx12__test_x12testdata.py.emb7.edi")
    assert isinstance(answer, Acknowledgment)
    assert (answer.functional_id, answer.control_number, answer.status) == ("HC", "56", "rejected")
    assert (answer.included, answer.received, answer.accepted) == (1, 1, 0)
    (status,) = answer.transactions
    assert (status.type, status.control_number, status.errors) == ("837", "000000001", ("4", "5"))
    last = status.segments[-1]
    assert (last.segment, last.position, last.code) == ("CLM", 23, "8")
    (element,) = last.elements
    assert (element.element, element.component, element.code, element.value) == (5, 1, "7", "95")
