"""Cryptographic Message Syntax (RFC 5652, 5083, 5084, 4056, 5754) for the forms AS2 uses.

Signatures are detached, carry signed attributes and are checked against pinned certificates; what a message
brings along as certificates is ignored. Contents are streamed: encryption is a generator.
Which algorithms a partner may use is the caller's decision; MD5, RC2, RC4 and DES do not exist here.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from gateway.as2 import der
from gateway.as2.errors import As2Error, Failure
from gateway.as2.keys import Certificate, Identity, KeyFileError, PublicKey
from gateway.as2.region import Region, regrouped

MAX_SIGNERS = 64
MAX_CERTIFICATES = 32
MAX_RECIPIENTS = 64

DATA = der.oid("1.2.840.113549.1.7.1")
SIGNED_DATA = der.oid("1.2.840.113549.1.7.2")
ENVELOPED_DATA = der.oid("1.2.840.113549.1.7.3")
COMPRESSED_DATA = der.oid("1.2.840.113549.1.9.16.1.9")
AUTH_ENVELOPED_DATA = der.oid("1.2.840.113549.1.9.16.1.23")

_CONTENT_TYPE = der.oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST = der.oid("1.2.840.113549.1.9.4")
_SIGNING_TIME = der.oid("1.2.840.113549.1.9.5")
_ALGORITHM_PROTECTION = der.oid("1.2.840.113549.1.9.52")
_RSA = der.oid("1.2.840.113549.1.1.1")
_OAEP = der.oid("1.2.840.113549.1.1.7")
_MGF1 = der.oid("1.2.840.113549.1.1.8")
_PSPECIFIED = der.oid("1.2.840.113549.1.1.9")
_PSS = der.oid("1.2.840.113549.1.1.10")
_NULL = der.tlv(der.NULL)


@dataclass(frozen=True)
class _Digest:
    name: str
    oid: bytes
    rsa: bytes  # sha256WithRSAEncryption
    ecdsa: bytes  # ecdsa-with-SHA256
    hash: hashes.HashAlgorithm


_DIGESTS = {
    digest.name: digest
    for digest in (
        _Digest(
            "sha1",
            der.oid("1.3.14.3.2.26"),
            der.oid("1.2.840.113549.1.1.5"),
            der.oid("1.2.840.10045.4.1"),
            hashes.SHA1(),  # noqa: S303 - what some partners sign with; their agreement says so
        ),
        _Digest(
            "sha256",
            der.oid("2.16.840.1.101.3.4.2.1"),
            der.oid("1.2.840.113549.1.1.11"),
            der.oid("1.2.840.10045.4.3.2"),
            hashes.SHA256(),
        ),
        _Digest(
            "sha384",
            der.oid("2.16.840.1.101.3.4.2.2"),
            der.oid("1.2.840.113549.1.1.12"),
            der.oid("1.2.840.10045.4.3.3"),
            hashes.SHA384(),
        ),
        _Digest(
            "sha512",
            der.oid("2.16.840.1.101.3.4.2.3"),
            der.oid("1.2.840.113549.1.1.13"),
            der.oid("1.2.840.10045.4.3.4"),
            hashes.SHA512(),
        ),
    )
}
_DIGEST_BY_OID = {digest.oid: digest for digest in _DIGESTS.values()}

DIGESTS = tuple(_DIGESTS)
"""The digests known here, weakest first: sha1, sha256, sha384, sha512."""


@dataclass(frozen=True)
class _ContentCipher:
    name: str
    oid: bytes
    key_size: int
    authenticated: bool = False

    @property
    def block(self) -> int:
        return 8 if self.name == "3des" else 16


_CIPHERS = {
    cipher.name: cipher
    for cipher in (
        _ContentCipher("3des", der.oid("1.2.840.113549.3.7"), 24),
        _ContentCipher("aes128-cbc", der.oid("2.16.840.1.101.3.4.1.2"), 16),
        _ContentCipher("aes192-cbc", der.oid("2.16.840.1.101.3.4.1.22"), 24),
        _ContentCipher("aes256-cbc", der.oid("2.16.840.1.101.3.4.1.42"), 32),
        _ContentCipher("aes128-gcm", der.oid("2.16.840.1.101.3.4.1.6"), 16, authenticated=True),
        _ContentCipher("aes192-gcm", der.oid("2.16.840.1.101.3.4.1.26"), 24, authenticated=True),
        _ContentCipher("aes256-gcm", der.oid("2.16.840.1.101.3.4.1.46"), 32, authenticated=True),
    )
}
_CIPHER_BY_OID = {cipher.oid: cipher for cipher in _CIPHERS.values()}

CIPHERS = tuple(_CIPHERS)
"""The content encryption algorithms known here: 3des, aes{128,192,256}-cbc and aes{128,192,256}-gcm."""

_GCM_TAG = 16


def content_type(region: Region) -> bytes | None:
    """The content type of a ContentInfo, as an encoded object identifier; None if the bytes are no CMS."""
    try:
        cursor = der.Cursor(region)
        cursor.enter(der.SEQUENCE)
        found = cursor.node()
    except der.DerError:
        return None
    return found.encoded() if found.tag == der.OID else None


def sign(
    message_digest: bytes, identity: Identity, digest: str, now: datetime, *, pss: bool = False
) -> bytes:
    """A detached SignedData over content with this digest, with one signer and its certificate (RFC 5652 5).

    RSA keys sign with PKCS#1 v1.5, or PSS if asked; elliptic curve keys with ECDSA.
    """
    algorithm = _DIGESTS[digest]
    digest_identifier = der.sequence(algorithm.oid, _NULL)
    attributes = der.set_of(
        _attribute(_CONTENT_TYPE, DATA),
        _attribute(_SIGNING_TIME, _time(now)),
        _attribute(_MESSAGE_DIGEST, der.tlv(der.OCTETS, message_digest)),
    )
    key, certificate = identity.key, identity.certificate
    if isinstance(key, ec.EllipticCurvePrivateKey):
        signature_identifier = der.sequence(algorithm.ecdsa)
        signature = key.sign(attributes, ec.ECDSA(algorithm.hash))
    elif pss:
        signature_identifier = der.sequence(_PSS, _pss_parameters(algorithm))
        signature = key.sign(
            attributes,
            padding.PSS(padding.MGF1(algorithm.hash), salt_length=algorithm.hash.digest_size),
            algorithm.hash,
        )
    else:
        signature_identifier = der.sequence(_RSA, _NULL)
        signature = key.sign(attributes, padding.PKCS1v15(), algorithm.hash)
    signer = der.sequence(
        der.integer(1),
        der.sequence(certificate.issuer, der.tlv(der.INTEGER, certificate.serial)),
        digest_identifier,
        b"\xa0" + attributes[1:],
        signature_identifier,
        der.tlv(der.OCTETS, signature),
    )
    signed_data = der.sequence(
        der.integer(1),
        der.tlv(der.SET, digest_identifier),
        der.sequence(DATA),
        der.tlv(0xA0, certificate.der),
        der.tlv(der.SET, signer),
    )
    return der.sequence(SIGNED_DATA, der.tlv(0xA0, signed_data))


def _attribute(kind: bytes, value: bytes) -> bytes:
    return der.sequence(kind, der.tlv(der.SET, value))


def _time(now: datetime) -> bytes:
    utc = now.astimezone(UTC)
    if 1950 <= utc.year < 2050:  # RFC 5652 section 11.3
        return der.tlv(0x17, utc.strftime("%y%m%d%H%M%SZ").encode())
    return der.tlv(0x18, utc.strftime("%Y%m%d%H%M%SZ").encode())


def _pss_parameters(digest: _Digest) -> bytes:
    identifier = der.sequence(digest.oid, _NULL)
    return der.sequence(
        der.tlv(0xA0, identifier),
        der.tlv(0xA1, der.sequence(_MGF1, identifier)),
        der.tlv(0xA2, der.integer(digest.hash.digest_size)),
    )


@dataclass(frozen=True)
class Signer:
    """One SignerInfo of a detached signature, its signed attributes in order; nothing is verified yet.

    `_attributes` is what the signature may be over: the attributes as DER orders them (RFC 5652 section 5.4),
    and as they stand, since there are senders that sign those.
    """

    digest: str
    message_digest: bytes
    _attributes: tuple[bytes, ...] = field(repr=False)
    _scheme: padding.AsymmetricPadding | ec.ECDSA = field(repr=False)
    _signature: bytes = field(repr=False)

    def signed_by(self, certificate: Certificate) -> bool:
        """Whether the certificate's key made this signature."""
        return any(self._made_over(attributes, certificate.public_key) for attributes in self._attributes)

    def _made_over(self, attributes: bytes, key: PublicKey) -> bool:
        scheme = self._scheme
        try:
            match key, scheme:
                case ec.EllipticCurvePublicKey(), ec.ECDSA():
                    key.verify(self._signature, attributes, scheme)
                case rsa.RSAPublicKey(), padding.AsymmetricPadding():
                    key.verify(self._signature, attributes, scheme, _DIGESTS[self.digest].hash)
                case _:
                    return False
        except InvalidSignature:
            return False
        return True


