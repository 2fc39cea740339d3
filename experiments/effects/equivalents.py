"""What scikit-uplift and causalml call the Qini and the area under the uplift curve, from our own curves.

One ranking has many "Qinis". These are the two libraries' definitions, so that a figure of ours can be held against one of theirs. Neither
knows propensities:

* scikit-uplift 0.5.1 (binary outcomes only): the area that the curve has above its diagonal, over the same area of a "perfect"
  order, which puts treated members with an outcome first and control members with one last.
* causalml 0.18: the mean height of the curve above its diagonal over the n + 1 points 0, 1, …, n, in outcomes; normalised: over the
  absolute height at the end. Its uplift curve ("cumulative gain") is taken without a diagonal. It sums where others take
  trapezoids, takes each member as a step of her own, and draws a straight line from 0 to the first k at which both arms
  are there. Equal scores it takes as its sort leaves them, which keeps no order: numpy's default sort of the rows from the last to the
  first, read backwards. The same is done here, so that its figures are met with ties too; on another kind of processor both may
  come out differently in the fourth digit. That is a reason not to use them.
"""

from dataclasses import dataclass

import numpy as np

from experiments.uplift.curves import Curve, arm_curve
from experiments.uplift.trial import Bools, Floats


@dataclass(frozen=True, slots=True)
class Equivalents:
    """Other libraries' figures for a ranking; none where a library has none.

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
