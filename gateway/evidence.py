"""One transmission with everything that proves it, as a zip that a stranger verifies with openssl alone.

For what we sent, the partner's signed receipt proves that it arrived (non-repudiation of receipt): its MIC is
the digest of the content that lies beside it. For what we received, the partner's signature proves where it
came from (non-repudiation of origin), and our receipt what we answered.

Everything is exported as it was stored. Two things are not stored and are made at export, as `README.txt`
says: the content of what came encrypted, with our private key, and the content of what we sent encrypted,
from the payload. Neither is taken on trust: the first carries the partner's signature, the second has the MIC
that was recorded when it was sent. No private key is ever exported. The same transmission gives the same zip,
byte for byte, as long as nothing more happens to it.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

import msgspec

from gateway import as2, queries, wire
from gateway.as2 import As2Error, anatomy, cms, mime
from gateway.as2.anatomy import Signature
from gateway.as2.region import Region
from gateway.as2.signed import digest_name
from gateway.errors import Code, Failure
from gateway.home import Home
from gateway.pipeline import outbound
from gateway.wire import Covered, Pinned, Wire

_EPOCH = (1980, 1, 1, 0, 0, 0)  # of every file in the zip, so that it is the same each time
MAX_PLACES = 100  # at which a file is looked for in the content

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")


@dataclass
class _Bundle:
    """The files of the zip, each with its digest, and the checks that `verify.sh` makes of them."""

    zip: zipfile.ZipFile
    folder: str
    sums: dict[str, str] = field(default_factory=dict)
    checks: list[str] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)  # what each file is, for the README

    def add(self, name: str, chunks: Iterable[bytes], what: str, *, executable: bool = False) -> None:
        assert _SAFE.fullmatch(name), name
        entry = zipfile.ZipInfo(f"{self.folder}/{name}", _EPOCH)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.create_system = 3  # the mode is that of a Unix
        entry.external_attr = (0o100755 if executable else 0o100644) << 16
        digest = hashlib.sha256()
        with self.zip.open(entry, "w", force_zip64=True) as file:
            for chunk in chunks:
                digest.update(chunk)
                file.write(chunk)
        self.sums[name] = digest.hexdigest()
        if what:
            self.told.append((name, what))

    def check(self, *words: str) -> None:
        """A check of `verify.sh`: a function of it and its arguments, none of which need be quoted."""
        assert all(re.fullmatch(r"[A-Za-z0-9._/+=@<>-]*", word) for word in words[1:]), words
        self.checks.append(" ".join(f"'{word}'" if number else word for number, word in enumerate(words)))


def export(home: Home, identity: str, out: IO[bytes]) -> dict[str, Any]:
    """Write the evidence of a transmission, or of the one that carried a document, to `out`.

    Returns what it proves, as `record.json` has it. Raises Failure DOCUMENT_UNKNOWN, StoreCorrupt.
    """
    row = wire.row_of(home, identity)
    if row is None:
        raise Failure(
            Code.DOCUMENT_UNKNOWN,
            f"no transmission has or carried the id {identity!r}",
            next="tradelane doc list",
        )
    with (
        wire.opened(home, row) as found,
        zipfile.ZipFile(out, "w") as archive,
        home.store.fetch(row.sha256, verify=True) as payload,
    ):
        bundle = _Bundle(archive, f"evidence-{row.id}")
        proofs = _write(home, found, bundle, Region.of(payload))
        record = _record(home, found, proofs)
        bundle.add("record.json", [_json(record)], "the transmission, its documents, its timeline")
        bundle.add("README.txt", [_readme(record, bundle).encode()], "")
        script = _VERIFY.replace("@CHECKS@", "\n".join(bundle.checks))
        bundle.add("verify.sh", [script.encode()], "", executable=True)
        sums = "".join(f"{digest}  {name}\n" for name, digest in sorted(bundle.sums.items()))
        bundle.add("SHA256SUMS", [sums.encode()], "")
    return record


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(queries.plain(value)), indent=2) + b"\n"


@dataclass
class _Proofs:
    """What the evidence proves, and what it lacks, in words."""

    proves: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)
    mic: dict[str, Any] | None = None
    certificates: list[dict[str, Any]] = field(default_factory=list)


def _write(home: Home, found: Wire, bundle: _Bundle, payload: Region) -> _Proofs:
    proofs = _Proofs()
    row = found.row
    files: dict[str, Region] = {}
    if row.status == "refused" and row.sha256 == row.wire_sha256:
        proofs.lacks.append("the payload: the message was refused, and nothing was taken out of it")
    else:
        bundle.add("payload", payload.chunks(), f"the file itself; its name was {row.filename or 'not told'}")
        files["payload"] = payload
        for one in outbound.attachments(home, row):
            name = f"attachments/{one.ordinal}"
            with home.store.fetch(one.sha256, verify=True) as file:
                files[name] = found.scratch.keep(Region.of(file).chunks())
            bundle.add(
                name, files[name].chunks(), f"beside it: {one.filename or 'no name'}, {one.content_type}"
            )
    if found.body is None:
        proofs.lacks.append("a signature: it did not travel by AS2, which alone has signatures and receipts")
        return proofs
    bundle.add("message.headers", [_head(found.headers)], "the headers of the HTTP request")
    bundle.add("message.body", found.body.chunks(), "its body, as it crossed the wire")
    pinned = [*wire.pinned(home), *wire.used_once(home, row.partner)]
    exact = wire.covered(home, found)
    if exact is not None:
        _content(found, bundle, proofs, exact, files)
        if row.direction == "in":
            _origin(found, bundle, proofs, pinned)
    else:
        proofs.lacks.append(
            "the content that the MIC is over: it cannot be decrypted, or made again, any more"
        )
    if found.receipt is None:
        proofs.lacks.append("a receipt: none was asked for, none has come, or none is kept")
        return proofs
    _receipt(found, bundle, proofs, pinned, exact)
    return proofs


def _head(headers: Iterable[tuple[str, str]]) -> bytes:
    lines = (f"{name}: {value}\r\n".encode("latin-1", "replace") for name, value in headers)
    return b"".join(lines) + b"\r\n"


def _content(found: Wire, bundle: _Bundle, proofs: _Proofs, exact: Covered, files: dict[str, Region]) -> None:
    """What the MIC is over, how it hangs together with the wire, and how the files lie in it."""
    bundle.add("content", exact.region.chunks(), f"what the MIC is over: {exact.how}")
    if found.body is not None and exact.region.file is found.body.file:
        bundle.check("part", "message.body", "content", str(exact.region.start), str(exact.region.size))
    for name, part in files.items():
        at = _place(exact.region, part)
        if at is not None:
            bundle.check("part", "content", name, str(at), str(part.size))
        else:
            proofs.lacks.append(
                f"a check by openssl that {name} is what the content holds: it is compressed or encoded there"
            )


def _place(content: Region, part: Region) -> int | None:
    """Where a file stands in the content as it is; most stand at its end."""
    ends = content.size - part.size
    for at in itertools.islice(_starts(content, part.read(0, 64), ends), MAX_PLACES):
        if 0 <= at <= ends and _same(content.cut(at, at + part.size), part):
            return at
    return None


def _starts(content: Region, start: bytes, first: int) -> Iterator[int]:
    yield first
    at = content.find(start, 0)
    while at is not None:
        yield at
        at = content.find(start, at + 1)


def _same(one: Region, other: Region) -> bool:
    return one.size == other.size and cms.digest_of(one.chunks(), "sha256") == cms.digest_of(
        other.chunks(), "sha256"
    )


def _origin(found: Wire, bundle: _Bundle, proofs: _Proofs, pinned: list[Pinned]) -> None:
    """The partner's signature over what they sent."""
    assert found.anatomy is not None
    signature = found.anatomy.signature
    if signature is None:
        proofs.lacks.append("a signature of the partner's: the message was not signed")
        return
    bundle.add("message.signature", [signature.data], "the partner's signature over content (CMS, detached)")
    name = _certificate(found, bundle, proofs, pinned, signature, own=False)
    if name is None:
        proofs.lacks.append(
            "the certificate that made the message's signature: it is not listed, and was not kept"
        )
        return
    bundle.check("signed", "message.signature", "content", name)
    proofs.proves.append(f"{found.row.partner} signed the content (non-repudiation of origin)")


