"""Whether one segment is well formed: the values of its elements and its syntax notes, at two speeds.

`row_check` generates, per segment and number of elements, one boolean expression over the split segment. It
answers True only where `problems_in_row`, which names every fault, finds nothing; on any doubt it answers
False. It takes printable ASCII for granted, and no repetitions; in X12 it looks at single values only: a row
with other characters, with a repetition separator, or in X12 with a component separator, must be given to
`problems_in_row`. Values in normal form, as EDIFACT has them, are judged with their components.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from typing import NamedTuple
from unicodedata import category

from edi.problems import Fault
from edi.qualified import TIMES, formatted_components, formatted_pairs, in_format
from edi.schema import ElementDef, ElementUse, SegmentDef, SyntaxNote
from edi.tree import NORMAL, Separators, readable

Row = list[str]
RowCheck = Callable[[Row], bool]

_KNOWN_VALUES = 4096  # per type and length; beyond it values are checked afresh each time
_SHOWN = 40  # characters of a value repeated in a message
_INTEGER = re.compile(r"-?[0-9]+")
_DECIMAL = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:E-?[0-9]{1,2})?")
_NUMERIC = re.compile(r"-?(?:[0-9]+(?:[.,][0-9]+)?|[.,][0-9]+)")  # ISO 9735-1 sect. 10; either decimal mark
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_C1 = re.compile(r"[\x80-\x9f]")
_NOTHING: Mapping[str, str] = {}
_SIGNS = str.maketrans("", "", "-.,")
_OF_EANCOM = re.compile(r"[0-9]{1,2}E")  # codes that GS1 has added to lists, as 33E in PCI01
_OPEN = ("0007",)  # lists that partners add to: qualifiers of their identifications
_LISTS = ("1131", "3055")  # components that name the list, and the agency, that a code is of
_UN_LIST = ("", "6")  # 3055: the agency is UN/CEFACT


class Finding(NamedTuple):
    """A fault inside one segment; `at` is the index of the value in the segment's text."""

    fault: Fault
    message: str
    element: int
    component: int | None = None
    repetition: int | None = None
    value: str | None = None
    reference: str | None = None
    at: int = 0
    trigger: int | None = None  # the element by whose presence this one is required or excluded


def fault_in(element: ElementDef, value: str) -> tuple[Fault, str] | None:
    """What is wrong with one non-empty value of a simple element (X12.6 section 3.3), or None."""
    if element.codes is not None and value in element.codes:
        return None
    kind = element.type
    text = decoded(value)
    if kind != "B" and (text is None or _CONTROL.search(text)):
        return Fault.CHARACTER_INVALID, "holds a character the standard does not allow"
    length = len(value if text is None else text)
    if kind[0] == "N" or kind == "n":
        if not (_INTEGER if kind[0] == "N" else _NUMERIC).fullmatch(value):
            return Fault.NUMBER_INVALID, "is not a number"
        length = len(value.translate(_SIGNS))
    elif kind == "R":
        if not _DECIMAL.fullmatch(value):
            return Fault.NUMBER_INVALID, "is not a decimal number"
        length = len(value.partition("E")[0].translate(_SIGNS))
    if length > element.max > 0:
        return Fault.TOO_LONG, f"has {length} characters, at most {element.max} are allowed"
    if max(length, 0 if kind[0] in "NRn" else len(value)) < element.min:
        return Fault.TOO_SHORT, f"has {length} characters, at least {element.min} are needed"
    if kind == "DT" and not _is_date(value):
        return Fault.DATE_INVALID, "is not a date of the calendar"
    if kind == "TM" and not _is_time(value):
        return Fault.TIME_INVALID, "is not a time of the day"
    if kind == "a" and any(c.isdigit() for c in value):
        return Fault.CHARACTER_INVALID, "may not hold digits"
    if element.codes is not None and not (element.normal and _is_agreed(element, value)):
        return Fault.CODE_UNKNOWN, "is not in the code list"
    return None


