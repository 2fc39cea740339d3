"""How much the areas under Qini and uplift curves vary by chance, and paired differences between rankings.

Rankings are held fixed: what varies is which members are drawn. Two ways lead to the same errors:

* `outcome_areas` and `contrast_areas` need no draws: their errors are those of influence functions. The doubly robust area is a
  U-statistic, the mean over pairs (i, j) of d_i [j is not before i], with the influence d_i (1 - Q_i) + g(Q_i) less its mean
  (Hoeffding 1948), where Q_i is the share of members before i (half the member's own step included) and g the curve. The area from
  outcomes is worked out in `Influence`.
* `bootstrap_areas` draws members with replacement. All rankings see the same draws, so that the difference of two of them is
  paired. The intervals are normal, with the standard deviation of the draws as the error: they need far fewer draws than
  percentiles, and p-values agree with them.

A random order has an expected Qini of 0, and an expected area of half the average effect. So a Qini's own interval and p-value
are the comparison with a random order, without the noise that one drawn random order would add.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from experiments.stats.estimate import Estimate, estimate_of
from experiments.uplift.curves import Curve, arm_curve, contrast_curve, curve_along, steps_of
from experiments.uplift.trial import Bools, Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Influence:
    """What each member adds to the areas and to the curve of one ranking.

    For the curve from outcomes, write a and b for the share of the treated arm's outcome and of its members in the first q, c
    and m for the same of the control, and v = c / m for the control's running mean. The Qini curve per treated member is g = a
    - v b, and its area A the mean of g over the depth D. A member's influence (von Mises 1947; Hampel 1974) is what one more
    such member would change, times n:

    * treated, at depth Q: n / N_t [y (1 - Q) - mean a - (mean of v beyond Q) + mean of v b] + g(Q) - A;
    * control, at depth Q: -n / N_c (mean of b / m (y - v) beyond Q) + g(Q) - A.

    The last terms are those of the depth, which the member's place shifts for all members behind it. The uplift curve is u = (a
    / b - v) D, and works the same way. All means over the depth are the curve's own trapezoids, so that this is exact for steps
    of any size.

    Attributes:
        curve: The curve.
        qini: float64[n], influence on `qini_raw`; their spread over the root of n is its standard error.
        auuc: float64[n], influence on `auuc_raw`.
        heights: float64[depths], standard error of the Qini curve at the depths asked for.
    """

    curve: Curve
    qini: Floats
    auuc: Floats
    heights: Floats


_NEAR = 0.02


def influence_of(
    ranking: Floats, treated: Bools, outcome: Floats, weight: Floats | None, depths: Floats
) -> Influence:
    """Return what each member adds to the curves of one arm against the control.

    Args:
        ranking: float64[n], higher is earlier.
        treated: bool[n], with members of both arms.
        outcome: float64[n].
        weight: float64[n] of `arm_weights`; everybody counts once without.
        depths: Where the curve's own error is asked for, in [0, 1].

    Returns:
        The curve with the members' influences, in the order of the arguments.
    """
    steps = steps_of(ranking)
    order = steps.order
    arm, y = treated[order], outcome[order]
    w = np.ones(len(order)) if weight is None else weight[order]
    curve = curve_along(steps.ends, arm, y, w)
    along = _Along.of(steps.ends, arm, y, w, curve)
    qini, auuc = np.empty(len(order)), np.empty(len(order))
    qini[order] = w * (along.qini(arm, y) - along.effect(arm, y) / 2)
    auuc[order] = w * along.auuc(arm, y)
    heights = np.array([_error(w * along.height(arm, y, depth)) for depth in depths])
    return Influence(curve, qini, auuc, heights)


@dataclass(frozen=True, slots=True, eq=False)
class _Along:
    """Figures at the ends of steps, with 0 before the first, and each member's step (all in the ranking's order)."""

    curve: Curve
    step: Ints
    scale_t: float  # n / N_t
    scale_c: float  # n / N_c
    b: Floats
    ratio: Floats  # b / m
    treated_mean: Floats
    control_mean: Floats  # v

    @classmethod
    def of(cls, ends: Ints, arm: Bools, y: Floats, w: Floats, curve: Curve) -> "_Along":
        n_t, n_c, y_t, y_c = (
            np.concatenate([[0.0], np.cumsum(part)[ends]])
            for part in (w * arm, w * ~arm, w * y * arm, w * y * ~arm)
        )
        n = float(n_t[-1] + n_c[-1])
        b, m = n_t / n_t[-1], n_c / n_c[-1]
        return cls(
            curve,
            np.repeat(np.arange(len(ends)), np.diff(ends, prepend=-1)),
            n / float(n_t[-1]),
            n / float(n_c[-1]),
            b,
            _over(b, m),
            _over(y_t, n_t),
            _over(y_c, n_c),
        )

    def qini(self, arm: Bools, y: Floats) -> Floats:
        g, v = self.curve.qini, self.control_mean
        a = g + v * self.b
        own = y * self._beyond(np.ones(len(v))) - self._mean(a) - self._beyond(v) + self._mean(v * self.b)
        control = y * self._beyond(self.ratio) - self._beyond(self.ratio * v)
        shifted = self._middle(g) - self._mean(g)
        return np.where(arm, self.scale_t * own, -self.scale_c * control) + shifted

    def auuc(self, arm: Bools, y: Floats) -> Floats:
        depth, u = self.curve.depth, self.curve.uplift
        by_t, by_c = _over(depth, self.b), _over(depth * self.ratio, self.b)
        treated = y * self._beyond(by_t) - self._beyond(by_t * self.treated_mean)
        control = y * self._beyond(by_c) - self._beyond(by_c * self.control_mean)
        lift = self.treated_mean - self.control_mean
        shifted = self._beyond(lift) - self._mean(lift * depth) + self._middle(u) - self._mean(u)
        return np.where(arm, self.scale_t * treated, -self.scale_c * control) + shifted

    def effect(self, arm: Bools, y: Floats) -> Floats:
        """Return the influence on the average effect."""
        means = float(self.treated_mean[-1]), float(self.control_mean[-1])
        return np.where(arm, self.scale_t * (y - means[0]), -self.scale_c * (y - means[1]))

    def height(self, arm: Bools, y: Floats, depth: float) -> Floats:
        """Return the influence on the Qini curve at a depth, where it is straight between the ends of a step."""
        d, g = self.curve.depth, self.curve.qini
        end = min(max(int(np.searchsorted(d, depth)), 1), len(d) - 1)
        share = float(np.clip((depth - d[end - 1]) / (d[end] - d[end - 1]), 0, 1))
        low, high = min(max(depth - _NEAR, 0.0), d[end - 1]), max(min(depth + _NEAR, 1.0), d[end])
        slope = float(np.interp(high, d, g) - np.interp(low, d, g)) / float(high - low)
        shifted = np.clip((depth - d[:-1]) / np.diff(d), 0, 1)[self.step] - depth
        return (1 - share) * self._end(arm, y, end - 1) + share * self._end(arm, y, end) - slope * shifted

    def _end(self, arm: Bools, y: Floats, end: int) -> Floats:
        """Return the influence on the Qini curve's height at the end of a step, wherever that lies."""
        mean, height, ratio = (float(one[end]) for one in (self.control_mean, self.curve.qini, self.ratio))
        inside = (self.step < end) * (y - mean)
        return np.where(arm, self.scale_t * (inside - height), -self.scale_c * ratio * inside)

    def _mean(self, values: Floats) -> float:
        return float(np.trapezoid(values, self.curve.depth))

    def _middle(self, values: Floats) -> Floats:
        """Return the mean of the two ends of each member's step."""
        middle: Floats = ((values[:-1] + values[1:]) / 2)[self.step]
        return middle

    def _beyond(self, values: Floats) -> Floats:
        """Return the part of the mean that the end of each member's step and all later ends have."""
        steps = np.diff(self.curve.depth)
        share = (steps + np.append(steps[1:], 0.0)) / 2
        beyond: Floats = np.cumsum((values[1:] * share)[::-1])[::-1][self.step]
        return beyond


