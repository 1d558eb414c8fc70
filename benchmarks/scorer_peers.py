"""fastText and Vowpal Wabbit beside the scorer; run by :mod:`benchmarks.scorer` in an environment that has them.

Reads posts as lines of JSON from standard input and answers with the seconds that tagging them took.
"""

import itertools
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import fasttext
import vowpalwabbit

_SIGNS = re.compile(r"[\s:|]+")


WORDS, PAIRS, SAME = (
    "Vowpal Wabbit, words",
    "Vowpal Wabbit, words and pairs",
    "Vowpal Wabbit, the pipeline's features",
)


def main() -> None:
    """Train all, then answer."""
    given = json.loads(Path(sys.argv[1]).read_text())
    fast = _fast_text(given)
    wabbits = {
        WORDS: (_vowpal_wabbit(given, _plain, "-b 20"), _plain),
        PAIRS: (_vowpal_wabbit(given, _plain, "-b 20 --ngram 2"), _plain),
        SAME: (_vowpal_wabbit(given, _grams, "-b 22"), _grams),
    }
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["peer"] == "fastText":
            posts = [" ".join(text.split()) for text in asked["texts"]]
            begin = time.perf_counter()
            for post in posts:
                fast.predict(post, k=-1)
        else:
            model, encode = wabbits[asked["peer"]]
            posts = ["| " + encode(text) for text in asked["texts"]]  # made beforehand: not in its time
            begin = time.perf_counter()
            for post in posts:
                model.predict(post)
        print(time.perf_counter() - begin, flush=True)


def _plain(text: str) -> str:
    return _SIGNS.sub(" ", text)


def _grams(text: str) -> str:
    """Write words, pairs of words, and character grams of 3 to 5 within words as features."""
    words = re.findall(r"\b\w\w+\b", text.lower())
    found = words + [f"{first}_{second}" for first, second in itertools.pairwise(words)]
    for word in text.lower().split():
        padded = f"_{word}_"
        for n in (3, 4, 5):
            found += [f"~{padded[at : at + n]}" for at in range(max(1, len(padded) - n + 1))]
    return " ".join(_SIGNS.sub("_", feature) for feature in found)


def _fast_text(given: dict) -> object:
    """Train one against all with vectors of 100 numbers and character grams of 3 to 5."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        for text, tags in zip(given["texts"], given["tags"], strict=True):
            labels = " ".join(f"__label__{tag}" for tag in tags)
            file.write(f"{labels} {' '.join(text.split())}\n")
        file.flush()
        return fasttext.train_supervised(
            file.name, dim=100, minn=3, maxn=5, wordNgrams=2, loss="ova", epoch=5, thread=1, verbose=0
        )


def _vowpal_wabbit(given: dict, encode: Callable[[str], str], options: str) -> object:
    """Train one against all."""
    number = {tag: place for place, tag in enumerate(given["all"])}
    model = vowpalwabbit.Workspace(
        f"--multilabel_oaa {len(number)} --loss_function logistic {options} --quiet"
    )
    for _ in range(5):
        for text, tags in zip(given["texts"], given["tags"], strict=True):
            labels = ",".join(str(number[tag]) for tag in tags)
            model.learn(f"{labels} | {encode(text)}")
    return model


if __name__ == "__main__":
    main()
