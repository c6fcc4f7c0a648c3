"""A hub carries what is between us and other partners: whose it is, who is answered, and who is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from trading import ORDER, PARTNERS, RETAILER, SHIPMENT, US, WAREHOUSE, Trading, eventually, trading

from edi.tree import PartyId
from gateway import config, queries
from gateway.config import ConfigInvalid
from gateway.simulate import envelope
from x12 import writer

VAN, STRANGER = PartyId("14", "VAN"), PartyId("08", "STRANGER")
CARRIED = (
    PARTNERS.replace('sftp_account = { user = "shop", keys = [] }', 'via = "van"').replace(
        'sftp_account = { user = "depot", keys = [] }', 'via = "van"'
    )
    + """
[partner.van]
role = "supplier"
status = "live"
usage = "P"
isa = { qualifier = "14", id = "VAN" }
sftp_account = { user = "van", keys = [] }

[partner.stranger]
role = "retailer"
status = "live"
usage = "P"
isa = { qualifier = "08", id = "STRANGER" }
sftp_account = { user = "stranger", keys = [] }
"""
)


def answers(t: Trading, type: str) -> dict[str, list[list[str]]]:
    """Our answers of a type in the hub's outbox, by whom they are for."""
    found: dict[str, list[list[str]]] = {}
    for path in t.outbox("van"):
        rows = [segment.split("*") for segment in path.read_text().split("~")]
        receiver = f"{rows[0][7]}:{rows[0][8].strip()}"
        found.setdefault(receiver, []).extend(row for row in rows if row[0] == type)
    return found


def test_the_whole_day_of_an_order_through_a_hub_is_between_us_and_those_it_carries(tmp_path: Path) -> None:
    with trading(tmp_path, CARRIED) as t:
        t.drop(t.file("850", ORDER, RETAILER), "van")
        eventually(lambda: t.sent("van", "940"))
        t.drop(t.file("945", SHIPMENT, WAREHOUSE), "van", "b.x12")
        eventually(lambda: t.sent("van", "810"))
        assert {(row.type, row.partner) for row in t.documents() if row.type != "997"} == {
            ("850", "shop"),
            ("940", "depot"),
            ("945", "depot"),
            ("856", "shop"),
            ("810", "shop"),
        }
        assert answers(t, "AK1") == {
            str(RETAILER): [["AK1", "PO", "1"]],
            str(WAREHOUSE): [["AK1", "SW", "2"]],
        }
        assert {row["partner"] for row in queries.transmissions(t.home, "out")} == {"van"}
        (order,) = queries.orders_with_due(t.home)
        assert (order["partner"], order["warehouse"]) == ("shop", "depot")


def test_one_file_of_a_hub_holds_interchanges_of_several_and_each_is_decided_by_itself(
    tmp_path: Path,
) -> None:
    with trading(tmp_path, CARRIED) as t:
        first = t.file("850", ORDER, RETAILER)
        t.drop(first, "van")
        eventually(lambda: t.sent("van", "940"))
        again = [["BEG", "00", "SA", "PO-78", "", "20261101"], *ORDER[1:]]
        sent = [
            first,
            t.file("850", ORDER, STRANGER),
            t.file("945", SHIPMENT, WAREHOUSE),
            t.file("850", again, RETAILER),
        ]
        identity = t.drop(b"\r\n".join(sent), "van", "mixed.x12")
        eventually(lambda: t.documents(direction="in", number="PO-78", kind="sales_order"))
        shown = queries.one(t.home, identity)
        assert shown is not None
        assert [(one["sender"], one["status"], one["reason"]) for one in shown["interchanges"]] == [
            (str(RETAILER), "duplicate", "DUPLICATE_ICN"),
            (str(STRANGER), "refused", "SENDER_MISMATCH"),
            (str(WAREHOUSE), "accepted", None),
            (str(RETAILER), "accepted", None),
        ]
        assert [(row["type"], row["partner"]) for row in shown["documents"]] == [
            ("945", "depot"),
            ("850", "shop"),
        ]
        eventually(lambda: sum(map(len, answers(t, "TA1").values())) == 2)
        told = {
            to: [(row[1], row[4], row[5]) for row in rows] for to, rows in answers(t, "TA1").items() if rows
        }
        assert told == {str(RETAILER): [("000000001", "R", "025")], str(VAN): [("000000002", "R", "006")]}
        assert not t.outbox("stranger")


@pytest.mark.parametrize(
    ("sender", "channel"), [(VAN, "stranger"), (RETAILER, "stranger"), (STRANGER, "van")]
)
def test_no_one_but_its_hub_speaks_for_a_partner(tmp_path: Path, sender: PartyId, channel: str) -> None:
    with trading(tmp_path, CARRIED) as t:
        identity = t.drop(t.file("850", ORDER, sender), channel)
        found = eventually(lambda: [r for r in queries.dead(t.home) if r["id"] == identity])
        assert [(row["status"], row["reason"]) for row in found] == [("refused", "SENDER_MISMATCH")]
        assert not t.documents(direction="in")


