"""What went wrong again and again between products, and what some of them always do: one test each.

The list is that of the interoperability rounds of 2006 to 2014, and of the quirks of single products.
"""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import replace
from email.utils import parsedate_to_datetime

import pytest
from as2_peer import (
    NOW,
    Company,
    OpenSSL,
    build,
    company,
    entity,
    message,
    multipart_signed,
    open_message,
    refusal,
)
from as2_receipts import (
    ORDER,
    SIGNED,
    answered,
    asking,
    by_hand,
    judged,
    raw,
    report,
    seen_by_email,
    sent_by_us,
)
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gateway import as2
from gateway.as2 import cms, der

PKCS7 = "application/pkcs7-mime"
DELIVERED, FAILED, INVALID = as2.ReceiptStatus.DELIVERED, as2.ReceiptStatus.FAILED, as2.ReceiptStatus.INVALID
PART = entity(ORDER + b"\r\n" + ORDER)
PAYLOAD = ORDER + b"\r\n" + ORDER


@pytest.fixture
def signed_only(partner: Company) -> as2.Policy:
    return as2.Policy((), as2.Trust((partner.certificate,)), require_encrypted=False)


def signature_over(part: bytes, company: Company) -> bytes:
    return cms.sign(hashlib.sha256(part).digest(), company.identity, "sha256", NOW)


# MIME


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body.replace(b"\r\n", b"\n"),
        lambda body: body.removesuffix(b"\r\n"),
        lambda body: b"\r\n" + body,
        lambda body: body.replace(b"--=_b\r\n", b"--=_b \t\r\n"),
        lambda body: body + b"\r\n\r\n",
        lambda body: body[:-4],
        lambda body: body[:-3],
    ],
    ids=[
        "every CR lost", "no CRLF at the end", "a blank line before", "spaces after the boundary",
        "blank lines behind", "the end cut off by a short length", "half the end cut off",
    ],
)  # fmt: skip
def test_damaged_boundaries_and_line_breaks_still_give_what_was_signed(
    partner: Company, signed_only: as2.Policy, damage: object
) -> None:
    assert callable(damage)
    content_type, body = multipart_signed(PART, base64.encodebytes(signature_over(PART, partner)))
    body = body.replace(
        b"pkcs7-signature\r\nContent-Transfer-Encoding: binary",
        b"pkcs7-signature\r\nContent-Transfer-Encoding: base64",
    )
    assert open_message(message(content_type, damage(body)), signed_only)[1] == PAYLOAD


@pytest.mark.parametrize(
    "boundary", ["----=_Part_1_2.3", "a b c", "=_'()+_,-./:=?", "-", "x" * 70, "_=aspnet_a:b", "<1@x>"]
)
def test_boundaries_of_every_kind_of_character_are_found(
    partner: Company, signed_only: as2.Policy, boundary: str
) -> None:
    sent = message(*multipart_signed(PART, signature_over(PART, partner), boundary=boundary))
    assert open_message(sent, signed_only)[1] == PAYLOAD


def test_names_of_headers_may_be_in_any_case_and_headers_folded(
    partner: Company, signed_only: as2.Policy
) -> None:
    part = (
        b"CONTENT-type:\r\n\tapplication/EDI-X12;\r\n name=a.x12\r\ncontent-TRANSFER-encoding:binary\r\n\r\n"
        + ORDER
    )
    content_type, body = multipart_signed(part, signature_over(part, partner))
    body = body.replace(b"Content-Type: application/pkcs7-s", b"content-type:\r\n application/PKCS7-s")
    sent = message(content_type, body)
    sent.headers = [(name.swapcase(), value) for name, value in sent.headers]
    opened, delivered = open_message(sent, signed_only)
    assert (delivered, opened.filename) == (ORDER, "a.x12")


@pytest.mark.parametrize("line", [b"\n", b"\r\n", b"\r"])
def test_base64_may_be_broken_by_any_line_break(us: Company, partner: Company, line: bytes) -> None:
    part = entity(base64.b64encode(ORDER * 9), encoding="base64")
    signature = base64.encodebytes(signature_over(part, partner)).replace(b"\n", line)
    content_type, body = multipart_signed(part, signature)
    inner = entity(body.replace(b"binary", b"base64"), content_type)
    data = b"".join(cms.encrypt(iter([inner]), [us.certificate], "aes256-cbc"))
    text = base64.encodebytes(data).replace(b"\n", line)
    policy = as2.Policy((us.identity,), as2.Trust((partner.certificate,)))
    assert open_message(message(PKCS7, text, ("Content-Transfer-Encoding", "base64")), policy)[1] == ORDER * 9


