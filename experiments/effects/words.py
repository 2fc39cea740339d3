"""How an evaluation's figures are written for people: in the unit's thousands, one digit finer than chance."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from experiments.number_format import interval_decimals, plain, signed
from experiments.uplift.calibration import Calibration
from experiments.uplift.estimate import Estimate
from experiments.uplift.result import ArmResult, Unit


@dataclass(frozen=True, slots=True)
class Figures:
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


def figures_for(unit: Unit, found: Iterable[Estimate]) -> Figures:
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
    return Figures(unit, min((asked[len(asked) // 2] if asked else 1) + 1, 4))


def tone(one: Estimate) -> str:
    """Return the style of an estimate: good above zero, bad below, open where chance may be all."""
    return "good" if one.above_zero else "bad" if one.below_zero else "open"


def p_text(p_value: float) -> str:
    """Return a p-value: ``0.043``, ``below 0.001``."""
    return "below 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def plain_or_dash(value: float | None, decimals: int = 4) -> str:
    """Return a figure, or a dash where there is none."""
    return "–" if value is None or not math.isfinite(value) else plain(value, decimals)


def order_sentence(arm: ArmResult, figures: Figures) -> str:
    """Return what the first prediction's order adds, and whether a simpler order is as good."""
    first = arm.rankings[0]
    gained = f"{figures.change(first.qini.estimate)} {figures.unit.words} ({figures.between(first.qini)})"
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


def slope_sentence(one: Calibration) -> str:
    """Return what the calibration slope says of the predictions' size."""
    slope = one.slope
    if math.isnan(slope.estimate):
        return one.warning or ""
    tens = [plain(10 * value, 1) for value in (slope.estimate, slope.lower, slope.upper)]
    text = f"Where predictions differ by 10, effects differ by about {tens[0]} ({tens[1]} to {tens[2]})."
    return f"{text} {one.warning or _size(slope)}"


def _size(slope: Estimate) -> str:
    if slope.upper < 1:
        return "Predictions are somewhat too far apart."
    return (
        "Predictions are too close together." if slope.lower > 1 else "Predictions have about the right size."
    )
