"""F3: names of files, as they are written and as they are read."""

from __future__ import annotations

import io
from email import message_from_string
from email import policy as email_policy

import pytest
from as2_peer import Sent, build, message, open_message
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import as2
from gateway.as2 import mime

ORDER = b"ISA*00*~"
OPEN_DOOR = as2.Policy((), as2.Trust(), require_signed=False, require_encrypted=False)

READ = {
    "quoted": ('attachment; filename="PO 17.edi"', "PO 17.edi", "PO 17.edi"),
    "a token": ("attachment; filename=a.x12", "a.x12", "a.x12"),
    "spaces without quotes": ("attachment; filename=PO 17.edi", "PO 17.edi", "PO 17.edi"),
    "an escaped quote": (r'attachment; filename="a \"b\".edi"', 'a "b".edi', 'a "b".edi'),
    "a semicolon in quotes": ('attachment; filename="a;b=c.edi"', "a;b=c.edi", "a;b=c.edi"),
    "RFC 2231": ("attachment; filename*=UTF-8''%e2%82%ac.edi", "€.edi", "€.edi"),
    "RFC 2231 with a language": ("attachment; filename*=iso-8859-1'en'%A3.edi", "£.edi", "£.edi"),
    "RFC 2231 in pieces": (
        "attachment; filename*0*=UTF-8''K%C3%A4se; filename*1=\".edi\"", "Käse.edi", "Käse.edi",
    ),
    "both forms, the extended counts": (
        "attachment; filename=\"e.edi\"; filename*=UTF-8''%e2%82%ac.edi", "€.edi", "€.edi",
    ),
    "raw UTF-8": ('attachment; filename="Käse.edi"'.encode().decode("latin-1"), "Käse.edi", "Käse.edi"),
    "raw Latin-1": ('attachment; filename="K\xe4se.edi"', "Käse.edi", "Käse.edi"),
    "an upper-case parameter": ('attachment; FILENAME="a.edi"', "a.edi", "a.edi"),
    "a climb": ('attachment; filename="../../etc/passwd"', "../../etc/passwd", "passwd"),
    "an encoded climb": ("attachment; filename*=UTF-8''%2e%2e%2f%2e%2e%2fx", "../../x", "x"),
    "a path of Windows": (r'attachment; filename="C:\in\a.edi"', r"C:\in\a.edi", "a.edi"),
    "the same, escaped": (r'attachment; filename="C:\\in\\a.edi"', r"C:\in\a.edi", "a.edi"),
    "a bell": ('attachment; filename="a\x07.edi"', "a\x07.edi", "a.edi"),
    "an override of direction": ("attachment; filename*=UTF-8''a%E2%80%AEide.x", "a\u202eide.x", "aide.x"),
    "broken UTF-8": ("attachment; filename*=UTF-8''a%ff.edi", "a\ufffd.edi", "a.edi"),
    "300 bytes": (f'attachment; filename="{"a" * 300}"', "a" * 300, "a" * 255),
    "two dots": ('attachment; filename=".."', "..", None),
    "only folders": ('attachment; filename="/a/b/"', "/a/b/", None),
    "nothing": ('attachment; filename=""', None, None),
    "no name": ("attachment", None, None),
}  # fmt: skip


@pytest.mark.parametrize(("disposition", "given_name", "shown"), READ.values(), ids=READ)
def test_f3_a_name_is_kept_as_it_was_written_and_shown_without_what_could_harm(
    disposition: str, given_name: str | None, shown: str | None
) -> None:
    sent = message("application/EDI-X12", ORDER, ("Content-Disposition", disposition))
    opened, _ = open_message(sent, OPEN_DOOR)
    assert (opened.payload.given_filename, opened.payload.filename) == (given_name, shown)


def test_f3_the_name_is_that_of_the_payload_and_not_of_what_is_around_it() -> None:
    inner = b'Content-Type: x/y; name="inner.edi"\r\nContent-ID: <id.edi>\r\n\r\n' + ORDER
    outer = "multipart/mixed; boundary=b; name=outer.edi"
    sent = message(
        outer, b"--b\r\n" + inner + b"\r\n--b--\r\n", ("Content-Disposition", "attachment; filename=http.edi")
    )
    assert open_message(sent, OPEN_DOOR)[0].filename == "inner.edi"


@settings(deadline=None)
@given(st.text(min_size=1, max_size=80))
def test_f3_whatever_a_name_is_what_is_shown_of_it_is_no_path_and_steers_nothing(name: str) -> None:
    entity = mime.Entity(
        mime.Headers.of([("Content-Disposition", f"attachment; filename*=UTF-8''{quoted(name)}")]),
        mime.Region.of(io.BytesIO()),
        mime.Region.of(io.BytesIO()),
    )
    shown = entity.filename
    assert shown is None or (
        shown.isprintable()
        and not set(shown) & set("/\\")
        and shown not in {".", ".."}
        and 0 < len(shown) <= 255
    )


def quoted(name: str) -> str:
    return "".join(f"%{byte:02x}" for byte in name.encode("utf-8", "replace"))


NAMES = [
    "PO 17.edi",
    'a "b".edi',
    r"back\slash.edi",
    "semi;colon=.edi",
    "100%.edi",
    "Käse €.edi",
    "注文.edi",
    "a" * 250,
]


@pytest.mark.parametrize("name", NAMES)
def test_f3_a_name_is_sent_quoted_on_one_line_and_every_reader_reads_it(name: str) -> None:
    sent = build(ORDER, filename=name)
    (field,) = [value for header, value in sent.headers if header == "Content-Disposition"]
    assert field.isascii()
    assert not set(field) & set("\r\n")
    assert field.startswith('attachment; filename="' if name.isascii() else "attachment; filename*=UTF-8''")
    by_mail = message_from_string(f"Content-Disposition: {field}\n\n", policy=email_policy.HTTP)
    assert by_mail.get_filename() == name
    opened, _ = open_message(Sent(sent.headers, sent.body), OPEN_DOOR)
    assert opened.payload.given_filename == name


@pytest.mark.parametrize("name", ["a\r\nb", "a\0b", "a\x7fb", "a\nX: y"])
def test_f3_a_name_that_would_begin_a_header_is_not_sent(name: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        build(ORDER, filename=name)
