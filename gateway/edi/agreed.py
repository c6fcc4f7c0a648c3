"""How sets are read and written with a partner, as partners.toml has it."""

from __future__ import annotations

from typing import Literal

from edi.problems import CannotWrite
from edi.tree import syntax_of
from gateway.config import Config, Partner
from gateway.edi import MapChoice
from gateway.edi.syntax import Envelope


def map_choice(partner: Partner, type: str, direction: Literal["in", "out"]) -> MapChoice:
    """By which map a set is read or written with a partner."""
    agreement = partner.agreement(type, direction)
    return MapChoice(agreement.map, agreement.document or "") if agreement is not None else MapChoice()


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
            ack_requested=config.ack(partner, type).mode == "CONTRL",
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
