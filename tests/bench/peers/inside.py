"""What a peer does, run by the Python of the peer's own environment; nothing of ours is in it.

    build/peers/NAME/bin/python -P tests/bench/peers/inside.py WORK FILE

For each line on standard input it does the work once on the file's bytes, which are in memory by then, and
answers with one line of JSON: the CPU seconds it took, how many transactions it saw, what it complained of,
and by how many MB the process has grown since it began to work.
"""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import time
from pathlib import Path

# Each returns the work: a function that gives the number of transactions seen and a list of complaints.


def ansi_x12_read(data):
    import x12

    def work():
        interchange = x12.parse_x12_interchange(x12.tokenize_x12(data))
        return sum(len(group.transactions) for group in interchange.groups), []

    return work


def bots_read(data):
    import edi_parser

    text = data.decode("ascii")

    def work():
        # "x12" is its grammar of the envelope, which finds that of the set by ST01 and GS08.
        found = edi_parser.parse_edi(text, "x12", "x12", charset="ascii", field_validation_mode="strict")
        return found["message_count"], [] if found["success"] else found["errors"] or ["failed"]

    return work


def pyx12_read(data):
    from pyx12.x12file import X12Reader

    text = data.decode("ascii")

    def work():
        reader = X12Reader(io.StringIO(text))
        seen = sum(segment.get_seg_id() == "SE" for segment in reader)
        reader.cleanup()
        return seen, reader.pop_errors()

    return work


def pyx12_997(data):
    from pyx12.params import params
    from pyx12.x12n_document import x12n_document

    text, settings = data.decode("ascii"), params()

    def work():
        answer = io.StringIO()
        valid = x12n_document(settings, io.StringIO(text), answer, None)
        return answer.getvalue().count("\nAK5*A"), [] if valid else ["found invalid"]

    return work


def pyx12_write(data):
    from pyx12.x12file import X12Reader, X12Writer

    segments = list(X12Reader(io.StringIO(data.decode("ascii"))))

    def work():
        written = io.StringIO()
        with X12Writer(written, eol="") as writer:
            for segment in segments:
                writer.Write(segment)
        return written.getvalue().count("~SE*"), []

    return work


def pydifact_read(data):
    from pydifact.segmentcollection import Interchange

    text = data.decode("ascii")

    def work():
        return sum(1 for _ in Interchange.from_str(text).get_messages()), []

    return work


def pydifact_write(data):
    from pydifact.segmentcollection import Interchange

    interchange = Interchange.from_str(data.decode("ascii"))

    def work():
        return interchange.serialize().count("'UNT+"), []

    return work


def _pyas2lib():
    """The module, the two sides of a message as it knows them, and what to build one with."""
    search = re.search
    # oscrypto expects OpenSSL's version to have one digit in the third place; 3.0.10 and later have two.
    re.search = lambda pattern, *rest: search(
        pattern.replace(r"\.\d[a-z]*)", r"\.\d+[a-z]*)") if isinstance(pattern, str) else pattern, *rest
    )
    from pyas2lib import as2

    re.search = search
    pair = Path(sys.argv[2]).with_suffix(".pem").read_bytes()
    cert = pair[pair.index(b"-----BEGIN CERTIFICATE") :]
    us = as2.Organization("US", pair, "", pair, "")
    security = {"sign": True, "digest_alg": "sha256", "encrypt": True, "enc_alg": "aes_256_cbc"}
    them = as2.Partner("US", verify_cert=cert, encrypt_cert=cert, validate_certs=False, **security)
    return as2, us, them


def _pyas2lib_built(module, us, them, data):
    message = module.Message(us, them)
    message.build(data, filename="a.edi", content_type="application/edi-x12")
    return message


def pyas2lib_build(data):
    sides = _pyas2lib()

    def work():
        return int(len(_pyas2lib_built(*sides, data).content) > len(data)), []

    return work


def pyas2lib_open(data):
    module, us, them = _pyas2lib()
    built = _pyas2lib_built(module, us, them, data)
    raw = b"".join(f"{name}: {value}\r\n".encode() for name, value in built.headers.items())
    raw += b"\r\n" + built.content
    del built

    def work():
        message = module.Message()
        status, (error, _), _ = message.parse(raw, lambda _: us, lambda _: them, lambda *_: False)
        return int(message.content == data), [] if status == "processed" else [repr(error)]

    return work


def _peak_mb():
    status = Path(
        "/proc/self/status"
    ).read_text()  # getrusage would tell of the process that started this one
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main(name, path):
    logging.disable(logging.CRITICAL)
    answers, sys.stdout = sys.stdout, sys.stderr  # what a peer prints is no answer
    work, before = None, 0.0
    for _ in sys.stdin:
        try:
            if work is None:
                work, before = globals()[name](Path(path).read_bytes()), _peak_mb()
            start = time.process_time()
            seen, complaints = work()
            seconds = time.process_time() - start
        except Exception as error:  # whatever a peer raises is its answer
            seconds, seen, complaints = 0, 0, [repr(error)]
        errors = [str(complaint).strip() for complaint in complaints]
        answer = {"seconds": seconds, "transactions": seen, "errors": errors, "grown_mb": _peak_mb() - before}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
