"""The gateway dies, is started again, and the order ends as if nothing had been."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from stage import Consumer, Stage, make_template, stage

from gateway import failpoints

# A later hit of a point is another moment: the acknowledgment instead of the order, the invoice instead of
# the notice, the warehouse's file instead of the retailer's message.
AGAIN = (
    "receive:committed:#2",
    "read:before-commit:#2",
    "read:committed:#3",
    "erp:staged:#2",
    "erp:placed:#2",
    "follow:committed:#2",
    "send:posted:#2",
    "send:recorded:#4",
    "outbox:staged:#2",
    "outbox:placed:#2",
    "receipt:committed:#3",
    "intake:claimed:#2",
    "intake:committed:#2",
)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def day(template: Path, tmp_path: Path) -> Iterator[Stage]:
    with stage(template, tmp_path) as set_up:
        yield set_up


@pytest.mark.parametrize("point", [*failpoints.NAMES, *AGAIN])
def test_a_death_at_any_step_finishes_the_order_with_nothing_doubled(day: Stage, point: str) -> None:
    day.start(crash_at=point)
    day.order("PO-4711")
    day.wait_for_death()
    day.start()
    day.finish()
    day.assert_nothing_lost_or_doubled()


@pytest.mark.parametrize(
    "point",
    ["erp:staged", "erp:placed", "erp:placed:#2", "outbox:staged", "outbox:placed", "outbox:placed:#2"],
)
def test_what_was_taken_from_a_folder_before_the_death_is_not_put_there_again(day: Stage, point: str) -> None:
    day.consumer = Consumer(day.erp / "out")
    day.start(crash_at=point)
    day.order("PO-4712")
    day.wait_for_death()
    time.sleep(0.3)  # whoever fetches has fetched by now
    day.start()
    day.finish()
    day.assert_nothing_lost_or_doubled()


def test_deaths_at_random_moments_finish_every_order_with_nothing_doubled(day: Stage) -> None:
    seed = int(os.environ.get("TRADELANE_SEED", "1"))
    moments = random.Random(seed)
    day.start()
    for number in range(3):
        day.order(f"PO-{seed}-{number}")
    for _ in range(int(os.environ.get("TRADELANE_KILLS", "8"))):
        time.sleep(moments.uniform(0.05, 1.0))
        day.kill()
        day.start()
    day.finish()
    day.assert_nothing_lost_or_doubled()
