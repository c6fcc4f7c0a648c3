"""Why an AS2 transmission failed, found in its stored bytes, and what to do about it: for the operator alone.

What is told here never goes to a partner: a receipt says no more than the standard's words, and behind an
envelope not even those. Each finding has a stable code, a sentence, and what to do: commands that can be run
as they stand where it is ours to do, else what to ask the partner for.
"""

from __future__ import annotations

import base64
import binascii
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from gateway import as2, wire
from gateway.as2 import As2Error, anatomy, mime, variants
from gateway.as2.anatomy import Anatomy, Signature, name_text
from gateway.as2.cms import Recipient
from gateway.as2.signed import digest_name
from gateway.config import As2, presets
from gateway.errors import DeadReason
from gateway.home import Home
from gateway.wire import Pinned, Wire


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: `facts` are its values under stable keys, as JSON has them."""

    code: str
    text: str
    advice: str
    commands: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


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
            return list(_Received(home, found).findings())
    if row.status in {"delivered", "resubmitted", "superseded"}:
        return []
    with wire.opened(home, row) as found:
        return list(_sent(home, found))


def embedded_certificate(home: Home, identity: str) -> as2.Certificate | None:
    """The certificate that came with the signature of a message or receipt and that made it."""
    row = wire.row_of(home, identity)
    if row is None or row.wire_sha256 is None:
        return None
    with wire.opened(home, row) as found:
        taken = found.receipt_anatomy() if row.direction == "out" else found.anatomy
        signature = taken.signature if taken is not None else None
        return _own_signer(signature) if signature is not None else None


def _own_signer(signature: Signature) -> as2.Certificate | None:
    return next((one for one in signature.certificates if signature.made_by(one) is not None), None)


class _Received:
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
            yield Finding("headers", *_BY_HEADERS[by_headers], facts={"disposition": self.row.disposition})
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
            "recipients": [_named(one) | {"certificate": whose} for whose, one in ours],
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
        names = "; ".join(_words(one) for one in taken.envelope.recipients) or "nobody"
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
            commands = (_set(self.row.partner, {"encrypt": "3des"}),) if cipher == "3des" else ()
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
            (_set(self.row.partner, {key: "none"}),),
            {"agreed": getattr(self.wire.relation, key)},
        )


# What partners.toml can cure, so that a message refused before would be accepted after.
_CURED = frozenset({DeadReason.AUTH_FAILED, DeadReason.DECRYPT_FAILED, DeadReason.SECURITY_TOO_WEAK})

# Where the headers alone decide: what is wrong, and what to do, by the words of the receipt.
_BY_HEADERS = {
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


def _named(recipient: Recipient) -> dict[str, Any]:
    return {
        "issuer": name_text(recipient.issuer) if recipient.issuer else None,
        "serial": recipient.serial.hex() or None,
        "key_id": recipient.key_id.hex() or None,
        "key_transport": recipient.algorithm or None,
    }


def _words(recipient: Recipient) -> str:
    if recipient.key_id:
        return f"key identifier {recipient.key_id.hex()}"
    return f"issuer {name_text(recipient.issuer)}, serial number {recipient.serial.hex()}"


def judged_signature(
    home: Home,
    found: Wire,
    signature: Signature,
    pinned: list[Pinned],
    bases: list[variants.Base],
    what: str,
) -> Iterator[Finding]:
    """What is wrong with a signature of the partner's: by whom it is, and what it covers."""
    row, relation = found.row, found.relation
    assert relation is not None
    if signature.fault is not None:
        yield Finding(
            "signature-unusable",
            f"the signature of {what} cannot be used: {signature.fault}",
            "ask the partner to sign with a detached S/MIME signature that has signed attributes",
        )
        if not signature.signers:
            return
    theirs = [one for one in pinned if one.owner == row.partner]
    mine = wire.made_by(signature, theirs)
    if mine is None:
        yield _unknown_signer(found, signature, pinned, what)
    elif not mine.certificate.valid_at(row.created_at):
        certificate = mine.certificate
        yield Finding(
            "signer-outside-validity",
            f"signed with {mine.label}, which is valid from {certificate.valid_from:%Y-%m-%d}"
            f" until {certificate.valid_until:%Y-%m-%d}",
            "ask the partner for their current certificate, and list it",
            (_list_certificate(row),),
            _facts(certificate),
        )
    elif mine.certificate.fingerprint not in {one.fingerprint for one in wire.verifying(found)}:
        yield Finding(
            "signer-outside-window",
            f"signed with {mine.label}, outside of the window in which partners.toml lets it verify",
            "correct verify_from or verify_until of that certificate in partners.toml",
            (f"tradelane partner show {row.partner}",),
            _facts(mine.certificate),
        )
    signer = signature.made_by(mine.certificate) if mine is not None else next(iter(signature.signers), None)
    if signer is not None:
        yield from _weak_digest(row, relation, signer.digest)
        search = variants.search(
            bases, signer.message_digest, found.scratch, stated=signer.digest, nearby=_nearby(found)
        )
        canonical = [variants.Departure("line-ends-crlf")]  # which is always taken
        if search.departures != () and list(search.departures or ()) != canonical:
            yield _covers(row, relation, search, what)


