"""Files of up to 1 MiB made to cost their reader more than they are worth, by name."""

from __future__ import annotations

import random
from collections.abc import Callable

from x12_support import document

SIZE = 2**20
_ORDER = document("850").decode("latin-1")
_NOTICE = document("856").decode("latin-1")
_HEAD = _ORDER[: _ORDER.index("ST*")]  # ISA and GS
_TAIL = "GE*1*3~\nIEA*1*000000007~\n"


def _filled(piece: str, less: int = 0) -> str:
    return piece * ((SIZE - less) // len(piece))


def _in_order(piece: str, before: str = "PO1*", order: str = _ORDER) -> str:
    """An order with as many of `piece` in it as fit."""
    at = order.index(before)
    return order[:at] + _filled(piece, len(order)) + order[at:]


def _in_element(piece: str) -> str:
    at = _ORDER.index("Blue widget")
    return _ORDER[:at] + _filled(piece, len(_ORDER)) + _ORDER[at:]


def _sets(piece: str) -> str:
    return _HEAD + _filled(piece, len(_HEAD) + len(_TAIL)) + _TAIL


def _levels(row: Callable[[int], str]) -> str:
    at, end = _NOTICE.index("HL*"), _NOTICE.index("CTT*")
    rows, size, number = [], len(_NOTICE), 0
    while size < SIZE - 40 and number < 99_000:
        number += 1
        rows.append(row(number))
        size += len(rows[-1])
    return _NOTICE[:at] + "".join(rows) + _NOTICE[end:]


def _noise(seed: int, letters: str) -> str:
    chance = random.Random(seed)
    return _in_order("".join(chance.choice(letters) for _ in range(4096)))


def _wrapped(width: int) -> str:
    text = _in_order("PO1*1*1*EA*1**UP*012345678905~", order=_ORDER.replace("\n", ""))
    return "\n".join(text[at : at + width] for at in range(0, len(text) - len(text) // (width + 1), width))


def _numbered_sets(most: int = 1 << 30) -> str:
    rows, size, number = [], len(_HEAD) + len(_TAIL), 0
    while size < SIZE - 40 and number < most:
        number += 1
        rows.append(f"ST*850*{number}~SE*2*{number}~")
        size += len(rows[-1])
    return _HEAD + "".join(rows) + _TAIL


_ISA = _HEAD[: _HEAD.index("GS*")]
_GS = _HEAD[_HEAD.index("GS*") :]
_SMALL = _ORDER[_ORDER.index("ST*") : _ORDER.index("GE*")]
_LINE = "PO1*1*1*EA*1**UP*012345678905~"

BOMBS: dict[str, Callable[[], str]] = {
    "a million empty segments": lambda: _in_order("~"),
    "a million empty lines": lambda: _in_order("~\n"),
    "half a million segments of one letter": lambda: _in_order("A~"),
    "segments of separators": lambda: _in_order("*~"),
    "one segment of separators": lambda: _in_order("*", "~\nREF*"),
    "one segment of elements": lambda: _in_order("*1", "~\nREF*"),
    "one long value": lambda: _in_element("A"),
    "one long value of bytes": lambda: _in_element("\xe9"),
    "one long value of UTF-8": lambda: _in_element("\xc3\xa9"),
    "one value of component separators": lambda: _in_element(">"),
    "segments of a thousand elements": lambda: _in_order("REF" + "*1" * 990 + "~"),
    "segments of a thousand elements, each another count": lambda: _in_order(
        "".join("REF" + "*1" * n + "~" for n in range(10, 1000, 7))
    ),
    "segments of 128 KiB": lambda: _in_order("REF*" + "1" * 130_000 + "~"),
    "values of component separators": lambda: _in_order("MEA*" + ">" * 1000 + "~"),
    "composites of many components": lambda: _in_order("MEA*WT*G*1*" + "LB>" * 300 + "~"),
    "many wrong composites": lambda: _in_order("MEA*WT*G*1*LB>>>>>>>>>>>>>>>>>1~"),
    "huge numerals": lambda: _in_order("PO1*1*" + "9" * 100_000 + "*EA~"),
    "many numerals": lambda: _in_order("PO1**9E99~"),
    "every number another": lambda: _in_order(
        "".join(f"PO1*{n}*{n}.{n}*EA*{n}**UP*{n:012}~" for n in range(22_000))
    ),
    "lines of a catalogue": lambda: _in_order(_LINE),
    "lines with a name each": lambda: _in_order(_LINE + "N1*ST*A~"),
    "as many lines as a set may have, each wrong": lambda: _in_order("PO1*~"),
    "unknown segments": lambda: _in_order("ZZZ~"),
    "unknown segments, each another": lambda: _in_order(
        "".join(f"{chr(65 + n % 26)}{chr(65 + n // 26 % 26)}{n % 10}*{n}~" for n in range(90_000))
    ),
    "known segments out of place": lambda: _in_order("CTT~"),
    "segments of the heading in turn": lambda: _in_order("REF*DP*1~CUR*BY*USD~"),
    "segments too often": lambda: _in_order("CUR*BY*USD~", "REF*DP"),
    "loops in turn": lambda: _in_order("N9*L1*1~MSG*A~"),
    "names without end": lambda: _in_order("N1*ST*A~", "N1*"),
    "names and what follows them in every order": lambda: _in_order(
        "".join(f"N1*ST*A~{'N2*A~' * (n % 3)}{'N3*A~' * (n % 5)}{'N4*A~' * (n % 2)}" for n in range(500)),
        "N1*",
    ),
    "syntax notes broken in every segment": lambda: _in_order("PID~"),
    "every note of an acknowledgment broken": lambda: _in_order("SLN*1~"),
    "a chain of levels": lambda: _levels(lambda n: f"HL*{n}*{n - 1 or ''}*S~"),
    "levels without parents": lambda: _levels(lambda n: f"HL*{n}*99999*S~"),
    "one level again and again": lambda: _levels(lambda n: "HL*1**S~"),
    "levels with long names": lambda: _levels(lambda n: f"HL*{'9' * 4000}*{'8' * 4000}*S~"),
    "levels within levels by kind": lambda: _levels(lambda n: f"HL*{n}*{n - 1 or ''}*{'SOTPI'[n % 5]}~"),
    "interchange headers": lambda: _filled(_ISA),
    "interchange headers without line ends": lambda: _filled(_ISA.replace("\n", "")),
    "interchange headers that name nothing": lambda: _filled("ISA*~"),
    "interchange headers of the least length": lambda: _filled("ISA************1****>~"),
    "interchanges of the least length": lambda: _filled("ISA************1****>~IEA*~"),
    "broken interchange headers": lambda: _filled("ISA*00*00*00~"),
    "interchanges with a set each": lambda: _filled(_ISA + _GS + "ST*850*1~SE*2*1~" + _TAIL),
    "text before the interchange": lambda: " " * 60_000 + _ORDER + _filled("x", 70_000),
    "beginnings of interchanges": lambda: _ORDER + _filled("ISA", len(_ORDER)),
    "beginnings of interchanges, almost": lambda: _ORDER + _filled("ISAA", len(_ORDER)),
    "interchange trailers": lambda: _in_order("IEA*1*7~", "SE*"),
    "interchange acknowledgments": lambda: _ISA + _filled("TA1*000000001*260101*1200*A*000~", 400) + _TAIL,
    "group headers": lambda: _ISA + _filled("GS*PO*A*B*20260101*1200*1*X*004010~", 400),
    "short group headers": lambda: _ISA + _filled("GS*~", 400),
    "groups": lambda: _ISA + _filled("GS*PO*A*B*20260101*1200*1*X*004010~GE*0*1~", 400),
    "group trailers": lambda: _sets("GE*1*3~"),
    "headers of sets": lambda: _sets("ST*850*0001~"),
    "short headers of sets": lambda: _sets("ST*~"),
    "headers of sets nobody knows": lambda: _sets("ST*ZZZ*1~"),
    "headers of sets, a word each": lambda: _sets("ST~"),
    "trailers of sets": lambda: _sets("SE*1*1~"),
    "sets without content": lambda: _sets("ST*850*0001~SE*2*0001~"),
    "sets with a number each": _numbered_sets,
    "sets of one segment": lambda: _sets("ST*850*1~BEG~SE*3*1~"),
    "real sets, one number": lambda: _sets(_SMALL),
    "sets of every kind": lambda: _sets(
        "".join(f"ST*{kind}*1~SE*2*1~" for kind in ("850", "856", "810", "940", "945", "997", "820", "214"))
    ),
    "sets in acknowledgments": lambda: _sets("ST*997*1~SE*2*1~").replace("GS*PO", "GS*FA"),
    "binary segments of nothing": lambda: _in_order("BIN*0*~"),
    "binary segments that claim more": lambda: _in_order("BIN*999999*~"),
    "binary segments with endless lengths": lambda: _in_order("BIN*" + "9" * 5000 + "*~"),
    "binary segments with negative lengths": lambda: _in_order("BIN*-1*A~"),
    "a newline as terminator": lambda: _in_order("REF*DP*1\n", order=_ORDER.replace("~\n", "\n")),
    "a newline as terminator, and empty lines": lambda: _in_order("\n", order=_ORDER.replace("~\n", "\n")),
    "carriage returns between": lambda: _in_order("\r"),
    "blanks between": lambda: _in_order(" "),
    "wrapped at 80 columns": lambda: _wrapped(80),
    "wrapped at every byte": lambda: _wrapped(1),
    "alternating line ends": lambda: _in_order("REF*DP*1~\nREF*DP*1~\r\nREF*DP*1~"),
    "repetitions": lambda: _in_element("^").replace("*U*00401*", "*^*00501*").replace("004010", "005010"),
    "noise of separators": lambda: _noise(1, "*~>^\nA1"),
    "noise of letters": lambda: _noise(2, "ABCDEFGHIJKLMNOPQRSTUVWXYZ*~"),
    "noise of bytes": lambda: _noise(3, "".join(map(chr, range(256))).replace("IEA", "")),
    "noise of levels": lambda: _noise(4, "HLSE*~1"),
    "invisible characters": lambda: _in_order("REF*DP*\xe2\x80\xae~"),
    "control characters": lambda: _in_order("REF*\x00*\x07~"),
    "an alphanumeric separator": lambda: _in_order("REF*DP*1~").replace("*", "X"),
    "spaces as separator": lambda: _in_order("REF*DP*1~").replace("*", " "),
}


def bomb(name: str) -> bytes:
    data = BOMBS[name]().encode("latin-1")
    return data[:SIZE]
