"""Rows to documents: the source that a bound map is compiled to.

Each loop of the map becomes one function that walks rows from its first segment to the end of the iteration,
dispatching on the row's node, with values in locals and one constructor call at the end. Only what the
definition and the map say is in the source; what a partner wrote is data that it handles. `Map.source`
is that source, to be read.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from edi.documents import BETWEEN_COMPONENTS
from mappings.compiler import Source
from mappings.language import Field, Pairs, Scope, Slot, fields_of
from mappings.values import CONVERSIONS

Path = tuple[str, ...]
Leftover = list[tuple[str, ...]]
Read = Callable[[list[list[str]], tuple[int, ...], int, int, str], tuple[Any, int]]


_DEEPEST = 32  # levels of a hierarchy; shipments have five, and a value this deep is an attack


class Unreadable(Exception):
    """The rows hold no such document: `reason`, found at row `at` (from 0)."""

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(reason)
        self.at, self.reason = at, reason


def leftover(
    row: list[str], name: str, placed: dict[int, frozenset[int]], always: dict[int, str], separator: str
) -> Leftover:
    """The elements of a placed row that the map has no field for, as entries of `extra`.

    `placed` gives for each element of the map its placed components, empty where it is taken as a whole.
    """
    found: Leftover = []
    for element in range(1, len(row)):
        value = row[element]
        if not value:
            continue
        if element not in placed:
            found.append((f"{name}{element:02d}", value.replace(separator, BETWEEN_COMPONENTS)))
        elif placed[element]:
            for component, part in enumerate(value.split(separator), 1):
                if part and component not in placed[element]:
                    found.append((f"{name}{element:02d}-{component}", part))
        elif element in always and value != always[element]:
            found.append((f"{name}{element:02d}", value))
    return found


def whole(row: list[str], name: str, separator: str) -> tuple[str, ...]:
    """A row that the map has no place for, as an entry of `extra`."""
    elements = row[1:]
    if any(separator in element for element in elements):
        elements = [element.replace(separator, BETWEEN_COMPONENTS) for element in elements]
    return (name, *elements)


def pairs(
    row: list[str],
    places: tuple[tuple[int, int, str], ...],
    words: Mapping[str, str | None],
    name: str,
    found: Leftover,
) -> dict[str, str]:
    """The kinds and values of one row; what has no kind, no value or a kind told before goes to `found`."""
    values: dict[str, str] = {}
    for qualifier, at, kind in places:
        value = row[at] if len(row) > at else ""
        told = row[qualifier] if qualifier and len(row) > qualifier else ""
        word = kind or words[told]
        if word and value and word not in values:
            values[word] = value
            continue
        if told:
            found.append((f"{name}{qualifier:02d}", told))
        if value:
            found.append((f"{name}{at:02d}", value))
    return values


def nested(struct: type[msgspec.Struct], levels: list[Any], position: int) -> list[Any]:
    """Levels by their parents: each of `levels` is (row, id, parent id, arguments of `struct`)."""
    depths = {"": 0}
    for at, id, parent, _ in levels:
        depth = depths.get(parent, _DEEPEST) + 1
        if not id or depth > _DEEPEST:
            raise Unreadable(at, f"level {id!r} has no id, no parent before it, or is nested too deep")
        depths[id] = depth
    waiting: dict[str, list[Any]] = {}
    for _, id, parent, arguments in reversed(levels):
        arguments[position] = tuple(reversed(waiting.pop(id, ())))
        waiting.setdefault(parent, []).append(struct(*arguments))
    return list(reversed(waiting.pop("", [])))


def compile_reader(root: Scope) -> tuple[Read, str]:
    """The function that reads `root`'s document, and its source.

    For a root that is a loop which the map reads wherever it occurs it reads one iteration.
    """
    source = Source(Unreadable=Unreadable, leftover=leftover, whole=whole, pairs=pairs, nested=nested)
    name = _function(source, root, "")
    return source.load(name, root.struct.__name__), source.text


def _function(source: Source, scope: Scope, prefix: str) -> str:
    """Emits the function of a loop; `prefix` is how `extra` calls a picked loop's insides."""
    return source.function("read", "rows, places, i, n, separator", _Body(source, scope, prefix).lines())


