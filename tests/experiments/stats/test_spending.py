import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.stats import Spending, crossing_probabilities, spending_bounds, spent_share

FIVE = (0.2, 0.4, 0.6, 0.8, 1.0)
DAILY = tuple((k + 1) / 28 for k in range(28))


@pytest.mark.parametrize(
    ("spending", "published"),
    [
        (Spending.OBRIEN_FLEMING, (4.8769, 3.3569, 2.6803, 2.2898, 2.0310)),
        (Spending.POCOCK, (2.4380, 2.4268, 2.4101, 2.3966, 2.3859)),
    ],
)
def test_agrees_with_published_bounds(spending: Spending, published: tuple[float, ...]) -> None:
    """Five even looks at two-sided 5 % have the bounds of Reboussin, DeMets, Kim and Lan's programs (ldbounds)."""
    assert spending_bounds(FIVE, 0.05, spending=spending) == pytest.approx(published, abs=2e-4)


def test_agrees_with_spotify_confidence() -> None:
    """Power spending with phi = 2 has spotify-confidence 4.1.0's bounds, to its search's tolerance of 1e-7 in alpha."""
    published = (3.09023231, 2.7140784, 2.47273707, 2.27981095, 2.1139679)

    bounds = spending_bounds(FIVE, 0.05, spending=Spending.POWER, phi=2.0)

    assert bounds == pytest.approx(published, abs=1e-4)


@pytest.mark.parametrize(
    ("looks", "pocock", "obrien_fleming"), [(2, 2.178, 1.977), (5, 2.413, 2.040), (10, 2.555, 2.087)]
)
def test_classical_constants_cross_in_5_percent(looks: int, pocock: float, obrien_fleming: float) -> None:
    """The constants of Jennison and Turnbull (2000), tables 2.1 and 2.3, are crossed in 5 % to their third digit."""
    times = tuple((k + 1) / looks for k in range(looks))

    for bounds in ([pocock] * looks, [obrien_fleming / math.sqrt(t) for t in times]):
        assert sum(map(sum, crossing_probabilities(times, bounds))) == pytest.approx(0.05, abs=1e-4)


def test_crossings_agree_with_the_normal_integral() -> None:
    """Not crossing three two-sided bounds has the probability of scipy's multivariate normal, with drift too."""
    from scipy import stats

    times, bounds, drift = np.array([0.3, 0.7, 1.0]), np.array([2.5, 2.2, 2.1]), 1.3
    covariance = np.sqrt(np.minimum.outer(times, times) / np.maximum.outer(times, times))
    inside = stats.multivariate_normal(drift * np.sqrt(times), covariance, seed=1).cdf(
        bounds, lower_limit=-bounds
    )

    crossed = crossing_probabilities(times.tolist(), bounds.tolist(), drift=drift)

    assert 1 - sum(map(sum, crossed)) == pytest.approx(inside, abs=1e-5)
    assert crossed[0][0] == pytest.approx(stats.norm.sf(2.5 - drift * math.sqrt(0.3)), rel=1e-12)


@given(
    st.lists(st.floats(0.001, 1.0), min_size=1, max_size=12, unique=True),
    st.sampled_from([1e-9, 0.001, 0.05, 0.3]),
    st.sampled_from(Spending),
    st.sampled_from([1, 2]),
)
def test_bounds_spend_what_they_may(times: list[float], alpha: float, spending: Spending, sides: int) -> None:
    """At any looks, the chance to cross by a look is what the function lets it spend, for each side."""
    looks = [t for t, before in zip(sorted(times), [0.0, *sorted(times)], strict=False) if t - before > 1e-3]
    if not looks:
        return
    bounds = spending_bounds(tuple(looks), alpha, sides=sides, spending=spending)
    crossed = np.cumsum([above for above, _ in crossing_probabilities(looks, bounds, sides=sides)])

    for t, chance in zip(looks, crossed, strict=True):
        assert chance == pytest.approx(spent_share(spending, t, alpha / sides, 2.0), rel=1e-6, abs=1e-15)


@pytest.mark.parametrize("spending", Spending)
def test_everything_is_spent_at_the_end(spending: Spending) -> None:
    """A spending function starts near nothing, rises, and ends with all, also past the planned end."""
    shares = [spent_share(spending, t, 0.025, 2.0) for t in (1e-9, 0.1, 0.5, 0.9, 1.0, 1.3)]

    assert shares == sorted(shares)
    assert shares[0] < 1e-8
    assert shares[-2:] == pytest.approx([0.025, 0.025], rel=1e-12)


def test_a_look_at_almost_nothing_has_no_bound() -> None:
    """Where no error can be spent yet, the bound is infinite and later bounds are as without the look."""
    with_look, without = spending_bounds((1e-4, 0.5, 1.0), 0.05), spending_bounds((0.5, 1.0), 0.05)

    assert with_look[0] == math.inf
    assert with_look[1:] == pytest.approx(without, rel=1e-9)


def test_twenty_eight_looks_are_quick() -> None:
    """Bounds of 28 looks take less than 50 ms (best of five), and nothing the second time."""
    times = []
    for repetition in range(5):
        start = time.perf_counter()
        spending_bounds(DAILY, 0.05 - 1e-4 * (repetition + 1))
        times.append(time.perf_counter() - start)

    assert min(times) < 0.05
    assert spending_bounds(DAILY, 0.05) is spending_bounds(DAILY, 0.05)
