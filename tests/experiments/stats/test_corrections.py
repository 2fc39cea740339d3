from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.stats import Adjusted, benjamini_hochberg, fixed_effect, holm
from tests.experiments.stats.pairs import pair_of

P_VALUES = [0.011, 0.0002, 0.04, 0.9, 0.011, 0.032, 0.2]
METHODS = [holm, benjamini_hochberg]
Method = Callable[[Sequence[float | None], float], list[Adjusted]]
p_values = st.lists(
    st.one_of(st.none(), st.floats(0, 1), st.sampled_from([0.0, 0.001, 0.01, 0.02])), max_size=12
)


def test_holm_agrees_with_statsmodels() -> None:
    """Adjusted p-values are those of statsmodels 0.15.0, multipletests(method="holm")."""
    expected = [0.066, 0.0014, 0.128, 0.9, 0.066, 0.128, 0.4]

    assert [a.p_value for a in holm(P_VALUES, 0.05)] == pytest.approx(expected, rel=1e-12)


def test_benjamini_hochberg_agrees_with_statsmodels() -> None:
    """Adjusted p-values are those of statsmodels 0.15.0, multipletests(method="fdr_bh")."""
    expected = [0.0256666666666667, 0.0014, 0.056, 0.9, 0.0256666666666667, 0.056, 0.233333333333333]

    assert [a.p_value for a in benjamini_hochberg(P_VALUES, 0.05)] == pytest.approx(expected, rel=1e-12)


def test_levels_by_hand() -> None:
    """Holm: found at alpha/7, the rest at alpha/6. Three of seven found by BH: at 3/7 of alpha, the rest at 4/7."""
    assert [a.alpha for a in holm(P_VALUES, 0.05)] == pytest.approx([0.05 / 6, 0.05 / 7] + [0.05 / 6] * 5)
    sevenths = [round(a.alpha * 7 / 0.05) for a in benjamini_hochberg(P_VALUES, 0.05)]
    assert sevenths == [3, 3, 4, 4, 3, 4, 4]


@pytest.mark.parametrize("method", METHODS)
@given(values=p_values, alpha=st.sampled_from([0.01, 0.05, 0.2]))
def test_adjusted_p_and_level_agree(method: Method, values: list[float | None], alpha: float) -> None:
    """An adjusted p-value is below alpha exactly if the p-value is below its level; none stay none."""
    results = method(values, alpha)

    assert len(results) == len(values)
    for value, result in zip(values, results, strict=True):
        assert (value is None) == (result.p_value is None)
        assert 0 < result.alpha <= alpha * (1 + 1e-12)
        if value is not None and result.p_value is not None and abs(value / result.alpha - 1) > 1e-9:
            assert value * (1 - 1e-12) <= result.p_value <= 1
            assert (result.p_value < alpha) == (value < result.alpha)


def test_intervals_at_the_levels_agree() -> None:
    """Intervals taken at the levels exclude zero exactly where the adjusted p-value is below alpha."""
    pairs = [pair_of(z, 1.0) for z in (0.3, 1.9, 2.2, 2.5, 2.7, 3.4, -2.6)]
    values = [fixed_effect(pair, 0.05).p_value for pair in pairs]

    for method in METHODS:
        for pair, result in zip(pairs, method(values, 0.05), strict=True):
            assert result.p_value is not None
            assert fixed_effect(pair, result.alpha).excludes_zero == (result.p_value < 0.05)


def test_missing_p_values_do_not_count() -> None:
    """Comparisons without a p-value leave the others' adjustment as it is."""
    with_gaps = [None, *P_VALUES[:3], None, *P_VALUES[3:]]

    for method in METHODS:
        assert [a for a in method(with_gaps, 0.05) if a.p_value is not None] == method(P_VALUES, 0.05)
        assert method([], 0.05) == []


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
@pytest.mark.parametrize("method", METHODS)
def test_p_values_are_probabilities(method: Method, value: float) -> None:
    """Whatever is not a probability is a mistake of the caller."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        method([0.5, value], 0.05)


@pytest.mark.parametrize("true_effects", [0, 6])
def test_error_rates_over_twenty_metrics(true_effects: int) -> None:
    """Of 2,000 experiments with 20 metrics, Holm errs in at most 5 %; BH's mean share of false findings is at most 5 %.

    The bound is 6.6 %, the upper end of the 99.9 % band of 2,000.
    """
    from scipy import special

    random = np.random.default_rng(77)
    z = random.normal(size=(2_000, 20))
    z[:, :true_effects] += 3.0
    any_false, shares = [], []
    for row in 2 * special.ndtr(-np.abs(z)):
        found = np.array([a.p_value < 0.05 for a in holm(row.tolist(), 0.05)])  # type: ignore[operator]
        any_false.append(found[true_effects:].any())
        found = np.array([a.p_value < 0.05 for a in benjamini_hochberg(row.tolist(), 0.05)])  # type: ignore[operator]
        shares.append(found[true_effects:].sum() / max(found.sum(), 1))

    assert np.mean(any_false) < 0.066
    assert np.mean(shares) < 0.066
