"""The forms of output: lists, pages, JSON and failures, and text that partners wrote."""

import json
from pathlib import Path

import click
import pytest
from cli_running import Run
from click.testing import CliRunner

from gateway.cli import main, output
from gateway.cli.output import Command
from gateway.errors import Code, DeadReason, Exit, Failure

HOSTILE = "a\x1b[31mred\x9b2J\r\n\tb\u2028c\u202ed\x00"


@click.command(cls=Command)
def hostile() -> None:
    output.rows([{"id": HOSTILE, "size": 12}], {"id": "id", "size": "size"})
    output.value({"id": HOSTILE}, f"text {HOSTILE}")
    output.note(HOSTILE)


def invoke(command: click.Command, *args: str) -> tuple[str, str]:
    result = CliRunner().invoke(command, args)
    assert result.exit_code == 0, result.exception
    return result.stdout, result.stderr


def test_control_characters_are_shown_as_escapes_and_a_row_stays_a_line() -> None:
    out, err = invoke(hostile)
    row, *text = out.split("\n")
    assert row == r"a\x1b[31mred\x9b2J\r\n\tb\u2028c\u202ed\x00" + "\t12"
    assert not set("\x1b\x9b\r\u2028\u202e\x00").intersection(out + err)
    assert len(text) == 3  # the newline of a text is its own


def test_json_keeps_the_value_and_holds_nothing_that_steers_a_terminal() -> None:
    out, _ = invoke(hostile, "--json")
    assert [json.loads(line)["id"] for line in out.splitlines()] == [HOSTILE, HOSTILE]
    assert not set("\x1b\x9b\u2028\u202e\x00").intersection(out)


def test_quiet_leaves_only_data() -> None:
    out, err = invoke(hostile, "--quiet")
    assert err == ""
    assert "red" in out


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (["850", "997"], "850,997"),
        (DeadReason.AUTH_FAILED, "AUTH_FAILED"),
        (7, "7"),
    ],
)
def test_cells_read_as_a_person_writes(value: object, text: str) -> None:
    assert output.cell(value) == text


@click.command(cls=Command)
def failing() -> None:
    raise Failure(
        Code.CANNOT_WRITE, "997 says \x1b[1mR", why="AK5 R 5", where="out 17", next="tradelane doc show 17"
    )


@click.command(cls=Command)
def broken() -> None:
    raise KeyError("who")


@click.command(cls=Command)
def stopped() -> None:
    raise KeyboardInterrupt


@pytest.fixture
def with_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {name: (f"{__name__}:{name}", name) for name in ("failing", "broken", "stopped")}
    monkeypatch.setattr(main, "commands_at", {**main.commands_at, **extra})


@pytest.mark.usefixtures("with_commands")
def test_a_failure_tells_what_where_why_and_what_next(run: Run) -> None:
    ran = run("failing")
    assert (ran.exit, ran.out) == (Exit.FINDINGS, "")
    assert ran.err == ("CANNOT-WRITE  out 17: 997 says \\x1b[1mR AK5 R 5\nNext: tradelane doc show 17\n")
    assert json.loads(run("failing", "--json").err) == {
        "code": "CANNOT-WRITE",
        "what": "997 says \x1b[1mR",
        "where": "out 17",
        "why": "AK5 R 5",
        "next": "tradelane doc show 17",
    }


@pytest.mark.usefixtures("with_commands")
def test_a_defect_is_reported_with_its_place_and_without_a_traceback(run: Run) -> None:
    ran = run("broken")
    assert ran.exit == 1
    assert ran.err.startswith("UNEXPECTED  ")
    assert "test_output.py" in ran.err
    assert "KeyError: 'who'" in ran.err
    assert "Traceback" not in ran.err


def test_what_the_system_refuses_is_told_with_the_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = run("init", tmp_path / "file" / "home")
    assert (ran.exit, ran.out) == (1, "")
    assert ran.err.startswith(f"SYSTEM  {tmp_path}/file/home")
    assert "Not a directory" in ran.err


@pytest.mark.usefixtures("with_commands")
def test_an_interrupt_is_exit_130(run: Run) -> None:
    assert run("stopped").exit == 130


def test_a_mistyped_command_or_option_is_exit_2_with_the_nearest(run: Run) -> None:
    ran = run("partnr", "list")
    assert (ran.exit, ran.err) == (
        2,
        "USAGE  no command is named 'partnr' (did you mean 'partner'?)\nNext: tradelane --help\n",
    )
    ran = run("partner", "lst", "--json")
    assert json.loads(ran.err)["what"] == "no command is named 'lst' (did you mean 'list'?)"
    assert run("doctor", "--jsn").exit == 2


def test_every_command_takes_json_and_has_the_help_its_group_shows(run: Run) -> None:
    def walk(command: click.Command, path: list[str]) -> None:
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None
                walk(found, [*path, name])
            return
        options = {option for param in command.params for option in param.opts}
        assert {"--json", "--quiet", "--no-color"} <= options, path
        assert command.help, path

    walk(main, [])
    for name, (_, help) in main.commands_at.items():
        found = main.get_command(click.Context(main), name)
        assert found is not None
        assert found.get_short_help_str(limit=200) == help


def test_the_home_is_told_by_flag_or_environment_or_is_here_or_tradelane(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there, here / "tradelane"):
        folder.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.delenv("TRADELANE_HOME", raising=False)
    assert run("doctor").err.startswith(f"NO-HOME  {here}/tradelane: ")
    (here / "partners.toml").write_text("[")
    assert run("doctor").err.startswith(f"CONFIG-INVALID  {here}/partners.toml: ")
    monkeypatch.setenv("TRADELANE_HOME", str(there))
    assert run("doctor").err.startswith(f"NO-HOME  {there}: ")
    assert run("--home", here, "doctor").err.startswith(f"CONFIG-INVALID  {here}/partners.toml: ")
