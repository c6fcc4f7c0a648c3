"""`doc explain` of AS2 that failed: the cause is found in the stored bytes, and no partner is told of it."""

from __future__ import annotations

import re
import shutil
import ssl
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from peers import (
    PREFIX,
    Answer,
    Company,
    Endpoint,
    Headers,
    Message,
    Peer,
    endpoint,
    entity,
    enveloped,
    mic,
    openssl,
    post,
    signed,
)
from serving import Gateway, interchange, made, number, order, partner, running, until

from gateway import diagnosis
from gateway.as2 import variants
from gateway.config import load
from gateway.diagnosis.sent import WAYS

ONE_TRY = 'retry = { attempts = 1, first = "1s" }\n'


class World(NamedTuple):
    """A gateway that serves, its partners, and the URL at which they answer."""

    gateway: Gateway
    bigmart: Peer
    other: Peer
    stranger: Company
    retired: Path
    url: Endpoint

    def refused(self, message: Message) -> dict[str, Any]:
        """What is explained of a message that was refused; its receipt tells no more than the standard."""
        answer = post(self.gateway.as2, message)
        assert answer.status == 200
        receipt = self.bigmart.read(answer)
        assert receipt.disposition.startswith("processed/error: ")
        row = next(row for row in self.gateway.inbox() if row["message_id"] == message.id)
        told: dict[str, Any] = self.gateway.must("doc", "explain", row["id"], "--json").json
        assert set(told) == {
            "id", "status", "reason", "error", "problems", "answers", "diagnosis", "next", "commands",
        }  # fmt: skip
        for finding in told["diagnosis"]:
            assert set(finding) == {"code", "text", "advice", "commands", "facts"}
            assert finding["text"].encode() not in answer.body
            assert finding["code"].encode() not in answer.body
        assert row["id"] in {line["id"] for line in self.gateway.must("dead", "list", "--json").lines}
        return told

    def change(self, setting: str) -> None:
        """Set a key of bigmart's, and wait until the server has taken it up."""
        before = self.gateway.log.count("was reloaded")
        self.gateway.must("partner", "set", "bigmart", setting)
        until(lambda: self.gateway.log.count("was reloaded") > before)

    def failed(self, answer: Any) -> dict[str, Any]:
        """What is explained of a transmission of ours that was answered by this."""
        self.url.answer = answer
        file = self.gateway.home.parent / "out.x12"
        file.write_bytes(SENT)
        sent = self.gateway.must("send", "bigmart", file, "--json").json["transmission"]
        until(lambda: self.gateway.show(sent)["status"] == "failed", 20)
        told: dict[str, Any] = self.gateway.must("doc", "explain", sent, "--json").json
        return told


SENT = b"one line\r\nand another\r\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("diagnosis")
    with endpoint() as url:
        tables = partner("bigmart", "BIGMARTEDI", ("08", "9254110060"), url=url.url)
        tables = tables.replace('id = "BIGMARTEDI"', f'id = "BIGMARTEDI"\n{ONE_TRY}')
        gateway = made(folder, tables, partner("other", "OTHER", ("ZZ", "OTHER")))
        retired = Company.made(folder / "ours", "retired")
        shutil.copy(retired.cert, gateway.home / "certs" / "retired.crt")
        shutil.copy(retired.key, gateway.home / "secrets" / "retired.key")
        (gateway.home / "secrets" / "retired.key").chmod(0o600)
        file = gateway.home / "partners.toml"
        text = file.read_text()
        listed = '{ id = "old", cert = "certs/retired.crt", key = "file:secrets/retired.key", '
        listed += "retire_after = 2026-01-01 }"
        assert "keys = [" in text
        file.write_text(text.replace("keys = [", f"keys = [{listed}, ", 1))
        us = gateway.home / "certs" / "us.crt"
        company = {name: Company.made(folder / "theirs", name) for name in ("bigmart", "other", "stranger")}
        for name in ("bigmart", "other"):
            shutil.copy(company[name].cert, gateway.home / "certs")
        with running(gateway):
            yield World(
                gateway,
                Peer("BIGMARTEDI", company["bigmart"], us),
                Peer("OTHER", company["other"], us),
                company["stranger"],
                retired.cert,
                url,
            )


