"""What an effect is worth: per member and per month, after the offer's cost."""

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.analysis.comparison import Comparison
from experiments.definition import ExperimentDefinition


@dataclass(frozen=True, slots=True)
class MoneyEffect:
    """What giving a treatment to everybody would change, in money.

    Attributes:
        variant_id: The treatment.
        metric_id: The metric that the money comes from.
        currency_code: ISO 4217 code, or empty.
        per_unit: Change per member, after the costs that come with each member.
        per_unit_lower: Lower end of its interval, at the decision's level.
        per_unit_upper: Upper end.
        per_month: Change per month, after all costs; none if the plan names no units per month.
        per_month_lower: Lower end of its interval.
        per_month_upper: Upper end.
        reason: Why there are no figures, or empty.
    """

    variant_id: str
    metric_id: str
    currency_code: str
    per_unit: float | None = None
    per_unit_lower: float | None = None
    per_unit_upper: float | None = None
    per_month: float | None = None
    per_month_lower: float | None = None
    per_month_upper: float | None = None
    reason: str = ""


def money_effects(
    definition: ExperimentDefinition, comparisons: Sequence[Comparison]
) -> tuple[MoneyEffect, ...]:
    """Return the worth of every treatment; nothing if the plan says nothing about money.

    The costs are known, so they shift the interval of the metric and do not widen it.
    """
    plan = definition.money
    if plan is None:
        return ()
    return tuple(_effect(definition, one) for one in comparisons if one.metric.metric_id == plan.metric_id)


def _effect(definition: ExperimentDefinition, one: Comparison) -> MoneyEffect:
    plan = definition.money
    assert plan is not None
    empty = MoneyEffect(one.variant_id, plan.metric_id, plan.currency_code, reason=one.refusal)
    if one.pair is None or one.decisive is None:
        return empty

    def monthly(value: float | None) -> float | None:
        if value is None or plan.units_per_month is None:
            return None
        return value * plan.units_per_month - plan.cost_per_month

    per_unit, lower, upper = (
        None if value is None else value - plan.cost_per_unit
        for value in (one.pair.estimate, one.decisive.ci_lower, one.decisive.ci_upper)
    )
    return MoneyEffect(
        variant_id=one.variant_id,
        metric_id=plan.metric_id,
        currency_code=plan.currency_code,
        per_unit=per_unit,
        per_unit_lower=lower,
        per_unit_upper=upper,
        per_month=monthly(per_unit),
        per_month_lower=monthly(lower),
        per_month_upper=monthly(upper),
        reason="" if lower is not None else one.decisive.reasons.get("ci_lower", ""),
    )