class _Claim(NamedTuple):
    """A slot or scope that takes rows of a node: when, and how it notes that it has had its one."""

    condition: str
    mark: str
    item: Slot | Scope


class _Body:
    """The body of one loop's function. Every value is a local; lists and dicts are made on first use."""

    def __init__(self, source: Source, scope: Scope, prefix: str) -> None:
        self.source = source
        self.scope = scope
        self.prefix = prefix  # how `extra` calls what stands inside a picked loop: "N1[ST]>"
        self.out: list[str] = []
        self.variables: dict[Path, str] = {}
        self.flags: list[str] = []
        self.counters: list[str] = []
        self.names = ""  # the constant that calls the loop's nodes as `extra` does

    def lines(self) -> list[str]:
        scope = self.scope
        own = scope.slots[0] if scope.first >= 0 else None
        if own:
            self.emit(1, "row = rows[i]")
            self.slot(1, own)
            self.emit(1, "i += 1")
        claims: dict[int, list[_Claim]] = {}
        items: list[Slot | Scope] = [*scope.slots, *scope.scopes]
        for item in items:
            if item is not own:
                node = item.node.index if isinstance(item, Slot) else item.first
                claims.setdefault(node, []).append(self.claim(item, node))
        self.emit(1, "while i < n:")
        self.emit(2, "p = places[i]")
        if own:
            self.emit(2, f"if p <= {scope.first} or p > {scope.last}:")
            self.emit(3, "break")
        self.emit(2, "row = rows[i]")
        self.dispatch(2, sorted(claims), claims)
        self.emit(2, "i += 1")
        self.finish()
        start = ["    at = i", f"    {' = '.join([*self.variables.values(), *self.flags, 'x'])} = None"]
        return start + [f"    {counter} = 0" for counter in self.counters] + self.out

    def emit(self, depth: int, line: str) -> None:
        self.out.append("    " * depth + line)

    def variable(self, path: Path) -> str:
        return self.variables.setdefault(path, f"v{len(self.variables)}")

    def claim(self, item: Slot | Scope, node: int) -> _Claim:
        conditions = []
        mark = ""
        selector = item.selector
        if selector and selector.occurrence:
            counter = f"c{node}"
            if counter not in self.counters:
                self.counters.append(counter)
            conditions.append(f"{counter} == {selector.occurrence}")
        elif selector:
            conditions.append(
                f"len(row) > {selector.element} and row[{selector.element}] == {selector.code!r}"
            )
        many = item.many if isinstance(item, Scope) else False
        if not many and not (selector and selector.occurrence):
            flag = f"s{len(self.flags)}"
            self.flags.append(flag)
            conditions.append(f"{flag} is None")
            mark = f"{flag} = True"
        return _Claim(" and ".join(conditions), mark, item)

    def dispatch(self, depth: int, nodes: list[int], claims: dict[int, list[_Claim]]) -> None:
        """A binary split down to a few nodes, then one comparison each; what none claims goes to `extra`."""
        if len(nodes) > 4:
            middle = len(nodes) // 2
            self.emit(depth, f"if p < {nodes[middle]}:")
            self.dispatch(depth + 1, nodes[:middle], claims)
            self.emit(depth, "else:")
            self.dispatch(depth + 1, nodes[middle:], claims)
            return
        for number, node in enumerate(nodes):
            self.emit(depth, f"{'el' if number else ''}if p == {node}:")
            if f"c{node}" in self.counters:
                self.emit(depth + 1, f"c{node} += 1")
            self.choose(depth + 1, sorted(claims[node], key=lambda claim: claim.item.selector is None))
        if nodes:
            self.emit(depth, "else:")
            depth += 1
        self.unplaced(depth)

    def choose(self, depth: int, claims: list[_Claim]) -> None:
        """The first claim whose condition holds takes the row."""
        for order, claim in enumerate(claims):
            inner = depth
            if claim.condition:
                self.emit(depth, f"{'el' if order else ''}if {claim.condition}:")
                inner += 1
            elif order:
                self.emit(depth, "else:")
                inner += 1
            if isinstance(claim.item, Slot) and any(texts.repeats for texts in claim.item.texts):
                self.repeated(inner, claim.item, claim.mark)
                continue
            if claim.mark:
                self.emit(inner, claim.mark)
            if isinstance(claim.item, Slot):
                self.slot(inner, claim.item)
            elif claim.item.many and claim.item.first == claim.item.last:
                self.segment(inner, claim.item)
            else:
                self.loop(inner, claim.item)
            if not claim.condition:
                return
        self.emit(depth, "else:")
        self.unplaced(depth + 1)

    def repeated(self, depth: int, slot: Slot, mark: str) -> None:
        """Texts over repeated segments; from the first that holds more than texts on, rows are kept whole."""
        self.emit(depth, "m = len(row)")
        self.emit(depth, f"if {self.unplaced_condition(slot)}:")
        self.emit(depth + 1, mark)
        self.unplaced(depth + 1)
        self.emit(depth, "else:")
        self.slot(depth + 1, slot)

    def unplaced(self, depth: int) -> None:
        if not self.names:
            names = {node: self.prefix + path for path, (_, node) in self.scope.nodes.items()}
            self.names = self.source.constant(names, "names")
        self.emit(depth, "if x is None: x = []")
        self.emit(depth, f"x.append(whole(row, {self.names}[p], separator))")

    def loop(self, depth: int, scope: Scope) -> None:
        """A loop inside this one, read by its own function; a picked one of one segment, in place."""
        name = _function(self.source, scope, "" if scope.many else f"{self.prefix}{scope.name}>")
        call = f"{name}(rows, places, i, n, separator)"
        if scope.many:
            self.emit(depth, f"v, i = {call}")
            self.append(depth, self.variable(scope.path), "v")
        else:
            self.emit(depth, f"if i + 1 < n and {scope.first} < places[i + 1] <= {scope.last}:")
            targets = "".join(f"{self.variable(path)}, " for path in scope.paths())
            self.emit(depth + 1, f"({targets}found), i = {call}")
            self.keep(depth + 1, "x")
            self.emit(depth + 1, "continue")
            self.slot(depth, scope.slots[0], name=self.prefix + scope.name)
            return
        self.emit(depth, "continue")

    def keep(self, depth: int, extra: str) -> None:
        self.emit(depth, f"if found: {extra} = found if {extra} is None else {extra} + found")

    def append(self, depth: int, variable: str, value: str) -> None:
        self.emit(depth, f"if {variable} is None: {variable} = [{value}]")
        self.emit(depth, f"else: {variable}.append({value})")

    def segment(self, depth: int, scope: Scope) -> None:
        """One value per segment, made in place of locals of its own."""
        (slot,) = scope.slots
        names: dict[Path, str] = {}
        self.emit(depth, "e = None")
        self.slot(depth, slot, lambda path: names.setdefault(path, f"t{len(names)}"), "e")
        for item in slot.fields:
            if item.required:
                self.require(depth, names[item.path], "i", slot, item)
        self.emit(depth, f"v = {self.build(scope, names, 'e')}")
        self.append(depth, self.variable(scope.path), "v")

    def slot(
        self,
        depth: int,
        slot: Slot,
        variable: Callable[[Path], str] | None = None,
        extra: str = "x",
        name: str = "",
    ) -> None:
        """Takes what the map places of one row; the rest of the row goes to `extra`."""
        variable = variable or self.variable
        if not name and extra == "x":
            name = self.prefix[:-1] if self.picked(slot) else self.prefix + slot.name
        name = name or slot.name
        self.emit(depth, "m = len(row)")
        for element in sorted({item.element for item in slot.fields if item.component}):
            self.emit(depth, f"k{element} = row[{element}].split(separator) if m > {element} else ()")
        for item in slot.fields:
            self.emit(depth, f"{variable(item.path)} = {self.value(item)}")
        for texts in slot.texts:
            target, first, end = variable(texts.path), texts.elements[0], texts.elements[-1] + 1
            self.emit(depth, f"found = [text for text in row[{first}:{end}] if text]")
            if texts.repeats:
                self.emit(depth, f"{target} = found if {target} is None else {target} + found")
            else:
                self.emit(depth, f"{target} = found or None")
        for pairs in slot.pairs:
            self.pairs(depth, pairs, variable(pairs.path), name, extra)
        placed = self.source.constant(placed_components(slot), "placed")
        always = self.source.constant(slot.always, "always")
        self.emit(depth, f"if {self.unplaced_condition(slot)}:")
        self.emit(depth + 1, f"found = leftover(row, {name!r}, {placed}, {always}, separator)")
        self.keep(depth + 1, extra)

    def picked(self, slot: Slot) -> bool:
        """Whether the slot is the first segment of a picked loop, whose name it then bears."""
        return not self.scope.many and slot is self.scope.slots[0] and self.scope.first >= 0

    def value(self, item: Field) -> str:
        """The expression of a field's value; None when the element is absent or empty."""
        if item.component:
            parts = f"k{item.element}"
            text, there = f"{parts}[{item.component - 1}]", f"len({parts}) >= {item.component}"
        else:
            text, there = f"row[{item.element}]", f"m > {item.element}"
        if item.codes:
            words = self.source.constant(item.codes.words, "words")
            return f"{words}[{text}] if {there} else None"
        if item.conversion is CONVERSIONS["text"]:
            return f"({text} or None) if {there} else None"
        read = self.source.constant(item.conversion.read, "read")
        return f"{read}[{text}] if {there} else None"

    def pairs(self, depth: int, pairs_: Pairs, target: str, name: str, extra: str) -> None:
        places = pairs_.places
        words = self.source.constant(
            pairs_.codes.words if pairs_.codes else CONVERSIONS["text"].read, "words"
        )
        first = min(place.value if place.kind else place.qualifier for place in places)
        self.emit(depth, f"if m > {first}:")
        slow = depth + 1
        q, v = places[0].qualifier, places[0].value
        series = [(q + 2 * n, v + 2 * n, "") for n in range(len(places))]
        if v == q + 1 and [tuple(place) for place in places] == series:
            for n in range(1, min(len(places), 4) + 1):
                kinds = ", ".join(f"{words}[row[{q}]]: row[{v}]" for q, v, _ in series[:n])
                full = " and ".join(f"row[{v}]" for _, v, _ in series[:n])
                self.emit(depth + 1, f"{'el' if n > 1 else ''}if m == {series[n - 1][1] + 1} and {full}:")
                self.emit(depth + 2, f"d = {{{kinds}}}")
            self.emit(depth + 1, "else:")
            self.emit(depth + 2, "d = ()")
            self.emit(depth + 1, f"if 2 * len(d) != m - {q} or None in d:")
            slow += 1
        constant = self.source.constant(tuple(tuple(place) for place in places), "places")
        self.emit(slow, "found = []")
        self.emit(slow, f"d = pairs(row, {constant}, {words}, {name!r}, found)")
        self.keep(slow, extra)
        self.emit(depth + 1, f"{target} = d")
        self.emit(depth, "else:")
        self.emit(depth + 1, f"{target} = None")

    def unplaced_condition(self, slot: Slot) -> str:
        """True for every row that holds something the slot does not place, and for few others."""
        placed = slot.placed()
        last = max(placed, default=0)
        conditions = [f"m > {last + 1}"]
        conditions += [f"m > {e} and row[{e}]" for e in range(1, last) if e not in placed]
        for element, components in placed_components(slot).items():
            if components:
                conditions.append(
                    f"m > {element} and len(k{element}) > 1"
                    if components == {1}
                    else f"m > {element} and row[{element}]"
                )
            elif element in slot.always:
                conditions.append(f"m > {element} and row[{element}] != {slot.always[element]!r}")
        return " or ".join(conditions)

    def require(self, depth: int, variable: str, at: str, slot: Slot, item: Field) -> None:
        reason = f"{slot.name}{item.element:02d} is needed for {item.path[-1]!r}"
        self.emit(depth, f"if {variable} is None: raise Unreadable({at}, {reason!r})")

    def finish(self) -> None:
        """What the function gives back: the value and the next row."""
        scope = self.scope
        if not scope.many:
            values = "".join(f"{self.variable(path)}, " for path in scope.paths())
            self.emit(1, f"return ({values}x), i")
            return
        for slot, item in required_fields(scope):
            self.require(1, self.variable(item.path), "at", slot, item)
        if scope.tree:
            own = scope.slots[0]
            id, parent = (f"(rows[at][{e}] if len(rows[at]) > {e} else '')" for e in own.tree[:2])
            arguments = self.arguments(scope, self.variables, "x", ())
            self.emit(1, f"return (at, {id}, {parent}, [{', '.join(arguments)}]), i")
            return
        self.emit(1, f"return {self.build(scope, self.variables, 'x')}, i")

    def build(self, scope: Scope, names: dict[Path, str], extra: str) -> str:
        """The constructor call of the scope's struct."""
        struct = self.source.constant(scope.struct, scope.struct.__name__)
        return f"{struct}({', '.join(self.arguments(scope, names, extra, ()))})"

    def arguments(self, scope: Scope, names: dict[Path, str], extra: str, path: Path) -> list[str]:
        """Positional arguments for the struct at `path`: positional calls are several times faster."""
        inside = scope.structs()
        struct = inside[path] if path else scope.struct
        trees = {inner.path: inner for inner in scope.scopes if inner.tree}
        arguments = []
        for info in fields_of(struct):
            here = (*path, info.name)
            name = names.get(here)
            if here in inside:
                name_of = self.source.constant(inside[here], inside[here].__name__)
                parts = self.arguments(scope, names, "", here)
                told = " or ".join(f"{names[p]} is not None" for p in names if p[: len(here)] == here)
                arguments.append(f"{name_of}({', '.join(parts)}) if {told} else None")
            elif info.name == "extra":
                arguments.append(f"() if {extra} is None else tuple({extra})" if extra else "()")
            elif typing.get_origin(info.type) is dict:
                arguments.append(f"{{}} if {name} is None else {name}" if name else "{}")
            elif here in trees:
                inner = trees[here]
                item = self.source.constant(inner.struct, inner.struct.__name__)
                position = inner.struct.__struct_fields__.index(info.name)
                arguments.append(f"() if {name} is None else tuple(nested({item}, {name}, {position}))")
            elif typing.get_origin(info.type) is tuple:
                arguments.append(f"() if {name} is None else tuple({name})" if name else "()")
            else:
                arguments.append(name or "None")
        return arguments


def placed_components(slot: Slot) -> dict[int, frozenset[int]]:
    """Element -> its placed components, none where it is taken as a whole."""
    placed = dict.fromkeys(sorted(slot.placed()), frozenset[int]())
    for item in slot.fields:
        if item.component:
            placed[item.element] |= {item.component}
    return placed


def required_fields(scope: Scope) -> Iterator[tuple[Slot, Field]]:
    """Required fields of a scope's struct, also those that its picked loops fill."""
    for slot in scope.slots:
        yield from ((slot, item) for item in slot.fields if item.required)
    for inner in scope.scopes:
        if not inner.many:
            yield from required_fields(inner)