def payload() -> bytes:
    return interchange(number(), order("PO-DIAGNOSIS")).replace(b"~", b"~\r\n")


def message(world: World, whole: bytes, recipient: Path | None = None) -> Message:
    """A message of bigmart's around an entity written by hand."""
    made = world.bigmart.message(b"")
    return made._replace(body=enveloped(whole, recipient or world.bigmart.gateway_cert))


def signed_over(covered: bytes, arrived: bytes, signer: Company) -> bytes:
    """A multipart/signed whose signature covers one form, and that carries another."""
    whole = signed(covered, signer)
    assert whole.count(covered) == 1
    return whole.replace(covered, arrived)


def only(told: dict[str, Any]) -> dict[str, Any]:
    (finding,) = told["diagnosis"]
    assert finding["advice"] in told["next"]
    return dict(finding)


def zipped(part: bytes) -> bytes:
    """CompressedData in definite lengths, written by hand."""

    def tlv(tag: int, *parts: bytes) -> bytes:
        content = b"".join(parts)
        size = len(content)
        head = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")
        return bytes([tag]) + head + content

    oid = bytes.fromhex
    inside = tlv(
        0x30, oid("060b2a864886f70d0109100109"),
        tlv(0xA0, tlv(0x30, b"\x02\x01\x00", tlv(0x30, oid("060b2a864886f70d0109100308")),
            tlv(0x30, oid("06092a864886f70d010701"), tlv(0xA0, tlv(0x04, zlib.compress(part)))))),
    )  # fmt: skip
    return (
        b"Content-Type: application/pkcs7-mime; smime-type=compressed-data\r\n"
        b"Content-Transfer-Encoding: binary\r\n\r\n" + inside
    )


# (a) What the partner's signature covers.

FORMS = {
    "lines ended by LF": (lambda part: part.replace(b"\r\n", b"\n"), ["line-ends-lf"], "LF"),
    "a header less": (
        lambda part: part.replace(b"Content-Transfer-Encoding: binary\r\n", b""),
        ["header-missing"],
        "that stands here",
    ),
    "the content alone": (
        lambda part: part.partition(b"\r\n\r\n")[2], ["headers-not-counted"], "without its MIME headers",
    ),
    "a line break more": (lambda part: part + b"\r\n", ["trailing-line-breaks"], "line breaks at the end"),
    "another encoding told": (
        lambda part: part.replace(b"Encoding: binary", b"Encoding: 7bit"), ["header-value"], "another value",
    ),
}  # fmt: skip


@pytest.mark.external("openssl")
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_form_that_a_signature_covers_is_named(world: World, form: tuple[Any, list[str], str]) -> None:
    change, variant, words = form
    part = entity(payload(), "o.x12")
    told = world.refused(message(world, signed_over(change(part), part, world.bigmart.company)))
    assert told["reason"] == "AUTH_FAILED"
    finding = only(told)
    assert finding["code"] == "signed-otherwise"
    assert finding["facts"]["variant"] == variant
    assert finding["facts"]["digest"] == "sha256"
    assert words in finding["text"]
    assert finding["advice"].startswith("ask the partner")


@pytest.mark.external("openssl")
def test_a_signature_over_what_was_compressed_later_is_named(world: World) -> None:
    part = entity(payload(), "o.x12")
    told = world.refused(message(world, signed_over(part, zipped(part), world.bigmart.company)))
    finding = only(told)
    assert finding["facts"]["variant"] == ["uncompressed"]
    assert "5402" in finding["advice"]


@pytest.mark.external("openssl")
def test_content_that_was_really_changed_matches_no_form_and_that_is_said(world: World) -> None:
    told = world.refused(world.bigmart.message(payload(), tampered=True))
    finding = only(told)
    assert finding["code"] == "content-changed"
    assert finding["facts"]["variant"] is None
    assert finding["facts"]["tried"] > 1000
    assert f"tradelane evidence {told['id']}" in told["commands"]


# (d) Who signed.


