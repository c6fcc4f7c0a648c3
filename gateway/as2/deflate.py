"""CompressedData (RFC 3274) with ZLIB, streamed both ways; what is inflated may grow only so far."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from gateway.as2 import cms, der
from gateway.as2.errors import As2Error, Failure
from gateway.as2.region import IN_MEMORY, Region, regrouped

try:
    from isal import isal_zlib as fast_zlib
except ImportError:
    import zlib as fast_zlib  # type: ignore[no-redef]

_ZLIB = der.oid("1.2.840.113549.1.9.16.3.8")


def compress(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """CompressedData with ZLIB (RFC 3274)."""
    levels = [
        (der.SEQUENCE, cms.COMPRESSED_DATA),
        (0xA0, b""),
        (der.SEQUENCE, der.integer(0) + der.sequence(_ZLIB)),
        (der.SEQUENCE, cms.DATA),
        (0xA0, b""),
    ]
    return der.streamed(levels, der.OCTETS, regrouped(_deflated(chunks)))


def _deflated(chunks: Iterator[bytes]) -> Iterator[bytes]:
    deflater = fast_zlib.compressobj()
    for chunk in chunks:
        yield deflater.compress(chunk)
    yield deflater.flush()


@dataclass(frozen=True)
class InflateLimit:
    """How far compressed content may grow: to `size` bytes; beyond `free` bytes by the factor `ratio`."""

    size: int = 4 * 1024**3
    ratio: int = 200
    free: int = 16 * 1024**2


def decompressed(region: Region, limit: InflateLimit) -> Iterator[bytes]:
    """The content of a CompressedData. Raises As2Error (decompression-failed), also if it grows too far."""
    try:
        cursor = der.Cursor(region)
        cursor.enter(der.SEQUENCE)
        cursor.node()
        cursor.enter(0xA0)
        cursor.enter(der.SEQUENCE)
        cursor.node()
        if cursor.node().sequence()[0].encoded() != _ZLIB:
            raise _uncompressible("the compression algorithm is not ZLIB")
        cursor.enter(der.SEQUENCE)
        if cursor.node().encoded() != cms.DATA:
            raise _uncompressible("the compressed content is not data")
        cursor.enter(0xA0)
        yield from _inflated(
            cursor.octets(der.OCTETS), min(limit.size, max(limit.free, region.size * limit.ratio))
        )
        for _ in range(5):
            cursor.leave()
    except (der.DerError, IndexError, zlib.error) as error:
        raise _uncompressible(f"the compressed content: {error}") from error


def _inflated(chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
    # zlib rather than isal: it has been attacked for thirty years, and this is a stranger's input.
    inflater = zlib.decompressobj()
    size = 0
    for chunk in chain(chunks, [b""]):  # the empty one brings out what is left in the window
        data = chunk
        while True:
            if inflater.eof and data:
                raise _uncompressible("bytes follow the compressed content")
            plain = inflater.decompress(data, IN_MEMORY)
            size += len(plain)
            if size > limit:
                raise _uncompressible(f"the content grows beyond {limit} bytes")
            if plain:
                yield plain
            data = inflater.unconsumed_tail or inflater.unused_data
            if not data and len(plain) < IN_MEMORY:
                break
    if not inflater.eof:
        raise _uncompressible("the compressed content is truncated")


def _uncompressible(cause: str) -> As2Error:
    return As2Error(Failure.DECOMPRESSION, cause)
