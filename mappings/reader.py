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
from mappings.language import Field, PairPlace, Pairs, Scope, Slot, Texts, fields_of
from mappings.rows import text_at
from mappings.values import CONVERSIONS, MOMENTS, flowing

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
    row: list[str],
    name: str,
    placed: dict[int, frozenset[int]],
    always: dict[tuple[int, int], str],
    separator: str,
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
                known = component in placed[element] and always.get((element, component), part) == part
                if part and not known:
                    found.append((f"{name}{element:02d}-{component}", part))
        elif always.get((element, 0), value) != value:
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
    places: tuple[PairPlace, ...],
    words: Mapping[str, str | None],
    name: str,
    found: Leftover,
    separator: str,
) -> dict[str, str]:
    """The kinds and values of one row; what has no kind, no value or a kind told before goes to `found`."""
    values: dict[str, str] = {}
    for qualifier, at, kind, _ in places:
        value = text_at(row, *at, separator)
        told = text_at(row, *qualifier, separator) if qualifier else ""
        word = kind or words[told]
        if word and value and word not in values:
            values[word] = value
            continue
        if told:
            found.append((f"{name}{qualifier}", told))
        if value:
            found.append((f"{name}{at}", value))
    return values


def wandering(
    row: list[str],
    places: tuple[PairPlace, ...],
    words: Mapping[str, str | None],
    names: tuple[str, str, str],
    found: Leftover,
    before: dict[str, str] | None,
    separator: str,
) -> dict[str, str] | None:
    """The kinds and values of composites, added to those of rows `before`, which may be what is given back.

    What else a composite says goes to `found` by its kind (`ids[SA]-4`); one without a kind or a value, or of
    a kind told before, goes there by its place, or as a row with the others where rows repeat. `names` are
    those of the field, of the slot, and of such a row, which is "" where they do not.
    """
    field, name, again = names
    values = {} if before is None else before
    rest: list[str] = []
    for qualifier, (element, at), kind, _ in places:
        composite = row[element] if len(row) > element else ""
        if not composite:
            continue
        parts = composite.split(separator)
        value = parts[at - 1] if len(parts) >= at else ""
        told = parts[qualifier[1] - 1] if qualifier and len(parts) >= qualifier[1] else ""
        word = kind or words[told]
        if word and value and word not in values:
            values[word] = value
            code = "" if qualifier is None else told
            known = (at, qualifier[1]) if qualifier else (at,)
            found += [
                (f"{field}[{code}]-{n}", part) for n, part in enumerate(parts, 1) if part and n not in known
            ]
        elif again:
            rest.append(composite.replace(separator, BETWEEN_COMPONENTS))
        else:
            found += [(f"{name}{element:02d}-{n}", part) for n, part in enumerate(parts, 1) if part]
    if rest:
        found.append((again, *row[1 : places[0].value.element], *rest))
    return values or None


