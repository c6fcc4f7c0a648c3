"""X12 that the ERP has written itself: split by receiver, sent as it is, or refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from trading import PARTNERS, RETAILER, US, WAREHOUSE, Trading, eventually, trading

from edi.tree import PartyId
from gateway.erp import Arrival
from gateway.pipeline import from_erp
from gateway.simulate import envelope
from x12 import writer

INVOICE: list[list[str]] = [
    ["BIG", "20261103", "INV-1", "20261101", "PO-77"],
    ["IT1", "1", "12", "EA", "2.5", "", "VN", "AB1"],
    ["TDS", "3000"],
    ["CTT", "1"],
]
TO_DEPOT: list[list[str]] = [
    ["W05", "N", "PO-77", "PO-77"],
    ["N1", "ST", "STORE 12", "92", "0012"],
    ["LX", "1"],
    ["W01", "12", "EA", "", "VN", "AB1"],
    ["W76", "12"],
]


def interchange(
    number: int, to: PartyId, type: str, *bodies: list[list[str]], sender: PartyId = US, suffix: str = ""
) -> bytes:
    head = envelope(sender, to, number, type, "004010")
    data = writer.write(head, [writer.Body(type, at, rows) for at, rows in enumerate(bodies, 1)])
    return data.replace(b"~", b"~" + suffix.encode())


def mixed() -> list[bytes]:
    return [
        interchange(501, RETAILER, "810", INVOICE, INVOICE),
        interchange(502, WAREHOUSE, "940", TO_DEPOT),
        interchange(503, RETAILER, "810", INVOICE, suffix="\r\n"),
    ]


def take(t: Trading, data: bytes, name: str = "day.x12") -> str:
    return from_erp.take(t.home, Arrival(t.home.erp.inbox / name, data))


def refusal(t: Trading, data: bytes, name: str = "day.x12") -> list[str]:
    with pytest.raises(from_erp.Refused) as raised:
        take(t, data, name)
    assert not t.documents(direction="out")
    return str(raised.value).splitlines()


def test_each_interchange_goes_to_its_receiver_byte_for_byte(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        cause = take(t, b"\n\n".join(mixed()) + b"\n")
        eventually(lambda: len(t.outbox("shop")) == 2 and t.outbox("depot"))
        first, depot, last = mixed()
        assert {path.name: path.read_bytes() for path in t.outbox("shop")} == {
            "810_shop_000000501.x12": first,
            "810_shop_000000503.x12": last.rstrip(),
        }
        assert [path.read_bytes() for path in t.outbox("depot")] == [depot]
        rows = t.documents(direction="out")
        assert [(row.partner, row.type, row.interchange_control, row.ack, row.cause) for row in rows] == [
            ("shop", "810", "501", "waiting", cause),
            ("shop", "810", "501", "waiting", cause),
            ("depot", "940", "502", "waiting", cause),
            ("shop", "810", "503", "waiting", cause),
        ]


def test_a_997_closes_one_transaction_of_what_the_erp_wrote(tmp_path: Path) -> None:
    with trading(tmp_path) as t:
        take(t, mixed()[0])
        said = [
            ["AK1", "IN", "501"],
            ["AK2", "810", "0001"],
            ["AK5", "A"],
            ["AK2", "810", "0002"],
            ["AK3", "BIG", "2", "", "8"],
            ["AK5", "R", "5"],
            ["AK9", "P", "2", "2", "1"],
        ]
        t.drop(t.file("997", said, RETAILER), "shop")
        eventually(lambda: [row.ack for row in t.documents(direction="out")] == ["accepted", "rejected"])


def test_the_same_file_again_changes_nothing(tmp_path: Path) -> None:
    with trading(tmp_path, run=False) as t:
        data = b"".join(mixed())
        assert take(t, data) == take(t, data)
        assert len(t.documents(direction="out")) == 4


def test_a_control_number_that_went_to_the_partner_before_is_refused(tmp_path: Path) -> None:
    with trading(tmp_path, run=False) as t:
        take(t, mixed()[0])
        with pytest.raises(
            from_erp.Refused, match="000000501 at byte 0: its control number was sent to shop"
        ):
            take(t, mixed()[0], "again.x12")
        take(t, interchange(501, WAREHOUSE, "940", TO_DEPOT), "another partner.x12")
        assert len(t.documents(direction="out")) == 3


def test_every_interchange_that_cannot_be_sent_is_named_and_none_of_the_file_is(tmp_path: Path) -> None:
    with trading(tmp_path, run=False) as t:
        good, depot, _ = mixed()
        stranger = interchange(601, PartyId("08", "NOBODY"), "810", INVOICE)
        not_us = interchange(602, RETAILER, "810", INVOICE, sender=WAREHOUSE)
        assert refusal(t, b"".join([good, stranger, not_us, depot])) == [
            f"interchange 000000601 at byte {len(good)}: 08:NOBODY is no partner in partners.toml",
            f"interchange 000000602 at byte {len(good + stranger)}: it is from 01:DEPOT; we are ZZ:US",
            "nothing of the file was sent",
        ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("*P*>~", "*T*>~", "its usage is T, and P is agreed with shop"),
        ("IEA*1*", "IEA*2*", "IEA01 says '2', but there are 1 groups"),
        ("BIG*20261103*", "BIG*20261303*", "810 0001: "),
        ("ST*810*", "ST*850*", "no 850 to shop is agreed in partners.toml"),
    ],
)
def test_what_the_partner_would_reject_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    with trading(tmp_path, run=False) as t:
        data = interchange(701, RETAILER, "810", INVOICE)
        assert data.count(old.encode()) == 1
        first, _ = refusal(t, data.replace(old.encode(), new.encode()))
        assert first.startswith(f"interchange 000000701 at byte 0: {told}")


def test_a_number_that_stands_twice_and_an_empty_interchange_are_refused(tmp_path: Path) -> None:
    with trading(tmp_path, run=False) as t:
        data = interchange(701, RETAILER, "810", INVOICE)
        assert "stands twice" in refusal(t, data + data)[0]
        empty = writer.write(envelope(US, RETAILER, 702, "810", "004010"), [])
        assert "no transaction" in refusal(t, empty)[0]


def test_a_file_in_two_syntaxes_is_refused(tmp_path: Path) -> None:
    with trading(tmp_path, run=False) as t:
        data = interchange(701, RETAILER, "810", INVOICE)
        told = refusal(t, data + b"UNB+UNOC:3+US+RETAIL+261101:1200+1'UNZ+0+1'")
        assert told[0].startswith(f"interchange 000000701 at byte 0: what begins at byte {len(data)} is not")


@pytest.mark.parametrize("data", [b"", b"hello", b'{"schema": 1}'])
def test_what_is_no_edi_is_refused_by_its_name(tmp_path: Path, data: bytes) -> None:
    with trading(tmp_path, run=False) as t:
        assert refusal(t, data)[0].startswith("it is no EDI: ")


def test_a_draft_and_a_partner_without_a_channel_are_not_sent_to(tmp_path: Path) -> None:
    draft = PARTNERS.replace('status = "live"', 'status = "draft"', 1)
    mute = PARTNERS.replace('sftp_account = { user = "shop", keys = [] }\n', "")
    for name, partners, told in (("draft", draft, "is a draft"), ("mute", mute, "has no channel")):
        with trading(tmp_path / name, partners, run=False) as t:
            assert f"shop {told} in partners.toml" in refusal(t, mixed()[0])[0]


def test_the_erps_folder_takes_x12_beside_documents_and_says_why_not(tmp_path: Path) -> None:
    with trading(tmp_path, run=False) as t:
        for name in ("a.x12", "b.edi", "c.txt", ".d.x12"):
            (t.home.erp.inbox / name).write_bytes(mixed()[0])
        assert [arrival.name for arrival in t.home.erp.arrivals()] == ["a.x12", "b.edi"]
