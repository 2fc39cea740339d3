"""Statistics of experiments: mergeable moments in, effects with intervals out."""

from experiments.stats.effect import ArmEstimate, Effect, arm_interval, compare, mean_estimate, ratio_estimate
from experiments.stats.moments import Moments, moments_by_group
from experiments.stats.srm import SrmCheck, check_sample_ratio

__all__ = [
    "ArmEstimate",
    "Effect",
    "Moments",
    "SrmCheck",
    "arm_interval",
    "check_sample_ratio",
    "compare",
    "mean_estimate",
    "moments_by_group",
    "ratio_estimate",
]
