"""What an effect is worth: per member and per month, after the offer's cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from experiments.analysis.comparison import MetricComparison
from experiments.definition import ExperimentDefinition
from experiments.stats import Interval

_FIGURES = (
    "per_unit",
    "per_unit_lower",
    "per_unit_upper",
    "per_month",
    "per_month_lower",
    "per_month_upper",
)


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
        per_month: Change per month, after all costs; ``None`` if the plan names no units per month.
        per_month_lower: Lower end of its interval.
        per_month_upper: Upper end.
        reasons: Why figures are missing, by name.
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
    reasons: Mapping[str, str] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """Why there are no figures, or empty."""
        return self.reasons.get("per_unit", "")


def money_effects(
    definition: ExperimentDefinition, comparisons: Sequence[MetricComparison]
) -> tuple[MoneyEffect, ...]:
    """Return the worth of every treatment; nothing if the plan says nothing about money.

    The costs are known, so they shift the interval of the metric and do not widen it.
    """
    plan = definition.money
    if plan is None:
        return ()
    return tuple(_effect(definition, one) for one in comparisons if one.metric.metric_id == plan.metric_id)


def _effect(definition: ExperimentDefinition, one: MetricComparison) -> MoneyEffect:
    plan = definition.money
    assert plan is not None
    if one.pair is None or one.decisive is None:
        return MoneyEffect(
            one.variant_id, plan.metric_id, plan.currency_code, reasons=dict.fromkeys(_FIGURES, one.refusal)
        )

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
        reasons=_reasons(one.decisive, monthly=plan.units_per_month is not None),
    )


def _reasons(interval: Interval, *, monthly: bool) -> dict[str, str]:
    reasons: dict[str, str] = {}
    for end in ("lower", "upper"):
        if getattr(interval, f"ci_{end}") is None:
            reason = interval.reasons.get(f"ci_{end}", "")
            reasons |= {f"per_unit_{end}": reason, f"per_month_{end}": reason}
    if not monthly:
        names = [name for name in _FIGURES if name.startswith("per_month")]
        reasons |= dict.fromkeys(names, "the plan names no units_per_month")
    return reasons
