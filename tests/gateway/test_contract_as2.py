"""What partners get over AS2: the response contract, against a server in a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from peers import (
    Answer,
    Company,
    Endpoint,
    Message,
    Peer,
    endpoint,
    entity,
    enveloped,
    mic,
    post,
    read_receipt,
    request,
    signed,
    talk,
)
from serving import Gateway, interchange, made, named, number, order, partner, running, until

from gateway.config import Address
from gateway.web.listener import Listener

EXAMPLE = Path(__file__).parents[2] / "partners.toml"
MAX_BODY = 100_000
PLAIN = ("ZZ", "PLAINMART")
ASYNC = ("ZZ", "ASYNCMART")


class World(NamedTuple):
    """A gateway that serves, and who trades with it."""

    gateway: Gateway
    bigmart: Peer  # signs and encrypts, sync receipts
    plain: Peer  # neither was agreed
    waiting: Peer  # as bigmart; receipts to its URL
    stranger: Company
    url: Endpoint  # bigmart's and waiting's


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("as2")
    with endpoint() as url:
        gateway = made(
            folder,
            partner("bigmart", "BIGMARTEDI", ("08", "9254110060"), url=url.url),
            partner("plain", "PLAINMART", PLAIN, sign="none", encrypt="none"),
            partner("waiting", "ASYNCMART", ASYNC, url=url.url, mdn="async"),
            partner("draft", "DRAFTMART", ("ZZ", "DRAFTMART"), status="draft"),
            server=f"max_body = {MAX_BODY}",
        )
        us = gateway.home / "certs" / "us.crt"
        names = ("bigmart", "plain", "waiting", "draft", "stranger")
        company = {name: Company.made(folder / "theirs", name) for name in names}
        for name in names[:-1]:
            shutil.copy(company[name].cert, gateway.home / "certs")
        with running(gateway):
            yield World(
                gateway,
                Peer("BIGMARTEDI", company["bigmart"], us),
                Peer("PLAINMART", company["plain"], us),
                Peer("ASYNCMART", company["waiting"], us),
                company["stranger"],
                url,
            )


@pytest.fixture(autouse=True)
def alive(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test did, the server lives and is well after it."""
    yield
    if "world" in request.fixturenames:
        assert request.getfixturevalue("world").gateway.healthy


@pytest.mark.external("curl")
@pytest.mark.external("openssl")
def test_the_example_partners_toml_serves_an_order_that_openssl_made_and_curl_posted(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "home")
    gateway.home.mkdir()
    shutil.copy(EXAMPLE, gateway.home / "partners.toml")
    gateway.must("init")
    bigmart = Company.made(tmp_path / "bigmart", "BIGMARTEDI")
    shutil.copy(bigmart.cert, gateway.home / "certs" / "bigmart.crt")
    us = gateway.home / "certs" / "us.crt"
    payload = interchange(1, order("PO-EXAMPLE"))
    part = entity(payload, "PO-EXAMPLE.x12")
    (tmp_path / "body").write_bytes(enveloped(signed(part, bigmart), us))
    headers = {
        "AS2-Version": "1.2",
        "AS2-From": "BIGMARTEDI",
        "AS2-To": "NORTHWIND",
        "Message-ID": "<1@bigmart>",
        "MIME-Version": "1.0",
        "Content-Type": "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m",
        "Disposition-Notification-To": "edi@bigmart.example",
        "Disposition-Notification-Options": "signed-receipt-protocol=optional, pkcs7-signature; "
        "signed-receipt-micalg=optional, sha-256",
    }
    with running(gateway):
        flags = [flag for name, value in headers.items() for flag in ("-H", f"{name}: {value}")]
        posted = subprocess.run(
            ["curl", "-sS", "-D", "headers", "-o", "answer", "-w", "%{http_code}", *flags,
             "--data-binary", "@body", gateway.as2],
            cwd=tmp_path, capture_output=True, check=True,
        )  # fmt: skip
        assert posted.stdout == b"200"
        lines = (tmp_path / "headers").read_text().splitlines()
        receipt = read_receipt(
            [(line.split(": ")[0], line.split(": ", 1)[1]) for line in lines if ": " in line],
            (tmp_path / "answer").read_bytes(),
            us,
        )
        assert receipt.signed
        assert receipt.verified
        assert receipt.disposition == "processed"
        assert receipt.mic == f"{mic(part)}, sha-256"
        assert receipt.fields["original-message-id"] == "<1@bigmart>"
        until(lambda: gateway.erp_has("PO-EXAMPLE"))
        assert gateway.settled("<1@bigmart>")["status"] == "done"
        assert ["AK9", "A", "1", "1", "1"] in gateway.answer("997", 1)


# What is accepted.


def test_the_payload_is_kept_byte_for_byte_under_a_name_of_the_partners(world: World) -> None:
    payload = interchange(number(), order("PO-BYTES"))
    message = world.bigmart.message(payload, filename="PO 17.edi")
    receipt = world.bigmart.read(post(world.gateway.as2, message))
    assert (receipt.disposition, receipt.verified) == ("processed", True)
    assert receipt.mic == f"{mic(message.hashed)}, sha-256"
    row = world.gateway.settled(message.id)
    assert row["filename"] == "PO 17.edi"
    assert row["size"] == len(payload)
    assert world.gateway.must("doc", "raw", row["id"]).out == payload
    until(lambda: world.gateway.erp_has("PO-BYTES"))


