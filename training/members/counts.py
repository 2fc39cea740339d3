"""How many orders come next: BG/NBD, MBG/NBD and NBD, with the simpler models that are their limits.

While a member is active they order at random with a rate of their own, and the rates of members follow a gamma distribution with shape r and
rate α. After an order a member becomes inactive for good with a probability of their own, and these follow a beta distribution with a
and b. In the BG/NBD (Fader, Hardie & Lee 2005) that coin is thrown after each repeat order, so that a member who ordered once is active
for certain; in the MBG/NBD (Batislam, Denizel & Filiztekin 2007; Hoppe & Wagner 2007) also after the first. In the NBD (Ehrenberg 1959) no
coin is thrown: everybody stays active.

With f throws of the coin (f = x, or x + 1 in the MBG/NBD), rate λ and dropout probability p, a history (x, t_x, T) has the likelihood

    E[(1−p)^f] · E[λ^x e^(−λT)]  +  [f > 0] E[p (1−p)^(f−1)] · E[λ^x e^(−λ t_x)]

where the first term is that of a member who is still active, and the expectations run over the two distributions. Where members differ
too little to be told apart, the likelihood has no maximum: it rises while a distribution narrows to a point. The limit is then the model: one
dropout probability for all (a, b → ∞ with a/(a+b) = p), members who leave at the first throw or never (a, b → 0 with a/(a+b) their
share), one rate for all (r, α → ∞ with r/α = λ), or nobody who ever leaves (p = 0).
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import special

from training.errors import TrainingError
from training.members.history import Duration, Floats, OrderHistory, TimeUnit
from training.members.likelihood import best, maximise

_SINGULAR = 1e-6
_RATE_STARTS = np.array([[1.0, 1.0], [0.3, 5.0], [1.0, 10.0], [0.5, 1.0], [3.0, 3.0]])
"""r, and α in tenths of the mean age."""
_DROPOUT_STARTS = np.array([[1.0, 1.0], [0.8, 2.5], [0.2, 0.5], [2.0, 10.0], [0.5, 5.0]])
"""a and b."""
_ONE_RATE_STARTS = np.array([[1.0], [3.0], [1.0]])
"""The one rate, in mean observed rates."""
_ODDS_STARTS = np.array([[0.1], [0.5], [0.02]])
"""Odds of the one dropout probability, and of the share who leave at once."""


class CountModelKind(StrEnum):
    """When a member may leave."""

    BG_NBD = "bg_nbd"
    MBG_NBD = "mbg_nbd"
    NBD = "nbd"

    @property
    def label(self) -> str:
        """The model's name in the literature."""
        return {"bg_nbd": "BG/NBD", "mbg_nbd": "MBG/NBD", "nbd": "NBD"}[self.value]

    def throws(self, repeats: Floats) -> Floats:
        """Return float64[n], how often the coin was thrown."""
        return repeats + 1.0 if self is CountModelKind.MBG_NBD else repeats


