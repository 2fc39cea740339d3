"""Qini and uplift curves: what treating the first so many members of a ranking brings.

Members are sorted by a ranking, highest first. Among the first k, n_t were treated and n_c were not, and their outcomes sum to
Y_t and Y_c; N_t are the treated of all n.

* Qini curve (Radcliffe 2007, "Using control groups to target on predicted lift"): g(k) = Y_t - Y_c n_t / n_c.
* Uplift curve (Gutierrez & Gérardy 2016, section 3): u(k) = (Y_t / n_t - Y_c / n_c) k.

The curves here are g(k) / N_t and u(k) / n against the depth k / n, so that both are incremental outcome per member and both end
at the average effect, whatever the arms' sizes. A quotient with nothing below it counts as 0. Members of equal rank are one
step: the order among them means nothing, and a ranking of equal numbers is a straight line.

With unequal propensities a member counts w = (1 / p) / (mean of 1 / p in the member's arm) times in n_t, n_c, Y_t, Y_c, N_t, k
and n. With one propensity per arm all w are 1, and the curves are the plain ones.

The doubly robust form adds up contrasts d of `doubly_robust_scores` over all members: g(k) = u(k) = (d_1 + … + d_k) / n.
"""

from dataclasses import dataclass

import numpy as np

from experiments.uplift.trial import Bools, Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class CurveSteps:
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


def steps_of(ranking: Floats) -> CurveSteps:
    """Return a ranking as steps.

    Args:
        ranking: float64[n], finite; higher is earlier.
    """
    order = np.argsort(-ranking, kind="stable")
    return CurveSteps(order, np.append(np.flatnonzero(np.diff(ranking[order])), len(order) - 1))


def arm_weights(treated: Bools, propensity: Floats) -> Floats:
    """Return how often each member counts: the inverse propensity over its mean in the member's arm, float64[n].

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

    Returns:
        The curve, one point per step.
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

    Returns:
        The curve, one point per step.
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

    Returns:
        The area, in outcome per treated member.
    """
    return arm_curve(ranking, treated, outcome, weight).qini_raw


def auuc_raw(ranking: Floats, treated: Bools, outcome: Floats, weight: Floats | None = None) -> float:
    """Return the mean over the depth of u(k) / n; the arguments are those of `qini_raw`.

    Args:
        ranking: float64[n], higher is earlier.
        treated: bool[n], with members of both arms.
        outcome: float64[n].
        weight: float64[n] of `arm_weights`; everybody counts once without.

    Returns:
        The area, in outcome per member.
    """
    return arm_curve(ranking, treated, outcome, weight).auuc_raw


def _at(ends: Ints, values: Floats) -> Floats:
    """Return what has been added up at the end of each step, with 0 before the first: float64[m + 1]."""
    return np.concatenate([[0.0], np.cumsum(values)[ends]])


