"""`partner sheet` and `edi check --guide`: a partner's guides in a home."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from cli_running import Ran, Run

import x12
from edi.guide import load
from edi.tree import Separators, Transaction

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture
def guided(home: Path, add_bigmart: Callable[..., Ran]) -> Path:
    """The home with BigMart and its guides."""
    assert add_bigmart().exit == 0
    for type in ("850", "856"):
        shutil.copy(EXAMPLES / f"bigmart-{type}.toml", home / "guides")
        name_guide(home, type, f"guides/bigmart-{type}.toml")
    return home


def name_guide(home: Path, type: str, guide: str) -> None:
    file = home / "partners.toml"
    file.write_text(file.read_text().replace(f'type = "{type}"', f'type = "{type}"\nguide = "{guide}"'))


def test_a_sheet_shows_the_connection_and_each_set_by_its_guide(run: Run, guided: Path) -> None:
    shown = run("--home", guided, "partner", "sheet", "bigmart")
    assert shown.exit == 0
    for line in (
        "| their AS2 URL | `http://127.0.0.1:5080/as2` |",
        "## 850 Purchase Order: they send, 004010",
        "By the guide of BigMart. Answered by 997."
        " Orders to stores. One order, one store, one delivery date.",
        "| `REF` | Reference Identification | must | 1 or more |",
        "| · `N3` | Address Information | used | at most 2 |",
        "| `BEG03` | Purchase Order Number | must | AN | 1-10 |  |",
        "`N1[ST]`: must, 1",
        "`N1[BY]>N4`: never",
        "Together: one of REF02 or REF03 has to be there.",
        "## 810 Invoice: we send, 004010",
        "All that the standard allows. Answered by 997.",
    ):
        assert line in shown.out.splitlines()
    assert "| `BEG04` " not in shown.out


def test_a_sheet_shows_what_a_guide_asks_of_components(run: Run, home: Path) -> None:
    file = home / "partners.toml"
    ours = 'unb = { qualifier = "14", id = "5412345000013" }'
    file.write_text(file.read_text().replace("\nisa = ", f"\n{ours}\nisa = ", 1))
    theirs = ("--role", "retailer", "--unb", "4012345000009:14", "--in", "ORDERS")
    assert run("--home", home, "partner", "add", "markt", *theirs).exit == 0
    (home / "guides" / "markt.toml").write_text(
        """\
