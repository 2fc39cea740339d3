"""From scores to a slate: the shortlist, the places of what is new, and the draw."""

from datetime import datetime

import numpy as np
import numpy.typing as npt
import xxhash

from experiments.hashing import netstring
from server.catalogue import Exploration, Placement
from server.decide.arbitrate import Weighed
from server.decide.evidence import Evidence
from server.decide.explore import Chance, Epsilon, Slate, chance_of, draw
from server.decide.policy import Policy
from server.decide.rank import AnyFloats, best
from server.decide.score import Scored
from server.decide.table import Floats, Places, Table

_EVERYTHING = 1.0
_SHARES = 2.0**-64


def choose(
    policy: Policy,
    placement: Placement,
    scored: Scored,
    weighed: Weighed | None,
    *,
    scores: AnyFloats,
    left: Places,
    count: int,
    seed: str,
    evidence: Evidence,
) -> Slate:
    """Return the slate, as rows of the table.

    Args:
        policy: How much is left to chance.
        placement: Its limit on categories.
        scored: The rows that gates and task left.
        weighed: What the arbitration makes of them, if there is one.
        scores: Of each scored row.
        left: Positions among the scored rows that can be chosen, ascending.
        count: How many at most.
        seed: Decides the draw.
        evidence: What is known of responses.
    """
    exploration, most = policy.exploration, placement.most_per_category
    if not len(left):
        return Slate((), ())
    everything = len(left) == len(scored.places)
    own = scores if everything else scores[left]
    popularity = scored.popularity if everything else scored.popularity[left]
    categories = None if most is None else scored.table.categories[scored.places[left]]
    nothing = np.zeros(0, dtype=np.int64)
    chance: Chance
    if policy.uniform:
        chance, shortlist, rest = Epsilon(_EVERYTHING), np.arange(len(left)), nothing
    elif exploration.method == "none":
        wanted = count if most is None else len(left)
        chance, shortlist, rest = Chance(), best(own, popularity, wanted), nothing
    else:
        shortlist = _shortlist(exploration, scored, own, popularity, left, evidence=evidence)
        wanted = count > len(shortlist) or most is not None
        rest = np.setdiff1d(best(own, popularity, len(left)), shortlist) if wanted else nothing
        rest = rest[best(own[rest], popularity[rest], max(len(rest), 1))] if len(rest) else rest
        deviations = None if weighed is None else _deviations(weighed)[left][shortlist]
        chance = chance_of(exploration, own[shortlist].astype(np.float64), deviations)
    slate = draw(
        shortlist, rest, count, chance=chance, seed=seed, categories=categories, most_per_category=most
    )
    rows = scored.places[left][list(slate.places)].tolist()
    return Slate(tuple(rows), slate.propensities)


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

    Which members a new offer is tried on is decided by a hash of member, offer and month, so that it is no part of the chance
    in a decision; their share grows with the evidence, up to all.
    """
    given, _ = evidence.of(scored.table)
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
    given, _ = evidence.of(scored.table)
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


def _deviations(weighed: Weighed) -> Floats:
    """Return the standard deviation of each score, from that of a Beta posterior with the evidence as its weight."""
    p = weighed.probabilities
    deviations: Floats = np.sqrt(p * (1 - p) / (weighed.evidence + 1)) * np.abs(weighed.gains)
    return deviations


def _offer_hashes(table: Table) -> npt.NDArray[np.uint64]:
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
