"""EDIFACT messages about what sells and what is needed: what they say, and what they carry of a document."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
import test_written_planning
from maps_support import (
    DAY,
    LATER,
    carried,
    each,
    message,
    read_canonical,
    read_one_of_everything,
    standard,
    told,
)
from msgspec.structs import replace

from edi import edifact
from edi.documents import Activity, Distribution, Price, ProductActivity
from edi.problems import CannotWrite
from edi.tree import NORMAL

BOTH = pytest.mark.parametrize("version", ["D.96A", "D.01B"])


@each(["SLSRPT"])
def test_one_of_everything_is_written_as_it_was_read(transaction_set: str, version: str) -> None:
    assert read_one_of_everything(transaction_set, version).lines


SALES = """
    BGM+:::notification+729058+9
    DTM+90:20260105:102
    DTM+91:20260112:102
    {0}
    LOC+162+4260026610102::9
    DTM+356:20260107:102
    LIN+1++4007399434498:EN
    RFF+IA:76
    PRI+INF:39.95::RTP
    QTY+153:2:PCE
    QTY+61:1:PCE
    LIN+2++4007399434511:EN
    QTY+153:5:PCE
    LOC+162+4260026610119::9
    DTM+356:20260107:102
    LIN+2++4007399434511:EN
    QTY+153:7:PCE
    LOC+162
    LIN+3++4007399435389:EN
    QTY+158:12
    {1}
