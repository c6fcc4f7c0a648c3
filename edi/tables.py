"""The printed directory of a standard as tables, and the definitions read from them when needed.

A folder holds one version: `sets.txt` (a line "id title" for each set or message, and its structure, indented
by loop: tag or "loop" and id, requirement, maximum, ">1" for no limit), `segments.tsv` (tag or composite id,
name, elements with requirement and a repeat, syntax notes), `elements.tsv` (number, type, shortest, longest,
name) and `codes.tsv` (number, codes). Requirements are M O X, or C, which is how EDIFACT prints O.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from edi.schema import ElementDef, ElementUse, LoopDef, SegmentDef, SegmentUse, SyntaxNote

Children = tuple[SegmentUse | LoopDef, ...]


class Tables:
    """The tables of one folder, split into lines; each definition is built on first use.

    Segments that the folder lacks are those of `beneath`; `normal` is as in `ElementDef`.
    """

    def __init__(self, folder: Path, beneath: Tables | None = None, *, normal: bool = False) -> None:
        self._folder = folder
        self._beneath = beneath
        self._normal = normal
        self._segments: dict[str, SegmentDef] = {}
        self._elements: dict[str, ElementDef] = {}

    @cached_property
    def sets(self) -> dict[str, list[str]]:
        """The lines of each set, the one with its title first."""
        return dict(_blocks((self._folder / "sets.txt").read_text("utf-8").splitlines()))

    @cached_property
    def tags(self) -> frozenset[str]:
        """Every segment there is."""
        beneath = self._beneath.tags if self._beneath else frozenset()
        return beneath.union(key for key in self._uses_of if len(key) < 4)

    @cached_property
    def _uses_of(self) -> dict[str, list[str]]:
        return _by_first_column(self._folder / "segments.tsv")

    @cached_property
    def _described(self) -> dict[str, list[str]]:
        return _by_first_column(self._folder / "elements.tsv")

    @cached_property
    def _codes(self) -> dict[str, list[str]]:
        return _by_first_column(self._folder / "codes.tsv")

    def structure(self, name: str) -> tuple[Children, tuple[SegmentUse, ...]]:
        """The children and the nodes of a set."""
        nodes: list[SegmentUse] = []
        children, _ = self._children(self.sets[name][1:], 0, 1, (), nodes)
        return children, tuple(nodes)

    def _children(
        self, lines: list[str], at: int, depth: int, loops: tuple[str, ...], nodes: list[SegmentUse]
    ) -> tuple[Children, int]:
        """The children written from line `at` on at `depth`, and the line after them."""
        children: list[SegmentUse | LoopDef] = []
        while at < len(lines) and len(lines[at]) - len(lines[at].lstrip()) == 2 * depth:
            words = lines[at].split()
            most = 0 if words[-1] == ">1" else int(words[-1])
            at += 1
            if words[0] == "loop":
                inner, at = self._children(lines, at, depth + 1, (*loops, words[1]), nodes)
                children.append(LoopDef(words[1], _requirement(words[2]), most, inner))
            else:
                first = bool(loops) and not children
                segment = self.segment(words[0])
                use = SegmentUse(segment, _requirement(words[1]), most, len(nodes), loops, first)
                nodes.append(use)
                children.append(use)
        return tuple(children), at

    def segment(self, tag: str) -> SegmentDef:
        built = self._segments.get(tag)
        if built is None:
            if self._beneath and tag not in self._uses_of:
                built = self._beneath.segment(tag)
            else:
                name, uses, notes = self._uses_of[tag]
                built = SegmentDef(tag, name, self._uses(uses), _notes(notes))
            self._segments[tag] = built
        return built

    def _uses(self, text: str) -> tuple[ElementUse, ...]:
        uses = []
        for word in text.split():
            mark = max(word.rfind(letter) for letter in "MOXC")
            repeat = int(word[mark + 1 :] or 1)
            uses.append(ElementUse(self.element(word[:mark]), _requirement(word[mark]), repeat))
        return tuple(uses)

    def element(self, identity: str) -> ElementDef:
        built = self._elements.get(identity)
        if built is None:
            if identity in self._uses_of:
                name, uses, notes = self._uses_of[identity]
                parts = self._uses(uses)
                built = ElementDef(identity, name, "", 0, 0, None, parts, _notes(notes), self._normal)
            else:
                kind, low, high, name = self._described[identity]
                listed = self._codes.get(identity)
                codes = frozenset(listed[0].split(" ")) if listed else None
                built = ElementDef(identity, name, kind, int(low), int(high), codes, normal=self._normal)
            self._elements[identity] = built
        return built


def meanings(path: Path) -> dict[tuple[str, str], str]:
    """The names of codes by element and code, from a table of the three."""
    named = {}
    for line in path.read_text("utf-8").splitlines():
        element, code, name = line.split("\t")
        named[element, code] = name
    return named


def _requirement(letter: str) -> str:
    return "O" if letter == "C" else letter


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
