"""Where each segment of a transaction stands in its set: an automaton over tags, built as it is used.

A state is a path through the definition: for each loop around the segment, which of the loop's children is
current and how often it has occurred. From a path, a tag leads to the nearest place that can hold it: the
same segment again, a later one of the loop, another iteration of the loop, then the same in the loop around
it (X12.6 section 3.9). Steps that break no rule are remembered, together with the number of values a segment
had, as a trace; so a transaction costs two dictionary look-ups a segment, and the tree is searched only for
steps never seen before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from edi.elements import Row, RowCheck, row_check, rows_check
from edi.problems import Fault
from edi.schema import LoopDef, Run, SegmentUse, SetDef
from edi.tree import readable

_COUNTED = 1000  # larger maximums are left to the exact walk, which transactions that long enough get
_STATES = 20_000  # remembered before starting afresh; first rows of runs likewise
_TRACES = 4_000  # rows of runs remembered; beyond them each row is a run of its own
_LONGEST = 40  # rows of a run
_OFTEN = 8  # times a run is met before one expression is made for all of its rows
_EXPRESSIONS = 500  # made for the runs of one set
_FAULTS = 1000  # after which a walk ends

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
    """A remembered path: the use it stands on, and the states after it by tag.

    `next` has those that break no rule, `nearest` also those that do, with the step.
    """

    __slots__ = ("nearest", "next", "path", "use")

    def __init__(self, path: Path, use: SegmentUse | None) -> None:
        self.path = path
        self.use = use
        self.next: dict[str, State] = {}
        self.nearest: dict[str, tuple[Step, State] | None] = {}


class Trace:
    """The rows of a run up to one of them: what is known after rows like these.

    `next[tag][number of values]` is the trace with the following row, which may be the first of the next run.
    """

    __slots__ = ("begins", "lengths", "next", "run", "state", "uses")

    def __init__(
        self, state: State, uses: tuple[SegmentUse, ...], lengths: tuple[int, ...], *, begins: bool
    ) -> None:
        self.state = state
        self.uses = uses
        self.lengths = lengths
        self.begins = begins  # a run, with its latest row
        self.next: dict[str, dict[int, Trace]] = {}
        self.run: Run | None = None  # made once the next row has begun another


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
        self.exact_above = min(
            (_limit(child) for child in _all_children(definition.children) if _limit(child) > _COUNTED),
            default=1 << 62,
        )
        """Transactions of more segments than this must be walked with exact counts."""
        self._breaks = _breaks(definition)
        self._tags = frozenset(use.segment.tag for use in definition.nodes)
        self._checks: dict[
            int, dict[int, RowCheck]
        ] = {}  # by the identity of the segment, which lives as long
        self._expressions = 0
        self._forget()

    def follow(self, trace: Trace, tag: str, length: int) -> Trace | None:
        """The trace after a row of `length` values, or None where no place for it keeps every rule."""
        state = trace.state.next.get(tag) or self._step(trace.state, tag)
        if state is None:
            return None
        assert state.use is not None
        odd = length > len(state.use.segment.elements) + 1
        if trace.uses and (
            odd
            or tag in self._breaks
            or self._traces >= _TRACES
            or len(trace.uses) >= _LONGEST
            or trace.lengths[-1] > len(trace.uses[-1].segment.elements) + 1
        ):
            following = self._begun.get((state, length)) or Trace(state, (state.use,), (length,), begins=True)
            if odd:
                return following  # as long as the sender likes: not remembered
            self._begun[state, length] = following
        else:
            following = Trace(state, (*trace.uses, state.use), (*trace.lengths, length), begins=False)
            self._traces += 1
        trace.next.setdefault(tag, {})[length] = following
        return following

    def run(self, trace: Trace) -> Run:
        """The run that ends with `trace`."""
        if trace.run is None:
            key = (tuple(use.index for use in trace.uses), trace.lengths)
            segments = tuple(use.segment for use in trace.uses)
            trace.run = self._runs.get(key) or Run(*key, segments, check=_doubted)
            if trace.run.check is _doubted:
                trace.run.check = self._one_by_one(trace.run, trace.uses)
            if len(self._runs) < _STATES:
                self._runs[key] = trace.run
        return trace.run

    def _one_by_one(self, run: Run, uses: tuple[SegmentUse, ...]) -> Callable[[list[Row]], bool]:
        """The check of a run's rows each by itself, which is replaced when it has been asked often."""
        checks = [self._row_check(use, length) for use, length in zip(uses, run.lengths, strict=True)]
        met = 0

        def check(rows: list[Row]) -> bool:
            nonlocal met
            met += 1
            if met == _OFTEN and self._expressions < _EXPRESSIONS:
                self._expressions += 1
                run.check = rows_check(run.segments, [length - 1 for length in run.lengths])
            return all(check(row) for check, row in zip(checks, rows, strict=True))

        return check

    def _row_check(self, use: SegmentUse, length: int) -> RowCheck:
        checks = self._checks.setdefault(id(use.segment), {})
        check = checks.get(length) or row_check(use.segment, length - 1)
        if length <= len(use.segment.elements) + 1:
            checks[length] = check
        return check

    def _step(self, state: State, tag: str) -> State | None:
        """The state after `tag`, or None where no place for it keeps every rule."""
        if tag in self._tags and tag not in state.nearest:
            self._remember(state, tag)
        return state.next.get(tag)

    def _state(self, path: Path) -> State:
        counted = tuple(
            frame if 0 < _limit(frame.children[frame.at]) <= _COUNTED else frame._replace(uses=1)
            for frame in path
        )
        key = tuple((id(children), at, count) for children, at, count in counted)
        state = self._states.get(key)
        if state is None:
            if len(self._states) >= _STATES or len(self._begun) >= _STATES:
                self._forget()
            state = State(counted, current_use(counted))
            self._states[key] = state
        return state

    def _forget(self) -> None:
        self._states: dict[tuple[tuple[int, int, int], ...], State] = {}
        self._begun: dict[tuple[State, int], Trace] = {}
        self._runs: dict[tuple[tuple[int, ...], tuple[int, ...]], Run] = {}
        self._traces = 0
        self._nearest_known = 0
        self.start = Trace(State((Frame(self.definition.children, -1, 0),), None), (), (), begins=False)

    def walk(self, tags: list[str], *, remembering: bool = False) -> tuple[list[int | None], list[Misplaced]]:
        """The node index of each segment, None for one that has no place, and everything out of place.

        The walk ends at the thousandth fault; what follows it has no place. One of not more segments than
        `exact_above` may be by steps remembered from others.
        """
        state = self.start.state
        path = state.path
        places: list[int | None] = []
        faults: list[Misplaced] = []
        for at, tag in enumerate(tags):
            if len(faults) >= _FAULTS:
                return [*places, *[None] * (len(tags) - at)], faults
            if tag not in self._tags:
                step = None
            elif not remembering:
                step = _nearest(path, tag)
            else:
                try:
                    known = state.nearest[tag]
                except KeyError:
                    known = self._remember(state, tag)
                step, state = known or (None, state)
            if step is None:
                places.append(None)
                faults.append(self._stray(at, tag, path))
                continue
            path = step.path
            use = current_use(path)
            places.append(use.index)
            if not step.missing and step.excess is None:
                continue
            faults += [_missing(child, at) for child in step.missing]
            if isinstance(step.excess, LoopDef):
                loop = step.excess
                message = f"loop {loop.id} may occur {loop.repeat} times at most"
                faults.append(Misplaced(Fault.LOOP_TOO_OFTEN, at, tag, loop.id, message))
            elif step.excess is not None:
                message = f"{tag} may occur {use.max_use} times at most here"
                faults.append(Misplaced(Fault.SEGMENT_TOO_OFTEN, at, tag, _loop(use), message))
        faults += [_missing(child, len(tags) - 1) for child in _unfinished(path)]
        return places, faults

    def _remember(self, state: State, tag: str) -> tuple[Step, State] | None:
        """The nearest step from a state, and the state after it."""
        step = _nearest(state.path, tag)
        known = None if step is None else (step, self._state(step.path))
        if known and step and not step.missing and step.excess is None:
            state.next[tag] = known[1]
        if self._nearest_known < _STATES:
            self._nearest_known += 1
            state.nearest[tag] = known
        return known

    def holds(self, use: SegmentUse, row: Row) -> bool:
        """Whether a row at a place is well formed, as far as its single values show; False on any doubt."""
        return self._row_check(use, len(row))(row)

    def _stray(self, at: int, tag: str, path: Path) -> Misplaced:
        loop = _loop(current_use(path)) if path[-1].at >= 0 else None
        if tag in self._tags:
            fault, why = Fault.SEGMENT_OUT_OF_ORDER, "cannot stand here; it belongs elsewhere in the set"
        elif tag in self.definition.known_tags:
            fault, why = Fault.SEGMENT_NOT_IN_SET, f"is not a segment of set {self.definition.type}"
        else:
            fault, why = Fault.SEGMENT_UNKNOWN, f"is not a segment of version {self.definition.version}"
        return Misplaced(fault, at, tag, loop, f"{readable(tag) or 'an empty segment'} {why}")


