"""Signatures that must not count, however they are built, and multiparts that say two things at once."""

from __future__ import annotations

import hashlib

import pytest
from as2_peer import (
    NOW,
    Company,
    OpenSSL,
    Sent,
    company,
    entity,
    message,
    multipart_signed,
    open_message,
    refusal,
)
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import as2
from gateway.as2 import cms, der

PART = entity(b"ISA*00~ST*850*0001~SE*2*0001~")
PREFIX = "automatic-action/MDN-sent-automatically; processed/error: "


def signature_over(part: bytes, company: Company) -> bytes:
    return cms.sign(hashlib.sha256(part).digest(), company.identity, "sha256", NOW)


def signer_info(signature: bytes) -> der.Node:
    return der.parse(signature).children[1].children[0].children[-1].children[0]


def with_signers(signature: bytes, *signers: bytes) -> bytes:
    """The same SignedData with other SignerInfos."""
    signed_data = der.parse(signature).children[1].children[0]
    fields = [child.encoded() for child in signed_data.children[:-1]]
    body = der.sequence(*fields, der.tlv(der.SET, *signers))
    return der.sequence(cms.SIGNED_DATA, der.tlv(0xA0, body))


def with_attributes(signature: bytes, company: Company, *attributes: bytes) -> bytes:
    """A signature properly made over other signed attributes."""
    key = company.identity.key
    assert isinstance(key, rsa.RSAPrivateKey)
    signed = der.set_of(*attributes)
    value = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    fields = [child.encoded() for child in signer_info(signature).children]
    fields[3], fields[5] = b"\xa0" + signed[1:], der.tlv(der.OCTETS, value)
    return with_signers(signature, der.sequence(*fields))


def attribute(kind: str, value: bytes) -> bytes:
    return der.sequence(der.oid(kind), der.tlv(der.SET, value))


CONTENT_TYPE, DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
DIGEST_OF_PART = der.tlv(der.OCTETS, hashlib.sha256(PART).digest())


def refused(sent: Sent, policy: as2.Policy) -> str:
    """The disposition's last words."""
    return refusal(sent, policy).disposition.removeprefix(PREFIX)


@pytest.fixture
def signed_only(partner: Company) -> as2.Policy:
    return as2.Policy((), as2.Trust((partner.certificate,)), require_encrypted=False)


@pytest.mark.parametrize(
    "form",
    [
        "no signers",
        "no signed attributes",
        "another content type attribute",
        "two content type attributes",
        "no content type attribute",
        "two digest attributes",
        "two digest values",
        "no digest attribute",
        "the signature of another message",
        "encapsulated content",
        "certificates only",
        "an empty signature",
        "no CMS at all",
    ],
)
@pytest.mark.parametrize("enveloped", [False, True])
def test_b02_a_signature_that_is_not_in_order_does_not_authenticate(
    form: str, enveloped: bool, partner: Company, stranger: Company, us: Company
) -> None:
    good = signature_over(PART, partner)
    data = attribute(CONTENT_TYPE, cms.DATA)
    digest = attribute(DIGEST, DIGEST_OF_PART)
    fields = [child.encoded() for child in signer_info(good).children]
    signed_data = [child.encoded() for child in der.parse(good).children[1].children[0].children]
    forms = {
        "no signers": with_signers(good),
        "no signed attributes": with_signers(good, der.sequence(*fields[:3], *fields[4:])),
        "another content type attribute": with_attributes(
            good, partner, attribute(CONTENT_TYPE, cms.ENVELOPED_DATA), digest
        ),
        "two content type attributes": with_attributes(good, partner, data, data, digest),
        "no content type attribute": with_attributes(good, partner, digest),
        "two digest attributes": with_attributes(
            good, partner, data, digest, attribute(DIGEST, der.tlv(der.OCTETS, bytes(32)))
        ),
        "two digest values": with_attributes(
            good,
            partner,
            data,
            der.sequence(der.oid(DIGEST), der.set_of(DIGEST_OF_PART, der.tlv(der.OCTETS, bytes(32)))),
        ),
        "no digest attribute": with_attributes(good, partner, data),
        "the signature of another message": with_signers(
            good, der.sequence(*fields[:5], der.tlv(der.OCTETS, bytes(256)))
        ),
        "encapsulated content": der.sequence(
            cms.SIGNED_DATA,
            der.tlv(
                0xA0,
                der.sequence(
                    *signed_data[:2],
                    der.sequence(cms.DATA, der.tlv(0xA0, der.tlv(der.OCTETS, PART))),
                    *signed_data[3:],
                ),
            ),
        ),
        "certificates only": der.sequence(
            cms.SIGNED_DATA,
            der.tlv(
                0xA0, der.sequence(der.integer(1), der.tlv(der.SET), *signed_data[2:4], der.tlv(der.SET))
            ),
        ),
        "an empty signature": b"",
        "no CMS at all": b"<html>",
    }
    content_type, body = multipart_signed(PART, forms[form])
    sent = message(content_type, body)
    if enveloped:
        inner = entity(body, content_type)
        sent = message(
            "application/pkcs7-mime", b"".join(cms.encrypt(iter([inner]), [us.certificate], "aes256-cbc"))
        )
    policy = as2.Policy((us.identity,), as2.Trust((partner.certificate,)), require_encrypted=enveloped)
    assert refused(sent, policy) == ("decryption-failed" if enveloped else "authentication-failed")


