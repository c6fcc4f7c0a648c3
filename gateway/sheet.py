"""A partner's sheet: how we are connected, and of each set agreed what may stand where, with an example.

It is made from partners.toml, the guides and the definitions, and from nothing else: what it says is what is
checked. Of a set without a guide it says only which it is; everybody has the standard.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edi.example import example
from edi.guide import Guide, load
from edi.problems import CannotWrite
from edi.schema import (
    ElementUse,
    LoopDef,
    Rule,
    SegmentDef,
    SegmentUse,
    SetDef,
    SyntaxNote,
)
from edi.structure import first_use
from edi.tree import PartyId, Separators
from gateway import edi, keys
from gateway.config import Agreement, As2, Config, Edifact, Partner
from gateway.edi import Body, Envelope, Syntax
from gateway.errors import Failure

_SHOWN_CODES = 12  # longer lists are only counted
_NOBODY = PartyId("", "")  # a transaction names nobody

Child = SegmentUse | LoopDef


@dataclass(frozen=True, slots=True)
class Element:
    """An element of a segment; `codes` are its values with their meanings, where they are few."""

    designator: str
    name: str
    use: str
    type: str
    length: str  # "1-22", "3"
    codes: tuple[tuple[str, str], ...]
    listed: int  # how many codes there are, where they are not shown
    note: str


@dataclass(frozen=True, slots=True)
class Variant:
    """What holds of some of the segments at a place: of N1[ST], or of N1[ST]>N4."""

    name: str
    use: str  # must, used or never
    times: str
    note: str
    elements: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment, or the loop that it begins, at its place; `depth` is the number of loops around it."""

    name: str
    tag: str
    title: str
    depth: int
    is_loop: bool
    use: str
    times: str  # "1", "2 to 4", "1 or more", "any number"
    note: str
    syntax: tuple[str, ...]
    elements: tuple[Element, ...]
    variants: tuple[Variant, ...]


@dataclass(frozen=True, slots=True)
class Agreed:
    """One set in one direction; without a guide, all that the standard allows is used."""

    type: str
    title: str
    direction: str
    version: str
    acknowledged_by: str
    guide: str | None
    note: str
    segments: tuple[Segment, ...]
    never: tuple[str, ...]
    others: tuple[str, ...]  # neither named by the guide nor required; they are used as in the standard
    example: str | None  # ST to SE, a segment a line


@dataclass(frozen=True, slots=True)
class Sheet:
    """All of one partner's."""

    us: str
    partner: str
    role: str
    connection: tuple[tuple[str, str], ...]
    sets: tuple[Agreed, ...]


def sheet(config: Config, partner: Partner, types: tuple[str, ...] = ()) -> Sheet:
    """The sheet of a partner, of some sets or of all. Raises GuideError for a guide that does not fit."""
    agreed = [agreement for agreement in partner.agreements if not types or agreement.type in types]
    return Sheet(
        config.us.name,
        partner.name,
        partner.role,
        tuple(_connection(config, partner)),
        tuple(_agreed(partner, agreement) for agreement in agreed),
    )


def _connection(config: Config, partner: Partner) -> Iterator[tuple[str, str]]:
    us, test = config.us, partner.usage == "T"
    if partner.isa or not partner.unb:
        marks = partner.x12
        yield "our ISA id", str(us.isa or "")
        yield "their ISA id", ", ".join(str(p) for p in (partner.isa, *partner.aliases) if p is not None)
        if us.gs or marks.gs:
            yield "GS ids", f"ours {us.gs or 'as in ISA'}, theirs {marks.gs or 'as in ISA'}"
        yield "usage", "test (ISA15 T)" if test else "production (ISA15 P)"
        separators = f"element {marks.element} component {marks.component} segment {marks.segment}"
        yield "we write", f"X12 {marks.version}, {separators}"
    if partner.unb:
        yield "our UNB id", _as_unb(us.unb) if us.unb else ""
        yield "their UNB id", _as_unb(partner.unb)
        yield "test indicator", "test (UNB 0035 is 1)" if test else "production (no UNB 0035)"
        yield "EDIFACT", _service_characters(partner.edifact)
    if as2 := partner.as2:
        yield "our AS2 id", us.as2_id or ""
        yield "our AS2 URL", config.server.public_url or "as told by us"
        for key in us.keys:
            yield f"our certificate {key.id}", _certificate(key.cert)
        yield "their AS2 id", as2.id
        yield "their AS2 URL", as2.url or "none: they only send to us"
        for number, cert in enumerate(as2.certs, 1):
            name = "their certificate" + (f" {number}" if len(as2.certs) > 1 else "")
            yield name, _certificate(cert.file)
        yield "messages", f"signed by {as2.sign}, encrypted by {as2.encrypt}, compressed: {as2.compress}"
        if further := _further(as2):
            yield "and", ", ".join(further)
        yield "receipts", f"{as2.mdn.mode}, {'signed' if as2.mdn.signed else 'unsigned'}"
    if account := partner.sftp_account:
        yield "their SFTP user with us", account.user
        yield "folders", f"they put into {account.inbox} and get from {account.outbox}"
    if (poll := partner.sftp_poll) and poll.enabled:
        yield "their SFTP server", f"{poll.host}:{poll.port}, user {poll.user or ''}"


