"""Stock, returns and verdicts: what comes reaches the ERP with its order; what the ERP leaves goes out."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select
from trading import ORDER, RETAILER, SHIPMENT, WAREHOUSE, eventually, trading

from edi.documents import (
    AdjustmentLine,
    ApplicationAdvice,
    ApplicationError,
    Disposition,
    Document,
    InventoryAdjustment,
    InventoryPosition,
    Party,
    PositionLine,
    ReceiptLine,
    Reference,
    ReturnAuthorization,
    ReturnLine,
    StockQuantity,
    StockReceipt,
    StockTransfer,
    TransferLine,
    Transport,
    Verdict,
    decode,
)
from edi.tree import PartyId
from gateway.pipeline.from_erp import Refused
from gateway.store.tables import event

OTHER = PartyId("ZZ", "OTHER")
DAY = dt.date(2026, 11, 2)
SETS = ["180", "824", "846", "943", "944", "947"]

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
sftp_account = { user = "shop", keys = [] }
document = [
  { type = "850", direction = "in", route = "3pl:depot" },
  { type = "856", direction = "out" },
  { type = "810", direction = "out" },
  { type = "824", direction = "in" },
  { type = "180", direction = "in" },
  { type = "180", direction = "out" },
  { type = "846", direction = "out" },
]

[partner.depot]
role = "3pl"
status = "live"
usage = "P"
isa = { qualifier = "01", id = "DEPOT" }
sftp_account = { user = "depot", keys = [] }
document = [
  { type = "940", direction = "out" },
  { type = "945", direction = "in" },
  { type = "943", direction = "out" },
  { type = "944", direction = "in" },
  { type = "947", direction = "in" },
  { type = "846", direction = "in" },
]

[partner.other]
role = "supplier"
status = "live"
usage = "P"
isa = { qualifier = "ZZ", id = "OTHER" }
sftp_account = { user = "other", keys = [] }
x12 = { version = "VERSION" }
document = [AGREED]
""".replace(
    "AGREED",
    ", ".join(f'{{ type = "{type}", direction = "{way}" }}' for type in SETS for way in ("in", "out")),
)
FOUR, FIVE = PARTNERS.replace("VERSION", "004010"), PARTNERS.replace("VERSION", "005010")

TRANSFER = StockTransfer(
    number="ST-1",
    reporting="full",
    shipped_on=DAY,
    purchase_order="PO-77",
    parties=(Party(role="warehouse", name="DEPOT"),),
    transport=Transport(method="motor", ids={"scac": "UPSN"}),
    lines=(TransferLine(shipped=Decimal(12), unit="each", ids={"vendor": "AB1"}),),
    shipped=Decimal(12),
)
RECEIVED = [
    ["W17", "F", "20261103", "WR-1", "ST-1"],
    ["N1", "WH", "DEPOT"],
    ["W07", "12", "EA", "", "VN", "AB1"],
    ["W13", "1", "EA", "01"],
    ["W14", "12"],
]
RETURN = [
    ["BGN", "13", "REQ-1", "20261120"],
    ["PRF", "PO-77"],
    ["N1", "BY", "BIGMART"],
    ["BLI", "VN", "AB1", "2", "EA"],
    ["RDR", "CR", "DR"],
]


def test_stock_sent_for_an_order_goes_to_its_warehouse_and_the_receipt_belongs_to_the_same_order(
    tmp_path: Path,
) -> None:
    with trading(tmp_path, FOUR) as t:
        t.arrive("850", ORDER, "shop", RETAILER)
        eventually(lambda: t.sent("depot", "940"))
        t.leave(TRANSFER)  # it names no partner: its order's warehouse is meant
        (rows,) = eventually(lambda: t.sent("depot", "943"))
        assert [row[0] for row in rows] == ["ST", "W06", "N1", "W27", "W04", "W03", "SE"]
        t.arrive("944", RECEIVED, "depot", WAREHOUSE)
        receipt, row = t.at_the_erp("944")
        assert isinstance(receipt, StockReceipt)
        assert (receipt.number, receipt.transfer) == ("WR-1", "ST-1")
        assert receipt.lines[0].exceptions[0].condition == "damaged"
        (order,) = t.documents(type="850")
        assert (row.number, row.correlation) == ("WR-1", order.id)


