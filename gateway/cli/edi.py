"""`edi`: what can be done with EDI files by themselves, without a server."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from gateway.cli import output
from gateway.cli.output import Group
from gateway.cli.parameters import INPUT, ISA, UNB
from gateway.cli.standard import segment, set_
from gateway.errors import Code, Exit, Failure

if TYPE_CHECKING:
    from edi.documents import Document
    from edi.guide import Guide
    from edi.problems import CannotWrite
    from gateway.edi import Envelope, MapChoice

_COLOURS = {"error": "red", "rejected": "red", "warning": "yellow", "accepted": "green"}
_STYLES: dict[str, dict[str, Any]] = {  # of the parts of a line of `edi.pretty`
    "title": {"bold": True},
    "loop": {"fg": "cyan"},
    "tag": {"fg": "cyan", "bold": True},
    "reference": {"dim": True},
    "value": {"bold": True},
    "absent": {"dim": True},
    "meaning": {"fg": "green"},
    "accepted": {"fg": "green"},
    "accepted_with_errors": {"fg": "yellow"},
    "rejected": {"fg": "red", "bold": True},
    "error": {"fg": "red"},
    "warning": {"fg": "yellow"},
    "note": {"dim": True},
}


@click.group(cls=Group, short_help="Look into, check, answer and write EDI files.")
def edi() -> None:
    """Look into, check, answer and write EDI files.

    FILE may be - for stdin.
    """


edi.add_command(set_)
edi.add_command(segment)


@edi.command(short_help="The envelope tree, with problems of structure.")
@click.argument("file", type=INPUT)
def inspect(file: BinaryIO) -> None:
    """Show the envelope tree, with problems of envelope and structure.

    Exit 5 only for a file that is no EDI at all.
    """
    from gateway import edi

    with output.reading("reading", file) as stream:
        found = edi.inspect(stream)
    _print_report(found)
    if found["problems"]:
        output.finish(Exit.FINDINGS)


@edi.command(short_help="Everything the standard says, checked.")
@click.argument("file", type=INPUT)
@click.option(
    "--guide", metavar="PARTNER", help="By this partner's guides as well, or by a guide's .toml file."
)
def check(file: BinaryIO, *, guide: str | None) -> None:
    """Check everything the standard says of every transaction. Exit 5 on an error."""
    from edi.report import problems_in
    from gateway import edi

    with output.reading("checking", file) as stream, guide_failures():
        found = edi.check(stream, guides(guide) if guide else lambda type: None)
    _print_report(found)
    if any(problem["severity"] == "error" for problem in problems_in(found)):
        output.finish(Exit.FINDINGS)


def guides(named: str) -> Callable[[str], Guide | None]:
    """The guide of a set: a partner's, whichever way the set goes, or that of a file."""
    from edi.guide import load

    if named.endswith(".toml"):
        if not Path(named).is_file():
            raise Failure(Code.FILE_MISSING, "no such guide", where=named)
        only = load(Path(named))
        return lambda type: only if type == only.set else None
    partner = output.config().partner(named)
    agreed = {agreement.type: agreement.guide for agreement in partner.agreements if agreement.guide}
    if not agreed:
        output.note(f"{named} has no guide: this is what the standard says")
    return lambda type: load(agreed[type]) if type in agreed else None


def _guide_out(partner: str | None, type: str) -> Guide | None:
    """The guide by which we write a set to a partner."""
    return output.config().partner(partner).guide(type, "out") if partner is not None else None


@contextmanager
def guide_failures() -> Iterator[None]:
    """A guide that cannot be used, told as a failure."""
    from edi.guide import GuideError

    try:
        yield
    except GuideError as error:
        raise Failure(Code.CONFIG_INVALID, str(error)) from error


