"""Receipts: what we answer, and which answers we believe."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email import policy as email_policy
from email.message import EmailMessage

import pytest
from as2_peer import NOW, Company, OpenSSL, Sent, build, multipart_signed, open_message
from as2_receipts import by_hand
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import as2
from gateway.as2 import cms, mime

ORDER = b"ISA*00~ST*850*0001~SE*2*0001~"
PREFIX = "automatic-action/MDN-sent-automatically; "
SIGNED = "signed-receipt-protocol=optional, pkcs7-signature; signed-receipt-micalg=optional, sha-256"


def request(*, signed: bool = True, micalgs: str | None = None, **changes: str) -> as2.Request:
    """The headers of a message that asks for a receipt; `_` stands for `-`."""
    headers = {
        "AS2-From": "SENDER",
        "AS2-To": "RECEIVER",
        "Message-ID": "<1@sender>",
        "Content-Type": "application/EDI-X12",
        "Disposition-Notification-To": "edi@sender",
    }
    if signed:
        headers["Disposition-Notification-Options"] = SIGNED.replace("sha-256", micalgs or "sha-256")
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    return as2.parse_request_headers(list(headers.items()))


def answer(
    asked: as2.Request, outcome: as2.Outcome, company: Company | None, **options: object
) -> as2.BuiltReceipt:
    signing = as2.Signing(company.identity) if company else None
    return as2.build_receipt(asked, outcome, signing=signing, message_id="<r1@receiver>", now=NOW)


def seen_by_email(receipt: as2.BuiltReceipt) -> EmailMessage:
    """The whole receipt, read by a parser that is not ours."""
    head = "".join(f"{name}: {value}\r\n" for name, value in receipt.headers)
    parsed = message_from_bytes(head.encode() + b"\r\n" + receipt.body, policy=email_policy.HTTP)
    assert isinstance(parsed, EmailMessage)
    return parsed


def report_fields(receipt: as2.BuiltReceipt) -> list[tuple[str, str]]:
    """The notification's fields, read by a parser that is not ours."""
    kind = "message/disposition-notification"
    (part,) = [part for part in seen_by_email(receipt).walk() if part.get_content_type() == kind]
    (fields,) = part.get_payload()
    return [(name, str(value)) for name, value in fields.items()]


# Out


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (None, "processed"),
        (as2.Failure.DECRYPTION, "processed/error: decryption-failed"),
        (as2.Failure.AUTHENTICATION, "processed/error: authentication-failed"),
        (as2.Failure.INTEGRITY, "processed/error: integrity-check-failed"),
        (as2.Failure.DECOMPRESSION, "processed/error: decompression-failed"),
        (as2.Failure.TOO_WEAK, "processed/error: insufficient-message-security"),
        (as2.Failure.MALFORMED, "processed/error: unexpected-processing-error"),
        (as2.Failure.TOO_LARGE, "processed/error: unexpected-processing-error"),
        (as2.Failure.DIFFERENT_CONTENT, "processed/error: unexpected-processing-error"),
        (as2.Failure.FILENAME_DUPLICATE, "processed/error: duplicate-filename"),
        (as2.Failure.FILENAME_ILLEGAL, "processed/error: illegal-filename"),
        (as2.Failure.MESSAGE_ID, "processed/error: invalid-message-id"),
        (as2.Failure.UNKNOWN_PARTNER, "processed/error: unknown-trading-relationship"),
        (as2.Failure.RECEIPT_FORMAT, "failed/failure: unsupported format"),
        (as2.Failure.RECEIPT_MICALG, "failed/failure: unsupported MIC-algorithms"),
        (as2.Failure.SENDER_EQUALS_RECEIVER, "failed/failure: sender-equals-receiver"),
    ],
)
def test_every_disposition_is_the_standards_string(
    us: Company, failure: as2.Failure | None, words: str
) -> None:
    outcome = as2.Outcome(failure.disposition if failure else as2.PROCESSED)
    assert outcome.disposition == PREFIX + words
    fields = report_fields(answer(request(), outcome, us))
    assert ("Disposition", PREFIX + words) in fields
    assert not any(name == "Received-Content-MIC" for name, _ in fields)
    assert ("Failure" in dict(fields)) == words.startswith("failed")


