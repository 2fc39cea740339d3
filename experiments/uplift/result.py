"""What an evaluation of predicted effects finds, as values."""

from collections.abc import Mapping
from dataclasses import dataclass

from experiments.effects.deciles import Decile
from experiments.effects.equivalents import Equivalents
from experiments.uplift.calibration import Calibration, GroupEffects
from experiments.uplift.estimate import Estimate
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
        qini_per_effect: `qini_raw` over the absolute average effect; none where that is 0.
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
    calibration: Calibration
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
class Evaluation:
    """Everything that a trial says about predicted effects on one outcome.

    Attributes:
        outcome: Its name.
        unit: How its effects are written.
        members: In the trial.
        control: Name of the control.
        costs: Of giving each arm to a member, in the outcome's unit, by arm.
        level: The accepted error of each interval, and of each model's gates and of its group claims together.
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
    level: float
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
