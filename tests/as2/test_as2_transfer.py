"""The headers of AS2 Restart, read and written (draft-harding-as2-restart-07)."""

from __future__ import annotations

import pytest

from gateway.as2 import As2Refused, Headers, Transfer, read_transfer, told_held, transfer_headers, transfer_id

READ = {
    "from the start": (['ETag: "t"', "Content-Range: bytes 0-99/100"], Transfer("t", 0, 100, 100, None)),
    "with its length": (
        ['ETag: "t"', "Content-Range: bytes 40-99/100", "Content-Length: 60"],
        Transfer("t", 40, 100, 100, 60),
    ),
    "no range, but a length": (['ETag: "t"', "Content-Length: 0100"], Transfer("t", 0, 100, 100, 100)),
    "without a unit or quotes": (["ETag: t", "Content-Range: 40-99/100"], Transfer("t", 40, 100, 100, None)),
    "no range and no length": (['ETag: "t"'], None),
    "nothing at all": (['ETag: "t"', "Content-Length: 0"], None),
    "a weak tag": (['ETag: W/"t"', "Content-Length: 100"], None),
    "two tags": (['ETag: "t"', 'ETag: "u"', "Content-Length: 100"], None),
    "a whole without a name": (["Content-Range: bytes 0-99/100"], None),
}


def fields(lines: list[str]) -> Headers:
    return Headers.of([(line.partition(": ")[0], line.partition(": ")[2]) for line in lines])


@pytest.mark.parametrize(("lines", "found"), READ.values(), ids=READ)
def test_r5_a_request_says_which_part_it_brings(lines: list[str], found: Transfer | None) -> None:
    assert read_transfer(fields(lines)) == found


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Range: bytes 1-99/100"],
        ["Content-Range: bytes 0-98/100"],
        ['ETag: W/"t"', "Content-Range: bytes 1-99/100"],
        ['ETag: "t"', "Content-Range: bytes 1-99/*"],
        ['ETag: "t"', "Content-Range: bytes -99/100"],
        ['ETag: "t"', "Content-Range: bytes 1-99/" + "9" * 19],
        ['ETag: "t"', "Content-Range: bytes 1-99/100", "Content-Range: bytes 2-99/100"],
    ],
    ids=lambda lines: lines[-1][:40],
)
def test_r5_a_part_that_cannot_be_put_in_its_place_is_refused(lines: list[str]) -> None:
    with pytest.raises(As2Refused) as refused:
        read_transfer(fields(lines))
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("start", "end", "length", "sound"),
    [
        (0, 100, 100, True),
        (40, 100, None, True),
        (40, 90, 50, False),
        (40, 100, 59, False),
        (60, 40, None, False),
    ],
)
def test_r5_a_sound_part_is_all_that_is_left(start: int, end: int, length: int | None, sound: bool) -> None:
    assert Transfer("t", start, end, 100, length).sound is sound


def test_r5_what_is_written_is_read_back_and_leaves_the_other_headers_as_they_are() -> None:
    message = [("AS2-From", "A"), ("Content-Length", "100"), ("Content-Type", "text/plain")]
    written = transfer_headers(message, "t-1", 40, 100)
    assert read_transfer(Headers.of(written)) == Transfer("t-1", 40, 100, 100, 60)
    assert transfer_id(Headers.of(written)) == "t-1"
    assert [pair for pair in message if pair[0] != "Content-Length"] == written[:2]


@pytest.mark.parametrize(
    ("status", "header", "held"),
    [
        (200, ("Content-Length", "40"), 40),
        (204, ("content-length", "40"), 40),
        (404, ("Content-Length", "40"), 0),
        (500, ("Content-Length", "40"), 0),
        (200, ("Content-Length", "many"), 0),
        (200, ("Content-Range", "bytes */40"), 0),
        (416, ("Content-Range", "bytes */40"), 40),
        (416, ("Content-Range", "bytes 0-1/40"), 0),
        (416, ("Content-Length", "40"), 0),
    ],
)
def test_r5_an_answer_tells_what_is_held_or_nothing(status: int, header: tuple[str, str], held: int) -> None:
    assert told_held([("Date", "now"), header], status) == held
