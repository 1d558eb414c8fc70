"""fastText and Vowpal Wabbit beside the scorer; run by :mod:`benchmarks.scorer` in an environment that has them.

Reads posts as lines of JSON from standard input and answers with the seconds that tagging them took.
"""

import json
import re
import sys
import tempfile
import time
from pathlib import Path

import fasttext
import vowpalwabbit

_SIGNS = re.compile(r"[\s:|]+")


def main() -> None:
    """Train both, then answer."""
    given = json.loads(Path(sys.argv[1]).read_text())
    fast, wabbit = _fast_text(given), _vowpal_wabbit(given)
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["peer"] == "fastText":
            posts = [" ".join(text.split()) for text in asked["texts"]]
            begin = time.perf_counter()
            for post in posts:
                fast.predict(post, k=-1)
        else:
            posts = ["| " + _SIGNS.sub(" ", text) for text in asked["texts"]]
            begin = time.perf_counter()
            for post in posts:
                wabbit.predict(post)
        print(time.perf_counter() - begin, flush=True)


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


def _vowpal_wabbit(given: dict) -> object:
    """Train one against all over words and pairs of words."""
    number = {tag: place for place, tag in enumerate(given["all"])}
    model = vowpalwabbit.Workspace(
        f"--multilabel_oaa {len(number)} --loss_function logistic --ngram 2 -b 20 --quiet"
    )
    for _ in range(5):
        for text, tags in zip(given["texts"], given["tags"], strict=True):
            labels = ",".join(str(number[tag]) for tag in tags)
            model.learn(f"{labels} | {_SIGNS.sub(' ', text)}")
    return model


if __name__ == "__main__":
    main()
