"""`serve`, `send` and `demo`: the commands under which something happens to partners."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from gateway.cli import output
from gateway.cli.opening import open_home
from gateway.cli.output import Command
from gateway.cli.parameters import ADDRESS, INPUT
from gateway.errors import Code, Exit, Failure

if TYPE_CHECKING:
    from gateway.config import Address, Partner
    from gateway.home import Home

_POLL_S = 0.1
_TAKE_UP_S = 5.0  # for so long, whoever runs the jobs may be another `send` that is about to end


class _Safe(logging.Formatter):
    """Lines in which nothing that a partner or the ERP wrote steers a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return output.safe(super().format(record))


def _log_to_stderr(*, verbose: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Safe("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])
    for noisy in ("paramiko", "watchdog", "uvicorn", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


@click.command(cls=Command, short_help="Run the gateway until it is told to stop.")
@click.option("--as2", type=ADDRESS, help="Where partners post AS2 messages, as 0.0.0.0:4080.")
@click.option("--web", type=ADDRESS, help="Where operations look, as 127.0.0.1:8080.")
@click.option("--sftp", type=ADDRESS, help="Where warehouses log in, as 0.0.0.0:2222.")
def serve(as2: Address | None, web: Address | None, sftp: Address | None) -> None:
    """Run the gateway until it is told to stop.

    Once ready it prints one line of JSON with its addresses. SIGTERM and Ctrl-C drain: what is at hand is
    finished, nothing new is begun. partners.toml is taken up again when it changes.
    """
    from gateway.home import Home
    from gateway.server import Addresses, Server
    from gateway.store import RunnerExists

    _log_to_stderr(verbose=not output.settings().quiet)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    home = Home.open(output.home())
    listed = home.config.server
    try:
        server = Server(home, Addresses(as2 or listed.as2, web or listed.web, sftp or listed.sftp))
        where = server.start()
    except RunnerExists as error:
        raise Failure(Code.ALREADY_RUNNING, str(error), where=str(home.config.home)) from error
    except OSError as error:
        raise Failure(
            Code.ADDRESS_TAKEN, f"cannot listen: {error.strerror}", next="tradelane serve --as2 HOST:0"
        ) from error
    click.echo(output.to_json({"event": "ready", **where}))
    sys.stdout.flush()
    healthy = server.run_until(stopping)
    drained = server.stop()
    home.close()
    if not healthy:
        output.finish(Exit.FAILURE)
    if not drained:
        output.note("some jobs did not end in time; they go on at the next start")


@click.command(cls=Command, short_help="Send a file to a partner.")
@click.argument("partner")
@click.argument("file", type=INPUT)
@click.option("--wait", is_flag=True, help="Wait for the receipt, and exit by what it says.")
@click.option(
    "--timeout", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds to wait."
)
@click.option("--content-type", help="Its MIME type; found from the content otherwise.")
@click.option(
    "--attach", type=INPUT, multiple=True, help="A file that goes with it; may stand more than once."
)
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
def send(
    partner: str,
    file: BinaryIO,
    wait: bool,
    timeout: float,
    content_type: str | None,
    attach: tuple[BinaryIO, ...],
    dry_run: bool,
) -> None:
    """Send a file to a partner as it is, by the partner's channel.

    It is stored first and sent by the running server; with no server running, --wait sends it itself. With
    --attach it leaves as one AS2 message of several files, to a partner that has `attachments = true`.
    """
    _log_to_stderr(verbose=False)
    with open_home() as home:
        _send(home, partner, file, attach, wait, timeout, content_type, dry_run)


def _send(
    home: Home,
    partner: str,
    file: BinaryIO,
    attach: tuple[BinaryIO, ...],
    wait: bool,
    timeout: float,
    content_type: str | None,
    dry_run: bool,
) -> None:
    from gateway import queries
    from gateway.pipeline import dispatch

    to = home.config.partner(partner)
    channel = home.config.hub(to).channel
    if channel is None or to.status == "draft":
        raise Failure(
            Code.NO_CHANNEL,
            f"{partner} is a draft" if to.status == "draft" else f"no channel leads to {partner}",
            next=f"tradelane partner set {partner} status=testing"
            if to.status == "draft"
            else f"tradelane partner show {partner}",
        )
    attachments = [(one, _name(one)) for one in attach]
    _check_attachments(home.config.hub(to), len(attachments))
    name = _name(file)
    if dry_run:
        told = {"partner": partner, "channel": channel, "filename": name, "attachments": len(attachments)}
        output.value(told, f"would send {' and '.join([name, *(n for _, n in attachments)])} to {partner}")
        return
    identity = dispatch.dispatch(
        home, to, file, filename=name, content_type=content_type, attachments=attachments
    )
    if wait:
        with output.progress(f"waiting for the receipt of {name} from {partner}"):
            _wait(home, identity, timeout)
    result = queries.sent(home, identity)
    output.value(result, lambda: _told(result, partner))
    output.finish(_exit_of(result) if wait else Exit.OK)


def _name(file: BinaryIO) -> str:
    return "stdin" if file is sys.stdin.buffer else Path(file.name).name


def _check_attachments(carrier: Partner, count: int) -> None:
    """Refuse attachments that whoever carries the file does not take."""
    from gateway.as2.mime import MAX_PARTS

    if count and not (carrier.channel == "as2" and carrier.as2 is not None and carrier.as2.attachments):
        raise Failure(
            Code.NO_CHANNEL,
            f"nothing goes with a file to {carrier.name}: its as2 table has no attachments = true",
            next=f"tradelane partner set {carrier.name} as2.attachments=true"
            if carrier.channel == "as2"
            else f"tradelane partner show {carrier.name}",
        )
    if count >= MAX_PARTS:
        raise Failure(Code.USAGE, f"{count} attachments: at most {MAX_PARTS - 1} go with a file")


def _wait(home: Home, identity: str, timeout: float) -> None:
    """Until the transmission has an end; running its jobs here when no server does."""
    from gateway import queries

    started = time.monotonic()
    ours = False
    while queries.sent(home, identity)["status"] == "pending":
        waited = time.monotonic() - started
        if waited >= timeout:
            break
        if not ours and waited < _TAKE_UP_S:
            ours = _run_jobs_here(home)
        time.sleep(_POLL_S)
    if ours:
        home.engine.drain(5.0)


def _run_jobs_here(home: Home) -> bool:
    """Whether this process runs the jobs from now on, because no other does."""
    from gateway.server import start_engine
    from gateway.store import RunnerExists

    try:
        start_engine(home, wait_s=0.0)
    except RunnerExists:
        return False
    return True


def _told(result: dict[str, Any], partner: str) -> str:
    if result["status"] == "delivered":
        proof = result["disposition"] or "placed in its folder"
        return f"{result['transmission']}  delivered to {partner}: {proof}"
    if result["status"] == "failed":
        return f"{result['transmission']}  failed: {result['reason']}: {result['error']}"
    if result["error"]:
        return f"{result['transmission']}  queued for {partner}, and tried again: {result['error']}"
    return f"{result['transmission']}  queued for {partner}"


def _exit_of(result: dict[str, Any]) -> Exit:
    if result["status"] == "delivered":
        return Exit.OK
    if result["status"] == "pending":
        return Exit.PEER_UNREACHABLE
    return (
        Exit.PEER_REJECTED if result["reason"] in {"PEER_REJECTED", "MDN_INVALID"} else Exit.PEER_UNREACHABLE
    )


@click.command(cls=Command, short_help="One order, end to end, both sides on this machine.")
@click.option("--serve", "stay", is_flag=True, help="Go on serving afterwards, until Ctrl-C.")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="Keep the home here.")
@click.option("--edifact", is_flag=True, help="The same day in EDIFACT instead of X12.")
def demo(stay: bool, folder: Path | None, *, edifact: bool) -> None:
    """One order, end to end: a retailer over AS2, a warehouse over SFTP, an ERP in folders.

    Everything runs on loopback in a temporary home. Each step is verified from the outside; the exit code is
    5 when one is missing.
    """
    from gateway.cli.demo import run

    _log_to_stderr(verbose=False)
    output.finish(run(stay=stay, folder=folder, edifact=edifact))
