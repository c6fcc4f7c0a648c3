"""`evidence`: one transmission with its proofs, in a zip that verifies without us."""

from __future__ import annotations

import os
from pathlib import Path

import click

from gateway.cli import output
from gateway.cli.opening import open_home
from gateway.cli.output import Command


@click.command(cls=Command, short_help="Export a transmission with its proofs, to be verified by others.")
@click.argument("identity", metavar="DOC")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.zip",
    help="Where to write it; evidence-ID.zip here without.",
)
def evidence(identity: str, out: Path | None) -> None:
    """Export a transmission, or the one that carried a document: a zip with `verify.sh` in it.

    In it are the message and the receipt as they crossed the wire, the payload, the MIC, certificates and the
    record of what happened. The script verifies it with openssl alone. No private key is exported.
    """
    from gateway import evidence as exporting
    from gateway import queries, wire
    from gateway.errors import Code, Failure

    with open_home() as home:
        row = wire.row_of(home, identity)
        if row is None:
            raise Failure(
                Code.DOCUMENT_UNKNOWN,
                f"no transmission has or carried the id {identity!r}",
                next="tradelane doc list",
            )
        target = out or Path(f"evidence-{row.id}.zip")
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            with open(temporary, "xb") as file:
                record = exporting.export(home, row.id, file)
            temporary.rename(target)
        finally:
            temporary.unlink(missing_ok=True)
    told = {
        "transmission": row.id,
        "file": str(target),
        "proves": record["proves"],
        "lacks": record["lacks"],
    }
    lines = [f"{target}: {record['status']}, {record['message_id'] or 'no Message-ID'}"]
    lines += [f"  proves: {one}" for one in record["proves"]]
    lines += [f"  lacks: {one}" for one in record["lacks"]]
    output.value(queries.plain(told), "\n".join(lines))
    output.note(f"Next: unzip {target} and run `sh {f'evidence-{row.id}'}/verify.sh`")
