"""Trading with pyas2lib, in a process and a virtual environment of its own.

Set PYAS2LIB_PYTHON to the interpreter of an environment with pyas2lib 1.4.4.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from as2_peer import Company, Sent, build, company, open_message

from gateway import as2
from gateway.as2.message import MODERN_CIPHERS

pytestmark = pytest.mark.external("pyas2lib")

# pyas2lib asks the clock whether a certificate is valid, so these are valid now.
NOW = datetime.now(UTC).replace(microsecond=0)
WINDOW = (NOW - timedelta(days=1), NOW + timedelta(days=30))
PAYLOADS = [b"ISA*00~\r\nST*850*0001~\r\n", b"", b"x", b"ISA*0123456789~\r\n" * 60_000]


class Pyas2:
    """Questions to the peer's process."""

    def __init__(self, python: str, us: Company) -> None:
        self.company = company("PYAS2", valid=WINDOW)
        self._process = subprocess.Popen(
            [python, str(Path(__file__).with_name("pyas2_peer.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        theirs = self.company.key_pem + self.company.certificate_pem
        self._write({"theirs": encoded(theirs), "ours": encoded(us.certificate_pem)})

    def _write(self, value: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()

    def ask(self, do: str, **question: Any) -> dict[str, Any]:
        self._write({"do": do} | question)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the peer died"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait(timeout=30)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def raw(headers: list[tuple[str, str]], body: bytes) -> str:
    return encoded("".join(f"{name}: {value}\r\n" for name, value in headers).encode() + b"\r\n" + body)


def as_sent(answer: dict[str, Any]) -> Sent:
    return Sent([(name, value) for name, value in answer["headers"]], base64.b64decode(answer["body"]))


@pytest.fixture(scope="module")
def ours() -> Company:
    return company("Tradelane", valid=WINDOW)


@pytest.fixture(scope="module")
def pyas2(ours: Company) -> Iterator[Pyas2]:
    python = os.environ.get("PYAS2LIB_PYTHON")
    if not python:
        pytest.skip("needs PYAS2LIB_PYTHON, an interpreter that has pyas2lib")
    peer = Pyas2(python, ours)
    yield peer
    peer.close()


@pytest.mark.parametrize("receipt", [None, "unsigned", "sha-256", "sha512"])
@pytest.mark.parametrize("compress", ["none", "before-sign", "after-sign"])
def test_pyas2lib_opens_what_we_send_and_its_receipt_proves_delivery(
    ours: Company, pyas2: Pyas2, receipt: str | None, compress: as2.Compression
) -> None:
    theirs = pyas2.company.certificate
    for payload, sign, cipher in itertools.product(
        PAYLOADS, (None, "sha256"), (None, "aes128-cbc", "aes256-cbc")
    ):
        asked = None
        if receipt:
            asked = as2.ReceiptRequest(signed=receipt != "unsigned", micalgs=(receipt,))
        sent = build(
            payload, as2_from="TRADELANE", as2_to="PYAS2", now=NOW, compress=compress, receipt=asked,
            sign=as2.Signing(ours.identity, sign) if sign else None,
            encrypt=as2.Encryption((theirs,), cipher) if cipher else None,
        )  # fmt: skip
        answer = pyas2.ask("receive", raw=raw(sent.headers, sent.body))
        assert answer["status"] == "processed", answer
        assert base64.b64decode(answer["payload"]) == payload
        if asked:
            expected = as2.Expected(
                "<1@sender>", "TRADELANE", "PYAS2", sent.mics, as2.Trust((theirs,)), signed=asked.signed
            )
            mdn = as_sent(answer)
            judged = as2.parse_receipt(mdn.headers, mdn.body, expected=expected, now=NOW)
            assert bool(judged.signed_with) == asked.signed
            if sign:
                assert judged.mic_match, judged.error
            if asked.signed and not sign:
                # It signs no MIC for an unsigned message, and so proves nothing about the content.
                assert judged.error == "no Received-Content-MIC"
            else:
                assert judged.status is as2.ReceiptStatus.DELIVERED, judged.error


@pytest.mark.parametrize("receipt", [None, "unsigned", "sha256", "sha512"])
@pytest.mark.parametrize("cipher", [None, "aes_128_cbc", "aes_256_cbc", "tripledes_192_cbc"])
def test_we_open_what_pyas2lib_sends_and_it_accepts_our_receipt(
    ours: Company, pyas2: Pyas2, receipt: str | None, cipher: str | None
) -> None:
    for payload, sign, compress in itertools.product(PAYLOADS, (False, True), (False, True)):
        options: dict[str, Any] = {"sign": sign, "encrypt": bool(cipher), "compress": compress}
        if cipher:
            options["enc_alg"] = cipher
        if receipt:
            options |= {"mdn_mode": "SYNC", "mdn_digest_alg": None if receipt == "unsigned" else receipt}
        answer = pyas2.ask("build", payload=encoded(payload), options=options)
        sent = as_sent(answer)
        policy = as2.Policy(
            (ours.identity,),
            as2.Trust((pyas2.company.certificate,)),
            require_signed=sign,
            require_encrypted=bool(cipher),
            ciphers=MODERN_CIPHERS | {"3des"},
        )
        opened, delivered = open_message(sent, policy, now=NOW)
        assert delivered == payload
        assert opened.filename == "a b.edi"
        if receipt:
            built = as2.build_receipt(
                as2.parse_request_headers(sent.headers), as2.Outcome.accepted(opened),
                signing=as2.Signing(ours.identity), message_id="<r@us>", now=NOW,
            )  # fmt: skip
            judged = pyas2.ask("receipt", raw=raw(built.headers, built.body), id=answer["id"])
            assert judged["status"] == "processed", judged
