"""Control numbers, seen and set by an operator."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import click

from gateway.cli import output
from gateway.cli.opening import open_home
from gateway.cli.output import Group
from gateway.errors import Code, Failure

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from edi.tree import PartyId
    from gateway.home import Home
    from gateway.numbers import Counter

LEVELS = ("interchange", "group", "transaction")


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
    help="Which sequence; absent: all three. May be given more than once.",
)
@click.option("--force", is_flag=True, help="Also where numbers would be used again.")
@click.option("--dry-run", is_flag=True, help="Say what would change.")
def set_(name: str, *, number: int, levels: tuple[str, ...], force: bool, dry_run: bool) -> None:
    """Have the numbers to a partner go on from another one, as when taking over from another system.

    The change is noted in the partner's history, with who made it.
    """
    from gateway import numbers

    with open_home() as home:
        partner = home.config.partner(name)
        us = home.config.us.isa
        if us is None or partner.isa is None:
            raise Failure(
                Code.CANNOT_WRITE,
                f"partners.toml names no ISA identity for {'us' if us is None else name}",
                next="tradelane doctor",
            )
        ends = us, partner.isa
        with home.store.read() as conn:
            known = numbers.counters(conn, [partner.isa])
        chosen = _chosen(known, ends, levels or LEVELS)
        behind = [(level, now) for level, now in chosen.items() if number < now]
        if behind and not force:
            level, now = behind[0]
            raise Failure(
                Code.NUMBER_USED,
                f"{level} numbers {number} to {now - 1} have been used with {name}; next is {now}",
                next=f"tradelane control set {name} --next {max(now for _, now in behind)}",
            )

        def record(conn: Connection) -> None:
            for level, now in chosen.items():
                numbers.put(conn, *ends, level, number)
                home.note(
                    conn,
                    "control-set",
                    f"{getpass.getuser()} set the next {level} number to {name} from {now} to {number}"
                    + (", which repeats used numbers" if number < now else ""),
                    partner=name,
                )

        if not dry_run:
            home.store.write(record)
        output.value(
            {
                "partner": name,
                "next": number,
                "levels": {level: {"was": now, "next": number} for level, now in chosen.items()},
                "changed": not dry_run,
            },
            "\n".join(
                f"{level}: {'would be' if dry_run else 'is now'} {number}, was {now}"
                for level, now in chosen.items()
            ),
        )


def _chosen(known: list[Counter], ends: tuple[PartyId, PartyId], levels: tuple[str, ...]) -> dict[str, int]:
    """The sequences meant, with the number each would have given next."""
    ours = {one.level: one.next for one in known if one.ours == str(ends[0])}
    by_type = {level: now for level, now in ours.items() if level.split(" ")[0] in levels and " " in level}
    return {level: ours.get(level, 1) for level in levels} | by_type
