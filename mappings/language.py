"""The map language: a TOML table of `document field = reference designator`, bound to a set's definition.

::

    document = "sales_order"                     # which canonical document
    shape = "despatch_advice"                    # if it is built otherwise than the set: mappings/shapes.py
    [map]
    number = "BEG03"                             # a field and where it stands
    currency = { at = "CUR02", codes = "currency" }
    department = "REF[DP]02"                     # the REF whose first element is DP
    second = "DTM[#2]02"                         # the second DTM;  "TD5[02=2]03": TD502 is 2
    destination = "N1:2>N401"                    # of the N1 that the set has at a second place
    city = "N1[ST]>N401"                         # in the N1 loop of the ship-to;  "AK401-1": a component
    [map.address]                                # a table of its own is a value inside the value
    city = "N401"
    street = { list = ["N301", "N302"] }         # all values, in order, over repeated segments
    [map.lines]
    each = "PO1"                                 # one line per PO1 loop (or per segment)
    ids = { pair = "PO106/07", codes = "product" }    # qualifier and value, and the pairs that follow
    [map.levels]
    each = "HL"
    tree = "HL01/02"                             # id and parent: the levels nest; the writer numbers them
    [always]
    PER01 = "IC"                                 # written whenever the segment is, or the set requires it
    [count]
    CTT01 = "PO1"                                # how many of these were written
    [codes.unit]
    EA = "each"                                  # a code and its word, read both ways
    [version.005010.map]                         # what only this version has

`as` (text, decimal, implied decimal, integer, date, time) is needed only where the field's type and the
element's do not already say it. A pair may be `"upc_case_code=W0103"`: a value whose kind the place tells.
Inside an `each`, `always` is a table of it.

EDIFACT has composites nearly everywhere::

    number = "BGM02-1"                           # component 1 of what is no composite is the element itself
    ordered_on = "DTM[137]01-2"                  # whose first component is 137
    account = "RFF[01-1=ADE]01-2"                # the same at length: any component may select
    [map.dates]
    each = "DTM"
    on = "DTM01-2"                               # a date and a time in one component (2380), told apart by
    time = "DTM01-2"                             # their types; its format stands in the next (2379)
    [map.parties]
    each = "NAD"                                 # a segment group is named by its first segment, not as SG2
    ids = { pair = "NAD02-3/02-1", codes = "party_id" }    # in one composite
    more_names = { list = "NAD04-2..5" }         # components 2 to 5;  "FTX[AAI]04-1..5": over repeated FTX
    [map.lines]
    each = "LIN"
    description = "IMD[F]03-4..5"                # a text that fills component 4 goes on in 5
    ids = { pair = ["LIN03-2/03-1 EN UP", "PIA[1]02-2/02-1 +", "PIA[5]02-2/02-1"], codes = "product" }
    [always]
    "CUX01-1" = "2"                              # TOML wants quotes around such keys
    [count]
    "CNT[2]01-2" = "LIN"
    [version."D.01B".map]

  * A pair over composites goes on in the composites after it, in all segments at its place, and in other
    segments of its loop where it is a list: one dict. All kinds are read everywhere. Each is written in the
    first free place, in the order of the list; codes after a place are the only ones that are written there,
    and where it bears a `+` only what is told beside the first (PIA+1 adds to LIN, PIA+5 says what it is).
    What else such a composite says is kept with its kind, as `("ids[SA]-4", "91")` in `extra`; what has no
    kind or no value, or a kind told before, is kept as a segment of its own.
  * An item of a list for which the message lacks what the document needs is no item: its segments are kept
    in `extra` whole. A field at the place by which its segment is selected can only be that code.
  * Texts over repeated segments are those of the first segments that hold nothing else. Others at that place
    are for a list of them, if there is one, and kept whole if not.
  * A table of codes for a pair may have a word for no code at all: `"" = "unqualified"`.
  * Written are the formats 102 (CCYYMMDD), 203 and 204 (with a time), 401 and 402 (a time alone); read also
    2, 3, 4, 5, 101, 201 and 202, with years from 2000 on. What the fields there are cannot hold without loss
    (periods, weeks, time zones, no format at all, a time of day where only the date has a field, which it
    fills all the same) is kept in `extra` whole.
  * Numbers are read with either decimal mark and written with a point.
  * The words of `mappings/edifact/codes.toml` hold in every directory: where it lacks the code, the word is
    never met, and refused when it is written. A map's own codes must be codes of their element.

An overlay names its `base` ("850") and states only what differs; `""` takes a field away. There are no
conditions and no expressions. A message that carries several documents has a map for each: DESADV.toml for
the usual one, DESADV.shipment_confirmation.toml (which may have a base, too) for another. All is checked
here, when a map is loaded: each finding names file and key.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from edi.documents import DOCUMENTS, Document
from edi.elements import fault_in
from edi.problems import EdiError
from edi.schema import ElementUse, LoopDef, SegmentDef, SegmentUse, SetDef
from mappings.shapes import SHAPES, Shape
from mappings.values import CONVERSIONS, EITHER_MARK, Codes, Conversion, implied_decimal

_FIELD_KEYS = {"at", "as", "codes", "pair", "list"}
_TABLES = ("map", "always", "count", "codes", "version")
_LOOP_KEYS = {"each", "tree", "always"}
_SELECTOR = r"#(?P<occurrence>\d+)|(?:(?P<element>\d\d)(?:-(?P<component>\d{1,2}))?=)?(?P<code>[^\]#=>]+)"
_PART = re.compile(rf"(?P<tag>[A-Z][A-Z0-9]{{1,2}}(?::[2-9])?)(?:\[(?:{_SELECTOR})\])?")
_PLACE = re.compile(r"(.*?[A-Z0-9\]])(\d\d)(?:-(\d{1,2}))?")
_PAIR = re.compile(r"(?:(\w+)=([^/= ]+)|([^/= ]+)/(\d\d(?:-\d{1,2})?))((?: [^ ]+)*)")
_ADDS = "+"
_RANGE = re.compile(r"(.*-)(\d{1,2})\.\.(\d{1,2})")


@cache
def fields_of(struct: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """The fields of a struct; finding their types costs too much to do it often."""
    return msgspec.structs.fields(struct)


class MapError(EdiError):
    """A map cannot be used; `findings` are its faults, each with file and key."""

    def __init__(self, findings: list[str]) -> None:
        super().__init__("\n".join(findings))
        self.findings = tuple(findings)


class Place(NamedTuple):
    """An element of a segment, or one of its components; `component` is 0 where the element has none."""

    element: int
    component: int = 0

    def __str__(self) -> str:
        """As a reference designator has it after the segment's tag: 03, or 03-2."""
        return f"{self.element:02d}" + (f"-{self.component}" if self.component else "")


