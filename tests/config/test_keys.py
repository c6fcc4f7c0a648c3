"""Key pairs of ours, certificates of theirs, and the files people mail by mistake."""

import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway import keys
from gateway.errors import Code, Failure

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture(scope="module")
def pair() -> keys.KeyPair:
    return keys.make_key_pair("NORTHWIND", now=NOW)


@pytest.fixture
def files(pair: keys.KeyPair, tmp_path: Path) -> tuple[Path, Path]:
    cert, key = tmp_path / "us.crt", tmp_path / "secrets" / "us.key"
    cert.write_bytes(pair.cert)
    keys.write_secret(key, pair.key)
    return cert, key


def openssl(*args: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


def refused(path: Path) -> Failure:
    with pytest.raises(Failure) as caught:
        keys.read_certificate(path)
    assert caught.value.code is Code.BAD_CERTIFICATE
    return caught.value


def test_a_secret_is_for_its_owner_alone(files: tuple[Path, Path]) -> None:
    key = files[1]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700


def test_a_made_pair_belongs_together_and_is_valid_five_years(pair: keys.KeyPair) -> None:
    certificate = keys.parse_certificate(pair.cert, where="cert")
    assert keys.is_pair(certificate, keys.read_private_key(pair.key, where="key"))
    assert not keys.is_pair(
        certificate, keys.read_private_key(keys.make_key_pair("OTHER", now=NOW).key, where="key")
    )
    assert certificate.not_valid_before_utc == NOW - timedelta(days=1)
    assert certificate.not_valid_after_utc == NOW + timedelta(days=5 * 365)
    assert keys.weakness(certificate) is None
    assert "PRIVATE" not in repr(pair)


@pytest.mark.external("openssl")
def test_openssl_signs_and_encrypts_with_what_we_make(files: tuple[Path, Path], tmp_path: Path) -> None:
    cert, key = files
    text = tmp_path / "text"
    text.write_bytes(b"ISA*00*\r\n")
    signed, sealed, opened = tmp_path / "signed", tmp_path / "sealed", tmp_path / "opened"
    openssl("cms", "-sign", "-binary", "-in", text, "-signer", cert, "-inkey", key, "-out", signed)
    openssl("cms", "-verify", "-in", signed, "-CAfile", cert, "-out", opened)
    assert opened.read_bytes() == text.read_bytes()
    openssl("cms", "-encrypt", "-binary", "-aes256", "-in", text, "-out", sealed, cert)
    openssl("cms", "-decrypt", "-in", sealed, "-inkey", key, "-out", opened)
    assert opened.read_bytes() == text.read_bytes()


@pytest.mark.external("openssl")
def test_the_fingerprint_is_the_one_openssl_prints(files: tuple[Path, Path]) -> None:
    printed = openssl("x509", "-in", files[0], "-noout", "-fingerprint", "-sha256").stdout.decode()
    assert printed.strip().partition("=")[2] == keys.fingerprint(keys.read_certificate(files[0]))


@pytest.mark.external("openssl")
def test_what_a_file_holds_decides_not_its_name(files: tuple[Path, Path], tmp_path: Path) -> None:
    der = tmp_path / "named.pem"
    openssl("x509", "-in", files[0], "-outform", "DER", "-out", der)
    assert keys.read_certificate(der) == keys.read_certificate(files[0])
    text_before = tmp_path / "bag.txt"
    text_before.write_bytes(b"Bag Attributes\n    friendlyName: us\n" + files[0].read_bytes())
    assert keys.read_certificate(text_before) == keys.read_certificate(files[0])


@pytest.mark.external("openssl")
def test_a_private_key_in_place_of_a_certificate_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    cert, key = files
    assert refused(key).what == "holds a private key"
    both = tmp_path / "both.pem"
    both.write_bytes(cert.read_bytes() + key.read_bytes())
    assert refused(both).what == "holds a private key"
    der, locked = tmp_path / "key.der", tmp_path / "locked.der"
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", key, "-outform", "DER", "-out", der)
    openssl("pkcs8", "-topk8", "-passout", "pass:x", "-in", key, "-outform", "DER", "-out", locked)
    assert refused(der).what == "holds a private key"
    assert refused(locked).what == "holds a private key"


@pytest.mark.external("openssl")
def test_bundles_are_named_for_what_they_are(files: tuple[Path, Path], tmp_path: Path) -> None:
    cert, key = files
    p7b, pfx, ssh = tmp_path / "a.p7b", tmp_path / "a.pfx", tmp_path / "a.pub"
    openssl("crl2pkcs7", "-nocrl", "-certfile", cert, "-outform", "DER", "-out", p7b)
    openssl("pkcs12", "-export", "-in", cert, "-inkey", key, "-passout", "pass:x", "-out", pfx)
    ssh.write_text("ssh-ed25519 AAAA x\n")
    assert "PKCS#7" in refused(p7b).what
    assert "PKCS#12" in refused(pfx).what
    assert "SSH public key" in refused(ssh).what
    assert "cannot read it" in refused(tmp_path / "absent").what


@pytest.mark.external("ssh-keygen")
def test_ssh_public_keys_are_read_and_everything_else_refused(tmp_path: Path) -> None:
    private = tmp_path / "id"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "acme-2026", "-f", private], check=True
    )
    (line,) = keys.read_ssh_public_keys(tmp_path / "id.pub")
    assert line.startswith("ssh-ed25519 AAAA")
    assert line.endswith(" acme-2026")
    putty = subprocess.run(["ssh-keygen", "-e", "-f", tmp_path / "id.pub"], check=True, capture_output=True)
    options = f'from="10.0.0.1" {line}'.encode()
    for content, what in [
        (private.read_bytes(), "holds a private key"),
        (putty.stdout, "is in the SSH2 format of PuTTYgen"),
        (options, "is no OpenSSH public key"),
        (b"# nothing\n", "holds no key"),
    ]:
        (tmp_path / "wrong").write_bytes(content)
        with pytest.raises(Failure, match=what) as caught:
            keys.read_ssh_public_keys(tmp_path / "wrong")
        assert caught.value.code is Code.BAD_KEY


def test_a_key_that_is_none_or_locked_is_refused_without_showing_it() -> None:
    for content in (b"hunter2", b"-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n"):
        with pytest.raises(Failure) as caught:
            keys.read_private_key(content, where="file of key 2026")
        assert caught.value.code is Code.BAD_KEY
        assert "hunter2" not in str(caught.value)
