"""Choice probabilities of one rank: closed forms, Monte Carlo, floors; and the numbers that decide the draw."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from experiments.stats.bandit import thompson_shares
from server.catalogue import Exploration
from server.decide.explore import Chance, chance_of, draw, uniform
from tests.server.decide.chances import walk

_SCORES = st.lists(st.floats(-100, 100).map(lambda score: round(score, 3)), min_size=1, max_size=8)


def chance(exploration: Exploration, scores: list[float], deviations: list[float] | None = None) -> Chance:
    """Return how a rank is chosen."""
    spread = None if deviations is None else np.array(deviations)
    return chance_of(exploration, np.array(scores), spread)


@given(
    st.sampled_from(["epsilon", "softmax", "thompson"]),
    _SCORES,
    st.integers(8, 12),
    st.floats(0, 1),
    st.data(),
)
def test_every_offer_of_the_shortlist_has_the_floor_at_every_rank(
    method: str, scores: list[float], shortlist: int, share: float, data: st.DataObject
) -> None:
    """Whatever was chosen above, each that is left has at least ``least_probability``, and all together have 1."""
    scores = sorted(scores, reverse=True)
    named = data.draw(st.none() | st.floats(0, share / shortlist))
    exploration = Exploration(method=method, share=share, shortlist=shortlist, least_probability=named)  # type: ignore[arg-type]  # one of three
    deviations = [data.draw(st.floats(0, 50)) for _ in scores]
    one = chance(exploration, scores, deviations)
    left = list(range(len(scores)))
    while left:
        found = walk(one, left)
        assert math.fsum(found.values()) == pytest.approx(1.0, abs=1e-9)
        if exploration.floor > 1e-9:
            assert set(found) == set(left)
            assert min(found.values()) >= exploration.floor * (1 - 1e-9)
        left.remove(data.draw(st.sampled_from(left)))


def test_softmax_by_hand() -> None:
    """Scores 1, 0, −1 have a deviation of √(2/3); at temperature 2 the weights are exp(s / (2 √(2/3))), above a floor of 0.1."""
    exploration = Exploration(method="softmax", share=0.3, shortlist=3, temperature=2.0)
    one = chance(exploration, [1.0, 0.0, -1.0])
    scale = 2 * math.sqrt(2 / 3)
    weights = [math.exp(score / scale) for score in (1, 0, -1)]
    expected = {place: 0.1 + 0.7 * weight / sum(weights) for place, weight in enumerate(weights)}
    assert walk(one, [0, 1, 2]) == pytest.approx(expected)
    # The deviation stays that of the shortlist when one of it has gone.
    expected = {place: 0.1 + 0.8 * weights[place] / (weights[0] + weights[2]) for place in (0, 2)}
    assert walk(one, [0, 2]) == pytest.approx(expected)


def test_epsilon_by_hand() -> None:
    """A share of 0.3 over three: each has 0.1, the best 0.8; of two left 0.85 and 0.15; of one 1."""
    one = chance(Exploration(method="epsilon", share=0.3, shortlist=3), [3.0, 2.0, 1.0])
    assert walk(one, [0, 1, 2]) == pytest.approx({0: 0.8, 1: 0.1, 2: 0.1})
    assert walk(one, [1, 2]) == pytest.approx({1: 0.85, 2: 0.15})
    assert walk(one, [2]) == {2: 1.0}


@pytest.mark.parametrize("method", ["epsilon", "softmax", "thompson"])
def test_equal_scores_are_equally_likely(method: str) -> None:
    """Nothing speaks for one of them, so softmax and Thompson share evenly; epsilon keeps the order of ties for its best."""
    exploration = Exploration(method=method, share=0.2, shortlist=4)  # type: ignore[arg-type]  # one of three
    found = walk(chance(exploration, [1.0] * 4, [0.5] * 4), [0, 1, 2, 3])
    rest = 0.05 if method == "epsilon" else 0.25
    assert list(found.values()) == pytest.approx([0.85 if method == "epsilon" else 0.25, rest, rest, rest])


THOMPSON = [
    ([3.0, 2.8, 2.0], [0.5, 0.5, 0.5]),
    ([1.0, 1.0, 1.0, 1.0], [0.1, 0.2, 0.4, 0.8]),
    ([0.05, 0.04, 0.03, 0.02, 0.01], [0.002, 0.01, 0.01, 0.02, 0.03]),
    ([10.0, 9.0], [0.0, 2.0]),
    ([2.0, 1.0, 0.5], [0.0, 0.0, 1.5]),
    ([5.0, 1.0], [0.01, 0.01]),
]


@pytest.mark.parametrize(("scores", "deviations"), THOMPSON)
def test_thompsons_chances_agree_with_exact_ones(scores: list[float], deviations: list[float]) -> None:
    """The quadrature over 32 quantiles lies within 0.01 of the exact chance to be the best for independent normals."""
    exploration = Exploration(method="thompson", share=0.0, shortlist=8)
    found = walk(chance(exploration, scores, deviations), list(range(len(scores))))
    exact = thompson_shares(scores, [one**2 for one in deviations])
    for place, share in enumerate(exact):
        assert found.get(place, 0.0) == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(("scores", "deviations"), THOMPSON)
def test_thompsons_chances_agree_with_sampling(scores: list[float], deviations: list[float]) -> None:
    """The same against 200,000 draws from the posteriors, whose own error is below 0.004 at 99.9 %."""
    exploration = Exploration(method="thompson", share=0.0, shortlist=8)
    found = walk(chance(exploration, scores, deviations), list(range(len(scores))))
    normal = np.random.default_rng(7).normal(size=(200_000, len(scores)))
    best = (np.array(scores) + normal * np.array(deviations)).argmax(axis=1)
    for place, share in enumerate(np.bincount(best, minlength=len(scores)) / len(best)):
        assert found.get(place, 0.0) == pytest.approx(share, abs=0.014)


@pytest.mark.parametrize("deviations", [None, [0.0, 0.0, 0.0]])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
def test_thompson_without_doubt_takes_the_best(deviations: list[float] | None, scale: float) -> None:
    """Scores known exactly leave nothing to Thompson but the floor, however large or small they are."""
    exploration = Exploration(method="thompson", share=0.3, shortlist=3)
    found = walk(chance(exploration, [3 * scale, 2 * scale, scale], deviations), [0, 1, 2])
    assert found == pytest.approx({0: 0.8, 1: 0.1, 2: 0.1}, abs=1e-9)


def test_the_deciding_numbers_are_even() -> None:
    """Over 100,000 seeds the numbers of a rank fill 256 equal bins as evenly as chance would (chi-square at 99.9 %)."""
    for rank in (0, 1, 7):
        points = np.array([uniform(f"d{number}", rank) for number in range(100_000)])
        assert ((points >= 0) & (points < 1)).all()
        counts = np.bincount((points * 256).astype(int), minlength=256)
        assert scipy.stats.chisquare(counts).pvalue > 0.001 / 3


def test_the_deciding_numbers_are_independent() -> None:
    """Numbers of two ranks of one seed, and of one rank of neighbouring seeds, fall evenly into 16 × 16 cells."""
    table = np.array([[uniform(f"d{number}", rank) for rank in (0, 1)] for number in range(50_000)])
    pairs = (table, np.stack([table[:-1, 0], table[1:, 0]], axis=1))
    for pair in pairs:
        cells = (pair * 16).astype(int)
        counts = np.bincount(cells[:, 0] * 16 + cells[:, 1], minlength=256)
        assert scipy.stats.chisquare(counts).pvalue > 0.001 / 2


def test_a_seed_decides_the_slate() -> None:
    """The same seed draws the same slate; among other seeds all slates come up."""
    exploration = Exploration(method="softmax", share=1.0, shortlist=3)
    drawn = [
        draw(
            np.arange(3),
            np.zeros(0, dtype=np.int64),
            2,
            chance=chance(exploration, [3.0, 2.0, 1.0]),
            seed=f"d{number % 100}",
            quotas=(),
        )
        for number in range(200)
    ]
    assert drawn[:100] == drawn[100:]
    assert len({slate.places for slate in drawn}) == 6
