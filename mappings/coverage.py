"""What of a document a map carries: which fields it has no place for, and which end in `extra`.

A document that came by one map may be written by another (an order of an X12 850 as ORDERS), as far as both
sets can say the same. `coverage` tells what is lost on the way, and gives the document without it: that one
can be written, and is read back equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from edi.checker import Checker
from edi.documents import BETWEEN_COMPONENTS, Document
from edi.problems import CannotWrite, Problem, Severity
from edi.tree import NORMAL, Transaction
from mappings import Map
from mappings.language import fields_of

_ROUNDS = 1000  # of leaving out; each may show what was hidden behind what it leaves out
_SHOWN = 60  # characters of an example
_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]")
_ITEM = re.compile(r"\[\d+\]")
_OF_EXTRA = re.compile(r"extra: (\S+?)(?:: | has no place| has a field| would be read)")
_TOO_MANY = re.compile(r"has (\d+) texts where (\d+) fit")

Path = tuple[str | int, ...]
"""Fields, numbers of items and kinds that lead to a place; in `extra`: ("lines", 0, "extra", "PIA")."""


class Finding(NamedTuple):
    """Something that a map does not carry in a field of its own.

    `field` is its path in the document without the numbers of items: "lines.ids.isbn"; of what stands in
    `extra` that is followed by its reference designator: "lines.extra.DTM01-3". `lost` says why it cannot be
    carried, and is "" where `extra` carries it.
    """

    field: str
    times: int
    example: str
    lost: str


class Coverage(NamedTuple):
    """Findings by field and reason, each once, and the document without what is lost.

    The document is None where it cannot be without that. `refused` is what the definition of the set asks of
    the rest: a date, say, where an order has none.
    """

    findings: tuple[Finding, ...]
    document: Document | None
    refused: tuple[Problem, ...] = ()


class _Lost(NamedTuple):
    path: Path
    example: str
    why: str


def coverage(document: Document, map: Map) -> Coverage:
    """What of `document` the map carries, and what not."""
    lost: list[_Lost] = []
    reduced: Any = replace(document, partner=None)
    for _ in range(_ROUNDS):
        refusals = {_target(reduced, path): (path, why) for path, why in _refusals(reduced, map)}
        if not refusals:
            break
        for target in sorted(refusals, key=_order, reverse=True):
            if any(target[:depth] in refusals for depth in range(len(target))):
                continue  # goes with what is around it
            path, why = refusals[target]
            if _at(reduced, path) in (None, (), {}):
                path = target  # what lacks it is lost
            lost.append(_Lost(path, _example(reduced, path), why))
            reduced = _without(reduced, target) if target else None
        if reduced is None:
            return Coverage(_findings(lost), None)
    else:
        return Coverage(_findings(lost), None)
    kept = [_Lost(path, _example(reduced, path), "") for path in _extras(reduced, ())]
    return Coverage(_findings([*lost, *kept]), reduced, _refused(reduced, map))


def together(coverages: Iterable[Coverage]) -> tuple[Finding, ...]:
    """The findings of several documents as one list."""
    found: dict[tuple[str, str], Finding] = {}
    for finding in (finding for one in coverages for finding in one.findings):
        known = found.get((finding.field, finding.lost))
        times = finding.times + (known.times if known else 0)
        found[finding.field, finding.lost] = (known or finding)._replace(times=times)
    return tuple(sorted(found.values(), key=lambda finding: (finding.field, finding.lost)))


def _findings(lost: list[_Lost]) -> tuple[Finding, ...]:
    singles = [
        Finding(".".join(step for step in path if isinstance(step, str) and step), 1, example, why)
        for path, example, why in sorted(lost, key=lambda one: _order(one.path))
    ]
    return together([Coverage(tuple(singles), None)])


def _order(path: Path) -> list[tuple[int, str]]:
    return [(step, "") if isinstance(step, int) else (-1, step) for step in path]


# what a map refuses


def _refusals(document: Any, map: Map) -> Iterator[tuple[Path, str]]:
    """The places in the document that cannot be carried, each with the reason."""
    try:
        rows, places = map.placed(document, strict=True)
    except CannotWrite as refused:
        for problem in refused.problems:
            for path, why in _told(document, problem.message):
                yield path or _culprit(document, map, problem.message), why
        return
    again, problems = map.read(rows, places, NORMAL)
    why = problems[0].message if problems else "would not be read back as it is"
    paths = list(_differences(document, again, ()))
    for path in [path for path in paths if path[-2:-1] == ("extra",)] or paths:
        yield path, why


def _told(document: Any, message: str) -> Iterator[tuple[Path, str]]:
    """The places that a message of a writer is about: "SalesOrder.lines[0].ids.isbn: why"."""
    path: list[str | int] = []
    value = document
    end = re.match(r"\w*", message).end()  # type: ignore[union-attr]
    while not isinstance(value, dict) and (step := _STEP.match(message, end)):
        name, number = step.groups()
        if name is not None and isinstance(value, msgspec.Struct) and name in value.__struct_fields__:
            path.append(name)
            value = getattr(value, name)
        elif number is not None and isinstance(value, tuple) and int(number) < len(value):
            path.append(int(number))
            value = value[int(number)]
        else:
            break
        end = step.end()
    for kind in value if isinstance(value, dict) else ():
        if message.startswith(f".{kind}: ", end):
            path.append(kind)
            end += len(kind) + 1
            break
    why = message[end:].partition(": ")[2] or message
    if not message.startswith(": ", end):
        path = []  # of a shape: it names what the document has elsewhere
    if path[-1:] == ["extra"] and isinstance(_at(document, tuple(path[:-1])), msgspec.Struct):
        yield (*path, ""), why  # all of it
    elif extra := _OF_EXTRA.match(why):
        place = (*path, "extra", extra[1])
        yield place if _at(document, place) else (), why
    elif many := _TOO_MANY.match(why):
        for number in range(int(many[2]), int(many[1])):
            yield (*path, number), why
    else:
        yield tuple(path), why


def _culprit(document: Any, map: Map, message: str) -> Path:
    """The place without which a problem is none, where its message names another: that of a shape."""
    path: Path = ()
    before = _alike(document, map, message)
    while True:
        found = _inside(_at(document, path), path)
        cause = next((at for at in found if _alike(_without(document, at), map, message) < before), None)
        if cause is None:
            return path
        path = cause
        if path[-2:-1] == ("extra",):
            return path


def _inside(value: Any, path: Path) -> Iterator[Path]:
    """The places in a value that it can be without."""
    if isinstance(value, tuple):
        yield from ((*path, number) for number in range(len(value)))
    elif isinstance(value, dict):
        yield from ((*path, kind) for kind in value)
    elif isinstance(value, msgspec.Struct):
        for info in fields_of(type(value)):
            if info.name == "extra":
                yield from ((*path, "extra", entry[0]) for entry in getattr(value, "extra", ()))
            elif not info.required and getattr(value, info.name) != _default(info):
                yield (*path, info.name)


def _alike(document: Any, map: Map, message: str) -> int:
    """How many problems of a document have this message, whichever items they are of."""
    try:
        map.placed(document, strict=True)
    except CannotWrite as refused:
        wanted = _ITEM.sub("[]", message)
        return sum(_ITEM.sub("[]", problem.message) == wanted for problem in refused.problems)
    return 0


def _differences(one: Any, other: Any, path: Path) -> Iterator[Path]:
    """Where two values differ: fields, items of lists that are as long, kinds, and `extra` as a whole."""
    if one == other:
        return
    if isinstance(one, msgspec.Struct) and type(one) is type(other):
        for name in one.__struct_fields__:
            if name == "extra" and one.extra != other.extra:  # type: ignore[attr-defined]
                yield from ((*path, "extra", entry[0]) for entry in one.extra)  # type: ignore[attr-defined]
            elif name != "extra":
                yield from _differences(getattr(one, name), getattr(other, name), (*path, name))
    elif isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        for number, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            yield from _differences(mine, theirs, (*path, number))
    else:
        yield path


def _refused(document: Any, map: Map) -> tuple[Problem, ...]:
    """What is wrong with the document's rows as a transaction of the set."""
    definition = map.definition
    first, last = (definition.nodes[at].segment.tag for at in (0, -1))
    rows = map.placed(document)[0]
    version = BETWEEN_COMPONENTS.join([definition.type, *definition.version.split("."), "UN"])
    header = [first, definition.type, "0001"] if first == "ST" else [first, "1", version]
    trailer = [last, str(len(rows) + 2), header[2] if first == "ST" else "1"]
    segments = tuple(NORMAL.element.join(row) for row in (header, *rows, trailer))
    transaction = Transaction(definition.type, "1", definition.version, NORMAL, segments, 0)
    problems = Checker(definition).check(transaction).problems
    return tuple(problem for problem in problems if problem.severity is Severity.ERROR)