def read_signature(data: bytes) -> list[Signer]:
    """The signers of a detached SignedData.

    Raises As2Error: authentication-failed for no signers, content inside, or signed attributes that are
    missing, doubled or not those of id-data (a signature without them can be turned into one over other
    content); insufficient-message-security for a digest that does not exist here.
    """
    try:
        content, signed_data = der.parse(data).sequence()
        if content.encoded() != SIGNED_DATA:
            raise _unauthenticated("the signature is no SignedData")
        fields = list(signed_data.sequence(0xA0)[0].sequence())
        encapsulated = fields[2].sequence()
        if encapsulated[0].encoded() != DATA or len(encapsulated) != 1:
            raise _unauthenticated("the signature is not detached, or not over data")
        certificates = fields[3].children if fields[3].tag == 0xA0 else ()
        if len(certificates) > MAX_CERTIFICATES:
            raise As2Error(Failure.AUTHENTICATION, f"{len(certificates)} certificates")
        signers = fields[-1].sequence(der.SET)
        if not 0 < len(signers) <= MAX_SIGNERS or len(fields) < 4:
            raise _unauthenticated(f"{len(signers)} signers")
        return [_read_signer(signer.sequence()) for signer in signers]
    except (der.DerError, IndexError, ValueError) as error:
        raise _unauthenticated(f"the signature cannot be read: {error}") from error


