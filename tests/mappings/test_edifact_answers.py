"""Invoices and answers to orders in EDIFACT: terms of payment, and answers to orders and their lines."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from maps_support import DAY, carried, shaped, standard
from test_edifact_sales import lines_of, read

from edi.documents import (
    AnsweredLine,
    Dated,
    Invoice,
    InvoiceLine,
    LineAnswer,
    OrderAcknowledgment,
    Terms,
)
from edi.problems import CannotWrite

# invoices

SHORT = """
    BGM+380+INV-1
    DTM+137:20260105:102
    PAT+1
    LIN+1
    QTY+47:1
    UNS+S
    CNT+2:1
    MOA+86:10
    """


def terms_of(*groups: str) -> tuple[Terms, ...]:
    """The terms in an invoice with these segments, which writes them as they were."""
    body = SHORT.replace("PAT+1", "\n".join(groups))
    invoice = read(body, "INVOIC", "D.96A")
    assert isinstance(invoice, Invoice)
    assert carried(invoice, "INVOIC", "D.96A") == lines_of(body)
    return invoice.terms


@pytest.mark.parametrize(
    ("groups", "terms"),
    [
        ("PAT+1", [Terms(type="01")]),
        ("PAT+ZZZ++ZZZ:3:D:14", [Terms(net_days=14)]),
        ("PAT+3|DTM+13:20260201:102", [Terms(type="03", net_due_on=dt.date(2026, 2, 1))]),
        ("PAT+22++5:3:D:10|PCD+12:2", [Terms(basis="3", discount_days=10, discount_percent=Decimal(2))]),
        (
            "PAT+1++5:3:D:30|PAT+22++5:3:D:10|PCD+12:3|PAT+22++5:3:D:20|PCD+12:2",
            [
                Terms(type="01", basis="3", net_days=30, discount_days=10, discount_percent=Decimal(3)),
                Terms(basis="3", discount_days=20, discount_percent=Decimal(2)),
            ],
        ),
        (
            "PAT+1+6:::30 DAYS NET++|PAT+22|DTM+12:20260110:102|PCD+12:2:13|MOA+52:5".replace("++|", "|"),
            [
                Terms(
                    type="01",
                    description="30 DAYS NET",
                    discount_due_on=dt.date(2026, 1, 10),
                    discount_percent=Decimal(2),
                    discount_amount=Decimal(5),
                    extra=(("PAT[22]>PCD01-3", "13"),),
                )
            ],
        ),
        (
            "PAT+1++5:3:M:2",
            [Terms(type="01", basis="3", extra=(("PAT03-2", "3"), ("PAT03-3", "M"), ("PAT03-4", "2")))],
        ),
        (
            "PAT+1++5:3:D:30|PAT+22++21:3:D:10|PCD+12:2",
            [
                Terms(type="01", basis="3", net_days=30),
                Terms(basis="15", discount_days=10, discount_percent=Decimal(2)),
            ],
        ),
    ],
)
def test_a_discount_belongs_to_the_terms_before_it(groups: str, terms: list[Terms]) -> None:
    assert terms_of(*groups.split("|")) == tuple(terms)


@pytest.mark.parametrize(
    "terms",
    [
        (Terms(type="01", net_days=30), Terms(discount_percent=Decimal(2))),
        (Terms(type="discount", net_days=30),),
        (Terms(net_days=-1),),
        (Terms(type="none"),),
    ],
)
def test_terms_that_would_be_read_otherwise_are_refused(terms: tuple[Terms, ...]) -> None:
    with pytest.raises(CannotWrite, match=r"Invoice\.terms: would be read otherwise"):
        standard("INVOIC").write(Invoice(number="1", terms=terms))


def test_an_invoice_without_a_type_is_a_commercial_one_and_a_credit_note_has_one() -> None:
    assert (
        carried(Invoice(number="1", invoiced_on=DAY, total=Decimal(1)), "INVOIC", "D.96A")[0] == "BGM+380+1"
    )
    credit = read(SHORT.replace("380", "381"), "INVOIC", "D.96A")
    assert isinstance(credit, Invoice)
    assert credit.type == "CR"
    with pytest.raises(CannotWrite, match=r"Invoice\.type: is told of other invoices only"):
        standard("INVOIC").write(Invoice(number="1", type="invoice"))


def test_a_long_description_fills_both_of_its_components() -> None:
    told = "CORN CRUNCHIES IN A BOX OF TWENTY FOUR"
    invoice = Invoice(
        number="1", invoiced_on=DAY, total=Decimal(1), lines=(InvoiceLine(number="1", description=told),)
    )
    assert f"IMD+F++:::{told[:35]}:{told[35:]}" in carried(invoice, "INVOIC", "D.96A")
    assert f"IMD+F++:::{told}" in carried(invoice, "INVOIC", "D.01B")


# answers to orders

ANSWER = """
    BGM+231+SO-9+29
    DTM+137:20260112:102
    RFF+ON:PO-1
    LIN+1+5
    QTY+21:10
    UNS+S
    CNT+2:1
    """


def answered(body: str) -> OrderAcknowledgment:
    """The answer in a message, which writes it as it was."""
    document = read(body, "ORDRSP", "D.01B")
    assert isinstance(document, OrderAcknowledgment)
    assert carried(document, "ORDRSP", "D.01B") == lines_of(body)
    return document


@pytest.mark.parametrize(
    ("told", "purpose", "answer"),
    [
        ("29", "original", "accepted"),
        ("27", "original", "rejected"),
        ("4", "original", "acknowledged_with_changes"),
        ("11", "original", "acknowledged"),
        ("23", "original", "on_hold"),
        ("9", "original", None),
        ("9+AD", "original", "acknowledged_with_detail"),
        ("4+AC", "change", "acknowledged_with_changes"),
        ("6+AP", "confirmation", "accepted"),
        ("9+CA", "original", "CA"),
        ("+AP", None, "accepted"),
        ("29+NA", "original", "accepted"),
    ],
)
def test_an_order_is_answered_by_the_function_of_the_message_or_by_its_response(
    told: str, purpose: str | None, answer: str | None
) -> None:
    document = answered(ANSWER.replace("SO-9+29", f"SO-9+{told}"))
    assert (document.purpose, document.answer) == (purpose, answer)
    assert document.extra == ((("BGM04", "NA"),) if "29+" in told else ())


@pytest.mark.parametrize(("purpose", "answer"), [("change", None), (None, "AP")])
def test_an_answer_that_would_be_read_otherwise_is_refused(purpose: str | None, answer: str | None) -> None:
    with pytest.raises(CannotWrite, match=r"OrderAcknowledgment\.answer: would be read otherwise") as refused:
        standard("ORDRSP").write(OrderAcknowledgment(number="1", purpose=purpose, answer=answer))
    assert refused.value.problems


@pytest.mark.parametrize(
    ("told", "answers"),
    [
        ("LIN+1|QTY+21:10", []),
        ("LIN+1+5|QTY+21:10", [LineAnswer(status="accepted")]),
        ("LIN+1+2|QTY+21:10|QTY+182:10", [LineAnswer(status="deleted", quantity=Decimal(10))]),
        ("LIN+1+7|QTY+21:10|QVR+++UM", [LineAnswer(status="rejected_unit")]),
        (
            "LIN+1+3|QTY+21:10|QTY+113:6|QTY+185:4|QVR+++DC",
            [
                LineAnswer(status="accepted_rescheduled", quantity=Decimal(6)),
                LineAnswer(status="rejected", quantity=Decimal(4)),
            ],
        ),
        (
            "LIN+1+3|QTY+21:10|QVR+++PC",
            [LineAnswer(status="accepted_with_changes", extra=(("QVR03-1", "PC"),))],
        ),
        (
            "LIN+1|QTY+21:10|QTY+113:6:PCE|QTY+83:2:PCE|QTY+185:2:PCE",
            [
                LineAnswer(status="to_be_delivered", quantity=Decimal(6), unit="piece"),
                LineAnswer(status="back_ordered", quantity=Decimal(2), unit="piece"),
                LineAnswer(status="185", quantity=Decimal(2), unit="piece"),
            ],
        ),
        (
            "LIN+1|PIA+3+AB-2:SA|QTY+21:10",
            [LineAnswer(status="substituted", ids={"vendor": "AB-2"})],
        ),
    ],
)
def test_a_line_is_answered_by_its_action_and_by_quantities(told: str, answers: list[LineAnswer]) -> None:
    body = ANSWER.replace("LIN+1+5\n    QTY+21:10", told.replace("|", "\n"))
    assert answered(body).lines[0].answers == tuple(answers)


def test_the_first_promise_of_a_line_is_the_date_of_its_answer() -> None:
    dates = "DTM+67:20260119:102\nDTM+2:20260115:102\nDTM+69:20260120:102"
    (line,) = answered(ANSWER.replace("QTY+21:10", f"QTY+21:10\n{dates}")).lines
    assert (line.answers[0].date_type, line.answers[0].on) == ("67", dt.date(2026, 1, 19))
    assert [date.type for date in line.dates] == ["requested_delivery", "promised_delivery"]


def test_a_date_that_says_nothing_is_no_promise_of_a_line() -> None:
    (line,) = answered(ANSWER.replace("QTY+21:10", "QTY+21:10\n    DTM+67")).lines
    assert (line.answers[0].date_type, line.answers[0].on) == (None, None)
    empty = AnsweredLine(answers=(LineAnswer(status="accepted"),), dates=(Dated(), Dated()))
    document = OrderAcknowledgment(number="1", lines=(empty,))
    assert shaped(standard("ORDRSP"), document).lines[0].dates == (Dated(), Dated())


def test_a_reason_without_an_action_is_kept() -> None:
    (line,) = answered(ANSWER.replace("LIN+1+5\n    QTY+21:10", "LIN+1\n    QTY+21:10\n    QVR+++UP")).lines
    assert (line.answers, line.extra) == ((), (("QVR03-1", "UP"),))


@pytest.mark.parametrize(
    "answers",
    [
        (LineAnswer(status="back_ordered", quantity=Decimal(1)), LineAnswer(status="accepted")),
        (LineAnswer(status="accepted"), LineAnswer(status="back_ordered")),
        (LineAnswer(status="accepted", unit="each"),),
        (LineAnswer(status="accepted", date_type="document", on=DAY),),
        (LineAnswer(status="accepted", request="R-1"),),
    ],
)
def test_answers_of_a_line_that_would_be_read_otherwise_are_refused(answers: tuple[LineAnswer, ...]) -> None:
    document = OrderAcknowledgment(number="1", lines=(AnsweredLine(answers=answers),))
    with pytest.raises(CannotWrite, match=r"lines\[0\]\.answers: would be read otherwise"):
        standard("ORDRSP").write(document)


def test_an_answer_to_a_change_names_it() -> None:
    assert answered(ANSWER).answers_change is False
    change = answered(ANSWER.replace("PO-1", "PO-1\nRFF+PP:2"))
    assert (change.answers_change, change.sequence) == (True, "2")
