"""D.96A, and the service segments, as second sources have them, in the words of the first: a fact a place.

`edifact_second_source.sef` is an excerpt of SoftwareAG/webmethods-b2b-integration-edi-samples, 96A.SEF
(Apache-2.0, its text in x12/facts): the messages that are defined here, and all that they use. SEF writes a
use as [id,requirement,most], a group as {:most ...} and what is repeated as {number[id]}; "^" separates
sections. A group is mandatory where its first segment is.

`edifact_service_3.xml` and `edifact_service_4.xml` are xlate/staedi, EDIFACT_v3.xml and EDIFACT_v4.xml
(Apache-2.0), without the code lists of messages and releases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from edi.edifact import directory
from edi.schema import ElementUse, LoopDef, SegmentDef, SegmentUse, SetDef

Facts = dict[str, str]

HERE = Path(__file__).parent
_TOKEN = re.compile(r"\[([^\]]*)\]|\{:(\d+)|(\})")
_USES = re.compile(r"\{(\d+)((?:\[[^\]]*\])+)\}|\[([^\]]*)\]")
_TYPES = {"string": "an", "identifier": "an", "decimal": "n"}


@cache
def second_source() -> dict[str, dict[str, str]]:
    sections: dict[str, dict[str, str]] = {}
    for line in (HERE / "edifact_second_source.sef").read_text().splitlines():
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
        facts |= _numbered(f"message {name}", _structure(text))
    for identity, text in (sections[".SEGS"] | sections[".COMS"]).items():
        for position, use in enumerate(_elements(text), 1):
            facts[f"segment {identity}{position:02}"] = use
    for number, text in sections[".ELMS"].items():
        kind, low, high = text.split(",")
        facts[f"element {number}"] = f"{kind.lower()} {low} {high}"
    for number, text in sections[".CODES"].items():
        facts[f"codes {number}"] = " ".join(sorted(text.split(",")))
    return facts


def facts_of_ours() -> Facts:
    sections = second_source()
    facts: Facts = {}
    for name in sections[".SETS"]:
        definition = directory.definition(name, "D.96A")
        assert definition is not None
        facts |= _numbered(f"message {name}", _our_structure(definition))
    for tag in sections[".SEGS"]:
        segment = directory.service(tag, "3") or directory.segment(tag, "D.96A")
        assert segment is not None
        facts |= _of_segment(segment)
    return facts


def differences() -> list[tuple[str, str, str]]:
    """Each place where the sources differ, and what they say there; of a code list what is not in both."""
    return list(_differences(facts_of_ours(), facts_of_second_source()))


def service_differences(syntax_version: str) -> list[tuple[str, str, str]]:
    """The same of the service segments, in the places that the second source has."""
    ours: Facts = {}
    theirs = _schema(HERE / f"edifact_service_{syntax_version}.xml")
    for tag in {place.split()[1][:3] for place in theirs if place.startswith("segment UN")}:
        segment = directory.service(tag, syntax_version)
        assert segment is not None
        ours |= _of_segment(segment)
    return list(_differences(ours, theirs))


def _differences(ours: Facts, theirs: Facts) -> Iterator[tuple[str, str, str]]:
    for place in sorted(ours.keys() | theirs.keys()):
        first, second = ours.get(place, "-"), theirs.get(place, "-")
        if place.startswith("codes ") and "-" not in (first, second):
            one, other = set(first.split()), set(second.split())
            first, second = " ".join(sorted(one - other)) or "-", " ".join(sorted(other - one)) or "-"
        if first != second:
            yield place, first, second


def _of_segment(segment: SegmentDef) -> Facts:
    facts: Facts = {}
    composites = [use.element for use in segment.elements if use.element.components]
    parts = [(segment.tag, segment.elements), *((c.id, c.components) for c in composites)]
    for name, uses in parts:
        for position, use in enumerate(uses, 1):
            facts[f"segment {name}{position:02}"] = f"{use.element.id} {_status(use)}"
            element = use.element
            if not element.components:
                facts[f"element {element.id}"] = f"{element.type} {element.min} {element.max}"
                if element.codes:
                    facts[f"codes {element.id}"] = " ".join(sorted(element.codes))
    return facts


def _status(use: ElementUse | SegmentUse | LoopDef) -> str:
    return "M" if use.requirement == "M" else "C"


def _numbered(place: str, lines: Iterator[str]) -> Facts:
    return {f"{place} line {number}": line for number, line in enumerate(lines, 1)}


def _structure(text: str) -> Iterator[str]:
    """A line for each use, in the groups around it, each with its status and maximum."""
    around: list[str] = []
    opening = ""
    for use, most, closing in _TOKEN.findall(text):
        if closing:
            around.pop()
        elif use:
            tag, status, maximum = [*use.split(","), "", ""][:3]
            status = status or "C"
            if opening:
                around.append(f"{tag} {status} {opening}")
                opening, status = "", "M"
            yield " > ".join([*around, f"{tag} {status} {maximum or 1}"])
        else:
            opening = most


def _our_structure(definition: SetDef) -> Iterator[str]:
    def walk(children: tuple[SegmentUse | LoopDef, ...], around: list[str]) -> Iterator[str]:
        for child in children:
            if isinstance(child, LoopDef):
                trigger = child.children[0]
                assert isinstance(trigger, SegmentUse)
                group = f"{trigger.segment.tag} {_status(child)} {child.repeat}"
                yield from walk(child.children, [*around, group])
            else:
                yield " > ".join([*around, f"{child.segment.tag} {_status(child)} {child.max_use}"])

    return walk(definition.children, [])


def _elements(text: str) -> Iterator[str]:
    for count, group, single in _USES.findall(text):
        for part in re.findall(r"\[([^\]]*)\]", group) * int(count) if count else [single]:
            identity, _, status = part.partition(",")
            yield f"{identity} {status or 'C'}"


def _schema(path: Path) -> Facts:
    facts: Facts = {}
    root = ElementTree.parse(path).getroot()
    space = root.tag.partition("}")[0] + "}"
    for kind in root.iter(f"{space}elementType"):
        number = kind.get("name", "")[2:]
        low, high = kind.get("minLength", "1"), kind.get("maxLength", "1")
        facts[f"element {number}"] = f"{_TYPES[kind.get('base', '')]} {low} {high}"
        if codes := " ".join(sorted(value.text or "" for value in kind.iter(f"{space}value"))):
            facts[f"codes {number}"] = codes
    for kind in [*root.iter(f"{space}compositeType"), *root.iter(f"{space}segmentType")]:
        name = kind.get("name", "").removeprefix("CE")
        for position, use in enumerate(kind.find(f"{space}sequence") or (), 1):
            identity = use.get("type", "").removeprefix("DE").removeprefix("CE")
            status = "M" if use.get("minOccurs") == "1" else "C"
            facts[f"segment {name}{position:02}"] = f"{identity} {status}"
    return facts
