"""Where each segment of a transaction stands in its set: an automaton over tags, built as it is used.

A state is a path through the definition: for each loop around the segment, which of the loop's children is
current and how often it has occurred. From a path, a tag leads to the nearest place that can hold it: the
same segment again, a later one of the loop, another iteration of the loop, then the same in the loop around
it (X12.6 section 3.9). Steps that break no rule are remembered, so a transaction costs one dictionary look-up
a segment; the tree is searched only for steps never seen before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from edi.elements import RowCheck
from edi.problems import Fault
from edi.schema import LoopDef, SegmentUse, SetDef

_COUNTED = 1000  # larger maximums are left to the exact walk, which transactions that long enough get
_STATES = 20_000  # remembered before starting afresh

Child = SegmentUse | LoopDef


class Frame(NamedTuple):
    """One level of a path: `children[at]` is current and has occurred `uses` times."""

    children: tuple[Child, ...]
    at: int
    uses: int


Path = tuple[Frame, ...]


class Step(NamedTuple):
    """A place a tag can go to; `missing` are mandatory children passed over, `excess` is past its maximum."""

    path: Path
    missing: tuple[Child, ...]
    excess: Child | None


class State:
    """A remembered path: the use it stands on, the states after it by tag, row checks by number of values."""

    __slots__ = ("checks", "index", "next", "path", "use")

    def __init__(self, path: Path, use: SegmentUse | None, checks: dict[int, RowCheck]) -> None:
        self.path = path
        self.use = use
        self.index = use.index if use else -1
        self.next: dict[str, State] = {}
        self.checks = checks


class Misplaced(NamedTuple):
    """A structural fault at row `at` (from 0); `tag` is the segment it is about."""

    fault: Fault
    at: int
    tag: str
    loop: str | None
    message: str


def first_use(child: Child) -> SegmentUse:
    """The segment whose appearance begins `child`."""
    while isinstance(child, LoopDef):
        child = child.children[0]
    return child


def current_use(path: Path) -> SegmentUse:
    """The segment use a path ends on."""
    children, at, _ = path[-1]
    use = children[at]
    assert isinstance(use, SegmentUse)
    return use


def _limit(child: Child) -> int:
    return child.repeat if isinstance(child, LoopDef) else child.max_use


class Structure:
    """The automaton of one set."""

    def __init__(self, definition: SetDef) -> None:
        self.definition = definition
        self.start = State((Frame(definition.children, -1, 0),), None, {})
        self.exact_above = min(
            (_limit(child) for child in _all_children(definition.children) if _limit(child) > _COUNTED),
            default=1 << 62,
        )
        """Transactions of more segments than this must be walked with exact counts."""
        self._states: dict[tuple[tuple[int, int, int], ...], State] = {}
        self._checks: dict[str, dict[int, RowCheck]] = {}

    def step(self, state: State, tag: str) -> State | None:
        """The state after `tag`, or None where no place for it keeps every rule."""
        for step in _steps(state.path, tag):
            if not step.missing and step.excess is None:
                following = self._state(step.path)
                state.next[tag] = following
                return following
        return None

    def _state(self, path: Path) -> State:
        counted = tuple(
            frame if 0 < _limit(frame.children[frame.at]) <= _COUNTED else frame._replace(uses=1)
            for frame in path
        )
        key = tuple((id(children), at, count) for children, at, count in counted)
        state = self._states.get(key)
        if state is None:
            if len(self._states) >= _STATES:
                self._states.clear()
                self.start.next.clear()
            use = current_use(counted)
            state = State(counted, use, self._checks.setdefault(use.segment.tag, {}))
            self._states[key] = state
        return state

    def walk(self, tags: list[str]) -> tuple[list[int | None], list[Misplaced]]:
        """The node index of each segment, None for one that has no place, and everything out of place."""
        path = self.start.path
        places: list[int | None] = []
        faults: list[Misplaced] = []
        for at, tag in enumerate(tags):
            step = min(_steps(path, tag), key=lambda s: (s.excess is not None, len(s.missing)), default=None)
            if step is None:
                places.append(None)
                faults.append(self._stray(at, tag, path))
                continue
            faults += [_missing(child, at) for child in step.missing]
            path = step.path
            use = current_use(path)
            if isinstance(step.excess, LoopDef):
                loop = step.excess
                message = f"loop {loop.id} may occur {loop.repeat} times at most"
                faults.append(Misplaced(Fault.LOOP_TOO_OFTEN, at, tag, loop.id, message))
            elif step.excess is not None:
                message = f"{tag} may occur {use.max_use} times at most here"
                faults.append(Misplaced(Fault.SEGMENT_TOO_OFTEN, at, tag, _loop(use), message))
            places.append(use.index)
        faults += [_missing(child, len(tags) - 1) for child in _unfinished(path)]
        return places, faults

    def _stray(self, at: int, tag: str, path: Path) -> Misplaced:
        loop = _loop(current_use(path)) if path[-1].at >= 0 else None
        if any(use.segment.tag == tag for use in self.definition.nodes):
            fault, why = Fault.SEGMENT_OUT_OF_ORDER, "cannot stand here; it belongs elsewhere in the set"
        elif tag in self.definition.known_tags:
            fault, why = Fault.SEGMENT_NOT_IN_SET, f"is not a segment of set {self.definition.type}"
        else:
            fault, why = Fault.SEGMENT_UNKNOWN, f"is not a segment of version {self.definition.version}"
        return Misplaced(fault, at, tag, loop, f"{tag or 'an empty segment'} {why}")


def _all_children(children: tuple[Child, ...]) -> Iterator[Child]:
    for child in children:
        yield child
        if isinstance(child, LoopDef):
            yield from _all_children(child.children)


def _loop(use: SegmentUse) -> str | None:
    return use.loops[-1] if use.loops else None


def _missing(child: Child, at: int) -> Misplaced:
    use = first_use(child)
    what = f"loop {child.id}" if isinstance(child, LoopDef) else f"segment {use.segment.tag}"
    message = f"mandatory {what} ({use.segment.name}) is missing before this place"
    return Misplaced(Fault.SEGMENT_MISSING, at, use.segment.tag, _loop(use), message)


def _unfinished(path: Path) -> list[Child]:
    return [
        child
        for children, at, _ in reversed(path)
        for child in children[at + 1 :]
        if child.requirement == "M"
    ]


def _steps(path: Path, tag: str) -> Iterator[Step]:
    """Every place `tag` can go to from `path`, nearest first."""
    missing: list[Child] = []
    for depth in range(len(path) - 1, -1, -1):
        outer = path[:depth]
        children, at, count = path[depth]
        if at >= 0:
            child = children[at]
            begins_loop = depth == len(path) - 1 and depth > 0 and at == 0
            if first_use(child).segment.tag == tag and not begins_loop:
                excess = child if 0 < _limit(child) <= count else None
                again = (*outer, Frame(children, at, count + 1))
                yield Step(_entered(again, child), tuple(missing), excess)
        for forward in range(at + 1, len(children)):
            child = children[forward]
            if first_use(child).segment.tag == tag:
                yield Step(_entered((*outer, Frame(children, forward, 1)), child), tuple(missing), None)
            if child.requirement == "M":
                missing.append(child)


def _entered(path: Path, child: Child) -> Path:
    """`path` continued to the first segment of `child`."""
    while isinstance(child, LoopDef):
        path = (*path, Frame(child.children, 0, 1))
        child = child.children[0]
    return path
