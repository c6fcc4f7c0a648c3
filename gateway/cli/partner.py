"""`partner`: adding a trading partner to partners.toml, and showing who is there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli import certificates, output
from gateway.cli.opening import open_home
from gateway.cli.output import Group
from gateway.cli.parameters import ISA, TYPES, UNB
from gateway.cli.sheet import sheet
from gateway.errors import Code, Failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edi.tree import PartyId
    from gateway.config import Config, Partner
    from gateway.config.preset import Preset

ORDERS = frozenset({"850", "875", "ORDERS"})  # what a route can stand on

ROLES = ["retailer", "3pl", "supplier", "marketplace", "carrier"]
SIGN = ["sha256", "sha384", "sha512", "sha1", "none"]
ENCRYPT = ["aes256-cbc", "aes192-cbc", "aes128-cbc", "aes256-gcm", "aes128-gcm", "3des", "none"]


@click.group(cls=Group, short_help="Trading partners: add, change, look at; certificates.")
def partner() -> None:
    """Trading partners, as partners.toml names them: add, change, look at, and their certificates."""


@partner.command()
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.option("--isa", type=ISA, help="Their ISA05/06, as 08:9254110060.")
@click.option("--unb", type=UNB, help="Their UNB identity, as 5412345000020:14.")
@click.option("--as2-id", help="Their AS2 id: exact, case-sensitive.")
@click.option("--as2-url", help="Where we POST to them; without it they only send to us.")
@click.option(
    "--cert",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Their certificate, PEM or DER; it is copied into certs/.",
)
@click.option("--preset", metavar="NAME", help="Their AS2 product, see `tradelane partner presets`.")
@click.option("--sign", type=click.Choice(SIGN), default="sha256", show_default=True)
@click.option("--encrypt", type=click.Choice(ENCRYPT), default="aes256-cbc", show_default=True)
@click.option(
    "--compress",
    type=click.Choice(["none", "before-sign", "after-sign"]),
    default="none",
    show_default=True,
)
@click.option(
    "--mdn",
    type=click.Choice(["sync", "async", "none"]),
    default="sync",
    show_default=True,
    help="The receipt we ask for.",
)
@click.option("--mdn-signed/--mdn-unsigned", default=True, help="Whether we ask for it to be signed.")
@click.option("--sftp-user", help="Their account on our SFTP server.")
@click.option(
    "--sftp-key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Their public SSH key (.pub).",
)
@click.option("--usage", type=click.Choice(["T", "P"]), help="ISA15: test or production; P when --live.")
@click.option("--in", "inbound", type=TYPES, default=(), help="What they send us, as 850,997.")
@click.option("--out", "outbound", type=TYPES, default=(), help="What we send them, as 856,810.")
@click.option("--route", metavar="3pl:NAME", help="The warehouse that fulfils their orders.")
@click.option("--live", is_flag=True, help="Trade at once, instead of status draft.")
@click.option("--dry-run", is_flag=True, help="Show the change and make none.")
@click.pass_context
def add(context: click.Context, /, name: str, **given: Any) -> None:
    """Add a partner to partners.toml.

    What is not told by a flag stays as [defaults] says, or as the preset does; comments in the file are kept,
    and the former file goes to backups/.
    """
    from gateway import config, keys

    _leave_to_preset(context, given)
    _refuse_contradicting(given)
    _refuse_taken(output.config(), name, given)
    home = output.home()
    certificate = keys.read_certificate(given["cert"]) if given["cert"] else None
    ssh_keys = keys.read_ssh_public_keys(given["sftp_key"]) if given["sftp_key"] else ()

    copied: Path | None = None
    if certificate is not None and not given["dry_run"]:
        copied = _copy_certificate(home / "certs" / f"{name}.crt", keys.as_pem(certificate))
    try:
        table = _table(given, f"certs/{name}.crt", ssh_keys)
        diff = config.add_partner(home, name, table, dry_run=given["dry_run"])
    except BaseException as error:
        if copied:
            copied.unlink()
        if isinstance(error, config.ConfigInvalid):  # the file was valid: these flags are what is wrong
            told = "\n".join(f"{key}: {message}" for _, key, message in error.problems)
            raise click.UsageError(told) from error
        raise
    if given["dry_run"]:
        output.value({"name": name, "dry_run": True, "diff": diff}, diff)
        return
    loaded = config.load(home)
    added = loaded.partner(name)
    output.value(_described(loaded, added), lambda: f"added {name}: {added.role}, {added.status}")
    for remark in config.presets()[given["preset"]].notes if given["preset"] else ():
        output.note(f"preset {given['preset']}: {remark}")
    for line, key, message in loaded.warnings:
        if key.startswith(f"partner.{name}"):
            output.note(f"partners.toml:{line}: {key}: {message}")
    if certificate is not None:
        _tell_of_validity(certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    if added.status == "draft":
        output.note(f"Next: tradelane doctor; then tradelane partner set {name} status=testing")
    else:
        output.note("Next: tradelane doctor")


def _leave_to_preset(context: click.Context, given: dict[str, Any]) -> None:
    """With a preset, only the flags that were given are written: the others are the preset's to say."""
    if given["preset"] is None:
        return
    preset_named(given["preset"])
    for flag in ("sign", "encrypt", "compress", "mdn", "mdn_signed"):
        if context.get_parameter_source(flag) is click.core.ParameterSource.DEFAULT:
            given[flag] = None


