"""Words of many texts: by compiled code they are those of the plain way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.languages import identify
from classifiers.wording import Worded, Wording, stem_key

LANGUAGES = ("en", "ru")
TEXTS = [
    "The ministers met. #RiverPact2026 @mid https://example.org/a 2026, 12 words; so-called aid!",
    "Министры встретились в Москве и говорили о реке.",
    "",
    "世界 多极化 🕊 ﬁg. a#b ﬆ. #①a",
    "the river " * 300,
]


@pytest.fixture(scope="module")
def both() -> tuple[Wording, Wording]:
    """Return a compiled wording and a plain one."""
    compiled = Wording(LANGUAGES)
    assert compiled._compiled is not None
    return compiled, Wording(LANGUAGES, compiled=False)


def assert_same(both: tuple[Wording, Wording], texts: list[str]) -> None:
    """Compare languages, words, places and runs."""
    languages = both[1].identified(texts)
    assert both[0].identified(texts) == languages == [identify(text) for text in texts]
    ours, theirs = (wording.words(texts, languages) for wording in both)
    for name in Worded.__dataclass_fields__:
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name


def test_words_and_languages_are_those_of_the_plain_way(both: tuple[Wording, Wording]) -> None:
    """Several scripts, hashtags, addresses, odd texts, a long one; none at all."""
    assert_same(both, TEXTS)
    assert_same(both, [])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=60) | st.text("aBя. #@_'世🕊①ﬁ1:/https", max_size=60), max_size=4))
def test_any_text_has_the_words_of_the_plain_way(both: tuple[Wording, Wording], texts: list[str]) -> None:
    """No string makes the two ways differ."""
    assert_same(both, texts)


def test_words_stand_where_they_say_and_runs_end_at_signs(both: tuple[Wording, Wording]) -> None:
    """Addresses, mentions and hashtags as a whole are none; the parts of a hashtag are."""
    found = both[0].words(TEXTS[:2], ["en", "ru"])
    text = TEXTS[0]
    first = found.post_of == 0
    words = [text[a:b] for a, b in zip(found.starts[first], found.ends[first], strict=True)]
    assert words == [
        "The",
        "ministers",
        "met",
        "River",
        "Pact",
        "2026",
        "2026",
        "12",
        "words",
        "so-called",
        "aid",
    ]
    assert found.keys[1] == stem_key("minister", "en")
    runs = found.runs[first].tolist()
    assert [len({*runs[:3]}), len({*runs[3:6]}), runs[6] == runs[7], runs[8] == runs[9]] == [
        1,
        1,
        False,
        False,
    ]
    assert found.runs[0] != found.runs[~first][0]
