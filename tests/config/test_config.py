"""partners.toml: what is accepted, what is refused and how that is told, and the look-ups."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import mappings
from edi.edifact import directory
from edi.tree import PartyId, Separators
from gateway import config
from gateway.config import Address, Config, ConfigInvalid
from gateway.config.schema import SEVERAL, address, duration
from gateway.errors import Code, Exit, Failure

EXAMPLE = Path(__file__).parents[2] / "partners.toml"
HOME = Path("/srv/edi")
US = """\
schema = 1
[us]
name = "Us"
timezone = "America/Chicago"
as2_id = "US"
isa = { qualifier = "ZZ", id = "US" }
keys = [
  { id = "old", cert = "certs/old.crt", key = "file:secrets/old.key", retire_after = 2027-01-15 },
  { id = "new", cert = "certs/new.crt", key = "env:NEW_KEY", sign_from = 2026-12-01T06:00:00Z },
]
"""
SHOP = """\
[partner.shop]
role = "retailer"
isa = { qualifier = "08", id = "SHOP" }
aliases = [{ qualifier = "12", id = "8005551234" }]
  [partner.shop.as2]
  id = "ShopEDI"
  url = "https://shop.example:8443/as2"
  certs = [
    { file = "certs/shop-2027.crt", verify_from = 2026-11-20, encrypt_from = 2026-12-05T06:00:00Z },
    { file = "certs/shop-2025.crt", verify_until = 2027-01-05 },
  ]
  [[partner.shop.document]]
  type = "850"
  direction = "in"
  route = "3pl:acme"
  [[partner.shop.document]]
  type = "856"
  direction = "out"
  map = "maps/shop_856.toml"
  ack = { due = "4h" }
"""
ACME = """\
[partner.acme]
role = "3pl"
isa = { qualifier = "01", id = "123456789" }
  [partner.acme.sftp_account]
  user = "acme"
  keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKBb5NEnEWfAWF3HFliLkyqrCnwWBGJxhLbcpTo6+yxG acme"]
  allow_from = ["198.51.100.0/24"]
