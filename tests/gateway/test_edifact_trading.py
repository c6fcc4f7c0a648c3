"""Orders in EDIFACT on their way through the gateway, to warehouses that speak either syntax, and back."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from edifact_by_hand import DEPOT, ORDER, PARTNERS, contrl, interchange, message, order, segments
from trading import ORDER as X12_ORDER
from trading import RETAILER, SHIPMENT, WAREHOUSE, Trading, eventually, trading

from edi.documents import (
    AdjustmentLine,
    AnsweredLine,
    Charge,
    InventoryAdjustment,
    LineAnswer,
    OrderAcknowledgment,
    OrderLine,
    Party,
    ReceivingAdvice,
    SalesOrder,
    ShipmentConfirmation,
    ShipSchedule,
)
from edi.tree import PartyId
from gateway import derivation, numbers, queries
from gateway.pipeline.from_erp import Refused

# The same retailer, and a warehouse that speaks X12.
MIXED = (
    PARTNERS[: PARTNERS.index("[partner.depot]")]
    + """\
[partner.depot]
role = "3pl"
status = "live"
usage = "P"
isa = { qualifier = "01", id = "DEPOT" }
sftp_account = { user = "depot", keys = [] }
document = [{ type = "940", direction = "out" }, { type = "945", direction = "in" }]
"""
)


def messages(t: Trading, user: str, type: str) -> list[list[list[str]]]:
    """Every message of a type in a partner's outbox, UNH to UNT."""
    found = []
    for path in t.outbox(user):
        rows = segments(path.read_bytes())
        starts = [at for at, row in enumerate(rows) if row[0] == "UNH" and row[2].split(":")[0] == type]
        for start in starts:
            end = next(at for at in range(start, len(rows)) if rows[at][0] == "UNT")
            found.append(rows[start : end + 1])
    return found


def due(t: Trading, number: str) -> list[str]:
    chain = queries.order_chain(t.home, number)
    assert chain is not None
    return [f"{one['owner']}: {one['what']}" for one in chain["due"]]


def ordered(t: Trading, number: str = "PO-77") -> tuple[SalesOrder, Any]:
    """An ORDERS has come, and is with the ERP."""
    t.drop(interchange(901, order(number)), "shop", "order.edi")
    document, row = t.at_the_erp("ORDERS")
    assert isinstance(document, SalesOrder)
    return document, row


def test_an_order_in_edifact_is_acknowledged_and_handed_to_the_erp(tmp_path: Path) -> None:
    with trading(tmp_path, PARTNERS) as t:
        document, row = ordered(t)
        assert (document.partner, document.number, document.currency) == ("shop", "PO-77", "EUR")
        assert [(line.quantity, line.ids) for line in document.lines] == [
            (12, {"ean": "4000862141404"}),
            (4, {"ean": "4000862141411"}),
        ]
        assert (row.kind, row.number, row.version) == ("sales_order", "PO-77", "D.96A/EAN008")
        ((unh, uci, ucm, _),) = eventually(lambda: messages(t, "shop", "CONTRL"))
        assert (unh[2], uci[1], uci[4], ucm[3]) == ("CONTRL:D:3:UN", "901", "7", "7")
        (answer,) = t.documents(direction="out", type="CONTRL")
        assert (answer.correlation, answer.cause, answer.number) == (row.id, row.id, "901")


def test_an_order_in_edifact_becomes_a_940_where_the_warehouse_speaks_x12(tmp_path: Path) -> None:
    with trading(tmp_path, MIXED) as t:
        ordered(t)
        (rows,) = eventually(lambda: t.sent("depot", "940"))
        assert [row for row in rows if row[0] in ("W05", "W01")] == [
            ["W05", "N", "PO-77", "PO-77"],
            ["W01", "12", "EA", "", "EN", "4000862141404"],
            ["W01", "4", "EA", "", "EN", "4000862141411"],
        ]
        eventually(lambda: "depot: the 945" in due(t, "PO-77"))