class Selector(NamedTuple):
    """Which of several: those whose `element` is `code`, or the `occurrence`-th (from 1).

    Of an element that is a composite it is the `component`, usually the first, that is the code.
    """

    element: int = 1
    code: str = ""
    occurrence: int = 0
    component: int = 0

    def __str__(self) -> str:
        if self.occurrence:
            return f"[#{self.occurrence}]"
        if self.component > 1:
            return f"[{self.element:02d}-{self.component}={self.code}]"
        return f"[{self.code}]" if self.element == 1 else f"[{self.element:02d}={self.code}]"

    @property
    def place(self) -> Place:
        """Where the code stands."""
        return Place(self.element, self.component)


@dataclass(frozen=True, slots=True)
class Field:
    """A value of the document at `path` (attribute names) and its place in the slot's segment."""

    path: tuple[str, ...]
    element: int
    component: int  # 0 where the element is no composite
    conversion: Conversion
    codes: Codes | None
    required: bool
    formatted: bool = False  # a date or a time whose format (2379) stands in the next component
    last: int = 0  # the component up to which a text goes on that fills those before it
    width: int = 0  # characters that fill one

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.element, self.component)


class PairPlace(NamedTuple):
    """Where a qualifier and its value stand; `kind` instead of a qualifier where the place tells it.

    `only` are the codes that are written here; any is where there are none, and any is read.
    """

    qualifier: Place | None
    value: Place
    kind: str = ""
    only: frozenset[str] = frozenset()


