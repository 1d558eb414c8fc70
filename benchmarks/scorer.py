"""How fast posts are tagged: the compiled scorer beside a plain scikit-learn pipeline, fastText and Vowpal Wabbit.

    python -m benchmarks.scorer LABELS [--rounds 7] [--posts 2000] [--peers PYTHON]
    python -m benchmarks.scorer LABELS --limit          # how near to what the machine can do

All are trained on the same posts and tags. What is tagged is made from those posts: sentences of several of them,
with one word in a hundred (--new) changed into one that nobody has seen. Each round measures everything once, in a
changing order; printed are medians of ratios within a round. --peers names a Python in whose environment fastText
(`fasttext-wheel`) and `vowpalwabbit` are installed; they need not be in ours.

--limit prints the bytes that the scorer touches for a post beside what memory can bring in that time, and, where
`perf` can count them, instructions a byte of text.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

from annotations.codebook import default_codebook_path, load_codebook
from annotations.labels import read_labels
from benchmarks.ablation import plain_pipeline
from classifiers import languages
from classifiers.bundle import write_bundle
from classifiers.compiled.engine import CompiledModel
from classifiers.compiled.identifying import automaton
from classifiers.dataset import Dataset
from classifiers.model import Model
from classifiers.scorer import Scorer
from classifiers.tokens import sentences, tokenise
from classifiers.training import TrainedModel, TrainingOptions, train

OURS, PLAIN, MATRICES = "the scorer", "scikit-learn pipeline", "the same model by matrices"
TWO_THREADS = "the scorer, two threads"
PEERS = (
    "fastText",
    "Vowpal Wabbit, words",
    "Vowpal Wabbit, words and pairs",
    "Vowpal Wabbit, the pipeline's features",
)


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("labels", type=Path)
    parser.add_argument("--codebook", type=Path, default=default_codebook_path())
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--posts", type=int, default=2_000)
    parser.add_argument("--new", type=float, default=0.01, help="Share of words that nobody has seen.")
    parser.add_argument("--peers", type=Path, help="A Python with fasttext and vowpalwabbit.")
    parser.add_argument("--limit", action="store_true")
    options = parser.parse_args(arguments)
    codebook = load_codebook(options.codebook)
    data = Dataset.from_annotations(read_labels(options.labels, codebook.tag_ids), codebook)
    gold = data.shares > 0.5
    trained = train(data, codebook, TrainingOptions())
    model = trained.model
    texts = varied(data.texts, (options.rounds + 2) * options.posts, options.new)
    print(f"{len(data)} posts for training, {gold.shape[1]} tags; {_sizes(texts)}")
    if options.limit:
        _limit(model, texts[: options.posts])
        return
    pipeline = fitted(data.texts, gold)
    with _peers(options.peers, data.texts, gold, codebook.tag_ids) as peers:
        _bulk(model, pipeline, peers, texts, options)
    _one_post(model, pipeline, texts[:300])
    _start_up(trained, pipeline)


def varied(posts: Sequence[str], n: int, new: float, seed: int = 0) -> list[str]:
    """Return ``n`` posts made of sentences of ``posts``, about as long, some words changed."""
    chosen = random.Random(seed)
    pieces = [[text[span.start : span.end] for span in sentences(text)] for text in posts]
    pieces = [piece for piece in pieces if piece]
    made = []
    for _ in range(n):
        length = len(chosen.choice(posts))
        text = ""
        while len(text) < length:
            text += chosen.choice(chosen.choice(pieces)) + chosen.choice((" ", " ", "\n"))
        words = text.split(" ")
        for place, word in enumerate(words):
            if word.isalpha() and chosen.random() < new:
                letters = list(word)
                chosen.shuffle(letters)
                words[place] = "".join(letters) + chosen.choice("aeiouаеиоу")
        made.append(" ".join(words))
    return made


def _sizes(texts: Sequence[str]) -> str:
    size = statistics.mean(map(len, texts))
    n_tokens = np.mean([len(tokenise(text)) for text in texts[:200]])
    return f"{len(texts):,} posts to tag, {size:,.0f} characters and {n_tokens:,.0f} tokens on average"


def fitted(texts: Sequence[str], gold: np.ndarray) -> Pipeline:
    """Return the plain pipeline, fitted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message="Label .* is present in")
        return plain_pipeline().fit(list(texts), gold)