def test_a_confirmation_in_x12_leads_to_what_the_customer_gets_in_edifact(tmp_path: Path) -> None:
    with trading(tmp_path, MIXED) as t:
        ordered(t)
        eventually(lambda: t.sent("depot", "940"))
        rows = [["W12", *row[1:6], "", "EN", "4000862141404" if "AB1" in row else "4000862141411"]
                if row[0] == "W12" else row for row in SHIPMENT]  # fmt: skip
        t.arrive("945", rows, "depot", WAREHOUSE)
        (invoic,) = eventually(lambda: messages(t, "shop", "INVOIC"))
        (desadv,) = eventually(lambda: messages(t, "shop", "DESADV"))
        assert invoic[0][2] == "INVOIC:D:96A:UN:EAN008"
        assert desadv[0][2] == "DESADV:D:96A:UN:EAN005"
        assert ["NAD", "DP", "5412345000037::9"] in desadv  # as the customer knows it, not as the warehouse
        (tdt,) = [row for row in desadv if row[0] == "TDT"]
        assert tdt[3] == "30"  # a common carrier's truck is a truck
        sent = t.documents(direction="out", partner="shop", kind="invoice")
        t.drop(contrl(903, sent[0].interchange_control, "7"), "shop", "one.edi")
        eventually(lambda: t.documents(id=sent[0].id)[0].ack == "accepted")


ANSWERING = PARTNERS.replace(
    '  { type = "DESADV", direction = "out", version',
    """\
  { type = "ORDCHG", direction = "in" },
  { type = "ORDRSP", direction = "out" },
  { type = "DESADV", direction = "out", version""",
)
CHANGE = [
    "BGM+230+1+4",
    "DTM+137:20261102:102",
    "RFF+ON:PO-77",
    "DTM+171:20261101:102",
    "NAD+BY+5412345000020::9",
    "CUX+2:EUR:9",
    "LIN+1+3+4000862141404:EN",
    "QTY+21:6",
    "UNS+S",
    "CNT+2:1",
]


def answer(**more: Any) -> OrderAcknowledgment:
    line = AnsweredLine(
        number="1", quantity=Decimal(12), unit="each", answers=(LineAnswer(status="accepted"),), **more
    )
    return OrderAcknowledgment(
        number="PO-77",
        answer="acknowledged_with_detail",
        purpose="original",
        ordered_on=date(2026, 11, 1),
        answered_on=date(2026, 11, 2),
        sales_order="SO-9",
        lines=(line,),
    )


def test_an_order_and_its_change_are_each_answered_by_an_ordrsp(tmp_path: Path) -> None:
    with trading(tmp_path, ANSWERING) as t:
        _, row = ordered(t)
        eventually(lambda: messages(t, "depot", "INSDES"))
        assert due(t, "PO-77").count("erp: the ORDRSP") == 1
        t.leave(answer())
        (first,) = eventually(lambda: messages(t, "shop", "ORDRSP"))
        assert ["RFF", "ON:PO-77"] in first
        assert "erp: the ORDRSP" not in due(t, "PO-77")
        t.drop(interchange(2, message("ORDCHG", 1, *CHANGE)), "shop", "change.edi")
        change, found = t.at_the_erp("ORDCHG")
        assert (change.number, found.kind, found.correlation) == ("PO-77", "order_change", row.id)
        assert due(t, "PO-77").count("erp: the ORDRSP") == 1
        (told,) = t.documents(direction="out", type="ORDRSP")
        assert told.correlation == row.id


@pytest.mark.parametrize(
    ("reference", "told"),
    [("RFF+IV:{number}", "INVOIC {number}"), ("RFF+ACW:{message}", "previous message {message}")],
)
def test_an_invoice_that_the_customers_application_refuses_is_told_where_its_order_is(
    tmp_path: Path, reference: str, told: str
) -> None:
    agreed = PARTNERS.replace(
        '  { type = "INVOIC"', '  { type = "APERAK", direction = "in" },\n  { type = "INVOIC"'
    )
    with trading(tmp_path, agreed) as t:
        _, row = ordered(t)
        eventually(lambda: messages(t, "depot", "INSDES"))
        t.drop(interchange(2, message("DESADV", 1, *SHIPPED), sender=DEPOT), "depot", "shipped.edi")
        eventually(lambda: messages(t, "shop", "INVOIC"))
        (bill,) = t.documents(direction="out", type="INVOIC")
        words = {"number": bill.number, "message": bill.transaction_control}
        advice = message(
            "APERAK",
            1,
            "BGM+27+AP-1",
            "DTM+137:20261103:102",
            reference.format(**words),
            "ERC+AA1",
            "FTX+AAO+++Price differs",
        )
        t.drop(interchange(3, advice), "shop", "aperak.edi")
        document, found = t.at_the_erp("APERAK")
        assert [verdict.refused for verdict in document.verdicts] == [True]
        assert found.correlation == row.id
        (refused,) = t.events("refused")
        assert refused.text == f"shop refuses {told.format(**words)}: Price differs"
        assert refused.correlation == row.id


