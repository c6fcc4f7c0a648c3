"""What is found: one value for all that can be wrong, and the commands that more than one of them names."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: `facts` are its values under stable keys, as JSON has them."""

    code: str
    text: str
    advice: str
    commands: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def list_certificate(row: Row[Any], file: str = "FILE") -> str:
    """The command by which a certificate of the partner's is listed."""
    return f"tradelane partner rotate-cert {row.partner} {file}"


def set_keys(partner: str | None, keys: Mapping[str, str]) -> str:
    """The command that sets these keys of a partner's AS2 agreement."""
    changes = " ".join(shlex.quote(f"as2.{key}={value}") for key, value in keys.items())
    return f"tradelane partner set {partner} {changes}"
