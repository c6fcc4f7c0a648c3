"""Trees to documents and back: one map reads and writes.

A map is a table (`mappings/language.py` explains the language; `mappings/x12/850.toml` is an example), bound
to the definition of a set when it is loaded, which finds every mistake in it, and compiled to functions.
What a map does not place is kept in the document's `extra`, so reading loses nothing, and a document that can
be written is read back equal.

    map = mappings.load(definition)                         # or load(definition, overlay=Path("acme.toml"))
    document, problems = map.read_checked(check, transaction.separators)
    rows = map.write(document)                              # raises CannotWrite with problems

Canonical form: segments in the order of the definition, those the map places before the others at the same
place; no empty pairs; numbers without needless zeros in front, times in their shortest form; hierarchies
depth first and numbered from 1; the counts the map states.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import msgspec

from edi.documents import BETWEEN_COMPONENTS, BETWEEN_REPETITIONS, Document, NotADocument, decode, encode
from edi.problems import CannotWrite, Fault, Problem
from edi.schema import Check, Run, RunReader, SetDef
from edi.tree import Separators
from mappings.language import MapError, Scope, Slot, documents_of, read_map
from mappings.quick import DOUBTS, Write, compile_writer
from mappings.reader import Read, Unreadable, compile_reader
from mappings.rows import text_at
from mappings.runs import ByRuns, chief_loop
from mappings.shapes import Shape
from mappings.values import MOMENTS
from mappings.writer import placed_rows

__all__ = ["Map", "MapError", "documents_of", "load"]

_SEPARATORS = Separators()
Row = Sequence[str | tuple[str, ...] | list[str | tuple[str, ...]]]

_ENVELOPE = frozenset({"ST", "SE", "UNH", "UNT"})


@dataclass(frozen=True, eq=False)
class Map:
    """A map bound to one set in one version. `source` is what reading was compiled to."""

    definition: SetDef
    document: type[Document]
    source: str
    _scope: Scope
    _read: Read
    _shape: Shape | None = None

    @cached_property
    def _write(self) -> Write | None:
        return compile_writer(self._scope, self.definition.nodes)

    @cached_property
    def _runs(self) -> ByRuns | None:
        chief = chief_loop(self._scope)
        return ByRuns(self._scope, compile_reader(chief)[0], chief) if chief else None

    @property
    def readers(self) -> Mapping[Run, RunReader]:
        """What `Checker.check` takes to read lines while it checks them; more come as lines are met."""
        return self._runs.readers if self._runs else {}

    def read_checked(
        self, check: Check, separators: Separators = _SEPARATORS
    ) -> tuple[Document | None, tuple[Problem, ...]]:
        """The document in a checked transaction, or None with problems (fault MAPPING_FAILED)."""
        if check.runs and self._runs:
            separator = separators.component or BETWEEN_COMPONENTS
            try:
                value = self._runs.read(check.rows, check.runs, check.values, separator)
            except (Unreadable, ValueError):
                value = None  # the reader says what and where
            if value is not None:
                return self._document(value)
        return self.read(check.rows, check.places, separators)

    def _document(self, value: Any) -> tuple[Document | None, tuple[Problem, ...]]:
        """What was read, as the document that it stands for."""
        return self._shape.to_document(value) if self._shape else (value, ())

    def read(
        self, rows: list[list[str]], places: tuple[int, ...] | None, separators: Separators = _SEPARATORS
    ) -> tuple[Document | None, tuple[Problem, ...]]:
        """The document in a transaction's rows, or None with problems (fault MAPPING_FAILED).

        `rows` and `places` are those of its `Check`; places None (the structure is broken) gives no document.
        """
        if places is None:
            return None, (Problem(Fault.MAPPING_FAILED, "the structure could not be followed"),)
        if (repetition := separators.repetition) and any(
            repetition in element for row in rows for element in row
        ):
            rows = [[element.replace(repetition, BETWEEN_REPETITIONS) for element in row] for row in rows]
        start = 1 if rows and rows[0][0] in _ENVELOPE else 0
        end = len(rows) - 1 if len(rows) > start and rows[-1][0] in _ENVELOPE else len(rows)
        try:
            value, _ = self._read(rows, places, start, end, separators.component or BETWEEN_COMPONENTS)
        except Unreadable as why:
            at = min(why.at, len(rows) - 1)
            return None, (Problem(Fault.MAPPING_FAILED, why.reason, segment=rows[at][0], position=at + 1),)
        except ValueError:
            return None, tuple(_unreadable(self._scope, rows, places, separators.component))
        return self._document(value)

    def write(self, document: Document) -> list[Row]:
        """The rows of a transaction without header and trailer; raises CannotWrite with every problem.

        A composite of several components is a tuple of them, and an element that repeats a list of its
        repetitions: separators are the affair of whoever writes.
        `partner` says whose document it is and stands in no row.
        """
        if not isinstance(document, self.document):
            raise TypeError(f"the map of {self.definition.type} writes {self.document.__name__}")
        if document.partner is not None:
            document = msgspec.structs.replace(document, partner=None)
        return [_composites(row) for row in self._rows(document)]

    def _rows(self, document: Document) -> list[list[str]]:
        shaped: Any = self._shape.from_document if self._shape else _as_it_is
        try:
            if self._write:
                return self._write(shaped(document), BETWEEN_COMPONENTS)
        except (*DOUBTS, CannotWrite):
            pass
        return self.placed(document)[0]

    def placed(self, document: Document, *, strict: bool = False) -> tuple[list[list[str]], tuple[int, ...]]:
        """The rows as `read` takes them, with U+001F between components, and their places.

        Raises CannotWrite with every problem; where it is `strict`, a text that its element may not hold is
        one, which otherwise is the affair of the check.
        """
        if not isinstance(document, self.document):
            raise TypeError(f"the map of {self.definition.type} writes {self.document.__name__}")
        _checked(document)
        value = self._shape.from_document(document) if self._shape else document
        placed = placed_rows(self._scope, value, self.definition.nodes, BETWEEN_COMPONENTS, strict=strict)
        return [row for _, row in placed], tuple(node for node, _ in placed)


def _as_it_is(document: Document) -> Document:
    return document


def _composites(row: list[str]) -> Row:
    text = "".join(row)
    if BETWEEN_REPETITIONS in text:
        return [
            [_composite(part) for part in element.split(BETWEEN_REPETITIONS)]
            if BETWEEN_REPETITIONS in element
            else _composite(element)
            for element in row
        ]
    if BETWEEN_COMPONENTS in text:
        return [
            tuple(element.split(BETWEEN_COMPONENTS)) if BETWEEN_COMPONENTS in element else element
            for element in row
        ]
    return row


def _composite(element: str) -> str | tuple[str, ...]:
    return tuple(element.split(BETWEEN_COMPONENTS)) if BETWEEN_COMPONENTS in element else element


def _checked(document: Document) -> None:
    """A document made in Python must hold what it could hold as JSON; raises CannotWrite."""
    try:
        decode(encode(document))
    except (NotADocument, TypeError, ValueError, OverflowError, RecursionError) as why:
        message = f"{type(document).__name__}: {why}"
        raise CannotWrite(message, (Problem(Fault.MAPPING_FAILED, message),)) from None


def load(definition: SetDef, overlay: Path | bytes | None = None, document: str = "") -> Map:
    """The map of a set: the standard one, or `overlay` (a TOML file or its bytes) on top of it.

    Where a message carries several documents (`documents_of`), `document` says for which the map shall be;
    an overlay says it by its base. Raises MapError with every finding (file and key). Loaded once per
    definition, overlay and document; a changed file is loaded anew.
    """
    if isinstance(overlay, Path):
        try:
            return _load(_Definition(definition), overlay, overlay.stat().st_mtime_ns, document)
        except OSError as error:
            raise MapError([f"{overlay.name}: {error.strerror}"]) from None
    return _load(_Definition(definition), overlay, 0, document)


class _Definition:
    """A definition as a cache key: by identity of set and version, not by its thousands of parts."""

    def __init__(self, definition: SetDef) -> None:
        self.definition = definition

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Definition) and self.definition is other.definition

    def __hash__(self) -> int:
        return hash((self.definition.type, self.definition.version))


@lru_cache(maxsize=256)
def _load(key: _Definition, overlay: Path | bytes | None, changed_at: int, document: str) -> Map:
    kind, scope, shape = read_map(key.definition, overlay, document)
    read, source = compile_reader(scope)
    return Map(key.definition, kind, source, scope, read, shape)


def _unreadable(
    scope: Scope, rows: list[list[str]], places: tuple[int, ...], separator: str
) -> list[Problem]:
    """Every value that could not be converted, with its place: the slow second look."""
    slots: dict[int, list[Slot]] = {}
    waiting = [scope]
    while waiting:
        current = waiting.pop()
        waiting += current.scopes
        for slot in current.slots:
            slots.setdefault(slot.node.index, []).append(slot)
    found: dict[tuple[int, int, int], Problem] = {}
    for at, (row, place) in enumerate(zip(rows, places, strict=False)):
        for slot in slots.get(place, ()):
            for item in slot.fields:
                text = text_at(row, *item.place, separator)
                try:
                    if item.formatted:
                        form = text_at(row, item.element, item.component + 1, separator)
                        MOMENTS["date", "time"][f"{text}\x1f{form}"]
                    else:
                        item.conversion.read[text]
                except ValueError as error:
                    found[at, item.element, item.component] = Problem(
                        Fault.MAPPING_FAILED,
                        f"{row[0]}{item.place} {error}",
                        segment=row[0],
                        position=at + 1,
                        element=item.element,
                        component=item.component or None,
                        value=text,
                    )
    return list(found.values())
