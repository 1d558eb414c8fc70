"""A very large ``result.json``: every message read, memory as with a small one, progress in bytes of the file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from soak.invented import write_large_export
from soak.outcome import Outcome

_SMALL = 20_000_000
_MOST_MORE_MB = 50
_READ = """
import json, resource, sys
from pathlib import Path
from annotations.readers import read_posts
reading = read_posts(Path(sys.argv[1]))
count, told = 0, []
for item in reading.items:
    count += 1
    if count % 1000 == 0:
        told.append(reading.meter.bytes_read() / reading.meter.size)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"items": count, "peak": peak, "told": told[:: max(1, len(told) // 200)]}))
"""


def read_large(outcome: Outcome, folder: Path, size: int) -> None:
    """Read a file of so many bytes, and one of 20 MB, each in a process of its own."""
    folder.mkdir(parents=True)
    peaks = []
    for number_of_bytes in (_SMALL, size):
        path = folder / "result.json"
        wanted = write_large_export(path, number_of_bytes)
        done = subprocess.run(
            [sys.executable, "-c", _READ, path], capture_output=True, text=True, check=False, timeout=7200
        )
        if done.returncode:
            outcome.failures.append(f"{number_of_bytes:,} bytes: {done.stderr[-1000:]}")
            return
        found = json.loads(done.stdout)
        peaks.append(found["peak"])
        outcome.tries += 1
        if found["items"] != wanted:
            outcome.failures.append(f"{found['items']:,} items of {wanted:,} messages")
        told = found["told"]
        if told != sorted(told) or told[0] > 0.2 or not 0.8 < told[-1] <= 1:
            outcome.failures.append(f"the progress is {told}")
        path.unlink()
    if peaks[1] - peaks[0] > _MOST_MORE_MB:
        outcome.failures.append(f"peak memory grows from {peaks[0]:.0f} to {peaks[1]:.0f} MB")
    outcome.note = (
        f"peak memory {peaks[0]:.0f} MB for {_SMALL / 1e6:,.0f} MB, {peaks[1]:.0f} MB for {size / 1e6:,.0f} MB; "
        f"{wanted:,} messages"
    )