def _refuse_contradicting(given: dict[str, Any]) -> None:
    if not given["isa"] and not given["unb"]:
        raise click.UsageError("--isa or --unb says by which id they name themselves in an interchange")
    if not given["as2_id"] and (given["as2_url"] or given["cert"] or given["preset"]):
        raise click.UsageError("--as2-url, --cert and --preset need --as2-id")
    if given["as2_id"] and not given["cert"] and (given["sign"] != "none" or given["encrypt"] != "none"):
        raise click.UsageError("--as2-id needs --cert, or --sign none --encrypt none")
    if given["sftp_key"] and not given["sftp_user"]:
        raise click.UsageError("--sftp-key needs --sftp-user")
    if given["route"] and not ORDERS.intersection(given["inbound"]):
        raise click.UsageError("--route needs an order set in --in, such as 850")


def _refuse_taken(config: Config, name: str, given: dict[str, Any]) -> None:
    """Names and identities that are another's already are a conflict."""
    claims = [
        ("the name", config.partners.get(name)),
        (given["isa"], given["isa"] and config.by_party(given["isa"])),
        (given["unb"] and as_unb(given["unb"]), given["unb"] and config.by_party(given["unb"])),
        (given["as2_id"], config.by_as2(given["as2_id"])),
        (given["sftp_user"], config.by_sftp_user(given["sftp_user"])),
    ]
    for claim, owner in claims:
        if owner is not None:
            raise Failure(
                Code.PARTNER_EXISTS,
                f"{claim} is already taken by partner {owner.name!r}",
                where=str(config.home / "partners.toml"),
                next=f"tradelane partner show {owner.name}",
            )


def _copy_certificate(file: Path, pem: bytes) -> Path | None:
    """Write the certificate where the new table points to; None when the same one is there already."""
    from gateway.config.toml import replace

    if file.exists():
        if file.read_bytes() == pem:
            return None
        raise Failure(
            Code.PARTNER_EXISTS,
            "another certificate is there already",
            where=str(file),
            next="move it away, or add the partner under another name",
        )
    file.parent.mkdir(exist_ok=True)
    replace(file, pem)
    return file


def _tell_of_validity(begins: datetime, ends: datetime) -> None:
    """Say at once of a certificate what would only show when the first message is refused."""
    now = datetime.now(UTC)
    if ends <= now:
        output.note(f"it expired on {ends:%Y-%m-%d}: nothing signed with it is accepted")
    elif begins > now:
        output.note(f"it is not valid before {begins:%Y-%m-%d}")


def _table(given: dict[str, Any], cert_file: str, ssh_keys: tuple[str, ...]) -> dict[str, Any]:
    """What the flags say, as the partner's table."""
    table: dict[str, Any] = {
        "role": given["role"],
        "status": "live" if given["live"] else "draft",
        "usage": given["usage"] or ("P" if given["live"] else "T"),
    }
    table |= {key: given[key]._asdict() for key in ("isa", "unb") if given[key] is not None}
    if given["as2_id"]:
        as2 = table["as2"] = {"id": given["as2_id"]}
        if given["as2_url"]:
            as2["url"] = given["as2_url"]
        as2 |= {key: given[key] for key in ("preset", "sign", "encrypt", "compress") if given[key]}
        mdn = {"mode": given["mdn"], "signed": given["mdn_signed"]}
        if told := {key: value for key, value in mdn.items() if value is not None}:
            as2["mdn"] = told
        if given["cert"]:
            as2["certs"] = [{"file": cert_file}]
    if given["sftp_user"]:
        table["sftp_account"] = {"user": given["sftp_user"], "keys": ssh_keys}
    table["document"] = [_agreement(type, "in", given["route"]) for type in given["inbound"]]
    table["document"] += [_agreement(type, "out", None) for type in given["outbound"]]
    return table


