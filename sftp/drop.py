"""Folders that files are dropped in: which file is whole, and who takes it.

Rules. A scan of the folder is the truth and a notice of a change only makes it come sooner. A file is taken
by one rename into the work folder of the same file system, so that of two takers exactly one has it, and a
file found in work at the start was taken and not finished. What is not whole is held and looked at again; in
the end it is taken too, with the verdict that says what is wrong with it. One bad file holds no other.

Two kinds of writers are told apart. Our own server puts a file under in/ only when it is whole (`space`), so
such a folder needs a moment to settle and no more. Of any other folder nothing is known but what two looks
show. In both, what the content says of its own end counts last: a `Seal` of the caller's.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from watchdog.events import (
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from sftp.events import TEMPORARY_NAMES
from sftp.space import is_temporary

_log = logging.getLogger(__name__)

_DEBOUNCE_S = 0.2
_BLIND = ("nfs", "cifs", "smb", "fuse", "overlay", "9p", "virtiofs")  # kinds without notices of changes


class Seal(StrEnum):
    """What the content says of its own end."""

    WHOLE = "whole"
    BROKEN = "broken"  # the end is missing or does not match the beginning
    NONE = "none"  # the format has no end of its own


@dataclass(frozen=True, slots=True)
class SealVerdict:
    """The answer of a seal callback; `offset` is the byte where a broken content breaks off."""

    seal: Seal
    message: str = ""
    offset: int | None = None


class Verdict(StrEnum):
    """What a file was taken as. All but WHOLE belong in quarantine."""

    WHOLE = "whole"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    ABANDONED = "abandoned"  # an upload that nobody resumed


class Hold(StrEnum):
    """Why a file is not taken yet."""

    TEMPORARY = "temporary name"
    SETTLING = "settling"
    FUTURE = "mtime in the future"
    EMPTY = "empty"
    BROKEN = "content not complete"
    AGEING = "no end of its own"
    MARKER_AWAITED = "done file awaited"
    MARKER_ALONE = "done file without its file"


@dataclass(frozen=True, slots=True)
class Rules:
    """When a file counts as whole. Durations in seconds.

    `foreign` is a folder that programs other than our server write to: then the modification time must be
    still for `settle_s` too, and not in the future. With `done_suffix` (".done"), NAME counts only when
    NAME.done stands beside it, and both are taken together.
    """

    settle_s: float = 1.0
    foreign: bool = False
    ignore: tuple[str, ...] = TEMPORARY_NAMES
    done_suffix: str = ""
    recheck_s: float = 30.0
    broken_s: float = 600.0
    empty_s: float = 600.0
    ageing_s: float = 60.0
    abandoned_s: float = 7200.0
    marker_alone_s: float = 600.0


OURS = Rules()
LOCAL = Rules(settle_s=10.0, foreign=True)
NETWORK = Rules(settle_s=60.0, foreign=True)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A file that is ours alone now, at `path` in the work folder. `mtime` is seconds of the epoch."""

    name: str
    path: Path
    size: int
    mtime: float
    inode: int
    verdict: Verdict
    message: str = ""
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A file that is not taken yet; `since` is the `now` of the scan that first saw it as it is."""

    name: str
    reason: Hold
    since: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class _Wait:
    reason: Hold
    until: float  # when the clock alone may change the answer
    message: str = ""


@dataclass(slots=True)
class _Watched:
    look: tuple[int, int, int]  # inode, size, and mtime where it counts
    since: float
    due: float
    held: Held | None = None
    sealed: SealVerdict | None = None
    sealed_at: float = 0.0


@dataclass(slots=True)
class Inbox:
    """Takes whole files out of `folder` by renaming them into `work`, on the same file system.

    `seal` reads a file and says whether its content is complete. `partial` is the folder of our server's
    unfinished uploads, of which those that nobody resumed are taken as abandoned.
    """

    folder: Path
    work: Path
    seal: Callable[[Path], SealVerdict]
    rules: Rules = OURS
    partial: Path | None = None
    _watched: dict[str, _Watched] = field(default_factory=dict, init=False)

    def scan(self, now: float) -> Iterator[Claimed]:
        """Looks once and takes what is whole, oldest first (mtime, then name); `now` is epoch seconds.

        Each file is taken as the iterator comes to it, so that a large folder yields at once and a batch can
        be cut off anywhere. Raises `OSError` if the folder cannot be read, and then forgets nothing.
        """
        seen = self._list()
        self._watched = {name: self._watched[name] for name in seen if name in self._watched}
        for name, attributes in sorted(seen.items(), key=lambda item: (item[1].st_mtime_ns, item[0])):
            watched = self._watch(name, attributes, now)
            if self._is_marker(name):
                self._hold_marker(name, watched, seen, now)
                continue
            judged = self._judge(name, attributes, watched, seen, now)
            if isinstance(judged, _Wait):
                watched.held = Held(name, judged.reason, watched.since, judged.message)
                watched.due = judged.until
            else:
                del self._watched[name]
                if claimed := self._claim(self.folder / name, judged, watched):
                    yield claimed
        yield from self._abandoned(now)

    def recover(self) -> Iterator[Claimed]:
        """The files that were taken and not discarded: to be registered again at the start or a failure."""
        for place in sorted(self.work.iterdir()) if self.work.exists() else ():
            name, _, verdict = place.name.partition(".")
            if verdict not in {*Verdict} or not place.is_dir():
                _log.warning("%s in the work folder is not ours", name)
                continue
            files = [path for path in place.iterdir() if not self._is_marker(path.name)]
            if not files:
                _discard(place)
            for path in files:
                yield _describe(path, Verdict(verdict), None)

    @property
    def held(self) -> list[Held]:
        """What the last scan left, oldest first."""
        held = [watched.held for watched in self._watched.values() if watched.held is not None]
        return sorted(held, key=lambda one: (one.since, one.name))

    def due_s(self, now: float) -> float | None:
        """Seconds until a file may become ready by the clock alone; None if none is held."""
        due = min((watched.due for watched in self._watched.values()), default=None)
        return None if due is None else max(0.0, due - now)

    def _list(self) -> dict[str, os.stat_result]:
        seen = {}
        with os.scandir(self.folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    if entry.is_file(follow_symlinks=False):
                        seen[entry.name] = entry.stat(follow_symlinks=False)
        return seen

    def _watch(self, name: str, attributes: os.stat_result, now: float) -> _Watched:
        """What is known of a file; it begins anew when the file has changed, or the clock was set back."""
        mtime = attributes.st_mtime_ns if self.rules.foreign else 0
        look = (attributes.st_ino, attributes.st_size, mtime)
        watched = self._watched.get(name)
        if watched is None or watched.look != look or now < watched.since:
            watched = self._watched[name] = _Watched(look, since=now, due=now)
        return watched

    def _judge(
        self,
        name: str,
        attributes: os.stat_result,
        watched: _Watched,
        seen: dict[str, os.stat_result],
        now: float,
    ) -> Verdict | _Wait:
        rules, since, age = self.rules, watched.since, now - watched.since
        if is_temporary(name, rules.ignore):
            return _Wait(Hold.TEMPORARY, now + rules.recheck_s)
        if rules.done_suffix and name + rules.done_suffix not in seen:
            return _Wait(Hold.MARKER_AWAITED, now + rules.recheck_s)
        if age < rules.settle_s:
            return _Wait(Hold.SETTLING, since + rules.settle_s)
        if rules.foreign and attributes.st_mtime > now:
            return _Wait(Hold.FUTURE, attributes.st_mtime)
        if attributes.st_size == 0:
            return Verdict.EMPTY if age >= rules.empty_s else _Wait(Hold.EMPTY, since + rules.empty_s)
        looked_s = now - watched.sealed_at
        if watched.sealed is None or looked_s >= rules.recheck_s or age >= rules.broken_s:
            watched.sealed, watched.sealed_at = self._look_inside(self.folder / name), now
        match watched.sealed.seal:
            case Seal.WHOLE:
                return Verdict.WHOLE
            case Seal.NONE if rules.done_suffix or age >= rules.ageing_s:
                return Verdict.WHOLE
            case Seal.NONE:
                return _Wait(Hold.AGEING, since + rules.ageing_s)
            case Seal.BROKEN if age >= rules.broken_s:
                return Verdict.TRUNCATED
            case Seal.BROKEN:
                until = min(watched.sealed_at + rules.recheck_s, since + rules.broken_s)
                return _Wait(Hold.BROKEN, until, watched.sealed.message)

    def _look_inside(self, path: Path) -> SealVerdict:
        try:
            return self.seal(path)
        except Exception as error:  # it must not hold up the files behind it
            _log.exception("the content of %s could not be judged", path.name)
            return SealVerdict(Seal.BROKEN, f"the content could not be judged: {error}")

    def _is_marker(self, name: str) -> bool:
        return bool(self.rules.done_suffix) and name.endswith(self.rules.done_suffix)

    def _hold_marker(self, name: str, watched: _Watched, seen: dict[str, os.stat_result], now: float) -> None:
        watched.due = now + self.rules.recheck_s
        if name.removesuffix(self.rules.done_suffix) in seen:
            watched.since, watched.held = now, None
        elif now - watched.since >= self.rules.marker_alone_s:
            watched.held = Held(name, Hold.MARKER_ALONE, watched.since)

    def _abandoned(self, now: float) -> Iterator[Claimed]:
        """Unfinished uploads nobody has touched for long. The partner can set mtime, but not ctime."""
        if self.partial is None or not self.partial.exists():
            return
        with os.scandir(self.partial) as entries:
            files = [
                (entry.name, entry.stat(follow_symlinks=False)) for entry in entries if _is_regular(entry)
            ]
        for name, attributes in files:
            if now - max(attributes.st_mtime, attributes.st_ctime) >= self.rules.abandoned_s and (
                claimed := self._claim(self.partial / name, Verdict.ABANDONED, None)
            ):
                yield claimed

    def _claim(self, source: Path, verdict: Verdict, watched: _Watched | None) -> Claimed | None:
        """Takes one file, or returns None if another taker had it or it was replaced since the look."""
        place = self.work / f"{uuid.uuid4().hex}.{verdict}"
        place.mkdir(mode=0o700, parents=True)
        target = place / source.name
        try:
            os.rename(source, target)
        except OSError:
            if not target.exists():  # over NFS a rename may be done and yet reported as failed
                place.rmdir()
                return None
        attributes = target.stat()
        if (
            watched
            and watched.look[:2] != (attributes.st_ino, attributes.st_size)
            and _put_back(target, source)
        ):
            place.rmdir()
            return None
        if self.rules.done_suffix:
            marker = source.name + self.rules.done_suffix
            with contextlib.suppress(FileNotFoundError):
                os.rename(source.with_name(marker), place / marker)
        return _describe(target, verdict, watched.sealed if watched else None)


def discard(claimed: Claimed) -> None:
    """Removes a taken file from the work folder: what it held is stored elsewhere by now. May be repeated."""
    _discard(claimed.path.parent)


def _is_regular(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False)


def _put_back(target: Path, source: Path) -> bool:
    """Undoes a claim unless the name is taken again, in which case what we hold is ours to keep."""
    try:
        os.link(target, source)
    except OSError:
        return False
    target.unlink()
    return True


def _describe(path: Path, verdict: Verdict, sealed: SealVerdict | None) -> Claimed:
    attributes = path.lstat()
    broken = sealed if sealed and verdict is Verdict.TRUNCATED else SealVerdict(Seal.NONE)
    return Claimed(
        path.name,
        path,
        attributes.st_size,
        attributes.st_mtime,
        attributes.st_ino,
        verdict,
        broken.message,
        broken.offset,
    )


def _discard(place: Path) -> None:
    if place.exists():
        for path in place.iterdir():
            path.unlink()
        place.rmdir()


class Waker:
    """Ends a wait when something was dropped: a notice of the system, or `wake`. A notice only says "look".

    Notices get lost and some file systems give none, so wait with a timeout and scan whatever ended the wait.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._observer: BaseObserver | None = None

    def watch(self, folder: Path) -> bool:
        """Asks for notices of `folder`; False if there will be none and only the timeout helps."""
        if not gives_notices(folder):
            return False
        if self._observer is None:
            self._observer = Observer()
            self._observer.daemon = True
            self._observer.start()
        try:
            self._observer.schedule(
                _Notice(self._event),
                str(folder),
                event_filter=[FileClosedEvent, FileCreatedEvent, FileMovedEvent],
            )
        except OSError as error:  # no more watches are allowed
            _log.warning("no notices for %s: %s", folder, error)
            return False
        return True

    def wake(self) -> None:
        self._event.set()

    def wait(self, timeout_s: float) -> bool:
        """Waits; True if woken, a moment later so that one scan serves a burst."""
        woken = self._event.wait(timeout_s)
        if woken:
            time.sleep(min(_DEBOUNCE_S, timeout_s))
            self._event.clear()
        return woken

    def close(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None


class _Notice(FileSystemEventHandler):
    def __init__(self, event: threading.Event) -> None:
        self._event = event

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._event.set()


def gives_notices(folder: Path) -> bool:
    """Whether the file system under `folder` tells of every change, by whichever machine it was made."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return True
    here = folder.resolve()
    best, kind = -1, ""
    for line in mounts:
        fields, _, rest = line.partition(" - ")
        mount_point = Path(re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), fields.split()[4]))
        if here.is_relative_to(mount_point) and len(mount_point.parts) >= best:
            best, kind = len(mount_point.parts), rest.split()[0]
    return not kind.startswith(_BLIND)
