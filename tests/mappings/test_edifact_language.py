"""The map language where elements are composites: EDIFACT messages in normal form."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from maps_strategies import documents
from maps_support import QUICKLY, flat, message, versions

import mappings
from edi import edifact
from edi.documents import Dated, FreightTerms, Message, OrderLine, Party, SalesOrder, decode, encode
from edi.problems import CannotWrite, Fault
from edi.tree import NORMAL, Transaction
from mappings import Map, MapError
from mappings.quick import DOUBTS
from mappings.writer import placed_rows

# Every kind of place that a composite has: components, selectors on them, pairs in one composite and over
# several segments, texts over components and over segments, dates with their format, counts and constants.
MAP = """
document = "sales_order"
[map]
number = "BGM02-1"
type = { at = "BGM01-1", codes = "order" }
purpose = "BGM03"
ordered_on = "DTM[137]01-2"
currency = "CUX01-2"
release = "RFF[AAN]01-2"
contract = "RFF[01-1=CT]01-2"
total = "MOA[86]01-2"
quantity = "CNT[1]01-2"
[map.dates]
each = "DTM"
type = "DTM01-1"
on = "DTM01-2"
time = "DTM01-2"
[map.parties]
each = "NAD"
role = "NAD01"
ids = { pair = "NAD02-3/02-1", codes = "agency" }
name = "NAD04-1"
more_names = { list = "NAD04-2..5" }
[map.parties.address]
street = { list = ["NAD05-1", "NAD05-2", "NAD05-3..4"] }
city = "NAD06"
postal_code = "NAD08"
country = "NAD09"
[map.parties.contacts]
each = "CTA"
role = "CTA01"
name = "CTA02-2"
reference = "CTA02-1"
numbers = { pair = "COM01-2/01-1" }
[map.messages]
each = "FTX"
type = "FTX01"
text = { list = "FTX04-1..5" }
[map.freight]
each = "TOD"
payment = "TOD02"
terms = "TOD03-1"
[map.charges]
each = "ALC"
kind = "ALC01"
code = "ALC05-1"
amount = "MOA[8]01-2"
percent = "PCD01-2"
always = { PCD01-1 = "3" }
[map.lines]
each = "LIN"
number = "LIN01"
ids = { pair = ["LIN03-2/03-1 EN UP", "PIA[1]02-2/02-1 +", "PIA[5]02-2/02-1"], codes = "product" }
quantity = "QTY[21]01-2"
unit = "QTY[21]01-3"
price = "PRI[AAA]01-2"
price_basis = "PRI[AAA]01-3"
notes = { list = "FTX[AAI]04-1..5" }
description = "IMD[F]03-4..5"
[map.lines.messages]
each = "FTX"
type = "FTX01"
text = { list = "FTX04-1..5" }
[map.lines.references]
each = "RFF"
type = "RFF01-1"
value = "RFF01-2"
on = "DTM[171]01-2"
[map.lines.dates]
each = "DTM"
type = "DTM01-1"
on = "DTM01-2"
[always]
UNS01 = "S"
CUX01-1 = "2"
[count]
"CNT[2]01-2" = "LIN"
[codes.product]
EN = "ean"
SA = "vendor"
IN = "buyer"
UP = "upc"
"" = "unqualified"
[codes.agency]
9 = "gln"
92 = "buyer_assigned"
"" = "unqualified"
[codes.order]
220 = "order"
[version."D.01B".map]
release = "RFF[ON]01-2"
"""

ORDER = """
    BGM+220+PO-1+9
    DTM+137:20260105:102
    DTM+2:202601121430:203
    RFF+AAN:R-9
    NAD+BY+5412345000013::9++BIGMART:HQ+MAIN ST 1:DOCK 4+AKRON++44301+US
    CTA+OC+:ANN
    COM+555-0100:TE
    NAD+DP+4711::92
    CUX+2:EUR
    LIN+1++4000862141404:EN
    PIA+1+AB-1:SA+77:IN
    IMD+F++:::WIDGET
    QTY+21:12.5:PCE
    DTM+2:20260113:102
    FTX+AAI+++ONE:TWO:THREE:FOUR:FIVE
    FTX+AAI+++SIX
    PRI+AAA:2.50:CT
    RFF+CT:C-1
    DTM+171:20260101:102
    LIN+2
    PIA+5+AB-2:SA
    QTY+21:5:PCE
    UNS+S
    CNT+2:2
