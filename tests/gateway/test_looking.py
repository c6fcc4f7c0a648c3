"""What a script and a person see of a home through the command line and the pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from click.testing import CliRunner
from trading import ORDER, PARTNERS, RETAILER, SHIPMENT, WAREHOUSE, Trading, eventually, trading

from gateway.cli import main
from gateway.cli.look import _NEXT
from gateway.config import Address
from gateway.errors import DeadReason, Exit
from gateway.web import operations
from gateway.web.listener import Listener


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


def run(home: Path, *words: str, given: bytes | None = None) -> Ran:
    result = CliRunner().invoke(main, ["--home", str(home), *words], input=given)
    return Ran(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home where an order is open: a 945 has come, and something from a stranger was held."""
    folder = tmp_path_factory.mktemp("home")
    with trading(folder) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop", "order.x12")
        eventually(lambda: t.sent("depot", "940"))
        t.drop(t.file("945", SHIPMENT, WAREHOUSE), "depot", "shipment.x12")
        eventually(lambda: t.sent("shop", "856"))
        t.drop(t.file("850", ORDER, WAREHOUSE), "shop", "stranger.x12")
        eventually(lambda: t.documents(type="TA1"))
        t.drop(b"no EDI at all", "depot", "<script>alert(1)</script>.txt")
        eventually(lambda: len(dead(t)) == 2)
    return folder


def dead(t: Trading) -> list[dict[str, Any]]:
    from gateway import queries

    return queries.dead(t.home)


def test_inbox_and_outbox_print_one_object_a_line_with_the_agreed_keys(traded: Path) -> None:
    inbox = run(traded, "inbox", "--json")
    assert inbox.code == Exit.OK
    assert len(inbox.lines) == 4
    keys = {"id", "partner", "channel", "message_id", "filename", "at", "size", "sha256", "status"}
    assert all(keys <= set(line) for line in inbox.lines)
    held = run(traded, "inbox", "--json", "--status", "held").lines
    assert [line["reason"] for line in held] == ["ENVELOPE_BROKEN"]
    outbox = run(traded, "outbox", "--json", "--partner", "depot").lines
    assert {line["status"] for line in outbox} == {"delivered"}


def test_piped_lists_are_tab_separated_without_a_heading(traded: Path) -> None:
    lines = run(traded, "outbox", "--partner", "shop").out.splitlines()
    assert all(len(line.split("\t")) == 7 for line in lines)


def test_doc_raw_writes_the_payload_unchanged(traded: Path) -> None:
    (line,) = [line for line in run(traded, "inbox", "--json").lines if line["filename"] == "order.x12"]
    result = CliRunner().invoke(main, ["--home", str(traded), "doc", "raw", line["id"]])
    assert result.stdout_bytes.startswith(b"ISA*00*")
    assert len(result.stdout_bytes) == line["size"]
    document = run(traded, "doc", "list", "--json", "--type", "850").lines[0]["id"]
    again = CliRunner().invoke(main, ["--home", str(traded), "doc", "raw", document])
    assert again.stdout_bytes == result.stdout_bytes


