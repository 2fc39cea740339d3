"""Cases of simulated experiments, and the rates that are measured in them."""

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tests.experiments.error_rates.scenarios import Array, Random

ALPHA = 0.05
FAST_RUNS = 2_000
FULL_RUNS = 10_000


@dataclass(frozen=True)
class Band:
    """Where a measured rate may lie, both ends included."""

    low: float
    high: float


Asked = Callable[[int], Band]
"""Returns the band for a number of runs."""


def around(rate: float) -> Asked:
    """Ask for a rate that 99.9 % of simulations find if the method errs as often as it says."""

    def band(runs: int) -> Band:
        margin = 3.29 * math.sqrt(rate * (1 - rate) / runs)
        return Band(round(max(0.0, rate - margin), 6), round(min(1.0, rate + margin), 6))

    return band


def at_most(rate: float) -> Asked:
    """Ask for a rate that 99 % of simulations stay below if the method errs as often as it says."""
    return lambda runs: Band(0.0, round(rate + 2.326 * math.sqrt(rate * (1 - rate) / runs), 6))


def between(low: float, high: float) -> Asked:
    """Ask for a rate between two ends, whatever the runs."""
    return lambda _: Band(low, high)


def at_full(full: Asked, otherwise: Asked, runs: int) -> Asked:
    """Ask for one band from a number of runs on, and for another below."""
    return lambda of: full(of) if of >= runs else otherwise(of)


@dataclass(frozen=True)
class Part:
    """One rate that a case measures.

    Attributes:
        what: In words, beside those of the case.
        asked: The band that it must lie in.
        uniform: Whether the case returns p-values, which must be uniform; else it returns what is averaged.
    """

    what: str
    asked: Asked
    uniform: bool = False


@dataclass(frozen=True)
class Case:
    """Simulated experiments of one kind.

    Attributes:
        figure: Number of the figure that asks for it.
        key: Name, unique over all figures.
        what: In words.
        simulate: Takes random numbers and runs; returns for each part one number per run: whether what is counted
            happened, or a share, or a p-value.
        parts: The rates, by name.
        fast: Runs in the quick suite; 0 for cases that are too slow for it.
        full: Runs in full.
        looks: How often each experiment is looked at.
    """

    figure: int
    key: str
    what: str
    simulate: Callable[[Random, int], Mapping[str, Array]]
    parts: Mapping[str, Part]
    fast: int = FAST_RUNS
    full: int = FULL_RUNS
    looks: int = 1

    @property
    def seed(self) -> int:
        """Made of the name, so that nobody chooses it."""
        return zlib.crc32(self.key.encode())


@dataclass(frozen=True)
class Rate:
    """A measured rate.

    Attributes:
        figure: Number of the figure.
        key: Name of case and part.
        what: In words.
        low: Lower end of the band asked for.
        high: Upper end.
        rate: Measured.
        runs: Simulated experiments.
        looks: At each of them.
        seed: Of the random numbers.
        uniformity: Kolmogorov-Smirnov p-value of the p-values; none where none are looked at.
    """

    figure: int
    key: str
    what: str
    low: float
    high: float
    rate: float
    runs: int
    looks: int
    seed: int
    uniformity: float | None = None

    @property
    def problem(self) -> str:
        """What is wrong with the rate, or empty."""
        if not self.low <= self.rate <= self.high:
            return f"{self.key}: {self.rate:.4f} is not within {self.low:.4f} to {self.high:.4f} ({self.runs} runs)"
        if self.uniformity is not None and self.uniformity <= 0.001:
            return f"{self.key}: the p-values are not uniform (p = {self.uniformity:.2g})"
        return ""


def measure(case: Case, runs: int) -> list[Rate]:
    """Return the rates of all parts of a case."""
    from scipy import stats

    found = case.simulate(np.random.default_rng(case.seed), runs)
    rates = []
    for name, part in case.parts.items():
        values = np.asarray(found[name], dtype=np.float64)
        assert values.shape == (runs,)
        band = part.asked(runs)
        rates.append(
            Rate(
                figure=case.figure,
                key=f"{case.key}/{name}",
                what=f"{case.what}, {part.what}" if part.what else case.what,
                low=band.low,
                high=band.high,
                rate=round(float((values < ALPHA).mean() if part.uniform else values.mean()), 6),
                runs=runs,
                looks=case.looks,
                seed=case.seed,
                uniformity=round(float(stats.kstest(values, "uniform").pvalue), 6) if part.uniform else None,
            )
        )
    return rates


def problems(case: Case, runs: int, note: Callable[..., object] = dict) -> list[str]:
    """Return what is wrong with the rates of a case; empty if all is well.

    Args:
        case: The simulations.
        runs: How many.
        note: Is told the rates by the names of their parts.
    """
    rates = measure(case, runs)
    note(**{rate.key.removeprefix(f"{case.key}/"): rate.rate for rate in rates})
    return [rate.problem for rate in rates if rate.problem]
