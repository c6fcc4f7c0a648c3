"""What is sent, what is delivered, and what the MIC is over."""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import re
import subprocess
import sys
from datetime import timedelta, timezone
from email import message_from_bytes
from email import policy as email_policy
from pathlib import Path

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
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gateway import as2
from gateway.as2 import cms, deflate, der

ORDER = b"ISA*00*          *00*~\r\nST*850*0001~\r\nSE*2*0001~\r\n"
SIGN = [None, "sha256", "sha384", "sha512"]
ENCRYPT = [None, "aes128-cbc", "aes192-cbc", "aes256-cbc", "aes128-gcm", "aes192-gcm", "aes256-gcm"]
COMPRESS: list[as2.Compression] = ["none", "before-sign", "after-sign"]


def layers(
    us: Company, partner: Company, sign: str | None, encrypt: str | None, *, oaep: bool = False
) -> dict[str, object]:
    return {
        "sign": as2.Signing(partner.identity, sign) if sign else None,
        "encrypt": as2.Encryption((us.certificate,), encrypt, oaep=oaep) if encrypt else None,
    }


@pytest.mark.parametrize("compress", COMPRESS)
@pytest.mark.parametrize("encrypt", ENCRYPT)
@pytest.mark.parametrize("sign", SIGN)
def test_every_combination_of_layers_delivers_the_same_bytes_and_agrees_on_the_mic(
    us: Company, partner: Company, sign: str | None, encrypt: str | None, compress: as2.Compression
) -> None:
    policy = as2.Policy(
        (us.identity,),
        as2.Trust((partner.certificate,)),
        require_signed=bool(sign),
        require_encrypted=bool(encrypt),
    )
    for payload, oaep in itertools.product((b"", ORDER, os.urandom(700_000)), (False, True)):
        sent = build(
            payload,
            **layers(us, partner, sign, encrypt, oaep=oaep),
            compress=compress,
            content_type="application/EDI-X12",
            filename="order 1.x12",
            receipt=as2.ReceiptRequest(),
        )
        opened, delivered = open_message(sent, policy)
        assert delivered == payload
        assert opened.mic == sent.mics[opened.mic_algorithm]
        assert (opened.size, opened.sha256) == (len(payload), hashlib.sha256(payload).hexdigest())
        assert (opened.content_type, opened.filename) == ("application/EDI-X12", "order 1.x12")
        assert opened.encrypted_with == encrypt
        assert opened.signed_with == (partner.certificate.fingerprint if sign else None)
        assert opened.compression == (compress if sign else "none" if compress == "none" else "after-sign")


def test_a_message_is_sent_with_unfolded_headers_and_its_exact_length(us: Company, partner: Company) -> None:
    sent = build(
        ORDER,
        **layers(us, partner, "sha256", "aes256-cbc"),
        subject="Order 1",
        receipt=as2.ReceiptRequest(async_url="https://sender.example/mdn?x=1"),
        as2_from='a "b" c',
    )
    headers = dict(sent.headers)
    assert len(headers) == len(sent.headers)
    assert not any("\n" in value for value in headers.values())
    assert headers["Subject"] == "Order 1"
    assert headers["Content-Length"] == str(len(sent.body))
    assert headers["AS2-From"] == '"a \\"b\\" c"'
    assert headers["AS2-Version"] == "1.2"
    assert headers["Date"] == "Wed, 04 Mar 2026 05:06:07 GMT"
    assert headers["Receipt-Delivery-Option"] == "https://sender.example/mdn?x=1"
    assert headers["Disposition-Notification-Options"] == (
        "signed-receipt-protocol=optional, pkcs7-signature; signed-receipt-micalg=optional, sha-256"
    )
    assert "EDIINT-Features" not in headers


def test_a_subject_in_any_script_is_encoded() -> None:
    sent = build(ORDER, subject="Bestellung für 注文 " * 9)
    parsed = message_from_bytes(
        f"Subject: {dict(sent.headers)['Subject']}\r\n\r\n".encode(), policy=email_policy.HTTP
    )
    assert parsed["Subject"] == "Bestellung für 注文 " * 9


def test_the_signing_time_is_told_in_utc(partner: Company) -> None:
    east = NOW.astimezone(timezone(timedelta(hours=9)))
    assert b"260304050607Z" in cms.sign(bytes(32), partner.identity, "sha256", east)


