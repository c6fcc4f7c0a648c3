"""What a partner's guide asks beyond single segments: how often something is there, and what is in it then.

The rules of a set are followed over the rows of a transaction after the structure of the standard has placed
them. So a guide can only add findings, never take one away. Where a loop is left, what its rules ask for and
has not come is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from edi.elements import Finding, Row, RowCheck, problems_in_row, row_check
from edi.problems import Fault
from edi.schema import Around, Rule, SegmentDef, SetDef, chooses_all
from edi.structure import Misplaced
from edi.tree import Separators


@dataclass(slots=True)
class _Scope:
    """A loop, or the whole set, with the rules that hold directly inside it."""

    around: Around | None
    counts: int = 0  # how many of the rules count
    needed: list[tuple[int, Rule]] = field(
        default_factory=list
    )  # the rules of a minimum, each with its count
    inner: dict[Around, _Scope] = field(default_factory=dict)
    at: dict[int, tuple[list[tuple[int, Rule, SegmentDef | None]], list[_Scope]]] = field(
        default_factory=dict
    )


@dataclass(slots=True)
class _Open:
    """One iteration of a scope, begun at a row, and its counts."""

    scope: _Scope
    first: int  # nodes; for the whole set, none is outside
    last: int
    began: int
    counts: list[int]


class Rules:
    """The rules of a narrowed set, ready to be followed. It may be shared by threads."""

    def __init__(self, definition: SetDef) -> None:
        self._definition = definition
        self._root = _Scope(None)
        self._checks: dict[
            tuple[int, int], RowCheck
        ] = {}  # by the identity of the segment, which lives as long
        for rule in definition.rules:
            if rule.least or rule.most is not None or rule.segments:
                self._add(rule)

    def _add(self, rule: Rule) -> None:
        scope, counts = self._root, rule.least or rule.most
        plain = not counts and chooses_all(rule.within, None)
        for around in () if plain else rule.within:  # one that neither counts nor chooses holds anywhere
            if around not in scope.inner:
                scope.inner[around] = _Scope(around)
                scope.at.setdefault(around.first, ([], []))[1].append(scope.inner[around])
            scope = scope.inner[around]
        number = scope.counts if counts else -1
        if counts:
            scope.counts += 1
        if rule.least:
            scope.needed.append((number, rule))
        for node, segment in zip(rule.nodes, rule.segments or [None] * len(rule.nodes), strict=True):
            scope.at.setdefault(node, ([], []))[0].append((number, rule, segment))

    def hold(self, rows: list[Row], places: Sequence[int]) -> bool:
        """Whether every rule is kept; only for rows that `row_check` can judge."""
        for at, found in self._follow(rows, places):
            if isinstance(found, Misplaced):
                return False
            row = rows[at]
            key = (id(found), len(row))
            check = self._checks.get(key)
            if check is None:
                check = row_check(found, len(row) - 1)
                if len(row) <= len(found.elements) + 1:  # longer is as long as the sender likes
                    self._checks[key] = check
            if not check(row):
                return False
        return True

    def findings(
        self, rows: list[Row], places: Sequence[int | None], separators: Separators
    ) -> Iterator[tuple[int, Misplaced | Finding]]:
        """Everything the rules have to say, with the row it is about."""
        for at, found in self._follow(rows, places):
            if isinstance(found, Misplaced):
                yield at, found
            else:
                for finding in problems_in_row(found, rows[at], separators):
                    yield at, finding

    def _follow(
        self, rows: list[Row], places: Sequence[int | None]
    ) -> Iterator[tuple[int, Misplaced | SegmentDef]]:
        """What is missing or too much, and the narrowed definitions by which a row must be judged as well."""
        low, high = -1, len(self._definition.nodes)  # between which nodes no iteration ends
        opened = [_Open(self._root, low, high, 0, [0] * self._root.counts)]
        for at, place in enumerate(places):
            if place is None:
                continue
            if not low < place <= high:
                for one in [o for o in opened if not o.first < place <= o.last]:
                    opened.remove(one)
                    yield from self._left(one, places, at)
                low, high = max(o.first for o in opened), min(o.last for o in opened)
            for one in tuple(opened):
                met = one.scope.at.get(place)
                if met is None:
                    continue
                for number, rule, segment in met[0]:
                    if rule.qualifier is not None and not rule.qualifier.chooses(rows[at]):
                        continue
                    if number >= 0:
                        one.counts[number] += 1
                    if rule.most is not None and (rule.most == 0 or one.counts[number] > rule.most):
                        yield at, self._excess(rule, place, at)
                    elif segment is not None:
                        yield at, segment
                for scope in met[1]:
                    assert scope.around is not None
                    first, last, qualifier = scope.around
                    if qualifier is None or qualifier.chooses(rows[at]):
                        opened.append(_Open(scope, first, last, at, [0] * scope.counts))
                        low, high = max(low, first), min(high, last)
        while opened:
            yield from self._left(opened.pop(), places, max(len(rows) - 1, 0))

    def _excess(self, rule: Rule, place: int, at: int) -> Misplaced:
        use = self._definition.nodes[place]
        loop = use.loops[-1] if use.loops else None
        what = f"{'loop ' if rule.is_loop else ''}{rule.name} ({use.segment.name})"
        if rule.most == 0:
            return Misplaced(Fault.SEGMENT_NOT_USED, at, use.segment.tag, loop, f"{what} is not used")
        fault = Fault.LOOP_TOO_OFTEN if rule.is_loop else Fault.SEGMENT_TOO_OFTEN
        return Misplaced(fault, at, use.segment.tag, loop, f"{what} may occur {rule.most} times at most")

    def _left(
        self, one: _Open, places: Sequence[int | None], end: int
    ) -> Iterator[tuple[int, Misplaced | SegmentDef]]:
        """What had to be in an iteration that ended before row `end`, told where it can come no more."""
        for number, rule in one.scope.needed:
            count = one.counts[number]
            if count < rule.least:
                later = (
                    at
                    for at in range(one.began, end)
                    if (place := places[at]) is not None and place > rule.last
                )
                use = self._definition.nodes[rule.nodes[0]]
                loop = use.loops[-1] if use.loops else None
                what = f"{'loop' if rule.is_loop else 'segment'} {rule.name} ({use.segment.name})"
                at = next(later, end)
                message = f"mandatory {what} is missing before this place"
                if rule.least > 1:
                    message = f"{what} must occur {rule.least} times before this place, it does {count} times"
                yield at, Misplaced(Fault.SEGMENT_MISSING, at, use.segment.tag, loop, message)
