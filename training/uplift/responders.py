"""Who responded in an experiment: its effects by the machinery of action models, with the same guards."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from experiments.errors import AnalysisError
from experiments.pages.uplift_page import effects_section
from experiments.uplift.evaluation import evaluate_uplift
from experiments.uplift.result import Unit, UpliftEvaluation, evaluation_document
from experiments.uplift.trial import Trial
from training.threads import one_thread_of_algebra
from training.uplift.features import find_leaks
from training.uplift.learning import LearnedEffects, learn_effects
from training.uplift.trust import TrialTrust, check_trial


@dataclass(frozen=True, slots=True, eq=False)
class Responders:
    """Who responded.

    Attributes:
        trial: The experiment as a trial, with the features that were used.
        trust: Its checks.
        learned: Effects by member.
        evaluation: How far they hold.
        left_out: Features that were not known before, with the reason.
    """

    trial: Trial
    trust: TrialTrust
    learned: LearnedEffects
    evaluation: UpliftEvaluation
    left_out: dict[str, str]

    @property
    def sentence(self) -> str:
        """Whether members responded differently, in a sentence."""
        arms = [
            arm
            for arm, one in zip(self.trial.arms[1:], self.learned.chosen.calibrations, strict=True)
            if one.passes
        ]
        if not arms:
            return "Members are not shown to have responded differently: treat everybody alike."
        return f"Members responded differently to {', '.join(arms)}; the report shows who did."

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "sentence": self.sentence,
            "learner": self.learned.chosen.name,
            "features": self.trial.features.columns,
            "left_out": dict(self.left_out),
            "warnings": list(self.trust.failures),
            **evaluation_document(self.evaluation),
        }

    def section(self) -> str:
        """Return a fragment for the report."""
        return effects_section(self.evaluation)

    def table(self) -> pl.DataFrame:
        """Return the trial as `troth plan` and `troth train actions` read it: unit, variant, outcome, propensity, features."""
        trial = self.trial
        (name,) = trial.outcomes
        return pl.DataFrame(
            {
                "unit": trial.members,
                "variant": [trial.arms[place] for place in trial.arm.tolist()],
                name: trial.outcomes[name],
                "propensity": trial.propensity,
            }
        ).with_columns(
            column for column in trial.features if column.name not in {"unit", "variant", name, "propensity"}
        )


def who_responded(trial: Trial, *, seed: int = 0) -> Responders:
    """Learn the effects of an experiment's variants on its primary metric, and judge them on units that models did not see.

    Args:
        trial: The experiment as a trial.
        seed: Of folds.

    Raises:
        AnalysisError: The experiment's sample ratio or balance is off, or no feature is left.
    """
    leaks = find_leaks(trial.features, trial)
    features = trial.features.drop(list(leaks))
    if not features.width:
        raise AnalysisError(
            "No feature was known before the variants were drawn, so who responded cannot be told."
        )
    trial = Trial(trial.members, trial.arms, trial.arm, trial.propensity, trial.outcomes, features)
    shares = {arm: float(trial.propensity[trial.arm == place][0]) for place, arm in enumerate(trial.arms)}
    trust = check_trial(trial, shares)
    if not trust.trusted:
        raise AnalysisError(f"Who responded is not told: {' '.join(trust.failures)}")
    (outcome,) = trial.outcomes
    with one_thread_of_algebra():
        learned = learn_effects(trial, outcome, seed=seed)
        evaluation = evaluate_uplift(
            trial,
            outcome,
            learned.scores,
            {learned.chosen.name: learned.effects},
            unit=Unit(outcome),
            baselines={"response": learned.predicted.mean(axis=1)},
            untreated=learned.predicted[:, 0],
        )
    return Responders(
        trial, trust, learned, evaluation, {name: f"it {leak.sentence}" for name, leak in leaks.items()}
    )
