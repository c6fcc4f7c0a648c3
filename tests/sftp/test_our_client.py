"""Our client against our server, and against one that misbehaves."""

from __future__ import annotations

import contextlib
import getpass
import io
import os
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest
from sftp_peer import Keys, Peer, eventually, need

from sftp.client import (
    Client,
    HostKeyChanged,
    LoginRefused,
    NotThere,
    RemoteFile,
    Timeouts,
    TransferFailed,
    Unreachable,
    connect,
    host_key,
    join,
)
from sftp.events import Downloaded, Refused, Removed, Uploaded, Uploading
from sftp.keys import load_private_key, public_line

DATA = os.urandom(300_000)


def pins(peer: Peer) -> list[str]:
    return [public_line(key) for key in peer.keys.host]


@pytest.fixture
def client(peer: Peer) -> Client:
    return connect("127.0.0.1", peer.port, "acme", key=load_private_key(peer.keys.acme), host_keys=pins(peer))


@pytest.mark.parametrize("as_what", ["bytes", "path", "stream"])
def test_a_file_is_put_under_a_temporary_name_and_renamed(
    peer: Peer, client: Client, tmp_path: Path, as_what: str
) -> None:
    path = tmp_path / "945"
    path.write_bytes(DATA)
    with path.open("rb") as stream:
        source = {"bytes": DATA, "path": path, "stream": stream}[as_what]
        assert client.put(source, "in/945.edi") == len(DATA)

    assert (peer.inbox / "945.edi").read_bytes() == DATA
    assert peer.ledger.paths(Uploading) == ["in/945.edi.tmp"]
    assert [(event.path, event.renamed_from) for event in peer.ledger.of(Uploaded)] == [
        ("in/945.edi", "in/945.edi.tmp")
    ]


def test_an_empty_file_is_put(peer: Peer, client: Client) -> None:
    assert client.put(b"", "in/empty") == 0
    assert (peer.inbox / "empty").read_bytes() == b""


def test_a_file_is_listed_fetched_and_removed(peer: Peer, client: Client, tmp_path: Path) -> None:
    (peer.outbox / "940.edi").write_bytes(DATA)
    os.utime(peer.outbox / "940.edi", (1_700_000_000, 1_700_000_000))

    assert client.list("out") == [RemoteFile("940.edi", len(DATA), 1_700_000_000)]
    assert client.get("out/940.edi", tmp_path / "940.edi") == len(DATA)
    client.remove("out/940.edi")

    assert (tmp_path / "940.edi").read_bytes() == DATA
    assert sorted(path.name for path in tmp_path.glob("*.part")) == []
    assert [event.complete for event in peer.ledger.of(Downloaded)] == [True]
    assert peer.ledger.paths(Removed) == ["out/940.edi"]
    assert client.list("out") == []


def test_a_file_that_is_not_there_is_told_apart(client: Client, tmp_path: Path) -> None:
    with pytest.raises(NotThere):
        client.get("out/nothing", tmp_path / "nothing")
    assert not list(tmp_path.glob("nothing*"))


def test_a_file_above_the_limit_is_not_fetched(peer: Peer, client: Client, tmp_path: Path) -> None:
    (peer.outbox / "big").write_bytes(DATA)

    with pytest.raises(TransferFailed, match="more than 1000"):
        client.get("out/big", tmp_path / "big", max_bytes=1000)
    assert not list(tmp_path.glob("big*"))


def test_a_folder_above_the_limit_is_not_listed(peer: Peer, client: Client) -> None:
    for number in range(30):
        (peer.outbox / str(number)).touch()

    with pytest.raises(TransferFailed, match="more than 20 entries"):
        client.list("out", limit=20)


def test_a_refused_close_is_an_error_and_leaves_no_temporary_file(peer: Peer, client: Client) -> None:
    peer.ledger.refuse[Uploaded] = Refused("the ledger is closed")

    with pytest.raises(TransferFailed, match="the ledger is closed"):
        client.put(DATA, "in/945.edi")

    eventually(lambda: not list(peer.inbox.iterdir()), "nothing stands in the inbox")


@pytest.mark.parametrize("number", range(3))
def test_any_pinned_kind_of_host_key_is_asked_for(peer: Peer, number: int) -> None:
    key = peer.keys.host[number]

    for pin in (public_line(key), key.fingerprint):
        with connect(
            "127.0.0.1", peer.port, "acme", key=load_private_key(peer.keys.acme), host_keys=[pin]
        ) as client:
            assert client.list("in") == []


def test_a_changed_host_key_names_both_fingerprints_and_nothing_is_sent(peer: Peer) -> None:
    stranger = load_private_key(peer.keys.globex)

    with pytest.raises(HostKeyChanged) as caught:
        connect("127.0.0.1", peer.port, "acme", password="secret", host_keys=[public_line(stranger)])

    assert caught.value.expected == {stranger.fingerprint}
    assert caught.value.shown == (peer.keys.host[0].fingerprint,)
    assert stranger.fingerprint in str(caught.value)
    assert not caught.value.temporary
    assert peer.ledger.events == []


def test_no_pin_is_no_connection(peer: Peer) -> None:
    with pytest.raises(ValueError, match="pinned"):
        connect("127.0.0.1", peer.port, "acme", password="secret", host_keys=[])


def test_the_host_key_is_shown_for_a_person_to_compare(peer: Peer) -> None:
    assert host_key("127.0.0.1", peer.port) == public_line(peer.keys.host[0])


def test_a_wrong_key_is_a_refused_login(peer: Peer) -> None:
    with pytest.raises(LoginRefused) as caught:
        connect("127.0.0.1", peer.port, "acme", key=load_private_key(peer.keys.globex), host_keys=pins(peer))
    assert not caught.value.temporary


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unreachable) as caught:
        connect("127.0.0.1", port, "acme", password="secret", host_keys=["SHA256:" + "A" * 43])
    assert caught.value.temporary


