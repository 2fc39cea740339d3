"""Metrics: numbers per member, made of a table's columns or of the log's events.

Rules between the fields of one metric.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, StrictFloat, StrictInt

from experiments.definition.fields import DefinitionPart, Label, Text
from experiments.errors import Problem

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


class Term(DefinitionPart):
    """A column times a factor, as part of a sum."""

    column: Text
    factor: Number = 1


class Source(DefinitionPart):
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


class Covariate(DefinitionPart):
    """Something known of each member before the experiment, which explains part of the metric.

    Attributes:
        numerator: The value, or the numerator of a ratio.
        denominator: The ratio's denominator.
        pre_period_days: Instead of a source: the metric itself in so many days before the first exposure.
    """

    numerator: Source | None = None
    denominator: Source | None = None
    pre_period_days: Days | None = None


class Winsorize(DefinitionPart):
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


class Margin(DefinitionPart):
    """How much worse a guardrail may be and still count as not worse: exactly one of both.

    Attributes:
        relative: Share of the control's figure, for example 0.02.
        absolute: In the metric's own unit.
    """

    relative: Annotated[Number, Field(gt=0, lt=1)] | None = None
    absolute: Annotated[Number, Field(gt=0)] | None = None


class Retention(DefinitionPart):
    """Coming back: an outcome of a type between two days after the first exposure, both included.

    Attributes:
        outcome_type: What counts as coming back.
        first_day: Day 0 is the first 24 hours.
        last_day: At least ``first_day``.
    """

    outcome_type: Text
    first_day: Annotated[int, Field(ge=0, le=3_650)]
    last_day: Annotated[int, Field(ge=0, le=3_650)]


class Metric(DefinitionPart):
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


_ORIGINS = ("column", "terms", "event")


def metric_problems(index: int, metric: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong between the fields of a metric, as far as they can be read."""
    path = f"metrics[{index}]"
    kind = metric.get("kind", "mean")
    has_denominator = metric.get("denominator") is not None
    if kind == "ratio" and not has_denominator:
        yield Problem(f"{path}.denominator", "is missing; a ratio needs one")
    if kind != "ratio" and has_denominator:
        yield Problem(f"{path}.denominator", f"only a ratio has one; a {kind} is taken per member")
    for part in ("numerator", "denominator"):
        yield from _source_problems(f"{path}.{part}", metric.get(part), optional_type=kind == "retention")
    yield from _kind_problems(path, kind, metric)
    yield from _margin_problems(path, metric)
    yield from _winsorize_problems(path, kind, metric.get("winsorize"))
    yield from _covariate_problems(path, kind, metric)


def _source_problems(path: str, source: Any, *, optional_type: bool) -> Iterator[Problem]:
    if not isinstance(source, Mapping):
        return
    named = [origin for origin in _ORIGINS if source.get(origin)]
    if len(named) != 1:
        found = " and ".join(named) or "none"
        yield Problem(path, f"needs exactly one of column, terms and event; there is {found}")
    elif named == ["event"]:
        if source.get("event") == "outcomes" and not source.get("outcome_type") and not optional_type:
            yield Problem(f"{path}.outcome_type", "is missing; which outcomes are meant?")
        if source.get("event") == "exposures" and source.get("aggregate", "count") != "count":
            yield Problem(f"{path}.aggregate", "exposures have no value; they can be counted")
    elif source.get("outcome_type") or source.get("aggregate", "count") != "count":
        yield Problem(path, "outcome_type and aggregate belong to events, not to a table's columns")


def _kind_problems(path: str, kind: Any, metric: Mapping[str, Any]) -> Iterator[Problem]:
    if kind == "quantile" and metric.get("quantile") is None:
        yield Problem(f"{path}.quantile", "is missing; which one, for example 0.9?")
    if kind != "quantile" and metric.get("quantile") is not None:
        yield Problem(f"{path}.quantile", "only a metric of kind quantile has one")
    retention = metric.get("retention")
    if retention is not None and kind != "retention":
        yield Problem(f"{path}.retention", "only a metric of kind retention has it")
    if isinstance(retention, Mapping):
        first, last = retention.get("first_day"), retention.get("last_day")
        if isinstance(first, int) and isinstance(last, int) and last < first:
            yield Problem(f"{path}.retention.last_day", f"{last} is before first_day, {first}")


def _margin_problems(path: str, metric: Mapping[str, Any]) -> Iterator[Problem]:
    margin = metric.get("margin")
    if not isinstance(margin, Mapping):
        return
    if metric.get("role", "success") != "guardrail":
        yield Problem(
            f"{path}.margin", "only a guardrail has one: what it may lose and still count as not worse"
        )
    if (margin.get("relative") is None) == (margin.get("absolute") is None):
        yield Problem(f"{path}.margin", "needs exactly one of relative and absolute")


def _winsorize_problems(path: str, kind: Any, winsorize: Any) -> Iterator[Problem]:
    if not isinstance(winsorize, Mapping):
        return
    where = f"{path}.winsorize"
    if kind in {"proportion", "retention", "quantile"}:
        yield Problem(where, f"has no meaning for a {kind}")
    for end in ("lower", "upper"):
        if winsorize.get(end) is not None and winsorize.get(f"{end}_quantile") is not None:
            yield Problem(where, f"has two {end} bounds; name the bound or its quantile")
    if not any(value is not None for value in winsorize.values()):
        yield Problem(where, "names no bound")
    for low, high in (("lower", "upper"), ("lower_quantile", "upper_quantile")):
        below, above = winsorize.get(low), winsorize.get(high)
        if isinstance(below, int | float) and isinstance(above, int | float) and below >= above:
            yield Problem(f"{where}.{high}", f"must be above {low}, {below}")


def _covariate_problems(path: str, kind: Any, metric: Mapping[str, Any]) -> Iterator[Problem]:
    covariates = metric.get("covariates")
    if not isinstance(covariates, list | tuple) or not covariates:
        return
    if kind == "quantile":
        yield Problem(f"{path}.covariates", "cannot adjust a quantile")
    if metric.get("inference") == "bootstrap":
        yield Problem(f"{path}.covariates", "cannot be used with the bootstrap")
    numerator = metric.get("numerator")
    from_events = isinstance(numerator, Mapping) and bool(numerator.get("event"))
    for index, covariate in enumerate(covariates):
        if not isinstance(covariate, Mapping):
            continue
        where = f"{path}.covariates[{index}]"
        named = covariate.get("numerator") is not None
        if named == (covariate.get("pre_period_days") is not None):
            yield Problem(where, "needs either a column or pre_period_days")
        elif not named and not from_events:
            yield Problem(
                f"{where}.pre_period_days", "needs a metric from events; in a table name the column"
            )
        for part in ("numerator", "denominator"):
            yield from _source_problems(f"{where}.{part}", covariate.get(part), optional_type=False)
