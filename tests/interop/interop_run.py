"""`make interop`: the whole matrix, printed as tables; exits with 1 when a case fails.

`--long` adds payloads of 100 MiB. Names of peers as arguments restrict it to these.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from interop_matrix import (
    CIPHERS,
    DIGESTS,
    DIRECTIONS,
    HUGE,
    LAYERS,
    PAYLOADS,
    PEERS,
    RECEIPTS,
    SCHEMES,
    TRANSPORTS,
    Case,
    every_case,
    huge_cases,
    impossible,
)
from interop_world import Unavailable, World, trading
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

AXES = {
    "digest": DIGESTS,
    "scheme": SCHEMES,
    "cipher": CIPHERS,
    "transport": TRANSPORTS,
    "payload": (*PAYLOADS, HUGE),
}
NAMES = {
    "digest": "signed with",
    "scheme": "signature",
    "cipher": "encrypted with",
    "transport": "key transport",
    "payload": "payload",
}


@dataclass(frozen=True)
class Result:
    """What became of a case: what was wrong with it, or why it was not run."""

    case: Case
    wrong: Sequence[str] = ()
    reason: str | None = None


def run(world: World, cases: Sequence[Case], console: Console) -> list[Result]:
    """Every case in turn."""
    results = []
    for case in track(cases, "trading", console=console, transient=True):
        try:
            wrong: Sequence[str] = world.run(case)
        except Exception as error:  # what a peer does must not end the run
            wrong = [line.rstrip() for line in traceback.format_exception_only(error)]
        results.append(Result(case, wrong))
    return results


class Reasons:
    """Why something is not possible, by number, in the order in which they came up."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, text: str) -> int:
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


def cell(results: Iterable[Result], reasons: Reasons, *, counted: bool) -> Text:
    """ok, FAIL or the number of a reason; how many, where there may be many."""
    results = list(results)
    failed = sum(bool(result.wrong) for result in results)
    ran = sum(result.reason is None for result in results)
    if failed:
        return Text(f"FAIL {failed}" if counted else "FAIL", "bold red")
    if ran:
        return Text(f"ok {ran}" if counted else "ok", "green")
    told = sorted({reasons(result.reason) for result in results if result.reason})
    return Text(" ".join(f"[{number}]" for number in told), "dim")


def matrix(results: Sequence[Result], peers: Sequence[str], reasons: Reasons) -> Table:
    """Layers and receipts by peer and direction."""
    table = _table(peers, "layers, from the payload outwards", "receipt")
    for layers, receipt in product(LAYERS, RECEIPTS):
        here = _like(results, layers=layers, receipt=receipt)
        cells = [
            cell(_like(here, peer=peer, direction=direction), reasons, counted=False)
            for peer, direction in product(peers, DIRECTIONS)
        ]
        table.add_row(
            layers if receipt == RECEIPTS[0] else "", receipt, *cells, end_section=receipt == RECEIPTS[-1]
        )
    return table


def algorithms(results: Sequence[Result], peers: Sequence[str], reasons: Reasons) -> Table:
    """Algorithms and payloads by peer and direction, each with the number of cases."""
    table = _table(peers, "", "")
    for axis, values in AXES.items():
        for value in values:
            cells = [
                cell(_like(results, peer=peer, direction=direction, **{axis: value}), reasons, counted=True)
                for peer, direction in product(peers, DIRECTIONS)
            ]
            if any(cells):
                name = NAMES[axis] if value == values[0] else ""
                table.add_row(name, value, *cells, end_section=value == values[-1])
    return table


def _table(peers: Sequence[str], *names: str) -> Table:
    table = Table(*names, show_edge=False, pad_edge=False)
    for peer, direction in product(peers, DIRECTIONS):
        table.add_column(f"{peer}\n{'to it' if direction == 'out' else 'from it'}", justify="center")
    return table


def _like(results: Sequence[Result], **values: str) -> list[Result]:
    return [
        result
        for result in results
        if all(getattr(result.case, name) == value for name, value in values.items())
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peers", nargs="*", default=PEERS, metavar="PEER", help=", ".join(PEERS))
    parser.add_argument("--long", action="store_true", help=f"also payloads of {HUGE}")
    asked = parser.parse_args()
    if unknown := set(asked.peers) - set(PEERS):
        parser.error(f"no peer is named {', '.join(sorted(unknown))}")
    logging.disable(logging.WARNING)  # payloads that are no EDI are what is sent here
    console = Console(width=None if sys.stdout.isatty() else 120)
    every = dict.fromkeys([*every_case(), *(huge_cases() if asked.long else ())])
    cases = [case for case in every if case.peer in asked.peers]
    refused = [Result(case, reason=reason) for case in cases if (reason := impossible(case))]
    begun = time.monotonic()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="interop-") as folder,
            trading(Path(folder), [case for case in cases if impossible(case) is None]) as world,
        ):
            versions = [peer.versions for peer in world.peers.values()]
            ran = run(world, [case for case in cases if impossible(case) is None], console)
    except Unavailable as error:
        console.print(f"[bold red]{error}")
        return 1
    return tell([*ran, *refused], asked.peers, versions, time.monotonic() - begun, console)


def tell(
    results: Sequence[Result], peers: Sequence[str], versions: Sequence[str], took_s: float, console: Console
) -> int:
    """Print everything; the exit code."""
    reasons = Reasons()
    console.print(matrix(results, peers, reasons), "")
    console.print(algorithms(results, peers, reasons), "")
    for number, text in enumerate(reasons.texts, 1):
        console.print(Text(f"[{number}] not possible: {text}"))
    failed = [result for result in results if result.wrong]
    for result in failed:
        console.print(Text(f"FAIL {result.case.id}", "bold red"))
        for line in result.wrong:
            console.print(Text(f"     {line}"))
    ran = sum(result.reason is None for result in results)
    console.print(Text(f"\n{'; '.join(versions)}"))
    console.print(
        Text(f"{ran} cases in {took_s:.0f} s, {len(failed)} failed; {len(results) - ran} not possible")
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
