"""From a problem to what is known: candidates over nobody, the plan against what is simpler, and what more data would show."""

from dataclasses import dataclass

import numpy as np

from experiments.send_plan.comparing import (
    FEWEST_EFFECTIVE,
    PAIRS_MET_TWICE,
    Comparison,
    compare,
    compare_with_trial,
    effective_members,
    inflated_mean,
)
from experiments.send_plan.lists import MemberList, Rest, personal_list, split
from experiments.send_plan.needed import (
    Needed,
    NeededToPersonalise,
    members_needed,
    members_to_personalise,
)
from experiments.send_plan.policies import (
    BEST_ARM,
    LOGGED,
    NOBODY,
    RANDOM,
    RESPONSE,
    RULE,
    by_response,
    by_rule,
    nobody,
    one_arm,
    random_arms,
)
from experiments.send_plan.problem import PlanProblem
from experiments.uplift.estimate import Estimate, mean_estimate
from experiments.uplift.trial import Floats


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that could be sent, against sending nothing.

    Attributes:
        name: The arm, or the plan.
        gain: Net margin per member reached, over nobody, with its simultaneous interval.
        reach: Share of the members that the limits let it reach.
    """

    name: str
    gain: Estimate
    reach: float

    @property
    def value(self) -> float:
        """Net margin per member of the list."""
        return self.gain.estimate * self.reach


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What a verdict rests on.

    Attributes:
        arms: One candidate per arm other than the control, in their order.
        plan: The personalised plan as a candidate.
        best_arm: The best single arm, from 1.
        against: The plan against each simpler alternative, by name.
        simple: Each simple rule against the best arm for all.
        effective: Members of the trial, equally weighted, that speak for the plan.
        needed: What it takes to see the smallest gain worth having.
        needed_to_personalise: What it takes to show that the plan earns a stated amount more than the best arm for all.
        list: The personalised list that was valued.
        rest: Those of it not left to chance.
    """

    arms: tuple[Candidate, ...]
    plan: Candidate
    best_arm: int
    against: dict[str, Comparison]
    simple: dict[str, Comparison]
    effective: float
    needed: Needed
    needed_to_personalise: NeededToPersonalise
    list: MemberList
    rest: Rest

    @property
    def judged(self) -> bool:
        """Whether enough members of the trial had what the plan gives them."""
        return self.effective >= FEWEST_EFFECTIVE


def judge(problem: PlanProblem) -> Findings:
    """Return what the trial says of a personalised list of its own members, and of everything simpler.

    The members left to chance are the same for every alternative, so that they add nothing to a difference, except to that
    against nobody, which is the value of the list as it is written.

    Args:
        problem: The trial and what was learned from it.
    """
    audience, scored, level = problem.audience, problem.scored, problem.level
    n, arms = len(audience), len(problem.arms)
    rest = split(audience, problem.limits, problem.random_share, problem.seed)
    listed = personal_list(audience, rest)
    policy = rest.whole(listed.chances[rest.rows])
    each = [one_arm(arm, rest.costs, rest.limits) for arm in range(1, arms)]
    candidates = _candidates(problem, [float(1 - chances[0, 0]) for chances in each])
    best = _best(candidates)
    simple = {RESPONSE: by_response(audience.response[rest.rows, best - 1], best, rest.costs, rest.limits)}
    if audience.rule is not None:
        simple[RULE] = by_rule(audience.rule[rest.rows], rest.costs, rest.limits)
    simple = {name: rest.whole(chances) for name, chances in simple.items()}
    for_all = rest.whole(each[best - 1])
    others = {
        NOBODY: nobody(n, arms),
        BEST_ARM: for_all,
        RANDOM: rest.whole(random_arms(rest.costs, rest.limits)),
        **simple,
    }
    inflation = _inflation(problem)
    against = {
        name: compare(policy, other, scored, level=level, inflation=inflation)
        for name, other in others.items()
    }
    against[LOGGED] = compare_with_trial(policy, problem.net, scored, level=level, inflation=inflation)
    return Findings(
        arms=candidates,
        plan=_plan(problem, policy, rest, max(candidate.reach for candidate in candidates)),
        best_arm=best,
        against=against,
        simple={name: compare(other, for_all, scored, level=level) for name, other in simple.items()},
        effective=effective_members(policy, scored.arm, scored.propensity),
        needed=_needed(problem, candidates),
        needed_to_personalise=members_to_personalise(
            against[BEST_ARM].robust.error,
            n,
            _gain_of_choosing(problem, candidates[best - 1]),
            level=level,
        ),
        list=listed,
        rest=rest,
    )


def _gain_of_choosing(problem: PlanProblem, best: Candidate) -> float:
    """Return the gain over the best arm for all, per member of the list, that personalising is asked to show.

    It is the smallest gain worth having of the members reached; unless somebody said what that is, at most a quarter of what the
    best arm itself is shown to earn.
    """
    gain = problem.worth_having * best.reach or problem.worth_having
    if problem.smallest_gain is None and best.gain.above_zero and best.value > 0:
        return min(gain, best.value / 4)
    return gain


def _candidates(problem: PlanProblem, reaches: list[float]) -> tuple[Candidate, ...]:
    robust = problem.scored.robust
    level = problem.level / len(problem.arms)
    return tuple(
        Candidate(name, mean_estimate(robust[:, place] - robust[:, 0], level=level), reach)
        for place, (name, reach) in enumerate(zip(problem.arms[1:], reaches, strict=True), 1)
    )


def _best(candidates: tuple[Candidate, ...]) -> int:
    """Return the arm, from 1, that earns most within the limits: among those proven to earn something, if any is."""
    proven = [candidate for candidate in candidates if candidate.gain.above_zero]
    return 1 + candidates.index(max(proven or candidates, key=lambda candidate: candidate.value))


def _plan(problem: PlanProblem, policy: Floats, rest: Rest, reach: float) -> Candidate:
    """Return the plan as a candidate: what it does by choice, without what chance does."""
    chosen = policy.copy()
    chosen[rest.random.random] = 0.0
    chosen[rest.random.random, 0] = 1.0
    more = (chosen * problem.scored.robust).sum(axis=1) - problem.scored.robust[:, 0]
    scale = reach * (1 - rest.random.share)
    level = problem.level / len(problem.arms)
    gain = inflated_mean(more / scale if scale > 0 else more, level, _inflation(problem))
    return Candidate("the plan", gain, reach)


def _inflation(problem: PlanProblem) -> float:
    return 1.0 if problem.differ else PAIRS_MET_TWICE


def _needed(problem: PlanProblem, candidates: tuple[Candidate, ...]) -> Needed:
    scored, arms = problem.scored, len(problem.arms)
    rows = np.arange(len(scored.arm))
    left = problem.net - problem.predicted[rows, scored.arm]
    weights = 1 / scored.propensity
    chosen = [scored.arm == arm for arm in range(arms)]
    return members_needed(
        errors=np.array([candidate.gain.error for candidate in candidates]),
        residual_variances=np.array([np.average(left[own] ** 2, weights=weights[own]) for own in chosen]),
        # The mean over all members of 1/p is the mean over the arm's members of 1/p squared, times their share.
        inverse_propensities=np.array([float((weights[own] ** 2).sum()) / len(rows) for own in chosen]),
        counts=problem.counts,
        smallest_gain=problem.worth_having,
        level=problem.level,
    )
