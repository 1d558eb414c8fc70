"""What the command `posts` does with boilerplate: shows what was recognised, or leaves it out of the table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

import click

from annotations.boilerplate import Boilerplate, Recognised, find_boilerplate, without
from annotations.boilerplate_rulings import read_rulings
from annotations.ledger.posts import StoredPost, current_posts
from annotations.ledger.store import Ledger
from annotations.workspace import Workspace
from service.cli import console

_SHOWN = 60


def found_in(ledger: Ledger, workspace: Workspace, channels: Collection[str] | None) -> Boilerplate:
    """Recognise the boilerplate of the ledger's channels, by the rulings of the workspace."""
    rulings = read_rulings(workspace.boilerplate_path)
    with console.progress("Counting lines") as progress:
        posts = current_posts(ledger, channels=channels, include_duplicates=False)
        return find_boilerplate((stored.post for stored in posts), rulings, progress=progress)


def show(found: Boilerplate, workspace: Workspace, *, as_json: bool) -> None:
    """Print every recognised line with its channel, place, number and share of posts, and examples."""
    if as_json:
        console.print_json({"n_posts": found.n_posts, "lines": [line.to_dict() for line in found.lines]})
        return
    if found.lines:
        header = ["line", "channel", "place", "why", "posts", "share", "examples"]
        console.print_table(header, list(map(_row, found.lines)))
    different = sum(found.n_posts.values())
    click.echo(
        f"{len(found.lines)} lines recognised in {different:,} different posts; no text is changed by it."
    )
    click.echo(f"To overrule: lines under keep: or drop: of a channel, in {workspace.boilerplate_path}")


def left_out(posts: Iterable[StoredPost], found: Boilerplate) -> Iterator[StoredPost]:
    """Yield the posts without their boilerplate; each keeps its post id."""
    for stored in posts:
        post = stored.post
        spans = found.spans(post.channel, post.text)
        if spans:
            # A post that is known by its text would get another id with another text.
            known_as = post.message_id or post.revision
            post = replace(
                post, text=without(post.text, spans), message_id=known_as, raw=post.raw or post.text
            )
        yield replace(stored, post=post)


def _row(line: Recognised) -> list[str]:
    text = " ".join(line.text.split())
    text = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    share = f"{line.share:.1%}"
    return [text, line.channel, line.place, line.why, f"{line.count:,}", share, " ".join(line.post_ids[:2])]
