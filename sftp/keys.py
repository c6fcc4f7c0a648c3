"""SSH keys: the server's own, a partner's public ones, a login's private one.

Fingerprints are written as OpenSSH prints them: "SHA256:...".
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import paramiko
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from paramiko.pkey import PublicBlob

_PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

RSA_MIN_BITS = 2048
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}=?")
_HOST_KEYS: dict[str, Callable[[], _PrivateKey]] = {  # all three, or older clients find no common algorithm
    "ssh_host_ed25519_key": ed25519.Ed25519PrivateKey.generate,
    "ssh_host_ecdsa_key": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ssh_host_rsa_key": lambda: rsa.generate_private_key(public_exponent=65537, key_size=3072),
}


class BadKey(ValueError):
    """A key that cannot be read, is too weak, or lies open to other users of the machine."""


def make_host_keys(folder: Path) -> None:
    """Makes those of the three host keys (ed25519, ecdsa-p256, rsa-3072) that `folder` does not hold yet."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, generate in _HOST_KEYS.items():
        path = folder / name
        if path.exists():
            continue
        key = generate()
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        path.with_name(f"{name}.pub").write_bytes(public + b"\n")
        unfinished = path.with_name(f".{name}.{os.getpid()}.tmp")
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)


def load_host_keys(folder: Path) -> Sequence[paramiko.PKey]:
    """The host keys `make_host_keys` made in `folder`."""
    return [load_private_key(folder / name) for name in _HOST_KEYS]


def load_private_key(path: Path, passphrase: str | None = None) -> paramiko.PKey:
    """Reads a private key of any kind; raises `BadKey`, and `OSError` if the file cannot be read."""
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise BadKey(f"{path}: other users may read this private key; chmod 600 it")
    try:
        return paramiko.PKey.from_path(path, passphrase)
    except (paramiko.SSHException, ValueError, TypeError, IndexError) as error:
        raise BadKey(f"{path}: not a private key this program can read ({error})") from error


def public_line(key: paramiko.PKey) -> str:
    """The key as a line of authorized_keys or known_hosts holds it: "ssh-ed25519 AAAA..."."""
    return f"{key.get_name()} {key.get_base64()}"


def fingerprint(line: str) -> str:
    """The fingerprint "SHA256:..." of a public key written as in authorized_keys, or of itself.

    Options before the key are refused, since nothing here would honour them. Raises `BadKey`.
    """
    fields = line.split()
    if len(fields) == 1 and _FINGERPRINT.fullmatch(fields[0]):
        return fields[0].rstrip("=")
    if len(fields) < 2:
        raise BadKey("a public key is its type and its base64 text")
    try:
        blob = PublicBlob.from_string(f"{fields[0]} {fields[1]}")
        key = paramiko.PKey.from_type_string(blob.key_type, blob.key_blob)
    except (paramiko.SSHException, ValueError, TypeError, IndexError) as error:
        raise BadKey(f"not a public key this program can read: {fields[0]}") from error
    if problem := weakness(key):
        raise BadKey(problem)
    return key.fingerprint


def fingerprints(text: str) -> frozenset[str]:
    """The fingerprints of every key in the text of an authorized_keys file."""
    lines = (line.strip() for line in text.splitlines())
    return frozenset(fingerprint(line) for line in lines if line and not line.startswith("#"))


def weakness(key: paramiko.PKey) -> str | None:
    """Why a key is too weak to log in with, or None."""
    if isinstance(key, paramiko.RSAKey) and key.get_bits() < RSA_MIN_BITS:
        return f"an RSA key of {key.get_bits()} bits is too short; {RSA_MIN_BITS} is the least"
    return None
