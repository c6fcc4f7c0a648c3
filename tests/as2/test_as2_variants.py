"""Signatures and MICs over other forms of the content: each form is found and named, by its digest alone.

Every message here is signed by openssl over the form it stands for, and carries another.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zlib
from datetime import timedelta
from typing import NamedTuple

import pytest
from as2_peer import NOW, Company, OpenSSL, build, company, message, multipart_signed

from gateway import as2
from gateway.as2 import anatomy, deflate, variants
from gateway.as2.region import Region, Scratch
from gateway.as2.signed import Signing

TEXT = b"ISA*00*first\r\nGS*PO*second\r\nIEA*1*third\r\n"
TYPE = b"Content-Type: application/EDI-X12"
DISPOSITION = b'Content-Disposition: attachment; filename="order.x12"'
BINARY = b"Content-Transfer-Encoding: binary"


def part(*headers: bytes, content: bytes = TEXT) -> bytes:
    return b"\r\n".join(headers) + b"\r\n\r\n" + content


class Case(NamedTuple):
    """What was signed, what arrived, and the departures that lead from one to the other."""

    covered: bytes
    arrived: bytes
    found: tuple[str, ...]


USUAL = part(TYPE, BINARY, DISPOSITION)
WRAPPED = base64.encodebytes(TEXT).replace(b"\n", b"\r\n")
IN_BASE64 = part(TYPE, b"Content-Transfer-Encoding: base64", content=WRAPPED)

CASES = {
    "LF where CRLF arrived": Case(USUAL.replace(b"\r\n", b"\n"), USUAL, ("line-ends-lf",)),
    "CRLF where LF arrived": Case(USUAL, USUAL.replace(b"\r\n", b"\n"), ("line-ends-crlf",)),
    "only the header lines with LF": Case(
        TYPE + b"\n" + BINARY + b"\n\n" + TEXT,
        part(TYPE, BINARY),
        ("header-lines-lf",),
    ),
    "only the content with LF": Case(
        part(TYPE, BINARY, content=TEXT.replace(b"\r\n", b"\n")), part(TYPE, BINARY), ("content-lines-lf",)
    ),
    "no blank after the colon": Case(
        USUAL.replace(b": ", b":"), USUAL, ("header-spacing",)
    ),
    "a blank before the colon": Case(
        USUAL.replace(b": ", b" : "), USUAL, ("header-spacing",)
    ),
    "folded where it arrived unfolded": Case(
        part(TYPE, BINARY, DISPOSITION.replace(b"; ", b";\r\n\t")), USUAL, ("header-folded",)
    ),
    "unfolded where it arrived folded": Case(
        USUAL, part(TYPE, BINARY, DISPOSITION.replace(b"; ", b";\r\n\t")), ("header-unfolded",)
    ),
    "header names in lower case": Case(
        part(*(line.partition(b":")[0].lower() + b":" + line.partition(b":")[2]
               for line in (TYPE, BINARY, DISPOSITION))),
        USUAL,
        ("header-case",),
    ),
    "headers sorted otherwise": Case(part(DISPOSITION, TYPE, BINARY), USUAL, ("header-order",)),
    "a header that was added on the way": Case(part(TYPE, BINARY), USUAL, ("header-missing",)),
    "two headers that were added on the way": Case(part(TYPE), USUAL, ("header-missing",)),
    "an encoding that was counted and not sent": Case(
        part(TYPE, b"Content-Transfer-Encoding: 7bit"), part(TYPE), ("header-extra",)
    ),
    "an absent encoding that was taken for binary": Case(part(TYPE, BINARY), part(TYPE), ("header-extra",)),
    "MIME-Version counted and not sent": Case(
        part(b"MIME-Version: 1.0", TYPE, BINARY), part(TYPE, BINARY), ("header-extra",)
    ),
    "a header of the message counted along": Case(
        part(TYPE, BINARY, b"Content-Description: an order"), part(TYPE, BINARY), ("header-extra",)
    ),
    "another encoding told than was signed": Case(
        part(TYPE, b"Content-Transfer-Encoding: 8bit"), part(TYPE, BINARY), ("header-value",)
    ),
    "the content without headers": Case(TEXT, USUAL, ("headers-not-counted",)),
    "no blank line": Case(USUAL.replace(b"\r\n\r\n", b"\r\n", 1), USUAL, ("blank-line-missing",)),
    "one line break more": Case(USUAL + b"\r\n", USUAL, ("trailing-line-breaks",)),
    "one line break less": Case(USUAL[:-2], USUAL, ("trailing-line-breaks",)),
    "LF at the end": Case(USUAL[:-2] + b"\n", USUAL, ("trailing-line-breaks",)),
    "content decoded from base64": Case(
        part(TYPE, b"Content-Transfer-Encoding: base64"), IN_BASE64, ("decoded",)
    ),
    "signed before it was encoded": Case(part(TYPE, BINARY), IN_BASE64, ("header-value", "decoded")),
    "the decoded content alone": Case(TEXT, IN_BASE64, ("headers-not-counted", "decoded")),
    "signed in base64 and sent decoded": Case(IN_BASE64, part(TYPE, BINARY), ("header-value", "encoded")),
    "LF and no headers": Case(
        TEXT.replace(b"\r\n", b"\n"), USUAL, ("headers-not-counted", "content-lines-lf")
    ),
}  # fmt: skip


def compressed(inner: bytes) -> bytes:
    """An entity of CompressedData."""
    return (
        b'Content-Type: application/pkcs7-mime; smime-type=compressed-data\r\n'
        b"Content-Transfer-Encoding: binary\r\n\r\n" + b"".join(deflate.compress(iter([inner])))
    )  # fmt: skip


@pytest.mark.external("openssl")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_a_signature_covers_is_found(case: Case, openssl: OpenSSL, partner: Company) -> None:
    content_type, body = multipart_signed(case.arrived, openssl.sign(partner, case.covered, "-md", "sha256"))
    sent = message(content_type, body, ("Content-Description", "an order"))
    with Scratch() as scratch:
        found = anatomy.dissect(sent.headers, Region.of(io.BytesIO(sent.body)), (), scratch)
        assert found.signature is not None
        signer = found.signature.made_by(partner.certificate)
        assert signer is not None
        assert found.signature.content.read() == case.arrived
        nearby = [(name, value) for name, value in sent.headers if name == "Content-Description"]
        search = variants.search(
            [variants.Base(found.signature.content)],
            signer.message_digest,
            scratch,
            stated=signer.digest,
            nearby=nearby,
        )
    assert tuple(one.id for one in search.departures or ()) == case.found
    assert search.digest == "sha256"


@pytest.mark.external("openssl")
@pytest.mark.parametrize(
    ("covered", "ids"),
    [
        (USUAL, ("uncompressed",)),
        (TEXT, ("uncompressed", "headers-not-counted")),
        (USUAL.replace(b"\r\n", b"\n"), ("uncompressed", "line-ends-lf")),
    ],
    ids=["the entity before", "its content alone", "with LF"],
)
def test_a_signature_over_what_was_compressed_is_found(
    covered: bytes, ids: tuple[str, ...], openssl: OpenSSL, partner: Company
) -> None:
    content_type, body = multipart_signed(compressed(USUAL), openssl.sign(partner, covered))
    sent = message(content_type, body)
    with Scratch() as scratch:
        found = anatomy.dissect(sent.headers, Region.of(io.BytesIO(sent.body)), (), scratch)
        assert found.signature is not None
        assert found.compressed
        (signer,) = found.signature.signers
        bases = [
            variants.Base(found.signature.content),
            variants.Base(found.entity.whole, (variants.Departure("uncompressed"),)),
        ]
        search = variants.search(bases, signer.message_digest, scratch)
    assert {one.id for one in search.departures or ()} == set(ids)


def searched(data: bytes, wanted: bytes, **options: object) -> variants.Search:
    with Scratch() as scratch:
        bases = [variants.Base(Region.of(io.BytesIO(data)))]
        return variants.search(bases, wanted, scratch, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("digest", ["md5", "sha1", "sha256", "sha384", "sha512"])
def test_the_algorithm_is_told_by_the_size_of_the_digest(digest: str) -> None:
    wanted = hashlib.new(digest, USUAL, usedforsecurity=False).digest()
    search = searched(USUAL, wanted, stated="sha256")
    assert search.digest == digest
    assert search.has("digest") == (digest != "sha256")
    assert search.complete


def test_a_digest_of_no_known_size_and_one_of_other_content_match_nothing() -> None:
    assert searched(USUAL, b"\0" * 33).departures is None
    search = searched(USUAL, hashlib.sha256(USUAL.replace(b"first", b"FIRST")).digest())
    assert search.departures is None
    assert search.complete
    assert search.tried > 1000
    assert str(search) == f"none of the {search.tried} forms that were tried"


def test_the_work_is_bounded_by_the_bytes_hashed_and_that_is_told() -> None:
    data = part(TYPE, BINARY, content=bytes(100_000))
    likely = hashlib.sha256(bytes(100_000)).digest()
    search = searched(data, likely, work=2_000_000)
    assert [one.id for one in search.departures or ()] == ["headers-not-counted"]
    search = searched(data, hashlib.sha256(b"").digest(), work=2_000_000)
    assert search.departures is None
    assert not search.complete
    assert searched(data, likely, work=1000).departures is None


def test_line_ends_and_the_end_are_found_across_the_chunks_of_a_large_content() -> None:
    lines = b"N1*ST*a line whose length divides nothing\r\n" * 20_000 + b"\r\n\r\n"
    data = part(TYPE, content=lines)
    wanted = hashlib.sha256(data.replace(b"\r\n", b"\n").rstrip(b"\n")).digest()
    search = searched(data, wanted)
    assert [one.id for one in search.departures or ()] == ["line-ends-lf", "trailing-line-breaks"]
    text = base64.encodebytes(lines).replace(b"\n", b"\r\n")
    assert searched(data, hashlib.sha256(text).digest()).has("encoded")


def test_the_exact_content_departs_in_nothing() -> None:
    search = searched(USUAL, hashlib.sha256(USUAL).digest())
    assert search.departures == ()
    assert str(search) == "exactly what is at hand"


def test_every_departure_is_told_in_words() -> None:
    for id in variants.WORDS:
        assert str(variants.Departure(id, "the detail")).endswith("(the detail)")


# What a message is made of.


def test_the_layers_of_a_message_are_told_from_the_outside_in(us: Company, partner: Company) -> None:
    sent = build(
        TEXT,
        sign=Signing(partner.identity),
        encrypt=as2.Encryption((us.certificate,)),
        compress="before-sign",
    )
    with Scratch() as scratch:
        found = anatomy.dissect(sent.headers, Region.of(io.BytesIO(sent.body)), (us.identity,), scratch)
        assert [type(layer).__name__ for layer in found.layers] == ["Envelope", "Signature", "Compressed"]
        assert found.fault is None
        assert found.envelope is not None
        assert found.envelope.cipher == "aes256-cbc"
        assert found.envelope.opened_with == us.certificate.fingerprint
        (recipient,) = found.envelope.recipients
        assert recipient.names(us.certificate)
        assert not recipient.names(partner.certificate)
        assert recipient.algorithm == "RSA PKCS#1 v1.5"
        assert anatomy.name_text(recipient.issuer) == "CN=Tradelane"
        assert found.entity.body.read() == TEXT
        assert found.signature is not None
        assert [one.fingerprint for one in found.signature.certificates] == [partner.certificate.fingerprint]


def test_an_envelope_that_is_not_ours_is_described_and_not_opened(us: Company, partner: Company) -> None:
    other = company("Former", valid=(NOW - timedelta(days=900), NOW + timedelta(days=1)))
    sent = build(TEXT, sign=Signing(partner.identity), encrypt=as2.Encryption((other.certificate,)))
    with Scratch() as scratch:
        found = anatomy.dissect(sent.headers, Region.of(io.BytesIO(sent.body)), (us.identity,), scratch)
        assert found.fault is not None
        assert found.envelope is not None
        assert found.envelope.opened_with is None
        assert found.envelope.recipients[0].names(other.certificate)


def test_a_damaged_message_is_described_as_far_as_it_can_be_read(us: Company, partner: Company) -> None:
    sent = build(TEXT, sign=Signing(partner.identity))
    for body in (
        sent.body[:200],
        b"",
        zlib.compress(sent.body),
        sent.body.replace(b"--signed-", b"--other-"),
    ):
        with Scratch() as scratch:
            found = anatomy.dissect(sent.headers, Region.of(io.BytesIO(body)), (), scratch)
            assert found.fault is not None
            assert found.layers == ()


def test_a_name_is_told_in_words_and_can_steer_no_terminal(openssl: OpenSSL) -> None:
    loud = company("Big\x1b[2JMart")
    assert anatomy.name_text(loud.certificate.issuer) == "CN=Big?[2JMart"
    assert anatomy.name_text(b"\x30\x01") == "a name that cannot be read"
