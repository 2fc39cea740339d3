"""Pairs of figures, made for tests."""

import math

from hypothesis import strategies as st

from experiments.stats import Interval, PairEstimate


def pair_of(
    estimate: float, standard_error: float, *, control: float = 10.0, units: int = 20_000, share: float = 0.5
) -> PairEstimate:
    """Return a pair of arms with equal variance per unit.

    Args:
        estimate: Treatment minus control.
        standard_error: Of the estimate.
        control: The control's figure.
        units: Of both arms.
        share: Of the units that are under control.
    """
    own = (standard_error**2 * (1 - share), standard_error**2 * share)
    treated = units - round(units * share)
    return PairEstimate(control, control + estimate, own[0], own[1], 0.0, own, units - treated, treated)


def _pair(  # noqa: PLR0917
    control: float,
    treatment: float,
    own: tuple[float, float],
    common: float,
    tilt: tuple[float, float],
    units: tuple[int, int],
) -> PairEstimate:
    # Figure of an arm = own part + common part; tilts are covariances of the own parts with the common one. Beyond a
    # thousand times the own parts, doubles would lose what the tests compare.
    common *= min(own)
    tilts = [t * math.sqrt(v * common) for t, v in zip(tilt, own, strict=True)]
    return PairEstimate(
        control,
        treatment,
        own[0] + common + 2 * tilts[0],
        own[1] + common + 2 * tilts[1],
        common + sum(tilts),
        own,
        *units,
        variance_reduction=0.5 if common else None,
    )


_variances = st.floats(1e-9, 1e3)
_tilts = st.floats(-0.7, 0.7)
_units = st.integers(1_000, 10_000_000)
pairs = st.builds(
    _pair,
    st.one_of(st.floats(-100, 100), st.floats(0.01, 100)),
    st.one_of(st.floats(-100, 100), st.floats(0.01, 100)),
    st.tuples(_variances, _variances),
    st.one_of(st.just(0.0), st.floats(1e-3, 1e3)),
    st.tuples(_tilts, _tilts),
    st.tuples(_units, _units),
)
"""Pairs with enough units for every method, with and without a part common to both arms."""


def excluded(interval: Interval, null: float = 0.0, *, relative: bool = False) -> bool | None:
    """Say whether an interval excludes a value; none if it has no end."""
    lower, upper = (
        (interval.relative_ci_lower, interval.relative_ci_upper)
        if relative
        else (interval.ci_lower, interval.ci_upper)
    )
    if lower is None and upper is None:
        return None
    return (lower is not None and lower > null) or (upper is not None and upper < null)


def assert_consistent(interval: Interval) -> None:
    """The p-value is below the level exactly if each interval that exists excludes zero."""
    assert interval.p_value is not None
    assert 0 <= interval.p_value <= 1
    if abs(interval.p_value / interval.alpha - 1) < 1e-6:
        return
    significant = interval.p_value < interval.alpha
    assert excluded(interval) is significant
    assert excluded(interval, relative=True) in {significant, None}
    numbers = ("ci_lower", "ci_upper", "relative_ci_lower", "relative_ci_upper", "p_value")
    for name in numbers:
        value = getattr(interval, name)
        assert value is None or math.isfinite(value)
        assert (value is None) == (name in interval.reasons)
