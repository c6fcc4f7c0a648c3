"""Why a message was refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from gateway import as2, wire
from gateway.as2 import variants
from gateway.as2.anatomy import Anatomy
from gateway.as2.cms import Recipient
from gateway.config import As2
from gateway.diagnosis.finding import Finding, set_keys
from gateway.diagnosis.signature import in_words, judged_signature, named
from gateway.errors import DeadReason
from gateway.home import Home
from gateway.wire import Pinned, Wire


class Received:
    """What is wrong with a message that was refused."""

    def __init__(self, home: Home, found: Wire) -> None:
        self.home = home
        self.wire = found
        self.row = found.row
        self.pinned = wire.pinned(home)

    def findings(self) -> Iterator[Finding]:
        taken, relation = self.wire.anatomy, self.wire.relation
        if taken is None or relation is None:
            return
        by_headers = next((words for words in _BY_HEADERS if words in (self.row.disposition or "")), None)
        if by_headers is not None:
            names = by_headers.endswith("-filename")
            commands = (set_keys(self.row.partner, {"filenames": "warn"}),) if names else ()
            facts = {"disposition": self.row.disposition}
            yield Finding("headers", *_BY_HEADERS[by_headers], commands, facts)
            return
        found = list(self._all(taken, relation))
        yield from found
        if not found and taken.fault is not None:
            yield Finding(
                "unreadable",
                f"it cannot be read: {taken.fault.cause}",
                "ask the partner to send it again, and what they do otherwise than with others",
                (f"tradelane evidence {self.row.id}",),
            )
        elif not found and self.row.reason in _CURED:
            yield Finding(
                "acceptable-now",
                "as partners.toml is now, it would be accepted",
                "ask the partner to send it again",
            )

    def _all(self, taken: Anatomy, relation: As2) -> Iterator[Finding]:
        if taken.envelope is not None and (taken.envelope.opened_with is None or self._retired(taken)):
            yield from self._envelope(taken)
        elif taken.envelope is None and relation.encrypt != "none":
            yield self._policy(
                "not-encrypted", f"it is not encrypted, and {relation.encrypt} is agreed", "encrypt"
            )
        if taken.envelope is not None:
            yield from self._cipher(taken.envelope.cipher, relation)
        if taken.signature is not None:
            yield from judged_signature(
                self.home, self.wire, taken.signature, self.pinned, self._inside(taken), "the message"
            )
        elif relation.sign != "none" and taken.fault is None:
            yield self._policy("not-signed", f"it is not signed, and {relation.sign} is agreed", "sign")

    def _retired(self, taken: Anatomy) -> bool:
        assert taken.envelope is not None
        ours = {channel.fingerprint for channel in _decrypting(self.home, self.row.created_at)}
        return taken.envelope.opened_with not in ours

    def _inside(self, taken: Anatomy) -> list[variants.Base]:
        assert taken.signature is not None
        bases = [variants.Base(taken.signature.content)]
        if taken.compressed and taken.fault is None:
            bases.append(variants.Base(taken.entity.whole, (variants.Departure("uncompressed"),)))
        return bases

    def _envelope(self, taken: Anatomy) -> Iterator[Finding]:
        """For whom it was encrypted, and why we cannot read it."""
        assert taken.envelope is not None
        send = (f"tradelane partner sheet {self.row.partner}",)
        ours = [(self._whose(one), one) for one in taken.envelope.recipients]
        facts = {
            "cipher": taken.envelope.cipher,
            "recipients": [named(one) | {"certificate": whose} for whose, one in ours],
        }
        mine = [one for one in self.pinned if not one.owner and _meant(taken, one)]
        if taken.envelope.opened_with is not None or (mine and self._all_retired(mine)):
            label = ", ".join(one.label for one in mine)
            yield Finding(
                "encrypted-to-retired",
                f"encrypted to our key {label!r}, which has retired",
                "send the partner our current certificate",
                send,
                facts,
            )
            return
        if mine:
            yield Finding(
                "damaged-envelope",
                f"encrypted to our key {mine[0].label!r}, and cannot be decrypted:"
                f" {taken.fault.cause if taken.fault else 'unknown'}",
                "it was damaged on the way, or encrypted with another key under the same name and serial"
                " number: ask the partner to import our certificate anew, and to send it again",
                send,
                facts,
            )
            return
        theirs = next((one for one in self.pinned if one.owner and _meant(taken, one)), None)
        names = "; ".join(in_words(one) for one in taken.envelope.recipients) or "nobody"
        if theirs is not None:
            whose = "their own certificate" if theirs.owner == self.row.partner else f"that of {theirs.owner}"
            yield Finding(
                "encrypted-to-other",
                f"encrypted to {whose} {theirs.label}, not to ours",
                "ask the partner to encrypt to our certificate, and send it to them",
                send,
                facts,
            )
            return
        yield Finding(
            "encrypted-to-unknown",
            f"encrypted to a certificate that is none of ours: {names}",
            "send the partner our current certificate; if it is an older one of ours, list its key in [us]"
            " keys again until they have changed",
            send,
            facts,
        )

    def _all_retired(self, mine: list[Pinned]) -> bool:
        current = {one.fingerprint for one in _decrypting(self.home, self.row.created_at)}
        return all(one.certificate.fingerprint not in current for one in mine)

    def _whose(self, recipient: Recipient) -> str | None:
        found = next((one for one in self.pinned if recipient.names(one.certificate)), None)
        return None if found is None else f"{found.owner or 'us'}: {found.label}"

    def _cipher(self, cipher: str, relation: As2) -> Iterator[Finding]:
        if cipher.startswith("OID") or (cipher == "3des" and relation.encrypt != "3des"):
            name = _OLD_CIPHERS.get(cipher, cipher)
            commands = (set_keys(self.row.partner, {"encrypt": "3des"}),) if cipher == "3des" else ()
            yield Finding(
                "weak-cipher",
                f"encrypted with {name}, which is not accepted",
                f"ask the partner for {relation.encrypt}; 3des can be agreed with those who can do no better,"
                " and is told as weak from then on",
                commands,
                {"cipher": name},
            )

    def _policy(self, code: str, text: str, key: str) -> Finding:
        return Finding(
            code,
            text,
            f"ask the partner to do what is agreed; if it is agreed otherwise, set {key}",
            (set_keys(self.row.partner, {key: "none"}),),
            {"agreed": getattr(self.wire.relation, key)},
        )


# What partners.toml can cure, so that a message refused before would be accepted after.
_CURED = frozenset({DeadReason.AUTH_FAILED, DeadReason.DECRYPT_FAILED, DeadReason.SECURITY_TOO_WEAK})


# Where the headers alone decide: what is wrong, and what to do, by the words of the receipt.
_BY_HEADERS = {
    "duplicate-filename": (
        'a file of this name came before, with other content, and filenames = "reject" is set',
        "ask the partner to send it again under another name; or take names that repeat with a warning",
    ),
    "illegal-filename": (
        'its file name has folders or control characters in it, and filenames = "reject" is set',
        "ask the partner to send it again under a plain name; or take such names with a warning",
    ),
    "invalid-message-id": (
        "its Message-ID holds blanks or control characters",
        "ask the partner to correct how their software makes a Message-ID",
    ),
    "sender-equals-receiver": (
        "AS2-From and AS2-To are the same",
        "ask the partner which AS2 id of theirs they have set",
    ),
    "unsupported format": (
        "it asks for a form of receipt that does not exist here",
        "ask the partner for signed-receipt-protocol=optional, pkcs7-signature",
    ),
    "unsupported MIC-algorithms": (
        "it asks for a receipt with digests of which none is known here",
        "ask the partner for sha-256 in signed-receipt-micalg",
    ),
}


_OLD_CIPHERS = {
    "OID 2a864886f70d0302": "RC2",
    "OID 2a864886f70d0304": "RC4",
    "OID 2b0e030207": "DES",
}


def _decrypting(home: Home, at: datetime) -> list[as2.Certificate]:
    """Our certificates that decrypted at a time."""
    names = {key.id for key in home.config.us.decryption_keys(at)}
    return [one.certificate for one in wire.pinned(home) if not one.owner and one.label in names]


def _meant(taken: Anatomy, one: Pinned) -> bool:
    assert taken.envelope is not None
    return any(recipient.names(one.certificate) for recipient in taken.envelope.recipients)
