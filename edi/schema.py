"""How a transaction set is defined.

A `SetDef` reads like the printed guide: areas of segment uses and loops, in order. `nodes` is the flat list
of its segment uses; a *placement* is one node index per segment of a transaction, and is how the checker
tells the maps in which loop each segment stands. A segment placed on the first node of a loop begins a new
iteration of that loop. `edi.checker` compiles these values into functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from edi.problems import Problem
from edi.tree import NORMAL


@dataclass(frozen=True, slots=True)
class ElementDef:
    """A data element: `type` is AN ID DT TM R N0..N9 B (X12), an n a (EDIFACT); lengths in characters."""

    id: str
    name: str
    type: str
    min: int
    max: int
    codes: frozenset[str] | None = None
    components: tuple[ElementUse, ...] = ()  # a composite when not empty
    notes: tuple[SyntaxNote, ...] = ()  # of a composite, on its components
    normal: bool = False  # rows have it in normal form (`edi.tree.NORMAL`), as those of EDIFACT do


class ElementUse(NamedTuple):
    """An element at its place in a segment or composite.

    `requirement` is M, O or X (X12.6: conditional); N where a partner's guide does not use it.
    """

    element: ElementDef
    requirement: str
    repeat: int = 1


class SyntaxNote(NamedTuple):
    """P paired, R one required, E only one, C conditional, L list conditional (X12.6 3.5); from 1."""

    kind: str
    positions: tuple[int, ...]

    def __str__(self) -> str:
        """As standards print it: P0304."""
        return self.kind + "".join(f"{position:02}" for position in self.positions)

    @classmethod
    def spelled(cls, text: str) -> Self:
        """The note printed as `text`."""
        return cls(text[0], tuple(int(text[at : at + 2]) for at in range(1, len(text), 2)))


@dataclass(frozen=True, slots=True)
class SegmentDef:
    """A segment and its elements in order."""

    tag: str
    name: str
    elements: tuple[ElementUse, ...]
    notes: tuple[SyntaxNote, ...] = ()


@dataclass(frozen=True, slots=True)
class SegmentUse:
    """A segment at its place in a set; `index` is its number in `SetDef.nodes`, `loops` the ids around it."""

    segment: SegmentDef
    requirement: str
    max_use: int  # 0 = unbounded
    index: int
    loops: tuple[str, ...]  # outermost first, e.g. ("PO1", "N1")
    first: bool  # begins an iteration of its innermost loop


@dataclass(frozen=True, slots=True)
class LoopDef:
    """A loop: its first child is a SegmentUse, whose appearance begins an iteration.

    Its id is the tag of that segment in X12, and the number of the segment group, "SG25", in EDIFACT.
    """

    id: str
    requirement: str
    repeat: int  # 0 = unbounded
    children: tuple[SegmentUse | LoopDef, ...]

    @property
    def tag(self) -> str:
        """The tag of the segment that begins it, by which maps name it."""
        first = self.children[0]
        return first.segment.tag if isinstance(first, SegmentUse) else first.tag


class Total(NamedTuple):
    """A control total: element `element` of `segment` repeats a fact about the `of` segments.

    Their number where `sums` is None, else the sum of their element `sums`. A wrong number rejects; a wrong
    sum is a warning, as senders differ in what they add up.

    In EDIFACT the element is a composite (C270) whose first component must be `code` and whose second is the
    total. The second component of `sums` is added up, of the `of` segments whose element 1 begins with one of
    the qualifiers `chosen` and which stand in the loop that segment `beside` begins, not in one inside it;
    where there is none of them, nothing can be wrong.
    """

    segment: str
    element: int
    of: str
    sums: int | None = None
    code: str = ""
    chosen: tuple[str, ...] = ()
    beside: str = ""


class Qualifier(NamedTuple):
    """Which of several segments: those whose `element`, or its `component` if it has some, is in `codes`."""

    element: int
    codes: tuple[str, ...]
    component: int = 1

    def chooses(self, row: Sequence[str | tuple[str, ...]]) -> bool:
        """Whether a split segment is one of them; its composites are tuples, or in normal form."""
        if len(row) <= self.element:
            return False
        value = row[self.element]
        if not isinstance(value, tuple) and (NORMAL.component in value or self.component > 1):
            value = tuple(value.split(NORMAL.component))
        if isinstance(value, tuple):
            value = value[self.component - 1] if self.component <= len(value) else ""
        return value in self.codes


class Around(NamedTuple):
    """A loop around what a rule is about: its nodes from first to last, and which of its iterations."""

    first: int
    last: int
    qualifier: Qualifier | None


def chooses_all(within: tuple[Around, ...], qualifier: Qualifier | None) -> bool:
    """Whether no qualifier chooses among segments at a place, nor among the iterations around it."""
    return qualifier is None and all(around.qualifier is None for around in within)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a partner's guide asks of a segment, or of the loop that it begins, wherever it is one of `nodes`.

    It holds in each iteration of the loops in `within`, outermost first, and for the segments that
    `qualifier` chooses. `segments` are narrowed definitions of theirs, one for each of `nodes`, or none.
    """

    name: str  # its reference designator, as in the guide: N1[ST]>N4
    within: tuple[Around, ...]
    nodes: tuple[int, ...]
    last: int  # node after which it can come no more
    is_loop: bool
    qualifier: Qualifier | None = None
    least: int = 0
    most: int | None = None  # 0 = not used; None = as the standard says
    segments: tuple[SegmentDef, ...] = ()
    remarks: tuple[tuple[int, str], ...] = ()  # for the reader: of an element, or 0 for the whole

    @property
    def everywhere(self) -> bool:
        """Whether it is about all segments at its nodes."""
        return chooses_all(self.within, self.qualifier)


