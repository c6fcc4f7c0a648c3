"""Exchanging certificates: what is written, what other products write, and what is refused."""

from __future__ import annotations

import base64
import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from as2_peer import NOW, Company, company

from gateway.as2 import cem
from gateway.as2.cem import ACCEPTED, PENDING, REJECTED, CemError, Request, Response, Verdict
from gateway.pipeline.exchange import is_exchange

BOTH = ("digitalSignature", "keyEncipherment")
UNTIL = datetime(2026, 12, 24, 18, tzinfo=UTC)
URL = "https://partner.example/as2?a=1&b=2"

# As another product writes it: tabs, line ends, brackets around no Content-ID in the XML, the part in base64.
THEIRS = """\
<?xml version="1.0" encoding="UTF-8"?>
<EDIINTCertificateExchangeRequest xmlns="urn:ietf:params:xml:ns:ediintcertificateexchange" \
xmlns:ds="http://www.w3.org/2000/09/xmldsig#" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
requestId="as2_1330000000000-42@THEM_US">
\t<TradingPartnerInfo>
\t\t<Name qualifier="AS2">THEM</Name>
\t\t<MessageOriginated>2026-03-04T05:06:07+01:00</MessageOriginated>
\t</TradingPartnerInfo>
\t<TrustRequest>
\t\t<CertUsage>keyEncipherment</CertUsage>
\t\t<CertUsage>digitalSignature</CertUsage>
\t\t<RespondByDate>2026-12-24T19:00:00+01:00</RespondByDate>
\t\t<ResponseURL>http://them.example:8080/as2/HttpReceiver</ResponseURL>
\t\t<EndEntity>
\t\t\t<CertificateIdentifier>
\t\t\t\t<ds:X509IssuerName>CN=Partner, O=Them &amp; Co</ds:X509IssuerName>
\t\t\t\t<ds:X509SerialNumber>SERIAL</ds:X509SerialNumber>
\t\t\t</CertificateIdentifier>
\t\t\t<CertificateContentID>cert@them</CertificateContentID>
\t\t</EndEntity>
\t</TrustRequest>
</EDIINTCertificateExchangeRequest>
"""


def read(content_type: str, body: bytes) -> Request | Response:
    """What a payload says."""
    return cem.read(cem.parts(content_type, body))


def serial(one: Company) -> int:
    return int.from_bytes(one.certificate.serial, "big", signed=True)


def asking(one: Company) -> Request:
    """A request to trust its certificate for both."""
    trust = cem.trust(one.certificate, BOTH, respond_by=UNTIL, response_url=URL)
    return Request("request-1@them", "THEM & CO", (trust,))


def theirs(
    one: Company, xml: str = THEIRS, certificates: bytes | None = None, content_id: str = "<cert@them>"
) -> tuple[str, bytes]:
    """The multipart that another product sends: its MIME type and body."""
    data = certificates if certificates is not None else cem.certs_only((one.certificate,))
    body = (
        b"--b\r\nContent-Type: application/ediint-cert-exchange+xml\r\nContent-ID: <xml@them>\r\n\r\n"
        + xml.replace("SERIAL", str(serial(one))).encode()
        + b"\r\n--b\r\nContent-Type: application/pkcs7-mime; smime-type=certs-only; name=smime.p7c\r\n"
        b"Content-Transfer-Encoding: base64\r\nContent-ID: " + content_id.encode() + b"\r\n\r\n"
        + base64.encodebytes(data).replace(b"\n", b"\r\n")
        + b"\r\n--b--\r\n"
    )  # fmt: skip
    return 'multipart/related; type="application/ediint-cert-exchange+xml"; boundary=b', body


def test_f4_a_request_that_is_written_is_read_as_it_was(partner: Company) -> None:
    request = asking(partner)
    payload = cem.build_request(request, NOW)
    assert is_exchange(payload.content_type)
    assert read(payload.content_type, payload.body) == request


@pytest.mark.parametrize("status", [ACCEPTED, REJECTED, PENDING])
def test_f4_a_response_that_is_written_is_read_as_it_was(status: str) -> None:
    reason = "the fingerprint <differs>" if status == REJECTED else None
    response = Response("request-1@them", "US", (Verdict(status, "CN=A\\, B", -5, reason),))
    payload = cem.build_response(response, NOW)
    assert is_exchange(payload.content_type)
    assert read(payload.content_type, payload.body) == response


def test_f4_nothing_follows_the_last_tag_of_the_xml_but_the_boundary(partner: Company) -> None:
    for payload in (
        cem.build_request(asking(partner), NOW),
        cem.build_response(Response("1", "US", (Verdict(ACCEPTED, "CN=A", 1),)), NOW),
    ):
        boundary = re.search('boundary="(.+)"', payload.content_type)
        assert boundary is not None
        xml = payload.body.split(f"--{boundary[1]}".encode())[1]
        assert xml.endswith((b"</EDIINTCertificateExchangeRequest>\r\n", b"ExchangeResponse>\r\n"))
        assert payload.body.endswith(f"--{boundary[1]}--\r\n".encode())


