"""What the pages say of files, names, codes and dependencies is what the source says."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from docs_console import ROOT

from gateway.config.schema import File, Server
from gateway.errors import Code, DeadReason, Exit
from gateway.failpoints import NAMES
from gateway.server import DRAIN_S

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
PACKAGES = ("edi", "x12", "mappings", "sftp", "gateway")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_every_path_of_a_page_leads_somewhere(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
    for path in re.findall(r"`((?:edi|x12|mappings|sftp|gateway|tests|docs)/[a-z0-9_./-]*)`", text):
        assert (ROOT / path).exists(), f"{page.name} names {path}"


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the table under a heading."""
    section = (ROOT / page).read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    assert lines, f"{page} has no table under {heading!r}"
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_the_exit_codes_are_those_of_the_command_line() -> None:
    assert [int(row[0]) for row in rows("docs/errors.md", "Exit codes")] == [int(code) for code in Exit]


def test_the_failures_are_those_the_program_raises() -> None:
    told = [tuple(row) for row in rows("docs/errors.md", "Failures")]
    assert told == [(f"`{code.value}`", str(int(code.exit)), code.meaning) for code in Code]


def test_the_dead_letter_reasons_are_those_the_program_gives() -> None:
    told = [row[0] for row in rows("docs/errors.md", "Dead letters")]
    assert told == [f"`{reason.value}`" for reason in DeadReason]


def test_every_package_and_every_module_of_the_gateway_stands_on_the_map() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text().partition("## Code map")[2].partition("\n## ")[0]
    for package in PACKAGES:
        for path in sorted((ROOT / package).iterdir()):
            if path.name.startswith("_") or (path.is_dir() and not any(path.glob("*.py"))):
                continue
            if path.suffix == ".py" or path.is_dir():
                name = path.stem if path.suffix else f"{path.name}/"
                assert re.search(rf"\b{re.escape(name.rstrip('/'))}\b", text), f"{package}/{path.name}"


def test_every_dependency_is_listed_with_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["fast"]]
    names = {re.match(r"[A-Za-z0-9_-]+", one)[0].lower() for one in needed}  # type: ignore[index]
    told = {row[0].strip("`").lower() for row in rows("ARCHITECTURE.md", "Dependencies")}
    assert told == names


def test_the_fail_points_are_all_listed() -> None:
    section = (ROOT / "ARCHITECTURE.md").read_text().partition("## Crash points")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(\w+:[\w-]+)`", section)) == set(NAMES)


def test_what_is_said_to_do_nothing_is_a_key_that_exists_and_that_nothing_reads() -> None:
    source = "\n".join(
        path.read_text() for path in (ROOT / "gateway").rglob("*.py") if path.parent.name != "config"
    )
    for attribute in ("expect_daily", "stable_for", "temp_suffix"):
        assert re.search(rf"\.{attribute}\b", source) is None, (
            f"{attribute} is read now: tell docs/partners.md"
        )
    assert File.__struct_fields__ == ("schema", "us", "defaults", "server", "erp")


def test_the_nginx_example_passes_one_path_and_what_the_gateway_takes(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "examples" / "nginx.conf").read_text()
    bare = re.sub(r"#.*", "", text)
    assert bare.count("{") == bare.count("}") == 3
    assert re.findall(r"location ([^{]+?)\s*{", bare) == ["= /as2", "/"]
    assert re.findall(r"client_max_body_size\s+(\S+);", bare) == [f"{Server().max_body >> 30}g"]
    for line in bare.splitlines():
        assert not line.strip() or line.strip()[-1] in ";{}", line
    if shutil.which("nginx") is not None and shutil.which("openssl") is not None:
        _accepted_by_nginx(text, tmp_path)


def _accepted_by_nginx(text: str, folder: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=edi.example.com",
         "-keyout", folder / "key", "-out", folder / "cert"],
        check=True, capture_output=True,
    )  # fmt: skip
    text = text.replace("/etc/ssl/private/edi.example.com.key", f"{folder}/key")
    text = text.replace("/etc/ssl/edi.example.com.pem", f"{folder}/cert")
    (folder / "nginx.conf").write_text(
        f"pid {folder}/pid;\nerror_log {folder}/log;\nevents {{}}\nhttp {{\naccess_log off;\n{text}}}\n"
    )
    done = subprocess.run(["nginx", "-t", "-c", folder / "nginx.conf"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_the_systemd_unit_waits_for_the_drain_and_restarts_only_where_that_helps(tmp_path: Path) -> None:
    unit = (ROOT / "docs" / "examples" / "tradelane.service").read_text()
    settings = dict(re.findall(r"^(\w+)=(.*)$", unit, re.M))
    assert float(settings["TimeoutStopSec"]) > 2 * DRAIN_S
    assert settings["KillSignal"] == "SIGTERM"
    final = {int(code) for code in settings["RestartPreventExitStatus"].split()}
    assert final == {Exit.USAGE, Exit.CONFIGURATION, Exit.CONFLICT}
    if shutil.which("systemd-analyze") is not None:
        _accepted_by_systemd(unit, tmp_path)


def _accepted_by_systemd(unit: str, folder: Path) -> None:
    program = folder / "tradelane"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = folder / "tradelane.service"
    copy.write_text(unit.replace("/opt/tradelane/.venv/bin/tradelane", str(program)))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, check=False)
    assert b"tradelane.service:" not in done.stderr, done.stderr.decode()
