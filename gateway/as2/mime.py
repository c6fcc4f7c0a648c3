"""MIME over raw bytes (RFC 2045, 2046, 2231): what was signed is found by offset and never written anew.

Header blocks are read strictly and within limits, bodies are regions of a file. Rules of AS2 that differ from
mail: a body without Content-Transfer-Encoding is binary (RFC 4130 section 5), and headers are never folded.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from gateway.as2.errors import As2Error, Failure
from gateway.as2.region import Region, Scratch

CERTIFICATE_EXCHANGE = "application/ediint-cert-exchange+xml"
"""What an exchange of certificates is, alone or as the root of a multipart/related (see `cem`)."""

MAX_HEAD = 64 * 1024
MAX_FIELDS = 100
MAX_PARAMETERS = 64
MAX_PARTS = 64
MAX_DEPTH = 8
MAX_BOUNDARY = 256
MAX_FALSE_DELIMITERS = 1000

_LINE = 57  # bytes in a line of base64

_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*(.*)", re.DOTALL)
_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))', re.DOTALL)
_AFTER_DELIMITER = re.compile(rb"(--|-?\Z)?[ \t]*(\r?\n|\r?\Z)")
"""What follows `--boundary`. Where the body ends there, a wrong length has cut off the `--` of the end."""
_WHOLE = frozenset({"multipart/signed", "multipart/encrypted", "multipart/report"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

Pairs = Iterable[tuple[str, str]] | Iterable[tuple[bytes, bytes]]
"""Header fields as an HTTP library gives them, decoded as latin-1 or not at all."""


def malformed(cause: str) -> As2Error:
    """The error for MIME that cannot be read."""
    return As2Error(Failure.MALFORMED, cause)


@dataclass(frozen=True, slots=True)
class Headers:
    """Header fields in order; names compare without case, values are unfolded text of the raw octets."""

    fields: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, pairs: Pairs) -> Headers:
        return cls(tuple((_text(name), _text(value).strip(" \t")) for name, value in pairs))

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        wanted = name.lower()
        return [value for field, value in self.fields if field.lower() == wanted]

    def first(self, name: str) -> str:
        """The first value of a field; empty where it is absent."""
        return next(iter(self.all(name)), "")

    def get(self, name: str) -> str | None:
        """The value of a field that may stand once. Raises As2Error if it stands twice."""
        values = self.all(name)
        if len(values) > 1:
            raise malformed(f"{len(values)} {name} fields")
        return values[0] if values else None


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


@dataclass(frozen=True, slots=True)
class Valued:
    """A structured field: its first word in lower case, and its parameters by lower-case name."""

    value: str
    parameters: Mapping[str, str]

    @property
    def main(self) -> str:
        """The part before the slash."""
        return self.value.partition("/")[0]


def structured(field: str) -> Valued:
    """Reads `value; name=value; name="quoted"`, with RFC 2231 extended and continued names.

    A backslash escapes a quote or itself; before anything else it is one, as in names of files from Windows.
    """
    value, _, rest = field.partition(";")
    found: dict[str, str] = {}
    for count, match in enumerate(_PARAMETER.finditer(";" + rest)):
        if count == MAX_PARAMETERS:
            raise malformed("too many parameters")
        name, quoted, plain = match.groups()
        text = re.sub(r'\\(["\\])', r"\1", quoted) if quoted is not None else plain.strip()
        found.setdefault(name.lower(), text)
    return Valued(value.strip().lower(), _joined(found))


def _joined(found: dict[str, str]) -> dict[str, str]:
    """Puts together what RFC 2231 splits: `name*0`, `name*1*` and the charset of `name*`."""
    plain = {name: text for name, text in found.items() if "*" not in name}
    for name in {name.partition("*")[0] for name in found if "*" in name}:
        pieces, extended = [], False
        for number in range(MAX_PARAMETERS):
            keys = (
                [f"{name}*", f"{name}*0*", f"{name}*0"]
                if number == 0
                else [f"{name}*{number}*", f"{name}*{number}"]
            )
            key = next((key for key in keys if key in found), None)
            if key is None:
                break
            extended = extended or key.endswith("*")
            pieces.append(found[key])
        text = "".join(pieces)
        if extended:
            charset, _, text = text.partition("'")
            raw = unquote_to_bytes(text.partition("'")[2])
            text = raw.decode("utf-8" if charset.lower() == "utf-8" else "latin-1", "replace")
        if text:
            plain[name] = text
    return plain


def parameter(name: str, value: str) -> str:
    """`; name="value"`, or the extended form alone if it is not ASCII (RFC 2231). Refuses control characters.

    A plain form beside it, as RFC 6266 has, is what readers of mail would take instead.
    """
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in value):
        raise ValueError(f"{name} contains a control character")
    if not value.isascii():
        return f"; {name}*=UTF-8''{quote(value, safe='')}"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'; {name}="{escaped}"'


def unstructured(text: str) -> str:
    """Text as the value of a header such as Subject, encoded if it is not ASCII (RFC 2047)."""
    return text if text.isascii() else f"=?utf-8?b?{base64.b64encode(text.encode()).decode()}?="


def block(fields: Sequence[tuple[str, str]]) -> bytes:
    """A header block with the blank line that ends it. Refuses a value that would begin another field."""
    lines = []
    for name, value in fields:
        if not _TOKEN.fullmatch(name) or not value.isascii() or any(char in value for char in "\r\n\0"):
            raise ValueError(f"the header {name!r} cannot be written")
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines).encode("ascii") + b"\r\n"


@dataclass(frozen=True, slots=True)
class Entity:
    """A MIME entity where it lies. `whole` is headers and body as they stand; for HTTP, the body alone."""

    headers: Headers
    body: Region
    whole: Region

    @property
    def content_type(self) -> Valued:
        """Content-Type; text/plain where none is given (RFC 2045 section 5.2)."""
        return structured(self.headers.get("Content-Type") or "text/plain")

    @property
    def encoding(self) -> str:
        """Content-Transfer-Encoding in lower case; binary where none is given."""
        return (self.headers.get("Content-Transfer-Encoding") or "binary").strip().lower()

    @property
    def given_filename(self) -> str | None:
        """The name of the file as its sender wrote it, decoded and no more; data, never a path.

        Of Content-Disposition (RFC 2183, 2231, 6266), or else of Content-Type. Octets beyond ASCII are read
        as UTF-8 where they are that.
        """
        disposition = structured(self.headers.get("Content-Disposition") or "")
        name = disposition.parameters.get("filename") or self.content_type.parameters.get("name") or None
        with suppress(UnicodeError):
            name = name.encode("latin-1").decode() if name else None
        return name

    @property
    def filename(self) -> str | None:
        """The same fit to be shown: without folders and what cannot be printed, cut at 255 characters."""
        name = re.split(r"[/\\]", self.given_filename or "")[-1]
        name = "".join(char for char in name if char.isprintable() and char != "\ufffd").strip()[:255]
        return None if name in ("", ".", "..") else name

    @property
    def content_id(self) -> str | None:
        """Content-ID as it stands, brackets included (RFC 2045 section 7)."""
        return self.headers.get("Content-ID") or None

    def decoded(self, scratch: Scratch) -> Region:
        """The body without its Content-Transfer-Encoding."""
        match self.encoding:
            case "binary" | "8bit" | "7bit":
                return self.body
            case "base64":
                return scratch.keep(_from_base64(self.body.chunks()))
            case "quoted-printable":
                return scratch.keep(_from_quoted_printable(self.body.chunks()))
            case other:
                raise malformed(f"Content-Transfer-Encoding {other[:40]!r}")


def read_entity(region: Region) -> Entity:
    """Splits an entity at the first blank line and reads its headers. Raises As2Error if they are none."""
    start = region.read(0, MAX_HEAD)
    if start[:1] == b"\n" or start[:2] == b"\r\n":
        return Entity(Headers(), region.cut(start.index(b"\n") + 1), region)
    blank = _BLANK_LINE.search(start)
    if blank is None and len(start) < region.size:
        raise malformed("a header block without an end")
    head, body = (start[: blank.start()], blank.end()) if blank else (start.rstrip(b"\r\n"), region.size)
    return Entity(_read_block(head), region.cut(body), region)


def _read_block(head: bytes) -> Headers:
    fields: list[tuple[str, str]] = []
    for line in head.decode("latin-1").split("\n") if head else ():
        text = line.removesuffix("\r")
        if "\r" in text or "\0" in text:
            raise malformed("a control character in the header block")
        if text[:1] in (" ", "\t") and fields:
            name, value = fields[-1]
            fields[-1] = (name, f"{value} {text.strip()}".strip())
            continue
        match = _FIELD.fullmatch(text)
        if match is None:
            raise malformed("a line of the header block is no header")
        fields.append((match[1], match[2].strip(" \t")))
        if len(fields) > MAX_FIELDS:
            raise malformed("too many headers")
    return Headers(tuple(fields))


def parts(entity: Entity, scratch: Scratch) -> list[Region]:
    """The parts of a multipart, each from its headers to before the line break that belongs to the boundary.

    RFC 2046 section 5.1. Preamble and epilogue are skipped; a missing end delimiter is an error, and so are
    more than 64 parts.
    """
    boundary = entity.content_type.parameters.get("boundary", "").rstrip()
    if not 0 < len(boundary) <= MAX_BOUNDARY or not boundary.isascii():
        raise malformed("a multipart without a usable boundary")
    body = entity.decoded(scratch)
    found: list[Region] = []
    start: int | None = None
    for line_break, after, last in _delimiters(body, b"--" + boundary.encode()):
        if start is not None:
            found.append(body.cut(start, max(start, line_break)))
        if last and found:
            return found
        if last or len(found) == MAX_PARTS:
            raise malformed(f"a multipart of no parts, or of more than {MAX_PARTS}")
        start = after
    raise malformed("a multipart without its end")


def leaves(entity: Entity, scratch: Scratch) -> list[Entity]:
    """What an entity carries: itself, or of a multipart its parts in order (RFC 6362, RFC 2387).

    A multipart among the parts is opened in its place, whatever its subtype, but for one that means something
    only as a whole: signed, encrypted, report. Raises As2Error for more than 64 parts in all or multiparts
    more than 8 deep, and for a multipart without its end.
    """
    found: list[Entity] = []
    opened = 0

    def walk(one: Entity, depth: int) -> None:
        nonlocal opened
        kind = one.content_type
        if kind.main != "multipart" or (depth and kind.value in _WHOLE):
            found.append(one)
            return
        if depth == MAX_DEPTH:
            raise malformed(f"multiparts more than {MAX_DEPTH} deep")
        inside = parts(one, scratch)
        opened += len(inside)
        if opened > MAX_PARTS:
            raise malformed(f"more than {MAX_PARTS} parts")
        for part in inside:
            walk(read_entity(part), depth + 1)

    walk(entity, 0)
    return found


def _delimiters(body: Region, delimiter: bytes) -> Iterator[tuple[int, int, bool]]:
    """Where each delimiter's line break begins, where the next line begins, and whether it is the last."""
    at = false = 0
    while (index := body.find(delimiter, at)) is not None:
        at = index + len(delimiter)
        before = body.read(max(0, index - 2), min(2, index))
        after = _AFTER_DELIMITER.match(body.read(at, MAX_BOUNDARY))
        if after is None or (index > 0 and not before.endswith(b"\n")):
            false += 1
            if false > MAX_FALSE_DELIMITERS:
                raise malformed("too many lines that only look like the boundary")
            continue
        line_break = 2 if before == b"\r\n" else min(1, index)
        yield index - line_break, at + after.end(), after[1] is not None


