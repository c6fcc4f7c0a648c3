"""The SFTP server: connections, logins and limits. What a session does is in `session`, its files in `space`.

Rules. Keys are the only way to log in. Nobody is anybody before a signature is verified: the answer to an
unsigned offer of a key has no effect, and an identity is taken only when the SFTP subsystem is asked for.
Nothing but that subsystem is served. Every connection has a thread of paramiko's, every session one of ours,
and one thread accepts connections and ends those that are late, idle or dead.
"""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import logging
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_FAILED_RESOURCE_SHORTAGE,
    OPEN_SUCCEEDED,
)

from sftp.events import Account, Journal, LoggedIn, LoggedOut, Session
from sftp.keys import weakness
from sftp.session import SftpSession
from sftp.space import Space
from sftp.ssh import CappedPacketizer, server_transport

_log = logging.getLogger(__name__)

_USER = re.compile(r"[A-Za-z0-9._@+-]{1,64}")
_KEEPALIVE_S = 30
_TICK_S = 0.5
_LAST_WORDS_S = 5.0  # for sessions that were cut to record what they left open
_BROKEN = (OSError, EOFError, paramiko.SSHException)  # what paramiko raises when the connection is gone

Authorize = Callable[[str, str], Account | None]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server takes on. Seconds and bytes."""

    connections: int = 200
    connections_per_ip: int = 50
    unauthenticated: int = 50
    unauthenticated_per_ip: int = 10
    sessions_per_user: int = 50
    channels: int = 256  # over the life of one connection
    handles: int = 256  # open at once in one session
    login_tries: int = 6  # per connection
    login_grace_s: float = 30.0
    idle_s: float = 900.0
    max_file_bytes: int = 16 * 1024**3
    min_free: float = 0.05  # of the file system
    strikes: int = 10  # connections with failed logins until an IP must wait
    first_wait_s: float = 30.0  # doubled each time, up to an hour
    never_wait: frozenset[str] = frozenset()  # IP addresses


class Server:
    """An SFTP server on a thread of its own.

    `authorize(user, fingerprint)` returns the account a key may log in to, or None; it is asked for unsigned
    offers too, so it must change nothing. `journal` hears every event from the sessions' threads.
    """

    def __init__(
        self,
        host: str,
        port: int,
        host_keys: Sequence[paramiko.PKey],
        authorize: Authorize,
        journal: Journal,
        *,
        limits: Limits = Limits(),
    ) -> None:
        self._address = (host, port)
        self._host_keys = host_keys
        self._authorize = authorize
        self._journal = journal
        self._limits = limits
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sftp-accept", daemon=True)
        self._listener: socket.socket | None = None
        self._connections: list[_Connection] = []
        self._doorkeeper = _Doorkeeper(limits)
        self._spaces: dict[Path, Space] = {}
        self._lock = threading.Lock()
        self._session_ids = itertools.count(1)
        self._started = f"{time.time_ns():x}"

    def start(self) -> int:
        """Binds, begins to accept, and returns the port; raises `OSError` if the address cannot be had."""
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        self._listener = socket.create_server(self._address, family=family, backlog=128)
        self._listener.settimeout(_TICK_S)
        self._thread.start()
        port: int = self._listener.getsockname()[1]
        return port

    def stop(self, timeout: float = 30.0) -> None:
        """Stops accepting, lets sessions with open files finish for `timeout` seconds, then ends them all."""
        if self._listener is None:
            return
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        self._thread.join()
        self._listener.close()
        deadline = time.monotonic() + timeout
        while self._connections and time.monotonic() < deadline + _LAST_WORDS_S:
            late = time.monotonic() >= deadline
            for connection in self._connections:
                if late or not connection.busy:
                    connection.cut()
            self._connections = [each for each in self._connections if not each.ended]
            time.sleep(0.02)
        with self._lock:
            for space in self._spaces.values():
                space.close()
            self._spaces.clear()

    def sessions(self) -> list[Session]:
        """The sessions that are open now."""
        return [served.session for connection in [*self._connections] for served in [*connection.sessions]]

    def _run(self) -> None:
        assert self._listener is not None
        next_round = 0.0
        while not self._stopping.is_set():
            try:
                sock, address = self._listener.accept()
            except TimeoutError:
                pass
            except OSError:  # out of descriptors, or the peer has gone
                if not self._stopping.is_set():
                    _log.exception("accept failed")
                    self._stopping.wait(_TICK_S)
            else:
                self._admit(sock, address[0].removeprefix("::ffff:"))
            if time.monotonic() >= next_round:
                self._end_the_late()
                next_round = time.monotonic() + _TICK_S

    def _admit(self, sock: socket.socket, ip: str) -> None:
        if problem := self._doorkeeper.refuses(ip, self._connections):
            _log.info("connection from %s refused: %s", ip, problem)
            sock.close()
            return
        try:
            _keep_alive(sock)
            connection = _Connection(self, sock, ip)
            connection.start(self._host_keys)
            self._connections.append(connection)
        except (OSError, paramiko.SSHException, RuntimeError):  # RuntimeError: no more threads
            _log.exception("connection from %s could not be served", ip)
            sock.close()

    def _end_the_late(self) -> None:
        for connection in list(self._connections):
            if connection.ended:
                connection.log_end()
                self._connections.remove(connection)
                self._doorkeeper.note(connection)
            elif connection.late:
                connection.cut()

    # What a connection asks of its server

    @property
    def limits(self) -> Limits:
        return self._limits

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def account_of(self, user: str, key: str, ip: str) -> Account | None:
        """The account this key opens from that address, None for every doubt and every error."""
        if not _USER.fullmatch(user):
            return None
        try:
            account = self._authorize(user, key)
            if account is None or not account.allow_from:
                return account
            networks = map(ipaddress.ip_network, account.allow_from)
            return account if any(ipaddress.ip_address(ip) in network for network in networks) else None
        except Exception:
            _log.exception("authorize failed; the login is refused")
            return None

    def start_session(self, connection: _Connection, channel: paramiko.Channel, account: Account) -> bool:
        """Serves `channel` in the account's space, on a thread of its own; False if the user has too many."""
        with self._lock:
            if (
                sum(session.user == account.user for session in self.sessions())
                >= self._limits.sessions_per_user
            ):
                _log.info("session for %s refused: too many", account.user)
                return False
            space = self._spaces.get(account.root)
            if space is None:
                space = Space(account.root, self._limits.max_file_bytes, self._limits.min_free)
                self._spaces[account.root] = space
            space.quota_bytes = account.quota_bytes
            session = Session(
                id=f"{self._started}-{next(self._session_ids)}",
                user=account.user,
                peer=connection.ip,
                key=connection.key,
                client=connection.client,
            )
            served = SftpSession(
                channel, session, account, space, self._journal, max_handles=self._limits.handles
            )
            arguments = (connection, channel, served)
            threading.Thread(
                target=self._serve, args=arguments, name=f"sftp-{session.id}", daemon=True
            ).start()
            connection.sessions.append(served)
            return True

    def _serve(self, connection: _Connection, channel: paramiko.Channel, served: SftpSession) -> None:
        exit_status = 1
        try:
            self._journal(LoggedIn(served.session))
            served.run()
            exit_status = 0
        except _BROKEN as error:
            _log.info("session %s ended: %s", served.session.id, error)
        except Exception:
            _log.exception("session %s failed", served.session.id)
        with contextlib.suppress(*_BROKEN):
            channel.send_exit_status(exit_status)  # scp fails without one
            channel.close()
        try:
            self._journal(LoggedOut(served.session))
        except Exception:
            _log.exception("the end of session %s was not recorded", served.session.id)
        with self._lock:  # not before start_session has put it there
            connection.sessions.remove(served)
            connection.quiet_since = time.monotonic()