def decoded(value: str) -> str | None:
    """The characters meant by the bytes: UTF-8, else latin-1; None where they are neither.

    UTF-8 that means invisible characters (byte order marks, changes of direction) is neither, either. Text
    that is no latin-1 has been decoded.
    """
    if value.isascii():
        return value
    try:
        text = value.encode("latin-1").decode("utf-8")
    except UnicodeEncodeError:
        return value if "\ufffd" not in value and all(map(is_visible, value)) else None
    except UnicodeDecodeError:
        text = "\x80"
    if all(map(is_visible, text)):
        return text
    return None if "\ufeff" in text or _C1.search(value) else value


def _is_agreed(element: ElementDef, code: str) -> bool:
    """Whether a code is one that GS1 or partners have added to a list."""
    return element.id in _OPEN or bool(_OF_EANCOM.fullmatch(code))


def is_visible(character: str) -> bool:
    """Whether a character prints, is a space, or may become a hyphen."""
    return character.isprintable() or category(character) == "Zs" or character == "\xad"


def _is_date(value: str) -> bool:
    if not (value.isascii() and value.isdecimal() and len(value) in (6, 8)):
        return False
    century = value if len(value) == 8 else "20" + value
    try:
        date(int(century[:4]), int(century[4:6]), int(century[6:]))
    except ValueError:
        return False
    return True


def _is_time(value: str) -> bool:
    """HHMM, HHMMSS, HHMMSSD or HHMMSSDD (X12.6 section 3.3.1.7)."""
    if not (value.isascii() and value.isdecimal() and len(value) in (4, 6, 7, 8)):
        return False
    return value[:2] < "24" and value[2:4] < "60" and value[4:6] < "60"


def problems_in_row(segment: SegmentDef, row: Row, separators: Separators) -> Iterator[Finding]:
    """Every fault of one split segment, in order of place."""
    at = len(row[0]) + 1
    for position, value in enumerate(row[1:], 1):
        if position > len(segment.elements):
            if value:
                yield Finding(
                    Fault.ELEMENT_NOT_DEFINED,
                    f"{segment.tag} has {len(segment.elements)} elements, this is one more",
                    position,
                    value=_told(value, separators),
                    at=at,
                )
        else:
            yield from _in_element(segment, position, value, separators, at)
        at += len(value) + 1
    for position in range(len(row), len(segment.elements) + 1):
        yield from _in_element(segment, position, "", separators, at - 1)
    yield from _in_formats(segment, row)
    yield from _in_notes(segment.tag, segment.elements, segment.notes, row[1:], len(row[0]) + 1)


def _told(value: str, separators: Separators) -> str:
    """A value of which a problem tells, with separators that can be read."""
    return readable(value) if separators is NORMAL else value


def _in_formats(segment: SegmentDef, row: Row) -> Iterator[Finding]:
    """Dates that are not in the format that the element before them names (1250 and 1251)."""
    for position in formatted_pairs(segment):
        qualifier, value = [*row, "", ""][position : position + 2] if position < len(row) else ("", "")
        if value and not in_format(qualifier, value):
            element = segment.elements[position].element
            fault = Fault.TIME_INVALID if qualifier in TIMES else Fault.DATE_INVALID
            what = f"is not in the format {qualifier} that {segment.tag}{position:02} names"
            at = sum(len(earlier) + 1 for earlier in row[: position + 1])
            designator = f"{segment.tag}{position + 1:02}"
            yield _finding(
                (fault, what), designator, element, value, position=position + 1, component=None, at=at
            )


