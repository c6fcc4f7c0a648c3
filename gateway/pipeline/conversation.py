"""AS2 as a conversation: a message or a receipt comes in, is proved, stored and committed, and then answered.

What the answer says is decided once and stored with the message; whoever repeats the message gets the same
bytes again (RFC 4130 7.6, 7.7). A message is known by AS2-From, AS2-To and Message-ID together with the
SHA-256 of its body. A first attempt that failed does not block the next.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import Any, BinaryIO, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update

from gateway import as2, certificates, channels
from gateway.as2 import As2Error, As2Refused
from gateway.config import As2, Partner
from gateway.errors import DeadReason
from gateway.failpoints import failpoint
from gateway.home import Home
from gateway.pipeline import outbound, receipts
from gateway.pipeline.arrive import queue_reading
from gateway.pipeline.limits import UNREADABLE_AN_HOUR, Alone, Unproved, Unreadable
from gateway.store import Blob, BlobWriter, PartialRange, PayloadWriter, StoreUnavailable, WholeWriter
from gateway.store.tables import as2_message, attachment, new_id, transmission

log = logging.getLogger(__name__)

NAMES_KEPT = timedelta(days=90)  # for so long, a partner's file name with other content is a duplicate

Headers = list[tuple[str, str]]


class Reply(NamedTuple):
    """What to answer over HTTP."""

    status: int
    headers: Headers = []  # noqa: RUF012 - never changed
    body: bytes = b""


Writer = PayloadWriter | BlobWriter | WholeWriter

BUSY = Reply(503, [("Retry-After", "30")], b"try again later\n")


class _Pieces(Exception):
    """A message that came in pieces is not accepted.

    A receipt that says so would be final, and whoever knows the name of a transfer could have added to it. So
    the pieces are forgotten, and what is then sent whole is judged.
    """


class Conversation:
    """The AS2 side of a home. One a process, because it knows which messages are being worked on."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._alone = Alone()
        self._unproved = Unproved()
        self._unreadable = Unreadable()

    def request(self, headers: Headers) -> as2.Request:
        """Judge the headers alone, before the body is read. Raises As2Refused."""
        try:
            request = as2.parse_request_headers(headers)
            self._check_receipt_url(request)
        except As2Refused as refused:
            if refused.reason == DeadReason.MDN_URL_REFUSED:
                self._tell_refused_url(headers)
            raise
        return request

    def _check_receipt_url(self, request: as2.Request) -> None:
        """A receipt goes where the partner's configuration says, whatever the message says."""
        partner, receipt = self._partner(request), request.receipt
        if partner is None or receipt is None or receipt.async_url is None:
            return
        assert partner.as2 is not None
        if not channels.receipt_url_allowed(partner.as2, receipt.async_url):
            raise As2Refused(400, "this URL is none of theirs", reason=DeadReason.MDN_URL_REFUSED)

    def _tell_refused_url(self, headers: Headers) -> None:
        sender, _ = as2.read_names(headers)
        url = as2.Headers.of(headers).first("Receipt-Delivery-Option")
        partner = self.home.config.by_as2(sender)
        name = partner.name if partner is not None else None
        if self._unproved.worth_telling(name or "?"):
            text = f"{sender} asks for its receipt at {url}"
            log.warning("receipt URL refused: %s", text)
            self.home.store.write(
                lambda conn: self.home.note(
                    conn, "refused", f"{DeadReason.MDN_URL_REFUSED}: {text}", partner=name
                )
            )

    def stranger(self, request: as2.Request, peer: str) -> Reply | None:
        """The answer to whoever is no partner, by the headers alone, so that its body is never stored.

        An unsigned receipt if one was asked for in this answer, else 403; None for a partner.
        """
        return self._unknown(request, peer) if self._partner(request) is None else None

    def writer(self, request: as2.Request) -> Writer:
        """Where to write the body of a partner's request.

        One that breaks off is kept if it is part of a transfer that its sender can go on with (AS2 Restart);
        any other leaves nothing. Raises As2Refused, PartialRange, PartialLocked, StoreUnavailable.
        """
        transfer = as2.read_transfer(request.headers)
        if transfer is None:
            return self.home.store.writer()
        server = self.home.config.server
        if transfer.total > server.max_body:
            raise As2Refused(413, f"a body of {transfer.total} bytes")
        sender, partials = _sender(request.as2_from, request.as2_to), self.home.store.partials
        if not transfer.sound:
            raise PartialRange(partials.held(sender, transfer.id))
        return partials.writer(
            sender, transfer.id, start=transfer.start, total=transfer.total, space=server.partial_space
        )

    def held(self, headers: Headers) -> int:
        """How many bytes of a transfer have come (AS2 Restart): none, for whoever is not told.

        Raises PartialLocked, StoreFatal.
        """
        name = as2.transfer_id(as2.Headers.of(headers))
        ids = as2.read_names(headers)
        if name is None or self._known_partner(*ids) is None:
            return 0
        return self.home.store.partials.held(_sender(*ids), name)

    def receive(self, request: as2.Request, writer: Writer, peer: str) -> Reply:
        """Take a request whose body is in `writer`; returns only when its answer may be sent.

        A receipt is kept with what it closes, and not at all when it closes nothing: anyone can post one.
        Raises PartialRange, As2Refused for a message without a Message-ID or of a partner whose messages
        cannot be decrypted again and again, StoreUnavailable, StoreFatal.
        """
        with writer.written() as body:
            claim = as2.read_claim(request.headers.fields, body)
            if claim is not None:
                body.seek(0)
                data = body.read()
                writer.forget()
                return self._receipt(request, data, claim, peer)
        if not request.message_id:
            raise As2Refused(400, "a message without a Message-ID")
        partner = self._partner(request)
        if partner is None:
            return self._unknown(request, peer)
        if self._unreadable.too_many((partner.name, peer), self.home.now()):
            raise As2Refused(429, f"too much comes for {partner.name} from {peer} that cannot be decrypted")
        wire = writer.commit()
        try:
            with self.home.store.contents(wire) as body:
                return self._once(request, partner, body, wire, peer, pieces=writer.resumed)
        except _Pieces as error:
            writer.forget()
            text = f"a message in pieces from {partner.name} is to be sent again, whole: {error}"
            log.warning(text)
            if self._unproved.worth_telling(partner.name):
                self.home.store.write(
                    lambda conn: self.home.note(conn, "refused", text, partner=partner.name)
                )
            return BUSY

    def _once(
        self,
        request: as2.Request,
        partner: Partner,
        body: BinaryIO,
        wire: Blob,
        peer: str,
        *,
        pieces: bool,
    ) -> Reply:
        """Answer a message, the same way each time it comes."""
        key = (request.as2_from, request.as2_to, request.message_id)
        with self._alone.on(key) as alone:
            if not alone:
                return BUSY
            known = self._known(key)
            if known is not None and known.succeeded and known.body_sha256 == wire.sha256:
                return self._again(request, partner, known)
            return self._message(request, partner, body, wire, peer, known, pieces=pieces)

    def _partner(self, request: as2.Request) -> Partner | None:
        return self._known_partner(request.as2_from, request.as2_to)

    def _known_partner(self, as2_from: str, as2_to: str) -> Partner | None:
        if as2_to != self.home.config.us.as2_id:
            return None
        partner = self.home.config.by_as2(as2_from)
        return partner if partner is not None and partner.status != "draft" else None

    def _known(self, key: tuple[str, str, str]) -> Row[Any] | None:
        with self.home.store.read() as conn:
            return conn.execute(select(as2_message).where(*_named(key))).one_or_none()

    def _unknown(self, request: as2.Request, peer: str) -> Reply:
        text = f"AS2-From {request.as2_from!r} to AS2-To {request.as2_to!r}, from {peer}"
        if self._unproved.worth_telling(peer):
            log.warning("unknown trading relationship: %s", text)
            self.home.store.write(
                lambda conn: self.home.note(conn, "refused", f"{DeadReason.UNKNOWN_PARTNER}: {text}")
            )
        if request.receipt is None or request.receipt.async_url is not None:
            return Reply(403, [], b"no such trading relationship\n")
        failure = request.failure or as2.Failure.UNKNOWN_PARTNER
        return _sync(self._build_receipt(request, as2.Outcome.refused(failure), None))

    def _again(self, request: as2.Request, partner: Partner, known: Row[Any]) -> Reply:
        """The stored answer, byte for byte; asynchronous ones are posted once more."""
        if known.receipt is None and request.receipt is not None:
            known = self._answered_anew(request, partner, known)

        def record(conn: Connection) -> None:
            self.home.note(
                conn,
                "duplicate",
                f"{known.message_id} from {partner.name} again: answered with its stored receipt",
                partner=partner.name,
                transmission=known.transmission,
            )
            if known.receipt_url is not None:
                receipts.queue(
                    self.home,
                    conn,
                    partner,
                    receipts.Posted(
                        known.receipt_url,
                        known.receipt_headers,
                        known.receipt,
                        known.message_id,
                        known.transmission,
                    ),
                    again=True,
                )

        self.home.store.write(record)
        if known.receipt is None or known.receipt_url is not None:
            return Reply(204)
        return Reply(200, [(name, value) for name, value in known.receipt_headers], known.receipt)

    def _answered_anew(self, request: as2.Request, partner: Partner, known: Row[Any]) -> Row[Any]:
        """A duplicate whose receipt is not kept is told that it is one (RFC 4130 7.5.6), from now on."""
        with self.home.store.read() as conn:
            mic = conn.execute(
                select(transmission.c.mic).where(transmission.c.id == known.transmission)
            ).scalar()
        value, _, digest = (mic or "").partition(", ")
        outcome = as2.Outcome(as2.DUPLICATE, value or None, digest or None)
        receipt = self._build_receipt(request, outcome, partner.as2)
        assert request.receipt is not None
        values = {
            "receipt_headers": [list(pair) for pair in receipt.headers],
            "receipt": receipt.body,
            "receipt_url": request.receipt.async_url,
        }
        key = (known.as2_from, known.as2_to, known.message_id)

        def record(conn: Connection) -> Row[Any]:
            conn.execute(update(as2_message).where(*_named(key)).values(values))
            return conn.execute(select(as2_message).where(*_named(key))).one()

        return self.home.store.write(record)

    def _message(
        self,
        request: as2.Request,
        partner: Partner,
        body: BinaryIO,
        wire: Blob,
        peer: str,
        known: Row[Any] | None,
        *,
        pieces: bool,
    ) -> Reply:
        assert partner.as2 is not None
        now = self.home.now()
        identity = new_id(now)
        values: dict[str, Any] = {
            "id": identity,
            "direction": "in",
            "partner": partner.name,
            "channel": "as2",
            "status": "stored",
            "size": wire.size,
            "sha256": wire.sha256,
            "wire_sha256": wire.sha256,
            "wire_headers": [list(pair) for pair in request.headers.fields],
            "message_id": request.message_id,
            "peer": peer,
            "created_at": now,
        }
        attachments: list[dict[str, Any]] = []
        kept = [wire]
        with ExitStack() as names:
            try:
                if known is not None and known.succeeded:
                    raise As2Error(
                        as2.Failure.DIFFERENT_CONTENT, f"its Message-ID is that of {known.transmission}"
                    )
                if request.failure is not None:
                    raise As2Error(request.failure, "the headers alone decide it")
                opened, files = self._open(request, partner.as2, body)
                values |= {"filename": opened.filename, "given_filename": _given(opened.payload)}
                outcome = as2.Outcome.accepted(opened, self._judged_names(names, partner, opened))
            except As2Error as error:
                if error.told is as2.Failure.DECRYPTION:
                    self._count_unreadable(partner, peer)
                if pieces:
                    raise _Pieces(str(error)) from error
                log.warning("message %s from %s refused: %s", request.message_id, partner.name, error)
                outcome = as2.Outcome.refused(error.told, legacy=partner.as2.profile == "1.2")
                values |= {"status": "refused", "reason": error.reason, "error": error.cause, "done_at": now}
            else:
                values |= {
                    "size": opened.size,
                    "sha256": opened.sha256,
                    "content_type": opened.content_type,
                    "content_id": opened.payload.content_id,
                    "mic": f"{opened.mic}, {opened.mic_algorithm}",
                    "protection": {
                        "signed_with": opened.signed_with,
                        "outdated": opened.outdated,
                        "digest": opened.mic_algorithm if opened.signed_with else None,
                        "encrypted_to": opened.decrypted_with,
                        "cipher": opened.encrypted_with,
                        "key_transport": opened.key_transport,
                        "receipt": request.receipt and ("signed" if request.receipt.signed else "unsigned"),
                    },
                }
                kept += files
                attachments = [_columns(identity, part) for part in opened.attachments]
            values["disposition"] = outcome.disposition
            receipt = (
                self._build_receipt(request, outcome, partner.as2) if request.receipt is not None else None
            )
            failpoint("receive:stored")
            self.home.store.write(
                lambda conn: self._record(conn, request, partner, values, attachments, kept, receipt, known)
            )
        failpoint("receive:committed")
        if receipt is None or (request.receipt is not None and request.receipt.async_url is not None):
            return Reply(204)
        return _sync(receipt)

    def _count_unreadable(self, partner: Partner, peer: str) -> None:
        """Say once that too much cannot be decrypted.

        An attack on a key needs many answers, and a wrong certificate does not become right by itself.
        Counted by address, so that nobody shuts a partner out by speaking in its name.
        """
        if not self._unreadable.add((partner.name, peer), self.home.now()):
            return
        text = (
            f"{UNREADABLE_AN_HOUR} messages of {partner.name} from {peer} within an hour could not be "
            "decrypted: more are answered with 429 for now. If they have the right certificate of ours, it "
            "is an attack"
        )
        log.error("%s", text)
        self.home.store.write(lambda conn: self.home.note(conn, "alert", text, partner=partner.name))

    def _open(self, request: as2.Request, relation: As2, body: BinaryIO) -> tuple[as2.Opened, list[Blob]]:
        """Prove the message and take its files. Raises As2Error."""
        now = self.home.now()
        with ExitStack() as stack:
            writers: list[PayloadWriter] = []

            def writer() -> PayloadWriter:
                writers.append(stack.enter_context(self.home.store.writer()))
                return writers[-1]

            opened = as2.open_message(
                request,
                body,
                policy=channels.policy(self.home.config, relation, now),
                payload=writer(),
                attach=writer,
                now=now,
                scratch_dir=self.home.store.blobs.root / "tmp",
            )
            return opened, [one.commit() for one in writers]

    def _judged_names(self, names: ExitStack, partner: Partner, opened: as2.Opened) -> str:
        """What the agreement says of the files' names, as a disposition (FN-MDN). Raises As2Error.

        Each name is held until `names` is closed, so that of two files at once one is the second.
        """
        assert partner.as2 is not None
        if (policy := partner.as2.filenames) == "accept":
            return as2.PROCESSED
        files = (opened.payload, *opened.attachments)
        odd = next((part.given_filename for part in files if _given(part)), None)
        for name in sorted({part.filename for part in files if part.filename}):
            if not names.enter_context(self._alone.on((partner.name, "", name))):
                raise StoreUnavailable(f"another file named {name} is being taken in from {partner.name}")
        with self.home.store.read() as conn:
            seen = next((part.filename for part in files if self._seen(conn, partner, part, files)), None)
        if policy == "reject" and odd is not None:
            raise As2Error(as2.Failure.FILENAME_ILLEGAL, f"its file name is {odd[:200]!r}")
        if policy == "reject" and seen is not None:
            raise As2Error(as2.Failure.FILENAME_DUPLICATE, f"{seen} came before, with other content")
        if odd is not None:
            return as2.ILLEGAL_FILENAME
        return as2.DUPLICATE_FILENAME if seen is not None else as2.PROCESSED

    def _seen(self, conn: Connection, partner: Partner, part: as2.Part, beside: Sequence[as2.Part]) -> bool:
        """Whether a file of this name with other content was accepted before, or stands beside it."""
        name, sha256 = part.filename, part.sha256
        if name is None:
            return False
        if any(other.filename == name and other.sha256 != sha256 for other in beside):
            return True
        accepted = (
            transmission.c.partner == partner.name,
            transmission.c.direction == "in",
            transmission.c.mic.is_not(None),
            transmission.c.created_at > self.home.now() - NAMES_KEPT,
        )
        payloads = select(transmission.c.id).where(
            *accepted, transmission.c.filename == name, transmission.c.sha256 != sha256
        )
        attached = (
            select(transmission.c.id)
            .join(attachment, attachment.c.transmission == transmission.c.id)
            .where(*accepted, attachment.c.filename == name, attachment.c.sha256 != sha256)
        )
        return any(conn.execute(query.limit(1)).first() is not None for query in (payloads, attached))

    def _build_receipt(
        self, request: as2.Request, outcome: as2.Outcome, relation: As2 | None
    ) -> as2.BuiltReceipt:
        """A receipt as was agreed; an unsigned one for whom nothing was agreed with."""
        config, now = self.home.config, self.home.now()
        return as2.build_receipt(
            request,
            outcome,
            signing=channels.receipt_signing(config, relation, now) if relation is not None else None,
            message_id=outbound.message_id(self.home, new_id(now)),
            now=now,
            profile=channels.profile(relation) if relation is not None else as2.Profile(),
        )

    def _record(
        self,
        conn: Connection,
        request: as2.Request,
        partner: Partner,
        values: dict[str, Any],
        attachments: list[dict[str, Any]],
        kept: list[Blob],
        receipt: as2.BuiltReceipt | None,
        known: Row[Any] | None,
    ) -> None:
        """One transaction: the transmission and its bytes, the answer, and the job that reads it."""
        accepted = values["status"] == "stored"
        self._note_uses(conn, partner, values, receipt)
        key = (request.as2_from, request.as2_to, request.message_id)
        for blob in kept:
            self.home.store.keep(conn, blob)
        conn.execute(insert(transmission), values)
        if attachments:
            conn.execute(insert(attachment), attachments)
        url = request.receipt.async_url if request.receipt is not None else None
        headers = [list(pair) for pair in receipt.headers] if receipt is not None else None
        if known is None or not known.succeeded:
            if known is not None:
                conn.execute(delete(as2_message).where(*_named(key)))
            conn.execute(
                insert(as2_message),
                {
                    "as2_from": key[0],
                    "as2_to": key[1],
                    "message_id": key[2],
                    "body_sha256": values["wire_sha256"],
                    "transmission": values["id"],
                    "succeeded": int(accepted),
                    "receipt_headers": headers,
                    "receipt": receipt.body if receipt is not None else None,
                    "receipt_url": url,
                    "created_at": values["created_at"],
                },
            )
        if url is not None and receipt is not None and headers is not None:
            receipts.queue(
                self.home,
                conn,
                partner,
                receipts.Posted(url, headers, receipt.body, request.message_id, values["id"]),
            )
        what = f"{values.get('filename') or 'a message'}, {values['size']} bytes"
        if attachments:
            what += f", and {len(attachments)} with it"
        what += f", from {partner.name} over AS2"
        name, text = ("received", what) if accepted else ("refused", f"{what}: {values['error']}")
        self.home.note(conn, name, text, partner=partner.name, transmission=values["id"])
        if accepted:
            queue_reading(self.home, conn, values["id"], partner.name)

    def _note_uses(
        self, conn: Connection, partner: Partner, values: dict[str, Any], receipt: as2.BuiltReceipt | None
    ) -> None:
        used = values.get("protection") or {}
        note = partial(certificates.note_use, self.home, conn, partner.name)
        note("decrypt", used.get("encrypted_to"))
        note("verify", used.get("signed_with"))
        note("sign_receipt", receipt.signed_with if receipt is not None else None)

    # A receipt for something of ours.

    def _receipt(self, request: as2.Request, data: bytes, claim: as2.Claim, peer: str) -> Reply:
        """An asynchronous receipt. Whoever brings it gets 2xx; only a proved one closes anything."""
        with self.home.store.read() as conn:
            found = receipts.receipted(conn, claim.original_message_id)
        row, sent_as = found or (None, "")
        partner = self.home.config.partners.get(row.partner) if row is not None else None
        if row is None or partner is None or partner.as2 is None:
            text = f"a receipt for {claim.original_message_id!r}, which was never sent"
            if self._unproved.worth_telling(peer):
                self.home.store.write(lambda conn: self.home.note(conn, "unmatched", text))
            return Reply(204)
        relation = partner.as2
        receipt = as2.parse_receipt(
            request.headers.fields,
            data,
            expected=receipts.expected(self.home, row, relation, message_id=sent_as),
            now=self.home.now(),
        )
        if receipt.status is as2.ReceiptStatus.INVALID:
            # Anyone can post one. It is told, and what was sent goes on waiting for a real one.
            text = f"{DeadReason.MDN_INVALID}: a receipt for {row.filename} proves nothing: {receipt.error}"
            # Counted by what it is about, so that no noise elsewhere can hide it.
            if self._unproved.worth_telling(row.id):

                def record(conn: Connection) -> None:
                    self.home.note(
                        conn,
                        "invalid",
                        text,
                        partner=partner.name,
                        correlation=row.correlation,
                        transmission=row.id,
                    )
                    receipts.keep_unproved(self.home, conn, row, receipt, request.headers.fields, data)

                self.home.store.write(record)
            return Reply(204)
        self.home.store.write(
            lambda conn: receipts.close(self.home, conn, row, receipt, request.headers.fields, data)
        )
        failpoint("receipt:committed")
        return Reply(204)


def _named(key: tuple[str, str, str]) -> tuple[ColumnElement[bool], ...]:
    """The row of a message, by AS2-From, AS2-To and Message-ID."""
    columns = as2_message.c.as2_from, as2_message.c.as2_to, as2_message.c.message_id
    return tuple(column == value for column, value in zip(columns, key, strict=True))


def _given(part: as2.Part) -> str | None:
    """The name of a file as its sender wrote it, where it could not be kept as it is."""
    given = part.given_filename
    return given.replace("\0", "\ufffd") if given is not None and given != part.filename else None


def _columns(transmission_id: str, part: as2.Part) -> dict[str, Any]:
    """An attachment as its row."""
    return {
        "transmission": transmission_id,
        "ordinal": part.number,
        "content_id": part.content_id,
        "filename": part.filename,
        "given_filename": _given(part),
        "content_type": part.content_type,
        "size": part.size,
        "sha256": part.sha256,
    }


def _sender(as2_from: str, as2_to: str) -> str:
    """The pair whose transfers are kept together; neither name has a NUL in it."""
    return f"{as2_from}\0{as2_to}"


def _sync(receipt: as2.BuiltReceipt) -> Reply:
    return Reply(200, receipt.headers, receipt.body)
