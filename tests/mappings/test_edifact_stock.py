"""EDIFACT messages to and from warehouses: what they say, and what they carry of a document."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
import test_written_sets
from maps_support import DAY, SAMPLES, carried, checked, message, read_canonical, standard, told
from msgspec.structs import replace

from edi import edifact
from edi.documents import (
    Contact,
    Dated,
    LineGroup,
    Mark,
    Note,
    Reference,
    Routing,
    WarehouseLine,
    WarehouseOrder,
)
from edi.problems import CannotWrite
from edi.tree import NORMAL

BOTH = pytest.mark.parametrize("version", ["D.96A", "D.01B"])

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
    PIA+1+AB-2:SA
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


def test_lines_of_an_instruction_without_numbers_are_numbered() -> None:
    order = read("BGM++1\nDTM+137:20260105:102\nLIN++1:EN\nQTY+12:1\nLIN+7\nQTY+12:2\nLIN\nQTY+12:3\nUNS+S")
    assert [group.number for group in order.groups] == [1, 7, 8]


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
