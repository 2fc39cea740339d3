"""From a definition to what one pass reads of a table."""

from collections.abc import Sequence

from experiments.aggregates import MetricColumns, Source, TableLayout, Winsor
from experiments.analysis.measures import is_binary, metric_sources
from experiments.definition import Covariate, ExperimentDefinition, Metric
from experiments.definition import Source as DefinedSource
from experiments.errors import AnalysisError

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
        Source.column(name) if derived else _source(source) for name, source in metric_sources(metric)
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


def _source(source: DefinedSource | Covariate) -> Source:
    if isinstance(source, Covariate) or source.event is not None:
        raise AnalysisError(
            "a metric that is made of events cannot be read from a table with one row per unit"
        )
    if source.column:
        return Source.column(source.column)
    return Source(tuple((term.column, float(term.factor)) for term in source.terms))
