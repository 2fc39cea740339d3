"""What an A/A simulation found, in figures and in a sentence."""

import math
from dataclasses import asdict, dataclass
from typing import Any

FEWEST_RUNS = 100
"""With fewer splits no rate could be told from another."""
# Below this the p-values are not uniform by chance.
_NOT_UNIFORM = 0.001
# Standard errors of a rate: 99.9 % of simulations are within them if the method errs as often as it says.
_BAND = 3.29
_HEAVY = 0.02


@dataclass(frozen=True, slots=True)
class MethodRate:
    """How often a method found an effect.

    Attributes:
        method: ``fixed``, ``fixed-peeking``, ``always-valid`` or ``group-sequential``.
        looks: At each split.
        rate: Share of the splits in which any look was significant.
        low: Lower end of the band in which the rate lies in 99.9 % of simulations if the method errs as often as it
            says; zero for methods that may err less often.
        high: Upper end.
        sound: Whether the method keeps its word; none for the mistake of peeking at a test for one look, and for a
            simulated effect, which shall be found.
    """

    method: str
    looks: int
    rate: float
    low: float
    high: float
    sound: bool | None


@dataclass(frozen=True, slots=True)
class MetricSimulation:
    """One metric, one treatment's share.

    Attributes:
        metric_id: The metric.
        name: What people call it.
        variant_ids: Treatments of this share; they all behave alike.
        units: Units of both arms.
        rates: By method.
        uniformity: Kolmogorov-Smirnov p-value of the fixed test's p-values against the uniform distribution; none
            with an effect.
        coverage: Share of the splits whose fixed interval holds the true difference.
        relative_coverage: The same for the relative effect; none if there is no relative interval.
        largest_share: Share of the metric's variance that its most extreme unit makes up alone.
        capped: Whether the metric is winsorised.
        refusal: Why there is nothing, or empty.
    """

    metric_id: str
    name: str
    variant_ids: tuple[str, ...]
    units: int = 0
    rates: tuple[MethodRate, ...] = ()
    uniformity: float | None = None
    coverage: float | None = None
    relative_coverage: float | None = None
    largest_share: float | None = None
    capped: bool = False
    refusal: str = ""

    def rate(self, method: str) -> MethodRate | None:
        """Return the rate of a method; none if it was not simulated."""
        return next((one for one in self.rates if one.method == method), None)

    @property
    def sound(self) -> bool | None:
        """Whether all methods keep their word and p-values are uniform; none if that was not simulated."""
        judged = [one.sound for one in self.rates if one.sound is not None]
        if not judged:
            return None
        return all(judged) and (self.uniformity is None or self.uniformity > _NOT_UNIFORM)


@dataclass(frozen=True, slots=True)
class Simulation:
    """An A/A simulation, or A/B with a known effect.

    Attributes:
        experiment_id: The definition's.
        runs: Random splits.
        looks: At each of them.
        seed: Of the random numbers.
        effect: Relative effect that was put in; zero for A/A.
        alpha: Accepted error.
        metrics: Every metric and share.
    """

    experiment_id: str
    runs: int
    looks: int
    seed: int
    effect: float
    alpha: float
    metrics: tuple[MetricSimulation, ...]

    @property
    def sound(self) -> bool:
        """Whether no metric is out of order."""
        return all(one.sound is not False for one in self.metrics)

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON document."""
        document = asdict(self)
        for metric, one in zip(document["metrics"], self.metrics, strict=True):
            metric["sound"] = one.sound
            metric["sentence"] = self.sentence(one)
        return document | {"sound": self.sound}

    def label(self, one: MetricSimulation) -> str:
        """Return a metric's name, with the variants where these have several shares."""
        several = sum(other.metric_id == one.metric_id for other in self.metrics) > 1
        return f"{one.name} ({', '.join(one.variant_ids)})" if several else one.name

    def sentence(self, one: MetricSimulation) -> str:
        """Return what was found of a metric, in plain words."""
        fixed, name = one.rate("fixed"), self.label(one)
        if one.refusal or fixed is None:
            return f"{name}: not simulated; {one.refusal}."
        level = f"{100 * self.alpha:g} %"
        share = f"{_percent(fixed.rate)} of {self.runs:,}"
        if self.effect:
            always = one.rate("always-valid")
            while_peeking = f", {_percent(always.rate)} by the always-valid test" if always else ""
            return (
                f"{name}: {share} splits with an effect of {100 * self.effect:+g} % significant at {level}"
                f"{while_peeking}; the interval held the truth in {_percent(one.coverage or 0.0)}."
            )
        found = f"{name}: {share} A/A splits significant at {level}"
        if not fixed.sound:
            return (
                f"{found}, outside {_percent(fixed.low)} to {_percent(fixed.high)}: this metric's formula cannot be"
                f" trusted on your data.{self._advice(one)}"
            )
        if one.uniformity is not None and one.uniformity <= _NOT_UNIFORM:
            return (
                f"{found}, but its p-values are not uniform (p = {one.uniformity:.1g}): this metric's formula cannot be"
                f" trusted on your data.{self._advice(one)}"
            )
        failing = [rate for rate in one.rates if rate.sound is False]
        if failing:
            names = " and ".join(
                f"{_percent(rate.rate)} while looked at {rate.looks} times by the {rate.method} method"
                for rate in failing
            )
            return f"{found}, but {names}: do not peek at this metric.{self._advice(one)}"
        return f"{found}: in order."

    @staticmethod
    def _advice(one: MetricSimulation) -> str:
        if one.largest_share is not None and one.largest_share > _HEAVY and not one.capped:
            return (
                f" One unit alone makes up {_percent(one.largest_share)} of its variance; winsorise it, with bounds in"
                " the definition."
            )
        return (
            " Its values are too rare or too extreme for so few units; wait for more, or take another metric."
        )


def error_band(alpha: float, runs: int) -> tuple[float, float]:
    """Return where the rate of a method that errs as often as it says lies in 99.9 % of simulations."""
    margin = _BAND * math.sqrt(alpha * (1 - alpha) / runs)
    return max(0.0, alpha - margin), min(1.0, alpha + margin)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
