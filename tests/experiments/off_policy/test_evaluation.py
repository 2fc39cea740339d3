"""Values of policies: by hand, on a published log, and on logs whose policy's value is known."""

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from experiments.errors import AnalysisError
from experiments.off_policy.estimators import LoggedChoices, PredictedRewards, estimate_values
from experiments.off_policy.evaluation import MIN_REWARDS, PolicyVerdict, evaluate_policy, overlap_of
from experiments.off_policy.promise import MeasuredValue, compare_promise, promise_of
from tests.experiments.off_policy.bandits import bandit, open_bandit

BANDED = ("ips", "clipped_ips", "snips", "dr", "sndr", "switch_dr")


def test_four_rows_by_hand() -> None:
    """Weights 2, 0, 1, 1 on rewards 1, 1, 0, 1: IPS 3/4, SNIPS 3/4, and with q 1/2 and v 1/2: DR 1/2 + (1 - .5 + .5)/4 = 3/4."""
    logged = LoggedChoices(np.array([1.0, 1, 0, 1]), np.array([0.5, 0.5, 1, 1]), np.array([1.0, 0, 1, 1]))
    predicted = PredictedRewards(np.full(4, 0.5), np.full(4, 0.5))
    found = {one.estimator: one.value.value for one in estimate_values(logged, predicted)}
    assert found == pytest.approx(
        {
            "ips": 0.75,
            "clipped_ips": 0.75,
            "snips": 0.75,
            "dm": 0.5,
            "dr": 0.75,
            "sndr": 0.75,
            "switch_dr": 0.75,
        }
    )
    overlap = overlap_of(logged)
    assert (overlap.mean_weight, overlap.effective_rows, overlap.largest_weight) == (1.0, 16 / 6, 2.0)
    assert (overlap.agreeing_share, overlap.rewarded) == (0.75, 2)


def test_a_heavy_weight_is_cut_and_that_is_told() -> None:
    """Of 100 rows one weighs 50, more than √100 = 10; cutting moves the value by at most 40/100 of the largest reward."""
    propensity = np.full(100, 1.0)
    propensity[0] = 0.02
    logged = LoggedChoices(np.full(100, 2.0), propensity, np.ones(100))
    (clipped,) = [one for one in estimate_values(logged, None) if one.estimator == "clipped_ips"]
    assert clipped.value.value == pytest.approx(2 * (99 + 10) / 100)
    assert clipped.note == "1 weights above 10 were cut; that moves the value by at most 0.8"


def test_open_bandit_is_as_published_and_no_win() -> None:
    """Bernoulli-TS on the uniform log of *all*: 1.198126 times its value, .00455 ± .00209, from an effective sample of 1,640.

    The first figure stands in the README of the authors' package. On 38 clicks nobody should ship a policy.
    """
    found = evaluate_policy(open_bandit(), None, "Bernoulli-TS")
    assert found.relative_of(found.chosen_value) == pytest.approx(1.198126, abs=1e-6)
    assert (found.value.value, found.value.standard_error) == pytest.approx((0.00455, 0.00209), abs=1e-5)
    assert found.overlap.effective_rows == pytest.approx(1_640, abs=1)
    assert found.overlap.rewarded == 38
    assert found.verdict is PolicyVerdict.REFUSED
    assert (
        found.sentence
        == f"The value rests on 38 rewards; at least {MIN_REWARDS} are needed to compare policies."
    )
    assert [one.position for one in found.positions] == [1, 2, 3]
    parts = sum(one.rows * one.value.value for one in found.positions)
    assert parts / 10_000 == pytest.approx(found.value.value)


def _coverage(draws: int, n: int, wrong: float) -> dict[str, tuple[float, float]]:
    """Return by estimator how often its interval holds the truth, and its mean error in standard errors of that mean."""
    held: dict[str, list[tuple[bool, float]]] = {name: [] for name in BANDED}
    for seed in range(draws):
        one = bandit(seed, n, wrong=wrong)
        for value in estimate_values(one.logged, one.predicted):
            if value.estimator in held:
                inside = value.value.lower <= one.truth <= value.value.upper
                held[value.estimator].append((inside, value.value.value - one.truth))
    found = {}
    for name, rows in held.items():
        errors = np.array([error for _, error in rows])
        found[name] = (
            float(np.mean([inside for inside, _ in rows])),
            float(errors.mean() / (errors.std(ddof=1) / np.sqrt(draws))),
        )
    return found