@pytest.mark.external("openssl")
def test_a_signer_who_is_not_listed_is_named_and_its_certificate_can_be_saved(
    world: World, tmp_path: Path
) -> None:
    told = world.refused(world.bigmart.message(payload(), signer=world.stranger))
    finding = only(told)
    assert finding["code"] == "signer-not-listed"
    assert "CN=stranger" in finding["text"]
    printed = openssl("x509", "-in", world.stranger.cert, "-noout", "-fingerprint", "-sha256").decode()
    assert printed.strip().rpartition("=")[2] in finding["text"]
    file = tmp_path / "new.pem"
    world.gateway.must("doc", "explain", told["id"], "--save-certificate", file)
    assert openssl("x509", "-in", file, "-noout", "-fingerprint", "-sha256").decode() == printed
    assert any(command.startswith("tradelane partner ") for command in finding["commands"])


@pytest.mark.external("openssl")
def test_a_signer_who_is_another_partner_is_named_and_nothing_is_offered_to_import(world: World) -> None:
    told = world.refused(world.bigmart.message(payload(), signer=world.other.company))
    finding = only(told)
    assert finding["code"] == "signer-is-other"
    assert "other.crt of other" in finding["text"]
    assert finding["commands"] == []


@pytest.mark.external("openssl")
def test_who_signed_and_what_is_covered_are_both_told(world: World) -> None:
    part = entity(payload(), "o.x12")
    told = world.refused(message(world, signed_over(part.replace(b"\r\n", b"\n"), part, world.stranger)))
    assert [finding["code"] for finding in told["diagnosis"]] == ["signer-not-listed", "signed-otherwise"]


# (c) To whom it was encrypted.


@pytest.mark.external("openssl")
@pytest.mark.parametrize("whose", ["stranger", "their own", "another partner's", "retired"])
def test_whose_certificate_a_message_was_encrypted_to_is_told(world: World, whose: str) -> None:
    certificate, code, words = {
        "stranger": (world.stranger.cert, "encrypted-to-unknown", "issuer CN=stranger, serial number"),
        "their own": (world.bigmart.company.cert, "encrypted-to-other", "their own certificate bigmart.crt"),
        "another partner's": (world.other.company.cert, "encrypted-to-other", "that of other other.crt"),
        "retired": (world.retired, "encrypted-to-retired", "our key 'old', which has retired"),
    }[whose]
    told = world.refused(message(world, signed(entity(payload()), world.bigmart.company), certificate))
    assert told["reason"] == "DECRYPT_FAILED"
    finding = only(told)
    assert finding["code"] == code
    assert words in finding["text"]
    serial = openssl("x509", "-in", certificate, "-noout", "-serial").decode().strip().rpartition("=")[2]
    (recipient,) = finding["facts"]["recipients"]
    assert recipient["serial"].lstrip("0") == serial.lower().lstrip("0")
    assert finding["commands"] == ["tradelane partner sheet bigmart"]


@pytest.mark.external("openssl")
def test_an_envelope_that_was_damaged_is_told_from_one_for_others(world: World) -> None:
    good = world.bigmart.message(payload())
    told = world.refused(good._replace(body=good.body[:-20] + bytes(20)))
    finding = only(told)
    assert finding["code"] == "damaged-envelope"
    assert "encrypted to our key" in finding["text"]


# (e) What was agreed.


@pytest.mark.external("openssl")
@pytest.mark.parametrize(
    ("sign", "encrypt", "codes"),
    [
        (False, False, ["not-encrypted", "not-signed"]),
        (True, False, ["not-encrypted"]),
        (False, True, ["not-signed"]),
    ],
)
def test_what_is_weaker_than_agreed_is_told_beside_what_is_agreed(
    world: World, sign: bool, encrypt: bool, codes: list[str]
) -> None:
    told = world.refused(world.bigmart.message(payload(), sign=sign, encrypt=encrypt))
    assert [finding["code"] for finding in told["diagnosis"]] == codes
    assert {finding["facts"]["agreed"] for finding in told["diagnosis"]} <= {"sha256", "aes256-cbc"}


@pytest.mark.external("openssl")
def test_a_weak_cipher_is_named_with_the_command_that_would_agree_to_it(world: World) -> None:
    good = world.bigmart.message(payload())
    body = enveloped(signed(entity(payload()), world.bigmart.company), world.bigmart.gateway_cert, "des3")
    told = world.refused(good._replace(body=body))
    finding = only(told)
    assert finding["code"] == "weak-cipher"
    assert finding["commands"] == ["tradelane partner set bigmart as2.encrypt=3des"]
    dry = world.gateway.run(*finding["commands"][0].split()[1:], "--dry-run")
    assert dry.exit == 0, dry.err


