"""How AS2 goes out over HTTP: what stands on the wire, whom TLS trusts, and partners that answer badly."""

from __future__ import annotations

import base64
import io
import socket
import ssl
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from h11 import LocalProtocolError
from peers import Company, Peer, post
from servers import (
    NO_CONTENT,
    Line,
    Script,
    Server,
    Signed,
    answering,
    certificate,
    made,
    serving,
)
from serving import Gateway, partner, running, until
from serving import made as home

from gateway import channels, http
from gateway.config import Address, As2, Http, Secret
from gateway.errors import Code, Failure
from gateway.http import Answer, Unreachable

HEADERS = [("AS2-Version", "1.2"), ("Message-ID", "<1@us>"), ("Content-Type", "text/plain")]
BODY = bytes(range(256)) * 10


def posted(server: Server, options: Http | None = None, body: bytes = BODY) -> Answer:
    """A message posted to a server."""
    return channels.post(related(server, options), HEADERS, io.BytesIO(body))


def related(server: Server, options: Http | None = None) -> As2:
    return As2(id="PEER", url=server.url, http=options or Http())


class Trust(NamedTuple):
    """Certificates of every kind, and files that hold them."""

    folder: Path
    authority: Signed
    ours: Signed  # a client's, by the authority
    right: Signed  # theirs by the authority, for localhost
    wrong: Signed  # theirs by the authority, for another name
    alone: Signed  # theirs, self-signed, for no name at all


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    folder = tmp_path_factory.mktemp("tls")
    authority = certificate(folder, "authority", "basicConstraints=critical,CA:TRUE")
    leaf = "basicConstraints=critical,CA:FALSE"
    return Trust(
        folder,
        authority,
        certificate(folder, "ours", leaf, by=authority),
        certificate(folder, "right", leaf, "subjectAltName=DNS:localhost", by=authority),
        certificate(folder, "wrong", leaf, "subjectAltName=DNS:else.example", by=authority),
        certificate(folder, "alone", subject="BigMart AS2"),
    )


def secret(folder: Path, text: str, mode: int = 0o600) -> Secret:
    """A secret in a file of its own."""
    file = folder / "secret"
    file.write_text(text)
    file.chmod(mode)
    return Secret("file", str(file))


# What stands on the wire.


def test_h4_a_body_has_its_length_and_the_host_its_port() -> None:
    with serving(answering()) as server:
        assert posted(server).status == 204
    (line,) = server.lines
    assert line.head.startswith(b"POST /as2?to=us HTTP/1.1\r\n")
    assert line.header("Host") == f"localhost:{server.port}"
    assert line.header("Content-Length") == str(len(BODY))
    assert line.header("Transfer-Encoding") is None
    assert (line.header("AS2-Version"), line.header("Message-ID")) == ("1.2", "<1@us>")
    assert b"\r\nAS2-Version: 1.2\r\n" in line.head, "names keep their case"
    assert line.body == BODY


def test_h4_a_chunked_body_has_no_length_even_where_the_message_was_built_with_one() -> None:
    with serving(answering()) as server:
        relation = related(server, Http(transfer="chunked"))
        headers = [*HEADERS, ("Content-Length", str(len(BODY)))]
        assert channels.post(relation, headers, io.BytesIO(BODY)).status == 204
    (line,) = server.lines
    assert line.header("Transfer-Encoding") == "chunked"
    assert line.header("Content-Length") is None
    assert line.body == BODY


@pytest.mark.parametrize("transfer", ["length", "chunked"])
@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_a_body_of_any_size_arrives_byte_for_byte(transfer: str, size: int) -> None:
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    options = Http(transfer="chunked" if transfer == "chunked" else "length")
    with serving(answering()) as server:
        assert posted(server, options, body).status == 204
    assert server.lines[0].body == body


