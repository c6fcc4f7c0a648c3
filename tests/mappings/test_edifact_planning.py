"""EDIFACT messages about what sells, what is needed, and where orders stand: what they say and carry."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import test_written_catalog
import test_written_planning
from maps_support import (
    DAY,
    LATER,
    SHIP_TO,
    carried,
    each,
    message,
    messages,
    read_canonical,
    read_one_of_everything,
    standard,
    told,
)
from msgspec.structs import replace

from edi import edifact
from edi.documents import (
    Activity,
    Distribution,
    Forecast,
    OrderStatus,
    Party,
    PlannedQuantity,
    Price,
    ProductActivity,
    Quantity,
    Reference,
    ShipSchedule,
)
from edi.problems import CannotWrite
from edi.tree import NORMAL

SAMPLES = Path(__file__).parent.parent / "samples"
BOTH = pytest.mark.parametrize("version", ["D.96A", "D.01B"])


@each(["SLSRPT", "DELFOR", "DELFOR.ship_schedule", "OSTRPT"])
def test_one_of_everything_is_written_as_it_was_read(transaction_set: str, version: str) -> None:
    document = read_one_of_everything(transaction_set, version)
    assert document.levels if transaction_set == "OSTRPT" else document.lines


SALES = """
    BGM+:::notification+729058+9
    DTM+90:20260105:102
    DTM+91:20260112:102
    {0}
    LOC+162+4260026610102::9
    DTM+356:20260107:102
    LIN+1++4007399434498:EN
    RFF+IA:76
    PRI+INF:39.95::RTP
    QTY+153:2:PCE
    QTY+61:1:PCE
    LIN+2++4007399434511:EN
    QTY+153:5:PCE
    LOC+162+4260026610119::9
    DTM+356:20260107:102
    LIN+2++4007399434511:EN
    QTY+153:7:PCE
    LOC+162
    LIN+3++4007399435389:EN
    QTY+158:12
    {1}
