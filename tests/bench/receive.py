"""Messages a second through the whole of a running gateway, with the positive receipt sent after the commit.

A retailer posts signed and encrypted 850s of 20 KiB over several connections and waits for each signed
receipt; the gateway, a process of its own on the same two cores, verifies, stores with fsync, commits and
answers, and in the background reads, checks, acknowledges and hands the orders to the ERP.

Once with the disk as it is, and, where there is a C compiler, once with a disk that syncs 158 times a second:
what is durable must not depend on a disk that only says so fast.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import httpx

from gateway import as2
from gateway.cli.demo import Gateway
from gateway.keys import make_key_pair
from gateway.simulate import GATEWAY, RETAILER, envelope
from x12 import writer

MESSAGES, CONNECTIONS, SIZE = 300, 8, 20 * 1024
SYNC_US = 1_000_000 // 158


def order(number: int) -> bytes:
    """An 850 of about 20 KiB."""
    rows: list[list[str]] = [["BEG", "00", "SA", f"PO{number:06}", "", "20260901"]]
    rows.append(["N1", "ST", "STORE 12", "92", "0012"])
    lines = 0
    while sum(len("*".join(row)) + 1 for row in rows) < SIZE - 300:
        lines += 1
        rows.append(["PO1", str(lines), "12", "EA", "9.25", "", "VN", f"AB{lines:06}", "UP", "012345678905"])
        rows.append(["PID", "F", "", "", "", f"ITEM NUMBER {lines}"])
    rows.append(["CTT", str(lines)])
    return writer.write(
        envelope(RETAILER, GATEWAY, number, "850", "004010"), [writer.Body("850", number, rows)]
    )


def cpu_s(pid: int) -> float:
    """Seconds of CPU a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(disk: str, environment: dict[str, str]) -> None:
    """Send all, wait until the ERP has all, and print what it took."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        gateway = Gateway(place / "home", environment)
        gateway.command("init", "--name", "N", "--as2-id", "NORTHWIND", "--isa", "ZZ:NORTHWIND")
        pair = make_key_pair("BIGMARTEDI", now=datetime.now(UTC))
        (place / "cert.pem").write_bytes(pair.cert)
        gateway.command(
            "partner", "add", "bigmart", "--role", "retailer", "--isa", "08:9254110060",
            "--as2-id", "BIGMARTEDI",
            "--as2-url", "http://127.0.0.1:9/as2", "--cert", str(place / "cert.pem"), "--usage", "P",
            "--in", "850,997", "--live",
        )  # fmt: skip
        us = as2.load_identity(pair.key, pair.cert)
        them = as2.load_certificate((place / "home" / "certs" / "us.crt").read_bytes())
        built = []
        for number in range(1, MESSAGES + 1):
            spool = io.BytesIO()
            message = as2.build(
                io.BytesIO(order(number)), spool, as2_from="BIGMARTEDI", as2_to="NORTHWIND",
                message_id=f"<{number}@bench>", now=datetime.now(UTC), content_type="application/EDI-X12",
                filename=f"{number}.x12", sign=as2.Signing(us), encrypt=as2.Encryption((them,)),
                receipt=as2.ReceiptRequest(),
            )  # fmt: skip
            built.append((message.headers, spool.getvalue()))
        gateway.start()
        waits: list[float] = []
        lock = threading.Lock()

        def post() -> None:
            with httpx.Client(timeout=60) as client:
                while True:
                    with lock:
                        if not built:
                            return
                        headers, body = built.pop()
                    begun = time.perf_counter()
                    answer = client.post(gateway.as2, headers=headers, content=body)
                    took = time.perf_counter() - begun
                    if b"MDN-sent-automatically; processed\r\n" not in answer.content:
                        sys.exit(f"not accepted: {answer.status_code} {answer.content[:300]!r}")
                    with lock:
                        waits.append(took)

        begun = time.perf_counter()
        threads = [threading.Thread(target=post) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        received = time.perf_counter() - begun
        out = place / "home" / "erp" / "out"
        while sum(1 for _ in out.glob("*.json")) < MESSAGES:
            time.sleep(0.05)
        delivered = time.perf_counter() - begun
        assert gateway.process is not None
        spent = cpu_s(gateway.process.pid)
        gateway.stop()
    waits.sort()
    print(f"AS2 received durably: {MESSAGES} x {SIZE // 1024} KiB, {CONNECTIONS} connections, {disk}")
    print(f"  receipts        {MESSAGES / received:8.0f} a second   (gate 50)")
    print(
        f"  receipt waits   {1e3 * median(waits):8.0f} ms median, {1e3 * waits[-len(waits) // 20]:.0f} ms p95"
    )
    print(f"  CPU of gateway  {1e3 * spent / MESSAGES:8.1f} ms a message, receipt to ERP")
    print(f"  into the ERP    {MESSAGES / delivered:8.0f} a second, read, checked, acknowledged and mapped")


def main() -> None:
    measure("the disk as it is", {})
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "slow_sync.so")
        source = Path(__file__).with_name("slow_sync.c")
        command = ["cc", "-shared", "-fPIC", f"-DSYNC_US={SYNC_US}", "-o", library, source, "-ldl"]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (FileNotFoundError, subprocess.CalledProcessError):
            sys.exit("no C compiler: a slower disk was not tried")
        measure(f"a sync takes {SYNC_US / 1000:.1f} ms", {"LD_PRELOAD": str(library)})


if __name__ == "__main__":
    main()
