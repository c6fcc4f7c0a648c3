"""The command as a process: what only a real one shows."""

import json
import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = [sys.executable, "-m", "gateway"]


def tradelane(*args: object, **extra: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *map(str, args)], capture_output=True, text=True, check=False, **extra)  # type: ignore[call-overload,no-any-return]


def on_a_terminal(*args: object, width: int = 100, **environment: str) -> str:
    """What a person sees on a terminal of this width."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, *map(str, args)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "COLUMNS": str(width), "TERM": "xterm", **environment},
    ) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:
                break
            if not data:
                break
            seen += data
        process.wait(10)
    os.close(ours)
    return seen.decode()


def test_help_loads_nothing_but_click() -> None:
    heavy = {"rich", "msgspec", "cryptography", "sqlalchemy", "paramiko", "tomlkit", "starlette", "h11"}
    code = (
        "import sys\n"
        "from gateway.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "partner" in ran.stdout
    assert not heavy & set(ran.stderr.split())


def test_data_goes_to_stdout_and_messages_to_stderr(tmp_path: Path) -> None:
    ran = tradelane("--home", tmp_path / "h", "init", "--json")
    assert ran.returncode == 0
    assert json.loads(ran.stdout)["made"][0] == "partners.toml"
    assert "Next: " in ran.stderr
    ran = tradelane("--home", tmp_path / "h", "partner", "show", "x", "--json")
    assert (ran.returncode, ran.stdout) == (3, "")
    assert json.loads(ran.stderr)["code"] == "PARTNER-UNKNOWN"


def test_no_file_of_a_home_is_open_to_others(tmp_path: Path) -> None:
    home = tmp_path / "h"
    assert tradelane("--home", home, "init", umask=0o022).returncode == 0
    for path in (home, *home.rglob("*")):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


@pytest.mark.parametrize("command", ["doctor", "edi check /dev/null"])
def test_a_reader_that_goes_away_is_no_failure(tmp_path: Path, command: str) -> None:
    program = " ".join(PROGRAM)
    tradelane("--home", tmp_path / "h", "init")
    ran = subprocess.run(
        ["bash", "-c", f"{program} --home {tmp_path}/h {command} | true; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "0\n"
    assert ran.stderr == ""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "h"
    tradelane("--home", home, "init")
    tradelane(
        *("--home", home, "partner", "add", "acme", "--role", "3pl", "--isa", "01:1", "--sftp-user", "acme"),
        *("--in", "945", "--out", "940", "--live"),
    )
    return home


def test_a_terminal_gets_an_aligned_table_with_a_heading_and_colour(home: Path) -> None:
    seen = on_a_terminal("--home", home, "partner", "list")
    heading, row = seen.splitlines()
    assert "\x1b[1mname" in heading
    assert "\x1b[32mlive" in row
    assert "\x1b[3" not in on_a_terminal("--home", home, "partner", "list", NO_COLOR="1")
    assert "\x1b[3" not in on_a_terminal("--home", home, "partner", "list", "--no-color")


@pytest.mark.parametrize("width", [60, 80, 140])
def test_nothing_is_wider_than_the_terminal(home: Path, width: int) -> None:
    for command in (["partner", "list"], ["partner", "show", "acme"], ["doctor"]):
        seen = on_a_terminal("--home", home, *command, width=width, NO_COLOR="1")
        assert (
            max(len(line.replace("\x1b[1m", "").replace("\x1b[0m", "")) for line in seen.splitlines())
            <= width
        )


def test_a_list_too_wide_is_narrowed_and_where_it_cannot_be_is_told_in_lines(
    home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "a_file_with_a_long_name_000000001.txt"
    file.write_text("x")
    assert tradelane("--home", home, "send", "acme", file).returncode == 0
    identity = json.loads(tradelane("--home", home, "outbox", "--json").stdout)["id"]

    def lines(width: int) -> list[str]:
        seen = on_a_terminal("--home", home, "outbox", width=width, NO_COLOR="1")
        return [line.rstrip() for line in seen.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()]

    wide, row = lines(140)
    assert wide.split() == ["id", "partner", "channel", "file", "bytes", "at", "status"]
    assert file.name in row
    narrow, *rows = lines(80)
    assert narrow.split() == wide.split()
    assert rows[0].startswith(f"{identity} acme ")
    assert rows[0].endswith("Z queued")
    assert max(map(len, [narrow, *rows])) <= 80
    labels = [line.split()[0] for line in lines(50)[:3]]
    assert labels == ["id", "partner", "channel"]


def test_what_is_sent_from_a_pipe_is_named_stdin(tmp_path: Path) -> None:
    home = ("--home", tmp_path / "h")
    tradelane(*home, "init")
    tradelane(
        *home,
        "partner",
        "add",
        "acme",
        "--role",
        "3pl",
        "--isa",
        "01:123456789",
        "--sftp-user",
        "a",
        "--live",
    )
    ran = tradelane(*home, "send", "acme", "-", "--dry-run", "--json", input="x")
    assert json.loads(ran.stdout)["filename"] == "stdin"
