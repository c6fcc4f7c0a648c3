"""Messages to and from `openssl cms`, which shares no code with ours and checks every byte of it."""

from __future__ import annotations

import base64
import re
from email import message_from_bytes
from email import policy as email_policy

import pytest
from as2_peer import Company, OpenSSL, Sent, build, entity, message, multipart_signed, open_message

from gateway import as2

pytestmark = pytest.mark.external("openssl")

ORDER = b"ISA*00*          *00*~\r\nST*850*0001~\r\nSE*2*0001~\r\n"
PAYLOADS = {
    "an order": ORDER,
    "nothing": b"",
    "one byte": b"x",
    "lines of LF": b"UNA:+.? '\nUNB+'\n",
    "binary": bytes(range(256)) * 5,
    "a trailing line break": ORDER + b"\r\n",
    "larger than a chunk": ORDER * 20_000,
}
PKCS7_MIME = 'application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"'


def signed_parts(body: bytes, content_type: str) -> tuple[bytes, bytes]:
    """The signed bytes and the signature, cut out without our code."""
    boundary = re.search(r'boundary="([^"]+)"', content_type)
    assert boundary is not None
    _, part, signature, end = body.split(b"--" + boundary[1].encode())
    assert end == b"--\r\n"
    head, text = signature.removeprefix(b"\r\n").removesuffix(b"\r\n").split(b"\r\n\r\n", 1)
    assert b"base64" in head
    return part[2:-2], base64.b64decode(text)


def header(sent: Sent, name: str) -> str:
    (value,) = [value for key, value in sent.headers if key == name]
    return value


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
@pytest.mark.parametrize("pss", [False, True], ids=["pkcs1", "pss"])
def test_openssl_verifies_what_we_sign_and_digests_the_same_mic(
    openssl: OpenSSL, partner: Company, payload: bytes, pss: bool
) -> None:
    sent = build(payload, sign=as2.Signing(partner.identity, pss=pss), receipt=as2.ReceiptRequest())
    part, signature = signed_parts(sent.body, header(sent, "Content-Type"))
    assert openssl.verify(partner, part, signature) == part
    assert part.split(b"\r\n\r\n", 1)[1] == payload
    for name, mic in sent.mics.items():
        assert base64.b64decode(mic) == openssl.digest(name, part)


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_openssl_verifies_an_ecdsa_signature_of_ours(openssl: OpenSSL, curve: Company, digest: str) -> None:
    sent = build(ORDER, sign=as2.Signing(curve.identity, digest))
    openssl.verify(curve, *signed_parts(sent.body, header(sent, "Content-Type")))


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
@pytest.mark.parametrize("cipher", ["aes128-cbc", "aes192-cbc", "aes256-cbc"])
@pytest.mark.parametrize("oaep", [False, True], ids=["pkcs1", "oaep"])
def test_openssl_decrypts_what_we_encrypt(
    *, openssl: OpenSSL, us: Company, stranger: Company, payload: bytes, cipher: str, oaep: bool
) -> None:
    recipients = (stranger.certificate, us.certificate)
    sent = build(payload, encrypt=as2.Encryption(recipients, cipher, oaep=oaep))
    decrypted = message_from_bytes(openssl.decrypt(us, sent.body), policy=email_policy.HTTP)
    assert decrypted.get_content_type() == "application/octet-stream"
    assert openssl.decrypt(stranger, sent.body).endswith(b"\r\n\r\n" + payload)


def test_openssl_decrypts_the_triple_des_of_a_legacy_agreement(openssl: OpenSSL, us: Company) -> None:
    sent = build(ORDER, encrypt=as2.Encryption((us.certificate,), "3des", legacy=True))
    assert openssl.decrypt(us, sent.body).endswith(ORDER)


