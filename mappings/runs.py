"""Rows to documents, for rows that often follow each other: one expression for a whole line of an order.

The functions of `mappings.reader` look at each row to see what it is. Where the checker has met the same run
before, that is known, and so is where every value stands: the map, followed once over rows of the run, leaves
only conversions and constructors, as source. What depends on values (which of several, whether an element is
empty) is written down as a condition; where it does not hold, or the rows hold what the map has no field
for, the reader's functions read them. Both give the same document.

Only the definition and the map go into source: partners' rows choose which conditions are written, never
their text.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any

from edi.elements import rows_terms, rows_unpacked
from edi.schema import Run, RunReader
from mappings.compiler import Source
from mappings.language import Field, Pairs, Place, Scope, Selector, Slot, fields_of
from mappings.reader import Path, nested, required_fields, words_of
from mappings.values import CONVERSIONS, MOMENTS, Codes, flowing

_OFTEN = 4  # times a run is read before source is made for it
_VARIANTS = 4  # made for one run, as its values differ
_FUNCTIONS = 500  # made for one map
_REMEMBERED = 4000  # runs, and pairs of beginning and end, before starting afresh

Rows = list[list[str]]


class _Unusual(Exception):
    """Rows that hold more than fields: they are left to the reader."""


class ByRuns:
    """Reads the documents of one map by runs: the iterations of the set's chief loop, then what is around."""

    def __init__(self, root: Scope, iteration: Callable[..., tuple[Any, int]], chief: Scope) -> None:
        self._root = root
        self._chief = chief
        self._iteration = iteration  # reads any iteration of `chief`
        self.readers: dict[Run, RunReader] = {}  # the first made for a run, which also checks it
        self._lines: dict[Run, RunReader] = {}  # tries all that were made, and the reader
        self._wholes: dict[tuple[Run, ...], _Variants] = {}
        self._functions = 0
        self._listed: dict[tuple[int, int, bool], dict[str, Any]] = {}

    def read(self, rows: Rows, runs: tuple[Run, ...], values: tuple[Any, ...], separator: str) -> Any:
        """The document; None where the reader has to do it. Raises as the reader does."""
        lines = [value for value in values if value is not None]
        if lines:
            begin = values.index(lines[0])
            end = begin + len(lines)
            outer = (*runs[:begin], *runs[end:])
            if outer in self._wholes and values[end - 1] is lines[-1]:  # all were read with the check
                head = sum([len(run.nodes) for run in runs[:begin]])
                tail = sum([len(run.nodes) for run in runs[end:]])
                return self._whole(outer, rows[:head] + rows[len(rows) - tail :], lines, separator)
        first, known = self._chief.first, self._lines
        lines = []
        around: list[Run] = []
        outside: Rows = []
        at = 0
        for run, found in zip(runs, values, strict=True):
            end = at + len(run.nodes)
            if found is not None:
                lines.append(found)
            elif run.nodes[0] == first:
                value = (known.get(run) or self._meet(run))(rows[at:end], separator)
                if value is None:
                    return None
                lines.append(value)
            else:
                around.append(run)
                outside += rows[at:end]
            at = end
        return self._whole(tuple(around), outside, lines, separator)

    def _forget(self) -> None:
        """Starts afresh, so that runs of long ago leave room for those of now."""
        self._lines.clear()
        self.readers.clear()
        self._wholes.clear()
        self._functions = 0

    def _meet(self, run: Run) -> RunReader:
        if len(self._lines) >= _REMEMBERED:
            self._forget()
        variants = _Variants(run.nodes)
        iteration, nodes, length = self._iteration, run.nodes, len(run.nodes)

        def read(rows: Rows, separator: str) -> Any:
            for variant in variants.functions:
                value = variant(rows, separator)
                if value is not None:
                    return value
            if variants.worth_making() and self._functions < _FUNCTIONS:
                self._add(variants, self._chief, rows, separator, run)
                if len(variants.functions) == 1:
                    self.readers[run] = variants.functions[0]
            value, end = iteration(rows, nodes, 0, length, separator)
            return value if end == length else None

        self._lines[run] = read
        return read

    def _whole(self, around: tuple[Run, ...], rows: Rows, lines: list[Any], separator: str) -> Any:
        variants = self._wholes.get(around)
        if variants is None:
            if len(self._wholes) >= _REMEMBERED:
                self._forget()
            variants = _Variants(tuple(node for run in around for node in run.nodes))
            self._wholes[around] = variants
        for variant in variants.functions:
            value = variant(rows, lines, separator)
            if value is not None:
                return value
        if variants.worth_making() and self._functions < _FUNCTIONS:
            self._add(variants, self._root, rows, separator)
        return None

    def _add(
        self, variants: _Variants, scope: Scope, rows: Rows, separator: str, run: Run | None = None
    ) -> None:
        try:
            trace = _Trace(rows, variants.nodes, self._chief, run, self._listed, separator)
            function = trace.function(scope)
        except _Unusual:
            return
        self._functions += 1
        variants.functions.append(function)


