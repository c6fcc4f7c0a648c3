"""Receipts, payments and verdicts in EDIFACT: what they say, and what they carry of a document."""

from __future__ import annotations

from decimal import Decimal

import pytest
from maps_support import DAY, SAMPLES, carried, message, messages, standard
from msgspec.structs import replace
from test_edifact_sales import RECEIVED, lines_of, read

from edi import edifact
from edi.documents import (
    Adjustment,
    ApplicationAdvice,
    Dated,
    Discrepancy,
    Extra,
    PaidItem,
    PaymentAdvice,
    ReceiptException,
    ReceiptLine,
    ReceivedLine,
    ReceivedPallet,
    ReceivingAdvice,
    Reference,
    Remittance,
    StockReceipt,
    Verdict,
)
from edi.problems import CannotWrite
from edi.tree import NORMAL

# receipts

RECEIPT = """
    BGM+632+WR-1+9
    DTM+50:20260105:102
    NAD+WH+4012345500103::9
    CPS+1
    LIN+1
    QTY+48:10
    CNT+2:1
    """


def received(body: str, *, as_it_was: bool = True) -> StockReceipt:
    """The receipt in a message, which writes it as it was."""
    receipt = read(body, "RECADV.stock_receipt", "D.96A")
    assert isinstance(receipt, StockReceipt)
    lines = carried(receipt, "RECADV.stock_receipt", "D.96A")
    assert not as_it_was or lines == lines_of(body)
    return receipt


def test_a_receipt_of_one_package_has_lines_and_no_pallet() -> None:
    receipt = received(RECEIPT)
    assert (receipt.pallets, receipt.lines) == ((), (ReceiptLine(received=Decimal(10)),))
    nothing = received("BGM+632+WR-1+9\nDTM+50:20260105:102\nNAD+WH\nCNT+2:0")
    assert (nothing.pallets, nothing.lines) == ((), ())


def test_packages_and_lines_without_numbers_as_documents_have_them_keep_theirs() -> None:
    receipt = received(RECEIPT.replace("CPS+1\n    LIN+1", "CPS+A7\n    LIN+30"))
    (pallet,) = receipt.pallets
    assert (pallet.number, pallet.extra) == (1, (("CPS01", "A7"),))
    assert pallet.lines[0].extra == (("LIN01", "30"),)


def test_a_receipt_without_a_date_of_its_own_has_that_of_the_message() -> None:
    receipt = received(RECEIPT.replace("DTM+50", "DTM+137"), as_it_was=False)
    assert (receipt.received_on, receipt.dates) == (DAY, (Dated(type="document", on=DAY),))


def test_what_was_accepted_was_received() -> None:
    receipt = received(RECEIPT.replace("QTY+48:10", "QTY+194:9,5:KGM"), as_it_was=False)
    assert receipt.lines[0].received == Decimal("9.5")
    assert receipt.lines[0].extra == (("QTY", "194\x1f9,5\x1fKGM"),)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("DTM+50", "DTM+2", "it does not tell when the goods were received"),
        ("QTY+48", "QTY+12", "it does not tell how much was received of line 1"),
    ],
)
def test_a_message_that_tells_no_receipt_is_a_problem(old: str, new: str, says: str) -> None:
    check = edifact.check(message(RECEIPT.replace(old, new), "RECADV"))
    document, (problem,) = standard("RECADV.stock_receipt").read(check.rows, check.places, NORMAL)
    assert (document, problem.message) == (None, says)


@pytest.mark.parametrize(
    ("variance", "quantity", "condition", "extra"),
    [
        ("QVR+-3:119", 3, "short", ()),
        ("QVR+3:119", -3, "short", ()),
        ("QVR+2:195", 2, "rejected", ()),
        ("QVR+2+AC", 2, "over", ()),
        ("QVR+-2:12+CP+PC", -2, "CP", (("QVR01-2", "12"), ("QVR03", "PC"))),
        ("QVR+2:20", 2, "20", ()),
    ],
)
def test_a_variance_is_an_exception_by_its_discrepancy_or_its_kind(
    variance: str, quantity: int, condition: str, extra: Extra
) -> None:
    (line,) = received(RECEIPT.replace("QTY+48:10", f"QTY+48:10\n{variance}")).lines
    told = ReceiptException(quantity=Decimal(quantity), unit="each", condition=condition, extra=extra)
    assert line.exceptions == (told,)