def _weak_digest(row: Row[Any], relation: As2, digest: str) -> Iterator[Finding]:
    if digest == "sha1" and not relation.legacy:
        yield Finding(
            "weak-digest",
            "signed with SHA-1, which is not accepted",
            f"ask the partner for {relation.sign}; sha1 can be agreed with those who can do no better,"
            " and is told as weak from then on",
            (_set(row.partner, {"sign": "sha1"}),),
            {"digest": digest},
        )


def _unknown_signer(found: Wire, signature: Signature, pinned: list[Pinned], what: str) -> Finding:
    own = _own_signer(signature)
    if own is None:
        names = "; ".join(map(_words, signature.names)) or "nobody"
        return Finding(
            "signer-unknown",
            f"{what} is signed by none of their listed certificates, but by {names}, which is not with it",
            "ask the partner which certificate they sign with, and list it",
            (_list_certificate(found.row),),
            {"signers": [_named(one) for one in signature.names]},
        )
    other = next((one for one in pinned if one.certificate.fingerprint == own.fingerprint), None)
    if other is not None:
        owner = other.owner or "us"
        return Finding(
            "signer-is-other",
            f"{what} is signed with the certificate {other.label} of {owner}",
            "ask the partner which of their systems sent it: it spoke for another company",
            facts=_facts(own) | {"owner": owner},
        )
    return Finding(
        "signer-not-listed",
        f"{what} is signed with a certificate you have not been given: {_subject(own)},"
        f" SHA-256 {_pairs(own.fingerprint)}",
        "ask the partner, by another way than this, whether the fingerprint is theirs; then import it:"
        " it came with the message",
        (
            f"tradelane doc explain {found.row.id} --save-certificate {found.row.partner}-new.pem",
            _list_certificate(found.row, f"{found.row.partner}-new.pem"),
        ),
        _facts(own),
    )


def _list_certificate(row: Row[Any], file: str = "FILE") -> str:
    return f"tradelane partner rotate-cert {row.partner} {file}"


def _subject(certificate: as2.Certificate) -> str:
    return anatomy.name_text(anatomy.subject(certificate))


def _pairs(fingerprint: str) -> str:
    return ":".join(fingerprint[at : at + 2] for at in range(0, len(fingerprint), 2)).upper()


def _facts(certificate: as2.Certificate) -> dict[str, Any]:
    return {
        "subject": _subject(certificate),
        "issuer": name_text(certificate.issuer),
        "serial": certificate.serial.hex(),
        "sha256": certificate.fingerprint,
        "valid_from": certificate.valid_from.isoformat(),
        "valid_until": certificate.valid_until.isoformat(),
    }


def _nearby(found: Wire) -> list[tuple[str, str]]:
    """Headers of the message that software may have counted along with those of the content."""
    return [(name, value) for name, value in found.headers if name.lower().startswith("content-")]


_LINES = frozenset({"line-ends", "header-lines", "content-lines", "trailing-line-breaks", "blank-line"})

