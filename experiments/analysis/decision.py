"""The decision rule: from the metrics' roles to ship, do not ship, keep running, or invalid.

A treatment ships if it is proven better on at least one success metric, every guardrail is proven to be no worse than its
margin allows, and nothing is proven worse. Success metrics share alpha by the correction; guardrails need no correction,
because all of them must hold (Schultzberg, Ankargren and Frånberg 2024, https://arxiv.org/abs/2402.11609).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from experiments.analysis.comparison import Comparison
from experiments.analysis.progress import Progress
from experiments.definition import AnalysisMethod, ExperimentDefinition, MetricRole
from experiments.number_format import confidence, count_of, within_sentence


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
        units_to_go: Units of the whole experiment that are still needed; none unless it keeps running, or unknown.
        days_to_go: The same in days at the present rate; none if the rate is unknown.
    """

    variant_id: str
    verdict: Verdict
    reason: str
    units_to_go: int | None = None
    days_to_go: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on the experiment.

    Attributes:
        verdict: What to do.
        reason: Why, in a sentence or two.
        variant_id: The treatment that ships, or that the verdict is about; none if the experiment is invalid.
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
    comparisons: Sequence[Comparison],
    progress: Progress,
    invalid: Sequence[str],
) -> Decision:
    """Return the verdict.

    Args:
        definition: The experiment.
        comparisons: All metrics and treatments, corrected.
        progress: How far the experiment is.
        invalid: Why it cannot be judged at all, in sentences; empty if it can.
    """
    rates = error_rates(definition, comparisons)
    if invalid:
        return Decision(Verdict.INVALID, " ".join(invalid), None, (), rates)
    treatments = tuple(
        _judge(definition, variant.variant_id, comparisons, progress) for variant in definition.treatments
    )
    for verdict in (Verdict.SHIP, Verdict.KEEP_RUNNING, Verdict.DO_NOT_SHIP):
        found = [one for one in treatments if one.verdict is verdict]
        if found:
            best = max(found, key=lambda one: _primary_gain(definition, one.variant_id, comparisons))
            nearest = min(found, key=lambda one: (one.units_to_go is None, one.units_to_go or 0))
            return Decision(
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
    return Decision(Verdict.INVALID, "There is no treatment to judge.", None, (), rates)


def _judge(
    definition: ExperimentDefinition, variant_id: str, comparisons: Sequence[Comparison], progress: Progress
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


def _holds(guardrail: Comparison) -> bool:
    """Whether a guardrail is proven harmless; one without a margin holds unless it is proven harmed."""
    if guardrail.pair is None:
        return False
    if guardrail.metric.margin is None:
        return True
    return guardrail.margin is not None and guardrail.margin.passed


def _primary_gain(
    definition: ExperimentDefinition, variant_id: str, comparisons: Sequence[Comparison]
) -> float:
    for one in comparisons:
        if (
            one.variant_id == variant_id
            and one.metric.metric_id == definition.primary_metric.metric_id
            and one.pair is not None
        ):
            return one.pair.estimate if one.metric.direction == "increase" else -one.pair.estimate
    return float("-inf")


def _names(comparisons: Sequence[Comparison]) -> str:
    names = [within_sentence(one.metric.name) for one in comparisons]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def error_rates(definition: ExperimentDefinition, comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """Return how often the decision rule errs, in sentences."""
    family = sum(1 for one in comparisons if one.metric.role is MetricRole.SUCCESS)
    kept = f"{100 * definition.alpha:g} %"
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
