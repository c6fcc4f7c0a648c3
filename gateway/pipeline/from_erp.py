"""What the ERP hands us: taken, stored and queued to the partners it is for.

A document is mapped and numbered; its partner is the one it names, else the one whose order it belongs to by
purchase order number. EDI that the ERP has written itself is split by receiver: each interchange is sent as
it is, to the partner that its ISA07/08 or UNB03 names, or nothing of the file is. Taking the same file twice,
as after a crash, changes nothing.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select

from edi import documents
from edi.documents import (
    ApplicationAdvice,
    Document,
    Forecast,
    FreightInvoice,
    FreightStatus,
    InventoryAdjustment,
    InventoryPosition,
    Invoice,
    LoadTender,
    LoadTenderAnswer,
    NotADocument,
    OrderAcknowledgment,
    OrderChange,
    OrderStatus,
    OrderStatusInquiry,
    Organization,
    PaymentAdvice,
    PriceCatalog,
    ProductActivity,
    ReceivingAdvice,
    ResaleReport,
    ReturnAuthorization,
    RoutingInstructions,
    RoutingRequest,
    SalesOrder,
    ShipmentConfirmation,
    ShipNotice,
    ShipSchedule,
    StockReceipt,
    StockTransfer,
    WarehouseOrder,
)
from edi.problems import EdiError, NotEdi, Problem, Severity
from edi.tree import Group, GroupEnd, Interchange, InterchangeEnd, Transaction, syntax_of
from gateway import edi, numbers, orders
from gateway.config import Partner
from gateway.config.schema import ACKNOWLEDGMENTS
from gateway.erp import EDI, MAX_BYTES, Arrival
from gateway.errors import GatewayError
from gateway.home import Home
from gateway.numbers import plain
from gateway.pipeline import dispatch, outbound
from gateway.store.tables import document as document_table
from gateway.store.tables import new_id, transmission

# The set that a document is written as; of several, the one agreed with the partner, else the first.
_SETS: dict[type[Document], tuple[str, ...]] = {
    SalesOrder: ("850", "875", "ORDERS"),
    OrderChange: ("860", "ORDCHG"),
    OrderAcknowledgment: ("855", "865", "ORDRSP"),
    WarehouseOrder: ("940", "INSDES"),
    ShipmentConfirmation: ("945", "DESADV"),
    ShipNotice: ("856", "DESADV"),
    Invoice: ("810", "880", "INVOIC"),
    PaymentAdvice: ("820", "REMADV"),
    RoutingRequest: ("753",),
    RoutingInstructions: ("754",),
    FreightStatus: ("214", "IFTSTA"),
    FreightInvoice: ("210",),
    LoadTender: ("204", "IFTMIN"),
    LoadTenderAnswer: ("990",),
    Forecast: ("830", "DELFOR"),
    ShipSchedule: ("862", "DELFOR"),
    ProductActivity: ("852", "SLSRPT"),
    ReceivingAdvice: ("861", "RECADV"),
    PriceCatalog: ("832",),
    ResaleReport: ("867",),
    OrderStatusInquiry: ("869",),
    OrderStatus: ("870", "OSTRPT"),
    Organization: ("816",),
    StockTransfer: ("943", "DESADV"),
    StockReceipt: ("944", "RECADV"),
    InventoryAdjustment: ("947", "INVRPT"),
    InventoryPosition: ("846", "INVRPT"),
    ReturnAuthorization: ("180", "RETANN"),
    ApplicationAdvice: ("824", "APERAK"),
}


_TOLD = 20  # problems of a document that cannot be written
_UNFIT = re.compile(r"[^A-Za-z0-9.]+")  # for the name of a file: a reference of EDIFACT may be any text


class Refused(GatewayError):
    """The ERP's file cannot be taken; the text says why and goes beside it."""


class _Taken(NamedTuple):
    """What a file comes to: whom it is for, and what is done in the transaction that records it."""

    partners: tuple[str, ...]
    correlation: str | None
    content_type: str
    issue: Callable[[Connection, str], None]  # the transmission that caused it


class _Addressed(NamedTuple):
    """A document, whom it is for, and the order it belongs to."""

    document: Document
    type: str
    partner: Partner
    correlation: str | None


