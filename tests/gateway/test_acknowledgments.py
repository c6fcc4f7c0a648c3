"""Acknowledgments both ways: as agreed, down to the segment, late, twice, for nothing, and sent again."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from trading import ORDER, PARTNERS, RETAILER, US, WAREHOUSE, Trading, eventually, trading

from edi.documents import Acknowledgment, TransactionStatus
from edi.tree import PartyId
from gateway import queries
from gateway.errors import Code, Failure
from gateway.pipeline import outbound, reconcile
from gateway.server import start_engine
from gateway.simulate import envelope
from gateway.store.lane_tables import job, lane
from gateway.store.tables import document, transmission
from x12 import acks, writer


def agreed(direction: str, type: str, ack: str) -> str:
    plain = f'{{ type = "{type}", direction = "{direction}"'
    assert plain in PARTNERS
    return PARTNERS.replace(plain, f"{plain}, ack = {{ {ack} }}")


def notes(t: Trading, number: str = "PO-77") -> list[str]:
    chain = queries.order_chain(t.home, number)
    assert chain is not None
    return [f"{event['event']}: {event['text']}" for event in chain["events"]]


def order_at_the_depot(t: Trading) -> Any:
    """Our 940, which has left."""
    t.drop(t.file("850", ORDER, RETAILER), "shop")
    eventually(lambda: t.sent("depot", "940"))
    (row,) = t.documents(direction="out", type="940")
    eventually(lambda: has_left(t, row.transmission))
    return row


def has_left(t: Trading, identity: str) -> bool:
    """Whether it is recorded that a transmission has left, which is a moment after its file can be seen."""
    with t.home.store.read() as conn:
        status = conn.execute(select(transmission.c.status).where(transmission.c.id == identity)).scalar_one()
    return status in outbound.LEFT


def answered(row: Any, *faults: list[str], status: str = "R") -> list[list[str]]:
    number = f"{int(row.transaction_control):04}"
    counts = ["1", "1", "0" if status == "R" else "1"]
    return [
        ["AK1", "OW", row.group_control],
        ["AK2", "940", number],
        *faults,
        ["AK5", status, *(["5"] if status == "R" else [])],
        ["AK9", status, *counts],
    ]


def test_a_999_is_answered_where_it_is_agreed(tmp_path: Path) -> None:
    damaged = [["BEG", "QQ", "SA", "PO-77", "", "20261101"], *ORDER[1:]]
    with trading(tmp_path, agreed("in", "850", 'mode = "999"')) as t:
        t.drop(t.file("850", damaged, RETAILER), "shop")
        (rows,) = eventually(lambda: t.sent("shop", "999"))
        assert [row for row in rows if row[0] in {"IK3", "CTX", "IK4", "IK5"}] == [
            ["IK3", "BEG", "2", "", "8"],
            ["CTX", "BEG03>PO-77"],
            ["IK4", "1", "353", "7", "QQ"],
            ["IK5", "R", "5"],
        ]
        assert rows[0] == ["ST", "999", "0001", acks.VERSION_999]
        assert not t.sent("shop", "997")
        assert [row.type for row in t.documents(direction="out")] == ["999"]


def test_a_rejection_is_told_in_words_with_what_we_had_sent(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        row = order_at_the_depot(t)
        faults = [["AK3", "W05", "2", "", "8"], ["AK4", "1", "473", "7", "N"]]
        t.drop(t.file("997", answered(row, *faults), WAREHOUSE), "depot", "answer.x12")
        eventually(lambda: t.documents(id=row.id)[0].ack == "rejected")
        (told,) = (note for note in notes(t) if note.startswith("acknowledged: depot rejects"))
        assert told == (
            "acknowledged: depot rejects 940 PO-77: W05 at 2: W0501 invalid code value (7) 'N'; "
            "we sent W05*N*PO-77*PO-77"
        )
        chain = queries.order_chain(t.home, "PO-77")
        assert chain is not None
        assert ("us", "to correct 940 PO-77, which depot has rejected") in {
            (due["owner"], due["what"]) for due in chain["due"]
        }


@pytest.mark.parametrize("position", ["0", "-10000", "9999"])
def test_a_position_where_no_segment_of_ours_is_shows_none(tmp_path: Path, position: str) -> None:
    with trading(tmp_path) as t:
        row = order_at_the_depot(t)
        t.drop(t.file("997", answered(row, ["AK3", "W05", position, "", "2"]), WAREHOUSE), "depot", "a.x12")
        eventually(lambda: t.documents(id=row.id)[0].ack == "rejected")
        (told,) = (note for note in notes(t) if note.startswith("acknowledged: depot rejects"))
        assert told == f"acknowledged: depot rejects 940 PO-77: W05 at {position}: unexpected segment (2)"


def test_a_999_of_a_partner_closes_what_it_names(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        row = order_at_the_depot(t)
        said = [
            ["AK1", "OW", row.group_control, "004010"],
            ["AK2", "940", f"{int(row.transaction_control):04}"],
            ["IK5", "A"],
            ["AK9", "A", "1", "1", "1"],
        ]
        head = envelope(WAREHOUSE, US, 7, "999", acks.VERSION_999)
        t.drop(writer.write(head, [writer.Body("999", 7, said, acks.VERSION_999)]), "depot", "answer.x12")
        eventually(lambda: t.documents(id=row.id)[0].ack == "accepted")
        assert not t.documents(direction="out", type="997", partner="depot")


def test_a_second_answer_changes_nothing_and_is_told(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        row = order_at_the_depot(t)
        t.drop(t.file("997", answered(row, status="A"), WAREHOUSE), "depot", "1.x12")
        eventually(lambda: t.documents(id=row.id)[0].ack == "accepted")
        t.drop(t.file("997", answered(row), WAREHOUSE), "depot", "2.x12")
        told = eventually(lambda: [note for note in notes(t) if note.startswith("duplicate")])
        assert told == [
            "duplicate: another acknowledgment of 940 PO-77 from depot: it was accepted, now rejected; "
            "unchanged"
        ]
        assert t.documents(id=row.id)[0].ack == "accepted"
        (second,) = queries.acknowledgments(t.home, "depot", "duplicate")
        assert (second["type"], second["state"]) == ("997", "duplicate")
        assert queries.acknowledgments(t.home, state="late") == []


@pytest.mark.parametrize(
    ("sender", "partner"), [(WAREHOUSE, "depot"), (RETAILER, "shop")], ids=["other number", "other partner"]
)
def test_an_answer_to_nothing_we_sent_is_kept_and_says_so(
    tmp_path: Path, sender: PartyId, partner: str
) -> None:
    with trading(tmp_path) as t:
        row = order_at_the_depot(t)
        stray = answered(row, status="A")
        if partner == "depot":
            stray[0][2] = "999"
        t.drop(t.file("997", stray, sender), partner, "answer.x12")
        (answer,) = eventually(lambda: t.documents(direction="in", type="997", reason="UNMATCHED"))
        assert answer.error.endswith(f"was sent to {partner}")
        assert [one["id"] for one in queries.acknowledgments(t.home, state="unmatched")] == [answer.id]
        assert [one["id"] for one in queries.acknowledgments(t.home, state="waiting")] == [row.id]
        assert t.documents(id=row.id)[0].ack == "waiting"


def sent_later(t: Trading, row: Any, **other: Any) -> str:
    """A document of another sending that has this one's number of group or interchange."""
    values = dict(row._mapping) | {"id": f"{row.id}-later", "created_at": row.created_at + timedelta(hours=1)}
    t.home.store.write(lambda conn: conn.execute(insert(document), values | other))
    return str(values["id"])


