"""Certificates exchanged over AS2: behind an operator's yes, and two gateways that roll over on their own."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from peers import (
    Answer,
    Company,
    Headers,
    Message,
    Peer,
    endpoint,
    entity,
    enveloped,
    openssl,
    post,
    signed,
)
from rolling import DAY, NOW, PAYLOAD, Rolling, at, eventually, listed, ours, pair, rolling
from sqlalchemy import insert, select
from sqlalchemy import text as sql

from gateway import as2, queries
from gateway.as2 import cem
from gateway.cli import main
from gateway.config import Address, toml
from gateway.home import Home
from gateway.pipeline import dispatch, exchange
from gateway.server import start_engine
from gateway.store.lane_tables import job
from gateway.store.tables import certificate_exchange, event, transmission
from gateway.web import as2 as web_as2
from gateway.web.listener import Listener

pytestmark = pytest.mark.external("openssl")

BOTH = ("digitalSignature", "keyEncipherment")
MASKED = "processed/error: decryption-failed"


class Partner:
    """A partner that verifies, decrypts and answers by openssl, and keeps what exchanges it was sent."""

    def __init__(self, company: Company, us: Company) -> None:
        self.company = company
        self.peer = Peer("BIGMARTEDI", company, us.cert)
        self.exchanges: list[cem.Request | cem.Response] = []
        self.on_exchange: Callable[[], None] = lambda: None

    def answer(self, headers: Headers, body: bytes) -> Answer:
        opened = self.peer.open(headers, body)
        assert opened.verified
        head = opened.signed_part.partition(b"\r\n\r\n")[0].decode()
        content_type = next(
            line.partition(": ")[2] for line in head.split("\r\n") if line.startswith("Content-Type")
        )
        if exchange.is_exchange(content_type):
            self.on_exchange()
            self.exchanges.append(cem.read(cem.parts(content_type, opened.payload)))
        receipt = self.peer.receipt_for(headers, body)
        return Answer(200, receipt.headers, receipt.body)

    def message(
        self, content_type: str, payload: bytes, *, sign: bool = True, encrypt: bool = True
    ) -> Message:
        """A payload of any type as a message, signed and encrypted as agreed."""
        part = entity(payload, None, content_type)
        if not encrypt:
            head, _, body = signed(part, self.company).partition(b"\r\n\r\n")
            kind = head.decode().removeprefix("Content-Type: ")
            message = self.peer.message(b"").with_headers(content_type=kind, content_transfer_encoding=None)
            return message._replace(body=body, hashed=part)
        body = enveloped(signed(part, self.company) if sign else part, self.peer.gateway_cert)
        return self.peer.message(b"").with_headers()._replace(body=body, hashed=part)

    def asks(
        self,
        company: Company,
        usages: tuple[str, ...] = BOTH,
        *,
        request_id: str = "request-1@bigmart",
        sender: str = "BIGMARTEDI",
        url: str | None = None,
    ) -> cem.Payload:
        """The request to trust a certificate of its own."""
        certificate = as2.load_certificate(company.cert.read_bytes())
        trust = cem.trust(certificate, usages, respond_by=NOW + 9 * DAY, response_url=url)
        return cem.build_request(cem.Request(request_id, sender, (trust,)), NOW)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Company]:
    folder = tmp_path_factory.mktemp("pairs")
    return {name: pair(folder, name) for name in ("us", "us-next", "old", "new", "other")}


class World(Rolling):
    """The gateway, and the partner it trades with."""

    partner: Partner

    def run(self, *words: object) -> Result:
        """A command on the home, while the gateway runs."""
        return CliRunner().invoke(main, ["--home", str(self.root), *map(str, words)])

    def must(self, *words: object) -> Result:
        ran = self.run(*words)
        assert ran.exit_code == 0, ran.output
        return ran

    def receive(self, message: Message) -> Any:
        """Post a message of the partner's, which is accepted; its row once it was read."""
        answer = post(self.as2, message)
        assert self.partner.peer.read(answer).disposition == "processed"
        (row,) = eventually(
            lambda: [
                row for row in self.rows(direction="in", message_id=message.id) if row.status != "stored"
            ]
        )
        return row

    def asked(self, company: Company, usages: tuple[str, ...] = BOTH, **more: Any) -> Any:
        """Have the partner ask for a certificate to be trusted; the row of its message."""
        payload = self.partner.asks(company, usages, **more)
        return self.receive(self.partner.message(payload.content_type, payload.body))

    def exchanges(self) -> list[Any]:
        with self.home.store.read() as conn:
            return exchange.exchanges(conn)

    def jobs(self, kind: str) -> list[Any]:
        with self.home.store.read() as conn:
            return list(conn.execute(select(job).where(job.c.kind == kind)).all())

    def told(self, signer: Company) -> str:
        """The disposition of the receipt for a message signed by a key pair of the partner's."""
        message = self.partner.peer.message(b"x", filename=None, signer=signer)
        return self.partner.peer.read(post(self.as2, message)).disposition


