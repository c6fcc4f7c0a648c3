"""What partners get over SFTP: the OpenSSH client against a server in a process of its own."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from serving import Gateway, ids, interchange, made, mutated, named, number, order, running, segments, until

pytestmark = pytest.mark.external("sftp")

ACME, GLOBEX = ("01", "123456789"), ("01", "987654321")


@dataclass(frozen=True)
class Client:
    """OpenSSH's sftp, logged in as one user."""

    user: str
    key: Path
    known_hosts: Path
    port: int
    folder: Path

    def run(self, *lines: str) -> subprocess.CompletedProcess[str]:
        """A batch of commands; it stops at the first that fails."""
        return subprocess.run(
            ["sftp", "-q", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes",
             "-o", f"IdentityFile={self.key}", "-o", f"UserKnownHostsFile={self.known_hosts}",
             "-o", "StrictHostKeyChecking=yes", "-P", str(self.port), "-b", "-", f"{self.user}@127.0.0.1"],
            input="\n".join(lines) + "\n", capture_output=True, text=True, check=False, timeout=30,
            cwd=self.folder,
        )  # fmt: skip

    def put(self, data: bytes, name: str, *then: str) -> subprocess.CompletedProcess[str]:
        """Put bytes under a name, and what else is to be done in the same session."""
        local = self.folder / "local"
        local.write_bytes(data)
        return self.run(f"put {local} {shlex.quote(name)}", *then)

    def names(self, folder: str) -> list[str]:
        """What the partner sees in a folder."""
        done = self.run(f"ls -1 {folder}")
        assert done.returncode == 0, done.stderr
        return [line.rpartition("/")[2] for line in done.stdout.splitlines() if not line.startswith("sftp>")]


class World(NamedTuple):
    """A gateway that serves, and two warehouses."""

    gateway: Gateway
    acme: Client
    globex: Client