@dataclass(slots=True)
class Pairs:
    """A dict {kind: value} over places of one segment, and over repeated segments where `repeats`.

    One dict may stand in several segments of a loop: `all` has every part of it, in the order in which they
    are filled. Where several composites may hold a kind (`wanders`), what else such a composite says goes
    with the kind, and the composites belong to the pair as wholes. One that `adds` is written only where the
    first part of the dict is.
    """

    path: tuple[str, ...]
    places: tuple[PairPlace, ...]
    codes: Codes | None
    repeats: bool = False
    wanders: bool = False
    adds: bool = False
    all: list[tuple[Slot, Pairs]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Texts:
    """A tuple of texts over `places`, and over repeated segments where `repeats`."""

    path: tuple[str, ...]
    places: tuple[Place, ...]
    repeats: bool

    def spans(self) -> Iterator[tuple[int, int, int]]:
        """Places that follow each other: (element, 0, last element), or (element, component, last one)."""
        first = last = self.places[0]
        for place in self.places[1:]:
            step = (0, 1) if last.component else (1, 0)
            if place == (last.element + step[0], last.component + step[1]):
                last = place
                continue
            yield first.element, first.component, last.component or last.element
            first = last = place
        yield first.element, first.component, last.component or last.element


@dataclass(slots=True)
class Slot:
    """What a map says about one segment at one place of a loop."""

    node: SegmentUse
    selector: Selector | None
    fields: list[Field] = field(default_factory=list)
    pairs: list[Pairs] = field(default_factory=list)
    texts: list[Texts] = field(default_factory=list)
    always: dict[Place, str] = field(default_factory=dict)
    counts: dict[Place, int] = field(default_factory=dict)  # place -> node whose segments are counted
    tree: tuple[int, ...] = ()  # elements of id, parent and, if written, "has children"

    @property
    def name(self) -> str:
        """As `extra` calls it: `REF[DP]`."""
        return self.node.segment.tag + (str(self.selector) if self.selector else "")

    @property
    def repeats(self) -> bool:
        """Whether it takes every segment of those at its place, for one value."""
        return any(texts.repeats for texts in self.texts) or any(pairs.repeats for pairs in self.pairs)

    @property
    def picks(self) -> bool:
        """Whether it takes one segment of those at its place."""
        return not self.repeats

    @property
    def stands(self) -> bool:
        """Whether it is written also when the document has nothing for it: it counts, or every set has it."""
        needed = self.node.requirement == "M" and not self.node.loops
        return bool(self.counts) or (needed and bool(self.always) and self.selector is None)

    def formatted(self) -> list[Field]:
        """The date and the time of its one place that has a format."""
        return [item for item in self.fields if item.formatted]

    def flowing(self) -> Field | None:
        """The text that goes on in the next components."""
        return next((item for item in self.fields if item.last), None)

    def without(self) -> dict[int, frozenset[int]]:
        """What is placed where the date, or what a text goes on in, is not what its field can hold."""
        placed = self.placed()
        for item in self.fields:
            loose = {item.component, item.component + 1} if item.formatted else set[int]()
            loose |= set(range(item.component + 1, item.last + 1))
            if loose:
                placed[item.element] -= loose
                if not placed[item.element]:
                    del placed[item.element]
        return placed

    def constants(self) -> dict[Place, str]:
        """What is written whenever the segment is."""
        constants = dict(self.always)
        if self.selector and not self.selector.occurrence:
            constants[self.selector.place] = self.selector.code
        return constants

    def places(self) -> Iterator[Place]:
        """Every place that the map accounts for; the composites of pairs that wander, as wholes."""
        for item in self.fields:
            yield item.place
            last = item.component + 1 if item.formatted else item.last
            for component in range(item.component + 1, last + 1):
                yield Place(item.element, component)
        yield from self.constants()
        yield from self.counts
        yield from map(Place, self.tree)
        for pairs in self.pairs:
            for qualifier, value, *_ in pairs.places:
                if pairs.wanders:
                    yield Place(value.element)
                else:
                    yield value
                    if qualifier:
                        yield qualifier
        for texts in self.texts:
            yield from texts.places

    def holds_all_of(self, row: list[str], separator: str) -> bool:
        """Whether a row says nothing that the map does not account for."""
        placed = self.placed()
        for element, text in enumerate(row[1:], 1):
            components = placed.get(element)
            for component, part in enumerate(text.split(separator), 1) if components else ((0, text),):
                known = components is not None and (not components or component in components)
                if part and not (known and self.always.get(Place(element, component), part) == part):
                    return False
        return True

    def placed(self) -> dict[int, frozenset[int]]:
        """Element -> its components that the map accounts for, none where it is taken as a whole."""
        placed: dict[int, frozenset[int]] = {}
        for element, component in sorted(set(self.places())):
            if component == 0:
                placed[element] = frozenset()
            elif placed.get(element, {0}):
                placed[element] = placed.get(element, frozenset()) | {component}
        return placed


@dataclass(slots=True)
class Scope:
    """A loop (or one segment, or the whole set) as a map sees it.

    `many` scopes give one `struct` each, collected in `path` of the enclosing value; the others pick one
    iteration and fill the enclosing struct.
    """

    first: int  # node of its first segment; -1 for the whole set
    last: int  # its last node
    struct: type[msgspec.Struct]
    name: str = ""  # as `extra` calls it: `N1[ST]`
    selector: Selector | None = None
    many: bool = True
    path: tuple[str, ...] = ()
    slots: list[Slot] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)
    children: tuple[SegmentUse | LoopDef, ...] = ()
    nodes: dict[str, tuple[int, int]] = field(default_factory=dict)  # path -> (outermost first node, node)
    tree: bool = False
    _unmapped: tuple[tuple[tuple[str, ...], Any], ...] | None = None

    @property
    def picks(self) -> bool:
        """Whether it takes one iteration of those at its place."""
        return not self.many

    def may_lack(self) -> bool:
        """Whether an iteration may lack what a value of the list needs; levels of a tree must have it."""
        return self.first >= 0 and not self.tree and self.needs()

    def needs(self) -> bool:
        """Whether there are fields that a value needs."""
        here = any(item.required for slot in self.slots for item in slot.fields)
        return here or any(inner.needs() for inner in self.scopes if not inner.many)

    def structs(self) -> dict[tuple[str, ...], type[msgspec.Struct]]:
        """The values inside the value, by their path: {("address",): Address}."""
        found: dict[tuple[str, ...], type[msgspec.Struct]] = {}
        for path in self.paths():
            for depth in range(1, len(path)):
                found[path[:depth]] = _struct_of(_type_at(self.struct, path[:depth]))
        return found

    def unmapped(self) -> tuple[tuple[tuple[str, ...], Any], ...]:
        """Paths of the fields that the map does not fill, with their defaults."""
        if self._unmapped is None:
            mapped = {*self.paths(), self.path} if self.tree else set(self.paths())
            self._unmapped = tuple(_unmapped(self.struct, (), mapped))
        return self._unmapped

    def paths(self) -> Iterator[tuple[str, ...]]:
        """Every attribute path that this scope, with the single scopes in it, fills."""
        for slot in self.slots:
            yield from (item.path for item in slot.fields)
            yield from (pairs.path for pairs in slot.pairs)
            yield from (texts.path for texts in slot.texts)
        for scope in self.scopes:
            if scope.many:
                yield scope.path
            else:
                yield from scope.paths()


class Bound(NamedTuple):
    """A map bound to a set: its document, what is read and written of it, and the shape if it has one."""

    document: type[Document]
    scope: Scope
    shape: Shape | None


def read_map(definition: SetDef, overlay: Path | bytes | None = None, document: str = "") -> Bound:
    """The bound map of `definition`; raises MapError with every finding.

    `document` is needed where a message carries several; the first that `documents_of` names is the usual.
    """
    table, names = _tables(definition, overlay, document)
    return _Binding(definition, table, names).bind()


@cache
def documents_of(type: str) -> tuple[str, ...]:
    """The names of the documents that a set or message can carry ("ship_notice"), the usual one first."""
    file = _file(type)
    if file is None:
        return ()
    usual = tomllib.loads(file[1].read_text())["document"]
    names = (re.fullmatch(rf"{type}\.([a-z_]+)\.toml", other.name) for other in file[0].iterdir())
    return usual, *sorted(match[1] for match in names if match)


