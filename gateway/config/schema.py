"""What partners.toml may say: each table a Struct, whose fields are the table's keys and their defaults."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta, Struct

if TYPE_CHECKING:
    from edi.guide import Guide

from edi.tree import PartyId, Separators, Syntax, syntax_of
from gateway.errors import Code, Failure

NAME = "a name of a-z, 0-9, - and _, such as bigmart or acme-3pl"


class Secret:
    """Where a secret is kept: `file:PATH` or `env:NAME`. Its value is read when used and never shown."""

    def __init__(self, kind: Literal["file", "env"], name: str) -> None:
        self.kind = kind
        self.name = name

    def __repr__(self) -> str:
        return f"Secret({self.kind}:***)"

    def read(self) -> bytes:
        """The secret. Raises Failure: SECRET_MISSING, or SECRET_EXPOSED for a file that others may read."""
        if self.kind == "env":
            if (value := os.environ.get(self.name)) is None:
                raise Failure(Code.SECRET_MISSING, f"the environment has no {self.name}")
            return value.encode()
        try:
            mode = os.stat(self.name).st_mode
            content = Path(self.name).read_bytes()
        except OSError as error:
            raise Failure(
                Code.SECRET_MISSING, f"cannot read it: {error.strerror}", where=self.name
            ) from error
        if stat.S_IMODE(mode) & 0o077:
            raise Failure(
                Code.SECRET_EXPOSED,
                f"its mode is {stat.S_IMODE(mode):04o}",
                where=self.name,
                next=f"chmod 600 {self.name}",
            )
        return content


class Address(NamedTuple):
    """Where a listener is bound, written `HOST:PORT`; port 0 takes a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}\Z", description=NAME)]
As2Id = Annotated[
    str,
    Meta(
        pattern=r"^[!-~](?:[ -~]{0,126}[!-~])?\Z",
        description="an AS2 id of 1 to 128 printable characters, without space at its ends (RFC 4130 6.2)",
    ),
]
DocumentType = Annotated[
    str,
    Meta(pattern=r"^(?:[0-9]{3}|TA1|[A-Z]{6})\Z", description="a set or message such as 850, TA1 or ORDERS"),
]
Route = Annotated[
    str, Meta(pattern=r"^3pl:[a-z0-9][a-z0-9_-]*\Z", description="3pl:NAME of a partner with role 3pl")
]
Character = Annotated[
    str,
    Meta(
        pattern=r"^[\x1c-\x1f!-/:-@\[-`{-~\r\n]\Z",
        description="one character that is no letter, digit or space",
    ),
]
AckMode = Literal["997", "999", "CONTRL", "none"]
Status = Literal["draft", "testing", "live", "paused"]
Role = Literal["retailer", "3pl", "supplier", "marketplace", "carrier"]
Sign = Literal["sha256", "sha384", "sha512", "sha1", "none"]
Encrypt = Literal["aes128-cbc", "aes192-cbc", "aes256-cbc", "aes128-gcm", "aes256-gcm", "3des", "none"]
Compress = Literal["none", "before-sign", "after-sign"]

ACKNOWLEDGMENTS = frozenset({"997", "999", "TA1", "CONTRL"})

# Messages that carry one of several documents, the usual one first; and which of them with a warehouse.
SEVERAL = {
    "DELFOR": ("forecast", "ship_schedule"),
    "DESADV": ("ship_notice", "shipment_confirmation", "stock_transfer"),
    "INVRPT": ("inventory_position", "inventory_adjustment"),
    "RECADV": ("receiving_advice", "stock_receipt"),
}
_WITH_WAREHOUSES = {
    ("DESADV", "in"): "shipment_confirmation",
    ("DESADV", "out"): "stock_transfer",
    ("RECADV", "in"): "stock_receipt",
    ("RECADV", "out"): "stock_receipt",
}


class Key(Struct, frozen=True, kw_only=True):
    """One of our key pairs. Every key decrypts until `retire_after`; exactly one signs at a time."""

    id: str
    cert: Path
    key: Secret
    sign_from: datetime | None = None
    retire_after: datetime | None = None


_BEGINNING = datetime.min.replace(tzinfo=UTC)  # when a window without a beginning has begun


