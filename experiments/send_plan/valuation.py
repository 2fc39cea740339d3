"""The value of a plan on its trial: every arm over nobody, the plan against simpler policies, and how much data would be enough.

Two sample sizes are computed: to see a gain worth having, and to see that choosing for each member is worth it. Both rest on the
gain that somebody wants to be able to see, never on the gain that was observed. A size computed from the
observed gain of the most promising arm is wrong by more than a factor of 1.5 most of the time, because that gain was chosen for
being high.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from experiments.send_plan.lists import ChosenShare, SendList, personal_list, split
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
from experiments.send_plan.problem import (
    MIN_EFFECTIVE,
    PAIRS_MET_TWICE,
    PlanProblem,
    PolicyComparison,
    compare,
    compare_with_trial,
    effective_members,
    inflated_mean,
)
from experiments.stats.estimate import Estimate, mean_estimate
from experiments.uplift.trial import Floats, Ints

POWER = 0.8


@dataclass(frozen=True, slots=True)
class SampleSize:
    """How large a trial would have to be.

    Attributes:
        smallest_gain: The gain to be seen, money per member.
        power: How likely a trial of that size is to show it.
        alpha: The accepted error of all statements together.
        comparisons: How many statements share it.
        per_arm: Members of each arm, the control included, arms of equal size.
        more: Members that each arm lacks, the control first; 0 where it has enough.
        detectable: The gain that this trial could have seen with the same power, by its least certain arm.
    """

    smallest_gain: float
    power: float
    alpha: float
    comparisons: int
    per_arm: int
    more: tuple[int, ...]
    detectable: float

    @property
    def more_per_arm(self) -> int:
        """What the arm that lacks most lacks."""
        return max(self.more)

    @property
    def enough(self) -> bool:
        """Whether this trial could have seen the gain."""
        return self.detectable <= self.smallest_gain


@dataclass(frozen=True, slots=True)
class PersonalisationSize:
    """How large a trial would have to be to show that a plan earns more than one arm for all.

    Attributes:
        gain: By how much it would have to, money per member.
        members: Of the whole trial, arms as they are.
        more: Members that it lacks; 0 where it has enough.
    """

    gain: float
    members: int
    more: int


def members_needed(
    errors: Floats,
    residual_variances: Floats,
    inverse_propensities: Floats,
    counts: Ints,
    smallest_gain: float,
    *,
    alpha: float = 0.05,
) -> SampleSize:
    """Return what it takes to see the smallest gain of any arm over the control, at the level shared by all candidates.

    A trial of N members and equal arms estimates an arm's gain with the variance V/N; it shows a gain of δ at power π if
    √(V/N) (z(1 − α/2m) + z(π)) ≤ δ. V is the measured variance of the gain's own scores, N times the squared error, so that
    whatever covariates explain is taken off; the part that comes from unequal arms is replaced by that of equal ones.

    Args:
        errors: float64[K], standard errors of the arms' gains over the control.
        residual_variances: float64[K + 1], of what predictions leave of the outcome, by arm, the control first.
        inverse_propensities: float64[K + 1], mean of 1 over the arm's probability.
        counts: int64[K + 1], members by arm.
        smallest_gain: Money per member, above 0.
        alpha: The accepted error of all candidates (the arms and the plan) together.

    Returns:
        The size, with what each arm lacks and what this trial could have shown.
    """
    arms, n = len(counts), int(counts.sum())
    z = _reach(alpha / arms)
    noise = residual_variances * inverse_propensities
    equal = residual_variances * arms
    whole = noise[0] + noise[1:]
    ratio = np.divide(equal[0] + equal[1:], whole, out=np.ones(arms - 1), where=whole > 0)
    total = float((n * errors**2 * ratio).max()) * (z / smallest_gain) ** 2
    per_arm = max(int(np.ceil(total / arms)), 1)
    return SampleSize(
        smallest_gain=smallest_gain,
        power=POWER,
        alpha=alpha,
        comparisons=arms,
        per_arm=per_arm,
        more=tuple(max(per_arm - int(count), 0) for count in counts),
        detectable=float(errors.max()) * z,
    )


def members_to_personalise(
    error: float, members: int, gain: float, *, alpha: float = 0.05
) -> PersonalisationSize:
    """Return what it takes to show that a plan earns so much more than one arm for all.

    Args:
        error: Standard error of the difference in this trial.
        members: Of this trial.
        gain: Money per member, above 0.
        alpha: The accepted error, two-sided.

    Returns:
        The size, and how many members this trial lacks.
    """
    needed = int(np.ceil(members * (error * _reach(alpha) / gain) ** 2))
    return PersonalisationSize(gain, needed, max(needed - members, 0))


def _reach(alpha: float) -> float:
    """Return how many standard errors a gain must have to be seen, two-sided, at the power."""
    return float(-ndtri(alpha / 2) + ndtri(POWER))


@dataclass(frozen=True, slots=True)
class CandidatePolicy:
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
        return self.gain.value * self.reach


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """The estimates that a verdict rests on.

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

    arms: tuple[CandidatePolicy, ...]
    plan: CandidatePolicy
    best_arm: int
    against: dict[str, PolicyComparison]
    simple: dict[str, PolicyComparison]
    effective: float
    needed: SampleSize
    needed_to_personalise: PersonalisationSize
    list: SendList
    rest: ChosenShare

    @property
    def valued(self) -> bool:
        """Whether enough members of the trial had what the plan gives them."""
        return self.effective >= MIN_EFFECTIVE


