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

    from gateway.config import Partner
    from gateway.home import Home


@click.group(cls=Group, short_help="Control numbers: what comes next, and setting it.")
def control() -> None:
    """Control numbers of what we send: ISA13, GS06 and ST02, counted for each pair of identities."""


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
@click.option("--next", "number", type=click.IntRange(1, 999_999_999), required=True, help="What comes next.")
@click.option(
    "--level",
    "levels",
    type=click.Choice(LEVELS),
    multiple=True,
    help="Which sequence; absent: each that is counted. May be given more than once.",
)
@click.option("--force", is_flag=True, help="Also where numbers would be used again.")
@click.option("--dry-run", is_flag=True, help="Say what would change.")
def set_(name: str, *, number: int, levels: tuple[str, ...], force: bool, dry_run: bool) -> None:
    """Have the numbers to a partner go on from another one, as when taking over from another system.

    The change is noted in the partner's history, with who made it.
    """
    with open_home() as home:
        partner = home.config.partner(name)
        sequences = _sequences(partner, levels)
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


class _Change(NamedTuple):
    """A sequence to be set: what it would have given next, and which used numbers that repeats, in words."""

    partner: Partner
    level: str
    now: int
    repeats: str


def _sequences(partner: Partner, levels: tuple[str, ...]) -> list[tuple[str, str]]:
    """Each sequence of the levels asked for that is counted with this partner, and its level."""
    from gateway import edi, numbers

    rules = partner.control_numbers
    derived = {"group"} if rules.group == "interchange" else set()
    derived |= {"transaction"} if rules.transaction == "group" else set()
    for level in derived.intersection(levels):
        raise click.UsageError(f"{level} numbers are not counted with {partner.name}: see control_numbers")
    sent = [
        edi.of_type(one.type).functional_id(one.type) for one in partner.agreements if one.direction == "out"
    ]
    types = sorted({"FA", *filter(None, sent)})
    named = {
        numbers.sequence(rules, partner.usage, level, type): level
        for level in levels or LEVELS
        if level not in derived
        for type in types
    }
    return list(named.items())


def _changes(
    home: Home,
    conn: Connection,
    partner: Partner,
    sequences: list[tuple[str, str]],
    number: int,
    *,
    force: bool,
) -> list[_Change]:
    """What setting them comes to. Raises Failure NUMBER_USED, unless forced."""
    from gateway import numbers, queries

    us = home.config.us.isa
    if us is None or partner.isa is None:
        whose = "us" if us is None else partner.name
        raise Failure(
            Code.CANNOT_WRITE, f"partners.toml names no ISA identity for {whose}", next="tradelane doctor"
        )
    changes = []
    for name, level in sequences:
        now = numbers.peek(conn, us, partner.isa, name)
        repeats = queries.numbers_used_from(home, conn, partner, level, name, now, number)
        if repeats and not force:
            raise Failure(
                Code.NUMBER_USED,
                repeats,
                next=f"tradelane control set {partner.name} --next {max(now, number)} --level {level}",
            )
        changes.append(_Change(partner, name, now, repeats))
    return changes


def _set(home: Home, conn: Connection, changes: list[_Change], number: int) -> list[_Change]:
    from gateway import numbers

    us = home.config.us.isa
    for one in changes:
        assert us is not None
        assert one.partner.isa is not None
        numbers.put(conn, us, one.partner.isa, one.level, number)
        text = (
            f"{getpass.getuser()} set the next {one.level} number to {one.partner.name} "
            f"from {one.now} to {number}"
        )
        home.note(
            conn, "control-set", text + (f"; {one.repeats}" if one.repeats else ""), partner=one.partner.name
        )
    return changes
