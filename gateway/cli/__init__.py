"""The command line: data on stdout, messages on stderr, and an exit code that says what happened.

A command is imported when it is run, so that the table below is all that `tradelane --help` costs. Each
command takes `--json`; what stops it is a `Failure`, told once, here, in words or as JSON.
"""

from __future__ import annotations

from gateway.cli.output import Root

main = Root(
    name="tradelane",
    help="AS2, SFTP and EDI gateway: orders in, shipments and invoices out, every step acknowledged.",
    commands_at={
        "init": ("gateway.cli.setup:init", "Make a home: keys, partners.toml and folders."),
        "doctor": ("gateway.cli.setup:doctor", "Check configuration, keys, permissions, database and ports."),
        "partner": ("gateway.cli.partner:partner", "Add, list and show trading partners."),
        "edi": ("gateway.cli.edi:edi", "Look into, check, answer and write EDI files."),
    },
)
