"""AS2 reliability (draft-duker-as2-reliability; R1 to R4, H8, H9), by the engine's own jobs."""

from __future__ import annotations

import email
import io
import shutil
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from as2_sending import (
    AT_ONCE,
    Script,
    Sender,
    bring,
    header,
    home_of,
    receipt,
    relation,
    sending,
    status,
)
from peers import Answer, Company, Endpoint, Headers, Peer, endpoint, post
from serving import Gateway, interchange, order, partner, until

from gateway.config import toml
from gateway.errors import Code, Failure
from gateway.pipeline import limits, replay
from gateway.pipeline.dispatch import dispatch

_payloads = count(1)


def payload() -> bytes:
    """A content that no other test sends."""
    return f"not EDI, and sent as it is: {next(_payloads)}".encode() * 50


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    return Company.made(tmp_path_factory.mktemp("theirs"), "bigmart")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, company: Company) -> Path:
    """A home whose partners a test writes anew."""
    return home_of(tmp_path_factory.mktemp("template"), company)


@pytest.fixture
def made_home(tmp_path: Path, template: Path) -> Callable[..., Path]:
    """Makes a home with these tables of bigmart's AS2 relation added."""

    def make(url: str, *more: str) -> Path:
        shutil.copytree(template, tmp_path / "home")
        file = tmp_path / "home" / "partners.toml"
        file.write_text(file.read_text() + relation("bigmart", "BIGMARTEDI", url, more=more))
        return tmp_path / "home"

    return make


def peer_of(home: Path, company: Company) -> Peer:
    return Peer("BIGMARTEDI", company, home / "certs" / "us.crt")


# Retry: no answer, or one that may be another later.


class Fault:
    """A partner whose first answers are no answers; then it is `whole`."""

    def __init__(self, whole: Callable[[Headers, bytes], Answer], faults: list[Callable[..., None]]) -> None:
        self.script = Script([whole])
        self.faults = faults
        self.requests: list[bytes] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}/as2"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                data = read_request(connection)
                if data is None:
                    continue
                self.requests.append(data)
                if self.faults:
                    self.faults.pop(0)(connection)
                    continue
                head, _, body = data.partition(b"\r\n\r\n")
                lines = [line.partition(": ") for line in head.decode("latin-1").split("\r\n")[1:]]
                connection.sendall(written(self.script([(name, value) for name, _, value in lines], body)))

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for the next connection
        self._server.close()
        self._thread.join(5)


def read_request(connection: socket.socket) -> bytes | None:
    """A request with its Content-Length; None when it breaks off."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := connection.recv(65536)):
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        if not (more := connection.recv(65536)):
            return None
        body += more
    return head + b"\r\n\r\n" + body


def written(answer: Answer) -> bytes:
    """An answer as bytes."""
    lines = [f"HTTP/1.1 {answer.status} Answer", f"Content-Length: {len(answer.body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body


def reset(connection: socket.socket) -> None:
    """Break the connection as a crash does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silence(connection: socket.socket) -> None:
    """Say nothing until the other gives up."""
    connection.settimeout(20)
    while connection.recv(65536):
        pass


def half_an_answer(connection: socket.socket) -> None:
    """A receipt that is cut in the middle."""
    connection.sendall(written(Answer(200, [("Content-Type", "multipart/report")], b"x" * 500))[:-250])


RETRIED = [408, 425, 429, 500, 502, 503, 504]
REFUSED = [400, 401, 403, 404, 405, 413, 415]


@pytest.mark.parametrize("code", RETRIED)
def test_r1_g08_h8_a_status_that_may_pass_is_retried_with_the_same_bytes_id_and_date(
    made_home: Callable[..., Path], company: Company, code: int
) -> None:
    script = Script([status(code), status(code)])
    with endpoint(script) as url:
        home = made_home(url.url, AT_ONCE)
        script.answers.append(receipt(peer_of(home, company)))
        with sending(home, listen=False) as sender:
            identity = sender.send(payload())
            row = sender.comes_to(identity, "delivered", "failed")
    assert (row.status, row.mic_match) == ("delivered", 1)
    assert len(script.seen) == 3
    first = script.seen[0]
    assert header(first[0], "Message-ID") == row.message_id
    assert header(first[0], "Date")
    assert all(again == first for again in script.seen)


