"""An order in EDIFACT, over AS2 and SFTP: as the partners see it, by openssl and OpenSSH alone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edifact_by_hand import SHOP, US, contrl, interchange, message, order, segments
from peers import Answer, Company, Endpoint, Headers, Opened, Peer, endpoint, post
from serving import Gateway, running, until
from test_contract_sftp import Client

DEPOT = ("ACME3PL", "ZZZ")
SHIPPED = [
    "BGM+351+SHIP-1+9",
    "DTM+137:20261102:102",
    "DTM+11:20261102:102",
    "RFF+AAJ:PO-DAY",
    "RFF+ON:PO-DAY",
    "CPS+1",
    "PAC+1++CT",
    "PCI+33E",
    "GIN+BJ+00006141410000000015",
    "LIN+1++4000862141404:EN",
    "QTY+12:12",
    "LIN+2++4000862141411:EN",
    "QTY+12:4",
    "CNT+2:2",
]


class Shop:
    """The retailer: an AS2 system that receipts at once, and keeps what it was sent."""

    def __init__(self, company: Company, gateway_cert: Path) -> None:
        self.peer = Peer("SHOPEDI", company, gateway_cert)
        self.opened: list[tuple[Headers, Opened]] = []

    def receipt(self, headers: Headers, body: bytes) -> Answer:
        opened = self.peer.open(headers, body)
        self.opened.append((headers, opened))
        answer = self.peer.receipt_for(headers, body)
        return Answer(200, answer.headers, answer.body)

    def post(self, gateway: Gateway, data: bytes) -> None:
        answer = post(gateway.as2, self.peer.message(data, filename="order.edi"))
        assert self.peer.read(answer).disposition == "processed"

    def got(self, type: str) -> list[list[list[str]]]:
        """Each interchange with a message of a type, as segments; openssl has verified who sent it."""
        found = []
        for _, opened in list(self.opened):
            rows = segments(opened.payload)
            if rows[1][2].split(":")[0] == type:
                assert opened.verified
                assert b"Content-Type: application/EDIFACT" in opened.signed_part.partition(b"\r\n\r\n")[0]
                found.append(rows)
        return found


def set_up(folder: Path, shop: Company, url: Endpoint, key: Path) -> Gateway:
    """A home made by the commands that scripts use."""
    gateway = Gateway(folder / "home")
    ours = ["--isa", "ZZ:NORTHWIND", "--unb", ":".join(US)]
    gateway.must("init", "--name", "Northwind", "--as2-id", "NORTHWIND", *ours)
    gateway.must(
        *("partner", "add", "acme", "--role", "3pl", "--unb", ":".join(DEPOT), "--sftp-user", "acme"),
        *("--sftp-key", key, "--in", "DESADV,CONTRL", "--out", "INSDES", "--live"),
    )
    gateway.must(
        *("partner", "add", "shop", "--role", "retailer", "--unb", ":".join(SHOP), "--as2-id", "SHOPEDI"),
        *("--as2-url", url.url, "--cert", shop.cert, "--in", "ORDERS,CONTRL", "--out", "DESADV,INVOIC"),
        *("--route", "3pl:acme", "--live"),
    )
    return gateway


def fetched(depot: Client, type: str) -> list[list[list[str]]]:
    """What the warehouse finds in its folder."""
    got = depot.folder / "got"
    shutil.rmtree(got, ignore_errors=True)
    got.mkdir()
    depot.run(f"get out/* {got}/")
    rows = [segments(path.read_bytes()) for path in sorted(got.iterdir())]
    return [one for one in rows if one[1][2].split(":")[0] == type]


def test_an_order_in_edifact_over_as2_comes_back_as_notice_and_invoice_and_closes(tmp_path: Path) -> None:
    company = Company.made(tmp_path / "theirs", "shop")
    key = tmp_path / "depot" / "id"
    key.parent.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    with endpoint() as url:
        gateway = set_up(tmp_path, company, url, key.with_suffix(".pub"))
        shop = Shop(company, gateway.home / "certs" / "us.crt")
        url.answer = shop.receipt
        with running(gateway):
            port = urlsplit(gateway.sftp).port or 0
            known = tmp_path / "known_hosts"
            host_keys = (gateway.home / "secrets" / "ssh").glob("*.pub")
            known.write_text("".join(f"[127.0.0.1]:{port} {one.read_text().strip()}\n" for one in host_keys))
            day(gateway, shop, Client("acme", key, known, port, key.parent))


def day(gateway: Gateway, shop: Shop, depot: Client) -> None:
    shop.post(gateway, interchange(71, order("PO-DAY")))
    (answer,) = until(lambda: shop.got("CONTRL"))
    assert answer[2] == ["UCI", "71", ":".join(SHOP), ":".join(US), "7"]
    until(lambda: gateway.erp_has("PO-DAY"))

    (instruction,) = until(lambda: fetched(depot, "INSDES"))
    assert [row[3] for row in instruction if row[0] == "LIN"] == ["4000862141404:EN", "4000862141411:EN"]
    reference = instruction[0][5]
    assert depot.put(contrl(1, reference, "7", sender=DEPOT), "in/contrl.edi").returncode == 0
    shipped = interchange(2, message("DESADV", 1, *SHIPPED, version="D:96A:UN"), sender=DEPOT)
    assert depot.put(shipped, "in/desadv.edi").returncode == 0
    until(lambda: fetched(depot, "CONTRL"))

    (notice,) = until(lambda: shop.got("DESADV"))
    (bill,) = until(lambda: shop.got("INVOIC"))
    assert [row[2] for row in notice if row[0] == "GIN"] == ["00006141410000000015"]
    assert [row[1] for row in bill if row[0] == "MOA"] == ["203:30.00", "203:40.00", "86:70.00", "79:70.00"]
    for number, sent in ((72, notice), (73, bill)):
        shop.post(gateway, contrl(number, sent[0][5], "7"))

    def closed() -> Any:
        found = gateway.must("order", "show", "PO-DAY", "--json").json
        return found if found["status"] == "done" else None

    found = until(closed)
    assert found["due"] == []
    assert [(row["type"], row["ack"]) for row in found["documents"]] == [
        ("ORDERS", "none"),
        ("INSDES", "accepted"),
        ("DESADV", "none"),
        ("DESADV", "accepted"),
        ("INVOIC", "accepted"),
    ]
    ours = [row for row in found["receipts"] if row["direction"] == "out"]
    assert {(row["signed"], row["mic_match"]) for row in ours} == {(True, True)}
