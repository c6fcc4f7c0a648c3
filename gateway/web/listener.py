"""An HTTP listener on a thread of its own: uvicorn with httptools, on a socket bound before it runs.

Its patience has an end: a request's head is bounded in size and time, and a body must keep moving. What is
refused before its body has come is still read for a while, for a connection that is closed with bytes unread
takes its answer with it.

Partners fold long headers, which HTTP has forbidden since (RFC 9112 5.2). A folded field is put on one line,
as that section allows, unless it says where a request ends, for whom it is or from whom (`NEVER_FOLDED`): two
programs that read one of those differently are a way in, and such a head is answered with 400. The parser
stays the judge of both: it reads nothing leniently, and of a folded head what has become of it. A head that
came in one packet with the request before it is not unfolded.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.config import Address

log = logging.getLogger(__name__)

Asgi = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]

MAX_LINE = 8 * 1024  # bytes of a request's target
MAX_HEAD = 32 * 1024  # bytes of a request's head
MAX_HEADERS = 100
MAX_CONNECTIONS = 512
MAX_FROM_ONE = 64  # connections from one address, but for a proxy's on this machine
MAX_UNHEARD = 16 << 20  # bytes read of a body that was answered before it came
PATIENCE_S = 30.0  # for a head, and for each next MIN_BODY bytes of a body
MIN_BODY = 30 * 1024
LINGER_S = 2.0  # for a client to take its refusal

NEVER_FOLDED = frozenset(
    {
        b"as2-from",
        b"as2-to",
        b"connection",
        b"content-encoding",
        b"content-length",
        b"expect",
        b"host",
        b"message-id",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_REQUEST_LINE = re.compile(rb"[^\r\n]+ HTTP/1\.[01]\r\n")
_FOLD = re.compile(rb"\r\n[ \t]")
_FOLDED_FIELD = re.compile(rb"(?<=\r\n)([^\s:]+):[^\r\n]*(?:\r\n[ \t][^\r\n]*)+")


def unfolded(head: bytes) -> bytes:
    """A request's head with each folded field on one line; those of `NEVER_FOLDED` stay as they are."""

    def on_one_line(field: re.Match[bytes]) -> bytes:
        if field[1].lower() in NEVER_FOLDED:
            return field[0]
        return b" ".join(line.strip(b" \t") for line in field[0].split(b"\r\n"))

    return _FOLDED_FIELD.sub(on_one_line, head)


class _Refused(Exception):
    """Stops the parser of a request that was answered already."""


class _Answering(asyncio.Transport):
    """Where one answer is written. Closing it leaves the rest of the request to be read, within bounds."""

    def __init__(self, protocol: _Bounded) -> None:
        super().__init__()
        self._protocol = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._protocol.transport.write(data)

    def is_closing(self) -> bool:
        return self._protocol.transport.is_closing()

    def close(self) -> None:
        self._protocol.close()


