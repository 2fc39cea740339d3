"""The top of the report: what to do, why, what it is worth, how long it still takes, and whether one may look every day."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from experiments.analysis import ExperimentResult, MetricComparison, MoneyEffect, TreatmentDecision, Verdict
from experiments.analysis.document import measured
from experiments.definition import AnalysisMethod
from experiments.number_format import (
    between,
    confidence,
    count_of,
    money_change,
    money_step,
    percentage,
    plural,
    roughly,
    within_sentence,
)
from experiments.pages.experiment_words import figures_of, units

_TONES = {
    Verdict.SHIP: "good",
    Verdict.DO_NOT_SHIP: "bad",
    Verdict.KEEP_RUNNING: "open",
    Verdict.INVALID: "alarm",
}
_SHORT = {
    Verdict.SHIP: "ship",
    Verdict.DO_NOT_SHIP: "do not ship",
    Verdict.KEEP_RUNNING: "keep running",
    Verdict.INVALID: "invalid",
}


@dataclass(frozen=True, slots=True)
class Headline:
    """The verdict: a few words, the tone (``good``, ``bad``, ``open`` or ``alarm``), and the sentences below it."""

    text: str
    tone: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProgressBar:
    """How far the experiment is: a sentence for each thing known, and the share of the plan, 0 to 100, if planned."""

    share: float | None
    sentences: tuple[str, ...]


def headline(result: ExperimentResult) -> Headline:
    """Return the verdict; while the experiment is invalid nothing is said of who is ahead."""
    decision = result.decision
    if decision.verdict is Verdict.INVALID:
        return Headline(f"Invalid: {_why_invalid(result)}", "alarm", (result.sentence(),))
    doubt = ("Check first: the sizes of the groups are unusual, see below.",) if result.srm.warning else ()
    return Headline(
        _words(result),
        _TONES[decision.verdict],
        (decision.reason, *doubt, *_primary_sentence(result), *_worth(result)),
    )


def _primary_sentence(result: ExperimentResult) -> list[str]:
    """Return what the primary metric says of the treatment that the verdict is about; nothing without figures."""
    return [
        _effect_sentence(result, one)
        for one in result.results_of(result.definition.primary_metric)
        if one.variant_id == result.decision.variant_id
    ]


def _effect_sentence(result: ExperimentResult, one: MetricComparison) -> str:
    treatment = result.definition.variant(one.variant_id).label
    control = within_sentence(result.definition.variant(one.control_id).label)
    name, pair, interval = within_sentence(one.metric.name), one.pair, one.decisive
    if pair is None or interval is None:
        return f"{treatment}: no figure for {name}: {one.refusal}."
    figures = figures_of(result, one.metric)
    where = figures.between(interval.ci_lower, interval.ci_upper)
    sure = f", {where} ({confidence(interval.alpha)} sure)" if where else ", without an interval"
    chance = "" if one.improved or one.harmed or not where else ", which can be chance"
    return (
        f"{treatment}: {figures.value_of(pair.treatment_mean, name)} against {figures.value(pair.control_mean)} with"
        f" {control}; {figures.change(pair.estimate)}{sure}{chance}."
    )


def _words(result: ExperimentResult) -> str:
    decision = result.decision
    match decision.verdict:
        case Verdict.SHIP:
            assert decision.variant_id is not None
            return f"Ship: {result.definition.variant(decision.variant_id).label}"
        case Verdict.DO_NOT_SHIP:
            several = len(result.definition.treatments)
            return "Do not ship" if several == 1 else f"Ship none of the {several} variants"
    if decision.days_to_go is not None:
        return f"Keep running: about {count_of(roughly(decision.days_to_go), 'more day', 'more days')}"
    if decision.units_to_go is not None:
        noun = result.definition.unit
        more = count_of(roughly(decision.units_to_go), f"more {noun}", f"more {plural(noun)}")
        return f"Keep running: about {more}"
    return "Keep running"


def _why_invalid(result: ExperimentResult) -> str:
    if result.srm.alarm:
        return "the groups do not have the planned sizes"
    if 0 in result.units.values():
        return "a group is empty"
    if result.imbalance is not None and result.imbalance.alarm:
        return "the groups differed from the start"
    if all(one.pair is None for one in result.results_of(result.definition.primary_metric)):
        return "there is no figure to judge by"
    return "a check of the experiment failed"


def treatment_verdicts(result: ExperimentResult) -> list[tuple[str, str, str]]:
    """Return name, verdict and reason of each treatment if there are several; nothing while invalid."""
    found = result.decision.treatments
    if len(found) < 2 or result.decision.verdict is Verdict.INVALID:
        return []
    return [_verdict_row(result, one) for one in found]


def _verdict_row(result: ExperimentResult, one: TreatmentDecision) -> tuple[str, str, str]:
    return result.definition.variant(one.variant_id).label, _SHORT[one.verdict], one.reason


def _worth(result: ExperimentResult) -> tuple[str, ...]:
    """Return what the treatment of the verdict is worth; nothing if the plan names no money."""
    found = [one for one in result.money if one.variant_id == result.decision.variant_id]
    return tuple(money_sentence(result, one) for one in found)


def money_sentences(result: ExperimentResult) -> list[tuple[str, str]]:
    """Return each treatment's name with its worth; nothing while the experiment is invalid."""
    if result.decision.verdict is Verdict.INVALID:
        return []
    return [
        (result.definition.variant(one.variant_id).label, money_sentence(result, one)) for one in result.money
    ]


