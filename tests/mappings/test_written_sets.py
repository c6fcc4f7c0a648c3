"""Documents made by hand are written as transactions that the full check accepts, in both versions."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from maps_support import DAY, standard

from edi.documents import (
    Acknowledgment,
    Address,
    Amount,
    Charge,
    Dated,
    Detail,
    Document,
    ElementError,
    Invoice,
    InvoiceLine,
    Lading,
    Level,
    Mark,
    Note,
    OrderLine,
    Pack,
    Party,
    Reference,
    Routing,
    SalesOrder,
    SegmentError,
    ShipmentConfirmation,
    ShipNotice,
    ShippedLine,
    Terms,
    TransactionStatus,
    WarehouseLine,
    WarehouseOrder,
    grouped,
)

SHIP_TO = Party(
    role="ship_to",
    name="STORE 12",
    ids={"buyer_assigned": "0012"},
    more_names=("RECEIVING",),
    address=Address(
        street=("1 MAIN ST", "DOCK 4"), city="AKRON", state="OH", postal_code="44301", country="US"
    ),
)
CARRIER = Routing(ids={"scac": "UPSN"}, method="motor_common", description="GROUND")
IDS = {"upc": "012345678905", "vendor": "AB-1"}

DOCUMENTS: dict[str, Document] = {
    "850": SalesOrder(
        number="PO-1",
        purpose="original",
        type="stand_alone",
        ordered_on=DAY,
        currency="USD",
        references=(Reference(type="department", value="038"),),
        charges=(Charge(kind="allowance", code="C310", amount=Decimal("12.50"), method="02"),),
        terms=(Terms(type="08", basis="3", discount_percent=Decimal(2), discount_days=10, net_days=30),),
        dates=(Dated(type="requested_ship", on=DAY), Dated(type="cancel_after", on=DAY, time=dt.time(17, 0))),
        routing=(CARRIER,),
        parties=(SHIP_TO, Party(role="bill_to", name="ACCOUNTS")),
        lines=(
            OrderLine(
                number="1",
                quantity=Decimal(12),
                unit="each",
                price=Decimal("2.50"),
                ids=IDS,
                description="WIDGET",
                description_type="product",
                details=(Detail(format="free", type="buyer_color", text="RED"),),
            ),
        ),
        total=Decimal("30.00"),
    ),
    "940": WarehouseOrder(
        number="W-1",
        status="original",
        purchase_order="PO-1",
        parties=(SHIP_TO,),
        references=(Reference(type="department", value="038"),),
        dates=(
            Dated(type="requested_ship", on=DAY),
            Dated(type="scheduled_delivery", on=DAY, time_type="scheduled_delivery", time=dt.time(9, 30)),
        ),
        notes=(Note(type="WHI", text="CALL FIRST"),),
        routing=(Routing(ids={"scac": "UPSN"}, method="motor_common", payment="prepaid"),),
        groups=grouped(
            [WarehouseLine(quantity=Decimal(12), unit="each", ids=IDS, description=("WIDGET",))],
        ),
        quantity=Decimal(12),
    ),
    "945": ShipmentConfirmation(
        number="W-1",
        reporting="full",
        shipped_on=DAY,
        shipment="BOL-1",
        purchase_order="PO-1",
        parties=(SHIP_TO,),
        references=(Reference(type="bill_of_lading", value="BOL-1"),),
        dates=(Dated(type="shipped", on=DAY),),
        routing=(Routing(ids={"scac": "UPSN"}, method="motor_common", description="GROUND"),),
        packs=(
            Pack(
                number=1,
                marks=(Mark(type="sscc", number="000123456789012344"),),
                lines=(
                    ShippedLine(
                        status="shipment_complete",
                        ordered=Decimal(12),
                        shipped=Decimal(12),
                        difference=Decimal(0),
                        unit="each",
                        ids={"upc": "012345678905"},
                    ),
                ),
            ),
        ),
        shipped=Decimal(12),
        weight=Decimal("7.25"),
        weight_unit="pound",
    ),
    "856": ShipNotice(
        number="S-1",
        purpose="original",
        sent_on=DAY,
        sent_time=dt.time(12, 30),
        structure="shipment_order_pack_item",
        levels=(
            Level(
                kind="shipment",
                lading=(
                    Lading(
                        packaging="CTN25",
                        packages=1,
                        weight_type="gross",
                        weight=Decimal(7),
                        weight_unit="pound",
                    ),
                ),
                routing=(CARRIER,),
                references=(Reference(type="bill_of_lading", value="BOL-1"),),
                dates=(Dated(type="shipped", on=DAY),),
                parties=(SHIP_TO,),
                levels=(
                    Level(
                        kind="order",
                        purchase_order="PO-1",
                        ordered_on=DAY,
                        levels=(
                            Level(
                                kind="pack",
                                marks=(Mark(type="sscc", number="000123456789012344"),),
                                levels=(
                                    Level(kind="item", number="1", ids=IDS, shipped=Decimal(12), unit="each"),
                                ),
                            ),
                        ),
                    ),
                ),
            ),
        ),
    ),
    "810": Invoice(
        number="INV-1",
        invoiced_on=DAY,
        purchase_order="PO-1",
        ordered_on=DAY,
        currency="USD",
        references=(Reference(type="bill_of_lading", value="BOL-1"),),
        parties=(SHIP_TO, Party(role="remit_to", name="US")),
        terms=(Terms(type="08", basis="3", net_days=30),),
        dates=(Dated(type="shipped", on=DAY),),
        lines=(
            InvoiceLine(
                number="1",
                quantity=Decimal(12),
                unit="each",
                price=Decimal("2.50"),
                ids=IDS,
                description="WIDGET",
            ),
        ),
        total=Decimal("42.50"),
        routing=(Routing(ids={"scac": "UPSN"}, method="motor_common"),),
        amounts=(Amount(type="line_total", amount=Decimal("30.00")),),
        charges=(Charge(kind="charge", code="D240", amount=Decimal("12.50")),),
    ),
    "997": Acknowledgment(
        functional_id="PO",
        control_number="1",
        status="partially_accepted",
        included=2,
        received=2,
        accepted=1,
        transactions=(
            TransactionStatus(type="850", control_number="0001", status="accepted"),
            TransactionStatus(
                type="850",
                control_number="0002",
                status="rejected",
                errors=("5",),
                segments=(
                    SegmentError(
                        segment="PO1",
                        position=7,
                        code="8",
                        elements=(ElementError(element=3, data_element="355", code="7", value="XX"),),
                    ),
                ),
            ),
        ),
    ),
}


def test_money_is_in_cents_and_weights_are_not() -> None:
    rows = standard("810").write(DOCUMENTS["810"])
    assert ["TDS", "4250"] in rows
    assert ["AMT", "1", "30.00"] in rows
    assert ["SAC", "C", "D240", "", "", "1250"] in rows
    assert ["CTT", "1"] in rows


def test_segments_stand_in_the_order_of_the_set() -> None:
    tags = [row[0] for row in standard("856").write(DOCUMENTS["856"])]
    assert tags == [
        *("BSN", "HL", "TD1", "TD5", "REF", "DTM", "N1", "N2", "N3", "N4"),
        *("HL", "PRF", "HL", "MAN", "HL", "LIN", "SN1", "CTT"),
    ]
