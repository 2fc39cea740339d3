"""Tiers by rules, replayed over the history: earned in a window, held for a time, renewed or lost."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from training.members.history import Floats
from training.members.orders import EPOCH

Ints = npt.NDArray[np.int64]
_FAR = 1_000_000


class Tier(BaseModel):
    """What a tier asks for in the qualifying window.

    Attributes:
        name: What members call it.
        spend: Money, or nothing asked.
        orders: Orders, or nothing asked.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    spend: float | None = Field(default=None, ge=0)
    orders: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.spend is None and self.orders is None:
            raise ValueError(f"tier {self.name!r} asks for nothing; give it spend, orders or both")
        return self


class TierRules(BaseModel):
    """How tiers are earned, held and lost.

    A member who reaches a tier's thresholds has it at once, for ``valid_days``. When they are over, and ``grace_days`` more, what they
    did in the window that ends then decides: they keep the tier for as long again, or fall, to what that window earns or by one tier.

    Attributes:
        tiers: Lowest first.
        window_days: Orders of so many days, the present one included, count.
        asks: Whether ``any`` of a tier's thresholds must be reached, or ``all``.
        valid_days: How long a tier is held.
        grace_days: How much longer before it is lost.
        falls: ``to_earned``, or by ``one_tier``.
        base: Name of having none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tiers: tuple[Tier, ...] = ()
    window_days: int = Field(default=365, ge=1)
    asks: Literal["any", "all"] = "any"
    valid_days: int = Field(default=365, ge=1)
    grace_days: int = Field(default=0, ge=0)
    falls: Literal["to_earned", "one_tier"] = "to_earned"
    base: str = "none"

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [self.base, *(tier.name for tier in self.tiers)]
        if len(set(names)) < len(names):
            raise ValueError("a tier is named twice")
        for lower, higher in pairwise(self.tiers):
            for kind in ("spend", "orders"):
                low, high = getattr(lower, kind), getattr(higher, kind)
                if (low is None) != (high is None) or (low is not None and high < low):
                    raise ValueError(
                        f"tier {higher.name!r} asks for less {kind} than {lower.name!r} below it"
                    )
        return self


def tier_table(orders: pl.DataFrame, as_of: date, rules: TierRules) -> pl.DataFrame:
    """Return ``member``, ``tier``, ``tier_until``, ``next_tier``, ``next_tier_spend`` and ``next_tier_orders``, sorted by member.

    The last two are what is missing in the window that ends today: null where the next tier asks for none, or there is none.

    Args:
        orders: ``member``, ``day`` and ``value`` (net of returns), sorted by member and day.
        as_of: The last day that is observed.
        rules: How tiers work.
    """
    names = orders["member"].unique(maintain_order=True)
    replay = _Replay(orders, rules)
    level, until = replay.run((as_of - EPOCH).days)
    spend, count = replay.window(np.arange(len(names)), np.full(len(names), (as_of - EPOCH).days))
    following = np.minimum(level, len(rules.tiers) - 1)
    has_next = level < len(rules.tiers)
    asked_spend = np.array([np.nan if tier.spend is None else tier.spend for tier in rules.tiers] or [np.nan])
    asked_orders = np.array(
        [np.nan if tier.orders is None else tier.orders for tier in rules.tiers] or [np.nan]
    )
    labels = [rules.base, *(tier.name for tier in rules.tiers)]
    return pl.DataFrame(
        {
            "member": names,
            "tier": [labels[place] for place in level.tolist()],
            "tier_until": [
                EPOCH + timedelta(days=day) if held else None
                for day, held in zip(until.tolist(), level > 0, strict=True)
            ],
            "next_tier": [
                labels[place + 1] if more else None
                for place, more in zip(level.tolist(), has_next, strict=True)
            ],
            "next_tier_spend": _missing(asked_spend[following], spend, has_next),
            "next_tier_orders": _missing(asked_orders[following], count, has_next),
        },
        schema_overrides={"tier_until": pl.Date, "next_tier": pl.String},
    )


def _missing(asked: Floats, done: Floats, has_next: npt.NDArray[np.bool_]) -> pl.Series:
    left = np.where(has_next, np.maximum(asked - done, 0.0), np.nan)
    return pl.Series(left).fill_nan(None)


class _Replay:
    """Plays all members' histories at once, their first orders together, then their second ones, and so on."""

    def __init__(self, orders: pl.DataFrame, rules: TierRules) -> None:
        self._rules = rules
        member = orders["member"].rle_id().cast(pl.Int64).to_numpy()
        day = orders["day"].cast(pl.Int32).cast(pl.Int64).to_numpy()
        self._count = int(member[-1]) + 1 if len(member) else 0
        self._starts = np.searchsorted(member, np.arange(self._count + 1))
        self._day = day
        # Days before 1970 would break the order of the keys.
        self._keys = member * _FAR * 4 + day + _FAR
        self._spent = np.concatenate([[0.0], np.cumsum(orders["value"].to_numpy())])

    def window(self, member: Ints, day: Ints) -> tuple[Floats, Floats]:
        """Return float64[n] spend and orders of members in the windows that end on these days."""
        base = member * _FAR * 4 + _FAR
        end = np.searchsorted(self._keys, base + day, side="right")
        begin = np.searchsorted(self._keys, base + day - self._rules.window_days, side="right")
        return self._spent[end] - self._spent[begin], (end - begin).astype(np.float64)

    def earned(self, member: Ints, day: Ints) -> Ints:
        """Return int64[n], the tier that the windows that end on these days earn; 0 for none."""
        spend, count = self.window(member, day)
        level = np.zeros(len(member), dtype=np.int64)
        for number, tier in enumerate(self._rules.tiers, start=1):
            asked = []
            if tier.spend is not None:
                # Sums of cents round: a cent's thousandth must not cost a tier.
                asked.append(spend >= tier.spend - 1e-6)
            if tier.orders is not None:
                asked.append(count >= tier.orders)
            reached = (
                np.logical_or.reduce(asked) if self._rules.asks == "any" else np.logical_and.reduce(asked)
            )
            level[reached] = number
        return level

    def run(self, today: int) -> tuple[Ints, Ints]:
        """Return int64[members], the tier of each today, and the day until which they hold it."""
        level, until = np.zeros(self._count, dtype=np.int64), np.full(self._count, _FAR)
        orders = np.diff(self._starts)
        by_orders = np.argsort(-orders, kind="stable")
        ends = np.searchsorted(
            -orders[by_orders], -np.arange(1, int(orders.max(initial=0)) + 1), side="right"
        )
        for step, end in enumerate(ends.tolist()):
            member = by_orders[:end]
            day = self._day[self._starts[member] + step]
            self._settle(member, day, level, until)
            earned = self.earned(member, day)
            rises = earned > level[member]
            level[member[rises]] = earned[rises]
            until[member[rises]] = day[rises] + self._rules.valid_days
        everybody = np.arange(self._count)
        self._settle(everybody, np.full(self._count, today), level, until)
        return level, until

    def _settle(self, member: Ints, day: Ints, level: Ints, until: Ints) -> None:
        """Renew or take away what has run out before these days."""
        rules = self._rules
        while True:
            over = (level[member] > 0) & (until[member] + rules.grace_days < day)
            if not over.any():
                return
            whose = member[over]
            end = until[whose] + rules.grace_days
            earned = self.earned(whose, end)
            fallen = earned if rules.falls == "to_earned" else np.maximum(earned, level[whose] - 1)
            level[whose] = np.where(earned >= level[whose], level[whose], fallen)
            until[whose] = np.where(level[whose] > 0, end + rules.valid_days, _FAR)
            member, day = whose, day[over]