def _read_signer(fields: Sequence[der.Node]) -> Signer:
    digest = _DIGEST_BY_OID.get(fields[2].sequence()[0].encoded())
    if digest is None:
        raise As2Error(Failure.TOO_WEAK, "the signature's digest algorithm is not accepted")
    if fields[3].tag != 0xA0:
        raise _unauthenticated("a signature without signed attributes")
    attributes = [attribute.sequence() for attribute in fields[3].children]
    if _only_value(attributes, _CONTENT_TYPE).encoded() != DATA:
        raise _unauthenticated("the content type attribute is not data")
    _check_protection(attributes, fields)
    as_they_stand = fields[3].encoded(der.SET)
    as_der_orders = der.set_of(*(attribute.encoded() for attribute in fields[3].children))
    return Signer(
        digest.name,
        _only_value(attributes, _MESSAGE_DIGEST).primitive(der.OCTETS),
        tuple(dict.fromkeys((as_der_orders, as_they_stand))),
        _signature_scheme(fields[4], digest),
        fields[5].primitive(der.OCTETS),
    )


def _only_value(attributes: Sequence[Sequence[der.Node]], kind: bytes) -> der.Node:
    """The value of an attribute that must stand once and have one value (RFC 5652 section 11.1, 11.2)."""
    values = [
        value for attribute in attributes if attribute[0].encoded() == kind for value in attribute[1].children
    ]
    if len(values) != 1:
        raise _unauthenticated("a required signed attribute is missing or doubled")
    return values[0]