name = "Markt"
set = "ORDERS"
[rules]
"BGM01-1" = { codes = ["220"] }
"NAD[BY]02-1" = { use = "must", min = 13, max = 13 }
"""
    )
    name_guide(home, "ORDERS", "guides/markt.toml")
    shown = run("--home", home, "partner", "sheet", "markt").out.splitlines()
    assert "| `BGM01-1` | Document/message name, coded | used | an | 1-3 | `220` Order |" in shown
    variant = shown.index("`NAD[BY]`: used")
    assert shown[variant + 5] == "| `NAD02-1` | Party id. identification | must | an | 13 |  |"


def test_a_sheet_has_an_example_that_its_guide_accepts(run: Run, guided: Path) -> None:
    shown = run("--home", guided, "partner", "sheet", "bigmart", "--set", "850,856", "--json")
    sets = json.loads(shown.out)["sets"]
    assert [agreed["type"] for agreed in sets] == ["850", "856"]
    for agreed in sets:
        segments = tuple(line.removesuffix("~") for line in agreed["example"].splitlines())
        sent = Transaction(agreed["type"], "0001", agreed["version"], Separators(), segments, 0)
        guide = load(EXAMPLES / f"bigmart-{agreed['type']}.toml")
        assert x12.check(sent, guide).problems == ()
        assert agreed["guide"] == "BigMart"
        assert agreed["segments"][1]["use"] == "must"


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_html_page_stands_by_itself_and_shows_notes_as_text(
    run: Run, guided: Path, tmp_path: Path
) -> None:
    guide = guided / "guides" / "bigmart-850.toml"
    guide.write_text(
        guide.read_text().replace("Orders to stores.", "<script>alert(1)</script> | `x` {{ 7 * 7 }}")
    )
    made = run(
        "--home", guided, "partner", "sheet", "bigmart", "--format", "html", "--output", tmp_path / "sheets"
    )
    assert made.out == f"{tmp_path}/sheets/bigmart.html\n"
    text = (tmp_path / "sheets" / "bigmart.html").read_text()
    page = _Text()
    page.feed(text)
    assert "script" not in page.tags
    assert all(address.startswith("#set") for address in page.addresses)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; | `x` {{ 7 * 7 }}" in text
    shown = run("--home", guided, "partner", "sheet", "bigmart").out
    assert "&lt;script>alert(1)&lt;/script> \\| \\`x\\` {{ 7 \\* 7 }}" in shown


def test_a_sheet_of_nobody_or_of_what_is_not_agreed_is_refused(run: Run, guided: Path) -> None:
    assert run("--home", guided, "partner", "sheet", "bigmrt").exit == 3
    refused = run("--home", guided, "partner", "sheet", "bigmart", "--set", "940")
    assert refused.exit == 2
    assert "940 is not agreed with bigmart" in refused.err


def test_a_file_is_checked_by_a_partner_s_guide(run: Run, guided: Path, tmp_path: Path) -> None:
    order = EXAMPLES / "850.x12"
    assert run("--home", guided, "edi", "check", order, "--guide", "bigmart").exit == 0
    late = tmp_path / "late.x12"
    late.write_bytes(order.read_bytes().replace(b"BEG*00*", b"BEG*05*"))
    assert run("edi", "check", late).exit == 0
    checked = run("--home", guided, "edi", "check", late, "--guide", "bigmart", "--json")
    assert checked.exit == 5
    (transaction,) = json.loads(checked.out)["interchanges"][0]["groups"][0]["transactions"]
    (problem,) = transaction["problems"]
    assert (problem["fault"], problem["segment"], problem["element"]) == ("CODE_UNKNOWN", "BEG", 1)
    assert problem["message"].startswith("guide of BigMart: BEG01")


def test_a_file_is_checked_by_a_guide_without_a_home(run: Run) -> None:
    order, guide = EXAMPLES / "850.x12", EXAMPLES / "bigmart-850.toml"
    assert run("edi", "check", order, "--guide", guide).exit == 0
    assert run("edi", "check", order, "--guide", "nowhere.toml").exit == 3


def test_a_partner_that_is_not_there_has_no_guide(run: Run, guided: Path) -> None:
    assert run("--home", guided, "edi", "check", EXAMPLES / "850.x12", "--guide", "bigmrt").exit == 3


def test_a_partner_without_guides_is_checked_by_the_standard_and_that_is_said(
    run: Run, home: Path, add_bigmart: Callable[..., Ran]
) -> None:
    assert add_bigmart().exit == 0
    checked = run("--home", home, "edi", "check", EXAMPLES / "850.x12", "--guide", "bigmart")
    assert checked.exit == 0
    assert "bigmart has no guide" in checked.err


def test_a_guide_that_does_not_fit_is_told_with_both_lines(run: Run, guided: Path) -> None:
    (guided / "guides" / "bigmart-850.toml").write_text(
        'name = "BigMart"\nset = "850"\n[rules]\nBEG = "never"\nN4 = "must"\n'
    )
    checked = run("--home", guided, "doctor")
    assert checked.exit == 4
    line = next(
        number
        for number, text in enumerate((guided / "partners.toml").read_text().splitlines(), 1)
        if "bigmart-850" in text
    )
    for finding in (
        "bigmart-850.toml:4: rules.BEG: the standard requires it",
        "bigmart-850.toml:5: rules.N4: there is no N4 in 850; did you mean N1>N4?",
    ):
        assert (
            f"partners.toml:{line}: partner.bigmart.document[0].guide: {finding}" in checked.out + checked.err
        )


def test_a_guide_in_another_version_than_we_write_is_told(run: Run, guided: Path) -> None:
    guide = guided / "guides" / "bigmart-856.toml"
    guide.write_text(guide.read_text().replace('"004010"', '"005010"'))
    checked = run("--home", guided, "doctor")
    assert checked.exit == 4
    assert "version: is '005010', but bigmart is written 004010" in checked.out + checked.err


def test_a_guide_that_is_missing_is_told_unless_its_partner_is_a_draft(run: Run, guided: Path) -> None:
    (guided / "guides" / "bigmart-856.toml").unlink()
    assert run("--home", guided, "partner", "list").exit == 0
    file = guided / "partners.toml"
    file.write_text(file.read_text().replace('status = "draft"', 'status = "testing"'))
    checked = run("--home", guided, "partner", "list")
    assert checked.exit == 4
    assert "without `guide` all that the standard allows is used" in checked.err


def test_nothing_is_written_to_a_partner_that_its_guide_rejects(run: Run, guided: Path) -> None:
    notice = {
        "schema": "tradelane.ship_notice/1",
        "number": "S1",
        "sent_on": "2026-11-24",
        "sent_time": "10:15:00",
        "purpose": "original",
        "levels": [{"kind": "shipment"}],
    }
    line = json.dumps(notice).encode()
    assert run("edi", "write", "--set", "856", input=line).exit == 0
    written = run("--home", guided, "edi", "write", "--set", "856", "--partner", "bigmart", input=line)
    assert written.exit == 5
    assert "guide of BigMart: BSN05" in written.err


@pytest.mark.parametrize("code", ["A>B", "A*B", "\u65e5\u672c"])
def test_a_sheet_without_an_example_that_can_be_written_is_still_a_sheet(
    run: Run, guided: Path, code: str
) -> None:
    rules = f'name = "BigMart"\nset = "850"\n[rules]\nBEG03 = {{ codes = ["{code}"] }}\n'
    (guided / "guides" / "bigmart-850.toml").write_text(rules, "utf-8")
    shown = run("--home", guided, "partner", "sheet", "bigmart", "--set", "850", "--json")
    assert shown.exit == 0, shown.err
    assert json.loads(shown.out)["sets"][0]["example"] is None
