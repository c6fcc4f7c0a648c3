"""Signatures, wrappings, weak algorithms and injected headers, beyond what single modules are tested for."""

from __future__ import annotations

import email
import hashlib
import os
from email import policy as email_policy
from typing import NamedTuple

import h11
import pytest
from as2_oracle import envelope, wrapped
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
    open_files,
    open_message,
    refusal,
)
from as2_receipts import ORDER, PREFIX, SIGNED, answered, asking, fields_of, raw, seen_by_email, text_of
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from gateway import as2
from gateway.as2 import cms, der

EXAMPLES = int(os.environ.get("TRADELANE_EXAMPLES", "300"))
PKCS7 = "application/pkcs7-mime"
PART = entity(ORDER)
TOO_WEAK = PREFIX + "processed/error: insufficient-message-security"
UNAUTHENTICATED = PREFIX + "processed/error: authentication-failed"


@pytest.fixture
def signed_only(partner: Company) -> as2.Policy:
    return as2.Policy((), as2.Trust((partner.certificate,)), require_encrypted=False)


def signature_over(part: bytes, company: Company, digest: str = "sha256") -> bytes:
    return cms.sign(hashlib.new(digest, part).digest(), company.identity, digest, NOW)


# B02


@pytest.mark.external("openssl")
def test_b02_certificates_alone_as_openssl_packs_them_are_no_signature(
    openssl: OpenSSL, partner: Company, signed_only: as2.Policy
) -> None:
    file = openssl.file("partner.pem", partner.certificate_pem)
    only = openssl.run("crl2pkcs7", "-nocrl", "-certfile", file, "-outform", "DER")
    assert refusal(message(*multipart_signed(PART, only)), signed_only).disposition == UNAUTHENTICATED


@pytest.mark.external("openssl")
def test_b02_a_signature_that_holds_its_content_is_refused_detached_or_alone(
    openssl: OpenSSL, partner: Company, signed_only: as2.Policy
) -> None:
    opaque = openssl.sign(partner, PART, "-md", "sha256", "-nodetach")
    for sent in (
        message(*multipart_signed(PART, opaque)),
        message(f"{PKCS7}; smime-type=signed-data", opaque),
    ):
        assert refusal(sent, signed_only).disposition == UNAUTHENTICATED


# B04


class Part(NamedTuple):
    """An entity of a generated tree, and whether the partner signed it in the form in which it stands."""

    whole: bytes
    signed_payloads: frozenset[bytes]


BOUNDARIES = st.sampled_from(["a", "b", "ab", "a-", "--", "=_x"])
FILLERS = st.sampled_from([b"", b"\r\n", b"text\r\n", b"--a\r\n", b"\r\n--b--\r\n", b"--a--", PART])


def trees(partner: Company) -> st.SearchStrategy[Part]:
    leaves = st.binary(max_size=12).map(lambda data: Part(entity(data), frozenset()))

    def multipart(drawn: tuple[str, list[Part], bytes, bytes, str, bool]) -> Part:
        boundary, parts, preamble, epilogue, kind, doubled = drawn
        delimiter = b"--" + boundary.encode()
        body = b"".join(delimiter + b"\r\n" + part.whole + b"\r\n" for part in parts)
        head = f'Content-Type: {kind}; boundary="{boundary}"'
        head += '; boundary="c"\r\nContent-Type: text/plain' if doubled else ""
        whole = head.encode() + b"\r\n\r\n" + preamble + body + delimiter + b"--" + epilogue
        return Part(whole, frozenset().union(*(part.signed_payloads for part in parts)))

    def signed(drawn: tuple[Part, Part, str, bytes, bool, bool]) -> Part:
        shown, covered, boundary, extra, same, swapped = drawn
        covered = shown if same else covered
        signature = entity(signature_over(covered.whole, partner), "application/pkcs7-signature")
        delimiter = b"--" + boundary.encode()
        pieces = [shown.whole, signature][:: -1 if swapped else 1]
        body = b"".join(delimiter + b"\r\n" + piece + b"\r\n" for piece in pieces)
        whole = f'Content-Type: multipart/signed; boundary="{boundary}"\r\n\r\n'.encode()
        whole += extra + body + delimiter + b"--\r\n" + extra
        payload = covered.whole.partition(b"\r\n\r\n")[2]
        return Part(whole, shown.signed_payloads | covered.signed_payloads | {payload})

    def extended(inner: st.SearchStrategy[Part]) -> st.SearchStrategy[Part]:
        kinds = st.sampled_from(["multipart/mixed", "multipart/signed", "multipart/alternative"])
        mixed = st.tuples(
            BOUNDARIES, st.lists(inner, min_size=1, max_size=3), FILLERS, FILLERS, kinds, st.booleans()
        )
        one = st.tuples(
            inner, inner, BOUNDARIES, FILLERS, st.sampled_from([True, True, False]), st.booleans()
        )
        return mixed.map(multipart) | one.map(signed) | one.map(lambda drawn: signed((*drawn[:5], False)))

    return st.recursive(leaves, extended, max_leaves=5)