def value_plan(problem: PlanProblem) -> Findings:
    """Return what the trial says of a personalised list of its own members, and of everything simpler.

    The members left to chance are the same for every alternative, so that they add nothing to a difference, except to that
    against nobody, which is the value of the list as it is written.

    Args:
        problem: The trial and what was learned from it.
    """
    audience, scored, alpha = problem.audience, problem.scored, problem.alpha
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
        name: compare(policy, other, scored, alpha=alpha, inflation=inflation)
        for name, other in others.items()
    }
    against[LOGGED] = compare_with_trial(policy, problem.net, scored, alpha=alpha, inflation=inflation)
    return Findings(
        arms=candidates,
        plan=_plan(problem, policy, rest, max(candidate.reach for candidate in candidates)),
        best_arm=best,
        against=against,
        simple={name: compare(other, for_all, scored, alpha=alpha) for name, other in simple.items()},
        effective=effective_members(policy, scored.arm, scored.propensity),
        needed=_needed(problem, candidates),
        needed_to_personalise=members_to_personalise(
            against[BEST_ARM].robust.standard_error,
            n,
            _gain_of_choosing(problem, candidates[best - 1]),
            alpha=alpha,
        ),
        list=listed,
        rest=rest,
    )


def _gain_of_choosing(problem: PlanProblem, best: CandidatePolicy) -> float:
    """Return the gain over the best arm for all, per member of the list, that personalising is asked to show.

    It is the smallest gain worth having of the members reached; unless somebody said what that is, at most a quarter of what the
    best arm itself is shown to earn.
    """
    gain = problem.worth_having * best.reach or problem.worth_having
    if problem.smallest_gain is None and best.gain.above_zero and best.value > 0:
        return min(gain, best.value / 4)
    return gain


def _candidates(problem: PlanProblem, reaches: list[float]) -> tuple[CandidatePolicy, ...]:
    robust = problem.scored.robust
    alpha = problem.alpha / len(problem.arms)
    return tuple(
        CandidatePolicy(name, mean_estimate(robust[:, place] - robust[:, 0], alpha=alpha), reach)
        for place, (name, reach) in enumerate(zip(problem.arms[1:], reaches, strict=True), 1)
    )


def _best(candidates: tuple[CandidatePolicy, ...]) -> int:
    """Return the arm, from 1, that earns most within the limits: among those proven to earn something, if any is."""
    proven = [candidate for candidate in candidates if candidate.gain.above_zero]
    return 1 + candidates.index(max(proven or candidates, key=lambda candidate: candidate.value))


def _plan(problem: PlanProblem, policy: Floats, rest: ChosenShare, reach: float) -> CandidatePolicy:
    """Return the plan as a candidate: what it does by choice, without what chance does."""
    chosen = policy.copy()
    chosen[rest.random.random] = 0.0
    chosen[rest.random.random, 0] = 1.0
    more = (chosen * problem.scored.robust).sum(axis=1) - problem.scored.robust[:, 0]
    scale = reach * (1 - rest.random.share)
    alpha = problem.alpha / len(problem.arms)
    gain = inflated_mean(more / scale if scale > 0 else more, alpha, _inflation(problem))
    return CandidatePolicy("the plan", gain, reach)


def _inflation(problem: PlanProblem) -> float:
    return 1.0 if problem.differ else PAIRS_MET_TWICE


def _needed(problem: PlanProblem, candidates: tuple[CandidatePolicy, ...]) -> SampleSize:
    scored, arms = problem.scored, len(problem.arms)
    rows = np.arange(len(scored.arm))
    left = problem.net - problem.predicted[rows, scored.arm]
    weights = 1 / scored.propensity
    chosen = [scored.arm == arm for arm in range(arms)]
    return members_needed(
        errors=np.array([candidate.gain.standard_error for candidate in candidates]),
        residual_variances=np.array([np.average(left[own] ** 2, weights=weights[own]) for own in chosen]),
        # The mean over all members of 1/p is the mean over the arm's members of 1/p squared, times their share.
        inverse_propensities=np.array([float((weights[own] ** 2).sum()) / len(rows) for own in chosen]),
        counts=problem.counts,
        smallest_gain=problem.worth_having,
        alpha=problem.alpha,
    )
