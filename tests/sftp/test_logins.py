"""Who gets in, what a stranger can do before it does, and what nobody gets."""

from __future__ import annotations

import socket
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import paramiko
import pytest
from paramiko.common import cMSG_CHANNEL_OPEN, cMSG_GLOBAL_REQUEST, cMSG_USERAUTH_SUCCESS
from sftp_peer import Peer, Raw, eventually, need

from sftp import keys, ssh
from sftp.events import LoggedIn, LoggedOut
from sftp.wire import Op


def negotiated(peer: Peer) -> paramiko.Transport:
    transport = paramiko.Transport(("127.0.0.1", peer.port))
    transport.start_client(timeout=15)
    return transport


def send(transport: paramiko.Transport, message_type: bytes, *fields: bytes | int | bool) -> None:
    message = paramiko.Message()
    message.add_byte(message_type)
    for each in fields:
        if isinstance(each, bool):
            message.add_boolean(each)
        elif isinstance(each, int):
            message.add_int(each)
        else:
            message.add_string(each)
    transport._send_message(message)


def serves(peer: Peer) -> bool:
    """The server still answers somebody who may come in."""
    return peer.client().listdir("/") == ["in", "out"]


@pytest.mark.parametrize(
    ("user", "key"), [("acme", "globex"), ("globex", "acme"), ("nobody", "acme"), ("", "acme")]
)
def test_a_key_opens_only_its_own_account(peer: Peer, user: str, key: str) -> None:
    with pytest.raises((paramiko.AuthenticationException, paramiko.SSHException)):
        peer.transport(user, getattr(peer.keys, key))
    assert peer.ledger.events == []


@pytest.mark.parametrize(
    "user", ["acme\0", "acme\r\nroot", "../acme", "acme/", "a" * 65, "acme ", "ACME", "{acme}"]
)
def test_an_unusual_user_name_is_nobody(peer: Peer, user: str) -> None:
    with pytest.raises(paramiko.SSHException):
        peer.transport(user, peer.keys.acme)
    assert peer.ledger.events == []
    assert serves(peer)


@pytest.mark.parametrize("method", ["none", "password", "keyboard-interactive", "hostbased", "x" * 1000])
def test_only_keys_log_in(peer: Peer, method: str) -> None:
    transport = negotiated(peer)
    with pytest.raises(paramiko.BadAuthenticationType) as caught:
        if method == "password":
            transport.auth_password("acme", "")
        elif method == "keyboard-interactive":
            transport.auth_interactive("acme", lambda *_: [])
        else:
            transport.auth_none("acme")
    assert caught.value.allowed_types == ["publickey"]
    assert not transport.is_authenticated()


def test_an_unsigned_offer_of_the_right_key_has_no_effect(peer: Peer) -> None:
    transport = negotiated(peer)
    key = paramiko.PKey.from_path(peer.keys.acme)
    send(transport, b"\x05", b"ssh-userauth")
    for _ in range(3):
        send(
            transport, b"\x32", b"acme", b"ssh-connection", b"publickey", False, b"ssh-ed25519", key.asbytes()
        )  # fmt: skip
    send(transport, cMSG_CHANNEL_OPEN, b"session", 0, 1 << 20, 1 << 15)
    time.sleep(0.2)

    assert peer.ledger.events == []
    assert peer.server.sessions() == []


def test_a_signature_by_another_key_is_refused(peer: Peer) -> None:
    class Impostor(paramiko.Ed25519Key):
        """Offers acme's public key and signs with globex's."""

        def asbytes(self) -> bytes:
            return paramiko.PKey.from_path(peer.keys.acme).asbytes()

        def sign_ssh_data(self, data: bytes, algorithm: str | None = None) -> paramiko.Message:
            return paramiko.PKey.from_path(peer.keys.globex).sign_ssh_data(data, algorithm)

    transport = negotiated(peer)
    with pytest.raises(paramiko.AuthenticationException):
        transport.auth_publickey("acme", Impostor.from_private_key_file(str(peer.keys.acme)))
    assert peer.ledger.events == []


