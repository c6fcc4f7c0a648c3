"""A process that issues the ERP's invoices until it is killed: one of several on one home.

    python invoices_victim.py HOME WRITER INVOICES

Started again under the same name it takes the same files again, as after a crash, which changes nothing.
"""

from __future__ import annotations

import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

from edi.documents import Invoice, encode
from gateway.erp import Arrival
from gateway.home import Home
from gateway.pipeline import from_erp


def main(folder: Path, writer: str, invoices: int) -> None:
    home = Home.open(folder)
    print("running", flush=True)
    for number in range(invoices):
        name = f"{writer}-{number}"
        invoice = Invoice(number=name, invoiced_on=date(2026, 11, 2), total=Decimal(1), partner="shop")
        from_erp.take(home, Arrival(home.erp.inbox / f"{name}.json", encode(invoice)))
    home.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
