"""Control numbers, seen and set by an operator."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, NamedTuple

import click

from gateway.cli import output
from gateway.cli.opening import open_home
from gateway.cli.output import Group
from gateway.errors import Code, Failure
from gateway.numbers import LEVELS

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from edi.tree import PartyId, Syntax
    from gateway.config import Partner
    from gateway.home import Home


@click.group(cls=Group, short_help="Control numbers: what comes next, and setting it.")
def control() -> None:
    """Control numbers of what we send, counted for each pair of identities.

    Those of X12 are ISA13, GS06 and ST02, those of EDIFACT UNB 0020, UNG 0048 and UNH 0062.
    """


@control.command("show")
@click.argument("name", metavar="[PARTNER]", required=False)
def show(name: str | None) -> None:
    """The number that each sequence gives next."""
    from gateway import numbers

    with open_home() as home:
        theirs = home.config.partner(name).parties if name else None
        with home.store.read() as conn:
            found = numbers.counters(conn, theirs)
        names = _names(home)
        rows = [{"partner": names.get(one.theirs), **one._asdict()} for one in found]
        columns = {column: column for column in ("partner", "ours", "theirs", "level", "next")}
        output.rows(rows, columns)
        if not rows:
            output.note("no number has been used yet: every sequence begins with 1")


def _names(home: Home) -> dict[str, str]:
    return {
        str(party): partner.name for partner in home.config.partners.values() for party in partner.parties
    }


@control.command("set")
@click.argument("name", metavar="PARTNER")
@click.option("--next", "number", type=click.IntRange(min=1), required=True, help="What comes next.")
@click.option(
    "--level",
    "levels",
    type=click.Choice(LEVELS),
    multiple=True,
    help="Which sequence; absent: each that is counted. May be given more than once.",
)
@click.option(
    "--syntax",
    type=click.Choice(["x12", "edifact"]),
    help="Only of this syntax, with a partner who speaks both.",
)
@click.option("--force", is_flag=True, help="Also where numbers would be used again.")
@click.option("--dry-run", is_flag=True, help="Say what would change.")
def set_(
    name: str,
    *,
    number: int,
    levels: tuple[str, ...],
    syntax: Syntax | None,
    force: bool,
    dry_run: bool,
) -> None:
    """Have the numbers to a partner go on from another one, as when taking over from another system.

    The change is noted in the partner's history, with who made it.
    """
    with open_home() as home:
        partner = home.config.partner(name)
        sequences = _sequences(home, partner, levels, syntax)
        _refuse_too_high(sequences, number)
        if dry_run:
            with home.store.read() as conn:
                changes = _changes(home, conn, partner, sequences, number, force=force)
        else:
            changes = home.store.write(
                lambda conn: _set(
                    home, conn, _changes(home, conn, partner, sequences, number, force=force), number
                )
            )
    output.value(
        {
            "partner": name,
            "next": number,
            "levels": {one.level: {"was": one.now, "next": number} for one in changes},
            "changed": not dry_run,
        },
        "\n".join(
            f"{one.level}: {'would be' if dry_run else 'is now'} {number}, was {one.now}"
            + (f"; {one.repeats}" if one.repeats else "")
            for one in changes
        ),
    )


class _Sequence(NamedTuple):
    """A sequence that is counted with a partner, by its name, and its level."""

    name: str
    level: str
    syntax: Syntax
    ours: PartyId
    theirs: PartyId


class _Change(NamedTuple):
    """A sequence to be set: what it would have given next, and which used numbers that repeats, in words."""

    partner: Partner
    sequence: _Sequence
    now: int
    repeats: str

    @property
    def level(self) -> str:
        return self.sequence.name


def _sequences(home: Home, partner: Partner, levels: tuple[str, ...], only: Syntax | None) -> list[_Sequence]:
    """Each sequence of the levels asked for that is counted with this partner. Raises Failure."""
    found = []
    spoken: tuple[Syntax, ...] = (only,) if only else ("x12", "edifact")
    for syntax in spoken:
        ours, theirs = home.config.us.identity(syntax), partner.identity(syntax)
        if ours is not None and theirs is not None:
            names = _names_of_sequences(partner, levels, syntax)
            found += [_Sequence(name, level, syntax, ours, theirs) for name, level in names.items()]
    if not found:
        kind = "UNB" if only == "edifact" else "ISA"
        whose = "us" if home.config.us.identity(spoken[0]) is None else partner.name
        raise Failure(
            Code.CANNOT_WRITE, f"partners.toml names no {kind} identity for {whose}", next="tradelane doctor"
        )
    return found


def _names_of_sequences(partner: Partner, levels: tuple[str, ...], syntax: Syntax) -> dict[str, str]:
    from gateway import edi, numbers

    rules = partner.control_numbers
    derived = {"transaction"} if rules.transaction == "group" else set()
    if rules.group == "interchange" or (syntax == "edifact" and not partner.edifact.groups):
        derived.add("group")
    for level in derived.intersection(levels):
        raise click.UsageError(f"{level} numbers are not counted with {partner.name}: see control_numbers")
    sent = [one.type for one in partner.agreements if one.direction == "out" and one.syntax == syntax]
    functional_id = edi.SYNTAXES[syntax].functional_id
    types = {*filter(None, map(functional_id, sent)), "FA"}
    if syntax == "edifact":
        types = types - {"FA"} | {"CONTRL"} if partner.edifact.groups else {""}
    return {
        numbers.sequence(rules, partner.usage, level, type, syntax): level
        for level in levels or LEVELS
        if level not in derived
        for type in sorted(types)
    }


def _refuse_too_high(sequences: list[_Sequence], number: int) -> None:
    from gateway import numbers

    for one in sequences:
        if number > numbers.last(one.name):
            raise click.UsageError(f"the highest {one.name} number is {numbers.last(one.name)}")


def _changes(
    home: Home,
    conn: Connection,
    partner: Partner,
    sequences: list[_Sequence],
    number: int,
    *,
    force: bool,
) -> list[_Change]:
    """What setting them comes to. Raises Failure NUMBER_USED, unless forced."""
    from gateway import numbers, queries

    changes = []
    for one in sequences:
        now = numbers.peek(conn, one.ours, one.theirs, one.name)
        repeats = queries.numbers_used_from(
            home, conn, partner, one.level, one.name, now, number, syntax=one.syntax
        )
        if repeats and not force:
            raise Failure(
                Code.NUMBER_USED,
                repeats,
                next=f"tradelane control set {partner.name} --next {max(now, number)} --level {one.level}",
            )
        changes.append(_Change(partner, one, now, repeats))
    return changes


def _set(home: Home, conn: Connection, changes: list[_Change], number: int) -> list[_Change]:
    from gateway import numbers

    for one in changes:
        numbers.put(conn, one.sequence.ours, one.sequence.theirs, one.level, number)
        text = (
            f"{getpass.getuser()} set the next {one.level} number to {one.partner.name} "
            f"from {one.now} to {number}"
        )
        home.note(
            conn, "control-set", text + (f"; {one.repeats}" if one.repeats else ""), partner=one.partner.name
        )
    return changes