@given(data=st.data())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_b04_of_any_tree_of_parts_nothing_is_delivered_that_was_not_signed_as_it_stands(
    curve: Company, data: st.DataObject
) -> None:
    tree = data.draw(trees(curve))
    head, _, body = tree.whole.partition(b"\r\n\r\n")
    content_type = head.split(b"\r\n")[0].removeprefix(b"Content-Type: ").decode()
    policy = as2.Policy((), as2.Trust((curve.certificate,)), require_encrypted=False)
    try:
        opened, payload, attached = open_files(message(content_type, body), policy)
    except as2.As2Error:
        return
    event("accepted")
    assert opened.signed_with == curve.certificate.fingerprint
    for part, delivered in zip((opened.payload, *opened.attachments), (payload, *attached), strict=True):
        assert any(delivered in signed for signed in tree.signed_payloads)
        assert part.sha256 == hashlib.sha256(delivered).hexdigest()


def test_b04_the_generated_trees_hold_messages_that_are_accepted(
    partner: Company, signed_only: as2.Policy
) -> None:
    """Else the property above would say nothing."""
    content_type, body = multipart_signed(PART, signature_over(PART, partner), boundary="a")
    assert open_message(message(content_type, b"text\r\n" + body + b"\r\n--b--\r\n"), signed_only)[1] == ORDER


def test_b04_two_content_types_in_http_are_refused(partner: Company) -> None:
    sent = message(*multipart_signed(PART, signature_over(PART, partner)))
    with pytest.raises(as2.As2Refused) as caught:
        as2.parse_request_headers([*sent.headers, ("content-type", "text/plain")])
    assert caught.value.status == 400


# B06

CIPHERS = {
    "RC2-40": "1.2.840.113549.3.2",
    "RC4": "1.2.840.113549.3.4",
    "DES": "1.3.14.3.2.7",
    "3DES": "1.2.840.113549.3.7",
    "AES-128-CCM": "2.16.840.1.101.3.4.1.7",
    "AES-256-ECB": "2.16.840.1.101.3.4.1.41",
    "the null cipher": "1.2.840.113549.1.9.16.3.1",
}


@pytest.mark.parametrize("oid", CIPHERS.values(), ids=CIPHERS)
def test_b06_a_cipher_that_is_not_agreed_is_insufficient_security(
    us: Company, policy: as2.Policy, oid: str
) -> None:
    body = envelope(us, PART, bytes(32), wrapped(us, bytes(32)))
    weak = body.replace(der.oid("2.16.840.1.101.3.4.1.42"), der.oid(oid))
    version, recipients, content = der.parse(body).children[1].children[0].children
    kind, (_, vector), text = content.children[0], content.children[1].children, content.children[2]
    algorithm = der.sequence(der.oid(oid), vector.encoded())
    inner = der.sequence(
        version.encoded(), recipients.encoded(), der.sequence(kind.encoded(), algorithm, text.encoded())
    )
    weak = der.sequence(cms.ENVELOPED_DATA, der.tlv(0xA0, inner))
    error = refusal(message(PKCS7, weak), policy)
    assert (error.disposition, error.reason) == (TOO_WEAK, "SECURITY_TOO_WEAK")


@pytest.mark.external("openssl")
@pytest.mark.parametrize("digest", ["md4", "md5", "sha1", "sha224", "ripemd160", "sha512-256"])
def test_b06_a_digest_that_is_not_agreed_is_insufficient_security(
    openssl: OpenSSL, partner: Company, signed_only: as2.Policy, digest: str
) -> None:
    options = ("-provider", "legacy", "-provider", "default") if digest in {"md4", "ripemd160"} else ()
    signature = openssl.sign(partner, PART, "-md", digest, *options)
    error = refusal(message(*multipart_signed(PART, signature)), signed_only)
    assert (error.disposition, error.reason) == (TOO_WEAK, "SECURITY_TOO_WEAK")


def test_b06_a_short_key_is_insufficient_security_even_if_it_is_pinned(us: Company) -> None:
    short = company("Short", key=rsa.generate_private_key(65537, 1024))
    policy = as2.Policy((us.identity,), as2.Trust((short.certificate,)), require_encrypted=False)
    sent = message(*multipart_signed(PART, signature_over(PART, short)))
    assert refusal(sent, policy).disposition == TOO_WEAK
    with pytest.raises(as2.KeyFileError):
        as2.Encryption((short.certificate,))
    with pytest.raises(as2.KeyFileError):
        as2.Signing(short.identity)


@pytest.mark.parametrize("size", [4, 8, 11])
def test_b06_a_short_authentication_tag_is_insufficient_security(
    us: Company, policy: as2.Policy, size: int
) -> None:
    body = b"".join(cms.encrypt(iter([PART]), [us.certificate], "aes256-gcm", oaep=True))
    short = body.replace(bytes.fromhex("020110"), bytes.fromhex(f"0201{size:02x}"), 1)
    assert short != body
    assert refusal(message(PKCS7, short), policy).disposition == TOO_WEAK


