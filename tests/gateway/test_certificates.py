"""Certificates at the six look-ups while they are replaced: what is accepted, what is used, what is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from peers import Answer, Company, Headers, Message, Peer, openssl, post
from rolling import DAY, NOW, Rolling, eventually, listed, ours, pair, rolling
from sqlalchemy import Connection, select

from gateway import as2, certificates, protection
from gateway.store.lane_tables import job
from gateway.store.tables import certificate_use, certificate_warning

pytestmark = pytest.mark.external("openssl")

FROM, UNTIL = NOW + 10 * DAY, NOW + 20 * DAY  # between them the old and the new certificate overlap
BEFORE, DURING, AFTER = NOW, NOW + 15 * DAY, NOW + 25 * DAY
MASKED = "processed/error: decryption-failed"  # behind CBC nobody is told that it was the signature
PLAIN = "processed/error: authentication-failed"


class Pairs(NamedTuple):
    """The key pairs of both sides, made once."""

    us_old: Company
    us_new: Company
    old: Company
    new: Company
    stranger: Company


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    folder = tmp_path_factory.mktemp("pairs")
    return Pairs(*(pair(folder, name) for name in ("us-1", "us-2", "old", "new", "stranger")))


def told(world: Rolling, signer: Company, gateway: Company, **form: bool) -> str:
    """The disposition of the receipt for a message signed by `signer` and encrypted to `gateway`."""
    peer = world.peer(signer, gateway)
    answer = post(world.as2, peer.message(b"hello\r\n", filename=None, **form))
    return read(world, answer, gateway)


def read(world: Rolling, answer: Answer, gateway: Company) -> str:
    assert answer.status == 200
    receipt = Peer("BIGMARTEDI", gateway, gateway.cert).read(answer)
    assert receipt.signed
    return receipt.disposition


def fingerprint(company: Company) -> str:
    return as2.load_certificate(company.cert.read_bytes()).fingerprint


def answering(
    signer: Callable[[], Company], recipient: Callable[[], Company], gateway: Callable[[], Company]
) -> Callable[[Headers, bytes], Answer]:
    """A partner who decrypts with one key, verifies against one certificate and signs its receipt with a key.

    What it cannot decrypt or verify it refuses, as other products do.
    """

    def answer(headers: Headers, body: bytes) -> Answer:
        peer = Peer("BIGMARTEDI", recipient(), gateway().cert)
        sent = {name.lower(): value for name, value in headers}["message-id"]
        try:
            opened = peer.open(headers, body)
        except AssertionError:
            receipt = peer.receipt(
                sent, lambda: "", signer=signer(), disposition="processed/error: decryption-failed"
            )
        else:
            disposition = "processed" if opened.verified else "processed/error: authentication-failed"
            receipt = peer.receipt_for(headers, body, signer=signer(), disposition=disposition)
        return Answer(200, receipt.headers, receipt.body)

    return answer


# Look-up 1: decrypt inbound, with every key of ours that is not retired.


def test_b12_every_key_of_ours_decrypts_until_it_is_retired(tmp_path: Path, pairs: Pairs) -> None:
    theirs = [listed(pairs.old)]
    with rolling(tmp_path, [ours(pairs.us_old)], theirs) as world:
        assert told(world, pairs.old, pairs.us_old) == "processed"
        answer = post(world.as2, world.peer(pairs.old, pairs.us_new).message(b"x", filename=None))
        assert read(world, answer, pairs.us_old) == MASKED  # not listed yet

        world.write([ours(pairs.us_old, retire_after=UNTIL), ours(pairs.us_new, sign_from=FROM)], theirs)
        for recipient in (pairs.us_old, pairs.us_new):
            answer = post(world.as2, world.peer(pairs.old, recipient).message(b"x", filename=None))
            assert read(world, answer, pairs.us_old) == "processed"

        world.now = UNTIL - timedelta(seconds=1)
        answer = post(world.as2, world.peer(pairs.old, pairs.us_old).message(b"x", filename=None))
        assert read(world, answer, pairs.us_new) == "processed"
        world.now = UNTIL
        answer = post(world.as2, world.peer(pairs.old, pairs.us_old).message(b"x", filename=None))
        assert read(world, answer, pairs.us_new) == MASKED
        assert world.rows(direction="in")[-1].reason == "DECRYPT_FAILED"
        assert told(world, pairs.old, pairs.us_new) == "processed"
        answer = post(world.as2, world.peer(pairs.old, pairs.stranger).message(b"x", filename=None))
        assert read(world, answer, pairs.us_new) == MASKED


def test_b12_a_key_is_chosen_by_what_the_message_names_and_not_by_trying(
    tmp_path: Path, pairs: Pairs
) -> None:
    """Both keys are listed; a message that names the new certificate but is for the old key is not opened."""
    with rolling(tmp_path, [ours(pairs.us_old), ours(pairs.us_new)], [listed(pairs.old)]) as world:
        message = world.peer(pairs.old, pairs.us_old).message(b"x", filename=None)
        old, new = (as2.load_certificate(one.cert.read_bytes()) for one in (pairs.us_old, pairs.us_new))
        assert len(old.serial) == len(new.serial)
        forged = message._replace(
            body=message.body.replace(old.serial, new.serial).replace(old.issuer, new.issuer)
        )
        assert forged.body != message.body
        answer = post(world.as2, forged)
        assert read(world, answer, pairs.us_old) == MASKED


# Look-up 2: verify inbound signatures, with every listed certificate in its window.


@pytest.mark.parametrize(
    ("moment", "old", "new"),
    [(BEFORE, True, False), (DURING, True, True), (AFTER, False, True)],
    ids=["B12-before", "B12-in-the-overlap", "B12-after-the-cut-off"],
)
def test_a_signature_is_verified_with_every_certificate_in_its_window(
    tmp_path: Path, pairs: Pairs, moment: datetime, *, old: bool, new: bool
) -> None:
    theirs = [listed(pairs.old, verify_until=UNTIL), listed(pairs.new, verify_from=FROM, encrypt_from=FROM)]
    with rolling(tmp_path, [ours(pairs.us_old)], theirs) as world:
        world.now = moment
        for signer, accepted in ((pairs.old, old), (pairs.new, new), (pairs.stranger, False)):
            assert told(world, signer, pairs.us_old) == ("processed" if accepted else MASKED)
            row = world.rows(direction="in")[-1]
            assert (row.status == "refused") is not accepted
            assert accepted or row.reason == "AUTH_FAILED"


@pytest.mark.parametrize(
    ("moment", "old", "new"),
    [(BEFORE, True, False), (DURING, True, True), (AFTER, False, True)],
    ids=["B12-before", "B12-in-the-overlap", "B12-after-the-cut-off"],
)
def test_where_nothing_is_encrypted_the_partner_is_told_that_it_was_the_signature(
    tmp_path: Path, pairs: Pairs, moment: datetime, *, old: bool, new: bool
) -> None:
    theirs = [listed(pairs.old, verify_until=UNTIL), listed(pairs.new, verify_from=FROM)]
    with rolling(tmp_path, [ours(pairs.us_old)], theirs, encrypt="none") as world:
        world.now = moment
        for signer, accepted in ((pairs.old, old), (pairs.new, new), (pairs.stranger, False)):
            assert told(world, signer, pairs.us_old, encrypt=False) == ("processed" if accepted else PLAIN)


def test_b12_a_clock_that_jumps_over_the_end_of_a_certificate_refuses_it_and_back_accepts_it(
    tmp_path: Path, pairs: Pairs
) -> None:
    short = pair(tmp_path / "theirs", "short", until=NOW + 5 * DAY)
    keys = [ours(pairs.us_old)]
    with rolling(tmp_path, keys, [listed(short)], encrypt="none") as world:
        for moment, expected in ((NOW, "processed"), (NOW + 6 * DAY, PLAIN), (NOW, "processed")):
            world.now = moment
            assert told(world, short, pairs.us_old, encrypt=False) == expected
        world.now = NOW + 6 * DAY
        world.write(keys, [listed(short), listed(pairs.new)], encrypt="none")  # beside the ended one
        assert told(world, pairs.new, pairs.us_old, encrypt=False) == "processed"
        assert told(world, short, pairs.us_old, encrypt=False) == PLAIN


def test_a_certificate_for_encryption_alone_verifies_nothing(tmp_path: Path, pairs: Pairs) -> None:
    theirs = [listed(pairs.old, use="verify"), listed(pairs.new, use="encrypt")]
    with rolling(tmp_path, [ours(pairs.us_old)], theirs) as world:
        assert told(world, pairs.old, pairs.us_old) == "processed"
        assert told(world, pairs.new, pairs.us_old) == MASKED


# Look-up 3: sign our receipts, with exactly one key.


def test_b12_receipts_are_signed_by_exactly_the_key_whose_day_has_come(tmp_path: Path, pairs: Pairs) -> None:
    keys = [ours(pairs.us_old, retire_after=UNTIL), ours(pairs.us_new, sign_from=FROM)]
    with rolling(tmp_path, keys, [listed(pairs.old)]) as world:
        for moment, signer, other in (
            (BEFORE, pairs.us_old, pairs.us_new),
            (FROM - timedelta(seconds=1), pairs.us_old, pairs.us_new),
            (FROM, pairs.us_new, pairs.us_old),
            (DURING, pairs.us_new, pairs.us_old),
            (AFTER, pairs.us_new, pairs.us_old),
        ):
            world.now = moment
            answer = post(world.as2, world.peer(pairs.old, pairs.us_new).message(b"x", filename=None))
            assert world.peer(pairs.old, signer).read(answer).verified, moment
            assert not world.peer(pairs.old, other).read(answer).verified


def test_b12_a_receipt_is_signed_with_a_key_that_is_valid_while_there_is_one(
    tmp_path: Path, pairs: Pairs
) -> None:
    ending = pair(tmp_path / "ours", "ending", until=NOW + 5 * DAY)
    keys = [ours(pairs.us_old), ours(ending, sign_from=NOW - DAY)]
    with rolling(tmp_path, keys, [listed(pairs.old)]) as world:
        for moment, signer in ((NOW, ending), (NOW + 6 * DAY, pairs.us_old)):
            world.now = moment
            answer = post(world.as2, world.peer(pairs.old, pairs.us_old).message(b"x", filename=None))
            assert world.peer(pairs.old, signer).read(answer).verified
        world.write([ours(ending)], [listed(pairs.old)])  # the only one has ended: signed all the same
        answer = post(world.as2, world.peer(pairs.old, ending).message(b"x", filename=None))
        receipt = world.peer(pairs.old, ending).read(answer)
        assert (receipt.disposition, receipt.verified) == ("processed", True)


# Look-ups 4, 5 and 6: verify their receipts, sign and encrypt what we send.


@pytest.mark.parametrize(
    ("moment", "old", "new"),
    [(BEFORE, True, False), (DURING, True, True), (AFTER, False, True)],
    ids=["B12-before", "B12-in-the-overlap", "B12-after-the-cut-off"],
)
def test_a_receipt_of_theirs_is_verified_with_every_certificate_in_its_window(
    tmp_path: Path, pairs: Pairs, moment: datetime, *, old: bool, new: bool
) -> None:
    signer = pairs.old
    theirs = [
        listed(pairs.old, verify_until=UNTIL, use="verify"),
        listed(pairs.new, verify_from=FROM, use="verify"),
        listed(pairs.stranger, use="encrypt"),
    ]
    answer = answering(lambda: signer, lambda: pairs.stranger, lambda: pairs.us_old)
    with rolling(tmp_path, [ours(pairs.us_old)], theirs, answer) as world:
        world.now = moment
        for one, accepted in ((pairs.old, old), (pairs.new, new), (pairs.stranger, False)):
            signer = one
            found = world.sent()
            assert found["status"] == ("delivered" if accepted else "failed"), found
            assert found["reason"] == (None if accepted else "MDN_INVALID")


@pytest.mark.parametrize(
    ("moment", "is_new"),
    [(BEFORE, False), (FROM - timedelta(seconds=1), False), (FROM, True), (DURING, True), (AFTER, True)],
    ids=["B12-before", "B12-a-second-before", "B12-on-its-day", "B12-in-the-overlap", "B12-after"],
)
def test_what_we_send_is_signed_by_one_key_and_encrypted_to_one_certificate(
    tmp_path: Path, pairs: Pairs, moment: datetime, *, is_new: bool
) -> None:
    theirs = [listed(pairs.old, verify_until=UNTIL), listed(pairs.new, encrypt_from=FROM)]
    keys = [ours(pairs.us_old, retire_after=UNTIL), ours(pairs.us_new, sign_from=FROM)]
    recipient, signer = (pairs.new, pairs.us_new) if is_new else (pairs.old, pairs.us_old)
    answer = answering(lambda: recipient, lambda: recipient, lambda: signer)
    with rolling(tmp_path, keys, theirs, answer) as world:
        world.now = moment
        found = world.sent()
        assert (found["status"], found["mic_match"]) == ("delivered", True), found
        assert len(world.url.received) == 1
        (row,) = world.rows(direction="out")
        assert row.protection["signed_with"] == fingerprint(signer)
        assert row.protection["encrypted_to"] == fingerprint(recipient)


def test_b12_nothing_is_encrypted_to_a_certificate_that_has_ended(tmp_path: Path, pairs: Pairs) -> None:
    short = pair(tmp_path / "theirs", "short", until=NOW + 5 * DAY)
    keys = [ours(pairs.us_old)]
    recipient = pairs.old
    answer = answering(lambda: pairs.old, lambda: recipient, lambda: pairs.us_old)
    with rolling(tmp_path, keys, [listed(short)], answer) as world:
        world.now = NOW + 6 * DAY
        failed = world.sent()
        assert (failed["status"], failed["reason"]) == ("failed", "SECURITY_TOO_WEAK")
        assert f"{NOW + 5 * DAY:%Y-%m-%d}" in failed["error"]
        assert world.url.received == []
        world.write(keys, [listed(short, encrypt_from=NOW), listed(pairs.old)])  # an older one is valid
        assert world.sent()["status"] == "delivered"


def test_b12_nothing_is_signed_with_a_key_whose_certificate_has_ended(tmp_path: Path, pairs: Pairs) -> None:
    ending = pair(tmp_path / "ours", "ending", until=NOW + 5 * DAY)
    with rolling(tmp_path, [ours(ending)], [listed(pairs.old)]) as world:
        world.now = NOW + 6 * DAY
        failed = world.sent()
        assert (failed["status"], failed["reason"]) == ("failed", "SECURITY_TOO_WEAK")
        assert "signing key" in failed["error"]
        assert world.url.received == []


# The resend with the other certificate.


def test_what_they_could_not_decrypt_is_sent_once_more_to_their_other_certificate(
    tmp_path: Path, pairs: Pairs, caplog: pytest.LogCaptureFixture
) -> None:
    """They switch later than agreed: still the old key opens their messages."""
    theirs = [listed(pairs.old), listed(pairs.new, encrypt_from=NOW - DAY)]
    answer = answering(lambda: pairs.new, lambda: pairs.old, lambda: pairs.us_old)
    with rolling(tmp_path, [ours(pairs.us_old)], theirs, answer) as world:
        found = world.sent()
        assert (found["status"], found["mic_match"]) == ("delivered", True)
        refused, resent = world.rows(direction="out")
        assert refused.status == "superseded"
        assert refused.disposition.endswith("processed/error: decryption-failed")
        assert found["transmission"] == resent.id
        assert resent.supersedes == refused.id
        assert resent.message_id != refused.message_id
        assert resent.sha256 == refused.sha256
        first, second = (dict(headers) for headers, _ in world.url.received)
        assert first["Message-ID"] == refused.message_id
        assert second["Message-ID"] == resent.message_id
        assert resent.protection["encrypted_to"] == fingerprint(pairs.old)
        assert refused.protection["encrypted_to"] == fingerprint(pairs.new)
        again, ended = eventually(lambda: texts if len(texts := world.events("rollover")) == 2 else None)
        assert "decryption-failed; sent once more, encrypted to" in again
        assert f"accepts messages encrypted to {certificates.short(fingerprint(pairs.old))}" in ended
        assert again in caplog.text
        assert ended in caplog.text


def test_what_they_could_not_decrypt_goes_to_a_certificate_whose_day_is_to_come(
    tmp_path: Path, pairs: Pairs
) -> None:
    """They switch earlier than agreed."""
    theirs = [listed(pairs.old), listed(pairs.new, encrypt_from=NOW + 3 * DAY)]
    answer = answering(lambda: pairs.old, lambda: pairs.new, lambda: pairs.us_old)
    with rolling(tmp_path, [ours(pairs.us_old)], theirs, answer) as world:
        assert world.sent()["status"] == "delivered"
        assert [row.protection["encrypted_to"] for row in world.rows(direction="out")] == [
            fingerprint(pairs.old),
            fingerprint(pairs.new),
        ]


@pytest.mark.parametrize("known", ["the one before", "the next one"])
def test_what_they_could_not_verify_is_signed_once_more_with_our_other_key(
    tmp_path: Path, pairs: Pairs, known: str
) -> None:
    day = NOW - DAY if known == "the one before" else NOW + DAY
    verifies = pairs.us_old if known == "the one before" else pairs.us_new
    keys = [ours(pairs.us_old), ours(pairs.us_new, sign_from=day)]
    answer = answering(lambda: pairs.old, lambda: pairs.old, lambda: verifies)
    with rolling(tmp_path, keys, [listed(pairs.old)], answer) as world:
        found = world.sent()
        assert found["status"] == "delivered", found
        refused, resent = world.rows(direction="out")
        assert refused.status == "superseded"
        assert refused.disposition.endswith("processed/error: authentication-failed")
        assert resent.protection["signed_with"] == fingerprint(verifies)
        assert resent.protection["encrypted_to"] == refused.protection["encrypted_to"]


def test_decryption_failed_may_hide_a_signature_so_the_other_key_is_tried_where_there_is_no_other_certificate(
    tmp_path: Path, pairs: Pairs
) -> None:
    """As this gateway itself answers: behind CBC every failure is decryption-failed."""

    def answer(headers: Headers, body: bytes) -> Answer:
        peer = Peer("BIGMARTEDI", pairs.old, pairs.us_old.cert)
        opened = peer.open(headers, body)
        disposition = "processed" if opened.verified else "processed/error: decryption-failed"
        receipt = peer.receipt_for(headers, body, disposition=disposition)
        return Answer(200, receipt.headers, receipt.body)

    keys = [ours(pairs.us_old), ours(pairs.us_new, sign_from=NOW - DAY)]
    with rolling(tmp_path, keys, [listed(pairs.old)], answer) as world:
        assert world.sent()["status"] == "delivered"
        assert len(world.url.received) == 2


def test_a_message_is_never_resent_twice_whoever_answers_what(tmp_path: Path, pairs: Pairs) -> None:
    theirs = [listed(pairs.old), listed(pairs.new, encrypt_from=NOW - DAY), listed(pairs.us_new)]
    keys = [ours(pairs.us_old), ours(pairs.us_new, sign_from=NOW + DAY)]
    answer = answering(lambda: pairs.old, lambda: pairs.stranger, lambda: pairs.us_old)
    with rolling(tmp_path, keys, theirs, answer) as world:
        found = world.sent()
        assert (found["status"], found["reason"], found["error"]) == (
            "failed",
            "PEER_REJECTED",
            "decryption-failed",
        )
        assert len(world.url.received) == 2
        assert [row.status for row in world.rows(direction="out")] == ["superseded", "failed"]
        assert len(world.events("rollover")) == 1


def test_a_second_receipt_for_what_was_sent_again_changes_nothing(tmp_path: Path, pairs: Pairs) -> None:
    theirs = [listed(pairs.old), listed(pairs.new, encrypt_from=NOW - DAY)]
    answer = answering(lambda: pairs.new, lambda: pairs.old, lambda: pairs.us_old)
    with rolling(tmp_path, [ours(pairs.us_old)], theirs, answer) as world:
        assert world.sent()["status"] == "delivered"
        headers, body = world.url.received[0]
        refusal = answer(headers, body)
        assert post(world.as2, Message(refusal.headers, refusal.body, "", b"")).status == 204
        eventually(lambda: world.events("duplicate"))
        assert [row.status for row in world.rows(direction="out")] == ["superseded", "delivered"]
        assert len(world.url.received) == 2


@pytest.mark.parametrize(
    "disposition",
    [
        "processed/error: integrity-check-failed",
        "processed/error: decompression-failed",
        "processed/error: insufficient-message-security",
        "processed/error: unexpected-processing-error",
        "failed/failure: unsupported format",
    ],
)
def test_no_other_refusal_is_answered_by_a_resend(tmp_path: Path, pairs: Pairs, disposition: str) -> None:
    def answer(headers: Headers, body: bytes) -> Answer:
        peer = Peer("BIGMARTEDI", pairs.old, pairs.us_old.cert)
        receipt = peer.receipt_for(headers, body, disposition=disposition)
        return Answer(200, receipt.headers, receipt.body)

    theirs = [listed(pairs.old), listed(pairs.new)]
    keys = [ours(pairs.us_old), ours(pairs.us_new, sign_from=NOW + DAY)]
    with rolling(tmp_path, keys, theirs, answer) as world:
        assert world.sent()["status"] == "failed"
        assert len(world.url.received) == 1
        assert world.events("rollover") == []


def test_a_refusal_that_nobody_proves_is_answered_by_no_resend(tmp_path: Path, pairs: Pairs) -> None:
    """Anyone on the way could have it sent again; a receipt signed by a stranger proves nothing."""
    theirs = [listed(pairs.old), listed(pairs.new, encrypt_from=NOW - DAY)]
    answer = answering(lambda: pairs.stranger, lambda: pairs.old, lambda: pairs.us_old)
    with rolling(tmp_path, [ours(pairs.us_old)], theirs, answer) as world:
        found = world.sent()
        assert (found["status"], found["reason"]) == ("failed", "MDN_INVALID")
        assert len(world.url.received) == 1


def test_a_refusal_without_a_signature_is_answered_by_no_resend_though_none_was_agreed(
    tmp_path: Path, pairs: Pairs
) -> None:
    """It stands, as agreed; but who forges it must not choose which of their certificates we encrypt to."""

    def answer(headers: Headers, _body: bytes) -> Answer:
        peer = Peer("BIGMARTEDI", pairs.old, pairs.us_old.cert)
        words = "processed/error: decryption-failed"
        refused = peer.receipt(dict(headers)["Message-ID"], lambda: "", disposition=words, sign=False)
        return Answer(200, refused.headers, refused.body)

    theirs = [listed(pairs.old), listed(pairs.new, encrypt_from=NOW - DAY)]
    with rolling(tmp_path, [ours(pairs.us_old)], theirs, answer) as world:
        with (world.root / "partners.toml").open("a") as file:
            file.write('mdn = { mode = "sync", signed = false }\n')
        assert world.home.reload()
        found = world.sent()
        assert (found["status"], found["reason"]) == ("failed", "PEER_REJECTED")
        assert len(world.url.received) == 1
        assert world.events("rollover") == []


def test_where_there_is_no_other_certificate_the_refusal_stands(tmp_path: Path, pairs: Pairs) -> None:
    ended = pair(tmp_path / "theirs", "ended", until=NOW - DAY)
    theirs = [listed(pairs.old), listed(ended), listed(pairs.new, verify_until=NOW - DAY)]
    answer = answering(lambda: pairs.old, lambda: pairs.stranger, lambda: pairs.us_old)
    with rolling(tmp_path, [ours(pairs.us_old)], theirs, answer) as world:
        found = world.sent()
        assert (found["status"], found["reason"]) == ("failed", "PEER_REJECTED")
        assert len(world.url.received) == 1


# Which certificate was used last.


def test_the_certificate_last_used_is_recorded_for_each_of_the_six_look_ups(
    tmp_path: Path, pairs: Pairs
) -> None:
    keys = [ours(pairs.us_old), ours(pairs.us_new, sign_from=NOW - DAY)]
    theirs = [listed(pairs.old), listed(pairs.new, encrypt_from=NOW - DAY)]
    answer = answering(lambda: pairs.old, lambda: pairs.new, lambda: pairs.us_new)
    with rolling(tmp_path, keys, theirs, answer) as world:
        answered = post(world.as2, world.peer(pairs.old, pairs.us_old).message(b"x", filename=None))
        assert read(world, answered, pairs.us_new) == "processed"
        assert world.sent()["status"] == "delivered"
        with world.home.store.read() as conn:
            found = {use.look_up: use.fingerprint for use in certificates.uses(conn, "bigmart")}
        assert found == {
            "decrypt": fingerprint(pairs.us_old),
            "verify": fingerprint(pairs.old),
            "sign_receipt": fingerprint(pairs.us_new),
            "verify_receipt": fingerprint(pairs.old),
            "sign": fingerprint(pairs.us_new),
            "encrypt": fingerprint(pairs.new),
        }


def test_a_use_is_recorded_at_most_once_a_minute_and_at_once_when_the_certificate_changes(
    tmp_path: Path, pairs: Pairs
) -> None:
    def last() -> dict[str, datetime]:
        with world.home.store.read() as conn:
            return {use.fingerprint: use.last_at for use in certificates.uses(conn, "bigmart")}

    def note(company: Company) -> None:
        world.home.store.write(
            lambda conn: certificates.note_use(world.home, conn, "bigmart", "verify", fingerprint(company))
        )

    with rolling(tmp_path, [ours(pairs.us_old)], [listed(pairs.old)]) as world:
        note(pairs.old)
        world.now = NOW + timedelta(seconds=59)
        note(pairs.old)
        assert last() == {fingerprint(pairs.old): NOW}
        note(pairs.new)
        assert last()[fingerprint(pairs.new)] == NOW + timedelta(seconds=59)
        world.now = NOW + timedelta(seconds=60)
        note(pairs.old)
        assert last()[fingerprint(pairs.old)] == NOW + timedelta(seconds=60)
        with world.home.store.read() as conn:
            assert len(conn.execute(select(certificate_use)).all()) == 2


def test_a_use_whose_transaction_came_to_nothing_is_recorded_by_the_next(
    tmp_path: Path, pairs: Pairs
) -> None:
    with rolling(tmp_path, [ours(pairs.us_old)], [listed(pairs.old)]) as world:

        def note(conn: Connection) -> None:
            certificates.note_use(world.home, conn, "bigmart", "verify", fingerprint(pairs.old))

        def note_and_fail(conn: Connection) -> None:
            note(conn)
            raise LookupError

        with pytest.raises(LookupError):
            world.home.store.write(note_and_fail)
        world.home.store.write(note)
        with world.home.store.read() as conn:
            assert [use.fingerprint for use in certificates.uses(conn)] == [fingerprint(pairs.old)]
        with world.home.store.fetch(fingerprint(pairs.old), verify=True) as kept:
            assert as2.load_certificate(kept.read()).fingerprint == fingerprint(pairs.old)


def test_what_is_refused_uses_no_certificate_but_the_one_its_receipt_is_signed_with(
    tmp_path: Path, pairs: Pairs
) -> None:
    with rolling(tmp_path, [ours(pairs.us_old)], [listed(pairs.old)]) as world:
        assert told(world, pairs.stranger, pairs.us_old) == MASKED
        with world.home.store.read() as conn:
            assert [use.look_up for use in certificates.uses(conn, "bigmart")] == ["sign_receipt"]


# Expiry.


@pytest.mark.parametrize("whose", ["ours", "theirs"])
def test_b12_a_certificate_near_its_end_is_told_once_at_each_threshold_also_after_a_restart(
    tmp_path: Path, pairs: Pairs, whose: str, caplog: pytest.LogCaptureFixture
) -> None:
    end = NOW + 100 * DAY
    ending = pair(tmp_path / "ending", "ending", until=end)
    keys = [ours(ending)] if whose == "ours" else [ours(pairs.us_old)]
    theirs = [listed(pairs.old)] if whose == "ours" else [listed(ending)]
    days = [90, 61, 60, 59, 31, 30, 14, 8, 7, 4, 3, 2, 1, 0, -1]
    expected = [60, 30, 14, 7, 3, 1, 0]
    half = len(days) // 2
    told: list[str] = []
    for part in (days[:half], days[half:]):  # as two runs of the program
        with rolling(tmp_path, keys, theirs) as world:
            for left in part:
                world.now = end - left * DAY
                for _ in range(2):
                    done = certificates.watch(world.home, None)  # type: ignore[arg-type]
                    assert done.commit is not None
                    world.home.store.write(done.commit)
            told = [text for text in world.events("expiring") if "ending" in text]
    assert len(told) == len(expected)
    assert told[0].endswith(f"expires in 60 days, on {end:%Y-%m-%d}")
    assert told[-2].endswith(f"expires in a day, on {end:%Y-%m-%d}")
    assert told[-1].endswith(f"expired on {end:%Y-%m-%d}")
    assert all(text in caplog.text for text in told)
    named = "the certificate of our key ending" if whose == "ours" else "certificate ending.crt of bigmart"
    assert all(text.startswith(named) for text in told)


def test_a_certificate_first_seen_close_to_its_end_is_told_once_and_not_for_each_threshold_passed(
    tmp_path: Path, pairs: Pairs
) -> None:
    ending = pair(tmp_path / "ending", "ending", until=NOW + 5 * DAY)
    with rolling(tmp_path, [ours(pairs.us_old)], [listed(ending)]) as world:
        (text,) = eventually(lambda: world.events("expiring"))  # the engine's schedule runs it at the start
        assert text.startswith("certificate ending.crt of bigmart expires in ")
        with world.home.store.read() as conn:
            assert conn.execute(select(certificate_warning.c.owner, certificate_warning.c.days)).all() == [
                ("bigmart", 7)
            ]
            kinds = conn.execute(select(job.c.kind)).scalars().all()
        assert kinds == ["certificates"]


def test_the_tls_certificates_of_a_connection_are_watched_too(tmp_path: Path, pairs: Pairs) -> None:
    """Each of a file that holds several, and the one that we show to their server."""
    tls = tmp_path / "tls"
    shown = pair(tls, "shown", until=NOW + 20 * DAY)
    first, second = pair(tls, "first", until=NOW + 40 * DAY), pair(tls, "second", until=NOW + 900 * DAY)
    bundle = tls / "ca.pem"
    bundle.write_bytes(second.cert.read_bytes() + first.cert.read_bytes())
    http = f'{{ cert = "{shown.cert}", key = "file:{shown.key}", ca = "{bundle}" }}'
    with rolling(tmp_path, [ours(pairs.us_old)], [listed(pairs.old)]) as world:
        file = world.root / "partners.toml"
        file.write_text(file.read_text() + f"http = {http}\n")
        assert world.home.reload()
        done = certificates.watch(world.home, None)  # type: ignore[arg-type]
        assert done.commit is not None
        world.home.store.write(done.commit)
        assert world.events("expiring") == [
            f"certificate shown.crt of bigmart expires in 20 days, on {NOW + 20 * DAY:%Y-%m-%d}",
            f"certificate ca.pem of bigmart expires in 40 days, on {NOW + 40 * DAY:%Y-%m-%d}",
        ]
        found = [one for one in certificates.listed(world.home.config, NOW) if one.kind == "tls"]
        assert [one.fingerprint for one in found] == [fingerprint(one) for one in (shown, second, first)]


# What protects the messages.


def test_the_report_tells_what_is_agreed_from_what_was_really_used(tmp_path: Path, pairs: Pairs) -> None:
    answer = answering(lambda: pairs.old, lambda: pairs.old, lambda: pairs.us_old)
    with rolling(tmp_path, [ours(pairs.us_old)], [listed(pairs.old)], answer, encrypt="none") as world:
        assert told(world, pairs.old, pairs.us_old, encrypt=True) == "processed"  # more than was agreed
        assert world.sent()["status"] == "delivered"
        with world.home.store.read() as conn:
            found = {one.aspect: one for one in protection.report(world.home.config, conn, "bigmart")}
        encryption = found["encryption"]
        assert (encryption.agreed, encryption.last_in, encryption.last_out) == ("none", "aes256-cbc", "none")
        assert encryption.verdict == "warn"
        assert (found["signature"].last_in, found["signature"].last_out) == ("sha256", "sha256")
        assert found["signature"].verdict == "ok"
        assert (found["key transport"].last_in, found["key transport"].verdict) == ("rsa-pkcs1v15", "warn")
        assert (found["receipt"].agreed, found["receipt"].last_in, found["receipt"].last_out) == (
            "signed",
            "signed",
            "signed",
        )


@pytest.mark.parametrize(
    ("relation", "aspect", "verdict", "why"),
    [
        ({"sign": "sha1"}, "signature", "fail", "SHA-1: agree on sha256"),
        ({"encrypt": "3des"}, "encryption", "fail", "3DES: agree on aes256-cbc or aes256-gcm"),
        ({"sign": "none"}, "encryption", "fail", "CBC without a signature can be altered unseen"),
        ({"sign": "none", "encrypt": "aes256-gcm"}, "encryption", "ok", ""),
        ({"sign": "none"}, "signature", "warn", "unsigned: anybody could have sent it"),
        ({"encrypt": "none"}, "encryption", "warn", "in the clear: only TLS hides it"),
        ({}, "signature", "ok", ""),
        ({}, "encryption", "ok", ""),
    ],
)  # fmt: skip
def test_what_must_end_is_red_before_anything_was_sent(
    tmp_path: Path, pairs: Pairs, relation: dict[str, str], aspect: str, verdict: str, why: str
) -> None:
    with rolling(tmp_path, [ours(pairs.us_old)], [listed(pairs.old)], **relation) as world:
        with world.home.store.read() as conn:
            found = {one.aspect: one for one in protection.report(world.home.config, conn, "bigmart")}
        assert (found[aspect].verdict, found[aspect].why) == (verdict, why)
        assert (found[aspect].last_in, found[aspect].last_out) == (None, None)


def test_a_short_key_and_a_certificate_signed_with_sha1_are_red(tmp_path: Path, pairs: Pairs) -> None:
    short = pair(tmp_path / "theirs", "short", bits=1024)
    sha1 = Company(tmp_path / "theirs", "sha1")
    openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha1", "-days", "9", "-subj", "/CN=sha1",
        "-keyout", sha1.key, "-out", sha1.cert,
    )  # fmt: skip
    with rolling(tmp_path, [ours(pairs.us_old)], [listed(short), listed(sha1), listed(pairs.old)]) as world:
        with world.home.store.read() as conn:
            report = list(protection.report(world.home.config, conn))
        found = [
            (one.partner, f"{one.name}: {one.agreed}", one.verdict, one.why)
            for one in report
            if one.aspect == "certificate"
        ]
        assert found == [
            ("", "key us-1: RSA 2048, sha256", "ok", ""),
            ("bigmart", "short.crt: RSA 1024, sha256", "fail", "1024 bits: have a new one made"),
            ("bigmart", "sha1.crt: RSA 2048, sha1", "fail", "itself signed with sha1: have a new one made"),
            ("bigmart", "old.crt: RSA 2048, sha256", "ok", ""),
        ]
        assert protection.worst(report) == "fail"
