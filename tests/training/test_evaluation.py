"""Splits, the metric the experiment measures, and its standard errors."""

import dataclasses
import math
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from training.data.interactions import build_interactions

from tests.training.synthetic import dataset, noon, random_dataset
from training.bundle import OfferModel, PersonalScores
from training.data.dataset import OfferDataset
from training.errors import DatasetError, HeldOutRowsError
from training.evaluation import (
    Evaluation,
    WeekSplit,
    build_window,
    difference,
    evaluate,
    mean_estimate,
    ratio_estimate,
)
from training.recommenders import DecayedFrequency, Popularity

SPLIT = WeekSplit(train_until=4, validate_until=5)


def test_rows_after_the_refit_end_reach_neither_fit_nor_evaluation() -> None:
    """The held-out week is in the data set, and nothing a fit or an evaluation sees comes from it."""
    data = random_dataset(1)
    assert data.purchases["week"].max() == 6
    refit, window = SPLIT.interactions(data, SPLIT.refit_until), SPLIT.window(data)
    visible = data.purchases.filter(pl.col("week") <= 5)
    assert len(refit.member) == len(visible)
    assert refit.age_days.min() >= 0
    assert len(window.trip_member) == visible.filter(pl.col("week") == 5)["trip_id"].n_unique()


def test_held_out_rows_are_refused() -> None:
    """Whoever hands later rows to a fit or a window, or asks for a later week, gets an error, not a better number."""
    data = random_dataset(1)
    with pytest.raises(HeldOutRowsError, match="week 6"):
        SPLIT.interactions(data, 6)
    with pytest.raises(HeldOutRowsError, match="week 6"):
        build_interactions(data, data.purchases, 5)
    with pytest.raises(HeldOutRowsError, match="week 6"):
        build_window(data, data.purchases, 5, 5)


def test_held_out_rows_change_nothing() -> None:
    """Doubling what is sold in the held-out week changes no model and no metric: nothing leaks."""
    data = random_dataset(2)
    later = data.purchases.filter(pl.col("week") == 6)
    fields = {field.name: getattr(data, field.name) for field in dataclasses.fields(data) if field.init}
    changed = OfferDataset(**(fields | {"purchases": pl.concat([data.purchases, later, later])}))
    models = [DecayedFrequency().fit(SPLIT.interactions(which, 4), seed=0) for which in (data, changed)]
    windows = [SPLIT.window(which) for which in (data, changed)]
    assert evaluate(models[0], windows[0]).metrics == evaluate(models[1], windows[1]).metrics
    assert models[0].popular_scores.tolist() == models[1].popular_scores.tolist()


def test_a_split_needs_a_validation_window() -> None:
    """A window without weeks is refused when the split is made."""
    with pytest.raises(ValueError, match="validate_until"):
        WeekSplit(train_until=5, validate_until=5)


def test_weeks_without_trips_are_named() -> None:
    """A split that does not fit the data says so."""
    with pytest.raises(DatasetError, match="no purchases in weeks"):
        WeekSplit(train_until=6, validate_until=9).window(random_dataset(1))


def personal(
    window_members: tuple[str, ...], offers: tuple[str, ...], table: list[list[float]]
) -> OfferModel:
    """Build a model from a dense table of scores."""
    scores = np.array(table, dtype=np.float32).reshape(len(window_members), len(offers))
    rows, columns = np.nonzero(scores)
    return OfferModel(
        member_ids=window_members,
        offer_ids=offers,
        popular_scores=np.arange(len(offers), 0, -1).astype(np.float32),
        personal=PersonalScores(
            indptr=np.searchsorted(rows, np.arange(len(window_members) + 1)).astype(np.int64),
            indices=columns.astype(np.int32),
            data=scores[rows, columns],
        ),
    )


def small() -> OfferDataset:
    """Two members, three trips in week 2, four offers of which one has ended."""
    rows = [
        ("a", "p1", "t1", noon(2), 2, 1, 2.0),
        ("a", "p1", "t1", noon(2), 2, 1, 3.0),
        ("a", "p9", "t1", noon(2), 2, 1, 50.0),
        ("a", "p2", "t2", noon(2, 3), 2, 1, 7.0),
        ("b", "p4", "t3", noon(2, 4), 2, 0, 11.0),
    ]
    covers = {"o1": ["p1"], "o2": ["p1", "p2"], "o3": ["p3"], "o4": ["p4"], "o5": ["p4"]}
    return dataset(rows, covers, windows={"o5": (date(2017, 1, 1), date(2017, 1, 12))})