@pytest.mark.parametrize(
    ("variance", "condition"), [("QVR+-3", "short"), ("QVR+3", "over"), ("QVR+3:124", "damaged")]
)
def test_a_variance_that_says_less_is_told_by_its_sign_or_kind(variance: str, condition: str) -> None:
    (line,) = received(RECEIPT.replace("QTY+48:10", f"QTY+48:10\n{variance}"), as_it_was=False).lines
    assert (line.exceptions[0].quantity, line.exceptions[0].condition) == (Decimal(3), condition)


@pytest.mark.parametrize(
    ("receipt", "says"),
    [
        (
            StockReceipt(number="1", received_on=DAY, lines=(RECEIVED,), pallets=(ReceivedPallet(number=1),)),
            "StockReceipt.lines: stand by pallet where there are pallets",
        ),
        (
            StockReceipt(number="1", received_on=DAY, reporting="full"),
            "StockReceipt.reporting: the map has no place for it",
        ),
        (
            StockReceipt(
                number="1",
                received_on=DAY,
                lines=(
                    replace(RECEIVED, exceptions=(replace(RECEIVED.exceptions[0], damage_reason="crushed"),)),
                ),
            ),
            "StockReceipt.lines[0].exceptions[0].damage_reason: the map has no place for it",
        ),
        (
            StockReceipt(
                number="1",
                received_on=DAY,
                lines=(replace(RECEIVED, exceptions=(replace(RECEIVED.exceptions[0], unit="each"),)),),
            ),
            "StockReceipt: would be read as another document",
        ),
    ],
)
def test_what_a_receiving_advice_cannot_carry_is_refused(receipt: StockReceipt, says: str) -> None:
    with pytest.raises(CannotWrite) as refused:
        standard("RECADV.stock_receipt").write(receipt)
    assert any(says in problem.message for problem in refused.value.problems), refused.value.problems


ADVICE = """
    BGM+632+RA-1+9
    DTM+137:20260105:102
    NAD+BY+5412345000013::9
    CPS+1
    CPS+2+1
    LIN+1
    QTY+48:10
    QVR+-1:119
    QVR+-2:12
    QVR+3+AC
    QVR+4:12+CP+PC
    QVR+5
    CPS+3+1
    PAC+1
    CNT+2:1
    """


def test_what_a_customer_tells_of_packages_and_of_more_discrepancies_is_kept() -> None:
    advice = read(ADVICE, "RECADV", "D.96A")
    assert carried(advice, "RECADV", "D.96A") == lines_of(ADVICE)
    assert isinstance(advice, ReceivingAdvice)
    (line,) = advice.lines
    assert line.discrepancy == Discrepancy(quantity=Decimal(1), condition="short")
    assert line.second_discrepancy == Discrepancy(quantity=Decimal(-2), condition="12")
    assert line.third_discrepancy == Discrepancy(quantity=Decimal(3), condition="over")
    assert line.extra == (
        ("CPS01", "1"),
        ("CPS01", "2"),
        ("CPS>CPS02", "1"),
        ("QVR[4]>QVR01-1", "4"),
        ("QVR[4]>QVR01-2", "12"),
        ("QVR[4]>QVR02", "CP"),
        ("QVR[4]>QVR03", "PC"),
        ("QVR[5]>QVR01-1", "5"),
    )
    assert advice.extra == (("CPS01", "3"), ("CPS>CPS02", "1"), ("CPS>PAC", "1"))


def test_orders_of_a_receiving_advice_are_no_references() -> None:
    reference = Reference(type="purchase_order", value="PO-1")
    for advice in (
        ReceivingAdvice(number="1", references=(reference,)),
        ReceivingAdvice(number="1", lines=(ReceivedLine(references=(reference,)),)),
    ):
        with pytest.raises(CannotWrite, match="would be read as one of `orders`"):
            standard("RECADV").write(advice)


# payments

PAYMENT = """
    BGM+481+RA-1+9
    DTM+137:20260110:102
    DOC+380+INV-1
    MOA+12:900
    MOA+9:1000
    UNS+S
    MOA+12:900
    """