def _check_protection(attributes: Sequence[Sequence[der.Node]], signer: Sequence[der.Node]) -> None:
    """The attribute that repeats the algorithms must repeat the ones that are used (RFC 6211 section 3)."""
    if not any(attribute[0].encoded() == _ALGORITHM_PROTECTION for attribute in attributes):
        return
    protected = _only_value(attributes, _ALGORITHM_PROTECTION).sequence()
    used = [_without_null(signer[2].children), _without_null(signer[4].children)]
    if [_without_null(node.children) for node in protected] != used or protected[1].tag != 0xA1:
        raise _unauthenticated("the signature's algorithms are not those that were signed")


def _without_null(algorithm: Sequence[der.Node]) -> Sequence[der.Node]:
    """An algorithm and its parameters, where absent is the same as NULL (RFC 5754 section 2)."""
    return algorithm[:1] if [node.tag for node in algorithm[1:]] == [der.NULL] else algorithm


def pretended_signature(certificate: bytes) -> bytes:
    """A SignedData that reads like one of this certificate's (DER, may be empty), and which nobody made."""
    digest = der.sequence(_DIGESTS["sha256"].oid, _NULL)
    attributes = (
        _attribute(_CONTENT_TYPE, DATA),
        _attribute(_SIGNING_TIME, der.tlv(0x17, b"260101000000Z")),
        _attribute(_MESSAGE_DIGEST, der.tlv(der.OCTETS, os.urandom(32))),
    )
    name = der.sequence(_attribute(_CONTENT_TYPE, DATA))
    signer = der.sequence(
        der.integer(1),
        der.sequence(name, der.integer(1)),
        digest,
        der.tlv(0xA0, *attributes),
        der.sequence(_RSA, _NULL),
        der.tlv(der.OCTETS, os.urandom(256)),
    )
    body = der.sequence(
        der.integer(1), der.tlv(der.SET, digest), der.sequence(DATA), der.tlv(0xA0, certificate),
        der.tlv(der.SET, signer),
    )  # fmt: skip
    return der.sequence(SIGNED_DATA, der.tlv(0xA0, body))


def looks_like_attributes(start: bytes) -> bool:
    """Whether signed content could itself be the signed attributes of another signature.

    Such content is never legitimate MIME, and a signature over it may stand for other content.
    """
    return start[:1] == bytes((der.SET,)) and (_MESSAGE_DIGEST in start or _CONTENT_TYPE in start)


def _signature_scheme(algorithm: der.Node, digest: _Digest) -> padding.AsymmetricPadding | ec.ECDSA:
    """How to verify; an algorithm that names a digest must name the signer's (RFC 4056, RFC 5754)."""
    found, *parameters = algorithm.sequence()
    match found.encoded():
        case oid if oid in (_RSA, digest.rsa):
            return padding.PKCS1v15()
        case oid if oid == digest.ecdsa:
            return ec.ECDSA(digest.hash)
        case oid if oid == _PSS and parameters:
            hash_oid, mask_oid, rest = _mask_parameters(parameters[0])
            salt = rest.get(0xA2)
            length = salt.children[0].number() if salt else 20
            if hash_oid == mask_oid == digest.oid and 0xA3 not in rest and 20 <= length <= 512:
                return padding.PSS(padding.MGF1(digest.hash), salt_length=length)
    raise _weak("a signature algorithm that is not accepted, or whose parameters differ from the digest")


def _mask_parameters(node: der.Node) -> tuple[bytes, bytes, dict[int, der.Node]]:
    """Digest, mask digest and the rest of the parameters of PSS or OAEP (RFC 4055); SHA-1 by default."""
    fields = {child.tag: child for child in node.sequence()}
    found = []
    hash_field, mask_field = fields.pop(0xA0, None), fields.pop(0xA1, None)
    found.append(hash_field.children[0].sequence()[0].encoded() if hash_field else _DIGESTS["sha1"].oid)
    if mask_field is None:
        found.append(_DIGESTS["sha1"].oid)
    else:
        mask, mask_digest = mask_field.children[0].sequence()
        found.append(mask_digest.sequence()[0].encoded() if mask.encoded() == _MGF1 else b"")
    return found[0], found[1], fields


