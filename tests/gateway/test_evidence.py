"""Evidence: a zip that openssl alone verifies, and in which nothing can be changed unseen."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from peers import Answer, Company, Endpoint, Headers, Peer, endpoint, mic, openssl, post
from serving import Gateway, Ran, interchange, made, number, order, partner, running, until

PLAIN = ("ZZ", "PLAINMART")


WAREHOUSE = """
[partner.acme]
role = "3pl"
status = "live"
usage = "P"
isa = { qualifier = "01", id = "123456789" }
[partner.acme.sftp_account]
user = "acme"
keys = []
"""


class World(NamedTuple):
    """A gateway that serves, and who trades with it."""

    gateway: Gateway
    bigmart: Peer  # signs and encrypts
    plain: Peer  # signs only
    url: Endpoint


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("evidence")
    with endpoint() as url:
        gateway = made(
            folder,
            partner("bigmart", "BIGMARTEDI", ("08", "9254110060"), url=url.url),
            partner("plain", "PLAINMART", PLAIN, encrypt="none", url=url.url),
            WAREHOUSE,
        )
        company = {name: Company.made(folder / "theirs", name) for name in ("bigmart", "plain")}
        for name in company:
            shutil.copy(company[name].cert, gateway.home / "certs")
        us = gateway.home / "certs" / "us.crt"
        bigmart = Peer("BIGMARTEDI", company["bigmart"], us)
        plain = Peer("PLAINMART", company["plain"], us)
        url.answer = lambda headers, body: receipted(
            bigmart if dict(headers)["AS2-To"] == "BIGMARTEDI" else plain, headers, body
        )
        with running(gateway):
            yield World(gateway, bigmart, plain, url)


def receipted(peer: Peer, headers: Headers, body: bytes) -> Answer:
    """A good receipt, in the answer."""
    receipt = peer.receipt_for(headers, body)
    return Answer(200, receipt.headers, receipt.body)


def received(world: World, peer: Peer, **options: Any) -> str:
    """The id of a message that was taken in."""
    sender = PLAIN if peer is world.plain else ("08", "9254110060")
    message = peer.message(interchange(number(), order("PO-EVIDENCE"), sender=sender), **options)
    assert post(world.gateway.as2, message).status == 200
    return str(world.gateway.settled(message.id)["id"])


def sent(world: World, name: str, data: bytes = b"a file\r\nof ours", *, until_is: str = "delivered") -> str:
    """The id of a file that was sent and answered."""
    file = world.gateway.home.parent / "ours.x12"
    file.write_bytes(data)
    identity = str(world.gateway.must("send", name, file, "--json").json["transmission"])
    until(lambda: world.gateway.show(identity)["status"] == until_is)
    return identity


def change(world: World, setting: str) -> None:
    """Set a key of bigmart's, and wait until the server has taken it up."""
    before = world.gateway.log.count("was reloaded")
    world.gateway.must("partner", "set", "bigmart", setting)
    until(lambda: world.gateway.log.count("was reloaded") > before)


def exported(world: World, identity: str, folder: Path) -> Path:
    """The evidence, unpacked."""
    ran = world.gateway.must("evidence", identity, "--out", folder / "e.zip", "--json")
    assert set(ran.json) == {"transmission", "file", "proves", "lacks"}
    subprocess.run(["unzip", "-q", "e.zip"], cwd=folder, check=True)
    (root,) = (path for path in folder.iterdir() if path.is_dir())
    return root


def verified(root: Path) -> Ran:
    """What the script says, run by the strictest shell at hand and with nothing but its tools."""
    done = subprocess.run(
        ["sh", "verify.sh"], cwd=root, capture_output=True, check=False,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(root.parent)},
    )  # fmt: skip
    return Ran(done.returncode, done.stdout, done.stderr.decode())


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


CASES = {
    "received, encrypted": lambda world: received(world, world.bigmart),
    "received, signed only": lambda world: received(world, world.plain, encrypt=False),
    "sent, encrypted": lambda world: sent(world, "bigmart"),
    "sent, signed only": lambda world: sent(world, "plain"),
}
PROOF = {"received": "signed the content (non-repudiation of origin)",
         "sent": "received the content (non-repudiation of receipt)"}  # fmt: skip


