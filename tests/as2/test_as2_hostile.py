"""Messages made to cost, to crash or to tell: each is refused, cheaply, and says no more than it must."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from as2_costly import CASES
from as2_oracle import changed, ciphertext
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
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import as2
from gateway.as2 import cms, deflate, der

ORDER = b"ISA*00~ST*850*0001~SE*2*0001~"
PKCS7 = "application/pkcs7-mime"


def compressed(deflated: bytes) -> bytes:
    """CompressedData around bytes that need not be zlib."""
    content = der.sequence(cms.DATA, der.tlv(0xA0, der.tlv(der.OCTETS, deflated)))
    algorithm = der.sequence(der.oid("1.2.840.113549.1.9.16.3.8"))
    return der.sequence(cms.COMPRESSED_DATA, der.tlv(0xA0, der.sequence(der.integer(0), algorithm, content)))


def encrypted(plain: bytes, *recipients: Company, cipher: str = "aes256-cbc", oaep: bool = False) -> bytes:
    certificates = [recipient.certificate for recipient in recipients]
    return b"".join(cms.encrypt(iter([plain]), certificates, cipher, oaep=oaep))


@pytest.fixture
def open_door(us: Company) -> as2.Policy:
    """No signature, no encryption asked for."""
    return as2.Policy((us.identity,), as2.Trust(), False, False)


# B07: compression


def bomb(layers: int) -> bytes:
    whole = entity(bytes(200 * 1024**2))
    for _ in range(layers):
        whole = entity(compressed(zlib.compress(whole, 9)), PKCS7)
    return whole


@pytest.mark.parametrize("layers", [1, 3])
def test_b07_a_zip_bomb_is_cut_off(open_door: as2.Policy, layers: int) -> None:
    body = bomb(layers).split(b"\r\n\r\n", 1)[1]
    error = refusal(message(PKCS7, body), open_door)
    assert error.disposition.endswith("processed/error: decompression-failed")
    assert error.reason == "DECOMPRESS_LIMIT"


@pytest.mark.parametrize(
    "damage",
    [
        lambda good: good[:-1],
        lambda good: good[: len(good) // 2],
        lambda good: good + b"x",
        lambda good: good + good,
        lambda good: b"",
        lambda good: b"x" + good,
        lambda good: good[:-4] + bytes(4),
    ],
    ids=["a byte short", "cut in half", "a byte more", "twice", "empty", "no zlib", "wrong checksum"],
)
def test_b07_damaged_compression_is_refused(open_door: as2.Policy, damage: Callable[[bytes], bytes]) -> None:
    good = zlib.compress(entity(ORDER))
    assert open_message(message(PKCS7, compressed(good)), open_door)[1] == ORDER
    error = refusal(message(PKCS7, compressed(damage(good))), open_door)
    assert error.disposition.endswith("processed/error: decompression-failed")


def test_the_inflate_limit_is_the_agreements(us: Company) -> None:
    body = compressed(zlib.compress(entity(bytes(1000))))
    policy = as2.Policy((), as2.Trust(), False, False, inflate=deflate.InflateLimit(size=1000))
    assert refusal(message(PKCS7, body), policy).reason == "DECOMPRESS_LIMIT"


def test_content_that_deflates_very_well_is_no_bomb_while_it_is_small(open_door: as2.Policy) -> None:
    payload = b"0" * 15_000_000
    body = compressed(zlib.compress(entity(payload), 9))
    assert open_message(message(PKCS7, body), open_door)[1] == payload


# B07, B08: cost before authentication. Each case runs in a child that dies after one to two seconds of CPU.


@pytest.mark.parametrize("case", CASES)
def test_b08_what_a_stranger_sends_costs_little(case: str) -> None:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("as2_costly.py")), case],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused: "), done.stdout


# B06: algorithms of encryption


@pytest.mark.parametrize("cipher", ["des3", "des-cbc", "rc2-40-cbc"])
def test_b06_a_cipher_that_is_not_agreed_is_refused_and_named(
    openssl: OpenSSL, us: Company, policy: as2.Policy, cipher: str
) -> None:
    try:
        body = openssl.encrypt([us], entity(ORDER), cipher, "-provider", "legacy", "-provider", "default")
    except AssertionError:
        pytest.skip(f"this openssl does not have {cipher}")
    error = refusal(message(PKCS7, body), policy)
    assert error.disposition.endswith("processed/error: insufficient-message-security")
    assert error.reason == "SECURITY_TOO_WEAK"


def test_b06_a_short_authentication_tag_and_mixed_oaep_digests_are_refused(
    openssl: OpenSSL, us: Company, policy: as2.Policy
) -> None:
    body = encrypted(entity(ORDER), us, cipher="aes256-gcm")
    short = body.replace(bytes.fromhex("020110"), bytes.fromhex("020104"), 1)
    assert short != body
    mixed = openssl.encrypt(
        [], entity(ORDER), "aes-256-cbc", "-recip", openssl.file("us.pem", us.certificate_pem),
        "-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256", "-keyopt", "rsa_mgf1_md:sha1",
    )  # fmt: skip
    for data in (short, mixed):
        error = refusal(message(PKCS7, data), policy)
        assert error.disposition.endswith("processed/error: insufficient-message-security")


def test_b06_weak_encryption_is_never_made(us: Company) -> None:
    with pytest.raises(ValueError, match="3des"):
        as2.Encryption((us.certificate,), "3des")
    with pytest.raises(ValueError, match="rc2"):
        as2.Encryption((us.certificate,), "rc2", legacy=True)
    with pytest.raises(as2.KeyFileError):
        as2.Encryption(())


# B05, as far as this layer reaches: one answer for every failure


def test_b05_every_failure_behind_cbc_or_pkcs1_reads_the_same(
    us: Company, partner: Company, stranger: Company, policy: as2.Policy
) -> None:
    part = entity(ORDER)
    public = us.certificate.public_key
    assert isinstance(public, rsa.RSAPublicKey)

    def signed_by(company: Company, content: bytes = part) -> bytes:
        signature = cms.sign(hashlib.sha256(part).digest(), company.identity, "sha256", NOW)
        content_type, inner = multipart_signed(content, signature)
        return entity(inner, content_type)

    good = encrypted(signed_by(partner), us)
    assert open_message(message(PKCS7, good), policy)[1] == ORDER
    sha1_signed = signed_by(partner).replace(
        der.oid("2.16.840.1.101.3.4.2.1"), der.oid("2.16.840.1.101.3.4.2.4")
    )
    bodies = {
        "a random key block": changed(good, key=os.urandom(255)),
        "a key of the wrong length": changed(good, key=public.encrypt(bytes(16), padding.PKCS1v15())),
        "a zero key block": changed(good, key=bytes(256)),
        "bad padding": changed(good, content=ciphertext(good)[:-16] + bytes(16)),
        "not a multiple of the block": changed(good, content=ciphertext(good)[:-1]),
        "broken MIME": encrypted(b"\0\0\0\0" + signed_by(partner), us),
        "nothing inside": encrypted(b"", us),
        "no content": changed(good, content=b""),
        "unsigned": encrypted(part, us),
        "signed by a stranger": encrypted(signed_by(stranger), us),
        "other content than signed": encrypted(signed_by(partner, part + b"x"), us),
        "an unknown digest": encrypted(sha1_signed, us),
        "broken compression": encrypted(entity(compressed(b"x"), PKCS7), us),
        "GCM with PKCS#1 v1.5": encrypted(signed_by(stranger), us, cipher="aes256-gcm"),
    }
    told = {name: refusal(message(PKCS7, body), policy) for name, body in bodies.items()}
    assert {error.disposition for error in told.values()} == {
        "automatic-action/MDN-sent-automatically; processed/error: decryption-failed"
    }
    assert told["unsigned"].reason == "SECURITY_TOO_WEAK"
    assert told["signed by a stranger"].reason == "AUTH_FAILED"
    assert "differs" in told["other content than signed"].cause


def test_behind_gcm_and_oaep_the_exact_failure_is_told(
    us: Company, stranger: Company, policy: as2.Policy
) -> None:
    signature = cms.sign(hashlib.sha256(entity(ORDER)).digest(), stranger.identity, "sha256", NOW)
    content_type, inner = multipart_signed(entity(ORDER), signature)
    body = encrypted(entity(inner, content_type), us, cipher="aes256-gcm", oaep=True)
    error = refusal(message(PKCS7, body), policy)
    assert error.disposition.endswith("processed/error: authentication-failed")


def test_after_the_signature_verifies_failures_are_exact(
    us: Company, partner: Company, policy: as2.Policy
) -> None:
    packed = entity(compressed(b"no zlib"), PKCS7)
    signature = cms.sign(hashlib.sha256(packed).digest(), partner.identity, "sha256", NOW)
    content_type, inner = multipart_signed(packed, signature)
    error = refusal(message(PKCS7, encrypted(entity(inner, content_type), us)), policy)
    assert error.disposition.endswith("processed/error: decompression-failed")


def test_a_changed_byte_of_authenticated_encryption_is_noticed(
    us: Company, policy: as2.Policy, partner: Company
) -> None:
    sent = build(
        ORDER, sign=as2.Signing(partner.identity),
        encrypt=as2.Encryption((us.certificate,), "aes128-gcm", oaep=True),
    )  # fmt: skip
    for at in (-1, -20, -200):
        body = bytearray(sent.body)
        body[at] ^= 1
        error = refusal(Sent(sent.headers, bytes(body)), policy)
        assert error.disposition.endswith("processed/error: decryption-failed")


# Anything at all


@given(data=st.data())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_to_a_message_raises_anything_else(
    us: Company, partner: Company, data: st.DataObject
) -> None:
    options = {
        "sign": data.draw(st.sampled_from([None, as2.Signing(partner.identity)])),
        "encrypt": data.draw(st.sampled_from([None, as2.Encryption((us.certificate,))])),
        "compress": data.draw(st.sampled_from(["none", "before-sign", "after-sign"])),
    }
    sent = build(ORDER, **options)
    body = bytearray(sent.body)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 2500)) % (len(body) + 1)
        body[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    policy = as2.Policy((us.identity,), as2.Trust((partner.certificate,)), False, False)
    try:
        opened, delivered = open_message(Sent(sent.headers, bytes(body)), policy)
    except as2.As2Error:
        return
    assert opened.size == len(delivered)
    assert delivered == ORDER or opened.signed_with is None  # CBC hides damage that a signature would show


@given(
    st.binary(max_size=200),
    st.sampled_from(
        [
            "multipart/signed; boundary=a",
            "multipart/signed; boundary*=UTF-8''%E2",
            PKCS7,
            "application/pkcs7-signature",
            "",
            ";",
            "a/b; name*9*=x",
        ]
    ),
    st.sampled_from(["", "base64", "quoted-printable", "7bit", "x"]),
)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_whatsoever_raises_anything_else(
    us: Company, body: bytes, content_type: str, encoding: str
) -> None:
    policy = as2.Policy((us.identity,), as2.Trust(), False, False)
    try:
        opened, delivered = open_message(
            message(content_type, body, ("Content-Transfer-Encoding", encoding)), policy
        )
    except as2.As2Error:
        return
    assert opened.sha256 == hashlib.sha256(delivered).hexdigest()
