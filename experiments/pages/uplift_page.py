"""The page of an uplift evaluation, and the same as a section of other pages.

Effects are written per so many members as the unit says, one digit finer than their intervals are wide.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from experiments.number_format import (
    confidence,
    count_of,
    interval_decimals,
    p_value_text,
    percent,
    plain,
    plain_or_dash,
    signed,
)
from experiments.pages.charts import ChartPoint, DecilePoint, curves_chart, deciles_chart
from experiments.pages.environment import environment
from experiments.stats.estimate import Estimate
from experiments.uplift.bands import GRID
from experiments.uplift.calibration import UpliftCalibration
from experiments.uplift.policies import PolicyValue
from experiments.uplift.result import ArmResult, PredictionResult, RankingResult, Unit, UpliftEvaluation


@dataclass(frozen=True, slots=True)
class UpliftFormat:
    """Writes effects of one unit with one number of decimals, so that they can be compared.

    Attributes:
        unit: Of the effects.
        decimals: Behind the point.
    """

    unit: Unit
    decimals: int

    def change(self, value: float) -> str:
        """Return an effect with its sign: ``+7.4``; a dash where there is none."""
        return signed(value * self.unit.per, self.decimals) if math.isfinite(value) else "–"

    def between(self, one: Estimate) -> str:
        """Return where an effect lies: ``+5.3 to +9.5``; a dash where nobody knows."""
        if not (math.isfinite(one.lower) and math.isfinite(one.upper)):
            return "–"
        return f"{self.change(one.lower)}\u00a0to\u00a0{self.change(one.upper)}"


def uplift_format(unit: Unit, found: Iterable[Estimate]) -> UpliftFormat:
    """Return how some effects are written: with the decimals that most of their intervals ask for.

    Args:
        unit: Of the effects.
        found: What stands side by side.
    """
    asked = sorted(
        interval_decimals(-half, half)
        for one in found
        for half in [(one.upper - one.lower) / 2 * unit.per]
        if math.isfinite(half) and half > 0
    )
    return UpliftFormat(unit, min((asked[len(asked) // 2] if asked else 1) + 1, 4))


def tone(one: Estimate) -> str:
    """Return the style of an estimate: good above zero, bad below, open where chance may be all."""
    return "good" if one.above_zero else "bad" if one.below_zero else "open"


def order_sentence(arm: ArmResult, figures: UpliftFormat) -> str:
    """Return what the first prediction's order adds, and whether a simpler order is as good."""
    first = arm.rankings[0]
    gained = f"{figures.change(first.qini.value)} {figures.unit.words} ({figures.between(first.qini)})"
    text = f"Averaged over all depths, the order of {first.name} brings {gained} beyond a random order."
    simpler = {one.name for one in arm.rankings if not one.learned}
    against = [one for one in arm.differences if one.name == first.name and one.other in simpler]
    beaten = [one.other for one in against if one.qini.above_zero]
    not_beaten = [one.other for one in against if not one.qini.above_zero]
    if beaten:
        text += f" It is better than: {', '.join(beaten)}."
    if not_beaten:
        text += f" It is not shown to be better than: {', '.join(not_beaten)}."
    return text


def slope_sentence(one: UpliftCalibration) -> str:
    """Return what the calibration slope says of the predictions' size."""
    slope = one.slope
    if math.isnan(slope.value):
        return one.warning or ""
    tens = [plain(10 * value, 1) for value in (slope.value, slope.lower, slope.upper)]
    text = f"Where predictions differ by 10, effects differ by about {tens[0]} ({tens[1]} to {tens[2]})."
    return f"{text} {one.warning or _size(slope)}"


def _size(slope: Estimate) -> str:
    if slope.upper < 1:
        return "Predictions are somewhat too far apart."
    return (
        "Predictions are too close together." if slope.lower > 1 else "Predictions have about the right size."
    )


def uplift_section(evaluation: UpliftEvaluation) -> str:
    """Return an evaluation as an HTML fragment for a page with the reports' style sheet.

    Args:
        evaluation: With at least one prediction.
    """
    sure = confidence(evaluation.alpha)
    return (
        environment()
        .get_template("uplift_section.html.j2")
        .render(
            unit=evaluation.unit.words,
            per=f"{evaluation.unit.per:,}",
            control=evaluation.control,
            confidence=sure,
            costs=any(evaluation.costs.values()),
            arms=[_arm(evaluation, arm) for arm in evaluation.arms],
            policies=[_policy(evaluation, one) for one in evaluation.policies],
            definitions=evaluation.definitions,
        )
    )


def uplift_page(evaluation: UpliftEvaluation, title: str, subtitle: str = "") -> str:
    """Return an evaluation as one HTML document that loads nothing from anywhere.

    Args:
        evaluation: With at least one prediction.
        title: Heading of the page.
        subtitle: One line below it.

    Returns:
        The HTML document.
    """
    section = Markup(uplift_section(evaluation))  # noqa: S704 rendered with autoescape
    return (
        environment().get_template("uplift.html.j2").render(title=title, subtitle=subtitle, section=section)
    )


def uplift_charts(evaluation: UpliftEvaluation) -> dict[str, str]:
    """Return the charts as SVG by name: per arm the curves, and the deciles of the model that stands first.

    Args:
        evaluation: With at least one prediction.
    """
    charts: dict[str, str] = {}
    for arm in evaluation.arms:
        charts[f"curves of {arm.arm}"] = _curves(evaluation, arm)
        charts[f"deciles of {arm.arm}"] = _deciles(evaluation, arm.predictions[0])
    return charts


