"""What a digest covers that is not the digest of what is at hand: the ways in which AS2 software differs.

A signature or a MIC that does not match was nearly always taken over the same content in another form: other
line ends, headers that a library added, dropped, sorted or wrote anew, the content before or after its
transfer encoding or compression. `search` tries these forms. A match proves the form, since it is a
digest; nothing is accepted because of it: it tells a person what to agree on.

The work is bounded by the bytes that are hashed. Forms that are likely are tried first.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import NamedTuple

from gateway.as2 import mime
from gateway.as2.errors import As2Error
from gateway.as2.mime import Entity
from gateway.as2.region import CHUNK, Region, Scratch, regrouped

WORK = 2 << 30
"""Bytes that a search hashes at most, unless it is told otherwise."""

MAX_HELD = 64  # line breaks at the end of the content, in bytes, that may be counted otherwise
MAX_SORTED = 5  # headers whose every order is tried
MAX_DROPPED = 6  # headers of which every selection is tried

_BY_SIZE = {16: "md5", 20: "sha1", 32: "sha256", 48: "sha384", 64: "sha512"}
_ENCODING = "Content-Transfer-Encoding"
_ENCODINGS = ("binary", "7bit", "8bit", "base64", "quoted-printable")

WORDS = {
    "line-ends-lf": "every line ends with LF, without CR",
    "line-ends-crlf": "every line ends with CRLF",
    "header-lines-lf": "the header lines end with LF, without CR",
    "header-lines-crlf": "the header lines end with CRLF",
    "content-lines-lf": "the lines of the content end with LF, without CR",
    "content-lines-crlf": "the lines of the content end with CRLF",
    "headers-not-counted": "the content alone, without its MIME headers",
    "headers-counted": "the content with its MIME headers",
    "header-spacing": "other blanks around the colon of the headers",
    "header-folded": "headers that are folded over lines",
    "header-unfolded": "headers that are not folded",
    "header-case": "header names in other letters",
    "header-order": "the headers in another order",
    "header-missing": "without a header that stands here",
    "header-extra": "with a header that does not stand here",
    "header-value": "a header with another value",
    "blank-line-missing": "no blank line between headers and content",
    "trailing-line-breaks": "another number of line breaks at the end",
    "decoded": "the content without its transfer encoding",
    "encoded": "the content in base64",
    "uncompressed": "what was there before it was compressed",
    "compressed": "the compressed form, not what was compressed",
    "whole-multipart": "the whole multipart/signed, signature included",
    "encrypted": "the encrypted form",
    "digest": "another digest algorithm than the one named",
}
"""Every way in which what is covered can differ, by its stable id, in words."""


class Departure(NamedTuple):
    """One way in which the form that matched differs from what is at hand; `detail` names what exactly."""

    id: str
    detail: str = ""

    def __str__(self) -> str:
        return WORDS[self.id] + (f" ({self.detail})" if self.detail else "")


@dataclass(frozen=True)
class Base:
    """Bytes to begin with: a MIME entity, or content without headers, and how they differ already."""

    region: Region
    departures: tuple[Departure, ...] = ()
    headers: bool = True
    """Whether the region begins with MIME headers."""


@dataclass(frozen=True)
class Search:
    """What was found: the fewest departures that give the digest, None if nothing does.

    `tried` counts the forms; `complete` is False where the work would have been too much to try them all.
    """

    departures: tuple[Departure, ...] | None
    digest: str | None
    tried: int
    complete: bool

    def has(self, id: str) -> bool:
        """Whether the match departs in this way."""
        return any(departure.id == id for departure in self.departures or ())

    def __str__(self) -> str:
        if self.departures is None:
            return f"none of the {self.tried} forms that were tried"
        return ", ".join(map(str, self.departures)) or "exactly what is at hand"


class _Form(NamedTuple):
    """One form of headers or content: what is written, and how it departs."""

    departures: tuple[Departure, ...]
    data: bytes


class _Content(NamedTuple):
    departures: tuple[Departure, ...]
    chunks: Callable[[], Iterator[bytes]]
    size: int


def search(
    bases: Sequence[Base],
    wanted: bytes,
    scratch: Scratch,
    *,
    stated: str | None = None,
    nearby: Iterable[tuple[str, str]] = (),
    work: int = WORK,
) -> Search:
    """Finds the form whose digest is `wanted`.

    The size of `wanted` tells the algorithm; `stated` is the one that was named with it. `nearby` are header
    fields of the message that software may have counted along.
    """
    digest = _BY_SIZE.get(len(wanted))
    if digest is None:
        return Search(None, None, 0, complete=True)
    named = () if stated in (None, digest) else (Departure("digest", f"{digest}, where {stated} is named"),)
    trial = _Trial(digest, wanted, work)
    prepared = [(base, *_split(base, scratch, tuple(nearby))) for base in bases]
    for depth in range(3):
        for base, heads, contents in prepared:
            likely = [form for form in heads if not form.departures or _simple(form)]
            for number, content in enumerate(contents):
                forms = {0: likely, 1: heads if number < 3 else [], 2: heads if number >= 3 else []}[depth]
                if (found := trial.run(base, forms, content)) is not None:
                    return Search(_merged((*found, *named)), digest, trial.tried, complete=True)
    return Search(None, digest, trial.tried, trial.complete)


def _simple(form: _Form) -> bool:
    simple = {"headers-not-counted", "header-lines-lf", "header-lines-crlf"}
    return len(form.departures) == 1 and form.departures[0].id in simple


class _Trial:
    """Digests of many forms at once, each content read once for all the headers in front of it."""

    def __init__(self, digest: str, wanted: bytes, work: int) -> None:
        self._digest = digest
        self._wanted = wanted
        self._left = work
        self._done: set[tuple[int, int, bytes]] = set()
        self.tried = 0
        self.complete = True

    def run(self, base: Base, heads: Sequence[_Form], content: _Content) -> tuple[Departure, ...] | None:
        key = (id(base), id(content))
        heads = [head for head in heads if (*key, head.data) not in self._done]
        affordable = self._left // max(1, content.size)
        if affordable < len(heads):
            self.complete = False
            heads = heads[:affordable]
        if not heads:
            return None
        self._done.update((*key, head.data) for head in heads)
        self._left -= content.size * len(heads)
        running = [hashlib.new(self._digest, head.data, usedforsecurity=False) for head in heads]
        tail = b""
        for chunk, held in _held_back(content.chunks()):
            tail = held
            for one in running:
                one.update(chunk)
        found = []
        for ending in _endings(tail):
            for head, one in zip(heads, running, strict=True):
                last = one.copy()
                last.update(ending)
                self.tried += 1
                if last.digest() == self._wanted:
                    departures = (*base.departures, *head.departures, *content.departures)
                    found.append(departures + (() if ending == tail else (_ending(tail, ending),)))
        return min(found, key=len, default=None)


def _held_back(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Chunks without the line breaks at the very end, each with those that may be them."""
    held = b""
    for chunk in chunks:
        data = held + chunk
        bare = data.rstrip(b"\r\n")
        held = data[len(bare) :] if len(data) - len(bare) <= MAX_HELD else b""
        yield data[: len(data) - len(held)], held


