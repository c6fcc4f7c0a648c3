"""Lines of keys, typed reading and edits of a TOML file."""

import stat
import string
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, time
from pathlib import Path

import pytest
import tomlkit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from gateway.config.toml import BAD, Place, Reading, edit, places, replace, suggest

TEXT = '''\
a = 1   # one
"b c".d = """
many
lines"""

[x]
list = [
  1,   # comment ] with }
  { k = "]", m = [ "#", '}' ] },
]
[x.y]
when = 1979-05-27 07:32:00
[[t.u]]
n = 1
  [t.u.v]
  deep = 'it"s'
[[t.u]]
n = 2
[[t.u.w]]
z = true
'''


def paths(value: object, place: Place = ()) -> Iterator[Place]:
    if place:
        yield place
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, (*place, key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths(item, (*place, index))


def test_every_key_table_and_element_has_its_line() -> None:
    lines = places(TEXT)
    assert lines[("a",)] == 1
    assert lines[("b c", "d")] == 2
    assert lines[("x",)] == 6
    assert lines[("x", "list", 1)] == 9
    assert lines[("x", "list", 1, "m", 1)] == 9
    assert lines[("x", "y", "when")] == 12
    assert lines[("t", "u", 0, "v", "deep")] == 16
    assert lines[("t", "u", 1)] == 17
    assert lines[("t", "u", 1, "w", 0, "z")] == 20
    assert set(paths(tomllib.loads(TEXT))) - set(lines) == {("t",)}  # which no line of its own names


KEYS = st.text(string.ascii_letters + string.digits + "_-. \"'\\#[]={}é\n", min_size=1, max_size=6)
SCALARS = (
    st.text(max_size=12)
    | st.integers(-(2**60), 2**60)
    | st.booleans()
    | st.dates(min_value=date(1000, 1, 1))
    | st.datetimes(min_value=datetime(1000, 1, 1))
    | st.sampled_from([time(1, 2), 'a"""b', "a'''b", "\\", "# no comment", "]}", "\r\n"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(KEYS, VALUES, max_size=3))
def test_whatever_tomlkit_writes_every_path_is_found_on_a_line_of_the_text(data: dict[str, object]) -> None:
    text = tomlkit.dumps(data)
    lines = places(text)
    wanted = set(paths(tomllib.loads(text)))
    # A table that only stands around others, and a list that came out as [[tables]], have their first's line.
    missing = {place for place in wanted - set(lines) if not any(p[: len(place)] == place for p in lines)}
    assert not missing
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())


class Inner(Struct, frozen=True, kw_only=True):
    n: int
    word: str = "w"


class Outer(Struct, frozen=True, kw_only=True):
    inner: Inner
    many: tuple[Inner, ...] = ()
    on: date | None = None


def read(text: str, *fallbacks: Struct) -> tuple[object, list[tuple[int, str, str]]]:
    reading = Reading(text, {date: leaf_date})
    reading.fallbacks = {type(value): value for value in fallbacks}
    value = reading.table(Outer, tomllib.loads(text), ())
    return value, [tuple(found) for found in reading.found()]


def leaf_date(value: object) -> date:
    if isinstance(value, date):
        return value
    raise ValueError("expected a date")


def test_a_reading_gives_the_typed_value() -> None:
    text = 'on = 2026-01-02\n[inner]\nn = 1\n[[many]]\nn = 2\nword = "x"'
    assert read(text) == (Outer(inner=Inner(n=1), many=(Inner(n=2, word="x"),), on=date(2026, 1, 2)), [])


def test_a_reading_tells_all_problems_at_once_in_order_of_their_lines() -> None:
    value, found = read('on = "soon"\ninnr = 3\n[[many]]\nn = "2"\n[[many]]\nword = 1\n')
    assert value is BAD
    assert found == [
        (1, "inner", "is missing"),
        (1, "on", "expected a date"),
        (2, "innr", "unknown key (did you mean 'inner'?)"),
        (4, "many[0].n", "expected a whole number, not '2'"),
        (5, "many[1].n", "is missing"),
        (6, "many[1].word", "expected a text, not 1"),
    ]


def test_what_a_table_leaves_out_comes_from_its_fallback() -> None:
    value, found = read("[inner]\nn = 1\n", Inner(n=9, word="default"))
    assert found == []
    assert value == Outer(inner=Inner(n=1, word="default"))
    assert read("", Inner(n=9, word="default")) == (Outer(inner=Inner(n=9, word="default")), [])


def test_near_words_are_suggested_and_far_ones_are_not() -> None:
    assert suggest("bigmrt", ["acme", "bigmart"]) == " (did you mean 'bigmart'?)"
    assert suggest("SHA256", ["sha256", "none"]) == " (did you mean 'sha256'?)"
    assert suggest("zebra", ["acme", "bigmart"]) == ""


def test_an_edit_keeps_comments_and_backs_the_former_text_up(tmp_path: Path) -> None:
    file = tmp_path / "f.toml"
    file.write_text("# why\na = 1  # one\n[t]\nb = 2\n")
    diff = edit(file, lambda document: document["t"].update(b=3), check=tomllib.loads)  # type: ignore[union-attr]
    assert file.read_text() == "# why\na = 1  # one\n[t]\nb = 3\n"
    assert "-b = 2\n+b = 3\n" in diff
    (backup,) = (tmp_path / "backups").iterdir()
    assert backup.read_text() == "# why\na = 1  # one\n[t]\nb = 2\n"


def test_a_refused_edit_and_a_dry_run_leave_the_folder_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "f.toml"
    file.write_text("a = 1\n")

    def refuse(text: str) -> None:
        raise ValueError(text)

    with pytest.raises(ValueError, match="a = 2"):
        edit(file, lambda document: document.update(a=2), check=refuse)
    diff = edit(file, lambda document: document.update(a=3), check=tomllib.loads, dry_run=True)
    assert "+a = 3" in diff
    assert file.read_text() == "a = 1\n"
    assert list(tmp_path.iterdir()) == [file]


def test_an_edit_keeps_line_ends_mode_and_link(tmp_path: Path) -> None:
    file, link = tmp_path / "f.toml", tmp_path / "link.toml"
    file.write_bytes(b"a = 1\r\n# why\r\n")
    file.chmod(0o640)
    link.symlink_to(file)
    edit(link, lambda document: document.update(a=2), check=tomllib.loads)
    assert file.read_bytes() == b"a = 2\r\n# why\r\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert link.is_symlink()


def test_editors_take_turns(tmp_path: Path) -> None:
    file = tmp_path / "f.toml"
    file.write_text("n = 0\n")

    def add(_: int) -> None:
        edit(file, lambda document: document.update(n=document["n"] + 1), check=tomllib.loads)  # type: ignore[operator]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(12)))
    assert tomllib.loads(file.read_text()) == {"n": 12}


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "taken"
    folder.mkdir()
    (folder / "child").touch()
    with pytest.raises(OSError):
        replace(folder, "text")
    assert list(tmp_path.iterdir()) == [folder]
