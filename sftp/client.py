"""Somebody else's SFTP server: put a file there whole, fetch one whole, see what is there.

Rules. The host key is pinned and there is no trust on first use. A file is put under a temporary name and
renamed, so that the other side never sees half of it, and CLOSE must be answered OK. A file is fetched into
NAME.part and renamed when its size was the same before and after. Names that a server lists are data: none
leads out of the folder it was listed in. An error says whether trying again may help.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import posixpath
import socket
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import paramiko
from paramiko.sftp import CMD_CLOSE
from paramiko.ssh_exception import IncompatiblePeer

from sftp.keys import fingerprint, public_line
from sftp.ssh import client_transport

_CHUNK = 32 * 1024
_PREFETCHED = 64  # READ requests at once: without a bound some servers hang
_HOST_KEY_ALGORITHMS = {  # by type of key; one RSA key serves both of its
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}


class SftpError(Exception):
    """Something on the way to, or on, the other side failed; `temporary` says whether to try again."""

    temporary = True


class Unreachable(SftpError):
    """No connection, or it broke, or the peer did not answer in time."""


class LoginRefused(SftpError):
    """The server does not take our user name and key."""

    temporary = False


class HostKeyChanged(SftpError):
    """The server showed none of the pinned host keys. Nothing was sent to it but a greeting."""

    temporary = False

    def __init__(self, host: str, expected: Collection[str], shown: Collection[str]) -> None:
        super().__init__(
            f"{host} shows the host key {' '.join(shown)}, not the pinned {' '.join(sorted(expected))}"
        )
        self.expected = frozenset(expected)
        self.shown = tuple(shown)


class TransferFailed(SftpError):
    """The server refused an operation or did something else than was asked."""


class NotThere(TransferFailed):
    """The remote file or folder does not exist."""

    temporary = False


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to connect, to log in, and to wait for any answer."""

    connect_s: float = 15.0
    login_s: float = 30.0
    answer_s: float = 60.0


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A regular file in a listing; `mtime` is by the server's clock."""

    name: str
    size: int
    mtime: int


def connect(
    host: str,
    port: int,
    user: str,
    *,
    key: paramiko.PKey | None = None,
    password: str | None = None,
    host_keys: Collection[str],
    timeouts: Timeouts = Timeouts(),
) -> Client:
    """Logs in to a server that shows one of `host_keys`: lines as in known_hosts, or "SHA256:..." each.

    Raises `Unreachable`, `HostKeyChanged` or `LoginRefused`; `ValueError` without a pin or a secret.
    """
    if not host_keys:
        raise ValueError("a host key must be pinned")
    pinned = {fingerprint(line) for line in host_keys}
    shown = []
    for key_type in _types_to_ask_for(host_keys):
        transport = _negotiate(host, port, key_type, timeouts)
        if transport is None:
            continue
        server_key = transport.get_remote_server_key()
        if server_key.fingerprint in pinned:
            _log_in(transport, user, key, password)
            return Client(transport, timeouts)
        shown.append(server_key.fingerprint)
        transport.close()
    raise HostKeyChanged(host, pinned, shown)


def host_key(host: str, port: int, timeouts: Timeouts = Timeouts()) -> str:
    """The host key a server shows, as a line to pin once a person has compared it. Raises `Unreachable`."""
    for key_type in _HOST_KEY_ALGORITHMS:
        transport = _negotiate(host, port, key_type, timeouts)
        if transport is not None:
            with transport:
                return public_line(transport.get_remote_server_key())
    raise Unreachable(f"{host} and we have no host key algorithm in common")


