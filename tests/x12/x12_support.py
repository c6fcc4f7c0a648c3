"""Valid documents of the first sets, and short ways from text to events and back."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import datetime

import x12
from edi.reading import LIMITS, Limits
from edi.schema import Check
from edi.tree import Event, Group, GroupEnd, Interchange, InterchangeEnd, PartyId, Separators, Transaction
from x12.codec import read
from x12.writer import Body, Envelope, write

VERSIONS = ("004010", "005010")
GROUPS = {"810": "IN", "850": "PO", "856": "SH", "940": "OW", "945": "SW", "997": "FA"}

DOCUMENTS: dict[str, str] = {
    "850": """BEG*00*SA*PO-1001**20260105
        CUR*BY*USD
        REF*DP*012
        PER*BD*Jane Buyer*TE*5550100
        ITD*14*3*2**30**31
        DTM*002*20260120
        TD5**2*UPSN*M
        N1*ST*Store 12*92*0012
        N3*1 Main Street
        N4*Springfield*IL*62701*US
        PO1*1*10*EA*9.25**UP*012345678905*VN*SKU-1
        PID*F****Blue widget
        MEA*WT*G*2.5*LB
        PO1*2*5*CA*100**UP*012345678912
        CTT*2*15""",
    "856": """BSN*00*SHIP-77*20260110*1015
        HL*1**S
        TD1*CTN25*2****G*20.5*LB
        TD5**2*UPSN*M
        REF*BM*BOL-9
        DTM*011*20260110
        N1*SF*Warehouse*92*W1
        N4*Reno*NV*89501*US
        HL*2*1*O
        PRF*PO-1001***20260105
        HL*3*2*P
        MAN*GM*00006141410000000018
        HL*4*3*I
        LIN*1*UP*012345678905
        SN1*1*10*EA**10*EA
        PID*F****Blue widget
        CTT*4*10""",
    "940": """W05*N*WO-1*PO-1001
        N1*ST*Store 12*92*0012
        N3*1 Main Street
        N4*Springfield*IL*62701*US
        N9*PO*PO-1001
        G62*10*20260110
        W66*CC*M***UPSN
        LX*1
        W01*10*EA**UP*012345678905
        G69*Blue widget
        LX*2
        W01*5*CA*012345678912
        W76*15""",
    "945": """W06*N*WO-1*20260110*SHIP-77**PO-1001
        N1*ST*Store 12*92*0012
        N4*Springfield*IL*62701*US
        N9*BM*BOL-9
        G62*11*20260110
        W27*M*UPSN
        LX*1
        MAN*GM*00006141410000000018
        W12*CC*10*10**EA**UP*012345678905
        G69*Blue widget
        W03*10*20.5*LB""",
    "997": """AK1*PO*1
        AK2*850*0001
        AK3*BEG*2**8
        AK4*3*324*5*PO-1001
        AK5*E*5
        AK9*E*1*1*1""",
    "810": """BIG*20260112*INV-5*20260105*PO-1001
        N1*ST*Store 12*92*0012
        IT1*1*10*EA*9.25**UP*012345678905
        PID*F****Blue widget
        TDS*9250
        CTT*1*10""",
}


def rows(transaction_set: str) -> list[list[str]]:
    """The valid body of a set, fresh to be changed."""
    return [line.strip().split("*") for line in DOCUMENTS[transaction_set].splitlines()]


def envelope(version: str = "004010", functional_id: str = "PO", **changes: object) -> Envelope:
    values: dict[str, object] = {
        "sender": PartyId("ZZ", "SENDER"),
        "receiver": PartyId("01", "RECEIVER"),
        "control_number": 7,
        "group_control_number": 3,
        "functional_id": functional_id,
        "version": version,
        "now": datetime(2026, 1, 6, 12, 30),
        "separators": Separators(suffix="\n"),
    }
    return Envelope(**(values | changes))  # type: ignore[arg-type]


def document(transaction_set: str, version: str = "004010", body: Iterable[list[str]] | None = None) -> bytes:
    """An interchange with one set, as text that the tests may damage."""
    lines = rows(transaction_set) if body is None else list(body)
    return write(envelope(version, GROUPS[transaction_set]), [Body(transaction_set, 1, lines)])


def events(data: bytes, limits: Limits = LIMITS) -> list[Event]:
    return list(read(io.BytesIO(data), limits))


def transactions(data: bytes) -> list[Transaction]:
    return [event for event in events(data) if isinstance(event, Transaction)]


def check(data: bytes) -> Check:
    (transaction,) = transactions(data)
    return x12.check(transaction)


def only(found: list[Event], kind: type) -> Event:
    (event,) = (event for event in found if isinstance(event, kind))
    return event


def shape(found: list[Event]) -> str:
    """The kinds of events in order, a letter each: I G T g i."""
    letters = {Interchange: "I", Group: "G", Transaction: "T", GroupEnd: "g", InterchangeEnd: "i"}
    return "".join(letters[type(event)] for event in found)


def faults(data: bytes) -> set[tuple[str, str | None, int | None]]:
    """Every problem of a file as (fault, segment, element), transactions checked in full."""
    found = set()
    for event in events(data):
        problems = x12.check(event).problems if isinstance(event, Transaction) else event.problems
        found |= {(p.fault.value, p.segment, p.element) for p in problems}
    return found


def raw(transaction_set: str, body: str, version: str = "004010", *, component: str = ">") -> bytes:
    """An interchange around lines of text as they are, right in all else."""
    segments = [f"ST*{transaction_set}*0001", *(line.strip() for line in body.splitlines())]
    repetition = "^" if version >= "004020" else "U"
    lines = [
        f"ISA*00*          *00*          *ZZ*SENDER         *01*RECEIVER       *260106*1230*{repetition}"
        f"*{version[:5]}*000000007*0*P*{component}",
        f"GS*{GROUPS[transaction_set]}*SENDER*RECEIVER*20260106*1230*3*X*{version}",
        *segments,
        f"SE*{len(segments) + 1}*0001",
        "GE*1*3",
        "IEA*1*000000007",
    ]
    return "".join(line + "~\n" for line in lines).encode("latin-1")


def damaged(transaction_set: str, old: str, new: str, version: str = "004010") -> bytes:
    """A valid interchange in whose body `old` is replaced; `new` "" takes the line out."""
    body = "\n".join(line.strip() for line in DOCUMENTS[transaction_set].splitlines())
    assert old in body
    body = body.replace(old + "\n", "", 1) if not new else body.replace(old, new, 1)
    return raw(transaction_set, body, version)