@dataclass(frozen=True, slots=True)
class CountModel:
    """A model of counts with its parameters.

    Attributes:
        kind: When a member may leave.
        r: Shape of the rates, above 0; infinite where all members have one rate.
        alpha: Rate parameter of the rates, in time units; infinite where all have one rate.
        a: Of the dropout probabilities; infinite where all members have one probability, 0 where they are all 0 or 1.
        b: Of the dropout probabilities; as ``a``.
        unit: What its times count.
        rate: Orders per time unit of every active member, where all have one rate.
        dropout: Probability in (0, 1] of leaving after an order, where all have one.
        at_once: Share of members in (0, 1) who leave at the first throw of the coin, where the others never leave.
    """

    kind: CountModelKind
    r: float
    alpha: float
    a: float
    b: float
    unit: TimeUnit
    rate: float | None = None
    dropout: float | None = None
    at_once: float | None = None

    @property
    def label(self) -> str:
        """The model's name, with what all members have in common."""
        special_cases = (
            (self.rate, "one order rate for all"),
            (self.dropout, "one dropout probability for all"),
            (self.at_once, "members who leave at once or never"),
        )
        named = [text for value, text in special_cases if value is not None]
        return f"{self.kind.label} with {' and '.join(named)}" if named else self.kind.label

    def log_likelihoods(self, history: OrderHistory) -> Floats:
        """Return float64[n], the log-likelihood of each history."""
        active, inactive = self._terms(history)
        likelihoods: Floats = np.logaddexp(active, inactive)
        return likelihoods

    def active(self, history: OrderHistory) -> Floats:
        """Return float64[n], the probability that a member is still active (the literature's P(alive)).

        Its complement is not churn: by the BG/NBD everybody who ordered once is active for certain.
        """
        active, inactive = self._terms(history)
        probability: Floats = special.expit(active - inactive)
        return probability

    def no_order(self, history: OrderHistory, horizon: Duration) -> Floats:
        """Return float64[n], the probability that no order comes within the horizon, which is what churn means here.

        The member is inactive, or active and does not order: given that they are active their rate is gamma with r + x and α + T, so
        1 − P(active) + P(active) · ((α+T) / (α+T+t))^(r+x); with one rate for all the last factor is e^(−λt).
        """
        self._same_unit(history)
        t = horizon.of(self.unit)
        if self.rate is None:
            shape = self.r + history.repeats
            silent = np.exp(-shape * np.log1p(t / (self.alpha + history.age)))
        else:
            silent = np.full(len(history), np.exp(-self.rate * t))
        return 1.0 - self.active(history) * (1.0 - silent)

    def expected_orders(self, history: OrderHistory, horizon: Duration) -> Floats:
        """Return float64[n], the expected number of orders within the horizon.

        Fader, Hardie & Lee (2005), equation 10, after Pfaff's transformation, which keeps all factors of one size:
        P(active) · (a+b+f−1) / (a−1) · [1 − ₂F₁(r+x, a−1; a+b+f−1; −t / (α+T))]. With one rate for all, ₁F₁(a−1; a+b+f−1; −λt) stands in
        the place of ₂F₁. With one dropout probability an active member of rate λ is expected to order (1 − e^(−λpt)) / p times,
        which gives P(active) / p · [1 − ((α+T) / (α+T+pt))^(r+x)]. Who leaves at once or never orders on after a first throw as in the NBD.
        """
        self._same_unit(history)
        t = horizon.of(self.unit)
        shape, pace = self.r + history.repeats, self.alpha + history.age
        if self.kind is CountModelKind.NBD:
            flat: Floats = shape / pace * t if self.rate is None else np.full(len(history), self.rate * t)
            return flat
        active = self.active(history)
        if self.at_once is not None:
            lasting = shape / pace * t if self.rate is None else np.full(len(history), self.rate * t)
            first = -np.expm1(-shape * np.log1p(t / pace)) if self.rate is None else -np.expm1(-self.rate * t)
            untried = self.kind.throws(history.repeats) == 0
            mixed: Floats = np.where(untried, self.at_once * first + (1.0 - self.at_once) * lasting, lasting)
            return active * mixed
        if self.dropout is not None:
            p = self.dropout
            exponent = -shape * np.log1p(p * t / pace) if self.rate is None else -self.rate * p * t
            orders: Floats = active * -np.expm1(exponent) / p
            return orders
        a = self.a + _SINGULAR if abs(self.a - 1.0) < _SINGULAR else self.a
        total = a + self.b + self.kind.throws(history.repeats) - 1.0
        if self.rate is None:
            power = special.hyp2f1(shape, a - 1.0, total, -t / pace)
        else:
            power = special.hyp1f1(a - 1.0, total, -self.rate * t)
        expected: Floats = active * total / (a - 1.0) * (1.0 - power)
        return expected

    def gradients(self, history: OrderHistory) -> Floats:
        """Return float64[n, k], the derivatives of each log-likelihood by the free parameters.

        They are r and α, or the one rate; then a and b, or the odds p / (1−p) of the one dropout probability or of the share who leave at
        once. Where nobody leaves, or everybody does, nothing is free beside the rates.
        """
        weight = self.active(history)[:, None]
        x = history.repeats
        rates = weight * self._by_rates(x, history.age) + (1.0 - weight) * self._by_rates(x, history.last)
        if self.kind is CountModelKind.NBD or self.dropout == 1.0:
            return rates
        while_active, at_leaving = self._by_dropout(self.kind.throws(x))
        gradients: Floats = np.hstack([rates, weight * while_active + (1.0 - weight) * at_leaving])
        return gradients

    def _terms(self, history: OrderHistory) -> tuple[Floats, Floats]:
        """Return the log-likelihoods float64[n] of histories that go on, and of those that have ended."""
        self._same_unit(history)
        x, f = history.repeats, self.kind.throws(history.repeats)
        active = self._of_rates(x, history.age)
        if self.kind is CountModelKind.NBD:
            return active, np.full(len(x), -np.inf)
        thrown = np.where(f > 0, f, 1.0)
        if self.at_once is not None:
            staying = np.where(f > 0, np.log1p(-self.at_once), 0.0)
            leaving = np.where(f == 1, np.log(self.at_once), -np.inf)
        elif self.dropout is None:
            whole = special.betaln(self.a, self.b)
            staying = special.betaln(self.a, self.b + f) - whole
            leaving = special.betaln(self.a + 1, self.b + thrown - 1) - whole
        else:
            staying = special.xlog1py(f, -self.dropout)
            leaving = np.log(self.dropout) + special.xlog1py(thrown - 1, -self.dropout)
        inactive = np.where(f > 0, leaving + self._of_rates(x, history.last), -np.inf)
        return staying + active, inactive

    def _of_rates(self, x: Floats, time: Floats) -> Floats:
        """Return float64[n], log E[λ^x e^(−λ time)]."""
        if self.rate is not None:
            logs: Floats = x * np.log(self.rate) - self.rate * time
            return logs
        shared = special.gammaln(self.r + x) - special.gammaln(self.r)
        mixed: Floats = shared - self.r * np.log1p(time / self.alpha) - x * np.log(self.alpha + time)
        return mixed

    def _by_rates(self, x: Floats, time: Floats) -> Floats:
        if self.rate is not None:
            return np.column_stack([x / self.rate - time])
        r, alpha = self.r, self.alpha
        by_r = special.psi(r + x) - special.psi(r) - np.log1p(time / alpha)
        return np.column_stack([by_r, r / alpha - (r + x) / (alpha + time)])

    def _by_dropout(self, f: Floats) -> tuple[Floats, Floats]:
        if self.at_once is not None:
            odds = self.at_once / (1.0 - self.at_once)
            stays = np.where(f > 0, -1.0 / (1.0 + odds), 0.0)
            return np.column_stack([stays]), np.column_stack(
                [np.full(len(f), 1.0 / odds - 1.0 / (1.0 + odds))]
            )
        if self.dropout is not None:
            odds = self.dropout / (1.0 - self.dropout)
            return np.column_stack([-f / (1.0 + odds)]), np.column_stack([1.0 / odds - f / (1.0 + odds)])
        a, b, psi = self.a, self.b, special.psi
        shared = psi(a + b) - psi(a + b + f)
        last_throw = np.where(f > 0, f - 1.0, 0.0)
        staying = np.column_stack([shared, shared + psi(b + f) - psi(b)])
        leaving = np.column_stack([shared + 1.0 / a, shared + psi(b + last_throw) - psi(b)])
        return staying, leaving

    def _same_unit(self, history: OrderHistory) -> None:
        if history.unit is not self.unit:
            raise ValueError(f"a model of {self.unit}s was asked about a history in {history.unit}s")


