"""Peers and gateways, started once for each test process and only when a test needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from interop_cases import CASES
from interop_world import Unavailable, World, trading


@pytest.fixture(scope="session")
def world_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], World]]:
    """Where a peer and our gateways trade, by the name of the peer; skips where its programs are not here."""
    worlds: dict[str, World] = {}
    with ExitStack() as stack:

        def world(peer: str) -> World:
            if peer not in worlds:
                cases = [case for case in CASES if case.peer == peer]
                folder = tmp_path_factory.mktemp(peer)
                try:
                    worlds[peer] = stack.enter_context(trading(folder, cases))
                except Unavailable as error:
                    pytest.skip(str(error))
            return worlds[peer]

        yield world
