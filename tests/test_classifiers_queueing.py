"""Samples from a ledger: nothing twice, clusters once, quotas and overlaps as asked, unbiased estimates."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from annotations.importing import import_file
from annotations.ledger.samples import pool_posts, sampled_posts
from annotations.ledger.store import Ledger, open_ledger
from annotations.ledger.tables import near_duplicates
from classifiers.queueing import SampleRequest, make_sample, overlap_plan, quota_sizes, record
from classifiers.sampling import Quota
from classifiers.testing import invented_codebook, invented_scorer

CODEBOOK = invented_codebook()
RANDOM_ONLY = {Quota.UNCERTAIN: 0.0, Quota.DIVERSE: 0.0, Quota.RANDOM: 1.0}


def _ledger(folder: Path, texts: list[str]) -> Ledger:
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.db'}")
    path = folder / "posts.jsonl"
    rows = [{"channel": "c", "message_id": str(i), "text": text} for i, text in enumerate(texts)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_file(ledger, path)
    return ledger


def _texts(n: int) -> list[str]:
    words = ["river", "bridge", "council", "league", "harbour", "grain", "moon"]
    return [
        f"Post {i}: the {words[i % 7]} of {words[i // 7 % 7]} number{i} {'and more ' * (i % 5)}"
        for i in range(n)
    ]


def test_samples_follow_one_another_without_a_post_twice(tmp_path: Path) -> None:
    """Three samples from 25 posts give each once, and a fourth has nothing left."""
    ledger = _ledger(tmp_path, _texts(25))
    seen: list[str] = []
    for expected in (10, 10, 5, 0):
        sample = make_sample(ledger, CODEBOOK, None, SampleRequest(size=10))
        assert len(sample.posts) == expected
        if sample.posts:
            sample = record(ledger, sample)
        seen += [each.post_id for each in sample.posts]
    assert len(set(seen)) == len(seen) == 25
    assert [each.post_id for each in sampled_posts(ledger)] == seen
    ledger.close()


def test_the_same_seed_gives_the_same_sample_with_a_model_too(tmp_path: Path) -> None:
    """Ledger, model and seed decide; another seed draws other random posts."""
    ledger = _ledger(tmp_path, _texts(60))
    scorer = invented_scorer(40)
    first, again, other = (
        make_sample(ledger, CODEBOOK, scorer, SampleRequest(size=20, seed=seed)) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.record.model_version == scorer.version
    assert {e.post_id for e in first.posts if e.quota == "random"} != {
        e.post_id for e in other.posts if e.quota == "random"
    }
    ledger.close()


def test_quotas_are_filled_and_random_posts_have_their_probability(tmp_path: Path) -> None:
    """The shares asked for are met; only drawn posts have an inclusion probability."""
    ledger = _ledger(tmp_path, _texts(50))
    shares = {Quota.UNCERTAIN: 1.0, Quota.DIVERSE: 1.0, Quota.RANDOM: 2.0}
    sample = make_sample(ledger, CODEBOOK, None, SampleRequest(size=20, shares=shares))
    assert Counter(each.quota for each in sample.posts) == {"uncertain": 5, "diverse": 5, "random": 10}
    assert {each.inclusion_probability for each in sample.posts if each.quota == "random"} == {10 / 50}
    assert {each.inclusion_probability for each in sample.posts if each.quota != "random"} == {None}
    assert [each.position for each in sample.posts] == list(range(1, 21))
    ledger.close()


def test_a_cluster_is_one_unit_and_used_up_by_any_of_its_posts(tmp_path: Path) -> None:
    """Copies and near-duplicates are drawn once, the post says how many it stands for, and the rest never follow."""
    texts = ["The same words again."] * 3 + [
        "Words that are nearly alike, one.",
        "Words that are nearly alike, two.",
    ]
    ledger = _ledger(tmp_path, [*texts, *_texts(3)])
    with ledger.begin() as connection:
        rows = [{"post_id": post_id, "cluster": "c/3"} for post_id in ("c/3", "c/4")]
        connection.execute(insert(near_duplicates), rows)
    sample = make_sample(ledger, CODEBOOK, None, SampleRequest(size=8))
    alike = {each.post_id: each.n_alike for each in sample.posts}
    assert sample.record.n_pool == len(sample.posts) == 5
    assert sample.record.n_pool_posts == sum(alike.values()) == 8
    assert (alike["c/0"], alike["c/3"]) == (3, 2)
    record(ledger, sample)
    assert make_sample(ledger, CODEBOOK, None, SampleRequest(size=8)).posts == ()
    assert {post.post_id for post in pool_posts(ledger) if post.is_used} == set(alike)
    ledger.close()


def test_random_posts_estimate_a_share_without_bias(tmp_path: Path) -> None:
    """Weighted by inclusion probability and cluster size, the mean over many draws is the pool's true share."""
    ledger = _ledger(tmp_path, ["A claim about the river."] * 6 + _texts(18))
    truth, estimates = 6 / 24, []
    for seed in range(400):
        sample = make_sample(ledger, CODEBOOK, None, SampleRequest(size=5, shares=RANDOM_ONLY, seed=seed))
        total = sum(
            each.n_alike / (each.inclusion_probability or 1) for each in sample.posts if each.post_id == "c/0"
        )
        estimates.append(total / sample.record.n_pool_posts)
    assert np.mean(estimates) == pytest.approx(truth, abs=0.06)
    ledger.close()


def test_cues_find_the_first_posts_of_a_tag(tmp_path: Path) -> None:
    """Before there is a model, posts with a tag's cue come first in the uncertain quota."""
    from dataclasses import replace  # noqa: PLC0415

    tags = tuple(replace(tag, cues=("moon*",)) if tag.id == "rare" else tag for tag in CODEBOOK.tags)
    codebook = replace(CODEBOOK, tags=tags)
    ledger = _ledger(
        tmp_path, [*(f"plain{i} words{i}" for i in range(30)), "the moon base1", "a moonlit base2"]
    )
    shares = {Quota.UNCERTAIN: 1.0, Quota.DIVERSE: 0.0, Quota.RANDOM: 0.0}
    sample = make_sample(ledger, codebook, None, SampleRequest(size=2, shares=shares))
    assert {each.post_id for each in sample.posts} == {"c/30", "c/31"}
    ledger.close()


@given(st.integers(0, 500), st.tuples(*[st.floats(0, 10)] * 3).filter(lambda shares: sum(shares) > 0.01))
def test_quota_sizes_add_up_and_keep_the_shares(size: int, shares: tuple[float, float, float]) -> None:
    """Each quota gets its share of the posts, to within one."""
    wanted = dict(zip(Quota, shares, strict=True))
    sizes = quota_sizes(size, wanted)
    assert sum(sizes.values()) == size
    for quota, share in wanted.items():
        assert abs(sizes[quota] - size * share / sum(shares)) < 1 + 1e-9
        assert share > 0 or sizes[quota] == 0


@given(st.integers(0, 200), st.dictionaries(st.integers(2, 4), st.floats(0.01, 0.33)))
def test_overlaps_are_met_to_the_nearest_post(size: int, overlaps: dict[int, float]) -> None:
    """As many posts as asked get more annotators, the rest one."""
    plan = Counter(overlap_plan(size, overlaps, np.random.default_rng(0)))
    for annotators, share in overlaps.items():
        assert plan[annotators] == round(share * size)
    assert sum(plan.values()) == size