def in_order(extra: Leftover) -> Leftover:
    """What stands beside kinds (`ids[SA]-4`) comes last and sorted, for kinds may move."""
    return sorted(extra, key=lambda entry: entry[0] if entry[0][0].islower() else "")


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
    source = Source(
        Unreadable=Unreadable,
        leftover=leftover,
        whole=whole,
        pairs=pairs,
        wandering=wandering,
        in_order=in_order,
        flowing=flowing,
        nested=nested,
    )
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
        elif selector and selector.component:
            told = f"q{selector.element}"
            conditions.append(f"len({told}) >= {selector.component}") if selector.component > 1 else None
            conditions.append(f"{told}[{selector.component - 1}] == {selector.code!r}")
        elif selector:
            conditions.append(
                f"len(row) > {selector.element} and row[{selector.element}] == {selector.code!r}"
            )
        many = item.many if isinstance(item, Scope) else any(pairs.repeats for pairs in item.pairs)
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
            selectors = [claim.item.selector for claim in claims[node] if claim.item.selector]
            for element in sorted({selector.element for selector in selectors if selector.component}):
                told = f"row[{element}].split(separator) if len(row) > {element} else ('',)"
                self.emit(depth + 1, f"q{element} = {told}")
            ordered = sorted(claims[node], key=lambda claim: claim.item.selector is None)
            self.choose(depth + 1, [self.fitting(depth + 1, claim, n) for n, claim in enumerate(ordered)])
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

    def fitting(self, depth: int, claim: _Claim, number: int) -> _Claim:
        """The claim of a slot that takes all segments of a kind, if they hold nothing else.

        Where they are texts, which have an order, it takes none after the first that does.
        """
        slot = claim.item
        if not isinstance(slot, Slot) or not slot.repeats:
            return claim
        fits = f"z{number}"
        self.emit(depth, f"{fits} = {claim.condition or 'True'}")
        self.emit(depth, f"if {fits}:")
        self.emit(depth + 1, "m = len(row)")
        self.split(depth + 1, slot)
        self.emit(depth + 1, f"if {self.unplaced_condition(slot)}:")
        self.emit(depth + 2, " = ".join([fits, "False"]))
        if claim.mark:
            self.emit(depth + 2, claim.mark)
        return _Claim(fits, "", slot)

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
        if scope.many and scope.may_lack():
            self.emit(depth, f"v, j = {call}")
            self.emit(depth, "if v is None:")
            self.emit(depth + 1, "for i in range(i, j):")
            self.emit(depth + 2, "p, row = places[i], rows[i]")
            self.unplaced(depth + 2)
            self.emit(depth, "else:")
            self.append(depth + 1, self.variable(scope.path), "v")
            self.emit(depth, "i = j")
        elif scope.many:
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
        needed = [names[item.path] for item in slot.fields if item.required]
        if needed:
            self.emit(depth, f"if {' or '.join(f'{name} is None' for name in needed)}:")
            self.unplaced(depth + 1)
            self.emit(depth, "else:")
            depth += 1
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
        self.split(depth, slot)
        for item in slot.fields:
            if not item.formatted and not item.last:
                self.emit(depth, f"{variable(item.path)} = {self.value(item)}")
        dated, text = slot.formatted(), slot.flowing()
        if dated:
            self.moment(depth, dated, variable)
        if text:
            parts = f"k{text.element}[{text.component - 1}:{text.last}]"
            self.emit(depth, f"{variable(text.path)}, w = flowing({parts}, {text.width})")
        for texts in slot.texts:
            self.texts(depth, texts, variable(texts.path))
        for pairs in slot.pairs:
            if pairs.wanders:
                self.wandering(depth, slot, pairs, variable(pairs.path), (name, extra))
            else:
                self.pairs(depth, pairs, variable(pairs.path), name, extra)
        placed = self.source.constant(slot.placed(), "placed")
        always = self.source.constant(slot.always, "always")
        condition = self.unplaced_condition(slot)
        if dated or text:
            without = self.source.constant(slot.without(), "placed")
            placed = f"({placed} if w else {without})"
            condition += " or not w"
        self.emit(depth, f"if {condition}:")
        self.emit(depth + 1, f"found = leftover(row, {name!r}, {placed}, {always}, separator)")
        self.keep(depth + 1, extra)

    def split(self, depth: int, slot: Slot) -> None:
        """Names for the components of each composite of which the map knows some."""
        for element, components in slot.placed().items():
            if components:
                self.emit(depth, f"k{element} = row[{element}].split(separator) if m > {element} else ()")

    def moment(self, depth: int, dated: list[Field], variable: Callable[[Path], str]) -> None:
        """A date, a time or both, in a format that stands beside them; `w` tells whether they say all."""
        names = {item.conversion.name: variable(item.path) for item in dated}
        read = self.source.constant(MOMENTS[tuple(sorted(names))], "moments")
        element, component = dated[0].place
        parts = f"k{element}[{component - 1}:{component + 1}]"
        targets = f"{names.get('date', '_')}, {names.get('time', '_')}, w"
        self.emit(depth, f"{targets} = {read}['\\x1f'.join({parts})]")

    def texts(self, depth: int, texts: Texts, target: str) -> None:
        spans = []
        for element, first, last in texts.spans():
            there = f"k{element}[{first - 1}:{last}]" if first else f"row[{element}:{last + 1}]"
            spans.append(there)
        among = spans[0] if len(spans) == 1 else f"({', '.join('*' + span for span in spans)})"
        self.emit(depth, f"found = [text for text in {among} if text]")
        if texts.repeats:
            self.emit(depth, f"{target} = found if {target} is None else {target} + found")
        else:
            self.emit(depth, f"{target} = found or None")

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

    def wandering(self, depth: int, slot: Slot, pairs_: Pairs, target: str, names: tuple[str, str]) -> None:
        name, extra = names
        words = self.source.constant(words_of(pairs_), "words")
        places = self.source.constant(pairs_.places, "places")
        again = self.prefix + slot.node.segment.tag if pairs_.repeats else ""
        called = (".".join(pairs_.path), name, again)
        before = "None" if len(pairs_.all) == 1 and not pairs_.repeats else target
        self.emit(depth, "found = []")
        self.emit(
            depth,
            f"{target} = wandering(row, {places}, {words}, {called!r}, found, {before}, separator)",
        )
        self.keep(depth, extra)

    def pairs(self, depth: int, pairs_: Pairs, target: str, name: str, extra: str) -> None:
        places = pairs_.places
        words = self.source.constant(words_of(pairs_), "words")
        first = min((place.qualifier or place.value).element for place in places)
        self.emit(depth, f"if m > {first}:")
        slow = depth + 1
        (q, part), (v, at) = places[0].qualifier or (0, 0), places[0].value
        series = [(q + 2 * n, v + 2 * n) for n in range(len(places))]
        if part and at and len(places) == 1:
            both = f"len(k{q}) >= {max(part, at)} and k{q}[{part - 1}] and k{q}[{at - 1}]"
            self.emit(depth + 1, f"if {both}:")
            self.emit(depth + 2, f"d = {{{words}[k{q}[{part - 1}]]: k{q}[{at - 1}]}}")
            self.emit(depth + 1, "else:")
            slow += 1
        elif v == q + 1 and all(
            p.qualifier == (q, 0) and p.value == (v, 0) for p, (q, v) in zip(places, series, strict=True)
        ):
            for n in range(1, min(len(places), 4) + 1):
                kinds = ", ".join(f"{words}[row[{q}]]: row[{v}]" for q, v in series[:n])
                full = " and ".join(f"row[{v}]" for _, v in series[:n])
                self.emit(depth + 1, f"{'el' if n > 1 else ''}if m == {series[n - 1][1] + 1} and {full}:")
                self.emit(depth + 2, f"d = {{{kinds}}}")
            self.emit(depth + 1, "else:")
            self.emit(depth + 2, "d = ()")
            self.emit(depth + 1, f"if 2 * len(d) != m - {q} or None in d:")
            slow += 1
        constant = self.source.constant(places, "places")
        self.emit(slow, "found = []")
        self.emit(slow, f"d = pairs(row, {constant}, {words}, {name!r}, found, separator)")
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
        for element, components in placed.items():
            parts = f"k{element}"
            if components:
                conditions.append(f"len({parts}) > {max(components)}")
                others = set(range(1, max(components))) - components
                conditions += [f"len({parts}) >= {n} and {parts}[{n - 1}]" for n in sorted(others)]
        for (element, component), text in slot.always.items():
            if not component:
                conditions.append(f"m > {element} and row[{element}] != {text!r}")
            elif placed[element]:
                part = f"k{element}[{component - 1}]"
                conditions.append(f"len(k{element}) >= {component} and {part} not in ('', {text!r})")
        return " or ".join(conditions)

    def require(self, slot: Slot, item: Field) -> None:
        """An item of a list that lacks what it needs is none: its rows are kept whole."""
        lacks = f"if {self.variable(item.path)} is None"
        if self.scope.may_lack():
            self.emit(1, f"{lacks}: return None, i")
            return
        reason = f"{slot.name}{item.place} is needed for {item.path[-1]!r}"
        self.emit(1, f"{lacks}: raise Unreadable(at, {reason!r})")

    def finish(self) -> None:
        """What the function gives back: the value and the next row."""
        scope = self.scope
        if not scope.many:
            values = "".join(f"{self.variable(path)}, " for path in scope.paths())
            self.emit(1, f"return ({values}x), i")
            return
        for slot, item in required_fields(scope):
            self.require(slot, item)
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
                kept = f"in_order({extra})" if extra and _wanders(scope) else extra
                arguments.append(f"() if {extra} is None else tuple({kept})" if extra else "()")
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


def _wanders(scope: Scope) -> bool:
    """Whether a value has pairs whose kinds may move."""
    here = any(pairs.wanders for slot in scope.slots for pairs in slot.pairs)
    return here or any(_wanders(inner) for inner in scope.scopes if not inner.many)


def words_of(pairs: Pairs) -> Mapping[str, str | None]:
    """The words for the qualifiers of a pair."""
    return pairs.codes.words if pairs.codes else CONVERSIONS["text"].read


def required_fields(scope: Scope) -> Iterator[tuple[Slot, Field]]:
    """Required fields of a scope's struct, also those that its picked loops fill."""
    for slot in scope.slots:
        yield from ((slot, item) for item in slot.fields if item.required)
    for inner in scope.scopes:
        if not inner.many:
            yield from required_fields(inner)