def _in_element(
    segment: SegmentDef, position: int, value: str, separators: Separators, at: int
) -> Iterator[Finding]:
    use = segment.elements[position - 1]
    required = use.requirement == "M"
    if not value or (required and use.element.components and not value.strip(separators.component)):
        if required:
            yield Finding(
                Fault.ELEMENT_MISSING,
                f"{segment.tag}{position:02} {_named(use.element)} is required",
                position,
                reference=use.element.id,
                at=at,
            )
        return
    if use.requirement == "N":
        told = _told(value, separators)
        yield _not_used(f"{segment.tag}{position:02}", use.element, told, position=position, at=at)
        return
    if use.element.type == "B":
        return
    repetitions = value.split(separators.repetition) if separators.repetition else [value]
    if len(repetitions) > use.repeat:
        yield Finding(
            Fault.REPEATED_TOO_OFTEN,
            f"{segment.tag}{position:02} {_named(use.element)} occurs {len(repetitions)} times,"
            f" at most {use.repeat} are allowed",
            position,
            repetition=use.repeat + 1 if use.repeat > 1 else None,
            value=_told(value, separators),
            reference=use.element.id,
            at=at,
        )
        return
    for number, repetition in enumerate(repetitions, 1):
        which = number if use.repeat > 1 else None
        for finding in _in_repetition(
            segment, position, use.element, repetition, separators=separators, at=at
        ):
            yield finding._replace(repetition=which)
        at += len(repetition) + 1


def _in_repetition(
    segment: SegmentDef, position: int, element: ElementDef, value: str, *, separators: Separators, at: int
) -> Iterator[Finding]:
    designator = f"{segment.tag}{position:02}"
    if not element.components:
        if separators.component and separators.component in value:
            yield Finding(
                Fault.COMPONENT_NOT_DEFINED,
                f"{designator} {_named(element)} is a simple element but holds the component separator",
                position,
                value=_told(value, separators),
                reference=element.id,
                at=at,
            )
        elif fault := fault_in(element, value):
            yield _finding(fault, designator, element, value, position=position, component=None, at=at)
        return
    components = value.split(separators.component) if separators.component else [value]
    start = at
    for number, component in enumerate(components, 1):
        if number > len(element.components):
            if component:
                yield Finding(
                    Fault.COMPONENT_NOT_DEFINED,
                    f"{designator} {_named(element)} has {len(element.components)} components at most",
                    position,
                    number,
                    value=component,
                    at=at,
                )
        elif component and element.components[number - 1].requirement == "N":
            inner = element.components[number - 1].element
            yield _not_used(
                f"{designator}-{number}", inner, component, position=position, component=number, at=at
            )
        elif component and (fault := _fault_in_component(element, components, number)):
            inner = element.components[number - 1].element
            yield _finding(
                fault, f"{designator}-{number}", inner, component, position=position, component=number, at=at
            )
        at += len(component) + 1
    for number, use in enumerate(element.components, 1):
        if use.requirement == "M" and (number > len(components) or not components[number - 1]):
            yield Finding(
                Fault.ELEMENT_MISSING,
                f"{designator}-{number} {_named(use.element)} is required",
                position,
                number,
                reference=use.element.id,
                at=start,
            )
    for finding in _in_notes(designator + "-", element.components, element.notes, components, start):
        yield finding._replace(element=position, component=finding.element)


def _fault_in_component(composite: ElementDef, parts: Sequence[str], number: int) -> tuple[Fault, str] | None:
    """What is wrong with a component, by itself and by what those beside it say of it."""
    value, following = parts[number - 1], parts[number] if number < len(parts) else ""
    fault = fault_in(composite.components[number - 1].element, value)
    if fault and fault[0] is Fault.CODE_UNKNOWN and _is_foreign(composite, parts, number):
        return None
    if fault is None and number in formatted_components(composite) and not in_format(following, value):
        wrong = Fault.TIME_INVALID if following in TIMES else Fault.DATE_INVALID
        return wrong, f"is not in the format {following} that the component after it names"
    return fault


def _is_foreign(composite: ElementDef, parts: Sequence[str], number: int) -> bool:
    """Whether the composite says that the code before is of another list than the directory's."""
    for at, use in enumerate(composite.components[number:], number):
        value = parts[at] if at < len(parts) else ""
        if use.element.id in _LISTS and value not in (_UN_LIST if use.element.id == "3055" else ("",)):
            return True
    return False


def _finding(
    fault: tuple[Fault, str],
    designator: str,
    element: ElementDef,
    value: str,
    *,
    position: int,
    component: int | None,
    at: int,
) -> Finding:
    shown = value if len(value) <= _SHOWN else value[:_SHOWN] + "..."
    message = f"{designator} {_named(element)} {shown!r} {fault[1]}"
    return Finding(fault[0], message, position, component, None, value, element.id, at)