# What a form asks for: of our keys, where a key of ours makes both sides count the same, and in words.
_WHEN_SENT: dict[str, tuple[dict[str, str], str]] = {
    "uncompressed": (
        {"compress": "none"},
        "they count what was there before it was compressed (RFC 5402 4.1)",
    ),
    "compressed": ({"compress": "none"}, "they count the compressed form (RFC 5402 4.2)"),
    "decoded": ({"encoding": "binary"}, "they count the content decoded"),
    "encoded": ({"encoding": "base64"}, "they count the content in base64"),
    "lines": ({"encoding": "base64"}, "their software changes line ends: base64 has none that matter"),
}
_ASK_SENT = "ask the partner to count MIME headers and content exactly as they are signed (RFC 4130 7.3.1)"
_ASK_RECEIVED = "ask the partner to sign MIME headers and content exactly as they are sent (RFC 4130 7.3.1)"
_WHEN_RECEIVED = {
    "uncompressed": "ask the partner to sign what they send, the compressed part (RFC 5402 4.1), or to"
    " compress after signing",
    "decoded": "ask the partner to sign the part as it is sent, in its transfer encoding, or to send binary",
    "encoded": "ask the partner to send the part as it was signed, in base64, or to sign it in binary",
    "lines": "ask the partner to send in base64, or to sign lines that end with CRLF: something on the way"
    " changes them",
    "headers-not-counted": "ask the partner to sign the MIME headers along with the content",
}


def _kind(search: variants.Search) -> str:
    """The departure that says most about what to do."""
    ids = [departure.id for departure in search.departures or ()]
    for id in ("uncompressed", "compressed", "decoded", "encoded", "headers-not-counted"):
        if id in ids:
            return id
    return "lines" if any(id.startswith(tuple(_LINES)) for id in ids) else "headers"


def _variant(search: variants.Search) -> dict[str, Any]:
    departures = search.departures
    return {
        "variant": None if departures is None else [one.id for one in departures],
        "details": None if departures is None else [one.detail for one in departures],
        "digest": search.digest,
        "tried": search.tried,
        "complete": search.complete,
    }


def _covers(row: Row[Any], relation: As2, search: variants.Search, what: str) -> Finding:
    if search.departures is None:
        return Finding(
            "content-changed",
            f"{what} is not what was signed, in {search}",
            "something on the way changed it, or it was signed otherwise than is known here: ask the partner"
            " to send it again, and whether a proxy, mail gateway or virus scanner stands between",
            (f"tradelane evidence {row.id}",),
            _variant(search),
        )
    return Finding(
        "signed-otherwise",
        f"the signature of {what} covers another form of it: {search}",
        _WHEN_RECEIVED.get(_kind(search), _ASK_RECEIVED),
        facts=_variant(search),
    )


# What we sent.


def _sent(home: Home, found: Wire) -> Iterator[Finding]:
    row, relation = found.row, found.relation
    if relation is None:
        return
    if found.receipt is not None:
        yield from _receipt(home, found, relation)
    elif row.disposition is None:
        yield from _transport(row, relation, wire.last_error(home, row))


def _receipt(home: Home, found: Wire, relation: As2) -> Iterator[Finding]:
    row, answer = found.row, found.receipt
    assert answer is not None
    try:
        fields, _ = as2.read_report(answer.headers, answer.body)
    except As2Error as error:
        yield Finding(
            "receipt-unreadable",
            f"what came back is no receipt: {error.cause}; {_begins(answer)}",
            "ask the partner whether the URL is that of their AS2 server, and what their log says",
            (f"tradelane partner show {row.partner}",),
        )
        return
    taken = found.receipt_anatomy()
    signature = taken.signature if taken is not None else None
    if signature is not None:
        bases = [variants.Base(signature.content)]
        yield from judged_signature(home, found, signature, wire.pinned(home), bases, "the receipt")
    elif relation.mdn.signed:
        yield Finding(
            "receipt-unsigned",
            "the receipt is not signed, and a signed one was asked for",
            "ask the partner to sign receipts; unsigned ones can be agreed, and prove nothing to others",
            (_set(row.partner, {"mdn.signed": "false"}),),
        )
    yield from _fields(home, found, relation, fields)
    disposition = fields.get("Disposition") or ""
    yield from _refusal(home, found, relation, disposition)


