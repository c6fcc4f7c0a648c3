"""The writer compiled: documents that leave no doubt, many times faster than `writer`.

Two levels, as in checking: the functions made here write the usual document (nothing in `extra`, every value
of its type, everything in its place) and raise on any doubt, upon which `writer` writes it or says what is
wrong. What they write is what `writer` would have written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from edi.schema import SegmentUse
from mappings.compiler import Source
from mappings.language import Field, Pairs, Place, Scope, Slot, Texts
from mappings.rows import put, put_at
from mappings.values import CONVERSIONS, moment_texts, pieces

Path = tuple[str, ...]
Write = Callable[[Any, str], list[list[str]]]
Spread = tuple[tuple[int, int, frozenset[str], int, int, bool], ...]
"""Per segment: indexes of qualifier and value in a composite, codes, composites in a row, rows."""

# What a document that is not as it should be may raise, beside Doubt, in code that takes it to be.
DOUBTS = (ValueError, TypeError, AttributeError, IndexError, KeyError)


class Doubt(ValueError):
    """This document is for the writer that looks closely."""


def fill(
    row: list[str],
    values: dict[str, str],
    told: dict[str, int],
    free: tuple[tuple[int, int], ...],
    codes: Any,
) -> None:
    """Puts kinds and values into a row that is wide enough."""
    at = 0
    for kind, text in values.items():
        if not kind or not text:
            raise Doubt
        element = told.get(kind)
        if element is not None:
            row[element] = text
        else:
            qualifier, element = free[at]
            row[qualifier] = codes[kind]
            row[element] = text
            at += 1


def joined(parts: list[str], separator: str) -> str:
    """Components as one element."""
    text = separator.join(parts)
    if text.count(separator) >= len(parts):
        raise Doubt
    return text.rstrip(separator)


def around(parts: list[str], constants: tuple[tuple[int, str], ...], separator: str) -> str:
    """Components as one element, with constants among them where any of them is there."""
    text = joined(parts, separator)
    if not text:
        return ""
    for at, constant in constants:
        parts.extend([""] * (at + 1 - len(parts)))
        parts[at] = constant
    return separator.join(parts).rstrip(separator)


def only(values: dict[str, str], codes: Any) -> tuple[str, str]:
    """The code and the value of the one kind there is."""
    if not values:
        return "", ""
    ((kind, text),) = values.items()
    if not kind or not text:
        raise Doubt
    return codes[kind], text


def spread(values: dict[str, str], places: Spread, codes: Any, separator: str) -> list[list[list[str]]]:
    """Kinds and values in the first places that are free for them: per segment its rows of composites."""
    rows: list[list[list[str]]] = [[] for _ in places]
    for kind, text in values.items():
        if not kind or not text:
            raise Doubt
        code = codes[kind]
        for (qualifier, at, only, width, most, adds), made in zip(places, rows, strict=True):
            if only and code not in only:
                continue
            if adds and not rows[0] and not any(codes[other] in places[0][2] for other in values):
                continue
            if made and len(made[-1]) < width:
                row = made[-1]
            elif len(made) < most:
                row = []
                made.append(row)
            else:
                continue
            parts = [""] * (max(qualifier, at) + 1)
            parts[at] = text
            parts[qualifier] = code
            row.append(joined(parts, separator))
            break
        else:
            raise Doubt
    return rows


def compile_writer(root: Scope, nodes: tuple[SegmentUse, ...]) -> Write | None:
    """The function that writes `root`'s documents, or None where a map asks for what only `writer` does."""
    source = Source(
        Doubt=Doubt,
        put=put,
        put_at=put_at,
        fill=fill,
        joined=joined,
        around=around,
        only=only,
        spread=spread,
        moment=moment_texts,
        pieces=pieces,
    )
    compiler = _Compiler(source, nodes)
    try:
        name = compiler.function(root)
    except _NotQuick:
        return None
    write_root = source.load(name, root.struct.__name__)

    def write(document: Any, separator: str) -> list[list[str]]:
        rows: list[list[str]] = []
        counted: list[tuple[list[str], Place, str]] = []
        write_root(document, rows, counted, separator)
        tags = [row[0] for row in rows] if counted else []
        for row, place, tag in counted:
            put_at(row, *place, str(tags.count(tag)), separator)
        for row in rows:
            "".join(row)  # raises TypeError where a value is no text
        return rows

    return write


