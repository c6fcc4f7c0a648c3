"""How AS2 comes in over HTTP: what partners' clients do that is odd and allowed, and what never passes."""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peers import Answer, Company, Message, Peer, post, request, talk
from serving import Gateway, interchange, made, number, order, partner, running

from gateway.as2.request import unquoted
from gateway.config import Address
from gateway.pipeline.conversation import UNREADABLE_AN_HOUR
from gateway.web import listener as module
from gateway.web.listener import NEVER_FOLDED, Listener, unfolded

PLAIN = ("ZZ", "PLAINMART")


class World(NamedTuple):
    """A gateway that serves, and two partners of it."""

    gateway: Gateway
    bigmart: Peer  # signs and encrypts
    plain: Peer  # neither was agreed


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("http")
    gateway = made(
        folder,
        partner("bigmart", "BIGMARTEDI", ("08", "9254110060")),
        partner("plain", "PLAINMART", PLAIN, sign="none", encrypt="none"),
        server="max_body = 20000000",
    )
    us = gateway.home / "certs" / "us.crt"
    companies = [Company.made(folder / "theirs", name) for name in ("bigmart", "plain")]
    for company in companies:
        shutil.copy(company.cert, gateway.home / "certs")
    with running(gateway):
        yield World(gateway, Peer("BIGMARTEDI", companies[0], us), Peer("PLAINMART", companies[1], us))


def in_the_clear(world: World, text: str) -> Message:
    """A message that was agreed to be neither signed nor encrypted."""
    return world.plain.message(interchange(number(), order(text), sender=PLAIN), sign=False, encrypt=False)


def raw(message: Message, url: str) -> bytes:
    return request(url, message.headers, message.body)


def from_behind_proxies(message: Message, *seen: str) -> Message:
    return message.with_headers(x_forwarded_for=", ".join(seen))


@pytest.mark.parametrize("proxies", ['proxies = ["127.0.0.1"]', 'proxies = ["192.0.2.9"]', ""])
def test_b05_behind_our_proxy_nobody_shuts_a_partner_out_by_speaking_in_its_name(
    tmp_path: Path, proxies: str
) -> None:
    ours = "127.0.0.1" in proxies
    company = Company.made(tmp_path / "theirs", "bigmart")
    gateway = made(tmp_path, partner("bigmart", "BIGMARTEDI", ("08", "9254110060")), server=proxies)
    shutil.copy(company.cert, gateway.home / "certs")
    peer = Peer("BIGMARTEDI", company, gateway.home / "certs" / "us.crt")
    good = peer.message(interchange(number(), order("PO-BEHIND")))
    wrong = good._replace(body=good.body[:-20] + bytes(20))
    theirs, strange = "198.51.100.7", "203.0.113.1"
    with running(gateway):
        for count in range(UNREADABLE_AN_HOUR + 1):  # each pretends to have come by way of the partner
            message = wrong.with_headers(message_id=f"<{count}@attack>")
            answer = post(gateway.as2, from_behind_proxies(message, theirs, strange))
            assert answer.status == (200 if count < UNREADABLE_AN_HOUR else 429)
        assert post(gateway.as2, from_behind_proxies(good, theirs)).status == (200 if ours else 429)
    assert f"messages of bigmart from {strange if ours else '127.0.0.1'} within an hour" in gateway.log


# A listener alone, whose application tells what it was given.


class Seen(NamedTuple):
    """A request as the application has it."""

    method: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)


@contextmanager
def listening(
    seen: list[Seen], *, early: bool = False, wait: threading.Event | None = None, patience_s: float = 30.0
) -> Iterator[Listener]:
    """Answer each request with 200, where `early` before its body has come."""

    async def application(
        scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Any]
    ) -> None:
        body, more = b"", not early
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        seen.append(Seen(scope["method"], headers, body))
        if wait is not None:
            await _until(wait)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    listener = Listener(application, Address("127.0.0.1", 0), "alone", patience_s=patience_s)
    listener.start()
    try:
        yield listener
    finally:
        listener.stop()


async def _until(event: threading.Event) -> None:
    while not event.is_set():
        await asyncio.sleep(0.01)


