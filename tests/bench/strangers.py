"""Whether the time of an answer tells a stranger which AS2 names are known here (A08).

    python tests/bench/strangers.py [ROUNDS]

Messages of an unknown sender, to an unknown receiver, with both names swapped and with one in another case
are posted in turns in random order to a running gateway. Wanted: the same unsigned answer, and medians that
differ by less than 5 ms.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import httpx

from gateway.cli.demo import Gateway
from gateway.keys import make_key_pair

PAIRS = {
    "unknown sender": ("NOBODY", "NORTHWIND"),
    "unknown receiver": ("BIGMARTEDI", "NOBODY"),
    "swapped": ("NORTHWIND", "BIGMARTEDI"),
    "another case": ("BigMartEdi", "NORTHWIND"),
}
BODY = b"ISA*00*" + b"x" * 20_000


def headers(sender: str, receiver: str, number: int) -> list[tuple[str, str]]:
    return [
        ("AS2-Version", "1.2"),
        ("AS2-From", sender),
        ("AS2-To", receiver),
        ("Message-ID", f"<{number}@stranger>"),
        ("Content-Type", "application/edi-x12"),
        ("Disposition-Notification-To", "me"),
    ]


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        gateway = Gateway(place / "home")
        gateway.command("init", "--name", "N", "--as2-id", "NORTHWIND", "--isa", "ZZ:NORTHWIND")
        (place / "cert.pem").write_bytes(make_key_pair("BIGMARTEDI", now=datetime.now(UTC)).cert)
        gateway.command(
            "partner", "add", "bigmart", "--role", "retailer", "--isa", "08:9254110060",
            "--as2-id", "BIGMARTEDI", "--cert", str(place / "cert.pem"), "--usage", "P", "--live",
        )  # fmt: skip
        gateway.start()
        took: dict[str, list[float]] = {name: [] for name in PAIRS}
        told: set[str] = set()
        with httpx.Client(timeout=60) as client:
            for number in range(rounds + 20):
                for name in random.sample(sorted(PAIRS), len(PAIRS)):
                    sender, receiver = PAIRS[name]
                    begun = time.perf_counter()
                    answer = client.post(gateway.as2, headers=headers(sender, receiver, number), content=BODY)
                    if number >= 20:  # the first ones warm up, and are told of in the timeline
                        took[name].append(time.perf_counter() - begun)
                    found = re.search(rb"^Disposition: (.*)\r$", answer.content, re.MULTILINE)
                    told.add(found[1].decode() if found else f"status {answer.status_code}")
        gateway.stop()
    assert len(told) == 1, told
    medians = {name: 1e3 * median(times) for name, times in took.items()}
    print(f"AS2 from strangers: {rounds} of each, {told.pop().partition('; ')[2]}")
    for name, one in medians.items():
        print(f"  {name:18} {one:6.2f} ms median")
    print(f"  largest difference {max(medians.values()) - min(medians.values()):5.2f} ms   (wanted: below 5)")


if __name__ == "__main__":
    main()
