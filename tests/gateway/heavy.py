"""Two gateways that trade large files over AS2, each a process whose memory and disk can be read."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from gateway.cli.demo import Gateway

MIB = 1024 * 1024


class Side(NamedTuple):
    """One of the two: what it costs."""

    gateway: Gateway

    @property
    def _process(self) -> Path:
        assert self.gateway.process is not None
        return Path("/proc", str(self.gateway.process.pid))

    @property
    def peak(self) -> float:
        """The most MiB that were ever resident."""
        return int((self._process / "status").read_text().partition("VmHWM:")[2].split()[0]) / 1024

    @property
    def cpu_s(self) -> float:
        """Seconds of CPU so far."""
        fields = (self._process / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def passed(self) -> tuple[float, float]:
        """MiB read and written so far, of files and sockets."""
        counts = dict(line.split(": ") for line in (self._process / "io").read_text().splitlines())
        return int(counts["rchar"]) / MIB, int(counts["wchar"]) / MIB

    @property
    def stored(self) -> float:
        """MiB of payloads on disk."""
        files = (self.gateway.home / "data" / "blobs").rglob("*")
        return sum(path.stat().st_size for path in files if path.is_file()) / MIB

    @property
    def temporary(self) -> list[Path]:
        """Files of what is not kept."""
        return list((self.gateway.home / "data" / "blobs" / "tmp").iterdir())


@contextmanager
def two(folder: Path, *, compress: str = "none", transfer: str = "length") -> Iterator[tuple[Side, Side]]:
    """A sender and a receiver, signed and encrypted, which have traded one small file already."""
    sender, receiver = Gateway(folder / "sender" / "home"), Gateway(folder / "receiver" / "home")
    for gateway, name in ((sender, "SENDER"), (receiver, "RECEIVER")):
        gateway.command("init", "--name", name, "--as2-id", name, "--isa", f"ZZ:{name}")
    receiver.command(
        "partner", "add", "sender", "--role", "retailer", "--isa", "ZZ:SENDER", "--as2-id", "SENDER",
        "--cert", str(sender.home / "certs" / "us.crt"), "--live",
    )  # fmt: skip
    try:
        receiver.start()
        sender.command(
            "partner", "add", "receiver", "--role", "retailer", "--isa", "ZZ:RECEIVER",
            "--as2-id", "RECEIVER", "--as2-url", receiver.as2, "--compress", compress,
            "--cert", str(receiver.home / "certs" / "us.crt"), "--live",
        )  # fmt: skip
        file = sender.home / "partners.toml"
        table = "[partner.receiver.as2]\n"
        assert table in file.read_text()
        file.write_text(file.read_text().replace(table, f'{table}http = {{ transfer = "{transfer}" }}\n'))
        sender.start()
        small = folder / "small"
        small.write_bytes(b"small")
        send(sender, small)
        yield Side(sender), Side(receiver)
    finally:
        for gateway in (sender, receiver):
            gateway.stop()


def send(sender: Gateway, file: Path, *, timeout_s: float = 60.0) -> None:
    """Have a file sent, and wait for its receipt."""
    command = (sys.executable, "-m", "gateway", "--home", sender.home, "send", "receiver", file)
    wait = ("--wait", "--timeout", str(timeout_s), "--json")
    done = subprocess.run([*command, *wait], env=sender.environment, capture_output=True, check=False)
    assert done.returncode == 0, done
    sent = json.loads(done.stdout)
    assert (sent["status"], sent["mic_match"]) == ("delivered", True), sent


def received(receiver: Gateway, file: Path) -> bool:
    """Whether the receiver holds what was sent."""
    with file.open("rb") as data:
        sha256 = hashlib.file_digest(data, "sha256").hexdigest()
    rows = [json.loads(line) for line in receiver.command("inbox", "--json").splitlines()]
    stored = receiver.home / "data" / "blobs" / sha256[:2] / sha256
    return sha256 in {row["sha256"] for row in rows} and stored.stat().st_size == file.stat().st_size


def fill(file: Path, size: int) -> None:
    """A file of bytes that do not repeat in any window of compression."""
    block = os.urandom(MIB)
    with file.open("wb") as out:
        for number in range(0, size, MIB):
            out.write((number.to_bytes(8, "big") + block[8:])[: size - number])
