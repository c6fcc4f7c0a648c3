"""Guides: every kind of rule, where its finding is told, and what no guide may do."""

from __future__ import annotations

from pathlib import Path

import pytest

import x12
from edi.guide import Guide, GuideError, load, narrowed, read_guide
from edi.problems import Fault
from edi.schema import Check, SetDef
from edi.tree import Separators, Transaction
from x12 import dictionary

ORDER = """ST*850*0001
    BEG*00*SA*PO4500042**20261124
    REF*DP*038
    PER*BD*Jane Buyer*TE*5550100
    DTM*002*20261203
    N1*ST*BigMart Store 17*92*0017
    N3*31875 Solon Road
    N4*Solon*OH*44139*US
    N1*BY*BigMart*9*123456789
    PO1*1*24*EA*9.25**CB*065322*UP*012345678905
    PID*F****Small widget
    PO1*2*12*EA*13.79**CB*066850*VN*RD5322
    CTT*2
    SE*14*0001"""
NOTICE = """ST*856*0001
    BSN*00*SHIP-77*20260110*1015*0001
    HL*1**S
    TD1*CTN25*2****G*20.5*LB
    REF*BM*BOL-9
    N1*SF*Warehouse*92*W1
    HL*2*1*O
    PRF*PO-1001***20260105
    HL*3*2*I
    LIN*1*UP*012345678905
    SN1*1*10*EA
    CTT*3
    SE*13*0001"""
ANSWER = """ST*997*0001
    AK1*PO*1
    AK2*850*0001
    AK3*BEG*2**8
    AK4*3>1*324*5*PO-1001
    AK5*E*5
    AK9*E*1*1*1
    SE*8*0001"""


def guide(rules: str, type: str = "850", *, top: str = "") -> Guide:
    return read_guide(f'name = "ACME"\nset = "{type}"\n{top}\n[rules]\n{rules}\n'.encode(), "acme.toml")


def bound(rules: str, type: str = "850", *, version: str = "004010", top: str = "") -> SetDef:
    standard = dictionary.definition(type, version)
    assert standard is not None
    return narrowed(standard, guide(rules, type, top=top))


def refused(rules: str, type: str = "850", *, top: str = "") -> tuple[str, ...]:
    with pytest.raises(GuideError) as caught:
        bound(rules, type, top=top)
    return caught.value.findings


def check(text: str, by: Guide | None, *, version: str = "004010") -> Check:
    segments = tuple(line.strip() for line in text.splitlines())
    transaction = Transaction(segments[0].split("*")[1], "0001", version, Separators(), segments, 0)
    verdict = x12.check(transaction, by)
    checker = x12.checker(transaction.type, version, by)
    assert checker is not None
    assert checker.check_thoroughly(transaction).problems == verdict.problems
    return verdict


def found(rules: str, text: str = ORDER, *, top: str = "") -> list[tuple[Fault, str, int | None, int | None]]:
    """What a guide finds in a text in which the standard finds nothing; its place."""
    type = text.split("*")[1]
    assert check(text, None).status == "accepted"
    problems = check(text, guide(rules, type, top=top)).problems
    assert all(p.guide == "ACME" and p.message.startswith("guide of ACME: ") for p in problems)
    return [(p.fault, f"{p.segment}", p.position, p.element) for p in problems]


def without(*tags: str, text: str = ORDER) -> str:
    """The text without segments that begin so; SE01 is put right."""
    lines = [line for line in text.splitlines() if not line.strip().startswith(tags)]
    return "\n".join([*lines[:-1], f"SE*{len(lines)}*0001"])