class Us(Struct, frozen=True, kw_only=True):
    """The identities under which partners know us."""

    name: str
    timezone: ZoneInfo = ZoneInfo("UTC")
    as2_id: As2Id | None = None
    isa: PartyId | None = None
    unb: PartyId | None = None
    gs: str | None = None
    keys: tuple[Key, ...] = ()

    def identity(self, syntax: Syntax) -> PartyId | None:
        """As whom we send in a syntax."""
        return self.unb if syntax == "edifact" else self.isa

    def owns(self, party: PartyId, syntax: Syntax) -> bool:
        """Whether an interchange to this party is to us."""
        return _names(party, (self.identity(syntax),), syntax)

    def decryption_keys(self, now: datetime) -> tuple[Key, ...]:
        """Every key not retired at `now`."""
        return tuple(key for key in self.keys if key.retire_after is None or now < key.retire_after)

    def signing_keys(self, now: datetime) -> tuple[Key, ...]:
        """The keys begun and not retired at `now`, the one begun last first: that one signs."""
        begun = [key for key in self.decryption_keys(now) if key.sign_from is None or key.sign_from <= now]
        return tuple(sorted(begun, key=lambda key: key.sign_from or _BEGINNING, reverse=True))

    def signing_key(self, now: datetime) -> Key | None:
        """The key that signs at `now`: of those begun and not retired, the one begun last."""
        return next(iter(self.signing_keys(now)), None)


class Ack(Struct, frozen=True, kw_only=True):
    """The acknowledgment of a document: ours within `send_within`, theirs due within `due` of sending."""

    mode: AckMode = "997"
    due: timedelta = timedelta(hours=24)
    send_within: timedelta = timedelta(minutes=15)
    on_overdue: Literal["alert", "resend", "hold"] = "alert"


def _names(party: PartyId, identities: Iterable[PartyId | None], syntax: Syntax) -> bool:
    """Whether an interchange names one of some identities; in EDIFACT one without a qualifier has any."""
    known = {party, PartyId("", party.id)} if syntax == "edifact" else {party}
    return any(identity in known for identity in identities)


class Mdn(Struct, frozen=True, kw_only=True):
    """The receipt we ask for (RFC 4130 7), due within `due` of the message being sent."""

    mode: Literal["sync", "async", "none"] = "sync"
    signed: bool = True
    due: timedelta = timedelta(minutes=30)


class Retry(Struct, frozen=True, kw_only=True):
    """How a failed send is tried again: the first wait, its growth, its cap, and how often at most.

    However many attempts are left, the last is made `give_up_after` from the first.
    """

    attempts: Annotated[int, Meta(ge=1, le=1000, description="a count from 1 to 1000")] = 8
    first: timedelta = timedelta(minutes=1)
    factor: Annotated[float, Meta(ge=1, le=10, description="a number from 1 to 10")] = 2.0
    max: timedelta = timedelta(hours=2)
    give_up_after: timedelta = timedelta(days=2)


class Defaults(Struct, frozen=True, kw_only=True):
    """What a partner's tables of the same name leave out."""

    ack: Ack = Ack()
    mdn: Mdn = Mdn()
    retry: Retry = Retry()
    quarantine_on: tuple[Literal["envelope", "parse", "unknown_partner", "wrong_usage"], ...] = (
        "envelope",
        "parse",
        "unknown_partner",
        "wrong_usage",
    )


IpAddress = Annotated[str, Meta(pattern=r"^[0-9a-f.:]{2,39}\Z", description="an IP address")]


class Server(Struct, frozen=True, kw_only=True):
    """Where we listen. `public_url` is our AS2 URL as partners reach it; async receipts are sent there.

    `max_body` is the most bytes one AS2 request may have; more is answered with 413. Bodies that broke off
    are kept for `partial_age`, up to `partial_space` bytes for each partner, so that they can be completed.
    `proxies` are the addresses of proxies of ours before the AS2 listener: whom such a one names last in
    X-Forwarded-For is who sent the request.
    """

    as2: Address = Address("0.0.0.0", 4080)  # noqa: S104 - partners come from outside
    web: Address = Address("127.0.0.1", 8080)
    sftp: Address = Address("0.0.0.0", 2222)  # noqa: S104
    public_url: str | None = None
    proxies: tuple[IpAddress, ...] = ()
    max_body: Annotated[int, Meta(ge=1024, description="a number of bytes from 1024")] = 2 << 30
    partial_space: Annotated[int, Meta(ge=0, description="a number of bytes")] = 4 << 30
    partial_age: timedelta = timedelta(hours=24)