def _further(as2: As2) -> list[str]:
    """What was agreed about AS2 beyond the usual and matters to them."""
    told = {
        f"AS2-Version {as2.profile}": as2.profile is not None,
        "RSASSA-PSS": as2.signature == "pss",
        "RSAES-OAEP": as2.key_transport == "oaep",
        "parts in base64": as2.encoding == "base64",
        "several files in a message": as2.attachments,
        f"illegal and repeated file names: {as2.filenames}": as2.filenames != "accept",
    }
    return [words for words, agreed in told.items() if agreed]


def _as_unb(party: PartyId) -> str:
    """The id and its qualifier as UNB has them."""
    return f"{party.id} qualifier {party.qualifier}" if party.qualifier else party.id


def _service_characters(edifact: Edifact) -> str:
    una = {"needed": "with UNA where it is needed", "always": "with UNA", "never": "without UNA"}[edifact.una]
    marks = f"component {edifact.component} element {edifact.element} segment {edifact.segment}"
    groups = ", in groups" if edifact.groups else ""
    return f"{edifact.syntax}, {edifact.version}, {marks} release {edifact.release}, {una}{groups}"


def _agreed(partner: Partner, agreement: Agreement) -> Agreed:
    guide = load(agreement.guide) if agreement.guide else None
    theirs = guide.version if guide and agreement.direction == "in" else None
    version = theirs or agreement.version or partner.usual_version(agreement.type)
    syntax = edi.of_type(agreement.type)
    checker = syntax.checker(agreement.type, version, guide)
    definition = checker.definition if checker else None
    page = _Page(syntax, definition) if definition is not None and guide is not None else None
    return Agreed(
        agreement.type,
        definition.name if definition else "",
        agreement.direction,
        version,
        agreement.ack.mode,
        guide.name if guide else None,
        guide.note if guide else "",
        tuple(page.segments(definition.children, ())) if page and definition else (),
        tuple(page.never) if page else (),
        tuple(page.others) if page else (),
        _example(definition, version, guide, _separators(partner, agreement)) if definition else None,
    )


def _separators(partner: Partner, agreement: Agreement) -> Separators:
    return partner.edifact.separators if agreement.syntax == "edifact" else partner.x12.separators


def _example(definition: SetDef, version: str, guide: Guide | None, separators: Separators) -> str | None:
    """A transaction that the guide accepts, or None where none could be made."""
    body = Body(definition.type, example(definition))
    envelope = Envelope(_NOBODY, _NOBODY, version, separators=separators)
    try:
        segments = edi.of_type(definition.type).write_transaction(body, 1, envelope, guide)
    except CannotWrite:
        return None
    return "\n".join(segment + separators.segment for segment in segments)


class _Page:
    """The segments of a narrowed set, as they are shown."""

    def __init__(self, syntax: Syntax, definition: SetDef) -> None:
        self.syntax = syntax
        self.definition = definition
        self.never: list[str] = []
        self.others: list[str] = []
        self.frame = (0, definition.nodes[-1].index)  # ST and SE, which nobody has to be told
        self.rules: dict[int, list[Rule]] = {}
        for rule in definition.rules:
            for node in rule.nodes:
                self.rules.setdefault(node, []).append(rule)
        assert definition.standard is not None
        self.named = {
            use.index
            for use, plain in zip(definition.nodes, definition.standard.nodes, strict=True)
            if use.segment is not plain.segment
        }
        for rule in definition.rules:
            if rule.most != 0 or not rule.everywhere:
                self.named |= {*rule.nodes, *(around.first for around in rule.within)}

    def segments(self, children: tuple[Child, ...], path: tuple[str, ...]) -> Iterator[Segment]:
        """What is shown of some children, with loops; the rest goes to `never` and `others`."""
        for child in children:
            use = first_use(child)
            name = ">".join((*path, use.segment.tag))
            whole = [rule for rule in self.rules.get(use.index, []) if rule.everywhere]
            if any(rule.most == 0 for rule in whole):
                self.never.append(name)
            elif child.requirement != "M" and not self._named_in(child):
                self.others.append(name)
            else:
                yield self.segment(child, name, len(path), whole)
                if isinstance(child, LoopDef):
                    yield from self.segments(child.children[1:], (*path, use.segment.tag))

    def _named_in(self, child: Child) -> bool:
        if isinstance(child, LoopDef):
            return any(self._named_in(inner) for inner in child.children)
        return child.index in self.named

    def segment(self, child: Child, name: str, depth: int, whole: list[Rule]) -> Segment:
        use = first_use(child)
        segment = use.segment
        limit = child.repeat if isinstance(child, LoopDef) else child.max_use
        least = max([rule.least for rule in whole] + [1 if child.requirement == "M" else 0])
        most = min(
            [rule.most for rule in whole if rule.most is not None] + ([limit] if limit else []), default=0
        )
        parts = [rule for rule in self.rules.get(use.index, []) if not rule.everywhere]
        notes = _notes(whole)
        least = max(least, sum(rule.least for rule in parts if not any(a.qualifier for a in rule.within)))
        return Segment(
            name,
            segment.tag,
            segment.name,
            depth,
            isinstance(child, LoopDef),
            "must" if least else "used",
            _times(least, most),
            notes.get(0, ""),
            tuple(in_words(segment.tag, note) for note in segment.notes),
            () if use.index in self.frame else tuple(_elements(self.syntax, segment, notes, None)),
            tuple(_variant(self.syntax, rule, use.index, segment) for rule in parts),
        )