def _begins(answer: wire.Answer) -> str:
    kind = next((value for name, value in answer.headers if name.lower() == "content-type"), "no type")
    start = " ".join(answer.body[:400].decode("utf-8", "replace").split())[:120]
    return f"{kind[:80]}, {len(answer.body)} bytes" + (f", {start!r}" if start else "")


def _fields(home: Home, found: Wire, relation: As2, fields: mime.Headers) -> Iterator[Finding]:
    row, answer = found.row, found.receipt
    assert answer is not None
    original = fields.first("Original-Message-ID")
    if as2.bare_id(original) != as2.bare_id(row.message_id or ""):
        yield Finding(
            "receipt-of-other",
            f"the receipt is for {original or 'no message that it names'}, not for {row.message_id}",
            "ask the partner to return the Message-ID that they were sent, byte for byte",
            facts={"original_message_id": original or None, "message_id": row.message_id},
        )
    named, wanted = as2.read_names(answer.headers), (relation.id, home.config.us.as2_id)
    if named != wanted:
        yield Finding(
            "receipt-names",
            f"the receipt is from {named[0] or 'nobody'} to {named[1] or 'nobody'}, not from"
            f" {wanted[0]} to {wanted[1]}",
            "AS2 ids are exact, letter case included: correct whichever side is wrong",
            (_set(row.partner, {"id": named[0]}),) if named[0] else (),
            {"as2_from": named[0] or None, "as2_to": named[1] or None},
        )
    mic = fields.first("Received-Content-MIC") or None
    positive = "error" not in fields.first("Disposition").lower()
    if mic is None and positive and relation.mdn.signed:
        yield Finding(
            "receipt-without-mic",
            "the receipt carries no Received-Content-MIC",
            "ask the partner to return one: without it the receipt does not say what was received",
        )
    if mic is not None:
        yield from _mic(home, found, relation, mic)


def _mic(home: Home, found: Wire, relation: As2, text: str) -> Iterator[Finding]:
    """Which form of what we sent has the MIC that they returned."""
    row = found.row
    value, _, named = text.partition(",")
    value = "".join(value.split())
    stated = digest_name(named)
    if stated is not None and (row.mics or {}).get(stated) == value:
        return
    try:
        wanted = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        yield Finding(
            "mic-unreadable",
            f"the MIC {text[:100]!r} is no base64",
            "ask the partner to return it as RFC 4130 7.4.3 says: `base64, algorithm`",
        )
        return
    exact = wire.covered(home, found)
    if exact is None:
        yield Finding(
            "mic-differs",
            "the MIC they return is not that of what was sent, which cannot be made again to compare",
            "send it again after correcting nothing: what is built anew is compared as it should be",
            (f"tradelane doc resubmit {row.id}",),
        )
        return
    search = variants.search(
        wire.other_contents(home, found, exact), wanted, found.scratch, stated=stated, nearby=_nearby(found)
    )
    if search.departures is None:
        yield Finding(
            "mic-of-other-content",
            f"the MIC they return is not that of what was sent, in {search}",
            "they received other content, or count as nobody else does: ask for what they received",
            (f"tradelane evidence {row.id}",),
            _variant(search) | {"returned": text},
        )
        return
    keys, advice = _WHEN_SENT.get(_kind(search), ({}, _ASK_SENT))
    keys = _ours(relation, keys)
    if [one.id for one in search.departures] == ["digest"]:
        advice = f"ask the partner to name the digest they use: {search.digest}, not {named.strip()}"
    yield Finding(
        "mic-otherwise",
        f"their MIC is over another form of what was sent: {search}",
        advice + _also_preset(keys)
        if keys
        else advice
        if advice.startswith("ask")
        else f"{advice}; {_ASK_SENT}",
        (_set(row.partner, keys), f"tradelane doc resubmit {row.id}") if keys else (),
        _variant(search) | {"returned": text},
    )


