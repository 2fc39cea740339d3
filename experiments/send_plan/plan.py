"""The send plan: findings of the trial, the verdict, the list that follows, and the value of lists at other budgets."""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from experiments.send_plan.allocate import allocate
from experiments.send_plan.lists import ListKind, SendList, make_list, split
from experiments.send_plan.policies import (
    BEST_ARM,
    LOGGED,
    NOBODY,
    RANDOM,
    RESPONSE,
    RULE,
    nobody,
    one_arm,
    one_hot,
)
from experiments.send_plan.problem import (
    PAIRS_MET_TWICE,
    Audience,
    PlanLimits,
    PlanProblem,
    PolicyComparison,
    compare,
    compare_with_trial,
)
from experiments.send_plan.valuation import Findings, value_plan


class VerdictCode(StrEnum):
    """What to do."""

    PERSONALISE = "personalise"
    ONE_OFFER_FOR_ALL = "one_offer_for_all"
    SIMPLE_RULE = "simple_rule"
    NOT_ENOUGH_DATA = "not_enough_data"
    SEND_NOTHING = "send_nothing"
    TRIAL_NOT_TRUSTED = "trial_not_trusted"


_LISTS = {
    VerdictCode.PERSONALISE: ListKind.PERSONAL,
    VerdictCode.ONE_OFFER_FOR_ALL: ListKind.ONE_ARM,
}


@dataclass(frozen=True, slots=True)
class PlanVerdict:
    """What to do, and by which arm or rule.

    Attributes:
        code: The verdict.
        arm: The arm, from 1, of one offer for all and of a rule by response; 0 for none.
        rule: The rule that is as good: ``response`` or ``rule``; empty for none.
        short_of: What the plan was not shown to beat, where it is not the verdict.
    """

    code: VerdictCode
    arm: int = 0
    rule: str = ""
    short_of: tuple[str, ...] = ()

    @property
    def list_kind(self) -> ListKind:
        """The list that follows from it."""
        if self.code is VerdictCode.SIMPLE_RULE:
            return ListKind.RESPONSE if self.rule == RESPONSE else ListKind.RULE
        return _LISTS.get(self.code, ListKind.NOBODY)


def decide(findings: Findings, *, trusted: bool, differ: bool) -> PlanVerdict:
    """Return the verdict.

    * The trial is not trusted: stop.
    * Candidates over nobody are each arm for all and, where effects differ, the plan, with simultaneous two-sided intervals
      (Bonferroni). Something is worth sending if one lies above zero.
    * ``personalise`` if the plan's paired differences to the best arm for all, to random arms, to a ranking by response and to
      the own rule all lie above zero.
    * ``simple_rule`` if it beats the best arm but not some simple rule, and that rule earns more than the best arm as far as the
      trial can tell. The plan is shown to beat the arm then, so that the arm for all would be a known loss.
    * ``one_offer_for_all`` if an arm is shown to earn something, and nothing of the above.
    * Otherwise ``send_nothing`` if every interval lies below the smallest gain worth having, or if the trial was large enough to
      see that gain; else ``not_enough_data``.

    Args:
        findings: What is known.
        trusted: Whether the trial is to be trusted.
        differ: Whether effects differ measurably between members.

    Returns:
        The verdict, with the alternatives it falls short of.
    """
    if not trusted:
        return PlanVerdict(VerdictCode.TRIAL_NOT_TRUSTED)
    choosing = differ and findings.valued
    short_of = tuple(
        name
        for name, comparison in findings.against.items()
        if name not in {NOBODY, LOGGED} and not comparison.robust.above_zero
    )
    best = findings.best_arm
    arm_pays = findings.arms[best - 1].gain.above_zero
    plan_pays = choosing and findings.plan.gain.above_zero
    if choosing and (arm_pays or plan_pays):
        if not short_of:
            return PlanVerdict(VerdictCode.PERSONALISE)
        as_good = [
            name for name in (RULE, RESPONSE) if name in short_of and findings.simple[name].robust.value > 0
        ]
        if as_good and BEST_ARM not in short_of and RANDOM not in short_of:
            rule = max(as_good, key=lambda name: findings.simple[name].robust.value)
            return PlanVerdict(VerdictCode.SIMPLE_RULE, best, rule, short_of)
    if arm_pays:
        return PlanVerdict(VerdictCode.ONE_OFFER_FOR_ALL, best, "", short_of)
    candidates = (*findings.arms, findings.plan) if choosing else findings.arms
    none_worth_it = all(candidate.gain.upper < findings.needed.smallest_gain for candidate in candidates)
    nothing = not plan_pays and (none_worth_it or findings.needed.enough)
    return PlanVerdict(VerdictCode.SEND_NOTHING if nothing else VerdictCode.NOT_ENOUGH_DATA)


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
    nobody: PolicyComparison
    best_arm: PolicyComparison


