"""AS2 Restart (draft-harding-as2-restart-07, R5): a large message goes on where it broke off, both ways."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from as2_sending import AT_ONCE, Script, Sender, header, home_of, receipt, relation, sending, status
from peers import Answer, Company, Headers, Message, Peer, endpoint, post, request, talk
from serving import Gateway, interchange, made, order, partner, running, until
from sqlalchemy import select

from gateway import queries
from gateway.config import toml
from gateway.pipeline.limits import UNREADABLE_AN_HOUR
from gateway.store import PartialLocked, PartialRange, Store
from gateway.store.tables import event
from gateway.web import as2 as web

BIGMART = ("08", "9254110060")
PLAIN = ("ZZ", "PLAINMART")
SPACE = 2_000_000
MOST = 32


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    return Company.made(tmp_path_factory.mktemp("theirs"), "bigmart")


@pytest.fixture(scope="module")
def receiving(tmp_path_factory: pytest.TempPathFactory, company: Company) -> Iterator[tuple[Sender, Peer]]:
    """A gateway that receives from bigmart, and from plain without any security."""
    tables = (
        partner("bigmart", "BIGMARTEDI", BIGMART),
        partner("plain", "PLAINMART", PLAIN, sign="none", encrypt="none"),
    )
    home = home_of(tmp_path_factory.mktemp("receiving"), company, *tables, names=("bigmart", "plain"))
    file = home / "partners.toml"
    toml.replace(file, file.read_bytes() + f"[server]\npartial_space = {SPACE}\n".encode())
    with sending(home) as sender:
        yield sender, Peer("BIGMARTEDI", company, home / "certs" / "us.crt")


def large(number: str, control: int, size: int = 300_000) -> bytes:
    """An order with line ends after its end, which make it large and change nothing."""
    payload = interchange(control, order(number))
    return payload + b"\r\n" * ((size - len(payload)) // 2)


def part(message: Message, name: str, start: int, end: int | None = None, **more: str | None) -> Message:
    """A message's request that brings its bytes from `start` on; `end` is where its body stops short."""
    total = len(message.body)
    ranged = {"etag": f'"{name}"', "content_range": f"bytes {start}-{total - 1}/{total}"}
    return message.with_headers(**(ranged | more))._replace(body=message.body[start:end])


def break_off(sender: Sender, message: Message, length: int, *, kept: bool = True) -> None:
    """Send a request that says it has `length` bytes of body, and go away once those it has were taken.

    What a server has not taken from the line when it breaks is lost, so it is waited for.
    """
    where = urlsplit(sender.as2)
    fields = dict(message.headers)
    start, _, rest = fields["content-range"].removeprefix("bytes ").partition("-")
    transfer, total = fields["etag"].strip('"'), rest.partition("/")[2]
    name = f"{hashlib.sha256(transfer.encode()).hexdigest()}-{total}"
    headers = [*message.headers, ("Content-Length", str(length))]
    with socket.create_connection((where.hostname or "", where.port or 80), 10) as connection:
        connection.sendall(request(sender.as2, headers, message.body))
        goal = int(start) + len(message.body)
        until(lambda: not kept or [p for p in files(sender) if p.name == name and p.stat().st_size == goal])


def files(sender: Sender) -> list[Path]:
    """The files of what broke off."""
    return [path for path in (sender.home.store.blobs.root / "partial").rglob("*") if path.is_file()]


def ask(
    sender: Sender, name: str, as2_from: str = "BIGMARTEDI", as2_to: str = "NORTHWIND"
) -> tuple[int, str | None]:
    """HEAD: the status, and Content-Length."""
    headers = [("AS2-Version", "1.2"), ("AS2-From", as2_from), ("AS2-To", as2_to), ("ETag", f'"{name}"')]
    return inquire(sender.as2, headers)


def inquire(url: str, headers: Headers) -> tuple[int, str | None]:
    where = urlsplit(url)
    with socket.create_connection((where.hostname or "", where.port or 80), 10) as connection:
        connection.sendall(request(url, [*headers, ("Content-Length", "0")], b"", "HEAD"))
        head = connection.makefile("rb").read().decode("latin-1")
    lines = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    assert head.endswith("\r\n\r\n"), "an answer to HEAD has no body"
    return int(head.split(" ")[1]), lines.get("content-length")


