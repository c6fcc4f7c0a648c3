"""The operations listener: loopback by default, and apart from the one partners reach.

Pages are for looking: they change nothing, run no script, and show what partners wrote as text only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from gateway import queries
from gateway.home import Home

_PAGES = Path(__file__).parent / "pages"
_GUARDS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def application(home: Home) -> Starlette:
    """The ASGI application of the operations listener."""
    pages = _Pages(home)
    answers: Mapping[str, Callable[[str], Response]] = {
        "/": lambda _: pages.orders(),
        "/orders/{number}.json": pages.order_json,
        "/orders/{number}": pages.order,
        "/healthz": lambda _: pages.healthz(),
        "/style.css": lambda _: pages.style(),
    }

    def route(path: str, answer: Callable[[str], Response]) -> Route:
        async def endpoint(request: Request) -> Response:
            response = await run_in_threadpool(answer, request.path_params.get("number", ""))
            response.headers.update(_GUARDS)
            return response

        return Route(path, endpoint)

    return Starlette(routes=[route(path, answer) for path, answer in answers.items()])


class _Pages:
    """Answers, each from one query."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._environment = Environment(
            loader=FileSystemLoader(_PAGES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._environment.filters |= {"iso": datetime.isoformat, "shown": _shown}

    def orders(self) -> Response:
        """Every order with who owns its next step, and what waits for a person."""
        return self._page(
            "orders.html", orders=queries.orders_with_due(self._home), dead=queries.dead(self._home)[:50]
        )

    def order(self, number: str) -> Response:
        """One order's chain, dues and timeline."""
        found = queries.order_chain(self._home, number)
        return self._page("order.html", order=found) if found else HTMLResponse("no such order", 404)

    def order_json(self, number: str) -> Response:
        """The same as data."""
        found = queries.order_chain(self._home, number)
        return JSONResponse(queries.plain(found)) if found else JSONResponse({"error": "not found"}, 404)

    def healthz(self) -> Response:
        """Whether this process can take and do work."""
        if self._home.store.failed.is_set():
            return JSONResponse({"status": "failed"}, status_code=503)
        with self._home.store.read() as conn:
            waiting = sum(lane.ready for lane in self._home.engine.lanes(conn))
        room = self._home.store.blobs.has_room()
        state = "ok" if room else "full"
        return JSONResponse({"status": state, "jobs_waiting": waiting}, status_code=200 if room else 503)

    def style(self) -> Response:
        """The one style sheet."""
        return Response((_PAGES / "style.css").read_bytes(), media_type="text/css")

    def _page(self, name: str, **values: Any) -> Response:
        us = self._home.config.us.name
        return HTMLResponse(self._environment.get_template(name).render(us=us, **values))


def _shown(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