def test_f4_the_request_has_the_names_and_the_order_of_the_draft(partner: Company) -> None:
    body = cem.build_request(asking(partner), NOW).body.decode("latin-1")
    words = re.findall(r"<([A-Za-z0-9:]+)", body.partition("?>")[2].partition("</EDIINT")[0])
    assert words == [
        "EDIINTCertificateExchangeRequest", "TradingPartnerInfo", "Name", "MessageOriginated", "TrustRequest",
        "CertUsage", "CertUsage", "RespondByDate", "ResponseURL", "EndEntity", "CertificateIdentifier",
        "ds:X509IssuerName", "ds:X509SerialNumber", "CertificateContentID",
    ]  # fmt: skip
    assert 'xmlns="urn:ietf:params:xml:ns:ediintcertificateexchange"' in body
    assert 'requestId="request-1@them"' in body
    assert '<Name qualifier="AS2">THEM &amp; CO</Name>' in body
    assert "<RespondByDate>2026-12-24T18:00:00Z</RespondByDate>" in body
    assert 'smime-type=certs-only; name="certificate.p7c"' in body


def test_f4_what_another_product_writes_is_read(partner: Company) -> None:
    found = read(*theirs(partner))
    assert isinstance(found, Request)
    (trust,) = found.trusts
    assert (found.request_id, found.sender) == ("as2_1330000000000-42@THEM_US", "THEM")
    assert trust.certificate == partner.certificate
    assert trust.usages == ("keyEncipherment", "digitalSignature")
    assert trust.respond_by == UNTIL
    assert trust.respond_by.tzinfo == UTC, "it was told with another offset"
    assert trust.response_url == "http://them.example:8080/as2/HttpReceiver"
    assert trust.issuer == "CN=Partner, O=Them & Co"


@pytest.mark.external("openssl")
def test_f4_certs_only_is_what_openssl_makes_and_reads(partner: Company, us: Company, tmp_path: Path) -> None:
    pem = tmp_path / "both.pem"
    pem.write_bytes(partner.certificate_pem + us.certificate_pem)
    made = subprocess.run(
        ["openssl", "crl2pkcs7", "-nocrl", "-certfile", pem, "-outform", "DER"],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    assert cem.read_certs_only(made) == (partner.certificate, us.certificate)
    found = read(*theirs(partner, certificates=made))  # the one is chosen by its serial number
    assert isinstance(found, Request)
    assert found.trusts[0].certificate == partner.certificate
    printed = subprocess.run(
        ["openssl", "pkcs7", "-inform", "DER", "-print_certs"],
        input=cem.certs_only((us.certificate,)), check=True, capture_output=True,
    ).stdout  # fmt: skip
    assert us.certificate_pem.strip() in printed


def test_f4_a_certificate_that_comes_bare_is_read(partner: Company) -> None:
    assert cem.read_certs_only(partner.certificate.der) == (partner.certificate,)


def test_a_serial_number_below_zero_is_read_and_answered() -> None:
    odd = company("Partner")
    signed = replace(odd.certificate, serial=b"\xfb")
    assert cem.trust(signed, BOTH).serial == -5


@pytest.mark.parametrize(
    ("content_type", "is_one"),
    [
        ("application/ediint-cert-exchange+xml", True),
        ('multipart/related; boundary="x"; type="application/EDIINT-cert-exchange+xml"', True),
        ('multipart/related; boundary="x"; type="application/EDI-X12"', False),
        ("application/EDI-X12", False),
        ("application/xml", False),
        ("", False),
        (None, False),
    ],
)
def test_an_exchange_is_known_by_its_mime_type(content_type: str | None, *, is_one: bool) -> None:
    assert is_exchange(content_type) is is_one


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {b} "{"".join(["&", a, ";"] * 10)}">' for a, b in pairwise("abcdefghi"))
    + "]>"
)
FORBIDDEN = {
    "a DOCTYPE": "<!DOCTYPE EDIINTCertificateExchangeRequest>",
    "a billion laughs": BOMB,
    "an external entity": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
    "a parameter entity": '<!DOCTYPE x [<!ENTITY % e SYSTEM "http://127.0.0.1:9/x">%e;]>',
    "an external DTD": '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
}


