"""The standard as it is known here, to be read beside a printed guide: a set, or a segment with its codes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from gateway.cli import output
from gateway.cli.output import Command
from gateway.errors import Code, Failure

if TYPE_CHECKING:
    from edi.schema import ElementDef, ElementUse, LoopDef, SegmentDef, SegmentUse, SetDef
    from gateway.edi import Syntax

_WIDTH = 100
_FEW, _MANY = 12, 60  # codes told with their meaning, and told at all
_VERSION = click.option(
    "--version", help="Of X12 004010 or 005010; of EDIFACT D.96A or D.01B. The first where none is told."
)


@click.command("set", cls=Command, short_help="A set as the standard has it: segments, loops, how often.")
@click.argument("type", metavar="SET")
@_VERSION
def set_(type: str, version: str | None) -> None:
    """The segments and loops of a set in order, each with whether it must be there and how often it may.

    SET is a set of X12, such as 850, or a message of EDIFACT, such as ORDERS.
    """
    from gateway import edi

    type = type.upper()
    syntax = edi.of_type(type)
    version = version or syntax.VERSIONS[0]
    definition = syntax.definition(type, version)
    if definition is None:
        known = ", ".join(syntax.sets(syntax.base_version(version) or syntax.VERSIONS[0]))
        raise Failure(
            Code.NOT_DEFINED,
            f"set {type[:20]} is not defined in version {version[:20]}; these are: {known}",
            next=f"tradelane edi set {'850' if syntax.NAME == 'x12' else 'ORDERS'}",
        )
    output.value(_set_as_json(definition), lambda: "\n".join(_set_lines(definition)))


@click.command("segment", cls=Command, short_help="A segment: elements, conditions, codes.")
@click.argument("tag", metavar="SEGMENT")
@_VERSION
@click.option("--codes", is_flag=True, help="Every code with what it means, also of long lists.")
def segment(tag: str, *, version: str | None, codes: bool) -> None:
    """The elements of a segment with type, length and codes, and the conditions on them.

    Where no version is told, it is the segment of X12, if that has one of this tag, else that of EDIFACT.
    """
    from gateway import edi

    named = tag.upper()
    told = edi.of_version(version) if version is not None else None
    spoken = [told] if told is not None else list(edi.SYNTAXES.values()) if version is None else []
    for syntax in spoken:
        found = syntax.segment(named, version or syntax.VERSIONS[0])
        if found is not None:
            break
    else:
        where = f"in version {version[:20]}" if version is not None else "in any syntax"
        raise Failure(
            Code.NOT_DEFINED, f"segment {tag[:20]} is not defined {where}", next="tradelane edi set 850"
        )
    lines = _segment_lines(found, syntax, codes=codes)
    output.value(_segment_as_json(found), lambda: "\n".join(lines))
    others = [one.VERSIONS[0] for one in spoken if one is not syntax and one.segment(named, one.VERSIONS[0])]
    for other in others:
        output.note(f"EDIFACT has a {named}, too: tradelane edi segment {named} --version {other}")


def _times(most: int) -> str:
    return str(most) if most else ">1"


def _set_lines(definition: SetDef) -> Iterator[str]:
    about = f"version {definition.version}"
    if definition.functional_id != definition.type:
        about = f"in groups {definition.functional_id}, {about}"
    yield f"{definition.type} {definition.name}, {about}"
    yield ""
    of_edifact = any(use.element.normal for use in definition.nodes[0].segment.elements)
    yield from _children_lines(definition.children, 0, "C" if of_edifact else "O")


def _children_lines(children: tuple[SegmentUse | LoopDef, ...], depth: int, optional: str) -> Iterator[str]:
    """`optional` is the letter by which the standard says so: O in X12, C in EDIFACT."""
    from edi.schema import LoopDef

    for child in children:
        needed = "M" if child.requirement == "M" else optional
        if isinstance(child, LoopDef):
            label = f"{'  ' * depth}{'loop' if optional == 'O' else 'group'} {child.id}"
            yield f"{label:64} {needed}  {_times(child.repeat):>6}"
            yield from _children_lines(child.children, depth + 1, optional)
        else:
            label = f"{'  ' * depth}{child.segment.tag:4}{child.segment.name}"
            yield f"{label[:64]:64} {needed}  {_times(child.max_use):>6}"


def _set_as_json(definition: SetDef) -> dict[str, Any]:
    from edi.schema import LoopDef

    def told(child: SegmentUse | LoopDef) -> dict[str, Any]:
        if isinstance(child, LoopDef):
            inner = [told(one) for one in child.children]
            return {
                "loop": child.id,
                "requirement": child.requirement,
                "max": child.repeat or None,
                "children": inner,
            }
        return {
            "segment": child.segment.tag,
            "name": child.segment.name,
            "requirement": child.requirement,
            "max": child.max_use or None,
        }

    return {
        "set": definition.type,
        "name": definition.name,
        "functional_id": definition.functional_id,
        "version": definition.version,
        "children": [told(child) for child in definition.children],
    }


def _segment_lines(found: SegmentDef, syntax: Syntax, *, codes: bool) -> Iterator[str]:
    from gateway.sheet import in_words

    yield f"{found.tag} {found.name}"
    yield ""
    for position, use in enumerate(found.elements, 1):
        yield from _element_lines(f"{found.tag}{position:02}", use, 0, syntax, every_code=codes)
    if found.notes:
        yield ""
    for note in found.notes:
        yield f"{note!s:10} {in_words(found.tag, note)}"


def _element_lines(
    designator: str, use: ElementUse, depth: int, syntax: Syntax, *, every_code: bool
) -> Iterator[str]:
    element = use.element
    requirement = "C" if element.normal and use.requirement == "O" else use.requirement
    repeat = f"  up to {use.repeat} times" if use.repeat > 1 else ""
    label = f"{'  ' * depth}{designator:8} {element.id:>5}  {element.name[:48]:48}"
    yield f"{label} {requirement}  {_kind(element)}{repeat}"
    for number, inner in enumerate(element.components, 1):
        yield from _element_lines(f"{designator}-{number}", inner, depth + 1, syntax, every_code=every_code)
    yield from _code_lines(element, " " * (16 + 2 * depth), syntax, every_code=every_code)


def _kind(element: ElementDef) -> str:
    """Type and length as the standard prints them: `AN 1/30`, and `an..35` or `n8` in EDIFACT."""
    if element.components:
        return "composite"
    if not element.normal:
        return f"{element.type} {element.min}/{element.max}"
    return f"{element.type}{element.max}" if element.min == element.max else f"{element.type}..{element.max}"


def _code_lines(element: ElementDef, lead: str, syntax: Syntax, *, every_code: bool) -> Iterator[str]:
    codes = sorted(element.codes or ())
    if every_code or len(codes) <= _FEW:
        for code in codes:
            yield f"{lead}{code:6} {syntax.meaning(element.id, code) or ''}".rstrip()
    elif len(codes) <= _MANY:
        yield from textwrap.wrap(" ".join(codes), _WIDTH, initial_indent=lead, subsequent_indent=lead)
    else:
        yield f"{lead}{len(codes)} codes, told by --codes"


def _segment_as_json(found: SegmentDef) -> dict[str, Any]:
    def told(use: ElementUse) -> dict[str, Any]:
        element = use.element
        return {
            "element": element.id,
            "name": element.name,
            "requirement": use.requirement,
            "repeat": use.repeat,
            "type": element.type or None,
            "min": element.min,
            "max": element.max,
            "codes": sorted(element.codes) if element.codes else None,
            "components": [told(inner) for inner in element.components],
        }

    return {
        "segment": found.tag,
        "name": found.name,
        "elements": [told(use) for use in found.elements],
        "notes": [str(note) for note in found.notes],
    }