def test_the_other_dispositions_are_the_standards_strings() -> None:
    assert as2.DUPLICATE == PREFIX + "processed/warning: duplicate-document"
    assert as2.UNAUTHENTICATED == PREFIX + "processed/warning: authentication-failed, processing continued"


def test_a_receipt_swaps_the_names_and_echoes_the_message_id(us: Company) -> None:
    asked = request(AS2_From='"a b"', AS2_To="[t]", Message_ID="no brackets".replace(" ", "-"))
    receipt = answer(asked, as2.Outcome(as2.PROCESSED, "bWlj", "sha256"), us)
    headers = dict(receipt.headers)
    assert (headers["AS2-From"], headers["AS2-To"]) == ("[t]", '"a b"')
    assert headers["Message-ID"] == "<r1@receiver>"
    assert headers["Content-Length"] == str(len(receipt.body))
    fields = dict(report_fields(receipt))
    assert fields["Original-Message-ID"] == "no-brackets"
    assert fields["Final-Recipient"] == "rfc822; [t]"
    assert fields["Received-Content-MIC"] == "bWlj, sha-256"


@pytest.mark.parametrize(
    ("asked", "digest", "spelled"),
    [("SHA256", "sha256", "SHA256"), ("sha1, sha-512", "sha512", "sha-512"), ("sha1", "sha384", "sha-384")],
)
def test_the_digest_is_spelled_as_the_partner_spells_it(
    us: Company, asked: str, digest: str, spelled: str
) -> None:
    receipt = answer(request(micalgs=asked), as2.Outcome(as2.PROCESSED, "bWlj", digest), us)
    assert dict(report_fields(receipt))["Received-Content-MIC"] == f"bWlj, {spelled}"


def signed_report(receipt: as2.BuiltReceipt) -> tuple[bytes, bytes]:
    """The signed bytes and the signature, cut out without our code."""
    content_type = dict(receipt.headers)["Content-Type"]
    boundary = re.search(r'boundary="([^"]+)"', content_type)
    assert boundary is not None
    _, part, signature, _ = receipt.body.split(b"--" + boundary[1].encode())
    return part[2:-2], base64.b64decode(signature.split(b"\r\n\r\n", 1)[1])


@pytest.mark.external("openssl")
@pytest.mark.parametrize("micalgs", ["sha-256", "sha384", "SHA-512", "sha1", "md5, sha512"])
@pytest.mark.parametrize("failure", [None, as2.Failure.DECRYPTION])
def test_openssl_verifies_our_signed_receipts_positive_or_not(
    openssl: OpenSSL, us: Company, micalgs: str, failure: as2.Failure | None
) -> None:
    outcome = as2.Outcome(failure.disposition if failure else as2.PROCESSED)
    receipt = answer(request(micalgs=micalgs), outcome, us)
    assert dict(receipt.headers)["Content-Type"].startswith("multipart/signed; ")
    part, signature = signed_report(receipt)
    assert openssl.verify(us, part, signature) == part
    assert part.startswith(b"Content-Type: multipart/report; report-type=disposition-notification; boundary=")
    # B11: what we sign always carries signed attributes, and never uses SHA-1.
    (signer,) = cms.read_signature(signature)
    assert signer.digest == {"sha384": "sha384", "SHA-512": "sha512", "md5, sha512": "sha512"}.get(
        micalgs, "sha256"
    )


def test_a_receipt_is_unsigned_where_that_was_asked_or_nobody_is_known(us: Company) -> None:
    for receipt in (
        answer(request(signed=False), as2.Outcome(as2.PROCESSED), us),
        answer(request(), as2.Outcome(as2.Failure.UNKNOWN_PARTNER.disposition), None),
    ):
        assert dict(receipt.headers)["Content-Type"].startswith("multipart/report; ")


def test_a_receipt_nobody_asked_for_is_not_made(us: Company) -> None:
    plain = as2.parse_request_headers([("AS2-From", "a"), ("AS2-To", "b"), ("Message-ID", "<1>")])
    with pytest.raises(ValueError, match="no receipt"):
        answer(plain, as2.Outcome(as2.PROCESSED), us)


