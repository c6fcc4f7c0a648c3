"""An HTTP listener on a thread of its own: uvicorn with httptools, on a socket bound before it runs."""

from __future__ import annotations

import socket
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

from gateway.config import Address

Asgi = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]


class Listener:
    """Serves one application. `url` is where it listens, without a path."""

    def __init__(self, application: Asgi, address: Address, name: str) -> None:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self._socket = socket.create_server((address.host, address.port), family=family, backlog=512)
        port = self._socket.getsockname()[1]
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)  # noqa: S104
        self.url = f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
        self.address = Address(address.host, port)
        self._server = uvicorn.Server(
            uvicorn.Config(
                application,
                http="httptools",
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