def payment_in(body: str) -> PaymentAdvice:
    payment = read(body, "REMADV", "D.96A")
    assert isinstance(payment, PaymentAdvice)
    carried(payment, "REMADV", "D.96A")
    return payment


@pytest.mark.parametrize(
    ("adjustments", "amounts"),
    [
        ("AJT+3|MOA+165:-100", [-100]),
        ("AJT+3|MOA+165:100", [-100]),
        ("AJT+3|MOA+8:130|AJT+5|MOA+8:-30", [-130, 30]),
        ("AJT+3|MOA+165:99", [99]),
        ("AJT+3", []),
    ],
)
def test_what_was_deducted_is_below_zero_where_what_was_paid_shows_it(
    adjustments: str, amounts: list[int]
) -> None:
    told_too = adjustments.replace("|", "\n")
    (item,) = payment_in(PAYMENT.replace("MOA+9:1000", f"MOA+9:1000\n{told_too}")).items
    assert [one.amount for one in item.adjustments] == amounts


@pytest.mark.parametrize("kind", ["9", "11", "86", "128", "139"])
def test_a_payment_is_of_what_was_remitted_or_of_the_total_that_is_told(kind: str) -> None:
    assert payment_in(PAYMENT.replace("UNS+S\n    MOA+12", f"UNS+S\n    MOA+{kind}")).amount == Decimal(900)


def test_an_advice_that_tells_no_payment_is_a_problem() -> None:
    body = PAYMENT.replace("UNS+S\n    MOA+12", "UNS+S\n    MOA+1")
    check = edifact.check(message(body, "REMADV"))
    document, (problem,) = standard("REMADV").read(check.rows, check.places, NORMAL)
    assert (document, problem.message) == (None, "it does not tell how much was paid")


ADVISED = PaymentAdvice(amount=Decimal(1), handling="advice_only", sign="credit")


@pytest.mark.parametrize(
    ("payment", "says"),
    [
        (replace(ADVISED, handling="payment_with_advice"), "handling: is always 'advice_only' here"),
        (replace(ADVISED, sign=None), "sign: is always 'credit' here"),
        (replace(ADVISED, format="CTX"), "format: the map has no place for it"),
        (replace(ADVISED, remittances=(Remittance(number=1),)), "remittances[0].number: the map has no"),
        (replace(ADVISED, remittances=(Remittance(), Remittance())), "remittances: there is one alone"),
        (
            replace(
                ADVISED,
                remittances=(
                    Remittance(
                        items=(
                            PaidItem(
                                paid=Decimal(9),
                                amount=Decimal(10),
                                adjustments=(Adjustment(amount=Decimal(1)),),
                            ),
                        )
                    ),
                ),
            ),
            "PaymentAdvice: would be read as another document",
        ),
    ],
)
def test_what_a_remittance_advice_cannot_carry_is_refused(payment: PaymentAdvice, says: str) -> None:
    with pytest.raises(CannotWrite) as refused:
        standard("REMADV").write(payment)
    assert any(says in problem.message for problem in refused.value.problems), refused.value.problems


# verdicts

REPORT = """
    BGM++AP-1
    DTM+137:20260112:102
    RFF+IV:INV-1
    """


def verdict_in(body: str, version: str = "D.96A") -> Verdict:
    """The verdict of a message, which is written as one that says the same."""
    advice = read(body, "APERAK", version)
    assert isinstance(advice, ApplicationAdvice)
    carried(advice, "APERAK", version)
    (verdict,) = advice.verdicts
    return verdict


@pytest.mark.parametrize(
    ("beginning", "errors", "status"),
    [
        ("BGM++AP-1", "", "accepted"),
        ("BGM++AP-1", "ERC+12", "rejected"),
        ("BGM++AP-1+9+AP", "ERC+12", "accepted"),
        ("BGM++AP-1++CA", "ERC+12", "accepted_with_errors"),
        ("BGM++AP-1+27", "", "rejected"),
        ("BGM++AP-1+29+AB", "ERC+12", "accepted"),
        ("BGM++AP-1+34", "", "accepted_with_changes"),
        ("BGM++AP-1+9+NA", "", "accepted"),
        ("BGM+312+AP-1", "ERC+12", "accepted"),
        ("BGM+313+AP-1", "", "rejected"),
    ],
)
def test_a_message_accepts_or_refuses_by_its_response_its_function_its_name_or_its_errors(
    beginning: str, errors: str, status: str
) -> None:
    body = REPORT.replace("BGM++AP-1", beginning) + errors
    assert verdict_in(body, "D.01B").status == status