def _print_report(found: dict[str, Any]) -> None:
    if output.settings().json:
        output.value(found, "")
        return
    for problem in found["problems"]:
        _print_problem(problem, 0)
    for interchange in found["interchanges"]:
        parties = "{sender[qualifier]}:{sender[id]} -> {receiver[qualifier]}:{receiver[id]}".format(
            **interchange
        )
        usage = {"P": "production", "T": "test"}.get(interchange["usage"], interchange["usage"])
        title = "interchange {control_number}  {syntax} {version}".format(**interchange)
        output.line(f"{title}  {parties}  {usage}", bold=True)
        for problem in interchange["problems"]:
            _print_problem(problem, 2)
        for group in interchange["groups"]:
            if group["functional_id"]:
                output.line("  group {functional_id} {control_number}  {version}".format(**group))
            for problem in group["problems"]:
                _print_problem(problem, 4)
            for transaction in group["transactions"]:
                line = "    {type} {control_number}  {segments} segments  {status}".format(**transaction)
                output.line(line, _COLOURS.get(transaction["status"], "yellow"))
                for problem in transaction["problems"]:
                    _print_problem(problem, 6)


def _print_problem(problem: dict[str, Any], depth: int) -> None:
    output.line(f"{' ' * depth}{_told(problem)}", _COLOURS.get(problem["severity"]))


def _told(problem: dict[str, Any]) -> str:
    """A problem in one line: how bad, where, what, and at which byte."""
    place = problem["segment"] or ""
    if place and problem["element"]:
        place += f"{problem['element']:02}"
        place += f"-{problem['component']}" if problem["component"] else ""
    place += f" (segment {problem['position']})" if problem["position"] else ""
    offset = f", byte {problem['offset']}" if problem["offset"] is not None else ""
    where = f"{place}{offset}".removeprefix(", ")
    where = f"{where}: " if where else ""
    return f"{problem['severity']}  {where}{problem['fault']} {problem['message']}"


@edi.command(short_help="A file with names, meanings and loops.")
@click.argument("file", type=INPUT)
@click.option(
    "--guide", metavar="PARTNER", help="By this partner's guides as well, or by a guide's .toml file."
)
@click.option("--transaction", metavar="ST02", help="Only transaction sets with this control number.")
@click.option("--problems-only", "only_problems", is_flag=True, help="Only segments with problems.")
@click.option("--width", type=click.IntRange(40), metavar="COLUMNS", help="As on a terminal of this width.")
@click.option("--color", is_flag=True, help="Coloured also where stdout is no terminal.")
def pretty(
    file: BinaryIO,
    *,
    guide: str | None,
    transaction: str | None,
    only_problems: bool,
    width: int | None,
    color: bool,
) -> None:
    """Show a file with names, code meanings and loops, and its problems in place.

    On a terminal lines are cut to its width; piped, they are whole. Under --json a line is an object.
    """
    from edi.pretty import spans
    from edi.report import as_json
    from gateway import edi

    with edi_failures(), guide_failures():
        found = edi.pretty(
            file, guides(guide) if guide else lambda type: None, transaction, only_problems=only_problems
        )
        if output.settings().json:
            for line in found:
                click.echo(
                    output.to_json(line._asdict() | {"problem": line.problem and as_json(line.problem)})
                )
            return
        if width is None and sys.stdout.isatty():
            width = shutil.get_terminal_size().columns
        colour = output.colored() and (color or sys.stdout.isatty())
        told = False
        for line in found:
            told = told or line.kind == "set"
            for laid_out in spans(line, width):
                output.styled(((span.text, _STYLES.get(span.style)) for span in laid_out), colour=colour)
    if transaction is not None and not told:
        raise Failure(Code.DOCUMENT_UNKNOWN, f"no transaction set has the control number {transaction}")


