"""``python -m benchmarks``: run every benchmark that needs no data from outside, one after the other."""

from __future__ import annotations

from benchmarks import exporting, studio_sync

if __name__ == "__main__":
    print(
        "== Label Studio: push and pull beside what the same calls cost bare (python -m benchmarks.studio_sync)"
    )
    studio_sync.main([])
    print("== Exports: memory, and time beside a bare rewrite of the labels (python -m benchmarks.exporting)")
    exporting.main([])
