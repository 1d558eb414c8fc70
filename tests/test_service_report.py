"""The report from end to end: a workspace with a model and a random sample, or with little or nothing."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from click.testing import CliRunner, Result
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, Page

from annotations.codebook import dump_codebook
from annotations.errors import TalkingPointsError
from annotations.importing import import_file
from annotations.labels import write_labels
from annotations.ledger.api_keys import add_key
from annotations.ledger.samples import SampledPost, SampleRecord, record_sample
from annotations.ledger.store import open_ledger
from annotations.records import text_digest
from classifiers.testing import invented_annotations, invented_codebook
from service.app import create_app
from service.cli.root import talkingpoints
from service.keys import new_key
from service.report.methods import methods
from service.report.pages import PAGES
from service.settings import load_settings

N_POSTS, N_DRAWN = 160, 70
HOSTILE = '<script>alert(1)</script> "><img src=x onerror=alert(2)> the river belongs to every village'


class Workspace:
    """Posts of three months, one of them hostile, a random sample, its labels, and a model of these."""

    def __init__(self, home: Path) -> None:
        self.home = home
        annotations = invented_annotations(N_POSTS)
        (home / "codebook.yaml").write_text(dump_codebook(invented_codebook()))
        texts = {each.post_id: each.text for each in annotations}
        rows = [
            {"channel": "ministry", "message_id": post_id.partition("/")[2], "text": text,
             "date": f"2026-0{1 + number % 3}-{10 + number % 9}T12:00:00Z"}
            for number, (post_id, text) in enumerate(texts.items())
        ]  # fmt: skip
        rows += [
            {"channel": "<b>odd</b>", "message_id": "1", "text": HOSTILE, "date": "2026-03-01T00:00:00Z"}
        ]
        (home / "posts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        ledger = open_ledger(f"sqlite:///{home / 'ledger.db'}")
        import_file(ledger, home / "posts.jsonl")
        drawn = list(texts)[::2][:N_DRAWN]
        posts = [
            SampledPost(post_id, text_digest(texts[post_id]), "random", place, N_DRAWN / len(rows), 1, 2)
            for place, post_id in enumerate(drawn, 1)
        ]
        record = SampleRecord(
            seed=0, codebook="c", model_version=None, n_pool=len(rows), n_pool_posts=len(rows)
        )
        record_sample(ledger, record, posts)
        ledger.close()
        self.labels = home / "labels.jsonl"
        write_labels(self.labels, [each for each in annotations if each.post_id in set(drawn)])

    def __call__(self, *arguments: object, code: int = 0) -> Result:
        """Run a command in this process; code 1 is an expected failure."""
        done = CliRunner(env={"TALKINGPOINTS_HOME": str(self.home)}).invoke(
            talkingpoints, list(map(str, arguments))
        )
        if code == 1:
            assert isinstance(done.exception, TalkingPointsError)
        assert done.exit_code == code, done.output
        return done

    @property
    def report(self) -> Path:
        """The folder that is written where no other is named."""
        return self.home / "reports" / "report"


class _Links(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.tags: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on"), (tag, name)
            assert name != "style"
            if name in ("href", "src"):
                self.links.append(value or "")
            elif name == "id":
                self.ids.add(value or "")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Make the workspace, train, and write the report."""
    made = Workspace(tmp_path_factory.mktemp("report"))
    made("train", "--labels", made.labels)
    made("report", "--labels", made.labels)
    return made


@pytest.fixture(scope="module")
def pages(workspace: Workspace) -> dict[str, str]:
    """Return the HTML of every page."""
    return {name: (workspace.report / f"{name}.html").read_text("utf-8") for name in PAGES}


