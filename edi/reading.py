"""What the readers of both syntaxes have in common: a stream taken in as text, and the trailers compared.

Text is latin-1, so an index into it is a byte offset.
"""

from __future__ import annotations

import re
from typing import BinaryIO, NamedTuple

from edi.problems import Fault, NotEdi, Problem, Severity
from edi.tree import Separators

READ = 256 * 1024
SEARCHED = 64 * 1024  # bytes that may stand before the first interchange
BLANK = " \t\r\n"
KEPT = 100  # loose segments, and problems of one kind of place, that are kept
TRIES = 100  # of string search; where it fails it may have looked far
_PRINTABLE = bytes(range(0x20, 0x7F)) + b"\r\n"


class Limits(NamedTuple):
    """What a reader takes before it calls the content hostile; lengths in bytes."""

    segment: int = 128 * 1024  # a binary segment may be as long as a transaction
    elements: int = 1000  # of one segment; not counted in a set that is shorter than a segment may be
    segments: int = 100_000  # of one transaction
    transaction: int = 16 * 1024 * 1024
    broken: int = 1000  # headers of any kind that are wrong or have not their trailers, in all of a stream


LIMITS = Limits()


class GivenUpError(Exception):
    """The interchange is followed no further, for the reason given as a problem."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.problem = Problem(Fault.LIMIT_EXCEEDED, message, offset=offset)


class RawSegment(NamedTuple):
    """A segment without its terminator, line breaks removed, and the byte offset of its tag."""

    text: str
    offset: int
    tag: str


class Window:
    """Holds the text read and not yet yielded: `text[at:]`, whose byte offset is `base + at`."""

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        self._stream = stream
        self._limits = limits
        self._text = ""
        self._at = 0
        self._base = 0
        self._ended = False
        self._plain_from = 0  # the offset after the last text that is not printable ASCII and line ends
        self._separators = Separators()
        self._blank = BLANK  # what may stand between segments
        self._line_ends = "\r\n"  # those that are no service characters
        self._regular = True  # in this interchange the same line end has followed every terminator so far
        self._broken = 0  # of `Limits.broken`; beyond them only a whole header begins an interchange
        self._irregular = 0  # transactions that string search could not split

    @property
    def _offset(self) -> int:
        return self._base + self._at

    def _fill(self) -> bool:
        """Reads on, as much again as is held so that a long transaction costs linear time."""
        if self._ended:
            return False
        data = self._stream.read(max(READ, len(self._text) - self._at))
        if not data:
            self._ended = True
            return False
        self._text = self._text[self._at :] + data.decode("latin-1")
        self._base += self._at
        self._at = 0
        if not data.isascii() or data.translate(None, _PRINTABLE):
            self._plain_from = self._base + len(self._text)
        return True

    def _have(self, length: int) -> bool:
        while len(self._text) - self._at < length:
            if not self._fill():
                return False
        return True

    def _skip_blank(self) -> bool:
        """Goes to the next character that is no blank; False at the end of the file."""
        while True:
            text, at, end = self._text, self._at, len(self._text)
            while at < end and text[at] in self._blank:
                at += 1
            self._at = at
            if at < end:
                return True
            if not self._fill():
                return False

    def _peek_tag(self) -> str | None:
        """The tag at the current place, also where a line end wraps it; None at the end of the file."""
        if not self._skip_blank():
            return None
        self._have(8)
        head = self._text[self._at : self._at + 8]
        for character in self._line_ends:
            head = head.replace(character, "")
        return head.partition(self._separators.element)[0].partition(self._separators.segment)[0]

    def _find_first(self, begins: tuple[str, ...], beginning: re.Pattern[str]) -> tuple[Problem, ...]:
        """Goes to the first interchange; what stands before it is told.

        Raises NotEdi, with the first characters there are, where there is none within 64 KiB.
        """
        self._have(SEARCHED)
        if self._text.startswith("\xef\xbb\xbf"):
            self._at = 3
        self._skip_blank()
        if self._text.startswith(begins, self._at):
            return ()
        found = beginning.search(self._text, self._at, self._at + SEARCHED)
        if found is None:
            raise NotEdi(self._text[self._at : self._at + 8])
        stray = self._stray()
        self._at = found.start()
        return (stray,)

    def _find_next(
        self, begins: tuple[str, ...], beginning: re.Pattern[str], whole: re.Pattern[str], longest: int
    ) -> tuple[Problem, ...]:
        """Skips what stands between interchanges, which is told; memory does not grow with it.

        `whole` is a header of not more than `longest` characters in full, which alone counts once too much
        was broken.
        """
        self._blank = BLANK
        strict = self._broken > self._limits.broken
        if not self._skip_blank():
            return ()
        self._have(longest)
        if whole.match(self._text, self._at) if strict else self._text.startswith(begins, self._at):
            return ()
        stray = self._stray()
        while not (found := (whole if strict else beginning).search(self._text, self._at)):
            self._at = max(self._at, len(self._text) - longest)
            if not self._fill():
                self._at = len(self._text)
                return (stray,)
        self._at = found.start()
        return (stray,)

    def _too_large(self, tag: str, what: str, offset: int) -> Problem:
        limits = self._limits
        message = (
            f"{what} may have {limits.segments} segments of {limits.elements} elements"
            f" and {limits.transaction} bytes at most"
        )
        return Problem(Fault.LIMIT_EXCEEDED, message, segment=tag, position=1, offset=offset)

    def _stray(self) -> Problem:
        return Problem(
            Fault.TEXT_OUTSIDE_INTERCHANGE,
            "this text belongs to no interchange",
            Severity.WARNING,
            offset=self._offset,
            value=self._text[self._at : self._at + 80],
        )

    def _too_long(self) -> GivenUpError:
        return GivenUpError(f"no segment terminator within {self._limits.segment} bytes", self._offset)

    def _count_broken(self) -> None:
        """Counts a header that is wrong or has not its trailer; too many of them raise."""
        self._broken += 1
        if self._broken > self._limits.broken:
            message = f"more than {self._limits.broken} headers are wrong or have not their trailers"
            raise GivenUpError(message, self._offset)


class Seen:
    """Control numbers met in a group; one bit each, as a large group has very many."""

    def __init__(self) -> None:
        self._blocks: dict[int, int] = {}
        self._others: set[str] = set()

    def first_time(self, number: str) -> bool:
        if not (number.isascii() and number.isdecimal() and len(number) <= 9):
            if number in self._others:
                return False
            if len(self._others) < 10_000:
                self._others.add(number)
            return True
        block, bit = divmod(int(number), 512)
        known = self._blocks.get(block, 0)
        self._blocks[block] = known | (1 << bit)
        return not known >> bit & 1


def value_at(row: list[str], position: int) -> str:
    """An element of a split segment without blanks around it, "" where there is none."""
    return row[position].strip() if position < len(row) else ""


def start_of(row: list[str], position: int) -> int:
    """Where an element begins in its segment's text; the end of it for one that is missing."""
    starts = [0]
    for value in row[:-1]:
        starts.append(starts[-1] + len(value) + 1)
    return starts[position] if position < len(row) else starts[-1] + len(row[-1])


