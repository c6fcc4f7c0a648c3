"""Documents to rows: a bound map read the other way.

Rows come in the order of the definition, whatever the order of the document's fields; within one place, the
map's order, then `extra` in its own. Numbers of a hierarchy and counts are the writer's. Nothing is dropped:
what has no place is a problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from edi.elements import Finding, problems_in_row
from edi.problems import CannotWrite, Fault, Problem
from edi.schema import SegmentDef, SegmentUse
from edi.tree import NORMAL
from mappings.language import Field, PairPlace, Pairs, Place, Scope, Slot, Texts
from mappings.rows import put, put_at, text_at
from mappings.values import MOMENTS, Codes, flowing, moment_texts, pieces

_ELEMENT = re.compile(r"(.*[A-Z0-9\]])(\d\d)(?:-(\d{1,2}))?")
_BESIDE = re.compile(r"([a-z_.]+)\[(.*)\]-(\d{1,2})", re.DOTALL)  # beside the kind of a pair: ids[SA]-4

_SHOWN = 40  # characters of a value that `edi.elements` repeats

Cells = dict[tuple[int, int], str]
"""Texts by element and component; component 0 is the whole element."""


class _Row(NamedTuple):
    """A row and the node it stands on."""

    node: int
    row: list[str]


class _Block(NamedTuple):
    """Rows that stay together, sorted by the node they begin at in the enclosing loop."""

    node: int
    rows: list[_Row]
    of: Slot | Scope | None = None
    where: str = ""  # the item of a list, or the entry of `extra`, that it is


class _Extra(NamedTuple):
    """`extra` of one value, by what it belongs to."""

    elements: dict[str, Cells]  # by the name of the slot
    beside: dict[str, dict[str, list[tuple[int, str]]]]  # pair's field -> code -> components beside it
    rows: list[tuple[str, ...]]


def placed_rows(
    root: Scope,
    document: msgspec.Struct,
    nodes: tuple[SegmentUse, ...],
    separator: str,
    *,
    strict: bool = False,
) -> list[_Row]:
    """The rows of `document` without header and trailer, each with its node; raises CannotWrite.

    Where it is `strict`, so is a text that its element may not hold: one too long, or no code of its list.
    """
    writing = _Writing(nodes, separator, strict=strict)
    rows = writing.scope(root, document, type(document).__name__, writing.split(document))
    for row, counts in writing.counted:
        for place, node in counts.items():
            number = sum(1 for written in rows if written.node == node)
            put_at(row, *place, str(number), separator)
    if writing.problems:
        raise CannotWrite(
            f"{type(document).__name__} cannot be written: {writing.problems[0].message}",
            tuple(writing.problems),
        )
    return rows


class _Writing:
    def __init__(self, nodes: tuple[SegmentUse, ...], separator: str, *, strict: bool = False) -> None:
        self.nodes = nodes
        self.separator = separator
        self.strict = strict
        self.item = ""  # that of a list whose first segment is being written
        self.sources: dict[tuple[int, tuple[int, int]], tuple[str, Codes | None]] = {}
        self.problems: list[Problem] = []
        self.counted: list[tuple[list[str], dict[Place, int]]] = []

    def complain(self, where: str, message: str, node: int | None = None, element: int | None = None) -> None:
        segment = None if node is None else self.nodes[node].segment.tag
        self.problems.append(
            Problem(Fault.MAPPING_FAILED, f"{where}: {message}", segment=segment, element=element)
        )

    def note(self, cells: Cells, place: Place, where: str, codes: Codes | None = None) -> None:
        """Remembers which part of the document a text is, for whoever finds fault with it."""
        if self.strict:
            self.sources[id(cells), place] = where, codes

    def inspect(self, slot: Slot, row: list[str], cells: Cells, value: Any, where: str) -> None:
        """Complains of what is wrong with a row by itself; an item that has to begin with it goes as a whole.

        Of what is missing in a segment that the set must have: leaving out what is there would be no remedy.
        """
        needed = slot.node.requirement == "M" and not slot.node.loops
        for finding in self.findings(slot.node.segment, row):
            place = Place(finding.element, finding.component or 0)
            text = cells.get(place, "")
            shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
            what = finding.message.partition(f"{shown!r} ")[2] or finding.message
            at, codes = self.sources.get((id(cells), place), ("", None))
            if not text:
                if not needed and place.element not in slot.tree:
                    self.incomplete(slot, value, where, finding)
                continue
            if not at:
                at, what = where, f"extra: {slot.name}{place}: {what}"
            elif codes and text not in codes.words:
                what = "has no code here"
            if self.item and at.startswith(f"{self.item}.") and self.begins(slot, place):
                at, what = self.item, f"its {at.removeprefix(self.item + '.')} {what}"
            self.complain(at, what, slot.node.index, finding.element)

    def findings(self, segment: SegmentDef, row: list[str]) -> Iterator[Finding]:
        return problems_in_row(segment, row, NORMAL._replace(component=self.separator))

    def begins(self, slot: Slot, place: Place) -> bool:
        """Whether a segment must have what stands at a place."""
        use = slot.node.segment.elements[place.element - 1]
        inner = use.element.components[place.component - 1] if place.component else use
        return use.requirement == "M" and inner.requirement == "M"

    def incomplete(self, slot: Slot, value: Any, where: str, finding: Finding) -> None:
        """Complains of what is in a row that lacks something."""
        paths = [item.path for item in slot.fields]
        paths += [pairs.path for pairs in slot.pairs] + [texts.path for texts in slot.texts]
        held = [f"{where}.{'.'.join(path)}" for path in paths if _get(value, path)]
        for name in held if held and not self.item else [where]:
            self.complain(name, finding.message, slot.node.index, finding.element)

    def split(self, value: msgspec.Struct) -> _Extra:
        elements: dict[str, Cells] = {}
        beside: dict[str, dict[str, list[tuple[int, str]]]] = {}
        rows = []
        for entry in getattr(value, "extra", ()):
            match = _ELEMENT.fullmatch(entry[0]) if entry else None
            if match and len(entry) == 2 and len(entry[0].rsplit(">", 1)[-1]) > 3:
                elements.setdefault(match[1], {})[int(match[2]), int(match[3] or 0)] = entry[1]
            elif len(entry) == 2 and (match := _BESIDE.fullmatch(entry[0])):
                beside.setdefault(match[1], {}).setdefault(match[2], []).append((int(match[3]), entry[1]))
            elif entry:
                rows.append(entry)
        return _Extra(elements, beside, rows)

    def scope(self, scope: Scope, value: Any, where: str, extra: _Extra, prefix: str = "") -> list[_Row]:
        """The rows of one iteration (or the whole set)."""
        blocks: list[_Block] = []
        for path, default in scope.unmapped() if scope.many else ():
            if _get(value, path) not in (None, default):
                self.complain(f"{where}.{'.'.join(path)}", "the map has no place for it")
        wandered = self.wandered(scope, value, where, extra, prefix)
        for number, slot in enumerate(scope.slots):
            first = number == 0 and scope.first >= 0
            cells = extra.elements.pop(_called(scope, slot, prefix), {})
            rows = self.slot(slot, value, where, cells, first and scope.many, wandered.get(id(slot), ()))
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
            beside = (f"{field}[{code}]" for field, codes in extra.beside.items() for code in codes)
            for name in (*extra.elements, *beside):
                self.complain(where, f"extra: {name} has no place")
            for entry in extra.rows:
                self.complain(where, f"extra: {entry[0]} has no place")
        return rows_

    def mistakable(self, blocks: list[_Block], where: str) -> None:
        """Complains of a row that reading would take for one that the map picks and that has no value."""
        for picked in blocks:
            part = picked.of
            if isinstance(part, Slot) and any(texts.repeats for texts in part.texts):
                self.mistaken_text(part, blocks, where)
            if picked.rows or part is None or not part.picks or (part.selector and part.selector.occurrence):
                continue
            for block in blocks:
                if block.node != picked.node or not block.rows or (block.of and block.of.selector):
                    continue
                row, selector = block.rows[0].row, part.selector
                if selector is None or text_at(row, *selector.place, self.separator) == selector.code:
                    self.mistaken(block, part, where)

    def mistaken_text(self, slot: Slot, blocks: list[_Block], where: str) -> None:
        """Complains of a row that reading would take for one more of texts over repeated segments."""
        for block in blocks:
            if block.of is slot or block.node != slot.node.index or not block.rows:
                continue
            row, selector = block.rows[0].row, slot.selector
            if selector is None or text_at(row, *selector.place, self.separator) == selector.code:
                if slot.holds_all_of(row, self.separator):
                    self.mistaken(block, slot, where)
                return

    def mistaken(self, block: _Block, part: Slot | Scope, where: str) -> None:
        told = " ".join(block.rows[0].row[:2]).replace(self.separator, " ")
        self.complain(block.where or where, f"{told} would be read as {part.name}", block.node)

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
                rows = self.scope(scope, item, here, self.split(item))
                blocks.append(_Block(scope.first, rows, None, here))
            return blocks
        elements = scope.slots[0].tree
        waiting = [(item, "", f"{where}[{number}]") for number, item in enumerate(items)][::-1]
        while waiting:
            item, parent, here = waiting.pop()
            rows = self.scope(scope, item, here, self.split(item))
            inside = getattr(item, scope.path[-1])
            id = str(len(blocks) + 1)
            for element, text in zip(elements, (id, parent, "1" if inside else "0"), strict=False):
                if text:
                    put(rows[0].row, element, text)
            blocks.append(_Block(scope.first, rows, None, here))
            waiting += [(child, id, f"{here}.{scope.path[-1]}[{n}]") for n, child in enumerate(inside)][::-1]
        return blocks

    def unplaced(self, scope: Scope, extra: _Extra, prefix: str, where: str) -> list[_Block]:
        """What `extra` keeps whole, at the node its path names; rows of one unplaced loop stay together."""
        blocks: list[_Block] = []
        rest = []
        others = False  # another iteration of a picked loop has begun, whose rows bear the same names
        for entry in extra.rows:
            others = others or prefix.startswith(f"{entry[0]}>")
            path = entry[0].removeprefix(prefix) if entry[0].startswith(prefix) and not others else ""
            found = scope.nodes.get(path)
            if found is None:
                rest.append(entry)
                continue
            key, node = found
            segment = self.nodes[node].segment
            row = [segment.tag, *entry[1:]]
            for finding in self.findings(segment, row) if self.strict else ():
                self.complain(where, f"extra: {entry[0]}: {finding.message}", node, finding.element)
            if key != node and blocks and blocks[-1].node == key:
                blocks[-1].rows.append(_Row(node, row))
            else:
                blocks.append(_Block(key, [_Row(node, row)], None, f"{where}: extra: {entry[0]}"))
        extra.rows[:] = rest
        return blocks

    def slot(
        self,
        slot: Slot,
        value: Any,
        where: str,
        extra: Cells,
        forced: bool,
        wandered: Sequence[Cells] = (),
    ) -> list[list[str]]:
        """The row of one slot, or the rows of what repeats; none when there is nothing to say."""
        cells: Cells = {}
        self.item = where if forced else ""
        for item in slot.fields:
            if not item.formatted:
                self.field(item, value, cells, slot, where)
        if dated := slot.formatted():
            self.moment(dated, value, extra, cells, slot, where)
        self.kept(slot, extra, cells, where)
        for pairs in slot.pairs:
            if not pairs.wanders:
                self.pairs(pairs, cells, _get(value, pairs.path) or {}, slot, where)
        rows = [cells]
        for texts in slot.texts:
            rows = self.texts(texts, cells, _get(value, texts.path) or (), slot, where)
        for number, more in enumerate(wandered):
            if number == 0:
                cells.update(more)
                for place in more:
                    if source := self.sources.get((id(more), place)):
                        self.note(cells, Place(*place), *source)
            else:
                rows.append(more)
        rows = [cells for cells in rows if any(cells.values())]
        if not rows and (forced or slot.stands):
            rows = [{}]
        if rows:
            self.selected(slot, cells, where)
        constants: Cells = {place: text for place, text in slot.constants().items() if place not in extra}
        written = []
        for cells in rows:
            row = self.row(slot.node.segment.tag, cells | constants | dict.fromkeys(slot.counts, "0"))
            written.append(row)
            if self.strict:
                self.inspect(slot, row, cells, value, where)
            if slot.counts:
                self.counted.append((row, slot.counts))
        return written

    def selected(self, slot: Slot, cells: Cells, where: str) -> None:
        """Complains of a field at the selector's place that is not what the selector says."""
        selector = slot.selector
        for item in slot.fields if selector and selector.code else ():
            if selector and item.place == selector.place and cells.get(item.place) != selector.code:
                message, at = f"is always {selector.code!r} here", f"{where}.{'.'.join(item.path)}"
                self.complain(at, message, slot.node.index, selector.element)

    def row(self, tag: str, cells: Cells) -> list[str]:
        """The cells as a row."""
        row = [tag]
        for (element, component), text in sorted(cells.items()):
            put_at(row, element, component, text, self.separator)
        while len(row) > 1 and not row[-1]:
            row.pop()
        return row

    def field(self, item: Field, value: Any, cells: Cells, slot: Slot, where: str) -> None:
        field_value = _get(value, item.path)
        at = f"{where}.{'.'.join(item.path)}"
        if field_value is None or field_value == "":
            if item.required:
                self.complain(at, "is needed", slot.node.index, item.element)
            return
        try:
            text = item.conversion.write(field_value)
            if item.codes:
                text = item.codes.texts[text]
            if item.component and self.separator in text:
                raise ValueError("holds the component separator")
            if item.last:
                parts = pieces(text, item.width, item.last - item.component + 1)
                places = ((item.element, item.component + n) for n in range(len(parts)))
                cells.update((place, part) for place, part in zip(places, parts, strict=True) if part)
            else:
                cells[item.place] = text
            self.note(cells, item.place, at, item.codes)
        except ValueError as error:
            self.complain(at, str(error), slot.node.index, item.element)

    def moment(
        self, dated: list[Field], value: Any, extra: Cells, cells: Cells, slot: Slot, where: str
    ) -> None:
        """A date, a time or both, and the format that tells which it is; or what `extra` says beyond them."""
        element, component = dated[0].place
        values = {item.conversion.name: _get(value, item.path) for item in dated}
        date, time = values.get("date"), values.get("time")
        for item in dated:
            if item.required and values[item.conversion.name] is None:
                self.complain(f"{where}.{'.'.join(item.path)}", "is needed", slot.node.index, element)
        try:
            text, form = moment_texts(date, time)
        except ValueError as error:
            self.complain(f"{where}.{'.'.join(dated[-1].path)}", str(error), slot.node.index, element)
            return
        more = [extra.get((element, component + n), "") for n in (0, 1)]
        if (element, 0) in extra:
            more = extra[element, 0].split(self.separator)[component - 1 :][:2]
        if not any(more):
            if text:
                cells[element, component], cells[element, component + 1] = text, form
            return
        try:
            told = MOMENTS[tuple(sorted(values))]["\x1f".join(more)]
        except ValueError:
            told = None
        if told != (date, time, False):
            message = f"extra: {slot.name}{dated[0].place} has a field"
            if not text:
                message = f"extra: {slot.name}{dated[0].place} would be read as a date or a time"
            self.complain(where, message, slot.node.index, element)

    def kept(self, slot: Slot, extra: Cells, cells: Cells, where: str) -> None:
        """What `extra` keeps of the elements and components that have no field."""
        taken = {item.place for item in slot.fields if not item.formatted} | {*map(Place, slot.tree)}
        if slot.selector and slot.selector.code:
            taken.add(slot.selector.place)
        taken |= {Place(*place) for place in cells}
        for place, text in extra.items():
            at = place[0]
            if any(at == e and (place[1] == c or not place[1] or not c) for e, c in taken):
                self.complain(where, f"extra: {slot.name}{Place(*place)} has a field", slot.node.index, at)
            else:
                cells[place] = text
        if flows := slot.flowing():
            self.misflown(slot, flows, extra, cells, where)

    def misflown(self, slot: Slot, item: Field, extra: Cells, cells: Cells, where: str) -> None:
        """Complains of a text in `extra` that would be read as going on from a field."""
        places = [(item.element, component) for component in range(item.component, item.last + 1)]
        parts = [cells.get(place, "") for place in places]
        if any(place in extra for place in places[1:]) and flowing(parts, item.width)[1]:
            message = f"extra: {slot.name}{item.place} would be read as {item.path[-1]}"
            self.complain(where, message, slot.node.index, item.element)

    def pairs(self, pairs: Pairs, cells: Cells, values: dict[str, str], slot: Slot, where: str) -> None:
        """Each kind in the place that tells it, the others in order in the places that are free."""
        told = {place.kind: place for place in pairs.places if place.kind}
        free = [
            place
            for place in pairs.places
            if place.qualifier and not cells.get(place.qualifier) and not cells.get(place.value)
        ]
        for kind, text in values.items():
            at = f"{where}.{'.'.join(pairs.path)}.{kind}"
            code = self.code(pairs, kind, text, at, slot)
            if code is None:
                continue
            place = told.get(kind) or next((p for p in free if not p.only or code in p.only), None)
            if place is None:
                self.complain(at, f"{slot.name} has no place left for it", slot.node.index)
                continue
            if not place.kind:
                free.remove(place)
            cells[place.value] = text
            self.note(cells, place.value, at)
            if place.qualifier and code:
                cells[place.qualifier] = code
                self.note(cells, place.qualifier, at, pairs.codes)

    def code(self, pairs: Pairs, kind: str, text: str, at: str, slot: Slot) -> str | None:
        """The code of a kind; None where it cannot be written, or its text cannot."""
        if not isinstance(text, str) or not text or not kind:
            self.complain(at, "needs a kind and a text", slot.node.index)
            return None
        if any(place.kind == kind for place in pairs.places):
            return ""
        try:
            code = pairs.codes.texts[kind] if pairs.codes else kind
            if pairs.places[0].value.component and self.separator in code + text:
                raise ValueError("holds the component separator")
        except ValueError as error:
            self.complain(at, str(error), slot.node.index)
            return None
        return code

    def wandered(
        self, scope: Scope, value: Any, where: str, extra: _Extra, prefix: str
    ) -> dict[int, list[Cells]]:
        """The rows of pairs that may stand in several composites, by the id of their slot.

        Each kind goes to the first place that is free for it, with what `extra` keeps beside it.
        """
        rows: dict[int, list[Cells]] = {}
        for slot in scope.slots:
            for pairs in slot.pairs:
                if not pairs.wanders or pairs.all[0][1] is not pairs:
                    continue
                name = ".".join(pairs.path)
                beside = extra.beside.get(name, {})
                kept = [extra.elements.get(_called(scope, slot, prefix), {}) for slot, _ in pairs.all]
                values = _get(value, pairs.path) or {}
                at_each = {kind: f"{where}.{name}.{kind}" for kind in values}
                codes = {kind: self.code(pairs, kind, values[kind], at_each[kind], slot) for kind in values}
                free = _Free(pairs, kept, codes)
                for kind, text in values.items():
                    at, code = at_each[kind], codes[kind]
                    if code is None:
                        continue
                    found = free.place(kind, code)
                    if found is None:
                        self.complain(at, f"{slot.name} has no place left for it", slot.node.index)
                        continue
                    cells, place = found
                    cells[place.value] = text
                    self.note(cells, place.value, at)
                    if place.qualifier and code:
                        cells[place.qualifier] = code
                        self.note(cells, place.qualifier, at, pairs.codes)
                    for component, part in beside.pop(code, ()):
                        if (place.value.element, component) in cells:
                            self.complain(at, f"extra: {name}[{code}]-{component} has a field")
                        else:
                            cells[place.value.element, component] = part
                if not beside:
                    extra.beside.pop(name, None)
                for (slot_, _), found_ in zip(pairs.all, free.rows, strict=True):
                    rows[id(slot_)] = found_
        return rows

    def texts(
        self, texts: Texts, cells: Cells, values: tuple[str, ...], slot: Slot, where: str
    ) -> list[Cells]:
        """Texts over the elements of one row, and over more rows where the segment repeats."""
        width = len(texts.places)
        at = f"{where}.{'.'.join(texts.path)}"
        for text in values:
            if not isinstance(text, str) or not text:
                self.complain(at, "needs texts that are not empty", slot.node.index)
                return [cells]
            if texts.places[0].component and self.separator in text:
                self.complain(at, "holds the component separator", slot.node.index)
                return [cells]
        most = (slot.node.max_use or len(values)) if texts.repeats else 1
        if len(values) > most * width:
            self.complain(at, f"has {len(values)} texts where {most * width} fit", slot.node.index)
            return [cells]
        rows = [cells]
        for start in range(0, len(values), width):
            current = cells if start == 0 else {}
            current.update(zip(texts.places, values[start : start + width], strict=False))
            for n, place in enumerate(texts.places[: len(values) - start]):
                self.note(current, place, f"{at}[{start + n}]")
            if start:
                rows.append(current)
        return rows


