"""Weights of mixtures: what is better for sure gets more, and equal weights stay where nothing is."""

import numpy as np
import pytest
from scipy import sparse

from tests.training.histories import checkerboard, score_all
from training.bundle.scorers import AnyScorer, Array, Popular
from training.recommenders import Ease, ItemItem, Popularity
from training.recommenders.mixture import fit_weights, mix, score_members, spreads


def noisy(truths: Array, noise: float, seed: int) -> Array:
    """Return scores that know the truths, more or less."""
    random = np.random.default_rng(seed)
    return (truths + noise * random.standard_normal(truths.shape)).astype(np.float32)


def choices(members: int = 400, offers: int = 30) -> Array:
    return (np.random.default_rng(3).random((members, offers)) < 0.1).astype(np.float32)


def test_a_scorer_that_knows_nothing_gets_little_weight() -> None:
    """Beside a good scorer, noise loses its weight."""
    truths = choices()
    scores = np.stack([noisy(truths, 0.5, 1), noisy(0 * truths, 1.0, 2)])
    good, bad = fit_weights(scores, sparse.csr_matrix(truths))
    assert good > 4 * bad
    assert good + bad == pytest.approx(1)


def test_weights_do_not_depend_on_the_scale_of_scores() -> None:
    """A scorer whose scores are 1,000 times as large, or moved, gets the same weight."""
    truths = choices()
    first, second = noisy(truths, 0.5, 1), noisy(truths, 0.8, 2)
    expected = fit_weights(np.stack([first, second]), sparse.csr_matrix(truths))
    moved = fit_weights(np.stack([first * 1024, second + 4]), sparse.csr_matrix(truths))
    assert moved == pytest.approx(expected, abs=0.05)


def test_equal_weights_stay_unless_others_are_better_for_sure() -> None:
    """Scorers of the same quality get equal weights, although some others fit the sample a little better."""
    truths = choices()
    scores = np.stack([noisy(truths, 0.7, seed) for seed in range(3)])
    assert fit_weights(scores, sparse.csr_matrix(truths)) == (1 / 3, 1 / 3, 1 / 3)


def test_without_truths_weights_are_equal() -> None:
    """Nothing to learn from is no error."""
    scores = np.zeros((2, 5, 4), np.float32)
    assert fit_weights(scores, sparse.csr_matrix((5, 4))) == (0.5, 0.5)
    assert fit_weights(scores[:1], sparse.csr_matrix((5, 4))) == (1.0,)
    assert fit_weights(scores, sparse.csr_matrix(np.ones((5, 4)))) == (0.5, 0.5)


def test_removed_offers_are_no_candidates() -> None:
    """A scorer that puts removed offers on top is as good as one that does not, as they are never shown."""
    truths = choices()
    removed = sparse.csr_matrix((np.random.default_rng(8).random(truths.shape) < 0.3) * (truths == 0))
    good = noisy(truths, 0.5, 1)
    spoiled = np.where(removed.toarray() > 0, 100, good).astype(np.float32)
    bad = noisy(0 * truths, 1.0, 2)
    expected = fit_weights(np.stack([good, bad]), sparse.csr_matrix(truths), removed)
    assert fit_weights(np.stack([spoiled, bad]), sparse.csr_matrix(truths), removed) == expected
    assert spreads(np.stack([good, spoiled]), removed)[0] == spreads(np.stack([spoiled]), removed)[0]


def test_spreads_by_hand() -> None:
    """The spread is the standard deviation over a member's candidates, averaged over members."""
    scores = np.array([[[0, 2, 50], [1, 1, 9]]], np.float32)
    removed = sparse.csr_matrix([[0, 0, 1], [0, 0, 1]])
    assert spreads(scores, removed) == pytest.approx([0.5])


def test_a_mixture_adds_up_scores_on_one_scale() -> None:
    """Weights are divided by the spreads of these very scorers; a scorer without weight takes no part."""
    data = checkerboard()
    scorers: list[AnyScorer] = [
        Ease(10.0).fit(data, seed=0),
        ItemItem().fit(data, seed=0),
        Popularity().fit(data, seed=0),
    ]
    scores = score_members(scorers, data, np.arange(60))
    scales = spreads(scores)
    mixture = mix(scorers, (0.75, 0.25, 0.0), scales)
    assert len(mixture.parts) == 2
    expected = 0.75 * scores[0] / scales[0] + 0.25 * scores[1] / scales[1]
    assert score_all(mixture, data) == pytest.approx(expected, rel=1e-5)


def test_a_mixture_of_nothing_is_refused() -> None:
    """Scorers that score all offers alike cannot be put on a scale."""
    scorer = Popular(np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="mixture"):
        mix([scorer], (1.0,), np.zeros(1))
