"""Files too large for memory: they cross it in pieces, and are recorded in parts.

A death between two parts doubles nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from edifact_by_hand import PARTNERS as IN_EDIFACT
from edifact_by_hand import interchange as edifact
from edifact_by_hand import segments
from heavy import MIB, fill, received, send, two
from sqlalchemy import select
from trading import ORDER, PARTNERS, RETAILER, US, eventually, trading

from gateway.pipeline.reading import ANSWERS
from gateway.simulate import envelope
from gateway.store.tables import interchange
from x12 import writer

ORDERS = 70

DIES = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from trading import eventually, trading
with trading(Path(sys.argv[1]), sys.argv[3]) as t:
    t.drop(Path(sys.argv[1], "many").read_bytes(), "shop", "many")
    eventually(lambda: False, 60)
"""


def die(home: Path, data: bytes, point: str, partners: str = PARTNERS) -> None:
    """Have a gateway read a file and die at a fail point."""
    (home / "many").write_bytes(data)
    here = Path(__file__).parent
    died = subprocess.run(
        [sys.executable, "-c", DIES, str(home), str(here), partners],
        env=os.environ | {"TRADELANE_CRASH_AT": point},
        cwd=here.parent.parent,
        capture_output=True,
        check=False,
        timeout=90,
    )
    assert died.returncode == -9, died.stderr.decode()


def many() -> bytes:
    """One group of ORDERS orders."""
    bodies = [
        writer.Body("850", number, [["BEG", "00", "SA", f"PO{number}", "", "20261101"], *ORDER[1:]])
        for number in range(1, ORDERS + 1)
    ]
    return writer.write(envelope(RETAILER, US, 1, "850", "004010"), bodies)


def test_a_death_while_a_large_file_is_recorded_doubles_nothing(tmp_path: Path) -> None:
    die(tmp_path, many(), "read:before-commit")
    with trading(tmp_path, run=False) as t:
        assert len(t.documents(type="850")) == 50  # the part that was full
        assert t.documents(type="997") == []
        with t.home.store.read() as conn:
            (row,) = conn.execute(select(interchange)).all()
        # From the first part on its control number is seen: the same file sent again is a duplicate.
        assert (row.control_number, row.status) == ("000000001", "accepted")
    with trading(tmp_path) as t:
        eventually(lambda: len(t.sent("depot", "940")) == ORDERS, 60.0)
        assert sorted(row.number for row in t.documents(type="850")) == sorted(
            f"PO{number}" for number in range(1, ORDERS + 1)
        )
        assert len(list(t.home.erp.out.glob("*.json"))) == ORDERS
        (answer,) = eventually(lambda: t.sent("shop", "997"))
        assert ["AK9", "A", str(ORDERS), str(ORDERS), str(ORDERS)] in answer


def test_of_large_orders_fewer_are_held_in_memory_before_they_are_recorded(tmp_path: Path) -> None:
    lines = [["PO1", str(line), "1", "EA", "2.5", "", "VN", f"AB{line:0250}"] for line in range(1, 1500)]
    bodies = [
        writer.Body("850", number, [*ORDER[:1], *lines, ["CTT", str(len(lines))]]) for number in range(1, 5)
    ]
    die(tmp_path, writer.write(envelope(RETAILER, US, 1, "850", "004010"), bodies), "read:before-commit")
    with trading(tmp_path, run=False) as t:
        assert len(t.documents(type="850")) == 3  # which come to a megabyte


@pytest.mark.parametrize("point", ["read:before-commit", "outbox:staged:#7"])
def test_a_death_while_many_interchanges_are_answered_answers_each_once(tmp_path: Path, point: str) -> None:
    count = ANSWERS + 10
    die(tmp_path, b"".join(edifact(number) for number in range(1, count + 1)), point, IN_EDIFACT)
    with trading(tmp_path, IN_EDIFACT) as t:
        eventually(lambda: len(t.outbox("shop")) == count, 90.0)
        answers = [segments(path.read_bytes()) for path in t.outbox("shop")]
        assert sorted(int(answer[2][1]) for answer in answers) == list(range(1, count + 1))
        assert sorted(int(answer[0][5]) for answer in answers) == list(range(1, count + 1))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory off /proc")
@pytest.mark.parametrize(("compress", "transfer"), [("before-sign", "length"), ("none", "chunked")])
def test_a_large_file_crosses_as2_in_little_memory_and_leaves_nothing_behind(
    tmp_path: Path, compress: str, transfer: str
) -> None:
    file = tmp_path / "large.bin"
    fill(file, 80 * MIB + 1)
    with two(tmp_path, compress=compress, transfer=transfer) as sides:
        before = [side.peak for side in sides]
        send(sides[0].gateway, file)
        assert received(sides[1].gateway, file)
        for side, peak in zip(sides, before, strict=True):
            assert side.peak - peak < 64
            assert side.temporary == []
            assert side.stored < 2.05 * 80  # the payload, and the message as it crossed
