"""The canonical documents: what partners tell each other, with no syntax left in it.

Every document is a frozen value. Its JSON is the contract with the ERP: `schema` names type and version,
absent fields are left out, numbers are strings of digits (no float ever touches money or quantity), dates are
ISO 8601, and field order is fixed, so equal documents built alike give equal bytes. A field added with a
default keeps the version; anything else needs a new one (the stored JSON Schema of each version is tested).

Rules that hold everywhere
  * Give fields by name. Text is never empty: what is absent is None.
  * `ids` and `numbers` are {kind: value}; kinds, roles, types and units are words such as "ship_to" or "each"
    where `mappings/codes.toml` has a word for the code, and otherwise the partner's code as it was.
  * `extra` keeps what a map did not place: rows of (reference designator relative to where it stood, values),
    so that nothing is lost and the same document can be written again. U+001F stands between the components
    of a composite there.
  * `partner` is the name of the partner it came from or goes to, as partners.toml has it.
"""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from edi.documents.advice import ApplicationAdvice, ApplicationError, RelatedData, Verdict
from edi.documents.answers import (
    Acknowledgment,
    ElementError,
    FaultySegment,
    GroupStatus,
    InterchangeAcknowledgment,
    MessageStatus,
    SegmentError,
    TransactionStatus,
)
from edi.documents.billing import Invoice, InvoiceLine, QuantityDifference
from edi.documents.catalog import CatalogLine, PriceCatalog, Resale, ResaleReport, ResoldLine, Restriction
from edi.documents.freight import (
    Dimensions,
    FreightCharge,
    FreightEvent,
    FreightInvoice,
    FreightInvoiceLine,
    FreightProgress,
    FreightStatus,
    HazardousMaterial,
    InvoicedPackage,
    InvoicedReceiver,
    LadingException,
    RatedQuantity,
    RoutedEquipment,
    RoutedService,
    RoutedShipment,
    RoutingDestination,
    RoutingInstructions,
    RoutingRequest,
    Tariff,
    TrackedPackage,
)
from edi.documents.loads import (
    DangerousGoods,
    FreightOrder,
    Goods,
    GoodsContact,
    LadingItem,
    Leg,
    Load,
    Pallets,
    SpecialHandling,
    Stop,
    Trailer,
)
from edi.documents.organization import Organization, OrganizationLevel, Site
from edi.documents.parts import (
    Address,
    Amount,
    Charge,
    CodedFacts,
    Component,
    Contact,
    Dated,
    Detail,
    Distribution,
    ErrorContext,
    Extra,
    FreightTerms,
    HasParties,
    Industry,
    Lading,
    LeadTime,
    Mark,
    Measure,
    Message,
    Note,
    Packing,
    Party,
    Person,
    Piece,
    Price,
    Quantity,
    Reference,
    Routing,
    Schedule,
    Tax,
    Terms,
    Value,
)
from edi.documents.payments import Adjustment, BankAccount, PaidItem, PaidLine, PaymentAdvice, Remittance
from edi.documents.planning import (
    Activity,
    ActivityLine,
    Authorization,
    DeliveryPattern,
    Forecast,
    PlannedLine,
    PlannedQuantity,
    ProductActivity,
    ShippedQuantity,
    ShipSchedule,
    TimedQuantity,
)
from edi.documents.receiving import Discrepancy, OrderReference, ReceivedLine, ReceivingAdvice
from edi.documents.returns import Disposition, ReturnAuthorization, ReturnedQuantity, ReturnLine
from edi.documents.sales import (
    AnsweredComponent,
    AnsweredLine,
    ChangedLine,
    Destination,
    LineAnswer,
    OrderAcknowledgment,
    OrderChange,
    OrderLine,
    SalesOrder,
)
from edi.documents.shipping import Level, ShipNotice
from edi.documents.status import (
    InquiredItem,
    InquiryLevel,
    ItemStatus,
    OrderStatus,
    OrderStatusInquiry,
    StatusLevel,
    StatusLine,
)
from edi.documents.stock import (
    AdjustmentLine,
    InventoryAdjustment,
    InventoryPosition,
    PalletCount,
    PositionLine,
    ReceiptException,
    ReceiptLine,
    ReceivedPallet,
    StockQuantity,
    StockReceipt,
    StockTransfer,
    Temperature,
    TransferLine,
    Transport,
)
from edi.documents.tender import AnsweredStop, LoadTender, LoadTenderAnswer
from edi.documents.warehouse import (
    LineGroup,
    Pack,
    ShipmentConfirmation,
    ShippedLine,
    WarehouseLine,
    WarehouseOrder,
    grouped,
)
from edi.problems import EdiError

