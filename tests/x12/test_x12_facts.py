"""The tables: one source held against the other, and both against the printed guide at known places.

`x12_sources_differ.tsv` lists each difference of the sources with the choice made.
"""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest
from x12_second_source import differences, facts_of_ours, facts_of_second_source

from edi.schema import LoopDef, SegmentUse
from x12 import dictionary

HERE = Path(__file__).parent


def test_two_sources_agree_but_where_a_choice_is_listed_with_its_reason() -> None:
    with (HERE / "x12_sources_differ.tsv").open(newline="") as file:
        listed = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert all(row["choice"] in ("first", "second", "both") and row["reason"] for row in listed)
    known = {(row["place"], row["first source"], row["second source"]) for row in listed}
    found = set(differences())
    assert sorted(found - known) == []
    assert sorted(known - found) == []


def test_the_second_source_covers_every_set_but_those_younger_than_the_version() -> None:
    facts = facts_of_second_source()
    covered = {place.split()[1] for place in facts if place.startswith("set ")}
    assert set(dictionary.sets("004010")) - covered == {"753", "754", "999"}
    ours = facts_of_ours()
    assert len(facts.keys() & ours.keys()) > 5000
    differing = {place for place, _, _ in differences()}
    for place in ("set 850 line 2", "segment BEG03", "segment PO1 notes", "element 324", "codes 353"):
        assert ours[place] == facts[place]
        assert place not in differing


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
