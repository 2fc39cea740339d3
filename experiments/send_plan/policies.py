"""Simpler policies for the same money, each as the probabilities that it gives every member.

A policy is float64[n, arms]: how likely it gives each arm to each member, the control first, every row summing to 1. A policy whose
money does not reach everybody gives its arms to a random share, so that its value is an expectation and no draw blurs it.
"""

import numpy as np

from experiments.send_plan.problem import PlanLimits
from experiments.uplift.trial import Floats, Ints

NOBODY = "nobody"
BEST_ARM = "best_arm"
RANDOM = "random"
RESPONSE = "response"
RULE = "rule"
LOGGED = "logged"
"""What the trial itself did: shown beside the others, and no alternative that a plan must beat within its limits."""

_SEED = 5_771


def one_hot(arm: Ints, arms: int) -> Floats:
    """Return the policy that gives each member one arm for sure.

    Args:
        arm: int64[n], 0 the control.
        arms: How many arms there are, the control included.
    """
    chances = np.zeros((len(arm), arms))
    chances[np.arange(len(arm)), arm] = 1.0
    return chances


def nobody(members: int, arms: int) -> Floats:
    """Return the policy that sends nothing."""
    return one_hot(np.zeros(members, dtype=np.int64), arms)


def one_arm(arm: int, costs: Floats, limits: PlanLimits) -> Floats:
    """Return the policy that gives one arm to everybody, or to a random share if the limits do not reach everybody.

    Args:
        arm: From 1.
        costs: float64[n, K], expected, of the arms other than the control.
        limits: What may be used; a minimum return is asked of the plan only.

    Returns:
        float64[n, arms], each member's probability of each arm, the control first.
    """
    arms = np.full(len(costs), arm, dtype=np.int64)
    return within(one_hot(arms, costs.shape[1] + 1), costs, limits)


def random_arms(costs: Floats, limits: PlanLimits) -> Floats:
    """Return the policy that gives everybody, or a random share within the limits, an arm by lot, each as likely."""
    n, arms = costs.shape
    chances = np.full((n, arms + 1), 1 / arms)
    chances[:, 0] = 0.0
    return within(chances, costs, limits)


def by_response(response: Floats, arm: int, costs: Floats, limits: PlanLimits) -> Floats:
    """Return the policy that gives one arm to those most likely to respond to it, whether or not it changes what they do.

    It reaches as many as the limits do: how many it pays to reach is what a response model does not know.

    Args:
        response: float64[n], predicted response to the arm; ties are broken by lot.
        arm: From 1.
        costs: float64[n, K].
        limits: What may be used.

    Returns:
        float64[n, arms], each member's probability of each arm, the control first.
    """
    n = len(response)
    order = np.lexsort((np.random.default_rng(_SEED).random(n), -response))
    most = min(limits.caps.get(arm - 1, n), n if limits.sends is None else limits.sends)
    spent = np.cumsum(costs[order, arm - 1])
    reached = int(np.searchsorted(spent, limits.budget * (1 + 1e-9), side="right"))
    chosen = np.zeros(n, dtype=np.int64)
    chosen[order[: min(most, reached)]] = arm
    return one_hot(chosen, costs.shape[1] + 1)


def by_rule(arm: Ints, costs: Floats, limits: PlanLimits) -> Floats:
    """Return the policy of somebody's own rule, or a random share of its sends if the limits do not reach all of them.

    Args:
        arm: int64[n], 0 the control.
        costs: float64[n, K].
        limits: What may be used.

    Returns:
        float64[n, arms], each member's probability of each arm, the control first.
    """
    return within(one_hot(arm, costs.shape[1] + 1), costs, limits)


def within(chances: Floats, costs: Floats, limits: PlanLimits) -> Floats:
    """Return a policy with all its sends made less likely, alike, until it keeps the limits in expectation.

    Args:
        chances: float64[n, arms], each member's probability of each arm, the control first.
        costs: float64[n, arms - 1], money per send.
        limits: Budget, sends and caps.

    Returns:
        float64[n, arms], the reduced probabilities; what is taken away goes to the control.
    """
    sent = chances[:, 1:].sum(axis=0)
    uses = [
        (float((chances[:, 1:] * costs).sum()), limits.budget),
        (float(sent.sum()), np.inf if limits.sends is None else limits.sends),
        *((float(sent[arm]), cap) for arm, cap in limits.caps.items()),
    ]
    share = min(1.0, *(limit / use for use, limit in uses if use > limit), 1.0)
    kept = chances * share
    kept[:, 0] += 1 - share
    return kept
