"""Files of up to 1 MiB made to cost their reader more than they are worth, by name."""

from __future__ import annotations

import random
from collections.abc import Callable

from edifact_support import document

SIZE = 2**20
_ORDER = document("ORDERS").decode("latin-1")
_NOTICE = document("DESADV").decode("latin-1")
_UNB = _ORDER[: _ORDER.index("UNH+")]
_UNZ = _ORDER[_ORDER.index("UNZ+") :]
_UNG = "UNG+ORDERS+A+B+260106:1230+5+UN+D:96A'\n"
_SMALL = _ORDER[_ORDER.index("UNH+") : _ORDER.index("UNZ+")]
_LINE = "LIN+1++4000862141404:EN'QTY+21:1:PCE'PRI+AAA:9.25'"


def _filled(piece: str, less: int = 0) -> str:
    return piece * ((SIZE - less) // len(piece))


def _in_order(piece: str, before: str = "LIN+1", order: str = _ORDER) -> str:
    """An order with as many of `piece` in it as fit."""
    at = order.index(before)
    return order[:at] + _filled(piece, len(order)) + order[at:]


def _in_element(piece: str, order: str = _ORDER) -> str:
    at = order.index("Blue widget")
    return order[:at] + _filled(piece, len(order)) + order[at:]


def _messages(piece: str) -> str:
    return _UNB + _filled(piece, len(_UNB) + len(_UNZ)) + _UNZ


def _groups(piece: str) -> str:
    return _UNB + _filled(piece, 400) + _UNZ


def _levels(row: Callable[[int], str]) -> str:
    at, end = _NOTICE.index("CPS+"), _NOTICE.index("CNT+")
    rows, size, number = [], len(_NOTICE), 0
    while size < SIZE - 40 and number < 99_000:
        number += 1
        rows.append(row(number))
        size += len(rows[-1])
    return _NOTICE[:at] + "".join(rows) + _NOTICE[end:]


def _noise(seed: int, letters: str) -> str:
    chance = random.Random(seed)
    return _in_order("".join(chance.choice(letters) for _ in range(4096)))


def _wrapped(width: int, line: str = _LINE) -> str:
    text = _in_order(line, order=_ORDER.replace("\n", ""))
    begin = text.index("UNH+")
    body = text[begin : len(text) - len(text) // (width + 1)]
    return text[:begin] + "\n".join(body[at : at + width] for at in range(0, len(body), width))


def _numbered(most: int = 1 << 30) -> str:
    rows, size, number = [], len(_UNB) + len(_UNZ), 0
    while size < SIZE - 40 and number < most:
        number += 1
        rows.append(f"UNH+{number}+ORDERS:D:96A:UN'UNT+2+{number}'")
        size += len(rows[-1])
    return _UNB + "".join(rows) + _UNZ


def _other(syntax: str, text: str = _ORDER) -> str:
    """The text in another syntax, whose dates in UNB have a century from version 4 on."""
    text = text.replace("UNOC:3+", f"{syntax}+", 1)
    return text.replace("+260106:", "+20260106:", 1) if syntax.endswith("4") else text


def _parties(number: int) -> str:
    return f"NAD+BY'{'RFF+VA:1~' * (number % 3)}{'CTA+OC~' * (number % 4)}{'COM+1:TE~' * (number % 2)}"


_IN_LINES = _ORDER.replace("'\n", "\n")
_BYTES = "".join(map(chr, range(256))).replace("Z", "")
_CONTROLS = str.maketrans("+:'", "\x1d\x1f\x1c")

BOMBS: dict[str, Callable[[], str]] = {
    "a million empty segments": lambda: _in_order("'"),
    "a million empty lines": lambda: _in_order("'\n"),
    "half a million segments of one letter": lambda: _in_order("A'"),
    "segments of element separators": lambda: _in_order("+'"),
    "segments of component separators": lambda: _in_order(":'"),
    "one segment of element separators": lambda: _in_order("+", "'\nRFF+"),
    "one segment of elements": lambda: _in_order("+1", "'\nRFF+"),
    "one long value": lambda: _in_element("A"),
    "one long value of bytes": lambda: _in_element("\xe9"),
    "one long value of UTF-8": lambda: _in_element("\xc3\xa9", _other("UNOY:4")),
    "one long value of broken UTF-8": lambda: _in_element("\xe2\x82", _other("UNOY:4")),
    "one long value of Greek": lambda: _in_element("\xe1", _other("UNOF:3")),
    "one long value of shifts": lambda: _in_element("\x1b$B0l\x1b(B", _other("UNOX:4")),
    "a shift without end": lambda: _in_element("\x1b$B" + "0l'" * 100, _other("UNOX:4")),
    "shifts without end": lambda: _in_element("\x1b$B", _other("UNOX:4")),
    "one value of component separators": lambda: _in_element(":"),
    "one value of release characters": lambda: _in_element("??"),
    "one value of an odd number of release characters": lambda: _in_element("??").replace("Blue", "?Blue"),
    "one value of released terminators": lambda: _in_element("?'"),
    "one value of released line ends": lambda: _in_element("?\n"),
    "release characters and line ends": lambda: _in_order("?\n?\n'\nFTX+AAI+++?\n?'"),
    "released trailers": lambda: _in_order("?'\nUNT+"),
    "segments with a release character each": lambda: _in_order("FTX+AAI+++??'"),
    "segments with a character of UTF-8 each": lambda: _in_order(
        "FTX+AAI+++\xc3\xa9'", order=_other("UNOY:4")
    ),
    "segments of a thousand elements": lambda: _in_order("RFF" + "+1" * 990 + "'"),
    "segments of a thousand elements, each another count": lambda: _in_order(
        "".join("RFF" + "+1" * n + "'" for n in range(10, 1000, 7))
    ),
    "segments of 128 KiB": lambda: _in_order("RFF+" + "1" * 130_000 + "'"),
    "values of component separators": lambda: _in_order("MEA+" + ":" * 1000 + "'"),
    "composites of many components": lambda: _in_order("MEA+PD++KGM" + ":1" * 300 + "'"),
    "composites, each of another length": lambda: _in_order(
        "".join("MEA+PD++KGM" + ":1" * n + "'" for n in range(300))
    ),
    "composites, each another": lambda: _in_order("".join(f"DTM+2:{n}:102'" for n in range(30_000))),
    "many wrong composites": lambda: _in_order("NAD+BY+::::::::::::::::1'"),
    "many dates that are none": lambda: _in_order("DTM+2:20269999:102'"),
    "codes that are none": lambda: _in_order("RFF+QQQ:1'"),
    "codes of other lists": lambda: _in_order("BGM+QQQ::92+1'"),
    "huge numerals": lambda: _in_order("QTY+21:" + "9" * 100_000 + "'"),
    "many numerals": lambda: _in_order("QTY+21:9E99'"),
    "every number another": lambda: _in_order(
        "".join(f"LIN+{n}++{n:013}:EN'QTY+21:{n}.{n}'" for n in range(22_000))
    ),
    "quantities to add up": lambda: _in_order("LIN+1'" + "QTY+21:1.5'" * 9),
    "totals": lambda: _in_order("CNT+2:2'", "CNT+2"),
    "totals, each wrong": lambda: _in_order("CNT+2:9'", "CNT+2"),
    "lines of a catalogue": lambda: _in_order(_LINE),
    "lines with a party each": lambda: _in_order(_LINE + "NAD+DP+1::9'"),
    "as many lines as a message may have, each wrong": lambda: _in_order("LIN+++:'"),
    "unknown segments": lambda: _in_order("ZZZ'"),
    "unknown segments, each another": lambda: _in_order(
        "".join(f"{chr(65 + n % 26)}{chr(65 + n // 26 % 26)}{n % 10}+{n}'" for n in range(90_000))
    ),
    "tags that are composites": lambda: _in_order("LIN:1:1+1'"),
    "known segments out of place": lambda: _in_order("CNT+2:2'"),
    "segments of the heading in turn": lambda: _in_order("RFF+CT:1'CUX+2:EUR:9'"),
    "segments too often": lambda: _in_order("UNS+S'", "UNS+S"),
    "groups of segments in turn": lambda: _in_order("TAX+7+VAT'MOA+124:1'"),
    "parties without end": lambda: _in_order("NAD+BY+1::9'", "NAD+BY"),
    "parties and what follows them in every order": lambda: _in_order(
        "".join(map(_parties, range(500))).replace("~", "'"), "NAD+BY"
    ),
    "a chain of levels": lambda: _levels(lambda n: f"CPS+{n}+{n - 1 or ''}'"),
    "levels without parents": lambda: _levels(lambda n: f"CPS+{n}+99999'"),
    "one level again and again": lambda: _levels(lambda n: "CPS+1'"),
    "levels with long names": lambda: _levels(lambda n: f"CPS+{'9' * 4000}+{'8' * 4000}'"),
    "packages in packages": lambda: _levels(lambda n: f"CPS+{n}+{n - 1 or ''}'PAC+1'PCI+33E'GIN+BJ+1'LIN+1'"),
    "interchange headers": lambda: _filled(_UNB),
    "interchange headers without line ends": lambda: _filled(_UNB.replace("\n", "")),
    "interchange headers that name nothing": lambda: _filled("UNB+'"),
    "interchange headers of the least length": lambda: _filled("UNB+UNOA:1+A+B+260101:1200+1'"),
    "interchange headers without terminators": lambda: _filled("UNB+"),
    "whole interchange headers without terminators": lambda: _filled("UNB+UNOA:1+A+B+C"),
    "whole interchange headers, all terminators released": lambda: _filled("UNB+UNOA:1+A?'+B+C"),
    "interchanges of the least length": lambda: _filled("UNB+UNOA:1+A+B+260101:1200+1'UNZ+0+1'"),
    "interchanges with a message each": lambda: _filled(_UNB + "UNH+1+ORDERS:D:96A:UN'UNT+2+1'" + _UNZ),
    "service string advices": lambda: _filled("UNA:+.? '"),
    "service string advices and headers": lambda: _filled("UNA:+.? 'UNB+'"),
    "service string advices in a message": lambda: _in_order("UNA:+.? '"),
    "service characters of every kind": lambda: _filled(
        "".join(f"UNA{chr(33 + n % 90)}{chr(34 + n % 89)}.? '\nUNB" for n in range(3000))
    ),
    "text before the interchange": lambda: " " * 60_000 + _ORDER + _filled("x", 70_000),
    "beginnings of interchanges": lambda: _ORDER + _filled("UNB", len(_ORDER)),
    "beginnings of interchanges, almost": lambda: _ORDER + _filled("UNBB", len(_ORDER)),
    "beginnings of advices, and blanks": lambda: _ORDER + _filled("UNA:+.? '" + " " * 500, len(_ORDER)),
    "interchange trailers": lambda: _in_order("UNZ+1+7'", "UNT+"),
    "group headers": lambda: _groups(_UNG),
    "short group headers": lambda: _groups("UNG+'"),
    "groups": lambda: _groups(_UNG + "UNE+0+5'"),
    "groups with a message each": lambda: _groups(_UNG + "UNH+1+ORDERS:D:96A:UN'UNT+2+1'UNE+1+5'"),
    "groups and messages in turn": lambda: _groups(_UNG + "UNE+0+5'UNH+1+ORDERS:D:96A:UN'UNT+2+1'"),
    "group trailers": lambda: _messages("UNE+1+5'"),
    "message headers": lambda: _messages("UNH+1+ORDERS:D:96A:UN'"),
    "short message headers": lambda: _messages("UNH+'"),
    "message headers, a word each": lambda: _messages("UNH'"),
    "headers of messages nobody knows": lambda: _messages("UNH+1+QUOTES:D:96A:UN'UNT+2+1'"),
    "headers of directories nobody knows": lambda: _messages("UNH+1+ORDERS:D:99B:UN'UNT+2+1'"),
    "message trailers": lambda: _messages("UNT+1+1'"),
    "messages without content": lambda: _messages("UNH+1+ORDERS:D:96A:UN'UNT+2+1'"),
    "messages with a number each": _numbered,
    "messages of one segment": lambda: _messages("UNH+1+ORDERS:D:96A:UN'BGM+220'UNT+3+1'"),
    "real messages, one number": lambda: _messages(_SMALL),
    "real messages in lower case, in UNOA": lambda: _other("UNOA:3", _messages(_SMALL)),
    "messages of every kind": lambda: _messages(
        "".join(
            f"UNH+1+{kind}:D:01B:UN'UNT+2+1'"
            for kind in ("ORDERS", "DESADV", "INVOIC", "INVRPT", "IFTMIN", "IFTSTA", "APERAK", "REMADV")
        )
    ),
    "answers": lambda: _messages("UNH+1+CONTRL:D:3:UN'UCI+7+A+B+7'UNT+3+1'"),
    "answers about everything": lambda: _in_order(
        "UCM+1+ORDERS:D:96A:UN+4'UCS+1+13'UCD+12+2:1'", "UNT+", document("CONTRL", "D.3").decode()
    ),
    "packages of nothing": lambda: _messages("UNO+1+A:1+B:1+0'UNP+0+1'"),
    "packages that claim more": lambda: _messages("UNO+1+A:1+B:1+999999999999'"),
    "packages with endless lengths": lambda: _messages(f"UNO+1+A:1+B:1+{'9' * 5000}'"),
    "packages without an end": lambda: _messages("UNO+1+A:1+B:1+5'12345'"),
    "a newline as terminator": lambda: "UNA:+.? \n" + _in_order("RFF+CT:1\n", order=_IN_LINES),
    "a newline as terminator, and empty lines": lambda: _in_order("\n", order=_IN_LINES),
    "control characters as separators": lambda: _in_order("RFF+CT:1'").translate(_CONTROLS),
    "carriage returns between": lambda: _in_order("\r"),
    "blanks between": lambda: _in_order(" "),
    "wrapped at 80 columns": lambda: _wrapped(80),
    "wrapped at every byte": lambda: _wrapped(1),
    "wrapped at every byte, with release characters": lambda: _wrapped(1, "FTX+AAI+++?'??'"),
    "alternating line ends": lambda: _in_order("RFF+CT:1'\nRFF+CT:1'\r\nRFF+CT:1'"),
    "repetitions": lambda: _in_element("*", _other("UNOC:4")),
    "repetitions in every segment": lambda: _in_order("RFF+CT:1*CT:1*CT:1'", order=_other("UNOC:4")),
    "repetitions in every segment, many": lambda: _in_order(
        "RFF+" + "CT:1*" * 200 + "'", order=_other("UNOC:4")
    ),
    "noise of separators": lambda: _noise(1, "+:'?*\nA1"),
    "noise of letters": lambda: _noise(2, "ABCDEFGHIJKLMNOPQRSTUVWXYZ+'"),
    "noise of bytes": lambda: _noise(3, _BYTES),
    "noise of bytes in UTF-8": lambda: _other("UNOY:4", _noise(3, _BYTES)),
    "noise of bytes in shifts": lambda: _other("UNOX:4", _noise(5, "\x1b$(B0l'+")),
    "noise of levels": lambda: _noise(4, "UNTH+'1"),
    "invisible characters": lambda: _in_order("FTX+AAI+++\xe2\x80\xae'", order=_other("UNOY:4")),
    "control characters": lambda: _in_order("FTX+\x00+\x07'"),
    "characters beyond UNOA": lambda: _other("UNOA:3", _in_order("FTX+AAI+++\xe9#'")),
}  # fmt: skip


def bomb(name: str) -> bytes:
    data = BOMBS[name]().encode("latin-1")
    return data[:SIZE]
