"""Messages that fail behind an envelope, one for each way of failing that an attacker could try (B05)."""

from __future__ import annotations

import base64
import hashlib
import os

from as2_peer import NOW, Company, Sent, entity, message, multipart_signed
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from gateway.as2 import cms, der

PKCS7 = "application/pkcs7-mime"
SIGNED_RECEIPT = (
    "Disposition-Notification-Options",
    "signed-receipt-protocol=optional, pkcs7-signature; signed-receipt-micalg=optional, sha-256",
)


def order(size: int) -> bytes:
    """Lines of an order, of about this size."""
    line = b"PO1*1*24*EA*9.95**UP*012345678905~\r\n"
    return b"ISA*00*~\r\n" + line * (size // len(line)) + b"SE*2*0001~\r\n"


def signed_by(company: Company, part: bytes, content: bytes | None = None) -> bytes:
    """An entity that this company signed; or, with `content`, one whose signature is over something else."""
    signature = cms.sign(hashlib.sha256(part).digest(), company.identity, "sha256", NOW)
    content_type, body = multipart_signed(part if content is None else content, b"%s")
    text = base64.encodebytes(signature).replace(b"\n", b"\r\n")
    return entity(body.replace(b"binary\r\n\r\n%s", b"base64\r\n\r\n" + text), content_type)


def changed(body: bytes, *, key: bytes | None = None, content: bytes | None = None) -> bytes:
    """The same envelope with another encrypted key or other encrypted content."""
    version, recipients, encrypted_content = der.parse(body).children[1].children[0].children
    fields = [child.encoded() for child in recipients.children[0].children]
    if key is not None:
        fields[3] = der.tlv(der.OCTETS, key)
    pieces = [child.encoded() for child in encrypted_content.children]
    if content is not None:
        pieces[2] = der.tlv(0x80, content)
    infos = der.tlv(der.SET, der.sequence(*fields))
    inner = der.sequence(version.encoded(), infos, der.sequence(*pieces))
    return der.sequence(cms.ENVELOPED_DATA, der.tlv(0xA0, inner))


def ciphertext(body: bytes) -> bytes:
    return der.parse(body).children[1].children[0].children[2].children[2].content


def enveloped(us: Company, plain: bytes) -> bytes:
    """EnvelopedData in good order."""
    key = os.urandom(32)
    return envelope(us, plain, key, wrapped(us, key))


def wrapped(us: Company, key: bytes) -> bytes:
    """A content key as a recipient gets it."""
    public = us.certificate.public_key
    assert isinstance(public, rsa.RSAPublicKey)
    return public.encrypt(key, padding.PKCS1v15())


def envelope(us: Company, plain: bytes, key: bytes, block: bytes, *, pad: bool = True) -> bytes:
    """EnvelopedData of `plain` under `key`, whose encrypted key is `block`, whatever that is."""
    shell = b"".join(cms.encrypt(iter([b""]), [us.certificate], "aes256-cbc"))
    vector = der.parse(shell).children[1].children[0].children[2].children[1].children[1].content
    missing = 16 - len(plain) % 16
    padded = plain + (bytes((missing,)) * missing if pad else bytes(missing))
    encryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    return changed(shell, key=block, content=encryptor.update(padded) + encryptor.finalize())


def not_pkcs1(us: Company, key: bytes) -> bytes:
    """A key block whose padding is not that of PKCS#1: block type 1 where 2 is wanted."""
    public = us.certificate.public_key
    assert isinstance(public, rsa.RSAPublicKey)
    numbers = public.public_numbers()
    block = b"\0\1" + b"\xff" * (253 - len(key)) + b"\0" + key
    return pow(int.from_bytes(block, "big"), numbers.e, numbers.n).to_bytes(256, "big")


CLASSES = (
    "a random key block",
    "a key of the wrong length",
    "a key block that is not PKCS#1",
    "bad padding",
    "good padding, broken MIME",
    "good MIME, bad signature",
)
"""The six of the catalogue. Each message has its own key, its own vector and the same size as the others."""


def failing(kind: str, us: Company, partner: Company, stranger: Company, size: int) -> Sent:
    """A fresh message that fails in this way."""
    part = entity(order(size))
    plain = signed_by(partner, part)
    key = os.urandom(32)
    match kind:
        case "a random key block":
            body = envelope(us, plain, key, b"\0" + os.urandom(255))
        case "a key of the wrong length":
            body = envelope(us, plain, key, wrapped(us, os.urandom(16)))
        case "a key block that is not PKCS#1":
            body = envelope(us, plain, key, not_pkcs1(us, key))
        case "bad padding":
            body = envelope(us, plain, key, wrapped(us, key), pad=False)
        case "good padding, broken MIME":
            body = envelope(us, b"\0\1\2\3" + plain[4:], key, wrapped(us, key))
        case "good MIME, bad signature":
            body = envelope(us, signed_by(stranger, part), key, wrapped(us, key))
        case _:
            raise ValueError(kind)
    return message(PKCS7, body, SIGNED_RECEIPT)
