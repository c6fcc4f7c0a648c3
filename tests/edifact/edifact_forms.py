"""Interchanges in every form that ISO 9735 knows, written without the writer; where each value stands."""

from __future__ import annotations

import random
from typing import NamedTuple

from hypothesis import strategies as st

from edi.edifact.codec import CHARACTER_SETS
from edi.tree import NORMAL

Place = tuple[int, int, int]  # position of the segment, element, component; from 1

_SERVICE = "+:'*?|~#!;^%&"
_SYNTAXES = [
    (name, version) for name in CHARACTER_SETS if name not in ("UNOX",) for version in "1234"
]  # UNOX has a test of its own
_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,-()/=!\"%&*;<>'+:?"


class Form(NamedTuple):
    """How an interchange is written."""

    syntax: str
    version: str
    element: str
    component: str
    terminator: str
    repetition: str  # "" where there is none
    release: str  # "" where there is none
    una: bool
    line_end: str
    wraps: float  # how often a line end stands within a segment
    spare: float  # how often a character is released that needs not be
    padded: bool  # blanks before segments, terminators given twice


class Written(NamedTuple):
    """An interchange with one message, and what is to be read of it."""

    data: bytes
    segments: tuple[str, ...]
    places: dict[Place, int]  # of the first byte of each value that is there


def letters(syntax: str) -> str:
    """Characters that a character set has: those of UNOA, and what is beyond ASCII."""
    name = CHARACTER_SETS[syntax]
    if name == "ascii":
        return _UPPER
    if name == "utf-8":
        return _UPPER + "abcäß€日本😀\xa0\u0301Ω"
    whole = bytes(range(0xA1, 0x100)).decode(name, "ignore")
    return _UPPER + "abcxyz" + "".join(c for c in whole if c.isprintable())


@st.composite
def forms(draw: st.DrawFn) -> Form:
    syntax, version = draw(st.sampled_from(_SYNTAXES))
    usual = draw(st.booleans())
    service = list("+:'*?") if usual else draw(st.permutations(_SERVICE))[:5]
    element, component, terminator, repetition, release = service
    repetition = repetition if version == "4" else ""
    release = release if usual else draw(st.sampled_from([release, ""]))
    lines = not usual and draw(st.sampled_from([False, False, True]))
    if lines:
        terminator = "\n"
    return Form(
        *(syntax, version, element, component, terminator, repetition, release),
        una=not usual or draw(st.booleans()),
        line_end="" if lines else draw(st.sampled_from(["", "\n", "\r\n"])),
        wraps=0 if lines else draw(st.sampled_from([0, 0, 0.02, 0.5])),
        spare=draw(st.sampled_from([0, 0, 0.2])),
        padded=draw(st.sampled_from([False, False, True])),
    )


@st.composite
def written(draw: st.DrawFn) -> Written:
    form = draw(forms())
    data = letters(form.syntax)
    if not form.release:
        data = "".join(
            c for c in data if c not in (form.element, form.component, form.terminator, form.repetition)
        )
    value = st.text(st.sampled_from(data), max_size=8)
    repeats = st.integers(1, 3 if form.repetition else 1)
    composite = st.lists(value, min_size=1, max_size=4)
    element = repeats.flatmap(lambda n: st.lists(composite, min_size=n, max_size=n))
    segment = st.tuples(
        st.sampled_from(["FTX", "BGM", "NAD", "RFF", "UNS", "ZZZ"]), st.lists(element, min_size=1, max_size=4)
    )
    body = draw(st.lists(segment, min_size=1, max_size=6))
    number = draw(st.text(st.sampled_from(data.replace(" ", "")), min_size=1, max_size=14))
    return write(form, body, number, random.Random(draw(st.integers(0, 2**32))))


def write(
    form: Form, body: list[tuple[str, list[list[list[str]]]]], number: str, chance: random.Random
) -> Written:
    """An interchange with the message of these segments: tags and elements, each a list of repetitions."""
    character_set = CHARACTER_SETS[form.syntax]
    day = "20260106" if form.version == "4" else "260106"
    out = bytearray(b"\xef\xbb\xbf" if character_set == "utf-8" and chance.random() < 0.1 else b"")
    if form.una:
        una = form.component + form.element + "." + (form.release or " ") + (form.repetition or " ")
        out += f"UNA{una}{form.terminator}{form.line_end}".encode("latin-1")
    header = [[["1"]], [["ORDERS", "D", "96A", "UN"]]]
    header[0] = [[number]]
    segments = [("UNH", header), *body, ("UNT", [[[str(len(body) + 2)]], [[number]]])]
    unb = [[[form.syntax, form.version]], [["A"]], [["B"]], [[day, "1200"]], [[number]]]
    whole = [("UNB", unb), *segments, ("UNZ", [[["1"]], [[number]]])]
    places: dict[Place, int] = {}
    normal: list[str] = []

    def wrap() -> None:
        while chance.random() < form.wraps:
            out.extend(chance.choice([b"\n", b"\r\n"]))

    for position, (tag, elements) in enumerate(whole):
        if form.padded and position and chance.random() < 0.5:
            out += chance.choice([b" ", b"\t ", form.terminator.encode("latin-1")])
        if position:
            places[position, 0, 0] = len(out)
        out += tag.encode()
        text = tag
        for at, repetitions in enumerate(elements, 1):
            wrap() if position else None
            out += form.element.encode("latin-1")
            for number_of, components in enumerate(repetitions):
                if number_of:
                    wrap()
                    out += form.repetition.encode("latin-1")
                for inner, value in enumerate(components, 1):
                    if inner > 1:
                        wrap()
                        out += form.component.encode("latin-1")
                    for first, character in enumerate(value):
                        wrap() if position else None
                        if not first and not number_of:
                            places[position, at, inner] = len(out)
                        service = character in (form.element, form.component, form.terminator, form.release)
                        service = service or character == form.repetition
                        if form.release and (service or chance.random() < form.spare):
                            out += form.release.encode("latin-1")
                            wrap() if position else None
                        out += character.encode(character_set)
        wrap() if position else None
        out += form.terminator.encode("latin-1")
        out += form.line_end.encode()
        joined = (
            NORMAL.repetition.join(NORMAL.component.join(components) for components in repetitions)
            for repetitions in elements
        )
        normal.append(NORMAL.element.join([text, *joined]))
    message = {place: at for place, at in places.items() if 0 < place[0] <= len(segments)}
    return Written(bytes(out), tuple(normal[1:-1]), message)
