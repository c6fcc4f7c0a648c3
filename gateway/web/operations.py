"""The operations listener: loopback by default, and apart from the one partners reach."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway import queries
from gateway.home import Home


def application(home: Home) -> Starlette:
    """The ASGI application of the operations listener."""

    def healthz() -> Response:
        if home.store.failed.is_set():
            return JSONResponse({"status": "failed"}, status_code=503)
        with home.store.read() as conn:
            waiting = sum(lane.ready for lane in home.engine.lanes(conn))
        room = home.store.blobs.has_room()
        return JSONResponse(
            {"status": "ok" if room else "full", "jobs_waiting": waiting}, status_code=200 if room else 503
        )

    async def health(request: Request) -> Response:
        return await run_in_threadpool(healthz)

    async def order(request: Request) -> Response:
        found = await run_in_threadpool(queries.order_chain, home, request.path_params["number"])
        return JSONResponse(queries.plain(found)) if found else JSONResponse({"error": "not found"}, 404)

    return Starlette(routes=[Route("/healthz", health), Route("/orders/{number}", order)])