def canonical(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same lines, each ended by CRLF (RFC 5751 section 3.1.1)."""
    carriage_return = b""
    for chunk in chunks:
        text = carriage_return + chunk
        carriage_return = b"\r" if text.endswith(b"\r") else b""
        yield text[: len(text) - len(carriage_return)].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    yield carriage_return


def to_base64(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes as lines of 76 characters, each ended by CRLF (RFC 2045 section 6.8)."""
    held = b""
    for chunk in chunks:
        data = held + chunk
        whole = len(data) - len(data) % _LINE
        held = data[whole:]
        yield _base64_lines(data[:whole])
    yield _base64_lines(held)


def _base64_lines(data: bytes) -> bytes:
    text = binascii.b2a_base64(data, newline=False)
    return b"".join(text[at : at + 76] + b"\r\n" for at in range(0, len(text), 76))


def _from_base64(chunks: Iterable[bytes]) -> Iterator[bytes]:
    held = b""
    ended = False
    for chunk in chunks:
        text = held + re.sub(rb"[\s]+", b"", chunk)
        if ended and text:
            raise malformed("base64 that goes on after its end")
        whole = len(text) - len(text) % 4
        text, held = text[:whole], text[whole:]
        try:
            yield binascii.a2b_base64(text, strict_mode=True) if text else b""
        except binascii.Error as error:
            raise malformed(f"base64: {error}") from error
        ended = text.endswith(b"=")
    if held:
        raise malformed("base64 of a length that is no multiple of four")


def _from_quoted_printable(chunks: Iterable[bytes]) -> Iterator[bytes]:
    held = b""
    for chunk in chunks:
        lines = (held + chunk).rpartition(b"\n")
        held = lines[2]
        if len(held) > MAX_HEAD:
            raise malformed("a quoted-printable line that is too long")
        yield binascii.a2b_qp(lines[0] + lines[1])
    yield binascii.a2b_qp(held)
