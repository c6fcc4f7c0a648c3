"""multipart/signed, both ways (RFC 1847, RFC 8551 section 3.5): for messages and for receipts."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Literal

from gateway.as2 import cms, mime
from gateway.as2.der import MAX_TREE
from gateway.as2.errors import As2Error, Failure
from gateway.as2.keys import Certificate, Identity, KeyFileError
from gateway.as2.mime import Entity, Headers
from gateway.as2.region import CHUNK, Region, Scratch

MODERN_DIGESTS = frozenset({"sha256", "sha384", "sha512"})

_SIGNATURE_HEADERS = (
    ("Content-Type", 'application/pkcs7-signature; name="smime.p7s"'),
    ("Content-Transfer-Encoding", "base64"),
    ("Content-Disposition", 'attachment; filename="smime.p7s"'),
)
Spelling = Literal["rfc", "hyphen", "plain"]
"""How digests are spelled: as the standards do (sha1, sha-256), sha-1 and sha-256, or sha1 and sha256."""


def digest_name(micalg: str) -> str | None:
    """Our name of a digest as partners spell it: `SHA-1`, `sha1`, `RSA-SHA1`, `SHA`; None if unknown."""
    name = micalg.strip().strip('"').lower().removeprefix("rsa-").replace("-", "").replace("_", "")
    name = "sha1" if name == "sha" else name
    return name if name in cms.DIGESTS else None


def micalg(digest: str, spelling: Spelling = "rfc") -> str:
    """How a digest is spelled in a header (RFC 8551 section 3.5.3.2; RFC 4130 for sha1)."""
    if spelling == "plain" or (spelling == "rfc" and digest == "sha1"):
        return digest
    return digest.replace("sha", "sha-")


@dataclass(frozen=True)
class Signing:
    """How we sign: with one identity. SHA-1 only where `legacy` says the partner can do no better."""

    identity: Identity
    digest: str = "sha256"
    pss: bool = False
    legacy: bool = False
    spelling: Spelling = "rfc"

    def __post_init__(self) -> None:
        if self.digest not in MODERN_DIGESTS and not (self.legacy and self.digest == "sha1"):
            raise ValueError(f"the digest {self.digest!r} is not signed with")
        if not self.identity.certificate.strong:
            raise KeyFileError("the signing key is too short")


@dataclass(frozen=True)
class Trust:
    """Whose signatures count: these certificates in their windows, with these digests.

    With `outdated` those also count that have expired or are not valid yet, and `Verified` says so.
    """

    certificates: tuple[Certificate, ...] = ()
    digests: frozenset[str] = MODERN_DIGESTS
    outdated: bool = False


class Digests:
    """Digests taken of chunks as they pass, and read after the last."""

    def __init__(self, names: Collection[str]) -> None:
        self._running = cms.new_digests(names)

    def over(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The same chunks."""
        for chunk in chunks:
            for running in self._running.values():
                running.update(chunk)
            yield chunk

    def __getitem__(self, name: str) -> bytes:
        return self._running[name].digest()

    def mics(self) -> dict[str, str]:
        """All of them in base64."""
        return {name: base64.b64encode(running.digest()).decode() for name, running in self._running.items()}


@dataclass(frozen=True)
class Outgoing:
    """An entity being written: its headers, and its body as chunks that can be read once."""

    headers: Sequence[tuple[str, str]]
    body: Iterator[bytes]
    digests: Digests | None = None

    def observed(self, digests: Digests) -> Outgoing:
        """The same entity, whose headers and body these digests will see."""
        return Outgoing(self.headers, self.body, digests)

    def chunks(self) -> Iterator[bytes]:
        """Headers and body, as they go into a signature, an envelope or compression."""
        whole = chain([mime.block(self.headers)], self.body)
        return self.digests.over(whole) if self.digests else whole


def signed(entity: Outgoing, signing: Signing, now: datetime, digests: Digests) -> Outgoing:
    """The entity inside a multipart/signed. `digests`, which include the signing one, see what is signed."""
    boundary = f"signed-{os.urandom(16).hex()}"
    headers = [
        (
            "Content-Type",
            'multipart/signed; protocol="application/pkcs7-signature"; '
            f'micalg={micalg(signing.digest, signing.spelling)}; boundary="{boundary}"',
        )
    ]
    return Outgoing(headers, _signed_body(entity, signing, now, digests, boundary.encode()))


def _signed_body(
    entity: Outgoing, signing: Signing, now: datetime, digests: Digests, boundary: bytes
) -> Iterator[bytes]:
    yield b"--" + boundary + b"\r\n"
    yield from entity.observed(digests).chunks()
    signature = cms.sign(digests[signing.digest], signing.identity, signing.digest, now, pss=signing.pss)
    head, text = mime.block(_SIGNATURE_HEADERS), base64.encodebytes(signature).replace(b"\n", b"\r\n")
    yield b"\r\n--" + boundary + b"\r\n" + head + text + b"--" + boundary + b"--\r\n"


@dataclass(frozen=True)
class Verified:
    """The part that was signed: `part` holds the very bytes whose digest the signature covers."""

    part: Region
    digest: str
    mic: bytes
    certificate: Certificate
    canonicalised: bool
    """Whether the signature covers the CRLF form of what was received; `part` is that form."""
    outdated: bool
    """Whether the certificate has expired or is not valid yet."""


