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
from mappings.language import Field, Pairs, Scope, Slot, Texts
from mappings.values import CONVERSIONS

Path = tuple[str, ...]
Write = Callable[[Any, str], list[list[str]]]

# What a document that is not as it should be may raise, beside Doubt, in code that takes it to be.
DOUBTS = (ValueError, TypeError, AttributeError, IndexError, KeyError)


class Doubt(ValueError):
    """This document is for the writer that looks closely."""


def put(row: list[str], element: int, text: str) -> None:
    """Sets an element of a row that may be shorter."""
    if len(row) <= element:
        row.extend([""] * (element + 1 - len(row)))
    row[element] = text


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
    if any(separator in part for part in parts):
        raise Doubt
    while parts and not parts[-1]:
        parts.pop()
    return separator.join(parts)


def compile_writer(root: Scope, nodes: tuple[SegmentUse, ...]) -> Write | None:
    """The function that writes `root`'s documents, or None where a map asks for what only `writer` does."""
    source = Source(Doubt=Doubt, put=put, fill=fill, joined=joined)
    compiler = _Compiler(source, nodes)
    try:
        name = compiler.function(root)
    except _NotQuick:
        return None
    write_root = source.load(name, root.struct.__name__)

    def write(document: Any, separator: str) -> list[list[str]]:
        rows: list[list[str]] = []
        counted: list[tuple[list[str], int, str]] = []
        write_root(document, rows, counted, separator)
        tags = [row[0] for row in rows] if counted else []
        for row, element, tag in counted:
            row[element] = str(tags.count(tag))
        for row in rows:
            "".join(row)  # raises TypeError where a value is no text
        return rows

    return write


class _NotQuick(Exception):
    """A map uses what is too rare to be compiled."""