# A retailer who speaks X12, and the warehouse of above.
TURNED = """\
schema = 1
[us]
name = "Northwind"
isa = { qualifier = "ZZ", id = "US" }
unb = { qualifier = "14", id = "5412345000013" }

[partner.shop]
role = "retailer"
status = "live"
usage = "P"
isa = { qualifier = "08", id = "RETAIL" }
sftp_account = { user = "shop", keys = [] }
document = [
  { type = "850", direction = "in", route = "3pl:depot" },
  { type = "856", direction = "out" },
  { type = "810", direction = "out" },
]

""" + PARTNERS[PARTNERS.index("[partner.depot]") :]

SHIPPED = [
    "BGM+351+SHIP-1+9",
    "DTM+137:20261102:102",
    "DTM+11:20261102:102",
    "RFF+AAJ:PO-77",
    "RFF+ON:PO-77",
    "NAD+DP+5412345000037::9",
    "CPS+1",
    "PAC+1++CT",
    "PCI+33E",
    "GIN+BJ+00006141410000000015",
    "LIN+1++4000862141404:EN",
    "QTY+12:12",
    "CPS+2",
    "PAC+1++CT",
    "PCI+33E",
    "GIN+BJ+00006141410000000022",
    "LIN+2++4000862141411:EN",
    "QTY+12:1",
    "CNT+2:2",
]


def test_an_order_goes_all_its_way_in_edifact(tmp_path: Path) -> None:
    with trading(tmp_path, PARTNERS) as t:
        ordered(t)
        (insdes,) = eventually(lambda: messages(t, "depot", "INSDES"))
        assert insdes[0][2] == "INSDES:D:01B:UN:EAN010"
        (path,) = t.outbox("depot")
        assert path.read_bytes().startswith(b"UNA:+.? 'UNB+UNOC:3+5412345000013:14+DEPOT3PL+")
        (row,) = t.documents(direction="out", type="INSDES")
        assert (row.kind, row.number, row.ack) == ("warehouse_order", "PO-77", "waiting")
        eventually(lambda: "depot: the acknowledgment of INSDES PO-77 (waiting)" in due(t, "PO-77"))
        eventually(lambda: "depot: the DESADV" in due(t, "PO-77"))
        t.drop(contrl(1, row.interchange_control, "7", sender=DEPOT), "depot", "contrl.edi")
        eventually(lambda: t.documents(id=row.id)[0].ack == "accepted")

        t.drop(interchange(2, message("DESADV", 1, *SHIPPED), sender=DEPOT), "depot", "shipped.edi")
        confirmation, found = t.at_the_erp("DESADV")
        assert (found.kind, found.correlation) == ("shipment_confirmation", row.correlation)
        assert [line.shipped for line in confirmation.lines] == [12, 1]
        (desadv,) = eventually(lambda: messages(t, "shop", "DESADV"))
        (invoic,) = eventually(lambda: messages(t, "shop", "INVOIC"))
        assert desadv[0][2] == "DESADV:D:96A:UN:EAN005"
        assert ["RFF", "ON:PO-77"] in desadv
        assert ["NAD", "BY", "5412345000020::9"] in desadv
        assert [row for row in desadv if row[0] in ("GIN", "LIN")][-1][3] == "4000862141411:EN"
        assert [row for row in invoic if row[0] in ("BGM", "LIN", "RFF", "MOA")] == [
            ["BGM", "380", "PO-77-1", "9"],
            ["RFF", "ON:PO-77"],
            ["RFF", "BM:SHIP-1"],
            ["LIN", "1", "", "4000862141404:EN"],
            ["MOA", "203:30.00"],
            ["RFF", "ON:PO-77:1"],
            ["LIN", "2", "", "4000862141411:EN"],
            ["MOA", "203:10.00"],
            ["RFF", "ON:PO-77:2"],
            ["MOA", "86:40.00"],
            ["MOA", "79:40.00"],
        ]
        assert ["NAD", "SU", "5412345000013::9"] in invoic

        for sent in t.documents(direction="out", partner="shop"):
            if sent.type != "CONTRL":
                number = 900 + int(sent.interchange_control)
                t.drop(contrl(number, sent.interchange_control, "7"), "shop", f"{number}.edi")
        eventually(lambda: t.events("closed"))
        assert due(t, "PO-77") == []
        assert {row.ack for row in t.documents(direction="out", kind="invoice")} == {"accepted"}


ON_A_PALLET = [
    *SHIPPED[: next(at for at, row in enumerate(SHIPPED) if row.startswith("CPS"))],
    "CPS+1",
    "CPS+2+1",
    "PAC+1++201",
    "PCI+33E",
    "GIN+BJ+00006141410000000305",
    "CPS+3+2",
    "PAC+2++CT",
    "PCI+33E",
    "GIN+BJ+00006141410000000015+00006141410000000022",
    "LIN+1++4000862141404:EN",
    "QTY+12:12",
    "CPS+4+1",
    "LIN+2++4000862141411:EN",
    "QTY+12:1",
    "CNT+2:2",
]


