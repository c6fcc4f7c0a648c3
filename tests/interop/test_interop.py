"""Trading with three peers that share no code with ours. `make interop` runs the whole matrix."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from itertools import product

import interop_run
import pytest
from interop_cases import AUTHENTICATED, BOTH, COMPRESSED, LIMITS, REPRESENTATIVE, SIGNED
from interop_matrix import (
    CIPHERS,
    DIGESTS,
    DIRECTIONS,
    HUGE,
    LAYERS,
    PAYLOADS,
    PEERS,
    RECEIPTS,
    SCHEMES,
    TRANSPORTS,
    Case,
    every_case,
    huge_cases,
    impossible,
    possible,
)
from interop_world import ROOT, World
from rich.console import Console

pytestmark = pytest.mark.external("openssl, java with BouncyCastle and javax.mail, pyas2lib")

WorldOf = Callable[[str], World]

# 1.2.840.113549.1.9.52, the attribute that binds the algorithms of a signature (RFC 6211).
ALGORITHM_PROTECTION = bytes.fromhex("06092a864886f70d010934")


@pytest.mark.parametrize("case", REPRESENTATIVE, ids=lambda case: case.id)
def test_a_message_and_its_receipt_are_understood_by_both_sides(world_of: WorldOf, case: Case) -> None:
    assert world_of(case.peer).run(case) == []


def test_the_cases_run_here_have_every_value_with_every_peer_and_direction() -> None:
    def values(cases: list[Case]) -> set[tuple[str, str, str]]:
        return {
            (side, axis, getattr(case, axis))
            for case in cases
            for side in (case.peer, case.direction)
            for axis in ("layers", "receipt", "digest", "scheme", "cipher", "transport", "payload")
        }

    assert values(REPRESENTATIVE) >= values(possible(list(every_case())))
    assert {(case.peer, case.direction) for case in REPRESENTATIVE} == set(product(PEERS, DIRECTIONS))


@pytest.mark.parametrize(
    ("peer", "options"),
    [
        ("openssl", {"recipients": "several"}),
        ("openssl", {"recipients": "ski"}),
        ("openssl", {"encoding": "base64"}),
        ("openssl", {"encoding": "none"}),
        ("openssl", {"encoding": "8bit"}),
        ("bouncycastle", {"recipients": "several"}),
        ("bouncycastle", {"recipients": "ski"}),
        ("bouncycastle", {"encoding": "base64"}),
        ("bouncycastle", {"scheme": "ecdsa,pkcs1"}),
        ("bouncycastle", {"scheme": "pkcs1,pss"}),
        ("bouncycastle", {"transfer": "chunked"}),
        ("bouncycastle", {"transfer": "expect"}),
    ],
    ids=str,
)
def test_other_forms_of_a_message_from_a_peer_are_opened(
    world_of: WorldOf, peer: str, options: dict[str, str]
) -> None:
    assert world_of(peer).run(BOTH[peer, "in"], **options) == []


@pytest.mark.parametrize("encoding", ["7bit", "quoted-printable"])
def test_text_whose_lines_a_peer_ends_anew_is_taken_as_it_was_signed(
    world_of: WorldOf, encoding: str
) -> None:
    """javax.mail writes CRLF in quoted-printable; of 7bit BouncyCastle signs CRLF, while it sends LF."""
    sha256 = hashlib.sha256(PAYLOADS["LF text"].replace(b"\n", b"\r\n")).hexdigest()
    (wrong,) = world_of("bouncycastle").run(BOTH["bouncycastle", "in"], encoding=encoding)
    assert wrong.startswith(f"payload is '{sha256}'")


@pytest.mark.parametrize("recipients", ["several", "ski"])
def test_authenticated_encryption_by_bouncycastle_to_other_forms_of_recipients_is_opened(
    world_of: WorldOf, recipients: str
) -> None:
    assert world_of("bouncycastle").run(AUTHENTICATED, recipients=recipients) == []


def test_what_bouncycastle_streams_with_indefinite_lengths_is_opened(world_of: WorldOf) -> None:
    world = world_of("bouncycastle")
    assert world.run(COMPRESSED) == []
    assert world.wire(COMPRESSED)[:2] == b"\x30\x80"


def test_a_signature_with_algorithm_protection_as_bouncycastle_makes_it_is_verified(
    world_of: WorldOf,
) -> None:
    world = world_of("bouncycastle")
    assert world.run(SIGNED) == []
    _, _, after = world.wire(SIGNED).rpartition(b"smime.p7s")
    signature = base64.b64decode(after.partition(b"\r\n\r\n")[2].partition(b"\r\n--")[0])
    assert signature[:2] == b"\x30\x80"
    assert ALGORITHM_PROTECTION in signature


def test_a_receipt_whose_fields_javax_mail_folds_in_odd_places_proves_delivery(world_of: WorldOf) -> None:
    case = BOTH["bouncycastle", "out"]
    world = world_of("bouncycastle")
    assert world.run(case) == []
    receipt = world.receipt(case)
    assert b"Disposition: automatic-action/MDN-sent-automatically;\r\n\t processed\r\n" in receipt
    assert b"Original-Message-ID: \r\n\t<" in receipt
    assert b",\r\n sha-256\r\n" in receipt
    assert b"disposition-notification; \r\n\tboundary=" in receipt


@pytest.mark.parametrize("case", LIMITS, ids=lambda case: case.id)
def test_what_is_said_to_be_impossible_is(world_of: WorldOf, case: Case) -> None:
    """A limit that a newer version of a peer no longer has is to be struck from the list."""
    assert impossible(case)
    assert world_of(case.peer).run(case) != []


@pytest.mark.parametrize("peer", PEERS)
def test_a_case_fails_when_a_message_is_less_than_what_was_agreed(world_of: WorldOf, peer: str) -> None:
    """The judge of all the others sees something."""
    wrong = world_of(peer).run(BOTH[peer, "in"], encrypt="none")
    assert any("insufficient-message-security" in one for one in wrong)


def test_a_case_that_fails_or_raises_is_printed_as_failed_and_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Broken(World):
        def __init__(self) -> None:
            """Nothing is started."""

        def run(self, case: Case, **_: str) -> list[str]:
            if case.direction == "in":
                raise ValueError("the peer died")
            return ["MIC equal is False, not True"]

    cases = [BOTH["openssl", direction] for direction in DIRECTIONS]
    results = interop_run.run(Broken(), cases, Console(quiet=True))
    assert interop_run.tell(results, ("openssl",), ["OpenSSL"], 1.0, Console(width=120)) == 1
    printed = capsys.readouterr().out
    assert re.search(r"signed, encrypted .*FAIL .*FAIL", " ".join(printed.split()))
    assert "MIC equal is False, not True" in printed
    assert "ValueError: the peer died" in printed
    assert interop_run.tell([interop_run.Result(cases[0])], ("openssl",), [], 1.0, Console(quiet=True)) == 0


def test_the_page_shows_every_row_of_the_matrix_and_every_limit() -> None:
    page = (ROOT / "docs" / "interop.md").read_text()
    told = " ".join(page.split())
    for text in [*LAYERS, *RECEIPTS, *DIGESTS, *CIPHERS, *SCHEMES, *TRANSPORTS, *PAYLOADS, HUGE]:
        assert text in told
    assert set(re.findall(r"not possible: ([^\n]+)", page)) == {
        reason for case in [*every_case(), *huge_cases()] if (reason := impossible(case))
    }
