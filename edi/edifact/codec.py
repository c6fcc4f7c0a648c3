"""Bytes to EDIFACT events (ISO 9735 syntax versions 1 to 4); `edi.edifact.writer` is the way back.

One message is held at a time. Whatever separates values in the file, in a `Transaction` it is NORMAL
(`edi.tree`): UNA, release characters and the character set of UNB are the affair of this module alone. A
message whose segments are all followed by the same terminator and line end is found and split by string
search; one that is not (wrapped lines, missing trailers) is read segment by segment. Bad content never
raises: it becomes problems of the event it belongs to.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from functools import cache, lru_cache
from itertools import islice
from typing import BinaryIO, NamedTuple

from edi.edifact import directory
from edi.elements import RowCheck, problems_in_row, row_check
from edi.problems import Fault, NotEdi, Problem, Severity
from edi.reading import (
    BLANK,
    KEPT,
    LIMITS,
    TRIES,
    GivenUpError,
    Limits,
    RawSegment,
    Seen,
    Window,
    misplaced,
    no_trailer,
    start_of,
    value_at,
    wrong_count,
    wrong_echo,
)
from edi.schema import SegmentDef
from edi.tree import (
    NORMAL,
    Event,
    Group,
    GroupEnd,
    Interchange,
    InterchangeEnd,
    PartyId,
    Separators,
    Transaction,
    place,
)

LEVEL_A = Separators("+", ":", "'", "*", "?", ".")
LEVEL_B = Separators("\x1d", "\x1f", "\x1c", "", "", ".")  # ISO 9735:1988 annex A; nothing to release

CHARACTER_SETS = {  # of the syntax identifier 0001; UTF-8 where characters may take more than a byte
    "UNOA": "ascii",
    "UNOB": "ascii",
    "UNOC": "iso8859-1",
    "UNOD": "iso8859-2",
    "UNOE": "iso8859-5",
    "UNOF": "iso8859-7",
    "UNOG": "iso8859-3",
    "UNOH": "iso8859-4",
    "UNOI": "iso8859-6",
    "UNOJ": "iso8859-8",
    "UNOK": "iso8859-9",
    "UNOL": "iso8859-15",
    "UNOW": "utf-8",
    "UNOX": "iso2022_jp_2",  # code extension by ISO 2022: escape sequences change the set
    "UNOY": "utf-8",
}
_AS_THEY_ARE = frozenset(("ascii", "iso8859-1", CHARACTER_SETS["UNOX"]))  # decoded, or to be left alone
_UNOA = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,-()/=!\"%&*;<>'+:?\r\n\x1c\x1d\x1f"
_UNOB = _UNOA + b"abcdefghijklmnopqrstuvwxyz"

_BEGINS = ("UNA", "UNB")
_LONGEST_HEADER = 1024
_LONGEST_SUFFIX = 8
_ENDLESS = 20  # UNB without an end, each of which is looked for; after them no interchange begins
_NOTHING = re.compile("(?!)")
_MOST = 20  # elements; no service segment has as many
_UNA = 9  # bytes: UNA and the six service characters
_BEGINNING = re.compile(r"UNA[^\r\n]{5}.[ \t\r\n]*UNB|UNB[+\x1d]", re.DOTALL)
_WHOLE = re.compile(r"(?:UNA[^\r\n]{5}.[ \t\r\n]*)?UNB.[A-Z]{4}.\d.", re.DOTALL)
_IN_LINES = re.compile(  # that lines end segments, though no UNA says so
    r"UNB\+(?:[^'\r\n?]|\?[^\r\n])*([\r\n])[\r\n]?UN[GH]\+"
)
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_UNDECODED = re.compile("[\udc80-\udcff]")  # bytes that are no character, until they are replaced
_SHIFTED = r"\x1b\$.*?(?:\x1b\([BJ]|\Z)"  # ISO 2022: two bytes a character, until ASCII is called back
_LINE_END = re.compile(r"[\r\n]*")
_SYNTAXES = ("1", "2", "3", "4")
_TOLERATED = (  # in UNB and UNG: what partners have agreed on, or write for nothing
    (Fault.CODE_UNKNOWN, "0002"),  # told as a version that is not read
    (Fault.TOO_LONG, "0017"),
    (Fault.TOO_SHORT, "0017"),
)
_SERVICE = frozenset(("UNA", "UNB", "UNG", "UNH", "UNT", "UNE", "UNZ", "UNO", "UNP"))
_RELEASED = 0xE000  # where released characters wait, in Unicode's private use area, for the separators to go
_INVALID = "\x1a"  # stands for control characters of the data that NORMAL uses


def read(stream: BinaryIO, limits: Limits = LIMITS) -> Iterator[Event]:
    """The events of every interchange in `stream`, in the order of its bytes.

    Raises NotEdi, on the first step, where no UNA or UNB stands within the first 64 KiB.
    """
    return _Reader(stream, limits).events()


class _Header(NamedTuple):
    """UNB taken apart. `separators` is None where they cannot be made out or cannot work."""

    row: list[str]  # in normal form
    separators: Separators | None
    offset: int  # of UNB
    segment: str  # raw
    problems: tuple[Problem, ...]


class _Normalizing(NamedTuple):
    """How the text of an interchange becomes normal, by its service characters and its character set."""

    character_set: str
    line_ends: str  # those that are no service characters
    blank: str  # what may stand between segments
    passed: str  # what stands before a released character: release characters, and line ends between
    table: dict[int, str]  # service characters, and released ones that wait, to what they become
    special: re.Pattern[str]  # what is to be looked at first: shifts, released characters, line ends
    waiting: dict[str, str]  # service characters, to what stands for them where they are released

    def normal(self, raw: str, offset: int) -> tuple[str, list[int]]:
        """Raw text in normal form, and the `Transaction.unseen` of it.

        A line end between a release character and what it releases was put there by who wrapped the lines.
        """
        unseen: list[int] = []
        text = raw
        if self.special.search(raw):
            pieces, done = [], 0
            for found in self.special.finditer(raw):
                pieces.append(raw[done : found.start()])
                done, begin = found.end(), offset + found.start()
                if found[0][0] == "\x1b" and self.character_set == CHARACTER_SETS["UNOX"]:
                    shifted = found[0].encode("latin-1").decode(self.character_set, "replace")
                    pieces.append(shifted)
                    unseen += [begin] * (len(found[0]) - len(shifted))
                elif found[1] is None:  # a line end within a segment
                    unseen.append(begin - 1)
                else:
                    pieces.append(self.waiting.get(found[1], found[1]))
                    unseen += [begin] * (len(found[0]) - 1)
            text = "".join([*pieces, raw[done:]])
        text = text.translate(self.table)
        if not self.is_encoded(text):
            return text, unseen
        text = text.encode("latin-1").decode(self.character_set, "surrogateescape")
        if self.character_set == "utf-8":
            unseen = _with_bytes(text, offset, unseen)
        return _UNDECODED.sub("\ufffd", text), unseen

    def is_encoded(self, text: str) -> bool:
        """Whether text of bytes has yet to be decoded."""
        return not (text.isascii() or self.character_set in _AS_THEY_ARE)


@lru_cache(maxsize=64)
def _normalizing(service: tuple[str, ...], character_set: str) -> _Normalizing:
    """For the service characters of `Separators`, in their order."""
    release = service[4]
    line_ends = "".join(c for c in "\r\n" if c not in service)
    blank = "".join(c for c in BLANK if c not in service) + service[2]
    table = {ord(c): _INVALID for c in NORMAL[:4]}
    for mine, normal in zip(service[:4], NORMAL[:4], strict=True):
        if mine:
            table[ord(mine)] = normal
    waiting = {chr(code): chr(_RELEASED + code) for code in table}
    table |= {_RELEASED + code: chr(code) for code in table}
    table |= {_RELEASED + ord(c): _INVALID for c in NORMAL[:4]}
    ends = re.escape(line_ends)
    parts = [_SHIFTED] if character_set == CHARACTER_SETS["UNOX"] else []
    parts += [f"{re.escape(release)}[{ends}]*([^{ends}])" if release else "(?!)()", f"[{ends}]"]
    special = re.compile("|".join(parts), re.DOTALL)
    passed = release + line_ends if release else ""
    return _Normalizing(character_set, line_ends, blank, passed, table, special, waiting)


class _Reader(Window):
    """The events of a stream, a message at a time."""

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        super().__init__(stream, limits)
        self._normalizing = _normalizing(LEVEL_A[:5], "ascii")
        self._character_set = "ascii"
        self._shifts = False  # whether escape sequences change the character set
        self._repertoire = b""  # the characters of UNOA or UNOB, where that is declared
        self._declared = ""  # the syntax identifier 0001
        self._endless = 0  # UNB that end nowhere
        self._syntax = "3"

    # segments

    def _peek_tag(self) -> str | None:
        tag = super()._peek_tag()
        return "UNA" if tag and tag.startswith("UNA") else tag

    def _is_released(self, at: int) -> bool:
        """Whether the character at an index of the text held is data: released, or half of one in UNOX."""
        if self._shifts:
            shift = self._text.rfind("\x1b", self._at, at)
            if shift >= 0 and self._text.startswith("$", shift + 1):
                return True
        passed = self._normalizing.passed
        count = 0
        while at > self._at and (before := self._text[at - 1]) in passed:
            count += before == self._separators.release
            at -= 1
        return count % 2 == 1

    def _terminator(self, searched: int) -> int:
        """The index of the next terminator, `searched` characters on or later; -1 where the file ends."""
        longest = self._limits.segment
        while True:
            end = self._text.find(self._separators.segment, self._at + searched, self._at + longest + 1)
            if end < 0:
                searched = len(self._text) - self._at
                if searched > longest:
                    raise self._too_long()
                if not self._fill():
                    return -1
            elif self._is_released(end):
                searched = end + 1 - self._at
            else:
                return end

    def _segment(self, tag: str) -> RawSegment:
        """Takes the next segment, whose tag `_peek_tag` has told; its text is raw."""
        offset, end = self._offset, self._terminator(0)
        text = self._text[self._at : end if end >= 0 else len(self._text)]
        self._at = len(self._text) if end < 0 else end + 1
        return RawSegment(text, offset, tag)

    def _row(self, segment: RawSegment) -> list[str]:
        """The elements of a service segment, in normal form."""
        return self._normalizing.normal(segment.text, segment.offset)[0].split(NORMAL.element)

    def _placed(self, segment: RawSegment, problems: Iterable[Problem]) -> Iterator[Problem]:
        """Problems of a service segment, whose offsets are indices into its text in normal form."""
        unseen = None
        for problem in problems:
            if unseen is None:
                _, unseen = self._normalizing.normal(segment.text, segment.offset)
            yield replace(problem, offset=place(segment.offset, problem.offset or 0, unseen))

    def _use(self, separators: Separators, character_set: str) -> None:
        """Makes ready for an interchange with these service characters."""
        self._separators = separators
        self._character_set = character_set
        self._shifts = character_set == CHARACTER_SETS["UNOX"]
        self._normalizing = _normalizing(separators[:5], character_set)
        self._line_ends, self._blank = self._normalizing.line_ends, self._normalizing.blank
        self._regular = self._irregular < TRIES and not self._shifts

    # interchanges

    def events(self) -> Iterator[Event]:
        try:
            problems = self._find_first(_BEGINS, _BEGINNING)
        except NotEdi as head:
            raise NotEdi(_what_is_missing(str(head))) from None
        while True:
            yield from self._interchange(problems)
            if not self._skip_blank():
                return
            problems = ()

    def _interchange(self, problems: tuple[Problem, ...]) -> Iterator[Event]:
        begins_at = self._offset
        header = self._header()
        self._broken += bool(header.problems)
        separators, row = header.separators or LEVEL_A, [*header.row, *[""] * 12]
        syntax, sender, receiver, when = (_parts(row[at], 4) for at in (1, 2, 3, 4))
        control_number = row[5].strip()
        yield Interchange(
            syntax="edifact",
            separators=separators,
            sender=PartyId(sender[1], sender[0]),
            receiver=PartyId(receiver[1], receiver[0]),
            control_number=control_number,
            version=":".join(syntax[:2]).strip(":"),
            usage="T" if row[11] == "1" else "P",
            ack_requested=row[9] == "1",
            date=when[0],
            time=when[1],
            begins_at=begins_at,
            offset=header.offset,
            segment=header.segment,
            problems=problems + header.problems,
        )
        end = InterchangeEnd("", 0)
        if header.separators:
            end = yield from self._groups(control_number)
        end = replace(end, ends_at=self._offset)
        if self._endless > _ENDLESS:
            stray = self._find_next((), _NOTHING, _NOTHING, _LONGEST_HEADER)
        else:
            stray = self._find_next(_BEGINS, _BEGINNING, _WHOLE, _LONGEST_HEADER)
        yield replace(end, problems=end.problems + stray)

    def _header(self) -> _Header:
        """Takes UNA and UNB."""
        self._have(_LONGEST_HEADER)
        start, given = self._offset, None
        if self._text.startswith("UNA", self._at):
            una = self._text[self._at + 3 : self._at + _UNA]
            self._at = min(self._at + _UNA, len(self._text))
            component, element, decimal, release, repetition, terminator = list(una.ljust(6))
            given = Separators(element, component, terminator, repetition, release.strip(), decimal)
            if wrong := _unfit(given._replace(repetition="")):
                problem = Problem(Fault.SEPARATORS_INVALID, f"UNA: {wrong}", segment="UNA", offset=start)
                return _Header([], None, start, "", (problem,))
            self._skip_blank()
        offset = self._offset
        separators = given or (LEVEL_B if self._text.startswith("UNB\x1d", self._at) else LEVEL_A)
        in_lines = None if given else _IN_LINES.match(self._text, self._at, self._at + _LONGEST_HEADER)
        if in_lines:
            separators = separators._replace(segment=in_lines[1])
        if not self._text.startswith(f"UNB{separators.element}", self._at):
            message = "UNB does not follow UNA" if given else "UNB is not followed by its element separator"
            self._at = min(self._at + 3, len(self._text))
            problem = Problem(Fault.ENVELOPE_MALFORMED, message, segment="UNB", offset=offset)
            return _Header([], None, offset, "", (problem,))
        declared = self._text[self._at + 4 : self._at + 8]
        self._use(separators._replace(repetition=""), CHARACTER_SETS.get(declared, "ascii"))
        try:
            segment = self._segment("UNB")
        except GivenUpError as error:
            self._at += len("UNB")  # what follows is searched for another
            self._endless += 1
            return _Header([], None, offset, "", (error.problem,))
        row = self._row(segment)
        syntax = _parts(value_at(row, 1), 2)
        self._syntax = "4" if syntax[1] == "4" else "3"
        self._have(_LONGEST_SUFFIX)
        suffix = _LINE_END.match(self._text, self._at)
        separators = separators._replace(
            repetition=separators.repetition.strip() if self._syntax == "4" else "",
            suffix=suffix[0] if suffix else "",
        )
        if wrong := _unfit(separators):
            problem = Problem(Fault.SEPARATORS_INVALID, f"UNA: {wrong}", segment="UNA", offset=start)
            return _Header(row, None, offset, segment.text, (problem,))
        self._use(separators, CHARACTER_SETS.get(syntax[0], "ascii"))
        self._declared = syntax[0]
        repertoire = {"UNOA": _UNOA, "UNOB": _UNOB}.get(syntax[0], b"")
        self._repertoire = repertoire and repertoire + "".join(separators[:5]).encode("latin-1")
        if separators.repetition or declared != syntax[0]:
            row = self._row(segment)
        problems = [*_in_service("UNB", row, self._syntax), *_in_syntax(syntax)]
        if in_lines:
            problems.append(_no_una(len(NORMAL.element.join(row))))
        return _Header(row, separators, offset, segment.text, tuple(self._placed(segment, problems)))

    def _groups(self, control_number: str) -> Generator[Event, None, InterchangeEnd]:
        groups = messages = packages = 0
        seen = Seen()
        problems: list[Problem] = []
        stated, trailer = "", None
        try:
            while (tag := self._peek_tag()) is not None:
                if tag in ("UNG", "UNH"):
                    if (tag == "UNH" and groups) or (tag == "UNG" and messages):
                        problems += self._mixed() if len(problems) < KEPT else ()
                    groups += tag == "UNG"
                    for event in self._group(tag, seen):
                        messages += isinstance(event, Transaction) and tag == "UNH"
                        yield event
                elif tag in ("UNA", "UNB"):
                    break
                else:
                    segment = self._segment(tag)
                    if tag == "UNZ":
                        trailer = segment
                        break
                    if tag == "UNO":
                        packages += 1
                        told = self._package(segment)
                        problems += told if len(problems) < KEPT else ()
                    elif len(problems) < KEPT:
                        problems.append(misplaced(segment))
        except GivenUpError as error:
            problems.append(error.problem)
        if trailer is None:
            problems.append(no_trailer("UNZ", f"interchange {control_number[:20]}", self._offset))
        else:
            unz = self._row(trailer)
            stated = value_at(unz, 2)
            found, what = (groups, "groups") if groups else (messages + packages, "messages")
            wrong = wrong_count(unz, found, what, 0) + wrong_echo(unz, control_number, "UNB 0020", 0)
            problems += self._placed(trailer, wrong)
        return InterchangeEnd(stated, groups, tuple(problems), segment=trailer.text if trailer else "")

    def _mixed(self) -> list[Problem]:
        message = "messages in groups and messages without a group stand in one interchange"
        return [Problem(Fault.HEADER_MISSING, message, segment="UNG", offset=self._offset)]

    def _package(self, header: RawSegment) -> list[Problem]:
        """Skips the object of a package (UNO to UNP, ISO 9735-8), whose length UNO tells."""
        uno = self._row(header)
        stated = _parts(value_at(uno, 4), 1)[0]
        if not (stated.isascii() and stated.isdecimal() and len(stated) <= 18):
            message = "UNO04 tells no length of the object that follows"
            at = start_of(uno, 4)
            wrong = Problem(Fault.ENVELOPE_MALFORMED, message, segment="UNO", element=4, offset=at)
            return [*self._placed(header, [wrong])]
        message = f"a package of {stated} bytes is passed over: packages are not read"
        problems = [Problem(Fault.SEGMENT_NOT_USED, message, Severity.WARNING, "UNO", offset=header.offset)]
        left = int(stated)
        while left > len(self._text) - self._at:
            left -= len(self._text) - self._at
            self._at = len(self._text)
            if not self._fill():
                return [*problems, no_trailer("UNP", "a package", self._offset)]
        self._at += left
        if self._peek_tag() == "UNP":
            unp = self._segment("UNP")
            wrong_number = wrong_echo(self._row(unp), value_at(uno, 1), "UNO01", 0)
            return [*problems, *self._placed(unp, wrong_number)]
        return [*problems, no_trailer("UNP", "a package", self._offset)]

    # groups

    def _group(self, first: str, groups: Seen) -> Iterator[Event]:
        """A group and all in it, up to and with UNE; or the messages that stand without a group."""
        group = self._open_group(groups) if first == "UNG" else Group("", "", "", "", "", self._offset, "")
        yield group
        seen = Seen()
        messages = 0
        problems: list[Problem] = []
        trailer = None
        given_up: GivenUpError | None = None
        try:
            while (tag := self._peek_tag()) is not None:
                if tag == "UNH":
                    messages += 1
                    yield from self._transaction(group, seen)
                elif tag in ("UNG", "UNZ", "UNB", "UNA", "UNO") or (tag == "UNE" and not group.segment):
                    break
                else:
                    segment = self._segment(tag)
                    if tag == "UNE":
                        trailer = segment
                        break
                    if len(problems) < KEPT:
                        problems.append(misplaced(segment))
        except GivenUpError as error:
            given_up = error
        if trailer is None:
            if group.segment:
                problems.append(no_trailer("UNE", f"group {group.control_number[:20]}", self._offset))
            yield GroupEnd("", messages, tuple(problems))
        else:
            une = self._row(trailer)
            wrong = wrong_count(une, messages, "messages", 0)
            wrong += wrong_echo(une, group.control_number, "UNG 0048", 0)
            problems += self._placed(trailer, wrong)
            yield GroupEnd(value_at(une, 2), messages, tuple(problems), trailer.text)
        if given_up:
            raise given_up
        if group.problems or (trailer is None and group.segment):
            self._count_broken()

    def _open_group(self, seen: Seen) -> Group:
        segment = self._segment("UNG")
        written = self._row(segment)
        row = [*written, *[""] * 8]
        version = _parts(row[7], 3)
        problems = [*_in_service("UNG", row, self._syntax)]
        number = row[5].strip()
        if number and not seen.first_time(number):
            message = f"UNG05 {number[:20]!r} was given to an earlier group of this interchange"
            at, fault = start_of(written, 5), Fault.CONTROL_NUMBER_REPEATED
            problems.append(Problem(fault, message, segment="UNG", element=5, offset=at, value=row[5]))
        return Group(
            row[1].strip(),
            _parts(row[2], 1)[0],
            _parts(row[3], 1)[0],
            number,
            _version(version[0], version[1], row[6].strip(), version[2]),
            segment.offset,
            segment.text,
            tuple(self._placed(segment, problems)),
        )

    # messages

    def _transaction(self, group: Group, seen: Seen) -> Iterator[Transaction]:
        """The message that begins here."""
        offset = self._offset
        if self._regular:
            split = self._split_transaction()
            if split is not None:
                segments, unseen = split
                plain = not unseen and self._is_plain(offset)
                strange = self._outside_repertoire(self._text[offset - self._base : self._at], offset)
                transaction = self._built(
                    group,
                    seen,
                    segments,
                    offset=offset,
                    offsets=None,
                    unseen=unseen,
                    problems=[],
                    strange=strange,
                    plain=plain,
                )
                yield transaction
                if _has_error(transaction):
                    self._count_broken()
                return
        yield from self._irregular_transaction(group, seen)

    def _is_plain(self, offset: int) -> bool:
        """Whether the text from an offset held to where reading stands is plain (`Transaction.plain`)."""
        repetition = self._separators.repetition
        return offset >= self._plain_from and (
            not repetition or self._text.find(repetition, offset - self._base, self._at) < 0
        )

    def _irregular_transaction(self, group: Group, seen: Seen) -> Iterator[Transaction]:
        """One that is read segment by segment."""
        offset, limits = self._offset, self._limits
        self._regular = False
        self._irregular += 1
        problems: list[Problem] = []
        strange: list[Problem] = []
        pieces: list[str] = []
        offsets: list[int] = []
        unseen: list[int] = []
        held = 0
        given_up: GivenUpError | None = None
        try:
            for segment in self._transaction_segments():
                held += len(segment.text)
                fits = len(pieces) < limits.segments and held <= limits.transaction
                if problems and not fits and segment.tag != "UNT":
                    continue
                strange = strange or self._outside_repertoire(segment.text, segment.offset)
                text, within = self._normalizing.normal(segment.text, segment.offset)
                fits = fits and text.count(NORMAL.element) <= limits.elements
                if fits or segment.tag == "UNT":
                    pieces.append(text)
                    offsets.append(segment.offset)
                    unseen += within
                elif not problems:
                    problems.append(self._too_large("UNH", "a message", offset))
        except GivenUpError as error:
            given_up = error
            problems.append(error.problem)
        if pieces:
            transaction = self._built(
                group,
                seen,
                pieces,
                offset=offset,
                offsets=tuple(offsets),
                unseen=unseen,
                problems=problems,
                strange=strange,
                plain=False,
            )
            yield transaction
            if not given_up and _has_error(transaction):
                self._count_broken()
        if given_up:
            raise given_up

    def _split_transaction(self) -> tuple[list[str], list[int]] | None:
        """The segments from UNH to UNT, and what is unseen; None, with nothing taken, where that fails."""
        separators = self._separators
        last = f"{separators.segment}{separators.suffix}UNT{separators.element}"
        searched = 0
        while True:
            begin = self._text.find(last, self._at + searched)
            if begin >= 0 and self._is_released(begin):
                searched = begin + 1 - self._at
                continue
            if begin >= 0:
                end = self._text.find(separators.segment, begin + len(last))
                if end >= 0 and not self._is_released(end):
                    break
                if end >= 0:
                    return None
                searched = begin - self._at
            else:
                searched = max(0, len(self._text) - self._at - len(last))
                if searched > self._limits.transaction:
                    return None
            if not self._fill():
                if begin < 0:
                    return None
                end = len(self._text)
                break
        raw = self._text[self._at : end].rstrip(self._blank)
        return self._split(raw, end)

    def _split(self, raw: str, end: int) -> tuple[list[str], list[int]] | None:
        """Splits a whole message, and takes it, where that gives its segments and nothing else."""
        release, suffix, limits = self._separators.release, self._separators.suffix, self._limits
        breaks = raw.count(self._separators.segment)
        if (release and release in raw) or (self._character_set == "utf-8" and not raw.isascii()):
            text, unseen = self._normalizing.normal(raw, self._offset)
            segments = text.split(NORMAL.segment)
        else:
            if any(raw.count(c) != breaks * suffix.count(c) for c in self._line_ends):
                return None
            text, unseen = raw.translate(self._normalizing.table), list[int]()
            if self._normalizing.is_encoded(text):
                text = text.encode("latin-1").decode(self._character_set, "replace")
            segments = text.split(NORMAL.segment + suffix)
            if len(segments) != breaks + 1:
                return None
        heads = {segment[:3] for segment in segments[1:-1]}
        if heads and (min(heads) < "0" or not _SERVICE.isdisjoint(heads)):
            return None
        if len(segments) > limits.segments:
            return None
        if len(raw) > limits.segment and any(
            len(segment) > limits.segment or segment.count(NORMAL.element) > limits.elements
            for segment in segments
        ):
            return None
        self._at = min(end + 1, len(self._text))
        return segments, unseen

    def _transaction_segments(self) -> Iterator[RawSegment]:
        """The segments from UNH to UNT, or to where another service segment shows that UNT is missing."""
        yield self._segment("UNH")
        while (tag := self._peek_tag()) is not None:
            if tag in _SERVICE and tag != "UNT":
                return
            yield self._segment(tag)
            if tag == "UNT":
                return

    def _built(
        self,
        group: Group,
        seen: Seen,
        segments: list[str],
        *,
        offset: int,
        offsets: tuple[int, ...] | None,
        unseen: list[int],
        problems: list[Problem],
        strange: list[Problem],
        plain: bool,
    ) -> Transaction:
        """The message with what its envelope shows: UNT, UNH01 unique, a group that suits it."""
        gap = 1 + len(self._separators.suffix)
        unh = [*segments[0].split(NORMAL.element), "", ""]
        unt = segments[-1].split(NORMAL.element)
        number = unh[1].strip()
        kind, version, release, agency, association = _parts(unh[2], 5)
        if unseen and offsets is None:
            offsets, gap = _starts(segments, offset, unseen), 1
        transaction = Transaction(
            kind,
            number,
            _version(version, release, agency, association),
            NORMAL,
            tuple(segments),
            offset,
            gap,
            offsets,
            plain=plain,
            unseen=tuple(unseen),
        )
        problems += [_in_segment(problem, transaction) for problem in strange]
        if unt != ["UNT", str(len(segments)), number]:
            if unt[0] != "UNT":
                problems.append(no_trailer("UNT", f"message {number[:20]}", self._offset))
            elif not any(problem.fault is Fault.LIMIT_EXCEEDED for problem in problems):
                position = len(segments)
                wrong = wrong_count(unt, position, "segments", 0, position)
                wrong += wrong_echo(unt, number, "UNH01", 0, position)
                at = transaction.offset_of(position)
                problems += [replace(p, offset=transaction.place(at, p.offset or 0)) for p in wrong]
        if number and not seen.first_time(number):
            message = f"UNH01 {number[:20]!r} was given to an earlier message of this interchange"
            problems.append(_unh(Fault.CONTROL_NUMBER_REPEATED, message, transaction, number))
        if group.functional_id and kind != group.functional_id:
            message = f"UNG01 is {group.functional_id[:20]!r}, but the message is {kind[:20]!r}"
            problems.append(_unh(Fault.FUNCTIONAL_ID_MISMATCH, message, transaction, kind))
        return replace(transaction, problems=tuple(problems)) if problems else transaction

    def _outside_repertoire(self, text: str, offset: int) -> list[Problem]:
        """The first character that UNOA or UNOB has not; lower case in UNOA is common."""
        if not self._repertoire:
            return []
        data = text.encode("latin-1")
        strange = data.translate(None, self._repertoire)
        if not strange:
            return []
        at = data.index(strange[:1])
        message = f"{chr(strange[0])!r} is no character of {self._declared}, which UNB names"
        severity = Severity.NOTE if strange.isascii() else Severity.WARNING
        return [
            Problem(Fault.CHARACTER_INVALID, message, severity, offset=offset + at, value=chr(strange[0]))
        ]


def _has_error(transaction: Transaction) -> bool:
    return any(problem.severity is Severity.ERROR for problem in transaction.problems)


def _in_segment(problem: Problem, transaction: Transaction) -> Problem:
    """A problem of a place in the file as one of the segment that stands there."""
    position = bisect_right(transaction.starts(), problem.offset or 0)
    tag = transaction.segments[position - 1].partition(NORMAL.element)[0]
    return replace(problem, segment=tag, position=position)


def _unh(fault: Fault, message: str, transaction: Transaction, value: str) -> Problem:
    element = 1 if fault is Fault.CONTROL_NUMBER_REPEATED else 2
    severity = Severity.ERROR if element == 1 else Severity.WARNING
    place = transaction.offset_of(1, element)
    return Problem(fault, message, severity, "UNH", 1, element, offset=place, value=value)


def _starts(segments: list[str], offset: int, unseen: list[int]) -> tuple[int, ...]:
    """Where in the file each segment begins, given where it has bytes that the text has not."""
    starts = []
    at = 0
    for segment in segments:
        while at < len(unseen) and unseen[at] < offset:
            at += 1
            offset += 1
        starts.append(offset)
        offset += len(segment) + 1
    return tuple(starts)


def _with_bytes(text: str, offset: int, unseen: list[int]) -> list[int]:
    """`unseen` with the bytes that a character of UTF-8 has beyond its first."""
    more: list[int] = []
    known = 0
    for found in _BEYOND_ASCII.finditer(text):
        at = offset + found.start() + len(more) + known
        while known < len(unseen) and unseen[known] < at:
            known += 1
            at += 1
        more += [at] * (len(found[0].encode("utf-8", "surrogateescape")) - 1)
    return sorted(unseen + more)


def _parts(text: str, count: int) -> list[str]:
    """The components of a composite in normal form, without blanks around them; at least `count`."""
    return [*(part.strip() for part in text.split(NORMAL.component)), *[""] * count][: max(count, 1)]


def _version(version: str, release: str, agency: str, association: str) -> str:
    """What governs a message: D.96A, D.96A/EAN008, or XX:D.96A of an agency that is not the UN."""
    if not (version or release):
        return ""
    owner = "" if agency in ("", "UN") else f"{agency}:"
    return f"{owner}{version}.{release}" + (f"/{association}" if association else "")


def _unfit(separators: Separators) -> str:
    """Why service characters cannot work, "" where they can."""
    needed = separators[:3] + tuple(filter(None, separators[3:5]))
    blank = BLANK if separators.segment not in ("\n", "\r") else BLANK.replace(separators.segment, "")
    unfit = [c for c in needed if len(c) != 1 or c.isalnum() or c in blank]
    if unfit:
        return f"{' and '.join(map(repr, unfit))} cannot be service characters"
    return "one character is used as two separators" if len(set(needed)) < len(needed) else ""


def _in_service(tag: str, row: list[str], syntax: str) -> Iterator[Problem]:
    """What is wrong with the values of UNB or UNG. They are read all the same, but for what is needed."""
    while len(row) > 1 and not row[-1]:
        row = row[:-1]
    definition, holds = _service(tag, syntax, min(len(row) - 1, _MOST))
    text = "".join(row).replace(NORMAL.component, "")
    if holds(row) and text.isascii() and text.isprintable():
        return
    for found in islice(problems_in_row(definition, row, NORMAL), KEPT):
        tolerated = (found.fault, found.reference) in _TOLERATED
        if tolerated or found.value == "0" or found.value in CHARACTER_SETS:
            continue
        needed = found.fault is Fault.ELEMENT_MISSING and found.element <= (5 if tag == "UNB" else 0)
        fault = Fault.ENVELOPE_MALFORMED if found.fault is Fault.ELEMENT_MISSING else found.fault
        error = needed or fault is Fault.CHARACTER_INVALID
        yield Problem(
            fault,
            found.message,
            Severity.ERROR if error else Severity.WARNING,
            tag,
            None,
            found.element,
            found.component,
            offset=found.at,
            value=found.value,
            reference=found.reference,
        )


def _in_syntax(syntax: list[str]) -> Iterator[Problem]:
    """A syntax version that is not read."""
    if syntax[1] and syntax[1] not in _SYNTAXES:
        message = f"UNB01-2 syntax version {syntax[1][:20]!r} is not read; 1 to 4 are"
        yield Problem(
            Fault.VERSION_UNKNOWN, message, Severity.ERROR, "UNB", element=1, component=2,
            offset=5 + len(syntax[0]), value=syntax[1],
        )  # fmt: skip


def _no_una(at: int) -> Problem:
    message = "segments end with lines here, which UNA should have said"
    return Problem(Fault.SEPARATORS_INVALID, message, Severity.WARNING, "UNB", offset=at)


@cache
def _service(tag: str, syntax: str, count: int) -> tuple[SegmentDef, RowCheck]:
    """A service segment, and the check of its rows of so many elements."""
    definition = directory.service(tag, syntax)
    assert definition is not None
    return definition, row_check(definition, count)


def _what_is_missing(head: str) -> str:
    for tag, missing in (("UNG", "the interchange header UNB"), ("UNH", "the interchange header UNB")):
        if head.startswith(tag):
            return f"this begins with {tag}: {missing} (and the trailer that goes with it) is missing"
    return "neither UNA nor UNB stands at the beginning of this file"


def service_row(segment: str, separators: Separators) -> list[str]:
    """A service segment as it was read (`Interchange.segment`) as the elements of its normal form."""
    row = _normalizing(separators[:5], "ascii").normal(segment, 0)[0].split(NORMAL.element)
    character_set = CHARACTER_SETS.get(_parts(value_at(row, 1), 1)[0], "ascii")
    if row[0] != "UNB" or character_set == "ascii":
        return row
    return _normalizing(separators[:5], character_set).normal(segment, 0)[0].split(NORMAL.element)
