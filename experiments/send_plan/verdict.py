"""The verdict: personalise, one offer for all, a simple rule, not enough data, send nothing, or a trial not to be trusted."""

from dataclasses import dataclass
from enum import StrEnum

from experiments.send_plan.judging import Findings
from experiments.send_plan.lists import ListKind
from experiments.send_plan.policies import BEST_ARM, LOGGED, NOBODY, RANDOM, RESPONSE, RULE


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
class Verdict:
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


def decide(findings: Findings, *, trusted: bool, differ: bool) -> Verdict:
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
    """
    if not trusted:
        return Verdict(VerdictCode.TRIAL_NOT_TRUSTED)
    choosing = differ and findings.judged
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
            return Verdict(VerdictCode.PERSONALISE)
        as_good = [
            name
            for name in (RULE, RESPONSE)
            if name in short_of and findings.simple[name].robust.estimate > 0
        ]
        if as_good and BEST_ARM not in short_of and RANDOM not in short_of:
            rule = max(as_good, key=lambda name: findings.simple[name].robust.estimate)
            return Verdict(VerdictCode.SIMPLE_RULE, best, rule, short_of)
    if arm_pays:
        return Verdict(VerdictCode.ONE_OFFER_FOR_ALL, best, "", short_of)
    candidates = (*findings.arms, findings.plan) if choosing else findings.arms
    none_worth_it = all(candidate.gain.upper < findings.needed.smallest_gain for candidate in candidates)
    nothing = not plan_pays and (none_worth_it or findings.needed.enough)
    return Verdict(VerdictCode.SEND_NOTHING if nothing else VerdictCode.NOT_ENOUGH_DATA)
