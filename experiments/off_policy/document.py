"""An evaluation of a policy as a JSON document, and as lines for a terminal."""

from typing import Any

from experiments.effects.document import estimate_json
from experiments.off_policy.evaluation import PolicyEvaluation
from experiments.off_policy.overlap import FEWEST_EFFECTIVE, FEWEST_EFFECTIVE_SHARE, FEWEST_REWARDS

DEFINITIONS = {
    "weight": "probability of the evaluated policy for the logged action / propensity of the logging policy",
    "effective_rows": "(sum of weights)^2 / sum of squared weights (Kish)",
    "ips": "mean(weight * reward)",
    "clipped_ips": "mean(min(weight, sqrt(rows)) * reward)",
    "snips": "sum(weight * reward) / sum(weight)",
    "dm": "mean of predicted rewards under the policy; never with an interval",
    "dr": "mean(predicted under the policy + weight * (reward - predicted))",
    "sndr": "mean(predicted under the policy) + sum(weight * (reward - predicted)) / sum(weight)",
    "switch_dr": "as dr, but weights above a threshold are left to the model",
    "refused_below": f"{FEWEST_EFFECTIVE:g} effective rows, {FEWEST_EFFECTIVE_SHARE:.0%} of the rows, or {FEWEST_REWARDS} rewards",
}


def policy_document(found: PolicyEvaluation) -> dict[str, Any]:
    """Return an evaluation as plain values."""
    overlap = found.overlap
    return {
        "policy": found.policy,
        "verdict": found.verdict.value,
        "sentence": found.sentence,
        "estimator": found.chosen_value.estimator,
        "value": estimate_json(found.value),
        "on_policy": estimate_json(found.on_policy),
        "relative_value": found.relative_of(found.chosen_value),
        "difference": estimate_json(found.difference),
        "estimators": {
            one.estimator: (
                {"estimate": one.value.estimate, "note": one.note}
                if one.influence is None
                else {**estimate_json(one.value), "relative_value": found.relative_of(one), "note": one.note}
            )
            for one in found.values
        },
        "weights": {
            "rows": overlap.rows,
            "mean": overlap.mean_weight,
            "mean_p_value": overlap.mean_weight_p,
            "largest": overlap.largest_weight,
            "effective_rows": overlap.effective_rows,
            "agreeing_share": overlap.agreeing_share,
            "rewarded_rows": overlap.rewarded,
        },
        "positions": [
            {
                "position": one.position,
                "rows": one.rows,
                "on_policy": estimate_json(one.on_policy),
                "ips": estimate_json(one.value),
            }
            for one in found.positions
        ],
        "level": found.level,
        "definitions": dict(DEFINITIONS),
    }


def policy_lines(found: PolicyEvaluation) -> str:
    """Return an evaluation for a terminal: the verdict, then the figures that it rests on."""
    overlap = found.overlap
    lines = [f"{found.verdict.value.replace('_', ' ')}: {found.sentence}"]
    lines.append(
        f"The log earned {found.on_policy.estimate:.4g} a row ({found.on_policy.lower:.4g} to {found.on_policy.upper:.4g});"
        f" {overlap.rows:,} rows count as {overlap.effective_rows:,.0f}, mean weight {overlap.mean_weight:.3f}, largest"
        f" {overlap.largest_weight:.3g}, {100 * overlap.agreeing_share:.3g} % could have been the policy's own."
    )
    for one in found.values:
        interval = "" if one.influence is None else f" ({one.value.lower:.4g} to {one.value.upper:.4g})"
        mark = "*" if one is found.chosen_value else " "
        lines.append(
            f" {mark}{one.estimator:<12}{one.value.estimate:.5g}{interval}{f'; {one.note}' if one.note else ''}"
        )
    lines += [
        f"  position {one.position}: log {one.on_policy.estimate:.4g}, policy {one.value.estimate:.4g}"
        f" ({one.value.lower:.4g} to {one.value.upper:.4g})"
        for one in found.positions
    ]
    return "\n".join(lines)
