"""What a partner wrote stays data, and what cannot be read is a problem with its place."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maps_support import SAMPLES, checked, interchange, standard

import x12
from edi.documents import SalesOrder, ShipNotice, decode, encode
from edi.problems import Fault

HOSTILE = [
    "{{7+7}}",
    "%s%n%d",
    "__class__.__init__",
    "';import os;'",
    '"""\\n"""',
    "${jndi:ldap}",
    "../../etc/passwd",
    "=1+1",
    "<script>",
    "\\x41\\u0041",
    "café",
]


def order_with(value: str, place: str) -> bytes:
    body = """
        ST*850*0001
        BEG*00*SA*PO-1**20260105
        REF*DP*REFVALUE
        N1*ST*NAMEVALUE*92*IDVALUE
        PO1*1*12*EA*2.50**UP*SKUVALUE
        PID*F****TEXTVALUE
        CTT*1
    """
    return interchange(body.replace(place, value))


@pytest.mark.parametrize("place", ["PO-1", "REFVALUE", "NAMEVALUE", "IDVALUE", "SKUVALUE", "TEXTVALUE"])
@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_stays_literal_on_its_way_through(value: str, place: str) -> None:
    data = order_with(value, place)
    transaction, check = checked(data)
    order, problems = standard("850").read(check.rows, check.places, transaction.separators)
    assert problems == ()
    assert isinstance(order, SalesOrder)
    assert decode(encode(order)) == order
    assert standard("850").write(order) == check.rows[1:-1]
    assert value.encode("latin-1") in data
    assert sum(value in text for row in check.rows for text in row) == 1


def test_what_a_partner_wrote_is_not_in_the_compiled_source() -> None:
    map = standard("850")
    before = map.source
    _, check = checked(order_with("X__INJECTED__X", "REFVALUE"))
    map.read(check.rows, check.places)
    assert map.source == before
    assert "INJECTED" not in before


@pytest.mark.parametrize(
    ("old", "new", "position", "element", "value"),
    [
        ("20260105", "20260231", 2, 5, "20260231"),
        ("20260105", "2026010", 2, 5, "2026010"),
        ("*12*EA", "*1E9999999*EA", 5, 2, "1E9999999"),
        ("*12*EA", "*" + "9" * 400 + "*EA", 5, 2, "9" * 400),
        ("*12*EA", "*NaN*EA", 5, 2, "NaN"),
        (
            "*12*EA",
            "*\uff11\uff12*EA".encode().decode("latin-1"),
            5,
            2,
            "\uff11\uff12".encode().decode("latin-1"),
        ),
        ("2.50", "2,50", 5, 4, "2,50"),
        ("2.50", "2_50", 5, 4, "2_50"),
        ("2.50", " 2.50", 5, 4, " 2.50"),
    ],
)
def test_a_value_that_is_no_number_or_date_is_told_with_its_place(
    old: str, new: str, position: int, element: int, value: str
) -> None:
    _, check = checked(order_with(new, old))
    assert check.places is not None
    document, problems = standard("850").read(check.rows, check.places)
    assert document is None
    (problem,) = problems
    assert problem.fault is Fault.MAPPING_FAILED
    assert (problem.position, problem.element, problem.value) == (position, element, value)
    assert problem.segment == check.rows[position - 1][0]


def test_every_unreadable_value_is_told() -> None:
    data = order_with("x", "20260105").replace(b"*12*EA*2.50", b"*a*EA*b")
    _, check = checked(data)
    _, problems = standard("850").read(check.rows, check.places)
    assert [(problem.segment, problem.element) for problem in problems] == [
        ("BEG", 5),
        ("PO1", 2),
        ("PO1", 4),
    ]


def test_a_missing_number_is_told_with_its_place() -> None:
    _, check = checked(order_with("", "PO-1"))
    document, problems = standard("850").read(check.rows, check.places)
    assert document is None
    assert "BEG03 is needed for 'number'" in problems[0].message


def test_a_transaction_without_places_gives_no_document() -> None:
    document, problems = standard("850").read([["ST", "850", "1"]], None)
    assert document is None
    assert problems[0].fault is Fault.MAPPING_FAILED


def hierarchy(levels: list[tuple[str, str]]) -> bytes:
    lines = [f"HL*{id}*{parent}*I" for id, parent in levels]
    return interchange(
        "ST*856*0001\nBSN*00*S1*20260105*1200\n" + "\n".join(lines) + "\nCTT*1", functional_id="SH"
    )


@pytest.mark.parametrize(
    "levels",
    [
        [("1", "9")],
        [("1", "1")],
        [("1", "2"), ("2", "1")],
        [("", "")],
        [(str(number), str(number - 1) if number > 1 else "") for number in range(1, 5000)],
    ],
    ids=["no such parent", "its own parent", "a ring", "no id", "endlessly deep"],
)
def test_a_hierarchy_that_is_none_is_a_problem_and_no_crash(levels: list[tuple[str, str]]) -> None:
    _, check = checked(hierarchy(levels))
    assert check.places is not None
    document, problems = standard("856").read(check.rows, check.places)
    assert document is None
    assert problems[0].segment == "HL"


def test_a_wide_hierarchy_is_no_trouble() -> None:
    levels = [("1", ""), *((str(number), "1") for number in range(2, 3000))]
    _, check = checked(hierarchy(levels))
    notice, _ = standard("856").read(check.rows, check.places)
    assert isinstance(notice, ShipNotice)
    assert len(notice.levels[0].levels) == 2998


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_reading_never_throws_whatever_the_elements_hold(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["850/olmelabs_EdiEngine__TestData_850.OK.edi",
        "856/Silvenga_vscode-edi-x12-support__docs_old.edi",
        "945/apimeister_x12-types__945_v005010_full.edi"]))  # fmt: skip
    transaction, check = checked((SAMPLES / name).read_bytes())
    rows = [list(row) for row in check.rows]
    for _ in range(data.draw(st.integers(1, 5))):
        row = rows[data.draw(st.integers(1, len(rows) - 2))]
        change = data.draw(st.sampled_from(["cut", "grow", "replace"]))
        if change == "cut":
            del row[data.draw(st.integers(1, len(row))) :]
        elif change == "grow":
            row += data.draw(st.lists(st.text(max_size=4), max_size=40))
        elif len(row) > 1:
            row[data.draw(st.integers(1, len(row) - 1))] = data.draw(st.text(max_size=6))
    document, problems = standard(transaction.type, transaction.version).read(
        rows, check.places, transaction.separators
    )
    assert (document is None) == bool(problems)


def test_memory_of_converted_texts_is_bounded() -> None:
    from mappings.values import _REMEMBERED, CONVERSIONS

    read = CONVERSIONS["decimal"].read
    for number in range(_REMEMBERED + 100):
        assert read[f"{number}.5"] == Decimal(f"{number}.5")
    assert len(read) <= _REMEMBERED


def test_an_amount_is_written_to_the_cent_or_refused() -> None:
    from mappings.values import implied_decimal

    write = implied_decimal(2).write
    assert [write(Decimal(text)) for text in ("285.66", "0.1", "-3", "0")] == ["28566", "10", "-300", "0"]
    for text in ("0.001", "1234567890123456789012345678.91", "NaN", "Infinity"):
        with pytest.raises(ValueError, match=r"decimals|digits|number"):
            write(Decimal(text))


def test_a_check_of_one_set_is_not_read_by_the_map_of_another() -> None:
    transaction, check = checked(order_with("PO-1", "PO-1"))
    other = replace(transaction, type="940")
    assert x12.check(other).places is None
    assert standard("850").read(check.rows, check.places)[0] is not None
