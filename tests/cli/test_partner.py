"""`partner add`, `list` and `show`."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cli_running import Ran, Run

from gateway import config

Add = Callable[..., Ran]


WRITTEN = """
[partner.bigmart]
role = "retailer"
status = "draft"
usage = "T"
isa = { qualifier = "08", id = "9254110060" }

[partner.bigmart.as2]
id = "BIGMARTEDI"
url = "http://127.0.0.1:5080/as2"
sign = "sha256"
encrypt = "aes256-cbc"
compress = "none"
mdn = { mode = "sync", signed = true }
certs = [{ file = "certs/bigmart.crt" }]

[[partner.bigmart.document]]
type = "850"
direction = "in"
route = "3pl:acme"

[[partner.bigmart.document]]
type = "997"
direction = "in"

[[partner.bigmart.document]]
type = "856"
direction = "out"

[[partner.bigmart.document]]
type = "810"
direction = "out"
"""


def test_a_retailer_over_as2_is_added_as_the_flags_say(
    home: Path, add_bigmart: Add, their_cert: Path
) -> None:
    ran = add_bigmart("--live", "--compress", "before-sign", "--mdn", "async", "--mdn-unsigned")
    assert (ran.exit, ran.out) == (0, "added bigmart: retailer, live\n")
    partner = config.load(home).partner("bigmart")
    assert (partner.role, partner.status, partner.usage) == ("retailer", "live", "P")
    assert partner.as2 is not None
    assert (partner.as2.id, partner.as2.url) == ("BIGMARTEDI", "http://127.0.0.1:5080/as2")
    assert (partner.as2.sign, partner.as2.encrypt, partner.as2.compress) == (
        "sha256",
        "aes256-cbc",
        "before-sign",
    )
    assert (partner.as2.mdn.mode, partner.as2.mdn.signed) == ("async", False)
    assert partner.as2.certs[0].file.read_bytes() == their_cert.read_bytes()
    agreed = [(agreement.type, agreement.direction, agreement.route) for agreement in partner.agreements]
    assert agreed == [
        ("850", "in", "3pl:acme"),
        ("997", "in", None),
        ("856", "out", None),
        ("810", "out", None),
    ]


def test_a_warehouse_over_sftp_is_added_as_the_flags_say(run: Run, home: Path, their_ssh_key: Path) -> None:
    ran = run(
        *("--home", home, "partner", "add", "acme", "--role", "3pl", "--isa", "01:123456789"),
        *("--unb", "5412345000020:14", "--sftp-user", "acme", "--sftp-key", their_ssh_key),
        *("--in", "945,997", "--out", "940", "--json"),
    )
    assert ran.exit == 0
    assert ran.json["sftp_account"]["keys"] == [their_ssh_key.read_text().strip()]
    partner = config.load(home).partner("acme")
    assert (partner.status, partner.usage, partner.channel) == ("draft", "T", "sftp_account")
    assert [str(party) for party in partner.parties] == ["01:123456789", "14:5412345000020"]


def test_the_table_is_written_as_a_person_would(home: Path, add_bigmart: Add) -> None:
    before = (home / "partners.toml").read_text()
    assert add_bigmart().exit == 0
    assert (home / "partners.toml").read_text().removeprefix(before) == WRITTEN


def test_adding_keeps_what_is_written_and_backs_it_up(home: Path, add_bigmart: Add) -> None:
    before = (home / "partners.toml").read_text()
    assert add_bigmart().exit == 0
    assert (home / "partners.toml").read_text().startswith(before)
    (backup,) = (home / "backups").iterdir()
    assert backup.read_text() == before


def test_a_dry_run_shows_the_change_and_makes_none(home: Path, add_bigmart: Add) -> None:
    before = (home / "partners.toml").read_text()
    ran = add_bigmart("--dry-run")
    assert ran.exit == 0
    assert '+[partner.bigmart]\n+role = "retailer"\n' in ran.out
    assert (home / "partners.toml").read_text() == before
    assert not (home / "certs/bigmart.crt").exists()
    assert not (home / "backups").exists()
    assert add_bigmart("--dry-run", "--json").json["diff"] == ran.out


def test_a_taken_name_or_identity_is_a_conflict(run: Run, home: Path, add_bigmart: Add) -> None:
    assert add_bigmart().exit == 0
    before = (home / "partners.toml").read_text()
    again = add_bigmart()
    assert again.exit == 8
    assert again.err.startswith("PARTNER-EXISTS  ")
    other = run("--home", home, "partner", "add", "other", "--role", "supplier", "--isa", "08:9254110060")
    assert other.exit == 8
    assert "08:9254110060 is already taken by partner 'bigmart'" in other.err
    assert (home / "partners.toml").read_text() == before


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--role", "3pl"], "--isa or --unb says by which id"),
        (["--role", "shop", "--isa", "01:1"], "Invalid value for '--role'"),
        (["--isa", "01:1"], "Missing option '--role'"),
        (["--role", "3pl", "--isa", "01:1", "--as2-url", "http://x/"], "need --as2-id"),
        (["--role", "3pl", "--isa", "01:1", "--as2-id", "X"], "--as2-id needs --cert"),
        (["--role", "3pl", "--isa", "01:1", "--sftp-key", "KEY"], "--sftp-key needs --sftp-user"),
        (["--role", "3pl", "--isa", "01:1", "--route", "3pl:a", "--in", "945"], "--route needs an order set"),
        (["--role", "3pl", "--isa", "01:1", "--in", "85"], "'85' is no set or message"),
        (["--role", "3pl", "--isa", "01:1", "--sftp-user", "../x"], "sftp_account.user: expected a name"),
        (["--role", "3pl", "--isa", "01:1", "--usage", "X"], "Invalid value for '--usage'"),
        (["--role", "3pl", "--isa", "01:1", "--cert", "absent"], "Invalid value for '--cert'"),
        (["--role", "3pl", "--isa", "01:1", "--nonsense"], "No such option '--nonsense'"),
    ],
)
def test_flags_that_cannot_be_meant_are_usage_errors(
    run: Run, home: Path, their_ssh_key: Path, flags: list[str], told: str
) -> None:
    before = (home / "partners.toml").read_text()
    given = [str(their_ssh_key) if flag == "KEY" else flag for flag in flags]
    ran = run("--home", home, "partner", "add", "p", *given)
    assert (ran.exit, ran.out) == (2, "")
    assert told in ran.err
    assert (home / "partners.toml").read_text() == before


def test_shell_metacharacters_and_toml_in_a_flag_stay_what_they_are(run: Run, home: Path) -> None:
    hostile = 'X"]\n[us]\nname = "$(id)`id`'
    ran = run("--home", home, "partner", "add", hostile, "--role", "3pl", "--isa", "01:1")
    assert ran.exit == 2
    ran = run(
        *("--home", home, "partner", "add", "p", "--role", "3pl", "--isa", "01:$(id)`id`'"),
        *("--as2-id", "A;B $(id)", "--sign", "none", "--encrypt", "none"),
    )
    assert ran.exit == 0
    partner = config.load(home).partner("p")
    assert partner.isa is not None
    assert partner.isa.id == "$(id)`id`'"
    assert partner.as2 is not None
    assert partner.as2.id == "A;B $(id)"


def test_a_private_key_given_as_a_certificate_or_public_key_is_refused_and_not_copied(
    run: Run, home: Path, their_ssh_key: Path
) -> None:
    flags = ["--home", home, "partner", "add", "p", "--role", "3pl", "--isa", "01:1"]
    ran = run(*flags, "--as2-id", "P", "--cert", home / "secrets/us.key")
    assert (ran.exit, ran.err.split()[0]) == (4, "BAD-CERTIFICATE")
    ran = run(*flags, "--sftp-user", "p", "--sftp-key", their_ssh_key.with_suffix(""))
    assert (ran.exit, ran.err.split()[0]) == (4, "BAD-KEY")
    assert [path.name for path in (home / "certs").iterdir()] == ["us.crt"]


def test_a_route_to_a_partner_not_yet_added_is_told_and_resolved_later(
    run: Run, home: Path, add_bigmart: Add
) -> None:
    ran = add_bigmart()
    assert "no partner is named 'acme'" in ran.err
    assert run("--home", home, "partner", "add", "acme", "--role", "3pl", "--isa", "01:1").exit == 0
    assert not config.load(home).warnings


def test_another_certificate_under_the_same_name_is_never_overwritten(home: Path, add_bigmart: Add) -> None:
    (home / "certs/bigmart.crt").write_text("mine")
    ran = add_bigmart()
    assert ran.exit == 8
    assert (home / "certs/bigmart.crt").read_text() == "mine"


def test_list_is_tab_separated_when_piped_and_a_line_each_as_json(
    run: Run, home: Path, add_bigmart: Add
) -> None:
    assert run("--home", home, "partner", "list") == Ran(0, "", "")
    add_bigmart("--live")
    ran = run("--home", home, "partner", "list")
    assert ran.out == "bigmart\tretailer\tlive\tP\t08:9254110060\tas2\t850,997\t856,810\n"
    assert run("--home", home, "partner", "list", "--json").lines == [
        {
            "name": "bigmart",
            "role": "retailer",
            "status": "live",
            "usage": "P",
            "isa": {"qualifier": "08", "id": "9254110060"},
            "unb": None,
            "channel": "as2",
            "as2_id": "BIGMARTEDI",
            "as2_url": "http://127.0.0.1:5080/as2",
            "sftp_user": None,
            "in": ["850", "997"],
            "out": ["856", "810"],
        }
    ]


def test_show_tells_every_setting_and_whose_certificate_it_is(run: Run, home: Path, add_bigmart: Add) -> None:
    add_bigmart("--live")
    shown = run("--home", home, "partner", "show", "bigmart", "--json").json
    (cert,) = shown["as2"]["certs"]
    assert cert["file"] == "certs/bigmart.crt"
    assert len(cert["sha256"]) == 95
    ran = run("--home", home, "partner", "show", "bigmart")
    assert f"SHA-256\t{cert['sha256']}\n" in ran.out
    assert "in\t850, to 3pl:acme, 997 in 15m\n" in ran.out
    assert "out\t856, 997 in 1d\n" in ran.out
    assert "in\t997, no acknowledgment\n" in ran.out


def test_showing_an_unknown_partner_is_exit_3_with_the_nearest_name(
    run: Run, home: Path, add_bigmart: Add
) -> None:
    add_bigmart()
    ran = run("--home", home, "partner", "show", "bigmrt")
    assert (ran.exit, ran.out) == (3, "")
    assert "no partner is named 'bigmrt' (did you mean 'bigmart'?)" in ran.err


def test_set_takes_a_number_for_the_text_that_a_key_has(run: Run, home: Path, add_bigmart: Add) -> None:
    add_bigmart()
    changed = run("--home", home, "partner", "set", "bigmart", "as2.profile=1.3", "as2.attachments=true")
    assert changed.exit == 0
    assert '+profile = "1.3"' in changed.out
    refused = run("--home", home, "partner", "set", "bigmart", "as2.profile=1.9")
    assert refused.exit == 2
    assert "partner.bigmart.as2.profile" in refused.err


def test_set_says_how_a_key_is_taken_out(run: Run, home: Path, add_bigmart: Add) -> None:
    add_bigmart()
    refused = run("--home", home, "partner", "set", "bigmart", "as2.compress")
    assert refused.exit == 2
    assert "KEY= to take it out" in refused.err
    assert '-compress = "none"' in run("--home", home, "partner", "set", "bigmart", "as2.compress=").out


def test_what_is_not_valid_now_is_told_when_it_is_listed(run: Run, home: Path, add_bigmart: Add) -> None:
    add_bigmart()
    expired = Path(__file__).parent / "expired.crt"
    ran = run("--home", home, "partner", "rotate-cert", "bigmart", expired)
    assert ran.exit == 0
    assert "it expired on 2025-01-01" in ran.err
