"""From scores to a slate: the shortlist, the places of what is new, and the draw."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import xxhash

from experiments.assignment.hashing import netstring
from server.catalogue import Exploration
from server.decide.arbitrate import Weighed
from server.decide.context import Evidence
from server.decide.explore import Chance, Epsilon, Quota, Slate, chance_of, draw
from server.decide.policy import Policy
from server.decide.score import Scored
from server.decide.table import CandidateTable, Places, evidence_by_row

AnyFloats = npt.NDArray[np.float32] | npt.NDArray[np.float64]

_FEW = 16
"""Up to here, taking the maximum again and again beats partitioning once the offers are many: 3 of 1,000 take half the time,
3 of 10,000 a tenth (``python -m bench.kernels``)."""


def best(scores: AnyFloats, popularity: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.int64]:
    """Return the positions of the highest scores, best first.

    Equal scores are ordered by popularity, then by position, so that the answer is the same on every machine and a member
    without history of their own gets what others buy.

    Args:
        scores: One for each candidate; finite.
        popularity: One for each candidate.
        count: How many at most, at least 1.
    """
    leaders = _leaders(scores, count)
    if len(leaders) > count:
        reached = scores[leaders]
        lowest = reached.min()
        above, tied = leaders[reached > lowest], leaders[reached == lowest]
        tied = tied[_leaders(popularity[tied], count - len(above))]
        leaders = np.concatenate((above, tied))
    order = np.lexsort((leaders, -popularity[leaders], -scores[leaders]))
    return leaders[order[:count]]


def _leaders(values: AnyFloats, count: int) -> npt.NDArray[np.int64]:
    """Return the positions of the highest values and of all that equal the last of them."""
    if count >= len(values):
        return np.arange(len(values))
    if count > _FEW:
        threshold = np.partition(values, len(values) - count)[len(values) - count]
    else:
        left = values.copy()
        for _ in range(count - 1):
            left[left.argmax()] = -np.inf
        threshold = left.max()
    return np.flatnonzero(values >= threshold)


_EVERYTHING = 1.0
_SHARES = 2.0**-64


def choose(
    policy: Policy,
    scored: Scored,
    weighed: Weighed | None,
    *,
    scores: AnyFloats,
    left: Places,
    count: int,
    quotas: Sequence[Quota],
    seed: str,
    evidence: Evidence,
) -> Slate:
    """Return the slate, as rows of the table.

    Args:
        policy: How much is left to chance.
        scored: The rows that gates and task left.
        weighed: What the arbitration makes of them, if there is one.
        scores: Of each scored row.
        left: Positions among the scored rows that can be chosen, ascending.
        count: How many at most.
        quotas: What limits a slate as a whole, over the rows of the table.
        seed: Decides the draw.
        evidence: What is known of responses.
    """
    exploration = policy.exploration
    if not len(left):
        return Slate((), ())
    everything = len(left) == len(scored.places)
    own = scores if everything else scores[left]
    popularity = scored.popularity if everything else scored.popularity[left]
    own_rows = scored.places if everything else scored.places[left]
    own_quotas = [Quota(one.kinds[own_rows], one.most) for one in quotas]
    nothing = np.zeros(0, dtype=np.int64)
    chance: Chance
    if policy.uniform:
        chance, shortlist = Epsilon(_EVERYTHING), np.arange(len(left))
    elif exploration.method == "none":
        chance, shortlist = Chance(), best(own, popularity, count)
    else:
        shortlist = _shortlist(exploration, scored, own, popularity, left, evidence=evidence)
        deviations = None
        if weighed is not None and exploration.method == "thompson":
            deviations = weighed.deviations(left[shortlist])
        chance = chance_of(exploration, own[shortlist].astype(np.float64), deviations)
    slate = draw(shortlist, nothing, count, chance=chance, seed=seed, quotas=own_quotas)
    if len(slate.places) < count and len(shortlist) < len(left):
        # Seldom, for to order thousands of rows takes longer than all the rest: the same draw, and what follows it.
        rest = _rest(own, popularity, shortlist)
        slate = draw(shortlist, rest, count, chance=chance, seed=seed, quotas=own_quotas)
    rows = own_rows[list(slate.places)].tolist()
    return Slate(tuple(rows), slate.propensities)


def _rest(scores: AnyFloats, popularity: npt.NDArray[np.float32], shortlist: Places) -> Places:
    """Return all rows that are not in the shortlist, best first."""
    order = best(scores, popularity, len(scores))
    return order[~np.isin(order, shortlist)]


def in_play(
    exploration: Exploration,
    scored: Scored,
    left: Places,
    *,
    evidence: Evidence,
    member_id: str,
    time: datetime,
) -> Places:
    """Return those of the rows that come into question for this member this month, for want of evidence of the others.

    Which members a new offer is tried on is decided by a hash of member, offer and month, so that it is not part of the chance
    in a decision; their share grows with the evidence, up to all.

    Args:
        exploration: How new candidates are tried.
        scored: The rows that can be chosen.
        left: int64[n], positions among them that are left.
        evidence: What is known of responses.
        member_id: The member.
        time: When it is decided.
    """
    given, _ = evidence_by_row(scored.table, evidence)
    rows = scored.places[left]
    grown = np.minimum(given[rows] / exploration.mature_after, 1.0)
    shares = exploration.cold_share + (1.0 - exploration.cold_share) * grown
    mine = xxhash.xxh64_intdigest(netstring(member_id) + netstring(f"{time.year}-{time.month:02}"))
    points = _mixed(_offer_hashes(scored.table)[rows] ^ np.uint64(mine))
    return left[(points * _SHARES < shares) | (shares >= 1.0) | scored.table.of_nothing(rows)]


def _shortlist(
    exploration: Exploration,
    scored: Scored,
    scores: AnyFloats,
    popularity: npt.NDArray[np.float32],
    left: Places,
    *,
    evidence: Evidence,
) -> Places:
    """Return the best, and in the last places the best of those without evidence that are not among them."""
    shortlist = best(scores, popularity, exploration.shortlist)
    if not exploration.cold_places:
        return shortlist
    given, _ = evidence_by_row(scored.table, evidence)
    rows = scored.places[left]
    cold = np.flatnonzero((given[rows] < exploration.mature_after) & ~scored.table.of_nothing(rows))
    kept = shortlist[: max(exploration.shortlist - exploration.cold_places, 0)]
    others = np.setdiff1d(cold, kept, assume_unique=True)
    if not len(others):
        return shortlist
    new = others[best(scores[others], popularity[others], exploration.cold_places)]
    more = [one for one in shortlist.tolist() if one not in kept and one not in new]
    room = exploration.shortlist - len(kept) - len(new)
    # Ascending, so that ties go by the catalogue.
    chosen = np.sort(np.concatenate((kept, new, np.array(more[:room], dtype=np.int64))))
    return chosen[best(scores[chosen], popularity[chosen], len(chosen))]


def _offer_hashes(table: CandidateTable) -> npt.NDArray[np.uint64]:
    kept = table.kept.get("hashes")
    if isinstance(kept, np.ndarray):
        return kept
    hashes = np.array(
        [xxhash.xxh64_intdigest(netstring(one.candidate_id)) for one in table.candidates], dtype=np.uint64
    )
    table.kept["hashes"] = hashes
    return hashes


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return each value mixed once more (the finaliser of SplitMix64: Steele, Lea and Flood 2014, section 3.5)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: npt.NDArray[np.uint64] = values ^ (values >> np.uint64(31))
    return mixed
