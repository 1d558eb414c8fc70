"""Whether a line reads like a footer or a banner rather than like something that an author says.

That a line comes back in every post does not make it boilerplate: a slogan does, too.  It must also read like
boilerplate: links, names of networks, and the words of ``boilerplate_words.yaml`` make up most of it.  What has a
hashtag, and what is in doubt, is content.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import resources
from typing import NamedTuple

import yaml

_DOMAINS = (
    "com|org|net|info|gov|int|edu|tv|io|eu|ru|su|ua|by|kz|uk|de|fr|es|pt|br|cn|ir|tr|rs|pl|ch|рф|укр|бел|срб"
)
_LINK = re.compile(
    r"https?://\S+|www\.\S+|[\w.+-]+@[\w-]+\.[\w.-]+|(?<!\w)@\w{3,}"
    rf"|(?<![\w.@])(?:[\w-]+\.)+(?:{_DOMAINS})(?![\w.])(?:/\S*)?|(?<![\w.])[\w-]+\.me/\S+",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+")
_HASHTAG = re.compile(r"[#＃]\w")
_HASHTAGS = re.compile(r"[#＃]\w+")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufe0e\ufe0f\ufeff\U0001f3fb-\U0001f3ff]")
_MARKDOWN = ("**", "~~", "`")
_APOSTROPHES = re.compile("[\u2018\u2019\u02bc\u02bb\u00b4]")
_QUOTED = re.compile(
    r"\"[^\"]{1,80}\"|«[^»]{1,80}»|“[^”]{1,80}”|„[^“”]{1,80}[“”]|「[^」]{1,80}」|《[^》]{1,80}》"
)
_PARTS = re.compile(r"[|•·▪／]|\s[/–—-]\s|(?<=[.!?…])[\"»”)]*\s+(?=\w)|(?<=[。！？])")
_WORD = re.compile(r"[^\W\d_]+")
_A_LINK = "\ufffc"
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
_SENTENCE_END = re.compile(r"[.!?…。！？]\W*$")
_EMPHATIC = re.compile(r"[!?！？]")
_LONGEST = 200
_ROW = 2
_SHORT_WORD = 3
_MAX_WORDS = 10
_MAX_LINKED_WORDS = 14
_MAX_FOREIGN_WORDS = 2
_MAX_OUTSIDE = 3


def normal_form(line: str) -> str:
    """Return a line as it is compared: without differences of case, numbers, white space and emoji variants.

    Links and mentions keep their digits: they lead elsewhere.
    """
    text = unicodedata.normalize("NFKC", line).casefold()
    if not text.isascii():
        text = _APOSTROPHES.sub("'", _INVISIBLE.sub("", text))
    for mark in _MARKDOWN:
        text = text.replace(mark, "")
    if not any(mark in text for mark in "@./"):
        return " ".join(_NUMBER.sub("0", text).split())
    parts, last = [], 0
    for link in _LINK.finditer(text):
        parts += [_NUMBER.sub("0", text[last : link.start()]), link.group()]
        last = link.end()
    parts.append(_NUMBER.sub("0", text[last:]))
    return " ".join("".join(parts).split())


def is_transparent(normal: str) -> bool:
    """Tell whether a line has nothing but hashtags, emoji and signs: it stays, and a footer may stand behind it."""
    return not _WORD.search(_HASHTAGS.sub("", normal))


class _Words(NamedTuple):
    calls: re.Pattern[str]
    attributions: re.Pattern[str]
    neutral: re.Pattern[str]
    all: re.Pattern[str]


@lru_cache(maxsize=1 << 14)
def reads_like_boilerplate(normal: str) -> bool:
    """Tell whether a line, in its normal form, reads like a footer, a banner or a signature."""
    if _HASHTAG.search(normal) or len(normal) > _LONGEST:
        return False
    title = _title(normal)
    if title is None:
        return False
    text = _LINK.sub(_A_LINK, normal.replace(title, " ") if title else normal)
    parts = [part for part in _PARTS.split(text) if _A_LINK in part or _WORD.search(part)]
    others = [part for part in parts if not _is_service(part, bool(title))]
    if len(others) == 1 and len(parts) > _ROW:
        # A row of links may name one more place, in a word or two.
        return len(_WORD.findall(others[0])) <= _MAX_FOREIGN_WORDS and not _SENTENCE_END.search(others[0])
    return bool(parts) and not others


def _title(normal: str) -> str | None:
    """Return the quoted title of ``via "The Herald"``, an empty string without quotes, None for what someone says."""
    found = _QUOTED.search(normal)
    if found is None:
        return ""
    outside = normal.replace(found.group(), " ")
    named = _words().attributions.search(outside) or _words().calls.search(outside)
    few = len(_WORD.findall(outside)) <= _MAX_OUTSIDE
    return found.group() if named and few and not _EMPHATIC.search(found.group()) else None


def _is_service(part: str, has_title: bool) -> bool:
    rest = part.replace(_A_LINK, " ")
    words = _WORD.findall(rest)
    linked = _A_LINK in part
    if not words:
        return linked
    if len(words) > (_MAX_LINKED_WORDS if linked else _MAX_WORDS):
        return False
    has_call = bool(_words().calls.search(rest))
    if _EMPHATIC.search(rest) and not has_call:
        return False
    others = _WORD.findall(_words().all.sub(" ", rest))
    covered = sum(map(len, words)) - sum(map(len, others))
    weight = sum(len(word) for word in others if _is_weighty(word))
    if linked:
        return covered >= weight if covered else len(words) <= _MAX_FOREIGN_WORDS
    return covered > weight and (has_call or has_title or not _SENTENCE_END.search(rest))


def _is_weighty(word: str) -> bool:
    return bool(_UNSPACED.match(word)) or (len(word) > _SHORT_WORD and not _words().neutral.match(word))


@cache
def _words() -> _Words:
    text = resources.files("annotations").joinpath("boilerplate_words.yaml").read_text(encoding="utf-8")
    data: dict[str, list[str]] = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - plain text, our own
    named = [*data["calls"], *data["attributions"], *data["names"], *data["platforms"]]
    return _Words(
        _pattern(data["calls"], data["anywhere_calls"]),
        _pattern(data["attributions"], []),
        _pattern(data["neutral"], []),
        _pattern(named, [*data["anywhere_calls"], *data["anywhere"]]),
    )


def _pattern(words: Sequence[str], anywhere: Sequence[str]) -> re.Pattern[str]:
    def written(word: str) -> str:
        stem = re.escape(normal_form(word.rstrip("*")))
        return rf"{stem}\w*" if word.endswith("*") else rf"{stem}(?!\w)"

    whole = "|".join(map(written, sorted(words, key=len, reverse=True)))
    inside = [re.escape(normal_form(word)) for word in sorted(anywhere, key=len, reverse=True)]
    return re.compile("|".join([rf"(?<!\w)(?:{whole})", *inside]))
