"""A send plan in plain words: its verdict, steps and reasons."""

from experiments.number_format import (
    confidence,
    count_of,
    joined,
    money,
    money_decimals,
    rounded_percentage,
    signed,
)
from experiments.send_plan.plan import SendPlan, VerdictCode
from experiments.send_plan.policies import BEST_ARM, LOGGED, NOBODY, RANDOM, RESPONSE, RULE
from experiments.send_plan.problem import MIN_EFFECTIVE
from experiments.stats.estimate import Estimate

TITLES = {
    VerdictCode.PERSONALISE: "Personalise",
    VerdictCode.ONE_OFFER_FOR_ALL: "One offer for all",
    VerdictCode.SIMPLE_RULE: "A simple rule is as good",
    VerdictCode.NOT_ENOUGH_DATA: "Not enough data",
    VerdictCode.SEND_NOTHING: "Send nothing",
    VerdictCode.TRIAL_NOT_TRUSTED: "The trial is not to be trusted",
}


def alternative(plan: SendPlan, name: str) -> str:
    """Return what an alternative is, in words."""
    arm = plan.problem.arms[plan.findings.best_arm]
    return {
        NOBODY: "sending nothing",
        BEST_ARM: f"{arm} for all" if _reaches_all(plan) else f"{arm} by lot",
        RANDOM: "a random arm each",
        RESPONSE: f"{arm} for those most likely to respond",
        RULE: "your own rule",
        LOGGED: "what the trial did",
    }[name]


def headline(plan: SendPlan) -> str:
    """Return the verdict in one or two sentences, with the numbers behind it."""
    match plan.verdict.code:
        case VerdictCode.TRIAL_NOT_TRUSTED:
            return f"Do not plan with this trial: {' '.join(plan.problem.distrust)}"
        case VerdictCode.PERSONALISE:
            return _personalise(plan)
        case VerdictCode.SIMPLE_RULE:
            return _simple_rule(plan)
        case VerdictCode.ONE_OFFER_FOR_ALL:
            return _one_offer(plan)
        case VerdictCode.NOT_ENOUGH_DATA:
            return _not_enough(plan)
        case VerdictCode.SEND_NOTHING:
            return _nothing(plan)


def refused(plan: SendPlan) -> str:
    """Return why nothing is said of the personalised list's value; empty where something is."""
    if plan.problem.distrust:
        return "The trial is not to be trusted."
    findings = plan.findings
    if findings.valued:
        return ""
    return (
        f"Choosing for each member cannot be judged: only {findings.effective:.0f} members of the trial, equally weighted, had"
        f" what the plan would give them, and {MIN_EFFECTIVE} are needed."
    )


def gain_text(figure: Estimate) -> str:
    """Return a signed figure with its interval: ``+0.42 (+0.20 to +0.64)``."""
    if not figure.standard_error > 0:
        return signed(figure.value, 2)
    decimals = money_decimals(figure.lower, figure.upper)
    return f"{signed(figure.value, decimals)} ({signed(figure.lower, decimals)} to {signed(figure.upper, decimals)})"


def _personalise(plan: SendPlan) -> str:
    against = plan.findings.against
    others = [name for name in (RANDOM, RESPONSE, RULE) if name in against]
    rest = joined([f"{alternative(plan, name)} ({_figure(against[name].robust)})" for name in others])
    return (
        f"Choosing for each member earns {gain_text(against[BEST_ARM].robust)} a member more than"
        f" {alternative(plan, BEST_ARM)}, {gain_text(against[NOBODY].robust)} more than sending nothing, and more than {rest}."
    )


def _figure(figure: Estimate) -> str:
    return signed(figure.value, money_decimals(figure.lower, figure.upper))


def _simple_rule(plan: SendPlan) -> str:
    against, simple = plan.findings.against, plan.findings.simple
    rule = plan.verdict.rule
    return (
        f"Choosing for each member beats {alternative(plan, BEST_ARM)} by {gain_text(against[BEST_ARM].robust)} a member,"
        f" but it is not shown to beat {alternative(plan, rule)}: {gain_text(against[rule].robust)} a member. Use the simple rule,"
        f" which earns {gain_text(simple[rule].robust)} a member more than {alternative(plan, BEST_ARM)}."
    )


def _one_offer(plan: SendPlan) -> str:
    findings = plan.findings
    candidate = findings.arms[plan.verdict.arm - 1]
    sure = confidence(plan.problem.alpha / len(plan.problem.arms))
    whom = (
        "everybody"
        if candidate.reach >= 1
        else f"{rounded_percentage(candidate.reach)} of the members, drawn by lot"
    )
    return (
        f"Send {candidate.name} to {whom}. It earns {gain_text(candidate.gain)} per member written to over sending nothing"
        f" ({sure} sure). {_not_personal(plan)}"
    )


