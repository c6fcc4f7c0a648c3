"""The tables: one source held against the other, and both against the printed guide at known places.

`x12_sef_structure.tsv` and `x12_sef_segments.tsv` are the structure and segments of 004010 as a second source
(SoftwareAG/webmethods-b2b-integration-edi-samples, Apache-2.0) has them.
"""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edi.schema import LoopDef, SegmentUse, SetDef
from x12 import dictionary

HERE = Path(__file__).parent


def _second_source(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


STRUCTURE = _second_source("x12_sef_structure.tsv")
SEGMENTS = {row["segment"]: row["sef_definition"] for row in _second_source("x12_sef_segments.tsv")}


def _uses(definition: SetDef) -> list[tuple[str, str]]:
    return [(use.segment.tag, str(use.max_use) if use.max_use else ">1") for use in definition.nodes]


@pytest.mark.parametrize("transaction_set", sorted({row["set"] for row in STRUCTURE}))
def test_two_sources_have_the_same_segments_in_the_same_order_with_the_same_maximum(
    transaction_set: str,
) -> None:
    definition = dictionary.definition(transaction_set, "004010")
    assert definition is not None
    second = [(r["segment"], r["max_use"]) for r in STRUCTURE if r["set"] == transaction_set]
    assert [tag for tag, _ in _uses(definition)] == [tag for tag, _ in second]
    differing = [(a, b) for a, b in zip(_uses(definition), second, strict=True) if a != b]
    assert differing == []


@pytest.mark.parametrize("tag", sorted(SEGMENTS))
def test_two_sources_have_the_same_elements_in_every_segment(tag: str) -> None:
    segment = dictionary.segment(tag, "004010")
    assert segment is not None
    listed, _, notes = SEGMENTS[tag].partition("+")
    second: list[tuple[str, bool]] = []
    for count, group, single in re.findall(r"\{(\d+)((?:\[[^\]]*\])+)\}|\[([^\]]*)\]", listed):
        parts = re.findall(r"\[([^\]]*)\]", group) * int(count) if count else [single]
        second += [(part.split(",")[0], ",M" in part) for part in parts]
    ours = [(use.element.id, use.requirement == "M") for use in segment.elements]
    assert ours == second
    told = ["".join([n.kind, *(f"{p:02}" for p in n.positions)]) for n in segment.notes]
    assert told == re.findall(r"[PRECL](?:\d\d)+", notes)


@pytest.mark.parametrize("version", dictionary.VERSIONS)
def test_every_definition_can_be_built_and_its_loops_begin_with_the_segment_they_are_named_after(
    version: str,
) -> None:
    def walk(children: tuple[SegmentUse | LoopDef, ...]) -> None:
        for child in children:
            if isinstance(child, LoopDef):
                first = child.children[0]
                assert isinstance(first, SegmentUse)
                assert (first.segment.tag, first.first, first.requirement) == (child.id, True, "M")
                walk(child.children)

    for transaction_set in dictionary.sets(version):
        definition = dictionary.definition(transaction_set, version)
        assert definition is not None
        walk(definition.children)
        assert [use.index for use in definition.nodes] == list(range(len(definition.nodes)))
        assert (definition.nodes[0].segment.tag, definition.nodes[-1].segment.tag) == ("ST", "SE")
        assert len(definition.functional_id) == 2


@pytest.mark.parametrize("version", dictionary.VERSIONS)
def test_every_element_has_a_type_of_the_standard_and_lengths_that_hold_its_codes(version: str) -> None:
    for tag in dictionary.definition("850", version).known_tags:  # type: ignore[union-attr]
        segment = dictionary.segment(tag, version)
        assert segment is not None
        for use in segment.elements:
            for element in [use.element, *(c.element for c in use.element.components)]:
                assert re.fullmatch(r"AN|ID|DT|TM|R|B|N\d|", element.type)
                assert (element.type == "") == bool(element.components)
                assert element.components or 1 <= element.min <= element.max
                assert all(len(code) <= element.max for code in element.codes or ())


def test_the_beginning_of_a_purchase_order_is_as_the_guide_prints_it() -> None:
    definition = dictionary.definition("850", "004010VICS")
    assert definition is not None
    assert (definition.name, definition.functional_id) == ("Purchase Order", "PO")
    beg = definition.nodes[1].segment
    assert (beg.tag, beg.name) == ("BEG", "Beginning Segment for Purchase Order")
    number, day = beg.elements[2], beg.elements[4]
    assert number[:2] == (number.element, "M")
    assert (number.element.id, number.element.type, number.element.min, number.element.max) == (
        "324",
        "AN",
        1,
        22,
    )
    assert (day.element.id, day.element.type, day.requirement) == ("373", "DT", "M")
    assert "00" in (beg.elements[0].element.codes or ())
    assert dictionary.meaning("353", "00") == "Original"


@pytest.mark.parametrize("transaction_set", ["753", "754", "999"])
def test_a_set_younger_than_the_version_is_as_it_was_first_published(transaction_set: str) -> None:
    older = dictionary.definition(transaction_set, "004010VICS")
    first = dictionary.definition(transaction_set, "005010")
    assert older is not None
    assert first is not None
    assert (older.version, first.version) == ("004010", "005010")
    assert older.children == first.children


def test_what_is_not_defined_is_none() -> None:
    assert dictionary.definition("850", "003050") is None
    assert dictionary.definition("../850", "004010") is None
    assert dictionary.base_version("../../") is None
    assert dictionary.segment("BEG", "../../") is None
    assert dictionary.segment("ZZZ", "004010") is None
    assert dictionary.functional_id("000") is None
    assert dictionary.meaning("353", "no such code") is None


def test_tables_are_read_only_when_a_set_is_asked_for() -> None:
    source = (
        "import x12, x12.codec, x12.acks; from x12 import dictionary as d;"
        "assert d._version.cache_info().currsize == 0; d.definition('850', '004010');"
        "assert d._version.cache_info().currsize == 1; assert d._meanings.cache_info().currsize == 0"
    )
    subprocess.run([sys.executable, "-c", source], check=True)
