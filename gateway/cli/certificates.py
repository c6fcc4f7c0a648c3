"""`partner certs`, `cem`, `crypto`: which certificates there are, exchanging them, what they protect."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from gateway.cli import output
from gateway.cli.opening import open_home
from gateway.cli.output import Command, Group
from gateway.errors import Exit

if TYPE_CHECKING:
    from sqlalchemy import Row

    from gateway.certificates import Listed, Use
    from gateway.config import Partner
    from gateway.home import Home

DATE = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


@click.command(cls=Command, short_help="Certificates: windows, expiry, and when each was last used.")
@click.argument("name", metavar="[PARTNER]", required=False)
@click.option("--expiring", is_flag=True, help="Only those that end within 60 days or have ended.")
def certs(name: str | None, *, expiring: bool) -> None:
    """Our certificates and those of partners: what each does now, when it ends, when it was last used.

    Warnings of the same are events of the timeline, at 60, 30, 14, 7, 3 and 1 days before the end and on it.
    """
    from gateway import certificates

    with open_home() as home:
        if name is not None:
            home.config.partner(name)
        now = home.now()
        with home.store.read() as conn:
            used = certificates.uses(conn, name)
        found = [
            _certificate(home, one, used, now)
            for one in certificates.listed(home.config, now, name)
            if not expiring or one.problem or certificates.nearness(one, now) is not None
        ]
    output.rows(
        found,
        {
            "whose": lambda row: row["partner"] or "us",
            "certificate": "name",
            "fingerprint": "short",
            "ends": _ends,
            "state": "state",
            "now": lambda row: row["problem"] or row["use"],
            "last used": _last_used,
        },
    )
    if not found:
        output.note("none ends within 60 days" if expiring else "none is named in partners.toml")


def _certificate(home: Home, one: Listed, used: Iterable[Use], now: datetime) -> dict[str, Any]:
    from gateway import certificates

    mine = [
        use
        for use in used
        if use.fingerprint == one.fingerprint and (not one.owner or use.partner == one.owner)
    ]
    fingerprint = one.fingerprint
    near = certificates.nearness(one, now)
    ended = one.problem or (one.not_after is not None and one.not_after <= now)
    early = one.not_before is not None and now < one.not_before
    return {
        "partner": one.owner or None,
        "name": one.name,
        "kind": one.kind,
        "file": str(
            one.file.relative_to(home.config.home) if one.file.is_relative_to(home.config.home) else one.file
        ),
        "sha256": certificates.long(fingerprint) if fingerprint else None,
        "short": certificates.short(fingerprint) if fingerprint else None,
        "not_before": one.not_before,
        "not_after": one.not_after,
        "days_left": one.days_left(now),
        "state": "fail" if ended or early else "ok" if near is None else "warn",
        "use": one.use,
        "problem": one.problem,
        "last_used": [{"partner": use.partner, "look_up": use.look_up, "at": use.last_at} for use in mine],
    }


def _ends(row: dict[str, Any]) -> str:
    if row["not_after"] is None:
        return ""
    days = row["days_left"]
    day = f"{row['not_after']:%Y-%m-%d}"
    return day if days >= 60 else f"{day}, {days} d" if days >= 0 else f"{day}, expired"


def _last_used(row: dict[str, Any]) -> str:
    if not row["last_used"]:
        return "never" if row["kind"] == "as2" else ""
    last = row["last_used"][0]
    return f"{last['at']:%Y-%m-%d} {last['look_up'].replace('_', ' ')}"


# Exchanging them over AS2.


@click.group(cls=Group, short_help="Exchange certificates over AS2: list, accept, reject, request.")
def cem() -> None:
    """Exchange certificates over AS2 (Certificate Exchange Messaging).

    What a partner asks us to trust waits here for a yes or a no. Nothing of it is used before.
    """


@cem.command("list", short_help="What partners ask us to trust, and we them.")
@click.argument("name", metavar="[PARTNER]", required=False)
def list_(name: str | None) -> None:
    """Certificates that partners ask us to trust (in), and that we ask them to (out); the latest first."""
    from gateway.pipeline import exchange

    with open_home() as home:
        if name is not None:
            home.config.partner(name)
        with home.store.read() as conn:
            found = [_exchange(row, home.now()) for row in exchange.exchanges(conn, name)]
    output.rows(
        found,
        {
            "id": "id",
            "partner": "partner",
            "way": "direction",
            "status": "status",
            "fingerprint": "short",
            "for": _used_for,
            "ends": lambda row: f"{row['not_after']:%Y-%m-%d}",
            "answer by": lambda row: f"{row['respond_by']:%Y-%m-%d}" if row["respond_by"] else "",
            "note": lambda row: row["reason"] or row["problem"],
        },
    )
    if not found:
        output.note("no certificate was exchanged over AS2 yet")


def _used_for(row: dict[str, Any]) -> str:
    names = {"digitalSignature": "sign", "keyEncipherment": "encrypt"}
    if set(row["usages"]) == set(names):
        return "both"
    return ", ".join(names.get(usage, usage) for usage in row["usages"])


def _exchange(row: Row[Any], now: datetime) -> dict[str, Any]:
    from gateway import as2, certificates
    from gateway.pipeline import exchange

    certificate = as2.load_certificate(row.certificate)
    return {
        "id": row.id,
        "direction": row.direction,
        "partner": row.partner,
        "status": row.status,
        "request_id": row.request_id,
        "usages": row.usages,
        "issuer": row.issuer,
        "serial": row.serial,
        "sha256": certificates.long(row.fingerprint),
        "short": certificates.short(row.fingerprint),
        "not_before": certificate.valid_from,
        "not_after": certificate.valid_until,
        "respond_by": row.respond_by,
        "response_url": row.response_url,
        "reason": row.reason,
        "problem": exchange.unfit(row, now) if row.status == "waiting" and row.direction == "in" else None,
        "transmission": row.transmission,
        "at": row.created_at,
        "decided_at": row.decided_at,
    }


@cem.command(short_help="Trust a certificate, and tell the partner.")
@click.argument("name", metavar="PARTNER")
@click.argument("identity", metavar="[ID]", required=False)
@click.option(
    "--encrypt-from",
    type=DATE,
    metavar="DATE",
    help="From when we encrypt to it; at once without. It verifies at once.",
)
@click.option("--dry-run", is_flag=True, help="Show the change to partners.toml and make none.")
def accept(name: str, identity: str | None, *, encrypt_from: datetime | None, dry_run: bool) -> None:
    """Trust what a partner asks us to: it goes into certs/ and partners.toml, and the partner is told.

    A DATE such as 2027-01-15 is in our time zone. ID is that of `cem list`, or the beginning of the
    fingerprint; it is needed where more than one waits. Compare the fingerprint with the partner by another
    way than this message. The old certificate stays listed; take it out, or give it a verify_until, when the
    partner has stopped using it.
    """
    from gateway.pipeline import exchange

    with open_home() as home:
        partner = home.config.partner(name)
        rows = exchange.waiting(home, partner, identity)
        day = encrypt_from.replace(tzinfo=home.config.us.timezone) if encrypt_from else None
        diff = exchange.accept(home, partner, rows, encrypt_from=day, dry_run=dry_run)
        shown = [_exchange(row, home.now()) for row in rows]
    for row in shown:
        output.note(f"SHA-256 {row['sha256']}, issued by {row['issuer']}")
    if dry_run:
        output.value({"partner": name, "dry_run": True, "exchanges": shown, "diff": diff}, diff)
        return
    for row in shown:
        row["status"] = "accepted"
    output.rows(
        shown,
        {
            "id": "id",
            "status": "status",
            "fingerprint": "short",
            "for": _used_for,
        },
    )
    if any(not {"digitalSignature", "keyEncipherment"} & set(row["usages"]) for row in shown):
        output.note(
            "A certificate for TLS alone is in certs/ and used for nothing: name it in partners.toml."
        )
    output.note(
        f"The running server verifies with it, and tells {name}. Next: tradelane partner certs {name}"
    )


@cem.command(short_help="Refuse a certificate, and tell the partner why.")
@click.argument("name", metavar="PARTNER")
@click.argument("identity", metavar="[ID]", required=False)
@click.option("--reason", default="not accepted", show_default=True, help="What the partner is told.")
def reject(name: str, identity: str | None, *, reason: str) -> None:
    """Refuse what a partner asks us to trust, and tell the partner."""
    from gateway.pipeline import exchange

    if not reason.isprintable() or len(reason) > 200:
        raise click.UsageError("--reason is one line of at most 200 characters")
    with open_home() as home:
        partner = home.config.partner(name)
        rows = exchange.waiting(home, partner, identity)
        exchange.reject(home, partner, rows, reason)
    output.rows(
        [{"id": row.id, "status": "rejected", "reason": reason} for row in rows],
        {"id": "id", "status": "status", "reason": "reason"},
    )


@cem.command(short_help="Ask partners to trust our next key.")
@click.argument("name", metavar="[PARTNER]", required=False)
@click.option("--all", "everyone", is_flag=True, help="Every partner whose agreement has cem = true.")
@click.option("--key", "key_id", help="Which of our keys; without, the one that signs next.")
@click.option(
    "--respond-by", type=DATE, metavar="DATE", help="Until when we want to know; else until the key signs."
)
@click.option("--dry-run", is_flag=True, help="Say who would be asked, and ask nobody.")
def request(
    name: str | None, *, everyone: bool, key_id: str | None, respond_by: datetime | None, dry_run: bool
) -> None:
    """Ask partners to trust the certificate of our next key.

    Our key signs from the day that partners.toml says, whatever partners answer. With --all, who was asked
    about this key and has not refused it is left out.
    """
    from gateway.pipeline import exchange

    if (name is None) == (not everyone):
        raise click.UsageError("name one partner, or say --all")
    with open_home() as home:
        key = exchange.next_key(home.config, home.now(), key_id)
        by = respond_by.replace(tzinfo=home.config.us.timezone) if respond_by else None
        rows = []
        for partner in _asked(home, name):
            if everyone and exchange.asked_already(home, partner, key) is not None:
                continue
            identity = None if dry_run else exchange.request(home, partner, key, by)
            rows.append({"partner": partner.name, "key": key.id, "id": identity})
    output.rows(rows, {"partner": "partner", "key": "key", "id": "id"})
    if dry_run:
        output.note("nobody was asked")
    elif rows:
        output.note("Sent by the running server. Next: tradelane partner cem list")
    else:
        output.note(f"nobody with cem = true is left to be asked about key {key.id}")


def _asked(home: Home, name: str | None) -> list[Partner]:
    if name is not None:
        return [home.config.partner(name)]
    return [
        partner
        for partner in home.config.partners.values()
        if partner.channel == "as2" and partner.as2 is not None and partner.as2.cem
        if partner.status in {"live", "testing"}
    ]


# What they protect.


@click.command(cls=Command, short_help="How messages are protected: agreed, and really used last.")
@click.argument("name", metavar="[PARTNER]", required=False)
def crypto(name: str | None) -> None:
    """How messages with each AS2 partner are protected: as agreed, and as it was really done last.

    Exit 5 when something must end: SHA-1, 3DES, RSA under 2048 bits, CBC without a signature.
    """
    from gateway import protection

    with open_home() as home:
        if name is not None:
            home.config.partner(name)
        with home.store.read() as conn:
            found = list(protection.report(home.config, conn, name))
    output.rows(
        [{**one._asdict(), "partner": one.partner or None} for one in found],
        {
            "whose": lambda row: row["partner"] or "us",
            "what": lambda row: row["name"] or row["aspect"],
            "agreed": "agreed",
            "last in": "last_in",
            "last out": "last_out",
            "verdict": "verdict",
            "why": "why",
        },
    )
    if not found:
        output.note("no partner trades over AS2")
    if protection.worst(found) == "fail":
        output.finish(Exit.FINDINGS)


def last_uses(home: Home, name: str) -> list[dict[str, Any]]:
    """The certificate last used with a partner at each look-up."""
    from gateway import certificates

    with home.store.read() as conn:
        found = certificates.uses(conn, name)
    latest = {use.look_up: use for use in reversed(found)}
    return [
        {
            "look_up": look_up,
            "what": what,
            "sha256": certificates.long(latest[look_up].fingerprint),
            "short": certificates.short(latest[look_up].fingerprint),
            "at": latest[look_up].last_at,
        }
        for look_up, what in certificates.LOOK_UPS.items()
        if look_up in latest
    ]
