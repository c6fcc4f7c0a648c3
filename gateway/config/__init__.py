"""partners.toml: who we are, who our partners are, and what is exchanged with each.

The file is read whole and every problem in it is told at once, each with its line. What is written there is
what is meant: unknown keys are refused, a secret is a file or an environment name and never a value, and a
path is relative to the home folder that holds the file. A `Config` never changes; a server that sees
`changed()` loads a new one and keeps the old if that fails.

A home holds::

    partners.toml   certs/   maps/   guides/   secrets/ (0700)   data/ (tradelane.db, blobs/, spool/)
    backups/
    erp/{in,out,done,refused}   sftp/<user>/{in,out}
"""

from __future__ import annotations

import re
import tomllib
import types
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from edi.tree import PartyId, Syntax
from gateway.config import checks, toml
from gateway.config.preset import merged, presets
from gateway.config.schema import (
    X12,
    Ack,
    Address,
    Agreement,
    As2,
    Batch,
    Cert,
    ControlNumbers,
    Defaults,
    Edifact,
    Erp,
    File,
    Http,
    Key,
    Mdn,
    Name,
    Partner,
    Retry,
    Secret,
    Server,
    SftpAccount,
    SftpPoll,
    Us,
    leaves,
)
from gateway.errors import Code, Failure

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

__all__ = [
    "FILE",
    "X12",
    "Ack",
    "Address",
    "Agreement",
    "As2",
    "Batch",
    "Cert",
    "Config",
    "ConfigInvalid",
    "ControlNumbers",
    "Defaults",
    "Edifact",
    "Erp",
    "Http",
    "Key",
    "Mdn",
    "Partner",
    "Retry",
    "Secret",
    "Server",
    "SftpAccount",
    "SftpPoll",
    "Us",
    "add_cert",
    "add_partner",
    "edit",
    "load",
    "presets",
    "read",
    "set_keys",
]

FILE = "partners.toml"
_BLOCKS = frozenset({"as2", "sftp_account", "sftp_poll", "document"})  # tables written under a heading


class ConfigInvalid(Failure):
    """The file cannot be used; `problems` are all that was found, in order of their lines."""

    def __init__(self, file: Path, problems: tuple[toml.Found, ...]) -> None:
        count = len(problems)
        super().__init__(
            Code.CONFIG_INVALID,
            f"{count} problem{'' if count == 1 else 's'}",
            where=str(file),
            next=f"correct {file.name} and run `tradelane doctor`",
        )
        self.problems = problems
        self.file = file

    def as_dict(self) -> dict[str, object]:
        return super().as_dict() | {"problems": [problem._asdict() for problem in self.problems]}

    def __str__(self) -> str:
        lines = (f"{self.file.name}:{line}: {key}: {message}" for line, key, message in self.problems)
        return "\n".join([super().__str__(), *lines])