def test_a_body_is_sent_from_where_its_file_stands() -> None:
    body = io.BytesIO(b"skipped" + BODY)
    body.seek(7)
    with serving(answering()) as server:
        channels.post(related(server), HEADERS, body)
    assert server.lines[0].body == BODY


def test_a_header_that_would_begin_another_is_never_sent() -> None:
    with serving(answering()) as server, pytest.raises(LocalProtocolError):
        channels.post(related(server), [("Subject", "a\r\nAS2-To: EVIL")], io.BytesIO(BODY))
    assert server.connections == 0


def test_head_asks_for_headers_alone() -> None:
    answer = b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 700000\r\n\r\n'
    with serving(answering(answer)) as server:
        told = channels.head(related(server), [("ETag", '"x"')])
    assert (told.status, told.header("content-length"), told.body) == (200, "700000", b"")
    assert server.lines[0].head.startswith(b"HEAD /as2?to=us HTTP/1.1\r\n")
    assert server.lines[0].header("Content-Length") is None


# As whom we come.


def test_a_password_goes_with_the_first_request_and_is_read_when_it_is_sent(tmp_path: Path) -> None:
    options = Http(user="northwind", password=secret(tmp_path, "päss:wörd\n"))
    with serving(answering()) as server:
        posted(server, options)
        (tmp_path / "secret").write_text("changed")
        posted(server, options)
        posted(server)
    sent = [line.header("Authorization") for line in server.lines]
    expected = [base64.b64encode(b"northwind:" + word.encode()).decode() for word in ("päss:wörd", "changed")]
    assert sent == [*(f"Basic {one}" for one in expected), None]


def test_h10_a_challenge_is_told_with_what_is_wrong_on_our_side(tmp_path: Path) -> None:
    challenge = made("401 Unauthorized", 'WWW-Authenticate: Basic realm="\x1b[31mAS2"')
    with serving(answering(challenge)) as server:
        for options, told in [
            (Http(), 'answered 401: no user is set in as2.http; it asks for Basic realm="[31mAS2"'),
            (
                Http(user="us", password=secret(tmp_path, "wrong")),
                "answered 401: the password of 'us' is not accepted; it asks for Basic realm=\"[31mAS2\"",
            ),
        ]:
            answer = posted(server, options)
            assert not answer.retryable
            assert http.refusal(answer, options) == told


@pytest.mark.parametrize(
    ("password", "code"),
    [
        (("file", "/nowhere/password"), Code.SECRET_MISSING),
        (("env", "TRADELANE_NOT_SET"), Code.SECRET_MISSING),
    ],
)
def test_a_password_that_is_not_there_is_ours_to_mend_and_nothing_is_sent(
    password: tuple[str, str], code: Code
) -> None:
    kind, name = password
    options = Http(user="us", password=Secret("file" if kind == "file" else "env", name))
    with serving(answering()) as server, pytest.raises(Failure) as caught:
        posted(server, options)
    assert caught.value.code is code
    assert server.connections == 0


def test_a_client_certificate_is_shown_to_who_asks_for_one(trust: Trust) -> None:
    context = trust.right.server()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(trust.authority.cert)
    key = Secret("file", str(trust.ours.key))
    seen: list[object] = []

    def script(line: Line) -> None:
        assert isinstance(line.socket, ssl.SSLSocket)
        seen.append((line.socket.getpeercert() or {})["subject"])
        answering()(line)

    with serving(script, context) as server:
        assert posted(server, Http(ca=trust.authority.cert, cert=trust.ours.cert, key=key)).status == 204
        with pytest.raises(Unreachable, match=r"TLS: .*CERTIFICATE_REQUIRED"):
            posted(server, Http(ca=trust.authority.cert))
    assert seen[0] == ((("commonName", "ours"),),)


