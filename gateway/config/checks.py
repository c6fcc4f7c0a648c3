"""What is wrong with partners.toml although each value by itself is right, and what is doubtful."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from edi.tree import PartyId
from gateway.config import toml
from gateway.config.preset import presets
from gateway.config.schema import (
    ACKNOWLEDGMENTS,
    NO_ISA,
    SEVERAL,
    Agreement,
    As2,
    Edifact,
    File,
    Http,
    Partner,
    SftpAccount,
    Us,
    fits_isa,
)

_Problems: TypeAlias = Iterator[tuple[toml.Place, str]]
_USUAL = (Edifact().separators, Edifact(syntax="UNOC:4").separators)


def contradictions(us: Us | None, partners: Mapping[str, Partner]) -> _Problems:
    """What no single value is guilty of: identities claimed twice, agreements made twice, keys that lack."""
    owners: dict[tuple[str, object], str] = {}
    in_unb: dict[str, list[tuple[PartyId, str]]] = {}  # by id, with whose they are
    if us is not None:
        if us.isa and not fits_isa(us.isa):
            yield ("us", "isa"), NO_ISA
        owners |= {("party", party): "us" for party in (us.isa, us.unb) if party}
        owners |= {("as2", us.as2_id): "us"} if us.as2_id else {}
        in_unb |= {us.unb.id: [(us.unb, "us")]} if us.unb else {}
        if len({key.id for key in us.keys}) < len(us.keys):
            yield ("us", "keys"), "two keys have the same id"
    for name, partner in partners.items():
        here: toml.Place = ("partner", name)
        for what, key, place in _identities(partner):
            owner = owners.setdefault((what, key), name)
            if owner != name:
                yield (*here, *place), f"{key} is {_whose(owner)}"
            if isinstance(key, PartyId) and place != ("isa",):
                alike = in_unb.setdefault(key.id, [])
                for other, owner in alike:
                    if owner != name and key != other and not (key.qualifier and other.qualifier):
                        told = f"{key} is no other than {other}, which is {_whose(owner)}"
                        yield (*here, *place), f"{told}: one of them goes with any qualifier"
                alike.append((key, name))
        yield from _contradictions_of(us, partner, partners)


def _whose(owner: str) -> str:
    return "our own" if owner == "us" else f"taken by partner {owner!r}"


def _identities(partner: Partner) -> Iterator[tuple[str, object, toml.Place]]:
    if partner.isa:
        yield "party", partner.isa, ("isa",)
    if partner.unb:
        yield "party", partner.unb, ("unb",)
    for index, alias in enumerate(partner.aliases):
        yield "party", alias, ("aliases", index)
    if partner.as2:
        yield "as2", partner.as2.id, ("as2", "id")
    if partner.sftp_account:
        yield "sftp", partner.sftp_account.user, ("sftp_account", "user")


def _contradictions_of(us: Us | None, partner: Partner, partners: Mapping[str, Partner]) -> _Problems:
    here: toml.Place = ("partner", partner.name)
    if not partner.parties:
        yield here, "has neither isa nor unb: by which id does it name itself in an interchange?"
    if partner.isa and not fits_isa(partner.isa):
        yield (*here, "isa"), NO_ISA
    marks = (partner.x12.element, partner.x12.component, partner.x12.segment, partner.x12.repetition)
    if len(set(marks)) < len(marks):
        yield (*here, "x12"), "two separators are the same character"
    yield from _edifact_contradictions(partner.edifact, (*here, "edifact"))
    if partner.status == "testing" and partner.usage == "P":
        yield (*here, "usage"), "a partner in testing exchanges usage T"
    if partner.via:
        yield from _hub_contradictions(partner, partners, (*here, "via"))
    if partner.as2:
        yield from _as2_contradictions(us, partner.as2, (*here, "as2"))
    if partner.sftp_account:
        yield from _account_contradictions(partner.sftp_account, (*here, "sftp_account"))
    seen: set[tuple[str, str]] = set()
    for index, agreement in enumerate(partner.agreements):
        place = (*here, "document", index)
        if (agreement.type, agreement.direction) in seen:
            yield place, f"{agreement.type} {agreement.direction} is agreed twice"
        seen.add((agreement.type, agreement.direction))
        yield from _set_contradictions(us, partner, agreement, place)
        if agreement.batch is not None:
            yield from _batch_contradictions(agreement, (*place, "batch"))
        target = partners.get(agreement.routed_to or "")
        if target is not None and target.role != "3pl":
            yield (*place, "route"), f"partner {target.name!r} has role {target.role!r}, not '3pl'"


def _edifact_contradictions(edifact: Edifact, here: toml.Place) -> _Problems:
    if len(set(edifact.marks)) < len(edifact.marks):
        yield here, "two service characters are the same"
    elif (
        edifact.una == "never" and edifact.separators._replace(suffix="") != _USUAL[edifact.syntax[-1] == "4"]
    ):
        yield (*here, "una"), "these service characters are told by UNA alone: it is needed"


def _set_contradictions(us: Us | None, partner: Partner, agreement: Agreement, here: toml.Place) -> _Problems:
    """What a set does not go with: the version of another syntax, a document it never carries."""
    syntax, kinds = agreement.syntax, SEVERAL.get(agreement.type, ())
    if agreement.version is not None and agreement.version.startswith("D.") != (syntax == "edifact"):
        wanted = "a version such as D.96A" if syntax == "edifact" else "a version such as 004010"
        yield (*here, "version"), f"{agreement.type} has {wanted}, not {agreement.version!r}"
    if agreement.document is not None and agreement.document not in kinds:
        told = "always carries the same document" if not kinds else f"carries {' or '.join(kinds)}"
        yield (*here, "document"), f"{agreement.type} {told}{toml.suggest(agreement.document, kinds)}"
    if syntax == "edifact":
        if partner.unb is None:
            yield here, f"{agreement.type} is EDIFACT: write unb, their id in UNB"
        if us is not None and us.unb is None:
            yield here, f"{agreement.type} is EDIFACT, which needs our own id in UNB: write unb in [us]"
    elif partner.isa is None:
        yield here, f"{agreement.type} is X12: write isa, their id in ISA"


def _batch_contradictions(agreement: Agreement, here: toml.Place) -> _Problems:
    batch = agreement.batch
    assert batch is not None
    if agreement.direction == "in":
        yield here, "only what we send is gathered: this document comes from them"
    if agreement.type in ACKNOWLEDGMENTS:
        yield here, "an acknowledgment leaves at once"
    if batch.within is not None and not batch.within:
        yield (*here, "within"), "expected a duration above zero"
    if batch.within is None and not batch.at:
        yield here, "needs a time by which it leaves, however few documents come: within or at"


def _hub_contradictions(partner: Partner, partners: Mapping[str, Partner], here: toml.Place) -> _Problems:
    hub = partners.get(partner.via or "")
    if hub is None:
        yield here, f"no partner is named {partner.via!r}{toml.suggest(partner.via, partners)}"
    elif hub is partner or hub.via:
        yield here, "expected a partner with a channel of its own"
    if partner.as2 or partner.sftp_account or partner.sftp_poll:
        yield here, "a partner that is reached by another has no channel of its own: leave one of them out"


def _as2_contradictions(us: Us | None, as2: As2, here: toml.Place) -> _Problems:
    if us is not None and us.as2_id is None:
        yield here, "needs our own AS2 id: write as2_id in [us]"
    if us is not None and not us.keys and (as2.sign != "none" or as2.encrypt != "none"):
        yield here, "needs a key of ours: write keys in [us]"
    urls = [] if as2.url is None else [(as2.url, ("url",))]
    for url, at in [*urls, *((url, ("receipt_urls", index)) for index, url in enumerate(as2.receipt_urls))]:
        if not _is_url(url):
            yield (*here, *at), "expected http://HOST[:PORT]/PATH or https://..., without a user"
    yield from _http_contradictions(as2.http, (*here, "http"))
    if not as2.certs and (as2.sign != "none" or as2.encrypt != "none"):
        yield here, "has no certificate of theirs: write certs, or sign = 'none' and encrypt = 'none'"


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        return False
    plain = bool(re.fullmatch(r"[!-~]+", text)) and not url.fragment and url.username is None
    return plain and url.scheme in ("http", "https") and bool(url.hostname) and port != 0


def _http_contradictions(http: Http, here: toml.Place) -> _Problems:
    for one, other in (("user", "password"), ("cert", "key"), ("proxy_user", "proxy_password")):
        if (getattr(http, one) is None) != (getattr(http, other) is None):
            yield here, f"{one} and {other} go together: write both, or neither"
    for key in ("user", "proxy_user"):
        if not re.fullmatch(r"[^:\x00-\x1f\x7f]*", getattr(http, key) or ""):
            yield (*here, key), "a user's name has no colon and no control character (RFC 7617 2)"
    if http.proxy_user is not None and http.proxy is None:
        yield (*here, "proxy_user"), "needs the proxy that it is for"
    if http.key is not None and http.key.kind != "file":
        yield (*here, "key"), "expected 'file:PATH': TLS reads a private key from a file"
    if not http.answer_within:
        yield (*here, "answer_within"), "expected a duration above zero"


def _account_contradictions(account: SftpAccount, here: toml.Place) -> _Problems:
    for index, key in enumerate(account.keys):
        if not re.match(r"(ssh-|ecdsa-)[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}(\s|\Z)", key):
            yield (*here, "keys", index), "expected a public key line such as 'ssh-ed25519 AAAA... name'"
    for index, network in enumerate(account.allow_from):
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            yield (*here, "allow_from", index), str(error)
    for key in ("inbox", "outbox"):
        if not re.fullmatch(r"/[A-Za-z0-9_-]+", getattr(account, key)):
            yield (*here, key), "expected one folder, such as '/in'"


def doubts(top: File, partners: Mapping[str, Partner]) -> _Problems:
    """What works, but perhaps not as meant."""
    warehouses = [name for name, partner in partners.items() if partner.role == "3pl"]
    for name, partner in partners.items():
        here: toml.Place = ("partner", name)
        if partner.as2 and partner.as2.legacy:
            yield (*here, "as2"), "SHA-1 or 3DES protects these messages: agree on sha256 and aes256-cbc"
        if partner.as2 and partner.as2.http.user and (partner.as2.url or "").startswith("http:"):
            yield (*here, "as2", "http", "user"), "its password goes unprotected: their url is not https"
        if partner.as2 and partner.as2.unauthenticated == "warn":
            told = "messages signed with an expired certificate of theirs are taken: ask for their new one"
            yield (*here, "as2", "unauthenticated"), told
        if partner.as2 and partner.as2.preset and partner.as2.url is not None:
            preset = presets()[partner.as2.preset]
            if preset.port_in_url and urlsplit(partner.as2.url).port is None:
                yield (*here, "as2", "url"), f"{preset.title} needs the port in the URL, as in HOST:443"
        if partner.as2 and partner.as2.mdn.mode == "async" and top.server.public_url is None:
            yield (
                (*here, "as2", "mdn"),
                "async receipts need public_url in [server]: our URL for them",
            )
        if partner.sftp_account and not partner.sftp_account.keys:
            yield (*here, "sftp_account", "keys"), "no key yet, so nobody can log in"
        for index, agreement in enumerate(partner.agreements):
            yield from _undefined(agreement, (*here, "document", index))
            target = agreement.routed_to
            if target is not None and target not in partners:
                yield (
                    (*here, "document", index, "route"),
                    f"no partner is named {target!r}{toml.suggest(target, warehouses)}: its orders wait",
                )


def _undefined(agreement: Agreement, here: toml.Place) -> _Problems:
    """A message or a directory that is not known here can be routed, and no more."""
    if agreement.syntax == "edifact":
        from edi.edifact import directory

        known = directory.sets(directory.VERSIONS[0])
        if agreement.type not in known:
            message = f"no message {agreement.type} is defined here{toml.suggest(agreement.type, known)}"
            yield (*here, "type"), message
        version = agreement.version
        if version is not None and directory.base_version(version) is None:
            defined = " and ".join(directory.VERSIONS)
            yield (*here, "version"), f"{version} is not defined here: {defined} are"


def missing_files(us: Us | None, partners: Mapping[str, Partner]) -> _Problems:
    """Files that are named and do not exist; a partner in draft may still lack its own."""
    for index, key in enumerate(us.keys if us else ()):
        place: toml.Place = ("us", "keys", index)
        if not key.cert.is_file():
            yield (*place, "cert"), f"{key.cert} does not exist; `tradelane init` makes it"
        if key.key.kind == "file" and not Path(key.key.name).is_file():
            yield (*place, "key"), "its file does not exist; `tradelane init` makes it"
    for partner in partners.values():
        if partner.status == "draft":
            continue
        for index, cert in enumerate(partner.as2.certs if partner.as2 else ()):
            if not cert.file.is_file():
                yield (
                    ("partner", partner.name, "as2", "certs", index, "file"),
                    f"{cert.file} does not exist; save their certificate there (PEM or DER)",
                )
        http = partner.as2.http if partner.as2 else Http()
        secret = Path(http.key.name) if http.key is not None else None
        for what, file in (("ca", http.ca), ("cert", http.cert), ("key", secret)):
            if file is not None and not file.is_file():
                yield ("partner", partner.name, "as2", "http", what), f"{file} does not exist"
        for index, agreement in enumerate(partner.agreements):
            if agreement.map and not agreement.map.is_file():
                yield (
                    ("partner", partner.name, "document", index, "map"),
                    f"{agreement.map} does not exist; without `map` the standard map is used",
                )
            if agreement.guide and not agreement.guide.is_file():
                yield (
                    ("partner", partner.name, "document", index, "guide"),
                    f"{agreement.guide} does not exist; without `guide` all that the standard allows is used",
                )


def unfit_guides(partners: Mapping[str, Partner]) -> _Problems:
    """Guides that do not fit the sets they are named for, each finding with its line in the guide."""
    for partner in partners.values():
        for index, agreement in enumerate(partner.agreements):
            if agreement.guide is not None and agreement.guide.is_file():
                for finding in _unfit(partner, agreement):
                    yield ("partner", partner.name, "document", index, "guide"), finding


def _unfit(partner: Partner, agreement: Agreement) -> tuple[str, ...]:
    """What is wrong with the guide of an agreement, in every version in which it may be asked."""
    from edi.guide import GuideError, load, narrowed
    from gateway import edi

    assert agreement.guide is not None
    try:
        guide = load(agreement.guide)
        written = partner.version(agreement.type)
        if agreement.direction == "out" and guide.version and not written.startswith(guide.version):
            return (f"{guide.file}: version: is {guide.version!r}, but {partner.name} is written {written}",)
        syntax = edi.of_type(agreement.type)
        versions = [guide.version] if guide.version else syntax.VERSIONS
        defined = [set for version in versions if (set := syntax.definition(agreement.type, version))]
        if not defined:
            return (f"{guide.file}: {agreement.type} is not defined in {' or '.join(versions)}",)
        for definition in defined:
            narrowed(definition, guide)
    except GuideError as error:
        return error.findings
    return ()
