"""Named places where a test lets the process die as if the power had gone.

`TRADELANE_CRASH_AT=name` or `name:#3` kills this process with SIGKILL the first (third) time the place is
reached. Without the variable a fail point costs one comparison. The names are the product's most delicate
moments, and the crash tests go through all of them.
"""

from __future__ import annotations

import os
import signal
import threading

NAMES = (
    "receive:stored",  # payload on disk, no row yet
    "receive:committed",  # row committed, nobody answered
    "read:before-commit",  # read, checked and mapped; nothing recorded
    "read:committed",
    "erp:staged",  # the document lies beside the ERP's folder
    "erp:placed",  # the ERP can see it; not recorded
    "follow:committed",  # the next document exists and is queued
    "batch:written",  # a batch numbered and written; nothing recorded
    "batch:committed",  # its interchange is queued
    "send:built",  # wire form stored, nothing sent
    "send:posted",  # the partner has answered; not recorded
    "send:recorded",
    "outbox:staged",
    "outbox:placed",  # the warehouse can see it; not recorded
    "receipt:committed",  # an asynchronous receipt recorded, not answered
    "intake:claimed",  # a file renamed into work/, no row yet
    "intake:committed",  # row committed, the file still in work/
    "take:committed",  # the ERP's document issued, its file still in in/
)

_name, _, _hits = os.environ.get("TRADELANE_CRASH_AT", "").partition(":#")
_left = int(_hits or 1)
_lock = threading.Lock()


def failpoint(name: str) -> None:
    """Die here if a test asked for it."""
    if name != _name:
        return
    global _left  # noqa: PLW0603 - one count a process, because a crash is one a process
    with _lock:
        _left -= 1
        if _left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