@pytest.mark.parametrize(
    ("rules", "text", "expected"),
    [
        ('FOB = "must"', ORDER, [(Fault.SEGMENT_MISSING, "FOB", 5, None)]),
        ('PER = "never"', ORDER, [(Fault.SEGMENT_NOT_USED, "PER", 4, None)]),
        ('N9 = "must"', ORDER, [(Fault.SEGMENT_MISSING, "N9", 6, None)]),
        ('N1 = "never"', ORDER, [(Fault.SEGMENT_NOT_USED, "N1", at, None) for at in (6, 9)]),
        ("N1 = { max = 1 }", ORDER, [(Fault.LOOP_TOO_OFTEN, "N1", 9, None)]),
        ("N1 = { min = 3 }", ORDER, [(Fault.SEGMENT_MISSING, "N1", 10, None)]),
        ("DTM = { min = 2, max = 3 }", ORDER, [(Fault.SEGMENT_MISSING, "DTM", 6, None)]),
        ('"REF[DP]" = "must"', ORDER, []),
        ('"REF[IA]" = "must"', ORDER, [(Fault.SEGMENT_MISSING, "REF", 4, None)]),
        ('"REF[IA|DP]" = "must"', ORDER, []),
        ('"REF[DP]" = "never"', ORDER, [(Fault.SEGMENT_NOT_USED, "REF", 3, None)]),
        ('"DTM[010]" = "must"', without("DTM"), [(Fault.SEGMENT_MISSING, "DTM", 5, None)]),
        ('"N1[ST]>N4" = "must"', ORDER, []),
        ('"N1[BY]>N4" = "must"', ORDER, [(Fault.SEGMENT_MISSING, "N4", 10, None)]),
        ('"N1>N4" = "must"', ORDER, [(Fault.SEGMENT_MISSING, "N4", 10, None)]),
        ('"N1[ST]>N4" = "never"', ORDER, [(Fault.SEGMENT_NOT_USED, "N4", 8, None)]),
        ('"PO1>PID" = "must"', ORDER, [(Fault.SEGMENT_MISSING, "PID", 13, None)]),
        ('"PO1[08=VN]>PID" = "must"', ORDER, [(Fault.SEGMENT_MISSING, "PID", 13, None)]),
        ('"PO1[08=UP]>PID" = "must"', ORDER, []),
        ("PO1 = { max = 1 }", ORDER, [(Fault.LOOP_TOO_OFTEN, "PO1", 12, None)]),
        ('BEG04 = "must"', ORDER, [(Fault.ELEMENT_MISSING, "BEG", 2, 4)]),
        ('REF02 = "never"\nREF03 = "used"', ORDER, [(Fault.ELEMENT_NOT_USED, "REF", 3, 2)]),
        ("BEG03 = { max = 8 }", ORDER, [(Fault.TOO_LONG, "BEG", 2, 3)]),
        ("BEG03 = { min = 10 }", ORDER, [(Fault.TOO_SHORT, "BEG", 2, 3)]),
        ('BEG02 = { codes = ["NE"] }', ORDER, [(Fault.CODE_UNKNOWN, "BEG", 2, 2)]),
        ('REF02 = { codes = ["039", "040"] }', ORDER, [(Fault.CODE_UNKNOWN, "REF", 3, 2)]),
        ("BEG = { elements = [1, 2, 3, 5] }", ORDER, []),
        ('"N1>N4" = { elements = [1, 2, 3] }', ORDER, [(Fault.ELEMENT_NOT_USED, "N4", 8, 4)]),
        ('PER = { syntax = ["R0506"] }', ORDER, [(Fault.CONDITION_UNMET, "PER", 4, 5)]),
        ('PER = { syntax = ["E0204"] }', ORDER, [(Fault.CONDITION_EXCLUDES, "PER", 4, 4)]),
        ('PER = { syntax = ["P0205"] }', ORDER, [(Fault.CONDITION_UNMET, "PER", 4, 5)]),
        ('PER = { syntax = ["C0305"] }', ORDER, [(Fault.CONDITION_UNMET, "PER", 4, 5)]),
        ('PER = { syntax = ["C0207"] }', ORDER, [(Fault.CONDITION_UNMET, "PER", 4, 7)]),
        ('PER = { syntax = ["L020507"] }', ORDER, [(Fault.CONDITION_UNMET, "PER", 4, 5)]),
        ('"N1[ST]03" = { codes = ["9"] }', ORDER, [(Fault.CODE_UNKNOWN, "N1", 6, 3)]),
        ('"N1[BY]03" = { codes = ["9"] }', ORDER, []),
        ('"N1[BY]02" = "never"', ORDER, [(Fault.ELEMENT_NOT_USED, "N1", 9, 2)]),
        ('"N1[ST]>N404" = "never"', ORDER, [(Fault.ELEMENT_NOT_USED, "N4", 8, 4)]),
        ('"N1[ST]>N403" = { max = 4 }', ORDER, [(Fault.TOO_LONG, "N4", 8, 3)]),
        ('"PO1[08=UP]09" = { max = 11 }', ORDER, [(Fault.TOO_LONG, "PO1", 10, 9)]),
        ('"PO1[08=VN]09" = { max = 3 }', ORDER, [(Fault.TOO_LONG, "PO1", 12, 9)]),
        ('"*>N102" = { max = 7 }', ORDER, [(Fault.TOO_LONG, "N1", 6, 2)]),
        ('"*>REF[DP]02" = { min = 4 }', ORDER, [(Fault.TOO_SHORT, "REF", 3, 2)]),
        ('"*>N4" = "never"', ORDER, [(Fault.SEGMENT_NOT_USED, "N4", 8, None)]),
        ('"HL[03=O]>PRF" = "must"', NOTICE, []),
        ('"HL[03=I]>PRF" = "must"', NOTICE, [(Fault.SEGMENT_MISSING, "PRF", 12, None)]),
        ('"HL[03=P]" = "must"', NOTICE, [(Fault.SEGMENT_MISSING, "HL", 12, None)]),
        ('"HL[03=S]>N1[ST]" = "must"', NOTICE, [(Fault.SEGMENT_MISSING, "N1", 7, None)]),
        ('"HL[03=S]>N1[SF]>N4" = "must"', NOTICE, [(Fault.SEGMENT_MISSING, "N4", 7, None)]),
        ('"HL[03=S]>N1[SF]04" = { min = 3 }', NOTICE, [(Fault.TOO_SHORT, "N1", 6, 4)]),
    ],
)
def test_each_kind_of_rule_finds_what_it_forbids_at_its_place(
    rules: str, text: str, expected: list[tuple[Fault, str, int, int | None]]
) -> None:
    assert found(rules, text) == expected