def _certificate(
    found: Wire,
    bundle: _Bundle,
    proofs: _Proofs,
    pinned: list[Pinned],
    signature: Signature,
    *,
    own: bool,
) -> str | None:
    """Put the certificate that made a signature into the bundle; its name there, None if it is not known."""
    owner = "" if own else found.row.partner
    mine = wire.made_by(signature, [one for one in pinned if one.owner == owner])
    if mine is None:
        return None
    certificate = mine.certificate
    name = f"certificates/{'us' if own else 'partner'}-{certificate.fingerprint[:16]}.pem"
    if name not in bundle.sums:
        whose = "ours" if own else f"{found.row.partner}'s, that partners.toml lists or listed then"
        bundle.add(name, [_pem(certificate)], f"certificate, {whose}")
        proofs.certificates.append(
            {
                "file": name,
                "owner": "us" if own else found.row.partner,
                "subject": anatomy.name_text(anatomy.subject(certificate)),
                "sha256": certificate.fingerprint,
                "valid_from": certificate.valid_from,
                "valid_until": certificate.valid_until,
            }
        )
    return name


def _pem(certificate: as2.Certificate) -> bytes:
    text = base64.encodebytes(certificate.der).decode().replace("\n", "")
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n".encode()


def _receipt(
    found: Wire, bundle: _Bundle, proofs: _Proofs, pinned: list[Pinned], exact: Covered | None
) -> None:
    """The receipt: whose it is, for which message, and whether its MIC is that of the content."""
    answer, taken = found.receipt, found.receipt_anatomy()
    assert answer is not None
    assert taken is not None
    own = found.row.direction == "in"
    whose = "our" if own else "the partner's"
    bundle.add("receipt.headers", [_head(answer.headers)], f"the headers of {whose} receipt (MDN)")
    bundle.add("receipt.body", [answer.body], "its body, as it crossed the wire")
    signature = taken.signature
    if signature is None:
        proofs.lacks.append(f"a signature on the receipt: {whose} receipt is unsigned, and proves nothing")
    else:
        report = signature.content
        bundle.add("receipt.content", report.chunks(), "the part of it that is signed")
        if answer.body[report.start : report.end] == report.read():  # not so where the whole is encoded
            bundle.check("part", "receipt.body", "receipt.content", str(report.start), str(report.size))
        bundle.add("receipt.signature", [signature.data], f"{whose} signature over receipt.content")
        name = _certificate(found, bundle, proofs, pinned, signature, own=own)
        if name is None:
            proofs.lacks.append(
                "the certificate that made the receipt's signature: it is not listed, and was not kept"
            )
        else:
            bundle.check("signed", "receipt.signature", "receipt.content", name)
    signed = answer.body if signature is None else signature.content.read()
    _fields(found, bundle, proofs, exact, signed, "receipt.body" if signature is None else "receipt.content")


