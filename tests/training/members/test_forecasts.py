"""Models of counts and of spend: published fits, likelihoods at a point, and what they say of simulated members."""

from dataclasses import replace

import numpy as np
import pytest

from tests.training.members.cdnow import CALIBRATION, write
from training.errors import TrainingError
from training.members.counts import CountModel, CountModelKind, fit_counts
from training.members.forecast import area_under_curve
from training.members.history import Duration, Floats, OrderHistory, TimeUnit, parse_duration
from training.members.orders import Orders, TransactionColumns, order_history, read_orders
from training.members.spend import SpendModel, fit_spend

WEEKS_39 = Duration(39, TimeUnit.WEEK)
BG, MBG = CountModelKind.BG_NBD, CountModelKind.MBG_NBD


@pytest.fixture(scope="module")
def cdnow(tmp_path_factory: pytest.TempPathFactory) -> Orders:
    """All orders of the sample."""
    return read_orders(write(tmp_path_factory.mktemp("cdnow")), TransactionColumns("id", "date", "usd"))


@pytest.fixture(scope="module")
def calibration(cdnow: Orders) -> tuple[OrderHistory, Floats, Floats]:
    """Histories until September 1997, mean repeat spend, and the orders of the 39 weeks after."""
    known = cdnow.until(CALIBRATION)
    members, history, repeat = order_history(known.orders, CALIBRATION, TimeUnit.WEEK)
    later = cdnow.orders.filter(cdnow.orders["day"] > CALIBRATION).group_by("member").len()
    counts = members.join(later, on="member", how="left")["len"].fill_null(0).to_numpy()
    return history, repeat, counts


def test_one_likelihood_of_each_model() -> None:
    """At r .243, alpha 4.414, a .793, b 2.426 a member with x 4, t_x 30.7, T 38.9 has these likelihoods (published by another package)."""
    one = OrderHistory(np.array([4.0]), np.array([30.7]), np.array([38.9]), TimeUnit.WEEK)
    bg = CountModel(BG, 0.243, 4.414, 0.793, 2.426, TimeUnit.WEEK)
    assert bg.log_likelihoods(one)[0] == pytest.approx(-15.32935235570709, abs=1e-10)
    assert replace(bg, kind=MBG).log_likelihoods(one)[0] == pytest.approx(-15.487436077892465, abs=1e-10)


def test_cdnow_is_fitted_as_published(calibration: tuple[OrderHistory, Floats, Floats]) -> None:
    """Fader, Hardie & Lee (2005) for BG/NBD, BTYDplus for MBG/NBD, Fader & Hardie (2013) for Gamma-Gamma; and the 39 weeks after."""
    history, repeat, later = calibration
    assert len(history) == 2_357
    published = {
        BG: ((0.2425945, 4.4136019, 0.7929199, 2.4258881), -9582.429, -0.121, 1.608),
        MBG: ((0.52484, 6.18308, 0.89136, 1.61400), -9582.136, -0.162, 1.607),
    }
    for kind, (parameters, likelihood, bias, rmse) in published.items():
        fit = fit_counts(kind, history)
        model = fit.model
        assert (model.r, model.alpha, model.a, model.b) == pytest.approx(parameters, rel=1e-4)
        assert fit.log_likelihood == pytest.approx(likelihood, abs=1e-3)
        assert fit.agreeing >= 4
        assert all(error > 0 for error in fit.errors)
        expected = model.expected_orders(history, WEEKS_39)
        assert expected.sum() / later.sum() - 1 == pytest.approx(bias, abs=1e-3)
        assert np.sqrt(((expected - later) ** 2).mean()) == pytest.approx(rmse, abs=1e-3)

    spend = fit_spend(history.repeats, repeat)
    assert spend.members == 946
    assert (spend.model.p, spend.model.q, spend.model.gamma) == pytest.approx(
        (6.2495, 3.7442, 15.4436), rel=1e-4
    )
    assert spend.log_likelihood == pytest.approx(-4055.9177, abs=1e-3)
    assert spend.agreeing >= 4


def test_churn_is_the_probability_of_no_order(
    calibration: tuple[OrderHistory, Floats, Floats],
) -> None:
    """On CDNOW it ranks members (AUC at least .755) with a Brier score of at most .162; P(active) ranks worse than a coin."""
    history, _, later = calibration
    silent = (later == 0).astype(np.float64)
    for kind in (BG, MBG):
        model = fit_counts(kind, history).model
        churn = model.no_order(history, WEEKS_39)
        assert area_under_curve(churn, silent) >= 0.755
        assert ((churn - silent) ** 2).mean() <= 0.162
    assert area_under_curve(history.age - history.last, silent) == pytest.approx(0.771, abs=1e-3)
    bg = fit_counts(BG, history).model
    assert area_under_curve(1 - bg.active(history), silent) == pytest.approx(0.316, abs=1e-3)
    assert (bg.active(history)[history.repeats == 0] == 1).all()


