"""AS2 Restart (draft-harding-as2-restart-07): a body that broke off is gone on with instead of sent anew.

A POST carries a strong ETag, which names the transfer, and says by Content-Range which bytes of the whole it
brings. A HEAD with the same ETag asks how many of them have come. Everything else of the message stays as it
is: headers, body and Message-ID are those of the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.as2.errors import As2Refused
from gateway.as2.mime import Headers

MAX_ID = 256
"""Characters of a transfer's name."""

_STRONG = re.compile(rf'"?([!#-~]{{1,{MAX_ID}}})"?')
_RANGE = re.compile(r"(?:bytes[ =])?([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", re.IGNORECASE)
_UNSATISFIED = re.compile(r"bytes \*/([0-9]{1,18})", re.IGNORECASE)


@dataclass(frozen=True)
class Transfer:
    """Which bytes of which transfer a request brings: from `start` to before `end` of `total`.

    `length` is its Content-Length, None where it is chunked.
    """

    id: str
    start: int
    end: int
    total: int
    length: int | None

    @property
    def sound(self) -> bool:
        """Whether it brings all that is left, at least a byte, and as many as it says."""
        rest = self.end - self.start
        return rest > 0 and self.end == self.total and self.length in (None, rest)


def transfer_id(headers: Headers) -> str | None:
    """The name of the transfer, without its quotes; None without a strong ETag (RFC 9110 8.8.3)."""
    values = headers.all("ETag")
    match = _STRONG.fullmatch(values[0]) if len(values) == 1 else None
    return match[1] if match is not None and not values[0].startswith("W/") else None


def read_transfer(headers: Headers) -> Transfer | None:
    """What a request brings of a transfer; None for one that brings a message as ever.

    Raises As2Refused (400) for a part of a message that cannot be put in its place.
    """
    name, ranges = transfer_id(headers), headers.all("Content-Range")
    lengths = headers.all("Content-Length")
    length = int(lengths[0]) if lengths and re.fullmatch("[0-9]{1,18}", lengths[0]) else None
    if not ranges:
        return None if name is None or not length else Transfer(name, 0, length, length, length)
    match = _RANGE.fullmatch(ranges[0].strip()) if len(ranges) == 1 else None
    if match is None:
        raise As2Refused(400, "Content-Range cannot be read")
    first, last, total = map(int, match.groups())
    if name is not None:
        return Transfer(name, first, last + 1, total, length)
    if first == 0 and last + 1 == total:
        return None
    raise As2Refused(400, "a part of a message without the ETag of its transfer")


def transfer_headers(
    headers: Iterable[tuple[str, str]], name: str, start: int, total: int
) -> list[tuple[str, str]]:
    """The headers of a message for a request that brings its bytes from `start` on."""
    ours = {"content-length", "content-range", "etag"}
    return [
        *((field, value) for field, value in headers if field.lower() not in ours),
        ("ETag", f'"{name}"'),
        ("Content-Range", f"bytes {start}-{total - 1}/{total}"),
        ("Content-Length", str(total - start)),
    ]


def inquiry_headers(as2_from: str, as2_to: str, name: str) -> list[tuple[str, str]]:
    """The headers of the HEAD that asks how much of a transfer has come. Names as they stand in headers."""
    return [
        ("AS2-Version", "1.2"),
        ("AS2-From", as2_from),
        ("AS2-To", as2_to),
        ("ETag", f'"{name}"'),
    ]


def told_held(headers: Iterable[tuple[str, str]], status: int) -> int:
    """How many bytes an answer says have come: by Content-Length to a HEAD, by Content-Range where a POST was
    refused with 416. None at all, 0, is also what an answer means that says nothing.
    """
    name, form = (
        ("content-range", _UNSATISFIED) if status == 416 else ("content-length", re.compile("([0-9]{1,18})"))
    )
    if status != 416 and not 200 <= status < 300:
        return 0
    value = next((value.strip() for field, value in headers if field.lower() == name), "")
    match = form.fullmatch(value)
    return int(match[1]) if match is not None else 0
