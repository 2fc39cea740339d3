"""The experiment definition: what a person writes down before the first member is assigned.

Variants of an experiment, written one by one or as the cells of a factorial design.
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator
from pydantic_core import PydanticCustomError

from experiments.definition.checks import cross_problems
from experiments.definition.fields import DefinitionPart, Identifier, Label, Ppm, Text
from experiments.definition.metric import Days, Metric, MetricRole
from experiments.definition.settings import (
    Allocation,
    Analysis,
    Attribution,
    Correction,
    Holdout,
    LayerSlots,
    Money,
    Prior,
)
from experiments.definition.shorthand import written_out

# Whole numbers cross the wire as 64 bits with a sign.
_WholeNumber = Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)]
ParameterValue = StrictStr | StrictBool | _WholeNumber | Annotated[StrictFloat, Field(allow_inf_nan=False)]
Weight = Annotated[int, Field(ge=0, le=1_000_000)]


class Variant(DefinitionPart):
    """One arm of an experiment.

    Attributes:
        variant_id: Unique within the experiment; also its value in a table's variant column.
        weight: Share of the enrolled members, relative to the other weights; 0 closes the arm.
        name: What people call it, in reports; the id if empty.
        description: What a member in this arm gets.
        parameters: What the arm hands to the code that it steers.
    """

    variant_id: Label
    weight: Weight = 1
    name: str = ""
    description: str = ""
    parameters: dict[str, ParameterValue] = Field(default_factory=dict)

    @property
    def label(self) -> str:
        """What people call the variant."""
        return self.name or self.variant_id


class Level(DefinitionPart):
    """One setting of a factor.

    Attributes:
        level_id: Unique within the factor.
        weight: Share of the enrolled members, relative to the factor's other levels.
        name: What people call it; the id if empty.
        parameters: What the level hands to the code that it steers.
    """

    level_id: Identifier
    weight: Annotated[int, Field(ge=1, le=1_000)] = 1
    name: str = ""
    parameters: dict[str, ParameterValue] = Field(default_factory=dict)

    @property
    def label(self) -> str:
        """What people call the level."""
        return self.name or self.level_id


class Factor(DefinitionPart):
    """One thing that a factorial design varies, independently of its other factors.

    Attributes:
        factor_id: Unique within the experiment.
        name: What people call it; the id if empty.
        levels: At least two; the first is the one that the others are compared with.
    """

    factor_id: Identifier
    name: str = ""
    levels: Annotated[tuple[Level, ...], Field(min_length=2, strict=False)]

    @property
    def label(self) -> str:
        """What people call the factor."""
        return self.name or self.factor_id


AttributeTypeName = Literal["string", "int", "double", "bool", "timestamp", "list<string>"]


class State(StrEnum):
    """Where an experiment stands in its life."""

    DRAFT = "draft"
    RUNNING = "running"
    STOPPED = "stopped"
    ARCHIVED = "archived"


class ExperimentDefinition(DefinitionPart):
    """An experiment as its owner wrote it down.

    Attributes:
        experiment_id: Unique within the programme; also the default salt.
        programme: The loyalty programme whose members take part.
        revision: Counts the owner's changes, from 1.
        hypothesis: What is believed and why, in a sentence.
        owner: Whom to ask.
        unit: What is randomised, in the reader's word; the server randomises members.
        state: Only a running experiment assigns.
        placements: Where its answers are shown.
        salt: Decides, with the member's id, who is enrolled and in which arm.
        traffic_ppm: Members that are enrolled, in parts per million of all.
        layer: Its slots in a layer of experiments that exclude each other.
        holdout: Members that no experiment touches.
        attributes: What targeting may read, by name with its type.
        targeting: Rule in CEL over the attributes; only members that it matches are enrolled.
        overrides: Variants of single units, by unit id; these never count.
        sticky: Whether a member keeps the variant of their first exposure when weights change.
        control: The variant that the others are compared with.
        variants: At least two arms. Their order matters to assignment.
        factors: The factors whose cells the variants are; empty unless the design is factorial.
        allocation: How members are spread over the variants.
        metrics: The first success metric is the primary one.
        alpha: Accepted chance, in (0, 1), of seeing an effect where there is none; intervals cover 1 - alpha.
        power: Wanted chance, in (0, 1), of seeing the effect that was planned for.
        correction: What is done about several success metrics and treatments.
        analysis: When and how it may be judged.
        planned_units: Units of all variants together at which it ends.
        start_date: First day.
        end_date: Last day.
        window_days: Days after a member's first exposure in which their outcomes count; no limit if not given.
        attribution: Which outcomes count.
        segments: Columns by which results are broken down.
        unit_column: Column of a table that names the unit.
        variant_column: Column that names the variant.
        time_column: Column with the time of the unit's first exposure.
        cluster_column: Column that names what was randomised if that is more than one row, for example a store.
        trigger_column: Column that says whether the unit could meet a difference; others do not count.
        money: What the effect is worth.
        prior: What is believed of the relative effect beforehand.
    """

    experiment_id: Identifier
    programme: Text = "default"
    revision: Annotated[int, Field(ge=1)] = 1
    hypothesis: str = ""
    owner: str = ""
    unit: Text = "member"
    state: Annotated[State, Field(strict=False)] = State.DRAFT
    placements: Annotated[tuple[Identifier, ...], Field(strict=False)] = ()
    salt: Text = ""
    traffic_ppm: Ppm = 1_000_000
    layer: LayerSlots | None = None
    holdout: Holdout | None = None
    attributes: dict[str, AttributeTypeName] = Field(default_factory=dict)
    targeting: str = ""
    overrides: dict[str, Label] = Field(default_factory=dict)
    sticky: bool = False
    control: Label
    variants: Annotated[tuple[Variant, ...], Field(min_length=2, strict=False)]
    factors: Annotated[tuple[Factor, ...], Field(strict=False)] = ()
    allocation: Allocation = Allocation()
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1, strict=False)]
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    power: Annotated[float, Field(gt=0, lt=1)] = 0.8
    correction: Annotated[Correction, Field(strict=False)] = Correction.HOLM
    analysis: Analysis = Analysis()
    planned_units: Annotated[int, Field(ge=2, le=10**12)] | None = None
    start_date: date | None = None
    end_date: date | None = None
    window_days: Days | None = None
    attribution: Annotated[Attribution, Field(strict=False)] = Attribution.MEMBER
    segments: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    unit_column: str = ""
    variant_column: str = ""
    time_column: str = ""
    cluster_column: str = ""
    trigger_column: str = ""
    money: Money | None = None
    prior: Prior = Prior()

    @model_validator(mode="before")
    @classmethod
    def _written_out(cls, data: Any) -> Any:
        return written_out(data) if isinstance(data, Mapping) else data

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = list(cross_problems(self.model_dump()))
        if problems:
            listing = "; ".join(str(problem) for problem in problems)
            raise PydanticCustomError("cross_field", "{listing}", {"listing": listing})
        return self

    @property
    def primary_metric(self) -> Metric:
        """The metric that answers the hypothesis."""
        return next(metric for metric in self.metrics if metric.role is MetricRole.SUCCESS)

    @property
    def treatments(self) -> tuple[Variant, ...]:
        """The variants other than the control."""
        return tuple(variant for variant in self.variants if variant.variant_id != self.control)

    def variant(self, variant_id: str) -> Variant:
        """Return a variant by its id.

        Raises:
            KeyError: There is no such variant.
        """
        for variant in self.variants:
            if variant.variant_id == variant_id:
                return variant
        raise KeyError(variant_id)

    def metric(self, metric_id: str) -> Metric:
        """Return a metric by its id.

        Raises:
            KeyError: There is no such metric.
        """
        for metric in self.metrics:
            if metric.metric_id == metric_id:
                return metric
        raise KeyError(metric_id)