@pytest.mark.external("openssl")
@pytest.mark.external("unzip")
@pytest.mark.parametrize("case", CASES)
def test_evidence_verifies_offline_and_a_byte_changed_in_any_file_is_named(
    world: World, case: str, tmp_path: Path
) -> None:
    root = exported(world, CASES[case](world), tmp_path)
    good = verified(root)
    assert (good.exit, good.err) == (0, ""), good.out
    assert good.out.decode().endswith("All checks passed.\n")
    assert "ok    receipt.content: signed with certificates/" in good.out.decode()
    assert "its sha256 digest is the MIC" in good.out.decode()
    record = json.loads((root / "record.json").read_bytes())
    assert any(PROOF[case.split(",")[0]] in one for one in record["proves"])
    names = files(root)
    usual = "payload content message.headers message.body receipt.headers receipt.body receipt.signature"
    assert {*usual.split(), "README.txt", "record.json", "SHA256SUMS", "verify.sh"} <= set(names)
    for name in names:
        file = root / name
        before = file.read_bytes()
        at = before.index(b"# Verifies") + 3 if name == "verify.sh" else len(before) // 2
        file.write_bytes(before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :])
        bad = verified(root)
        assert bad.exit != 0, name
        assert any("FAIL" in line and name in line for line in bad.out.decode().splitlines()), (name, bad.out)
        file.write_bytes(before)
    assert verified(root).exit == 0


def summed_anew(root: Path) -> None:
    """SHA256SUMS as a forger would write it."""
    names = [name for name in files(root) if name != "SHA256SUMS"]
    lines = [f"{hashlib.sha256((root / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (root / "SHA256SUMS").write_text("".join(lines))


@pytest.mark.external("openssl")
@pytest.mark.external("unzip")
@pytest.mark.parametrize("case", ["received, encrypted", "sent, encrypted"])
def test_a_forger_who_writes_the_digests_anew_is_found_by_the_signatures(
    world: World, case: str, tmp_path: Path
) -> None:
    root = exported(world, CASES[case](world), tmp_path)
    names = ["content", "receipt.content", "receipt.body", "receipt.signature", "payload"]
    names += ["message.signature"] if case.startswith("received") else []
    for name in names:
        file = root / name
        before = file.read_bytes()
        at = len(before) - 20 if name.endswith("signature") else len(before) // 2
        if name == "receipt.body":
            at = before.index(b"Received-Content-MIC") + 30
        file.write_bytes(before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :])
        summed_anew(root)
        bad = verified(root)
        assert bad.exit != 0, name
        assert any("FAIL" in line and name in line for line in bad.out.decode().splitlines()), (name, bad.out)
        file.write_bytes(before)
    other = Company.made(tmp_path / "other", "forger")
    (certificate,) = (root / "certificates").glob("us-*" if case.startswith("received") else "partner-*")
    shutil.copy(other.cert, certificate)
    summed_anew(root)
    assert (
        f"FAIL  receipt.content: receipt.signature is not its signature with certificates/{certificate.name}"
        in (verified(root).out.decode())
    )


@pytest.mark.external("openssl")
@pytest.mark.external("unzip")
def test_evidence_outlives_the_certificates_that_partners_toml_lists(world: World, tmp_path: Path) -> None:
    taken, given = received(world, world.bigmart), sent(world, "bigmart")
    new = Company.made(tmp_path / "theirs", "bigmart-new")
    shutil.copy(new.cert, world.gateway.home / "certs" / "bigmart-new.crt")
    shown = world.gateway.must("partner", "show", "bigmart", "--json").json
    old = Path(shown["as2"]["certs"][0]["file"]).name
    change(world, 'as2.certs=[{ file = "certs/bigmart-new.crt" }]')
    for name, identity in (("taken", taken), ("given", given)):
        folder = tmp_path / name
        folder.mkdir()
        root = exported(world, identity, folder)
        done = verified(root)
        assert done.exit == 0, done.out
        (theirs,) = (root / "certificates").glob("partner-*")
        assert f"signed with certificates/{theirs.name}" in done.out.decode()
        assert json.loads((root / "record.json").read_bytes())["proves"]
    change(world, f'as2.certs=[{{ file = "certs/{old}" }}]')


