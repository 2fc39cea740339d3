"""The plan as one JSON document."""

import math
from collections.abc import Sequence
from typing import Any

from experiments.send_plan.plan import SendPlan, VerdictCode
from experiments.send_plan.policies import BEST_ARM, NOBODY
from experiments.send_plan.problem import MIN_EFFECTIVE, PolicyComparison
from experiments.send_plan.sentences import (
    TITLES,
    alternative,
    headline,
    needed_to_personalise,
    refused,
    steps,
)
from experiments.send_plan.valuation import CandidatePolicy
from experiments.stats.estimate import Estimate

DEFINITIONS = {
    "value": (
        "Net margin per member of the personalised list, minus that of the alternative within the same limits: the mean over the"
        " trial's members of the difference of chances times doubly robust scores. ips: the same with inverse-propensity scores."
    ),
    "interval": (
        "Two-sided, 95 % unless level says otherwise; of candidates over nobody simultaneous (Bonferroni). Where effects are not shown to"
        " differ, errors of the personalised list are multiplied by √2: what a fold is given then rests on the noise of the other folds."
    ),
    "net margin": ("Margin less the cost of what was sent: per send, and per response times the response."),
    "best_arm": "The arm that earns most for all, or for a random share where the limits do not reach all.",
    "random": "Each arm as likely, for all or for the random share that the limits reach.",
    "response": "The best arm for those most likely to respond to it: as many as the limits reach.",
    "rule": "The own rule, or a random share of its sends where the limits do not reach all of them.",
    "logged": "What the trial's members really brought, whatever the trial cost; no alternative within the limits.",
    "shadow_price": "Net gain that the last 1 of budget brings.",
    "curve": (
        "Predicted net gain of personalised lists over budgets. valued: some of them, nobody left to chance, with what they earn per"
        " member on the trial."
    ),
    "net_gain": "Expected margin over nobody less expected cost.",
    "min_roi": "Net gain over cost.",
    "effective_members": (
        "Kish: the squared sum of weights over the sum of squared weights. Below"
        f" {MIN_EFFECTIVE} nothing is said of a policy."
    ),
    "smallest_gain": (
        "The smallest gain worth having, money per member; a tenth of the standard deviation of the control's margin unless given."
    ),
    "random share": "Members by a hash of their id whom chance gives an arm or nobody; the same in every alternative.",
    "propensity": "How likely the member was to get what the list gives them, chance included.",
}


