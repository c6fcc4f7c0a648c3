"""A partner's sheet as one self-contained page, for a browser and for paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

if TYPE_CHECKING:
    from gateway.sheet import Sheet

_PAGES = Path(__file__).parent / "pages"


def page(sheet: Sheet) -> str:
    """The HTML of a sheet. It loads nothing and runs nothing; what others wrote is text in it."""
    environment = Environment(
        loader=FileSystemLoader(_PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("sheet.html").render(sheet=sheet)