def test_a_receipt_is_unsigned_where_no_signature_is_asked_for(world: World) -> None:
    message = world.bigmart.message(interchange(number(), order("PO-U")), receipt="unsigned")
    receipt = world.bigmart.read(post(world.gateway.as2, message))
    assert not receipt.signed
    assert receipt.disposition == "processed"
    assert (receipt.mic or "").partition(",")[0] == mic(message.hashed)


def test_a_message_that_asks_for_no_receipt_is_answered_by_204_and_processed(world: World) -> None:
    message = world.bigmart.message(interchange(number(), order("PO-NONE")), receipt=None)
    answer = post(world.gateway.as2, message)
    assert (answer.status, answer.body) == (204, b"")
    assert world.gateway.settled(message.id)["status"] == "done"


def test_what_was_agreed_without_security_has_its_mic_over_the_content_alone(world: World) -> None:
    message = world.plain.message(
        interchange(number(), order("PO-P"), sender=PLAIN), sign=False, encrypt=False
    )
    receipt = world.plain.read(post(world.gateway.as2, message))
    assert (receipt.disposition, receipt.verified) == ("processed", True)
    assert receipt.mic == f"{mic(message.hashed)}, sha-256"


def test_more_security_than_agreed_is_welcome(world: World) -> None:
    message = world.plain.message(interchange(number(), order("PO-M"), sender=PLAIN))
    assert world.plain.read(post(world.gateway.as2, message)).disposition == "processed"


# Duplicates.


def test_a_message_that_comes_again_gets_the_stored_receipt_and_changes_nothing(world: World) -> None:
    group = number()
    message = world.bigmart.message(interchange(group, order("PO-AGAIN")))
    first = post(world.gateway.as2, message)
    row = world.gateway.settled(message.id)
    again = post(world.gateway.as2, message)
    assert again.status == 200
    assert again.body == first.body
    assert again.header("Message-ID") == first.header("Message-ID")
    assert again.header("Content-Type") == first.header("Content-Type")
    assert [row["id"] for row in world.gateway.received(message.id)] == [row["id"]]
    assert len(world.gateway.answers("997", group)) == 1
    until(lambda: world.gateway.erp_has("PO-AGAIN"))
    assert len(world.gateway.erp_has("PO-AGAIN")) == 1


def test_another_content_under_a_known_message_id_is_refused_and_kept_for_a_person(world: World) -> None:
    message = world.bigmart.message(interchange(number(), order("PO-ONE")))
    post(world.gateway.as2, message)
    other = world.bigmart.message(interchange(number(), order("PO-OTHER")), message_id=message.id)
    receipt = world.bigmart.read(post(world.gateway.as2, other))
    assert receipt.disposition == "processed/error: unexpected-processing-error"
    assert receipt.verified
    assert receipt.mic is None
    (refused,) = [row for row in world.gateway.received(message.id) if row["status"] == "refused"]
    (letter,) = world.gateway.dead(refused["id"])
    assert letter["reason"] == "DUP_ID_DIFFERENT_CONTENT"
    until(lambda: world.gateway.erp_has("PO-ONE"))
    assert world.gateway.erp_has("PO-OTHER") == []


def test_a_failed_first_attempt_does_not_block_the_next_under_its_message_id(world: World) -> None:
    payload = interchange(number(), order("PO-SECOND"))
    wrong = world.bigmart.message(payload, signer=world.stranger)
    assert world.bigmart.read(post(world.gateway.as2, wrong)).disposition.startswith("processed/error")
    good = world.bigmart.message(payload, message_id=wrong.id)
    assert world.bigmart.read(post(world.gateway.as2, good)).disposition == "processed"
    until(lambda: world.gateway.erp_has("PO-SECOND"))


def test_fifty_repeats_at_once_are_one_delivery_and_one_answer(world: World) -> None:
    group = number()
    message = world.bigmart.message(interchange(group, order("PO-FIFTY")))
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: post(world.gateway.as2, message), range(50)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    world.gateway.settled(message.id)
    until(lambda: world.gateway.erp_has("PO-FIFTY"))
    assert len(world.gateway.erp_has("PO-FIFTY")) == 1
    assert len(world.gateway.answers("997", group)) == 1


# Transport refusals: a status, no receipt, nothing stored.


def stored(gateway: Gateway) -> tuple[list[str], list[Path]]:
    """All that is kept: transmissions, and files under data but the database's own."""
    files = [path for path in named("", gateway.home / "data") if "tradelane.db" not in path.name]
    return [row["id"] for row in gateway.inbox()], sorted(files)


def at_rest(gateway: Gateway) -> tuple[list[str], list[Path]]:
    """The same once it stands still: what earlier tests set going may still write what it sends."""
    seen = [stored(gateway)]

    def still() -> bool:
        time.sleep(0.3)
        seen.append(stored(gateway))
        return seen[-1] == seen[-2]

    until(still)
    return seen[-1]


def refused(world: World, message: Message, body: bytes | None = None) -> Answer:
    """The answer to a request that must leave nothing behind."""
    before = at_rest(world.gateway)
    data = request(world.gateway.as2, message.headers, message.body if body is None else body)
    answer = talk(world.gateway.as2, data)
    until(lambda: stored(world.gateway) == before)
    assert "disposition-notification" not in answer.body.decode("latin-1")
    return answer