@pytest.mark.parametrize("kind", CountModelKind)
def test_what_models_expect_is_what_their_members_do(kind: CountModelKind) -> None:
    """Members drawn by the model's own story order as often, and stay silent as often, as it expects of their histories."""
    random = np.random.default_rng(5)
    n, age, t = 60_000, 40.0, 26.0
    leaving = (0.0, 0.0) if kind is CountModelKind.NBD else (0.9, 2.5)
    model = CountModel(kind, 0.8, 6.0, *leaving, TimeUnit.WEEK)
    rate, drop = random.gamma(model.r, 1 / model.alpha, n), random.beta(0.9, 2.5, n)
    now, alive = np.zeros(n), np.ones(n, dtype=bool)
    if kind is MBG:
        alive &= random.random(n) >= drop
    repeats, last, later = np.zeros(n), np.zeros(n), np.zeros(n)
    while alive.any():
        now[alive] += random.exponential(1 / rate[alive])
        alive &= now < age + t
        early = alive & (now <= age)
        repeats[early] += 1
        last[early] = now[early]
        later[alive & (now > age)] += 1
        alive &= (random.random(n) >= drop) | (kind is CountModelKind.NBD)
    history = OrderHistory(repeats, last, np.full(n, age), TimeUnit.WEEK)

    horizon = Duration(t * 7, TimeUnit.DAY)
    expected, silent = model.expected_orders(history, horizon), model.no_order(history, horizon)
    for some in (np.ones(n, dtype=bool), repeats == 0, (repeats > 0) & (repeats < 4), repeats >= 4):
        error = 4 / np.sqrt(some.sum())
        assert abs(expected[some].mean() - later[some].mean()) < error * later[some].std()
        assert abs(silent[some].mean() - (later[some] == 0).mean()) < error * 0.5
    fit = fit_counts(kind, history)
    assert fit.model.r == pytest.approx(model.r, abs=4 * fit.errors[0])
    assert fit.model.alpha == pytest.approx(model.alpha, abs=4 * fit.errors[1])


def test_units_cannot_be_mixed_up() -> None:
    """A model of weeks refuses a history in days, and takes a horizon in either."""
    days = OrderHistory(np.array([1.0]), np.array([7.0]), np.array([70.0]), TimeUnit.DAY)
    weeks = OrderHistory(np.array([1.0]), np.array([1.0]), np.array([10.0]), TimeUnit.WEEK)
    model = CountModel(BG, 0.243, 4.414, 0.793, 2.426, TimeUnit.WEEK)
    with pytest.raises(ValueError, match="a model of weeks was asked about a history in days"):
        model.expected_orders(days, WEEKS_39)
    same = [
        model.expected_orders(weeks, one)[0]
        for one in (Duration(7, TimeUnit.WEEK), Duration(49, TimeUnit.DAY))
    ]
    assert same[0] == pytest.approx(same[1])


@pytest.mark.parametrize(("text", "days"), [("90d", 90.0), ("13w", 91.0), (" 30 ", 30.0), ("1.5w", 10.5)])
def test_durations_are_read(text: str, days: float) -> None:
    """Days and weeks, days where no unit stands."""
    assert parse_duration(text, "--horizon").days == days


@pytest.mark.parametrize("text", ["", "-90d", "0d", "3m", "soon"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """One sentence with the option and an example."""
    with pytest.raises(TrainingError, match=r"--horizon is .*; write days or weeks above 0, such as 90d"):
        parse_duration(text, "--horizon")


def test_what_cannot_be_fitted_is_said() -> None:
    """Nobody came again; all spent the same; a mean that does not exist."""
    once = OrderHistory(np.zeros(50), np.zeros(50), np.arange(50.0), TimeUnit.WEEK)
    with pytest.raises(TrainingError, match="no member ordered a second time"):
        fit_counts(BG, once)
    with pytest.raises(TrainingError, match="too few members ordered again, or all for the same amount"):
        fit_spend(np.ones(50), np.full(50, 9.99))
    with pytest.raises(TrainingError, match=r"q is 0\.9, not above 1"):
        SpendModel(2.0, 0.9, 10.0).expected_spend(np.ones(2), np.ones(2))


def test_expected_spend_by_hand() -> None:
    """With p 6, q 4, gamma 15 and two repeats of 30 on average: 6 (15 + 60) / (12 + 3) = 30; without any 6 · 15 / 3 = 30."""
    model = SpendModel(6.0, 4.0, 15.0)
    assert model.expected_spend(np.array([2.0, 0.0]), np.array([30.0, 0.0])).tolist() == [30.0, 30.0]


def test_a_history_must_make_sense() -> None:
    """The last order is neither before the first nor after the end."""
    with pytest.raises(ValueError, match="0 <= t_x <= T"):
        OrderHistory(np.array([1.0]), np.array([5.0]), np.array([4.0]), TimeUnit.WEEK)
