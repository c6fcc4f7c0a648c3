"""A home made by `init`, and a way to run a command in it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_running import Ran, Run
from click.testing import CliRunner

from gateway.cli import main


@pytest.fixture
def run() -> Run:
    """Run a command line in this process."""

    def run(*args: object, input: bytes | None = None) -> Ran:
        result = CliRunner().invoke(main, [str(arg) for arg in args], input=input)
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture(scope="session")
def their_cert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A partner's certificate."""
    folder = tmp_path_factory.mktemp("theirs")
    flags = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=BIGMARTEDI", "-days", "900"]
    subprocess.run(
        ["openssl", *flags, "-keyout", folder / "key", "-out", folder / "cert"],
        check=True,
        capture_output=True,
    )
    return folder / "cert"


@pytest.fixture(scope="session")
def their_ssh_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A partner's public SSH key."""
    folder = tmp_path_factory.mktemp("ssh")
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "acme", "-f", str(folder / "id")], check=True
    )
    return folder / "id.pub"


@pytest.fixture
def home(tmp_path: Path, run: Run) -> Path:
    """A fresh home of Northwind's."""
    home = tmp_path / "home"
    made = run(
        "--home", home, "init", "--name", "Northwind", "--as2-id", "NORTHWIND", "--isa", "ZZ:NORTHWIND"
    )
    assert made.exit == 0, made.err
    return home


@pytest.fixture
def add_bigmart(run: Run, home: Path, their_cert: Path) -> Callable[..., Ran]:
    """Add the retailer, with any further flags."""

    def add(*more: object) -> Ran:
        return run(
            *("--home", home, "partner", "add", "bigmart", "--role", "retailer", "--isa", "08:9254110060"),
            *("--as2-id", "BIGMARTEDI", "--as2-url", "http://127.0.0.1:5080/as2", "--cert", their_cert),
            *("--in", "850,997", "--out", "856,810", "--route", "3pl:acme", *more),
        )

    return add