"""
PARTIES = "NAD+BY+4260026610003::9\nRFF+IA:446963\nNAD+SU+4007399000006::9"


@pytest.mark.parametrize(
    ("version", "header", "trailer"),
    [("D.96A", "NAD+BY+4260026610003::9\nNAD+SU+4007399000006::9", ""), ("D.01B", PARTIES, "UNS+S")],
)
def test_a_sales_report_tells_what_sold_where(version: str, header: str, trailer: str) -> None:
    body = "\n".join(line for line in SALES.format(header, trailer).splitlines() if line.strip())
    activity = read_canonical(body, "SLSRPT", version)
    assert (activity.number, activity.handling) == ("729058", "notification")
    assert (activity.starts_on, activity.ends_on) == (DAY, LATER)
    first, second, third = activity.lines
    there = {"4260026610102": "2"}
    day = dt.date(2026, 1, 7)
    assert first.activities == (
        Activity(
            type="sold",
            date_type="sold",
            on=day,
            distributions=(Distribution("piece", "gln", there),),
        ),
        Activity(
            type="returned_by_consumer",
            date_type="sold",
            on=day,
            distributions=(Distribution("piece", "gln", {"4260026610102": "1"}),),
        ),
    )
    assert first.prices == (Price(type="retail", price=Decimal("39.95")),)
    assert first.reference("internal_vendor") == "76"
    assert second.activities[0].distributions == (
        Distribution("piece", "gln", {"4260026610102": "5", "4260026610119": "7"}),
    )
    assert third.activities == (Activity(type="ending_balance", quantity=Decimal(12)),)
    assert activity.extra == first.extra == second.extra == third.extra == ()


HEAD = "BGM++1+9\nDTM+90:20260105:102\nNAD+BY+1::9\n"


def read(body: str) -> ProductActivity:
    """The activity in a message that need not be in canonical form."""
    check = edifact.check(message(HEAD + body, "SLSRPT"))
    assert check.status == "accepted", check.problems
    activity, problems = standard("SLSRPT").read(check.rows, check.places, NORMAL)
    assert problems == ()
    assert isinstance(activity, ProductActivity)
    return activity


def written(activity: ProductActivity) -> list[str]:
    return told(standard("SLSRPT").write(activity))[3:]


@pytest.mark.parametrize(
    "body",
    [
        "LOC+162+A::92\nDTM+90:20260105:102\nLIN+1\nQTY+153:1\nLOC+162+B::92\nDTM+90:20260105:102\nLIN+1\nQTY+153:2",
        "LOC+162+A::92\nLIN+1\nQTY+153:1\nLOC+162+B::92\nLOC+162+C::92\nLIN+1\nQTY+153:1",
        "LOC+162+A::92\nLIN+1\nMOA+203:12\nLIN+1\nMOA+203:13\nLOC+162+B::92\nLIN+1\nMOA+203:13",
        "LOC+162+A::92\nLIN+1\nQTY+153:1\nLIN+1\nQTY+153:1\nLOC+162+B::92\nLIN+1\nQTY+153:1",
        "LOC+162+A::92\nLIN+1\nQTY+153:1\nQTY+153:2\nLOC+162+B::92\nLIN+1\nQTY+153:1\nQTY+153:3\nQTY+61:2",
        "LOC+162+A::92\nLIN+1\nQTY+153:1\nNAD+UD+1::9\nLOC+162+B::92\nLIN+1\nQTY+153:1",
        "LOC+162\nLIN+1\nQTY+60:9\nQTY+61:4:PCE\nLOC+162+A\nLIN+1\nQTY+60:9",
    ],
)
def test_whatever_is_told_of_a_place_is_written_as_it_was(body: str) -> None:
    assert written(read(body)) == body.splitlines()


def test_a_place_that_is_told_twice_is_written_once() -> None:
    activity = read("LOC+162+A::92\nLIN+1\nQTY+153:1\nLOC+162+A::92\nLIN+2\nQTY+153:2\nLOC+162+B::92")
    assert written(activity) == ["LOC+162+A::92", "LIN+1", "QTY+153:1", "LIN+2", "QTY+153:2", "LOC+162+B::92"]
    assert read("\n".join(written(activity))) == activity


def test_a_report_without_a_period_starts_with_the_day_of_its_making() -> None:
    rows = ["BGM+73E::9+1+9", "DTM+137:20260105:102", "NAD+BY+1::9", "LOC+162", "LIN+1", "QTY+153:1"]
    activity = read_canonical("\n".join(rows), "SLSRPT", "D.96A")
    assert (activity.starts_on, activity.ends_on) == (DAY, None)
    rows.insert(2, "DTM+90:20260101:102")
    activity = read_canonical("\n".join(rows), "SLSRPT", "D.96A")
    assert activity.starts_on == dt.date(2026, 1, 1)
    assert ("DTM", "137\x1f20260105\x1f102") in activity.extra
    check = edifact.check(message("BGM++1+9\nDTM+356:20260101:102\nNAD+BY+1::9\nLOC+162", "SLSRPT"))
    (problem,) = standard("SLSRPT").read(check.rows, check.places, NORMAL)[1]
    assert problem.message == "DTM[90]01-2 is needed for 'starts_on'"


def test_places_are_kept_in_parcels_of_ten_as_X12_has_room_for() -> None:
    body = "\n".join(f"LOC+162+{n}::92\nLIN+1\nQTY+153:{n}" for n in range(1, 13))
    (line,) = read(body).lines
    (sold,) = line.activities
    assert [len(parcel.quantities) for parcel in sold.distributions] == [10, 2]
    assert written(read(body)) == body.splitlines()


ACTIVITY = test_written_planning.DOCUMENTS["852"]
assert isinstance(ACTIVITY, ProductActivity)


@BOTH
def test_a_product_activity_is_carried_by_a_sales_report(version: str) -> None:
    rows = carried(ACTIVITY, "SLSRPT", version)
    places = [row for row in rows if row.startswith(("LOC", "LIN", "QTY"))]
    assert places == [
        *("LOC+162", "LIN+1++012345678905:UP", "QTY+153:18:EA", "QTY+21:40:EA"),
        *("LOC+162+0012::92", "LIN+1++012345678905:UP", "QTY+153:11:EA"),
        *("LOC+162+0044::92", "LIN+1++012345678905:UP", "QTY+153:7:EA"),
    ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"quantity": None, "distributions": ()}, "lines[0].activities[0].quantity: is needed"),
        ({"on": DAY}, "lines[0].activities[0].date_type: the map has no place for it"),
        ({"reference_number": "1"}, "lines[0].activities[0].reference_number: the map has no place for it"),
        (
            {"distributions": (Distribution("each", "gln", {"1": "x"}),)},
            "ProductActivity: a field holds what it may not",
        ),
    ],
)
def test_what_a_sales_report_cannot_carry_is_refused(changes: dict[str, Any], says: str) -> None:
    (line,) = ACTIVITY.lines
    line = replace(line, activities=(replace(line.activities[0], **changes),))
    with pytest.raises(CannotWrite) as refused:
        standard("SLSRPT").write(replace(ACTIVITY, lines=(line,)))
    assert any(says in problem.message for problem in refused.value.problems), refused.value.problems


HEADING = """
    BGM+241+F-1+9
    DTM+137:20260105:102
    DTM+158:20260105:102
    DTM+159:20260405:102
    RFF+CT:C-1
    RFF+ON:PO-1
    RFF+SD:038
    NAD+BY+5412345000013::9
    NAD+SU+4012345500004::9
    CTA+IC+:ANN
    COM+555-0100:TE"""
ITEM = """
    LIN+1++4000862141404:{gtin}
    PIA+1+AB-1:SA
    IMD+F++:::BLUE WIDGET
    RFF+LI:10
    QTY+70:1200:PCE
    DTM+51:20260101:102
    QTY+48:100:PCE
    DTM+50:20260103:102
    RFF+DQ:DN-1"""
SCHEDULES = {
    "D.96A": f"""{HEADING}
    UNS+D
    NAD+DP+5412345000020::9++STORE 12
    {ITEM.format(gtin="EN")}
    QTY+113:100:PCE
    SCC+1
    DTM+2:202601120800:203
    QTY+113:80:PCE
    SCC+4++W
    DTM+63:20260125:102
    DTM+64:20260119:102
    LIN+2++4000862141411:EN
    QTY+113:50
    DTM+2:20260112:102
    UNS+S
    """,
    "D.01B": f"""{HEADING}
    GIS+37
    NAD+DP+5412345000020::9++STORE 12
    {ITEM.format(gtin="SRV")}
    SCC+1
    QTY+113:100:PCE
    DTM+2:202601120800:203
    SCC+4++W
    QTY+113:80:PCE
    DTM+63:20260125:102
    DTM+64:20260119:102
    LIN+2++4000862141411:SRV
    QTY+113:50
    DTM+2:20260112:102
    """,
}


def lines_of(body: str) -> str:
    return "\n".join(line.strip() for line in body.splitlines() if line.strip())


@BOTH
def test_a_delivery_schedule_is_a_forecast(version: str) -> None:
    forecast = read_canonical(lines_of(SCHEDULES[version]), "DELFOR", version)
    assert (forecast.number, forecast.purpose, forecast.issued_on) == ("F-1", "original", DAY)
    assert (forecast.starts_on, forecast.ends_on) == (DAY, dt.date(2026, 4, 5))
    assert (forecast.contract, forecast.purchase_order) == ("C-1", "PO-1")
    assert (forecast.based_on, forecast.quantity_type) == ("delivery", None)
    first, second = forecast.lines
    assert (first.unit, first.description) == ("piece", "BLUE WIDGET")
    assert first.parties == second.parties == (Party("ship_to", "STORE 12", {"gln": "5412345000020"}),)
    assert first.planned == (
        PlannedQuantity(
            Decimal(100),
            "firm",
            "mutual",
            dt.date(2026, 1, 12),
            date_type="requested_delivery",
            time=dt.time(8, 0),
        ),
        PlannedQuantity(Decimal(80), "planning", "weekly", dt.date(2026, 1, 19), until=dt.date(2026, 1, 25)),
    )
    assert [(one.type, one.quantity, one.date_type) for one in first.shipped] == [
        ("cumulative_received", Decimal(1200), "cumulative_from"),
        ("received", Decimal(100), "received"),
    ]
    assert first.shipped[1].references == (Reference(type="delivery_note", value="DN-1"),)
    assert second.planned == (PlannedQuantity(Decimal(50), "mutual", "mutual", dt.date(2026, 1, 12)),)
    assert forecast.extra == first.extra == second.extra == ()


def test_a_forecast_of_real_partners_names_products_under_whom_they_are_delivered_to() -> None:
    name = "indice-co_EDI.Net__Samples_edifact.Issue196.edi"
    data = (SAMPLES / "edifact" / "DELFOR" / name).read_bytes()
    (transaction,) = messages(data.replace(b"20060619165058:203", b"20060619165058:204"))
    check = edifact.check(transaction)
    forecast, problems = standard("DELFOR").read(check.rows, check.places, NORMAL)
    assert problems == ()
    assert isinstance(forecast, Forecast)
    assert forecast.number == "001"
    assert {line.parties[0].role for line in forecast.lines} == {"consignee"}
    assert all(line.ids for line in forecast.lines)


@BOTH
def test_quantities_that_differ_from_the_rest_say_so(version: str) -> None:
    mixed = {
        "D.96A": "QTY+1:10:PCE\nSCC+1\nDTM+10:20260112:102\nQTY+3:20:KGM\nSCC+1\nDTM+2:20260112:102",
        "D.01B": "SCC+1\nQTY+1:10:PCE\nDTM+10:20260112:102\nQTY+3:20:KGM\nDTM+2:20260112:102",
    }[version]
    end = ("UNS+D", "UNS+S") if version == "D.96A" else ("GIS+37", "")
    body = lines_of(f"BGM+241+1+9\nDTM+137:20260105:102\n{end[0]}\nLIN+1\n{mixed}\n{end[1]}")
    (line,) = read_canonical(body, "DELFOR", version).lines
    assert line.unit is None
    assert [(one.date_type, one.extra) for one in line.planned] == [
        ("requested_ship", (("QTY01-1", "discrete"), ("QTY01-3", "piece"))),
        ("requested_delivery", (("QTY01-1", "cumulative"), ("QTY01-3", "kilogram"))),
    ]


@pytest.mark.parametrize(
    ("body", "version", "says"),
    [
        ("UNS+D\nNAD+DP+1::9\nUNS+S", "D.96A", "a delivery has no item"),
        ("GIS+37\nLIN+1\nSCC+1", "D.01B", "a condition has no quantity"),
    ],
)
def test_a_schedule_of_nothing_is_no_forecast(body: str, version: str, says: str) -> None:
    told = message(f"BGM+241+1+9\nDTM+137:20260105:102\n{body}", "DELFOR", version.replace(".", ":") + ":UN")
    check = edifact.check(told)
    forecast, (problem,) = standard("DELFOR", version).read(check.rows, check.places, NORMAL)
    assert (forecast, problem.message) == (None, says)


# A schedule has no prices and currency, no authorizations and patterns of delivery.
FORECAST = test_written_planning.DOCUMENTS["830"]
assert isinstance(FORECAST, Forecast)
SCHEDULED = replace(
    FORECAST,
    currency=None,
    parties=tuple(replace(party, references=()) for party in FORECAST.parties),
    lines=tuple(
        replace(
            line,
            price=None,
            authorizations=(),
            patterns=(),
            planned=(*line.planned, *line.patterns[0].planned),
        )
        for line in FORECAST.lines
    ),
)


@BOTH
def test_a_forecast_is_carried_by_a_delivery_schedule(version: str) -> None:
    rows = carried(SCHEDULED, "DELFOR", version)
    assert {"QTY+1:100:EA", "DTM+64:20260105:102", "DTM+63:20260112:102", "SCC+4++M"} <= set(rows)
    assert ("UNS+D" if version == "D.96A" else "GIS+37") in rows


SHIPPING = test_written_planning.DOCUMENTS["862"]
assert isinstance(SHIPPING, ShipSchedule)
TO_SHIP = replace(
    SHIPPING,
    lines=tuple(
        replace(
            line,
            contacts=(),
            days=None,
            days_time=None,
            planned=tuple(replace(one, times=()) for one in line.planned),
        )
        for line in SHIPPING.lines
    ),
)


@BOTH
def test_a_ship_schedule_is_carried_by_a_delivery_schedule(version: str) -> None:
    rows = carried(TO_SHIP, "DELFOR.ship_schedule", version)
    assert {"BGM+241+SS-1+5", "QTY+1:100:EA", "DTM+10:20260105:102", "SCC+1++Y"} <= set(rows)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"based_on": "production"}, "Forecast.based_on: the map has no place for 'production'"),
        ({"quantity_type": "net_change"}, "Forecast.quantity_type: the map has no place for 'net_change'"),
        ({"currency": "EUR"}, "Schedule.currency: the map has no place for it"),
        ({"lines": FORECAST.lines}, "Forecast.lines[0].price: the map has no place for it"),
        (
            {"lines": (replace(SCHEDULED.lines[0], parties=(SHIP_TO, SHIP_TO)),)},
            "Forecast.lines[0].parties: the map has a place for one",
        ),
    ],
)
def test_what_a_delivery_schedule_cannot_carry_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(CannotWrite) as refused:
        standard("DELFOR").write(replace(SCHEDULED, **changes))
    assert any(says in problem.message for problem in refused.value.problems), refused.value.problems


STATUS = """
    BGM+348:::answer+OR5252+9
    DTM+137:20260106:102
    RFF+AAV:OE8552
    IRQ+:::all_items
    NAD+BY+5412345123453::9
    NAD+SU+5411111123451::9
    CTA+IC+:ANN
    COM+555-0100:TE
    DOC+220+CD2544
    DTM+137:20251231:102
    RFF+CT:C-1
    STS+2+35
    LIN+1++4000862141404:{gtin}
    PIA+1+AB-1:SA
    IMD+F++:::BLUE WIDGET
    STS+2+27
    DTM+334:20260105:102
    DTM+17:20260107:102
    QTY+12:8:PCE
    TDT+20++30++UPSN::182
    STS+2+64+58
    QTY+83:4:PCE
    DOC+220+BH4155
    STS+2+21
    DTM+334:20251228:102
