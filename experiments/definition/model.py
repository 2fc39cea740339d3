"""The experiment definition: what a person writes down before the first member is assigned."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_validator,
)
from pydantic_core import PydanticCustomError

from experiments.definition.checks import cross_problems

IDENTIFIER_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"
Identifier = Annotated[str, Field(pattern=IDENTIFIER_PATTERN)]
Text = Annotated[str, Field(min_length=1)]
ParameterValue = StrictStr | StrictBool | StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)]


class State(StrEnum):
    """Where an experiment stands in its life."""

    DRAFT = "draft"
    RUNNING = "running"
    STOPPED = "stopped"
    ARCHIVED = "archived"


class MetricRole(StrEnum):
    """What a metric is for.

    A success metric should improve, a guardrail must not suffer, a quality metric tells whether the experiment
    itself can be trusted.
    """

    SUCCESS = "success"
    GUARDRAIL = "guardrail"
    QUALITY = "quality"


class MetricKind(StrEnum):
    """How members' sums become one figure per variant.

    ``MEAN`` is the mean of the members' numerators; ``RATIO`` is the sum of numerators over the sum of
    denominators, with the member as the unit of randomisation.
    """

    MEAN = "mean"
    RATIO = "ratio"


class _Model(BaseModel):
    # Strict, so that no text becomes a number; enumerations and tuples alone accept what YAML has for them.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Variant(_Model):
    """One arm of an experiment.

    Attributes:
        variant_id: Unique within the experiment.
        weight: Share of the enrolled members, relative to the other weights.
        name: What people call it, in reports; the id if empty.
        description: What a member in this arm gets.
        parameters: What the arm hands to the code that it steers.
    """

    variant_id: Identifier
    weight: Annotated[int, Field(ge=1, le=1_000_000)]
    name: str = ""
    description: str = ""
    parameters: dict[str, ParameterValue] = Field(default_factory=dict)

    @property
    def label(self) -> str:
        """What people call the variant."""
        return self.name or self.variant_id


class Numerator(_Model):
    """What of a member's outcomes is added up.

    Attributes:
        event: The log that is read.
        outcome_type: Only outcomes of this type.
        aggregate: ``count`` counts the distinct offers hit per decision; ``value`` adds the money up.
    """

    event: Literal["outcomes"]
    outcome_type: Text
    aggregate: Literal["count", "value"]


class Denominator(_Model):
    """What of a member's exposures a ratio is taken over.

    Attributes:
        event: The log that is read.
        aggregate: ``count`` counts the exposures.
    """

    event: Literal["exposures"]
    aggregate: Literal["count"]


class Metric(_Model):
    """A figure by which variants are compared.

    Attributes:
        metric_id: Unique within the experiment.
        role: What it is for.
        name: What people call it, in reports, for example ``offers hit per trip``.
        kind: How members' sums become one figure.
        numerator: What is added up.
        denominator: What it is divided by; only for ratios.
        unit_label: What the figure is counted in, for example ``USD``; empty for plain counts.
    """

    metric_id: Identifier
    role: Annotated[MetricRole, Field(strict=False)]
    name: Text
    kind: Annotated[MetricKind, Field(strict=False)]
    numerator: Numerator
    denominator: Denominator | None = None
    unit_label: str = ""


class ExperimentDefinition(_Model):
    """An experiment as its owner wrote it down.

    Attributes:
        experiment_id: Unique within the programme; also the default salt.
        programme: The loyalty programme whose members take part.
        revision: Counts the owner's changes, from 1.
        hypothesis: What is believed and why, in a sentence.
        owner: Whom to ask.
        unit: What is randomised.
        state: Only a running experiment assigns.
        placements: Where its answers are shown.
        salt: Decides, with the member's id, who is enrolled and in which arm.
        traffic_ppm: Members that are enrolled, in parts per million of all.
        control: The variant that the others are compared with.
        variants: At least two arms. Their order matters to assignment.
        metrics: The first success metric is the primary one.
        alpha: Accepted chance, in (0, 1), of seeing an effect where there is none; intervals cover 1 - alpha.
    """

    experiment_id: Identifier
    programme: Text = "default"
    revision: Annotated[int, Field(ge=1)]
    hypothesis: Text
    owner: Text
    unit: Literal["member"]
    state: Annotated[State, Field(strict=False)]
    placements: Annotated[tuple[Identifier, ...], Field(min_length=1, strict=False)]
    salt: Text = ""
    traffic_ppm: Annotated[int, Field(ge=0, le=1_000_000)] = 1_000_000
    control: Identifier
    variants: Annotated[tuple[Variant, ...], Field(min_length=2, strict=False)]
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1, strict=False)]
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05

    @model_validator(mode="before")
    @classmethod
    def _default_salt(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "salt" not in data and "experiment_id" in data:
            return {**data, "salt": data["experiment_id"]}
        return data

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

    def variant(self, variant_id: str) -> Variant:
        """Return a variant by its id.

        Raises:
            KeyError: There is no such variant.
        """
        for variant in self.variants:
            if variant.variant_id == variant_id:
                return variant
        raise KeyError(variant_id)