@pytest.mark.parametrize(
    ("references", "about"),
    [
        ("RFF+ON:PO-1|RFF+IV:INV-1", ("invoice", "INV-1", "INVOIC")),
        ("RFF+AAK:D-1|RFF+ON:PO-1", ("despatch_advice", "D-1", "DESADV")),
        ("RFF+POR:SO-1", ("order_response", "SO-1", "ORDRSP")),
        ("RFF+ACW:4711|RFF+ON:PO-1", ("previous_message", "4711", None)),
        ("RFF+ON:PO-1:3", ("purchase_order", "PO-1", None)),
        ("RFF+ON|RFF+DM:7", ("document", "7", None)),
        ("DOC+351+D-1|RFF+ON:PO-1", ("despatch_advice", "D-1", "DESADV")),
        ("DOC+380:::INVOICE+INV-1:9|DOC+351+D-1", ("invoice", "INV-1", "INVOIC")),
        ("DOC+105+X|DOC+380|RFF+ON:PO-1", ("purchase_order", "PO-1", None)),
    ],
)
def test_a_verdict_is_on_the_document_of_ours_that_is_named(
    references: str, about: tuple[str, str, str | None]
) -> None:
    verdict = verdict_in(REPORT.replace("RFF+IV:INV-1", references.replace("|", "\n")), "D.01B")
    assert (verdict.number_type, verdict.number, verdict.transaction_set) == about


def test_the_verdict_of_a_real_partner_names_the_order() -> None:
    name = "APERAK/indice-co_EDI.Net__Samples_Apperak_edi_out_issue235.edi"
    data = (SAMPLES.parent / "edifact" / name).read_bytes()
    (transaction,) = messages(data)
    check = edifact.check(transaction)
    advice, _ = standard("APERAK").read(check.rows, check.places, NORMAL)
    assert isinstance(advice, ApplicationAdvice)
    assert (advice.number, advice.purchase_orders) == ("0109094405", ("4506701767",))
    assert advice.verdicts[0].refused is False


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("RFF+IV:INV-1", "RFF+IV", "it does not tell what it is about"),
        ("DTM+137", "DTM+2", "it does not tell when it was made"),
    ],
)
def test_a_message_that_is_no_verdict_is_a_problem(old: str, new: str, says: str) -> None:
    check = edifact.check(message(REPORT.replace(old, new), "APERAK"))
    document, (problem,) = standard("APERAK").read(check.rows, check.places, NORMAL)
    assert (document, problem.message) == (None, says)


ADVISING = ApplicationAdvice(number="1", advised_on=DAY)
ACCEPTED = Verdict(status="accepted", number_type="invoice", number="INV-1", transaction_set="INVOIC")


@pytest.mark.parametrize(
    ("advice", "says"),
    [
        (ADVISING, "verdicts: there must be one, and one alone"),
        (replace(ADVISING, verdicts=(ACCEPTED, ACCEPTED)), "verdicts: there must be one, and one alone"),
        (replace(ADVISING, about="X", verdicts=(ACCEPTED,)), "about: the map has no place for it"),
        (
            replace(ADVISING, verdicts=(replace(ACCEPTED, control_number="1"),)),
            "verdicts[0].control_number: the map has no place for it",
        ),
        (
            replace(ADVISING, verdicts=(replace(ACCEPTED, transaction_set="810"),)),
            "ApplicationAdvice: would be read as another document",
        ),
    ],
)
def test_what_a_message_cannot_carry_of_verdicts_is_refused(advice: ApplicationAdvice, says: str) -> None:
    with pytest.raises(CannotWrite) as refused:
        standard("APERAK").write(advice)
    assert any(says in problem.message for problem in refused.value.problems), refused.value.problems
