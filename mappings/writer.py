"""Documents to rows: a bound map read the other way.

Rows come in the order of the definition, whatever the order of the document's fields; within one place, the
map's order, then `extra` in its own. Numbers of a hierarchy and counts are the writer's. Nothing is dropped:
what has no place is a problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from edi.problems import CannotWrite, Fault, Problem
from edi.schema import SegmentUse
from mappings.language import Pairs, Scope, Slot, Texts

_ELEMENT = re.compile(r"(.*[A-Z0-9\]])(\d\d)(?:-(\d{1,2}))?")


class _Row(NamedTuple):
    """A row and the node it stands on."""

    node: int
    row: list[str]


class _Block(NamedTuple):
    """Rows that stay together, sorted by the node they begin at in the enclosing loop."""

    node: int
    rows: list[_Row]
    of: Slot | Scope | None = None


class _Extra(NamedTuple):
    """`extra` of one value, by what it belongs to."""

    elements: dict[str, dict[tuple[int, int], str]]  # slot name -> (element, component) -> text
    rows: list[tuple[str, ...]]


def placed_rows(
    root: Scope, document: msgspec.Struct, nodes: tuple[SegmentUse, ...], separator: str
) -> list[_Row]:
    """The rows of `document` without header and trailer, each with its node; raises CannotWrite."""
    writing = _Writing(nodes, separator)
    rows = writing.scope(root, document, type(document).__name__, writing.split(document))
    for row, counts in writing.counted:
        for element, node in counts.items():
            row[element] = str(sum(1 for written in rows if written.node == node))
    if writing.problems:
        raise CannotWrite(
            f"{type(document).__name__} cannot be written: {writing.problems[0].message}",
            tuple(writing.problems),
        )
    return rows


class _Writing:
    def __init__(self, nodes: tuple[SegmentUse, ...], separator: str) -> None:
        self.nodes = nodes
        self.separator = separator
        self.problems: list[Problem] = []
        self.counted: list[tuple[list[str], dict[int, int]]] = []

    def complain(self, where: str, message: str, node: int | None = None, element: int | None = None) -> None:
        segment = None if node is None else self.nodes[node].segment.tag
        self.problems.append(
            Problem(Fault.MAPPING_FAILED, f"{where}: {message}", segment=segment, element=element)
        )

    def split(self, value: msgspec.Struct) -> _Extra:
        elements: dict[str, dict[tuple[int, int], str]] = {}
        rows = []
        for entry in getattr(value, "extra", ()):
            match = _ELEMENT.fullmatch(entry[0]) if entry else None
            if match and len(entry) == 2 and len(entry[0].rsplit(">", 1)[-1]) > 3:
                elements.setdefault(match[1], {})[int(match[2]), int(match[3] or 0)] = entry[1]
            elif entry:
                rows.append(entry)
        return _Extra(elements, rows)

    def scope(self, scope: Scope, value: Any, where: str, extra: _Extra, prefix: str = "") -> list[_Row]:
        """The rows of one iteration (or the whole set)."""
        blocks: list[_Block] = []
        for path, default in scope.unmapped() if scope.many else ():
            if _get(value, path) not in (None, default):
                self.complain(f"{where}.{'.'.join(path)}", "the map has no place for it")
        for number, slot in enumerate(scope.slots):
            first = number == 0 and scope.first >= 0
            name = prefix[:-1] if first and prefix else prefix + slot.name
            rows = self.slot(slot, value, where, extra.elements.pop(name, {}), first and scope.many)
            blocks.append(_Block(slot.node.index, [_Row(slot.node.index, row) for row in rows], slot))
        for inner in scope.scopes:
            if inner.many:
                items = _get(value, inner.path) or ()
                blocks += self.items(inner, items, f"{where}.{'.'.join(inner.path)}")
            else:
                rows_of_inner = self.scope(inner, value, where, extra, f"{prefix}{inner.name}>")
                blocks.append(_Block(inner.first, rows_of_inner, inner))
        blocks += self.unplaced(scope, extra, prefix, where)
        blocks = self.counted_off(blocks, where)
        self.mistakable(blocks, where)
        blocks.sort(key=lambda block: block.node)
        rows_ = [row for block in blocks for row in block.rows]
        if not scope.many and rows_ and rows_[0].node != scope.first:
            rows_[:0] = [_Row(scope.first, row) for row in self.slot(scope.slots[0], value, where, {}, True)]
        if scope.many and not prefix:
            for name in extra.elements:
                self.complain(where, f"extra: {name} has no place")
            for entry in extra.rows:
                self.complain(where, f"extra: {entry[0]} has no place")
        return rows_

    def mistakable(self, blocks: list[_Block], where: str) -> None:
        """Complains of a row that reading would take for one that the map picks and that has no value."""
        for picked in blocks:
            part = picked.of
            if picked.rows or part is None or not part.picks or (part.selector and part.selector.occurrence):
                continue
            for block in blocks:
                if block.node != picked.node or not block.rows or (block.of and block.of.selector):
                    continue
                row = block.rows[0].row
                if part.selector is None or row[part.selector.element :][:1] == [part.selector.code]:
                    told = " ".join(row[:2])
                    self.complain(where, f"{told} would be read as {part.name}", picked.node)

    def counted_off(self, blocks: list[_Block], where: str) -> list[_Block]:
        """The blocks with those that a map picks by occurrence (`DTM[#2]`) where reading will find them."""
        picked: dict[tuple[int, int], _Block] = {}
        for block in blocks:
            selector = block.of.selector if block.of else None
            if selector and selector.occurrence and block.rows:
                picked[block.node, selector.occurrence] = block
        for (node, occurrence), block in sorted(picked.items()):
            blocks.remove(block)
            others = [at for at, other in enumerate(blocks) if other.node == node and other.rows]
            if len(others) < occurrence - 1:
                self.complain(where, f"only {len(others)} stand before occurrence {occurrence}", node)
            blocks.insert(others[occurrence - 1] if len(others) >= occurrence else len(blocks), block)
        return blocks

    def items(self, scope: Scope, items: Iterable[Any], where: str) -> list[_Block]:
        """A block per item; a hierarchy is written depth first and numbered from 1."""
        blocks: list[_Block] = []
        if not scope.tree:
            for number, item in enumerate(items):
                here = f"{where}[{number}]"
                if not isinstance(item, scope.struct):
                    self.complain(here, f"is {type(item).__name__}, not {scope.struct.__name__}")
                    continue
                blocks.append(_Block(scope.first, self.scope(scope, item, here, self.split(item))))
            return blocks
        elements = scope.slots[0].tree
        waiting = [(item, "", f"{where}[{number}]") for number, item in enumerate(items)][::-1]
        while waiting:
            item, parent, here = waiting.pop()
            rows = self.scope(scope, item, here, self.split(item))
            inside = getattr(item, scope.path[-1])
            id = str(len(blocks) + 1)
            for element, text in zip(elements, (id, parent, "1" if inside else "0"), strict=False):
                _put(rows[0].row, element, text)
            blocks.append(_Block(scope.first, rows))
            waiting += [(child, id, f"{here}.{scope.path[-1]}[{n}]") for n, child in enumerate(inside)][::-1]
        return blocks

    def unplaced(self, scope: Scope, extra: _Extra, prefix: str, where: str) -> list[_Block]:
        """What `extra` keeps whole, at the node its path names; rows of one unplaced loop stay together."""
        blocks: list[_Block] = []
        rest = []
        for entry in extra.rows:
            path = entry[0].removeprefix(prefix) if entry[0].startswith(prefix) else ""
            found = scope.nodes.get(path)
            if found is None:
                rest.append(entry)
                continue
            key, node = found
            row = [self.nodes[node].segment.tag, *entry[1:]]
            if key != node and blocks and blocks[-1].node == key:
                blocks[-1].rows.append(_Row(node, row))
            else:
                blocks.append(_Block(key, [_Row(node, row)]))
        extra.rows[:] = rest
        return blocks

    def slot(
        self, slot: Slot, value: Any, where: str, extra: dict[tuple[int, int], str], forced: bool
    ) -> list[list[str]]:
        """The row of one slot, or the rows of texts that repeat; none when there is nothing to say."""
        row = [slot.node.segment.tag]
        parts: dict[int, dict[int, str]] = {}
        for item in slot.fields:
            field_value = _get(value, item.path)
            if field_value is None or field_value == "":
                if item.required:
                    self.complain(
                        f"{where}.{'.'.join(item.path)}", "is needed", slot.node.index, item.element
                    )
                continue
            try:
                text = item.conversion.write(field_value)
                if item.codes:
                    text = item.codes.texts[text]
                if item.component:
                    if self.separator in text:
                        raise ValueError("holds the component separator")
                    parts.setdefault(item.element, {})[item.component] = text
                else:
                    _put(row, item.element, text)
            except ValueError as error:
                self.complain(f"{where}.{'.'.join(item.path)}", str(error), slot.node.index, item.element)
        for (element, component), text in extra.items():
            taken = element in slot.tree or any(
                item.element == element and item.component in (0, component) for item in slot.fields
            )
            if taken or (slot.selector and slot.selector.element == element and slot.selector.code):
                self.complain(where, f"extra: {slot.name}{element:02d} has a field", slot.node.index, element)
            elif component:
                parts.setdefault(element, {})[component] = text
            else:
                _put(row, element, text)
        for element, components in parts.items():
            texts = [components.get(number, "") for number in range(1, max(components) + 1)]
            _put(row, element, self.separator.join(texts))
        for pairs in slot.pairs:
            self.pairs(pairs, row, _get(value, pairs.path) or {}, slot, where)
        rows = [row]
        for texts_ in slot.texts:
            rows = self.texts(texts_, row, _get(value, texts_.path) or (), slot, where)
        rows = [row for row in rows if len(row) > 1]
        if not rows and (forced or slot.stands):
            rows = [row]
        for row in rows:
            if slot.selector and not slot.selector.occurrence:
                _put(row, slot.selector.element, slot.selector.code)
            for element, constant in slot.always.items():
                if (element, 0) not in extra:
                    _put(row, element, constant)
            if slot.counts:
                for element in slot.counts:
                    _put(row, element, "0")
                self.counted.append((row, slot.counts))
        return rows

    def pairs(self, pairs: Pairs, row: list[str], values: dict[str, str], slot: Slot, where: str) -> None:
        """Each kind in the place that tells it, the others in order in the places that are free."""
        told = {place.kind: place.value for place in pairs.places if place.kind}
        free = iter(
            place
            for place in pairs.places
            if not place.kind and not any(len(row) > e and row[e] for e in (place.qualifier, place.value))
        )
        for kind, text in values.items():
            at = f"{where}.{'.'.join(pairs.path)}.{kind}"
            if not isinstance(text, str) or not text or not kind:
                self.complain(at, "needs a kind and a text", slot.node.index)
                continue
            if kind in told:
                _put(row, told[kind], text)
                continue
            place = next(free, None)
            if place is None:
                self.complain(at, f"{slot.name} has no place left for it", slot.node.index)
                continue
            try:
                _put(row, place.qualifier, pairs.codes.texts[kind] if pairs.codes else kind)
                _put(row, place.value, text)
            except ValueError as error:
                self.complain(at, str(error), slot.node.index)

    def texts(
        self, texts: Texts, row: list[str], values: tuple[str, ...], slot: Slot, where: str
    ) -> list[list[str]]:
        """Texts over the elements of one row, and over more rows where the segment repeats."""
        width = len(texts.elements)
        for text in values:
            if not isinstance(text, str) or not text:
                self.complain(
                    f"{where}.{'.'.join(texts.path)}", "needs texts that are not empty", slot.node.index
                )
                return [row]
        most = (slot.node.max_use or len(values)) if texts.repeats else 1
        if len(values) > most * width:
            self.complain(
                f"{where}.{'.'.join(texts.path)}",
                f"has {len(values)} texts where {most * width} fit",
                slot.node.index,
            )
            return [row]
        rows = [row]
        for start in range(0, len(values), width):
            current = row if start == 0 else [row[0]]
            for element, text in zip(texts.elements, values[start : start + width], strict=False):
                _put(current, element, text)
            if start:
                rows.append(current)
        return rows


def _get(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if value is None:
            return None
        value = getattr(value, name)
    return value


def _put(row: list[str], element: int, text: str) -> None:
    if len(row) <= element:
        row.extend([""] * (element + 1 - len(row)))
    row[element] = text