def encrypt(
    chunks: Iterator[bytes], recipients: Sequence[Certificate], cipher: str, *, oaep: bool = False
) -> Iterator[bytes]:
    """EnvelopedData (CBC) or AuthEnvelopedData (GCM, RFC 5083 and 5084) for one or more RSA recipients."""
    algorithm = _CIPHERS[cipher]
    key = os.urandom(algorithm.key_size)
    vector = os.urandom(12 if algorithm.authenticated else algorithm.block)
    infos = der.set_of(*(_recipient(certificate, key, oaep) for certificate in recipients))
    if algorithm.authenticated:
        parameters = der.sequence(der.tlv(der.OCTETS, vector), der.integer(_GCM_TAG))
        gcm = Cipher(algorithms.AES(key), modes.GCM(vector)).encryptor()
        segments = _encrypted(gcm, chunks, 0)
        trailer, kind = lambda: der.tlv(der.OCTETS, gcm.tag), AUTH_ENVELOPED_DATA
    else:
        parameters = der.tlv(der.OCTETS, vector)
        segments = _encrypted(_block_cipher(algorithm, key, vector).encryptor(), chunks, algorithm.block)
        trailer, kind = bytes, ENVELOPED_DATA
    levels = [
        (der.SEQUENCE, kind),
        (0xA0, b""),
        (der.SEQUENCE, der.integer(0) + infos),
        (der.SEQUENCE, DATA + der.sequence(algorithm.oid, parameters)),
    ]
    return der.streamed(levels, 0x80, regrouped(segments), trailer, trailer_level=2)


def _block_cipher(cipher: _ContentCipher, key: bytes, vector: bytes) -> Cipher[modes.CBC]:
    # 3DES exists for partners that cannot do better and whose agreement says so.
    return Cipher(TripleDES(key) if cipher.name == "3des" else algorithms.AES(key), modes.CBC(vector))