def _agreement(type: str, direction: str, route: str | None) -> dict[str, str]:
    agreement = {"type": type, "direction": direction}
    return agreement | {"route": route} if route and type in ORDERS else agreement


@partner.command("list")
def list_() -> None:
    """List the partners."""
    config = output.config()
    output.rows(
        (_summary(partner) for partner in config.partners.values()),
        {
            "name": "name",
            "role": "role",
            "status": "status",
            "usage": "usage",
            "id": _ids,
            "channel": "channel",
            "in": "in",
            "out": "out",
        },
    )


def _ids(row: dict[str, Any]) -> str:
    """Their ids, each as its syntax writes it."""
    from edi.tree import PartyId

    isa = [str(PartyId(**row["isa"]))] if row["isa"] else []
    return ", ".join([*isa, *([as_unb(PartyId(**row["unb"]))] if row["unb"] else [])])


def as_unb(party: PartyId) -> str:
    """An identity as UNB has it: `5412345000013:14`."""
    return f"{party.id}:{party.qualifier}".rstrip(":")


def _summary(partner: Partner) -> dict[str, Any]:
    def types(direction: str) -> list[str]:
        return [agreed.type for agreed in partner.agreements if agreed.direction == direction]

    own = {"as2": "as2", "sftp_account": "sftp", "sftp_poll": "sftp"}.get(partner.channel or "")
    channel = f"via {partner.via}" if partner.via else own
    return {
        "name": partner.name,
        "role": partner.role,
        "status": partner.status,
        "usage": partner.usage,
        "isa": _id(partner.isa),
        "unb": _id(partner.unb),
        "channel": channel,
        "as2_id": partner.as2.id if partner.as2 else None,
        "as2_url": partner.as2.url if partner.as2 else None,
        "sftp_user": partner.sftp_account.user if partner.sftp_account else None,
        "in": types("in"),
        "out": types("out"),
    }


def _id(party: PartyId | None) -> dict[str, str] | None:
    return party._asdict() if party else None


@partner.command()
@click.argument("name")
def show(name: str) -> None:
    """Show what partners.toml says of a partner, defaults included."""
    config = output.config()
    found = config.partner(name)
    used = _certificates_used(config, found)
    described = _described(config, found) | {"certificates_used": used}
    output.page(described, lambda: chain(_lines(config, found), _used_lines(used)))


def _certificates_used(config: Config, partner: Partner) -> list[dict[str, Any]]:
    """The certificate used last at each look-up; none before a server has made the database."""
    from gateway.home import DATABASE

    if partner.as2 is None or not (config.data / DATABASE).exists():
        return []
    with open_home() as home:
        return certificates.last_uses(home, partner.name)


def _used_lines(used: list[dict[str, Any]]) -> Iterator[tuple[str, object]]:
    for one in used:
        yield "last used", f"{one['short']}, {one['at']:%Y-%m-%d %H:%M}Z: {one['what']}"


partner.add_command(sheet)
partner.add_command(certificates.certs)
partner.add_command(certificates.cem)
partner.add_command(certificates.crypto)


@partner.command("presets", short_help="What AS2 products need: presets, and why.")
@click.argument("name", required=False)
def presets_(name: str | None) -> None:
    """What AS2 products need: the presets for [partner.NAME.as2], what each sets, and why."""
    from gateway import config

    chosen = {name: preset_named(name)} if name else config.presets()
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "title": preset.title,
            "sets": preset.keys,
            "why": preset.why,
            "notes": list(preset.notes),
            "source": preset.source,
        }
        for name, preset in chosen.items()
    ]
    if output.settings().json:
        output.rows(rows, {})
        return
    for number, row in enumerate(rows):
        if number:
            output.line("")
        output.line(f"{row['name']}: {row['title']}", bold=True)
        sets = ", ".join(f"{key} = {_toml(value)}" for key, value in row["sets"].items())
        for label, text in (
            ("sets", sets or "nothing"),
            ("why", row["why"]),
            *(("note", remark) for remark in row["notes"]),
            ("source", row["source"]),
        ):
            output.line(f"  {label:7} {text}")


def preset_named(name: str) -> Preset:
    """The preset of this name. Raises UsageError with the nearest."""
    from gateway import config
    from gateway.config.toml import suggest

    found = config.presets().get(name)
    if found is None:
        raise click.UsageError(
            f"no preset is named {name!r}{suggest(name, config.presets())}: see `tradelane partner presets`"
        )
    return found


