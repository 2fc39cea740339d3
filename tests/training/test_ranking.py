"""Metrics by hand, and histories that merge and move as if they had been counted anew."""

import math

import numpy as np
import polars as pl
import pytest

from training.bundle.history import TRIPS
from training.data.histories import build_history, merge_histories, season_trips
from training.evaluation.ranking import RankedLists, best_positions, case_metrics


def lists(relevant: list[list[int]], truths: list[int], repeat: list[list[int]] | None = None) -> RankedLists:
    hit = np.array(relevant, bool)
    seen = np.zeros_like(hit) if repeat is None else np.array(repeat, bool)
    count = len(truths)
    return RankedLists(
        offers=np.tile(np.arange(hit.shape[1], dtype=np.int32), (count, 1)),
        scores=np.zeros(hit.shape, np.float32),
        relevant=hit,
        repeat=seen,
        truth_count=np.array(truths),
        repeat_truth_count=(hit & seen).sum(axis=1),
        cases=np.arange(count),
        members=np.arange(count, dtype=np.int32),
    )


def test_metrics_by_hand() -> None:
    """Hits at ranks 1 and 3 of a list of 3 with 4 truths: every metric computed with a pencil."""
    found = case_metrics(lists([[1, 0, 1]], [4]), [3])
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    assert found["ndcg@3"][0] == pytest.approx(1.5 / ideal)
    assert found["recall@3"][0] == pytest.approx(2 / 4)
    assert found["precision@3"][0] == pytest.approx(2 / 3)
    assert found["map@3"][0] == pytest.approx((1 + 2 / 3) / 3)
    assert found["mrr@3"][0] == 1
    assert found["hit_rate@3"][0] == 1


def test_repeats_and_discoveries_are_told_apart() -> None:
    """A hit bought before counts among repeats only; a case without new truths has no recall of new ones."""
    found = case_metrics(lists([[1, 1, 0]], [2], [[1, 1, 0]]), [3])
    assert found["recall_repeat@3"][0] == 1
    assert math.isnan(found["recall_new@3"][0])
    assert found["repeat_share@3"][0] == pytest.approx(2 / 3)


def test_ties_go_to_the_more_popular_then_to_the_first() -> None:
    """Equal scores are ordered by popularity, then by position."""
    scores, popularity = np.array([1, 2, 1, 1], np.float32), np.array([0, 0, 5, 5], np.float32)
    assert best_positions(scores, popularity, 3).tolist() == [1, 2, 3]


def rows(seed: int, first: float, last: float) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    count = 400
    times = rng.uniform(first, last, count)
    return pl.DataFrame(
        {
            "member": rng.integers(0, 9, count).astype(np.int32),
            "product": rng.integers(0, 7, count).astype(np.int32),
            "time": times,
            "trip": np.floor(times).astype(np.int64),
            "value": rng.uniform(0, 5, count).astype(np.float32),
            "discounted": rng.random(count) < 0.3,
        }
    )


def test_todays_purchases_enter_without_the_raw_rows_of_the_past() -> None:
    """A history merged with a later one equals the history counted from all rows."""
    before, after = rows(1, 0, 50), rows(2, 50, 60)
    everything = build_history(pl.concat([before, after]), 60.0, member_count=9, product_count=7)
    old = build_history(before, 50.0, member_count=9, product_count=7)
    new = build_history(after, 60.0, member_count=9, product_count=7)
    merged = merge_histories(old, new, 10.0)
    assert merged.indices.tolist() == everything.indices.tolist()
    assert merged.indptr.tolist() == everything.indptr.tolist()
    np.testing.assert_allclose(merged.columns, everything.columns, rtol=2e-5, atol=1e-5)
    np.testing.assert_allclose(merged.members, everything.members, rtol=2e-5, atol=1e-5)


def test_the_season_is_what_sold_a_year_before_the_days_ahead() -> None:
    """Trips of the 28 whole days from 52 weeks before the moment on; none where the purchases begin on a later day."""
    rows = pl.DataFrame(
        {
            "member": [0, 0, 0, 1, 1, 1],
            "product": [0, 0, 1, 1, 1, 2],
            "trip": [0, 0, 1, 2, 3, 4],
            "time": [36.0, 36.0, 37.0, 63.9, 64.0, 300.0],
        }
    )
    found = season_trips(rows, 400.7, 28, 4)
    assert found is not None
    assert found.tolist() == [1.0, 2.0, 0.0, 0.0]
    assert season_trips(rows, 399.9, 28, 4) is None


def test_rows_of_one_trip_count_once() -> None:
    """Two rows of a product on one trip are one trip with the sum of their values."""
    table = pl.DataFrame(
        {"member": [0, 0], "product": [0, 0], "time": [3.0, 3.2], "trip": [3, 3], "value": [1.0, 2.0]},
        schema_overrides={"member": pl.Int32, "product": pl.Int32, "value": pl.Float32},
    ).with_columns(discounted=pl.lit(value=False))
    history = build_history(table, 5.0, member_count=1, product_count=1)
    assert history.columns[0, TRIPS] == 1
    assert history.columns[0, 3] == 3