@pytest.mark.parametrize("fault", [reset, silence, half_an_answer], ids=lambda fault: fault.__name__)
def test_r1_g08_no_whole_answer_is_retried_with_the_same_bytes(
    made_home: Callable[..., Path], company: Company, fault: Callable[..., None]
) -> None:
    partner = Fault(status(500), [fault, fault])
    home = made_home(partner.url, AT_ONCE, 'http = { answer_within = "1s" }')
    partner.script.answers = [receipt(peer_of(home, company))]
    with sending(home, listen=False) as sender:
        identity = sender.send(payload())
        row = sender.comes_to(identity, "delivered", "failed")
    partner.close()
    assert (row.status, row.mic_match) == ("delivered", 1)
    assert len(partner.requests) == 3
    assert len(set(partner.requests)) == 1


@pytest.mark.parametrize("code", REFUSED)
def test_r1_g08_any_other_4xx_is_final_after_one_attempt(made_home: Callable[..., Path], code: int) -> None:
    with endpoint(script := Script([status(code)])) as url:
        home = made_home(url.url, AT_ONCE)
        with sending(home, listen=False) as sender:
            identity = sender.send(data := payload())
            row = sender.comes_to(identity, "delivered", "failed")
            assert row.reason == "PEER_REJECTED"
            assert str(code) in row.error
            assert sender.payload(row) == data
    assert len(script.seen) == 1


@pytest.mark.parametrize(
    "disposition", ["processed/error: decryption-failed", "failed/failure: unsupported format"]
)
def test_r1_g08_a_signed_refusal_is_final_after_one_attempt(
    made_home: Callable[..., Path], company: Company, disposition: str
) -> None:
    script = Script()
    with endpoint(script) as url:
        home = made_home(url.url, AT_ONCE)
        script.answers = [receipt(peer_of(home, company), disposition=disposition)]
        with sending(home, listen=False) as sender:
            row = sender.comes_to(sender.send(payload()), "delivered", "failed")
    assert row.reason == "PEER_REJECTED"
    assert row.disposition.endswith(disposition)
    assert len(script.seen) == 1


def test_r1_g08_a_refusal_that_nobody_signed_is_no_receipt_and_the_message_is_sent_again(
    made_home: Callable[..., Path], company: Company
) -> None:
    script = Script()
    with endpoint(script) as url:
        home = made_home(url.url, AT_ONCE)
        peer = peer_of(home, company)
        unsigned = receipt(peer, sign=False, disposition="failed/failure: unsupported format")
        script.answers = [unsigned, receipt(peer)]
        with sending(home, listen=False) as sender:
            row = sender.comes_to(sender.send(payload()), "delivered", "failed")
    assert row.status == "delivered"
    assert len(script.seen) == 2
    assert script.seen[0] == script.seen[1]


def test_r2_g08_after_the_last_attempt_it_is_a_dead_letter_with_the_original_bytes(
    made_home: Callable[..., Path],
) -> None:
    with endpoint(script := Script([status(503)])) as url:
        home = made_home(url.url, AT_ONCE.replace("8", "3"))
        with sending(home, listen=False) as sender:
            identity = sender.send(data := payload())
            row = sender.comes_to(identity, "failed")
            assert sender.dead(identity) == ["DELIVERY_EXHAUSTED"]
            assert "after 3 attempts" in row.error
            assert sender.payload(row) == data
    assert len(script.seen) == 3


def test_r2_g08_a_restart_does_not_give_new_attempts(made_home: Callable[..., Path]) -> None:
    with endpoint(script := Script([status(503)])) as url:
        home = made_home(url.url, 'retry = { attempts = 3, first = "1h", factor = 1.0, max = "1h" }')
        with sending(home, listen=False) as sender:
            identity = sender.send(payload())
            until(lambda: len(script.seen) == 1 and sender.waits_s() > 60)
        for attempts in (2, 3):
            with sending(home, listen=False) as sender:
                assert replay.resend(sender.home, identity) == identity
                until(lambda: len(script.seen) == attempts)  # noqa: B023 - asked at once
                if attempts == 2:
                    until(lambda: sender.waits_s() > 60)
                else:
                    sender.comes_to(identity, "failed")
                    assert sender.dead(identity) == ["DELIVERY_EXHAUSTED"]
    assert len(script.seen) == 3


