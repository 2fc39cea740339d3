"""Judges predicted effects by a trial: their order, their size, who is who, and whether choosing by them pays."""

from collections.abc import Mapping
from itertools import product

import numpy as np

from experiments.effects.bands import bootstrap_areas, contrast_areas
from experiments.effects.calibration import Calibration, apply_all, calibrate_arms, group_effects
from experiments.effects.curves import arm_weights
from experiments.effects.deciles import effects_by_decile
from experiments.effects.definitions import definitions
from experiments.effects.equivalents import equivalents
from experiments.effects.estimate import mean_estimate
from experiments.effects.groups import effect_groups
from experiments.effects.policies import best_choice, policy_value
from experiments.effects.result import (
    ArmResult,
    Evaluation,
    PredictionResult,
    RankingDifference,
    RankingResult,
    Unit,
)
from experiments.effects.trial import Floats, Trial
from experiments.errors import AnalysisError

_FEWEST = 2


def evaluate_effects(
    trial: Trial,
    outcome: str,
    scores: Floats,
    predictions: Mapping[str, Floats],
    *,
    unit: Unit,
    baselines: Mapping[str, Floats] | None = None,
    untreated: Floats | None = None,
    costs: Floats | None = None,
    level: float = 0.05,
    draws: int = 300,
    seed: int = 0,
) -> Evaluation:
    """Return everything that a trial says about predicted effects on one of its outcomes.

    Args:
        trial: Members with their arms, propensities and outcomes; features describe groups.
        outcome: Which outcome.
        scores: float64[n, arms], doubly robust, by models that did not see the member's own outcome.
        predictions: Predicted effects against the control by model, float64[n, arms - 1], by such models.
        unit: How effects are written.
        baselines: Other ways to rank members, float64[n] each: a response model, the marketer's own rule.
        untreated: float64[n], predicted outcomes without treatment; without them sure things and lost causes are never told
            apart.
        costs: float64[arms - 1], of giving each arm to a member, in the outcome's unit; free without.
        level: The accepted error of each interval, and of each model's gates and of its group claims together.
        draws: Of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        AnalysisError: An arm has fewer than two members, shapes do not fit, or a number is not finite.
    """
    baselines = dict(baselines or {})
    costs = np.zeros(len(trial.arms) - 1) if costs is None else costs
    untreated = np.full(len(trial), float(scores[:, 0].mean())) if untreated is None else untreated
    _check(trial, outcome, scores, predictions, {**baselines, "the outcome without treatment": untreated}, costs)
    calibrations = {name: calibrate_arms(scores, found, level=level) for name, found in predictions.items()}
    arms = []
    for place, arm in enumerate(trial.arms[1:]):
        learned = {name: found[:, place] for name, found in predictions.items()}
        rankings, differences = _ranked(
            trial, outcome, scores, place + 1, learned, baselines, level, draws, seed
        )
        contrasts = scores[:, place + 1] - scores[:, 0]
        judged = tuple(
            _prediction(
                name,
                trial,
                scores[:, 0],
                contrasts,
                predicted,
                untreated,
                calibrations[name][place],
                float(costs[place]),
                level,
            )
            for name, predicted in learned.items()
        )
        average = mean_estimate(contrasts, level=level)
        counts = int(trial.counts[place + 1]), int(trial.counts[0])
        arms.append(ArmResult(arm, *counts, average, rankings, differences, judged))
    policies = tuple(
        policy_value(
            name,
            best_choice(apply_all(calibrations[name], predicted), costs)[0],
            scores,
            trial.arms,
            costs,
            baselines,
            level=level,
        )
        for name, predicted in predictions.items()
    )
    return Evaluation(
        outcome=outcome,
        unit=unit,
        members=len(trial),
        control=trial.arms[0],
        costs=dict(zip(trial.arms[1:], costs.tolist(), strict=True)),
        level=level,
        draws=draws,
        seed=seed,
        arms=tuple(arms),
        policies=policies,
        definitions=definitions(level=level, draws=draws, seed=seed),
    )


def _ranked(
    trial: Trial,
    outcome: str,
    scores: Floats,
    arm: int,
    learned: Mapping[str, Floats],
    baselines: Mapping[str, Floats],
    level: float,
    draws: int,
    seed: int,
) -> tuple[tuple[RankingResult, ...], tuple[RankingDifference, ...]]:
    """Return how good all rankings are for one arm, and how the learned ones compare."""
    rankings = {**learned, **baselines}
    rows = np.flatnonzero((trial.arm == 0) | (trial.arm == arm))
    treated, value = trial.arm[rows] == arm, trial.outcomes[outcome][rows]
    weight = arm_weights(treated, trial.propensity[rows])
    here = {name: ranking[rows] for name, ranking in rankings.items()}
    plain = bootstrap_areas(here, treated, value, weight, draws=draws, seed=seed, level=level)
    robust = contrast_areas(rankings, scores[:, arm] - scores[:, 0], level=level)
    results = []
    for name in rankings:
        qini, effect = plain.qini(name), plain.curves[name].average_effect
        results.append(
            RankingResult(
                name=name,
                learned=name in learned,
                qini=qini,
                auuc=plain.auuc(name),
                qini_per_effect=qini.estimate / abs(effect) if effect else None,
                robust_qini=robust.qini(name),
                equivalents=equivalents(here[name], treated, value),
                curve=plain.band(name),
            )
        )
    order = list(rankings)
    pairs = [(one, other) for one, other in product(learned, order) if order.index(one) < order.index(other)]
    differences = tuple(
        RankingDifference(one, other, plain.difference(one, other), robust.difference(one, other))
        for one, other in pairs
    )
    return tuple(results), differences


def _prediction(
    name: str,
    trial: Trial,
    control: Floats,
    contrasts: Floats,
    predicted: Floats,
    untreated: Floats,
    calibration: Calibration,
    cost: float,
    level: float,
) -> PredictionResult:
    return PredictionResult(
        name=name,
        calibration=calibration,
        deciles=effects_by_decile(contrasts, predicted, level=level),
        quintiles=group_effects(contrasts, predicted, level=level),
        groups=effect_groups(
            control,
            contrasts,
            predicted,
            untreated,
            trial.features,
            worth=cost,
            level=level,
            tests=len(trial.arms) - 1,
        ),
    )


def _check(
    trial: Trial,
    outcome: str,
    scores: Floats,
    predictions: Mapping[str, Floats],
    rankings: Mapping[str, Floats],
    costs: Floats,
) -> None:
    n, arms = len(trial), len(trial.arms)
    if outcome not in trial.outcomes:
        raise AnalysisError(f"there is no outcome {outcome!r}; there are {', '.join(trial.outcomes)}")
    for arm, count in zip(trial.arms, trial.counts, strict=True):
        if count < _FEWEST:
            raise AnalysisError(f"arm {arm!r} has {count} members; at least {_FEWEST} are needed")
    if both := predictions.keys() & rankings.keys():
        raise AnalysisError(f"{min(both)!r} names a prediction and a baseline; give them different names")
    shapes = {"the scores": (scores, (n, arms)), "the costs": (costs, (arms - 1,))}
    shapes |= {f"the predictions of {name!r}": (found, (n, arms - 1)) for name, found in predictions.items()}
    shapes |= {f"the ranking {name!r}": (found, (n,)) for name, found in rankings.items()}
    for what, (found, shape) in shapes.items():
        if found.shape != shape:
            raise AnalysisError(f"{what} have the shape {found.shape}; {shape} fits the trial")
        if not np.isfinite(found).all():
            raise AnalysisError(f"{what} have numbers that are not finite")