def verify(entity: Entity, scratch: Scratch, trust: Trust, now: datetime) -> Verified:
    """Verifies a multipart/signed against pinned certificates.

    Raises As2Error: authentication-failed if none of them made the signature or it is not in order,
    integrity-check-failed if one of them did but over other content, insufficient-message-security for an
    algorithm or key that is too weak, unexpected-processing-error for MIME that is not two parts.
    """
    return check(*take_apart(entity, scratch), scratch, trust, now)


def take_apart(entity: Entity, scratch: Scratch) -> tuple[Region, list[cms.Signer]]:
    """The part that was signed, and who claims to have signed it. Raises As2Error as `verify` does."""
    parts = mime.parts(entity, scratch)
    if len(parts) != 2:
        raise mime.malformed(f"a multipart/signed of {len(parts)} parts")
    return parts[0], _read_signers(parts[1], scratch)


def check(
    part: Region, signers: Sequence[cms.Signer], scratch: Scratch, trust: Trust, now: datetime
) -> Verified:
    """Whether one of the signers counts and signed this part. Raises As2Error as `verify` does.

    Whatever is wrong, it is told only after all of the work, so that the time does not tell it.
    """
    signer, certificate, problem = _find_signer(signers, trust, now)
    if cms.looks_like_attributes(part.read(0, 4096)):
        problem = As2Error(Failure.AUTHENTICATION, "the signed content looks like signed attributes")
    as_received = cms.digest_of(part.chunks(), signer.digest) == signer.message_digest
    outdated = certificate is not None and not certificate.valid_at(now)
    if as_received and certificate and not problem:
        return Verified(part, signer.digest, signer.message_digest, certificate, False, outdated)
    as_text = cms.digest_of(mime.canonical(part.chunks()), signer.digest) == signer.message_digest
    if as_text and certificate and not problem:
        part = scratch.keep(mime.canonical(part.chunks()))
        return Verified(part, signer.digest, signer.message_digest, certificate, True, outdated)
    raise problem or As2Error(Failure.INTEGRITY, "the content differs from what was signed")


def pretend_to_verify(size: int, scratch: Scratch, trust: Trust, now: datetime) -> None:
    """Takes as long as `verify` takes to refuse a multipart/signed of `size` bytes.

    For what fails before there is a signature to verify, where an attacker must not learn from the clock how
    far it came: RFC 5652 section 14, RFC 3218 section 2.3.
    """
    certificate = trust.certificates[0].der if trust.certificates else b""
    region = scratch.keep([_pretended_body(certificate)])
    _, signers = take_apart(Entity(_PRETENDED, region, region), scratch)
    content = Region(_Lines(), 0, size)
    content.find(_PRETENDED_DELIMITER)
    with suppress(As2Error):
        check(content, signers, scratch, trust, now)


class _Lines(io.BytesIO):
    """A file of any number of lines of text, of which only the position exists."""

    _TEXT = b"PO1*1*24*EA*9.95**UP*012345678905~\r\n" * (2 * CHUNK // 36 + 1)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset % CHUNK
        return offset

    def read(self, size: int | None = -1) -> bytes:
        """At most CHUNK bytes, which is what a Region asks for."""
        return self._TEXT[self._at : self._at + (CHUNK if size is None or size < 0 else min(size, CHUNK))]


_PRETENDED_DELIMITER = b"--=_pretended"
_PRETENDED = Headers((("Content-Type", 'multipart/signed; boundary="=_pretended"'),))


@lru_cache(maxsize=256)
def _pretended_body(certificate: bytes) -> bytes:
    signature = base64.encodebytes(cms.pretended_signature(certificate)).replace(b"\n", b"\r\n")
    return (
        _PRETENDED_DELIMITER + b"\r\n\r\n\r\n" + _PRETENDED_DELIMITER + b"\r\n"
        + mime.block(_SIGNATURE_HEADERS) + signature + _PRETENDED_DELIMITER + b"--\r\n"
    )  # fmt: skip


def _read_signers(part: Region, scratch: Scratch) -> list[cms.Signer]:
    entity = mime.read_entity(part)
    if entity.content_type.value not in ("application/pkcs7-signature", "application/x-pkcs7-signature"):
        raise mime.malformed("the second part of a multipart/signed is no signature")
    signature = entity.decoded(scratch)
    if signature.size > MAX_TREE:
        raise As2Error(Failure.AUTHENTICATION, f"a signature of {signature.size} bytes")
    return cms.read_signature(signature.read())


def _find_signer(
    signers: Sequence[cms.Signer], trust: Trust, now: datetime
) -> tuple[cms.Signer, Certificate | None, As2Error | None]:
    """The signer that a pinned certificate vouches for; or the first that could be, and why it is not."""
    accepted = [signer for signer in signers if signer.digest in trust.digests]
    cause = "signed by none of the partner's certificates"
    outdated: tuple[cms.Signer, Certificate] | None = None
    for signer in accepted:
        for certificate in trust.certificates:
            if not signer.signed_by(certificate):
                continue
            if certificate.signed_with not in trust.digests:
                cause = (
                    f"certificate {certificate.fingerprint} is itself signed with {certificate.signed_with}"
                )
            elif not certificate.valid_at(now):
                cause = f"signed with certificate {certificate.fingerprint} outside its validity"
                outdated = (signer, certificate) if certificate.strong else outdated
            elif not certificate.strong:
                return signer, certificate, As2Error(Failure.TOO_WEAK, "the signer's key is too short")
            else:
                return signer, certificate, None
    if not accepted:
        return signers[0], None, As2Error(Failure.TOO_WEAK, f"signed with {signers[0].digest}")
    if outdated and trust.outdated:
        return *outdated, None
    return accepted[0], None, As2Error(Failure.AUTHENTICATION, cause)