def test_a_client_key_that_others_may_read_or_that_is_another_is_not_used(
    trust: Trust, tmp_path: Path
) -> None:
    key = secret(tmp_path, trust.ours.key.read_text(), mode=0o644)
    with serving(answering(), trust.right.server()) as server:
        with pytest.raises(Failure) as caught:
            posted(server, Http(cert=trust.ours.cert, key=key))
        assert caught.value.code is Code.SECRET_EXPOSED
        with pytest.raises(Failure, match="TLS cannot use"):
            posted(server, Http(cert=trust.ours.cert, key=Secret("file", str(trust.right.key))))
    assert server.connections == 0


# Whom TLS trusts.


def test_c02_a_certificate_that_nobody_vouches_for_is_refused_and_the_cause_told(trust: Trust) -> None:
    with serving(answering(), trust.alone.server()) as server:
        for options in (Http(), Http(ca=trust.right.cert)):
            with pytest.raises(Unreachable, match="certificate is not accepted: self-signed certificate"):
                posted(server, options)
    assert server.lines == []


def test_an_authority_that_is_listed_vouches_for_the_right_name_alone(trust: Trust) -> None:
    with serving(answering(), trust.right.server()) as server:
        assert posted(server, Http(ca=trust.authority.cert)).status == 204
    with serving(answering(), trust.wrong.server()) as server:
        with pytest.raises(Unreachable, match="is not accepted: Hostname mismatch"):
            posted(server, Http(ca=trust.authority.cert))
        assert [line.head for line in server.lines if line.head] == []


def pem(trust: Trust) -> Path:
    return trust.alone.cert


def der(trust: Trust) -> Path:
    file = trust.folder / "alone.der"
    file.write_bytes(ssl.PEM_cert_to_DER_cert(trust.alone.cert.read_text()))
    return file


def several(trust: Trust) -> Path:
    file = trust.folder / "several.crt"
    file.write_text(
        f"the old one\n{trust.wrong.cert.read_text()}\nthe new one\n{trust.alone.cert.read_text()}"
    )
    return file


@pytest.mark.parametrize("file", [pem, der, several])
def test_their_own_certificate_is_pinned_whatever_its_name(
    trust: Trust, file: Callable[[Trust], Path]
) -> None:
    with serving(answering(), trust.alone.server()) as server:
        assert posted(server, Http(ca=file(trust))).status == 204


def test_a_pinned_certificate_of_an_authority_counts_without_the_authority(trust: Trust) -> None:
    with serving(answering(), trust.wrong.server()) as server:
        assert posted(server, Http(ca=trust.wrong.cert)).status == 204
    with serving(answering(), trust.right.server()) as server, pytest.raises(Unreachable):
        posted(server, Http(ca=trust.wrong.cert))