def test_r2_a_message_is_given_up_by_its_age_whatever_attempts_are_left(
    made_home: Callable[..., Path],
) -> None:
    with endpoint(script := Script([status(503)])) as url:
        old = 'retry = { attempts = 100, first = "0s", factor = 1.0, max = "0s", give_up_after = "0s" }'
        with sending(made_home(url.url, old), listen=False) as sender:
            identity = sender.send(payload())
            sender.comes_to(identity, "failed")
            assert sender.dead(identity) == ["DELIVERY_EXHAUSTED"]
    assert len(script.seen) == 1


def test_r2_the_waits_grow_to_their_bound_and_differ(made_home: Callable[..., Path]) -> None:
    waits = []
    with endpoint(script := Script([status(503)])) as url:
        home = made_home(url.url, 'retry = { attempts = 9, first = "100s", factor = 2.0, max = "400s" }')
        with sending(home, listen=False) as sender:
            identity = sender.send(payload())
            for attempts in range(1, 6):
                until(lambda: len(script.seen) == attempts)  # noqa: B023 - asked at once
                waits.append(sender.waits_s())
                replay.resend(sender.home, identity)
    for waited, meant in zip(waits, [100, 200, 400, 400, 400], strict=True):
        assert meant * 0.75 < waited <= meant * 1.2
    assert len({round(wait, 3) for wait in waits[2:]}) == 3


IN_50_MINUTES = "a date in 50 minutes"


@pytest.mark.parametrize(
    ("asked", "first", "least", "most"),
    [
        ("1800", "0s", 1700, 1800),
        (IN_50_MINUTES, "0s", 2700, 3000),
        ("999999999999", "0s", 7100, 7200),
        ("3", "1h", 2800, 4320),
        ("soon", "100s", 79, 120),
        (f"Mon, 01 Jan 2035 00:00:00 +{'9' * 20}", "100s", 79, 120),
        ("-5", "100s", 79, 120),
    ],
    ids=[
        "seconds", "a date", "more than our longest wait", "less than our own wait", "words",
        "an endless zone", "negative",
    ],
)  # fmt: skip
def test_r2_g08_retry_after_is_honoured_within_bounds(
    made_home: Callable[..., Path], asked: str, first: str, least: int, most: int
) -> None:
    if asked == IN_50_MINUTES:
        asked = format_datetime(datetime.now(UTC) + timedelta(minutes=50), usegmt=True)
    with endpoint(Script([status(503, ("Retry-After", asked))])) as url:
        home = made_home(url.url, f'retry = {{ attempts = 9, first = "{first}", factor = 1.0, max = "2h" }}')
        with sending(home, listen=False) as sender:
            sender.send(payload())
            assert least < sender.waits_s() <= most


@pytest.mark.parametrize("code", [100, 102, 103])
def test_r4_an_interim_answer_is_passed_over(
    made_home: Callable[..., Path], company: Company, code: int
) -> None:
    interim = f"HTTP/1.1 {code} Wait\r\nX-Note: 1\r\n\r\n".encode()
    partner = Fault(status(500), [])
    home = made_home(partner.url, AT_ONCE)
    final = receipt(peer_of(home, company))

    def twice(connection: socket.socket) -> None:
        head, _, body = partner.requests[-1].partition(b"\r\n\r\n")
        lines = [line.partition(": ") for line in head.decode("latin-1").split("\r\n")[1:]]
        answer = final([(name, value) for name, _, value in lines], body)
        connection.sendall(interim + interim + written(answer))

    partner.faults = [twice]
    with sending(home, listen=False) as sender:
        row = sender.comes_to(sender.send(payload()), "delivered", "failed")
    partner.close()
    assert row.status == "delivered"
    assert len(partner.requests) == 1


# Resend: taken, and no receipt in time.

ASYNC_NOW = 'mdn = { mode = "async", due = "0s" }'
ASYNC = 'mdn = { mode = "async", due = "1h" }'


def test_r1_without_a_receipt_in_time_the_same_message_is_sent_again_until_it_comes(
    made_home: Callable[..., Path], company: Company
) -> None:
    with endpoint(script := Script([status(204)])) as url:
        home = made_home(url.url, ASYNC_NOW, AT_ONCE.replace("8", "50"))
        with sending(home) as sender:
            identity = sender.send(payload())
            until(lambda: len(script.seen) >= 3)
            bring(sender, peer_of(home, company).receipt_for(*script.seen[0]))
            row = sender.comes_to(identity, "delivered")
    assert row.mic_match == 1
    assert all(again == script.seen[0] for again in script.seen)
    assert ("resent", "order.txt to bigmart: no receipt in time") in sender_events(home, identity)


