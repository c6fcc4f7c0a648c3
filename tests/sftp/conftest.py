"""Keys made once, and servers that live for one test."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sftp_peer import Keys, Ledger, Peer, need

from sftp.events import Account
from sftp.keys import fingerprints, load_host_keys, make_host_keys
from sftp.server import Limits, Server
from sftp.space import make_folders


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("keys")
    make_host_keys(folder / "host")
    for name in ("acme", "globex"):
        subprocess.run(
            [need("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True, timeout=30
        )
    return Keys(folder, load_host_keys(folder / "host"), folder / "acme", folder / "globex")


@pytest.fixture
def start_peer(keys: Keys, tmp_path: Path) -> Iterator[Callable[..., Peer]]:
    peers: list[Peer] = []

    def start(**limits: object) -> Peer:
        parent = tmp_path / f"server{len(peers)}"
        accounts = {
            user: (Account(user, parent / user), fingerprints((keys.folder / f"{user}.pub").read_text()))
            for user in ("acme", "globex")
        }

        def authorize(user: str, fingerprint: str) -> Account | None:
            account, allowed = accounts.get(user, (None, frozenset()))
            return account if fingerprint in allowed else None

        ledger = Ledger()
        limits = {"unauthenticated_per_ip": 50, "strikes": 1000, "min_free": 0.0} | limits
        server = Server("127.0.0.1", 0, keys.host, authorize, ledger, limits=Limits(**limits))
        for account, _ in accounts.values():
            make_folders(account.root)
        peer = Peer(keys, parent, ledger, server, accounts)
        peer.port = server.start()
        peers.append(peer)
        return peer

    yield start
    for peer in peers:
        peer.server.stop(timeout=0)


@pytest.fixture
def peer(start_peer: Callable[..., Peer]) -> Peer:
    return start_peer()