# (b) Their MIC over what we sent.


def answered(
    world: World, covered: Any, *, named: str = "sha-256", digest: str = "sha256", **more: Any
) -> Any:
    """A partner that receives rightly, and counts the MIC over another form."""

    def answer(headers: Headers, body: bytes) -> Answer:
        fields = {name.lower(): value for name, value in headers}
        part = world.bigmart.open(headers, body).signed_part
        receipt = world.bigmart.receipt(fields["message-id"], lambda: mic(covered(part), digest), **more)
        if named != "sha-256":  # signed anew, since the report is covered
            receipt = renamed(world, fields["message-id"], mic(covered(part), digest), named)
        return Answer(200, receipt.headers, receipt.body)

    return answer


def renamed(world: World, message_id: str, value: str, named: str) -> Message:
    report = (
        "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: message/disposition-notification\r\n\r\n"
        f"Original-Message-ID: {message_id}\r\nReceived-Content-MIC: {value}, {named}\r\n"
        f"Disposition: {PREFIX}processed\r\n\r\n--b--\r\n"
    ).encode()
    whole = signed(report, world.bigmart.company)
    head, _, body = whole.partition(b"\r\n\r\n")
    blank = world.bigmart.receipt(message_id, lambda: value)
    headers = [pair for pair in blank.headers if pair[0] != "Content-Type"]
    return blank._replace(headers=[*headers, ("Content-Type", head.decode().partition(": ")[2])], body=body)


@pytest.mark.external("openssl")
@pytest.mark.parametrize(
    ("covered", "variant"),
    [
        (lambda part: part.replace(b"\r\n", b"\n"), ["line-ends-lf"]),
        (lambda part: part.partition(b"\r\n\r\n")[2], ["headers-not-counted"]),
        (lambda part: part.rstrip(b"\r\n"), ["trailing-line-breaks"]),
        (lambda part: part.replace(b": ", b":"), ["header-spacing"]),
        (lambda part: part + b"changed", None),
    ],
    ids=["LF", "no headers", "trimmed", "spacing", "other content"],
)
def test_the_form_over_which_a_partner_took_its_mic_is_named(
    world: World, covered: Any, variant: list[str] | None
) -> None:
    told = world.failed(answered(world, covered))
    assert told["reason"] == "MDN_INVALID"
    finding = only(told)
    assert finding["code"] == ("mic-of-other-content" if variant is None else "mic-otherwise")
    assert finding["facts"]["variant"] == variant
    assert any(command.startswith("tradelane doc re") for command in told["commands"])


@pytest.mark.external("openssl")
def test_a_mic_of_another_algorithm_than_it_names_is_told(world: World) -> None:
    finding = only(world.failed(answered(world, lambda part: part, named="sha-256 ", digest="sha512")))
    assert finding["facts"]["variant"] == ["digest"]
    assert "sha512, where sha256 is named" in finding["text"]


@pytest.mark.external("openssl")
def test_a_mic_over_what_was_not_compressed_proposes_the_key_and_the_presets_that_set_it(
    world: World,
) -> None:
    world.change("as2.compress=before-sign")
    try:
        plain = entity(SENT, "out.x12", "application/octet-stream")
        told = world.failed(answered(world, lambda part: plain))
    finally:
        world.change("as2.compress=none")
    finding = only(told)
    assert finding["facts"]["variant"] == ["uncompressed"]
    assert "preset" in finding["advice"]
    assert "amazon" in finding["advice"]
    assert finding["commands"] == [
        "tradelane partner set bigmart as2.compress=none",
        f"tradelane doc resubmit {told['id']}",
    ]


# (d, g) Receipts that prove nothing.


@pytest.mark.external("openssl")
def test_a_receipt_signed_by_a_stranger_is_explained_by_its_certificate(world: World, tmp_path: Path) -> None:
    told = world.failed(answered(world, lambda part: part, signer=world.stranger))
    finding = only(told)
    assert finding["code"] == "signer-not-listed"
    assert "the receipt is signed with a certificate you have not been given: CN=stranger" in finding["text"]
    world.gateway.must("doc", "explain", told["id"], "--save-certificate", tmp_path / "new.pem")
    assert b"BEGIN CERTIFICATE" in (tmp_path / "new.pem").read_bytes()


