"""Sample ratio mismatch: did the members arrive in the planned proportions?"""

from collections.abc import Mapping
from dataclasses import dataclass

from scipy.special import chdtrc

ALARM_BELOW = 0.001
"""A healthy experiment that is looked at every day for four weeks stays above this with about 99 %."""
_SMALLEST_EXPECTED = 5


@dataclass(frozen=True, slots=True)
class SrmCheck:
    """Pearson's chi-squared test of the members per variant against the planned weights.

    Attributes:
        p_value: Chance of proportions at least this far off if all is well; none if it cannot be told.
        alarm: Whether the proportions cannot be chance, so that no comparison can be trusted.
        expected: Members per variant by plan, given their total.
        reason: Why there is no p-value, or empty.
    """

    p_value: float | None
    alarm: bool
    expected: Mapping[str, float]
    reason: str = ""


def check_sample_ratio(counts: Mapping[str, int], weights: Mapping[str, int]) -> SrmCheck:
    """Test the members per variant against the plan.

    Args:
        counts: Members found; a variant that is not there has none.
        weights: Planned weights, positive, of all variants.
    """
    total, whole = sum(counts.values()), sum(weights.values())
    expected = {variant_id: total * weight / whole for variant_id, weight in weights.items()}
    smallest = min(expected.values())
    if smallest < _SMALLEST_EXPECTED:
        reason = (
            f"too few members: the smallest variant should have {smallest:.1f}, and the test needs"
            f" {_SMALLEST_EXPECTED}"
        )
        return SrmCheck(p_value=None, alarm=False, expected=expected, reason=reason)
    statistic = sum((counts.get(variant_id, 0) - e) ** 2 / e for variant_id, e in expected.items())
    p_value = float(chdtrc(len(expected) - 1, statistic))
    return SrmCheck(p_value=p_value, alarm=p_value < ALARM_BELOW, expected=expected)
