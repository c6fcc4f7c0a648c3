"""The words for codes: one field of a document speaks one language, whichever set it came from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import msgspec
import pytest
from maps_support import SETS

import x12
from edi.schema import ElementUse
from mappings.language import Scope, read_map
from mappings.values import Codes


def coded(scope: Scope) -> Iterator[tuple[type[msgspec.Struct], str, ElementUse, Codes | None]]:
    """Struct, field, data element and table of codes of every text that a map reads, and of every kind."""
    structs = {(): scope.struct, **scope.structs()}
    for slot in scope.slots:
        elements = slot.node.segment.elements
        for field in slot.fields:
            use = elements[field.element - 1]
            if field.component:
                use = use.element.components[field.component - 1]
            yield structs[field.path[:-1]], field.path[-1], use, field.codes
        for pairs in slot.pairs:
            for place in pairs.places:
                if place.qualifier:
                    use = elements[place.qualifier.element - 1]
                    yield structs[pairs.path[:-1]], pairs.path[-1], use, pairs.codes
    for inner in scope.scopes:
        yield from coded(inner)


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
