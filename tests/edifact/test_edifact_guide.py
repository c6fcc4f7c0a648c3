"""Guides of EDIFACT messages: qualifiers and values are components; the rest is as in X12."""

from __future__ import annotations

import pytest
from edifact_support import VERSIONS, document, lines, raw, transactions

from edi import edifact
from edi.edifact import directory
from edi.edifact.writer import Body, write_transaction
from edi.example import example
from edi.guide import Guide, GuideError, narrowed, read_guide
from edi.problems import CannotWrite, Fault
from edi.schema import Check, SetDef
from edi.tree import Transaction

Told = tuple[Fault, str, int | None, int | None, int | None]


def guide(rules: str, message: str = "ORDERS", *, top: str = "") -> Guide:
    return read_guide(f'name = "ACME"\nset = "{message}"\n{top}\n[rules]\n{rules}\n'.encode(), "acme.toml")


def bound(rules: str, message: str = "ORDERS", *, version: str = "D.96A", top: str = "") -> SetDef:
    standard = directory.definition(message, version)
    assert standard is not None
    return narrowed(standard, guide(rules, message, top=top))


def refused(rules: str, message: str = "ORDERS", *, top: str = "") -> tuple[str, ...]:
    with pytest.raises(GuideError) as caught:
        bound(rules, message, top=top)
    return caught.value.findings


def check(transaction: Transaction, by: Guide | None) -> Check:
    verdict = edifact.check(transaction, by)
    checker = edifact.checker(transaction.type, transaction.version, by)
    assert checker is not None
    assert checker.check_thoroughly(transaction).problems == verdict.problems
    return verdict


def found(rules: str, message: str = "ORDERS", *changes: tuple[str, str], top: str = "") -> list[Told]:
    """What a guide finds in a message in which the standard finds nothing; its place."""
    text = "\n".join(lines(message))
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (transaction,) = transactions(raw(message, filter(None, text.splitlines())))
    assert check(transaction, None).status == "accepted"
    problems = check(transaction, guide(rules, message, top=top)).problems
    assert all(p.guide == "ACME" and p.message.startswith("guide of ACME: ") for p in problems)
    return [(p.fault, f"{p.segment}", p.position, p.element, p.component) for p in problems]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ('"DTM[137]" = "must"', []),
        ('"DTM[64]" = "must"', [(Fault.SEGMENT_MISSING, "DTM", 5, None, None)]),
        ('"DTM[64|2]" = "must"', []),
        ('"DTM[2]" = "never"', [(Fault.SEGMENT_NOT_USED, "DTM", 4, None, None)]),
        ('"DTM[2]01-3" = { codes = ["102"] }', [(Fault.CODE_UNKNOWN, "DTM", 4, 1, 3)]),
        ('"DTM[137]01-3" = { codes = ["102"] }', []),
        ('"DTM[137]01-2" = { max = 6 }', [(Fault.TOO_LONG, "DTM", 3, 1, 2)]),
        ('"*>DTM01-2" = { max = 8 }', [(Fault.TOO_LONG, "DTM", 4, 1, 2)]),
        ('"NAD[BY]" = "must"', []),
        ('"NAD[IV]" = "must"', [(Fault.SEGMENT_MISSING, "NAD", 12, None, None)]),
        ('"NAD[BY]04" = "must"', [(Fault.ELEMENT_MISSING, "NAD", 8, 4, None)]),
        ('"NAD[BY]>CTA" = "must"', [(Fault.SEGMENT_MISSING, "CTA", 9, None, None)]),
        ('"NAD[DP]>CTA>COM[01-2=TE]" = "must"', []),
        ('"NAD[DP]>CTA>COM[01-2=EM]" = "must"', [(Fault.SEGMENT_MISSING, "COM", 12, None, None)]),
        ('"NAD[DP]>CTA" = "never"', [(Fault.SEGMENT_NOT_USED, "CTA", 10, None, None)]),
        ('"NAD[DP]08" = { min = 6 }', [(Fault.TOO_SHORT, "NAD", 9, 8, None)]),
        ('"NAD02-1" = { max = 10 }', [(Fault.TOO_LONG, "NAD", at, 2, 1) for at in (8, 9)]),
        ('"NAD02-2" = "must"', [(Fault.ELEMENT_MISSING, "NAD", at, 2, 2) for at in (8, 9)]),
        ('"NAD02-3" = "never"', [(Fault.ELEMENT_NOT_USED, "NAD", at, 2, 3) for at in (8, 9)]),
        ('"NAD02" = "never"', [(Fault.ELEMENT_NOT_USED, "NAD", at, 2, None) for at in (8, 9)]),
        ("NAD = { max = 1 }", [(Fault.LOOP_TOO_OFTEN, "NAD", 9, None, None)]),
        ('"RFF[CT]>DTM[171]" = { max = 1 }', []),
        ('"RFF[ON]>DTM" = "must"', []),
        ('"RFF[CT]>DTM" = "never"', [(Fault.SEGMENT_NOT_USED, "DTM", 7, None, None)]),
        ('"LIN>PIA" = "must"', [(Fault.SEGMENT_MISSING, "PIA", 19, None, None)]),
        ('"LIN>PIA[02-2=SA]" = { max = 1 }', []),
        ('"LIN>PIA[02-2=BP]" = "must"', [(Fault.SEGMENT_MISSING, "PIA", at, None, None) for at in (15, 19)]),
        ('"LIN>PIA[02-2=SA]02-1" = { max = 4 }', [(Fault.TOO_LONG, "PIA", 14, 2, 1)]),
        ('"LIN[03-2=EN]>IMD" = "must"', [(Fault.SEGMENT_MISSING, "IMD", 19, None, None)]),
        ('"LIN[03-2=UP]>IMD" = "must"', []),
        ("LIN03-1 = { min = 14, max = 14 }", [(Fault.TOO_SHORT, "LIN", at, 3, 1) for at in (13, 18)]),
        ('LIN03-2 = { codes = ["EN", "UP"] }', []),
        ('LIN03-2 = { codes = ["UP"] }', [(Fault.CODE_UNKNOWN, "LIN", at, 3, 2) for at in (13, 18)]),
        (
            '"LIN>QTY[21]01-3" = { codes = ["KGM"] }',
            [(Fault.CODE_UNKNOWN, "QTY", at, 1, 3) for at in (16, 19)],
        ),
        ('"LIN>PRI[AAA]" = { min = 1, max = 1 }', []),
        ('"LIN>PRI[AAB]" = "must"', [(Fault.SEGMENT_MISSING, "PRI", at, None, None) for at in (18, 21)]),
        ('"LIN>PRI01-2" = { max = 3 }', [(Fault.TOO_LONG, "PRI", 20, 1, 2)]),
        ('"CNT[2]" = "must"', []),
        ('"CNT[1]" = "never"', [(Fault.SEGMENT_NOT_USED, "CNT", 22, None, None)]),
        ('BGM01-1 = { codes = ["220", "221"] }', []),
        ('BGM01-1 = { codes = ["221"] }', [(Fault.CODE_UNKNOWN, "BGM", 2, 1, 1)]),
        ("BGM = { elements = [1, 2] }", [(Fault.ELEMENT_NOT_USED, "BGM", 2, 3, None)]),
        ('TAX = "must"', [(Fault.SEGMENT_MISSING, "TAX", 12, None, None)]),
        ('NAD = { syntax = ["R0304"] }', [(Fault.CONDITION_UNMET, "NAD", 8, 3, None)]),
    ],
)
def test_each_kind_of_rule_finds_what_it_forbids_at_its_place(rules: str, expected: list[Told]) -> None:
    assert found(rules) == expected


