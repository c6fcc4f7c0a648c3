"""The headers of a request: what is read, what is refused, what is answered in the receipt."""

from __future__ import annotations

import pytest

from gateway import as2
from gateway.as2.request import quoted, unquoted

PLAIN = {
    "AS2-From": "SENDER",
    "AS2-To": "RECEIVER",
    "Message-ID": "<1@sender>",
    "Content-Type": "application/EDI-X12",
}


def parse(**changes: str | None) -> as2.Request:
    """The request with some headers changed, added or (None) left out; `_` stands for `-`."""
    headers: dict[str, str | None] = dict(PLAIN)
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    return as2.parse_request_headers([(name, value) for name, value in headers.items() if value is not None])


def test_a_request_is_read_from_bytes_and_from_text_and_whatever_the_case_of_names() -> None:
    text = [(name.upper(), value) for name, value in PLAIN.items()]
    raw = [(name.lower().encode(), value.encode()) for name, value in PLAIN.items()]
    for request in (as2.parse_request_headers(text), as2.parse_request_headers(raw)):
        assert (request.as2_from, request.as2_to) == ("SENDER", "RECEIVER")
        assert request.message_id == "<1@sender>"
        assert request.version == "1.0"
        assert request.receipt is None
        assert request.failure is None


@pytest.mark.parametrize("name", ["AS2-From", "AS2-To", "Message-ID"])
@pytest.mark.parametrize("value", [None, "", "a\r\n b", "a\n b", "é", "a\0b", "x" * 1000], ids=repr)
def test_a_request_without_a_usable_name_is_refused(name: str, value: str | None) -> None:
    with pytest.raises(as2.As2Refused) as caught:
        parse(**{name: value})
    assert caught.value.status == 400


@pytest.mark.parametrize("name", [*PLAIN, "Disposition-Notification-To", "Receipt-Delivery-Option"])
def test_a_header_that_stands_twice_is_refused(name: str) -> None:
    with pytest.raises(as2.As2Refused, match=name) as caught:
        as2.parse_request_headers([*PLAIN.items(), (name, "x"), (name.lower(), "x")])
    assert caught.value.status == 400


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "identity, deflate"])
def test_a_content_coding_is_refused_and_never_decoded(coding: str) -> None:
    with pytest.raises(as2.As2Refused) as caught:
        parse(Content_Encoding=coding)
    assert caught.value.status == 415


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("SENDER", "SENDER"),
        ("sender", "sender"),
        ('"a b c !"', "a b c !"),
        ("a b c !", "a b c !"),
        (",", ","),
        ("#", "#"),
        ("<x>", "<x>"),
        ("[ t ]", "[ t ]"),
        ("x;", "x;"),
        (r'"a\"b\\c"', r'a"b\c'),
        ('"SENDER"', "SENDER"),
        ('"open', '"open'),
        ("%0d%0a", "%0d%0a"),
        ("=?utf-8?q?=0d=0a?=", "=?utf-8?q?=0d=0a?="),
        ("x" * 128, "x" * 128),
        ('"' + "x" * 128 + '"', "x" * 128),
    ],
)
def test_as2_names_are_compared_without_their_quotes(header: str, name: str) -> None:
    request = parse(AS2_From=header)
    assert request.as2_from == name
    assert unquoted(quoted(name)) == name


def test_names_are_quoted_only_if_they_must_be() -> None:
    assert quoted("ACME-1.x;#") == "ACME-1.x;#"
    assert quoted("a b") == '"a b"'
    assert quoted('a"\\') == r'"a\"\\"'


@pytest.mark.parametrize("name", ["x" * 129, '"' + "x" * 129 + '"', '""', '" \t"'])
def test_a_name_that_is_empty_or_longer_than_128_characters_is_refused(name: str) -> None:
    with pytest.raises(as2.As2Refused):
        parse(AS2_To=name)


@pytest.mark.parametrize("message_id", ["no-brackets", "<no-at>", "<" + "x" * 996 + ">", "<a@b>c", "<>"])
def test_a_message_id_is_kept_byte_for_byte(message_id: str) -> None:
    request = parse(Message_ID=message_id)
    assert request.message_id == message_id
    assert request.failure is None