class Erp(Struct, frozen=True, kw_only=True):
    """Where documents are handed over. `files`: JSON in the folders out/, in/, done/ and refused/."""

    kind: Literal["files"] = "files"
    folder: Path = Path("erp")


X12Version = Annotated[
    str, Meta(pattern=r"^00[3-8]0[0-9]{2}\Z", description="a version such as 004010 or 005010")
]
EdifactVersion = Annotated[
    str,
    Meta(
        pattern=r"^D\.[0-9]{2}[AB](?:/[A-Z0-9]{1,6})?\Z",
        description="a version such as D.96A or, with the association's code, D.96A/EAN008",
    ),
]
Version = Annotated[
    str,
    Meta(
        pattern=r"^(?:00[3-8]0[0-9]{2}|D\.[0-9]{2}[AB](?:/[A-Z0-9]{1,6})?)\Z",
        description="a version such as 004010 or, of EDIFACT, D.96A or D.96A/EAN008",
    ),
]


class X12(Struct, frozen=True, kw_only=True):
    """How we write X12 to a partner. `gs` is their application code, GS03; their ISA id when absent."""

    version: X12Version = "004010"
    element: Character = "*"
    component: Character = ">"
    segment: Character = "~"
    repetition: Character = "^"
    suffix: Literal["", "\n", "\r\n"] = ""
    gs: str | None = None

    @property
    def separators(self) -> Separators:
        """As the writer takes them; ISA11 separates repetitions only from version 00402 on."""
        repetition = self.repetition if self.version >= "004020" else ""
        return Separators(self.element, self.component, self.segment, repetition, suffix=self.suffix)


class Edifact(Struct, frozen=True, kw_only=True):
    """How we write EDIFACT to a partner. `syntax` is S001 of UNB: the character set, and the syntax version.

    UNA is written where it is `needed`, because a service character is not the usual one; `groups` has
    messages of each type stand in a group of their own, UNG to UNE.
    """

    version: EdifactVersion = "D.96A"
    syntax: Annotated[
        str,
        Meta(
            pattern=r"^UNO[A-LWY]:[1-4]\Z",
            description="a character set and a syntax version, such as UNOC:3 or UNOA:2",
        ),
    ] = "UNOC:3"
    element: Character = "+"
    component: Character = ":"
    segment: Character = "'"
    release: Character = "?"
    repetition: Character = "*"  # from syntax version 4 on
    decimal: Literal[".", ","] = "."
    suffix: Literal["", "\n", "\r\n"] = ""
    una: Literal["needed", "always", "never"] = "needed"
    groups: bool = False

    @property
    def separators(self) -> Separators:
        """As the writer takes them."""
        return Separators(
            self.element,
            self.component,
            self.segment,
            self.repetition if self.syntax.endswith(":4") else "",
            self.release,
            self.decimal,
            self.suffix,
        )

    @property
    def marks(self) -> tuple[str, ...]:
        """The service characters, which must differ."""
        found = (self.element, self.component, self.segment, self.release)
        return (*found, self.repetition) if self.syntax.endswith(":4") else found


class ControlNumbers(Struct, frozen=True, kw_only=True):
    """How control numbers are counted, and what an inbound gap or duplicate leads to.

    Those of groups and sets are counted for each functional id with scope "partner+type"; GS06 is the ISA13
    before it with group "interchange"; ST02 begins at 1 in each group with transaction "group"; and what is
    sent as a test has numbers of its own with usage "apart". UNB 0020, UNG 0048 and UNH 0062 likewise.
    """

    scope: Literal["partner", "partner+type"] = "partner"
    group: Literal["counted", "interchange"] = "counted"
    transaction: Literal["counted", "group"] = "counted"
    usage: Literal["together", "apart"] = "together"
    on_gap: Literal["ignore", "warn", "quarantine"] = "warn"
    on_duplicate: Literal["warn", "quarantine"] = "quarantine"


class Cert(Struct, frozen=True, kw_only=True):
    """A certificate of theirs. Outside its windows it neither verifies nor encrypts.

    `use` is for partners who sign with one key pair and decrypt with another.
    """

    file: Path
    use: Literal["both", "verify", "encrypt"] = "both"
    verify_from: datetime | None = None
    verify_until: datetime | None = None
    encrypt_from: datetime | None = None


