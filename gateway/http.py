"""One HTTP/1.1 exchange with a partner: a request out, an answer in, over TLS and a proxy where there are.

h11 knows the protocol; the socket, the deadlines and the limits are here, because AS2 needs what libraries
leave out: to wait for 100 before a body (RFC 9110 10.1.1), to hear an answer while still sending, to bound
the time of the whole, and to read an answer as it is. Nothing is contacted but the URL asked for, or its
proxy: redirects are answers, proxies of the environment are not used, and no content coding is undone.
"""

from __future__ import annotations

import base64
import re
import select
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple
from urllib.parse import SplitResult, urlsplit

import h11

from gateway.config import Http, Secret
from gateway.errors import Code, Failure, GatewayError

Headers = list[tuple[str, str]]

MAX_HEAD = 64 * 1024  # bytes of an answer's head
MAX_ANSWER = 1 << 20  # bytes of its body
MAX_REASON = 16 * 1024  # the same of a refusal, which is read for what it tells
CONNECT_S = 15.0  # for TCP, the proxy's consent and the TLS handshake, each
CONTINUE_S = 2.0  # for 100; a server that does not know it says nothing (RFC 9110 10.1.1)
GRACE_S = 60.0  # for a request to be taken, and a second more for each PACE bytes
PACE = 8 * 1024
SHORT = 2  # bytes that a receipt may lack of its Content-Length: a CRLF that was counted and not sent
MAX_INTERIM = 100  # answers of 1xx
RETRY_STATUSES = frozenset({408, 425, 429})

_CHUNK = 256 * 1024
_OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "expect", "authorization"})
_OTHER_NAME = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH of OpenSSL
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class Unreachable(GatewayError):
    """No complete answer: connection refused, reset, timed out. Sending the same bytes again is right."""

    temporary = True
    theirs = True


class Answer(NamedTuple):
    """An HTTP answer. Its headers are unfolded; its body is whole where the status is 2xx."""

    status: int
    headers: Headers
    body: bytes

    @property
    def taken(self) -> bool:
        """Whether the request was taken: any 2xx (RFC 4130 7.6)."""
        return 200 <= self.status < 300

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later (RFC 9110 15).

        A redirect is not followed and may be gone later, as one to a page that tells of maintenance.
        """
        return self.status in RETRY_STATUSES or 300 <= self.status < 400 or self.status >= 500

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


def beginning(headers: Headers, body: bytes) -> str:
    """What an answer that is no receipt is instead: its type, its size, how it begins."""
    kind = next((value for name, value in headers if name.lower() == "content-type"), "no type")
    start = " ".join(body[:400].decode("utf-8", "replace").split())[:120]
    return f"{kind[:80]}, {len(body)} bytes" + (f", {start!r}" if start else "")


def refusal(answer: Answer, http: Http) -> str:
    """What a person is told of an answer that is no 2xx: the status, and what may be done about it."""
    told = f"answered {answer.status}"
    match answer.status:
        case 401:
            ours = (
                f"the password of {http.user!r} is not accepted"
                if http.user
                else "no user is set in as2.http"
            )
            return f"{told}: {ours}; it asks for {_quoted(answer, 'WWW-Authenticate')}"
        case 407:
            return f"{told}: the proxy asks for {_quoted(answer, 'Proxy-Authenticate')}"
        case 411 if http.transfer == "chunked":
            return f'{told}: it wants as2.http.transfer = "length"'
        case 417 if http.expect_continue:
            return f"{told}: it wants as2.http.expect_continue = false"
        case status if 300 <= status < 400:
            return f"{told}: it points to {_quoted(answer, 'Location')}, which is not followed"
    return told


def _quoted(answer: Answer, name: str) -> str:
    """A header of theirs as it may be shown."""
    return "".join(char for char in answer.header(name) or "" if char.isprintable())[:200] or "nothing"


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL, the port also where it is the usual one. Raises ValueError."""
    parts = urlsplit(url)
    port = parts.port if parts.port is not None else {"https": 443}.get(parts.scheme, 80)
    return parts.scheme, parts.hostname or "", port


