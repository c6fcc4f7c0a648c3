"""What follows from a document, and when an order is done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from trading import ORDER, PARTNERS, RETAILER, SHIPMENT, WAREHOUSE, Trading, eventually, trading

from edi.documents import Invoice, ShipNotice, decode, encode
from gateway import queries
from gateway.pipeline.from_erp import Refused, take

INVOICE = b'{"schema": "tradelane.invoice/1", "number": "1"'


def owners(t: Trading) -> set[str]:
    chain = queries.order_chain(t.home, "PO-77")
    assert chain is not None
    return {due["owner"] for due in chain["due"]}


def test_an_order_leads_to_a_940_and_its_945_to_856_and_810_and_their_997s_close_it(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop")
        (order,) = eventually(lambda: t.sent("depot", "940"))
        assert ["W05", "N", "PO-77", "PO-77"] in order
        assert [row[1] for row in order if row[0] == "W01"] == ["12", "4"]
        t.drop(t.file("945", SHIPMENT, WAREHOUSE), "depot", "b.x12")
        (notice,) = eventually(lambda: t.sent("shop", "856"))
        assert [row[2] for row in notice if row[0] == "SN1"] == ["12", "1"]
        assert [row[2] for row in notice if row[0] == "MAN"] == [
            "00006141410000000015",
            "00006141410000000022",
        ]
        (invoice,) = eventually(lambda: t.sent("shop", "810"))
        assert ["TDS", "4000"] in invoice  # 12 x 2.50 + 1 x 10.00, in cents
        chain = queries.order_chain(t.home, "PO-77")
        assert chain is not None
        assert chain["status"] == "open"
        eventually(lambda: owners(t) == {"shop", "depot"})
        for kind, type, partner, sender in (
            ("SW", "945", "depot", WAREHOUSE),
            ("OW", "940", "depot", WAREHOUSE),
            ("SH", "856", "shop", RETAILER),
            ("IN", "810", "shop", RETAILER),
        ):
            for row in t.documents(direction="out", type=type):
                answer = [
                    ["AK1", kind, row.group_control],
                    ["AK2", type, f"{int(row.transaction_control):04}"],
                    ["AK5", "A"],
                    ["AK9", "A", "1", "1", "1"],
                ]
                t.drop(t.file("997", answer, sender), partner, f"{type}.x12")
        chain = eventually(
            lambda: (c := queries.order_chain(t.home, "PO-77")) and c["status"] == "done" and c
        )
        assert chain["due"] == []
        assert len(list((tmp_path / "erp" / "out").glob("*.json"))) == 2


def test_an_order_no_warehouse_fulfils_waits_for_the_erp_and_opens_again_for_what_comes_later(
    tmp_path: Path,
) -> None:
    partners = PARTNERS.replace(', route = "3pl:depot"', "").replace(
        '  { type = "856", direction = "out" },\n', ""
    )

    def chain(status: str) -> Any:
        return eventually(lambda: (c := queries.order_chain(t.home, "PO-77")) and c["status"] == status and c)

    def invoice(number: str) -> None:
        document = Invoice(number=number, invoiced_on=t.home.now().date(), purchase_order="PO-77", total=1)
        (t.home.erp.inbox / f"{number}.json").write_bytes(encode(document))
        (arrival,) = (one for one in t.home.erp.arrivals() if one.path.stem == number)
        take(t.home, arrival)

    with trading(tmp_path, partners) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop")
        eventually(lambda: [due["what"] for due in chain("open")["due"]] == ["the 810"])
        invoice("INV-1")
        (row,) = t.documents(direction="out", type="810")
        answer = [["AK1", "IN", row.group_control], ["AK9", "A", "1", "1", "1"]]
        t.drop(t.file("997", answer, RETAILER), "shop", "997.x12")
        assert chain("done")["due"] == []
        invoice("INV-2")
        owed = ["the acknowledgment of 810 INV-2 (waiting)"]
        eventually(lambda: [due["what"] for due in chain("open")["due"]] == owed)


def test_two_orders_of_one_number_get_different_numbers_at_the_warehouse(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop", "1.x12")
        eventually(lambda: len(t.sent("depot", "940")) == 1)
        again = [["BEG", "00", "SA", "PO-77", "", "20261103"], *ORDER[1:]]
        t.drop(t.file("850", again, RETAILER), "shop", "2.x12")
        eventually(lambda: len(t.sent("depot", "940")) == 2)
        assert {rows[1][2] for rows in t.sent("depot", "940")} == {"PO-77", "PO-77-2"}


def test_a_shipment_for_an_unknown_order_still_reaches_the_erp_and_leads_to_nothing(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        t.drop(t.file("945", SHIPMENT, WAREHOUSE), "depot")
        eventually(lambda: list((tmp_path / "erp" / "out").glob("*.json")))
        assert not t.documents(direction="out", type="856")
        (row,) = t.documents(type="945")
        assert row.correlation is None
        told = queries.one(t.home, row.id)
        assert told is not None
        assert ("unmatched", "945 PO-77 from depot answers nothing that we sent to depot") in {
            (event["event"], event["text"]) for event in told["events"]
        }


def test_the_erp_gets_each_document_with_its_partner_named(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop")
        (path,) = eventually(lambda: list((tmp_path / "erp" / "out").glob("*.json")))
        document = json.loads(path.read_bytes())
        assert document["schema"] == "tradelane.sales_order/1"
        assert document["partner"] == "shop"
        assert path.stem == t.documents(type="850")[0].id


def test_a_document_the_erp_leaves_is_sent_to_the_partner_it_names_once(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        invoice = Invoice(number="INV-1", invoiced_on=t.home.now().date(), total=None, partner="shop")
        path = t.home.erp.inbox / "invoice.json"
        path.write_bytes(encode(invoice))
        (arrival,) = t.home.erp.arrivals()
        with pytest.raises(Refused, match="TDS"):
            take(t.home, arrival)
        good = Invoice(
            number="INV-1", invoiced_on=t.home.now().date(), purchase_order="PO-77", total=1, partner="shop"
        )
        path.write_bytes(encode(decode(encode(good))))
        (arrival,) = t.home.erp.arrivals()
        first = take(t.home, arrival)
        assert take(t.home, arrival) == first
        (rows,) = eventually(lambda: t.sent("shop", "810"))
        assert ["BIG", rows[1][1], "INV-1", "", "PO-77"] in rows


def test_a_ship_notice_of_the_erp_finds_its_partner_by_the_purchase_order(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop")
        eventually(lambda: t.sent("depot", "940"))
        t.drop(t.file("945", SHIPMENT, WAREHOUSE), "depot", "b.x12")
        eventually(lambda: t.sent("shop", "856"))
        body = t.documents(direction="out", type="856")[0].body
        notice = decode(body)
        assert isinstance(notice, ShipNotice)
        path = t.home.erp.inbox / "notice.json"
        path.write_bytes(body)
        (arrival,) = t.home.erp.arrivals()
        take(t.home, arrival)
        eventually(lambda: len(t.sent("shop", "856")) == 2)
        correlations = {row.correlation for row in t.documents(direction="out", type="856")}
        assert len(correlations) == 1


def test_what_is_no_document_or_names_no_partner_is_refused_with_the_reason(tmp_path: Path) -> None:
    with trading(tmp_path, run=False) as t:
        cases = {
            b"{": "no canonical document",
            INVOICE + b"}": "names no partner",
            INVOICE + b', "partner": "nobody"}': "no partner is named 'nobody'",
            INVOICE + b', "partner": "depot"}': "no 810 or 880 to depot is agreed",
        }
        for number, (data, reason) in enumerate(cases.items()):
            path = t.home.erp.inbox / f"{number}.json"
            path.write_bytes(data)
            (arrival,) = t.home.erp.arrivals()
            with pytest.raises(Refused, match=reason) as refused:
                take(t.home, arrival)
            t.home.erp.refuse(path, str(refused.value))
            assert reason in (t.home.erp.root / "refused" / f"{path.name}.reason.txt").read_text()
