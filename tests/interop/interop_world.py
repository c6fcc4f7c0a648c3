"""Gateways and peers that trade: what a case of the matrix needs, and how it is judged.

Two gateways, because one signs with one key: one of RSA, and one of an elliptic curve. Each has a partner for
everything agreed in some case. Receipts are signed like the message. Peers share no code with ours.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from click.testing import CliRunner
from interop_matrix import HUGE, LAYERS, PAYLOADS, Case
from sqlalchemy import Row, select

from gateway import as2, channels, queries
from gateway.cli import main
from gateway.config import Address
from gateway.home import Home
from gateway.pipeline import dispatch
from gateway.server import Addresses, Server
from gateway.store.tables import transmission

ROOT = Path(__file__).parents[2]
HERE = ROOT / "tests" / "peers"
JAVA = ROOT / "build" / "peers" / "bouncycastle"
PACKAGES = (
    "default-jdk-headless",
    "libbcmail-java",
    "libbcpkix-java",
    "libbcprov-java",
    "libbcutil-java",
    "libmail-java",
)
JARS = ("bcmail", "bcpkix", "bcprov", "bcutil", "javax.mail", "javax.activation")
PATIENCE_S, LONG_PATIENCE_S = 120.0, 900.0  # for receipts; the latter for a huge payload at a slow peer
PROCESSED = "automatic-action/MDN-sent-automatically; processed"
TYPE = "application/octet-stream"
OAEP = bytes.fromhex("06092a864886f70d010107")  # id-RSAES-OAEP, in DER

Answer = dict[str, str]


class Unavailable(Exception):
    """A peer's programs are not here; says what is missing."""


# Programs of the peers.


def command(peer: str) -> list[str]:
    """How a peer's process is started, without the folder of its keys. Raises Unavailable."""
    match peer:
        case "openssl":
            _needs("openssl")
            return [sys.executable, str(HERE / "openssl_peer.py")]
        case "pyas2lib":
            python = os.environ.get("PYAS2LIB_PYTHON") or str(ROOT / "build" / "pyas2lib" / "bin" / "python")
            if not Path(python).exists():
                raise Unavailable("needs PYAS2LIB_PYTHON, an interpreter that has pyas2lib")
            return [python, str(HERE / "pyas2lib_peer.py")]
        case _:
            return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx4g",
                    "-cp", os.pathsep.join([str(_compiled()), *_jars()]), "tradelane.peer.Peer"]  # fmt: skip


def _needs(program: str) -> None:
    if shutil.which(program) is None:
        raise Unavailable(f"needs {program}")


def _jars() -> list[str]:
    files = [f"/usr/share/java/{name}.jar" for name in JARS]
    for file in files:
        if not Path(file).exists():
            raise Unavailable(f"needs {file}: apt-get install {' '.join(PACKAGES)}")
    return files


def _compiled() -> Path:
    """The folder of the peer's classes, compiled anew when a source has changed."""
    _needs("java")
    sources = sorted((HERE / "bouncycastle").glob("*.java"))
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    folder = JAVA / digest
    if not folder.exists():
        _needs("javac")
        made = JAVA / f"{digest}.{os.getpid()}"  # another test process may compile at the same time
        subprocess.run(
            ["javac", "-proc:none", "-d", made, "-cp", os.pathsep.join(_jars()), *sources], check=True
        )
        try:
            made.rename(folder)
        except OSError:
            shutil.rmtree(made)
    return folder