def test_b06_gcm_named_as_enveloped_and_cbc_as_authenticated_is_insufficient_security(
    us: Company, policy: as2.Policy
) -> None:
    for cipher, kind in (("aes256-gcm", cms.ENVELOPED_DATA), ("aes256-cbc", cms.AUTH_ENVELOPED_DATA)):
        body = b"".join(cms.encrypt(iter([PART]), [us.certificate], cipher))
        inner = der.parse(body).children[1].encoded()
        assert refusal(message(PKCS7, der.sequence(kind, inner)), policy).disposition == TOO_WEAK


# B11


def test_b11_what_is_signed_for_a_message_that_fails_says_nothing_of_the_sender(us: Company) -> None:
    """Whoever spoofs a partner gets a signature over our fixed words, with no MIC and nothing of the body."""
    for failure in as2.Failure:
        receipt = answered(asking(Subject="Pay 100 to Eve"), as2.Outcome(failure.disposition), us)
        assert "Received-Content-MIC" not in fields_of(receipt)
        words = failure.disposition.partition("; ")[2]
        assert text_of(receipt).splitlines() == [
            f"The message below was received. Result: {words}.",
            "",
            "From: SENDER",
            "To: RECEIVER",
            "Message-ID: <1@sender>",
            "Subject: Pay 100 to Eve",
            "Received: Wed, 04 Mar 2026 05:06:07 GMT",
        ]


def test_b11_our_signatures_always_carry_signed_attributes(us: Company, curve: Company) -> None:
    for signer in (us, curve):
        for pss in (False, True):
            for digest in ("sha256", "sha384", "sha512"):
                signature = cms.sign(bytes(32), signer.identity, digest, NOW, pss=pss)
                info = der.parse(signature).children[1].children[0].children[-1].children[0]
                kinds = {attribute.children[0].encoded() for attribute in info.children[3].children}
                assert info.children[3].tag == 0xA0
                assert {der.oid("1.2.840.113549.1.9.3"), der.oid("1.2.840.113549.1.9.4")} <= kinds


# A07

TEXT = st.text(st.characters(max_codepoint=255), max_size=60) | st.sampled_from(
    ['"a\\"b"', "%0d%0a", "=?utf-8?q?=0d=0aX:=20y?=", "a\r\nX: y", "a\n\nb", "\x0bX: y", "\x85X: y",
     "a\x00b", '"\\', "x" * 500, "a\r\n\r\nb", "a\u2028b", "--report-", "; boundary=x", "a\r\n\tb"]
)  # fmt: skip
NAMES = [
    "as2-version", "as2-from", "as2-to", "message-id", "date", "mime-version", "content-type",
    "content-length",
]  # fmt: skip


@given(
    sender=TEXT, receiver=TEXT, message_id=TEXT, subject=TEXT, options=st.sampled_from([None, SIGNED]) | TEXT
)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_a07_no_request_adds_a_header_to_its_receipt(
    *, us: Company, sender: str, receiver: str, message_id: str, subject: str, options: str | None
) -> None:
    """Read back by an HTTP parser and a mail parser that are not ours. TRADELANE_EXAMPLES sets how often."""
    try:
        asked = asking(
            options, AS2_From=sender, AS2_To=receiver, Message_ID=message_id, Subject=subject,
            Content_Disposition=f"attachment; filename={subject}",
        )  # fmt: skip
    except as2.As2Refused:
        return
    outcome = as2.Outcome((asked.failure or as2.Failure.MALFORMED).disposition)
    receipt = answered(asked, outcome, us)
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="POST", target="/", headers=[("Host", "x"), ("Content-Length", "0")]))
    client.send(h11.EndOfMessage())
    client.receive_data(b"HTTP/1.1 200 OK\r\n" + raw(receipt))
    response, *events = client.next_event(), client.next_event(), client.next_event()
    assert isinstance(response, h11.Response)
    assert [name.decode() for name, _ in response.headers] == NAMES
    assert isinstance(events[-1], h11.EndOfMessage)
    seen = seen_by_email(receipt)
    assert [name.lower() for name, _ in seen.items()] == NAMES
    text, report = [part for part in seen.walk() if not part.is_multipart()][:2]
    assert [name for name, _ in text.items()] == ["Content-Type", "Content-Transfer-Encoding"]
    fields = ["Reporting-UA", "Original-Recipient", "Final-Recipient", "Original-Message-ID", "Disposition"]
    assert list(fields_of(receipt)) == fields + (["Failure"] if "failed/" in outcome.disposition else [])
    assert report is not None


@given(subject=TEXT, filename=TEXT, message_id=TEXT)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_a07_no_value_of_ours_adds_a_header_to_a_message(
    subject: str, filename: str, message_id: str
) -> None:
    try:
        sent: Sent = build(ORDER, subject=subject, filename=filename or None, message_id=message_id)
    except ValueError:
        return
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.headers)
    seen = email.message_from_bytes(head.encode("ascii") + b"\r\n" + sent.body, policy=email_policy.HTTP)
    assert [name for name, _ in seen.items()] == [name for name, _ in sent.headers]
    assert seen.get_payload(decode=True) == ORDER
