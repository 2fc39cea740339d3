"""Who responded in an experiment: its effects by the machinery of action models, with the same guards."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from experiments.aggregates.tables import TableSource, open_table
from experiments.analysis.responders import UNIT, VALUE, VARIANT, experiment_trial
from experiments.analysis.sources import AnalysisSource
from experiments.definition import ExperimentDefinition
from experiments.errors import AnalysisError, OptionError
from experiments.pages.uplift_page import uplift_section
from experiments.uplift.evaluation import evaluate_uplift
from experiments.uplift.result import Unit, UpliftEvaluation, evaluation_document
from experiments.uplift.trial import Trial
from training.data.tables import write_table
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
        return uplift_section(self.evaluation)

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


def tell_responders(
    definition: ExperimentDefinition,
    source: AnalysisSource,
    *,
    who: bool,
    members: TableSource | None = None,
    features: Sequence[str] = (),
    trial: Path | None = None,
) -> Responders | None:
    """Return who responded in an experiment, if that is asked for.

    Args:
        definition: The experiment.
        source: Its data.
        who: Whether it is asked for.
        members: A table of members, with ``member_id``, whose columns were known before; without one a table's own columns are.
        features: Which of the columns; all that can be if none is named.
        trial: Where to write the experiment as a trial; nowhere if not given.

    Returns:
        Who responded; ``None`` if it is not asked for.

    Raises:
        OptionError: Options were given without asking.
        AnalysisError: It cannot be told, and why.
    """
    if not who:
        if members is not None or features or trial is not None:
            raise OptionError("--members, --features and --trial belong to --who.")
        return None
    units = source.trial_units(definition, () if members is not None else features)
    if members is not None:
        units = _with_members(units.select(UNIT, VARIANT, VALUE), members, features)
    known = units.drop(UNIT, VARIANT, VALUE)
    found = who_responded(experiment_trial(definition, units, _usable(known)))
    if trial is not None:
        write_table(found.table(), trial)
    return found


def _with_members(units: pl.DataFrame, members: TableSource, features: Sequence[str]) -> pl.DataFrame:
    table = open_table(members)
    names = table.collect_schema().names()
    missing = [name for name in ("member_id", *features) if name not in names]
    if missing:
        raise AnalysisError(
            f"{members} has no column {missing[0]!r}; it has {', '.join(names)}.", path=str(members)
        )
    kept = list(features) or [name for name in names if name not in {"member_id", UNIT, VARIANT, VALUE}]
    known = table.select(pl.col("member_id").cast(pl.String).alias(UNIT), *kept).collect()
    if known[UNIT].is_duplicated().any():
        raise AnalysisError(f"{members} has a member in several rows.", path=str(members))
    joined = units.join(known, on=UNIT, how="inner")
    if joined.is_empty():
        raise AnalysisError(f"{members} has none of the experiment's members.", path=str(members))
    return joined


def _usable(features: pl.DataFrame) -> pl.DataFrame:
    """Return the columns that tell members apart and are not different for each."""
    return features.select(
        column
        for column in features
        if (
            column.dtype.is_numeric()
            or column.dtype.is_temporal()
            or column.dtype in {pl.Boolean, pl.String, pl.Categorical}
        )
        and column.n_unique() > 1
        and not (
            column.n_unique() == features.height and (column.dtype == pl.String or column.dtype.is_integer())
        )
    )