def test_receipts_of_hidden_failures_differ_in_random_boundaries_alone(us: Company) -> None:
    errors = [
        as2.As2Error(failure, f"cause {failure}").masked()
        for failure in (as2.Failure.AUTHENTICATION, as2.Failure.INTEGRITY, as2.Failure.DECRYPTION)
    ]
    bodies = set()
    for error in errors:
        receipt = answer(request(), as2.Outcome(error.disposition), us)
        part = signed_report(receipt)[0]
        bodies.add(re.sub(rb"report-[0-9a-f]{32}", b"report", part))
    assert len(bodies) == 1
    assert b"cause" not in bodies.pop()


HEADER_TEXT = st.text(st.characters(max_codepoint=255), max_size=60) | st.sampled_from(
    ['"a\\"b"', "%0d%0a", "=?utf-8?q?=0d=0aX:=20y?=", "a\r\nX: y", "a\n\nb", "\x0bX: y", "\x85X: y",
     "a\x00b", '"\\', "x" * 500]
)  # fmt: skip


@given(sender=HEADER_TEXT, receiver=HEADER_TEXT, message_id=HEADER_TEXT, subject=HEADER_TEXT)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_request_header_adds_a_header_to_the_receipt(
    *, us: Company, sender: str, receiver: str, message_id: str, subject: str
) -> None:
    try:
        asked = request(
            signed=False, AS2_From=sender, AS2_To=receiver, Message_ID=message_id, Subject=subject,
            Content_Disposition=f"attachment; filename={subject}",
        )  # fmt: skip
    except as2.As2Refused:
        return
    outcome = as2.Outcome((asked.failure or as2.Failure.MALFORMED).disposition)
    receipt = answer(asked, outcome, us)
    seen = seen_by_email(receipt)
    assert [name for name, _ in seen.items()] == [
        "AS2-Version", "AS2-From", "AS2-To", "Message-ID", "Date", "MIME-Version", "Content-Type",
        "Content-Length",
    ]  # fmt: skip
    text, _ = seen.iter_parts()
    assert [name for name, _ in text.items()] == ["Content-Type", "Content-Transfer-Encoding"]
    names = [name for name, _ in report_fields(receipt)]
    expected = ["Reporting-UA", "Original-Recipient", "Final-Recipient", "Original-Message-ID", "Disposition"]
    assert names == expected + (["Failure"] if "failed/" in outcome.disposition else [])
    assert as2.parse_request_headers([*receipt.headers]).as2_to == asked.as2_from


# In


def sent_message(partner: Company) -> tuple[Sent, as2.Expected]:
    """A message of ours, and the receipt we expect for it from `partner`."""
    sent = build(ORDER, receipt=as2.ReceiptRequest())
    expected = as2.Expected("<1@sender>", "SENDER", "RECEIVER", sent.mics, as2.Trust((partner.certificate,)))
    return sent, expected


def judge(receipt: as2.BuiltReceipt, expected: as2.Expected) -> as2.Receipt:
    return as2.parse_receipt(receipt.headers, receipt.body, expected=expected, now=NOW)


def good_receipt(sent: Sent, partner: Company, **changes: str) -> as2.BuiltReceipt:
    asked = request(**changes)
    return answer(asked, as2.Outcome(as2.PROCESSED, sent.mics["sha256"], "sha256"), partner)


@pytest.mark.parametrize("digest", cms.DIGESTS)
def test_a_signed_receipt_with_our_mic_under_any_digest_proves_delivery(
    partner: Company, digest: str
) -> None:
    sent, expected = sent_message(partner)
    asked = request(micalgs="sha1, sha256, sha384, sha512")
    receipt = judge(answer(asked, as2.Outcome(as2.PROCESSED, sent.mics[digest], digest), partner), expected)
    assert receipt.status is as2.ReceiptStatus.DELIVERED
    assert (receipt.mic_match, receipt.signed_with) == (True, partner.certificate.fingerprint)
    assert receipt.disposition == as2.PROCESSED
    assert receipt.original_message_id == "<1@sender>"
    assert receipt.error is None
    assert receipt.text.startswith("The message below was received, verified and stored.")


