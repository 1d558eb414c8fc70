"""Posts whose labels a split has made void, as questions: which part applies?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from annotations.adjudication import Key, Question, Side
from annotations.codebook import Codebook
from annotations.records import Annotation


def relabel_questions(
    before: Sequence[Annotation], split: Mapping[int, tuple[str, ...]], new: Codebook
) -> list[Question]:
    """Return a question for every post with an annotation that was set aside, with what each annotator had said.

    Parameters
    ----------
    before
        The annotations as they were.
    split
        Which of them, by index, bear tags that have been split.
    new
        The codebook that splits them.
    """
    posts: dict[Key, list[int]] = {}
    for number in split:
        posts.setdefault((before[number].post_id, before[number].revision), []).append(number)
    return [
        _question([before[number] for number in numbers], split[numbers[0]], new)
        for numbers in posts.values()
    ]


def _question(readers: Sequence[Annotation], parted: Sequence[str], new: Codebook) -> Question:
    parts = [part for tag in parted for part in new.successor(tag).split_into]
    void = {tag for each in readers for tag in each.tags if not new.successor(tag).is_active}
    titles = ", ".join(new.tag(tag).title for tag in parted)
    return Question(
        post=readers[0],
        sides=tuple(
            Side(
                name=each.annotator,
                tags={
                    tag if tag in void else new.successor(tag).id: spans for tag, spans in each.tags.items()
                },
                comment=each.comment,
            )
            for each in readers
        ),
        disputed=(*parts, *sorted(void)),
        distance=1.0,
        reason=f"Please annotate again: '{titles}' has been split",
    )