"""

US_BOTH = US.replace("keys = [", 'unb = { qualifier = "14", id = "5412345000013" }\nkeys = [')
ACME_BOTH = ACME.replace('role = "3pl"', 'role = "3pl"\nunb = { qualifier = "", id = "ACME3PL" }')


def read(*parts: str) -> Config:
    return config.read("".join(parts or (US, SHOP, ACME)), HOME)


def refused(*parts: str) -> list[str]:
    with pytest.raises(ConfigInvalid) as caught:
        config.read("".join(parts), HOME)
    assert caught.value.code.exit is Exit.CONFIGURATION
    return [f"{line}: {key}: {message}" for line, key, message in caught.value.problems]


def at(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 12, tzinfo=UTC)


def test_the_example_is_valid_and_complete() -> None:
    example = config.read(EXAMPLE.read_text(), HOME)
    assert list(example.partners) == ["bigmart", "acme"]
    assert example.server.as2 == Address("0.0.0.0", 4080)
    bigmart, acme = example.partners.values()
    assert (bigmart.channel, acme.channel) == ("as2", "sftp_account")
    agreed = bigmart.agreement("856", "out")
    assert agreed is not None
    assert agreed.ack.due == timedelta(hours=4)
    assert [warning.key for warning in example.warnings] == ["partner.acme.sftp_account.keys"]


def test_paths_and_secrets_are_absolute_and_a_secret_never_shows() -> None:
    us = read().us
    assert us.keys[0].cert == HOME / "certs/old.crt"
    assert us.keys[0].key.name == "/srv/edi/secrets/old.key"
    assert read().erp.folder == HOME / "erp"
    assert "old.key" not in repr(us)
    assert "NEW_KEY" not in repr(us)


def test_a_date_without_a_zone_is_midnight_in_our_time_zone() -> None:
    retired = read().us.keys[0].retire_after
    assert retired == datetime(2027, 1, 15, tzinfo=ZoneInfo("America/Chicago"))


def test_partners_are_found_by_every_identity_and_as2_ids_exactly() -> None:
    found = read()
    shop, acme = found.partner("shop"), found.partner("acme")
    assert found.by_party(PartyId("08", "SHOP")) is shop
    assert found.by_party(PartyId("12", "8005551234")) is shop
    assert found.by_party(PartyId("ZZ", "SHOP")) is None
    assert found.by_as2("ShopEDI") is shop
    assert found.by_as2("SHOPEDI") is None
    assert found.by_sftp_user("acme") is acme
    assert found.by_sftp_user("shop") is None


def test_an_unknown_partner_is_a_failure_that_suggests_the_nearest() -> None:
    with pytest.raises(Failure, match="did you mean 'shop'") as caught:
        read().partner("shpo")
    assert caught.value.code is Code.PARTNER_UNKNOWN
    assert caught.value.code.exit is Exit.NOT_FOUND


def test_exactly_one_key_signs_and_all_unretired_decrypt() -> None:
    us = read().us
    signing = [us.signing_key(at(*day)) for day in [(2026, 11, 30), (2026, 12, 2), (2027, 2, 1)]]
    assert [key.id for key in signing if key] == ["old", "new", "new"]
    assert [key.id for key in us.decryption_keys(at(2026, 11, 30))] == ["old", "new"]
    assert [key.id for key in us.decryption_keys(at(2027, 2, 1))] == ["new"]


def test_certificates_verify_in_their_windows_and_the_latest_begun_encrypts() -> None:
    as2 = read().partner("shop").as2
    assert as2 is not None

    def names(day: datetime) -> tuple[list[str], str | None]:
        encrypting = as2.encrypting_cert(day)
        return [cert.file.name for cert in as2.verifying_certs(day)], encrypting and encrypting.file.name

    assert names(at(2026, 11, 1)) == (["shop-2025.crt"], "shop-2025.crt")
    assert names(at(2026, 12, 1)) == (["shop-2027.crt", "shop-2025.crt"], "shop-2025.crt")
    assert names(at(2026, 12, 6)) == (["shop-2027.crt", "shop-2025.crt"], "shop-2027.crt")
    assert names(at(2027, 2, 1)) == (["shop-2027.crt"], "shop-2027.crt")


def test_agreements_take_from_the_defaults_what_they_leave_out() -> None:
    text = '[defaults]\nack = { mode = "999", due = "2d" }\nmdn = { mode = "none" }\n'
    shop = read(US, text, SHOP).partner("shop")
    order, notice = shop.agreements
    assert (order.ack.mode, order.ack.due) == ("999", timedelta(days=2))
    assert (notice.ack.mode, notice.ack.due) == ("999", timedelta(hours=4))
    assert shop.as2 is not None
    assert shop.as2.mdn.mode == "none"


def test_an_acknowledgment_is_agreed_never_to_be_acknowledged_and_edifact_has_contrl() -> None:
    documents = "".join(
        f'[[partner.acme.document]]\ntype = "{type}"\ndirection = "in"\n'
        for type in ("997", "999", "TA1", "CONTRL", "DESADV", "945")
    )
    agreed = read(US_BOTH, ACME_BOTH, documents).partner("acme").agreements
    assert [agreement.ack.mode for agreement in agreed] == ["none"] * 4 + ["CONTRL", "997"]


MESSAGES = """\
[[partner.acme.document]]
type = "ORDERS"
direction = "in"
[[partner.acme.document]]
type = "DESADV"
direction = "out"
version = "D.01B/EAN010"
"""


def test_an_edifact_partner_has_its_own_id_version_and_service_characters() -> None:
    terms = """edifact = { syntax = "UNOA:2", version = "D.96A/EAN008", decimal = ",", una = "always" }\n"""
    acme = read(US_BOTH, ACME_BOTH.replace("isa =", f"{terms}isa ="), MESSAGES).partner("acme")
    assert acme.identity("edifact") == PartyId("", "ACME3PL")
    assert acme.identity("x12") == PartyId("01", "123456789")
    assert (acme.version("ORDERS"), acme.version("DESADV")) == ("D.96A/EAN008", "D.01B/EAN010")
    assert acme.version("940") == "004010"
    assert acme.edifact.separators == Separators("+", ":", "'", "", "?", ",")


def test_an_edifact_identity_without_a_qualifier_is_named_by_any_and_one_with_it_by_its_own() -> None:
    found = read(US_BOTH, ACME_BOTH)
    acme = found.partner("acme")
    for party in (PartyId("", "ACME3PL"), PartyId("14", "ACME3PL")):
        assert found.by_party(party, "edifact") is acme
        assert acme.owns(party, "edifact")
    assert found.by_party(PartyId("14", "ACME3PL"), "x12") is None
    assert not acme.owns(PartyId("ZZ", "ACME3PL"), "x12")
    assert found.us.owns(PartyId("14", "5412345000013"), "edifact")
    assert not found.us.owns(PartyId("", "5412345000013"), "edifact")


@pytest.mark.parametrize(
    ("role", "direction", "type", "document"),
    [
        ("3pl", "in", "DESADV", "shipment_confirmation"),
        ("3pl", "out", "DESADV", "stock_transfer"),
        ("3pl", "in", "RECADV", "stock_receipt"),
        ("3pl", "in", "INVRPT", "inventory_position"),
        ("retailer", "out", "DESADV", "ship_notice"),
        ("retailer", "in", "RECADV", "receiving_advice"),
        ("supplier", "in", "DESADV", "ship_notice"),
        ("retailer", "in", "ORDERS", None),
    ],
)
def test_a_message_carries_what_the_role_of_the_partner_makes_of_it(
    role: str, direction: str, type: str, document: str | None
) -> None:
    table = f'[[partner.acme.document]]\ntype = "{type}"\ndirection = "{direction}"\n'
    (agreed,) = read(US_BOTH, ACME_BOTH.replace("3pl", role, 1), table).partner("acme").agreements
    assert agreed.document == document


def test_the_documents_that_may_be_agreed_are_those_that_there_are_maps_for() -> None:
    carried = {type: mappings.documents_of(type) for type in directory.sets(directory.VERSIONS[0])}
    assert {type: kinds for type, kinds in carried.items() if len(kinds) > 1} == SEVERAL


def test_which_document_a_message_carries_may_be_said() -> None:
    table = (
        '[[partner.acme.document]]\ntype = "INVRPT"\ndirection = "in"\ndocument = "inventory_adjustment"\n'
    )
    (agreed,) = read(US_BOTH, ACME_BOTH, table).partner("acme").agreements
    assert agreed.document == "inventory_adjustment"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('unb = { qualifier = "", id = "ACME3PL" }', "", "document[0]: ORDERS is EDIFACT: write unb"),
        ('isa = { qualifier = "01", id = "123456789" }', "", "document[2]: 945 is X12: write isa"),
        (
            '"D.01B/EAN010"',
            '"004010"',
            "document[1].version: DESADV has a version such as D.96A, not '004010'",
        ),
        ('"D.01B/EAN010"', '"D96A"', "document[1].version: expected a version such as 004010 or, of EDIFACT"),
        ('"945"', '"945"\nversion = "D.96A"', "document[2].version: 945 has a version such as 004010"),
        (
            '"DESADV"',
            '"DESADV"\ndocument = "shipnotice"',
            "document[1].document: DESADV carries ship_notice or shipment_confirmation or stock_transfer "
            "(did you mean 'ship_notice'?)",
        ),
        (
            '"ORDERS"',
            '"ORDERS"\ndocument = "sales_order"',
            "document[0].document: ORDERS always carries the same document",
        ),
        (
            "role",
            'edifact = { syntax = "UNOC" }\nrole',
            "edifact.syntax: expected a character set and a syntax",
        ),
        ("role", 'edifact = { element = ":" }\nrole', "edifact: two service characters are the same"),
        ("role", 'edifact = { element = "|", una = "never" }\nrole', "edifact.una: these service characters"),
        ("role", 'edifact = { unna = "never" }\nrole', "edifact.unna: unknown key (did you mean 'una'?)"),
    ],
)
def test_what_edifact_does_not_go_with_is_refused_where_it_stands(old: str, new: str, problem: str) -> None:
    in_x12 = '[[partner.acme.document]]\ntype = "945"\ndirection = "in"\n'
    text = ACME_BOTH + MESSAGES + in_x12
    assert old in text
    told = refused(US_BOTH, text.replace(old, new, 1))
    assert f": partner.acme.{problem}" in told[0]


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ('unb = { id = "ACME3PL" }', ":ACME3PL is taken by partner 'acme'"),
        (
            'unb = { qualifier = "14", id = "ACME3PL" }',
            "14:ACME3PL is no other than :ACME3PL, which is taken by",
        ),
        (
            'unb = { id = "5412345000013" }',
            ":5412345000013 is no other than 14:5412345000013, which is our own",
        ),
    ],
)
def test_an_id_that_goes_with_any_qualifier_is_nobody_elses(named: str, problem: str) -> None:
    (told,) = refused(US_BOTH, ACME_BOTH, f'[partner.other]\nrole = "retailer"\n{named}\n')
    assert f"partner.other.unb: {problem}" in told


def test_ids_are_told_apart_by_their_qualifiers() -> None:
    other = '[partner.other]\nrole = "retailer"\nunb = { qualifier = "ZZZ", id = "5412345000013" }\n'
    assert read(US_BOTH, ACME_BOTH, other).partner("other").unb == PartyId("ZZZ", "5412345000013")


def test_edifact_needs_an_id_of_our_own() -> None:
    told = refused(US, ACME_BOTH, MESSAGES)
    assert len(told) == 2
    assert told[0].endswith("ORDERS is EDIFACT, which needs our own id in UNB: write unb in [us]")


def test_a_message_or_directory_that_is_not_defined_is_a_warning_with_the_nearest() -> None:
    text = MESSAGES.replace("ORDERS", "ORDERZ").replace("D.01B", "D.07A")
    told = [f"{key}: {message}" for _, key, message in read(US_BOTH, ACME_BOTH, text).warnings]
    assert told == [
        "partner.acme.document[0].type: no message ORDERZ is defined here (did you mean 'ORDERS'?)",
        "partner.acme.document[1].version: D.07A/EAN010 is not defined here: D.96A and D.01B are",
    ]


def test_separators_repeat_only_in_versions_that_have_repetition() -> None:
    old = read(US, ACME).partner("acme").x12
    new = (
        read(US, ACME.replace('role = "3pl"', 'role = "3pl"\nx12 = { version = "005010" }'))
        .partner("acme")
        .x12
    )
    assert old.separators == Separators("*", ">", "~", "")
    assert new.separators == Separators("*", ">", "~", "^")


def test_all_problems_are_told_at_once_with_line_key_and_suggestion() -> None:
    text = US + SHOP.replace('role = "retailer"', 'role = "retailr"\nstatsu = "live"').replace(
        'direction = "out"', 'direction = "sideways"'
    ).replace("4h", "soon")
    assert refused(text) == [
        "12: partner.shop.role: expected one of 'retailer', '3pl', 'supplier', 'marketplace', 'carrier',"
        " not 'retailr' (did you mean 'retailer'?)",
        "13: partner.shop.statsu: unknown key (did you mean 'status'?)",
        "29: partner.shop.document[1].direction: expected one of 'in', 'out', not 'sideways'",
        "31: partner.shop.document[1].ack.due: expected a duration such as '90s', '15m', '24h' or '2d'",
    ]


def test_a_syntax_error_is_told_with_its_line() -> None:
    (problem,) = refused("schema = 1\n[us\n")
    assert problem.startswith("2: TOML: ")


def test_a_secret_written_into_the_file_is_refused_and_not_repeated() -> None:
    problems = refused(US.replace("env:NEW_KEY", "-----BEGIN PRIVATE KEY----- MIIE"))
    assert len(problems) == 1
    assert problems[0].startswith("9: us.keys[1].key: expected 'file:PATH' or 'env:NAME'")
    assert "MIIE" not in problems[0]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("schema = 1", "schema = 2", "1: schema: expected one of 1, not 2"),
        ('"America/Chicago"', '"Chicago"', "4: us.timezone: expected a time zone such as"),
        ('"ZZ", id = "US"', '"Z", id = "US"', "6: us.isa: an ISA qualifier has 2 characters"),
        ('"08", id = "SHOP"', '"ZZ", id = "US"', "13: partner.shop.isa: ZZ:US is our own"),
        (
            '"08", id = "SHOP"',
            '"01", id = "123456789"',
            "33: partner.acme.isa: 01:123456789 is taken",
        ),
        ('"ShopEDI"', '"US"', "16: partner.shop.as2.id: US is our own"),
        ('"ShopEDI"', '" ShopEDI"', "16: partner.shop.as2.id: expected an AS2 id"),
        ("https://", "ftp://", "17: partner.shop.as2.url: expected http://"),
        ("https://", "https://me:pw@", "17: partner.shop.as2.url: expected http://"),
        ("3pl:acme", "acme", "25: partner.shop.document[0].route: expected 3pl:NAME"),
        ("3pl:acme", "3pl:shop", "25: partner.shop.document[0].route: partner 'shop' has role 'retailer'"),
        ('"856"', '"8560"', "27: partner.shop.document[1].type: expected a set or message"),
        ("198.51.100.0/24", "198.51.100.7/24", "37: partner.acme.sftp_account.allow_from[0]: "),
        ("ssh-ed25519 ", "", "36: partner.acme.sftp_account.keys[0]: expected a public key line"),
        ('user = "acme"', 'user = "../acme"', "35: partner.acme.sftp_account.user: expected a name"),
        ('role = "3pl"', 'role = "3pl"\nx12 = { element = "~" }', "33: partner.acme.x12: two separators"),
        (
            'role = "3pl"',
            'role = "3pl"\nx12 = { element = "A" }',
            "33: partner.acme.x12.element: expected one",
        ),
        (
            'role = "3pl"',
            'role = "3pl"\nstatus = "testing"\nusage = "P"',
            "34: partner.acme.usage: a partner",
        ),
        ('isa = { qualifier = "01", id = "123456789" }', "", "31: partner.acme: has neither isa nor unb"),
        ("[partner.acme]", "[partner.AC-ME]", "31: partner.AC-ME: expected a name"),
        ('as2_id = "US"\n', "", "14: partner.shop.as2: needs our own AS2 id"),
    ],
)
def test_each_contradiction_is_refused_where_it_stands(old: str, new: str, problem: str) -> None:
    text = US + SHOP + ACME
    assert old in text
    problems = refused(text.replace(old, new))
    assert any(told.startswith(problem) for told in problems), problems


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("http", '{ user = "us" }', "as2.http: user and password go together"),
        ("http", '{ cert = "certs/us.crt" }', "as2.http: cert and key go together"),
        ("http", '{ cert = "us.crt", key = "env:KEY" }', "as2.http.key: expected 'file:PATH'"),
        ("http", '{ user = "a:b", password = "env:PW" }', "as2.http.user: a user's name has no colon"),
        ("http", '{ user = "us", password = "pw" }', "as2.http.password: expected 'file:PATH' or 'env:NAME'"),
        ("http", '{ proxy = "http://proxy" }', "as2.http.proxy: expected HOST:PORT"),
        ("http", '{ proxy_user = "a", proxy_password = "env:PW" }', "as2.http.proxy_user: needs the proxy"),
        ("http", '{ transfer = "chunky" }', "as2.http.transfer: expected one of 'length', 'chunked'"),
        ("http", '{ answer_within = "0s" }', "as2.http.answer_within: expected a duration above zero"),
        ("http", '{ passwort = "env:PW" }', "as2.http.passwort: unknown key (did you mean 'password'?)"),
        ("receipt_urls", '["https://shop.example:99999/"]', "as2.receipt_urls[0]: expected http://"),
        ("receipt_urls", '["https://ok.example/", "shop:8443"]', "as2.receipt_urls[1]: expected http://"),
        ("receipt_urls", '["https://a b/"]', "as2.receipt_urls[0]: expected http://"),
    ],
)
def test_what_http_cannot_go_by_is_refused_where_it_stands(key: str, value: str, problem: str) -> None:
    told = refused(US, SHOP.replace("certs = ", f"{key} = {value}\ncerts = ", 1), ACME)
    assert any(f": partner.shop.{problem}" in one for one in told), told


def test_a_password_over_plain_http_is_doubtful_and_never_shown() -> None:
    http = 'http = { user = "us", password = "env:SHOP_PASSWORD" }\ncerts = '
    found = read(US, SHOP.replace("https://", "http://").replace("certs = ", http, 1), ACME)
    told = [f"{key}: {message}" for _, key, message in found.warnings]
    assert "partner.shop.as2.http.user: its password goes unprotected: their url is not https" in told
    assert "SHOP_PASSWORD" not in repr(found.partner("shop"))


def test_a_document_is_agreed_once_in_a_direction() -> None:
    read(US, SHOP.replace('"856"', '"850"'))
    twice = SHOP.replace('"856"', '"850"').replace('direction = "out"', 'direction = "in"')
    assert refused(US, twice) == ["26: partner.shop.document[1]: 850 in is agreed twice"]


def test_as2_without_any_certificate_is_refused_unless_nothing_is_signed_or_encrypted() -> None:
    start = SHOP.index("  certs = [")
    bare = SHOP[:start] + SHOP[SHOP.index("  [[", start) :]
    assert refused(US, bare) == [
        "15: partner.shop.as2: has no certificate of theirs: write certs, "
        "or sign = 'none' and encrypt = 'none'"
    ]
    plain = bare.replace('id = "ShopEDI"', 'id = "ShopEDI"\n  sign = "none"\n  encrypt = "none"')
    assert read(US, plain).partner("shop").as2


def test_what_may_not_be_meant_is_a_warning() -> None:
    text = US + SHOP.replace('id = "ShopEDI"', 'id = "ShopEDI"\n  sign = "sha1"\n  mdn = { mode = "async" }')
    assert [f"{line}: {key}" for line, key, _ in read(text).warnings] == [
        "15: partner.shop.as2",
        "18: partner.shop.as2.mdn",
        "27: partner.shop.document[0].route",
    ]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("24h", 86400), ("1h30m", 5400), ("2w", 1209600)]
)
def test_durations_are_read_as_written(text: str, seconds: int) -> None:
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", ["", "5", "m", "-5m", "1.5h", "5 m", "99999999999d", 5, None])
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        duration(value)


def test_addresses_are_read_as_written() -> None:
    assert address("127.0.0.1:0") == Address("127.0.0.1", 0)
    assert address(":2222") == Address("0.0.0.0", 2222)
    assert address("[::1]:80") == Address("::1", 80)
    assert str(Address("::1", 80)) == "[::1]:80"
    for wrong in ("127.0.0.1", "host:", "host:70000", "host:x", "a b:1", 80):
        with pytest.raises(ValueError, match="expected HOST:PORT"):
            address(wrong)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in (
        "certs/old.crt",
        "certs/new.crt",
        "secrets/old.key",
        "certs/shop-2027.crt",
        "certs/shop-2025.crt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "partners.toml").write_text(US + SHOP)
    return tmp_path


def test_every_named_file_must_exist_but_those_of_drafts(home: Path) -> None:
    config.load(home)  # its map is missing, and shop is a draft
    text = (US + SHOP).replace('role = "retailer"', 'role = "retailer"\nstatus = "live"')
    (home / "partners.toml").write_text(text)
    (home / "certs/new.crt").unlink()
    with pytest.raises(ConfigInvalid) as caught:
        config.load(home)
    assert [found.key for found in caught.value.problems] == [
        "us.keys[1].cert",
        "partner.shop.document[1].map",
    ]


def test_a_changed_file_is_noticed_and_a_bad_one_leaves_the_old_configuration(home: Path) -> None:
    loaded = config.load(home)
    assert not loaded.changed()
    (home / "partners.toml").write_text(US + SHOP + ACME)
    assert loaded.changed()
    assert not config.load(home).changed()
    (home / "partners.toml").write_text("schema = 1\n[us]\n")
    with pytest.raises(ConfigInvalid):
        config.load(home)
    assert loaded.partner("shop").role == "retailer"


def test_a_home_without_a_file_and_a_file_that_is_no_utf8_are_failures(tmp_path: Path) -> None:
    with pytest.raises(Failure) as caught:
        config.load(tmp_path)
    assert caught.value.code is Code.NO_HOME
    (tmp_path / "partners.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigInvalid, match="is not UTF-8"):
        config.load(tmp_path)


def test_a_secret_file_that_others_may_read_is_refused(home: Path) -> None:
    secret = config.load(home).us.keys[0].key
    (home / "secrets/old.key").write_text("key")
    (home / "secrets/old.key").chmod(0o640)
    with pytest.raises(Failure, match="0640") as caught:
        secret.read()
    assert caught.value.code is Code.SECRET_EXPOSED
    (home / "secrets/old.key").chmod(0o600)
    assert secret.read() == b"key"


def test_a_secret_of_the_environment_is_read_when_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = config.load(home).us.keys[1].key
    monkeypatch.delenv("NEW_KEY", raising=False)
    with pytest.raises(Failure) as caught:
        secret.read()
    assert caught.value.code is Code.SECRET_MISSING
    monkeypatch.setitem(os.environ, "NEW_KEY", "pem")
    assert secret.read() == b"pem"