def _curves(evaluation: UpliftEvaluation, arm: ArmResult) -> Markup:
    banded = arm.rankings[0].name
    return curves_chart(_curve_points(evaluation, arm), banded, evaluation.unit.treated, _axis(evaluation))


def _arm(evaluation: UpliftEvaluation, arm: ArmResult) -> dict[str, Any]:
    areas = uplift_format(evaluation.unit, [one.qini for one in arm.rankings])
    average = uplift_format(evaluation.unit, [arm.average])
    banded = arm.rankings[0].name
    return {
        "name": arm.arm,
        "average": average.change(arm.average.value),
        "average_between": average.between(arm.average),
        "treated": count_of(arm.treated, "member"),
        "untreated": f"{arm.untreated:,}",
        "order": order_sentence(arm, areas),
        "warnings": [
            (one.name, one.calibration.warning) for one in arm.predictions if one.calibration.warning
        ],
        "banded": banded,
        "curves": _curves(evaluation, arm),
        "rankings": [_ranking(areas, one) for one in arm.rankings],
        "differences": [
            _compared(
                areas,
                f"{one.name} minus {one.other}",
                one.qini,
                (f"{one.name} is better", f"{one.other} is better"),
            )
            for one in arm.differences
        ],
        "predictions": [_prediction(evaluation, one) for one in arm.predictions],
    }


def _axis(evaluation: UpliftEvaluation) -> str:
    return f"extra {evaluation.unit.many} per {evaluation.unit.per:,} members"


def _curve_points(evaluation: UpliftEvaluation, arm: ArmResult) -> list[ChartPoint]:
    per = evaluation.unit.per
    return [
        ChartPoint(one.name, float(depth), per * height.value, per * height.lower, per * height.upper)
        for one in arm.rankings
        for depth, height in zip(GRID, one.curve, strict=True)
    ]


def _ranking(figures: UpliftFormat, one: RankingResult) -> dict[str, str]:
    share = one.qini_per_effect
    return {
        "name": one.name,
        "tone": tone(one.qini),
        "change": figures.change(one.qini.value),
        "interval": figures.between(one.qini),
        "p": p_value_text(one.qini.p_value),
        "share": "–" if share is None else percent(share),
        "sklift": plain_or_dash(one.equivalents.sklift_qini),
        "causalml": plain_or_dash(one.equivalents.causalml_qini),
    }


def _compared(figures: UpliftFormat, name: str, found: Estimate, readings: tuple[str, str]) -> dict[str, str]:
    """Return a row of a difference; the readings are for one above and one below zero."""
    chance = "the same" if found.value == 0 == found.standard_error else "may be chance"
    read = {"good": readings[0], "bad": readings[1], "open": chance}
    return {
        "name": name,
        "tone": tone(found),
        "change": figures.change(found.value),
        "interval": figures.between(found),
        "p": p_value_text(found.p_value),
        "reading": read[tone(found)],
    }


def _deciles(evaluation: UpliftEvaluation, one: PredictionResult) -> Markup:
    per = evaluation.unit.per
    points = [
        DecilePoint(
            row.number,
            per * row.predicted,
            per * row.actual.value,
            per * row.actual.lower,
            per * row.actual.upper,
        )
        for row in one.deciles
    ]
    return deciles_chart(points, _axis(evaluation))


def _prediction(evaluation: UpliftEvaluation, one: PredictionResult) -> dict[str, Any]:
    figures = uplift_format(evaluation.unit, [group.effect for group in one.groups])
    return {
        "name": one.name,
        "deciles": _deciles(evaluation, one),
        "slope": slope_sentence(one.calibration),
        "groups": [
            {
                "name": group.name.value,
                "tone": ("bad" if group.harmed else "good") if group.claimed else "open",
                "size": f"{group.size:,} ({plain(100 * group.share)} %)",
                "predicted": figures.change(group.predicted),
                "actual": figures.change(group.effect.value),
                "interval": figures.between(group.effect),
                "verdict": group.verdict,
                "description": group.description if group.size else "–",
            }
            for group in one.groups
        ],
    }


def _policy(evaluation: UpliftEvaluation, one: PolicyValue) -> dict[str, Any]:
    figures = uplift_format(evaluation.unit, one.gains.values())
    arms = (evaluation.control, *evaluation.costs)
    return {
        "name": one.name,
        "curve": _policy_curve(evaluation, one),
        "shares": ", ".join(
            f"{arm} for {plain(100 * share, 1)} %"
            for arm, share in zip(arms, one.shares, strict=True)
            if share
        ),
        "gains": [
            _compared(figures, _named(name, one), gain, ("choosing pays", "choosing loses"))
            for name, gain in _gains(one).items()
        ],
    }


def _policy_curve(evaluation: UpliftEvaluation, one: PolicyValue) -> Markup:
    per, unit = evaluation.unit.per, evaluation.unit
    points = [
        ChartPoint(
            f"best arms by {one.name}",
            float(depth),
            per * height.value,
            per * height.lower,
            per * height.upper,
        )
        for depth, height in zip(GRID, one.curve, strict=True)
    ]
    costs = ", net of cost" if any(evaluation.costs.values()) else ""
    return curves_chart(points, points[0].ranking, unit.treated, f"{_axis(evaluation)}{costs}")


def _gains(one: PolicyValue) -> Mapping[str, Estimate]:
    """Return the gains, without the one arm for all that is named as the best already."""
    return {name: gain for name, gain in one.gains.items() if name != f"{one.best_arm} for all"}


def _named(name: str, one: PolicyValue) -> str:
    return f"{name} ({one.best_arm})" if name == "the best arm for all" else name
