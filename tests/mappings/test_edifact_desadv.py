"""DESADV: a ship notice for a customer, what a warehouse has shipped, and stock on its way to it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from maps_support import DAY, LATER, SHIP_TO, carried, each, read_body, read_canonical, standard
from msgspec.structs import replace

from edi.documents import Level, Mark, ShipNotice, StockTransfer, TransferLine
from edi.documents.parts import Dated, Lading, Measure, Reference, Routing
from edi.problems import CannotWrite

BOTH = pytest.mark.parametrize("version", ["D.96A", "D.01B"])

NOTICE = """
BGM+351+DES587441+9
DTM+137:202601051530:203
DTM+11:20260106:102
MEA+AAX+AAD+KGM:23.5
RFF+ON:PO-4711
DTM+171:20260101:102
RFF+BM:BOL123
NAD+SU+5412345000020::9
NAD+DP+5412345000013::9++Store 12+Main Street 1+Akron+OH+44301+US
TDT+20++30++PITD::182:Pitt Ohio
CPS+1
PAC+2++CT
CPS+2+1+2
PAC+1++CT
PCI+33E
GIN+BJ+354123450000000014
LIN+1++4000862141404:EN
PIA+1+SKU1:SA
IMD+F++:::Widget
QTY+12:24:PCE
QTY+21:24:PCE
CPS+3+1+2
PAC+1++CT
MEA+WT+G+KGM:11.5
PCI+33E
GIN+BJ+354123450000000021
LIN+2++4000862141411:EN
DTM+361:20261231:102
QTY+12:6:PCE
RFF+LI:7
CNT+2:2
"""


def of_version(body: str, version: str) -> str:
    """Segments of a line in the order of a directory: DTM stands after QTY, GTINs are SRV from D.01B on."""
    return body.replace(
        "DTM+361:20261231:102\nQTY+12:6:PCE\n", "QTY+12:6:PCE\nDTM+361:20261231:102\n"
    ).replace(":EN\n", ":EN\n" if version == "D.96A" else ":SRV\n")


@BOTH
def test_a_despatch_advice_is_a_shipment_of_one_order_in_packs(version: str) -> None:
    notice = read_canonical(of_version(NOTICE, version), "DESADV", version)
    assert isinstance(notice, ShipNotice)
    assert (notice.number, notice.purpose, notice.sent_on) == ("DES587441", "original", DAY)
    assert notice.structure == "shipment_order_pack_item"
    (shipment,) = notice.levels
    assert shipment.party("ship_to") is not None
    assert shipment.routing == (Routing(ids={"scac": "PITD"}, method="motor", description="Pitt Ohio"),)
    assert shipment.lading == (Lading(packaging="CTN", packages=2),)
    assert shipment.measures == (Measure("AAX", "AAD", Decimal("23.5"), "kilogram"),)
    (order,) = shipment.levels
    assert (order.kind, order.purchase_order) == ("order", "PO-4711")
    assert [mark.number for pack in notice.of_kind("pack") for mark in pack.marks] == [
        "354123450000000014",
        "354123450000000021",
    ]
    first, second = notice.of_kind("item")
    gtin = "ean" if version == "D.96A" else "gtin"
    assert first.ids == {gtin: "4000862141404", "vendor": "SKU1"}
    assert (first.item, first.shipped, first.ordered, first.unit) == ("1", 24, 24, "piece")
    assert second.references == (Reference("line_item", "7"),)
    assert second.dates[0].type == "best_before"


def item(number: str, order: str | None = None) -> Level:
    return Level("item", item=number, ids={"ean": "4000862141404"}, shipped=Decimal(5), unit="piece",
                 purchase_order=order)  # fmt: skip


def pack(number: str, *items: Level) -> Level:
    return Level("pack", marks=(Mark("sscc", number),), levels=items)


def notice(*levels: Level, **shipment: Any) -> ShipNotice:
    kinds = {inner.kind for level in levels for inner in level.levels}
    structure = "shipment_order_item" if kinds == {"item"} else "shipment_order_pack_item"
    if not all(level.kind == "order" for level in levels):
        structure = None
    return ShipNotice(
        "DES1",
        sent_on=DAY,
        purpose="original",
        structure=structure,
        levels=(Level("shipment", parties=(SHIP_TO,), levels=levels, **shipment),),
    )


@BOTH
@pytest.mark.parametrize(
    "levels",
    [
        (Level("order", purchase_order="P1", ordered_on=DAY, levels=(item("1"), item("2"))),),
        (Level("order", purchase_order="P1", levels=(pack("354123450000000014", item("1")),)),
         Level("order", purchase_order="P2", levels=(pack("354123450000000021", item("1"), item("2")),))),
        (Level("order", purchase_order="P1", levels=(Level("tare", levels=(pack("3", item("1")),)),)),),
        (pack("354123450000000014", item("1", "P1"), item("2", "P2")),),
    ],
    ids=["items alone", "two orders", "packs on a pallet", "orders mixed in a pack"],
)  # fmt: skip
def test_every_way_to_nest_a_shipment_is_written_and_read_back_equal(
    levels: tuple[Level, ...], version: str
) -> None:
    written = carried(notice(*levels), "DESADV", version)
    assert written[0] == "BGM+351+DES1+9"


@pytest.mark.parametrize(
    ("levels", "why"),
    [
        ((Level("order", levels=(item("1"),)),), "levels[0].purchase_order: is needed"),
        ((Level("order", purchase_order="P", levels=(pack("3", item("1")), item("2"))),),
         "levels: items have to stand before packages"),
        ((Level("order", purchase_order="P", contract="C", levels=(item("1"),)),), "levels[0].contract"),
        ((Level("order", purchase_order="P", ordered_on=DAY, levels=(item("1"),)),
          Level("order", purchase_order="Q", levels=(item("1"),))), "would be read as of its order"),
        ((Level("order", purchase_order="P", levels=(item("1"),)), item("2")), "beside what is of no order"),
        ((item("1", "P"),), "would be read as orders"),
    ],
)  # fmt: skip
def test_what_a_despatch_advice_cannot_say_is_refused_with_its_place(
    levels: tuple[Level, ...], why: str
) -> None:
    with pytest.raises(CannotWrite) as refused:
        standard("DESADV").write(notice(*levels))
    assert why in str([problem.message for problem in refused.value.problems])


def test_another_structure_than_that_of_the_levels_is_refused() -> None:
    wrong = replace(notice(Level("order", purchase_order="P", levels=(item("1"),))), structure="0003")
    with pytest.raises(CannotWrite, match="is not how the levels are"):
        standard("DESADV").write(wrong)


CONFIRMATION = """
BGM+351+BOL00007+9
DTM+11:20260106:102
RFF+AAJ:WO-12
RFF+ON:PO-4711
RFF+BM:BOL00007
NAD+DP+5412345000013::9++Store 12
TDT+20++30++PITD::182
CPS+1
PAC
PCI+33E
GIN+BJ+354123450000000014
LIN+1++4000862141404:EN
QTY+12:20:PCE
QTY+21:24
QVR+4
CPS+2
PAC
PCI+33E
GIN+BJ+354123450000000021
LIN+2++4000862141411:EN
PIA+1+SKU2:SA
QTY+12:6:PCE
GIN+BX+LOT9
CNT+1:26
CNT+11:2
CNT+2:2
"""


@BOTH
def test_a_despatch_advice_of_a_warehouse_says_what_was_shipped_of_its_order(version: str) -> None:
    body = CONFIRMATION if version == "D.96A" else CONFIRMATION.replace(":EN\n", ":SRV\n")
    confirmation = read_canonical(body, "DESADV.shipment_confirmation", version)
    assert (confirmation.number, confirmation.purchase_order) == ("WO-12", "PO-4711")
    assert (confirmation.shipped_on, confirmation.shipment) == (LATER.replace(day=6), "BOL00007")
    assert (confirmation.shipped, confirmation.packages) == (26, 2)
    short, whole = confirmation.lines
    assert (short.ordered, short.shipped, short.difference) == (24, 20, 4)
    assert whole.lot == "LOT9"
    assert [pack.marks[0].number for pack in confirmation.packs] == [
        "354123450000000014",
        "354123450000000021",
    ]


ON_A_PALLET = """
BGM+351+BOL00007+9
DTM+11:20260106:102
RFF+AAJ:WO-12
CPS+1
CPS+2+1
PAC+1++PX
PCI+33E
GIN+BJ+354123450000000014
CPS+3+2
PAC+2++CT
PCI+33E
GIN+BJ+354123450000000113
GIN+BJ+354123450000000120
LIN+1++4000862141404:EN
QTY+12:20:PCE
CNT+2:1
"""


def test_cartons_that_stand_on_a_pallet_say_so() -> None:
    confirmation = read_canonical(ON_A_PALLET, "DESADV.shipment_confirmation", "D.96A")
    consignment, pallet, cartons = confirmation.packs
    assert (consignment.inside, pallet.inside, cartons.inside) == (None, 1, 2)
    assert (pallet.packages, pallet.packaging) == (1, "pallet")
    assert (cartons.packages, cartons.packaging) == (2, "carton")


TOGETHER = "GIN+BJ+354123450000000113\nGIN+BJ+354123450000000120\n"


@pytest.mark.parametrize("name", ["DESADV", "DESADV.shipment_confirmation"])
def test_numbers_that_one_segment_tells_are_marks_of_their_own(name: str) -> None:
    apart, together = (
        read_body(body, name, "D.96A")
        for body in (ON_A_PALLET, ON_A_PALLET.replace(TOGETHER, TOGETHER.replace("\nGIN+BJ", "")))
    )
    assert together == apart
    assert "354123450000000120" in str(together)


@each(["DESADV.stock_transfer"])
def test_stock_on_its_way_is_a_despatch_advice_to_the_warehouse(transaction_set: str, version: str) -> None:
    gtin = "ean" if version == "D.96A" else "gtin"
    transfer = StockTransfer(
        number="ASN1",
        shipped_on=DAY,
        purchase_order="PO9",
        dates=(Dated("estimated_arrival", LATER),),
        parties=(SHIP_TO,),
        lines=(TransferLine(Decimal(40), "case", {gtin: "4000862141404"}, description=("Widget",)),),
        shipped=Decimal(40),
    )
    assert carried(transfer, transaction_set, version)[-1] == "CNT+2:1"
