"""What partners are told over AS2, letter by letter, by a gateway in a process of its own.

Messages are made by openssl and by hand; receipts are searched as bytes, and openssl checks their signatures.
"""

from __future__ import annotations

import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from asn1crypto import cms as asn1
from peers import (
    SIGNED_RECEIPT,
    Company,
    Endpoint,
    Message,
    Peer,
    endpoint,
    entity,
    enveloped,
    mic,
    post,
    signed,
)
from serving import Gateway, interchange, made, number, order, partner, running, until

from gateway.pipeline.limits import UNREADABLE_AN_HOUR, Unreadable

PKCS7 = "application/pkcs7-mime; smime-type=compressed-data; name=smime.p7z"


class World(NamedTuple):
    """A gateway that serves, and who trades with it."""

    gateway: Gateway
    both: Peer  # signs and encrypts
    signer: Peer  # only signs
    plain: Peer  # neither
    waiting: Peer  # as both; receipts later, to its URL
    attacked: Peer  # as both; nobody else sends as this one
    stranger: Company
    url: Endpoint  # waiting's


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("dispositions")
    ids = {
        "both": "BIGMARTEDI",
        "signer": "SIGNMART",
        "plain": "PLAINMART",
        "waiting": "WAITMART",
        "attacked": "ODDMART",
    }
    agreed = {
        "both": {},
        "signer": {"encrypt": "none"},
        "plain": {"sign": "none", "encrypt": "none"},
        "waiting": {"mdn": "async"},
        "attacked": {},
    }
    with endpoint() as url, endpoint() as theirs:
        gateway = made(
            folder,
            *(
                partner(
                    name,
                    ids[name],
                    ("ZZ", ids[name]),
                    url=(url if name == "waiting" else theirs).url,
                    **agreed[name],
                )
                for name in ids
            ),
        )
        us = gateway.home / "certs" / "us.crt"
        company = {name: Company.made(folder / "theirs", name) for name in [*ids, "stranger"]}
        for name in ids:
            shutil.copy(company[name].cert, gateway.home / "certs")
        peers = {name: Peer(ids[name], company[name], us) for name in ids}
        with running(gateway):
            yield World(gateway, *peers.values(), company["stranger"], url)


def payload(peer: Peer) -> bytes:
    return interchange(number(), order("PO-TOLD"), sender=("ZZ", peer.as2_id))


def compressed(data: bytes) -> bytes:
    """CompressedData around bytes that need not be zlib."""
    packed = {
        "version": "v0",
        "compression_algorithm": {"algorithm": "zlib"},
        "encap_content_info": {"content_type": "data", "content": data},
    }
    written = asn1.ContentInfo(
        {"content_type": "compressed_data", "content": asn1.CompressedData(packed)}
    ).dump()
    assert isinstance(written, bytes)
    return written


def with_body(message: Message, content_type: str, body: bytes) -> Message:
    changed = message.with_headers(content_type=content_type, content_transfer_encoding="binary")
    return changed._replace(body=body)


def packed(world: World, data: bytes) -> Message:
    message = world.plain.message(b"", sign=False, encrypt=False)
    return with_body(message, PKCS7, compressed(data))


def twice(world: World) -> Message:
    inner = entity(compressed(zlib.compress(entity(b"x"))), content_type=PKCS7)
    return packed(world, zlib.compress(inner))


def asks(world: World, options: str) -> Message:
    return world.both.message(payload(world.both)).with_headers(disposition_notification_options=options)


