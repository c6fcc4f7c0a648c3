"""The tables: one source held against the other, and both against the printed directory at known places.

`edifact_sources_differ.tsv` lists each difference of the sources with the choice made. The first is what the
tables are derived from; of the service segments (ISO 9735), what is written in them.
"""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from edifact_second_source import (
    differences,
    facts_of_ours,
    facts_of_second_source,
    second_source,
    service_differences,
)

from edi.edifact import directory
from edi.schema import ElementDef, LoopDef, SegmentDef, SegmentUse, SetDef

HERE = Path(__file__).parent
LATER = ("INSDES", "OSTRPT", "RETANN")  # than D.96A


def defined(message: str, version: str) -> SetDef:
    definition = directory.definition(message, version)
    assert definition is not None
    return definition


def groups(children: tuple[SegmentUse | LoopDef, ...]) -> Iterator[LoopDef]:
    for child in children:
        if isinstance(child, LoopDef):
            yield child
            yield from groups(child.children)


def trigger(group: LoopDef) -> SegmentUse:
    first = group.children[0]
    assert isinstance(first, SegmentUse)
    return first


def every_segment() -> Iterator[SegmentDef]:
    for version in directory.VERSIONS:
        for tag in defined("ORDERS", version).known_tags:
            segment = directory.segment(tag, version)
            assert segment is not None
            yield segment
    for version in "34":
        for tag in ("UNB", "UNG", "UNH", "UNS", "UNT", "UNE", "UNZ"):
            segment = directory.service(tag, version)
            assert segment is not None
            yield segment


def test_two_sources_agree_but_where_a_choice_is_listed_with_its_reason() -> None:
    with (HERE / "edifact_sources_differ.tsv").open(newline="") as file:
        listed = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert all(row["choice"] in ("first", "second", "both") and row["reason"] for row in listed)
    known = {(row["directory"], row["place"], row["first source"], row["second source"]) for row in listed}
    found = {("D.96A", *difference) for difference in differences()}
    for version in "34":
        found |= {(f"syntax {version}", *difference) for difference in service_differences(version)}
    assert sorted(found - known) == []
    assert sorted(known - found) == []


def test_the_second_source_covers_every_message_but_those_younger_than_the_directory() -> None:
    assert set(directory.sets("D.96A")) - set(second_source()[".SETS"]) == {*LATER, "CONTRL"}
    ours, theirs = facts_of_ours(), facts_of_second_source()
    assert len(ours.keys() & theirs.keys()) > 2000
    for place in ("message ORDERS line 2", "segment BGM03", "segment C50601", "element 2380", "codes 2005"):
        assert ours[place] == theirs[place]


@pytest.mark.parametrize("version", directory.VERSIONS)
def test_every_message_can_be_built_and_its_groups_are_numbered_in_the_order_of_their_triggers(
    version: str,
) -> None:
    for message in directory.sets(version):
        definition = defined(message, version)
        assert (definition.type, definition.functional_id) == (message, message)
        assert definition.name
        assert [use.index for use in definition.nodes] == list(range(len(definition.nodes)))
        assert (definition.nodes[0].segment.tag, definition.nodes[-1].segment.tag) == ("UNH", "UNT")
        assert {use.segment.tag for use in definition.nodes} <= definition.known_tags | (
            defined(message, "D.01B").known_tags
        )
        found = list(groups(definition.children))
        assert [group.id for group in found] == [f"SG{number}" for number in range(1, len(found) + 1)]
        for group in found:
            first = trigger(group)
            assert (first.first, first.requirement, first.max_use) == (True, "M", 1)
            assert first.loops[-1] == group.id
        assert all(use.requirement in ("M", "O") and use.max_use > 0 for use in definition.nodes)


@pytest.mark.parametrize("version", directory.VERSIONS)
def test_every_control_total_is_of_segments_that_the_message_has(version: str) -> None:
    for message in directory.sets(version):
        definition = defined(message, version)
        for total in definition.totals:
            assert any(use.segment.tag == total.segment and not use.loops for use in definition.nodes)
            inside = [
                child
                for group in groups(definition.children)
                if trigger(group).segment.tag == (total.beside or total.of)
                for child in group.children
                if isinstance(child, SegmentUse) and child.segment.tag == total.of
            ]
            assert inside
            known = inside[0].segment.elements[0].element
            if total.chosen:
                assert set(total.chosen) <= (known.components[0].element.codes or set())


@pytest.mark.parametrize(
    ("message", "version", "numbers"),
    [
        ("ORDERS", "D.96A", "2NAD 7CUX 25LIN 28PRI 29RFF 33LOC 34TAX 35NAD 39ALC 54ALC"),
        ("ORDERS", "D.01B", "2NAD 7CUX 28LIN 32PRI 33RFF 37LOC 38TAX 39NAD 43ALC 60ALC"),
        ("INVOIC", "D.96A", "2NAD 7CUX 8PAT 15ALC 25LIN 26MOA 28PRI 33TAX 38ALC 48MOA 50TAX 51ALC"),
        ("INVOIC", "D.01B", "2NAD 7CUX 8PAT 16ALC 26LIN 27MOA 29PRI 34TAX 39ALC 50MOA 52TAX 53ALC"),
        ("DESADV", "D.96A", "2NAD 10CPS 11PAC 13PCI 14GIN 15LIN 16RFF 20PCI"),
        ("DESADV", "D.01B", "2NAD 10CPS 11PAC 13PCI 15GIN 17LIN 18RFF 22PCI"),
        ("ORDRSP", "D.96A", "3NAD 8CUX 26LIN 30PRI 31RFF"),
        ("RECADV", "D.96A", "4NAD 16CPS 22LIN 28RFF"),
        ("INVRPT", "D.01B", "2NAD 9LIN 11INV"),
        ("IFTMIN", "D.96A", "11NAD 18GID 37EQD"),
        ("IFTSTA", "D.96A", "4CNI 5STS 7EQD"),
        ("CONTRL", "D.96A", "1UCM 2UCS 3UCF 4UCM 5UCS"),
    ],
)
def test_segment_groups_bear_the_numbers_that_the_directory_prints(
    message: str, version: str, numbers: str
) -> None:
    found = {
        f"{group.id[2:]}{trigger(group).segment.tag}" for group in groups(defined(message, version).children)
    }
    assert set(numbers.split()) <= found