def value_budgets(problem: PlanProblem, best_arm: int) -> tuple[ValuedBudget, ...]:
    """Return lists at some budgets, each with its value; ``None`` where sends cost nothing.

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
        compare(policy, other, problem.scored, alpha=problem.alpha, inflation=inflation)
        for other in (none, one)
    ]
    return ValuedBudget(budget, found.cost, found.sends, against[0], against[1])


@dataclass(frozen=True, slots=True, eq=False)
class SendPlan:
    """What to do, why, and the list.

    Attributes:
        problem: What it was made from.
        findings: What is known.
        verdict: What to do.
        audience: The members of the list.
        limits: Of the list.
        list: Who gets what.
        personal: The personalised list of the same members, whether or not the verdict is for it.
        value: What the verdict's list earns over nobody, per member, on the trial's members: exactly that of the list as written
            where the list is of the trial's members.
        against_trial: What it earns over what the trial itself did.
        budgets: Personalised lists of the trial's members at other budgets, with their values; ``None`` where nothing may be said.
    """

    problem: PlanProblem
    findings: Findings
    verdict: PlanVerdict
    audience: Audience
    limits: PlanLimits
    list: SendList
    personal: SendList
    value: PolicyComparison
    against_trial: PolicyComparison
    budgets: tuple[ValuedBudget, ...]

    @property
    def of_the_trial(self) -> bool:
        """Whether the list is of the trial's own members."""
        return self.audience is self.problem.audience


def make_plan(
    problem: PlanProblem, audience: Audience | None = None, limits: PlanLimits | None = None
) -> SendPlan:
    """Return the plan for the trial's members, or for others.

    A plan for others is valued on the trial's members, with limits that reach the same share of them.

    Args:
        problem: The trial and what was learned from it.
        audience: Other members to write to; those of the trial if none.
        limits: For these others.

    Returns:
        The plan: findings, verdict and list.
    """
    findings = value_plan(problem)
    verdict = decide(findings, trusted=not problem.distrust, differ=problem.differ)
    own = make_list(verdict.list_kind, verdict.arm, problem.audience, findings.rest)
    policy = one_hot(own.arm, len(problem.arms))
    value = compare(policy, nobody(len(own.arm), len(problem.arms)), problem.scored, alpha=problem.alpha)
    logged = compare_with_trial(policy, problem.net, problem.scored, alpha=problem.alpha)
    valued = findings.valued and not problem.distrust
    budgets = value_budgets(problem, findings.best_arm) if valued else ()
    if audience is None:
        audience, limits = problem.audience, problem.limits
        return SendPlan(
            problem, findings, verdict, audience, limits, own, findings.list, value, logged, budgets
        )
    assert limits is not None
    rest = split(audience, limits, problem.random_share, problem.seed)
    listed = make_list(verdict.list_kind, verdict.arm, audience, rest)
    personal = make_list(ListKind.PERSONAL, 0, audience, rest)
    return SendPlan(problem, findings, verdict, audience, limits, listed, personal, value, logged, budgets)
