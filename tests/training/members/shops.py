"""Simulated shops whose members' rates and dropout are known, and the likelihood of their histories in plain numpy."""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from training.members.history import Floats, OrderHistory, TimeUnit

AGE, AHEAD = 60.0, 26.0
"""Weeks that the oldest members are observed, and weeks that are forecast."""


@dataclass(frozen=True)
class Shop:
    """A shop: histories until the end of observation, and the orders that came after it."""

    history: OrderHistory
    later: Floats


def simulate(seed: int, members: int, *, first_too: bool, dropout: tuple[float, float] | float) -> Shop:
    """Draw members who order at rates of their own and leave after an order.

    Args:
        seed: Of everything.
        members: How many.
        first_too: Whether a member may leave after the first order already.
        dropout: a and b of a beta distribution, or one probability for all.
    """
    random = np.random.default_rng(seed)
    age = np.ceil(random.uniform(AGE / 2, AGE, members) * 7) / 7
    rate = random.gamma(0.8, 1 / 6.0, members)
    leaving = random.beta(*dropout, members) if isinstance(dropout, tuple) else np.full(members, dropout)
    alive = random.random(members) >= leaving if first_too else np.ones(members, dtype=bool)
    now, repeats, last, later = (np.zeros(members) for _ in range(4))
    while alive.any():
        now[alive] += random.exponential(1 / rate[alive])
        alive &= now < age + AHEAD
        early = alive & (now <= age)
        repeats[early] += 1
        last[early] = now[early]
        later[alive & (now > age)] += 1
        alive &= random.random(members) >= leaving
    # Orders are known by the day, as in a table of transactions.
    days = np.minimum(np.ceil(last * 7), np.round(age * 7)) / 7
    return Shop(OrderHistory(repeats, days, age, TimeUnit.WEEK), later)


def log_likelihood(history: OrderHistory, counts: Floats, *, first_too: bool, parameters: Floats) -> float:
    """Return the log-likelihood of r, α, a, b by Fader, Hardie & Lee (2005), appendix, or Hoppe & Wagner (2007), equation 5."""
    r, alpha, a, b = parameters
    x, f = history.repeats, history.repeats + first_too
    first = special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha)
    stays = special.betaln(a, b + f) - special.betaln(a, b) - (r + x) * np.log(alpha + history.age)
    thrown = np.maximum(f, 1.0)
    leaves = (
        special.betaln(a + 1, b + thrown - 1) - special.betaln(a, b) - (r + x) * np.log(alpha + history.last)
    )
    both = np.where(f > 0, np.logaddexp(stays, leaves), stays)
    return float(counts @ (first + both))


def highest_likelihood(history: OrderHistory, *, first_too: bool) -> float:
    """Return the highest log-likelihood that searches without derivatives find over all four parameters."""
    groups, counts = history.grouped()

    def loss(logs: Floats) -> float:
        value = log_likelihood(groups, counts, first_too=first_too, parameters=np.exp(logs))
        return -value if np.isfinite(value) else 1e300

    ends = [
        optimize.minimize(
            loss,
            np.log(start),
            method="Nelder-Mead",
            bounds=[(-12.0, 12.0)] * 4,
            options={"maxiter": 4000, "xatol": 1e-6, "fatol": 1e-7},
        )
        for start in (
            [0.8, 6.0, 0.9, 2.5],
            [0.8, 6.0, 20.0, 80.0],
            [0.8, 6.0, 0.01, 5.0],
            [1.5, 8.0, 50.0, 50.0],
        )
    ]
    return -min(float(end.fun) for end in ends)