@pytest.fixture
def world(tmp_path: Path, made: dict[str, Company]) -> Iterator[World]:
    partner = Partner(made["old"], made["us"])
    keys, certs = [ours(made["us"])], [listed(made["old"])]
    with rolling(tmp_path, keys, certs, partner.answer, World) as found:
        found.partner = partner
        yield found


def certs_of(world: World) -> list[dict[str, Any]]:
    """What partners.toml lists for the partner now, as it is written."""
    import tomllib

    tables = tomllib.loads((world.root / "partners.toml").read_text())
    found: list[dict[str, Any]] = tables["partner"]["bigmart"]["as2"]["certs"]
    return found


# What a partner asks.


def test_f4_a_request_waits_and_its_certificate_is_used_for_nothing(
    world: World, made: dict[str, Company]
) -> None:
    before = (world.root / "partners.toml").read_text()
    row = world.asked(made["new"])
    assert row.status == "done"
    (waiting,) = world.exchanges()
    assert (waiting.direction, waiting.status, waiting.usages) == ("in", "waiting", list(BOTH))
    assert waiting.transmission == row.id
    assert waiting.respond_by == NOW + 9 * DAY
    assert (world.root / "partners.toml").read_text() == before
    assert world.told(made["new"]) == MASKED
    assert world.sent()["status"] == "delivered"  # encrypted to the old one
    assert world.partner.exchanges == []  # nothing was answered
    (text,) = world.events("cem")
    assert text.startswith("bigmart asks us to trust certificate ")


def test_f4_an_accepted_certificate_verifies_before_the_partner_knows_that_it_was_accepted(
    world: World, made: dict[str, Company]
) -> None:
    world.asked(made["new"])
    seen: list[str] = []
    world.partner.on_exchange = lambda: seen.append(world.told(made["new"]))
    world.must("partner", "cem", "accept", "bigmart", "--encrypt-from", f"{NOW + 5 * DAY:%Y-%m-%d}")
    (response,) = eventually(lambda: world.partner.exchanges)
    assert seen == ["processed"]
    assert isinstance(response, cem.Response)
    assert response.request_id == "request-1@bigmart"
    assert response.sender == "NORTHWIND"
    certificate = as2.load_certificate(made["new"].cert.read_bytes())
    (verdict,) = response.verdicts
    assert verdict.status == cem.ACCEPTED
    assert verdict.serial == int.from_bytes(certificate.serial, "big")
    assert verdict.issuer == "CN=new"

    assert world.told(made["old"]) == "processed"  # both, until the operator takes the old one away
    old, new = certs_of(world)
    assert old == {"file": str(made["old"].cert)}
    assert new["encrypt_from"] == datetime.combine((NOW + 5 * DAY).date(), datetime.min.time(), NOW.tzinfo)
    file = world.root / new["file"]
    assert as2.load_certificate(file.read_bytes()) == certificate
    assert file.parent == world.root / "certs"
    assert list((world.root / "backups").iterdir())


@pytest.mark.parametrize("moment", ["before its day", "from its day on"])
def test_f4_messages_are_encrypted_to_an_accepted_certificate_from_the_day_that_was_said(
    world: World, made: dict[str, Company], moment: str
) -> None:
    world.asked(made["new"])
    world.must("partner", "cem", "accept", "bigmart", "--encrypt-from", f"{NOW + 5 * DAY:%Y-%m-%d}")
    eventually(lambda: world.partner.exchanges)
    later = moment == "from its day on"
    world.partner.peer = Peer("BIGMARTEDI", made["new" if later else "old"], made["us"].cert)
    world.now = NOW + (5 if later else 3) * DAY
    assert world.sent()["status"] == "delivered"
    assert world.rows(direction="out")[-1].supersedes is None


