"""What a hostile or broken partner who speaks EDIFACT must not bring about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from edifact_by_hand import PARTNERS, contrl, interchange, order
from sqlalchemy import select
from test_edifact_trading import SUPPLIER, purchase, supplier
from trading import Trading, eventually, trading

from gateway.store.tables import transmission


def read(t: Trading, identity: str) -> Any:
    """A transmission, once it has been read."""

    def look() -> Any:
        with t.home.store.read() as conn:
            row = conn.execute(select(transmission).where(transmission.c.id == identity)).one()
        return row if row.status != "stored" else None

    return eventually(look)


# Interchanges.


@pytest.mark.parametrize("reference", ["9" * 15, "9" * 5000])
def test_a_reference_that_is_too_long_to_be_named_waits_for_a_person(tmp_path: Path, reference: str) -> None:
    with trading(tmp_path, PARTNERS) as t:
        row = read(t, t.drop(interchange(reference, order("PO-1")), "shop"))
        assert (row.status, row.reason) == ("held", "ENVELOPE_BROKEN")
        assert "cannot be answered" in row.error
        assert read(t, t.drop(interchange(2, order("PO-1")), "shop")).status == "done"


# Their CONTRL.


def asked(t: Trading, *numbers: str) -> list[Any]:
    """Orders of ours to the supplier, as they were sent."""
    for number in numbers or ("PO-1",):
        t.leave(purchase(number))
    return t.documents(direction="out")


def answered(t: Trading, about: object, action: str, *rows: str, number: int = 9) -> Any:
    """The supplier answers; its CONTRL."""
    identity = t.drop(contrl(number, about, action, *rows, sender=SUPPLIER), "mill", f"{number}.edi")
    assert read(t, identity).status == "done"
    (found,) = t.documents(transmission=identity)
    return found


def said(t: Trading) -> str:
    """What the timeline says last of an acknowledgment."""
    return str(t.events("acknowledged")[-1].text)


@pytest.mark.parametrize("position", ["0", "-1", "-100000", "12", "999999"])
def test_a_position_where_no_segment_of_ours_is_shows_none(tmp_path: Path, position: str) -> None:
    with trading(tmp_path, supplier()) as t:
        asked(t)
        answered(t, 1, "7", "UCM+1+ORDERS:D:96A:UN+4", f"UCS+{position}+12")
        assert t.documents(direction="out")[0].ack == "rejected"
        assert said(t) == f"mill rejects ORDERS PO-1: segment at {position}: invalid value (12)"
