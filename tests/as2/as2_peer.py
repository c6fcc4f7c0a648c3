"""What the tests trade with: certificates made with `cryptography`, and `openssl cms` in its own process."""

from __future__ import annotations

import io
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from gateway import as2

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@dataclass(frozen=True)
class Company:
    """A key pair as files' contents, and as the value our side makes of them."""

    key_pem: bytes = field(repr=False)
    certificate_pem: bytes = field(repr=False)
    identity: as2.Identity = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "identity", as2.load_identity(self.key_pem, self.certificate_pem))

    @property
    def certificate(self) -> as2.Certificate:
        return self.identity.certificate


def company(
    name: str,
    *,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None = None,
    issuer: tuple[str, rsa.RSAPrivateKey] | None = None,
    valid: tuple[datetime, datetime] = (NOW - timedelta(days=1), NOW + timedelta(days=365)),
    serial: int | None = None,
) -> Company:
    """A fresh certificate: self-signed, or issued by another name and key."""
    key = key or rsa.generate_private_key(65537, 2048)
    issuer_name, issuer_key = issuer or (name, key)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer_name)]))
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    return Company(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        certificate.public_bytes(serialization.Encoding.PEM),
    )


class OpenSSL:
    """`openssl` with a folder for its files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, *arguments: str, data: bytes = b"") -> bytes:
        done = subprocess.run(
            ["openssl", *arguments], input=data, capture_output=True, check=False, cwd=self._folder
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def file(self, name: str, data: bytes) -> str:
        (self._folder / name).write_bytes(data)
        return name

    def read(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()

    def sign(self, company: Company, data: bytes, *options: str) -> bytes:
        """A detached signature, DER."""
        return self.run(
            "cms", "-sign", "-binary", "-outform", "DER",
            "-signer", self.file("signer.pem", company.certificate_pem),
            "-inkey", self.file("signer.key", company.key_pem),
            *options, data=data,
        )  # fmt: skip

    def verify(self, company: Company, content: bytes, signature: bytes) -> bytes:
        """The content, if that very certificate signed it."""
        return self.run(
            "cms", "-verify", "-binary", "-inform", "DER", "-noverify", "-nointern",
            "-certfile", self.file("pinned.pem", company.certificate_pem),
            "-content", self.file("content", content),
            data=signature,
        )  # fmt: skip

    def encrypt(self, companies: list[Company], data: bytes, cipher: str, *options: str) -> bytes:
        """EnvelopedData or AuthEnvelopedData, DER or BER."""
        recipients = [self.file(f"recipient{n}.pem", c.certificate_pem) for n, c in enumerate(companies)]
        return self.run(
            "cms", "-encrypt", "-binary", "-outform", "DER", f"-{cipher}", *options, *recipients, data=data
        )

    def decrypt(self, company: Company, data: bytes) -> bytes:
        return self.run(
            "cms", "-decrypt", "-binary", "-inform", "DER",
            "-recip", self.file("recipient.pem", company.certificate_pem),
            "-inkey", self.file("recipient.key", company.key_pem),
            data=data,
        )  # fmt: skip

    def digest(self, name: str, data: bytes) -> bytes:
        return self.run("dgst", f"-{name}", "-binary", data=data)


@dataclass
class Sent:
    """A message one side built, before the other opens it."""

    headers: list[tuple[str, str]]
    body: bytes
    mics: dict[str, str] = field(default_factory=dict)


def build(payload: bytes, **options: Any) -> Sent:
    """Our own builder, with everything a test does not care about filled in."""
    spool = io.BytesIO()
    options = {"as2_from": "SENDER", "as2_to": "RECEIVER", "message_id": "<1@sender>", "now": NOW} | options
    built = as2.build(io.BytesIO(payload), spool, **options)
    return Sent(built.headers, spool.getvalue(), built.mics)


def message(content_type: str, body: bytes, *more: tuple[str, str]) -> Sent:
    """A request written by hand around a body that something else made."""
    headers = [
        ("AS2-From", "SENDER"),
        ("AS2-To", "RECEIVER"),
        ("AS2-Version", "1.1"),
        ("Message-ID", "<1@sender>"),
        ("Content-Type", content_type),
        ("Disposition-Notification-To", "edi@sender"),
        *more,
    ]
    return Sent(headers, body)


def open_message(sent: Sent, policy: as2.Policy, now: datetime = NOW) -> tuple[as2.Opened, bytes]:
    """What our side makes of a message, and the payload it delivers; attachments are put away."""
    opened, payload, _ = open_files(sent, policy, now)
    return opened, payload


def open_files(sent: Sent, policy: as2.Policy, now: datetime = NOW) -> tuple[as2.Opened, bytes, list[bytes]]:
    """What our side makes of a message, the payload it delivers, and the attachments."""
    files = _Files()
    opened = files.opened(sent, policy, now)
    return opened, files.payload.getvalue(), [one.getvalue() for one in files.attached]


def refusal(sent: Sent, policy: as2.Policy) -> as2.As2Error:
    """The error for a message that must not be accepted, and the promise that nothing was delivered."""
    files = _Files()
    with pytest.raises(as2.As2Error) as caught:
        files.opened(sent, policy, NOW)
    assert (files.payload.getvalue(), files.attached) == (b"", [])
    return caught.value


class _Files:
    """Where the files of a message are written."""

    def __init__(self) -> None:
        self.payload = io.BytesIO()
        self.attached: list[io.BytesIO] = []

    def opened(self, sent: Sent, policy: as2.Policy, now: datetime) -> as2.Opened:
        return as2.open_message(
            as2.parse_request_headers(sent.headers), io.BytesIO(sent.body),
            policy=policy, payload=self.payload, now=now, attach=self._attach,
        )  # fmt: skip

    def _attach(self) -> io.BytesIO:
        self.attached.append(io.BytesIO())
        return self.attached[-1]


def entity(content: bytes, content_type: str = "application/EDI-X12", encoding: str = "binary") -> bytes:
    """A MIME entity written by hand."""
    head = f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode() + content


def multipart_signed(
    part: bytes, signature: bytes, *, boundary: str = "=_b", extra: bytes = b""
) -> tuple[str, bytes]:
    """Content-Type and body of a multipart/signed written by hand; `extra` follows the signature."""
    delimiter = b"--" + boundary.encode()
    body = (
        delimiter + b"\r\n" + part + b"\r\n" + delimiter + b"\r\n"
        b"Content-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        + signature + b"\r\n" + extra + delimiter + b"--\r\n"
    )  # fmt: skip
    return (
        f'multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary="{boundary}"',
        body,
    )
