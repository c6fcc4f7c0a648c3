"""A valid transaction of any set, made from its definition: what a sheet shows, and tests begin with.

The same definition always gives the same example. One that a guide narrows has what the guide asks, in the
places and with the codes it asks for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal

from edi.elements import fault_in
from edi.schema import (
    Around,
    ElementDef,
    ElementUse,
    LoopDef,
    Rule,
    SegmentDef,
    SegmentUse,
    SetDef,
    SyntaxNote,
)

Row = list[str | tuple[str, ...]]
Child = SegmentUse | LoopDef

_ROUNDS = 20  # in which notes and qualifiers of one segment come to rest

# Values and codes by data element, as a distributor and its partners would write them.
_TABLE = """
2=1; 19=Springfield; 26=US; 28=1; 66=92; 67=0012; 76=INV-1; 81=24.5; 87=00106141411234567897; 88=GM;
91=M; 92=SA; 93=Example Stores; 97=1; 98=ST; 100=USD; 116=62701; 123=1; 127=012; 128=DP; 133=2; 140=UPSN;
143=850; 145=S-1001; 146=CC; 156=IL; 166=1 Main Street; 187=G; 188=L; 212=12.50; 234=012345678905;
235=UP; 248=A; 285=W-1001; 324=PO-1001; 328=R-1; 329=0001; 330=10; 333=3; 336=08; 337=1200; 349=F; 350=1;
352=Example item; 353=00; 355=EA; 358=10; 364=5550100; 365=TE; 366=BD; 373=20260105; 374=002; 380=10;
382=10; 396=SHIP-1; 447=LINES; 473=N; 478=C; 479=PO; 514=F; 554=1; 610=12500; 623=UT; 715=A; 717=A;
735=S; 782=125.00; 784=1; 1005=0001; 1018=1; 1250=D8; 1251=20260105;
"""
_USUAL: dict[str, str] = dict(re.findall(r"(\w+)=([^;]+);", _TABLE))
_PRODUCTS = {"UP": "012345678905", "UI": "012345678905", "UA": "012345678905", "EN": "4006381333931"}
_PRODUCTS |= {"UK": "10012345678902", "IN": "B-100", "VN": "SKU-100", "CB": "C-100", "BP": "B-100"}


def example(definition: SetDef, *, full: bool = False) -> list[Row]:
    """The rows between ST and SE of a transaction that the definition's checker accepts.

    It has what is mandatory, or with `full` one of everything that is used. A composite is a tuple.
    """
    return _Example(definition, full=full).rows()


class _Example:
    def __init__(self, definition: SetDef, *, full: bool) -> None:
        self.definition = definition
        self.full = full
        self.levels: list[str] = []  # HL01 of the levels so far
        self.places: list[int] = []

    def rows(self) -> list[Row]:
        rows = list(self.children(self.definition.children, ()))
        self._state_totals(rows)
        kept = [row for row, node in zip(rows, self.places, strict=True) if 0 < node < self._last]
        return kept

    @property
    def _last(self) -> int:
        return self.definition.nodes[-1].index

    def children(self, children: Iterable[Child], within: tuple[tuple[int, Row], ...]) -> Iterator[Row]:
        for child in children:
            if isinstance(child, LoopDef):
                yield from self.loop(child, within)
            else:
                yield from self.uses(child, within)

    def uses(self, use: SegmentUse, within: tuple[tuple[int, Row], ...]) -> Iterator[Row]:
        for asked in self.asked(use, use.requirement, use.max_use, within):
            self.places.append(use.index)
            yield self.segment(use, asked, within)

    def loop(self, loop: LoopDef, within: tuple[tuple[int, Row], ...]) -> Iterator[Row]:
        first, *others = loop.children
        assert isinstance(first, SegmentUse)
        for asked in self.asked(first, loop.requirement, loop.repeat, within):
            self.places.append(first.index)
            row = self.segment(first, asked, within)
            yield row
            yield from self.children(others, (*within, (first.index, row)))

    # how often, and with which qualifiers

    def asked(
        self, use: SegmentUse, requirement: str, most: int, within: tuple[tuple[int, Row], ...]
    ) -> list[dict[int, str]]:
        """The segments to write at one place: of each, values by element, as qualifiers choose them."""
        rules = [rule for rule in self.definition.rules if use.index in rule.nodes and _holds(rule, within)]
        if any(rule.qualifier is None and rule.most == 0 for rule in rules):
            return []
        found: list[dict[int, str]] = []
        for rule in rules:
            wanted = rule.least or (1 if self.full and rule.most != 0 else 0)
            if rule.qualifier is not None and rule.most != 0 and (rule.is_loop or rule.least):
                for number in range(wanted):
                    codes = rule.qualifier.codes
                    found.append({rule.qualifier.element: codes[number % len(codes)]})
        least = max([rule.least for rule in rules if rule.qualifier is None], default=0)
        least = max(least, 1 if requirement == "M" or (self.full and use.segment.tag not in _RARE) else 0)
        if use.segment.tag == "HL" and most != 1 and least:
            least = 2
        limits = [rule.most for rule in rules if rule.qualifier is None and rule.most is not None]
        while len(found) < least:
            found.append({})
        limit = min([*limits, most or len(found)])
        return found[:limit]

    # one segment

    def segment(self, use: SegmentUse, asked: dict[int, str], within: tuple[tuple[int, Row], ...]) -> Row:
        segment, followed = use.segment, set[int]()
        for _ in range(_ROUNDS):
            row = self.written(segment, asked)
            more = [
                (number, rule)
                for number, rule in enumerate(self.definition.rules)
                if rule.segments
                and number not in followed
                and use.index in rule.nodes
                and _holds(rule, within)
                and (rule.qualifier is None or rule.qualifier.chooses(row))
            ]
            if not more:
                break
            for number, rule in more:
                followed.add(number)
                segment = _both(segment, rule.segments[rule.nodes.index(use.index)])
        if use.segment.tag == "HL":
            parent = self.levels[-1] if self.levels else ""
            self.levels.append(str(len(self.levels) + 1))
            row[1] = self.levels[-1]
            row[2:3] = [parent]
        return row

    def written(self, segment: SegmentDef, values: dict[int, str]) -> Row:
        present = _present(segment.elements, segment.notes, full=self.full, chosen=frozenset(values))
        row: Row = [segment.tag]
        for position, use in enumerate(segment.elements, 1):
            if position in values:
                row.append(values[position])
            elif position in present:
                row.append(self.element(use, segment, row))
            else:
                row.append("")
        while len(row) > 1 and not row[-1]:
            row.pop()
        return row

    def element(self, use: ElementUse, segment: SegmentDef, row: Row) -> str | tuple[str, ...]:
        element = use.element
        if element.components:
            present = _present(element.components, element.notes, full=self.full, chosen=frozenset({1}))
            parts = [
                _value(inner.element, "") if number in present else ""
                for number, inner in enumerate(element.components, 1)
            ]
            while len(parts) > 1 and not parts[-1]:
                parts.pop()
            return tuple(parts) if len(parts) > 1 else parts[0]
        before = row[-1] if isinstance(row[-1], str) else ""
        return _value(element, before)

    def _state_totals(self, rows: list[Row]) -> None:
        """Counts and sums, once all that they count is there."""
        for total in self.definition.totals:
            for row in rows:
                if row[0] != total.segment or len(row) <= total.element or not row[total.element]:
                    continue
                counted = [other for other in rows if other[0] == total.of]
                if total.sums is None:
                    row[total.element] = str(len(counted))
                else:
                    values = [other[total.sums] for other in counted if len(other) > total.sums]
                    row[total.element] = f"{sum((Decimal(str(v)) for v in values if v), Decimal(0)):f}"


_RARE = frozenset({"BIN", "BDS"})  # whose length stands in another element


def _holds(rule: Rule, within: tuple[tuple[int, Row], ...]) -> bool:
    """Whether a rule is about what stands in these iterations, each given by its first row."""
    around = dict(within)

    def matches(loop: Around) -> bool:
        row = around.get(loop.first)
        return row is not None and (loop.qualifier is None or loop.qualifier.chooses(row))

    return all(matches(loop) for loop in rule.within)


def _both(one: SegmentDef, other: SegmentDef) -> SegmentDef:
    """What both narrowings of a segment ask."""
    elements = tuple(map(_both_uses, one.elements, other.elements))
    return replace(one, elements=elements, notes=tuple(dict.fromkeys((*one.notes, *other.notes))))


def _both_uses(one: ElementUse, other: ElementUse) -> ElementUse:
    strict = next((r for r in "NM" if r in (one.requirement, other.requirement)), one.requirement)
    a, b = one.element, other.element
    element = replace(
        a,
        min=max(a.min, b.min),
        max=min(a.max, b.max),
        codes=b.codes if a.codes is None else a.codes if b.codes is None else a.codes & b.codes,
        components=tuple(map(_both_uses, a.components, b.components)),
    )
    return ElementUse(element, strict, min(one.repeat, other.repeat))


def _present(
    uses: tuple[ElementUse, ...], notes: tuple[SyntaxNote, ...], *, full: bool, chosen: frozenset[int]
) -> set[int]:
    """Which elements to write, so that what is required is there and every syntax note holds."""
    numbered = list(enumerate(uses, 1))
    banned = {position for position, use in numbered if use.requirement == "N"}
    must = {position for position, use in numbered if use.requirement == "M"} | chosen
    present = must | ({position for position, _ in numbered} if full else set())
    present -= banned
    for _ in range(_ROUNDS):
        before = set(present)
        for kind, positions in notes:
            having = [p for p in positions if p in present]
            lacking = [p for p in positions if p not in present]
            able = not (banned & set(lacking))
            if kind == "E" and len(having) > 1:
                keep = next((p for p in having if p in must), having[0])
                present -= set(having) - {keep}
                banned |= set(having) - {keep}
            elif kind == "P" and having and lacking:
                if able:
                    present |= set(lacking)
                else:
                    present -= set(having)
                    banned |= set(having)
            elif kind == "R" and not having:
                present |= set([p for p in positions if p not in banned][:1])
            elif kind == "C" and positions[0] in present and lacking:
                if able:
                    present |= set(lacking)
                else:
                    present.discard(positions[0])
                    banned.add(positions[0])
            elif kind == "L" and positions[0] in present and len(having) == 1:
                present |= set([p for p in positions[1:] if p not in banned][:1])
        if present == before:
            break
    return present


def _value(element: ElementDef, before: str) -> str:
    """A value of a simple element; `before` is that of the element before it, often its qualifier."""
    usual = _PRODUCTS.get(before, _USUAL["234"]) if element.id == "234" else _USUAL.get(element.id, "")
    if usual and element.type == "DT" and element.max == 6:
        usual = usual[2:]
    if element.codes is not None:
        return usual if usual in element.codes else min(element.codes, key=lambda code: (len(code), code))
    for candidate in (usual, usual[: element.max], usual.rjust(element.min, "0")):
        if candidate and fault_in(element, candidate) is None:
            return candidate
    return _any(element)


def _any(element: ElementDef) -> str:
    low, high = max(element.min, 1), element.max or 10
    match element.type[0]:
        case "D":
            return "20260105" if high >= 8 else "260105"
        case "T":
            return "1200".ljust(low + low % 2, "0")
        case "N" | "R" | "n":
            return "1".rjust(low, "0")
        case "B":
            return "0"
        case _:
            return "EXAMPLE"[:high].ljust(low, "X")
