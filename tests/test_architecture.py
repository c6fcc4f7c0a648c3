"""The rules of ARCHITECTURE.md that can be read off the source: who imports whom, and what stays pure."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("edi", "x12", "mappings", "sftp", "gateway")
SOURCES = [path for top in OURS for path in sorted((ROOT / top).rglob("*.py"))]

# What each top-level package may import of ours.
MAY_IMPORT = {
    "edi": {"edi"},
    "x12": {"x12", "edi"},
    "mappings": {"mappings", "edi"},
    "sftp": {"sftp"},
    "gateway": set(OURS),
}

# Inside the gateway, low to high: a module imports its own level's neighbours of the same name, or lower.
LEVELS = [
    {"errors", "failpoints"},
    {"config", "keys", "store", "edi", "folders"},
    {"engine", "as2", "erp", "http"},
    {"home", "channels", "certificates", "protection", "numbers", "derivation"},
    {"orders", "pipeline"},
    {"queries", "intake", "sheet", "wire", "diagnosis", "evidence"},
    {"web", "simulate"},
    {"server"},
    {"cli", "__main__"},
]
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}

# Each third-party library has one home.
HOME = {
    "paramiko": ("sftp",),
    "watchdog": ("sftp",),
    "cryptography": ("gateway.as2", "gateway.keys", "sftp.keys"),
    "isal": ("gateway.as2",),
    "h11": ("gateway.http",),
    "httptools": ("gateway.web",),
    "lxml": ("gateway.as2.cem",),
    "starlette": ("gateway.web", "gateway.simulate"),
    "uvicorn": ("gateway.web", "gateway.simulate"),
    "click": ("gateway.cli",),
    "rich": ("gateway.cli",),
    "jinja2": ("gateway.web",),
    "tomlkit": ("gateway.config",),
    "alembic": ("gateway.store",),
    "sqlalchemy": ("gateway",),
    "msgspec": ("edi", "x12", "mappings", "gateway"),
}

IMPURE_MODULES = {
    "socket", "ssl", "http", "urllib", "asyncio", "random", "secrets", "uuid", "subprocess", "time",
    "threading", "multiprocessing", "selectors", "requests", "httpx", "sqlite3",
}  # fmt: skip
IMPURE_CALLS = {"now", "utcnow", "today", "urandom", "getenv", "fromtimestamp"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides who imports whom"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def under(name: str, homes: tuple[str, ...]) -> bool:
    return any(name == home or name.startswith(home + ".") for home in homes)


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_imports_go_one_way(path: Path) -> None:
    me = module_name(path)
    top = me.split(".")[0]
    for name in imports(path):
        other = name.split(".")[0]
        if other in OURS:
            assert other in MAY_IMPORT[top], f"{me} imports {name}"


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if path.is_relative_to(ROOT / "gateway")], ids=module_name
)
def test_inside_the_gateway_imports_go_from_high_to_low(path: Path) -> None:
    me = module_name(path).split(".")
    if len(me) == 1:
        return
    assert me[1] in LEVEL, f"gateway.{me[1]} has no level: give it one"
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "gateway" and len(parts) > 1 and parts[1] in LEVEL and parts[1] != me[1]:
            assert LEVEL[parts[1]] <= LEVEL[me[1]], f"{'.'.join(me)} imports {name} from above"


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_each_library_has_one_home(path: Path) -> None:
    me = module_name(path)
    for name in imports(path):
        top = name.split(".")[0]
        if top in HOME:
            assert under(me, HOME[top]), f"{me} imports {name}, whose home is {HOME[top]}"
        elif top not in OURS:
            known = top in sys.stdlib_module_names or top == "__future__"
            assert known, f"{me} imports {name}: a new library needs a home and a reason in ARCHITECTURE.md"


@pytest.mark.parametrize(
    "path",
    [path for top in ("edi", "x12", "mappings") for path in sorted((ROOT / top).rglob("*.py"))],
    ids=module_name,
)
def test_below_the_gateway_nothing_asks_for_clock_network_environment_or_chance(path: Path) -> None:
    for name in imports(path):
        assert name.split(".")[0] not in IMPURE_MODULES, f"{path} imports {name}"
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in IMPURE_CALLS, f"{path}:{node.lineno} calls .{node.func.attr}()"
        if isinstance(node, ast.Attribute):
            assert node.attr != "environ", f"{path}:{node.lineno} reads the environment"


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_only_the_http_edge_is_asynchronous(path: Path) -> None:
    """Everything else is plain functions and threads."""
    if under(module_name(path), ("gateway.web", "gateway.simulate")):
        return
    assert not any(name.split(".")[0] in {"asyncio", "anyio", "trio"} for name in imports(path)), path
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await), f"{path} is asynchronous"


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_nothing_loads_or_runs_what_could_come_from_outside(path: Path) -> None:
    """No pickle, marshal, shelve, yaml, eval or shell; `exec` only where definitions are compiled."""
    for name in imports(path):
        assert name.split(".")[0] not in {"pickle", "marshal", "shelve", "yaml", "dill"}, f"{path}: {name}"
    compilers = {"edi.elements", "mappings.compiler"}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "eval", f"{path}:{node.lineno} calls eval"
            if node.func.id in {"exec", "compile"}:
                assert module_name(path) in compilers, f"{path}:{node.lineno} calls {node.func.id}"
        if isinstance(node, ast.keyword) and node.arg == "shell":
            raise AssertionError(f"{path}:{node.lineno} names a shell")
