"""The interoperability matrix: every case there is, what each peer cannot do, and which cases to run.

A case is one message, from us (`out`) or to us (`in`), and the receipt for it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations, product
from typing import NamedTuple

PEERS = ("openssl", "bouncycastle", "pyas2lib")
DIRECTIONS = ("out", "in")
DIGESTS = ("sha1", "sha256", "sha384", "sha512")
CIPHERS = ("3des", "aes128-cbc", "aes192-cbc", "aes256-cbc", "aes128-gcm", "aes256-gcm")
SCHEMES = ("pkcs1", "pss", "ecdsa")
TRANSPORTS = ("pkcs1", "oaep")


class Layers(NamedTuple):
    """What is around the payload."""

    sign: bool = False
    encrypt: bool = False
    compress: str = "none"


LAYERS = {
    "plain": Layers(),
    "signed": Layers(sign=True),
    "encrypted": Layers(encrypt=True),
    "signed, encrypted": Layers(sign=True, encrypt=True),
    "compressed": Layers(compress="after-sign"),
    "compressed, encrypted": Layers(encrypt=True, compress="after-sign"),
    "compressed, signed": Layers(sign=True, compress="before-sign"),
    "signed, compressed": Layers(sign=True, compress="after-sign"),
    "compressed, signed, encrypted": Layers(sign=True, encrypt=True, compress="before-sign"),
    "signed, compressed, encrypted": Layers(sign=True, encrypt=True, compress="after-sign"),
}
"""By name, from the payload outwards: the 24 permutations of rfc4130bis with both orders of compression."""

RECEIPTS = ("none", "unsigned sync", "unsigned async", "signed sync", "signed async")

PAYLOADS = {
    "nothing": b"",
    "1 byte": b"x",
    "LF text": b"an order\nof lines\nthat end in LF\n\n",
    "binary": bytes(range(256)) * 37 + b"\r\n\r\n--\r\r\n\n",
    "1 MiB": random.Random(5).randbytes(1 << 20),
}
HUGE = "100 MiB"


@dataclass(frozen=True)
class Case:
    """One message and its receipt. What does not apply, such as a digest without a signature, is `-`."""

    peer: str
    direction: str
    layers: str
    receipt: str
    digest: str = "sha256"
    scheme: str = "pkcs1"
    cipher: str = "aes256-cbc"
    transport: str = "pkcs1"
    payload: str = "LF text"

    def __post_init__(self) -> None:
        layers = LAYERS[self.layers]
        for absent, names in (
            (not layers.sign, ("digest", "scheme")),
            (not layers.encrypt, ("cipher", "transport")),
        ):
            for name in names if absent else ():
                object.__setattr__(self, name, "-")

    @property
    def id(self) -> str:
        """A name for a test."""
        return "; ".join(value for value in asdict(self).values() if value != "-")

    @property
    def policy(self) -> Case:
        """The same for every case for which the same is agreed: the payload does not count."""
        return replace(self, payload="nothing")


def impossible(case: Case) -> str | None:
    """Why a peer cannot do this, None when it can."""
    layers = LAYERS[case.layers]
    out = case.direction == "out"
    match case.peer:
        case "openssl":
            if layers.compress != "none":
                return "Debian builds openssl without zlib"
        case "pyas2lib":
            if case.cipher.endswith("gcm"):
                return "pyas2lib has no AuthEnvelopedData"
            if case.transport == "oaep":
                return "pyas2lib encrypts with PKCS#1 v1.5 only, and reads OAEP with SHA-1 only"
            if case.scheme == "ecdsa":
                return "pyas2lib has no ECDSA"
            if not out and case.scheme == "pss":
                return "pyas2lib writes PSS without the parameters that RFC 4056 asks for"
            if not out and layers.sign and layers.compress == "after-sign":
                return "pyas2lib compresses before it signs"
            if not layers.sign and case.receipt != "none":
                return "pyas2lib computes no MIC where nothing is signed"
    return None


def possible(cases: Sequence[Case]) -> list[Case]:
    """Those that the peers can do."""
    return [case for case in cases if impossible(case) is None]


def every_case() -> Iterator[Case]:
    """All layers with all receipts; then each algorithm, and each payload in each kind of message."""
    payloads = tuple(PAYLOADS)
    for peer, direction in product(PEERS, DIRECTIONS):
        for at, (layers, receipt) in enumerate(product(LAYERS, RECEIPTS)):
            yield Case(peer, direction, layers, receipt, payload=payloads[at % len(payloads)])
        both = Case(peer, direction, "signed, encrypted", "signed sync")
        changed = [
            *({"digest": digest, "scheme": scheme} for digest, scheme in product(DIGESTS, SCHEMES)),
            *(
                {"cipher": cipher, "transport": transport}
                for cipher, transport in product(CIPHERS, TRANSPORTS)
            ),
            *({"digest": digest, "cipher": cipher} for digest, cipher in product(DIGESTS, CIPHERS)),
        ]
        for at, change in enumerate(changed):
            yield replace(both, payload=payloads[at % len(payloads)], receipt=RECEIPTS[3 + at % 2], **change)
        for layers, payload in product(LAYERS, payloads):
            yield Case(peer, direction, layers, "signed sync", payload=payload)


def huge_cases() -> Iterator[Case]:
    """100 MiB each way in the layers that cost most."""
    for peer, direction in product(PEERS, DIRECTIONS):
        for layers in ("signed, encrypted", "compressed, signed, encrypted"):
            yield Case(peer, direction, layers, "signed async", payload=HUGE)


_AXES = {
    "peer": PEERS,
    "direction": DIRECTIONS,
    "layers": tuple(LAYERS),
    "receipt": RECEIPTS,
    "digest": DIGESTS,
    "scheme": SCHEMES,
    "cipher": CIPHERS,
    "transport": TRANSPORTS,
    "payload": tuple(PAYLOADS),
}
Pair = tuple[tuple[str, str], tuple[str, str]]


def pairs(case: Case) -> set[Pair]:
    """Which two values of two axes it brings together."""
    values = [(name, value) for name, value in asdict(case).items() if value != "-"]
    return set(combinations(values, 2))


def chosen(count: int) -> list[Case]:
    """So many cases, the same each time, that bring together as many pairs of values as they can.

    Every value of every axis comes with every peer and with either direction, as far as the peer can do it.
    """
    rng = random.Random(4130)
    pool = {case: pairs(case) for case in possible([_any_case(rng) for _ in range(4000)])}
    together = set().union(*pool.values())
    first = {pair for pair in together if pair[0][0] in ("peer", "direction")}
    rest = together - first
    found: list[Case] = []
    for _ in range(count):
        best = max(pool, key=lambda case: 8 * len(pool[case] & first) + len(pool[case] & rest))
        found.append(best)
        first -= pool[best]
        rest -= pool[best]
    return found


def _any_case(rng: random.Random) -> Case:
    return Case(**{name: rng.choice(values) for name, values in _AXES.items()})
