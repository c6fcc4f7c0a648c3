"""Invoices, answers to orders, changes, receipts, payments and verdicts in EDIFACT, as EANCOM has them.

For each message a canonical one in each directory and the document in it, and a document of the X12 set with
the same contents, less what the message has no place for.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import NamedTuple

import pytest
import test_written_sets
from maps_support import flat, message, standard
from msgspec.structs import replace

from edi import edifact
from edi.documents import (
    Address,
    Amount,
    Charge,
    Contact,
    Dated,
    Detail,
    Document,
    FreightTerms,
    Invoice,
    InvoiceLine,
    Measure,
    Message,
    Party,
    Reference,
    Routing,
    Tax,
    Terms,
    decode,
    encode,
)
from edi.problems import CannotWrite
from edi.tree import NORMAL

VERSIONS = {"D.96A": "D:96A:UN:EAN008", "D.01B": "D:01B:UN:EAN010"}
DAY, LATER = dt.date(2026, 1, 5), dt.date(2026, 1, 12)


class Canonical(NamedTuple):
    """A message as maps write it, from BGM to before UNT, and the document in it."""

    body: str
    document: Document


def lines_written(document: Document, name: str, version: str) -> list[str]:
    """A document's message, a line a segment; the full check accepts it and it is read back equal."""
    written = flat(standard(name, version).write(document), NORMAL)
    lines = ["+".join(map(released, row)).replace("\x1f", ":") for row in written]
    assert read("\n".join(lines), name, version) == document
    return lines


def released(element: str) -> str:
    for character in "?+:'":
        element = element.replace(character, f"?{character}")
    return element


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


def VAT(**told: Decimal) -> Tax:
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
                    taxes=(VAT(amount=Decimal("4.20")),),
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
                    taxes=(VAT(amount=Decimal("453.60")),),
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
            taxes=(VAT(amount=Decimal("457.80")),),
        ),
    ),
}


def in_directory(version: str, canonical: Canonical) -> tuple[str, Document]:
    """A canonical message and its document as a directory has them; they are given as in D.96A."""
    body, document = canonical
    if version == "D.01B":
        for old, new in ((":EN\n", ":SRV\n"), ("TOD+3+PP+DAP", "TOD+3+PP+DAP::9")):
            body = body.replace(old, new)
        document = decode(encode(document).replace(b'"ean"', b'"gtin"'))
    return body, document


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", CANONICAL)
def test_a_canonical_message_is_read_as_its_document_and_written_as_it_was(name: str, version: str) -> None:
    body, document = in_directory(version, CANONICAL[name])
    assert read(body, name, version) == document
    assert lines_written(document, name, version) == lines_of(body)


# The modes of EDIFACT are fewer.
X12: dict[str, Document] = {
    "INVOIC": replace(
        test_written_sets.DOCUMENTS["810"], routing=(Routing(ids={"scac": "UPSN"}, method="motor"),)
    ),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", X12)
def test_a_document_of_x12_is_written_as_edifact_and_read_back_equal(name: str, version: str) -> None:
    assert lines_written(X12[name], name, version)


# invoices

SHORT = """
    BGM+380+INV-1
    DTM+137:20260105:102
    PAT+1
    LIN+1
    QTY+47:1
    UNS+S
    CNT+2:1
    MOA+86:10
    """


def terms_of(*groups: str) -> tuple[Terms, ...]:
    """The terms in an invoice with these segments, which writes them as they were."""
    body = SHORT.replace("PAT+1", "\n".join(groups))
    invoice = read(body, "INVOIC", "D.96A")
    assert isinstance(invoice, Invoice)
    assert lines_written(invoice, "INVOIC", "D.96A") == lines_of(body)
    return invoice.terms


@pytest.mark.parametrize(
    ("groups", "terms"),
    [
        ("PAT+1", [Terms(type="01")]),
        ("PAT+ZZZ++ZZZ:3:D:14", [Terms(net_days=14)]),
        ("PAT+3|DTM+13:20260201:102", [Terms(type="03", net_due_on=dt.date(2026, 2, 1))]),
        ("PAT+22++5:3:D:10|PCD+12:2", [Terms(basis="3", discount_days=10, discount_percent=Decimal(2))]),
        (
            "PAT+1++5:3:D:30|PAT+22++5:3:D:10|PCD+12:3|PAT+22++5:3:D:20|PCD+12:2",
            [
                Terms(type="01", basis="3", net_days=30, discount_days=10, discount_percent=Decimal(3)),
                Terms(basis="3", discount_days=20, discount_percent=Decimal(2)),
            ],
        ),
        (
            "PAT+1+6:::30 DAYS NET++|PAT+22|DTM+12:20260110:102|PCD+12:2:13|MOA+52:5".replace("++|", "|"),
            [
                Terms(
                    type="01",
                    description="30 DAYS NET",
                    discount_due_on=dt.date(2026, 1, 10),
                    discount_percent=Decimal(2),
                    discount_amount=Decimal(5),
                    extra=(("PAT[22]>PCD01-3", "13"),),
                )
            ],
        ),
        (
            "PAT+1++5:3:M:2",
            [Terms(type="01", basis="3", extra=(("PAT03-2", "3"), ("PAT03-3", "M"), ("PAT03-4", "2")))],
        ),
        (
            "PAT+1++5:3:D:30|PAT+22++21:3:D:10|PCD+12:2",
            [
                Terms(type="01", basis="3", net_days=30),
                Terms(basis="15", discount_days=10, discount_percent=Decimal(2)),
            ],
        ),
    ],
)
def test_a_discount_belongs_to_the_terms_before_it(groups: str, terms: list[Terms]) -> None:
    assert terms_of(*groups.split("|")) == tuple(terms)


@pytest.mark.parametrize(
    "terms",
    [
        (Terms(type="01", net_days=30), Terms(discount_percent=Decimal(2))),
        (Terms(type="discount", net_days=30),),
        (Terms(net_days=-1),),
        (Terms(type="none"),),
    ],
)
def test_terms_that_would_be_read_otherwise_are_refused(terms: tuple[Terms, ...]) -> None:
    with pytest.raises(CannotWrite, match=r"Invoice\.terms: would be read otherwise"):
        standard("INVOIC").write(Invoice(number="1", terms=terms))


def test_an_invoice_without_a_type_is_a_commercial_one_and_a_credit_note_has_one() -> None:
    assert (
        lines_written(Invoice(number="1", invoiced_on=DAY, total=Decimal(1)), "INVOIC", "D.96A")[0]
        == "BGM+380+1"
    )
    credit = read(SHORT.replace("380", "381"), "INVOIC", "D.96A")
    assert isinstance(credit, Invoice)
    assert credit.type == "CR"
    with pytest.raises(CannotWrite, match=r"Invoice\.type: is told of other invoices only"):
        standard("INVOIC").write(Invoice(number="1", type="invoice"))


def test_a_long_description_fills_both_of_its_components() -> None:
    told = "CORN CRUNCHIES IN A BOX OF TWENTY FOUR"
    invoice = Invoice(
        number="1", invoiced_on=DAY, total=Decimal(1), lines=(InvoiceLine(number="1", description=told),)
    )
    assert f"IMD+F++:::{told[:35]}:{told[35:]}" in lines_written(invoice, "INVOIC", "D.96A")
    assert f"IMD+F++:::{told}" in lines_written(invoice, "INVOIC", "D.01B")
