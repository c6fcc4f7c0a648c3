"""Terms of payment: one value in a document, a group for each part of it in a message (PAT).

A discount stands in a group of its own (4279 is 22), after the one that says when all is due::

    PAT+1++5:3:D:30                     Terms(type="01", basis="3", net_days=30,
    PAT+22++5:3:D:10                          discount_days=10, discount_percent=Decimal(2))
    PCD+12:2

Terms without a type are a discount alone, or of the type ZZZ. Periods that are not counted in days are kept
in `extra`; so is what else the second of two groups says, as `PAT[22]>PCD01-3`. A description needs a code
before it (4277): 6, no drafts.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from msgspec.structs import replace

from edi.documents import Extra, Terms
from edi.documents.parts import Value
from mappings.shaped import apart, kept, refuse, under

_DISCOUNT = "discount"
_NONE = "none"  # the word for a type, or for what days are counted from, where the document has none
_SECOND = "PAT[22]>"
_UNCODED = "6"  # 4277 of terms that are told in words: no drafts
_CODE = "PAT02-1"
_OF_DISCOUNT = ("DTM[12]", "MOA", "PCD")  # what `extra` keeps of a discount that stands with what is due
_PERIOD = ("PAT03-2", "PAT03-3", "PAT03-4")
_DAYS = {("3", "D"), (None, "D")}  # after the reference, calendar days


class PaymentTerms(Value, frozen=True):
    """A PAT group: `periods` of a `period` (2151) in `relation` (2009) to `basis` (2475)."""

    type: str
    code: str | None = None
    description: str | None = None
    basis: str | None = None
    relation: str | None = None
    period: str | None = None
    periods: str | None = None
    discount_due_on: dt.date | None = None
    net_due_on: dt.date | None = None
    percent: Decimal | None = None
    amount: Decimal | None = None
    extra: Extra = ()


def to_terms(groups: tuple[PaymentTerms, ...]) -> tuple[Terms, ...]:
    """The terms that groups are: a discount belongs to what is due before it, if they agree."""
    found: list[Terms] = []
    due: PaymentTerms | None = None  # the group before, where it may have a discount
    for group in groups:
        if due and group.type == _DISCOUNT and _agree(due, group):
            found[-1] = _joined(found[-1], _read(group))
            due = None
        else:
            found.append(_read(group))
            due = group if group.type != _DISCOUNT and not _discounted(found[-1]) else None
    return tuple(found)


def from_terms(terms: tuple[Terms, ...], where: str) -> tuple[PaymentTerms, ...]:
    """The groups that say what terms are; raises CannotWrite where they would be read otherwise."""
    groups = tuple(group for one in terms for group in _written(one))
    if to_terms(groups) != terms:
        raise refuse(f"{where}.terms", "would be read otherwise")
    return groups


def _agree(due: PaymentTerms, discount: PaymentTerms) -> bool:
    """Whether one value can say both."""
    same = due.basis is None or discount.basis in (None, due.basis)
    return same and discount.code is None and discount.description is None and discount.net_due_on is None


def _joined(due: Terms, discount: Terms) -> Terms:
    return replace(
        due,
        basis=due.basis or discount.basis,
        discount_percent=discount.discount_percent,
        discount_due_on=discount.discount_due_on,
        discount_days=discount.discount_days,
        discount_amount=discount.discount_amount,
        extra=(*due.extra, *under(discount.extra, _SECOND)),
    )


def _read(group: PaymentTerms) -> Terms:
    """The terms that one group is."""
    days = _whole(group.periods) if (group.relation, group.period) in _DAYS else None
    others = {_CODE: None if group.description and group.code == _UNCODED else group.code}
    if days is None:
        others |= zip(_PERIOD, (group.relation, group.period, group.periods), strict=True)
    terms = Terms(
        type=None if group.type == _NONE else group.type,
        basis=None if group.basis == _NONE else group.basis,
        discount_percent=group.percent,
        discount_due_on=group.discount_due_on,
        discount_days=days if group.type == _DISCOUNT else None,
        net_due_on=group.net_due_on,
        net_days=None if group.type == _DISCOUNT else days,
        discount_amount=group.amount,
        description=group.description,
        extra=(*((name, part) for name, part in others.items() if part), *group.extra),
    )
    return replace(terms, type=None) if group.type == _DISCOUNT and _discounted(terms) else terms


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) <= 3 else None


def _discounted(terms: Terms) -> bool:
    parts = (terms.discount_percent, terms.discount_due_on, terms.discount_days, terms.discount_amount)
    return any(part is not None for part in parts)


def _written(terms: Terms) -> list[PaymentTerms]:
    """The groups that one value is."""
    second, first = apart(terms.extra, _SECOND)
    whole = terms.discount_days is None and any(entry[0].startswith(_OF_DISCOUNT) for entry in first)
    if not (_discounted(terms) or second) or (whole and not second):
        return [_group(terms, terms.type or _NONE, terms.net_days, first)]
    if terms.type is None and terms.net_days is None and terms.net_due_on is None and not second:
        return [_group(terms, _DISCOUNT, terms.discount_days, first)]
    due = Terms(basis=terms.basis, net_due_on=terms.net_due_on, description=terms.description)
    basis = None if terms.discount_days is None else terms.basis
    discount = replace(terms, basis=basis, net_due_on=None, description=None)
    return [
        _group(due, terms.type or _NONE, terms.net_days, first),
        _group(discount, _DISCOUNT, terms.discount_days, second),
    ]


def _group(terms: Terms, type: str, days: int | None, extra: Extra) -> PaymentTerms:
    """A group of a type: so many days, or the period that `extra` keeps."""
    period: dict[str, str] = dict(zip(_PERIOD, ("3", "D", str(days)), strict=True))
    if days is None:
        period, extra = kept(extra, *_PERIOD)
    coded, extra = kept(extra, _CODE)
    relation, unit, periods = (period.get(name) for name in _PERIOD)
    return PaymentTerms(
        type=type,
        code=coded.get(_CODE) or (_UNCODED if terms.description else None),
        description=terms.description,
        basis=terms.basis or (None if days is None else _NONE),
        relation=relation,
        period=unit,
        periods=periods,
        discount_due_on=terms.discount_due_on,
        net_due_on=terms.net_due_on,
        percent=terms.discount_percent,
        amount=terms.discount_amount,
        extra=extra,
    )
