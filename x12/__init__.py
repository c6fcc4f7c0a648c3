"""ASC X12: read (`codec`), know (`dictionary`), check (`check`), acknowledge (`acks`) and write (`writer`).

A version suffix such as 004010VICS is governed by the tables of 004010. Sets and versions without tables are
still read, as structure; `check` says so with SET_UNKNOWN or VERSION_UNKNOWN. A partner's guide (`edi.guide`)
narrows a set, and is compiled like the standard's definition of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from edi.checker import NO_READERS, Checker, compile_checker
from edi.problems import Fault, Problem
from edi.schema import Check, Run, RunReader
from edi.tree import Transaction
from x12 import dictionary

if TYPE_CHECKING:
    from edi.guide import Guide

__all__ = ["check", "checker"]


def checker(transaction_set: str, version: str, guide: Guide | None = None) -> Checker | None:
    """The shared checker of a set ("850") in a version ("004010VICS"), or None where either is unknown.

    With a guide, that of the set as it narrows it; raises GuideError where it does not fit.
    """
    base = dictionary.base_version(version)
    return _compiled(transaction_set, base, guide) if base and len(transaction_set) == 3 else None


@lru_cache(maxsize=256)
def _compiled(transaction_set: str, base: str, guide: Guide | None) -> Checker | None:
    definition = dictionary.definition(transaction_set, base)
    if definition is None:
        return None
    if guide is not None:
        from edi.guide import narrowed

        definition = narrowed(definition, guide)
    return compile_checker(definition)


def check(
    transaction: Transaction, guide: Guide | None = None, readers: Mapping[Run, RunReader] = NO_READERS
) -> Check:
    """Checks a transaction against its own set and version, as a guide narrows it.

    `readers` are those of a map that will read it, which costs less at the same time.
    A guide of another version than the transaction's rejects it. Raises GuideError where the guide does not
    fit the set.
    """
    wrong = guide is not None and guide.version and not transaction.version.startswith(guide.version)
    known = None if wrong else checker(transaction.type, transaction.version, guide)
    if known is not None:
        return known.check(transaction, readers)
    rows = [segment.split(transaction.separators.element) for segment in transaction.segments]
    if wrong:
        assert guide is not None
        fault, element = Fault.VERSION_UNKNOWN, None
        message = (
            f"guide of {guide.name}: version {guide.version} is agreed, not {transaction.version[:20]!r}"
        )
    elif dictionary.base_version(transaction.version) is None:
        fault, element = Fault.VERSION_UNKNOWN, None
        message = f"version {transaction.version[:20]!r} is not defined here"
    else:
        fault, element = Fault.SET_UNKNOWN, 1
        message = f"set {transaction.type[:20]!r} is not defined in version {transaction.version[:12]}"
    value = transaction.version if element is None else transaction.type
    problem = Problem(
        fault,
        message,
        segment="ST",
        position=1,
        element=element,
        offset=transaction.offset_of(1, element or 0),
        value=value,
    )
    return Check("rejected", (*transaction.problems, problem), rows, None)
