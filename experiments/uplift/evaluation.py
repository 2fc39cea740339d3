"""Evaluates predicted effects on a trial: their order, their size, the groups of members, and whether choosing by them pays."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from experiments.errors import AnalysisError
from experiments.number_format import confidence, count_of
from experiments.stats.estimate import mean_estimate
from experiments.uplift.bands import bootstrap_areas, contrast_areas, outcome_areas
from experiments.uplift.calibration import (
    TOO_FAR_APART,
    UpliftCalibration,
    apply_all,
    calibrate_arms,
    effects_by_decile,
    group_effects,
)
from experiments.uplift.curves import arm_weights, equivalents
from experiments.uplift.groups import effect_groups
from experiments.uplift.policies import policy_value
from experiments.uplift.result import (
    ArmResult,
    PredictionResult,
    RankingDifference,
    RankingResult,
    Unit,
    UpliftEvaluation,
)
from experiments.uplift.trial import Floats, Trial


def definitions(*, alpha: float, draws: int, seed: int) -> tuple[tuple[str, str], ...]:
    """Return each figure's name and its definition.

    Args:
        alpha: The accepted error of intervals.
        draws: Of the bootstrap; 0 for influence functions.
        seed: Of the bootstrap.

    Returns:
        Pairs of name and definition, in the order of the document.
    """
    error = (
        f"the standard deviation of {draws:,} draws of members with replacement (seed {seed}; differences use the same draws for both)"
        if draws
        else "the standard error of the influence function (of the difference of both for a difference)"
    )
    return (
        (
            "qini_raw",
            (
                "Mean over the depth k/n of [g(k) - (k/n) g(n)] / N_t with g(k) = Y_t - Y_c n_t / n_c (Radcliffe 2007): incremental outcome"
                " per treated member above a random order. Members of equal rank are one step. With unequal propensities p a member"
                " counts (1/p) / (mean of 1/p in the arm) times in every n, Y and k; with one propensity per arm that is once."
            ),
        ),
        (
            "qini_per_effect",
            "qini_raw / |average effect from outcomes|; what causalml calls the normalised Qini.",
        ),
        (
            "auuc_raw",
            (
                "Mean over the depth of u(k)/n with u(k) = (Y_t/n_t - Y_c/n_c) k (Gutierrez & Gérardy 2016), as incremental outcome per"
                " member; a random order has half the average effect."
            ),
        ),
        (
            "robust_qini",
            (
                "The same area of (d_1 + … + d_k)/n over all members, where d is the doubly robust score of the arm minus that of the"
                " control; its standard error is that of its influence function."
            ),
        ),
        (
            "band",
            (
                f"{confidence(alpha)}, normal, with {error}. Rankings are held fixed: whether a learned one finds anything at all is"
                " the gate's question."
            ),
        ),
        (
            "calibration slope",
            (
                "Least squares of d on the predicted effect, error HC3: 1 where predictions have the right scale; a warning below"
                f" {TOO_FAR_APART}."
            ),
        ),
        (
            "gate",
            (
                "Passes if the slope's one-sided lower bound is above zero, at the level shared among the arms, with twice the variance for"
                " cross-fitting."
            ),
        ),
        (
            "calibrated effect",
            "Average effect + s (predicted - mean predicted), s the slope within [0, 1] and 0 where the gate fails.",
        ),
        (
            "policy qini",
            (
                "The area of (d_1 + … + d_k)/n above its diagonal, members in the order of what their best arm is predicted to bring"
                " by calibrated effects, d the doubly robust score of that arm minus the control's; net of cost: less the arm's cost."
            ),
        ),
        (
            "groups",
            (
                "Members are put into a group by prediction; it is claimed only if the actual effect among them is beyond the cost (or"
                " zero) with its interval, the level shared among four groups and all arms."
            ),
        ),
        (
            "scikit-uplift",
            (
                "qini_auc_score and uplift_auc_score of 0.5.1: the area above the diagonal over that of a perfect order. Binary outcomes"
                " only."
            ),
        ),
        (
            "causalml",
            (
                "qini_score and auuc_score of 0.18: mean height over k = 0 … n, above the diagonal for the Qini, over its absolute end if"
                " normalised; ties are not one step."
            ),
        ),
    )


_FEWEST = 2


def evaluate_uplift(
    trial: Trial,
    outcome: str,
    scores: Floats,
    predictions: Mapping[str, Floats],
    *,
    unit: Unit,
    baselines: Mapping[str, Floats] | None = None,
    untreated: Floats | None = None,
    costs: Floats | None = None,
    alpha: float = 0.05,
    draws: int = 0,
    seed: int = 0,
) -> UpliftEvaluation:
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
        alpha: The accepted error of each interval, and of each model's gates and of its group claims together.
        draws: Of the bootstrap; 0 takes influence functions, which say the same without draws.
        seed: Of the bootstrap.

    Returns:
        Rankings, calibrations and groups by arm, the value of choosing by each model, and the definition of every figure.

    Raises:
        AnalysisError: There is no such outcome or no prediction, a name is taken twice, an arm has fewer than two members, shapes do not fit, or a number is not finite.
    """
    given = _Given(
        trial=trial,
        outcome=outcome,
        scores=scores,
        predictions=predictions,
        baselines=dict(baselines or {}),
        untreated=np.full(len(trial), float(scores[:, 0].mean())) if untreated is None else untreated,
        costs=np.zeros(len(trial.arms) - 1) if costs is None else costs,
        alpha=alpha,
        draws=draws,
        seed=seed,
    )
    _check(given)
    calibrations = {name: calibrate_arms(scores, found, alpha=alpha) for name, found in predictions.items()}
    policies = tuple(
        policy_value(
            name,
            apply_all(calibrations[name], predicted),
            scores,
            arms=trial.arms,
            costs=given.costs,
            rankings=given.baselines,
            alpha=alpha,
        )
        for name, predicted in predictions.items()
    )
    return UpliftEvaluation(
        outcome=outcome,
        unit=unit,
        members=len(trial),
        control=trial.arms[0],
        costs=dict(zip(trial.arms[1:], given.costs.tolist(), strict=True)),
        alpha=alpha,
        draws=draws,
        seed=seed,
        arms=tuple(
            _arm(given, arm, {name: found[arm - 1] for name, found in calibrations.items()})
            for arm in range(1, len(trial.arms))
        ),
        policies=policies,
        definitions=definitions(alpha=alpha, draws=draws, seed=seed),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """The arguments of an evaluation, with nothing left out."""

    trial: Trial
    outcome: str
    scores: Floats
    predictions: Mapping[str, Floats]
    baselines: Mapping[str, Floats]
    untreated: Floats
    costs: Floats
    alpha: float
    draws: int
    seed: int

    def contrasts(self, arm: int) -> Floats:
        """Return an arm's scores minus the control's."""
        return self.scores[:, arm] - self.scores[:, 0]


def _arm(given: _Given, arm: int, calibrations: Mapping[str, UpliftCalibration]) -> ArmResult:
    rankings, differences = _ranked(given, arm)
    return ArmResult(
        arm=given.trial.arms[arm],
        treated=int(given.trial.counts[arm]),
        untreated=int(given.trial.counts[0]),
        average=mean_estimate(given.contrasts(arm), alpha=given.alpha),
        rankings=rankings,
        differences=differences,
        predictions=tuple(_prediction(given, arm, name, one) for name, one in calibrations.items()),
    )


def _ranked(given: _Given, arm: int) -> tuple[tuple[RankingResult, ...], tuple[RankingDifference, ...]]:
    """Return how good all rankings are for one arm, and how the learned ones compare."""
    trial = given.trial
    learned = {name: found[:, arm - 1] for name, found in given.predictions.items()}
    rankings = {**learned, **given.baselines}
    rows = np.flatnonzero((trial.arm == 0) | (trial.arm == arm))
    treated, value = trial.arm[rows] == arm, trial.outcomes[given.outcome][rows]
    weight = arm_weights(treated, trial.propensity[rows])
    here = {name: ranking[rows] for name, ranking in rankings.items()}
    if given.draws:
        plain = bootstrap_areas(
            here, treated, value, weight, draws=given.draws, seed=given.seed, alpha=given.alpha
        )
    else:
        plain = outcome_areas(here, treated, value, weight, alpha=given.alpha)
    robust = contrast_areas(rankings, given.contrasts(arm), alpha=given.alpha)
    results = []
    for name in rankings:
        qini, effect = plain.qini(name), plain.curves[name].average_effect
        results.append(
            RankingResult(
                name=name,
                learned=name in learned,
                qini=qini,
                auuc=plain.auuc(name),
                qini_per_effect=qini.value / abs(effect) if effect else None,
                robust_qini=robust.qini(name),
                equivalents=equivalents(here[name], treated, value),
                curve=plain.band(name),
            )
        )
    order = list(rankings)
    differences = tuple(
        RankingDifference(name, other, plain.difference(name, other), robust.difference(name, other))
        for place, name in enumerate(learned)
        for other in order[place + 1 :]
    )
    return tuple(results), differences


def _prediction(given: _Given, arm: int, name: str, calibration: UpliftCalibration) -> PredictionResult:
    contrasts, predicted = given.contrasts(arm), given.predictions[name][:, arm - 1]
    return PredictionResult(
        name=name,
        calibration=calibration,
        deciles=effects_by_decile(contrasts, predicted, alpha=given.alpha),
        quintiles=group_effects(contrasts, predicted, alpha=given.alpha),
        groups=effect_groups(
            given.scores[:, 0],
            contrasts,
            predicted,
            given.untreated,
            given.trial.features,
            worth=float(given.costs[arm - 1]),
            alpha=given.alpha,
            tests=len(given.trial.arms) - 1,
        ),
    )


def _check(given: _Given) -> None:
    trial = given.trial
    n, arms = len(trial), len(trial.arms)
    if given.outcome not in trial.outcomes:
        raise AnalysisError(f"there is no outcome {given.outcome!r}; there are {', '.join(trial.outcomes)}")
    if not given.predictions:
        raise AnalysisError("there are no predicted effects to judge")
    for arm, count in zip(trial.arms, trial.counts, strict=True):
        if count < _FEWEST:
            raise AnalysisError(
                f"arm {arm!r} has {count_of(int(count), 'member')}; at least {_FEWEST} are needed"
            )
    if both := given.predictions.keys() & given.baselines.keys():
        raise AnalysisError(f"{min(both)!r} names a prediction and a baseline; give them different names")
    shapes = {
        "the scores": (given.scores, (n, arms)),
        "the costs": (given.costs, (arms - 1,)),
        "the outcomes without treatment": (given.untreated, (n,)),
    }
    shapes |= {
        f"the effects of {name!r}": (found, (n, arms - 1)) for name, found in given.predictions.items()
    }
    shapes |= {f"the ranking {name!r}": (found, (n,)) for name, found in given.baselines.items()}
    for what, (found, shape) in shapes.items():
        if found.shape != shape:
            raise AnalysisError(f"{what} have the shape {found.shape}; {shape} fits the trial")
        if not np.isfinite(found).all():
            raise AnalysisError(f"{what} have numbers that are not finite")
