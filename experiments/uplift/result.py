"""The result of an uplift evaluation, as values and as a JSON document.

The document has raw figures, in the outcome's own unit per member, with their definitions.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from experiments.stats.estimate import Estimate
from experiments.uplift.bands import GRID
from experiments.uplift.calibration import Decile, GroupEffects, UpliftCalibration
from experiments.uplift.curves import Equivalents
from experiments.uplift.groups import EffectGroup
from experiments.uplift.policies import PolicyValue


@dataclass(frozen=True, slots=True)
class Unit:
    """How effects are written for people: ``extra visits per 1,000 members mailed``.

    Attributes:
        many: What is counted, in the plural: ``visits``; for money its sign or code.
        per: Members that a figure is about; figures are multiplied by it when they are written.
        treated: What is done to them: ``mailed``.
    """

    many: str
    per: int = 1_000
    treated: str = "treated"

    @property
    def words(self) -> str:
        """The unit of an effect."""
        return f"extra {self.many} per {self.per:,} members {self.treated}"


@dataclass(frozen=True, slots=True)
class RankingResult:
    """How good the order is in which something would treat members with one arm.

    Attributes:
        name: Of what gives the order.
        learned: Whether it is a prediction of effects, rather than a baseline.
        qini: `qini_raw` from outcomes; its p-value is against a random order.
        auuc: `auuc_raw` from outcomes.
        qini_per_effect: `qini_raw` over the absolute average effect; ``None`` where that is 0.
        robust_qini: The doubly robust `qini_raw`.
        equivalents: What other libraries call the Qini.
        curve: The Qini curve with its pointwise band at the depths of `bands.GRID`.
    """

    name: str
    learned: bool
    qini: Estimate
    auuc: Estimate
    qini_per_effect: float | None
    robust_qini: Estimate
    equivalents: Equivalents
    curve: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True)
class RankingDifference:
    """The paired difference of two rankings' `qini_raw`, the first minus the second, from outcomes and doubly robust."""

    name: str
    other: str
    qini: Estimate
    robust_qini: Estimate


@dataclass(frozen=True, slots=True)
class PredictionResult:
    """Whether one model's predicted effects of one arm are true.

    Attributes:
        name: Of the model.
        calibration: Average effect, slope, gate and shrinkage.
        deciles: Predicted beside actual effects.
        quintiles: Group effects with their joint test.
        groups: The four groups, claimed or not.
    """

    name: str
    calibration: UpliftCalibration
    deciles: tuple[Decile, ...]
    quintiles: GroupEffects
    groups: tuple[EffectGroup, ...]


@dataclass(frozen=True, slots=True)
class ArmResult:
    """One arm against the control.

    Attributes:
        arm: Its name.
        treated: Members given it.
        untreated: Members of the control.
        average: The doubly robust average effect on everybody.
        rankings: Predictions first, then baselines.
        differences: Each prediction against each baseline and each later prediction.
        predictions: One per model.
    """

    arm: str
    treated: int
    untreated: int
    average: Estimate
    rankings: tuple[RankingResult, ...]
    differences: tuple[RankingDifference, ...]
    predictions: tuple[PredictionResult, ...]


@dataclass(frozen=True, slots=True)
class UpliftEvaluation:
    """Everything that a trial says about predicted effects on one outcome.

    Attributes:
        outcome: Its name.
        unit: How its effects are written.
        members: In the trial.
        control: Name of the control.
        costs: Of giving each arm to a member, in the outcome's unit, by arm.
        alpha: The accepted error of each interval, and of each model's gates and of its group claims together.
        draws: Of the bootstrap; 0 for influence functions.
        seed: Of the bootstrap.
        arms: One per arm but the control.
        policies: The value of choosing by each model's calibrated effects, net of cost.
        definitions: Formulas of all figures, name and text.
    """

    outcome: str
    unit: Unit
    members: int
    control: str
    costs: Mapping[str, float]
    alpha: float
    draws: int
    seed: int
    arms: tuple[ArmResult, ...]
    policies: tuple[PolicyValue, ...]
    definitions: tuple[tuple[str, str], ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with predicted effects, a sentence per arm and model that it is about."""
        return tuple(
            f"{one.name}, {arm.arm}: {one.calibration.warning}"
            for arm in self.arms
            for one in arm.predictions
            if one.calibration.warning
        )


def evaluation_document(evaluation: UpliftEvaluation) -> dict[str, Any]:
    """Return an evaluation as plain values for JSON; what is not finite is null."""
    document: dict[str, Any] = {
        "outcome": evaluation.outcome,
        "unit": f"{evaluation.unit.many} per member",
        "shown_as": {"unit": evaluation.unit.words, "factor": evaluation.unit.per},
        "members": evaluation.members,
        "control": evaluation.control,
        "costs": dict(evaluation.costs),
        "level": evaluation.alpha,
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
        "estimate": _finite(one.value),
        "standard_error": _finite(one.standard_error),
        "ci_lower": _finite(one.lower),
        "ci_upper": _finite(one.upper),
        "p_value": one.p_value,
    }


def calibration_json(one: UpliftCalibration) -> dict[str, Any]:
    """Return a calibration as plain values."""
    return {
        "average_effect": estimate_json(one.average),
        "slope": estimate_json(one.slope),
        "intercept": _finite(one.intercept),
        "gate": {
            "passes": one.passes,
            "lower_bound": _finite(one.bound),
            "level": one.alpha,
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
            "gain": height.value,
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