@pytest.mark.parametrize(
    ("rules", "fault"),
    [
        ('"AK2>AK3>AK401-2" = "never"', Fault.ELEMENT_NOT_USED),
        ('"AK2>AK3>AK401-2" = { codes = ["2", "3"] }', Fault.CODE_UNKNOWN),
    ],
)
def test_a_rule_may_be_about_a_component(rules: str, fault: Fault) -> None:
    assert check(ANSWER, None).status == "accepted"
    (problem,) = check(ANSWER, guide(rules, "997")).problems
    assert (problem.fault, problem.element) == (fault, 1)
    assert problem.component == 2


def test_a_component_must_be_there() -> None:
    rules = '"AK2>AK3>AK401-2" = "must"'
    assert check(ANSWER, guide(rules, "997")).status == "accepted"
    (problem,) = check(ANSWER.replace("3>1", "3"), guide(rules, "997")).problems
    assert (problem.fault, problem.component) == (Fault.ELEMENT_MISSING, 2)


def test_what_is_not_named_is_not_used_where_a_guide_says_so() -> None:
    rules = 'REF = "must"\nDTM = "used"\n"N1>N4" = "used"'
    assert found(rules, top='others = "never"') == [
        (Fault.SEGMENT_NOT_USED, "PER", 4, None),
        (Fault.SEGMENT_NOT_USED, "N3", 7, None),
        (Fault.SEGMENT_NOT_USED, "PID", 11, None),
        (Fault.SEGMENT_NOT_USED, "CTT", 13, None),
    ]


def test_a_rule_for_every_place_does_not_bring_a_segment_into_use() -> None:
    told = found('"*>PER02" = { max = 20 }', top='others = "never"')
    assert (Fault.SEGMENT_NOT_USED, "PER", 4, None) in told


