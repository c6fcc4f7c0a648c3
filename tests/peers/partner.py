"""An AS2 partner in a process of its own: what those on openssl and on pyas2lib share. Standard library only.

Each line on standard input is a question and each line on standard output its answer, both form-encoded:
`send` a message, tell what was `received`. The first line out says where it listens, for both kinds of mail.
The process ends with its input. The partner on BouncyCastle is asked in the same way.
"""

from __future__ import annotations

import hashlib
import sys
import threading
import traceback
import urllib.error
import urllib.request
import uuid
from abc import ABC, abstractmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

PATIENCE_S = 900.0

Headers = list[tuple[str, str]]
Answer = dict[str, str]


class Mail(NamedTuple):
    """Headers and a body, as they cross HTTP."""

    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        """The first value of a field, empty when there is none."""
        return next((value for field, value in self.headers if field.lower() == name.lower()), "")


NOTHING = Mail([], b"")


class Opened(NamedTuple):
    """A message that was opened: its payload, what its layers were, and the receipt if one was asked for."""

    payload: bytes
    layers: Answer
    receipt: Mail | None


class Waiting:
    """Values by key, for which others wait."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._changed = threading.Condition()

    def put(self, key: str, value: Any) -> None:
        with self._changed:
            self._values[key] = value
            self._changed.notify_all()

    def get(self, key: str) -> Any:
        with self._changed:
            if not self._changed.wait_for(lambda: key in self._values, PATIENCE_S):
                raise TimeoutError(f"nothing came for {key} within {PATIENCE_S:.0f} s")
            return self._values[key]


class Partner(ABC):
    """What each of them does in its own way; the rest is HTTP."""

    versions: str

    def __init__(self) -> None:
        self._received, self._receipts = Waiting(), Waiting()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._posted())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/as2"

    @abstractmethod
    def build(self, payload: bytes, how: dict[str, str]) -> Mail:
        """A message of a payload; what a receipt for it must say is kept."""

    @abstractmethod
    def open(self, message: Mail) -> Opened:
        """Decrypt, verify and inflate a message, and write the receipt. Raises when that cannot be done."""

    @abstractmethod
    def original(self, answer: Mail) -> str | None:
        """The Message-ID that an answer says it is a receipt for, None when it is no receipt."""

    @abstractmethod
    def judge(self, answer: Mail, id: str) -> Answer:
        """What a receipt says: `disposition`; `mic`: equal, different, absent; `receipt`: what signed it."""

    def run(self) -> None:
        """Answer questions until there are no more."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        tell({"url": self.url, "versions": self.versions})
        for line in sys.stdin:
            question = dict(parse_qsl(line.rstrip("\n"), keep_blank_values=True))
            try:
                tell(self.send(question) if question["do"] == "send" else self._received.get(question["id"]))
            except Exception as error:
                traceback.print_exc()
                tell({"error": f"{type(error).__name__}: {error}"})

    def send(self, how: dict[str, str]) -> Answer:
        """Build a message, post it, and judge its receipt."""
        message = self.build(Path(how["payload"]).read_bytes(), how)
        status, answer = post(how["url"], message)
        result = {"status": str(status)}
        if 200 <= status < 300 and how["receipt"] != "none":
            receipt = self._receipts.get(how["id"]) if how["mode"] == "async" else answer
            result |= self.judge(receipt, how["id"])
        return result

    def take(self, mail: Mail) -> tuple[int, Mail]:
        """One request: a receipt for what was sent, or a message, which is opened and answered.

        Where the receipt is to be posted, the request is answered before the message is opened.
        """
        original = self.original(mail)
        if original is not None:
            self._receipts.put(original, mail)
            return 204, NOTHING
        url = mail.header("Receipt-Delivery-Option")
        if url:
            threading.Thread(target=self._post_receipt, args=(url, mail)).start()
            return 204, NOTHING
        opened = self._opened(mail)
        return (500, NOTHING) if opened is None else (200, opened.receipt or NOTHING)

    def _post_receipt(self, url: str, mail: Mail) -> None:
        opened = self._opened(mail)
        if opened is not None and opened.receipt is not None:
            post(url, opened.receipt)

    def _opened(self, mail: Mail) -> Opened | None:
        """What is in a message, which is kept for whoever asks; None when it cannot be opened."""
        id = mail.header("Message-ID")
        try:
            opened = self.open(mail)
        except Exception as error:
            traceback.print_exc()
            self._received.put(id, {"error": f"{type(error).__name__}: {error}"})
            return None
        found = {"size": str(len(opened.payload)), "sha256": hashlib.sha256(opened.payload).hexdigest()}
        self._received.put(id, found | opened.layers)
        return opened

    def _posted(self) -> type[BaseHTTPRequestHandler]:
        partner = self

        class Posted(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = partner.take(Mail(list(self.headers.items()), body))
                self.send_response(status)
                for name, value in answer.headers:
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                """Standard output is for answers."""

        return Posted


def post(url: str, mail: Mail) -> tuple[int, Mail]:
    """POST to a URL; the status, and the answer."""
    request = urllib.request.Request(url, mail.body, dict(mail.headers), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, Mail(list(answer.headers.items()), answer.read())
    except urllib.error.HTTPError as error:
        return error.code, Mail(list(error.headers.items()), error.read())


def tell(answer: Answer) -> None:
    """One line out."""
    sys.stdout.write(urlencode(answer) + "\n")
    sys.stdout.flush()


def addressed(from_: str, to: str, id: str | None = None) -> Headers:
    """The headers every message and receipt has."""
    return [
        ("AS2-Version", "1.1"),
        ("AS2-From", from_),
        ("AS2-To", to),
        ("Message-ID", id or f"<{uuid.uuid4()}@peer>"),
        ("MIME-Version", "1.0"),
    ]