def take(home: Home, arrival: Arrival) -> str:
    """Issue what is in a file; its transmission id. Raises Refused; StoreUnavailable, StoreFatal."""
    if len(arrival.data) > MAX_BYTES:
        raise Refused(f"it is over {MAX_BYTES} bytes")
    claim = hashlib.sha256(os.fsencode(arrival.path.name) + b"\0" + arrival.data).hexdigest()
    with home.store.read() as conn:
        known = conn.execute(select(transmission.c.id).where(transmission.c.claim == claim)).scalar()
    if known is not None:
        return str(known)
    read = _interchanges if arrival.path.suffix in EDI else _document
    taken = read(home, arrival.data)

    def record(conn: Connection) -> str:
        known = conn.execute(select(transmission.c.id).where(transmission.c.claim == claim)).scalar()
        if known is not None:
            return str(known)
        now = home.now()
        identity = new_id(now)
        blob = home.store.keep(conn, arrival.data)
        only = taken.partners[0] if len(taken.partners) == 1 else None
        conn.execute(
            insert(transmission),
            {
                "id": identity,
                "direction": "in",
                "channel": "erp",
                "status": "done",
                "filename": arrival.name,
                "content_type": taken.content_type,
                "size": blob.size,
                "sha256": blob.sha256,
                "claim": claim,
                "correlation": taken.correlation,
                "created_at": now,
                "done_at": now,
            },
        )
        home.note(
            conn,
            "received",
            f"{arrival.name} from the ERP, for {', '.join(taken.partners)}",
            partner=only,
            correlation=taken.correlation,
            transmission=identity,
        )
        taken.issue(conn, identity)
        return identity

    return home.store.write(record)


# A canonical document.


def _document(home: Home, data: bytes) -> _Taken:
    try:
        document = documents.decode(data)
    except NotADocument as error:
        raise Refused(f"it is no canonical document: {error}") from error
    with home.store.read() as conn:
        addressed = _address(home, conn, document)
    partner, type, correlation = addressed.partner, addressed.type, addressed.correlation
    try:
        written = outbound.rows(home, partner, type, document)
    except EdiError as error:
        others = getattr(error, "problems", ())[1:_TOLD]
        raise Refused("\n".join([str(error), *(problem.message for problem in others)])) from error

    def issue(conn: Connection, cause: str) -> None:
        outbound.issue(home, conn, partner, type, document, written, correlation=correlation, cause=cause)

    return _Taken((partner.name,), correlation, "application/json", issue)


def _address(home: Home, conn: Connection, document: Document) -> _Addressed:
    sets = _SETS.get(type(document))
    if sets is None:
        raise Refused("acknowledgments are made by the gateway, not by the ERP")
    if isinstance(document, OrderAcknowledgment) and document.answers_change:
        sets = ("865", "ORDRSP")  # an 855 cannot say what it answers
    name: str | None = getattr(document, "partner", None)
    to_customer = not isinstance(document, LoadTender)  # a carrier is offered what somebody else ordered
    numbers = orders.purchase_orders(document)
    found = orders.find(conn, numbers[0], name if to_customer else None) if numbers else None
    if name is None and found is not None and to_customer:
        name = found.warehouse if isinstance(document, WarehouseOrder | StockTransfer) else found.partner
    if name is None:
        raise Refused('it names no partner ("partner"), and no order has its purchase order number')
    partner = home.config.partners.get(name)
    if partner is None:
        raise Refused(f"no partner is named {name!r} in partners.toml")
    kind = documents.schema_of(document).partition(".")[2].partition("/")[0]
    sets = partner.spoken(sets)
    agreed = partner.agreed(sets, "out", kind)
    if agreed is None and partner.agreements:
        raise Refused(f"no {' or '.join(sets)} to {name} is agreed in partners.toml")
    return _Addressed(document, agreed or sets[0], partner, found.correlation if found is not None else None)


# Interchanges that the ERP has written itself.


@dataclass
class _Piece:
    """One interchange of a file, the transactions in it, and what speaks against sending it."""

    header: Interchange
    partner: Partner | None
    ends_at: int = 0
    transactions: list[dict[str, Any]] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def doubt(self, problems: tuple[Problem, ...]) -> None:
        """Take what makes an envelope or a transaction unfit as a doubt."""
        self.doubts += [problem.message for problem in problems if problem.severity is Severity.ERROR]


