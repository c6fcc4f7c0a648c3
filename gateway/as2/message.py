"""AS2 messages, out and in (RFC 4130, RFC 5402, RFC 6362), in constant memory.

Out: an entity is wrapped in entities, each a generator over the one inside, and the outermost is written to a
spool file once. In: layers are peeled off from the outside, each read from a file that the layer before left;
the payload is written only when everything around it has been verified.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import IO, Literal, Protocol

from gateway.as2 import cms, deflate, mime
from gateway.as2.errors import As2Error, Failure
from gateway.as2.keys import Certificate, Identity, KeyFileError
from gateway.as2.mime import Entity
from gateway.as2.region import CHUNK, Region, Scratch
from gateway.as2.request import USUAL, Profile, ReceiptRequest, Request, check_name, quoted, receipt_headers
from gateway.as2.signed import (
    Digests,
    Outgoing,
    Signing,
    Trust,
    Verified,
    check,
    digest_name,
    pretend_to_verify,
    signed,
    take_apart,
)

MODERN_CIPHERS = frozenset(cms.CIPHERS) - {"3des"}

Compression = Literal["none", "before-sign", "after-sign"]
Encoding = Literal["binary", "base64"]

# What is EDI: by its media type (RFC 1767), or by the first segment of X12 (X12.5) and EDIFACT (ISO 9735).
_EDI_TYPES = frozenset({"application/edi-x12", "application/edifact", "application/edi-consent"})
_EDI_STARTS = (b"ISA", b"UNA", b"UNB")


class Sink(Protocol):
    """Where bytes are written: a file, or what stores them."""

    def write(self, data: bytes, /) -> int:
        """Takes all of `data`; the number of bytes taken."""


@dataclass(frozen=True)
class Encryption:
    """How we encrypt: to these certificates. 3DES only where `legacy` says the partner can do no better."""

    certificates: tuple[Certificate, ...]
    cipher: str = "aes256-cbc"
    oaep: bool = False
    legacy: bool = False

    def __post_init__(self) -> None:
        if self.cipher not in MODERN_CIPHERS and not (self.legacy and self.cipher == "3des"):
            raise ValueError(f"the cipher {self.cipher!r} is not encrypted with")
        if not self.certificates or not all(certificate.strong for certificate in self.certificates):
            raise KeyFileError("no certificate to encrypt to, or one with too short a key")


@dataclass(frozen=True)
class Attachment:
    """A file that goes with the payload. `content_id` is used as given, brackets included (RFC 2392)."""

    source: IO[bytes] = field(repr=False)
    content_type: str = "application/octet-stream"
    filename: str | None = None
    content_id: str | None = None


@dataclass(frozen=True)
class Built:
    """A message in its spool file. `headers` are unfolded and complete, Content-Length included.

    `mics` are base64 by digest name, over the bytes the receipt must confirm: of every digest known here if a
    receipt was asked for, so that an answer with any of them can be checked.
    """

    headers: list[tuple[str, str]]
    size: int
    mics: dict[str, str]


def build(
    source: IO[bytes],
    spool: Sink,
    *,
    as2_from: str,
    as2_to: str,
    message_id: str,
    now: datetime,
    subject: str = "",
    content_type: str = "application/octet-stream",
    filename: str | None = None,
    content_id: str | None = None,
    attachments: Sequence[Attachment] = (),
    sign: Signing | None = None,
    encrypt: Encryption | None = None,
    compress: Compression = "none",
    encoding: Encoding = "binary",
    receipt: ReceiptRequest | None = None,
    profile: Profile = USUAL,
) -> Built:
    """Reads the payload and then each attachment once, and writes the body of the request to `spool`.

    `message_id` is used as given, brackets included. With attachments the payload is the first part of a
    multipart/related (RFC 6362). `encoding` is that of parts inside the body; the body itself is binary.
    Raises ValueError for values that cannot stand in a header, and for more parts than are read.
    """
    check_name(as2_from)
    check_name(as2_to)
    digests = Digests(cms.DIGESTS if receipt else {sign.digest if sign else "sha256"})
    payload = _payload(
        Attachment(source, content_type, filename, content_id), attachments, encoding, message_id
    )
    entity = _wrapped(
        payload, sign=sign, encrypt=encrypt, compress=compress, encoding=encoding, now=now, digests=digests
    )
    headers = [
        *profile.headers(as2_from, as2_to),
        ("Message-ID", message_id),
        ("Date", http_date(now)),
        *([("Subject", mime.unstructured(subject))] if subject else []),
        *(receipt_headers(receipt, notify=quoted(as2_from)) if receipt else []),
        ("MIME-Version", "1.0"),
        *entity.headers,
    ]
    mime.block(headers)  # refuses before anything is written
    size = sum(spool.write(chunk) for chunk in entity.body)
    return Built([*headers, ("Content-Length", str(size))], size, digests.mics())


def covered(
    source: IO[bytes],
    *,
    message_id: str,
    content_type: str = "application/octet-stream",
    filename: str | None = None,
    content_id: str | None = None,
    attachments: Sequence[Attachment] = (),
    signed: bool = True,
    compress: Compression = "none",
    encoding: Encoding = "binary",
) -> Iterator[bytes]:
    """What the MIC is over of a message that `build` made and wrapped (RFC 4130 section 7.3.1)."""
    root = Attachment(source, content_type, filename, content_id)
    entity = _encoded(_payload(root, attachments, encoding, message_id), encoding)
    if signed and compress == "before-sign":
        entity = _encoded(_compressed(entity), encoding)
    return entity.chunks()


def _payload(
    root: Attachment, attachments: Sequence[Attachment], encoding: Encoding, message_id: str
) -> Outgoing:
    """The innermost entity: a file, or several as one. The same message has the same, boundary included."""
    payload = _file(root)
    if not attachments:
        return payload
    files = [payload, *(_file(attachment) for attachment in attachments)]
    boundary = f"related-{hashlib.sha256(message_id.encode()).hexdigest()[:32]}"
    return _related([_encoded(file, encoding) for file in files], root.content_type, boundary)


def http_date(now: datetime) -> str:
    """The value of a Date header (RFC 9110 section 5.6.7)."""
    return format_datetime(now.astimezone(UTC), usegmt=True)


def _file(file: Attachment) -> Outgoing:
    """A file as an entity."""
    disposition = "attachment" + (mime.parameter("filename", file.filename) if file.filename else "")
    headers = [
        ("Content-Type", file.content_type),
        ("Content-Transfer-Encoding", "binary"),
        ("Content-Disposition", disposition),
        *([("Content-ID", file.content_id)] if file.content_id else []),
    ]
    return Outgoing(headers, iter(lambda: file.source.read(CHUNK), b""))


def _related(files: Sequence[Outgoing], content_type: str, boundary: str) -> Outgoing:
    """Files as one entity (RFC 6362, RFC 2387), whose root is the first and whose `type` is the root's."""
    if len(files) > mime.MAX_PARTS:
        raise ValueError(f"a message has at most {mime.MAX_PARTS} files")
    heads = [mime.block(file.headers) for file in files]  # refuses before anything is written
    kind = content_type.partition(";")[0].strip()
    headers = [("Content-Type", f'multipart/related; type="{kind}"; boundary="{boundary}"')]
    delimiter = f"--{boundary}".encode()

    def body() -> Iterator[bytes]:
        for number, (head, file) in enumerate(zip(heads, files, strict=True)):
            yield (b"\r\n" if number else b"") + delimiter + b"\r\n" + head
            yield from file.body
        yield b"\r\n" + delimiter + b"--\r\n"

    return Outgoing(headers, body())