def test_the_line_of_an_order_is_as_the_directory_prints_it() -> None:
    line = next(group for group in groups(defined("ORDERS", "D.96A").children) if group.id == "SG25")
    assert (line.requirement, line.repeat) == ("O", 200000)
    printed = [
        (c.segment.tag, c.requirement, c.max_use) for c in line.children[:5] if isinstance(c, SegmentUse)
    ]
    assert printed == [("LIN", "M", 1), ("PIA", "O", 25), ("IMD", "O", 99), ("MEA", "O", 5), ("QTY", "O", 10)]


def test_a_segment_is_as_the_directory_prints_it() -> None:
    for version, qualifier in (("D.96A", "Party qualifier"), ("D.01B", "Party function code qualifier")):
        segment = directory.segment("NAD", f"{version}/EAN008")
        assert segment is not None
        assert segment.name == "Name and address"
        assert [f"{use.element.id} {use.requirement}" for use in segment.elements] == [
            "3035 M", "C082 O", "C058 O", "C080 O", "C059 O", "3164 O", *(
                ["3229 O"] if version == "D.96A" else ["C819 O"]
            ), "3251 O", "3207 O",
        ]  # fmt: skip
        party, identification = segment.elements[0].element, segment.elements[1].element.components[0]
        assert (party.name, party.type, party.min, party.max) == (qualifier, "an", 1, 3)
        assert {"BY", "SU", "DP", "IV"} <= (party.codes or set())
        assert (identification.element.id, identification.requirement, identification.element.max) == (
            "3039",
            "M",
            35,
        )
        assert identification.element.codes is None
    assert directory.meaning("3035", "BY") == "Buyer"


def test_every_element_has_a_type_of_the_standard_and_lengths_that_hold_its_codes() -> None:
    def simple(element: ElementDef) -> Iterator[ElementDef]:
        if element.components:
            assert element.type == ""
            yield from (component.element for component in element.components)
        else:
            yield element

    for segment in every_segment():
        for use in segment.elements:
            for element in simple(use.element):
                assert element.type in ("a", "an", "n")
                assert 1 <= element.min <= element.max
                assert all(element.min <= len(code) <= element.max for code in element.codes or ())
                assert element.name


def test_the_service_segments_are_those_of_the_syntax_version() -> None:
    def described(tag: str, version: str, element: int, component: int) -> ElementDef:
        segment = directory.service(tag, version)
        assert segment is not None
        return segment.elements[element - 1].element.components[component - 1].element

    for version in ("1", "2", "3"):
        day = described("UNB", version, 4, 1)
        assert (day.id, day.type, day.min, day.max) == ("0017", "n", 6, 6)
        assert len(directory.service("UNB", version).elements[1].element.components) == 3  # type: ignore[union-attr]
    assert (described("UNB", "4", 4, 1).min, described("UNB", "4", 2, 4).id) == (8, "0042")
    within = defined("ORDERS", "D.96A").nodes
    assert within[0].segment is directory.service("UNH", "4")
    assert within[-1].segment is directory.service("UNT", "4")
    assert directory.service("BGM", "3") is None


def test_contrl_is_defined_whatever_its_version_and_holds_both_forms_of_it() -> None:
    definition = directory.definition("CONTRL", "D.3")
    assert definition is directory.definition("CONTRL", "4.1/XYZ")
    assert definition is not None
    message = directory.service("UCM", "4")
    assert message is not None
    assert [f"{use.element.id} {use.requirement}" for use in message.elements[:6]] == [
        "0062 O", "S009 O", "0083 M", "0085 O", "0135 O", "S011 O",
    ]  # fmt: skip
    assert {"4", "7", "8"} <= (message.elements[2].element.codes or set())
    for code in message.elements[3].element.codes or ():
        assert directory.meaning("0085", code)
    assert directory.meaning("0085", "12") == "Invalid value"


@pytest.mark.parametrize("message", LATER)
def test_a_message_younger_than_the_directory_is_as_it_was_first_published(message: str) -> None:
    older, first = defined(message, "D.96A/EAN008"), defined(message, "D.01B")
    assert (older.version, first.version) == ("D.96A", "D.01B")
    assert older.children == first.children


def test_what_is_not_defined_is_none() -> None:
    assert directory.base_version("D.96A/EAN008") == "D.96A"
    for version in ("D.97A", "XX:D.96A", "D.96AB", "../../", ""):
        assert directory.base_version(version) is None
        assert directory.definition("ORDERS", version) is None
        assert directory.segment("BGM", version) is None
    assert directory.definition("../ORDERS", "D.96A") is None
    assert directory.segment("C002", "D.96A") is None
    assert directory.segment("ZZZ", "D.96A") is None
    assert directory.functional_id("ZZZZZZ") is None
    assert directory.meaning("3035", "no such code") is None


def test_tables_are_read_only_when_a_message_is_asked_for() -> None:
    source = (
        "from edi.edifact import directory as d;"
        "assert d._tables.cache_info().currsize == 0; d.definition('ORDERS', 'D.96A');"
        "assert d._tables.cache_info().currsize == 2; assert d._meanings.cache_info().currsize == 0"
    )
    subprocess.run([sys.executable, "-c", source], check=True)
