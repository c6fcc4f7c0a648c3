"""A running server on loopback with its accounts, and the clients that trade with it."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import paramiko
import pytest

from sftp import wire
from sftp.events import Account, Event
from sftp.keys import load_private_key, public_line
from sftp.server import Server


def need(program: str) -> str:
    """The path of a program outside Python; a test that lacks it says so and skips, but not in CI."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{program} is not installed")
    return path


def eventually(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within 10 s: {what}")
        time.sleep(0.01)


@dataclass
class Ledger:
    """A journal that keeps what it hears and can be told to refuse."""

    events: list[Event] = field(default_factory=list)
    refuse: dict[type, Exception] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, event: Event) -> None:
        if type(event) in self.refuse:
            raise self.refuse[type(event)]
        with self.lock:
            self.events.append(event)

    def of(self, kind: type) -> list:
        with self.lock:
            return [event for event in self.events if type(event) is kind]

    def paths(self, kind: type) -> list[str]:
        return [event.path for event in self.of(kind)]


@dataclass(frozen=True)
class Keys:
    folder: Path
    host: Sequence[paramiko.PKey]  # loading an RSA key takes a while
    acme: Path  # private keys, with .pub beside them
    globex: Path


@dataclass
class Peer:
    """One server with the accounts acme and globex, and ways to reach it as acme."""

    keys: Keys
    parent: Path
    ledger: Ledger
    server: Server
    accounts: dict[str, tuple[Account, frozenset[str]]]
    port: int = 0

    @property
    def root(self) -> Path:
        return self.parent / "acme"

    @property
    def inbox(self) -> Path:
        return self.root / "in"

    @property
    def outbox(self) -> Path:
        return self.root / "out"

    def change(self, **settings: object) -> None:
        """Changes settings of acme's account."""
        account, allowed = self.accounts["acme"]
        self.accounts["acme"] = (replace(account, **settings), allowed)

    def ssh_options(self, key: Path | None = None) -> list[str]:
        known = self.parent / "known_hosts"
        if not known.exists():
            lines = [f"[127.0.0.1]:{self.port} {public_line(key)}\n" for key in self.keys.host]
            known.write_text("".join(lines))
        options = ["BatchMode=yes", "IdentitiesOnly=yes", f"UserKnownHostsFile={known}", "LogLevel=ERROR"]
        return [
            "-F", "none", "-i", str(key or self.keys.acme), *(part for one in options for part in ("-o", one))
        ]  # fmt: skip

    def sftp(self, *commands: str, options: tuple[str, ...] = (), check: bool = True) -> str:
        """Runs OpenSSH's sftp with a batch of commands and returns what it printed."""
        done = subprocess.run(
            [need("sftp"), "-b", "-", "-P", str(self.port), *options, *self.ssh_options(), "acme@127.0.0.1"],
            input="".join(f"{command}\n" for command in commands),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(f"sftp exited {done.returncode}: {done.stderr}")
        return done.stdout if check else done.stdout + done.stderr

    def transport(self, user: str = "acme", key: Path | None = None) -> paramiko.Transport:
        transport = paramiko.Transport(("127.0.0.1", self.port))
        try:
            transport.start_client(timeout=15)
            transport.auth_publickey(user, load_private_key(key or getattr(self.keys, user)))
        except BaseException:
            transport.close()
            raise
        return transport

    def client(self, user: str = "acme") -> paramiko.SFTPClient:
        client = paramiko.SFTPClient.from_transport(self.transport(user))
        assert client is not None
        return client


class Raw:
    """SFTP packets as a hostile client writes them, over a login of acme's."""

    def __init__(self, transport: paramiko.Transport) -> None:
        self.channel = transport.open_session(timeout=15)
        self.channel.settimeout(15)
        self.channel.invoke_subsystem("sftp")
        self.number = 0
        self.version = self.ask_raw(struct.pack(">IBI", 5, 1, 3))

    def ask_raw(self, packet: bytes) -> bytes:
        self.channel.sendall(packet)
        length = int.from_bytes(self._read(4))
        return self._read(length)

    def ask(self, op: int, *fields: bytes | int) -> tuple[int, bytes]:
        """Sends a request of strings (bytes) and 32-bit numbers; the answer's type and body."""
        self.number += 1
        body = b"".join(
            wire.string(each) if isinstance(each, bytes) else struct.pack(">I", each) for each in fields
        )
        answer = self.ask_raw(wire.packet(op, self.number, body))
        assert int.from_bytes(answer[1:5]) == self.number
        return answer[0], answer[5:]

    def status(self, op: int, *fields: bytes | int) -> int:
        """The status code of the answer; OK also for an answer that is no status."""
        kind, body = self.ask(op, *fields)
        return int.from_bytes(body[:4]) if kind == wire.Op.STATUS else wire.Code.OK

    def open(self, path: bytes, flags: int) -> bytes:
        kind, body = self.ask(wire.Op.OPEN, path, flags, 0)
        assert kind == wire.Op.HANDLE, body
        return body[4:]

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            received = self.channel.recv(count - len(data))
            if not received:
                raise EOFError
            data += received
        return data
