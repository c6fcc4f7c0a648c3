"""EDIFACT written by hand, and taken apart: what a partner sends, and what it sees of us."""

from __future__ import annotations

US = ("5412345000013", "14")
SHOP = ("5412345000020", "14")

DEPOT = ("DEPOT3PL", "ZZZ")

# A retailer and a warehouse over SFTP who speak EDIFACT, for `trading`.
PARTNERS = """\
schema = 1
[us]
name = "Northwind"
isa = { qualifier = "ZZ", id = "US" }
unb = { qualifier = "14", id = "5412345000013" }

[partner.shop]
role = "retailer"
status = "live"
usage = "P"
unb = { qualifier = "14", id = "5412345000020" }
sftp_account = { user = "shop", keys = [] }
document = [
  { type = "ORDERS", direction = "in", route = "3pl:depot" },
  { type = "DESADV", direction = "out", version = "D.96A/EAN005" },
  { type = "INVOIC", direction = "out", version = "D.96A/EAN008" },
]

[partner.depot]
role = "3pl"
status = "live"
usage = "P"
unb = { id = "DEPOT3PL" }
edifact = { version = "D.01B/EAN010", una = "always" }
sftp_account = { user = "depot", keys = [] }
document = [{ type = "INSDES", direction = "out" }, { type = "DESADV", direction = "in" }]
"""

ORDER = [
    "BGM+220+{number}+9",
    "DTM+137:20261101:102",
    "NAD+BY+5412345000020::9",
    "NAD+SU+5412345000013::9",
    "NAD+DP+5412345000037::9",
    "CUX+2:EUR:9",
    "LIN+1++4000862141404:EN",
    "QTY+21:12",
    "PRI+AAA:2.5",
    "LIN+2++4000862141411:EN",
    "QTY+21:4",
    "PRI+AAA:10",
    "UNS+S",
    "CNT+2:2",
]


def order(number: str, reference: object = 1, body: list[str] | None = None) -> list[str]:
    """An ORDERS from UNH to UNT."""
    rows = [row.format(number=number) for row in (ORDER if body is None else body)]
    return message("ORDERS", reference, *rows)


def message(type: str, reference: object, *rows: str, version: str = "D:96A:UN:EAN008") -> list[str]:
    """A message from UNH to UNT."""
    return [f"UNH+{reference}+{type}:{version}", *rows, f"UNT+{len(rows) + 2}+{reference}"]


def interchange(
    number: object,
    *messages: list[str],
    sender: tuple[str, str] = SHOP,
    receiver: tuple[str, str] = US,
    test: bool = False,
    ack: bool = False,
    syntax: str = "UNOC:3",
    una: str = "",
    encoding: str = "latin-1",
) -> bytes:
    """Messages in an interchange, without groups."""
    sides = "+".join(":".join(side).rstrip(":") for side in (sender, receiver))
    unb = f"UNB+{syntax}+{sides}+261101:1200+{number}++++{'1' if ack else ''}++{'1' if test else ''}"
    rows = [unb.rstrip("+"), *(row for rows in messages for row in rows), f"UNZ+{len(messages)}+{number}"]
    return (una + "".join(f"{row}'" for row in rows)).encode(encoding)


def contrl(number: object, about: object, action: str, *rows: str, sender: tuple[str, str] = SHOP) -> bytes:
    """A partner's CONTRL about an interchange of ours: UCI, and what follows."""
    sides = "+".join(":".join(side) for side in (US, sender))
    uci = f"UCI+{about}+{sides}+{action}"
    body = message("CONTRL", number, uci, *rows, version="D:3:UN")
    return interchange(number, body, sender=sender)


def segments(data: bytes) -> list[list[str]]:
    """Segments of an interchange that has the usual service characters and releases none."""
    text = data.decode("latin-1").removeprefix("UNA:+.? '")
    return [row.strip("\r\n").split("+") for row in text.split("'") if row.strip("\r\n")]
