"""docs/documents.md says which document each set becomes, as the maps do."""

from __future__ import annotations

import re
from pathlib import Path

import mappings
from edi.documents import DOCUMENTS, OrderAcknowledgment, decode, schema_of
from edi.edifact import directory
from x12 import dictionary

PAGE = (Path(__file__).parents[2] / "docs" / "documents.md").read_text()
ROWS = re.findall(r"\| `(\w+)` \| ([\w, ]*?) ?\| (\w*) ?\|", PAGE)
MAPS = Path(mappings.__file__).parent


def test_every_set_that_has_a_map_is_listed_with_its_document() -> None:
    found = {}
    for path in sorted(MAPS.glob("x12/???.toml")):
        definition = dictionary.definition(path.stem, "005010")
        assert definition is not None
        found[path.stem] = schema_of(mappings.load(definition).document)
    listed = {type: name for name, sets, _ in ROWS for type in sets.split(", ") if type}
    assert {f"tradelane.{name}/1" for name, _, _ in ROWS} == set(DOCUMENTS)
    assert {type: f"tradelane.{name}/1" for type, name in listed.items() if type != "TA1"} == found


def test_every_message_that_has_a_map_is_listed_with_its_documents() -> None:
    found = set()
    for path in sorted(MAPS.glob("edifact/[A-Z]*.toml")):
        type, _, document = path.stem.partition(".")
        definition = directory.definition(type, "D.01B")
        assert definition is not None
        found.add((type, schema_of(mappings.load(definition, None, document).document)))
    assert {(message, f"tradelane.{name}/1") for name, _, message in ROWS if message} == found


def test_the_example_is_a_document() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.S)
    document = decode(example.encode())
    assert isinstance(document, OrderAcknowledgment)
    assert [answer.status for answer in document.lines[0].answers] == ["accepted", "back_ordered"]