class _Variants:
    """The functions made for one sequence of nodes, and how often none of them could read its rows."""

    def __init__(self, nodes: tuple[int, ...]) -> None:
        self.nodes = nodes
        self.functions: list[Callable[..., Any]] = []
        self._missed = 0
        self._made = 0

    def worth_making(self) -> bool:
        """Whether rows like these have come often enough for another function."""
        self._missed += 1
        if self._made >= _VARIANTS or self._missed < _OFTEN << self._made:
            return False
        self._missed = 0
        self._made += 1
        return True


class _Trace:
    """A map followed over rows whose nodes are known. Values are expressions; `lines` make the function."""

    def __init__(
        self,
        rows: Rows,
        nodes: tuple[int, ...],
        chief: Scope,
        run: Run | None,
        listed: dict[tuple[int, int, bool], dict[str, Any]],
        separator: str,
    ) -> None:
        self.rows = rows
        self.nodes = nodes
        self.chief = chief
        self.run = run  # where it is one, which then is checked too
        self.source = Source(nested=nested, flowing=flowing)
        self.conditions: list[str] = []
        self.lines: list[str] = []
        self.used: set[tuple[int, int]] = set()
        self.instead: dict[str, str] = {}  # terms of the check that reading the value makes needless
        self.temporaries = 0
        self.divided: dict[tuple[int, int], list[str]] = {}  # the names of components
        self.separator = separator
        self.tables = listed  # of the whole map; the key's identities live as long as its definition

    def function(self, scope: Scope) -> Callable[..., Any]:
        """The function that reads rows like these as the whole set, or checks and reads those of a run."""
        run = self.run
        if run:
            values = self.fill(scope, 0, len(self.nodes))
            self.require(scope, values)
            if scope.tree:
                id, parent = (self.element(0, e) for e in scope.slots[0].tree[:2])
                result = f"(0, {id}, {parent}, [{', '.join(self.arguments(scope, values, ()))}])"
            else:
                result = self.build(scope, values)
            parameters = "rows, separator"
        else:
            values = self.fill(scope, 1, len(self.nodes) - 1)
            self.require(scope, values)
            result = self.build(scope, values)
            parameters = "rows, lines, separator"
        if run is None:
            body = [f"    {self.unpacked()}, = rows"]
        else:
            counts = [length - 1 for length in run.lengths]
            body = [f"    {rows_unpacked(counts)} = rows"]
            checks = rows_terms(run.segments, counts, self.source.names, self.instead)
            if checks is None:
                raise _Unusual
            self.conditions = [term for term in (*checks, *self.conditions) if term]
        if self.conditions:
            body.append(f"    if not ({' and '.join(dict.fromkeys(self.conditions))}): return None")
        body += self.lines
        body.append(f"    return {result}")
        body = [
            "    try:",
            *(f"    {line}" for line in body),
            "    except (KeyError, ValueError):",  # the reader says what cannot be converted
            "        return None",
        ]
        name = self.source.function("run", parameters, body)
        return self.source.load(name, scope.struct.__name__)

    def unpacked(self) -> str:
        rows = []
        for at, row in enumerate(self.rows):
            names = (f"r{at}e{e}" if (at, e) in self.used else "_" for e in range(len(row)))
            rows.append(f"({''.join(name + ', ' for name in names)})")
        return ", ".join(rows)

    # what is known of the rows

    def element(self, at: int, element: int) -> str:
        """The expression of an element; the empty text where the row has not so many."""
        if element >= len(self.rows[at]):
            return "''"
        self.used.add((at, element))
        return f"r{at}e{element}"

    def holds(self, at: int, selector: Selector) -> bool:
        """Whether a row is of a selector's code, written down as a condition."""
        row = self.rows[at]
        if len(row) <= selector.element:
            return False
        if selector.component:
            parts = row[selector.element].split(self.separator)
            if len(parts) < selector.component:
                return False
            found = parts[selector.component - 1] == selector.code
            name = self.parts(at, selector.element)[selector.component - 1]
            self.insist(f"{name} {'==' if found else '!='} {selector.code!r}")
            return found
        found = row[selector.element] == selector.code
        comparison = "==" if found else "!="
        self.conditions.append(f"{self.element(at, selector.element)} {comparison} {selector.code!r}")
        return found

    def told(self, at: int, element: int) -> bool:
        """Whether an element is there and not empty, written down as a condition."""
        if element >= len(self.rows[at]):
            return False
        name = self.element(at, element)
        if self.rows[at][element]:
            self.conditions.append(name)
            return True
        self.conditions.append(f"not {name}")
        return False

    def temporary(self, expression: str) -> str:
        name = f"t{self.temporaries}"
        self.temporaries += 1
        self.lines.append(f"    {name} = {expression}")
        return name

    def insist(self, condition: str) -> None:
        """A condition on temporaries."""
        self.lines.append(f"    if not ({condition}): return None")

    # the walk

    def fill(self, scope: Scope, at: int, end: int) -> dict[Path, Any]:
        """The values of a scope in rows `at` to `end`: expressions, and lists of them where it repeats."""
        values: dict[Path, Any] = {}
        own = scope.slots[0] if scope.first >= 0 else None
        if own:
            self.slot(own, at, values)
            at += 1
        taken: list[Slot | Scope] = []
        met: dict[int, int] = {}
        items: list[Slot | Scope] = [*scope.slots, *scope.scopes]
        claims = [item for item in items if item is not own]
        claims.sort(key=lambda item: item.selector is None)
        while at < end:
            node = self.nodes[at]
            met[node] = met.get(node, 0) + 1
            claim = next(
                (item for item in claims if _node(item) == node and self.claims(item, at, met[node], taken)),
                None,
            )
            if claim is None or claim is self.chief:
                raise _Unusual
            if isinstance(claim, Slot):
                self.slot(claim, at, values)
                after = at + 1
            else:
                after = at + 1
                while after < end and claim.first < self.nodes[after] <= claim.last:
                    after += 1
                self.scope(claim, at, after, values)
            if not (isinstance(claim, Scope) and claim.many):
                taken.append(claim)
            at = after
        return values

    def claims(self, item: Slot | Scope, at: int, occurrence: int, taken: list[Slot | Scope]) -> bool:
        selector = item.selector
        if selector and selector.occurrence:
            return selector.occurrence == occurrence
        many = isinstance(item, Scope) and item.many
        if isinstance(item, Slot) and item.repeats:
            many = True
        if not many and any(item is other for other in taken):
            return False
        return selector is None or self.holds(at, selector)

    def scope(self, scope: Scope, at: int, end: int, values: dict[Path, Any]) -> None:
        if scope.tree:
            raise _Unusual
        inner = self.fill(scope, at, end)
        if scope.many:
            self.require(scope, inner)
            values.setdefault(scope.path, []).append(self.build(scope, inner))
        else:
            values.update(inner)

    def require(self, scope: Scope, values: dict[Path, Any]) -> None:
        for _, item in required_fields(scope):
            if item.path not in values:
                raise _Unusual
            values[item.path] = name = self.temporary(values[item.path])
            self.insist(f"{name} is not None")

    # one row

    def slot(self, slot: Slot, at: int, values: dict[Path, Any]) -> None:
        row = self.rows[at]
        self.leftovers(slot, at)
        for item in slot.fields:
            if item.element >= len(row) or item.formatted:
                continue
            if value := self.checked(at, item):
                values[item.path] = value
                continue
            text = self.element(at, item.element)
            if item.component:
                parts = self.parts(at, item.element)[item.component - 1 :]
                if not parts:
                    continue
                text = parts[0]
                if item.last and len(parts) > 1:
                    span = ", ".join(parts[: item.last - item.component + 1])
                    found = self.temporary(f"flowing(({span},), {item.width})")
                    self.insist(f"{found}[1]")
                    values[item.path] = f"{found}[0]"
                    continue
            if item.codes:
                value = f"{self.source.constant(item.codes.words, 'words')}[{text}]"
            elif item.conversion is CONVERSIONS["text"]:
                value = f"({text} or None)"
            else:
                value = f"{self.source.constant(item.conversion.read, 'read')}[{text}]"
            values[item.path] = value
        if (dated := slot.formatted()) and dated[0].element < len(row):
            self.moment(at, dated, values)
        for texts in slot.texts:
            listed = []
            for element, component in texts.places:
                if element < len(row) and self.there(at, element, component):
                    listed.append(self.text(at, element, component))
            values[texts.path] = [*values.get(texts.path, ()), *listed] if texts.repeats else listed
        for pairs in slot.pairs:
            self.pairs(pairs, at, values)

    def moment(self, at: int, dated: list[Field], values: dict[Path, Any]) -> None:
        """A date, a time or both, in a format that they can hold."""
        paths = {item.conversion.name: item.path for item in dated}
        read = self.source.constant(MOMENTS[tuple(sorted(paths))], "moments")
        first = dated[0].component - 1
        told = " + '\\x1f' + ".join(self.parts(at, dated[0].element)[first : first + 2])
        found = self.temporary(f"{read}[{told or repr('')}]")
        self.insist(f"{found}[2]")
        for index, name in enumerate(("date", "time")):
            if name in paths:
                values[paths[name]] = f"{found}[{index}]"

    def parts(self, at: int, element: int) -> list[str]:
        """The names of a composite's components, of which there must be as many."""
        if (at, element) not in self.divided:
            count = self.rows[at][element].count(self.separator) + 1
            names = [f"t{self.temporaries}c{number}" for number in range(1, count + 1)]
            self.temporaries += 1
            self.lines.append(f"    {', '.join(names)}, = {self.element(at, element)}.split(separator)")
            self.divided[at, element] = names
        return self.divided[at, element]

    def text(self, at: int, element: int, component: int) -> str:
        """The expression of an element or a component that is there."""
        return self.parts(at, element)[component - 1] if component else self.element(at, element)

    def there(self, at: int, element: int, component: int) -> bool:
        """Whether an element or a component is there and not empty, which is written down as a condition."""
        if not component:
            return self.told(at, element)
        told = self.rows[at][element].split(self.separator)[component - 1 :][:1]
        if told:
            name = self.text(at, element, component)
            self.insist(name if told[0] else f"not {name}")
        return told not in ([], [""])

    def checked(self, at: int, item: Field) -> str | None:
        """The name of a value whose conversion checks its element, where there is one that does."""
        if self.run is None or item.component:
            return None
        use = self.run.segments[at].elements[item.element - 1]
        name, element, required = self.element(at, item.element), use.element, use.requirement == "M"
        if use.requirement not in ("M", "O", "X") or element.components:
            return None
        if item.codes:
            if element.codes is None:
                return None
            listed = self.listed(item.codes, element.codes, required=required)
            self.instead[name] = ""
            return self.temporary(f"{listed}[{name}]")
        numeral = item.conversion.name
        exact = numeral == "integer" or numeral.startswith("implied")
        suits = exact or (numeral == "decimal" and element.type == "R")
        if not suits or element.codes is not None or element.min > 1 or element.type[0] not in "NR":
            return None
        term = f"len({name}) <= {element.max}"
        self.instead[name] = f"{name} and {term}" if required else term
        return self.temporary(f"{self.source.constant(item.conversion.read, 'read')}[{name}]")

    def listed(self, codes: Codes, valid: frozenset[str], *, required: bool) -> str:
        """The words of the codes of an element, and of no other text."""
        key = id(codes), id(valid), required
        if key not in self.tables:
            table = {code: codes.words[code] for code in valid}
            self.tables[key] = table if required else table | {"": None}
        return self.source.constant(self.tables[key], "listed")

    def leftovers(self, slot: Slot, at: int) -> None:
        """Makes sure that the row holds nothing without a field."""
        row = self.rows[at]
        placed = slot.placed()
        for element in range(1, len(row)):
            components = placed.get(element)
            if components is None:
                if self.told(at, element):
                    raise _Unusual
            elif components:
                self.nothing_but(at, element, components)
        for (element, component), text in slot.always.items():
            if element >= len(row):
                continue
            if not component:
                self.conditions.append(f"{self.element(at, element)} in ('', {text!r})")
            elif placed[element] and len(self.parts(at, element)) >= component:
                self.insist(f"{self.text(at, element, component)} in ('', {text!r})")

    def nothing_but(self, at: int, element: int, components: frozenset[int]) -> None:
        """Makes sure that a composite has none but these components."""
        for component in range(1, len(self.parts(at, element)) + 1):
            if component not in components and self.there(at, element, component):
                raise _Unusual

    def kind(self, pairs: Pairs, at: int, qualifier: int) -> str | None:
        """The word of a qualifier, where looking it up checks it."""
        if self.run is None or pairs.codes is None or pairs.codes.words[""]:
            return None
        use = self.run.segments[at].elements[qualifier - 1]
        if use.requirement not in ("M", "O", "X") or use.element.codes is None:
            return None
        name = self.element(at, qualifier)
        self.instead[name] = ""
        return f"{self.listed(pairs.codes, use.element.codes, required=True)}[{name}]"

    def pairs(self, pairs: Pairs, at: int, values: dict[Path, Any]) -> None:
        name = self.source.constant(words_of(pairs), "words")
        entries = []
        for qualifier, value, kind, _ in pairs.places:
            if value.component:
                entries += self.composite(pairs, at, (qualifier, value, kind))
                continue
            told = self.told(at, value.element)
            if qualifier and self.told(at, qualifier.element) != told:
                raise _Unusual
            if told:
                key = (
                    repr(kind)
                    if qualifier is None
                    else self.kind(pairs, at, qualifier.element)
                    or f"{name}[{self.element(at, qualifier.element)}]"
                )
                entries.append(f"{key}: {self.element(at, value.element)}")
        if entries:
            before = [f"**{values[pairs.path]}"] if pairs.path in values else []
            found = self.temporary(f"{{{', '.join([*before, *entries])}}}")
            count = f"{len(entries)}" + (f" + len({before[0][2:]})" if before else "")
            self.insist(f"len({found}) == {count} and None not in {found}")
            values[pairs.path] = found

    def composite(self, pairs: Pairs, at: int, place: tuple[Place | None, Place, str]) -> list[str]:
        """The entry of a composite that holds a kind and its value and nothing else; none if it is empty."""
        qualifier, (element, component), kind = place
        if element >= len(self.rows[at]) or not self.told(at, element):
            return []
        if pairs.wanders:
            self.nothing_but(at, element, frozenset({component, *(qualifier or ())[1:]}))
        if not self.there(at, element, component):
            raise _Unusual
        key = repr(kind)
        if qualifier:
            words = self.source.constant(words_of(pairs), "words")
            told = self.there(at, *qualifier)
            key = f"{words}[{self.text(at, *qualifier) if told else repr('')}]"
        return [f"{key}: {self.text(at, element, component)}"]

    # the value

    def build(self, scope: Scope, values: dict[Path, Any]) -> str:
        struct = self.source.constant(scope.struct, scope.struct.__name__)
        return f"{struct}({', '.join(self.arguments(scope, values, ()))})"

    def arguments(self, scope: Scope, values: dict[Path, Any], path: Path) -> list[str]:
        """Positional arguments for the struct at `path`."""
        inside = scope.structs()
        arguments = []
        for info in fields_of(inside[path] if path else scope.struct):
            here = (*path, info.name)
            value = values.get(here)
            if here in inside:
                arguments.append(self.inner(scope, values, here))
            elif here == self.chief.path and scope.first < 0:
                arguments.append(self.collected(info.name))
            elif typing.get_origin(info.type) is dict:
                arguments.append(value or "{}")
            elif isinstance(value, list):
                arguments.append(f"({''.join(item + ', ' for item in value)})")
            elif typing.get_origin(info.type) is tuple:
                arguments.append("()")
            else:
                arguments.append(value or "None")
        return arguments

    def inner(self, scope: Scope, values: dict[Path, Any], here: Path) -> str:
        """A value inside the value, such as an address; None where all in it is absent."""
        parts = {path: value for path, value in values.items() if path[: len(here)] == here}
        if not parts:
            return "None"
        certain = any(isinstance(value, list) and value for value in parts.values())
        for path, value in parts.items():
            if isinstance(value, str) and not certain:
                values[path] = self.temporary(value)
        struct = self.source.constant(scope.structs()[here], scope.structs()[here].__name__)
        made = f"{struct}({', '.join(self.arguments(scope, values, here))})"
        if certain:
            return made
        told = " or ".join(f"{values[path]} is not None" for path in parts if isinstance(values[path], str))
        return f"({made} if {told} else None)" if told else "None"

    def collected(self, name: str) -> str:
        if not self.chief.tree:
            return "tuple(lines)"
        struct = self.source.constant(self.chief.struct, self.chief.struct.__name__)
        position = self.chief.struct.__struct_fields__.index(name)
        return f"tuple(nested({struct}, lines, {position}))"


def _node(item: Slot | Scope) -> int:
    return item.node.index if isinstance(item, Slot) else item.first


def chief_loop(root: Scope) -> Scope | None:
    """The longest loop of the set that the map reads wherever it occurs, if there is one."""
    items: list[Slot | Scope] = [*root.slots, *root.scopes]
    nodes = [_node(item) for item in items]
    loops = (s for s in root.scopes if s.many and s.selector is None and nodes.count(s.first) == 1)
    return max(loops, key=lambda scope: scope.last - scope.first, default=None)