def _fields(
    found: Wire, bundle: _Bundle, proofs: _Proofs, exact: Covered | None, whole: bytes, source: str
) -> None:
    """The fields of the receipt, which are read again by `verify.sh`."""
    answer, row = found.receipt, found.row
    assert answer is not None
    try:
        fields, _ = as2.read_report(answer.headers, answer.body)
        notification = as2.read_notification(answer.headers, answer.body)
    except As2Error:
        proofs.lacks.append("a receipt that can be read")
        return
    signed, fields_in = source == "receipt.content", "receipt.notification"
    in_plain = notification in whole
    if in_plain:  # alone, because what it says may be said otherwise in the text for people before it
        bundle.add(fields_in, [notification], "the part of it that says what was received")
        bundle.check("part", source, fields_in, str(whole.index(notification)), str(len(notification)))
        message_id = fields.first("Original-Message-ID")
        if as2.bare_id(message_id) == as2.bare_id(row.message_id or "") and _word(message_id):
            bundle.check("field", fields_in, "Original-Message-ID", message_id)
            bundle.check("field", "message.headers", "Message-ID", _sent_id(found))
    value, _, named = fields.first("Received-Content-MIC").partition(",")
    value, digest = "".join(value.split()), digest_name(named)
    if value and digest and exact is not None:
        mic = base64.b64encode(cms.digest_of(exact.region.chunks(), digest)).decode()
        proofs.mic = {
            "value": mic,
            "algorithm": digest,
            "over": exact.how,
            "in_receipt": f"{value}, {named.strip()}",
            "equal": mic == value,
        }
        if in_plain:
            bundle.check("mic", "content", digest, fields_in)
        if mic == value and signed and row.direction == "out" and row.status == "delivered":
            proofs.proves.append(f"{row.partner} received the content (non-repudiation of receipt)")
        elif mic == value and signed and row.direction == "in":
            proofs.proves.append("we told them, with our signature, that we received the content")
    elif not value:
        proofs.lacks.append("a MIC in the receipt: it does not say what was received")