def test_f4_without_a_day_messages_are_encrypted_to_it_at_once(
    world: World, made: dict[str, Company]
) -> None:
    world.asked(made["new"])
    world.partner.peer = Peer("BIGMARTEDI", made["new"], made["us"].cert)  # so is the answer
    world.now = NOW + DAY
    world.must("partner", "cem", "accept", "bigmart")
    eventually(lambda: world.partner.exchanges)
    assert world.sent()["status"] == "delivered"


def test_f4_a_dry_run_shows_the_change_and_makes_none(world: World, made: dict[str, Company]) -> None:
    world.asked(made["new"])
    before = sorted(path.name for path in (world.root / "certs").iterdir())
    ran = world.must("partner", "cem", "accept", "bigmart", "--dry-run")
    assert '{ file = "certs/bigmart-' in ran.stdout
    assert sorted(path.name for path in (world.root / "certs").iterdir()) == before
    assert certs_of(world) == [{"file": str(made["old"].cert)}]
    assert [one.status for one in world.exchanges()] == ["waiting"]


def test_f4_a_refused_certificate_is_used_for_nothing_and_the_partner_is_told_why(
    world: World, made: dict[str, Company]
) -> None:
    world.asked(made["new"])
    world.must("partner", "cem", "reject", "bigmart", "--reason", "the fingerprint differs")
    (response,) = eventually(lambda: world.partner.exchanges)
    assert isinstance(response, cem.Response)
    (verdict,) = response.verdicts
    assert (verdict.status, verdict.reason) == (cem.REJECTED, "the fingerprint differs")
    assert world.told(made["new"]) == MASKED
    assert world.run("partner", "cem", "accept", "bigmart").exit_code == 3  # what is decided is decided


def test_f4_a_certificate_for_signatures_alone_is_never_encrypted_to(
    world: World, made: dict[str, Company]
) -> None:
    world.asked(made["new"], ("digitalSignature",))
    world.must("partner", "cem", "accept", "bigmart")
    eventually(lambda: world.partner.exchanges)
    assert certs_of(world)[1]["use"] == "verify"
    assert world.told(made["new"]) == "processed"
    assert world.sent()["status"] == "delivered"


def test_f4_a_certificate_for_tls_alone_is_kept_and_used_for_no_message(
    world: World, made: dict[str, Company]
) -> None:
    world.asked(made["new"], ("tlsServer",))
    ran = world.must("partner", "cem", "accept", "bigmart")
    assert "name it in partners.toml" in ran.stderr
    eventually(lambda: world.partner.exchanges)
    assert certs_of(world) == [{"file": str(made["old"].cert)}]
    assert len(list((world.root / "certs").glob("bigmart-*.crt"))) == 1
    assert world.told(made["new"]) == MASKED


def test_f4_a_certificate_asked_about_once_for_each_use_waits_once_for_both(
    world: World, made: dict[str, Company]
) -> None:
    certificate = as2.load_certificate(made["new"].cert.read_bytes())
    trusts = tuple(cem.trust(certificate, (usage,)) for usage in BOTH)
    payload = cem.build_request(cem.Request("request-1@bigmart", "BIGMARTEDI", trusts), NOW)
    world.receive(world.partner.message(payload.content_type, payload.body))
    (row,) = world.exchanges()
    assert row.usages == list(BOTH)
    world.must("partner", "cem", "accept", "bigmart", "--encrypt-from", f"{NOW + 5 * DAY:%Y-%m-%d}")
    eventually(lambda: world.partner.exchanges)
    assert set(certs_of(world)[1]) == {"file", "encrypt_from"}


@pytest.mark.parametrize("first", BOTH)
def test_f4_a_certificate_accepted_for_one_use_and_then_for_the_other_serves_both(
    world: World, made: dict[str, Company], first: str
) -> None:
    for number, usage in enumerate([first, *(one for one in BOTH if one != first)], 1):
        world.asked(made["new"], (usage,), request_id=f"request-{number}@bigmart")
        world.must("partner", "cem", "accept", "bigmart", "--encrypt-from", f"{NOW + 5 * DAY:%Y-%m-%d}")
        eventually(lambda count=number: len(world.partner.exchanges) == count)
    assert {cert.get("use") for cert in certs_of(world)[1:]} == {"verify", "encrypt"}
    assert world.told(made["new"]) == "processed"
    world.now = NOW + 5 * DAY
    world.partner.peer = Peer("BIGMARTEDI", made["new"], made["us"].cert)
    assert world.sent()["status"] == "delivered"
    assert world.rows(direction="out")[-1].supersedes is None