def _interchanges(home: Home, data: bytes) -> _Taken:
    try:
        pieces = _pieces(home, data)
    except NotEdi as error:
        raise Refused(f"it is no EDI: {error}") from error
    with home.store.read() as conn:
        for piece in pieces:
            piece.doubts += _used(home, conn, piece)
    doubts = [
        f"interchange {piece.header.control_number} at byte {piece.header.offset}: {piece.doubts[0]}"
        for piece in pieces
        if piece.doubts
    ]
    if doubts:
        raise Refused("\n".join([*doubts, "nothing of the file was sent"]))
    syntax = edi.of(pieces[0].header)
    partners = {piece.partner.name: piece.partner for piece in pieces if piece.partner is not None}

    def issue(conn: Connection, cause: str) -> None:
        for piece in pieces:
            assert piece.partner is not None
            first, number = piece.transactions[0]["type"], piece.header.control_number
            dispatch.queue(
                home,
                conn,
                piece.partner,
                home.store.keep(conn, data[piece.header.begins_at : piece.ends_at]),
                piece.transactions,
                filename=f"{first}_{piece.partner.name}_{_UNFIT.sub('-', number)}{syntax.SUFFIX}",
                content_type=syntax.CONTENT_TYPE,
                cause=cause,
            )

    return _Taken(tuple(partners), None, syntax.CONTENT_TYPE, issue)


def _pieces(home: Home, data: bytes) -> list[_Piece]:
    """The interchanges of a file, each checked as its receiver would check it. Raises NotEdi."""
    pieces: list[_Piece] = []
    seen: set[tuple[object, str]] = set()
    group: Group | None = None
    for event in edi.read(io.BytesIO(data)):
        match event:
            case Interchange():
                pieces.append(_addressed(home, event))
                key = (event.receiver, plain(event.control_number))
                if key in seen:
                    pieces[-1].doubts.append("its control number stands twice in this file")
                seen.add(key)
                pieces[-1].doubt(event.problems)
            case Group():
                group = event
                pieces[-1].doubt(event.problems)
            case Transaction():
                assert group is not None
                pieces[-1].transactions.append(dispatch.columns(pieces[-1].header, group, event))
                pieces[-1].doubts += _unfit(pieces[-1], event)
            case GroupEnd():
                pieces[-1].doubt(event.problems)
            case InterchangeEnd():
                pieces[-1].doubt(event.problems)
                pieces[-1].doubts += filter(None, [edi.unread(event)])
                pieces[-1].ends_at = event.ends_at
                if not pieces[-1].transactions:
                    pieces[-1].doubts.append("it holds no transaction")
    return pieces


def _addressed(home: Home, header: Interchange) -> _Piece:
    """An interchange and whom it is for; who cannot be sent to is a doubt."""
    partner = home.config.by_party(header.receiver, header.syntax)
    piece = _Piece(header, partner)
    us = home.config.us
    if not us.owns(header.sender, header.syntax):
        piece.doubts.append(f"it is from {header.sender}; we are {us.identity(header.syntax)}")
    if partner is None:
        piece.doubts.append(f"{header.receiver} is no partner in partners.toml")
    elif partner.status == "draft" or home.config.hub(partner).channel is None:
        why = "is a draft" if partner.status == "draft" else "has no channel"
        piece.doubts.append(f"{partner.name} {why} in partners.toml")
    elif header.usage != partner.usage:
        piece.doubts.append(f"its usage is {header.usage}, and {partner.usage} is agreed with {partner.name}")
    return piece


def _unfit(piece: _Piece, item: Transaction) -> list[str]:
    """Why a partner would not take a transaction: it is not agreed, or they would reject it."""
    partner = piece.partner
    if partner is None:
        return []
    agreement = partner.agreement(item.type, "out")
    if agreement is None and partner.agreements and item.type not in ACKNOWLEDGMENTS:
        return [f"no {item.type} to {partner.name} is agreed in partners.toml"]
    guide = partner.guide(item.type, "out")
    checked = edi.of(piece.header).check(item, guide)
    problems = [p for p in checked.problems if p.severity is Severity.ERROR]
    return [f"{item.type} {item.control_number}: {problem.message}" for problem in problems[:1]]


def _used(home: Home, conn: Connection, piece: _Piece) -> list[str]:
    """Whether its control number went to the partner before: they would take it for a repetition."""
    if piece.partner is None:
        return []
    earlier = conn.execute(
        select(document_table.c.type, document_table.c.transmission).where(
            document_table.c.direction == "out",
            document_table.c.partner == piece.partner.name,
            document_table.c.interchange_control == plain(piece.header.control_number),
            document_table.c.created_at > home.now() - numbers.KEPT,
        )
    )
    sent = next((row.transmission for row in earlier if syntax_of(row.type) == piece.header.syntax), None)
    return [f"its control number was sent to {piece.partner.name} before, in {sent}"] if sent else []
