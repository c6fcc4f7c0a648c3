"""A valid transaction of any set, made from its definition: what a sheet shows, and tests begin with.

The same definition always gives the same example. One that a guide narrows has what the guide asks, in the
places and with the codes it asks for. Values that others qualify (dates, item numbers) suit what qualifies
them; levels and totals are right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from edi.elements import fault_in
from edi.qualified import at_moment
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
    Total,
)
from edi.structure import Child, Structure, first_use

Row = list[str | tuple[str, ...]]
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
0081=S; 1004=DOC-1; 1082=1; 1153=ON; 1154=PO-1001; 1225=9; 2005=137; 2379=102; 2380=20260105; 3035=BY;
3036=Example Stores; 3039=5412345000013; 3042=1 Main Street; 3055=9; 3139=OC; 3148=5550100; 3155=TE;
3164=Springfield; 3207=US; 3225=5412345000013; 3227=7; 3251=62701; 3412=Jane Buyer; 4347=1; 4440=Example text;
4451=AAI; 5004=125.00; 5025=203; 5118=12.50; 5125=AAA; 5153=VAT; 5278=19; 5283=7; 5305=S; 5463=A; 5482=10;
6060=10; 6063=21; 6066=1; 6069=2; 6311=PD; 6314=2.5; 6343=9; 6345=EUR; 6347=2; 6411=PCE; 7008=Example item;
7065=CT; 7077=F; 7102=Example Stores; 7140=4006381333931; 7143=EN; 7224=1; 7402=006141411234567890; 7405=BJ;
8051=20; 8067=30;
"""
_USUAL: dict[str, str] = dict(re.findall(r"(\w+)=([^;]+);", _TABLE))
_PRODUCTS = {"UP": "012345678905", "UI": "012345678905", "UA": "012345678905", "EN": "4006381333931"}
_PRODUCTS |= {"UK": "10012345678902", "IN": "B-100", "VN": "SKU-100", "CB": "C-100", "BP": "B-100"}
_PRODUCTS |= {"SRV": "4006381333931", "SA": "SKU-100"}
_DOCUMENTS = {  # 1001 of a message, where it has one that is usual
    "APERAK": "312", "DELFOR": "241", "DESADV": "351", "IFTMIN": "610", "IFTSTA": "23", "INVOIC": "380",
    "INVRPT": "35", "ORDCHG": "230", "ORDERS": "220", "ORDRSP": "231", "OSTRPT": "348", "RECADV": "632",
    "REMADV": "481",
}  # fmt: skip
_MOMENT = datetime(2026, 1, 5, 12)
_DATED = ("1251", "2380")
_PRODUCT = ("234", "7140")
_BESIDE = {  # what is usual beside one of these only
    "1082": ("1229",), "3055": ("3039", "3225"), "6411": ("6060", "6314"), "7077": ("7081",),
    "7143": ("7140",),
}  # fmt: skip
_LEVELS = ("HL", "CPS")

Place = tuple[int, int]  # an element, and its component; 0 for the element itself


def example(definition: SetDef, *, full: bool = False) -> list[Row]:
    """The rows between ST and SE of a transaction that the definition's checker accepts.

    It has what is mandatory, or with `full` one of everything that is used and that can stand beside the
    rest: where lines are grouped by places, or places by lines, it has the first. A composite is a tuple.
    """
    return _Example(definition, full=full).rows()


