"""docs/documents.md says which document each set becomes, as the maps do."""

from __future__ import annotations

import re
from pathlib import Path

import mappings
from edi.documents import DOCUMENTS, OrderAcknowledgment, decode, schema_of
from x12 import dictionary

PAGE = (Path(__file__).parents[2] / "docs" / "documents.md").read_text()
LISTED = {
    type: name
    for name, sets in re.findall(r"\| `(\w+)` \| ([\w, ]+)", PAGE)
    for type in sets.strip().split(", ")
}
MAPPED = sorted(path.stem for path in Path(mappings.__file__).parent.glob("x12/???.toml"))


def test_every_set_that_has_a_map_is_listed_with_its_document() -> None:
    found = {}
    for type in MAPPED:
        definition = dictionary.definition(type, "005010")
        assert definition is not None
        found[type] = schema_of(mappings.load(definition).document)
    assert {f"tradelane.{name}/1" for name in LISTED.values()} == set(DOCUMENTS)
    assert {type: f"tradelane.{name}/1" for type, name in LISTED.items() if type != "TA1"} == found


def test_the_example_is_a_document() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.S)
    document = decode(example.encode())
    assert isinstance(document, OrderAcknowledgment)
    assert [answer.status for answer in document.lines[0].answers] == ["accepted", "back_ordered"]