def _ours(relation: As2, keys: Mapping[str, str]) -> dict[str, str]:
    """Of some keys those that exist and are set otherwise now."""
    return {key: value for key, value in keys.items() if getattr(relation, key, value) != value}


def _also_preset(keys: Mapping[str, str]) -> str:
    """Which presets set these keys."""
    found = [
        name for name, preset in presets().items() if all(preset.keys.get(key) == keys[key] for key in keys)
    ]
    return f"; preset {' or '.join(found)} sets it too" if found else ""


def _set(partner: str | None, keys: Mapping[str, str]) -> str:
    changes = " ".join(shlex.quote(f"as2.{key}={value}") for key, value in keys.items())
    return f"tradelane partner set {partner} {changes}"


_REFUSED: dict[str, tuple[str, str]] = {
    "decryption-failed": (
        "they cannot decrypt it: it was encrypted to {encrypted_to}",
        "ask the partner whether they decrypt with the key of that certificate now; if not, list the new one",
    ),
    "authentication-failed": (
        "they do not accept our signature, made with {signed_with}",
        "ask the partner whether they have imported that certificate; send it to them",
    ),
    "integrity-check-failed": (
        "to them the content is not what we signed",
        "their software, or something on the way, changes it; if it is line ends, base64 survives that",
    ),
    "decompression-failed": ("they cannot inflate it", "do not compress for them"),
    "insufficient-message-security": (
        "it is protected less than they demand: sign {sign}, encrypt {encrypt}",
        "ask the partner which algorithms they demand, and set sign and encrypt",
    ),
    "unsupported mic-algorithms": (
        "they do not know the digest that was asked for in the receipt",
        "ask the partner which digests they know, and how they spell them; set sign accordingly",
    ),
    "unsupported format": (
        "they do not know the form of receipt that was asked for",
        "agree on a receipt they can give: mdn.signed",
    ),
    "sender-equals-receiver": (
        "they take our AS2 id for their own",
        "compare the AS2 ids on both sides",
    ),
    "unknown-trading-relationship": (
        "they do not know us by {as2_from}, or themselves by {as2_to}",
        "AS2 ids are exact, letter case included: compare them with the partner's",
    ),
    "unexpected-processing-error": (
        "their side failed, or does not tell why",
        "ask the partner what their log says for the Message-ID {message_id}",
    ),
}


def _refusal(home: Home, found: Wire, relation: As2, disposition: str) -> Iterator[Finding]:
    """What a negative receipt means, and what to do about each reason."""
    row = found.row
    words = re.sub(r"\s+", " ", disposition.lower())
    if not re.search(r"/\s*(error|failure)|^[^;]*;\s*failed", words):
        return
    reason = next((name for name in _REFUSED if name in words), "unexpected-processing-error")
    text, advice = _REFUSED[reason]
    encrypted_to = relation.encrypting_cert(row.created_at)
    signs = home.config.us.signing_key(row.created_at)
    values = {
        "encrypted_to": encrypted_to.file.name if encrypted_to is not None else "no certificate",
        "signed_with": signs.cert.name if signs is not None else "no key",
        "sign": relation.sign,
        "encrypt": relation.encrypt,
        "as2_from": home.config.us.as2_id,
        "as2_to": relation.id,
        "message_id": row.message_id,
    }
    commands: tuple[str, ...] = ()
    if reason == "decompression-failed" and relation.compress != "none":
        commands = (_set(row.partner, {"compress": "none"}), f"tradelane doc resubmit {row.id}")
    elif reason == "integrity-check-failed" and _ours(relation, {"encoding": "base64"}):
        commands = (_set(row.partner, {"encoding": "base64"}), f"tradelane doc resubmit {row.id}")
    elif reason in {"authentication-failed", "unknown-trading-relationship"}:
        commands = (f"tradelane partner sheet {row.partner}",)
    elif reason == "decryption-failed":
        commands = (_list_certificate(row),)
    yield Finding(
        f"refused-{reason.replace(' ', '-')}",
        text.format(**values),
        advice.format(**values),
        commands,
        {"disposition": disposition},
    )