def _not_personal(plan: SendPlan) -> str:
    refusal = refused(plan)
    if refusal:
        return refusal
    findings = plan.findings
    difference = findings.against[BEST_ARM].robust
    if difference.standard_error == 0:
        return "Choosing for each member gives everybody the same, so it earns nothing more."
    why = "" if plan.problem.differ else ", and effects do not differ measurably between members"
    figure = f"{gain_text(difference)} a member against {alternative(plan, BEST_ARM)}"
    if BEST_ARM in plan.verdict.short_of or not plan.problem.differ:
        shown = "earns less" if difference.below_zero else "is not shown to earn more"
        return f"Choosing for each member {shown}: {figure}{why}."
    beaten = joined([alternative(plan, name) for name in plan.verdict.short_of])
    return f"Choosing for each member earns {figure}, but it is not shown to beat {beaten}."


def _not_enough(plan: SendPlan) -> str:
    needed = plan.findings.needed
    arms = plan.problem.arms
    lacking = [f"{count:,} more with {arm}" for arm, count in zip(arms, needed.more, strict=True) if count]
    per_arm = f"{needed.more_per_arm:,} more members per arm are needed"
    more = per_arm if len(set(needed.more)) == 1 or not lacking else f"{joined(lacking)} are needed"
    return (
        f"Nothing is shown to earn anything, and the trial is too small to say that nothing does: {more}"
        f" to see a gain of {money(needed.smallest_gain)} a member with a chance of {100 * needed.power:.0f} %."
        f" This trial could have seen a gain of {money(needed.detectable)} a member."
    )


def _nothing(plan: SendPlan) -> str:
    findings = plan.findings
    best = findings.arms[findings.best_arm - 1]
    return (
        f"No arm is shown to earn anything after its cost; the best, {best.name}, brings {gain_text(best.gain)} a member."
        f" This trial could have seen a gain of {money(findings.needed.detectable)} a member"
        f" with a chance of {100 * findings.needed.power:.0f} %."
    )


def steps(plan: SendPlan) -> list[tuple[str, str]]:
    """Return what was done after the effects were learned, step by step: name and sentence."""
    return [
        ("allocate", _allocated(plan)),
        ("value", _valued(plan)),
        ("verdict", f"{TITLES[plan.verdict.code]}. {headline(plan)}"),
        ("keep learning", _learning(plan)),
    ]


def _allocated(plan: SendPlan) -> str:
    found = plan.personal.allocation
    assert found is not None
    spent = (
        f"{count_of(found.sends, 'send')} for {money(found.cost)}, expected to gain {money(found.gain)} net"
    )
    if not found.prices.money:
        return (
            f"The personalised list has {spent}; more money would buy nothing more within the other limits."
        )
    return f"The personalised list has {spent}; the last 1 of budget brings {money(found.shadow_price)} net."


def _valued(plan: SendPlan) -> str:
    findings = plan.findings
    refusal = refused(plan)
    if refusal:
        return refusal
    listed = [
        f"{gain_text(comparison.robust)} against {alternative(plan, name)}"
        for name, comparison in findings.against.items()
    ]
    return (
        f"The personalised list earns, per member: {'; '.join(listed)}."
        f" {findings.effective:,.0f} members of the trial, equally weighted, speak for it."
    )


def _learning(plan: SendPlan) -> str:
    share = plan.list.random
    if not share.share:
        return "Nobody is left to chance, so the next plan cannot be learned from this list."
    count = int(share.random.sum())
    return (
        f"{count_of(count, 'member')} ({rounded_percentage(share.share)} of the list) get what chance gives them, and the probability of"
        " what each member gets is written down, so that the next plan can be learned from this list and valued by it."
    )


def needed_to_personalise(plan: SendPlan) -> str:
    """Return how much data would show that choosing for each member is worth it."""
    needed = plan.findings.needed_to_personalise
    seen = f"a gain of {money(needed.gain)} a member over {alternative(plan, BEST_ARM)}"
    if not needed.more:
        return f"This trial is large enough to show {seen} by personalising, if there is one."
    return f"To show {seen} by personalising, {needed.members:,} members are needed, {needed.more:,} more than there are."


def _reaches_all(plan: SendPlan) -> bool:
    return plan.findings.arms[plan.findings.best_arm - 1].reach >= 1
