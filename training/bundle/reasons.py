"""Why an offer was chosen for a member: reasons of a closed list, with the evidence that a client puts into words.

Reasons are read off the model and the member's history; they say what speaks for an offer, which is not always all that
the score was made of.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from training.bundle.features import offer_rows
from training.bundle.history import FIRST_AGE, LAST_AGE, TRIPS, Profile
from training.bundle.model import OfferModel
from training.bundle.ranker import Ranker
from training.bundle.scorers import AnyScorer, Factors, Linear, Mixture, Personal, Projection, ranges, weigh

MAX_REASONS = 3
"""Reasons given for one offer."""
DUE_FROM, DUE_UNTIL = 0.75, 2.0
"""Something is due when so many of its usual intervals have passed; later, the habit has probably ended."""
POPULAR_SHARE = 0.9
"""An offer is popular if it is more popular than this share of all offers."""
SPEAKS_FOR_SHARE = 0.5
"""A component speaks for an offer if it scores it above this share of all offers."""

Array = npt.NDArray[np.float32]
Offers = npt.NDArray[np.int64]


class ReasonCode(StrEnum):
    """What kind of reason it is."""

    BOUGHT_BEFORE = "BOUGHT_BEFORE"
    """The member bought it before."""
    DUE_AGAIN = "DUE_AGAIN"
    """The member buys it regularly, and it is time again."""
    GOES_WITH = "GOES_WITH"
    """It goes with a product that the member bought or has in the basket."""
    LIKED_BY_SIMILAR_MEMBERS = "LIKED_BY_SIMILAR_MEMBERS"
    """Members who buy alike buy it."""
    POPULAR = "POPULAR"
    """Many members buy it."""
    NEW_TO_MEMBER = "NEW_TO_MEMBER"
    """The member never bought it."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason.

    Attributes:
        code: What kind of reason.
        trip_count: With BOUGHT_BEFORE: purchases of what the offer covers.
        span_days: With BOUGHT_BEFORE: days since the first of them, at least 1.
        interval_days: With DUE_AGAIN: days that usually pass between two of them, at least 1.
        elapsed_days: With DUE_AGAIN: whole days since the last.
        product_id: With GOES_WITH: the member's product.
    """

    code: ReasonCode
    trip_count: int = 0
    span_days: int = 0
    interval_days: int = 0
    elapsed_days: int = 0
    product_id: str = ""


POPULAR_REASONS = (Reason(ReasonCode.POPULAR),)
"""The reasons of an offer that was ranked by popularity."""


def explain(
    model: OfferModel, past: Profile, present: Profile, member: int | None, offers: Offers
) -> list[tuple[Reason, ...]]:
    """Explain why each offer was chosen.

    What the member bought comes first: due again, then bought before. Then what the model infers: the offer goes with a
    product of the member, or similar members like it, by how many offers the component puts below it. Then popularity, and
    that it is new. Where nothing else is found, popularity is what is left of any model.

    Args:
        model: The model that scored.
        past: What the member bought, without the basket.
        present: The same with the basket, as it was scored; the very same object if there is none.
        member: The member's position in the model, or ``None``.
        offers: int64[n], offers of the model.

    Returns:
        For each offer 1 to 3 reasons, the strongest first.
    """
    bought, columns, _ = offer_rows(past, model.covers)
    held = bought if present is past else offer_rows(present, model.covers)[0]
    below = np.searchsorted(model.ascending_popularity, model.popular_scores[offers])
    popular = below / max(len(model.popular_scores), 1) > POPULAR_SHARE
    inferred = _inferred(model, present, member, offers, bought)
    reasons = []
    for place, offer in enumerate(offers.tolist()):
        row = int(np.searchsorted(bought, offer))
        own = _own(columns[row]) if row < len(bought) and bought[row] == offer else []
        found = [*own, *inferred[place]]
        if popular[place]:
            found.append(Reason(ReasonCode.POPULAR))
        if not own and past.stats[TRIPS] > 0 and not _contains(held, offer):
            found.append(Reason(ReasonCode.NEW_TO_MEMBER))
        reasons.append(tuple(found[:MAX_REASONS]) or POPULAR_REASONS)
    return reasons


def _own(row: Array) -> list[Reason]:
    """Return what the member's own purchases say."""
    trips, last, first = float(row[TRIPS]), float(row[LAST_AGE]), float(row[FIRST_AGE])
    before = Reason(
        ReasonCode.BOUGHT_BEFORE, trip_count=max(round(trips), 1), span_days=max(math.ceil(first), 1)
    )
    interval = (first - last) / (trips - 1) if trips > 1 else 0.0
    if interval < 1 or not DUE_FROM <= last / interval <= DUE_UNTIL:
        return [before]
    due = Reason(ReasonCode.DUE_AGAIN, interval_days=max(round(interval), 1), elapsed_days=math.floor(last))
    return [due, before]


