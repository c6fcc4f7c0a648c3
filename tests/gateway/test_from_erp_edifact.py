"""EDIFACT that the ERP has written itself: sent as it is to whom it names, and tracked to its CONTRL."""

from __future__ import annotations

from pathlib import Path

import pytest
from edifact_by_hand import DEPOT, PARTNERS, SHOP, US, contrl, interchange, message
from trading import Trading, eventually, trading

import mappings
from edi.documents import DOCUMENTS
from gateway import queries
from gateway.erp import Arrival
from gateway.pipeline import from_erp, outbound

UNA = "UNA:+.? '"


def invoice(reference: str, number: str) -> list[str]:
    return message(
        "INVOIC",
        reference,
        f"BGM+380+{number}+9",
        "DTM+137:20261101:102",
        "NAD+BY+5412345000020::9",
        "LIN+1++4000862141404:EN",
        "QTY+47:12",
        "FTX+AAI+++it?'s ?+ 5 ??",
        "UNS+S",
        "MOA+77:30",
    )


def invoices(number: int, *references: str, to: tuple[str, str] = SHOP, una: str = "") -> bytes:
    messages = [invoice(one, f"INV-{number}-{one}") for one in references]
    return interchange(number, *messages, sender=US, receiver=to, una=una)


def take(t: Trading, data: bytes, name: str = "day.edi") -> str:
    return from_erp.take(t.home, Arrival(t.home.erp.inbox / name, data))


def refusal(t: Trading, data: bytes) -> str:
    with pytest.raises(from_erp.Refused) as raised:
        take(t, data)
    assert not t.documents(direction="out")
    return str(raised.value).splitlines()[0]


def test_each_interchange_goes_to_its_receiver_byte_for_byte_with_its_una(tmp_path: Path) -> None:
    first, last = invoices(501, "A", "B"), invoices(503, "C", una=UNA)
    with trading(tmp_path, PARTNERS) as t:
        cause = take(t, b"\n" + first + b"\r\n" + last + b"\n")
        eventually(lambda: len(t.outbox("shop")) == 2)
        assert {path.name: path.read_bytes() for path in t.outbox("shop")} == {
            "INVOIC_shop_501.edi": first,
            "INVOIC_shop_503.edi": last,
        }
        rows = t.documents(direction="out")
        assert [(row.type, row.interchange_control, row.transaction_control, row.ack) for row in rows] == [
            ("INVOIC", "501", "A", "waiting"),
            ("INVOIC", "501", "B", "waiting"),
            ("INVOIC", "503", "C", "waiting"),
        ]
        assert {(row.group_control, row.functional_id, row.version, row.cause) for row in rows} == {
            (None, None, "D.96A/EAN008", cause)
        }
        (sent, _) = queries.transmissions(t.home, "out")
        assert queries.one(t.home, sent["id"])["documents"]


def test_a_contrl_closes_one_message_of_what_the_erp_wrote(tmp_path: Path) -> None:
    with trading(tmp_path, PARTNERS) as t:
        take(t, invoices(501, "A", "B"))
        said = ["UCM+A+INVOIC:D:96A:UN:EAN008+7", "UCM+B+INVOIC:D:96A:UN:EAN008+4", "UCS+7", "UCD+12+2:1"]
        t.drop(contrl(1, 501, "7", *said), "shop", "answer.edi")
        eventually(lambda: [row.ack for row in t.documents(direction="out")] == ["accepted", "rejected"])
        (told,) = [event.text for event in t.events("acknowledged") if "rejects" in event.text]
        assert told.startswith("shop rejects INVOIC B: FTX at 7: FTX01-1 ")
        assert told.endswith("; we sent FTX+AAI+++it's + 5 ?")


def test_a_contrl_closes_groups_by_their_references(tmp_path: Path) -> None:
    groups = []
    for at, reference in enumerate(("A", "B"), 1):
        ung = f"UNG+INVOIC+{US[0]}+{SHOP[0]}+261101:1200+G{at}+UN+D:96A:EAN008"
        groups += [[ung, *invoice(reference, f"INV-{at}"), f"UNE+1+G{at}"]]
    with trading(tmp_path, PARTNERS) as t:
        take(t, interchange(501, *groups, sender=US, receiver=SHOP))
        assert [row.group_control for row in t.documents(direction="out")] == ["G1", "G2"]
        said = [f"UCF+G1+{US[0]}+{SHOP[0]}+7", "UCM+A+INVOIC:D:96A:UN:EAN008+7"]
        t.drop(contrl(1, 501, "7", *said, f"UCF+G2+{US[0]}+{SHOP[0]}+4+29+UNE+2"), "shop", "answer.edi")
        eventually(lambda: [row.ack for row in t.documents(direction="out")] == ["accepted", "rejected"])
        (told,) = [event.text for event in t.events("acknowledged") if "rejects" in event.text]
        assert told.startswith("shop rejects INVOIC B: the group: UNE01 ")


def test_what_is_overdue_is_told_and_a_late_contrl_counts(tmp_path: Path) -> None:
    plain = '{ type = "INVOIC", direction = "out"'
    with trading(tmp_path, PARTNERS.replace(plain, f'{plain}, ack = {{ due = "1s" }}')) as t:
        take(t, invoices(501, "A"))
        (row,) = t.documents(direction="out")
        eventually(lambda: [found["id"] for found in queries.overdue(t.home)] == [row.id])
        t.drop(contrl(1, 501, "7"), "shop", "late.edi")
        eventually(lambda: t.documents(id=row.id)[0].ack == "accepted")
        assert [event.text for event in t.events("acknowledged")] == ["shop accepts INVOIC A, late"]
        assert [one["id"] for one in queries.acknowledgments(t.home, state="late")] == [row.id]


