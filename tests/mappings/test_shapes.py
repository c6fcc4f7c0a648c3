"""Maps of documents that a message does not have the shape of, and messages that carry several documents."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from maps_support import MESSAGES, SETS, flat, message, standard, versions

import mappings
from edi import edifact
from edi.documents import DOCUMENTS, Level, SalesOrder, ShipNotice, decode, encode
from edi.documents.parts import Extra, Value
from edi.problems import CannotWrite, Fault, Problem
from edi.tree import NORMAL
from mappings import Map, MapError, documents_of
from mappings.shapes import SHAPES, Shape


class Package(Value, frozen=True):
    """One PAC of a message without nesting."""

    kind: str
    extra: Extra = ()


class Flat(Value, frozen=True):
    """A notice as the message has it: packages in a row."""

    number: str
    packages: tuple[Package, ...] = ()
    extra: Extra = ()


def to_notice(flat: Flat) -> tuple[ShipNotice | None, tuple[Problem, ...]]:
    if flat.number == "?":
        return None, (Problem(Fault.MAPPING_FAILED, "the number is a question"),)
    levels = tuple(Level(kind=package.kind, extra=package.extra) for package in flat.packages)
    return ShipNotice(number=flat.number, levels=levels, extra=flat.extra), ()


def from_notice(notice: ShipNotice) -> Flat:
    if any(level.levels for level in notice.levels):
        raise CannotWrite("too deep", (Problem(Fault.MAPPING_FAILED, "ShipNotice.levels[0]: too deep"),))
    packages = tuple(Package(kind=level.kind, extra=level.extra) for level in notice.levels)
    return Flat(number=notice.number, packages=packages, extra=notice.extra)


MAP = b"""
document = "ship_notice"
shape = "flat"
[map]
number = "BGM02-1"
[map.packages]
each = "PAC"
kind = "PAC03-1"
[always]
UNS01 = "S"
"""


@pytest.fixture
def shaped(monkeypatch: pytest.MonkeyPatch) -> Map:
    monkeypatch.setitem(SHAPES, "flat", Shape(Flat, to_notice, from_notice))
    checker = edifact.checker("ORDERS", "D.96A")
    assert checker is not None
    return mappings.load(checker.definition, MAP)


def read(map: Map, number: str) -> tuple[Any, tuple[Problem, ...]]:
    check = edifact.check(message(f"BGM++{number}\nDTM+2:20260105:102\nPAC+1++CT\nPAC+++PX\nUNS+S"))
    assert map.read_checked(check, NORMAL) == map.read(check.rows, check.places, NORMAL)
    return map.read(check.rows, check.places, NORMAL)


def test_a_map_with_a_shape_reads_and_writes_the_document_that_it_stands_for(shaped: Map) -> None:
    notice, problems = read(shaped, "S-1")
    assert problems == ()
    assert shaped.document is ShipNotice
    assert isinstance(notice, ShipNotice)
    assert notice.levels == (Level(kind="CT", extra=(("PAC01", "1"),)), Level(kind="PX"))
    assert decode(encode(notice)) == notice
    assert flat(shaped.write(notice), NORMAL) == [
        ["BGM", "", "S-1"],
        ["DTM", "2\x1f20260105\x1f102"],
        ["PAC", "1", "", "CT"],
        ["PAC", "", "", "PX"],
        ["UNS", "S"],
    ]
    plain = msgspec.structs.replace(notice, partner="acme", extra=(), levels=notice.levels[1:])
    assert flat(shaped.write(plain))[1:] == [["PAC", "", "", "PX"], ["UNS", "S"]]


def test_what_a_shape_cannot_make_a_document_of_is_a_problem(shaped: Map) -> None:
    assert read(shaped, "??") == (None, (Problem(Fault.MAPPING_FAILED, "the number is a question"),))


def test_what_has_no_place_in_a_shape_is_refused(shaped: Map) -> None:
    deep = ShipNotice(number="1", levels=(Level(kind="tare", levels=(Level(kind="pack"),)),))
    with pytest.raises(CannotWrite, match="too deep"):
        shaped.write(deep)
    with pytest.raises(CannotWrite, match=r"Expected `str`, got `int` - at `\$.number`"):
        shaped.write(ShipNotice(number=5))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="writes ShipNotice"):
        shaped.write(SalesOrder(number="1"))


def test_a_set_names_the_documents_that_it_can_carry_the_usual_first() -> None:
    assert documents_of("850") == ("sales_order",)
    assert documents_of("100") == documents_of("../850") == ()
    for name in (*SETS, *MESSAGES):
        type, _, other = name.partition(".")
        known = documents_of(type)
        assert set(known) <= {schema.split(".")[1].split("/")[0] for schema in DOCUMENTS}
        assert other in ("", *known[1:])
        assert standard(name, versions(name)[0]).document is DOCUMENTS[f"tradelane.{other or known[0]}/1"]


def test_an_overlay_is_for_the_document_that_its_base_is_for() -> None:
    definition = standard("850").definition
    overlay = b'base = "850"\n[map]\nrelease = "BEG06"\ncontract = ""\n'
    assert mappings.load(definition, overlay, "sales_order").document is SalesOrder
    assert mappings.load(definition, None, "sales_order") is not None
    with pytest.raises(MapError, match="document: is 'sales_order', not 'invoice'"):
        mappings.load(definition, overlay, "invoice")
    with pytest.raises(MapError, match=r"there is no map of 850\.invoice"):
        mappings.load(definition, None, "invoice")
    with pytest.raises(MapError, match=r"there is no map of 850\.invoice"):
        mappings.load(definition, b'base = "850.invoice"\n')
