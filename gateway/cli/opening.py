"""Opening a home from the command line, with the store's errors told as failures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateway.cli import output
from gateway.errors import Code, Failure

if TYPE_CHECKING:
    from gateway.home import Home


@contextmanager
def open_home() -> Iterator[Home]:
    """The home this command is about. Raises Failure for configuration and store alike."""
    from gateway.home import Home
    from gateway.store import SchemaTooNew, StoreError

    try:
        home = Home.open(output.home())
        try:
            yield home
        finally:
            home.close()
    except SchemaTooNew as error:
        raise Failure(Code.STORE_UNAVAILABLE, str(error), next="install the newer tradelane") from error
    except StoreError as error:
        raise Failure(Code.STORE_UNAVAILABLE, str(error), next="tradelane doctor") from error
