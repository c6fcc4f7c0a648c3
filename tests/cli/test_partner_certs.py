"""`partner certs`, `partner cem` and `partner crypto`, as a person and as a script sees them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cli_running import Ran, Run

from gateway import certificates, keys
from gateway.home import Home


@pytest.fixture
def bigmart(add_bigmart: Callable[..., Ran], home: Path) -> Path:
    """A home that has the retailer as its partner."""
    added = add_bigmart("--live")
    assert added.exit == 0, added.err
    return home


def ending_in(home: Path, days: int) -> str:
    """Replace the retailer's certificate by one that ends in so many days and an hour; its fingerprint."""
    end = datetime.now(UTC) + timedelta(days=days, hours=1)
    pair = keys.make_key_pair("BIGMARTEDI", now=end - keys.VALID_FOR)
    file = home / "certs" / "bigmart.crt"
    file.write_bytes(pair.cert)
    return keys.fingerprint(keys.read_certificate(file))


def test_certs_lists_ours_and_theirs_with_what_each_does_now(run: Run, bigmart: Path) -> None:
    ran = run("--home", bigmart, "partner", "certs", "--json")
    assert ran.exit == 0
    us, them = ran.lines
    assert (us["partner"], us["name"], us["use"], us["state"]) == (None, "key 1", "decrypts, signs", "ok")
    assert (them["partner"], them["name"], them["use"]) == ("bigmart", "bigmart.crt", "verifies, encrypts")
    assert them["sha256"] == keys.fingerprint(keys.read_certificate(bigmart / "certs" / "bigmart.crt"))
    assert them["file"] == "certs/bigmart.crt"
    assert 890 < them["days_left"] < 900
    assert them["last_used"] == []
    line = run("--home", bigmart, "partner", "certs", "bigmart").out.rstrip("\n").split("\t")
    assert line[:3] == ["bigmart", "bigmart.crt", them["sha256"][:11]]
    assert line[-1] == "never"


def test_certs_shows_windows_that_are_to_come_and_that_are_over(run: Run, bigmart: Path) -> None:
    for name in ("before", "after"):
        (bigmart / "certs" / f"{name}.crt").write_bytes((bigmart / "certs" / "bigmart.crt").read_bytes())
    file = bigmart / "partners.toml"
    file.write_text(
        file.read_text()
        .replace(
            '{ file = "certs/bigmart.crt" }',
            '{ file = "certs/before.crt", verify_until = 2020-01-01 },'
            '{ file = "certs/bigmart.crt" },'
            '{ file = "certs/after.crt", verify_from = 2099-02-03, encrypt_from = 2099-03-04 }',
        )
        .replace(
            '{ id = "1", cert = "certs/us.crt", key = "file:secrets/us.key" },',
            '{ id = "1", cert = "certs/us.crt", key = "file:secrets/us.key" },'
            '{ id = "2", cert = "certs/us-2.crt", key = "file:secrets/us-2.key", sign_from = 2099-04-05 },'
            '{ id = "0", cert = "certs/us-0.crt", key = "file:secrets/us-0.key", retire_after = 2020-01-01 }',
        )
    )
    assert run("--home", bigmart, "init").exit == 0
    shown = {row["name"]: row["use"] for row in run("--home", bigmart, "partner", "certs", "--json").lines}
    assert shown["key 1"] == "decrypts, signs"
    assert shown["key 2"] == "decrypts, signs from 2099-04-05"
    assert shown["key 0"] == "retired 2020-01-01"
    assert shown["before.crt"] == "not since 2020-01-01"
    assert shown["after.crt"] == "verifies from 2099-02-03, encrypts from 2099-03-04"


