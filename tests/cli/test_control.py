"""`tradelane control`: what comes next, and setting it with a trace."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from cli_running import Run

from edi.documents import Invoice, encode
from gateway.erp import Arrival
from gateway.home import Home
from gateway.pipeline.from_erp import take


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


def test_sequences_by_type_are_set_before_their_first_use(shop: Path, run: Run) -> None:
    agree(shop, 'control_numbers = { scope = "partner+type" }', out="810")
    assert run("--home", shop, "control", "set", "shop", "--next", 7, "--level", "group").exit == 0
    assert {
        line["level"]: line["next"] for line in run("--home", shop, "control", "show", "--json").lines
    } == {
        "group FA": 7,
        "group IN": 7,
    }


def test_a_level_that_is_not_counted_is_not_set(shop: Path, run: Run) -> None:
    agree(shop, 'control_numbers = { group = "interchange", transaction = "group" }')
    refused = run("--home", shop, "control", "set", "shop", "--next", 7, "--level", "group")
    assert refused.exit == 2
    assert "group numbers are not counted with shop" in refused.err
    set_ = run("--home", shop, "control", "set", "shop", "--next", 7, "--json")
    assert list(set_.json["levels"]) == ["interchange"]


def test_what_would_be_repeated_is_named_even_after_the_count_was_put_back(shop: Path, run: Run) -> None:
    agree(shop, 'status = "live"\nsftp_account = { user = "shop", keys = [] }', out="810")
    send(shop, "INV-1", "INV-2")
    refused = run("--home", shop, "control", "set", "shop", "--next", 1, "--level", "interchange")
    assert refused.exit == 8
    used = "interchange numbers 1 to 2 have been used with shop: 810 INV-1 (1), 810 INV-2 (2) went under them"
    assert used in refused.err
    dry = run("--home", shop, "control", "set", "shop", "--next", 1, "--force", "--dry-run")
    assert used in dry.out
    assert run("--home", shop, "control", "set", "shop", "--next", 1, "--force").exit == 0
    again = run("--home", shop, "control", "set", "shop", "--next", 2, "--level", "interchange")
    assert again.exit == 8
    assert "810 INV-2 (2)" in again.err
    assert run("--home", shop, "control", "set", "shop", "--next", 3, "--level", "interchange").exit == 0
    with closing(sqlite3.connect(shop / "data" / "tradelane.db")) as conn:
        told = [text for (text,) in conn.execute("SELECT text FROM event WHERE name = 'control-set'")]
    assert len(told) == 4
    assert told[0].endswith(f"set the next interchange number to shop from 3 to 1; {used}")


def agree(home: Path, keys: str, out: str | None = None) -> None:
    """Give the partner more keys, and a document that we send."""
    file = home / "partners.toml"
    text = file.read_text().replace('status = "draft"\n', "") if "status" in keys else file.read_text()
    head = "[partner.shop]\n"
    assert text.count(head) == 1
    text = text.replace(head, f"{head}{keys}\n")
    if out is not None:
        text += f'\n[[partner.shop.document]]\ntype = "{out}"\ndirection = "out"\n'
    file.write_text(text)


def send(home: Path, *invoices: str) -> None:
    """Have invoices of the ERP numbered and queued."""
    opened = Home.open(home)
    for number in invoices:
        invoice = Invoice(number=number, invoiced_on=date(2026, 11, 2), total=Decimal(1), partner="shop")
        take(opened, Arrival(home / "erp" / "in" / f"{number}.json", encode(invoice)))
    opened.close()
