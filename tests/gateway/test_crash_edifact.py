"""The gateway dies on an order in EDIFACT, is started again, and the order ends as if nothing had been.

The way of `test_crash`, at the points where a syntax has its part: what is read, answered, numbered and sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from edifact_by_hand import interchange, message
from stage import Stage, make_template, stage, until, visible

from gateway.simulate import EDIFACT


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_template(tmp_path_factory.mktemp("edifact"), EDIFACT)


@pytest.fixture
def day(template: Path, tmp_path: Path) -> Iterator[Stage]:
    with stage(template, tmp_path, EDIFACT) as set_up:
        yield set_up


@pytest.mark.parametrize(
    "point",
    [
        "receive:committed",
        "read:before-commit",
        "read:committed",
        "read:committed:#3",
        "erp:placed:#2",
        "follow:committed",
        "follow:committed:#2",
        "send:posted:#2",
        "send:recorded",
        "outbox:placed",
        "outbox:placed:#2",
        "intake:committed:#2",
    ],
)
def test_a_death_at_any_step_finishes_the_order_with_nothing_doubled(day: Stage, point: str) -> None:
    day.start(crash_at=point)
    day.order("PO-4711")
    day.wait_for_death()
    day.start()
    day.finish()
    day.assert_nothing_lost_or_doubled()


def test_edifact_of_the_erp_taken_before_the_death_goes_to_each_receiver_once(day: Stage) -> None:
    us, shop, depot = (
        (party.id, party.qualifier) for party in (EDIFACT.gateway, EDIFACT.retailer, EDIFACT.warehouse)
    )
    bill = message("INVOIC", "A", "BGM+380+INV-1+9", "DTM+137:20261102:102", "UNS+S", "MOA+77:30")
    ship = message("INSDES", "B", "BGM+350+W-1+9", "DTM+137:20261102:102", "NAD+DP+5412345000037::9",
                   "LIN+1++4000862141404:EN", "QTY+12:1", "UNS+S", version="D:96A:UN:EAN005")  # fmt: skip
    parts = [
        interchange("X/1", bill, sender=us, receiver=shop),
        interchange("X/2", ship, sender=us, receiver=depot),
        interchange("X/3", bill, sender=us, receiver=shop, una="UNA:+.? '"),
    ]
    day.start(crash_at="take:committed")
    (day.erp / "day.edi").write_bytes(b"\n".join(parts))
    (day.erp / "day.edi").rename(day.erp / "in" / "day.edi")
    day.wait_for_death()
    assert visible(day.erp / "in") == ["day.edi"]
    day.start()
    until(lambda: len(day.retailer.received) == 2 and day.warehouse.received, "each has come")
    day.finish()
    assert visible(day.erp / "done") == ["day.edi"]
    came = [one for one in (*day.retailer.received, *day.warehouse.received) if one.type != "CONTRL"]
    came.sort(key=lambda one: one.header.control_number)
    assert [one.data for one in came] == parts
