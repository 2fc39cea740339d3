"""What if I look every day? Answered by what the simulations of the method in use measured."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from experiments.analysis import ExperimentResult
from experiments.analysis.error_rates import measured
from experiments.definition import AnalysisMethod
from experiments.number_format import count_of

_SIMULATIONS = {
    AnalysisMethod.ALWAYS_VALID: ("always-valid/",),
    AnalysisMethod.GROUP_SEQUENTIAL: ("group-sequential/",),
    AnalysisMethod.FIXED: ("mistake/peeking/",),
}
BAYES_PEEKING = ("mistake/bayes-peeking/",)
"""The simulations in which a posterior is read at every look."""


@dataclass(frozen=True, slots=True)
class Rate:
    """The highest measured rate of false findings of several simulations.

    Attributes:
        share: Of simulated experiments, all without any effect.
        looks: At each of them.
        runs: Simulated experiments.
        kinds: Simulations, each with other data, of which this is the highest rate.
    """

    share: float
    looks: int
    runs: int
    kinds: int

    def words(self) -> str:
        """Return the rate as a sentence."""
        percent = f"{100 * self.share:.1f}".removesuffix(".0")
        worst = f", the worst of {self.kinds} kinds of data" if self.kinds > 1 else ""
        return (
            f"Measured: of {self.runs:,} simulated experiments in which no variant changed anything, looked at"
            f" {count_of(self.looks, 'time')} each, {percent} % found a change at some look{worst}."
        )


def peeking_answer(result: ExperimentResult) -> list[str]:
    """Return whether one may look every day, in sentences, with the measured rate of the method where there is one."""
    definition = result.definition
    kept = f"{100 * definition.alpha:g} %"
    rate = measured_rate(*_SIMULATIONS[definition.analysis.method])
    found = "" if rate is None else f" {rate.words()}"
    match definition.analysis.method:
        case AnalysisMethod.ALWAYS_VALID:
            return [
                (
                    "Do. The intervals of this experiment are made for it: however often anybody looks, at most"
                    f" {kept} of experiments without any change ever seem to have one.{found}"
                )
            ]
        case AnalysisMethod.GROUP_SEQUENTIAL:
            looks = count_of(definition.analysis.looks, "planned look")
            return [
                (
                    f"Decide at the {looks} only: over them, at most {kept} of experiments without any change seem to"
                    f" have one. In between, go by the always-valid interval in the appendix.{found}"
                )
            ]
    return [
        (
            "Do not decide by it. The intervals of this experiment are made for one look, at the planned end; whoever stops"
            f" at the first good day is wrong far more often than in {kept}.{found} In the meantime, go by the"
            " always-valid interval in the appendix."
        )
    ]


def measured_rate(*beginnings: str) -> Rate | None:
    """Return the highest rate of the simulations whose names begin so; none if nothing was measured."""
    try:
        rates = [rate for rate in _rates(measured()) if rate[0].startswith(beginnings)]
    except (OSError, ValueError):
        return None
    if not rates:
        return None
    _, share, looks, runs = max(rates, key=lambda rate: rate[1])
    return Rate(share, looks, runs, len(rates))


def _rates(found: object) -> Iterator[tuple[str, float, int, int]]:
    """Yield name, rate, looks and runs of every simulation with several looks, however they are grouped."""
    parts = found.values() if isinstance(found, Mapping) else found if isinstance(found, list) else ()
    if isinstance(found, Mapping) and {"key", "rate", "looks", "runs"} <= found.keys():
        if found["looks"] > 1 and not found["key"].endswith("/width"):
            yield found["key"], float(found["rate"]), int(found["looks"]), int(found["runs"])
        return
    for part in parts:
        yield from _rates(part)