Make = Callable[[World], Message]
TOLD: dict[str, tuple[str, Make]] = {
    "in order": ("processed", lambda w: w.both.message(payload(w.both))),
    "compressed, in order": ("processed", lambda w: packed(w, zlib.compress(entity(payload(w.plain))))),
    "K.2 bad encryption: for another certificate": (
        "processed/error: decryption-failed",
        lambda w: w.both.message(payload(w.both))._replace(
            body=enveloped(signed(entity(b"x"), w.both.company), w.stranger.cert)
        ),
    ),
    "K.2 bad encryption: damaged": (
        "processed/error: decryption-failed",
        lambda w: (m := w.both.message(payload(w.both)))._replace(body=m.body[:-20] + bytes(20)),
    ),
    "K.1 bad signature: of someone else": (
        "processed/error: authentication-failed",
        lambda w: w.signer.message(payload(w.signer), encrypt=False, signer=w.stranger),
    ),
    "changed after signing": (
        "processed/error: integrity-check-failed",
        lambda w: w.signer.message(payload(w.signer), encrypt=False, tampered=True),
    ),
    "K.3 bad compression: no zlib": (
        "processed/error: decompression-failed",
        lambda w: packed(w, b"no zlib"),
    ),
    "K.3 bad compression: cut short": (
        "processed/error: decompression-failed",
        lambda w: packed(w, zlib.compress(entity(payload(w.plain)))[:-5]),
    ),
    "a bomb": (
        "processed/error: decompression-failed",
        lambda w: packed(w, zlib.compress(entity(bytes(20 * 1024**2)), 9)),
    ),
    "compressed twice": ("processed/error: decompression-failed", twice),
    "not encrypted": (
        "processed/error: insufficient-message-security",
        lambda w: w.both.message(payload(w.both), encrypt=False),
    ),
    "not signed": (
        "processed/error: insufficient-message-security",
        lambda w: w.signer.message(payload(w.signer), sign=False, encrypt=False),
    ),
    "broken MIME": (
        "processed/error: unexpected-processing-error",
        lambda w: with_body(
            w.plain.message(b"", sign=False, encrypt=False), "multipart/signed; boundary=a", b"--a\r\n\r\n--b"
        ),
    ),
    "a bad protocol for the signature": (
        "failed/failure: unsupported format",
        lambda w: asks(w, SIGNED_RECEIPT.replace("pkcs7-signature", "pgp-signature")),
    ),
    "a required parameter that nobody knows": (
        "failed/failure: unsupported format",
        lambda w: asks(w, SIGNED_RECEIPT + "; moon-phase=required, full"),
    ),
    "bad digests": (
        "failed/failure: unsupported MIC-algorithms",
        lambda w: asks(w, SIGNED_RECEIPT.replace("sha-256", "md5, rot13")),
    ),
    "a malformed Message-ID": (
        "processed/error: invalid-message-id",
        lambda w: w.both.message(payload(w.both)).with_headers(message_id="<a b@c>"),
    ),
}


def disposition_in(body: bytes) -> str:
    """The whole line, as it stands in the bytes."""
    (line,) = re.findall(rb"\r\nDisposition: ([^\r\n]*)\r\n", body)
    return str(line, "ascii")


@pytest.mark.parametrize("what", TOLD)
def test_m2_h15_every_outcome_is_told_to_the_letter_in_a_signed_receipt(world: World, what: str) -> None:
    told, make = TOLD[what]
    message = make(world)
    answer = post(world.gateway.as2, message)
    assert answer.status == 200
    assert disposition_in(answer.body) == f"automatic-action/MDN-sent-automatically; {told}"
    receipt = world.both.read(answer)
    assert (receipt.signed, receipt.verified) == (True, True)
    sent = {name.lower().replace("_", "-"): value for name, value in message.headers}
    assert receipt.fields["original-message-id"] == sent["message-id"]
    if told != "processed":
        assert receipt.mic is None
    elif "compressed" not in what:
        assert receipt.mic == f"{mic(message.hashed)}, sha-256"


def test_a09_a_sender_that_is_its_own_receiver_is_told_to_the_letter(world: World) -> None:
    message = world.both.message(payload(world.both)).with_headers(as2_from="NORTHWIND")
    answer = post(world.gateway.as2, message)
    assert answer.status == 200
    assert disposition_in(answer.body) == (
        "automatic-action/MDN-sent-automatically; failed/failure: sender-equals-receiver"
    )
    assert not world.both.read(answer).signed