def _sent_id(found: Wire) -> str:
    return mime.Headers.of(found.headers).first("Message-ID")


def _word(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9._/+=@<>-]+", text) is not None


def _record(home: Home, found: Wire, proofs: _Proofs) -> dict[str, Any]:
    """Everything that is recorded of the transmission, in stable keys."""
    row = found.row
    told = queries.one(home, row.id)
    assert told is not None
    answer = found.receipt
    sender, receiver = as2.read_names(found.headers)
    return {
        "schema": "tradelane.evidence/1",
        "transmission": row.id,
        "direction": row.direction,
        "partner": row.partner,
        "channel": row.channel,
        "as2_from": sender or None,
        "as2_to": receiver or None,
        "message_id": row.message_id,
        "filename": row.filename,
        "content_type": row.content_type,
        "size": row.size,
        "sha256": row.sha256,
        "status": row.status,
        "reason": row.reason,
        "created_at": row.created_at,
        "done_at": row.done_at,
        "disposition": row.disposition,
        "receipt_at": mime.Headers.of(answer.headers).first("Date") or None if answer else None,
        "mic": proofs.mic,
        "certificates": proofs.certificates,
        "proves": proofs.proves,
        "lacks": proofs.lacks,
        "documents": [
            {key: one[key] for key in ("id", "type", "number", "status", "transaction_control")}
            for one in told["documents"]
        ],
        "events": [{key: one[key] for key in ("at", "event", "text")} for one in told["events"]],
    }


def _readme(record: dict[str, Any], bundle: _Bundle) -> str:
    """What a partner wrote may stand in it: a line stays a line, and steers no terminal."""
    lines = _readme_lines(record, bundle)
    return "".join("".join(char if char.isprintable() else "?" for char in line) + "\n" for line in lines)


def _readme_lines(record: dict[str, Any], bundle: _Bundle) -> Iterator[str]:
    way = "received from" if record["direction"] == "in" else "sent to"
    yield f"Evidence of transmission {record['transmission']}, {way} {record['partner']}"
    yield ""
    yield f"Message-ID   {record['message_id'] or 'none'}"
    yield f"Status       {record['status']}"
    yield f"Disposition  {record['disposition'] or 'none'}"
    yield ""
    yield "What it proves:"
    yield from (f"  - {one}" for one in record["proves"] or ["nothing to others: see what is missing"])
    if record["lacks"]:
        yield "What is missing:"
        yield from (f"  - {one}" for one in record["lacks"])
    yield ""
    yield "To verify it, with a POSIX shell and OpenSSL 3, without a network:"
    yield ""
    yield "  sh verify.sh"
    yield ""
    yield "It exits with 0 only if every check passes, and names a file that fails. Compare the certificates"
    yield "with those that the partner gave out: whoever trusts them needs to trust nothing else in here."
    yield ""
    yield "Files:"
    yield from (f"  {name:40} {what}" for name, what in bundle.told)
    yield f"  {'verify.sh':40} the checks"
    yield f"  {'SHA256SUMS':40} digests of all other files"
    if "content" in bundle.sums:
        yield ""
        yield "What crossed the wire encrypted cannot be opened here: no private key is in this folder. Where"
        yield "message.body is encrypted, content was made when this was exported: of a received message by"
        yield "decrypting it, and the sender's signature is over these very bytes; of a sent one from the"
        yield "payload, and the receipt's MIC is the digest of these very bytes."