def misplaced(segment: RawSegment) -> Problem:
    """A segment outside the envelope it needs."""
    message = f"segment {segment.tag[:20]!r} stands outside the envelope it belongs into"
    return Problem(Fault.HEADER_MISSING, message, segment=segment.tag[:3], offset=segment.offset)


def no_trailer(tag: str, what: str, offset: int) -> Problem:
    """A trailer that has not come."""
    return Problem(Fault.TRAILER_MISSING, f"{what} ends without {tag}", segment=tag, offset=offset)


def wrong_count(
    row: list[str], found: int, what: str, offset: int, position: int | None = None
) -> list[Problem]:
    """Compares a trailer's first element with what was there."""
    stated = value_at(row, 1)
    if stated.isascii() and stated.isdecimal() and len(stated) <= 10 and int(stated) == found:
        return []
    message = f"{row[0]}01 says {stated[:20]!r}, but there are {found} {what}"
    place = offset + start_of(row, 1)
    return [
        Problem(
            Fault.COUNT_MISMATCH, message, Severity.ERROR, row[0], position, 1, offset=place, value=stated
        )
    ]


def wrong_echo(
    row: list[str], number: str, header: str, offset: int, position: int | None = None
) -> list[Problem]:
    """Compares a trailer's control number with its header's; another padding alone is a warning."""
    stated = value_at(row, 2)
    if stated == number:
        return []
    padded = stated.lstrip("0") == number.lstrip("0") != ""
    message = f"{row[0]}02 {stated[:20]!r} is not the number in {header}, {number[:20]!r}"
    place = offset + start_of(row, 2)
    severity = Severity.WARNING if padded else Severity.ERROR
    return [
        Problem(
            Fault.CONTROL_NUMBER_MISMATCH, message, severity, row[0], position, 2, offset=place, value=stated
        )
    ]
