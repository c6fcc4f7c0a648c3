"""What an adversary, an accident of timing or an absurd document must not bring about."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from peers import Answer, Headers, endpoint
from sqlalchemy import select
from trading import ORDER, PARTNERS, RETAILER, SHIPMENT, US, WAREHOUSE, Trading, eventually, trading

from gateway import as2
from gateway.config import toml
from gateway.errors import DeadReason
from gateway.intake import Accounts, Intake
from gateway.pipeline import dispatch, reading, receipts, replay
from gateway.pipeline.conversation import Conversation
from gateway.pipeline.limits import STRANGERS_A_MINUTE
from gateway.server import start_engine
from gateway.simulate import envelope
from gateway.store.lane_tables import job
from gateway.store.tables import payload, transmission
from sftp.drop import Waker
from x12 import writer


def as2_partner(url: str, *, due: str = "1h", attempts: int = 8) -> str:
    return f"""
[partner.mart]
role = "retailer"
status = "live"
usage = "P"
isa = {{ qualifier = "ZZ", id = "MART" }}
[partner.mart.as2]
id = "MART"
url = "{url}"
sign = "none"
encrypt = "none"
mdn = {{ mode = "async", signed = false, due = "{due}" }}
retry = {{ attempts = {attempts}, first = "1s" }}
"""


def with_as2(url: str, **more: Any) -> str:
    return PARTNERS.replace("[us]\n", '[us]\nas2_id = "US"\n', 1) + as2_partner(url, **more)


def transmissions(t: Trading, **where: Any) -> list[Any]:
    query = select(transmission).order_by(transmission.c.created_at)
    for column, value in where.items():
        query = query.where(transmission.c[column] == value)
    with t.home.store.read() as conn:
        return list(conn.execute(query).all())


def jobs(t: Trading, kind: str) -> list[Any]:
    with t.home.store.read() as conn:
        return list(conn.execute(select(job).where(job.c.kind == kind).order_by(job.c.id)).all())


def send(t: Trading, data: bytes = b"hello") -> str:
    return dispatch.dispatch(t.home, t.home.config.partner("mart"), io.BytesIO(data), filename="a.txt")


def warehouse_orders(t: Trading, count: int) -> None:
    """Wait until so many warehouse orders were made."""
    eventually(lambda: len(t.documents(type="940")) == count)


def invoiced(t: Trading, count: int) -> None:
    """Wait until so many invoices were made."""
    eventually(lambda: len(t.documents(type="810")) == count)


def a_receipt(t: Trading, identity: str, status: as2.ReceiptStatus) -> None:
    """A receipt that proves itself, as the AS2 endpoint records it."""
    (row,) = transmissions(t, id=identity)
    receipt = as2.Receipt(status, disposition="automatic-action/MDN-sent-automatically; x", error="no")
    t.home.store.write(lambda conn: receipts.close(t.home, conn, row, receipt, [], b"receipt"))


@pytest.mark.parametrize("verdict", [as2.ReceiptStatus.FAILED, as2.ReceiptStatus.DELIVERED])
@pytest.mark.parametrize("status", [204, 503, 400])
def test_a_receipt_faster_than_the_answer_to_the_message_decides(
    tmp_path: Path, status: int, verdict: as2.ReceiptStatus
) -> None:
    arrived, answered = threading.Event(), threading.Event()

    def answer(headers: Headers, body: bytes) -> Answer:
        arrived.set()
        assert answered.wait(10)
        return Answer(status, [], b"")

    with endpoint(answer) as url, trading(tmp_path, with_as2(url.url)) as t:
        t.home.listening_at = "http://127.0.0.1:9/as2"
        identity = send(t)
        assert arrived.wait(10)
        a_receipt(t, identity, verdict)
        answered.set()
        eventually(lambda: all(row.state in {"done", "dead"} for row in jobs(t, "send")))
        assert transmissions(t, id=identity)[0].status == verdict
        assert len(url.received) == 1
        assert not jobs(t, "mdn-due")


def test_a_message_sent_again_by_an_operator_has_a_deadline_for_its_receipt_again(tmp_path: Path) -> None:
    with endpoint() as url, trading(tmp_path, with_as2(url.url, due="1s", attempts=2)) as t:
        t.home.listening_at = "http://127.0.0.1:9/as2"
        identity = send(t)
        eventually(lambda: transmissions(t, id=identity)[0].reason == DeadReason.MDN_TIMEOUT)
        assert len(url.received) == 2
        assert replay.replay(t.home, identity) is replay.Step.SEND
        eventually(lambda: transmissions(t, id=identity)[0].reason == DeadReason.MDN_TIMEOUT)
        assert len(url.received) == 4


def test_a_pause_costs_what_waits_no_attempt(tmp_path: Path) -> None:
    paused = with_as2("http://127.0.0.1:9/as2", attempts=1).replace(
        'status = "live"\nusage = "P"\nisa = { qualifier = "ZZ", id = "MART" }',
        'status = "paused"\nusage = "P"\nisa = { qualifier = "ZZ", id = "MART" }',
    )
    with trading(tmp_path, paused) as t:
        identity = send(t)
        eventually(lambda: [row for row in jobs(t, "send") if row.attempts])
        eventually(lambda: [row for row in jobs(t, "send") if row.state != "running"])
        assert [row.state for row in jobs(t, "send")] == ["ready"]
        assert transmissions(t, id=identity)[0].status == "queued"


def test_an_amount_beyond_all_reason_is_held_and_stops_nobodys_delivery(tmp_path: Path) -> None:
    order = [list(row) for row in ORDER]
    order[4][2], order[4][4] = "999999999", "99999999999999999"
    shipment = [list(row) for row in SHIPMENT]
    shipment[5][2] = shipment[5][3] = "9999999999"
    order[0][3] = shipment[0][2] = shipment[0][6] = "PO-HUGE"
    with trading(tmp_path) as t:
        t.drop(t.file("850", order, RETAILER), "shop", "1.x12")
        eventually(lambda: t.documents(type="940", number="PO-HUGE"))
        t.drop(t.file("945", shipment, WAREHOUSE), "depot", "2.x12")
        eventually(lambda: t.documents(type="810"))
        t.drop(t.file("850", ORDER, RETAILER), "shop", "3.x12")
        eventually(lambda: t.documents(type="940", number="PO-77"))
        assert [row.status for row in t.documents(type="810")] == ["held"]


def test_a_shipped_line_that_has_no_price_in_the_order_is_invoiced_by_a_person(tmp_path: Path) -> None:
    other_unit = [list(row) for row in SHIPMENT]
    other_unit[5][5] = "CA"
    unknown = [list(row) for row in SHIPMENT]
    unknown[5][8] = "SUBSTITUTE"
    with trading(tmp_path) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop")
        eventually(lambda: t.sent("depot", "940"))
        for count, shipment in enumerate((other_unit, unknown), 1):
            t.drop(t.file("945", shipment, WAREHOUSE), "depot", f"{count}.x12")
            invoiced(t, count)
        assert [row.status for row in t.documents(type="810")] == ["held", "held"]
        assert [row.status for row in t.documents(type="856")] == ["sent", "sent"]


def test_a_customer_that_gets_no_ship_notice_still_gets_invoices_of_different_numbers(tmp_path: Path) -> None:
    with trading(tmp_path, PARTNERS.replace('  { type = "856", direction = "out" },\n', "")) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop")
        eventually(lambda: t.sent("depot", "940"))
        for count in (1, 2):
            shipment = [[*SHIPMENT[0][:4], f"BOL{count}", *SHIPMENT[0][5:]], *SHIPMENT[1:]]
            t.drop(t.file("945", shipment, WAREHOUSE), "depot", f"{count}.x12")
            invoiced(t, count)
        assert len({row.number for row in t.documents(type="810")}) == 2


def test_what_is_repeated_under_a_new_control_number_ships_and_bills_nothing_by_itself(
    tmp_path: Path,
) -> None:
    with trading(tmp_path) as t:
        for count in (1, 2):
            t.drop(t.file("850", ORDER, RETAILER), "shop", f"{count}.x12")
            warehouse_orders(t, count)
        assert [row.status for row in t.documents(type="940")] == ["sent", "held"]
        for count in (1, 2):
            t.drop(t.file("945", SHIPMENT, WAREHOUSE), "depot", f"{count}.x12")
            invoiced(t, count)
        for type in ("856", "810"):
            assert [row.status for row in t.documents(type=type)] == ["sent", "held"]
            assert [row.reason for row in t.documents(type=type)] == [None, "DOUBTFUL"]
        assert replay.replay(t.home, t.documents(type="810")[1].id) is replay.Step.ISSUE
        eventually(lambda: len(t.sent("shop", "810")) == 2)


def test_an_850_that_cancels_an_order_ships_nothing(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        for code in ("01", "06", "07"):
            t.drop(t.file("850", [["BEG", code, *ORDER[0][2:]], *ORDER[1:]], RETAILER), "shop", f"{code}.x12")
        eventually(lambda: len(list((tmp_path / "erp" / "out").glob("*.json"))) == 3)
        warehouse_orders(t, 3)
        assert {row.status for row in t.documents(type="940")} == {"held"}


def test_a_payload_that_is_gone_is_a_dead_letter_at_once_and_the_lane_goes_on(tmp_path: Path) -> None:
    with trading(tmp_path, run=False) as t:
        lost = t.drop(t.file("850", [*ORDER[:7], *ORDER[5:6] * 4000, ORDER[7]], RETAILER), "shop", "1.x12")
        t.home.store.blobs.path(transmissions(t, id=lost)[0].sha256).unlink()
        t.drop(t.file("850", ORDER, RETAILER), "shop", "2.x12")
        start_engine(t.home)
        eventually(lambda: t.documents(type="850"))
        (row,) = transmissions(t, id=lost)
        assert (row.status, row.reason) == ("held", DeadReason.STORE_CORRUPT)
        assert t.home.engine.drain(10.0)


def test_an_account_renamed_by_a_reload_is_looked_into_under_its_new_name(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        waker = Waker()
        accounts = Accounts(t.home, waker)
        intake = Intake(t.home, accounts, waker)
        intake.start()
        try:
            eventually(lambda: (tmp_path / "sftp" / "shop" / "in").is_dir())
            changed = PARTNERS.replace('user = "shop"', 'user = "shop2"')
            toml.replace(tmp_path / "partners.toml", changed.encode())
            assert t.home.reload()
            eventually(lambda: (tmp_path / "sftp" / "shop2" / "in").is_dir())
            (tmp_path / "sftp" / "shop2" / "in" / "a.x12").write_bytes(t.file("850", ORDER, RETAILER))
            eventually(lambda: t.documents(type="850"))
        finally:
            intake.stop()
            waker.close()


def test_a_bad_partners_toml_is_told_once_and_not_every_second(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with trading(tmp_path, run=False) as t:
        toml.replace(tmp_path / "partners.toml", b"schema = [")
        for _ in range(3):
            assert not t.home.reload()
        assert len([r for r in caplog.records if "not reloaded" in r.message]) == 1
        toml.replace(tmp_path / "partners.toml", PARTNERS.encode() + b"\n# mended\n")
        assert t.home.reload()


def test_what_anyone_can_post_fills_neither_the_timeline_nor_the_disk(tmp_path: Path) -> None:
    with trading(tmp_path, with_as2("http://127.0.0.1:9/as2"), run=False) as t:
        conversation = Conversation(t.home)
        names = [("AS2-Version", "1.2"), ("AS2-From", "MART"), ("AS2-To", "US")]
        wants = [
            ("Disposition-Notification-To", "x"),
            ("Receipt-Delivery-Option", "http://127.0.0.1:10/evil"),
            ("Content-Type", "application/edi-x12"),
        ]
        report = [("Content-Type", 'multipart/report; report-type=disposition-notification; boundary="b"')]
        for number in range(50):
            message = [*names, ("Message-ID", f"<{number}@mart>")]
            with pytest.raises(as2.As2Refused):
                conversation.request([*message, *wants])
            body = (
                b"--b\r\nContent-Type: text/plain\r\n\r\n" + b"x" * 10_000 + b"\r\n"
                b"--b\r\nContent-Type: message/disposition-notification\r\n\r\n"
                b"Original-Message-ID: <%d@us>\r\n"
                b"Disposition: automatic-action/MDN-sent-automatically; processed\r\n\r\n"
                b"--b--\r\n"
            ) % number
            with t.home.store.writer() as writer:
                writer.write(body)
                reply = conversation.receive(conversation.request([*message, *report]), writer, "192.0.2.1")
            assert reply.status == 204
        assert len(t.events("refused")) == len(t.events("unmatched")) == STRANGERS_A_MINUTE
        blobs = t.home.store.blobs.root
        assert [path for path in blobs.rglob("*") if path.is_file()] == []
        with t.home.store.read() as conn:
            assert conn.execute(select(payload)).all() == []


def test_f08_a_line_of_the_timeline_is_short_however_much_of_it_a_stranger_wrote(tmp_path: Path) -> None:
    with trading(tmp_path, with_as2("http://127.0.0.1:9/as2"), run=False) as t:
        conversation = Conversation(t.home)
        names = [("AS2-Version", "1.2"), ("AS2-From", "MART"), ("AS2-To", "US"), ("Message-ID", "<1@mart>")]
        wants = [
            ("Disposition-Notification-To", "x"),
            ("Receipt-Delivery-Option", "http://127.0.0.1:10/" + "x" * 30_000),
        ]
        with pytest.raises(as2.As2Refused):
            conversation.request([*names, *wants])
        kind = ("Content-Type", "message/disposition-notification")
        body = b"Original-Message-ID: <%s@us>\r\nDisposition: a/b; processed\r\n\r\n" % (b"\xff" * 50_000)
        with t.home.store.blobs.writer() as writer:
            writer.write(body)
            assert conversation.receive(conversation.request([*names, kind]), writer, "::1").status == 204
        (refused,), (unmatched,) = t.events("refused"), t.events("unmatched")
        assert refused.text.startswith("MDN_URL_REFUSED: MART asks for its receipt at http://127.0.0.1:10/")
        assert unmatched.text.startswith("a receipt for ")
        assert max(len(refused.text), len(unmatched.text)) <= 2000


@pytest.mark.parametrize("name", [b"\xff.json", b"a" * 250 + b".json"])
def test_a_file_of_the_erp_with_an_odd_name_holds_up_none_behind_it(tmp_path: Path, name: bytes) -> None:
    with trading(tmp_path) as t:
        waker = Waker()
        intake = Intake(t.home, Accounts(t.home, waker), waker)
        (tmp_path / "erp" / "in" / os.fsdecode(name)).write_bytes(b"{")
        (tmp_path / "erp" / "in" / os.fsdecode(name[:2] + b"z.json")).write_bytes(b"{")
        intake.start()
        try:
            eventually(lambda: not list((tmp_path / "erp" / "in").iterdir()))
        finally:
            intake.stop()
            waker.close()
        assert len(list((tmp_path / "erp" / "refused").iterdir())) == 4


def test_a_large_file_that_cannot_be_answered_has_no_effect_at_all(tmp_path: Path) -> None:
    bodies = [
        writer.Body("850", n, [["BEG", "00", "SA", f"PO{n}", "", "20261101"], *ORDER[1:]])
        for n in range(1, reading.PART + 11)
    ]
    data = writer.write(envelope(RETAILER, US, 1, "850", "004010"), bodies)
    with trading(tmp_path) as t:
        bad = t.drop(data.replace(b"GS*PO*RETAIL", b"GS*PO*RET>AIL"), "shop", "bad.x12")
        eventually(lambda: transmissions(t, id=bad)[0].status == "held")
        assert transmissions(t, id=bad)[0].reason == DeadReason.ENVELOPE_BROKEN
        assert t.documents() == []
        t.drop(data, "shop", "good.x12")
        eventually(lambda: len(t.documents(type="850")) == len(bodies), 60.0)