# What an error of the way says, most telling first; each with what to do, and keys of ours that may help.
_WAYS: list[tuple[str, str, str, str, dict[str, str]]] = [
    (r"TLS certificate is not accepted", "tls-certificate", "their TLS certificate is not trusted",
     "ask the partner whether it has expired, or who issued it; name that certificate as as2.http.ca", {}),
    (r"\bTLS: ", "tls", "no TLS version or cipher is known to both sides",
     "ask the partner for TLS 1.2 or later; it may also be that the port speaks plain HTTP", {}),
    (r"the answer is no HTTP", "no-http", "what listens there does not speak HTTP",
     "compare the URL with the partner's: https or http, and the port", {}),
    (r"Name or service not known|name resolution|nodename nor servname|No address associated", "dns",
     "the host name of their URL cannot be found", "compare the URL with the partner's", {}),
    (r"Connection refused", "refused-connection", "nobody listens at that host and port",
     "ask the partner whether their server runs, on that port, and lets our address in", {}),
    (r"(no connection|no whole answer|not taken) within|timed out", "timeout", "no answer in time",
     "ask the partner whether their firewall lets us in; for large messages, agree on asynchronous receipts",
     {"mdn.mode": "async"}),
    (r"answered 40[17]", "http-authentication", "they, or a proxy, ask for a user and a password",
     "agree on a user and a password with the partner: as2.http.user, as2.http.password", {}),
    (r"answered 403", "http-forbidden", "they refuse us before AS2 comes into it",
     "ask the partner whether they let our address, our AS2 id and the URL in", {}),
    (r"answered (404|405|410)", "http-url", "there is no AS2 server at that path",
     "compare the URL with the partner's, letter case and path included", {}),
    (r"answered 411", "http-length", "they want a Content-Length", "send with a Content-Length",
     {"http.transfer": "length"}),
    (r"answered 413", "http-too-large", "the message is larger than they take",
     "ask the partner for their limit, or compress", {"compress": "before-sign"}),
    (r"answered (400|415)", "http-bad-request", "they do not take the request for an AS2 message",
     "ask the partner what their log says; the headers we sent are in the evidence", {}),
    (r"answered 417", "http-expect", "they do not know Expect: 100-continue", "do not send it",
     {"http.expect_continue": "false"}),
    (r"answered 3\d\d", "http-redirect", "they redirect, which is not followed",
     "ask the partner whether that is their new URL, and set it: as2.url", {}),
    (r"answered 2\d\d without a receipt", "receipt-missing", "they took it, and the answer holds no receipt",
     "ask the partner for synchronous receipts, or agree on asynchronous ones", {"mdn.mode": "async"}),
    (r"answered 5\d\d", "http-server-error", "their server fails", "ask the partner what their log says", {}),
    (r"no receipt for", "receipt-overdue", "they took it, and no receipt has come",
     "ask the partner whether they can reach the URL of our receipts, and what their log says", {}),
]  # fmt: skip


def _transport(row: Row[Any], relation: As2, error: str | None) -> Iterator[Finding]:
    """Why nothing came back, by what the connection or the HTTP answer said."""
    if not error:
        return
    for pattern, code, text, advice, helpful in _WAYS:
        if re.search(pattern, error):
            where = f"{relation.url}: " if relation.url and relation.url not in error else ""
            keys = _known(relation, helpful)
            commands = [_set(row.partner, keys)] if keys else []
            if row.status == "failed":
                anew = any(not key.startswith("http.") for key in keys)  # what is agreed shows in the bytes
                commands.append(f"tradelane doc {'resubmit' if anew else 'resend'} {row.id}")
            yield Finding(code, f"{text} ({where}{error})", advice, tuple(commands), {"error": error})
            return


def _known(relation: As2, keys: Mapping[str, str]) -> dict[str, str]:
    """Of some dotted keys those that this version has."""
    known = {}
    for key, value in keys.items():
        at: Any = relation
        for part in key.split("."):
            at = getattr(at, part, None)
        if at is not None and str(at).lower() != value:
            known[key] = value
    return known
