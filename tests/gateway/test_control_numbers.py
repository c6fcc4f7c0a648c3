"""Control numbers: one after the other, whoever takes them and whatever is killed; set by an operator."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from numbers_victim import OURS, THEIRS
from sqlalchemy import Connection, select, update
from trading import ORDER, PARTNERS, RETAILER, US, Trading, eventually, trading

from edi.tree import Group, Interchange, PartyId, Transaction
from gateway import numbers, queries
from gateway.pipeline.replay import Step, replay
from gateway.simulate import envelope
from gateway.store import Store
from gateway.store.tables import event, interchange
from x12 import codec
from x12.writer import Body, write

ROOT = Path(__file__).parents[2]
WRITERS = 8
RULES = 'control_numbers = { on_gap = "quarantine", on_duplicate = "warn" }'
DOCUMENTS = 600
INVOICES = 40  # of each writer


def writer(path: Path, name: int) -> subprocess.Popen[str]:
    script = Path(__file__).parent / "numbers_victim.py"
    command = [sys.executable, script, path, f"writer {name}", DOCUMENTS]
    return subprocess.Popen(list(map(str, command)), cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_eight_writers_of_which_any_may_be_killed_use_each_number_once_and_leave_none_out(
    tmp_path: Path,
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    path = tmp_path / "numbers.db"
    store = Store.open(path, blobs=tmp_path / "blobs")
    running = [writer(path, name) for name in range(WRITERS)]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
    killed = 0
    for name in range(WRITERS, WRITERS + 6):
        time.sleep(chance.uniform(0.02, 0.2))
        at = chance.randrange(WRITERS)
        killed += running[at].poll() is None
        running[at].kill()
        running[at].communicate()
        running[at] = writer(path, name)
    for process in running:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert killed >= 4, "the work ended before enough kills: the test proved nothing"
    with store.read() as conn:
        texts = conn.execute(select(event.c.text)).scalars().all()
        names = set(conn.execute(select(event.c.name)).scalars())
    store.close()
    assert len(names) > WRITERS // 2
    taken = [[int(number) for number in text.split()] for text in texts]
    assert sorted(first for first, *_ in taken) == list(range(1, len(texts) + 1))
    sets = sorted(number for _, *rest in taken for number in rest)
    assert sets == list(range(1, len(sets) + 1))


def issuer(home: Path, writer: int) -> subprocess.Popen[str]:
    script = Path(__file__).parent / "invoices_victim.py"
    command = [sys.executable, script, home, f"W{writer}", INVOICES]
    return subprocess.Popen(list(map(str, command)), cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_documents_of_eight_processes_have_each_number_once_whatever_was_killed(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    with trading(tmp_path, run=False) as t:
        running = [issuer(tmp_path, number) for number in range(WRITERS)]
        killed = 0
        for at in chance.sample(range(WRITERS), 5):
            process = running[at]
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n"
            time.sleep(chance.uniform(0.0, 0.05))
            killed += process.poll() is None
            process.kill()
            process.communicate()
            running[at] = issuer(tmp_path, at)
        for process in running:
            process.communicate(timeout=60)
            assert process.returncode == 0
        assert killed >= 2, "the work ended before enough kills: the test proved nothing"
        rows = t.documents(direction="out", type="810")
        names = {f"W{number}-{at}" for number in range(WRITERS) for at in range(INVOICES)}
        assert sorted(row.number for row in rows) == sorted(names)
        once = [str(number) for number in range(1, len(names) + 1)]
        for level in ("interchange_control", "group_control", "transaction_control"):
            assert sorted((getattr(row, level) for row in rows), key=int) == once
        sent = {one["id"]: one["sha256"] for one in queries.transmissions(t.home, "out")}
        assert len(sent) == len(names)
        for row in rows:  # and what is written is what is recorded
            with t.home.store.fetch(sent[row.transmission]) as stream:
                (header, group, item, *_) = codec.read(stream)
            assert isinstance(header, Interchange)
            assert isinstance(group, Group)
            assert isinstance(item, Transaction)
            written = [header.control_number, group.control_number, item.control_number]
            assert list(map(int, written)) == [
                int(row.interchange_control),
                int(row.group_control),
                int(row.transaction_control),
            ]


def test_numbers_roll_over_after_999999999(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "a.db", blobs=tmp_path / "blobs")

    def take(conn: Connection) -> list[int]:
        numbers.put(conn, OURS, THEIRS, "interchange", numbers.last("interchange") - 1)
        return numbers.take(conn, OURS, THEIRS, "interchange", 4)

    assert store.write(take) == [numbers.last("interchange") - 1, numbers.last("interchange"), 1, 2]
    with store.read() as conn:
        assert numbers.peek(conn, OURS, THEIRS, "interchange") == 3
        assert numbers.peek(conn, OURS, PartyId("08", "OTHER"), "interchange") == 1
    store.close()


def take_two(theirs: PartyId, level: str, conn: Connection) -> list[int]:
    return numbers.take(conn, OURS, theirs, level, 2)


def test_each_pair_of_identities_and_each_level_is_counted_by_itself(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "a.db", blobs=tmp_path / "blobs")
    other = PartyId("08", "OTHER")
    for theirs, level in ((THEIRS, "interchange"), (THEIRS, "group"), (other, "interchange")):
        assert store.write(partial(take_two, theirs, level)) == [1, 2]
    with store.read() as conn:
        assert [(c.theirs, c.level, c.next) for c in numbers.counters(conn, [THEIRS])] == [
            ("08:RETAIL", "group", 3),
            ("08:RETAIL", "interchange", 3),
        ]
    store.close()


def test_groups_may_be_counted_by_type(tmp_path: Path) -> None:
    partners = PARTNERS.replace(
        'role = "retailer"', 'role = "retailer"\ncontrol_numbers = { scope = "partner+type" }'
    )
    with trading(tmp_path, partners) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop")
        eventually(lambda: t.sent("shop", "997"))
        with t.home.store.read() as conn:
            found = {c.level: c.next for c in numbers.counters(conn, [RETAILER])}
        assert found == {"interchange": 2, "group FA": 2, "transaction FA": 2}


def test_numbers_that_a_partner_has_left_out_are_told(tmp_path: Path) -> None:
    def notes(name: str) -> list[str]:
        with t.home.store.read() as conn:
            found = conn.execute(select(event.c.text).where(event.c.name == name)).scalars()
            return list(found)

    with trading(tmp_path) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop", "1.x12")
        t.drop(t.file("850", ORDER, RETAILER), "shop", "2.x12")
        eventually(lambda: len(t.sent("shop", "997")) == 2)
        t.number += 2
        t.drop(t.file("850", ORDER, RETAILER), "shop", "5.x12")
        eventually(lambda: len(t.sent("shop", "997")) == 3)
        assert notes("gap") == ["interchanges 3 to 4 from 08:RETAIL have not come: 5 follows 2"]
        t.number = 2  # it comes late
        t.drop(t.file("850", ORDER, RETAILER), "shop", "3.x12")
        eventually(lambda: len(t.sent("shop", "997")) == 4)
        assert len(notes("gap")) == 1


def test_what_comes_before_its_time_is_held_where_that_is_agreed_and_read_when_the_rest_has_come(
    tmp_path: Path,
) -> None:
    with trading(tmp_path, PARTNERS.replace('role = "retailer"', f'role = "retailer"\n{RULES}')) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop", "1.x12")
        eventually(lambda: len(t.sent("shop", "997")) == 1)
        t.number = 2
        early = t.drop(t.file("850", ORDER, RETAILER), "shop", "3.x12")
        (held,) = eventually(lambda: queries.dead(t.home))
        assert (held["id"], held["reason"]) == (early, "CONTROL_GAP")
        assert held["error"] == "interchanges 2 from 08:RETAIL have not come: 3 follows 1"
        t.number = 1
        t.drop(t.file("850", ORDER, RETAILER), "shop", "2.x12")
        eventually(lambda: len(t.sent("shop", "997")) == 2)
        assert replay(t.home, early) is Step.READ
        eventually(lambda: len(t.sent("shop", "997")) == 3)
        assert early not in [one["id"] for one in queries.dead(t.home)]


def test_a_number_used_again_with_other_content_is_read_where_that_is_agreed(tmp_path: Path) -> None:
    with trading(tmp_path, PARTNERS.replace('role = "retailer"', f'role = "retailer"\n{RULES}')) as t:
        first = t.file("850", ORDER, RETAILER)
        t.drop(first, "shop", "1.x12")
        eventually(lambda: len(t.sent("shop", "997")) == 1)
        other = first.replace(b"PO-77", b"PO-78")
        t.drop(other, "shop", "2.x12")
        eventually(lambda: len(t.sent("shop", "997")) == 2)
        t.drop(first + b"\n", "shop", "3.x12")
        eventually(lambda: len(queries.transmissions(t.home, "in", status="duplicate")) == 1)
        assert [row.number for row in t.documents(direction="in")] == ["PO-77", "PO-78"]


def test_threads_take_numbers_without_a_gap(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "a.db", blobs=tmp_path / "blobs")

    def take(_: int) -> list[int]:
        return store.write(partial(take_two, THEIRS, "interchange"))

    with ThreadPoolExecutor(8) as pool:
        taken = [number for pair in pool.map(take, range(200)) for number in pair]
    assert sorted(taken) == list(range(1, 401))
    store.close()


@pytest.mark.parametrize("next", [5, 999_999_999])
def test_what_an_operator_sets_is_used_next(tmp_path: Path, next: int) -> None:
    with trading(tmp_path) as t:
        us, shop = t.home.config.us.isa, t.home.config.partner("shop").isa
        assert us is not None
        assert shop is not None
        t.home.store.write(lambda conn: numbers.put(conn, us, shop, "interchange", next))
        t.drop(t.file("850", ORDER, RETAILER), "shop")
        eventually(lambda: t.sent("shop", "997"))
        (row,) = t.documents(direction="out", type="997")
        assert row.interchange_control == str(next)


def told(t: Trading, name: str) -> list[str]:
    with t.home.store.read() as conn:
        found = select(event.c.text).where(event.c.name == name).order_by(event.c.id)
        return list(conn.execute(found).scalars())


def test_a_gap_is_told_across_the_end_of_the_numbers_and_not_by_one_of_long_ago(tmp_path: Path) -> None:
    with trading(tmp_path) as t:

        def order(number: int, comes: int) -> None:
            t.number = number - 1
            t.drop(t.file("850", ORDER, RETAILER), "shop", f"{number}.x12")
            eventually(lambda: len(t.sent("shop", "997")) == comes)

        order(numbers.last("interchange"), 1)
        order(1, 2)
        assert told(t, "gap") == []
        order(4, 3)
        assert told(t, "gap") == ["interchanges 2 to 3 from 08:RETAIL have not come: 4 follows 1"]
        order(500_000_000, 4)  # one that went astray
        old = t.home.now() - timedelta(days=91)
        astray = interchange.c.control_number == "500000000"
        t.home.store.write(
            lambda conn: conn.execute(update(interchange).where(astray).values(created_at=old))
        )
        order(6, 5)
        assert told(t, "gap")[2:] == ["interchanges 5 from 08:RETAIL have not come: 6 follows 4"]


def test_what_is_told_of_a_large_file_is_told_once(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop", "1.x12")
        eventually(lambda: t.sent("shop", "997"))
        head = envelope(RETAILER, US, 4, "850", "004010")
        bodies = [
            Body("850", number, [["BEG", "00", "SA", f"PO-{number}", "", "20261101"], *ORDER[1:]])
            for number in range(1, 121)
        ]
        t.drop(write(head, bodies), "shop", "large.x12")
        eventually(lambda: len(t.sent("shop", "997")) == 2, 60)
        assert told(t, "gap") == ["interchanges 2 to 3 from 08:RETAIL have not come: 4 follows 1"]