"""


def edifact_map(toml: str = MAP, type: str = "ORDERS", version: str = "D.96A") -> Map:
    checker = edifact.checker(type, version)
    assert checker is not None
    return mappings.load(checker.definition, toml.replace("\nCUX01-1", '\n"CUX01-1"').encode())


def read(body: str, toml: str = MAP) -> SalesOrder:
    """The order in a message, however it is read, and written as it was."""
    order = read_only(body, toml)
    assert written(order, toml) == [line.strip() for line in body.strip().splitlines()]
    return order


def read_only(body: str, toml: str = MAP) -> SalesOrder:
    """The order in a message, however it is read."""
    transaction, map = message(body), edifact_map(toml)
    check = edifact.check(transaction)
    assert check.status == "accepted", check.problems
    order, problems = map.read(check.rows, check.places, NORMAL)
    assert problems == ()
    assert isinstance(order, SalesOrder)
    assert decode(encode(order)) == order
    for _ in range(12):
        met = edifact.check(transaction, readers=map.readers)
        assert map.read_checked(met, NORMAL) == (order, ())
    placed = placed_rows(map._scope, order, map.definition.nodes, NORMAL.component)
    again = map.read([row for _, row in placed], tuple(node for node, _ in placed), NORMAL)
    assert again == (order, ())
    return order


def written(order: SalesOrder, toml: str = MAP) -> list[str]:
    return ["+".join(row).replace("\x1f", ":") for row in flat(edifact_map(toml).write(order), NORMAL)]


def test_an_order_in_canonical_form_is_read_and_written_as_it_was() -> None:
    order = read(ORDER)
    assert (order.number, order.type, order.purpose) == ("PO-1", "order", "9")
    assert (order.ordered_on, order.currency, order.release) == (dt.date(2026, 1, 5), "EUR", "R-9")
    assert order.dates == (Dated(type="2", on=dt.date(2026, 1, 12), time=dt.time(14, 30)),)
    buyer, ship_to = order.parties
    assert (buyer.ids, buyer.name, buyer.more_names) == ({"gln": "5412345000013"}, "BIGMART", ("HQ",))
    assert buyer.address is not None
    assert (buyer.address.street, buyer.address.city) == (("MAIN ST 1", "DOCK 4"), "AKRON")
    assert (buyer.contacts[0].name, buyer.contacts[0].numbers) == ("ANN", {"TE": "555-0100"})
    assert ship_to == Party(role="DP", ids={"buyer_assigned": "4711"})
    first, second = order.lines
    assert first.ids == {"ean": "4000862141404", "vendor": "AB-1", "buyer": "77"}
    assert (first.quantity, first.unit, first.price, first.price_basis) == (
        *(Decimal("12.5"), "PCE", Decimal("2.50")),
        "CT",
    )
    assert first.notes == ("ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX")
    assert (first.description, first.references[0].on) == ("WIDGET", dt.date(2026, 1, 1))
    assert first.dates == (Dated(type="2", on=dt.date(2026, 1, 13)),)
    assert second == OrderLine(number="2", quantity=Decimal(5), unit="PCE", ids={"vendor": "AB-2"})
    assert order.extra == first.extra == ()


def test_an_order_is_read_by_functions_made_for_its_lines() -> None:
    map, transaction = edifact_map(MAP + "# of its own"), message(ORDER)
    for _ in range(20):
        check = edifact.check(transaction, readers=map.readers)
        map.read_checked(check, NORMAL)
    assert map._runs is not None
    assert map._runs._functions >= 3
    assert len(map.readers) == 2


@pytest.mark.parametrize("version", ["D.96A", "D.01B"])
def test_any_document_is_written_alike_by_both_writers_and_read_back_equal(version: str) -> None:
    map = edifact_map(version=version)

    @settings(max_examples=150, deadline=None, phases=QUICKLY, suppress_health_check=list(HealthCheck))
    @given(documents(map))
    def round_trip(order: Any) -> None:
        try:
            placed = placed_rows(map._scope, order, map.definition.nodes, NORMAL.component)
        except CannotWrite as why:
            assume(not all(" would be read as " in problem.message for problem in why.problems))
            raise
        rows = [row for _, row in placed]
        again = map.read(rows, tuple(node for node, _ in placed), NORMAL)
        assert again == (order, ())
        assert map._write is not None
        assert map._write(order, NORMAL.component) == rows

    round_trip()


def test_a_part_of_a_map_may_hold_in_one_directory_only() -> None:
    body = ORDER.replace("RFF+AAN", "RFF+ON")
    transaction = message(body, version="D:01B:UN")
    check = edifact.check(transaction)
    order, _ = edifact_map(version="D.01B").read(check.rows, check.places, NORMAL)
    assert isinstance(order, SalesOrder)
    assert order.release == "R-9"


# dates


@pytest.mark.parametrize(
    ("told", "on", "time"),
    [
        ("260105:101", dt.date(2026, 1, 5), None),
        ("2601051430:201", dt.date(2026, 1, 5), dt.time(14, 30)),
        ("260105143015:202", dt.date(2026, 1, 5), dt.time(14, 30, 15)),
        ("202601050000:203", dt.date(2026, 1, 5), dt.time(0, 0)),
        ("20260105143015:204", dt.date(2026, 1, 5), dt.time(14, 30, 15)),
        ("050126:2", dt.date(2026, 1, 5), None),
        ("1430:401", None, dt.time(14, 30)),
        ("143015:402", None, dt.time(14, 30, 15)),
    ],
)
def test_a_date_and_a_time_are_read_by_the_format_beside_them(
    told: str, on: dt.date | None, time: dt.time | None
) -> None:
    order = read_only(ORDER.replace("DTM+2:202601121430:203", f"DTM+2:{told}"))
    assert order.dates == (Dated(type="2", on=on, time=time),)


@pytest.mark.parametrize(
    "told",
    [
        "20260105-20260112:718",
        "202603:616",
        "14:804",
        "202601051430EST:303",
        "202601:610",
        "20260105",
        ":102",
    ],
)
def test_what_a_date_and_a_time_cannot_hold_is_kept_whole(told: str) -> None:
    order = read(ORDER.replace("DTM+2:202601121430:203", f"DTM+2:{told}"))
    value, _, code = told.partition(":")
    extra = (("DTM01-2", value), ("DTM01-3", code))
    assert order.dates == (Dated(type="2", extra=tuple(entry for entry in extra if entry[1])),)


def test_a_date_without_a_field_for_its_time_keeps_it_unless_it_is_midnight() -> None:
    order = read(ORDER.replace("DTM+2:20260113:102", "DTM+2:202601131430:203"))
    extra = (("DTM01-2", "202601131430"), ("DTM01-3", "203"))
    assert order.lines[0].dates == (Dated(type="2", on=dt.date(2026, 1, 13), extra=extra),)
    order = read_only(ORDER.replace("DTM+2:20260113:102", "DTM+2:202601130000:203"))
    assert order.lines[0].dates == (Dated(type="2", on=dt.date(2026, 1, 13)),)
    order = read(ORDER.replace("DTM+137:20260105:102", "DTM+137:202601051430:203"))
    assert order.ordered_on == dt.date(2026, 1, 5)
    assert order.extra == (("DTM[137]01-2", "202601051430"), ("DTM[137]01-3", "203"))
    for wrong, says in ((dt.date(2026, 1, 6), "has a field"), (None, "would be read as a date")):
        with pytest.raises(CannotWrite, match=rf"extra: DTM\[137\]01-2 {says}"):
            written(msgspec.structs.replace(order, ordered_on=wrong))


def test_a_date_that_is_not_in_its_format_is_told_with_its_place() -> None:
    transaction = message(ORDER.replace("20260113:102", "2026-01-13:102"))
    check = edifact.check(transaction)
    order, (problem,) = edifact_map().read(check.rows, check.places, NORMAL)
    assert order is None
    assert (problem.fault, problem.segment, problem.position) == (Fault.MAPPING_FAILED, "DTM", 15)
    assert (problem.element, problem.component, problem.value) == (1, 2, "2026-01-13")
    assert problem.message == "DTM01-2 is not in format 102"


@pytest.mark.parametrize(
    ("dated", "says"),
    [
        (Dated(type="2", time=dt.time(1, 2, 3, 40_000)), "dates[0].time: is finer than a second"),
        (
            Dated(type="2", on=dt.date(2026, 1, 5), extra=(("DTM01-2", "20260105"), ("DTM01-3", "102"))),
            "extra: DTM01-2 has a field",
        ),
        (
            Dated(type="2", extra=(("DTM01-2", "20260105"), ("DTM01-3", "102"))),
            "extra: DTM01-2 would be read as a date or a time",
        ),
        (
            Dated(type="2", extra=(("DTM01-2", "2026-1-5"), ("DTM01-3", "102"))),
            "extra: DTM01-2 would be read as a date or a time",
        ),
    ],
)
def test_a_date_that_would_not_be_read_back_is_refused(dated: Dated, says: str) -> None:
    with pytest.raises(CannotWrite) as refused:
        edifact_map().write(SalesOrder(number="1", dates=(dated,)))
    assert any(says in problem.message for problem in refused.value.problems), refused.value.problems


# kinds and values


def test_what_stands_beside_the_one_pair_of_a_segment_is_kept_by_its_place() -> None:
    order = read(ORDER.replace("NAD+DP+4711::92", "NAD+DP+4711:160:92"))
    assert order.parties[1].ids == {"buyer_assigned": "4711"}
    assert order.parties[1].extra == (("NAD02-2", "160"),)


def test_a_pair_without_a_qualifier_may_have_a_word() -> None:
    order = read(ORDER.replace("NAD+DP+4711::92", "NAD+DP+4711"))
    assert order.parties[1].ids == {"unqualified": "4711"}


def test_what_stands_beside_a_kind_that_may_move_is_kept_with_the_kind() -> None:
    told = ORDER.replace("4000862141404:EN", "4000862141404:EN::9").replace("AB-1:SA", "AB-1:SA:1:91")
    (line, _) = read(told).lines
    assert line.ids == {"ean": "4000862141404", "vendor": "AB-1", "buyer": "77"}
    assert line.extra == (("ids[EN]-4", "9"), ("ids[SA]-3", "1"), ("ids[SA]-4", "91"))


def test_kinds_are_written_where_their_code_may_stand() -> None:
    told = ORDER.replace("LIN+1++4000862141404:EN", "LIN+1++AB-1:SA").replace(
        "PIA+1+AB-1:SA+77:IN", "PIA+5+4000862141404:EN+77:IN"
    )
    (line, _) = read_only(told).lines
    assert line == read(ORDER).lines[0]
    kinds = {"upc": "1", "ean": "2", **{f"K{n}": str(n) for n in range(6)}}
    rows = written(SalesOrder(number="1", lines=(OrderLine(ids=kinds),)))
    assert rows[1:4] == ["LIN+++1:UP", "PIA+1+2:EN+0:K0+1:K1+2:K2+3:K3", "PIA+1+4:K4+5:K5"]


@pytest.mark.parametrize("more", [{}, {"extra": (("ids[SA]-4", "91"),)}], ids=["quick", "slow"])
def test_a_place_that_adds_to_the_first_is_written_beside_it_alone(more: dict[str, Any]) -> None:
    def lines(**ids: str) -> list[str]:
        order = SalesOrder(number="1", lines=(OrderLine(number="1", ids=ids, **more),))
        return [row for row in written(order) if row.startswith(("LIN", "PIA"))]

    own = "::91" if more else ""
    assert lines(vendor="A", buyer="B") == ["LIN+1", f"PIA+5+A:SA{own}+B:IN"]
    assert lines(vendor="A", ean="4") == ["LIN+1++4:EN", f"PIA+1+A:SA{own}"]


def test_a_kind_told_twice_is_kept_once_as_a_segment_of_its_own() -> None:
    order = read(ORDER.replace("77:IN", "77:IN\nPIA+5+X:EN+:SA"))
    assert order.lines[0].ids == {"ean": "4000862141404", "vendor": "AB-1", "buyer": "77"}
    assert order.lines[0].extra == (("PIA", "5", "X\x1fEN", "\x1fSA"),)
    mixed = read_only(ORDER.replace("AB-1:SA+77:IN", "AB-1:SA+X:EN+77:IN"))
    assert mixed.lines[0].ids == order.lines[0].ids
    assert written(mixed)[10:12] == ["PIA+1+AB-1:SA+77:IN", "PIA+1+X:EN"]


def test_a_segment_of_pairs_that_holds_more_is_kept_whole() -> None:
    assert read(ORDER.replace("77:IN", "77:IN\nPIA+2+X:EN")).lines[0].extra == (("PIA", "2", "X\x1fEN"),)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (OrderLine(ids={"ean": "1"}, extra=(("ids[SA]-4", "91"),)), "extra: ids[SA] has no place"),
        (OrderLine(ids={"ean": "1"}, extra=(("ids[EN]-2", "X"),)), "extra: ids[EN]-2 has a field"),
        (OrderLine(ids={"EN": "1"}), "ids.EN: code 'EN' is called 'ean'"),
        (OrderLine(ids={"ean": "a\x1fb"}), "ids.ean: holds the component separator"),
        (OrderLine(notes=("a\x1fb",)), "notes: holds the component separator"),
        (
            OrderLine(ids={f"K{n}": "1" for n in range(251)}),
            "lines[0].ids.K250: LIN has no place left for it",
        ),
    ],
)
def test_a_pair_that_has_no_place_is_refused(line: OrderLine, says: str) -> None:
    with pytest.raises(CannotWrite) as refused:
        edifact_map().write(SalesOrder(number="1", lines=(line,)))
    assert any(says in problem.message for problem in refused.value.problems), refused.value.problems


# numbers, constants and counts


def test_a_number_may_have_either_decimal_mark_and_is_written_with_a_point() -> None:
    order = read_only(ORDER.replace("21:12.5:PCE", "21:12,5:PCE"))
    assert order.lines[0].quantity == Decimal("12.5")
    assert "QTY+21:12.5:PCE" in written(order)


def test_a_constant_that_a_partner_wrote_otherwise_is_kept_by_its_component() -> None:
    order = read(ORDER.replace("CUX+2:EUR", "CUX+3:EUR:9"))
    assert order.extra == (("CUX01-1", "3"), ("CUX01-3", "9"))
    assert "CUX+2:EUR" in written(SalesOrder(number="1", currency="EUR"))
    assert not any(row.startswith("CUX") for row in written(SalesOrder(number="1")))


def test_what_is_kept_of_a_picked_loop_is_told_from_another_iteration_of_it() -> None:
    rates = "CUX+2:EUR\nPCD+1:5\nDTM+134:20260101:102\nCUX+3:USD:4\nPCD+1:7\nDTM+134:20260202:102"
    order = read(ORDER.replace("CUX+2:EUR", rates))
    assert order.currency == "EUR"
    assert [entry[0] for entry in order.extra] == [
        *("CUX>PCD", "CUX>DTM"),
        *("CUX", "CUX>PCD", "CUX>DTM"),
    ]


def test_selectors_and_constants_are_written_into_their_composites() -> None:
    assert written(SalesOrder(number="1", total=Decimal(3), quantity=Decimal(7))) == [
        "BGM++1",
        "UNS+S",
        "MOA+86:3",
        "CNT+1:7",
        "CNT+2:0",
    ]


def test_the_constants_of_a_list_are_written_with_its_items() -> None:
    told = ORDER.replace("LIN+1++", "ALC+A+++++DI\nPCD+3:10\nLIN+1++").replace("+++++DI", "++++DI")
    order = read(told)
    assert (order.charges[0].code, order.charges[0].percent) == ("DI", Decimal(10))


# texts


def test_a_text_that_fills_its_component_goes_on_in_the_next() -> None:
    long = "X" * 35 + "Y" * 20
    order = read(ORDER.replace("IMD+F++:::WIDGET", f"IMD+F++:::{long[:35]}:{long[35:]}"))
    assert order.lines[0].description == long
    order = read(ORDER.replace("IMD+F++:::WIDGET", "IMD+F++:::RED:WIDGET"))
    assert order.lines[0].description == "RED"
    assert order.lines[0].extra == (("IMD[F]03-5", "WIDGET"),)
    order = read(ORDER.replace("IMD+F++:::WIDGET", "IMD+F++::::WIDGET"))
    assert (order.lines[0].description, order.lines[0].extra) == (None, (("IMD[F]03-5", "WIDGET"),))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (OrderLine(description="X" * 71), "description: has 71 characters where 70 fit"),
        (
            OrderLine(description="X" * 35, extra=(("IMD[F]03-5", "Y"),)),
            "extra: IMD[F]03-4 would be read as description",
        ),
        (OrderLine(description="X" * 36, extra=(("IMD[F]03-5", "Y"),)), "extra: IMD[F]03-5 has a field"),
    ],
)
def test_a_text_that_would_not_be_read_back_is_refused(line: OrderLine, says: str) -> None:
    with pytest.raises(CannotWrite) as refused:
        edifact_map().write(SalesOrder(number="1", lines=(line,)))
    assert any(says in problem.message for problem in refused.value.problems), refused.value.problems


def test_texts_beside_others_of_their_segment_are_those_before_the_first_that_holds_more() -> None:
    told = ORDER.replace("FTX+AAI+++SIX", "FTX+AAI+++SIX+EN\nFTX+AAI+++SEVEN\nFTX+DEL+++EIGHT")
    (line, _) = read(told).lines
    assert line.notes == ("ONE", "TWO", "THREE", "FOUR", "FIVE")
    assert line.messages == (
        Message(type="AAI", text=("SIX",), extra=(("FTX05", "EN"),)),
        Message(type="AAI", text=("SEVEN",)),
        Message(type="DEL", text=("EIGHT",)),
    )
    for line in (OrderLine(messages=(Message(type="AAI", text=("A",)),)), OrderLine(extra=(("FTX", "AAI"),))):
        with pytest.raises(CannotWrite, match=r"FTX AAI would be read as FTX\[AAI\]"):
            edifact_map().write(SalesOrder(number="1", lines=(line,)))


def test_an_item_of_a_list_that_lacks_what_it_needs_is_kept_whole() -> None:
    order = read(
        ORDER.replace("LIN+1++", "TOD+3++CIF\nLOC+1+BE\nLIN+1++").replace("CUX+2:EUR", "CUX+2:EUR\nTOD++CC")
    )
    assert [terms.payment for terms in order.freight] == ["CC"]
    assert order.extra == (("TOD", "3", "", "CIF"), ("TOD>LOC", "1", "BE"))


def test_a_field_where_a_list_is_selected_is_what_it_is_selected_by() -> None:
    toml = MAP.replace('each = "TOD"\n', 'each = "TOD[02=CC]"\n')
    order = read(ORDER.replace("LIN+1++", "TOD++CC+CIF\nTOD++PP\nLIN+1++"), toml)
    assert [terms.payment for terms in order.freight] == ["CC"]
    assert order.extra == (("TOD", "", "PP"),)
    with pytest.raises(CannotWrite, match=r"freight\[0\].payment: is always 'CC' here"):
        written(SalesOrder(number="1", freight=(FreightTerms(payment="PP"),)), toml)


# what is wrong with a map


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"BGM02-1"', '"BGM02-2"', "map.number: BGM02 has no component 2"),
        ('"NAD06"', '"NAD02"', "map.parties.address.city: NAD02 is a composite: name one of its components"),
        ("DTM[137]", "DTM[XYZ]", "map.ordered_on: 'XYZ' is no code of element 2005"),
        ("RFF[01-1=CT]", "RFF[01-2=CT]", None),
        ("RFF[01-1=CT]", "RFF[01-9=CT]", "map.contract: RFF01 has no component 9"),
        (
            'purpose = "BGM03"',
            'purpose = "DTM[137]01-2"',
            "map.purpose: its place is that of 'ordered_on'|map.ordered_on: its place is that of 'purpose'",
        ),
        ("NAD02-3/02-1", "NAD02-3/04-1", "ids: pair: the places are of different composites"),
        ("NAD02-3/02-1", "NAD02-3/02-8", "ids: NAD02 has no component 8"),
        ('"LIN03-2/03-1 EN UP"', '"LIN03-2/03-1 QQQ"', "map.lines.ids: 'QQQ' is no code of element 7143"),
        ('"PIA[5]02-2/02-1"', '"LIN03-2/03-1"', "map.lines.ids: pair: the places are of different segments"),
        (
            '"LIN03-2/03-1 EN UP"',
            '"LIN03-2/03-1"',
            "map.lines.ids: pair: + needs a place before it that names its codes",
        ),
        (
            '"PIA[5]02-2/02-1"',
            '"RFF01-1/01-2"',
            "map.lines.ids: pair: the segments are not of one loop",
        ),
        (
            'number = "LIN01"',
            'number = "LIN03-3"',
            "map.lines.ids: shares its composites with another field",
        ),
        ('"NAD04-2..5"', '"NAD04-2..9"', "more_names: NAD04 has no component 7"),
        ('"CNT[2]01-2"', '"CNT[2]01-7"', "count.CNT[2]01-7: CNT01 has no component 7"),
        ('\n"CUX01-1" = "2"', '\n"CUX01-1" = "99"', "always.CUX01-1: '99' is no code of element 6347"),
        (
            '\n"CUX01-1" = "2"',
            '\nCUX01 = "2"',
            "always.CUX01: CUX01 is a composite: name one of its components",
        ),
        (
            'purpose = "BGM03"',
            'purpose = { at = "BGM03", codes = "agency" }',
            "map.purpose: codes: 'agency' has a word for no code at all, which only a pair can have",
        ),
        ("IMD[F]03-4..5", "IMD[F]03-4..6", "map.lines.description: IMD03-6 is another element"),
        (
            '"LIN01"',
            '"IMD[F]03-5"',
            "map.lines.number: its place is that of 'description'",
        ),
        ('"sales_order"', '"sales_order"\nshape = "sphere"', "shape: 'sphere' is none of"),
    ],
)
def test_a_mistake_is_found_when_the_map_is_loaded(old: str, new: str, says: str | None) -> None:
    toml = MAP.replace("\nCUX01-1", '\n"CUX01-1"')
    assert old in toml
    if says is None:
        edifact_map(toml.replace(old, new))
        return
    with pytest.raises(MapError) as refused:
        edifact_map(toml.replace(old, new))
    found = refused.value.findings
    assert any(one in finding for finding in found for one in says.split("|")), found


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_reading_never_throws_and_loses_nothing_whatever_the_components_hold(data: st.DataObject) -> None:
    transaction, map = message(ORDER), edifact_map()
    check = edifact.check(transaction)
    assert check.places is not None
    rows = [list(row) for row in check.rows]
    parts = st.sampled_from(
        ["", "1", "EN", "SA", "102", "203", "9", "AAI", "20260105", "X\x1fY", "\x1f", "?"]
    )
    for _ in range(data.draw(st.integers(1, 4))):
        row = rows[data.draw(st.integers(1, len(rows) - 2))]
        at = data.draw(st.integers(1, 6))
        row.extend([""] * (at + 1 - len(row)))
        row[at] = "\x1f".join(data.draw(st.lists(parts, max_size=5)))
    order, problems = map.read(rows, check.places, NORMAL)
    if order is None:
        assert problems
        return
    try:
        placed = placed_rows(map._scope, order, map.definition.nodes, NORMAL.component)
    except CannotWrite as why:
        assume(not all(" would be read as " in problem.message for problem in why.problems))
        raise
    written_rows = [row for _, row in placed]
    assert map.read(written_rows, tuple(node for node, _ in placed), NORMAL) == (order, ())
    assert values_of(written_rows) == values_of(rows[1:-1])


def values_of(rows: list[list[str]]) -> dict[str, int]:
    """How often each text stands in rows, but for qualifiers and constants, which go with them."""
    counted: dict[str, int] = {}
    for row in rows:
        for text in ("\x1f".join(row[1:])).split("\x1f"):
            if text not in (
                "",
                "AAI",
                "AAN",
                "AAA",
                "CT",
                "F",
                "1",
                "2",
                "5",
                "21",
                "137",
                "171",
                "220",
                "S",
            ):
                counted[text] = counted.get(text, 0) + 1
    return counted


@settings(max_examples=150, deadline=None, phases=QUICKLY, suppress_health_check=list(HealthCheck))
@given(documents(edifact_map()))
def test_what_both_writers_write_is_the_same_or_a_doubt(order: SalesOrder) -> None:
    map = edifact_map()
    assert map._write is not None
    try:
        quick = map._write(order, NORMAL.component)
    except DOUBTS:
        return
    assert quick == [row for _, row in placed_rows(map._scope, order, map.definition.nodes, "\x1f")]


def test_a_map_is_of_the_versions_that_have_the_message() -> None:
    assert versions("ORDERS") == ["D.96A", "D.01B"]
    assert isinstance(message(ORDER), Transaction)
