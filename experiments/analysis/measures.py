"""From a definition's metrics to what one pass reads of a table: the columns, and the place of each in the moments.

Columns stand in the order numerator, denominator, then each covariate's numerator and denominator. Where clusters were
randomised, sums over a cluster's rows are compared, and the last column counts the rows: a mean over rows is then a ratio.
"""

from collections.abc import Iterator, Sequence

from experiments.aggregates import ColumnSource, MetricColumns, TableLayout, Winsor
from experiments.definition import Covariate, ExperimentDefinition, Metric, MetricKind
from experiments.definition import Source as DefinedSource
from experiments.errors import AnalysisError
from experiments.stats import MetricShape, Quantity

DERIVED_SEPARATOR = "|"


def metric_shape(metric: Metric, *, clustered: bool) -> MetricShape:
    """Return where a metric's quantities stand in its moments."""
    last = len(list(metric_sources(metric)))
    per_row = last if clustered else None
    value = Quantity(0, 1) if metric.denominator is not None else Quantity(0, per_row)
    place = 2 if metric.denominator is not None else 1
    covariates = []
    for covariate in metric.covariates:
        if covariate.denominator is not None:
            covariates.append(Quantity(place, place + 1))
            place += 2
        else:
            covariates.append(Quantity(place, per_row))
            place += 1
    return MetricShape(value, tuple(covariates))


def covariate_shapes(metric: Metric, *, clustered: bool) -> Iterator[tuple[str, MetricShape]]:
    """Yield each covariate's name with the shape that has it as the value."""
    shape = metric_shape(metric, clustered=clustered)
    for covariate, quantity in zip(metric.covariates, shape.covariates, strict=True):
        yield covariate_name(metric, covariate), MetricShape(quantity)


def covariate_name(metric: Metric, covariate: Covariate) -> str:
    """Return what people call a covariate."""
    if covariate.pre_period_days is not None:
        return f"{metric.name}, {covariate.pre_period_days} days before"
    above = source_name(covariate.numerator)
    return f"{above} / {source_name(covariate.denominator)}" if covariate.denominator else above


def source_name(source: DefinedSource | None) -> str:
    """Return what people call a source."""
    if source is None:
        return ""
    if source.event is not None:
        return f"{source.aggregate} of {source.outcome_type or source.event}"
    return source.column or " + ".join(
        term.column if term.factor == 1 else f"{term.factor:g} x {term.column}" for term in source.terms
    )


def metric_sources(metric: Metric) -> Iterator[tuple[str, DefinedSource | Covariate]]:
    """Yield a metric's sources in the order of the moments, each with the name of its derived column.

    A pre-period covariate stands for itself, because its values are computed from the metric's own events.
    """
    prefix = metric.metric_id + DERIVED_SEPARATOR
    yield f"{prefix}numerator", metric.numerator
    if metric.denominator is not None:
        yield f"{prefix}denominator", metric.denominator
    for index, covariate in enumerate(metric.covariates):
        name = f"{prefix}covariate-{index}"
        if covariate.numerator is None:
            yield name, covariate
            continue
        yield name, covariate.numerator
        if covariate.denominator is not None:
            yield f"{name}-denominator", covariate.denominator


def reads_events(definition: ExperimentDefinition) -> bool:
    """Return whether any metric is made of events rather than of a table's columns."""
    return any(metric.reads_events for metric in definition.metrics)


def is_binary(metric: Metric) -> bool:
    """Return whether a unit's value can only be yes or no."""
    return metric.kind in {MetricKind.PROPORTION, MetricKind.RETENTION}


_VARIANT_COLUMNS = ("variant_id", "variant")
_UNIT_COLUMNS = ("unit_id", "member_id", "user_id", "unit")


def table_layout(definition: ExperimentDefinition, columns: Sequence[str]) -> TableLayout:
    """Return which column of a table means what.

    The variant's column is the one that the definition names, or ``variant_id`` or ``variant``; the unit's likewise, or
    ``unit_id``, ``member_id``, ``user_id`` or ``unit``.

    Raises:
        AnalysisError: The definition names no variant column and the table has none of these.
    """
    variant = definition.variant_column or next((name for name in _VARIANT_COLUMNS if name in columns), "")
    if not variant:
        raise AnalysisError(
            "The definition names no variant_column, and the table has no column variant_id or variant; its columns"
            f" are {', '.join(columns[:20])}."
        )
    unit = definition.unit_column or next((name for name in _UNIT_COLUMNS if name in columns), None)
    return TableLayout(
        variant_column=variant,
        unit_column=unit,
        time_column=definition.time_column or None,
        cluster_column=definition.cluster_column or None,
        trigger_column=definition.trigger_column or None,
        segment_columns=definition.segments,
    )


def variants_by_value(definition: ExperimentDefinition) -> dict[str, str]:
    """Return the variants by their value in the variant column."""
    return {variant.variant_id: variant.variant_id for variant in definition.variants}


def metric_columns(metric: Metric, *, derived: bool) -> MetricColumns:
    """Return what is read for a metric.

    Args:
        metric: The metric.
        derived: Whether the table has the columns named by ``metric_sources`` instead of the definition's own.
    """
    columns = tuple(
        ColumnSource.column(name) if derived else _source(source) for name, source in metric_sources(metric)
    )
    caps = metric.winsorize
    return MetricColumns(
        metric_id=metric.metric_id,
        columns=columns,
        winsorize=None
        if caps is None
        else Winsor(
            None if caps.lower is None else float(caps.lower),
            None if caps.upper is None else float(caps.upper),
            caps.lower_quantile,
            caps.upper_quantile,
        ),
        binary=is_binary(metric),
    )


def _source(source: DefinedSource | Covariate) -> ColumnSource:
    if isinstance(source, Covariate) or source.event is not None:
        raise AnalysisError(
            "a metric that is made of events cannot be read from a table with one row per unit"
        )
    if source.column:
        return ColumnSource.column(source.column)
    return ColumnSource(tuple((term.column, float(term.factor)) for term in source.terms))
