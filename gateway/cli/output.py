"""What every command shares: where its output goes, in which form, and how a failure is told.

On a terminal lists are tables; piped, they are tab-separated without a heading; under `--json` one object,
or one a line. What a partner wrote may be anything, so control characters are shown as escapes, and text is
never read as markup.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import stat
import sys
import textwrap
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, cast

import click

from gateway.errors import Code, Exit, Failure, GatewayError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress
    from rich.status import Status

    from gateway.config import Config

# C0 but newline and tab, DEL, C1, line and paragraph separators, and the bidi controls that reorder a line
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_STEERING = re.compile("[\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")  # raw in JSON
_CELL = re.compile(_CONTROL.pattern[:-1] + "\t\n]")


@dataclass
class Settings:
    """How this run was asked to behave."""

    home: Path | None = None
    json: bool = False
    quiet: bool = False
    color: bool = True


def settings() -> Settings:
    """Those of the running command."""
    return click.get_current_context().ensure_object(Settings)


def home() -> Path:
    """The home folder: `--home`, TRADELANE_HOME, here if partners.toml is here, else ./tradelane."""
    if (chosen := settings().home) is not None:
        return chosen
    return Path() if Path("partners.toml").is_file() else Path("tradelane")


def config() -> Config:
    """The configuration of the home. Raises Failure when there is none or it is invalid."""
    from gateway.config import load

    return load(home())


def safe(text: str) -> str:
    """Text that may hold newlines and tabs, with every other control character as a visible escape."""
    return _CONTROL.sub(_escape, text)


def cell(value: object) -> str:
    """One value as the text of one table cell, always a single line."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        case _ if isinstance(value, tuple) and hasattr(value, "_fields"):  # a named tuple names itself
            return _CELL.sub(_escape, str(value))
        case list() | tuple() | set() | frozenset():
            return ",".join(cell(item) for item in value)
        case Enum():
            return cell(value.value)
        case _:
            return _CELL.sub(_escape, str(value))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if match[0] in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[match[0]]
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def rows(items: Iterable[Any], columns: Mapping[str, str | Callable[[Any], object]]) -> None:
    """Print a list: NDJSON of the whole items, or the columns (heading -> key or function of the item)."""
    if settings().json:
        for item in items:
            click.echo(to_json(item))
        return
    table = ([_cell_of(item, column) for column in columns.values()] for item in items)
    if not sys.stdout.isatty():
        for line in table:
            click.echo("\t".join(line))
        return
    _print_table(list(columns), list(table))


def _cell_of(item: Any, column: str | Callable[[Any], object]) -> str:
    if callable(column):
        return cell(column(item))
    return cell(item.get(column) if isinstance(item, Mapping) else getattr(item, column))


def _print_table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    if not lines:
        note("none")
        return
    gap, widths, between = 2, _natural(headings, lines), len(headings) - 1
    if sum(widths) + gap * between > console().width:
        shorter = _short_times(headings, lines)
        narrow = _narrowed(headings, shorter, console().width - between)
        if narrow is None:
            _print_records(headings, lines)
            return
        gap, widths, lines = 1, narrow, shorter
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, gap, 0, 0))
    for index, heading in enumerate(headings):
        numeric = all(re.fullmatch(r"[0-9]+(\.[0-9]+)?", line[index]) for line in lines if line[index])
        table.add_column(
            heading,
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=heading in WHOLE,  # what people copy must not be broken over lines
            width=widths[index],
        )
    for line in lines:
        table.add_row(*(Text(text, style=_STYLES.get(text, "")) for text in line))
    console().print(table)