def test_a_certificate_file_that_is_replaced_is_read_again(trust: Trust, tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_bytes(trust.authority.cert.read_bytes())
    with serving(answering(), trust.alone.server()) as server:
        with pytest.raises(Unreachable):
            posted(server, Http(ca=ca))
        ca.unlink()
        ca.write_bytes(trust.alone.cert.read_bytes())
        assert posted(server, Http(ca=ca)).status == 204


def test_what_is_no_certificate_is_told_as_ours(trust: Trust, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("nothing")
    with serving(answering(), trust.right.server()) as server:
        for ca in (tmp_path / "ca.crt", tmp_path / "absent.crt"):
            with pytest.raises(Failure, match="TLS cannot use") as caught:
                posted(server, Http(ca=ca))
            assert caught.value.code is Code.BAD_CERTIFICATE


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_tls_1_2_and_1_3_are_spoken(trust: Trust, version: str) -> None:
    only = ssl.TLSVersion[version]
    seen = []

    def script(line: Line) -> None:
        assert isinstance(line.socket, ssl.SSLSocket)
        seen.append(line.socket.version())
        answering()(line)

    with serving(script, trust.right.server(minimum_version=only, maximum_version=only)) as server:
        assert posted(server, Http(ca=trust.authority.cert)).status == 204
    assert seen == [version.replace("_", ".")]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_tls_1_1_is_not(trust: Trust) -> None:
    old = trust.right.server(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with serving(answering(), old) as server, pytest.raises(Unreachable, match=r"TLS: .*PROTOCOL_VERSION"):
        posted(server, Http(ca=trust.authority.cert))
    assert server.lines == []


def test_a_server_that_has_old_ciphers_alone_is_reached_where_they_are_listed(tmp_path: Path) -> None:
    company = Company.made(tmp_path, "old")
    old = Signed(company.cert, company.key).server(maximum_version=ssl.TLSVersion.TLSv1_2)
    old.set_ciphers("AES256-GCM-SHA384")
    with serving(answering(), old) as server:
        with pytest.raises(Unreachable, match=r"TLS: .*HANDSHAKE_FAILURE"):
            posted(server, Http(ca=company.cert))
        assert posted(server, Http(ca=company.cert, ciphers="DEFAULT")).status == 204
        with pytest.raises(Failure, match=r"TLS cannot use .*: .*[Nn]o cipher"):
            posted(server, Http(ca=company.cert, ciphers="NONSENSE"))


def test_a_goodbye_of_tls_is_said_and_theirs_not_waited_for(trust: Trust) -> None:
    done = threading.Event()

    def script(line: Line) -> None:
        line.read_head()
        line.read_body()
        line.send(made("200 OK", body=b"receipt"))
        assert line.socket.recv(1) == b"", "a clean end, not a broken one"
        assert done.wait(20), "the answer was returned while this side was still open"

    context = trust.right.server()
    with serving(script, context) as server:
        answer = posted(server, Http(ca=trust.authority.cert))
        done.set()
    assert answer.body == b"receipt"


def test_an_answer_that_ends_with_the_connection_needs_no_goodbye(trust: Trust) -> None:
    answer = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it"
    with serving(answering(answer), trust.right.server()) as server:
        assert posted(server, Http(ca=trust.authority.cert)).body == b"all of it"


# By which way.


def proxy(seen: list[bytes], refusal: bytes = b"") -> Script:
    """A proxy: tunnels CONNECT, and answers a request for a whole URL itself."""

    def script(line: Line) -> None:
        seen.append(line.read_head())
        if refusal:
            line.send(refusal)
            return
        if not line.head.startswith(b"CONNECT "):
            line.read_body()
            line.send(made("200 OK", body=b"by way of the proxy"))
            return
        host, _, port = line.head.split()[1].decode().rpartition(":")
        with socket.create_connection((host, int(port)), 20) as there:
            line.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(there, line.socket))
            back.start()
            _pump(line.socket, there)
            back.join(20)

    return script


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_a_proxy_tunnels_tls_and_sees_no_more_than_the_host(trust: Trust, tmp_path: Path) -> None:
    seen: list[bytes] = []
    with serving(answering(), trust.right.server()) as server, serving(proxy(seen)) as way:
        options = Http(
            ca=trust.authority.cert,
            proxy=Address("127.0.0.1", way.port),
            proxy_user="us",
            proxy_password=secret(tmp_path, "pw"),
        )
        assert posted(server, options, b"x" * 500_000).status == 204
    (head,) = seen
    assert head.startswith(f"CONNECT localhost:{server.port} HTTP/1.1\r\n".encode())
    assert b"\r\nProxy-Authorization: Basic dXM6cHc=\r\n" in head
    assert server.lines[0].header("Proxy-Authorization") is None
    assert server.lines[0].body == b"x" * 500_000


def test_a_proxy_is_asked_for_the_whole_url_where_there_is_no_tls() -> None:
    seen: list[bytes] = []
    with serving(proxy(seen)) as way:
        relation = As2(
            id="PEER", url="http://peer.invalid/as2", http=Http(proxy=Address("127.0.0.1", way.port))
        )
        answer = channels.post(relation, HEADERS, io.BytesIO(BODY))
    assert answer.body == b"by way of the proxy"
    assert seen[0].startswith(b"POST http://peer.invalid/as2 HTTP/1.1\r\nHost: peer.invalid\r\n")


def test_a_proxy_that_refuses_is_told(trust: Trust) -> None:
    refusal = made("407 Proxy Authentication Required", "Proxy-Authenticate: Basic")
    with serving(proxy([], refusal)) as way:
        options = Http(ca=trust.authority.cert, proxy=Address("127.0.0.1", way.port))
        relation = As2(id="PEER", url="https://peer.invalid/as2", http=options)
        with pytest.raises(
            Unreachable, match=rf"peer.invalid:443: the proxy 127.0.0.1:{way.port} answered 407"
        ):
            channels.post(relation, HEADERS, io.BytesIO(BODY))
        plain = As2(id="PEER", url="http://peer.invalid/as2", http=options)
        answer = channels.post(plain, HEADERS, io.BytesIO(BODY))
        assert http.refusal(answer, options) == "answered 407: the proxy asks for Basic"


def test_c02_no_proxy_of_the_environment_is_used(trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(answering()) as trap, serving(answering(), trust.right.server()) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{trap.port}")
        assert posted(server, Http(ca=trust.authority.cert)).status == 204
        with serving(answering()) as plain:
            assert posted(plain).status == 204
    assert trap.connections == 0


def test_c02_a_redirect_is_an_answer_and_never_followed() -> None:
    with serving(answering()) as inside:
        for status in ("301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"):
            with serving(answering(made(status, f"Location: {inside.url}"))) as server:
                answer = posted(server)
            assert answer.retryable
            told = http.refusal(answer, Http())
            assert told == f"answered {status[:3]}: it points to {inside.url}, which is not followed"
    assert inside.connections == 0


# Expect: 100-continue (RFC 9110 10.1.1).


def test_a_body_waits_until_the_server_says_continue() -> None:
    waited = []

    def script(line: Line) -> None:
        line.read_head()
        waited.append(line.waits(0.3))
        line.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        line.read_body()
        line.send(NO_CONTENT)

    with serving(script) as server:
        assert posted(server, Http(expect_continue=True)).status == 204
    assert waited == [True]
    assert server.lines[0].header("Expect") == "100-continue"
    assert server.lines[0].body == BODY


def test_a_body_is_not_sent_to_who_refuses_it_before() -> None:
    def script(line: Line) -> None:
        line.read_head()
        line.send(made("413 Content Too Large"))
        assert line.waits(0.3)

    with serving(script) as server:
        assert posted(server, Http(expect_continue=True)).status == 413


def test_a_server_that_knows_no_continue_gets_the_body_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "CONTINUE_S", 0.1)
    with serving(answering()) as server:
        assert posted(server, Http(expect_continue=True, transfer="chunked")).status == 204
    assert server.lines[0].body == BODY


def test_what_a_refusal_asks_for_is_named_by_its_key() -> None:
    options = Http(expect_continue=True, transfer="chunked")
    told = [http.refusal(Answer(status, [], b""), options) for status in (411, 417, 400)]
    assert told == [
        'answered 411: it wants as2.http.transfer = "length"',
        "answered 417: it wants as2.http.expect_continue = false",
        "answered 400",
    ]


# Answers that are taken.


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "202 Accepted", "204 No Content", "299"])
def test_h14_any_2xx_is_taken(status: str) -> None:
    with serving(answering(f"HTTP/1.1 {status}\r\nConnection: close\r\n\r\n".encode())) as server:
        answer = posted(server)
    assert (answer.status, answer.taken) == (int(status[:3]), True)


