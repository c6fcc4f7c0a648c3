"""Documents that leave together: by count, by time, by hand; numbered and recorded in one transaction."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from stage import Stage, make_template, stage, until, visible
from trading import ORDER, PARTNERS, RETAILER, SHIPMENT, WAREHOUSE, Trading, eventually, trading

from edi import documents
from edi.documents import Invoice
from edi.tree import Group, Interchange, Transaction
from gateway import config, numbers, queries
from gateway.cli import main
from gateway.config import Batch, ConfigInvalid
from gateway.engine import Job
from gateway.erp import Arrival
from gateway.pipeline import batching, from_erp, outbound
from gateway.pipeline.replay import Step, replay
from gateway.server import start_engine
from gateway.store.lane_tables import job
from x12 import codec


def agreed(terms: str, type: str = "810", partners: str = PARTNERS) -> str:
    plain = f'{{ type = "{type}", direction = "out" }}'
    assert plain in partners
    return partners.replace(plain, f'{{ type = "{type}", direction = "out", batch = {terms} }}')


def invoice(number: str, **more: Any) -> bytes:
    return documents.encode(
        Invoice(number=number, invoiced_on=date(2026, 11, 2), total=Decimal(1), partner="shop", **more)
    )


def bill(t: Trading, *names: str) -> None:
    for name in names:
        from_erp.take(t.home, Arrival(t.home.erp.inbox / f"{name}.json", invoice(name)))


def content(path: Path) -> list[tuple[str, list[tuple[str, str]]]]:
    """The groups of an interchange, each with the sets in it."""
    found: list[tuple[str, list[tuple[str, str]]]] = []
    for event in codec.read(io.BytesIO(path.read_bytes())):
        match event:
            case Interchange():
                assert not event.problems
            case Group():
                found.append((f"{event.functional_id} {event.control_number}", []))
            case Transaction():
                assert not event.problems
                found[-1][1].append((event.type, event.control_number))
    return found


def run(t: Trading, *words: str) -> Any:
    done = CliRunner().invoke(main, ["--home", str(t.home.config.home), *words, "--json"])
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_last_document_of_a_batch_lets_it_leave_at_once(tmp_path: Path) -> None:
    with trading(tmp_path, agreed('{ count = 3, within = "1d" }')) as t:
        bill(t, "A", "B")
        assert [(row.status, row.ack, row.transmission) for row in t.documents()] == [
            ("batched", "none", None)
        ] * 2
        assert not t.outbox("shop")
        bill(t, "C", "D")
        (path,) = eventually(lambda: t.outbox("shop"))
        assert content(path) == [("IN 1", [("810", "0001"), ("810", "0002"), ("810", "0003")])]
        rows = t.documents()
        assert [(row.number, row.status, row.ack) for row in rows] == [
            ("A", "sent", "waiting"),
            ("B", "sent", "waiting"),
            ("C", "sent", "waiting"),
            ("D", "batched", "none"),
        ]
        assert len({row.transmission for row in rows[:3]}) == 1
        assert rows[3].batch == rows[3].id != rows[0].batch == rows[0].id


def test_a_batch_leaves_when_its_time_has_come(tmp_path: Path) -> None:
    with trading(tmp_path, agreed('{ within = "1s" }')) as t:
        bill(t, "A", "B")
        assert not t.outbox("shop")
        (path,) = eventually(lambda: t.outbox("shop"))
        assert content(path) == [("IN 1", [("810", "0001"), ("810", "0002")])]
        bill(t, "C")
        eventually(lambda: len(t.outbox("shop")) == 2)


def test_a_time_of_day_is_ours_and_the_next_one_counts() -> None:
    batch = Batch(at=(time(12), time(17)))
    zone = ZoneInfo("America/Chicago")

    def at(hour: int, minute: int = 0, day: int = 24) -> datetime:
        return datetime(2026, 11, day, hour, minute, tzinfo=zone)

    def leaves(*moment: int) -> datetime:
        return batch.leaves_at(at(*moment), zone).astimezone(zone)

    assert leaves(11, 59) == at(12)
    assert leaves(12) == at(17)
    assert leaves(17) == at(12, day=25)
    now = datetime(2026, 11, 24, tzinfo=UTC)
    assert Batch(within=timedelta(hours=1), at=batch.at).leaves_at(now, zone) == now + timedelta(hours=1)


def test_documents_of_the_same_terms_leave_together_in_a_group_each(tmp_path: Path) -> None:
    terms = '{ count = 3, within = "1d" }'
    with trading(tmp_path, agreed(terms, "856", agreed(terms))) as t:
        bill(t, "A")
        t.drop(t.file("850", ORDER, RETAILER), "shop")
        eventually(lambda: t.sent("depot", "940"))
        t.drop(t.file("945", SHIPMENT, WAREHOUSE), "depot")
        eventually(lambda: [path for path in t.outbox("shop") if path.name.startswith("810-856")])
        (path,) = (path for path in t.outbox("shop") if path.name.startswith("810-856"))
        (in_, out) = content(path)
        assert (in_[0][:2], [type for type, _ in in_[1]]) == ("IN", ["810", "810"])
        assert (out[0][:2], [type for type, _ in out[1]]) == ("SH", ["856"])
        assert len(t.sent("shop", "810")) == 2


def test_an_order_says_what_it_waits_for_and_is_done_when_its_batch_is_accepted(tmp_path: Path) -> None:
    terms = '{ count = 50, within = "1d" }'
    with trading(tmp_path, agreed(terms, "856", agreed(terms))) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop")
        eventually(lambda: t.sent("depot", "940"))
        t.drop(t.file("945", SHIPMENT, WAREHOUSE), "depot")
        eventually(lambda: t.documents(status="batched", type="810"))
        bill(t, "X")
        chain = queries.order_chain(t.home, "PO-77")
        assert chain is not None
        told = [(due["what"], due["due_at"]) for due in chain["due"] if "others" in due["what"]]
        leaves_at = t.documents(type="810")[0].leaves_at
        assert told == [
            ("to send 856 BOL1, which waits for others: 3 of 50 gathered", leaves_at),
            ("to send 810 PO-77-1, which waits for others: 3 of 50 gathered", leaves_at),
        ]
        run(t, "batch", "flush", "shop")
        eventually(lambda: not t.documents(status="batched"))
        for row in t.documents(direction="out", ack="waiting"):
            said = [["AK1", row.functional_id, row.group_control], ["AK9", "A", "1", "1", "1"]]
            sender = RETAILER if row.partner == "shop" else WAREHOUSE
            t.drop(t.file("997", said, sender), row.partner, f"{row.id}.x12")
        eventually(lambda: (queries.order_chain(t.home, "PO-77") or {})["status"] == "done")


def test_a_partner_accepts_a_batch_in_part(tmp_path: Path) -> None:
    with trading(tmp_path, agreed('{ count = 3, within = "1d" }')) as t:
        bill(t, "A", "B", "C")
        eventually(lambda: t.outbox("shop"))
        said = [["AK1", "IN", "1"]]
        for number, code in (("0001", "A"), ("0002", "R"), ("0003", "E")):
            said += [["AK2", "810", number]]
            said += (
                [["AK3", "BIG", "2", "", "8"], ["AK4", "1", "373", "8", "20261102"]] if code != "A" else []
            )
            said += [["AK5", code, *(["5"] if code != "A" else [])]]
        said += [["AK9", "P", "3", "3", "2"]]
        t.drop(t.file("997", said, RETAILER), "shop")
        eventually(lambda: not t.documents(ack="waiting"))
        assert [row.ack for row in t.documents(direction="out", type="810")] == [
            "accepted",
            "rejected",
            "accepted_with_errors",
        ]
        with t.home.store.read() as conn:
            texts = conn.exec_driver_sql("SELECT text FROM event WHERE name = 'acknowledged'").scalars().all()
        assert "we sent BIG*20261102*B" in "\n".join(texts)


def test_a_batch_that_is_overdue_is_sent_again_once_as_a_whole(tmp_path: Path) -> None:
    terms = '{ count = 3, within = "1d" }, ack = { due = "1s", on_overdue = "resend" }'
    with trading(tmp_path, agreed(terms)) as t:
        bill(t, "A", "B", "C")
        eventually(lambda: len(t.documents(ack="overdue")) == 3)
        assert len(t.outbox("shop")) == 2
        first, second = (path.read_bytes() for path in t.outbox("shop"))
        assert first == second


def test_what_waits_is_listed_and_let_go_by_hand(tmp_path: Path) -> None:
    with trading(tmp_path, agreed('{ count = 50, at = ["17:00"] }')) as t:
        bill(t, "A", "B")
        (row,) = run(t, "outbox")
        assert (row["status"], row["partner"], row["documents"], row["of"]) == ("batched", "shop", 2, 50)
        assert [one["leaves_at"] for one in run(t, "batch", "list")] == [row["leaves_at"]]
        assert run(t, "batch", "list", "depot") == []
        assert run(t, "batch", "flush", "shop", "--dry-run") == [
            {"partner": "shop", "batches": 1, "documents": 2, "flushed": False}
        ]
        assert not t.outbox("shop")
        run(t, "batch", "flush", "shop")
        eventually(lambda: t.outbox("shop"))
        assert [one["status"] for one in run(t, "outbox", "--status", "batched")] == []
        (nothing,) = run(t, "batch", "flush", "shop")
        assert nothing["batches"] == 0


def test_a_document_that_can_no_longer_be_written_is_held_and_holds_up_no_other(tmp_path: Path) -> None:
    terms = '{ count = 50, within = "1d" }'
    with trading(tmp_path, agreed(terms)) as t:
        bill(t, "A", "B" * 20)
        (tmp_path / "guides").mkdir(exist_ok=True)
        (tmp_path / "guides" / "810.toml").write_text(
            'name = "Short"\nset = "810"\n[rules]\nBIG02 = { max = 4 }\n'
        )
        file = tmp_path / "partners.toml"
        file.write_text(file.read_text().replace(terms, f'{terms}, guide = "guides/810.toml"'))
        assert t.home.reload()
        run(t, "batch", "flush", "shop")
        eventually(lambda: t.outbox("shop"))
        assert [(row.number, row.status) for row in t.documents()] == [("A", "sent"), ("B" * 20, "held")]
        assert t.documents(status="held")[0].reason == "MAPPING_FAILED"
        with t.home.store.read() as conn:
            ours, theirs = t.home.config.us.isa, t.home.config.partner("shop").isa
            assert ours is not None
            assert theirs is not None
            assert [numbers.peek(conn, ours, theirs, level) for level in numbers.LEVELS] == [2, 2, 2]


def test_the_documents_of_a_partner_who_has_left_are_held_each_by_itself(tmp_path: Path) -> None:
    with trading(tmp_path, agreed('{ count = 50, within = "1d" }')) as t:
        bill(t, "A", "B")
        (batch,) = run(t, "batch", "list")
        file = tmp_path / "partners.toml"
        file.write_text(
            PARTNERS[: PARTNERS.index("[partner.shop]")] + PARTNERS[PARTNERS.index("[partner.depot]") :]
        )
        assert t.home.reload()
        now = t.home.now()
        t.home.store.write(lambda conn: batching.release(t.home, conn, "shop", batch["id"], now))
        eventually(lambda: len(t.documents(status="held", reason="UNKNOWN_PARTNER")) == 2)
        file.write_text(PARTNERS)
        assert t.home.reload()
        for row in t.documents():
            assert replay(t.home, row.id) is Step.ISSUE
        eventually(lambda: len(t.outbox("shop")) == 2)


def test_what_joins_while_its_batch_is_written_leaves_right_after_it(tmp_path: Path) -> None:
    with trading(tmp_path, agreed('{ count = 50, within = "1d" }'), run=False) as t:
        bill(t, "A")
        (batch,) = run(t, "batch", "list")
        payload = {"batch": batch["id"], "partner": "shop"}
        written = outbound.close_batch(t.home, Job(0, "shop:due", "batch", payload, None, 1, 1, ""))
        bill(t, "B")
        assert written.commit is not None
        t.home.store.write(written.commit)
        assert [(row.number, row.status) for row in t.documents()] == [("A", "sent"), ("B", "batched")]
        start_engine(t.home)
        eventually(lambda: len(t.outbox("shop")) == 2)
        assert t.home.engine.drain(10.0)


def test_the_timer_of_a_batch_that_left_full_is_gone(tmp_path: Path) -> None:
    with trading(tmp_path, agreed('{ count = 2, within = "1d" }')) as t:
        bill(t, "A", "B")
        eventually(lambda: t.outbox("shop"))
        with t.home.store.read() as conn:
            states = conn.execute(job.select().where(job.c.kind == "batch")).all()
        assert sorted(row.state for row in states) == ["cancelled", "done"]


@pytest.mark.parametrize(
    ("rules", "groups"),
    [
        ('{ group = "interchange" }', ["IN 1", "SH 2"]),
        ('{ transaction = "group" }', ["IN 1", "SH 2"]),
        ('{ scope = "partner+type" }', ["IN 1", "SH 1"]),
    ],
)
def test_numbers_are_counted_as_agreed_also_in_a_batch(tmp_path: Path, rules: str, groups: list[str]) -> None:
    terms = '{ within = "1d" }'
    partners = agreed(terms, "856", agreed(terms)).replace(
        'sftp_account = { user = "shop"', f'control_numbers = {rules}\nsftp_account = {{ user = "shop"'
    )
    partners = partners.replace('route = "3pl:depot"', 'ack = { mode = "none" }, route = "3pl:depot"')
    with trading(tmp_path, partners) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop")
        eventually(lambda: t.sent("depot", "940"))
        t.drop(t.file("945", SHIPMENT, WAREHOUSE), "depot")
        eventually(lambda: t.documents(status="batched", type="810"))
        bill(t, "X")
        run(t, "batch", "flush", "shop")
        apart = "group" in rules and "interchange" in rules
        paths = eventually(lambda: len(t.outbox("shop")) == (2 if apart else 1) and t.outbox("shop"))
        found = [group for path in paths for group in content(path)]
        assert [name for name, _ in found] == groups
        restarted = "partner+type" in rules or '"group"' in rules
        assert [[number for _, number in sets] for _, sets in found] == [
            ["0001", "0002"],
            ["0001" if restarted else "0003"],
        ]


def test_tests_are_counted_apart_where_that_is_agreed(tmp_path: Path) -> None:
    test = PARTNERS.replace('usage = "P"', 'usage = "T"\ncontrol_numbers = { usage = "apart" }', 1)
    with trading(tmp_path, test, run=False) as t:
        bill(t, "A", "B")
        file = tmp_path / "partners.toml"
        file.write_text(file.read_text().replace('usage = "T"', 'usage = "P"'))
        assert t.home.reload()
        bill(t, "C")
        assert [(row.number, row.interchange_control) for row in t.documents()] == [
            ("A", "1"),
            ("B", "2"),
            ("C", "1"),
        ]
        levels = [(one["level"], one["next"]) for one in run(t, "control", "show", "shop")]
        assert ("interchange", 2) in levels
        assert ("interchange test", 3) in levels


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        ("{ count = 5 }", "needs a time by which it leaves, however few documents come: within or at"),
        ('{ count = 1, within = "1h" }', "expected a count from 2 to 10000"),
        ('{ within = "0s" }', "expected a duration above zero"),
        ('{ at = ["25:00"] }', "expected a time of day"),
    ],
)
def test_a_batch_that_could_not_leave_is_told(tmp_path: Path, terms: str, told: str) -> None:
    with pytest.raises(ConfigInvalid) as raised:
        config.read(agreed(terms), tmp_path)
    assert told in str(raised.value)


def test_what_comes_in_is_not_gathered(tmp_path: Path) -> None:
    partners = PARTNERS.replace(
        'direction = "in", route', 'direction = "in", batch = { within = "1h" }, route'
    )
    with pytest.raises(ConfigInvalid, match="only what we send is gathered"):
        config.read(partners, tmp_path)


# Deaths.


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_template(tmp_path_factory.mktemp("batches"))


@pytest.fixture
def day(template: Path, tmp_path: Path) -> Iterator[Stage]:
    with stage(template, tmp_path) as set_up:
        file = set_up.gateway.home / "partners.toml"
        plain = 'type = "810"\ndirection = "out"\n'
        text = file.read_text()
        assert text.count(plain) == 1, text
        file.write_text(text.replace(plain, plain + 'batch = { count = 4, within = "1s" }\n'))
        yield set_up


@pytest.mark.parametrize(
    "point", ["take:committed:#3", "batch:written", "batch:committed", "batch:written:#2"]
)
def test_a_death_while_documents_are_gathered_or_leave_sends_each_once(day: Stage, point: str) -> None:
    day.start(crash_at=point)
    names = [f"INV-{number}" for number in range(6)]
    for name in names:
        body = documents.encode(
            Invoice(number=name, invoiced_on=date(2026, 11, 2), total=Decimal(1), partner="bigmart")
        )
        (day.erp / f"{name}.json").write_bytes(body)
        (day.erp / f"{name}.json").rename(day.erp / "in" / f"{name}.json")
    day.wait_for_death()
    day.start()
    until(lambda: len(day.retailer.received) >= len(names), "every invoice has come")
    day.finish()
    sent = [one for one in day.retailer.received if isinstance(one.document, Invoice)]
    assert [one.document.number for one in sent if isinstance(one.document, Invoice)] == names
    controls = [int(one.header.control_number) for one in sent]
    assert sorted(set(controls)) == list(range(1, max(controls) + 1))
    assert controls == sorted(controls) == [int(one.group.control_number) for one in sent]
    assert max(controls) < len(names)
    assert visible(day.erp / "in") == []
    rows = day.rows(
        "SELECT number, transaction_control, ack FROM document WHERE type = '810' ORDER BY number"
    )
    assert [tuple(row) for row in rows] == [(name, str(at), "accepted") for at, name in enumerate(names, 1)]
