"""What real clients do, each with its own habits, ends in exactly the bytes they sent."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from sftp_peer import Peer, eventually, need

from sftp.events import LoggedIn, LoggedOut, Partial, Removed, Uploaded, Uploading

ORDER = os.urandom(200_000)


@pytest.fixture
def order(tmp_path: Path) -> Path:
    path = tmp_path / "ORDER.edi"
    path.write_bytes(ORDER)
    return path


@pytest.mark.external("sftp")
def test_openssh_sftp_puts_lists_and_gets(peer: Peer, order: Path, tmp_path: Path) -> None:
    printed = peer.sftp(f"put {order} in/ORDER.edi", "ls -l in", f"get in/ORDER.edi {tmp_path}/back", "pwd")

    assert (peer.inbox / "ORDER.edi").read_bytes() == ORDER
    assert (tmp_path / "back").read_bytes() == ORDER
    assert "200000" in printed
    assert "Remote working directory: /" in printed
    assert peer.ledger.paths(Uploaded) == ["in/ORDER.edi"]
    assert peer.ledger.of(Uploaded)[0].size == len(ORDER)
    assert peer.ledger.of(Uploaded)[0].session.client.startswith("SSH-2.0-OpenSSH")
    eventually(lambda: peer.ledger.of(LoggedOut), "the session's end is told")
    assert [type(event) for event in peer.ledger.events] == [LoggedIn, Uploading, Uploaded, LoggedOut]


@pytest.mark.external("sftp")
def test_openssh_sftp_keeps_times_and_content_with_p(peer: Peer, order: Path) -> None:
    os.utime(order, (1_700_000_000, 1_700_000_000))

    peer.sftp(f"put -p {order} in/ORDER.edi")

    assert (peer.inbox / "ORDER.edi").read_bytes() == ORDER
    assert (peer.inbox / "ORDER.edi").stat().st_mtime == 1_700_000_000
    assert (peer.inbox / "ORDER.edi").stat().st_mode & 0o7777 == 0o600


@pytest.mark.external("sftp")
def test_openssh_sftp_resumes_a_partial_upload(peer: Peer, order: Path) -> None:
    (peer.root / "partial" / "ORDER.edi").write_bytes(ORDER[:70_000])

    printed = peer.sftp("ls -l in", f"reput {order} in/ORDER.edi")

    assert "70000" in printed
    assert (peer.inbox / "ORDER.edi").read_bytes() == ORDER
    assert not list((peer.root / "partial").iterdir())


@pytest.mark.external("sftp")
def test_openssh_sftp_renames_a_temporary_name_to_the_final_one(peer: Peer, order: Path) -> None:
    peer.sftp(f"put {order} in/ORDER.edi.tmp", "rename in/ORDER.edi.tmp in/ORDER.edi")

    assert [(event.path, event.renamed_from) for event in peer.ledger.of(Uploaded)] == [
        ("in/ORDER.edi", "in/ORDER.edi.tmp")
    ]
    assert sorted(path.name for path in peer.inbox.iterdir()) == ["ORDER.edi"]


@pytest.mark.external("sftp")
@pytest.mark.parametrize(
    "options",
    [
        ("-B", "200000"),
        ("-C",),
        ("-R", "1"),
        ("-c", "aes128-ctr"),
        ("-o", "RekeyLimit=60K"),
        ("-o", "MACs=hmac-sha2-512", "-c", "aes256-ctr"),
        ("-o", "KexAlgorithms=ecdh-sha2-nistp256"),
    ],
)
def test_openssh_sftp_works_with_unusual_options(peer: Peer, order: Path, options: tuple[str, ...]) -> None:
    peer.sftp(f"put {order} in/ORDER.edi", options=options)

    assert (peer.inbox / "ORDER.edi").read_bytes() == ORDER


@pytest.mark.external("scp")
def test_scp_overwrites_a_longer_file_and_exits_with_success(peer: Peer, order: Path) -> None:
    """scp opens without TRUNC and sets the size before it closes."""
    (peer.inbox / "ORDER.edi").write_bytes(b"x" * 300_000)

    subprocess.run(
        [need("scp"), "-P", str(peer.port), *peer.ssh_options(), order, "acme@127.0.0.1:in/ORDER.edi"],
        check=True,
        timeout=60,
        capture_output=True,
    )

    assert (peer.inbox / "ORDER.edi").read_bytes() == ORDER
    assert peer.ledger.paths(Uploaded) == ["in/ORDER.edi"]


@pytest.mark.external("lftp")
def test_lftp_puts_by_its_own_temporary_name(peer: Peer, order: Path) -> None:
    connect = " ".join(["ssh", "-a", "-x", *peer.ssh_options()])
    script = f"set sftp:connect-program '{connect}'; set cmd:fail-exit yes; set xfer:use-temp-file yes;"
    script += f"open -u acme, sftp://127.0.0.1:{peer.port}; put {order} -o in/ORDER.edi;"
    script += f"put {order} -o in/ORDER.edi; cls -l in"

    done = subprocess.run(
        [need("lftp"), "-c", script], timeout=60, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert (peer.inbox / "ORDER.edi").read_bytes() == ORDER
    assert set(peer.ledger.paths(Uploaded)) == {"in/ORDER.edi"}


@pytest.mark.external("curl")
def test_curl_puts_and_resumes(peer: Peer, order: Path) -> None:
    curl = [need("curl"), "-sS", "--fail", "-k", "--user", "acme:", "--key", peer.keys.acme]
    url = f"sftp://127.0.0.1:{peer.port}/in/ORDER.edi"
    if "sftp" not in subprocess.run([curl[0], "-V"], capture_output=True, text=True, check=True).stdout:
        pytest.skip("curl is built without SFTP")
    (peer.root / "partial" / "ORDER.edi").write_bytes(ORDER[:50_000])

    subprocess.run([*curl, "-C", "-", "-T", order, url], check=True, timeout=60, capture_output=True)
    back = subprocess.run([*curl, url], check=True, timeout=60, capture_output=True).stdout

    assert (peer.inbox / "ORDER.edi").read_bytes() == ORDER
    assert back == ORDER


@pytest.mark.external("rclone")
def test_rclone_copies_and_sets_times_after_closing(peer: Peer, order: Path) -> None:
    remote = f":sftp,host=127.0.0.1,port={peer.port},user=acme,key_file={peer.keys.acme},shell_type=none:in"

    done = subprocess.run(
        [need("rclone"), "--config", "", "copy", order, remote, "--retries", "1"],
        timeout=60,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert (peer.inbox / "ORDER.edi").read_bytes() == ORDER
    assert abs((peer.inbox / "ORDER.edi").stat().st_mtime - order.stat().st_mtime) < 2
    assert peer.ledger.paths(Uploaded) == ["in/ORDER.edi"]


@pytest.mark.external("psftp")
def test_psftp_puts_and_renames(peer: Peer, order: Path, tmp_path: Path) -> None:
    key = tmp_path / "acme.ppk"
    subprocess.run([need("puttygen"), peer.keys.acme, "-o", key, "-O", "private"], check=True, timeout=30)
    host_key = subprocess.run(
        [need("ssh-keygen"), "-l", "-f", peer.keys.folder / "host" / "ssh_host_ed25519_key.pub"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()[1]

    done = subprocess.run(
        [need("psftp"), "-batch", "-P", str(peer.port), "-i", key, "-hostkey", host_key, "acme@127.0.0.1"],
        input=f"cd in\nput {order} ORDER.filepart\nmv ORDER.filepart ORDER.edi\nls\nquit\n",
        timeout=60,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert (peer.inbox / "ORDER.edi").read_bytes() == ORDER
    assert peer.ledger.paths(Uploaded) == ["in/ORDER.edi"]


def test_paramiko_put_stats_after_closing_even_if_the_file_was_taken(peer: Peer, order: Path) -> None:
    client = peer.client()
    taken = peer.root / "taken"
    with client.open("in/ORDER.edi", "wb") as file:
        file.write(ORDER)
    shutil.move(peer.inbox / "ORDER.edi", taken)

    assert client.stat("in/ORDER.edi").st_size == len(ORDER)
    client.utime("in/ORDER.edi", (1, 1))
    assert taken.read_bytes() == ORDER
    with pytest.raises(FileNotFoundError):
        peer.client().stat("in/ORDER.edi")


def test_blocks_written_out_of_order_end_in_the_right_bytes(peer: Peer) -> None:
    with peer.client().open("in/ORDER.edi", "wb") as file:
        for at in (160_000, 0, 120_000, 40_000, 80_000):
            file.seek(at)
            file.write(ORDER[at : at + 40_000])

    assert (peer.inbox / "ORDER.edi").read_bytes() == ORDER


def test_a_size_set_before_closing_keeps_the_content(peer: Peer) -> None:
    """paramiko's own server empties the file here."""
    with peer.client().open("in/ORDER.edi", "wb") as file:
        file.write(ORDER)
        file.truncate(len(ORDER))
        file.chmod(0o4777)
        file.utime((5, 5))

    assert (peer.inbox / "ORDER.edi").read_bytes() == ORDER
    assert (peer.inbox / "ORDER.edi").stat().st_mode & 0o7777 == 0o600


