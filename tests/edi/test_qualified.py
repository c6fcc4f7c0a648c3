"""Dates in the format their qualifier names, and check digits where a guide asks for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import x12
from edi.guide import GuideError, read_guide
from edi.problems import Fault, Problem
from edi.qualified import check_digit, has_check_digit, in_format
from edi.tree import Separators, Transaction

GUIDE = b'name = "ACME"\nset = "856"\ncheck_digits = true\n'


def notice(row: str) -> Transaction:
    rows = ["ST*856*0001", "BSN*00*SHIP-1*20260105*1200", "HL*1**S", row]
    return Transaction("856", "0001", "004010", Separators(), (*rows, f"SE*{len(rows) + 1}*0001"), 0)


def told(transaction: Transaction, guide: bytes | None = None) -> tuple[Problem, ...]:
    checked = x12.check(transaction, read_guide(guide) if guide else None)
    plain = x12.checker("856", "004010", read_guide(guide) if guide else None)
    assert plain is not None
    assert plain.check_thoroughly(transaction).problems == checked.problems
    return checked.problems


@pytest.mark.parametrize(
    ("digits", "digit"),
    [
        ("01234567890", "5"),  # UPC-A
        ("400638133393", "1"),  # EAN-13
        ("1001234567890", "2"),  # GTIN-14
        ("00614141123456789", "0"),  # SSCC-18
        ("9638507", "4"),  # EAN-8
    ],
)
def test_check_digits_are_those_that_are_printed(digits: str, digit: str) -> None:
    assert check_digit(digits) == digit
    assert has_check_digit(digits + digit)


@given(st.text("0123456789", min_size=7, max_size=17), st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(digits: str, at: int, more: int) -> None:
    whole = digits + check_digit(digits)
    at %= len(whole)
    wrong = whole[:at] + str((int(whole[at]) + more) % 10) + whole[at + 1 :]
    assert has_check_digit(whole)
    assert not has_check_digit(wrong)


@pytest.mark.parametrize(
    ("row", "element"),
    [
        ("LIN*1*UP*012345678906", 3),
        ("LIN*1*VN*A*EN*4006381333932", 5),
        ("LIN*1*UK*10012345678903", 3),
        ("MAN*GM*006141411234567891", 2),
        ("MAN*GM*00006141411234567891", 2),
        ("N1*ST*Store*UL*4006381333932", 4),
    ],
)
def test_a_wrong_check_digit_is_told_where_a_guide_asks_for_it(row: str, element: int) -> None:
    transaction = notice(row)
    assert told(transaction) == ()
    (problem,) = told(transaction, GUIDE)
    assert (problem.fault, problem.segment, problem.position, problem.element) == (
        Fault.CHECK_DIGIT_WRONG,
        row.split("*")[0],
        4,
        element,
    )
    assert problem.guide == "ACME"
    text = "~".join(transaction.segments)
    assert problem.value is not None
    assert text[problem.offset :].startswith(problem.value)


@pytest.mark.parametrize(
    "row",
    [
        "LIN*1*UP*012345678905",
        "LIN*1*UI*01234567890",  # without its check digit
        "LIN*1*VN*012345678906",
        "MAN*GM*006141411234567890",
        "MAN*CP*006141411234567891",
        "N1*ST*Store*92*4006381333932",
    ],
)
def test_what_is_right_or_promises_no_check_digit_is_left_alone(row: str) -> None:
    assert told(notice(row), GUIDE) == ()


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("DTM*011****D8*20260231", Fault.DATE_INVALID),
        ("DTM*011****D8*260105", Fault.DATE_INVALID),
        ("DTM*011****RD8*20260105", Fault.DATE_INVALID),
        ("DTM*011****RD8*20260105-2026010A", Fault.DATE_INVALID),
        ("DTM*011****TM*2460", Fault.TIME_INVALID),
        ("DTM*011****DT*202601052461", Fault.DATE_INVALID),
    ],
)
def test_a_date_that_is_not_in_the_format_named_before_it_is_told(row: str, fault: Fault) -> None:
    transaction = notice(row)
    (problem,) = told(transaction)
    assert (problem.fault, problem.segment, problem.element) == (fault, "DTM", 6)
    assert "~".join(transaction.segments)[problem.offset :].startswith(row.split("*")[6])


@pytest.mark.parametrize("row", ["DTM*011****D8*20260105", "DTM*011****RD8*20260105-20260106"])
def test_a_date_in_the_format_named_before_it_is_accepted(row: str) -> None:
    assert told(notice(row)) == ()


def test_a_format_that_is_not_known_is_no_reason_to_reject() -> None:
    assert in_format("ZZ9", "anything")
    assert in_format("TS", "235959")
    assert not in_format("TS", "235960")
    assert not in_format("D8", "²²²²²²²²")


def test_a_guide_that_asks_for_check_digits_by_another_word_is_refused() -> None:
    with pytest.raises(GuideError, match="check_digits: is neither true nor false"):
        read_guide(GUIDE.replace(b"true", b'"yes"'))
