"""Where members differ too little for a distribution, its limit serves: by likelihood, on every machine."""

from collections.abc import Callable
from itertools import cycle, islice, product

import numpy as np
import pytest

from tests.training.members.shops import AHEAD, Shop, highest_likelihood, log_likelihood, simulate
from training.members.counts import CountFit, CountModel, CountModelKind, fit_counts
from training.members.history import Duration, OrderHistory, TimeUnit
from training.members.spend import fit_spend

BG, MBG, NBD = CountModelKind
DROPOUTS: tuple[tuple[float, float] | float, ...] = (0.0, 0.1, 0.5, (0.9, 2.5), (2.0, 2.0))
"""None, the same for all, the same and strong, and different ones, the last of them strong."""
SHOPS = tuple(
    (seed, members, first_too, dropout)
    for seed, (members, first_too, dropout) in enumerate(
        islice(cycle(product((100, 300, 1_000, 3_000), (False, True), DROPOUTS)), 195)
    )
) + tuple((1_000 + number, 100_000, bool(number % 2), dropout) for number, dropout in enumerate(DROPOUTS))
"""200 shops, five of them with 100,000 members."""
Z_LIMIT = 4.0


def served(shop: Shop) -> CountFit:
    """Return the fit that serves."""
    return max((fit_counts(kind, shop.history) for kind in (MBG, BG)), key=lambda fit: fit.log_likelihood)


def z_of(shop: Shop, model: CountModel) -> float:
    """Return how many of its errors the forecast of all orders is off.

    The error is that of the members' own chance, which the differences show, and that of the parameters, which were learned from a
    window about as long: its variance is the share of the time ahead in the time observed.
    """
    expected = model.expected_orders(shop.history, Duration(AHEAD, TimeUnit.WEEK))
    difference = expected - shop.later
    learned = 1.0 + AHEAD / shop.history.age.mean()
    return float(difference.sum() / np.sqrt(learned * (difference**2).sum()))


@pytest.mark.parametrize(("seed", "members", "first_too", "dropout"), SHOPS[:10])
def test_what_serves_has_the_highest_likelihood(
    seed: int, members: int, first_too: bool, dropout: tuple[float, float] | float
) -> None:
    """No parameters of BG/NBD or MBG/NBD are likelier than what serves, and its forecast is within four of its errors."""
    shop = simulate(seed, members, first_too=first_too, dropout=dropout)
    fit = served(shop)

    for kind in (False, True):
        assert fit.log_likelihood >= highest_likelihood(shop.history, first_too=kind) - 1e-2
    assert abs(z_of(shop, fit.model)) < Z_LIMIT


@pytest.mark.slow
def test_what_serves_in_200_shops() -> None:
    """In 200 shops what serves has the highest likelihood, at most 1 % of the forecasts are off by four errors, and they vary by one."""
    errors = []
    for seed, members, first_too, dropout in SHOPS:
        shop = simulate(seed, members, first_too=first_too, dropout=dropout)
        fit = served(shop)
        if members <= 1_000:
            for kind in (False, True):
                assert fit.log_likelihood >= highest_likelihood(shop.history, first_too=kind) - 1e-2, seed
        errors.append(z_of(shop, fit.model))

    z = np.array(errors)
    assert (np.abs(z) >= Z_LIMIT).mean() <= 0.01
    assert np.mean(z**2) < 1.3


def test_limits_are_the_limits_of_the_full_model() -> None:
    """With a, b = 10⁴ times (p, 1 − p), the inverse of it, or r, α that large, the full model says of a history what the limit says."""
    history = OrderHistory(
        np.array([0.0, 1.0, 4.0]), np.array([0.0, 3.0, 20.0]), np.array([30.0, 26.0, 30.0]), TimeUnit.WEEK
    )
    ahead = Duration(13, TimeUnit.WEEK)
    p, rate, many = 0.2, 0.15, 1e4
    for kind in (BG, MBG):
        for full, limit in (
            (
                CountModel(kind, 0.8, 6.0, p * many, (1 - p) * many, TimeUnit.WEEK),
                CountModel(kind, 0.8, 6.0, np.inf, np.inf, TimeUnit.WEEK, dropout=p),
            ),
            (
                CountModel(kind, rate * many, many, 0.9, 2.5, TimeUnit.WEEK),
                CountModel(kind, np.inf, np.inf, 0.9, 2.5, TimeUnit.WEEK, rate=rate),
            ),
            (
                CountModel(kind, 0.8, 6.0, p / many, (1 - p) / many, TimeUnit.WEEK),
                CountModel(kind, 0.8, 6.0, 0.0, 0.0, TimeUnit.WEEK, at_once=p),
            ),
            (
                CountModel(kind, rate * many, many, p * many, (1 - p) * many, TimeUnit.WEEK),
                CountModel(kind, np.inf, np.inf, np.inf, np.inf, TimeUnit.WEEK, rate=rate, dropout=p),
            ),
        ):
            assert limit.log_likelihoods(history) == pytest.approx(full.log_likelihoods(history), abs=1e-2)
            assert limit.active(history) == pytest.approx(full.active(history), abs=1e-2)
            assert limit.no_order(history, ahead) == pytest.approx(full.no_order(history, ahead), abs=1e-2)
            assert limit.expected_orders(history, ahead) == pytest.approx(
                full.expected_orders(history, ahead), rel=1e-2
            )