def _tables(definition: SetDef, overlay: Path | bytes | None, document: str) -> tuple[dict[str, Any], str]:
    """The merged TOML of base and overlay, and the name to report."""
    type = definition.type
    if overlay is None:
        usual = document in ("", *documents_of(type)[:1])
        name = type if usual else f"{type}.{document}"
        return _standard(name), f"{name}.toml"
    name = overlay.name if isinstance(overlay, Path) else "overlay"
    try:
        text = (overlay.read_bytes() if isinstance(overlay, Path) else overlay).decode()
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MapError([f"{name}: {error}"]) from None
    base = table.pop("base", None)
    if base is not None:
        if not isinstance(base, str) or base.partition(".")[0] != type:
            raise MapError([f"{name}: base: is {base!r}, but the set is {type!r}"])
        table = _merged(_standard(base), table)
    if document and table.get("document") != document:
        raise MapError([f"{name}: document: is {table.get('document')!r}, not {document!r}"])
    return table, name


def _standard(name: str) -> dict[str, Any]:
    """The standard map `name`: of a set, or "DESADV.shipment_confirmation"; it may have a base, too."""
    found = _file(name)
    if found is None:
        raise MapError([f"there is no map of {name}"])
    folder, file = found
    table = tomllib.loads(file.read_text())
    base = table.pop("base", None)
    return _merged(_standard(base) if base else {"codes": _shared_codes(folder.name)}, table)


def _file(name: str) -> tuple[Traversable, Traversable] | None:
    """The folder and the file of a standard map."""
    if re.fullmatch(r"[A-Z0-9]+(\.[a-z_]+)?", name):
        for syntax in ("x12", "edifact"):
            folder = resources.files("mappings") / syntax
            if (file := folder / f"{name}.toml").is_file():
                return folder, file
    return None


