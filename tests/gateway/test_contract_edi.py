"""What partners get in EDI: TA1 and 997 for each way an interchange can be wrong; and what their 997s do.

The interchanges come over AS2, signed, from an authenticated partner; what is looked at is what we would send
back, what the ERP was given, and what waits for a person.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from peers import Company, Peer, post
from serving import (
    BIGMART,
    US,
    Gateway,
    ids,
    interchange,
    made,
    mutated,
    number,
    order,
    partner,
    running,
    segments,
    until,
)

QUICK = ("ZZ", "QUICKMART")


class World(NamedTuple):
    """A gateway that serves, and its partners."""

    gateway: Gateway
    bigmart: Peer
    quick: Peer  # its acknowledgments are due at once


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("edi")
    gateway = made(
        folder,
        partner("bigmart", "BIGMARTEDI", BIGMART, encrypt="none", url="http://127.0.0.1:1/as2"),
        partner("quick", "QUICKMART", QUICK, encrypt="none", url="http://127.0.0.1:1/as2", ack="1s"),
        partner("other", "OTHERMART", ("ZZ", "OTHERMART"), encrypt="none"),
    )
    us = gateway.home / "certs" / "us.crt"
    company = Company.made(folder / "theirs", "bigmart")
    for name in ("bigmart", "quick", "other"):
        shutil.copy(company.cert, gateway.home / "certs" / f"{name}.crt")
    with running(gateway):
        yield World(gateway, Peer("BIGMARTEDI", company, us), Peer("QUICKMART", company, us))


@pytest.fixture(autouse=True)
def alive(world: World) -> Iterator[None]:
    """Whatever a test did, the server lives and is well after it."""
    yield
    assert world.gateway.healthy


def bring(world: World, data: bytes, by: Peer | None = None) -> dict[str, Any]:
    """Post an interchange; it is receipted as processed, and shown once it was read."""
    peer = by or world.bigmart
    message = peer.message(data, encrypt=False)
    assert peer.read(post(world.gateway.as2, message)).disposition == "processed"
    return world.gateway.settled(message.id)


def nothing_came_of(world: World, shown: dict[str, Any], number: int) -> None:
    """No document, no 997, but the bytes are kept and wait for a person."""
    assert shown["documents"] == []
    assert world.gateway.answers("997", number) == []
    (letter,) = world.gateway.dead(shown["id"])
    assert letter["error"]


# The interchange: TA1 (X12.5).


def ta1(world: World, number: int) -> list[str]:
    """The TA1 about an interchange: status and note."""
    (row,) = ids(world.gateway.answer("TA1", number), "TA1")
    assert int(row[1]) == number
    return row[4:6]


def test_an_interchange_of_anothers_is_rejected_to_the_partner_of_the_channel(world: World) -> None:
    control = number()
    shown = bring(world, interchange(control, order("PO-SPOOF"), sender=("ZZ", "OTHERMART")))
    assert (shown["status"], shown["reason"]) == ("refused", "SENDER_MISMATCH")
    assert "ZZ:OTHERMART" in shown["error"] or "OTHERMART" in shown["error"]
    assert ta1(world, control) == ["R", "006"]
    answer = world.gateway.answer("TA1", control)
    assert answer[0][8].strip() == BIGMART[1]
    (row,) = world.gateway.documents(type="TA1", number=f"{control:09}")
    assert row["partner"] == "bigmart"
    nothing_came_of(world, shown, control)
    assert world.gateway.erp_has("PO-SPOOF") == []


def test_a_group_of_anothers_is_rejected_like_such_an_interchange(world: World) -> None:
    control = number()
    data = mutated(interchange(control, order("PO-GS")), ("GS*PO*9254110060", "GS*PO*OTHERMART"))
    shown = bring(world, data)
    assert shown["reason"] == "SENDER_MISMATCH"
    assert ta1(world, control) == ["R", "006"]
    nothing_came_of(world, shown, control)


def test_an_interchange_for_another_receiver_is_rejected_by_009(world: World) -> None:
    control = number()
    shown = bring(world, interchange(control, order("PO-R"), receiver=("ZZ", "SOUTHWIND")))
    assert (shown["status"], shown["reason"]) == ("refused", "RECEIVER_UNKNOWN")
    assert ta1(world, control) == ["R", "009"]
    nothing_came_of(world, shown, control)


ENVELOPES = {
    "IEA02 is not ISA13": ([("IEA*1*{n:09}", "IEA*1*000000999")], "001"),
    "IEA01 counts another number of groups": ([("IEA*1*", "IEA*2*")], "021"),
    "IEA is missing": ([("IEA*1*{n:09}~", "")], "023"),
    "GE and IEA are missing": ([("GE*1*{n}~", ""), ("IEA*1*{n:09}~", "")], "023"),
    "the file ends within a segment": ([("~GE*1*{n}~IEA*1*{n:09}~", "")], "023"),
}


@pytest.mark.parametrize(("changes", "note"), ENVELOPES.values(), ids=ENVELOPES)
def test_a_broken_interchange_is_rejected_as_a_whole(
    world: World, changes: list[tuple[str, str]], note: str
) -> None:
    control = number()
    changes = [(old.format(n=control), new) for old, new in changes]
    shown = bring(world, mutated(interchange(control, order(f"PO-{note}")), *changes))
    assert (shown["status"], shown["reason"]) == ("refused", "ENVELOPE_BROKEN")
    assert ta1(world, control) == ["R", note]
    assert ", byte " in world.gateway.must("doc", "explain", shown["id"]).out.decode()
    nothing_came_of(world, shown, control)
    assert world.gateway.erp_has(f"PO-{note}") == []


def test_a_group_header_that_lacks_its_elements_is_rejected_by_024(world: World) -> None:
    control = number()
    data = mutated(interchange(control, order("PO-024")), (f"*20260305*1200*{control}*X*004010", ""))
    shown = bring(world, data)
    assert shown["reason"] == "ENVELOPE_BROKEN"
    assert ta1(world, control) == ["R", "024"]
    nothing_came_of(world, shown, control)


def test_the_same_interchange_again_is_a_duplicate_and_is_told_so_once_more(world: World) -> None:
    control = number()
    data = interchange(control, order("PO-TWICE"))
    assert bring(world, data)["status"] == "done"
    again = bring(world, data.replace(b"~", b"~\r\n"))
    assert (again["status"], again["reason"]) == ("duplicate", "DUPLICATE_ICN")
    assert ta1(world, control) == ["R", "025"]
    assert len(world.gateway.answers("997", control)) == 1
    until(lambda: world.gateway.erp_has("PO-TWICE"))
    assert len(world.gateway.erp_has("PO-TWICE")) == 1


def test_other_content_under_a_known_control_number_is_held(world: World) -> None:
    control = number()
    bring(world, interchange(control, order("PO-FIRST")))
    shown = bring(world, interchange(control, order("PO-CHANGED")))
    assert (shown["status"], shown["reason"]) == ("held", "DUPLICATE_ICN")
    assert len(world.gateway.answers("997", control)) == 1
    assert world.gateway.answers("TA1", control) == []
    assert world.gateway.erp_has("PO-CHANGED") == []
    assert world.gateway.dead(shown["id"])


def test_an_interchange_that_asks_for_a_ta1_gets_one(world: World) -> None:
    control = number()
    bring(world, interchange(control, order("PO-ISA14"), ack="1"))
    assert ta1(world, control) == ["A", "000"]
    assert ids(world.gateway.answer("997", control), "AK9") == [["AK9", "A", "1", "1", "1"]]


def test_an_interchange_that_asks_for_none_and_is_right_gets_none(world: World) -> None:
    control = number()
    bring(world, interchange(control, order("PO-NOTA1")))
    assert world.gateway.answer("997", control)
    assert world.gateway.answers("TA1", control) == []


def test_test_data_where_production_is_agreed_is_held(world: World) -> None:
    control = number()
    shown = bring(world, interchange(control, order("PO-USAGE"), usage="T"))
    assert (shown["status"], shown["reason"]) == ("held", "WRONG_USAGE")
    nothing_came_of(world, shown, control)
    assert world.gateway.erp_has("PO-USAGE") == []


# The group and the set: 997 (X12.20).


def one_set(world: World, control: int) -> tuple[list[list[str]], list[str]]:
    """AK5s and the AK9 of the one 997 of a group."""
    answer = world.gateway.answer("997", control)
    assert ids(answer, "AK1") == [["AK1", "PO", str(control)]]
    (group,) = ids(answer, "AK9")
    return ids(answer, "AK5"), group


GROUPS = {
    "GE01 counts another number of sets": (("GE*1*", "GE*2*"), ["AK9", "R", "2", "1", "0", "5"]),
    "GE02 is not GS06": (("GE*1*{n}", "GE*1*77"), ["AK9", "R", "1", "1", "0", "4"]),
}


@pytest.mark.parametrize(("change", "ak9"), GROUPS.values(), ids=GROUPS)
def test_a_broken_group_is_rejected_as_a_whole(world: World, change: tuple[str, str], ak9: list[str]) -> None:
    control = number()
    data = interchange(control, order(f"PO-G{control}"))
    shown = bring(world, mutated(data, (change[0].format(n=control), change[1])))
    assert one_set(world, control)[1] == ak9
    (document,) = shown["documents"]
    assert (document["status"], document["reason"]) == ("rejected", "EDI_REJECTED")
    assert document["error"].startswith("its group is rejected: ")
    assert world.gateway.erp_has(f"PO-G{control}") == []


def test_a_group_without_its_trailer_is_rejected_by_3(world: World) -> None:
    control = number()
    bring(world, mutated(interchange(control, order("PO-GE")), (f"GE*1*{control}~", "")))
    _, ak9 = one_set(world, control)
    assert (ak9[1], ak9[5]) == ("R", "3")
    assert world.gateway.erp_has("PO-GE") == []


SETS = {
    "SE01 counts another number of segments": (("SE*", "SE*9"), "4"),
    "SE02 is not ST02": (("*0001~GE", "*0002~GE"), "3"),
    "an unknown set": (("ST*850*", "ST*840*"), "1"),
    "SE is missing": (("SE*{se}*0001~", ""), "2"),
    "a mandatory segment is missing": (("{beg}~", ""), "5"),
}


@pytest.mark.parametrize(("change", "code"), SETS.values(), ids=SETS)
def test_a_broken_set_is_rejected_with_its_code(world: World, change: tuple[str, str], code: str) -> None:
    control = number()
    rows = order(f"PO-S{control}")
    words = {"se": len(rows), "beg": rows[1]}
    data = mutated(interchange(control, rows), (change[0].format(**words), change[1]))
    if code == "5":
        data = mutated(data, (f"SE*{len(rows)}", f"SE*{len(rows) - 1}"))
    shown = bring(world, data)
    ((ak5,), ak9) = one_set(world, control)
    assert (ak5[1], ak5[2]) == ("R", code)
    assert ak9[:5] == ["AK9", "R", "1", "1", "0"]
    (document,) = shown["documents"]
    assert document["status"] == "rejected"
    assert document["error"]
    assert world.gateway.erp_has(f"PO-S{control}") == []


def test_an_unknown_version_rejects_the_group(world: World) -> None:
    control = number()
    bring(world, mutated(interchange(control, order("PO-V")), ("*X*004010", "*X*009999")))
    _, ak9 = one_set(world, control)
    assert ak9[1] == "R"
    assert ak9[5] == "2"
    assert world.gateway.erp_has("PO-V") == []


def test_one_bad_set_of_ten_leaves_nine(world: World) -> None:
    control = number()
    sets = [order(f"PO-TEN-{n}", n) for n in range(1, 11)]
    sets[4][1] = "BEG*00*ZZZZ*PO-TEN-5**20101214"
    shown = bring(world, interchange(control, *sets))
    ak5s, ak9 = one_set(world, control)
    assert ak9 == ["AK9", "P", "10", "10", "9"]
    assert [row[1] for row in ak5s] == ["A"] * 4 + ["R"] + ["A"] * 5
    answer = world.gateway.answer("997", control)
    assert ids(answer, "AK3") == [["AK3", "BEG", "2", "", "8"]]
    assert ids(answer, "AK4")[0][1] == "2"
    until(lambda: all(world.gateway.erp_has(f"PO-TEN-{n}") for n in (1, 2, 3, 4, 6, 7, 8, 9, 10)))
    assert world.gateway.erp_has("PO-TEN-5") == []
    (bad,) = [document for document in shown["documents"] if document["status"] == "rejected"]
    (letter,) = world.gateway.dead(bad["id"])
    assert letter["reason"] == "EDI_REJECTED"
    explained = world.gateway.must("doc", "explain", bad["id"]).out.decode()
    assert "BEG at 2, byte " in explained
    assert "'ZZZZ'" in explained
    assert bad["id"] in world.gateway.must("doc", "explain", shown["id"]).out.decode()


def test_a_replay_repeats_neither_an_answer_nor_a_document_that_was_delivered(world: World) -> None:
    control = number()
    sets = [order(f"PO-RE-{n}", n) for n in range(1, 4)]
    sets[1][1] = "BEG*00*ZZZZ*PO-RE-2**20101214"
    shown = bring(world, interchange(control, *sets, ack="1"))
    until(lambda: world.gateway.erp_has("PO-RE-1") and world.gateway.erp_has("PO-RE-3"))
    delivered = until(
        lambda: (
            [
                document
                for document in world.gateway.documents(transmission=shown["id"], status="accepted")
                if document["delivered_at"]
            ]
            * (len(world.gateway.erp_has("PO-RE-3")))
        )
    )
    (bad,) = [document for document in shown["documents"] if document["status"] == "rejected"]
    assert world.gateway.must("doc", "replay", bad["id"], "--json").json["step"] == "read"
    until(lambda: world.gateway.show(shown["id"])["status"] == "done")
    again = world.gateway.show(shown["id"])
    assert [row for row in again["documents"] if row["id"] == delivered[0]["id"]] == [delivered[0]]
    events = [event["event"] for event in again["events"]]
    assert (events.count("read"), events.count("replayed")) == (2, 1)
    assert len(world.gateway.answers("997", control)) == 1
    assert len(world.gateway.answers("TA1", control)) == 1


HEADERS = {
    "a control character in GS02": ("GS*PO*9254110060*", "GS*PO*92\x01\x1b[31m*"),
    "GS02 of 40 characters": ("GS*PO*9254110060*", "GS*PO*" + "9" * 40 + "*"),
    "GS03 of another": ("*NORTHWIND*2026", "*\xff\xfe*2026"),
    "GS06 of letters": ("*1200*{n}*X", "*1200*AB{n}*X"),
    "GS06 of 30 digits": ("*1200*{n}*X", "*1200*" + "1" * 30 + "*X"),
    "GS08 of 200 characters": ("*X*004010", "*X*" + "0" * 200),
    "GS01 of nothing": ("GS*PO*", "GS**"),
    "GS01 unknown": ("GS*PO*", "GS*\x00\x01*"),
    "ST02 of 40 characters": ("ST*850*0001", "ST*850*" + "1" * 40),
    "ST02 with an escape": ("ST*850*0001", "ST*850*\x1b[31m"),
    "ST01 of 40 characters": ("ST*850*", "ST*" + "8" * 40 + "*"),
    "ISA09 of letters": ("*260305*", "*A\x01\x02\x03\x04\x05*"),
    "ISA15 of nothing known": ("*0*P*>", "*0*Q*>"),
    "ISA12 unknown": ("*U*00401*", "*U*99999*"),
    "ISA16 is a letter": ("*0*P*>", "*0*P*A"),
    "ISA13 of letters": ("*00401*{n:09}*", "*00401*ABCDEFGHI*"),
}


@pytest.mark.parametrize(("old", "new"), HEADERS.values(), ids=HEADERS)
def test_an_odd_header_ends_in_an_answer_or_waits_for_a_person(world: World, old: str, new: str) -> None:
    control = number()
    data = interchange(control, order(f"PO-H{control}"))
    data = data.replace(old.format(n=control).encode(), new.format(n=control).encode("latin-1"), 1)
    assert old.format(n=control).encode() not in data
    shown = bring(world, data)
    out = [
        row
        for row in world.gateway.documents(direction="out")
        if (row["cause"] or "").startswith(shown["id"])
    ]
    waits = world.gateway.dead(shown["id"]) or [d for d in shown["documents"] if d["status"] != "accepted"]
    assert out or waits
    for row in out:
        answer = segments(world.gateway.must("doc", "raw", row["id"]).out)
        assert {segment[0] for segment in answer} <= {
            "ISA", "GS", "ST", "AK1", "AK2", "AK3", "AK4", "AK5", "AK9", "SE", "GE", "IEA", "TA1",
        }  # fmt: skip


def test_two_groups_are_answered_one_by_one(world: World) -> None:
    control, second = number(), number()
    one = interchange(control, order("PO-GA")).decode()
    other = interchange(second, order("PO-GB")).decode()
    group = other[other.index("GS*") : other.index("IEA*")]
    data = one.replace("IEA*1*", group + "IEA*2*").encode()
    assert bring(world, data)["status"] == "done"
    assert one_set(world, control)[1] == ["AK9", "A", "1", "1", "1"]
    assert one_set(world, second)[1] == ["AK9", "A", "1", "1", "1"]


CHARACTERS = {
    "a control of the upper half": ("PALLETIZE", "PALL\x9b31mIZE", "6"),
    "a byte order mark": ("PALLETIZE", "\xef\xbb\xbfPALLET", "6"),
    "a NUL": ("PALLETIZE", "PALL\x00IZE", "6"),
    "an escape": ("PALLETIZE", "PALL\x1b[31m", "6"),
}


@pytest.mark.parametrize(("old", "new", "code"), CHARACTERS.values(), ids=CHARACTERS)
def test_a_character_that_is_not_allowed_is_told_with_its_place(
    world: World, old: str, new: str, code: str
) -> None:
    control = number()
    data = interchange(control, order(f"PO-C{control}"))
    shown = bring(world, data.replace(old.encode(), new.encode("latin-1"), 1))
    ((ak5,), _) = one_set(world, control)
    assert ak5 == ["AK5", "R", "5"]
    answer = world.gateway.answer("997", control)
    assert ids(answer, "AK3")[0][1] == "PKG"
    assert ids(answer, "AK4")[0][3] == code
    raw = world.gateway.must("doc", "raw", shown["id"]).out
    assert new.encode("latin-1") in raw


JUNK = {
    "binary": bytes(range(256)) * 40,
    "nothing": b"",
    "a byte": b"\x00",
    "a page": b"<html><body>an error page instead of an order</body></html>",
    "a table": b"po,qty\r\n1,2\r\n",
}


@pytest.mark.parametrize("data", JUNK.values(), ids=JUNK)
def test_what_is_no_edi_is_receipted_and_held_for_a_person(world: World, data: bytes) -> None:
    shown = bring(world, data)
    assert (shown["status"], shown["reason"]) == ("held", "ENVELOPE_BROKEN")
    (letter,) = world.gateway.dead(shown["id"])
    assert letter["error"]
    assert world.gateway.must("doc", "raw", shown["id"]).out == data
    told = world.gateway.must("doc", "explain", shown["id"], "--json").json
    assert told["next"]


@pytest.mark.parametrize("length", [4, 20, 60, 105, 106, 120])
def test_a_file_that_ends_within_its_first_segments_is_held_back_with_the_cause(
    world: World, length: int
) -> None:
    control = number()
    shown = bring(world, interchange(control, order("PO-CUT"))[:length])
    assert shown["reason"] == "ENVELOPE_BROKEN"
    nothing_came_of(world, shown, control)


def test_bytes_after_the_interchange_do_not_stop_it(world: World) -> None:
    control = number()
    data = interchange(control, order("PO-TAIL")) + b"\r\n\x1a"
    bring(world, data)
    assert one_set(world, control)[1] == ["AK9", "A", "1", "1", "1"]


# Their 997s.


def ack(control: int, group: str, *rows: str, sender: tuple[str, str] = BIGMART) -> bytes:
    """A 997 of a partner's about a group of ours: AK1 and what follows."""
    body = [f"ST*997*{control:04}", f"AK1*SH*{group}", *rows]
    return interchange(
        control, [*body, f"SE*{len(body) + 1}*{control:04}"], sender=sender, functional_id="FA"
    )