class Http(Struct, frozen=True, kw_only=True):
    """How our requests reach their server: as whom we come, whom TLS trusts, and by which way.

    `user` and `password` go with each request (RFC 7617). `cert` and `key` are our TLS client certificate.
    `ca` holds all that TLS trusts: their authority's certificate, or theirs itself, which then counts
    whatever its name. `proxy` is the way to them; no proxy of the environment is used.
    """

    user: str | None = None
    password: Secret | None = None
    cert: Path | None = None
    key: Secret | None = None
    ca: Path | None = None  # absent: what the system trusts
    ciphers: str | None = None  # of TLS 1.2, as OpenSSL writes them; absent: those with forward secrecy
    proxy: Address | None = None
    proxy_user: str | None = None
    proxy_password: Secret | None = None
    transfer: Literal["length", "chunked"] = "length"
    expect_continue: bool = False  # wait for 100 before a body
    answer_within: timedelta = timedelta(seconds=60)  # from the end of the request to the end of its answer


class As2(Struct, frozen=True, kw_only=True):
    """An AS2 relation. What is agreed here is also the least we accept from them.

    With profile "1.3" we name our product and encrypt by AES-GCM unless `encrypt` says otherwise; with "1.2"
    no receipt has a modifier that RFC 4130 does not know; without one it may, and AS2-Version is 1.2.
    `unauthenticated = "warn"` takes a message, with a warning in its receipt, that was signed by a listed
    certificate which has expired or is not valid yet, and never behind CBC or PKCS#1 v1.5.
    """

    id: As2Id
    url: str | None = None  # absent: they send to us, we send nothing
    receipt_urls: tuple[str, ...] = ()  # where else than at `url` they take receipts; any path there
    http: Http = Http()
    sign: Sign = "sha256"
    encrypt: Encrypt = "aes256-cbc"
    compress: Compress = "none"
    mdn: Mdn = Mdn()
    retry: Retry = Retry()
    resend_id: Literal["same", "new"] = "same"  # Message-ID of what is sent again for want of a receipt
    restart: bool = False  # large messages go on where they broke off (draft-harding-as2-restart)
    restart_above: Annotated[int, Meta(ge=0, description="a number of bytes")] = 8 << 20
    certs: tuple[Cert, ...] = ()
    profile: Literal["1.2", "1.3"] | None = None
    signature: Literal["pkcs1", "pss"] = "pkcs1"  # how an RSA key of ours signs (RFC 8017)
    key_transport: Literal["pkcs1", "oaep"] = "pkcs1"  # how a content key is encrypted to theirs
    micalg: Literal["rfc", "hyphen", "plain"] = "rfc"  # how we spell digests
    encoding: Literal["binary", "base64"] = "binary"  # of the parts inside a message
    encrypt_to_self: bool = False  # we stay able to read what we sent
    attachments: bool = False  # several files in one message are sent, and EDIINT-Features says so
    cem: bool = False  # whether certificates are exchanged over AS2 with them
    filenames: Literal["accept", "warn", "reject"] = "accept"  # what an illegal or repeated name leads to
    unauthenticated: Literal["reject", "warn"] = "reject"
    preset: str | None = None  # one of `presets`: what their product needs, where nothing is written

    @property
    def legacy(self) -> bool:
        """SHA-1 or 3DES was agreed by name: accepted and written for this partner alone."""
        return self.sign == "sha1" or self.encrypt == "3des"

    def verifying_certs(self, now: datetime) -> tuple[Cert, ...]:
        """Every certificate whose window holds `now`."""
        return tuple(
            cert
            for cert in self.certs
            if cert.use != "encrypt"
            and (cert.verify_from is None or cert.verify_from <= now)
            and (cert.verify_until is None or now < cert.verify_until)
        )

    def encrypting_certs(self, now: datetime) -> tuple[Cert, ...]:
        """Those that may be encrypted to at `now`: the first, whose `encrypt_from` is latest, is."""
        usable = [
            cert
            for cert in self.certs
            if cert.use != "verify"
            and (cert.encrypt_from is None or cert.encrypt_from <= now)
            and (cert.verify_until is None or now < cert.verify_until)
        ]
        return tuple(sorted(usable, key=lambda cert: cert.encrypt_from or _BEGINNING, reverse=True))

    def encrypting_cert(self, now: datetime) -> Cert | None:
        """The one to encrypt to at `now`: of the usable, the one whose `encrypt_from` is latest."""
        return next(iter(self.encrypting_certs(now)), None)


