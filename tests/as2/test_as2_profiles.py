"""What differs by partner: versions, modifiers, encodings, schemes, spellings, outdated certificates."""

from __future__ import annotations

import base64
import itertools
from datetime import timedelta
from email import message_from_bytes

import pytest
from as2_peer import (
    NOW,
    Company,
    OpenSSL,
    Sent,
    build,
    company,
    entity,
    message,
    multipart_signed,
    open_message,
    refusal,
)

from gateway import as2
from gateway.as2 import deflate
from gateway.as2.signed import Spelling

ORDER = b"ISA*00*~\r\nST*850*0001~\r\n"
PREFIX = "automatic-action/MDN-sent-automatically; "
MODERN = as2.Profile("1.3", "tradelane:1.2.3", ("multiple-attachments", "CEM"))
COMPRESS: list[as2.Compression] = ["none", "before-sign", "after-sign"]


def request(*more: tuple[str, str], micalgs: str = "sha-256") -> as2.Request:
    return as2.parse_request_headers(
        [
            ("AS2-From", "SENDER"),
            ("AS2-To", "RECEIVER"),
            ("Message-ID", "<1@sender>"),
            ("Disposition-Notification-To", "edi@sender"),
            (
                "Disposition-Notification-Options",
                "signed-receipt-protocol=optional, pkcs7-signature; "
                f"signed-receipt-micalg=optional, {micalgs}",
            ),
            *more,
        ]
    )


def receipt(
    outcome: as2.Outcome,
    signing: as2.Signing | None,
    asked: as2.Request | None = None,
    profile: as2.Profile = as2.Profile(),  # noqa: B008 - a frozen value
) -> as2.BuiltReceipt:
    return as2.build_receipt(
        asked or request(), outcome, signing=signing, message_id="<r@receiver>", now=NOW, profile=profile
    )


def report(built: as2.BuiltReceipt) -> tuple[str, dict[str, str]]:
    """The words for people, and the fields, as a mail parser reads them."""
    head = "".join(f"{name}: {value}\r\n" for name, value in built.headers).encode()
    parts = list(message_from_bytes(head + b"\r\n" + built.body).walk())
    (text,) = [
        part
        for part in parts
        if part.get_content_type() == "text/plain" and "charset" in str(part["Content-Type"])
    ]
    (fields,) = [part for part in parts if part.get_content_type() == "message/disposition-notification"]
    (inner,) = fields.get_payload()
    return text.get_payload(), dict(inner.items())


# Versions and features


def test_h7_without_a_profile_messages_and_receipts_are_of_version_1_2_and_name_no_product(
    us: Company,
) -> None:
    for headers in (
        build(ORDER).headers,
        receipt(as2.Outcome(as2.PROCESSED), as2.Signing(us.identity)).headers,
    ):
        told = dict(headers)
        assert told["AS2-Version"] == "1.2"
        assert not {"AS2-Product", "EDIINT-Features"} & set(told)


def test_f1_the_modern_profile_stands_in_messages_and_in_receipts(us: Company) -> None:
    signing = as2.Signing(us.identity)
    for headers in (
        build(ORDER, profile=MODERN).headers,
        receipt(as2.Outcome(as2.PROCESSED), signing, profile=MODERN).headers,
        receipt(as2.Outcome.refused(as2.Failure.DECRYPTION), None, profile=MODERN).headers,
    ):
        told = dict(headers)
        assert told["AS2-Version"] == "1.3"
        assert told["AS2-Product"] == "tradelane:1.2.3"
        assert told["EDIINT-Features"] == "multiple-attachments, CEM"


@pytest.mark.parametrize(
    ("header", "read"),
    [
        ("multiple-attachments, CEM, AS2-Reliability", ("multiple-attachments", "CEM", "AS2-Reliability")),
        ("x-new-thing,, CEM ,", ("x-new-thing", "CEM")),
        ("", ()),
        ('\xff;="', ('\xff;="',)),
    ],
)
def test_f1_no_token_of_a_partners_features_is_a_failure(header: str, read: tuple[str, ...]) -> None:
    asked = request(("EDIINT-Features", header))
    assert (asked.features, asked.failure) == (read, None)


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "1.3", "1.9", None])
def test_h7_every_version_is_read_alike(version: str | None) -> None:
    asked = request(*([("AS2-Version", version)] if version else []))
    assert (asked.version, asked.failure) == (version or "1.0", None)


# Modifiers that RFC 4130 does not know

YOUNGER = {
    as2.Failure.MESSAGE_ID: "invalid-message-id",
    as2.Failure.FILENAME_ILLEGAL: "illegal-filename",
    as2.Failure.FILENAME_DUPLICATE: "duplicate-filename",
    as2.Failure.UNKNOWN_PARTNER: "unknown-trading-relationship",
}


