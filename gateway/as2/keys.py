"""Certificates and private keys as values. Trust is a list of pinned certificates, never a chain."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.as2 import der

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

MIN_RSA_BITS = 2048

_PEM = re.compile(
    rb"-----BEGIN (?:X509 )?CERTIFICATE-----(.*?)-----END (?:X509 )?CERTIFICATE-----", re.DOTALL
)
_SUBJECT_KEY_ID = der.oid("2.5.29.14")


class KeyFileError(ValueError):
    """A certificate or key that cannot be loaded or used; the text names no secret."""


@dataclass(frozen=True)
class Certificate:
    """An X.509 certificate and the window in which we use it.

    `fingerprint` is the SHA-256 of `der` in lower-case hex, and is the certificate's identity. `valid_from`
    and `valid_until` may narrow the certificate's own validity, so that two can overlap during a roll-over.
    """

    der: bytes = field(repr=False)
    fingerprint: str
    public_key: PublicKey = field(repr=False)
    issuer: bytes = field(repr=False)  # DER of the Name, as it stands in the certificate
    serial: bytes = field(repr=False)  # content octets of the INTEGER
    subject_key_id: bytes = field(repr=False)
    signed_with: str | None  # the digest of the certificate's own signature: "sha256"
    valid_from: datetime
    valid_until: datetime

    def valid_at(self, now: datetime) -> bool:
        """Whether it may be used at this time."""
        return self.valid_from <= now <= self.valid_until

    @property
    def strong(self) -> bool:
        """RSA of at least 2048 bits, or an elliptic curve of at least 256."""
        key = self.public_key
        return key.key_size >= (MIN_RSA_BITS if isinstance(key, rsa.RSAPublicKey) else 256)

    @property
    def encrypts(self) -> bool:
        """Whether a message can be encrypted to it: an RSA key that is long enough."""
        return self.strong and isinstance(self.public_key, rsa.RSAPublicKey)


@dataclass(frozen=True)
class Identity:
    """One of our own key pairs. Several may exist during a roll-over."""

    certificate: Certificate
    key: PrivateKey = field(repr=False)


def load_certificate(
    data: bytes, *, valid_from: datetime | None = None, valid_until: datetime | None = None
) -> Certificate:
    """Reads a certificate, PEM or DER; the dates narrow its own validity. Raises KeyFileError."""
    try:
        encoded = _der(data)
        fields = der.parse(encoded).sequence()[0].sequence()
        at = 1 if fields[0].tag == 0xA0 else 0  # the version is optional
        serial, issuer = fields[at].primitive(der.INTEGER), fields[at + 2].encoded()
        certificate = x509.load_der_x509_certificate(_readable(encoded))
        public_key = certificate.public_key()
        starts, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except (ValueError, IndexError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"not a usable X.509 certificate: {error}") from error
    if not isinstance(public_key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise KeyFileError("the certificate's key is neither RSA nor ECDSA")
    return Certificate(
        der=encoded,
        fingerprint=hashlib.sha256(encoded).hexdigest(),
        public_key=public_key,
        issuer=issuer,
        serial=serial,
        subject_key_id=_subject_key_id(fields)
        or x509.SubjectKeyIdentifier.from_public_key(public_key).digest,
        signed_with=_signed_with(certificate),
        valid_from=max(starts, valid_from) if valid_from else starts,
        valid_until=min(ends, valid_until) if valid_until else ends,
    )


def issuer_text(certificate: Certificate) -> str:
    """The issuer's name as RFC 4514 writes it. Raises KeyFileError."""
    return _name(certificate, "issuer")


def subject_text(certificate: Certificate) -> str:
    """The subject's name as RFC 4514 writes it. Raises KeyFileError."""
    return _name(certificate, "subject")


def _name(certificate: Certificate, which: Literal["issuer", "subject"]) -> str:
    try:
        name: x509.Name = getattr(x509.load_der_x509_certificate(_readable(certificate.der)), which)
        return name.rfc4514_string()
    except ValueError as error:
        raise KeyFileError(f"the {which} of the certificate cannot be read: {error}") from error


def _readable(encoded: bytes) -> bytes:
    """The certificate under serial number 1: the library refuses others that partners have.

    Raises ValueError, IndexError.
    """
    body, *signature = der.parse(encoded).sequence()
    fields = list(body.sequence())
    at = 1 if fields[0].tag == 0xA0 else 0  # the version is optional
    fields[at] = der.Node(der.INTEGER, b"\x01", ())
    return der.sequence(
        der.sequence(*(node.encoded() for node in fields)), *(node.encoded() for node in signature)
    )


def _der(data: bytes) -> bytes:
    """The first certificate of a PEM file, or the file itself."""
    pem = _PEM.search(data)
    return base64.b64decode(pem[1]) if pem else data


def _subject_key_id(fields: Sequence[der.Node]) -> bytes | None:
    """The subject key identifier among a certificate's extensions (RFC 5280 section 4.2.1.2)."""
    extensions = fields[-1].children[0].children if fields[-1].tag == 0xA3 else ()
    for extension in extensions:
        if extension.children and extension.children[0].encoded() == _SUBJECT_KEY_ID:
            return der.parse(extension.children[-1].primitive(der.OCTETS)).primitive(der.OCTETS)
    return None


def load_identity(
    key: bytes,
    certificate: bytes,
    *,
    password: bytes | None = None,
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
) -> Identity:
    """Reads a private key (PEM or DER, PKCS#8 or traditional) and its certificate. Raises KeyFileError."""
    try:
        if b"-----BEGIN" in key:
            private = serialization.load_pem_private_key(key, password)
        else:
            private = serialization.load_der_private_key(key, password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The library's text may quote the key file, so it is not repeated.
        raise KeyFileError("not a usable private key, or the wrong password") from None
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise KeyFileError("the private key is neither RSA nor ECDSA")
    ours = load_certificate(certificate, valid_from=valid_from, valid_until=valid_until)
    if private.public_key() != ours.public_key:
        raise KeyFileError("the private key does not belong to the certificate")
    return Identity(ours, private)


def _signed_with(certificate: x509.Certificate) -> str | None:
    try:
        algorithm: hashes.HashAlgorithm | None = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    return algorithm.name if algorithm else None
