"""A partner reaches the files of its own two folders and nothing else, whatever it writes as a path."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from sftp_peer import Peer, Raw

from sftp.events import Uploaded
from sftp.wire import Code, Op, Open

SECRET = b"SECRET"

OUTSIDE = [
    b"../secret", b"/../secret", b"in/../../secret", b"/in/../../../secret", b"../acme/../secret",
    b"..//secret", b"../globex/in/theirs", b"/../globex/in/theirs", b"../globex", b"in/../../globex",
    b"../acme2/x", b"/etc/passwd", b"//etc/passwd", b"/etc/../etc/passwd", b"in//../..//etc/passwd",
    b"/proc/self/environ", b"partial/theirs", b"/partial/x", b"work/x", b"/work/x/y", b"in/sub/x",
    b"in/theirs/x", b"in/theirs/..x", b"in/sub/../sub/x", b"out/sub/x", b"~/x/y", b"%2e%2e/secret",
    b"..\\secret\\x/y", b"C:\\secret/x/y", b"in/..%c0%af../secret", b"in/\xc0\xae\xc0\xae/secret",
    b"in/no\0thing", b"\0", b"in\0/x", b"in/x\0.edi", b"a" * 5000, b"in/" + b"a" * 300,
    b"/" * 4000 + b"etc/passwd", b"../" * 1300 + b"etc/passwd", b"x/" * 2500,
]  # fmt: skip


@pytest.fixture
def raw(peer: Peer) -> Raw:
    raw = Raw(peer.transport())
    (peer.parent / "secret").write_bytes(SECRET)
    (peer.parent / "acme2").mkdir()
    (peer.parent / "acme2" / "x").write_bytes(SECRET)
    (peer.parent / "globex" / "in" / "theirs").write_bytes(SECRET)
    (peer.inbox / "theirs").write_bytes(b"ours")
    return raw


def everything(peer: Peer) -> dict[str, bytes]:
    return {
        str(path.relative_to(peer.parent)): path.read_bytes()
        for path in peer.parent.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def operations_on(path: bytes) -> list[tuple]:
    new_size = (1, 0, 0)  # ATTRS with a size of 0
    return [
        (Op.OPEN, path, Open.READ, 0),
        (Op.OPEN, path, Open.WRITE | Open.CREAT | Open.TRUNC, 0),
        (Op.STAT, path),
        (Op.LSTAT, path),
        (Op.OPENDIR, path),
        (Op.REMOVE, path),
        (Op.MKDIR, path, 0),
        (Op.RMDIR, path),
        (Op.READLINK, path),
        (Op.SETSTAT, path, *new_size),
        (Op.RENAME, path, b"in/new"),
        (Op.RENAME, b"in/theirs", path),
        (Op.EXTENDED, b"posix-rename@openssh.com", path, b"in/new"),
        (Op.EXTENDED, b"posix-rename@openssh.com", b"in/theirs", path),
        (Op.EXTENDED, b"statvfs@openssh.com", path),
    ]


def test_a_path_that_leads_outside_does_not_exist_for_any_operation(peer: Peer, raw: Raw) -> None:
    before = everything(peer)
    for path in OUTSIDE:
        for operation in operations_on(path):
            code = raw.status(*operation)
            assert code in {Code.NO_SUCH_FILE, Code.PERMISSION_DENIED}, operation
        assert everything(peer) == before, path


def test_a_roundabout_path_to_an_own_file_is_that_file(peer: Peer) -> None:
    client = peer.client()
    (peer.inbox / "theirs").write_bytes(b"ours")
    for path in ("in/theirs", "/in/theirs", "./in//theirs", "out/../in/theirs", "/../../in/theirs"):
        with client.open(path) as file:
            assert file.read() == b"ours"


def test_the_top_shows_two_folders(raw: Raw) -> None:
    for path in (b"", b".", b"/", b"..", b"../..", b"/in/..", b"in/../.."):
        kind, body = raw.ask(Op.OPENDIR, path)
        assert kind == Op.HANDLE
        kind, body = raw.ask(Op.READDIR, body[4:])
        assert int.from_bytes(body[:4]) == 2
        assert b"partial" not in body
        assert b"work" not in body


def test_realpath_answers_for_missing_paths_too(raw: Raw) -> None:
    for path, real in {
        b".": b"/",
        b"": b"/",
        b"in": b"/in",
        b"../../in/./x/..": b"/in",
        b"in/missing": b"/in/missing",
    }.items():
        kind, body = raw.ask(Op.REALPATH, path)
        assert kind == Op.NAME
        assert body[8 : 8 + int.from_bytes(body[4:8])] == real


@pytest.mark.parametrize("where", ["in", "out"])
def test_what_is_no_regular_file_is_not_touched_even_if_it_was_planted(
    peer: Peer, raw: Raw, where: str
) -> None:
    folder = peer.root / where
    (folder / "link").symlink_to(peer.parent / "secret")
    (folder / "dangling").symlink_to(peer.parent / "not-there")
    os.mkfifo(folder / "fifo")
    (folder / "sub").mkdir()

    for name in (b"link", b"dangling", b"fifo", b"sub"):
        path = where.encode() + b"/" + name
        assert raw.status(Op.OPEN, path, Open.READ, 0) == Code.PERMISSION_DENIED
        assert raw.status(Op.OPEN, path, Open.WRITE | Open.CREAT, 0) == Code.PERMISSION_DENIED
        assert raw.status(Op.STAT, path) == Code.PERMISSION_DENIED
        assert raw.status(Op.REMOVE, path) == Code.PERMISSION_DENIED
        assert raw.status(Op.RENAME, path, b"in/new") == Code.PERMISSION_DENIED
        assert raw.status(Op.OPENDIR, path) == Code.PERMISSION_DENIED
    assert raw.status(Op.SETSTAT, b"in/link", 1, 0, 0) == Code.PERMISSION_DENIED or where == "out"
    listed = peer.client().listdir(where)
    assert set(listed) <= {"theirs"}
    assert (peer.parent / "secret").read_bytes() == SECRET
    assert not (peer.parent / "not-there").exists()


def test_links_cannot_be_made(peer: Peer, raw: Raw) -> None:
    assert raw.status(Op.SYMLINK, b"/etc/passwd", b"in/link") == Code.OP_UNSUPPORTED
    assert raw.status(Op.EXTENDED, b"hardlink@openssh.com", b"in/theirs", b"in/link") == Code.OP_UNSUPPORTED
    assert [path.name for path in peer.inbox.iterdir()] == ["theirs"]


def test_a_folder_swapped_for_a_link_after_login_leads_nowhere(peer: Peer, raw: Raw) -> None:
    peer.inbox.rename(peer.root / "moved")
    peer.inbox.symlink_to(peer.parent)

    assert raw.status(Op.STAT, b"in/secret") == Code.NO_SUCH_FILE
    assert raw.status(Op.STAT, b"in/theirs") == Code.OK


@pytest.mark.parametrize(
    "name",
    [b"a\\b", b"a\nb", b"a\x1bb", b"\xc2\x85", b"CON", b"nul.txt", b"\xff\xfe.edi", b"x" * 256],
    ids=repr,
)
def test_a_name_that_would_harm_others_is_refused(peer: Peer, raw: Raw, name: bytes) -> None:
    refused = {Code.PERMISSION_DENIED, Code.NO_SUCH_FILE}
    assert raw.status(Op.OPEN, b"in/" + name, Open.WRITE | Open.CREAT, 0) in refused
    assert raw.status(Op.RENAME, b"in/theirs", b"in/" + name) in refused
    assert not peer.ledger.of(Uploaded)


@pytest.mark.parametrize(
    "name", [b"-rf", b"ORDER 1.edi", b"$(id)", "Größe.edi".encode(), b"x..x", b"a;b", b"\xe2\x88\x95"]
)
def test_an_odd_but_harmless_name_is_kept_as_it_is(peer: Peer, raw: Raw, name: bytes) -> None:
    handle = raw.open(b"in/" + name, Open.WRITE | Open.CREAT)
    assert raw.status(Op.CLOSE, handle) == Code.OK
    assert os.fsencode(name.decode()) in os.listdir(os.fsencode(peer.inbox))
    assert peer.ledger.paths(Uploaded) == ["in/" + name.decode()]


def test_the_other_folder_can_only_be_read_and_emptied(peer: Peer, raw: Raw) -> None:
    (peer.outbox / "940.edi").write_bytes(b"ISA")

    assert raw.status(Op.OPEN, b"out/new", Open.WRITE | Open.CREAT, 0) == Code.PERMISSION_DENIED
    assert raw.status(Op.OPEN, b"out/940.edi", Open.WRITE, 0) == Code.PERMISSION_DENIED
    assert raw.status(Op.OPEN, b"out/940.edi", Open.TRUNC, 0) == Code.PERMISSION_DENIED
    assert raw.status(Op.SETSTAT, b"out/940.edi", 1, 0, 0) == Code.PERMISSION_DENIED
    assert raw.status(Op.RENAME, b"out/940.edi", b"in/940.edi") == Code.PERMISSION_DENIED
    assert raw.status(Op.RENAME, b"in/theirs", b"out/theirs") == Code.PERMISSION_DENIED
    assert raw.status(Op.MKDIR, b"in", 0) == Code.FAILURE
    assert raw.status(Op.RMDIR, b"in") == Code.FAILURE
    assert (peer.outbox / "940.edi").read_bytes() == b"ISA"


def test_an_account_cannot_tell_another_from_none(peer: Peer, raw: Raw) -> None:
    there = raw.ask(Op.STAT, b"../globex/in/theirs")
    nowhere = raw.ask(Op.STAT, b"../nobody/in/theirs")
    assert there == nowhere


def test_an_operation_outside_the_table_is_unsupported(raw: Raw) -> None:
    for op in {*range(256)} - {*range(1, 20), Op.EXTENDED}:
        assert raw.status(op, b"in/theirs") == Code.OP_UNSUPPORTED, op


def test_an_extension_outside_the_list_is_unsupported(raw: Raw) -> None:
    for name in (b"check-file", b"copy-data", b"vendor-id", b"", b"\xff", b"x" * 1000):
        assert raw.status(Op.EXTENDED, name, b"in/theirs", 0, 0, 0, 0xFFFFFFFF) == Code.OP_UNSUPPORTED, name
    assert b"check-file" not in raw.version


def test_the_extensions_that_are_offered_work(peer: Peer, raw: Raw) -> None:
    assert b"posix-rename@openssh.com" in raw.version
    kind, body = raw.ask(Op.EXTENDED, b"limits@openssh.com")
    assert kind == Op.EXTENDED_REPLY
    assert struct.unpack(">QQQQ", body)[0] == 262_144
    kind, body = raw.ask(Op.EXTENDED, b"statvfs@openssh.com", b"/in")
    assert kind == Op.EXTENDED_REPLY
    assert struct.unpack(">11Q", body)[10] == 255
    handle = raw.open(b"in/x", Open.WRITE | Open.CREAT)
    assert raw.status(Op.EXTENDED, b"fsync@openssh.com", handle) == Code.OK


def test_a_packet_that_ends_early_is_a_bad_message(raw: Raw) -> None:
    fields = (
        b"",
        b"\0\0\0",
        b"\xff" * 4,
        b"\0\0\0\x05in",
        b"\0\0\0\x04in/x",
        b"\x7f\xff\xff\xff" + b"x" * 50,
    )
    for op in (Op.OPEN, Op.CLOSE, Op.READ, Op.WRITE, Op.SETSTAT, Op.RENAME, Op.EXTENDED):
        for body in fields:
            answer = raw.ask_raw(struct.pack(">IBI", len(body) + 5, op, 9) + body)
            assert answer[0] == Op.STATUS
            assert int.from_bytes(answer[5:9]) in {Code.BAD_MESSAGE, Code.OP_UNSUPPORTED}, (op, body)
    assert raw.status(Op.STAT, b"in") == Code.OK


@pytest.mark.parametrize("length", [0, 1, 4, 262_145, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_packet_of_an_impossible_length_ends_the_session(raw: Raw, length: int) -> None:
    with pytest.raises((EOFError, OSError)):
        raw.ask_raw(struct.pack(">I", length) + b"\x11" * 10)


def test_numbers_at_their_ends_do_no_harm(peer: Peer, raw: Raw) -> None:
    def offset_request(op: Op, handle: bytes, offset: int, rest: bytes) -> tuple[int, int]:
        body = struct.pack(">I", 4) + handle + struct.pack(">Q", offset) + rest
        answer = raw.ask_raw(struct.pack(">IBI", len(body) + 5, op, 5) + body)
        return answer[0], int.from_bytes(answer[5:9])

    handle = raw.open(b"in/x", Open.WRITE | Open.CREAT)
    for offset in (2**62, 2**63 - 1, 2**63, 2**64 - 1, 1 << 40):
        assert offset_request(Op.WRITE, handle, offset, b"\0\0\0\x01x") == (Op.STATUS, Code.FAILURE)
        assert offset_request(Op.FSETSTAT, handle, (1 << 32) | (offset >> 32), b"\0\0\0\0")[0] == Op.STATUS
    assert raw.status(Op.CLOSE, handle) == Code.OK
    assert (peer.inbox / "x").stat().st_size == 0
    handle = raw.open(b"in/theirs", Open.READ)
    for offset in (2**62, 2**63 - 1, 2**64 - 1):
        assert offset_request(Op.READ, handle, offset, b"\x80\0\0\0") == (Op.STATUS, Code.EOF)
    assert offset_request(Op.READ, handle, 0, b"\x80\0\0\0")[0] == Op.DATA


def test_handles_are_bounded_and_belong_to_the_session(start_peer: Callable[..., Peer]) -> None:
    peer = start_peer(handles=20)
    raw, other = Raw(peer.transport()), Raw(peer.transport())
    first = raw.open(b"in/x", Open.WRITE | Open.CREAT)
    for _ in range(19):
        raw.open(b"in/x", Open.WRITE)
    assert raw.status(Op.OPEN, b"in/x", Open.READ, 0) == Code.FAILURE
    assert raw.status(Op.OPENDIR, b"in") == Code.FAILURE
    assert other.status(Op.CLOSE, first) == Code.BAD_MESSAGE
    assert raw.status(Op.CLOSE, b"hx1") == Code.BAD_MESSAGE


def test_no_text_of_an_answer_names_a_path_of_the_server(peer: Peer, raw: Raw) -> None:
    for op, *fields in (
        (Op.STAT, b"in/nothing"),
        (Op.OPEN, b"in/nothing", 1, 0),
        (Op.REMOVE, b"in/nothing"),
        (Op.RENAME, b"in/nothing", b"in/x"),
        (Op.OPEN, b"in", 2, 0),
        (Op.OPENDIR, b"in/theirs"),
    ):
        _, body = raw.ask(op, *fields)
        assert str(Path(peer.parent)).encode() not in body