def sender_events(home: Path, identity: str) -> list[tuple[str, str]]:
    with sending(home, listen=False) as sender:
        return sender.events(identity)


def test_r1_where_a_partner_wants_a_new_id_for_a_resend_the_receipt_for_any_of_them_counts(
    made_home: Callable[..., Path], company: Company
) -> None:
    with endpoint(script := Script([status(204)])) as url:
        home = made_home(url.url, 'resend_id = "new"', ASYNC_NOW, AT_ONCE.replace("8", "50"))
        with sending(home) as sender:
            identity = sender.send(payload())
            until(lambda: len(script.seen) >= 3)
            first, second = script.seen[:2]
            ids = {header(headers, "Message-ID") for headers, _ in script.seen[:3]}
            assert len(ids) == 3
            assert second[1] == first[1]
            bring(sender, peer_of(home, company).receipt_for(*second))
            row = sender.comes_to(identity, "delivered")
            assert row.mic_match == 1
            bring(sender, peer_of(home, company).receipt_for(*first))
            assert sender.events(identity)[-1][0] == "duplicate"


def test_r1_a_synchronous_answer_without_a_receipt_is_a_resend_too(
    made_home: Callable[..., Path], company: Company
) -> None:
    script = Script()
    with endpoint(script) as url:
        home = made_home(url.url, 'resend_id = "new"', AT_ONCE)
        script.answers = [status(200), receipt(peer_of(home, company))]
        with sending(home, listen=False) as sender:
            row = sender.comes_to(sender.send(payload()), "delivered", "failed")
    assert row.status == "delivered"
    before, after = (header(headers, "Message-ID") for headers, _ in script.seen)
    assert before != after == row.message_id
    assert script.seen[0][1] == script.seen[1][1]


def test_r1_a_receipt_that_never_comes_ends_in_mdn_timeout_and_one_that_is_late_reconciles(
    made_home: Callable[..., Path], company: Company
) -> None:
    with endpoint(script := Script([status(204)])) as url:
        home = made_home(url.url, ASYNC_NOW, AT_ONCE.replace("8", "2"))
        peer = peer_of(home, company)
        with sending(home) as sender:
            identity = sender.send(payload())
            sender.comes_to(identity, "failed")
            assert sender.dead(identity) == ["MDN_TIMEOUT"]
            assert len(script.seen) == 2
            assert bring(sender, peer.receipt_for(*script.seen[0])) == 204
            row = sender.comes_to(identity, "delivered")
            assert (row.reason, row.error, row.mic_match) == (None, None, 1)
            assert sender.dead(identity) == []
            name, text = sender.events(identity)[-1]
            assert name == "receipt"
            assert "reconciled after timeout: signed receipt, MIC equal: processed" in text
            later = peer.receipt_for(*script.seen[0], disposition="processed/error: decryption-failed")
            bring(sender, later)
            assert sender.row(identity) == row
            assert sender.events(identity)[-1][0] == "duplicate"


def test_r1_a_late_refusal_says_what_it_says(made_home: Callable[..., Path], company: Company) -> None:
    with endpoint(script := Script([status(204)])) as url:
        home = made_home(url.url, ASYNC_NOW, AT_ONCE.replace("8", "1"))
        with sending(home) as sender:
            identity = sender.send(payload())
            sender.comes_to(identity, "failed")
            refusal = "processed/error: insufficient-message-security"
            bring(sender, peer_of(home, company).receipt_for(*script.seen[0], disposition=refusal))
            row = until(lambda: row if (row := sender.row(identity)).disposition else None)
            assert (row.status, row.reason) == ("failed", "PEER_REJECTED")
            assert "reconciled after timeout: PEER_REJECTED" in sender.events(identity)[-1][1]


def test_r1_a_receipt_after_the_attempts_were_exhausted_reconciles(
    made_home: Callable[..., Path], company: Company
) -> None:
    with endpoint(script := Script([status(503)])) as url:
        home = made_home(url.url, ASYNC, AT_ONCE.replace("8", "1"))
        with sending(home) as sender:
            identity = sender.send(payload())
            sender.comes_to(identity, "failed")
            assert sender.dead(identity) == ["DELIVERY_EXHAUSTED"]
            bring(sender, peer_of(home, company).receipt_for(*script.seen[0]))
            sender.comes_to(identity, "delivered")


