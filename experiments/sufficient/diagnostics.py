"""What was left out of the figures, counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Self

MOST_EXAMPLES = 5
"""Most values of unknown variants that are kept as examples."""


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """What was found in the table besides the figures; all are counts of rows, added up on merging.

    Attributes:
        rows: Rows of the table.
        without_variant: Rows without a value in the variant column.
        in_unknown_variants: Rows whose variant the experiment does not have.
        not_triggered: Rows of known variants that did not meet the trigger.
        without_cluster: Rows of known variants without a value in the cluster column.
        clusters_in_several_variants: Clusters that are left out because their members differ in variant.
        members_of_those_clusters: Rows of these clusters.
        without_day: Counted units (clusters) that have no time; they are in the totals and in no day.
        missing: Per metric, counted units (clusters) that lack a value in one of its columns.
        nulls: Per column, rows of known variants with null, for metrics that miss values.
        nans: Per column, rows of known variants with NaN, for metrics that miss values.
        unknown_examples: Some of the unknown values of the variant column, sorted.
    """

    rows: int = 0
    without_variant: int = 0
    in_unknown_variants: int = 0
    not_triggered: int = 0
    without_cluster: int = 0
    clusters_in_several_variants: int = 0
    members_of_those_clusters: int = 0
    without_day: int = 0
    missing: Mapping[str, int] = field(default_factory=dict)
    nulls: Mapping[str, int] = field(default_factory=dict)
    nans: Mapping[str, int] = field(default_factory=dict)
    unknown_examples: tuple[str, ...] = ()

    def merge(self, other: Self) -> Self:
        """Return the counts of both parts together."""
        merged: dict[str, object] = {}
        for one in fields(self):
            ours, theirs = getattr(self, one.name), getattr(other, one.name)
            if isinstance(ours, Mapping):
                keys = dict.fromkeys((*ours, *theirs))
                merged[one.name] = {key: ours.get(key, 0) + theirs.get(key, 0) for key in keys}
            elif isinstance(ours, tuple):
                merged[one.name] = tuple(sorted({*ours, *theirs}))[:MOST_EXAMPLES]
            else:
                merged[one.name] = ours + theirs
        return type(self)(**merged)  # type: ignore[arg-type]