def account(name: str, isa: tuple[str, str], key: str) -> str:
    return f"""
[partner.{name}]
role = "3pl"
status = "live"
usage = "P"
isa = {{ qualifier = "{isa[0]}", id = "{isa[1]}" }}
[partner.{name}.sftp_account]
user = "{name}"
keys = ["{key.strip()}"]
[[partner.{name}.document]]
type = "850"
direction = "in"
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("sftp")
    keys = {}
    for name in ("acme", "globex"):
        (folder / name).mkdir()
        keys[name] = folder / name / "id"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys[name]], check=True)
    gateway = made(
        folder,
        account("acme", ACME, keys["acme"].with_suffix(".pub").read_text()),
        account("globex", GLOBEX, keys["globex"].with_suffix(".pub").read_text()),
    )
    with running(gateway):
        port = urlsplit(gateway.sftp).port or 0
        known = folder / "known_hosts"
        host_keys = (gateway.home / "secrets" / "ssh").glob("*.pub")
        known.write_text("".join(f"[127.0.0.1]:{port} {key.read_text().strip()}\n" for key in host_keys))
        yield World(
            gateway,
            *(Client(name, keys[name], known, port, folder / name) for name in ("acme", "globex")),
        )


@pytest.fixture(autouse=True)
def alive(world: World) -> Iterator[None]:
    """Whatever a test did, the server lives and is well after it."""
    yield
    assert world.gateway.healthy


def come(world: World, filename: str, count: int = 1) -> list[dict[str, object]]:
    """The transmissions of a file name, the latest first, once so many were read."""

    def ask() -> list[dict[str, object]]:
        rows = [row for row in world.gateway.inbox() if row["filename"] == filename]
        return rows if len(rows) >= count and all(row["status"] != "stored" for row in rows) else []

    return until(ask)


def test_an_order_that_openssh_puts_is_answered_in_the_outbox(world: World) -> None:
    control = number()
    data = interchange(control, order("PO-SFTP"), sender=ACME)
    assert world.acme.put(data, "in/order.x12").returncode == 0
    (row,) = come(world, "order.x12")
    assert (row["status"], row["channel"], row["partner"]) == ("done", "sftp", "acme")
    assert world.gateway.must("doc", "raw", row["id"]).out == data
    until(lambda: world.gateway.erp_has("PO-SFTP"))

    def answers() -> list[list[list[str]]]:
        got = world.acme.folder / "got"
        shutil.rmtree(got, ignore_errors=True)
        got.mkdir()
        world.acme.run(f"get out/* {got}/")
        return [
            rows
            for rows in (segments(path.read_bytes()) for path in got.iterdir())
            if ["AK1", "PO", str(control)] in rows
        ]

    (answer,) = until(answers)
    assert ids(answer, "AK9") == [["AK9", "A", "1", "1", "1"]]
    assert "order.x12" not in world.acme.names("in")


def test_a_temporary_name_is_taken_only_once_it_is_renamed(world: World) -> None:
    data = interchange(number(), order("PO-TMP"), sender=ACME)
    assert world.acme.put(data, "in/later.x12.tmp").returncode == 0
    marker = interchange(number(), order("PO-MARK"), sender=ACME)
    world.acme.put(marker, "in/marker.x12")
    come(world, "marker.x12")
    assert not any(str(row["filename"]).startswith("later") for row in world.gateway.inbox())
    assert world.acme.run("rename in/later.x12.tmp in/later.x12").returncode == 0
    (row,) = come(world, "later.x12")
    assert row["status"] == "done"
    until(lambda: world.gateway.erp_has("PO-TMP"))


def test_a_truncated_file_is_held_back_and_the_whole_one_taken_in_its_place(world: World) -> None:
    data = interchange(number(), order("PO-WHOLE"), sender=ACME)
    assert world.acme.put(data[:-40], "in/cut.x12").returncode == 0
    world.acme.put(interchange(number(), order("PO-AFTER"), sender=ACME), "in/after.x12")
    come(world, "after.x12")
    assert not any(row["filename"] == "cut.x12" for row in world.gateway.inbox())
    assert "cut.x12" in world.acme.names("in")
    assert world.acme.put(data, "in/cut.x12").returncode == 0
    (row,) = come(world, "cut.x12")
    assert row["status"] == "done"
    assert world.gateway.must("doc", "raw", row["id"]).out == data
    until(lambda: world.gateway.erp_has("PO-WHOLE"))
    assert len(world.gateway.erp_has("PO-WHOLE")) == 1


def test_the_same_file_twice_is_kept_as_a_duplicate_and_not_processed(world: World) -> None:
    control = number()
    data = interchange(control, order("PO-SAME"), sender=ACME)
    world.acme.put(data, "in/same.x12")
    come(world, "same.x12")
    world.acme.put(data, "in/same.x12")
    latest, first = come(world, "same.x12", 2)
    assert (latest["status"], first["status"]) == ("duplicate", "done")
    assert str(first["id"]) in str(latest["error"])
    assert world.gateway.must("doc", "raw", latest["id"]).out == data
    until(lambda: world.gateway.erp_has("PO-SAME"))
    assert len(world.gateway.erp_has("PO-SAME")) == 1
    assert len(world.gateway.answers("997", control)) == 1


def test_a_rejected_order_is_answered_in_the_outbox_with_its_place(world: World) -> None:
    control = number()
    data = mutated(interchange(control, order("PO-BAD"), sender=ACME), ("DTM*002*2010", "DTM*002*2099"))
    data = mutated(data, ("*20991214", "*20991399"))
    world.acme.put(data, "in/bad.x12")
    come(world, "bad.x12")
    answer = world.gateway.answer("997", control)
    assert ids(answer, "AK3")[0][1] == "DTM"
    assert ids(answer, "AK4")[0][3] == "8"
    assert ids(answer, "AK9") == [["AK9", "R", "1", "1", "0"]]
    assert world.gateway.erp_has("PO-BAD") == []


def test_another_warehouses_interchange_is_refused_to_whoever_brought_it(world: World) -> None:
    control = number()
    world.globex.put(interchange(control, order("PO-THEFT"), sender=ACME), "in/theft.x12")
    (row,) = come(world, "theft.x12")
    assert (row["status"], row["reason"]) == ("refused", "SENDER_MISMATCH")
    (ta1,) = ids(world.gateway.answer("TA1", control), "TA1")
    assert ta1[4:] == ["R", "006"]
    until(lambda: any(name.startswith("TA1") for name in world.globex.names("out")))
    assert not any(name.startswith("TA1") for name in world.acme.names("out"))
    assert world.gateway.erp_has("PO-THEFT") == []


def test_one_warehouse_sees_nothing_of_another(world: World) -> None:
    (world.gateway.home / "sftp" / "acme" / "out" / "private.x12").write_bytes(b"acme's own")
    assert "private.x12" in world.acme.names("out")
    assert "private.x12" not in world.globex.names("out")
    for path in ("../acme/out/private.x12", "/../acme/out/private.x12", "/acme/out/private.x12"):
        got = world.globex.run(f"get {path} stolen")
        assert got.returncode != 0
        assert "not found" in got.stderr
    there = world.globex.run("ls -1 ../acme")
    nowhere = world.globex.run("ls -1 ../nobody")
    assert there.returncode != 0
    assert there.stderr.replace("acme", "nobody") == nowhere.stderr
    assert not (world.globex.folder / "stolen").exists()
    (world.gateway.home / "sftp" / "acme" / "out" / "private.x12").unlink()


def test_one_warehouses_key_opens_no_other_account(world: World) -> None:
    thief = Client("acme", world.globex.key, world.acme.known_hosts, world.acme.port, world.globex.folder)
    done = thief.run("ls")
    assert (done.returncode, done.stdout) == (255, "")


NAMES = {
    "an option": "-rf pwned",
    "a command": "pwned; touch $(id)",
    "a percent escape": "%2e%2e%2fpwned",
    "a slash that is none": "a\u2215pwned",
    "two hundred characters": "pwned" * 40,
    "a template": "{{7*7}}pwned",
    "a right-to-left mark": "pwned\u202e21x.x12",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_file_name_is_shown_and_never_used(world: World, name: str) -> None:
    data = interchange(number(), order("PO-NAMED"), sender=ACME)
    local = world.acme.folder / "named"
    local.write_bytes(data)
    before = world.gateway.inbox()
    assert world.acme.run(f'put named "in/{name}"').returncode == 0
    new = until(lambda: [row for row in world.gateway.inbox() if row not in before])
    (identity,) = {row["id"] for row in new}
    assert world.gateway.must("doc", "raw", identity).out == data
    until(lambda: named("pwned", world.gateway.home.parent) == [])


@pytest.mark.parametrize(
    "name", ["../../pwned", "/../../pwned", "in/../../../pwned", "../globex/in/pwned", "in/..\\\\..\\\\pwned"]
)
def test_a_path_out_of_the_account_leads_nowhere(world: World, name: str) -> None:
    assert world.acme.put(b"x", name).returncode != 0
    assert named("pwned", world.gateway.home.parent) == []


def test_what_a_warehouse_may_not_do_is_refused(world: World) -> None:
    (world.gateway.home / "sftp" / "acme" / "out" / "kept.x12").write_bytes(b"kept")
    for line in (
        "symlink /etc/passwd in/link",
        "ln out/kept.x12 in/hard",
        "chmod 4777 out/kept.x12",
        "mkdir x",
    ):
        assert world.acme.run(line).returncode != 0, line
    assert sorted(path.name for path in (world.gateway.home / "sftp" / "acme").iterdir()) == [
        "in",
        "out",
        "partial",
        "work",
    ]


def test_the_warehouse_that_fetched_and_removed_its_file_is_on_record(world: World) -> None:
    control = number()
    world.acme.put(interchange(control, order("PO-PICK"), sender=ACME), "in/pick.x12")
    come(world, "pick.x12")
    world.gateway.answer("997", control)
    (document,) = world.gateway.documents(direction="out", type="997", number=str(control))
    until(lambda: world.gateway.show(document["transmission"])["status"] == "delivered")
    name = world.gateway.show(document["transmission"])["filename"]
    assert world.acme.run(f"get out/{name} fetched", f"rm out/{name}").returncode == 0
    assert (world.acme.folder / "fetched").read_bytes() == world.gateway.must(
        "doc", "raw", document["id"]
    ).out
    events = [event["event"] for event in world.gateway.show(document["transmission"])["events"]]
    assert events.count("picked-up") == 1
