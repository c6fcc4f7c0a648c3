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
        "demo": ("gateway.cli.run:demo", "One order, end to end, both sides on this machine."),
        "init": ("gateway.cli.setup:init", "Make a home: keys, partners.toml and folders."),
        "doctor": ("gateway.cli.setup:doctor", "Check configuration, keys, permissions, database and ports."),
        "partner": ("gateway.cli.partner:partner", "Trading partners: add, change, look at; certificates."),
        "serve": ("gateway.cli.run:serve", "Run the gateway until it is told to stop."),
        "send": ("gateway.cli.run:send", "Send a file to a partner."),
        "inbox": ("gateway.cli.look:inbox", "What partners have sent us."),
        "outbox": ("gateway.cli.look:outbox", "What we have sent partners."),
        "order": ("gateway.cli.look:order", "Where an order stands, and who owns the next step."),
        "doc": (
            "gateway.cli.look:doc",
            "Documents: list, show, raw, explain, replay, resend, resubmit.",
        ),
        "ack": ("gateway.cli.look:ack", "Acknowledgments that are late: theirs, and ours."),
        "batch": ("gateway.cli.batch:batch", "Documents that wait to leave together."),
        "control": ("gateway.cli.control:control", "Control numbers: what comes next, and setting it."),
        "dead": ("gateway.cli.look:dead", "What was held, refused or given up, and waits for a person."),
        "evidence": (
            "gateway.cli.evidence:evidence",
            "Export a transmission with its proofs, to be verified by others.",
        ),
        "edi": ("gateway.cli.edi:edi", "Look into, check, answer and write EDI files."),
        "map": ("gateway.cli.maps:map_", "What of documents a map carries, and what not."),
    },
)
