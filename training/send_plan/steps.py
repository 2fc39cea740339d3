"""What was done before money was allocated, in sentences."""

import math
from collections.abc import Mapping

from experiments.number_format import count_of, plain
from experiments.send_plan.sentences import money
from experiments.uplift.calibration import Calibration
from training.send_plan.costs import ArmCost
from training.uplift.learning import LearnedEffects
from training.uplift.reading import ReadTrial
from training.uplift.trust import TrialTrust


def first_steps(
    read: ReadTrial, trust: TrialTrust, learned: LearnedEffects, costs: Mapping[str, ArmCost]
) -> list[tuple[str, str]]:
    """Return name and sentence of each step up to the calibration.

    Args:
        read: The trial.
        trust: Its checks.
        learned: Effects on net margin.
        costs: By arm, as they were given.
    """
    return [
        ("read", _read(read)),
        ("trust the trial", " ".join(finding.sentence for finding in trust.findings)),
        ("costs", _costs(read, costs)),
        ("effects", _effects(learned)),
        ("heterogeneity gate", _gate(learned)),
        ("calibrate and shrink", _shrunk(learned)),
    ]


def _read(read: ReadTrial) -> str:
    trial = read.trial
    sizes = ", ".join(
        f"{arm} {count:,}" for arm, count in zip(trial.arms, trial.counts.tolist(), strict=True)
    )
    told = f"{count_of(len(trial), 'member')}: {sizes}; {count_of(trial.features.width, 'feature')}."
    if not read.columns.margin:
        told += f" No margin column was named, so {read.outcome} itself is the money."
    if not read.columns.response:
        told += f" Who responded is told by {read.response}."
    return told


def _costs(read: ReadTrial, costs: Mapping[str, ArmCost]) -> str:
    named = [
        f"{arm}: {cost.per_send:g} a send"
        + (f" and {cost.per_response:g} a response" if cost.per_response else "")
        for arm, cost in costs.items()
    ]
    free = [arm for arm in read.trial.arms[1:] if arm not in costs]
    if free:
        named.append(f"{' and '.join(free)}: nothing, because no cost was named")
    return f"{'; '.join(named)}."


def _effects(learned: LearnedEffects) -> str:
    arms = "; ".join(
        f"{arm} {money(average)}"
        for arm, average in zip(learned.trial.arms[1:], learned.averages, strict=True)
    )
    better = [f"{name} ({money(one)} a member)" for name, one in learned.differences.items() if one.lower > 0]
    told = f"Average effect on net margin against {learned.trial.arms[0]}, a member: {arms}."
    told += f" Predicted for each member by {learned.chosen.name}, from models that did not see her."
    if not learned.differences:
        return told
    if better:
        return f"{told} Shown to choose better than the default: {'; '.join(better)}."
    return f"{told} Not shown to choose better: {', '.join(learned.differences)}."


def _gate(learned: LearnedEffects) -> str:
    each = [
        f"{arm}: {'they do' if calibration.passes else 'not shown'} (slope {_slope(calibration)})"
        for arm, calibration in zip(learned.trial.arms[1:], learned.chosen.calibrations, strict=True)
    ]
    return f"Whether effects differ between members as predicted: {'; '.join(each)}."


def _slope(calibration: Calibration) -> str:
    slope = calibration.slope
    if math.isnan(slope.estimate):
        return "none: all predictions are equal"
    return f"{plain(slope.estimate, 2)} ± {plain(slope.error, 2)}"


def _shrunk(learned: LearnedEffects) -> str:
    each = [
        f"{arm} by {plain(calibration.shrinkage, 2)}"
        for arm, calibration in zip(learned.trial.arms[1:], learned.chosen.calibrations, strict=True)
    ]
    if not any(calibration.passes for calibration in learned.chosen.calibrations):
        return (
            "Effects are not shown to differ, so every member is expected to gain the average. The personalised list that is"
            " valued goes by the effects as they were predicted: it is what personalising would have done."
        )
    return f"Predicted differences are multiplied by what holds of them: {', '.join(each)}; 0 leaves the average."
