"""A partner on pyas2lib, in a virtual environment of its own.

Its one argument is the folder of its keys. Imports nothing of ours but what all partners share.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from partner import Answer, Mail, Opened, Partner

search = re.search


def tolerant_search(pattern: Any, *rest: Any) -> Any:
    """oscrypto expects OpenSSL's version to have one digit in the third place; 3.0.10 and later have two."""
    if isinstance(pattern, str):
        pattern = pattern.replace(r"\.\d[a-z]*)", r"\.\d+[a-z]*)")
    return search(pattern, *rest)


re.search = tolerant_search
from pyas2lib import as2  # type: ignore[import-not-found]  # noqa: E402

re.search = search

SCHEMES = {"pkcs1": "rsassa_pkcs1v15", "pss": "rsassa_pss"}
CIPHERS = {
    "3des": "tripledes_192_cbc",
    "aes128-cbc": "aes_128_cbc",
    "aes192-cbc": "aes_192_cbc",
    "aes256-cbc": "aes_256_cbc",
}


class Pyas2Partner(Partner):
    """Everything AS2 is done by the library, MIME included."""

    def __init__(self, keys: Path) -> None:
        super().__init__()
        self._pair = (keys / "peer.key").read_bytes() + (keys / "peer.crt").read_bytes()
        self._gateway = (keys / "gateway.crt").read_bytes()
        self._sent: dict[str, Any] = {}
        self.versions = f"pyas2lib {version('pyas2lib')}"

    def _organization(self, name: str) -> Any:
        return as2.Organization(name, self._pair, "", self._pair, "", mdn_url=self.url)

    def _partner(self, name: str, **options: Any) -> Any:
        return as2.Partner(
            name, verify_cert=self._gateway, encrypt_cert=self._gateway, validate_certs=False, **options
        )

    def build(self, payload: bytes, how: dict[str, str]) -> Mail:
        options: dict[str, Any] = {
            "sign": how["sign"] != "none",
            "encrypt": how["encrypt"] != "none",
            "compress": how["compress"] != "none",
        }
        if options["sign"]:
            options |= {"digest_alg": how["sign"], "sign_alg": SCHEMES[how["scheme"]]}
        if options["encrypt"]:
            options["enc_alg"] = CIPHERS[how["encrypt"]]
        if how["receipt"] != "none":
            options["mdn_mode"] = "ASYNC" if how["mode"] == "async" else "SYNC"
        if how["receipt"] == "signed":
            options["mdn_digest_alg"] = how["sign"] if options["sign"] else "sha256"
        message = as2.Message(self._organization(how["from"]), self._partner(how["to"], **options))
        message.build(payload, filename=how["filename"], content_type=how["type"])
        # The library forms Message-IDs itself, of a part that is given and its own domain.
        message.message_id = how["id"].strip("<>")
        self._sent[how["id"]] = message
        headers = [(name, value) for name, value in message.headers.items() if name.lower() != "message-id"]
        return Mail([*headers, ("Message-ID", how["id"])], message.content)

    def open(self, message: Mail) -> Opened:
        opened = as2.Message()
        status, (error, trace), receipt = opened.parse(
            raw(message), self._organization, self._partner, lambda *_: False
        )
        if status != "processed":
            raise ValueError(f"{status}: {error!r}: {trace}")
        # The library tells a digest, and a cipher if that is 3DES; of all else, whether it was there.
        layers = {
            "sign": opened.digest_alg or "none",
            "scheme": "some" if opened.signed else "none",
            "compress": "some" if opened.compressed else "none",
            "encrypt": ("3des" if opened.enc_alg else "some") if opened.encrypted else "none",
            "transport": "some" if opened.encrypted else "none",
        }
        answer = Mail(list(receipt.headers.items()), receipt.content) if receipt else None
        return Opened(opened.content, layers, answer)

    def original(self, answer: Mail) -> str | None:
        receipt = as2.Mdn()
        receipt.payload = as2.parse_mime(raw(answer))
        try:
            id, _ = receipt.detect_mdn()
        except as2.MDNNotFound:
            return None
        return f"<{id}>" if id else None

    def judge(self, answer: Mail, id: str) -> Answer:
        sent = self._sent[id]
        receipt = as2.Mdn()
        status, detail = receipt.parse(raw(answer), lambda *_: sent)
        # The library says of a MIC only when it differs, and of a signature only when it is bad or absent.
        said = receipt.payload.as_string()
        return {
            "disposition": f"automatic-action/MDN-sent-automatically; {status}"
            + (f": {detail}" if detail else ""),
            "receipt": receipt.digest_alg or "none",
            "mic": "equal" if sent.mic and sent.mic.decode() in said and status == "processed" else "absent",
        }


def raw(mail: Mail) -> bytes:
    """As the library takes it."""
    return "".join(f"{name}: {value}\r\n" for name, value in mail.headers).encode() + b"\r\n" + mail.body


if __name__ == "__main__":
    Pyas2Partner(Path(sys.argv[1])).run()