@pytest.mark.external("openssl")
@pytest.mark.external("unzip")
def test_the_files_are_those_that_crossed_the_wire_and_the_payload(world: World, tmp_path: Path) -> None:
    data = bytes(range(256)) * 500
    identity = sent(world, "bigmart", data)
    root = exported(world, identity, tmp_path)
    assert (root / "payload").read_bytes() == data
    headers, body = world.url.received[-1]
    assert (root / "message.body").read_bytes() == body
    opened = world.bigmart.open(headers, body)
    assert (root / "content").read_bytes() == opened.signed_part
    record = json.loads((root / "record.json").read_bytes())
    assert record["mic"]["value"] == mic(opened.signed_part)
    assert record["mic"]["equal"] is True
    assert record["as2_to"] == "BIGMARTEDI"
    assert [event["event"] for event in record["events"]][-1] == "receipt"
    (certificate,) = record["certificates"]
    printed = openssl("x509", "-in", root / certificate["file"], "-noout", "-fingerprint", "-sha256").decode()
    assert printed.strip().rpartition("=")[2].replace(":", "").lower() == certificate["sha256"]


@pytest.mark.external("openssl")
def test_the_same_transmission_gives_the_same_zip_whose_names_are_safe_and_which_holds_no_private_key(
    world: World, tmp_path: Path
) -> None:
    identity = received(world, world.bigmart, filename="../../etc/pwned 'x'.x12")
    for name in ("one", "two"):
        world.gateway.must("evidence", identity, "--out", tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with zipfile.ZipFile(tmp_path / "one") as archive:
        for entry in archive.infolist():
            assert entry.filename.startswith(f"evidence-{identity}/")
            assert ".." not in entry.filename
            assert b"PRIVATE KEY" not in archive.read(entry)
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


@pytest.mark.external("openssl")
@pytest.mark.external("unzip")
def test_what_a_receipt_says_to_people_neither_spoils_the_evidence_nor_makes_it(
    world: World, tmp_path: Path
) -> None:
    """Who signs a receipt writes its text, too, and may want it to prove less than it does, or more."""

    def answer(headers: Headers, body: bytes) -> Answer:
        right = mic(world.bigmart.open(headers, body).signed_part)
        told, text = (right, mic(b"other")) if good else (mic(b"other"), right)
        words = f"Original-Message-ID: <other@us>\r\nReceived-Content-MIC: {text}, sha-256"
        receipt = world.bigmart.receipt(dict(headers)["Message-ID"], lambda: told, text=words)
        return Answer(200, receipt.headers, receipt.body)

    usual, world.url.answer = world.url.answer, answer
    try:
        for good, status in ((True, "delivered"), (False, "failed")):
            identity = sent(world, "bigmart", until_is=status)
            folder = tmp_path / status
            folder.mkdir()
            found = verified(exported(world, identity, folder))
            assert (found.exit == 0) is good, found.out
    finally:
        world.url.answer = usual


@pytest.mark.external("openssl")
@pytest.mark.external("unzip")
def test_a_receipt_with_another_mic_is_exported_and_does_not_verify(world: World, tmp_path: Path) -> None:
    def answer(headers: Headers, body: bytes) -> Answer:
        receipt = world.bigmart.receipt(dict(headers)["Message-ID"], lambda: mic(b"other content"))
        return Answer(200, receipt.headers, receipt.body)

    usual, world.url.answer = world.url.answer, answer
    try:
        identity = sent(world, "bigmart", until_is="failed")
    finally:
        world.url.answer = usual
    root = exported(world, identity, tmp_path)
    bad = verified(root)
    assert bad.exit == 1
    assert f"FAIL  content: its sha256 digest is {mic((root / 'content').read_bytes())}" in bad.out.decode()
    assert json.loads((root / "record.json").read_bytes())["proves"] == []


@pytest.mark.external("openssl")
@pytest.mark.external("unzip")
def test_a_message_that_was_refused_is_exported_with_what_is_missing(world: World, tmp_path: Path) -> None:
    message = world.bigmart.message(b"x", signer=world.plain.company)
    post(world.gateway.as2, message)
    (row,) = world.gateway.received(message.id)
    root = exported(world, row["id"], tmp_path)
    assert verified(root).exit == 0
    record = json.loads((root / "record.json").read_bytes())
    assert any("certificate that made the message's signature" in one for one in record["lacks"])
    assert any("the payload" in one for one in record["lacks"])
    assert (root / "message.body").read_bytes() == message.body


@pytest.mark.external("openssl")
@pytest.mark.external("unzip")
def test_evidence_is_found_by_the_id_of_a_document_too_and_an_unknown_id_is_told(
    world: World, tmp_path: Path
) -> None:
    identity = received(world, world.bigmart)
    document = until(lambda: world.gateway.documents(transmission=identity))[0]["id"]
    root = exported(world, document, tmp_path)
    assert root.name == f"evidence-{identity}"
    assert json.loads((root / "record.json").read_bytes())["documents"][0]["id"] == document
    unknown = world.gateway.run("evidence", "nothing", "--out", tmp_path / "n.zip")
    assert unknown.exit == 3
    assert not (tmp_path / "n.zip").exists()


@pytest.mark.external("openssl")
@pytest.mark.external("unzip")
def test_what_came_compressed_says_that_openssl_does_not_look_inside(world: World, tmp_path: Path) -> None:
    change(world, "as2.compress=before-sign")
    identity = sent(world, "bigmart", b"the same line again\r\n" * 200)
    change(world, "as2.compress=none")
    root = exported(world, identity, tmp_path)
    assert verified(root).exit == 0
    record = json.loads((root / "record.json").read_bytes())
    assert any("compressed or encoded" in one for one in record["lacks"])
    assert (
        record["mic"]["equal"] is True
    )  # the agreement has changed since, and the content is found all the same


@pytest.mark.external("openssl")
@pytest.mark.external("unzip")
def test_what_did_not_travel_by_as2_is_exported_with_its_record_and_says_that_nothing_signs_it(
    world: World, tmp_path: Path
) -> None:
    identity = sent(world, "acme", b"a file for the warehouse")
    root = exported(world, identity, tmp_path)
    assert (root / "payload").read_bytes() == b"a file for the warehouse"
    record = json.loads((root / "record.json").read_bytes())
    assert record["proves"] == []
    assert any("did not travel by AS2" in one for one in record["lacks"])
    assert verified(root).exit == 0


@pytest.mark.external("openssl")
@pytest.mark.external("unzip")
def test_the_files_of_one_message_are_exported_each_and_their_content_is_made_again(
    world: World, tmp_path: Path
) -> None:
    change(world, "as2.attachments=true")
    (tmp_path / "photo.jpg").write_bytes(bytes(range(200)))
    ours = tmp_path / "ours.x12"
    ours.write_bytes(b"the first of two")
    words = ("send", "bigmart", ours, "--attach", tmp_path / "photo.jpg", "--json")
    identity = world.gateway.must(*words).json["transmission"]
    until(lambda: world.gateway.show(identity)["status"] == "delivered")
    change(world, "as2.attachments=")
    (tmp_path / "out").mkdir()
    root = exported(world, identity, tmp_path / "out")
    assert (root / "payload").read_bytes() == b"the first of two"
    (attached,) = (root / "attachments").iterdir()
    assert attached.read_bytes() == bytes(range(200))
    good = verified(root)
    assert good.exit == 0, good.out
    assert f"ok    attachments/{attached.name}: stands in content" in good.out.decode()
    assert "ok    payload: stands in content" in good.out.decode()


@pytest.mark.external("openssl")
@pytest.mark.external("unzip")
def test_the_content_is_made_again_however_it_was_agreed_to_be_built(world: World, tmp_path: Path) -> None:
    change(world, "as2.preset=cleo")
    identity = sent(world, "bigmart", b"binary \x00\x01\r\n")
    change(world, "as2.preset=")
    root = exported(world, identity, tmp_path)
    assert b"Content-Transfer-Encoding: base64" in (root / "content").read_bytes()
    assert verified(root).exit == 0
