"""Whether the time of a refusal tells what was wrong inside an envelope (B05).

    python tests/bench/oracle.py [ROUNDS]

For each class of failure the median CPU time of opening the message and building its receipt, and for each
pair of classes the two-sided p of the Mann-Whitney U test, in its normal approximation. Classes take turns in
random order. Wanted: medians within 5 %, p above 0.01.
"""

from __future__ import annotations

import io
import random
import sys
import time
from itertools import combinations
from math import erfc, sqrt
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "as2"))
from as2_oracle import CLASSES, failing
from as2_peer import NOW, Company, Sent, company

from gateway import as2

SIZES = {"2 KB": 2_000, "20 KB": 20_000, "1 MB": 1_000_000}


def refuse(sent: Sent, policy: as2.Policy, signing: as2.Signing) -> int:
    """Nanoseconds of CPU from a request to its negative receipt: nothing here waits for anything else."""
    body = io.BytesIO(sent.body)
    started = time.thread_time_ns()
    request = as2.parse_request_headers(sent.headers)
    try:
        as2.open_message(request, body, policy=policy, payload=io.BytesIO(), now=NOW)
    except as2.As2Error as error:
        outcome = as2.Outcome(error.disposition)
        as2.build_receipt(request, outcome, signing=signing, message_id="<r@us>", now=NOW)
        return time.thread_time_ns() - started
    raise AssertionError("accepted")


def mann_whitney(one: list[int], other: list[int]) -> float:
    """The two-sided p of U, from its normal approximation with average ranks for ties."""
    ordered = sorted(one + other)
    first, count = {}, {}
    for at, value in enumerate(ordered):
        first.setdefault(value, at)
        count[value] = count.get(value, 0) + 1
    ranks = sum(first[value] + (count[value] + 1) / 2 for value in one)
    n, m = len(one), len(other)
    u = ranks - n * (n + 1) / 2
    ties = sum(times**3 - times for times in count.values())
    deviation = sqrt(n * m / 12 * ((n + m + 1) - ties / ((n + m) * (n + m - 1))))
    return erfc(abs(u - n * m / 2) / deviation / sqrt(2)) if deviation else 1.0


def measure(size: int, rounds: int, us: Company, partner: Company, stranger: Company) -> dict[str, list[int]]:
    policy = as2.Policy((us.identity,), as2.Trust((partner.certificate,)))
    signing = as2.Signing(us.identity)
    times: dict[str, list[int]] = {kind: [] for kind in CLASSES}
    for turn in range(rounds + 5):
        messages = [(kind, failing(kind, us, partner, stranger, size)) for kind in CLASSES]
        random.shuffle(messages)
        for kind, sent in messages:
            taken = refuse(sent, policy, signing)
            if turn >= 5:
                times[kind].append(taken)
    return times


def main(rounds: int) -> None:
    us, partner, stranger = company("Tradelane"), company("Partner"), company("Stranger")
    for name, size in SIZES.items():
        times = measure(size, rounds if size < 100_000 else max(20, rounds // 5), us, partner, stranger)
        middle = median(value for values in times.values() for value in values)
        print(f"{name}, {len(times[CLASSES[0]])} of each")
        for kind, values in times.items():
            print(f"  {median(values) / 1e6:8.3f} ms  {median(values) / middle - 1:+6.1%}  {kind}")
        for one, other in combinations(CLASSES, 2):
            print(f"  p {mann_whitney(times[one], times[other]):.3f}  {one} / {other}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