def _encrypted(encryptor: CipherContext, chunks: Iterator[bytes], block: int) -> Iterator[bytes]:
    """Ciphertext; padded to the block size, if there is one, as in RFC 5652 section 6.3."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        yield encryptor.update(chunk)
    if block:
        missing = block - size % block
        yield encryptor.update(bytes((missing,)) * missing)
    encryptor.finalize()


def _recipient(certificate: Certificate, key: bytes, oaep: bool) -> bytes:
    public = certificate.public_key
    if not isinstance(public, rsa.RSAPublicKey):
        raise KeyFileError("encryption needs a recipient with an RSA key")
    if oaep:
        digest = _DIGESTS["sha256"]
        hash_identifier = der.sequence(digest.oid, _NULL)
        identifier = der.sequence(
            _OAEP,
            der.sequence(der.tlv(0xA0, hash_identifier), der.tlv(0xA1, der.sequence(_MGF1, hash_identifier))),
        )
        wrapped = public.encrypt(key, padding.OAEP(padding.MGF1(digest.hash), digest.hash, None))
    else:
        identifier = der.sequence(_RSA, _NULL)
        wrapped = public.encrypt(key, padding.PKCS1v15())
    return der.sequence(
        der.integer(0),
        der.sequence(certificate.issuer, der.tlv(der.INTEGER, certificate.serial)),
        identifier,
        der.tlv(der.OCTETS, wrapped),
    )


@dataclass(frozen=True)
class Envelope:
    """The clear part of an EnvelopedData or AuthEnvelopedData addressed to one of our keys."""

    cipher: str
    exact: bool
    """Whether a failure may be told apart: only for GCM with OAEP (see As2Error.masked)."""
    recipient: Identity
    _padding: padding.AsymmetricPadding = field(repr=False)
    _wrapped: bytes = field(repr=False)
    _vector: bytes = field(repr=False)
    _tag_size: int = field(repr=False)
    _region: Region = field(repr=False)

    @property
    def key_transport(self) -> str:
        """How the content key was encrypted: rsa-oaep (RFC 3560), or rsa-pkcs1v15 (RFC 3370 4.2.1)."""
        return "rsa-oaep" if isinstance(self._padding, padding.OAEP) else "rsa-pkcs1v15"

    def decrypted(self) -> Iterator[bytes]:
        """The plaintext, not to be trusted before the last chunk. Raises As2Error (decryption-failed)."""
        algorithm = _CIPHERS[self.cipher]
        key = self._content_key(algorithm.key_size)
        try:
            if algorithm.authenticated:
                yield from self._decrypt_gcm(key)
            else:
                yield from self._decrypt_cbc(_block_cipher(algorithm, key, self._vector), algorithm.block)
        except (der.DerError, InvalidTag, ValueError) as error:
            raise _undecryptable(f"the encrypted content: {error or type(error).__name__}") from error

    def _content_key(self, size: int) -> bytes:
        """The content key, or a random one: what is wrong with the wrapped key must not show (RFC 3218)."""
        private = self.recipient.key
        assert isinstance(private, rsa.RSAPrivateKey)  # as _find_recipient sees to
        substitute = os.urandom(size)
        # A block that is too short, too long or too large costs the same operation as any other.
        modulus = private.public_key().public_numbers().n
        block = int.from_bytes(self._wrapped, "big") % modulus
        try:
            key = private.decrypt(block.to_bytes((private.key_size + 7) // 8, "big"), self._padding)
        except ValueError:
            return substitute
        return key if len(key) == size else substitute

    def _decrypt_cbc(self, cipher: Cipher[modes.CBC], block: int) -> Iterator[bytes]:
        decryptor = cipher.decryptor()
        held = b""
        for chunk in regrouped(_open_content(self._region)[1].octets(0x80)):
            plain = held + decryptor.update(chunk)
            plain, held = plain[:-block], plain[-block:]
            yield plain
        decryptor.finalize()
        missing = held[-1] if held else 0
        if not 0 < missing <= block or held[-missing:] != bytes((missing,)) * missing:
            raise _undecryptable("the padding is wrong: another key, or damaged content")
        yield held[:-missing]

    def _decrypt_gcm(self, key: bytes) -> Iterator[bytes]:
        # The tag and the authenticated attributes stand behind the content, but are needed before it.
        _, cursor, _ = _open_content(self._region)
        for _ in cursor.octets(0x80):
            pass
        cursor.leave()
        attributes = cursor.node().encoded(der.SET) if cursor.peek() == 0xA1 else b""
        tag = cursor.node().primitive(der.OCTETS)
        if len(tag) != self._tag_size:
            raise _undecryptable(f"an authentication tag of {len(tag)} bytes")
        mode = modes.GCM(self._vector, tag, min_tag_length=self._tag_size)
        decryptor = Cipher(algorithms.AES(key), mode).decryptor()
        decryptor.authenticate_additional_data(attributes)
        for chunk in regrouped(_open_content(self._region)[1].octets(0x80)):
            yield decryptor.update(chunk)
        yield decryptor.finalize()


def _open_content(region: Region) -> tuple[list[der.Node], der.Cursor, der.Node]:
    """RecipientInfos, a cursor before the encrypted content, and the content encryption algorithm."""
    cursor = der.Cursor(region)
    cursor.enter(der.SEQUENCE)
    cursor.node()
    cursor.enter(0xA0)
    cursor.enter(der.SEQUENCE)
    cursor.node()
    if cursor.peek() == 0xA0:
        cursor.node()
    recipients = list(cursor.node().sequence(der.SET))
    cursor.enter(der.SEQUENCE)
    cursor.node()
    return recipients, cursor, cursor.node()


def read_envelope(region: Region, keys: Sequence[Identity], ciphers: Collection[str]) -> Envelope:
    """Reads what is in the clear and finds the recipient that is one of `keys`.

    Raises As2Error: decryption-failed if none is, or for what cannot be read; insufficient-message-security
    for algorithms and parameters not in `ciphers` or unsound, which is visible without any key.
    """
    try:
        recipients, _, algorithm = _open_content(region)
        if len(recipients) > MAX_RECIPIENTS:
            raise _undecryptable(f"{len(recipients)} recipients")
        identifier, *parameters = algorithm.sequence()
        cipher = _CIPHER_BY_OID.get(identifier.encoded())
        if cipher is None or cipher.name not in ciphers:
            raise _weak(f"content encryption {cipher.name if cipher else identifier.content.hex()}")
        if cipher.authenticated != (content_type(region) == AUTH_ENVELOPED_DATA):
            raise _weak("an algorithm that does not belong to the content type")
        vector, tag_size = _read_parameters(cipher, parameters[0])
        identity, fields = _find_recipient(recipients, keys)
        scheme = _key_transport(fields[2])
        return Envelope(
            cipher=cipher.name,
            exact=cipher.authenticated and isinstance(scheme, padding.OAEP),
            recipient=identity,
            _padding=scheme,
            _wrapped=fields[3].primitive(der.OCTETS),
            _vector=vector,
            _tag_size=tag_size,
            _region=region,
        )
    except (der.DerError, IndexError, ValueError) as error:
        raise _undecryptable(f"the envelope cannot be read: {error}") from error


def _read_parameters(cipher: _ContentCipher, node: der.Node) -> tuple[bytes, int]:
    """The vector, and for GCM the size of the tag in bytes (RFC 5084 section 3.2)."""
    if not cipher.authenticated:
        vector = node.primitive(der.OCTETS)
        if len(vector) != cipher.block:
            raise _weak(f"an initialisation vector of {len(vector)} bytes")
        return vector, 0
    nonce, *size = node.sequence()
    tag_size = size[0].number() if size else 12
    if not 12 <= tag_size <= 16 or not 12 <= len(nonce.primitive(der.OCTETS)) <= 64:
        raise _weak(f"GCM with a tag of {tag_size} bytes and a nonce of {len(nonce.content)}")
    return nonce.content, tag_size


def _find_recipient(
    recipients: Sequence[der.Node], keys: Sequence[Identity]
) -> tuple[Identity, Sequence[der.Node]]:
    """By issuer and serial number or subject key identifier; never by trying keys."""
    for fields in (recipient.children for recipient in recipients if recipient.tag == der.SEQUENCE):
        named = _recipient_named(fields[1])
        for identity in keys:
            if named.names(identity.certificate) and isinstance(identity.key, rsa.RSAPrivateKey):
                return identity, fields
    raise _undecryptable("encrypted to none of our certificates")


def _same_name(issuer: der.Node, certificate: Certificate) -> bool:
    """Whether this Name is the certificate's issuer, which a sender may have written anew in other string
    types (RFC 5280 section 7.1)."""
    return issuer.encoded() == certificate.issuer or _words(issuer) == _words(der.parse(certificate.issuer))


def _words(name: der.Node) -> list[frozenset[tuple[bytes, str]]]:
    """The attributes of a Name as text without case and superfluous spaces, by relative name."""
    return [
        frozenset((kind.content, _text(value)) for kind, value in map(der.Node.sequence, relative.children))
        for relative in name.sequence()
    ]


def _text(value: der.Node) -> str:
    charset = {0x0C: "utf-8", 0x1C: "utf-32-be", 0x1E: "utf-16-be"}.get(value.tag, "latin-1")
    return " ".join(value.content.decode(charset, "replace").casefold().split())


@dataclass(frozen=True)
class Recipient:
    """How an envelope names whom it is for, or a signature by whom it is: a certificate, or a key identifier.

    `issuer` is the DER of a Name, `serial` the content octets of an INTEGER; both are empty where only
    `key_id`, the subject key identifier, is given. `algorithm` is that of the key transport, in words.
    """

    issuer: bytes = b""
    serial: bytes = b""
    key_id: bytes = b""
    algorithm: str = ""

    def names(self, certificate: Certificate) -> bool:
        """Whether this certificate is meant."""
        if self.key_id:
            return self.key_id == certificate.subject_key_id
        serials = (int.from_bytes(one, "big", signed=True) for one in (self.serial, certificate.serial))
        return len(set(serials)) == 1 and _same_name(der.parse(self.issuer), certificate)


def _recipient_named(node: der.Node, algorithm: str = "") -> Recipient:
    if node.tag == 0x80:
        return Recipient(key_id=node.content, algorithm=algorithm)
    issuer, serial = node.sequence()
    return Recipient(issuer.encoded(), serial.primitive(der.INTEGER), algorithm=algorithm)


def read_recipients(region: Region) -> tuple[str, list[Recipient]]:
    """The content cipher by name, or the hex of its identifier, and whom an envelope is for.

    Nothing is decrypted or judged. Raises As2Error (decryption-failed) for what cannot be read.
    """
    try:
        recipients, _, algorithm = _open_content(region)
        identifier = algorithm.sequence()[0]
        cipher = _CIPHER_BY_OID.get(identifier.encoded())
        found = []
        for recipient in recipients[:MAX_RECIPIENTS]:
            if recipient.tag == der.SEQUENCE:
                kind = recipient.children[2].sequence()[0].encoded()
                transport = {_RSA: "RSA PKCS#1 v1.5", _OAEP: "RSA OAEP"}.get(kind, "unknown")
                found.append(_recipient_named(recipient.children[1], transport))
    except (der.DerError, IndexError, ValueError) as error:
        raise _undecryptable(f"the envelope cannot be read: {error}") from error
    return cipher.name if cipher else f"OID {identifier.content.hex()}", found


def read_signer_names(data: bytes) -> tuple[list[Recipient], list[bytes]]:
    """How each signer of a SignedData names its certificate, and the certificates that came along, as DER.

    Nothing is verified or judged. Raises As2Error (authentication-failed) for what cannot be read.
    """
    try:
        fields = list(der.parse(data).sequence()[1].sequence(0xA0)[0].sequence())
        certificates = fields[3].children if fields[3].tag == 0xA0 else ()
        signers = fields[-1].sequence(der.SET)[:MAX_SIGNERS]
        names = [_recipient_named(signer.sequence()[1]) for signer in signers]
    except (der.DerError, IndexError, ValueError) as error:
        raise _unauthenticated(f"the signature cannot be read: {error}") from error
    return names, [one.encoded() for one in certificates[:MAX_CERTIFICATES] if one.tag == der.SEQUENCE]


def _key_transport(algorithm: der.Node) -> padding.AsymmetricPadding:
    found, *parameters = algorithm.sequence()
    if found.encoded() == _RSA:
        return padding.PKCS1v15()
    if found.encoded() != _OAEP:
        raise _weak("the key transport algorithm is not accepted")
    hash_oid, mask_oid, rest = (
        _mask_parameters(parameters[0]) if parameters else (_DIGESTS["sha1"].oid,) * 2 + ({},)
    )
    label = rest.get(0xA2)
    if label is not None and label.children[0].encoded() != der.sequence(_PSPECIFIED, der.tlv(der.OCTETS)):
        raise _weak("OAEP with a label")
    digest = _DIGEST_BY_OID.get(hash_oid)
    if digest is None or mask_oid != hash_oid:
        raise _weak("OAEP parameters that differ from each other")
    return padding.OAEP(padding.MGF1(digest.hash), digest.hash, None)


def new_digests(names: Collection[str]) -> dict[str, hashlib._Hash]:
    """A running digest for each name of DIGESTS."""
    return {name: hashlib.new(name) for name in names}


def digest_of(chunks: Iterator[bytes], name: str) -> bytes:
    """The digest of the chunks."""
    running = hashlib.new(name)
    for chunk in chunks:
        running.update(chunk)
    return running.digest()


def _unauthenticated(cause: str) -> As2Error:
    return As2Error(Failure.AUTHENTICATION, cause)


def _undecryptable(cause: str) -> As2Error:
    return As2Error(Failure.DECRYPTION, cause)


def _weak(cause: str) -> As2Error:
    return As2Error(Failure.TOO_WEAK, cause)
