"""Texts of others on the pages: what of a text can be written as HTML, what of it cannot be seen, its language."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
# Zero-width joiners are left out: emoji and many scripts need them.
_UNSEEN = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u200b\u2060\ufeff{_BIDI}]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_EXCERPT = 220
_NAMED = {"\ufeff": "ZERO WIDTH NO-BREAK SPACE", "\x7f": "DELETE"}

_NAMES_OF_LANGUAGES = (
    "af=Afrikaans am=Amharic an=Aragonese ar=Arabic as=Assamese az=Azerbaijani be=Belarusian bg=Bulgarian "
    "bn=Bengali br=Breton bs=Bosnian ca=Catalan cs=Czech cy=Welsh da=Danish de=German dz=Dzongkha el=Greek "
    "en=English eo=Esperanto es=Spanish et=Estonian eu=Basque fa=Persian fi=Finnish fo=Faroese fr=French "
    "ga=Irish gl=Galician gu=Gujarati he=Hebrew hi=Hindi hr=Croatian ht=Haitian hu=Hungarian hy=Armenian "
    "id=Indonesian is=Icelandic it=Italian ja=Japanese jv=Javanese ka=Georgian kk=Kazakh km=Khmer kn=Kannada "
    "ko=Korean ku=Kurdish ky=Kyrgyz la=Latin lb=Luxembourgish lo=Lao lt=Lithuanian lv=Latvian mg=Malagasy "
    "mk=Macedonian ml=Malayalam mn=Mongolian mr=Marathi ms=Malay mt=Maltese nb=Norwegian ne=Nepali nl=Dutch "
    "nn=Norwegian no=Norwegian oc=Occitan or=Odia pa=Punjabi pl=Polish ps=Pashto pt=Portuguese qu=Quechua "
    "ro=Romanian ru=Russian rw=Kinyarwanda se=Sami si=Sinhala sk=Slovak sl=Slovenian sq=Albanian sr=Serbian "
    "sv=Swedish sw=Swahili ta=Tamil te=Telugu tg=Tajik th=Thai tk=Turkmen tl=Tagalog tr=Turkish tt=Tatar "
    "ug=Uyghur uk=Ukrainian ur=Urdu uz=Uzbek vi=Vietnamese vo=Volapuk wa=Walloon xh=Xhosa zh=Chinese zu=Zulu"
)
LANGUAGES = dict(entry.split("=") for entry in _NAMES_OF_LANGUAGES.split())


def writable(text: str) -> str:
    """Return a text of the same length without what UTF-8 or HTML cannot hold (lone surrogates, NUL)."""
    return _SURROGATE.sub("\ufffd", text).replace("\x00", "\ufffd")


def unseen(text: str) -> list[tuple[str, int]]:
    """Return the invisible characters of a text with their numbers: direction marks, controls, zero-width ones.

    They can make a text look other than it is read by the model.
    """
    return [(_described(character), n) for character, n in Counter(_UNSEEN.findall(text)).most_common()]


def excerpt(text: str, length: int = _EXCERPT) -> str:
    """Return the beginning of a text in one line, cut at a word where it can be."""
    flat = " ".join(writable(text[: length * 4]).split())
    if len(flat) <= length and len(text) <= length * 4:
        return flat
    cut = flat[:length]
    return (cut.rsplit(" ", 1)[0] if " " in cut[length // 2 :] else cut).rstrip(" ,;:(") + " …"


def language_code(code: str | None) -> str | None:
    """Return a language code that may stand in ``lang=``; None for what is none."""
    return code if code and _LANGUAGE.fullmatch(code) else None


def language_name(code: str) -> str:
    """Return the English name of a language by its code (ISO 639), or the code."""
    return LANGUAGES.get(code, code)


def _described(character: str) -> str:
    name = _NAMED.get(character, unicodedata.name(character, "control character"))
    return f"{name.lower()} (U+{ord(character):04X})"
