"""An open home: its configuration, store, engine and ERP, as one value that everything above works with."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, insert

from gateway import config as configuration
from gateway.config import Config
from gateway.engine import Engine
from gateway.erp import FileErp
from gateway.errors import Failure
from gateway.store import Store
from gateway.store.tables import event

log = logging.getLogger(__name__)

DATABASE = "tradelane.db"

_NOTE = insert(event)
MOST_TOLD = 2000  # characters of a line of the timeline, which may hold what anyone has sent


class Home:
    """What a process needs to work on a home. Threads share it; `config` may change between two reads."""

    def __init__(self, config: Config, store: Store, clock: Callable[[], datetime]) -> None:
        self._config = config
        self._reloading = threading.Lock()
        self._refused = ""  # what was wrong with the partners.toml that was told of last
        self.store = store
        self.engine = Engine(store, f"{os.uname().nodename}")
        self.erp = FileErp(config.home / config.erp.folder)
        self.now = clock
        self.listening_at: str | None = None  # our AS2 URL on this machine, once a server listens
        self.noted_uses: dict[
            tuple[str, str, str], datetime
        ] = {}  # of certificates; see gateway.certificates

    @classmethod
    def open(cls, root: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Self:
        """Open a home, upgrading its database when needed. Raises Failure, StoreError."""
        config = configuration.load(root)
        store = Store.open(config.data / DATABASE, blobs=config.data / "blobs")
        return cls(config, store, clock)

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._config

    @property
    def as2_url(self) -> str | None:
        """Our AS2 URL as partners reach it."""
        return self._config.server.public_url or self.listening_at

    def reload(self) -> bool:
        """Take a changed partners.toml into force; a bad one is refused and told, and the old stays."""
        with self._reloading:
            if not self._config.changed():
                return False
            try:
                self._config = configuration.load(self._config.home)
            except Failure as failure:
                if str(failure) != self._refused:  # it is tried again every second: a file it names may come
                    log.error("partners.toml was not reloaded: %s", failure)  # noqa: TRY400 - it says all
                self._refused = str(failure)
                return False
            self._refused = ""
            log.info("partners.toml was reloaded")
            return True

    def note(
        self,
        conn: Connection,
        name: str,
        text: str,
        *,
        partner: str | None = None,
        correlation: str | None = None,
        document: str | None = None,
        transmission: str | None = None,
    ) -> None:
        """Write a line of the timeline, cut where it is too long, in the transaction in which it happens."""
        conn.execute(
            _NOTE,
            {
                "at": self.now(),
                "name": name,
                "text": text if len(text) <= MOST_TOLD else f"{text[: MOST_TOLD - 3]}...",
                "partner": partner,
                "correlation": correlation,
                "document": document,
                "transmission": transmission,
            },
        )

    def outbox(self, user: str) -> Path:
        """The folder on our SFTP server from which a partner fetches; made when it is not there."""
        path = self._config.home / "sftp" / user / "out"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()
