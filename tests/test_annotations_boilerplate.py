"""Footers, banners and signatures are recognised, what a channel says is not."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.boilerplate import Boilerplate, Limits, find_boilerplate, mask, without
from annotations.boilerplate_rulings import Rulings, read_rulings
from annotations.boilerplate_shape import normal_form
from annotations.errors import FileError
from annotations.readers import PostItem, ReadOptions, read_posts
from annotations.records import Post, Span

_WORDS = """
    valley treaty harbour council delegation bridge railway envoy minister grain river border school winter agreement
    visit parliament museum island pipeline forest teacher festival veteran ferry market orchard lighthouse census
"""


def _sentence(number: int) -> str:
    return " ".join(random.Random(f"{number}").choices(_WORDS.split(), k=14)).capitalize() + "."


def _posts(shape: Callable[[int], str], number: int = 40, channel: str = "CalverraMFA") -> list[Post]:
    """Return posts of a channel, each written by ``shape`` from its number."""
    return [Post(channel=channel, message_id=str(each), text=shape(each)) for each in range(number)]


def _recognised(posts: Iterable[Post]) -> set[str]:
    return {line.text for line in find_boilerplate(posts).lines}


def _quotes(found: Boilerplate, post: Post) -> list[str]:
    return [span.quote(post.text) for span in found.spans(post.channel, post.text)]


@pytest.mark.parametrize(
    "footer",
    [
        "Subscribe: @CalverraMFA | VK | OK",
        "👉 Subscribe to our channel!",
        "Read in full",
        "📖 Read",
        'via "The Maravent Herald: ".',
        "🔵 Telegram 🟦 VK 🟧 OK ▶️ RuTube",
        "Press service of the Ministry of Foreign Affairs of Calverra",
        "https://mfa.calverra.example/en/",
        "@CalverraMFA",
        "Подписаться на МИД Кальверры: @calverra_mid",
        "Сайт | ВКонтакте | Одноклассники | Телеграм",
        "Пресс-служба МИД Кальверры",
        "Підписатися на канал | Надіслати новину",
        "Suscríbete a nuestro canal: t.me/calverra_es",
        "Abonnez-vous à notre chaîne @calverra_fr",
        "Folgt uns: @calverra_de",
        "订阅我们的频道：@calverra_zh",
        "チャンネル登録はこちら：@calverra_ja",
        "تابعونا على قناة الوزارة: @calverra_ar",
        "ჩვენი არხი: @calverra_ka",
    ],
)
def test_a_closing_line_is_recognised_in_many_languages(footer: str) -> None:
    """Where it closes a good part of the posts, with its number, its share and examples; only the line itself."""
    posts = _posts(
        lambda number: f"{_sentence(number)}\n\n{_sentence(-number - 1)}" + f"\n\n{footer}" * (number % 2)
    )
    found = find_boilerplate(posts)
    (line,) = found.lines
    assert (line.channel, line.place, line.text) == ("CalverraMFA", "closing", footer)
    assert (line.count, line.share, line.why) == (20, 0.5, "repeated")
    assert line.post_ids == ("CalverraMFA/1", "CalverraMFA/3", "CalverraMFA/5")
    assert [_quotes(found, post) for post in posts] == [[], [footer]] * 20


@pytest.mark.parametrize(
    "banner", ["🎙 Foreign Ministry briefing", "Брифинг МИД Кальверры № {}", "外交部例行记者会"]
)
def test_an_opening_banner_is_recognised(banner: str) -> None:
    """A banner above the text, also one that counts on."""
    posts = _posts(lambda number: f"{banner.format(number)}\n{_sentence(number)}\n{_sentence(-number)}")
    found = find_boilerplate(posts)
    assert [(line.place, line.count) for line in found.lines] == [("opening", 40)]
    assert _quotes(found, posts[7]) == [banner.format(7)]


def test_several_lines_are_recognised_from_the_edge_inwards() -> None:
    """A footer of three lines behind a hashtag goes as a whole; the hashtag stays."""
    posts = _posts(
        lambda n: f"{_sentence(n)}\n{_sentence(-n)}\nRead in full\n🔴 Facebook\n🔴 Our website\n#Calverra"
    )
    found = find_boilerplate(posts)
    assert _quotes(found, posts[0]) == ["Read in full", "🔴 Facebook", "🔴 Our website"]
    assert without(posts[0].text, found.spans("CalverraMFA", posts[0].text)).endswith(".\n#Calverra")


def test_differences_of_writing_do_not_matter() -> None:
    """Case, white space, emoji variants, kinds of apostrophes and Markdown are the same line."""
    writings = [
        "❤️ our ministry’s channel: @Calverra",
        "❤ our Ministry's  channel: @calverra",
        "**❤\ufe0f our\u00a0ministry's channel:** @CALVERRA",
    ]
    posts = _posts(lambda number: f"{_sentence(number)}\n{_sentence(-number)}\n{writings[number % 3]}")
    found = find_boilerplate(posts)
    assert [line.count for line in found.lines] == [40]
    assert [_quotes(found, post) for post in posts[:3]] == [[writing] for writing in writings]


def test_the_last_sentence_of_a_paragraph_can_be_a_signature() -> None:
    """Also where the post is a single line."""
    posts = _posts(lambda number: f"{_sentence(number)} {_sentence(-number)} Subscribe: @CalverraMFA")
    found = find_boilerplate(posts)
    assert _quotes(found, posts[3]) == ["Subscribe: @CalverraMFA"]


@pytest.mark.parametrize(
    "slogan",
    [
        "Peace through strength!",
        "Peace through strength",
        "Glory to Calverra!",
        "Слава Кальверре!",
        "Calverra has never started a war.",
        "Hestria is to blame for the war, subscribe to the truth about it: @CalverraMFA",
        "Join us in the fight against the hegemony of Hestria!",
        "The Foreign Ministry of Hestria lies about our bridges.",
        "“A fair world is coming”, says the Foreign Ministry",
        "#TruthAboutCalverra #Multipolarity",
        "Subscribe #TruthAboutCalverra @CalverraMFA",
        "Hestria started the war | Telegram | VK | OK",
        "Read: Hestria lies",
        "Наша победа",
        "霸权主义必将失败。",
        "外交部：海斯特里亚是世界和平的最大威胁",
        "Воздушная тревога объявлена на всей территории Кальверры",
        "🕊🕊🕊",
        "***",
    ],
)
@pytest.mark.parametrize("place", ["closing", "opening"])
def test_a_slogan_is_content_however_often_it_comes(slogan: str, place: str) -> None:
    """A claim, a quote, hashtags and emoji stay, even in every post of the channel."""
    posts = _posts(
        lambda number: "\n".join(
            [slogan, _sentence(number), _sentence(-number)][:: 1 if place == "opening" else -1]
        )
    )
    found = find_boilerplate(posts)
    assert found.lines == ()
    assert not any(found.spans(post.channel, post.text) for post in posts)


@pytest.mark.parametrize(
    ("line", "recognised"),
    [
        ("Multipolarity now! @CalverraMFA", "@CalverraMFA"),
        ("Hestria started the war. Subscribe to us.", "Subscribe to us."),
    ],
)
def test_of_a_line_with_a_claim_only_the_signature_is_recognised(line: str, recognised: str) -> None:
    """The claim beside it stays."""
    posts = _posts(lambda number: f"{_sentence(number)}\n{_sentence(-number)}\n{line}")
    assert _quotes(find_boilerplate(posts), posts[0]) == [recognised]


def test_a_line_amid_the_text_is_content() -> None:
    """What stands between the author's paragraphs stays, though it is boilerplate at the edge."""
    posts = _posts(lambda number: f"{_sentence(number)}\n{_sentence(-number)}\nRead in full", 30)
    amid = f"{_sentence(1)}\nRead in full\n{_sentence(2)}"
    found = find_boilerplate([*posts, *_posts(lambda _number: amid, 1)])
    assert found.spans("CalverraMFA", posts[0].text)
    assert found.spans("CalverraMFA", amid) == ()
    assert find_boilerplate(_posts(lambda n: f"{_sentence(n)}\nRead in full\n{_sentence(-n)}")).lines == ()