class Complete(Struct, frozen=True, kw_only=True):
    """When an uploaded file is whole, beyond its own envelope."""

    on: Literal["close"] = "close"
    settle: timedelta = timedelta(seconds=1)
    ignore: tuple[str, ...] = ("*.tmp", "*.part", "*.filepart", "*.partial", "*.uploading", "*~", ".*")
    done_file: str = ""


class SftpAccount(Struct, frozen=True, kw_only=True):
    """Their account on our SFTP server. `keys` are public keys as in authorized_keys."""

    user: Name
    keys: tuple[str, ...]
    allow_from: tuple[str, ...] = ()
    inbox: str = "/in"
    outbox: str = "/out"
    complete: Complete = Complete()


class Get(Struct, frozen=True, kw_only=True):
    """What to fetch from their server, how often, and what then happens to it there."""

    dir: str
    every: timedelta = timedelta(minutes=2)
    stable_for: timedelta = timedelta(seconds=60)
    after: str = "delete"


class Put(Struct, frozen=True, kw_only=True):
    """Where to put files on their server."""

    dir: str
    temp_suffix: str = ".tmp"


class SftpPoll(Struct, frozen=True, kw_only=True):
    """Their SFTP server, to which we connect."""

    enabled: bool = True
    host: str
    port: Annotated[int, Meta(ge=1, le=65535, description="a port from 1 to 65535")] = 22
    user: str | None = None
    key: Secret | None = None
    host_keys: tuple[str, ...]
    get: Get | None = None
    put: Put | None = None


class Expect(Struct, frozen=True, kw_only=True):
    """A document that must follow this one `within` a time, counted from it or from the document `after`."""

    type: DocumentType
    within: timedelta
    after: DocumentType | None = None


class ExpectDaily(Struct, frozen=True, kw_only=True):
    """At least `min` of these documents must have come by a local time of each day."""

    by: time
    min: int = 1


class Batch(Struct, frozen=True, kw_only=True):
    """Documents gathered into one interchange, which leaves with the first of what is named.

    That is the `count`-th document, the end of `within` from the first, or a time of day in `at`, ours.
    Documents to a partner whose agreements name the same batch leave together.
    """

    count: Annotated[int, Meta(ge=2, le=10_000, description="a count from 2 to 10000")] | None = None
    within: timedelta | None = None
    at: tuple[time, ...] = ()

    def leaves_at(self, now: datetime, zone: tzinfo) -> datetime:
        """When a batch leaves at the latest that is begun at `now`."""
        today = now.astimezone(zone).date()
        days = (today, today + timedelta(days=1))
        moments = [datetime.combine(day, clock, zone) for day in days for clock in self.at]
        if self.within is not None:
            moments.append(now + self.within)
        return min(moment for moment in moments if moment > now)


class Agreement(Struct, frozen=True, kw_only=True):
    """One document exchanged with a partner, in one direction."""

    type: DocumentType
    direction: Literal["in", "out"]
    version: Version | None = None  # in which it is written; absent: the partner's
    document: str | None = None  # which it carries, of a message that carries several
    map: Path | None = None  # an overlay; absent: the standard map of the set
    guide: Path | None = None  # what of the set is used; absent: all that the standard allows
    route: Route | None = None
    made_by: Literal["us", "erp"] = "us"  # who makes what would follow from a shipment
    expect: tuple[Expect, ...] = ()
    expect_daily: ExpectDaily | None = None
    batch: Batch | None = None  # absent: each document leaves at once, in an interchange of its own
    ack: Ack = Ack()

    def __post_init__(self) -> None:
        mode = self.ack.mode
        if self.type in ACKNOWLEDGMENTS:
            mode = "none"  # an acknowledgment is never acknowledged
        elif self.syntax == "edifact" and mode != "none":
            mode = "CONTRL"  # EDIFACT has no other
        elif self.syntax == "x12" and mode == "CONTRL":
            mode = "997"
        if mode != self.ack.mode:
            msgspec.structs.force_setattr(self, "ack", msgspec.structs.replace(self.ack, mode=mode))

    @property
    def syntax(self) -> Syntax:
        """The syntax that has this set."""
        return syntax_of(self.type)

    @property
    def routed_to(self) -> str | None:
        """The name of the 3PL that fulfils it."""
        return self.route.removeprefix("3pl:") if self.route else None