def _not_used(
    designator: str, element: ElementDef, value: str, *, position: int, component: int | None = None, at: int
) -> Finding:
    message = f"{designator} {_named(element)} is not used"
    return Finding(Fault.ELEMENT_NOT_USED, message, position, component, None, value, element.id, at)


def _named(element: ElementDef) -> str:
    return f"{element.name} ({element.id})" if element.name else f"({element.id})"


def _in_notes(
    prefix: str, uses: tuple[ElementUse, ...], notes: tuple[SyntaxNote, ...], values: list[str], at: int
) -> Iterator[Finding]:
    """Syntax notes (X12.6 section 3.5.3), told at the element that is missing or in excess."""

    def present(position: int) -> bool:
        return position <= len(values) and values[position - 1] != ""

    length = sum(len(value) + 1 for value in values) - 1
    for note in notes:
        kind, positions = note
        having = [p for p in positions if present(p)]
        lacking = [p for p in positions if not present(p)]
        names = [f"{prefix}{p:02}" for p in positions]
        where: list[int] = []
        trigger = having[0] if having and kind != "R" else None
        if kind == "P" and having and lacking:
            where, message = lacking, f"{' and '.join(names)} must be used together"
        elif kind == "R" and not having:
            where, message = [positions[0]], f"one of {', '.join(names)} is required"
        elif kind == "E" and len(having) > 1:
            where, message = having[1:], f"only one of {', '.join(names)} may be used"
        elif kind == "C" and present(positions[0]) and lacking:
            where, message = lacking, f"{names[0]} requires {' and '.join(names[1:])}"
        elif kind == "L" and present(positions[0]) and len(having) == 1:
            where, message = [positions[1]], f"{names[0]} requires one of {', '.join(names[1:])}"
        for position in where:
            excess = kind == "E"
            yield Finding(
                Fault.CONDITION_EXCLUDES if excess else Fault.CONDITION_UNMET,
                f"{message} (syntax note {note})",
                position,
                value=values[position - 1] if excess else None,
                reference=uses[position - 1].element.id,
                at=at + min(sum(len(value) + 1 for value in values[: position - 1]), length),
                trigger=trigger,
            )


@cache
def _memo(kind: str, low: int, high: int) -> tuple[set[str], Callable[[str], bool]]:
    """Values of a type known to be good, and the check that adds to them."""
    known: set[str] = set()
    element = ElementDef("", "", kind, low, high)

    def good(value: str) -> bool:
        if fault_in(element, value) is not None:
            return False
        if len(known) < _KNOWN_VALUES:
            known.add(value)
        return True

    return known, good


def row_check(segment: SegmentDef, count: int) -> RowCheck:
    """The generated expression for rows of `segment` with `count` elements after the tag."""
    names: dict[str, object] = {}
    terms = _terms(segment, count, "e", names)
    if terms is None:
        return _doubt
    unpack = f"_, {', '.join(f'e{p}' for p in range(1, count + 1))} = row; " if count else ""
    source = f"def check(row):\n    {unpack}return {' and '.join(terms) or 'True'}\n"
    exec(compile(source, f"<{segment.tag}, {count} elements>", "exec"), names)  # noqa: S102  (our own definitions)
    check: RowCheck = names["check"]  # type: ignore[assignment]
    return check


