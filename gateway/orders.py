"""Orders: which documents belong together, what follows from each, and when all is done.

A correlation id is the id of the document that began the order. Every later document finds it by the numbers
partners echo: a 945 names the depositor's order number of our 940, an acknowledgment names control numbers.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select, update
from sqlalchemy import Row as Record

from edi import documents
from edi.documents import (
    ApplicationAdvice,
    Document,
    FreightInvoice,
    FreightStatus,
    Invoice,
    LoadTender,
    LoadTenderAnswer,
    OrderAcknowledgment,
    OrderChange,
    OrderStatus,
    OrderStatusInquiry,
    Party,
    PaymentAdvice,
    ReceivingAdvice,
    ReturnAuthorization,
    RoutingInstructions,
    RoutingRequest,
    SalesOrder,
    ShipmentConfirmation,
    ShipNotice,
    StockReceipt,
    StockTransfer,
    Verdict,
    WarehouseOrder,
)
from edi.problems import EdiError
from edi.tree import syntax_of
from gateway import derivation, edi, numbers
from gateway.config import Partner, Us
from gateway.config.schema import ACKNOWLEDGMENTS
from gateway.edi import Row
from gateway.errors import DeadReason
from gateway.home import Home
from gateway.pipeline import batching, outbound
from gateway.store.tables import document as document_table
from gateway.store.tables import order, transmission

log = logging.getLogger(__name__)

ACCEPTED = ("accepted", "accepted_with_errors")
# The sets that carry a document: which is sent is told by what is agreed; of several, the first.
_WAREHOUSE_ORDERS, _CONFIRMATIONS = ("940", "INSDES"), ("945", "DESADV")
_NOTICES, _INVOICES = ("856", "DESADV"), ("810", "880", "INVOIC")
_ANSWERS, _ANSWERS_TO_CHANGES, _CHANGES = ("855", "ORDRSP"), ("865", "ORDRSP"), ("860", "ORDCHG")
_LONGEST_NUMBER = 22  # BIG02, W0502
_REVISING = frozenset({"cancellation", "change", "replace"})  # purposes of an order that was sent before
_MESSAGE = "previous_message"  # 1153 ACW
_GLN = "14"  # 0007: the id is a global location number


@dataclass(frozen=True)
class Prepared:
    """A document that follows, ready to be issued; `error` says why a person has to see to it first."""

    partner: Partner
    type: str
    document: Document
    rows: list[Row]
    error: str | None = None
    reason: DeadReason = DeadReason.MAPPING_FAILED


def correlation(conn: Connection, partner: Partner, identity: str, document: Document | None) -> str | None:
    """To which order an inbound document belongs: its own id when it begins one, None when none is known."""
    match document:
        case SalesOrder():
            return identity
        case OrderChange():
            changed = find(conn, document.number, partner.name)
            return changed.correlation if changed is not None else None
        case ShipmentConfirmation():
            return _issued(conn, "warehouse_order", document.number, partner.name)
        case LoadTenderAnswer():
            return _issued(conn, "load_tender", document.number, partner.name)
        case FreightStatus() | FreightInvoice():  # a carrier names orders of any partner, or our shipment
            return _about(conn, document) or _issued(conn, "ship_notice", document.shipment)
        case StockReceipt():
            return _issued(conn, "stock_transfer", document.transfer, partner.name)
        case ApplicationAdvice():
            judged = {_judged(conn, verdict, partner.name) for verdict in document.verdicts} - {None}
            if not judged:
                return _about(conn, document, partner.name)
            return judged.pop() if len(judged) == 1 else None
        case RoutingInstructions():
            asked = _issued(conn, "routing_request", document.request, partner.name)
            return _about(conn, document, partner.name) or asked
        case None:
            return None
        case _:
            return _about(conn, document, partner.name)


def purchase_orders(document: Document) -> tuple[str, ...]:
    """The order numbers of customers of ours that a document names, each once."""
    match document:
        case OrderAcknowledgment():
            return (document.number,)
        case Invoice() | WarehouseOrder() | ShipmentConfirmation() | StockTransfer():
            return (document.purchase_order,) if document.purchase_order else ()
        case ShipNotice():
            numbers = (level.purchase_order for level in document.of_kind("order"))
            return tuple(dict.fromkeys(number for number in numbers if number))
        case RoutingRequest() | RoutingInstructions() | FreightStatus() | FreightInvoice():
            return document.purchase_orders
        case LoadTender() | ReceivingAdvice() | PaymentAdvice() | OrderStatusInquiry() | OrderStatus():
            return document.purchase_orders
        case ReturnAuthorization() | ApplicationAdvice():
            return document.purchase_orders
        case _:
            return ()


def _about(conn: Connection, document: Document, partner: str | None = None) -> str | None:
    """The order whose number a document names; what is about several is part of none of them."""
    numbers = purchase_orders(document)
    found = find(conn, numbers[0], partner) if len(numbers) == 1 else None
    return found.correlation if found is not None else None


def find(conn: Connection, number: str, partner: str | None = None) -> Record[Any] | None:
    """The newest order of a purchase order number; None where there is none, or several partners have one.

    With `partner`, only orders that came from it or that it fulfils.
    """
    rows = conn.execute(
        select(order)
        .where(order.c.number == number)
        .order_by(order.c.created_at.desc(), order.c.correlation.desc())
    ).all()
    mine = [row for row in rows if partner in {None, row.partner, row.warehouse}]
    return mine[0] if len({row.partner for row in mine}) == 1 else None


def _issued(conn: Connection, kind: str, number: str | None, partner: str | None = None) -> str | None:
    """The order of our newest document of a kind and number, to that partner where one is given."""
    if number is None:
        return None
    columns = document_table.c
    query = select(columns.correlation).where(
        columns.direction == "out", columns.kind == kind, columns.number == number
    )
    if partner is not None:
        query = query.where(columns.partner == partner)
    return conn.execute(query.order_by(columns.created_at.desc())).scalar()


def _judged(conn: Connection, verdict: Verdict, partner: str) -> str | None:
    """The order of the document of ours that a partner's application accepts or refuses.

    It is known by its control numbers where they are told, else by its number; in EDIFACT also by the message
    reference (0062) alone.
    """
    columns = document_table.c
    query = select(columns.correlation, columns.transaction_control, columns.type).where(
        columns.direction == "out", columns.partner == partner, columns.kind != "acknowledgment"
    )
    if verdict.transaction_set is not None:
        query = query.where(columns.type == verdict.transaction_set)
    newest = query.order_by(columns.created_at.desc(), columns.id.desc())
    if verdict.group_control_number is not None and verdict.control_number is not None:
        group = newest.where(columns.group_control == numbers.plain(verdict.group_control_number))
        if verdict.transaction_set is not None:
            functional_id = edi.of_type(verdict.transaction_set).functional_id(verdict.transaction_set)
            group = group.where(columns.functional_id == functional_id)
        wanted = numbers.plain(verdict.control_number)
        for row in conn.execute(group):
            if numbers.plain(row.transaction_control) == wanted:
                return str(row.correlation) if row.correlation else None
    found = conn.execute(newest.where(columns.number == verdict.number)).first()
    if found is None and (references := _message_references(verdict)):
        mine = conn.execute(newest.where(columns.transaction_control.in_(references)))
        found = next((row for row in mine if syntax_of(row.type) == "edifact"), None)
    return str(found.correlation) if found is not None and found.correlation else None


def _message_references(verdict: Verdict) -> list[str]:
    """The references of messages of ours that a verdict names (RFF+ACW), as we count them."""
    named = [verdict.number] if verdict.number_type == _MESSAGE else []
    named += [one.value for one in verdict.references if one.type == _MESSAGE and one.value]
    return [numbers.plain(one) for one in named]


def prepare(home: Home, conn: Connection, row: Record[Any], document: Document) -> list[Prepared]:
    """What follows from an inbound document once the ERP has it; reads, and changes nothing."""
    match document:
        case SalesOrder():
            following = _warehouse_orders(home, conn, row, document)
        case ShipmentConfirmation():
            following = _notice_and_invoice(home, conn, row, document)
        case _:
            return []
    if (earlier := _same_before(conn, row)) is None:
        return following
    doubt = f"{row.type} {row.number} says word for word what {earlier} said: it may be a repetition"
    return [
        one if one.error else replace(one, rows=[], error=doubt, reason=DeadReason.DOUBTFUL)
        for one in following
    ]


def _same_before(conn: Connection, row: Record[Any]) -> str | None:
    """An earlier document of the partner with the same content, sent again under another control number."""
    return conn.execute(
        select(document_table.c.id)
        .where(
            document_table.c.direction == "in",
            document_table.c.partner == row.partner,
            document_table.c.number == row.number,
            document_table.c.type == row.type,
            document_table.c.body == row.body,
            document_table.c.id < row.id,  # ids sort by time
        )
        .order_by(document_table.c.id)
        .limit(1)
    ).scalar()


def _warehouse_orders(
    home: Home, conn: Connection, row: Record[Any], sales_order: SalesOrder
) -> list[Prepared]:
    warehouse_name = conn.execute(
        select(order.c.warehouse).where(order.c.correlation == row.correlation)
    ).scalar()
    warehouse = home.config.partners.get(warehouse_name or "")
    if warehouse is None:
        return []
    us = home.config.us
    number = _depositor_number(conn, warehouse, sales_order.number)
    type = warehouse.agreed(_WAREHOUSE_ORDERS, "out") or warehouse.spoken(_WAREHOUSE_ORDERS)[0]
    today = home.now().astimezone(us.timezone).date()
    crosses = syntax_of(row.type) != syntax_of(type)
    document = derivation.warehouse_order(
        derivation.crossing(sales_order, syntax_of(type)) if crosses else sales_order,
        number,
        depositor=_depositor(us, type),
        unit="each" if syntax_of(row.type) == "edifact" else None,  # QTY counts pieces where 6411 is absent
        written_on=today if syntax_of(type) == "edifact" else None,  # every message has its date
        to_buyer=syntax_of(row.type) == "edifact",  # NAD+DP is told where it is not the buyer
    )
    doubt = derivation.unclear(sales_order, document)
    if sales_order.purpose not in {None, "original"}:  # a cancellation, a copy, a confirmation of a call
        doubt = f"the order's purpose is {sales_order.purpose!r}: shipping it is for a person to decide"
    return [_prepared(home, warehouse, type, document, doubt)]


def _depositor(us: Us, type: str) -> Party:
    """Us, as a warehouse knows us."""
    known = syntax_of(type) == "edifact" and us.unb is not None and us.unb.qualifier == _GLN
    return Party(role="depositor", name=us.name, ids={"gln": us.unb.id} if known and us.unb else {})


def _depositor_number(conn: Connection, warehouse: Partner, purchase_order: str) -> str:
    """The purchase order number, unless this warehouse has an order of that number: then -2, -3."""
    base = purchase_order[: _LONGEST_NUMBER - 4]
    taken = set(
        conn.execute(
            select(document_table.c.number).where(
                document_table.c.direction == "out",
                document_table.c.partner == warehouse.name,
                document_table.c.kind == "warehouse_order",
                document_table.c.number.startswith(base, autoescape=True),
            )
        ).scalars()
    )
    number, count = purchase_order[:_LONGEST_NUMBER], 1
    while number in taken:
        count += 1
        number = f"{base}-{count}"
    return number


def _notice_and_invoice(
    home: Home, conn: Connection, row: Record[Any], confirmation: ShipmentConfirmation
) -> list[Prepared]:
    found = conn.execute(select(order).where(order.c.correlation == row.correlation)).one_or_none()
    if found is None:
        return []
    customer = home.config.partners.get(found.partner)
    ordered = conn.execute(
        select(document_table.c.type, document_table.c.body).where(document_table.c.id == found.correlation)
    ).one_or_none()
    if customer is None or ordered is None or ordered.body is None:
        return []
    sales_order = documents.decode(ordered.body)
    assert isinstance(sales_order, SalesOrder)
    shipments = conn.execute(
        select(func.count(document_table.c.cause.distinct())).where(
            document_table.c.correlation == found.correlation,
            document_table.c.direction == "out",
            document_table.c.kind.in_(("ship_notice", "invoice")),
        )
    ).scalar_one()
    number = f"{sales_order.number[: _LONGEST_NUMBER - 4]}-{shipments + 1}"
    now = home.now().astimezone(home.config.us.timezone)
    made_of = {syntax_of(row.type), syntax_of(ordered.type)}
    following: list[Prepared] = []
    noticed = customer.agreed(_NOTICES, "out", "ship_notice")
    if noticed is not None and not customer.made_by_erp(noticed):
        notice = derivation.ship_notice(sales_order, confirmation, confirmation.shipment or number, now)
        if syntax_of(noticed) == "edifact":
            notice = derivation.in_edifact(notice, sales_order)
        elif "edifact" in made_of:
            notice = derivation.in_x12(notice)
        following.append(_prepared(home, customer, noticed, notice))
    billed = customer.agreed(_INVOICES, "out")
    if billed is not None and not customer.made_by_erp(billed):
        invoice = derivation.invoice(sales_order, confirmation, number, now.date())
        doubt = (
            derivation.unpriced(invoice)
            or derivation.unbilled(sales_order, net=syntax_of(ordered.type) == "edifact")
            or _changed(conn, found)
        )
        if syntax_of(billed) == "edifact":
            invoice = derivation.in_edifact(invoice, sales_order)
        elif "edifact" in made_of:
            invoice = derivation.in_x12(invoice)
        bill = derivation.grocery_invoice(invoice) if billed == "880" else invoice
        following.append(_prepared(home, customer, billed, bill, doubt))
    return following


def _changed(conn: Connection, found: Record[Any]) -> str | None:
    """Why the order's own prices and quantities may hold no longer: its customer has changed it.

    By a message for changes, or by the order again with another purpose.
    """
    columns = document_table.c
    later = conn.execute(
        select(columns.type, columns.kind, columns.body)
        .where(
            or_(
                columns.correlation == found.correlation,
                and_(columns.partner == found.partner, columns.number == found.number),
            ),
            columns.direction == "in",
            columns.kind.in_(("order_change", "sales_order")),
            columns.status.in_(ACCEPTED),
            columns.id > found.correlation,  # ids sort by time
        )
        .order_by(columns.id)
    )
    for row in later:
        purpose = getattr(documents.decode(row.body), "purpose", None)
        if row.kind == "order_change" or purpose in _REVISING:
            again = row.type if row.kind == "order_change" else f"{row.type} ({purpose})"
            return f"the customer has changed the order by {again}: what to bill is for a person to decide"
    return None


def _prepared(
    home: Home, partner: Partner, type: str, document: Document, doubt: str | None = None
) -> Prepared:
    """Ready to be issued, unless it cannot be written or there is a doubt that a person has to decide."""
    if doubt is not None:
        return Prepared(partner, type, document, [], doubt, DeadReason.DOUBTFUL)
    try:
        return Prepared(partner, type, document, outbound.rows(home, partner, type, document))
    except EdiError as error:
        return Prepared(partner, type, document, [], str(error))


def issue(home: Home, conn: Connection, cause: Record[Any], following: list[Prepared]) -> None:
    """Write, number, store and queue what follows, in the transaction that records its cause."""
    for prepared in following:
        outbound.issue(
            home,
            conn,
            prepared.partner,
            prepared.type,
            prepared.document,
            prepared.rows,
            correlation=cause.correlation,
            cause=cause.id,
            error=prepared.error,
            reason=prepared.reason,
        )


def close_if_done(home: Home, conn: Connection, correlation: str | None) -> None:
    """Close an order when every expected document exists, was delivered, and was accepted."""
    found = conn.execute(
        select(order).where(order.c.correlation == correlation, order.c.status == "open")
    ).one_or_none()
    if found is None or any(due(home, conn, found)):
        return
    conn.execute(
        update(order).where(order.c.correlation == correlation).values(status="done", done_at=home.now())
    )
    home.note(
        conn,
        "closed",
        f"order {found.number}: every document delivered and accepted",
        partner=found.partner,
        correlation=correlation,
    )


def due(home: Home, conn: Connection, found: Record[Any]) -> list[dict[str, Any]]:
    """What an order still waits for: who owes what, and by when. Empty when it is done."""
    rows = conn.execute(
        select(document_table, transmission.c.status.label("sent"))
        .outerjoin(transmission, transmission.c.id == document_table.c.transmission)
        .where(document_table.c.correlation == found.correlation)
        .order_by(document_table.c.created_at, document_table.c.id)
    ).all()
    waiting: list[dict[str, Any]] = []

    def owed(owner: str, what: str, by: object = None) -> None:
        waiting.append({"owner": owner, "what": what, "due_at": by})

    for row in rows:
        what = f"{row.type} {row.number or row.transaction_control or ''}".strip()
        if row.type in ACKNOWLEDGMENTS:
            if row.direction == "out" and row.sent != "delivered":
                what = "interchange" if row.group_control is None else "group"
                owed("us", f"to send the {row.type} for {what} {row.number}", row.ack_due_at)
            continue
        if row.status in {"held", "rejected"}:
            owed("us", f"a person to look at {what}: {row.error}")
        elif row.direction == "in":
            if row.delivered_at is None:
                owed("erp", f"to take {what}")
        elif row.status == "batched":
            (gathered,) = batching.waiting(home, conn, row.partner, row.batch)
            owed("us", f"to send {what}, which waits for others: {gathered}", row.leaves_at)
        elif row.sent != "delivered":
            owed(
                row.partner if row.sent == "sent" else "us",
                f"{'the receipt for' if row.sent == 'sent' else 'to send'} {what}",
            )
        elif row.ack == "rejected":
            owed("us", f"to correct {what}, which {row.partner} has rejected")
        elif row.ack not in {*ACCEPTED, "none"}:
            owed(row.partner, f"the acknowledgment of {what} ({row.ack})", row.ack_due_at)
    have = Counter((row.direction, row.type) for row in rows)
    for direction, type, owner in _expected(home, found, frozenset(have)):
        have[direction, type] -= 1  # an ORDRSP answers the order, another one its change
        if have[direction, type] < 0:
            owed(owner, f"the {type}")
            if direction == "in":  # what follows from it cannot be owed yet
                break
    return waiting


def close_carried(home: Home, conn: Connection, transmission_id: str) -> None:
    """Close the orders of which a transmission carried the last that was due."""
    carried = select(document_table.c.correlation).where(document_table.c.transmission == transmission_id)
    for correlation in conn.execute(carried.distinct()).scalars().all():
        close_if_done(home, conn, correlation)


def _expected(home: Home, found: Record[Any], have: frozenset[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """The chain of an order as (direction, type, who makes it); a change that came needs its answer, too."""
    customer = home.config.partners.get(found.partner)
    warehouse = home.config.partners.get(found.warehouse or "")
    expected: list[tuple[str, str | None, str]] = []
    if customer is not None:
        expected.append(("out", customer.agreed(_ANSWERS, "out"), "erp"))
        if any(("in", change) in have for change in _CHANGES):
            expected.append(("out", customer.agreed(_ANSWERS_TO_CHANGES, "out"), "erp"))
    if found.warehouse:
        ordered, confirmed = _WAREHOUSE_ORDERS[0], _CONFIRMATIONS[0]
        if warehouse is not None:
            ordered = warehouse.agreed(_WAREHOUSE_ORDERS, "out") or warehouse.spoken(_WAREHOUSE_ORDERS)[0]
            confirmed = (
                warehouse.agreed(_CONFIRMATIONS, "in", "shipment_confirmation")
                or warehouse.spoken(_CONFIRMATIONS)[0]
            )
        expected += [("out", ordered, "us"), ("in", confirmed, found.warehouse)]
    if customer is not None:
        for type in (customer.agreed(_NOTICES, "out", "ship_notice"), customer.agreed(_INVOICES, "out")):
            ours = found.warehouse and type is not None and not customer.made_by_erp(type)
            expected.append(
                ("out", type, "us" if ours else "erp")
            )  # without a warehouse nothing comes for us
    return [(direction, type, maker) for direction, type, maker in expected if type is not None]