HEADERS = {
    "AS2-From is absent": {"as2_from": None},
    "AS2-To is absent": {"as2_to": None},
    "Message-ID is absent": {"message_id": None},
    "AS2-From has 129 characters": {"as2_from": "A" * 129},
    "AS2-From is not ASCII": {"as2_from": "BIG\xe9"},
    "AS2-From is empty": {"as2_from": ""},
}


@pytest.mark.parametrize("changed", HEADERS.values(), ids=HEADERS)
def test_a06_a_request_without_the_headers_of_as2_is_400(
    world: World, changed: dict[str, str | None]
) -> None:
    message = world.plain.message(b"x", sign=False, encrypt=False)
    assert refused(world, message.with_headers(**changed)).status == 400


@pytest.mark.parametrize("name", ["AS2-From", "AS2-To", "Message-ID", "Content-Type"])
def test_a06_a_doubled_header_is_400(world: World, name: str) -> None:
    message = world.plain.message(b"x", sign=False, encrypt=False)
    doubled = message._replace(headers=[*message.headers, (name, dict(message.headers)[name])])
    assert refused(world, doubled).status == 400


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "identity, deflate"])
def test_a05_a_content_coding_is_415(world: World, coding: str) -> None:
    message = world.plain.message(b"x", sign=False, encrypt=False).with_headers(content_encoding=coding)
    assert refused(world, message, zlib.compress(b"x" * 1000)).status == 415


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/orders/1", "/as2/", "//as2", "/as2/..;/healthz", "/%2e%2e/healthz", "/AS2", "/metrics"],
)
def test_a10_every_other_path_is_404(world: World, path: str) -> None:
    message = world.plain.message(b"x", sign=False, encrypt=False)
    url = world.gateway.as2.removesuffix("/as2") + path
    assert talk(url, request(url, message.headers, b"x")).status == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "TRACE", "OPTIONS"])
def test_a09_every_other_method_is_405_and_told_which_is_allowed(world: World, method: str) -> None:
    where = urlsplit(world.gateway.as2)
    with socket.create_connection((where.hostname or "", where.port or 0), 10) as connection:
        connection.sendall(request(world.gateway.as2, [], b"", method))
        head = connection.makefile("rb").read().lower()
    assert head.startswith(b"http/1.1 405")
    assert b"\r\nallow: post\r\n" in head


def test_a04_a_length_over_the_limit_is_413_before_any_of_the_body_is_sent(world: World) -> None:
    message = world.plain.message(b"", sign=False, encrypt=False)
    headers = [*message.headers, ("Content-Length", str(10 << 30)), ("Expect", "100-continue")]
    before = at_rest(world.gateway)
    answer = talk(world.gateway.as2, request(world.gateway.as2, headers, b""), timeout_s=5)
    assert answer.status == 413
    until(lambda: stored(world.gateway) == before)


def test_a04_a_body_without_an_end_is_cut_at_the_limit(world: World) -> None:
    message = world.plain.message(b"", sign=False, encrypt=False)
    before = at_rest(world.gateway)
    head = request(world.gateway.as2, [*message.headers, ("Transfer-Encoding", "chunked")], b"")
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    assert talk(world.gateway.as2, head + chunk * 40, timeout_s=10).status == 413
    until(lambda: stored(world.gateway) == before)


