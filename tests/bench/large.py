"""A gigabyte over AS2, signed and encrypted, from one running gateway to another on the same machine.

    python -P tests/bench/large.py [MIB]

The whole path: read from disk, built, stored, posted; received, stored, decrypted, verified, stored,
answered, and looked into for EDI, which it is not. Gate: no process grows by 64 MiB, either way. Told beside
it: how many times over the bytes are read and written, files and sockets together, and what is on disk in the
end.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "gateway"))
from heavy import MIB, fill, received, send, two

WAYS = (
    ("Content-Length", {"transfer": "length"}),
    ("compressed, chunked", {"transfer": "chunked", "compress": "before-sign"}),
)


def main() -> None:
    size = int(sys.argv[1]) if sys.argv[1:] else 1024
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        if shutil.disk_usage(place).free < 8 * size * MIB:
            sys.exit(f"needs {8 * size} MiB of disk in {place.parent}")
        file = place / "large.bin"
        fill(file, size * MIB)
        columns = "".join(f"{what:>16}" for what in ("CPU s", "MiB grown", "times read", "written", "kept"))
        print(f"{f'AS2, {size} MiB':20}{'s':>7}{columns}")
        print(f"{'':27}" + f"{'send':>8}{'receive':>8}" * 5)
        for way, options in WAYS:
            folder = place / way
            folder.mkdir()
            with two(folder, **options) as sides:
                before = [(side.cpu_s, side.peak, side.passed) for side in sides]
                begun = time.perf_counter()
                send(sides[0].gateway, file, timeout_s=600.0)
                took = time.perf_counter() - begun
                if not received(sides[1].gateway, file):
                    sys.exit("what was received is not what was sent")
                costs = []
                for side, (cpu_s, peak, passed) in zip(sides, before, strict=True):
                    times = [(now - then) / size for now, then in zip(side.passed, passed, strict=True)]
                    costs.append([side.cpu_s - cpu_s, side.peak - peak, *times, side.stored / size])
                left = [path for side in sides for path in side.temporary]
            if left:
                sys.exit(f"left behind: {left}")
            shutil.rmtree(folder)
            print(
                f"{way:20}{took:7.1f}" + "".join(f"{a:8.1f}{b:8.1f}" for a, b in zip(*costs, strict=True)),
                flush=True,
            )


if __name__ == "__main__":
    main()
