"""What the job for actions found: as one document, as metrics of its run, and in words."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from experiments.display import Displayed
from experiments.number_format import count_of
from experiments.uplift.result import UpliftEvaluation, calibration_json, estimate_json
from training.uplift.learning import LearnedEffects
from training.uplift.reading import ReadTrial
from training.uplift.trust import TrialTrust

if TYPE_CHECKING:
    from training.tracking.runs import JobRun


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TrainActionsResult(Displayed):
    """The result of the job.

    Attributes:
        read: The trial.
        trust: Whether it can be trusted.
        learned: Effects by outcome, the deciding one first.
        evaluation: How good they are, by outcome.
        seed: Of everything random.
        folds: Of the cross-fitting.
        run_id: MLflow run.
        experiment_name: Its experiment.
        tracking_uri: Address of the store.
        registered_model: Name of the registered model; empty before it is.
        version: Its version.
        promoted: Whether that is the champion now.
    """

    read: ReadTrial
    trust: TrialTrust
    learned: Mapping[str, LearnedEffects]
    evaluation: Mapping[str, UpliftEvaluation]
    seed: int
    folds: int
    run_id: str = ""
    experiment_name: str = ""
    tracking_uri: str = ""
    registered_model: str = ""
    version: str = ""
    promoted: bool = False

    @property
    def money(self) -> LearnedEffects:
        """The effects on what decides."""
        return self.learned[self.read.money]

    def of_run(self, run: "JobRun") -> Self:
        """Return the result with the run that keeps it."""
        return replace(
            self, run_id=run.run_id, experiment_name=run.experiment_name, tracking_uri=run.tracking_uri
        )

    def registered(self, name: str, version: str, *, promoted: bool) -> Self:
        """Add the version in the registry to the result.

        Args:
            name: Of the registered model.
            version: Its number.
            promoted: Whether it is the champion now.

        Returns:
            A copy of the result with it.
        """
        return replace(self, registered_model=name, version=version, promoted=promoted)

    def summary(self) -> str:
        """Return effects by arm, whether they differ, what to be careful about, and where the model is kept."""
        return result_lines(self)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        trial, money = self.read.trial, self.money
        return {
            "members": len(trial),
            "control": trial.arms[0],
            "arms": [
                {
                    "arm": arm,
                    "members": int(trial.counts[place]),
                    "effects": {}
                    if place == 0
                    else {name: estimate_json(one.averages[place - 1]) for name, one in self.learned.items()},
                }
                for place, arm in enumerate(trial.arms)
            ],
            "outcome": self.read.outcome,
            "money": self.read.money,
            "features": trial.features.columns,
            "left_out": dict(self.read.left_out),
            "learner": money.chosen.name,
            "gate": {
                "passes": any(one.passes for one in money.chosen.calibrations),
                "arms": {
                    arm: one.passes
                    for arm, one in zip(trial.arms[1:], money.chosen.calibrations, strict=True)
                },
            },
            "learners": {name: _learners(one, self.evaluation[name]) for name, one in self.learned.items()},
            "trust": {
                "trusted": self.trust.trusted,
                "findings": [
                    {
                        "check": one.name,
                        "passed": one.passed,
                        "p_value": one.p_value,
                        "sentence": one.sentence,
                    }
                    for one in self.trust.findings
                ],
            },
            "warnings": list(self.warnings),
            "folds": self.folds,
            "seed": self.seed,
            "definitions": dict(self.evaluation[self.read.money].definitions),
            "run": {
                "run_id": self.run_id,
                "experiment": self.experiment_name,
                "tracking_uri": self.tracking_uri,
                "registered_model": self.registered_model,
                "version": self.version,
                "champion": self.promoted,
            },
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the reader should know, in sentences."""
        calibrations = [
            f"{name}, {arm}: {one.warning}"
            for name, learned in self.learned.items()
            for arm, one in zip(self.read.trial.arms[1:], learned.chosen.calibrations, strict=True)
            if one.warning
        ]
        return (*self.trust.failures, *self.read.warnings, *calibrations)

    def metrics(self) -> dict[str, float]:
        """Return numbers for the run, arms under the letters that MLflow allows."""
        found: dict[str, float] = {"members": float(len(self.read.trial))}
        for name, learned in self.learned.items():
            arms = zip(self.read.trial.arms[1:], learned.averages, learned.chosen.calibrations, strict=True)
            for place, (arm, average, calibration) in enumerate(arms):
                key = f"{_key(name)}/{_key(arm)}"
                ranking = self.evaluation[name].arms[place].rankings[0]
                found |= {
                    f"{key}/effect": average.value,
                    f"{key}/effect_se": average.standard_error,
                    f"{key}/slope": calibration.slope.value,
                    f"{key}/slope_se": calibration.slope.standard_error,
                    f"{key}/qini_raw": ranking.qini.value,
                    f"{key}/qini_raw_se": ranking.qini.standard_error,
                }
        return found

    def note(self) -> str:
        """Return the result in Markdown, for the run's page."""
        lines = [
            f"Effects on **{self.read.money}** in a trial of {count_of(len(self.read.trial), 'member')}.",
            "",
        ]
        lines += [
            "| arm | average effect | 95 % interval | differs between members |",
            "| --- | --- | --- | --- |",
        ]
        arms = zip(self.read.trial.arms[1:], self.money.averages, self.money.chosen.calibrations, strict=True)
        lines += [
            f"| {arm} | {average.value:+.4g} | {average.lower:+.4g} to {average.upper:+.4g} | {'yes' if one.passes else 'not shown'} |"
            for arm, average, one in arms
        ]
        lines += ["", f"Learner: {self.money.chosen.name}."]
        lines += [f"* {warning}" for warning in self.warnings]
        return "\n".join(lines)