"""


@BOTH
def test_an_order_status_report_tells_where_orders_and_their_items_stand(version: str) -> None:
    status = read_canonical(STATUS.format(gtin="SRV"), "OSTRPT", version)
    assert (status.number, status.report, status.scope) == ("OR5252", "answer", "all_items")
    assert (status.inquiry, status.reported_on) == ("OE8552", dt.date(2026, 1, 6))
    assert status.purchase_orders == ("CD2544", "BH4155")
    first, second = status.levels
    assert (first.kind, first.ordered_on, first.contract) == ("order", dt.date(2025, 12, 31), "C-1")
    assert [one.status for one in first.statuses] == ["in_process"]
    (line,) = first.lines
    assert (line.number, line.ids["vendor"], line.description) == ("1", "AB-1", "BLUE WIDGET")
    shipped, cancelled = line.statuses
    assert (shipped.status, shipped.on, shipped.dates[0].type) == ("shipped", DAY, "estimated_delivery")
    assert shipped.quantities == (Quantity(type="shipped", quantity=Decimal(8), unit="piece"),)
    assert shipped.routing[0].ids == {"scac": "UPSN"}
    assert (cancelled.status, cancelled.reason) == ("line_cancelled", "transit_delay")
    assert [(one.status, one.on) for one in second.statuses] == [("delivered", dt.date(2025, 12, 28))]
    assert status.extra == first.extra == line.extra == second.extra == ()


def test_a_status_as_a_shop_sends_it_is_read_and_written_as_it_was() -> None:
    body = """
        BGM+348+2022-145+9
        DTM+137:20220314:102
        NAD+SU+4711::92
        DOC+227+21357682
        DTM+137:20220314:102
        LIN+1++4251628174130:SRV
        PIA+1+29013960:IN
        RFF+ON:1033161696
        DTM+171:20220314:102
        RFF+ABO:1
        STS+1+56
        DTM+334:20220314:102
        QTY+46:1:PCE
    """
    status = read_canonical(body, "OSTRPT", "D.01B")
    (line,) = status.levels[0].lines
    assert (status.levels[0].kind, status.purchase_orders) == ("227", ("21357682",))
    assert line.statuses[0].status == "not_delivered"
    assert line.extra[0] == ("RFF", "ON\x1f1033161696")


# A report has no quantity and price of an item but in its states, and fewer of these than X12.
REPORT = test_written_catalog.DOCUMENTS["870"]
assert isinstance(REPORT, OrderStatus)
LEVEL = REPORT.levels[0]
REPORTED = replace(
    REPORT,
    levels=(
        replace(
            LEVEL,
            lines=tuple(
                replace(
                    line,
                    quantity=None,
                    unit=None,
                    statuses=(
                        replace(
                            line.statuses[0],
                            status="on_hold",
                            quantities=(Quantity(type="back_ordered", quantity=Decimal(4), unit="each"),),
                        ),
                    ),
                )
                for line in LEVEL.lines
            ),
        ),
    ),
)


@BOTH
def test_an_order_status_is_carried_by_a_report(version: str) -> None:
    rows = carried(REPORTED, "OSTRPT", version)
    assert rows[0] == "BGM+348:::answer+A-1"
    assert {"DOC+220+PO-1", "STS+2+35", "STS+2+97", "QTY+83:4:EA"} <= set(rows)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"levels": REPORT.levels}, "levels[0].lines[0].quantity: the map has no place for it"),
        ({"levels": (replace(LEVEL, lines=(), levels=(LEVEL,)),)}, "levels[0].levels: the map has no place"),
        ({"inquired_on": DAY}, "OrderStatus.inquired_on: the map has no place for it"),
    ],
)
def test_what_an_order_status_report_cannot_carry_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(CannotWrite) as refused:
        standard("OSTRPT").write(replace(REPORTED, **changes))
    assert any(says in problem.message for problem in refused.value.problems), refused.value.problems
