"""F2: several files in one message (RFC 6362, RFC 2387), out and in."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import os
import subprocess
import sys
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from as2_peer import NOW, Company, OpenSSL, Sent, build, message, multipart_signed, open_files, refusal

from gateway import as2

ORDER = b"ISA*00*          *00*~\r\nST*850*0001~\r\nSE*2*0001~\r\n"
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 3
SHEET = b"a,b\n1,2\n"
OPEN_DOOR = as2.Policy((), as2.Trust(), require_signed=False, require_encrypted=False)
COMPRESS: list[as2.Compression] = ["none", "before-sign", "after-sign"]


def attachments() -> list[as2.Attachment]:
    return [
        as2.Attachment(io.BytesIO(PDF), "application/pdf", 'drawing "3".pdf', "<2@sender>"),
        as2.Attachment(io.BytesIO(SHEET), "text/csv", None, None),
    ]


def multipart(*parts: bytes, subtype: str = "related", boundary: str = "b1", more: str = "") -> Sent:
    """A plain message written by hand, each part with its header block."""
    return message(f'multipart/{subtype}; boundary="{boundary}"{more}', joined(*parts, boundary=boundary))


def joined(*parts: bytes, boundary: str = "b1") -> bytes:
    delimiter = b"--" + boundary.encode()
    return b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in parts) + delimiter + b"--\r\n"


def part(content: bytes, *headers: str) -> bytes:
    return "".join(f"{header}\r\n" for header in headers).encode() + b"\r\n" + content


@pytest.mark.parametrize("encoding", ["binary", "base64"])
@pytest.mark.parametrize("compress", COMPRESS)
@pytest.mark.parametrize(
    ("sign", "encrypt"), list(itertools.product([None, "sha256"], [None, "aes256-cbc", "aes256-gcm"]))
)
def test_f2_files_come_back_in_order_with_their_ids_and_names_whatever_is_around_them(
    us: Company,
    partner: Company,
    sign: str | None,
    encrypt: str | None,
    compress: as2.Compression,
    encoding: Any,
) -> None:
    policy = as2.Policy(
        (us.identity,), as2.Trust((partner.certificate,)), bool(sign), bool(encrypt)
    )  # fmt: skip
    sent = build(
        ORDER,
        content_type="application/EDI-X12",
        filename="order.x12",
        content_id="<1@sender>",
        attachments=attachments(),
        sign=as2.Signing(partner.identity, sign) if sign else None,
        encrypt=as2.Encryption((us.certificate,), encrypt) if encrypt else None,
        compress=compress,
        encoding=encoding,
        receipt=as2.ReceiptRequest(),
    )
    found, payload, attached = open_files(sent, policy)
    assert (payload, attached) == (ORDER, [PDF, SHEET])
    assert found.mic == sent.mics[found.mic_algorithm]
    assert found.payload == as2.Part(
        1, "application/EDI-X12", "order.x12", "order.x12", "<1@sender>", len(ORDER),
        hashlib.sha256(ORDER).hexdigest(),
    )  # fmt: skip
    assert found.attachments == (
        as2.Part(
            2, "application/pdf", 'drawing "3".pdf', 'drawing "3".pdf', "<2@sender>", len(PDF),
            hashlib.sha256(PDF).hexdigest(),
        ),
        as2.Part(3, "text/csv", None, None, None, len(SHEET), hashlib.sha256(SHEET).hexdigest()),
    )  # fmt: skip


@pytest.mark.external("openssl")
def test_f2_openssl_and_the_mail_parser_read_what_is_sent(
    us: Company, partner: Company, openssl: OpenSSL
) -> None:
    sent = build(
        ORDER,
        content_type="application/EDI-X12; charset=us-ascii",
        content_id="<1@sender>",
        attachments=attachments(),
        sign=as2.Signing(partner.identity),
        encrypt=as2.Encryption((us.certificate,)),
        receipt=as2.ReceiptRequest(),
    )
    inner = openssl.decrypt(us, sent.body)
    outer = message_from_bytes(inner)
    related, signature = outer.get_payload()
    raw = inner.split(f"--{outer.get_boundary()}".encode())[1].removeprefix(b"\r\n").removesuffix(b"\r\n")
    der = signature.get_payload(decode=True)
    assert openssl.verify(partner, raw, der) == raw
    assert sent.mics["sha256"] == base64.b64encode(openssl.digest("sha256", raw)).decode()
    assert related.get_content_type() == "multipart/related"
    assert related.get_param("type") == "application/EDI-X12"
    assert raw.rstrip().endswith(f"--{related.get_boundary()}--".encode())
    parts = related.get_payload()
    assert [one.get_content_type() for one in parts] == ["application/edi-x12", "application/pdf", "text/csv"]
    assert [one["Content-ID"] for one in parts] == ["<1@sender>", "<2@sender>", None]
    assert parts[1].get_filename() == 'drawing "3".pdf'


MEDIA_TYPES = (
    "application/xml", "text/xml", "application/pdf", "application/msword", "application/vnd.ms-excel",
    "application/rtf", "application/zip", "application/octet-stream", "image/gif", "image/jpeg", "image/tiff",
    "image/bmp", "text/html", "text/plain", "video/x-nobody-knows",
)  # fmt: skip


def test_f2_every_listed_media_type_is_accepted_beside_the_document() -> None:
    files = [part(name.encode(), f"Content-Type: {name}") for name in MEDIA_TYPES]
    found, payload, attached = open_files(
        multipart(part(ORDER, "Content-Type: application/EDI-X12"), *files), OPEN_DOOR
    )
    assert payload == ORDER
    assert attached == [name.encode() for name in MEDIA_TYPES]
    assert tuple(one.content_type for one in found.attachments) == MEDIA_TYPES


def test_f2_a_part_without_content_type_is_plain_text() -> None:
    found, _, attached = open_files(multipart(part(ORDER), part(SHEET)), OPEN_DOOR)
    assert found.content_type == "text/plain"
    assert (found.attachments[0].content_type, attached) == ("text/plain", [SHEET])


PDF_PART = part(PDF, "Content-Type: application/pdf", "Content-ID: <pdf@x>")
SHEET_PART = part(SHEET, "Content-Type: text/csv", "Content-ID: <sheet@x>")
EDI_PART = part(ORDER, "Content-Type: application/EDI-X12", "Content-ID: <edi@x>")
UNTYPED = part(b"\r\nUNA:+.? 'UNB+", "Content-Type: application/octet-stream", "Content-ID: <edi@x>")


@pytest.mark.parametrize(
    ("sent", "number"),
    [
        (multipart(PDF_PART, EDI_PART, SHEET_PART), 2),
        (multipart(PDF_PART, SHEET_PART, UNTYPED), 3),
        (multipart(PDF_PART, EDI_PART, more='; start="<pdf@x>"; type="application/pdf"'), 2),
        (multipart(PDF_PART, SHEET_PART, more='; start="<sheet@x>"; type="text/csv"'), 2),
        (multipart(PDF_PART, SHEET_PART, more='; start="<gone@x>"'), 1),
        (multipart(PDF_PART, SHEET_PART), 1),
        (multipart(EDI_PART), 1),
    ],
    ids=[
        "by its type",
        "by its first bytes",
        "EDI before start",
        "by start",
        "start names none",
        "none",
        "one",
    ],
)
def test_f2_the_document_is_the_first_edi_part_or_else_the_root(sent: Sent, number: int) -> None:
    found, _, attached = open_files(sent, OPEN_DOOR)
    assert found.payload.number == number
    assert [one.number for one in found.attachments] == [
        one for one in range(1, len(attached) + 2) if one != number
    ]


@pytest.mark.parametrize("subtype", ["mixed", "alternative", "related", "form-data"])
def test_f2_a_multipart_of_another_kind_is_taken_apart_in_the_same_way(subtype: str) -> None:
    _, payload, attached = open_files(multipart(EDI_PART, PDF_PART, subtype=subtype), OPEN_DOOR)
    assert (payload, attached) == (ORDER, [PDF])


def test_f2_a_multipart_inside_is_opened_in_its_place_and_a_signed_one_stays_whole(
    partner: Company,
) -> None:
    mixed = part(joined(PDF_PART, SHEET_PART, boundary="b2"), "Content-Type: multipart/mixed; boundary=b2")
    kind = 'multipart/signed; protocol="application/pkcs7-signature"; boundary=b3'
    whole = joined(part(b"signed by somebody"), part(b"\0", "Content-Type: x/y"), boundary="b3")
    found, payload, attached = open_files(
        multipart(mixed, EDI_PART, part(whole, f"Content-Type: {kind}"), part(b"last")), OPEN_DOOR
    )
    assert payload == ORDER
    assert attached == [PDF, SHEET, whole, b"last"]
    assert [one.number for one in found.attachments] == [1, 2, 4, 5]
    assert found.attachments[2].content_type == kind


def test_f2_an_encoding_of_each_part_is_undone_by_itself() -> None:
    sent = multipart(
        part(base64.encodebytes(ORDER), "Content-Type: x/y", "Content-Transfer-Encoding: base64"),
        part(b"a=3Db", "Content-Transfer-Encoding: quoted-printable"),
        part(b"a=3Db", "Content-Transfer-Encoding: 8bit"),
    )  # fmt: skip
    assert open_files(sent, OPEN_DOOR)[1:] == (ORDER, [b"a=b", b"a=3Db"])


def nested(depth: int) -> Sent:
    inner = part(ORDER)
    for level in range(depth, 0, -1):
        boundary = f"level{level}"
        inner = part(joined(inner, boundary=boundary), f"Content-Type: multipart/mixed; boundary={boundary}")
    kind, _, body = inner.partition(b"\r\n\r\n")
    return message(kind.decode().removeprefix("Content-Type: "), body)


def many(boundary: str) -> bytes:
    files = joined(*[SHEET_PART] * 40, boundary=boundary)
    return part(files, f"Content-Type: multipart/mixed; boundary={boundary}")


@pytest.mark.parametrize(
    ("sent", "cause"),
    [
        (multipart(*[SHEET_PART] * 65), "more than 64"),
        (
            multipart(many("b2"), many("b3")),
            "more than 64 parts",
        ),
        (nested(9), "more than 8 deep"),
        (message('multipart/related; boundary="b1"', b"--b1\r\n\r\nopen\r\n"), "without its end"),
        (
            multipart(EDI_PART, part(b"--b2\r\n\r\nopen\r\n", "Content-Type: multipart/mixed; boundary=b2")),
            "without its end",
        ),
        (multipart(EDI_PART, part(b"x", "Content-Type: multipart/mixed")), "usable boundary"),
        (multipart(EDI_PART, part(b"!", "Content-Transfer-Encoding: base64")), "base64"),
        (multipart(EDI_PART, part(b"x", "Content-Type: a/b", "Content-Type: c/d")), "2 Content-Type"),
        (multipart(EDI_PART, part(b"x", "Content-ID: <1>", "Content-ID: <2>")), "2 Content-ID"),
    ],
    ids=["65", "65 in all", "9 deep", "open", "open inside", "no boundary", "encoding", "type", "id"],
)
def test_f2_what_cannot_be_taken_apart_is_refused_whole(sent: Sent, cause: str) -> None:
    error = refusal(sent, OPEN_DOOR)
    assert cause in error.cause
    assert error.disposition.endswith("processed/error: unexpected-processing-error")


def test_f2_as_many_parts_and_as_deep_as_is_allowed_is_taken() -> None:
    assert len(open_files(multipart(*[SHEET_PART] * 64), OPEN_DOOR)[2]) == 63
    assert open_files(nested(8), OPEN_DOOR)[1] == ORDER


def test_f2_more_files_than_are_read_are_not_sent() -> None:
    files = [as2.Attachment(io.BytesIO(b"x")) for _ in range(64)]
    with pytest.raises(ValueError, match="at most 64"):
        build(ORDER, attachments=files)
    with pytest.raises(ValueError, match="cannot be written"):
        build(ORDER, attachments=[as2.Attachment(io.BytesIO(b"x"), content_id="<1>\r\nX: y")])


def test_f2_files_that_nobody_takes_are_refused() -> None:
    request = as2.parse_request_headers(multipart(EDI_PART, PDF_PART).headers)
    body = io.BytesIO(multipart(EDI_PART, PDF_PART).body)
    with pytest.raises(as2.As2Error, match="several files"):
        as2.open_message(request, body, policy=OPEN_DOOR, payload=io.BytesIO(), now=NOW)


def test_f2_an_oracle_is_no_more_to_be_had_from_parts_than_from_anything_else(
    us: Company, openssl: OpenSSL
) -> None:
    inside = part(b"--b1\r\n\r\nopen\r\n", "Content-Type: multipart/related; boundary=b1")
    body = openssl.encrypt([us], inside, "aes256")
    sent = message("application/pkcs7-mime; smime-type=enveloped-data", body)
    error = refusal(sent, as2.Policy((us.identity,), as2.Trust(), require_signed=False))
    assert error.reason == "ENVELOPE_BROKEN"
    assert error.disposition.endswith("processed/error: decryption-failed")


# The MIC, table 5.4


@pytest.mark.external("openssl")
@pytest.mark.parametrize("ending", [b"", b"\r\n", b"\r\n\r\n"])
def test_f2_the_mic_is_over_the_whole_multipart_with_its_headers(
    us: Company, partner: Company, openssl: OpenSSL, ending: bytes
) -> None:
    entity = part(
        joined(EDI_PART, PDF_PART) + ending, 'Content-Type: multipart/related; type="x/y"; boundary=b1'
    )
    wanted = base64.b64encode(hashlib.sha256(entity).digest()).decode()
    signed = message(*multipart_signed(entity, openssl.sign(partner, entity, "-md", "sha256")))
    enveloped = message("application/pkcs7-mime", openssl.encrypt([us], entity, "aes256"))
    policy = as2.Policy((us.identity,), as2.Trust((partner.certificate,)), False, False)
    for sent in (signed, enveloped):
        found, payload, attached = open_files(sent, policy)
        assert (found.mic, found.mic_algorithm) == (wanted, "sha256")
        assert (payload, attached) == (ORDER, [PDF])


def test_f2_the_mic_of_a_bare_multipart_is_over_the_content_because_http_keeps_no_headers() -> None:
    sent = multipart(EDI_PART, PDF_PART)
    found, _, _ = open_files(sent, OPEN_DOOR)
    assert found.mic == base64.b64encode(hashlib.sha256(sent.body).digest()).decode()


def test_f2_files_of_any_size_go_through_little_memory(us: Company, partner: Company, tmp_path: Path) -> None:
    for name, data in {
        "us.key": us.key_pem, "us.pem": us.certificate_pem,
        "partner.key": partner.key_pem, "partner.pem": partner.certificate_pem,
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(data)
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("as2_attached.py")), str(tmp_path)],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    grown = int(done.stdout)
    assert 0 <= grown < 48 * 1024, f"grew by {grown} KiB"
