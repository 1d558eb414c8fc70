"""The main job on posts and labels of your own, through a real Label Studio: nothing may be lost or moved on the way.

    python -m benchmarks.main_job POSTS LABELS --channel NAME [--seeds FILE]

Imports POSTS, pushes them, submits the annotations of LABELS as their annotators, pulls, and compares what came back
with LABELS: posts, annotators, tags, spans, texts. Then trains on what came back, serves the model over HTTP and tags
the posts of --seeds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import httpx

from annotations.codebook import load_codebook
from annotations.importing import import_file
from annotations.labels import read_labels
from annotations.ledger.store import open_ledger
from annotations.ledger.studio import stored_annotations
from annotations.readers import PostItem, ReadOptions, read_posts
from annotations.records import Annotation
from annotations.studio.accounts import create_accounts
from annotations.studio.project import ProjectOptions, ensure_project
from annotations.studio.pull import PullOptions, pull
from annotations.studio.push import push
from benchmarks.local_studio import temporary_studio
from classifiers.training import TrainingOptions
from service.cli import demo, learning, studio
from service.cli.serving import serving
from service.ports import free_port
from service.settings import load_settings


def main(arguments: Sequence[str]) -> None:
    """Run the job and print what was compared."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("posts", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--channel")
    parser.add_argument("--seeds", type=Path)
    options = parser.parse_args(arguments)
    with temporary_studio() as (running, home):
        settings = load_settings(
            home=home, database_url=None, studio_url=None, port=free_port("127.0.0.1", 8700)
        )
        codebook = load_codebook(settings.codebook_path)
        sent = read_labels(options.labels, codebook.tag_ids)
        names = sorted({each.annotator for each in sent})
        credentials = create_accounts(running, home / "studio", names)
        ledger = open_ledger(settings.workspace.ledger_url)
        print(import_file(ledger, options.posts, ReadOptions(channel=options.channel)))
        with running.client() as client:
            project = ensure_project(ledger, client, codebook, ProjectOptions(overlap=len(names)))
            studio.print_push(push(ledger, client, project))
            start = time.perf_counter()
            print(demo.Sender(running, home / "studio", codebook).submit(ledger, project, sent))
            print(f"({time.perf_counter() - start:.0f} s for submitting, one request each)")
            studio.print_pull(
                pull(ledger, client, project, PullOptions(codebook=codebook, names=credentials.names()))
            )
        received = stored_annotations(ledger)
        print(f"pulled labels equal those submitted: {_comparable(received) == _comparable(sent)}")
        print(
            f"  {len(sent)} annotations, {_n_spans(sent)} spans submitted; {len(received)}, {_n_spans(received)} pulled"
        )
        print("model", learning.train_and_activate(settings, received, TrainingOptions()), "is active")
        ledger.close()
        if options.seeds:
            with serving(settings) as address:
                _tag(address, options.seeds)


def _comparable(annotations: Iterable[Annotation]) -> dict[tuple[str, str], object]:
    return {
        (each.post_id, each.annotator): (
            each.text,
            {tag: tuple(spans) for tag, spans in each.tags.items()},
            each.skipped,
            tuple(each.flags),
        )
        for each in annotations
    }


def _n_spans(annotations: Iterable[Annotation]) -> int:
    return sum(len(spans) for each in annotations for spans in each.tags.values())


def _tag(address: str, seeds: Path) -> None:
    texts = [item.post.text for item in read_posts(seeds).items if isinstance(item, PostItem)]
    body = {"posts": [{"text": text, "explain": True} for text in texts]}
    answer = httpx.post(f"{address}/v1/predict/batch", json=body, timeout=60).raise_for_status().json()
    for text, result in zip(texts, answer["predictions"], strict=True):
        print(json.dumps(text[:70], ensure_ascii=False))
        for tag in result["tags"]:
            if tag["decision"] == "yes":
                quote = tag["evidence"][0]["text"][:100] if tag["evidence"] else ""
                print(f"    {tag['id']} {tag['score']:.2f} (threshold {tag['threshold']:.2f}): {quote}")


if __name__ == "__main__":
    main(sys.argv[1:])