def test_a_body_of_just_the_limit_is_taken(world: World) -> None:
    payload = interchange(number(), order("PO-LIMIT"), sender=PLAIN)
    payload += b"\r\n" * ((MAX_BODY - len(payload)) // 2)
    message = world.plain.message(payload, sign=False, encrypt=False)
    assert world.plain.read(post(world.gateway.as2, message)).disposition == "processed"


@pytest.mark.parametrize("sent", [0, 20, 1_000], ids=["nothing", "half a head", "half a body"])
def test_a02_a_connection_that_does_not_move_is_given_up(sent: int) -> None:
    async def read(scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    listener = Listener(read, Address("127.0.0.1", 0), "slow", patience_s=0.4)
    listener.start()
    where = urlsplit(listener.url)
    with socket.create_connection((where.hostname or "", where.port or 0), 10) as connection:
        connection.sendall(request(listener.url, [("Content-Length", "5000")], b"x" * 4000)[:sent])
        assert connection.makefile("rb").read().startswith(b"HTTP/1.1 408 ")
    listener.stop()


def test_a_body_that_breaks_off_leaves_nothing(world: World) -> None:
    message = world.plain.message(b"x" * 50_000, sign=False, encrypt=False)
    before = at_rest(world.gateway)
    where = urlsplit(world.gateway.as2)
    data = request(world.gateway.as2, message.headers, message.body)
    with socket.create_connection((where.hostname or "", where.port or 0), 10) as connection:
        connection.sendall(data[:-10_000])
    until(lambda: stored(world.gateway) == before)
    assert world.gateway.received(message.id) == []


HEADS = {
    "a header of 100 KiB": ([("X-Long", "a" * 102_400)], "/as2", 431),
    "500 headers": ([(f"X-{n}", "a") for n in range(500)], "/as2", 431),
    "a request line of 16 KiB": ([], "/as2?" + "a" * 16_384, 414),
}


@pytest.mark.parametrize(("more", "path", "status"), HEADS.values(), ids=HEADS)
def test_a03_a_head_out_of_all_proportion_is_refused(
    world: World, more: list[tuple[str, str]], path: str, status: int
) -> None:
    message = world.plain.message(b"x", sign=False, encrypt=False)
    url = world.gateway.as2.removesuffix("/as2")
    line = request(url + "/as2", [*message.headers, *more], b"x").replace(
        b"POST /as2", f"POST {path}".encode(), 1
    )
    before = at_rest(world.gateway)
    assert talk(url, line).status == status
    until(lambda: stored(world.gateway) == before)


FRAMINGS = {
    "both lengths": b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    "a signed length": b"Content-Length: +1\r\n\r\nx",
    "a length in words": b"Content-Length: one\r\n\r\nx",
    "a negative length": b"Content-Length: -1\r\n\r\nx",
    "a folded length": b"Content-Length:\r\n 1\r\n\r\nx",
    "a length folded in its middle": b"Content-Length: 1\r\n 0\r\n\r\nx",
    "a folded coding": b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "two lengths alike": b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "a list of lengths": b"Content-Length: 1, 1\r\n\r\nx",
    "a length with a space in it": b"Content-Length: 1 1\r\n\r\nx",
    "a length beyond 64 bits": b"Content-Length: 99999999999999999999\r\n\r\nx",
    "the coding twice": b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "a coding after chunked": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a bare LF": b"X-Lf: a\nContent-Length: 1\r\n\r\nx",
    "nothing but bare LFs": b"X-Lf: a\nContent-Length: 1\n\nx",
    "an LF after a chunk's size": b"Transfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
    "an LF in a chunk's extension": b"Transfer-Encoding: chunked\r\n\r\n1;a\nb\r\nx\r\n0\r\n\r\n",
    "a chunk without an end": b"Transfer-Encoding: chunked\r\n\r\n1\r\nx0\r\n\r\n",
    "a space before a chunk's size": b"Transfer-Encoding: chunked\r\n\r\n 1\r\nx\r\n0\r\n\r\n",
    "a length behind the chunks": (
        b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nContent-Length: 5\r\n\r\n"
    ),
    "a header without a name": b": 1\r\nContent-Length: 1\r\n\r\nx",
    "a header without a colon": b"Content-Length\r\n\r\nx",
    "a second host": b"Host: else.example\r\nContent-Length: 1\r\n\r\nx",
    "a space before the colon": b"Content-Length : 1\r\n\r\nx",
    "a chunk size that is no number": b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n",
    "a chunk size beyond 64 bits": b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 20 + b"\r\nx\r\n0\r\n\r\n",
    "a chunk with a wrong end": b"Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n",
    "a coding that is not chunked": b"Transfer-Encoding: xchunked\r\n\r\nx",
    "a NUL in a header": b"Content-Length: 1\r\nX-Nul: a\x00b\r\n\r\nx",
    "a bare CR in a header": b"Content-Length: 1\r\nX-Cr: a\rb\r\n\r\nx",
}


@pytest.mark.parametrize("rest", FRAMINGS.values(), ids=FRAMINGS)
def test_a01_a_malformed_framing_is_400_and_the_end_and_leaves_nothing(world: World, rest: bytes) -> None:
    message = world.plain.message(b"", sign=False, encrypt=False, receipt=None)
    head = request(world.gateway.as2, [*message.headers, ("Content-Length", "0")], b"")
    head = head.replace(b"Content-Length: 0\r\nConnection: close\r\n\r\n", b"")
    before = at_rest(world.gateway)
    assert refused_once(world.gateway.as2, head + rest + FOLLOWING) == 400
    until(lambda: stored(world.gateway) == before)


LINES = {
    "no host": b"POST /as2 HTTP/1.1\r\nContent-Length: 1\r\n\r\nx",
    "a URL for a path": b"POST http://127.0.0.1/as2 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
    "no version": b"POST /as2\r\n\r\n",
    "an early version": b"GET /as2\r\n",
    "an early version, without CR": b"GET /as2\n",
    "a version of the future": b"POST /as2 HTTP/9.9\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
    "no method that is known": b"PO ST /as2 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
    "a fold before any header": b"POST /as2 HTTP/1.1\r\n Host: a\r\nContent-Length: 1\r\n\r\nx",
    "TLS": bytes.fromhex("1603010200010001fc0303") + bytes(100),
}


@pytest.mark.parametrize("data", LINES.values(), ids=LINES)
def test_a01_a_line_that_begins_no_request_is_400_and_the_end(world: World, data: bytes) -> None:
    assert refused_once(world.gateway.as2, data) == 400


FOLLOWING = b"GET /second HTTP/1.1\r\nHost: a\r\n\r\n"


def refused_once(url: str, data: bytes) -> int:
    """The status of the only answer to some bytes, after which the connection ends."""
    where = urlsplit(url)
    with socket.create_connection((where.hostname or "", where.port or 0), 10) as connection:
        connection.sendall(data)
        answer = connection.makefile("rb").read()
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    assert body == b""
    return int(head.split()[1])


# Who is no partner.

PAIRS = {
    "an unknown sender": {"as2_from": "NOBODY"},
    "another case": {"as2_from": "bigmartedi"},
    "an unknown receiver": {"as2_to": "SOUTHWIND"},
    "the pair reversed": {"as2_from": "NORTHWIND", "as2_to": "BIGMARTEDI"},
    "a partner that is a draft": {"as2_from": "DRAFTMART"},
}


@pytest.mark.parametrize("changed", PAIRS.values(), ids=PAIRS)
def test_a08_an_unknown_pair_gets_an_unsigned_receipt_and_leaves_nothing(
    world: World, changed: dict[str, str]
) -> None:
    message = world.bigmart.message(interchange(number(), order("PO-X"))).with_headers(**changed)
    answer = refused_with_receipt(world, message)
    receipt = world.bigmart.read(answer)
    assert not receipt.signed
    assert receipt.disposition == "processed/error: unknown-trading-relationship"
    assert receipt.mic is None


def refused_with_receipt(world: World, message: Message) -> Answer:
    before = at_rest(world.gateway)
    answer = post(world.gateway.as2, message)
    assert answer.status == 200
    until(lambda: stored(world.gateway) == before)
    return answer


@pytest.mark.parametrize("changed", PAIRS.values(), ids=PAIRS)
def test_a08_an_unknown_pair_that_asks_for_no_receipt_or_a_later_one_is_403(
    world: World, changed: dict[str, str]
) -> None:
    none = world.bigmart.message(b"x", receipt=None).with_headers(**changed)
    assert refused(world, none).status == 403
    later = world.bigmart.message(b"x", receipt_url=world.url.url).with_headers(**changed)
    assert refused(world, later).status == 403
    assert posted(world.url, later.id) == []


def test_a09_a_sender_that_is_its_own_receiver_is_told_so(world: World) -> None:
    message = world.bigmart.message(b"x").with_headers(as2_from="NORTHWIND")
    receipt = world.bigmart.read(refused_with_receipt(world, message))
    assert receipt.disposition == "failed/failure: sender-equals-receiver"


def test_a06_a_message_id_with_a_space_is_told_to_a_partner(world: World) -> None:
    message = world.bigmart.message(b"x", message_id="<a b@peer>")
    receipt = world.bigmart.read(post(world.gateway.as2, message))
    assert receipt.disposition == "processed/error: invalid-message-id"
    assert receipt.verified


def test_a06_a_message_id_without_brackets_is_taken_and_echoed_as_it_is(world: World) -> None:
    message = world.bigmart.message(interchange(number(), order("PO-B")), message_id=f"bare-{number()}")
    receipt = world.bigmart.read(post(world.gateway.as2, message))
    assert receipt.disposition == "processed"
    assert receipt.fields["original-message-id"] == message.id


# Where a receipt may go.

URLS = [
    "http://127.0.0.1:22/", "http://[::1]:{port}/", "http://0.0.0.0:{port}/", "http://169.254.169.254/latest",
    "http://10.0.0.1/", "http://2130706433:{port}/", "http://0x7f.1:{port}/", "http://user@127.0.0.1:{port}/",
    "http://localhost:{port}/", "https://127.0.0.1:{port}/", "file:///etc/passwd", "gopher://127.0.0.1:{port}/",
    "ftp://127.0.0.1/", "mailto:edi@bigmart.example", "http://127.0.0.1:25/", "http://127.0.0.1:{port}\\@x/",
    "//127.0.0.1/", "javascript:1", "http://", "http://127.0.0.1:{other}/as2", "http://127.0.0.1.nip.io:{port}/",
    "http://rebinding.invalid:{port}/", "http://127.0.0.1:{port}.rebinding.invalid/", "http://127.1:{port}/",
    "http://127.0.0.1:{port}@10.0.0.1/", "http://[::ffff:127.0.0.1]:{port}/", "http://127.0.0.1:{port} /as2",
    "http://127.0.0.1:{port}/\r\n X-Evil: 1", "http://127.0.0.1:99999/", "http://[127.0.0.1/", "http://127.0.0.1./",
]  # fmt: skip


@pytest.mark.parametrize("url", URLS)
def test_c01_a_receipt_is_sent_nowhere_but_to_the_partners_own_origin(world: World, url: str) -> None:
    port = urlsplit(world.url.url).port
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.2)
        asked = url.format(port=port, other=trap.getsockname()[1])
        message = world.waiting.message(b"x", receipt_url=asked)
        assert refused(world, message).status == 400
        with pytest.raises(TimeoutError):
            trap.accept()
    assert posted(world.url, message.id) == []


@pytest.mark.external("strace")
def test_c01_no_connection_is_tried_to_any_of_them(world: World, tmp_path: Path) -> None:
    process = world.gateway.process
    assert process is not None
    trace = tmp_path / "trace"
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("needs strace")
    tracer = subprocess.Popen(
        [strace, "-f", "-o", trace, "-e", "trace=connect", "-p", str(process.pid)], stderr=subprocess.PIPE
    )
    try:
        assert tracer.stderr is not None
        if b"attached" not in tracer.stderr.readline():
            pytest.skip("needs leave to trace")
        for url in URLS:
            asked = url.format(port=urlsplit(world.url.url).port, other=9)
            message = world.waiting.message(b"x", receipt_url=asked)
            assert post(world.gateway.as2, message).status == 400
        payload = interchange(number(), order("PO-TRACED"), sender=ASYNC)
        allowed = world.waiting.message(payload, receipt_url=world.url.url)
        assert post(world.gateway.as2, allowed).status == 204
        until(lambda: posted(world.url, allowed.id))
    finally:
        tracer.send_signal(signal.SIGTERM)
        tracer.communicate(timeout=20)
    places = [line for line in trace.read_text().splitlines() if "sin_port" in line or "sin6_port" in line]
    assert places, "the one that is allowed is seen"
    assert all(f"htons({urlsplit(world.url.url).port})" in line for line in places), places


def test_c01_a_receipt_url_that_is_refused_is_told(world: World) -> None:
    for url in ("http://10.0.0.1/", "mailto:edi@bigmart.example"):
        message = world.bigmart.message(b"x", receipt_url=url)
        assert refused(world, message).status == 400
        with sqlite3.connect(world.gateway.home / "data" / "tradelane.db") as database:
            rows = database.execute("SELECT partner, text FROM event WHERE name = 'refused'").fetchall()
        expected = f"MDN_URL_REFUSED: BIGMARTEDI asks for its receipt at {url}"
        assert ("bigmart", expected) in rows


# Weaker than agreed, or wrong.

WEAKER = {
    "neither signed nor encrypted": (False, False),
    "signed only": (True, False),
}


@pytest.mark.parametrize(("sign", "encrypt"), WEAKER.values(), ids=WEAKER)
def test_b01_what_is_weaker_than_agreed_is_refused_and_not_read(
    world: World, sign: bool, encrypt: bool
) -> None:
    group = number()
    message = world.bigmart.message(interchange(group, order("PO-WEAK")), sign=sign, encrypt=encrypt)
    receipt = world.bigmart.read(post(world.gateway.as2, message))
    assert receipt.disposition == "processed/error: insufficient-message-security"
    assert receipt.verified
    assert receipt.mic is None
    (row,) = world.gateway.received(message.id)
    assert row["status"] == "refused"
    (letter,) = world.gateway.dead(row["id"])
    assert letter["reason"] == "SECURITY_TOO_WEAK"
    assert world.gateway.erp_has("PO-WEAK") == []
    assert world.gateway.answers("997", group) == []


def test_what_was_refused_as_a_message_is_not_read_by_asking_to_replay_it(world: World) -> None:
    message = world.bigmart.message(interchange(number(), order("PO-REPLAY")), sign=False, encrypt=False)
    post(world.gateway.as2, message)
    (row,) = world.gateway.received(message.id)
    assert world.gateway.must("doc", "replay", row["id"], "--json").json["step"] is None
    told = world.gateway.must("doc", "explain", row["id"], "--json").json
    assert told["reason"] == "SECURITY_TOO_WEAK"
    assert not any("replay" in command for command in told["commands"])
    assert world.gateway.received(message.id) == [row]
    assert world.gateway.erp_has("PO-REPLAY") == []


def test_encrypted_but_unsigned_is_refused_by_the_words_of_every_envelope_and_named_to_us(
    world: World,
) -> None:
    message = world.bigmart.message(interchange(number(), order("PO-WEAK")), sign=False)
    receipt = world.bigmart.read(post(world.gateway.as2, message))
    assert receipt.disposition == "processed/error: decryption-failed"
    (row,) = world.gateway.received(message.id)
    assert row["reason"] == "SECURITY_TOO_WEAK"


def spoiled(message: Message) -> Message:
    """Its last block of ciphertext changed, so that its padding is wrong."""
    return message._replace(body=message.body[:-20] + bytes(20))


def test_b05_every_failure_within_an_envelope_is_told_by_the_same_words(world: World) -> None:
    payload = interchange(number(), order("PO-ORACLE"))
    inner = signed(entity(payload), world.bigmart.company)
    base = world.bigmart.message(payload)
    wrong = {
        "a wrong signer": world.bigmart.message(payload, signer=world.stranger),
        "changed after signing": world.bigmart.message(payload, tampered=True),
        "a wrong padding": spoiled(base),
        "for another certificate": base._replace(body=enveloped(inner, world.stranger.cert)),
        "no CMS at all": base._replace(body=b"this is no envelope"),
        "no MIME within": base._replace(body=enveloped(b"\x00\x01\x02", world.bigmart.gateway_cert)),
    }
    told = {}
    for what, message in wrong.items():
        fresh = message.with_headers(message_id=f"<{number()}@wrong>")._replace(id="")
        receipt = world.bigmart.read(post(world.gateway.as2, fresh))
        assert receipt.verified, what
        assert receipt.mic is None, what
        told[what] = receipt.disposition
    assert told.pop("no CMS at all") in {
        "processed/error: decryption-failed",
        "processed/error: unexpected-processing-error",
    }
    assert set(told.values()) == {"processed/error: decryption-failed"}, told
    assert world.gateway.erp_has("PO-ORACLE") == []


@pytest.mark.parametrize("which", ["a wrong signer", "changed after signing"])
def test_outside_an_envelope_a_bad_signature_is_named(world: World, which: str) -> None:
    payload = interchange(number(), order("PO-SIG"), sender=PLAIN)
    signer, tampered, told = {
        "a wrong signer": (world.stranger, False, "authentication-failed"),
        "changed after signing": (world.plain.company, True, "integrity-check-failed"),
    }[which]
    message = world.plain.message(payload, encrypt=False, signer=signer, tampered=tampered)
    receipt = world.plain.read(post(world.gateway.as2, message))
    assert receipt.disposition == f"processed/error: {told}"
    (row,) = world.gateway.received(message.id)
    assert row["reason"] == "AUTH_FAILED"
    assert world.gateway.erp_has("PO-SIG") == []


# Asynchronous receipts, ours and theirs.


def posted(url: Endpoint, message_id: str) -> list[tuple[list[tuple[str, str]], bytes]]:
    """The receipts that came for a message."""
    return [(headers, body) for headers, body in url.received if message_id.encode() in body]


def test_an_asynchronous_receipt_follows_to_the_partners_url(world: World) -> None:
    payload = interchange(number(), order("PO-ASYNC"), sender=ASYNC)
    message = world.waiting.message(payload, receipt_url=world.url.url)
    answer = post(world.gateway.as2, message)
    assert (answer.status, answer.body) == (204, b"")
    ((headers, body),) = until(lambda: posted(world.url, message.id))
    receipt = read_receipt(headers, body, world.waiting.gateway_cert)
    assert (receipt.disposition, receipt.verified) == ("processed", True)
    assert receipt.mic == f"{mic(message.hashed)}, sha-256"
    assert receipt.fields["original-message-id"] == message.id
    post(world.gateway.as2, message)
    again = until(lambda: posted(world.url, message.id)[1:])
    assert again[0][1] == body
    until(lambda: world.gateway.erp_has("PO-ASYNC"))


def test_an_asynchronous_receipt_says_so_when_the_message_is_refused(world: World) -> None:
    message = world.waiting.message(b"x", signer=world.stranger, receipt_url=world.url.url)
    assert post(world.gateway.as2, message).status == 204
    ((headers, body),) = until(lambda: posted(world.url, message.id))
    receipt = read_receipt(headers, body, world.waiting.gateway_cert)
    assert (receipt.disposition, receipt.verified) == ("processed/error: decryption-failed", True)


def test_an_asynchronous_receipt_also_refuses_other_content_under_a_known_message_id(world: World) -> None:
    message = world.waiting.message(
        interchange(number(), order("PO-THIS"), sender=ASYNC), receipt_url=world.url.url
    )
    post(world.gateway.as2, message)
    until(lambda: posted(world.url, message.id))
    other = world.waiting.message(
        interchange(number(), order("PO-THAT"), sender=ASYNC),
        receipt_url=world.url.url,
        message_id=message.id,
    )
    assert post(world.gateway.as2, other).status == 204
    headers, body = until(lambda: posted(world.url, message.id)[1:])[0]
    receipt = read_receipt(headers, body, world.waiting.gateway_cert)
    assert receipt.disposition == "processed/error: unexpected-processing-error"
    assert receipt.verified
    assert world.gateway.erp_has("PO-THAT") == []


def sent(world: World, name: str) -> tuple[str, list[tuple[str, str]], bytes]:
    """A file on its way to whoever receipts asynchronously: its transmission, and what was posted."""
    file = world.gateway.home.parent / name
    file.write_bytes(b"not EDI, and sent as it is: " + name.encode())
    identity = world.gateway.must("send", "waiting", file, "--json").json["transmission"]
    message_id = next(
        row["message_id"] for row in world.gateway.must("outbox", "--json").lines if row["id"] == identity
    )
    (request,) = until(
        lambda: [pair for pair in world.url.received if dict(pair[0]).get("Message-ID") == message_id]
    )
    until(lambda: world.gateway.show(identity)["status"] == "sent")
    return identity, *request


def test_b10_a_forged_receipt_never_closes_what_we_sent_and_a_true_one_does(world: World) -> None:
    identity, headers, body = sent(world, "forged.txt")
    peer = world.waiting
    opened = peer.open(headers, body)
    assert opened.verified
    assert opened.payload == b"not EDI, and sent as it is: forged.txt"
    _, other_headers, other_body = sent(world, "other.txt")
    bigmart = world.bigmart
    forged = {
        "a wrong signer": peer.receipt_for(headers, body, signer=world.stranger),
        "unsigned": peer.receipt_for(headers, body, sign=False),
        "signed by another partner": peer.receipt_for(headers, body, signer=bigmart.company),
        "from another partner": bigmart.receipt(
            dict(headers)["Message-ID"], lambda: mic(opened.signed_part), signer=bigmart.company
        ),
        "a wrong MIC": peer.receipt(dict(headers)["Message-ID"], lambda: mic(b"else")),
        "no disposition of ours": peer.receipt_for(headers, body, disposition="displayed, maybe"),
        "refused by nobody known": peer.receipt_for(
            headers, body, disposition="processed/error: decryption-failed", signer=world.stranger
        ),
        "unsolicited": peer.receipt("<never@sent>", lambda: mic(b"")),
        "for another message": peer.receipt(
            dict(headers)["Message-ID"], lambda: mic(peer.open(other_headers, other_body).signed_part)
        ),
    }
    for what, receipt in forged.items():
        assert post(world.gateway.as2, receipt).status < 500, what
        assert world.gateway.show(identity)["status"] == "sent", what
    events = [event["event"] for event in world.gateway.show(identity)["events"]]
    assert events.count("invalid") == len(forged) - 1  # the unsolicited names nothing of ours
    assert post(world.gateway.as2, peer.receipt_for(headers, body)).status == 204
    shown = world.gateway.show(identity)
    assert shown["status"] == "delivered"
    late = peer.receipt_for(headers, body, disposition="processed/error: decryption-failed")
    post(world.gateway.as2, late)
    assert world.gateway.show(identity)["status"] == "delivered"


# Names are words of a partner's, never places.

NAMES = {
    "a climb": "../../pwned",
    "a climb of Windows": "..\\..\\pwned",
    "an absolute path": "/etc/cron.d/pwned",
    "a drive": "C:\\pwned",
    "300 bytes": "pwned" * 60,
    "an option": "-rf pwned",
    "a hidden file": ".pwned",
    "a percent escape": "%2e%2e%2fpwned",
    "a NUL": "pwned\x00.x12",
    "a terminal's escape": "pwned\x1b[31m.x12",
    "two dots": "..",
    "nothing": "",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_file_name_is_cleaned_for_display_and_never_becomes_a_path(world: World, name: str) -> None:
    message = world.bigmart.message(interchange(number(), order("PO-NAME")), filename=name)
    receipt = world.bigmart.read(post(world.gateway.as2, message))
    assert receipt.disposition in {
        "processed",
        "processed/error: illegal-filename",
        "processed/error: decryption-failed",
    }
    (row,) = world.gateway.received(message.id)
    shown = row["filename"] or ""
    assert shown.isprintable()
    assert not set(shown) & set("/\\")
    assert shown not in {".", ".."}
    assert len(shown) <= 255
    assert named("pwned", world.gateway.home.parent.parent) == []
    assert not Path("/etc/cron.d/pwned").exists()


def test_a_header_written_into_a_file_name_is_no_header(world: World) -> None:
    name = 'a.x12"\r\nAS2-To: EVIL\r\nX-Injected: "1'
    message = world.bigmart.message(interchange(number(), order("PO-CRLF")), filename=name)
    answer = post(world.gateway.as2, message)
    assert answer.header("X-Injected") is None
    assert answer.header("AS2-To") == "BIGMARTEDI"
    assert world.bigmart.read(answer).verified


def test_what_a_partner_writes_stays_one_line_in_the_receipt(world: World) -> None:
    message = world.plain.message(
        interchange(number(), order("PO-SUBJ"), sender=PLAIN), sign=False, encrypt=False
    )
    odd = message.with_headers(subject="=?utf-8?q?a=0D=0AX-Evil:_1?= %0d%0aX-Evil: 1 {{7*7}} <script>")
    answer = post(world.gateway.as2, odd)
    assert answer.header("X-Evil") is None
    assert {name.lower() for name, _ in answer.headers} <= {
        "as2-version", "as2-from", "as2-to", "message-id", "date", "mime-version", "content-type",
        "content-length", "connection",
    }  # fmt: skip
    assert world.plain.read(answer).verified


# When we cannot.


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_503_and_over_once_there_is_space_again(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode()}")
    try:
        gateway = made(disk, partner("plain", "PLAINMART", PLAIN, sign="none", encrypt="none"))
        company = Company.made(tmp_path / "theirs", "plain")
        shutil.copy(company.cert, gateway.home / "certs")
        peer = Peer("PLAINMART", company, gateway.home / "certs" / "us.crt")
        gateway.log_file = tmp_path / "log"

        def message(text: str) -> Message:
            payload = interchange(number(), order(text), sender=PLAIN)
            return peer.message(payload, sign=False, encrypt=False)

        with running(gateway):
            assert peer.read(post(gateway.as2, message("PO-ROOM"))).disposition == "processed"
            waste = disk / "waste"
            with open(waste, "wb") as file, pytest.raises(OSError, match="No space"):
                while True:
                    file.write(bytes(1 << 16))
                    file.flush()
            waiting = message("PO-FULL")
            answer = post(gateway.as2, waiting)
            assert answer.status == 503
            assert int(answer.header("Retry-After") or 0) > 0
            waste.unlink()

            def taken() -> bool:
                answer = post(gateway.as2, waiting)
                return answer.status == 200 and peer.read(answer).disposition == "processed"

            until(taken, 10)
            until(lambda: gateway.erp_has("PO-FULL"))
            until(lambda: gateway.healthy)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_an_upload_in_flight_is_finished_before_the_server_ends(tmp_path: Path) -> None:
    gateway = made(tmp_path, partner("plain", "PLAINMART", PLAIN, sign="none", encrypt="none"))
    company = Company.made(tmp_path / "theirs", "plain")
    shutil.copy(company.cert, gateway.home / "certs")
    peer = Peer("PLAINMART", company, gateway.home / "certs" / "us.crt")
    message = peer.message(interchange(number(), order("PO-DRAIN"), sender=PLAIN), sign=False, encrypt=False)
    gateway.start()
    assert gateway.process is not None
    where = urlsplit(gateway.as2)
    data = request(gateway.as2, message.headers, message.body)
    with socket.create_connection((where.hostname or "", where.port or 0), 20) as connection:
        connection.sendall(data[:-100])
        time.sleep(0.3)  # the head is being read
        gateway.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        connection.sendall(data[-100:])
        head = connection.makefile("rb").read()
    gateway.stop()
    assert head.startswith(b"HTTP/1.1 200")
    (row,) = gateway.received(message.id)
    assert row["sha256"]
