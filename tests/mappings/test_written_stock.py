"""Documents about stock, returns and verdicts made by hand, written as the full check accepts them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from maps_support import BUYER, DAY, LATER, PLACE, SAMPLES, accepted, checked, interchange, standard

from edi.documents import (
    AdjustmentLine,
    Amount,
    ApplicationAdvice,
    ApplicationError,
    CodedFacts,
    Contact,
    Dated,
    Disposition,
    Document,
    ErrorContext,
    Industry,
    InventoryAdjustment,
    InventoryPosition,
    Lading,
    LeadTime,
    Mark,
    Measure,
    Note,
    Packing,
    PalletCount,
    Party,
    Piece,
    PositionLine,
    Price,
    ReceiptException,
    ReceiptLine,
    ReceivedPallet,
    Reference,
    RelatedData,
    ReturnAuthorization,
    ReturnedQuantity,
    ReturnLine,
    Schedule,
    StockQuantity,
    StockReceipt,
    StockTransfer,
    Temperature,
    TransferLine,
    Transport,
    Verdict,
)
from edi.problems import CannotWrite, Fault

WAREHOUSE = Party(role="warehouse", name="DEPOT 1", ids={"duns_4": "1234567890001"}, address=PLACE)
DEPOSITOR = Party(role="depositor", name="NORTHWIND")
DOCK = Contact(role="receiving", name="DOCK", numbers={"phone": "3305550100"})
IDS = {"vendor": "AB1", "upc": "012345678905"}

RECEIVED = ReceiptLine(
    received=Decimal(118),
    unit="case",
    ids={"upc_case_code": "001234567890", "vendor": "AB1", "lot": "L-7"},
    lot="W-99",
    description=("BLUE WIDGET",),
    references=(Reference(type="lot", value="L-7"),),
    packing=(Packing(pack=12, weight=Decimal(1800), weight_type="net", weight_unit="pound"),),
    exceptions=(
        ReceiptException(
            quantity=Decimal(2),
            unit="case",
            condition="damaged",
            damage_reason="load_shifted",
            references=(Reference(type="lot", value="L-7"),),
        ),
    ),
)
RECEIPT = StockReceipt(
    number="WR-1",
    received_on=DAY,
    reporting="full",
    transfer="ST-1",
    shipment="BOL-1",
    time_type="actual_delivery",
    time=dt.time(9, 30),
    parties=(WAREHOUSE,),
    references=(Reference(type="purchase_order", value="PO-1"),),
    contacts=(DOCK,),
    dates=(Dated(type="delivered", on=DAY),),
    notes=(Note(type="GEN", text="ONE PALLET LEANED"),),
    transport=Transport(
        method="motor",
        ids={"scac": "UPSN"},
        equipment_initial="UPS",
        equipment_number="48213",
        seals=("S-1001", "S-1002"),
        seal_status="intact",
        unit_load="palletized",
    ),
    temperatures=(Temperature(at="tail", value=Decimal(38), unit="FA"),),
    pallet_counts=(PalletCount(received=10, returned=9, contested=Decimal(1), condition="damaged"),),
    lines=(RECEIVED,),
    received=Decimal(118),
    shipped=Decimal(120),
    damaged=Decimal(2),
)

DOCUMENTS: dict[str, Document] = {
    "943": StockTransfer(
        number="ST-1",
        reporting="full",
        shipped_on=DAY,
        shipment="BOL-1",
        purchase_order="PO-1",
        parties=(WAREHOUSE, DEPOSITOR),
        references=(Reference(type="bill_of_lading", value="BOL-1"),),
        contacts=(DOCK,),
        dates=(Dated(type="estimated_delivery", on=LATER),),
        notes=(Note(type="GEN", text="CALL BEFORE UNLOADING"),),
        transport=Transport(
            method="motor",
            ids={"scac": "UPSN"},
            payment="prepaid",
            equipment="refrigerated",
            equipment_initial="UPS",
            equipment_number="48213",
            consolidation="not_consolidated",
            unit_load="palletized",
            pallets=10,
            pallet_exchange="exchange",
            seals=("S-1001", "S-1002"),
            temperature=Decimal(34),
            temperature_unit="FA",
            second_temperature=Decimal(40),
            second_temperature_unit="FA",
        ),
        lines=(
            TransferLine(
                shipped=Decimal(120),
                unit="case",
                ids={"upc_case_code": "001234567890", "vendor": "AB1"},
                pallet_pattern="012005",
                hold="quality_control",
                description=("BLUE WIDGET",),
                references=(Reference(type="lot", value="L-7"),),
                packing=(Packing(pack=12, weight=Decimal(1800), weight_type="gross", weight_unit="pound"),),
            ),
        ),
        shipped=Decimal(120),
        weight=Decimal(1800),
        weight_unit="pound",
    ),
    "947": InventoryAdjustment(
        adjusted_on=DAY,
        number="ADJ-1",
        depositor_number="OURS-1",
        purpose="original",
        parties=(WAREHOUSE, DEPOSITOR),
        references=(Reference(type="warehouse_receipt", value="WR-1"),),
        notes=(Note(type="GEN", text="CYCLE COUNT"),),
        lines=(
            AdjustmentLine(
                reason="damaged_in_facility",
                quantity=Decimal(-3),
                unit="case",
                ids=IDS,
                lot="W-99",
                weight=Decimal(45),
                weight_type="gross",
                weight_unit="pound",
                stock="saleable",
                purchase_order="PO-1",
                description=("BLUE WIDGET",),
                references=(Reference(type="lot", value="L-7"),),
                amounts=(Amount(type="total", amount=Decimal("36.30")),),
                dates=(Dated(type="expiration", on=LATER),),
                pieces=(Piece(number=1, references=(Reference(type="serial", value="SN-1"),)),),
            ),
            AdjustmentLine(reason="physical_count", quantity=Decimal(5), unit="each", ids={"vendor": "AB2"}),
        ),
    ),
    "846": InventoryPosition(
        number="IP-1",
        reported_on=DAY,
        reported_time=dt.time(6, 0),
        purpose="original",
        type="seller",
        currency="USD",
        references=(Reference(type="internal_vendor", value="446963"),),
        parties=(BUYER,),
        lines=(
            PositionLine(
                number="1",
                ids=IDS,
                unit="each",
                price=Decimal("3.25"),
                description="BLUE WIDGET",
                dates=(Dated(type="available", on=DAY),),
                prices=(Price(type="retail", price=Decimal("9.99")),),
                lead_times=(LeadTime(type="AE", quantity=Decimal(3), period="DA"),),
                quantities=(
                    StockQuantity(type="available", quantity=Decimal(480), unit="each"),
                    StockQuantity(
                        type="on_order",
                        quantity=Decimal(1200),
                        unit="each",
                        schedules=(
                            Schedule(
                                quantity=Decimal(1200), unit="each", type="estimated_delivery", on=LATER
                            ),
                        ),
                    ),
                ),
                parties=(WAREHOUSE,),
            ),
        ),
    ),
    "180": ReturnAuthorization(
        number="RMA-1",
        issued_on=DAY,
        purpose="response",
        request="REQ-9",
        disposition=Disposition(action="partially_authorized"),
        purchase_order="PO-1",
        ordered_on=DAY,
        references=(Reference(type="return_authorization", value="RMA-1"),),
        contacts=(Contact(role="general", name="RETURNS", numbers={"phone": "3305550100"}),),
        claim=Decimal("16.25"),
        claim_action="return_authorized",
        lading=(Lading(packages=1, weight_type="gross", weight=Decimal(12), weight_unit="pound"),),
        notes=(Note(type="GEN", text="PREPAID LABEL ENCLOSED"),),
        parties=(Party(role="ship_to", name="RETURNS DOCK", address=PLACE),),
        lines=(
            ReturnLine(
                ids=IDS,
                quantity=Decimal(5),
                unit="each",
                price_type="net",
                price=Decimal("3.25"),
                price_unit="each",
                disposition=Disposition(
                    action="return_authorized", reason="defective_consumer_return", used="yes"
                ),
                description="BLUE WIDGET",
                references=(Reference(type="invoice", value="INV-1"),),
                amounts=(Amount(type="total", amount=Decimal("16.25")),),
                measures=(Measure(of="PD", type="G", value=Decimal(12), unit="pound"),),
                dates=(Dated(type="invoice", on=DAY),),
                facts=(CodedFacts(agency="VI", codes=(Industry(list="AS", code="C1"),)),),
                quantities=(
                    ReturnedQuantity(
                        type="returned",
                        quantity=Decimal(5),
                        unit="each",
                        pieces=(
                            Piece(number=1, references=(Reference(type="serial", value="SN-1"),)),
                            Piece(number=2, references=(Reference(type="serial", value="SN-2"),)),
                        ),
                    ),
                ),
            ),
            ReturnLine(
                ids={"vendor": "AB2"},
                quantity=Decimal(1),
                unit="each",
                disposition=Disposition(action="denied", answer="time_limit_exceeded"),
            ),
        ),
    ),
    "824": ApplicationAdvice(
        number="ADV-1",
        advised_on=DAY,
        advised_time=dt.time(8, 15),
        purpose="original",
        parties=(BUYER,),
        verdicts=(
            Verdict(
                status="rejected",
                number_type="invoice",
                number="INV-1",
                sender="NORTHWIND",
                receiver="BIGMART",
                sent_on=DAY,
                group_control_number="17",
                control_number="0017",
                transaction_set="810",
                references=(Reference(type="purchase_order", value="PO-1"),),
                amounts=(Amount(type="total", amount=Decimal("36.30")),),
                errors=(
                    ApplicationError(
                        code="missing_or_invalid_unit_cost",
                        message="COST IS NOT THAT OF THE ORDER",
                        segment="IT1",
                        position=9,
                        element=4,
                        data_element="212",
                        value="3.25",
                        should_be="3.2",
                        notes=(Note(type="GEN", text="SEE ORDER"),),
                        related=(RelatedData(text="PO-1", type="PO"),),
                    ),
                ),
            ),
            Verdict(status="accepted", number_type="invoice", number="INV-2"),
        ),
    ),
}


def test_a_receipt_tells_its_lines_at_the_top_in_004010_and_by_pallet_in_005010() -> None:
    rows = accepted(RECEIPT, "944", "004010")
    assert [row[0] for row in rows][-7:] == ["W07", "G69", "N9", "W20", "W13", "N9", "W14"]
    pallet = ReceivedPallet(
        number=1,
        marks=(Mark(type="sscc", number="00006141410000000015"),),
        type="wood",
        tiers=5,
        blocks=12,
        references=(Reference(type="lot", value="L-7"),),
        lines=(RECEIVED,),
    )
    lading = (Lading(packages=10, packaging="PLT94"),)
    by_pallet = StockReceipt(
        number="WR-1",
        received_on=DAY,
        reporting="full",
        parties=(Party(role="warehouse", name="DEPOT 1"),),
        lading=lading,
        pallets=(pallet,),
        received=Decimal(118),
    )
    rows = accepted(by_pallet, "944", "005010")
    assert [row[0] for row in rows[4:]] == ["MAN", "PAL", "N9", "W07", "G69", "N9", "W20", "W13", "N9", "W14"]
    assert RECEIPT.received_lines == by_pallet.received_lines == (RECEIVED,)


def test_lines_of_a_receipt_are_not_lost_where_the_version_wants_them_by_pallet() -> None:
    with pytest.raises(CannotWrite, match="lines"):
        standard("944", "005010").write(RECEIPT)


def test_a_correction_below_zero_takes_stock_away() -> None:
    rows = accepted(DOCUMENTS["947"], "947", "004010")
    assert [row[1:4] for row in rows if row[0] == "W19"] == [["AU", "-3", "CA"], ["AA", "5", "EA"]]


def test_what_is_available_is_found_among_the_quantities_of_an_item() -> None:
    position = DOCUMENTS["846"]
    assert isinstance(position, InventoryPosition)
    assert position.lines[0].quantity("available") == Decimal(480)
    assert position.lines[0].quantity("on_hold") is None
    assert ["CTT", "1"] in accepted(position, "846", "004010")


def test_an_error_in_a_component_is_told_in_005010_with_what_is_around_it() -> None:
    error = ApplicationError(
        code="duplicate_sscc",
        segment="MAN",
        position=12,
        element=2,
        component=1,
        data_element="87",
        contexts=(ErrorContext(name="SSCC", value="00006141410000000015", segment="HL", position=11),),
    )
    verdict = Verdict(status="on_hold", number_type="shipment", number="SH-1", errors=(error,))
    advice = ApplicationAdvice(number="ADV-2", advised_on=DAY, purpose="original", verdicts=(verdict,))
    rows = accepted(advice, "824", "005010")
    assert rows[-2:] == [
        ["TED", "121", "", "MAN", "12", "2>1", "87"],
        ["CTX", "SSCC>00006141410000000015", "HL", "11"],
    ]


def test_a_verdict_on_several_documents_tells_which_are_refused_and_which_orders_they_are_of() -> None:
    advice = DOCUMENTS["824"]
    assert isinstance(advice, ApplicationAdvice)
    assert [verdict.refused for verdict in advice.verdicts] == [True, False]
    assert advice.purchase_orders == ("PO-1",)


def test_an_inventory_report_as_retailers_want_it_leaves_nothing_aside() -> None:
    data = interchange(
        """
        ST*846*0001
        BIA*00*DD*IR-1*20260105*0600
        REF*IA*446963
        N1*ST*BIGMART*92*0001
        LIN*1*UP*012345678905*VN*AB1*LT*L-7
        PID*F*08***BLUE WIDGET
        DTM*036*20270105
        CTP**UCP*3.25*1*EA
        REF*DP*038
        SDQ*EA*92*0012*11*0044*7
        QTY*33*480*EA
        QTY*QH*3*EA
        LIN*2*UP*012345678912
        QTY*33*0*EA
        SCH*50*EA***018*20260112
        CTT*2
        """,
        functional_id="IB",
    )
    transaction, check = checked(data)
    assert check.problems == ()
    position, problems = standard("846").read(check.rows, check.places, transaction.separators)
    assert problems == ()
    assert isinstance(position, InventoryPosition)
    first, second = position.lines
    assert (position.type, first.ids) == (
        "distributor",
        {"upc": "012345678905", "vendor": "AB1", "lot": "L-7"},
    )
    assert (first.quantity("available"), first.quantity("on_hold")) == (Decimal(480), Decimal(3))
    assert first.distributions[0].quantities == {"0012": "11", "0044": "7"}
    assert first.date("expiration") == dt.date(2027, 1, 5)
    assert (second.quantity("available"), second.quantities[0].schedules[0].on) == (Decimal(0), LATER)
    assert position.extra == first.extra == second.extra == ()


def test_a_receipt_of_a_real_warehouse_tells_what_came_in_which_lots() -> None:
    name = "944/mvogttech_node-x12-edi__examples_944.edi"
    transaction, check = checked((SAMPLES / name).read_bytes())
    receipt, problems = standard("944", "004010").read(check.rows, check.places, transaction.separators)
    assert problems == ()
    assert isinstance(receipt, StockReceipt)
    assert (receipt.number, receipt.transfer, receipt.received) == ("4280", "0450366097", Decimal(600))
    assert receipt.transport == Transport(
        method="motor_common", ids={"scac": "0000"}, equipment_number="1234", seals=("123456789",)
    )
    assert [line.lot for line in receipt.lines] == [f"2241396{n}" for n in range(2, 7)]
    assert {line.received for line in receipt.lines} == {Decimal(120)}
    assert receipt.lines[0].packing[0].weight == Decimal(1800)


@pytest.mark.parametrize(
    ("transaction_set", "total", "wrong"),
    [("943", "W03*120*", "W03*121*"), ("944", "W14*118*", "W14*119*"), ("846", "CTT*1", "CTT*2")],
)
def test_a_total_that_is_not_that_of_the_lines_is_told(transaction_set: str, total: str, wrong: str) -> None:
    document = RECEIPT if transaction_set == "944" else DOCUMENTS[transaction_set]
    rows = accepted(document, transaction_set, "004010")
    body = "\n".join("*".join(row) for row in rows)
    assert body.count(total) == 1
    functional_id = {"943": "AR", "944": "RE", "846": "IB"}[transaction_set]
    text = f"ST*{transaction_set}*0001\n{body.replace(total, wrong)}"
    _, check = checked(interchange(text, functional_id=functional_id))
    assert [problem.fault for problem in check.problems] == [Fault.TOTAL_MISMATCH]
