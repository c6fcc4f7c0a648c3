"""`init` makes a home; `doctor` says whether one is fit to serve, and what to do where it is not."""

from __future__ import annotations

import re
import shutil
import socket
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import click

from gateway.cli import output
from gateway.cli.output import Command
from gateway.cli.parameters import ISA, UNB
from gateway.errors import Code, Exit, Failure

if TYPE_CHECKING:
    from edi.tree import PartyId
    from gateway.certificates import Listed
    from gateway.config import Config, Key
    from gateway.keys import Certificate

FOLDERS = ("certs", "data", "guides", "maps", "sftp")
ERP_FOLDERS = ("in", "out", "done", "refused")

TEMPLATE = """\
# Who we are and with whom we trade. `tradelane doctor` checks this file and names each problem with its line;
# a running server takes a change at once, or keeps the last good file. Paths are relative to this folder.
schema = 1

[us]
name = {name}
timezone = "UTC"                # in which days, cut-offs and bare dates are read
as2_id = {as2_id}
isa = {isa}
{unb}keys = [                        # every listed key decrypts; the one whose sign_from came last signs
  {{ id = "1", cert = "certs/us.crt", key = "file:secrets/us.key" }},
]

# [server]
# as2 = "0.0.0.0:4080"
# web = "127.0.0.1:8080"        # the dashboard: keep it on loopback or behind a proxy that asks who comes
# sftp = "0.0.0.0:2222"
# public_url = "https://edi.example.com/as2"    # our AS2 URL as partners reach it, for async receipts

# [defaults]
# ack = {{ mode = "997", due = "24h", send_within = "15m" }}
# mdn = {{ mode = "sync", signed = true, due = "30m" }}

# Partners follow, one table each: `tradelane partner add --help`.
"""


@click.command(cls=Command, short_help="Make a home: keys, partners.toml and folders.")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path, file_okay=False))
@click.option("--name", help="Our company's name.")
@click.option("--as2-id", help="Our AS2 id, case-sensitive.")
@click.option("--isa", type=ISA, help="Our ISA05/06, as ZZ:NORTHWIND.")
@click.option("--unb", type=UNB, help="Our UNB identity, as 5412345000013:14.")
@click.option(
    "--key-bits", type=click.Choice(["2048", "3072", "4096"]), default="2048", help="Size of the RSA key."
)
def init(
    folder: Path | None,
    *,
    name: str | None,
    as2_id: str | None,
    isa: PartyId | None,
    unb: PartyId | None,
    key_bits: str,
) -> None:
    """Make a home: keys, partners.toml and folders.

    A folder that has a partners.toml keeps it, and gets what it still lacks: the keys it names and the
    folders. What is there is never replaced.
    """
    from gateway import config
    from gateway.config.toml import replace

    home = (folder or output.home()).absolute()
    file = home / config.FILE
    if file.exists() and (name or as2_id or isa or unb):
        raise Failure(
            Code.HOME_EXISTS,
            f"{config.FILE} is already there, and says who we are",
            where=str(home),
            next=f"edit [us] in {file}, or run `tradelane init` without identities",
        )
    made: list[str] = []
    if not file.exists():
        text = _new_file(name or "My Company", as2_id, isa, unb)
        config.read(text, home)
        home.mkdir(parents=True, exist_ok=True)
        replace(file, text)
        made.append(config.FILE)
    read = config.read(file.read_text("utf-8"), home)
    for path in (*(home / name for name in FOLDERS), *(read.erp.folder / name for name in ERP_FOLDERS)):
        path.mkdir(parents=True, exist_ok=True)
    (home / "secrets").mkdir(mode=0o700, exist_ok=True)
    (home / "data").chmod(0o700)
    for key in read.us.keys:
        made += _make_missing_key(key, read.us.as2_id or read.us.name, home, int(key_bits))
    _tell_identity(home, made)


def _new_file(name: str, as2_id: str | None, isa: PartyId | None, unb: PartyId | None) -> str:
    from gateway.config.toml import inline

    plain = re.sub(r"[^A-Z0-9]", "", name.upper())[:15] or "US"

    return TEMPLATE.format(
        name=inline(name),
        as2_id=inline(as2_id or plain),
        isa=inline(isa._asdict() if isa else {"qualifier": "ZZ", "id": plain}),
        unb=f"unb = {inline(unb._asdict())}\n" if unb else "",
    )


