"""Freight, payments, plans, catalogs: what comes reaches the ERP with its order; what it leaves goes out."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from trading import ORDER, RETAILER, SHIPMENT, WAREHOUSE, eventually, trading

from edi.documents import (
    Activity,
    ActivityLine,
    CatalogLine,
    Dated,
    Document,
    Forecast,
    FreightCharge,
    FreightEvent,
    FreightInvoice,
    FreightInvoiceLine,
    FreightOrder,
    FreightProgress,
    FreightStatus,
    InquiryLevel,
    ItemStatus,
    LoadTender,
    LoadTenderAnswer,
    OrderStatus,
    OrderStatusInquiry,
    Organization,
    OrganizationLevel,
    PaidItem,
    Party,
    PaymentAdvice,
    PlannedLine,
    PlannedQuantity,
    Price,
    PriceCatalog,
    ProductActivity,
    ReceivedLine,
    ReceivingAdvice,
    Reference,
    Remittance,
    Resale,
    ResaleReport,
    ResoldLine,
    RoutedShipment,
    RoutingDestination,
    RoutingInstructions,
    RoutingRequest,
    ShipSchedule,
    Site,
    StatusLevel,
    Stop,
    decode,
)
from edi.tree import PartyId
from gateway.pipeline.from_erp import Refused

CARRIER, OTHER = PartyId("02", "UPSN"), PartyId("ZZ", "OTHER")
SETS = ("204", "210", "214", "753", "754", "820", "830", "852", "861", "862", "990")
SETS += ("816", "832", "867", "869", "870")
AGREED = [(type, way) for type in SETS for way in ("in", "out")]
DAY = dt.date(2026, 11, 2)

PARTNERS = """\
schema = 1
[us]
name = "Northwind"
isa = { qualifier = "ZZ", id = "US" }

[partner.shop]
role = "retailer"
status = "live"
usage = "P"
isa = { qualifier = "08", id = "RETAIL" }
x12 = { version = "005010" }
sftp_account = { user = "shop", keys = [] }
document = [
  { type = "850", direction = "in", route = "3pl:depot" },
  { type = "754", direction = "in" },
  { type = "820", direction = "in" },
  { type = "856", direction = "out" },
  { type = "753", direction = "out" },
]

[partner.depot]
role = "3pl"
status = "live"
usage = "P"
isa = { qualifier = "01", id = "DEPOT" }
sftp_account = { user = "depot", keys = [] }
document = [{ type = "940", direction = "out" }, { type = "945", direction = "in" }]

[partner.carrier]
role = "carrier"
status = "live"
usage = "P"
isa = { qualifier = "02", id = "UPSN" }
sftp_account = { user = "carrier", keys = [] }
document = [
  { type = "214", direction = "in" },
  { type = "210", direction = "in" },
  { type = "204", direction = "out" },
  { type = "990", direction = "in" },
]