def test_b02_a_signature_over_other_content_is_an_integrity_failure(
    partner: Company, signed_only: as2.Policy
) -> None:
    signature = signature_over(PART, partner)
    sent = message(*multipart_signed(PART.replace(b"850", b"860"), signature))
    assert refused(sent, signed_only) == "integrity-check-failed"


@pytest.mark.external("openssl")
def test_b02_signed_attributes_cannot_be_passed_off_as_content(
    openssl: OpenSSL, partner: Company, signed_only: as2.Policy
) -> None:
    """The two forgeries of draft-ietf-lamps-cms-euf-cma-signeddata."""
    attributes = signer_info(signature_over(PART, partner)).children[3].encoded(der.SET)
    without = openssl.sign(partner, attributes, "-noattr", "-md", "sha256")
    assert refused(message(*multipart_signed(attributes, without)), signed_only) == "authentication-failed"
    # Content that is an attribute set is refused even if it is signed as it should be.
    over = signature_over(attributes, partner)
    assert refused(message(*multipart_signed(attributes, over)), signed_only) == "authentication-failed"
    # A signature without attributes, to which fitting attributes are added.
    fields = [child.encoded() for child in signer_info(openssl.sign(partner, PART, "-noattr")).children]
    added = with_signers(without, der.sequence(*fields[:3], b"\xa0" + attributes[1:], *fields[3:]))
    assert refused(message(*multipart_signed(PART, added)), signed_only) == "authentication-failed"


def test_one_signer_among_several_is_enough_if_it_is_pinned(
    partner: Company, stranger: Company, signed_only: as2.Policy
) -> None:
    ours, theirs = signature_over(PART, partner), signature_over(PART, stranger)
    both = with_signers(ours, signer_info(theirs).encoded(), signer_info(ours).encoded())
    opened, _ = open_message(message(*multipart_signed(PART, both)), signed_only)
    assert opened.signed_with == partner.certificate.fingerprint


# B04: wrapping


def test_b04_a_multipart_that_is_not_exactly_content_and_signature_is_refused(
    partner: Company, signed_only: as2.Policy
) -> None:
    signature = signature_over(PART, partner)
    content_type, body = multipart_signed(PART, signature)
    third = b"--=_b\r\n" + PART.replace(b"850", b"860") + b"\r\n"
    nested_type, nested = multipart_signed(PART, signature, boundary="=_inner")
    inner = entity(nested, nested_type)
    cases = {
        "three parts": multipart_signed(PART, signature, extra=third),
        "a part before": (content_type, third + body),
        "signed twice": multipart_signed(inner, signature_over(inner, partner)),
        "no end": (content_type, body.removesuffix(b"--=_b--\r\n")),
        "no boundary": ("multipart/signed", body),
        "a boundary that is not there": (content_type.replace("=_b", "=_c"), body),
        "a signature that calls itself text": (
            content_type,
            body.replace(b"pkcs7-signature", b"octet-stream"),
        ),
        "two content types": multipart_signed(
            b"Content-Type: a/b\r\n" + PART, signature_over(b"Content-Type: a/b\r\n" + PART, partner)
        ),
    }
    for name, (kind, data) in cases.items():
        assert (name, refused(message(kind, data), signed_only)) == (name, "unexpected-processing-error")


