"""Reading the same files as pydifact, in a process and a virtual environment of its own.

Set PYDIFACT_PYTHON to the interpreter of an environment with pydifact 0.2.3. `pydifact_differs.txt` lists the
files that it reads otherwise, or refuses, each with the reason.
"""

from __future__ import annotations

import json
import os
import subprocess
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from edifact_support import DOCUMENTS, SYNTAXES, VERSIONS, document, events

from edi.edifact.codec import CHARACTER_SETS, service_row
from edi.problems import NotEdi
from edi.tree import NORMAL, Event, Group, GroupEnd, Interchange, InterchangeEnd, Transaction

pytestmark = pytest.mark.external("pydifact")

HERE = Path(__file__).parent
SAMPLES = HERE.parent / "samples"
FILES = sorted(path for path in (SAMPLES / "edifact").rglob("*") if path.is_file())
DIFFERS = dict(
    line.split(": ", 1)
    for line in (HERE / "pydifact_differs.txt").read_text().splitlines()
    if not line.startswith("#")
)
Segments = list[list[Any]]


class Peer:
    """Questions to the peer's process."""

    def __init__(self, python: str) -> None:
        self._process = subprocess.Popen(
            [python, str(HERE / "pydifact_peer.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def read(self, text: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(text) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the peer died"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait(timeout=30)


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    python = os.environ.get("PYDIFACT_PYTHON")
    if not python:
        pytest.skip("needs PYDIFACT_PYTHON, an interpreter that has pydifact")
    process = Peer(python)
    yield process
    process.close()


def ours(found: list[Event]) -> Segments:
    """Every segment of a file in its order, as the peer tells them."""
    rows: list[list[str]] = []
    separators = NORMAL
    for event in found:
        if isinstance(event, Transaction):
            rows += [segment.split(NORMAL.element) for segment in event.segments]
        elif event.segment:
            if isinstance(event, Interchange):
                separators = event.separators
            segment = event.segment.replace("\r", "").replace("\n", "")
            rows.append(service_row(segment, separators))
    return [[row[0], *(_element(value.split(NORMAL.component)) for value in row[1:])] for row in rows]


def _element(parts: list[str]) -> str | list[str]:
    """A composite without the empty components at its end, which the peer leaves out."""
    while len(parts) > 1 and not parts[-1]:
        parts = parts[:-1]
    return parts[0] if len(parts) == 1 else parts


def theirs(answer: dict[str, Any]) -> Segments:
    return [segment for segment in answer["segments"] if segment[0] != "UNA"]


def text_of(data: bytes, found: list[Event]) -> str:
    first = found[0]
    assert isinstance(first, Interchange)
    character_set = CHARACTER_SETS.get(first.version.partition(":")[0], "ascii")
    return data.removeprefix(BOM_UTF8).decode("latin-1" if character_set == "ascii" else character_set)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_real_file_has_the_same_segments_for_both_unless_there_is_a_reason(path: Path, peer: Peer) -> None:
    data = path.read_bytes()
    try:
        found = events(data)
    except NotEdi:
        assert path.name in DIFFERS
        return
    answer = peer.read(text_of(data, found))
    same = "segments" in answer and theirs(answer) == ours(found)
    assert same == (path.name not in DIFFERS), answer.get("error", "read otherwise")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("message", sorted(DOCUMENTS))
def test_what_we_write_is_read_alike(message: str, version: str, syntax: str, peer: Peer) -> None:
    data = document(message, version, syntax=syntax).replace(b"keep dry", b"it?'s 1?+1 ?: ??")
    found = events(data)
    segments = theirs(peer.read(text_of(data, found)))
    assert segments == ours(found)
    assert any("it's 1+1 : ?" in str(segment) for segment in segments) == (message == "ORDERS")


def test_every_event_that_has_a_segment_is_compared() -> None:
    found = events(document("ORDERS"))
    kinds = {type(event) for event in found if not isinstance(event, Transaction) and event.segment}
    assert kinds <= {Interchange, Group, GroupEnd, InterchangeEnd}
    assert [segment[0] for segment in ours(found)][:2] == ["UNB", "UNH"]
    assert ours(found)[-1] == ["UNZ", "1", "7"]
