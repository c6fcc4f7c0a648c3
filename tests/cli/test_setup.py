"""`init` and `doctor`."""

import json
import shutil
import socket
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cli_running import Ran, Run

from gateway import config, keys

EXAMPLE = Path(__file__).parents[2] / "partners.toml"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def checks(ran: Ran) -> dict[str, str]:
    return {line["check"]: line["verdict"] for line in ran.lines}


def test_init_makes_a_home_that_loads_with_its_secrets_closed(home: Path) -> None:
    loaded = config.load(home)
    assert (loaded.us.name, loaded.us.as2_id, str(loaded.us.isa)) == (
        "Northwind",
        "NORTHWIND",
        "ZZ:NORTHWIND",
    )
    (key,) = loaded.us.keys
    assert keys.is_pair(keys.read_certificate(key.cert), keys.read_private_key(key.key.read(), where="key"))
    assert mode(home / "secrets") == 0o700
    assert mode(home / "secrets/us.key") == 0o600
    assert mode(home / "data") == 0o700
    for folder in ("erp/in", "erp/out", "erp/done", "erp/refused", "certs", "sftp"):
        assert (home / folder).is_dir()


def test_init_takes_a_folder_and_says_who_we_are(run: Run, tmp_path: Path) -> None:
    ran = run("init", tmp_path / "a", "--name", 'Old "Salt" & Söhne', "--unb", "5412345000013:14", "--json")
    assert ran.exit == 0
    assert ran.json["name"] == 'Old "Salt" & Söhne'
    assert ran.json["as2_id"] == "OLDSALTSHNE"
    assert ran.json["unb"] == {"qualifier": "14", "id": "5412345000013"}
    assert ran.json["made"] == ["partners.toml", "certs/us.crt", "secrets/us.key"]
    assert len(ran.json["certificates"][0]["sha256"]) == 95
    assert "PRIVATE" not in ran.out + ran.err


def test_init_keeps_what_is_there_and_makes_what_is_missing(run: Run, home: Path) -> None:
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    assert run("init", home, "--json").json["made"] == []
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    (home / "certs/us.crt").unlink()
    (home / "secrets/us.key").unlink()
    assert run("init", home, "--json").json["made"] == ["certs/us.crt", "secrets/us.key"]


def test_init_never_overwrites_half_a_pair(run: Run, home: Path) -> None:
    (home / "certs/us.crt").unlink()
    key = (home / "secrets/us.key").read_bytes()
    assert run("init", home, "--json").json["made"] == []
    assert (home / "secrets/us.key").read_bytes() == key


def test_init_refuses_to_rename_a_home(run: Run, home: Path) -> None:
    ran = run("--home", home, "init", "--name", "Other")
    assert ran.exit == 8
    assert ran.err.startswith("HOME-EXISTS  ")
    assert config.load(home).us.name == "Northwind"


def test_init_with_an_impossible_id_is_a_usage_error_and_makes_nothing(run: Run, tmp_path: Path) -> None:
    for flags in (
        ["--isa", "ZZZ:1"],
        ["--isa", "NORTHWIND"],
        ["--isa", "ZZ:SIXTEEN-LETTERS-"],
        ["--unb", ""],
    ):
        ran = run("init", tmp_path / "a", *flags)
        assert (ran.exit, ran.out) == (2, "")
        assert ran.err.startswith("USAGE  ")
    assert not (tmp_path / "a").exists()


def test_the_example_serves_once_keys_are_made_and_the_certificate_is_dropped_in(
    run: Run, tmp_path: Path, their_cert: Path
) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    assert run("--home", tmp_path, "init").exit == 0
    ran = run("--home", tmp_path, "doctor")
    assert ran.exit == 4
    assert "certs/bigmart.crt does not exist; save their certificate there" in ran.err
    shutil.copy(their_cert, tmp_path / "certs/bigmart.crt")
    ran = run("--home", tmp_path, "doctor", "--json")
    assert ran.exit == 0
    assert checks(ran)["bigmart bigmart.crt"] == "ok"


def test_doctor_finds_a_fresh_home_fit(run: Run, home: Path) -> None:
    ran = run("--home", home, "doctor", "--json")
    assert ran.exit == 0
    found = checks(ran)
    for name in ("configuration", "key 1", "secrets/", "database", "disk"):
        assert found[name] == "ok"