def _encoded(entity: Outgoing, encoding: Encoding) -> Outgoing:
    """A part in base64 where that is asked for; a multipart is text and has the encodings of its parts."""
    plain = ("Content-Transfer-Encoding", "binary")
    is_multipart = any(
        name == "Content-Type" and value.startswith("multipart/") for name, value in entity.headers
    )
    if encoding == "binary" or plain not in entity.headers or is_multipart:
        return entity
    headers = [pair if pair != plain else (plain[0], encoding) for pair in entity.headers]
    return Outgoing(headers, mime.to_base64(entity.body))


def _wrapped(
    payload: Outgoing,
    *,
    sign: Signing | None,
    encrypt: Encryption | None,
    compress: Compression,
    encoding: Encoding,
    now: datetime,
    digests: Digests,
) -> Outgoing:
    """The layers around the payload; the digests see what the MIC is over (RFC 4130 7.3.1, RFC 5402 4)."""
    if not sign and not encrypt and compress == "none":
        return Outgoing(payload.headers, digests.over(payload.body))
    entity = _encoded(payload, encoding)
    if sign:
        if compress == "before-sign":
            entity = _encoded(_compressed(entity), encoding)
        entity = signed(entity, sign, now, digests)
    else:
        entity = entity.observed(digests)
    if compress == "after-sign" or (compress != "none" and not sign):
        entity = _compressed(entity)
        if encrypt:
            entity = _encoded(entity, encoding)
    return _encrypted(entity, encrypt) if encrypt else entity