def _has_texts(part: Slot | Scope) -> bool:
    """Whether it takes all segments of a kind for texts, which then have no other place."""
    return isinstance(part, Slot) and any(texts.repeats for texts in part.texts)


class _NotQuick(Exception):
    """A map uses what is too rare to be compiled."""


class _Compiler:
    def __init__(self, source: Source, nodes: tuple[SegmentUse, ...]) -> None:
        self.source = source
        self.nodes = nodes
        self.out: list[str] = []
        self.spread_out: set[int] = set()  # the pairs whose kinds have been given their places

    def emit(self, depth: int, line: str) -> None:
        self.out.append("    " * depth + line)

    def function(self, scope: Scope) -> str:
        """The function that appends the rows of one value to `rows`."""
        outer, self.out = self.out, []
        doubts = ["o.extra != ()"] if "extra" in scope.struct.__struct_fields__ else []
        names: dict[Path, str] = {}
        for path in sorted(scope.structs()):
            name = names[path] = f"o{len(names)}"
            self.emit(1, f"{name} = {self.get(path, names)}")
            self.emit(
                1, f"if {name} is not None and type({name}) is not {self.struct(scope.structs()[path])}:"
            )
            self.emit(2, "raise Doubt")
        for path, default in scope.unmapped():
            value = self.get(path, names)
            inside = len(path) > 1 and default is not None  # of a value that may be absent itself
            doubts.append(f"({value}) not in (None, {default!r})" if inside else f"({value}) != {default!r}")
        if doubts:
            self.emit(1, f"if {' or '.join(doubts)}: raise Doubt")
        self.body(1, scope, names, scope.slots[0] if scope.first >= 0 else None)
        parameters = "o, rows, counted, separator" + (", id, parent, inside" if scope.tree else "")
        body, self.out = self.out, outer
        return self.source.function("write", parameters, body)

    def struct(self, struct: type[msgspec.Struct]) -> str:
        return self.source.constant(struct, struct.__name__)

    def get(self, path: Path, names: dict[Path, str]) -> str:
        """The expression of the value at `path`; None where a value on the way is absent."""
        owner = names.get(path[:-1]) if len(path) > 1 else "o"
        value = f"{owner}.{path[-1]}"
        return value if owner == "o" else f"None if {owner} is None else {value}"

    def body(self, depth: int, scope: Scope, names: dict[Path, str], forced: Slot | None) -> None:
        """The parts of a loop in the order of the definition."""
        parts: list[Slot | Scope] = [*scope.slots, *scope.scopes]
        if any(part.selector and part.selector.occurrence for part in parts):
            raise _NotQuick
        parts.sort(key=lambda part: part.node.index if isinstance(part, Slot) else part.first)
        node = [part.node.index if isinstance(part, Slot) else part.first for part in parts]
        for at, part in enumerate(parts):
            mistakable = at + 1 < len(parts) and node[at + 1] == node[at]
            if mistakable and part.picks:
                self.emit(depth, f"before{at} = len(rows)")
            if isinstance(part, Slot):
                self.slot(depth, part, names, part is forced)
            elif part.many:
                self.items(depth, part, names)
            else:
                self.picked(depth, part, names)
            if mistakable and part.picks:
                self.emit(depth, f"picked{at} = len(rows) > before{at}")
            elif mistakable and _has_texts(part):
                self.emit(depth, f"picked{at}, before{at} = False, len(rows)")
            last = at + 1 == len(parts) or node[at + 1] != node[at]
            for other in range(at) if last else ():
                if node[other] == node[at] and (parts[other].picks or _has_texts(parts[other])):
                    self.mistakable(depth, other, parts[other], self.nodes[node[at]].segment.tag)

    def mistakable(self, depth: int, at: int, part: Slot | Scope, tag: str) -> None:
        """Doubts a row that reading would take for a picked one that has not been written."""
        taken = f"row[0] == {tag!r}"
        if part.selector:
            (element, component), code = part.selector.place, part.selector.code
            if component:
                told = f"row[{element}].split(separator)[{component - 1}:{component}]"
                taken += f" and len(row) > {element} and {told} == [{code!r}]"
            else:
                taken += f" and row[{element} : {element + 1}] == [{code!r}]"
        self.emit(depth, f"if not picked{at}:")
        self.emit(depth + 1, f"for row in rows[before{at} :]:")
        if isinstance(part, Slot) and part.repeats:
            slot = self.source.constant(part, "slot")
            self.emit(depth + 2, f"if {taken}:")
            self.emit(depth + 3, f"if {slot}.holds_all_of(row, separator): raise Doubt")
            self.emit(depth + 3, "break")
        else:
            self.emit(depth + 2, f"if {taken}: raise Doubt")

    def picked(self, depth: int, scope: Scope, names: dict[Path, str]) -> None:
        """A picked loop: its first segment is written whenever anything in it is."""
        start = f"start{depth}_{scope.first}"
        self.emit(depth, f"{start} = len(rows)")
        self.body(depth, scope, names, None)
        first = scope.slots[0]
        tag = first.node.segment.tag
        if len(scope.slots) + len(scope.scopes) > 1:
            self.emit(depth, f"if len(rows) > {start} and rows[{start}][0] != {tag!r}:")
            self.emit(depth + 1, f"row = [{tag!r}]")
            self.constants(depth + 1, first)
            self.emit(depth + 1, f"rows.insert({start}, row)")

    def items(self, depth: int, scope: Scope, names: dict[Path, str]) -> None:
        """One call per item; levels of a hierarchy depth first, numbered from 1."""
        name = self.function(scope)
        struct = self.struct(scope.struct)
        items = self.get(scope.path, names)
        if not scope.tree:
            self.emit(depth, f"for v in {items}:")
            self.emit(depth + 1, f"if type(v) is not {struct}: raise Doubt")
            self.emit(depth + 1, f"{name}(v, rows, counted, separator)")
            return
        field = scope.path[-1]
        self.emit(depth, f"waiting = [(v, '') for v in reversed({items})]")
        self.emit(depth, "number = 0")
        self.emit(depth, "while waiting:")
        self.emit(depth + 1, "v, parent = waiting.pop()")
        self.emit(depth + 1, f"if type(v) is not {struct}: raise Doubt")
        self.emit(depth + 1, "number += 1")
        self.emit(depth + 1, "id = str(number)")
        self.emit(depth + 1, f"{name}(v, rows, counted, separator, id, parent, '1' if v.{field} else '0')")
        self.emit(depth + 1, f"waiting += [(w, id) for w in reversed(v.{field})]")

    def constants(self, depth: int, slot: Slot) -> None:
        """Puts into the row what is written whenever the segment is."""
        for (element, component), text in slot.constants().items():
            if component:
                self.emit(depth, f"put_at(row, {element}, {component}, {text!r}, separator)")
            else:
                self.emit(depth, f"put(row, {element}, {text!r})")

    def slot(self, depth: int, slot: Slot, names: dict[Path, str], forced: bool) -> None:
        """The row of a slot."""
        if slot.repeats:
            if forced:
                raise _NotQuick
            self.repeated(depth, slot, names)
            return
        placed = slot.placed()
        cells = ["''"] * (max(placed, default=0) + 1)
        cells[0] = repr(slot.node.segment.tag)
        components: dict[int, dict[int, str]] = {}
        selected = []
        for item in slot.fields:
            if item.required:
                value = self.get(item.path, names)
                self.emit(depth, f"if {value} is None or {value} == '': raise Doubt")
            if item.formatted:
                continue
            if item.last:
                count = item.last - item.component + 1
                self.emit(depth, f"f = pieces({self.text(item, names)}, {item.width}, {count})")
                parts = components.setdefault(item.element, {})
                parts.update({item.component + n: f"f[{n}]" for n in range(count)})
                continue
            if slot.selector and item.place == slot.selector.place:
                selected.append(f"({self.text(item, names)}) != {slot.selector.code!r}")
            text = self.text(item, names)
            if item.component:
                components.setdefault(item.element, {})[item.component] = text
            else:
                cells[item.element] = text
        if dated := slot.formatted():
            self.moment(depth, dated, names, components)
        for number, texts in enumerate(slot.texts):
            if texts.places[0].component:
                self.texts(depth, texts, f"t{number}", names, components)
        for pairs in slot.pairs:
            if pairs.places[0].value.component:
                self.composites(depth, pairs, names, cells, components)
        for element, parts in components.items():
            if cells[element] != "''":
                raise _NotQuick
            listed = ", ".join(parts.get(number, "''") for number in range(1, max(parts) + 1))
            fixed = tuple((p.component - 1, t) for p, t in slot.constants().items() if p.element == element)
            cells[element] = (
                f"around([{listed}], {fixed!r}, separator)" if fixed else f"joined([{listed}], separator)"
            )
        for element, text in zip(slot.tree, ("id", "parent", "inside"), strict=False):
            cells[element] = text
        self.emit(depth, f"row = [{', '.join(cells)}]")
        for pairs in slot.pairs:
            if not pairs.places[0].value.component:
                self.pairs(depth, pairs, names)
        for texts in slot.texts:
            if not texts.places[0].component:
                elements = tuple(place.element for place in texts.places)
                self.emit(depth, f"t = ({self.get(texts.path, names)}) or ()")
                self.emit(
                    depth, f"if type(t) is not tuple or len(t) > {len(elements)} or not all(t): raise Doubt"
                )
                self.emit(depth, f"for e, text in zip({elements!r}, t): row[e] = text")
        self.emit(depth, "while not row[-1]: row.pop()")
        inner = depth
        if not (forced or slot.stands):
            self.emit(depth, "if len(row) > 1:")
            inner += 1
        if selected:
            self.emit(inner, f"if {' or '.join(selected)}: raise Doubt")
        self.late_constants(inner, slot, components)
        for place, node in slot.counts.items():
            counted = self.nodes[node].segment.tag
            if sum(use.segment.tag == counted for use in self.nodes) > 1:
                raise _NotQuick
            self.emit(inner, f"put_at(row, {place.element}, {place.component}, '0', separator)")
            self.emit(inner, f"counted.append((row, {tuple(place)!r}, {counted!r}))")
        self.emit(inner, "rows.append(row)")

    def late_constants(self, depth: int, slot: Slot, components: dict[int, dict[int, str]]) -> None:
        """Puts the constants into the row; those of a composite that has something have been put with it."""
        inside = {element for element, _ in slot.constants()} & components.keys()
        for element in sorted(inside):
            self.emit(depth, f"if len(row) <= {element} or not row[{element}]:")
            for (at, component), text in slot.constants().items():
                if at == element:
                    self.emit(depth + 1, f"put_at(row, {element}, {component}, {text!r}, separator)")
        for (element, component), text in slot.constants().items():
            if element in inside:
                continue
            if component:
                self.emit(depth, f"put_at(row, {element}, {component}, {text!r}, separator)")
            else:
                self.emit(depth, f"put(row, {element}, {text!r})")

    def moment(
        self, depth: int, dated: list[Field], names: dict[Path, str], components: dict[int, dict[int, str]]
    ) -> None:
        """A date, a time or both, and the format that tells which it is."""
        values = {item.conversion.name: self.get(item.path, names) for item in dated}
        self.emit(depth, f"w = moment({values.get('date', 'None')}, {values.get('time', 'None')})")
        parts = components.setdefault(dated[0].element, {})
        parts[dated[0].component], parts[dated[0].component + 1] = "w[0]", "w[1]"

    def texts(
        self,
        depth: int,
        texts: Texts,
        name: str,
        names: dict[Path, str],
        components: dict[int, dict[int, str]],
    ) -> None:
        """Texts over components of one row."""
        most = len(texts.places)
        self.emit(depth, f"{name} = ({self.get(texts.path, names)}) or ()")
        self.emit(
            depth, f"if type({name}) is not tuple or len({name}) > {most} or not all({name}): raise Doubt"
        )
        for number, (element, component) in enumerate(texts.places):
            text = f"{name}[{number}] if len({name}) > {number} else ''"
            components.setdefault(element, {})[component] = text

    def composites(
        self,
        depth: int,
        pairs: Pairs,
        names: dict[Path, str],
        cells: list[str],
        components: dict[int, dict[int, str]],
    ) -> None:
        """Kinds and values in composites of the row."""
        value = self.get(pairs.path, names)
        if pairs.wanders:
            self.spread(depth, pairs, names)
            made = f"p{self.part(pairs)}"
            self.emit(depth, f"c = {made}[0] if {made} else ()")
            for number, place in enumerate(pairs.places):
                cells[place.value.element] = f"c[{number}] if len(c) > {number} else ''"
            return
        qualifier, (element, component), _, some = pairs.places[0]
        if qualifier is None or some or len(pairs.places) > 1:
            raise _NotQuick
        name = f"d{element}"
        self.emit(depth, f"{name} = only({value}, {self.codes(pairs)})")
        parts = components.setdefault(element, {})
        parts[qualifier.component], parts[component] = f"{name}[0]", f"{name}[1]"

    def part(self, pairs: Pairs) -> int:
        """Which of the parts of its field a pair is."""
        return next(number for number, (_, other) in enumerate(pairs.all) if other is pairs)

    def spread(self, depth: int, pairs: Pairs, names: dict[Path, str]) -> None:
        """At the first of the segments over which kinds are spread: where each goes."""
        if id(pairs.all) in self.spread_out:
            return
        self.spread_out.add(id(pairs.all))
        places = []
        for slot, part in pairs.all:
            shapes = {(q and q.component, v.component, kind, only) for q, v, kind, only in part.places}
            (qualifier, at, kind, only), *others = shapes
            if others or kind or qualifier is None:
                raise _NotQuick
            most = (slot.node.max_use or 1_000_000) if part.repeats else 1
            places.append((qualifier - 1, at - 1, only, len(part.places), most, part.adds))
        constant = self.source.constant(tuple(places), "places")
        targets = ", ".join(f"p{number}" for number in range(len(places)))
        value = self.get(pairs.path, names)
        self.emit(depth, f"d = {value}")
        self.emit(
            depth,
            f"{targets}, = spread(d, {constant}, {self.codes(pairs)}, separator) if d else "
            f"({'(), ' * len(places)})",
        )

    def codes(self, pairs: Pairs) -> str:
        return self.source.constant(pairs.codes.texts if pairs.codes else CONVERSIONS["text"].read, "codes")

    def text(self, item: Field, names: dict[Path, str]) -> str:
        """The expression of an element's text."""
        value = self.get(item.path, names)
        if item.codes:
            return f"{self.source.constant(item.codes.texts, 'codes')}[{value}]"
        if item.conversion is CONVERSIONS["text"]:
            return f"({value}) or ''"
        write = self.source.constant(item.conversion.write, "write")
        return f"'' if (v := {value}) is None else {write}(v)"

    def pairs(self, depth: int, pairs: Pairs, names: dict[Path, str]) -> None:
        if any(place.only for place in pairs.places):
            raise _NotQuick
        told = self.source.constant({p.kind: p.value.element for p in pairs.places if p.kind}, "told")
        places = tuple((p.qualifier.element, p.value.element) for p in pairs.places if p.qualifier)
        free, codes = self.source.constant(places, "free"), self.codes(pairs)
        self.emit(depth, f"d = {self.get(pairs.path, names)}")
        self.emit(depth, f"if d: fill(row, d, {told}, {free}, {codes})")

    def repeated(self, depth: int, slot: Slot, names: dict[Path, str]) -> None:
        """Texts or pairs over as many rows as they need."""
        if slot.counts or len(slot.texts) > 1:
            raise _NotQuick
        if slot.pairs:
            (pairs,) = slot.pairs
            self.spread(depth, pairs, names)
            self.emit(depth, f"for c in p{self.part(pairs)}:")
            first = pairs.places[0].value.element
            row = self.before(slot, first)
            self.emit(depth + 1, f"row = [{', '.join(row)}, *c]")
            self.after(depth + 1, slot, first)
            return
        (texts,) = slot.texts
        (element, component, _), *others = texts.spans()
        if others:
            raise _NotQuick
        width = len(texts.places)
        self.emit(depth, f"t = {self.get(texts.path, names)}")
        self.emit(depth, "if t:")
        limit = f"len(t) > {slot.node.max_use * width} or " if slot.node.max_use else ""
        self.emit(depth + 1, f"if {limit}type(t) is not tuple or not all(t): raise Doubt")
        self.emit(depth + 1, f"for i in range(0, len(t), {width}):")
        some = f"*t[i : i + {width}]"
        if component:
            empty = "'', " * (component - 1)
            fixed = tuple((p.component - 1, c) for p, c in slot.constants().items() if p.element == element)
            some = f"around([{empty}{some}], {fixed!r}, separator)"
        self.emit(depth + 2, f"row = [{', '.join(self.before(slot, element))}, {some}]")
        self.after(depth + 2, slot, element)

    def before(self, slot: Slot, first: int) -> list[str]:
        """The tag and the elements before the `first`, which are constants or empty."""
        constants = slot.constants()
        return [
            repr(slot.node.segment.tag),
            *(repr(constants.get(Place(element), "")) for element in range(1, first)),
        ]

    def after(self, depth: int, slot: Slot, element: int) -> None:
        """Puts the constants that do not stand before or in an element, and the row among the rows."""
        for place, text in slot.constants().items():
            if place.element > element or (place.element < element and place.component):
                self.emit(depth, f"put_at(row, {place.element}, {place.component}, {text!r}, separator)")
        self.emit(depth, "rows.append(row)")
