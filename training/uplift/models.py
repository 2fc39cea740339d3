"""What learners are made of: a ridge or logistic line, or boosted trees, fitted to numbers and weights."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from experiments.uplift.trial import Floats

PENALTIES = np.logspace(-2, 3, 11)
"""Heavier ones would be chosen where outcomes are mostly noise, and bend a line towards what varies most; calibration shrinks
without bending. Measured on Hillstrom's spend (four splits into folds): up to 1e3 the mean Qini is above 0.04 dollars, up to 1e5 at most
0.02."""
TREES = {"n_estimators": 100, "num_leaves": 15, "learning_rate": 0.05, "min_child_samples": 50}
_FEWEST_OF_A_KIND = 5


class Predictor(Protocol):
    """Predicts one number per row."""

    def predict(self, rows: Floats) -> Floats:
        """Return float64[n] for float64[n, width]."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A weighted sum, maybe through the logistic function.

    Attributes:
        coefficients: float64[width].
        intercept: What is added.
        logistic: Whether the sum is a log-odds, and the prediction a probability.
    """

    coefficients: Floats
    intercept: float
    logistic: bool = False

    def predict(self, rows: Floats) -> Floats:
        """See ``Predictor.predict``."""
        sums: Floats = rows @ self.coefficients + self.intercept
        return 1.0 / (1.0 + np.exp(-sums)) if self.logistic else sums


@dataclass(frozen=True, slots=True, eq=False)
class Boosted:
    """Boosted trees of LightGBM.

    Attributes:
        booster: What was fitted.
        binary: Whether its sum of leaves is a log-odds.
    """

    booster: Any
    binary: bool

    def predict(self, rows: Floats) -> Floats:
        """See ``Predictor.predict``; of a binary outcome the probability."""
        predicted: Floats = np.asarray(self.booster.predict(rows.astype(np.float32)), dtype=np.float64)
        return predicted


@dataclass(frozen=True, slots=True)
class Family:
    """Fits outcomes and effects.

    Attributes:
        boosted: Whether by trees rather than lines.
        binary: Whether outcomes are 0 or 1.
    """

    boosted: bool
    binary: bool

    def outcome(self, rows: Floats, values: Floats) -> Predictor:
        """Return a model of outcomes, of probabilities where they are binary."""
        if self.boosted:
            return fit_trees(rows, values, binary=self._told(values))
        return self.line(rows, values)

    def line(self, rows: Floats, values: Floats) -> Line:
        """Return a line for outcomes, a logistic one where they are binary and there are a few of both kinds."""
        return fit_logistic(rows, values) if self._told(values) else fit_ridge(rows, values)

    def effect(self, rows: Floats, values: Floats, weights: Floats | None = None) -> Predictor:
        """Fit a model of effects, which are never probabilities.

        Args:
            rows: float64[n, features].
            values: float64[n].
            weights: float64[n]; all alike if ``None``.

        Returns:
            The fitted model.
        """
        if self.boosted:
            return fit_trees(rows, values, binary=False, weights=weights)
        return fit_ridge(rows, values, weights)

    def _told(self, values: Floats) -> bool:
        return self.binary and min(values.sum(), len(values) - values.sum()) >= _FEWEST_OF_A_KIND


def fit_ridge(rows: Floats, values: Floats, weights: Floats | None = None) -> Line:
    """Fit a line by least squares, its penalty chosen by generalised cross-validation among 11.

    Golub, Heath & Wahba (1979).

    Args:
        rows: float64[n, features].
        values: float64[n].
        weights: float64[n]; all alike if ``None``.

    Returns:
        The line.
    """
    if not rows.shape[1] or len(rows) < 3:
        return Line(
            np.zeros(rows.shape[1]), float(np.average(values, weights=weights)) if len(values) else 0.0
        )
    from sklearn.linear_model import RidgeCV

    fitted = RidgeCV(alphas=PENALTIES).fit(rows, values, sample_weight=weights)
    return Line(np.asarray(fitted.coef_, dtype=np.float64), float(fitted.intercept_))


def fit_logistic(rows: Floats, values: Floats) -> Line:
    """Fit log-odds with a unit ridge penalty on standardised numbers."""
    if not rows.shape[1]:
        share = float(values.mean())
        return Line(np.zeros(0), float(np.log(share / (1 - share))), logistic=True)
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1.0, max_iter=200).fit(rows, values)
    return Line(np.asarray(fitted.coef_[0], dtype=np.float64), float(fitted.intercept_[0]), logistic=True)


def fit_trees(rows: Floats, values: Floats, *, binary: bool, weights: Floats | None = None) -> Predictor:
    """Fit 100 small trees one after the other, each on what the others leave.

    Args:
        rows: One row per shortlisted offer of a case.
        values: float64[n].
        binary: Whether values are 0 and 1.
        weights: float64[n]; all alike if ``None``.

    Returns:
        The fitted trees.
    """
    if not rows.shape[1] or len(rows) < 2 * TREES["min_child_samples"]:
        return fit_ridge(rows, values, weights)
    import lightgbm

    parameters = {
        "objective": "binary" if binary else "regression",
        "num_leaves": TREES["num_leaves"],
        "learning_rate": TREES["learning_rate"],
        "min_child_samples": TREES["min_child_samples"],
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(rows.astype(np.float32), values, weight=weights, free_raw_data=True)
    return Boosted(lightgbm.train(parameters, data, num_boost_round=int(TREES["n_estimators"])), binary)