def test_folded_headers_of_an_answer_are_unfolded() -> None:
    folded = (
        b"HTTP/1.1 200 OK\r\ncontent-TYPE: multipart/signed; micalg=sha-256;\r\n"
        b'\tprotocol="application/pkcs7-signature";\r\n   boundary="b"\r\nContent-Length: 0\r\n\r\n'
    )
    with serving(answering(folded)) as server:
        answer = posted(server)
    assert answer.header("Content-Type") == (
        'multipart/signed; micalg=sha-256; protocol="application/pkcs7-signature"; boundary="b"'
    )


def test_r4_interim_answers_are_passed_over() -> None:
    interim = b"HTTP/1.1 102 Processing\r\n\r\n" * 3 + b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"
    with serving(answering(interim + made("200 OK", body=b"receipt"))) as server:
        assert posted(server)[::2] == (200, b"receipt")


def test_a_head_split_between_cr_and_lf_is_read() -> None:
    def script(line: Line) -> None:
        line.read_head()
        line.read_body()
        line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in made("200 OK", "AS2-Version: 1.2", body=b"receipt").splitlines(keepends=True):
            for part in (piece[:-1], piece[-1:]):
                line.send(part)
                threading.Event().wait(0.01)

    with serving(script) as server:
        answer = posted(server)
    assert (answer.header("AS2-Version"), answer.body) == ("1.2", b"receipt")


