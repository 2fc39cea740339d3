"""The figures that the engine holds itself to, and the cases that measure each."""

from tests.experiments.error_rates import (
    corrections,
    coverage,
    group_sequential,
    mistakes,
    non_inferiority,
    sample_ratio,
    sequences,
    type_one,
)
from tests.experiments.error_rates.measuring import Case

CASES: tuple[Case, ...] = (
    *type_one.CASES,
    *coverage.CASES,
    *sequences.CASES,
    *group_sequential.CASES,
    *sample_ratio.CASES,
    *corrections.CASES,
    *non_inferiority.CASES,
    *mistakes.CASES,
)

TITLES = {
    1: "False findings of a test with one look",
    2: "Coverage of 95 % intervals",
    3: "False findings of always-valid intervals, looked at all the time",
    4: "False findings of group-sequential looks",
    5: "False alarms and power of the sample ratio check",
    6: "False findings among many metrics",
    7: "Treatments worse by the margin that pass for not worse",
    0: "Mistakes, for comparison: what Troth does not do",
}
"""By number of the figure; zero are the mistakes."""
