"""What a hostile or broken partner who speaks EDIFACT must not bring about."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from edifact_by_hand import PARTNERS, contrl, interchange, message, order, segments
from sqlalchemy import select
from test_edifact_trading import SUPPLIER, purchase, supplier
from trading import ORDER as X12_ORDER
from trading import RETAILER, Trading, eventually, trading

from edi.documents import Party
from edi.edifact import codec
from edi.tree import NORMAL, Transaction
from gateway.intake import seal
from gateway.pipeline import batching, replay
from gateway.store.tables import transmission
from sftp.drop import Seal


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


def test_of_two_with_one_reference_in_a_file_the_second_waits_for_a_person(tmp_path: Path) -> None:
    with trading(tmp_path, PARTNERS) as t:
        row = read(t, t.drop(interchange(1, order("PO-1")) + interchange(1, order("PO-2")), "shop"))
        assert (row.status, row.reason) == ("held", "DUPLICATE_ICN")
        assert [one.number for one in t.documents(direction="in")] == ["PO-1"]


def test_an_interchange_that_is_whole_only_when_it_comes_again_in_the_file_is_read(tmp_path: Path) -> None:
    data = interchange(1, order("PO-1"))
    with trading(tmp_path, PARTNERS) as t:
        row = read(t, t.drop(data[: data.index(b"UNT")] + data, "shop"))
        assert (row.status, row.reason) == ("refused", "ENVELOPE_BROKEN")
        assert [one.number for one in t.documents(direction="in")] == ["PO-1"]
        answers = eventually(lambda: len(t.outbox("shop")) == 2 and t.outbox("shop"))
        assert [segments(path.read_bytes())[2][4] for path in answers] == ["4", "7"]


BOTH = PARTNERS.replace(
    'unb = { qualifier = "14", id = "5412345000020" }',
    'unb = { qualifier = "14", id = "5412345000020" }\nisa = { qualifier = "08", id = "RETAIL" }',
)


@pytest.mark.parametrize("between", [b"", b"\r\n", b"\x1a\r\n"])
@pytest.mark.parametrize("turned", [False, True])
def test_what_follows_in_another_syntax_is_not_lost_in_silence(
    tmp_path: Path, between: bytes, *, turned: bool
) -> None:
    with trading(tmp_path, BOTH) as t:
        parts = [interchange(1, order("PO-1")), t.file("850", X12_ORDER, RETAILER)]
        first, second = reversed(parts) if turned else parts
        row = read(t, t.drop(first + between + second, "shop"))
        assert (row.status, row.reason) == ("held", "ENVELOPE_BROKEN")
        told = f"what begins at byte {len(first + between)} is not read"
        assert row.error == f"{told}: it is no interchange of this file's syntax"
        assert t.events("held")[-1].text == f"ENVELOPE_BROKEN: {row.error}"
        assert replay.replay(t.home, row.id) is replay.Step.READ
        assert read(t, row.id).status == "held"
        assert len(t.documents(direction="in")) == 1
        assert len(t.documents(direction="out", kind="acknowledgment")) == 1


def test_a_message_behind_the_interchange_is_not_lost_in_silence(tmp_path: Path) -> None:
    bare = "".join(f"{row}'" for row in order("PO-2")).encode()
    with trading(tmp_path, PARTNERS) as t:
        row = read(t, t.drop(interchange(1, order("PO-1")) + bare, "shop"))
        assert (row.status, row.reason) == ("held", "ENVELOPE_BROKEN")
        assert [one.number for one in t.documents(direction="in")] == ["PO-1"]


def test_a_missing_interchange_header_is_told_in_the_words_of_its_syntax(tmp_path: Path) -> None:
    bare = "".join(f"{row}'" for row in order("PO-2")).encode()
    with trading(tmp_path, PARTNERS) as t:
        assert "begins with UNH: the interchange header UNB" in read(t, t.drop(bare, "shop")).error


def test_words_before_an_interchange_do_not_make_it_one_of_x12(tmp_path: Path) -> None:
    with trading(tmp_path, PARTNERS) as t:
        assert read(t, t.drop(b"VISA: 12\r\n" + interchange(1, order("PO-1")), "shop")).status == "done"


@pytest.mark.parametrize("una", ["UNA:+.  '", "UNA:+. *'", "UNA:+.? '", "UNA:+.?*'"])
@pytest.mark.parametrize("syntax", ["UNOC:3", "UNOC:4"])
def test_every_reference_that_can_be_read_can_be_answered(tmp_path: Path, syntax: str, una: str) -> None:
    references = [f"A{mark}B" for mark in "*?!%/" if mark not in una[6:8]]
    messages = [order(f"PO-{at}", reference) for at, reference in enumerate(references)]
    with trading(tmp_path, PARTNERS) as t:
        assert read(t, t.drop(interchange(1, *messages, syntax=syntax, una=una), "shop")).status == "done"
        (path,) = eventually(lambda: t.outbox("shop"))
        events = codec.read(io.BytesIO(path.read_bytes()))
        (answer,) = [event for event in events if isinstance(event, Transaction)]
        ucms = [row.split(NORMAL.element) for row in answer.segments if row.startswith("UCM")]
        assert [ucm[1] for ucm in ucms] == references
        assert {ucm[3] for ucm in ucms} == {"7"}


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (interchange(1, order("PO-1")), True),
        (interchange(1, order("PO-1")) + b"\r\n" * 500, True),
        (interchange(1, order("PO-1"))[:-8] + b"U\r\nNZ+1+1'", True),
        (b"\xef\xbb\xbf\r\n" + interchange(1, order("PO-1")), True),
        (interchange(1, order("PO-1"))[:-8], False),
        (interchange(1, order("PO-1")) + interchange(2, order("PO-2"))[:-8], False),
        (interchange(1, order("UNZ"))[:-8], False),
        (b"\r\n" + interchange(1, order("PO-1"))[:200], False),
    ],
)
def test_an_upload_is_whole_when_its_last_interchange_is(tmp_path: Path, data: bytes, *, whole: bool) -> None:
    (tmp_path / "a.edi").write_bytes(data)
    assert seal(tmp_path / "a.edi").seal is (Seal.WHOLE if whole else Seal.BROKEN)


# What our own character set lacks.


def reconfigured(t: Trading, old: str, new: str) -> None:
    file = t.home.config.home / "partners.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    assert t.home.reload()


def test_what_a_character_set_lacks_is_held_and_leaves_once_another_is_agreed(tmp_path: Path) -> None:
    name = "\u0410\u0411\u0412 ?' ?+"
    rows = order("PO-1")
    rows[5] += "++" + name
    data = interchange(1, rows, syntax="UNOE:3", encoding="iso8859-5")
    with trading(tmp_path, PARTNERS) as t:
        t.drop(data, "shop")
        (held,) = eventually(lambda: t.documents(type="INSDES"))
        assert (held.status, held.reason) == ("held", "MAPPING_FAILED")
        assert "which UNOC cannot write" in held.error
        assert json.loads((t.home.erp.out / f"{held.cause}.json").read_bytes())["number"] == "PO-1"
        reconfigured(t, 'una = "always"', 'una = "always", syntax = "UNOY:4"')
        assert replay.replay(t.home, held.id) is replay.Step.ISSUE
        (path,) = eventually(lambda: t.outbox("depot"))
        assert f"++{name}'".encode() in path.read_bytes()
        assert [(row.status, row.interchange_control) for row in t.documents(type="INSDES")] == [
            ("sent", "1")
        ]


def test_a_batch_leaves_without_what_its_character_set_lacks_since_then(tmp_path: Path) -> None:
    terms = ', batch = { count = 50, within = "1h" }'
    plain = {"parties": (Party(role="buyer", ids={"gln": "5412345000013"}),)}
    with trading(tmp_path, supplier(terms, 'syntax = "UNOC:3"')) as t:
        t.leave(purchase("PO-1", **plain))
        t.leave(purchase("PO-2"))
        t.leave(purchase("PO-3", **plain))
        reconfigured(t, "UNOC:3", "UNOA:2")
        t.home.store.write(lambda conn: batching.flush(t.home, conn, "mill"))
        (path,) = eventually(lambda: t.outbox("mill"))
        rows = segments(path.read_bytes())
        assert [row[1] for row in rows if row[0] in ("UNB", "UNH")] == ["UNOA:2", "1", "2"]
        assert [row.status for row in t.documents(direction="out")] == ["sent", "held", "sent"]
        (held,) = t.documents(status="held")
        assert "which UNOA cannot write" in held.error
        reconfigured(t, "UNOA:2", "UNOC:3")
        assert replay.replay(t.home, held.id) is replay.Step.ISSUE
        t.home.store.write(lambda conn: batching.flush(t.home, conn, "mill"))
        eventually(lambda: len(t.outbox("mill")) == 2)
        assert segments(t.outbox("mill")[1].read_bytes().replace(b"?+", b""))[-1] == ["UNZ", "1", "2"]


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


def test_a_contrl_about_what_went_between_others_closes_nothing(tmp_path: Path) -> None:
    with trading(tmp_path, supplier()) as t:
        asked(t)
        data = contrl(9, 1, "4", sender=SUPPLIER)
        foreign = data.replace(b"UCI+1+5412345000013:14", b"UCI+1+5412345000099:14")
        found = t.drop(foreign, "mill", "9.edi")
        assert read(t, found).status == "done"
        (row,) = t.documents(transmission=found)
        assert row.reason == "UNMATCHED"
        assert row.error == "no interchange 1 from 5412345000099 to 5412345000055 was sent to mill"
        assert t.documents(direction="out")[0].ack == "waiting"


def test_sides_of_a_contrl_may_lack_their_qualifiers_or_be_turned(tmp_path: Path) -> None:
    plain, turned = b"UCI+1+5412345000013+5412345000055+7", b"UCI+2+5412345000055:14+5412345000013:14+7"
    with trading(tmp_path, supplier()) as t:
        asked(t, "PO-1", "PO-2")
        for number, uci in ((8, plain), (9, turned)):
            usual = b"UCI+1+5412345000013:14+5412345000055:14+7"
            data = contrl(number, 1, "7", sender=SUPPLIER)
            assert usual in data
            t.drop(data.replace(usual, uci), "mill", f"{number}.edi")
        eventually(lambda: [row.ack for row in t.documents(direction="out")] == ["accepted"] * 2)


def test_a_contrl_that_names_only_what_was_not_sent_says_so(tmp_path: Path) -> None:
    with trading(tmp_path, supplier()) as t:
        asked(t)
        row = answered(t, 1, "7", "UCM+77+ORDERS:D:96A:UN+4", "UCM+1+INVOIC:D:96A:UN+7")
        assert (row.reason, row.error) == (
            "UNMATCHED",
            "no interchange 1 with INVOIC 1, ORDERS 77 was sent to mill",
        )
        assert t.documents(direction="out")[0].ack == "waiting"


def test_a_group_and_messages_that_were_not_sent_are_told_beside_what_was(tmp_path: Path) -> None:
    with trading(tmp_path, supplier()) as t:
        asked(t)
        sides = f"5412345000013+{SUPPLIER[0]}"
        answered(
            t, 1, "7", "UCM+00001+ORDERS:D:96A:UN+7", "UCM+2+ORDERS:D:96A:UN+4", f"UCF+5+{sides}+4+29+UNE+2"
        )
        assert t.documents(direction="out")[0].ack == "accepted"
        (told,) = t.events("unmatched")
        assert told.text == "a CONTRL names what was not sent: ORDERS 2, group 5 in interchange 1"


def test_what_a_contrl_says_fills_no_timeline(tmp_path: Path) -> None:
    strange = [f"UCM+{number}+ORDERS:D:96A:UN+4" for number in range(2, 900)]
    elements = [f"UCD+12+{at}:1" for at in range(2, 99)]
    faults = [row for position in range(2, 900) for row in (f"UCS+{position}", *elements)]
    with trading(tmp_path, supplier()) as t:
        asked(t)
        answered(t, 1, "7", "UCM+1+ORDERS:D:96A:UN+4", *faults, *strange)
        assert "and 92 more" in said(t)
        assert said(t).count("; and 893 more") == 1
        assert "and 893 more in interchange 1" in t.events("unmatched")[0].text
        assert (
            max(len(event.text) for name in ("acknowledged", "unmatched") for event in t.events(name)) < 2000
        )


def test_a_segment_in_error_without_more_is_told_by_its_place(tmp_path: Path) -> None:
    with trading(tmp_path, supplier()) as t:
        asked(t)
        answered(t, 1, "7", "UCM+1+ORDERS:D:96A:UN+4", "UCS+3")
        assert said(t) == "mill rejects ORDERS PO-1: DTM at 3; we sent DTM+137:20261101:102"


def test_a_contrl_that_contradicts_an_earlier_one_changes_nothing(tmp_path: Path) -> None:
    with trading(tmp_path, supplier()) as t:
        asked(t)
        answered(t, 1, "7", "UCM+1+ORDERS:D:96A:UN+7")
        for number, action, *rows in ((10, "4"), (11, "8"), (12, "7", "UCM+1+ORDERS:D:96A:UN+4", "UCS+2")):
            answered(t, 1, str(action), *map(str, rows), number=int(number))
        assert t.documents(direction="out")[0].ack == "accepted"
        assert [row.reason for row in t.documents(type="CONTRL")] == [None, "DUPLICATE", None, "DUPLICATE"]


def test_a_contrl_about_a_contrl_is_told_and_never_answered(tmp_path: Path) -> None:
    with trading(tmp_path, PARTNERS) as t:
        read(t, t.drop(interchange(1, order("PO-1")), "shop"))
        (ours,) = t.documents(type="CONTRL")
        found = t.drop(contrl(2, ours.interchange_control, "4"), "shop", "2.edi")
        read(t, found)
        (row,) = t.documents(transmission=found)
        assert row.reason == "UNMATCHED"
        assert len(t.documents(type="CONTRL", direction="out")) == 1


def test_a_storm_of_contrls_closes_once(tmp_path: Path) -> None:
    uci = f"UCI+1+5412345000013:14+{SUPPLIER[0]}:14+7"
    storm = [message("CONTRL", number, uci, version="D:3:UN") for number in range(1, 301)]
    with trading(tmp_path, supplier()) as t:
        asked(t)
        assert read(t, t.drop(interchange(9, *storm, sender=SUPPLIER), "mill")).status == "done"
        assert t.documents(direction="out")[0].ack == "accepted"
        assert len(t.events("acknowledged")) == 1
        assert {row.direction for row in t.documents(type="CONTRL")} == {"in"}