@dataclass(frozen=True)
class Config:
    """A valid partners.toml and the home it lies in. All its paths are absolute.

    `warnings` are what a person should look at although everything can run.
    """

    home: Path
    us: Us
    defaults: Defaults
    server: Server
    erp: Erp
    partners: Mapping[str, Partner]
    warnings: tuple[toml.Found, ...] = ()
    from_presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By partner: the keys of its `as2` that its preset gives, dotted, with their values."""
    stamp: tuple[int, int, int] | None = field(default=None, compare=False)

    @cached_property
    def _parties(self) -> Mapping[PartyId, Partner]:
        return {party: partner for partner in self.partners.values() for party in partner.parties}

    @cached_property
    def _as2_ids(self) -> Mapping[str, Partner]:
        return {partner.as2.id: partner for partner in self.partners.values() if partner.as2}

    @cached_property
    def _users(self) -> Mapping[str, Partner]:
        return {p.sftp_account.user: p for p in self.partners.values() if p.sftp_account}

    def ack(self, partner: Partner, type: str) -> Ack:
        """How a document of ours is acknowledged: as agreed for its set, else as usual."""
        usual = Agreement(type=type, direction="out", ack=self.defaults.ack)
        return (partner.agreement(type, "out") or usual).ack

    def partner(self, name: str) -> Partner:
        """The partner of this name. Raises Failure PARTNER_UNKNOWN with the nearest name."""
        if (partner := self.partners.get(name)) is None:
            raise unknown_partner(self.home, name, self.partners)
        return partner

    def hub(self, partner: Partner) -> Partner:
        """By whose channel a partner is reached: the hub it names in `via`, else the partner itself."""
        return self.partners[partner.via] if partner.via else partner

    def by_party(self, party: PartyId, syntax: Syntax | None = None) -> Partner | None:
        """Whose interchange identity this is, in a syntax or in any, aliases included."""
        named = (party, PartyId("", party.id))  # a qualifier counts where one is configured
        found = [partner for one in named if (partner := self._parties.get(one)) is not None]
        return next((one for one in found if syntax is None or one.owns(party, syntax)), None)

    def by_as2(self, as2_id: str) -> Partner | None:
        """Whose AS2 id this is: exact, case-sensitive (RFC 4130 6.2)."""
        return self._as2_ids.get(as2_id)

    def by_sftp_user(self, user: str) -> Partner | None:
        """Whose account on our SFTP server this is."""
        return self._users.get(user)

    def changed(self) -> bool:
        """Whether the file is no longer the one that was read."""
        return _stamp(self.home / FILE) != self.stamp

    @property
    def sftp_folder(self) -> Path:
        """Where each account on our SFTP server has its folder."""
        return self.home / "sftp"

    @property
    def data(self) -> Path:
        """The folder of the database, the blobs and the spool."""
        return self.home / "data"


def load(home: Path) -> Config:
    """The configuration in a home. Raises Failure NO_HOME, or ConfigInvalid with every problem in the file.

    Beyond `read`, every file it names must exist, except those of partners still in draft.
    """
    home = home.absolute()
    file = home / FILE
    stamp = _stamp(file)
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError as error:
        raise Failure(
            Code.NO_HOME, f"no {FILE} there", where=str(home), next=f"tradelane init {home}"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigInvalid(file, (toml.Found(1, FILE, "is not UTF-8"),)) from error
    return _read(text, home, files=True, stamp=stamp)


def read(text: str, home: Path) -> Config:
    """The configuration a text would give in a home. Raises ConfigInvalid; looks at no other file."""
    return _read(text, home.absolute(), files=False)


def edit(home: Path, change: Callable[[TOMLDocument], None], *, dry_run: bool = False) -> str:
    """Change partners.toml, keeping its comments, and return the diff; refused unless the result is valid.

    Raises ConfigInvalid, or what `change` raises; the file is then untouched. A dry run changes nothing, and
    does not ask for the files that the change names.
    """
    home = home.absolute()
    file = home / FILE
    if not file.exists():
        raise Failure(Code.NO_HOME, f"no {FILE} there", where=str(home), next=f"tradelane init {home}")
    return toml.edit(
        file,
        change,
        check=lambda text: _read(text, home, files=not dry_run),
        dry_run=dry_run,
    )


def add_partner(home: Path, name: str, table: Mapping[str, Any], *, dry_run: bool = False) -> str:
    """Write a partner's table, with the keys of `Partner`, at the end of the file; otherwise as `edit`."""

    def change(document: TOMLDocument) -> None:
        import tomlkit

        if "partner" not in document:
            document.append("partner", tomlkit.table(is_super_table=True))
        partners: Any = document["partner"]
        partners.append(name, toml.table(table, _BLOCKS))

    return edit(home, change, dry_run=dry_run)


def set_keys(home: Path, name: str, changes: Mapping[tuple[str, ...], Any], *, dry_run: bool = False) -> str:
    """Set keys of a partner's table, each by its path; None takes one out. Otherwise as `edit`."""

    def change(document: TOMLDocument) -> None:
        partners: Any = document.get("partner", {})
        if name not in partners:
            raise unknown_partner(home, name, partners)
        for path, value in changes.items():
            toml.put(partners[name], path, value)

    return edit(home, change, dry_run=dry_run)