def _endings(tail: bytes) -> list[bytes]:
    breaks = [b"", b"\r\n", b"\n", b"\r\n\r\n", b"\n\n", tail + b"\r\n", tail + b"\n", tail + b"\r\n\r\n"]
    return list(dict.fromkeys([tail, tail.removesuffix(b"\n").removesuffix(b"\r"), *breaks]))


def _ending(tail: bytes, ending: bytes) -> Departure:
    def told(breaks: bytes) -> str:
        return breaks.replace(b"\r", b"CR").replace(b"\n", b"LF ").decode().strip() or "none"

    return Departure("trailing-line-breaks", f"{told(ending)}, where {told(tail)} stands")


def _merged(departures: tuple[Departure, ...]) -> tuple[Departure, ...]:
    """Headers and content with the same line ends are all lines; a decoded content tells it in its header."""
    ids = {departure.id for departure in departures}
    for kind in ("lf", "crlf"):
        parts = {f"header-lines-{kind}", f"content-lines-{kind}"}
        if parts <= ids:
            departures = tuple(one for one in departures if one.id not in parts)
            departures = (Departure(f"line-ends-{kind}"), *departures)
    return departures


def _split(
    base: Base, scratch: Scratch, nearby: tuple[tuple[str, str], ...]
) -> tuple[list[_Form], list[_Content]]:
    """Every form of the headers, and every form of the content."""
    entity = None
    if base.headers:
        with suppress(As2Error):
            entity = mime.read_entity(base.region)
    if entity is None:
        return [_Form((), b"")], list(_contents(base.region, "binary", scratch))
    head = base.region.read(0, base.region.size - entity.body.size)
    return _heads(head, nearby), list(_contents(entity.body, _encoding(entity), scratch))


