"""Every row of the checklists of AS2 has a test that carries its id: in its name, or in the id of one case.

After RFC 4130 and the documents around it: H headers, M receipts, C compression, F features and files,
R reliability. What an attacker may try: A transport, B messages and signatures, C01 to C03 what we send.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SELF = Path(__file__).name
ROWS = [
    *(f"H{n}" for n in range(1, 16)),
    *(f"M{n}" for n in range(1, 14)),
    *("C1", "C2"),
    *(f"F{n}" for n in range(1, 5)),
    *(f"R{n}" for n in range(1, 6)),
    *(f"A{n:02}" for n in range(1, 10)),
    *(f"B{n:02}" for n in range(1, 13)),
    *("C01", "C02", "C03"),
]


def ids_of(module: ast.Module) -> Iterator[str]:
    """The words, in upper case, that name the tests of a module and their cases."""
    tables = {
        target.id: statement.value
        for statement in module.body
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None
        for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(module):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not node.name.startswith("test_"):
            continue
        yield from node.name.upper().split("_")
        for decorator in node.decorator_list:
            yield from _words(decorator)
            names = (part.id for part in ast.walk(decorator) if isinstance(part, ast.Name))
            for table in (tables[name] for name in names if name in tables):
                yield from _words(table)


def _words(node: ast.AST) -> Iterator[str]:
    """The id with which a text of an expression begins, if words follow it: what begins a segment is none."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield from re.findall(r"\A([A-Z]\d+):? \w", part.value)


@pytest.fixture(scope="module")
def found() -> frozenset[str]:
    files = (path for path in TESTS.rglob("test_*.py") if path.name != SELF)
    return frozenset(word for path in files for word in ids_of(ast.parse(path.read_bytes())))


@pytest.mark.parametrize("row", ROWS)
def test_every_row_has_a_test_that_carries_its_id(found: frozenset[str], row: str) -> None:
    assert row in found


def test_ids_are_found_in_names_and_cases_and_nowhere_else() -> None:
    module = ast.parse(
        "CASES = {'B02 zero signers': 1}\n"
        "@pytest.mark.parametrize('x', ['R4: one', 'R1*two'], ids=CASES)\n"
        "def test_h1_m5_all_is_well(x):\n    'H2'\n"
        "def help_h3(): ...\n"
    )
    ids = set(ids_of(module))
    assert {"H1", "M5", "R4", "B02"} <= ids
    assert not {"H2", "H3", "R1"} & ids
