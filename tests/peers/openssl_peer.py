"""A partner whose MIME is put together by hand and whose CMS is all done by the openssl program.

Its one argument is the folder of its keys. Imports nothing of ours but what all partners share.
"""

from __future__ import annotations

import base64
import email
import itertools
import re
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

from partner import Answer, Headers, Mail, Opened, Partner, addressed

CIPHERS = {
    "3des": "des3",
    "aes128-cbc": "aes-128-cbc",
    "aes192-cbc": "aes-192-cbc",
    "aes256-cbc": "aes-256-cbc",
    "aes128-gcm": "aes-128-gcm",
    "aes256-gcm": "aes-256-gcm",
}
PSS = ("-keyopt", "rsa_padding_mode:pss")
OAEP = ("-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256")
SENT = "automatic-action/MDN-sent-automatically; "


class OpenSslPartner(Partner):
    """Each message's layers are read off what `openssl cms -cmsout -print` says of them."""

    def __init__(self, keys: Path) -> None:
        super().__init__()
        self._keys = keys
        self._scratch = Path(tempfile.mkdtemp(prefix="openssl-peer-"))
        self._numbers = itertools.count()
        self._sent: dict[str, tuple[bytes, str]] = {}
        self.versions = self._openssl("version").decode().split(" (")[0].strip()

    def _openssl(self, *arguments: str | Path, data: bytes = b"") -> bytes:
        done = subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, check=False)
        if done.returncode:
            raise ValueError(f"openssl {arguments[0]}: {done.stderr.decode(errors='replace')[-500:]}")
        return done.stdout

    def _file(self, data: bytes) -> Path:
        path = self._scratch / str(next(self._numbers))
        path.write_bytes(data)
        return path

    def mic(self, data: bytes, digest: str) -> str:
        return base64.b64encode(self._openssl("dgst", f"-{digest}", "-binary", data=data)).decode()

    # Building.

    def build(self, payload: bytes, how: dict[str, str]) -> Mail:
        part = entity(payload, how)
        signs, encrypts = how["sign"] != "none", how["encrypt"] != "none"
        digest = how["sign"] if signs else "sha256"
        whole = self.signed(part, how["sign"], how["scheme"]) if signs else part
        if encrypts:
            whole = self.encrypted(whole, how)
        self._sent[how["id"]] = (part if signs or encrypts else payload, digest)
        return self._mail(addressed(how["from"], how["to"], how["id"]) + asking(how, digest, self.url), whole)

    def _mail(self, headers: Headers, whole: bytes) -> Mail:
        fields, body = split(whole)
        return Mail(headers + fields, body)

    def signed(self, part: bytes, digest: str, scheme: str) -> bytes:
        name = "peer-ec" if scheme == "ecdsa" else "peer"
        signature = self._openssl(
            "cms", "-sign", "-binary", "-outform", "DER", "-md", digest,
            "-signer", self._keys / f"{name}.crt", "-inkey", self._keys / f"{name}.key",
            *(PSS if scheme == "pss" else ()), data=part,
        )  # fmt: skip
        boundary = uuid.uuid4().hex.encode()
        return (
            b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg='
            + digest.replace("sha", "sha-").encode()
            + b'; boundary="' + boundary + b'"\r\n\r\n'
            b"--" + boundary + b"\r\n" + part + b"\r\n--" + boundary + b"\r\n"
            b"Content-Type: application/pkcs7-signature; name=smime.p7s\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n"
            + base64.encodebytes(signature).replace(b"\n", b"\r\n")
            + b"\r\n--" + boundary + b"--\r\n"
        )  # fmt: skip

    def encrypted(self, whole: bytes, how: dict[str, str]) -> bytes:
        gateway = self._keys / "gateway.crt"
        options = ["-keyid"] if how["recipients"] == "ski" else []
        recipients: list[str | Path] = [gateway]
        if how["recipients"] == "several":
            recipients = [self._keys / "peer.crt", gateway]
        if how["transport"] == "oaep":
            recipients = [word for recipient in recipients for word in ("-recip", recipient, *OAEP)]
        body = self._openssl(
            "cms", "-encrypt", "-binary", "-stream", "-outform", "DER", f"-{CIPHERS[how['encrypt']]}",
            *options, *recipients, data=whole,
        )  # fmt: skip
        kind = "authEnveloped-data" if how["encrypt"].endswith("gcm") else "enveloped-data"
        head = [f"Content-Type: application/pkcs7-mime; smime-type={kind}; name=smime.p7m"]
        return encoded(head, body, how["encoding"])

    # Opening.

    def open(self, message: Mail) -> Opened:
        layers = {
            "sign": "none",
            "scheme": "none",
            "encrypt": "none",
            "transport": "none",
            "compress": "none",
        }
        fields, body, part = message.headers, message.body, b""
        if content_type(fields) == "application/pkcs7-mime":
            layers |= self._envelope(body)
            part = self._decrypted(body)
            fields, body = split(part)
        if content_type(fields) == "multipart/signed":
            part, found = self.verified(fields, body)
            layers |= found
            fields, body = split(part)
        hashed = part or body
        receipt = None
        if message.header("Disposition-Notification-To"):
            receipt = self.receipt(message, hashed, layers)
        return Opened(body, layers, receipt)

    def _decrypted(self, body: bytes) -> bytes:
        return self._openssl(
            "cms", "-decrypt", "-binary", "-inform", "DER",
            "-recip", self._keys / "peer.crt", "-inkey", self._keys / "peer.key", data=body,
        )  # fmt: skip

    def _envelope(self, body: bytes) -> Answer:
        """The algorithms of an EnvelopedData."""
        text = self._openssl("cms", "-cmsout", "-noout", "-print", "-inform", "DER", data=body).decode()
        transport = "oaep" if "rsaesOaep" in text else "pkcs1"
        found = re.search(r"contentEncryptionAlgorithm:\s+algorithm: (\S+)", text)
        name = {"des-ede3-cbc": "des3"}.get(found[1], found[1]) if found else ""
        return {
            "transport": transport,
            "encrypt": next((ours for ours, theirs in CIPHERS.items() if theirs == name), name),
        }

    def verified(self, fields: Headers, body: bytes) -> tuple[bytes, Answer]:
        """The part of a multipart/signed, byte for byte, if the gateway signed it; and how it did."""
        boundary = re.search(r'boundary="?([^";]+)', Mail(fields, b"").header("Content-Type"))
        assert boundary is not None
        _, first, second, _ = body.split(b"--" + boundary[1].encode())
        part = first.removeprefix(b"\r\n").removesuffix(b"\r\n")
        signature = email.message_from_bytes(second.removeprefix(b"\r\n")).get_payload(decode=True)
        assert isinstance(signature, bytes)
        content = self._file(part)
        try:
            self._openssl(
                "cms", "-verify", "-binary", "-inform", "DER", "-noverify", "-nointern",
                "-certfile", self._keys / "gateway-all.crt", "-content", content, "-out", "/dev/null",
                data=signature,
            )  # fmt: skip
        finally:
            content.unlink()
        text = self._openssl("cms", "-cmsout", "-noout", "-print", "-inform", "DER", data=signature).decode()
        signer = text.partition("signerInfos:")[2]
        digest = re.search(r"digestAlgorithm:\s+algorithm: (\S+)", signer)
        scheme = re.search(r"signatureAlgorithm:\s+algorithm: (\S+)", signer)
        assert digest is not None
        assert scheme is not None
        name = "pss" if scheme[1] == "rsassaPss" else "ecdsa" if "ecdsa" in scheme[1] else "pkcs1"
        return part, {"sign": digest[1], "scheme": name}

    # Receipts.

    def receipt(self, message: Mail, hashed: bytes, layers: Answer) -> Mail:
        """The receipt for a message, signed with the first digest that was asked for, as the message was."""
        options = message.header("Disposition-Notification-Options")
        asked = re.search(r"signed-receipt-micalg=\w+, *([^,;]+)", options)
        spelled = asked[1].strip() if asked else "sha256"
        asked_digest = spelled.lower().replace("-", "")
        digest, scheme = asked_digest, "pkcs1"
        if layers["sign"] != "none":
            digest, scheme = layers["sign"], layers["scheme"]
        boundary = uuid.uuid4().hex
        report = (
            "Content-Type: multipart/report; report-type=disposition-notification; "
            f'boundary="{boundary}"\r\n\r\n'
            f"--{boundary}\r\nContent-Type: text/plain\r\n\r\nReceived.\r\n\r\n"
            f"--{boundary}\r\nContent-Type: message/disposition-notification\r\n\r\n"
            f"Reporting-UA: openssl\r\nFinal-Recipient: rfc822; {message.header('AS2-To')}\r\n"
            f"Original-Message-ID: {message.header('Message-ID')}\r\n"
            f"Received-Content-MIC: {self.mic(hashed, digest)}, {digest}\r\n"
            f"Disposition: {SENT}processed\r\n\r\n--{boundary}--\r\n"
        ).encode()
        whole = self.signed(report, asked_digest, scheme) if asked else report
        return self._mail(addressed(message.header("AS2-To"), message.header("AS2-From")), whole)

    def original(self, answer: Mail) -> str | None:
        if content_type(answer.headers) not in ("multipart/signed", "multipart/report"):
            return None
        fields = notification(answer)
        return fields["Original-Message-ID"].strip() if fields is not None else None

    def judge(self, answer: Mail, id: str) -> Answer:
        signed_with = "none"
        if content_type(answer.headers) == "multipart/signed":
            part, found = self.verified(answer.headers, answer.body)
            signed_with = found["sign"]
            answer = Mail(*split(part))
        fields = notification(answer)
        assert fields is not None
        said = {"receipt": signed_with, "disposition": fields["Disposition"], "mic": "absent"}
        if fields["Received-Content-MIC"]:
            value, _, name = fields["Received-Content-MIC"].partition(",")
            hashed, digest = self._sent[id]
            equal = name.strip().lower().replace("-", "") == digest and value == self.mic(hashed, digest)
            said["mic"] = "equal" if equal else "different"
        return said


