"""multipart/signed, both ways (RFC 1847, RFC 8551 section 3.5): for messages and for receipts."""

from __future__ import annotations

import base64
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from gateway.as2 import cms, mime
from gateway.as2.der import MAX_TREE
from gateway.as2.errors import As2Error, Failure
from gateway.as2.keys import Certificate, Identity, KeyFileError
from gateway.as2.mime import Entity
from gateway.as2.region import Region, Scratch

MODERN_DIGESTS = frozenset({"sha256", "sha384", "sha512"})

_SPELLING = {"sha1": "sha1", "sha256": "sha-256", "sha384": "sha-384", "sha512": "sha-512"}


def digest_name(micalg: str) -> str | None:
    """Our name of a digest as partners spell it: `SHA-1`, `sha1`, `RSA-SHA1`, `SHA`; None if unknown."""
    name = micalg.strip().strip('"').lower().removeprefix("rsa-").replace("-", "").replace("_", "")
    name = "sha1" if name == "sha" else name
    return name if name in cms.DIGESTS else None


def micalg(digest: str) -> str:
    """How we spell a digest in a header (RFC 8551 section 3.5.3.2; RFC 4130 for sha1)."""
    return _SPELLING[digest]


@dataclass(frozen=True)
class Signing:
    """How we sign: with one identity. SHA-1 only where `legacy` says the partner can do no better."""

    identity: Identity
    digest: str = "sha256"
    pss: bool = False
    legacy: bool = False

    def __post_init__(self) -> None:
        if self.digest not in MODERN_DIGESTS and not (self.legacy and self.digest == "sha1"):
            raise ValueError(f"the digest {self.digest!r} is not signed with")
        if not self.identity.certificate.strong:
            raise KeyFileError("the signing key is too short")


@dataclass(frozen=True)
class Trust:
    """Whose signatures count: these certificates in their windows, with these digests."""

    certificates: tuple[Certificate, ...] = ()
    digests: frozenset[str] = MODERN_DIGESTS


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
            f'micalg={micalg(signing.digest)}; boundary="{boundary}"',
        )
    ]
    return Outgoing(headers, _signed_body(entity, signing, now, digests, boundary.encode()))


def _signed_body(
    entity: Outgoing, signing: Signing, now: datetime, digests: Digests, boundary: bytes
) -> Iterator[bytes]:
    yield b"--" + boundary + b"\r\n"
    yield from entity.observed(digests).chunks()
    signature = cms.sign(digests[signing.digest], signing.identity, signing.digest, now, pss=signing.pss)
    headers = [
        ("Content-Type", 'application/pkcs7-signature; name="smime.p7s"'),
        ("Content-Transfer-Encoding", "base64"),
        ("Content-Disposition", 'attachment; filename="smime.p7s"'),
    ]
    text = base64.encodebytes(signature).replace(b"\n", b"\r\n")
    yield b"\r\n--" + boundary + b"\r\n" + mime.block(headers) + text + b"--" + boundary + b"--\r\n"


@dataclass(frozen=True)
class Verified:
    """The part that was signed: `part` holds the very bytes whose digest the signature covers."""

    part: Region
    digest: str
    mic: bytes
    certificate: Certificate
    canonicalised: bool
    """Whether the signature covers the CRLF form of what was received; `part` is that form."""


def verify(entity: Entity, scratch: Scratch, trust: Trust, now: datetime) -> Verified:
    """Verifies a multipart/signed against pinned certificates.

    Raises As2Error: authentication-failed if none of them made the signature or it is not in order,
    integrity-check-failed if one of them did but over other content, insufficient-message-security for an
    algorithm or key that is too weak, unexpected-processing-error for MIME that is not two parts.
    """
    parts = mime.parts(entity, scratch)
    if len(parts) != 2:
        raise mime.malformed(f"a multipart/signed of {len(parts)} parts")
    part, signature_part = parts
    if cms.looks_like_attributes(part.read(0, 4096)):
        raise As2Error(Failure.AUTHENTICATION, "the signed content looks like signed attributes")
    signers = _read_signers(signature_part, scratch)
    accepted = [signer for signer in signers if signer.digest in trust.digests]
    if not accepted:
        raise As2Error(Failure.TOO_WEAK, f"signed with {signers[0].digest}")
    signer, certificate = _find_signer(accepted, trust, now)
    if not certificate.strong:
        raise As2Error(Failure.TOO_WEAK, "the signer's key is too short")
    digest = signer.digest
    if cms.digest_of(part.chunks(), digest) == signer.message_digest:
        return Verified(part, digest, signer.message_digest, certificate, canonicalised=False)
    if cms.digest_of(mime.canonical(part.chunks()), digest) == signer.message_digest:
        part = scratch.keep(mime.canonical(part.chunks()))
        return Verified(part, digest, signer.message_digest, certificate, canonicalised=True)
    raise As2Error(Failure.INTEGRITY, "the content differs from what was signed")


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
) -> tuple[cms.Signer, Certificate]:
    cause = "signed by none of the partner's certificates"
    for signer in signers:
        for certificate in trust.certificates:
            if not signer.signed_by(certificate):
                continue
            if not certificate.valid_at(now):
                cause = f"signed with certificate {certificate.fingerprint} outside its validity"
            elif certificate.signed_with not in trust.digests:
                cause = (
                    f"certificate {certificate.fingerprint} is itself signed with {certificate.signed_with}"
                )
            else:
                return signer, certificate
    raise As2Error(Failure.AUTHENTICATION, cause)
