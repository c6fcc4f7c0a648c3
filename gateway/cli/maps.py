"""`map`: what of documents the maps carry, seen before anything is sent."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from gateway.cli import output
from gateway.cli.edi import edi_failures, read_documents
from gateway.cli.output import Group
from gateway.cli.parameters import INPUT
from gateway.errors import Code, Exit, Failure

if TYPE_CHECKING:
    from edi.documents import Document
    from edi.problems import Problem
    from mappings.coverage import Coverage, Finding

_FIELD = 44  # columns of a field's name


@click.group("map", cls=Group, short_help="What of documents a map carries, and what not.")
def map_() -> None:
    """What of documents the maps carry.

    FILE is a file of EDI, or of documents as `tradelane edi documents` writes them; - is stdin.
    """


@map_.command(short_help="What a sample loses when it is written as a set.")
@click.argument("file", type=INPUT)
@click.option("--set", "type", metavar="TYPE", required=True, help="The set to write, such as 850 or ORDERS.")
@click.option("--version", metavar="VERSION", help="Of the set: 004010 or D.96A, unless told.")
@click.option(
    "--map",
    "overlay",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A map of your own, on top of the standard one.",
)
def coverage(file: BinaryIO, *, type: str, version: str | None, overlay: Path | None) -> None:
    """Tell what of the documents in FILE the map of a set cannot carry, and what it keeps in `extra`.

    The rest is written and read back equal. Exit 5 when something is lost, or the rest would be rejected.
    """
    from edi.report import as_json
    from gateway import edi
    from mappings.coverage import together

    type = type.upper()
    version = version or edi.of_type(type).VERSIONS[0]
    with edi_failures():
        documents = _documents(file)
        covered = edi.coverage(type, version, documents, overlay)
    findings = together(covered)
    refused = [problem for one in covered for problem in one.refused]
    whole = [one.document is None for one in covered]
    result = {
        "set": type,
        "version": version,
        "documents": len(covered),
        "not_carried": sum(whole),
        "findings": [finding._asdict() for finding in findings],
        "refused": [as_json(problem) for problem in refused],
    }
    output.value(result, lambda: "\n".join(_lines(type, version, covered, findings, refused)))
    if refused or any(whole) or any(finding.lost for finding in findings):
        output.finish(Exit.FINDINGS)


def _documents(file: BinaryIO) -> list[Document]:
    """The documents of a file, of EDI or as JSON. Raises Failure where one cannot be read."""
    from gateway import edi

    data = file.read()
    if data.lstrip()[:1] == b"{":
        return read_documents(io.BytesIO(data))
    found = []
    for mapped in edi.documents(io.BytesIO(data)):
        if mapped.document is None:
            raise Failure(
                Code.BAD_DOCUMENT,
                f"{mapped.name} cannot be read: {mapped.problems[0].message}",
                next="tradelane edi check FILE",
            )
        found.append(mapped.document)
    return found


def _lines(
    type: str,
    version: str,
    covered: list[Coverage],
    findings: tuple[Finding, ...],
    refused: list[Problem],
) -> Iterator[str]:
    documents = f"{len(covered)} document{'' if len(covered) == 1 else 's'}"
    yield f"{documents} as {type} {version}"
    lost = [finding for finding in findings if finding.lost]
    kept = [finding for finding in findings if not finding.lost]
    for heading, part in (("cannot be carried", lost), ("carried in extra", kept)):
        if part:
            yield ""
            yield heading
        for finding in part:
            times = f"{finding.times}x" if finding.times > 1 else ""
            yield f"  {finding.field:{_FIELD}} {times:>5}  {finding.example}".rstrip()
            if finding.lost:
                yield f"      {finding.lost}"
    if refused:
        yield ""
        yield "the set wants, beside"
    for message in dict.fromkeys(problem.message for problem in refused):
        yield f"  {message}"
    if not findings and not refused:
        yield "everything is carried"
