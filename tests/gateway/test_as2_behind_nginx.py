"""The AS2 listener behind the nginx of docs/examples/nginx.conf, over TLS."""

from __future__ import annotations

import io
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from peers import Company, Message, Peer, request
from servers import Signed, certificate
from serving import Gateway, made, partner, running, until
from test_contract_as2 import FOLLOWING, FRAMINGS, PLAIN

from gateway import channels
from gateway.config import As2, Http

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "nginx.conf"


@contextmanager
def nginx(folder: Path, tls: Signed, gateway: Gateway) -> Iterator[int]:
    """The example's server on a free port of loopback, in front of a gateway."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        pytest.skip("needs nginx")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    server = EXAMPLE.read_text()
    for old, new in [
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("listen [::]:443 ssl;", ""),
        ("/etc/ssl/edi.example.com.pem", str(tls.cert)),
        ("/etc/ssl/private/edi.example.com.key", str(tls.key)),
        ("http://127.0.0.1:4080", gateway.as2.removesuffix("/as2")),
    ]:
        assert old in server, old
        server = server.replace(old, new)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    top = f"pid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
    (folder / "nginx.conf").write_text(f"{top}http {{\naccess_log off;\n{paths}{server}}}\n")
    command = [program, "-p", folder, "-c", folder / "nginx.conf", "-g", "daemon off; master_process off;"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: listens(port))
            yield port
        finally:
            process.terminate()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def statuses(port: int, tls: Signed, data: bytes) -> list[int]:
    """The status of each answer until the connection ends or nothing more comes."""
    context = ssl.create_default_context(cafile=tls.cert)
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(data)
        answer = connection.makefile("rb").read()
    return [int(line.split()[1]) for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


@pytest.mark.external("nginx")
def test_a01_through_the_proxy_of_the_example_no_framing_is_more_than_one_request(tmp_path: Path) -> None:
    gateway = made(tmp_path, partner("plain", "PLAINMART", PLAIN, sign="none", encrypt="none"))
    shutil.copy(gateway.home / "certs" / "us.crt", gateway.home / "certs" / "plain.crt")
    tls = certificate(tmp_path, "tls", "subjectAltName=DNS:localhost")
    peer = Peer("PLAINMART", Company(tmp_path, "none"), gateway.home / "certs" / "us.crt")

    def message(body: bytes) -> Message:
        return peer.message(body, sign=False, encrypt=False, receipt=None)

    with running(gateway), nginx(tmp_path, tls, gateway) as port:
        url = f"https://localhost:{port}/as2"
        told = {}
        for name, rest in FRAMINGS.items():
            odd = message(b"")
            head = request(url, [*odd.headers, ("Content-Length", "0")], b"")
            head = head.replace(b"Content-Length: 0\r\nConnection: close\r\n\r\n", b"")
            last = FOLLOWING.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
            told[name] = (odd.id, statuses(port, tls, head + rest + last))
        received = [row["message_id"] for row in gateway.inbox()]
        for name, (identity, answers) in told.items():
            assert answers[0] in {204, 400, 501}, (name, answers)
            assert received.count(identity) == (answers[0] == 204), name
            assert answers[1:] in ([], [404]), "what follows is a request of its own, or none"
        good = message(b"no EDI, and taken")
        for options in (Http(ca=tls.cert, transfer="chunked", expect_continue=True), Http(ca=tls.cert)):
            relation = As2(id="NORTHWIND", url=url, http=options)
            assert channels.post(relation, good.headers, io.BytesIO(good.body)).status == 204
        elsewhere = As2(id="NORTHWIND", url=url + "/../healthz", http=Http(ca=tls.cert))
        assert channels.post(elsewhere, good.headers, io.BytesIO(good.body)).status == 404
