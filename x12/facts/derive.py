"""Derives the tables beside this file from published renderings of X12; run when a source changes.

    python x12/facts/derive.py VSCODE_EDI_SUPPORT_SCHEMAS SOFTWAREAG_4010_SEF STAEDI_X12_COMMON

The first argument is the `schemas` folder of hellooops/vscode-edi-support (MIT): structures, segments and
code lists of 00401 and 00501. The second is `4010.sef` of SoftwareAG/webmethods-b2b-integration-edi-samples
(Apache-2.0): element types, lengths and syntax notes. The third is the `X12_common.xml` of xlate/staedi
(Apache-2.0): the segments of the interchange, which the first lacks. Only facts are taken: ids, order,
requirement, maximum use, types, lengths, codes and short names; no descriptions.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

SETS = """
180 204 210 214 753 754 810 816 820 824 830 832 846 850 852 855 856 860 861 862 865 867 869 870 875 880
940 943 944 945 947 990 997 999
""".split()  # noqa: SIM905  (one a line would be no easier to read)
VERSIONS = {"004010": "00401", "005010": "00501"}
LONGEST_MEANING = 60
SERVICE = ("ISA", "TA1", "IEA", "GS", "GE")
STAEDI_TYPES = {"identifier": "ID", "string": "AN", "numeric": "N0", "date": "DT", "time": "TM"}
LATER = {("004010", "ST"): ("1705",)}  # elements that one source has before the version that brought them
JOINED = ("479",)  # code lists that are those of either source
NOTES = {  # of 005010 on elements that 004010 has not, as implementation guides of it print them
    "DMG": "P0102 P1011 C1105",
    "MEA": "R03050608 E0412 L050412 L060412 L07030506 E0803 P1112",
    "N4": "E0207 C0605 C0704",
    "NM1": "P0809 C1110 C1203",
}
RENUMBERED = {"330": "380", "358": "380", "382": "380"}  # particular quantities that 005010 calls 380
HERE = Path(__file__).parent


def sef_sections(path: Path) -> dict[str, dict[str, str]]:
    """The `key=value` lines of a SEF file by section."""
    sections: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in path.read_text("latin-1").splitlines():
        if line.startswith("."):
            current = sections.setdefault(line.split()[0], {})
        elif "=" in line:
            key, value = line.split("=", 1)
            current[key] = value
    return sections


def sef_elements(text: str) -> list[str]:
    """The element ids of a SEF segment or composite, repeats written out."""
    ids: list[str] = []
    for count, group, single in re.findall(
        r"\{(\d+)((?:\[[^\]]*\])+)\}|\[([^\]]*)\]", text.partition("+")[0]
    ):
        ids += re.findall(r"\[([^,\]]*)", group) * int(count) if count else [single.split(",")[0]]
    return ids


def sef_notes(text: str) -> list[str]:
    return re.findall(r"[PRECL](?:\d\d)+", text.partition("+")[2])


def service_segments(path: Path) -> dict[str, dict[str, Any]]:
    """The segments of SERVICE as StAEDI has them, in the form of the first source."""
    root = ElementTree.parse(path).getroot()  # noqa: S314  (a source of our choice)
    space = root.tag.partition("}")[0] + "}"
    elements = {}
    for kind in root.iter(f"{space}elementType"):
        codes = {value.text: "" for value in kind.iter(f"{space}value")}
        elements[kind.get("name")] = {
            "Id": kind.get("code", kind.get("name")),
            "Desc": kind.get("title"),
            "DataType": STAEDI_TYPES[kind.get("base", "")],
            "MinLength": int(kind.get("minLength", 1)),
            "MaxLength": int(kind.get("maxLength", 1)),
            "Codes": codes,
        }
    segments = {}
    for segment in root.iter(f"{space}segmentType"):
        uses = [(use.get("type"), use.get("minOccurs")) for use in segment.iter(f"{space}element")]
        segments[segment.get("name", "")] = {
            "Desc": segment.get("title"),
            "Elements": [{**elements[name], "Required": least == "1"} for name, least in uses],
        }
    isa = "I01 I02 I03 I04 I05 I06 I05 I07 I08 I09 I65 I11 I12 I13 I14 I15"  # X12.5; StAEDI has it elsewhere
    segments["ISA"] = {
        "Desc": "Interchange Control Header",
        "Elements": [{**elements[name], "Required": True} for name in isa.split()],
    }
    return {tag: segments[tag] for tag in SERVICE}


def short(name: str) -> str:
    """A name without its explanations."""
    name = re.sub(r"\s*\([^)]*\)?", "", name).split(";")[0].strip()
    return re.sub(r"[\s|]+", " ", name)


class Source(NamedTuple):
    """What the first source has of one version."""

    structures: dict[str, list[dict[str, Any]]]
    segments: dict[str, Any]
    lists: dict[str, dict[str, str]]


def published(schemas: Path, release: str) -> Source:
    facts = json.loads((schemas / f"{release}.json").read_text())
    structures = json.loads((schemas / f"{release}_versions.json").read_text())["DocumentTypes"]
    kinds = {key.partition("_")[2]: value.get("TransactionSet") for key, value in structures.items()}
    return Source(
        {name: kinds[name] for name in SETS if name in kinds}, facts["Segments"], facts["Qualifiers"]
    )


class Version:
    """One version's tables under construction."""

    def __init__(
        self, version: str, schemas: Path, sef: dict[str, dict[str, str]], service: dict[str, Any]
    ) -> None:
        self.version = version
        self.structures, self.segments, self.lists = published(schemas, VERSIONS[version])
        self.segments |= service
        self.sef = sef
        self.elements: dict[str, tuple[str, int, int, str]] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.rows: dict[str, str] = {}

    def derive(self, target: Path) -> dict[str, dict[str, str]]:
        target.mkdir(exist_ok=True)
        functional = {
            number: code
            for code, name in self.lists["Functional Identifier Code"].items()
            for number in re.findall(r"\b\d{3}\b", name)
        }
        lines: list[str] = []
        for name, structure in self.structures.items():
            title = self.lists["Transaction Set Identifier Code"][name]
            lines.append(f"{name} {functional[name]} {title}")
            self.structure_lines(structure, 1, lines)
        for tag in SERVICE:
            self.segment(tag)
        write(target / "sets.txt", lines)
        write(target / "segments.tsv", [self.rows[tag] for tag in sorted(self.rows)])
        write(
            target / "elements.tsv",
            [f"{i}\t{t}\t{low}\t{high}\t{name}" for i, (t, low, high, name) in sorted(self.elements.items())],
        )
        write(target / "codes.tsv", [f"{i}\t{' '.join(sorted(self.codes[i]))}" for i in sorted(self.codes)])
        return self.codes

    def structure_lines(self, nodes: list[dict[str, Any]], depth: int, lines: list[str]) -> None:
        for node in nodes:
            requirement = "O" if node.get("Min") == 0 else "M"
            most = ">1" if node.get("Max") == "unbounded" else str(node.get("Max", 1))
            if "Loop" in node:
                lines.append(f"{'  ' * depth}loop {node['Loop'][0]['Id']} {requirement} {most}")
                self.structure_lines(node["Loop"], depth + 1, lines)
            else:
                lines.append(f"{'  ' * depth}{node['Id']} {requirement} {most}")
                self.segment(node["Id"])

    def segment(self, tag: str) -> None:
        if tag not in self.rows:
            segment = self.segments[tag]
            elements = [e for e in segment["Elements"] if e["Id"] not in LATER.get((self.version, tag), ())]
            self.row(tag, segment["Desc"], elements, self.sef[".SEGS"].get(tag, ""))

    def row(self, tag: str, name: str, elements: list[dict[str, Any]], sef: str) -> None:
        """A segment's or composite's line, with the notes on elements that both sources agree about."""
        ours = [RENUMBERED.get(e["Id"], e["Id"]) for e in elements]
        theirs = [RENUMBERED.get(i, i) for i in sef_elements(sef)]
        notes = []
        for note in sef_notes(sef):
            places = [int(note[i : i + 2]) - 1 for i in range(1, len(note), 2)]
            if max(places) < len(ours) and all(ours[p] == theirs[p] for p in places):
                notes.append(note)
        if self.version == "005010" and tag in NOTES:
            notes = NOTES[tag].split()
        conditional = {int(n[i : i + 2]) for n in notes for i in range(1, len(n), 2)}
        uses = []
        for position, element in enumerate(elements, 1):
            requirement = "M" if element["Required"] else "X" if position in conditional else "O"
            uses.append(element["Id"] + requirement + (str(element["Repeat"]) if "Repeat" in element else ""))
            self.element(element, kept=tag in SERVICE)
        self.rows[tag] = "\t".join((tag, short(name), " ".join(uses), " ".join(notes)))

    def element(self, element: dict[str, Any], *, kept: bool) -> None:
        """Notes an element; one that is `kept` is not changed by a segment from elsewhere."""
        identity, name = element["Id"], short(element["Desc"])
        if "Components" in element:
            if identity not in self.rows:
                self.row(identity, name, element["Components"], self.sef[".COMS"].get(identity, ""))
            return
        if kept and identity in self.elements:
            return
        if codes := self.lists.get(element.get("QualifierRef", "")) or element.get("Codes"):
            if identity in JOINED:
                codes = dict.fromkeys(self.sef[".CODES"][identity].split(","), "") | codes
            self.codes[identity] = {code: short(meaning) for code, meaning in codes.items()}
        kind, low, high = self.type_and_lengths(element)
        if previous := self.elements.get(identity):
            low, high = min(low, previous[1]), max(high, previous[2])
        self.elements[identity] = (kind, low, high, name)

    def type_and_lengths(self, element: dict[str, Any]) -> tuple[str, int, int]:
        """SEF knows N2 from N0 and the lengths of coded elements; this version's own lengths go before it."""
        identity = element["Id"]
        if identity in self.sef[".ELMS"]:
            kind, low, high = self.sef[".ELMS"][identity].split(",")
            shortest, longest = int(low), int(high)
        else:
            kind, shortest, longest = element.get("DataType", "ID"), 1, 0
        if "MaxLength" in element:
            shortest, longest = element["MinLength"] or shortest, element["MaxLength"]
        elif identity in self.codes:
            lengths = [len(code) for code in self.codes[identity]]
            shortest = min(lengths) if longest == 0 else shortest
            longest = max(longest, *lengths)
        return ("N0" if kind == "N" else kind), shortest, longest


def write(path: Path, lines: list[str]) -> None:
    path.write_text("".join(line + "\n" for line in lines))


def main(schemas: Path, sef: Path, staedi: Path) -> None:
    sections, service = sef_sections(sef), service_segments(staedi)
    meanings: dict[str, dict[str, str]] = {}
    for version in VERSIONS:
        for element, codes in Version(version, schemas, sections, service).derive(HERE / version).items():
            meanings.setdefault(element, {}).update(codes)
    write(
        HERE / "meanings.tsv",
        [
            f"{element}\t{code}\t{meanings[element][code]}"
            for element in sorted(meanings)
            for code in sorted(meanings[element])
            if 0 < len(meanings[element][code]) <= LONGEST_MEANING
        ],
    )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
