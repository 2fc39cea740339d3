"""Trials whose truth is known, with a learner of the tests' own: least squares per arm, cross-fitted."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from experiments.send_plan.problem import Audience, PlanLimits, PlanProblem, ScoredArms
from experiments.uplift.calibration import apply_all, calibrate_arms
from experiments.uplift.trial import Floats, Ints, doubly_robust_scores, weighted_scores

ARMS = ("none", "mail", "call")
FOLDS = 5


@dataclass(frozen=True)
class World:
    """A truth to draw trials from.

    Attributes:
        main: Average effect of each arm other than the control.
        interaction: How strongly the first feature turns the effects: +, − in turn by arm.
        noise: Standard deviation of the outcome around its expectation.
        explained: How strongly the second feature moves the outcome whatever the arm.
        costs: Of a send, by arm.
    """

    main: tuple[float, ...] = (0.0, 0.0)
    interaction: float = 0.0
    noise: float = 1.0
    explained: float = 0.3
    costs: tuple[float, ...] = (0.1, 0.1)

    def effects(self, features: Floats) -> Floats:
        """Return the true effects before cost, float64[n, K]."""
        turn = np.array([1.0 if arm % 2 == 0 else -1.0 for arm in range(len(self.main))])
        effects: Floats = np.array(self.main) + self.interaction * features[:, :1] * turn
        return effects


@dataclass(frozen=True)
class Drawn:
    """A plan's problem, and the truth behind it: net effects of each arm on each member, float64[n, arms], 0 for the control."""

    problem: PlanProblem
    truth: Floats
    features: Floats


def draw(world: World, members: int, seed: int, limits: PlanLimits | None = None, **changes: object) -> Drawn:
    """Return a trial of equal arms with cross-fitted predictions, calibrated and gated."""
    random = np.random.default_rng(seed)
    arms = len(world.main) + 1
    features = random.normal(size=(members, 3))
    arm = random.permutation(np.arange(members) % arms)
    effects = np.column_stack((np.zeros(members), world.effects(features)))
    expected = 5 + world.explained * features[:, 1] + effects[np.arange(members), arm]
    margin = expected + world.noise * random.normal(size=members)
    costs = np.array((0.0, *world.costs))
    net = margin - costs[arm]
    propensity = np.full(members, 1 / arms)
    predicted = cross_fitted(features, arm, net, arms, random)
    scored = ScoredArms(
        doubly_robust_scores(arm, propensity, net, predicted),
        weighted_scores(arm, propensity, net, arms),
        arm,
        propensity,
    )
    raw = predicted[:, 1:] - predicted[:, :1]
    calibrations = calibrate_arms(scored.robust, raw)
    differ = any(calibration.passes for calibration in calibrations)
    gains = apply_all(calibrations, raw) if differ else raw
    audience = Audience(
        members=pl.Series(np.arange(members)),
        gains=gains,
        costs=np.tile(costs[1:], (members, 1)),
        response=predicted[:, 1:],
    )
    problem = PlanProblem(
        arms=("none", *(f"arm {place}" for place in range(1, arms))) if arms != 3 else ARMS,
        audience=audience,
        scored=scored,
        net=net,
        predicted=predicted,
        limits=limits or PlanLimits(),
        differ=differ,
        seed=seed,
    )
    return Drawn(replace(problem, **changes), effects - costs, features)  # type: ignore[arg-type]


def cross_fitted(
    features: Floats, arm: Ints, outcome: Floats, arms: int, random: np.random.Generator
) -> Floats:
    """Return float64[n, arms]: what least squares on the other folds predict for each arm."""
    fold = random.permutation(np.arange(len(arm)) % FOLDS)
    rows = np.column_stack((np.ones(len(arm)), features))
    predicted = np.empty((len(arm), arms))
    for held in range(FOLDS):
        out = fold == held
        for one in range(arms):
            learn = ~out & (arm == one)
            weights = np.linalg.lstsq(rows[learn], outcome[learn], rcond=None)[0]
            predicted[out, one] = rows[out] @ weights
    return predicted
