"""How a set is written to a partner, as partners.toml has it."""

from __future__ import annotations

from edi.problems import CannotWrite
from edi.tree import syntax_of
from gateway.config import Config, Partner
from gateway.edi.syntax import Envelope


def envelope(config: Config, partner: Partner, type: str) -> Envelope:
    """The headers of an interchange with a set. Raises CannotWrite when an identity is not configured."""
    us, syntax = config.us, syntax_of(type)
    ours, theirs = us.identity(syntax), partner.identity(syntax)
    if ours is None or theirs is None:
        kind = "UNB" if syntax == "edifact" else "ISA"
        raise CannotWrite(
            f"partners.toml names no {kind} identity for {'us' if ours is None else partner.name}"
        )
    version = partner.version(type)
    if syntax == "edifact":
        terms = partner.edifact
        return Envelope(
            ours,
            theirs,
            version,
            partner.usage,
            separators=terms.separators,
            syntax=terms.syntax,
            una={"always": True, "never": False}.get(terms.una),
            grouped=terms.groups,
        )
    return Envelope(
        ours,
        theirs,
        version,
        partner.usage,
        us.gs or ours.id,
        partner.x12.gs or theirs.id,
        partner.x12.separators,
    )
