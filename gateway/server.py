"""A running gateway: the engine's handlers, the listeners, the SFTP server and the watched folders.

Started in the order in which each needs what came before; stopped the other way round, so that nothing is
accepted that could not be finished.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import NamedTuple

from gateway import certificates
from gateway.config import Address
from gateway.home import Home
from gateway.intake import Accounts, Intake
from gateway.pipeline import delivering, exchange, outbound, reading, receipts, reconcile, sending
from gateway.web import as2, operations
from gateway.web.listener import Listener
from sftp.drop import Waker
from sftp.keys import load_host_keys, make_host_keys
from sftp.server import Server as SftpServer

log = logging.getLogger(__name__)

DRAIN_S = 30.0
SWEEP_S = 600.0  # between two looks for what broke off and was never gone on with


class Addresses(NamedTuple):
    """Where to listen."""

    as2: Address
    web: Address
    sftp: Address


def start_engine(home: Home, *, wait_s: float = 5.0) -> None:
    """Run the home's jobs in this process. Raises RunnerExists when another still does after `wait_s`."""
    home.engine.run(
        {
            "read": lambda job: reading.read(home, job),
            "deliver": lambda job: delivering.deliver(home, job),
            "send": lambda job: sending.send(home, job),
            "receipt": lambda job: receipts.post(home, job),
            "batch": lambda job: outbound.close_batch(home, job),
            "ack-due": lambda job: reconcile.overdue(home, job),
            "mdn-due": lambda job: sending.receipt_overdue(home, job),
            "certificate-answer": lambda job: exchange.answer(home, job),
            "certificates": lambda job: certificates.watch(home, job),
        },
        on_dead={
            "read": lambda conn, job, reason, text: reading.read_failed(home, conn, job, reason, text),
            "deliver": lambda conn, job, reason, text: delivering.deliver_failed(
                home, conn, job, reason, text
            ),
            "batch": lambda conn, job, reason, text: outbound.batch_failed(home, conn, job, reason, text),
            "send": lambda conn, job, reason, text: sending.failed(home, conn, job, reason, text),
            "certificate-answer": lambda conn, job, reason, text: exchange.answer_failed(
                home, conn, job, reason, text
            ),
            "receipt": lambda conn, job, reason, text: receipts.post_failed(home, conn, job, reason, text),
        },
        wait_s=wait_s,
    )
    home.store.write(lambda conn: certificates.watch_daily(home, conn))


class Server:
    """One process serving a home. Raises OSError when an address is taken, RunnerExists, StoreError."""

    def __init__(self, home: Home, addresses: Addresses) -> None:
        self._home = home
        self._draining = threading.Event()
        self._waker = Waker()
        accounts = Accounts(home, self._waker)
        self._intake = Intake(home, accounts, self._waker)
        keys = home.config.home / "secrets" / "ssh"
        make_host_keys(keys)
        self._sftp = SftpServer(
            addresses.sftp.host,
            addresses.sftp.port,
            load_host_keys(keys),
            accounts.authorize,
            accounts.journal,
        )
        self._sftp_host = addresses.sftp.host
        self._as2 = Listener(as2.application(home, self._draining), addresses.as2, "as2")
        self._web = Listener(operations.application(home), addresses.web, "web")

    def start(self) -> dict[str, str]:
        """Start everything; where each listener is, as URLs."""
        home = self._home
        home.store.blobs.sweep()
        home.listening_at = f"{self._as2.url}/as2"
        start_engine(home)
        self._intake.start()
        sftp_port = self._sftp.start()
        self._as2.start()
        self._web.start()
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._sftp_host, self._sftp_host)  # noqa: S104
        return {"as2": f"{self._as2.url}/as2", "web": self._web.url, "sftp": f"sftp://{host}:{sftp_port}"}

    def stop(self) -> bool:
        """Drain: answer what is at hand, begin nothing, let jobs end; whether all did in time."""
        self._draining.set()
        self._as2.stop()
        self._sftp.stop(DRAIN_S / 2)
        self._intake.stop()
        ended = self._home.engine.drain(DRAIN_S)
        self._web.stop()
        self._waker.close()
        return ended

    def run_until(self, stopping: threading.Event) -> bool:
        """Take changed configuration into force until told to stop; False when the store has failed."""
        home, sweep_at = self._home, 0.0
        while not stopping.wait(1.0):
            home.reload()
            if time.monotonic() >= sweep_at:
                sweep_at = time.monotonic() + SWEEP_S
                home.store.partials.sweep(home.config.server.partial_age.total_seconds())
            if self._home.store.failed.is_set():
                log.critical("the store failed: %s", self._home.store.failure)
                return False
        return True