@pytest.mark.external("openssl")
def test_an_unsigned_receipt_and_one_for_another_message_are_told_apart(world: World) -> None:
    assert only(world.failed(answered(world, lambda part: part, sign=False)))["code"] == "receipt-unsigned"

    def other(headers: Headers, body: bytes) -> Answer:
        receipt = world.bigmart.receipt(
            "<another@sent>", lambda: mic(world.bigmart.open(headers, body).signed_part)
        )
        return Answer(200, receipt.headers, receipt.body)

    finding = only(world.failed(other))
    assert finding["code"] == "receipt-of-other"
    assert finding["facts"]["original_message_id"] == "<another@sent>"


@pytest.mark.external("openssl")
def test_an_answer_that_is_a_web_page_is_shown_as_what_it_is(world: World) -> None:
    page = b"<html><title>Welcome</title></html>"
    told = world.failed(lambda headers, body: Answer(200, [("Content-Type", "text/html")], page))
    finding = only(told)
    assert finding["code"] == "receipt-missing"
    assert "text/html" in finding["text"]
    assert "Welcome" in finding["text"]
    assert "tradelane partner set bigmart as2.mdn.mode=async" in finding["commands"]


@pytest.mark.external("openssl")
@pytest.mark.parametrize(
    "word", ["decryption-failed", "authentication-failed", "integrity-check-failed",
             "insufficient-message-security", "duplicate-filename", "illegal-filename",
             "unexpected-processing-error"],
)  # fmt: skip
def test_a_negative_receipt_is_explained_with_what_to_do(world: World, word: str) -> None:
    told = world.failed(answered(world, lambda part: part, disposition=f"processed/error: {word}"))
    assert told["reason"] == "PEER_REJECTED"
    finding = only(told)
    assert finding["code"] == f"refused-{word}"
    assert "{" not in finding["text"] + finding["advice"]
    if word == "decryption-failed":
        assert "bigmart.crt" in finding["text"]
        assert "us.crt" in finding["text"]
    assert f"tradelane doc resubmit {told['id']}" in told["commands"]


# (f) The way there.


@pytest.mark.external("openssl")
@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "http-authentication"), (403, "http-forbidden"), (404, "http-url"), (302, "http-redirect"),
     (411, "http-length"), (417, "http-expect"), (500, "http-server-error")],
)  # fmt: skip
def test_a_refusal_of_http_is_explained_by_its_status(world: World, status: int, code: str) -> None:
    told = world.failed(lambda headers, body: Answer(status, [], b""))
    assert only(told)["code"] == code
    if status == 403:
        assert "from NORTHWIND to BIGMARTEDI" in only(told)["text"]
        assert only(told)["commands"][-1].startswith("tradelane doc resend ")


@pytest.mark.external("openssl")
def test_what_was_refused_under_an_as2_id_that_was_corrected_since_is_to_be_sent_anew(world: World) -> None:
    told = world.failed(lambda headers, body: Answer(403, [], b""))
    world.change("as2.id=BIGMART")
    try:
        now = world.gateway.must("doc", "explain", told["id"], "--json").json
    finally:
        world.change("as2.id=BIGMARTEDI")
    assert only(now)["commands"][-1] == f"tradelane doc resubmit {told['id']}"


def sent_to(world: World, url: str) -> dict[str, Any]:
    """What is explained of a file sent to another URL."""
    before = world.url.url
    world.change(f"as2.url={url}")
    try:
        return world.failed(world.url.answer)
    finally:
        world.change(f"as2.url={before}")


