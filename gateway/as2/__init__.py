"""AS2 (RFC 4130): messages and receipts between bytes and values, streaming and without I/O of its own.

    parse_request_headers   who, to whom, which message, which receipt
    open_message            decrypt, inflate, verify; the payload and its MIC
    build_receipt           the MDN that answers it
    build                   compress, sign, encrypt into a spool file
    parse_receipt           whether an answer really is the receipt of what was sent
    read_transfer           which part of a message that broke off a request brings

No sockets, no clock, no store: `now`, Message-IDs and files are arguments. Content that is not accepted
raises `As2Error`, which carries the disposition to answer with; a request that is no AS2 message raises
`As2Refused`, which carries the HTTP status. Below these functions: `signed` (multipart/signed), `deflate`,
`cms`, `mime`, `keys`, `der` and `region`, each knowing only those after it.
"""

from gateway.as2.errors import (
    DUPLICATE,
    DUPLICATE_FILENAME,
    ILLEGAL_FILENAME,
    PROCESSED,
    UNAUTHENTICATED,
    As2Error,
    As2Refused,
    Failure,
)
from gateway.as2.keys import Certificate, Identity, KeyFileError, load_certificate, load_identity
from gateway.as2.message import (
    Attachment,
    Built,
    Compression,
    Encryption,
    Opened,
    Part,
    Policy,
    build,
    covered,
    http_date,
    open_message,
)
from gateway.as2.mime import Headers
from gateway.as2.receipt import (
    BuiltReceipt,
    Claim,
    Expected,
    Outcome,
    Receipt,
    ReceiptStatus,
    build_receipt,
    parse_receipt,
    read_claim,
    read_notification,
    read_report,
)
from gateway.as2.request import (
    Profile,
    ReceiptRequest,
    Request,
    bare_id,
    parse_request_headers,
    quoted,
    read_names,
)
from gateway.as2.restart import (
    Transfer,
    inquiry_headers,
    read_transfer,
    told_held,
    transfer_headers,
    transfer_id,
)
from gateway.as2.signed import Signing, Trust

__all__ = [
    "DUPLICATE",
    "DUPLICATE_FILENAME",
    "ILLEGAL_FILENAME",
    "PROCESSED",
    "UNAUTHENTICATED",
    "As2Error",
    "As2Refused",
    "Attachment",
    "Built",
    "BuiltReceipt",
    "Certificate",
    "Claim",
    "Compression",
    "Encryption",
    "Expected",
    "Failure",
    "Headers",
    "Identity",
    "KeyFileError",
    "Opened",
    "Outcome",
    "Part",
    "Policy",
    "Profile",
    "Receipt",
    "ReceiptRequest",
    "ReceiptStatus",
    "Request",
    "Signing",
    "Transfer",
    "Trust",
    "bare_id",
    "build",
    "build_receipt",
    "covered",
    "http_date",
    "inquiry_headers",
    "load_certificate",
    "load_identity",
    "open_message",
    "parse_receipt",
    "parse_request_headers",
    "quoted",
    "read_claim",
    "read_names",
    "read_notification",
    "read_report",
    "read_transfer",
    "told_held",
    "transfer_headers",
    "transfer_id",
]
