"""The logged propensities are what they say: how often each ordered slate is drawn."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from experiments.stats.bandit import thompson_shares
from server.catalogue import Arbitration, Catalogue, Exploration, Offer, Placement
from server.decide.context import Evidence
from server.decide.decide import decide
from server.decide.explore import Quota, Slate
from server.decide.policy import policy_of
from server.decide.slate import choose
from tests.server.decide.chances import (
    Conditional,
    Probabilities,
    assert_frequencies,
    epsilon,
    plackett_luce,
    slates,
)
from tests.server.decide.making import arm, ask, dollars, snapshot_of

VALUES = (8.0, 6.0, 5.0, 4.0, 3.0)
PRIORS = (0.25, 0.25, 0.5, 0.25, 0.25)
CATEGORIES = ("x", "x", "x", "y", "y")
EVIDENCE = {"o0": (100, 30), "o1": (100, 25), "o2": (60, 10), "o3": (300, 60)}
"""Offer o4 has none, and is the worst."""
SHARE, SHORTLIST, COUNT = 0.6, 4, 3
METHODS = ("none", "epsilon", "softmax", "thompson", "uniform")
SETTINGS = [(method, most, cold) for method in METHODS for most in (None, 1, 2) for cold in (0, 1)]
CELLS = 60 * len(SETTINGS)
"""No more ordered slates than 5 × 4 × 3 for each setting: the bands are corrected for all of them together."""


@dataclass(frozen=True)
class Setting:
    """One way to choose, as the code has it and as it must be.

    Attributes:
        drawing: Arguments of ``choose`` beside the seed.
        shortlist: What chance may choose, best first.
        rest: What follows.
        scores: Of each offer.
        deviations: Of these scores.
        method: How.
        most: At most so many of a category.
    """

    drawing: Mapping[str, Any]
    shortlist: Sequence[int]
    rest: Sequence[int]
    scores: Mapping[int, float]
    deviations: Mapping[int, float]
    method: str
    most: int | None

    def draw(self, seed: str) -> Slate:
        """Draw a slate."""
        return choose(**self.drawing, seed=seed)

    def exact(self) -> Probabilities:
        """Return the probability of each slate."""
        conditional = self._conditional()
        return slates(self.shortlist, self.rest, COUNT, conditional, categories=CATEGORIES, most=self.most)

    def _conditional(self) -> Conditional:
        floor = SHARE / SHORTLIST
        if self.method == "softmax":
            mine = [self.scores[row] for row in self.shortlist]
            return plackett_luce(self.scores, 0.7 * float(np.std(mine)), floor)
        if self.method == "thompson":
            return self._thompson(floor)
        return epsilon({"none": 0.0, "epsilon": SHARE, "uniform": 1.0}[self.method])

    def _thompson(self, floor: float) -> Conditional:
        def conditional(left: Sequence[int]) -> list[float]:
            shares = thompson_shares(
                [self.scores[row] for row in left], [self.deviations[row] ** 2 for row in left]
            )
            return [floor + (1 - floor * len(left)) * share for share in shares]

        return lambda left: [1.0] if len(left) == 1 else conditional(left)


def setting(method: str, most: int | None, cold_places: int) -> Setting:
    """Return a setting over five offers, of which the last is new."""
    uniform = method == "uniform"
    exploration = Exploration(
        method="epsilon" if uniform else method,  # type: ignore[arg-type]  # one of METHODS
        share=SHARE,
        shortlist=SHORTLIST,
        temperature=0.7,
        cold_places=cold_places,
        mature_after=50,
    )
    placement = Placement(
        placement_id="home", arbitration="formula", exploration=exploration, most_per_category=most
    )
    catalogue = Catalogue(
        currency_code="USD",
        placements=(placement,),
        arbitrations=(Arbitration(arbitration_id="formula"),),
        offers=tuple(
            Offer(
                offer_id=f"o{place}",
                kind="perk",
                value=dollars(value),
                prior_probability=prior,
                category=category,
            )
            for place, (value, prior, category) in enumerate(zip(VALUES, PRIORS, CATEGORIES, strict=True))
        ),
    )
    evidence = Evidence(EVIDENCE)
    assigned = arm("random_eligible" if uniform else "")
    _, considered = decide(snapshot_of(catalogue), ask(placement, evidence=evidence, assigned=assigned))
    assert considered.scored is not None
    assert considered.weighed is not None
    scores, deviations = {}, {}
    for place, (value, prior) in enumerate(zip(VALUES, PRIORS, strict=True)):
        given, answered = EVIDENCE.get(f"o{place}", (0, 0))
        known = 100 + given
        rate = (100 * prior + answered) / known
        scores[place] = rate * value
        deviations[place] = math.sqrt(rate * (1 - rate) / (known + 1)) * value
    order = sorted(scores, key=lambda place: -scores[place])
    chosen = order[:SHORTLIST]
    if cold_places:
        chosen = [*order[: SHORTLIST - 1], 4]
    if uniform:
        chosen = list(range(5))
    if method == "none":
        chosen = order
    drawing = {
        "policy": policy_of(catalogue, placement, assigned),
        "scored": considered.scored,
        "weighed": considered.weighed,
        "scores": considered.weighed.scores,
        "left": np.arange(5),
        "count": COUNT,
        "quotas": [] if most is None else [Quota(considered.table.categories, most)],
        "evidence": evidence,
    }
    rest = [row for row in order if row not in chosen]
    return Setting(drawing, chosen, rest, scores, deviations, method, most)


def measured(one: Setting, draws: int) -> tuple[Counter[tuple[int, ...]], dict[tuple[int, ...], float]]:
    """Return how often each slate was drawn, and the propensity that was logged with it."""
    seen: Counter[tuple[int, ...]] = Counter()
    logged: dict[tuple[int, ...], float] = {}
    for number in range(draws):
        slate = one.draw(f"decision-{number}")
        seen[slate.places] += 1
        propensity = math.prod(slate.propensities)
        assert logged.setdefault(slate.places, propensity) == propensity
    return seen, logged


def check(method: str, most: int | None, cold_places: int, draws: int) -> None:
    """Check frequencies, logged propensities and closed form against each other."""
    one = setting(method, most, cold_places)
    exact = one.exact()
    assert math.fsum(exact.values()) == pytest.approx(1.0, abs=1e-12)
    seen, logged = measured(one, draws)
    # Thompson's chances to be the best are a quadrature: the last digits differ from the exact ones, not from the draws.
    close = 0.004 if method == "thompson" else 1e-12
    for slate, propensity in logged.items():
        assert propensity == pytest.approx(exact[slate], abs=close)
    if len(logged) == len(exact):
        assert math.fsum(logged.values()) == pytest.approx(1.0, abs=1e-9)
    everything = {slate: logged.get(slate, probability) for slate, probability in exact.items()}
    assert_frequencies(seen, everything, cells=CELLS)  # type: ignore[arg-type]  # slates are hashable


@pytest.mark.parametrize(
    ("method", "most", "cold_places"),
    [
        ("none", 1, 1), ("epsilon", None, 1), ("epsilon", 1, 0), ("softmax", 1, 1), ("thompson", None, 1),
        ("uniform", 1, 0),
    ],
)  # fmt: skip
def test_frequencies_are_the_propensities(method: str, most: int | None, cold_places: int) -> None:
    """Over 8,000 draws each ordered slate comes as often as its logged propensity says, in a corrected 99.9 % band."""
    check(method, most, cold_places, 8_000)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "most", "cold_places"), SETTINGS)
def test_frequencies_of_many_draws_are_the_propensities(
    method: str, most: int | None, cold_places: int
) -> None:
    """The same over 200,000 draws, for every method, with and without a limit on categories and places of what is new."""
    check(method, most, cold_places, 200_000)
