"""How bytes travel to partners: AS2 over HTTP, and the keys and certificates that go with it.

Nothing here keeps state. Only configured URLs are contacted: redirects are not followed, proxies of the
environment not used, and answers are cut at a size and a time.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple
from urllib.parse import urlsplit

import httpx

from gateway import as2
from gateway.config import As2, Config, Partner, SftpPoll
from gateway.config import Key as OurKey
from gateway.errors import Code, Failure, GatewayError
from sftp.client import HostKeyChanged, SftpError, connect, join
from sftp.keys import BadKey, load_private_key

MAX_ANSWER = 1 << 20
TIMEOUT = httpx.Timeout(60.0, connect=15.0)
_CHUNK = 256 * 1024
RETRY_STATUSES = frozenset({408, 425, 429})


class Unreachable(GatewayError):
    """No complete answer: connection refused, reset, timed out. Sending the same bytes again is right."""

    temporary = True
    theirs = True


class Answer(NamedTuple):
    """An HTTP answer, its body whole."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later (RFC 9110; retry table of the specification)."""
        return self.status in RETRY_STATUSES or self.status >= 500


def post(url: str, headers: list[tuple[str, str]], body: BinaryIO) -> Answer:
    """POST a file with its Content-Length. Raises Unreachable."""
    try:
        with (
            httpx.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=False, verify=_tls()) as client,
            client.stream("POST", url, headers=headers, content=_chunks(body)) as response,
        ):
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > MAX_ANSWER:
                    raise Unreachable(f"the answer is over {MAX_ANSWER} bytes")
            return Answer(response.status_code, list(response.headers.multi_items()), bytes(content))
    except httpx.HTTPError as error:
        where = "{}://{}:{}".format(*_origin(url))  # without a path, and without a user and password
        raise Unreachable(f"{where}: {type(error).__name__}: {error}") from error


def _chunks(body: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: body.read(_CHUNK), b"")


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    port = parts.port or {"https": 443}.get(parts.scheme, 80)
    return parts.scheme, (parts.hostname or "").lower(), port


def receipt_url_allowed(partner: Partner, url: str) -> bool:
    """Whether an asynchronous receipt may go there: only to the origin configured for the partner."""
    return (
        partner.as2 is not None and partner.as2.url is not None and _origin(url) == _origin(partner.as2.url)
    )


def identities(config: Config, now: datetime) -> tuple[as2.Identity, ...]:
    """Every key of ours that decrypts at `now`. Raises Failure."""
    return tuple(_identity(key, _mtime(key.cert)) for key in config.us.decryption_keys(now))


def signing_identity(config: Config, now: datetime) -> as2.Identity | None:
    """The one key of ours that signs at `now`. Raises Failure."""
    key = config.us.signing_key(now)
    return None if key is None else _identity(key, _mtime(key.cert))


def certificates(relation: As2, now: datetime) -> tuple[as2.Certificate, ...]:
    """Every certificate of theirs that verifies at `now`. Raises Failure."""
    return tuple(_certificate(cert.file, _mtime(cert.file)) for cert in relation.verifying_certs(now))


def policy(config: Config, relation: As2, now: datetime) -> as2.Policy:
    """What is agreed is the least that is accepted."""
    legacy = {"sha1"} if relation.sign == "sha1" else set()
    return as2.Policy(
        keys=identities(config, now),
        trust=as2.Trust(certificates(relation, now), as2.Trust().digests | legacy),
        require_signed=relation.sign != "none",
        require_encrypted=relation.encrypt != "none",
        ciphers=as2.Policy.ciphers | ({"3des"} if relation.encrypt == "3des" else set()),
    )


def signing(config: Config, relation: As2, now: datetime) -> as2.Signing | None:
    """How we sign for a partner. Raises Failure when signing is agreed and no key signs now."""
    if relation.sign == "none":
        return None
    identity = signing_identity(config, now)
    if identity is None:
        raise Failure(Code.BAD_KEY, "no key of ours signs at this time", next="tradelane doctor")
    return as2.Signing(identity, relation.sign, legacy=relation.legacy)


def encryption(relation: As2, now: datetime) -> as2.Encryption | None:
    """How we encrypt to a partner. Raises Failure when none of their certificates is usable now."""
    if relation.encrypt == "none":
        return None
    cert = relation.encrypting_cert(now)
    if cert is None:
        raise Failure(
            Code.BAD_CERTIFICATE,
            f"no certificate of {relation.id} encrypts at this time",
            next="tradelane doctor",
        )
    certificate = _certificate(cert.file, _mtime(cert.file))
    return as2.Encryption((certificate,), relation.encrypt, legacy=relation.legacy)


def _mtime(path: Path) -> int:
    """Makes a replaced file a new cache entry; a missing one is told by whoever reads it."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=64)
def _identity(key: OurKey, changed: int) -> as2.Identity:
    try:
        return as2.load_identity(key.key.read(), key.cert.read_bytes())
    except (OSError, as2.KeyFileError) as error:
        raise Failure(Code.BAD_KEY, f"key {key.id!r} of ours: {error}", next="tradelane doctor") from error


@lru_cache(maxsize=1024)
def _certificate(file: Path, changed: int) -> as2.Certificate:
    try:
        return as2.load_certificate(file.read_bytes())
    except (OSError, as2.KeyFileError) as error:
        raise Failure(Code.BAD_CERTIFICATE, str(error), where=str(file), next="tradelane doctor") from error


def put_by_sftp(poll: SftpPoll, source: BinaryIO, name: str) -> None:
    """Put a file on a partner's server, under a temporary name first.

    Raises Unreachable for what may pass, HostKeyChanged and Failure for what a person must look at.
    """
    assert poll.put is not None
    if poll.user is None or poll.key is None or poll.key.kind != "file":
        raise Failure(Code.BAD_KEY, "sftp_poll needs a user and a key file", next="tradelane doctor")
    try:
        key = load_private_key(Path(poll.key.name))
        with connect(poll.host, poll.port, poll.user, key=key, host_keys=poll.host_keys) as server:
            server.put(source, join(poll.put.dir, name))
    except BadKey as error:
        raise Failure(Code.BAD_KEY, str(error), next="tradelane doctor") from error
    except SftpError as error:
        if isinstance(error, HostKeyChanged) or not error.temporary:
            raise
        raise Unreachable(f"{poll.host}: {error}") from error
