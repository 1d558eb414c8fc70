"""A codebook that changes in mid-project: what changes is said, labels move or are set aside, none is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from annotations.codebook import Codebook, dump_codebook, parse_codebook, problems
from annotations.codebook_changes import RELABEL, Kind, carry_over, differences, former_titles_of
from annotations.errors import CodebookError
from annotations.labels import read_labels, write_labels
from annotations.ledger.store import open_ledger
from annotations.ledger.studio import stored_annotations
from annotations.records import Annotation, Span, text_digest
from annotations.relabelling import relabel_questions
from annotations.studio.client import StudioClient
from annotations.studio.parsing import AnnotationReader
from annotations.studio.project import ProjectOptions, ensure_project
from annotations.studio.pull import PullOptions, pull
from annotations.studio.tasks import result_of
from classifiers.dataset import Dataset
from classifiers.errors import DatasetError

HEAD = """
version: "1"
title: Changing
families:
  - id: claims
    title: Claims
    tags:
"""
OLD_TAGS = [
    "{id: world, title: World order, definition: Who rules.}",
    "{id: order, title: Order, definition: Rules.}",
    "{id: un, title: UN, definition: The UN is central.}",
    "{id: aid, title: Aid, definition: Help of any kind.}",
]
NEW_TAGS = [
    "{id: world, title: World order (old), definition: Who rules., replaced_by: multipolarity}",
    "{id: multipolarity, title: Multipolar world, definition: Several centres.}",
    "{id: order, title: Order, definition: Rules., replaced_by: un}",
    "{id: un, title: Role of the UN, definition: 'The UN, and its rules, are central.'}",
    "{id: aid, title: Aid, definition: Help of any kind., split_into: [food, money]}",
    "{id: food, title: Food aid, definition: Grain.}",
    "{id: money, title: Money, definition: Loans.}",
    "{id: peace, title: Peace, definition: Talks.}",
]
TEXT = "Calverra sends grain to its friends."


def _book(tags: list[str]) -> Codebook:
    return parse_codebook(HEAD + "".join(f"      - {tag}\n" for tag in tags))


OLD, NEW = _book(OLD_TAGS), _book(NEW_TAGS)


def _annotation(post: int, *tags: str, who: str = "A", **changes: Any) -> Annotation:
    values: dict[str, Any] = {
        "post_id": f"c/{post}",
        "annotator": who,
        "text": TEXT,
        "revision": text_digest(TEXT),
        "tags": {tag: (Span(0, 8),) for tag in tags},
        "origin": dict.fromkeys(tags, "prediction"),
        "codebook": OLD.digest,
    }
    return Annotation(**values | changes)


def test_every_change_is_named_with_what_it_concerns() -> None:
    """Rename, merge, split, redefinition, addition and removal, each with its labels and posts."""
    labels = [_annotation(1, "world", "aid"), _annotation(1, "world", who="B"), _annotation(2, "un")]
    changes = {(change.tag, change.kind): change for change in differences(OLD, NEW, labels)}
    assert set(changes) == {
        ("world", Kind.RENAMED),
        ("order", Kind.MERGED),
        ("un", Kind.RENAMED),
        ("un", Kind.REDEFINED),
        ("aid", Kind.SPLIT),
        ("peace", Kind.ADDED),
    }
    renamed = changes["world", Kind.RENAMED]
    assert (renamed.becomes, renamed.n_annotations, renamed.n_posts) == (("multipolarity",), 2, 1)
    assert changes["aid", Kind.SPLIT].becomes == ("food", "money")
    assert [change.kind for change in differences(OLD, _book(OLD_TAGS[:3]))] == [Kind.REMOVED]
    assert differences(OLD, OLD) == []


def test_labels_move_and_merge_with_their_evidence() -> None:
    """Two tags that become one join their evidence; a tick by hand outweighs one that was taken over."""
    both = _annotation(1, "order", "un", origin={"order": "manual", "un": "prediction"})
    both = Annotation(**{name: getattr(both, name) for name in both.__dataclass_fields__} | {
        "tags": {"order": (Span(0, 8),), "un": (Span(9, 14),)}
    })  # fmt: skip
    carried = carry_over([both, _annotation(2, "world")], OLD, NEW)
    assert carried.annotations[0].tags == {"un": (Span(0, 8), Span(9, 14))}
    assert carried.annotations[0].origin == {"un": "manual"}
    assert set(carried.annotations[1].tags) == {"multipolarity"}
    assert {each.codebook for each in carried.annotations} == {NEW.digest}


def test_a_split_sets_annotations_aside_and_asks_for_them() -> None:
    """Neither part is guessed, none counts as not given; the question shows what had been said."""
    labels = [_annotation(1, "aid", "world"), _annotation(1, "un", who="B")]
    carried = carry_over(labels, OLD, NEW)
    aside, kept = carried.annotations
    assert (aside.skipped, aside.flags, aside.tags) == (True, (RELABEL,), {})
    assert not kept.skipped
    (question,) = relabel_questions(labels, carried.split, NEW)
    assert set(question.disputed) == {"food", "money", "aid"}
    assert question.agreed == {"multipolarity": (Span(0, 8),)}


def test_labels_of_a_removed_tag_stop_the_migration() -> None:
    """Nothing is dropped in silence."""
    with pytest.raises(CodebookError, match="no tag 'aid'"):
        carry_over([_annotation(1, "aid")], OLD, _book(OLD_TAGS[:3]))


def test_labels_of_a_third_codebook_stay_as_they_are() -> None:
    """Only labels made under the old codebook, or under none that is named, are carried over."""
    other = _annotation(1, "world", codebook="0" * 16)
    assert carry_over([other], OLD, NEW).annotations == (other,)


def test_former_titles_and_splits_are_understood_in_label_studio() -> None:
    """Results keep the titles of their time: a renamed one is read, a split one asks for a new annotation."""
    reader = AnnotationReader(NEW, former_titles_of(OLD, NEW))
    task = {"data": {"text": TEXT, "post_id": "c/1"}}
    parsed = reader.read(task, {"result": result_of(_annotation(1, "world", "un"), OLD)}, "A")
    assert parsed.annotation is not None
    assert set(parsed.annotation.tags) == {"multipolarity", "un"}
    assert parsed.problems == ()
    parsed = reader.read(task, {"result": result_of(_annotation(1, "aid", "un"), OLD)}, "A")
    assert parsed.annotation is not None
    assert (parsed.annotation.skipped, parsed.annotation.flags) == (True, (RELABEL,))
    assert "split into food, money" in parsed.problems[0]


def test_training_refuses_labels_of_another_codebook() -> None:
    """Also where all of them agree on which: the tags may mean something else today."""
    with pytest.raises(DatasetError, match="codebook migrate"):
        Dataset.from_annotations([_annotation(1, "un")], NEW)
    with pytest.raises(DatasetError, match="2 different codebooks"):
        Dataset.from_annotations([_annotation(1, "un"), _annotation(2, "un", codebook=NEW.digest)], NEW)
    carried = carry_over([_annotation(1, "un"), _annotation(2, "aid")], OLD, NEW).annotations
    assert len(Dataset.from_annotations(carried, NEW)) == 1


def test_a_split_is_checked_and_written_back(tmp_path: Path) -> None:
    """Parts must exist and not lead back; a split beside a replacement contradicts itself."""
    assert parse_codebook(dump_codebook(NEW)) == NEW
    assert "food" not in _book(OLD_TAGS).tag_ids
    assert "aid" not in NEW.tag_ids
    path = tmp_path / "book.yaml"
    bad = [
        "{id: a, title: A, definition: x., split_into: [b, nobody]}",
        "{id: b, title: B, definition: x., replaced_by: a}",
        "{id: c, title: C, definition: x., split_into: [b, d], replaced_by: d}",
        "{id: d, title: D, definition: x.}",
    ]
    path.write_text(HEAD + "".join(f"      - {tag}\n" for tag in bad), encoding="utf-8")
    found = "\n".join(problems(path))
    assert "there is no tag 'nobody'" in found
    assert "'b' leads back to the tag" in found
    assert "not both" in found


def _run(*arguments: str, environment: dict[str, str]) -> str:
    from service.cli.root import talkingpoints  # noqa: PLC0415 - the whole command line

    done = CliRunner().invoke(talkingpoints, arguments, env=environment, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def _files(folder: Path) -> tuple[str, str]:
    old, new = folder / "old.yaml", folder / "new.yaml"
    old.write_text(dump_codebook(OLD), encoding="utf-8")
    new.write_text(dump_codebook(NEW), encoding="utf-8")
    return str(old), str(new)


def test_a_labels_file_is_migrated_on_the_command_line(tmp_path: Path) -> None:
    """diff tells, migrate writes; a dry run writes nothing."""
    old, new = _files(tmp_path)
    source, target = tmp_path / "labels.jsonl", tmp_path / "new.jsonl"
    write_labels(source, [_annotation(1, "world"), _annotation(2, "aid")])
    environment = {"TALKINGPOINTS_HOME": str(tmp_path / "home")}
    diff = json.loads(
        _run("codebook", "diff", old, new, "--labels", str(source), "--json", environment=environment)
    )
    assert {change["kind"] for change in diff["changes"]} >= {"renamed", "merged", "split", "added"}
    arguments = ("codebook", "migrate", old, new, "--labels", str(source), "--out", str(target))
    assert "would be" in _run(*arguments, "--dry-run", environment=environment)
    assert not target.exists()
    assert "1 annotations carried over, 1 to be made again" in _run(*arguments, environment=environment)
    assert [set(each.tags) for each in read_labels(target, NEW.tag_ids)] == [{"multipolarity"}, set()]


@pytest.mark.live
def test_a_running_project_is_migrated_without_losing_an_annotation(live_studio: Any, tmp_path: Path) -> None:
    """Labels made before and fetched after: renamed and merged ones are there, split ones wait, training is refused
    until then."""
    old, new = _files(tmp_path)
    home = tmp_path / "home"
    environment = {
        "TALKINGPOINTS_HOME": str(home),
        "TALKINGPOINTS_CODEBOOK": old,
        "TALKINGPOINTS_STUDIO_URL": live_studio.running.url,
        "TALKINGPOINTS_STUDIO_TOKEN": live_studio.running.credentials.admin.token,
    }
    posts = tmp_path / "posts.jsonl"
    rows = [{"channel": "c", "message_id": str(n), "text": f"{TEXT} {n}"} for n in range(4)]
    posts.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    _run("import", str(posts), environment=environment)
    ledger = open_ledger(f"sqlite:///{home / 'ledger.db'}")
    token = environment["TALKINGPOINTS_STUDIO_TOKEN"]
    with StudioClient(live_studio.running.url, token) as client:  # as the command line names it
        project = ensure_project(ledger, client, OLD, ProjectOptions(new_project=True))
        _run("push", "--no-predictions", environment=environment)
        tasks = {
            task["data"]["post_id"]: task for page in client.find_tasks(project.project_id) for task in page
        }
        with live_studio.client("A") as annotator:
            for number, tag in enumerate(("world", "order", "aid", "un")):
                text = f"{TEXT} {number}"
                said = _annotation(number, tag, text=text, revision=text_digest(text))
                annotator.annotate(
                    tasks[f"c/{number}"]["id"], {"result": result_of(said, OLD), "lead_time": 1.0}
                )
        environment["TALKINGPOINTS_CODEBOOK"] = new
        done = json.loads(_run("codebook", "migrate", OLD.digest, new, "--json", environment=environment))
        assert (done["carried"], done["set_aside"]) == (3, 1)
        page = client.project(project.project_id)
        assert 'value="Multipolar world"' in page.label_config
        assert page.n_annotations == 4
        _run("pull", "--full", environment=environment)
        labels = {each.post_id: each for each in stored_annotations(ledger)}
        report = pull(ledger, client, project, PullOptions(codebook=NEW, full=True))
        for each in client.projects():
            if each.title in ("Changing", "Adjudication: Changing"):
                client.delete_project(each.project_id)
    ledger.close()
    assert report.unchanged == 4
    assert {post: set(each.tags) for post, each in labels.items()} == {
        "c/0": {"multipolarity"}, "c/1": {"un"}, "c/2": set(), "c/3": {"un"}
    }  # fmt: skip
    assert {each.codebook for each in labels.values()} == {NEW.digest}
    assert labels["c/2"].flags == (RELABEL,)
    assert len(Dataset.from_annotations(labels.values(), NEW)) == 3