def test_a_receipt_of_what_we_did_not_announce_still_reaches_the_erp(tmp_path: Path) -> None:
    with trading(tmp_path, FOUR) as t:
        t.arrive("944", RECEIVED, "depot", WAREHOUSE)
        receipt, row = t.at_the_erp("944")
        assert (receipt.received, row.correlation) == (Decimal(12), None)


def test_a_return_belongs_to_the_order_that_the_goods_were_bought_with_and_so_does_the_answer(
    tmp_path: Path,
) -> None:
    answer = ReturnAuthorization(
        number="RMA-1",
        issued_on=DAY,
        purpose="response",
        request="REQ-1",
        purchase_order="PO-77",
        parties=(Party(role="buyer", name="BIGMART"),),
        lines=(ReturnLine(ids={"vendor": "AB1"}, disposition=Disposition(action="return_authorized")),),
    )
    with trading(tmp_path, FOUR) as t:
        t.arrive("850", ORDER, "shop", RETAILER)
        eventually(lambda: t.sent("depot", "940"))
        t.arrive("180", RETURN, "shop", RETAILER)
        asked, row = t.at_the_erp("180")
        assert isinstance(asked, ReturnAuthorization)
        assert (asked.purpose, asked.purchase_orders) == ("request", ("PO-77",))
        assert asked.lines[0].disposition == Disposition(
            action="consumer_return", reason="defective_consumer_return"
        )
        t.leave(answer)
        (rows,) = eventually(lambda: t.sent("shop", "180"))
        assert rows[1] == ["BGN", "11", "RMA-1", "20261102", "", "", "REQ-1"]
        (order,) = t.documents(type="850")
        assert {one.correlation for one in t.documents(type="180")} == {order.id, row.correlation}


def refusal(type: str, number: str, *controls: str) -> list[list[str]]:
    """The retailer's application refuses a document of ours."""
    group, transaction = controls or ("", "")
    return [
        ["BGN", "00", "ADV-1", "20261105"],
        ["OTI", "TR", "IV", number, "", "", "", "", group, transaction, type],
        ["TED", "MN", "COST IS NOT THAT OF THE ORDER"],
    ]


@pytest.mark.parametrize("named", ["by its number", "by its control numbers"])
def test_an_invoice_that_the_retailers_application_refuses_is_told_where_its_order_is(
    tmp_path: Path, named: str
) -> None:
    with trading(tmp_path, FOUR) as t:
        t.arrive("850", ORDER, "shop", RETAILER)
        eventually(lambda: t.sent("depot", "940"))
        t.arrive("945", SHIPMENT, "depot", WAREHOUSE)
        eventually(lambda: t.sent("shop", "810"))
        (invoice,) = t.documents(type="810")
        if named == "by its number":
            rows = refusal("810", invoice.number)
        else:
            controls = invoice.group_control.zfill(4), invoice.transaction_control.zfill(4)
            rows = refusal("810", "WHATEVER", *controls)
        t.arrive("824", rows, "shop", RETAILER)
        advice, row = t.at_the_erp("824")
        assert isinstance(advice, ApplicationAdvice)
        assert [error.code for error in advice.verdicts[0].errors] == ["missing_or_invalid_unit_cost"]
        (order,) = t.documents(type="850")
        assert row.correlation == order.id
        with t.home.store.read() as conn:
            told = conn.execute(
                select(event.c.text).where(event.c.document == row.id, event.c.name == "refused")
            )
            assert told.scalars().all() == [f"shop refuses {rows[1][-1]} {rows[1][3]}: {rows[2][2]}"]


def test_a_verdict_on_the_documents_of_several_orders_is_part_of_none_of_them(tmp_path: Path) -> None:
    second = [["BEG", "00", "SA", "PO-78", "", "20261101"], *ORDER[1:]]
    confirmed = [["W06", "F", "PO-78", "20261102", "BOL2", "", "PO-78"], *SHIPMENT[1:]]
    with trading(tmp_path, FOUR) as t:
        t.arrive("850", ORDER, "shop", RETAILER)
        t.arrive("850", second, "shop", RETAILER)
        eventually(lambda: len(t.sent("depot", "940")) == 2)
        t.arrive("945", SHIPMENT, "depot", WAREHOUSE)
        t.arrive("945", confirmed, "depot", WAREHOUSE)
        eventually(lambda: len(t.sent("shop", "810")) == 2)
        one, two = (row.number for row in t.documents(type="810"))
        t.arrive("824", [*refusal("810", one), *refusal("810", two)[1:]], "shop", RETAILER)
        advice, row = t.at_the_erp("824")
        assert [verdict.refused for verdict in advice.verdicts] == [True, True]
        assert row.correlation is None