class CompositeCheck:
    """Whether a composite in normal form is well formed; `known` are values that are."""

    def __init__(self, element: ElementDef) -> None:
        self.known: set[str] = set()
        self._element = element
        self._checks: dict[int, RowCheck] = {}

    def __call__(self, value: str) -> bool:
        parts = value.split(NORMAL.component)
        check = self._checks.get(len(parts)) or self._made(len(parts))
        if not (check(parts) and any(parts)):
            return False
        if len(self.known) < _KNOWN_VALUES:
            self.known.add(value)
        return True

    def _made(self, count: int) -> RowCheck:
        """The generated expression for values of so many components."""
        uses = self._element.components
        if count > len(uses) or any(use.requirement == "M" for use in uses[count:]):
            return _doubt
        names: dict[str, object] = {}
        terms = []
        for position, use in enumerate(uses[:count], 1):
            name = f"e{position}"
            term = _term(name, use, names)
            if use.element.codes is not None and (foreign := self._foreign(position, count)):
                term = f"({term} or {name} and {foreign} and is_text({name}))"
                names["is_text"] = _text_of(use.element)
            terms.append(term)
        terms += [_note_term(note, count, "e") for note in self._element.notes]
        for position in formatted_components(self._element):
            if position < count:
                names["in_format"] = in_format
                terms.append(f"in_format(e{position + 1}, e{position})")
        source = f"def check(parts):\n    {''.join(f'e{p}, ' for p in range(1, count + 1))} = parts\n"
        source += f"    return {' and '.join(filter(None, terms)) or 'True'}\n"
        exec(compile(source, f"<{self._element.id}, {count} components>", "exec"), names)  # noqa: S102  (our own definitions)
        check: RowCheck = names["check"]  # type: ignore[assignment]
        self._checks[count] = check
        return check

    def _foreign(self, position: int, count: int) -> str:
        """The condition under which a code is of another list (`_is_foreign`)."""
        conditions = []
        for at, use in enumerate(self._element.components[position:count], position + 1):
            if use.element.id in _LISTS:
                own = _UN_LIST if use.element.id == "3055" else ("",)
                conditions.append(f"e{at} not in {own!r}")
        return f"({' or '.join(conditions)})" if conditions else ""


def composite_check(element: ElementDef) -> CompositeCheck:
    """The check of a composite in normal form, shared by all segments that use it."""
    found = _COMPOSITES.get(id(element))
    if found is None:
        if len(_COMPOSITES) >= _KNOWN_VALUES:
            _COMPOSITES.clear()
        found = _COMPOSITES[id(element)] = CompositeCheck(element)
    return found


_COMPOSITES: dict[int, CompositeCheck] = {}  # by the identity of the element, which lives as long


def _text_of(element: ElementDef) -> Callable[[str], bool]:
    """Whether a code, of whatever list, has the form of its element."""
    free = replace(element, codes=None)
    return lambda value: fault_in(free, value) is None


def rows_check(segments: Sequence[SegmentDef], counts: Sequence[int]) -> Callable[[list[Row]], bool]:
    """One generated expression for rows that stand together: true where `row_check` is for each of them."""
    names: dict[str, object] = {}
    terms = rows_terms(segments, counts, names)
    if terms is None:
        return _doubt
    source = f"def check(rows):\n    {rows_unpacked(counts)} = rows\n"
    source += f"    return {' and '.join(terms) or 'True'}\n"
    tags = " ".join(segment.tag for segment in segments)
    exec(compile(source, f"<{tags}>", "exec"), names)  # noqa: S102  (our own definitions)
    check: Callable[[list[Row]], bool] = names["check"]  # type: ignore[assignment]
    return check


def rows_terms(
    segments: Sequence[SegmentDef],
    counts: Sequence[int],
    names: dict[str, object],
    instead: Mapping[str, str] = _NOTHING,
) -> list[str] | None:
    """The terms of `rows_check`, on the names of `rows_unpacked` and of `names`; None: they never hold.

    `instead` has terms for elements by name, for a caller that sees to the rest of their check.
    """
    terms: list[str] = []
    for number, (segment, count) in enumerate(zip(segments, counts, strict=True)):
        more = _terms(segment, count, f"r{number}e", names, instead)
        if more is None:
            return None
        terms += more
    return terms


def rows_unpacked(counts: Sequence[int]) -> str:
    """Names for the elements of rows, as the target of an assignment: r0e1 is the first one's first."""
    rows = (["_", *(f"r{number}e{p}" for p in range(1, count + 1))] for number, count in enumerate(counts))
    return "".join(f"({''.join(name + ', ' for name in row)}), " for row in rows)