def notice(world: World, to: str = "bigmart", receiver: tuple[str, str] = BIGMART) -> dict[str, Any]:
    """An 856 of ours on its way to a partner."""
    control = number()
    rows = [f"ST*856*{control}", f"BSN*00*S{control}*20260305*1200", "HL*1**S", f"SE*4*{control}"]
    file = world.gateway.home.parent / f"856_{control}.x12"
    file.write_bytes(interchange(control, rows, sender=US, receiver=receiver, functional_id="SH"))
    identity = world.gateway.must("send", to, file, "--json").json["transmission"]
    (document,) = world.gateway.documents(transmission=identity)
    assert document["ack"] == "waiting"
    return document


def answered(world: World, sent: dict[str, Any], *rows: str) -> dict[str, Any]:
    """Bring a 997 about what was sent; what was sent, as it is shown then."""
    control = number()
    shown = bring(world, ack(control, sent["group_control"], *rows))
    assert shown["status"] == "done"
    assert world.gateway.answers("997", control) == []
    assert world.gateway.answers("TA1", control) == []
    return world.gateway.show(sent["id"])


def test_a_997_that_accepts_closes_what_was_sent_and_is_itself_never_answered(world: World) -> None:
    sent = notice(world)
    control = int(sent["group_control"])
    shown = answered(world, sent, f"AK2*856*{control}", "AK5*A", "AK9*A*1*1*1")
    assert shown["ack"] == "accepted"
    assert shown["ack_by"]