def test_f4_a_certificate_whose_listing_has_ended_is_listed_anew_when_it_is_accepted(
    world: World, made: dict[str, Company]
) -> None:
    ended = listed(made["new"], verify_until=NOW - DAY)
    world.write([ours(made["us"])], [listed(made["old"]), ended])
    world.asked(made["new"])
    world.must("partner", "cem", "accept", "bigmart", "--encrypt-from", f"{NOW + 5 * DAY:%Y-%m-%d}")
    eventually(lambda: world.partner.exchanges)
    assert world.told(made["new"]) == "processed"


def test_f4_an_elliptic_curve_is_accepted_for_signatures_and_refused_for_encryption(
    world: World, tmp_path: Path
) -> None:
    curve = Company(tmp_path, "curve")
    openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "300",
        "-subj", "/CN=curve", "-keyout", curve.key, "-out", curve.cert,
    )  # fmt: skip
    world.now = NOW + DAY  # openssl has made it later than the test began
    world.asked(curve)
    ran = world.run("partner", "cem", "accept", "bigmart")
    assert ran.exit_code == 4
    assert "takes an RSA key" in ran.stderr
    world.must("partner", "cem", "reject", "bigmart")
    world.asked(curve, ("digitalSignature",), request_id="request-2@bigmart")
    world.must("partner", "cem", "accept", "bigmart")
    eventually(lambda: len(world.partner.exchanges) == 2)
    assert world.told(curve) == "processed"
    assert world.sent()["status"] == "delivered"


def test_f4_a_request_that_comes_again_waits_once(world: World, made: dict[str, Company]) -> None:
    world.asked(made["new"])
    world.asked(made["new"])
    assert len(world.exchanges()) == 1


def test_f4_of_several_that_wait_one_must_be_named(world: World, made: dict[str, Company]) -> None:
    world.asked(made["new"])
    world.asked(made["other"], request_id="request-2@bigmart")
    ran = world.run("partner", "cem", "accept", "bigmart")
    assert ran.exit_code == 2
    assert "say which" in ran.stderr
    fingerprint = as2.load_certificate(made["other"].cert.read_bytes()).fingerprint
    world.must("partner", "cem", "accept", "bigmart", fingerprint[:12].upper())
    assert {one.fingerprint: one.status for one in world.exchanges()}[fingerprint] == "accepted"
    assert sorted(one.status for one in world.exchanges()) == ["accepted", "waiting"]


def test_f4_a_certificate_that_is_too_weak_cannot_be_accepted(world: World, tmp_path: Path) -> None:
    world.asked(pair(tmp_path / "weak", "weak", bits=1024))
    ran = world.run("partner", "cem", "accept", "bigmart")
    assert ran.exit_code == 4
    assert "too short" in ran.stderr
    assert [one.status for one in world.exchanges()] == ["waiting"]
    ended = pair(tmp_path / "weak", "ended", until=NOW - DAY)
    world.must("partner", "cem", "reject", "bigmart")
    world.asked(ended, request_id="request-2@bigmart")
    assert "expired on" in world.run("partner", "cem", "accept", "bigmart").stderr


def test_f4_a_partner_cannot_fill_the_list_of_what_waits(world: World, made: dict[str, Company]) -> None:
    world.asked(made["new"])
    (row,) = world.exchanges()
    more = [dict(row._mapping) | {"id": f"{n:020}"} for n in range(exchange.MAX_WAITING - 1)]
    world.home.store.write(lambda conn: conn.execute(insert(certificate_exchange), more))
    refused = world.asked(made["other"], request_id="request-2@bigmart")
    assert (refused.status, refused.reason) == ("held", "LIMIT_EXCEEDED")


