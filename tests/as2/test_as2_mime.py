"""MIME by offset: parts are exactly the bytes between the delimiters, wherever a chunk happens to end."""

from __future__ import annotations

import io
from email import message_from_bytes
from email import policy as email_policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import as2
from gateway.as2 import mime
from gateway.as2.mime import Entity, Headers
from gateway.as2.region import CHUNK, Region, Scratch


def entity(body: bytes, *headers: tuple[str, str]) -> Entity:
    region = Region.of(io.BytesIO(body))
    return Entity(Headers.of(headers), region, region)


def multipart(body: bytes, boundary: str = "b") -> list[bytes]:
    with Scratch() as scratch:
        found = mime.parts(entity(body, ("Content-Type", f'multipart/mixed; boundary="{boundary}"')), scratch)
        return [part.read() for part in found]


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=5), st.sampled_from([b"\r\n", b"\n"]))
def test_parts_are_the_bytes_between_the_delimiters(contents: list[bytes], line: bytes) -> None:
    boundary = "=_0123456789 '()+_,-./:=?"
    delimiter = b"--" + boundary.encode()
    body = b"".join(delimiter + line + content + line for content in contents) + delimiter + b"--" + line
    # A content that ends in CR in front of LF alone gives that CR to the boundary, as it must.
    expected = [
        content[:-1] if line == b"\n" and content.endswith(b"\r") else content for content in contents
    ]
    assert multipart(b"preamble" + line + body + b"epilogue", boundary) == expected


@pytest.mark.parametrize("shift", range(-8, 3))
def test_a_delimiter_across_two_chunks_is_found(shift: int) -> None:
    content = bytes(CHUNK - len("--bound\r\n") + shift)
    body = b"--bound\r\n" + content + b"\r\n--bound\r\nx\r\n--bound--"
    assert multipart(body, "bound") == [content, b"x"]


def test_a_boundary_counts_only_as_a_whole_line() -> None:
    body = b"--b\r\n--bx\r\ny--b\r\n --b\r\n--b-\r\n--b  \t\r\nlast\r\n--b--\t\r\n--b\r\nepilogue"
    assert multipart(body) == [b"--bx\r\ny--b\r\n --b\r\n--b-", b"last"]
    assert multipart(b"--b\r\n--b\r\n\r\n--b--") == [b"", b""]


def test_headers_are_unfolded_and_compared_without_case() -> None:
    region = Region.of(io.BytesIO(b"content-TYPE : a/b;\r\n\tc=d\r\nX:\r\n  y\nZ:z\r\n\r\nbody"))
    read = mime.read_entity(region)
    assert read.headers.fields == (("content-TYPE", "a/b; c=d"), ("X", "y"), ("Z", "z"))
    assert read.body.read() == b"body"
    assert read.content_type.parameters == {"c": "d"}


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"\r\nbody", b"body"),
        (b"\nbody", b"body"),
        (b"A: b\n\nbody", b"body"),
        (b"A: b\r\n", b""),
        (b"A: b", b""),
        (b"", b""),
    ],
)
def test_an_entity_may_lack_headers_or_body(data: bytes, body: bytes) -> None:
    assert mime.read_entity(Region.of(io.BytesIO(data))).body.read() == body


@pytest.mark.parametrize(
    "data",
    [
        b"no header\r\n\r\n",
        b" A: b\r\n\r\n",
        b"A b: c\r\n\r\n",
        b"A: b\rX: y\r\n\r\n",
        b": x\r\n\r\n",
        b"A: \0\r\n\r\n",
        b"A: b\r\n" * 200 + b"\r\n",
    ],
)
def test_what_is_no_header_block_is_refused(data: bytes) -> None:
    with pytest.raises(as2.As2Error):
        mime.read_entity(Region.of(io.BytesIO(data)))


@pytest.mark.parametrize(
    "field",
    [
        "multipart/signed; boundary=abc; micalg=sha-256",
        'Multipart/Signed;BOUNDARY="a;b \\"c\\""; x=y',
        "a/b; name*=UTF-8''%e2%82%ac%20rates",
        "a/b; name*0*=UTF-8''%e2%82; name*1*=%ac; name*2=.edi",
        'a/b; name*0="a"; name*1="b"',
        "a/b",
    ],
)
def test_parameters_are_read_as_another_library_reads_them(field: str) -> None:
    theirs = message_from_bytes(f"Content-Type: {field}\r\n\r\n".encode("ascii"), policy=email_policy.HTTP)
    ours = mime.structured(field)
    assert ours.value == theirs.get_content_type()
    assert dict(ours.parameters) == dict(theirs["Content-Type"].params)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40))
def test_a_parameter_is_read_back_as_it_was_written(value: str) -> None:
    assert mime.structured("a/b" + mime.parameter("name", value)).parameters["name"] == value


@given(st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"\r\r\n"]), max_size=12))
def test_canonical_lines_do_not_depend_on_the_chunks(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    expected = b"".join(mime.canonical(iter([whole])))
    assert b"".join(mime.canonical(iter(pieces))) == expected
    assert expected.replace(b"\r\n", b"\n") == whole.replace(b"\r\n", b"\n")
    assert b"\n" not in expected.replace(b"\r\n", b"")
