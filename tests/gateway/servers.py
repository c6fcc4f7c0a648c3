"""Partners' HTTP servers, written with plain sockets: what stands on the wire, and answers of every kind."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from peers import openssl

Script = Callable[["Line"], None]
"""What a server does on one connection, which is closed when it returns."""

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass
class Line:
    """One connection to a server, and what came on it so far."""

    socket: socket.socket
    head: bytes = b""
    body: bytes = b""
    _read: bytes = b""

    def read_head(self) -> bytes:
        """The request's line and headers."""
        self.head = self._until(b"\r\n\r\n")
        return self.head

    def read_body(self) -> bytes:
        """The body, by whichever length the head gives it."""
        length = self.header("Content-Length")
        if self.header("Transfer-Encoding") == "chunked":
            while size := int(self._until(b"\r\n"), 16):
                self.body += self._take(size + 2)[:-2]
            self._until(b"\r\n")
        elif length is not None:
            self.body = self._take(int(length))
        return self.body

    def header(self, name: str) -> str | None:
        """The value of a header that stands once."""
        values = [
            line.partition(b":")[2].strip().decode()
            for line in self.head.split(b"\r\n")[1:]
            if line.lower().startswith(name.lower().encode() + b":")
        ]
        assert len(values) < 2, (name, values)
        return values[0] if values else None

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def waits(self, seconds: float) -> bool:
        """Whether nothing more comes within some seconds."""
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(1 << 16)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(20.0)
        self._read += data
        return not data

    def _until(self, end: bytes) -> bytes:
        while end not in self._read:
            self._more()
        data, _, self._read = self._read.partition(end)
        return data + end

    def _take(self, count: int) -> bytes:
        while len(self._read) < count:
            self._more()
        data, self._read = self._read[:count], self._read[count:]
        return data

    def _more(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("the client went away")
        self._read += data


@dataclass
class Server:
    """A server on a free port of loopback: its lines so far, and the handshakes that failed."""

    port: int
    secure: bool
    lines: list[Line] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"{'https' if self.secure else 'http'}://localhost:{self.port}/as2?to=us"


@contextmanager
def serving(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve each connection by a script, in a thread of its own; a script that fails fails the test."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(listener.getsockname()[1], tls is not None)
    wrong: list[BaseException] = []
    threads: list[threading.Thread] = []

    def take(connection: socket.socket) -> None:
        connection.settimeout(20.0)
        try:
            with connection:
                if tls is None:
                    line = Line(connection)
                else:
                    try:
                        line = Line(tls.wrap_socket(connection, server_side=True))
                    except OSError as error:
                        server.failed.append(str(error))
                        return
                with line.socket:
                    server.lines.append(line)
                    script(line)
        except (ConnectionError, ssl.SSLError):
            pass  # clients may go when they have heard enough
        except BaseException as error:
            wrong.append(error)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                server.connections += 1
                threads.append(threading.Thread(target=take, args=(connection,), daemon=True))
                threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield server
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(20.0)
        for thread in threads:
            thread.join(20.0)
        assert not wrong, wrong


def answering(answer: bytes = NO_CONTENT) -> Script:
    """Read one request whole and answer it."""

    def script(line: Line) -> None:
        line.read_head()
        line.read_body()
        line.send(answer)

    return script


def made(status: str, *headers: str, body: bytes = b"") -> bytes:
    """An answer with its Content-Length."""
    return (
        "\r\n".join([f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]).encode() + body
    )


@dataclass(frozen=True)
class Signed:
    """A certificate for TLS and its key, PEM."""

    cert: Path
    key: Path

    def server(self, **versions: ssl.TLSVersion) -> ssl.SSLContext:
        """A server's side of TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        for name, version in versions.items():
            setattr(context, name, version)
        return context


def certificate(
    folder: Path, name: str, *extensions: str, subject: str | None = None, by: Signed | None = None
) -> Signed:
    """A certificate made by openssl, self-signed or signed by another."""
    made = Signed(folder / f"{name}.crt", folder / f"{name}.key")
    flags = [flag for extension in extensions for flag in ("-addext", extension)]
    signed = ["-CA", by.cert, "-CAkey", by.key] if by is not None else []
    openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
        "-subj", f"/CN={subject or name}", "-keyout", made.key, "-out", made.cert, *flags, *signed,
    )  # fmt: skip
    made.key.chmod(0o600)
    return made