def _encoding(entity: Entity) -> str:
    try:
        return entity.encoding
    except As2Error:  # told twice
        return "binary"


def _contents(body: Region, encoding: str, scratch: Scratch) -> Iterator[_Content]:
    """The content with the line ends it has, with others, and with another transfer encoding."""

    def content(
        chunks: Callable[[], Iterator[bytes]], *departures: Departure, size: int = body.size
    ) -> _Content:
        return _Content(departures, chunks, size)

    yield content(body.chunks)
    yield content(lambda: mime.canonical(body.chunks()), Departure("content-lines-crlf"))
    yield content(lambda: _bare(body.chunks()), Departure("content-lines-lf"))
    if encoding in ("base64", "quoted-printable"):
        try:
            plain = Entity(mime.Headers(((_ENCODING, encoding),)), body, body).decoded(scratch)
        except As2Error:
            return
        decoded = Departure("decoded")
        yield content(plain.chunks, decoded, size=plain.size)
        canonical = Departure("content-lines-crlf")
        yield content(lambda: mime.canonical(plain.chunks()), decoded, canonical, size=plain.size)
        return
    for line, end, name in (
        (76, b"\r\n", "CRLF"),
        (76, b"\n", "LF"),
        (64, b"\r\n", "CRLF"),
        (64, b"\n", "LF"),
    ):
        detail = f"lines of {line}, {name}"
        yield content(
            lambda line=line, end=end: _in_base64(body.chunks(), line, end),  # type: ignore[misc]
            Departure("encoded", detail),
            size=body.size * 3 // 2 + 4,
        )