@pytest.mark.parametrize("message_id", ["<a b@c>", "<a\tb@c>", "<a\x01b@c>"])
def test_a_message_id_with_spaces_or_controls_is_answered_as_invalid(message_id: str) -> None:
    request = parse(Message_ID=message_id)
    assert request.failure is as2.Failure.MESSAGE_ID
    assert request.failure.disposition.endswith("processed/error: invalid-message-id")


def test_a_sender_that_calls_itself_the_receiver_is_answered_so() -> None:
    request = parse(AS2_From='"RECEIVER"')
    assert request.failure is as2.Failure.SENDER_EQUALS_RECEIVER
    assert parse(AS2_From="receiver").failure is None


PKCS7 = "signed-receipt-protocol=optional, pkcs7-signature; signed-receipt-micalg=optional, "


def receipt(options: str | None, **headers: str) -> as2.Request:
    return parse(
        Disposition_Notification_To="whatever this is", Disposition_Notification_Options=options, **headers
    )


@pytest.mark.parametrize(
    ("options", "signed", "micalg"),
    [
        (None, False, None),
        (PKCS7 + "sha1, md5", True, "sha1"),
        (PKCS7.replace("optional", "required").replace(" ", "") + "SHA256,sha1", True, "SHA256"),
        (PKCS7.title().replace("=", " = ").replace(";", " ; ") + "md5 , sha-384", True, "sha-384"),
        ("signed-receipt-protocol=pkcs7-signature; signed-receipt-micalg=rsa-sha1", True, "rsa-sha1"),
        ("signed-receipt-protocol=optional, pkcs7-signature", False, None),
        ("signed-receipt-micalg=optional, sha256", False, "sha256"),
        ("", False, None),
    ],
)  # fmt: skip
def test_a_signed_receipt_is_asked_for_by_protocol_and_digest_together(
    options: str | None, signed: bool, micalg: str | None
) -> None:
    request = receipt(options)
    assert request.receipt is not None
    assert (request.receipt.signed, request.receipt.micalg) == (signed, micalg)
    assert request.failure is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (PKCS7.replace("pkcs7-signature", "pgp") + "sha256", "unsupported format"),
        (PKCS7 + "md5", "unsupported MIC-algorithms"),
        ("moon-phase=required, full", "unsupported format"),
    ],
)  # fmt: skip
def test_a_receipt_that_cannot_be_given_is_a_failure(options: str, words: str) -> None:
    failure = receipt(options).failure
    assert failure is not None
    assert failure.disposition == f"automatic-action/MDN-sent-automatically; failed/failure: {words}"


def test_an_unknown_optional_parameter_does_not_matter() -> None:
    assert receipt("moon-phase=optional, full").failure is None


@pytest.mark.parametrize(
    "url",
    ["http://a.example:4080/mdn", "https://a.example", "https://a.example/mdn?x=1&y=%20" + "z" * 300],
)
def test_a_url_makes_the_receipt_asynchronous(url: str) -> None:
    request = receipt(None, Receipt_Delivery_Option=url)
    assert request.receipt is not None
    assert request.receipt.async_url == url
    assert parse(Receipt_Delivery_Option=url).receipt is None


@pytest.mark.parametrize(
    "url",
    [
        "mailto:a@b", "ftp://a.example/x", "file:///etc/passwd", "gopher://a", "https://user@a.example/",
        "https://user:word@a.example/", "http://", "a.example/mdn", "http://a example/",
        "http://a.example/\r\nX: y", "http://a.example:99999/", "http://a.example:0/", "http://[::1", "http://a.example/é",
        "https://" + "a" * 3000,
    ],
)  # fmt: skip
def test_a_receipt_url_of_any_other_kind_is_refused(url: str) -> None:
    with pytest.raises(as2.As2Refused) as caught:
        receipt(None, Receipt_Delivery_Option=url)
    assert (caught.value.status, caught.value.reason) == (400, "MDN_URL_REFUSED")


def test_features_of_later_versions_do_not_matter() -> None:
    request = parse(AS2_Version="1.7", EDIINT_Features="CEM, moon-phase ,")
    assert (request.version, request.features) == ("1.7", ("CEM", "moon-phase"))


def test_the_subject_is_data_without_control_characters() -> None:
    assert parse(Subject="Order\r\nX: y\x1b[31m é").subject == "OrderX: y[31m "
