"""False alarms of the tests for change, and how much of a change they find; memory and time of a large corpus.

    python -m benchmarks.trends [--corpora 400] [--posts 0]

For each kind of corpus without a change: the share of corpora with an alarm on any of ten tags (nominal 5 %). Then
the share in which a planted change is found, and how far off its day is. ``--posts 1000000`` also measures the commands
`trends` and `drift` on that many invented posts with a table of tags: seconds beside those of reading every post once,
and the peak memory of the process.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import insert

from annotations.ledger.posts import current_posts
from annotations.ledger.store import Ledger, open_ledger
from annotations.ledger.tables import imports, posts, revisions
from classifiers.drift import DriftInput, Training, drift
from classifiers.trends import TagsTable, trends
from classifiers.trends.change_points import ChangeOptions, change_points
from classifiers.trends.timelines import DayCounts, day_date

N_TAGS = 10
N_DAYS = 180
A_DAY = 5.0
_FIRST = 20_400
_CHUNK = 20_000
Shares = Callable[[np.random.Generator], np.ndarray]


def main(arguments: Sequence[str]) -> None:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpora", type=int, default=400)
    parser.add_argument("--posts", type=int, default=0)
    options = parser.parse_args(arguments)
    print(f"{options.corpora} corpora each of {N_DAYS} days with {A_DAY:g} posts, {N_TAGS} tags of 10 %")
    print("without a change                                   unit   corpora with an alarm")
    for title, shares in _NOTHING.items():
        for unit in ("day", "week"):
            alarms = sum(bool(_found(shares, seed, unit)) for seed in range(options.corpora))
            print(f"{title:50} {unit:6} {alarms / options.corpora:.1%}")
    print("one tag changes on the 90th day                    unit   found   days off (median)")
    for after in (0.15, 0.2, 0.3):
        for unit in ("day", "week"):
            hits = [_hit(after, seed, unit) for seed in range(options.corpora)]
            off = [days for days in hits if days is not None]
            median = f"{np.median(off):.0f}" if off else "-"
            print(f"{f'10 % to {after:.0%}':50} {unit:6} {len(off) / options.corpora:5.0%}   {median}")
    if options.posts:
        _large(options.posts)


def _plain(_rng: np.random.Generator) -> np.ndarray:
    return np.full((N_DAYS, N_TAGS), 0.1)


def _by_day(rng: np.random.Generator) -> np.ndarray:
    """Return shares that differ from day to day: between 0 and 40 %, 10 % on average."""
    return rng.beta(1, 9, size=(N_DAYS, N_TAGS))


def _by_wave(rng: np.random.Generator) -> np.ndarray:
    """Return shares that differ from one run of five days to the next."""
    return np.repeat(rng.beta(1, 9, size=(N_DAYS // 5, N_TAGS)), 5, axis=0)


_NOTHING: dict[str, Shares] = {
    "every post by itself": _plain,
    "shares differ from day to day": _by_day,
    "shares differ between runs of five days": _by_wave,
}


def _found(shares: Shares, seed: int, unit: str) -> list[tuple[str, str]]:
    rng = np.random.default_rng(seed)
    counts = _counts(rng, shares(rng))
    options = ChangeOptions(unit=unit, seed=seed)
    return [
        (change.tag, change.date)
        for change in change_points([f"t{n}" for n in range(N_TAGS)], counts, options)
    ]


def _hit(after: float, seed: int, unit: str) -> int | None:
    """Return how many days off the nearest change of the tag was found; None where none was within two weeks."""

    def planted(rng: np.random.Generator) -> np.ndarray:
        shares = _plain(rng)
        shares[90:, 0] = after
        return shares

    true = day_date(_FIRST + 90).toordinal()
    dates = [date for tag, date in _found(planted, seed, unit) if tag == "t0"]
    off = [abs(_ordinal(date) - true) for date in dates]
    return min(off) if off and min(off) <= 14 else None


def _ordinal(date: str) -> int:
    return int(np.datetime64(date).astype("datetime64[D]").astype(int)) + 719_163


def _counts(rng: np.random.Generator, shares: np.ndarray) -> DayCounts:
    n = rng.poisson(A_DAY, N_DAYS)
    yes = rng.binomial(n[:, None], shares)
    kept = n > 0
    return DayCounts(_FIRST + np.flatnonzero(kept), yes[kept], np.repeat(n[kept][:, None], N_TAGS, axis=1))


def _large(n_posts: int) -> None:
    tag_ids = [f"t{n}" for n in range(25)]
    with tempfile.TemporaryDirectory() as folder:
        ledger = open_ledger(f"sqlite:///{Path(folder) / 'ledger.db'}")
        _fill(ledger, Path(folder) / "tags.parquet", n_posts, tag_ids)
        start = time.perf_counter()
        n_read = sum(1 for _ in current_posts(ledger))
        reading = time.perf_counter() - start
        table = TagsTable(ledger, Path(folder) / "tags.parquet")
        training = Training("0123456789ab", ("en",), np.zeros(0, dtype=np.uint64), None)
        for name, work in (
            ("trends", lambda: trends(table)),
            ("drift", lambda: drift(DriftInput(ledger=ledger, corpus=table, training=training))),
        ):
            start = time.perf_counter()
            work()
            seconds = time.perf_counter() - start
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{name}: {n_read:,} posts, {seconds / reading:.1f} times reading them, at most {peak:.0f} MB so far"
            )
        ledger.close()


def _fill(ledger: Ledger, tags: Path, n_posts: int, tag_ids: Sequence[str]) -> None:
    """Fill a ledger with invented posts of 10 to 80 words, 1,000 days, 50 channels; and a table of their tags."""
    rng = np.random.default_rng(0)
    words = np.array([f"word{number}" for number in range(30_000)])
    lists: dict[str, list[str]] = {"hashtags": [], "links": [], "media": []}
    schema = pa.schema(
        [("post_id", pa.string()), ("model_version", pa.string())]
        + [field for tag in tag_ids for field in ((tag, pa.string()), (f"{tag}_score", pa.float64()))]
    )
    with ledger.begin() as connection:
        values = {"file": "f", "format": "dump", "started_at": "2026", "finished_at": "2026", "counts": {}}
        connection.execute(insert(imports).values(**values))
    with pq.ParquetWriter(tags, schema) as writer:
        for first in range(0, n_posts, _CHUNK):
            numbers = range(first, min(first + _CHUNK, n_posts))
            names = [f"c{number % 50}/{number}" for number in numbers]
            dates = [f"{day_date(_FIRST + number * 1_000 // n_posts)}T09:00:00+00:00" for number in numbers]
            rows = [
                {"post_id": name, "channel": f"c{number % 50}", "date": date, "lang": "en", "revision": name,
                 "message_id": str(number), "reactions": {}, **lists}
                for number, name, date in zip(numbers, names, dates, strict=True)
            ]  # fmt: skip
            # The smaller its number the more frequent the word, as in a language.
            texts = [
                " ".join(words[(30_000 * rng.random(rng.integers(10, 80)) ** 3).astype(int)]) for _ in numbers
            ]
            with ledger.begin() as connection:
                connection.execute(insert(posts).values(first_import=1), rows)
                connection.execute(
                    insert(revisions).values(cleaner=1, import_id=1, seen_at="2026"),
                    [
                        {"post_id": name, "revision": name, "text": text}
                        for name, text in zip(names, texts, strict=True)
                    ],
                )
            scores = rng.beta(0.3, 2, size=(len(names), len(tag_ids)))
            columns: dict[str, object] = {"post_id": names, "model_version": ["0123456789ab"] * len(names)}
            for column, tag in enumerate(tag_ids):
                columns[tag] = np.where(scores[:, column] > 0.5, "yes", "no")
                columns[f"{tag}_score"] = scores[:, column]
            writer.write_table(pa.table(columns, schema=schema))


if __name__ == "__main__":
    main(sys.argv[1:])