@cache
def _shared_codes(syntax: str) -> dict[str, Any]:
    """The words that all maps of a syntax share; read once, for they are long."""
    return tomllib.loads((resources.files("mappings") / syntax / "codes.toml").read_text())


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes`: tables are merged, all else is replaced."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and not ({"at", "pair", "list"} & value.keys()):
            merged[key] = _merged(old, value)
        else:
            merged[key] = value
    return merged


class _Finding(Exception):
    """One thing wrong under the key being bound."""


class _Binding:
    """Binds one merged table to one definition, gathering findings."""

    def __init__(self, definition: SetDef, table: dict[str, Any], file: str) -> None:
        self.definition = definition
        self.table = table
        self.file = file
        self.findings: list[str] = []
        self.codes: dict[str, Codes] = {}
        self.coded: dict[str, list[ElementUse]] = {}  # table of codes -> the elements it is used for

    def bind(self) -> Bound:
        for key in self.table.keys() - {"document", "shape", *_TABLES}:
            self.complain(key, f"is not one of document, shape, {', '.join(_TABLES)}")
        self.tables()
        document, shape = self.document(), self.shape()
        struct: type[msgspec.Struct] = shape.struct if shape else document
        for name, codes in self.table["codes"].items():
            with_word: dict[str, str] = {}
            for code, word in codes.items():
                if not isinstance(word, str) or (word and word in with_word.values()):
                    self.complain(f"codes.{name}.{code}", "needs a word of its own")
                elif word:
                    with_word[code] = word
            self.codes[name] = Codes(with_word)
        root = self.scope(-1, len(self.definition.nodes), struct, self.definition.children)
        self.table_into(root, struct, self.table["map"], (), "map")
        self.always(root, self.table["always"], "always")
        for place, counted in self.table["count"].items():
            with _Reporting(self, f"count.{place}"):
                slot, at = self.place(root, place)
                loop = self.counted(root, counted)
                slot.counts[at] = loop.first
        self.complete(root, "map")
        self.known_codes()
        if self.findings:
            raise MapError(self.findings)
        return Bound(document, root, shape)

    def tables(self) -> None:
        """Puts the version's own part in, and sees that what should be a table is one."""
        versions = self.table.get("version", {})
        own = versions.get(self.definition.version, {}) if isinstance(versions, dict) else None
        if not isinstance(own, dict):
            raise MapError([f"{self.file}: version: is no table of versions"])
        self.table = _merged({name: {} for name in _TABLES} | self.table, own)
        for name in _TABLES:
            parts = (
                self.table[name].values() if name == "codes" and isinstance(self.table[name], dict) else ()
            )
            if not all(isinstance(table, dict) for table in (self.table[name], *parts)):
                raise MapError([f"{self.file}: {name}: is no table"])

    def known_codes(self) -> None:
        """A code with a word must be one that an element has for which the table is used.

        Directories of EDIFACT differ in their codes, which share their words: those words stay.
        """
        for name, uses in self.coded.items():
            shared = _shared_codes("edifact") if any(use.element.normal for use in uses) else {}
            lists = [use.element.codes for use in uses]
            for code, word in self.codes[name].words.items():
                if not code or shared.get(name, {}).get(code) == word:
                    continue
                if all(known and code not in known for known in lists):
                    elements = " or ".join(sorted({use.element.id for use in uses}))
                    self.complain(f"codes.{name}.{code}", f"is no code of element {elements}")

    def complete(self, scope: Scope, key: str) -> None:
        """Every needed field has a place, and no place has two fields. What picks comes before lists."""
        own = scope.slots[:1] if scope.first >= 0 else []
        scope.slots[len(own) :] = sorted(scope.slots[len(own) :], key=lambda slot: slot.selector is None)
        scope.scopes.sort(key=lambda inner: (inner.many, inner.selector is None))
        taken: dict[tuple[int, Selector | None], Scope] = {}
        for inner in scope.scopes:
            holder = taken.setdefault((inner.first, inner.selector), inner)
            if holder is not inner:
                names = [".".join(scope.path) or f"a field of {scope.name}" for scope in (inner, holder)]
                self.complain(f"{key}.{names[0]}", f"{inner.name} is that of {names[1]!r}")
        if scope.many:
            needed = {info.name for info in fields_of(scope.struct) if info.required}
            for name in sorted(needed - {path[0] for path in scope.paths()}):
                self.complain(key, f"{name!r} is needed and has no place")
        for slot in scope.slots:
            self.one_each(slot, key)
            self.repeating(slot, own=slot in own)
        for inner in scope.scopes:
            self.complete(inner, f"{key}.{'.'.join(inner.path)}" if inner.many else key)

    def one_each(self, slot: Slot, key: str) -> None:
        """Complains of what stands at the place of something else."""
        seen: dict[Place, Field] = {}
        for item in slot.fields:
            other = seen.setdefault(item.place, item)
            dated = item.formatted and other.formatted and item.conversion is not other.conversion
            if other is not item and not dated:
                name = ".".join(other.path)
                self.complain(f"{key}.{'.'.join(item.path)}", f"its place is that of {name!r}")
        loose = [item for item in slot.fields if item.formatted or item.last]
        if len({item.place for item in loose}) > 1:
            name = ".".join(loose[-1].path)
            self.complain(f"{key}.{name}", "is a second date, or text over components, of one segment")
        for item in loose:
            inside = range(item.component + 1, (item.last or item.component + 1) + 1)
            for other in slot.fields:
                if other.element == item.element and other.component in inside:
                    name = ".".join(item.path)
                    self.complain(f"{key}.{'.'.join(other.path)}", f"its place is that of {name!r}")
        for pairs in slot.pairs:
            pairs.wanders = sum(len(part.places) for _, part in pairs.all) > 1 and all(
                place.value.component for place in pairs.places
            )
            if not pairs.wanders:
                continue
            elements = [place.value.element for place in pairs.places]
            others = {item.element for item in slot.fields} | {place.element for place in slot.constants()}
            others |= {place.element for texts in slot.texts for place in texts.places}
            others |= {p.value.element for other in slot.pairs if other is not pairs for p in other.places}
            if len(set(elements)) < len(elements) or others & set(elements):
                self.complain(f"{key}.{'.'.join(pairs.path)}", "shares its composites with another field")

    def repeating(self, slot: Slot, *, own: bool) -> None:
        """What has a segment that may repeat to itself takes all of them."""
        alone = not own and not slot.fields and slot.node.max_use != 1
        if alone and len(slot.pairs) == 1 and not slot.texts:
            pairs = slot.pairs[0]
            pairs.repeats = all(place.qualifier and place.value.component for place in pairs.places)
            for _, part in pairs.all:
                part.wanders = part.wanders or pairs.repeats
        elif alone and not slot.pairs:
            slot.texts[:] = [replace(texts, repeats=True) for texts in slot.texts]

    def document(self) -> type[Document]:
        name = self.table.get("document")
        struct = DOCUMENTS.get(f"tradelane.{name}/1")
        if struct is None:
            raise MapError([f"{self.file}: document: {name!r} is none of {', '.join(DOCUMENTS)}"])
        return struct

    def shape(self) -> Shape | None:
        name = self.table.get("shape")
        if name is None:
            return None
        shape = SHAPES.get(name) if isinstance(name, str) else None
        if shape is None:
            raise MapError([f"{self.file}: shape: {name!r} is none of {', '.join(SHAPES) or 'those known'}"])
        return shape

    def complain(self, key: str, message: str) -> None:
        self.findings.append(f"{self.file}: {key}: {message}")

    def scope(
        self, first: int, last: int, struct: type[msgspec.Struct], children: tuple[SegmentUse | LoopDef, ...]
    ) -> Scope:
        scope = Scope(first, last, struct, children=children)
        for path, key, node in _paths(children, "", None):
            scope.nodes.setdefault(path, (key, node))
        return scope

    def table_into(
        self,
        scope: Scope,
        struct: type[msgspec.Struct],
        table: dict[str, Any],
        path: tuple[str, ...],
        key: str,
    ) -> None:
        """Binds the fields of one table; `path` leads from the scope's struct to `struct`."""
        types_by_name = {info.name: info for info in fields_of(struct)}
        for name, given in table.items():
            here = f"{key}.{name}"
            if given == "":
                continue
            value = {"at": given} if isinstance(given, str) else given
            info = types_by_name.get(name)
            if info is None or name == "extra":
                self.complain(here, f"{struct.__name__} has no such field")
                continue
            with _Reporting(self, here):
                if not isinstance(value, dict):
                    raise _Finding("is neither a reference designator nor a table")
                if "each" in value:
                    self.each(scope, info, value, (*path, name), here)
                elif value.keys() & {"at", "pair", "list"}:
                    self.field(scope, info, value, (*path, name))
                else:
                    self.table_into(scope, _struct_of(info.type), value, (*path, name), here)

    def each(
        self,
        scope: Scope,
        info: msgspec.structs.FieldInfo,
        table: dict[str, Any],
        path: tuple[str, ...],
        key: str,
    ) -> None:
        """A tuple of structs: one per iteration of a loop, or per segment."""
        struct = _struct_of(_item_of(info.type))
        place, found = self.find(scope, table["each"])
        inner = self.scope(found.first, found.last, struct, found.children)
        inner.name, inner.selector, inner.path = found.name, found.selector, path
        first = Slot(self.definition.nodes[found.first], found.selector)
        inner.slots.append(first)
        if tree := table.get("tree"):
            match = re.fullmatch(rf"{first.node.segment.tag}(\d\d)/(\d\d)(?:/(\d\d))?", _text(tree))
            if not match or path[-1] not in struct.__struct_fields__:
                raise _Finding("tree: needs the elements of id and parent, and a field to nest in")
            first.tree = tuple(int(element) for element in match.groups() if element)
            inner.tree = True
        place.scopes.append(inner)
        fields = {name: value for name, value in table.items() if name not in _LOOP_KEYS}
        self.table_into(inner, struct, fields, (), key)
        self.always(inner, table.get("always", {}), f"{key}.always")

    def field(
        self, scope: Scope, info: msgspec.structs.FieldInfo, table: dict[str, Any], path: tuple[str, ...]
    ) -> None:
        """One field: `at` one place, `pair`s, or a `list`."""
        for unknown in table.keys() - _FIELD_KEYS:
            raise _Finding(f"{unknown!r} is not one of {', '.join(sorted(_FIELD_KEYS))}")
        named = _text(table["codes"]) if "codes" in table else ""
        if named and named not in self.codes:
            raise _Finding(f"codes: there is no table {named!r}")
        codes = self.codes[named] if named else None
        if codes and codes.words[""] and "pair" not in table:
            raise _Finding(f"codes: {named!r} has a word for no code at all, which only a pair can have")
        if "pair" in table:
            self.pairs(scope, info, table["pair"], named, path)
        elif "list" in table:
            self.texts(scope, info, table["list"], path)
        else:
            spelled = _RANGE.fullmatch(_text(table["at"]))
            slot, place = self.place(scope, spelled[1] + spelled[2] if spelled else table["at"])
            use = _element(slot.node.segment, place)
            conversion = _conversion(info.type, use, table.get("as"))
            if codes and conversion is not CONVERSIONS["text"]:
                raise _Finding("codes: only a text has codes")
            required = info.required and len(path) == 1
            formatted = conversion.name in ("date", "time") and _has_format(slot.node.segment, place)
            last = _same(slot.node.segment, place, int(spelled[3])) if spelled else 0
            if last and (codes or conversion is not CONVERSIONS["text"]):
                raise _Finding("only a text without codes goes on in other components")
            width = use.element.max
            slot.fields.append(Field(path, *place, conversion, codes, required, formatted, last, width))
            if named:
                self.coded.setdefault(named, []).append(use)

    def pairs(
        self,
        scope: Scope,
        info: msgspec.structs.FieldInfo,
        spelled: str | list[str],
        table: str,
        path: tuple[str, ...],
    ) -> None:
        """Qualifiers and values of one segment, or of several of a loop; a place may tell the kind itself."""
        if info.type != dict[str, str]:
            raise _Finding("pair: the field is no table of kinds and values")
        codes = self.codes[table] if table else None
        found: list[tuple[Slot, list[PairPlace]]] = []
        adding: set[int] = set()
        for pair in spelled if isinstance(spelled, list) else [spelled]:
            match = _PAIR.fullmatch(_text(pair))
            if not match:
                raise _Finding(f"pair: {pair!r} is not like PO106/07")
            kind, told, qualified, value, more = match.groups()
            only = frozenset(more.split()) - {_ADDS}
            slot, place = self.place(scope, told or qualified)
            if _ADDS in more.split():
                if not found or not found[0][1][0].only:
                    raise _Finding("pair: + needs a place before it that names its codes")
                adding.add(id(slot))
            if not found or found[-1][0] is not slot:
                found.append((slot, []))
            if kind:
                found[-1][1].append(PairPlace(None, place, kind))
                continue
            use = _element(slot.node.segment, place)
            for code in only:
                if code not in (codes.words if codes else ()):
                    _known_code(use, code)
            to = _whole(slot.node.segment, Place(*map(int, value.split("-"))))
            found[-1][1].extend(_series(slot.node.segment, place, to, only))
            if table:
                self.coded.setdefault(table, []).append(use)
        if not found:
            raise _Finding("pair: names no place")
        composite = all(place.value.component for _, places in found for place in places)
        if len({id(slot) for slot, _ in found}) < len(found) or (len(found) > 1 and not composite):
            raise _Finding("pair: the places are of different segments")
        if len(found) > 1 and not all(slot in scope.slots for slot, _ in found):
            raise _Finding("pair: the segments are not of one loop")
        every: list[tuple[Slot, Pairs]] = []
        for slot, places in found:
            pairs = Pairs(path, tuple(places), codes, adds=id(slot) in adding, all=every)
            every.append((slot, pairs))
            slot.pairs.append(pairs)

    def texts(
        self, scope: Scope, info: msgspec.structs.FieldInfo, spelled: str | list[str], path: tuple[str, ...]
    ) -> None:
        if info.type != tuple[str, ...]:
            raise _Finding("list: the field is no list of texts")
        named: list[str] = []
        for place in spelled if isinstance(spelled, list) else [spelled]:
            match = _RANGE.fullmatch(_text(place))
            named += [f"{match[1]}{n}" for n in range(int(match[2]), int(match[3]) + 1)] if match else [place]
        found = [self.place(scope, place) for place in named]
        if not found:
            raise _Finding("list: names no place")
        slot = found[0][0]
        if any(other is not slot for other, _ in found):
            raise _Finding("list: the places are of different segments")
        slot.texts.append(Texts(path, tuple(place for _, place in found), False))

    def always(self, scope: Scope, table: dict[str, Any], key: str) -> None:
        if not isinstance(table, dict):
            raise _Finding("always: is no table")
        for spelled, value in table.items():
            with _Reporting(self, f"{key}.{spelled}"):
                if value == "":
                    continue
                slot, place = self.place(scope, spelled)
                use = _element(slot.node.segment, place)
                if not isinstance(value, str):
                    raise _Finding("needs a text")
                _known_code(use, value)
                slot.always[place] = value

    def find(self, scope: Scope, spelled: str) -> tuple[Scope, Scope]:
        """The scope that holds a loop or segment such as `N1[ST]>N4`, and a new one for itself."""
        *loops, last = _text(spelled).split(">")
        for part in loops:
            scope = self.single(scope, part)
        tag, selector = self.part(last, scope)
        child = _child(scope, tag, prefer_loop=True)
        if child is None:
            raise _Finding(f"there is no {last} in {scope.name or self.definition.type}")
        if isinstance(child, LoopDef):
            found = self.scope(*_range(child), scope.struct, child.children[1:])
        else:
            found = self.scope(child.index, child.index, scope.struct, ())
        found.name, found.selector = last, selector
        return scope, found

    def counted(self, root: Scope, spelled: str) -> Scope:
        """The scope of what is counted, wherever it stands: `LIN`, or `CPS>LIN` in any CPS."""
        *loops, last = _text(spelled).split(">")
        scope = root
        for part in loops:
            child = _child(scope, part, prefer_loop=True)
            if not isinstance(child, LoopDef):
                raise _Finding(f"there is no loop {part} in {scope.name or self.definition.type}")
            scope = self.scope(*_range(child), root.struct, child.children[1:])
            scope.name = part
        return self.find(scope, last)[1]

    def single(self, scope: Scope, part: str) -> Scope:
        """The scope of one picked iteration of a loop, made on first use."""
        for known in scope.scopes:
            if known.name == part and not known.many:
                return known
        tag, selector = self.part(part, scope)
        child = _child(scope, tag, prefer_loop=True)
        if not isinstance(child, LoopDef):
            raise _Finding(f"there is no loop {tag} in {scope.name or self.definition.type}")
        found = self.scope(*_range(child), scope.struct, child.children[1:])
        found.name, found.selector, found.many = part, selector, False
        found.slots.append(Slot(self.definition.nodes[found.first], selector))
        scope.scopes.append(found)
        return found

    def place(self, scope: Scope, spelled: str) -> tuple[Slot, Place]:
        """Slot and place of a reference designator, seen from `scope`."""
        match = _PLACE.fullmatch(_text(spelled))
        if not match:
            raise _Finding(f"{spelled!r} is no reference designator")
        *loops, last = match[1].split(">")
        for part in loops:
            scope = self.single(scope, part)
        tag, selector = self.part(last, scope)
        own = scope.slots[0] if scope.first >= 0 else None
        if own and own.node.segment.tag == tag and selector is None:
            slot = own
        else:
            child = _child(scope, tag)
            if isinstance(child, LoopDef):
                slot = self.single(scope, last).slots[0]
            elif child is None:
                raise _Finding(f"there is no segment {tag} in {scope.name or self.definition.type}")
            else:
                known = (s for s in scope.slots if s.node is child and s.selector == selector)
                slot = next(known, None) or Slot(child, selector)
                if slot not in scope.slots:
                    scope.slots.append(slot)
        place = _whole(slot.node.segment, Place(int(match[2]), int(match[3] or 0)))
        if _element(slot.node.segment, place).element.components:
            raise _Finding(f"{last}{place} is a composite: name one of its components")
        return slot, place

    def part(self, spelled: str, scope: Scope) -> tuple[str, Selector | None]:
        """Tag and selector of one part of a path; a selecting code must be one the element may have."""
        match = _PART.fullmatch(spelled)
        if not match:
            raise _Finding(f"{spelled!r} is neither a segment nor a loop")
        tag, code = match["tag"], match["code"]
        if match["occurrence"]:
            return tag, Selector(occurrence=int(match["occurrence"]))
        if not code:
            return tag, None
        place = Place(int(match["element"] or 1), int(match["component"] or 0))
        child = _child(scope, tag)
        if child is not None:
            first = child if isinstance(child, SegmentUse) else child.children[0]
            assert isinstance(first, SegmentUse)
            place = _whole(first.segment, place)
            if not place.component and _element(first.segment, place).element.components:
                place = Place(place.element, 1)
            _known_code(_element(first.segment, place), code)
        return tag, Selector(place.element, code, component=place.component)


class _Reporting:
    """Turns a finding raised inside into one of the binding's, under `key`."""

    def __init__(self, binding: _Binding, key: str) -> None:
        self.binding = binding
        self.key = key

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> bool:
        if isinstance(error, _Finding):
            self.binding.complain(self.key, str(error))
            return True
        return False


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _Finding(f"{value!r} is no text")
    return value


def _child(scope: Scope, tag: str, prefer_loop: bool = False) -> SegmentUse | LoopDef | None:
    """The child of a loop with this tag: a segment, else the loop that it begins. `N1:2` is the second N1."""
    tag, _, place = tag.partition(":")
    segments = [c for c in scope.children if isinstance(c, SegmentUse) and c.segment.tag == tag]
    loops = [c for c in scope.children if isinstance(c, LoopDef) and c.tag == tag]
    both: list[SegmentUse | LoopDef] = [*loops, *segments] if prefer_loop else [*segments, *loops]
    if place:
        both.sort(key=lambda child: _range(child)[0] if isinstance(child, LoopDef) else child.index)
    at = int(place or 1) - 1
    return both[at] if at < len(both) else None


def _range(loop: LoopDef) -> tuple[int, int]:
    """First and last node of a loop; nodes are numbered in order."""
    nodes = [node for _, _, node in _paths((loop,), "", None)]
    return nodes[0], nodes[-1]


def _paths(
    children: tuple[SegmentUse | LoopDef, ...], prefix: str, outermost: int | None
) -> Iterator[tuple[str, int, int]]:
    """(path, first node of the outermost loop on it, node) of every segment under `children`."""
    seen: dict[str, int] = {}
    for child in children:
        tag = child.segment.tag if isinstance(child, SegmentUse) else child.tag
        seen[tag] = seen.get(tag, 0) + 1
        name = prefix + tag + (f":{seen[tag]}" if seen[tag] > 1 else "")
        if isinstance(child, SegmentUse):
            yield name, child.index if outermost is None else outermost, child.index
        else:
            first = child.children[0]
            assert isinstance(first, SegmentUse)
            top = first.index if outermost is None else outermost
            yield name, top, first.index
            yield from _paths(child.children[1:], f"{name}>", top)


def _element(segment: SegmentDef, place: Place) -> ElementUse:
    """The definition at a place of a segment."""
    element, component = place
    if not 1 <= element <= len(segment.elements):
        raise _Finding(f"{segment.tag} has {len(segment.elements)} elements, not {element}")
    use = segment.elements[element - 1]
    if component:
        if component > len(use.element.components):
            raise _Finding(f"{segment.tag}{element:02d} has no component {component}")
        return use.element.components[component - 1]
    return use


def _whole(segment: SegmentDef, place: Place) -> Place:
    """The place, if there is one: the first component of what is no composite is the element itself."""
    if place.component == 1 and not _element(segment, Place(place.element)).element.components:
        return Place(place.element)
    _element(segment, place)
    return place


def _same(segment: SegmentDef, place: Place, last: int) -> int:
    """The last of components that are the same element as the one at a place."""
    for component in range(place.component + 1, last + 1):
        if _element(segment, Place(place.element, component)).element is not _element(segment, place).element:
            raise _Finding(f"{segment.tag}{place.element:02d}-{component} is another element")
    return last if last > place.component else 0


def _has_format(segment: SegmentDef, place: Place) -> bool:
    """Whether a component is a date, time or period (2380) and the next one tells its format (2379)."""
    components = segment.elements[place.element - 1].element.components[place.component - 1 :]
    return place.component > 0 and [use.element.id for use in components[:2]] == ["2380", "2379"]


def _known_code(use: ElementUse, code: str) -> None:
    if use.element.codes and code not in use.element.codes and fault_in(use.element, code):
        raise _Finding(f"{code!r} is no code of element {use.element.id} ({use.element.name})")


def _series(segment: SegmentDef, qualifier: Place, value: Place, only: frozenset[str]) -> Iterator[PairPlace]:
    """The pair at these places and those that follow it: the same two elements, or the same composite."""
    composite = bool(qualifier.component and value.component)
    if composite and qualifier.element != value.element:
        raise _Finding("pair: the places are of different composites")
    ids = [use.element.id for use in segment.elements]
    of_qualifier, of_value = ids[qualifier.element - 1], ids[value.element - 1]
    step = 1 if composite else 2
    while (
        value.element <= len(ids)
        and ids[qualifier.element - 1] == of_qualifier
        and ids[value.element - 1] == of_value
    ):
        yield PairPlace(qualifier, value, "", only)
        if bool(qualifier.component) != bool(value.component):
            return
        qualifier = Place(qualifier.element + step, qualifier.component)
        value = Place(value.element + step, value.component)


_BY_TYPE: dict[Any, str] = {str: "text", Decimal: "decimal", int: "integer", dt.date: "date", dt.time: "time"}


def _conversion(annotation: Any, use: ElementUse, asked: str | None) -> Conversion:
    """How the element's text becomes the field's value: from both types, or as the map asks."""
    wanted = _BY_TYPE.get(_bare(annotation))
    if wanted is None:
        raise _Finding("the field holds more than one value")
    decimals = re.fullmatch(r"N(\d)", use.element.type)
    if asked is None:
        asked = "implied decimal" if wanted == "decimal" and decimals else wanted
    if asked == "implied decimal" and wanted == "decimal":
        if not decimals:
            raise _Finding(f"as: element {use.element.id} of type {use.element.type} implies no decimals")
        return implied_decimal(int(decimals[1]))
    if _text(asked) not in CONVERSIONS:
        raise _Finding(f"as: {asked!r} is not one of {', '.join(CONVERSIONS)}, implied decimal")
    if asked != wanted:
        raise _Finding(f"as: the field is {wanted}, not {asked}")
    if asked == "decimal" and use.element.normal:
        return EITHER_MARK
    return CONVERSIONS[asked]


def _bare(annotation: Any) -> Any:
    """`T` of `T | None`."""
    if isinstance(annotation, types.UnionType):
        return next(part for part in typing.get_args(annotation) if part is not type(None))
    return annotation


def _item_of(annotation: Any) -> Any:
    """`T` of `tuple[T, ...]`."""
    if typing.get_origin(annotation) is not tuple:
        raise _Finding("each: the field is no list")
    return typing.get_args(annotation)[0]


def _struct_of(annotation: Any) -> type[msgspec.Struct]:
    struct = _bare(annotation)
    if not (isinstance(struct, type) and issubclass(struct, msgspec.Struct)):
        raise _Finding("the field is a single value")
    return struct


def _unmapped(
    struct: type[msgspec.Struct], path: tuple[str, ...], mapped: set[tuple[str, ...]]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for info in fields_of(struct):
        here = (*path, info.name)
        if any(other[: len(here)] == here and other != here for other in mapped):
            yield from _unmapped(_struct_of(info.type), here, mapped)
        elif here not in mapped and info.name != "extra":
            default = info.default if info.default_factory is msgspec.NODEFAULT else info.default_factory()
            yield here, default


def _type_at(struct: type[msgspec.Struct], path: tuple[str, ...]) -> Any:
    annotation: Any = struct
    for name in path:
        annotation = next(info.type for info in fields_of(_struct_of(annotation)) if info.name == name)
    return annotation
