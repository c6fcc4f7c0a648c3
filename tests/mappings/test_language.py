"""The map language: where fields stand, overlays, and what is refused when a map is loaded."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
from decimal import Decimal
from pathlib import Path

import pytest
from maps_support import checked, interchange, standard

import mappings
import x12
from edi.documents import (
    OrderLine,
    Party,
    Reference,
    Routing,
    RoutingRequest,
    SalesOrder,
    ShipNotice,
    WarehouseOrder,
)
from edi.problems import CannotWrite, Fault
from edi.tree import Separators
from mappings import MapError

ORDER = """
    ST*850*0001
    BEG*00*SA*PO-1**20260105
    CUR*BY*USD
    REF*DP*038
    REF*IA*1001
    DTM*010*20260110
    DTM*002*20260112*0830
    N1*ST*STORE 12*92*0012
    N3*1 MAIN ST*DOCK 4
    N4*AKRON*OH*44301
    N1*BT*ACCOUNTS
    N4*SOLON*OH*44139
    PO1*1*12*EA*2.50**UP*012345678905*VN*AB-1
    PID*F****WIDGET
    CTT*1
"""

# A map of its own, without base: it picks by qualifier, by another element, by occurrence, and in loops.
PICKING = b"""
document = "sales_order"
[map]
number = "BEG03"
release = "REF[DP]02"
contract = "REF[IA]02"
type = "DTM[#2]01"
ordered_on = "DTM[02=20260110]02"
currency = "N1[ST]>N402"
purpose = "N1[BT]>N401"
[map.lines]
each = "PO1"
number = "PO101"
description = "PID[F]05"
"""


def test_a_field_is_picked_by_qualifier_by_value_by_occurrence_and_within_a_loop() -> None:
    map = standard("850", overlay=PICKING)
    transaction, check = checked(interchange(ORDER))
    order, problems = map.read(check.rows, check.places, transaction.separators)
    assert problems == ()
    assert isinstance(order, SalesOrder)
    assert (order.release, order.contract) == ("038", "1001")
    assert order.type == "002"
    assert order.ordered_on == dt.date(2026, 1, 10)
    assert (order.currency, order.purpose) == ("OH", "SOLON")
    assert order.lines[0].description == "WIDGET"
    assert map.write(order) == [row for row in check.rows[1:-1] if row[0] != "CTT"] + [["CTT", "1"]]


def test_what_a_picking_map_leaves_is_kept_by_reference_designator() -> None:
    map = standard("850", overlay=PICKING)
    _, check = checked(interchange(ORDER))
    order, _ = map.read(check.rows, check.places)
    assert isinstance(order, SalesOrder)
    assert ("BEG01", "00") in order.extra
    assert ("DTM[#2]02", "20260112") in order.extra
    assert ("N1[ST]02", "STORE 12") in order.extra
    assert ("N1[ST]>N3", "1 MAIN ST", "DOCK 4") in order.extra
    assert ("N1[BT]>N402", "OH") in order.extra
    assert ("PO102", "12") in order.lines[0].extra


OVERLAY = b"""
base = "850"
[map]
contract = "REF[CT]02"                 # this partner's contract stands in a REF
release = ""                           # and BEG04 means nothing to us
[map.lines]
price_basis = { at = "PO105", codes = "basis" }
[codes.basis]
PE = "per_each"
"""


def test_an_overlay_changes_three_fields_and_leaves_the_rest() -> None:
    body = ORDER.replace("REF*DP*038", "REF*CT*C-77\nREF*DP*038").replace("2.50**", "2.50*PE*")
    body = body.replace("BEG*00*SA*PO-1**", "BEG*00*SA*PO-1*R9*")
    transaction, check = checked(interchange(body))
    plain, _ = standard("850").read(check.rows, check.places, transaction.separators)
    order, problems = standard("850", overlay=OVERLAY).read(check.rows, check.places, transaction.separators)
    assert problems == ()
    assert isinstance(plain, SalesOrder)
    assert isinstance(order, SalesOrder)
    assert (plain.contract, plain.release, plain.lines[0].price_basis) == (None, "R9", "PE")
    assert (order.contract, order.release, order.lines[0].price_basis) == ("C-77", None, "per_each")
    assert order.extra == (("BEG04", "R9"),)
    assert plain.references == (Reference(type="contract", value="C-77"), *order.references)
    assert (order.parties, order.dates, order.number) == (plain.parties, plain.dates, plain.number)
    for map, document in ((standard("850"), plain), (standard("850", overlay=OVERLAY), order)):
        assert map.write(document) == check.rows[1:-1]


def test_an_overlay_is_a_file_that_is_read_again_when_it_changes(tmp_path: Path) -> None:
    checker = x12.checker("850", "004010")
    assert checker is not None
    file = tmp_path / "acme.toml"
    file.write_bytes(OVERLAY)
    first = mappings.load(checker.definition, file)
    assert mappings.load(checker.definition, file) is first
    file.write_bytes(OVERLAY + b"# and no more\n")

    os.utime(file, ns=(1, 1))
    assert mappings.load(checker.definition, file) is not first


def test_a_value_that_cannot_stand_where_its_occurrence_is_looked_for_is_refused() -> None:
    with pytest.raises(CannotWrite, match="only 0 stand before occurrence 2"):
        standard("850", overlay=PICKING).write(SalesOrder(number="1", type="002"))


def test_a_list_item_that_would_be_read_as_a_picked_field_is_refused() -> None:
    order = SalesOrder(number="1", references=(Reference(type="contract", value="C-77"),))
    assert ["REF", "CT", "C-77"] in standard("850").write(order)
    with pytest.raises(CannotWrite, match=r"REF CT would be read as REF\[CT\]"):
        standard("850", overlay=OVERLAY).write(order)
    told = SalesOrder(number="1", contract="C-1", references=order.references)
    rows = standard("850", overlay=OVERLAY).write(told)
    assert [row for row in rows if row[0] == "REF"] == [["REF", "CT", "C-1"], ["REF", "CT", "C-77"]]


def test_a_picked_loop_comes_before_the_list_it_is_picked_from() -> None:
    overlay = b'base = "850"\n[map]\ncontract = "N1[BT]>N401"\nrelease = "N1[BT]02"\n'
    map = standard("850", overlay=overlay)
    _, check = checked(interchange(ORDER))
    order, _ = map.read(check.rows, check.places)
    assert isinstance(order, SalesOrder)
    assert (order.contract, order.release) == ("SOLON", "ACCOUNTS")
    assert [party.role for party in order.parties] == ["ship_to"]
    rows = map.write(order)
    assert [row[1] for row in rows if row[0] == "N1"] == ["BT", "ST"]
    assert sorted(rows) == sorted(check.rows[1:-1])
    with pytest.raises(CannotWrite, match=r"N1 BT would be read as N1\[BT\]"):
        map.write(SalesOrder(number="1", parties=(Party(role="bill_to", name="X"),)))


def test_a_field_beside_a_list_takes_the_first_segment() -> None:
    map = standard("850", overlay=b'base = "850"\n[map]\nrelease = "TD505"\n')
    rows = map.write(SalesOrder(number="1", release="R", routing=(Routing(description="D"),)))
    assert [row for row in rows if row[0] == "TD5"] == [
        ["TD5", "", "", "", "", "R"],
        ["TD5", "", "", "", "", "D"],
    ]
    with pytest.raises(CannotWrite, match="would be read as TD5"):
        map.write(SalesOrder(number="1", routing=(Routing(description="D"),)))


def test_a_constant_is_written_with_its_segment_and_only_then() -> None:
    map = standard("850")
    rows = map.write(SalesOrder(number="1", currency="EUR"))
    assert ["CUR", "BY", "EUR"] in rows
    assert not any(row[0] == "CUR" for row in map.write(SalesOrder(number="1")))


def test_a_constant_that_a_partner_wrote_otherwise_is_kept() -> None:
    _, check = checked(interchange(ORDER.replace("CUR*BY", "CUR*SE")))
    map = standard("850")
    order, _ = map.read(check.rows, check.places)
    assert isinstance(order, SalesOrder)
    assert order.extra == (("CUR01", "SE"),)
    assert map.write(order) == check.rows[1:-1]


def test_components_are_read_and_written_by_the_interchanges_separator() -> None:
    body = ORDER.replace("PID*F****WIDGET", "MEA*PD*WT*2.5*LB:1:2\nPID*F****WIDGET")
    _, check = checked(interchange(body).replace(b"*T*>~", b"*T*:~"))
    map = standard("850")
    order, _ = map.read(check.rows, check.places, Separators(component=":"))
    assert isinstance(order, SalesOrder)
    (measure,) = order.lines[0].measures
    assert (measure.value, measure.unit) == (Decimal("2.5"), "pound")
    assert measure.extra == (("MEA04-2", "1"), ("MEA04-3", "2"))
    assert ["MEA", "PD", "WT", "2.5", ("LB", "1", "2")] in map.write(order)


def test_segments_that_repeat_beyond_what_the_map_takes_keep_their_order() -> None:
    body = ORDER.replace("CTT*1", "MSG*ONE\nMSG*TWO*SS\nMSG*THREE\nCTT*1")
    _, check = checked(interchange(body))
    map = standard("850")
    order, _ = map.read(check.rows, check.places)
    assert isinstance(order, SalesOrder)
    assert order.lines[0].notes == ("ONE",)
    assert order.lines[0].extra == (("MSG", "TWO", "SS"), ("MSG", "THREE"))
    assert map.write(order) == check.rows[1:-1]


def test_rows_of_an_unplaced_loop_stay_together_and_go_back_to_their_place() -> None:
    body = ORDER.replace("CTT*1", "QTY*38*5\nSI*TI*ZZ*1\nQTY*39*7\nSI*TI*ZZ*2\nN9*ZZ*1\nMSG*LAST\nCTT*1")
    _, check = checked(interchange(body))
    assert check.places is not None
    map = standard("850")
    order, _ = map.read(check.rows, check.places)
    assert isinstance(order, SalesOrder)
    assert [entry[0] for entry in order.lines[0].extra] == ["QTY", "QTY>SI", "QTY", "QTY>SI"]
    assert map.write(order) == check.rows[1:-1]


def test_counts_and_the_numbers_of_a_hierarchy_are_the_writers() -> None:
    body = """
        ST*856*0001
        BSN*00*S1*20260105*1200
        HL*10**S
        HL*30*10*O
        HL*35*30*I
        LIN**UP*1
        HL*20*10*O
        HL*25*20*I
        LIN**UP*2
        CTT*5
    """
    _, check = checked(interchange(body, functional_id="SH"))
    map = standard("856")
    notice, problems = map.read(check.rows, check.places)
    assert problems == ()
    assert isinstance(notice, ShipNotice)
    rows = map.write(notice)
    assert [row for row in rows if row[0] == "HL"] == [
        ["HL", "1", "", "S"],
        ["HL", "2", "1", "O"],
        ["HL", "3", "2", "I"],
        ["HL", "4", "1", "O"],
        ["HL", "5", "4", "I"],
    ]
    assert rows[-1] == ["CTT", "5"]


def test_an_overlay_may_ask_for_the_child_code_of_a_hierarchy() -> None:
    body = """
        ST*856*0001
        BSN*00*S1*20260105*1200
        HL*1**S*1
        HL*2*1*I*0
        CTT*2
    """
    _, check = checked(interchange(body, functional_id="SH"))
    overlay = b'base = "856"\n[map.levels]\ntree = "HL01/02/04"\n'
    map = standard("856", overlay=overlay)
    notice, _ = map.read(check.rows, check.places)
    assert isinstance(notice, ShipNotice)
    assert map.write(notice) == check.rows[1:-1]


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        (b"[map\n", "overlay: "),
        (b"\xff", "overlay: "),
        (b'base = "940"\n', "base: is '940'"),
        (b'document = "order"\n', "document: 'order' is none of"),
        (b'base = "850"\nmpa = 1\n', "mpa: is not one of"),
        (b'base = "850"\n[map]\ndepartment = "REF[DP]02"\n', "map.department: SalesOrder has no such field"),
        (b'base = "850"\n[map.lines]\nqty = "PO102"\n', "map.lines.qty: OrderLine has no such field"),
        (b'base = "850"\n[map]\nextra = "BEG04"\n', "map.extra: SalesOrder has no such field"),
        (b'base = "850"\n[map]\nrelease = "XYZ04"\n', "map.release: there is no segment XYZ in 850"),
        (b'base = "850"\n[map]\nrelease = "BEG99"\n', "map.release: BEG has 12 elements, not 99"),
        (b'base = "850"\n[map]\nrelease = "beg04"\n', "map.release: 'beg04' is no reference designator"),
        (b'base = "850"\n[map]\nrelease = "REF[QQQQ]02"\n', "map.release: 'QQQQ' is no code of element 128"),
        (b'base = "850"\n[map]\nrelease = "N7[ST]>N401"\n', "map.release: there is no loop N7 in 850"),
        (b'base = "850"\n[map]\nrelease = "PER09-2"\n', "map.release: PER09 has no component 2"),
        (b'base = "850"\n[map]\nrelease = 5\n', "map.release: is neither a reference designator nor a table"),
        (b'base = "850"\n[map]\nrelease = "BEG03"\n', "map.release: its place is that of 'number'"),
        (b'base = "850"\n[map]\nnumber = ""\n', "map: 'number' is needed and has no place"),
        (
            b'base = "850"\n[map]\nrelease = { at = "BEG04", codes = "nope" }\n',
            "map.release: codes: there is no table 'nope'",
        ),
        (
            b'base = "850"\n[map]\nrelease = { at = "BEG04", iff = "x" }\n',
            "map.release: 'iff' is not one of",
        ),
        (
            b'base = "850"\n[map]\nordered_on = { at = "BEG05", as = "text" }\n',
            "map.ordered_on: as: the field is date, not text",
        ),
        (
            b'base = "850"\n[map]\ntotal = { at = "BEG04", as = "implied decimal" }\n',
            "map.total: as: element 328 of type AN implies no decimals",
        ),
        (
            b'base = "850"\n[map]\nrelease = { pair = "PER03/04" }\n',
            "map.release: pair: the field is no table of kinds and values",
        ),
        (
            b'base = "850"\n[map.lines]\nids = { pair = "PO106" }\n',
            "map.lines.ids: pair: 'PO106' is not like PO106/07",
        ),
        (b'base = "850"\n[map.number]\neach = "PO1"\n', "map.number: each: the field is no list"),
        (
            b'base = "850"\n[map.taxes]\neach = "TD5"\ntype = "TD501"\n',
            "map.taxes: TD5 is that of 'routing'",
        ),
        (b'base = "850"\n[map]\neach = "PO1"\n', "map.each: SalesOrder has no such field"),
        (b'base = "850"\n[map.lines]\neach = "IT1"\n', "map.lines: there is no IT1 in 850"),
        (b'base = "850"\n[always]\nBEG01 = "99X"\n', "always.BEG01: '99X' is no code of element 353"),
        (b'base = "850"\n[always]\nBEG01 = 0\n', "always.BEG01: needs a text"),
        (b'base = "850"\n[count]\nCTT01 = "IT1"\n', "count.CTT01: there is no IT1 in 850"),
        (
            b'base = "850"\n[codes.unit]\nE1 = "each"\n',
            "codes.unit.E1: needs a word of its own",
        ),
    ],
)
def test_a_mistake_in_a_map_is_found_when_it_is_loaded_with_file_and_key(toml: bytes, says: str) -> None:
    with pytest.raises(MapError) as refused:
        standard("850", overlay=toml)
    assert any(says in finding for finding in refused.value.findings), refused.value.findings
    assert all(finding.startswith("overlay: ") for finding in refused.value.findings)


SOUND = """
base = "850"
[map]
release = {{ at = "REF[DP]02", codes = "unit", as = "text" }}
[map.messages]
each = "N9"
text = {{ list = ["MSG01"] }}
[map.lines]
ids = {{ pair = ["upc=PO107", "PO108/09"], codes = "product" }}
[map.lines.parties]
each = "N1"
role = "N101"
always = {{ N103 = "92" }}
[always]
CUR01 = "SE"
[count]
CTT01 = "PO1"
[codes.unit]
EA = "one"
[version.004010.map]
contract = "BEG06"
"""


@pytest.mark.parametrize(
    "wrong", ["5", "true", "[]", "[5]", "{}", "{ at = 5 }", "{ each = 5 }", "2026-01-05", '"?"']
)
@pytest.mark.parametrize("line", [line for line in SOUND.splitlines() if "=" in line])
def test_any_other_kind_of_value_in_a_map_is_a_finding_or_harmless(line: str, wrong: str) -> None:
    standard("850", overlay=SOUND.format().encode())
    key = line.split(" = ")[0]
    spoiled = SOUND.replace(line, f"{key} = {wrong}").replace("{{", "{").replace("}}", "}")
    try:
        standard("850", overlay=spoiled.encode())
    except MapError as error:
        refused = error.findings
    else:
        refused = ()
    assert all(finding.startswith("overlay: ") for finding in refused)


@pytest.mark.parametrize("name", ["document", "map", "always", "count", "codes", "version"])
def test_a_part_of_a_map_that_is_no_table_is_a_finding(name: str) -> None:
    with pytest.raises(MapError) as refused:
        standard("850", overlay=f'base = "850"\n{name} = 5\n'.encode())
    assert refused.value.findings[0].startswith(f"overlay: {name}: ")


def test_all_mistakes_of_a_map_are_told_at_once() -> None:
    with pytest.raises(MapError) as refused:
        standard("850", overlay=b'base = "850"\n[map]\nrelease = "X04"\ntotal = "BEG99"\nlimes = "BEG04"\n')
    assert len(refused.value.findings) == 3


def test_a_set_without_a_map_is_said_so() -> None:
    definition = dataclasses.replace(standard("850").definition, type="100")
    with pytest.raises(MapError, match="there is no map of 100"):
        mappings.load(definition)


@pytest.mark.parametrize(
    ("order", "says"),
    [
        (SalesOrder(number="1", total=Decimal("NaN")), "SalesOrder.total: is no number that can be written"),
        (SalesOrder(number="1", total=Decimal("1E+900000")), "is no number that can be written"),
        (SalesOrder(number=""), "SalesOrder.number: is needed"),
        (SalesOrder(number=7), "Expected `str`, got `int` - at `$.number`"),  # type: ignore[arg-type]
        (SalesOrder(number="1", purpose="00"), "SalesOrder.purpose: code '00' is called 'original'"),
        (SalesOrder(number="1", ordered_on="2026"), "at `$.ordered_on`"),  # type: ignore[arg-type]
        (SalesOrder(number="1", extra=(("BEG03", "2"),)), "extra: BEG03 has a field"),
        (SalesOrder(number="1", extra=(("FOO", "2"),)), "extra: FOO has no place"),
        (SalesOrder(number="1", extra=(("BEG77X", "2"),)), "extra: BEG77X has no place"),
        (
            SalesOrder(number="1", lines=(OrderLine(ids={f"K{n}": "1" for n in range(11)}),)),
            "SalesOrder.lines[0].ids.K10: PO1 has no place left for it",
        ),
        (
            SalesOrder(number="1", parties=(Party(role="ship_to", more_names=tuple("abcde")),)),
            "SalesOrder.parties[0].more_names: has 5 texts where 4 fit",
        ),
        (
            SalesOrder(number="1", lines=(Party(role="ship_to"),)),  # type: ignore[arg-type]
            "unknown field `role` - at `$.lines[0]`",
        ),
    ],
)
def test_a_document_that_cannot_be_expressed_is_refused_with_the_field(order: SalesOrder, says: str) -> None:
    with pytest.raises(CannotWrite) as refused:
        standard("850").write(order)
    assert any(says in problem.message for problem in refused.value.problems)
    assert {problem.fault for problem in refused.value.problems} == {Fault.MAPPING_FAILED}


def test_a_field_that_the_map_has_no_place_for_is_refused_rather_than_dropped() -> None:
    order = WarehouseOrder(number="1", routing=(Routing(service="next_day"),))
    with pytest.raises(CannotWrite, match=r"routing\[0\]\.service: the map has no place for it"):
        standard("940").write(order)


def test_a_document_of_another_kind_is_the_callers_mistake() -> None:
    with pytest.raises(TypeError, match="writes SalesOrder"):
        standard("850").write(ShipNotice(number="1"))


def test_a_segment_at_a_second_place_of_a_set_is_named_by_its_place() -> None:
    base = b'base = "753"\n[map]\ndestinations = ""\naction = "%s"\n'
    request = RoutingRequest(number="RR-1", action="OH")
    written = standard("753", overlay=base % b"N1:2[ST]>N402").write(request)
    assert written == [["BGN", "", "RR-1"], ["LX", "1"], ["N1", "ST"], ["N4", "", "OH"]]
    with pytest.raises(MapError, match=r"map\.action: there is no loop N1:3 in 753"):
        standard("753", overlay=base % b"N1:3>N402")


def test_a_loop_is_not_both_a_list_and_a_field() -> None:
    with pytest.raises(MapError, match="N1:2 is that of"):
        standard("753", overlay=b'base = "753"\n[map]\naction = "N1:2>N402"\n')


def test_a_constant_of_a_segment_that_the_set_requires_is_always_written() -> None:
    request = RoutingRequest(number="RR-1")
    assert standard("753").write(request) == [["BGN", "", "RR-1"], ["LX", "1"]]
    other = standard("753", overlay=b'base = "753"\n[always]\nPER01 = "IC"\n')
    assert other.write(request) == [["BGN", "", "RR-1"], ["LX", "1"]]
