"""What can stop the product, as data: exit codes, failure codes, and why something became a dead letter.

Problems of a document are values (`edi.problems`); what is raised here stops an action. Every exception
answers two questions, because what happens next hangs on them: is it `temporary` (try again later), and is
it `theirs` (tell the partner) or ours (say nothing to the partner, tell the operator).
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Self


class Exit(IntEnum):
    """Exit codes of the command line. "Nothing to do" is OK."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_FOUND = 3
    CONFIGURATION = 4
    FINDINGS = 5
    PEER_UNREACHABLE = 6
    PEER_REJECTED = 7
    CONFLICT = 8
    INTERRUPTED = 130


class Code(StrEnum):
    """The stable code of a failure, with the exit code it leads to and what it means in a sentence."""

    exit: Exit
    meaning: str

    def __new__(cls, code: str, exit: Exit, meaning: str) -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        member.exit = exit
        member.meaning = meaning
        return member

    USAGE = ("USAGE", Exit.USAGE, "The command line was not understood.")
    NO_HOME = ("NO-HOME", Exit.CONFIGURATION, "The folder that holds partners.toml was not found.")
    CONFIG_INVALID = (
        "CONFIG-INVALID",
        Exit.CONFIGURATION,
        "partners.toml has problems; each is named with its line. A running server keeps the last good file.",
    )
    PARTNER_UNKNOWN = ("PARTNER-UNKNOWN", Exit.NOT_FOUND, "No partner of this name stands in partners.toml.")
    PARTNER_EXISTS = (
        "PARTNER-EXISTS",
        Exit.CONFLICT,
        "A partner of this name already stands in partners.toml.",
    )
    HOME_EXISTS = (
        "HOME-EXISTS",
        Exit.CONFLICT,
        "The folder already has a partners.toml, which init never replaces.",
    )
    DOCUMENT_UNKNOWN = (
        "DOCUMENT-UNKNOWN",
        Exit.NOT_FOUND,
        "No stored document or transmission, or transaction set of a file, has this id.",
    )
    FILE_MISSING = ("FILE-MISSING", Exit.NOT_FOUND, "A file named on the command line does not exist.")
    FILE_UNREADABLE = ("FILE-UNREADABLE", Exit.FAILURE, "A file named on the command line could not be read.")
    NOT_EDI = ("NOT-EDI", Exit.FINDINGS, "The bytes hold no interchange: no ISA, UNA or UNB.")
    NUMBER_USED = (
        "NUMBER-USED",
        Exit.CONFLICT,
        "A control number asked for has been used; what is sent under it again is taken for a duplicate.",
    )
    NOT_RESENT = (
        "NOT-RESENT",
        Exit.CONFLICT,
        "What is asked to be sent again is not ours, has yet to leave, or has arrived.",
    )
    NOT_DEFINED = (
        "NOT-DEFINED",
        Exit.NOT_FOUND,
        "The standard, as it is known here, has no set or segment of this name.",
    )
    CANNOT_WRITE = ("CANNOT-WRITE", Exit.FINDINGS, "A document cannot be expressed in the set asked for.")
    BAD_DOCUMENT = ("BAD-DOCUMENT", Exit.FINDINGS, "A line of the input is no canonical document.")
    BAD_CERTIFICATE = ("BAD-CERTIFICATE", Exit.CONFIGURATION, "A certificate file cannot be used as one.")
    BAD_KEY = ("BAD-KEY", Exit.CONFIGURATION, "A private or public key cannot be used as one.")
    SECRET_EXPOSED = (
        "SECRET-EXPOSED",
        Exit.CONFIGURATION,
        "Others on this machine may read a secret's file.",
    )
    SECRET_MISSING = (
        "SECRET-MISSING",
        Exit.CONFIGURATION,
        "A secret's file or environment name is not there.",
    )
    STORE_UNAVAILABLE = ("STORE-UNAVAILABLE", Exit.FAILURE, "The database or the disk cannot take more now.")
    ALREADY_RUNNING = ("ALREADY-RUNNING", Exit.CONFLICT, "Another process serves this home.")
    ADDRESS_TAKEN = ("ADDRESS-TAKEN", Exit.CONFLICT, "An address to listen on cannot be had.")
    NO_CHANNEL = ("NO-CHANNEL", Exit.CONFIGURATION, "Nothing can be sent to this partner as configured.")
    SYSTEM = ("SYSTEM", Exit.FAILURE, "The operating system refused: a permission, a full disk, a network.")
    INTERRUPTED = ("INTERRUPTED", Exit.INTERRUPTED, "Stopped by the operator.")
    UNEXPECTED = ("UNEXPECTED", Exit.FAILURE, "A defect of the program; its report names the place.")


class DeadReason(StrEnum):
    """Why something is a dead letter: stable ids. Its original bytes are kept and can be replayed."""

    UNKNOWN_PARTNER = "UNKNOWN_PARTNER"
    AUTH_FAILED = "AUTH_FAILED"
    DECRYPT_FAILED = "DECRYPT_FAILED"
    DECOMPRESS_LIMIT = "DECOMPRESS_LIMIT"
    SECURITY_TOO_WEAK = "SECURITY_TOO_WEAK"
    DUP_ID_DIFFERENT_CONTENT = "DUP_ID_DIFFERENT_CONTENT"
    DUPLICATE_ICN = "DUPLICATE_ICN"
    CONTROL_GAP = "CONTROL_GAP"
    SENDER_MISMATCH = "SENDER_MISMATCH"
    RECEIVER_UNKNOWN = "RECEIVER_UNKNOWN"
    ENVELOPE_BROKEN = "ENVELOPE_BROKEN"
    EDI_REJECTED = "EDI_REJECTED"
    XML_FORBIDDEN = "XML_FORBIDDEN"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    MAPPING_FAILED = "MAPPING_FAILED"
    MDN_URL_REFUSED = "MDN_URL_REFUSED"
    MDN_INVALID = "MDN_INVALID"
    MDN_TIMEOUT = "MDN_TIMEOUT"
    DELIVERY_EXHAUSTED = "DELIVERY_EXHAUSTED"
    HOST_KEY_CHANGED = "HOST_KEY_CHANGED"
    STORE_CORRUPT = "STORE_CORRUPT"
    ERP_REFUSED = "ERP_REFUSED"
    NOT_AGREED = "NOT_AGREED"
    DOUBTFUL = "DOUBTFUL"
    PEER_REJECTED = "PEER_REJECTED"
    WRONG_USAGE = "WRONG_USAGE"


class GatewayError(Exception):
    """Base of what `gateway` raises on purpose. Subclasses set the two flags for their whole kind."""

    temporary = False
    theirs = False


class Failure(GatewayError):
    """What a person is told when an action stops: what happened, where, why, and the next command to try.

    `where` is a place a person can open (`partners.toml:12`, a file name); `next` a command or an edit.
    None of them ever holds a secret. `code.exit` is the exit code of the command line.
    """

    def __init__(
        self,
        code: Code,
        what: str,
        *,
        why: str | None = None,
        where: str | None = None,
        next: str | None = None,
    ) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.why = why
        self.where = where
        self.next = next

    def as_dict(self) -> dict[str, object]:
        """The stable JSON shape: code, what, where, why, next; absent parts are null."""
        return {
            "code": self.code.value,
            "what": self.what,
            "where": self.where,
            "why": self.why,
            "next": self.next,
        }

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        why = f" {self.why}" if self.why else ""
        return f"{self.code}  {place}{self.what}{why}"
