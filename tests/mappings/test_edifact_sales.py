"""Invoices, answers to orders, changes, receipts, payments and verdicts in EDIFACT, as EANCOM has them.

For each message a canonical one in each directory and the document in it, and a document of the X12 set with
the same contents, less what the message has no place for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
import test_written_freight
import test_written_orders
import test_written_planning
import test_written_sets
import test_written_stock
from maps_support import DAY, LATER, carried, message, standard, told
from msgspec.structs import replace

from edi import edifact
from edi.documents import (
    Address,
    Adjustment,
    Amount,
    AnsweredLine,
    ApplicationAdvice,
    ApplicationError,
    BankAccount,
    ChangedLine,
    Charge,
    Contact,
    Dated,
    Detail,
    Discrepancy,
    Document,
    FreightTerms,
    Invoice,
    InvoiceLine,
    LineAnswer,
    Mark,
    Measure,
    Message,
    Note,
    OrderAcknowledgment,
    OrderChange,
    OrderReference,
    PaidItem,
    PaidLine,
    Party,
    PaymentAdvice,
    ReceiptException,
    ReceiptLine,
    ReceivedLine,
    ReceivedPallet,
    ReceivingAdvice,
    Reference,
    RelatedData,
    Remittance,
    Routing,
    Schedule,
    StockReceipt,
    Tax,
    Terms,
    Transport,
    Verdict,
    decode,
    encode,
)
from edi.example import example
from edi.tree import NORMAL

VERSIONS = {"D.96A": "D:96A:UN:EAN008", "D.01B": "D:01B:UN:EAN010"}


class Canonical(NamedTuple):
    """A message as maps write it, from BGM to before UNT, and the document in it."""

    body: str
    document: Document


def read(body: str, name: str, version: str) -> Document:
    """The document in a message that the full check accepts, however it is read."""
    transaction = message(body, name.partition(".")[0], VERSIONS[version])
    check, map = edifact.check(transaction), standard(name, version)
    assert [problem.message for problem in check.problems] == []
    document, problems = map.read(check.rows, check.places, NORMAL)
    assert problems == ()
    assert document is not None
    assert decode(encode(document)) == document
    for _ in range(6):
        met = edifact.check(transaction, readers=map.readers)
        assert map.read_checked(met, NORMAL) == (document, ())
    return document


def lines_of(body: str) -> list[str]:
    return [line.strip() for line in body.strip().splitlines()]


BUYER = Party(
    role="buyer",
    name="BIGMART NV",
    ids={"gln": "5412345000013"},
    more_names=("PURCHASING",),
    address=Address(street=("RUE HAUTE 1", "BOX 4"), city="BRUSSELS", postal_code="1000", country="BE"),
    references=(Reference(type="tax_registration", value="BE0123456789"),),
    contacts=(Contact(role="accounts_payable", name="ANN", numbers={"email": "ap@bigmart.example"}),),
)
BUYER_ROWS = """
    NAD+BY+5412345000013::9++BIGMART NV:PURCHASING+RUE HAUTE 1:BOX 4+BRUSSELS++1000+BE
    RFF+VA:BE0123456789
    CTA+AP+:ANN
    COM+ap@bigmart.example:EM"""
SUPPLIER = Party(role="supplier", ids={"gln": "4012345500004"})
SHIP_TO = Party(role="ship_to", name="STORE 12", ids={"buyer_assigned": "0012"})


def vat(**told: Decimal) -> Tax:
    return Tax(type="value_added", percent=Decimal(21), exempt="2", **told)


CANONICAL: dict[str, Canonical] = {
    "INVOIC": Canonical(
        f"""
        BGM+380+INV-1+9
        DTM+137:20260112:102
        DTM+35:202601120830:203
        FTX+AAI+++GOODS REMAIN OURS:UNTIL PAID
        RFF+ON:PO-1
        DTM+171:20260105:102
        RFF+DQ:DN-9
        DTM+171:20260112:102
        {BUYER_ROWS.strip()}
        NAD+SU+4012345500004::9
        NAD+DP+0012::92++STORE 12
        CUX+2:EUR:4
        PAT+1++5:3:D:30
        PAT+22++5:3:D:10
        PCD+12:2
        TDT+20++30++UPSN::182
        TOD+3+PP+DAP
        ALC+C++6++FC:::FREIGHT
        MOA+8:20
        TAX+7+VAT+++:::21+S
        MOA+124:4.20
        LIN+1++4000862141404:EN
        PIA+1+AB-1:SA+77:IN
        IMD+F++:::CORN CRUNCHIES
        IMD+C+35+RED::91
        MEA+PD+AAA+KGM:2.5
        QTY+47:40:PCE
        QTY+12:42:PCE
        MOA+203:2160.00
        PRI+AAA:60.00:CT
        RFF+ON:PO-1
        TAX+7+VAT+++:::21+S
        MOA+124:453.60
        ALC+A++2++DI
        PCD+3:10
        MOA+8:240.00
        LIN+2++5412345111115:EN
        QTY+47:5:CS
        PRI+AAA:200.00
        UNS+S
        CNT+7:120.5:KGM
        CNT+2:2
        MOA+86:3181.80
        MOA+79:3160.00
        MOA+125:3180.00
        TAX+7+VAT+++:::21+S
        MOA+124:457.80
        """,
        Invoice(
            number="INV-1",
            purpose="original",
            invoiced_on=LATER,
            ordered_on=DAY,
            purchase_order="PO-1",
            currency="EUR",
            messages=(Message(type="general", text=("GOODS REMAIN OURS", "UNTIL PAID")),),
            references=(Reference(type="delivery_note", value="DN-9", on=LATER),),
            parties=(BUYER, SUPPLIER, SHIP_TO),
            terms=(Terms(type="01", basis="3", net_days=30, discount_days=10, discount_percent=Decimal(2)),),
            dates=(Dated(type="delivered", on=LATER, time=dt.time(8, 30)),),
            routing=(Routing(ids={"scac": "UPSN"}, method="motor"),),
            freight=(FreightTerms(payment="prepaid", terms="DAP"),),
            charges=(
                Charge(
                    kind="charge",
                    code="D240",
                    method="06",
                    description="FREIGHT",
                    amount=Decimal(20),
                    taxes=(vat(amount=Decimal("4.20")),),
                ),
            ),
            lines=(
                InvoiceLine(
                    number="1",
                    ids={"ean": "4000862141404", "vendor": "AB-1", "buyer_item": "77"},
                    description="CORN CRUNCHIES",
                    details=(Detail(format="C", type="color", agency="91", code="RED"),),
                    measures=(Measure(of="PD", type="N", value=Decimal("2.5"), unit="kilogram"),),
                    quantity=Decimal(40),
                    unit="piece",
                    shipped=Decimal(42),
                    shipped_unit="piece",
                    amount=Decimal("2160.00"),
                    price=Decimal("60.00"),
                    price_basis="CT",
                    references=(Reference(type="purchase_order", value="PO-1"),),
                    taxes=(vat(amount=Decimal("453.60")),),
                    charges=(
                        Charge(
                            kind="allowance",
                            code="C310",
                            method="02",
                            percent=Decimal(10),
                            amount=Decimal("240.00"),
                        ),
                    ),
                ),
                InvoiceLine(
                    number="2",
                    ids={"ean": "5412345111115"},
                    quantity=Decimal(5),
                    unit="case",
                    price=Decimal("200.00"),
                ),
            ),
            weight=Decimal("120.5"),
            weight_unit="kilogram",
            total=Decimal("3181.80"),
            amounts=(
                Amount(type="lines_total", amount=Decimal("3160.00")),
                Amount(type="taxable", amount=Decimal("3180.00")),
            ),
            taxes=(vat(amount=Decimal("457.80")),),
        ),
    ),
    "ORDRSP": Canonical(
        f"""
        BGM+231+SO-9+4
        DTM+137:20260112:102
        FTX+AAI+++ONE LINE IS SHORT
        RFF+ON:PO-1
        DTM+171:20260105:102
        RFF+PP:2
        DTM+171:20260106:102
        RFF+CT:C-1
        {BUYER_ROWS.strip()}
        NAD+SU+4012345500004::9
        NAD+DP+0012::92++STORE 12
        CUX+2:EUR:9
        PAT+1++5:3:D:30
        LIN+1+3+4000862141404:EN
        PIA+1+AB-1:SA+77:IN
        PIA+3+5412345111115:EN
        IMD+F++:::CORN CRUNCHIES
        QTY+21:48:PCE
        QTY+113:40:PCE
        QTY+83:8:PCE
        DTM+69:20260119:102
        DTM+2:20260115:102
        QVR+++PS
        PRI+AAA:6.50
        SCC+1
        QTY+113:40:PCE
        DTM+69:20260119:102
        LIN+2+7+5412345111122:EN
        QTY+21:5:CS
        QVR+++AV
        LIN+3+5+5412345111139:EN
        QTY+21:6
        FTX+AAI+++HANDLE WITH CARE
        UNS+S
        MOA+86:260.00
        CNT+2:3
        """,
        OrderAcknowledgment(
            number="PO-1",
            purpose="original",
            answer="acknowledged_with_changes",
            ordered_on=DAY,
            answered_on=LATER,
            sales_order="SO-9",
            sequence="2",
            changed_on=dt.date(2026, 1, 6),
            contract="C-1",
            currency="EUR",
            messages=(Message(type="general", text=("ONE LINE IS SHORT",)),),
            parties=(BUYER, SUPPLIER, SHIP_TO),
            terms=(Terms(type="01", basis="3", net_days=30),),
            lines=(
                AnsweredLine(
                    number="1",
                    ids={"ean": "4000862141404", "vendor": "AB-1", "buyer_item": "77"},
                    description="CORN CRUNCHIES",
                    quantity=Decimal(48),
                    unit="piece",
                    answers=(
                        LineAnswer(
                            status="accepted_substituted",
                            quantity=Decimal(40),
                            unit="piece",
                            date_type="promised_delivery",
                            on=dt.date(2026, 1, 19),
                            ids={"ean": "5412345111115"},
                        ),
                        LineAnswer(status="back_ordered", quantity=Decimal(8), unit="piece"),
                    ),
                    dates=(Dated(type="requested_delivery", on=dt.date(2026, 1, 15)),),
                    price=Decimal("6.50"),
                    schedules=(
                        Schedule(
                            quantity=Decimal(40),
                            unit="piece",
                            type="promised_delivery",
                            on=dt.date(2026, 1, 19),
                        ),
                    ),
                ),
                AnsweredLine(
                    number="2",
                    ids={"ean": "5412345111122"},
                    quantity=Decimal(5),
                    unit="case",
                    answers=(LineAnswer(status="rejected_not_available"),),
                ),
                AnsweredLine(
                    number="3",
                    ids={"ean": "5412345111139"},
                    quantity=Decimal(6),
                    answers=(LineAnswer(status="accepted"),),
                    notes=("HANDLE WITH CARE",),
                ),
            ),
            total=Decimal("260.00"),
        ),
    ),
    "ORDCHG": Canonical(
        f"""
        BGM+230+2+4
        DTM+137:20260112:102
        DTM+61:20260131:102
        RFF+ON:PO-1
        DTM+171:20260105:102
        RFF+VN:SO-9
        RFF+SD:038
        {BUYER_ROWS.strip()}
        NAD+SU+4012345500004::9
        NAD+DP+0012::92++STORE 12
        CUX+2:EUR:9
        PAT+1++5:3:D:30
        LIN+1+3+4000862141404:EN
        PIA+1+AB-1:SA+77:IN
        QTY+21:40:PCE
        QTY+73:12
        DTM+2:20260115:102
        FTX+AAI+++CUT AT DEPOT
        PRI+AAA:6.50
        SCC+1
        QTY+21:28:PCE
        DTM+2:20260115:102
        QTY+21:12:PCE
        DTM+2:20260122:102
        LIN+2+2+5412345111122:EN
        LIN+3+1+5412345111139:EN
        IMD+F++:::NEW CRUNCHIES
        QTY+21:6:CS
        ALC+A+++++DI
        PCD+3:5
        UNS+S
        MOA+86:310.00
        CNT+2:3
        """.replace("+++++DI", "++++DI"),
        OrderChange(
            number="PO-1",
            sequence="2",
            purpose="change",
            ordered_on=DAY,
            changed_on=LATER,
            sales_order="SO-9",
            currency="EUR",
            references=(Reference(type="department", value="038"),),
            dates=(Dated(type="cancel_after", on=dt.date(2026, 1, 31)),),
            parties=(BUYER, SUPPLIER, SHIP_TO),
            terms=(Terms(type="01", basis="3", net_days=30),),
            lines=(
                ChangedLine(
                    number="1",
                    change="change",
                    ids={"ean": "4000862141404", "vendor": "AB-1", "buyer_item": "77"},
                    quantity=Decimal(40),
                    unit="piece",
                    outstanding=Decimal(12),
                    dates=(Dated(type="requested_delivery", on=dt.date(2026, 1, 15)),),
                    notes=("CUT AT DEPOT",),
                    price=Decimal("6.50"),
                    schedules=(
                        Schedule(
                            quantity=Decimal(28),
                            unit="piece",
                            type="requested_delivery",
                            on=dt.date(2026, 1, 15),
                        ),
                        Schedule(
                            quantity=Decimal(12),
                            unit="piece",
                            type="requested_delivery",
                            on=dt.date(2026, 1, 22),
                        ),
                    ),
                ),
                ChangedLine(number="2", change="delete", ids={"ean": "5412345111122"}),
                ChangedLine(
                    number="3",
                    change="add",
                    ids={"ean": "5412345111139"},
                    description="NEW CRUNCHIES",
                    quantity=Decimal(6),
                    unit="case",
                    charges=(Charge(kind="allowance", code="C310", percent=Decimal(5)),),
                ),
            ),
            total=Decimal("310.00"),
        ),
    ),
    "RECADV.stock_receipt": Canonical(
        """
        BGM+632+WR-1+9
        DTM+50:202601051430:203
        DTM+137:20260106:102
        RFF+AAK:ST-1
        RFF+SI:SHP-1
        RFF+ON:PO-1
        DTM+171:20260102:102
        NAD+WH+4012345500103::9++DEPOT 1
        CTA+GR+:DOCK
        COM+555-0100:TE
        TDT+20++30++UPSN::182
        EQD+TE+48213
        CPS+1
        PAC+1++PX
        PCI+33E
        GIN+BJ+354123450000000014
        LIN+1++4000862141404:EN
        PIA+1+AB-1:SA
        IMD+F++:::BLUE WIDGET:LARGE
        QTY+48:118:CS
        QVR+-2:119
        QVR+3+AF
        GIN+BX+L-7
        RFF+LI:10
        CPS+2
        LIN+2++5412345111115:EN
        QTY+48:5
        QVR+1:195
        CNT+2:2
        """,
        StockReceipt(
            number="WR-1",
            received_on=DAY,
            time=dt.time(14, 30),
            transfer="ST-1",
            shipment="SHP-1",
            dates=(Dated(type="document", on=dt.date(2026, 1, 6)),),
            references=(Reference(type="purchase_order", value="PO-1", on=dt.date(2026, 1, 2)),),
            parties=(
                Party(
                    role="warehouse",
                    name="DEPOT 1",
                    ids={"gln": "4012345500103"},
                    contacts=(Contact(role="receiving", name="DOCK", numbers={"phone": "555-0100"}),),
                ),
            ),
            transport=Transport(method="motor", ids={"scac": "UPSN"}, equipment_number="48213"),
            pallets=(
                ReceivedPallet(
                    number=1,
                    marks=(Mark(type="sscc", number="354123450000000014"),),
                    lines=(
                        ReceiptLine(
                            received=Decimal(118),
                            unit="case",
                            ids={"ean": "4000862141404", "vendor": "AB-1"},
                            lot="L-7",
                            description=("BLUE WIDGET", "LARGE"),
                            references=(Reference(type="line_item", value="10"),),
                            exceptions=(
                                ReceiptException(quantity=Decimal(2), unit="case", condition="short"),
                                ReceiptException(quantity=Decimal(3), unit="case", condition="damaged"),
                            ),
                        ),
                    ),
                    extra=(("PAC01", "1"), ("PAC03", "PX")),
                ),
                ReceivedPallet(
                    number=2,
                    lines=(
                        ReceiptLine(
                            received=Decimal(5),
                            ids={"ean": "5412345111115"},
                            exceptions=(
                                ReceiptException(quantity=Decimal(1), unit="each", condition="rejected"),
                            ),
                        ),
                    ),
                ),
            ),
        ),
    ),
    "RECADV": Canonical(
        """
        BGM+632+RA-1+9
        DTM+137:202601061015:203
        DTM+50:20260105:102
        RFF+ON:PO-1
        DTM+171:20260102:102
        RFF+AAK:DES-1
        NAD+BY+5412345000013::9
        NAD+SU+4012345500004::9
        NAD+DP+0012::92++STORE 12
        TDT+20++30++UPSN::182
        EQD+TE+48213
        CPS+1
        LIN+1++4000862141404:EN
        PIA+1+AB-1:SA+77:IN
        IMD+F++:::CORN CRUNCHIES
        QTY+48:10:PCE
        QTY+12:12:PCE
        QTY+195:1:PCE
        QVR+-2:119
        QVR+1:12+AF
        DTM+361:20261231:102
        GIN+BX+L-7
        RFF+ON:PO-1:3
        RFF+LI:3
        CPS+2+1
        PAC+1++CT
        PCI+33E
        GIN+BJ+354123450000000021
        LIN+2++5412345111115:EN
        QTY+48:6
        CNT+2:2
        """,
        ReceivingAdvice(
            number="RA-1",
            advised_on=dt.date(2026, 1, 6),
            advised_time=dt.time(10, 15),
            purpose="original",
            dates=(Dated(type="received", on=DAY),),
            orders=(OrderReference(purchase_order="PO-1", ordered_on=dt.date(2026, 1, 2)),),
            references=(Reference(type="despatch_advice", value="DES-1"),),
            parties=(Party(role="buyer", ids={"gln": "5412345000013"}), SUPPLIER, SHIP_TO),
            routing=(Routing(ids={"scac": "UPSN"}, method="motor"),),
            equipment=(Routing(equipment="trailer", equipment_number="48213"),),
            lines=(
                ReceivedLine(
                    number="1",
                    ids={"ean": "4000862141404", "vendor": "AB-1", "buyer_item": "77"},
                    description="CORN CRUNCHIES",
                    received=Decimal(10),
                    received_unit="piece",
                    shipped=Decimal(12),
                    shipped_unit="piece",
                    returned=Decimal(1),
                    returned_unit="piece",
                    discrepancy=Discrepancy(quantity=Decimal(2), unit="piece", condition="short"),
                    second_discrepancy=Discrepancy(quantity=Decimal(1), unit="piece", condition="damaged"),
                    dates=(Dated(type="best_before", on=dt.date(2026, 12, 31)),),
                    marks=(Mark(type="lot", number="L-7"),),
                    orders=(OrderReference(purchase_order="PO-1", line="3"),),
                    references=(Reference(type="line_item", value="3"),),
                    extra=(("QVR[2]>QVR01-2", "12"),),
                ),
                ReceivedLine(
                    number="2",
                    ids={"ean": "5412345111115"},
                    received=Decimal(6),
                    extra=(
                        ("CPS01", "2"),
                        ("CPS>CPS02", "1"),
                        ("CPS>PAC", "1", "", "CT"),
                        ("CPS>PAC>PCI", "33E"),
                        ("CPS>PAC>PCI>GIN", "BJ", "354123450000000021"),
                    ),
                ),
            ),
        ),
    ),
    "REMADV": Canonical(
        """
        BGM+481+RA-1+9
        DTM+138:20260112:102
        DTM+137:20260110:102
        RFF+PQ:TRANSFER 7
        FII+PB+12345678+BIGBBEBB::5
        FII+RB+98765+KREDBEBB::5
        PAI+::30
        FTX+AAI+++SECOND RUN OF JANUARY
        NAD+PR+5412345000013::9++BIGMART NV
        CTA+AP+:ANN
        COM+ap@bigmart.example:EM
        NAD+PE+4012345500004::9
        CUX+2:EUR:11
        DOC+380+INV-1
        MOA+12:880.00
        MOA+9:1000.00
        MOA+52:20.00
        DTM+137:20260105:102
        RFF+ON:PO-1
        AJT+3
        MOA+165:-100.00
        RFF+CD:CM-1
        FTX+AAI+++TWO CASES CRUSHED
        DOC+381+CN-2
        MOA+12:-50.00
        MOA+9:-50.00
        DLI+1+3
        PIA+1+AB-1:SA
        UNS+S
        MOA+12:830.00
        """,
        PaymentAdvice(
            number="RA-1",
            amount=Decimal("830.00"),
            handling="advice_only",
            sign="credit",
            method="credit_transfer",
            paid_on=LATER,
            payer_account=BankAccount(bank_type="swift", bank="BIGBBEBB", number="12345678"),
            payee_account=BankAccount(bank_type="swift", bank="KREDBEBB", number="98765"),
            currency="EUR",
            notes=(Note(type="GEN", text="SECOND RUN OF JANUARY"),),
            references=(Reference(type="PQ", value="TRANSFER 7"),),
            dates=(Dated(type="document", on=dt.date(2026, 1, 10)),),
            parties=(
                Party(role="payer", name="BIGMART NV", ids=BUYER.ids, contacts=BUYER.contacts),
                Party(role="payee", ids=SUPPLIER.ids),
            ),
            remittances=(
                Remittance(
                    items=(
                        PaidItem(
                            type="invoice",
                            number="INV-1",
                            paid=Decimal("880.00"),
                            amount=Decimal("1000.00"),
                            discount=Decimal("20.00"),
                            dates=(Dated(type="document", on=DAY),),
                            references=(Reference(type="purchase_order", value="PO-1"),),
                            adjustments=(
                                Adjustment(
                                    amount=Decimal("-100.00"),
                                    reason="damaged",
                                    reference_type="seller_credit_memo",
                                    reference_number="CM-1",
                                    notes=(Note(type="GEN", text="TWO CASES CRUSHED"),),
                                ),
                            ),
                        ),
                        PaidItem(
                            type="seller_credit_memo",
                            number="CN-2",
                            paid=Decimal("-50.00"),
                            amount=Decimal("-50.00"),
                            lines=(PaidLine(number="3", ids={"vendor": "AB-1"}),),
                        ),
                    )
                ),
            ),
        ),
    ),
    "APERAK": Canonical(
        """
        BGM++AP-1+9+RE
        DTM+137:202601121015:203
        DTM+310:20260111:102
        RFF+IV:INV-1
        DTM+171:20260105:102
        RFF+ON:PO-1
        NAD+BY+5412345000013::9++BIGMART NV
        NAD+SU+4012345500004::9
        ERC+12::91
        FTX+AAO+++PRICE IS NOT THAT OF THE ORDER
        RFF+LI:3
        ERC+40
        """,
        ApplicationAdvice(
            number="AP-1",
            purpose="original",
            advised_on=LATER,
            advised_time=dt.time(10, 15),
            parties=(Party(role="buyer", name="BIGMART NV", ids=BUYER.ids), SUPPLIER),
            verdicts=(
                Verdict(
                    status="rejected",
                    number_type="invoice",
                    number="INV-1",
                    sent_on=DAY,
                    transaction_set="INVOIC",
                    references=(Reference(type="purchase_order", value="PO-1"),),
                    dates=(Dated(type="310", on=dt.date(2026, 1, 11)),),
                    errors=(
                        ApplicationError(
                            code="12",
                            message="PRICE IS NOT THAT OF THE ORDER",
                            related=(RelatedData(text="3", type="line_item"),),
                            extra=(("ERC01-3", "91"),),
                        ),
                        ApplicationError(code="40"),
                    ),
                ),
            ),
        ),
    ),
}


def in_directory(version: str, canonical: Canonical) -> tuple[str, Document]:
    """A canonical message and its document as a directory has them; they are given as in D.96A."""
    body, document = canonical
    if version == "D.01B":
        for old, new in (
            (":EN\n", ":SRV\n"),
            ("TOD+3+PP+DAP", "TOD+3+PP+DAP::9"),
            ("BGM++AP-1", "BGM+305+AP-1"),
        ):
            body = body.replace(old, new)
        document = decode(encode(document).replace(b'"ean"', b'"gtin"'))
    return body, document


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", CANONICAL)
def test_a_canonical_message_is_read_as_its_document_and_written_as_it_was(name: str, version: str) -> None:
    body, document = in_directory(version, CANONICAL[name])
    assert read(body, name, version) == document
    assert carried(document, name, version) == lines_of(body)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", CANONICAL)
def test_one_of_everything_that_a_message_has_is_kept(name: str, version: str) -> None:
    lines = told(example(standard(name, version).definition, full=True))
    if name == "RECADV.stock_receipt":  # a receipt tells what was received, and when
        lines = [line.replace("QTY+21", "QTY+48") for line in lines]
        lines[1] = lines[1].replace("DTM+137", "DTM+50")
    elif name == "REMADV":  # a payment, how much is paid
        lines = [line.replace("MOA+203", "MOA+12") for line in lines]
    document = read("\n".join(lines), name, version)
    assert sorted(apart(carried(document, name, version))) == sorted(apart(lines))


def apart(lines: list[str]) -> Iterator[str]:
    """Lines with a segment for each of several product ids: those of a kind told before move to another."""
    for line in lines:
        tag, number, *ids = line.split("+")
        if tag == "PIA":
            yield from (f"{tag}+{number}+{id}" for id in ids)
        else:
            yield line


def instead(document: Document, **words: str) -> Any:
    """A document with other words."""
    text = encode(document).decode()
    for old, new in words.items():
        text = text.replace(f'"{old}"', f'"{new}"')
    return decode(text.encode())


_ANSWER = instead(
    test_written_orders.DOCUMENTS["855"], motor_common="motor", scheduled_ship="promised_ship", NOTE="1"
)
_LINE = _ANSWER.lines[0]
_CHANGE = instead(test_written_orders.DOCUMENTS["860"], decrease_quantity="change")

RECEIVED = replace(
    test_written_stock.RECEIVED,
    ids={"vendor": "AB1"},
    packing=(),
    exceptions=(ReceiptException(quantity=Decimal(2), unit="case", condition="damaged"),),
)

_PAYMENT = instead(test_written_freight.DOCUMENTS["820"], buyer_credit_memo="seller_credit_memo")
_ITEM = replace(_PAYMENT.remittances[0].items[0], action=None)

# EDIFACT has other modes of transport and no schedule of shipping; contacts of parties alone; no components
# or distributions. A change is no kind of order, and says of a line that it is changed, not what.
X12: dict[str, Document] = {
    "INVOIC": instead(test_written_sets.DOCUMENTS["810"], motor_common="motor"),
    "ORDCHG": replace(
        _CHANGE,
        type=None,
        lines=tuple(replace(line, distributions=()) for line in _CHANGE.lines),
    ),
    "APERAK": replace(
        test_written_stock.DOCUMENTS["824"],
        verdicts=(
            Verdict(
                status="rejected",
                number_type="invoice",
                number="INV-1",
                sent_on=DAY,
                transaction_set="INVOIC",
                references=(Reference(type="purchase_order", value="PO-1"),),
                errors=(
                    ApplicationError(
                        code="UNP",
                        message="COST IS NOT THAT OF THE ORDER",
                        related=(RelatedData(text="PO-1", type="purchase_order"),),
                    ),
                ),
            ),
        ),
    ),
    "REMADV": replace(
        _PAYMENT,
        trace_type=None,
        format=None,
        payer_account=replace(_PAYMENT.payer_account, type=None),
        payee_account=replace(_PAYMENT.payee_account, type=None),
        remittances=(replace(_PAYMENT.remittances[0], number=None, items=(_ITEM,)),),
    ),
    "RECADV.stock_receipt": StockReceipt(
        number="WR-1",
        received_on=DAY,
        transfer="ST-1",
        shipment="BOL-1",
        time=dt.time(9, 30),
        references=(Reference(type="purchase_order", value="PO-1"),),
        parties=(Party(role="warehouse", name="DEPOT 1"),),
        transport=Transport(method="motor", ids={"scac": "UPSN"}, equipment_number="48213"),
        lines=(RECEIVED,),
    ),
    "RECADV": replace(test_written_planning.DOCUMENTS["861"], type=None),
    "ORDRSP": replace(
        _ANSWER,
        contacts=(),
        lines=(
            replace(
                _LINE,
                answers=(_LINE.answers[0], replace(_LINE.answers[1], dates=())),
                prices=(replace(_LINE.prices[0], quantity=None),),
                components=(),
            ),
        ),
    ),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", X12)
def test_a_document_of_x12_is_written_as_edifact_and_read_back_equal(name: str, version: str) -> None:
    assert carried(X12[name], name, version)
