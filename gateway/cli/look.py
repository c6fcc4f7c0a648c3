"""What came, what went, where an order stands, what waits for a person: commands that only look.

`doc replay`, `doc resend`, `doc resubmit` and `dead replay` are the exceptions; they have --dry-run.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from gateway.cli import output
from gateway.cli.opening import open_home
from gateway.cli.output import Command, Group
from gateway.errors import Code, Exit, Failure

if TYPE_CHECKING:
    from gateway.home import Home

_TRANSMISSIONS = {
    "id": "id",
    "partner": "partner",
    "channel": "channel",
    "file": "filename",
    "bytes": "size",
    "at": "at",
    "status": "status",
}

_limit = click.option("--limit", type=click.IntRange(1, 100_000), default=500, show_default=True)
_partner = click.option("--partner", help="Only this partner's.")
_status = click.option("--status", help="Only those in this state.")


def _print(items: Iterable[dict[str, Any]], columns: dict[str, str]) -> None:
    from gateway.queries import plain

    output.rows([plain(item) for item in items] if output.settings().json else list(items), columns)


@click.command(cls=Command, short_help="What partners have sent us.")
@_partner
@_status
@_limit
def inbox(partner: str | None, status: str | None, limit: int) -> None:
    """What partners have sent us, the latest first."""
    from gateway import queries

    with open_home() as home:
        _print(queries.transmissions(home, "in", partner=partner, status=status, limit=limit), _TRANSMISSIONS)


@click.command(cls=Command, short_help="What we have sent partners.")
@_partner
@_status
@_limit
def outbox(partner: str | None, status: str | None, limit: int) -> None:
    """What we have sent partners or are about to, the latest first; before it, what waits for others."""
    from gateway import queries

    with open_home() as home:
        waiting = queries.batches(home, partner) if status in {None, "batched"} else []
        sent = queries.transmissions(home, "out", partner=partner, status=status, limit=limit)
        _print([*waiting, *sent], _TRANSMISSIONS)


@click.group(cls=Group, short_help="Documents: list, show, raw, explain, replay, resend, resubmit.")
def doc() -> None:
    """Documents, and the transmissions that carried them."""


@doc.command("list")
@_partner
@click.option("--type", "type_", help="Only this set, as 850.")
@_status
@_limit
def doc_list(partner: str | None, type_: str | None, status: str | None, limit: int) -> None:
    """Documents, the latest first."""
    from gateway import queries

    with open_home() as home:
        found = queries.documents(home, partner=partner, type=type_, status=status, limit=limit)
        columns = {
            "id": "id",
            "way": "direction",
            "partner": "partner",
            "type": "type",
            "number": "number",
            "status": "status",
            "ack": "ack",
            "at": "at",
        }
        _print(found, columns)


def _unknown(identity: str) -> NoReturn:
    raise Failure(
        Code.DOCUMENT_UNKNOWN,
        f"no document or transmission has the id {identity!r}",
        next="tradelane doc list",
    )


def _get(home: Home, identity: str) -> dict[str, Any]:
    from gateway import queries

    return queries.one(home, identity) or _unknown(identity)


@doc.command()
@click.argument("id")
def show(id: str) -> None:
    """One document or transmission: its state, problems, and timeline."""
    from gateway import queries

    with open_home() as home:
        found = _get(home, id)
        body = found.get("document")
        if body is not None:
            import msgspec

            found["document"] = msgspec.json.decode(body)
        output.value(queries.plain(found), lambda: _card(found))


_APART = frozenset(  # what of a document or transmission is not one line
    {"events", "problems", "document", "documents", "interchanges", "transmitted", "parts", "protection"}
)


def _card(found: dict[str, Any]) -> str:
    lines = []
    for key, value in found.items():
        if key not in _APART and value:
            lines.append(f"{key.replace('_', ' '):22} {output.cell(value)}")
    lines += [
        f"part {one['part']:<17} {one['filename'] or '-'}  {one['content_type']}  {one['size']} bytes"
        + ("  the document" if one["document"] else "")
        for one in found.get("parts") or ()
    ]
    protection = (found.get("protection") or {}).items()
    lines += [f"{key.replace('_', ' '):22} {output.cell(value)}" for key, value in protection if value]
    lines += [f"{'problem':22} {_place(problem)}: {problem['message']}" for problem in _problems(found)]
    lines += [
        f"{'document':22} {inside['id']}  {inside['type']} "
        f"{inside['number'] or inside['transaction_control'] or ''}  {inside['status'].replace('_', ' ')}"
        for inside in found.get("documents") or ()
    ]
    lines += ["", *_timeline(found["events"])]
    return "\n".join(lines)


def _timeline(events: Iterable[dict[str, Any]]) -> list[str]:
    return [f"{output.cell(item['at'])}  {item['event']:13} {item['text']}" for item in events]


@doc.command()
@click.argument("id")
@click.option("--part", type=click.IntRange(min=1), help="Of a message with several files: this one.")
def raw(id: str, part: int | None) -> None:
    """The payload bytes, unchanged, on stdout.

    `doc show` numbers the files of a message that has several; without --part it is the one that is read.
    """
    from gateway import queries

    with open_home() as home:
        if (sha256 := queries.payload(home, id, part)) is None:
            what = "it has not been written" if part is None else f"it has no part {part}"
            raise Failure(
                Code.DOCUMENT_UNKNOWN,
                f"{_get(home, id).get('type') or 'transmission'} {id} has no bytes: {what}",
                next=f"tradelane doc show {id} --json",
            )
        with home.store.fetch(sha256, verify=True) as stream:
            while chunk := stream.read(1 << 20):
                sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


@doc.command(short_help="What is wrong, where, and what to do next.")
@click.argument("id")
@click.option(
    "--save-certificate",
    "save",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the certificate that came with its signature, PEM. It is not trusted by that.",
)
def explain(id: str, save: Path | None) -> None:
    """What is wrong with it, where, and what to do next.

    Of an AS2 message that failed its stored bytes are looked into: which form of the content was signed, by
    whom, to whom it was encrypted. None of this is told to the partner.
    """
    from gateway import diagnosis, queries
    from gateway.pipeline.replay import BY_NUMBER, Step, replay

    with open_home() as home:
        found = _get(home, id)
        written = queries.payload(home, id) is not None
        replayable = replay(home, id, dry_run=True) is not Step.NOTHING
        findings = diagnosis.diagnose(home, id)
        if save is not None:
            _save_certificate(home, id, save)
    inside = [one for one in found.get("documents") or () if one["status"] in {"rejected", "held"}]
    proposed = dict.fromkeys(command for one in findings for command in one.commands)
    advice = list(dict.fromkeys(one.advice for one in findings))
    again = any(command.startswith("tradelane doc re") for command in proposed)
    release = " --release" if found["status"] == "held" and found.get("reason") in BY_NUMBER else ""
    told = {
        "id": id,
        "status": found["status"],
        "reason": found.get("reason"),
        "error": found.get("error"),
        "problems": _problems(found),
        "answers": _answers(found),
        "diagnosis": [
            {
                "code": one.code,
                "text": one.text,
                "advice": one.advice,
                "commands": list(one.commands),
                "facts": dict(one.facts),
            }
            for one in findings
        ],
        "next": "; ".join(advice) or _next(found, inside),
        "commands": [
            *(f"tradelane doc explain {one['id']}" for one in inside),
            *proposed,
            f"tradelane doc raw {id}" if written else f"tradelane doc show {id} --json",
            *([_again(found, id) + release] if replayable and not again else []),
        ],
    }
    output.value(
        queries.plain(told),
        lambda: "\n".join(
            [
                f"{told['status']}: {told['error'] or 'no error'}",
                *(f"  {_place(problem)}: {problem['message']}" for problem in told["problems"]),
                *(f"  {answer}" for answer in told["answers"]),
                *(f"  {finding['text']}" for finding in told["diagnosis"]),
                "Next: " + "\n      ".join(advice or [told["next"]]),
                *(f"      {command}" for command in told["commands"]),
            ]
        ),
    )


def _again(found: dict[str, Any], id: str) -> str:
    """The command that goes on with it; what a partner refused over AS2 is built anew, as is agreed now."""
    anew = found.get("reason") == "PEER_REJECTED" and found.get("channel") == "as2"
    return f"tradelane doc {'resubmit' if anew else 'replay'} {id}"


def _save_certificate(home: Home, identity: str, file: Path) -> None:
    from gateway import certificates, diagnosis, keys
    from gateway.config.toml import replace

    certificate = diagnosis.embedded_certificate(home, identity)
    if certificate is None:
        raise Failure(
            Code.BAD_CERTIFICATE,
            "no certificate came with its signature that made it",
            next=f"tradelane doc explain {identity}",
        )
    replace(file, keys.as_pem(keys.parse_certificate(certificate.der, where=str(file))))
    output.note(f"wrote {file}: SHA-256 {certificates.long(certificate.fingerprint)}")


def _answers(found: dict[str, Any]) -> list[str]:
    """What the partner said to a document of ours, or that it said nothing in time."""
    told = {"acknowledged", "rejected", "overdue"} if found.get("ack", "none") != "none" else set()
    return [event["text"] for event in found["events"] if event["event"] in told]


def _problems(found: dict[str, Any]) -> list[dict[str, Any]]:
    """A document's own problems, or those of a transmission's envelopes."""
    problems = list(found.get("problems") or ())
    for envelope in found.get("interchanges") or ():
        problems += envelope["problems"]
    return problems


def _place(problem: dict[str, Any]) -> str:
    """Where a problem is: `BEG at 2, byte 214`."""
    parts = [problem.get("segment") or "envelope"]
    if problem.get("position"):
        parts[0] += f" at {problem['position']}"
    if problem.get("offset") is not None:
        parts.append(f"byte {problem['offset']}")
    return ", ".join(parts)


def _next(found: dict[str, Any], inside: list[dict[str, Any]]) -> str:
    """What a person does now."""
    if found["status"] == "resubmitted":
        return "nothing: it was sent anew; a receipt for it still counts"
    if found.get("ack") == "overdue":
        return "ask the partner for its acknowledgment; a late one still counts"
    if found.get("ack") == "rejected":
        return "correct what the partner names, and send it anew"
    if found.get("ack") == "partial":
        return "ask the partner what became of it: it accepts only a part of what was sent with it"
    if inside and not found.get("reason"):
        return f"{len(inside)} of its {len(found['documents'])} documents are not accepted: explain each"
    if found["status"] == "queued":
        return "nothing: it is sent when its turn comes; `tradelane outbox --status queued` shows what waits"
    return _NEXT.get(found.get("reason") or "", "nothing: it is not waiting for a person")


_NEXT = {
    "SENDER_MISMATCH": "if the id is theirs, add it to their aliases in partners.toml and replay it",
    "RECEIVER_UNKNOWN": "if the id is ours, correct isa or unb under [us] in partners.toml and replay it",
    "WRONG_USAGE": "agree on T or P with the partner; correct usage in partners.toml and replay it",
    "DUPLICATE_ICN": "ask the partner whether it is new; if so, release it, or they send it anew",
    "DUPLICATE": "nothing: what it answers was answered before, and stays as it was",
    "UNMATCHED": "ask the partner what it answers: nothing of this number was sent to them",
    "CONTROL_GAP": "ask the partner for what has not come; once it has, replay it, or release it as it is",
    "ENVELOPE_BROKEN": "ask the partner to send it again, complete",
    "EDI_REJECTED": "the partner has been told by our acknowledgment; they correct it and send it again",
    "MAPPING_FAILED": "correct the map or what it needs, then replay it",
    "DOUBTFUL": "decide whether it shall go out as it is; if so, replay it",
    "NOT_AGREED": "add the document to the partner in partners.toml, then replay it",
    "DELIVERY_EXHAUSTED": "see that the partner can be reached, then replay it",
    "MDN_TIMEOUT": "ask the partner whether they have it: resend it, or resubmit it if they want it anew",
    "MDN_INVALID": "compare their certificate and the MIC they return with ours, then replay it",
    "PEER_REJECTED": "ask the partner why; correct what they name, then resubmit it",
    "SECURITY_TOO_WEAK": "agree on signature, encryption and algorithms; what came too weak is sent again",
    "AUTH_FAILED": "ask the partner which certificate they sign with; add it to partners.toml",
    "DECRYPT_FAILED": "ask the partner which of our certificates they encrypt to; send them the current one",
    "DECOMPRESS_LIMIT": "ask the partner what they sent; more than the limit is sent in parts",
    "DUP_ID_DIFFERENT_CONTENT": "ask the partner to send the second message under a Message-ID of its own",
    "ERP_REFUSED": "correct what the ERP names, then replay it",
    "HOST_KEY_CHANGED": "ask the partner whether their host key changed; then correct host_keys",
    "LIMIT_EXCEEDED": "ask the partner to send it in smaller parts",
    "MDN_URL_REFUSED": "if the receipt URL is theirs, add it to their receipt_urls in partners.toml",
    "STORE_CORRUPT": "restore the payload from a backup, then replay it",
    "XML_FORBIDDEN": "ask the partner for XML without a DOCTYPE",
    "UNKNOWN_PARTNER": "add the partner: tradelane partner add --help",
}


@doc.command(short_help="Do again what failed or was held.")
@click.argument("id")
@click.option("--release", is_flag=True, help="Read it though its control number speaks against it.")
@click.option("--dry-run", is_flag=True, help="Say what would be done again, and do nothing.")
def replay(id: str, release: bool, dry_run: bool) -> None:
    """Do again what failed or was held: read it, hand it to the ERP, or send it. Its bytes are unchanged."""
    from gateway import queries
    from gateway.pipeline.replay import Step, replay

    with open_home() as home:
        _get(home, id)
        step = replay(home, id, release=release, dry_run=dry_run)
        if step is Step.NOTHING:
            output.value({"id": id, "step": None}, f"{id} is not waiting: nothing to do")
            return
        verb = "would" if dry_run else "will"
        output.value(queries.plain({"id": id, "step": step.value}), f"{id}: {verb} {step.value} again")


@doc.command(short_help="Send the same message again, now.")
@click.argument("id")
@click.option("--dry-run", is_flag=True, help="Say what would be sent again, and do nothing.")
def resend(id: str, dry_run: bool) -> None:
    """Send the same message again now, without waiting for its next attempt or its receipt.

    Over AS2 it has the same bytes and Message-ID, so that a partner that has it after all does not take it
    twice. What has arrived is sent anew by `resubmit`.
    """
    from gateway.pipeline.replay import resend

    with open_home() as home:
        _get(home, id)
        sent = resend(home, id, dry_run=dry_run)
        verb = "would be" if dry_run else "is"
        output.value(
            {"id": id, "transmission": sent, "resent": not dry_run}, f"{sent} {verb} sent again as it is"
        )


@doc.command(short_help="Send the same content as a new message.")
@click.argument("id")
@click.option("--dry-run", is_flag=True, help="Say what would be sent anew, and do nothing.")
def resubmit(id: str, dry_run: bool) -> None:
    """Send the same content as a new message, with a Message-ID of its own.

    A partner takes it though it has the first one. The first one is kept, with its receipt and its history.
    """
    from gateway import queries
    from gateway.pipeline.replay import resubmit

    with open_home() as home:
        _get(home, id)
        former, new = resubmit(home, id, dry_run=dry_run)
        told = {"id": id, "former": former, "transmission": new}
        told["message_id"] = queries.sent(home, new)["message_id"] if new is not None else None
        words = f"{former} would be sent anew" if new is None else f"{former} is sent anew as {new}"
        output.value(told, words)


@click.group(cls=Group, name="order", short_help="Where an order stands, and who owns the next step.")
def order() -> None:
    """Orders: all documents that belong to one purchase order."""


@order.command("show")
@click.argument("number")
def order_show(number: str) -> None:
    """The chain of an order: documents, acknowledgments, receipts, and what is due from whom."""
    from gateway import queries

    with open_home() as home:
        found = queries.order_chain(home, number)
        if found is None:
            raise Failure(
                Code.DOCUMENT_UNKNOWN,
                f"no order has the number {number!r}",
                next="tradelane doc list --type 850",
            )
        output.value(queries.plain(found), lambda: _order_card(found))


def _order_card(found: dict[str, Any]) -> str:
    head = f"Order {found['order']} from {found['partner']}: {found['status']}"
    if found["warehouse"]:
        head += f", fulfilled by {found['warehouse']}"
    lines = [head, "", *_timeline(found["events"]), ""]
    lines += ["Nothing is due."] if not found["due"] else ["Due:"]
    for due in found["due"]:
        by = f" by {output.cell(due['due_at'])}" if due["due_at"] else ""
        lines.append(f"  {due['owner']}: {due['what']}{by}")
    return "\n".join(lines)


@click.group(cls=Group, short_help="Acknowledgments that are late: theirs, and ours.")
def ack() -> None:
    """Acknowledgments (997, 999, CONTRL) of what we sent."""


@ack.command("list")
@_partner
@click.option("--state", metavar="STATE", help="waiting, overdue, accepted, rejected, late, duplicate ...")
@_limit
def ack_list(partner: str | None, state: str | None, limit: int) -> None:
    """How what we sent was answered, and answers to nothing we sent, the latest first."""
    from gateway import queries

    if state is not None and state not in queries.ACK_STATES:
        raise click.BadParameter(f"a state is one of {', '.join(queries.ACK_STATES)}", param_hint="--state")
    with open_home() as home:
        found = queries.acknowledgments(home, partner, state, limit)
        columns = ("id", "partner", "type", "number", "state", "ack_due_at", "ack_at", "error")
        _print(found, {name: name for name in columns})


@ack.command("overdue")
def ack_overdue() -> None:
    """Acknowledgments that have not come in time, and ours that have not left in time."""
    from gateway import queries

    with open_home() as home:
        found = queries.overdue(home)
        _print(found, {name: name for name in ("id", "partner", "type", "number", "owner", "ack_due_at")})
    if found:
        output.finish(Exit.FINDINGS)


@ack.command("resend")
@click.argument("identity", metavar="DOCUMENT")
@click.option("--dry-run", is_flag=True, help="Say what would be sent.")
def ack_resend(identity: str, *, dry_run: bool) -> None:
    """Send a document again whose acknowledgment has not come, with the same bytes and control numbers."""
    from gateway.pipeline import outbound

    with open_home() as home:
        row = outbound.resendable(home, identity)
        if not dry_run:
            home.store.write(lambda conn: outbound.resend(home, conn, row))
        output.value(
            {"document": row.id, "partner": row.partner, "type": row.type, "resent": not dry_run},
            f"{'would send' if dry_run else 'sending'} {row.type} {row.number or ''} to {row.partner} again",
        )


@click.group(cls=Group, short_help="What was held, refused or given up, and waits for a person.")
def dead() -> None:
    """Dead letters: kept with their bytes, each with a reason; `doc explain` says what to do."""


@dead.command("list")
def dead_list() -> None:
    """Everything that waits for a person, the latest first."""
    from gateway import queries

    with open_home() as home:
        columns = {name: name for name in ("id", "what", "partner", "status", "reason", "error", "at")}
        _print(queries.dead(home), columns)


dead.add_command(show)
dead.add_command(replay)
