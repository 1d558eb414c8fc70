"""Which language a text is in, and the stem of a word in that language.

Languages are named by ISO 639-1 codes.  Identification is py3langid's (a model in the package, no download),
stems are Snowball's.  Where a language of letters has no Snowball stemmer (Ukrainian, Belarusian, Bulgarian)
the first five letters stand for the stem; languages without word forms or spaces (Chinese, Japanese) have none.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from typing import Any

import Stemmer
from py3langid.langid import MODEL_FILE, LanguageIdentifier

LOOKED_AT = 400
"""Characters of a text that its language is told by."""
LEAST_CONFIDENCE = 0.3
_LEAST_SHARE = 0.02
# Posts of these languages are common enough for a short text to be one of theirs rather than of their kin.
_FREQUENT = frozenset({"ar", "de", "en", "es", "fr", "it", "pt", "ru", "uk", "zh"})
_PRIOR = 3.0
_PREFIX = 5
_SNOWBALL = {
    "ar": "arabic",
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
}
_BY_PREFIX = frozenset({"be", "bg", "mk", "uk"})
SCRIPTS = {
    "cyrillic": re.compile("[\u0400-\u052f]"),
    "arabic": re.compile("[\u0600-\u06ff\u0750-\u077f]"),
    "han": re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]"),
    "latin": re.compile("[A-Za-z\u00c0-\u024f]"),
}
_SCRIPT_OF = {
    **dict.fromkeys(("be", "bg", "kk", "ky", "mk", "mn", "ru", "sr", "uk"), "cyrillic"),
    **dict.fromkeys(("ar", "fa", "ps", "ug", "ur"), "arabic"),
    **dict.fromkeys(("ja", "zh"), "han"),
}
_NO_LANGUAGE = re.compile(r"https?://\S+|[#@]\w+")
_lock = threading.Lock()


def identify(text: str) -> str | None:
    """Return the language of a text, from its first 400 characters; None where they do not tell."""
    words = _looked_at(text)
    if sum(map(str.isalpha, words)) < 2:
        return None
    likely = {language: chance * prior(language) for language, chance in identifier().rank(words)}
    best = max(likely, key=lambda language: likely[language])
    return best if likely[best] >= LEAST_CONFIDENCE * sum(likely.values()) else None


def prepared(text: str) -> str:
    """Return what is looked at of a text, in the form in which py3langid reads it."""
    words = _looked_at(text)
    return unicodedata.normalize("NFC", words.lower() if words.isupper() else words)


def prior(language: str) -> float:
    """Return how much more likely a language is than a rare one, before anything is read."""
    return _PRIOR if language in _FREQUENT else 1.0


def main_languages(identified: Iterable[str | None]) -> tuple[str, ...]:
    """Return the languages of at least 2 % of some texts, the most frequent first."""
    counted = Counter(language for language in identified if language is not None)
    least = _LEAST_SHARE * counted.total()
    return tuple(
        language for language, n in sorted(counted.items(), key=lambda x: (-x[1], x[0])) if n >= least
    )


def stemming_language(text: str, identified: str | None, languages: Sequence[str]) -> str:
    """Return the language by which the words of a text are stemmed, one of ``languages`` where possible.

    A text in none of them (too short to tell, or wrongly told) goes by the first of them in its script; one
    in another script by its own language.  Empty: words stay as they are.
    """
    return stemming_by_script(_script(text), identified, languages)


def stemming_by_script(script: str, identified: str | None, languages: Sequence[str]) -> str:
    """Return the language of :func:`stemming_language` of a text of which most letters are of ``script``."""
    if identified in languages:
        return str(identified)
    for language in languages:
        if _SCRIPT_OF.get(language, "latin") == script:
            return language
    return identified or ("ru" if script == "cyrillic" else "")


@lru_cache(maxsize=1 << 17)
def stem(word: str, language: str) -> str:
    """Return the stem of a case-folded word; the word itself where the language has no stemmer."""
    if language in _BY_PREFIX:
        return word[:_PREFIX]
    stemmer = _stemmer(language)
    if stemmer is None:
        return word
    with _lock:  # a Snowball stemmer is not safe to share between threads
        return str(stemmer(word)) or word


def stems(words: Sequence[str], language: str) -> list[str]:
    """Return the stem of every word, as :func:`stem` does, without remembering them."""
    if language in _BY_PREFIX:
        return [word[:_PREFIX] for word in words]
    if language not in _SNOWBALL:
        return list(words)
    with _lock:
        found = _snowball(language).stemWords(list(words))
    return [stemmed or word for stemmed, word in zip(found, words, strict=True)]


@cache
def _snowball(language: str) -> Any:
    return Stemmer.Stemmer(_SNOWBALL[language], 0)


@cache
def _stemmer(language: str) -> Callable[[str], str] | None:
    if language not in _SNOWBALL:
        return None
    stemmer: Callable[[str], str] = _snowball(language).stemWord
    return stemmer


@cache
def identifier() -> Any:
    """Return py3langid's model, and keep it: 90 MB."""
    return load_identifier()


def load_identifier() -> Any:
    """Read py3langid's model."""
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _looked_at(text: str) -> str:
    return _NO_LANGUAGE.sub(" ", text[: 2 * LOOKED_AT])[:LOOKED_AT]


def _script(text: str) -> str:
    """Return the script of most letters in the beginning of a text; ``latin`` where there are none."""
    counted = {name: len(pattern.findall(text[:LOOKED_AT])) for name, pattern in SCRIPTS.items()}
    most = max(counted, key=lambda name: counted[name])
    return most if counted[most] else "latin"
