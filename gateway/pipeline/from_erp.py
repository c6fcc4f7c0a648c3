"""Documents the ERP hands us: taken, mapped, numbered, stored and queued to the partner they are for.

The partner is the one the document names, else the one whose order it belongs to by purchase order number.
Taking the same file twice, as after a crash, changes nothing.
"""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple

from sqlalchemy import Connection, insert, select

from edi import documents
from edi.documents import (
    Document,
    Forecast,
    FreightInvoice,
    FreightStatus,
    Invoice,
    LoadTender,
    LoadTenderAnswer,
    NotADocument,
    OrderStatus,
    OrderStatusInquiry,
    Organization,
    PaymentAdvice,
    PriceCatalog,
    ProductActivity,
    ReceivingAdvice,
    ResaleReport,
    RoutingInstructions,
    RoutingRequest,
    SalesOrder,
    ShipmentConfirmation,
    ShipNotice,
    ShipSchedule,
    WarehouseOrder,
)
from edi.problems import EdiError
from gateway import orders
from gateway.config import Partner
from gateway.erp import MAX_BYTES, Arrival
from gateway.errors import GatewayError
from gateway.home import Home
from gateway.pipeline import outbound
from gateway.store.tables import new_id, transmission

# The set that a document is written as; of several, the one agreed with the partner, else the first.
_SETS: dict[type[Document], tuple[str, ...]] = {
    SalesOrder: ("850",),
    WarehouseOrder: ("940",),
    ShipmentConfirmation: ("945",),
    ShipNotice: ("856",),
    Invoice: ("810",),
    PaymentAdvice: ("820",),
    RoutingRequest: ("753",),
    RoutingInstructions: ("754",),
    FreightStatus: ("214",),
    FreightInvoice: ("210",),
    LoadTender: ("204",),
    LoadTenderAnswer: ("990",),
    Forecast: ("830",),
    ShipSchedule: ("862",),
    ProductActivity: ("852",),
    ReceivingAdvice: ("861",),
    PriceCatalog: ("832",),
    ResaleReport: ("867",),
    OrderStatusInquiry: ("869",),
    OrderStatus: ("870",),
    Organization: ("816",),
}


class Refused(GatewayError):
    """The ERP's file cannot be taken; the text says why and goes beside it."""


class _Addressed(NamedTuple):
    """A document, whom it is for, and the order it belongs to."""

    document: Document
    type: str
    partner: Partner
    correlation: str | None


def take(home: Home, arrival: Arrival) -> str:
    """Issue the document in a file; its transmission id. Raises Refused; StoreUnavailable, StoreFatal."""
    if len(arrival.data) > MAX_BYTES:
        raise Refused(f"it is over {MAX_BYTES} bytes")
    try:
        document = documents.decode(arrival.data)
    except NotADocument as error:
        raise Refused(f"it is no canonical document: {error}") from error
    with home.store.read() as conn:
        addressed = _address(home, conn, document)
    try:
        written = outbound.rows(home, addressed.partner, addressed.type, document)
    except EdiError as error:
        raise Refused(str(error)) from error
    claim = hashlib.sha256(os.fsencode(arrival.path.name) + b"\0" + arrival.data).hexdigest()

    def record(conn: Connection) -> str:
        known = conn.execute(select(transmission.c.id).where(transmission.c.claim == claim)).scalar()
        if known is not None:
            return str(known)
        now = home.now()
        identity = new_id(now)
        blob = home.store.keep(conn, arrival.data)
        conn.execute(
            insert(transmission),
            {
                "id": identity,
                "direction": "in",
                "channel": "erp",
                "status": "done",
                "filename": arrival.name,
                "content_type": "application/json",
                "size": blob.size,
                "sha256": blob.sha256,
                "claim": claim,
                "correlation": addressed.correlation,
                "created_at": now,
                "done_at": now,
            },
        )
        home.note(
            conn,
            "received",
            f"{arrival.name} from the ERP, for {addressed.partner.name}",
            partner=addressed.partner.name,
            correlation=addressed.correlation,
            transmission=identity,
        )
        outbound.issue(
            home,
            conn,
            addressed.partner,
            addressed.type,
            document,
            written,
            correlation=addressed.correlation,
            cause=identity,
        )
        return identity

    return home.store.write(record)


def _address(home: Home, conn: Connection, document: Document) -> _Addressed:
    sets = _SETS.get(type(document))
    if sets is None:
        raise Refused("acknowledgments are made by the gateway, not by the ERP")
    name: str | None = getattr(document, "partner", None)
    to_customer = not isinstance(document, LoadTender)  # a carrier is offered what somebody else ordered
    numbers = orders.purchase_orders(document)
    found = orders.find(conn, numbers[0], name if to_customer else None) if numbers else None
    if name is None and found is not None and to_customer:
        name = found.warehouse if isinstance(document, WarehouseOrder) else found.partner
    if name is None:
        raise Refused('it names no partner ("partner"), and no order has its purchase order number')
    partner = home.config.partners.get(name)
    if partner is None:
        raise Refused(f"no partner is named {name!r} in partners.toml")
    agreed = [kind for kind in sets if partner.agreement(kind, "out")]
    if partner.agreements and not agreed:
        raise Refused(f"no {' or '.join(sets)} to {name} is agreed in partners.toml")
    kind = agreed[0] if agreed else sets[0]
    return _Addressed(document, kind, partner, found.correlation if found is not None else None)
