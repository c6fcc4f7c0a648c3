"""Real messages nobody here wrote. `tests/samples/MANIFEST.tsv` tells where each is from and what its source
says of it; here stands what we find, and why, where that differs."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

import pytest
from edifact_support import events, faults, problems, shape

from edi import edifact
from edi.edifact import directory
from edi.problems import Fault, NotEdi, Severity
from edi.report import problems_in, report, structural
from edi.tree import NORMAL, Interchange, InterchangeEnd, Transaction
from x12 import codec as x12

SAMPLES = Path(__file__).parents[1] / "samples"
with (SAMPLES / "MANIFEST.tsv").open(newline="") as manifest:
    ROWS = {row["path"]: row for row in csv.DictReader(manifest, delimiter="\t")}
EDIFACT = sorted(path for path in ROWS if path.startswith("edifact/"))
FRAGMENTS = {path for path in EDIFACT if "FRAGMENT" in ROWS[path]["notes"]}
GOOD = [path for path in EDIFACT if path not in FRAGMENTS]

REFUSED = {
    # What the source refuses, by the fault its verdict or its name tells.
    "edifact/ORDERS/EDIandXML_OBOE__testFiles_orders.missingMandatoryElements": ("ELEMENT_MISSING", "DTM", 1),
    "edifact/ORDERS/EDIandXML_OBOE__testFiles_orders.missingMandatorySegments": (
        "SEGMENT_MISSING",
        "BGM",
        None,
    ),
    "edifact/ORDERS/anatoli308_edifacts__EDIFACT_DuplicateGroup.txt": ("CONTROL_NUMBER_REPEATED", "UNG", 5),
    "edifact/ORDERS/anatoli308_edifacts__EDIFACT_CorruptUnh.txt": ("HEADER_MISSING", "NH", None),
    "edifact/no-message/glasdam_edifact_converter__files_DIS20_ERROR_UNH0.edi": (
        *("CONTROL_NUMBER_MISMATCH", "UNT", 2),
    ),
    "edifact/no-message/glasdam_edifact_converter__files_DIS20_ERROR_UNH1.edi": (
        "HEADER_MISSING",
        "BGM",
        None,
    ),
    "edifact/ORDERS/hellooops_vscode-edi-support__docs_sample-invalid-version.edifact": (
        *("VERSION_UNKNOWN", "UNH", None),
    ),
    # Directories that are not defined here are refused as such, whatever else is wrong with them; the tests
    # of StAEDI are of rules for groups and of what a schema of its own allows.
    "edifact/INVOIC/xlate_staedi__EDIFACT_invoic_d97b_bad.edi": ("VERSION_UNKNOWN", "UNH", None),
    "edifact/INVOIC/xlate_staedi__stream_ErrorEventsTest.java.emb2.edi": ("CONDITION_UNMET", "UNG", 1),
    "edifact/INVOIC/xlate_staedi__stream_ErrorEventsTest.java.emb3.edi": ("CONDITION_UNMET", "UNG", 6),
    "edifact/INVOIC/xlate_staedi__stream_ErrorEventsTest.java.emb4.edi": ("VERSION_UNKNOWN", "UNH", None),
    "edifact/INVOIC/xlate_staedi__stream_ErrorEventsTest.java.emb5.edi": ("VERSION_UNKNOWN", "UNH", None),
    "edifact/INVOIC/xlate_staedi__stream_ErrorEventsTest.java.emb7.edi": ("HEADER_MISSING", "UNG", None),
}
EXPLAINED = dict(
    line.split(": ", 1)
    for line in (Path(__file__).parent / "edifact_samples_explained.txt").read_text().splitlines()
    if not line.startswith("#")
)


def data(path: str) -> bytes:
    return (SAMPLES / path).read_bytes()


@pytest.mark.parametrize("path", GOOD)
def test_a_real_file_is_read_to_its_last_segment(path: str) -> None:
    read = data(path)
    found = events(read)
    text = shape(found)
    assert text.startswith("I")
    assert text.endswith("i")
    assert text.count("I") == text.count("i")
    assert text.count("G") == text.count("g")
    for event in found:
        if isinstance(event, Transaction):
            verdict = edifact.check(event)
            assert len(verdict.rows) == len(event.segments)
            for position, segment in enumerate(event.segments, 1):
                there = read[event.offset_of(position) :].translate(None, b"\r\n")
                assert there.startswith(segment.split(NORMAL.element)[0].encode())


@pytest.mark.parametrize("path", sorted(FRAGMENTS))
def test_a_fragment_is_refused_and_told_what_it_lacks(path: str) -> None:
    with pytest.raises(NotEdi, match="begins with UNH: the interchange header UNB"):
        events(data(path))


@pytest.mark.parametrize("path", sorted(path for path in ROWS if path.startswith("x12/")))
def test_a_file_in_the_other_syntax_is_no_edifact(path: str) -> None:
    with pytest.raises(NotEdi):
        events(data(path))


@pytest.mark.parametrize("path", EDIFACT)
def test_edifact_is_no_x12(path: str) -> None:
    with pytest.raises(NotEdi):
        list(x12.read(io.BytesIO(data(path))))


@pytest.mark.parametrize("path", [p for p in GOOD if ROWS[p]["validity"] == "valid"])
def test_every_segment_of_a_valid_message_has_a_place(path: str) -> None:
    messages = [event for event in events(data(path)) if isinstance(event, Transaction)]
    assert messages
    for transaction in messages:
        verdict = edifact.check(transaction)
        if edifact.checker(transaction.type, transaction.version) is None:
            found = {p.fault for p in verdict.problems if p.severity is Severity.ERROR}
            assert found - {Fault.SET_UNKNOWN, Fault.VERSION_UNKNOWN} == set() or path in EXPLAINED
        else:
            assert verdict.places is not None
            assert verdict.status != "rejected" or path in EXPLAINED


@pytest.mark.parametrize("path", [p for p in GOOD if ROWS[p]["validity"] in ("valid", "valid?")])
def test_every_error_found_in_a_good_example_is_explained(path: str) -> None:
    told = set()
    for event in events(data(path)):
        found = edifact.check(event).problems if isinstance(event, Transaction) else event.problems
        told |= {p.fault for p in found if p.severity is Severity.ERROR}
    assert bool(told - {Fault.VERSION_UNKNOWN, Fault.SET_UNKNOWN}) == (path in EXPLAINED), told


@pytest.mark.parametrize("path", [p for p in GOOD if ROWS[p]["validity"] in ("valid", "valid?")])
def test_an_inspection_accepts_a_good_example_of_a_directory_that_is_not_defined_here(path: str) -> None:
    versions = [event.version for event in events(data(path)) if isinstance(event, Transaction)]
    if any(directory.base_version(version) for version in versions) or path in EXPLAINED:
        return
    value = report(iter(events(data(path))), structural(edifact.check))
    assert {p["severity"] for p in problems_in(value)} <= {"note", "warning"}
    messages = [t for i in value["interchanges"] for g in i["groups"] for t in g["transactions"]]
    assert {message["status"] for message in messages} <= {"accepted", "accepted_with_errors"}


@pytest.mark.parametrize("path", [p for p in EDIFACT if ROWS[p]["validity"] in ("invalid", "invalid?")])
def test_an_invalid_message_is_refused_with_the_fault_its_verdict_names(path: str) -> None:
    assert REFUSED[path] in faults(data(path))


@pytest.mark.parametrize("path", [p for p in EDIFACT if ROWS[p]["validity"] == "envelope-problem"])
def test_a_broken_envelope_is_told_as_its_manifest_row_tells_it(path: str) -> None:
    notes = ROWS[path]["notes"].partition("ENVELOPE PROBLEMS:")[2]
    read = data(path)
    found = {fault[:2] for fault in faults(read)}
    for words, expected in (
        ("UNT count", ("COUNT_MISMATCH", "UNT")),
        ("UNT ref", ("CONTROL_NUMBER_MISMATCH", "UNT")),
        ("UNZ ref", ("CONTROL_NUMBER_MISMATCH", "UNZ")),
        ("UNZ count", ("COUNT_MISMATCH", "UNZ")),
        ("UNB without UNZ", ("TRAILER_MISSING", "UNZ")),
        ("no UNZ", ("TRAILER_MISSING", "UNZ")),
        ("no UNT", ("TRAILER_MISSING", "UNT")),
        ("UNH without UNT", ("TRAILER_MISSING", "UNT")),
        ("after last terminator", ("SEPARATORS_INVALID", "UNB")),
    ):
        if words in notes and not _read_otherwise(words, read):
            assert expected in found, notes
    assert notes


def _read_otherwise(words: str, read: bytes) -> bool:
    """Where the manifest's count took empty segments, or one line for a whole file, for what they are not."""
    return (words == "UNT count" and b"''UNT" in read) or (words == "no UNZ" and b"\nUNZ+" in read)