# places in a document


def _at(value: Any, path: Path) -> Any:
    """What stands at a path; of `extra`, the entries that a message calls so."""
    for depth, step in enumerate(path):
        if step == "extra" and isinstance(value, msgspec.Struct):
            entries: tuple[tuple[str, ...], ...] = getattr(value, "extra", ())
            return [entry for entry in entries if entry[0].startswith(str(path[depth + 1]))]
        value = getattr(value, str(step)) if isinstance(value, msgspec.Struct) else value[step]
    return value


def _target(document: Any, path: Path) -> Path:
    """What has to go so that the path goes: an item that cannot be without a field goes as a whole.

    So does one in which a field is missing that cannot be.
    """
    if len(path) > 1 and path[-2] == "extra" and isinstance(_at(document, path[:-2]), msgspec.Struct):
        return path
    while path:
        owner = _at(document, path[:-1])
        if not isinstance(owner, msgspec.Struct):
            return path
        info = _field(owner, path[-1])
        if not info.required and getattr(owner, info.name) != _default(info):
            return path
        path = path[:-1]
    return ()


def _default(info: msgspec.structs.FieldInfo) -> Any:
    return info.default if info.default_factory is msgspec.NODEFAULT else info.default_factory()


def _field(owner: msgspec.Struct, name: str | int) -> msgspec.structs.FieldInfo:
    return next(info for info in fields_of(type(owner)) if info.name == name)