class _Bounded(HttpToolsProtocol):
    """uvicorn's protocol, refusing what is out of all proportion before it costs memory or a connection."""

    patience_s = PATIENCE_S

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = self.client[0] if self.client is not None else ""
        from_one = sum(
            isinstance(one, _Bounded) and one.client is not None and one.client[0] == address
            for one in self.connections
        )
        if from_one > MAX_FROM_ONE and address not in ("127.0.0.1", "::1"):
            log.warning("%d connections from %s: no more are taken", from_one - 1, address)
            transport.abort()
        elif len(self.connections) > MAX_CONNECTIONS + MAX_FROM_ONE:  # too many even to be told
            transport.abort()
        self._in_head, self._in_body, self._begun = True, False, False
        self._raw: bytes | None = None  # the head so far, where it began with a packet
        self._folded = False  # whether the parser waits for the head to be whole
        self._refused = self._closing = False
        self._head = self._moved = self._fields = 0
        self._since = self.loop.time()
        self._watch = self.loop.call_later(self.patience_s / 4, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._moved += len(data)
        self._head += len(data) if self._in_head else 0
        if not self._begun:
            self._raw = data
        elif self._in_head and self._raw is not None:
            self._raw += data
        if self._folded:
            self._unfold()
        else:
            super().data_received(data)
        if self._in_head and self._head > MAX_HEAD:  # a field without an end reaches no callback
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        begun = self._raw.lstrip(b"\r\n") if self._in_head and self._raw is not None else b""
        if b"\n" in begun and not _REQUEST_LINE.match(begun):
            self._refuse(HTTPStatus.BAD_REQUEST)  # HTTP/0.9, whose client waits for an answer now
        if self._in_body and self._moved > MAX_UNHEARD and self.cycle.response_complete:
            self.transport.close()

    def _unfold(self) -> None:
        """Go on with a folded head as soon as it is whole."""
        assert self._raw is not None
        head, end, rest = self._raw.partition(b"\r\n\r\n")
        if len(head) > MAX_HEAD:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif end:
            self._folded, self._raw = False, None
            self.parser = httptools.HttpRequestParser(self)
            super().data_received(unfolded(head) + end + rest)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = self._begun = True
        self._head = self._fields = 0
        self._since = self.loop.time()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > MAX_LINE:
            self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG)
            raise _Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += len(name) + len(value)
        if self._fields > MAX_HEAD or len(self.headers) >= MAX_HEADERS:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            raise _Refused
        if self._in_head:  # what trails a body is no header (RFC 9110 6.5.1)
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._raw = False, None
        self._moved = 0
        self._since = self.loop.time()
        hosts = sum(name == b"host" for name, _ in self.headers)
        needed = self.parser.get_http_version() != "1.0"
        if hosts > 1 or hosts < needed or not self.url.startswith(b"/"):  # RFC 9112 3.2
            self._refuse(HTTPStatus.BAD_REQUEST)
            raise _Refused
        if len(self.connections) > MAX_CONNECTIONS:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "retry-after: 30\r\n")
            raise _Refused
        super().on_headers_complete()
        self._in_body = True
        self.cycle.transport = _Answering(self)
        # Who is refused before 100 sends no body, and who would speak another protocol gets no further.
        if self.expect_100_continue or self.parser.should_upgrade():
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        self._in_body = self._begun = False
        super().on_message_complete()
        if self._closing:
            self.transport.close()

    def close(self) -> None:
        """End the connection, unless a body is on its way: then with the body."""
        unasked = self.expect_100_continue and not self._moved
        if self._in_body and not unasked:
            self._closing = True
        else:
            self.transport.close()

    def on_response_complete(self) -> None:
        self._since = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """What the parser cannot read is refused, unless it is a fold alone."""
        if self._in_head and self._raw is not None and _FOLD.search(self._raw):
            self._folded = True
            self._unfold()
        else:
            self._refuse(HTTPStatus.BAD_REQUEST)

    def _look(self) -> None:
        """Refuse a head that takes too long, and a body that hardly moves while we would read."""
        self._watch = self.loop.call_later(self.patience_s / 4, self._look)
        if self.loop.time() - self._since < self.patience_s:
            return
        answered = self.cycle is None or self.cycle.response_complete
        if self._in_head:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        elif answered:  # and neither the rest of its body nor another request has come
            self.transport.close()
        elif self._in_body and self._moved < MIN_BODY and not self.flow.read_paused:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self._moved, self._since = 0, self.loop.time()

    def _refuse(self, status: HTTPStatus, more: str = "") -> None:
        """Answer with a status alone, and close once the client has gone or had time to read it."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        answering = self.cycle is not None and not self.cycle.response_complete
        if self.pipeline:
            self.transport.close()
        elif answering and not self._in_body:  # the request before is whole and gets its answer
            self.cycle.keep_alive = False
        else:
            if answering:
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\n{more}"
            self.transport.write(f"{head}content-length: 0\r\nconnection: close\r\n\r\n".encode())
            self.transport.write_eof()
            self._watch.cancel()
            self._watch = self.loop.call_later(LINGER_S, self.transport.close)


class Listener:
    """Serves one application. `url` is where it listens, without a path."""

    def __init__(
        self, application: Asgi, address: Address, name: str, *, patience_s: float = PATIENCE_S
    ) -> None:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self._socket = socket.create_server((address.host, address.port), family=family, backlog=512)
        port = self._socket.getsockname()[1]
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)  # noqa: S104
        self.url = f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
        self.address = Address(address.host, port)
        protocol = type("Bounded", (_Bounded,), {"patience_s": patience_s})
        self._server = uvicorn.Server(
            uvicorn.Config(
                application,
                http=protocol,
                loop="uvloop",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                ws="none",
                timeout_keep_alive=15,
                timeout_graceful_shutdown=25,
            )
        )
        self._thread = threading.Thread(target=self._run, name=f"http-{name}", daemon=True)

    def start(self) -> None:
        """Begin to accept."""
        self._thread.start()

    def stop(self) -> None:
        """Accept no more, finish the requests at hand, end."""
        self._server.should_exit = True
        self._thread.join(30.0)
        self._socket.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])