def _compressed(entity: Outgoing) -> Outgoing:
    return Outgoing(_cms_headers("compressed-data", "smime.p7z"), deflate.compress(entity.chunks()))


def _encrypted(entity: Outgoing, encryption: Encryption) -> Outgoing:
    kind = "authEnveloped-data" if encryption.cipher.endswith("gcm") else "enveloped-data"
    body = cms.encrypt(entity.chunks(), encryption.certificates, encryption.cipher, oaep=encryption.oaep)
    return Outgoing(_cms_headers(kind, "smime.p7m"), body)


def _cms_headers(kind: str, name: str) -> list[tuple[str, str]]:
    return [
        ("Content-Type", f'application/pkcs7-mime; smime-type={kind}; name="{name}"'),
        ("Content-Transfer-Encoding", "binary"),
        ("Content-Disposition", f'attachment; filename="{name}"'),
    ]


@dataclass(frozen=True)
class Policy:
    """What the agreement with a partner asks of its messages.

    Everything is checked on what was really done, not on what headers claim. A weak algorithm is accepted
    only by being listed: "sha1" in `trust.digests`, "3des" in `ciphers`.
    """

    keys: tuple[Identity, ...]
    trust: Trust
    require_signed: bool = True
    require_encrypted: bool = True
    ciphers: frozenset[str] = MODERN_CIPHERS
    inflate: deflate.InflateLimit = field(default_factory=deflate.InflateLimit)


@dataclass(frozen=True)
class Part:
    """One file of a message: which of its parts it is, from 1, and what its headers and its content are.

    `filename` is fit to be shown, `given_filename` what the sender wrote. `content_id` has its brackets.
    """

    number: int
    content_type: str
    filename: str | None
    given_filename: str | None
    content_id: str | None
    size: int
    sha256: str


@dataclass(frozen=True)
class Opened:
    """An accepted message, whose payload is in the caller's sink.

    The payload is the message's only part, or of several the first that is EDI, or else the root. What else
    there is are the attachments, in order.
    """

    mic: str
    """Received-Content-MIC in base64, of the form that verified."""
    mic_algorithm: str
    payload: Part
    attachments: tuple[Part, ...]
    outdated: bool
    """Whether the certificate it was signed with has expired or is not valid yet: as a policy lets pass."""
    signed_with: str | None
    """Fingerprint of the partner's certificate, None if unsigned."""
    encrypted_with: str | None
    """Content cipher, None if in the clear."""
    decrypted_with: str | None
    """Fingerprint of our certificate it was encrypted to."""
    key_transport: str | None
    """How its content key was encrypted: rsa-oaep or rsa-pkcs1v15."""
    compression: Compression
    canonicalised: bool
    """Whether only the CRLF form of what arrived verified; the payload is that form."""

    @property
    def filename(self) -> str | None:
        return self.payload.filename

    @property
    def content_type(self) -> str:
        return self.payload.content_type

    @property
    def size(self) -> int:
        return self.payload.size

    @property
    def sha256(self) -> str:
        return self.payload.sha256