class Client:
    """One logged-in connection; not to be shared between threads. Paths are as the server sees them."""

    def __init__(self, transport: paramiko.Transport, timeouts: Timeouts) -> None:
        self._transport = transport
        with _told("open an SFTP session"):
            client = paramiko.SFTPClient.from_transport(transport)
        if client is None:
            raise Unreachable("the connection broke")
        self._sftp = client
        client.get_channel().settimeout(timeouts.answer_s)  # type: ignore[union-attr]

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    def list(self, folder: str = ".", limit: int = 100_000) -> list[RemoteFile]:
        """The regular files of a folder by name; links, folders and names with a slash are left out.

        Raises `TransferFailed` for a folder of more than `limit` entries.
        """
        files = []
        with _told(f"list {folder}"):
            for count, entry in enumerate(self._sftp.listdir_iter(folder, read_aheads=4), 1):
                if count > limit:
                    self.close()  # the answers under way are of no use any more
                    raise TransferFailed(f"{folder} has more than {limit} entries")
                if _is_plain(entry.filename) and stat.S_ISREG(entry.st_mode or stat.S_IFREG):
                    files.append(RemoteFile(entry.filename, entry.st_size or 0, int(entry.st_mtime or 0)))
        return sorted(files, key=lambda file: file.name)

    def put(self, source: Path | BinaryIO | bytes, remote: str) -> int:
        """Puts a file under the name `remote`, replacing one of that name; returns its size in bytes.

        The name may be gone again when this returns: the other side takes files as they come.
        """
        temporary = f"{remote}.tmp"
        with contextlib.ExitStack() as stack:
            stream = _reader(source, stack)
            with _told(f"put {remote}"):
                try:
                    size = self._write(temporary, stream)
                    self._expect_size(temporary, size)
                    self._rename(temporary, remote)
                except (OSError, SftpError):
                    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                        self._sftp.remove(temporary)
                    raise
                with contextlib.suppress(FileNotFoundError):
                    self._expect_size(remote, size)
        return size

    def get(self, remote: str, local: Path, max_bytes: int | None = None) -> int:
        """Fetches a file to `local`, synced to disk; returns its size in bytes.

        Raises `TransferFailed` if the file changes meanwhile or is larger than `max_bytes`, `NotThere`, and
        `OSError` if it cannot be stored here.
        """
        unfinished = local.with_name(f"{local.name}.part")
        try:
            with unfinished.open("wb") as file:
                size = sum(file.write(chunk) for chunk in self._read(remote, max_bytes))
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(local)
        finally:
            unfinished.unlink(missing_ok=True)
        folder = os.open(local.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return size

    def rename(self, old: str, new: str) -> None:
        """Renames a file, replacing one that has the new name if the server can do that."""
        with _told(f"rename {old} to {new}"):
            self._rename(old, new)

    def remove(self, remote: str) -> None:
        with _told(f"remove {remote}"):
            self._sftp.remove(remote)

    def _write(self, remote: str, stream: BinaryIO) -> int:
        size = 0
        file: Any = self._sftp.open(remote, "wb")
        with contextlib.closing(file):
            file.set_pipelined(True)
            chunk = stream.read(_CHUNK)
            while chunk:
                following = stream.read(_CHUNK)
                if not following:
                    file.set_pipelined(False)  # the last write collects the answers to all
                file.write(chunk)
                size += len(chunk)
                chunk = following
            # paramiko's close() swallows the answer, which is the one that says the file is stored
            file._closed = True
            self._sftp._request(CMD_CLOSE, file.handle)  # type: ignore[attr-defined]
        return size

    def _read(self, remote: str, max_bytes: int | None) -> Iterator[bytes]:
        with _told(f"get {remote}"):
            before = self._sftp.stat(remote)
            left = before.st_size or 0
            if max_bytes is not None and left > max_bytes:
                raise TransferFailed(f"{remote} has {left} bytes, more than {max_bytes}")
            with self._sftp.open(remote, "rb") as stream:
                _prefetch(stream, left)
                while left >= 0 and (chunk := stream.read(_CHUNK)):
                    left -= len(chunk)
                    yield chunk
            after = self._sftp.stat(remote)
            if left or (before.st_size, before.st_mtime) != (after.st_size, after.st_mtime):
                raise TransferFailed(f"{remote} changed while it was fetched")

    def _rename(self, old: str, new: str) -> None:
        try:
            self._sftp.posix_rename(old, new)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.EACCES}:
                raise
            self._sftp.rename(old, new)

    def _expect_size(self, remote: str, size: int) -> None:
        stored = self._sftp.stat(remote).st_size
        if stored != size:
            raise TransferFailed(f"{remote} has {stored} bytes on the server, {size} were sent")


