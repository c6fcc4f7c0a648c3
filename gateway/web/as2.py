"""The AS2 endpoint: one path, on a listener of its own that knows no users and no sessions.

POST brings messages and receipts; HEAD asks how much of a message has come that broke off (AS2 Restart).

A body is written to the store while it arrives, and its answer is sent only after the commit. What is no AS2
request gets an HTTP status and leaves nothing behind; what cannot be stored now gets 503, never a negative
receipt, because partners take those as final.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from ipaddress import ip_address
from typing import Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.as2 import As2Refused
from gateway.as2 import Request as As2Request
from gateway.errors import Failure
from gateway.home import Home
from gateway.pipeline.conversation import BUSY, Conversation, Reply, Writer
from gateway.store import PartialLocked, PartialRange, StoreError

log = logging.getLogger(__name__)

PATHS = ("/as2", "/")
LOCKED_S = 2.0  # for a request that broke off to end, before who asks how much of it came is told to wait


class Draining(Protocol):
    """Says whether the server has begun to stop."""

    def is_set(self) -> bool: ...


def application(home: Home, draining: Draining) -> Starlette:
    """The ASGI application of the AS2 listener."""
    endpoint = _Endpoint(home, draining)
    starlette = Starlette(
        routes=[
            *(Route(path, endpoint.receive, methods=["POST"]) for path in PATHS),
            *(Route(path, endpoint.held, methods=["HEAD"]) for path in PATHS),
        ],
        exception_handlers={404: _plain, 405: _plain, 500: _plain},
    )
    starlette.router.redirect_slashes = False
    return starlette


async def _plain(request: Request, error: Exception) -> Response:
    """Statuses without a word of how we are made."""
    status = getattr(error, "status_code", 500)
    return Response(status_code=status, headers={"Allow": "POST"} if status == 405 else None)


class _Endpoint:
    def __init__(self, home: Home, draining: Draining) -> None:
        self._home = home
        self._draining = draining
        self._conversation = Conversation(home)

    async def receive(self, http: Request) -> Response:
        """One AS2 message or receipt."""
        if self._draining.is_set() or self._home.store.failed.is_set():
            return _response(BUSY)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in http.headers.raw]
        try:
            self._refuse_by_length(http)
            return _response(await self._take(http, headers))
        except As2Refused as refused:
            log.info("refused with %d: %s", refused.status, refused.cause)
            return Response(status_code=refused.status)
        except (ClientDisconnect, ConnectionError):
            return Response(status_code=400)
        except PartialRange as refused:  # how many bytes there are to go on from (RFC 9110 14.4)
            held = f"bytes */{refused.held}"
            return Response(status_code=416, headers={"Content-Range": held, "Connection": "close"})
        except PartialLocked:
            return Response(status_code=500, headers={"Connection": "close"})
        except StoreError as error:
            log.error("nothing can be stored now: %s", error)  # noqa: TRY400 - it says all
            return _response(BUSY)
        except Failure as failure:  # ours: a key or certificate in partners.toml cannot be used
            log.error("nothing can be answered now: %s", failure)  # noqa: TRY400 - it says all
            return _response(BUSY)

    async def held(self, http: Request) -> Response:
        """How much of a transfer is here, as Content-Length; 0 to who asks for nothing known."""
        if self._draining.is_set() or self._home.store.failed.is_set():
            return Response(status_code=BUSY.status, headers=dict(BUSY.headers))
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in http.headers.raw]
        until = time.monotonic() + LOCKED_S
        try:
            while True:
                with suppress(PartialLocked):
                    held = await run_in_threadpool(self._conversation.held, headers)
                    return Response(headers={"Content-Length": str(held)})
                if time.monotonic() >= until:
                    return Response(status_code=500)
                await asyncio.sleep(LOCKED_S / 20)
        except StoreError as error:
            log.error("what is held cannot be told now: %s", error)  # noqa: TRY400 - it says all
            return Response(status_code=BUSY.status, headers=dict(BUSY.headers))

    def _refuse_by_length(self, http: Request) -> None:
        length = http.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._home.config.server.max_body:
            raise As2Refused(413, f"a body of {length} bytes")

    async def _take(self, http: Request, headers: list[tuple[str, str]]) -> Reply:
        """Write the body down; then judge it and answer. An unfinished body leaves nothing."""
        peer = self._peer(http)
        request, into = await run_in_threadpool(self._begin, headers, peer)
        if isinstance(into, Reply):
            if "expect" not in http.headers:  # else it waits for 100 before it sends one
                async for _ in self._body(http):
                    pass
            return into
        try:
            async for chunk in self._body(http):
                await run_in_threadpool(into.write, chunk)
            return await run_in_threadpool(self._conversation.receive, request, into, peer)
        finally:
            into.abort()

    def _peer(self, http: Request) -> str:
        """The address that sent the request: what a proxy of ours says, where it comes through one."""
        peer = http.client.host if http.client is not None else "?"
        if peer in self._home.config.server.proxies:
            named = ",".join(http.headers.getlist("X-Forwarded-For")).rpartition(",")[2].strip()
            with suppress(ValueError):
                return str(ip_address(named))
        return peer

    def _begin(self, headers: list[tuple[str, str]], peer: str) -> tuple[As2Request, Reply | Writer]:
        """What the headers ask for, and where its body goes, or the answer that they alone decide."""
        request = self._conversation.request(headers)
        return request, self._conversation.stranger(request, peer) or self._conversation.writer(request)

    async def _body(self, http: Request) -> AsyncIterator[bytes]:
        """The chunks of a body. Raises As2Refused when it is over the limit, ClientDisconnect."""
        most = self._home.config.server.max_body
        size = 0
        async for chunk in http.stream():
            size += len(chunk)
            if size > most:
                raise As2Refused(413, f"a body over {most} bytes")
            if chunk:
                yield chunk


def _response(reply: Reply) -> Response:
    response = Response(reply.body, status_code=reply.status)
    response.raw_headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in reply.headers
        if name.lower() not in {"content-length", "date"}  # the server writes both
    ]
    if reply.status != 204:
        response.raw_headers.append((b"content-length", str(len(reply.body)).encode()))
    return response