def _bare(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines ended by LF alone."""
    held = b""
    for chunk in chunks:
        data = held + chunk
        held = b"\r" if data.endswith(b"\r") else b""
        yield data[: len(data) - len(held)].replace(b"\r\n", b"\n")
    yield held


def _in_base64(chunks: Iterator[bytes], line: int, end: bytes) -> Iterator[bytes]:
    octets = line // 4 * 3
    held = b""
    for chunk in regrouped(chunks, CHUNK):
        data = held + chunk
        whole = len(data) - len(data) % octets
        held = data[whole:]
        if whole:
            text = base64.b64encode(data[:whole])
            yield b"".join(text[at : at + line] + end for at in range(0, len(text), line))
    if held:
        yield base64.b64encode(held) + end


class _Field(NamedTuple):
    """One header: its lines as they stand, and its name and value unfolded."""

    lines: tuple[bytes, ...]
    name: bytes
    value: bytes

    @property
    def normal(self) -> bytes:
        return self.name + b": " + self.value


def _heads(head: bytes, nearby: tuple[tuple[str, str], ...]) -> list[_Form]:
    """The headers as they stand, and as other software would have counted them."""
    forms: dict[bytes, tuple[Departure, ...]] = {head: ()}
    fields = _fields(head)
    if head:
        forms.setdefault(b"", (Departure("headers-not-counted"),))
    ends = (b"\r\n", b"\n") if b"\r\n" in head or not head else (b"\n", b"\r\n")
    for departures, lines, blank in _layouts(fields, nearby):
        for number, end in enumerate(ends):
            other = (Departure("header-lines-lf" if end == b"\n" else "header-lines-crlf"),) if number else ()
            data = b"".join(line + end for line in lines) + (end if blank else b"")
            forms.setdefault(data, (*departures, *other))
    return [_Form(departures, data) for data, departures in forms.items()]


def _fields(head: bytes) -> list[_Field]:
    fields: list[_Field] = []
    for line in re.split(rb"\r?\n", head):
        if line[:1] in (b" ", b"\t") and fields:
            last = fields.pop()
            fields.append(_Field((*last.lines, line), last.name, last.value + b" " + line.strip()))
        elif b":" in line:
            name, _, value = line.partition(b":")
            fields.append(_Field((line,), name.strip(), value.strip()))
    return fields


_Layout = tuple[tuple[Departure, ...], list[bytes], bool]


def _layouts(fields: list[_Field], nearby: tuple[tuple[str, str], ...]) -> Iterator[_Layout]:
    """Lines of the header block, and whether a blank line follows."""
    stands = [line for field in fields for line in field.lines]
    normal = [field.normal for field in fields]
    yield (), stands, True
    if fields:
        yield (Departure("blank-line-missing"),), stands, False
    folded = any(len(field.lines) > 1 for field in fields)
    yield (Departure("header-unfolded" if folded else "header-spacing"),), normal, True
    yield (Departure("header-spacing"),), [field.name + b":" + field.value for field in fields], True
    yield (Departure("header-spacing"),), [field.name + b" : " + field.value for field in fields], True
    for indent in (b"\t", b" ", b"    "):
        lines = [part for field in fields for part in _folded(field, indent)]
        yield (Departure("header-folded"),), lines, True
    for cased in (bytes.lower, bytes.title, bytes.capitalize):
        lines = [cased(field.name) + b": " + field.value for field in fields]
        yield (Departure("header-case"),), lines, True
    yield from _with_encodings(fields)
    known = {field.name.lower() for field in fields}
    extra = [("MIME-Version", "1.0"), *nearby]
    for name, value in extra:
        added = name.encode("latin-1", "replace") + b": " + value.encode("latin-1", "replace")
        if name.lower().encode("latin-1", "replace") not in known:
            told = (Departure("header-extra", f"{name}: {value}"[:120]),)
            yield told, [added, *stands], True
            yield told, [*stands, added], True
    count = len(fields)
    if 1 < count <= MAX_DROPPED:
        for size in range(count - 1, 0, -1):
            for chosen in combinations(range(count), size):
                dropped = [fields[n].name.decode("latin-1") for n in range(count) if n not in chosen]
                lines = [line for n in chosen for line in fields[n].lines]
                yield (Departure("header-missing", ", ".join(dropped)),), lines, True
    if count > 1:
        orders = permutations(fields) if count <= MAX_SORTED else _usual_orders(fields)
        for order in orders:
            yield (Departure("header-order"),), [line for field in order for line in field.lines], True


def _usual_orders(fields: list[_Field]) -> list[tuple[_Field, ...]]:
    by_name = sorted(fields, key=lambda field: field.name.lower())
    return [tuple(by_name), tuple(reversed(by_name)), tuple(reversed(fields))]


def _folded(field: _Field, indent: bytes) -> list[bytes]:
    """A header as mail software folds it: a parameter a line."""
    first, *rest = re.split(rb";\s*", field.normal)
    parts = [first, *(indent + part for part in rest)]
    return [part + b";" for part in parts[:-1]] + parts[-1:]


def _with_encodings(fields: list[_Field]) -> Iterator[_Layout]:
    """Content-Transfer-Encoding as software adds it, or takes it for another."""
    name = _ENCODING.lower().encode()
    at = next((n for n, field in enumerate(fields) if field.name.lower() == name), None)
    lines = [field.lines for field in fields]
    for encoding in _ENCODINGS:
        added = f"{_ENCODING}: {encoding}"
        line = (added.encode(),)
        if at is None:
            for place in range(len(lines) + 1):
                told = (Departure("header-extra", added),)
                yield told, [part for field in (*lines[:place], line, *lines[place:]) for part in field], True
        elif fields[at].value.lower() != encoding.encode():
            told = (Departure("header-value", added),)
            yield told, [part for field in (*lines[:at], line, *lines[at + 1 :]) for part in field], True