def open_message(
    request: Request,
    body: IO[bytes],
    *,
    policy: Policy,
    payload: Sink,
    now: datetime,
    attach: Callable[[], Sink] | None = None,
    scratch_dir: Path | None = None,
) -> Opened:
    """Opens the message in `body`, a seekable file, and writes its payload to `payload`.

    `attach` gives a sink for each attachment, in order; without it a message that has some is not accepted.
    Raises As2Error for a message that is not accepted; `payload` is untouched then, and `attach` not called.
    Errors of our own files pass through. Layers in between are held in unnamed files, in `scratch_dir` if
    they are large.

    Behind CBC or PKCS#1 v1.5 every failure before the signature verifies, a missing signature included, is
    told to the partner as decryption-failed: a receipt that told more would decrypt for an attacker.
    """
    with Scratch(scratch_dir) as scratch:
        return _Opening(policy, now, scratch).open(request, Region.of(body), payload, attach)


class _Opening:
    """Peels one message; what was found so far decides what may follow and what may be told."""

    def __init__(self, policy: Policy, now: datetime, scratch: Scratch) -> None:
        self._policy = policy
        self._now = now
        self._scratch = scratch
        self._envelope: cms.Envelope | None = None
        self._checked = False
        self._verified: Verified | None = None
        self._compression: Compression = "none"

    def open(
        self, request: Request, body: Region, payload: Sink, attach: Callable[[], Sink] | None
    ) -> Opened:
        try:
            entity = self._peeled(Entity(request.headers, body, body))
            files = [
                _Found(number, part, part.decoded(self._scratch))
                for number, part in enumerate(mime.leaves(entity, self._scratch), 1)
            ]
            root = _root(entity, files)
            described = [file.described() for file in files]
            if len(files) > 1 and attach is None:
                raise mime.malformed("a message of several files")
        except As2Error as error:
            # Until the signature verifies, whoever sent this may be an attacker who learns from each answer,
            # and from how long it takes.
            if self._envelope and not self._envelope.exact and not self._verified:
                if not self._checked:
                    pretend_to_verify(body.size, self._scratch, self._policy.trust, self._now)
                raise error.masked() from error
            raise
        mic_algorithm, mic = self._mic(request, entity)
        parts = []
        for file, headers in zip(files, described, strict=True):
            sink = payload if file is root or attach is None else attach()
            parts.append(Part(*headers, *_copy(file.content, sink)))
        return Opened(
            mic=base64.b64encode(mic).decode(),
            mic_algorithm=mic_algorithm,
            payload=parts[root.number - 1],
            attachments=tuple(part for part in parts if part.number != root.number),
            outdated=bool(self._verified and self._verified.outdated),
            signed_with=self._verified.certificate.fingerprint if self._verified else None,
            encrypted_with=self._envelope.cipher if self._envelope else None,
            decrypted_with=self._envelope.recipient.certificate.fingerprint if self._envelope else None,
            key_transport=self._envelope.key_transport if self._envelope else None,
            compression=self._compression,
            canonicalised=bool(self._verified and self._verified.canonicalised),
        )

    def _peeled(self, entity: Entity) -> Entity:
        """The payload's entity: what is inside of all layers."""
        while inside := self._inside(entity):
            entity = inside
        self._require_encryption()
        if self._policy.require_signed and not self._verified:
            raise As2Error(Failure.TOO_WEAK, "not signed, and the agreement asks for it")
        return entity

    def _inside(self, entity: Entity) -> Entity | None:
        """The entity inside the outermost layer, None if there is no layer.

        The Content-Type says that it is CMS; which kind is said by the CMS alone (RFC 8551 section 3.2.2).
        """
        match entity.content_type.value:
            case "multipart/signed":
                return self._authenticated(entity)
            case "application/pkcs7-mime" | "application/x-pkcs7-mime":
                region = entity.decoded(self._scratch)
                match cms.content_type(region):
                    case cms.ENVELOPED_DATA | cms.AUTH_ENVELOPED_DATA:
                        return self._decrypted(region)
                    case cms.COMPRESSED_DATA:
                        return self._inflated(region)
                    case cms.SIGNED_DATA:
                        raise As2Error(Failure.AUTHENTICATION, "a signature that is not detached")
                    case _:
                        raise mime.malformed("application/pkcs7-mime without a known CMS content")
            case "application/pkcs7-signature" | "application/x-pkcs7-signature":
                raise As2Error(Failure.AUTHENTICATION, "a signature without its content")
        return None

    def _require_encryption(self) -> None:
        if self._policy.require_encrypted and not self._envelope:
            raise As2Error(Failure.TOO_WEAK, "not encrypted, and the agreement asks for it")

    def _decrypted(self, region: Region) -> Entity:
        if self._envelope or self._verified or self._compression != "none":
            raise mime.malformed("encryption that is not the outermost layer")
        self._envelope = cms.read_envelope(region, self._policy.keys, self._policy.ciphers)
        return mime.read_entity(self._scratch.keep(self._envelope.decrypted()))

    def _inflated(self, region: Region) -> Entity:
        self._require_encryption()
        if self._compression != "none":
            raise As2Error(Failure.DECOMPRESSION, "compressed twice")
        self._compression = "before-sign" if self._verified else "after-sign"
        return mime.read_entity(self._scratch.keep(deflate.decompressed(region, self._policy.inflate)))

    def _authenticated(self, entity: Entity) -> Entity:
        self._require_encryption()
        if self._verified:
            raise mime.malformed("signed twice")
        part, signers = take_apart(entity, self._scratch)
        self._checked = True
        verified = check(part, signers, self._scratch, self._policy.trust, self._now)
        inner = mime.read_entity(verified.part)
        if verified.outdated and self._envelope and not self._envelope.exact:
            raise As2Error(Failure.AUTHENTICATION, "signed with a certificate outside its validity")
        self._verified = verified
        return inner

    def _mic(self, request: Request, entity: Entity) -> tuple[str, bytes]:
        """RFC 4130 section 7.3.1 and RFC 5402 section 4: of what was signed, or else of the bare entity."""
        if self._verified:
            return self._verified.digest, self._verified.mic
        name = (
            request.receipt and request.receipt.micalg and digest_name(request.receipt.micalg)
        ) or "sha256"
        chunks = entity.whole.chunks()
        wrapped = self._envelope or self._compression != "none"
        return name, cms.digest_of(
            mime.canonical(chunks) if wrapped and entity.encoding != "binary" else chunks, name
        )