@pytest.mark.parametrize(
    "values",
    [
        {"subject": "a\r\nX: y"},
        {"message_id": "<a\n@b>"},
        {"as2_from": "é"},
        {"as2_to": "x" * 129},
        {"filename": "a\r\nb"},
        {"content_type": "a/b\r\nX: y"},
    ],
)
def test_a_value_that_would_begin_another_header_is_not_sent(values: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        build(ORDER, **values)


def mic(region: bytes) -> str:
    return base64.b64encode(hashlib.sha256(region).digest()).decode()


@pytest.mark.parametrize("breaks", [b"", b"\r\n", b"\r\n\r\n", b"\n", b" \r\n"])
@pytest.mark.parametrize("content", [b"", b"A\r\nB", b"A\nB", bytes(range(256))])
def test_the_mic_follows_the_truth_table(
    us: Company, partner: Company, content: bytes, breaks: bytes
) -> None:
    """What is hashed, by what was done to the message; the trailing CRLF belongs to the boundary."""
    payload = content + breaks
    whole = entity(payload)
    policy = as2.Policy((us.identity,), as2.Trust((partner.certificate,)), False, False)
    signature = cms.sign(hashlib.sha256(whole).digest(), partner.identity, "sha256", NOW)
    content_type, signed_body = multipart_signed(whole, signature)
    signed_whole = entity(signed_body, content_type)
    envelope = 'application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"'

    def encrypted(data: bytes) -> bytes:
        return b"".join(cms.encrypt(iter([data]), [us.certificate], "aes128-cbc"))

    def compressed(data: bytes) -> bytes:
        return b"".join(deflate.compress(iter([data])))

    packed = entity(compressed(whole), "application/pkcs7-mime; smime-type=compressed-data")
    packed_signature = cms.sign(hashlib.sha256(packed).digest(), partner.identity, "sha256", NOW)
    table = {
        "signed": (message(content_type, signed_body), whole),
        "signed, encrypted": (message(envelope, encrypted(signed_whole)), whole),
        "signed then compressed": (message(envelope, compressed(signed_whole)), whole),
        "compressed then signed": (message(*multipart_signed(packed, packed_signature)), packed),
        "encrypted": (message(envelope, encrypted(whole)), whole),
        "compressed, encrypted": (message(envelope, encrypted(packed)), whole),
        "compressed": (message(envelope, compressed(whole)), whole),
        "plain": (message("application/EDI-X12", payload), payload),
    }
    for name, (sent, hashed) in table.items():
        opened, delivered = open_message(sent, policy)
        assert (name, opened.mic, delivered) == (name, mic(hashed), payload)


def test_the_mic_of_encrypted_text_without_a_signature_is_over_its_canonical_form(us: Company) -> None:
    policy = as2.Policy((us.identity,), as2.Trust(), False, False)
    text = entity(b"A\nB\r\n", encoding="7bit")
    body = b"".join(cms.encrypt(iter([text]), [us.certificate], "aes128-cbc"))
    opened, delivered = open_message(message("application/pkcs7-mime", body), policy)
    assert opened.mic == mic(text.replace(b"A\nB", b"A\r\nB"))
    assert delivered == b"A\nB\r\n"


def test_an_unsigned_message_gets_the_first_digest_its_sender_lists() -> None:
    options = (
        "signed-receipt-protocol=optional, pkcs7-signature; signed-receipt-micalg=optional, md5, SHA-512"
    )
    sent = message("application/EDI-X12", ORDER, ("Disposition-Notification-Options", options))
    opened, _ = open_message(sent, as2.Policy((), as2.Trust(), False, False))
    assert opened.mic_algorithm == "sha512"
    assert opened.mic == base64.b64encode(hashlib.sha512(ORDER).digest()).decode()


def test_a_signature_over_lines_that_lost_their_carriage_returns_delivers_the_signed_form(
    partner: Company,
) -> None:
    part = entity(ORDER)
    signature = cms.sign(hashlib.sha256(part).digest(), partner.identity, "sha256", NOW)
    sent = message(*multipart_signed(part.replace(b"\r\n", b"\n"), signature))
    policy = as2.Policy((), as2.Trust((partner.certificate,)), require_encrypted=False)
    opened, delivered = open_message(sent, policy)
    assert (delivered, opened.canonicalised, opened.mic) == (ORDER, True, mic(part))


# B01: weaker than agreed


@pytest.mark.parametrize("compress", COMPRESS)
@pytest.mark.parametrize("sign", [None, "sha256"])
@pytest.mark.parametrize("encrypt", [None, "aes256-cbc", "aes256-gcm"])
@pytest.mark.parametrize("require_signed", [False, True])
@pytest.mark.parametrize("require_encrypted", [False, True])
def test_b01_a_message_is_delivered_only_if_it_is_as_strong_as_agreed(
    *,
    us: Company,
    partner: Company,
    compress: as2.Compression,
    sign: str | None,
    encrypt: str | None,
    require_signed: bool,
    require_encrypted: bool,
) -> None:
    policy = as2.Policy((us.identity,), as2.Trust((partner.certificate,)), require_signed, require_encrypted)
    sent = build(ORDER, **layers(us, partner, sign, encrypt, oaep=True), compress=compress)
    if (sign or not require_signed) and (encrypt or not require_encrypted):
        assert open_message(sent, policy)[1] == ORDER
        return
    error = refusal(sent, policy)
    assert error.reason == "SECURITY_TOO_WEAK"
    # Where an answer about the inside would be an oracle, it says only that decryption failed.
    hidden = encrypt == "aes256-cbc"
    told = "decryption-failed" if hidden else "insufficient-message-security"
    assert error.disposition == f"automatic-action/MDN-sent-automatically; processed/error: {told}"


# B03: whose signature


def test_b03_only_a_pinned_certificate_in_its_window_counts(
    us: Company, partner: Company, stranger: Company
) -> None:
    authority = company("Authority")
    issued = [
        company(name, issuer=("Authority", authority.identity.key))  # type: ignore[arg-type]
        for name in ("Partner", "Other")
    ]
    expired = company("Partner", valid=(NOW - timedelta(days=9), NOW - timedelta(seconds=1)))
    future = company("Partner", valid=(NOW + timedelta(seconds=1), NOW + timedelta(days=9)))
    narrowed = as2.load_certificate(partner.certificate_pem, valid_until=NOW - timedelta(seconds=1))
    same_subject = company("Partner")
    cases: list[tuple[Company, tuple[as2.Certificate, ...]]] = [
        (stranger, (partner.certificate,)),
        (same_subject, (partner.certificate,)),
        (issued[1], (issued[0].certificate, authority.certificate)),
        (expired, (expired.certificate,)),
        (future, (future.certificate,)),
        (partner, (narrowed,)),
        (partner, ()),
    ]
    for signer, pinned in cases:
        sent = build(ORDER, sign=as2.Signing(signer.identity))
        error = refusal(sent, as2.Policy((), as2.Trust(pinned), require_encrypted=False))
        assert error.disposition.endswith("processed/error: authentication-failed"), error.cause
        assert error.reason == "AUTH_FAILED"


@pytest.mark.external("openssl")
def test_b03_a_certificate_that_was_signed_with_sha1_counts_only_where_sha1_does(openssl: OpenSSL) -> None:
    openssl.run(
        "req", "-x509", "-sha1", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Old", "-days", "7000",
        "-keyout", "old.key", "-out", "old.pem",
    )  # fmt: skip
    old = Company(openssl.read("old.key"), openssl.read("old.pem"))
    later = old.certificate.valid_from + timedelta(days=1)
    sent = build(ORDER, sign=as2.Signing(old.identity), now=later)
    trust = as2.Trust((old.certificate,))
    legacy = as2.Policy((), as2.Trust(trust.certificates, trust.digests | {"sha1"}), require_encrypted=False)
    assert open_message(sent, legacy, now=later)[1] == ORDER
    with pytest.raises(as2.As2Error, match="itself signed with sha1") as caught:
        open_message(sent, as2.Policy((), trust, require_encrypted=False), now=later)
    assert caught.value.disposition.endswith("authentication-failed")


def test_each_of_two_overlapping_certificates_and_keys_works(us: Company, partner: Company) -> None:
    successor, our_successor = company("Partner"), company("Tradelane")
    policy = as2.Policy(
        (us.identity, our_successor.identity), as2.Trust((partner.certificate, successor.certificate))
    )
    for signer, recipient in itertools.product((partner, successor), (us, our_successor)):
        sent = build(ORDER, **layers(recipient, signer, "sha256", "aes256-cbc"))
        opened, _ = open_message(sent, policy)
        assert opened.signed_with == signer.certificate.fingerprint
        assert opened.decrypted_with == recipient.certificate.fingerprint


def test_a_message_for_another_key_cannot_be_decrypted(
    policy: as2.Policy, partner: Company, stranger: Company
) -> None:
    error = refusal(build(ORDER, **layers(stranger, partner, "sha256", "aes256-gcm")), policy)
    assert error.disposition.endswith("processed/error: decryption-failed")


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ('attachment; filename="a b.x12"', "a b.x12"),
        ("attachment; filename=a.x12", "a.x12"),
        ("attachment; filename*=UTF-8''K%C3%A4se%20%E2%82%AC.edi", "Käse €.edi"),
        ('attachment; filename*0="ord"; filename*1="er.edi"', "order.edi"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="C:\\\\in\\\\a.edi"', "a.edi"),
        ('attachment; filename=".."', None),
        ("attachment", None),
        ("", None),
    ],
)
def test_the_file_name_is_the_senders_without_folders(disposition: str, filename: str | None) -> None:
    sent = message("application/EDI-X12", ORDER, ("Content-Disposition", disposition))
    opened, _ = open_message(sent, as2.Policy((), as2.Trust(), False, False))
    assert opened.filename == filename