class _Connection(paramiko.ServerInterface):
    """One TCP connection: what paramiko asks of a server, answered for it."""

    def __init__(self, server: Server, sock: socket.socket, ip: str) -> None:
        self.ip = ip
        self.key = ""
        self.sessions: list[SftpSession] = []
        self.quiet_since = time.monotonic()
        self.failures = 0
        self.logged_in = False
        self._server = server
        self._sock = sock
        self._transport = server_transport(sock)
        self._accepted: str | None = None
        self._channels = 0

    def start(self, host_keys: Sequence[paramiko.PKey]) -> None:
        for key in host_keys:
            self._transport.add_server_key(key)
        self._transport.set_keepalive(_KEEPALIVE_S)
        self._transport.start_server(event=threading.Event(), server=self)

    @property
    def client(self) -> str:
        return self._transport.remote_version[:255]

    @property
    def busy(self) -> bool:
        return self._transport.is_active() and any(session.busy for session in [*self.sessions])

    @property
    def ended(self) -> bool:
        """The connection is gone and its sessions have recorded what they left open."""
        return not self._transport.is_active() and not self.sessions

    @property
    def late(self) -> bool:
        """It has not logged in, or not done anything, for too long."""
        limits, now = self._server.limits, time.monotonic()
        if not self._transport.is_authenticated():
            return self.failures >= limits.login_tries or now - self.quiet_since > limits.login_grace_s
        active_at = max((session.active_at for session in [*self.sessions]), default=self.quiet_since)
        return now - active_at > limits.idle_s

    def cut(self) -> None:
        """Ends the connection without waiting for its threads, which notice at once."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def log_end(self) -> None:
        error = self._transport.saved_exception
        if error is not None and not isinstance(error, EOFError):
            _log.info("connection from %s: %s", self.ip, error)

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        """Asked for the unsigned offer of a key too, so it only says whether the key would do."""
        account = None
        if self.failures < self._server.limits.login_tries and not weakness(key):
            account = self._server.account_of(username, key.fingerprint, self.ip)
        self._accepted = key.fingerprint if account else None
        if account is None:
            self.failures += 1
            return AUTH_FAILED
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        if isinstance(self._transport.packetizer, CappedPacketizer):
            self._transport.packetizer.trusted = True
        self.logged_in = True
        if kind != "session":
            return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        self._channels += 1
        if self._channels > self._server.limits.channels:
            return OPEN_FAILED_RESOURCE_SHORTAGE
        return OPEN_SUCCEEDED

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        user = self._transport.get_username()
        if name != "sftp" or self._server.stopping or user is None or self._accepted is None:
            return False
        account = self._server.account_of(user, self._accepted, self.ip)
        if account is None:
            return False
        self.key = self._accepted
        try:
            return self._server.start_session(self, channel, account)
        except (OSError, RuntimeError):  # RuntimeError: no more threads
            _log.exception("session for %s could not be started", user)
            return False


@dataclass(slots=True)
class _Record:
    strikes: int = 0
    waits: int = 0
    until: float = 0.0


@dataclass(slots=True)
class _Doorkeeper:
    """Who may connect: counts of connections, and a wait for addresses whose logins keep failing."""

    limits: Limits
    records: dict[str, _Record] = field(default_factory=dict)

    def refuses(self, ip: str, connections: Sequence[_Connection]) -> str | None:
        """Why a connection from `ip` is not taken now, or None."""
        limits = self.limits
        by_ip = Counter(connection.ip for connection in connections)
        strangers = Counter(connection.ip for connection in connections if not connection.logged_in)
        record = self.records.get(ip)
        if record and time.monotonic() < record.until:
            return "it must wait after failed logins"
        if len(connections) >= limits.connections or by_ip[ip] >= limits.connections_per_ip:
            return "too many connections"
        if strangers.total() >= limits.unauthenticated or strangers[ip] >= limits.unauthenticated_per_ip:
            return "too many connections that have not logged in"
        return None

    def note(self, connection: _Connection) -> None:
        """Remembers how a connection ended."""
        ip = connection.ip
        if connection.logged_in:
            self.records.pop(ip, None)
        elif connection.failures and ip not in self.limits.never_wait:
            record = self.records.setdefault(ip, _Record())
            record.strikes += 1
            if record.strikes >= self.limits.strikes:
                record.until = time.monotonic() + min(3600.0, self.limits.first_wait_s * 2**record.waits)
                record.strikes, record.waits = 0, min(record.waits + 1, 10)
        if len(self.records) > 10_000:  # the oldest strangers are forgotten
            del self.records[next(iter(self.records))]


def _keep_alive(sock: socket.socket) -> None:
    """A peer that vanished must not hold a file open: notice it within about a minute."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.suppress(AttributeError, OSError):  # not every system has the option
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000)


def root_of(parent: Path, user: str) -> Path:
    """The usual place of an account's folders: `parent`/`user`. `ValueError` for a name no login has."""
    if not _USER.fullmatch(user) or user in {".", ".."}:
        raise ValueError(f"not a user name: {user!r}")
    return parent / user