def test_cartons_on_a_pallet_are_told_to_the_customer_as_such(tmp_path: Path) -> None:
    with trading(tmp_path, PARTNERS) as t:
        ordered(t)
        eventually(lambda: messages(t, "depot", "INSDES"))
        t.drop(interchange(2, message("DESADV", 1, *ON_A_PALLET), sender=DEPOT), "depot", "shipped.edi")
        (desadv,) = eventually(lambda: messages(t, "shop", "DESADV"))
        told = [":".join(row) for row in desadv if row[0] in ("CPS", "PAC", "GIN", "LIN", "RFF")]
        assert told[2:] == [
            "CPS:1",
            "PAC:2::CT",
            "LIN:1::4000862141411:EN",
            "RFF:ON:PO-77:2",
            "CPS:2:1:3",
            "PAC:1::201",
            "GIN:BJ:00006141410000000305",
            "CPS:3:2:2",
            "PAC:2::CT",
            "GIN:BJ:00006141410000000015",
            "GIN:BJ:00006141410000000022",
            "LIN:2::4000862141404:EN",
            "RFF:ON:PO-77:1",
        ]


def test_cartons_on_a_pallet_are_told_in_x12_as_well(tmp_path: Path) -> None:
    with trading(tmp_path, TURNED) as t:
        t.arrive("850", X12_ORDER, "shop", RETAILER)
        eventually(lambda: messages(t, "depot", "INSDES"))
        body = [row.replace("4000862141404:EN", "012345678905:UP") for row in ON_A_PALLET]
        body = [row.replace("4000862141411:EN", "AB2:SA") for row in body]
        t.drop(interchange(2, message("DESADV", 1, *body), sender=DEPOT), "depot", "shipped.edi")
        (notice,) = eventually(lambda: t.sent("shop", "856"))
        assert [row[1:] for row in notice if row[0] in ("HL", "TD1", "MAN")] == [
            ["1", "", "S"],
            ["CTN", "2"],
            ["2", "1", "O"],
            ["3", "2", "I"],
            ["4", "2", "T"],
            ["GM", "00006141410000000305"],
            ["5", "4", "P"],
            ["GM", "00006141410000000015"],
            ["GM", "00006141410000000022"],
            ["6", "5", "I"],
        ]


def test_goods_without_a_number_on_their_cartons_are_told_by_themselves(tmp_path: Path) -> None:
    with trading(tmp_path, PARTNERS) as t:
        ordered(t)
        eventually(lambda: messages(t, "depot", "INSDES"))
        body = [row for row in SHIPPED if not row.startswith(("PAC", "PCI", "GIN"))]
        t.drop(interchange(2, message("DESADV", 1, *body), sender=DEPOT), "depot", "shipped.edi")
        (desadv,) = eventually(lambda: messages(t, "shop", "DESADV"))
        assert [row[0] for row in desadv if row[0] in ("CPS", "PAC", "LIN")] == ["CPS", "LIN", "LIN"]


LONG = "Garden hose of three layers, 20 metres, with nozzle and four couplings, green"


def test_long_descriptions_hold_up_neither_a_warehouse_nor_a_notice(tmp_path: Path) -> None:
    with trading(tmp_path, MIXED) as t:
        body = [*ORDER[:7], f"IMD+F++:::{LONG[:35]}:{LONG[35:70]}", *ORDER[7:]]
        t.drop(interchange(901, order("PO-77", body=body)), "shop", "order.edi")
        (rows,) = eventually(lambda: t.sent("depot", "940"))
        assert [row[1] for row in rows if row[0] == "G69"] == [
            "Garden hose of three layers, 20 metres, with",
            "nozzle and four couplings",
        ]
        goods = ["", "EN", "4000862141404"]
        shipped = [[*row[:6], *goods] if row[0] == "W12" else row for row in SHIPMENT]
        t.arrive("945", shipped, "depot", WAREHOUSE)
        (desadv,) = eventually(lambda: messages(t, "shop", "DESADV"))
        (invoic,) = eventually(lambda: messages(t, "shop", "INVOIC"))
        described = ["IMD", "F", "", f":::{LONG[:35]}:{LONG[35:70].rstrip()}"]
        assert described in desadv
        assert described in invoic