def _toml(value: object) -> str:
    from gateway.config.toml import inline

    return inline(value)


@partner.command("rotate-cert", short_help="List a new certificate of a partner's beside the old.")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--encrypt-from",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]),
    metavar="DATE",
    help="Encrypt to it from then on, our time; without it, it only verifies while the old one is there.",
)
@click.option("--dry-run", is_flag=True, help="Show the change and make none.")
def rotate_cert(name: str, file: Path, encrypt_from: datetime | None, *, dry_run: bool) -> None:
    """List a new certificate of a partner's beside those it has: what either signs is accepted at once.

    Ask the partner for its fingerprint by another way than the one it came by. Take the old one out of
    partners.toml, or give it verify_until, when it has gone.
    """
    from gateway import config, keys

    loaded = output.config()
    found = loaded.partner(name)
    if found.as2 is None:
        raise click.UsageError(f"{name} has no as2 table")
    certificate = keys.read_certificate(file)
    fingerprint = keys.fingerprint(certificate)
    if fingerprint in {_certificate(cert.file)["sha256"] for cert in found.as2.certs}:
        output.value(
            {"name": name, "sha256": fingerprint, "diff": ""}, f"{name} has it already: {fingerprint}"
        )
        return
    target = f"certs/{name}-{fingerprint.replace(':', '')[:8].lower()}.crt"
    entry: dict[str, Any] = {"file": target} | ({"encrypt_from": encrypt_from} if encrypt_from else {})
    copied = None if dry_run else _copy_certificate(loaded.home / target, keys.as_pem(certificate))
    try:
        diff = config.add_cert(loaded.home, name, entry, dry_run=dry_run)
    except BaseException:
        if copied:
            copied.unlink()
        raise
    output.value({"name": name, "sha256": fingerprint, "diff": diff}, diff)
    output.note(f"SHA-256 {fingerprint}: compare it with the partner, by telephone if need be")
    _tell_of_validity(certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    output.note(f"Next: tradelane partner certs {name}")


@partner.command("set", short_help="Set keys of a partner in partners.toml.")
@click.argument("name")
@click.argument("changes", nargs=-1, required=True, metavar="KEY=VALUE...")
@click.option("--dry-run", is_flag=True, help="Show the change and make none.")
def set_(name: str, changes: tuple[str, ...], *, dry_run: bool) -> None:
    """Set keys of a partner in partners.toml: `as2.compress=none`, `as2.mdn.mode=async`, `status=live`.

    A value is TOML, or a text as it stands; `KEY=` takes the key out. A running server takes the change up
    within a second.
    """
    from gateway import config

    try:
        diff = _set_keys(name, list(map(_change, changes)), dry_run=dry_run)
    except config.ConfigInvalid as error:
        config.load(output.home())  # if the file is wrong already, that is what is told
        told = "\n".join(f"{key}: {message}" for _, key, message in error.problems)
        raise click.UsageError(told) from error
    output.value({"name": name, "dry_run": dry_run, "diff": diff}, diff or f"{name}: nothing to change")


def _set_keys(name: str, changes: list[tuple[tuple[str, ...], Any, str]], *, dry_run: bool) -> str:
    """Set them as TOML reads them, or numbers as texts where only that is accepted, as of `profile=1.3`."""
    from gateway import config

    as_toml = {path: value for path, value, _ in changes}
    try:
        return config.set_keys(output.home(), name, as_toml, dry_run=dry_run)
    except config.ConfigInvalid:
        numbers = {path: text for path, value, text in changes if type(value) in (int, float)}
        if not numbers:
            raise
        try:
            return config.set_keys(output.home(), name, as_toml | numbers, dry_run=dry_run)
        except config.ConfigInvalid as error:
            named = {".".join(("partner", name, *path)) for path in numbers}
            if not named & {key for _, key, _ in error.problems}:  # it is something else that is wrong
                raise
        raise


def _change(text: str) -> tuple[tuple[str, ...], Any, str]:
    """A key's path, its value as TOML reads it, or the text where it is no TOML, and the text."""
    import tomllib

    key, equals, value = text.partition("=")
    path = tuple(key.split("."))
    if not equals or not all(path):
        raise click.UsageError(
            f"{text!r}: expected KEY=VALUE, such as as2.compress=none, or KEY= to take it out"
        )
    if not value:
        return path, None, value
    try:
        return path, tomllib.loads(f"value = {value}")["value"], value
    except tomllib.TOMLDecodeError:
        return path, value, value


def _described(config: Config, partner: Partner) -> dict[str, Any]:
    """Every setting as JSON types, and of each certificate what identifies it."""
    import msgspec

    described: dict[str, Any] = msgspec.to_builtins(
        partner, enc_hook=lambda value: _as_written(config, value)
    )
    for key, party in (("isa", partner.isa), ("unb", partner.unb)):
        described[key] = _id(party)
    described["aliases"] = [_id(alias) for alias in partner.aliases]
    if partner.as2:
        described["as2"]["from_preset"] = dict(config.from_presets.get(partner.name, {}))
        for table, cert in zip(described["as2"]["certs"], partner.as2.certs, strict=True):
            table.update(_certificate(cert.file))
    return described


def _as_written(config: Config, value: object) -> object:
    if isinstance(value, Path):
        return str(value.relative_to(config.home) if value.is_relative_to(config.home) else value)
    return str(value)


def _certificate(file: Path) -> dict[str, Any]:
    from gateway import keys

    try:
        certificate = keys.read_certificate(file)
    except Failure as failure:
        return {"sha256": None, "not_after": None, "problem": failure.what}
    return {
        "sha256": keys.fingerprint(certificate),
        "not_after": certificate.not_valid_after_utc,
        "problem": None,
    }


def _lines(config: Config, partner: Partner) -> Iterator[tuple[str, object]]:
    yield "name", partner.name
    yield "role", partner.role
    yield "status", partner.status
    yield "usage", f"{partner.usage} ({'production' if partner.usage == 'P' else 'test'})"
    if partner.isa:
        yield "ISA", partner.isa
    if partner.unb:
        yield "UNB", as_unb(partner.unb)
    if partner.aliases:
        yield "aliases", ", ".join(map(str, partner.aliases))
    if partner.via:
        yield "via", partner.via
    if partner.isa or not partner.unb:
        x12 = partner.x12
        yield "X12", f"{x12.version}, separators {x12.element} {x12.component} {x12.segment!r}"
    if partner.unb:
        edifact = partner.edifact
        una = {"needed": "UNA where needed", "always": "UNA", "never": "no UNA"}[edifact.una]
        yield "EDIFACT", f"{edifact.version}, {edifact.syntax}, {una}"
    if as2 := partner.as2:
        yield "AS2 id", as2.id
        yield "  url", as2.url or "none: they only send to us"
        if as2.preset:
            keys = config.from_presets[partner.name].items()
            given = ", ".join(f"{key} = {_toml(value)}" for key, value in keys)
            yield "  preset", f"{as2.preset}, which gives {given or 'nothing that is not written'}"
        yield "  messages", f"sign {as2.sign}, encrypt {as2.encrypt}, compress {as2.compress}"
        signed = "signed" if as2.mdn.signed else "unsigned"
        yield "  receipt", f"{as2.mdn.mode}, {signed}, due in {duration(as2.mdn.due)}"
        for cert in as2.certs:
            facts = _certificate(cert.file)
            until = facts["problem"] or f"valid until {facts['not_after']:%Y-%m-%d}"
            yield "  cert", f"{_as_written(config, cert.file)}, {until}"
            yield "  SHA-256", facts["sha256"]
    if account := partner.sftp_account:
        yield "SFTP user", account.user
        for key in account.keys:
            kind, _, rest = key.partition(" ")
            yield "  key", f"{kind} ...{rest.partition(' ')[0][-12:]} {rest.partition(' ')[2]}"
    if poll := partner.sftp_poll:
        yield "SFTP poll", f"{poll.host}:{poll.port}{'' if poll.enabled else ' (off)'}"
    for agreed in partner.agreements:
        terms = f" {agreed.version}" if agreed.version else ""
        terms += f" as {agreed.document.replace('_', ' ')}" if agreed.document else ""
        terms += f", to {agreed.route}" if agreed.route else ""
        terms += ", made by the ERP" if agreed.made_by == "erp" else ""
        ack = "no acknowledgment" if agreed.ack.mode == "none" else f"{agreed.ack.mode} in "
        if agreed.ack.mode != "none":
            ack += duration(agreed.ack.send_within if agreed.direction == "in" else agreed.ack.due)
        yield agreed.direction, f"{agreed.type}{terms}, {ack}"


def duration(span: timedelta) -> str:
    """A duration as the file writes it: `24h` is `1d`."""
    seconds = round(span.total_seconds())
    text = ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"
