"""The order on the disk, read off the system calls: nothing is said to be kept before it is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

RECEIVE = """
import io, os, sys
from datetime import UTC, datetime
from pathlib import Path
from sqlalchemy import insert
from gateway.store import Store
from gateway.store.tables import event
store = Store.open(sys.argv[1], blobs=Path(sys.argv[2]))
for number in range(5):
    blob = store.blobs.put(io.BytesIO(b"payload %d" % number))
    row = {"at": datetime.now(UTC), "name": "received", "text": blob.sha256}
    store.write(lambda conn: conn.execute(insert(event), row) and None)
    os.write(1, b"acknowledge %d\\n" % number)
"""


@pytest.mark.external("strace")
def test_payload_folder_and_database_are_synced_in_this_order_before_the_acknowledgment(
    tmp_path: Path,
) -> None:
    strace = shutil.which("strace")
    if strace is None or subprocess.run([strace, "-o", "/dev/null", "true"], check=False).returncode != 0:
        pytest.skip("needs strace, and leave to trace")
    trace = tmp_path / "trace"
    calls = "trace=write,pwrite64,fsync,fdatasync,rename,renameat,renameat2"
    subprocess.run(
        [
            *(strace, "-f", "-y", "-qq", "-s", "64", "-o", str(trace), "-e", calls),
            *(sys.executable, "-c", RECEIVE, str(tmp_path / "order.db"), str(tmp_path / "blobs")),
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=60,
    )
    steps = {
        "payload written": r"write\(\d+<[^>]*/blobs/tmp/[^>]*>, \"payload",
        "payload synced": r"fsync\(\d+<[^>]*/blobs/tmp/[^>]*>\)",
        "payload named": r"rename\w*\(.*/blobs/tmp/.*/blobs/[0-9a-f]{2}/",
        "folder synced": r"fsync\(\d+<[^>]*/blobs/[0-9a-f]{2}>\)",
        "row written": r"pwrite64\(\d+<[^>]*/order\.db-wal>",
        "row synced": r"f(data)?sync\(\d+<[^>]*/order\.db-wal>\)",
        "acknowledged": r"write\(1<[^>]*>, \"acknowledge",
    }
    seen: dict[str, int] = {}
    acknowledged = 0
    for number, line in enumerate(trace.read_text().splitlines()):
        for step, pattern in steps.items():
            if re.search(pattern, line):
                seen[step] = number  # the last one counts
        if "acknowledged" in seen:
            assert sorted(seen, key=seen.__getitem__) == list(steps)
            acknowledged += 1
            seen = {}
    assert acknowledged == 5
