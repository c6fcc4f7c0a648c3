"""Where a CONTRL says that an error is."""

from __future__ import annotations

import io
from datetime import datetime

from gateway import edi

ORDER = (
    "UNB+UNOA:3+SENDER:14+RECEIVER:14+260105:1200+7'UNH+1+ORDERS:D:96A:UN'BGM+220+PO-1+9'"
    "DTM+137:20260199:102'NAD+BY+++NAME'LIN+1'QTY+21:X'UNS+S'UNT+8+2'UNZ+1+7'"
)


def test_elements_are_counted_from_the_tag_and_components_from_one() -> None:
    (answer,) = edi.acknowledge(io.BytesIO(ORDER.encode()), now=datetime(2026, 1, 5, 12, 0))
    segments = answer.data.decode().split("'")
    assert [one for one in segments if one[:3] in ("UCM", "UCS", "UCD")] == [
        "UCM+1+ORDERS:D:96A:UN+4+28+UNT+3",
        "UCS+3",
        "UCD+12+2:2",
        "UCS+6",
        "UCD+37+2:2",
    ]
