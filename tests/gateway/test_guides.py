"""A partner's guide in the pipeline: what they send is held to it, and nothing is sent that breaks it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from trading import ORDER, PARTNERS, RETAILER, SHIPMENT, WAREHOUSE, Trading, eventually, trading

from gateway.errors import Failure
from gateway.pipeline.replay import Step, replay
from gateway.store.tables import transmission

INBOUND = PARTNERS.replace('direction = "in", route', 'direction = "in", guide = "guides/850.toml", route')
OUTBOUND = PARTNERS.replace(
    '{ type = "856", direction = "out" }', '{ type = "856", direction = "out", guide = "guides/856.toml" }'
)


def write_guide(home: Path, type: str, rules: str) -> Path:
    file = home / "guides" / f"{type}.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f'name = "Shop"\nset = "{type}"\n[rules]\n{rules}\n')
    return file


def held_transmission(t: Trading, identity: str) -> Any:
    """The transmission, once it waits for a person."""
    held = select(transmission).where(transmission.c.id == identity, transmission.c.status == "held")
    with t.home.store.read() as conn:
        return conn.execute(held).one_or_none()


def test_an_order_that_breaks_the_guide_of_its_sender_is_rejected_by_the_997(tmp_path: Path) -> None:
    write_guide(tmp_path, "850", '"REF[DP]" = "must"\nBEG02 = { codes = ["NE"] }')
    with trading(tmp_path, INBOUND) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop")
        (answer,) = eventually(lambda: t.sent("shop", "997"))
        assert [row for row in answer if row[0] in ("AK3", "AK4", "AK5", "AK9")] == [
            ["AK3", "BEG", "2", "", "8"],
            ["AK4", "2", "92", "7", "SA"],
            ["AK3", "REF", "3", "", "3"],
            ["AK5", "R", "5"],
            ["AK9", "R", "1", "1", "0"],
        ]
        (order,) = t.documents(type="850")
        assert (order.status, order.reason) == ("rejected", "EDI_REJECTED")
        assert order.error.startswith("guide of Shop: BEG02")
        assert not list(t.home.erp.out.iterdir())


def test_an_order_that_keeps_the_guide_is_accepted(tmp_path: Path) -> None:
    write_guide(tmp_path, "850", '"N1[ST]>N4" = "must"\nBEG02 = { codes = ["SA"] }')
    with trading(tmp_path, INBOUND) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop")
        eventually(lambda: t.sent("depot", "940"))
        (order,) = t.documents(type="850")
        assert order.status == "accepted"


def test_a_notice_that_the_partner_s_guide_rejects_is_held_until_it_passes(tmp_path: Path) -> None:
    file = write_guide(tmp_path, "856", '"HL[03=S]>REF[CN]" = "must"')
    with trading(tmp_path, OUTBOUND) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop")
        eventually(lambda: t.sent("depot", "940"))
        t.drop(t.file("945", SHIPMENT, WAREHOUSE), "depot", "b.x12")
        eventually(lambda: t.sent("shop", "810"))
        (held,) = eventually(lambda: t.documents(direction="out", type="856"))
        assert (held.status, held.reason) == ("held", "MAPPING_FAILED")
        assert "guide of Shop: mandatory segment HL[03=S]>REF[CN]" in held.error
        assert not t.sent("shop", "856")
        with pytest.raises(Failure, match="guide of Shop"):
            replay(t.home, held.id)
        file.write_text('name = "Shop"\nset = "856"\n')
        assert replay(t.home, held.id) is Step.ISSUE
        assert len(eventually(lambda: t.sent("shop", "856"))) == 1


def test_a_guide_that_breaks_while_we_run_holds_the_file_and_blames_nobody(tmp_path: Path) -> None:
    file = write_guide(tmp_path, "850", "")
    with trading(tmp_path, INBOUND) as t:
        file.write_text('name = "Shop"\nset = "850"\n[rules]\nBEG = "never"\n')
        identity = t.drop(t.file("850", ORDER, RETAILER), "shop")
        held = eventually(lambda: held_transmission(t, identity))
        assert "guide cannot be used: 850.toml:4: rules.BEG: the standard requires it" in held.error
        assert not t.outbox("shop")
        assert not t.documents(type="850")


def test_a_changed_guide_is_in_force_without_a_restart(tmp_path: Path) -> None:
    file = write_guide(tmp_path, "850", "")
    with trading(tmp_path, INBOUND) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop")
        eventually(lambda: t.documents(type="850", status="accepted"))
        file.write_text('name = "Shop"\nset = "850"\n[rules]\nFOB = "must"\n')
        t.drop(
            t.file("850", [["BEG", "00", "SA", "PO-78", "", "20261102"], *ORDER[1:]], RETAILER), "shop", "b"
        )
        eventually(lambda: t.documents(type="850", status="rejected"))
