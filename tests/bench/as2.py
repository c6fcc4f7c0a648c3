"""What an AS2 message costs: CPU milliseconds to build and to open, and how far memory grows.

    python -P tests/bench/as2.py [--large]     --large adds 1 GiB of ours, and 100 MiB of pyas2lib's

Signed with SHA-256, encrypted with AES-256, MICs of every digest, files on disk, each size in a process of
its own. Gates: 2 KiB under 5 ms, 100 MiB under 600 ms, each way, and memory growth under 64 MiB.

Beside it, on the same payload in the same run: pyas2lib, which does the same in memory, and `openssl cms`,
two programs each way, which take no MIC.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import IO, NamedTuple

from gateway import as2

sys.path.insert(0, str(Path(__file__).parents[1] / "as2"))
sys.path.insert(0, str(Path(__file__).parent / "peers"))
import venvs
from as2_peer import NOW, company

MIB = 1024**2
SIZES = {"2 KiB": (2 * 1024, 200), "10 MiB": (10 * MIB, 5), "100 MiB": (100 * MIB, 3)}
LARGE = {"1 GiB": (1024 * MIB, 1)}
VARIANTS = {
    "AES-256-CBC": {"cipher": "aes256-cbc"},
    "AES-256-GCM": {"cipher": "aes256-gcm", "oaep": True},
    "CBC, compressed": {"cipher": "aes256-cbc"},
}
PEER_ROUNDS = {"2 KiB": 20, "10 MiB": 3, "100 MiB": 1}
_SIGN = ("cms", "-sign", "-binary", "-md", "sha256", "-signer", "pair", "-inkey", "pair", "-in", "payload")
_ENCRYPT = ("cms", "-encrypt", "-binary", "-stream", "-aes-256-cbc", "-outform", "DER", "-in", "signed")
_DECRYPT = ("cms", "-decrypt", "-binary", "-inform", "DER", "-recip", "pair", "-inkey", "pair", "-in", "body")
_VERIFY = ("cms", "-verify", "-binary", "-noverify", "-certfile", "pair", "-in", "opened", "-out", "again")
OPENSSL = (
    ((*_SIGN, "-out", "signed"), (*_ENCRYPT, "-out", "body", "pair")),
    ((*_DECRYPT, "-out", "opened"), _VERIFY),
)


class Cost(NamedTuple):
    """Of one message: CPU milliseconds each way, best and median, and MiB of growth where it is known."""

    build: float
    build_median: float
    open: float
    open_median: float
    grown: float | None


def fill(source: IO[bytes], size: int) -> None:
    """Order lines, each with numbers of its own: deflates about as well as real ones."""
    number = 0
    while (room := size - source.tell()) > 0:
        lines = (
            f"PO1*{n}*{n * 7919 % 97}*EA*{n * 104729 % 100000 / 100}**UP*{n * 1299709 % 10**12:012}~\r\n"
            for n in range(number, number + 20_000)
        )
        source.write("".join(lines).encode()[:room])
        number += 20_000


def measure(variant: str, size: int, rounds: int) -> Cost:
    """Ours, in this process."""
    us, partner = company("Tradelane").identity, company("Partner").identity
    policy = as2.Policy((us,), as2.Trust((partner.certificate,)))
    encrypt = as2.Encryption((us.certificate,), **VARIANTS[variant])  # type: ignore[arg-type]
    built_ms, opened_ms = [], []
    with tempfile.TemporaryFile() as source:
        fill(source, size)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(rounds):
            with tempfile.TemporaryFile() as spool, tempfile.TemporaryFile() as payload:
                source.seek(0)
                started = time.process_time()
                built = as2.build(
                    source, spool, as2_from="A", as2_to="B", message_id="<1@a>", now=NOW,
                    sign=as2.Signing(partner), encrypt=encrypt, receipt=as2.ReceiptRequest(),
                    compress="before-sign" if "compressed" in variant else "none",
                )  # fmt: skip
                built_ms.append((time.process_time() - started) * 1000)
                started = time.process_time()
                request = as2.parse_request_headers(built.headers)
                opened = as2.open_message(request, spool, policy=policy, payload=payload, now=NOW)
                opened_ms.append((time.process_time() - started) * 1000)
                assert opened.mic == built.mics["sha256"]
                assert opened.size == size
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return Cost(min(built_ms), median(built_ms), min(opened_ms), median(opened_ms), grown)


def ours(variant: str, size: str) -> Cost:
    """Ours, in a process of its own."""
    command = [sys.executable, "-P", __file__, "--one", variant, size]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return Cost(*map(float, done.stdout.split()))


def pyas2lib(folder: Path, size: str) -> Cost:
    """The peer's, each way in a process of its own. Raises NotMeasured."""
    found = []
    for work in ("pyas2lib_build", "pyas2lib_open"):
        with venvs.Peer("pyas2lib", work, folder / "payload", 1) as peer:
            answers = [peer.ask() for _ in range(PEER_ROUNDS[size])]
        ms = [answer.seconds * 1000 for answer in answers]
        found.append((min(ms), median(ms), max(answer.grown_mb for answer in answers)))
    (build, build_median, build_grown), (opened, open_median, open_grown) = found
    return Cost(build, build_median, opened, open_median, max(build_grown, open_grown))