@pytest.mark.parametrize("before", [0, 1], ids=["to the message", "to its resend"])
def test_r1_a_receipt_before_the_answer_is_right(
    made_home: Callable[..., Path], company: Company, before: int
) -> None:
    home_as2: list[Sender] = []
    peer: list[Peer] = []

    def early(headers: Headers, body: bytes) -> Answer:
        assert bring(home_as2[0], peer[0].receipt_for(headers, body)) == 204
        return Answer(204, [], b"")

    with endpoint(script := Script([*[status(204)] * before, early])) as url:
        home = made_home(url.url, ASYNC_NOW, AT_ONCE)
        peer.append(peer_of(home, company))
        with sending(home) as sender:
            home_as2.append(sender)
            identity = sender.send(payload())
            sender.comes_to(identity, "delivered")
            follows = sender.send(payload())  # the lane goes on
            sender.comes_to(follows, "delivered")
    assert len(script.seen) == 2 + before


def test_r1_a_receipt_ends_the_wait_for_the_next_attempt_and_lets_the_lane_go_on(
    made_home: Callable[..., Path], company: Company
) -> None:
    script = Script([status(503), status(204)])
    with endpoint(script) as url:
        home = made_home(url.url, ASYNC, 'retry = { attempts = 9, first = "2h", max = "2h" }')
        with sending(home) as sender:
            identity = sender.send(payload())
            until(lambda: len(script.seen) == 1 and sender.waits_s() > 60)
            behind = sender.send(payload())
            bring(sender, peer_of(home, company).receipt_for(*script.seen[0]))
            sender.comes_to(identity, "delivered")
            sender.comes_to(behind, "sent")
    assert len(script.seen) == 2


def test_r1_a_receipt_cancels_its_deadline_with_what_it_records(
    made_home: Callable[..., Path], company: Company
) -> None:
    with endpoint(script := Script([status(204)])) as url:
        home = made_home(url.url, ASYNC, AT_ONCE)
        with sending(home) as sender:
            identity = sender.send(payload())
            sender.comes_to(identity, "sent")
            assert sender.waits_s(way="due") > 60
            bring(sender, peer_of(home, company).receipt_for(*script.seen[0]))
            sender.comes_to(identity, "delivered")
            with sender.home.store.read() as conn:
                (lane,) = [one for one in sender.home.engine.lanes(conn) if one.id == "bigmart:due"]
            assert (lane.ready, lane.running, lane.dead) == (0, 0, 0)


def test_r1_the_deadline_of_a_receipt_outlives_the_process(
    made_home: Callable[..., Path], company: Company
) -> None:
    with endpoint(script := Script([status(204)])) as url:
        home = made_home(url.url, 'mdn = { mode = "async", due = "1s" }', AT_ONCE)
        with sending(home) as sender:
            identity = sender.send(payload())
            sender.comes_to(identity, "sent")
        with sending(home) as sender:
            until(lambda: len(script.seen) >= 2)
            bring(sender, peer_of(home, company).receipt_for(*script.seen[0]))
            sender.comes_to(identity, "delivered")


# What an operator may ask for.


def test_r1_resend_sends_the_same_message_now(made_home: Callable[..., Path], company: Company) -> None:
    with endpoint(script := Script([status(204)])) as url:
        home = made_home(url.url, ASYNC, AT_ONCE)
        with sending(home) as sender:
            identity = sender.send(payload())
            sender.comes_to(identity, "sent")
            assert replay.resend(sender.home, identity, dry_run=True) == identity
            assert replay.resend(sender.home, identity) == identity
            until(lambda: len(script.seen) == 2)
            sender.comes_to(identity, "sent")
            assert script.seen[1] == script.seen[0]
            bring(sender, peer_of(home, company).receipt_for(*script.seen[0]))
            sender.comes_to(identity, "delivered")
            with pytest.raises(Failure) as refused:
                replay.resend(sender.home, identity)
            assert refused.value.code is Code.NOT_RESENT
            assert refused.value.next == f"tradelane doc resubmit {identity}"
            with sender.home.store.read() as conn:
                (lane,) = [one for one in sender.home.engine.lanes(conn) if one.id == "bigmart:due"]
            assert lane.ready == 0


