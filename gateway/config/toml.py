"""A TOML file as its author sees it: typed values, the line of every problem, edits that keep comments.

What a file may say is a msgspec Struct; a `Reading` walks its types and the parsed tables side by side, notes
each problem and goes on, so that a file is put right in one go. Edits never leave a broken or half-written
file behind.
"""

from __future__ import annotations

import difflib
import fcntl
import os
import re
import stat
import tomllib
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct

if typing.TYPE_CHECKING:
    from tomlkit import TOMLDocument
    from tomlkit.items import Table

Place: TypeAlias = tuple[str | int, ...]

_GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*([A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')[ \t]*(\.?)""")
_SCALAR = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\]|\\.)*"'
    r"|'[^']*'"
    r"|[^,\]}#\n]+",
    re.DOTALL,
)


class Found(NamedTuple):
    """One thing wrong in a file, at `line` (from 1) and the dotted `key`."""

    line: int
    key: str
    message: str


class _Bad:
    """Stands for a value that a problem was noted for."""


BAD: Any = _Bad()


class Reading:
    """One reading of one text into Structs.

    `leaves` are the types that are not made of TOML's own: each a function that takes the TOML value and
    returns the typed one, or raises ValueError with what is wrong in words. `fallbacks` give, for a Struct
    type, the value whose fields stand in for what a table of that type leaves out.
    """

    def __init__(self, text: str, leaves: Mapping[Any, Callable[[Any], Any]]) -> None:
        self.text = text
        self.leaves = leaves
        self.fallbacks: dict[Any, Struct] = {}
        self.origins: dict[Place, str] = {}  # where values come from that do not stand in the text
        self._problems: list[tuple[Place, str]] = []

    def problem(self, place: Place, message: str) -> Any:
        """Note a problem; returns BAD."""
        around = (place[:length] for length in range(len(place), 0, -1))
        origin = next((self.origins[one] for one in around if one in self.origins), "")
        self._problems.append((place, f"{message} ({origin})" if origin else message))
        return BAD

    def found(self) -> tuple[Found, ...]:
        """Every problem noted, in the order of the lines."""
        if not self._problems:
            return ()
        lines = places(self.text)

        def line(place: Place) -> int:
            return next((lines[p] for n in range(len(place), 0, -1) if (p := place[:n]) in lines), 1)

        return tuple(sorted(Found(line(place), _dotted(place), message) for place, message in self._problems))

    def table(self, kind: type[Struct], value: object, place: Place, **given: object) -> Any:
        """A Struct from a table, or BAD. `given` are fields that the table does not hold itself."""
        if not isinstance(value, dict):
            return self.problem(place, f"expected a table, not {_shown(value)}")
        known = [entry for entry in msgspec.structs.fields(kind) if entry.name not in given]
        names = [entry.encode_name for entry in known]
        values = dict(given)
        for key in value:
            if key not in names:
                self.problem((*place, key), f"unknown key{suggest(key, names)}")
        for entry in known:
            if entry.encode_name in value:
                values[entry.name] = self.value(
                    entry.type, value[entry.encode_name], (*place, entry.encode_name)
                )
            elif kind in self.fallbacks:
                values[entry.name] = getattr(self.fallbacks[kind], entry.name)
            elif entry.type in self.fallbacks:
                values[entry.name] = self.fallbacks[entry.type]
            elif entry.default is NODEFAULT and entry.default_factory is NODEFAULT:
                values[entry.name] = self.problem((*place, entry.encode_name), "is missing")
        return BAD if BAD in values.values() else kind(**values)

    def value(self, kind: Any, value: object, place: Place) -> Any:
        """A value of the type from what TOML gave, or BAD."""
        origin = get_origin(kind)
        if origin in (typing.Union, types.UnionType):
            return self.value(next(arg for arg in get_args(kind) if arg is not type(None)), value, place)
        if kind in self.leaves:
            try:
                return self.leaves[kind](value)
            except ValueError as error:
                return self.problem(place, str(error))
        if origin is Literal:
            if value in get_args(kind):
                return value
            options = ", ".join(repr(option) for option in get_args(kind))
            return self.problem(
                place, f"expected one of {options}, not {_shown(value)}{suggest(value, get_args(kind))}"
            )
        if origin is tuple:
            if not isinstance(value, list):
                return self.problem(place, f"expected an array, not {_shown(value)}")
            items = [self.value(get_args(kind)[0], item, (*place, n)) for n, item in enumerate(value)]
            return BAD if BAD in items else tuple(items)
        if isinstance(kind, type) and issubclass(kind, Struct):
            return self.table(kind, value, place)
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError:
            return self.problem(place, f"expected {_described(kind)}, not {_shown(value)}")


def suggest(word: object, known: Iterable[object]) -> str:
    """` (did you mean X?)` when a known word is near, else nothing."""
    words = [str(option) for option in known]
    near = difflib.get_close_matches(str(word), words, n=1) or [
        option for option in words if option.casefold() == str(word).casefold()
    ]
    return f" (did you mean {near[0]!r}?)" if near else ""


def _described(kind: Any) -> str:
    for meta in getattr(kind, "__metadata__", ()):
        if meta.description:
            return str(meta.description)
    return {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}.get(
        kind, str(kind)
    )


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "an array"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _dotted(place: Place) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).lstrip(".") or "the file"


def places(text: str) -> dict[Place, int]:
    """The line, from 1, of every table, key and array element of a *valid* TOML text.

    A place is the path of keys and indexes, as in `("partner", "acme", "document", 0, "type")`.
    """
    return _Places(text).lines


