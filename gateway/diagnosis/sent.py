"""Why what we sent has no receipt that closes it: what their receipt says, or why none came."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

from gateway import as2, wire
from gateway.as2 import As2Error, mime, variants
from gateway.as2.signed import digest_name
from gateway.config import As2, presets
from gateway.diagnosis.finding import Finding, list_certificate, set_keys
from gateway.diagnosis.signature import judged_signature, kind_of, nearby, variant_facts
from gateway.home import Home
from gateway.http import beginning
from gateway.wire import Wire

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


def findings(home: Home, found: Wire) -> Iterator[Finding]:
    """What is wrong with what came back, or why nothing did."""
    row, relation = found.row, found.relation
    if relation is None:
        return
    if found.receipt is not None:
        yield from _receipt(home, found, relation)
    elif row.disposition is None:
        yield from _transport(home, found, relation, wire.last_error(home, row))


def _receipt(home: Home, found: Wire, relation: As2) -> Iterator[Finding]:
    row, answer = found.row, found.receipt
    assert answer is not None
    try:
        fields, _ = as2.read_report(answer.headers, answer.body)
    except As2Error as error:
        yield Finding(
            "receipt-unreadable",
            f"what came back is no receipt: {error.cause}; {beginning(answer.headers, answer.body)}",
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
            (set_keys(row.partner, {"mdn.signed": "false"}),),
        )
    yield from _fields(home, found, relation, fields)
    disposition = fields.get("Disposition") or ""
    yield from _refusal(home, found, relation, disposition)


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
            (set_keys(row.partner, {"id": named[0]}),) if named[0] else (),
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
        wire.other_contents(home, found, exact), wanted, found.scratch, stated=stated, nearby=nearby(found)
    )
    if search.departures is None:
        yield Finding(
            "mic-of-other-content",
            f"the MIC they return is not that of what was sent, in {search}",
            "they received other content, or count as nobody else does: ask for what they received",
            (f"tradelane evidence {row.id}",),
            variant_facts(search) | {"returned": text},
        )
        return
    keys, advice = _WHEN_SENT.get(kind_of(search), ({}, _ASK_SENT))
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
        (set_keys(row.partner, keys), f"tradelane doc resubmit {row.id}") if keys else (),
        variant_facts(search) | {"returned": text},
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


_REFUSED: dict[str, tuple[str, str]] = {
    "decryption-failed": (
        "they cannot decrypt it, or hide behind that word that they cannot verify it: it was encrypted to "
        "{encrypted_to} and signed with {signed_with}",
        "ask the partner whether they decrypt with the key of that certificate now, and have listed ours; if "
        "theirs is another, list it",
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
    "duplicate-filename": (
        "they had a file of this name before, with other content",
        "send it under a name of its own: a resubmitted message has the same name",
    ),
    "illegal-filename": ("they do not take its file name", "send it under a plain name, without spaces"),
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
        commands = (set_keys(row.partner, {"compress": "none"}), f"tradelane doc resubmit {row.id}")
    elif reason == "integrity-check-failed" and _ours(relation, {"encoding": "base64"}):
        commands = (set_keys(row.partner, {"encoding": "base64"}), f"tradelane doc resubmit {row.id}")
    elif reason in {"authentication-failed", "unknown-trading-relationship"}:
        commands = (f"tradelane partner sheet {row.partner}",)
    elif reason == "decryption-failed":
        commands = (list_certificate(row),)
    yield Finding(
        f"refused-{reason.replace(' ', '-')}",
        text.format(**values),
        advice.format(**values),
        commands,
        {"disposition": disposition},
    )


# What an error of the way says, most telling first; each with what to do, and keys of ours that may help.
WAYS: list[tuple[str, str, str, str, dict[str, str]]] = [
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
    (r"answered 403", "http-forbidden", "they refuse whoever sends it, before they look into it",
     "ask the partner whether they know these AS2 ids, exactly so, and let our address in", {}),
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


def _transport(home: Home, found: Wire, relation: As2, error: str | None) -> Iterator[Finding]:
    """Why nothing came back, by what the connection or the HTTP answer said."""
    row = found.row
    if not error:
        return
    for pattern, code, text, advice, helpful in WAYS:
        if re.search(pattern, error):
            where = f"{relation.url}: " if relation.url and relation.url not in error else ""
            keys = _known(relation, helpful)
            commands = [set_keys(row.partner, keys)] if keys else []
            names = as2.read_names(found.headers)
            who = f", from {names[0]} to {names[1]}" if code == "http-forbidden" else ""
            if row.status == "failed":
                # what is agreed shows in the bytes, and the two ids do
                anew = any(not key.startswith("http.") for key in keys) or (
                    names != (home.config.us.as2_id, relation.id)
                )
                commands.append(f"tradelane doc {'resubmit' if anew else 'resend'} {row.id}")
            yield Finding(code, f"{text}{who} ({where}{error})", advice, tuple(commands), {"error": error})
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