[partner.other]
role = "supplier"
status = "live"
usage = "P"
isa = { qualifier = "ZZ", id = "OTHER" }
sftp_account = { user = "other", keys = [] }
x12 = { version = "005010" }
document = [AGREED]
""".replace("AGREED", ", ".join(f'{{ type = "{type}", direction = "{way}" }}' for type, way in AGREED))

STATUS = [
    ["B10", "PRO-1", "BOL-9", "UPSN"],
    ["L11", "PO-77", "PO"],
    ["LX", "1"],
    ["AT7", "X1", "NS", "", "", "20261104", "0915", "ET"],
    ["MS1", "TROY", "MI", "US"],
]
BILL = [
    ["B3", "", "FB-1", "BOL1", "PP", "", "20261105", "12417", "", "", "", "UPSN"],
    ["LX", "1"],
    ["L1", "1", "41.93", "CW", "12417"],
    ["L3", "300", "G", "", "", "12417"],
]
INSTRUCTIONS = [
    ["BGN", "00", "RI-1", "20261102"],
    ["N1", "SF", "DEPOT"],
    ["LX", "1"],
    ["BLR", "UPSN"],
    ["OID", "", "PO-77", "", "CTN", "5"],
]
PAYMENT = [
    ["BPR", "I", "40", "C", "ACH", *[""] * 11, "20261201"],
    ["TRN", "1", "987654"],
    ["ENT", "1"],
    ["RMR", "IV", "PO-77-1", "PO", "40", "40"],
    ["REF", "PO", "PO-77"],
]

PART = FreightOrder(purchase_order="PO-77", reference="SO-1", quantity=Decimal(5), packaging="carton")
NEEDED = PlannedQuantity(quantity=Decimal(5), certainty="firm", timing="weekly", on=DAY)


def test_what_a_carrier_and_a_payer_send_reaches_the_erp_as_part_of_the_order_it_is_about(
    tmp_path: Path,
) -> None:
    with trading(tmp_path, PARTNERS) as t:
        t.arrive("850", ORDER, "shop", RETAILER, "005010")
        eventually(lambda: t.sent("depot", "940"))
        t.arrive("945", SHIPMENT, "depot", WAREHOUSE, "004010")
        eventually(lambda: t.sent("shop", "856"))  # its number is the warehouse's bill of lading
        t.arrive("754", INSTRUCTIONS, "shop", RETAILER, "005010")
        t.arrive("214", STATUS, "carrier", CARRIER, "004010")
        t.arrive("210", BILL, "carrier", CARRIER, "004010")
        t.arrive("820", PAYMENT, "shop", RETAILER, "005010")
        (order,) = t.documents(type="850")

        instructions, row = t.at_the_erp("754")
        assert (instructions.shipments[0].carrier, row.correlation) == ("UPSN", order.id)
        status, row = t.at_the_erp("214")
        assert [event.status for event in status.events] == ["arrived_at_delivery"]
        assert (status.partner, row.correlation) == ("carrier", order.id)
        bill, row = t.at_the_erp("210")
        assert (bill.due, bill.lines[0].charges[0].rate, row.correlation) == (
            Decimal("124.17"),
            Decimal("41.93"),
            order.id,
        )
        payment, row = t.at_the_erp("820")
        assert [(item.number, item.paid) for item in payment.items] == [("PO-77-1", Decimal(40))]
        assert (payment.amount, row.number, row.correlation) == (Decimal(40), "987654", order.id)


def test_a_carriers_word_on_what_nobody_ordered_still_reaches_the_erp(tmp_path: Path) -> None:
    with trading(tmp_path, PARTNERS) as t:
        t.arrive("214", STATUS, "carrier", CARRIER, "004010")
        status, row = t.at_the_erp("214")
        assert (status.shipment, row.correlation) == ("BOL-9", None)


def test_a_payment_of_several_orders_is_part_of_none_of_them(tmp_path: Path) -> None:
    with trading(tmp_path, PARTNERS) as t:
        t.arrive("850", ORDER, "shop", RETAILER, "005010")
        more = [["RMR", "IV", "INV-2", "PO", "1", "1"], ["REF", "PO", "PO-78"]]
        t.arrive("820", [*PAYMENT, *more], "shop", RETAILER, "005010")
        payment, row = t.at_the_erp("820")
        assert payment.purchase_orders == ("PO-77", "PO-78")
        assert row.correlation is None


def test_a_routing_request_of_the_erp_finds_its_partner_by_the_purchase_order(tmp_path: Path) -> None:
    with trading(tmp_path, PARTNERS) as t:
        t.arrive("850", ORDER, "shop", RETAILER, "005010")
        eventually(lambda: t.sent("depot", "940"))
        request = RoutingRequest(
            number="RR-1",
            purpose="original",
            requested_on=DAY,
            parties=(Party(role="ship_from", name="DEPOT"),),
            destinations=(RoutingDestination(role="ship_to", name="STORE 12", orders=(PART,)),),
        )
        t.leave(request)
        (rows,) = eventually(lambda: t.sent("shop", "753"))
        assert [row[0] for row in rows] == ["ST", "BGN", "N1", "LX", "N1", "OID", "SE"]
        assert {row.correlation for row in t.documents(type="753")} == {t.documents(type="850")[0].id}


def test_a_set_may_be_agreed_in_a_version_of_its_own(tmp_path: Path) -> None:
    older = PARTNERS.replace('x12 = { version = "005010" }\n', "")
    agreed = older.replace(
        '{ type = "753", direction = "out" }', '{ type = "753", direction = "out", version = "005010" }'
    )
    request = OUT["753"]
    assert isinstance(request, RoutingRequest)
    request = msgspec.structs.replace(request, partner="shop")
    with trading(tmp_path, agreed) as t:
        t.leave(request)
        eventually(lambda: t.sent("shop", "753"))
        t.arrive("850", ORDER, "shop", RETAILER, "004010")
        eventually(lambda: t.sent("depot", "940"))
        versions = {row.type: row.version for row in t.documents(direction="out") if row.type != "997"}
        assert versions == {"753": "005010", "940": "004010"}


def test_a_load_is_tendered_and_its_answer_belongs_to_the_same_order(tmp_path: Path) -> None:
    tender = LoadTender(
        number="LOAD-1",
        purpose="original",
        carrier="UPSN",
        payment="prepaid",
        stops=(
            Stop(number=1, reason="load", orders=(FreightOrder(reference="SO-1", purchase_order="PO-77"),)),
            Stop(number=2, reason="unload"),
        ),
        partner="carrier",
    )
    with trading(tmp_path, PARTNERS) as t:
        t.arrive("850", ORDER, "shop", RETAILER, "005010")
        eventually(lambda: t.sent("depot", "940"))
        t.leave(tender)
        eventually(lambda: t.sent("carrier", "204"))
        (row,) = t.documents(type="204")
        (order,) = t.documents(type="850")
        assert row.correlation == order.id
        t.arrive("990", [["B1", "UPSN", "LOAD-1", "20261102", "A"]], "carrier", CARRIER, "004010")
        answer, row = t.at_the_erp("990")
        assert (answer.answer, row.correlation) == ("accepted", order.id)


def test_a_load_is_not_tendered_to_whoever_ordered_what_is_in_it(tmp_path: Path) -> None:
    stop = Stop(number=1, reason="load", orders=(FreightOrder(purchase_order="PO-77"),))
    with trading(tmp_path, PARTNERS) as t:
        t.arrive("850", ORDER, "shop", RETAILER, "005010")
        eventually(lambda: t.sent("depot", "940"))
        with pytest.raises(Refused, match="it names no partner"):
            t.leave(LoadTender(number="LOAD-1", payment="prepaid", purpose="original", stops=(stop,)))


OUT: dict[str, Document] = {
    "816": Organization(
        structure="0065",
        purpose="original",
        parties=(Party(role="buyer", name="BIGMART"),),
        levels=(OrganizationLevel(kind="company", sites=(Site(role="ship_to", name="STORE 12"),)),),
        partner="other",
    ),
    "832": PriceCatalog(
        type="price_catalog",
        number="C-1",
        lines=(CatalogLine(ids={"vendor": "AB1"}, prices=(Price(type="resale", price=Decimal(9)),)),),
        partner="other",
    ),
    "867": ResaleReport(
        reported_on=DAY,
        purpose="original",
        resales=(Resale(type="stock_sale", lines=(ResoldLine(type="shipped", quantity=Decimal(3)),)),),
        partner="other",
    ),
    "869": OrderStatusInquiry(
        number="Q-1",
        asked_on=DAY,
        scope="all_items",
        levels=(InquiryLevel(kind="order", purchase_order="PO-1"),),
        partner="other",
    ),
    "870": OrderStatus(
        number="A-1",
        reported_on=DAY,
        report="unsolicited",
        scope="all_items",
        levels=(
            StatusLevel(kind="order", purchase_order="PO-1", statuses=(ItemStatus(status="in_process"),)),
        ),
        partner="other",
    ),
    "204": LoadTender(
        number="LOAD-1",
        purpose="original",
        payment="prepaid",
        stops=(Stop(number=1, reason="load"), Stop(number=2, reason="unload")),
        partner="other",
    ),
    "990": LoadTenderAnswer(number="LOAD-1", carrier="UPSN", answer="accepted", partner="other"),
    "753": RoutingRequest(
        number="RR-1",
        purpose="original",
        requested_on=DAY,
        parties=(Party(role="ship_from", name="DEPOT"),),
        destinations=(RoutingDestination(role="ship_to", name="STORE 12", orders=(PART,)),),
        partner="other",
    ),
    "830": Forecast(
        number="F-1",
        purpose="original",
        based_on="shipment",
        quantity_type="discrete",
        starts_on=DAY,
        issued_on=DAY,
        lines=(PlannedLine(ids={"buyer": "B-1"}, unit="each", planned=(NEEDED,)),),
        partner="other",
    ),
    "862": ShipSchedule(
        number="SS-1",
        purpose="original",
        issued_on=DAY,
        based_on="shipment",
        starts_on=DAY,
        ends_on=DAY,
        release="1",
        lines=(PlannedLine(ids={"buyer": "B-1"}, unit="each", planned=(NEEDED,)),),
        partner="other",
    ),
    "852": ProductActivity(
        handling="notification",
        starts_on=DAY,
        lines=(
            ActivityLine(
                ids={"buyer": "B-1"},
                activities=(Activity(type="sold", quantity=Decimal(18), unit="each"),),
            ),
        ),
        partner="other",
    ),
    "861": ReceivingAdvice(
        number="RA-1",
        advised_on=DAY,
        purpose="original",
        type="post_receipt",
        dates=(Dated(type="received", on=DAY),),
        lines=(ReceivedLine(number="1", received=Decimal(10), received_unit="each"),),
        partner="other",
    ),
    "214": FreightStatus(
        number="PRO-1",
        shipment="BOL-1",
        carrier="UPSN",
        progress=(
            FreightProgress(number=1, events=(FreightEvent(status="loaded", reason="weather", on=DAY),)),
        ),
        partner="other",
    ),
    "210": FreightInvoice(
        number="FB-1",
        payment="collect",
        invoiced_on=DAY,
        due=Decimal("124.17"),
        carrier="UPSN",
        lines=(FreightInvoiceLine(number=1, charges=(FreightCharge(line=1, amount=Decimal("124.17")),)),),
        partner="other",
    ),
    "754": RoutingInstructions(
        number="RI-1",
        purpose="original",
        issued_on=DAY,
        parties=(Party(role="ship_from", name="DEPOT"),),
        shipments=(RoutedShipment(number=1, carrier="UPSN", orders=(PART,)),),
        partner="other",
    ),
    "820": PaymentAdvice(
        amount=Decimal(40),
        handling="advice_only",
        sign="credit",
        method="check",
        remittances=(
            Remittance(
                number=1,
                items=(
                    PaidItem(
                        type="invoice",
                        number="INV-1",
                        paid=Decimal(40),
                        references=(Reference(type="purchase_order", value="PO-1"),),
                    ),
                ),
            ),
        ),
        partner="other",
    ),
}


@pytest.mark.parametrize("type", sorted(OUT))
def test_what_the_erp_leaves_is_issued_as_its_set_and_read_again_where_it_comes_back(
    tmp_path: Path, type: str
) -> None:
    with trading(tmp_path, PARTNERS) as t:
        t.leave(OUT[type])
        (rows,) = eventually(lambda: t.sent("other", type))
        assert rows[0][:2] == ["ST", type]
        (row,) = t.documents(type=type)
        assert decode(row.body) == OUT[type]
        t.arrive(type, rows[1:-1], "other", OTHER, "005010")
        assert t.at_the_erp(type)[0] == OUT[type]


def test_a_set_that_is_not_agreed_is_not_issued(tmp_path: Path) -> None:
    with (
        trading(tmp_path, PARTNERS, run=False) as t,
        pytest.raises(Refused, match="no 214 to depot is agreed"),
    ):
        status = OUT["214"]
        assert isinstance(status, FreightStatus)
        t.leave(FreightStatus(number="PRO-1", progress=status.progress, partner="depot"))
