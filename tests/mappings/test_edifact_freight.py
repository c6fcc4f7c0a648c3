"""EDIFACT messages to and from carriers: what they say, and what they carry of a document."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest
import test_written_freight
import test_written_planning
from maps_support import (
    DAY,
    carried,
    each,
    message,
    messages,
    read_canonical,
    read_one_of_everything,
    standard,
    told,
)
from msgspec.structs import replace

from edi import edifact
from edi.documents import (
    Dated,
    FreightEvent,
    FreightProgress,
    FreightStatus,
    Load,
    LoadTender,
    Mark,
    Reference,
)
from edi.problems import CannotWrite
from edi.tree import NORMAL

SAMPLES = Path(__file__).parent.parent / "samples" / "edifact"
BOTH = pytest.mark.parametrize("version", ["D.96A", "D.01B"])


@each(["IFTSTA", "IFTMIN"])
def test_one_of_everything_is_written_as_it_was_read(transaction_set: str, version: str) -> None:
    assert read_one_of_everything(transaction_set, version).number


REPORT = """
    BGM+23+95-455+9
    DTM+137:202601051430:203
    NAD+FW+5422331123459::9
    CTA+IC+:ANN
    COM+555-0100:TE
    NAD+CN+5412345000013::9++STORE 12+1 MAIN ST+AKRON+OH+44301+US
    RFF+SI:BOL-1
    RFF+AAZ:UPSN
    RFF+BN:24O4023815
    FTX+AAI+++SECOND REPORT
    CNI+1+4215A
    CNT+7:1340:LBR
    CNT+11:10
    STS+1+24+35
    RFF+CU:171577008
    DTM+334:202601050700:203
    LOC+14+:::AKRON+US+OH
    STS+1+21
    RFF+CU:171577008
    DTM+334:202601051410:203
    FTX+AAI+++LEFT AT DOCK 4
    NAD+DP+5411111123451::9
    TDT+20++++UPSN::182
    EQD+TE+7843
    SEL+S-1
    SEL+S-2
    GID
    PCI
    GIN+BJ+354107380000001051
    CNI+2+5122C
    STS+1+31