def money_sentence(result: ExperimentResult, one: MoneyEffect) -> str:
    """Return what giving a treatment to everybody would change, in money."""
    unit, noun = one.currency_code, result.definition.unit
    if one.per_unit is None:
        return f"What it is worth cannot be said: {one.reason}."
    step = money_step(one.per_unit, one.per_unit_lower, one.per_unit_upper)
    per_unit = _sum(one.per_unit, one.per_unit_lower, one.per_unit_upper, step, unit)
    sentence = f"After costs that is {per_unit} per {within_sentence(noun)}."
    if one.per_month is None:
        return sentence
    step = max(1.0, money_step(one.per_month, one.per_month_lower, one.per_month_upper))
    per_month = _sum(one.per_month, one.per_month_lower, one.per_month_upper, step, unit)
    plan = result.definition.money
    reached = (
        ""
        if plan is None or plan.units_per_month is None
        else f", with {plan.units_per_month:,.0f} {plural(noun)}"
    )
    return f"{sentence} A month{reached}: {per_month}."


def _sum(value: float, lower: float | None, upper: float | None, step: float, unit: str) -> str:
    where = between(
        None if lower is None else money_change(lower, step, ""),
        None if upper is None else money_change(upper, step, ""),
    )
    return (
        f"{money_change(value, step, unit)}, {where}"
        if where
        else f"{money_change(value, step, unit)}, no interval"
    )


def progress(result: ExperimentResult) -> ProgressBar | None:
    """Return how far the experiment is; ``None`` if there is neither a plan nor anything to wait for."""
    definition, decision = result.definition, result.decision
    total = sum(result.units.values())
    planned = definition.planned_units
    waiting = decision.verdict is Verdict.KEEP_RUNNING
    if planned is None and definition.end_date is None and not waiting:
        return None
    sentences = []
    if planned is not None:
        sentences.append(f"{total:,} of {units(result, planned)} that were planned.")
    else:
        sentences.append(f"{units(result, total)} so far.")
    if definition.end_date is not None:
        sentences.append(f"The plan ends on {definition.end_date:%-d %B %Y}.")
    if waiting and decision.units_to_go is not None:
        days = (
            ""
            if decision.days_to_go is None
            else f", {count_of(roughly(decision.days_to_go), 'day')} at the present rate"
        )
        sentences.append(
            f"About {units(result, roughly(decision.units_to_go))} more are needed{days}. This is a forecast from what was seen so"
            " far, and as vague as that."
        )
    elif waiting:
        sentences.append("How long it still takes cannot be said yet.")
    share = None if planned is None else min(100.0, 100 * total / planned)
    return ProgressBar(share, tuple(sentences))


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
    kept = percentage(definition.alpha)
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
    """Return the highest rate of the simulations whose names begin so; ``None`` if nothing was measured."""
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