@pytest.mark.parametrize("failure", as2.Failure)
def test_a_legacy_partner_is_told_only_what_rfc_4130_knows_and_the_rest_in_words(
    us: Company, failure: as2.Failure
) -> None:
    signing = as2.Signing(us.identity)
    text, fields = report(receipt(as2.Outcome.refused(failure), signing))
    legacy_text, legacy = report(receipt(as2.Outcome.refused(failure, legacy=True), signing))
    if failure in YOUNGER:
        assert fields["Disposition"] == f"{PREFIX}processed/error: {YOUNGER[failure]}"
        assert legacy["Disposition"] == f"{PREFIX}processed/error: unexpected-processing-error"
        assert failure.explanation
        assert failure.explanation in text
        assert failure.explanation in legacy_text
    else:
        assert fields["Disposition"] == legacy["Disposition"] == failure.disposition
        assert text == legacy_text


def test_f3_the_warnings_about_names_are_read_as_delivered(us: Company) -> None:
    assert as2.ILLEGAL_FILENAME == PREFIX + "processed/warning: illegal-filename"
    assert as2.DUPLICATE_FILENAME == PREFIX + "processed/warning: duplicate-filename"
    sent = build(ORDER, receipt=as2.ReceiptRequest())
    for disposition in (as2.ILLEGAL_FILENAME, as2.DUPLICATE_FILENAME, as2.UNAUTHENTICATED):
        built = receipt(as2.Outcome(disposition, sent.mics["sha256"], "sha256"), as2.Signing(us.identity))
        judged = as2.parse_receipt(built.headers, built.body, expected=expected(us, sent), now=NOW)
        assert (judged.status, judged.disposition) == (as2.ReceiptStatus.DELIVERED, disposition)


def expected(us: Company, sent: Sent) -> as2.Expected:
    return as2.Expected("<1@sender>", "SENDER", "RECEIVER", sent.mics, as2.Trust((us.certificate,)))


# Encodings


@pytest.mark.parametrize("compress", COMPRESS)
@pytest.mark.parametrize(
    ("sign", "encrypt"), list(itertools.product([False, True], [None, "aes256-cbc", "aes256-gcm"]))
)
def test_base64_is_that_of_the_parts_inside_and_never_of_the_body_itself(
    us: Company, partner: Company, sign: bool, encrypt: str | None, compress: as2.Compression
) -> None:
    payload = bytes(range(256)) * 1000
    sent = build(
        payload,
        sign=as2.Signing(partner.identity) if sign else None,
        encrypt=as2.Encryption((us.certificate,), encrypt) if encrypt else None,
        compress=compress,
        encoding="base64",
        receipt=as2.ReceiptRequest(),
    )
    assert dict(sent.headers).get("Content-Transfer-Encoding", "binary") == "binary"
    policy = as2.Policy((us.identity,), as2.Trust((partner.certificate,)), sign, bool(encrypt))
    opened, delivered = open_message(sent, policy)
    assert delivered == payload
    assert opened.mic == sent.mics[opened.mic_algorithm]
    if sign and not encrypt and compress != "after-sign":
        body = sent.body
        assert b"Content-Transfer-Encoding: base64" in body
        assert max(map(len, body.split(b"\r\n"))) <= 200
        assert all(byte in b"\r\n" or 32 <= byte < 127 for byte in body)


@pytest.mark.external("openssl")
def test_base64_inside_an_envelope_is_what_openssl_finds_there(us: Company, openssl: OpenSSL) -> None:
    for payload in (b"", b"x", ORDER, bytes(57), bytes(58), bytes(300_000)):
        sent = build(payload, encrypt=as2.Encryption((us.certificate,)), encoding="base64")
        inner = message_from_bytes(openssl.decrypt(us, sent.body))
        assert inner["Content-Transfer-Encoding"] == "base64"
        assert inner.get_payload(decode=True) == payload


def as_base64(data: bytes) -> bytes:
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


HEADER = ("Content-Transfer-Encoding", "base64")