def test_a_file_name_in_any_script_survives_the_way(
    policy: as2.Policy, us: Company, partner: Company
) -> None:
    sent = build(ORDER, **layers(us, partner, "sha256", "aes256-cbc"), filename='Käse "1" 注文.edi')
    assert open_message(sent, policy)[0].filename == 'Käse "1" 注文.edi'


@pytest.mark.parametrize("encoding", ["base64", "BASE64 ", "quoted-printable", "8bit", ""])
def test_transfer_encodings_are_removed_from_the_payload_and_counted_in_the_mic(
    partner: Company, encoding: str
) -> None:
    import quopri

    content = {"base64": base64.encodebytes(ORDER), "quoted-printable": quopri.encodestring(ORDER)}.get(
        encoding.strip().lower(), ORDER
    )
    field = f"Content-Transfer-Encoding: {encoding}\r\n" if encoding else ""
    part = f"Content-Type: application/EDI-X12\r\n{field}\r\n".encode() + content
    signature = cms.sign(hashlib.sha256(part).digest(), partner.identity, "sha256", NOW)
    policy = as2.Policy((), as2.Trust((partner.certificate,)), require_encrypted=False)
    opened, delivered = open_message(message(*multipart_signed(part, signature)), policy)
    assert (delivered, opened.mic) == (ORDER, mic(part))


