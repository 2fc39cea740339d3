"""Statistics of experiments: mergeable moments in, effects with intervals out."""

from experiments.stats.bandit import batched_effect, thompson_shares
from experiments.stats.bayes import FLAT, NormalPrior, Posterior, posterior
from experiments.stats.bootstrap import (
    ResampledArm,
    bootstrap_interval,
    resample,
    weighted_mean,
    weighted_quantile,
    weighted_ratio,
)
from experiments.stats.confidence_sequence import (
    DEFAULT_TUNING_UNITS,
    confidence_sequence,
    sequence_boundary,
)
from experiments.stats.corrections import Adjusted, benjamini_hochberg, holm
from experiments.stats.factorial import Cells, Contrast, adjusted_cells, contrast, interaction, main_effect
from experiments.stats.figure import (
    ArmEstimate,
    Column,
    MetricShape,
    PairEstimate,
    Quantity,
    arm_figure,
    estimate_pair,
    independent_pair,
)
from experiments.stats.fixed_horizon import fixed_effect
from experiments.stats.group_sequential import (
    RESERVE,
    GroupSequentialLook,
    SequentialPlan,
    Spending,
    crossing_probabilities,
    group_sequential_interval,
    spending_bounds,
    spent_share,
)
from experiments.stats.interval import (
    Alternative,
    Interval,
    no_interval,
    relative_estimate,
    relative_interval,
)
from experiments.stats.moments import Moments
from experiments.stats.non_inferiority import NonInferiority, NonInferiorityMargin, non_inferiority
from experiments.stats.novelty import Novelty, novelty
from experiments.stats.outlook import Outlook, days_to_go
from experiments.stats.power import (
    NO_EFFECT,
    Baseline,
    ExpectedDays,
    PowerMethod,
    PowerPlan,
    TargetEffect,
    achieved_power,
    baseline_of,
    expected_days,
    minimal_detectable_effect,
    required_units,
)
from experiments.stats.quantile import quantile_estimate
from experiments.stats.srm import (
    CovariateDifference,
    ImbalanceCheck,
    SrmCheck,
    check_imbalance,
    check_sample_ratio,
)

__all__ = [
    "DEFAULT_TUNING_UNITS",
    "FLAT",
    "NO_EFFECT",
    "RESERVE",
    "Adjusted",
    "Alternative",
    "ArmEstimate",
    "Baseline",
    "Cells",
    "Column",
    "Contrast",
    "CovariateDifference",
    "ExpectedDays",
    "GroupSequentialLook",
    "ImbalanceCheck",
    "Interval",
    "MetricShape",
    "Moments",
    "NonInferiority",
    "NonInferiorityMargin",
    "NormalPrior",
    "Novelty",
    "Outlook",
    "PairEstimate",
    "Posterior",
    "PowerMethod",
    "PowerPlan",
    "Quantity",
    "ResampledArm",
    "SequentialPlan",
    "Spending",
    "SrmCheck",
    "TargetEffect",
    "achieved_power",
    "adjusted_cells",
    "arm_figure",
    "baseline_of",
    "batched_effect",
    "benjamini_hochberg",
    "bootstrap_interval",
    "check_imbalance",
    "check_sample_ratio",
    "confidence_sequence",
    "contrast",
    "crossing_probabilities",
    "days_to_go",
    "estimate_pair",
    "expected_days",
    "fixed_effect",
    "group_sequential_interval",
    "holm",
    "independent_pair",
    "interaction",
    "main_effect",
    "minimal_detectable_effect",
    "no_interval",
    "non_inferiority",
    "novelty",
    "posterior",
    "quantile_estimate",
    "relative_estimate",
    "relative_interval",
    "required_units",
    "resample",
    "sequence_boundary",
    "spending_bounds",
    "spent_share",
    "thompson_shares",
    "weighted_mean",
    "weighted_quantile",
    "weighted_ratio",
]