@pytest.mark.parametrize("wrong", [-2, 0, 2])
def test_a_receipt_whose_length_is_wrong_by_a_line_break_is_read(wrong: int) -> None:
    body = b"--b\r\nreceipt\r\n--b--\r\n"
    answer = made("200 OK", body=body).replace(
        f"Content-Length: {len(body)}".encode(), f"Content-Length: {len(body) + wrong}".encode()
    )
    with serving(answering(answer)) as server:
        assert posted(server).body == body[: len(body) + wrong]


def test_a_chunked_answer_is_read() -> None:
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nrece\r\n3\r\nipt\r\n0\r\nX: y\r\n\r\n"
    )
    with serving(answering(chunked)) as server:
        assert posted(server).body == b"receipt"


def test_a_refusal_that_comes_before_the_body_was_taken_is_heard() -> None:
    heard = threading.Event()

    def script(line: Line) -> None:
        line.read_head()
        line.send(made("413 Content Too Large", body=b"too large"))
        assert heard.wait(20), "the body is not read, and the answer not waited for until it is"

    with serving(script) as server:
        answer = posted(server, body=b"x" * 50_000_000)
        heard.set()
    assert answer.status == 413


# Answers that are not (C03).


def wait_out(line: Line) -> None:
    """Stay until the client has gone."""
    while line.socket.recv(1 << 16):
        pass


def forever(piece: bytes, first: bytes) -> Script:
    """An answer that does not end."""

    def script(line: Line) -> None:
        line.read_head()
        line.read_body()
        line.send(first)
        while True:
            line.send(piece)

    return script


def slow(line: Line) -> None:
    line.read_head()
    line.read_body()
    line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while not line.waits(0.05):
        pass
    for _ in range(100):
        line.send(b"x")
        threading.Event().wait(0.05)


def early(line: Line) -> None:
    line.read_head()
    line.send(made("200 OK", body=b"--b\r\nDisposition: processed\r\n--b--"))
    line.waits(20)


def silent(line: Line) -> None:
    line.read_head()
    line.read_body()
    wait_out(line)


def gone(line: Line) -> None:
    line.read_head()
    line.read_body()


def reset(line: Line) -> None:
    line.read_head()
    line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