def _types_to_ask_for(host_keys: Collection[str]) -> list[str]:
    """A server shows one key, of a type we ask for: ask for those pinned; a fingerprint may be of any."""
    pinned = {line.split()[0] for line in host_keys}
    return [
        name for name in _HOST_KEY_ALGORITHMS if name in pinned or not pinned <= _HOST_KEY_ALGORITHMS.keys()
    ]


def _negotiate(host: str, port: int, key_type: str, timeouts: Timeouts) -> paramiko.Transport | None:
    """An encrypted connection, nobody logged in yet; None if the server has no host key of that type."""
    try:
        sock = socket.create_connection((host, port), timeout=timeouts.connect_s)
    except OSError as error:
        raise Unreachable(f"{host}:{port}: {error}") from error
    transport = client_transport(sock, _HOST_KEY_ALGORITHMS[key_type])
    transport.banner_timeout = timeouts.connect_s
    transport.auth_timeout = timeouts.login_s
    try:
        transport.start_client(timeout=timeouts.login_s)
        transport.get_remote_server_key()  # raises if the time ran out, which start_client does not
    except paramiko.SSHException as error:
        transport.close()
        if isinstance(error, IncompatiblePeer) and "host key" in str(error):
            return None
        raise Unreachable(f"{host}:{port}: {error}") from error
    except (OSError, EOFError) as error:
        transport.close()
        raise Unreachable(f"{host}:{port}: {error or 'the connection broke'}") from error
    return transport


def _log_in(
    transport: paramiko.Transport, user: str, key: paramiko.PKey | None, password: str | None
) -> None:
    try:
        if key is not None:
            transport.auth_publickey(user, key)
        elif password is not None:
            transport.auth_password(user, password)
        else:
            raise ValueError("a key or a password is needed to log in")
        if not transport.is_authenticated():
            raise LoginRefused(f"the server wants more than one proof of {user}")
    except paramiko.AuthenticationException as error:
        transport.close()
        raise LoginRefused(f"the server refused {user}: {error}") from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        transport.close()
        raise Unreachable(f"the connection broke at the login: {error}") from error


def _prefetch(stream: Any, size: int) -> None:
    """Asks for `size` bytes in advance. paramiko does it in a thread, whose errors `read` reports as well."""
    ask = stream._prefetch_thread

    def ask_quietly(*arguments: object) -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            ask(*arguments)

    stream._prefetch_thread = ask_quietly
    stream.prefetch(size, _PREFETCHED)


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Turns what paramiko raises into errors of this module."""
    try:
        yield
    except SftpError:
        raise
    except FileNotFoundError as error:
        raise NotThere(f"cannot {what}: {error.strerror or error}") from error
    except TimeoutError as error:
        raise Unreachable(f"cannot {what}: no answer in time") from error
    except OSError as error:
        if isinstance(error, ConnectionError) or str(error) == "Socket is closed":
            raise Unreachable(f"cannot {what}: {error}") from error
        raise TransferFailed(f"cannot {what}: {error.strerror or error}") from error
    except (EOFError, paramiko.SSHException) as error:
        raise Unreachable(f"cannot {what}: {error or 'the connection broke'}") from error


def _reader(source: Path | BinaryIO | bytes, stack: contextlib.ExitStack) -> BinaryIO:
    match source:
        case bytes():
            return io.BytesIO(source)
        case Path():
            return stack.enter_context(source.open("rb"))
        case _:
            return source


def _is_plain(name: str) -> bool:
    return name not in {"", ".", ".."} and "/" not in name and "\0" not in name


def join(folder: str, name: str) -> str:
    """The path of a listed file in its folder."""
    return posixpath.join(folder, name)