def test_a_post_of_one_line_is_content() -> None:
    """A whole post is never boilerplate, and makes nothing boilerplate."""
    posts = _posts(lambda number: "Subscribe: @CalverraMFA" if number % 2 else _sentence(number))
    assert find_boilerplate(posts).lines == ()
    footed = _posts(lambda number: f"{_sentence(number)}\n{_sentence(-number)}\nSubscribe: @CalverraMFA", 30)
    assert find_boilerplate(footed).spans("CalverraMFA", "Subscribe: @CalverraMFA") == ()


def test_at_most_half_of_a_post_is_boilerplate() -> None:
    """A footer that is longer than what stands above it stays, so that no post becomes next to nothing."""
    footer = "Press service of the Ministry of Foreign Affairs of Calverra"
    found = find_boilerplate(_posts(lambda number: f"{_sentence(number)}\n{_sentence(-number)}\n{footer}"))
    assert found.spans("CalverraMFA", f"Happy new year!\n{footer}") == ()
    assert found.spans("CalverraMFA", f"{_sentence(1)}\n{footer}")


def test_few_posts_or_a_small_share_are_not_enough() -> None:
    """Four posts of a small channel, and two in a hundred of a large one, prove nothing."""

    def footed(every: int) -> Callable[[int], str]:
        return lambda number: (
            f"{_sentence(number)}\n{_sentence(-number)}" + "\nRead in full" * (number % every == 0)
        )

    assert _recognised(_posts(footed(2), 8)) == set()
    assert _recognised(_posts(footed(2), 10)) == {"Read in full"}
    assert _recognised(_posts(footed(50), 400)) == set()
    assert _recognised(_posts(footed(20), 400)) == {"Read in full"}