def _called(scope: Scope, slot: Slot, prefix: str) -> str:
    """How `extra` calls a slot: the first of a picked loop bears the loop's name."""
    first = scope.first >= 0 and slot is scope.slots[0]
    return prefix[:-1] if first and prefix else prefix + slot.name


class _Free:
    """The places for pairs that wander, over as many rows of each of their slots as they need."""

    def __init__(self, pairs: Pairs, extra: list[Cells], codes: dict[str, str | None]) -> None:
        first = pairs.all[0][1].places[0].only
        self.leads = any(code in first for code in codes.values())
        self.parts = pairs.all
        self.rows: list[list[Cells]] = [[] for _ in pairs.all]
        self.taken = [{element for element, _ in cells} for cells in extra]

    def place(self, kind: str, code: str) -> tuple[Cells, PairPlace] | None:
        """The row and the place for a kind, which is then taken."""
        for (slot, part), rows, taken in zip(self.parts, self.rows, self.taken, strict=True):
            if part.adds and not self.leads:
                continue
            for number in range((slot.node.max_use or len(rows) + 1) if part.repeats else 1):
                new = number == len(rows)
                cells = {} if new else rows[number]
                for place in part.places:
                    fits = place.kind == kind if place.kind else not place.only or code in place.only
                    if fits and place.value not in cells and place.value.element not in taken:
                        if new:
                            rows.append(cells)
                        return cells, place
                if new:
                    break
        return None


def _get(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if value is None:
            return None
        value = getattr(value, name)
    return value
