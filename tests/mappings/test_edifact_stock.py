"""EDIFACT messages to and from warehouses: what they say, and what they carry of a document."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
import test_written_sets
import test_written_stock
from maps_support import (
    DAY,
    SAMPLES,
    carried,
    checked,
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
    Amount,
    Contact,
    Dated,
    Disposition,
    InventoryAdjustment,
    InventoryPosition,
    LineGroup,
    Mark,
    Note,
    Party,
    Reference,
    ReturnAuthorization,
    Routing,
    WarehouseLine,
    WarehouseOrder,
)
from edi.problems import CannotWrite
from edi.tree import NORMAL

BOTH = pytest.mark.parametrize("version", ["D.96A", "D.01B"])


@each(["INSDES", "INVRPT", "INVRPT.inventory_adjustment", "RETANN"])
def test_one_of_everything_is_written_as_it_was_read(transaction_set: str, version: str) -> None:
    assert read_one_of_everything(transaction_set, version).lines


INSTRUCTION = """
    BGM+350+W-1001+9
    DTM+137:20260105:102
    DTM+10:20260107:102
    DTM+2:202601121430:203
    FTX+DEL+++CALL BEFORE DELIVERY
    RFF+ON:PO-1
    RFF+CO:4711
    NAD+DE+4012345500004::9
    NAD+WH+4012345500103::9
    NAD+DP+5412345000020::9++BIGMART 12:DOCK 4+MAIN ST 1+AKRON+OH+44301+US
    RFF+IT:0012
    CTA+GR+:ANN
    COM+555-0100:TE
    COM+ann@bigmart.example:EM
    TOD+6+PP
    TDT+20++30++UPSN::182
    LIN+1++4000862141404:{0}
    PIA+1+AB-1:SA+77:IN
    IMD+F++:::BLUE WIDGET
    QTY+12:12:CS
    GIN+BX+L-7
    GIN+BJ+340123450000000011
    DTM+36:20261231:102
    RFF+LI:10
    LIN+2
    PIA+5+AB-2:SA
    QTY+12:5:CS
    LIN+++4000862141411:{0}+1:2
    QTY+12:1:CS
    UNS+S
    CNT+1:18
    CNT+7:500:LBR
    CNT+15:24:FTQ
    CNT+2:3