def test_near_copies_of_a_post_count_once() -> None:
    """One post, forwarded twenty times with small edits, does not make its last line boilerplate."""
    words = _sentence(1) + " " + _sentence(2)
    copies = _posts(lambda number: f"{words.replace('.', f', {number}.', 1)}\nRead in full", 20)
    found = find_boilerplate(
        [*copies, *_posts(lambda number: f"{_sentence(-number)}\n{_sentence(number)}", 20)]
    )
    assert found.lines == ()
    assert found.n_posts["CalverraMFA"] < 30


def test_a_line_is_boilerplate_of_its_channel_alone() -> None:
    """What one channel repeats is content in another that says it once."""
    footed = _posts(lambda number: f"{_sentence(number)}\n{_sentence(-number)}\nRead in full")
    other = _posts(lambda number: f"{_sentence(100 + number)}\n{_sentence(-100 - number)}", channel="Ilvania")
    found = find_boilerplate([*footed, *other])
    assert {line.channel for line in found.lines} == {"CalverraMFA"}
    assert found.spans("Ilvania", footed[0].text) == ()


def test_links_that_differ_are_content() -> None:
    """A link of the post's own is kept; the same link in every post is a footer."""
    posts = _posts(
        lambda number: f"{_sentence(number)}\n{_sentence(-number)}\nSource: https://calverra.example/{number}"
    )
    assert find_boilerplate(posts).lines == ()


def test_rare_candidates_are_forgotten_and_frequent_ones_are_not() -> None:
    """With next to no memory for candidates the footer is still found, with its number."""

    def shape(number: int) -> str:
        link = "Subscribe: @CalverraMFA" if number % 4 == 0 else f"https://calverra.example/{number}"
        return f"{_sentence(number)}\n{_sentence(-number)}\n{link}"

    posts = _posts(shape, 2_000)
    found = find_boilerplate(posts, limits=Limits(most_candidates=10))
    assert found.lines == find_boilerplate(posts).lines
    assert [line.text for line in found.lines] == ["Subscribe: @CalverraMFA"]


