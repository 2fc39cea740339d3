"""The send plan: what the trial says, what to do, and the list that follows."""

from dataclasses import dataclass

from experiments.send_plan.budgets import ValuedBudget, value_budgets
from experiments.send_plan.comparing import Comparison, compare, compare_with_trial
from experiments.send_plan.judging import Findings, judge
from experiments.send_plan.limits import Limits
from experiments.send_plan.lists import ListKind, MemberList, make_list, split
from experiments.send_plan.policies import nobody, one_hot
from experiments.send_plan.problem import Audience, PlanProblem
from experiments.send_plan.verdict import Verdict, decide


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
        budgets: Personalised lists of the trial's members at other budgets, with their values; none where nothing may be said.
    """

    problem: PlanProblem
    findings: Findings
    verdict: Verdict
    audience: Audience
    limits: Limits
    list: MemberList
    personal: MemberList
    value: Comparison
    against_trial: Comparison
    budgets: tuple[ValuedBudget, ...]

    @property
    def of_the_trial(self) -> bool:
        """Whether the list is of the trial's own members."""
        return self.audience is self.problem.audience


def make_plan(
    problem: PlanProblem, audience: Audience | None = None, limits: Limits | None = None
) -> SendPlan:
    """Return the plan for the trial's members, or for others.

    A plan for others is valued on the trial's members, with limits that reach the same share of them.

    Args:
        problem: The trial and what was learned from it.
        audience: Other members to write to; those of the trial if none.
        limits: For these others.
    """
    findings = judge(problem)
    verdict = decide(findings, trusted=not problem.distrust, differ=problem.differ)
    own = make_list(verdict.list_kind, verdict.arm, problem.audience, findings.rest)
    policy = one_hot(own.arm, len(problem.arms))
    value = compare(policy, nobody(len(own.arm), len(problem.arms)), problem.scored, level=problem.level)
    logged = compare_with_trial(policy, problem.net, problem.scored, level=problem.level)
    said = findings.judged and not problem.distrust
    budgets = value_budgets(problem, findings.best_arm) if said else ()
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
