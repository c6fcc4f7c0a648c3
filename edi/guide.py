"""A partner's guide: a TOML text that narrows a set, bound to the definition of the standard.

::

    name = "ACME Stores"                          # whose guide it is: problems and the sheet say it
    set = "850"
    version = "004010"                            # absent: whatever version comes
    others = "never"                              # optional segments not named here are not used
    check_digits = true                           # those of GTIN, UPC, GLN and SSCC have to be right
    note = "Stores only, no drop shipments."      # for the reader of the sheet, as are all notes

    [rules]
    FOB = "must"                                  # a segment, or a loop by the segment that begins it
    N9 = "never"
    "N9>MSG" = "used"                             # in the loop N9; "PO1>N9" is that of a line
    "REF[DP]" = "must"                            # there has to be a REF whose first element is DP
    "REF[IA|VR]" = { max = 1 }                    # of either, one at most
    "HL[03=O]>PRF" = "must"                       # in every level whose HL03 is O
    N1 = { min = 2, max = 4, note = "Buyer and store." }
    BEG = { elements = [1, 2, 3, 5] }             # the only ones used
    PER = { syntax = ["R0406"] }                  # a syntax note of their own: P R E C L and positions
    BEG02 = { codes = ["NE", "SA"] }              # an element: a part of its list, or the values it may have
    BEG03 = { max = 10 }                          # its length in characters; so `min`
    "N1[ST]03" = { use = "must", codes = ["92"] } # of the N1 that says ST, and of no other
    "N1[ST]>N404" = "never"
    "PO1[06=UP]07" = { min = 12 }                 # where PO106 is UP
    "*>DTM01" = { codes = ["002", "010"] }        # in every DTM, wherever it stands
    "SV101-2" = "must"                            # a component

In EDIFACT a set is a message, a version D.96A (or D.96A/EAN008), and a loop a segment group, named by its
trigger segment; of a composite the first component is the qualifier, unless another is named::

    "DTM[137]" = "must"
    "NAD[BY]02-1" = { min = 13, max = 13 }        # a component of the NAD that says BY
    "RFF[ON]>DTM" = "never"
    "LIN>PIA[02-2=SA]" = "must"                   # the PIA whose PIA02-2 is SA

`use` is must, used or never, and may be written alone. A rule holds in each iteration of the loops before it.
A guide only narrows: more codes, more room or more repetitions than the standard gives are refused, and so is
leaving out what it requires. All is checked when the guide is bound: each finding names file, line and key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from edi.elements import fault_in
from edi.problems import EdiError
from edi.schema import (
    Around,
    ElementDef,
    ElementUse,
    LoopDef,
    Qualifier,
    Rule,
    SegmentDef,
    SegmentUse,
    SetDef,
    SyntaxNote,
    chooses_all,
)
from edi.structure import first_use

_KEYS = ("name", "set", "version", "others", "check_digits", "note", "rules")
_USES = ("must", "used", "never")
_OF_SEGMENT = ("use", "min", "max", "syntax", "elements", "note")
_OF_ELEMENT = ("use", "min", "max", "repeat", "codes", "note")
_PART = re.compile(r"([A-Z][A-Z0-9]{1,2})(?:\[(?:(\d\d)(?:-(\d{1,2}))?=)?([^\[\]]+)\])?")
_PLACE = re.compile(rf"({_PART.pattern})(\d\d)(?:-(\d{{1,2}}))?")
_KEY = re.compile(r"""\s*(?:([\w-]+)|["'](.*?)["'])\s*=""")
_ANYWHERE = "*>"

Child = SegmentUse | LoopDef


class GuideError(EdiError):
    """A guide cannot be used; `findings` are its faults, each with file, line and key."""

    def __init__(self, findings: list[str]) -> None:
        super().__init__("\n".join(findings))
        self.findings = tuple(findings)


@dataclass(frozen=True, eq=False, slots=True)
class Guide:
    """A guide as written, not yet bound to a definition."""

    file: str
    name: str
    set: str
    version: str | None
    others_never: bool
    check_digits: bool
    note: str
    rules: dict[str, dict[str, Any]]
    lines: dict[str, int]  # of the rules, from 1


def load(file: Path) -> Guide:
    """The guide in a file, which is read again when it has changed. Raises GuideError."""
    try:
        stamp = file.stat()
    except OSError as error:
        raise GuideError([f"{file.name}: {error.strerror}"]) from None
    return _load(file, stamp.st_mtime_ns, stamp.st_size)


@lru_cache(maxsize=256)
def _load(file: Path, changed_at: int, size: int) -> Guide:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise GuideError([f"{file.name}: {error.strerror}"]) from None
    return read_guide(data, file.name)


def read_guide(data: bytes, file: str = "guide") -> Guide:
    """The guide in a TOML text. Raises GuideError with every finding about its form."""
    try:
        text = data.decode()
        table = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise GuideError([f"{file}: {error}"]) from None
    findings = [
        f"{file}: {key}: is not one of {', '.join(_KEYS)}{_meant(key, _KEYS)}"
        for key in table
        if key not in _KEYS
    ]
    findings += [
        f"{file}: {key}: needs a text"
        for key in ("name", "set")
        if not isinstance(table.get(key), str) or not table[key].strip()
    ]
    findings += [
        f"{file}: {key}: is no text" for key in ("version", "note") if not isinstance(table.get(key, ""), str)
    ]
    if table.get("others", "used") not in ("used", "never"):
        findings.append(f"{file}: others: is neither 'used' nor 'never'")
    if not isinstance(table.get("check_digits", False), bool):
        findings.append(f"{file}: check_digits: is neither true nor false")
    rules: dict[str, dict[str, Any]] = {}
    lines = {
        match[1] or match[2]: number
        for number, line in enumerate(text.splitlines(), 1)
        if (match := _KEY.match(line))
    }
    written = table.get("rules", {})
    for key, value in written.items() if isinstance(written, dict) else ():
        rule = {"use": value} if isinstance(value, str) else value
        if isinstance(rule, dict):
            rules[key] = rule
        else:
            findings.append(
                f"{file}:{lines.get(key, 1)}: rules.{key}: is neither one of {', '.join(_USES)} nor a table"
            )
    if not isinstance(written, dict):
        findings.append(f"{file}: rules: is no table")
    if findings:
        raise GuideError(findings)
    return Guide(
        file,
        table["name"].strip(),
        table["set"],
        table.get("version"),
        table.get("others") == "never",
        table.get("check_digits", False),
        table.get("note", ""),
        rules,
        lines,
    )


def narrowed(standard: SetDef, guide: Guide) -> SetDef:
    """`standard` as `guide` narrows it. Raises GuideError with everything in it that does not fit."""
    return _Narrowing(standard, guide).narrow()


class _Finding(Exception):
    """One thing wrong under the key being bound."""


class _Spelled(NamedTuple):
    """A qualifier as it is written; `component` is 0 where none is named."""

    element: int
    component: int
    codes: str


class _Place(NamedTuple):
    """What a reference designator means: segments or loops at `nodes`, and perhaps an element of them."""

    key: str
    name: str  # of the segment or loop, as written
    within: tuple[Around, ...]
    children: tuple[Child, ...]
    qualifier: Qualifier | None
    element: int  # 0 for the segment or loop itself
    component: int  # 0 for the element itself
    anywhere: bool

    @property
    def nodes(self) -> tuple[int, ...]:
        return tuple(first_use(child).index for child in self.children)

    @property
    def everywhere(self) -> bool:
        """Whether it is about all segments at its nodes."""
        return chooses_all(self.within, self.qualifier)


@dataclass(slots=True)
class _Draft:
    """A rule as it comes together."""

    place: _Place
    least: int = 0
    most: int | None = None
    segments: dict[int, SegmentDef] = field(default_factory=dict)
    remarks: list[tuple[int, str]] = field(default_factory=list)

    def rule(self) -> Rule:
        place = self.place
        return Rule(
            place.name,
            place.within,
            place.nodes,
            max(_last(child) for child in place.children),
            all(isinstance(child, LoopDef) for child in place.children),
            place.qualifier,
            self.least,
            self.most,
            tuple(self.segments[node] for node in place.nodes) if self.segments else (),
            tuple(self.remarks),
        )


class _Narrowing:
    """Binds one guide to one definition, gathering findings."""

    def __init__(self, standard: SetDef, guide: Guide) -> None:
        self.standard = standard
        self.guide = guide
        self.findings: list[tuple[int, str]] = []  # with their lines
        self.segments = {use.index: use.segment for use in standard.nodes}
        self.drafts: dict[tuple[tuple[Around, ...], tuple[int, ...], Qualifier | None], _Draft] = {}

    def narrow(self) -> SetDef:
        guide, standard = self.guide, self.standard
        if guide.set != standard.type:
            raise GuideError([f"{guide.file}: set: is {guide.set!r}, and the set is {standard.type!r}"])
        if guide.version and not (
            standard.version.startswith(guide.version) or guide.version.startswith(standard.version)
        ):  # 004010VICS is governed by 004010
            raise GuideError(
                [f"{guide.file}: version: is {guide.version!r}, and the set is that of {standard.version}"]
            )
        places = [place for key in guide.rules for place in self.places(key)]
        for place in sorted(places, key=lambda place: not place.everywhere):  # others narrow what these leave
            try:
                self.apply(place, guide.rules[place.key])
            except _Finding as finding:
                self.complain(place.key, str(finding))
        self.contradictions(places)
        if guide.others_never:
            used = {node for place in places for node in place.nodes if not place.anywhere}
            used |= {around.first for place in places for around in place.within}
            self.leave_out(standard.children, used, (), "")
        if self.findings:
            raise GuideError([told for _, told in sorted(self.findings, key=lambda finding: finding[0])])
        children = tuple(self.rebuilt(child) for child in standard.children)
        return replace(
            standard,
            children=children,
            nodes=tuple(_uses(children)),
            standard=standard,
            check_digits=guide.check_digits,
            guide=guide.name,
            rules=tuple(draft.rule() for draft in self.drafts.values()),
        )

    def complain(self, key: str, message: str) -> None:
        line = self.guide.lines.get(key, 1)
        told = (line, f"{self.guide.file}:{line}: rules.{key}: {message}")
        if told not in self.findings:
            self.findings.append(told)

    def rebuilt(self, child: Child) -> Child:
        if isinstance(child, LoopDef):
            return replace(child, children=tuple(self.rebuilt(inner) for inner in child.children))
        return replace(child, segment=self.segments[child.index])

    # Where a designator leads.

    def places(self, key: str) -> list[_Place]:
        """The places a key names: one, unless the set has several loops of that name side by side."""
        try:
            return list(self._places(key))
        except _Finding as finding:
            self.complain(key, str(finding))
            return []

    def _places(self, key: str) -> Iterator[_Place]:
        anywhere = key.startswith(_ANYWHERE)
        *loops, last = key.removeprefix(_ANYWHERE).split(">")
        element = component = 0
        name = key
        if not _PART.fullmatch(last):
            match = _PLACE.fullmatch(last)
            if not match:
                raise _Finding(f"{last!r} is no reference designator such as N1, N104 or N1[ST]04")
            name = key[: len(key) - len(last) + len(match[1])]
            last, element, component = match[1], int(match[6]), int(match[7] or 0)
            if not element:
                raise _Finding("elements are counted from 01")
        tag, spelled = _part(last)
        if anywhere:
            if loops:
                raise _Finding("after *> one segment or element is named")
            children = tuple(c for c in _all(self.standard.children) if first_use(c).segment.tag == tag)
            if not children:
                raise _Finding(f"there is no {tag} in {self.standard.type}{self.similar(tag, self.standard)}")
            qualifier = self.qualifier(spelled, children)
            yield _Place(key, name, (), children, qualifier, element, component, anywhere)
            return
        for within, outer in self.loops(loops):
            children = tuple(c for c in outer.children if first_use(c).segment.tag == tag)
            if isinstance(outer, LoopDef):
                children = tuple(c for c in children if c is not outer.children[0])
            if not children:
                where = outer.type if isinstance(outer, SetDef) else f"loop {outer.id}"
                raise _Finding(f"there is no {tag} in {where}{self.similar(tag, outer)}")
            qualifier = self.qualifier(spelled, children)
            yield _Place(key, name, within, children, qualifier, element, component, anywhere)

    def loops(self, parts: list[str]) -> Iterator[tuple[tuple[Around, ...], LoopDef | SetDef]]:
        """The loops that a path leads through."""
        found: list[tuple[tuple[Around, ...], LoopDef | SetDef]] = [((), self.standard)]
        for part in parts:
            tag, spelled = _part(part)
            inner: list[tuple[tuple[Around, ...], LoopDef | SetDef]] = []
            for within, outer in found:
                for child in outer.children:
                    if isinstance(child, LoopDef) and first_use(child).segment.tag == tag:
                        around = Around(
                            first_use(child).index, _last(child), self.qualifier(spelled, (child,))
                        )
                        inner.append(((*within, around), child))
            if not inner:
                outer = found[0][1]
                where = outer.type if isinstance(outer, SetDef) else f"loop {outer.id}"
                raise _Finding(f"there is no loop {tag} in {where}{self.similar(tag, outer)}")
            found = inner
        yield from found

    def similar(self, tag: str, outer: LoopDef | SetDef) -> str:
        """A hint at what was meant: where else the tag stands, or a tag that is like it."""
        for use in self.standard.nodes:
            if use.segment.tag == tag:
                around = [first_use(loop) for loop in _around(self.standard.children, use.index)]
                if loops := [first.segment.tag for first in around if first is not use]:
                    return f"; did you mean {'>'.join((*loops, tag))}?"
        return _meant(tag, sorted({first_use(child).segment.tag for child in outer.children}))

    def qualifier(self, spelled: _Spelled | None, children: tuple[Child, ...]) -> Qualifier | None:
        """Which of them; the codes must be such as the element may have."""
        if spelled is None:
            return None
        codes = tuple(spelled.codes.split("|"))
        for child in children:
            segment = self.segments[first_use(child).index]
            for code in codes:
                _checked_code(_qualifying(segment, spelled.element, spelled.component).element, code)
        return Qualifier(spelled.element, codes, spelled.component or 1)

    # What is asked of it.

    def apply(self, place: _Place, table: dict[str, Any]) -> None:
        known = _OF_ELEMENT if place.element else _OF_SEGMENT
        for key in table:
            if key not in known:
                what = "an element" if place.element else "a segment or loop"
                raise _Finding(f"{key!r} is none of {', '.join(known)} of {what}{_meant(key, known)}")
        use = table.get("use", "used")
        if use not in _USES:
            raise _Finding(f"use: {use!r} is not one of {', '.join(_USES)}{_meant(str(use), _USES)}")
        if use == "never" and table.keys() - {"use", "note"}:
            raise _Finding("is never used, so nothing else can be said of it but a note")
        if "note" in table:
            if not isinstance(table["note"], str):
                raise _Finding("note: is no text")
            self.draft(place).remarks.append((place.element, table["note"]))
        if place.element:
            self.narrow_elements(place, {place.element: table}, ())
        else:
            self.occurrences(place, use, table)
            only = _positions(table.get("elements"), "elements")
            notes = _syntax(table.get("syntax", []))
            if only is not None or notes:
                self.only(place, only, notes)

    def draft(self, place: _Place) -> _Draft:
        return self.drafts.setdefault((place.within, place.nodes, place.qualifier), _Draft(place))

    def occurrences(self, place: _Place, use: str, table: dict[str, Any]) -> None:
        """How often: the standard's maximum holds as well, and what it requires stays."""
        if place.anywhere and (use == "must" or table.keys() & {"min", "max"}):
            raise _Finding("how often it occurs can be said for one place only")
        limits = [child.repeat if isinstance(child, LoopDef) else child.max_use for child in place.children]
        limit = 0 if 0 in limits else sum(limits)
        required = all(child.requirement == "M" for child in place.children)
        if use == "never":
            if any(child.requirement == "M" for child in place.children) and place.qualifier is None:
                raise _Finding("the standard requires it")
            self.limit(place, 0, 0)
            return
        least = _count(table, "min", 0) or 0
        most = _count(table, "max", 1)
        if most is not None and 0 < limit < most:
            raise _Finding(f"max: the standard allows {limit}, a guide cannot allow {most}")
        least = max(least, 1 if use == "must" else 0)
        highest = most if most is not None else limit
        if 0 < highest < least:
            raise _Finding(f"min: {least} cannot be where {highest} may be")
        if least == 1 and required and place.qualifier is None:
            least = 0  # the structure sees to it
        self.limit(place, least, most)

    def limit(self, place: _Place, least: int, most: int | None) -> None:
        """Ask how often; where another key has asked of the same place, both hold."""
        if not least and most is None:
            return
        draft = self.draft(place)
        draft.least = max(draft.least, least)
        draft.most = most if draft.most is None else draft.most if most is None else min(draft.most, most)
        if draft.most is not None and draft.most < draft.least:
            raise _Finding(f"{draft.least} is asked, and {draft.most} may be, by another rule for this place")

    def narrow_elements(
        self, place: _Place, tables: dict[int, dict[str, Any]], notes: tuple[SyntaxNote, ...]
    ) -> None:
        """Narrow the definitions at the place: for all segments there, or for those the rule is about."""
        for node in place.nodes:
            held = self.segments if place.everywhere else self.draft(place).segments
            segment = held.get(node, self.segments[node])
            uses = list(segment.elements)
            for position, table in tables.items():
                use = _element(segment, position, 0)
                designator = f"{segment.tag}{position:02}"
                if place.component:
                    _element(segment, position, place.component)
                    inner = list(use.element.components)
                    inner[place.component - 1] = _narrowed_use(
                        inner[place.component - 1], table, f"{designator}-{place.component}"
                    )
                    uses[position - 1] = use._replace(element=replace(use.element, components=tuple(inner)))
                else:
                    uses[position - 1] = _narrowed_use(use, table, designator)
            for note in notes:
                for position in note.positions:
                    _element(segment, position, 0)
            new = tuple(note for note in notes if note not in segment.notes)
            held[node] = replace(segment, elements=tuple(uses), notes=(*segment.notes, *new))

    def only(self, place: _Place, only: tuple[int, ...] | None, notes: tuple[SyntaxNote, ...]) -> None:
        """Take out of use all elements but some, and add syntax notes."""
        segment = self.segments[place.nodes[0]]
        for position in only or ():
            _element(segment, position, 0)
        left_out: dict[int, dict[str, Any]] = {}
        for position in range(1, len(segment.elements) + 1) if only is not None else ():
            if position not in (only or ()):
                if segment.elements[position - 1].requirement == "M":
                    raise _Finding(f"elements: the standard requires {segment.tag}{position:02}")
                left_out[position] = {"use": "never"}
        self.narrow_elements(place, left_out, notes)

    # What does not go together.

    def contradictions(self, places: list[_Place]) -> None:
        """Rules about what is never used, qualifiers the guide itself forbids, notes nothing can meet."""
        never = [draft.place for draft in self.drafts.values() if draft.most == 0 and draft.place.everywhere]
        for place in places:
            for other in never:
                inside = any(first_use(c).index <= place.nodes[0] <= _last(c) for c in other.children)
                if inside and place.key != other.key and not place.anywhere:
                    self.complain(place.key, f"lies in {other.name}, which is never used")
            for around in place.within:
                self.known(place, around.first, around.qualifier)
            for node in place.nodes:
                self.known(place, node, place.qualifier)
        keys = {node: place.key for place in reversed(places) if place.everywhere for node in place.nodes}
        narrowed = [
            (keys.get(use.index, ""), self.segments[use.index], use.segment) for use in self.standard.nodes
        ]
        for draft in self.drafts.values():
            for node, segment in draft.segments.items():
                narrowed.append((draft.place.key, segment, self.segments[node]))
        for key, segment, before in narrowed:
            if segment is not before and (note := _impossible(segment)):
                self.complain(key, f"no {segment.tag} can meet its syntax note {note}")

    def known(self, place: _Place, node: int, qualifier: Qualifier | None) -> None:
        if qualifier is None:
            return
        segment = self.segments[node]
        use = segment.elements[qualifier.element - 1]
        designator = f"{segment.tag}{qualifier.element:02}"
        if use.element.components and use.requirement != "N":
            use = use.element.components[qualifier.component - 1]
            designator += f"-{qualifier.component}"
        if use.requirement == "N":
            self.complain(place.key, f"{designator} is never used")
        elif use.element.codes is not None:
            for code in sorted(set(qualifier.codes) - use.element.codes):
                self.complain(place.key, f"the guide does not allow {code} in {designator}")

    def leave_out(
        self, children: tuple[Child, ...], used: set[int], within: tuple[Around, ...], path: str
    ) -> None:
        """Rules against everything optional that no rule names."""
        for child in children:
            use = first_use(child)
            name = f"{path}{use.segment.tag}"
            if isinstance(child, LoopDef) and (use.index in used or child.requirement == "M"):
                around = Around(use.index, _last(child), None)
                self.leave_out(child.children[1:], used, (*within, around), f"{name}>")
            elif use.index not in used and child.requirement != "M":
                place = _Place("", name, within, (child,), None, 0, 0, False)
                self.draft(place).most = 0


def _part(spelled: str) -> tuple[str, _Spelled | None]:
    """Tag and qualifier of one part of a path."""
    match = _PART.fullmatch(spelled)
    if not match:
        raise _Finding(f"{spelled!r} is neither a segment nor a loop")
    tag, element, component, codes = match.groups()
    return tag, _Spelled(int(element or 1), int(component or 0), codes) if codes else None


def _qualifying(segment: SegmentDef, position: int, component: int) -> ElementUse:
    """What qualifies a segment: an element, or a component of one in normal form."""
    use = _element(segment, position, component)
    if use.element.components and use.element.normal:
        return _element(segment, position, 1)
    if component and not segment.elements[position - 1].element.normal:
        raise _Finding("a component qualifies in EDIFACT only")
    return use


def _element(segment: SegmentDef, position: int, component: int) -> ElementUse:
    if not 1 <= position <= len(segment.elements):
        raise _Finding(f"{segment.tag} has {len(segment.elements)} elements")
    use = segment.elements[position - 1]
    if not component:
        return use
    if component > len(use.element.components):
        raise _Finding(f"{segment.tag}{position:02} has {len(use.element.components)} components")
    return use.element.components[component - 1]


def _narrowed_use(use: ElementUse, table: dict[str, Any], designator: str) -> ElementUse:
    """An element as its rule narrows it; raises _Finding where that would widen it."""
    element, wanted = use.element, table.get("use", "used")
    if wanted == "never":
        if use.requirement == "M":
            raise _Finding(f"{designator} is required, it cannot be never used")
        return use._replace(requirement="N")
    if use.requirement == "N":
        raise _Finding(f"{designator} is never used by another rule")
    if wanted == "must":
        use = use._replace(requirement="M")
    if (repeat := _count(table, "repeat", 1)) is not None:
        if repeat > use.repeat:
            raise _Finding(f"repeat: the standard allows {use.repeat}, a guide cannot allow {repeat}")
        use = use._replace(repeat=repeat)
    low, high = _count(table, "min", 1), _count(table, "max", 1)
    if element.components and table.keys() & {"min", "max", "codes"}:
        raise _Finding(f"{designator} is a composite: say it of a component such as {designator}-1")
    if low is not None and low < element.min:
        raise _Finding(f"min: the standard needs {element.min} characters, a guide cannot allow {low}")
    if high is not None and 0 < element.max < high:
        raise _Finding(f"max: the standard allows {element.max} characters, a guide cannot allow {high}")
    low, high = low or element.min, high or element.max
    if low > high > 0:
        raise _Finding(f"min: {low} characters do not fit where {high} may be")
    codes = element.codes
    if "codes" in table:
        listed = table["codes"]
        if not isinstance(listed, list) or not listed or not all(isinstance(c, str) and c for c in listed):
            raise _Finding("codes: needs a list of texts")
        for code in listed:
            _checked_code(replace(element, min=low, max=high), code)
        codes = frozenset(listed)
    if codes is not None and table.keys() & {"min", "max"}:  # of a code its list decides, not its length
        size = f"{low} characters" if low == high else f"{low} to {high} characters"
        codes, listed = frozenset(c for c in codes if low <= len(c) <= high), codes
        if wrong := sorted(listed - codes) if "codes" in table else []:
            raise _Finding(f"codes: {wrong[0]!r} does not have {size}")
        if not codes:
            raise _Finding(f"no code of {designator} has {size}")
    return use._replace(element=replace(element, min=low, max=high, codes=codes))


def _checked_code(element: ElementDef, code: str) -> None:
    if element.components:
        raise _Finding(f"element {element.id} is a composite and has no codes")
    if element.codes is not None and code not in element.codes:
        meant = _meant(code, sorted(element.codes))
        raise _Finding(f"{code!r} is no code of element {element.id} ({element.name}){meant}")
    if fault := fault_in(element, code):
        raise _Finding(f"{code!r} {fault[1]} in element {element.id} ({element.name})")


def _count(table: dict[str, Any], key: str, least: int) -> int | None:
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise _Finding(f"{key}: needs a whole number from {least}")
    return value


def _positions(value: object, key: str) -> tuple[int, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(type(position) is int for position in value):
        raise _Finding(f"{key}: needs a list of positions such as [1, 2, 5]")
    return tuple(value)


def _syntax(value: object) -> tuple[SyntaxNote, ...]:
    if not isinstance(value, list) or not all(
        isinstance(note, str) and re.fullmatch(r"[PRECL](?:\d\d){2,}", note) for note in value
    ):
        raise _Finding('syntax: needs a list of syntax notes such as ["P0304"]')
    return tuple(SyntaxNote.spelled(note) for note in value)


def _impossible(segment: SegmentDef) -> str | None:
    """A syntax note that no segment can meet, given what must be there and what is never used."""
    for kind, positions in segment.notes:
        first, *others = marks = [segment.elements[position - 1].requirement for position in positions]
        never = {
            "P": "M" in marks and "N" in marks,
            "R": set(marks) == {"N"},
            "E": marks.count("M") > 1,
            "C": first == "M" and "N" in others,
            "L": first == "M" and set(others) == {"N"},
        }
        if never[kind]:
            return str(SyntaxNote(kind, positions))
    return None


def _last(child: Child) -> int:
    """The last node of a loop, or the node of a segment."""
    while isinstance(child, LoopDef):
        child = child.children[-1]
    return child.index


def _around(children: tuple[Child, ...], node: int) -> Iterator[LoopDef]:
    """The loops around a node, outermost first."""
    for child in children:
        if isinstance(child, LoopDef) and first_use(child).index <= node <= _last(child):
            yield child
            yield from _around(child.children, node)


def _all(children: tuple[Child, ...]) -> Iterator[Child]:
    """Every loop, and every segment that begins none, at any depth."""
    for child in children:
        yield child
        if isinstance(child, LoopDef):
            yield from _all(child.children[1:])


def _uses(children: tuple[Child, ...]) -> Iterator[SegmentUse]:
    for child in children:
        if isinstance(child, LoopDef):
            yield from _uses(child.children)
        else:
            yield child


def _meant(word: str, known: tuple[str, ...] | list[str]) -> str:
    close = get_close_matches(word.upper(), [name.upper() for name in known], 1, 0.6)
    return next((f"; did you mean {name}?" for name in known if close and name.upper() == close[0]), "")
