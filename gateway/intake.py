"""Folders that are watched: what partners upload to our SFTP server, and what the ERP leaves for us.

A file is claimed by renaming it into work/, stored and committed, and only then removed; after a crash the
claimed file is still there and is registered again under the same claim, which changes nothing the second
time. A folder is scanned by the clock and, sooner, when something was closed in it.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path

from sqlalchemy import Connection, insert, select

from edi.problems import Fault, NotEdi
from edi.tree import InterchangeEnd
from gateway import edi
from gateway.config import Partner, SftpAccount
from gateway.erp import Arrival
from gateway.errors import DeadReason
from gateway.failpoints import failpoint
from gateway.home import Home
from gateway.pipeline import from_erp
from gateway.pipeline.arrive import Source, receive
from gateway.store import StoreError, StoreFatal
from gateway.store.tables import sftp_file, transmission
from sftp.drop import Claimed, Inbox, Rules, Seal, SealVerdict, Verdict, Waker, discard
from sftp.events import (
    Account,
    Downloaded,
    Event,
    LoggedIn,
    LoggedOut,
    Partial,
    Refused,
    Removed,
    StorageFailed,
    Uploaded,
    Uploading,
)
from sftp.keys import BadKey
from sftp.keys import fingerprint as fingerprint_of
from sftp.server import root_of
from sftp.space import make_folders

log = logging.getLogger(__name__)

SCAN_S = 1.0

_REASONS = {
    Verdict.TRUNCATED: DeadReason.ENVELOPE_BROKEN,
    Verdict.EMPTY: DeadReason.ENVELOPE_BROKEN,
    Verdict.ABANDONED: DeadReason.ENVELOPE_BROKEN,
}


def seal(path: Path) -> SealVerdict:
    """Whether a file ends as its format ends: X12 with IEA, EDIFACT with UNZ. Other content has no end."""
    with open(path, "rb") as file:
        try:
            for event in edi.read(file):
                if isinstance(event, InterchangeEnd):
                    for problem in event.problems:
                        if problem.fault is Fault.TRAILER_MISSING:
                            return SealVerdict(Seal.BROKEN, problem.message, problem.offset)
        except NotEdi:
            return SealVerdict(Seal.NONE)
    return SealVerdict(Seal.WHOLE)


class Accounts:
    """The logins of partners.toml, for the SFTP server. Its journal stores what partners do."""

    def __init__(self, home: Home, waker: Waker) -> None:
        self._home = home
        self._waker = waker

    def authorize(self, user: str, fingerprint: str) -> Account | None:
        """The account a key may log in to; asked for unsigned offers too, so it changes nothing."""
        partner = self._home.config.by_sftp_user(user)
        if partner is None or partner.sftp_account is None or partner.status in {"draft", "paused"}:
            return None
        return self.account(partner) if fingerprint in _fingerprints(partner.sftp_account.keys) else None

    def account(self, partner: Partner) -> Account:
        """The folders of a partner's account."""
        account = partner.sftp_account
        assert account is not None
        return Account(
            account.user,
            root_of(self._home.config.home / "sftp", account.user),
            inbox=account.inbox.strip("/"),
            outbox=account.outbox.strip("/"),
            allow_from=account.allow_from,
            temporary=account.complete.ignore,
        )

    def journal(self, event: Event) -> None:
        """Commit what happened before it is answered. Raises Refused."""
        match event:
            case Uploading():
                if not self._home.store.blobs.has_room():
                    raise Refused("no space left to take files; try again later")
            case Uploaded():
                self._write(event, "uploaded", event.size)
                self._waker.wake()
            case Partial():
                self._write(event, "partial", event.size)
            case Removed():
                self._write(event, "removed", 0)
            case Downloaded():
                self._write(event, "downloaded" if event.complete else "read in part", event.size)
            case LoggedIn() | LoggedOut():
                session, verb = event.session, "in" if isinstance(event, LoggedIn) else "out"
                log.info("SFTP: %s logged %s from %s with %s", session.user, verb, session.peer, session.key)
            case StorageFailed():
                log.error("the disk refused %s: %s", event.path, event.error)
                if event.error == os.strerror(errno.EIO):
                    self._home.store.fail(StoreFatal(f"the disk refused {event.path}: {event.error}"))

    def _write(self, event: Uploaded | Partial | Removed | Downloaded, what: str, size: int) -> None:
        partner = self._home.config.by_sftp_user(event.session.user)
        if partner is None:
            raise Refused("this account is closed")
        path = event.path.encode("utf-8", "backslashreplace").decode()

        def record(conn: Connection) -> None:
            conn.execute(
                insert(sftp_file),
                {
                    "at": self._home.now(),
                    "partner": partner.name,
                    "path": path,
                    "what": what,
                    "size": size,
                    "peer": event.session.peer,
                },
            )
            if what == "downloaded":
                self._picked_up(conn, partner, path)

        try:
            self._home.store.write(record)
        except StoreError as error:
            raise Refused("it cannot be stored now; try again later") from error

    def _picked_up(self, conn: Connection, partner: Partner, path: str) -> None:
        name = path.rpartition("/")[2]
        row = conn.execute(
            select(transmission)
            .where(
                transmission.c.direction == "out",
                transmission.c.partner == partner.name,
                transmission.c.filename == name,
            )
            .order_by(transmission.c.created_at.desc())
        ).first()
        if row is not None:
            self._home.note(
                conn,
                "picked-up",
                f"{name} by {partner.name}",
                partner=partner.name,
                correlation=row.correlation,
                transmission=row.id,
            )


