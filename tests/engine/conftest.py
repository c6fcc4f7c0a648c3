from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.engine import Backoff, Engine
from gateway.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "tradelane.db", blobs=tmp_path / "blobs") as opened:
        yield opened


@pytest.fixture
def engine(store: Store) -> Iterator[Engine]:
    made = Engine(store, "node", backoff=Backoff(base_s=0.01, cap_s=0.05))
    yield made
    made.drain(10)


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Wait until something is so, and fail when it is not within ten seconds."""

    def wait(holds: Callable[[], bool]) -> None:
        until = time.monotonic() + 10
        while not holds():
            assert time.monotonic() < until, "it did not come about"
            time.sleep(0.005)

    return wait
