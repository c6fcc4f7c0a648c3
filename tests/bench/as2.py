"""What an AS2 message costs: CPU milliseconds to build and to open, and how far memory grows.

    python tests/bench/as2.py [--large]     --large adds 1 GiB

Signed with SHA-256, encrypted with AES-256, MICs of every digest, files on disk, each size in a process of
its own. Gates: 2 KiB under 5 ms, 100 MiB under 600 ms, each way, and memory growth under 64 MiB.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

from gateway import as2

sys.path.insert(0, str(Path(__file__).parents[1] / "as2"))
from as2_peer import NOW, company

SIZES = {"2 KiB": (2 * 1024, 200), "10 MiB": (10 * 1024**2, 5), "100 MiB": (100 * 1024**2, 3)}
LARGE = {"1 GiB": (1024**3, 1)}
VARIANTS = {
    "AES-256-CBC": {"cipher": "aes256-cbc"},
    "AES-256-GCM": {"cipher": "aes256-gcm", "oaep": True},
    "CBC, compressed": {"cipher": "aes256-cbc"},
}


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


def measure(variant: str, size: int, rounds: int) -> tuple[float, float, float]:
    """Best CPU milliseconds to build and to open, and MiB of growth."""
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
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return min(built_ms), min(opened_ms), grown / 1024


def main() -> None:
    sizes = SIZES | (LARGE if "--large" in sys.argv else {})
    print(f"{'':18}{'size':>9}{'build ms':>10}{'open ms':>10}{'MiB grown':>11}")
    for variant in VARIANTS:
        for name in sizes:
            done = subprocess.run(
                [sys.executable, __file__, "--one", variant, name],
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            )
            built, opened, grown = map(float, done.stdout.split())
            print(f"{variant:18}{name:>9}{built:10.1f}{opened:10.1f}{grown:11.1f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(*measure(sys.argv[2], *(SIZES | LARGE)[sys.argv[3]]))
    else:
        main()
