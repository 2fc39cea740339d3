"""Qini and uplift curves: what treating the first so many members of a ranking brings.

Members are sorted by a ranking, highest first. Among the first k, n_t were treated and n_c were not, and their outcomes sum to
Y_t and Y_c; N_t are the treated of all n.

* Qini curve (Radcliffe 2007, "Using control groups to target on predicted lift"): g(k) = Y_t - Y_c n_t / n_c.
* Uplift curve (Gutierrez & Gérardy 2016, section 3): u(k) = (Y_t / n_t - Y_c / n_c) k.

The curves here are g(k) / N_t and u(k) / n against the depth k / n, so that both are incremental outcome per member and both end
at the average effect, whatever the arms' sizes. A quotient with nothing below it counts as 0. Members of equal rank are one
step: the order among them means nothing, and a ranking of equal numbers is a straight line.

With unequal propensities a member counts w = (1 / p) / (mean of 1 / p in her arm) times in n_t, n_c, Y_t, Y_c, N_t, k and n. With one
propensity per arm all w are 1, and the curves are the plain ones.

The doubly robust form adds up contrasts d of `doubly_robust_scores` over all members: g(k) = u(k) = (d_1 + … + d_k) / n.
"""

from dataclasses import dataclass

import numpy as np

from experiments.uplift.trial import Bools, Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """A ranking as steps: members in its order, equal ones together.

    Attributes:
        order: int64[n], positions of members, highest rank first.
        ends: int64[m], where each step ends in that order.
    """

    order: Ints
    ends: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Qini and uplift curve of a ranking.

    Attributes:
        depth: float64[m + 1], the share of members treated, from 0 to 1.
        qini: float64[m + 1], g / N_t there: incremental outcome per treated member if only these were treated.
        uplift: float64[m + 1], u / n there.
    """

    depth: Floats
    qini: Floats
    uplift: Floats

    @property
    def average_effect(self) -> float:
        """Where both curves end."""
        return float(self.qini[-1])

    @property
    def qini_raw(self) -> float:
        """Mean over the depth of what the Qini curve has above its diagonal, in outcome per treated member."""
        return float(np.trapezoid(self.qini, self.depth) - self.qini[-1] / 2)

    @property
    def auuc_raw(self) -> float:
        """Mean over the depth of the uplift curve, in outcome per member; half the average effect for a random order."""
        return float(np.trapezoid(self.uplift, self.depth))

    def at(self, depths: Floats) -> Floats:
        """Return the Qini curve at some depths, straight between steps: float64 like the depths."""
        return np.interp(depths, self.depth, self.qini)


def steps_of(ranking: Floats) -> Steps:
    """Return a ranking as steps.

    Args:
        ranking: float64[n], finite; higher is earlier.
    """
    order = np.argsort(-ranking, kind="stable")
    return Steps(order, np.append(np.flatnonzero(np.diff(ranking[order])), len(order) - 1))


def arm_weights(treated: Bools, propensity: Floats) -> Floats:
    """Return how often each member counts: her inverse propensity over its mean in her arm, float64[n].

    Hájek (1971): weights that sum to the arm's size, so that one propensity per arm leaves every member counted once.

    Args:
        treated: bool[n], who was treated; the others are the control.
        propensity: float64[n], the probability of the member's own arm, in (0, 1].
    """
    weights = 1 / propensity
    for part in (treated, ~treated):
        if part.any():
            weights[part] /= weights[part].mean()
    return weights


def arm_curve(ranking: Floats, treated: Bools, outcome: Floats, weight: Floats | None = None) -> Curve:
    """Return the curves of one arm against the control, from outcomes.

    Args:
        ranking: float64[n], of members of the arm and of the control only.
        treated: bool[n], who was treated.
        outcome: float64[n].
        weight: float64[n] of `arm_weights`; everybody counts once without.
    """
    steps = steps_of(ranking)
    order = steps.order
    counted = np.ones(len(order)) if weight is None else weight[order]
    return curve_along(steps.ends, treated[order], outcome[order], counted)


def curve_along(ends: Ints, treated: Bools, outcome: Floats, weight: Floats) -> Curve:
    """Return the curves of one arm against the control, from members who stand in the ranking's order already.

    Args:
        ends: int64[m], where each step ends.
        treated: bool[n].
        outcome: float64[n].
        weight: float64[n], how often each counts.
    """
    value = weight * outcome
    n_t, n_c = _at(ends, weight * treated), _at(ends, weight * ~treated)
    y_t, y_c = _at(ends, value * treated), _at(ends, value * ~treated)
    k = n_t + n_c
    treated_mean, control_mean = _over(y_t, n_t), _over(y_c, n_c)
    depth = k / k[-1]
    return Curve(depth, (y_t - control_mean * n_t) / n_t[-1], (treated_mean - control_mean) * depth)


def contrast_curve(ranking: Floats, contrasts: Floats) -> Curve:
    """Return the doubly robust curve; Qini and uplift are the same there.

    Args:
        ranking: float64[n], of all members.
        contrasts: float64[n], scores of an arm (or of a policy) minus scores of the control.
    """
    steps = steps_of(ranking)
    gained = _at(steps.ends, contrasts[steps.order]) / len(contrasts)
    return Curve(np.concatenate([[0.0], (steps.ends + 1) / len(contrasts)]), gained, gained)


def qini_raw(ranking: Floats, treated: Bools, outcome: Floats, weight: Floats | None = None) -> float:
    """Return the mean over the depth of [g(k) - k / n g(n)] / N_t: what the ranking adds to a random order.

    Args:
        ranking: float64[n], of members of the arm and of the control only.
        treated: bool[n], who was treated.
        outcome: float64[n].
        weight: float64[n] of `arm_weights`; everybody counts once without.
    """
    return arm_curve(ranking, treated, outcome, weight).qini_raw


def auuc_raw(ranking: Floats, treated: Bools, outcome: Floats, weight: Floats | None = None) -> float:
    """Return the mean over the depth of u(k) / n; the arguments are those of `qini_raw`."""
    return arm_curve(ranking, treated, outcome, weight).auuc_raw


def _at(ends: Ints, values: Floats) -> Floats:
    """Return what has been added up at the end of each step, with 0 before the first: float64[m + 1]."""
    return np.concatenate([[0.0], np.cumsum(values)[ends]])


def _over(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
