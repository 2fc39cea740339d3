"""What an order is worth: the Gamma-Gamma model of spend.

The mean order of a member varies around a mean of her own, and these means vary between members (Fader & Hardie 2013, *The
Gamma-Gamma Model of Monetary Value*). It speaks of repeat orders only, and takes spend to be independent of their number.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from training.errors import TrainingError
from training.members.history import Floats
from training.members.likelihood import maximise

_STARTS = np.array([[1.0, 2.0, 1.0], [5.0, 4.0, 0.5], [2.0, 8.0, 3.0], [10.0, 3.0, 0.2], [0.5, 1.5, 5.0]])
"""p, q, and γ in mean orders."""


@dataclass(frozen=True, slots=True)
class SpendModel:
    """The Gamma-Gamma model with its parameters.

    Attributes:
        p: Shape of a member's orders.
        q: Shape of the members' means.
        gamma: Scale of the members' means, money.
    """

    p: float
    q: float
    gamma: float

    def log_likelihoods(self, repeats: Floats, mean: Floats) -> Floats:
        """Return float64[n], by equation 1a; repeats and mean repeat spend must be above 0."""
        p, q, v, x = self.p, self.q, self.gamma, repeats
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

    def expected_spend(self, repeats: Floats, mean: Floats) -> Floats:
        """Return float64[n], what the next order is expected to bring, by equation 5: p (γ + x m) / (p x + q − 1).

        Without repeats it is the programme's mean p γ / (q − 1).

        Raises:
            TrainingError: q is at most 1, so that the means of members have no mean.
        """
        if self.q <= 1:
            raise TrainingError(
                f"The spend of these members has no mean by the Gamma-Gamma model (q is {self.q:.3g}, not above 1):"
                " a few orders are too large. Cut them off, or use mean spend as it is."
            )
        known = np.where(repeats > 0, repeats * mean, 0.0)
        expected: Floats = self.p * (self.gamma + known) / (self.p * repeats + self.q - 1.0)
        return expected


@dataclass(frozen=True, slots=True)
class SpendFit:
    """A fitted model of spend.

    Attributes:
        model: The model.
        errors: Standard errors of p, q and γ.
        log_likelihood: Of all members with repeat orders.
        members: How many they are.
        agreeing: How many of the starts ended there.
        starts: How many there were.
        correlation: Between number and mean spend of repeat orders, which the model takes for 0.
    """

    model: SpendModel
    errors: tuple[float, float, float]
    log_likelihood: float
    members: int
    agreeing: int
    starts: int
    correlation: float


def fit_spend(repeats: Floats, mean: Floats) -> SpendFit:
    """Fit the model to the members with repeat orders of a mean above 0.

    Args:
        repeats: float64[n], orders after the first.
        mean: float64[n], their mean spend; not read where there are none.

    Raises:
        TrainingError: Fewer than two such members, or no maximum.
    """
    told = (repeats > 0) & np.isfinite(mean) & (np.nan_to_num(mean) > 0)
    x, m = repeats[told], mean[told]
    if len(x) < 2 or np.ptp(m) == 0:
        raise TrainingError(
            "The Gamma-Gamma model cannot be fitted: too few members ordered again, or all for the same amount."
        )

    def evaluate(parameters: Floats) -> tuple[float, Floats]:
        model = SpendModel(*map(float, parameters))
        return float(model.log_likelihoods(x, m).sum()), _gradient(model, x, m)

    starts = [start * np.array([1.0, 1.0, m.mean()]) for start in _STARTS]
    found = maximise(evaluate, starts, float(len(x)), "The Gamma-Gamma model")
    p, q, gamma = map(float, found.errors)
    correlation = float(np.corrcoef(x, m)[0, 1]) if np.ptp(x) > 0 else 0.0
    return SpendFit(
        SpendModel(*map(float, found.parameters)),
        (p, q, gamma),
        found.log_likelihood,
        len(x),
        found.agreeing,
        found.starts,
        correlation,
    )


def _gradient(model: SpendModel, x: Floats, m: Floats) -> Floats:
    p, q, v, psi = model.p, model.q, model.gamma, special.psi
    whole = np.log(x * m + v)
    by_p = x * (psi(p * x + q) - psi(p * x) + np.log(m) + np.log(x) - whole)
    by_q = psi(p * x + q) - psi(q) + np.log(v) - whole
    by_v = q / v - (p * x + q) / (x * m + v)
    return np.array([by_p.sum(), by_q.sum(), by_v.sum()])
