"""Reading a file again, once what held a part of it is mended, repeats nothing that the rest has led to."""

from __future__ import annotations

from pathlib import Path

import pytest
from trading import ORDER, PARTNERS, RETAILER, SHIPMENT, WAREHOUSE, Trading, eventually, trading

from edi.documents import decode
from gateway import queries
from gateway.errors import Code, Failure
from gateway.pipeline.replay import Step, replay

STRANGER = RETAILER._replace(qualifier="12", id="UNLISTED")
OTHER = [["BEG", "00", "SA", "PO-78", "", "20261102"], *ORDER[1:]]


def quiet(t: Trading) -> bool:
    """Whether no job is left to run now."""
    with t.home.store.read() as conn:
        return not any(lane.running or lane.blocked_s == 0.0 for lane in t.home.engine.lanes(conn))


def at_erp(t: Trading) -> list[str]:
    """The kinds and numbers of what the ERP was given."""
    found = [decode(path.read_bytes()) for path in t.home.erp.out.iterdir()]
    return sorted(f"{type(one).__name__} {getattr(one, 'number', None)}" for one in found)


def test_an_interchange_accepted_later_takes_no_place_of_one_accepted_before(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        identity = t.drop(t.file("850", OTHER, STRANGER) + t.file("850", ORDER, RETAILER), "shop")
        eventually(lambda: len(t.sent("depot", "940")) == 1 and quiet(t))
        assert at_erp(t) == ["SalesOrder PO-77"]
        assert len(t.sent("shop", "997")) == 1
        assert len(t.outbox("shop")) == 2  # and a TA1 for the stranger
        (tmp_path / "partners.toml").write_text(PARTNERS.replace("5551234", "UNLISTED"))
        assert t.home.reload()
        assert replay(t.home, identity) is Step.READ
        eventually(lambda: len(t.sent("depot", "940")) == 2 and quiet(t))
        assert at_erp(t) == ["SalesOrder PO-77", "SalesOrder PO-78"]
        assert len(t.sent("shop", "997")) == 2
        assert len(t.outbox("shop")) == 3
        assert all(row.delivered_at is not None for row in t.documents(type="850"))


def test_what_is_held_for_its_number_is_read_when_a_person_releases_it(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop")
        eventually(lambda: len(t.sent("depot", "940")) == 1 and quiet(t))
        t.number = 0
        again = t.drop(t.file("850", OTHER, RETAILER), "shop", "b.x12")
        eventually(lambda: quiet(t) and queries.dead(t.home))
        assert replay(t.home, again) is Step.READ
        eventually(lambda: quiet(t) and queries.dead(t.home))
        assert [one["reason"] for one in queries.dead(t.home)] == ["DUPLICATE_ICN"]
        assert replay(t.home, again, release=True) is Step.READ
        eventually(lambda: len(t.sent("depot", "940")) == 2 and quiet(t))
        assert at_erp(t) == ["SalesOrder PO-77", "SalesOrder PO-78"]
        assert queries.dead(t.home) == []
        timeline = queries.one(t.home, again)
        assert timeline is not None
        assert "an operator asked to read again, whatever its control number" in [
            event["text"] for event in timeline["events"]
        ]


def test_nothing_but_a_control_number_is_released(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        identity = t.drop(t.file("850", OTHER, STRANGER), "shop")
        eventually(lambda: quiet(t) and queries.dead(t.home))
        with pytest.raises(Failure) as refused:
            replay(t.home, identity, release=True)
        assert refused.value.code is Code.USAGE


def test_a_document_held_beside_a_delivered_one_is_read_again_alone(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        t.drop(t.file("850", ORDER, RETAILER) + t.file("945", SHIPMENT, RETAILER), "shop")
        eventually(lambda: len(t.sent("depot", "940")) == 1 and quiet(t))
        (held,) = t.documents(type="945")
        assert held.status == "held"
        mended = PARTNERS.replace(
            '  { type = "856", direction = "out" },',
            '  { type = "945", direction = "in" },\n  { type = "856", direction = "out" },',
        )
        (tmp_path / "partners.toml").write_text(mended)
        assert t.home.reload()
        assert replay(t.home, held.id) is Step.READ
        eventually(lambda: len(at_erp(t)) == 2 and quiet(t))
        assert at_erp(t) == ["SalesOrder PO-77", "ShipmentConfirmation PO-77"]
        assert len(t.sent("shop", "997")) == 2
        assert len(t.sent("depot", "940")) == 1
        assert all(row.delivered_at is not None for row in t.documents(direction="in"))


def test_a_notice_that_could_not_be_written_is_issued_once_its_map_is_mended(tmp_path: Path) -> None:
    overlay = tmp_path / "maps" / "856.toml"
    overlay.parent.mkdir()
    overlay.write_text('base = "856"\n[map]\nsent_time = ""\n')
    partners = PARTNERS.replace(
        '{ type = "856", direction = "out" }', '{ type = "856", direction = "out", map = "maps/856.toml" }'
    )
    with trading(tmp_path, partners) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop")
        eventually(lambda: t.sent("depot", "940"))
        t.drop(t.file("945", SHIPMENT, WAREHOUSE), "depot", "b.x12")
        eventually(lambda: t.sent("shop", "810") and quiet(t))
        (held,) = t.documents(direction="out", type="856")
        assert held.reason == "MAPPING_FAILED"
        with pytest.raises(Failure, match="sent_time"):
            replay(t.home, held.id)
        overlay.write_text('base = "856"\n')
        assert replay(t.home, held.id, dry_run=True) is Step.ISSUE
        assert replay(t.home, held.id) is Step.ISSUE
        assert len(eventually(lambda: t.sent("shop", "856"))) == 1
        (issued,) = t.documents(direction="out", type="856")
        assert (issued.correlation, issued.cause) == (held.correlation, held.cause)
        assert replay(t.home, issued.id) is Step.NOTHING
