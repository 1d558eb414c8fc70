"""The one tokeniser and the one sentence splitter, for training, scoring and evidence.

Offsets are code points of the text as given.  A token is a word (letters, digits and their combining
marks), a hashtag or mention, a web address, an emoji (a whole sequence, a flag), a punctuation mark, or a
character of a script that puts no spaces between words (Chinese, Japanese kana).  What a model sees of a
token is its normal form; that of a character of such a script is the pair that it makes with the next one.
After a hashtag come the words that it is made of.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import NamedTuple

from annotations.records import Span

_MAX_FORM = 64
# A text may be one word of a million characters: what is remembered of a word must be short.
_REMEMBERED = 4 * _MAX_FORM
SINGLE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
JOINERS = "\u00ad\u200c\u200d\u2060"
ARABIC_MARKS = "\u0640\u064b-\u0652\u0670"
APOSTROPHES = "'\u2019\u02bc\u02bb"
CYRILLIC = "\u0400-\u052f"
PICTOGRAPHS = (
    "\u203c\u2049\u2190-\u21ff\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
_EMOJI = (
    "[\U0001f1e6-\U0001f1ff]{2}"
    f"|[{PICTOGRAPHS}][\ufe0e\ufe0f]?[\U0001f3fb-\U0001f3ff]?(?:\u200d[{PICTOGRAPHS}]\ufe0f?[\U0001f3fb-\U0001f3ff]?)*"
)
ABBREVIATIONS = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "gen",
        "col",
        "capt",
        "lt",
        "sgt",
        "st",
        "hon",
        "rev",
        "sr",
        "jr",
        "vs",
        "no",
        "nos",
        "art",
        "arts",
        "vol",
        "ed",
        "eds",
        "fig",
        "al",
        "etc",
        "e.g",
        "i.e",
        "u.s",
        "u.k",
        "u.n",
        "jan",
        "feb",
        "mar",
        "apr",
        "jun",
        "jul",
        "aug",
        "sep",
        "sept",
        "oct",
        "nov",
        "dec",
        "а.с",
        "г",
        "гг",
        "в",
        "вв",
        "им",
        "т.е",
        "т.д",
        "т.п",
        "т.к",
        "др",
        "пр",
        "ст",
        "п",
        "пп",
        "см",
        "стр",
        "руб",
        "млн",
        "млрд",
        "тыс",
        "ул",
        "обл",
        "р",
        "проф",
        "акад",
        "ген",
        "sra",
        "dra",
        "d",
        "m",
        "mme",
        "mlle",
        "núm",
        "art",
        "cf",
        "тис",
        "рр",
        "див",
        "ін",
        "вул",
        "т.зв",
        "pág",
        "ee.uu",
    ]
)
FULL_STOPS = ".!?…؟۔।"
"""What ends a sentence before white space."""
CLOSERS = "\"'»”’)\\]"
WIDE_STOPS = "。！？｡"
WIDE_CLOSERS = "」』”）"
LINE_ENDS = "\n\r\u2028\u2029\x0b\x0c\x85"
BULLETS = "•▪‣◦●■►"
BEFORE_WORD = '\\s(«"“'
# The look-behind and the possessive quantifiers keep a long run of marks from being tried from each of its places.
_BOUNDARY = re.compile(
    rf"(?<![{FULL_STOPS}])[{FULL_STOPS}]++[{CLOSERS}]*+(?=\s|$)|[{WIDE_STOPS}]+[{WIDE_CLOSERS}]*"
    f"|[{LINE_ENDS}]+|(?=[{BULLETS}])"
)
_LAST_WORD = re.compile(f"[^{BEFORE_WORD}]*$")
EMOJI = re.compile(_EMOJI)
_DROPPED = re.compile(f"[{JOINERS}{ARABIC_MARKS}\ufe0e\ufe0f\\s]")
_CHANGED = frozenset("\u02bc\u02bb\u0640")


class Token(NamedTuple):
    """A token: ``text[start:end]`` and its normal form (compatibility form, case folded)."""

    start: int
    end: int
    form: str


def tokenise(text: str) -> list[Token]:
    """Return the tokens of ``text`` in the order of their starts.

    They do not overlap, but for the words of a hashtag, which lie within it.
    """
    tokens: list[Token] = []
    unspaced = False
    for match in _pattern().finditer(text):
        start, end = match.span()
        form = _form(match.group()[:_REMEMBERED])
        if unspaced and match.lastgroup == "single" and tokens[-1].end == start:
            tokens[-1] = tokens[-1]._replace(form=tokens[-1].form + form)
        unspaced = match.lastgroup == "single"
        tokens.append(Token(start, end, form))
        if match.lastgroup == "tag" and text[start] != "@":
            tokens += _words_of_tag(text, start + 1, end)
    return tokens


def is_word(form: str) -> bool:
    """Tell whether a token of this form is a word, a hashtag or a mention: no emoji, no punctuation."""
    return form[0].isalnum() or form[0] in "#@"


def sentences(text: str) -> list[Span]:
    """Return the sentences of ``text``: non-empty, in order, without the white space between them.

    A sentence ends at ``. ! ? … ؟ ۔ ।`` before white space (a full stop not after an abbreviation or an
    initial, nor before a small letter), at ``。！？``, at a line break, and before a bullet.  What holds no
    letter and no digit belongs to the sentence before it.
    """
    spans: list[Span] = []
    start = 0
    for match in _BOUNDARY.finditer(text):
        if not _is_end(text, start, match):
            continue
        _add(spans, text, start, match.end())
        start = match.end()
    _add(spans, text, start, len(text))
    return spans


def emoji(text: str) -> list[Span]:
    """Return the emoji of ``text``, a whole sequence each; bullets are none."""
    return [Span(*found.span()) for found in EMOJI.finditer(text) if found.group() not in BULLETS]


def normal_form(word: str) -> str:
    """Return what a model sees of a token: NFKC, case folded, without joiners, 64 characters at most."""
    return _form(word[:_REMEMBERED])


def form_of(word: str) -> str:
    """Return the form of a token of at most 256 characters, as :func:`normal_form`, without remembering it."""
    if word[:8].casefold().startswith(("http://", "https://")):
        return "https://" + word.split("/", 3)[2].casefold()[:_MAX_FORM]
    if word.isascii():
        return word.lower()[:_MAX_FORM]
    form = unicodedata.normalize("NFKC", word).casefold()
    if not form.isalnum() or not _CHANGED.isdisjoint(form):
        for char in "\u2019\u02bc\u02bb":
            form = form.replace(char, "'")
        form = _DROPPED.sub("", form)
    return form[:_MAX_FORM] or word[:1]


_form = lru_cache(maxsize=1 << 17)(form_of)


@cache
def _pattern() -> re.Pattern[str]:
    """The token pattern; made at first use since marks and punctuation are looked up in the Unicode table."""
    mark = f"[{characters('M')}]"
    letter = f"(?:(?![{SINGLE}])[^\\W_]{mark}*)"
    apostrophe = f"(?<=[{CYRILLIC}])[{APOSTROPHES}](?=[{CYRILLIC}])"
    # "Russia's" and "so-called" are one word each, "l'eau" is two.
    ending = f"[{APOSTROPHES}](?=(?:s|t|re|ve|ll|d|m)(?![^\\W_]))"
    word = f"{letter}(?:[{JOINERS}]*{letter}|(?:{apostrophe}|(?i:{ending})|[-\u2010\u2011]){letter})*"
    tag = f"[#@\uff03](?:[\\w]{mark}*)+"
    return re.compile(
        f"(?i:https?)://[!-~]+|(?P<tag>{tag})|{_EMOJI}|{word}|(?P<single>[{SINGLE}]{mark}*)"
        f"|[!?]+|[{characters('P', 'S')}]"
    )


@cache
def characters(*categories: str) -> str:
    """Write the characters of some Unicode categories as the inside of a character class."""
    parts: list[str] = []
    first = 0
    for code in range(0x21, 0x20000):
        if unicodedata.category(chr(code))[0] in categories:
            first = first or code
        elif first:
            parts.append(f"{re.escape(chr(first))}-{re.escape(chr(code - 1))}")
            first = 0
    return "".join(parts)


def _words_of_tag(text: str, start: int, end: int) -> list[Token]:
    """Return the words of a hashtag's body: parted where small letters end, at ``_``, and about digits."""
    words: list[Token] = []
    first = start
    for place in range(start + 1, end + 1):
        if place == end or _parts(text, place, end):
            words += [
                Token(first + token.start, first + token.end, token.form)
                for token in tokenise(text[first:place])
                if is_word(token.form)
            ]
            first = place
    return words


def _parts(text: str, place: int, end: int) -> bool:
    """Tell whether a hashtag's word ends before ``text[place]``."""
    left, right = text[place - 1], text[place]
    if "_" in (left, right) or left.isdigit() != right.isdigit():
        return True
    if left.isupper() and right.isupper():
        return place + 1 < end and text[place + 1].islower()
    return right.isupper()


def _is_end(text: str, start: int, match: re.Match[str]) -> bool:
    mark = match.group()
    if not mark or mark[0] not in ".…":
        return True
    following = text[match.end() : match.end() + 8].lstrip()
    if following[:1].islower():
        return False
    if mark != ".":
        return True
    found = _LAST_WORD.search(text, max(start, match.start() - 20), match.start())
    word = found.group() if found else ""
    return not (word.casefold() in ABBREVIATIONS or (len(word) == 1 and word.isupper()))


def _add(spans: list[Span], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    left = start + len(piece) - len(piece.lstrip())
    right = start + len(piece.rstrip())
    if left >= right:
        return
    if spans and not any(map(str.isalnum, piece)):
        spans[-1] = Span(spans[-1].start, right)
    else:
        spans.append(Span(left, right))