def _bulk(
    model: Model,
    pipeline: Pipeline,
    peers: dict[str, Callable[[Sequence[str]], float]],
    texts: Sequence[str],
    options: argparse.Namespace,
) -> None:
    ours, plain = Scorer(model, "0", compiled=True), Scorer(model, "0", compiled=False)
    n = options.posts
    for part in (texts[:n], texts[n : 2 * n]):
        ours.judge(part)
    plain.judge(texts[:n])

    def two(part: Sequence[str]) -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(ours.judge, [part[k : k + 250] for k in range(0, len(part), 250)]))

    # The slow ones are given fewer posts of the same kind.
    ways: dict[str, tuple[Callable[[Sequence[str]], float], int]] = {
        OURS: (_timed(ours.judge), n),
        TWO_THREADS: (_timed(two), n),
        PLAIN: (_timed(pipeline.predict_proba), n // 10),
        MATRICES: (_timed(plain.judge), n // 5),
    } | {name: (way, n // 2) for name, way in peers.items()}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(options.rounds):
        part = texts[(number + 2) * n : (number + 3) * n]
        order = sorted(ways, key=lambda name: hash((name, number)))
        for name in order:
            way, size = ways[name]
            # Each way sees posts for the first time: the two of ours share a memo, so they get halves of their own.
            given = part[: n // 2] if name == OURS else part[n // 2 :] if name == TWO_THREADS else part[:size]
            rates[name].append(len(given) / way(given))
        print(
            f"round {number + 1}: {', '.join(f'{name} {rates[name][-1]:,.0f}' for name in ways)} posts/s",
            flush=True,
        )
    print("\nratio of the scorer's posts/s to those of ... (median; lowest to highest)")
    for name in ways:
        if name != OURS:
            ratios = [a / b for a, b in zip(rates[OURS], rates[name], strict=True)]
            if name == TWO_THREADS:
                ratios = [1 / ratio for ratio in ratios]
            label = f"{name}, to one" if name == TWO_THREADS else name
            print(f"  {label:34} {statistics.median(ratios):8.2f}  ({min(ratios):.2f} to {max(ratios):.2f})")


def _timed(way: Callable[[Sequence[str]], object]) -> Callable[[Sequence[str]], float]:
    def timed(texts: Sequence[str]) -> float:
        begin = time.perf_counter()
        way(texts)
        return time.perf_counter() - begin

    return timed


def _one_post(model: Model, pipeline: Pipeline, texts: Sequence[str]) -> None:
    scorer = Scorer(model, "0", compiled=True)
    scorer.judge(texts)
    shares: dict[bool, list[float]] = {False: [], True: []}
    for text in texts:
        slow = _timed(pipeline.predict_proba)([text])
        for explain, found in shares.items():
            found.append(_timed(lambda t, e=explain: scorer.predict(t, explain=e))([text]) / slow)
    print(
        f"one post: {statistics.median(shares[False]):.4f} of the pipeline's time, with evidence "
        f"{statistics.median(shares[True]):.4f} (1/20 is 0.05; medians over {len(texts)} pairs)"
    )


def _start_up(trained: TrainedModel, pipeline: Pipeline) -> None:
    """Compare fresh processes up to their first answer."""
    with tempfile.TemporaryDirectory() as folder:
        bundle, pickled = Path(folder) / "bundle", Path(folder) / "pipeline.joblib"
        write_bundle(trained, bundle)
        joblib.dump(pipeline, pickled)
        ours = (
            "from pathlib import Path; from classifiers.scorer import Scorer; "
            f"Scorer.load(Path({str(bundle)!r})).predict(['A post.'], explain=True)"
        )
        theirs = f"import joblib; joblib.load({str(pickled)!r}).predict_proba(['A post.'])"
        subprocess.run([sys.executable, "-c", ours], check=True)  # compiled code is cached from here on
        shares = []
        for _ in range(7):
            times = []
            for code in (ours, theirs):
                begin = time.perf_counter()
                subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
                times.append(time.perf_counter() - begin)
            shares.append(times[0] / times[1])
    print(
        f"a fresh process up to its first answer: {statistics.median(shares):.2f} times that of the pipeline, pickled"
    )


# ---------------------------------------------------------------- the machine's limit


def _limit(model: Model, texts: Sequence[str]) -> None:
    engine = CompiledModel(model.linear)
    list(engine.scored(texts))
    n_bytes, parts = _touched(engine, texts)
    seconds = min(_timed(lambda t: list(engine.scored(t)))(texts) for _ in range(7)) / len(texts)
    bandwidth = _bandwidth()
    print(
        f"bytes touched a post: {n_bytes:,.0f} ({', '.join(f'{name} {size:,.0f}' for name, size in parts.items())})"
    )
    print(
        f"memory brings {bandwidth / 1e9:.1f} GB/s (a copy of 256 MB, both ways): that alone is "
        f"{n_bytes / bandwidth / seconds:.3f} of a post's time"
    )
    _instructions(engine, texts)


def _touched(engine: CompiledModel, texts: Sequence[str]) -> tuple[float, dict[str, float]]:
    """Count what is read and written for a post: text, tokens, rows of words, the language's tables."""
    sizes = {"text": 0.0, "tokens and their keys": 0.0, "rows of words": 0.0, "language": 0.0}
    row = engine._known._memo.rows.shape[1] * 4
    weights = automaton()[0].weights
    for scored in engine.scored(texts):
        found = scored.sentences()
        pairs = sum(
            len(set(found.words[a:b].tolist())) for a, b in zip(found.firsts, found.firsts[1:], strict=False)
        )
        # Written and read as code points; read for tokens with a table, for sentences, for keys.
        sizes["text"] += sum(map(len, scored.texts)) * (4 + 4 + 8 + 8 + 4)
        sizes["tokens and their keys"] += len(found.words) * (12 + 12 + 16 + 24 + 8)
        sizes["rows of words"] += pairs * row * 4 / 3
        looked = sum(
            len(text[: languages.LOOKED_AT].encode("utf-8", "surrogatepass")) for text in scored.texts
        )
        # A move, a row and a feature a byte; every second byte ends a feature, most of them different.
        sizes["language"] += looked * (4 + 2 + 4) + 0.4 * looked * weights.shape[1] * weights.itemsize
    each = {name: size / len(texts) for name, size in sizes.items()}
    return sum(each.values()), each


def _bandwidth() -> float:
    source, target = np.ones(1 << 25), np.empty(1 << 25)
    return max(2 * source.nbytes / _timed(lambda _: np.copyto(target, source))([]) for _ in range(9))


def _instructions(engine: CompiledModel, texts: Sequence[str]) -> None:
    """Count instructions by attaching perf to this process while it scores."""
    rounds = 20
    with tempfile.NamedTemporaryFile(suffix=".txt") as out:
        command = ["perf", "stat", "-e", "instructions:u", "-x,", "-o", out.name, "-p", str(os.getpid())]
        try:
            watching = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        except FileNotFoundError:
            print("instructions: perf is not installed")
            return
        time.sleep(0.5)
        for _ in range(rounds):
            list(engine.scored(texts))
        watching.send_signal(2)
        watching.wait(10)
        fields = [
            line.split(",") for line in Path(out.name).read_text().splitlines() if "instructions" in line
        ]
    if not fields or not fields[0][0].isdigit():
        print("instructions: this machine does not let perf count them")
        return
    n_bytes = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) * rounds
    print(f"instructions a byte of text (UTF-8): {int(fields[0][0]) / n_bytes:.1f}")


# ---------------------------------------------------------------- peers


@contextmanager
def _peers(
    python: Path | None, texts: Sequence[str], gold: np.ndarray, tags: Sequence[str]
) -> Iterator[dict[str, Callable[[Sequence[str]], float]]]:
    """Start the peers in their environment, trained, and yield what times them."""
    if python is None:
        print("fastText and Vowpal Wabbit are left out (--peers PYTHON)")
        yield {}
        return
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "train.json"
        rows = [[tags[k] for k in np.flatnonzero(row)] for row in gold]
        given.write_text(json.dumps({"texts": list(texts), "tags": rows, "all": list(tags)}))
        script = Path(__file__).with_name("scorer_peers.py")
        child = subprocess.Popen(
            [str(python), str(script), str(given)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

        def way(name: str) -> Callable[[Sequence[str]], float]:
            def timed(posts: Sequence[str]) -> float:
                assert child.stdin is not None
                assert child.stdout is not None
                child.stdin.write(json.dumps({"peer": name, "texts": list(posts)}) + "\n")
                child.stdin.flush()
                return float(child.stdout.readline())

            return timed

        try:
            yield {name: way(name) for name in PEERS}
        finally:
            child.stdin.close()  # type: ignore[union-attr]
            child.wait(20)


if __name__ == "__main__":
    main(sys.argv[1:])
