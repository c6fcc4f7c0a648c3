"""B09: the MIC of every form of message, against digests of bytes that this file puts together by hand."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable

import pytest
from as2_peer import NOW, Company, OpenSSL, Sent, entity, message, multipart_signed, open_message
from as2_receipts import answered, fields_of
from asn1crypto import cms as asn1

from gateway import as2
from gateway.as2 import cms

LINES = b"ISA*00*~\r\nST*850*0001~\r\nSE*2*0001~"
PAYLOADS = {
    "no line break at the end": LINES,
    "one line break at the end": LINES + b"\r\n",
    "two line breaks at the end": LINES + b"\r\n\r\n",
    "LF alone": LINES.replace(b"\r\n", b"\n") + b"\n",
    "CR alone": LINES.replace(b"\r\n", b"\r") + b"\r",
    "binary": bytes(range(256)) + b"\n\r\n\n",
    "empty": b"",
}
SPELLINGS = {
    "sha1": "sha1",
    "sha-256": "sha256",
    "sha256": "sha256",
    "sha-384": "sha384",
    "sha-512": "sha512",
}
PKCS7 = "application/pkcs7-mime"


def head(content_type: str, encoding: str = "binary") -> bytes:
    return f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode()


def compressed(whole: bytes) -> bytes:
    """CompressedData, written by a library that is not ours."""
    content = {"content_type": "data", "content": zlib.compress(whole)}
    packed = {"version": "v0", "compression_algorithm": {"algorithm": "zlib"}, "encap_content_info": content}
    data = asn1.ContentInfo(
        {"content_type": "compressed_data", "content": asn1.CompressedData(packed)}
    ).dump()
    assert isinstance(data, bytes)
    return data


def related(payload: bytes) -> bytes:
    """Two files as one entity (RFC 2387, RFC 6362)."""
    return (
        b'Content-Type: multipart/related; type="application/EDI-X12"; boundary="=_r"\r\n\r\n'
        b"--=_r\r\n" + head("application/EDI-X12") + payload + b"\r\n"
        b"--=_r\r\n" + head("application/pdf") + b"%PDF" + payload + b"\r\n"
        b"--=_r--\r\n"
    )  # fmt: skip


class Maker:
    """The layers of a message, each around bytes."""

    def __init__(self, us: Company, partner: Company, digest: str) -> None:
        self._us, self._partner, self._digest = us, partner, digest

    def signed(self, whole: bytes) -> bytes:
        signature = cms.sign(
            hashlib.new(self._digest, whole).digest(), self._partner.identity, self._digest, NOW
        )
        content_type, body = multipart_signed(whole, signature)
        return f"Content-Type: {content_type}\r\n\r\n".encode() + body

    def encrypted(self, whole: bytes) -> bytes:
        data = b"".join(cms.encrypt(iter([whole]), [self._us.certificate], "aes256-cbc"))
        return head(f"{PKCS7}; smime-type=enveloped-data") + data

    def compressed(self, whole: bytes) -> bytes:
        return head(f"{PKCS7}; smime-type=compressed-data") + compressed(whole)


Layers = Callable[[Maker, bytes], tuple[bytes, bytes]]

FORMS: dict[str, Layers] = {
    "plain": lambda make, p: (head("application/EDI-X12") + p, p),
    "signed": lambda make, p: (make.signed(entity(p)), entity(p)),
    "encrypted": lambda make, p: (make.encrypted(entity(p)), entity(p)),
    "signed, encrypted": lambda make, p: (make.encrypted(make.signed(entity(p))), entity(p)),
    "compressed": lambda make, p: (make.compressed(entity(p)), entity(p)),
    "compressed, encrypted": lambda make, p: (make.encrypted(make.compressed(entity(p))), entity(p)),
    "compressed, signed": lambda make, p: (
        make.signed(make.compressed(entity(p))), make.compressed(entity(p))
    ),
    "compressed, signed, encrypted": lambda make, p: (
        make.encrypted(make.signed(make.compressed(entity(p)))), make.compressed(entity(p))
    ),
    "signed, compressed": lambda make, p: (make.compressed(make.signed(entity(p))), entity(p)),
    "signed, compressed, encrypted": lambda make, p: (
        make.encrypted(make.compressed(make.signed(entity(p)))), entity(p)
    ),
    "several files, signed": lambda make, p: (make.signed(related(p)), related(p)),
    "several files, encrypted": lambda make, p: (make.encrypted(related(p)), related(p)),
    "several files, compressed": lambda make, p: (make.compressed(related(p)), related(p)),
    "several files, signed, encrypted": lambda make, p: (make.encrypted(make.signed(related(p))), related(p)),
}  # fmt: skip


def posted(whole: bytes, micalg: str) -> Sent:
    """The outermost entity as a request that asks for a MIC with this digest."""
    top, _, body = whole.partition(b"\r\n\r\n")
    (content_type, *more) = [line.partition(": ")[2] for line in top.decode().split("\r\n")]
    options = f"signed-receipt-protocol=optional, pkcs7-signature; signed-receipt-micalg=optional, {micalg}"
    headers = [("Disposition-Notification-Options", options)]
    headers += [("Content-Transfer-Encoding", value) for value in more]
    return message(content_type, body, *headers)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
@pytest.mark.parametrize("form", FORMS)
def test_b09_m5_the_mic_is_over_the_bytes_of_the_truth_table(
    us: Company, partner: Company, form: str, payload: bytes
) -> None:
    for micalg, digest in SPELLINGS.items():
        trust = as2.Trust((partner.certificate,), frozenset(cms.DIGESTS))
        policy = as2.Policy((us.identity,), trust, require_signed=False, require_encrypted=False)
        whole, hashed = FORMS[form](Maker(us, partner, digest), payload)
        sent = posted(whole, micalg)
        opened, _ = open_message(sent, policy)
        expected = base64.b64encode(hashlib.new(digest, hashed).digest()).decode()
        assert (micalg, opened.mic_algorithm, opened.mic) == (micalg, digest, expected)
        receipt = answered(as2.parse_request_headers(sent.headers), as2.Outcome.accepted(opened), us)
        assert fields_of(receipt)["Received-Content-MIC"] == f"{expected}, {micalg}"


@pytest.mark.external("openssl")
@pytest.mark.parametrize("digest", sorted(set(SPELLINGS.values())))
def test_b09_the_mic_is_the_digest_that_openssl_computes(
    openssl: OpenSSL, us: Company, partner: Company, digest: str
) -> None:
    trust = as2.Trust((partner.certificate,), frozenset(cms.DIGESTS))
    policy = as2.Policy((us.identity,), trust, require_signed=False, require_encrypted=False)
    for form, layers in FORMS.items():
        whole, hashed = layers(Maker(us, partner, digest), PAYLOADS["two line breaks at the end"])
        opened, _ = open_message(posted(whole, digest), policy)
        assert (form, base64.b64decode(opened.mic)) == (form, openssl.digest(digest, hashed))


def test_m6_a_signed_message_has_the_mic_of_its_signature_whatever_its_sender_asks(
    us: Company, partner: Company
) -> None:
    """Drummond 1Q12#12: the receipt's digest list counts for messages that are not signed."""
    policy = as2.Policy((us.identity,), as2.Trust((partner.certificate,)), False, False)
    for digest in ("sha256", "sha384", "sha512"):
        whole, hashed = FORMS["signed, encrypted"](Maker(us, partner, digest), LINES)
        opened, _ = open_message(posted(whole, "sha1"), policy)
        assert opened.mic_algorithm == digest
        assert opened.mic == base64.b64encode(hashlib.new(digest, hashed).digest()).decode()
    plain, hashed = FORMS["plain"](Maker(us, partner, "sha256"), LINES)
    opened, _ = open_message(posted(plain, "md5, sha1, sha-512"), policy)
    assert opened.mic == base64.b64encode(hashlib.sha1(hashed).digest()).decode()


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_b09_the_mic_of_an_encrypted_message_counts_the_transfer_encoding(us: Company, encoding: str) -> None:
    import quopri

    text = base64.encodebytes(LINES) if encoding == "base64" else quopri.encodestring(LINES, quotetabs=True)
    text = text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    whole = head("application/EDI-X12", encoding) + text
    policy = as2.Policy((us.identity,), as2.Trust(), False, False)
    for wrapped in (Maker(us, us, "sha256").encrypted(whole), Maker(us, us, "sha256").compressed(whole)):
        opened, delivered = open_message(posted(wrapped, "sha-256"), policy)
        assert opened.mic == base64.b64encode(hashlib.sha256(whole).digest()).decode()
        assert delivered == LINES
