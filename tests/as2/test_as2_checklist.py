"""What RFC 4130 and the interoperability tests ask of headers, receipts and compression, row by row.

Each test's name begins with the row of the checklist that it proves.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zlib
from dataclasses import replace
from datetime import timedelta

import pytest
from as2_peer import (
    NOW,
    Company,
    OpenSSL,
    Sent,
    build,
    entity,
    message,
    multipart_signed,
    open_message,
    refusal,
)
from as2_receipts import (
    ORDER,
    PREFIX,
    SIGNED,
    answered,
    asking,
    by_hand,
    fields_of,
    judged,
    parts_of,
    report,
    seen_by_email,
    sent_by_us,
    text_of,
)
from asn1crypto import cms as asn1
from asn1crypto import core

from gateway import as2
from gateway.as2 import cms, deflate, der

PKCS7 = "application/pkcs7-mime"
OPEN = as2.Policy((), as2.Trust(), require_signed=False, require_encrypted=False)
DELIVERED, FAILED, INVALID = as2.ReceiptStatus.DELIVERED, as2.ReceiptStatus.FAILED, as2.ReceiptStatus.INVALID


@pytest.fixture
def signed_only(partner: Company) -> as2.Policy:
    return as2.Policy((), as2.Trust((partner.certificate,)), require_encrypted=False)


def signature_over(part: bytes, company: Company) -> bytes:
    return cms.sign(hashlib.sha256(part).digest(), company.identity, "sha256", NOW)


def header(sent: Sent | as2.BuiltReceipt, name: str) -> str:
    (value,) = [value for key, value in sent.headers if key == name]
    return value


# H: HTTP and headers


@pytest.mark.parametrize(
    "content_type",
    [
        "application/EDI-X12", "application/EDIFACT", "application/edi-consent", "application/XML",
        "APPLICATION/edi-x12; charset=us-ascii", "text/xml", "text/plain", "application/pdf", "image/tiff",
        "application/octet-stream", "x-unheard/of", "nonsense", "",
    ],
)  # fmt: skip
def test_h1_a_payload_of_any_type_is_taken(
    content_type: str, signed_only: as2.Policy, partner: Company
) -> None:
    opened, delivered = open_message(message(content_type, ORDER), OPEN)
    assert delivered == ORDER
    part = entity(ORDER, content_type)
    opened, delivered = open_message(
        message(*multipart_signed(part, signature_over(part, partner))), signed_only
    )
    assert (delivered, opened.content_type) == (ORDER, content_type or "text/plain")


@pytest.mark.parametrize("prefix", ["", "x-"])
def test_h1_both_names_of_the_cms_types_are_taken(prefix: str, us: Company, partner: Company) -> None:
    part = entity(ORDER)
    content_type, body = multipart_signed(part, signature_over(part, partner))
    body = body.replace(b"application/pkcs7-signature", f"application/{prefix}pkcs7-signature".encode())
    inner = entity(body, content_type.replace("/pkcs7", f"/{prefix}pkcs7"))
    data = b"".join(cms.encrypt(iter([inner]), [us.certificate], "aes256-cbc"))
    policy = as2.Policy((us.identity,), as2.Trust((partner.certificate,)))
    for kind in (
        f"application/{prefix}pkcs7-mime",
        f"Application/{prefix}PKCS7-MIME; smime-type=signed-data",
    ):
        assert open_message(message(kind, data), policy)[1] == ORDER


def test_h1_a_receipt_is_known_by_any_of_its_types(us: Company) -> None:
    signed = answered(asking(), as2.Outcome(as2.PROCESSED), us)
    unsigned = answered(asking(None), as2.Outcome(as2.PROCESSED), us)
    bare = [("Content-Type", "message/disposition-notification")]
    fields = b"Original-Message-ID: <1@sender>\r\nDisposition: a/b; processed\r\n"
    for pairs, body in (
        (signed.headers, signed.body),
        (unsigned.headers, unsigned.body),
        (bare, fields),
    ):
        claim = as2.read_claim(pairs, io.BytesIO(body))
        assert claim is not None
        assert claim.original_message_id == "<1@sender>"


@pytest.mark.parametrize("encoding", [None, "binary", "8bit", "7bit", "Binary", "base64"])
@pytest.mark.parametrize("where", ["in HTTP", "in the signed part", "around the encryption"])
def test_h2_an_absent_transfer_encoding_is_binary_and_any_is_taken_at_any_layer(
    us: Company, partner: Company, where: str, encoding: str | None
) -> None:
    content = bytes(range(256)) + b"\n"
    field = [] if encoding is None else [("Content-Transfer-Encoding", encoding)]
    line = f"Content-Transfer-Encoding: {encoding}\r\n".encode() if encoding else b""

    def encoded(data: bytes) -> bytes:
        return base64.encodebytes(data) if encoding == "base64" else data

    policy = as2.Policy((us.identity,), as2.Trust((partner.certificate,)), False, False)
    if where == "in HTTP":
        sent = message("application/EDI-X12", encoded(content), *field)
    elif where == "in the signed part":
        part = b"Content-Type: application/EDI-X12\r\n" + line + b"\r\n" + encoded(content)
        sent = message(*multipart_signed(part, signature_over(part, partner)))
    else:
        data = b"".join(cms.encrypt(iter([entity(content)]), [us.certificate], "aes256-cbc"))
        sent = message(PKCS7, encoded(data), *field)
    assert open_message(sent, policy)[1] == content


def test_h2_a_compressed_part_without_a_transfer_encoding_is_binary(us: Company, partner: Company) -> None:
    """What IBM sends."""
    packed = (
        b"Content-Type: application/pkcs7-mime; smime-type=compressed-data; name=smime.p7z\r\n\r\n"
        + b"".join(deflate.compress(iter([entity(ORDER)])))
    )
    policy = as2.Policy((us.identity,), as2.Trust((partner.certificate,)))
    content_type, body = multipart_signed(packed, signature_over(packed, partner))
    inner = f"Content-Type: {content_type}\r\n\r\n".encode() + body
    data = b"".join(cms.encrypt(iter([inner]), [us.certificate], "aes256-cbc"))
    opened, delivered = open_message(message(PKCS7, data), policy)
    assert (delivered, opened.compression) == (ORDER, "before-sign")
    assert opened.mic == base64.b64encode(hashlib.sha256(packed).digest()).decode()


def test_h3_our_multiparts_begin_and_end_with_their_boundary(us: Company, partner: Company) -> None:
    sent = build(ORDER, sign=as2.Signing(partner.identity))
    receipt = answered(asking(), as2.Outcome(as2.PROCESSED), us)
    for made in (sent, receipt):
        parts = parts_of(made.body, header(made, "Content-Type"))
        assert len(parts) == 2
    head, _, inner = parts[0].partition(b"\r\n\r\n")
    assert len(parts_of(inner, head.decode())) == 2


def test_h3_preamble_and_epilogue_of_others_are_tolerated(partner: Company, signed_only: as2.Policy) -> None:
    part = entity(ORDER)
    content_type, body = multipart_signed(part, signature_over(part, partner))
    for around in (body + b"\r\n", body + b"\r\n\r\nThis is S/MIME.\r\n", b"S/MIME:\r\n" + body, body[:-2]):
        assert open_message(message(content_type, around), signed_only)[1] == ORDER


@pytest.mark.parametrize(
    "message_id",
    [
        "<a@b>",
        "no-brackets",
        "<no-at>",
        "<" + "x" * 996 + ">",
        "<a@b>c",
        "<>",
        "<$%&'*+-/=?^_`{|}~@b>",
        "x" * 300,
    ],
)
def test_h5_a_message_id_is_taken_as_it_is_and_comes_back_byte_for_byte(us: Company, message_id: str) -> None:
    asked = asking(Message_ID=message_id)
    assert asked.failure is None
    receipt = answered(asked, as2.Outcome(as2.PROCESSED), us)
    assert f"\r\nOriginal-Message-ID: {message_id}\r\n".encode() in receipt.body
    assert fields_of(receipt)["Original-Message-ID"] == message_id


def test_h5_a_message_id_beyond_998_characters_is_refused() -> None:
    with pytest.raises(as2.As2Refused) as caught:
        asking(Message_ID="x" * 999)
    assert caught.value.status == 400


NAMES = [
    ("a b c !", '"a b c !"'), (",", ","), ("#", "#"), ("<x>", "<x>"), ("[ t ]", '"[ t ]"'), ("x;", "x;"),
    ('a"b', r'"a\"b"'), ("a\\b", r'"a\\b"'), ("A" * 128, "A" * 128), ("'", "'"),
    ("=?utf-8?q?a?=", "=?utf-8?q?a?="),
    ("(c)", "(c)"), (":", ":"), ("%0d%0a", "%0d%0a"), ("a@b", "a@b"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "written"), NAMES, ids=[name for name, _ in NAMES])
def test_h6_any_printable_name_goes_out_quoted_only_if_it_must_and_comes_back_swapped(
    us: Company, name: str, written: str
) -> None:
    sent = build(ORDER, as2_from=name, as2_to="to " + name[:100], receipt=as2.ReceiptRequest())
    assert header(sent, "AS2-From") == written
    request = as2.parse_request_headers(sent.headers)
    assert (request.as2_from, request.as2_to) == (name, "to " + name[:100])
    receipt = answered(request, as2.Outcome(as2.PROCESSED), us)
    assert header(receipt, "AS2-To") == written
    back = as2.parse_request_headers(receipt.headers)
    assert (back.as2_from, back.as2_to) == (request.as2_to, request.as2_from)


def test_h6_names_count_their_case_and_quotes_do_not_count() -> None:
    assert asking(AS2_From='"SENDER"').as2_from == asking().as2_from
    assert asking(AS2_From="Sender").as2_from != asking().as2_from
    assert asking(AS2_From="  SENDER \t").as2_from == "SENDER"


@pytest.mark.parametrize("version", [None, "1.0", "1.1", "1.2", "1.3", "1.9", "2.0"])
def test_h7_any_version_is_compatible_and_none_is_the_first(us: Company, version: str | None) -> None:
    changes = {"AS2_Version": version} if version else {}
    request = asking(**changes)
    assert request.version == (version or "1.0")
    assert request.failure is None
    data = b"".join(deflate.compress(iter([entity(ORDER)])))
    sent = message(PKCS7, data)
    sent.headers = [pair for pair in sent.headers if pair[0] != "AS2-Version"]
    sent.headers += [("AS2-Version", version)] if version else []
    assert open_message(sent, OPEN)[1] == ORDER
    assert float(header(build(ORDER, compress="before-sign"), "AS2-Version")) >= 1.1


@pytest.mark.parametrize(
    "notify", ["edi@sender", "http://x/", "no address at all", "<>", "ä".encode().decode("latin-1")]
)
def test_h12_to_name_anyone_to_notify_asks_for_a_receipt_and_the_name_does_not_matter(notify: str) -> None:
    asked = asking(Disposition_Notification_To=notify)
    assert asked.receipt is not None
    assert asked.failure is None
    plain = [
        ("AS2-From", "A"),
        ("AS2-To", "B"),
        ("Message-ID", "<1>"),
        ("Disposition-Notification-Options", SIGNED),
    ]
    assert as2.parse_request_headers(plain).receipt is None


@pytest.mark.parametrize(
    "url",
    [
        "https://partner.example/mdn",
        "https://partner.example/mdn?to=us&id=%20" + "y" * 400,
        "HTTP://PARTNER.example:4080",
    ],
)
def test_h13_a_url_for_the_receipt_makes_it_asynchronous(url: str) -> None:
    asked = asking(Receipt_Delivery_Option=url)
    assert asked.receipt is not None
    assert asked.receipt.async_url == url
    synchronous = asking()
    assert synchronous.receipt is not None
    assert synchronous.receipt.async_url is None


# M: receipts


@pytest.mark.external("openssl")
def test_m1_a_receipt_is_a_signed_report_whose_signature_is_the_second_part(
    openssl: OpenSSL, us: Company
) -> None:
    receipt = answered(asking(), as2.Outcome(as2.PROCESSED, "bWlj", "sha256"), us)
    content_type = header(receipt, "Content-Type")
    assert content_type.startswith(
        'multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; '
    )
    part, signature = parts_of(receipt.body, content_type)
    assert part.startswith(b"Content-Type: multipart/report; report-type=disposition-notification; boundary=")
    head, _, text = signature.partition(b"\r\n\r\n")
    assert b"application/pkcs7-signature" in head
    assert openssl.verify(us, part, base64.b64decode(text)) == part
    kinds = [inner.get_content_type() for inner in seen_by_email(receipt).walk()]
    assert kinds[:5] == [
        "multipart/signed", "multipart/report", "text/plain", "message/disposition-notification",
        "text/plain",
    ]  # fmt: skip


@pytest.mark.parametrize("failure", list(as2.Failure))
def test_m2_a_receipt_that_tells_an_error_is_signed_all_the_same(us: Company, failure: as2.Failure) -> None:
    receipt = answered(asking(), as2.Outcome(failure.disposition), us)
    assert header(receipt, "Content-Type").startswith("multipart/signed; ")
    assert fields_of(receipt)["Disposition"] == failure.disposition


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (SIGNED.replace("optional, pkcs7-signature", "required, pgp"), "unsupported format"),
        (SIGNED.replace("pkcs7-signature", "pgp-signature"), "unsupported format"),
        (SIGNED.replace("sha-256", "md5"), "unsupported MIC-algorithms"),
        (SIGNED.replace("optional, sha-256", "required, md2, crc32"), "unsupported MIC-algorithms"),
    ],
)  # fmt: skip
def test_m3_a_receipt_that_cannot_be_given_as_asked_is_told_in_one(
    us: Company, options: str, words: str
) -> None:
    asked = asking(options)
    assert asked.failure is not None
    fields = fields_of(answered(asked, as2.Outcome(asked.failure.disposition), us))
    assert fields["Disposition"] == f"{PREFIX}failed/failure: {words}"
    assert fields["Failure"] == words
    assert "Received-Content-MIC" not in fields


@pytest.mark.parametrize(
    ("options", "signed"),
    [
        (SIGNED, True),
        ("signed-receipt-protocol=optional, pkcs7-signature", False),
        ("signed-receipt-micalg=optional, sha-256", False),
        (None, False),
    ],
)
def test_m4_a_signature_is_asked_for_by_protocol_and_digests_together(
    us: Company, options: str | None, signed: bool
) -> None:
    receipt = answered(asking(options), as2.Outcome(as2.PROCESSED), us)
    assert header(receipt, "Content-Type").startswith("multipart/signed" if signed else "multipart/report")


@pytest.mark.parametrize(
    ("listed", "first"),
    [
        ("sha1, sha-256", "sha1"),
        ("sha-512, sha1", "sha512"),
        ("md5, SHA-384", "sha384"),
        ("RSA-SHA1,md5", "sha1"),
    ],
)
def test_m4_the_first_digest_of_the_list_that_is_known_is_used(listed: str, first: str) -> None:
    sent = message(
        "application/EDI-X12", ORDER, ("Disposition-Notification-Options", SIGNED.replace("sha-256", listed))
    )
    assert open_message(sent, OPEN)[0].mic_algorithm == first


@pytest.mark.parametrize(
    "mic",
    ["{0}, sha-256", "{0},sha-256", "{0} ,\tSHA256", "{0}, SHA-256", "{0}, rsa-sha256", '{0}, "sha-256"',
     "{1}, sha1", "{1}, SHA-1", "{1}, sha", "{1},RSA-SHA1", " {1} ,sha_1"],
)  # fmt: skip
def test_m5_a_mic_is_read_in_every_spelling(partner: Company, mic: str) -> None:
    sent, expected = sent_by_us(partner)
    text = report(sent, Received_Content_MIC=mic.format(sent.mics["sha256"], sent.mics["sha1"]))
    assert judged(by_hand(text, partner), expected).status is DELIVERED


def test_m7_what_must_stand_in_a_receipt_stands_there(us: Company) -> None:
    fields = fields_of(answered(asking(AS2_To='"a b"'), as2.Outcome(as2.PROCESSED, "bWlj", "sha256"), us))
    assert fields == {
        "Reporting-UA": "Tradelane",
        "Original-Recipient": 'rfc822; "a b"',
        "Final-Recipient": 'rfc822; "a b"',
        "Original-Message-ID": "<1@sender>",
        "Disposition": PREFIX + "processed",
        "Received-Content-MIC": "bWlj, sha-256",
    }


@pytest.mark.parametrize("absent", ["Original_Recipient", "Final_Recipient", "Reporting_UA"])
def test_m7_a_receipt_may_lack_recipients_and_a_message_id(partner: Company, absent: str) -> None:
    sent, expected = sent_by_us(partner)
    receipt = by_hand(report(sent, **{absent: None}), partner)
    assert not any(name.lower() == "message-id" for name, _ in receipt.headers)
    assert judged(receipt, expected).status is DELIVERED
    posted = as2.parse_request_headers(receipt.headers)
    assert (posted.message_id, posted.as2_from) == ("", "RECEIVER")
    assert as2.read_claim(receipt.headers, io.BytesIO(receipt.body)) == as2.Claim("<1@sender>", True)


def test_m7_a_message_may_not_lack_its_message_id() -> None:
    for content_type, more in (
        ("application/EDI-X12", []),
        (PKCS7, []),
        ("multipart/signed; boundary=a", [("Disposition-Notification-To", "a@b")]),
    ):
        headers = [("AS2-From", "A"), ("AS2-To", "B"), ("Content-Type", content_type), *more]
        with pytest.raises(as2.As2Refused) as caught:
            as2.parse_request_headers(headers)
        assert caught.value.status == 400


@pytest.mark.parametrize(
    "layout",
    [
        "original-message-id:<1@sender>\r\ndisposition:automatic-action/mdn-sent-automatically;processed\r\n{mic}",
        "ORIGINAL-MESSAGE-ID :\t<1@sender>\r\n"
        "DISPOSITION :\tAutomatic-Action / MDN-Sent-Automatically ;\tProcessed\r\n{mic}",
        "Original-Message-ID:\r\n <1@sender>\r\n"
        "Disposition:\r\n automatic-action/MDN-sent-automatically;\r\n\tprocessed\r\n{mic}",
        "{mic}\r\nDisposition: automatic-action/MDN-sent-automatically  ;  processed  \r\n"
        "Original-Message-ID:   <1@sender>  ",
        "Original-Message-ID: <1@sender>\nDisposition: manual-action/MDN-sent-manually; processed\n{mic}",
    ],
)  # fmt: skip
def test_m8_case_and_white_space_do_not_matter(partner: Company, layout: str) -> None:
    sent, expected = sent_by_us(partner)
    text = layout.format(mic=f"received-content-mic:{sent.mics['sha256']},sha256")
    judgement = judged(by_hand(text, partner), expected)
    assert judgement.status is DELIVERED, judgement.error


def test_m9_the_text_for_people_names_the_message(us: Company) -> None:
    text = text_of(answered(asking(Subject="Order 7", AS2_From='"a b"'), as2.Outcome(as2.PROCESSED), us))
    for words in (
        "The message below was received, verified and stored.",
        'From: "a b"', "To: RECEIVER", "Message-ID: <1@sender>", "Subject: Order 7",
        "Received: Wed, 04 Mar 2026 05:06:07 GMT",
    ):  # fmt: skip
        assert words in text.splitlines()
    receipt = answered(asking(None), as2.Outcome(as2.PROCESSED), us)
    assert len(list(seen_by_email(receipt).iter_parts())) == 2


def test_m10_failed_is_for_what_is_asked_of_the_receipt_and_processed_for_the_rest() -> None:
    failed = {failure for failure in as2.Failure if "; failed/" in failure.disposition}
    assert failed == {
        as2.Failure.RECEIPT_FORMAT, as2.Failure.RECEIPT_MICALG, as2.Failure.SENDER_EQUALS_RECEIVER,
    }  # fmt: skip
    for failure in set(as2.Failure) - failed:
        assert failure.disposition.startswith(PREFIX + "processed/error: ")


@pytest.mark.parametrize(
    ("disposition", "status", "detail"),
    [
        ("processed", DELIVERED, None),
        ("processed/warning: duplicate-document", DELIVERED, None),
        ("processed/Warning: authentication-failed, processing continued", DELIVERED, None),
        ("processed/error: authentication-failed", FAILED, "authentication-failed"),
        ("processed/error: decompression-failed", FAILED, "decompression-failed"),
        ("processed/Error: unexpected-processing-error", FAILED, "unexpected-processing-error"),
        ("failed/failure: sender-equals-receiver", FAILED, "sender-equals-receiver"),
        ("failed/Failure: unsupported format", FAILED, "unsupported format"),
        ("processed/error\r\nError: authentication-failed", FAILED, "authentication-failed"),
        ("failed\r\nFailure: unsupported MIC-algorithms", FAILED, "unsupported MIC-algorithms"),
        ("failed/failure\r\nFailure: x\r\nFailure: y", FAILED, "x, y"),
        # Wrong, and in the field.
        ("error: authentication-failed", FAILED, "authentication-failed"),
        ("processed/error: error: decryption-failed", FAILED, "error: decryption-failed"),
        ("processed/error/error: decryption-failed", FAILED, "decryption-failed"),
        # Types of mail.
        ("displayed", FAILED, "displayed"),
        ("deleted", FAILED, "deleted"),
        ("dispatched", FAILED, "dispatched"),
    ],
)
def test_m11_dispositions_are_read_in_their_historic_and_wrong_forms(
    partner: Company, disposition: str, status: as2.ReceiptStatus, detail: str | None
) -> None:
    sent, expected = sent_by_us(partner)
    judgement = judged(by_hand(report(sent, PREFIX + disposition), partner), expected)
    assert (judgement.status, judgement.error) == (status, detail)


@pytest.mark.parametrize(
    ("importance", "failed"), [("required", True), ("Required", True), ("optional", False)]
)
def test_m12_an_unknown_parameter_is_a_failure_only_if_it_is_required(
    us: Company, importance: str, failed: bool
) -> None:
    asked = asking(f"{SIGNED}; moon-phase={importance}, full")
    assert (asked.failure is as2.Failure.RECEIPT_FORMAT) == failed
    if asked.failure:
        fields = fields_of(answered(asked, as2.Outcome(asked.failure.disposition), us))
        assert (fields["Disposition"], fields["Failure"]) == (
            PREFIX + "failed/failure: unsupported format",
            "unsupported format",
        )


def test_m13_delivered_takes_signature_message_id_and_mic_together(
    partner: Company, stranger: Company
) -> None:
    sent, expected = sent_by_us(partner)
    assert judged(by_hand(report(sent), partner), expected) == as2.Receipt(
        DELIVERED, PREFIX + "processed", "<1@sender>", partner.certificate.fingerprint, True, None, "thanks"
    )
    for what in (
        by_hand(report(sent), stranger),
        by_hand(report(sent, Original_Message_ID="<2@sender>"), partner),
        by_hand(report(sent, Original_Message_ID=None), partner),
        by_hand(report(sent, Received_Content_MIC=f"{sent.mics['sha512']}, sha-256"), partner),
        by_hand(report(sent, Received_Content_MIC=None), partner),
    ):
        assert judged(what, expected).status is INVALID


def test_b10_an_old_receipt_proves_nothing_of_another_message_and_a_mic_makes_no_refusal_a_delivery(
    partner: Company,
) -> None:
    sent, expected = sent_by_us(partner)
    old = by_hand(report(sent), partner)
    assert judged(old, expected).status is DELIVERED
    assert judged(old, replace(expected, message_id="<2@sender>")).status is INVALID
    for mic in (f"{sent.mics['sha256']}, sha-256", f"{sent.mics['sha512']}, sha-256", "garbage"):
        refused = report(
            sent, PREFIX + "processed/error: unexpected-processing-error", Received_Content_MIC=mic
        )
        assert judged(by_hand(refused, partner), expected).status is FAILED
    later = as2.parse_receipt(old.headers, old.body, expected=expected, now=NOW + timedelta(days=400))
    assert later.status is INVALID


# C: compression


@pytest.mark.parametrize("compress", ["before-sign", "after-sign"])
def test_c1_the_content_is_compressed_once_and_named_as_such(
    us: Company, partner: Company, compress: as2.Compression
) -> None:
    sent = build(ORDER, sign=as2.Signing(partner.identity), compress=compress, receipt=as2.ReceiptRequest())
    body = sent.body
    if compress == "after-sign":
        assert (
            header(sent, "Content-Type")
            == 'application/pkcs7-mime; smime-type=compressed-data; name="smime.p7z"'
        )
    else:
        part, _ = parts_of(body, header(sent, "Content-Type"))
        head, _, body = part.partition(b"\r\n\r\n")
        assert b'smime-type=compressed-data; name="smime.p7z"' in head
    inside = asn1.ContentInfo.load(body)
    assert inside["content_type"].native == "compressed_data"
    packed = inside["content"]
    assert packed["compression_algorithm"]["algorithm"].native == "zlib"
    plain = zlib.decompress(packed["encap_content_info"]["content"].native)
    assert plain.startswith(
        b"Content-Type: multipart/signed" if compress == "after-sign" else b"Content-Type: application/"
    )
    assert plain.count(b"compressed-data") == 0
    assert float(header(sent, "AS2-Version")) >= 1.1


@pytest.mark.parametrize("orders", ["before", "after"])
def test_c1_either_order_is_received_and_both_at_once_are_refused(
    orders: str, partner: Company, signed_only: as2.Policy
) -> None:
    def packed(whole: bytes) -> bytes:
        return entity(b"".join(deflate.compress(iter([whole]))), f"{PKCS7}; smime-type=compressed-data")

    def signed(whole: bytes) -> bytes:
        content_type, body = multipart_signed(whole, signature_over(whole, partner))
        return f"Content-Type: {content_type}\r\n\r\n".encode() + body

    def post(whole: bytes) -> Sent:
        head, _, body = whole.partition(b"\r\n\r\n")
        return message(head.decode().split("\r\n")[0].removeprefix("Content-Type: "), body)

    once = signed(packed(entity(ORDER))) if orders == "before" else packed(signed(entity(ORDER)))
    opened, delivered = open_message(post(once), signed_only)
    assert (delivered, opened.compression) == (ORDER, f"{orders}-sign")
    twice = refusal(post(packed(signed(packed(entity(ORDER))))), signed_only)
    assert twice.disposition == PREFIX + "processed/error: decompression-failed"


def indefinite(value: core.Asn1Value, data: bytes) -> bytes:
    """CompressedData in indefinite lengths, its content in segments of 1000 bytes."""
    segments = b"".join(der.tlv(der.OCTETS, data[at : at + 1000]) for at in range(0, len(data), 1000))
    algorithm = der.sequence(der.oid("1.2.840.113549.1.9.16.3.8"))
    return (
        b"\x30\x80" + value.dump() + b"\xa0\x80\x30\x80" + der.integer(0) + algorithm
        + b"\x30\x80" + cms.DATA + b"\xa0\x80\x24\x80" + segments + b"\0\0" * 6
    )  # fmt: skip


def test_c2_indefinite_lengths_are_read_and_inflation_has_its_limits() -> None:
    kind = core.ObjectIdentifier("1.2.840.113549.1.9.16.1.9")
    payload = bytes(range(256)) * 100
    body = indefinite(kind, zlib.compress(entity(payload), 0))
    assert open_message(message(PKCS7, body), OPEN)[1] == payload
    for limit in (deflate.InflateLimit(size=1000), deflate.InflateLimit(ratio=1, free=0)):
        packed = b"".join(deflate.compress(iter([entity(bytes(100_000))])))
        error = refusal(message(PKCS7, packed), replace(OPEN, inflate=limit))
        assert error.disposition == PREFIX + "processed/error: decompression-failed"
        assert error.reason == "DECOMPRESS_LIMIT"