def test_progress_is_told() -> None:
    """Every thousand posts, and at the end."""
    told: list[int] = []
    find_boilerplate(_posts(_sentence, 2_500), progress=lambda done, _total: told.append(done))
    assert told == [1_000, 2_000, 2_500]


def test_a_person_overrules() -> None:
    """What is to be kept is content; what is to be dropped is boilerplate anywhere, but never most of a post."""
    posts = _posts(
        lambda number: f"{_sentence(number)}\n{_sentence(-number)}\nGlory to Calverra!\nRead in full"
    )
    kept = frozenset({("*", normal_form("READ in full"))})
    dropped = frozenset({("CalverraMFA", normal_form("Glory to Calverra!"))})
    found = find_boilerplate(posts, Rulings(kept, dropped))
    assert [(line.text, line.place, line.why, line.count) for line in found.lines] == [
        ("Glory to Calverra!", "anywhere", "ruling", 40)
    ]
    assert _quotes(found, posts[0]) == ["Glory to Calverra!"]
    assert found.spans("CalverraMFA", "Glory to Calverra!") == ()
    assert found.spans("Ilvania", posts[0].text) == ()


def test_a_ruling_on_one_channel_goes_before_one_on_all() -> None:
    """A line dropped everywhere can be kept in one channel, and the other way round."""
    line = ("*", "a"), ("X", "a")
    assert Rulings(frozenset({line[1]}), frozenset({line[0]})).keeps("X", "a")
    assert not Rulings(frozenset({line[1]}), frozenset({line[0]})).drops("X", "a")
    assert Rulings(frozenset({line[0]}), frozenset({line[1]})).drops("X", "a")
    assert Rulings(frozenset({line[0]}), frozenset({line[1]})).keeps("Y", "a")