def test_metrics_by_hand() -> None:
    """Hits, dollars and NDCG of three trips, counted by hand.

    Member a is shown o1, o2, o3 (its scores), member b is unknown and is shown o1, o2, o3 (popular); o5 has the best
    scores but ended the day before b's trip. Trip t1: o1 and o2 hit, the 5 USD of p1 count once, p9 is covered by no
    offer. Trip t2: o2 hits, 7 USD. Trip t3: no hit; it bought p4.
    """
    data = small()
    window = build_window(data, data.purchases, 2, 2)
    model = personal(("a",), tuple(data.offers["offer_id"]), [[5, 4, 3, 2, 0]])
    outcome = evaluate(model, window)
    assert window.member_ids == ("a", "b")
    assert outcome.hits.tolist() == [3, 0]
    assert outcome.usd.tolist() == [12, 0]
    assert outcome.metrics["hits_per_trip"].value == pytest.approx(1.0)
    assert outcome.metrics["usd_per_trip"].value == pytest.approx(4.0)
    assert outcome.cold_trip_share == pytest.approx(1 / 3)
    # b bought p4 while o4 was valid and o5 was not, and popularity puts o4 at place 4.
    assert outcome.ndcg.tolist() == pytest.approx([1.0, 1 / math.log2(5)])


