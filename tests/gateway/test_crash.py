"""The gateway dies, is started again, and the order ends as if nothing had been."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from stage import Appearances, Consumer, Stage, grown, make_template, stage, until, visible

from edi import documents
from edi.documents import Invoice
from gateway import failpoints
from gateway.simulate import GATEWAY, RETAILER, WAREHOUSE, envelope
from x12 import writer

# A later hit of a point is another moment: the acknowledgment instead of the order, the invoice instead of
# the notice, the warehouse's file instead of the retailer's message.
AGAIN = (
    "receive:committed:#2",
    "read:before-commit:#2",
    "read:committed:#3",
    "erp:staged:#2",
    "erp:placed:#2",
    "follow:committed:#2",
    "send:posted:#2",
    "send:recorded:#4",
    "outbox:staged:#2",
    "outbox:placed:#2",
    "receipt:committed:#3",
    "intake:claimed:#2",
    "intake:committed:#2",
)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def day(template: Path, tmp_path: Path) -> Iterator[Stage]:
    with stage(template, tmp_path) as set_up:
        yield set_up


FROM_ERP = "take:committed"
ELSEWHERE = {FROM_ERP, "batch:written", "batch:committed"}  # partners' documents alone make the day


@pytest.mark.parametrize("point", [name for name in (*failpoints.NAMES, *AGAIN) if name not in ELSEWHERE])
def test_a_death_at_any_step_finishes_the_order_with_nothing_doubled(day: Stage, point: str) -> None:
    day.start(crash_at=point)
    day.order("PO-4711")
    day.wait_for_death()
    day.start()
    day.finish()
    day.assert_nothing_lost_or_doubled()


@pytest.mark.parametrize(
    "point",
    ["erp:staged", "erp:placed", "erp:placed:#2", "outbox:staged", "outbox:placed", "outbox:placed:#2"],
)
def test_what_was_taken_from_a_folder_before_the_death_is_not_put_there_again(day: Stage, point: str) -> None:
    day.consumer = Consumer(day.erp / "out")
    day.start(crash_at=point)
    day.order("PO-4712")
    day.wait_for_death()
    time.sleep(0.3)  # whoever fetches has fetched by now
    day.start()
    day.finish()
    day.assert_nothing_lost_or_doubled()


@pytest.mark.parametrize("point", ["send:posted", "send:posted:#3", "send:recorded:#2"])
def test_a_death_after_a_receipt_that_was_the_answer_sends_the_same_message_again(
    day: Stage, point: str
) -> None:
    file = day.gateway.home / "partners.toml"
    file.write_text(file.read_text().replace('mode = "async"', 'mode = "sync"'))
    day.start(crash_at=point)
    day.order("PO-4718")
    day.wait_for_death()
    day.start()
    day.finish()
    day.assert_nothing_lost_or_doubled()
    assert max(day.retailer.seen.values()) == (2 if point.startswith("send:posted") else 1)
    assert len(day.retailer.seen) == 3


def test_deaths_at_random_moments_finish_every_order_with_nothing_doubled(day: Stage) -> None:
    seed = int(os.environ.get("TRADELANE_SEED", "1"))
    moments = random.Random(seed)
    for number in range(3):
        day.order(f"PO-{seed}-{number}")
    for _ in range(int(os.environ.get("TRADELANE_KILLS", "8"))):
        day.start_and_kill(moments.uniform(0.3, 2.0))
    day.start()
    day.finish()
    day.assert_nothing_lost_or_doubled()


def test_a_document_of_the_erp_taken_before_the_death_is_sent_once(day: Stage) -> None:
    day.start(crash_at=FROM_ERP)
    invoice = Invoice(number="INV-1", invoiced_on=date(2026, 11, 2), total=Decimal(1), partner="bigmart")
    (day.erp / "invoice.json").write_bytes(documents.encode(invoice))
    (day.erp / "invoice.json").rename(day.erp / "in" / "invoice.json")
    day.wait_for_death()
    assert visible(day.erp / "in") == ["invoice.json"]
    day.start()
    day.finish()
    assert visible(day.erp / "in") == []
    assert visible(day.erp / "done") == ["invoice.json"]
    assert [(one.type, one.document.number) for one in day.retailer.received] == [("810", "INV-1")]


def test_x12_of_the_erp_split_before_the_death_goes_to_each_receiver_once(day: Stage) -> None:
    day.start(crash_at=FROM_ERP)
    bill = [["BIG", "20261102", "INV-1"], ["IT1", "", "1", "EA", "1"], ["TDS", "100"], ["CTT", "1"]]
    ship = [["W05", "N", "PO-1"], ["N1", "ST", "STORE"], ["LX", "1"], ["W01", "1", "EA", "", "VN", "A"],
            ["W76", "1"]]  # fmt: skip
    data = b"".join(
        writer.write(envelope(GATEWAY, to, 700 + at, type, "004010"), [writer.Body(type, 1, rows)])
        for at, (to, type, rows) in enumerate(
            [(RETAILER, "810", bill), (WAREHOUSE, "940", ship), (RETAILER, "810", bill)]
        )
    )
    (day.erp / "day.x12").write_bytes(data)
    (day.erp / "day.x12").rename(day.erp / "in" / "day.x12")
    day.wait_for_death()
    assert visible(day.erp / "in") == ["day.x12"]
    day.start()
    until(lambda: len(day.retailer.received) == 2 and day.warehouse.received, "each has come")
    day.finish()
    assert visible(day.erp / "done") == ["day.x12"]
    came = [one for one in (*day.retailer.received, *day.warehouse.received) if one.type != "997"]
    came.sort(key=lambda one: one.header.control_number)
    assert b"".join(one.data for one in came) == data


@pytest.mark.parametrize("instead", ["nothing", "a file"])
def test_what_is_for_an_erp_that_is_away_waits_and_is_handed_over_once_it_is_back(
    day: Stage, instead: str
) -> None:
    day.start()
    out, away = day.erp / "out", day.erp / "away"
    out.rename(away)
    if instead == "a file":
        out.write_bytes(b"")
    day.order("PO-4713")
    day.retailer.wait_for("997")
    until(lambda: day.rows("SELECT 1 FROM job WHERE kind = 'deliver' AND error IS NOT NULL"), "a retry")
    (due, *_) = json.loads(day.look("order", "show", "PO-4713"))["due"]
    assert due["owner"] == "erp"
    assert visible(away) == []
    if instead == "a file":
        out.unlink()
    assert not out.exists(), "no one but the ERP may make its folder"
    away.rename(out)
    day.finish()
    day.assert_nothing_lost_or_doubled()


def test_a_file_staged_in_a_folder_that_is_gone_is_staged_in_the_one_that_took_its_place(day: Stage) -> None:
    day.start(crash_at="erp:staged")
    day.order("PO-4714")
    day.wait_for_death()
    day.at_erp.close()
    (day.erp / "out").rename(day.erp / "lost")
    (day.erp / "out").mkdir()
    day.at_erp = Appearances(day.erp / "out")
    day.start()
    day.finish()
    day.assert_nothing_lost_or_doubled()
    assert visible(day.erp / "lost") == []


def test_a_retailer_that_is_away_holds_up_no_warehouse_and_gets_all_once_it_is_back(day: Stage) -> None:
    day.start()
    day.close_retailer()
    day.order("PO-4715")
    until(lambda: len(visible(day.erp / "out")) == 2, "the warehouse has shipped and the ERP knows")
    day.warehouse.wait_for("997")
    assert day.retailer.received == []
    assert {row["status"] for row in day.rows("SELECT * FROM transmission WHERE partner = 'bigmart'")} == {
        "done",
        "queued",
    }
    day.kill()
    day.start()
    day.reopen_retailer()
    day.finish()
    day.assert_nothing_lost_or_doubled()


def test_a_file_claimed_while_nothing_could_be_stored_is_taken_as_soon_as_it_can_be(day: Stage) -> None:
    day.start()
    temporary = day.gateway.home / "data" / "blobs" / "tmp"
    temporary.rename(temporary.with_name("gone"))
    account = day.gateway.home / "sftp" / "acme"
    (account / "order.tmp").write_bytes(grown(day.retailer.order("PO-4716")))  # not the warehouse's
    (account / "order.tmp").rename(account / "in" / "order.x12")
    until(lambda: list((account / "work").iterdir()), "the file is claimed")
    time.sleep(0.3)
    assert day.rows("SELECT 1 FROM transmission") == []
    temporary.with_name("gone").rename(temporary)
    day.finish()
    (row,) = day.rows("SELECT * FROM transmission WHERE direction = 'in'")
    assert (row["filename"], row["status"], row["reason"]) == ("order.x12", "refused", "SENDER_MISMATCH")


@pytest.mark.external("strace")
@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_a_message_is_synced_renamed_and_committed_before_the_first_byte_of_its_answer(
    day: Stage, tmp_path: Path, large: bool
) -> None:
    """What is small is in the transaction; of what is not, what came and its payload are files before it."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("needs strace")
    day.start()
    assert day.gateway.process is not None
    trace = tmp_path / "trace"
    calls = "trace=write,writev,pwrite64,sendto,sendmsg,fsync,fdatasync,rename,renameat,renameat2"
    tracer = subprocess.Popen(
        [strace, "-f", "-y", "-s", "64", "-o", trace, "-e", calls, "-p", str(day.gateway.process.pid)],
        stderr=subprocess.PIPE,
    )
    try:
        assert tracer.stderr is not None
        if b"attached" not in tracer.stderr.readline():
            pytest.skip("needs leave to trace")
        day.order("PO-4717", large=large)
        day.finish()
    finally:
        tracer.send_signal(signal.SIGTERM)
        tracer.communicate(timeout=20)
    day.assert_nothing_lost_or_doubled()
    steps = completed(trace.read_text())
    answered = places(steps, r'"HTTP/1\.1 204')[0]
    before = steps[:answered]  # nothing but the order has come until then
    committed = places(before, r"^f(data)?sync\(\d+<[^>]*/tradelane\.db-wal>")[-1]
    assert places(before, r"^pwrite64\(\d+<[^>]*/tradelane\.db-wal>")[-1] < committed
    named = places(before, r"^rename.*/blobs/tmp/")
    assert len(named) == (2 if large else 0)
    for at in named:
        temporary, final = re.findall(r'"([^"]*)"', before[at])
        synced = places(before, rf"^fsync\(\d+<{re.escape(temporary)}>")[-1]
        folder = places(before, rf"^fsync\(\d+<{re.escape(str(Path(final).parent))}>")[-1]
        assert synced < at < folder < committed


def completed(trace: str) -> list[str]:
    """The calls of a trace in the order in which they ended; an answer, in which it began."""
    steps, begun = [], {}
    for line in trace.splitlines():
        thread, _, call = line.partition(" ")
        call = call.strip()
        if call.endswith("<unfinished ...>") and "HTTP/1.1" not in call:
            begun[thread] = call.removesuffix("<unfinished ...>")
        elif call.startswith("<... "):
            steps.append(begun.pop(thread, "") + call)
        else:
            steps.append(call)
    return steps


def places(steps: list[str], pattern: str) -> list[int]:
    """Where the steps of a kind stand."""
    return [at for at, step in enumerate(steps) if re.search(pattern, step)]