def test_what_the_erp_makes_does_not_follow_from_a_shipment_too(tmp_path: Path) -> None:
    agreed = PARTNERS.replace('{ type = "INVOIC",', '{ type = "INVOIC", made_by = "erp",')
    with trading(tmp_path, agreed) as t:
        ordered(t)
        eventually(lambda: messages(t, "depot", "INSDES"))
        t.drop(interchange(2, message("DESADV", 1, *SHIPPED), sender=DEPOT), "depot", "shipped.edi")
        eventually(lambda: messages(t, "shop", "DESADV"))
        assert not t.documents(direction="out", kind="invoice")
        assert "erp: the INVOIC" in due(t, "PO-77")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["TAX+7+VAT+++:::19+S", "CUX+2:EUR:9"], "taxes"),
        (["CUX+2:EUR:9", "ALC+A+++1+DI", "PCD+3:5"], "allowances or charges"),
    ],
)
def test_an_order_with_more_to_pay_than_its_prices_is_not_billed_by_itself(
    tmp_path: Path, more: list[str], told: str
) -> None:
    with trading(tmp_path, PARTNERS) as t:
        body = [new for row in ORDER for new in (more if row.startswith("CUX") else [row])]
        t.drop(interchange(901, order("PO-77", body=body)), "shop", "order.edi")
        eventually(lambda: messages(t, "depot", "INSDES"))
        t.drop(interchange(2, message("DESADV", 1, *SHIPPED), sender=DEPOT), "depot", "shipped.edi")
        (bill,) = eventually(lambda: t.documents(direction="out", kind="invoice"))
        assert (bill.status, bill.reason) == ("held", "DOUBTFUL")
        assert bill.error == f"the order has {told}, of which this bill tells nothing"


@pytest.mark.parametrize(("net", "held"), [(True, False), (False, True)])
def test_an_allowance_of_a_line_is_in_its_net_price_alone(net: bool, held: bool) -> None:
    line = OrderLine("1", Decimal(1), "each", Decimal(9), charges=(Charge("allowance", amount=Decimal(1)),))
    assert bool(derivation.unbilled(SalesOrder("PO1", lines=(line,)), net=net)) is held


@pytest.mark.parametrize(("function", "purpose"), [("1", "cancellation"), ("5", "replace")])
def test_an_order_that_its_customer_sends_again_to_revise_it_is_not_billed_by_itself(
    tmp_path: Path, function: str, purpose: str
) -> None:
    with trading(tmp_path, PARTNERS) as t:
        ordered(t)
        eventually(lambda: messages(t, "depot", "INSDES"))
        again = [row.replace("+9", f"+{function}") if row.startswith("BGM") else row for row in ORDER]
        t.drop(interchange(902, order("PO-77", body=again)), "shop", "again.edi")
        eventually(lambda: len(t.documents(direction="out", type="INSDES")) == 2)
        t.drop(interchange(2, message("DESADV", 1, *SHIPPED), sender=DEPOT), "depot", "shipped.edi")
        (bill,) = eventually(lambda: t.documents(direction="out", kind="invoice"))
        assert (bill.status, bill.reason) == ("held", "DOUBTFUL")
        assert bill.error.startswith(f"the customer has changed the order by ORDERS ({purpose})")
        eventually(lambda: messages(t, "shop", "DESADV"))  # what has left is told all the same


def test_an_order_in_x12_goes_to_a_warehouse_that_speaks_edifact_and_its_answer_back(tmp_path: Path) -> None:
    with trading(tmp_path, TURNED) as t:
        t.arrive("850", X12_ORDER, "shop", RETAILER)
        (insdes,) = eventually(lambda: messages(t, "depot", "INSDES"))
        assert ["NAD", "DE", "5412345000013::9", "", "Northwind"] in insdes
        goods = [row for row in insdes if row[0] in ("LIN", "PIA", "QTY")]
        assert goods == [
            ["LIN", "1", "", "012345678905:UP"],
            ["PIA", "1", "AB1:SA"],
            ["QTY", "12:12:EA"],
            ["LIN", "2"],
            ["PIA", "5", "AB2:SA"],
            ["QTY", "12:4:EA"],
        ]
        shipped = [row.replace("4000862141404:EN", "012345678905:UP") for row in SHIPPED]
        shipped = [row.replace("4000862141411:EN", "AB2:SA") for row in shipped]
        t.drop(interchange(2, message("DESADV", 1, *shipped), sender=DEPOT), "depot", "shipped.edi")
        (notice,) = eventually(lambda: t.sent("shop", "856"))
        (bill,) = eventually(lambda: t.sent("shop", "810"))
        assert [row[2:] for row in notice if row[0] == "MAN"] == [
            ["00006141410000000015"],
            ["00006141410000000022"],
        ]
        assert [row for row in bill if row[0] == "TDS"] == [["TDS", "4000"]]
        assert {row.status for row in t.documents(direction="out")} == {"sent"}


