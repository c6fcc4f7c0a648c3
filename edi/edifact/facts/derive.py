"""Derives the tables of the directories beside this file from a published rendering; run when it changes.

    python edi/edifact/facts/derive.py VSCODE_EDI_SUPPORT_SCHEMAS

The argument is the `schemas` folder of hellooops/vscode-edi-support (MIT): structures, segments, elements and
code lists of D.96A and D.01B. It gives an element whose length is fixed (a1, an3, n4) a least length, and 0
to all others (an..35), which have at least one character. Segment groups bear there the tag of their trigger;
the directory numbers them in the order of their triggers, and so do the tables. Only facts are taken: ids,
order, status, maximum use, types, lengths, codes and short names; no descriptions.

`service/` is not derived. It is written from ISO 9735: in `3` the service segments as syntax versions 1 to 3
have them, in `4` those of version 4 (with element 0076 of its second release) and the message CONTRL, so that
both versions of it are held. The code lists 0007 and 0133 are those of the schemas of xlate/staedi
(Apache-2.0), 0007 with ZZ, which is met often. A test holds both folders against those schemas.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

MESSAGES = """
APERAK DELFOR DESADV IFTMIN IFTSTA INSDES INVOIC INVRPT ORDCHG ORDERS ORDRSP OSTRPT RECADV REMADV RETANN
SLSRPT
""".split()  # noqa: SIM905  (one a line would be no easier to read)
FORMAT = re.compile(r"[CYMDHSWZAPQ]+(?:-[CYMDHSWZAPQ]+)?")  # of a date, 2379, whose letters say it
DIRECTORIES = {"D.96A": "D96A", "D.01B": "D01B"}
NAMES_OF_MESSAGES = {"D.96A": "Message type identifier", "D.01B": "Message type"}
SERVICE = ("UNH", "UNS", "UNT")  # in `service/`
LONGEST_MEANING = 60
HERE = Path(__file__).parent


def short(name: str) -> str:
    """A name without its explanations, and not in capitals."""
    name = re.sub(r"\s*\([^)]*\)?", "", name).split(";")[0].strip()
    name = re.sub(r"[\s|]+", " ", name)
    return name.capitalize() if name.isupper() and not FORMAT.fullmatch(name) else name


class Source(NamedTuple):
    """What the source has of one directory."""

    structures: dict[str, list[dict[str, Any]]]
    segments: dict[str, Any]
    lists: dict[str, dict[str, str]]


def published(schemas: Path, directory: str) -> Source:
    release = DIRECTORIES[directory]
    facts = json.loads((schemas / f"{release}.json").read_text())
    documents = json.loads((schemas / f"{release}_versions.json").read_text())["DocumentTypes"]
    structures = {key.partition("_")[2]: value["TransactionSet"] for key, value in documents.items()}
    return Source(
        {name: structures[name] for name in MESSAGES if name in structures},
        facts["Segments"],
        facts["Qualifiers"],
    )


class Directory:
    """One directory's tables under construction."""

    def __init__(self, directory: str, schemas: Path) -> None:
        self.structures, self.segments, self.lists = published(schemas, directory)
        self.names = self.lists[NAMES_OF_MESSAGES[directory]]
        self.elements: dict[str, tuple[str, int, int, str]] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.rows: dict[str, str] = {}
        self.groups = 0

    def derive(self, target: Path) -> dict[str, dict[str, str]]:
        """Writes the tables into `target`; gives the names of the codes by element."""
        target.mkdir(exist_ok=True)
        lines: list[str] = []
        for name, structure in self.structures.items():
            lines.append(f"{name} {short(self.names[name])}")
            self.groups = 0
            self.structure_lines(structure, 1, lines)
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
            status, most = "C" if node.get("Min") == 0 else "M", node.get("Max", 1)
            if "Loop" in node:
                self.groups += 1
                lines.append(f"{'  ' * depth}loop SG{self.groups} {status} {most}")
                self.structure_lines(node["Loop"], depth + 1, lines)
            else:
                lines.append(f"{'  ' * depth}{node['Id']} {status} {most}")
                self.segment(node["Id"])

    def segment(self, tag: str) -> None:
        if tag not in self.rows and tag not in SERVICE:
            self.row(tag, self.segments[tag]["Desc"], self.segments[tag]["Elements"])

    def row(self, identity: str, name: str, elements: list[dict[str, Any]]) -> None:
        """A segment's or composite's line, and its elements."""
        uses = [element["Id"] + ("M" if element["Required"] else "C") for element in elements]
        self.rows[identity] = "\t".join((identity, short(name), " ".join(uses), ""))
        for element in elements:
            self.element(element)

    def element(self, element: dict[str, Any]) -> None:
        identity = element["Id"]
        if identity in self.rows or identity in self.elements:
            return
        if "Components" in element:
            self.row(identity, element["Desc"], element["Components"])
            return
        if codes := self.lists.get(element.get("QualifierRef", "")):
            self.codes[identity] = {code: short(meaning) for code, meaning in codes.items()}
        kind, low, high = element["DataType"].lower(), element["MinLength"] or 1, element["MaxLength"]
        self.elements[identity] = (kind, low, high, short(element["Desc"]))


def write(path: Path, lines: list[str]) -> None:
    path.write_text("".join(line + "\n" for line in lines))


def main(schemas: Path) -> None:
    meanings: dict[str, dict[str, str]] = {}
    for directory in DIRECTORIES:
        for element, codes in Directory(directory, schemas).derive(HERE / directory).items():
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
    main(Path(sys.argv[1]))
