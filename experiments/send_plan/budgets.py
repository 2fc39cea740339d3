"""What personalised lists at other budgets really earn: the curve over budgets, valued on the trial with bands."""

from dataclasses import dataclass, replace

import numpy as np

from experiments.send_plan.allocate import allocate
from experiments.send_plan.comparing import PAIRS_MET_TWICE, Comparison, compare
from experiments.send_plan.policies import nobody, one_arm, one_hot
from experiments.send_plan.problem import PlanProblem

SHARES = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
"""Of the money that a list without a budget would cost."""


@dataclass(frozen=True, slots=True)
class ValuedBudget:
    """A personalised list at a budget, nobody left to chance.

    Attributes:
        budget: Money for the trial's members.
        cost: What the list costs of it.
        sends: Members who get something.
        nobody: What it earns more than sending nothing, per member.
        best_arm: What it earns more than the best arm for as many as that money reaches, by lot.
    """

    budget: float
    cost: float
    sends: int
    nobody: Comparison
    best_arm: Comparison


def value_budgets(problem: PlanProblem, best_arm: int) -> tuple[ValuedBudget, ...]:
    """Return lists at some budgets, each with its value; none where sends cost nothing.

    Args:
        problem: The trial and what was learned from it; its budget is varied, all other limits are kept.
        best_arm: The arm that is compared with, from 1.
    """
    audience, unlimited = problem.audience, replace(problem.limits, budget=np.inf)
    whole = allocate(audience.gains, audience.costs, unlimited, curve=False).cost
    return tuple(_valued(problem, best_arm, share * whole) for share in SHARES) if whole > 0 else ()


def _valued(problem: PlanProblem, best_arm: int, budget: float) -> ValuedBudget:
    audience, arms = problem.audience, len(problem.arms)
    limits = replace(problem.limits, budget=budget)
    found = allocate(audience.gains, audience.costs, limits, curve=False)
    policy = one_hot(found.arm, arms)
    inflation = 1.0 if problem.differ else PAIRS_MET_TWICE
    none, one = nobody(len(audience), arms), one_arm(best_arm, audience.costs, limits)
    against = [
        compare(policy, other, problem.scored, level=problem.level, inflation=inflation)
        for other in (none, one)
    ]
    return ValuedBudget(budget, found.cost, found.sends, against[0], against[1])