@pytest.mark.parametrize(
    ("days", "state", "is_listed", "ends"),
    [
        (70, "ok", False, ""),
        (59, "warn", True, ", 59 d"),
        (0, "warn", True, ", 0 d"),
        (-3, "fail", True, "expired"),
    ],
)
def test_expiring_lists_what_ends_within_60_days_or_has_ended(
    run: Run, bigmart: Path, days: int, state: str, ends: str, *, is_listed: bool
) -> None:
    sha256 = ending_in(bigmart, days)
    found = run("--home", bigmart, "partner", "certs", "--expiring", "--json").lines
    assert [row["sha256"] for row in found] == ([sha256] if is_listed else [])
    assert all(row["state"] == state for row in found)
    plain = run("--home", bigmart, "partner", "certs", "--expiring")
    assert plain.exit == 0
    assert ends in plain.out
    assert is_listed or "none ends within 60 days" in plain.err
    doctor = run("--home", bigmart, "doctor", "--json").lines
    (check,) = [row for row in doctor if row["check"] == "bigmart bigmart.crt"]
    assert check["verdict"] == state


def test_a_certificate_that_cannot_be_read_is_listed_with_why(run: Run, bigmart: Path) -> None:
    (bigmart / "certs" / "bigmart.crt").write_text("hello")
    (row,) = run("--home", bigmart, "partner", "certs", "bigmart", "--json").lines
    assert row["state"] == "fail"
    assert "not a usable X.509 certificate" in row["problem"]
    assert run("--home", bigmart, "partner", "certs", "--expiring").out.startswith("bigmart\tbigmart.crt")


def test_the_last_uses_are_shown_by_certs_and_by_show(run: Run, bigmart: Path) -> None:
    moment = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
    opened = Home.open(bigmart, lambda: moment)
    found = {one.owner: one.fingerprint for one in certificates.listed(opened.config, moment)}
    for owner, look_up in (("", "decrypt"), ("bigmart", "verify")):
        opened.store.write(
            lambda conn, owner=owner, look_up=look_up: certificates.note_use(
                opened, conn, "bigmart", look_up, found[owner]
            )
        )
    opened.close()
    us, them = run("--home", bigmart, "partner", "certs", "--json").lines
    at = "2026-03-04T05:06:00Z"
    assert us["last_used"] == [{"partner": "bigmart", "look_up": "decrypt", "at": at}]
    assert them["last_used"] == [{"partner": "bigmart", "look_up": "verify", "at": at}]
    shown = run("--home", bigmart, "partner", "show", "bigmart")
    assert "2026-03-04 05:06Z: their messages are encrypted to ours" in shown.out
    used = run("--home", bigmart, "partner", "show", "bigmart", "--json").json["certificates_used"]
    assert [one["look_up"] for one in used] == ["decrypt", "verify"]
    assert used[1]["sha256"] == them["sha256"]


def test_show_tells_of_no_use_where_there_was_none(run: Run, bigmart: Path) -> None:
    assert "last used" not in run("--home", bigmart, "partner", "show", "bigmart").out
    assert not (bigmart / "data" / "tradelane.db").exists()


def test_crypto_is_quiet_about_what_is_well_and_exits_by_what_must_end(run: Run, bigmart: Path) -> None:
    fine = run("--home", bigmart, "partner", "crypto", "--json")
    assert fine.exit == 0
    assert {row["verdict"] for row in fine.lines} == {"ok"}
    file = bigmart / "partners.toml"
    file.write_text(file.read_text().replace('encrypt = "aes256-cbc"', 'encrypt = "3des"'))
    red = run("--home", bigmart, "partner", "crypto", "bigmart")
    assert red.exit == 5
    assert "bigmart\tencryption\t3des\t\t\tfail\t3DES: agree on aes256-cbc or aes256-gcm" in red.out


@pytest.mark.parametrize(
    "words",
    [("certs", "nobody"), ("crypto", "nobody"), ("cem", "list", "nobody"), ("cem", "accept", "nobody"),
     ("cem", "reject", "nobody")],
)  # fmt: skip
def test_a_partner_that_is_not_there_is_not_found(run: Run, bigmart: Path, words: tuple[str, ...]) -> None:
    ran = run("--home", bigmart, "partner", *words)
    assert ran.exit == 3
    assert "no partner is named 'nobody'" in ran.err