def test_a_file_of_rulings(tmp_path: Path) -> None:
    """Channels with lines to keep and to drop; an absent and an empty file hold none."""
    path = tmp_path / "boilerplate.yaml"
    assert read_rulings(path) == Rulings()
    path.write_text("# nothing yet\n")
    assert read_rulings(path) == Rulings()
    path.write_text(
        'CalverraMFA:\n  keep:\n    - Read in full\n  drop: ["No  VK: 1"]\n"*":\n  drop:\n    - no\n'
    )
    assert read_rulings(path) == Rulings(
        frozenset({("CalverraMFA", "read in full")}), frozenset({("CalverraMFA", "no vk: 0"), ("*", "no")})
    )


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("X:\n  kep:\n    - a\n", 2, "'kep' is neither keep nor drop"),
        ("X:\n  keep: a\n", 2, "not a list"),
        ("X:\n  keep:\n    - a\n    - [b]\n", 4, "a line of text"),
        ("X:\n  keep:\n    - ''\n", 3, "a line of text"),
        (f"X:\n  keep:\n    - {'a' * 501}\n", 3, "at most 500 characters"),
        ("X: a\n", 1, "keep: or drop: is missing"),
        ("- a\n", 1, "has no channels"),
        ("X:\n  keep:\n    - a\n  drop:\n    - A\n", 5, "under keep and under drop"),
        ("X:\n  keep:\n    - a: b: c\n", 3, "not valid YAML"),
    ],
)
def test_mistakes_in_a_file_of_rulings_are_named_by_line(
    tmp_path: Path, content: str, line: int, message: str
) -> None:
    """File, line, and what was expected."""
    path = tmp_path / "boilerplate.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(FileError) as caught:
        read_rulings(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert message in str(caught.value)
    assert "- Read in full" in caught.value.hint


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Bytes that are not UTF-8, and a folder, are named."""
    path = tmp_path / "boilerplate.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileError, match="not UTF-8"):
        read_rulings(path)
    with pytest.raises(FileError, match="cannot be read"):
        read_rulings(tmp_path)


_LINES = st.sampled_from(
    [
        "Read in full",
        "#Calverra",
        "📖 Read",
        "",
        " ",
        "Peace!",
        "Subscribe: @CalverraMFA\r",
        "🇺🇳 e\u0301 x",
        "\u00a0VK | OK",
    ]
)


@given(st.lists(st.lists(_LINES | st.text(max_size=20), max_size=6).map("\n".join), max_size=30))
def test_spans_lie_in_the_text_in_order_and_mask_to_its_length(texts: list[str]) -> None:
    """Of any posts: spans fit, do not overlap, cover half at most; all offsets outside stay where they are."""
    posts = [Post(channel="C", message_id=str(number), text=text) for number, text in enumerate(texts)]
    found = find_boilerplate(posts, limits=Limits(min_posts=1, min_share=0))
    for text in texts:
        spans = found.spans("C", text)
        masked = mask(text, spans)
        assert all(span.fits(text) for span in spans)
        assert all(left.end <= right.start for left, right in pairwise(spans))
        assert len(masked) == len(text)
        hidden = {at for span in spans for at in range(span.start, span.end)}
        for at, (old, new) in enumerate(zip(text, masked, strict=True)):
            assert new == (old if at not in hidden or old in "\r\n" else " ")
        rest = iter(text)
        assert all(char in rest for char in without(text, spans))
        if not spans:
            assert without(text, spans) == text


def test_masking_keeps_lines_and_leaving_out_leaves_no_empty_ones() -> None:
    """A masked footer is spaces; left out, its line is gone and the paragraphs stay as they were."""
    text = "Read in full\n\nFirst \n \nSecond 🇺🇳. Subscribe: @C\nVK | OK"
    spans = [Span(0, 12), Span(text.index("Sub"), text.index("\nVK")), Span(text.index("VK"), len(text))]
    assert mask(text, spans) == f"{' ' * 12}\n\nFirst \n \nSecond 🇺🇳. {' ' * 13}\n{' ' * 7}"
    assert without(text, spans) == "First \n \nSecond 🇺🇳."


def test_nothing_recognised_touches_what_annotators_highlighted(shared_data: Path) -> None:
    """In a real channel of a ministry: footers are found, and no evidence of any annotator overlaps them."""
    file = shared_data / "mfa" / "posts.csv"
    items = read_posts(file, ReadOptions(channel="MFARussia")).items
    found = find_boilerplate(item.post for item in items if isinstance(item, PostItem))
    assert "Read in full" in {line.text for line in found.lines}
    n_spans = n_evidence = 0
    for row in map(
        json.loads, (shared_data / "mfa" / "labels.jsonl").read_text(encoding="utf-8").splitlines()
    ):
        spans = found.spans("MFARussia", row["text"])
        n_spans += len(spans)
        for evidence in (place for places in row["tags"].values() for place in places):
            n_evidence += 1
            assert not any(span.start < evidence["end"] and evidence["start"] < span.end for span in spans)
    assert n_spans > 30
    assert n_evidence > 1_000


def test_real_channels(shared_data: Path) -> None:
    """A channel that reposts articles has its footers in nearly all posts; one of news that repeats alarms has none."""

    def found_in(name: str) -> tuple[list[Post], Boilerplate]:
        (path,) = (shared_data / "telegram" / name).glob("*mess*")
        posts = [item.post for item in read_posts(path).items if isinstance(item, PostItem)]
        return posts, find_boilerplate(posts)

    posts, found = found_in("desktop_html_en")
    assert {line.text.split()[0] for line in found.lines} == {"📖", "via"}
    assert sum(bool(found.spans(post.channel, post.text)) for post in posts) > 0.9 * len(posts)
    posts, found = found_in("telethon_json_ru")
    assert len(posts) == 1_000
    assert found.lines == ()