def _inferred(
    model: OfferModel, profile: Profile, member: int | None, offers: Offers, bought: Offers
) -> list[list[Reason]]:
    """Return for each offer what the components infer, the strongest first."""
    parts = [
        part for part in _parts(model.scorer) if isinstance(part, Linear | Factors | Projection | Personal)
    ]
    if not parts:
        return [[] for _ in offers]
    goes_with, similar = np.zeros((2, len(offers)))
    products: list[str | None] = [None] * len(offers)
    for part in parts:
        if isinstance(part, Linear) and len(profile.products):
            share = _share_below(part.scores(profile, member), offers)
            better = np.flatnonzero(share > np.maximum(goes_with, SPEAKS_FOR_SHARE))
            if len(better):
                goes_with[better] = share[better]
                for place, product in zip(
                    better.tolist(), _leading(model, part, profile, offers[better]), strict=True
                ):
                    products[place] = product
        elif isinstance(part, Factors | Projection | Personal):
            share = _share_below(part.scores(profile, member), offers)
            if isinstance(part, Personal):
                # Stored scores may simply count; for what was bought they say nothing about others.
                share[np.isin(offers, bought)] = 0.0
            similar = np.maximum(similar, share)
    return [
        _in_order(products[place], float(goes_with[place]), float(similar[place]))
        for place in range(len(offers))
    ]


def _in_order(product_id: str | None, goes_with: float, similar: float) -> list[Reason]:
    found = [] if product_id is None else [Reason(ReasonCode.GOES_WITH, product_id=product_id)]
    if similar > SPEAKS_FOR_SHARE and similar >= goes_with:
        found.insert(0, Reason(ReasonCode.LIKED_BY_SIMILAR_MEMBERS))
    return found


def _parts(scorer: AnyScorer | Ranker) -> tuple[AnyScorer, ...]:
    """Return the scorers that a score is made of."""
    if isinstance(scorer, Ranker):
        return tuple(part for component in scorer.components for part in _parts(component))
    if isinstance(scorer, Mixture):
        return tuple(part for component in scorer.parts for part in _parts(component))
    return (scorer,)


def _share_below(scores: Array, offers: Offers) -> npt.NDArray[np.float64]:
    """Return float64[n] in [0, 1): the share of all offers that score below each of these."""
    below: npt.NDArray[np.float64] = np.count_nonzero(scores < scores[offers][:, None], axis=1) / max(
        len(scores), 1
    )
    return below


def _leading(model: OfferModel, part: Linear, profile: Profile, offers: Offers) -> list[str | None]:
    """Return for each offer the member's product that adds most to its score; ``None`` if none adds anything.

    Products that the offer itself covers are left out: that they go with it is not news.
    """
    added = _contributions(part, profile, offers)
    positions, covering = model.covers.expand(profile.products)
    column_of = _column_of(offers, model.covers.offer_count)[covering]
    own = column_of >= 0
    added[positions[own], column_of[own]] = 0.0
    leaders = added.argmax(axis=0)
    return [
        model.product_ids[int(profile.products[row])] if added[row, column] > 0 else None
        for column, row in enumerate(leaders.tolist())
    ]


def _contributions(part: Linear, profile: Profile, offers: Offers) -> Array:
    """Return float32[products of the member, offers], what each product adds to the score of each offer."""
    weights = weigh(profile.columns, part.weighting)
    if part.dense is not None:
        return weights[:, None] * part.dense[profile.products[:, None], offers]
    added = np.zeros((len(weights), len(offers)), np.float32)
    if part.indptr is None or part.indices is None or part.data is None:
        return added
    starts, ends = part.indptr[profile.products], part.indptr[profile.products + 1]
    entries = ranges(starts, ends)
    columns = _column_of(offers, part.offer_count)[part.indices[entries]]
    rows = np.repeat(np.arange(len(weights)), ends - starts)
    hit = columns >= 0
    added[rows[hit], columns[hit]] = part.data[entries[hit]] * weights[rows[hit]]
    return added


def _column_of(offers: Offers, offer_count: int) -> npt.NDArray[np.int64]:
    """Return int64[all offers], the place of each among these, or -1."""
    places = np.full(offer_count, -1, np.int64)
    places[offers] = np.arange(len(offers))
    return places


def _contains(ascending: Offers, offer: int) -> bool:
    place = int(np.searchsorted(ascending, offer))
    return place < len(ascending) and int(ascending[place]) == offer