def test_a_correction_and_a_position_of_the_warehouse_reach_the_erp(tmp_path: Path) -> None:
    correction = [
        ["W15", "20261104", "ADJ-1", "OURS-1"],
        ["N1", "WH", "DEPOT"],
        ["W19", "AU", "-3", "EA", "", "VN", "AB1"],
    ]
    position = [
        ["BIA", "00", "LC", "IP-1", "20261104"],
        ["N1", "WH", "DEPOT"],
        ["LIN", "1", "VN", "AB1"],
        ["QTY", "33", "480", "EA"],
        ["CTT", "1"],
    ]
    with trading(tmp_path, FOUR) as t:
        t.arrive("947", correction, "depot", WAREHOUSE)
        t.arrive("846", position, "depot", WAREHOUSE)
        adjustment, row = t.at_the_erp("947")
        assert isinstance(adjustment, InventoryAdjustment)
        (line,) = adjustment.lines
        assert (line.reason, line.quantity, row.number) == ("damaged_in_facility", Decimal(-3), "ADJ-1")
        there, row = t.at_the_erp("846")
        assert isinstance(there, InventoryPosition)
        assert (there.type, there.lines[0].quantity("available"), row.number) == (
            "location",
            Decimal(480),
            "IP-1",
        )


LINE = ReceiptLine(received=Decimal(12), unit="each", ids={"vendor": "AB1"})
OUT: dict[str, Document] = {
    "943": StockTransfer(
        number="ST-1",
        reporting="full",
        parties=TRANSFER.parties,
        transport=TRANSFER.transport,
        lines=TRANSFER.lines,
        shipped=Decimal(12),
        partner="other",
    ),
    "944": StockReceipt(
        number="WR-1",
        received_on=DAY,
        reporting="full",
        parties=TRANSFER.parties,
        lines=(LINE,),
        received=Decimal(12),
        partner="other",
    ),
    "947": InventoryAdjustment(
        adjusted_on=DAY,
        parties=TRANSFER.parties,
        lines=(AdjustmentLine(reason="recall", quantity=Decimal(-2), unit="each", ids={"vendor": "AB1"}),),
        partner="other",
    ),
    "846": InventoryPosition(
        number="IP-1",
        reported_on=DAY,
        purpose="original",
        type="seller",
        lines=(
            PositionLine(
                ids={"vendor": "AB1"}, quantities=(StockQuantity(type="available", quantity=Decimal(480)),)
            ),
        ),
        partner="other",
    ),
    "180": ReturnAuthorization(
        number="REQ-1",
        issued_on=DAY,
        purpose="request",
        references=(Reference(type="invoice", value="INV-1"),),
        lines=(ReturnLine(ids={"vendor": "AB1"}, quantity=Decimal(2), unit="each"),),
        partner="other",
    ),
    "824": ApplicationAdvice(
        number="ADV-1",
        advised_on=DAY,
        purpose="original",
        verdicts=(
            Verdict(
                status="rejected",
                number_type="invoice",
                number="INV-1",
                errors=(ApplicationError(code="missing_or_invalid_unit_cost"),),
            ),
        ),
        partner="other",
    ),
}


@pytest.mark.parametrize("type", SETS)
def test_what_the_erp_leaves_is_issued_as_its_set_and_read_again_where_it_comes_back(
    tmp_path: Path, type: str
) -> None:
    with trading(tmp_path, FOUR) as t:
        t.leave(OUT[type])
        (rows,) = eventually(lambda: t.sent("other", type))
        assert rows[0][:2] == ["ST", type]
        (row,) = t.documents(type=type)
        assert decode(row.body) == OUT[type]
        t.arrive(type, rows[1:-1], "other", OTHER)
        assert t.at_the_erp(type)[0] == OUT[type]


def test_a_receipt_that_the_agreed_version_wants_by_pallet_is_not_sent_without_its_lines(
    tmp_path: Path,
) -> None:
    with trading(tmp_path, FIVE, run=False) as t, pytest.raises(Refused, match="lines"):
        t.leave(OUT["944"])


def test_stock_for_no_known_order_goes_only_where_the_erp_says(tmp_path: Path) -> None:
    with trading(tmp_path, FOUR, run=False) as t, pytest.raises(Refused, match="it names no partner"):
        t.leave(TRANSFER)
