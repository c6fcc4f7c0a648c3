"""Payloads: whole or not there, named by their digest, and never a path that somebody else chose."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.store import Blob, Blobs, DiskFull, StoreCorrupt, StoreFatal


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def files(blobs: Blobs) -> list[Path]:
    return [path for path in blobs.root.rglob("*") if path.is_file()]


def test_a_stream_is_stored_under_its_digest(blobs: Blobs) -> None:
    data = os.urandom(1_000_003)
    blob = blobs.put(io.BytesIO(data))
    assert blob == Blob(hashlib.sha256(data).hexdigest(), len(data))
    with blobs.open(blob.sha256) as file:
        assert file.read() == data
    assert blobs.read(blob.sha256) == data
    assert files(blobs) == [blobs.path(blob.sha256)]


def test_nothing_at_all_is_a_payload_too(blobs: Blobs) -> None:
    blob = blobs.put(io.BytesIO(b""))
    assert blob.size == 0
    assert blobs.read(blob.sha256) == b""


def test_the_same_bytes_twice_are_one_file(blobs: Blobs) -> None:
    assert blobs.put(io.BytesIO(b"again")) == blobs.put(io.BytesIO(b"again"))
    assert len(files(blobs)) == 1


def test_many_threads_may_store_the_same_bytes_at_once(blobs: Blobs) -> None:
    with ThreadPoolExecutor(8) as threads:
        stored = list(threads.map(lambda _: blobs.put(io.BytesIO(b"same" * 10_000)), range(64)))
    assert len(set(stored)) == 1
    assert blobs.read(stored[0].sha256) == b"same" * 10_000
    assert len(files(blobs)) == 1


def test_a_writer_that_is_left_without_commit_leaves_nothing(blobs: Blobs) -> None:
    with pytest.raises(LookupError), blobs.writer() as writer:
        writer.write(b"half a message")
        assert len(files(blobs)) == 1
        raise LookupError
    assert files(blobs) == []


def test_a_writer_commits_once(blobs: Blobs) -> None:
    with blobs.writer() as writer:
        writer.write(b"x")
        writer.write(memoryview(b"yz"))
        assert writer.size == 3
        blob = writer.commit()
        with pytest.raises(ValueError, match="at its end"):
            writer.commit()
    assert blobs.read(blob.sha256) == b"xyz"


def test_payloads_are_readable_by_their_owner_alone(blobs: Blobs) -> None:
    blob = blobs.put(io.BytesIO(b"secret"))
    path = blobs.path(blob.sha256)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_flipped_byte_is_found_on_a_verified_read(blobs: Blobs) -> None:
    blob = blobs.put(io.BytesIO(b"pay 100"))
    blobs.path(blob.sha256).write_bytes(b"pay 900")
    with pytest.raises(StoreCorrupt, match="not what was stored"):
        blobs.open(blob.sha256, verify=True)
    with pytest.raises(StoreCorrupt):
        blobs.read(blob.sha256)


def test_storing_the_same_bytes_again_mends_a_flipped_one(blobs: Blobs) -> None:
    blob = blobs.put(io.BytesIO(b"pay 100"))
    blobs.path(blob.sha256).write_bytes(b"pay 900")
    blobs.put(io.BytesIO(b"pay 100"))
    assert blobs.read(blob.sha256) == b"pay 100"


def test_a_payload_that_is_gone_is_named(blobs: Blobs) -> None:
    with pytest.raises(StoreCorrupt, match="0000 is gone"):
        blobs.open("0" * 64)


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "0" * 64 + "\n", "0" * 32 + "/" * 32],
)
def test_what_is_no_digest_never_becomes_a_path(blobs: Blobs, name: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        blobs.path(name)
    with pytest.raises(ValueError, match="SHA-256"):
        blobs.open(name)


def test_temporary_files_of_the_past_are_swept_and_those_of_now_are_not(blobs: Blobs) -> None:
    old, new = blobs.writer(), blobs.writer()
    old.write(b"old")
    new.write(b"new")
    assert old._path is not None
    past = time.time() - 100_000
    os.utime(old._path, (past, past))
    assert blobs.sweep() == 1
    assert blobs.read(new.commit().sha256) == b"new"
    old.abort()
    assert blobs.sweep(older_than_s=-1) == 0


def test_below_the_watermark_no_writer_begins(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    assert blobs.has_room()
    free = os.statvfs(blobs.root).f_bavail * os.statvfs(blobs.root).f_frsize
    assert not blobs.has_room(free)
    monkeypatch.setattr("gateway.store.blobs._RESERVE_BYTES", free * 2)
    monkeypatch.setattr("gateway.store.blobs._RESERVE_PART", 10.0)
    with pytest.raises(DiskFull, match="too little room"):
        blobs.writer()
    assert files(blobs) == []


def test_a_file_size_limit_is_a_full_disk_and_leaves_nothing(tmp_path: Path) -> None:
    script = """
import io, resource, sys
from pathlib import Path
from gateway.store import Blobs, DiskFull
blobs = Blobs(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    blobs.put(io.BytesIO(b"x" * 1_000_000))
except DiskFull as error:
    print(error)
blobs.put(io.BytesIO(b"small"))
print(sum(path.is_file() for path in blobs.root.rglob("*")))
"""
    root = Path(__file__).parent.parent.parent
    out = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=root, capture_output=True, text=True, check=True
    )
    assert out.stdout.splitlines() == ["the payload folder: File too large", "1"]


def test_a_failed_sync_of_a_payload_is_fatal_and_leaves_nothing(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[StoreFatal] = []
    blobs.on_fatal = told.append

    def fail(fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreFatal, match="Input/output error"):
        blobs.put(io.BytesIO(b"lost"))
    assert len(told) == 1
    assert files(blobs) == []
