"""Why an AS2 transmission failed, found in its stored bytes, and what to do about it: for the operator alone.

What is told here never goes to a partner: a receipt says no more than the standard's words, and behind an
envelope not even those. Each finding has a stable code, a sentence, and what to do: commands that can be run
as they stand where it is ours to do, else what to ask the partner for.
"""

from __future__ import annotations

from gateway import as2, wire
from gateway.diagnosis import received, sent
from gateway.diagnosis.finding import Finding
from gateway.diagnosis.signature import own_signer
from gateway.home import Home

__all__ = ["Finding", "diagnose", "embedded_certificate"]


def diagnose(home: Home, identity: str) -> list[Finding]:
    """What is wrong with a transmission, or the one that carried a document; nothing where nothing is.

    Raises StoreCorrupt when its bytes are gone, StoreUnavailable.
    """
    row = wire.row_of(home, identity)
    if row is None or row.channel != "as2" or row.partner is None:
        return []
    if row.direction == "in":
        if row.status != "refused" or row.wire_sha256 is None:
            return []
        with wire.opened(home, row) as found:
            return list(received.Received(home, found).findings())
    if row.status in {"delivered", "resubmitted", "superseded"}:
        return []
    with wire.opened(home, row) as found:
        return list(sent.findings(home, found))


def embedded_certificate(home: Home, identity: str) -> as2.Certificate | None:
    """The certificate that came with the signature of a message or receipt and that made it."""
    row = wire.row_of(home, identity)
    if row is None or row.wire_sha256 is None:
        return None
    with wire.opened(home, row) as found:
        taken = found.receipt_anatomy() if row.direction == "out" else found.anatomy
        signature = taken.signature if taken is not None else None
        return own_signer(signature) if signature is not None else None