def test_rules_reach_into_a_hierarchy_of_packages() -> None:
    assert found('"CPS>PAC>PCI>GIN[BJ]" = "must"', "DESADV") == []
    told = found('"CPS>PAC>PCI" = "must"', "DESADV")
    assert told == [(Fault.SEGMENT_MISSING, "PCI", 9, None, None)]
    told = found('"CPS>LIN>QTY[12]" = "must"\n"CPS>PAC>PCI>GIN[ML]" = "must"', "DESADV")
    assert told == [(Fault.SEGMENT_MISSING, "GIN", 14, None, None)]


def test_what_is_not_named_is_not_used_where_a_guide_says_so() -> None:
    rules = (
        'DTM = "used"\n"NAD[BY]" = "must"\nCUX = "used"\n"LIN>QTY" = "used"\n"LIN>PRI" = "used"\nCNT = "used"'
    )
    assert [(segment, at) for _, segment, at, _, _ in found(rules, top='others = "never"')] == [
        ("FTX", 5), ("RFF", 6), ("CTA", 10), ("PIA", 14), ("IMD", 15),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ('"DTM[QQQ]" = "must"', "'QQQ' is no code of element 2005"),
        ('"NAD[01-1=BY]" = "must"', "NAD01 has 0 components"),
        ('"DTM[01-4=137]" = "must"', "DTM01 has 3 components"),
        ('"DTM[02=137]" = "must"', "DTM has 1 elements"),
        ('DTM01 = { codes = ["137"] }', "DTM01 is a composite: say it of a component such as DTM01-1"),
        ('DTM01-2 = { max = 36 }', "the standard allows 35 characters, a guide cannot allow 36"),
        ('DTM01-1 = "never"', "DTM01-1 is required, it cannot be never used"),
        ('DTM = "never"', "the standard requires it"),
        ('PIA = "must"', "there is no PIA in ORDERS; did you mean LIN>PIA?"),
        ('"LIN>GIN>DTM" = "must"', "there is no loop GIN in loop SG25"),
        ('"LIN>CCI>PIA" = "must"', "there is no PIA in loop SG26; did you mean LIN>PIA?"),
        ('SG25 = "must"', "there is no SG in ORDERS"),
        ('DTM01-3 = { codes = ["102", "999"] }', "'999' is no code of element 2379"),
        ('"DTM[137]01-1" = "never"', "DTM01-1 is required"),
        ('CPS = "must"', "there is no CPS in ORDERS"),
        ('LIN = { max = 200001 }', "the standard allows 200000, a guide cannot allow 200001"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_is_told_with_file_line_and_key(rule: str, told: str) -> None:
    (finding,) = refused(rule)
    assert finding.startswith("acme.toml:5: rules.")
    assert told in finding


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ('DTM01-1 = { codes = ["137"] }\n"DTM[2]" = "must"', "the guide does not allow 2 in DTM01-1"),
        ('NAD = "never"\n"NAD[BY]" = "must"', "rules.NAD[BY]: lies in NAD, which is never used"),
        ('LIN03 = "never"\n"LIN[03-2=EN]>PIA" = "must"', "LIN03 is never used"),
        ('LIN03-2 = "never"\n"LIN[03-2=EN]>PIA" = "must"', "LIN03-2 is never used"),
    ],
)
def test_rules_that_contradict_each_other_are_refused(rules: str, told: str) -> None:
    assert any(told in finding for finding in refused(rules))