def _without(value: Any, path: Path) -> Any:
    """The value without what stands at the path."""
    step, *others = path
    if isinstance(value, dict):
        return {kind: text for kind, text in value.items() if kind != step}
    if isinstance(value, tuple):
        assert isinstance(step, int)
        instead = (_without(value[step], tuple(others)),) if others else ()
        return (*value[:step], *instead, *value[step + 1 :])
    if step == "extra":
        gone = _at(value, path)
        return replace(
            value, extra=tuple(entry for entry in value.extra if entry not in gone) if gone else ()
        )
    if others:
        inner = _without(getattr(value, str(step)), tuple(others))
        if _field(value, step).default is None and inner == type(inner)():
            inner = None  # an address in which nothing is told
        return replace(value, **{str(step): inner})
    info = _field(value, step)
    return replace(value, **{info.name: _default(info)})


def _extras(value: Any, path: Path) -> Iterator[Path]:
    """The path of every entry of `extra` in a value."""
    if isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from _extras(item, (*path, number))
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            if name == "extra":
                yield from ((*path, "extra", entry[0]) for entry in getattr(value, name))
            else:
                yield from _extras(getattr(value, name), (*path, name))


def _example(document: Any, path: Path) -> str:
    text = _shown(_at(document, path)).replace(BETWEEN_COMPONENTS, ":")
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _shown(value: Any) -> str:
    """A value as a reader wants to see it: of a struct, what is told of it."""
    if isinstance(value, msgspec.Struct):
        told = ((name, getattr(value, name)) for name in value.__struct_fields__)
        return " ".join(f"{name}={_shown(held)}" for name, held in told if held not in (None, (), {}))
    if isinstance(value, dict):
        return " ".join(f"{kind}={text}" for kind, text in value.items())
    if isinstance(value, tuple | list):
        return " ".join(_shown(item) for item in value)
    return str(value)