def entity(payload: bytes, how: dict[str, str]) -> bytes:
    """The MIME entity of a payload."""
    head = [f"Content-Type: {how['type']}", f'Content-Disposition: attachment; filename="{how["filename"]}"']
    return encoded(head, payload, how["encoding"])


def encoded(head: list[str], body: bytes, encoding: str) -> bytes:
    """An entity whose body is encoded; with `none` nothing says that it is not."""
    if encoding == "base64":
        body = base64.encodebytes(body).replace(b"\n", b"\r\n")
    if encoding != "none":
        head = [*head, f"Content-Transfer-Encoding: {encoding}"]
    return "\r\n".join([*head, "", ""]).encode() + body


def asking(how: dict[str, str], digest: str, url: str) -> Headers:
    """The headers that ask for a receipt."""
    headers = []
    if how["receipt"] != "none":
        headers.append(("Disposition-Notification-To", "edi@peer.example"))
    if how["receipt"] == "signed":
        options = (
            f"signed-receipt-protocol=optional, pkcs7-signature; signed-receipt-micalg=optional, {digest}"
        )
        headers.append(("Disposition-Notification-Options", options))
    if how["mode"] == "async":
        headers.append(("Receipt-Delivery-Option", url))
    return headers


def split(whole: bytes) -> tuple[Headers, bytes]:
    """Headers and body of an entity whose headers are not folded."""
    head, _, body = whole.partition(b"\r\n\r\n")
    pairs = (line.partition(":") for line in head.decode("latin-1").split("\r\n"))
    return [(name, value.strip()) for name, _, value in pairs], body


def content_type(fields: Headers) -> str:
    return Mail(fields, b"").header("Content-Type").partition(";")[0].strip().lower()


def notification(answer: Mail) -> email.message.Message | None:
    """The fields of a report, verified or not."""
    whole = f"Content-Type: {answer.header('Content-Type')}\r\n\r\n".encode() + answer.body
    for part in email.message_from_bytes(whole).walk():
        if part.get_content_type() == "message/disposition-notification":
            fields = part.get_payload(0)
            assert isinstance(fields, email.message.Message)
            return fields
    return None


if __name__ == "__main__":
    OpenSslPartner(Path(sys.argv[1])).run()
