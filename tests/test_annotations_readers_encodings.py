"""Files in encodings other than UTF-8: the encoding is guessed, and the report says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotations.errors import FileError
from annotations.readers import PostItem, ReadOptions, read_posts

RUSSIAN = (
    "Министр заявил, что мир становится многополярным и ни одна столица больше не пишет правила одна.",
    "Устав Организации Объединённых Наций остаётся основой порядка, напомнили в министерстве.",
    "Стороны обсудили торговлю, перевозки и совместное управление рекой в долине Тавеля.",
)
SPANISH = (
    "El ministro señaló que ningún país puede hablar en nombre de todos, y mañana volverá a decirlo.",
    "La región exige respeto; las sanciones dañan a los niños y a los más pobres, añadió la cancillería.",
)
FRENCH = (
    "Le ministre a déclaré qu'aucune capitale ne peut parler au nom de tous ; il l'a répété à la presse.",
    "Les états de la vallée exigent l'égalité et le respect de la souveraineté, à côté des traités.",
)
POLISH = (
    "Minister oświadczył, że żadna stolica nie może już mówić za wszystkich.",
    "Wspólnota państw doliny wymaga sprawiedliwości i pokoju; następne spotkanie odbędzie się w środę.",
)
CHINESE = (
    "外交部长今天表示,世界正在走向多极化,任何一个首都都不能独自制定规则。",
    "联合国宪章仍然是国际秩序的基础,各国应当共同维护和平与公正。",
)


@pytest.mark.parametrize(
    ("encoding", "texts"),
    [
        ("cp1251", RUSSIAN),
        ("koi8-r", tuple(text.replace("ё", "е") for text in RUSSIAN)),
        ("latin-1", SPANISH),
        ("cp1252", FRENCH),
        ("cp1250", POLISH),
        ("gb18030", CHINESE),
        ("utf-16", RUSSIAN),
    ],
)
def test_a_table_in_another_encoding_is_read(tmp_path: Path, encoding: str, texts: tuple[str, ...]) -> None:
    """Every text arrives as it was; what was guessed is said."""
    path = tmp_path / "posts.csv"
    rows = "".join(f"{number}\t{text}\r\n" for number, text in enumerate(texts * 5))
    path.write_bytes(f"message_id\ttext\r\n{rows}".encode(encoding))
    reading = read_posts(path)
    found = [item.post.text for item in reading.items if isinstance(item, PostItem)]
    assert found == list(texts) * 5
    assert bool(reading.notes) is (encoding != "utf-16")


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("cp1251", "WINDOWS-1251"),
        ("mac-cyrillic", "mac_cyrillic"),
        ("utf-16", "utf-16-le"),
        ("utf-8-sig", "utf8"),
    ],
)
def test_an_encoding_that_is_named_is_used(tmp_path: Path, encoding: str, named: str) -> None:
    """Nothing is guessed, whatever the bytes look like; a signature at the beginning is no part of the text."""
    path = tmp_path / "posts.csv"
    path.write_bytes(f'text\n"{RUSSIAN[0]}"\n'.encode(encoding))
    reading = read_posts(path, ReadOptions(encoding=named))
    assert [item.post.text for item in reading.items if isinstance(item, PostItem)] == [RUSSIAN[0]]
    assert reading.notes == ()


def test_an_encoding_that_is_named_is_used_for_pages(tmp_path: Path) -> None:
    """Also where the parser of pages does not know it."""
    path = tmp_path / "page.html"
    page = (
        '<html><div class="tgme_widget_message" data-post="mfa/1"><div class="tgme_widget_message_text">'
        f"{RUSSIAN[0]}</div></div></html>"
    )
    path.write_bytes(page.encode("mac-cyrillic"))
    items = list(read_posts(path, ReadOptions(encoding="mac-cyrillic")).items)
    assert [item.post.text for item in items if isinstance(item, PostItem)] == [RUSSIAN[0]]


@pytest.mark.parametrize("name", ["cp9999", "base64", "", "utf-8\0"])
def test_an_unknown_encoding_is_named(tmp_path: Path, name: str) -> None:
    """With an example of a right one."""
    path = tmp_path / "posts.csv"
    path.write_text("text\nx\n")
    with pytest.raises(FileError, match="is no encoding") as caught:
        read_posts(path, ReadOptions(encoding=name))
    assert "cp1251" in caught.value.hint


def test_bytes_outside_the_encoding_that_is_named_are_placed(tmp_path: Path) -> None:
    """The message says which byte, and the way out."""
    path = tmp_path / "posts.csv"
    path.write_bytes(b"text\n" + "мир".encode("cp1251"))
    with pytest.raises(FileError, match="not in the encoding utf-8: byte 6") as caught:
        read_posts(path, ReadOptions(encoding="utf-8"))
    assert "--encoding" in caught.value.hint
