"""Metrics: numbers per member, made of a table's columns or of the log's events."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StrictFloat, StrictInt

from experiments.definition.base import Part
from experiments.definition.fields import Label, Text

Number = StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)]
Days = Annotated[int, Field(ge=1, le=3_650)]


class MetricRole(StrEnum):
    """What a metric is for.

    A success metric should improve, a guardrail must not suffer, a quality metric tells whether the experiment
    itself can be trusted.
    """

    SUCCESS = "success"
    GUARDRAIL = "guardrail"
    QUALITY = "quality"


class MetricKind(StrEnum):
    """How members' values become one figure per variant.

    ``MEAN`` is the mean of the members' numerators, ``COUNT`` that of how often something happened, ``PROPORTION``
    that of yes (1) and no (0), ``RETENTION`` the proportion that came back between two days. ``RATIO`` is the sum of
    numerators over the sum of denominators, with the member as the unit of randomisation. ``QUANTILE`` is the value
    below which a share of the members lies.
    """

    MEAN = "mean"
    PROPORTION = "proportion"
    COUNT = "count"
    RATIO = "ratio"
    QUANTILE = "quantile"
    RETENTION = "retention"


class Direction(StrEnum):
    """Which way is good."""

    INCREASE = "increase"
    DECREASE = "decrease"


class Term(Part):
    """A column times a factor, as part of a sum."""

    column: Text
    factor: Number = 1


class Source(Part):
    """Where a member's value comes from: exactly one of ``column``, ``terms`` and ``event``.

    Attributes:
        column: A column of a table with one row per unit.
        terms: A sum of such columns with factors, for example margin minus cost.
        event: The log that is read.
        outcome_type: Only outcomes of this type; with ``event: outcomes``.
        aggregate: ``count`` counts events, ``value`` adds their money up; with ``event``.
    """

    column: str = ""
    terms: Annotated[tuple[Term, ...], Field(strict=False)] = ()
    event: Literal["outcomes", "exposures"] | None = None
    outcome_type: str = ""
    aggregate: Literal["count", "value"] = "count"


class Covariate(Part):
    """Something known of each member before the experiment, which explains part of the metric.

    Attributes:
        numerator: The value, or the numerator of a ratio.
        denominator: The ratio's denominator.
        pre_period_days: Instead of a source: the metric itself in so many days before the first exposure.
    """

    numerator: Source | None = None
    denominator: Source | None = None
    pre_period_days: Days | None = None


class Winsorize(Part):
    """Bounds to which the members' values are pulled in; the same for all variants.

    Absolute bounds are fixed by the plan. Quantiles are taken over all variants together at each analysis; the bounds
    that they gave are part of the result.

    Attributes:
        lower: Smallest value.
        upper: Largest value.
        lower_quantile: Share of the members below the lower bound.
        upper_quantile: Share of the members below the upper bound.
    """

    lower: Number | None = None
    upper: Number | None = None
    lower_quantile: Annotated[float, Field(gt=0, lt=1)] | None = None
    upper_quantile: Annotated[float, Field(gt=0, lt=1)] | None = None


class Margin(Part):
    """How much worse a guardrail may be and still count as not worse: exactly one of both.

    Attributes:
        relative: Share of the control's figure, for example 0.02.
        absolute: In the metric's own unit.
    """

    relative: Annotated[Number, Field(gt=0, lt=1)] | None = None
    absolute: Annotated[Number, Field(gt=0)] | None = None


class Retention(Part):
    """Coming back: an outcome of a type between two days after the first exposure, both included.

    Attributes:
        outcome_type: What counts as coming back.
        first_day: Day 0 is the first 24 hours.
        last_day: At least ``first_day``.
    """

    outcome_type: Text
    first_day: Annotated[int, Field(ge=0, le=3_650)]
    last_day: Annotated[int, Field(ge=0, le=3_650)]


class Metric(Part):
    """A figure by which variants are compared.

    Attributes:
        metric_id: Unique within the experiment; without any source it is also the table's column.
        role: What it is for.
        name: What people call it, in reports, for example ``offers hit per trip``; the id if not given.
        kind: How members' values become one figure.
        numerator: What is measured of a member.
        denominator: What it is divided by; only for ratios.
        direction: Which way is good.
        alternative: Which effects the test looks for.
        margin: What a guardrail may lose.
        quantile: Share of the members below the figure; only for quantiles.
        retention: When a member counts as come back; only for retention from events.
        window_days: Days after the first exposure in which outcomes count; the experiment's if not given.
        winsorize: Bounds for the members' values.
        covariates: What explains part of the metric; reduces the variance (CUPED).
        inference: ``formula``, or ``bootstrap`` for figures whose distribution no formula gives.
        unit_label: What the figure is counted in, for example ``USD``; empty for plain counts.
    """

    metric_id: Label
    role: Annotated[MetricRole, Field(strict=False)] = MetricRole.SUCCESS
    name: Text
    kind: Annotated[MetricKind, Field(strict=False)] = MetricKind.MEAN
    numerator: Source
    denominator: Source | None = None
    direction: Annotated[Direction, Field(strict=False)] = Direction.INCREASE
    alternative: Literal["two-sided", "greater", "less"] = "two-sided"
    margin: Margin | None = None
    quantile: Annotated[float, Field(gt=0, lt=1)] | None = None
    retention: Retention | None = None
    window_days: Days | None = None
    winsorize: Winsorize | None = None
    covariates: Annotated[tuple[Covariate, ...], Field(strict=False)] = ()
    inference: Literal["formula", "bootstrap"] = "formula"
    unit_label: str = ""

    @property
    def reads_events(self) -> bool:
        """Whether the members' values come from the log, not from a table's columns."""
        return self.retention is not None or self.numerator.event is not None