@pytest.mark.parametrize(
    ("message_type", "fields"),
    [
        (cMSG_USERAUTH_SUCCESS, ()),
        (cMSG_CHANNEL_OPEN, (b"session", 0, 1 << 20, 1 << 15)),
        (cMSG_GLOBAL_REQUEST, (b"tcpip-forward", True, b"0.0.0.0", 0)),
        (b"\x06", (b"ssh-userauth",)),
        (b"\x07", (1, b"server-sig-algs", b"none")),
        (b"\x32", (b"acme", b"ssh-connection", b"publickey", True, b"ssh-ed25519", b"", b"")),
        (b"\x32", (b"acme", b"ssh-connection", b"publickey", True, b"ssh-ed25519", b"\0" * 51, b"\0" * 64)),
        (b"\x32", (b"acme", b"ssh-connection", b"publickey", True, b"ssh-dss", b"garbage", b"garbage")),
        (b"\x32", (b"\xff\xfe", b"ssh-connection", b"none")),
        (b"\x32", (b"acme", b"\xff", b"none")),
        (b"\x32", ()),
        (b"\x3d", (5,)),
        (b"\xff", ()),
    ],
)
def test_no_message_before_the_login_opens_anything(peer: Peer, message_type: bytes, fields: tuple) -> None:
    """Among them those of CVE-2018-7750 and CVE-2018-1000805."""
    transport = negotiated(peer)
    try:
        send(transport, b"\x05", b"ssh-userauth")
        send(transport, message_type, *fields)
        with pytest.raises(paramiko.SSHException):
            transport.open_session(timeout=2)
    except (OSError, EOFError):
        assert not transport.is_active()
    assert peer.ledger.events == []
    assert serves(peer)