def test_the_largest_file_is_read_and_told_what_it_is() -> None:
    """nerdocs/pydifact:tests/data/huge_file2.edi (MIT, fd117631b392), an order 8432 times in one message."""
    head = b"UNA:+,? '\nUNB+IATB:1+6XPPC+LHPPC+940101:0950+1'\nUNH+1+ORDERS:D:96A:UN:EAN008'\n"
    articles = enumerate((5020436373085, 5020436373108), 1)
    lines = "".join(f"LIN+{number}++{article}:EN'\nQTY+21:8'\nRFF+PD:99'\n" for number, article in articles)
    order = (
        "BGM+220::9+801715918011+9+NA'\nDTM+137:201508030000:203'\nDTM+2:201508060000:203'\nRFF+PD:50515'\n"
        "NAD+SU+5020436000004::9'\nNAD+BY+8711576000012::9'\nNAD+DP+8711576100019::9'\n" + lines
    )
    whole = head + order.encode() * 8432 + b"UNS+S'\nUNT+16+1'"
    assert (
        hashlib.sha256(whole).hexdigest()
        == "a5c0fdad6b6faf2b22a01a4467a692987535142ba4cbfeade2aba09a5386a565"
    )
    found = events(whole)
    assert shape(found) == "IGTgi"
    first = found[0]
    assert isinstance(first, Interchange)
    assert (first.version, first.separators.decimal) == ("IATB:1", ",")
    told = [(p.fault, p.segment) for p in problems(found) if p.severity is Severity.ERROR]
    assert told == [(Fault.LIMIT_EXCEEDED, "UNH"), (Fault.TRAILER_MISSING, "UNZ")]
    one = head + order.encode() + b"UNS+S'\nUNT+16+1'UNZ+1+1'"
    (transaction,) = (event for event in events(one) if isinstance(event, Transaction))
    assert [p.fault for p in edifact.check(transaction).problems if p.severity is Severity.ERROR] == []


def test_every_message_that_is_promised_is_defined_in_both_directories() -> None:
    promised = """
        ORDERS ORDRSP ORDCHG DESADV INVOIC INVRPT INSDES RECADV RETANN REMADV SLSRPT DELFOR IFTMIN IFTSTA
        OSTRPT APERAK CONTRL
    """
    for version in directory.VERSIONS:
        assert set(promised.split()) <= set(directory.sets(version))
    assert all(isinstance(event, InterchangeEnd) for event in events(data(GOOD[0]))[-1:])