class Peer:
    """A peer's process, asked one question at a time."""

    def __init__(self, name: str, keys: Path) -> None:
        self._log = keys / f"{name}.log"
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [*command(name), str(keys)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        ready = self._line()
        self.url, self.versions = ready["url"], ready["versions"]

    def _line(self) -> Answer:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the peer died: {self._log.read_text()[-2000:]}"
        return dict(parse_qsl(line.rstrip("\n"), keep_blank_values=True))

    def ask(self, do: str, **question: str) -> Answer:
        """Its answer, which may be an `error`."""
        assert self._process.stdin is not None
        self._process.stdin.write(urlencode({"do": do} | question) + "\n")
        self._process.stdin.flush()
        return self._line()

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait(timeout=30)


# Keys and homes.


def make_keys(folder: Path) -> None:
    """A pair of RSA and one of an elliptic curve for the gateway and for the peers."""
    for name in ("gateway", "peer"):
        _make_pair(folder, name, name, "rsa:2048")
        _make_pair(folder, f"{name}-ec", f"{name} on a curve", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    both = (folder / "gateway.crt").read_bytes() + (folder / "gateway-ec.crt").read_bytes()
    (folder / "gateway-all.crt").write_bytes(both)


def _make_pair(folder: Path, name: str, subject: str, kind: str, *options: str) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", kind, *options, "-nodes", "-days", "30",
         "-subj", f"/CN={subject}", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    (folder / f"{name}.key").chmod(0o600)


def _partner(case: Case, name: str, keys: Path, url: str) -> str:
    """The tables of what is agreed with a peer in a case, for partners.toml."""
    layers = LAYERS[case.layers]
    receipt, _, mode = case.receipt.partition(" ")
    certs = [f'{{ file = "{keys}/peer.crt" }}']
    if case.scheme == "ecdsa":
        certs.append(f'{{ file = "{keys}/peer-ec.crt", encrypt_from = 2999-01-01 }}')
    lines = [
        f"[partner.{name}]",
        'role = "retailer"',
        'status = "live"',
        f'isa = {{ qualifier = "ZZ", id = "PEER{name.rpartition("-")[2]}" }}',
        f"[partner.{name}.as2]",
        f'id = "{name}"',
        f'url = "{url}"',
        f'sign = "{case.digest if layers.sign else "none"}"',
        f'encrypt = "{case.cipher if layers.encrypt else "none"}"',
        f'compress = "{layers.compress}"',
        f'mdn = {{ mode = "{mode or "none"}", signed = {str(receipt == "signed").lower()} }}',
        'retry = { attempts = 2, first = "1s" }',
        f"certs = [{', '.join(certs)}]",
    ]
    if case.scheme == "pss":
        lines.append('signature = "pss"')
    if case.transport == "oaep":
        lines.append('key_transport = "oaep"')
    return "\n".join(lines) + "\n\n"


def _us(as2_id: str, keys: Path, *, curve: bool) -> str:
    listed = [f'{{ id = "1", cert = "{keys}/gateway.crt", key = "file:{keys}/gateway.key" }}']
    if curve:
        listed.append(
            f'{{ id = "2", cert = "{keys}/gateway-ec.crt", key = "file:{keys}/gateway-ec.key", '
            "sign_from = 2020-01-01 }"
        )
    return (
        f'schema = 1\n[us]\nname = "{as2_id}"\nas2_id = "{as2_id}"\n'
        f'isa = {{ qualifier = "ZZ", id = "{as2_id}" }}\nkeys = [{", ".join(listed)}]\n\n'
    )


class Ours(NamedTuple):
    """A gateway of ours that serves in this process."""

    as2_id: str
    home: Home
    url: str


@contextmanager
def _serving(folder: Path, as2_id: str, text: str) -> Iterator[Ours]:
    folder.mkdir()
    (folder / "partners.toml").write_text(text)
    made = CliRunner().invoke(main, ["--home", str(folder), "init"])
    assert made.exit_code == 0, made.output
    home = Home.open(folder)
    here = Address("127.0.0.1", 0)
    server = Server(home, Addresses(here, here, here))
    try:
        yield Ours(as2_id, home, server.start()["as2"])
    finally:
        server.stop()
        home.close()


class World:
    """Peers and gateways for some cases. `run` says what is wrong with one of them."""

    def __init__(self, folder: Path, cases: Iterable[Case], peers: dict[str, Peer]) -> None:
        self._folder = folder
        self._keys = folder / "keys"
        self.peers = peers
        self._names: dict[Case, str] = {}
        self._numbers = itertools.count(1)
        for number, policy in enumerate(dict.fromkeys(case.policy for case in cases)):
            self._names[policy] = f"{policy.peer}-{number}"
        self._payloads: dict[str, Path] = {}
        self._ours: dict[bool, Ours] = {}

    def tables(self, *, curve: bool) -> str:
        """The partners of one gateway."""
        return "".join(
            _partner(case, name, self._keys, self.peers[case.peer].url)
            for case, name in self._names.items()
            if _on_curve(case) == curve
        )

    def serve(self, stack: ExitStack) -> None:
        """Start the gateways that have partners."""
        for curve, as2_id in ((False, "TRADELANE"), (True, "TRADELANE-EC")):
            tables = self.tables(curve=curve)
            if tables:
                text = _us(as2_id, self._keys, curve=curve) + tables
                self._ours[curve] = stack.enter_context(_serving(self._folder / as2_id.lower(), as2_id, text))

    def payload(self, name: str) -> Path:
        """The file of a payload."""
        if name not in self._payloads:
            data = PAYLOADS["1 MiB"] * 100 if name == HUGE else PAYLOADS[name]
            path = self._folder / f"payload-{name.replace(' ', '-')}.bin"
            path.write_bytes(data)
            self._payloads[name] = path
        return self._payloads[name]

    def run(self, case: Case, **options: str) -> list[str]:
        """Let a message of a case go its way; everything that is wrong with it."""
        ours, peer = self._ours[_on_curve(case)], self.peers[case.peer]
        with open(self.payload(case.payload), "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if case.direction == "out":
            return self._out(case, ours, peer, sha256)
        return self._in(case, ours, peer, sha256, options)

    def wire(self, case: Case) -> bytes:
        """The body of the last message of what was agreed in a case, as it crossed the wire."""
        return self._blob(case, "wire_sha256")

    def receipt(self, case: Case) -> bytes:
        """The body of the last receipt that we got."""
        return self._blob(case, "receipt_sha256")

    def _blob(self, case: Case, column: str) -> bytes:
        store = self._ours[_on_curve(case)].home.store
        with store.read() as conn:
            sha256 = conn.execute(
                select(transmission.c[column])
                .where(transmission.c.partner == self._names[case.policy])
                .order_by(transmission.c.created_at.desc(), transmission.c.id.desc())
                .limit(1)
            ).scalar_one()
        with store.fetch(sha256) as file:
            return file.read()

    def _out(self, case: Case, ours: Ours, peer: Peer, sha256: str) -> list[str]:
        partner = ours.home.config.partner(self._names[case.policy])
        with open(self.payload(case.payload), "rb") as file:
            identity = dispatch.dispatch(ours.home, partner, file, filename="payload.bin", content_type=TYPE)
        until(
            lambda: queries.sent(ours.home, identity)["status"] != "pending",
            LONG_PATIENCE_S if case.payload == HUGE else PATIENCE_S,
        )
        sent = queries.sent(ours.home, identity)
        found = peer.ask("received", id=sent["message_id"])
        if "error" in found:
            return [f"the peer: {found['error']}"]
        told: dict[str, tuple[Any, Any]] = {
            "payload": (found["sha256"], sha256),
            "status": (sent["status"], "delivered"),
            "error": (sent["error"], None),
        }
        layers = {
            "sign": _or_none(case.digest),
            "scheme": _or_none(case.scheme),
            "encrypt": _or_none(case.cipher),
            "transport": _or_none(case.transport),
            "compress": LAYERS[case.layers].compress,
        }
        for name, wanted in layers.items():
            if (
                found[name] != "some" or wanted == "none"
            ):  # "some": there was one, and the peer does not tell which
                told[name] = (found[name], wanted)
        if case.receipt != "none":
            told |= {
                "disposition": (_words(sent["disposition"]), PROCESSED),
                "receipt signed": (sent["receipt_signed"], case.receipt.startswith("signed")),
                "MIC equal": (sent["mic_match"], True),
            }
        return _differences(told)

    def _layers(self, case: Case, ours: Ours, row: Row[Any]) -> dict[str, tuple[Any, Any]]:
        """What a message to us was made of, and what its case asks for: less might have been accepted."""
        relation = ours.home.config.partner(row.partner).as2
        assert relation is not None
        with ours.home.store.fetch(row.wire_sha256) as body, open(os.devnull, "wb") as nowhere:
            opened = as2.open_message(
                as2.parse_request_headers([(name, value) for name, value in row.wire_headers]),
                body,
                policy=channels.policy(ours.home.config, relation, ours.home.now()),
                payload=nowhere,
                now=ours.home.now(),
            )
            body.seek(0)
            transport = "oaep" if OAEP in body.read(8192) else "pkcs1"
        told = {
            "signed": (opened.signed_with is not None, LAYERS[case.layers].sign),
            "encrypt": (opened.encrypted_with or "-", case.cipher),
            "transport": (transport if opened.encrypted_with else "-", case.transport),
            "compress": (opened.compression, LAYERS[case.layers].compress),
        }
        return told | ({"digest": (opened.mic_algorithm, case.digest)} if LAYERS[case.layers].sign else {})

    def _in(self, case: Case, ours: Ours, peer: Peer, sha256: str, options: dict[str, str]) -> list[str]:
        layers = LAYERS[case.layers]
        receipt, _, mode = case.receipt.partition(" ")
        message_id = f"<{next(self._numbers)}.{os.getpid()}@peer.example>"
        question = {
            "url": ours.url,
            "from": self._names[case.policy],
            "to": ours.as2_id,
            "id": message_id,
            "payload": str(self.payload(case.payload)),
            "type": TYPE,
            "filename": "payload.bin",
            "sign": _or_none(case.digest),
            "scheme": _or_none(case.scheme),
            "encrypt": _or_none(case.cipher),
            "transport": _or_none(case.transport),
            "compress": layers.compress,
            "receipt": receipt,
            "mode": mode,
            "recipients": "one",
            "encoding": "binary",
            "transfer": "length",
        }
        answer = peer.ask("send", **(question | options))
        if "error" in answer:
            return [f"the peer: {answer['error']}"]
        with ours.home.store.read() as conn:
            row = conn.execute(
                select(transmission).where(transmission.c.message_id == message_id)
            ).one_or_none()
        if row is None:
            return [f"nothing was received; the answer was {answer}"]
        told: dict[str, tuple[Any, Any]] = {
            "payload": (row.sha256, sha256),
            "error": (row.error if row.status == "refused" else None, None),
            "HTTP status": (answer["status"], "200" if mode == "sync" else "204"),
            "filename": (row.filename, "payload.bin"),
        }
        if row.status != "refused":
            told |= self._layers(case, ours, row)
        if receipt != "none":
            signed_with = case.digest if layers.sign else "sha256"
            told |= {
                "disposition": (answer["disposition"], PROCESSED),
                "receipt signed": (answer["receipt"], signed_with if receipt == "signed" else "none"),
                "MIC": (answer["mic"], "equal"),
            }
        return _differences(told)


def _on_curve(case: Case) -> bool:
    return case.scheme == "ecdsa"


def _or_none(value: str) -> str:
    return "none" if value == "-" else value


def _words(text: str | None) -> str:
    return " ".join((text or "").split())


def _differences(told: dict[str, tuple[Any, Any]]) -> list[str]:
    return [f"{name} is {got!r}, not {wanted!r}" for name, (got, wanted) in told.items() if got != wanted]


def until(ask: Callable[[], bool], patience_s: float) -> None:
    """Wait until it is so."""
    end = time.monotonic() + patience_s
    while not ask():
        assert time.monotonic() < end, f"not within {patience_s:.0f} s"
        time.sleep(0.01)


@contextmanager
def trading(folder: Path, cases: Iterable[Case]) -> Iterator[World]:
    """Peers and gateways for some cases. Raises Unavailable when a peer's programs are not here."""
    cases = list(cases)
    keys = folder / "keys"
    keys.mkdir()
    make_keys(keys)
    with ExitStack() as stack:
        peers: dict[str, Peer] = {}
        for name in dict.fromkeys(case.peer for case in cases):
            peers[name] = Peer(name, keys)
            stack.callback(peers[name].close)
        world = World(folder, cases, peers)
        world.serve(stack)
        yield world