def check(http: Http) -> None:
    """Whether every file and secret that it names can be used. Raises Failure."""
    _context(http, named=True)
    for secret in (http.password, http.proxy_password):
        if secret is not None:
            secret.read()


def exchange(method: str, url: str, headers: Headers, http: Http, *, body: BinaryIO | None = None) -> Answer:
    """Make one request, `body` from where it stands to its end, and read its answer.

    Raises Unreachable for what may pass, Failure for what of ours cannot be used: a certificate, a password.
    """
    scheme, host, port = origin(url)
    size = _size(body) if body is not None else None
    request = _request(method, urlsplit(url), headers, http, size)
    try:
        with closing(_connected(scheme, host, port, http)) as wire:
            return _read(wire, http, whole=_send(wire, request, http, body, size or 0))
    except (OSError, UnicodeError, h11.RemoteProtocolError) as error:  # UnicodeError: no name of a host
        raise Unreachable(f"{scheme}://{host}:{port}: {_cause(error)}") from error


def _cause(error: Exception) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"their TLS certificate is not accepted: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS: {error.reason or error}"
        case h11.RemoteProtocolError():
            return f"the answer is no HTTP: {error}"
        case OSError():
            return error.strerror or str(error) or type(error).__name__
    return str(error)


class _Wire:
    """A connection on which every wait ends at the same moment, `until`."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._talk = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._until, self._lacks = 0.0, ""
        self._interim = 0
        self.answered: h11.Response | None = None
        self.continued = False

    def allow(self, seconds: float, lacks: str) -> None:
        """Set the moment at which waiting ends, and what is then told to be lacking."""
        self._until, self._lacks = time.monotonic() + seconds, lacks

    def secure(self, context: ssl.SSLContext, host: str) -> bytes | None:
        """Go on with TLS; their certificate, DER."""
        tls = context.wrap_socket(self._socket, server_hostname=host, do_handshake_on_connect=False)
        self._socket = tls
        self._talk = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self.answered = None
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN)
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT)
            else:
                return tls.getpeercert(binary_form=True)

    def send(self, event: h11.Event) -> bool:
        """Send a part of a request; False when the answer came before all of it was taken."""
        for piece in self._talk.send_with_data_passthrough(event) or ():
            left = memoryview(piece)
            while left:
                if self.heard():
                    return False
                try:
                    left = left[self._socket.send(left) :]
                except (BlockingIOError, ssl.SSLWantWriteError):
                    self._wait(select.POLLIN | select.POLLOUT)
                except ssl.SSLWantReadError:
                    self._wait(select.POLLIN)
                except (ConnectionError, ssl.SSLError):
                    if self.heard():  # who refuses early may close early, and may have said why
                        return False
                    raise
        return True

    def heard(self) -> bool:
        """Whether the head of the answer is here; interim answers are passed over (RFC 9110 15.2)."""
        with suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            while self.answered is None:
                self._hear(self._socket.recv(_CHUNK))
        return self.answered is not None

    def _hear(self, data: bytes) -> None:
        if not data:
            raise ConnectionError("the connection was closed without an answer")
        self._talk.receive_data(data)
        while self.answered is None:
            match self._talk.next_event():
                case h11.InformationalResponse() as interim:
                    self.continued = self.continued or interim.status_code == 100
                    self._interim += 1
                    if self._interim > MAX_INTERIM:
                        raise ConnectionError("interim answers without an end")
                case h11.Response() as response:
                    self.answered = response
                case _:
                    return

    def wait_for_continue(self, seconds: float) -> None:
        """Until 100, an answer, or the end of some seconds."""
        until = time.monotonic() + seconds
        while not self.heard() and not self.continued and (left := until - time.monotonic()) > 0:
            self._poll(select.POLLIN, left)

    def head(self) -> h11.Response:
        """The head of the answer."""
        while not self.heard():
            self._wait(select.POLLIN)
        assert self.answered is not None
        return self.answered

    def body(self) -> Iterator[bytes]:
        """What follows the head, as it comes."""
        while self._left() > 0:
            match self._talk.next_event():
                case h11.Data(data=data):
                    yield bytes(data)
                case h11.EndOfMessage():
                    return
                case h11.NEED_DATA:
                    self._talk.receive_data(self._receive())
        raise TimeoutError(self._lacks)

    def _receive(self) -> bytes:
        while True:
            try:
                return self._socket.recv(_CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError):
                self._wait(select.POLLIN)
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT)

    def _wait(self, events: int) -> None:
        left = self._left()
        if left <= 0 or not self._poll(events, left):
            raise TimeoutError(self._lacks)

    def _left(self) -> float:
        return self._until - time.monotonic()

    def _poll(self, events: int, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._socket, events)
        return bool(poll.poll(seconds * 1000 + 1))

    def close(self) -> None:
        """Say so where there is TLS, without waiting for their goodbye (RFC 8446 6.1), and close."""
        with closing(self._socket), suppress(OSError):
            if isinstance(self._socket, ssl.SSLSocket):
                self._socket.unwrap()


def _connected(scheme: str, host: str, port: int, http: Http) -> _Wire:
    """A connection to a partner, its certificate accepted."""
    if scheme == "http":
        return _dial(*(http.proxy or (host, port)))
    try:
        return _dial_tls(host, port, http, named=True)[0]
    except ssl.SSLCertVerificationError as error:
        if http.ca is None or error.verify_code not in _OTHER_NAME:
            raise
        wire, theirs = _dial_tls(host, port, http, named=False)
        if theirs not in _certificates(http.ca):  # pinned itself, so that its name says nothing more
            wire.close()
            raise
        return wire


def _dial(host: str, port: int) -> _Wire:
    connection = socket.create_connection((host, port), CONNECT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # head and body are written apart
    wire = _Wire(connection)
    wire.allow(CONNECT_S, f"no connection within {CONNECT_S:.0f} s")
    return wire


def _dial_tls(host: str, port: int, http: Http, *, named: bool) -> tuple[_Wire, bytes | None]:
    context = _context(http, named=named)
    wire = _dial(*(http.proxy or (host, port)))
    try:
        if http.proxy is not None:
            _tunnel(wire, host, port, http)
        return wire, wire.secure(context, host)
    except BaseException:
        wire.close()
        raise


def _tunnel(wire: _Wire, host: str, port: int, http: Http) -> None:
    """Have the proxy connect us (RFC 9110 9.3.6)."""
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    wire.send(h11.Request(method="CONNECT", target=target, headers=[("Host", target), *_for_proxy(http)]))
    wire.send(h11.EndOfMessage())
    status = wire.head().status_code
    if not 200 <= status < 300:
        raise ConnectionError(f"the proxy {http.proxy} answered {status}")


def _request(method: str, url: SplitResult, headers: Headers, http: Http, size: int | None) -> h11.Request:
    """The head of a request whose body has `size` bytes, or that has none. Raises Failure."""
    fields = [("Host", url.netloc), *(pair for pair in headers if pair[0].lower() not in _OURS)]
    if size is not None:
        chunked = http.transfer == "chunked"
        fields.append(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(size)))
    if size and http.expect_continue:
        fields.append(("Expect", "100-continue"))
    if http.user is not None and http.password is not None:
        fields.append(("Authorization", _basic(http.user, http.password)))
    target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
    if http.proxy is not None and url.scheme == "http":
        target = f"http://{url.netloc}{target}"  # RFC 9112 3.2.2
        fields += _for_proxy(http)
    return h11.Request(method=method, target=target, headers=[*fields, ("Connection", "close")])


def _send(wire: _Wire, request: h11.Request, http: Http, body: BinaryIO | None, size: int) -> bool:
    """Send a request; False when its answer came before all of it was taken."""
    wire.allow(GRACE_S, f"the request was not taken within {GRACE_S:.0f} s")
    whole = wire.send(request)
    if whole and size and http.expect_continue:
        wire.wait_for_continue(CONTINUE_S)
    sent, started = 0, time.monotonic()
    while whole and body is not None and (chunk := body.read(_CHUNK)):
        took = time.monotonic() - started
        wire.allow(GRACE_S + sent / PACE - took, f"{sent} of {size} bytes were taken in {took:.0f} s")
        whole = wire.send(h11.Data(data=chunk))
        sent += len(chunk)
    return whole and wire.send(h11.EndOfMessage())


def _read(wire: _Wire, http: Http, *, whole: bool) -> Answer:
    """The answer to a request; a 2xx counts only for a request that was taken whole."""
    seconds = http.answer_within.total_seconds()
    wire.allow(seconds, f"no whole answer within {seconds:.0f} s")
    head = wire.head()
    answer = Answer(
        head.status_code,
        [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers.raw_items()],
        b"",
    )
    if not answer.taken:
        with suppress(OSError, h11.RemoteProtocolError):  # the status has said what counts
            return answer._replace(body=_content(wire, answer, MAX_REASON))
        return answer
    if not whole:
        raise ConnectionError(f"it answered {answer.status} before it had the whole request")
    coding = answer.header("Content-Encoding")
    if coding is not None and coding.lower() != "identity":
        raise ConnectionError(f"the answer is coded as {coding[:40]!r}, which was not asked for")
    return answer._replace(body=_content(wire, answer, MAX_ANSWER))


def _content(wire: _Wire, answer: Answer, most: int) -> bytes:
    content = bytearray()
    try:
        for chunk in wire.body():
            content += chunk
            if len(content) > most:
                raise ConnectionError(f"the answer is over {most} bytes")
    except h11.RemoteProtocolError:
        length = answer.header("Content-Length") or ""
        if not length.isdecimal() or int(length) - len(content) > SHORT:
            raise
    return bytes(content)


def _size(body: BinaryIO) -> int:
    """How many bytes a file has from where it stands."""
    here = body.tell()
    size = body.seek(0, 2) - here
    body.seek(here)
    return size


def _basic(user: str, password: Secret) -> str:
    """Credentials as RFC 7617 writes them."""
    secret = password.read().rstrip(b"\r\n")
    return "Basic " + base64.b64encode(user.encode() + b":" + secret).decode()


def _for_proxy(http: Http) -> Headers:
    if http.proxy_user is None or http.proxy_password is None:
        return []
    return [("Proxy-Authorization", _basic(http.proxy_user, http.proxy_password))]


# What TLS trusts, and as whom it goes.


def _context(http: Http, *, named: bool) -> ssl.SSLContext:
    """TLS as it is agreed with a partner. Raises Failure."""
    if http.key is not None:
        http.key.read()  # refuses a file that others may read
    key = http.key.name if http.key is not None else None
    files = [Path(file) for file in (http.ca, http.cert, key) if file is not None]
    try:
        changed = tuple(file.stat().st_mtime_ns for file in files)
        return _made(http.ca, http.cert, key, http.ciphers, named, changed)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        names = ", ".join(map(str, [*files, *([http.ciphers] if http.ciphers else [])]))
        raise Failure(
            Code.BAD_CERTIFICATE, f"TLS cannot use {names}: {error}", next="tradelane doctor"
        ) from error


@lru_cache(maxsize=256)
def _made(
    ca: Path | None,
    cert: Path | None,
    key: str | None,
    ciphers: str | None,
    named: bool,
    changed: tuple[int, ...],
) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=_trusted(ca) if ca is not None else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca is not None:
        # What is listed counts by itself, and may lack what a public authority would have to write into it.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.check_hostname = named
    if ciphers is not None:
        context.set_ciphers(ciphers)
    if cert is not None:
        context.load_cert_chain(cert, key, password="")  # rather than ask on a terminal
    return context


def _trusted(ca: Path) -> str | bytes:
    data = ca.read_bytes()
    return data.decode("ascii", "ignore") if b"-----BEGIN" in data else data


def _certificates(ca: Path) -> frozenset[bytes]:
    """The certificates of a file, DER."""
    trusted = _trusted(ca)
    if isinstance(trusted, bytes):
        return frozenset({trusted})
    return frozenset(ssl.PEM_cert_to_DER_cert(text) for text in _PEM.findall(trusted))
