"""`tradelane control`: what comes next, and setting it with a trace."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_running import Run


@pytest.fixture
def shop(home: Path, run: Run) -> Path:
    """A home with one partner."""
    added = run("--home", home, "partner", "add", "shop", "--role", "retailer", "--isa", "08:RETAIL")
    assert added.exit == 0, added.err
    return home


def test_nothing_used_yet_is_said(shop: Path, run: Run) -> None:
    ran = run("--home", shop, "control", "show")
    assert ran.exit == 0
    assert "begins with 1" in ran.err


def test_numbers_are_set_and_shown_and_the_change_is_told(shop: Path, run: Run) -> None:
    ran = run("--home", shop, "control", "set", "shop", "--next", 500, "--level", "interchange", "--json")
    assert ran.exit == 0
    assert ran.json == {
        "partner": "shop",
        "next": 500,
        "levels": {"interchange": {"was": 1, "next": 500}},
        "changed": True,
    }
    (line,) = run("--home", shop, "control", "show", "shop", "--json").lines
    assert line == {
        "partner": "shop", "ours": "ZZ:NORTHWIND", "theirs": "08:RETAIL", "level": "interchange", "next": 500,
    }  # fmt: skip


def test_used_numbers_are_not_used_again_unless_forced(shop: Path, run: Run) -> None:
    assert run("--home", shop, "control", "set", "shop", "--next", 500).exit == 0
    refused = run("--home", shop, "control", "set", "shop", "--next", 20)
    assert refused.exit == 8
    assert "NUMBER-USED" in refused.err
    assert "control set shop --next 500" in refused.err
    assert run("--home", shop, "control", "set", "shop", "--next", 20, "--dry-run", "--force").exit == 0
    assert {line["next"] for line in run("--home", shop, "control", "show", "--json").lines} == {500}
    assert run("--home", shop, "control", "set", "shop", "--next", 20, "--force").exit == 0
    assert {line["next"] for line in run("--home", shop, "control", "show", "--json").lines} == {20}


def test_an_unknown_partner_is_told(shop: Path, run: Run) -> None:
    assert run("--home", shop, "control", "show", "nobody").exit == 3
