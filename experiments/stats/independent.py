"""Pairs of figures that were each computed from one variant alone."""

from experiments.stats.figure import ArmEstimate, PairEstimate


def independent_pair(control: ArmEstimate, treatment: ArmEstimate) -> PairEstimate:
    """Return two variants' own figures as a pair: quantiles, bootstrapped figures, whatever has no covariates."""
    return PairEstimate(
        control_mean=control.mean,
        treatment_mean=treatment.mean,
        control_variance=control.variance,
        treatment_variance=treatment.variance,
        covariance=0.0,
        own_variances=(control.variance, treatment.variance),
        control_units=control.members,
        treatment_units=treatment.members,
    )