def _make_missing_key(key: Key, name: str, home: Path, bits: int) -> list[str]:
    """Make the pair where both halves are absent; one half alone is never overwritten."""
    from gateway.config.toml import replace
    from gateway.keys import make_key_pair, write_secret

    if key.key.kind != "file" or key.cert.exists() or Path(key.key.name).exists():
        return []
    pair = make_key_pair(name, now=datetime.now(UTC), bits=bits)
    write_secret(Path(key.key.name), pair.key)
    key.cert.parent.mkdir(parents=True, exist_ok=True)
    replace(key.cert, pair.cert)
    return [_relative(key.cert, home), _relative(Path(key.key.name), home)]


def _tell_identity(home: Path, made: list[str]) -> None:
    """What a partner has to know of us."""
    from gateway import config, keys

    loaded = config.read((home / config.FILE).read_text("utf-8"), home)
    us, known = loaded.us, loaded.partners
    certificates = [key.cert for key in us.keys if key.cert.exists()]
    prints = [keys.fingerprint(keys.read_certificate(cert)) for cert in certificates]
    found = {
        "home": str(home),
        "made": made,
        "name": us.name,
        "as2_id": us.as2_id,
        "isa": us.isa._asdict() if us.isa else None,
        "unb": us.unb._asdict() if us.unb else None,
        "certificates": [
            {"file": str(cert), "sha256": print} for cert, print in zip(certificates, prints, strict=True)
        ],
    }

    def lines() -> Iterator[tuple[str, object]]:
        yield "home", home
        yield "made", ", ".join(made) or "nothing: all was there"
        yield "name", us.name
        yield "AS2 id", us.as2_id
        yield "ISA", us.isa
        if us.unb:
            yield "UNB", f"{us.unb.id}:{us.unb.qualifier}".rstrip(":")
        for cert, print in zip(certificates, prints, strict=True):
            yield "certificate", cert
            yield "  SHA-256", print

    output.page(found, lines)
    output.note("Give partners the ids and the certificate; the key in secrets/ never leaves this machine.")
    output.note(f"Next: tradelane --home {home} {'doctor' if known else 'partner add --help'}")


def _relative(path: Path, home: Path) -> str:
    return str(path.relative_to(home)) if path.is_relative_to(home) else str(path)


class Check(NamedTuple):
    """One thing the doctor looked at."""

    check: str
    verdict: Literal["ok", "warn", "fail"]
    detail: str
    fix: str | None = None


@click.command(cls=Command, short_help="Check configuration, keys, permissions, database and ports.")
def doctor() -> None:
    """Check configuration, keys, permissions, database and ports.

    Exit 5 when a check fails; a warning is no failure.
    """
    config = output.config()
    found = list(_checks(config))
    output.rows(
        [check._asdict() for check in found],
        {"check": "check", "verdict": "verdict", "detail": "detail", "fix": "fix"},
    )
    if any(check.verdict == "fail" for check in found):
        output.finish(Exit.FINDINGS)


def _checks(config: Config) -> Iterator[Check]:
    count = len(config.partners)
    yield Check("configuration", "ok", f"{count} partner{'' if count == 1 else 's'}")
    for line, key, message in config.warnings:
        yield Check("configuration", "warn", f"{key}: {message}", f"partners.toml:{line}")
    yield from _our_keys(config)
    yield from _their_certificates(config)
    yield from _ways_to_them(config)
    yield from _folders(config)
    yield from _database(config)
    yield from _ports(config)


def _our_keys(config: Config) -> Iterator[Check]:
    from gateway import keys

    now = datetime.now(UTC)
    for ours in config.us.keys:
        name = f"key {ours.id}"
        try:
            certificate = keys.read_certificate(ours.cert)
            key = keys.read_private_key(ours.key.read(), where=f"{ours.key.kind} of key {ours.id}")
        except Failure as failure:
            yield _failed(name, failure)
            continue
        if not keys.is_pair(certificate, key):
            yield Check(name, "fail", f"{ours.cert.name} is not the certificate of this key")
            continue
        yield _fitness(name, certificate, now)
    if config.us.keys and config.us.signing_key(now) is None:
        yield Check("keys", "fail", "no key signs now", "look at sign_from and retire_after in [us]")


def _their_certificates(config: Config) -> Iterator[Check]:
    from gateway import certificates, keys

    now = datetime.now(UTC)
    for partner in config.partners.values():
        for cert in partner.as2.certs if partner.as2 else ():
            name = f"{partner.name} {cert.file.name}"
            try:
                certificate = keys.read_certificate(cert.file)
            except Failure as failure:
                yield _failed(name, failure, draft=partner.status == "draft")
                continue
            yield _fitness(name, certificate, now)
        if partner.as2 and partner.as2.encrypt != "none" and partner.as2.encrypting_cert(now) is None:
            yield Check(partner.name, "fail", "no certificate to encrypt to now", "look at encrypt_from")
    for one in certificates.listed(config, now):
        if one.kind == "tls":
            yield _fitness_of_tls(one, now)