def test_the_receipt_of_an_opened_message_proves_delivery_to_its_sender(
    us: Company, partner: Company, policy: as2.Policy
) -> None:
    sent = build(
        ORDER, sign=as2.Signing(partner.identity, "sha384"), encrypt=as2.Encryption((us.certificate,)),
        receipt=as2.ReceiptRequest(micalgs=("sha384",)),
    )  # fmt: skip
    opened, _ = open_message(sent, policy)
    receipt = answer(as2.parse_request_headers(sent.headers), as2.Outcome.accepted(opened), us)
    expected = as2.Expected("<1@sender>", "SENDER", "RECEIVER", sent.mics, as2.Trust((us.certificate,)))
    assert judge(receipt, expected).status is as2.ReceiptStatus.DELIVERED


def test_b10_forged_receipts_prove_nothing(partner: Company, stranger: Company) -> None:
    """B10: none of these makes a message delivered, or failed."""
    sent, expected = sent_message(partner)
    good = good_receipt(sent, partner)
    assert judge(good, expected).status is as2.ReceiptStatus.DELIVERED
    processed = as2.Outcome(as2.PROCESSED, sent.mics["sha256"], "sha256")
    failed = as2.Outcome(as2.Failure.AUTHENTICATION.disposition)
    flipped = base64.b64encode(hashlib.sha256(b"x").digest()).decode()

    def with_headers(**changes: str) -> as2.BuiltReceipt:
        headers = dict(good.headers) | {name.replace("_", "-"): value for name, value in changes.items()}
        return as2.BuiltReceipt(list(headers.items()), good.body)

    forged = {
        "unsigned": answer(request(), processed, None),
        "unsigned refusal": answer(request(), failed, None),
        "another signer": answer(request(), processed, stranger),
        "a refusal by another signer": answer(request(), failed, stranger),
        "another message": good_receipt(sent, partner, Message_ID="<2@sender>"),
        "another case": good_receipt(sent, partner, Message_ID="<1@SENDER>"),
        "no MIC": answer(request(), as2.Outcome(as2.PROCESSED), partner),
        "another MIC": answer(request(), as2.Outcome(as2.PROCESSED, flipped, "sha256"), partner),
        "another digest's name": answer(
            request(), as2.Outcome(as2.PROCESSED, sent.mics["sha256"], "sha512"), partner
        ),
        "another sender": with_headers(AS2_From="OTHER"),
        "another receiver": with_headers(AS2_To="OTHER"),
        "names not swapped": with_headers(AS2_From="SENDER", AS2_To="RECEIVER"),
        "processed and garbage": answer(
            request(), replace(processed, disposition=PREFIX + "processed garbage"), partner
        ),
        "processed and a slash": answer(
            request(), replace(processed, disposition=PREFIX + "processed/"), partner
        ),
        "processed and nonsense": answer(
            request(), replace(processed, disposition=PREFIX + "processed/garbage: x"), partner
        ),
        "no type": answer(request(), replace(processed, disposition=PREFIX), partner),
        "no mode": answer(request(), replace(processed, disposition="processed"), partner),
        "changed after signing": as2.BuiltReceipt(
            good.headers, good.body.replace(b"Original-Recipient: rfc822;", b"Original-Recipient: rfc823;")
        ),
        "a second disposition": as2.BuiltReceipt(
            good.headers, good.body.replace(b"Disposition: ", b"Disposition: x\r\nDisposition: ", 1)
        ),
        "not a receipt": as2.BuiltReceipt([*good.headers[:4], ("Content-Type", "text/html")], b"<html>ok"),
        "empty": as2.BuiltReceipt([], b""),
        "too large": as2.BuiltReceipt(good.headers, good.body + bytes(2 * 1024**2)),
    }
    for name, receipt in forged.items():
        judged = judge(receipt, expected)
        assert (name, judged.status) == (name, as2.ReceiptStatus.INVALID)
        assert judged.error
    expired = as2.parse_receipt(good.headers, good.body, expected=expected, now=NOW + timedelta(days=400))
    assert expired.status is as2.ReceiptStatus.INVALID


DELIVERED, FAILED, INVALID = as2.ReceiptStatus.DELIVERED, as2.ReceiptStatus.FAILED, as2.ReceiptStatus.INVALID


