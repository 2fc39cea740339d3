"""What a model must pass before it serves: its bundle works and is fast, its numbers are good enough, its trial can be trusted."""

import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from experiments.stats.estimate import Estimate
from training.bundle import Bundle, BundleError, OfferModel, open_action_bundle, open_bundle
from training.errors import RegistryError
from training.evaluation.evaluation import COUNTING, metric_title, shown_interval
from training.tracking import ModelRegistry, RegisteredVersion
from training.tracking.evidence import Parity
from training.tracking.registry import DISTRUST_TAG, TRUSTED

_KNOWN_MEMBERS = 3
_TIMED_MEMBERS = 50
_WARM_UPS = 3
SHORT_LIST = 200
"""A placement usually has fewer candidates than this."""


class CheckError(Exception):
    """A bundle failed a check; the message says why, without a full stop."""


@dataclass(frozen=True)
class Latency:
    """How long scoring one member takes, in ms.

    Attributes:
        offer_count: Number of all offers.
        p50: Median over members, all offers.
        p99: 99th percentile over members, all offers.
        short_p50: Median over members, at most 200 offers.
        short_p99: 99th percentile over members, at most 200 offers.
    """

    offer_count: int
    p50: float
    p99: float
    short_p50: float
    short_p99: float


def check_smoke(path: Path, task: str) -> Bundle:
    """Open a bundle, checksums included, and score three members it knows and one that it does not.

    Raises:
        CheckError: It does not open, is of another task, or its scores are not finite numbers for each offer.
    """
    try:
        bundle = open_bundle(path)
    except BundleError as error:
        raise CheckError(error.message.replace(f"bundle {path}", "bundle").rstrip(".")) from error
    model = bundle.model
    if str(model.task) != task:
        raise CheckError(f"The bundle is for the task {model.task}, not {task}")
    members: list[int | None] = [*range(min(_KNOWN_MEMBERS, bundle.member_count)), None]
    for member in members:
        scores = _scores(model, member, np.arange(len(model.offer_ids)))
        whom = "somebody unknown" if member is None else f"member {model.member_ids[member]!r}"
        if scores.shape != (len(model.offer_ids),) or scores.dtype != np.float32:
            raise CheckError(
                f"The scores of {whom} are {scores.dtype}{list(scores.shape)}, "
                f"expected float32[{len(model.offer_ids)}]"
            )
        if not np.isfinite(scores).all():
            raise CheckError(f"A score of {whom} is not finite")
    return bundle


def check_parity(model: OfferModel, parity: Parity | None) -> str:
    """Compare scores with those of the training job, bit for bit, and say how many were compared.

    Raises:
        CheckError: They were not kept, or differ.
    """
    if parity is None:
        raise CheckError("The scores that training computed were not kept: train again")
    for place, member in enumerate(parity.members.tolist()):
        part = slice(int(parity.offsets[place]), int(parity.offsets[place + 1]))
        known = member if member >= 0 else None
        if known is not None and known >= len(model.member_ids):
            raise CheckError("The bundle has fewer members than the model that was trained")
        profile = model.profile(known)
        candidates = np.flatnonzero(model.applicable(profile))
        same_offers = np.array_equal(candidates, parity.candidates[part])
        if not same_offers or not _same_bits(_scores(model, known, candidates), parity.scores[part]):
            whom = "somebody unknown" if known is None else f"member {model.member_ids[known]!r}"
            raise CheckError(f"The bundle scores {whom} differently from the training job")
    return f"{len(parity.scores):,} scores of {len(parity.members)} members equal"


def measure_latency(model: OfferModel, seed: int = 0) -> Latency:
    """Time the scoring of at most 50 members, one by one on one thread."""
    rng, members, offers = np.random.default_rng(seed), len(model.member_ids), len(model.offer_ids)
    everything = np.arange(offers)
    short = np.sort(rng.choice(offers, min(SHORT_LIST, offers), replace=False))
    drawn: list[int | None] = rng.choice(members, min(_TIMED_MEMBERS, members), replace=False).tolist()
    timed = drawn or [None]
    whole = _times(model, timed, everything)
    brief = _times(model, timed, short)
    (p50, p99), (short_p50, short_p99) = (np.percentile(times, [50, 99]).tolist() for times in (whole, brief))
    return Latency(offers, p50, p99, short_p50, short_p99)


def check_latency(latency: Latency, limit_ms: float) -> None:
    """Raise CheckError when the median over all offers is above a limit in ms."""
    if latency.p50 > limit_ms:
        raise CheckError(
            f"Scoring all {latency.offer_count:,} offers takes {latency.p50:.2f} ms for half of the members "
            f"(99 %: {latency.p99:.2f} ms), the limit is {limit_ms:g} ms"
        )


