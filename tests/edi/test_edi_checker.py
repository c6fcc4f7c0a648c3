"""The compiler on small definitions made here, so that each rule of structure stands alone."""

from __future__ import annotations

import pytest

from edi.checker import compile_checker
from edi.elements import row_check
from edi.problems import Fault
from edi.schema import Check, ElementDef, ElementUse, LoopDef, SegmentDef, SegmentUse, SetDef, SyntaxNote
from edi.tree import Separators, Transaction

WORD = ElementDef("1", "Word", "AN", 1, 10)
NUMBER = ElementDef("2", "Number", "R", 1, 5)


def segment(tag: str, requirement: str = "O", notes: tuple[SyntaxNote, ...] = ()) -> SegmentDef:
    return SegmentDef(tag, tag.lower(), (ElementUse(WORD, requirement), ElementUse(NUMBER, "O")), notes)


def build(text: str) -> SetDef:
    """A set from words: `A` optional once, `A!` mandatory, `A*3` up to three, `A*` any; `( )` is a loop that
    begins with its first word and repeats as that is marked."""
    words = text.replace("(", " ( ").replace(")", " ) ").split()
    nodes: list[SegmentUse] = []

    def children(at: int, loops: tuple[str, ...]) -> tuple[list[SegmentUse | LoopDef], int]:
        found: list[SegmentUse | LoopDef] = []
        while at < len(words) and words[at] != ")":
            if words[at] == "(":
                tag, requirement, most = parse(words[at + 1])
                words[at + 1] = tag + "!"
                inner, at = children(at + 1, (*loops, tag))
                found.append(LoopDef(tag, requirement, most, tuple(inner)))
            else:
                tag, requirement, most = parse(words[at])
                use = SegmentUse(
                    segment(tag), requirement, most, len(nodes), loops, bool(loops) and not found
                )
                nodes.append(use)
                found.append(use)
            at += 1
        return found, at

    top, _ = children(0, ())
    return SetDef("T", "1", "Test", "TT", tuple(top), tuple(nodes), (), frozenset({"OTHER"}))


def parse(word: str) -> tuple[str, str, int]:
    tag, star, most = word.partition("*")
    return tag.rstrip("!"), "M" if "!" in word else "O", int(most or 0) if star else 1


def run(definition: SetDef, tags: str) -> Check:
    rows = tuple(f"{tag}*x" for tag in tags.split())
    return compile_checker(definition).check(Transaction("T", "1", "1", Separators(), rows, 0))


def told(check: Check) -> list[tuple[Fault, str | None, int | None]]:
    return [(p.fault, p.segment, p.position) for p in check.problems]


PLAIN = "ST! A! B*2 (L*2 C*3 (K* D)) E SE!"


@pytest.mark.parametrize(
    ("tags", "places"),
    [
        ("ST A SE", (0, 1, 7)),
        ("ST A B B E SE", (0, 1, 2, 2, 6, 7)),
        ("ST A L L SE", (0, 1, 3, 3, 7)),
        ("ST A L C C C K D K K D L K SE", (0, 1, 3, 4, 4, 4, 5, 8, 5, 5, 8, 3, 5, 7)),
    ],
)
def test_segments_are_placed_where_the_definition_has_them(tags: str, places: tuple[int, ...]) -> None:
    definition = build(PLAIN)
    names = [use.segment.tag for use in definition.nodes]
    check = run(definition, tags)
    assert check.status == "accepted"
    assert check.places is not None
    assert [names[place] for place in check.places] == tags.split()
    assert len(places) == len(check.places)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("ST SE", [(Fault.SEGMENT_MISSING, "A", 2)]),
        ("ST A B B B SE", [(Fault.SEGMENT_TOO_OFTEN, "B", 5)]),
        ("ST A L L L SE", [(Fault.LOOP_TOO_OFTEN, "L", 5)]),
        ("ST A L C C C C SE", [(Fault.SEGMENT_TOO_OFTEN, "C", 7)]),
        ("ST A E B SE", [(Fault.SEGMENT_OUT_OF_ORDER, "B", 4)]),
        ("ST A D SE", [(Fault.SEGMENT_OUT_OF_ORDER, "D", 3)]),
        ("ST A OTHER SE", [(Fault.SEGMENT_NOT_IN_SET, "OTHER", 3)]),
        ("ST A NONE SE", [(Fault.SEGMENT_UNKNOWN, "NONE", 3)]),
        ("ST A", [(Fault.SEGMENT_MISSING, "SE", 2)]),
        ("A SE", [(Fault.SEGMENT_MISSING, "ST", 1)]),
        ("ST A SE SE", [(Fault.SEGMENT_TOO_OFTEN, "SE", 4)]),
    ],
)
def test_each_rule_of_structure_has_its_fault_and_place(
    tags: str, expected: list[tuple[Fault, str, int]]
) -> None:
    assert told(run(build(PLAIN), tags)) == expected


