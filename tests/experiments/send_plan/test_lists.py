"""Lists keep their limits to the last send, and say how likely each member was to get that arm."""

import numpy as np
import polars as pl
import pytest

from experiments.assignment.hashing import POINTS, Purpose, point
from experiments.send_plan.lists import ListKind, draw_random_share, make_list, split, uniform
from experiments.send_plan.problem import Audience, PlanLimits

MEMBERS = 4_000


def audience(seed: int = 1, members: int = MEMBERS) -> Audience:
    """Return members with random gains, costs and responses, and a rule."""
    random = np.random.default_rng(seed)
    return Audience(
        members=pl.Series([f"m{number}" for number in range(members)]),
        gains=random.normal(0.3, 1, (members, 2)),
        costs=random.uniform(0.5, 1.5, (members, 2)),
        response=random.uniform(size=(members, 2)),
        rule=random.integers(0, 3, members),
    )


def test_the_hash_is_that_of_assignment() -> None:
    """A member's number is the point of assignment's hash over its range, so that any language can prove a list."""
    ids = pl.Series(["m1", "Zoë", "", "42"])
    expected = [point(Purpose.ARM, "send-plan", "7", unit) / POINTS for unit in ids]
    assert uniform(ids, Purpose.ARM, 7) == pytest.approx(expected, abs=1e-15)


def test_the_same_member_is_left_to_chance_in_every_list() -> None:
    """Who is left to chance depends on the member's id and the seed, not on the others; about the asked share is."""
    people = audience()
    first = draw_random_share(people.members, 0.1, people.costs, PlanLimits(), 5)
    again = draw_random_share(people.members[:100], 0.1, people.costs[:100], PlanLimits(), 5)
    other = draw_random_share(people.members, 0.1, people.costs, PlanLimits(), 6)
    assert (first.random[:100] == again.random).all()
    assert (first.random != other.random).any()
    assert first.random.mean() == pytest.approx(0.1, abs=4 * np.sqrt(0.09 / MEMBERS))
    counts = np.bincount(first.arm[first.random], minlength=3)
    assert counts == pytest.approx(np.full(3, counts.sum() / 3), abs=5 * np.sqrt(counts.sum()))


def test_chance_spends_its_share_of_the_money_and_no_more() -> None:
    """Where money reaches a tenth of the members, chance writes to about a tenth of those left to it."""
    people = audience()
    drawn = draw_random_share(people.members, 0.2, people.costs, PlanLimits(0.1 * MEMBERS), 3)
    assert drawn.chances[1:].sum() == pytest.approx(0.1, rel=0.02)
    assert drawn.cost(people.costs) == pytest.approx(0.2 * 0.1 * MEMBERS, rel=0.35)


def test_nobody_is_left_to_chance_where_that_would_break_a_limit() -> None:
    """If what chance gave cost more than there is, nobody is left to chance."""
    people = audience()
    tight = [
        draw_random_share(people.members, 0.5, people.costs, PlanLimits(0.4), seed) for seed in range(40)
    ]
    assert any(not one.random.any() for one in tight)
    assert all(one.cost(people.costs) <= 0.4 for one in tight)


@pytest.mark.parametrize("kind", list(ListKind))
@pytest.mark.parametrize(
    "limits",
    [PlanLimits(), PlanLimits(300.0), PlanLimits(300.0, sends=150, caps={0: 100})],
    ids=["none", "money", "all"],
)
def test_every_list_keeps_its_limits(kind: ListKind, limits: PlanLimits) -> None:
    """Cost, sends and caps of the list as written, chance included, are within the limits; propensities are chances."""
    people = audience()
    found = make_list(kind, 1, people, split(people, limits, 0.05, 2))
    sent = np.flatnonzero(found.arm)
    assert found.cost == pytest.approx(people.costs[sent, found.arm[sent] - 1].sum())
    assert found.cost <= limits.budget * (1 + 1e-9)
    assert limits.sends is None or len(sent) <= limits.sends
    assert all((found.arm == arm + 1).sum() <= cap for arm, cap in limits.caps.items())
    assert found.chances.sum(axis=1) == pytest.approx(np.ones(MEMBERS))
    assert ((found.propensity > 0) & (found.propensity <= 1)).all()
    assert found.sends.sum() == MEMBERS
    if kind is not ListKind.NOBODY:
        assert found.cost > 0.9 * min(limits.budget, 1_000.0) or limits.counted


@pytest.mark.parametrize("kind", [ListKind.PERSONAL, ListKind.ONE_ARM, ListKind.RULE])
def test_propensities_are_how_often_a_member_gets_what_she_gets(kind: ListKind) -> None:
    """Over 400 seeds each arm is given as often as the propensities say, in the sum over members and for single ones."""
    people = audience(2, 200)
    limits, seeds = PlanLimits(60.0), 400
    given = np.zeros((200, 3))
    weighted = np.zeros(3)
    for seed in range(seeds):
        found = make_list(kind, 1, people, split(people, limits, 0.2, seed))
        given[np.arange(200), found.arm] += 1
        np.add.at(weighted, found.arm, 1 / found.propensity)
    # Horvitz and Thompson: where each arm can be given to everybody, 1/p adds up to the number of members.
    assert weighted / seeds == pytest.approx(np.full(3, 200.0), rel=0.12)
    assert given.sum() == 200 * seeds


def test_a_list_that_sends_nothing_leaves_nobody_to_chance() -> None:
    """Nothing is sent at all, and that was certain."""
    people = audience()
    found = make_list(ListKind.NOBODY, 0, people, split(people, PlanLimits(), 0.05, 2))
    assert not found.arm.any()
    assert (found.propensity == 1).all()
    assert not found.random.random.any()