def test_a_997_that_names_only_the_group_answers_for_its_sets(world: World) -> None:
    assert answered(world, notice(world), "AK9*A*1*1*1")["ack"] == "accepted"


def test_a_997_that_rejects_says_where(world: World) -> None:
    sent = notice(world)
    shown = answered(
        world,
        sent,
        f"AK2*856*{sent['group_control']}",
        "AK3*BSN*2**8",
        "AK4*3*373*8*20260399",
        "AK5*R*5",
        "AK9*R*1*1*0",
    )
    assert shown["ack"] == "rejected"
    (event,) = [event for event in shown["events"] if event["event"] == "acknowledged"]
    assert "BSN at 2" in event["text"]
    assert "BSN03 invalid date (8) '20260399'" in event["text"]
    assert "we sent BSN*00*" in event["text"]


def test_a_second_997_changes_nothing_and_is_told(world: World) -> None:
    sent = notice(world)
    answered(world, sent, "AK9*A*1*1*1")
    assert answered(world, sent, "AK9*R*1*1*0")["ack"] == "accepted"


def test_a_997_for_what_was_never_sent_is_told_as_unmatched(world: World) -> None:
    control = number()
    shown = bring(world, ack(control, "77777777", "AK9*A*1*1*1"))
    (document,) = shown["documents"]
    assert document["reason"] == "UNMATCHED"
    assert "77777777" in document["error"]