def test_r1_resubmit_sends_the_same_content_as_a_new_message_and_keeps_the_old_one(
    made_home: Callable[..., Path], company: Company
) -> None:
    script = Script()
    with endpoint(script) as url:
        home = made_home(url.url, AT_ONCE)
        peer = peer_of(home, company)
        script.answers = [receipt(peer)]
        with sending(home, listen=False) as sender:
            identity = sender.send(data := payload())
            before = sender.comes_to(identity, "delivered")
            assert replay.resubmit(sender.home, identity, dry_run=True) == (identity, None)
            former, new = replay.resubmit(sender.home, identity)
            assert former == identity
            assert new is not None
            after = sender.comes_to(new, "delivered")
            assert sender.row(identity) == before
            assert sender.events(identity)[-1][0] == "resubmitted"
            assert identity in sender.events(new)[0][1]
    assert len(script.seen) == 2
    assert header(script.seen[1][0], "Message-ID") == after.message_id != before.message_id
    assert [peer.open(*seen).payload for seen in script.seen] == [data, data]


def test_r1_resubmit_builds_the_message_anew_by_what_is_agreed_now(
    made_home: Callable[..., Path], company: Company
) -> None:
    script = Script()
    with endpoint(script) as url:
        home = made_home(url.url, AT_ONCE, 'encrypt = "none"')
        peer = peer_of(home, company)
        script.answers = [
            receipt(peer, disposition="processed/error: insufficient-message-security"),
            receipt(peer),
        ]
        with sending(home, listen=False) as sender:
            identity = sender.send(data := payload())
            sender.comes_to(identity, "failed")
            file = home / "partners.toml"
            toml.replace(file, file.read_bytes().replace(b'encrypt = "none"', b'encrypt = "aes256-cbc"'))
            assert sender.home.reload()
            _, new = replay.resubmit(sender.home, identity)
            assert new is not None
            sender.comes_to(new, "delivered")
            assert sender.row(identity).status == "resubmitted"
    kinds = [header(headers, "Content-Type").partition(";")[0] for headers, _ in script.seen]
    assert kinds == ["multipart/signed", "application/pkcs7-mime"]
    assert peer.open(*script.seen[1]).payload == data


def test_r1_resubmit_sends_the_attachments_too(made_home: Callable[..., Path], company: Company) -> None:
    script = Script()
    with endpoint(script) as url:
        home = made_home(url.url, AT_ONCE, "attachments = true")
        peer = peer_of(home, company)
        script.answers = [receipt(peer)]
        with sending(home, listen=False) as sender:
            identity = dispatch(
                sender.home,
                sender.home.config.partner("bigmart"),
                io.BytesIO(data := payload()),
                filename="order.txt",
                attachments=[(io.BytesIO(b"scanned"), "scan.pdf")],
            )
            sender.comes_to(identity, "delivered")
            _, new = replay.resubmit(sender.home, identity)
            assert new is not None
            sender.comes_to(new, "delivered")
    for seen in script.seen:
        parts = email.message_from_bytes(peer.open(*seen).signed_part).get_payload()
        assert [part.get_filename() for part in parts] == ["order.txt", "scan.pdf"]
        assert [part.get_payload(decode=True) for part in parts] == [data, b"scanned"]


def test_r2_the_token_of_reliability_stands_in_messages_and_receipts(
    made_home: Callable[..., Path], company: Company
) -> None:
    script = Script()
    with endpoint(script) as url:
        home = made_home(url.url, AT_ONCE, "restart = true")
        peer = peer_of(home, company)
        script.answers = [receipt(peer)]
        with sending(home) as sender:
            sender.comes_to(sender.send(payload()), "delivered")
            told = post(sender.as2, peer.message(payload(), filename="theirs.txt"))
    assert header(script.seen[0][0], "EDIINT-Features") == "AS2-Reliability"
    assert told.header("EDIINT-Features") == "AS2-Reliability"


def test_r1_the_command_line_resends_and_resubmits(made_home: Callable[..., Path], company: Company) -> None:
    script = Script()
    with endpoint(script) as url:
        home = made_home(url.url, AT_ONCE)
        script.answers = [receipt(peer_of(home, company))]
        gateway = Gateway(home)
        with sending(home, listen=False) as sender:
            identity = sender.send(payload())
            message_id = sender.comes_to(identity, "delivered").message_id
            refused = gateway.run("doc", "resend", identity)
            assert refused.exit == 8
            assert f"tradelane doc resubmit {identity}" in refused.err
            rehearsed = gateway.must("doc", "resubmit", identity, "--dry-run", "--json").json
            assert rehearsed == {
                "id": identity, "former": identity, "transmission": None, "message_id": None
            }  # fmt: skip
            anew = gateway.must("doc", "resubmit", identity, "--json").json
            sender.comes_to(anew["transmission"], "delivered")
            assert anew["message_id"] != message_id
            assert gateway.run("doc", "resubmit", "nothing").exit == 3
            script.answers = [status(503)]
            second = sender.send(payload())
            until(lambda: sender.row(second).status in {"queued", "failed"} and len(script.seen) > 2)
            assert gateway.must("doc", "resend", second, "--json", "--dry-run").json["resent"] is False
            assert gateway.must("doc", "resend", second, "--json").json["resent"] is True