def test_problems_of_the_standard_are_not_laid_to_the_guide() -> None:
    damaged = ORDER.replace("BEG*00*SA*", "BEG*00*QQ*").replace("N1*BY*BigMart*9*", "N1*BY*BigMart**")
    by_standard = check(damaged, None).problems
    by_guide = check(
        damaged, guide('BEG02 = { codes = ["SA"] }\nBEG03 = { max = 8 }\nN104 = "must"')
    ).problems
    assert [p for p in by_guide if p.guide is None] == list(by_standard)
    assert [(p.segment, p.element) for p in by_guide if p.guide] == [("BEG", 3)]


def test_a_segment_that_stands_nowhere_is_judged_by_the_standard() -> None:
    strayed = ORDER.replace("CTT*2", "BEG*00*SA*PO4500042**20261124\n    CTT*2").replace("SE*14", "SE*15")
    by_guide = check(strayed, guide("BEG03 = { max = 8 }"))
    assert [(p.fault, p.position) for p in by_guide.problems] == [
        (Fault.TOO_LONG, 2),
        (Fault.SEGMENT_OUT_OF_ORDER, 13),
    ]


def test_a_missing_segment_is_told_where_it_could_come_no_more() -> None:
    rules = '"REF[IA]" = "must"\n"PO1>PID" = "must"\n"PO1>MSG" = "must"'
    assert [at for _, _, at, _ in found(rules)] == [4, 12, 13, 13]


