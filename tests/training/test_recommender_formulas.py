"""Recommenders against their definitions: counts by hand, closed forms by dense algebra, libraries by their own scores."""

import dataclasses
import importlib

import numpy as np
import pytest
from scipy import sparse

from tests.training.histories import checkerboard, fit_data, score_all
from training.bundle.history import HALF_LIVES
from training.bundle.scorers import Factors, Linear, Mixture
from training.errors import TrainingError
from training.recommenders import (
    Als,
    Bpr,
    DecayedFrequency,
    Ease,
    GraphFilter,
    ItemItem,
    Lmf,
    Popularity,
    Recommender,
    SeasonalPopularity,
    TifuKnn,
    Warp,
)


@pytest.mark.parametrize("half_life", HALF_LIVES)
def test_decayed_frequency_counts_by_hand(half_life: float) -> None:
    """A purchase one half-life old and one three half-lives old score 1/2 + 1/8; others score 0, the popular first."""
    purchases = [(0, 0, half_life), (0, 0, 3 * half_life), (1, 1, 1.0), (1, 2, 60.0)]
    data = fit_data(purchases, members=2, products=4)
    scores = DecayedFrequency(half_life).fit(data, seed=0).scores(data.history.profile(0), 0)
    assert scores == pytest.approx([0.625, 0, 0, 0], abs=1e-5)
    assert scores[1] > scores[2] > scores[3] == 0


def test_popularity_counts_by_hand() -> None:
    """Popular scores are trips, halved by age or all alike; two purchases on one trip count for each product."""
    data = fit_data([(0, 0, 28.0), (0, 0, 56.0), (1, 0, 28.0), (1, 1, 28.0)], members=2, products=3)
    assert Popularity(28.0).fit(data, seed=0).offer_scores == pytest.approx([1.25, 0.5, 0])
    assert Popularity(0.0).fit(data, seed=0).offer_scores.tolist() == [3, 1, 0]


def test_seasonal_popularity_mixes_shares_by_hand() -> None:
    """Three quarters of the share of a year ago and one quarter of the share of all trips since."""
    bought = [(0, 0, 1.0), (0, 1, 2.0), (1, 0, 1.0), (1, 0, 5.0)]
    data = dataclasses.replace(fit_data(bought, members=2, products=3), season=np.array([0.0, 2.0, 2.0]))
    scorer = SeasonalPopularity(half_life_days=0.0, season=0.75).fit(data, seed=0)
    assert scorer.offer_scores == pytest.approx([0.25 * 0.75, 0.75 * 0.5 + 0.25 * 0.25, 0.75 * 0.5])


def test_seasonal_popularity_needs_a_year() -> None:
    """Without a year of purchases it says so, and a job leaves it out."""
    data = dataclasses.replace(fit_data([(0, 0, 1.0)], members=1, products=1), season=None)
    with pytest.raises(TrainingError, match="year"):
        SeasonalPopularity().fit(data, seed=0)


def test_tifu_knn_counts_by_hand() -> None:
    """The nearest member's share of trips, times one's own trips, is mixed with one's own count."""
    # Member 0 went on two trips; member 1, the only similar one, on four, with product 1 on three of them.
    purchases = [(0, 0, 1.0), (0, 0, 2.0), (2, 3, 1.0)]
    purchases += [(1, 0, 1.0), (1, 1, 1.0), (1, 1, 2.0), (1, 1, 3.0), (1, 2, 4.0)]
    data = fit_data(purchases, members=3, products=4)
    scorer = TifuKnn(half_life_days=0.0, neighbours=2, alpha=0.5).fit(data, seed=0)
    scores = scorer.scores(data.history.profile(0), 0)
    assert scores == pytest.approx([0.5 * 2 + 0.5 * 2 / 4, 0.5 * 2 * 3 / 4, 0.5 * 2 / 4, 0], abs=1e-5)