def test_r1_what_was_given_up_and_resubmitted_waits_for_nobody_and_its_late_receipt_counts(
    made_home: Callable[..., Path], company: Company
) -> None:
    with endpoint(script := Script([status(204)])) as url:
        home = made_home(url.url, ASYNC, AT_ONCE)
        with sending(home) as sender:
            identity = sender.send(payload())
            sender.comes_to(identity, "sent")
            _, new = replay.resubmit(sender.home, identity)
            assert new is not None
            assert sender.row(identity).status == "resubmitted"
            explained = Gateway(home).must("doc", "explain", identity, "--json").json
            assert (explained["status"], explained["next"].split(":")[0]) == ("resubmitted", "nothing")
            assert sender.dead(identity) == []
            with pytest.raises(Failure):
                replay.resend(sender.home, identity)
            sender.comes_to(new, "sent")
            bring(sender, peer_of(home, company).receipt_for(*script.seen[0]))
            sender.comes_to(identity, "delivered")
            assert sender.row(new).status == "sent"


def test_r1_what_has_yet_to_leave_is_not_resubmitted(made_home: Callable[..., Path]) -> None:
    with endpoint(script := Script([status(503)])) as url:
        home = made_home(url.url, 'retry = { attempts = 9, first = "2h", max = "2h" }')
        with sending(home, listen=False) as sender:
            identity = sender.send(payload())
            until(lambda: len(script.seen) == 1 and sender.waits_s() > 60)
            with pytest.raises(Failure) as refused:
                replay.resubmit(sender.home, identity)
            assert refused.value.next == f"tradelane doc resend {identity}"


# The receiving side: once for the backend, one answer for the sender.


@pytest.fixture(scope="module")
def receiving(
    tmp_path_factory: pytest.TempPathFactory, company: Company
) -> Iterator[tuple[Sender, Peer, Endpoint]]:
    """A gateway that receives from bigmart, and bigmart's URL for receipts."""
    folder = tmp_path_factory.mktemp("receiving")
    with endpoint() as url:
        table = partner("bigmart", "BIGMARTEDI", ("08", "9254110060"), url=url.url)
        home = home_of(folder, company, table)
        with sending(home) as sender:
            yield sender, peer_of(home, company), url


def ordered(number: str, control: int) -> bytes:
    return interchange(control, order(number))


def erp_has(sender: Sender, number: str) -> list[Path]:
    return [path for path in sender.home.erp.out.glob("*.json") if number.encode() in path.read_bytes()]


def answers(sender: Sender, control: int) -> list[Any]:
    from gateway import queries

    found = queries.documents(sender.home, type="997")
    return [one for one in found if one["direction"] == "out" and one["number"] == str(control)]


def test_r3_g05_h9_a_storm_of_one_message_is_one_delivery_one_997_and_one_receipt(
    receiving: tuple[Sender, Peer, Endpoint],
) -> None:
    sender, peer, _ = receiving
    message = peer.message(ordered("PO-STORM", 4001))
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda _: post(sender.as2, message), range(200)))
    assert {reply.status for reply in replies} == {200}
    assert len({reply.body for reply in replies}) == 1
    assert len({tuple(sorted(_told(reply))) for reply in replies}) == 1
    assert peer.read(replies[0]).disposition == "processed"
    until(lambda: erp_has(sender, "PO-STORM") and answers(sender, 4001))
    assert len(erp_has(sender, "PO-STORM")) == 1
    assert len(answers(sender, 4001)) == 1


def _told(reply: Answer) -> list[tuple[str, str]]:
    """The headers of the receipt, without those of the connection and the clock of the server."""
    return [pair for pair in reply.headers if pair[0].lower() not in {"date", "connection"}]


