"""The files that are measured, always the same ones: made from a fixed seed, larger or smaller."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from edi.tree import PartyId
from x12.writer import Body, Envelope

Rows = list[list[str]]

LINES = (1, 1, 2, 3, 5, 8, 13, 21, 40)  # of an order or a payment
ORDER_ENVELOPE = Envelope(
    PartyId("ZZ", "RETAILER"), PartyId("ZZ", "SUPPLIER"), 1, 1, "PO", "004010", datetime(2026, 1, 6, 12, 30)
)
PAYMENT_ENVELOPE = replace(ORDER_ENVELOPE, functional_id="RA", version="004010X061A1")


def _orders(r: random.Random) -> Iterator[Rows]:
    """850s as a retailer sends them, with lines of varying number and detail."""
    while True:
        rows = [
            ["BEG", "00", "SA", f"PO{r.randrange(10**8):08}", "", f"202601{r.randrange(10, 29)}"],
            ["REF", "DP", f"{r.randrange(1000):03}"],
            ["REF", "IA", str(r.randrange(10**6))],
            ["PER", "BD", "Jane Buyer", "TE", f"555{r.randrange(10**7):07}"],
            ["ITD", "14", "3", "2", "", "30", "", "31"],
            ["DTM", "002", f"202602{r.randrange(10, 29)}"],
            ["TD5", "", "2", "UPSN", "M"],
            ["N1", "ST", f"Store {r.randrange(1000)}", "92", f"{r.randrange(10**4):04}"],
            ["N3", f"{r.randrange(9999)} Main Street"],
            ["N4", "Springfield", "IL", f"627{r.randrange(100):02}", "US"],
        ]
        count = r.choice(LINES)
        for line in range(1, count + 1):
            price = f"{r.randrange(100, 30000) / 100:.2f}"
            product = ["UP", f"{r.randrange(10**12):012}", "VN", f"SKU{r.randrange(10**5)}"]
            rows.append(["PO1", str(line), str(r.randrange(1, 200)), "EA", price, "", *product])
            rows.append(["PID", "F", "08", "", "", f"Widget number {r.randrange(1000)}"])
            if r.random() < 0.5:
                rows.append(["PO4", str(r.randrange(1, 24)), "1", "EA"])
        rows.append(["CTT", str(count)])
        yield rows


def _payments(r: random.Random) -> Iterator[Rows]:
    """820s that are valid by the standard and by the guide 004010X061A1, the only one that pyx12 has."""
    while True:
        paid, lines = Decimal(0), []
        for line in range(1, r.choice(LINES) + 1):
            amount = Decimal(r.randrange(1000, 900000)) / 100
            short = r.random() < 0.5
            paid += amount - 5 * short
            lines.append(["ENT", str(line), "2J", "EI", f"{r.randrange(10**9):09}"])
            invoice = f"INV{r.randrange(10**6)}"
            lines.append(["RMR", "IK", invoice, "PI", f"{amount - 5 * short:.2f}", f"{amount:.2f}"])
            if short:
                lines.append(["ADX", "-5", "52"])
        bank = ["01", "011000015", "DA", "12345678", "1234567890", "", "01", "021000021", "DA", "87654321"]
        yield [
            ["BPR", "C", f"{paid:.2f}", "C", "ACH", "CTX", *bank, "20260120"],
            ["TRN", "1", str(r.randrange(10**9)), "1234567890"],
            ["REF", "38", str(r.randrange(10**6))],
            ["DTM", "009", "20260119"],
            ["N1", "PE", "Supplier Inc", "FI", "987654321"],
            ["N3", "1 Main Street"],
            ["N4", "Springfield", "IL", "62701"],
            ["N1", "PR", "Retailer Inc", "FI", "123456789"],
            ["N3", "2 Main Street"],
            ["N4", "Springfield", "IL", "62702"],
            ["PER", "IC", "Jane Payer", "TE", "5555551212"],
            *lines,
        ]


def _bodies(type: str, make: Callable[[random.Random], Iterator[Rows]], megabytes: float) -> list[Body]:
    made, size = [], 0.0
    for number, rows in enumerate(make(random.Random(7)), 1):
        made.append(Body(type, number, rows))
        size += sum(sum(map(len, row)) + len(row) + 1 for row in rows)
        if size >= megabytes * 1e6:
            break
    return made


def orders(megabytes: float) -> list[Body]:
    return _bodies("850", _orders, megabytes)


def payments(megabytes: float) -> list[Body]:
    return _bodies("820", _payments, megabytes)


def edifact(bodies: list[Body]) -> bytes:
    """The same orders as an interchange of ORDERS D.96A."""
    segments = ["UNA:+.? ", "UNB+UNOC:3+RETAILER:ZZ+SUPPLIER:ZZ+260106:1230+1"]
    for body in bodies:
        message = [f"UNH+{body.control_number}+ORDERS:D:96A:UN", *_message(body.rows)]  # type: ignore[arg-type]
        segments += [*message, f"UNT+{len(message) + 1}+{body.control_number}"]
    return "'".join([*segments, f"UNZ+{len(bodies)}+1", ""]).encode("ascii")


def _message(rows: Rows) -> Iterator[str]:
    ship_to: list[str] = []
    priced: list[str] = []
    for row in sorted(rows[:7], key=lambda row: row[0] == "REF") + rows[7:]:
        match row:
            case ["BEG", _, _, number, _, date]:
                yield f"BGM+220+{number}+9"
                yield f"DTM+137:{date}:102"
            case ["DTM", _, date]:
                yield f"DTM+2:{date}:102"
            case ["REF", _, number]:
                yield f"RFF+CR:{number}"
            case ["N1", _, name, _, code]:
                ship_to = [f"NAD+ST+{code}::92", "", name]
            case ["N3", street]:
                ship_to.append(street)
            case ["N4", *place]:
                yield "+".join([*ship_to, *place])
            case ["PO1", line, quantity, _, price, _, _, product, _, sku]:
                yield f"LIN+{line}++{product}:UP"
                yield f"PIA+1+{sku}:SA"
                priced = [f"QTY+21:{quantity}:PCE", f"PRI+AAA:{price}"]
            case ["PID", *_, text]:
                yield f"IMD+F++:::{text}"
                yield from priced
            case ["CTT", count]:
                yield "UNS+S"
                yield f"CNT+2:{count}"
