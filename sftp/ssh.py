"""What our side of an SSH connection insists on, as server and as client: algorithms and packet lengths."""

from __future__ import annotations

import logging
import socket

import paramiko
from paramiko.packet import Packetizer

CIPHERS = (
    "aes256-gcm@openssh.com",
    "aes128-gcm@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
)
MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)
SOFTWARE = "SSH-2.0-Tradelane"

_log = logging.getLogger("sftp.ssh")
_log.setLevel(logging.CRITICAL)  # paramiko logs a traceback for whatever a stranger sends


class CappedPacketizer(Packetizer):
    """Refuses packet lengths no client needs, and more than a login's worth of bytes before the login.

    paramiko believes the length field, so that one header costs up to 4 GB. `trusted` is set by the server
    after authentication.
    """

    BEFORE_LOGIN_MAX = 40 * 1024
    AFTER_LOGIN_MAX = 300 * 1024  # OpenSSH takes packets up to 256 KB
    BEFORE_LOGIN_BYTES = 1024 * 1024

    trusted = False
    _spent = 0

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        if not 0 <= n <= (self.AFTER_LOGIN_MAX if self.trusted else self.BEFORE_LOGIN_MAX):
            raise paramiko.SSHException(f"packet length {n} refused")
        self._spend(n)
        return super().read_all(n, check_rekey)

    def _read_timeout(self, timeout: float) -> bytes:
        self._spend(128)
        data: bytes = super()._read_timeout(timeout)  # type: ignore[misc]
        return data

    def start_handshake(self, timeout: float) -> None:
        """The server's login grace bounds the handshake; paramiko's timer would be one more thread."""

    def _spend(self, count: int) -> None:
        if not self.trusted:
            self._spent += count
            if self._spent > self.BEFORE_LOGIN_BYTES:
                raise paramiko.SSHException("too many bytes before the login")


class _ClientPacketizer(CappedPacketizer):
    """A server we connect to has no login to wait for; its packets are bounded all the same."""

    trusted = True


def server_transport(sock: socket.socket) -> paramiko.Transport:
    """A transport for a connection that was accepted."""
    transport = paramiko.Transport(sock, packetizer_class=CappedPacketizer)
    _insist(transport)
    return transport


def client_transport(sock: socket.socket, key_types: tuple[str, ...]) -> paramiko.Transport:
    """A transport for a connection we made; the server must show a host key of one of `key_types`."""
    transport = paramiko.Transport(sock, packetizer_class=_ClientPacketizer)
    _insist(transport)
    transport.get_security_options().key_types = key_types
    return transport


def _insist(transport: paramiko.Transport) -> None:
    transport.set_log_channel(_log.name)
    transport.local_version = SOFTWARE
    options = transport.get_security_options()
    options.ciphers = CIPHERS
    options.digests = MACS
