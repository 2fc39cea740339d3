"""An evaluation as a JSON document: raw figures, in the outcome's own unit per member, with their definitions."""

import math
from dataclasses import asdict
from typing import Any

from experiments.uplift.bands import GRID
from experiments.uplift.calibration import Calibration
from experiments.uplift.estimate import Estimate
from experiments.uplift.groups import EffectGroup
from experiments.uplift.policies import PolicyValue
from experiments.uplift.result import ArmResult, Evaluation, PredictionResult, RankingResult


def evaluation_document(evaluation: Evaluation) -> dict[str, Any]:
    """Return an evaluation as plain values for JSON; what is not finite is null."""
    document: dict[str, Any] = {
        "outcome": evaluation.outcome,
        "unit": f"{evaluation.unit.many} per member",
        "shown_as": {"unit": evaluation.unit.words, "factor": evaluation.unit.per},
        "members": evaluation.members,
        "control": evaluation.control,
        "costs": dict(evaluation.costs),
        "level": evaluation.level,
        "draws": evaluation.draws,
        "seed": evaluation.seed,
        "arms": [_arm(arm) for arm in evaluation.arms],
        "policies": [_policy(policy) for policy in evaluation.policies],
        "warnings": list(evaluation.warnings),
        "definitions": dict(evaluation.definitions),
    }
    return document


def estimate_json(one: Estimate) -> dict[str, float | None]:
    """Return a figure with its interval as plain values."""
    return {
        "estimate": _finite(one.estimate),
        "standard_error": _finite(one.error),
        "ci_lower": _finite(one.lower),
        "ci_upper": _finite(one.upper),
        "p_value": one.p_value,
    }


def calibration_json(one: Calibration) -> dict[str, Any]:
    """Return a calibration as plain values."""
    return {
        "average_effect": estimate_json(one.average),
        "slope": estimate_json(one.slope),
        "intercept": _finite(one.intercept),
        "gate": {
            "passes": one.passes,
            "lower_bound": _finite(one.bound),
            "level": one.level,
            "arms": one.tests,
        },
        "shrinkage": one.shrinkage,
        "predicted_mean": _finite(one.predicted_mean),
        "warning": one.warning,
    }


def _arm(arm: ArmResult) -> dict[str, Any]:
    return {
        "arm": arm.arm,
        "treated": arm.treated,
        "untreated": arm.untreated,
        "average_effect": estimate_json(arm.average),
        "rankings": [_ranking(one) for one in arm.rankings],
        "differences": [
            {
                "ranking": one.name,
                "minus": one.other,
                "qini_raw": estimate_json(one.qini),
                "robust_qini": estimate_json(one.robust_qini),
            }
            for one in arm.differences
        ],
        "predictions": [_prediction(one) for one in arm.predictions],
    }


def _ranking(one: RankingResult) -> dict[str, Any]:
    return {
        "ranking": one.name,
        "learned": one.learned,
        "qini_raw": estimate_json(one.qini),
        "auuc_raw": estimate_json(one.auuc),
        "qini_per_effect": one.qini_per_effect,
        "robust_qini": estimate_json(one.robust_qini),
        "equivalents": asdict(one.equivalents),
        "curve": _curve(one.curve),
    }


def _curve(heights: tuple[Estimate, ...]) -> list[dict[str, float | None]]:
    return [
        {
            "depth": float(depth),
            "gain": height.estimate,
            "ci_lower": _finite(height.lower),
            "ci_upper": _finite(height.upper),
        }
        for depth, height in zip(GRID, heights, strict=True)
    ]


def _prediction(one: PredictionResult) -> dict[str, Any]:
    return {
        "model": one.name,
        "calibration": calibration_json(one.calibration),
        "deciles": [
            {
                "decile": row.number,
                "members": row.size,
                "predicted": row.predicted,
                "lowest": row.lowest,
                "highest": row.highest,
                "actual": estimate_json(row.actual),
            }
            for row in one.deciles
        ],
        "quintiles": {
            "effects": [estimate_json(effect) for effect in one.quintiles.effects],
            "top_minus_bottom": estimate_json(one.quintiles.top_minus_bottom),
            "p_value": one.quintiles.p_value,
            "rising": one.quintiles.rising,
        },
        "groups": [_group(group) for group in one.groups],
    }


def _group(group: EffectGroup) -> dict[str, Any]:
    return {
        "group": group.name.value,
        "claimed": group.claimed,
        "members": group.size,
        "share": group.share,
        "predicted": _finite(group.predicted),
        "effect": estimate_json(group.effect),
        "untreated_minus_all": estimate_json(group.untreated),
        "verdict": group.verdict,
        "description": group.description if group.size else None,
        "features": [{**asdict(one), "standardised": _finite(one.standardised)} for one in group.differences],
    }


def _policy(policy: PolicyValue) -> dict[str, Any]:
    return {
        "model": policy.name,
        "shares": list(policy.shares),
        "value": estimate_json(policy.value),
        "best_arm": policy.best_arm,
        "qini": estimate_json(policy.qini),
        "net_qini": estimate_json(policy.net_qini),
        "curve": _curve(policy.curve),
        "gains": {name: estimate_json(gain) for name, gain in policy.gains.items()},
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