@edi.command(short_help="The 997, 999, TA1 or CONTRL that answers a file.")
@click.argument("file", type=INPUT)
@click.option(
    "--as",
    "kind",
    type=click.Choice(["997", "999", "TA1", "CONTRL"], case_sensitive=False),
    help="What answers X12: 997 unless told; TA1 alone answers the interchange only. EDIFACT has CONTRL.",
)
@click.option("--control-number", type=click.IntRange(1, 999_999_999), default=1, show_default=True)
def ack(file: BinaryIO, *, kind: str | None, control_number: int) -> None:
    """Write the acknowledgment of a file on stdout.

    That of X12 is a 997 or 999 for every group, and a TA1 where ISA14 asks for one; that of EDIFACT is a
    CONTRL for every interchange. Under --json, what it says.
    """
    from gateway import edi

    with edi_failures():
        now = datetime.now(UTC)
        for answer in edi.acknowledge(file, now=now, control_number=control_number, kind=kind):
            if output.settings().json:
                output.value({**answer.told, "data": answer.data.decode("latin-1")}, "")
            elif answer.data:
                click.echo(answer.data, nl=False)
            else:
                output.note(f"interchange {answer.control_number}: nothing to acknowledge")


@edi.command(short_help="Each transaction as a JSON document.")
@click.argument("file", type=INPUT)
@click.option("--partner", metavar="NAME", help="Read with this partner's maps.")
def documents(file: BinaryIO, *, partner: str | None) -> None:
    """Write each transaction, and each TA1, as a canonical document, one JSON object a line.

    What cannot be read as one is told on stderr, and the exit code is 5.
    """
    from edi.documents import encode
    from edi.report import as_json
    from gateway import edi

    failed = False
    with edi_failures():
        for mapped in edi.documents(file, _maps(partner)):
            if mapped.document is not None:
                click.echo(output.inert(encode(mapped.document).decode()))
                continue
            failed = True
            for problem in mapped.problems:
                told = as_json(problem)
                if output.settings().json:
                    click.echo(output.to_json({"transaction": mapped.name, **told}), err=True)
                else:
                    output.note(f"{mapped.name}: {_told(told)}")
    if failed:
        output.finish(Exit.FINDINGS)


def _maps(partner: str | None) -> Callable[[str], MapChoice]:
    """By which map a set is read: as agreed with a partner, else the standard one."""
    from gateway.edi import STANDARD, agreed

    if partner is None:
        return lambda type: STANDARD
    found = output.config().partner(partner)
    return lambda type: agreed.map_choice(found, type, "in")


@edi.command(short_help="JSON documents as one interchange.")
@click.argument("file", type=INPUT, default="-")
@click.option("--set", "type", metavar="TYPE", required=True, help="What to write, such as 856 or DESADV.")
@click.option("--partner", metavar="NAME", help="Write as agreed with this partner: ids, version, map.")
@click.option(
    "--version", metavar="VERSION", help="Unless the partner has another: 004010, or D.96A of EDIFACT."
)
@click.option("--from", "sender", metavar="ID", help="QUAL:ID of ISA, ID:QUAL of UNB; ours with --partner.")
@click.option("--to", "receiver", metavar="ID", help="Whom it is for, written so; theirs with --partner.")
@click.option("--usage", type=click.Choice(["T", "P"]), help="Test or production; T unless told.")
@click.option("--control-number", type=click.IntRange(1, 999_999_999), default=1, show_default=True)
@click.option(
    "--map",
    "map_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A map of your own, on top of the standard one.",
)
@click.option(
    "--separators",
    metavar="CHARACTERS",
    help="Of elements, components and segments, and from 004020 on of repetitions: '*>~^'.",
)
@click.option("--lines", is_flag=True, help="A line break after each segment.")
def write(file: BinaryIO, *, type: str, map_file: Path | None, partner: str | None, **given: Any) -> None:
    """Write canonical documents, one JSON object a line, as one interchange on stdout.

    Without --partner and --from or --to the ids are ZZ:SENDER and ZZ:RECEIVER. Nothing is written that the
    checker would reject, or the partner's guide.
    """
    from gateway import edi

    with edi_failures(), guide_failures():
        overlay = map_file or _overlay_out(partner, type)
        documents = read_documents(file)
        if not documents:
            raise Failure(
                Code.BAD_DOCUMENT,
                "no document came",
                next="tradelane edi documents FILE --json shows their form",
            )
        now = datetime.now(UTC)
        data = edi.write(
            type,
            documents,
            _envelope(type, partner, given),
            overlay,
            _guide_out(partner, type),
            now=now.astimezone(output.config().us.timezone) if partner is not None else now,
            control_number=given["control_number"],
        )
    if output.settings().json:
        output.value({"set": type, "data": data.decode("latin-1")}, "")
    else:
        click.echo(data, nl=False)