"""


@BOTH
def test_an_instruction_to_despatch_is_a_warehouse_order(version: str) -> None:
    order = read_canonical(INSTRUCTION.format("SRV"), "INSDES", version)
    first = WarehouseLine(
        quantity=Decimal(12),
        unit="case",
        ids={"gtin": "4000862141404", "vendor": "AB-1", "buyer_item": "77"},
        lot="L-7",
        description=("BLUE WIDGET",),
        dates=(Dated(type="expiration", on=dt.date(2026, 12, 31)),),
        references=(Reference(type="line_item", value="10"),),
    )
    assert order.groups[0] == LineGroup(1, marks=(Mark("sscc", "340123450000000011"),), lines=(first,))
    assert [line.quantity for line in order.groups[1].lines] == [Decimal(5), Decimal(1)]
    assert (order.number, order.purchase_order, order.status) == ("W-1001", "PO-1", "original")
    assert (order.quantity, order.weight, order.weight_unit) == (Decimal(18), Decimal(500), "pound")
    assert order.reference("customer_order") == "4711"
    assert order.date("requested_ship") == dt.date(2026, 1, 7)
    assert order.dates[2] == Dated(type="requested_delivery", on=dt.date(2026, 1, 12), time=dt.time(14, 30))
    assert order.notes == (Note(type="DEL", text="CALL BEFORE DELIVERY"),)
    assert order.routing == (Routing(method="motor", ids={"scac": "UPSN"}, payment="prepaid"),)
    ship_to = order.party("ship_to")
    assert ship_to is not None
    assert (ship_to.name, ship_to.more_names, ship_to.ids) == (
        "BIGMART 12",
        ("DOCK 4",),
        {"gln": "5412345000020"},
    )
    assert ship_to.contacts[0].numbers == {"phone": "555-0100", "email": "ann@bigmart.example"}
    assert order.extra == ()


def test_a_real_instruction_is_read_with_nothing_lost() -> None:
    name = "jacksierkstra_n8n-nodes-edifact-to-json____tests___node.integration.spec.ts.emb2.edi"
    (transaction,) = messages((SAMPLES.parent / "edifact" / "INSDES" / name).read_bytes())
    check = edifact.check(transaction)
    order, problems = standard("INSDES", "D.01B").read(check.rows, check.places, NORMAL)
    assert problems == ()
    assert isinstance(order, WarehouseOrder)
    assert (order.number, order.purchase_order, order.status) == ("INSDES1234", "123456", "original")
    assert [(line.ids, line.quantity) for line in order.lines] == [
        ({"buyer_item": "123456789"}, Decimal(100))
    ]
    assert order.extra == (("BGM01-1", "351"),)


def test_lines_of_an_instruction_without_numbers_are_numbered() -> None:
    order = read("BGM++1\nDTM+137:20260105:102\nLIN++1:EN\nQTY+12:1\nLIN+7\nQTY+12:2\nLIN\nQTY+12:3\nUNS+S")
    assert [group.number for group in order.groups] == [1, 7, 8]


def test_a_line_may_tell_what_is_to_be_delivered_instead_of_what_is_to_be_despatched() -> None:
    order = read("BGM+80E::9+1\nDTM+137:20260105:102\nLIN+1++1:EN\nQTY+113:40\nUNS+S")
    assert order.lines[0].quantity == Decimal(40)
    assert order.extra == (("BGM01-1", "80E"), ("BGM01-3", "9"))
    assert "QTY+113:40" in told(standard("INSDES", "D.01B").write(order))


def test_a_sub_line_of_another_line_than_the_last_is_a_group_of_its_own() -> None:
    order = read(
        "BGM++1\nDTM+137:20260105:102\nLIN+1\nQTY+12:1\nLIN+2+++1:9\nQTY+12:2\nLIN+3+++1:2\nQTY+12:3\nUNS+S"
    )
    assert [group.number for group in order.groups] == [1, 2]
    assert order.groups[1].lines[0].extra == (("LIN04-1", "1"), ("LIN04-2", "9"))
    assert order.groups[1].lines[1].extra == (("LIN01", "3"),)
    rows = told(standard("INSDES", "D.01B").write(order))
    assert [row for row in rows if row.startswith("LIN")] == ["LIN+1", "LIN+2+++1:9", "LIN+3+++1:2"]


def read(body: str) -> WarehouseOrder:
    """The order in a message that need not be in canonical form."""
    check = edifact.check(message(body, "INSDES", "D:01B:UN"))
    order, problems = standard("INSDES", "D.01B").read(check.rows, check.places, NORMAL)
    assert problems == ()
    assert isinstance(order, WarehouseOrder)
    return order


# An instruction has no times of their own kind, and no modes of transport that only X12 tells apart.
ORDER = test_written_sets.DOCUMENTS["940"]
CARRIED = replace(
    ORDER,
    dates=(*ORDER.dates[:1], Dated(type="scheduled_delivery", on=DAY, time=dt.time(9, 30))),
    routing=(Routing(ids={"scac": "UPSN"}, method="motor", payment="prepaid"),),
)


@BOTH
def test_a_warehouse_order_is_carried_by_an_instruction(version: str) -> None:
    rows = carried(CARRIED, "INSDES", version)
    assert rows[:3] == ["BGM+350+W-1+9", "DTM+10:20260105:102", "DTM+76:202601050930:203"]


@BOTH
def test_the_warehouse_order_of_a_depositor_is_carried_by_an_instruction(version: str) -> None:
    data = (SAMPLES / "940" / "olmelabs_EdiEngine__TestData_940.OK.edi").read_bytes()
    transaction, check = checked(data)
    order, _ = standard("940").read(check.rows, check.places, transaction.separators)
    assert isinstance(order, WarehouseOrder)
    parties = tuple(replace(party, ids={}) for party in order.parties)  # EDIFACT has no DUNS with suffix
    routing = tuple(replace(way, method="motor") for way in order.routing)  # nor kinds of motor carriers
    order = replace(order, master_reference=None, link_sequence=None, parties=parties, routing=routing)
    carried(order, "INSDES", version)


@pytest.mark.parametrize(
    ("order", "says"),
    [
        (replace(CARRIED, master_reference="1"), "master_reference: the map has no place for it"),
        (replace(CARRIED, contacts=(Contact(role="order"),)), "contacts: the map has no place for it"),
        (replace(CARRIED, dates=ORDER.dates), "dates[1].time_type: the map has no place for it"),
        (replace(CARRIED, groups=(LineGroup(1),)), "WarehouseOrder.groups[0].lines: there are none"),
        (
            replace(CARRIED, groups=(replace(CARRIED.groups[0], dates=CARRIED.dates),)),
            "WarehouseOrder.groups[0].dates: the map has no place for it",
        ),
    ],
)
def test_what_an_instruction_cannot_carry_is_refused(order: WarehouseOrder, says: str) -> None:
    with pytest.raises(CannotWrite) as refused:
        standard("INSDES", "D.01B").write(order)
    assert any(says in problem.message for problem in refused.value.problems), refused.value.problems


STOCK = """
    BGM+35+IR-1+9
    DTM+137:202601050600:203
    DTM+366:20260104:102
    RFF+IA:446963
    NAD+SU+4012345500004::9
    NAD+GY+4012345500103::9++DEPOT 1
    CTA+IC+:ANN
    COM+555-0100:TE
    CUX+2:EUR:10
    LIN+1++4000862141404:{gtin}
    PIA+1+AB-1:SA+L-7:NB
    IMD+F++:::BLUE WIDGET
    MEA+PD+AAB+KGM:12.5
    DTM+36:20270105:102
    RFF+ON:PO-1
    {available}
    DTM+17:20260112:102
    {damaged}
    LIN+2+3
    PIA+5+AB-2:SA
    {none}