def test_ease_is_the_closed_form() -> None:
    """Associations equal Steck's formula, computed here with a general inverse in double precision."""
    random = np.random.default_rng(4)
    purchases = [(m, p, 1.0) for m in range(40) for p in range(15) if random.random() < 0.3]
    data = fit_data(purchases, members=40, products=15)
    scorer = Ease(regularisation=3.0, weighting="binary").fit(data, seed=0)
    bought = data.matrix("binary").toarray().astype(np.float64)
    inverse = np.linalg.inv(bought.T @ bought + 3.0 * np.eye(15))
    expected = np.eye(15) - inverse / np.diag(inverse)
    assert scorer.dense == pytest.approx(expected, abs=1e-6)


def test_the_graph_filter_is_the_closed_form() -> None:
    """Scores equal the formula of GF-CF, computed here with dense matrices and a full decomposition."""
    random = np.random.default_rng(4)
    for members, products in ((40, 15), (15, 40)):
        purchases = [(m, p, 1.0) for m in range(members) for p in range(products) if random.random() < 0.3]
        data = fit_data(purchases, members=members, products=products)
        bought = data.matrix("binary").toarray().astype(np.float64)
        degrees = np.maximum(bought.sum(axis=0), 1e-12)
        normalised = bought / np.sqrt(bought.sum(axis=1, keepdims=True)) / np.sqrt(degrees)
        right = np.linalg.svd(normalised)[2][:3].T
        low_pass = (right / np.sqrt(degrees)[:, None]) @ (right * np.sqrt(degrees)[:, None]).T
        expected = bought @ (normalised.T @ normalised + 0.5 * low_pass)
        scorer = GraphFilter(factors=3, alpha=0.5, weighting="binary").fit(data, seed=0)
        assert score_all(scorer, data) == pytest.approx(expected, abs=1e-5)


def test_als_scores_like_implicit_with_recalculated_members() -> None:
    """Folded-in factors are those implicit computes for a known history."""
    from implicit.cpu.als import AlternatingLeastSquares

    data = checkerboard(3)
    setting = Als(factors=5, regularisation=0.5, alpha=7.0, weighting="count")
    scores = score_all(setting.fit(data, seed=2), data)
    theirs = AlternatingLeastSquares(
        factors=5, regularization=0.5, alpha=7.0, iterations=15, random_state=2, num_threads=1
    )
    matrix = data.matrix("count")
    theirs.fit(matrix, show_progress=False)
    members = theirs.recalculate_user(np.arange(90), matrix)
    assert scores == pytest.approx(members @ theirs.item_factors.T, abs=1e-4)


@pytest.mark.parametrize(
    ("setting", "module", "name", "settings"),
    [
        (
            Bpr(factors=3, iterations=5),
            "bpr",
            "BayesianPersonalizedRanking",
            {"factors": 3, "iterations": 5, "learning_rate": 0.01, "regularization": 0.01},
        ),
        (
            Lmf(factors=3, iterations=5),
            "lmf",
            "LogisticMatrixFactorization",
            {"factors": 3, "iterations": 5, "learning_rate": 1.0, "regularization": 3.0, "neg_prop": 3},
        ),
    ],
    ids=["bpr", "lmf"],
)
def test_biases_are_taken_apart_from_factors(
    setting: Recommender, module: str, name: str, settings: dict[str, float]
) -> None:
    """Scores equal implicit's own inner products, but for a constant per member."""
    data = checkerboard(3)
    theirs = getattr(importlib.import_module(f"implicit.cpu.{module}"), name)(
        **settings, random_state=2, num_threads=1
    )
    theirs.fit(data.matrix("binary"), show_progress=False)
    difference = score_all(setting.fit(data, seed=2), data) - theirs.user_factors @ theirs.item_factors.T
    assert difference == pytest.approx(np.repeat(difference[:, :1], difference.shape[1], axis=1), abs=1e-5)


def test_a_product_is_not_its_own_neighbour() -> None:
    """Item-item scores what goes with a member's products, not the products themselves: alone they score 0."""
    data = fit_data([(m, m % 3, 1.0) for m in range(90)], members=90, products=3)
    for kind in ("bm25", "cosine"):
        assert not score_all(ItemItem(kind=kind).fit(data, seed=0), data).any()