@pytest.mark.parametrize(
    ("disposition", "status", "error"),
    [
        (PREFIX + "processed", DELIVERED, None),
        ("automatic-action / MDN-sent-automatically ;Processed ", DELIVERED, None),
        ("AUTOMATIC-ACTION/mdn-sent-automatically;\tPROCESSED", DELIVERED, None),
        ("automatic-action/MDN-sent-automatically;\r\n processed", DELIVERED, None),
        ("manual-action/MDN-sent-manually; processed", DELIVERED, None),
        (PREFIX + "processed/warning: duplicate-document", DELIVERED, None),
        (PREFIX + "processed/Warning : x", DELIVERED, None),
        (PREFIX + "processed/error: decryption-failed", FAILED, "decryption-failed"),
        (PREFIX + "processed/Error:Authentication-Failed", FAILED, "authentication-failed"),
        (PREFIX + "processed / error : x", FAILED, "x"),
        (PREFIX + "processed/error\r\nError: out of paper", FAILED, "out of paper"),
        (PREFIX + "processed/failure: x", FAILED, "x"),
        (PREFIX + "failed/failure: sender-equals-receiver", FAILED, "sender-equals-receiver"),
        (PREFIX + "failed/Failure: unsupported format", FAILED, "unsupported format"),
        (PREFIX + "failed", FAILED, "failed"),
        (PREFIX + "displayed", FAILED, "displayed"),
        (PREFIX + "deleted", FAILED, "deleted"),
        (PREFIX + "processed/error: error: x", FAILED, "error: x"),
        (PREFIX + "processed/error: processed/error: x", FAILED, "processed/error: x"),
        (PREFIX + "processed/error/x", FAILED, "x"),
        (PREFIX + "processed/error/error: x", FAILED, "x"),
        (PREFIX + "processed/failed: x", FAILED, "x"),
        (PREFIX + "error: x", FAILED, "x"),
        (PREFIX + "Error", FAILED, "error"),
        (PREFIX + "failure: x", FAILED, "x"),
        (PREFIX + "dispatched", FAILED, "dispatched"),
        (PREFIX + "denied", FAILED, "denied"),
        (PREFIX + "processed/warning: warning: x", DELIVERED, None),
        (PREFIX + "processed/warning/warning: x", INVALID, "cannot be read"),
        (PREFIX + "warning: x", INVALID, "cannot be read"),
        (PREFIX + "errors", FAILED, "errors"),
        ("", INVALID, "cannot be read"),
    ],
)  # fmt: skip
def test_dispositions_are_read_in_every_spelling_of_the_field(
    partner: Company, disposition: str, status: as2.ReceiptStatus, error: str | None
) -> None:
    sent, expected = sent_message(partner)
    report = (
        f"Original-Message-ID: <1@sender>\r\nDisposition: {disposition}\r\n"
        f"Received-content-MIC: {sent.mics['sha1']}, sha1\r\n"
    )
    judged = judge(by_hand(report, partner), expected)
    assert judged.status is status, judged.error
    assert judged.error is None if error is None else error in (judged.error or "")


@pytest.mark.parametrize(
    "report",
    [
        "{ID}: <1@sender>\r\nDisposition: a/b; processed\r\n{MIC}: {mic}, sha-256",
        "Disposition:a/b;processed\r\n{MIC}:{mic},SHA256\r\n{ID}:<1@sender>\r\n",
        "\r\nX: y\r\n\r\n{ID} : 1@sender\r\nDISPOSITION: a/b; processed\r\n{MIC}: {mic} , sha-256\r\n\r\n",
        "{ID}:\r\n <1@sender>\r\nDisposition: a/b; processed\r\n{MIC}:\r\n\t{mic},\r\n sha-256\r\n",
        "no field\n{ID}: <1@sender>\nDisposition: a/b; processed\n{MIC}: {mic}, rsa-sha256\n",
    ],
)
def test_reports_are_read_in_every_layout(partner: Company, report: str) -> None:
    sent, expected = sent_message(partner)
    text = report.format(ID="Original-Message-ID", MIC="received-content-MIC", mic=sent.mics["sha256"])
    judged = judge(by_hand(text, partner), expected)
    assert judged.status is DELIVERED, judged.error