# Headers


def test_our_dates_are_those_of_http_and_dates_of_others_do_not_matter(us: Company) -> None:
    receipt = answered(asking(), as2.Outcome(as2.PROCESSED), us)
    for headers in (build(ORDER).headers, receipt.headers):
        date = dict(headers)["Date"]
        assert date == "Wed, 04 Mar 2026 05:06:07 GMT"
        assert parsedate_to_datetime(date) == NOW
    for date in ("2026-03-04T05:06:07Z", "4 Mar 26", "", "Mi, 4 Mär"):
        assert asking(Date=date).failure is None


def test_ids_and_urls_of_more_than_a_hundred_characters_are_taken(us: Company) -> None:
    url = "https://partner.example/" + "mdn/" * 60 + "?id=" + "1" * 300
    asked = asking(
        AS2_From="F" * 128,
        AS2_To="T" * 128,
        Message_ID=f"<{'m' * 250}@{'h' * 60}>",
        Receipt_Delivery_Option=url,
    )
    assert asked.failure is None
    assert asked.receipt is not None
    assert asked.receipt.async_url == url
    receipt = answered(asked, as2.Outcome(as2.PROCESSED), us)
    seen = seen_by_email(receipt)
    assert (seen["AS2-From"], seen["AS2-To"]) == ("T" * 128, "F" * 128)
    assert max(len(line) for line in raw(receipt).split(b"\r\n")) < 998


@pytest.mark.parametrize("name", ['"with spaces in it"', "with spaces in it"])
def test_names_with_spaces_are_the_same_with_and_without_quotes(
    us: Company, partner: Company, name: str
) -> None:
    assert asking(AS2_From=name).as2_from == "with spaces in it"
    sent, expected = sent_by_us(partner)
    receipt = by_hand(report(sent), partner)
    headers = [("AS2-From", name), *receipt.headers[1:]]
    judgement = judged(as2.BuiltReceipt(headers, receipt.body), replace(expected, as2_to="with spaces in it"))
    assert judgement.status is DELIVERED


@pytest.mark.parametrize(
    "spelled", ["sha1", "SHA1", "sha-1", "SHA-1", "sha", "SHA", "RSA-SHA1", "rsa-sha1", '"sha1"', "sha_1"]
)
def test_sha1_is_known_by_all_of_its_names(spelled: str) -> None:
    asked = asking(SIGNED.replace("sha-256", spelled))
    assert asked.failure is None
    policy = as2.Policy((), as2.Trust(), require_signed=False, require_encrypted=False)
    sent = message(
        "application/EDI-X12", ORDER, ("Disposition-Notification-Options", SIGNED.replace("sha-256", spelled))
    )
    opened, _ = open_message(sent, policy)
    assert (opened.mic_algorithm, opened.mic) == (
        "sha1",
        base64.b64encode(hashlib.sha1(ORDER).digest()).decode(),
    )


# Receipts


def test_a_report_without_its_report_type_is_one(partner: Company) -> None:
    sent, expected = sent_by_us(partner)
    for content_type in (
        "multipart/report; boundary=r",
        "Multipart/Report;boundary=r;Report-Type=x",
        "multipart/mixed; boundary=r",
    ):
        receipt = by_hand(report(sent), partner, content_type=content_type)
        assert as2.read_claim(receipt.headers, io.BytesIO(receipt.body)) == as2.Claim("<1@sender>", True)
        assert judged(receipt, expected).status is DELIVERED


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_a_receipt_whose_length_is_too_short_by_a_few_bytes_is_read(partner: Company, cut: int) -> None:
    """The body ends with `--s--` and CRLF; a length that forgot either cuts into them."""
    sent, expected = sent_by_us(partner)
    receipt = by_hand(report(sent), partner)
    short = as2.BuiltReceipt(receipt.headers, receipt.body[:-cut])
    assert as2.read_claim(short.headers, io.BytesIO(short.body)) is not None
    assert judged(short, expected).status is DELIVERED
    assert judged(as2.BuiltReceipt(receipt.headers, receipt.body[:-5] + b"x"), expected).status is INVALID