def _terms(
    segment: SegmentDef,
    count: int,
    prefix: str,
    names: dict[str, object],
    instead: Mapping[str, str] = _NOTHING,
) -> list[str] | None:
    """What must hold of a row of `count` elements, called `prefix` and position; None where it cannot."""
    if count > len(segment.elements):
        return None
    terms = []
    for position, use in enumerate(segment.elements, 1):
        name = f"{prefix}{position}"
        if position <= count:
            terms.append(instead[name] if name in instead else _term(name, use, names))
        elif use.requirement == "M":
            return None
    terms += [_note_term(note, count, prefix) for note in segment.notes]
    for position in formatted_pairs(segment):
        if position < count:
            names["in_format"] = in_format
            value = f"{prefix}{position + 1}"
            terms.append(f"(not {value} or in_format({prefix}{position}, {value}))")
    return None if "False" in terms else [term for term in terms if term]


def _doubt(row: object) -> bool:
    return False


def _term(name: str, use: ElementUse, names: dict[str, object]) -> str:
    element, required = use.element, use.requirement == "M"
    if use.requirement == "N":
        return f"not {name}"
    if element.components and element.normal:
        composite = composite_check(element)
        key = f"k{element.id}_{id(composite)}"
        names[key], names[f"is_{key}"] = composite.known, composite
        term = f"({name} in {key} or is_{key}({name}))"
        return f"{name} and {term}" if required else f"(not {name} or {term})"
    if element.components:
        first, *others = element.components
        if first.requirement == "N" or any(other.requirement == "M" for other in others):
            return f"not {name}" if not required else "False"
        conditions = [_note_term(note, 1, only=name) for note in element.notes]
        inner = _term(name, ElementUse(first.element, "M"), names)
        inner = " and ".join([inner, *filter(None, conditions)])
        return inner if required else f"(not {name} or {inner})"
    low, high, kind = element.min, element.max, element.type
    if kind == "B":
        return name if required else ""
    if element.codes is not None:
        key = f"c{element.id}_{id(element.codes)}_{'m' if required else 'o'}"  # a guide may shorten the list
        if key not in names:
            names[key] = element.codes if required else element.codes | {""}
        return f"{name} in {key}"
    if kind in ("AN", "ID", "an") and high:
        simple = f" and {NORMAL.component!r} not in {name}" if element.normal else ""
        if low <= 1:
            return f"{'0 < ' if required else ''}len({name}) <= {high}{simple}"
        term = f"{low} <= len({name}) <= {high}{simple}"
        return term if required else f"(not {name} or {term})"
    known, good = _memo(kind, low, high)
    key = f"{kind}_{low}_{high}"
    names[key], names[f"is_{key}"] = known, good
    if kind[0] in "NRn" and low == 1:
        digits = f"{name}.isdecimal()"
        if kind[0] == "R":
            digits = f"({digits} or {name}.replace('.', '', 1).isdecimal())"
        elif kind == "n":
            digits = f"({digits} or {name}.replace('.', '', 1).isdecimal() and {name}[-1] != '.')"
        term = f"({digits} and len({name}) <= {high} or is_{key}({name}))"
    else:
        term = f"({name} in {key} or is_{key}({name}))"
    return term if required else f"(not {name} or {term})"


def _note_term(note: SyntaxNote, count: int, prefix: str = "", only: str | None = None) -> str:
    """The note as an expression, with positions beyond `count` known to be empty; "" is always true."""
    present = [only or f"{prefix}{p}" for p in note.positions if p <= count]
    absent = len(note.positions) - len(present)
    if note.kind == "P":
        if not present:
            return ""
        if absent:
            return " and ".join(f"not {p}" for p in present)
        first = present[0]
        return " and ".join(f"(not {first}) is (not {other})" for other in present[1:])
    if note.kind == "R":
        return f"({' or '.join(present)})" if present else "False"
    if note.kind == "E":
        if len(present) < 2:
            return ""
        return " and ".join(f"not ({a} and {b})" for i, a in enumerate(present) for b in present[i + 1 :])
    first_position = note.positions[0]
    if first_position > count:
        return ""
    first, others = present[0], present[1:]
    if note.kind == "C":
        return f"not {first}" if absent else f"(not {first} or ({' and '.join(others)}))"
    return f"(not {first} or {' or '.join(others)})" if others else f"not {first}"