def test_a_fault_does_not_hide_what_follows_it() -> None:
    check = run(build(PLAIN), "ST NONE B B B L L L SE")
    assert told(check) == [
        (Fault.SEGMENT_UNKNOWN, "NONE", 2),
        (Fault.SEGMENT_MISSING, "A", 3),
        (Fault.SEGMENT_TOO_OFTEN, "B", 5),
        (Fault.LOOP_TOO_OFTEN, "L", 8),
    ]
    assert check.places is None


def test_a_mandatory_segment_of_a_loop_is_missed_only_where_the_loop_is_there() -> None:
    definition = build("ST! (L* A!) SE!")
    assert run(definition, "ST SE").status == "accepted"
    assert run(definition, "ST L A L A SE").status == "accepted"
    assert told(run(definition, "ST L L A SE")) == [(Fault.SEGMENT_MISSING, "A", 3)]


def test_the_nearest_place_takes_a_segment_that_has_several() -> None:
    definition = build("ST! R*2 (L* R*1 (M R)) R*5 SE!")
    check = run(definition, "ST R R L R M R R R SE")
    assert check.status == "accepted"
    assert check.places == (0, 1, 1, 2, 3, 4, 5, 6, 6, 7)


def test_counts_beyond_a_thousand_are_still_exact() -> None:
    definition = build("ST! A*1500 SE!")
    assert run(definition, "ST " + "A " * 1500 + "SE").status == "accepted"
    assert told(run(definition, "ST " + "A " * 1501 + "SE")) == [(Fault.SEGMENT_TOO_OFTEN, "A", 1502)]


def test_counts_up_to_a_thousand_do_not_grow_the_automaton_without_bound() -> None:
    definition = build("ST! (L*900 (M*900 N*900)) SE!")
    tags = "ST " + ("L " + "M N N " * 40) * 60 + "SE"
    assert run(definition, tags).status == "accepted"


NOTE_CASES = [
    ("P", (1, 2), {"": True, "*": True, "a*1": True, "a": False, "*1": False}),
    ("R", (1, 2), {"": False, "*": False, "a*1": True, "a": True, "*1": True}),
    ("E", (1, 2), {"": True, "a*1": False, "a": True, "*1": True}),
    ("C", (1, 2), {"": True, "a*1": True, "a": False, "*1": True}),
    ("L", (1, 2), {"": True, "a*1": True, "a": False, "*1": True}),
]


@pytest.mark.parametrize(("kind", "positions", "cases"), NOTE_CASES)
def test_syntax_notes_mean_what_x12_6_says(
    kind: str, positions: tuple[int, ...], cases: dict[str, bool]
) -> None:
    definition = segment("A", notes=(SyntaxNote(kind, positions),))
    for text, good in cases.items():
        row = ["A", *text.split("*")] if text else ["A"]
        assert bool(row_check(definition, len(row) - 1)(row)) is good, text