class _Places:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Place, int] = {}
        self.counted = (0, 1)  # a position and its line, to count lines from
        self.arrays: dict[Place, int] = {}  # [[tables]] seen so far
        table: Place = ()
        self.skip()
        while self.at < len(text):
            if text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)
            self.skip()

    def skip(self) -> None:
        match = _GAP.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def note(self, place: Place) -> None:
        position, line = self.counted
        self.counted = (self.at, line + self.text.count("\n", position, self.at))
        self.lines.setdefault(place, self.counted[1])

    def key(self) -> Place:
        parts: list[str | int] = []
        dotted = "."
        while dotted and (match := _KEY.match(self.text, self.at)):
            self.at = match.end()
            name, dotted = match.groups()
            parts.append(next(iter(tomllib.loads(f"{name} = 0"))))
        return tuple(parts)

    def header(self) -> Place:
        start = self.at
        many = self.text.startswith("[[", start)
        self.at += 2 if many else 1
        *around, last = self.key()
        place: Place = ()
        for part in around:
            place = (*place, part)
            if place in self.arrays:
                place = (*place, self.arrays[place] - 1)
        place = (*place, last)
        if many:
            self.arrays[place] = self.arrays.get(place, 0) + 1
        end = self.text.index("]", self.at) + (2 if many else 1)
        self.at = start
        self.note(place)
        if many:
            place = (*place, self.arrays[place] - 1)
            self.note(place)
        self.at = end
        return place

    def pair(self, table: Place) -> None:
        start = self.at
        key = self.key()
        end, self.at = self.at, start
        for length in range(1, len(key) + 1):
            self.note((*table, *key[:length]))
        self.at = end + 1  # the equals sign
        self.value((*table, *key))

    def value(self, place: Place) -> None:
        self.skip()
        opening = self.text[self.at]
        if opening not in "[{":
            match = _SCALAR.match(self.text, self.at)
            self.at = match.end() if match else len(self.text)
            return
        self.at += 1
        self.skip()
        count = 0
        while self.text[self.at] not in "]}":
            if opening == "{":
                self.pair(place)
            else:
                self.note((*place, count))
                self.value((*place, count))
                count += 1
            self.skip()
            if self.text[self.at] == ",":
                self.at += 1
                self.skip()
        self.at += 1


def edit(
    path: Path,
    change: Callable[[TOMLDocument], None],
    *,
    check: Callable[[str], object],
    dry_run: bool = False,
) -> str:
    """Change a TOML file by a function on its tomlkit document, and return the unified diff.

    `check` is given the new text and raises to refuse it; the file is then as it was. The former text goes to
    `backups/` beside the file; the new one replaces it in one rename after fsync. Two editors take turns.
    """
    path = path.resolve()  # a link stays a link
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        import tomlkit  # slow to import, and most runs edit nothing

        before = path.read_bytes().decode()
        document = tomlkit.parse(before)
        change(document)
        after = tomlkit.dumps(document)
        check(after)
        if after != before and not dry_run:
            _back_up(path, before)
            replace(path, after, like=path.stat())
    finally:
        os.close(folder)
    return "".join(
        difflib.unified_diff(
            before.splitlines(keepends=True), after.splitlines(keepends=True), path.name, path.name
        )
    )


def table(values: Mapping[str, Any], blocks: frozenset[str]) -> Table:
    """A table as a person writes it: keys in `blocks` as [tables] or [[tables]], every other on one line."""
    import tomlkit

    made = tomlkit.table()
    for key, value in values.items():
        if key not in blocks:
            made[key] = tomlkit.value(inline(value))
        elif isinstance(value, Mapping):
            made[key] = table(value, blocks)
        elif value:
            tables = tomlkit.aot()
            for item in value:
                tables.append(table(item, blocks))
            made[key] = tables
    return made


def put(table: Any, path: Sequence[str], value: object) -> None:
    """Set a key below a tomlkit table, making the tables on the way; None takes it out."""
    import tomlkit

    key, *rest = path
    if rest and isinstance(table.get(key), dict):
        put(table[key], rest, value)
    elif value is None:
        if not rest:
            table.pop(key, None)
    else:
        for part in reversed(rest):
            value = {part: value}
        table[key] = tomlkit.value(inline(value))


def append(table: Any, key: str, value: Mapping[str, Any]) -> None:
    """Add a table to an array of a tomlkit table, in the way the array is written."""
    import tomlkit
    from tomlkit.items import AoT

    if isinstance(table.get(key), AoT):
        table[key].append(tomlkit.item(value))
    elif key in table:
        table[key].append(tomlkit.value(inline(value)))
    else:
        table[key] = tomlkit.value(inline([value]))


def inline(value: object) -> str:
    """The TOML text of a value, on one line."""
    import tomlkit

    if isinstance(value, Mapping):
        pairs = (f"{tomlkit.key(key).as_string()} = {inline(item)}" for key, item in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(inline, value))}]"
    return tomlkit.item(value).as_string()


def _back_up(path: Path, text: str) -> None:
    backups = path.parent / "backups"
    backups.mkdir(mode=0o700, exist_ok=True)
    replace(backups / f"{path.stem}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}{path.suffix}", text)


def replace(
    path: Path, content: str | bytes, *, mode: int = 0o644, like: os.stat_result | None = None
) -> None:
    """Write a file so that a crash leaves either the old or the new one, whole.

    Its mode is `mode` less the umask, or that of `like`, whose owner it then has too where we may give it.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if like is not None:
                os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
                with suppress(PermissionError):
                    os.fchown(descriptor, like.st_uid, like.st_gid)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
