"""A partner on pyas2lib: runs in a virtual environment of its own, reads and writes JSON lines.

The first line carries the key pairs. Every other line is a question: `receive` a message of ours, `build` one
for us, or judge our `receipt`. Imports nothing of ours.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from typing import Any

search = re.search


def tolerant_search(pattern: Any, *rest: Any) -> Any:
    """oscrypto expects OpenSSL's version to have one digit in the third place; 3.0.10 and later have two."""
    if isinstance(pattern, str):
        pattern = pattern.replace(r"\.\d[a-z]*)", r"\.\d+[a-z]*)")
    return search(pattern, *rest)


re.search = tolerant_search
from pyas2lib import as2  # type: ignore[import-not-found]  # noqa: E402

re.search = search


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Peer:
    def __init__(self, theirs: str, ours: str) -> None:
        self._key, self._certificate = base64.b64decode(theirs), base64.b64decode(ours)
        self._sent: dict[str, Any] = {}

    def organization(self) -> Any:
        return as2.Organization("PYAS2", self._key, "", self._key, "")

    def partner(self, options: dict[str, Any]) -> Any:
        return as2.Partner(
            "TRADELANE",
            verify_cert=self._certificate,
            encrypt_cert=self._certificate,
            validate_certs=False,
            **options,
        )

    def receive(self, raw: str) -> dict[str, Any]:
        message = as2.Message()
        status, (error, _), receipt = message.parse(
            base64.b64decode(raw), lambda _: self.organization(), lambda _: self.partner({}), lambda *_: False
        )
        answer = {"status": status, "error": repr(error)}
        if status == "processed":
            answer["payload"] = text(message.content)
        if receipt:
            answer |= {"headers": list(receipt.headers.items()), "body": text(receipt.content)}
        return answer

    def build(self, payload: str, options: dict[str, Any]) -> dict[str, Any]:
        message = as2.Message(self.organization(), self.partner(options))
        message.build(base64.b64decode(payload), filename="a b.edi", content_type="application/edi-x12")
        self._sent[message.message_id] = message
        return {
            "id": message.message_id, "headers": list(message.headers.items()), "body": text(message.content),
        }  # fmt: skip

    def receipt(self, raw: str, id: str) -> dict[str, Any]:
        status, detail = as2.Mdn().parse(base64.b64decode(raw), lambda *_: self._sent[id])
        return {"status": status, "detail": str(detail)}


def main() -> None:
    peer = Peer(**json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        question = json.loads(line)
        answer = getattr(peer, question.pop("do"))(**question)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
