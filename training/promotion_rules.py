"""Whether a model's numbers are good enough to serve: pure rules on estimates, with a sentence that says why."""

import math
from dataclasses import dataclass

from training.evaluation import Estimate
from training.offers.model_cards import metric_title, shown_interval
from training.offers.result import COUNTING


@dataclass(frozen=True)
class Rival:
    """What a candidate is compared with.

    Attributes:
        name: How people call it, such as ``als, version 3``.
        difference: Paired difference of the deciding metric, candidate minus rival, on the same cases.
    """

    name: str
    difference: Estimate


@dataclass(frozen=True)
class Judgement:
    """What the rules say.

    Attributes:
        approved: Whether the candidate may serve.
        reason: Why, in one line with numbers.
    """

    approved: bool
    reason: str


def judge(
    model: str, metric: str, value: float, *, counting: Rival | None, champion: Rival | None
) -> Judgement:
    """Judge a candidate by the metric that decides.

    A model must beat counting for sure: the lower end of the 95 % interval of the paired difference lies above 0. It must
    not lose to the champion: the difference is above 0, though its interval may include 0. So many small steps are
    allowed between models that all beat counting; a step that looks like a loss is not. Counting itself, the simplest
    thing that works, may always take over unless it loses to the champion for sure.

    Args:
        model: Name of the candidate's recommender.
        metric: The metric that decides, such as ``ndcg@10``.
        value: What the candidate reached.
        counting: How it did against counting; ``None`` for counting itself.
        champion: How it did against the champion; ``None`` when nothing serves yet.
    """
    reached = f"{metric_title(metric)} {value:.4f}"
    if counting is None:
        return _judge_counting(model, reached, champion)
    if not _low(counting.difference) > 0:
        chance = ", which may be chance" if counting.difference.value > 0 else ""
        return _refused(model, f"{reached} is {_apart(counting)}{chance}")
    if champion is None:
        return Judgement(True, f"{reached} is {_apart(counting)}; nothing served before")
    if not champion.difference.value > 0:
        return _refused(model, f"{reached} is {_apart(champion)}")
    return Judgement(True, f"{reached} is {_apart(counting)} and {_apart(champion)}")


def inherited(metric: str, value: float | None, *, origin: str, evidence: str) -> Judgement:
    """Approve a champion that was refreshed: nothing is known that it could be measured on and has not seen.

    Args:
        metric: The metric that decides.
        value: What the version that was measured reached, where that is known.
        origin: The version that purchases were added to.
        evidence: The version that was measured.
    """
    reached = (
        f"; {metric_title(metric)} {value:.4f} is what version {evidence} reached"
        if value is not None
        else ""
    )
    return Judgement(True, f"it is version {origin} with the purchases made since{reached}")


def refusal(model: str, why: str) -> str:
    """Return the sentence that refuses a model."""
    return f"{model} cannot become champion: {why}."


def _judge_counting(model: str, reached: str, champion: Rival | None) -> Judgement:
    if champion is None:
        return Judgement(True, f"{reached}; it is what others must beat, and nothing served before")
    high = champion.difference.interval[1]
    if high >= 0 or (math.isnan(high) and champion.difference.value >= 0):
        return Judgement(True, f"{reached} is {_apart(champion)}, no certain loss, and counting is simpler")
    return _refused(model, f"{reached} is {_apart(champion)}")


def _refused(model: str, why: str) -> Judgement:
    return Judgement(False, refusal(model, why))


def _low(difference: Estimate) -> float:
    return difference.interval[0]


def _apart(rival: Rival) -> str:
    value = rival.difference.value
    if value == 0:
        return f"equal to {rival.name} ({shown_interval(rival.difference)})"
    return f"{abs(value):.4f} {'above' if value > 0 else 'below'} {rival.name} ({shown_interval(rival.difference)})"


def counting_rival(difference: Estimate) -> Rival:
    """Return counting as a rival."""
    return Rival(COUNTING, difference)
