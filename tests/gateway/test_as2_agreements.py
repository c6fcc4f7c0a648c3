"""What partners may agree about AS2 beyond the usual, against a server in a process of its own."""

from __future__ import annotations

import email
import email.utils
import re
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from peers import (
    Answer,
    Company,
    Endpoint,
    Headers,
    Message,
    Peer,
    endpoint,
    enveloped,
    mic,
    post,
    read_receipt,
    signed,
)
from serving import Gateway, interchange, made, number, order, partner, running, until

from gateway import channels
from gateway.config import As2

WARNING = "processed/warning: "
PDF = b"%PDF-1.7\n" + bytes(range(256))

AGREED = {
    "usual": "",
    "files": "attachments = true",
    "warn": 'filenames = "warn"',
    "strict": 'filenames = "reject"',
    "legacy": 'filenames = "reject"\nprofile = "1.2"',
    "modern": 'attachments = true\nprofile = "1.3"\nmicalg = "plain"\nsignature = "pss"',
    "coded": 'encoding = "base64"\nkey_transport = "oaep"\nencrypt_to_self = true\nmicalg = "hyphen"',
    "lenient": 'unauthenticated = "warn"',
    "rolling": "attachments = true",
}


class World(NamedTuple):
    """A gateway that serves, its partners by name, and the URL of them all."""

    gateway: Gateway
    peers: dict[str, Peer]
    url: Endpoint


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("agreed")
    peers: dict[str, Peer] = {}
    renewed = Company.made(folder / "theirs", "renewed")

    def answer(headers: Headers, body: bytes) -> Answer:
        fields = {name.lower(): value for name, value in headers}
        if "disposition-notification-to" not in fields:
            return Answer(204, [], b"")
        peer = next(peer for peer in peers.values() if peer.as2_id == fields["as2-to"])
        if peer.as2_id == "ROLLING":
            refused = any(
                ("as2-to", "ROLLING") in [(k.lower(), v) for k, v in one] for one, _ in url.received
            )
            if not refused:
                words = "processed/error: decryption-failed"
                receipt = peer.receipt(fields["message-id"], lambda: "", disposition=words)
                return Answer(200, *receipt[:2])
            peer = Peer("ROLLING", renewed, peer.gateway_cert)
        return Answer(200, *peer.receipt_for(headers, body)[:2])

    with endpoint(answer) as url:
        tables = [agreed(name, lines, url.url) for name, lines in AGREED.items()]
        gateway = made(folder, *tables)
        for name in AGREED:
            make = outdated if name == "lenient" else Company.made
            company = make(folder / "theirs", name)
            shutil.copy(company.cert, gateway.home / "certs")
            peers[name] = Peer(name.upper(), company, gateway.home / "certs" / "us.crt")
        shutil.copy(renewed.cert, gateway.home / "certs")
        with running(gateway):
            yield World(gateway, peers, url)


def agreed(name: str, lines: str, url: str) -> str:
    """The tables of a partner with these lines in its AS2 table."""
    usual = partner(name, name.upper(), ("ZZ", name.upper()), url=url)
    if name == "lenient":
        usual = usual.replace('encrypt = "aes256-cbc"', 'encrypt = "none"')
    if name == "modern":
        usual = usual.replace('encrypt = "aes256-cbc"\n', "")
    if name == "rolling":  # the new one stands ready, and is what a resend takes
        day = (datetime.now(UTC) + timedelta(days=3)).date()
        new = f'{{ file = "certs/renewed.crt", encrypt_from = {day} }}'
        usual = usual.replace("certs = [", f"certs = [{new}, ")
    return usual.replace(f"[partner.{name}.as2]\n", f"[partner.{name}.as2]\n{lines}\n")


def outdated(folder: Path, name: str) -> Company:
    """A company whose certificate has expired yesterday."""
    company = Company(folder, name)
    key = rsa.generate_private_key(65537, 2048)
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now - timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    company.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    company.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return company


def edi(peer: Peer, purchase_order: str) -> bytes:
    """An order from a partner, under a control number of its own."""
    return interchange(number(), order(purchase_order), sender=("ZZ", peer.as2_id))


