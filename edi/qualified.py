"""What a qualifier says of the value after it: the format of a date, the check digit of an identification.

Both are semantic notes of the standard, so they need two elements side by side: in X12 1250 and 1251
(DTM05/06, DTP02/03), or a product, mark or party qualifier and what it qualifies; in EDIFACT the components
2380 and 2379 of a date, 7140 and 7143 of an item, 3039 and 3055 of a party, 7402 and 7405 of a package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import NamedTuple

from edi.schema import ElementDef, SegmentDef
from edi.tree import NORMAL

_FORMATS = {  # of element 1250, by what their parts look like; a range is two of them with a hyphen
    "D6": ("%y%m%d",),
    "D8": ("%Y%m%d",),
    "DB": ("%m%d%Y",),
    "DT": ("%Y%m%d%H%M",),
    "TM": ("%H%M",),
    "TS": ("%H%M%S",),
    "RD6": ("%y%m%d",) * 2,
    "RD8": ("%Y%m%d",) * 2,
    "RDT": ("%Y%m%d%H%M",) * 2,
    "RTM": ("%H%M",) * 2,
}
_NUMBERS = frozenset(("801", "802", "803", "804", "805", "806", "807"))  # of years, months, weeks ... seconds
_FORMATS |= {  # of element 2379, which prints its periods with a hyphen that partners may leave out
    "2": ("%d%m%y",),
    "3": ("%m%d%y",),
    "101": ("%y%m%d",),
    "102": ("%Y%m%d",),
    "106": ("%m%d",),
    "201": ("%y%m%d%H%M",),
    "202": ("%y%m%d%H%M%S",),
    "203": ("%Y%m%d%H%M",),
    "204": ("%Y%m%d%H%M%S",),
    "401": ("%H%M",),
    "402": ("%H%M%S",),
    "501": ("%H%M",) * 2,
    "502": ("%H%M%S",) * 2,
    "602": ("%Y",),
    "609": ("%y%m",),
    "610": ("%Y%m",),
    "711": ("%Y%m%d",) * 2,
    "713": ("%y%m%d%H%M",) * 2,
    "717": ("%y%m%d",) * 2,
    "718": ("%Y%m%d",) * 2,
    "719": ("%Y%m%d%H%M",) * 2,
}
TIMES = frozenset({"TM", "TS", "RTM", "401", "402", "501", "502"})
_LENGTHS: dict[str, dict[str, tuple[int, ...]]] = {  # of what a qualifier announces, by its element
    "235": {"UP": (12,), "EN": (13,), "EO": (8,), "UK": (14,), "UI": (12,), "UA": (12, 14)},
    "88": {"GM": (18, 20), "AA": (18,), "AI": (18, 20)},
    "66": {"UL": (13,)},
    "7143": {"EN": (8, 13, 14), "SRV": (8, 12, 13, 14), "UP": (12,)},
    "7405": {"BJ": (18, 20)},
    "3055": {"9": (13,)},
}
_VALUES = {"235": "234", "88": "87", "66": "67"}  # the element that each of these qualifies, before it
_COMPONENTS = {"7140": "7143", "3039": "3055", "7402": "7405"}  # the component after each that qualifies it


class Place(NamedTuple):
    """An element of a segment, or a component of one in normal form; 0 is the element itself."""

    element: int
    component: int = 0

    def value_in(self, row: Sequence[str]) -> str:
        """What stands there in a split segment, "" where nothing does."""
        value = row[self.element] if self.element < len(row) else ""
        if not self.component:
            return value
        parts = value.split(NORMAL.component)
        return parts[self.component - 1] if self.component <= len(parts) else ""


class Identified(NamedTuple):
    """Where an identification may have a check digit: one of these lengths, for a code of its qualifier."""

    value: Place
    qualifier: Place
    lengths: Mapping[str, tuple[int, ...]]

    def is_wrong(self, row: Sequence[str]) -> bool:
        """Whether the check digit that is promised is another. An SSCC may stand behind 00."""
        value = self.value.value_in(row)
        if len(value) not in self.lengths.get(self.qualifier.value_in(row), ()):
            return False
        return not has_check_digit(value[2:] if len(value) == 20 else value)


def formatted_pairs(segment: SegmentDef) -> tuple[int, ...]:
    """Positions of the elements 1250 in a segment that are followed by their 1251."""
    ids = [use.element.id for use in segment.elements]
    return tuple(at for at, pair in enumerate(pairwise(ids), 1) if pair == ("1250", "1251"))


def formatted_components(composite: ElementDef) -> tuple[int, ...]:
    """Positions of the components 2380 in a composite that are followed by their 2379."""
    neighbours = enumerate(pairwise(use.element.id for use in composite.components), 1)
    return tuple(at for at, pair in neighbours if pair == ("2380", "2379"))


def identified(segment: SegmentDef) -> tuple[Identified, ...]:
    """Where a segment has identifications with check digits."""
    return tuple(_identified(segment))


def _identified(segment: SegmentDef) -> Iterator[Identified]:
    ids = ["", *(use.element.id for use in segment.elements)]
    for at, use in enumerate(segment.elements, 1):
        if _VALUES.get(ids[at - 1]) == use.element.id:
            yield Identified(Place(at), Place(at - 1), _LENGTHS[ids[at - 1]])
        inner = [part.element.id for part in use.element.components]
        for number, id in enumerate(inner, 1):
            if id == "7402" and ids[1] == "7405":
                yield Identified(Place(at, number), Place(1), _LENGTHS["7405"])
            elif (qualifier := _COMPONENTS.get(id, "")) in inner:
                qualifying = Place(at, inner.index(qualifier) + 1)
                yield Identified(Place(at, number), qualifying, _LENGTHS[qualifier])


def in_format(qualifier: str, value: str) -> bool:
    """Whether a value is a date, time or period as its qualifier (1250, 2379) says; True where not known."""
    if qualifier in _NUMBERS and value:
        return value.isascii() and value.isdecimal()
    parts = _FORMATS.get(qualifier)
    if parts is None or not value:
        return True
    values = value.split("-")
    if len(values) == 1 and len(parts) == 2 and qualifier[0].isdecimal():
        half = len(value) // 2
        values = [value[:half], value[half:]]
    return len(values) == len(parts) and all(map(_matches, values, parts))


def at_moment(qualifier: str, moment: datetime) -> str | None:
    """A moment as a qualifier (1250, 2379) says it; a period is no longer than that. None where not known."""
    if qualifier in _NUMBERS:
        return "1"
    parts = _FORMATS.get(qualifier)
    return "-".join(moment.strftime(form) for form in parts) if parts else None


def _matches(value: str, form: str) -> bool:
    if not (value.isascii() and value.isdecimal()):
        return False
    fields: dict[str, int] = {}
    at = 0
    for letter in form.replace("%", ""):
        end = at + (4 if letter == "Y" else 2)
        if end > len(value):
            return False
        fields[letter] = int(value[at:end])
        at = end
    year = fields.get("Y", 2000 + fields.get("y", 0))
    try:
        date(year, fields.get("m", 1), fields.get("d", 1))
    except ValueError:
        return False
    clock = fields.get("H", 0) < 24 and fields.get("M", 0) < 60 and fields.get("S", 0) < 60
    return at == len(value) and clock


def check_digit(digits: str) -> str:
    """The check digit of a GTIN, UPC, GLN or SSCC that has all its other digits (GS1, modulo 10)."""
    weighted = 3 * sum(map(int, digits[::-2])) + sum(map(int, digits[-2::-2]))
    return str(-weighted % 10)


def has_check_digit(digits: str) -> bool:
    """Whether the last digit is the check digit of those before it."""
    return digits.isascii() and digits.isdecimal() and check_digit(digits[:-1]) == digits[-1]
