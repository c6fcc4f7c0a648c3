"""Answers to orders, changes and grocery documents made by hand, written as the full check accepts them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from maps_support import (
    DAY,
    LATER,
    SAMPLES,
    SHIP_TO,
    accepted,
    checked,
    each,
    flat,
    interchange,
    standard,
)

from edi.documents import (
    Acknowledgment,
    AnsweredComponent,
    AnsweredLine,
    ChangedLine,
    Charge,
    Contact,
    Dated,
    Destination,
    Distribution,
    Document,
    FreightTerms,
    Invoice,
    InvoiceLine,
    LineAnswer,
    Message,
    Note,
    OrderAcknowledgment,
    OrderChange,
    OrderLine,
    Packing,
    Price,
    QuantityDifference,
    Reference,
    Routing,
    SalesOrder,
    Schedule,
    Tax,
    Terms,
)
from edi.problems import CannotWrite

BUYER = Contact(role="buyer", name="ANN", numbers={"email": "ann@example.com"})
IDS = {"upc": "012345678905", "vendor": "AB-1"}
CASE = {"upc_case_code": "000123456789", "buyer_item": "77"}
TERMS = Terms(type="01", basis="3", discount_percent=Decimal(2), discount_days=10, net_days=30)
DEAL = Charge(
    kind="pickup_allowance", method="02", reference="DEAL-7", rate=Decimal("-0.25"), quantity=Decimal(10),
    unit="case", description="SPRING",
)  # fmt: skip

DOCUMENTS: dict[str, Document] = {
    "855": OrderAcknowledgment(
        number="PO-1",
        answer="acknowledged_with_changes",
        purpose="original",
        ordered_on=DAY,
        answered_on=LATER,
        sales_order="SO-9",
        contract="C-1",
        currency="USD",
        references=(Reference(type="department", value="038"),),
        contacts=(BUYER,),
        freight=(FreightTerms(payment="collect"),),
        terms=(TERMS,),
        dates=(Dated(type="scheduled_ship", on=LATER),),
        routing=(Routing(ids={"scac": "UPSN"}, method="motor_common"),),
        taxes=(Tax(type="state_sales", amount=Decimal("1.25")),),
        messages=(Message(type="mutual", value="NOTE", text=("TWO CARTONS",)),),
        parties=(SHIP_TO,),
        lines=(
            AnsweredLine(
                number="1",
                quantity=Decimal(10),
                unit="each",
                price=Decimal("9.50"),
                ids=IDS,
                description="WIDGET",
                prices=(Price(type="retail", price=Decimal("19.99"), quantity=Decimal(1), unit="each"),),
                answers=(
                    LineAnswer(
                        status="accepted",
                        quantity=Decimal(6),
                        unit="each",
                        date_type="scheduled_ship",
                        on=LATER,
                    ),
                    LineAnswer(
                        status="back_ordered",
                        quantity=Decimal(4),
                        unit="each",
                        dates=(Dated(type="estimated_delivery", on=dt.date(2026, 2, 1)),),
                    ),
                    LineAnswer(status="accepted_substituted", ids={"vendor": "AB-2"}),
                ),
                schedules=(Schedule(quantity=Decimal(6), unit="each", type="scheduled_ship", on=LATER),),
                components=(
                    AnsweredComponent(
                        number="1",
                        relationship="I",
                        quantity=Decimal(1),
                        unit="each",
                        ids={"vendor": "PART"},
                        answers=(LineAnswer(status="accepted"),),
                    ),
                ),
            ),
        ),
        total=Decimal(95),
    ),
    "860": OrderChange(
        number="PO-1",
        sequence="2",
        ordered_on=DAY,
        changed_on=LATER,
        purpose="change",
        type="stand_alone",
        sales_order="SO-9",
        references=(Reference(type="department", value="038"),),
        dates=(Dated(type="cancel_after", on=LATER),),
        parties=(SHIP_TO,),
        lines=(
            ChangedLine(
                number="1",
                change="decrease_quantity",
                quantity=Decimal(8),
                outstanding=Decimal(2),
                unit="each",
                price=Decimal("9.50"),
                ids=IDS,
                description="WIDGET",
                distributions=(
                    Distribution(
                        unit="each", id_type="buyer_assigned", quantities={"0012": "5", "0044": "3"}
                    ),
                ),
                notes=("CUT AT DEPOT",),
            ),
            ChangedLine(number="2", change="delete", ids={"vendor": "AB-2"}),
        ),
        total=Decimal(76),
    ),
    "865": OrderAcknowledgment(
        number="PO-1",
        answer="accepted",
        purpose="original",
        ordered_on=DAY,
        answered_on=LATER,
        sales_order="SO-9",
        sequence="2",
        changed_on=LATER,
        type="stand_alone",
        parties=(SHIP_TO,),
        lines=(
            AnsweredLine(
                number="1",
                change="decrease_quantity",
                quantity=Decimal(8),
                outstanding=Decimal(2),
                unit="each",
                ids=IDS,
                answers=(LineAnswer(status="accepted_quantity_changed", quantity=Decimal(8), unit="each"),),
                notes=("DONE",),
            ),
        ),
    ),
    "875": SalesOrder(
        number="PO-1",
        ordered_on=DAY,
        purpose="original",
        type="stand_alone",
        references=(Reference(type="promotion", value="P-1"),),
        contacts=(BUYER,),
        dates=(Dated(type="requested_delivery", on=LATER),),
        notes=(Note(type="GEN", text="CALL FIRST"),),
        routing=(Routing(payment="prepaid", method="motor", description="ANY"),),
        terms=(TERMS,),
        parties=(SHIP_TO,),
        charges=(DEAL,),
        lines=(
            OrderLine(
                quantity=Decimal(10),
                unit="case",
                price=Decimal("12.40"),
                ids=CASE,
                description="SOUP 12 OZ",
                more_description=(Note(text="TOMATO"),),
                packing=(Packing(pack=24, size=Decimal(12), unit="ounce", inner_pack=6),),
                references=(Reference(type="promotion", value="P-2"),),
                charges=(DEAL,),
                destinations=(
                    Destination(
                        role="ship_to",
                        ids={"buyer_assigned": "0012"},
                        quantity_type="discrete",
                        quantity=Decimal(4),
                        unit="case",
                    ),
                ),
            ),
        ),
        quantity=Decimal(10),
        quantity_unit="case",
        weight=Decimal(180),
        weight_unit="pound",
        total=Decimal("124.00"),
    ),
    "880": Invoice(
        number="INV-1",
        invoiced_on=LATER,
        ordered_on=DAY,
        purchase_order="PO-1",
        sales_order="SO-9",
        references=(Reference(type="bill_of_lading", value="BOL-1"),),
        dates=(Dated(type="shipped", on=LATER),),
        notes=(Note(type="GEN", text="THANK YOU"),),
        routing=(Routing(ids={"scac": "UPSN"}, method="motor"),),
        terms=(TERMS,),
        freight=(FreightTerms(payment="prepaid", location_type="02"),),
        parties=(SHIP_TO,),
        charges=(DEAL,),
        lines=(
            InvoiceLine(
                quantity=Decimal(8),
                unit="case",
                price=Decimal("12.40"),
                ids=CASE,
                amount=Decimal("99.20"),
                description="SOUP 12 OZ",
                more_description=(Note(text="TOMATO"),),
                packing=(Packing(pack=24, size=Decimal(12), unit="ounce"),),
                differences=(
                    QuantityDifference(
                        shipped=Decimal(8), unit="case", difference=Decimal(2), status="back_ordered"
                    ),
                ),
                charges=(DEAL,),
            ),
        ),
        shipped=Decimal(8),
        shipped_unit="case",
        weight=Decimal(144),
        weight_unit="pound",
        total=Decimal("97.20"),
    ),
}


@each(DOCUMENTS)
def test_each_set_begins_with_a_segment_of_its_own(transaction_set: str, version: str) -> None:
    rows = accepted(DOCUMENTS[transaction_set], transaction_set, version)
    assert (
        rows[0][0] == {"855": "BAK", "860": "BCH", "865": "BCA", "875": "G50", "880": "G01"}[transaction_set]
    )


def test_an_answer_says_whether_it_is_about_an_order_or_about_a_change_of_it() -> None:
    first, second = DOCUMENTS["855"], DOCUMENTS["865"]
    assert isinstance(first, OrderAcknowledgment)
    assert isinstance(second, OrderAcknowledgment)
    assert (first.answers_change, second.answers_change) == (False, True)
    assert OrderAcknowledgment(number="1", lines=(AnsweredLine(change="add"),)).answers_change
    with pytest.raises(CannotWrite, match="sequence"):
        standard("855").write(second)


def read(name: str) -> Any:
    transaction, check = checked((SAMPLES / name).read_bytes())
    map = standard(transaction.type, transaction.version)
    document, problems = map.read(check.rows, check.places, transaction.separators)
    assert problems == ()
    assert document is not None
    rows = flat(map.write(document), transaction.separators)
    assert [row for row in rows if row != ["CTT", "0"]] == check.rows[1:-1]
    return document


def test_an_855_tells_what_the_seller_says_of_each_line() -> None:
    answer = read("855/kputnam_stupidedi__pass_po-ack-minor-changes.edi")
    assert (answer.number, answer.answer, answer.ordered_on) == (
        "XX-1234",
        "acknowledged_with_changes",
        dt.date(2017, 4, 6),
    )
    first, second, third = answer.lines
    assert [said.status for said in first.answers] == [
        "accepted_price_changed",
        "accepted_rescheduled",
        "accepted_quantity_changed",
        "accepted_substituted",
    ]
    assert first.answers[1].on == dt.date(2017, 5, 20)
    assert first.answers[2].quantity == Decimal(20)
    assert first.answers[3].ids == {"manufacturer": "XX-1234-A"}
    assert first.prices[0].price == Decimal(9)
    assert [second.answers[0].status, third.answers[0].status] == ["accepted", "rejected"]


def test_an_855_may_confirm_a_line_in_parts() -> None:
    answer = read("855/kputnam_stupidedi__pass_po-ack-ship-details.edi")
    assert [(part.quantity, part.on) for part in answer.lines[0].schedules] == [
        (Decimal(12), dt.date(2017, 5, 1)),
        (Decimal(13), dt.date(2017, 5, 15)),
    ]


def test_an_860_tells_which_order_is_changed_and_when() -> None:
    change = read("860/hellooops_vscode-edi-support__docs_multiple_transactions.x12")
    assert (change.number, change.purpose, change.ordered_on, change.changed_on) == (
        "PO001",
        "change",
        dt.date(2023, 10, 25),
        dt.date(2023, 11, 14),
    )


def test_a_999_keeps_the_context_of_what_it_finds() -> None:
    answer = read("999/xlate_staedi__x12_simple999.edi")
    assert isinstance(answer, Acknowledgment)
    (segment,) = answer.transactions[1].segments
    assert [(context.name, context.value) for context in segment.contexts] == [("CLM01", "123456789")]
    trigger = answer.transactions[2].segments[0].contexts[0]
    assert (trigger.segment, trigger.position, trigger.element, trigger.data_element) == (
        "CLM",
        43,
        5,
        "1325",
    )


GROCERY = """
ST*875*0001
G50*N*20260105*PO-1
N9*PD*P-1**20260101
G62*02*20260112
N1*ST*STORE 12*92*0012
G68*10*CA*12.4*000123456789*IN*77
G69*SOUP 12 OZ
G69*TOMATO
G70*24*12*OZ
G72*54*02*DEAL-7**-0.25*10*CA
G73*SPRING
G73*BUY NOW
N1*ST*STORE 12*92*0012
QTY*01*4*CA
G76*10*CA
"""


def test_a_grocery_order_is_a_sales_order() -> None:
    transaction, check = checked(interchange(GROCERY, functional_id="OG"))
    map = standard("875")
    order, problems = map.read(check.rows, check.places, transaction.separators)
    assert problems == ()
    assert isinstance(order, SalesOrder)
    assert (order.number, order.purpose, order.date("requested_delivery")) == ("PO-1", "original", LATER)
    (line,) = order.lines
    assert (line.description, [note.text for note in line.more_description]) == ("SOUP 12 OZ", ["TOMATO"])
    assert (line.charges[0].kind, line.charges[0].rate) == ("pickup_allowance", Decimal("-0.25"))
    assert line.charges[0].extra == (("G73", "BUY NOW"),)
    assert (line.destinations[0].ids, line.destinations[0].quantity) == (
        {"buyer_assigned": "0012"},
        Decimal(4),
    )
    assert flat(map.write(order)) == check.rows[1:-1]


def test_an_order_for_many_stores_says_how_much_each_gets() -> None:
    body = """
    ST*850*0001
    BEG*00*SA*PO-1**20260105
    PO1*1*10*EA*9.5**UP*012345678905
    CTP**RTL*19.99
    SDQ*EA*92*0012*6*0044*4
    CTT*1
    """
    transaction, check = checked(interchange(body))
    order, _ = standard("850").read(check.rows, check.places, transaction.separators)
    assert isinstance(order, SalesOrder)
    (line,) = order.lines
    assert line.distributions[0].quantities == {"0012": "6", "0044": "4"}
    assert (line.prices[0].type, line.prices[0].price) == ("retail", Decimal("19.99"))


RETAILERS = {
    "855": (
        "PR",
        """
        ST*855*0001
        BAK*00*AC*PO-1*20260105****SO-1*20260106
        REF*DP*038
        DTM*068*20260112
        N1*ST*STORE 12*92*0012
        PO1*1*12*EA*2.5*PE*UP*012345678905*VN*AB1
        PID*F*08***BLUE WIDGET
        ACK*IB*12*EA*068*20260119
        PO1*2*4*EA*10**UP*012345678912
        ACK*IS*4*EA****UP*012345678929
        CTT*2
        """,
    ),
    "860": (
        "PC",
        """
        ST*860*0001
        BCH*04*SA*PO-1**1*20260105*****20260108
        REF*DP*038
        REF*IA*446963
        FOB*PP
        DTM*001*20260120
        DTM*037*20260110
        N1*ST*STORE 12*92*0012
        POC*1*QI*18*6*EA*2.5*PE*UP*012345678905*VN*AB1
        PID*F*08***BLUE WIDGET
        SDQ*EA*92*0012*11*0044*7
        POC*2*DI*4*4*EA*10**UP*012345678912
        CTT*2
        """,
    ),
    "865": (
        "CA",
        """
        ST*865*0001
        BCA*04*AT*PO-1**1*20260105***SO-1*20260109*20260108
        N1*ST*STORE 12*92*0012
        POC*1*QI*18*6*EA*2.5*PE*UP*012345678905*VN*AB1
        ACK*IA*18*EA*068*20260112
        CTT*1
        """,
    ),
    "875": (
        "OG",
        """
        ST*875*0001
        G50*N*20260105*PO-1
        N9*DP*038
        G61*BD*A BUYER*TE*3305550100
        G62*02*20260112
        NTE*DEL*CALL FIRST
        G66*PP*M
        G23*08*3*****10**30
        N1*ST*DC 4*9*1234567890004
        G68*40*CA*18.4*012345678905*VN*AB1
        G69*BEANS
        G70*12*14*OZ
        G72*54*02******-250
        G76*40*CA*600*LB
        """,
    ),
    "880": (
        "GP",
        """
        ST*880*0001
        G01*20260112*INV-1*20260105*PO-1
        N9*BM*BOL-1
        G62*11*20260112
        G23*08*3*****10**30
        N1*ST*DC 4*9*1234567890004
        G17*40*CA*18.4*012345678905*VN*AB1
        G69*BEANS
        G31*40*CA*600*LB
        G33*73600
        """,
    ),
}


def every(value: Any) -> Iterator[Any]:
    """A document and everything in it."""
    yield value
    fields = value.__struct_fields__ if isinstance(value, msgspec.Struct) else ()
    inner = value if isinstance(value, tuple) else [getattr(value, name) for name in fields]
    for part in inner:
        if isinstance(part, msgspec.Struct | tuple):
            yield from every(part)


@pytest.mark.parametrize("kind", RETAILERS)
def test_what_retailers_and_their_suppliers_use_of_a_set_is_all_in_fields(kind: str) -> None:
    functional_id, body = RETAILERS[kind]
    transaction, check = checked(interchange(body, functional_id=functional_id))
    assert check.problems == ()
    document, problems = standard(kind).read(check.rows, check.places, transaction.separators)
    assert problems == ()
    assert document is not None
    structs = [part for part in every(document) if isinstance(part, msgspec.Struct)]
    assert len(structs) >= 4
    assert [part for part in structs if getattr(part, "extra", ())] == []
    assert flat(standard(kind).write(document), transaction.separators) == check.rows[1:-1]
