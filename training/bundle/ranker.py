"""The second stage: trees over the scores of the first and over what is known of member and offer."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.bundle.features import OfferTable, candidate_features
from training.bundle.history import DECAYED, HALF_LIVES, TRIPS, Profile
from training.bundle.scorers import AnyScorer, Covers
from training.bundle.trees import Trees

Array = npt.NDArray[np.float32]
COLD_TRIPS = 2
_D28, _D84 = (DECAYED + HALF_LIVES.index(days) for days in (28.0, 84.0))


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """From a tree score to a probability: logistic in the score and in how active the member is.

    The member's part is the same for all offers, so the order of a member's offers is the order of the scores.

    Attributes:
        weights: float64[5]: constant, score (above 0), log of 1 + trips, of 1 + trips decayed over 84 and over 28 days.
    """

    weights: npt.NDArray[np.float64]

    def probabilities(self, scores: npt.NDArray[np.float64], stats: Array) -> npt.NDArray[np.float64]:
        """Return float64[scores] in (0, 1)."""
        logit = self.weights[0] + float(self.weights[2:] @ activity(stats)) + self.weights[1] * scores
        shares: npt.NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.clip(logit, -30.0, 30.0)))
        return shares


def activity(stats: Array) -> npt.NDArray[np.float64]:
    """Return float64[3], how active a member is, on a logarithmic scale."""
    return np.log1p(stats[[TRIPS, _D84, _D28]].astype(np.float64))


@dataclass(frozen=True, slots=True, eq=False)
class Ranker:
    """Scores a shortlist by trees, everything else below it.

    Attributes:
        names: Name of each component.
        components: First-stage scorers.
        quotas: How many candidates each component nominates.
        trees: The second stage.
        calibration: From tree scores to probabilities.
        covers: Which offers each product belongs to.
        table: What is known of offers.
        attributes: float32[members, attributes].
        cold: Whether the trees learned what members without a history do. If not, they say how likely offers are taken, and
            the lead, the first component, says which, for members with fewer than ``COLD_TRIPS`` trips.
    """

    names: tuple[str, ...]
    components: tuple[AnyScorer, ...]
    quotas: tuple[int, ...]
    trees: Trees
    calibration: Calibration
    covers: Covers
    table: OfferTable
    attributes: Array
    cold: bool = True

    def scores(
        self,
        profile: Profile,
        member: int | None,
        candidates: npt.NDArray[np.int64],
        attributes: Array | None = None,
    ) -> Array:
        """Score candidate offers for one member.

        Args:
            profile: What the member did.
            member: The member's position in the model, or ``None``.
            candidates: Offers to score.
            attributes: float32[attributes]; those of the member by default.

        Returns:
            float32[candidates]: probabilities of the shortlist, and lower numbers for the rest.
        """
        first = [component.scores(profile, member) for component in self.components]
        known = self.member_attributes(member) if attributes is None else attributes
        short = shortlist(first, self.quotas, candidates)
        rows = candidate_features(profile, candidates[short], self.covers, self.table, known, first)
        probabilities = self.calibration.probabilities(self.trees.predict(rows), profile.stats)
        if not self.cold and profile.stats[TRIPS] < COLD_TRIPS:
            in_order = np.argsort(-first[0][candidates[short]], kind="stable")
            probabilities[in_order] = -np.sort(-probabilities)
        result = np.empty(len(candidates), np.float32)
        result[short] = probabilities
        rest = np.ones(len(candidates), bool)
        rest[short] = False
        if rest.any():
            lead = first[0][candidates[rest]].astype(np.float64)
            low, high = lead.min(), lead.max()
            below = (lead - low) / (high - low) if high > low else np.zeros(len(lead))
            result[rest] = probabilities.min() * (0.25 + 0.5 * below)
        return result

    def member_attributes(self, member: int | None) -> Array:
        """Return float32[attributes], -1 for what is not known."""
        if member is None:
            return np.full(self.attributes.shape[1], -1, np.float32)
        row: Array = self.attributes[member]
        return row


def shortlist(
    first: list[Array], quotas: tuple[int, ...], candidates: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Nominate the best offers of each component.

    Args:
        first: float32[n] scores, per component.
        quotas: How many each component nominates.
        candidates: int64[n], positions of offers.

    Returns:
        int64[m], the positions among ``candidates`` that any component nominates, ascending.
    """
    if len(candidates) <= sum(quotas) // 2:
        return np.arange(len(candidates))
    chosen = np.zeros(len(candidates), bool)
    for scores, quota in zip(first, quotas, strict=True):
        if quota >= len(candidates):
            chosen[:] = True
        elif quota:
            chosen[np.argpartition(-scores[candidates], quota - 1)[:quota]] = True
    return np.flatnonzero(chosen)
