"""Two companies, a stranger, and the keys of all of them, made once per test session."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from as2_peer import Company, OpenSSL, company
from cryptography.hazmat.primitives.asymmetric import ec

from gateway import as2


@pytest.fixture(scope="session")
def partner() -> Company:
    """Who sends the messages that we open."""
    return company("Partner")


@pytest.fixture(scope="session")
def us() -> Company:
    return company("Tradelane")


@pytest.fixture(scope="session")
def stranger() -> Company:
    return company("Stranger")


@pytest.fixture(scope="session")
def curve() -> Company:
    """A partner with an elliptic curve key."""
    return company("Curve", key=ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture(scope="session")
def policy(us: Company, partner: Company) -> as2.Policy:
    """Signed and encrypted, by the partner to us."""
    return as2.Policy(keys=(us.identity,), trust=as2.Trust((partner.certificate,)))


@pytest.fixture
def openssl(tmp_path: Path) -> OpenSSL:
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl program")
    return OpenSSL(tmp_path)