class _Example:
    def __init__(self, definition: SetDef, *, full: bool) -> None:
        self.definition = definition
        self.full = full
        self.usual = _USUAL | {"1001": _DOCUMENTS.get(definition.type, "")}
        self.levels: list[str] = []  # HL01 or CPS01 of the levels so far
        self.places: list[int] = []
        self.left_out: set[int] = set()

    def rows(self) -> list[Row]:
        structure = Structure(self.definition)
        while True:
            self.levels, self.places = [], []
            rows = list(self.children(self.definition.children, ()))
            places, faults = structure.walk([str(row[0]) for row in rows])
            taken = zip(self.places, places, strict=True)
            strayed = next((meant for meant, place in taken if meant != place), None) if faults else None
            if strayed is None or (outermost := self._outermost(strayed)) in self.left_out:
                break
            self.left_out.add(outermost)
        self._state_totals(rows)
        last = self.definition.nodes[-1].index
        return [row for row, node in zip(rows, self.places, strict=True) if 0 < node < last]

    def _outermost(self, node: int) -> int:
        """The node with which begins what a node stands in."""
        return max(first for child in self.definition.children if (first := first_use(child).index) <= node)

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
    ) -> list[dict[Place, str]]:
        """The segments to write at one place: of each, values by place, as qualifiers choose them."""
        if use.index in self.left_out:
            return []
        rules = [rule for rule in self.definition.rules if use.index in rule.nodes and _holds(rule, within)]
        if any(rule.qualifier is None and rule.most == 0 for rule in rules):
            return []
        found: list[dict[Place, str]] = []
        for rule in rules:
            wanted = rule.least or (1 if self.full and rule.most != 0 else 0)
            if rule.qualifier is not None and rule.most != 0 and (rule.is_loop or rule.least):
                position, codes, component = rule.qualifier
                place = (position, component if use.segment.elements[position - 1].element.components else 0)
                found += [{place: codes[number % len(codes)]} for number in range(wanted)]
        least = max([rule.least for rule in rules if rule.qualifier is None], default=0)
        least = max(least, 1 if requirement == "M" or (self.full and use.segment.tag not in _RARE) else 0)
        if use.segment.tag in _LEVELS and most != 1 and least:
            least = 2
        limits = [rule.most for rule in rules if rule.qualifier is None and rule.most is not None]
        while len(found) < least:
            found.append({})
        limit = min([*limits, most or len(found)])
        return found[:limit]

    # one segment

    def segment(self, use: SegmentUse, asked: dict[Place, str], within: tuple[tuple[int, Row], ...]) -> Row:
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
        if use.segment.tag == "UNS" and any(n.segment.tag == "UNS" for n in self.later(use)):
            row[1] = "D"
        if use.segment.tag in _LEVELS:
            parent = self.levels[-1] if self.levels else ""
            self.levels.append(str(len(self.levels) + 1))
            row[1] = self.levels[-1]
            row[2:3] = [parent]
        while len(row) > 1 and not row[-1]:
            row.pop()
        return row

    def later(self, use: SegmentUse) -> tuple[SegmentUse, ...]:
        return self.definition.nodes[use.index + 1 :]

    def written(self, segment: SegmentDef, values: Mapping[Place, str]) -> Row:
        chosen = frozenset(element for element, _ in values)
        present = self.present(segment.elements, segment.notes, chosen)
        row: Row = [segment.tag]
        for position, use in enumerate(segment.elements, 1):
            if (position, 0) in values:
                row.append(values[position, 0])
            elif position not in present:
                row.append("")
            elif use.element.components:
                row.append(
                    self.composite(use.element, {c: v for (e, c), v in values.items() if e == position})
                )
            else:
                row.append(self.value(use.element, row[-1] if isinstance(row[-1], str) else ""))
        while len(row) > 1 and not row[-1]:
            row.pop()
        return row

    def present(
        self, uses: tuple[ElementUse, ...], notes: tuple[SyntaxNote, ...], chosen: frozenset[int]
    ) -> set[int]:
        """Which elements or components to write: in EDIFACT, which requires little, what is usual too."""
        beside = {use.element.id for use in uses}
        first = {use.element.id: at for at, use in reversed([*enumerate(uses, 1)]) if use.element.normal}
        usual = frozenset(at for at in first.values() if self.is_usual(uses[at - 1].element, beside))
        return _present(uses, notes, full=self.full, chosen=chosen, usual=usual)

    def is_usual(self, element: ElementDef, beside: set[str]) -> bool:
        """Whether there is a usual value of an element, or of a component; `beside` are those around it."""
        if element.components:
            inner = {use.element.id for use in element.components}
            return any(self.is_usual(use.element, inner) for use in element.components)
        needed = _BESIDE.get(element.id)
        return bool(self.usual.get(element.id)) and (needed is None or not beside.isdisjoint(needed))

    def composite(self, element: ElementDef, values: Mapping[int, str]) -> str | tuple[str, ...]:
        """The last component first, as it qualifies the one before it."""
        uses = element.components
        chosen = frozenset(values) if element.normal else frozenset({1})
        present = self.present(uses, element.notes, chosen) or {1}
        parts = [""] * len(uses)
        for number in range(len(uses), 0, -1):
            if number in values:
                parts[number - 1] = values[number]
            elif number in present:
                beside = parts[number] if number < len(uses) else ""
                parts[number - 1] = self.value(uses[number - 1].element, beside)
        while len(parts) > 1 and not parts[-1]:
            parts.pop()
        return tuple(parts) if len(parts) > 1 else parts[0]

    def value(self, element: ElementDef, beside: str) -> str:
        """A value of a simple element; `beside` is that of the element which often qualifies it."""
        usual = self.usual.get(element.id, "")
        if element.id in _PRODUCT:
            usual = _PRODUCTS.get(beside, usual)
        elif element.id in _DATED:
            usual = at_moment(beside, _MOMENT) or usual
        if usual and element.type == "DT" and element.max == 6:
            usual = usual[2:]
        if element.codes is not None:
            return usual if usual in element.codes else min(element.codes, key=lambda code: (len(code), code))
        candidates = (usual, usual[: element.max], usual.rjust(element.min, "0")) if usual else ()
        good = (candidate for candidate in candidates if fault_in(element, candidate) is None)
        return next(good, None) or _any(element)

    def _state_totals(self, rows: list[Row]) -> None:
        """Counts and sums, once all that they count is there."""
        for total in self.definition.totals:
            for row in rows:
                if row[0] != total.segment or len(row) <= total.element or not row[total.element]:
                    continue
                stated = row[total.element]
                if not total.code:
                    row[total.element] = self._total(total, rows)
                elif isinstance(stated, tuple) and stated[0] == total.code:
                    row[total.element] = (total.code, self._total(total, rows), *stated[2:])

    def _total(self, total: Total, rows: list[Row]) -> str:
        nodes = self.definition.nodes
        beside = next((use.loops for use in nodes if use.segment.tag == total.beside), None)
        counted = [
            row
            for row, node in zip(rows, self.places, strict=True)
            if row[0] == total.of and beside in (None, nodes[node].loops)
        ]
        if total.sums is None:
            return str(len(counted))
        values = [row[total.sums] for row in counted if len(row) > total.sums]
        added = [
            value[1] if isinstance(value, tuple) else value for value in values if _is_added(total, value)
        ]
        return f"{sum((Decimal(value) for value in added if value), Decimal(0)):f}"


_RARE = frozenset({"BIN", "BDS"})  # whose length stands in another element


def _is_added(total: Total, value: str | tuple[str, ...]) -> bool:
    return not total.chosen or (isinstance(value, tuple) and value[0] in total.chosen)


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
    uses: tuple[ElementUse, ...],
    notes: tuple[SyntaxNote, ...],
    *,
    full: bool,
    chosen: frozenset[int],
    usual: frozenset[int],
) -> set[int]:
    """Which elements to write, so that what is required is there and every syntax note holds."""
    numbered = list(enumerate(uses, 1))
    banned = {position for position, use in numbered if use.requirement == "N"}
    must = {position for position, use in numbered if use.requirement == "M"} | chosen
    present = must | usual | ({position for position, _ in numbered} if full else set())
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