def test_cosine_neighbours_by_hand() -> None:
    """Products share one of two buyers each: their cosine is 1/2, and it is the score of the other product."""
    data = fit_data([(0, 0, 1.0), (1, 0, 1.0), (1, 1, 1.0), (2, 1, 1.0)], members=3, products=2)
    scorer = ItemItem(kind="cosine", weighting="binary").fit(data, seed=0)
    assert score_all(scorer, data) == pytest.approx(np.array([[0, 0.5], [0.5, 0.5], [0.5, 0]]))


def test_attributes_speak_for_those_without_purchases() -> None:
    """A new member gets what members with the same attributes buy, and a new product goes to who buys its like."""
    kinds = np.repeat([0, 1], 30)
    purchases = [
        (m, 6 * int(kinds[m]) + p, 1.0)
        for m in range(60)
        if m % 30
        for p in range(6)
        if p != 5 and p != m % 5
    ]
    one_hot = sparse.csr_matrix(np.eye(2, dtype=np.float32))
    data = dataclasses.replace(
        fit_data(purchases, members=60, products=12),
        member_attributes=one_hot[kinds],
        product_attributes=one_hot[np.repeat([0, 1], 6)],
    )
    scores = score_all(Warp(factors=8, epochs=60, learning_rate=0.05).fit(data, seed=1), data)
    for newcomer, own, other in ((0, slice(0, 5), slice(6, 12)), (30, slice(6, 11), slice(0, 6))):
        assert scores[newcomer, own].min() > scores[newcomer, other].max()
    assert (scores[1:30, 5] > scores[1:30, 11]).all()
    assert (scores[31:60, 11] > scores[31:60, 5]).all()


def test_a_member_without_purchases_has_no_random_factors() -> None:
    """LightFM starts members at random; who bought nothing is ranked by the biases of products alone."""
    data = fit_data([(0, 0, 1.0), (0, 1, 1.0)], members=2, products=25)
    scorer = Warp(factors=4, epochs=5).fit(data, seed=1)
    assert isinstance(scorer, Factors)
    assert scorer.scores(data.history.profile(1), 1).tolist() == scorer.offer_biases.tolist()


def test_large_catalogues_are_pruned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a dense model does not fit, the largest associations stay, with which members rank alike."""
    data = checkerboard(3, products=8)
    dense = {kind: score_all(kind().fit(data, seed=0), data) for kind in (Ease, GraphFilter)}
    monkeypatch.setattr("training.recommenders.associations.DENSE_CELLS", 0)
    monkeypatch.setattr("training.recommenders.associations.KEPT", 8)
    monkeypatch.setattr("training.recommenders.graph_filter.KEPT", 8)
    for kind, expected in dense.items():
        scorer = kind().fit(data, seed=0)
        linear = scorer.parts[0] if isinstance(scorer, Mixture) else scorer
        assert isinstance(linear, Linear)
        assert linear.dense is None
        assert linear.indptr is not None
        assert np.diff(linear.indptr).max() <= 8
        assert score_all(scorer, data) == pytest.approx(expected, abs=1e-5)


def test_ease_says_what_is_too_large() -> None:
    """A catalogue whose matrix does not fit into memory is refused with its size, before anything is computed."""
    with pytest.raises(TrainingError, match=r"40,000 × 40,000 products, which takes 6 GB"):
        Ease().fit(fit_data([(0, 0, 1.0)], members=1, products=40_000), seed=0)


def test_single_precision_inverts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large catalogues are inverted in single precision, with the same associations but for rounding."""
    board = checkerboard()
    double = Ease(10.0).fit(board, seed=0)
    monkeypatch.setattr("training.recommenders.ease.DOUBLE_PRODUCTS", 0)
    assert Ease(10.0).fit(board, seed=0).dense == pytest.approx(double.dense, abs=1e-5)


def test_many_members_are_decomposed_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for few singular vectors finds those of the full decomposition, whatever it starts from."""
    data = checkerboard(3, products=8)
    full = score_all(GraphFilter(factors=3).fit(data, seed=0), data)
    monkeypatch.setattr("training.recommenders.graph_filter.SMALL", 0)
    for seed in (1, 2):
        assert score_all(GraphFilter(factors=3).fit(data, seed=seed), data) == pytest.approx(full, abs=1e-5)