def _times(
    model: OfferModel, members: list[int | None], candidates: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return float64[members], ms; the first calls touch the pages and are not counted."""
    for member in members[:_WARM_UPS]:
        model.scores(model.profile(member), member, candidates)
    taken = []
    for member in members:
        started = time.perf_counter()
        model.scores(model.profile(member), member, candidates)
        taken.append((time.perf_counter() - started) * 1000)
    return np.array(taken)


def _scores(
    model: OfferModel, member: int | None, candidates: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    try:
        return model.scores(model.profile(member), member, candidates)
    except Exception as error:  # whatever breaks inside a model is a reason to refuse it
        raise CheckError(f"Scoring fails: {type(error).__name__}: {error}") from error


def _same_bits(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> bool:
    return first.dtype == second.dtype and first.tobytes() == second.tobytes()


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
class PromotionJudgement:
    """What the rules say.

    Attributes:
        approved: Whether the candidate may serve.
        reason: Why, in one line with numbers.
    """

    approved: bool
    reason: str


def judge(
    model: str, metric: str, value: float, *, counting: Rival | None, champion: Rival | None
) -> PromotionJudgement:
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

    Returns:
        Whether it passes, and why.
    """
    reached = f"{metric_title(metric)} {value:.4f}"
    if counting is None:
        return _judge_counting(model, reached, champion)
    if not counting.difference.lower > 0:
        chance = ", which may be chance" if counting.difference.value > 0 else ""
        return _refused(model, f"{reached} is {_apart(counting)}{chance}")
    if champion is None:
        return PromotionJudgement(True, f"{reached} is {_apart(counting)}; nothing served before")
    if not champion.difference.value > 0:
        return _refused(model, f"{reached} is {_apart(champion)}")
    return PromotionJudgement(True, f"{reached} is {_apart(counting)} and {_apart(champion)}")


def inherited(metric: str, value: float | None, *, origin: str, evidence: str) -> PromotionJudgement:
    """Approve a champion that was refreshed: nothing is known that it could be measured on and has not seen.

    Args:
        metric: The metric that decides.
        value: What the version that was measured reached, where that is known.
        origin: The version that purchases were added to.
        evidence: The version that was measured.

    Returns:
        Whether it passes, and why.
    """
    reached = (
        f"; {metric_title(metric)} {value:.4f} is what version {evidence} reached"
        if value is not None
        else ""
    )
    return PromotionJudgement(True, f"it is version {origin} with the purchases made since{reached}")


def refusal(model: str, why: str) -> str:
    """Return the sentence that refuses a model."""
    return f"{model} cannot become champion: {why}."


def _judge_counting(model: str, reached: str, champion: Rival | None) -> PromotionJudgement:
    if champion is None:
        return PromotionJudgement(True, f"{reached}; it is what others must beat, and nothing served before")
    difference = champion.difference
    unknown = math.isnan(difference.standard_error)
    if (difference.value if unknown else difference.upper) >= 0:
        return PromotionJudgement(
            True, f"{reached} is {_apart(champion)}, no certain loss, and counting is simpler"
        )
    return _refused(model, f"{reached} is {_apart(champion)}")


def _refused(model: str, why: str) -> PromotionJudgement:
    return PromotionJudgement(False, refusal(model, why))


def _apart(rival: Rival) -> str:
    value = rival.difference.value
    if value == 0:
        return f"equal to {rival.name} ({shown_interval(rival.difference)})"
    return f"{abs(value):.4f} {'above' if value > 0 else 'below'} {rival.name} ({shown_interval(rival.difference)})"


def counting_rival(difference: Estimate) -> Rival:
    """Return counting as a rival."""
    return Rival(COUNTING, difference)


def check_actions(path: Path) -> None:
    """Open a bundle, checksums included, and ask for the effects on somebody of whom nothing is known.

    Raises:
        CheckError: It does not open, or an effect is not finite.
    """
    try:
        model = open_action_bundle(path).model
    except BundleError as error:
        raise CheckError(error.message.replace(f"bundle {path}", "bundle").rstrip(".")) from error
    if not np.isfinite(model.effects({})).all():
        raise CheckError("An effect on somebody unknown is not finite")


def judge_action_model(registry: ModelRegistry, candidate: RegisteredVersion) -> PromotionJudgement:
    """Judge a version by its bundle and by the checks of its trial.

    Effects are calibrated on members that their model did not see, so that no model is worse than the averages of its own trial; whether
    another trial still holds is for people to say, by naming its version.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="troth-") as temporary:
            check_actions(registry.bundle(candidate, Path(temporary)))
    except (CheckError, RegistryError) as error:
        why = str(error).rstrip(".")
        return PromotionJudgement(False, refusal(candidate.model, why[:1].lower() + why[1:]))
    distrust = candidate.tags.get(DISTRUST_TAG, "")
    if distrust != TRUSTED:
        why = distrust.rstrip(".") or "whether its trial can be trusted was not kept: train again"
        return PromotionJudgement(False, refusal(candidate.model, why[:1].lower() + why[1:]))
    return PromotionJudgement(True, "its bundle works and its trial passed all checks")