def _natural(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> list[int]:
    """The width of each column, in characters of the terminal, if nothing is broken."""
    from rich.cells import cell_len

    return [max(cell_len(text) for text in column) for column in zip(headings, *lines, strict=True)]


def _short_times(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """Times without seconds, and without the year where all are of one: 11-24 18:06Z."""
    if "at" not in headings:
        return lines
    index = headings.index("at")
    start = 5 if len({line[index][:4] for line in lines if line[index]}) == 1 else 0
    return [
        [*line[:index], f"{line[index][start:16]}Z" if line[index] else "", *line[index + 1 :]]
        for line in lines
    ]


def _narrowed(headings: Sequence[str], lines: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """Widths that fit into `room`, taken from the widest columns that may fold; none if they get too low."""
    widths = _natural(headings, lines)
    least = [
        width if heading in WHOLE else min(width, max(len(heading), 20 if _is_prose(column) else 12))
        for heading, width, column in zip(headings, widths, zip(*lines, strict=True), strict=True)
    ]
    while sum(widths) > room:
        foldable = [index for index, width in enumerate(widths) if width > least[index]]
        if not foldable:
            return None
        widths[max(foldable, key=widths.__getitem__)] -= 1
    return widths


def _is_prose(texts: Iterable[str]) -> bool:
    return any(" " in text and len(text) > 24 for text in texts)


def _print_records(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Each row as a block of labelled lines, for a terminal that is too narrow for the table."""
    for number, line in enumerate(lines):
        if number:
            console().print()
        console().print(_labelled(zip(headings, line, strict=True)))


def value(item: Any, shown: RenderableType | str | Callable[[], RenderableType | str]) -> None:
    """Print one thing: the object itself under --json, else what a person reads."""
    if settings().json:
        click.echo(to_json(item, indent=sys.stdout.isatty()))
        return
    text = shown() if callable(shown) else shown
    if isinstance(text, str):
        click.echo(safe(text), nl=not text.endswith("\n"))
    else:
        console().print(text)


def page(item: Any, lines: Callable[[], Iterable[tuple[str, object]]]) -> None:
    """Print one thing as labelled lines: aligned on a terminal, tab-separated when piped."""
    if settings().json or not sys.stdout.isatty():
        value(item, lambda: "\n".join(f"{label.strip()}\t{cell(text)}" for label, text in lines()))
        return
    console().print(_labelled((label, cell(text)) for label, text in lines()))


def _labelled(lines: Iterable[tuple[str, str]]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in lines:
        grid.add_row(label, Text(text, style=_STYLES.get(text, "")))
    return grid


WHOLE = frozenset({"id", "at", "number", "status", "ack", "certificate", "fingerprint", "ends", "answer by"})
_STYLES = {
    **dict.fromkeys(("ok", "accepted", "delivered", "live", "done", "sent", "closed"), "green"),
    **dict.fromkeys(
        (
            "warn",
            "accepted_with_errors",
            "pending",
            "testing",
            "draft",
            "paused",
            "held",
            "duplicate",
            "waiting",
        ),
        "yellow",
    ),
    **dict.fromkeys(("fail", "rejected", "failed", "overdue", "dead", "error"), "red"),
}


def line(text: str, fg: str | None = None, *, bold: bool = False) -> None:
    """Print one line of a page, coloured on a terminal; one that is wider than that goes on indented."""
    shown = safe(text)
    if sys.stdout.isatty() and len(shown) > (columns := shutil.get_terminal_size().columns):
        indent = " " * min(len(shown) - len(shown.lstrip()) + 4, columns // 2)
        shown = textwrap.fill(shown, columns, subsequent_indent=indent, break_on_hyphens=False)
    click.echo(click.style(shown, fg=fg, bold=bold or None), color=None if colored() else False)


def styled(parts: Iterable[tuple[str, Mapping[str, Any] | None]], *, colour: bool) -> None:
    """Write one line in parts, each with what click.style takes; piped, lines go out many at a time."""
    if colour:
        text = "".join(click.style(safe(part), **style) if style else safe(part) for part, style in parts)
    else:
        text = safe("".join(part for part, _ in parts))
    sys.stdout.write(f"{text}\n")


def note(message: str) -> None:
    """A message for a person, on stderr; `--quiet` leaves it out."""
    if not settings().quiet:
        click.echo(safe(message), err=True)


def finish(code: Exit) -> NoReturn:
    """End the command with this exit code, its data having been printed."""
    click.get_current_context().exit(code)


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Shows on a terminal that something goes on, once it has taken a second, until it is done."""

    def show(console: Console) -> Status:
        return console.status(safe(what))

    with _shown_late(show):
        yield


@contextmanager
def reading(what: str, file: BinaryIO) -> Iterator[BinaryIO]:
    """The file, of which a bar on a terminal shows how much has been read, once that has taken a second."""
    watched = _Watched(file)

    def show(console: Console) -> Progress:
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        bar = Progress(*columns, console=console, transient=True)
        known = os.fstat(file.fileno())
        task = bar.add_task(safe(what), total=known.st_size if stat.S_ISREG(known.st_mode) else None)
        watched.told = lambda taken: bar.update(task, completed=taken)
        return bar

    with _shown_late(show):
        yield cast("BinaryIO", watched)


class _Watched:
    """A file that tells how much of it has been read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._taken = 0
        self.told: Callable[[int], None] | None = None

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._taken += len(data)
        if self.told is not None:
            self.told(self._taken)
        return data


@contextmanager
def _shown_late(show: Callable[[Console], Status | Progress]) -> Iterator[None]:
    """What is shown on stderr once this has taken a second, where a person looks at it."""
    if settings().quiet or settings().json or not sys.stderr.isatty():
        yield
        return
    running: list[Status | Progress] = []
    plain = not colored()

    def start() -> None:
        running.append(show(_console(err=True, plain=plain)))
        running[0].start()

    timer = threading.Timer(1.0, start)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        for shown in running:
            shown.stop()


def console() -> Console:
    """A rich console on stdout that interprets no markup and no emoji codes."""
    return _console(err=False, plain=not colored())


def _console(*, err: bool, plain: bool) -> Console:
    from rich.console import Console

    return Console(stderr=err, no_color=plain, highlight=False, markup=False, emoji=False)


def colored() -> bool:
    """Whether colour is wanted: neither --no-color nor NO_COLOR."""
    return settings().color and not os.environ.get("NO_COLOR")


def to_json(item: Any, *, indent: bool = False) -> str:
    """JSON text in which nothing can steer a terminal."""
    import msgspec

    data = msgspec.json.encode(item, enc_hook=_plain)
    if indent:
        data = msgspec.json.format(data, indent=2)
    return inert(data.decode())


def inert(json: str) -> str:
    """The same JSON, with every character that could steer a terminal escaped."""
    return _STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", json)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


def tell(failure: Failure, *, json: bool) -> None:
    """Print a failure on stderr: its code, what, where, why, and the next command to try."""
    if json:
        click.echo(to_json(failure.as_dict()), err=True)
        return
    *head, problems = _told(failure)
    code = click.style(failure.code.value, fg="red", bold=True) if _stderr_colored() else failure.code.value
    click.echo(f"{code}  {safe(' '.join(head))}", err=True)
    if problems:
        click.echo(safe(problems), err=True)
    if failure.next:
        click.echo(f"Next: {safe(failure.next)}", err=True)


def _told(failure: Failure) -> tuple[str, ...]:
    problems = getattr(failure, "problems", ())
    file = Path(failure.where or "").name
    lines = (f"  {file}:{found.line}: {found.key}: {found.message}" for found in problems)
    head = f"{failure.where}: {failure.what}" if failure.where else failure.what
    return (head, *([failure.why] if failure.why else []), "\n".join(lines))


def _stderr_colored() -> bool:
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and "--no-color" not in sys.argv


class Command(click.Command):
    """A command with the options that every command has."""

    def __init__(self, *args: Any, **extra: Any) -> None:
        super().__init__(*args, **extra)
        self.params += [
            _setting("json", "--json", "One JSON object, or one a line."),
            _setting("quiet", "--quiet", "No messages, only data and errors."),
            _setting("color", "--no-color", "No colours (as NO_COLOR).", value=False),
        ]


def _setting(name: str, flag: str, help: str, *, value: bool = True) -> click.Option:
    def set(context: click.Context, _: click.Parameter, given: bool) -> None:
        if given:
            setattr(context.ensure_object(Settings), name, value)

    return click.Option([flag], is_flag=True, help=help, expose_value=False, callback=set)


class Group(click.Group):
    """A group whose commands stand in the order they are written, and are suggested when mistyped."""

    command_class = Command

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(context, name) is None:
            from gateway.config.toml import suggest

            context.fail(f"no command is named {name!r}{suggest(name, self.list_commands(context))}")
        return super().resolve_command(context, args)


class Root(Group):
    """The program: commands imported when run, and the one place where a failure becomes an exit code."""

    def __init__(self, *, commands_at: Mapping[str, tuple[str, str]], **extra: Any) -> None:
        super().__init__(**extra)
        self.commands_at = commands_at
        self.params += [
            click.Option(
                ["--home"],
                type=click.Path(path_type=Path, file_okay=False),
                envvar="TRADELANE_HOME",
                metavar="DIR",
                expose_value=False,
                callback=_set_home,
                help="Where partners.toml lies; else here if it is here, else ./tradelane.",
            ),
            click.Option(
                ["--version"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_print_version,
                help="Print the version.",
            ),
        ]

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.commands_at)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.commands_at:
            return None
        module, _, attribute = self.commands_at[name][0].partition(":")
        found = getattr(importlib.import_module(module), attribute)
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in self.commands_at.items()])

    def invoke(self, context: click.Context) -> Any:
        """Run the command; a reader of our output that has seen enough is no failure."""
        try:
            try:
                return super().invoke(context)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            context.exit(Exit.OK)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> NoReturn:
        """Run and exit; every failure ends here, whatever `standalone_mode` says."""
        os.umask(0o077)
        given = list(sys.argv[1:] if args is None else args)
        json = "--json" in given
        try:
            code = super().main(given, prog_name, complete_var, standalone_mode=False, **extra)
        except Failure as failure:
            _end(failure, json)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            sys.exit(Exit.USAGE)
        except click.ClickException as error:
            _end(_usage(error), json)
        except (click.Abort, KeyboardInterrupt):
            _end(Failure(Code.INTERRUPTED, "stopped"), json)
        except GatewayError as error:  # the store's, which says in words what is the matter
            _end(Failure(Code.STORE_UNAVAILABLE, str(error)), json)
        except OSError as error:
            where = str(error.filename) if error.filename else None
            _end(Failure(Code.SYSTEM, error.strerror or str(error), where=where), json)
        except Exception as error:
            if os.environ.get("TRADELANE_DEBUG"):
                raise
            _end(_unexpected(error), json)
        sys.exit(code if isinstance(code, int) else Exit.OK)


def _end(failure: Failure, json: bool) -> NoReturn:
    tell(failure, json=json)
    sys.exit(failure.code.exit)


def _usage(error: click.ClickException) -> Failure:
    context = getattr(error, "ctx", None)
    help = f"{context.command_path} --help" if context is not None else None
    return Failure(Code.USAGE, error.format_message(), next=help)


def _unexpected(error: Exception) -> Failure:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else None
    return Failure(
        Code.UNEXPECTED,
        f"{type(error).__name__}: {error}",
        where=where,
        why="This is a defect of tradelane.",
        next="the same command with TRADELANE_DEBUG=1 prints the whole trace",
    )


def _set_home(context: click.Context, _: click.Parameter, given: Path | None) -> None:
    context.ensure_object(Settings).home = given


def _print_version(context: click.Context, _: click.Parameter, given: bool) -> None:
    if given:
        from importlib.metadata import version

        click.echo(f"tradelane {version('tradelane')}")
        context.exit()