@pytest.mark.external("openssl")
def test_a_server_that_is_not_there_one_with_a_strange_certificate_and_one_without_tls_are_told_apart(
    world: World, tmp_path: Path
) -> None:
    assert only(sent_to(world, "http://127.0.0.1:9/as2"))["code"] == "refused-connection"
    assert only(sent_to(world, "http://no-such-host.invalid/as2"))["code"] == "dns"
    assert only(sent_to(world, world.url.url.replace("http:", "https:")))["code"] == "tls"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(world.stranger.cert, world.stranger.key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        told = sent_to(world, f"https://127.0.0.1:{server.server_address[1]}/as2")
    finally:
        server.shutdown()
        server.server_close()
    assert only(told)["code"] == "tls-certificate"


@pytest.mark.external("openssl")
def test_what_was_accepted_or_delivered_has_no_diagnosis(world: World) -> None:
    good = world.bigmart.message(payload())
    assert post(world.gateway.as2, good).status == 200
    row = world.gateway.settled(good.id)
    told = world.gateway.must("doc", "explain", row["id"], "--json").json
    assert told["diagnosis"] == []
    save = world.gateway.run("doc", "explain", row["id"], "--save-certificate", "/nowhere/x.pem")
    assert save.exit != 0
    assert load(world.gateway.home).partner("bigmart").as2 is not None


@pytest.mark.external("openssl")
def test_a_message_refused_by_its_headers_is_explained_by_them(world: World) -> None:
    odd = world.bigmart.message(payload()).with_headers(message_id="<a blank in@it>")
    finding = only(world.refused(odd._replace(id="<a blank in@it>")))
    assert finding["code"] == "headers"
    assert "Message-ID holds blanks" in finding["text"]


@pytest.mark.external("openssl")
def test_what_was_refused_before_a_certificate_was_listed_would_be_accepted_now(
    world: World, tmp_path: Path
) -> None:
    newer = Company.made(tmp_path / "newer", "BIGMARTEDI")
    told = world.refused(world.bigmart.message(payload(), signer=newer))
    assert only(told)["code"] == "signer-not-listed"
    file = tmp_path / "new.pem"
    world.gateway.must("doc", "explain", told["id"], "--save-certificate", file)
    before = world.gateway.log.count("was reloaded")
    world.gateway.must("partner", "rotate-cert", "bigmart", file)
    until(lambda: world.gateway.log.count("was reloaded") > before)
    again = world.gateway.must("partner", "rotate-cert", "bigmart", file)
    assert b"has it already" in again.out
    told = world.gateway.must("doc", "explain", told["id"], "--json").json
    assert only(told)["code"] == "acceptable-now"


@pytest.mark.external("openssl")
def test_an_asynchronous_receipt_with_another_mic_is_explained_while_a_true_one_is_awaited(
    world: World,
) -> None:
    world.change("as2.mdn.mode=async")
    usual, world.url.answer = world.url.answer, lambda headers, body: Answer(204, [], b"")
    try:
        file = world.gateway.home.parent / "out.x12"
        file.write_bytes(SENT)
        sent = world.gateway.must("send", "bigmart", file, "--json").json["transmission"]
        until(lambda: world.gateway.show(sent)["status"] == "sent")
        headers, body = world.url.received[-1]
        part = world.bigmart.open(headers, body).signed_part
        wrong = world.bigmart.receipt(
            dict(headers)["Message-ID"], lambda: mic(part.partition(b"\r\n\r\n")[2])
        )
        assert post(world.gateway.as2, wrong).status == 204
        forged = world.bigmart.receipt(dict(headers)["Message-ID"], lambda: mic(b""), signer=world.stranger)
        assert post(world.gateway.as2, forged).status == 204
        told = world.gateway.must("doc", "explain", sent, "--json").json
        assert told["status"] == "sent"
        assert only(told)["facts"]["variant"] == ["headers-not-counted"]  # theirs is kept, not the stranger's
        assert post(world.gateway.as2, world.bigmart.receipt_for(headers, body)).status == 204
        assert world.gateway.show(sent)["status"] == "delivered"
        assert world.gateway.must("doc", "explain", sent, "--json").json["diagnosis"] == []
    finally:
        world.url.answer = usual
        world.change("as2.mdn.mode=sync")


def test_every_code_and_every_variant_stands_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "diagnosis.md").read_text()
    source = "".join(module.read_text() for module in Path(diagnosis.__file__).parent.glob("*.py"))
    codes = set(re.findall(r'(?:Finding|_policy)\(\s*"([a-z-]+)"', source)) | {way[1] for way in WAYS}
    assert len(codes) > 30
    told = set(re.findall(r"`([a-z.-]+)`", page))
    assert {code for code in codes if not code.startswith("http-")} <= told
    families = {name.removesuffix("...") for name in told if name.endswith("...")}
    for id in variants.WORDS:
        assert id in told or any(id.startswith(family) for family in families), id
