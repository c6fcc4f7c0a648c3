"""What pydifact makes of files: runs in a virtual environment of its own, reads and writes JSON lines.

Each question has a file's text; the answer its segments, each a list of tag and elements, a composite being a
list of its components, or the error that pydifact raises. Imports nothing of ours.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

from pydifact.parser import Parser  # type: ignore[import-not-found]

warnings.simplefilter("ignore")


def answer(text: str) -> dict[str, Any]:
    try:
        return {"segments": [[segment.tag, *segment.elements] for segment in Parser().parse(text)]}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def main() -> None:
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