def with_files(peer: Peer, *parts: bytes, subtype: str = "related") -> Message:
    """A message of several parts, each with its headers, signed and encrypted by openssl."""
    boundary = uuid.uuid4().hex
    delimiter = f"--{boundary}".encode()
    entity = (
        f'Content-Type: multipart/{subtype}; type="application/EDI-X12"; boundary={boundary}\r\n\r\n'.encode()
    )
    entity += b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in parts) + delimiter + b"--\r\n"
    body = enveloped(signed(entity, peer.company), peer.gateway_cert)
    return peer.message(b"")._replace(body=body, hashed=entity)


def part(content: bytes, *headers: str) -> bytes:
    return "".join(f"{header}\r\n" for header in headers).encode() + b"\r\n" + content


# Attachments


def test_f2_the_files_of_a_message_are_stored_apart_and_the_edi_among_them_is_read(world: World) -> None:
    gateway, peer = world.gateway, world.peers["usual"]
    payload = edi(peer, "PO-FILES")
    message = with_files(
        peer,
        part(PDF, "Content-Type: application/pdf", "Content-ID: <d@x>",
             'Content-Disposition: attachment; filename="../drawing.pdf"'),
        part(payload, "Content-Type: application/EDI-X12", "Content-ID: <o@x>",
             'Content-Disposition: attachment; filename="order.x12"'),
        part(b"as agreed"),
    )  # fmt: skip
    receipt = peer.read(post(gateway.as2, message))
    assert (receipt.disposition, receipt.verified) == ("processed", True)
    assert receipt.mic == f"{mic(message.hashed)}, sha-256"
    shown = gateway.settled(message.id)
    assert (shown["status"], shown["filename"], shown["size"]) == ("done", "order.x12", len(payload))
    assert shown["attachments"] == 2
    assert [
        (one["part"], one["document"], one["content_id"], one["filename"], one["given_filename"],
         one["content_type"], one["size"])
        for one in shown["parts"]
    ] == [
        (1, False, "<d@x>", "drawing.pdf", "../drawing.pdf", "application/pdf", len(PDF)),
        (2, True, "<o@x>", "order.x12", None, "application/EDI-X12", len(payload)),
        (3, False, None, None, None, "text/plain", 9),
    ]  # fmt: skip
    (row,) = gateway.received(message.id)
    assert row["attachments"] == 2
    for flags, content in {
        (): payload, ("--part", 1): PDF, ("--part", 2): payload, ("--part", 3): b"as agreed",
    }.items():  # fmt: skip
        assert gateway.must("doc", "raw", row["id"], *flags).out == content
    gone = gateway.run("doc", "raw", row["id"], "--part", 4)
    assert (gone.exit, "no part 4" in gone.err) == (3, True)
    until(lambda: gateway.erp_has("PO-FILES"))
    (document,) = [one for one in gateway.documents(direction="in") if one["transmission"] == row["id"]]
    assert gateway.must("doc", "raw", document["id"], "--part", 1).out == PDF
    assert "drawing.pdf" in gateway.must("doc", "show", row["id"]).out.decode()
    again = peer.read(post(gateway.as2, message))
    assert (again.disposition, len(gateway.received(message.id))) == ("processed", 1)


def test_f2_a_file_alone_has_one_part(world: World) -> None:
    message = world.peers["usual"].message(edi(world.peers["usual"], "PO-ALONE"))
    post(world.gateway.as2, message)
    shown = world.gateway.settled(message.id)
    assert (shown["attachments"], shown["parts"]) == (0, [])
    payload = world.gateway.must("doc", "raw", shown["id"]).out
    assert world.gateway.must("doc", "raw", shown["id"], "--part", 1).out == payload
    assert world.gateway.run("doc", "raw", shown["id"], "--part", 2).exit == 3


def test_f2_an_inner_boundary_that_is_not_closed_is_refused_and_nothing_of_it_is_read(world: World) -> None:
    peer = world.peers["usual"]
    message = with_files(
        peer, part(edi(peer, "PO-OPEN")), part(b"--z\r\n\r\nx", "Content-Type: multipart/mixed; boundary=z")
    )
    receipt = peer.read(post(world.gateway.as2, message))
    assert receipt.disposition == "processed/error: unexpected-processing-error"
    (row,) = world.gateway.received(message.id)
    assert (row["status"], row["reason"], row["attachments"]) == ("refused", "ENVELOPE_BROKEN", 0)