"""


@BOTH
def test_a_status_report_tells_what_happened_to_each_consignment(version: str) -> None:
    status = read_canonical(REPORT, "IFTSTA", version)
    assert (status.number, status.shipment, status.carrier) == ("95-455", "BOL-1", "UPSN")
    assert (status.reported_on, status.reported_time) == (DAY, dt.time(14, 30))
    assert status.reference("booking") == "24O4023815"
    assert status.notes == ("SECOND REPORT",)
    departed, delivered, second = status.progress
    known = (Reference(type="consignment", value="4215A"), Reference(type="shipper", value="171577008"))
    assert (departed.references, delivered.references) == (known, known)
    assert departed.loads == (
        Load(weight_type="gross", weight=Decimal(1340), weight_unit="pound", packages=10),
    )
    assert departed.events == (
        FreightEvent(
            status="departed",
            reason="mechanical",
            on=DAY,
            time=dt.time(7, 0),
            city="AKRON",
            state="OH",
            country="US",
        ),
    )
    assert delivered.events == (
        FreightEvent(
            status="delivered",
            on=DAY,
            time=dt.time(14, 10),
            carrier="UPSN",
            trailer="7843",
            trailer_type="trailer",
            notes=("LEFT AT DOCK 4",),
            seals=("S-1", "S-2"),
        ),
    )
    assert delivered.marks == (Mark(type="sscc", number="354107380000001051"),)
    assert [party.role for party in delivered.parties] == ["ship_to"]
    assert (second.number, [event.status for event in second.events]) == (2, ["en_route"])
    assert status.extra == departed.extra == delivered.extra == second.extra == ()


def test_events_with_the_same_numbers_are_one_progress() -> None:
    body = "BGM+77+1+9\nCNI+1+C-1\nSTS+1+74\nRFF+CU:7\nSTS+1+21\nRFF+CU:7\nSTS+1+18\nRFF+CU:8"
    status = read_canonical(body.replace("BGM+77", "BGM+23"), "IFTSTA", "D.96A")
    assert [[event.status for event in one.events] for one in status.progress] == [
        ["received", "delivered"],
        ["damaged"],
    ]
    assert [one.number for one in status.progress] == [1, 1]


def test_a_consignment_without_a_number_is_numbered_and_one_of_letters_kept() -> None:
    check = edifact.check(message("BGM+23+1+9\nCNI\nSTS+1+24\nCNI+0002\nSTS+1+24", "IFTSTA"))
    status, problems = standard("IFTSTA").read(check.rows, check.places, NORMAL)
    assert problems == ()
    assert isinstance(status, FreightStatus)
    assert [(one.number, one.extra) for one in status.progress] == [(1, ()), (2, (("CNI01", "0002"),))]
    assert [row for row in told(standard("IFTSTA").write(status)) if row[:3] == "CNI"] == [
        "CNI+1",
        "CNI+0002",
    ]


# A report has no zones, no orders, no pallets and no notes of a shipment, and few of the states of X12.
(PROGRESS,) = test_written_freight.STATUS.progress
STATUS = replace(
    test_written_freight.STATUS,
    reported_on=DAY,
    references=(test_written_freight.BILL,),
    parties=(replace(test_written_freight.CONSIGNEE, references=()),),
    progress=(
        replace(
            PROGRESS,
            notes=(),
            references=(Reference(type="purchase_order", value="PO-1"),),
            loads=(replace(PROGRESS.loads[0], unitized=None),),
            events=(replace(PROGRESS.events[0], status="departed", reason="mechanical", zone=None),),
        ),
    ),
)


@BOTH
def test_a_freight_status_is_carried_by_a_report(version: str) -> None:
    rows = carried(STATUS, "IFTSTA", version)
    assert {"CNI+1", "STS+1+24+35", "EQD+TE+7843", "CNT+7:1340:LBR", "RFF+ON:PO-1"} <= set(rows)
    assert STATUS.purchase_orders == ("PO-1",)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"notes": ("CALL",)}, "FreightStatus.progress[0].notes: the map has no place for it"),
        ({"loads": PROGRESS.loads}, "FreightStatus.progress[0].loads[0].unitized: the map has no place"),
        ({"loads": (Load(),)}, "FreightStatus.progress[0].loads: has to be one, of gross weight"),
        ({"events": PROGRESS.events}, "consignments[0].events[0].zone: the map has no place for it"),
    ],
)
def test_what_a_report_cannot_carry_is_refused(changes: dict[str, object], says: str) -> None:
    progress: FreightProgress = replace(STATUS.progress[0], **changes)
    with pytest.raises(CannotWrite) as refused:
        standard("IFTSTA").write(replace(STATUS, progress=(progress,)))
    assert any(says in problem.message for problem in refused.value.problems), refused.value.problems


@pytest.mark.parametrize(
    "name",
    [
        "apimeister_edifact-types__message_test_iftsta.rs.emb1.edi",
        "jf-tech_omniparser__edi_bench_test.go.emb1.edi",
    ],
)
def test_a_real_report_is_read_and_written_with_nothing_lost(name: str) -> None:
    """They are of other directories, and one tells the day of its making wrongly."""
    data = (SAMPLES / "IFTSTA" / name).read_bytes().replace(b"202025021715", b"202002251715")
    data = data.replace(b"D:00B", b"D:01B").replace(b"D:04A", b"D:01B")
    for transaction in messages(data):
        check = edifact.check(transaction)
        map = standard("IFTSTA", "D.01B")
        status, problems = map.read(check.rows, check.places, NORMAL)
        assert problems == ()
        assert isinstance(status, FreightStatus)
        assert status.number
        assert status.reported_on or status.extra
        assert next(status.events).status
        again = standard("IFTSTA", "D.01B").write(status)
        assert sorted(told(again)) == sorted(told(check.rows[1:-1]))


INSTRUCTION = """
    BGM+610+LOAD-1+9
    DTM+234:202601050800:203
    DTM+2:20260107:102
    DTM+137:20260104:102
    TSR++2
    MOA+144:557.21
    FTX+DEL+++CALL BEFORE DELIVERY
    CNT+7:5472:LBR
    CNT+11:5
    CNT+16:1
    TOD+5+PP
    RFF+MB:MB-1
    TDT+20++30++UPSN::182
    NAD+CZ+4012345500103::9++DEPOT 1+1 DUMP ROAD+RUMFORD+ME+04276+US
    CTA+IC+:DOCK
    COM+330-555-0100:TE
    RFF+SI:88756818
    NAD+CN+5412345000020::9++STORE 12
    NAD+CA+UPSN::182
    NAD+IV+4012345500004::9
    GID+1
    FTX+AAA+++SAMPLES
    GID+2+3:PX
    FTX+AAA+++PAPER IN ROLLS
    MEA+AAE+AAB+LBR:3000
    RFF+ON:PO-1
    PCI
    GIN+BJ+354107380000001051
    GID+3+2:CT
    RFF+ON:PO-1
    EQD+TE+7843
    SEL+S-1
