"""Posts that somebody asks to have annotated: checked, stored in the ledger, and from there sent to Label Studio."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from annotations.cleaning import clean
from annotations.ledger.queued import QueuedPost, find_unqueueable, queue_posts, queued_of
from annotations.ledger.store import Ledger
from annotations.readers.base import channel_slug
from annotations.records import Post
from service.errors import ConflictError, FieldFault, InvalidRequestError, TicketNotFoundError
from service.idempotency import Keep, Reply
from service.queue_schemas import NewPost, QueuedPostOut, QueueRequest, QueueResponse
from service.settings import Settings

DEFAULT_CHANNEL = "api"
_SOURCE = "POST /v1/queue"


def check(request: QueueRequest, settings: Settings) -> list[Post | str]:
    """Return what is to be queued: new posts, then those named by their ids.

    Raises
    ------
    InvalidRequestError
        Nothing, too much, too long a text, or one without content.
    """
    faults: list[FieldFault] = []
    if not request.posts and not request.post_ids:
        faults.append(FieldFault("body", "", "Send posts or post_ids", "missing"))
    most = settings.max_batch_posts
    for name, found in (("posts", request.posts), ("post_ids", request.post_ids)):
        if len(found) > most:
            faults.append(
                FieldFault("body", f"/{name}", f"List should have at most {most} items", "too_long")
            )
    for index, each in enumerate(request.posts if not faults else ()):
        if len(each.text) > settings.max_text_length:
            problem = f"Text should have at most {settings.max_text_length} characters"
            faults.append(FieldFault("body", f"/posts/{index}/text", problem, "string_too_long"))
        elif not clean(each.text):
            faults.append(FieldFault("body", f"/posts/{index}/text", "The text is blank", "blank"))
    _raise_if(faults)
    return [*map(_post, request.posts), *request.post_ids]


def enqueue(ledger: Ledger, wanted: Sequence[Post | str], n_new: int, keep: Keep) -> Reply:
    """Store and mark posts, and keep the answer, all in one transaction; ``n_new`` of them are new ones.

    Raises
    ------
    ConflictError
        A post was erased on request, or is not in the ledger; nothing is stored.
    """
    ticket = uuid.uuid4().hex
    with ledger.begin() as connection:
        faults = []
        for each in find_unqueueable(connection, wanted):
            place = each.position
            where = f"/posts/{place}" if place < n_new else f"/post_ids/{place - n_new}"
            detail, code = (
                ("It was erased on request, and is not stored again", "erased")
                if each.is_erased
                else ("The ledger has no such post", "unknown_post")
            )
            faults.append(FieldFault("body", where, detail, code))
        if faults:
            raise ConflictError(f"{len(faults)} of the posts cannot be annotated", faults)
        reply = Reply(202, _answer(ticket, queue_posts(connection, ticket, wanted, _SOURCE)))
        keep(connection, reply)
    return reply


def state(ledger: Ledger | None, ticket: str) -> QueueResponse:
    """Return what has become of the posts of a ticket.

    Raises
    ------
    TicketNotFoundError
        There is no such ticket.
    """
    found: list[QueuedPost] = []
    if ledger is not None:
        with ledger.reading() as connection:
            found = queued_of(connection, ticket)
    if not found:
        raise TicketNotFoundError("there is no such ticket")
    return _answer(ticket, found)


def _answer(ticket: str, found: Sequence[QueuedPost]) -> QueueResponse:
    posts = [QueuedPostOut(post_id=each.post_id, outcome=each.outcome, state=each.state) for each in found]
    return QueueResponse(ticket=ticket, posts=posts)


def _post(new: NewPost) -> Post:
    text = clean(new.text)
    return Post(
        channel=channel_slug(new.channel or DEFAULT_CHANNEL),
        message_id=new.message_id,
        text=text,
        raw=None if text == new.text else new.text,
        date=new.date,
        lang=None,
    )


def _raise_if(faults: Sequence[FieldFault]) -> None:
    if faults:
        noun = "value is" if len(faults) == 1 else "values are"
        raise InvalidRequestError(f"{len(faults)} {noun} not valid", faults)
