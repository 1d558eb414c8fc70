"""The ledger's annotations beside the suggestions that their authors saw, for the report on anchoring."""

from __future__ import annotations

from annotations.anchoring import Reading
from annotations.ledger.store import Ledger
from annotations.ledger.studio import latest_annotations
from annotations.ledger.suggestions import shown_suggestions, suggestions_on


def readings(ledger: Ledger, project: str | None = None) -> tuple[list[Reading], int]:
    """Return the annotations of posts with a suggestion, shown or withheld, and how many others there are.

    Skipped annotations do not count. Each annotator's latest annotation of a revision counts, also one on a text
    that the post no longer has: its suggestion was for the same text.
    """
    counted = [each for each in latest_annotations(ledger, project) if not each.annotation.skipped]
    found: list[Reading] = []
    for key in sorted({each.project for each in counted}):
        shown = shown_suggestions(ledger, key)
        given = suggestions_on(ledger, key, {each.task_id for each in shown.values()})
        tags = {
            (task_id, each.model_version): frozenset(each.tags)
            for task_id, several in given.items()
            for each in several
        }
        for stored in counted:
            behind = shown.get(stored.annotation_id) if stored.project == key else None
            if behind is not None and (behind.task_id, behind.model_version) in tags:
                annotation = stored.annotation
                found.append(
                    Reading(
                        post=f"{annotation.post_id}@{annotation.revision}",
                        annotator=annotation.annotator,
                        tags=frozenset(annotation.tags),
                        suggested=tags[behind.task_id, behind.model_version],
                        withheld=behind.withheld,
                        seconds=annotation.lead_time,
                    )
                )
    return found, len(counted) - len(found)