def _over(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


@dataclass(frozen=True, slots=True)
class Equivalents:
    """The Qini and the area under the uplift curve as scikit-uplift and causalml define them; ``None`` where they define none.

    One ranking has many "Qinis". These are the two libraries' definitions, so that a figure of ours can be held against one of
    theirs. Neither knows propensities:

    * scikit-uplift 0.5.1 (binary outcomes only): the area that the curve has above its diagonal, over the same area of a
      "perfect" order, which puts treated members with an outcome first and control members with one last.
    * causalml 0.18: the mean height of the curve above its diagonal over the n + 1 points 0, 1, …, n, in outcomes; normalised:
      over the absolute height at the end. Its uplift curve ("cumulative gain") is taken without a diagonal. It sums where
      others take trapezoids, takes each member as one step, and draws a straight line from 0 to the first k at which both arms
      are there. Equal scores it takes as its sort leaves them, which keeps no order: numpy's default sort of the rows from the
      last to the first, read backwards. The same is done here, so that its figures are met with ties too; on another kind of
      processor both may come out differently in the fourth digit. That is a reason not to use them.

    Attributes:
        sklift_qini: ``qini_auc_score`` of scikit-uplift.
        sklift_qini_without_negative: The same with ``negative_effect=False``.
        sklift_uplift: ``uplift_auc_score`` of scikit-uplift.
        causalml_qini: ``qini_score(normalize=True)`` of causalml.
        causalml_qini_counts: ``qini_score(normalize=False)``.
        causalml_auuc: ``auuc_score(normalize=True)``.
        causalml_auuc_counts: ``auuc_score(normalize=False)``.
    """

    sklift_qini: float | None
    sklift_qini_without_negative: float | None
    sklift_uplift: float | None
    causalml_qini: float | None
    causalml_qini_counts: float
    causalml_auuc: float | None
    causalml_auuc_counts: float


def equivalents(ranking: Floats, treated: Bools, outcome: Floats) -> Equivalents:
    """Return the two libraries' figures for a ranking of members of one arm and the control.

    Args:
        ranking: float64[n], higher is earlier.
        treated: bool[n], with members of both arms.
        outcome: float64[n].

    Returns:
        The figures; None where a library defines none, such as scikit-uplift's for outcomes that are not binary.
    """
    binary = bool(np.isin(outcome, (0.0, 1.0)).all())
    qini, gain = _summed(ranking, treated, outcome)
    return Equivalents(
        sklift_qini=_sklift_qini(ranking, treated, outcome) if binary else None,
        sklift_qini_without_negative=_sklift_without_negative(ranking, treated, outcome) if binary else None,
        sklift_uplift=_sklift_uplift(ranking, treated, outcome) if binary else None,
        causalml_qini=_ratio(_above_line(qini), abs(float(qini[-1]))),
        causalml_qini_counts=_above_line(qini),
        causalml_auuc=_ratio(float(gain.mean()), abs(float(gain[-1]))),
        causalml_auuc_counts=float(gain.mean()),
    )


def _sklift_qini(ranking: Floats, treated: Bools, outcome: Floats) -> float | None:
    perfect = arm_curve(np.where(treated, outcome, -outcome), treated, outcome)
    return _ratio(arm_curve(ranking, treated, outcome).qini_raw, perfect.qini_raw)


def _sklift_without_negative(ranking: Floats, treated: Bools, outcome: Floats) -> float | None:
    """Return the ratio to a curve that rises by one per member up to the whole effect and stays there."""
    curve = arm_curve(ranking, treated, outcome)
    whole = curve.average_effect * int(treated.sum())
    if whole <= 0:
        return None
    share = whole / len(treated)
    perfect = curve.average_effect * (share / 2 + (1 - share) - 0.5)
    return _ratio(curve.qini_raw, perfect)


def _sklift_uplift(ranking: Floats, treated: Bools, outcome: Floats) -> float | None:
    control_with = int((outcome[~treated] == 1).sum())
    treated_without = int((outcome[treated] == 0).sum())
    second = outcome if control_with > treated_without else treated.astype(np.float64)
    perfect = arm_curve(2.0 * ((outcome == 1) == treated) + second, treated, outcome)
    return _ratio(_uplift_above(arm_curve(ranking, treated, outcome)), _uplift_above(perfect))


def _uplift_above(curve: Curve) -> float:
    return curve.auuc_raw - curve.average_effect / 2


def _summed(ranking: Floats, treated: Bools, outcome: Floats) -> tuple[Floats, Floats]:
    """Return g(k) and u(k) for k = 0, 1, …, n, each member a step."""
    order = len(ranking) - 1 - np.argsort(ranking[::-1])[::-1]
    arm, value = treated[order], outcome[order]
    k = np.arange(len(order) + 1)
    n_t, y_t = _from_zero(arm), _from_zero(value * arm)
    n_c, y_c = _from_zero(~arm), _from_zero(value * ~arm)
    both = (n_t > 0) & (n_c > 0)
    # The Qini curve exists as soon as there is a control member, the uplift only with both arms.
    there = n_c > 0
    qini = _filled(k, there, y_t[there] - y_c[there] * n_t[there] / n_c[there])
    lift = _filled(k, both, y_t[both] / n_t[both] - y_c[both] / n_c[both])
    return qini, lift * k


def _from_zero(values: Floats | Bools) -> Floats:
    return np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])


def _filled(k: np.ndarray, known: Bools, values: Floats) -> Floats:
    """Return values at all k, straight from 0 at k = 0 over the unknown ones."""
    filled: Floats = np.interp(k, np.concatenate([[0], k[known]]), np.concatenate([[0.0], values]))
    return filled


def _above_line(curve: Floats) -> float:
    return float(curve.mean() - curve[-1] / 2)


def _ratio(above: float, below: float) -> float | None:
    return above / below if below else None
