"""`partner sheet`: what a partner has to know to trade with us, as a page."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli import output
from gateway.cli.edi import guide_failures
from gateway.cli.output import Command
from gateway.cli.parameters import TYPES

if TYPE_CHECKING:
    from gateway.sheet import Agreed, Element, Sheet


@click.command(cls=Command, short_help="What a partner has to know, as a page.")
@click.argument("name")
@click.option("--set", "types", type=TYPES, default=(), help="Only these sets, as 850,856.")
@click.option("--format", "form", type=click.Choice(["md", "html", "json"]), help="md unless told.")
@click.option(
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the page into this folder, as NAME.md, NAME.html or NAME.json.",
)
def sheet(name: str, *, types: tuple[str, ...], form: str | None, folder: Path | None) -> None:
    """Show how a partner is connected, and of each set with a guide what may stand where, with an example.

    It is made of what is checked: partners.toml and the guides that it names.
    """
    import gateway.sheet

    config = output.config()
    partner = config.partner(name)
    unknown = [type for type in types if type not in {agreed.type for agreed in partner.agreements}]
    if unknown:
        raise click.UsageError(f"{', '.join(unknown)} is not agreed with {name}")
    with guide_failures():
        made = gateway.sheet.sheet(config, partner, types)
    form = form or ("json" if output.settings().json else "md")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{name}.{form}"
        file.write_text(_text(made, form), "utf-8")
        output.value({"partner": name, "file": str(file)}, str(file))
    elif form == "md" and output.settings().json:
        output.value({"partner": name, "page": markdown(made)}, "")
    elif form == "md" and sys.stdout.isatty():
        from rich.markdown import Markdown

        text = re.sub(r"((?:[0-9A-F]{2}:){16})", r"\1 ", markdown(made))  # a fingerprint may take two lines
        output.console().print(Markdown(output.safe(text)))
    else:
        click.echo(output.safe(_text(made, form)), nl=False)


def _text(made: Sheet, form: str) -> str:
    if form == "html":
        from gateway.web.sheet import page

        return page(made)
    if form == "json":
        return output.to_json(made, indent=True) + "\n"
    return markdown(made)


def markdown(made: Sheet) -> str:
    """The sheet as Markdown; what stands in it can neither break a table nor become markup."""
    lines = [f"# {_plain(made.partner)} and {_plain(made.us)}", ""]
    lines += ["| connection | |", "|---|---|"]
    lines += [f"| {label} | {_code(value)} |" for label, value in made.connection]
    for agreed in made.sets:
        lines += ["", *_set(agreed)]
    return "\n".join(lines) + "\n"


def _set(agreed: Agreed) -> Iterator[str]:
    who = "they send" if agreed.direction == "in" else "we send"
    yield f"## {agreed.type} {agreed.title}: {who}, {agreed.version}"
    yield ""
    answer = (
        "Not acknowledged." if agreed.acknowledged_by == "none" else f"Answered by {agreed.acknowledged_by}."
    )
    if agreed.guide is None:
        yield f"All that the standard allows. {answer}"
    else:
        yield f"By the guide of {_plain(agreed.guide)}. {answer} {_plain(agreed.note)}".rstrip()
    if agreed.segments:
        yield from ("", "| segment | name | use | times |", "|---|---|---|---|")
        for segment in agreed.segments:
            name = f"{'· ' * segment.depth}{_code(segment.tag)}{' loop' if segment.is_loop else ''}"
            yield f"| {name} | {_plain(segment.title)} | {segment.use} | {segment.times} |"
    if agreed.never:
        yield from ("", f"Never used: {' '.join(_code(name) for name in agreed.never)}")
    if agreed.others:
        yield from ("", f"As the standard says: {' '.join(_code(name) for name in agreed.others)}")
    for segment in agreed.segments:
        if not segment.elements:
            continue
        yield from ("", f"### {_code(segment.name)} {_plain(segment.title)}", "")
        note = f". {_plain(segment.note)}" if segment.note else ""
        yield f"{segment.use}, {segment.times}{note}"
        yield from ("", *_elements(segment.elements))
        if segment.syntax:
            yield from ("", f"Together: {'; '.join(segment.syntax)}.")
        for variant in segment.variants:
            note = f". {_plain(variant.note)}" if variant.note else ""
            times = f", {variant.times}" if variant.times else ""
            yield from ("", f"{_code(variant.name)}: {variant.use}{times}{note}")
            if variant.elements:
                yield from ("", *_elements(variant.elements))
    yield ""
    if agreed.example is None:
        yield "No example could be made."
    else:
        yield from ("Example:", "", "```text", agreed.example, "```")


def _elements(elements: tuple[Element, ...]) -> Iterator[str]:
    yield from ("| element | name | use | type | length | values |", "|---|---|---|---|---|---|")
    for element in elements:
        cells = (_code(element.designator), _plain(element.name), element.use, element.type, element.length)
        yield f"| {' | '.join((*cells, _values(element)))} |"


def _values(element: Element) -> str:
    codes = ", ".join(f"{_code(code)} {_plain(meaning)}".rstrip() for code, meaning in element.codes)
    listed = f"{element.listed} codes" if element.listed else ""
    return "; ".join(part for part in (codes, listed, _plain(element.note)) if part)


_MARKUP = str.maketrans({char: f"\\{char}" for char in "\\`*_[]#|"} | {"<": "&lt;", "&": "&amp;", "\n": " "})


def _plain(text: str) -> str:
    return text.translate(_MARKUP)


def _code(text: str) -> str:
    """As code, in which only a backtick and the border of a table mean anything."""
    shown = text.replace("`", "'").replace("|", "\\|").replace("\n", " ")
    return f"`{shown}`" if shown else ""