def held(sender: Sender, name: str, as2_from: str = "BIGMARTEDI", *, over: int = -1) -> int:
    """What HEAD says is held, once the request before it has ended, and it is more than some bytes."""

    def look() -> tuple[int] | None:
        code, length = ask(sender, name, as2_from)
        return (int(length or 0),) if code == 200 and int(length or 0) > over else None

    return until(look)[0]


def erp_has(sender: Sender, number: str) -> list[Path]:
    return [path for path in sender.home.erp.out.glob("*.json") if number.encode() in path.read_bytes()]


# As receiver.


def test_r5_a_message_that_broke_off_is_completed_by_the_rest_of_its_bytes(
    receiving: tuple[Sender, Peer],
) -> None:
    sender, peer = receiving
    message = peer.message(data := large("PO-REST", 5001))
    total = len(message.body)
    first = part(message, "rest-1", 0, 200_000)
    break_off(sender, first, total)
    start = held(sender, "rest-1", over=0)
    assert 100_000 < start <= 200_000
    answer = post(sender.as2, part(message, "rest-1", start))
    told = peer.read(answer)
    assert (told.disposition, told.verified) == ("processed", True)
    (row,) = [one for one in queries.transmissions(sender.home, "in") if one["message_id"] == message.id]
    assert row["sha256"] == hashlib.sha256(data).hexdigest()
    assert post(sender.as2, message).body == answer.body, "the whole at once is the same message"
    until(lambda: erp_has(sender, "PO-REST"))
    assert len(erp_has(sender, "PO-REST")) == 1


