"""Source made from maps, and its way into functions: the only place where source is executed.

Only what a definition and a map say goes into source, as `repr` of it or as a constant by name. Maps are an
administrator's files and are checked before; what a partner wrote is never part of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Source:
    """Functions as they are emitted, and the constants that they name."""

    def __init__(self, **names: Any) -> None:
        self.names: dict[str, Any] = names
        self.lines: list[str] = []
        self.functions = 0

    def constant(self, value: Any, kind: str) -> str:
        """The name of a value in the source; one value has one name."""
        for name, known in self.names.items():
            if known is value:
                return name
        name = f"{kind}{len(self.names)}"
        self.names[name] = value
        return name

    def function(self, kind: str, parameters: str, body: list[str]) -> str:
        """Adds a function, and gives its name; `body` is indented."""
        self.functions += 1
        name = f"{kind}_{self.functions}"
        self.lines += [f"def {name}({parameters}):", *body, "", ""]
        return name

    @property
    def text(self) -> str:
        """The source, to be read."""
        return "\n".join(self.lines) + "\n"

    def load(self, name: str, of: str) -> Callable[..., Any]:
        """The function `name`; tracebacks call its file the map of `of`."""
        names = dict(self.names)
        exec(compile(self.text, f"<map of {of}>", "exec"), names)  # noqa: S102 - see above: no partner's text
        function: Callable[..., Any] = names[name]
        return function
