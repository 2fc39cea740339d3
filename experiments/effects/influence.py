"""Standard errors of Qini and uplift curves without draws: what each member adds to the curve and to its area.

For the curve from outcomes, write a and b for the share of the treated arm's outcome and of its members in the first q, c and m for
the same of the control, and v = c / m for the control's running mean. The Qini curve per treated member is g = a - v b, and its area
A the mean of g over the depth D. A member's influence (von Mises 1947; Hampel 1974) is what one more like her would change, times n:

* treated, at depth Q: n / N_t [y (1 - Q) - mean a - (mean of v beyond Q) + mean of v b] + g(Q) - A;
* control, at depth Q: -n / N_c (mean of b / m (y - v) beyond Q) + g(Q) - A.

The last terms are those of the depth, which her place shifts for all behind her. The uplift curve is u = (a / b - v) D, and works the
same way. All means over the depth are the curve's own trapezoids, so that this is exact for steps of any size.
"""

from dataclasses import dataclass

import numpy as np

from experiments.uplift.curves import Curve, curve_along, steps_of
from experiments.uplift.trial import Bools, Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Influence:
    """What each member adds to the areas and to the curve of one ranking.

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