def test_f2_a_message_without_edi_keeps_its_files_and_waits_for_a_person(world: World) -> None:
    peer = world.peers["usual"]
    message = with_files(peer, part(PDF, "Content-Type: application/pdf"), part(b"<a/>"), subtype="mixed")
    assert peer.read(post(world.gateway.as2, message)).disposition == "processed"
    shown = world.gateway.settled(message.id)
    assert (shown["status"], shown["reason"], shown["attachments"]) == ("held", "ENVELOPE_BROKEN", 1)
    assert world.gateway.must("doc", "raw", shown["id"], "--part", 2).out == b"<a/>"


def sent(world: World, name: str, *words: object) -> tuple[dict[str, object], dict[str, str], bytes]:
    """What `send --wait` says, and the message as the partner got it: headers by name, body."""
    told = world.gateway.must("send", name, *words, "--wait", "--json").json
    for headers, body in world.url.received:
        fields = {key.lower(): value for key, value in headers}
        if fields.get("message-id") == told["message_id"]:
            return told, fields, body
    raise AssertionError("nothing was posted")


def test_f2_send_attaches_files_for_a_partner_that_takes_them(world: World, tmp_path: Path) -> None:
    payload = edi(world.peers["files"], "PO-OUT")
    for name, data in {"invoice.x12": payload, "scan.pdf": PDF, "notes é.txt": b"see scan\n"}.items():
        (tmp_path / name).write_bytes(data)
    told, headers, body = sent(
        world, "files", tmp_path / "invoice.x12",
        "--attach", tmp_path / "scan.pdf", "--attach", tmp_path / "notes é.txt",
    )  # fmt: skip
    assert (told["status"], told["mic_match"], told["receipt_signed"]) == ("delivered", True, True)
    assert headers["ediint-features"] == "multiple-attachments, AS2-Reliability"
    opened = world.peers["files"].open(list(headers.items()), body)
    assert opened.verified
    related = email.message_from_bytes(opened.signed_part)
    assert (related.get_content_type(), related.get_param("type")) == (
        "multipart/related",
        "application/EDI-X12",
    )
    parts = related.get_payload()
    assert [one.get_content_type() for one in parts] == [
        "application/edi-x12",
        "application/pdf",
        "text/plain",
    ]
    assert [email.utils.collapse_rfc2231_value(one.get_filename()) for one in parts] == [
        "invoice.x12", "scan.pdf", "notes é.txt",
    ]  # fmt: skip
    ids = [one["Content-ID"] for one in parts]
    assert len(set(ids)) == 3
    assert all(re.fullmatch(r"<[^<>\s]+@[^<>\s]+>", one) for one in ids)
    boundary = f"--{related.get_boundary()}".encode()
    raw = [
        one.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
        for one in opened.signed_part.split(boundary)[1:-1]
    ]
    assert raw == [payload, PDF, b"see scan\n"]
    shown = world.gateway.show(str(told["transmission"]))
    assert [one["content_id"] for one in shown["parts"]] == ids
    assert world.gateway.must("doc", "raw", told["transmission"], "--part", 2).out == PDF
    listed = [
        row for row in world.gateway.must("outbox", "--json").lines if row["id"] == told["transmission"]
    ]
    assert listed[0]["attachments"] == 2


def test_f2_what_is_resubmitted_takes_its_attachments_along(world: World, tmp_path: Path) -> None:
    (tmp_path / "order.xml").write_bytes(b"<order/>")
    (tmp_path / "scan.pdf").write_bytes(PDF)
    told, _, _ = sent(world, "files", tmp_path / "order.xml", "--attach", tmp_path / "scan.pdf")
    new = world.gateway.must("doc", "resubmit", told["transmission"], "--json").json["transmission"]
    until(lambda: world.gateway.show(new)["status"] == "delivered")
    first, again = world.gateway.show(str(told["transmission"])), world.gateway.show(new)
    assert again["message_id"] != first["message_id"]
    assert again["parts"] == first["parts"]
    assert len(again["parts"]) == 2
    (posted,) = [one for one in world.url.received if again["message_id"] in dict(one[0]).values()]
    related = email.message_from_bytes(world.peers["files"].open(*posted).signed_part)
    assert [one.get_payload(decode=True) for one in related.get_payload()] == [b"<order/>", PDF]


