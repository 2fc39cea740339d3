"""How long until a running experiment is expected to have its answer."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from experiments.stats.figure import PairEstimate

LONGEST_DAYS = 730
"""Nobody waits longer; what needs more is not expected to be found."""

# Day by day in the first month, then in steps of 5 %.
_DAILY = 30
_STRIDE = 1.05


@dataclass(frozen=True, slots=True)
class Outlook:
    """When the interval is expected to exclude the null hypothesis.

    Attributes:
        units: Further units of both arms; ``None`` if it is not expected to.
        days: Further days; none likewise.
        reason: Why there are none, or empty.
    """

    units: int | None = None
    days: float | None = None
    reason: str = ""


def days_to_go(
    pair: PairEstimate,
    units_per_day: float,
    excludes: Callable[[PairEstimate], bool],
    *,
    target: float | None = None,
    looks: Sequence[int] | None = None,
) -> Outlook:
    """Return after how many units the interval is expected to exclude the null hypothesis.

    At some later look, the estimate is expected to be today's, or if a target effect is true, the mean of today's and
    the target weighted by the units behind each; variances are expected to fall as the units grow. The expected
    interval excludes the null with about even chances: it is an outlook, not a plan with a power.

    Args:
        pair: The two figures today.
        units_per_day: Units of both arms that come per day.
        excludes: Whether the interval of a pair excludes the null hypothesis, by the method that the experiment
            uses: a fixed, sequential or non-inferiority test with its alpha.
        target: The true effect (treatment minus control) of the units to come; today's estimate unless given.
        looks: Units of both arms at which will be looked; every day unless given.
    """
    if excludes(pair):
        return Outlook(0, 0.0)
    if not units_per_day > 0:
        return Outlook(reason="no more units come")
    effect = pair.estimate if target is None else target
    for units in _later(pair.units, units_per_day, looks):
        share = pair.units / units
        if excludes(projected(pair, units, share * pair.estimate + (1 - share) * effect)):
            further = units - pair.units
            return Outlook(further, further / units_per_day)
    ending = "at any planned look" if looks is not None else f"within {LONGEST_DAYS} days"
    return Outlook(reason=f"the effect is not expected to show {ending}")


def projected(pair: PairEstimate, units: int, estimate: float) -> PairEstimate:
    """Return the pair expected at a number of units, in today's proportions, with a given effect.

    Args:
        pair: Control and treatment now.
        units: Units of both arms then.
        estimate: The effect, treatment minus control.
    """
    share = pair.units / units
    own = pair.own_variances
    return replace(
        pair,
        treatment_mean=pair.control_mean + estimate,
        control_variance=pair.control_variance * share,
        treatment_variance=pair.treatment_variance * share,
        covariance=pair.covariance * share,
        own_variances=(own[0] * share, own[1] * share),
        control_units=round(pair.control_units / share),
        treatment_units=round(pair.treatment_units / share),
    )


def _later(units: int, units_per_day: float, looks: Sequence[int] | None) -> Iterator[int]:
    if looks is not None:
        yield from (look for look in sorted(looks) if look > units)
        return
    day = 1.0
    while day <= LONGEST_DAYS:
        yield units + max(1, round(day * units_per_day))
        day = day + 1 if day < _DAILY else day * _STRIDE
