"""Days of first exposure: daily effects, novelty, and the sample ratio as it was seen day by day."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from tests.experiments.analysis.build import analysed

FIRST = date(2025, 3, 1)


def days(counts: list[tuple[int, int]], effects: list[float], seed: int = 1) -> pl.DataFrame:
    """Return units by day: so many of control and of treatment, the latter with that day's effect."""
    random = np.random.default_rng(seed)
    parts = []
    for place, ((control, treated), effect) in enumerate(zip(counts, effects, strict=True)):
        variant = ["control"] * control + ["new"] * treated
        value = random.normal(10, 1, control + treated) + effect * (np.array(variant) == "new")
        parts.append(
            pl.DataFrame({"variant": variant, "revenue": value, "day": FIRST + timedelta(days=place)})
        )
    return pl.concat(parts)


def test_daily_effects_are_those_of_each_days_units() -> None:
    """Difference and standard error by numpy; a day with fewer than 30 units of a variant has none."""
    frame = days([(50, 60), (40, 29), (100, 80)], [1, 1, 0])
    result = analysed(frame=frame, time_column="day")

    assert [(one.day, one.units) for one in result.days] == [(FIRST, 110), (FIRST + timedelta(days=2), 180)]
    for one in result.days:
        own = frame.filter(pl.col("day") == one.day)
        control, treated = (
            own.filter(pl.col("variant") == name)["revenue"].to_numpy() for name in ("control", "new")
        )
        assert one.estimate == pytest.approx(treated.mean() - control.mean(), rel=1e-9)
        error = np.sqrt(treated.var(ddof=1) / len(treated) + control.var(ddof=1) / len(control))
        assert one.standard_error == pytest.approx(error, rel=1e-9)


def test_days_do_not_change_the_whole() -> None:
    """The comparison over all units is the same with and without days."""
    frame = days([(50, 60), (40, 29), (100, 80)], [1, 1, 0])

    with_days, without = (analysed(frame=frame, time_column=name).results[0].pair for name in ("day", ""))
    assert with_days is not None
    assert without is not None
    assert with_days.estimate == pytest.approx(without.estimate, rel=1e-12)
    assert with_days.variance == pytest.approx(without.variance, rel=1e-12)


def test_an_effect_that_fades_is_novelty() -> None:
    """From 1 to 0 over eight days: the trend is found, its slope about an eighth a day, late less than early."""
    fading = (
        analysed(frame=days([(200, 200)] * 8, [1 - i / 7 for i in range(8)]), time_column="day")
        .novelty[0]
        .novelty
    )
    steady = analysed(frame=days([(200, 200)] * 8, [0.5] * 8), time_column="day").novelty[0].novelty

    assert fading.days == 8
    assert fading.slope == pytest.approx(-1 / 7, abs=3 * fading.slope_standard_error)
    assert fading.p_value < 0.001
    assert fading.change == pytest.approx(fading.late - fading.early, rel=1e-12)
    assert fading.change_p_value < 0.001
    assert steady.p_value > 0.05


def test_the_slope_is_weighted_least_squares() -> None:
    """Weights are the units that a day's difference rests on; numpy's polyfit with their roots gives the slope."""
    frame = days([(100, 100), (400, 400), (50, 50), (200, 200), (90, 90)], [0.5, 0, 1, 0.2, 0.1])
    result = analysed(frame=frame, time_column="day")

    # Of equally many units in both arms, the weight of a day is proportional to them.
    weights = np.array([100, 400, 50, 200, 90])
    slope = np.polyfit(np.arange(5), [one.estimate for one in result.days], 1, w=np.sqrt(weights))[0]
    assert result.novelty[0].novelty.slope == pytest.approx(slope, rel=1e-9)


def test_few_days_show_no_trend() -> None:
    """Three days give daily effects and no novelty; no days give neither."""
    frame = days([(50, 50)] * 3, [0, 0, 0])

    assert len(analysed(frame=frame, time_column="day").days) == 3
    assert analysed(frame=frame, time_column="day").novelty == ()
    assert analysed(frame=frame).days == ()


def test_a_gap_of_days_counts() -> None:
    """The trend is per day of the calendar, not per day with data."""
    frame = days([(300, 300)] * 4, [0, 1, 2, 3])
    apart = frame.with_columns(day=FIRST + (pl.col("day") - FIRST) * 3)

    near, far = (analysed(frame=one, time_column="day").novelty[0].novelty.slope for one in (frame, apart))
    assert far == pytest.approx(near / 3, rel=1e-9)


def test_a_mismatch_that_was_made_good_is_still_seen() -> None:
    """Day by day the always-valid check keeps its alarm; the totals alone look right, and the sentence says so."""
    frame = days([(900, 500), (500, 900)], [0, 0])

    by_day, at_once = analysed(frame=frame, time_column="day"), analysed(frame=frame)

    assert by_day.srm.p_value == at_once.srm.p_value == 1
    assert by_day.srm.alarm
    assert not at_once.srm.alarm
    assert by_day.decision.verdict == "invalid"
    assert "although the totals (control 1,400 instead of 1,400, new 1,400 instead of 1,400) look right" in (
        by_day.decision.reason
    )


def test_healthy_days_raise_no_alarm() -> None:
    """Proportions that move by chance from day to day are not a mismatch."""
    random = np.random.default_rng(3)
    counts = [(int(n), 400 - int(n)) for n in random.binomial(400, 0.5, 28)]

    srm = analysed(frame=days(counts, [0.0] * 28), time_column="day").srm

    assert not srm.alarm
    assert srm.always_valid_p is not None
    assert srm.always_valid_p > 0.1


def test_units_without_a_day_count_in_the_whole_only() -> None:
    """A null time leaves the unit in the totals and out of the days, and is counted."""
    frame = days([(50, 50), (50, 50)], [0, 0])
    some = frame.with_columns(day=pl.when(pl.int_range(200) % 10 < 1).then(None).otherwise("day"))
    result = analysed(frame=some, time_column="day")

    assert sum(result.units.values()) == 200
    assert sum(one.units for one in result.days) == 180
    assert result.diagnostics.counts["without_day"] == 20
