"""BER in, DER out: what is read back is what was written, and nothing is read past a limit."""

from __future__ import annotations

import io

import pytest
from asn1crypto import core
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.as2 import der
from gateway.as2.region import CHUNK, Region

LEAVES = st.one_of(
    st.binary(max_size=40).map(lambda data: der.Node(der.OCTETS, data, ())),
    st.integers(-(10**20), 10**20).map(lambda number: der.parse(der.integer(number))),
    st.just(der.Node(der.NULL, b"", ())),
    st.binary(min_size=1, max_size=20).map(lambda data: der.Node(0x82, data, ())),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.tuples(
        st.sampled_from([der.SEQUENCE, der.SET, 0xA0, 0xA3]), st.lists(inner, max_size=4)
    ).map(lambda drawn: der.Node(drawn[0], b"", tuple(drawn[1]))),
    max_leaves=20,
)


def indefinite(node: der.Node) -> bytes:
    """The same value as BER: indefinite lengths, and octet strings in segments."""
    if node.tag & 0x20:
        return bytes((node.tag, 0x80)) + b"".join(map(indefinite, node.children)) + b"\0\0"
    if node.tag == der.OCTETS:
        return (
            b"\x24\x80" + b"".join(der.tlv(4, node.content[at : at + 7]) for at in range(0, 40, 7)) + b"\0\0"
        )
    return node.encoded()


@given(TREES)
def test_a_tree_is_read_back_from_der_and_from_ber(tree: der.Node) -> None:
    assert der.parse(tree.encoded()) == tree
    assert der.parse(indefinite(tree)) == tree
    assert der.parse(indefinite(tree)).encoded() == tree.encoded()


@example(-128)
@example(-(2**31))
@given(st.integers(-(10**30), 10**30))
def test_integers_are_what_another_library_writes(number: int) -> None:
    assert der.integer(number) == core.Integer(number).dump()
    assert der.parse(der.integer(number)).number() == number


@pytest.mark.parametrize(
    "dotted", ["1.2.840.113549.1.7.1", "2.16.840.1.101.3.4.2.1", "1.3.14.3.2.26", "2.5.4.3"]
)
def test_object_identifiers_are_what_another_library_writes(dotted: str) -> None:
    assert der.oid(dotted) == core.ObjectIdentifier(dotted).dump()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "truncated"),
        ("30", "truncated"),
        ("3005", "longer"),
        ("300204", "longer"),
        ("30020400ff", "follow"),
        ("0480", "indefinite"),
        ("3080", "truncated"),
        ("30800400", "truncated"),
        ("3f8101", "tag"),
        ("308900000000000000000000", "length"),
        ("3088ffffffffffffffff", "longer"),
        ("0600", "object identifier"),
        ("0200", "integer"),
        ("2300", "constructed"),
        ("24040202ffff", "tag"),
    ],
)
def test_what_is_no_ber_is_refused_with_its_reason(data: str, why: str) -> None:
    with pytest.raises(der.DerError, match=why):
        der.parse(bytes.fromhex(data))


@given(st.binary(max_size=60))
@settings(max_examples=500)
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    try:
        node = der.parse(data)
    except der.DerError:
        return
    assert der.parse(node.encoded()) == node


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 65_536, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
@pytest.mark.parametrize("segment", [200, 1000, 65_536, CHUNK + 3])
def test_a_streamed_string_is_read_back_whatever_its_segments(size: int, segment: int) -> None:
    content = (bytes(range(256)) * (size // 256 + 1))[:size]
    segments = (content[at : at + segment] for at in range(0, size, segment))
    levels = [(der.SEQUENCE, der.integer(1)), (0xA0, b""), (der.SEQUENCE, der.integer(2))]
    data = b"".join(der.streamed(levels, 0x80, segments, lambda: der.integer(3), trailer_level=1))
    assert (data[1] == 0x80) == (size > segment)
    cursor = der.Cursor(Region.of(io.BytesIO(b"before" + data + b"after")).cut(6))
    cursor.enter(der.SEQUENCE)
    assert cursor.node().number() == 1
    cursor.enter(0xA0)
    cursor.enter(der.SEQUENCE)
    assert cursor.node().number() == 2
    assert b"".join(cursor.octets(0x80)) == content
    assert cursor.peek() is None
    cursor.leave()
    assert cursor.node().number() == 3
    cursor.leave()
    cursor.leave()


def test_a_string_cut_off_anywhere_is_refused() -> None:
    data = b"".join(der.streamed([(der.SEQUENCE, b"")], der.OCTETS, iter([b"a" * 300, b"b" * 300])))
    for end in range(len(data)):
        cursor = der.Cursor(Region.of(io.BytesIO(data[:end])))
        with pytest.raises(der.DerError):
            cursor.enter(der.SEQUENCE)
            list(cursor.octets(der.OCTETS))
            cursor.leave()