@dataclass(frozen=True, slots=True)
class CountFit:
    """A fitted model of counts.

    Attributes:
        model: The model.
        errors: Standard errors of its free parameters, in the order of ``CountModel.gradients``; NaN where the likelihood is too flat.
        log_likelihood: Sum over all members.
        members: How many there are.
        agreeing: How many of the starts ended there.
        starts: How many there were.
    """

    model: CountModel
    errors: tuple[float, ...]
    log_likelihood: float
    members: int
    agreeing: int
    starts: int

    @property
    def free(self) -> int:
        """Number of free parameters."""
        return len(self.errors)


def fit_counts(kind: CountModelKind, history: OrderHistory) -> CountFit:
    """Fit a model of counts, and the limits of it, by maximum likelihood; return the one with the highest likelihood.

    Members with equal histories are summed over once, so that a million takes about as long as their distinct histories.

    Args:
        kind: When a member may leave. The result is an NBD where the likelihood is highest if nobody ever leaves.
        history: Orders of at least one member, at least one of them a repeat.

    Returns:
        The full model, or the limit that it tends to.

    Raises:
        TrainingError: There is no repeat order.
    """
    if not (history.repeats > 0).any():
        raise TrainingError(f"{kind.label} cannot be fitted: no member ordered a second time.")
    groups, counts = history.grouped()
    shapes = [_Shape(CountModelKind.NBD, one_rate, _Leaving.NEVER) for one_rate in (True, False)]
    if kind is not CountModelKind.NBD:
        leavings = [_Leaving.ONE_PROBABILITY, _Leaving.AT_ONCE_OR_NEVER, _Leaving.BETA]
        if kind.throws(groups.repeats).max() <= 1:
            leavings.append(_Leaving.ALWAYS)
        shapes += [_Shape(kind, one_rate, leaving) for one_rate in (True, False) for leaving in leavings]
    fits = [fit for shape in shapes if (fit := _fit_shape(shape, groups, counts)) is not None]
    if not fits:
        raise TrainingError(
            f"{kind.label} cannot be fitted: nothing is observed after the members' first orders."
        )
    return best(fits)