def test_a_997_of_another_partner_closes_nothing(world: World) -> None:
    sent = notice(world)
    bring(world, ack(number(), sent["group_control"], "AK9*A*1*1*1", sender=QUICK), world.quick)
    assert world.gateway.show(sent["id"])["ack"] == "waiting"


def test_a_997_that_is_late_still_reconciles(world: World) -> None:
    sent = notice(world, "quick", QUICK)
    until(lambda: world.gateway.show(sent["id"])["ack"] == "overdue")
    listed = world.gateway.run("ack", "overdue", "--json")
    assert listed.exit == 5
    assert sent["id"] in {row["id"] for row in listed.lines}
    bring(world, ack(number(), sent["group_control"], "AK9*A*1*1*1", sender=QUICK), world.quick)
    shown = world.gateway.show(sent["id"])
    assert shown["ack"] == "accepted"
    assert any("late" in event["text"] for event in shown["events"])


def test_a_ta1_for_what_was_never_sent_changes_nothing(world: World) -> None:
    control = number()
    isa = interchange(control).decode().split("~")[0]
    bring(world, f"{isa}~TA1*000777777*260305*1200*R*009~IEA*0*{control:09}~".encode())
    assert world.gateway.answers("TA1", control) == []


def test_a_broken_997_is_held_for_a_person_and_never_answered(world: World) -> None:
    control = number()
    shown = bring(world, mutated(ack(control, "1", "AK9*A*1*1*1"), ("SE*4*", "SE*9*")))
    assert world.gateway.answers("997", control) == []
    (document,) = shown["documents"]
    assert document["status"] == "rejected"


