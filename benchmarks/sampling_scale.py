"""Time and memory of a sample from a large pool, without a model.

    python -m benchmarks.sampling_scale [--posts 500000] [--size 500]

Prints the seconds and the peak memory of the process that samples, and the seconds of reading every text once.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import insert

from annotations.codebook import default_codebook_path, load_codebook
from annotations.ledger.posts import current_posts
from annotations.ledger.store import Ledger, open_ledger
from annotations.ledger.tables import imports, posts, revisions
from classifiers.queueing import SampleRequest, make_sample

_CHUNK = 20_000


def main(arguments: Sequence[str]) -> None:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posts", type=int, default=500_000)
    parser.add_argument("--size", type=int, default=500)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        ledger = open_ledger(f"sqlite:///{Path(folder) / 'ledger.db'}")
        _fill(ledger, options.posts)
        start = time.perf_counter()
        sample = make_sample(
            ledger, load_codebook(default_codebook_path()), None, SampleRequest(size=options.size)
        )
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        start = time.perf_counter()
        n_read = sum(1 for _ in current_posts(ledger))
        reading = time.perf_counter() - start
        ledger.close()
    print(f"{len(sample.posts):,} of {n_read:,} posts: {seconds:.0f} s, at most {peak:.0f} MB")
    print(f"reading every text once: {reading:.0f} s; ratio {seconds / reading:.2f}")


def _fill(ledger: Ledger, n_posts: int) -> None:
    """Fill a ledger with invented posts of 10 to 150 words."""
    random_ = random.Random(0)
    words = [f"word{number}" for number in range(30_000)]
    lists: dict[str, list[str]] = {"hashtags": [], "links": [], "media": []}
    with ledger.begin() as connection:
        values = {"file": "f", "format": "dump", "started_at": "2026", "finished_at": "2026", "counts": {}}
        connection.execute(insert(imports).values(**values))
    for first in range(0, n_posts, _CHUNK):
        names = [f"c/{number}" for number in range(first, min(first + _CHUNK, n_posts))]
        rows = [
            {"post_id": name, "channel": "c", "revision": name, "reactions": {}, **lists} for name in names
        ]
        texts = [" ".join(random_.choices(words, k=random_.randint(10, 150))) for _ in names]
        with ledger.begin() as connection:
            connection.execute(insert(posts).values(first_import=1), rows)
            connection.execute(
                insert(revisions).values(cleaner=1, import_id=1, seen_at="2026"),
                [
                    {"post_id": name, "revision": name, "text": text}
                    for name, text in zip(names, texts, strict=True)
                ],
            )


if __name__ == "__main__":
    main(sys.argv[1:])
