"""What partners get in EDIFACT: the CONTRL for each way an interchange can be wrong; and what theirs do.

As for X12 (`test_contract_edi`): the interchanges come over AS2, signed, from an authenticated partner.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from edifact_by_hand import SHOP, US, contrl, interchange, message, order, segments
from peers import Company, Peer, post
from serving import Gateway, made, mutated, number, running, until
from serving import interchange as x12_interchange
from serving import order as x12_order

OTHER = ("5412345000099", "14")
QUICK = ("QUICKMART", "ZZZ")


def partner(name: str, as2_id: str, unb: tuple[str, str], *, ack: str = "24h", mode: str = "CONTRL") -> str:
    """The tables of a retailer over AS2 who speaks EDIFACT."""
    lines = [
        f"[partner.{name}]",
        'role = "retailer"',
        'status = "live"',
        'usage = "P"',
        f'unb = {{ qualifier = "{unb[1]}", id = "{unb[0]}" }}',
        f"[partner.{name}.as2]",
        f'id = "{as2_id}"',
        'encrypt = "none"',
        'mdn = { mode = "sync" }',
        f'certs = [{{ file = "certs/{name}.crt" }}]',
        'url = "http://127.0.0.1:1/as2"',
    ]
    for type, direction in [("ORDERS", "in"), ("CONTRL", "in"), ("DESADV", "out"), ("INVOIC", "out")]:
        lines += [f"[[partner.{name}.document]]", f'type = "{type}"', f'direction = "{direction}"']
        lines += [f'ack = {{ mode = "{mode}", due = "{ack}" }}'] if type != "CONTRL" else []
    return "\n".join(lines) + "\n\n"


class World(NamedTuple):
    """A gateway that serves, and its partners."""

    gateway: Gateway
    shop: Peer
    quick: Peer  # its acknowledgments are due at once, and it wants ours only where it asks


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("edifact")
    gateway = made(
        folder,
        partner("shop", "SHOPEDI", SHOP),
        partner("quick", "QUICKMART", QUICK, ack="1s", mode="none"),
        partner("other", "OTHERMART", OTHER),
        unb=US,
    )
    us = gateway.home / "certs" / "us.crt"
    company = Company.made(folder / "theirs", "shop")
    for name in ("shop", "quick", "other"):
        shutil.copy(company.cert, gateway.home / "certs" / f"{name}.crt")
    with running(gateway):
        yield World(gateway, Peer("SHOPEDI", company, us), Peer("QUICKMART", company, us))


@pytest.fixture(autouse=True)
def alive(world: World) -> Iterator[None]:
    """Whatever a test did, the server lives and is well after it."""
    yield
    assert world.gateway.healthy


def bring(world: World, data: bytes, by: Peer | None = None) -> dict[str, Any]:
    """Post an interchange; it is receipted as processed, and shown once it was read."""
    peer = by or world.shop
    sent = peer.message(data, encrypt=False)
    assert peer.read(post(world.gateway.as2, sent)).disposition == "processed"
    return world.gateway.settled(sent.id)


def raw(world: World, control: object) -> list[bytes]:
    """Every CONTRL of ours about an interchange."""
    rows = world.gateway.documents(direction="out", type="CONTRL", number=str(control))
    return [world.gateway.must("doc", "raw", row["id"]).out for row in rows]


def answers(world: World, control: object) -> list[list[list[str]]]:
    return [segments(data) for data in raw(world, control)]


def answer(world: World, control: object) -> list[list[str]]:
    """The one CONTRL about an interchange, from UCI to the segment before UNT."""
    (rows,) = until(lambda: answers(world, control))
    assert [row[0] for row in rows[:3]] == ["UNB", "UNH", "UCI"]
    assert [row[0] for row in rows[-2:]] == ["UNT", "UNZ"]
    return rows[2:-2]


def nothing_came_of(world: World, shown: dict[str, Any]) -> None:
    assert shown["documents"] == []
    (letter,) = world.gateway.dead(shown["id"])
    assert letter["error"]


# The interchange.


def test_what_is_right_is_answered_by_a_contrl_that_mirrors_it(world: World) -> None:
    control = number()
    shown = bring(world, interchange(control, order(f"PO-{control}", 7)))
    assert shown["status"] == "done"
    (rows,) = until(lambda: answers(world, control))
    unb = rows[0]
    assert unb[:4] == ["UNB", "UNOC:3", "5412345000013:14", "5412345000020:14"]
    assert rows[1:-1] == [
        ["UNH", rows[1][1], "CONTRL:D:3:UN"],
        ["UCI", str(control), "5412345000020:14", "5412345000013:14", "7"],
        ["UCM", "7", "ORDERS:D:96A:UN:EAN008", "7"],
        ["UNT", "4", rows[1][1]],
    ]
    assert rows[-1] == ["UNZ", "1", unb[5]]
    (document,) = world.gateway.documents(type="CONTRL", direction="out", number=str(control))
    assert document["ack"] == "none"
    assert document["interchange_control"] == unb[5]


def test_the_service_characters_and_the_test_indicator_are_mirrored(world: World) -> None:
    control = number()
    data = interchange(control, order(f"PO-{control}"), test=True, syntax="UNOA:2")
    data = b"UNA*;.\\ ~" + data.translate(bytes.maketrans(b"+:'", b"*;~"))
    data = data.replace(b"UNA*;", b"UNA;*", 1)
    shown = bring(world, data)
    assert (shown["status"], shown["reason"]) == ("held", "WRONG_USAGE")
    assert answers(world, control) == []
    control = number()
    data = interchange(control, order(f"PO-{control}"), syntax="UNOA:2")
    bring(world, b"UNA;*.\\ ~" + data.translate(bytes.maketrans(b"+:'", b"*;~")))
    (answer,) = until(lambda: raw(world, control))
    assert answer.startswith(b"UNA;*.\\ ~UNB*UNOA;2*5412345000013;14*5412345000020;14*")


def test_an_interchange_of_anothers_is_rejected_by_23(world: World) -> None:
    control = number()
    shown = bring(world, interchange(control, order("PO-SPOOF"), sender=OTHER))
    assert (shown["status"], shown["reason"]) == ("refused", "SENDER_MISMATCH")
    assert "5412345000099" in shown["error"]
    (uci,) = answer(world, control)
    assert uci[4:6] == ["4", "23"]
    (row,) = world.gateway.documents(type="CONTRL", number=str(control))
    assert row["partner"] == "shop"
    assert answers(world, control)[0][0][3] == "5412345000020:14"
    nothing_came_of(world, shown)
    assert world.gateway.erp_has("PO-SPOOF") == []


def test_a_qualifier_is_compared_where_one_is_configured(world: World) -> None:
    control = number()
    shown = bring(world, interchange(control, order("PO-Q"), sender=(SHOP[0], "ZZ")))
    assert shown["reason"] == "SENDER_MISMATCH"
    assert answer(world, control)[0][4:6] == ["4", "23"]


def test_an_interchange_for_another_receiver_is_rejected_by_7(world: World) -> None:
    control = number()
    shown = bring(world, interchange(control, order("PO-R"), receiver=("SOUTHWIND", "ZZZ")))
    assert (shown["status"], shown["reason"]) == ("refused", "RECEIVER_UNKNOWN")
    assert "we are 14:5412345000013" in shown["error"]
    assert answer(world, control)[0][4:6] == ["4", "7"]
    nothing_came_of(world, shown)


ENVELOPES = {
    "UNZ has another reference": ([("UNZ+1+{n}'", "UNZ+1+999'")], ["28", "UNZ", "3"]),
    "UNZ counts another number of messages": ([("UNZ+1+", "UNZ+2+")], ["29", "UNZ", "2"]),
    "UNZ is missing": ([("UNZ+1+{n}'", "")], ["13", "UNZ"]),
    "UNT and UNZ are missing": ([("UNT+16+1'UNZ+1+{n}'", "")], ["13", "UNZ"]),
    "the file ends within a segment": ([("+2'UNT+16+1'UNZ+1+{n}'", "")], ["13", "UNZ"]),
}


@pytest.mark.parametrize(("changes", "told"), ENVELOPES.values(), ids=ENVELOPES)
def test_a_broken_interchange_is_rejected_as_a_whole(
    world: World, changes: list[tuple[str, str]], told: list[str]
) -> None:
    control = number()
    changes = [(old.format(n=control), new) for old, new in changes]
    data = interchange(control, order(f"PO-{control}"))
    if "CNT+2:2'" in data.decode() and changes[0][0].startswith("+2'"):
        changes = [(":2'" + changes[0][0][3:], "")]
    shown = bring(world, mutated(data, *changes))
    assert (shown["status"], shown["reason"]) == ("refused", "ENVELOPE_BROKEN")
    (uci,) = answer(world, control)
    assert uci[4:] == ["4", *told]
    assert ", byte " in world.gateway.must("doc", "explain", shown["id"]).out.decode()
    nothing_came_of(world, shown)
    assert world.gateway.erp_has(f"PO-{control}") == []


def test_the_same_interchange_again_is_a_duplicate_whatever_separates_it(world: World) -> None:
    control = number()
    data = interchange(control, order(f"PO-{control}"))
    assert bring(world, data)["status"] == "done"
    again = bring(world, data.replace(b"'", b"'\r\n"))
    assert (again["status"], again["reason"]) == ("duplicate", "DUPLICATE_ICN")
    first, second = until(lambda: answers(world, control) if len(answers(world, control)) == 2 else None)
    assert {first[2][4], second[2][4]} == {"7", "4"}
    assert [row[5] for row in (first[2], second[2]) if row[4] == "4"] == ["26"]


def test_other_content_under_a_known_reference_is_held(world: World) -> None:
    control = number()
    bring(world, interchange(control, order("PO-FIRST")))
    shown = bring(world, interchange(control, order("PO-CHANGED")))
    assert (shown["status"], shown["reason"]) == ("held", "DUPLICATE_ICN")
    assert len(answers(world, control)) == 1
    assert world.gateway.erp_has("PO-CHANGED") == []


def test_test_data_where_production_is_agreed_is_held(world: World) -> None:
    control = number()
    shown = bring(world, interchange(control, order("PO-USAGE"), test=True))
    assert (shown["status"], shown["reason"]) == ("held", "WRONG_USAGE")
    nothing_came_of(world, shown)


def test_where_no_contrl_is_agreed_there_is_one_for_who_asks(world: World) -> None:
    quiet, asked = number(), number()
    bring(world, interchange(quiet, order(f"PO-{quiet}"), sender=QUICK), world.quick)
    bring(world, interchange(asked, order(f"PO-{asked}"), sender=QUICK, ack=True), world.quick)
    assert answer(world, asked)[0][4] == "7"
    assert answers(world, quiet) == []


def test_x12_from_a_partner_who_speaks_edifact_is_not_theirs(world: World) -> None:
    control = number()
    data = x12_interchange(control, x12_order(f"PO-{control}"), sender=(SHOP[1], SHOP[0]))
    shown = bring(world, data)
    assert (shown["status"], shown["reason"]) == ("refused", "SENDER_MISMATCH")
    assert world.gateway.dead(shown["id"])


# The message.

MESSAGES: dict[str, tuple[tuple[str, str], list[list[str]]]] = {
    "UNT counts another number of segments": (("UNT+16+", "UNT+99+"), [["UCM", "29", "UNT", "2"]]),
    "UNT has another reference": (("UNT+16+1", "UNT+16+9"), [["UCM", "28", "UNT", "3"]]),
    "an unknown message": (("ORDERS:D:96A:UN:EAN008", "ORDERZ:D:96A:UN"), [["UCM", "14", "UNH", "3:1"]]),
    "an unknown directory": (("ORDERS:D:96A:UN:EAN008", "ORDERS:D:07A:UN"), [["UCM", "14", "UNH", "3:3"]]),
    "a mandatory segment is missing": (("BGM+220+{po}+9'", ""), [["UCM"], ["UCS", "1", "13"]]),
    "a segment that is none of it": (("CUX+2:EUR:9", "ZZZ+1"), [["UCM"], ["UCS", "7", "15"]]),
    "a code that is none": (("DTM+137", "DTM+999"), [["UCM"], ["UCS", "3"], ["UCD", "12", "2:1"]]),
    "a number that is none": (("QTY+21:12", "QTY+21:X"), [["UCM"], ["UCS", "9"], ["UCD", "37", "2:2"]]),
    "a value that is too long": (("BGM+220", "BGM+2201"), [["UCM"], ["UCS", "2"], ["UCD", "39", "2:1"]]),
    "a count that is wrong": (("CNT+2:2", "CNT+2:3"), [["UCM"], ["UCS", "15"], ["UCD", "12", "2:2"]]),
}


@pytest.mark.parametrize(("change", "told"), MESSAGES.values(), ids=MESSAGES)
def test_a_broken_message_is_rejected_with_its_code_and_place(
    world: World, change: tuple[str, str], told: list[list[str]]
) -> None:
    control = number()
    data = interchange(control, order(f"PO-{control}"))
    old, new = change[0].format(po=f"PO-{control}"), change[1]
    if not new:
        data = mutated(data, ("UNT+16+", "UNT+15+"))
    shown = bring(world, mutated(data, (old, new)))
    uci, ucm, *rows = answer(world, control)
    assert uci[4:] == ["7"]
    assert ucm[3] == "4"
    assert [["UCM", *ucm[4:]], *rows] == told
    (document,) = shown["documents"]
    assert (document["status"], document["reason"]) == ("rejected", "EDI_REJECTED")
    assert document["error"]
    assert world.gateway.erp_has(f"PO-{control}") == []
    assert ", byte " in world.gateway.must("doc", "explain", document["id"]).out.decode()


def test_one_bad_message_of_ten_is_told_and_the_others_are_accepted(world: World) -> None:
    control = number()
    messages = [order(f"PO-TEN-{n}", n) for n in range(1, 11)]
    messages[4][2] = "DTM+137:20269999:102"
    shown = bring(world, interchange(control, *messages))
    uci, *rows = answer(world, control)
    assert uci[4:] == ["7"]
    assert [row[3] for row in rows if row[0] == "UCM"] == ["7"] * 4 + ["4"] + ["7"] * 5
    assert [row for row in rows if row[0] != "UCM"] == [["UCS", "3"], ["UCD", "12", "2:2"]]
    rejected = [document for document in shown["documents"] if document["status"] == "rejected"]
    assert [document["transaction_control"] for document in rejected] == ["5"]


def grouped(control: int, *, count: str = "1", reference: str = "") -> bytes:
    """Two groups of one order each."""
    groups = []
    for at in (1, 2):
        mine = f"{control}{at}"
        end = [f"UNE+{count if at == 2 else '1'}+{reference if reference and at == 2 else mine}"]
        head = [f"UNG+ORDERS+{SHOP[0]}+{US[0]}+261101:1200+{mine}+UN+D:96A:EAN008"]
        groups += [head + order(f"PO-G{control}-{at}", at) + end]
    return interchange(control, *groups)


def test_groups_are_answered_each_by_its_reference(world: World) -> None:
    control = number()
    assert bring(world, grouped(control))["status"] == "done"
    uci, *rows = answer(world, control)
    assert uci[4:] == ["7"]
    assert rows == [
        ["UCF", f"{control}1", SHOP[0], US[0], "7"],
        ["UCM", "1", "ORDERS:D:96A:UN:EAN008", "7"],
        ["UCF", f"{control}2", SHOP[0], US[0], "7"],
        ["UCM", "2", "ORDERS:D:96A:UN:EAN008", "7"],
    ]


@pytest.mark.parametrize(
    ("count", "reference", "told"), [("7", "", ["29", "UNE", "2"]), ("1", "X", ["28", "UNE", "3"])]
)
def test_a_broken_group_is_rejected_with_what_is_in_it(
    world: World, count: str, reference: str, told: list[str]
) -> None:
    control = number()
    shown = bring(world, grouped(control, count=count, reference=reference))
    _, first, _, second = answer(world, control)
    assert (first[4:], second[4:]) == (["7"], ["4", *told])
    good, bad = shown["documents"]
    assert bad["status"] == "rejected"
    assert bad["error"].startswith("its group is rejected: ")
    assert good["status"] != "rejected"


HEADERS = {
    "a control character in the sender's routing": ("5412345000020:14+", "5412345000020:14:\x01\x1b[31m+"),
    "an id of 60 characters": ("+5412345000020:14+", "+" + "9" * 60 + ":14+"),
    "a reference of 30 characters": ("+{n}'", "+" + "1" * 30 + "'"),
    "no reference": ("1200+{n}'", "1200'"),
    "an unknown character set": ("UNOC:3", "XXXX:3"),
    "an unknown syntax version": ("UNOC:3", "UNOC:9"),
    "no syntax": ("UNB+UNOC:3", "UNB+"),
    "0062 of 40 characters": ("UNH+1+", "UNH+" + "1" * 40 + "+"),
    "0062 with an escape": ("UNH+1+", "UNH+\x1b[31m+"),
    "0065 of 40 characters": ("ORDERS:", "O" * 40 + ":"),
    "no message type": ("+ORDERS:D:96A:UN:EAN008", ""),
    "a date of letters": ("261101:1200", "ABCDEF:GHIJ"),
    "a test indicator of letters": ("1200+{n}'", "1200+{n}++++++X'"),
}


@pytest.mark.parametrize(("old", "new"), HEADERS.values(), ids=HEADERS)
def test_an_odd_header_ends_in_an_answer_or_waits_for_a_person(world: World, old: str, new: str) -> None:
    control = number()
    data = interchange(control, order(f"PO-H{control}"))
    old, new = old.format(n=control), new.format(n=control)
    assert old.encode() in data
    shown = bring(world, data.replace(old.encode(), new.encode("latin-1"), 1))
    out = [
        row
        for row in world.gateway.documents(direction="out")
        if (row["cause"] or "").startswith(shown["id"])
    ]
    waits = world.gateway.dead(shown["id"]) or [d for d in shown["documents"] if d["status"] != "accepted"]
    assert out or waits
    for row in out:
        found = segments(world.gateway.must("doc", "raw", row["id"]).out)
        assert {row[0] for row in found} <= {
            "UNB", "UNH", "UCI", "UCF", "UCM", "UCS", "UCD", "UNT", "UNZ",
        }  # fmt: skip


@pytest.mark.parametrize("length", [3, 9, 20, 60, 90, 150])
def test_a_file_that_ends_within_its_first_segments_is_held_back_with_the_cause(
    world: World, length: int
) -> None:
    shown = bring(world, interchange(number(), order("PO-CUT"))[:length])
    assert shown["reason"] == "ENVELOPE_BROKEN"
    assert shown["documents"] == []
    assert world.gateway.dead(shown["id"])


@pytest.mark.parametrize(("before", "after"), [(b"\r\n", b"\r\n\x1a"), (b"X-Header: 1\r\n\r\n", b"")])
def test_bytes_around_the_interchange_do_not_stop_it(world: World, before: bytes, after: bytes) -> None:
    control = number()
    una = b"UNA:+.? '"
    bring(world, before + una + interchange(control, order(f"PO-{control}")) + after)
    assert answer(world, control)[0][4] == "7"


# Their CONTRL.


def sent_invoice(
    world: World, to: str = "shop", receiver: tuple[str, str] = SHOP, count: int = 1
) -> list[dict[str, Any]]:
    """INVOICs of ours on their way to a partner, as the ERP has written them."""
    control = number()
    messages = [
        message("INVOIC", f"M{control}{at}", f"BGM+380+INV{control}{at}+9", "DTM+137:20261101:102", "UNS+S")
        for at in range(1, count + 1)
    ]
    file = world.gateway.home.parent / f"invoic_{control}.edi"
    file.write_bytes(interchange(control, *messages, sender=US, receiver=receiver))
    identity = world.gateway.must("send", to, file, "--json").json["transmission"]
    documents = sorted(
        world.gateway.documents(transmission=identity), key=lambda row: str(row["transaction_control"])
    )
    assert [row["ack"] for row in documents] == ["waiting"] * count
    assert {row["interchange_control"] for row in documents} == {str(control)}
    return documents


def answered(world: World, sent: dict[str, Any], action: str, *rows: str) -> dict[str, Any]:
    """Bring a CONTRL about what was sent; what was sent, as it is shown then."""
    control = number()
    shown = bring(world, contrl(control, sent["interchange_control"], action, *rows))
    assert shown["status"] == "done"
    assert answers(world, control) == []
    return world.gateway.show(sent["id"])


def acknowledged(shown: dict[str, Any]) -> str:
    (event,) = [event for event in shown["events"] if event["event"] == "acknowledged"]
    text: str = event["text"]
    return text


def test_a_contrl_that_accepts_closes_what_was_sent_and_is_itself_never_answered(world: World) -> None:
    (sent,) = sent_invoice(world)
    shown = answered(world, sent, "7", f"UCM+{sent['transaction_control']}+INVOIC:D:96A:UN:EAN008+7")
    assert shown["ack"] == "accepted"
    assert shown["ack_by"]


def test_a_contrl_that_names_only_the_interchange_answers_for_its_messages(world: World) -> None:
    (sent,) = sent_invoice(world)
    assert answered(world, sent, "7")["ack"] == "accepted"


def test_a_contrl_rejects_the_message_it_names_and_says_where(world: World) -> None:
    first, second = sent_invoice(world, count=2)
    shown = answered(
        world,
        second,
        "7",
        f"UCM+{second['transaction_control']}+INVOIC:D:96A:UN:EAN008+4",
        "UCS+3",
        "UCD+12+2:2",
    )
    assert shown["ack"] == "rejected"
    assert world.gateway.show(first["id"])["ack"] == "accepted"
    text = acknowledged(shown)
    assert "DTM at 3: DTM01-2 invalid value (12)" in text
    assert "we sent DTM+137:20261101:102" in text


def test_a_contrl_that_rejects_the_interchange_rejects_all_in_it(world: World) -> None:
    first, second = sent_invoice(world, count=2)
    assert (
        answered(
            world,
            first,
            "4",
        )["ack"]
        == "rejected"
    )
    assert world.gateway.show(second["id"])["ack"] == "rejected"


def test_the_code_of_a_rejected_interchange_is_told(world: World) -> None:
    (sent,) = sent_invoice(world)
    control = number()
    data = contrl(control, sent["interchange_control"], "4")
    bring(world, mutated(data, ("+4'UNT", "+4+29+UNZ+2'UNT")))
    shown = world.gateway.show(sent["id"])
    assert shown["ack"] == "rejected"
    assert "the interchange: UNZ01 control count does not match" in acknowledged(shown)


def test_that_an_interchange_was_received_decides_nothing(world: World) -> None:
    (sent,) = sent_invoice(world)
    assert answered(world, sent, "8")["ack"] == "waiting"
    assert answered(world, sent, "7")["ack"] == "accepted"


def test_a_repetition_that_is_refused_says_nothing_against_what_was_sent_first(world: World) -> None:
    (sent,) = sent_invoice(world)
    control = number()
    bring(world, mutated(contrl(control, sent["interchange_control"], "4"), ("+4'UNT", "+4+26'UNT")))
    shown = world.gateway.show(sent["id"])
    assert shown["ack"] == "waiting"
    assert "rejected: duplicate" in acknowledged(shown)


def test_a_second_contrl_changes_nothing_and_is_told(world: World) -> None:
    (sent,) = sent_invoice(world)
    answered(world, sent, "7")
    assert answered(world, sent, "4")["ack"] == "accepted"


def test_a_contrl_for_what_was_never_sent_is_told_as_unmatched(world: World) -> None:
    shown = bring(world, contrl(number(), "77777777", "7"))
    (document,) = shown["documents"]
    assert document["reason"] == "UNMATCHED"
    assert "77777777" in document["error"]


def test_a_contrl_of_another_partner_closes_nothing(world: World) -> None:
    (sent,) = sent_invoice(world)
    bring(world, contrl(number(), sent["interchange_control"], "7", sender=QUICK), world.quick)
    assert world.gateway.show(sent["id"])["ack"] == "waiting"


def test_a_contrl_that_is_late_still_reconciles(world: World) -> None:
    control = number()
    file = world.gateway.home.parent / f"late_{control}.edi"
    body = message("DESADV", 1, f"BGM+351+D{control}+9", "DTM+137:20261101:102")
    file.write_bytes(interchange(control, body, sender=US, receiver=QUICK))
    identity = world.gateway.must("send", "quick", file, "--json").json["transmission"]
    (sent,) = world.gateway.documents(transmission=identity)
    assert sent["ack"] == "none"  # nothing is agreed to be acknowledged: what comes all the same is told
    shown = bring(world, contrl(number(), control, "7", sender=QUICK), world.quick)
    (document,) = shown["documents"]
    assert document["reason"] == "DUPLICATE"


def test_a_broken_contrl_is_held_for_a_person_and_never_answered(world: World) -> None:
    (sent,) = sent_invoice(world)
    control = number()
    shown = bring(world, mutated(contrl(control, sent["interchange_control"], "7"), ("+7'UNT", "+QQ'UNT")))
    (document,) = shown["documents"]
    assert document["status"] == "rejected"
    assert answers(world, control) == []
    assert world.gateway.show(sent["id"])["ack"] == "waiting"


def test_a_contrl_is_never_answered_even_where_its_interchange_is_wrong(world: World) -> None:
    control = number()
    shown = bring(world, mutated(contrl(control, "1", "7"), (f"UNZ+1+{control}", "UNZ+1+9")))
    assert shown["status"] == "refused"
    assert answers(world, control) == []


def test_what_steers_a_terminal_is_escaped_in_the_log(world: World) -> None:
    bad = interchange("\x1b]0;gone\x07", order("PO-ESC"), sender=US, receiver=SHOP)
    inbox = world.gateway.home / "erp" / "in"
    (inbox / "esc\x1b[31m.tmp").write_bytes(bad)
    (inbox / "esc\x1b[31m.tmp").rename(inbox / "esc\x1b[31m.edi")
    until(lambda: (world.gateway.home / "erp" / "refused" / "esc\x1b[31m.edi").exists())
    assert "\\x1b]0;gone\\x07" in until(lambda: world.gateway.log)
    assert not {"\x1b", "\x07"} & set(world.gateway.log)


def test_no_interchange_of_ours_uses_a_number_twice(world: World) -> None:
    for control in (number(), number()):
        bring(world, interchange(control, order(f"PO-{control}")))
        answer(world, control)
    rows = world.gateway.documents(direction="out", type="CONTRL", partner="shop")
    assert sorted(int(row["interchange_control"]) for row in rows) == list(range(1, len(rows) + 1))
