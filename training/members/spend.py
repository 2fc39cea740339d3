"""What an order is worth: the Gamma-Gamma model of spend, with the simpler models that are its limits.

The mean order of a member varies around a mean of their own, and these means vary between members (Fader & Hardie 2013, *The
Gamma-Gamma Model of Monetary Value*). The model is of repeat orders only, and takes spend to be independent of their number.

Where the orders of a member do not vary, or members do not differ, its likelihood has no maximum but rises towards a limit, which is then the
model: each member always spends the same (p → ∞ with pγ fixed, so that the means are inverse gamma), or all members have one mean
(q, γ → ∞ with γ/q fixed, so that orders are gamma around it).
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from training.errors import TrainingError
from training.members.history import Floats
from training.members.likelihood import best, maximise

_STARTS = np.array([[1.0, 2.0, 1.0], [5.0, 4.0, 0.5], [2.0, 8.0, 3.0], [10.0, 3.0, 0.2], [0.5, 1.5, 5.0]])
"""p, q, and γ in mean orders."""


@dataclass(frozen=True, slots=True)
class SpendModel:
    """The Gamma-Gamma model with its parameters.

    Attributes:
        p: Shape of a member's orders; infinite where each member always spends the same.
        q: Shape of the members' means; infinite where all have one mean.
        gamma: Scale of the members' means, money; 0 or infinite in a limit.
        mean: The one mean of all members, money, where they have one.
        scale: p times γ, money, where each member always spends the same.
    """

    p: float
    q: float
    gamma: float
    mean: float | None = None
    scale: float | None = None

    def log_likelihoods(self, repeats: Floats, mean: Floats) -> Floats:
        """Return float64[n], by equation 1a or its limit; repeats and mean repeat spend must be above 0."""
        p, q, v, x = self.p, self.q, self.gamma, repeats
        if self.scale is not None:
            same: Floats = (
                q * np.log(self.scale) - special.gammaln(q) - (q + 1) * np.log(mean) - self.scale / mean
            )
            return same
        if self.mean is not None:
            shape = p * x
            one: Floats = (
                shape * np.log(shape / self.mean)
                - special.gammaln(shape)
                + (shape - 1) * np.log(mean)
                - shape * mean / self.mean
            )
            return one
        total: Floats = (
            special.gammaln(p * x + q)
            - special.gammaln(p * x)
            - special.gammaln(q)
            + q * np.log(v)
            + (p * x - 1) * np.log(mean)
            + p * x * np.log(x)
            - (p * x + q) * np.log(x * mean + v)
        )
        return total

    def gradients(self, repeats: Floats, mean: Floats) -> Floats:
        """Return float64[n, k], the derivatives by the free parameters: p, q and γ; or q and the scale; or p and the mean."""
        p, q, v, x, m, psi = self.p, self.q, self.gamma, repeats, mean, special.psi
        if self.scale is not None:
            return np.column_stack([np.log(self.scale) - psi(q) - np.log(m), q / self.scale - 1.0 / m])
        if self.mean is not None:
            ratio = m / self.mean
            by_p = x * (np.log(p * x) + 1.0 + np.log(ratio) - psi(p * x) - ratio)
            return np.column_stack([by_p, p * x * (ratio - 1.0) / self.mean])
        whole = np.log(x * m + v)
        by_p = x * (psi(p * x + q) - psi(p * x) + np.log(m) + np.log(x) - whole)
        by_q = psi(p * x + q) - psi(q) + np.log(v) - whole
        return np.column_stack([by_p, by_q, q / v - (p * x + q) / (x * m + v)])

    def expected_spend(self, repeats: Floats, mean: Floats) -> Floats:
        """Return float64[n], what the next order is expected to bring, by equation 5: p (γ + x m) / (p x + q − 1).

        Without repeats it is the programme's mean p γ / (q − 1). Where each member always spends the same it is the member's own mean;
        where all have one mean, that.

        Raises:
            TrainingError: q is at most 1, so that the means of members have no mean.
        """
        if self.q <= 1:
            raise TrainingError(
                f"The spend of these members has no mean by the Gamma-Gamma model (q is {self.q:.3g}, not above 1):"
                " a few orders are too large. Cut them off, or use mean spend as it is."
            )
        if self.mean is not None:
            return np.full(len(repeats), self.mean)
        if self.scale is not None:
            own: Floats = np.where(repeats > 0, mean, self.scale / (self.q - 1.0))
            return own
        known = np.where(repeats > 0, repeats * mean, 0.0)
        expected: Floats = self.p * (self.gamma + known) / (self.p * repeats + self.q - 1.0)
        return expected


@dataclass(frozen=True, slots=True)
class SpendFit:
    """A fitted model of spend.

    Attributes:
        model: The model.
        errors: Standard errors of its free parameters, in the order of ``SpendModel.gradients``; NaN where the likelihood is too flat.
        log_likelihood: Sum over all members with repeat orders.
        members: How many there are.
        agreeing: How many of the starts ended there.
        starts: How many there were.
        correlation: Between number and mean spend of repeat orders, which the model takes for 0.
    """

    model: SpendModel
    errors: tuple[float, ...]
    log_likelihood: float
    members: int
    agreeing: int
    starts: int
    correlation: float

    @property
    def free(self) -> int:
        """Number of free parameters."""
        return len(self.errors)


def fit_spend(repeats: Floats, mean: Floats) -> SpendFit:
    """Fit the model and its limits to the members with repeat orders of a mean above 0; return the one with the highest likelihood.

    Args:
        repeats: float64[n], orders after the first.
        mean: float64[n], their mean spend; not read where there are none.

    Returns:
        The full model, or the limit that it tends to.

    Raises:
        TrainingError: Fewer than two such members, or all of them spend the same.
    """
    usable = (repeats > 0) & np.isfinite(mean) & (np.nan_to_num(mean) > 0)
    x, m = repeats[usable], mean[usable]
    if len(x) < 2 or np.ptp(m) == 0:
        raise TrainingError(
            "The Gamma-Gamma model cannot be fitted: too few members ordered again, or all for the same amount."
        )
    correlation = float(np.corrcoef(x, m)[0, 1]) if np.ptp(x) > 0 else 0.0
    fits = [
        fit for free in (_FULL, _SAME_SPEND, _ONE_MEAN) if (fit := _fit(free, x, m, correlation)) is not None
    ]
    if not fits:
        raise TrainingError(
            "The Gamma-Gamma model cannot be fitted: no parameters are better than all others."
        )
    return best(fits)


_FULL, _SAME_SPEND, _ONE_MEAN = ("p", "q", "gamma"), ("q", "scale"), ("p", "mean")
"""Free parameters of the model and of its limits."""


def _fit(free: tuple[str, ...], x: Floats, m: Floats, correlation: float) -> SpendFit | None:
    centre = float(m.mean())
    if free == _FULL:
        starts = _STARTS * np.array([1.0, 1.0, centre])
    elif free == _SAME_SPEND:
        starts = np.array([[2.0, centre], [5.0, 4 * centre], [20.0, 19 * centre]])
    else:
        starts = np.array([[1.0, centre], [5.0, centre], [20.0, centre]])
    fixed = {_FULL: {}, _SAME_SPEND: {"p": np.inf, "gamma": 0.0}, _ONE_MEAN: {"q": np.inf, "gamma": np.inf}}[
        free
    ]

    def model_of(parameters: Floats) -> SpendModel:
        return SpendModel(**fixed, **dict(zip(free, map(float, parameters), strict=True)))

    def evaluate(parameters: Floats) -> tuple[float, Floats]:
        model = model_of(parameters)
        return float(model.log_likelihoods(x, m).sum()), model.gradients(x, m).sum(axis=0)

    found = maximise(evaluate, list(starts), float(len(x)))
    if found is None:
        return None
    return SpendFit(
        model_of(found.parameters),
        tuple(map(float, found.errors)),
        found.log_likelihood,
        len(x),
        found.agreeing,
        found.starts,
        correlation,
    )
