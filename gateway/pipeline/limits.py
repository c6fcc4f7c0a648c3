"""What one process counts of the requests to it, in memory: who is told of, who is turned away, who waits."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

WAIT_S = 10.0  # for a first attempt at the same message that still runs
STRANGERS_A_MINUTE = 10
UNREADABLE_AN_HOUR = 20  # messages of a partner from one address that cannot be decrypted, before 429


class Alone:
    """Which messages and file names are being worked on."""

    def __init__(self) -> None:
        self._running: set[tuple[str, str, str]] = set()
        self._ended = threading.Condition()

    @contextmanager
    def on(self, key: tuple[str, str, str]) -> Iterator[bool]:
        """One at a time for each message; False when another did not end within WAIT_S."""
        with self._ended:
            if not self._ended.wait_for(lambda: key not in self._running, WAIT_S):
                yield False
                return
            self._running.add(key)
        try:
            yield True
        finally:
            with self._ended:
                self._running.discard(key)
                self._ended.notify_all()


class Unproved:
    """What anyone could send is told of STRANGERS_A_MINUTE times for each key: nobody fills the timeline.

    The key is an address, or what of ours it is about.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = 0
        self._times: Counter[str] = Counter()

    def worth_telling(self, key: str) -> bool:
        """Whether this one is still to be told."""
        with self._lock:
            minute = int(time.monotonic() // 60)
            if minute != self._minute:
                self._minute = minute
                self._times.clear()
            self._times[key] += 1
            return self._times[key] <= STRANGERS_A_MINUTE


class Unreadable:
    """When messages could not be decrypted within the last hour, by partner and address."""

    _MANY = 1000

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[tuple[str, str], deque[datetime]] = {}

    def add(self, key: tuple[str, str], now: datetime) -> bool:
        """Count one; whether it is the one that makes them too many."""
        with self._lock:
            if len(self._times) > self._MANY:
                self._times = {key: times for key, times in self._times.items() if _recent(times[-1], now)}
            times = self._times.setdefault(key, deque(maxlen=UNREADABLE_AN_HOUR))
            before = self._full(times, now)
            times.append(now)
            return self._full(times, now) and not before

    def too_many(self, key: tuple[str, str], now: datetime) -> bool:
        """Whether no more is to be opened now that comes for this partner from this address."""
        with self._lock:
            return self._full(self._times.get(key, deque()), now)

    @staticmethod
    def _full(times: deque[datetime], now: datetime) -> bool:
        return len(times) == UNREADABLE_AN_HOUR and _recent(times[0], now)


def _recent(at: datetime, now: datetime) -> bool:
    return now - at < timedelta(hours=1)