BAD: dict[str, tuple[Script, str]] = {
    "a body without an end": (
        forever(b"x" * 65536, b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n"),
        "the answer is over 1048576 bytes",
    ),
    "chunks without an end": (
        forever(
            b"10000\r\n" + b"x" * 65536 + b"\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        ),
        "the answer is over 1048576 bytes",
    ),
    "a head of a megabyte": (
        answering(b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"a" * (1 << 20) + b"\r\n\r\n"),
        "no HTTP: ",
    ),
    "headers without an end": (forever(b"X-More: 1\r\n" * 100, b"HTTP/1.1 200 OK\r\n"), "no HTTP: "),
    "interim answers without an end": (
        forever(b"HTTP/1.1 102 Processing\r\n\r\n" * 20, b""),
        "interim answers without an end",
    ),
    "a byte now and then": (slow, "no whole answer within 1 s"),
    "nothing": (silent, "no whole answer within 1 s"),
    "a compressed answer": (
        answering(made("200 OK", "Content-Encoding: gzip", body=b"\x1f\x8b" + bytes(100))),
        "coded as 'gzip'",
    ),
    "an answer before the request was read": (early, "answered 200 before it had the whole request"),
    "no answer": (gone, "closed without an answer"),
    "a reset": (reset, "reset by peer|Broken pipe|without an answer"),
    "no HTTP": (answering(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), "the answer is no HTTP"),
    "a body that breaks off": (
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nreceipt"),
        "no HTTP: ",
    ),
}


@pytest.mark.parametrize(("script", "told"), BAD.values(), ids=BAD)
def test_c03_an_answer_that_is_none_is_cut_and_told(script: Script, told: str) -> None:
    options = Http(answer_within=timedelta(seconds=1))
    with serving(script) as server, pytest.raises(Unreachable, match=told) as caught:
        posted(server, options, b"x" * 20_000_000 if script in (early, reset) else BODY)
    assert str(caught.value).startswith(f"http://localhost:{server.port}: ")


def test_c03_who_takes_the_request_too_slowly_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "GRACE_S", 0.2)
    monkeypatch.setattr(http, "PACE", 1 << 30)
    stop = threading.Event()

    def script(line: Line) -> None:
        line.read_head()
        assert stop.wait(20)

    with serving(script) as server:
        with pytest.raises(Unreachable, match=r"\d+ of 50000000 bytes were taken in \d+ s"):
            posted(server, body=b"x" * 50_000_000)
        stop.set()


def test_c03_what_a_refusal_says_is_read_no_further_than_it_tells() -> None:
    head = b"HTTP/1.1 404 Not Found\r\nContent-Encoding: gzip\r\nContent-Length: 10737418240\r\n\r\n"
    with serving(forever(b"x" * 65536, head)) as server:
        assert posted(server)[::2] == (404, b"")


@pytest.fixture
def shut() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return port


def test_nobody_there_is_told_with_where_and_why_but_no_path(shut: int) -> None:
    for url, told in [
        (f"http://127.0.0.1:{shut}/secret", f"http://127.0.0.1:{shut}: Connection refused"),
        ("https://nobody.invalid/secret", "https://nobody.invalid:443: "),
    ]:
        with pytest.raises(Unreachable) as caught:
            channels.post(As2(id="PEER", url=url), HEADERS, io.BytesIO(BODY))
        assert str(caught.value).startswith(told)
        assert "secret" not in str(caught.value)


# What becomes of a transmission.


def listed(name: str, url: str, *http_keys: str, as2_keys: str = "", mdn: str = "sync") -> str:
    """The tables of a partner to whom nothing is signed or encrypted."""
    tables = partner(
        name, name.upper(), ("ZZ", name.upper()), url=url, sign="none", encrypt="none", mdn=mdn
    ).replace(f'url = "{url}"', f'url = "{url}"\n{as2_keys}')
    return tables + "\n".join([f"[partner.{name}.as2.http]", *http_keys, "", ""])


def certified(gateway: Gateway, *names: str) -> None:
    """Certificates for partners that use none."""
    for name in names:
        (gateway.home / "certs" / f"{name}.crt").write_bytes((gateway.home / "certs" / "us.crt").read_bytes())


def test_c02_what_may_pass_is_tried_again_with_its_cause_shown_and_what_will_not_is_a_dead_letter(
    trust: Trust, tmp_path: Path
) -> None:
    challenge = made("401 Unauthorized", 'WWW-Authenticate: Basic realm="AS2"')
    with (
        serving(answering()) as inside,
        serving(answering(made("302 Found", f"Location: {inside.url}"))) as moved,
        serving(answering(), trust.alone.server()) as mistrusted,
        serving(early) as hasty,
        serving(answering(challenge)) as challenging,
    ):
        gateway = home(
            tmp_path,
            listed("moved", moved.url),
            listed("mistrusted", mistrusted.url),
            listed("hasty", hasty.url),
            listed("challenging", challenging.url, 'user = "us"', 'password = "file:secrets/pw"'),
            listed("unset", challenging.url, 'user = "us"', 'password = "env:TRADELANE_NOT_SET"'),
        )
        certified(gateway, "moved", "mistrusted", "hasty", "challenging", "unset")
        secret(gateway.home / "secrets", "wrong").read()
        (gateway.home / "secrets" / "secret").rename(gateway.home / "secrets" / "pw")
        small, large = tmp_path / "small", tmp_path / "large"
        small.write_bytes(b"x")
        large.write_bytes(bytes(20_000_000))  # more than sockets hold, so that who answers early is seen to
        names = ("moved", "mistrusted", "hasty", "challenging", "unset")
        files = [(name, large if name == "hasty" else small) for name in names]
        sent = {name: gateway.must("send", name, file, "--json").json["transmission"] for name, file in files}

        def explained(one: str) -> tuple[object, ...] | None:
            found = gateway.must("doc", "explain", one, "--json").json
            return (found["status"], found["reason"], found["error"]) if found["error"] else None

        with running(gateway):
            told = {name: until(partial(explained, one), 40) for name, one in sent.items()}
    assert inside.connections == 0
    assert told == {
        "moved": (
            "queued",
            None,
            f"{moved.url} answered 302: it points to {inside.url}, which is not followed",
        ),
        "mistrusted": (
            "queued",
            None,
            f"https://localhost:{mistrusted.port}: their TLS certificate is not accepted: "
            "self-signed certificate",
        ),
        "hasty": (
            "queued",
            None,
            f"http://localhost:{hasty.port}: it answered 200 before it had the whole request",
        ),
        "challenging": (
            "failed",
            "PEER_REJECTED",
            f"{challenging.url} answered 401: the password of 'us' is not accepted; "
            'it asks for Basic realm="AS2"',
        ),
        "unset": ("queued", None, "SECRET-MISSING  the environment has no TRADELANE_NOT_SET"),
    }


def test_a_receipt_goes_to_another_port_of_theirs_that_is_listed_and_by_their_options(
    trust: Trust, tmp_path: Path
) -> None:
    with (
        serving(answering(), trust.alone.server()) as receipts,
        serving(answering(), trust.alone.server()) as others,
    ):
        gateway = home(
            tmp_path,
            listed(
                "waiting",
                "http://localhost:9/as2",
                'user = "us"',
                'password = "file:secrets/pw"',
                f'ca = "{trust.alone.cert}"',
                'transfer = "chunked"',
                as2_keys=f'receipt_urls = ["https://localhost:{receipts.port}/"]',
                mdn="async",
            ),
        )
        certified(gateway, "waiting")
        secret(gateway.home / "secrets", "pw")
        (gateway.home / "secrets" / "secret").rename(gateway.home / "secrets" / "pw")
        peer = Peer("WAITING", Company(tmp_path, "none"), gateway.home / "certs" / "us.crt")
        with running(gateway):
            for url, status in [(others.url, 400), (receipts.url, 204)]:
                message = peer.message(b"no EDI", sign=False, encrypt=False, receipt_url=url)
                assert post(gateway.as2, message).status == status
            until(lambda: receipts.lines and receipts.lines[0].body)
    assert others.connections == 0
    (line,) = receipts.lines
    assert line.header("Authorization") == "Basic dXM6cHc="
    assert line.header("Content-Length") == str(len(line.body))
    assert f"Original-Message-ID: {message.id}".encode() in line.body