def test_cem_says_what_it_has_nothing_of(run: Run, bigmart: Path) -> None:
    empty = run("--home", bigmart, "partner", "cem", "list")
    assert (empty.exit, empty.out) == (0, "")
    assert "no certificate was exchanged over AS2 yet" in empty.err
    for verb in ("accept", "reject"):
        ran = run("--home", bigmart, "partner", "cem", verb, "bigmart")
        assert ran.exit == 3
        assert "nothing from bigmart waits for an answer" in ran.err
        assert "Next: tradelane partner cem list bigmart" in ran.err


def test_cem_request_needs_a_partner_or_all_and_our_own_url(run: Run, bigmart: Path) -> None:
    for words in ((), ("bigmart", "--all")):
        assert run("--home", bigmart, "partner", "cem", "request", *words).exit == 2
    ran = run("--home", bigmart, "partner", "cem", "request", "bigmart", "--key", "1")
    assert ran.exit == 4
    assert "write public_url in [server]" in ran.err
    unknown = run("--home", bigmart, "partner", "cem", "request", "bigmart", "--key", "7")
    assert unknown.exit == 4
    assert "no key of ours is named '7'; there are 1" in unknown.err


def test_the_reason_of_a_refusal_is_one_line(run: Run, bigmart: Path) -> None:
    ran = run("--home", bigmart, "partner", "cem", "reject", "bigmart", "--reason", "a\nb")
    assert ran.exit == 2


def test_a_certificate_added_to_partners_toml_keeps_its_comments(bigmart: Path) -> None:
    from gateway import config

    file = bigmart / "partners.toml"
    file.write_text(file.read_text().replace("certs = [", "# ask Ann before changing this\ncerts = ["))
    (bigmart / "certs" / "new.crt").write_bytes((bigmart / "certs" / "bigmart.crt").read_bytes())
    diff = config.add_cert(bigmart, "bigmart", {"file": "certs/new.crt", "use": "verify"})
    assert '{ file = "certs/new.crt", use = "verify" }' in diff
    assert "# ask Ann before changing this" in file.read_text()
    relation = config.load(bigmart).partner("bigmart").as2
    assert relation is not None
    assert [(cert.file.name, cert.use) for cert in relation.certs] == [
        ("bigmart.crt", "both"),
        ("new.crt", "verify"),
    ]


def test_a_certificate_is_added_where_certs_are_tables_or_are_not_there(bigmart: Path) -> None:
    from gateway import config

    file = bigmart / "partners.toml"
    (bigmart / "certs" / "new.crt").write_bytes((bigmart / "certs" / "bigmart.crt").read_bytes())
    text = file.read_text()
    inline = 'certs = [{ file = "certs/bigmart.crt" }]\n'
    assert inline in text
    tables = '[[partner.bigmart.as2.certs]]\nfile = "certs/bigmart.crt"\n'
    none = text.replace(inline, "").replace('"sha256"', '"none"').replace('"aes256-cbc"', '"none"')
    for content, count in ((text.replace(inline, tables), 2), (none, 1)):
        file.write_text(content)
        config.add_cert(bigmart, "bigmart", {"file": "certs/new.crt"})
        relation = config.load(bigmart).partner("bigmart").as2
        assert relation is not None
        assert len(relation.certs) == count


def test_a_certificate_that_does_not_exist_is_not_written_into_the_file(bigmart: Path) -> None:
    from gateway import config

    before = (bigmart / "partners.toml").read_bytes()
    with pytest.raises(config.ConfigInvalid, match="does not exist"):
        config.add_cert(bigmart, "bigmart", {"file": "certs/absent.crt"})
    assert (bigmart / "partners.toml").read_bytes() == before


@pytest.mark.external("openssl")
def test_the_fingerprint_is_what_openssl_prints(run: Run, bigmart: Path) -> None:
    printed = subprocess.run(
        ["openssl", "x509", "-in", bigmart / "certs" / "bigmart.crt", "-noout", "-fingerprint", "-sha256"],
        check=True, capture_output=True,
    ).stdout.decode()  # fmt: skip
    (row,) = run("--home", bigmart, "partner", "certs", "bigmart", "--json").lines
    assert printed.partition("=")[2].strip() == row["sha256"]
