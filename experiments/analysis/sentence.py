"""One plain sentence for each treatment: what the primary metric says."""

from experiments.analysis.comparison import Comparison
from experiments.analysis.decision import Verdict
from experiments.analysis.result import ExperimentResult
from experiments.number_format import (
    confidence,
    decimals_for,
    interval_decimals,
    plain,
    signed,
    within_sentence,
)


def summary(result: ExperimentResult) -> str:
    """Return what the primary metric says; no winner while the experiment itself is in doubt."""
    if result.decision.verdict is Verdict.INVALID:
        return f"No winner can be named. {result.decision.reason}"
    primary = result.definition.primary_metric
    return " ".join(_effect_sentence(result, one) for one in result.results_of(primary))


def mismatch_sentence(found: str, *, still: bool) -> str:
    """Return what a sample ratio mismatch means.

    Args:
        found: Units by variant, found and planned.
        still: Whether the totals are off, or only were at some time.
    """
    when = "did not arrive" if still else "at some time did not arrive"
    now = f" ({found})" if still else f", although the totals ({found}) look right"
    return (
        f"The members {when} in the planned proportions{now}, which is no chance, so something is wrong with the"
        " experiment itself."
    )


def _effect_sentence(result: ExperimentResult, one: Comparison) -> str:
    definition, name = result.definition, within_sentence(one.metric.name)
    treatment = definition.variant(one.variant_id).label
    control = within_sentence(definition.variant(one.control_id).label)
    pair, interval = one.pair, one.decisive
    if pair is None or interval is None:
        return f"Nothing can be said about {name} with {within_sentence(treatment)}: {one.refusal}."
    lower, upper = interval.ci_lower, interval.ci_upper
    if lower is None and upper is None:
        digits = decimals_for(max(abs(pair.estimate), abs(pair.control_mean)) / 100)
        after = f", without an interval: {interval.reasons.get('ci_lower', '')}"
    else:
        digits = (
            interval_decimals(lower, upper)
            if lower is not None and upper is not None
            else decimals_for(pair.standard_error)
        )
        after = f" ({confidence(interval.level)} interval {_ends(lower, upper, digits)})"
        if not (one.improved or one.harmed):
            after += ", which can be chance"
    return (
        f"{treatment} got {plain(pair.treatment_mean, digits)} {name} against {plain(pair.control_mean, digits)} with"
        f" {control}: {signed(pair.estimate, digits)}{after}."
    )


def _ends(lower: float | None, upper: float | None, digits: int) -> str:
    if lower is None and upper is not None:
        return f"up to {signed(upper, digits)}"
    if upper is None and lower is not None:
        return f"from {signed(lower, digits)}"
    assert lower is not None
    assert upper is not None
    return f"{signed(lower, digits)} to {signed(upper, digits)}"