def test_f4_what_is_accepted_is_answered_only_when_partners_toml_says_so(
    world: World, made: dict[str, Company]
) -> None:
    """Somebody breaks the file right after; the old configuration stays in force, and nothing is promised."""
    world.asked(made["new"])
    file = world.root / "partners.toml"
    (row,) = world.exchanges()
    engine, write = world.home.engine, world.home.store.write
    write(lambda conn: engine.pause_lane(conn, "bigmart:out"))
    exchange.accept(world.home, world.home.config.partner("bigmart"), [row], encrypt_from=NOW + 9 * DAY)
    whole = file.read_text()
    file.write_text(whole + "nonsense")
    write(lambda conn: engine.resume_lane(conn, "bigmart:out"))
    kept = eventually(lambda: [job for job in world.jobs("certificate-answer") if job.error])
    assert "does not name the certificate" in kept[0].error
    assert world.partner.exchanges == []
    assert world.told(made["new"]) == MASKED
    file.write_text(whole)
    eventually(lambda: world.partner.exchanges)
    assert world.told(made["new"]) == "processed"


def test_f4_the_url_in_a_request_is_never_contacted(world: World, made: dict[str, Company]) -> None:
    with endpoint() as trap:
        world.asked(made["new"], url=trap.url)
        world.must("partner", "cem", "accept", "bigmart")
        eventually(lambda: world.partner.exchanges)
        assert trap.received == []
        assert world.exchanges()[0].response_url == trap.url


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda body: body.replace(b"?>\n", b'?>\n<!DOCTYPE x [<!ENTITY e "x">]>\n', 1), "XML_FORBIDDEN"),
        (lambda body: body.replace(b"</TrustRequest>", b""), "ENVELOPE_BROKEN"),
        (lambda body: body.replace(b"BIGMARTEDI", b"OTHERMART1"), "SENDER_MISMATCH"),
    ],
    ids=["E08-doctype", "broken", "in-another-name"],
)
def test_an_exchange_that_cannot_be_used_is_held_for_a_person(
    world: World, made: dict[str, Company], change: Callable[[bytes], bytes], reason: str
) -> None:
    payload = world.partner.asks(made["new"])
    body = change(payload.body)
    assert body != payload.body
    row = world.receive(world.partner.message(payload.content_type, body))
    assert (row.status, row.reason) == ("held", reason)
    assert world.exchanges() == []


def test_f4_an_exchange_that_nobody_signed_is_held(tmp_path: Path, made: dict[str, Company]) -> None:
    """Even where the agreement takes unsigned messages."""
    partner = Partner(made["old"], made["us"])
    with rolling(
        tmp_path, [ours(made["us"])], [listed(made["old"])], partner.answer, World, sign="none"
    ) as found:
        found.partner = partner
        payload = partner.asks(made["new"])
        row = found.receive(partner.message(payload.content_type, payload.body, sign=False))
        assert (row.status, row.reason) == ("held", "AUTH_FAILED")
        assert found.exchanges() == []


def test_f4_an_exchange_signed_with_an_ended_certificate_is_held_where_such_messages_are_taken(
    tmp_path: Path, made: dict[str, Company]
) -> None:
    partner = Partner(made["old"], made["us"])
    ended = pair(tmp_path / "theirs", "ended", until=NOW - DAY)
    partner.company = ended
    terms = {"encrypt": "none", "unauthenticated": "warn"}
    certs = [listed(ended)]
    with rolling(tmp_path, [ours(made["us"])], certs, partner.answer, World, **terms) as found:
        found.partner = partner
        payload = partner.asks(made["new"])
        message = partner.message(payload.content_type, payload.body, encrypt=False)
        answer = post(found.as2, message)
        assert partner.peer.read(answer).disposition.startswith("processed/warning: authentication-failed")
        (row,) = eventually(lambda: found.rows(direction="in", message_id=message.id, status="held"))
        assert row.reason == "AUTH_FAILED"
        assert found.exchanges() == []


@pytest.mark.parametrize("encoding", ["binary", "base64"])
def test_f4_what_we_send_is_a_multipart_whatever_encoding_was_agreed(
    tmp_path: Path, made: dict[str, Company], encoding: str
) -> None:
    """A multipart itself has no other encoding than that of its parts (RFC 2045 6.4)."""
    partner = Partner(made["old"], made["us"])
    keys = [ours(made["us"]), ours(made["us-next"], sign_from=NOW + DAY)]
    certs = [listed(made["old"])]
    with rolling(tmp_path, keys, certs, partner.answer, World, encoding=encoding) as found:
        found.partner = partner
        found.must("partner", "cem", "request", "bigmart")
        (request,) = eventually(lambda: partner.exchanges)
        assert isinstance(request, cem.Request)
        found.must("partner", "cem", "request", "bigmart")
        eventually(lambda: len(partner.exchanges) == 2)
        names = {row.filename for row in found.rows(direction="out")}
        assert len(names) == 2  # a partner who refuses names that came before refuses neither