class _Compiler:
    def __init__(self, source: Source, nodes: tuple[SegmentUse, ...]) -> None:
        self.source = source
        self.nodes = nodes
        self.out: list[str] = []

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
            doubts.append(f"({value}) != {default!r}")
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
            mistakable = part.picks and at + 1 < len(parts) and node[at + 1] == node[at]
            if mistakable:
                self.emit(depth, f"before{at} = len(rows)")
            if isinstance(part, Slot):
                self.slot(depth, part, names, part is forced)
            elif part.many:
                self.items(depth, part, names)
            else:
                self.picked(depth, part, names)
            if mistakable:
                self.emit(depth, f"picked{at} = len(rows) > before{at}")
            last = at + 1 == len(parts) or node[at + 1] != node[at]
            for other in range(at) if last else ():
                if node[other] == node[at] and parts[other].picks:
                    self.mistakable(depth, other, parts[other], self.nodes[node[at]].segment.tag)

    def mistakable(self, depth: int, at: int, part: Slot | Scope, tag: str) -> None:
        """Doubts a row that reading would take for a picked one that has not been written."""
        taken = f"row[0] == {tag!r}"
        if part.selector:
            element, code = part.selector.element, part.selector.code
            taken += f" and row[{element} : {element + 1}] == [{code!r}]"
        self.emit(depth, f"if not picked{at}:")
        self.emit(depth + 1, f"for row in rows[before{at} :]:")
        self.emit(depth + 2, f"if {taken}: raise Doubt")

    def picked(self, depth: int, scope: Scope, names: dict[Path, str]) -> None:
        """A picked loop: its first segment is written whenever anything in it is."""
        start = f"start{depth}_{scope.first}"
        self.emit(depth, f"{start} = len(rows)")
        self.body(depth, scope, names, None)
        first = scope.slots[0]
        tag = first.node.segment.tag
        constants = self.constants(first)
        if len(scope.slots) + len(scope.scopes) > 1:
            self.emit(depth, f"if len(rows) > {start} and rows[{start}][0] != {tag!r}:")
            self.emit(depth + 1, f"row = [{tag!r}]")
            for element, text in constants.items():
                self.emit(depth + 1, f"put(row, {element}, {text!r})")
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

    def constants(self, slot: Slot) -> dict[int, str]:
        """What is written whenever the segment is."""
        constants = dict(slot.always)
        if slot.selector:
            constants[slot.selector.element] = slot.selector.code
        return constants

    def slot(self, depth: int, slot: Slot, names: dict[Path, str], forced: bool) -> None:
        """The row of a slot."""
        tag = slot.node.segment.tag
        repeated = [texts for texts in slot.texts if texts.repeats]
        if repeated:
            if forced or slot.placed() != set(repeated[0].elements):
                raise _NotQuick
            self.repeated(depth, slot, repeated[0], names)
            return
        width = max(slot.placed(), default=0) + 1
        cells = ["''"] * width
        cells[0] = repr(tag)
        components: dict[int, dict[int, str]] = {}
        for item in slot.fields:
            text = self.text(item, names)
            if item.required:
                value = self.get(item.path, names)
                self.emit(depth, f"if {value} is None or {value} == '': raise Doubt")
            if item.component:
                components.setdefault(item.element, {})[item.component] = text
            else:
                cells[item.element] = text
        for element, parts in components.items():
            listed = ", ".join(parts.get(number, "''") for number in range(1, max(parts) + 1))
            cells[element] = f"joined([{listed}], separator)"
        for element, text in zip(slot.tree, ("id", "parent", "inside"), strict=False):
            cells[element] = text
        self.emit(depth, f"row = [{', '.join(cells)}]")
        for pairs in slot.pairs:
            self.pairs(depth, pairs, names)
        for texts in slot.texts:
            self.emit(depth, f"t = ({self.get(texts.path, names)}) or ()")
            self.emit(
                depth, f"if type(t) is not tuple or len(t) > {len(texts.elements)} or not all(t): raise Doubt"
            )
            self.emit(depth, f"for e, text in zip({texts.elements!r}, t): row[e] = text")
        self.emit(depth, "while not row[-1]: row.pop()")
        always = forced or slot.stands
        inner = depth
        if not always:
            self.emit(depth, "if len(row) > 1:")
            inner += 1
        for element, text in self.constants(slot).items():
            self.emit(inner, f"put(row, {element}, {text!r})")
        for element, node in slot.counts.items():
            counted = self.nodes[node].segment.tag
            if sum(use.segment.tag == counted for use in self.nodes) > 1:
                raise _NotQuick
            self.emit(inner, f"put(row, {element}, '0')")
            self.emit(inner, f"counted.append((row, {element}, {counted!r}))")
        self.emit(inner, "rows.append(row)")

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
        told = self.source.constant({p.kind: p.value for p in pairs.places if p.kind}, "told")
        free = self.source.constant(tuple((p.qualifier, p.value) for p in pairs.places if not p.kind), "free")
        codes = self.source.constant(pairs.codes.texts if pairs.codes else CONVERSIONS["text"].read, "codes")
        self.emit(depth, f"d = {self.get(pairs.path, names)}")
        self.emit(depth, f"if d: fill(row, d, {told}, {free}, {codes})")

    def repeated(self, depth: int, slot: Slot, texts: Texts, names: dict[Path, str]) -> None:
        """Texts over the elements of as many rows as they need."""
        width = len(texts.elements)
        if texts.elements != tuple(range(texts.elements[0], texts.elements[0] + width)):
            raise _NotQuick
        before = ", ".join([repr(slot.node.segment.tag), *["''"] * (texts.elements[0] - 1)])
        self.emit(depth, f"t = {self.get(texts.path, names)}")
        self.emit(depth, "if t:")
        limit = f"len(t) > {slot.node.max_use * width} or " if slot.node.max_use else ""
        self.emit(depth + 1, f"if {limit}type(t) is not tuple or not all(t): raise Doubt")
        self.emit(
            depth + 1, f"for i in range(0, len(t), {width}): rows.append([{before}, *t[i : i + {width}]])"
        )
