"""Writes the JSON Schema of each document version that has no file here yet: `python -m edi.schemas.derive`.

A file that exists is never rewritten: it is what ERP systems were built against. A document that no longer
agrees with its file needs a new version.
"""

from __future__ import annotations

import json
from pathlib import Path

from edi.documents import DOCUMENTS, json_schema

FOLDER = Path(__file__).parent


def file_of(schema: str) -> Path:
    """The file of "tradelane.sales_order/1": sales_order.1.json."""
    name, version = schema.removeprefix("tradelane.").split("/")
    return FOLDER / f"{name}.{version}.json"


def text_of(schema: str) -> str:
    """The JSON Schema of a document as its file holds it."""
    return json.dumps(json_schema(DOCUMENTS[schema]), indent=1, sort_keys=True) + "\n"


def main() -> None:
    """Writes what is missing."""
    for schema in DOCUMENTS:
        file = file_of(schema)
        if not file.exists():
            file.write_text(text_of(schema), "utf-8")


if __name__ == "__main__":
    main()
