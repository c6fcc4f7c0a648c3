"""The X12 transaction sets, segments, elements and code lists, read from the tables in `facts/` when needed.

`edi.tables` tells what the tables look like; there is a folder for each version. `meanings.tsv` names the
codes. All are derived by `facts/derive.py` from the sources whose licences lie beside them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path

from edi.schema import SegmentDef, SetDef, Total
from edi.tables import Tables, meanings

VERSIONS = ("004010", "005010")
_FACTS = Path(__file__).parent / "facts"
_SET_ID_LENGTH = 3

# CTT01 counts the detail lines and CTT02 adds up their quantities; the warehouse sets total in W76, W03, W14.
_TOTALS = {
    "810": (Total("CTT", 1, "IT1"), Total("CTT", 2, "IT1", 2)),
    "846": (Total("CTT", 1, "LIN"),),
    "850": (Total("CTT", 1, "PO1"), Total("CTT", 2, "PO1", 2)),
    "855": (Total("CTT", 1, "PO1"), Total("CTT", 2, "PO1", 2)),
    "856": (Total("CTT", 1, "HL"), Total("CTT", 2, "SN1", 2)),
    "860": (Total("CTT", 1, "POC"),),
    "865": (Total("CTT", 1, "POC"),),
    "940": (Total("W76", 1, "W01", 1),),
    "943": (Total("W03", 1, "W04", 1),),
    "944": (Total("W14", 1, "W07", 1),),
    "945": (Total("W03", 1, "W12", 3),),
}


def base_version(version: str) -> str | None:
    """The version whose tables govern a GS08 or ST03 such as 004010VICS; None where there are none."""
    return version[:6] if version[:6] in VERSIONS else None


def sets(version: str) -> tuple[str, ...]:
    """The ids of the sets defined in `version` ("004010"), and of those defined only in a later one."""
    later = VERSIONS[VERSIONS.index(version) :]
    return tuple(sorted({transaction_set for known in later for transaction_set in _version(known).sets}))


def functional_id(transaction_set: str) -> str | None:
    """The GS01 of the groups that carry a set, e.g. "PO" for the 850."""
    return _functional_id(transaction_set) if len(transaction_set) == _SET_ID_LENGTH else None


@lru_cache(maxsize=256)
def _functional_id(transaction_set: str) -> str | None:
    for version in reversed(VERSIONS):
        if lines := _version(version).sets.get(transaction_set):
            return lines[0].split(" ", 2)[1]
    return None


@cache
def functional_ids() -> frozenset[str]:
    """Every GS01 there is."""
    return frozenset().union(*(_version(version).element("479").codes or () for version in VERSIONS))


def definition(transaction_set: str, version: str) -> SetDef | None:
    """A set in a version ("004010" or a GS08 that begins so), or None where it is not defined.

    Partners use sets in versions older than the set (753 in 004010): such a one is as it was first published.
    """
    base = base_version(version)
    for known in VERSIONS[VERSIONS.index(base) :] if base else ():
        if transaction_set in _version(known).sets:
            return _defined(transaction_set, base or known, known)
    return None


@cache
def _defined(transaction_set: str, version: str, first: str) -> SetDef:
    """A set of `version`, or of the `first` that has it, in its segments."""
    if version != first:
        return replace(_defined(transaction_set, first, first), version=version)
    tables = _version(version)
    _, group, name = tables.sets[transaction_set][0].split(" ", 2)
    children, nodes = tables.structure(transaction_set)
    totals = _TOTALS.get(transaction_set, ())
    return SetDef(transaction_set, version, name, group, children, nodes, totals, tables.tags)


def segment(tag: str, version: str) -> SegmentDef | None:
    """A segment of any set of a version, or of its envelope; None where there is no such one."""
    base = base_version(version)
    return _version(base).segment(tag) if base and tag in _version(base).tags else None


def meaning(element: str, code: str) -> str | None:
    """What a code of an element stands for, where it has a short name."""
    return _meanings().get((element, code))


@cache
def _meanings() -> dict[tuple[str, str], str]:
    return meanings(_FACTS / "meanings.tsv")


@cache
def _version(version: str) -> Tables:
    return Tables(_FACTS / version)
