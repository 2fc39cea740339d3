"""What was found in the data besides the figures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from experiments.aggregates import Statistics
from experiments.definition import ExperimentDefinition
from experiments.number_format import count_of

_WARNING_ABOVE = 0.01
_ALARM_ABOVE = 0.10


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """What was found in the data besides the figures.

    Attributes:
        counts: By name.
        left_out: What was left out or counted once only, in sentences; empty if nothing was.
        bounds: The bounds that winsorised values were pulled in to, by metric id.
    """

    counts: Mapping[str, int]
    left_out: tuple[str, ...] = ()
    bounds: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)

    def and_more(self, other: Self) -> Self:
        """Return both together; the other's sentences come first."""
        return type(self)(
            {**other.counts, **self.counts},
            (*other.left_out, *self.left_out),
            {**other.bounds, **self.bounds},
        )


@dataclass(frozen=True, slots=True)
class MultipleExposures:
    """Units that met more than one variant; they are left out, which is only harmless while they are few.

    Attributes:
        units: How many.
        share: Of all exposed units.
        warning: More than one in a hundred: the assignment or the identities leak.
        alarm: More than one in ten: those who stay are not a random part any more.
    """

    units: int
    share: float
    warning: bool
    alarm: bool


def multiple_exposures(diagnostics: Diagnostics, counted: int) -> MultipleExposures:
    """Return how many units met more than one variant.

    Args:
        diagnostics: What was found in the data.
        counted: Units that count.
    """
    units = diagnostics.counts.get("units_in_several_variants", 0)
    # Those that wait for their window were exposed too; without them a young experiment would look full of leaks.
    waiting = diagnostics.counts.get("immature_units", 0)
    share = units / (units + counted + waiting) if units else 0.0
    return MultipleExposures(units, share, share > _WARNING_ABOVE, share > _ALARM_ABOVE)


def table_diagnostics(definition: ExperimentDefinition, statistics: Statistics) -> Diagnostics:
    """Return what the pass over the units found, in counts and sentences."""
    found = statistics.diagnostics
    unit = definition.unit
    sentences = []
    if found.without_variant:
        sentences.append(f"{count_of(found.without_variant, 'row')} without a variant left out.")
    if found.in_unknown_variants:
        named = ", ".join(found.unknown_examples)
        sentences.append(
            f"{count_of(found.in_unknown_variants, 'row')} in variants that the definition does not have ({named})"
            " left out."
        )
    if found.not_triggered:
        sentences.append(
            f"{count_of(found.not_triggered, unit)} left out because no difference could be met."
        )
    if found.without_cluster:
        sentences.append(f"{count_of(found.without_cluster, 'row')} without a cluster left out.")
    if found.clusters_in_several_variants:
        sentences.append(
            f"{count_of(found.clusters_in_several_variants, 'cluster')} with rows in several variants left out."
        )
    for metric_id, missing in found.missing.items():
        if missing:
            sentences.append(
                f"{definition.metric(metric_id).name}: {count_of(missing, unit)} without a value left out."
            )
    counts = {
        "rows": found.rows,
        "without_variant": found.without_variant,
        "in_unknown_variants": found.in_unknown_variants,
        "not_triggered": found.not_triggered,
        "without_cluster": found.without_cluster,
        "clusters_in_several_variants": found.clusters_in_several_variants,
        "without_day": found.without_day,
        **{f"missing_{metric_id}": count for metric_id, count in found.missing.items() if count},
    }
    bounds = {
        one.metric_id: (one.bounds.lower, one.bounds.upper)
        for one in statistics.metrics.values()
        if one.bounds is not None
    }
    return Diagnostics(counts, tuple(sentences), bounds)