def _learners(learned: LearnedEffects, evaluation: UpliftEvaluation) -> list[dict[str, Any]]:
    rows = []
    for name, one in learned.learners.items():
        difference = learned.differences.get(name)
        arms = []
        for place, calibration in enumerate(one.calibrations):
            found = evaluation.arms[place]
            ranking = next(ranking for ranking in found.rankings if ranking.name == name)
            arms.append(
                {
                    "arm": found.arm,
                    **calibration_json(calibration),
                    "qini_raw": estimate_json(ranking.qini),
                    "auuc_raw": estimate_json(ranking.auuc),
                }
            )
        rows.append(
            {
                "learner": name,
                "serves": name == learned.chosen.name,
                "policy_value_minus_default": None if difference is None else estimate_json(difference),
                "arms": arms,
            }
        )
    return rows


def _key(name: str) -> str:
    return "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "_-. ") else "_" for letter in name
    )


def result_lines(result: TrainActionsResult) -> str:
    """Return the result in a few lines: effects by arm, whether they differ, what to be careful about, where it is kept."""
    trial, money = result.read.trial, result.money
    sizes = f"{count_of(len(trial), 'member')}, {count_of(len(trial.arms), 'arm')}"
    lines = [f"{sizes}; effects on {result.read.money} against {trial.arms[0]!r}, by {money.chosen.name}:"]
    arms = zip(trial.arms[1:], money.averages, money.chosen.calibrations, strict=True)
    for place, (arm, average, calibration) in enumerate(arms):
        ranking = result.evaluation[result.read.money].arms[place].rankings[0]
        lines.append(
            f"  {arm}: {average.value:+.4g} a member (95 % {average.lower:+.4g} to {average.upper:+.4g}),"
            f" slope {calibration.slope.value:.2f} ± {calibration.slope.standard_error:.2f},"
            f" qini_raw {ranking.qini.value:.4g} ({ranking.qini.lower:.4g} to {ranking.qini.upper:.4g})"
        )
    lines += [f"  ! {warning}" for warning in result.warnings]
    kept = f"Version {result.version} of {result.registered_model}"
    lines.append(f"{kept} {'is champion now' if result.promoted else 'is registered, not champion'}.")
    lines.append(f"Compare runs: mlflow ui --backend-store-uri {result.tracking_uri}")
    return "\n".join(lines)
