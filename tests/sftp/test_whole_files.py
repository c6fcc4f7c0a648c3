"""A file is told of when its writer has closed it and it is on disk, and never otherwise."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import paramiko
import pytest
from sftp_peer import Peer, Raw, eventually, need

from sftp.events import Downloaded, LoggedOut, Partial, Refused, Removed, StorageFailed, Uploaded, Uploading
from sftp.wire import Code, Op, Open

DATA = os.urandom(400_000)


class Cut:
    """A proxy that lets `count` bytes of the client through and then cuts both sides."""

    def __init__(self, port: int, count: int, reset: bool) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._run, args=(port, count, reset), daemon=True)
        self.thread.start()

    def _run(self, port: int, count: int, reset: bool) -> None:
        client, _ = self.listener.accept()
        server = socket.create_connection(("127.0.0.1", port))
        back = threading.Thread(target=self._copy, args=(server, client), daemon=True)
        back.start()
        left = count
        while left > 0 and (data := client.recv(min(left, 65536))):
            server.sendall(data)
            left -= len(data)
        if reset:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        for sock in (server, client):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        self.listener.close()
        back.join()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)


def test_a_connection_cut_anywhere_never_makes_a_whole_file(peer: Peer) -> None:
    """What the client was told is what happened: OK means whole and recorded, anything less means neither."""
    seed = random.randrange(1 << 30)
    points = random.Random(seed)
    for round_number in range(30):
        proxy = Cut(peer.port, points.randrange(2_000, len(DATA) + 5_000), reset=points.random() < 0.5)
        name = f"in/{round_number}.edi"
        closed_ok = False
        transport = paramiko.Transport(("127.0.0.1", proxy.port))
        try:
            transport.start_client(timeout=15)
            transport.auth_publickey("acme", paramiko.PKey.from_path(peer.keys.acme))
            raw = Raw(transport)
            handle = raw.open(name.encode(), Open.WRITE | Open.CREAT | Open.TRUNC)
            for at in range(0, len(DATA), 32_000):
                chunk = DATA[at : at + 32_000]
                raw.status(Op.WRITE, handle, 0, at, chunk)
            closed_ok = raw.status(Op.CLOSE, handle) == Code.OK
        except (OSError, EOFError, paramiko.SSHException):
            closed_ok = False
        transport.close()
        proxy.thread.join(10)
        eventually(lambda: not peer.server.sessions(), "the session ends")
        whole = name in peer.ledger.paths(Uploaded)
        assert whole or not closed_ok, f"seed {seed}: acknowledged and not recorded"
        assert (peer.root / name).exists() == whole, f"seed {seed}"
        if whole:
            assert (peer.root / name).read_bytes() == DATA, f"seed {seed}"
    assert peer.ledger.of(Partial), "no cut hit an open file"


@pytest.mark.external("sftp")
def test_a_client_killed_while_writing_leaves_a_partial_file_that_can_be_resumed(
    peer: Peer, tmp_path: Path
) -> None:
    fifo, source = tmp_path / "fifo", tmp_path / "ORDER.edi"
    source.write_bytes(DATA)
    os.mkfifo(fifo)
    command = [need("sftp"), "-b", "-", "-P", str(peer.port), *peer.ssh_options(), "acme@127.0.0.1"]
    batch = tmp_path / "batch"
    batch.write_text(f"put {tmp_path}/big in/ORDER.edi\n")
    with (tmp_path / "big").open("wb") as big:
        big.write(DATA)
        big.truncate(200_000_000)
    with batch.open() as commands:
        client = subprocess.Popen(
            [*command, "-l", "1"] if False else command, stdin=commands, stderr=subprocess.DEVNULL
        )
    eventually(lambda: (peer.root / "partial" / "ORDER.edi").exists(), "the upload begins")
    client.send_signal(signal.SIGKILL)
    client.wait(10)

    eventually(lambda: peer.ledger.of(Partial), "the partial file is told of")
    assert peer.ledger.paths(Partial) == ["in/ORDER.edi"]
    assert peer.ledger.of(Uploaded) == []
    assert list(peer.inbox.iterdir()) == []
    assert "ORDER.edi" in peer.client().listdir("in")


def test_a_session_that_ends_politely_with_a_file_open_leaves_it_partial(peer: Peer) -> None:
    raw = Raw(peer.transport())
    handle = raw.open(b"in/ORDER.edi", Open.WRITE | Open.CREAT)
    raw.status(Op.WRITE, handle, 0, 0, b"ISA")
    raw.channel.shutdown_write()

    eventually(lambda: peer.ledger.of(LoggedOut), "the session ends")
    assert peer.ledger.of(Partial)[0].size == 3
    assert peer.ledger.of(Uploaded) == []
    assert raw.channel.recv_exit_status() == 0


def test_a_temporary_name_is_told_of_when_it_becomes_final(peer: Peer) -> None:
    raw = Raw(peer.transport())
    for temporary in (b"in/O.edi.filepart", b"in/.O.edi", b"in/O.EDI.TMP", b"in/O.edi~", b"in/O.uploading"):
        assert raw.status(Op.CLOSE, raw.open(temporary, Open.WRITE | Open.CREAT)) == Code.OK
        assert peer.ledger.of(Uploaded) == []
        assert raw.status(Op.RENAME, temporary, b"in/O.edi") == Code.OK
        assert [event.renamed_from for event in peer.ledger.of(Uploaded)] == [temporary.decode()]
        assert raw.status(Op.REMOVE, b"in/O.edi") == Code.OK
        peer.ledger.events.clear()


def test_an_account_has_temporary_names_and_folder_names_of_its_own(peer: Peer) -> None:
    peer.change(temporary=("*.wip",), inbox="orders", outbox="pickup")
    raw = Raw(peer.transport())
    (peer.outbox / "940.edi").write_bytes(b"ISA")

    assert raw.status(Op.CLOSE, raw.open(b"orders/O.WIP", Open.WRITE | Open.CREAT)) == Code.OK
    assert peer.ledger.of(Uploaded) == []
    assert raw.status(Op.RENAME, b"orders/O.WIP", b"orders/O.tmp") == Code.OK
    assert raw.status(Op.STAT, b"in/O.tmp") == Code.NO_SUCH_FILE
    assert raw.status(Op.CLOSE, raw.open(b"/pickup/940.edi", Open.READ)) == Code.OK
    assert peer.client().listdir("/") == ["orders", "pickup"]
    assert peer.client().listdir("/orders") == ["O.tmp"]
    assert peer.ledger.paths(Uploaded) == ["in/O.tmp"]
    assert peer.ledger.paths(Downloaded) == ["out/940.edi"]


def test_a_whole_file_renamed_to_a_temporary_name_is_withdrawn(peer: Peer) -> None:
    raw = Raw(peer.transport())
    raw.status(Op.CLOSE, raw.open(b"in/O.edi", Open.WRITE | Open.CREAT))
    assert raw.status(Op.RENAME, b"in/O.edi", b"in/O.tmp") == Code.OK
    assert [(event.path, event.renamed_to) for event in peer.ledger.of(Removed)] == [("in/O.edi", "in/O.tmp")]


def test_a_partial_file_stays_partial_under_any_name(peer: Peer) -> None:
    (peer.root / "partial" / "O.tmp").write_bytes(b"ISA")
    raw = Raw(peer.transport())

    assert raw.status(Op.RENAME, b"in/O.tmp", b"in/O.edi") == Code.OK

    assert peer.ledger.of(Uploaded) == []
    assert list(peer.inbox.iterdir()) == []
    assert raw.status(Op.STAT, b"in/O.edi") == Code.OK


def test_a_file_renamed_while_it_is_open_is_told_of_under_its_new_name(peer: Peer) -> None:
    raw = Raw(peer.transport())
    handle = raw.open(b"in/O.tmp", Open.WRITE | Open.CREAT)
    assert raw.status(Op.RENAME, b"in/O.tmp", b"in/O.edi") == Code.OK
    assert raw.status(Op.CLOSE, handle) == Code.OK
    assert peer.ledger.paths(Uploaded) == ["in/O.edi"]


def test_a_file_removed_while_it_is_open_is_gone(peer: Peer) -> None:
    raw = Raw(peer.transport())
    handle = raw.open(b"in/O.edi", Open.WRITE | Open.CREAT)
    assert raw.status(Op.REMOVE, b"in/O.edi") == Code.OK
    assert raw.status(Op.CLOSE, handle) == Code.OK
    assert peer.ledger.of(Uploaded) == []
    assert list(peer.inbox.iterdir()) == []


def test_rename_refuses_a_taken_name_and_posix_rename_replaces_it(peer: Peer) -> None:
    client = peer.client()
    for name in ("a", "b"):
        with client.open(f"in/{name}", "wb") as file:
            file.write(name.encode())

    with pytest.raises(OSError, match="exists"):
        client.rename("in/a", "in/b")
    client.posix_rename("in/a", "in/b")

    assert (peer.inbox / "b").read_bytes() == b"a"
    assert not (peer.inbox / "a").exists()
    assert peer.ledger.paths(Uploaded) == ["in/a", "in/b", "in/b"]


def test_opening_a_whole_file_again_takes_it_back_until_it_is_closed_again(peer: Peer) -> None:
    raw = Raw(peer.transport())
    raw.status(Op.CLOSE, raw.open(b"in/O.edi", Open.WRITE | Open.CREAT))
    assert (peer.inbox / "O.edi").exists()

    handle = raw.open(b"in/O.edi", Open.WRITE | Open.TRUNC)
    raw.status(Op.WRITE, handle, 0, 0, b"new")
    assert not (peer.inbox / "O.edi").exists()
    assert raw.status(Op.STAT, b"in/O.edi") == Code.OK
    raw.status(Op.CLOSE, handle)

    assert (peer.inbox / "O.edi").read_bytes() == b"new"
    assert peer.ledger.paths(Uploaded) == ["in/O.edi", "in/O.edi"]


def test_a_whole_file_that_was_only_opened_stays_whole_when_the_session_dies(peer: Peer) -> None:
    transport = peer.transport()
    raw = Raw(transport)
    handle = raw.open(b"in/O.edi", Open.WRITE | Open.CREAT)
    raw.status(Op.WRITE, handle, 0, 0, b"ISA")
    raw.status(Op.CLOSE, handle)

    raw.open(b"in/O.edi", Open.WRITE)
    transport.close()

    eventually(lambda: peer.ledger.of(LoggedOut), "the session ends")
    assert (peer.inbox / "O.edi").read_bytes() == b"ISA"
    assert peer.ledger.of(Partial) == []


def test_the_last_to_open_a_name_has_it(peer: Peer) -> None:
    """A client whose connection froze comes back with a new one; the old one must not write any more."""
    old, new = Raw(peer.transport()), Raw(peer.transport())
    stale = old.open(b"in/O.edi", Open.WRITE | Open.CREAT)
    old.status(Op.WRITE, stale, 0, 0, b"0123456789")
    fresh = new.open(b"in/O.edi", Open.WRITE | Open.CREAT | Open.TRUNC)

    assert old.status(Op.WRITE, stale, 0, 5, b"stale") == Code.FAILURE
    assert new.status(Op.WRITE, fresh, 0, 0, b"fresh") == Code.OK
    assert old.status(Op.CLOSE, stale) == Code.FAILURE
    assert peer.ledger.of(Uploaded) == []
    assert new.status(Op.CLOSE, fresh) == Code.OK
    assert (peer.inbox / "O.edi").read_bytes() == b"fresh"


def test_a_size_set_by_name_makes_a_new_whole_file(peer: Peer) -> None:
    client = peer.client()
    with client.open("in/O.edi", "wb") as file:
        file.write(b"ISA*IEA*")
    client.truncate("in/O.edi", 4)

    assert (peer.inbox / "O.edi").read_bytes() == b"ISA*"
    assert [event.size for event in peer.ledger.of(Uploaded)] == [8, 4]


def test_a_size_set_by_name_leaves_a_partial_file_partial(peer: Peer) -> None:
    (peer.root / "partial" / "O.edi").write_bytes(b"ISA*half")
    peer.client().truncate("in/O.edi", 4)

    assert (peer.root / "partial" / "O.edi").read_bytes() == b"ISA*"
    assert peer.ledger.of(Uploaded) == []


def test_a_size_set_by_name_while_the_file_is_open_leaves_it_open(peer: Peer) -> None:
    client = peer.client()
    with client.open("in/O.edi", "wb") as file:
        file.write(b"ISA*half")
        client.truncate("in/O.edi", 4)
        file.seek(4)
        file.write(b"IEA*")

    assert (peer.inbox / "O.edi").read_bytes() == b"ISA*IEA*"
    assert len(peer.ledger.of(Uploaded)) == 1


def test_times_modes_and_owners_set_by_name_are_answered_ok_and_change_no_content(peer: Peer) -> None:
    client = peer.client()
    with client.open("in/O.edi", "wb") as file:
        file.write(b"ISA")
    client.utime("in/O.edi", (1_600_000_000, 1_600_000_000))
    client.chmod("in/O.edi", 0o6777)
    client.chown("in/O.edi", 0, 0)

    attributes = (peer.inbox / "O.edi").stat()
    assert (peer.inbox / "O.edi").read_bytes() == b"ISA"
    assert (attributes.st_mode & 0o7777, attributes.st_mtime) == (0o600, 1_600_000_000)
    assert len(peer.ledger.of(Uploaded)) == 1


@pytest.mark.external("sftp")
def test_nothing_is_acknowledged_that_the_journal_did_not_store(peer: Peer, tmp_path: Path) -> None:
    source = tmp_path / "O.edi"
    source.write_bytes(DATA)
    peer.ledger.refuse[Uploaded] = RuntimeError("the database is away")

    printed = peer.sftp(f"put {source} in/O.edi", check=False)

    assert "ailure" in printed
    assert list(peer.inbox.iterdir()) == []
    assert (peer.root / "partial" / "O.edi").read_bytes() == DATA
    peer.ledger.refuse.clear()
    peer.sftp(f"put {source} in/O.edi")
    assert (peer.inbox / "O.edi").read_bytes() == DATA


def test_a_journal_that_cannot_take_files_is_asked_before_the_first_byte(peer: Peer) -> None:
    peer.ledger.refuse[Uploading] = Refused("closed for maintenance")

    with pytest.raises(OSError, match="closed for maintenance"):
        peer.client().open("in/O.edi", "wb")
    assert list((peer.root / "partial").iterdir()) == []


@pytest.mark.parametrize("call", ["fsync", "rename", "pwrite"])
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_a_failing_disk_is_a_failure_and_told_of(
    peer: Peer, monkeypatch: pytest.MonkeyPatch, call: str, error: int
) -> None:
    """The system call itself is made to fail: a real disk cannot be broken on demand."""
    raw = Raw(peer.transport())
    handle = raw.open(b"in/O.edi", Open.WRITE | Open.CREAT)

    def fail(*_args: object, **_named: object) -> None:
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        codes = [raw.status(Op.WRITE, handle, 0, 0, b"ISA"), raw.status(Op.CLOSE, handle)]

    assert Code.FAILURE in codes
    assert peer.ledger.paths(StorageFailed) == ["in/O.edi"]
    if call != "pwrite":
        assert peer.ledger.of(Uploaded) == []
        assert list(peer.inbox.iterdir()) == []
    handle = raw.open(b"in/O.edi", Open.WRITE | Open.CREAT | Open.TRUNC)
    assert raw.status(Op.CLOSE, handle) == Code.OK


def test_a_full_disk_refuses_files_before_they_are_begun(start_peer: Callable[..., Peer]) -> None:
    peer = start_peer(min_free=1.0)
    with pytest.raises(OSError, match="disk is full"):
        peer.client().open("in/O.edi", "wb")


def test_a_quota_bounds_one_file_and_all_files(peer: Peer) -> None:
    peer.change(quota_bytes=100_000)
    raw = Raw(peer.transport())
    handle = raw.open(b"in/a", Open.WRITE | Open.CREAT)
    assert raw.status(Op.WRITE, handle, 0, 0, b"x" * 60_000) == Code.OK
    assert raw.status(Op.WRITE, handle, 0, 60_000, b"x" * 60_000) == Code.FAILURE
    assert raw.status(Op.CLOSE, handle) == Code.OK
    handle = raw.open(b"in/b", Open.WRITE | Open.CREAT)
    assert raw.status(Op.WRITE, handle, 0, 0, b"x" * 60_000) == Code.FAILURE
    assert raw.status(Op.WRITE, handle, 0, 0, b"x" * 30_000) == Code.OK
    assert raw.status(Op.WRITE, handle, 0, 5_000_000, b"x") == Code.FAILURE


def test_a_file_beyond_the_largest_size_is_refused(start_peer: Callable[..., Peer]) -> None:
    raw = Raw(start_peer(max_file_bytes=1000).transport())
    handle = raw.open(b"in/a", Open.WRITE | Open.CREAT)
    assert raw.status(Op.WRITE, handle, 0, 0, b"x" * 1000) == Code.OK
    assert raw.status(Op.WRITE, handle, 0, 1000, b"x") == Code.FAILURE


def test_a_pickup_read_to_its_end_is_complete_and_one_cut_short_is_not(peer: Peer, tmp_path: Path) -> None:
    client = peer.client()
    (peer.outbox / "940.edi").write_bytes(DATA)
    (peer.outbox / ".hidden.tmp").write_bytes(b"unfinished")

    with client.open("out/940.edi", "rb") as file:
        assert file.read(100_000) == DATA[:100_000]
    client.get("out/940.edi", tmp_path / "940.edi")
    assert client.listdir("out") == ["940.edi"]
    client.remove("out/940.edi")

    short, full = peer.ledger.of(Downloaded)
    assert not short.complete
    assert (short.start, short.end >= 100_000, short.end < len(DATA)) == (0, True, True)
    assert full.complete
    assert peer.ledger.paths(Removed) == ["out/940.edi"]
    assert (tmp_path / "940.edi").read_bytes() == DATA


def test_a_pickup_resumed_from_the_middle_says_from_where(peer: Peer) -> None:
    client = peer.client()
    (peer.outbox / "940.edi").write_bytes(DATA)
    with client.open("out/940.edi", "rb") as file:
        file.seek(300_000)
        assert file.read() == DATA[300_000:]

    (event,) = peer.ledger.of(Downloaded)
    assert (event.start, event.end, event.size, event.complete) == (300_000, 400_000, 400_000, False)


def test_a_pickup_whose_connection_dies_is_told_of_as_incomplete(peer: Peer) -> None:
    (peer.outbox / "940.edi").write_bytes(DATA)
    transport = peer.transport()
    raw = Raw(transport)
    raw.open(b"out/940.edi", Open.READ)
    transport.close()

    eventually(lambda: peer.ledger.of(Downloaded), "the end is told")
    assert not peer.ledger.of(Downloaded)[0].complete


def test_a_stopping_server_lets_an_upload_finish(peer: Peer) -> None:
    raw = Raw(peer.transport())
    handle = raw.open(b"in/O.edi", Open.WRITE | Open.CREAT)
    stopping = threading.Thread(target=peer.server.stop, args=(20,))
    stopping.start()
    assert raw.status(Op.WRITE, handle, 0, 0, b"ISA") == Code.OK
    assert raw.status(Op.CLOSE, handle) == Code.OK
    stopping.join(10)
    assert not stopping.is_alive()
    assert (peer.inbox / "O.edi").read_bytes() == b"ISA"
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", peer.port), timeout=1)


def observed(name: str, call: Callable, order: list) -> Callable:
    def observe_and_call(*args: object, **named: object) -> object:
        order.append(name)
        return call(*args, **named)

    return observe_and_call


def test_files_are_on_disk_before_they_are_told_of(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of the system calls is observed; none is replaced."""
    raw = Raw(peer.transport())
    handle = raw.open(b"in/O.edi", Open.WRITE | Open.CREAT)
    order: list = peer.ledger.events
    order.clear()
    for name in ("fsync", "rename"):
        monkeypatch.setattr(os, name, observed(name, getattr(os, name), order))

    assert raw.status(Op.CLOSE, handle) == Code.OK
    assert order[:3] == ["fsync", "rename", "fsync"]
    assert type(order[3]) is Uploaded
