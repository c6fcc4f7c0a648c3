"""Which cases the tests run: a representative part of the matrix, and those that tests name themselves."""

from __future__ import annotations

from itertools import product

from interop_matrix import Case, chosen

REPRESENTATIVE = sorted(chosen(40), key=lambda case: case.peer, reverse=True)
BOTH = {
    (peer, direction): Case(peer, direction, "signed, encrypted", "signed sync")
    for peer, direction in product(("openssl", "bouncycastle", "pyas2lib"), ("out", "in"))
}
SIGNED = Case("bouncycastle", "in", "signed", "signed sync")
COMPRESSED = Case("bouncycastle", "in", "compressed, signed, encrypted", "signed sync")
AUTHENTICATED = Case(
    "bouncycastle", "in", "signed, encrypted", "signed sync", cipher="aes256-gcm", transport="oaep"
)
LIMITS = [
    Case("openssl", "out", "compressed", "unsigned sync"),
    Case("pyas2lib", "out", "signed, encrypted", "signed sync", cipher="aes256-gcm"),
    Case("pyas2lib", "out", "signed, encrypted", "signed sync", transport="oaep"),
    Case("pyas2lib", "out", "encrypted", "unsigned sync"),
    Case("pyas2lib", "in", "encrypted", "unsigned sync"),
    Case("pyas2lib", "in", "signed, encrypted", "signed sync", scheme="pss"),
    Case("pyas2lib", "in", "signed, encrypted", "signed sync", transport="oaep"),
    Case("pyas2lib", "in", "signed, compressed", "signed sync"),
]
"""What is said to be impossible, once each."""

CASES = list(dict.fromkeys([*REPRESENTATIVE, *BOTH.values(), SIGNED, COMPRESSED, AUTHENTICATED, *LIMITS]))