@pytest.mark.external("openssl")
def test_h2_base64_is_accepted_at_every_layer_and_as_a_header_of_http(
    us: Company, partner: Company, openssl: OpenSSL
) -> None:
    policy = as2.Policy((us.identity,), as2.Trust((partner.certificate,)), False, False)
    plain = entity(ORDER)
    coded = entity(as_base64(ORDER), encoding="base64")
    mime = "application/pkcs7-mime"
    compressed = b"".join(deflate.compress(iter([plain])))
    kind, signed_body = multipart_signed(coded, openssl.sign(partner, coded, "-md", "sha256"))
    signed = f"Content-Type: {kind}\r\n\r\n".encode() + signed_body
    inner = entity(as_base64(compressed), mime, "base64")
    forms = {
        "plain": message("application/EDI-X12", as_base64(ORDER), HEADER),
        "compressed": message(mime, as_base64(compressed), HEADER),
        "signed": message(kind, as_base64(signed_body), HEADER),
        "enveloped": message(mime, as_base64(openssl.encrypt([us], plain, "aes256")), HEADER),
        "a part in an envelope": message(mime, openssl.encrypt([us], coded, "aes256")),
        "compressed in an envelope": message(mime, openssl.encrypt([us], inner, "aes256")),
        "signed in an envelope": message(mime, as_base64(openssl.encrypt([us], signed, "aes256")), HEADER),
    }
    for what, sent in forms.items():
        assert open_message(sent, policy)[1] == ORDER, what


# Schemes, recipients, spellings


@pytest.mark.external("openssl")
def test_pss_and_oaep_are_what_openssl_reads_in_messages_and_receipts(
    us: Company, partner: Company, openssl: OpenSSL
) -> None:
    signing = as2.Signing(partner.identity, pss=True)
    sent = build(ORDER, sign=signing, encrypt=as2.Encryption((us.certificate,), "aes128-gcm", oaep=True))
    assert b"rsassaPss" not in sent.body
    inner = openssl.decrypt(us, sent.body)
    outer = message_from_bytes(inner)
    raw = inner.split(f"--{outer.get_boundary()}".encode())[1].removeprefix(b"\r\n").removesuffix(b"\r\n")
    signature = outer.get_payload()[1].get_payload(decode=True)
    assert openssl.verify(partner, raw, signature) == raw
    told = openssl.run("cms", "-cmsout", "-print", "-inform", "DER", data=signature).decode()
    assert "rsassaPss" in told
    envelope = openssl.run("cms", "-cmsout", "-print", "-inform", "DER", data=sent.body).decode()
    assert "rsaesOaep" in envelope
    built = receipt(as2.Outcome(as2.PROCESSED), as2.Signing(us.identity, pss=True))
    answer = message_from_bytes(
        f"Content-Type: {dict(built.headers)['Content-Type']}\r\n\r\n".encode() + built.body
    )
    signature = answer.get_payload()[1].get_payload(decode=True)
    assert "rsassaPss" in openssl.run("cms", "-cmsout", "-print", "-inform", "DER", data=signature).decode()


@pytest.mark.external("openssl")
@pytest.mark.parametrize("cipher", ["aes128-cbc", "aes192-cbc", "aes256-cbc", "aes128-gcm", "aes256-gcm"])
def test_each_of_two_recipients_reads_what_was_encrypted_to_both(
    us: Company, partner: Company, openssl: OpenSSL, cipher: str
) -> None:
    both = as2.Encryption((us.certificate, partner.certificate), cipher)
    sent = build(ORDER, encrypt=both)
    for reader in (us, partner):
        assert openssl.decrypt(reader, sent.body).endswith(b"\r\n\r\n" + ORDER)
        policy = as2.Policy((reader.identity,), as2.Trust(), require_signed=False)
        assert open_message(sent, policy)[1] == ORDER


SPELLINGS: list[tuple[Spelling, str, str]] = [
    ("rfc", "sha1", "sha1"), ("rfc", "sha256", "sha-256"), ("rfc", "sha512", "sha-512"),
    ("hyphen", "sha1", "sha-1"), ("hyphen", "sha256", "sha-256"), ("hyphen", "sha384", "sha-384"),
    ("plain", "sha1", "sha1"), ("plain", "sha256", "sha256"), ("plain", "sha512", "sha512"),
]  # fmt: skip


@pytest.mark.parametrize(("spelling", "digest", "written"), SPELLINGS)
def test_m5_digests_are_spelled_as_was_agreed(
    us: Company, partner: Company, spelling: Spelling, digest: str, written: str
) -> None:
    signing = as2.Signing(partner.identity, digest, legacy=digest == "sha1", spelling=spelling)
    sent = build(ORDER, sign=signing, receipt=as2.ReceiptRequest())
    assert f"; micalg={written}; " in dict(sent.headers)["Content-Type"]
    ours = as2.Signing(us.identity, spelling=spelling)
    unnamed = request(micalgs="sha-384" if digest != "sha384" else "sha-512")
    _, fields = report(receipt(as2.Outcome(as2.PROCESSED, "bWlj", digest), ours, unnamed))
    assert fields["Received-Content-MIC"] == f"bWlj, {written}"
    named = request(micalgs=f"SHA{digest[3:]}")
    _, fields = report(receipt(as2.Outcome(as2.PROCESSED, "bWlj", digest), ours, named))
    assert fields["Received-Content-MIC"] == f"bWlj, SHA{digest[3:]}"