def openssl(folder: Path, size: str) -> Cost:
    """`openssl cms`, with the start of its processes. Raises NotMeasured."""

    def each(commands: tuple[tuple[str, ...], ...]) -> Iterator[float]:
        for _ in range(PEER_ROUNDS[size]):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            for command in commands:
                subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            yield 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    try:
        built, opened = (list(each(commands)) for commands in OPENSSL)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise venvs.NotMeasured(str(error)) from None
    assert (folder / "again").read_bytes() == (folder / "payload").read_bytes()
    return Cost(min(built), median(built), min(opened), median(opened), None)


def beside(size: str, ours: Cost, large: bool) -> None:
    """What others take for the same payload."""
    peers: dict[str, Callable[[Path, str], Cost]] = {"openssl cms": openssl}
    if large or size != "100 MiB":
        peers["pyas2lib 1.4.4"] = pyas2lib
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pair = company("Peer")
        for file in ("pair", "payload.pem"):
            (folder / file).write_bytes(pair.key_pem + pair.certificate_pem)
        with (folder / "payload").open("wb") as payload:
            fill(payload, SIZES[size][0])
        for who, peer in peers.items():
            try:
                show(f"  {who}", size, peer(folder, size), ours)
            except venvs.NotMeasured as why:
                print(f"  {who}: {why}")


def show(who: str, size: str, cost: Cost, beside: Cost | None = None) -> None:
    """A line of the table; beside another, how many times as much each way costs."""
    grown = f"{cost.grown:.1f}" if cost.grown is not None else ""
    times = f"{cost.build / beside.build:9.1f}{cost.open / beside.open:7.1f}" if beside is not None else ""
    ms = f"{cost.build:10.1f}{cost.build_median:9.1f}{cost.open:10.1f}{cost.open_median:9.1f}"
    print(f"{who:18}{size:>9}{ms}{grown:>9}{times}", flush=True)


def main() -> None:
    large = "--large" in sys.argv
    print(
        f"{'CPU ms':18}{'':9}{'build':>10}{'median':>9}{'open':>10}{'median':>9}{'MiB':>9}{'times ours':>16}"
    )
    for variant in VARIANTS:
        for size in SIZES | (LARGE if large else {}):
            cost = ours(variant, size)
            show(variant, size, cost)
            if variant == "AES-256-CBC" and size in SIZES:
                beside(size, cost, large)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(*measure(sys.argv[2], *(SIZES | LARGE)[sys.argv[3]]))
    else:
        main()