@contextmanager
def connected(url: str, source: str = "127.0.0.1") -> Iterator[socket.socket]:
    where = urlsplit(url)
    address = (where.hostname or "", where.port or 0)
    with socket.create_connection(address, 10, source_address=(source, 0)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def answers(connection: socket.socket) -> list[bytes]:
    """The status line of each answer until the connection ends."""
    return [line for line in connection.makefile("rb").read().split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


OK, BAD = b"HTTP/1.1 200 OK", b"HTTP/1.1 400 Bad Request"
LAST = b"Connection: close\r\nContent-Length: 1\r\n\r\nx"


# Folded headers.

FOLDS = {
    "by a space": b"Subject: one two\r\n three\r\n",
    "by a tab": b"Subject: one two\r\n\tthree\r\n",
    "by several": b"Subject: one \t\r\n \t two\r\n \t\r\n  three \r\n",
    "before its value": b"Subject:\r\n one two three\r\n",
    "in capitals": b"SUBJECT: one two\r\n three\r\n",
}


@pytest.mark.parametrize("folded", FOLDS.values(), ids=FOLDS)
def test_a_folded_header_stands_on_one_line(folded: bytes) -> None:
    seen: list[Seen] = []
    with listening(seen) as listener, connected(listener.url) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\n" + folded + b"X-Next: n\r\n" + LAST)
        assert answers(connection) == [OK]
    assert " ".join((seen[0].header("subject") or "").split()) == "one two three"
    assert (seen[0].header("x-next"), seen[0].body) == ("n", b"x")


def test_a_folded_head_may_come_in_any_pieces_and_again_on_the_same_connection() -> None:
    seen: list[Seen] = []
    folded = b"Content-Type: multipart/signed;\r\n\tboundary=b\r\n"
    head = b"POST / HTTP/1.1\r\nHost: a\r\n" + folded + b"Content-Length: 3\r\n"
    with listening(seen) as listener, connected(listener.url) as connection:
        for _ in range(2):
            for byte in head:
                connection.sendall(bytes([byte]))
            connection.sendall(b"\r\n\r")  # the body may look like the end of a head
            connection.sendall(b"\n\r")
            assert connection.recv(1000).startswith(OK)
    assert [one.header("content-type") for one in seen] == ["multipart/signed; boundary=b"] * 2
    assert [one.body for one in seen] == [b"\r\n\r"] * 2


@pytest.mark.parametrize("name", sorted(NEVER_FOLDED))
def test_a01_a06_what_says_where_a_request_ends_or_whose_it_is_may_not_be_folded(name: bytes) -> None:
    seen: list[Seen] = []
    for fold in (b": 1\r\n 2", b":\r\n\t1", b": 1\r\n "):
        with listening(seen) as listener, connected(listener.url) as connection:
            connection.sendall(
                b"POST / HTTP/1.1\r\nSubject: a\r\n b\r\n" + name.title() + fold + b"\r\n" + LAST
            )
            assert answers(connection) == [BAD]
    assert seen == []


SMUGGLED = {
    "a length in a fold": b"X: a\r\n\tContent-Length: 5\r\n",
    "a header after a bare CR in a fold": b"X: a\r\n b\rTransfer-Encoding: chunked\r\n",
    "a header after a bare LF in a fold": b"X: a\r\n b\nTransfer-Encoding: chunked\r\n",
    "a NUL in a fold": b"X: a\r\n b\x00\r\n",
    "a space before a colon beside a fold": b"X: a\r\n b\r\nContent-Length : 5\r\n",
    "a fold of a name": b"Content\r\n -Length: 5\r\n",
}


@pytest.mark.parametrize("lines", SMUGGLED.values(), ids=SMUGGLED)
def test_a01_nothing_gets_into_a_head_by_a_fold(lines: bytes) -> None:
    seen: list[Seen] = []
    with listening(seen) as listener, connected(listener.url) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\n" + lines + LAST + b"12345")
        told = answers(connection)
    if lines == SMUGGLED["a length in a fold"]:
        assert told == [OK]
        assert (seen[0].header("x"), seen[0].body) == ("a Content-Length: 5", b"x")
    else:
        assert (told, seen) == ([BAD], [])


def test_a03_a_folded_head_has_the_same_bounds() -> None:
    seen: list[Seen] = []
    long = b"POST / HTTP/1.1\r\nHost: a\r\nX: a" + b"\r\n " + b"a" * 30 * 1024 + b"\r\n b" * 1000
    for end in (b"\r\n" + LAST, b""):
        with listening(seen) as listener, connected(listener.url) as connection:
            connection.sendall(long + end)
            connection.sendall(b"\r\n " + b"b" * 40_000)
            assert answers(connection) == [b"HTTP/1.1 431 Request Header Fields Too Large"]
    assert seen == []


names = st.sampled_from([b"Subject", b"Content-Type", b"Content-Length", b"Host", b"X"])
lines = st.binary(max_size=12).map(lambda data: data.translate(None, b"\r\n\0"))


@given(st.lists(st.tuples(names, st.lists(lines, min_size=1, max_size=4)), max_size=5))
def test_unfolding_changes_line_breaks_of_foldable_fields_alone(
    fields: list[tuple[bytes, list[bytes]]],
) -> None:
    head = b"POST / HTTP/1.1\r\n" + b"\r\n".join(name + b":" + b"\r\n ".join(parts) for name, parts in fields)
    changed = unfolded(head)
    assert unfolded(changed) == changed
    assert changed.translate(None, b"\r\n \t") == head.translate(None, b"\r\n \t")
    kept = sum(len(parts) - 1 for name, parts in fields if name.lower() in NEVER_FOLDED)
    assert changed.count(b"\r\n ") == kept


def test_a_message_whose_headers_are_folded_in_odd_case_and_come_byte_by_byte_is_processed(
    world: World,
) -> None:
    message = world.bigmart.message(interchange(number(), order("PO-FOLD")))
    odd = [(name.swapcase(), value) for name, value in message.headers]
    data = request(world.gateway.as2, odd, message.body)
    data = data.replace(b"; smime-type", b";\r\n\tsmime-type", 1)
    data = data.replace(b"signed-receipt-micalg", b"\r\n   signed-receipt-micalg", 1)
    head, _, body = data.partition(b"\r\n\r\n")
    with connected(world.gateway.as2) as connection:
        for byte in head:
            connection.sendall(bytes([byte]))
        connection.sendall(b"\r\n\r\n" + body)
        answer = _read(connection)
    receipt = world.bigmart.read(answer)
    assert (receipt.disposition, receipt.verified, receipt.signed) == ("processed", True, True)


def _read(connection: socket.socket) -> Answer:
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return Answer(answer.status, answer.getheaders(), answer.read())


# Heads.


def test_h4_a_length_may_have_leading_zeros(world: World) -> None:
    message = in_the_clear(world, "PO-ZEROS")
    headers = [*message.headers, ("Content-Length", f"{len(message.body):010}")]
    answer = talk(world.gateway.as2, request(world.gateway.as2, headers, message.body))
    assert world.plain.read(answer).disposition == "processed"


def test_h4_http_1_0_has_no_host() -> None:
    seen: list[Seen] = []
    with listening(seen) as listener, connected(listener.url) as connection:
        connection.sendall(b"POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\nx")
        assert answers(connection) == [OK]


def test_h14_head_on_our_url_is_answered_with_nothing(world: World) -> None:
    with connected(world.gateway.as2) as connection:
        connection.sendall(request(world.gateway.as2, [], b"", "HEAD"))
        head, _, body = connection.makefile("rb").read().lower().partition(b"\r\n\r\n")
    assert head.startswith(b"http/1.1 200 ")
    assert b"\r\ncontent-length: 0" in head
    assert body == b""


def test_an_empty_line_before_a_request_is_passed_over() -> None:
    seen: list[Seen] = []
    with listening(seen) as listener, connected(listener.url) as connection:
        connection.sendall(b"\r\n")
        connection.sendall(b"\r\nPOST / HTTP/1.1\r\nHost: a\r\n" + LAST)
        assert answers(connection) == [OK]


def test_what_trails_a_body_is_no_header() -> None:
    seen: list[Seen] = []
    head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    with listening(seen) as listener, connected(listener.url) as connection:
        connection.sendall(head + b"1\r\nx\r\n0\r\nAS2-From: EVIL\r\n\r\n")
        assert answers(connection) == [OK]
    assert (seen[0].body, seen[0].header("as2-from")) == (b"x", None)


@pytest.mark.parametrize("value", ["Basic dXM6cHc=", "Bearer x", "AWS4-HMAC us/", "nonsense", ""])
def test_h10_no_credentials_are_asked_for_where_some_come_unasked(world: World, value: str) -> None:
    message = in_the_clear(world, "PO-AUTH").with_headers(authorization=value)
    answer = post(world.gateway.as2, message)
    assert answer.header("WWW-Authenticate") is None
    assert world.plain.read(answer).disposition == "processed"


def test_who_would_rather_speak_http_2_is_answered_in_http_1_1_and_let_go(world: World) -> None:
    message = in_the_clear(world, "PO-H2C")
    upgrade = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABk")]
    data = request(world.gateway.as2, [*message.headers, *upgrade], message.body)
    with connected(world.gateway.as2) as connection:
        connection.sendall(data.replace(b"Connection: close\r\n", b"", 1))
        answer = _read(connection)
        assert connection.recv(1) == b""
    assert world.plain.read(answer).disposition == "processed"


# Expect: 100-continue (RFC 9110 10.1.1).


def expecting(world: World, message: Message) -> bytes:
    return request(world.gateway.as2, [*message.headers, ("Expect", "100-Continue")], message.body)


def test_a_partner_that_waits_for_100_gets_it_and_then_its_receipt(world: World) -> None:
    message = in_the_clear(world, "PO-EXPECT")
    head, _, body = expecting(world, message).partition(b"\r\n\r\n")
    with connected(world.gateway.as2) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        answer = _read(connection)
    assert world.plain.read(answer).disposition == "processed"


UNWANTED: dict[str, tuple[dict[str, str | None], bytes]] = {
    "too large": ({"content_length": "20000001"}, b"413"),
    "without a sender": ({"as2_from": None}, b"400"),
    "coded": ({"content_encoding": "gzip"}, b"415"),
    "from a stranger": ({"as2_from": "NOBODY", "disposition_notification_to": None}, b"403"),
    "from a stranger that asks for a receipt": ({"as2_from": "NOBODY"}, b"200"),
    "with a receipt elsewhere": ({"receipt_delivery_option": "http://127.0.0.1:22/"}, b"400"),
}


@pytest.mark.parametrize(("changed", "status"), UNWANTED.values(), ids=UNWANTED)
def test_a04_who_is_refused_by_the_head_alone_is_never_told_to_continue(
    world: World, changed: dict[str, str | None], status: bytes
) -> None:
    message = in_the_clear(world, "PO-NO").with_headers(**changed)
    with connected(world.gateway.as2) as connection:
        connection.sendall(expecting(world, message).partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        told = answers(connection)
    assert [line.split()[1] for line in told] == [status]


# Refusals that arrive.


def test_a_refusal_is_not_lost_though_the_body_is_still_on_its_way(world: World) -> None:
    message = in_the_clear(world, "PO-LATE").with_headers(as2_from=None)._replace(body=bytes(10_000_000))
    with connected(world.gateway.as2) as connection:
        connection.sendall(raw(message, world.gateway.as2))
        assert _read(connection).status == 400
    assert talk(world.gateway.as2 + "/no", raw(message, world.gateway.as2 + "/no")).status == 404


def test_no_more_than_so_much_is_read_of_a_body_that_was_answered() -> None:
    seen: list[Seen] = []
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10737418240\r\n\r\n"
    with listening(seen, early=True) as listener, connected(listener.url) as connection:
        connection.sendall(head)
        assert connection.recv(1000).startswith(OK)
        with pytest.raises(ConnectionError):
            for _ in range(module.MAX_UNHEARD // 65536 * 8):
                connection.sendall(bytes(65536))


def test_a02_a_body_that_was_answered_and_stands_still_ends_the_connection() -> None:
    seen: list[Seen] = []
    with listening(seen, early=True, patience_s=0.4) as listener, connected(listener.url) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n" + bytes(40_000))
        assert answers(connection) == [OK]


def test_a02_a_connection_on_which_no_next_request_comes_ends_though_lines_do() -> None:
    seen: list[Seen] = []
    with listening(seen, patience_s=0.4) as listener, connected(listener.url) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
        assert connection.recv(1000).startswith(OK)
        with pytest.raises(ConnectionError):
            while True:
                connection.sendall(b"\r\n")
                threading.Event().wait(0.05)


def test_a_request_gets_its_answer_though_what_follows_it_is_none() -> None:
    seen: list[Seen] = []
    wait = threading.Event()
    with listening(seen, wait=wait) as listener, connected(listener.url) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx" + b"nonsense\r\n\r\n")
        connection.sendall(b"more nonsense\r\n\r\n")
        wait.set()
        assert answers(connection) == [OK]
    assert len(seen) == 1


def test_a12_no_address_has_more_than_so_many_connections_but_a_proxys_on_this_machine() -> None:
    seen: list[Seen] = []
    ask = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"
    with listening(seen) as listener:
        taken = []
        try:
            for _ in range(module.MAX_FROM_ONE):
                where = urlsplit(listener.url)
                taken.append(
                    socket.create_connection((where.hostname or "", where.port or 0), 10, ("127.0.0.2", 0))
                )
                taken[-1].sendall(ask)
                assert taken[-1].recv(1000).startswith(OK)
            with connected(listener.url, "127.0.0.2") as beyond, suppress(ConnectionError):
                beyond.sendall(ask)
                assert beyond.recv(1000) == b""
            for source in ("127.0.0.1", "127.0.0.3"):
                with connected(listener.url, source) as other:
                    other.sendall(ask)
                    assert other.recv(1000).startswith(OK)
        finally:
            for connection in taken:
                connection.close()


# What a partner writes.


def test_a07_odd_ids_of_a_stranger_come_back_as_they_went(world: World) -> None:
    for sender in ('"a\\"b"', "%0d%0aX-Evil: 1", '"a b c !"', "=?utf-8?q?=0D=0A?=", "#,;<x>"):
        message = in_the_clear(world, "PO-ODD").with_headers(
            as2_from=sender, message_id=f"<{json.dumps(sender)}>"
        )
        answer = post(world.gateway.as2, message)
        assert answer.status == 200
        assert answer.header("X-Evil") is None
        assert unquoted(answer.header("AS2-To") or "") == unquoted(sender)
        assert world.plain.read(answer).fields["original-message-id"] == f"<{json.dumps(sender)}>"
