"""Which dropped file is taken, when, by whom, and as what."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
from sftp_peer import Peer, eventually

from sftp import drop
from sftp.drop import (
    LOCAL,
    OURS,
    Claimed,
    Hold,
    Inbox,
    Rules,
    Seal,
    SealVerdict,
    Verdict,
    Waker,
    discard,
)

NOW = 2_000_000_000.0  # after every mtime the tests make


def end_marker(path: Path) -> SealVerdict:
    """The rule of these tests: a file that begins with ISA is whole when it ends with IEA."""
    data = path.read_bytes()
    if not data.startswith(b"ISA"):
        return SealVerdict(Seal.NONE)
    if data.endswith(b"IEA"):
        return SealVerdict(Seal.WHOLE)
    return SealVerdict(Seal.BROKEN, "IEA is missing", len(data))


class Folder:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "in"
        self.folder.mkdir(parents=True)

    def inbox(self, rules: Rules = OURS, partial: bool = False) -> Inbox:
        (self.root / "partial").mkdir(exist_ok=True)
        return Inbox(
            self.folder, self.root / "work", end_marker, rules, self.root / "partial" if partial else None
        )

    def drop(self, name: str, data: bytes = b"ISA*IEA", mtime: float = 1_000_000_000.0) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        os.utime(path, (mtime, mtime))
        return path


@pytest.fixture
def there(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def taken(inbox: Inbox, now: float) -> list[str]:
    return [claimed.name for claimed in inbox.scan(now)]


def reasons(inbox: Inbox) -> dict[str, Hold]:
    return {held.name: held.reason for held in inbox.held}


def test_a_whole_file_is_taken_once_it_has_settled(there: Folder) -> None:
    inbox = there.inbox()
    there.drop("O.edi")

    assert taken(inbox, NOW) == []
    assert reasons(inbox) == {"O.edi": Hold.SETTLING}
    assert inbox.due_s(NOW) == 1.0
    assert taken(inbox, NOW + 0.9) == []
    (claimed,) = inbox.scan(NOW + 1.0)

    assert (claimed.name, claimed.size, claimed.mtime, claimed.verdict) == ("O.edi", 7, 1e9, Verdict.WHOLE)
    assert claimed.path.read_bytes() == b"ISA*IEA"
    assert claimed.path.stat().st_ino == claimed.inode
    assert list(there.folder.iterdir()) == []
    assert inbox.held == []
    assert inbox.due_s(NOW) is None
    assert taken(inbox, NOW + 10) == []


def test_a_file_that_was_replaced_settles_anew(there: Folder) -> None:
    inbox = there.inbox()
    there.drop("O.edi")
    taken(inbox, NOW)
    os.replace(there.drop("new", b"ISA*new*IEA"), there.folder / "O.edi")

    assert taken(inbox, NOW + 1) == []
    (claimed,) = inbox.scan(NOW + 2)
    assert claimed.path.read_bytes() == b"ISA*new*IEA"


def test_only_a_foreign_folder_waits_for_a_still_mtime(there: Folder) -> None:
    ours, foreign = there.inbox(), there.inbox(LOCAL)
    path = there.drop("O.edi")
    taken(ours, NOW)
    taken(foreign, NOW)
    os.utime(path, (1_500_000_000, 1_500_000_000))

    assert taken(foreign, NOW + 10) == []
    assert reasons(foreign) == {"O.edi": Hold.SETTLING}
    assert taken(ours, NOW + 10) == ["O.edi"]


def test_a_growing_file_in_a_foreign_folder_is_left_alone_until_two_looks_agree(there: Folder) -> None:
    inbox = there.inbox(LOCAL)
    for second in range(0, 50, 5):
        there.drop("O.edi", b"ISA*" + b"x" * second + b"IEA", mtime=1e9 + second)
        assert taken(inbox, NOW + second) == []
    assert taken(inbox, NOW + 54) == []
    assert taken(inbox, NOW + 55) == ["O.edi"]


def test_a_file_from_the_future_is_held_in_a_foreign_folder(there: Folder) -> None:
    inbox = there.inbox(LOCAL)
    there.drop("O.edi", mtime=NOW + 100)
    taken(inbox, NOW)
    assert taken(inbox, NOW + 50) == []
    assert reasons(inbox) == {"O.edi": Hold.FUTURE}
    assert taken(inbox, NOW + 101) == ["O.edi"]


@pytest.mark.parametrize(
    "name",
    ["O.tmp", "O.TMP", "O.edi.part", "O.filepart", "O.filepart2", "O.Partial", "O.uploading", "O~", ".O.edi"],
)
def test_a_temporary_name_is_never_taken(there: Folder, name: str) -> None:
    inbox = there.inbox()
    path = there.drop(name)
    assert taken(inbox, NOW) == taken(inbox, NOW + 100_000) == []
    assert reasons(inbox) == {name: Hold.TEMPORARY}
    path.rename(there.folder / "final.edi")
    taken(inbox, NOW + 100_001)
    assert taken(inbox, NOW + 100_003) == ["final.edi"]


def test_a_truncated_file_is_held_looked_at_again_and_in_the_end_taken_as_truncated(there: Folder) -> None:
    looks: list[str] = []

    def seal(path: Path) -> SealVerdict:
        looks.append(path.name)
        return end_marker(path)

    inbox = replace(there.inbox(), seal=seal)
    there.drop("O.edi", b"ISA*half")
    for second in range(600):
        assert taken(inbox, NOW + second) == []
    assert reasons(inbox) == {"O.edi": Hold.BROKEN}
    assert inbox.held[0].message == "IEA is missing"
    assert inbox.held[0].since == NOW
    assert 19 <= len(looks) <= 21

    (claimed,) = inbox.scan(NOW + 600)
    assert (claimed.verdict, claimed.message, claimed.offset) == (Verdict.TRUNCATED, "IEA is missing", 8)
    assert claimed.path.read_bytes() == b"ISA*half"


def test_a_truncated_file_that_is_sent_again_in_time_is_whole(there: Folder) -> None:
    inbox = there.inbox()
    there.drop("O.edi", b"ISA*half")
    taken(inbox, NOW)
    taken(inbox, NOW + 500)
    there.drop("O.edi", b"ISA*half*IEA")
    taken(inbox, NOW + 590)
    (claimed,) = inbox.scan(NOW + 600)
    assert claimed.verdict is Verdict.WHOLE


def test_an_empty_file_is_held_and_then_taken_as_empty(there: Folder) -> None:
    inbox = there.inbox()
    there.drop("O.edi", b"")
    taken(inbox, NOW)
    assert taken(inbox, NOW + 599) == []
    assert reasons(inbox) == {"O.edi": Hold.EMPTY}
    (claimed,) = inbox.scan(NOW + 600)
    assert claimed.verdict is Verdict.EMPTY


def test_a_file_without_an_end_of_its_own_must_have_an_age(there: Folder) -> None:
    inbox = there.inbox()
    there.drop("stock.csv", b"sku,qty\n")
    taken(inbox, NOW)
    assert taken(inbox, NOW + 59) == []
    assert reasons(inbox) == {"stock.csv": Hold.AGEING}
    assert taken(inbox, NOW + 60) == ["stock.csv"]


def test_with_a_done_file_both_are_taken_together_and_neither_alone(there: Folder) -> None:
    inbox = there.inbox(replace(LOCAL, done_suffix=".done"))
    there.drop("stock.csv", b"sku,qty\n")
    taken(inbox, NOW)
    assert taken(inbox, NOW + 5000) == []
    assert reasons(inbox) == {"stock.csv": Hold.MARKER_AWAITED}

    there.drop("stock.csv.done", b"")
    there.drop("lonely.csv.done", b"")
    (claimed,) = inbox.scan(NOW + 5001)

    assert claimed.name == "stock.csv"
    assert sorted(path.name for path in claimed.path.parent.iterdir()) == ["stock.csv", "stock.csv.done"]
    assert [path.name for path in there.folder.iterdir()] == ["lonely.csv.done"]
    assert taken(inbox, NOW + 5601) == []
    assert reasons(inbox) == {"lonely.csv.done": Hold.MARKER_ALONE}
    assert [one.name for one in there.inbox(inbox.rules).recover()] == ["stock.csv"]
    discard(claimed)
    assert list((there.root / "work").iterdir()) == []


def test_one_file_that_cannot_be_judged_holds_up_no_other(
    there: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    def seal(path: Path) -> SealVerdict:
        if path.name == "bad":
            raise RuntimeError("parser bug")
        return end_marker(path)

    inbox = replace(there.inbox(), seal=seal)
    there.drop("bad", mtime=1)
    there.drop("good", mtime=2)
    taken(inbox, NOW)

    assert taken(inbox, NOW + 1) == ["good"]
    assert "parser bug" in inbox.held[0].message
    assert "could not be judged" in caplog.text
    (claimed,) = inbox.scan(NOW + 700)
    assert claimed.verdict is Verdict.TRUNCATED


def test_files_are_taken_by_mtime_and_then_by_name(there: Folder) -> None:
    inbox = there.inbox()
    for name, mtime in (("c", 3), ("b", 1), ("a", 3), ("d", 2)):
        there.drop(name, mtime=mtime)
    taken(inbox, NOW)
    assert taken(inbox, NOW + 1) == ["b", "d", "a", "c"]


def test_a_batch_may_be_cut_off_anywhere_and_goes_on_in_the_next_scan(there: Folder) -> None:
    inbox = there.inbox()
    for number in range(20):
        there.drop(f"{number:02}")
    taken(inbox, NOW)
    first = [claimed.name for _, claimed in zip(range(7), inbox.scan(NOW + 1), strict=False)]
    assert first + taken(inbox, NOW + 1) == [f"{number:02}" for number in range(20)]


def test_two_takers_of_one_folder_take_each_file_once(there: Folder) -> None:
    inboxes = [there.inbox(replace(OURS, settle_s=0.0)) for _ in range(4)]
    for number in range(200):
        there.drop(f"{number:03}")
    names: list[list[str]] = [[] for _ in inboxes]

    def take(index: int) -> None:
        names[index] = taken(inboxes[index], NOW)

    threads = [threading.Thread(target=take, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(chain.from_iterable(names)) == [f"{number:03}" for number in range(200)]
    assert len(list((there.root / "work").iterdir())) == 200


def test_what_was_taken_and_not_discarded_is_found_again_with_its_verdict(there: Folder) -> None:
    inbox = there.inbox(replace(OURS, settle_s=0, broken_s=0, empty_s=0, abandoned_s=0), partial=True)
    there.drop("whole")
    there.drop("half", b"ISA*")
    there.drop("empty", b"")
    (there.root / "partial" / "left").write_bytes(b"ISA*IEA")
    before = sorted(inbox.scan(NOW), key=lambda claimed: claimed.name)
    (there.root / "work" / "0.whole").mkdir()  # the end of a crash between two steps

    after = sorted(there.inbox().recover(), key=lambda claimed: claimed.name)

    def facts(claimed: Claimed) -> tuple:
        return claimed.name, claimed.path, claimed.size, claimed.inode, claimed.verdict

    assert [facts(one) for one in after] == [facts(one) for one in before]
    assert [one.verdict for one in after] == [
        Verdict.EMPTY,
        Verdict.TRUNCATED,
        Verdict.ABANDONED,
        Verdict.WHOLE,
    ]
    for claimed in after:
        discard(claimed)
        discard(claimed)
    assert list((there.root / "work").iterdir()) == []
    assert list(there.inbox().recover()) == []


def test_an_upload_nobody_resumed_is_taken_as_abandoned_whatever_its_mtime(there: Folder) -> None:
    inbox = there.inbox(partial=True)
    left = there.root / "partial" / "O.edi"
    left.write_bytes(b"ISA*IEA")
    os.utime(left, (1, 1))
    changed_at = left.stat().st_ctime

    assert taken(inbox, changed_at + 7199) == []
    (claimed,) = inbox.scan(changed_at + 7200)
    assert (claimed.name, claimed.verdict) == ("O.edi", Verdict.ABANDONED)


def test_links_folders_and_pipes_are_not_taken(there: Folder) -> None:
    inbox = there.inbox(replace(OURS, settle_s=0))
    secret = there.root / "secret"
    secret.write_bytes(b"ISA*IEA")
    (there.folder / "link").symlink_to(secret)
    (there.folder / "sub").mkdir()
    os.mkfifo(there.folder / "pipe")
    assert taken(inbox, NOW) == []
    assert secret.exists()


def test_a_file_swapped_for_a_link_after_the_look_is_put_back(there: Folder) -> None:
    secret = there.root / "secret"
    secret.write_bytes(b"ISA*IEA")
    path = there.drop("O.edi")

    def seal_and_swap(_path: Path) -> SealVerdict:
        path.unlink()
        path.symlink_to(secret)
        return SealVerdict(Seal.WHOLE)

    inbox = replace(there.inbox(replace(OURS, settle_s=0)), seal=seal_and_swap)
    assert taken(inbox, NOW) == []
    assert path.is_symlink()
    assert secret.exists()


def test_a_file_that_goes_away_before_it_is_taken_is_no_error(there: Folder) -> None:
    path = there.drop("O.edi")

    def seal_and_remove(_path: Path) -> SealVerdict:
        path.unlink()
        return SealVerdict(Seal.WHOLE)

    inbox = replace(there.inbox(replace(OURS, settle_s=0)), seal=seal_and_remove)
    assert taken(inbox, NOW) == []
    assert list((there.root / "work").iterdir()) == []


def test_a_folder_that_cannot_be_read_is_an_error_and_nothing_is_forgotten(there: Folder) -> None:
    inbox = there.inbox()
    there.drop("O.edi")
    taken(inbox, NOW)
    there.folder.rename(there.root / "away")
    with pytest.raises(OSError):
        taken(inbox, NOW + 1)
    (there.root / "away").rename(there.folder)
    assert taken(inbox, NOW + 2) == ["O.edi"]


def test_a_clock_set_back_only_makes_files_wait(there: Folder) -> None:
    inbox = there.inbox()
    there.drop("O.edi")
    taken(inbox, NOW)
    assert taken(inbox, NOW - 3600) == []
    assert taken(inbox, NOW - 3599) == ["O.edi"]


def test_ten_thousand_files_are_drained_in_two_scans(there: Folder) -> None:
    inbox = there.inbox()
    for number in range(10_000):
        (there.folder / f"{number}").write_bytes(b"ISA*IEA")
    assert taken(inbox, NOW) == []
    assert len(taken(inbox, NOW + 1)) == 10_000
    assert list(there.folder.iterdir()) == []


@pytest.fixture
def lively(tmp_path: Path) -> Iterator[Path]:
    """A folder whose file system gives notices; a test that finds none says so."""
    for parent in (str(tmp_path), "/dev/shm"):
        if drop.gives_notices(Path(parent)):
            with tempfile.TemporaryDirectory(dir=parent) as folder:
                yield Path(folder)
            return
    pytest.skip("no file system here gives notices of changes")


def test_a_dropped_file_ends_the_wait(lively: Path) -> None:
    waker = Waker()
    with contextlib.closing(waker):
        assert waker.watch(lively)
        assert not waker.wait(0.05)
        (lively / "O.edi").write_bytes(b"ISA")
        assert waker.wait(10)
        (lively / "O.tmp").write_bytes(b"ISA")
        waker.wait(10)
        (lively / "O.tmp").rename(lively / "P.edi")
        assert waker.wait(10)


def test_a_wait_can_be_ended_by_hand_and_one_wake_serves_a_burst() -> None:
    waker = Waker()
    threading.Timer(0.05, waker.wake).start()
    assert waker.wait(10)
    assert not waker.wait(0.01)
    waker.close()


def test_a_folder_without_notices_is_told_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = Path.read_text

    def mounts(path: Path, *args: object) -> str:
        if str(path) != "/proc/self/mountinfo":
            return real(path)
        return (
            "1 0 8:1 / / rw - ext4 /dev/sda rw\n"
            f"2 1 0:1 / {tmp_path}/net\\040work rw shared:1 - nfs4 server:/ rw\n"
        )

    monkeypatch.setattr(Path, "read_text", mounts)
    assert drop.gives_notices(tmp_path)
    assert not drop.gives_notices(tmp_path / "net work" / "in")


def test_a_file_is_taken_from_an_account_only_when_its_writer_closed_it(peer: Peer) -> None:
    inbox = Inbox(
        peer.inbox, peer.root / "work", end_marker, replace(OURS, settle_s=0), peer.root / "partial"
    )
    client = peer.client()
    file = client.open("in/O.edi", "wb")
    file.write(b"ISA*IEA")
    file.flush()
    assert taken(inbox, time.time()) == []
    file.close()

    (claimed,) = inbox.scan(time.time())
    assert claimed.path.read_bytes() == b"ISA*IEA"
    assert client.stat("in/O.edi").st_size == 7
    with client.open("in/O.edi", "wb") as again:
        again.write(b"ISA*2*IEA")
    (second,) = inbox.scan(time.time())
    assert second.path.read_bytes() == b"ISA*2*IEA"
    assert claimed.path.read_bytes() == b"ISA*IEA"


def test_writers_and_a_taker_at_full_speed_lose_and_double_nothing(peer: Peer) -> None:
    """Four sessions write the same few names over and over while a taker takes; each version is whole."""
    inbox = Inbox(peer.inbox, peer.root / "work", end_marker, replace(OURS, settle_s=0))
    done = threading.Event()
    versions: list[bytes] = []

    def take() -> None:
        while not done.is_set() or any(peer.inbox.iterdir()):
            for claimed in inbox.scan(NOW):
                versions.append(claimed.path.read_bytes())
                discard(claimed)

    def write(number: int, client: object) -> None:
        for version in range(15):
            with client.open(f"in/{number % 2}.edi", "wb") as file:  # type: ignore[attr-defined]
                file.write(f"ISA*{number}*{version}*".encode() + b"x" * 50_000 + b"IEA")

    writers: list[threading.Thread] = []
    errors: list[BaseException] = []

    def guarded(run: Callable[..., None], *args: object) -> None:
        try:
            run(*args)
        except OSError as error:  # the name was opened by another session: that version is not acknowledged
            errors.append(error)

    taker = threading.Thread(target=take)
    taker.start()
    for number in range(4):
        writers.append(threading.Thread(target=guarded, args=(write, number, peer.client())))
        writers[-1].start()
    for writer in writers:
        writer.join(30)
    done.set()
    taker.join(30)

    assert versions
    assert all(version.startswith(b"ISA*") and version.endswith(b"IEA") for version in versions)
    assert all(len({*version[10:-3]} - {*b"*0123456789"}) == 1 for version in versions)
    assert len(set(versions)) == len(versions)
    eventually(lambda: not any(peer.inbox.iterdir()), "the inbox is empty")
