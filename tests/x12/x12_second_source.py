"""004010 as a second source has it, in the words of the first: a fact a place.

`x12_second_source.sef` is an excerpt of SoftwareAG/webmethods-b2b-integration-edi-samples, 4010.sef
(Apache-2.0): the sets that are defined here, and all that they use. SEF writes a use as [id,requirement,most]
and a loop as {id:most ...}; "+1" and "^" count positions and areas.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edi.schema import ElementUse, LoopDef, SegmentUse, SetDef, SyntaxNote
from x12 import dictionary

Facts = dict[str, str]

_TOKEN = re.compile(r"\[([^\]]*)\]|\{(\w*)(?::(>?\d+))?|(\})")


def second_source() -> dict[str, dict[str, str]]:
    sections: dict[str, dict[str, str]] = {}
    for line in (Path(__file__).parent / "x12_second_source.sef").read_text().splitlines():
        if line.startswith("."):
            section = sections.setdefault(line, {})
        else:
            key, _, value = line.partition("=")
            section[key] = value
    return sections


def facts_of_second_source() -> Facts:
    sections = second_source()
    facts: Facts = {}
    for name, text in sections[".SETS"].items():
        facts |= _numbered(f"set {name}", _structure(text))
    for tag, text in (sections[".SEGS"] | sections[".COMS"]).items():
        listed, _, notes = text.partition("+")
        for position, (element, requirement) in enumerate(_elements(listed), 1):
            facts[f"segment {tag}{position:02}"] = f"{element} {requirement}"
        facts[f"segment {tag} notes"] = " ".join(sorted(re.findall(r"[PRECL](?:\d\d)+", notes))) or "-"
    for number, text in sections[".ELMS"].items():
        facts[f"element {number}"] = " ".join(text.split(","))
    for number, text in sections[".CODES"].items():
        facts[f"codes {number}"] = " ".join(sorted(code for part in text.split(",") for code in _codes(part)))
    return facts


def facts_of_ours(version: str = "004010") -> Facts:
    sections = second_source()
    facts: Facts = {}
    for name in sections[".SETS"]:
        definition = dictionary.definition(name, version)
        assert definition is not None
        facts |= _numbered(f"set {name}", _our_structure(definition))
    elements = {}
    for tag in sections[".SEGS"]:
        segment = dictionary.segment(tag, version)
        assert segment is not None
        composites = [use.element for use in segment.elements if use.element.components]
        parts = [(tag, segment.elements, segment.notes)]
        parts += [(composite.id, composite.components, composite.notes) for composite in composites]
        for name, uses, notes in parts:
            for position, use in enumerate(uses, 1):
                facts[f"segment {name}{position:02}"] = f"{use.element.id} {_mandatory(use)}"
                elements[use.element.id] = use.element
            facts[f"segment {name} notes"] = _written(notes)
    for number, element in elements.items():
        if not element.components:
            facts[f"element {number}"] = f"{element.type} {element.min} {element.max}"
            if element.codes:
                facts[f"codes {number}"] = " ".join(sorted(element.codes))
    return facts


def differences() -> list[tuple[str, str, str]]:
    """Each place where the sources differ, and what they say there; of a code list what is not in both."""
    ours, theirs = facts_of_ours(), facts_of_second_source()
    found = []
    for place in sorted(ours.keys() | theirs.keys()):
        first, second = ours.get(place, "-"), theirs.get(place, "-")
        if place.startswith("codes ") and "-" not in (first, second):
            one, other = set(first.split()), set(second.split())
            first, second = " ".join(sorted(one - other)) or "-", " ".join(sorted(other - one)) or "-"
        if first != second:
            found.append((place, first, second))
    return found + list(_later_notes())


def _later_notes() -> Iterator[tuple[str, str, str]]:
    """The segments whose syntax notes are others in 005010, which only the first source has."""
    newest = dictionary.VERSIONS[-1]
    for tag in second_source()[".SEGS"]:
        earlier, later = dictionary.segment(tag, "004010"), dictionary.segment(tag, newest)
        if earlier and later and set(earlier.notes) != set(later.notes):
            yield f"{newest} {tag} notes", _written(later.notes), _written(earlier.notes)


def _written(notes: tuple[SyntaxNote, ...]) -> str:
    told = ("".join([note.kind, *(f"{p:02}" for p in note.positions)]) for note in notes)
    return " ".join(sorted(told)) or "-"


def _codes(text: str) -> Iterator[str]:
    """A code, or those of a range such as 104:110."""
    begin, _, end = text.partition(":")
    if not end:
        yield begin
    else:
        yield from (f"{number:0{len(begin)}}" for number in range(int(begin), int(end) + 1))


def _numbered(place: str, lines: Iterator[str]) -> Facts:
    return {f"{place} line {number}": line for number, line in enumerate(lines, 1)}


def _structure(text: str) -> Iterator[str]:
    """A line for each use, in the loops around it, each with its requirement and maximum."""
    around: list[str] = []
    opening: str | None = None
    for use, _, most, closing in _TOKEN.findall(text):
        if closing:
            around.pop()
        elif use:
            tag, requirement, maximum = [*use.split(","), "", ""][:3]
            requirement = "M" if requirement == "M" else "O"
            if opening is not None:
                around.append(f"{tag} {requirement} {opening}")
                opening, requirement = None, "M"
            yield " > ".join([*around, f"{tag} {requirement} {maximum or 1}"])
        else:
            opening = most or "1"


def _our_structure(definition: SetDef) -> Iterator[str]:
    def walk(children: tuple[SegmentUse | LoopDef, ...], around: list[str]) -> Iterator[str]:
        for child in children:
            if isinstance(child, LoopDef):
                yield from walk(
                    child.children, [*around, f"{child.id} {child.requirement} {_most(child.repeat)}"]
                )
            else:
                yield " > ".join([*around, f"{child.segment.tag} {child.requirement} {_most(child.max_use)}"])

    return walk(definition.children, [])


def _most(number: int) -> str:
    return str(number) if number else ">1"


def _elements(text: str) -> Iterator[tuple[str, str]]:
    for count, group, single in re.findall(r"\{(\d+)((?:\[[^\]]*\])+)\}|\[([^\]]*)\]", text):
        for part in re.findall(r"\[([^\]]*)\]", group) * int(count) if count else [single]:
            yield part.split(",")[0], "M" if ",M" in part else "O"


def _mandatory(use: ElementUse) -> str:
    return "M" if use.requirement == "M" else "O"