"""


@pytest.mark.parametrize(
    ("version", "quantities"),
    [
        (
            "D.96A",
            {"gtin": "EN", "available": "QTY+60:480:PCE", "damaged": "QTY+124:3:PCE", "none": "QTY+17:0"},
        ),
        (
            "D.01B",
            {
                "gtin": "SRV",
                "available": "INV++++1\nQTY+60:480:PCE",
                "damaged": "INV++++1\nQTY+124:3:PCE",
                "none": "INV++++1\nQTY+17:0",
            },
        ),
    ],
)
def test_an_inventory_report_tells_how_much_there_is_of_what(
    version: str, quantities: dict[str, str]
) -> None:
    position = read_canonical(STOCK.format(**quantities), "INVRPT", version)
    assert (position.number, position.purpose, position.currency) == ("IR-1", "original", "EUR")
    assert (position.reported_on, position.reported_time) == (dt.date(2026, 1, 5), dt.time(6, 0))
    assert position.reference("internal_vendor") == "446963"
    first, second = position.lines
    gtin = "gtin" if version == "D.01B" else "ean"
    assert first.ids == {gtin: "4000862141404", "vendor": "AB-1", "lot": "L-7"}
    assert (first.number, first.description) == ("1", "BLUE WIDGET")
    assert (first.measures[0].value, first.measures[0].unit) == (Decimal("12.5"), "kilogram")
    assert (first.quantity("available"), first.quantity("damaged")) == (Decimal(480), Decimal(3))
    assert first.quantities[0].dates[0] == Dated(type="estimated_delivery", on=dt.date(2026, 1, 12))
    assert first.date("expiration") == dt.date(2027, 1, 5)
    assert (second.maintenance, second.quantity("on_hand")) == ("change", Decimal(0))
    assert position.extra == first.extra == second.extra == ()


# An inventory report has a price only of a quantity, and no lead times and schedules.
POSITION = test_written_stock.DOCUMENTS["846"]
assert isinstance(POSITION, InventoryPosition)
REPORTED = replace(
    POSITION,
    lines=tuple(
        replace(
            line,
            unit=None,
            price=None,
            prices=(),
            lead_times=(),
            parties=(),
            quantities=tuple(replace(quantity, schedules=()) for quantity in line.quantities),
        )
        for line in POSITION.lines
    ),
)


@BOTH
def test_an_inventory_position_is_carried_by_a_report(version: str) -> None:
    rows = carried(REPORTED, "INVRPT", version)
    assert rows[0] == "BGM+35:::seller+IP-1+9"
    assert "QTY+60:480:EA" in rows


def test_the_place_of_an_item_is_carried_in_the_younger_directory_alone() -> None:
    warehouse = Party(role="warehouse", name="DEPOT 1")
    placed = replace(REPORTED, lines=(replace(REPORTED.lines[0], parties=(warehouse,)),))
    assert "NAD+WH+++DEPOT 1" in carried(placed, "INVRPT", "D.01B")
    with pytest.raises(CannotWrite, match=r"lines\[0\]\.parties: the map has no place for it"):
        standard("INVRPT", "D.96A").write(placed)


MOVEMENTS = """
    BGM+{document}+ADJ-1+9
    DTM+137:20260105:102
    RFF+WR:WR-1
    NAD+WH+4012345500103::9++DEPOT 1
    NAD+DE+4012345500004::9
    LIN+1++4000862141404:{gtin}
    IMD+F++:::BLUE WIDGET
    {lost}
    GIN+BX+L-7
    DTM+36:20261231:102
    RFF+ON:PO-1
    {found}
    LIN+2
    PIA+5+AB-2:SA
    {taken}
