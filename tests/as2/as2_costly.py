"""Opens the hostile message named on the command line within one second of CPU, or dies of it."""

from __future__ import annotations

import io
import resource
import sys
import zlib
from itertools import chain, repeat
from pathlib import Path

from gateway import as2
from gateway.as2 import cms, der

sys.path.insert(0, str(Path(__file__).parent))
from as2_peer import NOW, Sent, company, entity, message, multipart_signed

PKCS7 = "application/pkcs7-mime"
ALGORITHM = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"))


def signature(*fields: bytes) -> Sent:
    """A signed message whose SignedData has these fields."""
    data = der.sequence(cms.SIGNED_DATA, der.tlv(0xA0, der.sequence(der.integer(1), *fields)))
    return message(*multipart_signed(entity(b"x"), data))


def envelope(*fields: bytes) -> Sent:
    return message(
        PKCS7, der.sequence(cms.ENVELOPED_DATA, der.tlv(0xA0, der.sequence(der.integer(0), *fields)))
    )


def nested(count: int) -> bytes:
    value = b""
    for _ in range(count):
        value = der.tlv(der.SEQUENCE, value)
    return value


def nested_multiparts(count: int) -> Sent:
    opening = b"".join(
        b"--%d\r\nContent-Type: multipart/signed; boundary=%d\r\n\r\n" % (n, n + 1) for n in range(count)
    )
    return message("multipart/signed; boundary=0", opening)


def bomb(nested: int) -> Sent:
    """200 MiB of zeros in compressed data, again compressed; never held here as a whole."""
    deflater, packed = zlib.compressobj(9), b""
    for block in chain([entity(b"")], repeat(bytes(1024**2), 200)):
        packed += deflater.compress(block)
    packed += deflater.flush()
    for level in range(nested + 1):
        whole = der.sequence(
            cms.COMPRESSED_DATA,
            der.tlv(
                0xA0,
                der.sequence(
                    der.integer(0),
                    der.sequence(der.oid("1.2.840.113549.1.9.16.3.8")),
                    der.sequence(cms.DATA, der.tlv(0xA0, der.tlv(der.OCTETS, packed))),
                ),
            ),
        )
        packed = zlib.compress(entity(whole, PKCS7)) if level < nested else whole
    return message(PKCS7, packed)


def nested_files(count: int) -> Sent:
    """Multiparts in each other, every one of them with its end."""
    opening = b"".join(
        b"--%05d\r\nContent-Type: multipart/mixed; boundary=%05d\r\n\r\n" % (n, n + 1) for n in range(count)
    )
    closing = b"".join(b"\r\n--%05d--" % n for n in range(count, -1, -1))
    return message("multipart/mixed; boundary=00000", opening + b"--%05d\r\n\r\nx" % count + closing)


CASES = {
    "a zip bomb": lambda: bomb(0),
    "a zip bomb in two others": lambda: bomb(2),
    "an object identifier of 200 KB": lambda: signature(der.tlv(der.OID, b"\x2a" + b"\x81" * 200_000)),
    "an object identifier of 2 MB": lambda: envelope(der.tlv(der.OID, b"\x2a" + b"\x81" * 2_000_000)),
    "definite lengths nested 10,000 deep": lambda: signature(nested(10_000)),
    "indefinite lengths nested 10,000 deep": lambda: signature(b"\x30\x80" * 10_000),
    "a million signers": lambda: signature(
        der.tlv(der.SET), der.sequence(cms.DATA), der.tlv(der.SET, der.sequence(der.integer(1)) * 1_000_000)
    ),
    "100,000 certificates": lambda: signature(
        der.tlv(der.SET), der.sequence(cms.DATA), der.tlv(0xA0, der.sequence() * 100_000), der.tlv(der.SET)
    ),
    "a length that overflows": lambda: message(PKCS7, b"\x30\x88" + b"\xff" * 8 + cms.ENVELOPED_DATA),
    "an integer of 1 MB": lambda: envelope(der.tlv(der.INTEGER, bytes(1_000_000))),
    "an octet string of a million empty segments": lambda: message(
        PKCS7,
        b"\x30\x80" + cms.COMPRESSED_DATA + b"\xa0\x80\x30\x80" + der.integer(0)
        + der.sequence(der.oid("1.2.840.113549.1.9.16.3.8"))
        + b"\x30\x80" + cms.DATA + b"\xa0\x80\x24\x80" + b"\x04\x00" * 1_000_000,
    ),
    "10,000 nested multiparts": lambda: nested_multiparts(10_000),
    "100,000 parts": lambda: message("multipart/signed; boundary=a", b"--a\r\n\r\n" * 100_000 + b"--a--"),
    "10,000 files nested in each other": lambda: nested_files(10_000),
    "100,000 files": lambda: message("multipart/related; boundary=a", b"--a\r\n\r\n" * 100_000 + b"--a--"),
    "64 multiparts of 10,000 lines that look like the boundary each": lambda: message(
        "multipart/mixed; boundary=a",
        (b"--a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"\r\n--bc" * 10_000 + b"\r\n") * 64
        + b"--a--",
    ),
    "a boundary of 200 KB": lambda: message(f"multipart/signed; boundary={'a' * 200_000}", b"--a"),
    "100,000 parameters": lambda: message(
        "multipart/signed" + "".join(f"; boundary*{n}=a" for n in range(100_000)), b"--a"
    ),
    "a million lines that look like the boundary": lambda: message(
        "multipart/signed; boundary=a", b"\r\n--ab" * 1_000_000
    ),
    "a header block of 10 MB": lambda: message(
        "multipart/signed; boundary=a",
        b"--a\r\n\r\nx\r\n--a\r\nX: " + b"x" * 10_000_000 + b"\r\n\r\n\r\n--a--",
    ),
    "100,000 headers": lambda: message(
        "multipart/signed; boundary=a", b"--a\r\n\r\nx\r\n--a\r\n" + b"X: y\r\n" * 100_000 + b"\r\n\r\n--a--"
    ),
    "base64 of 10 MB of line breaks": lambda: message(
        PKCS7, b"\r\n" * 5_000_000, ("Content-Transfer-Encoding", "base64")
    ),
    "100,000 recipients": lambda: envelope(der.tlv(der.SET, der.sequence(der.integer(0)) * 100_000)),
}  # fmt: skip


def main(case: str) -> None:
    us = company("Tradelane")
    sent = CASES[case]()
    policy = as2.Policy((us.identity,), as2.Trust((us.certificate,)), False, False)
    body, payload = io.BytesIO(sent.body), io.BytesIO()
    used = resource.getrusage(resource.RUSAGE_SELF)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 2,) * 2)
    try:
        as2.open_message(
            as2.parse_request_headers(sent.headers), body, policy=policy, payload=payload, now=NOW
        )
    except as2.As2Error as error:
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used.ru_maxrss
        allowed = 64 * 1024**2 if "bomb" in case else 3 * len(sent.body) + 8 * 1024**2
        assert grown * 1024 < allowed, f"grew by {grown} KiB"
        print(f"refused: {error}")


if __name__ == "__main__":
    main(sys.argv[1])