def test_m4_a_receipt_is_signed_with_sha1_only_for_whom_it_was_agreed(us: Company) -> None:
    for legacy, written in ((True, "sha1"), (False, "sha-256")):
        signing = as2.Signing(us.identity, legacy=legacy)
        built = receipt(as2.Outcome(as2.PROCESSED), signing, request(micalgs="sha1"))
        assert f"; micalg={written}; " in dict(built.headers)["Content-Type"]


# Unauthenticated, where it was agreed


@pytest.fixture(scope="module")
def outdated() -> Company:
    return company("Partner", valid=(NOW - timedelta(days=9), NOW - timedelta(seconds=1)))


def lenient(us: Company, *pinned: as2.Certificate, outdated: bool = True) -> as2.Policy:
    return as2.Policy((us.identity,), as2.Trust(pinned, outdated=outdated), require_encrypted=False)


def enveloped(us: Company, signer: Company, cipher: str | None, *, oaep: bool = False) -> Sent:
    encrypt = as2.Encryption((us.certificate,), cipher, oaep=oaep) if cipher else None
    return build(ORDER, sign=as2.Signing(signer.identity), encrypt=encrypt, receipt=as2.ReceiptRequest())


@pytest.mark.parametrize(("cipher", "oaep"), [(None, False), ("aes256-gcm", True)])
def test_a_listed_certificate_that_has_expired_is_taken_with_the_warning_of_rfc_4130(
    us: Company, outdated: Company, cipher: str | None, oaep: bool
) -> None:
    sent = enveloped(us, outdated, cipher, oaep=oaep)
    opened, delivered = open_message(sent, lenient(us, outdated.certificate))
    assert (delivered, opened.outdated) == (ORDER, True)
    outcome = as2.Outcome.accepted(opened)
    assert outcome.disposition == PREFIX + "processed/warning: authentication-failed, processing continued"
    assert outcome.mic == sent.mics["sha256"]
    error = refusal(sent, lenient(us, outdated.certificate, outdated=False))
    assert error.disposition.endswith("processed/error: authentication-failed")


@pytest.mark.parametrize(
    ("cipher", "oaep"), [("aes256-cbc", False), ("aes256-cbc", True), ("aes256-gcm", False)]
)
def test_it_is_never_taken_behind_cbc_or_pkcs1(
    us: Company, outdated: Company, cipher: str, oaep: bool
) -> None:
    error = refusal(enveloped(us, outdated, cipher, oaep=oaep), lenient(us, outdated.certificate))
    assert error.reason == "AUTH_FAILED"
    assert error.disposition.endswith("processed/error: decryption-failed")


def test_what_nobody_listed_signed_is_refused_whatever_was_agreed(
    us: Company, partner: Company, stranger: Company, outdated: Company
) -> None:
    same_name = company("Partner", valid=(NOW - timedelta(days=9), NOW - timedelta(seconds=1)))
    for signer in (stranger, same_name):
        error = refusal(enveloped(us, signer, None), lenient(us, partner.certificate, outdated.certificate))
        assert error.disposition.endswith("processed/error: authentication-failed")
    unsigned = build(ORDER)
    assert refusal(unsigned, lenient(us, outdated.certificate)).reason == "SECURITY_TOO_WEAK"


def test_a_valid_certificate_of_the_same_key_comes_before_an_outdated_one(us: Company) -> None:
    key = company("Partner")
    old = as2.load_certificate(key.certificate_pem, valid_until=NOW - timedelta(days=1))
    opened, _ = open_message(enveloped(us, key, None), lenient(us, old, key.certificate))
    assert not opened.outdated
    assert as2.Outcome.accepted(opened).disposition == as2.PROCESSED


def test_content_changed_after_an_outdated_signature_is_refused(us: Company, outdated: Company) -> None:
    sent = enveloped(us, outdated, None)
    changed = Sent(sent.headers, sent.body.replace(b"ST*850", b"ST*851"), sent.mics)
    error = refusal(changed, lenient(us, outdated.certificate))
    assert error.disposition.endswith("processed/error: integrity-check-failed")


def test_a_receipt_signed_with_an_outdated_certificate_proves_nothing(outdated: Company) -> None:
    sent = build(ORDER, receipt=as2.ReceiptRequest())
    built = receipt(as2.Outcome(as2.PROCESSED, sent.mics["sha256"], "sha256"), as2.Signing(outdated.identity))
    judged = as2.parse_receipt(built.headers, built.body, expected=expected(outdated, sent), now=NOW)
    assert judged.status is as2.ReceiptStatus.INVALID