def _notes(rules: list[Rule]) -> dict[int, str]:
    found: dict[int, str] = {}
    for rule in rules:
        for element, text in rule.remarks:
            found[element] = f"{found[element]} {text}" if element in found else text
    return found


def _variant(syntax: Syntax, rule: Rule, node: int, segment: SegmentDef) -> Variant:
    notes = _notes([rule])
    own = rule.segments[rule.nodes.index(node)] if rule.segments else segment
    use = "never" if rule.most == 0 else "must" if rule.least else "used"
    limit = rule.most or 0
    times = "" if rule.most == 0 or not (rule.least or limit) else _times(rule.least, limit)
    return Variant(rule.name, use, times, notes.get(0, ""), tuple(_elements(syntax, own, notes, segment)))


def _elements(
    syntax: Syntax, segment: SegmentDef, notes: dict[int, str], against: SegmentDef | None
) -> Iterator[Element]:
    """The elements that are used; with `against`, those that differ from its own or have a note."""
    plain = against.elements if against else (None,) * len(segment.elements)
    for position, (use, before) in enumerate(zip(segment.elements, plain, strict=True), 1):
        note, designator = notes.get(position, ""), f"{segment.tag}{position:02}"
        if note or (use.requirement != "N" if before is None else use != before):
            yield _element(syntax, use, designator, note)
            yield from _components(syntax, use, designator, before)


def _components(
    syntax: Syntax, use: ElementUse, designator: str, before: ElementUse | None
) -> Iterator[Element]:
    """Those of a composite that are used, or that differ from what they were `before`."""
    plain = before.element.components if before else (None,) * len(use.element.components)
    for number, (inner, one) in enumerate(zip(use.element.components, plain, strict=True), 1):
        if inner.requirement != "N" if one is None else inner != one:
            yield _element(syntax, inner, f"{designator}-{number}", "")


def _element(syntax: Syntax, use: ElementUse, designator: str, note: str) -> Element:
    element = use.element
    codes = sorted(element.codes or ())
    few = codes if len(codes) <= _SHOWN_CODES else []
    return Element(
        designator,
        element.name,
        {"M": "must", "N": "never"}.get(use.requirement, "used"),
        element.type or "composite",
        _length(element.min, element.max) if element.type else "",
        tuple((code, syntax.meaning(element.id, code) or "") for code in few),
        0 if few else len(codes),
        note,
    )


def in_words(tag: str, note: SyntaxNote) -> str:
    """A syntax note (X12.6 section 3.5.3) as a sentence."""
    first, *others = names = [f"{tag}{position:02}" for position in note.positions]
    return {
        "P": f"{' and '.join(names)} stand together or not at all",
        "R": f"one of {' or '.join(names)} has to be there",
        "E": f"one of {' or '.join(names)} may be there, not several",
        "C": f"with {first} there has to be {' and '.join(others)}",
        "L": f"with {first} there has to be {' or '.join(others)}",
    }[note.kind]


def _length(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}" if high else f"{low} or more"


def _times(least: int, most: int) -> str:
    if most == 0:
        return f"{least} or more" if least else "any number"
    if least == most:
        return str(least)
    return f"{least} to {most}" if least else f"at most {most}"


def _certificate(file: Path) -> str:
    """What tells a certificate from others; where it cannot be read, that."""
    try:
        certificate = keys.read_certificate(file)
    except Failure as failure:
        return failure.what
    return f"SHA-256 {keys.fingerprint(certificate)}, until {certificate.not_valid_after_utc:%Y-%m-%d}"