@dataclass(frozen=True)
class _Found:
    """A file as it lies in the message."""

    number: int
    entity: Entity
    content: Region

    def described(self) -> tuple[int, str, str | None, str | None, str | None]:
        """The fields of a Part that its headers tell. Raises As2Error for headers that stand twice."""
        entity = self.entity
        content_type = entity.headers.get("Content-Type") or "text/plain"
        return self.number, content_type, entity.filename, entity.given_filename, entity.content_id

    @property
    def is_edi(self) -> bool:
        start = self.content.read(0, 256).lstrip()
        return self.entity.content_type.value in _EDI_TYPES or start.startswith(_EDI_STARTS)


def _root(entity: Entity, files: Sequence[_Found]) -> _Found:
    """The file that is the document: the first that is EDI, else the root (RFC 2387 section 3.2)."""
    start = entity.content_type.parameters.get("start")
    named: Iterable[_Found] = (file for file in files if start and file.entity.content_id == start)
    return next((file for file in files if file.is_edi), next(iter(named), files[0]))


def _copy(content: Region, payload: Sink) -> tuple[int, str]:
    sha256 = hashlib.sha256()
    size = 0
    for chunk in content.chunks():
        sha256.update(chunk)
        size += payload.write(chunk)
    return size, sha256.hexdigest()
