"""Presets: what AS2 products need, laid under what is written, and told of wherever it shows."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway import config
from gateway.cli import main
from gateway.config.preset import Preset, merged, presets

TEXT = """
schema = 1
[us]
name = "Northwind"
as2_id = "NORTHWIND"
isa = {{ qualifier = "ZZ", id = "NORTHWIND" }}
keys = [{{ id = "1", cert = "certs/us.crt", key = "file:secrets/us.key" }}]
[defaults]
mdn = {{ mode = "async", due = "7m" }}
[server]
public_url = "https://edi.example.com/as2"
[partner.big]
role = "retailer"
isa = {{ qualifier = "08", id = "925" }}
[partner.big.as2]
id = "BIG"
url = "https://big.example/as2"
certs = [{{ file = "certs/big.crt" }}]
{more}
"""


def read(more: str) -> config.Config:
    return config.read(TEXT.format(more=more), Path("/nowhere"))


def relation(more: str) -> config.As2:
    found = read(more).partner("big").as2
    assert found is not None
    return found


ALL = sorted(presets())


@pytest.mark.parametrize("name", ALL)
def test_every_preset_is_a_valid_agreement_and_says_why_and_since_whom(name: str) -> None:
    preset = presets()[name]
    found = relation(f'preset = "{name}"')
    assert found.preset == name
    assert preset.title
    assert preset.why.endswith(".")
    assert preset.source
    assert preset.keys or preset.port_in_url, "a preset that does nothing is none"
    for key, value in preset.keys.items():
        at: Any = found
        for part in key.split("."):
            at = getattr(at, part)
        assert at == value
    assert dict(read(f'preset = "{name}"').from_presets["big"]) == preset.keys


def test_what_is_written_wins_over_the_preset_and_the_preset_over_the_defaults() -> None:
    found = relation('preset = "walmart"')
    assert (found.mdn.mode, found.mdn.due.total_seconds()) == ("sync", 420)
    found = relation('preset = "walmart"\nmdn = { mode = "async" }\nsign = "sha512"')
    assert (found.mdn.mode, found.mdn.signed, found.sign) == ("async", True, "sha512")
    assert relation("").mdn.mode == "async"
    given = read('preset = "walmart"\nmdn = { mode = "async" }').from_presets["big"]
    assert dict(given) == {"sign": "sha256", "mdn.signed": True}


def test_a_preset_that_does_not_exist_is_named_with_its_line_and_the_nearest() -> None:
    with pytest.raises(config.ConfigInvalid) as caught:
        read('preset = "wallmart"')
    (problem,) = caught.value.problems
    assert (problem.line, problem.key) == (19, "partner.big.as2.preset")
    assert "did you mean 'walmart'" in problem.message
    with pytest.raises(config.ConfigInvalid, match="expected a text, not 3"):
        read("preset = 3")


def test_what_is_wrong_with_what_a_preset_gives_is_told_with_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    as2 = {"sign": "sha3", "mdn": {"mode": "later"}}
    odd = Preset(title="Odd", why="It is.", source="here", as2=as2)
    monkeypatch.setattr("gateway.config.presets", lambda: {"odd": odd})
    with pytest.raises(config.ConfigInvalid) as caught:
        read('preset = "odd"')
    assert {problem.key for problem in caught.value.problems} == {
        "partner.big.as2.sign",
        "partner.big.as2.mdn.mode",
    }
    assert all(problem.message.endswith("(from preset 'odd')") for problem in caught.value.problems)
    assert {problem.line for problem in caught.value.problems} == {15}  # the table's


def test_a_url_without_its_port_is_doubted_where_the_product_needs_one() -> None:
    (doubt,) = read('preset = "orderful"').warnings
    assert doubt.key == "partner.big.as2.url"
    assert "port" in doubt.message
    text = TEXT.replace("https://big.example/as2", "https://big.example:443/as2")
    assert config.read(text.format(more='preset = "orderful"'), Path("/nowhere")).warnings == ()


def test_nested_tables_are_merged_key_by_key() -> None:
    preset = presets()["walmart"]
    whole, given = merged(preset, {"mdn": {"due": "5m", "signed": False}, "sign": "none"})
    assert whole == {"sign": "none", "mdn": {"mode": "sync", "signed": False, "due": "5m"}}
    assert given == {"mdn.mode": "sync"}
    assert preset.as2 == {"sign": "sha256", "mdn": {"mode": "sync", "signed": True}}


# The command line.


def run(home: Path, *words: object) -> Any:
    return CliRunner().invoke(main, ["--home", str(home), *map(str, words)])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "edi"
    assert run(made, "init", "--name", "N", "--as2-id", "NORTHWIND", "--isa", "ZZ:NORTHWIND").exit_code == 0
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=BIG",
         "-keyout", tmp_path / "big.key", "-out", tmp_path / "big.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    return made


def added(home: Path, *more: object) -> Any:
    return run(
        home, "partner", "add", "big", "--role", "retailer", "--isa", "08:925", "--as2-id", "BIG",
        "--as2-url", "https://big.example/as2", "--cert", home.parent / "big.crt", *more,
    )  # fmt: skip


@pytest.mark.external("openssl")
def test_a_partner_is_added_with_a_preset_and_shown_with_what_it_gives(home: Path) -> None:
    assert added(home, "--preset", "walmart", "--compress", "after-sign").exit_code == 0
    text = (home / "partners.toml").read_text()
    assert 'preset = "walmart"' in text
    assert 'compress = "after-sign"' in text
    assert "sign =" not in text.partition("[partner.big.as2]")[2]
    shown = run(home, "partner", "show", "big").stdout
    assert 'preset\twalmart, which gives sign = "sha256", mdn.mode = "sync", mdn.signed = true' in shown
    told = json.loads(run(home, "partner", "show", "big", "--json").stdout)
    assert told["as2"]["preset"] == "walmart"
    assert told["as2"]["from_preset"] == {"sign": "sha256", "mdn.mode": "sync", "mdn.signed": True}


@pytest.mark.external("openssl")
def test_what_a_preset_leaves_to_write_is_told_when_it_is_chosen(home: Path) -> None:
    ran = added(home, "--preset", "fda-esg")
    assert ran.exit_code == 0
    assert "its AS2 id is ZZFDA" in ran.stderr
    assert added(home, "--preset", "fda").exit_code == 2


def test_the_presets_are_listed_with_what_each_sets_and_why(tmp_path: Path) -> None:
    listed = run(tmp_path, "partner", "presets").stdout
    rows = [json.loads(line) for line in run(tmp_path, "partner", "presets", "--json").stdout.splitlines()]
    assert sorted(row["name"] for row in rows) == ALL
    for row in rows:
        assert set(row) == {"name", "title", "sets", "why", "notes", "source"}
        assert f"{row['name']}: {row['title']}" in listed
    one = run(tmp_path, "partner", "presets", "walmart").stdout
    assert one.startswith('walmart: Walmart GEM\n  sets    sign = "sha256"')
    assert "cleo" not in one
    wrong = run(tmp_path, "partner", "presets", "walmrt")
    assert wrong.exit_code == 2
    assert "did you mean 'walmart'" in wrong.stderr


@pytest.mark.external("openssl")
def test_keys_of_a_partner_are_set_from_the_command_line_and_comments_stay(home: Path) -> None:
    added(home)
    file = home / "partners.toml"
    file.write_text(file.read_text().replace("[partner.big.as2]", "[partner.big.as2]  # by mail of May"))
    ran = run(home, "partner", "set", "big", "as2.preset=walmart", "as2.mdn.due=5m", "as2.retry.attempts=3",
              "status=testing")  # fmt: skip
    assert ran.exit_code == 0, ran.stderr
    assert '+preset = "walmart"' in ran.stdout
    assert "# by mail of May" in file.read_text()
    found = config.load(home).partner("big")
    assert found.status == "testing"
    assert found.as2 is not None
    assert (found.as2.mdn.due.total_seconds(), found.as2.retry.attempts) == (300, 3)
    assert found.as2.mdn.mode == "sync"
    assert run(home, "partner", "set", "big", "as2.retry=", "as2.mdn.due=").exit_code == 0
    found = config.load(home).partner("big")
    assert found.as2 is not None
    assert (found.as2.mdn.due.total_seconds(), found.as2.retry.attempts) == (1800, 8)


@pytest.mark.external("openssl")
@pytest.mark.parametrize(
    ("words", "exit", "told"),
    [
        (["big", "as2.compres=none"], 2, "unknown key (did you mean 'compress'?)"),
        (["big", "as2.sign=md5"], 2, "expected one of"),
        (["big", "compress"], 2, "expected KEY=VALUE"),
        (["big", "as2..sign=none"], 2, "expected KEY=VALUE"),
        (["big", 'as2.http={ "use r" = "x" }'], 2, "unknown key"),
        (["big", 'as2.http={ "user = 1, p" = "x" }'], 2, "unknown key"),
        (["big", "as2.http.a, b=1"], 2, "unknown key"),
        (["bug", "usage=T"], 3, "did you mean 'big'"),
    ],
)
def test_a_key_that_cannot_be_set_changes_nothing(home: Path, words: list[str], exit: int, told: str) -> None:
    added(home)
    before = (home / "partners.toml").read_text()
    ran = run(home, "partner", "set", *words)
    assert ran.exit_code == exit
    assert told in ran.stderr
    assert (home / "partners.toml").read_text() == before


@pytest.mark.external("openssl")
def test_a_dry_run_of_setting_shows_the_change_and_makes_none(home: Path) -> None:
    added(home)
    before = (home / "partners.toml").read_text()
    ran = run(home, "partner", "set", "big", "as2.compress=after-sign", "--dry-run", "--json")
    assert '+compress = \\"after-sign\\"' in ran.stdout
    assert json.loads(ran.stdout)["dry_run"] is True
    assert (home / "partners.toml").read_text() == before


def test_every_preset_stands_in_the_table_of_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "presets.md").read_text()
    named = [line.split(" | ")[1].strip("`") for line in page.splitlines() if line.startswith("| ")]
    assert sorted(name for name in named if name in presets()) == ALL