# What we ask.


def test_f4_our_next_key_is_sent_and_the_answer_recorded_and_changes_nothing_by_itself(
    world: World, made: dict[str, Company]
) -> None:
    day = NOW + 5 * DAY
    world.write([ours(made["us"]), ours(made["us-next"], sign_from=day)], [listed(made["old"])])
    world.must("partner", "cem", "request", "bigmart")
    (request,) = eventually(lambda: world.partner.exchanges)
    assert isinstance(request, cem.Request)
    (trust,) = request.trusts
    assert trust.certificate == as2.load_certificate(made["us-next"].cert.read_bytes())
    assert (trust.usages, trust.respond_by) == (BOTH, day)
    assert trust.response_url == "http://127.0.0.1:9/as2"
    for verdict, status in (
        (cem.Verdict(cem.PENDING, trust.issuer, trust.serial), "pending"),
        (cem.Verdict(cem.REJECTED, trust.issuer, trust.serial, "who are you?"), "rejected"),
        (cem.Verdict(cem.ACCEPTED, trust.issuer, trust.serial), "accepted"),
    ):
        answer = cem.build_response(cem.Response(request.request_id, "BIGMARTEDI", (verdict,)), NOW)
        assert world.receive(world.partner.message(answer.content_type, answer.body)).status == "done"
        (asked,) = world.exchanges()
        assert (asked.direction, asked.status, asked.reason) == ("out", status, verdict.reason)
    assert world.sent()["status"] == "delivered"  # still signed with the first key, which the partner checks
    world.now = day
    world.partner.peer = Peer("BIGMARTEDI", made["old"], made["us-next"].cert)
    assert world.sent()["status"] == "delivered"


def test_f4_an_answer_to_what_was_never_asked_changes_nothing(world: World) -> None:
    response = cem.Response("no-such-request", "BIGMARTEDI", (cem.Verdict(cem.ACCEPTED, "CN=us", 5),))
    payload = cem.build_response(response, NOW)
    world.receive(world.partner.message(payload.content_type, payload.body))
    assert world.exchanges() == []
    (text,) = world.events("unmatched")
    assert "no-such-request" in text


def test_f4_everyone_is_asked_once(world: World, made: dict[str, Company]) -> None:
    world.write([ours(made["us"]), ours(made["us-next"], sign_from=NOW + DAY)], [listed(made["old"])])
    assert world.must("partner", "cem", "request", "--all").stdout == ""  # that was not agreed with anyone
    file = world.root / "partners.toml"
    file.write_text(file.read_text() + "cem = true\n")
    assert world.home.reload()
    assert world.must("partner", "cem", "request", "--all", "--dry-run").stdout.startswith("bigmart\tus-next")
    world.must("partner", "cem", "request", "--all")
    eventually(lambda: world.partner.exchanges)
    ran = world.must("partner", "cem", "request", "--all")
    assert ran.stdout == ""
    assert "nobody with cem = true is left to be asked about key us-next" in ran.stderr
    headers, _ = eventually(lambda: world.url.received)[0]
    assert dict(headers)["EDIINT-Features"] == "CEM, AS2-Reliability"
    assert len(world.exchanges()) == 1


def test_f4_without_a_key_that_is_to_sign_later_nobody_is_asked(world: World) -> None:
    ran = world.run("partner", "cem", "request", "bigmart")
    assert ran.exit_code == 4
    assert "no key of ours is to sign later" in ran.stderr
    assert "sign_from" in ran.stderr


# Two gateways.