@pytest.mark.parametrize(
    "changed", [{"as2_from": "NOBODY"}, {"as2_to": "NOBODY"}, {"as2_from": "bigmartedi"}]
)
def test_h11_an_unknown_pair_is_told_to_the_letter_and_unsigned(
    world: World, changed: dict[str, str]
) -> None:
    answer = post(world.gateway.as2, world.both.message(payload(world.both)).with_headers(**changed))
    assert answer.status == 200
    assert disposition_in(answer.body) == (
        "automatic-action/MDN-sent-automatically; processed/error: unknown-trading-relationship"
    )
    assert not world.both.read(answer).signed


def test_h9_a_repeated_message_gets_the_same_receipt_byte_for_byte(world: World) -> None:
    message = world.both.message(payload(world.both))
    first, again = (post(world.gateway.as2, message) for _ in range(2))
    assert (first.status, again.status) == (200, 200)
    assert first.body == again.body
    assert first.header("Message-ID") == again.header("Message-ID")


def test_m7_an_asynchronous_receipt_without_a_message_id_closes_what_was_sent(world: World) -> None:
    """The fault repeated most often between products: RFC 4130 does not ask for one."""
    file = world.gateway.home.parent / "nameless.txt"
    file.write_bytes(b"sent as it is")
    identity = world.gateway.must("send", "waiting", file, "--json").json["transmission"]
    ((headers, body),) = until(lambda: list(world.url.received))
    until(lambda: world.gateway.show(identity)["status"] == "sent")
    receipt = world.waiting.receipt_for(headers, body)
    nameless = receipt.with_headers(message_id=None)
    assert "message-id" not in {name.lower() for name, _ in nameless.headers}
    assert post(world.gateway.as2, nameless).status == 204
    assert world.gateway.show(identity)["status"] == "delivered"


def test_m7_a_message_without_a_message_id_is_400_also_where_it_could_have_been_a_receipt(
    world: World,
) -> None:
    before = len(world.gateway.inbox())
    for message in (
        world.signer.message(payload(world.signer), encrypt=False, receipt=None),
        world.both.message(payload(world.both), receipt=None),
        world.both.message(payload(world.both)),
    ):
        assert post(world.gateway.as2, message.with_headers(message_id=None)).status == 400
    assert len(world.gateway.inbox()) == before


def test_b05_who_sends_too_much_that_cannot_be_decrypted_is_answered_no_more(world: World) -> None:
    """An attack on a key takes thousands of answers; with a wrong certificate nobody gains by more."""
    good = world.attacked.message(payload(world.attacked))
    wrong = good._replace(body=good.body[:-20] + bytes(20))
    for count in range(UNREADABLE_AN_HOUR):
        answer = post(world.gateway.as2, wrong.with_headers(message_id=f"<{count}@attack>"))
        assert disposition_in(answer.body).endswith("; processed/error: decryption-failed")
    refused = [
        post(world.gateway.as2, message) for message in (wrong.with_headers(message_id="<x@attack>"), good)
    ]
    assert [(answer.status, answer.body) for answer in refused] == [(429, b"")] * 2
    assert "could not be decrypted" in world.gateway.log
    assert world.gateway.received("<x@attack>") == []
    assert post(world.gateway.as2, world.both.message(payload(world.both))).status == 200


def test_b05_what_cannot_be_decrypted_is_counted_by_partner_address_and_hour() -> None:
    """Nobody shuts a partner out by speaking in its name from elsewhere."""
    counted, now = Unreadable(), datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
    key = ("a", "192.0.2.1")
    told = [counted.add(key, now + timedelta(minutes=2 * count)) for count in range(UNREADABLE_AN_HOUR)]
    assert told == [False] * (UNREADABLE_AN_HOUR - 1) + [True]
    last = now + timedelta(minutes=2 * (UNREADABLE_AN_HOUR - 1))
    for other in range(3000):
        counted.add(("a", str(other)), last)
    assert counted.too_many(key, last)
    assert not counted.too_many(("a", "192.0.2.2"), last)
    assert not counted.too_many(("b", "192.0.2.1"), last)
    assert not counted.add(key, last)
    assert not counted.too_many(key, now + timedelta(hours=1, minutes=2))