@pytest.mark.parametrize("seed", range(4))
def test_r5_however_often_it_breaks_off_the_message_is_what_was_sent(
    receiving: tuple[Sender, Peer], seed: int
) -> None:
    sender, peer = receiving
    chance = random.Random(seed)
    message = peer.message(large(f"PO-CUT-{seed}", 5010 + seed))
    total, name, sent = len(message.body), f"cut-{seed}", 0
    start = 0
    for _ in range(5):
        stop = min(total - 1, start + chance.randrange(1000, total // 4))
        break_off(sender, part(message, name, start, stop), total - start)
        sent += stop - start
        start = held(sender, name, over=start)
    rest = part(message, name, start)
    told = peer.read(post(sender.as2, rest))
    assert (told.disposition, told.verified) == ("processed", True)
    assert sent + len(rest.body) < 2 * total
    until(lambda: erp_has(sender, f"PO-CUT-{seed}"))
    assert len(erp_has(sender, f"PO-CUT-{seed}")) == 1


def test_r5_who_lost_the_receipt_sends_the_last_byte_and_gets_it(receiving: tuple[Sender, Peer]) -> None:
    sender, peer = receiving
    message = peer.message(large("PO-LAST", 5020))
    total = len(message.body)
    first = post(sender.as2, part(message, "last-1", 0))
    assert peer.read(first).disposition == "processed"
    assert held(sender, "last-1") == total
    before = sender.home.store.blobs.path(hashlib.sha256(message.body).hexdigest()).read_bytes()
    again = post(sender.as2, part(message, "last-1", total - 1))
    assert again.body == first.body
    other = part(message, "last-1", total - 1)._replace(body=bytes([message.body[-1] ^ 1]))
    assert post(sender.as2, other).status == 416
    assert sender.home.store.blobs.path(hashlib.sha256(message.body).hexdigest()).read_bytes() == before
    until(lambda: erp_has(sender, "PO-LAST"))
    assert len(erp_has(sender, "PO-LAST")) == 1


def test_r5_nothing_is_told_of_what_is_not_known_or_not_theirs(receiving: tuple[Sender, Peer]) -> None:
    sender, peer = receiving
    message = peer.message(large("PO-MINE", 5021))
    break_off(sender, part(message, "mine-1", 0, 100_000), len(message.body))
    assert held(sender, "mine-1", over=0) > 0
    assert ask(sender, "never") == (200, "0")
    assert ask(sender, "mine-1", as2_from="PLAINMART") == (200, "0")
    assert ask(sender, "mine-1", as2_from="NOBODY") == (200, "0")
    assert ask(sender, "mine-1", as2_to="SOUTHWIND") == (200, "0")
    assert inquire(sender.as2, []) == (200, "0")
    ids = [("AS2-From", "BIGMARTEDI"), ("AS2-To", "NORTHWIND")]
    assert inquire(sender.as2, [*ids, ("ETag", 'W/"mine-1"')]) == (200, "0")
    assert inquire(sender.as2, [*ids, ("ETag", '"mine-1"'), ("ETag", '"x"')]) == (200, "0")
    assert inquire(sender.as2, [*ids, ("ETag", "mine-1")])[1] != "0", "some write it without its quotes"


RANGES = {
    "after what is held": ("bytes 150000-{last}/{total}", 416),
    "not to the end": ("bytes 0-1000/{total}", 416),
    "of another length": ("bytes 10-{last}/{total}", 416),
    "backwards": ("bytes 500-400/{total}", 416),
    "of another whole": ("bytes 100-{last}/999", 416),
    "no range": ("bytes {last}", 400),
    "words": ("all of it", 400),
}


@pytest.mark.parametrize(("text", "code"), RANGES.values(), ids=RANGES)
def test_r5_a_range_that_does_not_join_on_is_refused_with_what_is_held(
    receiving: tuple[Sender, Peer], text: str, code: int
) -> None:
    sender, peer = receiving
    message = peer.message(large("PO-RANGE", 5022))
    total = len(message.body)
    name = f"range-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    break_off(sender, part(message, name, 0, 100_000), total)
    have = held(sender, name, over=0)
    wrong = part(message, name, 150_000, content_range=text.format(last=total - 1, total=total))
    answer = post(sender.as2, wrong)
    assert answer.status == code
    if code == 416:
        assert answer.header("Content-Range") in {f"bytes */{have}", "bytes */0"}
    if text == RANGES["after what is held"][0]:
        assert answer.header("Content-Range") == f"bytes */{have}"
        assert peer.read(post(sender.as2, part(message, name, have))).disposition == "processed"


def test_r5_a_part_without_the_name_of_its_transfer_is_no_message(receiving: tuple[Sender, Peer]) -> None:
    sender, peer = receiving
    message = peer.message(large("PO-NAMELESS", 5023))
    for tag in (None, 'W/"x"', '"' + "x" * 300 + '"'):
        assert post(sender.as2, part(message, "x", 1000, etag=tag)).status == 400
    whole = part(message, "x", 0, etag=None)
    assert peer.read(post(sender.as2, whole)).disposition == "processed"


def test_r5_more_bytes_than_were_said_are_refused_and_leave_nothing(receiving: tuple[Sender, Peer]) -> None:
    sender, peer = receiving
    message = peer.message(large("PO-MORE", 5024))
    total = len(message.body)
    chunked = part(message, "more-1", 0, transfer_encoding="chunked")
    body = b"%x\r\n" % (total + 10) + message.body + b"x" * 10 + b"\r\n0\r\n\r\n"
    assert talk(sender.as2, request(sender.as2, chunked.headers, body)).status == 416
    assert held(sender, "more-1") == 0
    short = b"%x\r\n" % 50_000 + message.body[:50_000] + b"\r\n0\r\n\r\n"
    answer = talk(sender.as2, request(sender.as2, chunked.headers, short))
    assert (answer.status, answer.header("Content-Range")) == (416, "bytes */50000")
    assert peer.read(post(sender.as2, part(message, "more-1", 50_000))).disposition == "processed"


def test_r5_while_a_request_adds_to_a_transfer_another_gets_500(receiving: tuple[Sender, Peer]) -> None:
    sender, peer = receiving
    message = peer.message(large("PO-LOCK", 5025))
    data = request(sender.as2, part(message, "lock-1", 0).headers, message.body)
    where = urlsplit(sender.as2)
    with socket.create_connection((where.hostname or "", where.port or 80), 10) as connection:
        connection.sendall(data[:-1000])
        until(lambda: ask(sender, "lock-1")[0] == 500)
        assert post(sender.as2, part(message, "lock-1", 0)).status == 500
        assert post(sender.as2, part(message, "lock-1", 10)).status == 500
        connection.sendall(data[-1000:])
        assert connection.makefile("rb").readline().startswith(b"HTTP/1.1 200")
    assert held(sender, "lock-1") == len(message.body)


def test_r5_a_stranger_leaves_nothing(receiving: tuple[Sender, Peer]) -> None:
    sender, peer = receiving
    before = sorted(files(sender))
    message = peer.message(large("PO-STRANGE", 5026))
    for changed in ({"as2_from": "NOBODY"}, {"as2_to": "SOUTHWIND"}, {"as2_from": "NORTHWIND"}):
        strange = part(message, "strange-1", 0, 100_000).with_headers(**changed)
        break_off(sender, strange, len(message.body), kept=False)
        assert ask(sender, "strange-1", as2_from=changed.get("as2_from", "BIGMARTEDI")) == (200, "0")
    assert sorted(files(sender)) == before


def test_r5_what_is_kept_for_a_sender_is_bounded_in_bytes_and_number(
    receiving: tuple[Sender, Peer],
) -> None:
    sender, _ = receiving
    company = Company(Path(), "")
    peer = Peer("PLAINMART", company, Path())
    before = set(files(sender))
    message = peer.message(b"x" * 600_000, sign=False, encrypt=False)
    for number in range(6):
        break_off(sender, part(message, f"many-{number}", 0, 500_000), len(message.body))
        held(sender, f"many-{number}", "PLAINMART", over=0)
        mine = set(files(sender)) - before
        assert sum(path.stat().st_size for path in mine) <= SPACE
    assert [held(sender, f"many-{number}", "PLAINMART") > 0 for number in range(6)] == [False] * 3 + [
        True
    ] * 3
    small = peer.message(b"x" * 1000, sign=False, encrypt=False)
    for number in range(MOST + 5):
        break_off(sender, part(small, f"small-{number}", 0, 500), len(small.body))
        held(sender, f"small-{number}", "PLAINMART", over=0)
    assert len(set(files(sender)) - before) == MOST
    huge = peer.message(b"x" * (SPACE + 1), sign=False, encrypt=False)
    break_off(sender, part(huge, "huge", 0, 500_000), len(huge.body), kept=False)
    assert held(sender, "huge", "PLAINMART") == 0
    assert post(sender.as2, part(huge, "huge", 0)).status == 200, "it is taken all the same, in one piece"


def test_r5_what_nobody_goes_on_with_is_forgotten_in_time(receiving: tuple[Sender, Peer]) -> None:
    sender, peer = receiving
    message = peer.message(large("PO-OLD", 5027))
    break_off(sender, part(message, "old-1", 0, 100_000), len(message.body))
    assert held(sender, "old-1", over=0) > 0
    old = [path for path in files(sender) if path.name.startswith(hashlib.sha256(b"old-1").hexdigest())]
    long_ago = time.time() - 86_401
    os.utime(old[0], (long_ago, long_ago))
    assert sender.home.store.partials.sweep(86_400) == 1
    assert held(sender, "old-1") == 0
    answer = post(sender.as2, part(message, "old-1", 100_000))
    assert (answer.status, answer.header("Content-Range")) == (416, "bytes */0")


def test_r5_a_stranger_that_adds_to_a_transfer_harms_it_no_more_than_a_broken_line(
    receiving: tuple[Sender, Peer],
) -> None:
    sender, peer = receiving
    message = peer.message(large("PO-POISON", 5028))
    total = len(message.body)
    break_off(sender, part(message, "poison-1", 0, 100_000), total)
    have = held(sender, "poison-1", over=0)
    poison = part(message, "poison-1", have)._replace(body=bytes(total - have))
    break_off(sender, poison._replace(body=poison.body[:50_000]), total - have)
    start = held(sender, "poison-1", over=have)
    answer = post(sender.as2, part(message, "poison-1", start))
    assert answer.status == 503, "no receipt, which would be final"
    assert held(sender, "poison-1") == 0
    assert peer.read(post(sender.as2, part(message, "poison-1", 0))).disposition == "processed"
    until(lambda: erp_has(sender, "PO-POISON"))


def test_r5_b05_what_cannot_be_decrypted_counts_however_it_came(tmp_path: Path, company: Company) -> None:
    home = home_of(tmp_path, company, partner("bigmart", "BIGMARTEDI", BIGMART))
    peer = Peer("BIGMARTEDI", company, home / "certs" / "us.crt")
    message = peer.message(b"x")
    spoiled = message._replace(body=message.body[:-20] + bytes(20))
    total = len(spoiled.body)
    codes = []
    with sending(home) as sender:
        for number in range(UNREADABLE_AN_HOUR + 1):
            break_off(sender, part(spoiled, f"bad-{number}", 0, total - 1), total)
            held(sender, f"bad-{number}", over=0)
            codes.append(post(sender.as2, part(spoiled, f"bad-{number}", total - 1)).status)
    assert codes == [503] * UNREADABLE_AN_HOUR + [429]


def test_r5_other_content_under_a_known_id_is_refused_however_it_came(
    receiving: tuple[Sender, Peer],
) -> None:
    sender, peer = receiving
    message = peer.message(large("PO-FIRST", 5029))
    assert peer.read(post(sender.as2, part(message, "first-1", 0))).disposition == "processed"
    other = peer.message(large("PO-SECOND", 5030), message_id=message.id)
    break_off(sender, part(other, "second-1", 0, 100_000), len(other.body))
    start = held(sender, "second-1", over=0)
    assert post(sender.as2, part(other, "second-1", start)).status == 503
    told = peer.read(post(sender.as2, part(other, "second-1", 0)))
    assert told.disposition == "processed/error: unexpected-processing-error"
    assert erp_has(sender, "PO-SECOND") == []


def test_r5_what_head_tells_outlives_kill_9(tmp_path: Path, company: Company) -> None:
    gateway = made(tmp_path, partner("bigmart", "BIGMARTEDI", BIGMART))
    shutil.copy(company.cert, gateway.home / "certs" / "bigmart.crt")
    peer = Peer("BIGMARTEDI", company, gateway.home / "certs" / "us.crt")
    message = peer.message(large("PO-KILL", 5031, 2_000_000))
    total = len(message.body)
    ids = [("AS2-From", "BIGMARTEDI"), ("AS2-To", "NORTHWIND"), ("ETag", '"kill-1"')]
    gateway.start()
    assert gateway.process is not None
    where = urlsplit(gateway.as2)
    headers = part(message, "kill-1", 0).headers
    data = request(gateway.as2, headers, message.body)
    with socket.create_connection((where.hostname or "", where.port or 80), 10) as connection:
        connection.sendall(data[: total // 2])
        folder = gateway.home / "data" / "blobs" / "partial"
        until(lambda: [path for path in folder.rglob("*-*") if path.stat().st_size > total // 4])
        gateway.process.kill()
        gateway.process.wait()
    assert gateway.process.stdout is not None
    gateway.process.stdout.close()
    with running(gateway):
        code, length = inquire(gateway.as2, ids)
        assert code == 200
        start = int(length or 0)
        assert total // 4 < start <= total // 2
        told = peer.read(post(gateway.as2, part(message, "kill-1", start)))
        assert (told.disposition, told.verified) == ("processed", True)
        until(lambda: gateway.erp_has("PO-KILL"))


def test_r5_without_space_for_it_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with Store.open(tmp_path / "data" / "a.db", blobs=tmp_path / "blobs") as store:
        writer = store.partials.writer("a", "1", start=0, total=100, space=99)
        writer.write(b"x" * 50)
        writer.abort()
        assert store.partials.held("a", "1") == 0
        with pytest.raises(PartialRange):
            store.partials.writer("a", "1", start=10, total=100, space=99)
        keeping = store.partials.writer("a", "1", start=0, total=100, space=100)
        with pytest.raises(PartialLocked):
            store.partials.held("a", "1")
        beside = store.partials.writer("a", "2", start=0, total=100, space=100)  # no room: what runs stays
        beside.write(b"y")
        beside.abort()
        assert store.partials.held("a", "2") == 0
        keeping.abort()
        assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


class Closing:
    """A file that has something done the moment after it was closed, and its lock with it."""

    def __init__(self, file: Any, then: Callable[[], None]) -> None:
        self.file = file
        self.then = then

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def close(self) -> None:
        if not self.file.closed:
            self.file.close()
            self.then()


@pytest.mark.parametrize("sent", [b"", b"x" * 101], ids=["nothing came", "too much came"])
def test_r5_a_transfer_that_is_forgotten_takes_none_with_it_that_begins_at_that_moment(
    tmp_path: Path, sent: bytes
) -> None:
    (tmp_path / "data").mkdir()
    with Store.open(tmp_path / "data" / "a.db", blobs=tmp_path / "blobs") as store:

        def begin() -> Any:
            return store.partials.writer("a", "1", start=0, total=100, space=100)

        first, second = begin(), []
        first._file = Closing(first._file, lambda: second.append(begin()))
        with suppress(PartialRange):
            first.write(sent)
        first.abort()
        second[0].write(b"y" * 100)
        assert second[0].commit().size == 100
        second[0].abort()


# As sender.


class Wire:
    """A line between two on loopback that breaks as it is told: each POST has its fault, or none.

    Of HEADs the first is lost where `loses_head`. A number is the bytes of the request after which both ends
    are closed; "answer" and "half the answer" are lost on their way back, and "stall" is a line that carries
    no more and does not break.
    """

    def __init__(self, target: str, faults: list[int | str | None], *, loses_head: bool) -> None:
        where = urlsplit(target)
        self._target = where.hostname or "", where.port or 80
        self._faults = faults
        self._heads: list[int | str | None] = [0] if loses_head else []
        self.carried: list[int] = []
        self.stalled = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}/as2"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection, socket.create_connection(self._target, 10) as onward:
                connection.settimeout(10)
                faults = self._heads if connection.recv(4, socket.MSG_PEEK) == b"HEAD" else self._faults
                fault = faults.pop(0) if faults else None
                self.carried.append(self._carry(connection, onward, fault))

    def _carry(self, near: socket.socket, far: socket.socket, fault: int | str | None) -> int:
        """Carry one exchange; how many bytes of it went onward."""
        near.settimeout(0.02)
        far.settimeout(0.02)
        onward = 0
        while fault is None or isinstance(fault, str) or onward < fault:
            most = 65536 if not isinstance(fault, int) else min(65536, fault - onward)
            try:
                data = near.recv(most)
            except TimeoutError:
                data = None
            except ConnectionError:
                return onward
            if data == b"":
                return onward
            if data and fault == "stall" and onward > 500_000:
                self.stalled.set()
                continue  # what comes is lost, until whoever sends it is gone
            if data:
                far.settimeout(10)
                far.sendall(data)
                far.settimeout(0.02)
                onward += len(data)
                continue
            try:
                back = far.recv(65536)
            except TimeoutError:
                continue
            if fault == "answer" or not back:
                return onward
            near.settimeout(10)
            if fault == "half the answer":
                near.sendall(back[: len(back) // 2])
                return onward
            near.sendall(back)
            near.settimeout(0.02)
        return onward

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)


RESTART = ("restart = true", "restart_above = 100000", AT_ONCE.replace("8", "30"))


@contextmanager
def two_gateways(
    folder: Path, faults: list[int | str | None], *, loses_head: bool = False
) -> Iterator[tuple[Sender, Sender, Wire]]:
    """One that sends, one that receives, each the other's partner, and the wire between them."""
    with (
        two_homes(folder, faults, loses_head=loses_head) as (root, them, wire),
        sending(root, listen=False) as us,
    ):
        yield us, them, wire


@contextmanager
def two_homes(
    folder: Path, faults: list[int | str | None], *, loses_head: bool = False
) -> Iterator[tuple[Path, Sender, Wire]]:
    """The same, and the one that sends does not run yet."""
    receiver = made(folder / "them", partner("northwind", "NORTHWIND", ("ZZ", "NORTHWIND")))
    text = (receiver.home / "partners.toml").read_text()
    text = text.replace('as2_id = "NORTHWIND"', 'as2_id = "BIGMARTEDI"')
    text = text.replace(
        'isa = { qualifier = "ZZ", id = "NORTHWIND" }', 'isa = { qualifier = "ZZ", id = "BIGMART" }', 1
    )
    (receiver.home / "partners.toml").write_text(text)
    sender = made(folder / "us")
    shutil.copy(sender.home / "certs" / "us.crt", receiver.home / "certs" / "northwind.crt")
    shutil.copy(receiver.home / "certs" / "us.crt", sender.home / "certs" / "bigmart.crt")
    with sending(receiver.home) as them:
        wire = Wire(them.as2, faults, loses_head=loses_head)
        file = sender.home / "partners.toml"
        file.write_text(file.read_text() + relation("bigmart", "BIGMARTEDI", wire.url, more=RESTART))
        try:
            yield sender.home, them, wire
        finally:
            wire.close()


@pytest.mark.parametrize("seed", range(3))
def test_r5_g06_a_message_over_a_bad_line_arrives_once_and_no_byte_much_oftener(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    payload = chance.randbytes(3_000_000)
    cuts = [chance.randrange(200_000, 700_000) for _ in range(4)]
    monkeypatch.setattr(web, "LOCKED_S", 15.0)  # however slow this machine is, the request before ends
    with two_gateways(tmp_path, [*cuts, "answer"], loses_head=True) as (us, them, wire):
        identity = us.send(payload, "large.bin")
        row = us.comes_to(identity, "delivered", "failed", timeout_s=30)
        assert (row.status, row.mic_match, row.receipt_signed) == ("delivered", 1, 1)
        (arrived,) = queries.transmissions(them.home, "in")
        assert arrived["sha256"] == hashlib.sha256(payload).hexdigest()
        assert arrived["message_id"] == row.message_id
        restarts = [text for name, text in us.events(identity) if name == "restarted"]
    assert len(restarts) == 5
    total = len(payload)
    assert restarts[-1].endswith(f"at byte {row_total(restarts) - 1} of {row_total(restarts)}")
    assert total < sum(wire.carried) < total + 5 * 150_000


@pytest.mark.parametrize("fault", ["answer", "half the answer"])
def test_r1_r3_g06_a_receipt_lost_on_its_way_is_given_again_and_the_message_delivered_once(
    tmp_path: Path, fault: str
) -> None:
    with two_gateways(tmp_path, [fault, fault]) as (us, them, wire):
        identity = us.send(b"not EDI, and sent as it is" * 100, "small.txt")
        row = us.comes_to(identity, "delivered", "failed")
        assert (row.status, row.mic_match) == ("delivered", 1)
        (arrived,) = queries.transmissions(them.home, "in")
        assert arrived["message_id"] == row.message_id
        with them.home.store.read() as conn:
            repeats = conn.execute(select(event.c.id).where(event.c.name == "duplicate")).all()
        assert len(repeats) == 2
    assert len(wire.carried) == 3


def row_total(restarts: list[str]) -> int:
    """The bytes of the whole, as the timeline says."""
    return int(restarts[-1].rpartition(" ")[2])


def test_r5_a_sender_that_died_while_it_sent_goes_on_from_there(tmp_path: Path) -> None:
    payload = random.Random(4).randbytes(2_000_000)
    with two_homes(tmp_path, ["stall"]) as (root, them, wire):
        (tmp_path / "large.bin").write_bytes(payload)
        gateway = Gateway(root)
        identity = gateway.must("send", "bigmart", tmp_path / "large.bin", "--json").json["transmission"]
        gateway.start()
        assert gateway.process is not None
        assert gateway.process.stdout is not None
        assert wire.stalled.wait(20)
        gateway.process.kill()
        gateway.process.wait()
        gateway.process.stdout.close()
        with running(gateway):
            until(lambda: gateway.show(identity)["status"] == "delivered")
        (arrived,) = queries.transmissions(them.home, "in")
        assert arrived["sha256"] == hashlib.sha256(payload).hexdigest()
        assert "restarted" in [event["event"] for event in gateway.show(identity)["events"]]
    assert sum(wire.carried) < len(payload) + 300_000


@pytest.mark.parametrize("code", [500, 0], ids=["it says 500", "it hangs up"])
def test_r5_a_partner_that_does_not_tell_what_it_has_is_asked_again_and_then_gets_all_of_it(
    tmp_path: Path, company: Company, code: int
) -> None:
    with endpoint(script := Script([status(503)])) as url:
        home = home_of(tmp_path, company, relation("bigmart", "BIGMARTEDI", url.url, more=RESTART))
        script.answers.append(receipt(Peer("BIGMARTEDI", company, home / "certs" / "us.crt")))
        url.head = Answer(code, [], b"")
        with sending(home, listen=False) as sender:
            row = sender.comes_to(sender.send(random.Random(5).randbytes(200_000)), "delivered", "failed")
    assert row.status == "delivered"
    assert url.asked == 2, "what is locked, or a line that broke, may be over a moment later"
    assert len(script.seen) == 2, "some answer so to every HEAD, and get all of it in the end"


def test_r5_a_partner_that_knows_no_restart_gets_all_of_it_again(tmp_path: Path, company: Company) -> None:
    script = Script([status(503)])
    with endpoint(script) as url:
        table = relation("bigmart", "BIGMARTEDI", url.url, more=RESTART)
        home = home_of(tmp_path, company, table)
        script.answers.append(receipt(Peer("BIGMARTEDI", company, home / "certs" / "us.crt")))
        with sending(home, listen=False) as sender:
            row = sender.comes_to(sender.send(random.Random(1).randbytes(200_000)), "delivered", "failed")
    assert (row.status, row.mic_match) == ("delivered", 1)
    (first, whole), (second, again) = script.seen
    assert first == second
    assert whole == again
    total = len(whole)
    assert header(first, "Content-Range") == f"bytes 0-{total - 1}/{total}"
    assert header(first, "ETag") == header(second, "ETag")


def test_r5_a_partner_says_by_416_from_where_to_go_on(tmp_path: Path, company: Company) -> None:
    whole: list[bytes] = []
    script = Script()
    with endpoint(script) as url:
        home = home_of(tmp_path, company, relation("bigmart", "BIGMARTEDI", url.url, more=RESTART))
        peer = Peer("BIGMARTEDI", company, home / "certs" / "us.crt")

        def out_of_range(_headers: Headers, body: bytes) -> Answer:
            whole.append(body)
            return Answer(416, [("Content-Range", "bytes */150000")], b"")

        def rest(headers: Headers, body: bytes) -> Answer:
            message = peer.receipt_for(headers, whole[0][:150_000] + body)
            return Answer(200, message.headers, message.body)

        script.answers = [out_of_range, rest]
        with sending(home, listen=False) as sender:
            row = sender.comes_to(sender.send(random.Random(2).randbytes(200_000)), "delivered", "failed")
    assert (row.status, row.mic_match) == ("delivered", 1)
    total = len(whole[0])
    assert header(script.seen[1][0], "Content-Range") == f"bytes 150000-{total - 1}/{total}"
    assert script.seen[1][1] == whole[0][150_000:]


@pytest.mark.parametrize(
    ("size", "more"), [(50_000, RESTART), (200_000, RESTART[2:])], ids=["small", "not agreed"]
)
def test_r5_what_is_small_or_not_agreed_is_sent_as_ever(
    tmp_path: Path, company: Company, size: int, more: tuple[str, ...]
) -> None:
    script = Script()
    with endpoint(script) as url:
        home = home_of(tmp_path, company, relation("bigmart", "BIGMARTEDI", url.url, more=more))
        script.answers = [status(503), receipt(Peer("BIGMARTEDI", company, home / "certs" / "us.crt"))]
        with sending(home, listen=False) as sender:
            row = sender.comes_to(sender.send(random.Random(3).randbytes(size)), "delivered", "failed")
    assert row.status == "delivered"
    assert script.seen[0] == script.seen[1]
    assert not {"etag", "content-range"} & {name.lower() for name, _ in script.seen[0][0]}


def test_r5_transfers_of_the_same_content_have_names_of_their_own(tmp_path: Path, company: Company) -> None:
    script = Script()
    with endpoint(script) as url:
        home = home_of(tmp_path, company, relation("bigmart", "BIGMARTEDI", url.url, more=RESTART))
        script.answers = [receipt(Peer("BIGMARTEDI", company, home / "certs" / "us.crt"))]
        with sending(home, listen=False) as sender:
            for _ in range(2):
                sender.comes_to(sender.send(b"x" * 200_000), "delivered")
    names = [header(headers, "ETag") for headers, _ in script.seen]
    assert len(set(names)) == 2
    assert all(name.startswith('"') and len(name) > 40 for name in names)
