"""Places in split rows: elements, and components of those that are composites."""

from __future__ import annotations


def text_at(row: list[str], element: int, component: int, separator: str) -> str:
    """The text of an element, or of a component of it where that is not 0; "" where the row has none."""
    text = row[element] if len(row) > element else ""
    if not component:
        return text
    parts = text.split(separator)
    return parts[component - 1] if len(parts) >= component else ""


def put(row: list[str], element: int, text: str) -> None:
    """Sets an element of a row that may be shorter."""
    if len(row) <= element:
        row.extend([""] * (element + 1 - len(row)))
    row[element] = text


def put_at(row: list[str], element: int, component: int, text: str, separator: str) -> None:
    """Sets an element, or a component of it where that is not 0."""
    if component:
        parts = row[element].split(separator) if len(row) > element else []
        parts.extend([""] * (component - len(parts)))
        parts[component - 1] = text
        text = separator.join(parts)
    put(row, element, text)