def test_f2_what_is_sent_again_with_another_certificate_takes_its_attachments_along(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "order.xml").write_bytes(b"<order/>")
    (tmp_path / "scan.pdf").write_bytes(PDF)
    words = ("send", "rolling", tmp_path / "order.xml", "--attach", tmp_path / "scan.pdf", "--json")
    first = world.gateway.must(*words).json["transmission"]
    until(lambda: world.gateway.show(first)["status"] == "superseded")

    def again() -> list[str]:
        rows = world.gateway.must("outbox", "--partner", "rolling", "--json").lines
        return [row["id"] for row in rows if row["id"] != first and row["status"] == "delivered"]

    (new,) = until(again)
    assert world.gateway.show(new)["parts"] == world.gateway.show(first)["parts"]
    assert world.gateway.must("doc", "raw", new, "--part", 2).out == PDF


def test_f2_send_refuses_attachments_that_were_not_agreed(world: World, tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"a")
    refused = world.gateway.run("send", "usual", file, "--attach", file)
    assert refused.exit == 4
    assert "attachments = true" in refused.err
    assert "tradelane partner set usual as2.attachments=true" in refused.err
    many = [word for _ in range(64) for word in ("--attach", file)]
    assert world.gateway.run("send", "files", file, *many).exit == 2
    tried = world.gateway.must("send", "files", file, "--attach", file, "--dry-run", "--json").json
    assert (tried["filename"], tried["attachments"]) == ("a.txt", 1)


# Names of files


def told_of(world: World, name: str, filename: str, payload: bytes | None = None) -> str:
    """The disposition for a file of this name, its content new unless given."""
    peer = world.peers[name]
    message = peer.message(payload or edi(peer, f"PO-{number()}"), filename=filename)
    receipt = peer.read(post(world.gateway.as2, message))
    assert receipt.verified
    (row,) = world.gateway.received(message.id)
    refused = receipt.disposition.startswith("processed/error")
    assert (row["status"] == "refused") == refused
    assert bool(receipt.mic) != refused
    return receipt.disposition


def test_f3_a_name_that_came_before_is_accepted_warned_of_or_refused_as_was_agreed(world: World) -> None:
    for name, second in {
        "usual": "processed",
        "warn": WARNING + "duplicate-filename",
        "strict": "processed/error: duplicate-filename",
        "legacy": "processed/error: unexpected-processing-error",
    }.items():
        first = edi(world.peers[name], f"PO-{name}")
        assert told_of(world, name, "orders.x12", first) == "processed"
        assert told_of(world, name, "orders.x12", first) == "processed", "the same content is no other file"
        assert told_of(world, name, "orders.x12") == second
        assert told_of(world, name, "ORDERS.x12") == "processed", "names have case"
        assert told_of(world, name, "") == "processed", "a file need have no name"


def test_f3_a_name_that_cannot_be_kept_is_accepted_warned_of_or_refused_as_was_agreed(world: World) -> None:
    for number_, bad in enumerate(["../up.x12", "C:\\up.x12", "bell\x07.x12", ".."]):
        for name, told in {
            "usual": "processed",
            "warn": WARNING + "illegal-filename",
            "strict": "processed/error: illegal-filename",
            "legacy": "processed/error: unexpected-processing-error",
        }.items():
            assert told_of(world, name, f"{bad}{number_}" if bad != ".." else bad) == told


def test_f3_a_refused_file_does_not_take_its_name(world: World) -> None:
    assert told_of(world, "strict", "../once.x12") == "processed/error: illegal-filename"
    assert told_of(world, "strict", "once.x12") == "processed"


@pytest.mark.parametrize("name", ["../explained.x12", "explained.x12"])
def test_f3_a_refused_name_is_explained_with_the_key_that_would_take_it(world: World, name: str) -> None:
    told_of(world, "strict", "explained.x12")
    peer = world.peers["strict"]
    message = peer.message(edi(peer, f"PO-{number()}"), filename=name)
    post(world.gateway.as2, message)
    (row,) = world.gateway.received(message.id)
    told = world.gateway.must("doc", "explain", row["id"], "--json").json
    (finding,) = told["diagnosis"]
    assert "name" in finding["text"]
    assert finding["commands"] == ["tradelane partner set strict as2.filenames=warn"]


def test_f3_a_legacy_partner_is_told_the_reason_in_words(world: World) -> None:
    peer = world.peers["legacy"]
    told_of(world, "legacy", "words.x12")
    message = peer.message(edi(peer, "PO-WORDS"), filename="words.x12")
    answer = post(world.gateway.as2, message)
    assert peer.read(answer).disposition == "processed/error: unexpected-processing-error"
    assert b"A file of this name with other content was received before." in answer.body
    (row,) = world.gateway.received(message.id)
    assert row["error"] == "words.x12 came before, with other content"