def _error(influence: Floats) -> float:
    return float(np.std(influence, ddof=1) / np.sqrt(len(influence)))


def _over(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


GRID = np.linspace(0.0, 1.0, 51)
"""The depths at which bands of curves are given."""


@dataclass(frozen=True, slots=True, eq=False)
class Areas:
    """Areas of several rankings of the same members, with what they vary by.

    Attributes:
        curves: The curves, by ranking.
        alpha: The accepted error of each interval.
        qini_errors: float64[...], what differences of Qinis are judged by: the areas in every draw, or each member's influence.
        auuc_errors: The same of the areas under the uplift curves.
        curve_errors: float64[51], standard error of the Qini curve at each depth of `GRID`, by ranking.
        drawn: Whether the errors are draws (else influences).
    """

    curves: Mapping[str, Curve]
    alpha: float
    qini_errors: Mapping[str, Floats]
    auuc_errors: Mapping[str, Floats]
    curve_errors: Mapping[str, Floats]
    drawn: bool

    def qini(self, name: str) -> Estimate:
        """Return a ranking's `qini_raw`; its p-value is that of a random order being as good."""
        return self._estimate(self.curves[name].qini_raw, self.qini_errors[name])

    def auuc(self, name: str) -> Estimate:
        """Return a ranking's `auuc_raw`."""
        return self._estimate(self.curves[name].auuc_raw, self.auuc_errors[name])

    def difference(self, name: str, other: str) -> Estimate:
        """Return the paired difference of two rankings' `qini_raw`, the first minus the second."""
        difference = self.curves[name].qini_raw - self.curves[other].qini_raw
        return self._estimate(difference, self.qini_errors[name] - self.qini_errors[other])

    def band(self, name: str) -> tuple[Estimate, ...]:
        """Return the Qini curve with its pointwise interval at each depth of `GRID`."""
        heights = self.curves[name].at(GRID)
        return tuple(
            estimate_of(float(height), float(error), alpha=self.alpha)
            for height, error in zip(heights, self.curve_errors[name], strict=True)
        )

    def _estimate(self, value: float, errors: Floats) -> Estimate:
        spread = float(np.std(errors, ddof=1)) if len(errors) > 1 else float("nan")
        if spread <= 1e-12 * max(float(np.abs(errors).max(initial=0.0)), abs(value)):
            spread = 0.0
        return estimate_of(value, spread if self.drawn else spread / len(errors) ** 0.5, alpha=self.alpha)


def bootstrap_areas(
    rankings: Mapping[str, Floats],
    treated: Bools,
    outcome: Floats,
    weight: Floats | None = None,
    *,
    draws: int = 300,
    seed: int = 0,
    alpha: float = 0.05,
) -> Areas:
    """Return the areas of rankings of one arm and the control, with errors by the bootstrap over members.

    Each draw takes n of the n members with replacement and keeps their ranks, so that nothing is sorted again.

    Args:
        rankings: float64[n] by name.
        treated: bool[n].
        outcome: float64[n].
        weight: float64[n] of `arm_weights`; everybody counts once without.
        draws: At least 2.
        seed: The same seed gives the same draws.
        alpha: The accepted error of each interval.

    Returns:
        The areas, with the draws as errors.
    """
    n = len(outcome)
    weight = np.ones(n) if weight is None else weight
    sorted_ = {
        name: (steps.order, steps.ends, treated[steps.order], outcome[steps.order])
        for name, steps in ((name, steps_of(ranking)) for name, ranking in rankings.items())
    }
    qini = {name: np.empty(draws) for name in rankings}
    auuc = {name: np.empty(draws) for name in rankings}
    heights = {name: np.empty((draws, len(GRID))) for name in rankings}
    random = np.random.default_rng(seed)
    for draw in range(draws):
        drawn = weight * np.bincount(random.integers(0, n, n), minlength=n)
        for name, (order, ends, arm, value) in sorted_.items():
            curve = curve_along(ends, arm, value, drawn[order])
            qini[name][draw], auuc[name][draw] = curve.qini_raw, curve.auuc_raw
            heights[name][draw] = curve.at(GRID)
    return Areas(
        {name: arm_curve(ranking, treated, outcome, weight) for name, ranking in rankings.items()},
        alpha,
        qini,
        auuc,
        {name: found.std(axis=0, ddof=1) for name, found in heights.items()},
        drawn=True,
    )


def outcome_areas(
    rankings: Mapping[str, Floats],
    treated: Bools,
    outcome: Floats,
    weight: Floats | None = None,
    *,
    alpha: float = 0.05,
) -> Areas:
    """Return the areas of rankings of one arm and the control, with errors by influence functions (see `Influence`).

    Args:
        rankings: float64[n] by name.
        treated: bool[n].
        outcome: float64[n].
        weight: float64[n] of `arm_weights`; everybody counts once without.
        alpha: The accepted error of each interval.

    Returns:
        The areas, with the members' influences as errors.
    """
    found = {name: influence_of(one, treated, outcome, weight, GRID) for name, one in rankings.items()}
    return Areas(
        {name: one.curve for name, one in found.items()},
        alpha,
        {name: one.qini for name, one in found.items()},
        {name: one.auuc for name, one in found.items()},
        {name: one.heights for name, one in found.items()},
        drawn=False,
    )


def contrast_areas(rankings: Mapping[str, Floats], contrasts: Floats, *, alpha: float = 0.05) -> Areas:
    """Return the doubly robust areas of rankings of all members, with errors by influence functions.

    Args:
        rankings: float64[n] by name.
        contrasts: float64[n], scores of an arm (or of a policy) minus scores of the control.
        alpha: The accepted error of each interval.

    Returns:
        The areas, with the members' influences as errors.
    """
    curves, qini, auuc, errors = {}, {}, {}, {}
    for name, ranking in rankings.items():
        curve = curves[name] = contrast_curve(ranking, contrasts)
        before, own = _sizes(ranking)
        middle = before + own / 2
        auuc[name] = contrasts * (1 - middle) + curve.at(middle)
        qini[name] = auuc[name] - contrasts / 2
        errors[name] = np.array([_height_error(curve, contrasts, before, own, depth) for depth in GRID])
    return Areas(curves, alpha, qini, auuc, errors, drawn=False)


def _sizes(ranking: Floats) -> tuple[Floats, Floats]:
    """Return the share of members before each one's step, and that step's own share."""
    _, which, counts = np.unique(-ranking, return_inverse=True, return_counts=True)
    return ((np.cumsum(counts) - counts) / len(ranking))[which], (counts / len(ranking))[which]


def _height_error(curve: Curve, contrasts: Floats, before: Floats, own: Floats, depth: float) -> float:
    """Return the standard error of the curve's height at a depth.

    The sample's first q are not the population's: where the boundary shifts, the effect at the boundary comes in. So the
    influence of a member inside is the contrast less the effect there, as for a trimmed mean; a step that the depth cuts counts
    with the share of it that lies inside.
    """
    if depth == 0:
        return 0.0
    ends = np.array([max(depth - _NEAR, 0.0), min(depth + _NEAR, 1.0)])
    slope = float(np.diff(curve.at(ends))[0] / np.diff(ends)[0]) if depth < 1 else 0.0
    influence = np.clip((depth - before) / own, 0, 1) * (contrasts - slope)
    return float(np.std(influence, ddof=1) / np.sqrt(len(contrasts)))
