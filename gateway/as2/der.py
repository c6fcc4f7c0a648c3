"""ASN.1 (X.690): writes DER, and reads a stranger's BER within limits.

Nothing else of the gateway parses ASN.1 of a message. Small structures become a tree of `Node`; indefinite
lengths and constructed octet strings are normalised on the way, so `Node.encoded` is what a DER encoder would
have written. Contents too large for memory are walked with a `Cursor`.

The limits bound the cost of a message nobody has authenticated yet: depth, nodes, and the sizes of object
identifiers and integers, whose decoding is quadratic in most libraries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from gateway.as2.region import CHUNK, Region

MAX_DEPTH = 32
MAX_OID = 64
MAX_INTEGER = 1024
MAX_NODES = 20_000
MAX_TREE = 256 * 1024
"""Bytes of one value that is read into a tree."""

INTEGER, OCTETS, NULL, OID, ENUMERATED = 0x02, 0x04, 0x05, 0x06, 0x0A
SEQUENCE, SET = 0x30, 0x31
_CONSTRUCTED = 0x20
_END = b"\x00\x00"


class DerError(ValueError):
    """Not BER, or beyond the limits."""


class Node(NamedTuple):
    """One value: its identifier octet and either `content` (primitive) or `children` (constructed)."""

    tag: int
    content: bytes
    children: tuple[Node, ...]

    def encoded(self, tag: int | None = None) -> bytes:
        """The DER encoding, under another identifier octet if one is given."""
        if self.tag & _CONSTRUCTED:
            return tlv(tag or self.tag, *(child.encoded() for child in self.children))
        return tlv(tag or self.tag, self.content)

    def sequence(self, tag: int = SEQUENCE) -> tuple[Node, ...]:
        """The children, if this is the constructed value `tag` names."""
        if self.tag != tag:
            raise DerError(f"expected tag {tag:#04x}, found {self.tag:#04x}")
        return self.children

    def primitive(self, tag: int) -> bytes:
        """The content, if this is the primitive value `tag` names."""
        if self.tag != tag:
            raise DerError(f"expected tag {tag:#04x}, found {self.tag:#04x}")
        return self.content

    def number(self) -> int:
        """The value of an INTEGER."""
        return int.from_bytes(self.primitive(INTEGER), "big", signed=True)


def tlv(tag: int, *parts: bytes) -> bytes:
    """One DER value: identifier octet, minimal definite length, content."""
    content = b"".join(parts)
    return bytes((tag,)) + _length(len(content)) + content


def _length(size: int) -> bytes:
    if size < 0x80:
        return bytes((size,))
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets


def sequence(*parts: bytes) -> bytes:
    """SEQUENCE of encoded values."""
    return tlv(SEQUENCE, *parts)


def set_of(*parts: bytes) -> bytes:
    """SET OF encoded values, in the order DER wants."""
    return tlv(SET, *sorted(parts))


def integer(value: int) -> bytes:
    """INTEGER, in as few octets as it takes (X.690 8.3.2)."""
    length = (value + (value < 0)).bit_length() // 8 + 1
    return tlv(INTEGER, value.to_bytes(length, "big", signed=True))


def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER from its dotted form."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    out = bytearray((first * 40 + second,))
    for arc in rest:
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(0x80 | arc & 0x7F)
        out += bytes(reversed(septets))
    return tlv(OID, bytes(out))


def streamed(
    levels: Sequence[tuple[int, bytes]],
    string: int,
    segments: Iterator[bytes],
    trailer: Callable[[], bytes] = bytes,
    trailer_level: int = 0,
) -> Iterator[bytes]:
    """A string of unknown length inside nested values, as chunks.

    `levels` are the enclosing values from the outside in, each an identifier octet and what stands before the
    next; `string` is the identifier of the innermost octet string; `trailer` is asked after the last segment
    and stands at the end of `levels[trailer_level]`. One segment is written as DER. More than one is written
    with indefinite lengths, since the length goes in front and is not known yet (X.690 8.1.3.6).
    """
    first = next(segments, b"")
    second = next(segments, None)
    if second is None:
        value = tlv(string, first)
        for depth in range(len(levels) - 1, -1, -1):
            tag, head = levels[depth]
            value = tlv(tag, head, value, trailer() if depth == trailer_level else b"")
        yield value
        return
    yield b"".join(bytes((tag, 0x80)) + head for tag, head in levels) + bytes((string | _CONSTRUCTED, 0x80))
    yield tlv(OCTETS, first)
    yield tlv(OCTETS, second)
    for segment in segments:
        yield tlv(OCTETS, segment)
    closing = [_END]
    for depth in range(len(levels) - 1, -1, -1):
        closing += [trailer() if depth == trailer_level else b"", _END]
    yield b"".join(closing)


def parse(data: bytes) -> Node:
    """The one value `data` holds. Raises DerError, also when bytes follow it."""
    node, used = parse_prefix(data)
    if used != len(data):
        raise DerError("bytes follow the value")
    return node


def parse_prefix(data: bytes) -> tuple[Node, int]:
    """The value `data` begins with and how many bytes it takes."""
    if len(data) > MAX_TREE:
        raise DerError(f"{len(data)} bytes are too many for one structure")
    return _Parser(data).value(0, len(data), 0)


class _Parser:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._nodes = 0

    def value(self, at: int, end: int, depth: int) -> tuple[Node, int]:
        self._nodes += 1
        if depth > MAX_DEPTH:
            raise DerError(f"nested deeper than {MAX_DEPTH}")
        if self._nodes > MAX_NODES:
            raise DerError(f"more than {MAX_NODES} values")
        tag, length, at = _header(self._data, at, end)
        if not tag & _CONSTRUCTED:
            if length is None:
                raise DerError("a primitive value of indefinite length")
            return self._primitive(tag, at, length), at + length
        children, at = self._children(at, end if length is None else at + length, length is None, depth + 1)
        if tag == OCTETS | _CONSTRUCTED:
            return Node(OCTETS, b"".join(child.primitive(OCTETS) for child in children), ()), at
        if tag < 0x40 and tag not in (SEQUENCE, SET):
            raise DerError(f"a constructed value with tag {tag:#04x}")
        return Node(tag, b"", tuple(children)), at

    def _primitive(self, tag: int, at: int, length: int) -> Node:
        if tag == OID and not 0 < length <= MAX_OID:
            raise DerError(f"an object identifier of {length} bytes")
        if tag in (INTEGER, ENUMERATED) and not 0 < length <= MAX_INTEGER:
            raise DerError(f"an integer of {length} bytes")
        return Node(tag, self._data[at : at + length], ())

    def _children(self, at: int, end: int, indefinite: bool, depth: int) -> tuple[list[Node], int]:
        children: list[Node] = []
        while True:
            if indefinite:
                if self._data[at : at + 2] == _END and at + 2 <= end:
                    return children, at + 2
            elif at == end:
                return children, at
            child, at = self.value(at, end, depth)
            children.append(child)


def _header(data: bytes, at: int, end: int) -> tuple[int, int | None, int]:
    """Identifier octet, length (None: indefinite) and where the content begins; the content is in bounds."""
    if end - at < 2:
        raise DerError("truncated")
    tag, length = data[at], data[at + 1]
    at += 2
    if tag & 0x1F == 0x1F:
        raise DerError("a tag of more than one octet")
    if length == 0x80:
        return tag, None, at
    if length > 0x80:
        octets = length & 0x7F
        if octets > 8 or at + octets > end:
            raise DerError("a length of more than eight octets, or truncated")
        length = int.from_bytes(data[at : at + octets], "big")
        at += octets
    if length > end - at:
        raise DerError("a value longer than what holds it")
    return tag, length, at


class Cursor:
    """Walks one BER value of any size, from the outside in and from left to right."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._at = 0
        self._ends: list[int | None] = []

    def enter(self, tag: int) -> None:
        """Steps into the constructed value that comes next, which must have this identifier."""
        found, length, at = self._head()
        if found != tag:
            raise DerError(f"expected tag {tag:#04x}, found {found:#04x}")
        self._at = at
        self._ends.append(None if length is None else at + length)

    def leave(self) -> None:
        """Steps out of the value entered last, which must have been read to its end."""
        if self.peek() is not None:
            raise DerError("unread values at the end of a structure")
        if self._ends.pop() is None:
            self._at += len(_END)

    def peek(self) -> int | None:
        """The identifier octet of what comes next, None at the end of the value entered last."""
        end = self._ends[-1]
        if end is not None and self._at >= end:
            return None
        ahead = self._region.read(self._at, 2)
        if len(ahead) < 2:
            raise DerError("truncated")
        return None if end is None and ahead == _END else ahead[0]

    def node(self) -> Node:
        """The small value that comes next, as a tree."""
        node, used = parse_prefix(self._region.read(self._at, MAX_TREE))
        self._at += used
        return node

    def octets(self, tag: int) -> Iterator[bytes]:
        """The content of the octet string that comes next, in chunks. Read it to the end before going on.

        `tag` is the identifier of its primitive form. Segments of a constructed one must be primitive, and on
        average at least 128 bytes long: otherwise a small message costs a lot of time.
        """
        found, length, at = self._head()
        if found == tag and length is not None:
            yield from self._region.cut(at, at + length).chunks()
            self._at = at + length
            return
        if found != tag | _CONSTRUCTED:
            raise DerError(f"expected an octet string, found tag {found:#04x}")
        yield from self._segments(at, None if length is None else at + length)

    def _segments(self, at: int, end: int | None) -> Iterator[bytes]:
        size = self._region.size
        window, base, count, start = b"", at, 0, at
        while end is None or at < end:
            if at - base + 10 > len(window):
                window, base = self._region.read(at, CHUNK), at
            if end is None and window[at - base : at - base + 2] == _END:
                at += 2
                break
            tag, length, content = _header_at(window, at - base, size - base)
            content += base
            if tag != OCTETS or length is None or content + length > (size if end is None else end):
                raise DerError("a segment that is no octet string, or a truncated one")
            count += 1
            if count > 1024 + (at - start) // 128:
                raise DerError("an octet string in too many segments")
            at = content + length
            if at - base <= len(window):
                yield window[content - base : at - base]
            else:
                yield from self._region.cut(content, at).chunks()
        self._at = at

    def _head(self) -> tuple[int, int | None, int]:
        tag, length, used = _header_at(self._region.read(self._at, 10), 0, self._region.size - self._at)
        return tag, length, self._at + used


def _header_at(window: bytes, at: int, available: int) -> tuple[int, int | None, int]:
    """Like `_header`, for a window onto content that goes on until `available` bytes from its start."""
    if len(window) - at < 2:
        raise DerError("truncated")
    octets = window[at + 1] & 0x7F if window[at + 1] > 0x80 else 0
    if len(window) - at < 2 + octets:
        raise DerError("truncated")
    return _header(window, at, available)
