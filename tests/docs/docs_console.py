"""Runs the console examples of a page as a reader would: one shell, one folder, a terminal of 100 columns.

A block fenced as `console` is run: `$ ` begins a command, `> ` continues it, and the lines below it are what
it prints. There `...` on a line of its own stands for any lines. What differs from run to run (times, ids,
ports, fingerprints) is compared as a word that stands for it. A command succeeds, unless the line after its
output says `[exit N]`. Blocks fenced as anything else are shown, not run.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
COLUMNS = 100

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_ESCAPE = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07)")
_EXIT = re.compile(r"\[exit (\d+)\]")
_MARK = "-- example"

# From the longest to the shortest, so that a part is not replaced before the whole.
_VARYING = [
    (re.compile(r"sha256:[0-9a-f]{64}|\b[0-9a-f]{64}\b"), "SHA256"),
    (re.compile(r"-(?:[0-9a-f]{8}|[0-9a-f]{16})\.(crt|pem)\b"), r"-SHA256.\1"),
    (re.compile(r"(?:[0-9A-F]{2}:)+[0-9A-F]{0,2}(\s+[0-9A-F:]+$)?", re.M), "FINGERPRINT"),
    (re.compile(r"\b1[0-9a-hjkmnp-tv-z]{19}(-\d+)?\b"), "ID"),
    (re.compile(r"-[0-9a-f]{8}\.crt\b"), "-FINGERPRINT.crt"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?"), "TIME"),
    (re.compile(r"\d{4}-\d\d-\d\d|\b20\d{6}\b"), "DATE"),
    (re.compile(r"\*\d{6}\*\d{4}\*"), "*DATE*TIME*"),
    (re.compile(r"DATE\*\d{4}\*"), "DATE*TIME*"),
    (re.compile(r"\d+\.\d+ s\b"), "N s"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"/\S*/(?=edi\b|day\b|restored\b)"), "/"),
    (re.compile(r"\S+ GiB free of \S+"), "N GiB free of N"),
    (re.compile(r"AAAA[0-9A-Za-z+/]+"), "KEY"),
    (re.compile(r"[ \t]+"), " "),
]  # fmt: skip


@dataclass
class Example:
    """One command of a page and what the page says of it."""

    line: int
    command: str
    shown: list[str]
    exit: int = 0


def examples(page: Path) -> list[Example]:
    """Every command of the console blocks of a page, in order."""
    text = page.read_text()
    found: list[Example] = []
    for fence in _FENCE.finditer(text):
        if fence[1] != "console":
            continue
        first = text.count("\n", 0, fence.start()) + 2
        for number, line in enumerate(fence[2].splitlines(), first):
            if line.startswith("$ "):
                found.append(Example(number, line[2:], []))
            elif (line + " ").startswith("> ") and not found[-1].shown:
                found[-1].command += "\n" + line[2:]
            elif (exit := _EXIT.fullmatch(line)) is not None:
                found[-1].exit = int(exit[1])
            else:
                found[-1].shown.append(line)
    return found


def run(found: list[Example], folder: Path, timeout_s: float = 60.0) -> list[tuple[int, list[str]]]:
    """The exit code of each command and the lines it printed, all run in one shell in `folder`."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "partners.toml", "docs"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (folder / ".venv" / ".ready").touch()  # the set-up that `make` would do is what runs this test
    script = folder / ".script.sh"
    script.write_text(
        "".join(
            f"{example.command}\nprintf '\\n{_MARK} {number} exited %d\\n' $?\n"
            for number, example in enumerate(found)
        )
        + "jobs -p | xargs -r kill; wait\n"
    )
    environment = {
        "HOME": str(folder),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "TERM": "xterm",
        "NO_COLOR": "1",
    }
    terminal, their_end = pty.openpty()
    fcntl.ioctl(their_end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    shell = subprocess.Popen(
        ["bash", script.name], cwd=folder, env=environment, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=their_end, stderr=their_end,
    )  # fmt: skip
    os.close(their_end)
    try:
        printed = _read_all(terminal, time.monotonic() + timeout_s)
    finally:
        os.close(terminal)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
    return list(_split(printed, len(found)))


def _read_all(terminal: int, until: float) -> str:
    """Everything printed until the last writer has closed, or until the time is up."""
    data = bytearray()
    while select.select([terminal], [], [], max(0.0, until - time.monotonic()))[0]:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # EIO: every writer has closed
            break
        if not chunk:
            break
        data += chunk
    return _ESCAPE.sub("", data.decode("utf-8", "replace")).replace("\r\n", "\n").replace("\r", "\n")


def _split(printed: str, count: int) -> Iterator[tuple[int, list[str]]]:
    rest = printed
    for number in range(count):
        ended = re.search(rf"^{_MARK} {number} exited (\d+)$", rest, re.M)
        if ended is None:
            yield -1, rest.splitlines()
            return
        lines = rest[: ended.start()].rstrip("\n").splitlines()
        yield int(ended[1]), [line.rstrip() for line in lines]
        rest = rest[ended.end() + 1 :]


def comparable(line: str) -> str:
    """A line with what varies replaced."""
    for pattern, word in _VARYING:
        line = pattern.sub(word, line)
    return line.strip()


def agrees(shown: list[str], printed: list[str]) -> bool:
    """Whether the page tells what was printed; `...` stands for any lines."""
    parts: list[list[str]] = [[]]
    for line in shown:
        if line.strip() == "...":
            parts.append([])
        else:
            parts[-1].append(comparable(line))
    lines = [comparable(line) for line in printed]
    while lines and not lines[-1]:
        lines.pop()
    while parts[-1] and not parts[-1][-1]:
        parts[-1].pop()
    if len(parts) == 1:
        return parts[0] == lines
    head, *middle, tail = parts
    if lines[: len(head)] != head or (tail and lines[len(lines) - len(tail) :] != tail):
        return False
    at, end = len(head), len(lines) - len(tail)
    for part in middle:
        while at + len(part) <= end and lines[at : at + len(part)] != part:
            at += 1
        if at + len(part) > end:
            return False
        at += len(part)
    return at <= end
