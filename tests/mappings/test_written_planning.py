"""Documents about planning, receiving and tendering made by hand, written as the full check accepts them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from maps_support import BUYER, DAY, LATER, PLACE, SHIP_TO, accepted, checked, interchange, standard

from edi.documents import (
    Activity,
    ActivityLine,
    AnsweredStop,
    Authorization,
    Contact,
    Dated,
    DeliveryPattern,
    Discrepancy,
    Distribution,
    Document,
    Forecast,
    FreightOrder,
    Goods,
    Load,
    LoadTender,
    LoadTenderAnswer,
    OrderReference,
    Party,
    PlannedLine,
    PlannedQuantity,
    Price,
    ProductActivity,
    ReceivedLine,
    ReceivingAdvice,
    Reference,
    ShippedQuantity,
    ShipSchedule,
    Stop,
    TimedQuantity,
    Trailer,
)

IDS = {"buyer": "B-1", "upc": "012345678905"}
FIRM = PlannedQuantity(quantity=Decimal(100), certainty="firm", timing="weekly", on=DAY, until=LATER)
PLANNED = PlannedQuantity(
    quantity=Decimal(80),
    certainty="planning",
    timing="monthly",
    on=LATER,
    reference_type="delivery_order",
    reference_number="DO-1",
)
LAST = ShippedQuantity(
    type="discrete",
    quantity=Decimal(24),
    date_type="shipped",
    on=DAY,
    references=(Reference(type="shipment", value="S-1"),),
)

DOCUMENTS: dict[str, Document] = {
    "830": Forecast(
        number="F-1",
        release="R-7",
        purpose="original",
        based_on="delivery",
        quantity_type="discrete",
        starts_on=DAY,
        ends_on=LATER,
        issued_on=DAY,
        currency="USD",
        references=(Reference(type="department", value="038"),),
        parties=(BUYER, SHIP_TO),
        lines=(
            PlannedLine(
                number="1",
                ids=IDS,
                unit="each",
                price=Decimal("3.25"),
                description="WIDGET",
                authorizations=(
                    Authorization(type="material", until=LATER, cumulative=Decimal(500), since=DAY),
                ),
                planned=(FIRM,),
                patterns=(DeliveryPattern(days="A", time="G", planned=(PLANNED,)),),
                shipped=(LAST,),
            ),
        ),
    ),
    "862": ShipSchedule(
        number="SS-1",
        purpose="replace",
        issued_on=DAY,
        based_on="shipment",
        starts_on=DAY,
        ends_on=LATER,
        release="R-7",
        purchase_order="PO-1",
        quantity_type="discrete",
        parties=(BUYER, SHIP_TO),
        lines=(
            PlannedLine(
                number="1",
                ids=IDS,
                unit="each",
                contacts=(Contact(role="general", name="PLANNING", numbers={"phone": "3305550100"}),),
                days="A",
                days_time="G",
                planned=(
                    PlannedQuantity(
                        quantity=Decimal(100),
                        certainty="firm",
                        timing="daily",
                        on=DAY,
                        times=(TimedQuantity(quantity=Decimal(40), time=dt.time(7, 30)),),
                    ),
                ),
                shipped=(LAST,),
            ),
        ),
    ),
    "852": ProductActivity(
        starts_on=DAY,
        ends_on=LATER,
        handling="notification",
        references=(Reference(type="internal_vendor", value="446963"),),
        parties=(BUYER,),
        lines=(
            ActivityLine(
                number="1",
                ids=IDS,
                prices=(Price(type="retail", price=Decimal("9.99")),),
                activities=(
                    Activity(
                        type="sold",
                        quantity=Decimal(18),
                        unit="each",
                        distributions=(
                            Distribution(
                                unit="each", id_type="buyer_assigned", quantities={"0012": "11", "0044": "7"}
                            ),
                        ),
                    ),
                    Activity(type="on_order", quantity=Decimal(40), unit="each"),
                ),
            ),
        ),
    ),
    "861": ReceivingAdvice(
        number="RA-1",
        advised_on=DAY,
        purpose="original",
        type="post_receipt",
        references=(Reference(type="bill_of_lading", value="BOL-1"),),
        dates=(Dated(type="received", on=DAY),),
        orders=(OrderReference(purchase_order="PO-1", ordered_on=DAY),),
        parties=(SHIP_TO,),
        lines=(
            ReceivedLine(
                number="1",
                received=Decimal(10),
                received_unit="each",
                discrepancy=Discrepancy(quantity=Decimal(2), unit="each", condition="short"),
                second_discrepancy=Discrepancy(quantity=Decimal(1), unit="each", condition="damaged"),
                shipped=Decimal(12),
                shipped_unit="each",
                ids=IDS,
                description="WIDGET",
            ),
        ),
    ),
    "204": LoadTender(
        number="LOAD-1",
        purpose="original",
        application="LT",
        carrier="UPSN",
        payment="prepaid",
        references=(Reference(type="master_bill_of_lading", value="MB-1"),),
        dates=(Dated(type="must_respond_by", on=DAY, time_type="must_respond_by", time=dt.time(16, 0)),),
        parties=(Party(role="bill_to", name="US", address=PLACE),),
        equipment=(Trailer(number="1", type="trailer"),),
        stops=(
            Stop(
                number=1,
                reason="load",
                dates=(
                    Dated(type="scheduled_pickup", on=DAY, time_type="requested_pickup", time=dt.time(8, 0)),
                ),
                load=Load(weight_type="gross", weight=Decimal(5472), weight_unit="pound", packages=5),
                parties=(
                    Party(
                        role="ship_from",
                        name="WAREHOUSE 1",
                        address=PLACE,
                        contacts=(Contact(role="information", name="DOCK", numbers={"phone": "3305550100"}),),
                    ),
                ),
                orders=(
                    FreightOrder(
                        reference="SO-1",
                        purchase_order="PO-1",
                        weight=Decimal(5472),
                        weight_unit="pound",
                        goods=(Goods(line=1, text="PAPER IN ROLLS"),),
                    ),
                ),
            ),
            Stop(
                number=2,
                reason="complete_unload",
                parties=(Party(role="ship_to", name="STORE 12", address=PLACE),),
            ),
        ),
        weight=Decimal(5472),
        weight_type="gross",
        weight_unit="pound",
        charges=Decimal("557.21"),
    ),
    "990": LoadTenderAnswer(
        number="LOAD-1",
        carrier="UPSN",
        answered_on=DAY,
        answer="accepted",
        references=(Reference(type="carrier_reference", value="PRO-1"),),
    ),
}


def test_quantities_of_stores_stand_beside_the_stores() -> None:
    rows = accepted(DOCUMENTS["852"], "852", "004010")
    assert ["SDQ", "EA", "92", "0012", "11", "0044", "7"] in rows
    assert ["CTT", "1"] in rows


def test_what_is_short_and_what_is_damaged_of_one_line_are_told_apart() -> None:
    rows = accepted(DOCUMENTS["861"], "861", "004010")
    assert ["RCD", "1", "10", "EA", "", "", "2", "EA", "02", "1", "EA", "01"] in rows


def test_a_carrier_declines_in_005010_with_a_reason_and_in_004010_without() -> None:
    declined = LoadTenderAnswer(number="LOAD-1", carrier="UPSN", answered_on=DAY, answer="declined")
    assert accepted(declined, "990", "004010") == [["B1", "UPSN", "LOAD-1", "20260105", "D"]]
    declined = LoadTenderAnswer(
        number="LOAD-1", carrier="UPSN", answered_on=DAY, answer="declined", reason="no_capacity"
    )
    assert accepted(declined, "990", "005010") == [["B1", "UPSN", "LOAD-1", "20260105", "E", "", "CPU"]]


def test_a_carrier_tells_in_004010_about_single_stops() -> None:
    answer = LoadTenderAnswer(
        number="LOAD-1",
        carrier="UPSN",
        answered_on=DAY,
        answer="counter_proposal",
        stops=(AnsweredStop(number=2, reason="unload", dates=(Dated(type="delivered", on=LATER),)),),
    )
    assert [row[0] for row in accepted(answer, "990", "004010")] == ["B1", "S5", "G62"]


def test_a_forecast_tells_what_is_firm_and_what_is_planned() -> None:
    data = interchange(
        """
        ST*830*0001
        BFR*00*F-1**SH*A*20260105*20260405*20260105
        N1*BY*BIGMART*92*0001
        LIN*1*BP*B-1
        UIT*EA
        FST*100*C*W*20260105
        FST*80*D*M*20260201*20260228
        CTT*1
        """,
        functional_id="PS",
    )
    transaction, check = checked(data)
    assert check.problems == ()
    forecast, problems = standard("830").read(check.rows, check.places, transaction.separators)
    assert problems == ()
    assert isinstance(forecast, Forecast)
    (line,) = forecast.lines
    assert (forecast.number, forecast.based_on, line.unit) == ("F-1", "shipment", "each")
    assert [(planned.quantity, planned.certainty, planned.timing) for planned in line.planned] == [
        (Decimal(100), "firm", "weekly"),
        (Decimal(80), "planning", "monthly"),
    ]
    assert line.planned[1].until == dt.date(2026, 2, 28)
    assert forecast.extra == line.extra == ()