@pytest.mark.parametrize("wrong", [0.0, 1.0])
def test_intervals_hold_the_true_value(wrong: float) -> None:
    """Over 200 logs the 95 % intervals hold it in about 95 %, and IPS and DR are unbiased, whether or not the model of rewards is right."""
    found = _coverage(200, 1_000, wrong)
    assert found.keys() >= {"ips", "dr"}
    for name, (share, bias) in found.items():
        assert share > 0.85, name
        if name in {"ips", "dr"}:
            assert abs(bias) < 4, name


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [0.0, 1.0])
def test_intervals_hold_as_often_as_they_say(wrong: float, figures: Callable[..., None]) -> None:
    """Over 2,000 logs of 4,000 rows every interval holds the truth in 92 % to 97 %."""
    found = _coverage(2_000, 4_000, wrong)
    figures(**{name: share for name, (share, _) in found.items()})
    for name, (share, _) in found.items():
        assert 0.92 <= share <= 0.97, name


def test_a_better_policy_is_a_gain_a_worse_one_a_loss_and_itself_neither() -> None:
    """The verdict is the difference to the log, row by row; the logging policy differs from itself by nothing."""
    random = np.random.default_rng(1)
    arm = random.integers(0, 2, 4_000)
    reward, even = arm + random.normal(size=4_000), np.full(4_000, 0.5)
    better, worse = (np.where(arm == best, 0.9, 0.1) for best in (1, 0))
    gain, loss, same = (
        evaluate_policy(LoggedChoices(reward, even, chance), None, "It") for chance in (better, worse, even)
    )
    assert (gain.verdict, loss.verdict, same.verdict) == (
        PolicyVerdict.GAIN,
        PolicyVerdict.LOSS,
        PolicyVerdict.NO_DIFFERENCE_SHOWN,
    )
    assert gain.difference.value == pytest.approx(0.4, abs=4 * gain.difference.standard_error)
    assert same.difference.value == 0.0
    assert gain.sentence.startswith("It would earn more: +0.")


@pytest.mark.parametrize(
    ("propensity", "chance", "sentence"),
    [
        (0.5, 0.0, "never chooses what was logged"),
        (0.5, 0.1, "mean weight is 0.2, which should be 1"),
    ],
)
def test_logs_that_say_nothing_of_a_policy_are_refused(
    propensity: float, chance: float, sentence: str
) -> None:
    """No overlap, or weights whose mean is not 1."""
    random = np.random.default_rng(2)
    rows = 1_000
    logged = LoggedChoices(random.normal(size=rows), np.full(rows, propensity), np.full(rows, chance))
    found = evaluate_policy(logged, None, "It")
    assert found.verdict is PolicyVerdict.REFUSED
    assert sentence in found.sentence


def test_few_effective_rows_are_refused() -> None:
    """A thousand rows of which five carry all weight count as five."""
    chance = np.zeros(1_000)
    chance[:5] = 1.0
    found = evaluate_policy(LoggedChoices(np.ones(1_000), np.full(1_000, 0.005), chance), None, "It")
    assert "1,000 rows count as 5, at least 100 are needed" in found.sentence


@pytest.mark.parametrize(
    ("reward", "propensity", "chance", "sentence"),
    [
        ([float("nan")], [0.5], [0.5], "rewards that are not numbers"),
        ([1.0], [0.0], [0.5], r"propensities outside \(0, 1\]"),
        ([1.0], [0.5], [1.5], r"probabilities outside \[0, 1\]"),
        ([], [], [], "no rows"),
    ],
)
def test_what_is_no_log_is_refused(
    reward: list[float], propensity: list[float], chance: list[float], sentence: str
) -> None:
    """One sentence each."""
    with pytest.raises(AnalysisError, match=sentence):
        LoggedChoices(np.array(reward), np.array(propensity), np.array(chance))


def test_a_promise_is_held_against_what_was_measured() -> None:
    """0.40 ± 0.03 promised and 0.30 ± 0.04 measured lie two standard errors apart; a refused evaluation promises nothing."""
    random = np.random.default_rng(1)
    arm = random.integers(0, 2, 4_000)
    logged = LoggedChoices(arm + random.normal(size=4_000), np.full(4_000, 0.5), np.where(arm == 1, 0.9, 0.1))
    made = {
        "programme": "default",
        "revision": "r1",
        "fingerprint": "f",
        "time": datetime(2026, 1, 1, tzinfo=UTC),
    }
    promise = promise_of(evaluate_policy(logged, None, "It"), **made)  # type: ignore[arg-type]  # by name
    error = promise.standard_error
    kept = compare_promise(
        promise, MeasuredValue(promise.difference - 2 * np.hypot(error, 0.04), 0.04, "margin of new")
    )
    assert kept.z == pytest.approx(-2.0)
    assert kept.p_value == pytest.approx(0.0455, abs=1e-4)
    assert "do not agree" in kept.sentence
    assert (
        "agree within chance"
        in compare_promise(promise, MeasuredValue(promise.difference, 0.04, "margin of new")).sentence
    )
    with pytest.raises(
        AnalysisError, match="Nothing is kept with revision r1: The value rests on 38 rewards"
    ):
        promise_of(evaluate_policy(open_bandit(), None, "It"), **made)  # type: ignore[arg-type]  # by name