def test_a_server_that_says_nothing_is_given_up(peer: Peer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        waits = Timeouts(connect_s=0.3, login_s=0.3, answer_s=0.3)
        with pytest.raises(Unreachable):
            connect(
                "127.0.0.1",
                silent.getsockname()[1],
                "acme",
                password="x",
                host_keys=pins(peer),
                timeouts=waits,
            )


def test_a_connection_cut_in_the_middle_is_unreachable(peer: Peer, client: Client, tmp_path: Path) -> None:
    (peer.outbox / "big").write_bytes(DATA)
    threading.Thread(target=peer.server.stop, args=(0,)).start()

    def fetch_until_cut() -> None:
        while True:
            client.get("out/big", tmp_path / "big")

    with pytest.raises(Unreachable):
        fetch_until_cut()


class Liar(paramiko.SFTPServerInterface):
    """A server that lists what no folder holds and tells sizes that are not true."""

    names = ("../x", "/etc/x", "a/b", "..", ".", "", "nul\0", "link", "folder", "fine.edi")

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes]:
        listed = []
        for name in self.names:
            attributes = self.stat(name)
            attributes.filename = name
            attributes.st_mode = {"link": stat.S_IFLNK, "folder": stat.S_IFDIR}.get(
                name, stat.S_IFREG
            ) | 0o644
            listed.append(attributes)
        return listed

    def stat(self, path: str) -> paramiko.SFTPAttributes:
        attributes = paramiko.SFTPAttributes()
        attributes.st_size = {"short": 10, "endless": 1 << 40}.get(path, 3)
        attributes.st_mtime = attributes.st_atime = 1_000_000
        return attributes

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle:
        handle = paramiko.SFTPHandle(flags)
        handle.readfile = io.BytesIO(b"abc" if path != "long" else b"abcdef")
        return handle


class AnyKey(paramiko.ServerInterface):
    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return paramiko.AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED


@pytest.fixture
def liar(keys: Keys) -> Iterator[Client]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            transport = paramiko.Transport(listener.accept()[0])
            transport.add_server_key(keys.host[0])
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Liar)
            transport.start_server(server=AnyKey())

        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        client = connect(
            "127.0.0.1", port, "us", key=load_private_key(keys.acme), host_keys=[public_line(keys.host[0])]
        )
        thread.join()
        with client:
            yield client


def test_names_that_lead_elsewhere_are_left_out_of_a_listing(liar: Client) -> None:
    assert liar.list("in") == [RemoteFile("fine.edi", 3, 1_000_000)]


@pytest.mark.parametrize("name", ["short", "long"])
def test_a_file_of_another_size_than_was_told_is_not_stored(liar: Client, tmp_path: Path, name: str) -> None:
    with pytest.raises(TransferFailed):
        liar.get(name, tmp_path / name)
    assert list(tmp_path.glob(f"{name}*")) == []


def test_a_file_said_to_be_endless_is_refused_before_it_is_fetched(liar: Client, tmp_path: Path) -> None:
    with pytest.raises(TransferFailed, match="more than"):
        liar.get("endless", tmp_path / "endless", max_bytes=1_000_000)


def test_a_server_that_cannot_store_makes_the_put_fail(liar: Client) -> None:
    with pytest.raises(TransferFailed):
        liar.put(DATA, "in/945.edi")


@pytest.fixture
def openssh(keys: Keys, tmp_path: Path) -> Iterator[tuple[Client, Path]]:
    """A client of ours at Debian's sshd, and the folder it writes to."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder, config = tmp_path / "theirs", tmp_path / "sshd_config"
    folder.mkdir()
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {keys.folder}/host/ssh_host_rsa_key\nPidFile none\n"
        f"AuthorizedKeysFile {keys.acme}.pub\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
        "Subsystem sftp internal-sftp\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with subprocess.Popen([need("sshd"), "-D", "-e", "-f", config], stderr=subprocess.DEVNULL) as sshd:
        clients: list[Client] = []

        def connected() -> bool:
            with contextlib.suppress(Unreachable):
                pin = public_line(keys.host[2])
                key = load_private_key(keys.acme)
                clients.append(connect("127.0.0.1", port, getpass.getuser(), key=key, host_keys=[pin]))
            return bool(clients)

        eventually(connected, "sshd answers")
        with clients[0] as client:
            yield client, folder
        sshd.terminate()


@pytest.mark.external("sshd")
def test_openssh_as_the_server_gets_lists_and_gives_files(
    openssh: tuple[Client, Path], tmp_path: Path
) -> None:
    client, folder = openssh

    client.put(DATA, f"{folder}/945.edi")
    client.put(b"again", f"{folder}/945.edi")
    (folder / "link").symlink_to("945.edi")
    (folder / "sub").mkdir()

    assert [(file.name, file.size) for file in client.list(str(folder))] == [("945.edi", 5)]
    client.put(DATA, join(str(folder), "940.edi"))
    assert client.get(f"{folder}/940.edi", tmp_path / "940.edi") == len(DATA)
    assert (tmp_path / "940.edi").read_bytes() == DATA
    client.rename(f"{folder}/940.edi", f"{folder}/done.edi")
    client.remove(f"{folder}/done.edi")
    with pytest.raises(NotThere):
        client.remove(f"{folder}/done.edi")
    with pytest.raises(NotThere):
        client.put(DATA, f"{folder}/nowhere/945.edi")
    with pytest.raises(NotThere):
        client.list(f"{folder}/nowhere")
    assert sorted(path.name for path in folder.iterdir()) == ["945.edi", "link", "sub"]
