"""What goes wrong with an AS2 message, and what the partner is told about it.

`As2Error` is about content: it ends in a negative receipt. `As2Refused` is about transport: it ends in an
HTTP status and nothing is stored. A failure of our own disk or memory is neither, and passes through.
"""

from __future__ import annotations

from enum import Enum, unique

SENT = "automatic-action/MDN-sent-automatically; "
"""What every disposition we emit begins with (RFC 4130 section 7.5)."""

PROCESSED = SENT + "processed"
DUPLICATE = SENT + "processed/warning: duplicate-document"
ILLEGAL_FILENAME = SENT + "processed/warning: illegal-filename"
DUPLICATE_FILENAME = SENT + "processed/warning: duplicate-filename"
UNAUTHENTICATED = SENT + "processed/warning: authentication-failed, processing continued"


@unique
class Failure(Enum):
    """The ways a message fails: the words after the disposition's prefix, and the dead-letter reason."""

    AUTHENTICATION = ("processed/error: authentication-failed", "AUTH_FAILED")
    DECRYPTION = ("processed/error: decryption-failed", "DECRYPT_FAILED")
    DECOMPRESSION = ("processed/error: decompression-failed", "DECOMPRESS_LIMIT")
    INTEGRITY = ("processed/error: integrity-check-failed", "AUTH_FAILED")
    TOO_WEAK = ("processed/error: insufficient-message-security", "SECURITY_TOO_WEAK")
    MALFORMED = ("processed/error: unexpected-processing-error", "ENVELOPE_BROKEN")
    TOO_LARGE = ("processed/error: unexpected-processing-error", "LIMIT_EXCEEDED")
    DIFFERENT_CONTENT = ("processed/error: unexpected-processing-error", "DUP_ID_DIFFERENT_CONTENT")
    MESSAGE_ID = ("processed/error: invalid-message-id", "ENVELOPE_BROKEN")
    FILENAME_ILLEGAL = ("processed/error: illegal-filename", "ENVELOPE_BROKEN")
    FILENAME_DUPLICATE = ("processed/error: duplicate-filename", "ENVELOPE_BROKEN")
    UNKNOWN_PARTNER = ("processed/error: unknown-trading-relationship", "UNKNOWN_PARTNER")
    SENDER_EQUALS_RECEIVER = ("failed/failure: sender-equals-receiver", "SENDER_MISMATCH")
    RECEIPT_FORMAT = ("failed/failure: unsupported format", "ENVELOPE_BROKEN")
    RECEIPT_MICALG = ("failed/failure: unsupported MIC-algorithms", "ENVELOPE_BROKEN")

    @property
    def disposition(self) -> str:
        """The whole value of the Disposition field."""
        return SENT + self.value[0]

    @property
    def reason(self) -> str:
        """The stable dead-letter reason."""
        return self.value[1]

    @property
    def explanation(self) -> str:
        """A sentence for people where the modifier is younger than RFC 4130, else nothing."""
        return _YOUNGER.get(self, "")

    def told(self, *, legacy: bool) -> Failure:
        """What a receipt says of it: to those who know RFC 4130 alone, the word that has for all the rest."""
        return Failure.MALFORMED if legacy and self in _YOUNGER else self


# Modifiers of draft-ietf-ediint-rfc4130bis section 8.4.3, which asks for words beside them.
_YOUNGER = {
    Failure.MESSAGE_ID: "Its Message-ID has a space or a control character.",
    Failure.FILENAME_ILLEGAL: "Its file name cannot be used as it is.",
    Failure.FILENAME_DUPLICATE: "A file of this name with other content was received before.",
    Failure.UNKNOWN_PARTNER: "AS2-From and AS2-To are not a trading relationship here.",
}


class As2Error(Exception):
    """A message that cannot be accepted.

    `told` is what the receipt says, `failure` and `cause` are what really happened and belong in the log and
    the dashboard only. The two differ where an exact answer would let an attacker decrypt by asking (EFAIL,
    Bleichenbacher): see `masked`.
    """

    def __init__(self, failure: Failure, cause: str, *, told: Failure | None = None) -> None:
        super().__init__(f"{failure.name}: {cause}")
        self.failure = failure
        self.cause = cause
        self.told = told or failure

    @property
    def disposition(self) -> str:
        """The whole value of the Disposition field to answer with."""
        return self.told.disposition

    @property
    def reason(self) -> str:
        """The dead-letter reason, of what really happened."""
        return self.failure.reason

    def masked(self) -> As2Error:
        """The same error, told to the partner as decryption-failed."""
        return As2Error(self.failure, self.cause, told=Failure.DECRYPTION)


class As2Refused(Exception):
    """A request that is no AS2 message: answer `status`, store nothing, send no receipt.

    `reason` is set where the refusal is worth a dead letter of its headers.
    """

    def __init__(self, status: int, cause: str, *, reason: str | None = None) -> None:
        super().__init__(cause)
        self.status = status
        self.cause = cause
        self.reason = reason