def test_a_receipt_whose_text_has_no_header_block_is_read(partner: Company) -> None:
    """As BizTalk and its successors write theirs; the part for people is then none."""
    sent, expected = sent_by_us(partner)
    receipt = by_hand(report(sent), partner)
    for text in (b"The message was processed.\r\n", b"The message:\r\n\r\nwas processed.\r\n"):
        part = receipt.body.split(b"\r\n--s\r\n")[0].removeprefix(b"--s\r\n")
        part = part.replace(b"Content-Type: text/plain\r\n\r\nthanks\r\n", text)
        content_type, body = multipart_signed(part, signature_over(part, partner))
        headers = [*receipt.headers[:2], ("Content-Type", content_type)]
        judgement = judged(as2.BuiltReceipt(headers, body), expected)
        assert (judgement.status, judgement.text) == (DELIVERED, "")
        assert as2.read_claim(headers, io.BytesIO(body)) == as2.Claim("<1@sender>", True)


def test_a_receipt_in_which_only_what_is_required_stands_is_one(partner: Company) -> None:
    """OpenText: no Message-ID, no recipients, nothing but the fields that prove it."""
    sent, expected = sent_by_us(partner)
    text = report(sent, Reporting_UA=None, Original_Recipient=None, Final_Recipient=None)
    assert text.count("\r\n") == 3
    assert judged(by_hand(text, partner), expected).status is DELIVERED


# Certificates


def issuer_of(value: Company, *, tag: int, change: object = str) -> bytes:
    """The Name of a company, its text in another string type."""
    assert callable(change)
    (relative,) = der.parse(value.certificate.issuer).children
    kind, text = relative.children[0].children
    charset = {0x1E: "utf-16-be", 0x1C: "utf-32-be"}.get(tag, "utf-8")
    written = der.tlv(tag, change(text.content.decode()).encode(charset))
    return der.sequence(der.set_of(der.sequence(kind.encoded(), written)))


def readdressed(body: bytes, named: bytes) -> bytes:
    """The same envelope, whose first recipient is named in another way."""
    version, recipients, content = der.parse(body).children[1].children[0].children
    first, *others = recipients.children
    fields = [child.encoded() for child in first.children]
    infos = [der.sequence(fields[0], named, *fields[2:]), *(other.encoded() for other in others)]
    inner = der.sequence(version.encoded(), der.tlv(der.SET, *infos), content.encoded())
    return der.sequence(cms.ENVELOPED_DATA, der.tlv(0xA0, inner))


@pytest.mark.parametrize(
    "tag", [0x0C, 0x13, 0x14, 0x16, 0x1C, 0x1E], ids=["UTF8", "printable", "T61", "IA5", "universal", "BMP"]
)
def test_a_recipient_named_in_another_string_type_is_us(us: Company, tag: int) -> None:
    policy = as2.Policy((us.identity,), as2.Trust(), require_signed=False)
    body = b"".join(cms.encrypt(iter([PART]), [us.certificate], "aes256-cbc"))
    serial = der.tlv(der.INTEGER, b"\0" + us.certificate.serial)
    for change in (str, str.upper, lambda text: f" {text}  "):
        named = der.sequence(issuer_of(us, tag=tag, change=change), serial)
        assert open_message(message(PKCS7, readdressed(body, named)), policy)[1] == PAYLOAD
    for other in (issuer_of(us, tag=tag, change=lambda text: text + "x"), issuer_of(us, tag=tag)):
        number = serial if b"x" in other else der.integer(7)
        error = refusal(message(PKCS7, readdressed(body, der.sequence(other, number))), policy)
        assert error.cause == "encrypted to none of our certificates"


