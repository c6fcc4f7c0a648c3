"""The SFTP server against OpenSSH's own, by the same OpenSSH client: `python tests/bench/files.py`.

Ours syncs every file to disk before it answers; OpenSSH's does not. Needs sshd, sftp and ssh-keygen.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from sftp.events import Account
from sftp.keys import load_host_keys, make_host_keys
from sftp.server import Limits, Server

Sftp = Callable[[str], None]


@contextlib.contextmanager
def ours(home: Path) -> Iterator[tuple[int, str, str]]:
    """A server of this project; yields its port, a user and the folder to write to."""
    limits = Limits(min_free=0.0, unauthenticated_per_ip=100, connections_per_ip=100)
    server = Server(
        "127.0.0.1",
        0,
        load_host_keys(home / "host"),
        lambda user, _fingerprint: Account(user, home / user),
        lambda _event: None,
        limits=limits,
    )
    port = server.start()
    try:
        yield port, "bench", "in"
    finally:
        server.stop(timeout=1)


@contextlib.contextmanager
def openssh(home: Path) -> Iterator[tuple[int, str, str]]:
    """Debian's sshd with its in-process SFTP server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (home / "theirs").mkdir()
    (home / "authorized_keys").write_text((home / "key.pub").read_text())
    config = home / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {home}/host/ssh_host_ed25519_key\n"
        f"AuthorizedKeysFile {home}/authorized_keys\nStrictModes no\nPidFile none\nUsePAM no\n"
        "PermitRootLogin yes\nMaxStartups 200\nSubsystem sftp internal-sftp\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen([str(sshd_path()), "-D", "-e", "-f", config], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield port, getpass.getuser(), str(home / "theirs")
    finally:
        process.terminate()
        process.wait(10)


def sshd_path() -> str | None:
    """sshd wants to be called by its full path, which is not on every user's PATH."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def client(home: Path, port: int, user: str) -> Sftp:
    options = [
        "BatchMode=yes",
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "IdentitiesOnly=yes",
    ]
    arguments = ["-q", "-F", "none", "-i", str(home / "key"), "-c", "aes128-ctr"]
    arguments += [part for option in options for part in ("-o", option)]

    def run(commands: str) -> None:
        done = subprocess.run(
            ["sftp", "-b", "-", "-P", str(port), *arguments, f"{user}@127.0.0.1"],
            input=commands,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"sftp failed: {done.stderr}")

    return run


def rows(home: Path, sftp: Sftp, folder: str, scale: float) -> Iterator[tuple[str, float]]:
    """Each row's name and its wall time in seconds."""
    back = home / "back"
    back.mkdir()

    def timed(commands: str) -> float:
        start = time.perf_counter()
        sftp(commands)
        return time.perf_counter() - start

    yield "100 MB up", timed(f"put {home}/big {folder}/big\n")
    yield "100 MB down", timed(f"get {folder}/big {back}/big\nrm {folder}/big\n")
    middle, small = int(200 * scale), int(500 * scale)
    yield f"1 MB x {middle} up", timed(f"put {home}/middle/* {folder}/\n")
    yield f"1 MB x {middle} down", timed(f"get {folder}/* {back}/\nrm {folder}/*\n")
    yield f"2 KB x {small} up", timed(f"put {home}/small/* {folder}/\n")
    start = time.perf_counter()
    for _ in range(30):
        sftp("pwd\n")
    yield "30 connections in a row", time.perf_counter() - start
    start = time.perf_counter()
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(sftp, [f"put {home}/middle/0 {folder}/at-once-{number}\n" for number in range(20)]))
    yield "20 sessions at once, 1 MB each", time.perf_counter() - start
    shutil.rmtree(back)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the files to send")
    scale = parser.parse_args().scale
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        make_host_keys(home / "host")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / "key"], check=True)
        (home / "big").write_bytes(os.urandom(1 << 20) * 100)
        for name, size, count in (("middle", 1 << 20, int(200 * scale)), ("small", 2048, int(500 * scale))):
            (home / name).mkdir()
            for number in range(count):
                (home / name / str(number)).write_bytes(os.urandom(size))
        times: dict[str, list[float]] = {}
        if sshd_path() is None:
            print("sshd is not installed: ours alone is measured")
        for kind in (ours, openssh) if sshd_path() else (ours,):
            with kind(home) as (port, user, target):
                for row, seconds in rows(home, client(home, port, user), target, scale):
                    times.setdefault(row, []).append(seconds)
        print(f"{'':32} {'ours':>8} {'OpenSSH':>8} {'ratio':>6}")
        for row, (mine, *theirs) in times.items():
            compared = "".join(f" {seconds:7.2f}s {mine / seconds:6.2f}" for seconds in theirs)
            print(f"{row:32} {mine:7.2f}s{compared}")


if __name__ == "__main__":
    main()
