"""How many orders come next: BG/NBD and MBG/NBD, and the NBD where nobody seems to leave.

While a member is active she orders at random with a rate of her own, and the rates of members follow a gamma distribution
with shape r and rate α. After an order she becomes inactive for good with a probability of her own, and these follow a beta
distribution with a and b. In the BG/NBD (Fader, Hardie & Lee 2005) the coin is thrown after each repeat order, so that a member who
ordered once is active for certain; in the MBG/NBD (Batislam, Denizel & Filiztekin 2007; Hoppe & Wagner 2007) also after the first.

With f throws of the coin (f = x, or x + 1 in the MBG/NBD) the likelihood of a history (x, t_x, T) is

    Γ(r+x) α^r / Γ(r) · [ B(a, b+f) / B(a, b) · (α+T)^−(r+x)  +  [f > 0] B(a+1, b+f−1) / B(a, b) · (α+t_x)^−(r+x) ]

where the first term is that of a member who is still active. Both models are this one formula. In the NBD (Ehrenberg 1959) no coin is
thrown: everybody stays active, and the bracket is its first term without the beta functions.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import special

from training.errors import TrainingError
from training.members.history import Duration, Floats, OrderHistory, TimeUnit
from training.members.likelihood import maximise

_SINGULAR = 1e-6
_STARTS = np.array(
    [
        [1.0, 1.0, 1.0, 1.0],
        [0.3, 5.0, 0.8, 2.5],
        [1.0, 10.0, 0.2, 0.5],
        [0.5, 1.0, 2.0, 10.0],
        [3.0, 3.0, 0.5, 5.0],
    ]
)
"""r, α in mean ages, a, b."""


class CountModelKind(StrEnum):
    """Which of the models."""

    BG_NBD = "bg_nbd"
    MBG_NBD = "mbg_nbd"
    NBD = "nbd"

    @property
    def label(self) -> str:
        """How the field calls it."""
        return {"bg_nbd": "BG/NBD", "mbg_nbd": "MBG/NBD", "nbd": "NBD"}[self.value]

    def throws(self, repeats: Floats) -> Floats:
        """Return float64[n], how often the coin was thrown."""
        return repeats + 1.0 if self is CountModelKind.MBG_NBD else repeats


@dataclass(frozen=True, slots=True)
class CountModel:
    """A model of counts with its parameters.

    Attributes:
        kind: Which model.
        r: Shape of the rates, above 0.
        alpha: Rate of the rates, in time units.
        a: Of becoming inactive; 0 in the NBD.
        b: Of staying active; 0 in the NBD.
        unit: What its times count.
    """

    kind: CountModelKind
    r: float
    alpha: float
    a: float
    b: float
    unit: TimeUnit

    def log_likelihoods(self, history: OrderHistory) -> Floats:
        """Return float64[n], the log-likelihood of each history."""
        active, inactive = self._terms(history)
        x = history.repeats
        shared = special.gammaln(self.r + x) - special.gammaln(self.r) + self.r * np.log(self.alpha)
        likelihoods: Floats = shared + np.logaddexp(active, inactive)
        return likelihoods

    def active(self, history: OrderHistory) -> Floats:
        """Return float64[n], the probability that a member is still active (the literature's P(alive)).

        It is no churn probability: by the BG/NBD everybody who ordered once is active for certain.
        """
        active, inactive = self._terms(history)
        probability: Floats = special.expit(active - inactive)
        return probability

    def no_order(self, history: OrderHistory, horizon: Duration) -> Floats:
        """Return float64[n], the probability that no order comes within the horizon, which is what churn means here.

        She is inactive, or active and does not order: given that she is active her rate is gamma with r + x and α + T, so
        1 − P(active) + P(active) · ((α+T) / (α+T+t))^(r+x).
        """
        self._same_unit(history)
        t, shape = horizon.of(self.unit), self.r + history.repeats
        silent = np.exp(-shape * np.log1p(t / (self.alpha + history.age)))
        return 1.0 - self.active(history) * (1.0 - silent)

    def expected_orders(self, history: OrderHistory, horizon: Duration) -> Floats:
        """Return float64[n], the expected number of orders within the horizon.

        Fader, Hardie & Lee (2005), equation 10, after Pfaff's transformation, which keeps all factors of one size:
        P(active) · (a+b+f−1) / (a−1) · [1 − ₂F₁(r+x, a−1; a+b+f−1; −t / (α+T))].
        """
        self._same_unit(history)
        t = horizon.of(self.unit)
        if self.kind is CountModelKind.NBD:
            rates: Floats = (self.r + history.repeats) / (self.alpha + history.age) * t
            return rates
        a = self.a + _SINGULAR if abs(self.a - 1.0) < _SINGULAR else self.a
        total = a + self.b + self.kind.throws(history.repeats) - 1.0
        power = special.hyp2f1(self.r + history.repeats, a - 1.0, total, -t / (self.alpha + history.age))
        expected: Floats = self.active(history) * total / (a - 1.0) * (1.0 - power)
        return expected

    def _terms(self, history: OrderHistory) -> tuple[Floats, Floats]:
        self._same_unit(history)
        x, f = history.repeats, self.kind.throws(history.repeats)
        if self.kind is CountModelKind.NBD:
            return -(self.r + x) * np.log(self.alpha + history.age), np.full(len(x), -np.inf)
        whole = special.betaln(self.a, self.b)
        active = special.betaln(self.a, self.b + f) - whole - (self.r + x) * np.log(self.alpha + history.age)
        thrown = np.where(f > 0, f, 1.0)
        inactive = (
            special.betaln(self.a + 1, self.b + thrown - 1)
            - whole
            - (self.r + x) * np.log(self.alpha + history.last)
        )
        return active, np.where(f > 0, inactive, -np.inf)

    def _same_unit(self, history: OrderHistory) -> None:
        if history.unit is not self.unit:
            raise ValueError(f"a model of {self.unit}s was asked about a history in {history.unit}s")


@dataclass(frozen=True, slots=True)
class CountFit:
    """A fitted model of counts.

    Attributes:
        model: The model.
        errors: Standard errors of r, α, a and b; of r and α in the NBD.
        log_likelihood: Of all members.
        members: How many.
        agreeing: How many of the starts ended there.
        starts: How many there were.
    """

    model: CountModel
    errors: tuple[float, ...]
    log_likelihood: float
    members: int
    agreeing: int
    starts: int


def fit_counts(kind: CountModelKind, history: OrderHistory) -> CountFit:
    """Fit a model of counts by maximum likelihood.

    Members with equal histories are summed over once, so that a million takes about as long as their distinct histories.

    Raises:
        TrainingError: There is no repeat order, or no maximum; nothing is smoothed over by a penalty.
    """
    if not (history.repeats > 0).any():
        raise TrainingError(f"{kind.label} cannot be fitted: no member ordered a second time.")
    groups, counts = history.grouped()
    scale = float(np.average(groups.age, weights=counts)) or 1.0

    def evaluate(parameters: Floats) -> tuple[float, Floats]:
        model = _model(kind, parameters, history.unit)
        rows = _gradients(model, groups)
        return float(counts @ model.log_likelihoods(groups)), counts @ rows

    free = 2 if kind is CountModelKind.NBD else 4
    starts = [(start * np.array([1.0, scale / 10, 1.0, 1.0]))[:free] for start in _STARTS]
    found = maximise(evaluate, starts, float(len(history)), f"The {kind.label}")
    return CountFit(
        _model(kind, found.parameters, history.unit),
        tuple(map(float, found.errors)),
        found.log_likelihood,
        len(history),
        found.agreeing,
        found.starts,
    )


def _model(kind: CountModelKind, parameters: Floats, unit: TimeUnit) -> CountModel:
    r, alpha, a, b = (*map(float, parameters), 0.0, 0.0)[:4]
    return CountModel(kind, r, alpha, a, b, unit)


def _gradients(model: CountModel, history: OrderHistory) -> Floats:
    """Return float64[n, 4], the derivatives of each log-likelihood by r, α, a and b; float64[n, 2] in the NBD."""
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    x, f = history.repeats, model.kind.throws(history.repeats)
    active = model.active(history)
    inactive = 1.0 - active
    until, since = alpha + history.age, alpha + history.last
    psi = special.psi
    by_r = psi(r + x) - psi(r) + np.log(alpha) - active * np.log(until) - inactive * np.log(since)
    by_alpha = r / alpha - (r + x) * (active / until + inactive / since)
    if model.kind is CountModelKind.NBD:
        return np.column_stack([by_r, by_alpha])
    by_a = inactive / a - psi(a + b + f) + psi(a + b)
    last_throw = np.where(f > 0, f - 1.0, 0.0)
    by_b = active * psi(b + f) + inactive * psi(b + last_throw) - psi(a + b + f) - psi(b) + psi(a + b)
    return np.column_stack([by_r, by_alpha, by_a, by_b])