def test_an_error_while_authorizing_refuses_the_login(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    peer.accounts["acme"] = (None, None)  # type: ignore[assignment]
    with pytest.raises(paramiko.AuthenticationException):
        peer.transport()
    assert "authorize failed" in caplog.text
    assert serves_globex(peer)


def serves_globex(peer: Peer) -> bool:
    return peer.client("globex").listdir("/") == ["in", "out"]


def test_an_account_withdrawn_between_login_and_session_gets_none(peer: Peer) -> None:
    transport = peer.transport()
    del peer.accounts["acme"]
    with pytest.raises(paramiko.SSHException):
        transport.open_session(timeout=15).invoke_subsystem("sftp")
    assert peer.ledger.events == []


@pytest.mark.parametrize("allowed", [("10.0.0.0/8",), ("127.0.0.2",), ("::1",), ("no network",)])
def test_a_key_used_from_elsewhere_than_agreed_is_refused(peer: Peer, allowed: tuple[str, ...]) -> None:
    peer.change(allow_from=allowed)
    with pytest.raises(paramiko.AuthenticationException):
        peer.transport()
    peer.change(allow_from=("10.0.0.0/8", "127.0.0.0/8"))
    assert serves(peer)


def test_the_login_is_told_with_key_address_and_client(peer: Peer) -> None:
    transport = peer.transport()
    Raw(transport)
    (event,) = peer.ledger.of(LoggedIn)
    assert event.session.user == "acme"
    assert event.session.peer == "127.0.0.1"
    assert event.session.key == paramiko.PKey.from_path(peer.keys.acme).fingerprint
    assert event.session.client.startswith("SSH-2.0-paramiko")
    assert peer.server.sessions() == [event.session]
    transport.close()
    eventually(lambda: peer.ledger.of(LoggedOut), "the end is told")
    assert peer.ledger.of(LoggedOut)[0].session == event.session


def test_nothing_but_sftp_is_served(peer: Peer) -> None:
    transport = peer.transport()

    def refused(ask: Callable[[paramiko.Channel], object]) -> None:
        with pytest.raises(paramiko.SSHException):
            ask(transport.open_session(timeout=15))

    refused(lambda channel: channel.exec_command("id"))
    refused(lambda channel: channel.invoke_shell())
    refused(lambda channel: channel.get_pty())
    refused(lambda channel: channel.request_x11())
    refused(lambda channel: channel.invoke_subsystem("netconf"))
    for kind, where in (
        ("direct-tcpip", ("127.0.0.1", 22)),
        ("x11", ("127.0.0.1", 22)),
        ("auth-agent@openssh.com", None),
    ):
        with pytest.raises(paramiko.ChannelException) as caught:
            transport.open_channel(kind, dest_addr=where, src_addr=where, timeout=15)
        assert caught.value.code == 1  # administratively prohibited
    with pytest.raises(paramiko.SSHException):
        transport.request_port_forward("127.0.0.1", 0)
    assert peer.ledger.events == []


@pytest.mark.external("ssh")
def test_weak_algorithms_are_not_offered_and_strict_key_exchange_is(peer: Peer) -> None:
    done = subprocess.run(
        [
            need("ssh"),
            "-vv",
            "-p",
            str(peer.port),
            *peer.ssh_options(),
            "-o",
            "LogLevel=DEBUG2",
            "acme@127.0.0.1",
            "-s",
            "x",
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    offer = done.stderr.partition("peer server KEXINIT proposal")[2].partition("debug1: kex:")[0]
    assert "kex-strict-s-v00@openssh.com" in offer
    for weak in (
        "cbc",
        "3des",
        "arcfour",
        "md5",
        "hmac-sha1",
        "ssh-dss",
        "ssh-rsa,",
        "group1-",
        "group14-sha1",
    ):
        assert weak not in offer, weak
    for host_key in ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512"):
        assert host_key in offer
    assert "aes256-gcm@openssh.com" in offer


@pytest.mark.external("ssh")
@pytest.mark.parametrize(
    "choice",
    [
        "Ciphers=aes128-cbc",
        "MACs=hmac-sha1 Ciphers=aes128-ctr",
        "HostKeyAlgorithms=ssh-rsa",
        "KexAlgorithms=diffie-hellman-group14-sha1",
    ],
)
def test_a_client_that_insists_on_a_weak_algorithm_is_not_served(peer: Peer, choice: str) -> None:
    options = [part for one in choice.split() for part in ("-o", one)]
    printed = peer.sftp("ls", options=("-o", "LogLevel=INFO", *options), check=False)
    assert "no matching" in printed


@pytest.mark.external("sftp")
@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"])
def test_each_kind_of_host_key_serves_clients_that_know_only_it(peer: Peer, kind: str) -> None:
    assert "in" in peer.sftp("ls", options=("-o", f"HostKeyAlgorithms={kind}"))


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_users_may_have_keys_of_other_kinds(peer: Peer, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "key"
    subprocess.run([need("ssh-keygen"), "-q", "-t", kind, "-N", "", "-f", path], check=True, timeout=60)
    account, _ = peer.accounts["acme"]
    peer.accounts["acme"] = (
        account,
        keys.fingerprints(f"# comment\n\n{path.with_suffix('.pub').read_text()}"),
    )
    assert peer.transport("acme", path).is_authenticated()


def test_a_short_rsa_key_is_refused_where_it_is_configured(tmp_path: Path) -> None:
    path = tmp_path / "key"
    subprocess.run(
        [need("ssh-keygen"), "-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", path], check=True, timeout=60
    )
    with pytest.raises(keys.BadKey, match="1024 bits"):
        keys.fingerprint(path.with_suffix(".pub").read_text())


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-ed25519 !!!",
        "ssh-foo AAAA",
        'command="x" ssh-ed25519 AAAA',
    ],
)
def test_what_is_no_key_is_refused_where_it_is_configured(line: str) -> None:
    with pytest.raises(keys.BadKey):
        keys.fingerprint(line)


def test_host_keys_are_made_once_and_for_their_owner_only(tmp_path: Path, peer: Peer) -> None:
    keys.make_host_keys(tmp_path / "host")
    private = sorted(path for path in (tmp_path / "host").iterdir() if path.suffix != ".pub")
    assert [path.stat().st_mode & 0o777 for path in private] == [0o600] * 3
    before = [path.read_bytes() for path in private]
    keys.make_host_keys(tmp_path / "host")
    assert [path.read_bytes() for path in private] == before
    assert [key.get_name() for key in keys.load_host_keys(tmp_path / "host")] == [
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ssh-rsa",
    ]
    private[0].chmod(0o644)
    with pytest.raises(keys.BadKey, match="chmod 600"):
        keys.load_private_key(private[0])


def test_a_stranger_who_does_nothing_is_cut_off(start_peer: Callable[..., Peer]) -> None:
    peer = start_peer(login_grace_s=0.3)
    with socket.create_connection(("127.0.0.1", peer.port), timeout=10) as silent:
        greeting = silent.recv(100)
        assert greeting.startswith(b"SSH-2.0-Tradelane")
        while silent.recv(10_000):
            pass
    transport = negotiated(peer)
    eventually(lambda: not transport.is_active(), "a stranger that only exchanged keys is cut off")


def test_an_idle_session_is_ended(start_peer: Callable[..., Peer]) -> None:
    peer = start_peer(idle_s=0.3)
    raw = Raw(peer.transport())
    with pytest.raises(EOFError):
        raw._read(1)
    eventually(lambda: peer.ledger.of(LoggedOut), "the end is told")


def test_tries_are_counted_per_connection(start_peer: Callable[..., Peer]) -> None:
    peer = start_peer(login_tries=3)
    transport = negotiated(peer)
    wrong, right = (paramiko.PKey.from_path(path) for path in (peer.keys.globex, peer.keys.acme))
    for _ in range(3):
        with pytest.raises(paramiko.AuthenticationException):
            transport.auth_publickey("acme", wrong)
    with pytest.raises(paramiko.SSHException):
        transport.auth_publickey("acme", right)
    eventually(lambda: not transport.is_active(), "the connection is cut")
    assert serves(peer)


def test_an_address_whose_logins_keep_failing_must_wait(start_peer: Callable[..., Peer]) -> None:
    peer = start_peer(strikes=2, first_wait_s=60)
    for _ in range(2):
        with pytest.raises(paramiko.AuthenticationException):
            peer.transport("acme", peer.keys.globex)

    def refused() -> bool:
        try:
            peer.transport().close()
        except (OSError, EOFError, paramiko.SSHException):
            return True
        return False

    eventually(refused, "the address must wait")


def test_an_exempt_address_never_waits(start_peer: Callable[..., Peer]) -> None:
    peer = start_peer(strikes=1, first_wait_s=60, never_wait=frozenset({"127.0.0.1"}))
    for _ in range(3):
        with pytest.raises(paramiko.AuthenticationException):
            peer.transport("acme", peer.keys.globex).close()
        time.sleep(0.3)
    assert serves(peer)


def test_connections_that_have_not_logged_in_are_bounded(start_peer: Callable[..., Peer]) -> None:
    peer = start_peer(unauthenticated_per_ip=3)
    inside = peer.client()
    strangers = [socket.create_connection(("127.0.0.1", peer.port), timeout=10) for _ in range(3)]
    assert all(stranger.recv(3) == b"SSH" for stranger in strangers)
    with socket.create_connection(("127.0.0.1", peer.port), timeout=10) as one_more:
        assert one_more.recv(3) == b""
    assert inside.listdir("/") == ["in", "out"]
    for stranger in strangers:
        stranger.close()


def test_sessions_of_a_user_are_bounded(start_peer: Callable[..., Peer]) -> None:
    peer = start_peer(sessions_per_user=2)
    transport = peer.transport()
    held = [Raw(transport), Raw(transport)]
    with pytest.raises(paramiko.SSHException):
        Raw(transport)
    held[0].channel.close()
    eventually(lambda: peer.ledger.of(LoggedOut), "a session ends")
    Raw(transport)


def test_channels_of_a_connection_are_bounded(start_peer: Callable[..., Peer]) -> None:
    transport = start_peer(channels=5).transport()
    held = [transport.open_session(timeout=15) for _ in range(5)]
    with pytest.raises(paramiko.ChannelException):
        transport.open_session(timeout=15)
    assert len(held) == 5


@pytest.mark.parametrize("length", [41_000, 1 << 20, 0xFFFFFFFF])
def test_a_stranger_cannot_make_the_server_wait_for_a_huge_packet(peer: Peer, length: int) -> None:
    with socket.create_connection(("127.0.0.1", peer.port), timeout=10) as stranger:
        stranger.recv(100)
        stranger.sendall(b"SSH-2.0-x\r\n" + struct.pack(">IB", length, 4) + b"\x14" * 100)
        try:
            while stranger.recv(10_000):
                pass
        except ConnectionResetError:
            assert length
    eventually(lambda: not peer.server._connections, "the connection is forgotten")
    assert serves(peer)


def test_a_stranger_cannot_pour_bytes_in_before_the_login(peer: Peer) -> None:
    transport = negotiated(peer)
    with pytest.raises((OSError, EOFError, paramiko.SSHException)):
        for _ in range(200):
            send(transport, b"\x02", b"x" * 30_000)
            if not transport.is_active():
                raise EOFError
    assert serves(peer)


def test_a_greeting_without_end_is_cut_off(peer: Peer) -> None:
    with socket.create_connection(("127.0.0.1", peer.port), timeout=10) as stranger, pytest.raises(OSError):
        for _ in range(2000):
            stranger.sendall(b"x" * 10_000)
            time.sleep(0.001)
    assert serves(peer)


def test_garbage_instead_of_ssh_is_survived(peer: Peer) -> None:
    for garbage in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\0" * 50,
        b"\0" * 500,
        b"SSH-1.0-old\r\n",
        b"\xff\n" * 200,
    ):
        with socket.create_connection(("127.0.0.1", peer.port), timeout=10) as stranger:
            stranger.sendall(garbage)
    assert serves(peer)


def test_the_caps_leave_room_for_the_largest_packets_clients_send() -> None:
    assert ssh.CappedPacketizer.AFTER_LOGIN_MAX > 262_144
    assert Op.WRITE == 6