"""


@pytest.mark.parametrize(
    ("version", "movements"),
    [
        (
            "D.96A",
            {
                "document": "78",
                "gtin": "EN",
                "lost": "QTY+156:3:PCE\nINV+1+2+8",
                "found": "QTY+156:5:PCE\nINV+2++4",
                "taken": "QTY+156:2\nINV+1",
            },
        ),
        (
            "D.01B",
            {
                "document": "263",
                "gtin": "SRV",
                "lost": "INV+1+2+8\nQTY+156:3:PCE",
                "found": "INV+2++4\nQTY+156:5:PCE",
                "taken": "INV+1\nQTY+156:2",
            },
        ),
    ],
)
def test_a_report_of_movements_is_an_adjustment(version: str, movements: dict[str, str]) -> None:
    adjustment = read_canonical(MOVEMENTS.format(**movements), "INVRPT.inventory_adjustment", version)
    assert (adjustment.number, adjustment.adjusted_on) == ("ADJ-1", DAY)
    assert adjustment.reference("warehouse_receipt") == "WR-1"
    lost, found, taken = adjustment.lines
    assert (lost.quantity, lost.unit, lost.reason, lost.stock) == (
        Decimal(-3),
        "piece",
        "defective",
        "damaged",
    )
    assert (lost.lot, lost.purchase_order, lost.description) == ("L-7", "PO-1", ("BLUE WIDGET",))
    assert lost.date("expiration") == dt.date(2026, 12, 31)
    assert (found.quantity, found.reason, found.ids) == (Decimal(5), "physical_count", lost.ids)
    assert (taken.quantity, taken.unit, taken.reason) == (Decimal(-2), "unit", "other")
    assert adjustment.extra == lost.extra == found.extra == taken.extra == ()


# A report of movements has no number of the depositor, weights, amounts, pieces, or reasons only X12 knows.
ADJUSTMENT = test_written_stock.DOCUMENTS["947"]
assert isinstance(ADJUSTMENT, InventoryAdjustment)
MOVED = replace(
    ADJUSTMENT,
    depositor_number=None,
    notes=(),
    parties=tuple(replace(party, ids={}) for party in ADJUSTMENT.parties),
    lines=(
        replace(
            ADJUSTMENT.lines[0],
            reason="defective",
            weight=None,
            weight_type=None,
            weight_unit=None,
            amounts=(),
            pieces=(),
        ),
        *ADJUSTMENT.lines[1:],
    ),
)


@BOTH
def test_an_inventory_adjustment_is_carried_by_a_report_of_movements(version: str) -> None:
    rows = carried(MOVED, "INVRPT.inventory_adjustment", version)
    assert {"QTY+156:3:CS", "INV+1+1+8", "QTY+156:5:EA", "INV+2++4"} <= set(rows)


def test_what_a_report_of_movements_says_beside_the_adjustment_is_kept() -> None:
    body = MOVEMENTS.format(
        document="78", gtin="EN", lost="QTY+191:3:PCE\nINV+1+2+8+2", found="QTY+156:5", taken="QTY+156:2"
    ).replace("LIN+2\n    PIA+5+AB-2:SA", "LIN+7\nPIA+5+AB-2:SA\nALI+DE")
    map = standard("INVRPT.inventory_adjustment", "D.96A")
    check = edifact.check(message(body, "INVRPT"))
    adjustment, problems = map.read(check.rows, check.places, NORMAL)
    assert problems == ()
    assert isinstance(adjustment, InventoryAdjustment)
    assert adjustment.lines[0].extra == (("INV/QTY>QTY01-1", "191"), ("INV/QTY>INV04", "2"))
    assert adjustment.lines[2].extra == (("LIN01", "7"), ("ALI", "DE"))
    rows = told(map.write(adjustment))
    assert {"QTY+191:3:PCE", "INV+1+2+8+2", "LIN+7", "ALI+DE"} <= set(rows)


def test_an_item_without_a_movement_is_no_adjustment() -> None:
    check = edifact.check(message("BGM+78+1+9\nDTM+137:20260105:102\nLIN+1++1:EN", "INVRPT"))
    adjustment, (problem,) = standard("INVRPT.inventory_adjustment").read(check.rows, check.places, NORMAL)
    assert (adjustment, problem.message) == (None, "item 1 has no movement")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"pieces": ADJUSTMENT.lines[0].pieces}, "InventoryAdjustment.lines[0].pieces: the map has no place"),
        ({"weight": Decimal(1)}, "InventoryAdjustment.lines[0].weight: the map has no place"),
        ({"extra": (("LIN01", "1"),)}, "InventoryAdjustment: would be read as another document"),
    ],
)
def test_what_a_report_of_movements_cannot_carry_is_refused(changes: dict[str, Any], says: str) -> None:
    line = replace(MOVED.lines[0], **changes)
    with pytest.raises(CannotWrite) as refused:
        standard("INVRPT.inventory_adjustment").write(replace(MOVED, lines=(line,)))
    assert any(says in problem.message for problem in refused.value.problems), refused.value.problems


RETURN = """
    BGM++RMA-1+9+AP
    DTM+137:20260105:102
    FTX+ACD+++OVERSTOCK
    FTX+DEL+++LEAVE AT DOCK 4
    RFF+ACW:1276
    RFF+ON:PO-1
    DTM+171:20251201:102
    RFF+DQ:ACX-8552
    DTM+171:20251203:102
    NAD+BY+5412345000013::9
    LOC+14+5412345678908
    CTA+IC+:RETURNS
    COM+555-0100:TE
    NAD+SU+4012345500004::9
    TDT+20++30++UPSN::182:UPS
    LIN+1+5+4000862141404:SRV
    PIA+1+AB-1:SA
    IMD+F++:::BLUE WIDGET
    PRI+AAA:3.25::NTP::PCE
    MOA+203:156
    QTY+61:48:PCE
    CDI+1+4:::CRUSHED CORNERS
    QTY+21:60:PCE
    RFF+ON:PO-1:3
    RFF+IV:INV-1
    LIN+2+7
    PIA+5+AB-2:SA
    QTY+61:1
    UNS+S
    CNT+2:2
    MOA+210:156
