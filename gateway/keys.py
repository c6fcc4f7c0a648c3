"""Key pairs and certificates: making ours, reading theirs, and refusing what is neither.

Partners mail certificates as PEM named .der, DER named .crt, or their private key by mistake: what a file
holds decides, not its name. A private key is written for its owner alone and its bytes are in no message.
"""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.config.toml import replace
from gateway.errors import Code, Failure

Certificate = x509.Certificate
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

VALID_FOR = timedelta(days=5 * 365)


class KeyPair(NamedTuple):
    """A private key (PKCS#8) and its self-signed certificate, both PEM."""

    key: bytes
    cert: bytes

    def __repr__(self) -> str:
        return "KeyPair(***)"


def make_key_pair(name: str, *, now: datetime, bits: int = 2048) -> KeyPair:
    """An RSA key and a certificate for it on `name`, valid five years from a day before `now`.

    The certificate may sign and encrypt S/MIME and is no CA (RFC 8550 4.4).
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        certificate.public_bytes(serialization.Encoding.PEM),
    )


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads (0600), in a folder that only its owner enters (0700)."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chmod(path.parent, 0o700)
    replace(path, content, mode=0o600)


def make_ssh_key(path: Path) -> None:
    """An ed25519 key pair for a partner on loopback: `path` and `path`.pub, as ssh-keygen writes them."""
    key = ed25519.Ed25519PrivateKey.generate()
    write_secret(
        path,
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        ),
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    path.with_name(f"{path.name}.pub").write_bytes(public + b"\n")


def read_certificate(path: Path) -> Certificate:
    """The certificate in a PEM or DER file. Raises Failure BAD_CERTIFICATE, also for a private key."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Failure(Code.BAD_CERTIFICATE, f"cannot read it: {error.strerror}", where=str(path)) from error
    return parse_certificate(content, where=str(path))


def read_certificates(path: Path) -> tuple[Certificate, ...]:
    """Every certificate in a PEM file, or the one in a DER file. Raises as `read_certificate`."""
    first = read_certificate(path)
    content = path.read_bytes()
    if b"-----BEGIN CERTIFICATE-----" not in content:
        return (first,)
    try:
        return tuple(x509.load_pem_x509_certificates(content))
    except ValueError as error:
        raise Failure(Code.BAD_CERTIFICATE, "holds more than certificates in PEM", where=str(path)) from error


def parse_certificate(content: bytes, *, where: str) -> Certificate:
    """The certificate in PEM or DER bytes; a chain in PEM gives its first. Raises as `read_certificate`."""
    if b"PRIVATE KEY-----" in content or _is_private_der(content):
        raise Failure(
            Code.BAD_CERTIFICATE,
            "holds a private key",
            where=where,
            why="A certificate is public; whoever owns this key should replace it, since it has been sent.",
            next=f"openssl x509 -in {where} -out certificate.pem",
        )
    pem = b"-----BEGIN CERTIFICATE-----" in content
    try:
        certificate = (x509.load_pem_x509_certificate if pem else x509.load_der_x509_certificate)(content)
        certificate.public_key()  # is parsed only now
        return certificate
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Failure(
            Code.BAD_CERTIFICATE,
            f"is no X.509 certificate in PEM or DER{_looks_like(content)}",
            where=where,
            next="ask for the certificate as a .pem, .cer or .crt file",
        ) from error


def as_pem(certificate: Certificate) -> bytes:
    """The certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def read_private_key(content: bytes, *, where: str) -> PrivateKey:
    """The RSA or EC key in PEM or DER bytes without a passphrase. Raises Failure BAD_KEY."""
    load = (
        serialization.load_pem_private_key
        if content.lstrip().startswith(b"-----BEGIN")
        else serialization.load_der_private_key
    )
    try:
        key = load(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Failure(
            Code.BAD_KEY, "is no private key in PEM or DER without a passphrase", where=where
        ) from error
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise Failure(Code.BAD_KEY, "is neither an RSA nor an EC key", where=where)
    return key


def is_pair(certificate: Certificate, key: PrivateKey) -> bool:
    """Whether the certificate is for this key."""
    return certificate.public_key() == key.public_key()


def weakness(certificate: Certificate) -> str | None:
    """Why the certificate's key is not accepted, if it is not: RSA under 2048 bits, or neither RSA nor EC."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA of {key.key_size} bits, where 2048 are the least" if key.key_size < 2048 else None
    return None if isinstance(key, ec.EllipticCurvePublicKey) else "its key is neither RSA nor EC"


def fingerprint(certificate: Certificate) -> str:
    """SHA-256 of the DER form, as openssl prints it: upper-case pairs between colons."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def read_ssh_public_keys(path: Path) -> tuple[str, ...]:
    """The public key lines of an OpenSSH .pub or authorized_keys file. Raises Failure BAD_KEY.

    A line that carries options (`from=...`) is refused, since they would be lost unseen.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Failure(Code.BAD_KEY, f"cannot read it: {error.strerror}", where=str(path)) from error
    if b"PRIVATE KEY-----" in content:
        raise Failure(
            Code.BAD_KEY,
            "holds a private key",
            where=str(path),
            why="Only the public half is wanted here.",
            next=f"ssh-keygen -y -f {path} > {path}.pub",
        )
    text = content.decode("utf-8", "replace")
    if "---- BEGIN SSH2 PUBLIC KEY" in text:
        raise Failure(
            Code.BAD_KEY,
            "is in the SSH2 format of PuTTYgen",
            where=str(path),
            next=f"ssh-keygen -i -f {path} > openssh.pub",
        )
    lines = tuple(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))
    for line in lines:
        try:
            serialization.load_ssh_public_key(" ".join(line.split()[:2]).encode())
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise Failure(
                Code.BAD_KEY, "is no OpenSSH public key (ssh-ed25519 AAAA... name)", where=str(path)
            ) from error
    if not lines:
        raise Failure(Code.BAD_KEY, "holds no key", where=str(path))
    return lines


def _is_private_der(content: bytes) -> bool:
    if not content.startswith(b"\x30"):
        return False
    try:
        serialization.load_der_private_key(content, password=None)
    except TypeError:  # it has a passphrase
        return True
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def _looks_like(content: bytes) -> str:
    if b"-----BEGIN PKCS7-----" in content or b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02" in content[:40]:
        return ", but a PKCS#7 bundle (.p7b)"
    if b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01" in content[:60]:
        return ", but a PKCS#12 store (.pfx)"
    if re.match(rb"\s*(ssh-|ecdsa-)", content):
        return ", but an SSH public key"
    return ""