"""
PARTIES = "NAD+BY+4260026610003::9\nRFF+IA:446963\nNAD+SU+4007399000006::9"


@pytest.mark.parametrize(
    ("version", "header", "trailer"),
    [("D.96A", "NAD+BY+4260026610003::9\nNAD+SU+4007399000006::9", ""), ("D.01B", PARTIES, "UNS+S")],
)
def test_a_sales_report_tells_what_sold_where(version: str, header: str, trailer: str) -> None:
    body = "\n".join(line for line in SALES.format(header, trailer).splitlines() if line.strip())
    activity = read_canonical(body, "SLSRPT", version)
    assert (activity.number, activity.handling) == ("729058", "notification")
    assert (activity.starts_on, activity.ends_on) == (DAY, LATER)
    first, second, third = activity.lines
    there = {"4260026610102": "2"}
    day = dt.date(2026, 1, 7)
    assert first.activities == (
        Activity(
            type="sold",
            date_type="sold",
            on=day,
            distributions=(Distribution("piece", "gln", there),),
        ),
        Activity(
            type="returned_by_consumer",
            date_type="sold",
            on=day,
            distributions=(Distribution("piece", "gln", {"4260026610102": "1"}),),
        ),
    )
    assert first.prices == (Price(type="retail", price=Decimal("39.95")),)
    assert first.reference("internal_vendor") == "76"
    assert second.activities[0].distributions == (
        Distribution("piece", "gln", {"4260026610102": "5", "4260026610119": "7"}),
    )
    assert third.activities == (Activity(type="ending_balance", quantity=Decimal(12)),)
    assert activity.extra == first.extra == second.extra == third.extra == ()


HEAD = "BGM++1+9\nDTM+90:20260105:102\nNAD+BY+1::9\n"


def read(body: str) -> ProductActivity:
    """The activity in a message that need not be in canonical form."""
    check = edifact.check(message(HEAD + body, "SLSRPT"))
    assert check.status == "accepted", check.problems
    activity, problems = standard("SLSRPT").read(check.rows, check.places, NORMAL)
    assert problems == ()
    assert isinstance(activity, ProductActivity)
    return activity


def written(activity: ProductActivity) -> list[str]:
    return told(standard("SLSRPT").write(activity))[3:]


@pytest.mark.parametrize(
    "body",
    [
        "LOC+162+A::92\nDTM+90:20260105:102\nLIN+1\nQTY+153:1\nLOC+162+B::92\nDTM+90:20260105:102\nLIN+1\nQTY+153:2",
        "LOC+162+A::92\nLIN+1\nQTY+153:1\nLOC+162+B::92\nLOC+162+C::92\nLIN+1\nQTY+153:1",
        "LOC+162+A::92\nLIN+1\nMOA+203:12\nLIN+1\nMOA+203:13\nLOC+162+B::92\nLIN+1\nMOA+203:13",
        "LOC+162+A::92\nLIN+1\nQTY+153:1\nLIN+1\nQTY+153:1\nLOC+162+B::92\nLIN+1\nQTY+153:1",
        "LOC+162+A::92\nLIN+1\nQTY+153:1\nQTY+153:2\nLOC+162+B::92\nLIN+1\nQTY+153:1\nQTY+153:3\nQTY+61:2",
        "LOC+162+A::92\nLIN+1\nQTY+153:1\nNAD+UD+1::9\nLOC+162+B::92\nLIN+1\nQTY+153:1",
        "LOC+162\nLIN+1\nQTY+60:9\nQTY+61:4:PCE\nLOC+162+A\nLIN+1\nQTY+60:9",
    ],
)
def test_whatever_is_told_of_a_place_is_written_as_it_was(body: str) -> None:
    assert written(read(body)) == body.splitlines()


def test_a_place_that_is_told_twice_is_written_once() -> None:
    activity = read("LOC+162+A::92\nLIN+1\nQTY+153:1\nLOC+162+A::92\nLIN+2\nQTY+153:2\nLOC+162+B::92")
    assert written(activity) == ["LOC+162+A::92", "LIN+1", "QTY+153:1", "LIN+2", "QTY+153:2", "LOC+162+B::92"]
    assert read("\n".join(written(activity))) == activity


def test_a_report_without_a_period_starts_with_the_day_of_its_making() -> None:
    rows = ["BGM+73E::9+1+9", "DTM+137:20260105:102", "NAD+BY+1::9", "LOC+162", "LIN+1", "QTY+153:1"]
    activity = read_canonical("\n".join(rows), "SLSRPT", "D.96A")
    assert (activity.starts_on, activity.ends_on) == (DAY, None)
    rows.insert(2, "DTM+90:20260101:102")
    activity = read_canonical("\n".join(rows), "SLSRPT", "D.96A")
    assert activity.starts_on == dt.date(2026, 1, 1)
    assert ("DTM", "137\x1f20260105\x1f102") in activity.extra
    check = edifact.check(message("BGM++1+9\nDTM+356:20260101:102\nNAD+BY+1::9\nLOC+162", "SLSRPT"))
    (problem,) = standard("SLSRPT").read(check.rows, check.places, NORMAL)[1]
    assert problem.message == "DTM[90]01-2 is needed for 'starts_on'"


def test_places_are_kept_in_parcels_of_ten_as_X12_has_room_for() -> None:
    body = "\n".join(f"LOC+162+{n}::92\nLIN+1\nQTY+153:{n}" for n in range(1, 13))
    (line,) = read(body).lines
    (sold,) = line.activities
    assert [len(parcel.quantities) for parcel in sold.distributions] == [10, 2]
    assert written(read(body)) == body.splitlines()


ACTIVITY = test_written_planning.DOCUMENTS["852"]
assert isinstance(ACTIVITY, ProductActivity)


@BOTH
def test_a_product_activity_is_carried_by_a_sales_report(version: str) -> None:
    rows = carried(ACTIVITY, "SLSRPT", version)
    places = [row for row in rows if row.startswith(("LOC", "LIN", "QTY"))]
    assert places == [
        *("LOC+162", "LIN+1++012345678905:UP", "QTY+153:18:EA", "QTY+21:40:EA"),
        *("LOC+162+0012::92", "LIN+1++012345678905:UP", "QTY+153:11:EA"),
        *("LOC+162+0044::92", "LIN+1++012345678905:UP", "QTY+153:7:EA"),
    ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"quantity": None, "distributions": ()}, "lines[0].activities[0].quantity: is needed"),
        ({"on": DAY}, "lines[0].activities[0].date_type: the map has no place for it"),
        ({"reference_number": "1"}, "lines[0].activities[0].reference_number: the map has no place for it"),
        (
            {"distributions": (Distribution("each", "gln", {"1": "x"}),)},
            "ProductActivity: a field holds what it may not",
        ),
    ],
)
def test_what_a_sales_report_cannot_carry_is_refused(changes: dict[str, Any], says: str) -> None:
    (line,) = ACTIVITY.lines
    line = replace(line, activities=(replace(line.activities[0], **changes),))
    with pytest.raises(CannotWrite) as refused:
        standard("SLSRPT").write(replace(ACTIVITY, lines=(line,)))
    assert any(says in problem.message for problem in refused.value.problems), refused.value.problems
