"""A gateway that serves in a process of its own, looked at by its command line, and X12 written by hand."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from click.testing import CliRunner

import gateway
from gateway.cli import main

T = TypeVar("T")

SAMPLE = (Path(gateway.__path__[0]) / "samples" / "850.x12").read_text("latin-1")
BODY = [line for line in SAMPLE.replace("\n", "").split("~") if line][3:-3]  # BEG to AMT
BIGMART = ("08", "9254110060")
US = ("ZZ", "NORTHWIND")
_numbers = itertools.count(1000)


def number() -> int:
    """A control number no other test of this module uses."""
    return next(_numbers)


def until(ask: Callable[[], T], timeout_s: float = 15.0) -> T:
    """What `ask` gives once it gives anything; the test fails when it does not in time."""
    end = time.monotonic() + timeout_s
    while True:
        found = ask()
        if found:
            return found
        assert time.monotonic() < end, f"nothing within {timeout_s:.0f} s"
        time.sleep(0.1)


class Ran(NamedTuple):
    """What a command left behind."""

    exit: int
    out: bytes
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Gateway:
    """One home and the process that serves it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.as2 = self.web = self.sftp = ""
        self.process: subprocess.Popen[bytes] | None = None
        self.log_file = home.parent / f"{home.name}.log"

    def run(self, *words: object, input: bytes | None = None) -> Ran:
        """A command on this home, in this process."""
        result = CliRunner().invoke(main, ["--home", str(self.home), *map(str, words)], input=input)
        return Ran(result.exit_code, result.stdout_bytes, result.stderr)

    def must(self, *words: object) -> Ran:
        """A command that has to succeed."""
        ran = self.run(*words)
        assert ran.exit == 0, ran.err
        return ran

    def start(self) -> None:
        """Serve, and return once it is ready."""
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "--home", self.home, "serve",
                 "--as2", "127.0.0.1:0", "--web", "127.0.0.1:0", "--sftp", "127.0.0.1:0"],
                stdout=subprocess.PIPE, stderr=log, env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log
        ready = json.loads(line)
        self.as2, self.web, self.sftp = ready["as2"], ready["web"], ready["sftp"]

    def stop(self) -> None:
        """Drain and end; nothing that happened may have left a traceback in the log."""
        if self.process is None or self.process.stdout is None:
            return
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.process.stdout.close()
        assert code == 0, self.log
        assert "Traceback" not in self.log, self.log

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    @property
    def healthy(self) -> bool:
        """Whether the process lives and says that it is well."""
        assert self.process is not None
        if self.process.poll() is not None:
            return False
        with urllib.request.urlopen(f"{self.web}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)

    # What is to be seen from outside.

    def inbox(self) -> list[dict[str, Any]]:
        return self.must("inbox", "--json").lines

    def received(self, message_id: str) -> list[dict[str, Any]]:
        """The transmissions of a Message-ID."""
        return [row for row in self.inbox() if row["message_id"] == message_id]

    def settled(self, message_id: str) -> dict[str, Any]:
        """The one transmission of a Message-ID, once it was read."""

        def ask() -> list[dict[str, Any]]:
            return [row for row in self.received(message_id) if row["status"] != "stored"]

        (row,) = until(ask)
        return self.show(row["id"])

    def show(self, identity: str) -> dict[str, Any]:
        found: dict[str, Any] = self.must("doc", "show", identity, "--json").json
        return found

    def documents(self, **like: object) -> list[dict[str, Any]]:
        """Documents whose columns have these values."""
        rows = self.must("doc", "list", "--json").lines
        return [row for row in rows if all(row[key] == value for key, value in like.items())]

    def answers(self, type: str, control: int) -> list[list[list[str]]]:
        """Every 997 or TA1 we wrote about a group's or an interchange's number, as segments."""
        rows = self.documents(direction="out", type=type)
        mine = [row for row in rows if row["number"] and int(row["number"]) == control]
        return [segments(self.must("doc", "raw", row["id"]).out) for row in mine]

    def answer(self, type: str, control: int) -> list[list[str]]:
        """The one 997 or TA1 about a number, once it is there."""
        (found,) = until(lambda: self.answers(type, control))
        return found

    def erp(self) -> list[dict[str, Any]]:
        """What the ERP was given."""
        return [json.loads(path.read_bytes()) for path in (self.home / "erp" / "out").glob("*.json")]

    def erp_has(self, number: str) -> list[dict[str, Any]]:
        return [document for document in self.erp() if document.get("number") == number]

    def dead(self, identity: str) -> list[dict[str, Any]]:
        return [row for row in self.must("dead", "list", "--json").lines if row["id"] == identity]


def segments(data: bytes) -> list[list[str]]:
    """Segments of an interchange as lists of elements."""
    text = data.decode("latin-1")
    return [row.strip("\r\n").split(text[3]) for row in text.split(text[105]) if row.strip("\r\n")]


def named(part: str, root: Path) -> list[Path]:
    """Every file or folder below a root whose name has this part, while others come and go."""
    return [
        Path(folder) / name
        for folder, folders, files in os.walk(root)
        for name in [*folders, *files]
        if part in name
    ]


def ids(rows: list[list[str]], id: str) -> list[list[str]]:
    """The segments of one kind."""
    return [row for row in rows if row[0] == id]


# X12, written by hand.


def order(purchase_order: str, control: int = 1, body: list[str] | None = None) -> list[str]:
    """An 850 from ST to SE."""
    rows = list(BODY if body is None else body)
    rows[0] = rows[0].replace("08292233294", purchase_order)
    return [f"ST*850*{control:04}", *rows, f"SE*{len(rows) + 2}*{control:04}"]


def isa(
    number: int,
    sender: tuple[str, str] = BIGMART,
    receiver: tuple[str, str] = US,
    *,
    usage: str = "P",
    ack: str = "0",
) -> str:
    return (
        f"ISA*00*          *00*          *{sender[0]}*{sender[1]:15}*{receiver[0]}*{receiver[1]:15}"
        f"*260305*1200*U*00401*{number:09}*{ack}*{usage}*>"
    )


def interchange(
    number: int,
    *sets: list[str],
    sender: tuple[str, str] = BIGMART,
    receiver: tuple[str, str] = US,
    functional_id: str = "PO",
    usage: str = "P",
    ack: str = "0",
) -> bytes:
    """One group in one interchange, both with this control number."""
    rows = [
        isa(number, sender, receiver, usage=usage, ack=ack),
        f"GS*{functional_id}*{sender[1]}*{receiver[1]}*20260305*1200*{number}*X*004010",
        *itertools.chain(*sets),
        f"GE*{len(sets)}*{number}",
        f"IEA*1*{number:09}",
    ]
    return ("~".join(rows) + "~").encode("latin-1")


def mutated(data: bytes, *changes: tuple[str, str]) -> bytes:
    """The same with each text replaced once; a text that is not there fails the test."""
    for old, new in changes:
        assert old.encode() in data, old
        data = data.replace(old.encode(), new.encode("latin-1"), 1)
    return data


@contextmanager
def running(gateway: Gateway) -> Iterator[Gateway]:
    """Serve while the block runs."""
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop()


def partner(
    name: str,
    as2_id: str,
    isa: tuple[str, str],
    *,
    status: str = "live",
    url: str | None = None,
    sign: str = "sha256",
    encrypt: str = "aes256-cbc",
    mdn: str = "sync",
    ack: str = "24h",
    types: str = "850",
) -> str:
    """The tables of a retailer over AS2, its certificate at certs/NAME.crt, for partners.toml."""
    lines = [
        f"[partner.{name}]",
        'role = "retailer"',
        f'status = "{status}"',
        'usage = "P"',
        f'isa = {{ qualifier = "{isa[0]}", id = "{isa[1]}" }}',
        f"[partner.{name}.as2]",
        f'id = "{as2_id}"',
        f'sign = "{sign}"',
        f'encrypt = "{encrypt}"',
        f'mdn = {{ mode = "{mdn}" }}',
        f'certs = [{{ file = "certs/{name}.crt" }}]',
        *([f'url = "{url}"'] if url else []),
    ]
    for type, direction in [(types, "in"), ("997", "in"), ("856", "out"), ("810", "out"), ("997", "out")]:
        lines += [f"[[partner.{name}.document]]", f'type = "{type}"', f'direction = "{direction}"']
        lines += [f'ack = {{ due = "{ack}" }}'] if type in {"856", "810"} else []
    return "\n".join(lines) + "\n\n"


def made(folder: Path, *tables: str, server: str = "", unb: tuple[str, str] | None = None) -> Gateway:
    """A home of Northwind's with these partners, its keys made by `init`; it does not serve yet."""
    gateway = Gateway(folder / "home")
    flags = ["--unb", ":".join(unb)] if unb is not None else []
    gateway.must("init", "--name", "Northwind", "--as2-id", US[1], "--isa", ":".join(US), *flags)
    file = gateway.home / "partners.toml"
    listen = f"[server]\n{server}\n\n" if server else ""
    file.write_text(file.read_text() + "\n" + listen + "".join(tables))
    return gateway
