"""Statistics of experiments: mergeable moments in, effects with intervals out."""

from experiments.stats.corrections import Adjusted, benjamini_hochberg, holm, uncorrected
from experiments.stats.effect import Effect, arm_interval, compare, mean_estimate, ratio_estimate
from experiments.stats.fieller import relative_estimate, relative_interval
from experiments.stats.figure import (
    ArmEstimate,
    Column,
    MetricShape,
    PairEstimate,
    Quantity,
    arm_figure,
    estimate_pair,
)
from experiments.stats.fixed import fixed_effect
from experiments.stats.group_sequential import (
    RESERVE,
    GroupSequentialLook,
    SequentialPlan,
    group_sequential_interval,
)
from experiments.stats.interval import Alternative, Interval, no_interval
from experiments.stats.moments import Moments, moments_by_group
from experiments.stats.non_inferiority import Margin, NonInferiority, non_inferiority
from experiments.stats.sequence import (
    DEFAULT_TUNING_UNITS,
    confidence_sequence,
    sequence_boundary,
    width_ratio,
)
from experiments.stats.spending import Spending, crossing_probabilities, spending_bounds, spent_share
from experiments.stats.srm import SrmCheck, check_sample_ratio

__all__ = [
    "DEFAULT_TUNING_UNITS",
    "RESERVE",
    "Adjusted",
    "Alternative",
    "ArmEstimate",
    "Column",
    "Effect",
    "GroupSequentialLook",
    "Interval",
    "Margin",
    "MetricShape",
    "Moments",
    "NonInferiority",
    "PairEstimate",
    "Quantity",
    "SequentialPlan",
    "Spending",
    "SrmCheck",
    "arm_figure",
    "arm_interval",
    "benjamini_hochberg",
    "check_sample_ratio",
    "compare",
    "confidence_sequence",
    "crossing_probabilities",
    "estimate_pair",
    "fixed_effect",
    "group_sequential_interval",
    "holm",
    "mean_estimate",
    "moments_by_group",
    "no_interval",
    "non_inferiority",
    "ratio_estimate",
    "relative_estimate",
    "relative_interval",
    "sequence_boundary",
    "spending_bounds",
    "spent_share",
    "uncorrected",
    "width_ratio",
]