def _rows(report: Path, name: str) -> list[dict[str, str]]:
    with (report / "data" / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_every_link_is_alive_and_none_leads_out(workspace: Workspace, pages: dict[str, str]) -> None:
    """Pages, plots, data, anchors; no script, no handler, no style attribute, no address of elsewhere."""
    reached = set()
    for name, html in pages.items():
        found = _Links(html)
        assert "script" not in found.tags, name
        for link in found.links:
            if link == "data:,":
                continue
            path, _, anchor = link.partition("#")
            assert ":" not in link, (name, link)
            assert not link.startswith("/"), (name, link)
            assert not path or (workspace.report / path).is_file(), (name, link)
            assert not anchor or anchor in found.ids, (name, link)
            reached.add(path)
    said = set(json.loads((workspace.report / "report.json").read_text())["files"])
    assert said == {
        path.relative_to(workspace.report).as_posix()
        for path in workspace.report.rglob("*")
        if path.is_file() and path.name != "report.json"
    }
    assert said <= reached
    assert "url(" not in (workspace.report / "report.css").read_text()


def test_every_plot_is_svg_png_and_csv(workspace: Workspace, pages: dict[str, str]) -> None:
    """Every picture that a page shows, with words for who does not see it."""
    shown = re.findall(
        r'<img src="figures/([a-z-]+)\.svg" alt="([^"]{20,})".*?data/([a-z_]+)\.csv',
        "".join(pages.values()),
        re.DOTALL,
    )
    names = {name for name, _, _ in shown}
    assert names >= {"posts-by-month", "posts-by-channel", "posts-by-language", "agreement", "reliability"}
    assert names >= {"precision-recall", "prevalence", "prevalence-by-month", "timelines", "pairs"}
    assert names == {path.stem for path in (workspace.report / "figures").glob("*.svg")}
    for name, _, sheet in shown:
        svg = (workspace.report / "figures" / f"{name}.svg").read_text("utf-8")
        assert "<script" not in svg
        assert not re.search(r'href="(?!#)', svg)
        assert (workspace.report / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert _rows(workspace.report, sheet)


def test_the_methods_paragraph_has_the_numbers_of_the_data(
    workspace: Workspace, pages: dict[str, str]
) -> None:
    """On the page, in the text file, and again from the other tables."""
    paragraph = (workspace.report / "data" / "methods.txt").read_text("utf-8").strip()
    assert paragraph in _text(pages["methods"].replace("&#39;", "'"))
    numbers = {row["name"]: row["value"] for row in _rows(workspace.report, "numbers")}
    shares = [row for row in _rows(workspace.report, "prevalence") if row["is_valid"] == "True"]
    everyone = json.loads((workspace.report / "data" / "agreement.json").read_text("utf-8"))["overall"]
    n_posts = sum(int(row["n_posts"]) for row in _rows(workspace.report, "posts_by_channel"))
    percents = [100 * float(row["share"]) for row in shares]
    expected = (
        f"We analysed {n_posts} posts of 2 channels dated from 2026-01-10 to 2026-03-",
        f"made {len(workspace.labels.read_text().splitlines())} annotations of {N_DRAWN} posts",
        f"alpha is {everyone['alpha']:.2f}".rstrip("0"),
        f"annotations of {N_DRAWN} posts drawn at random",
        f"shares of {len(shares)} tags so estimated are between {min(percents):.1f} % and {max(percents):.1f} %",
        f"changes found: {len(_rows(workspace.report, 'changes'))}",
        f"by chance (Fisher's exact test, false discovery rate 5 %; Benjamini and Hochberg 1995): "
        f"{sum(float(row['p']) < 0.05 for row in _rows(workspace.report, 'pairs'))}.",
        f"model {numbers['model_version']})",
    )
    for words in expected:
        assert words in paragraph
    assert n_posts == N_POSTS + 1
    assert methods({}) == ""


def test_shares_on_the_page_are_those_of_the_command(workspace: Workspace, pages: dict[str, str]) -> None:
    """Every share and its interval, and the same as `talkingpoints prevalence` gives."""
    said = json.loads(workspace("prevalence", "--labels", workspace.labels, "--json").stdout)["shares"]
    found = {row["tag"]: row for row in _rows(workspace.report, "prevalence")}
    text = _text(pages["shares"])
    assert {row["tag"] for row in said} == set(found)
    for row in said:
        assert float(found[row["tag"]]["share"]) == pytest.approx(row["share"], rel=1e-4)
        assert f"{100 * row['low']:.1f} % to {100 * row['high']:.1f} %" in text
        assert found[row["tag"]]["is_valid"] == "True"


def test_the_evaluation_is_that_of_the_command(workspace: Workspace, pages: dict[str, str]) -> None:
    """The cross-validation of the training, beside the tables; a report without labels has none."""
    said = json.loads((workspace.report / "data" / "evaluation.json").read_text("utf-8"))
    ways = ("--cross-validate", "--quick", "--json")
    command = workspace("evaluate", "--labels", workspace.labels, *ways).stdout
    assert said == json.loads(command)
    assert 'href="data/evaluation.json"' in pages["data"]


def test_texts_of_others_are_escaped(workspace: Workspace, pages: dict[str, str]) -> None:
    """A post and a channel that would be HTML are words on every page."""
    whole = "".join(pages.values())
    assert "<script>alert" not in whole
    assert "<img src=x" not in whole
    assert "<b>odd" not in whole
    assert "&lt;b&gt;odd&lt;" in pages["dataset"]
    assert "<mark>" in pages["examples"]


def test_a_refused_tag_says_why(pages: dict[str, str]) -> None:
    """The tag of which there are too few examples."""
    assert "Rare: too few examples" in _text(pages["model"])
    assert "Rare" in _text(pages["limits"])


def test_a_report_takes_the_place_of_a_report_and_of_nothing_else(
    workspace: Workspace, tmp_path: Path
) -> None:
    """A folder with other things in it is left alone."""
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine.txt").write_text("mine")
    done = workspace(
        "report", "--no-evaluation", "--no-evidence", "--labels", workspace.labels, "--out", taken, code=1
    )
    assert "holds other things" in str(done.exception)
    assert [path.name for path in tmp_path.rglob("*")] == ["taken", "mine.txt"]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace without a model and without labels, and a report of nothing at all beside it."""
    made = Workspace(tmp_path_factory.mktemp("bare"))
    (made.home / "ledger.db").rename(made.home / "kept.db")
    made("report", "--out", made.home / "empty")
    (made.home / "ledger.db").unlink()
    (made.home / "kept.db").rename(made.home / "ledger.db")
    made("report")
    return made


def test_what_is_missing_is_said_with_what_to_do(bare: Workspace) -> None:
    """No posts; then posts, but no model and no labels: all pages are there."""
    nothing = {name: _text((bare.home / "empty" / f"{name}.html").read_text("utf-8")) for name in PAGES}
    for name in ("index", "dataset", "model", "shares", "trends", "drift"):
        assert "There are no posts yet" in nothing[name], name
        assert "no model yet" not in nothing[name], name
    little = {name: _text((bare.report / f"{name}.html").read_text("utf-8")) for name in PAGES}
    assert f"{N_POSTS + 1} posts of 2 channels" in little["index"]
    for name in ("model", "shares", "trends", "drift"):
        assert "There is no model yet" in little[name], name
    for name in ("agreement", "codebook"):
        assert "annotations are here yet" in little[name], name
    assert "no evidence to show" in little["examples"]
    for name in ("labels.jsonl", "evaluation.json"):
        assert not (bare.report / "data" / name).exists(), name


def test_without_a_random_sample_no_share_is_called_valid(bare: Workspace) -> None:
    """Labels of posts that were not drawn at random: counts, marked as such, and how to draw a sample."""
    ledger = open_ledger(f"sqlite:///{bare.home / 'ledger.db'}")
    with ledger.begin() as connection:
        connection.exec_driver_sql("DELETE FROM sample_posts")
        connection.exec_driver_sql("DELETE FROM samples")
    ledger.close()
    bare("train", "--labels", bare.labels)
    bare("report", "--labels", bare.labels, "--no-evaluation", "--no-evidence")
    assert "talkingpoints sample --size 200" in _text((bare.report / "shares.html").read_text("utf-8"))
    assert "a count, not corrected" in _text((bare.report / "index.html").read_text("utf-8"))
    assert all(row["is_valid"] == "False" for row in _rows(bare.report, "prevalence"))
    assert "no valid interval" in (bare.report / "data" / "methods.txt").read_text("utf-8")


def test_the_service_serves_the_newest_report(workspace: Workspace, tmp_path: Path) -> None:
    """Its files alone, with safe headers; a way to one where there is none."""
    client = TestClient(
        create_app(load_settings(home=workspace.home)),
        base_url="http://127.0.0.1",
        client=("127.0.0.1", 50_000),
    )
    first = client.get("/report")
    assert first.url.path == "/report/index.html"
    assert first.text == (workspace.report / "index.html").read_text("utf-8")
    assert "script-src" not in first.headers["content-security-policy"]
    assert "default-src 'none'" in first.headers["content-security-policy"]
    for name, kind in (
        ("report.css", "text/css"),
        ("figures/pairs.svg", "image/svg"),
        ("data/pairs.csv", "text/csv"),
    ):
        found = client.get(f"/report/{name}")
        assert found.headers["content-type"].startswith(kind)
        assert found.headers["x-content-type-options"] == "nosniff"
        assert found.content == (workspace.report / name).read_bytes()
    assert "sandbox" in client.get("/report/figures/pairs.svg").headers["content-security-policy"]
    assert "attachment" in client.get("/report/data/pairs.csv").headers["content-disposition"]
    for name in (
        "report.json",
        "../ledger.db",
        "%2e%2e/%2e%2e/ledger.db",
        "data",
        "data/",
        "none.html",
        "data/../x",
    ):
        assert client.get(f"/report/{name}").status_code == 404, name
    assert '<a href="/report"' in client.get("/").text
    bare = TestClient(
        create_app(load_settings(home=tmp_path)), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    )
    assert bare.get("/report").status_code == 404
    assert "talkingpoints report" in bare.get("/report").text


def test_files_that_name_annotators_are_for_administrators(workspace: Workspace) -> None:
    """A key for tagging reads the report, but neither labels.jsonl nor agreement.json; the folder has both."""
    keys = {}
    with closing(open_ledger(f"sqlite:///{workspace.home / 'ledger.db'}")) as ledger:
        for name, scopes in (("reader", ["predict"]), ("keeper", ["predict", "admin"])):
            token, row = new_key(name, scopes)
            add_key(ledger, row)
            keys[name] = {"Authorization": f"Bearer {token}"}
    app = create_app(load_settings(home=workspace.home, require_keys="yes"))
    client = TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 50_000))
    for name in ("data/labels.jsonl", "data/agreement.json"):
        assert "annotator" in (workspace.report / name).read_text("utf-8")
        for written in (name, name.replace(".", "%2e"), name.replace("/", "%2f")):
            assert client.get(f"/report/{written}", headers=keys["reader"]).status_code == 403, written
            assert client.get(f"/report/{written}").status_code == 401, written
            found = client.get(f"/report/{written}", headers=keys["keeper"])
            assert found.content == (workspace.report / name).read_bytes()
    for name in ("data.html", "data/pairs.csv"):
        assert client.get(f"/report/{name}", headers=keys["reader"]).status_code == 200


def test_a_manifest_cannot_name_what_lies_outside(workspace: Workspace, tmp_path: Path) -> None:
    """Neither by a path that climbs nor by a link."""
    folder = tmp_path / "reports" / "x"
    folder.mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    said: dict[str, Any] = {
        "format": "talking-points-report",
        "made_at": "2026-01-01",
        "files": ["link.txt", "../../secret.txt"],
    }
    (folder / "report.json").write_text(json.dumps(said))
    client = TestClient(
        create_app(load_settings(home=tmp_path)), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    )
    for name in ("link.txt", "../../secret.txt", "..%2f..%2fsecret.txt"):
        assert client.get(f"/report/{name}").status_code == 404


@pytest.fixture(params=[(390, 844), (1366, 768)], ids=["phone", "desktop"])
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """Yield a page that is offline and runs no script, and check that it asked for files alone."""
    width, height = request.param
    context = browser.new_context(
        viewport={"width": width, "height": height}, offline=True, reduced_motion="reduce"
    )
    page = context.new_page()
    asked: list[str] = []
    failed: list[str] = []
    page.on("request", lambda each: asked.append(each.url))
    page.on("requestfailed", lambda each: failed.append(each.url))
    page.on("console", lambda each: failed.append(each.text))
    yield page
    assert all(url.startswith(("file:", "data:")) for url in asked)
    assert failed == []
    context.close()


@pytest.mark.browser
def test_axe_finds_nothing_offline(page: Page, workspace: Workspace) -> None:
    """On every page, in light and dark colours; pictures are there, nothing sticks out to the side."""
    for name in PAGES:
        page.goto((workspace.report / f"{name}.html").as_uri())
        page.emulate_media(color_scheme="light")
        assert _violations(page, []) == [], name
        page.emulate_media(color_scheme="dark")
        assert _violations(page, ["color-contrast"]) == [], name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        loaded = "[...document.images].map(i => { i.loading = 'eager'; return i.decode() })"
        page.evaluate(f"Promise.all({loaded})")


def _violations(page: Page, rules: list[str]) -> list[str]:
    options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False} | (
        {"runOnly": rules} if rules else {}
    )
    found = Axe().run(page, options=options).response["violations"]
    return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]
