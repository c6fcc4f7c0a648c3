"""What a message is made of, layer by layer, without judging it: for diagnosis and evidence.

`open_message` decides what is accepted and stops at the first thing that is wrong. Here nothing is decided:
each layer is described as far as it can be read, and what stopped the reading is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.as2 import cms, deflate, der, mime
from gateway.as2.errors import As2Error
from gateway.as2.keys import Certificate, Identity, KeyFileError, load_certificate
from gateway.as2.mime import Entity, Headers
from gateway.as2.region import Region, Scratch

MAX_LAYERS = 6

_NAMES = {
    der.oid("2.5.4.3"): "CN",
    der.oid("2.5.4.5"): "serialNumber",
    der.oid("2.5.4.6"): "C",
    der.oid("2.5.4.7"): "L",
    der.oid("2.5.4.8"): "ST",
    der.oid("2.5.4.10"): "O",
    der.oid("2.5.4.11"): "OU",
    der.oid("0.9.2342.19200300.100.1.25"): "DC",
    der.oid("1.2.840.113549.1.9.1"): "emailAddress",
}


@dataclass(frozen=True)
class Envelope:
    """An EnvelopedData or AuthEnvelopedData: for whom, with what, and whether we can open it."""

    cipher: str
    recipients: tuple[cms.Recipient, ...]
    opened_with: str | None = None
    """Fingerprint of our certificate whose key decrypted it, padding and all."""


@dataclass(frozen=True)
class Compressed:
    """A CompressedData; `region` is its outside as an entity, headers included."""

    region: Region


@dataclass(frozen=True)
class Signature:
    """A multipart/signed: the part that should have been signed, and what its signature says."""

    content: Region
    """From its headers to before the line break of the boundary, as received."""
    data: bytes = field(repr=False)
    """The SignedData, DER or BER."""
    signers: tuple[cms.Signer, ...]
    names: tuple[cms.Recipient, ...]
    """How each signer names its certificate: issuer and serial number, or key identifier."""
    certificates: tuple[Certificate, ...]
    """Those that the message brings along. They count for nothing."""
    fault: str | None = None
    """Why the signature cannot be used, if it cannot."""

    def made_by(self, certificate: Certificate) -> cms.Signer | None:
        """The signer whose signature this certificate's key made."""
        return next((signer for signer in self.signers if signer.signed_by(certificate)), None)


Layer = Envelope | Compressed | Signature


@dataclass(frozen=True)
class Anatomy:
    """The layers from the outside in, the entity inside of them, and why no more was read."""

    layers: tuple[Layer, ...]
    entity: Entity
    fault: As2Error | None = None

    @property
    def envelope(self) -> Envelope | None:
        return next((layer for layer in self.layers if isinstance(layer, Envelope)), None)

    @property
    def signature(self) -> Signature | None:
        return next((layer for layer in self.layers if isinstance(layer, Signature)), None)

    @property
    def compressed(self) -> bool:
        return any(isinstance(layer, Compressed) for layer in self.layers)


def dissect(headers: mime.Pairs, body: Region, keys: tuple[Identity, ...], scratch: Scratch) -> Anatomy:
    """Takes a message apart. Never raises As2Error: what cannot be read ends the anatomy."""
    layers: list[Layer] = []
    entity = Entity(Headers.of(headers), body, body)
    try:
        while len(layers) < MAX_LAYERS and (inside := _inside(entity, keys, scratch, layers)):
            entity = inside
    except As2Error as error:
        return Anatomy(tuple(layers), entity, error)
    return Anatomy(tuple(layers), entity)


def _inside(
    entity: Entity, keys: tuple[Identity, ...], scratch: Scratch, layers: list[Layer]
) -> Entity | None:
    match entity.content_type.value:
        case "multipart/signed":
            parts = mime.parts(entity, scratch)
            if len(parts) != 2:
                raise mime.malformed(f"a multipart/signed of {len(parts)} parts")
            layers.append(read_signature(parts[0], parts[1], scratch))
            return mime.read_entity(parts[0])
        case "application/pkcs7-mime" | "application/x-pkcs7-mime":
            region = entity.decoded(scratch)
            match cms.content_type(region):
                case cms.ENVELOPED_DATA | cms.AUTH_ENVELOPED_DATA:
                    return _decrypted(region, keys, scratch, layers)
                case cms.COMPRESSED_DATA:
                    layers.append(Compressed(entity.whole))
                    return mime.read_entity(
                        scratch.keep(deflate.decompressed(region, deflate.InflateLimit()))
                    )
                case _:
                    raise mime.malformed("application/pkcs7-mime without a known CMS content")
    return None


def _decrypted(region: Region, keys: tuple[Identity, ...], scratch: Scratch, layers: list[Layer]) -> Entity:
    cipher, recipients = cms.read_recipients(region)
    layers.append(Envelope(cipher, tuple(recipients)))
    envelope = cms.read_envelope(region, keys, cms.CIPHERS)
    plain = scratch.keep(envelope.decrypted())
    layers[-1] = Envelope(cipher, tuple(recipients), envelope.recipient.certificate.fingerprint)
    return mime.read_entity(plain)


def read_signature(content: Region, part: Region, scratch: Scratch) -> Signature:
    """What the second part of a multipart/signed says of the first. Raises As2Error for broken MIME."""
    region = mime.read_entity(part).decoded(scratch)
    data = region.read(0, der.MAX_TREE)
    try:
        names, encoded = cms.read_signer_names(data)
    except As2Error as error:
        return Signature(content, data, (), (), (), error.cause)
    certificates = tuple(found for one in encoded if (found := _certificate(one)) is not None)
    try:
        signers = tuple(cms.read_signature(data))
    except As2Error as error:
        return Signature(content, data, (), tuple(names), certificates, error.cause)
    return Signature(content, data, signers, tuple(names), certificates)


def _certificate(data: bytes) -> Certificate | None:
    try:
        return load_certificate(data)
    except KeyFileError:
        return None


def name_text(name: bytes) -> str:
    """A distinguished name, DER, in words (RFC 4514), from the most specific on: `CN=BIGMART, O=BigMart`."""
    try:
        parts = [
            f"{_NAMES.get(kind.encoded(), 'OID.' + kind.content.hex())}={_text(value)}"
            for relative in der.parse(name).sequence()
            for kind, value in (pair.sequence() for pair in relative.sequence(der.SET))
        ]
    except (der.DerError, ValueError):
        return "a name that cannot be read"
    return ", ".join(reversed(parts)) or "an empty name"


def subject(certificate: Certificate) -> bytes:
    """The subject of a certificate, as DER."""
    fields = list(der.parse(certificate.der).sequence()[0].sequence())
    at = 1 if fields[0].tag == 0xA0 else 0
    return fields[at + 4].encoded()


def _text(value: der.Node) -> str:
    encoding = "utf-16-be" if value.tag == 0x1E else "utf-8" if value.tag == 0x0C else "latin-1"
    text = value.content.decode(encoding, "replace")
    return "".join(char if char.isprintable() else "?" for char in text)[:200]