@pytest.mark.parametrize("position", [0, 1, 2])
def test_one_of_several_recipients_is_us_by_serial_or_by_key_identifier(
    us: Company, partner: Company, stranger: Company, position: int
) -> None:
    companies = [partner, stranger]
    companies.insert(position, us)
    body = b"".join(cms.encrypt(iter([PART]), [one.certificate for one in companies], "aes256-cbc"))
    version, recipients, content = der.parse(body).children[1].children[0].children

    def by_key(recipient: der.Node) -> bytes:
        fields = [child.encoded() for child in recipient.children]
        serial = recipient.children[1].children[1].content
        (named,) = [one for one in companies if one.certificate.serial == serial]
        return der.sequence(der.integer(2), der.tlv(0x80, named.certificate.subject_key_id), *fields[2:])

    policy = as2.Policy((us.identity,), as2.Trust(), require_signed=False)
    other_kind = der.tlv(0xA2, der.integer(4), der.sequence(der.tlv(der.OCTETS, b"kek")))
    for infos in (
        [one.encoded() for one in recipients.children],
        [by_key(one) for one in recipients.children],
        [
            other_kind,
            *(by_key(one) if at % 2 else one.encoded() for at, one in enumerate(recipients.children)),
        ],
    ):
        inner = der.sequence(version.encoded(), der.tlv(der.SET, *infos), content.encoded())
        sent = message(PKCS7, der.sequence(cms.ENVELOPED_DATA, der.tlv(0xA0, inner)))
        assert open_message(sent, policy)[1] == PAYLOAD


@pytest.mark.external("openssl")
@pytest.mark.parametrize(
    "subject", ["/C=USA/O=Acme", "/CN=*.partner.example", "/CN=A/OU=B/OU=C/emailAddress=a@b.example"]
)
@pytest.mark.parametrize("serial", ["0", "-5", "1", "0x" + "7f" * 20])
def test_certificates_with_odd_fields_that_openssl_makes_are_used(
    openssl: OpenSSL, us: Company, subject: str, serial: str
) -> None:
    if "USA" in subject:  # openssl refuses a country of three letters, as other products do not
        subject = "/O=USA/O=Acme"
    openssl.run(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-utf8", "-subj", subject, "-days", "3650",
        "-set_serial", serial, "-keyout", "odd.key", "-out", "odd.pem",
    )  # fmt: skip
    odd = Company(openssl.read("odd.key"), openssl.read("odd.pem"))
    now = odd.certificate.valid_from
    policy = as2.Policy((odd.identity,), as2.Trust((odd.certificate,)))
    content_type, body = multipart_signed(PART, openssl.sign(odd, PART, "-md", "sha256"))
    data = openssl.encrypt([us, odd], entity(body, content_type), "aes-256-cbc")
    opened, delivered = open_message(message(PKCS7, data), policy, now=now)
    assert delivered == PAYLOAD
    assert opened.decrypted_with == opened.signed_with == odd.certificate.fingerprint
    sent = build(ORDER, sign=as2.Signing(odd.identity), encrypt=as2.Encryption((odd.certificate,)), now=now)
    assert openssl.decrypt(odd, sent.body).endswith(b"--\r\n")
    assert open_message(sent, policy, now=now)[1] == ORDER


# Signatures


CONTENT_TYPE, DIGEST, PROTECTION = (
    "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", "1.2.840.113549.1.9.52",
)  # fmt: skip
SHA256, SHA512 = der.oid("2.16.840.1.101.3.4.2.1"), der.oid("2.16.840.1.101.3.4.2.3")
RSA, RSA_SHA256 = der.oid("1.2.840.113549.1.1.1"), der.oid("1.2.840.113549.1.1.11")
NULL = der.tlv(der.NULL)


def attribute(kind: str, *values: bytes) -> bytes:
    return der.sequence(der.oid(kind), der.tlv(der.SET, *values))


def signed_with(company: Company, attributes: list[bytes], *, order: bool) -> bytes:
    """A signature over these attributes: in the order of DER, or as they stand."""
    key = company.identity.key
    assert isinstance(key, rsa.RSAPrivateKey)
    covered = der.tlv(der.SET, *(sorted(attributes) if order else attributes))
    info = der.parse(signature_over(PART, company)).children[1].children[0]
    fields = [child.encoded() for child in info.children[-1].children[0].children]
    fields[3] = der.tlv(0xA0, *attributes)
    fields[5] = der.tlv(der.OCTETS, key.sign(covered, padding.PKCS1v15(), hashes.SHA256()))
    others = [child.encoded() for child in info.children[:-1]]
    body = der.sequence(*others, der.tlv(der.SET, der.sequence(*fields)))
    return der.sequence(cms.SIGNED_DATA, der.tlv(0xA0, body))


def required() -> list[bytes]:
    digest = der.tlv(der.OCTETS, hashlib.sha256(PART).digest())
    return [attribute(DIGEST, digest), attribute(CONTENT_TYPE, cms.DATA)]