_VERIFY = r"""#!/bin/sh
# Verifies this evidence with openssl alone. Exits with 0 only if every check passes.
LC_ALL=C
export LC_ALL
cd "$(dirname "$0")" || exit 2
command -v openssl >/dev/null || { echo "openssl is needed" >&2; exit 2; }
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
failed=0

ok() { echo "ok    $1"; }
fail() { echo "FAIL  $1"; failed=1; }

sums() {
    count=0
    while read -r digest name; do
        count=$((count + 1))
        found=$(openssl dgst -sha256 -r "$name" 2>/dev/null | cut -d ' ' -f 1)
        [ "$found" = "$digest" ] || fail "$name: its digest is not the one in SHA256SUMS"
    done < SHA256SUMS
    [ "$count" -gt 3 ] || fail "SHA256SUMS: it lists hardly any file"
    grep -q ' verify.sh$' SHA256SUMS || fail "SHA256SUMS: verify.sh is not in it"
    [ "$failed" -ne 0 ] || ok "SHA256SUMS: $count files"
}

# part WHOLE PART OFFSET SIZE: the part lies in the whole, at that place
part() {
    tail -c "+$(($3 + 1))" "$1" | head -c "$4" > "$tmp/part"
    if cmp -s "$tmp/part" "$2"; then ok "$2: stands in $1"; else fail "$2: does not stand in $1"; fi
}

# signed SIGNATURE CONTENT CERTIFICATE: just this certificate's key signed just this content
signed() {
    if openssl cms -verify -binary -inform DER -in "$1" -content "$2" -certfile "$3" \
        -nointern -noverify -out /dev/null 2>"$tmp/error"
    then ok "$2: signed with $3"
    else fail "$2: $1 is not its signature with $3"; sed 's/^/      /' "$tmp/error" | tail -n 1
    fi
}

# value FILE FIELD: the value of a header field, unfolded
value() {
    tr -d '\r' < "$1" | awk -v name="$2" '
        /^[ \t]/ && held != "" { sub(/^[ \t]+/, " "); held = held $0; next }
        { if (held != "") exit; at = index($0, ":")
          if (at && tolower(substr($0, 1, at - 1)) == tolower(name)) held = substr($0, at + 1) }
        END { gsub(/^[ \t]+|[ \t]+$/, "", held); print held }'
}

# field FILE FIELD VALUE
field() {
    if [ "$(value "$1" "$2")" = "$3" ]; then ok "$1: $2 is $3"; else fail "$1: $2 is not $3"; fi
}

# mic CONTENT DIGEST RECEIPT: the receipt's MIC is the digest of the content
mic() {
    found=$(openssl dgst "-$2" -binary "$1" | openssl base64 -A)
    told=$(value "$3" Received-Content-MIC | cut -d , -f 1 | tr -d ' \t')
    if [ -n "$told" ] && [ "$found" = "$told" ]; then ok "$1: its $2 digest is the MIC in $3"
    else fail "$1: its $2 digest is $found, and the MIC in $3 is $told"
    fi
}

sums
@CHECKS@

[ "$failed" -eq 0 ] && echo "All checks passed." || echo "Not verified."
exit "$failed"
"""