def test_a_ta1_that_rejects_an_interchange_rejects_what_was_in_it(world: World) -> None:
    sent = notice(world)
    control = number()
    rows = interchange(control).decode().split("~")
    ta1 = f"TA1*{int(sent['interchange_control']):09}*260305*1200*R*009"
    bring(world, "~".join([rows[0], ta1, f"IEA*0*{control:09}", ""]).encode())
    shown = world.gateway.show(sent["id"])
    assert shown["ack"] == "rejected"
    assert any("TA1" in event["text"] for event in shown["events"])


def test_a_ta1_is_never_answered_even_where_its_interchange_is_wrong(world: World) -> None:
    control = number()
    isa = interchange(control).decode().split("~")[0]
    shown = bring(world, f"{isa}~TA1*000000001*260305*1200*A*000~IEA*0*000000999~".encode())
    assert (shown["status"], shown["reason"]) == ("refused", "ENVELOPE_BROKEN")
    assert world.gateway.answers("TA1", control) == []


def test_no_interchange_of_ours_uses_a_number_twice(world: World) -> None:
    rows = [row for row in world.gateway.documents(direction="out") if row["type"] in {"997", "TA1"}]
    numbers = [(row["partner"], row["interchange_control"]) for row in rows]
    assert len(numbers) == len(set(numbers))
    assert Path(world.gateway.home / "erp" / "out").is_dir()
