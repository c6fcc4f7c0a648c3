"""AS2 names and Message-IDs of every form on their way through real requests (H5, H6), and two gateways."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from peers import Company, Endpoint, Headers, Peer, endpoint, mic, post
from serving import Gateway, interchange, made, number, order, partner, running, until

# AS2 names (RFC 4130 6.2), each with the forms in which it may stand in a header, the one we write first.
NAMES = {
    "a b c !": ('"a b c !"', "a b c !"),
    "a,b": ("a,b", '"a,b"'),
    "#1": ("#1", '"#1"'),
    "<x>": ("<x>", '"<x>"'),
    "[ t ]": ('"[ t ]"', "[ t ]"),
    "semi;": ("semi;", '"semi;"'),
    'quo"te': ('"quo\\"te"',),
    "back\\slash": ('"back\\\\slash"',),
    "'single'": ("'single'", "\"'single'\""),
    "=?utf-8?q?x?=": ("=?utf-8?q?x?=",),
    "%0d%0aX: y": ('"%0d%0aX: y"', "%0d%0aX: y"),
    "A" * 128: ("A" * 128, f'"{"A" * 128}"'),
}
FORMS = [(name, form) for name, forms in NAMES.items() for form in forms]


class World(NamedTuple):
    """A gateway that serves, its partners by their AS2 name, and their URL."""

    gateway: Gateway
    peers: dict[str, Peer]
    url: Endpoint


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("names")
    company = Company.made(folder / "theirs", "p0")
    with endpoint() as url:
        tables = [
            partner(f"p{n}", json.dumps(name)[1:-1], ("ZZ", f"PARTNER{n}"), url=url.url, mdn="none")
            for n, name in enumerate(NAMES)
        ]
        tables.append(partner("later", "LATER", ("ZZ", "LATER"), url=url.url, mdn="async"))
        tables = [re.sub("certs/.*crt", "certs/p0.crt", table) for table in tables]
        gateway = made(folder, *tables)
        shutil.copy(company.cert, gateway.home / "certs")
        us = gateway.home / "certs" / "us.crt"
        with running(gateway):
            yield World(gateway, {name: Peer(name, company, us) for name in [*NAMES, "LATER"]}, url)


def edi(world: World, name: str) -> bytes:
    return interchange(number(), order(f"PO-{number()}"), sender=("ZZ", f"PARTNER{list(NAMES).index(name)}"))


@pytest.mark.parametrize(("name", "form"), FORMS, ids=[form for _, form in FORMS])
def test_h6_a_name_is_known_in_every_form_and_stands_swapped_in_the_receipt(
    world: World, name: str, form: str
) -> None:
    peer = world.peers[name]
    message = peer.message(edi(world, name)).with_headers(as2_from=form)
    answer = post(world.gateway.as2, message)
    receipt = peer.read(answer)
    assert (receipt.disposition, receipt.verified) == ("processed", True)
    assert answer.header("AS2-To") == NAMES[name][0]
    assert answer.header("AS2-From") == "NORTHWIND"
    (row,) = world.gateway.received(message.id)
    assert row["partner"] == f"p{list(NAMES).index(name)}"


@pytest.mark.parametrize("name", list(NAMES))
def test_h6_a_name_is_written_quoted_only_where_it_must_be(world: World, name: str, tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(name.encode())
    told = world.gateway.must("send", f"p{list(NAMES).index(name)}", file, "--json").json

    def posted() -> list[Headers]:
        return [headers for headers, _ in world.url.received if told["message_id"] in dict(headers).values()]

    headers = {key.lower(): value for key, value in until(posted)[0]}
    assert headers["as2-to"] == NAMES[name][0]
    assert headers["as2-from"] == "NORTHWIND"


def test_h6_names_that_differ_in_case_or_in_a_space_are_not_the_same(world: World) -> None:
    peer = world.peers["a b c !"]
    for other in ("A B C !", "a  b c !", "a b c", '"a b c ! "'):
        message = peer.message(edi(world, "a b c !")).with_headers(as2_from=other)
        receipt = peer.read(post(world.gateway.as2, message))
        assert (receipt.disposition, receipt.signed) == (
            "processed/error: unknown-trading-relationship", False,
        )  # fmt: skip


IDS = {
    "with brackets": "<1@peer>",
    "without brackets": "1@peer",
    "without an @": "<1-peer>",
    "bare": "12345",
    "more than 255": f"<{'x' * 300}@peer>",
    "998": f"<{'y' * 991}@peer>",
    "half a bracket": "<1@peer",
    "a comma": "<a,b@peer>",
    "a hash": "<#1@peer>",
    "a quote": '<"a"@peer>',
    "square": "<[t]@[127.0.0.1]>",
    "a semicolon at the end": "<1@peer>;",
    "percents": "<%0d%0aX:y@peer>",
    "a climb": "<../../etc/passwd@peer>",
}


@pytest.mark.parametrize("message_id", IDS.values(), ids=IDS)
def test_h5_a_message_id_of_any_form_is_echoed_byte_for_byte_and_known_again(
    world: World, message_id: str
) -> None:
    peer = world.peers["a,b"]
    message = peer.message(edi(world, "a,b"), message_id=message_id)
    answer = post(world.gateway.as2, message)
    receipt = peer.read(answer)
    assert (receipt.disposition, receipt.verified) == ("processed", True)
    assert receipt.fields["original-message-id"] == message_id
    assert receipt.mic == f"{mic(message.hashed)}, sha-256"
    assert post(world.gateway.as2, message).body == answer.body
    (row,) = world.gateway.received(message_id)
    assert row["message_id"] == message_id


def test_h5_a_message_id_of_more_than_998_is_no_request(world: World) -> None:
    message = world.peers["a,b"].message(b"x", message_id=f"<{'z' * 992}@peer>")
    assert post(world.gateway.as2, message).status == 400


@pytest.mark.parametrize("form", ["<{}>", "{}", " <{}> "], ids=["brackets", "none", "spaces around"])
def test_m7_a_receipt_names_our_message_with_or_without_brackets(
    world: World, tmp_path: Path, form: str
) -> None:
    peer = world.peers["LATER"]
    (tmp_path / "a.txt").write_bytes(form.encode())
    told = world.gateway.must("send", "later", tmp_path / "a.txt", "--json").json

    def posted() -> list[tuple[Headers, bytes]]:
        return [one for one in world.url.received if told["message_id"] in dict(one[0]).values()]

    headers, body = until(posted)[0]
    receipt = peer.receipt(
        form.format(told["message_id"].strip("<>")), lambda: mic(peer.open(headers, body).signed_part)
    )
    assert post(world.gateway.as2, receipt).status == 204
    until(lambda: world.gateway.show(told["transmission"])["status"] == "delivered")


def test_two_gateways_with_odd_names_exchange_several_files_and_believe_each_other(tmp_path: Path) -> None:
    """The modern profile on one side and the usual one on the other; both read what the other wrote."""
    names = {"one": "a b c !", "two": '<x>, "q";'}
    lines = {
        "one": 'profile = "1.3"\nkey_transport = "oaep"\nsignature = "pss"',
        "two": 'encoding = "base64"',
    }
    retry = 'retry = { first = "1s", max = "1s" }'
    gateways = {}
    for here, there in (("one", "two"), ("two", "one")):
        table = partner(there, json.dumps(names[there])[1:-1], ("ZZ", there.upper()), types="997")
        agreed = f'attachments = true\nurl = "http://127.0.0.1:9/as2"\n{retry}\n{lines[here]}'
        table = table.replace(f"[partner.{there}.as2]\n", f"[partner.{there}.as2]\n{agreed}\n")
        if here == "one":
            table = table.replace('encrypt = "aes256-cbc"\n', "")
        table = table.partition("[[partner")[0]
        gateways[here] = gateway = made(tmp_path / here, table)
        file = gateway.home / "partners.toml"
        file.write_text(
            file.read_text()
            .replace('as2_id = "NORTHWIND"', f"as2_id = {json.dumps(names[here])}")
            .replace('id = "NORTHWIND"', f'id = "{here.upper()}"')
        )
    for here, there in (("one", "two"), ("two", "one")):
        shutil.copy(gateways[there].home / "certs" / "us.crt", gateways[here].home / "certs" / f"{there}.crt")
    payload, drawing = b"<order/>\n", bytes(range(256)) * 5000
    (tmp_path / "order.xml").write_bytes(payload)
    (tmp_path / "drawing.bin").write_bytes(drawing)
    with running(gateways["two"]), running(gateways["one"]):
        for here, there in (("one", "two"), ("two", "one")):
            file = gateways[here].home / "partners.toml"
            file.write_text(file.read_text().replace("http://127.0.0.1:9/as2", gateways[there].as2))
        for here, there in (("one", "two"), ("two", "one")):
            words = ("send", there, tmp_path / "order.xml", "--attach", tmp_path / "drawing.bin", "--wait")
            told = gateways[here].must(*words, "--json").json
            assert (told["status"], told["mic_match"], told["receipt_signed"]) == ("delivered", True, True)
            (row,) = gateways[there].received(told["message_id"])
            assert gateways[there].must("doc", "raw", row["id"]).out == payload
            assert gateways[there].must("doc", "raw", row["id"], "--part", 2).out == drawing
