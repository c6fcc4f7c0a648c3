"""The EDIFACT messages, segments, elements and code lists, read from the tables in `facts/` when needed.

`edi.tables` tells what tables are; each directory has a folder. `service/3` and `service/4` have the
service segments of syntax versions 1 to 3 and of 4, and the message CONTRL. Within messages UNH, UNS and UNT
are those of version 4, which hold the earlier ones. `facts/derive.py` tells where the tables come from.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from edi.schema import SegmentDef, SetDef, Total
from edi.tables import Tables, meanings

VERSIONS = ("D.96A", "D.01B")
CONTRL = "CONTRL"
_FACTS = Path(__file__).parent / "facts"

_LINES = Total("CNT", 1, "LIN", code="2")


def _quantities(*qualifiers: str) -> Total:
    return Total("CNT", 1, "QTY", 1, code="1", chosen=qualifiers, beside="LIN")


# CNT+2 counts the lines; CNT+1 adds up what is ordered (21), sent (12), received (48) or invoiced (47).
_TOTALS = {
    "DELFOR": (_LINES,),
    "DESADV": (_LINES, _quantities("12")),
    "INSDES": (_LINES, _quantities("12")),
    "INVOIC": (_LINES, _quantities("47")),
    "ORDCHG": (_LINES, _quantities("21")),
    "ORDERS": (_LINES, _quantities("21")),
    "ORDRSP": (_LINES, _quantities("21")),
    "RECADV": (_LINES, _quantities("48")),
    "RETANN": (_LINES,),
}


def base_version(version: str) -> str | None:
    """The directory whose tables govern a version such as D.96A/EAN008; None where there are none."""
    directory = version.partition("/")[0]
    return directory if directory in VERSIONS else None


def sets(version: str) -> tuple[str, ...]:
    """The messages defined in `version` ("D.96A"), and those defined only in a later one; CONTRL always."""
    later = VERSIONS[VERSIONS.index(version) :]
    return tuple(sorted({CONTRL, *(message for known in later for message in _tables(known).sets)}))


def functional_id(message: str) -> str | None:
    """The 0038 of the groups that carry a message, which is its type."""
    return message if message in sets(VERSIONS[0]) else None


@cache
def functional_ids() -> frozenset[str]:
    """Every 0038 of a message that is defined."""
    return frozenset(sets(VERSIONS[0]))


def definition(message: str, version: str) -> SetDef | None:
    """A message in a version ("D.96A" or "D.96A/EAN008"), or None where it is not defined.

    Partners use messages in directories older than the message (INSDES in D.96A): such a one is as it was
    first published. CONTRL belongs to the syntax and is the same whatever the version.
    """
    if message == CONTRL:
        return _defined(CONTRL, "4", "service/4")
    base = base_version(version)
    for known in VERSIONS[VERSIONS.index(base) :] if base else ():
        if message in _tables(known).sets:
            return _defined(message, base or known, known)
    return None


@cache
def _defined(message: str, version: str, folder: str) -> SetDef:
    """A message as `folder` has it, in `version`."""
    if version in VERSIONS and version != folder:
        return replace(_defined(message, folder, folder), version=version)
    tables = _tables(folder)
    children, nodes = tables.structure(message)
    title = tables.sets[message][0].partition(" ")[2]
    totals = _totals(message, {use.segment.tag for use in nodes})
    return SetDef(message, version, title, message, children, nodes, totals, tables.tags)


def _totals(message: str, tags: set[str]) -> tuple[Total, ...]:
    return tuple(total for total in _TOTALS.get(message, ()) if {total.segment, total.of} <= tags)


def segment(tag: str, version: str) -> SegmentDef | None:
    """A segment of any message of a version, or a service segment; None where there is no such one."""
    base = base_version(version)
    return _tables(base).segment(tag) if base and tag in _tables(base).tags else None


def service(tag: str, syntax_version: str) -> SegmentDef | None:
    """A service segment in a syntax version ("3", S001's 0002); None where there is no such one."""
    tables = _tables("service/4" if syntax_version == "4" else "service/3")
    return tables.segment(tag) if tag in tables.tags else None


def meaning(element: str, code: str) -> str | None:
    """What a code of an element stands for, where it has a short name."""
    return _meanings().get((element, code))


@cache
def _meanings() -> dict[tuple[str, str], str]:
    return meanings(_FACTS / "meanings.tsv") | meanings(_FACTS / "service" / "meanings.tsv")


@cache
def _tables(folder: str) -> Tables:
    """Those of a directory, or of the service segments."""
    return Tables(_FACTS / folder, _tables("service/4") if folder in VERSIONS else None, normal=True)