def test_r3_h9_an_asynchronous_receipt_is_the_same_bytes_each_time(
    receiving: tuple[Sender, Peer, Endpoint],
) -> None:
    sender, peer, url = receiving
    message = peer.message(ordered("PO-AGAIN", 4002), receipt_url=url.url)

    def posted() -> list[tuple[Headers, bytes]]:
        return [one for one in url.received if message.id.encode() in one[1]]

    for times in (1, 2, 3):
        assert post(sender.as2, message).status == 204
        until(lambda: len(posted()) == times)  # noqa: B023 - asked at once
    assert len({body for _, body in posted()}) == 1
    assert len({header(headers, "Message-ID") for headers, _ in posted()}) == 1
    until(lambda: erp_has(sender, "PO-AGAIN"))
    assert len(erp_has(sender, "PO-AGAIN")) == 1


def test_r3_g06_while_the_receipt_cannot_be_posted_repeats_do_not_queue_more_of_them(
    receiving: tuple[Sender, Peer, Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, peer, url = receiving
    down = threading.Event()
    down.set()
    monkeypatch.setattr(url, "answer", lambda *_: Answer(503 if down.is_set() else 204, [], b""))
    message = peer.message(ordered("PO-DOWN", 4003), receipt_url=url.url)

    def tried() -> int:
        return sum(message.id.encode() in body for _, body in url.received)

    post(sender.as2, message)
    until(lambda: tried() == 1 and sender.waits_s(way="receipt") >= 0)
    for _ in range(5):
        post(sender.as2, message)
    with sender.home.store.read() as conn:
        (lane,) = [one for one in sender.home.engine.lanes(conn) if one.id == "bigmart:receipt"]
    assert lane.ready + lane.running <= 1
    down.clear()
    post(sender.as2, message)

    def idle() -> bool:
        with sender.home.store.read() as conn:
            lanes = {one.id: one for one in sender.home.engine.lanes(conn)}
        return not lanes["bigmart:receipt"].ready and not lanes["bigmart:receipt"].running

    until(idle)
    bodies = [body for _, body in url.received if message.id.encode() in body]
    assert len(set(bodies)) == 1
    until(lambda: erp_has(sender, "PO-DOWN"))
    assert len(erp_has(sender, "PO-DOWN")) == 1


def test_r3_a_first_attempt_that_failed_does_not_block_the_next(
    receiving: tuple[Sender, Peer, Endpoint], tmp_path: Path
) -> None:
    sender, peer, _ = receiving
    wrong = peer.message(ordered("PO-RIGHT", 4004), signer=Company.made(tmp_path, "stranger"))
    assert peer.read(post(sender.as2, wrong)).disposition == "processed/error: decryption-failed"
    right = peer.message(ordered("PO-RIGHT", 4004), message_id=wrong.id)
    assert peer.read(post(sender.as2, right)).disposition == "processed"
    until(lambda: erp_has(sender, "PO-RIGHT"))
    other = peer.message(ordered("PO-WRONG", 4005), message_id=wrong.id)
    assert peer.read(post(sender.as2, other)).disposition == "processed/error: unexpected-processing-error"
    again = post(sender.as2, right)
    assert peer.read(again).disposition == "processed"
    assert len(erp_has(sender, "PO-RIGHT")) == 1
    assert erp_has(sender, "PO-WRONG") == []


def test_r3_while_the_first_still_runs_a_repeat_waits_and_then_is_told_to_come_again(
    receiving: tuple[Sender, Peer, Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, peer, _ = receiving
    message = peer.message(ordered("PO-SLOW", 4006))
    monkeypatch.setattr(limits, "WAIT_S", 0.2)
    go_on, held = threading.Event(), threading.Event()

    def hold(_conn: Any) -> None:
        held.set()
        go_on.wait(15)

    with ThreadPoolExecutor(3) as pool:
        slow = pool.submit(sender.home.store.write, hold)  # what is recorded waits in line behind it
        assert held.wait(5)
        two = [pool.submit(post, sender.as2, message) for _ in range(2)]
        try:
            (waited,) = until(lambda: [one for one in two if one.done()])
        finally:
            go_on.set()
        assert waited.result().status == 503
        assert int(waited.result().header("Retry-After") or 0) > 0
        (first,) = [one.result() for one in two if one is not waited]
        assert peer.read(first).disposition == "processed"
        slow.result()
    assert post(sender.as2, message).body == first.body
    until(lambda: erp_has(sender, "PO-SLOW"))
    assert len(erp_has(sender, "PO-SLOW")) == 1