def test_f3_names_of_attachments_count_too(world: World) -> None:
    peer = world.peers["strict"]

    def named(content: bytes, name: str) -> bytes:
        return part(content, f'Content-Disposition: attachment; filename="{name}"')

    first, other = named(b"1", "scan.pdf"), named(b"2", "scan.pdf")
    told = []
    for parts in ([first], [first], [other], [named(b"3", "b"), named(b"4", "b")]):
        payload = part(edi(peer, f"PO-{number()}"), "Content-Type: application/EDI-X12")
        told.append(peer.read(post(world.gateway.as2, with_files(peer, payload, *parts))).disposition)
    assert told == ["processed", "processed", *["processed/error: duplicate-filename"] * 2]


def test_f3_of_two_files_at_once_one_is_the_second(world: World) -> None:
    peer = world.peers["strict"]
    messages = [peer.message(edi(peer, f"PO-AT-ONCE-{n}"), filename="at-once.x12") for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda one: peer.read(post(world.gateway.as2, one)).disposition, messages))
    assert sorted(answers) == ["processed", *["processed/error: duplicate-filename"] * 5]


# Profiles


def test_the_modern_profile_stands_in_what_is_sent_and_in_receipts(world: World, tmp_path: Path) -> None:
    peer = world.peers["modern"]
    file = tmp_path / "a.x12"
    file.write_bytes(edi(peer, "PO-MODERN"))
    told, headers, body = sent(world, "modern", file)
    assert told["status"] == "delivered"
    answer = post(world.gateway.as2, peer.message(edi(peer, "PO-MODERN-IN")))
    receipt = peer.read(answer)
    assert (receipt.disposition, receipt.verified) == ("processed", True)
    for found in (headers, {name.lower(): value for name, value in answer.headers}):
        assert found["as2-version"] == "1.3"
        assert re.fullmatch(r"tradelane:[0-9]+\.[0-9.]+", found["as2-product"])
        assert found["ediint-features"] == "multiple-attachments, AS2-Reliability"
    assert headers["content-type"].startswith("application/pkcs7-mime; smime-type=authEnveloped-data")
    assert headers["disposition-notification-options"].endswith("signed-receipt-micalg=optional, sha256")
    assert peer.open(list(headers.items()), body).verified


def test_without_a_profile_nothing_new_is_told(world: World, tmp_path: Path) -> None:
    peer = world.peers["usual"]
    (tmp_path / "a.x12").write_bytes(edi(peer, "PO-USUAL"))
    _, headers, _ = sent(world, "usual", tmp_path / "a.x12")
    answer = post(world.gateway.as2, peer.message(edi(peer, "PO-USUAL-IN")))
    for found in (headers, {name.lower(): value for name, value in answer.headers}):
        assert found["as2-version"] == "1.2"
        assert not {"as2-product", "ediint-features"} & set(found)


def test_an_unknown_feature_and_an_unknown_version_are_no_failure(world: World) -> None:
    peer = world.peers["usual"]
    message = peer.message(edi(peer, "PO-FEATURES")).with_headers(
        ediint_features="x-teleport, multiple-attachments", as2_version="1.7", as2_product="theirs:9"
    )
    assert peer.read(post(world.gateway.as2, message)).disposition == "processed"


def test_base64_oaep_and_ourselves_as_a_recipient_are_sent_where_they_were_agreed(
    world: World, tmp_path: Path
) -> None:
    peer = world.peers["coded"]
    payload = edi(peer, "PO-CODED")
    (tmp_path / "a.x12").write_bytes(payload)
    told, headers, body = sent(world, "coded", tmp_path / "a.x12")
    assert (told["status"], told["mic_match"]) == ("delivered", True)
    assert headers["content-transfer-encoding"] == "binary"
    inner = email.message_from_bytes(peer.open(list(headers.items()), body).signed_part)
    assert inner["Content-Transfer-Encoding"] == "base64"
    assert inner.get_payload(decode=True) == payload
    assert headers["disposition-notification-options"].endswith("sha-256")
    us = world.gateway.home
    ours = Peer("NORTHWIND", _Ours(us), us / "certs" / "us.crt")
    assert (
        ours.open(list(headers.items()), body).signed_part
        == peer.open(list(headers.items()), body).signed_part
    )


