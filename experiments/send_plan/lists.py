"""The list of a plan: who gets what, with which probability, at which cost.

A random share of it lets the next plan learn and this one be valued. Some members, by a hash of their id, get what chance gives them: each arm as likely, and nobody. How likely an arm is depends
on the money, not on the member: where money reaches a tenth of the members, a tenth of the random ones are written to, so
that the share costs its share of the budget and no more.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl
import polars_hash  # noqa: F401 registers the expression namespace "nchash"

from experiments.assignment.hashing import POINTS, Purpose, point_prefix
from experiments.send_plan.allocate import TOLERANCE, PlanAllocation, allocate
from experiments.send_plan.policies import by_response, nobody, one_hot
from experiments.send_plan.problem import Audience, PlanLimits
from experiments.send_plan.shadow_prices import best_at
from experiments.uplift.trial import Bools, Floats, Ints

_SALT = "send-plan"


@dataclass(frozen=True, slots=True, eq=False)
class RandomShare:
    """Who is left to chance, and what chance gives.

    Attributes:
        random: bool[n].
        arm: int64[n], what chance gives, 0 the control; counts only where ``random``.
        share: How likely a member is left to chance.
        chances: float64[arms], how likely each arm is for those, the control first.
        seed: Of the draw.
    """

    random: Bools
    arm: Ints
    share: float
    chances: Floats
    seed: int

    def sends(self) -> dict[int, int]:
        """Return how many random members get each arm other than the control, from 0."""
        counts = np.bincount(self.arm[self.random], minlength=len(self.chances))
        return {arm: int(count) for arm, count in enumerate(counts[1:])}

    def cost(self, costs: Floats) -> float:
        """Return what the random sends cost; ``costs`` float64[n, K]."""
        rows = np.flatnonzero(self.random & (self.arm > 0))
        return float(costs[rows, self.arm[rows] - 1].sum())

    def propensity(self, chances: Floats, given: Ints) -> Floats:
        """Return how likely each member was to get the arm given, float64[n].

        Args:
            chances: float64[n, arms], of the policy for those not left to chance.
            given: int64[n], the arm that each got.
        """
        rows = np.arange(len(given))
        return (1 - self.share) * chances[rows, given] + self.share * self.chances[given]


def no_random_share(members: int, arms: int, seed: int = 0) -> RandomShare:
    """Return the share in which nobody is left to chance.

    Args:
        members: How many there are.
        arms: How many arms there are, the control included.
        seed: Of the draw that would be made.

    Returns:
        An empty share.
    """
    chances = np.zeros(arms)
    chances[0] = 1.0
    return RandomShare(
        np.zeros(members, dtype=np.bool_), np.zeros(members, dtype=np.int64), 0.0, chances, seed
    )


def draw_random_share(
    members: pl.Series, share: float, costs: Floats, limits: PlanLimits, seed: int
) -> RandomShare:
    """Return who is left to chance; nobody, where what chance gave them would break a limit.

    Args:
        members: Ids, n of them; the same id is drawn alike in every list of the same seed.
        share: In [0, 1).
        costs: float64[n, K], expected.
        limits: Of the whole list.
        seed: Another seed is another draw.

    Returns:
        Who is left to chance, what each gets, and with which probability.
    """
    n, arms = costs.shape
    chances = _chances(costs, limits)
    drawn = RandomShare(
        random=uniform(members, Purpose.ENROLMENT, seed) < share,
        arm=np.searchsorted(np.cumsum(chances), uniform(members, Purpose.ARM, seed), side="right")
        .clip(0, arms)
        .astype(np.int64),
        share=share,
        chances=chances,
        seed=seed,
    )
    sends = drawn.sends()
    breaks = (
        drawn.cost(costs) > limits.budget
        or (limits.sends is not None and sum(sends.values()) > limits.sends)
        or any(sends[arm] > cap for arm, cap in limits.caps.items())
    )
    return no_random_share(n, arms + 1, seed) if breaks or share == 0 else drawn


def _chances(costs: Floats, limits: PlanLimits) -> Floats:
    """Return float64[K + 1]: every arm and the control as likely, arms less so where the limits do not reach everybody."""
    n, arms = costs.shape
    sent = np.full(arms, 1 / (arms + 1))
    for arm, cap in limits.caps.items():
        sent[arm] = min(sent[arm], cap / n)
    uses = [(float(sent @ costs.sum(axis=0)), limits.budget)]
    if limits.sends is not None:
        uses.append((float(sent.sum()) * n, limits.sends))
    sent *= min(1.0, *(limit / use for use, limit in uses if use > limit), 1.0)
    return np.concatenate(([1 - sent.sum()], sent))


def uniform(members: pl.Series, purpose: Purpose, seed: int) -> Floats:
    """Return a number in [0, 1) for each id, of the hash of assignment (``experiments.assignment.hashing``); float64[n].

    Args:
        members: Ids, n of them.
        purpose: What the number decides; each purpose draws independently.
        seed: Of the plan.

    Returns:
        float64[n]; an id's number depends on nothing but the id, the purpose and the seed.
    """
    prefix = point_prefix(purpose, _SALT, str(seed)).decode()
    unit = members.cast(pl.String).fill_null("").alias("unit").to_frame()
    text = pl.concat_str(
        pl.lit(prefix),
        pl.col("unit").str.len_bytes().cast(pl.String),
        pl.lit(":"),
        pl.col("unit"),
        pl.lit(","),
    )
    points = unit.select(text.nchash.xxhash64()).to_series()  # type: ignore[attr-defined] # registered by polars_hash
    # The upper 53 bits alone: 64 could round up to 1.
    return (points.to_numpy() >> np.uint64(11)).astype(np.float64) / (POINTS >> 11)


class ListKind(StrEnum):
    """How a list is made."""

    PERSONAL = "personal"
    ONE_ARM = "one_arm"
    RESPONSE = "response"
    RULE = "rule"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, eq=False)
class SendList:
    """Who gets what.

    Attributes:
        arm: int64[n], 0 the control, where nothing is sent.
        chances: float64[n, arms], of the policy for those not left to chance.
        propensity: float64[n], how likely each member was to get that arm, chance included; exact given the prices of the
            limits.
        random: Who is left to chance.
        allocation: How the arms were chosen, for a personal list.
        cost: Expected cost of all sends.
    """

    arm: Ints
    chances: Floats
    propensity: Floats
    random: RandomShare
    allocation: PlanAllocation | None
    cost: float

    @property
    def sends(self) -> Ints:
        """int64[arms], members by what they get, the control first."""
        return np.bincount(self.arm, minlength=self.chances.shape[1]).astype(np.int64)

    def expected_gain(self, gains: Floats) -> float:
        """Return the net gain that is predicted for all sends; ``gains`` float64[n, K]."""
        rows = np.flatnonzero(self.arm)
        return float(gains[rows, self.arm[rows] - 1].sum())


@dataclass(frozen=True, slots=True, eq=False)
class ChosenShare:
    """Those who are not left to chance, and what is left for them.

    Attributes:
        random: The others.
        rows: int64[r], positions in the audience.
        costs: float64[r, K].
        limits: What the random sends leave.
    """

    random: RandomShare
    rows: Ints
    costs: Floats
    limits: PlanLimits

    def whole(self, chances: Floats) -> Floats:
        """Return a policy of the rest, float64[r, arms], with what chance gives the others."""
        policy = one_hot(self.random.arm, chances.shape[1])
        policy[self.rows] = chances
        return policy


def split(audience: Audience, limits: PlanLimits, share: float, seed: int) -> ChosenShare:
    """Leave a share of the members to chance, and return the rest with what is left for them.

    Args:
        audience: All members.
        limits: Of the whole plan.
        share: Share of members left to chance, in [0, 1).
        seed: Of the draw.

    Returns:
        The members to be chosen for, with the limits less what the random sends take.
    """
    random = draw_random_share(audience.members, share, audience.costs, limits, seed)
    rows = np.flatnonzero(~random.random)
    left = limits.less(random.cost(audience.costs), random.sends())
    return ChosenShare(random, rows, audience.costs[rows], left)


def personal_list(audience: Audience, rest: ChosenShare) -> SendList:
    """Give members not left to chance an arm each by the exact allocation of what is left."""
    found = allocate(audience.gains[rest.rows], rest.costs, rest.limits)
    # At the prices every member has a best arm: what one left to chance would have got.
    own = best_at(found.prices, audience.gains, audience.costs, rest.limits.min_roi or 0.0)
    own[rest.rows] = found.arm
    chances = one_hot(own, audience.gains.shape[1] + 1)
    return _written(audience, rest.random, own, chances, found)


def make_list(kind: ListKind, arm: int, audience: Audience, rest: ChosenShare) -> SendList:
    """Return a list of a kind.

    Args:
        kind: How it is made.
        arm: The arm of ``ONE_ARM`` and ``RESPONSE``, from 1.
        audience: The members.
        rest: Those not left to chance; in a list that sends nothing chance sends nothing either.

    Returns:
        What each member gets, with its probability.
    """
    n, arms = len(audience), audience.gains.shape[1] + 1
    if kind is ListKind.PERSONAL:
        return personal_list(audience, rest)
    if kind is ListKind.NOBODY:
        none = np.zeros(n, dtype=np.int64)
        return _written(audience, no_random_share(n, arms), none, nobody(n, arms), None)
    if kind is ListKind.ONE_ARM:
        wanted = np.full(n, arm, dtype=np.int64)
    elif kind is ListKind.RULE:
        assert audience.rule is not None
        wanted = audience.rule
    else:
        wanted = _responsive(arm, audience, rest)
    own = _as_far_as_it_goes(wanted, audience, rest)
    # Members left to chance would have had the same chance as the others of whom the same is wanted.
    asked = np.bincount(wanted[rest.rows], minlength=arms).clip(1)
    share = (np.bincount(own[rest.rows], minlength=arms) / asked)[wanted]
    chances = one_hot(wanted, arms) * share[:, None]
    chances[:, 0] = 1 - chances[:, 1:].sum(axis=1)
    return _written(audience, rest.random, own, chances, None)


def _responsive(arm: int, audience: Audience, rest: ChosenShare) -> Ints:
    """Return who is wanted by response: as many of the rest as fit, and whoever of the others responds as well."""
    response = audience.response[:, arm - 1]
    chosen = by_response(response[rest.rows], arm, rest.costs, rest.limits)[:, arm] > 0
    wanted = np.zeros(len(audience), dtype=np.int64)
    if chosen.any():
        wanted[response >= response[rest.rows][chosen].min()] = arm
        wanted[rest.rows] = np.where(chosen, arm, 0)
    return wanted


def _as_far_as_it_goes(wanted: Ints, audience: Audience, rest: ChosenShare) -> Ints:
    """Give the rest what is wanted, in the order of a hash of their ids, as far as the limits go; int64[n]."""
    asked = rest.rows[wanted[rest.rows] > 0]
    order = asked[
        np.argsort(uniform(audience.members[asked], Purpose.UNIFORM, rest.random.seed), kind="stable")
    ]
    arm = wanted[order]
    keeps = np.cumsum(audience.costs[order, arm - 1]) <= rest.limits.budget * (1 + TOLERANCE)
    if rest.limits.sends is not None:
        keeps &= np.arange(len(order)) < rest.limits.sends
    for one, cap in rest.limits.caps.items():
        keeps &= (arm != one + 1) | (np.cumsum(arm == one + 1) <= cap)
    own = np.zeros(len(audience), dtype=np.int64)
    own[order[keeps]] = arm[keeps]
    return own


def _written(
    audience: Audience, random: RandomShare, own: Ints, chances: Floats, allocation: PlanAllocation | None
) -> SendList:
    arm = np.where(random.random, random.arm, own)
    sent = np.flatnonzero(arm)
    return SendList(
        arm=arm,
        chances=chances,
        propensity=random.propensity(chances, arm),
        random=random,
        allocation=allocation,
        cost=float(audience.costs[sent, arm[sent] - 1].sum()),
    )
