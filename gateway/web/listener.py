"""An HTTP listener on a thread of its own: uvicorn with httptools, on a socket bound before it runs.

Its patience has an end: a request's head is bounded in size and time, and a body must keep moving.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.config import Address

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
PATIENCE_S = 30.0  # for a head, and for each next MIN_BODY bytes of a body
MIN_BODY = 30 * 1024


class _Refused(Exception):
    """Stops the parser of a request that was answered already."""


class _Bounded(HttpToolsProtocol):
    """uvicorn's protocol, refusing what is out of all proportion before it costs memory or a connection."""

    patience_s = PATIENCE_S

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._in_head = True
        self._head = self._moved = self._fields = 0
        self._since = self.loop.time()
        self._watch = self.loop.call_later(self.patience_s / 4, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._moved += len(data)
        self._head += len(data) if self._in_head else 0
        super().data_received(data)
        if self._in_head and self._head > MAX_HEAD:  # a field without an end reaches no callback
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head = self._fields = 0
        self._since = self.loop.time()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > MAX_LINE:
            self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG)
            raise _Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._fields += len(name) + len(value)
        if self._fields > MAX_HEAD or len(self.headers) > MAX_HEADERS:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            raise _Refused

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._moved = 0
        self._since = self.loop.time()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def _look(self) -> None:
        """Refuse a head that takes too long, and a body that hardly moves while we would read."""
        self._watch = self.loop.call_later(self.patience_s / 4, self._look)
        waited = self.loop.time() - self._since >= self.patience_s
        if self._in_head:
            if waited:
                self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        elif self.cycle is not None and self.cycle.more_body and not self.cycle.response_complete:
            if waited and self._moved < MIN_BODY and not self.flow.read_paused:
                self._refuse(HTTPStatus.REQUEST_TIMEOUT)
            elif waited:
                self._moved, self._since = 0, self.loop.time()

    def _refuse(self, status: HTTPStatus) -> None:
        if not self.transport.is_closing():
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            self.transport.write(f"{head}content-length: 0\r\nconnection: close\r\n\r\n".encode())
            self.transport.close()


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
                limit_concurrency=512,
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