def test_a_document_that_was_not_written_is_shown_as_what_it_says(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        t.arrive("850", [["BEG", "01", *ORDER[0][2:]], *ORDER[1:]], "shop", RETAILER)
        (held,) = eventually(lambda: t.documents(direction="out", partner="depot"))
    show = f"tradelane doc show {held.id} --json"
    assert show in run(tmp_path, "doc", "explain", held.id).out
    assert json.loads(run(tmp_path, *show.split()[1:]).out)["document"]["number"] == "PO-77"
    refused = run(tmp_path, "doc", "raw", held.id)
    assert refused.code == Exit.NOT_FOUND
    assert f"940 {held.id} has no bytes: it has not been written" in refused.err
    assert show in refused.err


def test_doc_show_tells_the_document_and_its_timeline(traded: Path) -> None:
    document = run(traded, "doc", "list", "--json", "--type", "945").lines[0]
    shown = json.loads(run(traded, "doc", "show", document["id"], "--json").out)
    assert shown["document"]["number"] == "PO-77"
    assert [event["event"] for event in shown["events"]] == ["read", "delivered"]
    words = run(traded, "doc", "show", document["id"]).out
    assert "shipment_confirmation" in words
    assert "handed to the ERP" in words


def test_order_show_names_what_is_due_and_who_owes_it(traded: Path) -> None:
    shown = run(traded, "order", "show", "PO-77")
    assert shown.code == Exit.OK
    assert "Order PO-77 from shop: open, fulfilled by depot" in shown.out
    assert "  depot: the acknowledgment of 940 PO-77 (waiting) by " in shown.out
    assert "  shop: the acknowledgment of 856 BOL1 (waiting) by " in shown.out
    chain = json.loads(run(traded, "order", "show", "PO-77", "--json").out)
    assert [line["type"] for line in chain["documents"]] == ["850", "940", "945", "856", "810"]
    assert {line["correlation"] for line in chain["documents"]} == {chain["correlation"]}
    assert [line["type"] for line in chain["acknowledgments"]] == ["997", "997"]


def test_what_is_not_there_is_exit_3_with_the_next_command(traded: Path) -> None:
    for words in (
        ("order", "show", "PO-78"),
        ("doc", "show", "x"),
        ("doc", "raw", "x"),
        ("doc", "replay", "x"),
    ):
        ran = run(traded, *words)
        assert ran.code == Exit.NOT_FOUND
        assert "Next: tradelane doc list" in ran.err


def test_dead_letters_are_listed_and_explained_with_what_to_do(traded: Path) -> None:
    listed = run(traded, "dead", "list", "--json").lines
    assert {line["reason"] for line in listed} == {"ENVELOPE_BROKEN", "SENDER_MISMATCH"}
    (stranger,) = [line for line in listed if line["reason"] == "SENDER_MISMATCH"]
    explained = run(traded, "doc", "explain", stranger["id"])
    assert "01:DEPOT" in explained.out
    assert "Next: if the id is theirs, add it to their aliases" in explained.out


def test_every_dead_letter_reason_has_a_next_step() -> None:
    of_acknowledgments = {"DUPLICATE", "UNMATCHED"}
    assert set(_NEXT) == {reason.value for reason in DeadReason} | of_acknowledgments


def test_what_a_partner_says_of_a_document_is_explained_with_what_we_sent(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop", "order.x12")
        eventually(lambda: t.sent("depot", "940"))
        (row,) = t.documents(type="940")
        said = [
            ["AK1", "OW", row.group_control],
            ["AK2", "940", f"{int(row.transaction_control):04}"],
            ["AK3", "W05", "2", "", "8"],
            ["AK4", "2", "285", "6", "PO-77"],
            ["AK5", "R", "5"],
            ["AK9", "R", "1", "1", "0"],
        ]
        t.drop(t.file("997", said, WAREHOUSE), "depot", "answer.x12")
        eventually(lambda: t.documents(id=row.id)[0].ack == "rejected")
    explained = run(tmp_path, "doc", "explain", row.id, "--json").lines[0]
    assert explained["answers"] == [
        "depot rejects 940 PO-77: W05 at 2: W0502 invalid character in data element (6) 'PO-77'; "
        "we sent W05*N*PO-77*PO-77"
    ]
    assert explained["next"] == "correct what the partner names, and send it anew"
    (listed,) = run(tmp_path, "ack", "list", "--json", "--state", "rejected").lines
    assert (listed["id"], listed["state"], listed["ack_late"]) == (row.id, "rejected", False)
    assert run(tmp_path, "ack", "list", "--state", "lost").code == Exit.USAGE


def test_ack_overdue_is_quiet_while_nothing_is(traded: Path) -> None:
    assert run(traded, "ack", "overdue") == (Exit.OK, "", "")


def test_sending_needs_no_server_and_a_folder_delivers_at_once(tmp_path: Path) -> None:
    with trading(tmp_path, run=False) as t:
        data = t.file("850", ORDER, RETAILER)
    dry = run(tmp_path, "send", "depot", "-", "--dry-run", given=data)
    assert (dry.code, "would send stdin to depot" in dry.out) == (Exit.OK, True)
    sent = run(tmp_path, "send", "depot", "-", "--wait", "--json", given=data)
    assert sent.code == Exit.OK
    told = json.loads(sent.out)
    assert told["status"] == "delivered"
    (path,) = (tmp_path / "sftp" / "depot" / "out").iterdir()
    assert path.read_bytes() == data
    (line,) = run(tmp_path, "doc", "list", "--json").lines
    assert (line["type"], line["ack"], line["transmission"]) == ("850", "waiting", told["transmission"])


def test_what_is_sent_beside_a_running_server_is_sent_by_it(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        sent = run(tmp_path, "send", "depot", "-", "--wait", "--json", given=t.file("850", ORDER, RETAILER))
        assert (sent.code, json.loads(sent.out)["status"]) == (Exit.OK, "delivered")
        with t.home.store.read() as conn:
            (lane,) = (lane for lane in t.home.engine.lanes(conn) if lane.id == "depot:out")
        assert (lane.ready, lane.running) == (0, 0)


def test_a_peer_that_is_not_there_is_exit_6_and_the_file_stays_queued(tmp_path: Path) -> None:
    partners = PARTNERS.replace(
        "[partner.depot]\n",
        '[partner.far]\nrole = "supplier"\nstatus = "live"\nusage = "P"\n'
        'isa = { qualifier = "ZZ", id = "FAR" }\n'
        'as2 = { id = "FAR", url = "http://127.0.0.1:9/as2", sign = "none", encrypt = "none" }\n\n'
        "[partner.depot]\n",
    ).replace('name = "Northwind"\n', 'name = "Northwind"\nas2_id = "US"\n')
    with trading(tmp_path, partners, run=False):
        pass
    sent = run(tmp_path, "send", "far", "-", "--wait", "--timeout", "1", "--json", given=b"x")
    assert sent.code == Exit.PEER_UNREACHABLE
    told = json.loads(sent.out)
    assert told["status"] == "pending"
    assert told["error"].startswith("http://127.0.0.1:9: Connection refused")


def test_sending_to_nobody_is_exit_3_with_a_suggestion(traded: Path) -> None:
    ran = run(traded, "send", "depo", "-", given=b"x")
    assert ran.code == Exit.NOT_FOUND
    assert "depot" in ran.err


def test_a_held_interchange_is_read_again_once_the_cause_is_mended(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        identity = t.drop(t.file("850", ORDER, RETAILER._replace(qualifier="12", id="UNLISTED")), "shop")
        eventually(lambda: dead(t))
        (tmp_path / "partners.toml").write_text(PARTNERS.replace("5551234", "UNLISTED"))
        assert t.home.reload()
        assert run(tmp_path, "doc", "replay", identity, "--dry-run").out == f"{identity}: would read again\n"
        assert run(tmp_path, "doc", "replay", identity).out == f"{identity}: will read again\n"
        eventually(lambda: t.sent("depot", "940"))
        assert run(tmp_path, "dead", "list").out == ""
        assert "nothing to do" in run(tmp_path, "doc", "replay", identity).out
        assert len(t.documents(type="850")) == 1


@contextmanager
def browsing(t: Trading) -> Iterator[httpx.Client]:
    """A client of the operations listener of a home."""
    listener = Listener(operations.application(t.home), Address("127.0.0.1", 0), "web")
    listener.start()
    try:
        with httpx.Client(base_url=listener.url) as client:
            yield client
    finally:
        listener.stop()


@pytest.fixture
def pages(traded: Path) -> Iterator[httpx.Client]:
    with trading(traded, run=False) as t, browsing(t) as client:
        yield client


def test_the_pages_show_orders_dues_and_dead_letters_without_script(pages: httpx.Client) -> None:
    front = pages.get("/")
    assert front.status_code == 200
    assert "PO-77" in front.text
    assert "SENDER_MISMATCH" in front.text
    order = pages.get("/orders/PO-77")
    assert "the acknowledgment of 856 BOL1" in order.text
    assert "<script" not in front.text + order.text
    assert order.headers["content-security-policy"].startswith("default-src 'self'")
    assert pages.get("/orders/PO-77.json").json()["order"] == "PO-77"
    assert pages.get("/orders/none").status_code == 404
    assert pages.get("/healthz").json()["status"] == "ok"


def test_what_a_partner_wrote_is_shown_as_text_only(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        hostile = [["BEG", "00", "SA", "<b {{7}}", "", "20261101"], *ORDER[1:]]
        t.drop(t.file("850", hostile, RETAILER), "shop")
        eventually(lambda: t.sent("depot", "940"))
        with browsing(t) as pages:
            page = pages.get("/").text
    assert "&lt;b {{7}}" in page
    assert "<b {{7}}" not in page