def test_what_is_overdue_is_sent_again_with_the_same_bytes(tmp_path: Path) -> None:
    with trading(tmp_path, PARTNERS) as t:
        take(t, invoices(501, "A"))
        (row,) = t.documents(direction="out")
        eventually(lambda: t.outbox("shop") and t.events("placed"))
        found = outbound.resendable(t.home, row.id)
        t.home.store.write(lambda conn: outbound.resend(t.home, conn, found))
        first, second = eventually(lambda: t.outbox("shop") if len(t.outbox("shop")) == 2 else None)
        assert first.read_bytes() == second.read_bytes()
        t.drop(contrl(1, 501, "7"), "shop", "answer.edi")
        eventually(lambda: t.documents(id=row.id)[0].ack == "accepted")


def test_a_una_whose_segments_end_with_lines_stays_with_its_interchange(tmp_path: Path) -> None:
    data = invoices(501, "A").replace(b"it?'s", b"its")
    lines = b"UNA:+.? \n" + data.replace(b"'", b"\n")
    with trading(tmp_path, PARTNERS) as t:
        take(t, b"\n" + lines + lines.replace(b"501", b"502") + b"\n")
        eventually(lambda: len(t.outbox("shop")) == 2)
        assert [path.read_bytes() for path in t.outbox("shop")] == [lines, lines.replace(b"501", b"502")]


@pytest.mark.parametrize("length", [3, 7, 80])
def test_wrapped_lines_are_sent_as_they_are(tmp_path: Path, length: int) -> None:
    data = invoices(501, "A")
    lines = [data[:6], *(data[at : at + length] for at in range(6, len(data), length))]
    with trading(tmp_path, PARTNERS) as t:
        take(t, b"\r\n".join(lines) + b"\r\n")
        (path,) = eventually(lambda: t.outbox("shop"))
        assert path.read_bytes() == b"\r\n".join(lines)


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("2026/11", "2026-11"),
        ("../../../x", "..-..-..-x"),
        ("A?'B?+\u00e9\\", "A-B-"),
        ('"; rm *"', "-rm-"),
        ("0", "0"),
    ],
)
def test_a_reference_of_any_text_names_a_file_of_letters_and_digits(
    tmp_path: Path, reference: str, name: str
) -> None:
    with trading(tmp_path, PARTNERS) as t:
        data = invoices(0, "A").replace(b"+0'", f"+{reference}'".encode("latin-1"))
        take(t, data)
        (path,) = eventually(lambda: t.outbox("shop"))
        assert (path.name, path.read_bytes()) == (f"INVOIC_shop_{name}.edi", data)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("14+5412345000020:14+", "14+5412345000099:14+", "14:5412345000099 is no partner in partners.toml"),
        (
            "UNB+UNOC:3+5412345000013:14",
            "UNB+UNOC:3+NOBODY:14",
            "it is from 14:NOBODY; we are 14:541234500001",
        ),
        ("1200+501", "1200+501++++++1", "its usage is T, and P is agreed with shop"),
        ("UNZ+1+501", "UNZ+2+501", "UNZ01 "),
        ("DTM+137:20261101", "DTM+137:20269901", "INVOIC A: DTM01-2 "),
        ("INVOIC:D:96A:UN:EAN008", "ORDERS:D:96A:UN:EAN008", "no ORDERS to shop is agreed in partners.toml"),
    ],
)
def test_what_the_partner_would_reject_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    with trading(tmp_path, PARTNERS, run=False) as t:
        data = invoices(501, "A")
        assert data.count(old.encode()) == 1
        first = refusal(t, data.replace(old.encode(), new.encode()))
        assert first.startswith(f"interchange 501 at byte 0: {told}")


def test_a_reference_that_went_to_the_partner_before_is_refused(tmp_path: Path) -> None:
    with trading(tmp_path, PARTNERS, run=False) as t:
        take(t, invoices(501, "A"))
        with pytest.raises(from_erp.Refused, match="501 at byte 0: its control number was sent to shop"):
            take(t, invoices(501, "B"), "again.edi")


def test_a_partner_without_a_qualifier_is_found_by_any(tmp_path: Path) -> None:
    note = message("INSDES", 1, "BGM+350+W-1+9", "DTM+137:20261101:102", version="D:01B:UN:EAN010")
    with trading(tmp_path, PARTNERS, run=False) as t:
        data = interchange(7, note, sender=US, receiver=DEPOT)
        said = refusal(t, data)
        assert said.startswith(
            "interchange 7 at byte 0: INSDES 1: "
        )  # found, and judged as its receiver would


def test_each_document_is_written_as_messages_that_carry_it() -> None:
    for kind, types in from_erp._SETS.items():
        name = schema_of_type(kind)
        for type in types:
            carried = mappings.documents_of(type)
            assert name in carried or not carried, (name, type)


def schema_of_type(kind: type) -> str:
    """`ship_notice` for ShipNotice."""
    (schema,) = (schema for schema, document in DOCUMENTS.items() if document is kind)
    return schema.partition(".")[2].partition("/")[0]
