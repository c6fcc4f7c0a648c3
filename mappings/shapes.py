"""Documents that a message does not have the shape of: what a map binds to instead, and the way between.

A map binds the segments of a message to the fields of a struct one to one. Where a canonical document is
built otherwise than the message (a hierarchy of levels, where the message has packages inside packages), the
map names a *shape*: a struct built like the message, and two functions between it and the document. The map
then reads and writes the struct::

    document = "ship_notice"
    shape = "despatch_advice"
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from edi.documents import Document
from edi.problems import Problem
from mappings.shaped import (
    aperak,
    delfor,
    desadv,
    despatched,
    iftmin,
    iftsta,
    insdes,
    invoic,
    invrpt,
    ordchg,
    orders,
    ordrsp,
    recadv,
    remadv,
    retann,
    slsrpt,
)


class Shape(NamedTuple):
    """A struct that is built like a message; one that has `extra` keeps what the map does not place.

    Reading never raises: `to_document` gives the document, or None with problems (fault MAPPING_FAILED).
    `from_document` raises CannotWrite, its problems naming the field of the document as the writer does, for
    what the shape has no place for. Both are pure, and `to_document(from_document(d)) == (d, ())` for every
    document that can be written.
    """

    struct: type[msgspec.Struct]
    to_document: Callable[[Any], tuple[Document | None, tuple[Problem, ...]]]
    from_document: Callable[[Any], Any]


SHAPES: dict[str, Shape] = {
    "despatch_advice": Shape(desadv.DespatchAdvice, desadv.to_document, desadv.from_document),
    "despatch_of_warehouse": Shape(
        despatched.Despatch, despatched.to_confirmation, despatched.from_confirmation
    ),
    "despatch_instruction": Shape(insdes.Instruction, insdes.to_order, insdes.from_order),
    "order": Shape(orders.OrderMessage, orders.to_order, orders.from_order),
    "invoice": Shape(invoic.InvoiceMessage, invoic.to_invoice, invoic.from_invoice),
    "inventory_movements": Shape(invrpt.Movements, invrpt.to_adjustment, invrpt.from_adjustment),
    "announcement": Shape(retann.Announcement, retann.to_authorization, retann.from_authorization),
    "order_change": Shape(ordchg.OrderChangeRequest, ordchg.to_change, ordchg.from_change),
    "order_response": Shape(ordrsp.OrderResponse, ordrsp.to_acknowledgment, ordrsp.from_acknowledgment),
    "status_report": Shape(iftsta.StatusReport, iftsta.to_status, iftsta.from_status),
    "sales_report": Shape(slsrpt.SalesReport, slsrpt.to_activity, slsrpt.from_activity),
    "receipt": Shape(recadv.StockAdvice, recadv.to_receipt, recadv.from_receipt),
    "receiving_advice": Shape(recadv.ItemAdvice, recadv.to_advice, recadv.from_advice),
    "application_advice": Shape(aperak.ErrorReport, aperak.to_advice, aperak.from_advice),
    "remittance_advice": Shape(remadv.RemittanceAdvice, remadv.to_payment, remadv.from_payment),
    "schedule": Shape(delfor.Schedule, delfor.to_plan, delfor.by_party),
    "schedule_in_groups": Shape(delfor.Schedule, delfor.to_plan, delfor.by_group),
    "shipping_schedule": Shape(delfor.ShippingSchedule, delfor.to_plan, delfor.by_party),
    "shipping_schedule_in_groups": Shape(delfor.ShippingSchedule, delfor.to_plan, delfor.by_group),
    "transport_instruction": Shape(iftmin.Instruction, iftmin.to_tender, iftmin.from_tender),
}
"""The shapes that maps may name."""