def with_ids(*ids: str) -> list[list[str]]:
    """The 850 with these ids in its second line."""
    return [[*row[:6], *ids] if row[:2] == ["PO1", "2"] else row for row in X12_ORDER]


def test_a_warehouse_is_told_those_ids_that_its_syntax_has_codes_for(tmp_path: Path) -> None:
    with trading(tmp_path, TURNED) as t:
        t.arrive("850", with_ids("CB", "065322-117", "PR", "RO", "VN", "AB2"), "shop", RETAILER)
        (insdes,) = eventually(lambda: messages(t, "depot", "INSDES"))
        goods = [row for row in insdes if row[0] in ("LIN", "PIA")]
        assert goods[2:] == [["LIN", "2"], ["PIA", "5", "AB2:SA"]]


def test_goods_that_a_warehouse_cannot_be_named_wait_for_a_person(tmp_path: Path) -> None:
    with trading(tmp_path, TURNED) as t:
        t.arrive("850", with_ids("CB", "065322-117"), "shop", RETAILER)
        (held,) = eventually(lambda: t.documents(direction="out", partner="depot"))
        assert (held.status, held.reason) == ("held", "DOUBTFUL")
        assert held.error == "no id of line 2 can be told to the warehouse"


@pytest.mark.parametrize(
    ("row", "more", "doubt"),
    [
        ("LIN+2++4000862141411:EN", ["LIN+2++4000862141411:EN+1:1"], "line 2 is a part of another line"),
        ("QTY+21:4", ["QTY+59:4"], "line 2 tells no quantity"),
        ("QTY+21:12", ["QTY+21:12", "QTY+192:1"], "goods free of charge come with line 1"),
        (
            "PRI+AAA:10",
            ["PRI+AAA:10", "LOC+7+5412345000044::9", "QTY+11:3", "LOC+7+5412345000051::9", "QTY+11:1"],
            "line 2 is for several places",
        ),
    ],
)
def test_an_order_that_says_more_than_a_warehouse_is_told_waits_for_a_person(
    tmp_path: Path, row: str, more: list[str], doubt: str
) -> None:
    with trading(tmp_path, PARTNERS) as t:
        body = [new for old in ORDER for new in (more if old == row else [old])]
        t.drop(interchange(901, order("PO-77", body=body)), "shop", "order.edi")
        (held,) = eventually(lambda: t.documents(direction="out", partner="depot"))
        assert (held.status, held.reason, held.error) == ("held", "DOUBTFUL", doubt)


def test_an_order_in_edifact_is_shipped_to_its_buyer_unless_it_names_another_place(tmp_path: Path) -> None:
    with trading(tmp_path, PARTNERS) as t:
        body = [row for row in ORDER if not row.startswith("NAD+DP")]
        t.drop(interchange(901, order("PO-77", body=body)), "shop", "order.edi")
        (insdes,) = eventually(lambda: messages(t, "depot", "INSDES"))
        assert ["NAD", "DP", "5412345000020::9"] in insdes


