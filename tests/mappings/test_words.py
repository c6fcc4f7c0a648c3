"""The words for codes: one field of a document speaks one language, whichever set it came from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import msgspec
import pytest
from maps_support import MESSAGES, SETS, checker_of, versions

import x12
from edi.schema import ElementUse
from mappings.language import Scope, _shared_codes, read_map
from mappings.values import Codes


def coded(scope: Scope) -> Iterator[tuple[type[msgspec.Struct], str, ElementUse, Codes | None]]:
    """Struct, field, data element and table of codes of every text that a map reads, and of every kind."""
    structs = {(): scope.struct, **scope.structs()}
    for slot in scope.slots:
        elements = slot.node.segment.elements
        for field in slot.fields:
            use = _use(elements, *field.place)
            yield structs[field.path[:-1]], field.path[-1], use, field.codes
        for pairs in slot.pairs:
            for place in pairs.places:
                if place.qualifier:
                    use = _use(elements, *place.qualifier)
                    yield structs[pairs.path[:-1]], pairs.path[-1], use, pairs.codes
    for inner in scope.scopes:
        yield from coded(inner)


def _use(elements: tuple[ElementUse, ...], element: int, component: int) -> ElementUse:
    use = elements[element - 1]
    return use.element.components[component - 1] if component else use


@pytest.mark.parametrize("version", ["004010", "005010"])
def test_a_code_is_one_word_in_a_field_whichever_set_it_came_from(version: str) -> None:
    said: dict[tuple[str, str, str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name in SETS:
        checker = x12.checker(name, version)
        if checker is None:
            continue
        for struct, field, use, codes in coded(read_map(checker.definition)[1]):
            for code in use.element.codes or ():
                word = codes.words[code] if codes else code
                said[struct.__name__, field, use.element.id, code][word].add(name)
    assert len(said) > 10_000
    assert {place: dict(words) for place, words in said.items() if len(words) > 1} == {}


def test_a_word_for_all_messages_is_that_of_a_code_which_some_directory_has() -> None:
    lists: dict[str, set[str] | None] = {}
    for name in MESSAGES:
        for version in versions(name):
            checker = checker_of(name, version)
            assert checker is not None
            bound = read_map(checker.definition, document=name.partition(".")[2])
            for _, _, use, codes in coded(bound.scope):
                for table, words in _shared_codes("edifact").items():
                    if codes and words.items() <= codes.words.items():
                        known = lists.setdefault(table, set())
                        if use.element.codes is None or known is None:
                            lists[table] = None  # recommendations of UN/ECE, whose codes are no part of it
                        else:
                            known |= use.element.codes
    assert len(lists) > 20
    shared = _shared_codes("edifact")
    missing = {
        (table, code)
        for table, known in lists.items()
        for code in shared[table]
        if known is not None and code and code not in known
    }
    assert missing == set()