@pytest.mark.parametrize("order", [True, False], ids=["signed in the order of DER", "signed as they stand"])
def test_signed_attributes_in_any_order_are_those_that_were_signed(
    partner: Company, signed_only: as2.Policy, order: bool
) -> None:
    """RFC 5652 5.4 has DER's order be signed; there are senders that write another, and that sign another."""
    attributes = sorted(required(), reverse=True)
    assert attributes != sorted(attributes)
    signature = signed_with(partner, attributes, order=order)
    assert open_message(message(*multipart_signed(PART, signature)), signed_only)[1] == PAYLOAD


@pytest.mark.parametrize(
    ("digest", "algorithm", "accepted"),
    [
        (der.sequence(SHA256, NULL), der.tlv(0xA1, RSA, NULL), True),
        (der.sequence(SHA256), der.tlv(0xA1, RSA), True),
        (der.sequence(SHA512, NULL), der.tlv(0xA1, RSA, NULL), False),
        (der.sequence(SHA256, NULL), der.tlv(0xA1, RSA_SHA256, NULL), False),
        (der.sequence(SHA256, NULL), der.tlv(0xA2, RSA, NULL), False),
        (der.sequence(SHA256, NULL), b"", False),
    ],
    ids=["the same", "without NULL", "another digest", "another algorithm", "a MAC", "no algorithm"],
)
def test_b02_an_attribute_that_protects_the_algorithms_is_taken_and_checked(
    partner: Company, signed_only: as2.Policy, digest: bytes, algorithm: bytes, accepted: bool
) -> None:
    """RFC 6211: what IBM's products and BouncyCastle add."""
    protection = attribute(PROTECTION, der.sequence(digest, algorithm))
    sent = message(*multipart_signed(PART, signed_with(partner, [*required(), protection], order=True)))
    if accepted:
        assert open_message(sent, signed_only)[1] == PAYLOAD
        return
    error = refusal(sent, signed_only)
    assert error.disposition.endswith("; processed/error: authentication-failed")
    twice = signed_with(partner, [*required(), protection, protection], order=True)
    assert refusal(message(*multipart_signed(PART, twice)), signed_only).disposition == error.disposition


@pytest.mark.external("openssl")
def test_indefinite_lengths_of_a_stream_are_read_at_every_layer(
    openssl: OpenSSL, us: Company, partner: Company, policy: as2.Policy
) -> None:
    content_type, body = multipart_signed(PART, openssl.sign(partner, PART, "-md", "sha256"))
    data = openssl.encrypt([us], entity(body, content_type), "aes-256-cbc", "-stream", "-indef")
    assert data[:2] == b"\x30\x80"
    assert open_message(message(PKCS7, data), policy)[1] == PAYLOAD


def test_a_key_block_that_lost_its_leading_zero_opens_the_message(us: Company) -> None:
    """One key block in 256 begins with a zero octet, which an integer does not need."""
    policy = as2.Policy((us.identity,), as2.Trust(), require_signed=False)
    while True:
        body = b"".join(cms.encrypt(iter([PART]), [us.certificate], "aes256-cbc"))
        version, recipients, content = der.parse(body).children[1].children[0].children
        fields = recipients.children[0].children
        if fields[3].content[:1] == b"\0":
            break
    short = der.sequence(
        *(field.encoded() for field in fields[:3]), der.tlv(der.OCTETS, fields[3].content[1:])
    )
    inner = der.sequence(version.encoded(), der.tlv(der.SET, short), content.encoded())
    sent = message(PKCS7, der.sequence(cms.ENVELOPED_DATA, der.tlv(0xA0, inner)))
    assert open_message(sent, policy)[1] == PAYLOAD


def test_a_certificate_is_not_looked_for_by_what_a_message_brings_along(
    partner: Company, stranger: Company
) -> None:
    """Two certificates of the same name and serial number: the key decides."""
    twin = company("Partner", serial=int.from_bytes(partner.certificate.serial, "big"))
    policy = as2.Policy((), as2.Trust((twin.certificate, partner.certificate)), require_encrypted=False)
    opened, _ = open_message(message(*multipart_signed(PART, signature_over(PART, partner))), policy)
    assert opened.signed_with == partner.certificate.fingerprint
