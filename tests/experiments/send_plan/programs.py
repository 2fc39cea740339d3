"""The plan's linear program, written out for HiGHS: a reference that shares no code with the product."""

import numpy as np
from scipy.optimize import linprog

from experiments.send_plan.problem import PlanLimits
from experiments.uplift.trial import Floats


def relaxed_optimum(gains: Floats, costs: Floats, limits: PlanLimits) -> float:
    """Return the most that any plan within the limits can gain, sends of fractions included."""
    n, arms = gains.shape
    rows = [np.kron(np.eye(n), np.ones(arms))]
    bounds = [np.ones(n)]
    arm = np.tile(np.arange(arms), n)

    def limit(usage: Floats, most: float) -> None:
        rows.append(usage[None])
        bounds.append(np.array([most]))

    if np.isfinite(limits.budget):
        limit(costs.ravel(), limits.budget)
    if limits.sends is not None:
        limit(np.ones(n * arms), limits.sends)
    for one, cap in limits.caps.items():
        limit((arm == one).astype(float), cap)
    if limits.min_roi is not None:
        limit((limits.min_roi * costs - gains).ravel(), 0)
    found = linprog(
        -gains.ravel(), A_ub=np.vstack(rows), b_ub=np.concatenate(bounds), bounds=(0, None), method="highs"
    )
    assert found.success
    return -float(found.fun)


def whole_optimum(gains: Floats, costs: Floats, limits: PlanLimits) -> float:
    """Return the most that a plan of whole sends can gain, by trying every plan."""
    n, arms = gains.shape
    best = 0.0
    for number in range((arms + 1) ** n):
        arm = number // (arms + 1) ** np.arange(n) % (arms + 1)
        sent = np.flatnonzero(arm)
        gain, cost = gains[sent, arm[sent] - 1].sum(), costs[sent, arm[sent] - 1].sum()
        within = cost <= limits.budget + 1e-12 and (limits.sends is None or len(sent) <= limits.sends)
        within &= all((arm == one + 1).sum() <= cap for one, cap in limits.caps.items())
        within &= limits.min_roi is None or gain >= limits.min_roi * cost - 1e-12
        if within:
            best = max(best, float(gain))
    return best