def test_gradients_are_the_slopes_of_the_likelihood() -> None:
    """For every shape of model the derivatives equal differences of the likelihood."""
    history = OrderHistory(
        np.array([0.0, 1.0, 4.0]), np.array([0.0, 3.0, 20.0]), np.array([30.0, 26.0, 30.0]), TimeUnit.WEEK
    )
    weeks, step = TimeUnit.WEEK, 1e-6
    for kind in (BG, MBG):
        makers: dict[tuple[float, ...], Callable[..., CountModel]] = {
            (0.8, 6.0, 0.9, 2.5): lambda r, alpha, a, b, kind=kind: CountModel(kind, r, alpha, a, b, weeks),
            (0.8, 6.0, 0.3): lambda r, alpha, odds, kind=kind: CountModel(
                kind, r, alpha, np.inf, np.inf, weeks, dropout=odds / (1 + odds)
            ),
            (0.8, 6.0, 0.4): lambda r, alpha, odds, kind=kind: CountModel(
                kind, r, alpha, 0.0, 0.0, weeks, at_once=odds / (1 + odds)
            ),
            (0.15, 0.9, 2.5): lambda rate, a, b, kind=kind: CountModel(
                kind, np.inf, np.inf, a, b, weeks, rate=rate
            ),
            (0.15, 0.3): lambda rate, odds, kind=kind: CountModel(
                kind, np.inf, np.inf, np.inf, np.inf, weeks, rate, odds / (1 + odds)
            ),
        }
        for at, make in makers.items():
            gradients = make(*at).gradients(history)
            assert gradients.shape == (3, len(at))
            for column in range(len(at)):
                up, down = np.array(at), np.array(at)
                up[column] += step
                down[column] -= step
                slope = (make(*up).log_likelihoods(history) - make(*down).log_likelihoods(history)) / (
                    2 * step
                )
                assert gradients[:, column] == pytest.approx(slope, abs=1e-5)


def test_the_reference_likelihood_is_the_models() -> None:
    """The likelihood in plain numpy, against which fits are judged, is that of the full model."""
    shop = simulate(3, 200, first_too=True, dropout=(0.9, 2.5))
    groups, counts = shop.history.grouped()
    for kind in (BG, MBG):
        model = CountModel(kind, 0.5, 4.0, 0.7, 2.0, TimeUnit.WEEK)
        expected = log_likelihood(
            groups, counts, first_too=kind is MBG, parameters=np.array([0.5, 4.0, 0.7, 2.0])
        )
        assert counts @ model.log_likelihoods(groups) == pytest.approx(expected)


def test_everybody_leaves_after_the_second_order() -> None:
    """Where no member ordered a third time, the likeliest dropout probability is 1, and nobody who came again is expected."""
    random = np.random.default_rng(2)
    again = random.random(500) < 0.5
    age = np.full(500, 50.0)
    history = OrderHistory(
        again.astype(float), np.where(again, random.uniform(1, 9, 500), 0.0), age, TimeUnit.WEEK
    )
    model = fit_counts(BG, history).model

    assert model.dropout == pytest.approx(1.0, abs=1e-5)
    expected = model.expected_orders(history, Duration(13, TimeUnit.WEEK))
    assert expected[again].max() < 1e-3
    assert (expected[~again] > 0).all()


def test_orders_that_do_not_vary_are_each_members_own_mean() -> None:
    """Members who always spend the same get their own mean, and those without a repeat order the mean of the distribution."""
    random = np.random.default_rng(4)
    repeats, mean = random.integers(1, 6, 400).astype(float), 60.0 / random.gamma(4.0, 1.0, 400)
    model = fit_spend(repeats, mean).model

    assert model.p == np.inf
    assert model.expected_spend(repeats, mean) == pytest.approx(mean)
    assert model.expected_spend(np.zeros(1), np.zeros(1))[0] == pytest.approx(20.0, rel=0.15)


def test_members_who_do_not_differ_have_one_mean() -> None:
    """Orders around one mean of all are forecast by that mean, whoever asks."""
    random = np.random.default_rng(5)
    repeats = random.integers(1, 6, 2_000).astype(float)
    mean = random.gamma(4.0 * repeats, 25.0 / (4.0 * repeats))
    model = fit_spend(repeats, mean).model
    expected = model.expected_spend(repeats, mean)

    assert np.ptp(expected) < 1.0
    assert expected.mean() == pytest.approx(25.0, rel=0.03)