def test_a_count_that_falls_short_says_how_often_it_was() -> None:
    (problem,) = check(ORDER, guide("N1 = { min = 3 }")).problems
    assert problem.message.endswith("loop N1 (Name) must occur 3 times before this place, it does 2 times")


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ('BEG = "never"', "the standard requires it"),
        ('BEG03 = "never"', "BEG03 is required, it cannot be never used"),
        ("BEG = { elements = [1, 2] }", "elements: the standard requires BEG03"),
        ("BEG03 = { max = 23 }", "max: the standard allows 22 characters, a guide cannot allow 23"),
        ("REF01 = { min = 1 }", "min: the standard needs 2 characters, a guide cannot allow 1"),
        ("DTM = { max = 11 }", "max: the standard allows 10, a guide cannot allow 11"),
        ("N1 = { max = 201 }", "max: the standard allows 200, a guide cannot allow 201"),
        ('BEG02 = { codes = ["SA", "Q9"] }', "'Q9' is no code of element 92 (Purchase Order Type Code)"),
        ('BEG03 = { codes = ["01234567890123456789012"] }', "has 23 characters, at most 22 are allowed"),
        ('BEG05 = { codes = ["20260231"] }', "is not a date of the calendar"),
        ("BEG03 = { repeat = 2 }", "repeat: the standard allows 1, a guide cannot allow 2"),
        ('"N1[Q9Q]" = "must"', "'Q9Q' is no code of element 98"),
        ('"N1[ST]03" = { codes = ["QQ"] }', "'QQ' is no code of element 66"),
        ("ST = { max = 2 }", "max: the standard allows 1, a guide cannot allow 2"),
    ],
)
def test_a_guide_that_would_widen_the_standard_is_refused(rule: str, told: str) -> None:
    (finding,) = refused(rule)
    assert finding.startswith("acme.toml:5: rules.")
    assert told in finding


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ('BEGG = "must"', "'BEGG' is no reference designator such as N1, N104 or N1[ST]04"),
        ('"N1[ST" = "must"', "is no reference designator"),
        ('BGE = "must"', "there is no BGE in 850; did you mean BEG?"),
        ('N4 = "must"', "there is no N4 in 850; did you mean N1>N4?"),
        ('"N9>N4" = "must"', "there is no N4 in loop N9"),
        ('"REF>N4" = "must"', "there is no loop REF in 850"),
        ('"*>W05" = "never"', "there is no W05 in 850"),
        ('"*>N1>N4" = "never"', "after *> one segment or element is named"),
        ('"*>PER" = "must"', "how often it occurs can be said for one place only"),
        ('BEG13 = "must"', "BEG has 12 elements"),
        ('BEG00 = "must"', "elements are counted from 01"),
        ('"BEG03-1" = "must"', "BEG03 has 0 components"),
        ('N1 = "sometimes"', "use: 'sometimes' is not one of must, used, never"),
        (
            "N1 = { uses = 1 }",
            "'uses' is none of use, min, max, syntax, elements, note of a segment or loop; did",
        ),
        ("N104 = { syntax = [] }", "'syntax' is none of use, min, max, repeat, codes, note of an element"),
        ("N1 = { max = 0 }", "max: needs a whole number from 1"),
        ("N1 = { max = true }", "max: needs a whole number from 1"),
        ("N1 = { min = 3, max = 2 }", "min: 3 cannot be where 2 may be"),
        ("BEG03 = { min = 9, max = 8 }", "min: 9 characters do not fit where 8 may be"),
        ('BEG02 = { codes = "SA" }', "codes: needs a list of texts"),
        ("BEG02 = { codes = [] }", "codes: needs a list of texts"),
        ('N1 = { elements = ["1"] }', "elements: needs a list of positions such as [1, 2, 5]"),
        ('PER = { syntax = ["X0304"] }', 'syntax: needs a list of syntax notes such as ["P0304"]'),
        ('PER = { syntax = ["P0299"] }', "PER has 9 elements"),
        ("N1 = { note = 1 }", "note: is no text"),
        ('N1 = { use = "never", max = 1 }', "is never used, so nothing else can be said of it but a note"),
        ("N1 = 1", "is neither one of must, used, never nor a table"),
    ],
)
def test_a_rule_that_makes_no_sense_is_told_with_file_line_and_key(rule: str, told: str) -> None:
    (finding,) = refused(rule)
    assert finding.startswith("acme.toml:5: rules.")
    assert told in finding


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ('N9 = "never"\n"N9>MSG" = { max = 1 }', "rules.N9>MSG: lies in N9, which is never used"),
        ('FOB = "never"\nFOB01 = "must"', "rules.FOB01: lies in FOB, which is never used"),
        ('REF = "never"\n"REF[DP]" = "must"', "rules.REF[DP]: lies in REF, which is never used"),
        ('N101 = { codes = ["BY"] }\n"N1[ST]" = "must"', "the guide does not allow ST in N101"),
        ('PO106 = "never"\n"PO1[06=UP]" = "must"', "PO106 is never used"),
        ('N103 = "must"\nN104 = "never"', "no N1 can meet its syntax note P0304"),
        ('"N1[ST]03" = "never"\n"N1[ST]04" = "must"', "no N1 can meet its syntax note P0304"),
        ('N4 = "must"\nREF02 = "never"\nREF03 = "never"', "no REF can meet its syntax note R0203"),
        ('"*>REF02" = "never"\n"*>REF03" = "never"', "acme.toml:5: rules.*>REF02: no REF can meet"),
        ('"*>CTT" = "never"\nCTT = { max = 1 }', "rules.CTT: lies in *>CTT, which is never used"),
        ('"REF[01=DP]" = "never"\n"REF[DP]" = "must"', "rules.REF[DP]: 1 is asked, and 0 may be"),
        ('"REF[01=DP]" = { max = 2 }\n"REF[DP]" = { min = 3 }', "rules.REF[DP]: 3 is asked, and 2 may be"),
        ('REF01 = { min = 3, codes = ["DP"] }', "rules.REF01: codes: 'DP' does not have 3 characters"),
        ('"*>REF01" = { codes = ["DP"] }\nREF01 = { min = 3 }', "no code of REF01 has 3 characters"),
    ],
)
def test_rules_that_contradict_each_other_are_refused(rules: str, told: str) -> None:
    assert any(told in finding for finding in refused(rules))