def test_of_two_groups_of_one_number_the_one_that_has_the_set_is_answered(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        row = order_at_the_depot(t)
        other = sent_later(t, row, interchange_control="800", transaction_control="77", ack_due_at=None)
        t.drop(t.file("997", answered(row, status="A"), WAREHOUSE), "depot", "answer.x12")
        eventually(lambda: t.documents(id=row.id)[0].ack == "accepted")
        assert t.documents(id=other)[0].ack == "waiting"
        stray = answered(row, status="A")
        stray[1][2] = "0555"
        t.drop(t.file("997", stray, WAREHOUSE), "depot", "stray.x12")
        eventually(lambda: t.documents(direction="in", reason="UNMATCHED"))
        assert t.documents(id=other)[0].ack == "waiting"


def ta1(own: int, number: int, status: str, note: str) -> bytes:
    said = acks.InterchangeAck(f"{number:09}", "261124", "1000", status, note)
    return writer.write(envelope(WAREHOUSE, US, own, "997", "004010"), [], loose=[acks.write_ta1(said)])


def test_a_ta1_rejects_the_latest_interchange_of_its_number_unless_that_repeats_another(
    tmp_path: Path,
) -> None:
    with trading(tmp_path) as t:
        row = order_at_the_depot(t)
        number = int(row.interchange_control)
        t.drop(ta1(51, number, "R", "025"), "depot", "repeated.x12")
        told = f"acknowledged: depot answers interchange {number} with TA1 R, 025: control number used before"
        eventually(lambda: told in notes(t))
        assert t.documents(id=row.id)[0].ack == "waiting"
        later = sent_later(t, row, transmission=None, correlation=None, ack_due_at=None)
        t.drop(ta1(52, number, "R", "021"), "depot", "rejected.x12")
        eventually(lambda: t.documents(id=later)[0].ack == "rejected")
        assert t.documents(id=later)[0].ack_at is not None
        assert t.documents(id=row.id)[0].ack == "waiting"


GOOD, BAD = (
    TransactionStatus("940", number, status) for number, status in (("1", "accepted"), ("2", "rejected"))
)


@pytest.mark.parametrize(
    ("status", "accepted", "named", "of", "verdict"),
    [
        ("accepted", 3, (), None, "accepted"),
        ("accepted_with_errors", 3, (), None, "accepted_with_errors"),
        ("rejected", 0, (), None, "rejected"),
        ("rejected", 0, (GOOD,), GOOD, "rejected"),
        ("partially_accepted", 1, (GOOD, BAD), GOOD, "accepted"),
        ("partially_accepted", 1, (GOOD, BAD), BAD, "rejected"),
        ("partially_accepted", 2, (BAD,), None, "accepted"),
        ("partially_accepted", 1, (GOOD,), None, "rejected"),
        ("partially_accepted", 1, (BAD,), None, "partial"),
        ("rejected_authentication", 0, (), None, "rejected"),
    ],
)
def test_a_set_that_an_answer_leaves_out_has_the_verdict_its_counts_tell(
    status: str, accepted: int, named: tuple[Any, ...], of: TransactionStatus | None, verdict: str
) -> None:
    answer = Acknowledgment("OW", "1", status, received=3, accepted=accepted, transactions=named)
    assert reconcile._verdict(answer, of)[0] == verdict


def test_an_overdue_acknowledgment_is_told_and_a_late_one_counts(tmp_path: Path) -> None:
    with trading(tmp_path, agreed("out", "940", 'due = "1s"')) as t:
        row = order_at_the_depot(t)
        eventually(lambda: [found["id"] for found in queries.overdue(t.home)] == [row.id])
        assert "overdue: depot has not acknowledged 940 PO-77" in notes(t)
        t.drop(t.file("997", answered(row, status="A"), WAREHOUSE), "depot", "late.x12")
        eventually(lambda: t.documents(id=row.id)[0].ack == "accepted")
        assert "acknowledged: depot accepts 940 PO-77, late" in notes(t)
        assert [one["id"] for one in queries.acknowledgments(t.home, state="late")] == [row.id]
        assert queries.overdue(t.home) == []


def test_an_answer_of_ours_that_has_not_left_in_time_is_told_as_ours(tmp_path: Path) -> None:
    partners = agreed("in", "850", 'send_within = "1s"')
    with trading(tmp_path, partners.replace('status = "live"', 'status = "paused"', 1)) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop")
        (late,) = eventually(lambda: queries.overdue(t.home))
        assert (late["type"], late["number"], late["owner"]) == ("997", "1", "us")
        chain = queries.order_chain(t.home, "PO-77")
        assert chain is not None
        assert ("us", "to send the 997 for group 1") in {(due["owner"], due["what"]) for due in chain["due"]}
        assert late["ack_due_at"] - t.documents(direction="in")[0].created_at <= timedelta(seconds=1)
        file = tmp_path / "partners.toml"
        file.write_text(partners)
        assert t.home.reload()
        t.home.store.write(
            lambda conn: conn.execute(update(job).where(job.c.kind == "send").values(run_at=0))
        )
        t.home.store.write(lambda conn: conn.execute(update(lane).values(next_at=0)))
        eventually(lambda: not queries.overdue(t.home))
        assert t.sent("shop", "997")


def test_an_answer_in_time_leaves_nothing_to_become_overdue(tmp_path: Path) -> None:
    with trading(tmp_path, agreed("out", "940", 'due = "2s"')) as t:
        row = order_at_the_depot(t)
        t.drop(t.file("997", answered(row, status="A"), WAREHOUSE), "depot", "answer.x12")
        eventually(lambda: t.documents(id=row.id)[0].ack == "accepted")
        assert t.home.engine.drain(10.0)
        assert not [note for note in notes(t) if note.startswith("overdue")]


def test_what_is_overdue_is_sent_again_once_where_that_is_agreed(tmp_path: Path) -> None:
    with trading(tmp_path, agreed("out", "940", 'due = "1s", on_overdue = "resend"')) as t:
        row = order_at_the_depot(t)
        eventually(lambda: len(t.outbox("depot")) == 2)
        first, second = (path.read_bytes() for path in t.outbox("depot"))
        assert first == second
        eventually(lambda: t.documents(id=row.id)[0].ack == "overdue" and len(notes(t)) and True)
        eventually(lambda: sum(note.startswith("overdue") for note in notes(t)) == 2)
        assert sum(note.startswith("resent") for note in notes(t)) == 1
        assert len(t.outbox("depot")) == 2
        t.drop(t.file("997", answered(row, status="A"), WAREHOUSE), "depot", "late.x12")
        eventually(lambda: t.documents(id=row.id)[0].ack == "accepted")


def test_a_person_may_have_a_document_sent_again_and_only_one_that_was_sent(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        row = order_at_the_depot(t)
        found = outbound.resendable(t.home, row.id)
        t.home.store.write(lambda conn: outbound.resend(t.home, conn, found))
        eventually(lambda: len(t.outbox("depot")) == 2)
        assert t.documents(id=row.id)[0].transmission != row.transmission
        (order,) = t.documents(direction="in", type="850")
        with pytest.raises(Failure) as refused:
            outbound.resendable(t.home, order.id)
        assert refused.value.code is Code.DOCUMENT_UNKNOWN


def test_what_is_overdue_before_it_has_left_is_told_so_and_not_sent_twice(tmp_path: Path) -> None:
    partners = agreed("out", "940", 'due = "1s", on_overdue = "resend"')
    partners = partners.replace('role = "3pl"\nstatus = "live"', 'role = "3pl"\nstatus = "paused"')
    with trading(tmp_path, partners, run=False) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop")
        start_engine(t.home)
        (row,) = eventually(lambda: t.documents(direction="out", type="940"))
        eventually(lambda: queries.overdue(t.home), 8)
        (now,) = t.documents(id=row.id)
        assert (now.ack, now.transmission) == ("overdue", row.transmission)
        (told,) = t.events("overdue")
        assert told.text.endswith("which has not left: it is queued")
        assert t.events("resent") == []
        with pytest.raises(Failure) as refused:
            outbound.resendable(t.home, row.id)
        assert "has not left yet" in str(refused.value)
        assert t.home.engine.drain(10.0)


def test_after_a_resend_the_time_that_ran_before_ends_nothing(tmp_path: Path) -> None:
    with trading(tmp_path, agreed("out", "940", 'due = "2s"')) as t:
        row = order_at_the_depot(t)
        eventually(lambda: queries.overdue(t.home))
        for _ in range(2):
            found = outbound.resendable(t.home, row.id)
            t.home.store.write(lambda conn, found=found: outbound.resend(t.home, conn, found))
            eventually(lambda: not queries.overdue(t.home))
            time.sleep(1.2)
        (waiting,) = t.documents(id=row.id)  # the first resend's two seconds are over, the second's are not
        assert waiting.ack == "waiting"
        eventually(lambda: queries.overdue(t.home))
        assert t.documents(id=row.id)[0].ack_due_at == waiting.ack_due_at


def test_each_set_of_a_batch_that_is_rejected_is_told_with_what_stood_there(tmp_path: Path) -> None:
    batched = PARTNERS.replace(
        '{ type = "940", direction = "out" }',
        '{ type = "940", direction = "out", batch = { count = 3, within = "1h" } }',
    )
    with trading(tmp_path, batched) as t:
        for number in range(3):
            rows = [["BEG", "00", "SA", f"PO-{number}", "", "20261101"], *ORDER[1:]]
            t.drop(t.file("850", rows, RETAILER), "shop", f"{number}.x12")
        eventually(lambda: len(t.sent("depot", "940")) == 3)
        sent = t.documents(direction="out", type="940")
        said = [["AK1", "OW", sent[0].group_control]]
        for row in sent:
            said.append(["AK2", "940", f"{int(row.transaction_control):04}"])
            said += [["AK3", "W05", "2", "", "8"], ["AK4", "2", "285", "5"], ["AK5", "R", "5"]]
        t.drop(t.file("997", [*said, ["AK9", "R", "3", "3", "0"]], WAREHOUSE), "depot", "997.x12")
        eventually(lambda: all(row.ack == "rejected" for row in t.documents(direction="out", type="940")))
        for number in range(3):
            (told,) = (note for note in notes(t, f"PO-{number}") if note.startswith("acknowledged: depot"))
            assert told.endswith(f"we sent W05*N*PO-{number}*PO-{number}")