def test_memory_does_not_grow_with_the_message(tmp_path: Path, us: Company, partner: Company) -> None:
    """96 MiB through every layer, in a process of its own that may grow by 48 MiB."""
    for name, data in {
        "us.key": us.key_pem, "us.pem": us.certificate_pem,
        "partner.key": partner.key_pem, "partner.pem": partner.certificate_pem,
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(data)
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("as2_large.py")), str(tmp_path)],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    grown = int(done.stdout)
    assert 0 <= grown < 48 * 1024, f"grew by {grown} KiB"


def odd(certificate: Company, *, serial: bytes, subject: bytes) -> bytes:
    """The certificate with another serial number and name, signed anew, as no library would write it."""
    body, algorithm, _ = der.parse(certificate.certificate.der).children
    fields = [child.encoded() for child in body.children]
    fields[1], fields[3], fields[5] = der.tlv(der.INTEGER, serial), subject, subject
    tbs = der.sequence(*fields)
    key = certificate.identity.key
    assert isinstance(key, rsa.RSAPrivateKey)
    signature = key.sign(tbs, padding.PKCS1v15(), hashes.SHA256())
    return der.sequence(tbs, algorithm.encoded(), der.tlv(0x03, b"\0" + signature))


def test_certificates_with_odd_fields_are_used_as_they_are(partner: Company, us: Company) -> None:
    """Serial numbers of zero or less, countries of three letters, IA5String where it is not allowed."""

    def name(*values: tuple[str, int, bytes]) -> bytes:
        return der.sequence(
            *(der.set_of(der.sequence(der.oid(kind), der.tlv(tag, text))) for kind, tag, text in values)
        )

    subject = name(("2.5.4.6", 0x13, b"USA"), ("2.5.4.11", 0x16, b"EDI@ops"), ("2.5.4.3", 0x14, b"*.t61"))
    for serial in (b"\0", b"\xff", b"\x80\0", b"\x01" * 20):
        theirs = odd(partner, serial=serial, subject=subject)
        ours = odd(us, serial=serial, subject=subject)
        policy = as2.Policy(
            (as2.load_identity(us.key_pem, ours),), as2.Trust((as2.load_certificate(theirs),))
        )
        sent = build(
            ORDER,
            sign=as2.Signing(as2.load_identity(partner.key_pem, theirs)),
            encrypt=as2.Encryption((as2.load_certificate(ours),)),
        )
        assert open_message(sent, policy)[1] == ORDER


def test_keys_load_from_pem_and_der_and_a_mismatch_is_told(us: Company, partner: Company) -> None:
    again = as2.load_identity(us.key_pem, us.certificate.der)
    assert again.certificate == us.certificate
    assert again.certificate.fingerprint == hashlib.sha256(us.certificate.der).hexdigest()
    with pytest.raises(as2.KeyFileError, match="does not belong"):
        as2.load_identity(us.key_pem, partner.certificate_pem)
    for broken in (b"", b"-----BEGIN CERTIFICATE-----", us.certificate.der[:-1]):
        with pytest.raises(as2.KeyFileError):
            as2.load_certificate(broken)
        with pytest.raises(as2.KeyFileError):
            as2.load_identity(broken, us.certificate_pem)
    assert "PRIVATE" not in repr(us.identity)
    assert re.search(r"fingerprint='[0-9a-f]{64}'", repr(us.identity))
