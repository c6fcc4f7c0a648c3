"""Every console example of the documentation, run as it stands and compared with what the page shows."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs_console import ROOT, agrees, examples, run

PAGES = [
    "README.md",
    *sorted(
        str(page.relative_to(ROOT))
        for page in (ROOT / "docs").glob("*.md")
        if page.name != "interop.md"  # what it shows takes minutes; tests/interop hold it to the code
    ),
]
OUTSIDE = {
    "README.md": ["make"],
    "docs/partners.md": ["openssl", "curl", "sftp", "ssh-keygen"],
    "docs/deploy.md": ["curl"],
    "docs/diagnosis.md": ["openssl", "curl", "unzip"],
}


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose name leaves a line of 100 columns whole."""
    with tempfile.TemporaryDirectory(prefix="docs-") as folder:
        yield Path(folder)


@pytest.mark.external("make, curl, openssl, unzip, sftp and ssh-keygen")
@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_do_what_it_shows(page: str, short_path: Path) -> None:
    missing = [program for program in OUTSIDE.get(page, ()) if shutil.which(program) is None]
    if missing:
        pytest.skip(f"there is no {' and no '.join(missing)} here")
    found = examples(ROOT / page)
    assert found, f"{page} shows no command"
    for example, (code, printed) in zip(found, run(found, short_path), strict=True):
        told = "\n".join(printed)
        where = f"{page}:{example.line}: $ {example.command}"
        assert code == example.exit, f"{where}\nexited {code}, not {example.exit}:\n{told}"
        assert agrees(example.shown, printed), f"{where}\nprinted:\n{told}"


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (["one", "two"], ["one", "two"], True),
        (["one"], ["one", "two"], False),
        (["one", "..."], ["one", "two"], True),
        (["...", "two"], ["one", "two"], True),
        (["one", "...", "two"], ["one", "two"], True),
        (["one", "...", "two", "...", "three"], ["one", "x", "two", "y", "three"], True),
        (["one", "...", "two", "..."], ["one", "three"], False),
        (["...", "one"], ["one", "two"], False),
        (["at 2026-11-24 06:35:20Z"], ["at 2027-01-01 00:00:00Z"], True),
        (["1m8654dd0wq6c52v4pte  done"], ["1m8654d9p03s6dr0ta0g  failed"], False),
        (["status 200"], ["status 400"], False),
    ],
)  # fmt: skip
def test_a_page_agrees_only_with_what_was_printed(
    shown: list[str], printed: list[str], *, same: bool
) -> None:
    assert agrees(shown, printed) is same