def test_a_group_of_one_carried_partner_in_the_interchange_of_another_is_refused(tmp_path: Path) -> None:
    with trading(tmp_path, CARRIED) as t:
        data = t.file("850", ORDER, RETAILER).replace(b"GS*PO*RETAIL*", b"GS*PO*DEPOT*")
        identity = t.drop(data, "van")
        found = eventually(lambda: [r for r in queries.dead(t.home) if r["id"] == identity])
        assert found[0]["reason"] == "SENDER_MISMATCH"


def test_what_a_hub_sends_in_its_own_name_is_its_own(tmp_path: Path) -> None:
    with trading(tmp_path, CARRIED) as t:
        t.drop(t.file("850", ORDER, VAN), "van")
        eventually(lambda: answers(t, "AK1").get(str(VAN)))
        assert [row.partner for row in t.documents(direction="in")] == ["van"]


def test_a_997_through_the_hub_closes_the_document_of_the_partner_it_is_from(tmp_path: Path) -> None:
    with trading(tmp_path, CARRIED) as t:
        t.drop(t.file("850", ORDER, RETAILER), "van")
        eventually(lambda: t.sent("van", "940"))
        (row,) = t.documents(direction="out", type="940")
        said = [["AK1", "OW", row.group_control], ["AK9", "A", "1", "1", "1"]]
        t.drop(t.file("997", said, RETAILER), "van", "wrong.x12")
        eventually(lambda: t.documents(direction="in", type="997", reason="UNMATCHED"))
        assert t.documents(id=row.id)[0].ack == "waiting"
        t.drop(t.file("997", said, WAREHOUSE), "van", "right.x12")
        eventually(lambda: t.documents(id=row.id)[0].ack == "accepted")


def test_a_carried_partner_that_is_paused_waits_and_holds_up_no_other(tmp_path: Path) -> None:
    paused = CARRIED.replace('role = "3pl"\nstatus = "live"', 'role = "3pl"\nstatus = "paused"')
    assert paused != CARRIED
    with trading(tmp_path, paused) as t:
        t.drop(t.file("850", ORDER, RETAILER), "van")
        eventually(lambda: t.sent("van", "997"))
        (row,) = eventually(lambda: t.documents(direction="out", type="940"))
        eventually(lambda: (queries.one(t.home, row.transmission) or {})["error"] == "depot is paused")
        assert not t.sent("van", "940")


def test_a_draft_of_a_carried_partner_is_not_traded_with(tmp_path: Path) -> None:
    draft = CARRIED.replace('role = "retailer"\nstatus = "live"', 'role = "retailer"\nstatus = "draft"', 1)
    with trading(tmp_path, draft) as t:
        identity = t.drop(t.file("850", ORDER, RETAILER), "van")
        found = eventually(lambda: [r for r in queries.dead(t.home) if r["id"] == identity])
        assert found[0]["reason"] == "SENDER_MISMATCH"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('via = "van"', 'via = "vam"', "did you mean 'van'?"),
        ('via = "van"', 'via = "depot"', "expected a partner with a channel of its own"),
        ('via = "van"', 'via = "shop"', "expected a partner with a channel of its own"),
        ('via = "van"', 'via = "van"\nsftp_account = { user = "shop", keys = [] }', "no channel of its own"),
    ],
)
def test_a_hub_that_cannot_be_one_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(ConfigInvalid, match=r"partner\.shop\.via") as raised:
        config.read(CARRIED.replace(old, new, 1), tmp_path)
    assert told in str(raised.value)


def test_interchanges_of_one_file_are_numbered_apart_for_each_sender(tmp_path: Path) -> None:
    with trading(tmp_path, CARRIED) as t:
        head = [envelope(sender, US, 7, "997", "004010") for sender in (RETAILER, WAREHOUSE)]
        said = [["AK1", "OW", "99"], ["AK9", "A", "1", "1", "1"]]
        data = b"".join(writer.write(one, [writer.Body("997", 7, said)]) for one in head)
        identity = t.drop(data, "van")
        eventually(lambda: len(t.documents(direction="in")) == 2)
        shown = queries.one(t.home, identity)
        assert shown is not None
        assert [one["status"] for one in shown["interchanges"]] == ["accepted", "accepted"]


def test_numbers_that_follow_each_other_in_one_file_leave_no_gap(tmp_path: Path) -> None:
    with trading(tmp_path, CARRIED) as t:
        t.drop(t.file("850", ORDER, RETAILER), "van")
        eventually(lambda: t.sent("van", "997"))
        identity = t.drop(b"".join(t.file("850", ORDER, RETAILER) for _ in range(3)), "van", "b.x12")
        eventually(lambda: len(t.documents(direction="in")) == 4)
        shown = queries.one(t.home, identity)
        assert shown is not None
        assert not [event for event in shown["events"] if event["event"] == "gap"]