def _fingerprints(keys: tuple[str, ...]) -> set[str]:
    """Those of the keys that can be read; one that cannot must not lock out the others."""
    found = set()
    for key in keys:
        try:
            found.add(fingerprint_of(key))
        except BadKey as error:
            log.warning("a key in partners.toml lets nobody in: %s", error)
    return found


class Intake:
    """One thread that scans every watched folder."""

    def __init__(self, home: Home, accounts: Accounts, waker: Waker) -> None:
        self._home = home
        self._accounts = accounts
        self._waker = waker
        self._inboxes: dict[SftpAccount, Inbox] = {}  # one whose account was changed is another
        self._troubled: dict[str, str] = {}  # whose folder cannot be used now, and why
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)

    def start(self) -> None:
        """Begin to scan."""
        self._waker.watch(self._home.erp.inbox)
        self._thread.start()

    def stop(self) -> None:
        """Finish the file at hand and end."""
        self._stopping.set()
        self._waker.wake()
        self._thread.join()

    def _inbox(self, partner: Partner) -> Inbox:
        assert partner.sftp_account is not None
        known = self._inboxes.get(partner.sftp_account)
        if known is not None:
            return known
        root = self._accounts.account(partner).root
        make_folders(root)
        complete = partner.sftp_account.complete
        rules = Rules(
            settle_s=complete.settle.total_seconds(), ignore=complete.ignore, done_suffix=complete.done_file
        )
        inbox = Inbox(root / "in", root / "work", seal, rules, partial=root / "partial")
        self._inboxes[partner.sftp_account] = inbox
        self._waker.watch(root / "in")
        return inbox

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                for partner in self._home.config.partners.values():
                    if partner.sftp_account is not None:
                        self._look(partner.name, partial(self._scan_partner, partner))
                self._look("the ERP", self._scan_erp)
            except StoreFatal:
                log.critical("the store failed; nothing more is taken in")
                return
            self._waker.wait(self._pause_s())

    def _look(self, whose: str, scan: Callable[[], None]) -> None:
        """Scan one folder; its trouble is no other's, is told once, and is over when a scan succeeds."""
        try:
            scan()
        except StoreFatal:
            raise
        except (StoreError, OSError) as error:
            if self._troubled.get(whose) != str(error):
                log.warning("nothing is taken from %s for now: %s", whose, error)
            self._troubled[whose] = str(error)
        except Exception:
            log.exception("a scan of what %s left failed", whose)
        else:
            if self._troubled.pop(whose, None) is not None:
                log.warning("what %s leaves is taken again", whose)

    def _pause_s(self) -> float:
        """Until the next scan is due, by the clock alone."""
        now = time.time()
        accounts = [partner.sftp_account for partner in self._home.config.partners.values()]
        inboxes = [self._inboxes[account] for account in accounts if account in self._inboxes]
        due = [due for inbox in inboxes if (due := inbox.due_s(now)) is not None]
        return max(0.05, min([SCAN_S, *due]))

    def _scan_partner(self, partner: Partner) -> None:
        """Take what a crash or a full disk left claimed, then what is new."""
        inbox = self._inbox(partner)
        for claimed in chain(inbox.recover(), inbox.scan(time.time())):
            failpoint("intake:claimed")
            self._take(partner, claimed)
            if self._stopping.is_set():
                return

    def _take(self, partner: Partner, claimed: Claimed) -> None:
        """Store a claimed file, commit, and only then remove it from work/."""
        quarantine = None
        if claimed.verdict is not Verdict.WHOLE:
            quarantine = (_REASONS[claimed.verdict], f"{claimed.verdict}: {claimed.message}".rstrip(": "))
        with open(claimed.path, "rb") as file:
            receive(
                self._home,
                file,
                Source(
                    channel="sftp",
                    partner=partner.name,
                    filename=claimed.name.encode("utf-8", "backslashreplace").decode(),
                    claim=claimed.path.parent.name,
                    quarantine=quarantine,
                ),
            )
        failpoint("intake:committed")
        discard(claimed)

    def _scan_erp(self) -> None:
        for arrival in self._home.erp.arrivals():
            try:
                from_erp.take(self._home, arrival)
            except from_erp.Refused as error:
                log.warning("the ERP's %s is refused: %s", arrival.name, error)
                self._refuse(arrival, str(error))
            except (StoreError, OSError):
                raise
            except Exception:  # a defect of ours: it must not hold up the files behind it
                log.exception("the ERP's %s could not be processed", arrival.name)
                self._refuse(arrival, "it could not be processed, by a defect that the log describes")
            else:
                failpoint("take:committed")
                with contextlib.suppress(FileNotFoundError):
                    self._home.erp.done(arrival.path)
            if self._stopping.is_set():
                return

    def _refuse(self, arrival: Arrival, reason: str) -> None:
        self._home.store.write(
            lambda conn: self._home.note(conn, "refused", f"{arrival.name} from the ERP: {reason}")
        )
        self._home.erp.refuse(arrival.path, reason)