def test_ties_go_to_the_more_popular_and_no_score_competes_with_zero() -> None:
    """Of equal scores the more popular offer is shown; an offer with a negative score loses to one without a score."""
    data = small()
    window = build_window(data, data.purchases, 2, 2)
    offers = tuple(data.offers["offer_id"])
    zeros = evaluate(personal(("a", "b"), offers, [[0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]), window)
    assert zeros.hits.tolist() == [3, 0]
    negative = evaluate(personal(("a", "b"), offers, [[-1, -1, 0, 0, 0], [-1, 0, 0, 0, 0]]), window)
    # On t1 o5 is still valid, so o3, o4, o5 are shown; on t2 it is not, and the higher of the tied negatives is shown.
    assert negative.hits.tolist() == [0, 1]


def test_fewer_valid_offers_than_places() -> None:
    """With one valid offer one is shown; a trip on a day without valid offers counts as a trip without a hit."""
    rows = [
        ("a", "p", "t1", noon(1), 1, 1, 1.0),
        ("b", "p", "t2", noon(1, 3), 1, 1, 2.0),
        ("c", "p", "t3", noon(1), 1, 1, 5.0),
    ]
    monday = (date(2017, 1, 1), date(2017, 1, 2))
    data = dataset(rows, {"o": ["p"], "x": ["q"]}, windows={"o": monday, "x": monday})
    outcome = evaluate(personal((), ("o", "x"), []), build_window(data, data.purchases, 1, 1))
    assert outcome.hits.tolist() == [1, 0, 1]
    assert outcome.metrics["usd_per_trip"].value == pytest.approx(2.0)


def test_validity_is_a_local_day() -> None:
    """A trip at 23:30 in the shop counts for that day, although it is the next day in UTC."""
    late = datetime(2017, 1, 2, 23, 30, tzinfo=ZoneInfo("America/New_York")).astimezone(UTC)
    rows = [("a", "p", "t1", late, 1, 1, 1.0), ("b", "p", "t2", noon(1, 0), 1, 1, 1.0)]
    data = dataset(rows, {"o": ["p"]}, windows={"o": (date(2017, 1, 2), date(2017, 1, 2))})
    outcome = evaluate(personal((), ("o",), []), build_window(data, data.purchases, 1, 1))
    assert outcome.hits.tolist() == [1, 1]


def reference(
    model: OfferModel, data: OfferDataset, first: int, last: int
) -> dict[str, dict[str, list[Any]]]:
    """Compute hits, USD and what NDCG needs per member with plain loops."""
    covers: dict[str, set[str]] = {offer: set() for offer in model.offer_ids}
    for offer, product in data.covers.iter_rows():
        covers[offer].add(product)
    windows = {
        row["offer_id"]: (row["valid_from"], row["valid_until"]) for row in data.offers.iter_rows(named=True)
    }
    trips: dict[str, list[dict[str, Any]]] = {}
    for row in data.purchases.filter(pl.col("week").is_between(first, last)).iter_rows(named=True):
        trips.setdefault(row["trip_id"], []).append(row)
    zone = ZoneInfo(data.time_zone)
    days = {trip: rows[0]["purchase_time"].astimezone(zone).date() for trip, rows in trips.items()}

    def is_valid(offer: str, day: date) -> bool:
        return bool(windows[offer][0] <= day <= windows[offer][1])

    results: dict[str, dict[str, list[Any]]] = {}
    for trip, rows in trips.items():
        member = rows[0]["member_id"]
        known = member in model.member_ids
        scores = model.scores(model.member_ids.index(member)) if known else model.popular_scores
        keys = sorted(
            (-score, -popular, i)
            for i, (score, popular) in enumerate(zip(scores, model.popular_scores, strict=True))
        )
        ranked = [model.offer_ids[i] for _, _, i in keys]
        open_today = [offer for offer in ranked if is_valid(offer, days[trip])]
        bought = {row["product_id"] for row in rows}
        entry = results.setdefault(member, {"hits": [], "usd": [], "relevant": [], "candidates": []})
        entry["hits"].append(sum(bool(covers[offer] & bought) for offer in open_today[:3]))
        shown_products = set().union(*(covers[offer] for offer in open_today[:3]))
        entry["usd"].append(sum(row["value"] for row in rows if row["product_id"] in shown_products))
        entry["relevant"] += [offer for offer in open_today if covers[offer] & bought]
        entry["candidates"] = [
            offer for offer in ranked if any(is_valid(offer, day) for day in days.values())
        ]
    return results


@pytest.mark.parametrize("seed", range(5))
def test_metrics_equal_plain_loops(seed: int) -> None:
    """The vectorised evaluation gives what loops over trips and rows give, for a personal and a popular model."""
    data = random_dataset(seed)
    window = SPLIT.window(data)
    for recommender in (DecayedFrequency(half_life_days=14), Popularity()):
        model = recommender.fit(SPLIT.interactions(data, 4), seed=0)
        outcome, expected = evaluate(model, window), reference(model, data, 5, 5)
        assert outcome.hits.tolist() == [sum(expected[member]["hits"]) for member in window.member_ids]
        np.testing.assert_allclose(
            outcome.usd, [sum(expected[member]["usd"]) for member in window.member_ids]
        )
        assert window.member_trips.tolist() == [len(expected[member]["hits"]) for member in window.member_ids]
        for member, ndcg in zip(window.member_ids, outcome.ndcg.tolist(), strict=True):
            top, relevant = expected[member]["candidates"][:10], set(expected[member]["relevant"])
            gain = sum(1 / math.log2(place + 2) for place, offer in enumerate(top) if offer in relevant)
            ideal = sum(1 / math.log2(place + 2) for place in range(min(10, len(relevant), len(top))))
            assert math.isnan(ndcg) if ideal == 0 else ndcg == pytest.approx(gain / ideal)


def test_paired_difference() -> None:
    """The difference of two models is the difference of their values, with a smaller error than two separate ones."""
    data = random_dataset(3, members=200)
    window = SPLIT.window(data)
    fit = SPLIT.interactions(data, 4)
    one = evaluate(DecayedFrequency(half_life_days=7).fit(fit, seed=0), window)
    other = evaluate(DecayedFrequency(half_life_days=28).fit(fit, seed=0), window)
    delta = difference(one, other, window)
    for name in ("hits_per_trip", "usd_per_trip"):
        assert delta[name].value == pytest.approx(one.metrics[name].value - other.metrics[name].value)
        separate = math.hypot(one.metrics[name].standard_error, other.metrics[name].standard_error)
        assert delta[name].standard_error < 0.7 * separate
    assert all(value.value == 0 for value in difference(one, one, window).values())


def test_ratio_with_constant_denominators_is_a_mean() -> None:
    """With one trip per member the delta method is the ordinary standard error of a mean."""
    values = np.array([1.0, 2.0, 4.0, 9.0])
    estimate = ratio_estimate(values, np.ones(4))
    assert estimate.value == pytest.approx(4.0)
    assert estimate.standard_error == pytest.approx(values.std(ddof=1) / 2)
    assert mean_estimate(values) == estimate
    assert estimate.interval == pytest.approx(
        (4 - 1.959964 * estimate.standard_error, 4 + 1.959964 * estimate.standard_error), rel=1e-6
    )


def test_ratio_error_counts_members_not_trips() -> None:
    """Over many data sets the standard error matches how much the ratio varies; a trip-level error would not.

    Members differ in their rate, so trips of one member are alike.
    """
    rng = np.random.default_rng(5)
    values, errors, naive = [], [], []
    for _ in range(600):
        trips = rng.integers(1, 30, size=150).astype(np.float64)
        hits = rng.binomial(trips.astype(int), rng.beta(1, 3, size=150)).astype(np.float64)
        estimate = ratio_estimate(hits, trips)
        values.append(estimate.value)
        errors.append(estimate.standard_error)
        naive.append(math.sqrt(estimate.value * (1 - estimate.value) / trips.sum()))
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.08)
    assert np.mean(naive) < 0.5 * np.std(values)


def test_one_member_has_no_standard_error() -> None:
    """A standard error over members needs two."""
    with pytest.raises(DatasetError, match="2 members"):
        ratio_estimate(np.array([1.0]), np.array([2.0]))


def test_a_model_of_other_offers_is_refused() -> None:
    """Scores in another order of offers would be taken for these."""
    data = small()
    with pytest.raises(DatasetError, match="same offers"):
        evaluate(personal(("a",), ("o1",), [[1.0]]), build_window(data, data.purchases, 2, 2))


def test_evaluation_keeps_member_sums() -> None:
    """The sums per member add up to the metric, so charts and differences rest on the same numbers."""
    data = random_dataset(4)
    window = SPLIT.window(data)
    outcome = evaluate(Popularity().fit(SPLIT.interactions(data, 4), seed=0), window)
    assert isinstance(outcome, Evaluation)
    assert outcome.metrics["hits_per_trip"].value == pytest.approx(
        outcome.hits.sum() / window.member_trips.sum()
    )
