"""Documents about freight and payment made by hand, written as transactions that the full check accepts."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from maps_support import DAY, PLACE, accepted

from edi.documents import (
    Adjustment,
    BankAccount,
    Contact,
    Dated,
    Document,
    FreightCharge,
    FreightEvent,
    FreightInvoice,
    FreightInvoiceLine,
    FreightOrder,
    FreightProgress,
    FreightStatus,
    Goods,
    Load,
    PaidItem,
    Party,
    PaymentAdvice,
    RatedQuantity,
    Reference,
    Remittance,
    RoutedEquipment,
    RoutedService,
    RoutedShipment,
    RoutingDestination,
    RoutingInstructions,
    RoutingRequest,
    Trailer,
)

CONTACT = Contact(role="information", name="TRAFFIC", numbers={"phone": "3305550100"})
SHIP_FROM = Party(role="ship_from", name="WAREHOUSE 1", ids={"seller_assigned": "W1"}, address=PLACE)
CONSIGNEE = Party(
    role="consignee",
    name="STORE 12",
    ids={"buyer_assigned": "0012"},
    address=PLACE,
    references=(Reference(type="store", value="0012"),),
)
ORDER = FreightOrder(
    reference="SO-1",
    purchase_order="PO-1",
    packaging="carton",
    quantity=Decimal(12),
    weight=Decimal("240.5"),
    weight_unit="pound",
    volume=Decimal(30),
    volume_unit="cubic_foot",
)
EVENT = FreightEvent(
    status="departed_pickup",
    reason="accident",
    on=DAY,
    time=dt.time(13, 45),
    zone="ET",
    city="AKRON",
    state="OH",
    country="US",
    carrier="UPSN",
    trailer="7843",
    trailer_type="trailer",
)
BILL = Reference(type="bill_of_lading", value="BOL-1")

DOCUMENTS: dict[str, Document] = {
    "753": RoutingRequest(
        number="RR-1",
        purpose="original",
        requested_on=DAY,
        contacts=(CONTACT,),
        parties=(SHIP_FROM,),
        destinations=(
            RoutingDestination(
                role="ship_to",
                name="STORE 12",
                ids={"buyer_assigned": "0012"},
                address=PLACE,
                references=(Reference(type="department", value="038"),),
                dates=(Dated(type="ready_to_ship", on=DAY),),
                quantity=Decimal(2),
                packaging="pallet",
                stackable="yes",
                orders=(ORDER,),
            ),
        ),
    ),
    "754": RoutingInstructions(
        number="RI-1",
        purpose="original",
        issued_on=DAY,
        request="RR-1",
        contacts=(CONTACT,),
        parties=(SHIP_FROM,),
        shipments=(
            RoutedShipment(
                number=1,
                references=(Reference(type="load", value="L-1"),),
                carrier="UPSN",
                effective_on=DAY,
                services=(RoutedService(level="standard_ground", payment="collect"),),
                orders=(ORDER,),
                dates=(Dated(type="scheduled_pickup", on=DAY),),
                multi_stop="no",
                equipment=(
                    RoutedEquipment(
                        type="shipped",
                        quantity=Decimal(1),
                        length="5300",
                        height=Decimal(9),
                        width=Decimal(8),
                    ),
                ),
                parties=(Party(role="ship_to", name="STORE 12", address=PLACE),),
            ),
        ),
    ),
    "820": PaymentAdvice(
        amount=Decimal("980.50"),
        number="987654",
        trace_type="1",
        handling="advice_only",
        sign="credit",
        method="ach",
        format="CTX",
        paid_on=DAY,
        payer_account=BankAccount(
            bank_type="aba", bank="999999992", type="demand_deposit", number="12345678"
        ),
        payee_account=BankAccount(bank_type="aba", bank="199999999", type="checking", number="98765"),
        currency="USD",
        references=(Reference(type="internal_vendor", value="446963"),),
        dates=(Dated(type="created", on=DAY),),
        parties=(Party(role="payer", name="BIGMART"), Party(role="payee", name="US", address=PLACE)),
        remittances=(
            Remittance(
                number=1,
                items=(
                    PaidItem(
                        type="invoice",
                        number="INV-1",
                        action="on_account",
                        paid=Decimal("990.50"),
                        amount=Decimal("1010.50"),
                        discount=Decimal(20),
                        references=(Reference(type="purchase_order", value="PO-1"),),
                        dates=(Dated(type="invoice", on=DAY),),
                        adjustments=(
                            Adjustment(
                                amount=Decimal("-10.00"),
                                reason="damaged",
                                reference_type="buyer_credit_memo",
                                reference_number="CM-1",
                            ),
                        ),
                    ),
                ),
            ),
        ),
    ),
    "210": FreightInvoice(
        number="FB-1",
        shipment="BOL-1",
        payment="prepaid",
        invoiced_on=DAY,
        due=Decimal("124.17"),
        delivered_on=DAY,
        delivered_type="delivered",
        carrier="UPSN",
        currency="USD",
        references=(BILL, Reference(type="purchase_order", value="PO-1")),
        dates=(Dated(type="actual_pickup", on=DAY),),
        parties=(SHIP_FROM, CONSIGNEE),
        equipment=(Trailer(initial="UPSN", number="7843", type="trailer"),),
        lines=(
            FreightInvoiceLine(
                number=1,
                goods=(Goods(line=1, text="FILM", commodity="156830", commodity_type="N"),),
                quantities=(
                    RatedQuantity(
                        line=1,
                        weight=Decimal(1340),
                        weight_type="gross",
                        weight_unit="pound",
                        packages=1,
                        packaging="pallet",
                    ),
                ),
                charges=(
                    FreightCharge(
                        line=1,
                        rate=Decimal("41.93"),
                        rate_basis="hundredweight",
                        amount=Decimal("561.86"),
                    ),
                ),
            ),
            FreightInvoiceLine(
                number=2,
                charges=(FreightCharge(line=2, amount=Decimal("-449.49"), code="discount"),),
            ),
            FreightInvoiceLine(
                number=3,
                charges=(FreightCharge(line=3, amount=Decimal("11.80"), code="fuel"),),
            ),
        ),
        weight=Decimal(1340),
        weight_type="gross",
        weight_unit="pound",
        charges=Decimal("124.17"),
        packages=1,
    ),
}
STATUS = FreightStatus(
    number="PRO-1",
    shipment="BOL-1",
    carrier="UPSN",
    progress=(
        FreightProgress(
            number=1,
            events=(EVENT,),
            references=(Reference(type="stop_sequence", value="1"),),
            loads=(
                Load(weight_type="gross", weight=Decimal(1340), weight_unit="pound", packages=10, unitized=1),
            ),
            notes=("CALL FIRST",),
        ),
    ),
)


def test_a_status_names_its_parties_at_the_head_in_004010_and_with_each_progress_in_005010() -> None:
    named = FreightStatus(
        number=STATUS.number,
        shipment=STATUS.shipment,
        references=(BILL,),
        parties=(CONSIGNEE,),
        progress=STATUS.progress,
        carrier="UPSN",
    )
    tags = [row[0] for row in accepted(named, "214", "004010")]
    assert tags[:7] == ["B10", "L11", "N1", "N3", "N4", "L11", "LX"]
    (progress,) = STATUS.progress
    inside = FreightStatus(
        number=STATUS.number,
        shipment=STATUS.shipment,
        carrier="UPSN",
        reported_on=DAY,
        progress=(
            FreightProgress(
                number=1, events=progress.events, references=(BILL,), orders=(ORDER,), parties=(CONSIGNEE,)
            ),
        ),
    )
    tags = [row[0] for row in accepted(inside, "214", "005010")]
    assert tags == ["B10", "LX", "L11", "AT7", "MS1", "MS2", "N1", "N3", "N4", "L11", "OID"]


def test_a_routing_request_tells_where_from_before_where_to() -> None:
    rows = accepted(DOCUMENTS["753"], "753", "005010")
    names = [row[1] for row in rows if row[0] in ("N1", "LX")]
    assert names == ["SF", "1", "ST"]


def test_a_carrier_writes_money_in_cents_and_a_remittance_does_not() -> None:
    rows = accepted(DOCUMENTS["210"], "210", "004010")
    assert next(row[7] for row in rows if row[0] == "B3") == "12417"
    assert [row[4] for row in rows if row[0] == "L1"] == ["56186", "-44949", "1180"]
    rows = accepted(DOCUMENTS["820"], "820", "004010")
    assert next(row[4:7] for row in rows if row[0] == "RMR") == ["990.50", "1010.50", "20"]
    assert next(row[1:] for row in rows if row[0] == "ADX") == ["-10.00", "04", "CM", "CM-1"]