def _overlay_out(partner: str | None, type: str) -> Path | None:
    """The map by which we write a set to a partner, where it has one of its own."""
    agreed = output.config().partner(partner).agreement(type, "out") if partner is not None else None
    return agreed.map if agreed is not None else None


def read_documents(file: BinaryIO) -> list[Document]:
    """The documents of a file, a JSON object a line. Raises Failure with every line that is none."""
    from edi.documents import NotADocument, decode

    found = []
    wrong = []
    for number, line in enumerate(file, 1):
        try:
            if line.strip():
                found.append(decode(line))
        except NotADocument as error:
            wrong.append((f"line {number}", str(error)))
    if wrong:
        (where, what), *others = wrong
        also = "".join(f"\n  {where}: {what}" for where, what in others)
        raise Failure(Code.BAD_DOCUMENT, what, where=where, why=also or None)
    return found


def _envelope(type: str, partner: str | None, given: dict[str, Any]) -> Envelope:
    """The headers to write a set with: as agreed with a partner, else usual ones, and what flags say."""
    from dataclasses import replace

    from edi.tree import PartyId, Separators
    from gateway import edi
    from gateway.edi import Envelope, agreed

    syntax = edi.of_type(type)
    identity = UNB if syntax.NAME == "edifact" else ISA
    sender, receiver = (
        identity.convert(given[side], None, None) if given[side] else None for side in ("sender", "receiver")
    )
    if partner is not None:
        config = output.config()
        envelope = agreed.envelope(config, config.partner(partner), type)
    else:
        qualifier = "ZZ" if syntax.NAME == "x12" else "ZZZ"
        sides = PartyId(qualifier, "SENDER"), PartyId(qualifier, "RECEIVER")
        grouped = syntax.NAME == "x12"
        envelope = Envelope(*sides, syntax.VERSIONS[0], "T", separators=syntax.SEPARATORS, grouped=grouped)
    separators = envelope.separators
    if given["separators"] is not None:
        if len(given["separators"]) not in (3, 4):
            raise click.UsageError("--separators are three or four characters, such as '*>~^'")
        separators = Separators(*given["separators"])
    if given["lines"]:
        separators = separators._replace(suffix="\n")
    return replace(
        envelope,
        sender=sender or envelope.sender,
        receiver=receiver or envelope.receiver,
        version=given["version"] or envelope.version,
        usage=given["usage"] or envelope.usage,
        separators=separators,
    )


@contextmanager
def edi_failures() -> Iterator[None]:
    """What the engine raises, told as a failure."""
    from edi.problems import CannotWrite, NotEdi
    from mappings import MapError

    try:
        yield
    except NotEdi as error:
        raise Failure(Code.NOT_EDI, str(error)) from error
    except MapError as error:
        raise Failure(Code.CONFIG_INVALID, str(error)) from error
    except CannotWrite as error:
        raise _Unwritable(error) from error


class _Unwritable(Failure):
    """Documents that cannot be written, with every problem they have."""

    def __init__(self, error: CannotWrite) -> None:
        from edi.report import as_json

        self.found = [as_json(problem) for problem in error.problems]
        told = "".join(f"\n  {_told(problem)}" for problem in self.found)
        super().__init__(Code.CANNOT_WRITE, str(error), why=told or None)

    def as_dict(self) -> dict[str, object]:
        return super().as_dict() | {"why": None, "problems": self.found}
