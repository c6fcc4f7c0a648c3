"""B05: behind an envelope every failure is answered with the same bytes and after the same work.

Times are measured by tests/bench/oracle.py. Here the work is counted: what takes time in a refusal is to
hash, to decrypt and to check signatures, which functions of libraries do, and a profiler sees them called.
"""

from __future__ import annotations

import base64
import io
import re
import sys
from collections import Counter
from types import FrameType

import pytest
from as2_oracle import CLASSES, PKCS7, SIGNED_RECEIPT, enveloped, failing, order, signed_by
from as2_peer import NOW, Company, Sent, entity, message, open_message, refusal
from as2_receipts import parts_of

from gateway import as2

COSTLY = {"update", "decrypt", "verify", "a2b_base64"}


def receipt_for(sent: Sent, policy: as2.Policy, us: Company) -> tuple[list[tuple[str, str]], bytes]:
    """What is answered, without what differs between any two answers: the date, ids and boundaries."""
    error = refusal(sent, policy)
    request = as2.parse_request_headers(sent.headers)
    receipt = as2.build_receipt(
        request,
        as2.Outcome(error.disposition),
        signing=as2.Signing(us.identity),
        message_id="<r@us>",
        now=NOW,
    )
    content_type = dict(receipt.headers)["Content-Type"]
    part, signature = parts_of(receipt.body, content_type)
    fixed = re.sub(rb"report-[0-9a-f]{32}", b"report", part)
    length = len(base64.b64decode(signature.split(b"\r\n\r\n")[1]))
    headers = [(name, re.sub("signed-[0-9a-f]{32}", "signed", value)) for name, value in receipt.headers]
    return headers, fixed + b"%d" % length


def work_of(sent: Sent, policy: as2.Policy) -> Counter[str]:
    """How often each costly function of a library was called to refuse a message."""
    calls: Counter[str] = Counter()

    def seen(frame: FrameType, event: str, called: object) -> None:
        name = getattr(called, "__name__", "")
        if event == "c_call" and name in COSTLY and "gateway" in frame.f_code.co_filename:
            calls[name] += 1

    request = as2.parse_request_headers(sent.headers)
    sys.setprofile(seen)
    try:
        as2.open_message(request, io.BytesIO(sent.body), policy=policy, payload=io.BytesIO(), now=NOW)
    except as2.As2Error:
        return calls
    finally:
        sys.setprofile(None)
    raise AssertionError("accepted")


def test_b05_the_answers_to_all_classes_of_failure_are_the_same_bytes(
    us: Company, partner: Company, stranger: Company, policy: as2.Policy
) -> None:
    good = message(PKCS7, enveloped(us, signed_by(partner, entity(order(500)))), SIGNED_RECEIPT)
    assert open_message(good, policy)[1] == order(500)
    answers = [
        receipt_for(failing(kind, us, partner, stranger, 500), policy, us)
        for kind in CLASSES
        for _ in range(5)
    ]
    assert all(answer == answers[0] for answer in answers)
    assert (
        b"\r\nDisposition: automatic-action/MDN-sent-automatically; processed/error: decryption-failed\r\n"
        in (answers[0][1])
    )


@pytest.mark.parametrize("size", [500, 20_000, 900_000])
def test_b05_all_classes_of_failure_take_the_same_work(
    us: Company, partner: Company, stranger: Company, policy: as2.Policy, size: int
) -> None:
    work = {
        kind: work_of(failing(kind, us, partner, stranger, size), policy)
        for kind in CLASSES
        for _ in range(3)
    }
    expected = work["good MIME, bad signature"]
    assert expected["decrypt"] == 1  # the content key
    assert expected["verify"] == 1
    assert expected["update"] >= 3 * (size // 256 / 1024)  # decrypted, and hashed as it is and as text
    assert work == dict.fromkeys(CLASSES, expected)


def test_b05_what_fails_for_other_reasons_inside_takes_the_same_work_too(
    us: Company, partner: Company, stranger: Company, policy: as2.Policy
) -> None:
    part = entity(order(20_000))
    expected = work_of(failing("good MIME, bad signature", us, partner, stranger, 20_000), policy)
    for inside in (
        part,  # not signed
        signed_by(partner, part, part + b"x"),  # over something else
        signed_by(partner, part).replace(b"--=_b--", b"--=_b- "),  # without its end
        b"",
        b"\r\n" + part,
    ):
        work = work_of(message(PKCS7, enveloped(us, inside)), policy)
        assert {name: work[name] for name in ("decrypt", "verify")} == {"decrypt": 1, "verify": 1}
        assert abs(work["update"] - expected["update"]) <= 1


def test_b05_an_attack_on_the_key_learns_nothing_from_blocks_of_any_length(
    us: Company, partner: Company, policy: as2.Policy
) -> None:
    from as2_oracle import envelope

    plain = signed_by(partner, entity(order(500)))
    answers = set()
    for block in (b"", b"\0", b"\1" * 255, b"\xff" * 256, b"\xff" * 300, bytes(256), bytes(5000)):
        sent = message(PKCS7, envelope(us, plain, bytes(32), block), SIGNED_RECEIPT)
        work = work_of(sent, policy)
        assert (work["decrypt"], work["verify"]) == (1, 1)
        answers.add(receipt_for(sent, policy, us)[1])
    assert len(answers) == 1