def plan_document(
    plan: SendPlan, before: Sequence[tuple[str, str]] = (), warnings: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the plan as plain values.

    Args:
        plan: The plan.
        before: Steps that came before the allocation: name and sentence.
        warnings: What the reader should know of the data.

    Returns:
        The JSON document, with the meaning of every figure.
    """
    trusted = plan.verdict.code is not VerdictCode.TRIAL_NOT_TRUSTED
    return {
        "verdict": plan.verdict.code.value,
        "title": TITLES[plan.verdict.code],
        "sentence": headline(plan),
        "arm": plan.problem.arms[plan.verdict.arm] if plan.verdict.arm else None,
        "rule": plan.verdict.rule or None,
        "warnings": list(warnings),
        "value": {name: _compared(plan, name, one) for name, one in plan.findings.against.items()},
        "candidates": _candidates(plan) if trusted else [],
        "list": _list(plan, trusted=trusted),
        "budget": _budget(plan) if trusted else {},
        "needed": _needed(plan) if trusted else {},
        "level": plan.problem.alpha,
        "steps": [
            {"step": name, "sentence": sentence}
            for name, sentence in (*before, *(steps(plan) if trusted else [("verdict", headline(plan))]))
        ],
        "definitions": DEFINITIONS,
    }


def estimate_document(figure: Estimate) -> dict[str, float | None]:
    """Return an estimate with its interval; null where there is none."""
    return {
        "estimate": _number(figure.value),
        "ci_lower": _number(figure.lower),
        "ci_upper": _number(figure.upper),
        "standard_error": _number(figure.standard_error),
        "p_value": _number(figure.p_value),
    }


def _compared(plan: SendPlan, name: str, comparison: PolicyComparison) -> dict[str, Any]:
    """Return a comparison; null in every figure, with the reason, where nothing may be said."""
    refusal = refused(plan)
    figures = _both(comparison)
    if refusal:
        nothing = dict.fromkeys(estimate_document(comparison.robust))
        figures = {**nothing, "ips": nothing}
    return {
        "alternative": alternative(plan, name),
        **figures,
        "effective_members": comparison.effective,
        "refused": refusal or None,
    }


def _both(comparison: PolicyComparison) -> dict[str, Any]:
    return {**estimate_document(comparison.robust), "ips": estimate_document(comparison.weighted)}


def _candidates(plan: SendPlan) -> list[dict[str, Any]]:
    return [{"name": one.name, "reach": one.reach, **estimate_document(one.gain)} for one in _shown(plan)]


def _shown(plan: SendPlan) -> tuple[CandidatePolicy, ...]:
    findings = plan.findings
    return (*findings.arms, findings.plan) if findings.valued else findings.arms


def _list(plan: SendPlan, *, trusted: bool) -> dict[str, Any]:
    listed = plan.list
    sends = dict(zip(plan.problem.arms, (int(count) for count in listed.sends), strict=True))
    return {
        "members": len(plan.audience),
        "sends": sends,
        # A sum of costs that is the budget itself is written as such, whatever its last digit.
        "cost": min(listed.cost, plan.limits.budget),
        "expected_net_gain": listed.expected_gain(plan.audience.expected_gains),
        "random_share": listed.random.share,
        "random_members": int(listed.random.random.sum()),
        "of_the_trial": plan.of_the_trial,
        "value": _both(plan.value) if trusted else None,
        "value_against_trial": _both(plan.against_trial) if trusted else None,
    }


def _budget(plan: SendPlan) -> dict[str, Any]:
    found, limits = plan.personal.allocation, plan.limits
    assert found is not None
    names = plan.problem.arms[1:]
    return {
        "amount": _number(limits.budget),
        "sends": limits.sends,
        "caps": {names[arm]: cap for arm, cap in limits.caps.items()},
        "min_roi": limits.min_roi,
        "personalised_cost": min(plan.personal.cost, limits.budget),
        "chosen": {"cost": found.cost, "net_gain": found.gain, "sends": found.sends},
        "logged": "What the trial's members really brought, whatever the trial cost; no alternative within the limits.",
        "shadow_price": found.shadow_price,
        "gap": found.gap,
        "curve": [
            {"cost": point.cost, "net_gain": point.gain, "sends": point.sends, "price": point.price}
            for point in found.curve
        ],
        "valued": _valued(plan),
        "curve_members": found.curve_members,
        "curve_sampled": found.curve_members < len(found.arm),
    }


def _valued(plan: SendPlan) -> list[dict[str, Any]]:
    """Return lists at other budgets, their money and sends scaled to the members of the list."""
    scale = len(plan.audience) / len(plan.problem.audience)
    return [
        {
            "budget": one.budget * scale,
            "cost": one.cost * scale,
            "sends": round(one.sends * scale),
            NOBODY: _both(one.nobody),
            BEST_ARM: _both(one.best_arm),
        }
        for one in plan.budgets
    ]


def _needed(plan: SendPlan) -> dict[str, Any]:
    needed, personal = plan.findings.needed, plan.findings.needed_to_personalise
    arms = plan.problem.arms
    return {
        "smallest_gain": needed.smallest_gain,
        "power": needed.power,
        "level": needed.alpha,
        "comparisons": needed.comparisons,
        "members_per_arm": needed.per_arm,
        "more_per_arm": needed.more_per_arm,
        "more_by_arm": dict(zip(arms, needed.more, strict=True)),
        "detectable_gain": needed.detectable,
        "personalisation": {
            "gain": personal.gain,
            "members": personal.members,
            "more": personal.more,
            "sentence": needed_to_personalise(plan),
        },
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