def add_cert(home: Path, name: str, cert: Mapping[str, Any], *, dry_run: bool = False) -> str:
    """List a certificate of a partner's beside those it has. Otherwise as `edit`."""

    def change(document: TOMLDocument) -> None:
        partners: Any = document.get("partner", {})
        if name not in partners:
            raise unknown_partner(home, name, partners)
        toml.append(partners[name]["as2"], "certs", cert)

    return edit(home, change, dry_run=dry_run)


def unknown_partner(home: Path, name: str, known: Iterable[str]) -> Failure:
    """The failure for a name that no partner has, with the nearest."""
    return Failure(
        Code.PARTNER_UNKNOWN,
        f"no partner is named {name!r}{toml.suggest(name, known)}",
        where=str(home / FILE),
        next="tradelane partner list",
    )


def _stamp(file: Path) -> tuple[int, int, int] | None:
    with suppress(OSError):
        found = file.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino
    return None


def _read(text: str, home: Path, *, files: bool, stamp: tuple[int, int, int] | None = None) -> Config:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"\(at line (\d+)", str(error))
        line = int(at[1]) if at else text.count("\n") + 1
        raise ConfigInvalid(home / FILE, (toml.Found(line, "TOML", str(error)),)) from error

    reading = toml.Reading(text, leaves(home, _zone(tables)))
    by_name = tables.pop("partner", {})
    top = reading.table(File, tables, ())
    if top is not toml.BAD:
        defaults = top.defaults
        reading.fallbacks = {Ack: defaults.ack, Mdn: defaults.mdn, Retry: defaults.retry}
    partners: dict[str, Partner] = {}
    from_presets: dict[str, dict[str, Any]] = {}
    for name, written in by_name.items() if isinstance(by_name, dict) else ():
        table, from_presets[name] = _with_preset(reading, name, written)
        if reading.value(Name, name, ("partner", name)) is not toml.BAD:
            partner = reading.table(Partner, _as_profiled(table), ("partner", name), name=name)
            if partner is not toml.BAD:
                partners[name] = partner
    if not isinstance(by_name, dict):
        reading.problem(("partner",), "expected tables [partner.NAME]")

    us = None if top is toml.BAD else top.us
    for place, message in checks.contradictions(us, partners):
        reading.problem(place, message)
    if files:
        for place, message in (*checks.missing_files(us, partners), *checks.unfit_guides(partners)):
            reading.problem(place, message)
    if problems := reading.found():
        raise ConfigInvalid(home / FILE, problems)
    for place, message in checks.doubts(top, partners):
        reading.problem(place, message)
    return Config(
        home=home,
        us=top.us,
        defaults=top.defaults,
        server=top.server,
        erp=msgspec.structs.replace(top.erp, folder=home / top.erp.folder),
        partners=types.MappingProxyType(partners),
        warnings=reading.found(),
        from_presets=types.MappingProxyType(from_presets),
        stamp=stamp,
    )


def _as_profiled(table: object) -> object:
    """A partner's table with what its AS2 profile makes usual."""
    match table:
        case {"as2": {"profile": "1.3"} as relation, **rest}:
            return {**rest, "as2": {"encrypt": "aes256-gcm", **relation}}
    return table


def _with_preset(reading: toml.Reading, name: str, table: Any) -> tuple[Any, dict[str, Any]]:
    """A partner's table over what its preset gives, and what that is."""
    here: toml.Place = ("partner", name, "as2")
    match table:
        case {"as2": {"preset": str(chosen)} as relation}:
            preset = presets().get(chosen)
            if preset is None:
                message = f"no preset is named {chosen!r}{toml.suggest(chosen, presets())}"
                reading.problem((*here, "preset"), f"{message}: see `tradelane partner presets`")
                return table, {}
            whole, given = merged(preset, relation)
            for key in given:
                reading.origins[(*here, *key.split("."))] = f"from preset {chosen!r}"
            return table | {"as2": whole}, given
    return table, {}


def _zone(tables: dict[str, Any]) -> tzinfo:
    with suppress(KeyError, TypeError, ValueError, OSError, ZoneInfoNotFoundError):
        return ZoneInfo(tables["us"]["timezone"])
    return UTC