def test_b04_preamble_and_epilogue_are_neither_verified_nor_delivered(
    partner: Company, signed_only: as2.Policy
) -> None:
    content_type, body = multipart_signed(PART, signature_over(PART, partner))
    around = b"preamble payload\r\n" + body + b"\r\nepilogue payload\r\n"
    assert open_message(message(content_type, around), signed_only)[1] == PART.split(b"\r\n\r\n")[1]


DELIMITERS = [b"--=_b", b"\r\n--=_b\r\n", b"\r\n--=_b--\r\n", b"\n--=_b x\n", b"--=_b\r\n"]


@given(
    payload=st.binary(max_size=40) | st.sampled_from(DELIMITERS),
    inserted=st.sampled_from([b"", b"x", b"\r\n", b"\n", b"Content-Type: a/b\r\n", PART, *DELIMITERS]),
    at=st.integers(0, 400),
    removed=st.integers(0, 12),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_b04_whatever_is_done_to_a_signed_message_only_the_signed_payload_is_delivered(
    *, partner: Company, signed_only: as2.Policy, payload: bytes, inserted: bytes, at: int, removed: int
) -> None:
    part = entity(payload)
    content_type, body = multipart_signed(part, signature_over(part, partner))
    changed = body[:at] + inserted + body[at + removed :]
    try:
        opened, delivered = open_message(message(content_type, changed), signed_only)
    except as2.As2Error:
        return
    assert delivered == payload
    assert opened.sha256 == hashlib.sha256(payload).hexdigest()


# Policy of algorithms (B06)


def test_b06_weak_digests_and_keys_are_refused(
    openssl: OpenSSL, partner: Company, signed_only: as2.Policy
) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    for digest in ("sha1", "md5", "sha224"):
        sent = message(*multipart_signed(PART, openssl.sign(partner, PART, "-md", digest)))
        assert refused(sent, signed_only) == "insufficient-message-security"
    short = company("Short", key=rsa.generate_private_key(65537, 1024))
    sent = message(*multipart_signed(PART, signature_over(PART, short)))
    policy = as2.Policy((), as2.Trust((short.certificate,)), require_encrypted=False)
    assert refused(sent, policy) == "insufficient-message-security"
    with pytest.raises(as2.KeyFileError, match="short"):
        as2.Signing(short.identity)
    with pytest.raises(ValueError, match="sha1"):
        as2.Signing(partner.identity, "sha1")


@pytest.mark.parametrize("options", [("rsa_mgf1_md:sha1",), ("rsa_pss_saltlen:8",)])
def test_b06_pss_parameters_that_differ_from_the_digest_are_refused(
    openssl: OpenSSL, partner: Company, signed_only: as2.Policy, options: tuple[str, ...]
) -> None:
    arguments = [word for option in ("rsa_padding_mode:pss", *options) for word in ("-keyopt", option)]
    signature = openssl.sign(partner, PART, "-md", "sha256", *arguments)
    assert (
        refused(message(*multipart_signed(PART, signature)), signed_only) == "insufficient-message-security"
    )


def test_a_signature_in_indefinite_lengths_verifies(partner: Company, signed_only: as2.Policy) -> None:
    def indefinite(node: der.Node) -> bytes:
        if node.tag & 0x20:
            return bytes((node.tag, 0x80)) + b"".join(map(indefinite, node.children)) + b"\0\0"
        if node.tag == der.OCTETS and len(node.content) > 100:
            halves = der.tlv(4, node.content[:50]) + der.tlv(4, node.content[50:])
            return b"\x24\x80" + halves + b"\0\0"
        return node.encoded()

    signature = indefinite(der.parse(signature_over(PART, partner)))
    opened, _ = open_message(message(*multipart_signed(PART, signature)), signed_only)
    assert opened.signed_with == partner.certificate.fingerprint