class Side:
    """One of two gateways in this process, with a clock that both share."""

    def __init__(self, root: Path, name: str, clock: Callable[[], datetime]) -> None:
        self.root, self.name = root, name
        for folder in ("certs", "data", "erp/in", "erp/out", "erp/done", "erp/refused"):
            (root / folder).mkdir(parents=True)
        self.companies = [pair(root / "secrets", f"{name}-1")]
        self.write([], "http://127.0.0.1:9/as2", None)
        self.home = Home.open(root, clock)
        self.listener = Listener(
            web_as2.application(self.home, threading.Event()), Address("127.0.0.1", 0), name
        )
        self.url = f"{self.listener.url}/as2"

    def write(self, more: list[str], url: str, other: Side | None) -> None:
        """partners.toml for a first time: this side's keys, and the other side as its partner."""
        keys = [ours(company) for company in self.companies] + more
        cert = (other or self).companies[0]
        named = other.name if other else "other"
        toml.replace(
            self.root / "partners.toml",
            f'schema = 1\n[us]\nname = "{self.name}"\nas2_id = "{self.name.upper()}"\n'
            f'isa = {{ qualifier = "ZZ", id = "{self.name.upper()}" }}\nkeys = [{", ".join(keys)}]\n'
            f'[server]\npublic_url = "{getattr(self, "url", url)}"\n'
            f'[partner.{named}]\nrole = "retailer"\nstatus = "live"\nusage = "P"\n'
            f'isa = {{ qualifier = "ZZ", id = "{named.upper()}" }}\n'
            f'[partner.{named}.as2]\nid = "{named.upper()}"\nurl = "{url}"\ncerts = [{listed(cert)}]\n',
        )

    def edit(self, old: str, new: str) -> None:
        """Change partners.toml as an operator does with an editor."""
        file = self.root / "partners.toml"
        assert old in file.read_text()
        toml.replace(file, file.read_text().replace(old, new, 1))
        assert self.home.reload()

    def command(self, *words: str) -> None:
        ran = CliRunner().invoke(main, ["--home", str(self.root), *words])
        assert ran.exit_code == 0, ran.output

    def sent(self, to: str) -> dict[str, Any]:
        identity = dispatch.dispatch(
            self.home,
            self.home.config.partner(to),
            io.BytesIO(PAYLOAD),
            filename="note.txt",
            content_type="text/plain",
        )
        return eventually(
            lambda: found if (found := queries.sent(self.home, identity))["status"] != "pending" else None
        )

    def texts(self, name: str) -> list[str]:
        with self.home.store.read() as conn:
            return list(conn.execute(select(event.c.text).where(event.c.name == name)).scalars())

    def last(self) -> Any:
        with self.home.store.read() as conn:
            query = select(transmission).where(transmission.c.direction == "out")
            return conn.execute(query.order_by(sql("rowid DESC"))).first()


@contextmanager
def two(folder: Path, clock: Callable[[], datetime]) -> Iterator[tuple[Side, Side]]:
    sides = Side(folder / "a", "alpha", clock), Side(folder / "b", "beta", clock)
    try:
        for side, other in (sides, reversed(sides)):
            side.write([], other.url, other)
            assert side.home.reload()
            start_engine(side.home)
            side.listener.start()
        yield sides
    finally:
        for side in sides:
            side.listener.stop()
            side.home.engine.drain(10.0)
            side.home.close()


def test_two_gateways_replace_a_key_by_exchange_with_no_restart_and_no_message_lost(tmp_path: Path) -> None:
    now = NOW

    def everything_arrives() -> None:
        for side, other in ((alpha, "beta"), (beta, "alpha")):
            found = side.sent(other)
            assert (found["status"], found["mic_match"]) == ("delivered", True), found

    with two(tmp_path, lambda: now) as (alpha, beta):
        everything_arrives()
        new = pair(beta.root / "secrets", "beta-2")
        day = NOW + 10 * DAY
        beta.edit("}]\n[server]", f"}}, {ours(new, sign_from=day)}]\n[server]")
        everything_arrives()
        beta.command("partner", "cem", "request", "alpha")
        eventually(lambda: alpha.texts("cem"))
        everything_arrives()
        alpha.command("partner", "cem", "accept", "beta")
        eventually(lambda: [text for text in beta.texts("cem") if text.endswith("accepted")])
        now = NOW + DAY
        everything_arrives()
        fresh = as2.load_certificate(new.cert.read_bytes()).fingerprint
        assert alpha.last().protection["encrypted_to"] == fresh  # accepted, and at once encrypted to
        assert beta.last().protection["signed_with"] != fresh  # whose day has not come
        now = day
        everything_arrives()
        assert beta.last().protection["signed_with"] == fresh
        beta.edit('beta-1.key" }', f'beta-1.key", retire_after = {at(day)} }}')
        alpha.edit('beta-1.crt" }', f'beta-1.crt", verify_until = {at(day)} }}')
        now = day + DAY
        everything_arrives()
        assert not alpha.texts("rollover")
        assert not beta.texts("rollover")
        assert not alpha.texts("refused")
        assert not beta.texts("refused")