def test_a_guide_says_which_versions_it_is_for() -> None:
    (transaction,) = transactions(document("ORDERS", "D.96A/EAN008"))
    for version in ("D.96A", "D.96A/EAN008"):
        assert check(transaction, guide("", top=f'version = "{version}"')).status == "accepted"
    for version in ("D.01B", "D.96A/EAN007"):
        (problem,) = edifact.check(transaction, guide("", top=f'version = "{version}"')).problems
        assert problem.fault is Fault.VERSION_UNKNOWN
    assert "version: is 'D.01B', and the set is that of D.96A" in refused("", top='version = "D.01B"')[0]


# Check digits


@pytest.mark.parametrize(
    ("message", "old", "new", "place"),
    [
        ("ORDERS", "4000862141404:EN", "4000862141405:EN", ("LIN", 3, 1)),
        ("ORDERS", "4000862141404:EN", "012345678906:UP", ("LIN", 3, 1)),
        ("ORDERS", "B-100:SA", "B-100:SA+4000862141405:EN", ("PIA", 3, 1)),
        ("ORDERS", "B-100:SA", "10012345678903:EN", ("PIA", 2, 1)),
        ("ORDERS", "5412345000013::9", "5412345000014::9", ("NAD", 2, 1)),
        ("DESADV", "340123450000000017", "340123450000000018", ("GIN", 2, 1)),
        ("DESADV", "340123450000000017", "340123450000000017:340123450000000025", ("GIN", 2, 2)),
        ("DESADV", "BJ+340123450000000017", "BJ+340123450000000017+00340123450000000018", ("GIN", 3, 1)),
    ],
)
def test_a_wrong_check_digit_is_told_where_a_guide_asks_for_it(
    message: str, old: str, new: str, place: tuple[str, int, int]
) -> None:
    top = "check_digits = true"
    assert found("", message, top=top) == []
    assert found("", message, (old, new)) == []
    (told,) = found("", message, (old, new), top=top)
    assert told[0] is Fault.CHECK_DIGIT_WRONG
    assert (told[1], *told[3:]) == place
    body = "\n".join(lines(message)).replace(old, new).splitlines()
    data = raw(message, body)
    (problem,) = edifact.check(transactions(data)[0], guide("", message, top=top)).problems
    assert problem.value is not None
    assert data[problem.offset :].decode().startswith(problem.value)
    assert problem.reference in ("7140", "3039", "7402")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("4000862141404:EN", "4000862141405:SA"),
        ("4000862141404:EN", "40008621414:EN"),
        ("4000862141404:EN", "4000862141405"),
        ("5412345000013::9", "5412345000014::92"),
        ("5412345000013::9", "54123450000::9"),
    ],
)
def test_what_promises_no_check_digit_is_left_alone(old: str, new: str) -> None:
    assert found("", "ORDERS", (old, new), top="check_digits = true") == []