@pytest.mark.parametrize("head", FORBIDDEN.values(), ids=FORBIDDEN)
def test_e08_xml_that_leads_out_of_itself_is_refused(partner: Company, head: str) -> None:
    xml = THEIRS.replace("?>\n", f"?>\n{head}\n", 1).replace("THEM<", "THEM&i;<")
    with pytest.raises(CemError) as caught:
        read(*theirs(partner, xml))
    assert caught.value.forbidden


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-7"])
def test_e08_a_doctype_in_another_encoding_is_refused_too(partner: Company, encoding: str) -> None:
    xml = THEIRS.replace("UTF-8", encoding).replace("?>\n", "?>\n<!DOCTYPE x>\n", 1)
    content_type, _ = theirs(partner)
    body = b"--b\r\nContent-Type: application/ediint-cert-exchange+xml\r\n\r\n" + xml.encode(encoding)
    with pytest.raises(CemError):
        read(content_type, body + b"\r\n--b--\r\n")


@pytest.mark.parametrize(
    "xml",
    [
        THEIRS + "more",
        THEIRS.rstrip() + "\0",
        THEIRS.replace("</TrustRequest>", ""),
        THEIRS.replace("ExchangeRequest", "ExchangeRumour"),
        THEIRS.replace(' requestId="as2_1330000000000-42@THEM_US"', ""),
        THEIRS.replace("keyEncipherment", "everything"),
        re.sub("<CertUsage>.*</CertUsage>", "", THEIRS),
        THEIRS.replace("2026-12-24T19", "the 24th"),
        re.sub("(<RespondByDate>)[^<]*", r"\g<1>0001-01-01T00:00:00+14:00", THEIRS),
        re.sub("(<RespondByDate>)[^<]*", r"\g<1>9999-12-31T23:59:59-14:00", THEIRS),
        THEIRS.replace("SERIAL", "17"),
        THEIRS.replace("SERIAL", "0x11"),
        THEIRS.replace("SERIAL", "9" * 101),
        THEIRS.replace("cert@them<", "other@them<"),
        THEIRS.replace("CN=Partner", "C" * 1001),
        THEIRS.replace("CN=Partner", "CN=\u202e"),
        re.sub(r"\t<TrustRequest>.*</TrustRequest>\n", "", THEIRS, flags=re.S),
        THEIRS.replace("<TradingPartnerInfo>", "<d>" * 400 + "<TradingPartnerInfo>").replace(
            "</TradingPartnerInfo>", "</TradingPartnerInfo>" + "</d>" * 400
        ),
        THEIRS.replace("<Name", "<Name " + " ".join(f'a{n}="x"' for n in range(9000))),
    ],
    ids=[
        "bytes after the XML", "a NUL", "not well-formed", "another root", "no requestId", "an unknown usage",
        "no usage", "no date", "a date before all time", "a date after all time",
        "another serial number", "a serial number in hex", "an endless serial number",
        "a part that did not come", "an endless issuer", "an issuer that steers a terminal",
        "no TrustRequest", "deep", "too large",
    ],
)  # fmt: skip
def test_f4_what_is_no_usable_exchange_is_refused(partner: Company, xml: str) -> None:
    with pytest.raises(CemError):
        read(*theirs(partner, xml))


def test_f4_a_request_of_more_certificates_than_anyone_has_is_refused(partner: Company) -> None:
    item = THEIRS[THEIRS.index("\t<TrustRequest>") : THEIRS.index("</EDIINT")]
    with pytest.raises(CemError, match="17 TrustRequests"):
        read(*theirs(partner, THEIRS.replace(item, item * 17)))


@pytest.mark.parametrize("data", [b"", b"hello", b"0\x80", cem.certs_only(())], ids=str)
def test_f4_what_is_no_certificate_is_refused(partner: Company, data: bytes) -> None:
    with pytest.raises(CemError):
        read(*theirs(partner, certificates=data))


def test_f4_a_body_of_a_megabyte_is_not_even_read() -> None:
    with pytest.raises(CemError, match="too many"):
        read("application/ediint-cert-exchange+xml", b" " * (1 << 20))


def test_f4_a_response_to_several_certificates_says_of_each_what_became_of_it() -> None:
    verdicts = (Verdict(ACCEPTED, "CN=A", 1), Verdict(REJECTED, "CN=B", 2, "expired"))
    payload = cem.build_response(Response("1", "US", verdicts), NOW)
    found = read(payload.content_type, payload.body)
    assert isinstance(found, Response)
    assert found.verdicts == verdicts


def test_f4_a_status_in_another_case_is_understood_and_an_unknown_one_refused() -> None:
    payload = cem.build_response(Response("1", "US", (Verdict(ACCEPTED, "CN=A", 1),)), NOW)
    found = read(payload.content_type, payload.body.replace(b"Accepted", b"ACCEPTED"))
    assert isinstance(found, Response)
    assert found.verdicts[0].status == ACCEPTED
    with pytest.raises(CemError, match="CertStatus"):
        read(payload.content_type, payload.body.replace(b"Accepted", b"Maybe"))
