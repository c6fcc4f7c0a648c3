"""Acknowledgments: what a 997 and a TA1 say of what was read, and what received ones are read as."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from x12_support import DOCUMENTS, GROUPS, VERSIONS, damaged, document, envelope, events, transactions

import x12
from edi.guide import Guide, read_guide
from edi.problems import Fault
from edi.tree import Event, Group, GroupEnd, Interchange, InterchangeEnd, Separators, Transaction
from x12 import acks, dictionary
from x12.acks import ElementAck, GroupAck, SegmentAck, TransactionAck
from x12.writer import Body, writable, write

SAMPLES = Path(__file__).parents[1] / "samples" / "x12"


def answer(found: list[Event], guide: Guide | None = None) -> list[GroupAck]:
    answers = []
    builder = None
    for event in found:
        if isinstance(event, Group):
            builder = acks.FunctionalAck(event)
        elif isinstance(event, Transaction):
            assert builder is not None
            builder.add(event, x12.check(event, guide))
        elif isinstance(event, GroupEnd):
            assert builder is not None
            answers.append(builder.finish(event))
    return answers


def written(ack: GroupAck, version: str, separators: Separators = Separators()) -> bytes:  # noqa: B008
    said = envelope(version, "FA", separators=separators)
    return write(said, [Body("997", 1, acks.write_997(ack, version, separators))], check=True)


def without_unit(transactions: tuple[TransactionAck, ...]) -> tuple[TransactionAck, ...]:
    """As a 997 tells them, which does not name the document."""
    return tuple(replace(transaction, unit=None) for transaction in transactions)


def reread(data: bytes, component: str = ">") -> GroupAck:
    (transaction,) = transactions(data)
    return acks.read_group_ack(x12.check(transaction).rows, component)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("transaction_set", sorted(set(DOCUMENTS) - {"997"}))
def test_a_right_group_is_accepted(transaction_set: str, version: str) -> None:
    (ack,) = answer(events(document(transaction_set, version)))
    assert (ack.status, ack.included, ack.received, ack.accepted, ack.codes) == ("A", 1, 1, 1, ())
    assert ack.transactions == (TransactionAck(transaction_set, "0001", "A"),)
    body = ["*".join(map(str, row)) for row in acks.write_997(ack, version)]
    told_version = "*005010" if version == "005010" else ""
    assert body == [
        f"AK1*{GROUPS[transaction_set]}*3{told_version}",
        f"AK2*{transaction_set}*0001",
        "AK5*A",
        "AK9*A*1*1*1",
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_997_is_valid_itself_and_is_read_back_as_what_it_was_written_from(version: str) -> None:
    data = damaged("850", "BEG*00*SA*PO-1001", "BEG*QQ*SA*" + "P" * 30, version)
    data = data.replace(b"LB~", b"LB>1>1>Q7Z~").replace(b"CUR*BY*USD~", b"CUR*BY*USD~\nZZ9*1~")
    (ack,) = answer(events(data))
    again = reread(written(ack, version))
    assert again.transactions == without_unit(ack.transactions)
    assert (again.status, again.included, again.received, again.accepted) == ("R", 1, 1, 0)
    assert again.version == (version if version == "005010" else "")
    (transaction,) = ack.transactions
    assert transaction.segments == (
        SegmentAck(
            *("BEG", 2, None, "8"),
            (ElementAck(1, None, None, "353", "7", "QQ"), ElementAck(3, None, None, "324", "5", "P" * 30)),
        ),
        SegmentAck("ZZ9", 4, None, "1"),
        SegmentAck("MEA", 15, "PID", "8", (ElementAck(4, 4, None, "355", "5", "Q7Z"),)),
    )
    assert transaction.codes == ("4", "5")


def as_999(ack: GroupAck) -> bytes:
    said = envelope(acks.VERSION_999, "FA")
    return write(said, [Body("999", 1, acks.write_999(ack), acks.VERSION_999)], check=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_999_says_the_same_with_the_document_and_what_made_an_element_wrong(version: str) -> None:
    data = damaged("850", "BEG*00*SA*PO-1001", "BEG*QQ*SA*PO-1001", version)
    (ack,) = answer(events(data))
    (transaction,) = ack.transactions
    assert transaction.unit == ("BEG03", "PO-1001")
    assert reread(as_999(ack)).transactions == ack.transactions
    lines = ["*".join(":".join(e) if isinstance(e, tuple) else e for e in row) for row in acks.write_999(ack)]
    assert lines[:5] == [
        f"AK1*PO*3*{version}",
        "AK2*850*0001",
        "IK3*BEG*2**8",
        "CTX*BEG03:PO-1001",
        "IK4*1*353*7*QQ",
    ]
    assert lines[-2:] == ["IK5*R*5", "AK9*R*1*1*0"]


def test_a_condition_names_the_element_that_set_it_off() -> None:
    data = document("850").replace(b"N1*ST*Store 12*92*0012", b"N1*ST*Store 12*92")
    assert data != document("850")
    (ack,) = answer(events(data))
    (segment,) = ack.transactions[0].segments
    (element,) = segment.elements
    assert element.code == "2"
    assert element.context == acks.Context("N1", segment.position, "N1", 3, None)
    rows = acks.write_999(ack)
    assert ["CTX", "SITUATIONAL TRIGGER", "N1", str(segment.position), "N1", "3"] in rows
    assert not [row for row in acks.write_997(ack, "004010") if row[0] == "CTX"]


GUIDE = """
name = "ACME"
set = "850"
[rules]
CUR = "never"
BEG01 = { codes = ["00", "05"] }
BEG04 = "must"
"REF[IV]" = "must"
PER03 = "never"
"""


def test_what_a_guide_asks_has_codes_of_its_own_in_a_999_and_the_nearest_in_a_997() -> None:
    guide = read_guide(GUIDE.encode())
    data = document("850").replace(b"BEG*00*", b"BEG*01*")
    (ack,) = answer(events(data), guide)
    rows = acks.write_999(ack)
    assert {"I4", "I6"} <= {row[4] for row in rows if row[0] == "IK3"}
    assert {"I6", "I9", "I10"} <= {row[3] for row in rows if row[0] == "IK4"}
    assert reread(as_999(ack)).transactions == ack.transactions
    again = reread(written(ack, "004010")).transactions[0]
    assert {s.code for s in again.segments} <= {"2", "3", "8"}
    assert {e.code for s in again.segments for e in s.elements} <= {"7", "1", "10"}


def test_every_fault_of_a_transaction_has_a_code() -> None:
    tables = acks._SEGMENT_CODES.keys() | acks._ELEMENT_CODES.keys() | acks._SE_CODES.keys()
    told_of_the_whole = {
        Fault.SET_UNKNOWN,
        Fault.VERSION_UNKNOWN,
        Fault.CONTROL_NUMBER_REPEATED,
        Fault.FUNCTIONAL_ID_MISMATCH,
        Fault.CONTROL_NUMBER_INVALID,
    }
    of_the_interchange = {
        Fault.NOT_EDI,
        Fault.ENVELOPE_MALFORMED,
        Fault.SEPARATORS_INVALID,
        Fault.TEXT_OUTSIDE_INTERCHANGE,
        Fault.HEADER_MISSING,
        Fault.MAPPING_FAILED,
    }
    assert set(Fault) == tables | told_of_the_whole | of_the_interchange


@pytest.mark.parametrize("path", sorted(p.name for p in (SAMPLES / "999").iterdir()))
def test_real_999s_are_read(path: str) -> None:
    for event in events((SAMPLES / "999" / path).read_bytes()):
        if isinstance(event, Transaction) and event.type == "999":
            rows = x12.check(event).rows
            ack = acks.read_group_ack(rows, event.separators.component)
            assert ack.status == "".join(row[1] for row in rows if row[0] == "AK9")
            assert len(ack.transactions) == sum(row[0] == "IK5" for row in rows)
            assert sum(len(t.segments) for t in ack.transactions) == sum(row[0] == "IK3" for row in rows)


def test_one_bad_set_of_ten_is_partial_acceptance() -> None:
    data = document("850")
    start, end = data.index(b"ST*"), data.index(b"GE*")
    good = data[start:end]
    sets = [good.replace(b"*0001", b"*%04d" % number) for number in range(1, 11)]
    sets[4] = sets[4].replace(b"BEG*00", b"BEG*QQ")
    (ack,) = answer(events(data[:start] + b"".join(sets) + b"GE*10*3~\n" + data[data.index(b"IEA*") :]))
    assert (ack.status, ack.included, ack.received, ack.accepted) == ("P", 10, 10, 9)
    assert [t.status for t in ack.transactions] == list("AAAARAAAAA")
    assert reread(written(ack, "004010")) == GroupAck(
        "PO", "3", "", "P", 10, 10, 9, (), without_unit(ack.transactions)
    )


def test_an_unknown_set_is_rejected_with_code_1() -> None:
    data = document("850").replace(b"ST*850", b"ST*840").replace(b"GS*PO", b"GS*RQ")
    (ack,) = answer(events(data))
    assert ack.transactions == (TransactionAck("840", "0001", "R", ("1",)),)
    assert reread(written(ack, "004010")).transactions == ack.transactions


def test_an_unknown_version_rejects_the_group_with_code_2() -> None:
    (ack,) = answer(events(document("850").replace(b"*X*004010", b"*X*003050")))
    assert (ack.status, ack.codes, ack.transactions, ack.accepted) == ("R", ("2",), (), 0)
    assert written(ack, "004010").count(b"AK") == 2


@pytest.mark.parametrize(
    ("old", "new", "codes"),
    [(b"*850*0001", b"*850*01", ("3", "7")), (b"*850*0001~", b"*850~", ("3", "7"))],
)
def test_a_bad_control_number_of_a_set_has_its_code(old: bytes, new: bytes, codes: tuple[str, ...]) -> None:
    (ack,) = answer(events(document("850").replace(old, new)))
    assert ack.transactions[0].codes == codes
    assert reread(written(ack, "004010")).transactions == ()  # AK202 cannot repeat a number that is none


def test_a_bad_value_that_the_answer_cannot_hold_is_left_out() -> None:
    data = document("850").replace(b"BEG*00", b"BEG*Q\x07")
    (ack,) = answer(events(data))
    (row,) = (r for r in acks.write_997(ack, "004010") if r[0] == "AK4")
    assert row == ["AK4", "1", "353", "6"]
    data = document("850").replace(b"BEG*00", b"BEG*Q:")
    (ack,) = answer(events(data))
    (row,) = (r for r in acks.write_997(ack, "004010", Separators(component=":")) if r[0] == "AK4")
    assert row == ["AK4", "1", "353", "7"]


def test_acknowledgments_are_never_acknowledged() -> None:
    groups = [e for s in ("997", "850") for e in events(document(s)) if isinstance(e, Group)]
    assert [acks.answers(group) for group in groups] == [False, True]
    headless = events(document("850").replace(b"*20260106*1230*3*", b"*20260106*1230**"))
    assert not acks.answers(headless[1])  # type: ignore[arg-type]


@pytest.mark.parametrize("path", sorted(p.name for p in (SAMPLES / "997").iterdir() if "frag" not in p.name))
def test_real_997s_are_read(path: str) -> None:
    for event in events((SAMPLES / "997" / path).read_bytes()):
        if isinstance(event, Transaction):
            ack = acks.read_group_ack(x12.check(event).rows, event.separators.component)
            stated = [row for row in x12.check(event).rows if row[0] == "AK9"]
            assert ack.status == (stated[0][1] if stated else "")
            assert len(ack.transactions) <= sum(row[0] == "AK2" for row in x12.check(event).rows)


def test_a_real_997_is_read_down_to_the_element() -> None:
    data = (SAMPLES / "997" / "xlate_staedi__x12_simple997.edi").read_bytes()
    (transaction,) = transactions(data)
    ack = acks.read_group_ack(x12.check(transaction).rows, ":")
    assert ack.transactions[0].status in "ER"
    assert ack.transactions[0].segments[0].elements[0].code


@pytest.mark.parametrize("path", sorted(SAMPLES.rglob("*850*")), ids=lambda p: p.name)
def test_every_real_order_gets_a_valid_answer(path: Path) -> None:
    if not path.is_file() or b"ISA" not in path.read_bytes()[:10]:
        return
    found = events(path.read_bytes())
    separators = next(e.separators for e in found if isinstance(e, Interchange))
    for ack in answer(found):
        if ack.functional_id and ack.control_number:
            version = "005010" if ack.version.startswith("005010") else "004010"
            component = writable(separators, version).component
            again = reread(written(ack, version, separators), component)
            assert (again.status, again.codes) == (ack.status, ack.codes)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"", b"", ("A", "000")),
        (b"*000000007*0*P", b"*         *0*P", ("R", "018")),
        (b"IEA*1*000000007", b"IEA*1*7", ("E", "001")),
        (b"SENDER         ", b"SENDER", ("E", "006")),
        (b"GS*PO*", b"GS**", ("R", "024")),
        (b"GE*1*3~\n", b"GE*1*3~\nXX*1~\n", ("R", "022")),
        (b"*P*>", b"*P**", ("R", "027")),
        (b"*P*>", b"*P*A", ("R", "027")),
        (b"*P*>~", b"*P*>A", ("R", "004")),
        (b"*P*>~", b"*P*>>", ("R", "004")),
        (b"*20260106*1230*3*", b"*20261306*1230*3*", ("E", "024")),
        (b"*ZZ*SENDER", b"*!!*SENDER", ("E", "005")),
        (b"*01*RECEIVER", b"*!!*RECEIVER", ("E", "007")),
        (b"RECEIVER       *", b"RECEIVER*", ("E", "008")),
        (b"*260106*", b"*261306*", ("E", "014")),
        (b"*00401*", b"*0040A*", ("E", "017")),
        (b"*0*P*", b"*7*P*", ("E", "019")),
        (b"*0*P*", b"*0*X*", ("E", "020")),
        (b"IEA*1*", b"IEA*2*", ("R", "021")),
        (b"IEA*1*000000007~\n", b"", ("R", "023")),
    ],
)
def test_a_ta1_answers_the_envelope(old: bytes, new: bytes, expected: tuple[str, str]) -> None:
    found = events(document("850").replace(old, new, 1) if old else document("850"))
    first, last = found[0], found[-1]
    assert isinstance(first, Interchange)
    assert isinstance(last, InterchangeEnd)
    groups = [e for e in found if isinstance(e, Group)]
    ack = acks.answer_interchange(first, last, groups=groups)
    assert (ack.status, ack.note) == expected


def test_every_note_of_a_ta1_is_of_the_list_and_has_words() -> None:
    ta1 = dictionary.segment("TA1", "004010")
    assert ta1 is not None
    listed = ta1.elements[4].element.codes
    assert listed is not None
    given = {*acks._ISA_NOTES, *acks._IEA_NOTES.values(), *acks._SEPARATOR_NOTES.values()}
    assert given <= set(acks.NOTES) <= set(listed)
    said = acks.InterchangeAck("000000007", "260106", "1230", "R", "021")
    assert str(said) == "TA1 R, 021: count of groups"
    assert str(said._replace(status="A", note="000")) == "TA1 A"


def test_a_ta1_is_read_back_and_can_reject_for_a_reason_of_the_gateway() -> None:
    first = events(document("850"))[0]
    assert isinstance(first, Interchange)
    ack = acks.answer_interchange(first, note="025")
    assert (ack.status, ack.note, ack.control_number) == ("R", "025", "000000007")
    data = write(envelope(), [], loose=[acks.write_ta1(ack)])
    (segment,) = events(data)[-1].loose  # type: ignore[union-attr]
    assert acks.read_ta1(segment, Separators()) == ack
