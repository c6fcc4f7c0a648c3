"""What partners' AS2 products need, as data (`presets.toml`), and how it goes under what is written.

A preset is nothing but keys of `[partner.NAME.as2]`. They are merged before the file is checked, so that
whatever is wrong with them is told as if it stood there, with the preset's name.
"""

from __future__ import annotations

import tomllib
import types
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from msgspec import Struct


class Preset(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one product needs.

    `as2` are the keys it sets; `notes` what an administrator has to write; `port_in_url` that its URLs name
    their port, even where it is the usual one.
    """

    title: str
    why: str
    source: str
    as2: dict[str, Any]
    notes: tuple[str, ...] = ()
    port_in_url: bool = False

    @property
    def keys(self) -> dict[str, Any]:
        """Each key it sets, dotted, with its value: `mdn.mode` -> "sync"."""
        return dict(_leaves(self.as2))


@cache
def presets() -> Mapping[str, Preset]:
    """All of them, by name, in the order of the file."""
    text = files("gateway.config").joinpath("presets.toml").read_text("utf-8")
    return types.MappingProxyType(msgspec.convert(tomllib.loads(text), dict[str, Preset]))


def merged(preset: Preset, written: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The table as written over the preset's keys, and those keys that come from the preset, dotted."""
    return _over(preset.as2, written), dict(_leaves(_left(preset.as2, written)))


def _over(usual: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    table = dict(usual)
    for key, value in written.items():
        below = table.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        table[key] = _over(below, value) if both else value  # type: ignore[arg-type]
    return table


def _left(usual: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    left: dict[str, Any] = {}
    for key, value in usual.items():
        if key not in written:
            left[key] = value
        elif isinstance(value, Mapping) and isinstance(written[key], Mapping):
            left[key] = _left(value, written[key])
    return left


def _leaves(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
