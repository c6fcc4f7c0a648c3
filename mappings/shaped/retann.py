"""RETANN, the announcement for returns: its lines have numbers, those of a ReturnAuthorization have none."""

from __future__ import annotations

from edi.documents import ReturnAuthorization, ReturnLine
from edi.problems import Problem
from mappings.shaped import number_in, proven, recast, with_number


class AnnouncedLine(ReturnLine, frozen=True):
    """A line (LIN)."""

    number: str | None = None


class Announcement(ReturnAuthorization, frozen=True, tag_field="schema", tag="announcement"):
    """The message."""

    announced: tuple[AnnouncedLine, ...] = ()


def to_authorization(announcement: Announcement) -> tuple[ReturnAuthorization, tuple[Problem, ...]]:
    """The return that the message announces."""
    lines = tuple(
        recast(ReturnLine, line, extra=with_number(line.extra, line.number, position))
        for position, line in enumerate(announcement.announced, 1)
    )
    return recast(ReturnAuthorization, announcement, lines=lines), ()


def _from_authorization(authorization: ReturnAuthorization) -> Announcement:
    announced = []
    for position, line in enumerate(authorization.lines, 1):
        number, extra = number_in(line.extra, position)
        announced.append(recast(AnnouncedLine, line, number=number, extra=extra))
    return recast(Announcement, authorization, lines=(), announced=tuple(announced))


from_authorization = proven(to_authorization, _from_authorization)
"""The message that announces a return, its lines numbered from 1. Raises CannotWrite."""