def test_a_report_without_its_type_or_text_and_in_base64_is_read(partner: Company) -> None:
    sent, expected = sent_message(partner)
    fields = (
        "Original-Message-ID: <1@sender>\r\nDisposition: a/b; processed\r\n"
        f"Received-Content-MIC: {sent.mics['sha1']}, sha1\r\n"
    )
    assert (
        judge(by_hand(fields, partner, content_type="multipart/report; boundary=r"), expected).status
        is DELIVERED
    )
    bare = "Content-Type: message/disposition-notification\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    part = bare.encode() + base64.encodebytes(fields.encode())
    signature = cms.sign(hashlib.sha256(part).digest(), partner.identity, "sha256", NOW)
    content_type, body = multipart_signed(part, signature)
    headers = [("AS2-From", "RECEIVER"), ("AS2-To", "SENDER"), ("Content-Type", content_type)]
    assert judge(as2.BuiltReceipt(headers, body), expected).status is DELIVERED
    encoded = [*headers, ("Content-Transfer-Encoding", "base64")]
    assert judge(as2.BuiltReceipt(encoded, base64.encodebytes(body)), expected).status is DELIVERED


def test_an_unsigned_receipt_counts_where_it_was_asked_for(partner: Company) -> None:
    sent, expected = sent_message(partner)
    expected = replace(expected, signed=False, trust=as2.Trust())
    mic = as2.Outcome(as2.PROCESSED, sent.mics["sha256"], "sha256")
    assert judge(answer(request(signed=False), mic, None), expected).status is DELIVERED
    bare = judge(answer(request(signed=False), as2.Outcome(as2.PROCESSED), None), expected)
    assert (bare.status, bare.mic_match) == (DELIVERED, None)
    wrong = answer(request(signed=False), replace(mic, mic=sent.mics["sha512"]), None)
    assert judge(wrong, expected).status is INVALID
    bare_but_signed = answer(request(), as2.Outcome(as2.PROCESSED), partner)
    assert (
        judge(bare_but_signed, replace(expected, trust=as2.Trust((partner.certificate,)))).status is INVALID
    )


def test_a_receipt_is_told_from_a_message_by_its_content(us: Company, partner: Company) -> None:
    sent, _ = sent_message(partner)
    for receipt, signed in (
        (good_receipt(sent, partner), True),
        (answer(request(signed=False), as2.Outcome(as2.PROCESSED), None), False),
    ):
        claim = as2.read_claim(receipt.headers, io.BytesIO(receipt.body))
        assert claim == as2.Claim("<1@sender>", signed)
    for message in (
        build(ORDER),
        build(ORDER, sign=as2.Signing(partner.identity)),
        build(ORDER, encrypt=as2.Encryption((us.certificate,))),
        build(bytes(3_000_000), sign=as2.Signing(partner.identity)),
    ):
        assert as2.read_claim(message.headers, io.BytesIO(message.body)) is None
    headers = [("Content-Type", "multipart/signed; boundary=a")]
    for body in (b"", b"--a--", b"--a\r\n--a--", b"--a\r\n\r\n--a--"):
        assert as2.read_claim(headers, io.BytesIO(body)) is None


@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_to_a_receipt_raises_or_forges(partner: Company, data: st.DataObject) -> None:
    sent, expected = sent_message(partner)
    receipt = good_receipt(sent, partner)
    body = bytearray(receipt.body)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 4000)) % (len(body) + 1)
        body[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    judged = as2.parse_receipt(receipt.headers, bytes(body), expected=expected, now=NOW)
    as2.read_claim(receipt.headers, io.BytesIO(bytes(body)))
    if judged.status is DELIVERED:
        region = bytes(body)
        assert signed_report(receipt)[0].replace(b"\r", b"") in region.replace(b"\r", b"")
    else:
        assert judged.status is INVALID


@given(
    st.binary(max_size=300),
    st.dictionaries(st.sampled_from(["Content-Type", "AS2-From", "AS2-To"]), st.text(max_size=40)),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_received_instead_of_a_receipt_raises(
    partner: Company, body: bytes, headers: dict[str, str]
) -> None:
    _, expected = sent_message(partner)
    judged = as2.parse_receipt(list(headers.items()), body, expected=expected, now=NOW)
    assert judged.status is INVALID
    assert mime.Headers.of(list(headers.items())).fields == tuple(
        (k, v.strip(" \t")) for k, v in headers.items()
    )