"""


@BOTH
def test_an_announcement_for_returns_is_a_return_authorization(version: str) -> None:
    returned = read_canonical(RETURN, "RETANN", version)
    assert (returned.number, returned.purpose, returned.request) == ("RMA-1", "original", "1276")
    assert (returned.issued_on, returned.claim) == (DAY, Decimal(156))
    assert (returned.purchase_order, returned.ordered_on) == ("PO-1", dt.date(2025, 12, 1))
    assert returned.disposition == Disposition(action="return_authorized", description="OVERSTOCK")
    assert returned.references == (
        Reference(type="delivery_note", value="ACX-8552", on=dt.date(2025, 12, 3)),
    )
    first, second = returned.lines
    assert first.disposition == Disposition(
        action="return_authorized", reason="damaged", description="CRUSHED CORNERS"
    )
    assert (first.quantity, first.unit, first.order_line) == (Decimal(48), "piece", "3")
    assert (first.price, first.price_type, first.price_unit) == (Decimal("3.25"), "net", "piece")
    assert first.amounts == (Amount(type="line_total", amount=Decimal(156)),)
    assert [(one.type, one.quantity) for one in first.quantities] == [("ordered", Decimal(60))]
    assert (second.disposition, second.quantity) == (Disposition(action="denied"), Decimal(1))
    assert returned.purchase_orders == ("PO-1",)
    assert returned.extra == first.extra == second.extra == ()


def test_a_reason_that_only_a_partner_knows_stays_as_it_is() -> None:
    body = (
        "BGM+70E::9+1276+9\nDTM+137:20260105:102\nLIN+1++4000862141404:SRV\nQTY+61:48\nCDI+3E+12E::9\nUNS+S"
    )
    check = edifact.check(message(body, "RETANN", "D:01B:UN"))
    returned, _ = standard("RETANN").read(check.rows, check.places, NORMAL)
    assert isinstance(returned, ReturnAuthorization)
    assert returned.lines[0].disposition == Disposition(reason="12E")
    assert "CDI+3E+12E::9" in told(standard("RETANN").write(returned))


# An announcement has no contacts of its own, no lading, no facts and pieces, and few reasons.
AUTHORIZATION = test_written_stock.DOCUMENTS["180"]
assert isinstance(AUTHORIZATION, ReturnAuthorization)
ANNOUNCED = replace(
    AUTHORIZATION,
    contacts=(),
    claim_action=None,
    lading=(),
    lines=(
        replace(
            AUTHORIZATION.lines[0],
            disposition=Disposition(action="return_authorized", reason="damaged"),
            facts=(),
            quantities=tuple(replace(one, pieces=()) for one in AUTHORIZATION.lines[0].quantities),
        ),
        replace(AUTHORIZATION.lines[1], disposition=Disposition(action="denied")),
    ),
)


@BOTH
def test_a_return_authorization_is_carried_by_an_announcement(version: str) -> None:
    rows = carried(ANNOUNCED, "RETANN", version)
    assert rows[0] == "BGM++RMA-1+11+CA"
    assert {"LIN+1+5+012345678905:UP", "LIN+2+7", "CDI+1+4", "RFF+ACW:REQ-9"} <= set(rows)