def test_an_order_in_x12_that_names_no_place_to_ship_to_waits_for_a_person(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        t.arrive("850", [row for row in X12_ORDER if row[0] not in ("N1", "N3", "N4")], "shop", RETAILER)
        (held,) = eventually(lambda: t.documents(direction="out", partner="depot"))
        assert (held.status, held.error) == ("held", "the order names no place to ship to")


def test_a_warehouse_of_x12_is_told_of_an_order_in_edifact_what_x12_has_codes_for(tmp_path: Path) -> None:
    with trading(tmp_path, MIXED) as t:
        body = [*ORDER[:7], "PIA+1+65JF:BP+9:PV+77:VN", *ORDER[7:]]
        t.drop(interchange(901, order("PO-77", body=body)), "shop", "order.edi")
        (rows,) = eventually(lambda: t.sent("depot", "940"))
        (line, _) = [row for row in rows if row[0] == "W01"]
        assert line == ["W01", "12", "EA", "", "EN", "4000862141404", "BP", "65JF"]


# What the ERP has sent in EDIFACT: orders to a supplier.

SUPPLIER = ("5412345000055", "14")


def supplier(agreed: str = "", terms: str = "", more: str = "") -> str:
    """A supplier over SFTP who gets orders, as is agreed."""
    return (
        PARTNERS[: PARTNERS.index("[partner.shop]")]
        + f"""
[partner.mill]
role = "supplier"
status = "live"
usage = "P"
unb = {{ qualifier = "14", id = "{SUPPLIER[0]}" }}
edifact = {{ {terms} }}
{more}
sftp_account = {{ user = "mill", keys = [] }}
document = [{{ type = "ORDERS", direction = "out" {agreed} }}]
"""
    )


def purchase(number: str = "PO-1", **more: Any) -> SalesOrder:
    """An order of ours."""
    values: dict[str, Any] = {
        "ordered_on": date(2026, 11, 1),
        "parties": (
            Party(role="buyer", ids={"gln": "5412345000013"}),
            Party(role="supplier", ids={"gln": SUPPLIER[0]}, name="M\u00fcller + S\u00f6hne"),
        ),
        "lines": (
            OrderLine(
                number="1", quantity=Decimal("12.5"), price=Decimal("2.75"), ids={"ean": "4000862141404"}
            ),
        ),
    } | more
    return SalesOrder(number=number, partner="mill", **values)


def sent(t: Trading, count: int = 1) -> list[bytes]:
    """What stands in the supplier's outbox, once there are so many."""
    paths = eventually(lambda: t.outbox("mill") if len(t.outbox("mill")) == count else None)
    return [path.read_bytes() for path in paths]


def test_an_order_of_the_erp_is_written_numbered_and_closed_by_a_contrl(tmp_path: Path) -> None:
    with trading(tmp_path, supplier()) as t:
        t.leave(purchase())
        (data,) = sent(t)
        assert data.startswith(b"UNB+UNOC:3+5412345000013:14+5412345000055:14+")
        assert b"'UNH+1+ORDERS:D:96A:UN'BGM+" in data
        assert "M\u00fcller ?+ S\u00f6hne".encode("latin-1") in data
        assert b"QTY+21:12.5'PRI+" in data
        assert b":2.75" in data
        unb, *_, unz = segments(data.replace(b"?+", b""))
        assert unb[5:] == ["1", "", "", "", "1"]  # 0031: a CONTRL is agreed
        assert unz == ["UNZ", "1", "1"]
        (path,) = t.outbox("mill")
        assert path.name == "ORDERS_mill_000000001.edi"
        (row,) = t.documents(direction="out")
        assert (row.type, row.version, row.ack) == ("ORDERS", "D.96A", "waiting")
        assert (row.interchange_control, row.group_control, row.transaction_control) == ("1", None, "1")
        t.drop(contrl(9, 1, "7", "UCM+1+ORDERS:D:96A:UN+7", sender=SUPPLIER), "mill", "answer.edi")
        eventually(lambda: t.documents(id=row.id)[0].ack == "accepted")


def test_it_is_written_as_agreed(tmp_path: Path) -> None:
    terms = 'version = "D.01B/EAN010", syntax = "UNOB:4", una = "always", decimal = ",", suffix = "\\n"'
    quiet = ', ack = { mode = "none" }'
    plain = purchase(parties=(Party(role="buyer", ids={"gln": "5412345000013"}),))
    with trading(tmp_path, supplier(quiet, terms)) as t:
        t.leave(plain)
        (data,) = sent(t)
        lines = data.decode().split("\n")
        assert lines[0] == "UNA:+,?*'"
        assert lines[1].startswith("UNB+UNOB:4+5412345000013:14+5412345000055:14+20")
        assert lines[1].endswith("+1'")  # and no 0031
        assert lines[2] == "UNH+1+ORDERS:D:01B:UN:EAN010'"
        assert "PRI+AAA:2,75'" in lines
        assert t.documents(direction="out")[0].ack == "none"


def test_what_a_character_set_has_not_is_refused_with_the_reason(tmp_path: Path) -> None:
    with (
        trading(tmp_path, supplier("", 'syntax = "UNOA:2"'), run=False) as t,
        pytest.raises(Exception, match="UNOA cannot write"),
    ):
        t.leave(purchase())


def test_what_the_message_does_not_allow_takes_no_number(tmp_path: Path) -> None:
    with trading(tmp_path, supplier(), run=False) as t:
        long = purchase("P" * 40)
        with pytest.raises(Refused, match="number: has 40 characters, at most 35 are allowed"):
            t.leave(long)
        assert t.documents(direction="out") == []


def test_where_nothing_is_agreed_a_message_is_written_by_the_map_of_its_document(tmp_path: Path) -> None:
    adjusted = InventoryAdjustment(
        number="ADJ-1",
        adjusted_on=date(2026, 11, 2),
        lines=(AdjustmentLine(reason="defective", quantity=Decimal(-2), unit="each", ids={"vendor": "AB1"}),),
        partner="mill",
    )
    with trading(tmp_path, supplier().partition("document = [")[0], run=False) as t:
        t.leave(adjusted)
        (row,) = t.documents(direction="out")
        assert (row.type, row.kind, row.status) == ("INVRPT", "inventory_adjustment", "sent")
        t.leave(ShipmentConfirmation(partner="mill"))
        assert t.documents(type="DESADV")[0].kind == "shipment_confirmation"
        for document in (ShipSchedule(number="S-1"), ReceivingAdvice(number="R-1")):
            with pytest.raises(Refused, match=r"(DELFOR|RECADV) would be rejected"):
                t.leave(msgspec.structs.replace(document, partner="mill"))


def test_a_document_for_which_the_message_is_not_agreed_is_refused(tmp_path: Path) -> None:
    terms = supplier().replace('type = "ORDERS"', 'type = "INVRPT"')
    adjusted = InventoryAdjustment(number="ADJ-1", adjusted_on=date(2026, 11, 2), partner="mill")
    with trading(tmp_path, terms, run=False) as t:
        with pytest.raises(Refused, match="no INVRPT to mill is agreed"):
            t.leave(adjusted)
        with pytest.raises(Refused, match="no ORDERS to mill is agreed"):
            t.leave(purchase())
        assert t.documents(direction="out") == []


def test_messages_of_a_batch_leave_in_one_interchange(tmp_path: Path) -> None:
    with trading(tmp_path, supplier(', batch = { count = 3, within = "1h" }')) as t:
        for number in range(3):
            t.leave(purchase(f"PO-{number}"))
        (data,) = sent(t)
        rows = segments(data.replace(b"?+", b""))
        assert [row[1] for row in rows if row[0] == "UNH"] == ["1", "2", "3"]
        assert rows[-1] == ["UNZ", "3", "1"]
        said = ["UCM+1+ORDERS:D:96A:UN+7", "UCM+2+ORDERS:D:96A:UN+4", "UCS+2", "UCD+12+2:1"]
        t.drop(contrl(9, 1, "7", *said, sender=SUPPLIER), "mill", "answer.edi")
        states = ["accepted", "rejected", "accepted"]
        eventually(lambda: [row.ack for row in t.documents(direction="out")] == states)


def test_messages_stand_in_groups_where_that_is_agreed(tmp_path: Path) -> None:
    batch = ', batch = { count = 2, within = "1h" }'
    counted = 'control_numbers = { scope = "partner+type" }'
    with trading(tmp_path, supplier(batch, "groups = true", counted)) as t:
        for number in range(2):
            t.leave(purchase(f"PO-{number}"))
        (data,) = sent(t)
        rows = segments(data.replace(b"?+", b""))
        (ung,) = [row for row in rows if row[0] == "UNG"]
        assert (ung[1:4], ung[5:]) == (["ORDERS", "5412345000013", SUPPLIER[0]], ["1", "UN", "D:96A"])
        assert rows[-2:] == [["UNE", "2", "1"], ["UNZ", "1", "1"]]
        first, second = t.documents(direction="out")
        assert (first.group_control, second.group_control, first.functional_id) == ("1", "1", "ORDERS")
        assert [(one["ours"], one["level"]) for one in counters(t)] == [
            ("14:5412345000013", "UNB"),
            ("14:5412345000013", "UNG ORDERS"),
            ("14:5412345000013", "UNH ORDERS"),
        ]
        said = [f"UCF+1+5412345000013+{SUPPLIER[0]}+4+29+UNE+2"]
        t.drop(contrl(9, 1, "7", *said, sender=SUPPLIER), "mill", "answer.edi")
        eventually(lambda: [row.ack for row in t.documents(direction="out")] == ["rejected"] * 2)


def counters(t: Trading) -> list[dict[str, Any]]:
    with t.home.store.read() as conn:
        return [one._asdict() for one in numbers.counters(conn)]


def test_numbers_go_on_and_begin_anew_after_fourteen_nines(tmp_path: Path) -> None:
    ours, theirs = PartyId("14", "5412345000013"), PartyId("14", SUPPLIER[0])
    with trading(tmp_path, supplier()) as t:
        t.home.store.write(lambda conn: numbers.put(conn, ours, theirs, "UNB", 10**14 - 1))
        for number in range(2):
            t.leave(purchase(f"PO-{number}"))
        files = sent(t, 2)
        assert sorted(segments(data.replace(b"?+", b""))[-1][2] for data in files) == ["1", "9" * 14]