def _fitness_of_tls(one: Listed, now: datetime) -> Check:
    from gateway import certificates

    name = f"{one.owner} {one.name}"
    if one.problem is not None or one.not_after is None:
        return Check(name, "fail", f"cannot be read: {one.problem}")
    if one.not_after <= now:
        return Check(name, "fail", f"TLS: expired on {one.not_after:%Y-%m-%d}", "put a new one in its place")
    near = certificates.nearness(one, now) is not None
    until = f"{'expires on' if near else 'valid until'} {one.not_after:%Y-%m-%d}"
    return Check(name, "warn" if near else "ok", f"TLS: {until}", "have a new one made" if near else None)


def _ways_to_them(config: Config) -> Iterator[Check]:
    """Whether what `as2.http` of each partner names can be used."""
    from gateway import http
    from gateway.config import Http

    for partner in config.partners.values():
        if partner.as2 is None or partner.as2.http == Http():
            continue
        name = f"{partner.name} http"
        try:
            http.check(partner.as2.http)
        except Failure as failure:
            yield _failed(name, failure, draft=partner.status == "draft")
        else:
            yield Check(name, "ok", "its files and secrets can be used")


def _fitness(name: str, certificate: Certificate, now: datetime) -> Check:
    from gateway.keys import weakness

    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begins:
        return Check(name, "fail", f"not valid before {begins:%Y-%m-%d}", "check the clock of this machine")
    if ends <= now:
        return Check(name, "fail", f"expired on {ends:%Y-%m-%d}", "exchange a new certificate")
    if weak := weakness(certificate):
        return Check(name, "fail", weak, "exchange a new certificate")
    if ends - now < timedelta(days=60):
        return Check(name, "warn", f"expires on {ends:%Y-%m-%d}", "exchange a new certificate in time")
    return Check(name, "ok", f"valid until {ends:%Y-%m-%d}")


def _folders(config: Config) -> Iterator[Check]:
    secrets = config.home / "secrets"
    if secrets.is_dir():
        mode = stat.S_IMODE(secrets.stat().st_mode)
        fit = not mode & 0o077
        yield Check(
            "secrets/", "ok" if fit else "fail", f"mode {mode:04o}", None if fit else f"chmod 700 {secrets}"
        )
    erp = (config.erp.folder / name for name in ERP_FOLDERS)
    for folder in (config.data, config.sftp_folder, *erp):
        name = f"{_relative(folder, config.home)}/"
        if not folder.is_dir():
            yield Check(name, "warn", "is not there", f"tradelane init {config.home}")
    disk = shutil.disk_usage(config.home)
    room = min(disk.free / disk.total / 0.05, disk.free / (256 << 20))
    free = f"{disk.free / (1 << 30):.1f} GiB free of {disk.total / (1 << 30):.1f}"
    if room < 1:
        yield Check("disk", "fail", f"{free}: nothing more is accepted", "make room")
    else:
        yield Check("disk", "ok" if room > 2 else "warn", free)


def _database(config: Config) -> Iterator[Check]:
    file = config.data / "tradelane.db"
    if not file.exists():
        yield Check("database", "ok", "is made by the first `serve`")
        return
    from gateway.store import StoreError, schema

    try:
        revision = schema.current(file)
    except StoreError as error:
        yield Check("database", "fail", str(error))
        return
    if revision > schema.head():
        yield Check("database", "fail", f"of a newer program (revision {revision})", "upgrade tradelane")
    elif revision < schema.head():
        yield Check("database", "warn", f"revision {revision}: `serve` upgrades it to {schema.head()}")
    else:
        yield Check("database", "ok", f"revision {revision}")


def _ports(config: Config) -> Iterator[Check]:
    for name in ("as2", "web", "sftp"):
        address = getattr(config.server, name)
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                fix = f"stop what holds it, or set {name} in [server]"
                yield Check(f"{name} port", "warn", f"{address}: {error.strerror}", fix)
            else:
                yield Check(f"{name} port", "ok", f"{address} is free")


def _failed(name: str, failure: Failure, *, draft: bool = False) -> Check:
    where = f"{failure.where}: " if failure.where else ""
    return Check(name, "warn" if draft else "fail", f"{where}{failure.what}", failure.next)