def test_appending_adds_to_the_end(peer: Peer) -> None:
    client = peer.client()
    for part in (b"ISA*1~", b"IEA*1~"):
        with client.open("in/ORDER.edi", "ab") as file:
            file.write(part)

    assert (peer.inbox / "ORDER.edi").read_bytes() == b"ISA*1~IEA*1~"
    assert len(peer.ledger.of(Uploaded)) == 2


def test_a_hundred_files_in_ten_sessions_arrive_once_each(peer: Peer) -> None:
    clients = [peer.client() for _ in range(10)]
    for number in range(100):
        with clients[number % 10].open(f"in/{number}.edi", "wb") as file:
            file.write(str(number).encode() * 1000)

    assert sorted(peer.ledger.paths(Uploaded)) == sorted(f"in/{number}.edi" for number in range(100))
    for number in range(100):
        assert (peer.inbox / f"{number}.edi").read_bytes() == str(number).encode() * 1000
    assert len(clients[0].listdir("in")) == 100


def test_a_removed_upload_is_told_and_gone(peer: Peer) -> None:
    client = peer.client()
    with client.open("in/ORDER.edi", "wb") as file:
        file.write(b"ISA")
    client.remove("in/ORDER.edi")

    assert peer.ledger.paths(Removed) == ["in/ORDER.edi"]
    assert not list(peer.inbox.iterdir())


@pytest.mark.external("sftp")
def test_a_large_file_goes_up_and_down_unchanged(peer: Peer, tmp_path: Path) -> None:
    source, back = tmp_path / "source", tmp_path / "back"
    block = os.urandom(1 << 20)
    with source.open("wb") as file:
        for number in range(40):
            file.write(number.to_bytes(4) + block)

    peer.sftp(f"put {source} in/big", f"get in/big {back}")

    def digest(path: Path) -> str:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    assert digest(source) == digest(peer.inbox / "big") == digest(back)
    assert not peer.ledger.of(Partial)
