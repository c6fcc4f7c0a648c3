"""Documents about prices, resales, order status and stores, written as the full check accepts them."""

from __future__ import annotations

from decimal import Decimal

from maps_support import DAY, PLACE, accepted

from edi.documents import (
    Amount,
    CatalogLine,
    Dated,
    Document,
    InquiredItem,
    InquiryLevel,
    ItemStatus,
    LeadTime,
    Note,
    OrderStatus,
    OrderStatusInquiry,
    Organization,
    OrganizationLevel,
    Packing,
    Party,
    Price,
    PriceCatalog,
    Quantity,
    Reference,
    Resale,
    ResaleReport,
    ResoldLine,
    Site,
    StatusLevel,
    StatusLine,
)

SELLER = Party(role="seller", name="NORTHWIND", ids={"duns": "123456789"})
IDS = {"upc": "012345678905", "vendor": "AB-1"}

DOCUMENTS: dict[str, Document] = {
    "832": PriceCatalog(
        type="price_catalog",
        number="C-1",
        version="2",
        purpose="original",
        currency="USD",
        references=(Reference(type="contract", value="K-1"),),
        dates=(Dated(type="effective", on=DAY),),
        parties=(Party(role="seller", name="NORTHWIND", address=PLACE),),
        lines=(
            CatalogLine(
                number="1",
                ids=IDS,
                maintenance="add",
                description="WIDGET",
                packing=(Packing(pack=12, size=Decimal(1), unit="each"),),
                lead_times=(LeadTime(type="AF", quantity=Decimal(5), period="DA"),),
                prices=(
                    Price(
                        type="resale",
                        price=Decimal("9.99"),
                        quantity=Decimal(1),
                        unit="each",
                        dates=(Dated(type="effective", on=DAY),),
                    ),
                ),
            ),
        ),
    ),
    "867": ResaleReport(
        reported_on=DAY,
        number="RS-1",
        purpose="original",
        type="resale",
        currency="USD",
        parties=(SELLER,),
        resales=(
            Resale(
                type="stock_sale",
                reference_type="invoice",
                reference_number="INV-9",
                purchase_order="PO-5",
                dates=(Dated(type="invoice", on=DAY),),
                parties=(Party(role="ship_to", name="CLINIC", address=PLACE),),
                lines=(
                    ResoldLine(
                        type="shipped",
                        quantity=Decimal(3),
                        unit="each",
                        ids=IDS,
                        price=Decimal("9.99"),
                        price_unit="each",
                        amounts=(Amount(type="line_total", amount=Decimal("29.97")),),
                    ),
                ),
            ),
        ),
        count=1,
        amounts=(Amount(type="total", amount=Decimal("29.97")),),
    ),
    "869": OrderStatusInquiry(
        number="Q-1",
        asked_on=DAY,
        scope="selected_orders_all_items",
        purpose="original",
        notes=(Note(type="GEN", text="PLEASE"),),
        levels=(
            InquiryLevel(
                kind="order",
                purchase_order="PO-1",
                ordered_on=DAY,
                parties=(Party(role="buyer", name="BIGMART"),),
                levels=(InquiryLevel(kind="item", items=(InquiredItem(number="1", ids=IDS),)),),
            ),
        ),
    ),
    "870": OrderStatus(
        number="A-1",
        reported_on=DAY,
        report="answer",
        scope="selected_orders_all_items",
        inquiry="Q-1",
        parties=(SELLER,),
        levels=(
            StatusLevel(
                kind="order",
                purchase_order="PO-1",
                ordered_on=DAY,
                statuses=(ItemStatus(status="in_process"),),
                lines=(
                    StatusLine(
                        number="1",
                        quantity=Decimal(12),
                        unit="each",
                        ids=IDS,
                        description="WIDGET",
                        statuses=(
                            ItemStatus(
                                status="back_ordered",
                                on=DAY,
                                quantities=(Quantity(type="on_order", quantity=Decimal(4), unit="each"),),
                            ),
                        ),
                    ),
                ),
            ),
        ),
    ),
    "816": Organization(
        number="O-1",
        structure="0065",
        purpose="original",
        issued_on=DAY,
        parties=(Party(role="buyer", name="BIGMART"),),
        levels=(
            OrganizationLevel(
                kind="company",
                sites=(Site(role="buyer", name="BIGMART", ids={"gln": "0012345000010"}),),
                levels=(
                    OrganizationLevel(
                        kind="operating_unit",
                        sites=(
                            Site(
                                role="ship_to",
                                name="STORE 12",
                                ids={"buyer_assigned": "0012"},
                                address=PLACE,
                                dates=(Dated(type="effective", on=DAY),),
                                action="2",
                                maintenance="add",
                            ),
                        ),
                    ),
                ),
            ),
        ),
    ),
}


def test_levels_are_numbered_and_counted() -> None:
    rows = accepted(DOCUMENTS["869"], "869", "004010")
    assert [row for row in rows if row[0] == "HL"] == [["HL", "1", "", "O"], ["HL", "2", "1", "I"]]
    assert rows[-1] == ["CTT", "2"]


def test_the_orders_and_stores_of_a_document_are_found_on_every_level() -> None:
    inquiry, organization = DOCUMENTS["869"], DOCUMENTS["816"]
    assert isinstance(inquiry, OrderStatusInquiry)
    assert isinstance(organization, Organization)
    assert inquiry.purchase_orders == ("PO-1",)
    assert [site.name for site in organization.sites] == ["BIGMART", "STORE 12"]