class Partner(Struct, frozen=True, kw_only=True):
    """A trading partner; `name` is its table's name in the file."""

    name: Name
    role: Role
    status: Status = "draft"
    usage: Literal["T", "P"] = "T"
    isa: PartyId | None = None
    unb: PartyId | None = None
    aliases: tuple[PartyId, ...] = ()
    via: Name | None = None  # the partner, a hub or VAN, by whose channel theirs travels both ways
    x12: X12 = X12()
    edifact: Edifact = Edifact()
    control_numbers: ControlNumbers = ControlNumbers()
    as2: As2 | None = None
    sftp_account: SftpAccount | None = None
    sftp_poll: SftpPoll | None = None
    agreements: tuple[Agreement, ...] = msgspec.field(name="document", default=())

    def __post_init__(self) -> None:
        agreements = tuple(self._with_document(agreement) for agreement in self.agreements)
        msgspec.structs.force_setattr(self, "agreements", agreements)

    def _with_document(self, agreement: Agreement) -> Agreement:
        """Which document a message carries where it may be several, unless it is said."""
        if agreement.document is not None or agreement.type not in SEVERAL:
            return agreement
        usual = SEVERAL[agreement.type][0]
        if self.role == "3pl":
            usual = _WITH_WAREHOUSES.get((agreement.type, agreement.direction), usual)
        return msgspec.structs.replace(agreement, document=usual)

    def agreement(self, type: str, direction: Literal["in", "out"]) -> Agreement | None:
        """What was agreed about a document in a direction, if anything was."""
        for agreement in self.agreements:
            if (agreement.type, agreement.direction) == (type, direction):
                return agreement
        return None

    def agreed(
        self, types: Iterable[str], direction: Literal["in", "out"], document: str | None = None
    ) -> str | None:
        """The first of some sets that is agreed in a direction, as one that carries a document."""
        for type in types:
            agreement = self.agreement(type, direction)
            if agreement is not None and document in (None, agreement.document or document):
                return type
        return None

    def made_by_erp(self, type: str) -> bool:
        """Whether a set that we send is made by the ERP alone, also where it could follow from a shipment."""
        agreement = self.agreement(type, "out")
        return agreement is not None and agreement.made_by == "erp"

    def spoken(self, types: tuple[str, ...]) -> tuple[str, ...]:
        """Of some sets those of a syntax in which they are known by an id; all where there are none."""
        return tuple(type for type in types if self.identity(syntax_of(type)) is not None) or types

    def guide(self, type: str, direction: Literal["in", "out"]) -> Guide | None:
        """The guide agreed for a set in a direction. Raises GuideError for one that cannot be used."""
        from edi.guide import load

        agreement = self.agreement(type, direction)
        return load(agreement.guide) if agreement is not None and agreement.guide is not None else None

    def version(self, type: str) -> str:
        """The version in which we write a set to them: some sets are younger than what is usual with them."""
        agreement = self.agreement(type, "out")
        return (agreement.version if agreement is not None else None) or self.usual_version(type)

    def usual_version(self, type: str) -> str:
        """The version of sets where none is agreed for one; CONTRL has that of the syntax it belongs to."""
        if type == "CONTRL":
            return "4.1" if self.edifact.syntax.endswith(":4") else "D.3"
        return self.edifact.version if syntax_of(type) == "edifact" else self.x12.version

    def identity(self, syntax: Syntax) -> PartyId | None:
        """To whom we send in a syntax."""
        return self.unb if syntax == "edifact" else self.isa

    def owns(self, party: PartyId, syntax: Syntax) -> bool:
        """Whether an interchange from this party is theirs."""
        return _names(party, (self.identity(syntax), *self.aliases), syntax)

    @property
    def parties(self) -> tuple[PartyId, ...]:
        """Every interchange identity that is theirs."""
        return tuple(party for party in (self.isa, self.unb, *self.aliases) if party is not None)

    @property
    def channel(self) -> Literal["as2", "sftp_account", "sftp_poll"] | None:
        """How what they carry themselves leaves for them; None for who is reached by another (`via`)."""
        if self.as2 is not None and self.as2.url is not None:
            return "as2"
        if self.sftp_account is not None:
            return "sftp_account"
        if self.sftp_poll is not None and self.sftp_poll.enabled and self.sftp_poll.put is not None:
            return "sftp_poll"
        return None


