"""Moments: exact, mergeable, safe against cancellation."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.stats import Moments

floats = st.floats(-1e6, 1e6, allow_subnormal=False)


def test_moments_equal_exact_arithmetic() -> None:
    """Mean, variance and covariance are those of rational arithmetic."""
    x, y = [1.5, 2.25, -7.0, 0.125], [3.0, 1.0, 0.5, 9.75]
    fx, fy = [Fraction(v) for v in x], [Fraction(v) for v in y]
    mx, my = sum(fx) / 4, sum(fy) / 4

    moments = Moments.of(x, y)

    assert moments.count == 4
    assert moments.means == pytest.approx((float(mx), float(my)), rel=1e-15)
    assert moments.variance(0) == pytest.approx(float(sum((v - mx) ** 2 for v in fx) / 3), rel=1e-15)
    assert moments.covariance(0, 1) == pytest.approx(
        float(sum((v - mx) * (w - my) for v, w in zip(fx, fy, strict=True)) / 3), rel=1e-15
    )


def test_large_mean_keeps_its_variance() -> None:
    """A mean of 1e9 with a deviation of 1 has the variance 1, also after merging parts."""
    small = np.random.default_rng(5).normal(size=100_000)
    expected = float(small.var(ddof=1))
    values = 1e9 + small
    parts = [Moments.of(part) for part in np.array_split(values, 7)]
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merge(part)

    for moments in (Moments.of(values), merged):
        assert moments.variance() == pytest.approx(expected, rel=1e-6)
        assert moments.means[0] == pytest.approx(1e9, abs=0.01)


@given(st.lists(st.tuples(floats, floats), max_size=30), st.lists(st.tuples(floats, floats), max_size=30))
def test_merged_parts_equal_the_whole(left: list[Any], right: list[Any]) -> None:
    """Moments of two parts, merged in either order, are the moments of all rows; empty parts change nothing."""
    both = left + right
    whole = Moments.of([x for x, _ in both], [y for _, y in both])
    parts = [Moments.of([x for x, _ in part], [y for _, y in part]) for part in (left, right)]
    scale = max((abs(v) for pair in both for v in pair), default=0.0) ** 2 * max(len(both), 1)

    for merged in (parts[0].merge(parts[1]), parts[1].merge(parts[0])):
        assert merged.count == whole.count
        assert merged.means == pytest.approx(whole.means, rel=1e-9, abs=1e-9 * math.sqrt(scale))
        for i in range(2):
            assert merged.products[i] == pytest.approx(whole.products[i], rel=1e-9, abs=1e-9 * scale)


def test_missing_values_are_no_members() -> None:
    """A unit with NaN in any column is left out; it is not a zero."""
    assert Moments.of([1.0, math.nan, 3.0]) == Moments.of([1.0, 3.0])
    assert Moments.of([1.0, 2.0], [math.nan, 5.0]) == Moments.of([2.0], [5.0])


def test_moments_of_different_tables_do_not_merge() -> None:
    """Merging moments of different numbers of columns is a mistake of the caller."""
    with pytest.raises(ValueError, match="1 and 2 columns"):
        Moments.of([1.0]).merge(Moments.of([1.0], [2.0]))
