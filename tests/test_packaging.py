"""What an installed copy needs is in it: every file of the packages is named in pyproject.toml."""

from __future__ import annotations

import fnmatch
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_every_data_file_of_the_packages_is_packed() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "edi", "x12", "sftp", "mappings", "gateway"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("needs the git checkout")
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"]["*"]
    for name in listed.stdout.decode().splitlines():
        path = Path(name)
        if path.suffix != ".py":
            assert any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns), (
                f"{name} would be left out"
            )
