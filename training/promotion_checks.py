"""Whether a stored bundle works, says what training said, and answers in time."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.bundle import Bundle, BundleError, OfferModel, open_bundle
from training.tracking.evidence import Parity

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
        CheckError: It does not open, is of another task, or scores are no finite number for each offer.
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