def test_the_gtin_of_later_directories_is_known_as_well() -> None:
    asked = guide("", top="check_digits = true")
    for digit, status in (("4", "accepted"), ("5", "rejected")):
        body = "\n".join(lines("ORDERS")).replace("400086214140" + "4:EN", f"400086214140{digit}:SRV")
        (transaction,) = transactions(raw("ORDERS", body.splitlines(), "D:01B:UN"))
        assert edifact.check(transaction, asked).status == status


# Examples


GUIDES = {
    "ORDERS": """
        BGM01-1 = { use = "must", codes = ["220", "221"] }
        BGM03 = { use = "must", codes = ["9"] }
        "DTM[137]" = { use = "must", max = 1 }
        "DTM[2]" = { use = "must", max = 1 }
        "DTM[2]01-3" = { use = "must", codes = ["203"] }
        "RFF[CT]" = "must"
        "RFF[CT]01-2" = "must"
        "RFF[CT]>DTM" = "never"
        "NAD[BY]" = { use = "must", max = 1 }
        "NAD[BY]02-1" = { use = "must", min = 13, max = 13 }
        "NAD[BY]02-3" = { use = "must", codes = ["9"] }
        "NAD[BY]04" = "never"
        "NAD[DP]" = { use = "must", max = 1 }
        "NAD[DP]04" = "must"
        "NAD[DP]>CTA" = "must"
        "NAD[DP]>CTA>COM[01-2=EM]" = "must"
        CUX = "must"
        LIN = "must"
        "LIN>PIA[02-2=SA]" = "must"
        "LIN>QTY[21]" = { use = "must", max = 1 }
        "LIN>PRI[AAA]" = "must"
        "LIN>PRI01-2" = "must"
        "CNT[2]" = "must"
        "CNT[1]" = "must"
    """,
    "DESADV": """
        "DTM[137]" = "must"
        "DTM[137]01-2" = "must"
        "NAD[SF]" = "must"
        CPS = { use = "must", min = 2 }
        "CPS>PAC" = "must"
        "CPS>PAC>PCI" = "must"
        "CPS>PAC>PCI>GIN[BJ]" = "must"
        "CPS>LIN" = "must"
        "CPS>LIN03-2" = { use = "must", codes = ["UP"] }
        "CPS>LIN>QTY[12]" = { min = 1, max = 1 }
        "CNT[2]" = "must"
    """,
    "INVOIC": """
        BGM01-1 = { use = "must", codes = ["380"] }
        "DTM[137]" = "must"
        "RFF[ON]" = "must"
        "NAD[SU]" = "must"
        "NAD[SU]>RFF[VA]" = "must"
        TAX = "must"
        "LIN>QTY[47]" = "must"
        "LIN>MOA[203]" = "must"
        "MOA[77]" = "must"
        "MOA[77]01-2" = { use = "must", max = 12 }
        "CNT[2]" = "must"
    """,
}


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("message", sorted(GUIDES))
def test_the_example_of_a_guide_passes_it_and_has_what_it_asks(
    message: str, version: str, *, full: bool
) -> None:
    asked = guide(GUIDES[message], message, top="check_digits = true")
    standard = directory.definition(message, version)
    assert standard is not None
    rows = example(narrowed(standard, asked), full=full)
    segments = write_transaction(Body(message, "1", version, rows), guide=asked, check=True)
    data = raw(message, segments[1:-1], version.replace(".", ":") + ":UN")
    verdict = edifact.check(transactions(data)[0], asked)
    assert (verdict.status, verdict.problems) == ("accepted", ())
    with pytest.raises(CannotWrite, match="guide of ACME"):
        without = [row for row in rows if row[0] != "CNT"]
        write_transaction(Body(message, "1", version, without), guide=asked, check=True)


def test_the_example_of_an_order_is_one_that_a_partner_would_know() -> None:
    asked = guide(GUIDES["ORDERS"])
    standard = directory.definition("ORDERS", "D.96A")
    assert standard is not None
    rows = example(narrowed(standard, asked))
    assert write_transaction(Body("ORDERS", "1", "D.96A", rows)) == [
        "UNH+1+ORDERS:D:96A:UN",
        "BGM+220+DOC-1+9",
        "DTM+137:20260105:102",
        "DTM+2:202601051200:203",
        "RFF+CT:PO-1001",
        "NAD+BY+5412345000013::9+++1 Main Street+Springfield++62701+US",
        "NAD+DP+5412345000013::9++Example Stores+1 Main Street+Springfield++62701+US",
        "CTA+OC+:Jane Buyer",
        "COM+5550100:EM",
        "CUX+2:EUR:9",
        "LIN+1++4006381333931:EN",
        "PIA+1+SKU-100:SA",
        "QTY+21:10:PCE",
        "PRI+AAA:12.50",
        "UNS+S",
        "CNT+2:1",
        "CNT+1:10",
        "UNT+18+1",
    ]