__all__ = [
    "BETWEEN_COMPONENTS",
    "BETWEEN_REPETITIONS",
    "DOCUMENTS",
    "Acknowledgment",
    "Activity",
    "ActivityLine",
    "Address",
    "Adjustment",
    "AdjustmentLine",
    "Amount",
    "AnsweredComponent",
    "AnsweredLine",
    "AnsweredStop",
    "ApplicationAdvice",
    "ApplicationError",
    "Authorization",
    "BankAccount",
    "CatalogLine",
    "ChangedLine",
    "Charge",
    "CodedFacts",
    "Component",
    "Contact",
    "DangerousGoods",
    "Dated",
    "DeliveryPattern",
    "Destination",
    "Detail",
    "Dimensions",
    "Discrepancy",
    "Disposition",
    "Distribution",
    "Document",
    "ElementError",
    "ErrorContext",
    "Extra",
    "FaultySegment",
    "Forecast",
    "FreightCharge",
    "FreightEvent",
    "FreightInvoice",
    "FreightInvoiceLine",
    "FreightOrder",
    "FreightProgress",
    "FreightStatus",
    "FreightTerms",
    "Goods",
    "GoodsContact",
    "GroupStatus",
    "HasParties",
    "HazardousMaterial",
    "Industry",
    "InquiredItem",
    "InquiryLevel",
    "InterchangeAcknowledgment",
    "InventoryAdjustment",
    "InventoryPosition",
    "Invoice",
    "InvoiceLine",
    "InvoicedPackage",
    "InvoicedReceiver",
    "ItemStatus",
    "Lading",
    "LadingException",
    "LadingItem",
    "LeadTime",
    "Leg",
    "Level",
    "LineAnswer",
    "LineGroup",
    "Load",
    "LoadTender",
    "LoadTenderAnswer",
    "Mark",
    "Measure",
    "Message",
    "MessageStatus",
    "NotADocument",
    "Note",
    "OrderAcknowledgment",
    "OrderChange",
    "OrderLine",
    "OrderReference",
    "OrderStatus",
    "OrderStatusInquiry",
    "Organization",
    "OrganizationLevel",
    "Pack",
    "Packing",
    "PaidItem",
    "PaidLine",
    "PalletCount",
    "Pallets",
    "Party",
    "PaymentAdvice",
    "Person",
    "Piece",
    "PlannedLine",
    "PlannedQuantity",
    "PositionLine",
    "Price",
    "PriceCatalog",
    "ProductActivity",
    "Quantity",
    "QuantityDifference",
    "RatedQuantity",
    "ReceiptException",
    "ReceiptLine",
    "ReceivedLine",
    "ReceivedPallet",
    "ReceivingAdvice",
    "Reference",
    "RelatedData",
    "Remittance",
    "Resale",
    "ResaleReport",
    "ResoldLine",
    "Restriction",
    "ReturnAuthorization",
    "ReturnLine",
    "ReturnedQuantity",
    "RoutedEquipment",
    "RoutedService",
    "RoutedShipment",
    "Routing",
    "RoutingDestination",
    "RoutingInstructions",
    "RoutingRequest",
    "SalesOrder",
    "Schedule",
    "SegmentError",
    "ShipNotice",
    "ShipSchedule",
    "ShipmentConfirmation",
    "ShippedLine",
    "ShippedQuantity",
    "Site",
    "SpecialHandling",
    "StatusLevel",
    "StatusLine",
    "StockQuantity",
    "StockReceipt",
    "StockTransfer",
    "Stop",
    "Tariff",
    "Tax",
    "Temperature",
    "Terms",
    "TimedQuantity",
    "TrackedPackage",
    "Trailer",
    "TransactionStatus",
    "TransferLine",
    "Transport",
    "Value",
    "Verdict",
    "WarehouseLine",
    "WarehouseOrder",
    "decode",
    "encode",
    "grouped",
    "json_schema",
    "schema_of",
]

BETWEEN_COMPONENTS = "\x1f"
BETWEEN_REPETITIONS = "\x1d"


class NotADocument(EdiError):
    """The JSON is no canonical document; the message names the field by its path."""


Document = (
    SalesOrder
    | OrderAcknowledgment
    | OrderChange
    | WarehouseOrder
    | ShipmentConfirmation
    | ShipNotice
    | Invoice
    | PaymentAdvice
    | RoutingRequest
    | RoutingInstructions
    | FreightStatus
    | FreightInvoice
    | LoadTender
    | LoadTenderAnswer
    | Forecast
    | ShipSchedule
    | ProductActivity
    | ReceivingAdvice
    | PriceCatalog
    | ResaleReport
    | OrderStatusInquiry
    | OrderStatus
    | Organization
    | StockTransfer
    | StockReceipt
    | InventoryAdjustment
    | InventoryPosition
    | ReturnAuthorization
    | ApplicationAdvice
    | Acknowledgment
    | InterchangeAcknowledgment
)

DOCUMENTS: dict[str, type[Document]] = {str(kind.__struct_config__.tag): kind for kind in get_args(Document)}

_decoder = msgspec.json.Decoder(Document)
_encoder = msgspec.json.Encoder(decimal_format="string")


def schema_of(document: Document | type[Document]) -> str:
    """The type and version of a document, such as "tradelane.sales_order/1"."""
    return str(document.__struct_config__.tag)


def decode(data: bytes) -> Document:
    """The document in `data` (JSON, UTF-8). Raises NotADocument, naming the field that is wrong."""
    try:
        document: Document = _decoder.decode(data)
        return document
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotADocument(str(error)) from None


def encode(document: Document) -> bytes:
    """Canonical JSON: UTF-8 on one line, `schema` first, fields in their order, decimals as strings."""
    data: bytes = _encoder.encode(document)
    return data


def json_schema(document: type[Document]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one document type, as stored in edi/schemas."""
    return msgspec.json.schema(document)
