"""Batches: documents that wait to leave together, seen and let go by an operator."""

from __future__ import annotations

import click

from gateway.cli import output
from gateway.cli.opening import open_home
from gateway.cli.output import Group


@click.group(cls=Group, short_help="Documents that wait to leave together.")
def batch() -> None:
    """Batches of documents, gathered by count or time as partners.toml agrees."""


@batch.command("list")
@click.argument("name", metavar="[PARTNER]", required=False)
def list_(name: str | None) -> None:
    """What waits, the next to leave first."""
    from gateway import queries

    with open_home() as home:
        if name is not None:
            home.config.partner(name)
        found = [queries.plain(one) for one in queries.batches(home, name)]
    columns = {column: column for column in ("id", "partner", "types", "documents", "of", "leaves_at")}
    output.rows(found, columns)


@batch.command("flush")
@click.argument("name", metavar="PARTNER")
@click.option("--dry-run", is_flag=True, help="Say what would leave.")
def flush(name: str, *, dry_run: bool) -> None:
    """Let what waits for a partner leave now; the running server sends it."""
    from gateway.pipeline import batching

    with open_home() as home:
        home.config.partner(name)
        with home.store.read() as conn:
            waiting = batching.waiting(home, conn, name)
        if waiting and not dry_run:
            home.store.write(lambda conn: batching.flush(home, conn, name))
    documents = sum(one.documents for one in waiting)
    verb = "would leave" if dry_run else "leave"
    output.value(
        {"partner": name, "batches": len(waiting), "documents": documents, "flushed": not dry_run},
        f"{documents} documents for {name} {verb} now" if waiting else f"nothing waits for {name}",
    )