"""


@BOTH
def test_an_instruction_to_carry_is_a_load_tender_with_two_stops(version: str) -> None:
    tender = read_canonical(INSTRUCTION, "IFTMIN", version)
    assert (tender.number, tender.purpose, tender.carrier, tender.payment) == (
        *("LOAD-1", "original", "UPSN"),
        "prepaid",
    )
    assert (tender.weight, tender.weight_type, tender.packages, tender.trailers) == (
        *(Decimal(5472), "gross", 5),
        1,
    )
    assert tender.charges == Decimal("557.21")
    assert tender.dates == (Dated(type="document", on=dt.date(2026, 1, 4)),)
    assert [party.role for party in tender.parties] == ["bill_to"]
    assert (tender.legs[0].carrier, tender.legs[0].method, tender.legs[0].sequence) == ("UPSN", "motor", "B")
    assert (tender.equipment[0].number, tender.equipment[0].seals) == ("7843", ("S-1",))
    loading, unloading = tender.stops
    assert (loading.number, loading.reason) == (1, "complete_load")
    assert loading.dates == (Dated(type="pickup_not_before", on=DAY, time=dt.time(8, 0)),)
    assert (loading.parties[0].role, loading.parties[0].contacts[0].name) == ("consignor", "DOCK")
    assert loading.references == (Reference(type="shipment", value="88756818"),)
    assert [(order.purchase_order, len(order.goods)) for order in loading.orders] == [("PO-1", 2)]
    first = loading.orders[0].goods[0]
    assert (first.packaging, first.text, first.mark) == ("PLT", "PAPER IN ROLLS", "354107380000001051")
    assert first.load == Load("gross", Decimal(3000), "pound", packages=3)
    assert [goods.text for goods in loading.goods] == ["SAMPLES"]
    assert (unloading.number, unloading.reason, unloading.parties[0].role) == (
        *(2, "complete_unload"),
        "consignee",
    )
    assert unloading.dates == (Dated(type="requested_delivery", on=dt.date(2026, 1, 7)),)
    assert tender.purchase_orders == ("PO-1",)
    assert tender.extra == loading.extra == unloading.extra == ()


@pytest.mark.parametrize(
    "body",
    [
        "BGM+610+1+9\nTSR++2\nNAD+CN+1::9",
        "BGM+610+1+9\nTSR++7\nNAD+CZ+1::9\nNAD+CN+2::9",
        "BGM+610+1+9\nTSR++3\nNAD+BY+1::9",
        "BGM+610+1+9\nNAD+BY+1::9\nGID+1\nFTX+AAA+++PAPER",
        "BGM+610+1+9\nDTM+2:20260107:102\nNAD+CA+1::9",
    ],
)
def test_an_instruction_with_less_is_written_as_it_was(body: str) -> None:
    assert isinstance(read_canonical(body, "IFTMIN", "D.96A"), LoadTender)


# An instruction has no application, no times of their own kind, no load and no weights of orders at stops.
TENDER = test_written_planning.DOCUMENTS["204"]
assert isinstance(TENDER, LoadTender)
FIRST, LAST = TENDER.stops
INSTRUCTED = replace(
    TENDER,
    application=None,
    dates=(),
    stops=(
        replace(
            FIRST,
            dates=(Dated(type="requested_pickup", on=DAY, time=dt.time(8, 0)),),
            load=None,
            orders=(replace(FIRST.orders[0], weight=None, weight_unit=None),),
        ),
        LAST,
    ),
)


@BOTH
def test_a_load_tender_is_carried_by_an_instruction(version: str) -> None:
    rows = carried(INSTRUCTED, "IFTMIN", version)
    assert {"DTM+200:202601050800:203", "NAD+CA+UPSN::182", "GID+1", "RFF+ON:PO-1", "RFF+VN:SO-1"} <= set(
        rows
    )
    assert not any(row.startswith("TSR") for row in rows)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"application": "LT"}, "Instruction.application: the map has no place for it"),
        ({"stops": TENDER.stops}, "LoadTender.stops[0].load: the map has no place for it"),
        ({"stops": (*INSTRUCTED.stops, LAST)}, "LoadTender: would be read as another document"),
        (
            {"stops": (replace(INSTRUCTED.stops[0], reason="drop_trailer"),)},
            "LoadTender: would be read as another document",
        ),
        (
            {"stops": (replace(LAST, parties=(*LAST.parties, *LAST.parties)),)},
            "stops[0].parties: has to be one",
        ),
    ],
)
def test_what_an_instruction_to_carry_cannot_tell_is_refused(changes: dict[str, object], says: str) -> None:
    tender: LoadTender = replace(INSTRUCTED, **changes)
    with pytest.raises(CannotWrite) as refused:
        standard("IFTMIN").write(tender)
    assert any(says in problem.message for problem in refused.value.problems), refused.value.problems