class _Leaving(StrEnum):
    """How the dropout probabilities of members are distributed."""

    NEVER = "never"
    ALWAYS = "always"
    ONE_PROBABILITY = "one probability"
    AT_ONCE_OR_NEVER = "at once or never"
    BETA = "beta"


@dataclass(frozen=True, slots=True)
class _Shape:
    """A model without its parameters."""

    kind: CountModelKind
    one_rate: bool
    leaving: _Leaving

    def model(self, parameters: Floats, unit: TimeUnit) -> CountModel:
        """Return the model with free parameters as ``CountModel.gradients`` lists them."""
        values = [float(one) for one in parameters]
        rate = values.pop(0) if self.one_rate else None
        r, alpha = (np.inf, np.inf) if self.one_rate else (values.pop(0), values.pop(0))
        if self.leaving is _Leaving.NEVER:
            return CountModel(self.kind, r, alpha, 0.0, 0.0, unit, rate)
        if self.leaving is _Leaving.BETA:
            return CountModel(self.kind, r, alpha, values[0], values[1], unit, rate)
        if self.leaving is _Leaving.AT_ONCE_OR_NEVER:
            share = values[0] / (1.0 + values[0])
            return CountModel(self.kind, r, alpha, 0.0, 0.0, unit, rate, at_once=share)
        dropout = 1.0 if self.leaving is _Leaving.ALWAYS else values[0] / (1.0 + values[0])
        return CountModel(self.kind, r, alpha, np.inf, np.inf, unit, rate, dropout)

    def starts(self, age: float, mean_rate: float) -> list[Floats]:
        """Return where searches begin."""
        rates = mean_rate * _ONE_RATE_STARTS if self.one_rate else _RATE_STARTS * np.array([1.0, age / 10])
        if self.leaving is _Leaving.BETA:
            return list(np.hstack([rates, _DROPOUT_STARTS[: len(rates)]]))
        few = rates[: len(_ODDS_STARTS)]
        has_odds = self.leaving in {_Leaving.ONE_PROBABILITY, _Leaving.AT_ONCE_OR_NEVER}
        return list(np.hstack([few, _ODDS_STARTS]) if has_odds else few)


def _fit_shape(shape: _Shape, groups: OrderHistory, counts: Floats) -> CountFit | None:
    """Return the best model of a shape; ``None`` where it has no maximum of its own, but tends to a simpler one."""
    age = float(np.average(groups.age, weights=counts))
    if age == 0:
        return None
    mean_rate = float(np.average(groups.repeats, weights=counts)) / age

    def evaluate(parameters: Floats) -> tuple[float, Floats]:
        model = shape.model(parameters, groups.unit)
        return float(counts @ model.log_likelihoods(groups)), counts @ model.gradients(groups)

    members = float(counts.sum())
    found = maximise(evaluate, shape.starts(age, mean_rate), members)
    if found is None:
        return None
    return CountFit(
        shape.model(found.parameters, groups.unit),
        tuple(map(float, found.errors)),
        found.log_likelihood,
        int(members),
        found.agreeing,
        found.starts,
    )