@pytest.mark.parametrize("size", [100, 2_000_000], ids=["DER", "BER"])
@pytest.mark.parametrize("oaep", [False, True], ids=["pkcs1", "oaep"])
def test_openssl_decrypts_our_authenticated_encryption(
    *, openssl: OpenSSL, us: Company, size: int, oaep: bool
) -> None:
    sent = build(bytes(size), encrypt=as2.Encryption((us.certificate,), "aes256-gcm", oaep=oaep))
    printed = openssl.run("cms", "-cmsout", "-print", "-inform", "DER", data=sent.body)
    assert b"authEnvelopedData" in printed
    assert b"aes-256-gcm" in printed
    assert openssl.decrypt(us, sent.body).endswith(b"\r\n\r\n" + bytes(size))


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
@pytest.mark.parametrize(
    "options",
    [
        ("-md", "sha256"),
        ("-md", "sha512"),
        ("-md", "sha384", "-keyid"),
        ("-md", "sha256", "-keyopt", "rsa_padding_mode:pss"),
        ("-md", "sha256", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:32"),
        ("-md", "sha256", "-nocerts"),
    ],
    ids=["sha256", "sha512", "key id", "pss", "pss, short salt", "no certificates"],
)
def test_a_message_that_openssl_signed_is_opened(
    openssl: OpenSSL, partner: Company, payload: bytes, options: tuple[str, ...]
) -> None:
    part = entity(payload)
    signature = openssl.sign(partner, part, *options)
    policy = as2.Policy((), as2.Trust((partner.certificate,)), require_encrypted=False)
    opened, delivered = open_message(message(*multipart_signed(part, signature)), policy)
    assert delivered == payload
    assert opened.mic_algorithm == options[1]
    assert base64.b64decode(opened.mic) == openssl.digest(options[1], part)
    assert opened.signed_with == partner.certificate.fingerprint


def test_a_message_that_openssl_signed_with_an_elliptic_curve_is_opened(
    openssl: OpenSSL, curve: Company
) -> None:
    part = entity(ORDER)
    signature = openssl.sign(curve, part, "-md", "sha384")
    policy = as2.Policy((), as2.Trust((curve.certificate,)), require_encrypted=False)
    assert open_message(message(*multipart_signed(part, signature)), policy)[1] == ORDER


@pytest.mark.parametrize(
    "cipher", ["aes-128-cbc", "aes-192-cbc", "aes-256-cbc", "aes-128-gcm", "aes-256-gcm"]
)
@pytest.mark.parametrize(
    "options",
    [(), ("-stream",), ("-keyid",), ("-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256")],
    ids=["DER", "indefinite lengths", "key id", "oaep"],
)
def test_a_message_that_openssl_encrypted_is_opened(
    openssl: OpenSSL, us: Company, stranger: Company, cipher: str, options: tuple[str, ...]
) -> None:
    recipients = [us, stranger]
    if "-keyopt" in options:
        options = ("-recip", openssl.file("us.pem", us.certificate_pem), *options)
        recipients = []
    policy = as2.Policy((us.identity,), as2.Trust(), require_signed=False)
    for payload in PAYLOADS.values():
        body = openssl.encrypt(recipients, entity(payload), cipher, *options)
        opened, delivered = open_message(message(PKCS7_MIME, body), policy)
        assert delivered == payload
        assert opened.encrypted_with == cipher.replace("aes-", "aes")
        assert opened.decrypted_with == us.certificate.fingerprint


def test_a_message_that_openssl_signed_encrypted_and_encoded_as_mime_is_opened(
    openssl: OpenSSL, us: Company, partner: Company, policy: as2.Policy
) -> None:
    """openssl signs the CRLF form of text; lines that lost their CR on the way, and base64, are tolerated."""
    certificate, key = openssl.file("s.pem", partner.certificate_pem), openssl.file("s.key", partner.key_pem)
    signed = openssl.run(
        "cms", "-sign", "-md", "sha256", "-text", "-signer", certificate, "-inkey", key, data=ORDER
    ).replace(b"\r\n", b"\n")
    recipient = openssl.file("r.pem", us.certificate_pem)
    encrypted = openssl.run("cms", "-encrypt", "-binary", "-aes256", recipient, data=signed)
    head, body = encrypted.split(b"\n\n", 1)
    assert b"base64" in head
    opened, delivered = open_message(
        message(PKCS7_MIME, body, ("Content-Transfer-Encoding", "base64")), policy
    )
    assert delivered == ORDER
    assert opened.canonicalised


def test_triple_des_and_sha1_are_opened_only_where_the_agreement_lists_them(
    openssl: OpenSSL, us: Company, partner: Company
) -> None:
    part = entity(ORDER)
    content_type, inner = multipart_signed(part, openssl.sign(partner, part, "-md", "sha1"))
    body = openssl.encrypt([us], entity(inner, content_type), "des3")
    sent = message(PKCS7_MIME, body)
    legacy = as2.Policy(
        (us.identity,),
        as2.Trust((partner.certificate,), frozenset({"sha1", "sha256"})),
        ciphers=frozenset({"3des"}),
    )
    opened, delivered = open_message(sent, legacy)
    assert (opened.mic_algorithm, opened.encrypted_with, delivered) == ("sha1", "3des", ORDER)
    with pytest.raises(as2.As2Error, match="3des") as caught:
        open_message(sent, as2.Policy(legacy.keys, legacy.trust))
    assert caught.value.disposition.endswith("insufficient-message-security")
