"""An action model as the server holds it: attributes in, the calibrated effect of every arm out."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.bundle.encoding import Encoding
from training.bundle.manifest import BundleError
from training.bundle.trees import Trees

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ActionModel:
    """What each arm of a trial changes for a member, in the unit of its outcome.

    Raw effects are sums over M models, lines first and then trees, each a number or, where it is logistic, a probability:
    ``raw[arm] = Σ weights[arm, m] · model[m](member)``. Of their differences between members the share ``shrinkages`` holds:
    ``effect[arm] = averages[arm] + shrinkages[arm] · (raw[arm] − means[arm])``.

    Attributes:
        control: Name of the arm that effects are against.
        arms: Names of the others.
        outcome: What the effects are on.
        encoding: How attributes become numbers.
        lines: float64[L, width], coefficients.
        intercepts: float64[L].
        trees: The other models.
        logistic: bool[M], which models give log-odds.
        weights: float64[arms, M].
        averages: float64[arms], average effects.
        shrinkages: float64[arms], within [0, 1].
        means: float64[arms], mean raw effects.
    """

    control: str
    arms: tuple[str, ...]
    outcome: str
    encoding: Encoding
    lines: Floats
    intercepts: Floats
    trees: tuple[Trees, ...]
    logistic: npt.NDArray[np.bool_]
    weights: Floats
    averages: Floats
    shrinkages: Floats
    means: Floats

    def __post_init__(self) -> None:
        arms, models, width = len(self.arms), len(self.intercepts) + len(self.trees), self.encoding.width
        shapes = [
            (self.lines, (len(self.intercepts), width)),
            (self.logistic, (models,)),
            (self.weights, (arms, models)),
            (self.averages, (arms,)),
            (self.shrinkages, (arms,)),
            (self.means, (arms,)),
        ]
        if not arms or any(array.shape != shape for array, shape in shapes):
            raise BundleError("The action model has parts that do not fit together.")
        if any(int(tree.features.max(initial=-1)) >= width for tree in self.trees):
            raise BundleError("The action model has trees that ask for numbers which members do not have.")
        if not all(np.isfinite(array).all() for array, _ in shapes):
            raise BundleError("The action model has numbers that are not finite.")

    def effects(self, attributes: Mapping[str, object]) -> Floats:
        """Return float64[arms], the effect of each arm on one member.

        Args:
            attributes: What is known of them, by name; what is missing counts as the mean.
        """
        effects: Floats = self.effects_of(self.encoding.of_member(attributes)[None, :])[0]
        return effects

    def effects_of(self, rows: Floats) -> Floats:
        """Return float64[n, arms], the same numbers to the last bit as one member at a time.

        Args:
            rows: float64[n, width], encoded members.
        """
        if not self.shrinkages.any():
            return np.tile(self.averages, (len(rows), 1))
        # Sums along the last axis do not depend on how many rows there are; products of matrices do.
        sums = np.add.reduce(rows[:, None, :] * self.lines, axis=2) + self.intercepts
        if self.trees:
            narrow = rows.astype(np.float32)
            sums = np.column_stack([sums, *(tree.predict(narrow) for tree in self.trees)])
        if self.logistic.any():
            sums = np.where(self.logistic, 1.0 / (1.0 + np.exp(-sums)), sums)
        raw = np.add.reduce(sums[:, None, :] * self.weights, axis=2)
        effects: Floats = self.averages + self.shrinkages * (raw - self.means)
        return effects