def test_everything_wrong_with_a_guide_is_told_at_once_in_order_of_lines() -> None:
    findings = refused('BEG = "never"\nBEG02 = { codes = ["Q9"] }\nXYZ = "must"\nN1 = { max = 201 }')
    assert [finding.split(": ")[0] for finding in findings] == [
        "acme.toml:5", "acme.toml:6", "acme.toml:7", "acme.toml:8",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ["g: name: needs a text", "g: set: needs a text"]),
        ('name = "A"\nset = 850', ["g: set: needs a text"]),
        (
            'name = "A"\nset = "850"\nother = 1',
            ["g: other: is not one of name, set, version, others, check_digits, note, rules;"],
        ),
        ('name = "A"\nset = "850"\nothers = "no"', ["g: others: is neither 'used' nor 'never'"]),
        ('name = "A"\nset = "850"\nversion = 4010', ["g: version: is no text"]),
        ('name = "A"\nset = "850"\nrules = 1', ["g: rules: is no table"]),
        ("name = ", ["g: Invalid value"]),
        ("\x00", ["g: "]),
    ],
)
def test_a_text_that_is_no_guide_is_refused(text: str, told: list[str]) -> None:
    with pytest.raises(GuideError) as caught:
        read_guide(text.encode(), "g")
    assert len(caught.value.findings) == len(told)
    assert all(finding.startswith(begin) for finding, begin in zip(caught.value.findings, told, strict=True))


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(GuideError, match="utf-8"):
        read_guide(b"\xff", "g")


def test_rules_that_name_one_place_in_two_ways_hold_both() -> None:
    (rule,) = bound('"REF[DP]" = "must"\n"REF[01=DP]" = { max = 1 }').rules
    assert (rule.least, rule.most) == (1, 1)
    (rule,) = bound('"REF[01=DP]" = "never"\n"REF[DP]" = { max = 1 }').rules
    assert (rule.least, rule.most) == (0, 0)


def test_a_length_shortens_a_list_of_codes() -> None:
    by = guide("REF01 = { max = 2 }")
    assert check(ORDER, by).status == "accepted"
    (problem,) = check(ORDER.replace("REF*DP", "REF*AAB"), by).problems
    assert (problem.fault, problem.element) == (Fault.TOO_LONG, 1)
    assert problem.guide == "ACME"


def test_a_guide_of_another_set_or_version_does_not_fit() -> None:
    standard = dictionary.definition("850", "004010")
    assert standard is not None
    with pytest.raises(GuideError, match="set: is '856', and the set is '850'"):
        narrowed(standard, guide("", "856"))
    with pytest.raises(GuideError, match="version: is '005010', and the set is that of 004010"):
        narrowed(standard, guide("", top='version = "005010"'))


def test_another_version_than_that_of_the_guide_is_rejected() -> None:
    segments = tuple(line.strip() for line in ORDER.splitlines())
    transaction = Transaction("850", "0001", "005010", Separators(), segments, 0)
    agreed = guide("", top='version = "004010"')
    (problem,) = x12.check(transaction, agreed).problems
    assert problem.fault is Fault.VERSION_UNKNOWN
    assert problem.message == "guide of ACME: version 004010 is agreed, not '005010'"
    assert check(ORDER, agreed, version="004010VICS").status == "accepted"
    vics = guide("", top='version = "004010VICS"')
    assert check(ORDER, vics, version="004010VICS").status == "accepted"
    assert x12.check(Transaction("850", "0001", "004010", Separators(), segments, 0), vics).problems


def test_a_guide_leaves_the_standard_as_it_is() -> None:
    standard = dictionary.definition("850", "004010")
    before = repr(standard)
    bound('BEG02 = { codes = ["SA"] }\n"*>N1" = "never"\nREF = "must"')
    assert repr(standard) == before
    assert check(ORDER, None).status == "accepted"


def test_a_guide_without_rules_asks_nothing() -> None:
    assert found("") == []
    assert bound("").rules == ()


def test_an_allowed_code_of_a_narrowed_list_is_accepted() -> None:
    assert found('BEG02 = { codes = ["SA", "NE"] }\n"PO1[06=CB]07" = { codes = ["065322", "066850"] }') == []


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "acme.toml"
    file.write_text('name = "A"\nset = "850"\n')
    first = load(file)
    assert load(file) is first
    file.write_text('name = "Another"\nset = "850"\n')
    assert load(file).name == "Another"
    file.unlink()
    with pytest.raises(GuideError, match=r"acme\.toml: No such file"):
        load(file)
