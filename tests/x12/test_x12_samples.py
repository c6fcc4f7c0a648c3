"""Real documents nobody here wrote. `tests/samples/MANIFEST.tsv` tells where each is from and what its source
says of it; here stands what we find, and why, where that differs."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from x12_support import events, faults, shape

import x12
from edi.problems import Fault, NotEdi, Severity
from edi.tree import Transaction
from x12 import dictionary

SAMPLES = Path(__file__).parents[1] / "samples"
with (SAMPLES / "MANIFEST.tsv").open(newline="") as manifest:
    ROWS = {row["path"]: row for row in csv.DictReader(manifest, delimiter="\t")}
X12 = sorted(path for path in ROWS if path.startswith("x12/"))
FRAGMENTS = {path for path in X12 if "fragment: no ISA" in ROWS[path]["notes"]}

REFUSED = {
    # What the source refuses, by the fault its verdict names.
    "x12/180/apimeister_x12-types__180_v005010_full.edi": ("COUNT_MISMATCH", "SE", 1),
    "x12/753/apimeister_x12-types__753_v005010_full.edi": ("COUNT_MISMATCH", "SE", 1),
    "x12/943/apimeister_x12-types__943_v005010_full.edi": ("COUNT_MISMATCH", "SE", 1),
    "x12/945/apimeister_x12-types__945_v005010_full.edi": ("COUNT_MISMATCH", "SE", 1),
    "x12/940/olmelabs_EdiEngine__TestData_940_Failed_SE01.edi": ("COUNT_MISMATCH", "SE", 1),
    "x12/997/xlate_staedi__x12_invalid997.edi": ("TOO_LONG", "AK1", 1),
    # "GE02 too long and not numeric"; the reader says first that it is not the number of GS06.
    "x12/997/xlate_staedi__x12_invalid997_min.edi": ("CONTROL_NUMBER_MISMATCH", "GE", 2),
    # A street and city stand in one N1 segment, whose elements they overflow; SE01 is wrong too.
    "x12/856/kputnam_stupidedi__fail_2.edi": ("ELEMENT_NOT_DEFINED", "N1", 7),
    "x12/832/kputnam_stupidedi__fail_1.edi": ("COUNT_MISMATCH", "SE", 1),
    # The unit DZN has three letters; 004010 has codes of two.
    "x12/855/kputnam_stupidedi__fail_2.edi": ("TOO_LONG", "PO1", 3),
    # Versions and sets that are not defined here are refused as such, whatever else is wrong with them.
    "x12/830/kputnam_stupidedi__fail_1.edi": ("VERSION_UNKNOWN", "ST", None),
    "x12/850/2_kputnam_stupidedi__fail_1.edi": ("VERSION_UNKNOWN", "ST", None),
    "x12/856/kputnam_stupidedi__fail_1.edi": ("VERSION_UNKNOWN", "ST", None),
    "x12/860/kputnam_stupidedi__fail_1.edi": ("VERSION_UNKNOWN", "ST", None),
    "x12/006/EDIandXML_OBOE__testFiles_EquivalentSegmentTestMessage.002": ("SET_UNKNOWN", "ST", 1),
    "x12/006/EDIandXML_OBOE__testFiles_EquivalentSegmentTestMessage.003": ("SET_UNKNOWN", "ST", 1),
}
DISAGREED = {
    # The source's parser finds this ambiguous in its own grammar. In the published structure of 004010 every
    # segment has exactly one nearest place (REF after JIT is of the JIT loop), and all values conform.
    "x12/862/kputnam_stupidedi__fail_1.edi",
    # A fragment without ISA is refused before SE01 can be counted.
    "x12/869/apimeister_x12-types__869_v005010_fragment.edi",
}
EXPLAINED = dict(
    line.split(": ", 1)
    for line in (Path(__file__).parent / "x12_samples_explained.txt").read_text().splitlines()
    if not line.startswith("#")
)
GOOD = [p for p in X12 if p not in FRAGMENTS]


def data(path: str) -> bytes:
    return (SAMPLES / path).read_bytes()


@pytest.mark.parametrize("path", [path for path in X12 if path not in FRAGMENTS])
def test_a_real_file_is_read_to_its_last_segment(path: str) -> None:
    found = events(data(path))
    text = shape(found)
    assert text.startswith("I")
    assert text.endswith("i")
    assert text.count("I") == text.count("i")
    assert text.count("G") == text.count("g")
    separated = data(path).decode("latin-1")
    for event in found:
        if isinstance(event, Transaction):
            verdict = x12.check(event)
            assert len(verdict.rows) == len(event.segments)
            starts = event.offsets or (event.offset,)
            for start, segment in zip(starts, event.segments, strict=False):
                assert separated[start:].startswith(segment[:2])


@pytest.mark.parametrize("path", sorted(FRAGMENTS))
def test_a_fragment_is_refused_and_told_what_it_lacks(path: str) -> None:
    with pytest.raises(NotEdi, match="begins with ST: the headers ISA and GS"):
        events(data(path))


@pytest.mark.parametrize("path", sorted(path for path in ROWS if path.startswith("edifact/")))
def test_a_file_in_the_other_syntax_is_no_x12(path: str) -> None:
    with pytest.raises(NotEdi):
        events(data(path))


@pytest.mark.parametrize("path", [p for p in GOOD if ROWS[p]["validity"] == "valid"])
def test_every_segment_of_a_valid_document_has_a_place(path: str) -> None:
    sets = [event for event in events(data(path)) if isinstance(event, Transaction)]
    assert bool(sets) == (ROWS[path]["set"] != "TA1")
    for transaction in sets:
        verdict = x12.check(transaction)
        if x12.checker(transaction.type, transaction.version) is None:
            assert {p.fault for p in verdict.problems} <= {Fault.SET_UNKNOWN, Fault.VERSION_UNKNOWN}
        else:
            assert verdict.places is not None
            assert verdict.status != "rejected" or path in EXPLAINED


@pytest.mark.parametrize("path", [p for p in GOOD if ROWS[p]["validity"] in ("valid", "valid?")])
def test_every_error_found_in_a_good_example_is_explained(path: str) -> None:
    rejected = False
    for event in events(data(path)):
        if isinstance(event, Transaction):
            known = x12.checker(event.type, event.version) is not None
            rejected = rejected or (known and x12.check(event).status == "rejected")
        else:
            rejected = rejected or any(p.severity is Severity.ERROR for p in event.problems)
    assert rejected == (path in EXPLAINED)


@pytest.mark.parametrize("path", [p for p in X12 if ROWS[p]["validity"] == "invalid" and p not in DISAGREED])
def test_an_invalid_document_is_refused_with_the_fault_its_verdict_names(path: str) -> None:
    assert REFUSED[path] in faults(data(path))


@pytest.mark.parametrize("path", sorted(DISAGREED - FRAGMENTS))
def test_a_document_we_disagree_about_has_a_place_for_every_segment_and_no_fault(path: str) -> None:
    for transaction in (event for event in events(data(path)) if isinstance(event, Transaction)):
        verdict = x12.check(transaction)
        assert (verdict.status, verdict.problems) == ("accepted", ())
        assert verdict.places is not None


@pytest.mark.parametrize("path", [p for p in X12 if ROWS[p]["validity"] == "envelope-problem"])
def test_a_broken_envelope_is_told_as_its_manifest_row_tells_it(path: str) -> None:
    notes = ROWS[path]["notes"].partition("ENVELOPE PROBLEMS:")[2]
    found = {fault[:2] for fault in faults(data(path))}
    read = data(path)
    for words, expected in (
        ("ISA element widths", ("ENVELOPE_MALFORMED", "ISA")),
        ("SE01=", ("COUNT_MISMATCH", "SE")),
        ("SE02!=ST02", ("CONTROL_NUMBER_MISMATCH", "SE")),
        ("no IEA", ("TRAILER_MISSING", "IEA")),
        ("ST outside GS", ("HEADER_MISSING", "GS")),
        ("GS without GE", ("TRAILER_MISSING", "GE")),
        ("IEA01=", ("COUNT_MISMATCH", "IEA")),
    ):
        if words in notes and not _counted_differently(words, notes, read):
            assert expected in found, notes
    if "GE02!=GS06" in notes and b"~\n" not in read[-40:]:
        assert ("CONTROL_NUMBER_MISMATCH", "GE") in found


def _counted_differently(words: str, notes: str, read: bytes) -> bool:
    """An implied group counts, so IEA01=1 beside sets without GS is right by our count."""
    return words == "IEA01=" and "ST outside GS" in notes


def test_every_set_that_is_promised_is_defined_in_both_versions() -> None:
    promised = """
        850 855 856 860 865 810 820 824 830 832 846 852 861 862 867 869 870 875 880 816 180 204 990 210 214
        753 754 940 943 944 945 947 997 999
    """
    for version in dictionary.VERSIONS:
        assert set(promised.split()) <= set(dictionary.sets(version))
    assert dictionary.segment("TA1", "004010") is not None
