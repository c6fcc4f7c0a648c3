"""The X12 transaction sets, segments, elements and code lists, read from the tables in `facts/` when needed.

One folder per version: `sets.txt` (structure, indented by loop: id, requirement, maximum, ">1" for no limit),
`segments.tsv` (tag or composite id, name, elements with M O X and a repeat, syntax notes), `elements.tsv`
(number, type, shortest, longest, name) and `codes.tsv` (number, codes). `meanings.tsv` names the codes. The
tables are derived by `facts/derive.py` from the sources whose licences lie beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, cached_property, lru_cache
from pathlib import Path

from edi.schema import ElementDef, ElementUse, LoopDef, SegmentDef, SegmentUse, SetDef, SyntaxNote, Total

VERSIONS = ("004010", "005010")
_FACTS = Path(__file__).parent / "facts"
_SET_ID_LENGTH = 3

# CTT01 counts the detail lines and CTT02 adds up their quantities; the warehouse sets total in W76, W03, W14.
_TOTALS = {
    "810": (Total("CTT", 1, "IT1"), Total("CTT", 2, "IT1", 2)),
    "846": (Total("CTT", 1, "LIN"),),
    "850": (Total("CTT", 1, "PO1"), Total("CTT", 2, "PO1", 2)),
    "855": (Total("CTT", 1, "PO1"), Total("CTT", 2, "PO1", 2)),
    "856": (Total("CTT", 1, "HL"), Total("CTT", 2, "SN1", 2)),
    "860": (Total("CTT", 1, "POC"),),
    "865": (Total("CTT", 1, "POC"),),
    "940": (Total("W76", 1, "W01", 1),),
    "943": (Total("W03", 1, "W04", 1),),
    "944": (Total("W14", 1, "W07", 1),),
    "945": (Total("W03", 1, "W12", 3),),
}


def base_version(version: str) -> str | None:
    """The version whose tables govern a GS08 or ST03 such as 004010VICS; None where there are none."""
    return version[:6] if version[:6] in VERSIONS else None


def sets(version: str) -> tuple[str, ...]:
    """The ids of the sets defined in `version` ("004010"), and of those defined only in a later one."""
    later = VERSIONS[VERSIONS.index(version) :]
    return tuple(sorted({transaction_set for known in later for transaction_set in _version(known).sets}))


def functional_id(transaction_set: str) -> str | None:
    """The GS01 of the groups that carry a set, e.g. "PO" for the 850."""
    return _functional_id(transaction_set) if len(transaction_set) == _SET_ID_LENGTH else None


@lru_cache(maxsize=256)
def _functional_id(transaction_set: str) -> str | None:
    for version in reversed(VERSIONS):
        if lines := _version(version).sets.get(transaction_set):
            return lines[0].split(" ", 2)[1]
    return None


@cache
def functional_ids() -> frozenset[str]:
    """Every GS01 there is."""
    return frozenset().union(*(_version(version).element("479").codes or () for version in VERSIONS))


def definition(transaction_set: str, version: str) -> SetDef | None:
    """A set in a version ("004010" or a GS08 that begins so), or None where it is not defined.

    Partners use sets in versions older than the set (753 in 004010): such a one is as it was first published.
    """
    base = base_version(version)
    for known in VERSIONS[VERSIONS.index(base) :] if base else ():
        if transaction_set in _version(known).sets:
            return _version(base).definition(transaction_set, _version(known))
    return None


def segment(tag: str, version: str) -> SegmentDef | None:
    """A segment of any set of a version, or of its envelope; None where there is no such one."""
    base = base_version(version)
    return _version(base).segment(tag) if base and tag in _version(base).segments else None


def meaning(element: str, code: str) -> str | None:
    """What a code of an element stands for, where it has a short name."""
    return _meanings().get((element, code))


@cache
def _meanings() -> dict[tuple[str, str], str]:
    named = {}
    for line in (_FACTS / "meanings.tsv").read_text("utf-8").splitlines():
        element, code, name = line.split("\t")
        named[element, code] = name
    return named


@cache
def _version(version: str) -> _Version:
    return _Version(version)


class _Version:
    """The tables of one version, split into lines; definitions are built on first use."""

    def __init__(self, version: str) -> None:
        self.version = version
        self._folder = _FACTS / version
        self._definitions: dict[str, SetDef] = {}
        self._segments: dict[str, SegmentDef] = {}
        self._elements: dict[str, ElementDef] = {}

    @cached_property
    def sets(self) -> dict[str, list[str]]:
        return dict(_blocks((self._folder / "sets.txt").read_text("utf-8").splitlines()))

    @cached_property
    def segments(self) -> dict[str, list[str]]:
        return _by_first_column(self._folder / "segments.tsv")

    @cached_property
    def elements(self) -> dict[str, list[str]]:
        return _by_first_column(self._folder / "elements.tsv")

    @cached_property
    def codes(self) -> dict[str, list[str]]:
        return _by_first_column(self._folder / "codes.tsv")

    def definition(self, transaction_set: str, first: _Version) -> SetDef:
        """A set of this version, or of the `first` that has it, in its segments."""
        built = self._definitions.get(transaction_set)
        if built is None and first is not self:
            built = replace(first.definition(transaction_set, first), version=self.version)
            self._definitions[transaction_set] = built
        elif built is None:
            header, *lines = self.sets[transaction_set]
            _, group, name = header.split(" ", 2)
            nodes: list[SegmentUse] = []
            children, _ = self._children(lines, 0, 1, (), nodes)
            built = SetDef(
                transaction_set,
                self.version,
                name,
                group,
                children,
                tuple(nodes),
                _TOTALS.get(transaction_set, ()),
                frozenset(self.segments),
            )
            self._definitions[transaction_set] = built
        return built

    def _children(
        self, lines: list[str], at: int, depth: int, loops: tuple[str, ...], nodes: list[SegmentUse]
    ) -> tuple[tuple[SegmentUse | LoopDef, ...], int]:
        """The children written from line `at` on at `depth`, and the line after them."""
        children: list[SegmentUse | LoopDef] = []
        while at < len(lines) and len(lines[at]) - len(lines[at].lstrip()) == 2 * depth:
            words = lines[at].split()
            most = 0 if words[-1] == ">1" else int(words[-1])
            at += 1
            if words[0] == "loop":
                inner, at = self._children(lines, at, depth + 1, (*loops, words[1]), nodes)
                children.append(LoopDef(words[1], words[2], most, inner))
            else:
                first = bool(loops) and not children
                use = SegmentUse(self.segment(words[0]), words[1], most, len(nodes), loops, first)
                nodes.append(use)
                children.append(use)
        return tuple(children), at

    def segment(self, tag: str) -> SegmentDef:
        built = self._segments.get(tag)
        if built is None:
            name, uses, notes = self.segments[tag]
            built = SegmentDef(tag, name, self._uses(uses), _notes(notes))
            self._segments[tag] = built
        return built

    def _uses(self, text: str) -> tuple[ElementUse, ...]:
        uses = []
        for word in text.split():
            mark = max(word.rfind("M"), word.rfind("O"), word.rfind("X"))
            repeat = int(word[mark + 1 :] or 1)
            uses.append(ElementUse(self.element(word[:mark]), word[mark], repeat))
        return tuple(uses)

    def element(self, identity: str) -> ElementDef:
        built = self._elements.get(identity)
        if built is None:
            if identity in self.segments:
                name, uses, notes = self.segments[identity]
                built = ElementDef(identity, name, "", 0, 0, None, self._uses(uses), _notes(notes))
            else:
                kind, low, high, name = self.elements[identity]
                listed = self.codes.get(identity)
                codes = frozenset(listed[0].split(" ")) if listed else None
                built = ElementDef(identity, name, kind, int(low), int(high), codes)
            self._elements[identity] = built
        return built


def _blocks(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Each unindented line and the indented ones after it, by its first word."""
    start = 0
    for at in range(1, len(lines) + 1):
        if at == len(lines) or lines[at][0] != " ":
            yield lines[start].split(" ", 1)[0], lines[start:at]
            start = at


def _by_first_column(path: Path) -> dict[str, list[str]]:
    rows = (line.split("\t") for line in path.read_text("utf-8").splitlines())
    return {first: rest for first, *rest in rows}


def _notes(text: str) -> tuple[SyntaxNote, ...]:
    return tuple(map(SyntaxNote.spelled, text.split()))
