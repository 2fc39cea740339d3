"""The fixed-horizon test: valid for one look, at the planned end."""

from scipy.special import stdtr, stdtrit

from experiments.stats.figure import PairEstimate
from experiments.stats.interval import (
    NOTHING_VARIES,
    Alternative,
    Interval,
    check_alpha,
    interval_around,
    no_interval,
)


def fixed_effect(
    pair: PairEstimate, alpha: float, alternative: Alternative = Alternative.TWO_SIDED
) -> Interval:
    """Return Welch's t interval and p-value, and Fieller's relative interval with the same quantile.

    Args:
        pair: The two figures.
        alpha: Accepted error, in (0, 1); one-sided below a half.
        alternative: Which effects are looked for.

    Raises:
        ValueError: Alpha is out of range.
    """
    check_alpha(alpha, alternative)
    freedom = pair.degrees_of_freedom
    if freedom is None:
        return no_interval(alpha, NOTHING_VARIES)
    statistic = pair.estimate / pair.standard_error
    # Always a lower tail, never one minus an upper: small p-values keep their digits.
    tail = {
        Alternative.TWO_SIDED: 2 * float(stdtr(freedom, -abs(statistic))),
        Alternative.GREATER: float(stdtr(freedom, -statistic)),
        Alternative.LESS: float(stdtr(freedom, statistic)),
    }
    return interval_around(
        pair,
        alpha=alpha,
        quantile=-float(stdtrit(freedom, alpha / alternative.sides)),
        p_value=tail[alternative],
        alternative=alternative,
        degrees_of_freedom=freedom,
    )