def _doubted(rows: list[Row]) -> bool:
    return False


def _breaks(definition: SetDef) -> frozenset[str]:
    """The tags with which runs begin: of the loop that fills most of such a set, and of what follows it."""
    tags = Counter(use.segment.tag for use in definition.nodes)
    loops = [
        child
        for child in definition.children
        if isinstance(child, LoopDef) and child.repeat != 1 and tags[first_use(child).segment.tag] == 1
    ]
    if not loops:
        return frozenset()
    chief = max(loops, key=lambda loop: sum(1 for _ in _all_children((loop,))))
    begin = definition.children.index(chief)
    following = (first_use(child).segment.tag for child in definition.children[begin:])
    return frozenset(tag for tag in following if tags[tag] == 1)


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


def _nearest(path: Path, tag: str) -> Step | None:
    """Where `tag` goes from `path`: to the nearest place that breaks the fewest rules."""
    nearest, fewest = None, (True, 1 << 30)
    for step in _steps(path, tag):
        broken = (step.excess is not None, len(step.missing))
        if broken < fewest:
            nearest, fewest = step, broken
            if broken == (False, 0):
                break
    return nearest


def _entered(path: Path, child: Child) -> Path:
    """`path` continued to the first segment of `child`."""
    while isinstance(child, LoopDef):
        path = (*path, Frame(child.children, 0, 1))
        child = child.children[0]
    return path
