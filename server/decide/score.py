"""Scoring: which candidates the placement's task leaves, what the model says of each, and why."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.log.events import OfferReason
from server.decide.context import DecisionContext
from server.decide.table import CandidateTable, Floats, Places, fill_unknown
from training.bundle import POPULAR_REASONS, ActionBundle, Bundle, OfferModel, Profile, Reason, explain

_MAX_PROFILES = 2_000

CachedProfile = tuple[int | None, Profile]
"""The member's position in the model, or ``None``, and what they bought, without the basket."""


class ProfileCache:
    """Profiles of the members decided for last, as one model sees them. Safe to share between threads.

    Args:
        bundle: The model.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._model = bundle.model
        self._feature_instant = bundle.manifest.feature_instant
        self._cached: dict[str, tuple[int, CachedProfile]] = {}
        self._lock = threading.Lock()

    def of(self, context: DecisionContext) -> CachedProfile:
        """Return where the member of a decision stands in the model, and what they bought until then."""
        since, member_id = self._feature_instant, context.member_id
        if context.has_trips_since(since):
            member = self._model.member_ids.index(member_id)
            return member, context.past(self._model, member, since)
        days = context.days_since(since)
        cached = self._cached.get(member_id)
        if cached is not None and cached[0] == days:
            return cached[1]
        member = self._model.member_ids.index(member_id)
        profile = (member, context.past(self._model, member, since))
        with self._lock:
            self._cached[member_id] = (days, profile)
            if len(self._cached) > _MAX_PROFILES:
                del self._cached[next(iter(self._cached))]
        return profile


CHAMPION = "champion"
POPULAR = "popular"
CATALOGUE_ORDER = "catalogue"

MEMBER_UNKNOWN = "MEMBER_UNKNOWN"
MODEL_MISSING = "MODEL_MISSING"
TASK_EXHAUSTED = "TASK_EXHAUSTED"


@dataclass(frozen=True, slots=True)
class ScoringRequest:
    """What the model was asked, kept to explain the answer.

    Attributes:
        model: The model.
        member: The member's position in it, or ``None``.
        past: What they bought.
        present: The same with the basket.
    """

    model: OfferModel
    member: int | None
    past: Profile
    present: Profile


@dataclass(frozen=True, slots=True)
class Scored:
    """The candidates that are left, scored.

    Attributes:
        table: All candidates of the placement.
        places: int64[n], which of its rows can be chosen, ascending.
        scores: float32[n].
        ranking: How they were scored.
        degradations: What was missing.
        asked: What the model was asked, where it ranked.
        from_model: Whether a model gave the scores.
        calibrated: Whether the scores are probabilities of a response.
    """

    table: CandidateTable
    places: Places
    scores: npt.NDArray[np.float32]
    ranking: str
    degradations: tuple[str, ...]
    asked: ScoringRequest | None = None
    from_model: bool = False
    calibrated: bool = False

    @property
    def popularity(self) -> npt.NDArray[np.float32]:
        """float32[n], what breaks ties; 0 without a model."""
        if not self.from_model:
            return np.zeros(len(self.places), dtype=np.float32)
        return self.table.popularity[self.places]

    def reasons(self, chosen: Places) -> list[tuple[OfferReason, ...]]:
        """Return why each of these was chosen; nothing for an offer that the model does not know.

        Args:
            chosen: int64[k], rows of the table.
        """
        if not self.from_model:
            return [()] * len(chosen)
        columns = self.table.columns[chosen]
        known = columns >= 0
        found: Sequence[Sequence[Reason]]
        if self.asked is None:
            found = [POPULAR_REASONS] * int(known.sum())
        else:
            asked = self.asked
            found = explain(asked.model, asked.past, asked.present, asked.member, columns[known])
        given = iter(found)
        return [tuple(map(_reason, next(given))) if is_known else () for is_known in known.tolist()]


def score(
    bundle: Bundle | None, table: CandidateTable, places: Places, context: DecisionContext, *, ranking: str
) -> Scored:
    """Score the candidates that the model's task is about for this member.

    Args:
        bundle: The model of the placement's task; ``None`` if none is loaded.
        table: The candidates, joined with it.
        places: Rows that all gates have left, ascending.
        context: The decision.
        ranking: How to rank, if the model allows it: ``champion`` or ``popular``.

    Returns:
        The rows that the task leaves, with their scores.
    """
    if bundle is None:
        scores = np.zeros(len(places), dtype=np.float32)
        return Scored(table, places, scores, CATALOGUE_ORDER, (MODEL_MISSING,))
    model, attributes = bundle.model, context.known()
    member, past = profile_cache(table, bundle).of(context)
    present = context.present(model, past)
    degradations = (MEMBER_UNKNOWN,) if member is None else ()
    fitting = places if model.about_everything else _of_task(table, places, model.applicable(present))
    if not len(fitting) and len(places):
        exhausted = (*degradations, TASK_EXHAUSTED)
        return Scored(table, places, table.popularity[places], POPULAR, exhausted, from_model=True)
    if ranking == POPULAR or not model.is_told(present, member, attributes):
        return Scored(table, fitting, table.popularity[fitting], POPULAR, degradations, from_model=True)
    columns = table.columns[fitting]
    if table.all_known:
        scores = model.scores(present, member, columns, attributes)
    else:
        known = columns >= 0
        scores = fill_unknown(known, model.scores(present, member, columns[known], attributes))
    asked = ScoringRequest(model, member, past, present)
    return Scored(
        table,
        fitting,
        scores,
        CHAMPION,
        degradations,
        asked,
        from_model=True,
        calibrated=model.calibrated,
    )


def profile_cache(table: CandidateTable, bundle: Bundle) -> ProfileCache:
    """Return the cache that decisions at a table share."""
    found = table.kept.get("profiles")
    if not isinstance(found, ProfileCache):
        found = table.kept["profiles"] = ProfileCache(bundle)
    return found


def _of_task(table: CandidateTable, places: Places, applicable: npt.NDArray[np.bool_]) -> Places:
    """Return the rows that a task is about; those that the model does not know always are."""
    if applicable.all():
        return places
    columns = table.columns[places]
    fits = columns < 0
    known = ~fits
    fits[known] = applicable[columns[known]]
    return places[fits]


def _reason(reason: Reason) -> OfferReason:
    return OfferReason(
        reason.code.value,
        reason.trip_count,
        reason.span_days,
        reason.interval_days,
        reason.elapsed_days,
        reason.product_id,
    )


def action_effects(
    bundle: ActionBundle | None, table: CandidateTable, places: Places, attributes: Mapping[str, object]
) -> Floats | None:
    """Return float64[n], the effect of each row's action; NaN where the model does not know it, nothing where it knows none.

    Args:
        bundle: The action model, if there is one; its arms are named as the actions.
        table: The candidates.
        places: Which of its rows.
        attributes: What is known of the member.
    """
    if bundle is None:
        return None
    arms = table.kept.get("arms")
    if not isinstance(arms, np.ndarray):
        index = bundle.arm_index
        arms = np.array([index.get(one.candidate_id, -1) for one in table.candidates], dtype=np.int64)
        table.kept["arms"] = arms
    here = arms[places]
    if not len(here) or here.max() < 0:
        return None
    effects = bundle.model.effects(attributes)
    return np.where(here >= 0, effects[here], np.nan)