class File(Struct, frozen=True, kw_only=True):
    """The whole file but its partners."""

    schema: Literal[1]
    us: Us
    defaults: Defaults = Defaults()
    server: Server = Server()
    erp: Erp = Erp()


def leaves(home: Path, zone: tzinfo) -> dict[Any, Callable[[Any], Any]]:
    """The types that TOML does not know. A time without a zone is read in ours."""

    def path(value: object) -> Path:
        if not isinstance(value, str) or not value or "\0" in value:
            raise ValueError("expected the path of a file, relative to the home folder")
        return home / value

    def secret(value: object) -> Secret:
        kind, _, name = value.partition(":") if isinstance(value, str) else ("", "", "")
        if kind == "file" and name:
            return Secret("file", str(path(name)))
        if kind == "env" and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            return Secret("env", name)
        raise ValueError("expected 'file:PATH' or 'env:NAME': a secret itself never stands in this file")

    def moment(value: object) -> datetime:
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=zone)
        if isinstance(value, date):
            return datetime.combine(value, time(), zone)
        raise ValueError("expected a date such as 2027-01-15, or a date and time, without quotes")

    return {
        Path: path,
        Secret: secret,
        datetime: moment,
        timedelta: duration,
        time: _clock,
        PartyId: _party,
        Address: address,
        ZoneInfo: _timezone,
    }


def duration(value: object) -> timedelta:
    """`90s`, `15m`, `24h`, `2d`, or parts of them in a row (`1h30m`). Raises ValueError."""
    if isinstance(value, str) and re.fullmatch(r"(?:[0-9]{1,6}[smhdw])+", value):
        names = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
        parts = re.findall(r"([0-9]+)([smhdw])", value)
        with suppress(OverflowError):
            return sum((timedelta(**{names[unit]: int(count)}) for count, unit in parts), timedelta())
    raise ValueError("expected a duration such as '90s', '15m', '24h' or '2d'")


def address(value: object) -> Address:
    """`HOST:PORT`, `[::1]:PORT`, or `:PORT` for every interface. Raises ValueError."""
    host, colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535 or re.search(r"[\s/@]", host):
        raise ValueError("expected HOST:PORT, such as 127.0.0.1:8080")
    return Address(host or "0.0.0.0", int(port))  # noqa: S104 - asked for


def _clock(value: object) -> time:
    with suppress(ValueError):
        if isinstance(value, time):
            return value
        if isinstance(value, str):
            return time.fromisoformat(value)
    raise ValueError("expected a time of day such as '18:00'")


def _party(value: object) -> PartyId:
    if isinstance(value, dict) and {"id"} <= set(value) <= {"qualifier", "id"}:
        return party(value.get("qualifier", ""), value["id"])
    raise ValueError('expected { qualifier = "..", id = ".." }')


def party(qualifier: object, id: object) -> PartyId:
    """An interchange identity: ISA05/06 (X12.5) or S002 of UNB (ISO 9735), whose qualifier may be absent.

    Raises ValueError.
    """
    if not isinstance(qualifier, str) or not re.fullmatch(r"[A-Z0-9]{0,4}", qualifier):
        raise ValueError("expected a qualifier of at most 4 letters or digits, such as 'ZZ' or '01'")
    if not isinstance(id, str) or not re.fullmatch(r"[!-~](?:[ -~]{0,33}[!-~])?", id):
        raise ValueError("expected an id of 1 to 35 printable characters, without the padding")
    return PartyId(qualifier, id)


NO_ISA = "an ISA qualifier has 2 characters and an id at most 15 (X12.5, ISA05-08)"


def fits_isa(party: PartyId) -> bool:
    """Whether the identity can stand in an ISA."""
    return len(party.qualifier) == 2 and len(party.id) <= 15


def _timezone(value: object) -> ZoneInfo:
    with suppress(ValueError, OSError, ZoneInfoNotFoundError):
        if isinstance(value, str):
            return ZoneInfo(value)
    raise ValueError("expected a time zone such as 'America/Chicago' or 'UTC'")
