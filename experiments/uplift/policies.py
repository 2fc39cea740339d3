"""What it is worth to choose each member's arm by predicted effects, against what is simpler.

A policy's value is the mean of the members' scores at the arm that it gives them, less what that arm costs. Two policies are
compared member by member, so that what they agree on makes no noise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.stats.estimate import Estimate, mean_estimate
from experiments.uplift.bands import contrast_areas
from experiments.uplift.trial import Floats, Ints

NOBODY = "nobody"
BEST_ARM = "the best arm for all"
AT_RANDOM = "as many at random"


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """A policy's value, and its differences to simpler ones.

    Attributes:
        name: Of the predictions that it chooses by.
        shares: Of members given each arm, the control first.
        value: Net outcome per member.
        gains: Its value minus that of each simpler policy, by name, paired.
        qini: Area of the curve of `policy_contrasts` above its diagonal, free of cost: what the order of members with their best
            arms adds to a random order.
        net_qini: The same net of cost.
        curve: The net gain per member if only the first so many are treated, at the depths of `bands.GRID`.
        best_arm: The arm (or control) with the highest net value for all, on the same trial: a little flattered by that choice,
            so that personalising is valued strictly.
    """

    name: str
    shares: tuple[float, ...]
    value: Estimate
    gains: Mapping[str, Estimate]
    qini: Estimate
    net_qini: Estimate
    curve: tuple[Estimate, ...]
    best_arm: str


def best_choice(predicted: Floats, costs: Floats) -> tuple[Ints, Floats]:
    """Return each member's best arm int64[n], 0 for the control, and what it is predicted to bring net of cost, float64[n].

    Args:
        predicted: float64[n, arms - 1], predicted effects against the control.
        costs: float64[arms - 1], of giving each arm to a member, in the outcome's unit.
    """
    net = predicted - costs
    best = net.argmax(axis=1)
    gain = net[np.arange(len(net)), best]
    return np.where(gain > 0, best + 1, 0).astype(np.int64), gain


def policy_contrasts(scores: Floats, predicted: Floats, costs: Floats) -> tuple[Floats, Floats]:
    """Return a ranking and contrasts for the curve of several arms: each member with the arm that is best by the predictions.

    The ranking is what the member's best arm is predicted to bring net of cost (also where that is below zero), the contrast what it
    brought: its scores minus the control's and minus its cost. `contrast_curve` of the two is the net gain over the share of
    members treated.

    Args:
        scores: float64[n, arms], the control first.
        predicted: float64[n, arms - 1].
        costs: float64[arms - 1]; zeros make it free of cost.

    Returns:
        The ranking float64[n] and the contrasts float64[n].
    """
    net = predicted - costs
    best = net.argmax(axis=1)
    rows = np.arange(len(net))
    return net[rows, best], scores[rows, best + 1] - scores[:, 0] - costs[best]


def policy_value(
    name: str,
    predicted: Floats,
    scores: Floats,
    *,
    arms: Sequence[str],
    costs: Floats,
    rankings: Mapping[str, Floats],
    alpha: float = 0.05,
) -> PolicyValue:
    """Return a policy's value and its paired differences to nobody, each arm for all, random targeting and other rankings.

    * Random targeting gives each member each arm with the share that the policy gives it: the mean score over the shares.
    * Another ranking gives the policy's most frequent arm to as many members as the policy treats, highest first; members that
      are tied at the boundary get it in the share that fills it.

    Args:
        name: Of the policy.
        predicted: float64[n, arms - 1], calibrated effects; each member gets the arm that is best by them, net of cost.
        scores: float64[n, arms].
        arms: Names, the control first.
        costs: float64[arms - 1].
        rankings: Other ways to rank members, float64[n] each, such as a response model or a rule.
        alpha: The accepted error of each interval.

    Returns:
        The value with its interval, and the paired gains over each simpler policy.
    """
    choice, _ = best_choice(predicted, costs)
    net = scores - np.concatenate([[0.0], costs])
    n = len(choice)
    own = net[np.arange(n), choice]
    shares = np.bincount(choice, minlength=len(arms)) / n
    best = int(net.mean(axis=0).argmax())
    others = {NOBODY: net[:, 0], BEST_ARM: net[:, best], AT_RANDOM: net @ shares}
    others |= {f"{arm} for all": net[:, place] for place, arm in enumerate(arms) if place}
    if shares[0] < 1:
        arm = int(shares[1:].argmax()) + 1
        for other, ranking in rankings.items():
            taken = _first(ranking, 1 - float(shares[0]))
            others[f"as many by {other}"] = taken * net[:, arm] + (1 - taken) * net[:, 0]
    gains = {other: mean_estimate(own - values, alpha=alpha) for other, values in others.items()}
    free, dear = (
        contrast_areas({name: ranking}, contrasts, alpha=alpha)
        for ranking, contrasts in (policy_contrasts(scores, predicted, cost) for cost in (0 * costs, costs))
    )
    return PolicyValue(
        name=name,
        shares=tuple(float(share) for share in shares),
        value=mean_estimate(own, alpha=alpha),
        gains=gains,
        qini=free.qini(name),
        net_qini=dear.qini(name),
        curve=dear.band(name),
        best_arm=arms[best],
    )


def _first(ranking: Floats, share: float) -> Floats:
    """Return how much of each member is among the first so many, float64[n] within [0, 1]."""
    _, which, counts = np.unique(-ranking, return_inverse=True, return_counts=True)
    before = np.cumsum(counts) - counts
    filled: Floats = np.clip((share * len(ranking) - before) / counts, 0, 1)[which]
    return filled