class _Ours(Company):
    """Our own key pair, as `init` made it."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, "us")

    @property
    def key(self) -> Path:
        return self.folder / "secrets" / "us.key"

    @property
    def cert(self) -> Path:
        return self.folder / "certs" / "us.crt"


def test_features_are_what_is_real_with_a_partner() -> None:
    assert channels.features(As2(id="A")) == ()
    assert channels.features(As2(id="A", attachments=True)) == ("multiple-attachments", "AS2-Reliability")
    assert channels.features(As2(id="A", restart=True)) == ("AS2-Reliability",)
    assert channels.features(As2(id="A", profile="1.3")) == ("AS2-Reliability",)
    assert channels.features(As2(id="A", restart=True, resend_id="new")) == ()
    assert channels.features(As2(id="A", cem=True)) == ("CEM", "AS2-Reliability")
    assert channels.profile(As2(id="A", profile="1.2")).version == "1.2"
    assert channels.profile(As2(id="A", profile="1.2")).product is None


# Signed by an outdated certificate


def test_an_expired_certificate_is_taken_with_a_warning_where_that_was_agreed(world: World) -> None:
    peer = world.peers["lenient"]
    message = peer.message(edi(peer, "PO-EXPIRED"), encrypt=False)
    receipt = peer.read(post(world.gateway.as2, message))
    assert receipt.disposition == WARNING + "authentication-failed, processing continued"
    assert (receipt.verified, receipt.mic) == (True, f"{mic(message.hashed)}, sha-256")
    until(lambda: world.gateway.erp_has("PO-EXPIRED"))
    hidden = peer.message(edi(peer, "PO-HIDDEN"))
    assert peer.read(post(world.gateway.as2, hidden)).disposition == "processed/error: decryption-failed"
    forged = peer.message(edi(peer, "PO-FORGED"), encrypt=False, signer=world.peers["usual"].company)
    assert peer.read(post(world.gateway.as2, forged)).disposition == "processed/error: authentication-failed"
    assert not world.gateway.erp_has("PO-HIDDEN") + world.gateway.erp_has("PO-FORGED")


# Duplicates whose receipt is gone


def test_a_duplicate_without_a_stored_receipt_is_told_so_and_gets_that_from_then_on(world: World) -> None:
    peer = world.peers["usual"]
    silent = peer.message(edi(peer, "PO-SILENT"), receipt=None)
    assert post(world.gateway.as2, silent).status == 204
    asking = silent.with_headers(
        disposition_notification_to="edi@peer",
        disposition_notification_options="signed-receipt-protocol=optional, pkcs7-signature; "
        "signed-receipt-micalg=optional, sha-256",
    )
    answer = post(world.gateway.as2, asking)
    receipt = peer.read(answer)
    assert (receipt.disposition, receipt.verified) == (WARNING + "duplicate-document", True)
    assert receipt.mic == f"{mic(silent.hashed)}, sha-256"
    assert post(world.gateway.as2, asking).body == answer.body
    until(lambda: world.gateway.erp_has("PO-SILENT"))
    assert len(world.gateway.erp_has("PO-SILENT")) == len(world.gateway.received(silent.id)) == 1


def test_a_duplicate_whose_receipt_was_lost_is_answered_where_it_asks_to_be(world: World) -> None:
    peer = world.peers["usual"]
    message = peer.message(edi(peer, "PO-LOST"), receipt_url=world.url.url)
    assert post(world.gateway.as2, message).status == 204

    def posted() -> list[tuple[Headers, bytes]]:
        return [one for one in world.url.received if message.id.encode() in one[1]]

    until(posted)
    with closing(sqlite3.connect(world.gateway.home / "data" / "tradelane.db", timeout=20)) as conn, conn:
        conn.execute(
            "UPDATE as2_message SET receipt = NULL, receipt_headers = NULL WHERE message_id = ?", [message.id]
        )
    assert post(world.gateway.as2, message).status == 204
    _, (headers, body) = until(lambda: posted() if len(posted()) > 1 else [])
    receipt = read_receipt(headers, body, peer.gateway_cert)
    assert (receipt.disposition, receipt.verified) == (WARNING + "duplicate-document", True)
