"""The decision rule: from the metrics' roles to ship, do not ship, keep running, or invalid.

A treatment ships if it is proven better on at least one success metric, every guardrail is proven to be no worse than its
margin allows, and nothing is proven worse. Success metrics share alpha by the correction; guardrails need no correction,
because all of them must hold (Schultzberg, Ankargren and Frånberg 2024, https://arxiv.org/abs/2402.11609).

Progress, how far the experiment is and how far it has to go, decides between keeping on and stopping.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from experiments.analysis.comparison import MetricComparison, excludes_zero, planned_looks
from experiments.definition import AnalysisMethod, ExperimentDefinition, MetricRole
from experiments.number_format import confidence, count_of, percentage, within_sentence
from experiments.stats.outlook import days_to_go


@dataclass(frozen=True, slots=True)
class ExperimentProgress:
    """How far an experiment is.

    Attributes:
        units: Units of all variants so far.
        planned_units: Where it ends, if the plan says.
        units_per_day: New units a day; ``None`` if the days are unknown.
        finished: Whether the planned end is reached, by size or by date.
        judged_now: Whether the method allows a verdict now.
        dated: Whether it is known up to which day the data reach.
    """

    units: int
    planned_units: int | None
    units_per_day: float | None
    finished: bool
    judged_now: bool
    dated: bool = True

    @property
    def units_to_go(self) -> int | None:
        """Units up to the planned size."""
        return None if self.planned_units is None else max(0, self.planned_units - self.units)

    @property
    def days_to_go(self) -> int | None:
        """Days up to the planned size at the present rate."""
        return self._days(self.units_to_go)

    def remaining_words(self) -> str:
        """Return what is missing up to the planned end."""
        if self.units_to_go:
            return self.words_for(self.units_to_go, self.days_to_go)
        if not self.dated:
            return "the data name no days, so say with --as-of up to which day they reach"
        return "the planned last day is not over"

    def finished_words(self) -> str:
        """Return that the end is reached, in words."""
        if self.planned_units is not None and self.units >= self.planned_units:
            return f"the planned size of {self.planned_units:,} is reached"
        if self.planned_units is None and self.units_per_day is None:
            return "the data are complete"
        return "the planned end is reached"

    @staticmethod
    def words_for(units: int, days: int | None) -> str:
        """Return units and days to go, in words."""
        more = f"about {units:,} more units"
        return more if days is None else f"{more}, {count_of(days, 'day')} at the present rate"

    def to_go(
        self, definition: ExperimentDefinition, success: Sequence[MetricComparison]
    ) -> tuple[int | None, int | None]:
        """Return units of the whole experiment and days until a verdict is expected.

        If the present estimate is the truth, the soonest success metric is expected to be proven after so many; the
        plan's end comes first if it is nearer. The estimate of an undecided metric is vague, and so is this.
        """
        needed = [more for one in success if (more := self._more_units(definition, one)) is not None]
        candidates = [*needed, *([self.units_to_go] if self.units_to_go else [])]
        if not candidates:
            return None, None
        return min(candidates), self._days(min(candidates))

    def _more_units(self, definition: ExperimentDefinition, one: MetricComparison) -> int | None:
        pair, interval = one.pair, one.decisive
        if pair is None or interval is None or interval.p_value is None or not self.units:
            return None
        share = pair.units / self.units
        # Without days, steps of a hundredth of the units so far stand in for them.
        rate = (self.units_per_day or self.units / 100) * share
        outlook = days_to_go(pair, rate, excludes_zero(definition, one), looks=planned_looks(definition, one))
        return None if not outlook.units else math.ceil(outlook.units / share)

    def _days(self, units: int | None) -> int | None:
        if units is None or not self.units_per_day:
            return None
        return math.ceil(units / self.units_per_day)


def progress_of(
    definition: ExperimentDefinition,
    units: Mapping[str, int],
    units_by_day: Mapping[date, int],
    today: date | None,
) -> ExperimentProgress:
    """Return how far an experiment is.

    Args:
        definition: The experiment.
        units: Units by variant.
        units_by_day: New units on each day; empty if the days are unknown.
        today: The day for which the end is judged; the last day of the data if not given.

    Returns:
        Units so far and planned, the rate of arrival, and whether the plan has ended.
    """
    total = sum(units.values())
    days = [day for day in units_by_day if day is not None]
    last = today or (max(days) if days else None)
    span = (max(days) - min(days)).days + 1 if days else 0
    by_size = definition.planned_units is not None and total >= definition.planned_units
    # Data that end on the last day are whole; on a given today the last day is not over.
    over = None if last is None else last - timedelta(days=1) if today is not None else last
    by_date = definition.end_date is not None and over is not None and over >= definition.end_date
    stopped = definition.state in {"stopped", "archived"}
    unplanned = definition.planned_units is None and definition.end_date is None
    fixed = definition.analysis.method is AnalysisMethod.FIXED
    finished = by_size or by_date or stopped or (fixed and unplanned)
    return ExperimentProgress(
        units=total,
        planned_units=definition.planned_units,
        units_per_day=total / span if span > 1 else None,
        finished=finished,
        judged_now=finished or not fixed,
        dated=last is not None,
    )


class Verdict(StrEnum):
    """What to do with a treatment."""

    SHIP = "ship"
    DO_NOT_SHIP = "do_not_ship"
    KEEP_RUNNING = "keep_running"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class TreatmentDecision:
    """The verdict on one treatment.

    Attributes:
        variant_id: The treatment.
        verdict: What to do.
        reason: Why, in a sentence.
        units_to_go: Units of the whole experiment that are still needed; ``None`` unless it keeps running, or unknown.
        days_to_go: The same in days at the present rate; ``None`` if the rate is unknown.
    """

    variant_id: str
    verdict: Verdict
    reason: str
    units_to_go: int | None = None
    days_to_go: int | None = None


@dataclass(frozen=True, slots=True)
class ExperimentDecision:
    """The verdict on the experiment.

    Attributes:
        verdict: What to do.
        reason: Why, in a sentence or two.
        variant_id: The treatment that ships, or that the verdict is about; ``None`` if the experiment is invalid.
        treatments: The verdict on each treatment.
        error_rates: How often a rule such as this errs, in sentences.
        units_to_go: See ``TreatmentDecision``; the least of the treatments that keep running.
        days_to_go: The same in days.
    """

    verdict: Verdict
    reason: str
    variant_id: str | None
    treatments: tuple[TreatmentDecision, ...]
    error_rates: tuple[str, ...]
    units_to_go: int | None = None
    days_to_go: int | None = None


def decide(
    definition: ExperimentDefinition,
    comparisons: Sequence[MetricComparison],
    progress: ExperimentProgress,
    invalid: Sequence[str],
) -> ExperimentDecision:
    """Return the verdict.

    Args:
        definition: The experiment.
        comparisons: All metrics and treatments, corrected.
        progress: How far the experiment is.
        invalid: Why it cannot be judged at all, in sentences; empty if it can.

    Returns:
        The verdict on the experiment and on each treatment, with reasons and what is still to come.
    """
    rates = error_rates(definition, comparisons)
    if invalid:
        return ExperimentDecision(Verdict.INVALID, " ".join(invalid), None, (), rates)
    treatments = tuple(
        _judge(definition, variant.variant_id, comparisons, progress) for variant in definition.treatments
    )
    for verdict in (Verdict.SHIP, Verdict.KEEP_RUNNING, Verdict.DO_NOT_SHIP):
        found = [one for one in treatments if one.verdict is verdict]
        if found:
            best = max(found, key=lambda one: _primary_gain(definition, one.variant_id, comparisons))
            nearest = min(found, key=lambda one: (one.units_to_go is None, one.units_to_go or 0))
            return ExperimentDecision(
                verdict,
                " ".join(
                    dict.fromkeys(one.reason for one in (found if verdict is not Verdict.SHIP else [best]))
                ),
                best.variant_id,
                treatments,
                rates,
                nearest.units_to_go,
                nearest.days_to_go,
            )
    return ExperimentDecision(Verdict.INVALID, "There is no treatment to judge.", None, (), rates)


def _judge(
    definition: ExperimentDefinition,
    variant_id: str,
    comparisons: Sequence[MetricComparison],
    progress: ExperimentProgress,
) -> TreatmentDecision:
    own = [
        one
        for one in comparisons
        if one.variant_id == variant_id and one.metric.role is not MetricRole.QUALITY
    ]
    label = definition.variant(variant_id).label
    if not progress.judged_now:
        return TreatmentDecision(
            variant_id,
            Verdict.KEEP_RUNNING,
            f"{label} is judged once, at the planned end: {progress.remaining_words()}.",
            progress.units_to_go,
            progress.days_to_go,
        )
    harmed = [one for one in own if one.harmed]
    if harmed:
        return TreatmentDecision(variant_id, Verdict.DO_NOT_SHIP, f"{label} is worse on {_names(harmed)}.")
    gains = [one for one in own if one.metric.role is MetricRole.SUCCESS and one.improved]
    doubtful = [one for one in own if one.metric.role is MetricRole.GUARDRAIL and not _holds(one)]
    if gains and not doubtful:
        guarded = any(one.metric.role is MetricRole.GUARDRAIL for one in own)
        held = ", and the guardrails hold" if guarded else ""
        return TreatmentDecision(variant_id, Verdict.SHIP, f"{label} is better on {_names(gains)}{held}.")
    missing = (
        f"{label} is better on {_names(gains)}, but not yet proven harmless on {_names(doubtful)}"
        if gains
        else f"{label} is not proven better on {_names([o for o in own if o.metric.role is MetricRole.SUCCESS])}"
    )
    if progress.finished:
        return TreatmentDecision(
            variant_id,
            Verdict.DO_NOT_SHIP,
            f"{missing.replace(' yet', '')}, and {progress.finished_words()}.",
        )
    units, days = progress.to_go(definition, [one for one in own if one.metric.role is MetricRole.SUCCESS])
    more = f": {progress.words_for(units, days)}" if units is not None else ""
    return TreatmentDecision(variant_id, Verdict.KEEP_RUNNING, f"{missing}{more}.", units, days)


def _holds(guardrail: MetricComparison) -> bool:
    """Whether a guardrail is proven harmless; one without a margin holds unless it is proven harmed."""
    if guardrail.pair is None:
        return False
    if guardrail.metric.margin is None:
        return True
    return guardrail.margin is not None and guardrail.margin.passed


def _primary_gain(
    definition: ExperimentDefinition, variant_id: str, comparisons: Sequence[MetricComparison]
) -> float:
    for one in comparisons:
        if (
            one.variant_id == variant_id
            and one.metric.metric_id == definition.primary_metric.metric_id
            and one.pair is not None
        ):
            return one.pair.estimate if one.metric.direction == "increase" else -one.pair.estimate
    return float("-inf")


def _names(comparisons: Sequence[MetricComparison]) -> str:
    names = [within_sentence(one.metric.name) for one in comparisons]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def error_rates(definition: ExperimentDefinition, comparisons: Sequence[MetricComparison]) -> tuple[str, ...]:
    """Return how often the decision rule errs, in sentences."""
    family = sum(1 for one in comparisons if one.metric.role is MetricRole.SUCCESS)
    kept = percentage(definition.alpha)
    when = {
        AnalysisMethod.ALWAYS_VALID: "however often one looks",
        AnalysisMethod.GROUP_SEQUENTIAL: f"over {count_of(definition.analysis.looks, 'planned look')}",
        AnalysisMethod.FIXED: "with one look at the planned end",
    }[definition.analysis.method]
    if family > 1 and definition.correction == "benjamini-hochberg":
        first = f"It finds differences among {family} comparisons, of which on average at most {kept} are chance, {when}."
    elif family > 1 and definition.correction == "none":
        first = (
            f"Where no variant changes anything, each of {family} comparisons finds a difference in at most {kept} of"
            f" such experiments, {when}; without a correction, more of them find some difference."
        )
    else:
        what = f"at least one of {family} comparisons to differ" if family > 1 else "a difference"
        first = f"Where no variant changes anything, at most {kept} of such experiments find {what}, {when}."
    sentences = [first, f"Intervals hold the true change in {confidence(definition.alpha)} of experiments."]
    if any(one.metric.margin is not None for one in comparisons):
        sentences.append(
            f"A guardrail that is harmed by just its margin passes in at most {kept} of experiments."
        )
    return tuple(sentences)