@dataclass(frozen=True, slots=True)
class SetDef:
    """A set or message in one version: as the standard has it, or narrowed by a partner's guide."""

    type: str
    version: str
    name: str
    functional_id: str
    children: tuple[SegmentUse | LoopDef, ...]
    nodes: tuple[SegmentUse, ...]
    totals: tuple[Total, ...] = ()
    known_tags: frozenset[str] = frozenset()  # every segment of the version, to tell unknown from misplaced
    standard: SetDef | None = None  # what a guide has narrowed, node by node; its structure is this one's
    guide: str = ""  # whose guide has narrowed it
    rules: tuple[Rule, ...] = ()
    check_digits: bool = False  # whether those of GTIN, UPC, GLN and SSCC are looked at


@dataclass(eq=False, slots=True)
class Run:
    """A sequence of segments that the checker has met before; there is one value of each.

    Its rows stand at `nodes` and have `lengths` values, the tag included. `check` is true where all of them
    are well formed. Runs begin where the chief loop of a set does: a line, a level, a carton.
    """

    nodes: tuple[int, ...]
    lengths: tuple[int, ...]
    segments: tuple[SegmentDef, ...]
    check: Callable[[list[list[str]]], bool]


RunReader = Callable[[list[list[str]], str], Any]
"""The value of a run's rows, given the component separator; None where one may not be well formed."""


class Check(NamedTuple):
    """What checking one transaction gives.

    `rows` are its segments split at the element separator (row[0] is the tag), ready for a map; `places` one
    node index per row, or None where the structure could not be followed to the end. `runs` divide the rows
    of a transaction in which nothing was doubted, in order, and `values` are what the readers that the check
    was given have made of each. `followed` is for whoever shows the transaction: `places` with None for a row
    that has none, empty where the set is not defined.
    """

    status: str  # accepted | accepted_with_errors | rejected
    problems: tuple[Problem, ...]
    rows: list[list[str]]
    places: tuple[int, ...] | None
    runs: tuple[Run, ...] = ()
    values: tuple[Any, ...] = ()
    followed: tuple[int | None, ...] = ()