def test_doctor_names_an_exposed_key_and_how_to_close_it(run: Run, home: Path) -> None:
    (home / "secrets/us.key").chmod(0o644)
    (home / "secrets").chmod(0o755)
    ran = run("--home", home, "doctor", "--json")
    assert ran.exit == 5
    failed = {line["check"]: line["fix"] for line in ran.lines if line["verdict"] == "fail"}
    assert failed == {
        "key 1": f"chmod 600 {home}/secrets/us.key",
        "secrets/": f"chmod 700 {home}/secrets",
    }


def test_doctor_finds_a_certificate_that_is_not_of_the_key(run: Run, home: Path, their_cert: Path) -> None:
    shutil.copy(their_cert, home / "certs/us.crt")
    ran = run("--home", home, "doctor", "--json")
    assert ran.exit == 5
    assert checks(ran)["key 1"] == "fail"


def test_doctor_finds_a_private_key_among_their_certificates(
    run: Run, home: Path, add_bigmart: Callable[..., Ran]
) -> None:
    assert add_bigmart("--live").exit == 0
    (home / "certs/bigmart.crt").write_bytes((home / "secrets/us.key").read_bytes())
    ran = run("--home", home, "doctor")
    assert ran.exit == 5
    (line,) = [line for line in ran.out.splitlines() if line.startswith("bigmart bigmart.crt\tfail")]
    assert "holds a private key" in line


def test_doctor_warns_of_a_port_that_is_taken(run: Run, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file = home / "partners.toml"
        file.write_text(file.read_text() + f'\n[server]\nas2 = "127.0.0.1:{port}"\nweb = "127.0.0.1:0"\n')
        ran = run("--home", home, "doctor", "--json")
    assert checks(ran)["as2 port"] == "warn"
    assert checks(ran)["web port"] == "ok"


def test_an_invalid_file_is_exit_4_with_every_problem_in_words_and_as_json(run: Run, home: Path) -> None:
    file = home / "partners.toml"
    file.write_text(
        file.read_text().replace("as2_id", "as2id") + '\n[partner.x]\nrole = "3pl"\nisa = "ZZ:X"\n'
    )
    ran = run("--home", home, "doctor")
    assert (ran.exit, ran.out) == (4, "")
    assert "  partners.toml:8: us.as2id: unknown key (did you mean 'as2_id'?)\n" in ran.err
    ran = run("--home", home, "partner", "list", "--json")
    told = json.loads(ran.err)
    assert told["code"] == "CONFIG-INVALID"
    assert [problem["key"] for problem in told["problems"]] == ["us.as2id", "partner.x.isa"]


def test_a_missing_home_is_exit_4_and_names_init(run: Run, tmp_path: Path) -> None:
    ran = run("--home", tmp_path / "nowhere", "doctor")
    assert ran.exit == 4
    assert (
        ran.err
        == f"NO-HOME  {tmp_path}/nowhere: no partners.toml there\nNext: tradelane init {tmp_path}/nowhere\n"
    )


def test_doctor_tells_whether_tls_files_and_passwords_of_partners_can_be_used(
    run: Run, home: Path, add_bigmart: Callable[..., Ran], their_cert: Path
) -> None:
    assert add_bigmart().exit == 0
    file, password = home / "partners.toml", home / "secrets" / "http"
    password.write_text("pw")
    password.chmod(0o640)
    shutil.copy(their_cert, home / "certs/tls.crt")
    http = 'user = "us"\npassword = "file:secrets/http"\nca = "certs/tls.crt"\n'
    file.write_text(f"{file.read_text()}\n[partner.bigmart.as2.http]\n{http}")

    def told() -> dict[str, str | None]:
        (line,) = [line for line in run("doctor", "--json").lines if line["check"] == "bigmart http"]
        return {key: line[key] for key in ("verdict", "fix")}

    run = partial(run, "--home", home)
    assert told() == {"verdict": "warn", "fix": f"chmod 600 {password}"}
    password.chmod(0o600)
    assert told() == {"verdict": "ok", "fix": None}
    (home / "certs/tls.crt").write_text("none")
    assert told() == {"verdict": "warn", "fix": "tradelane doctor"}
