"""Learns the mixture of a job."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from training.bundle import OfferModel
from training.bundle.scorers import AnyScorer, Mixture
from training.data.fit_data import FitData
from training.evaluation import Evaluation, join_halves
from training.mixing.selection import select_weights
from training.offers.mixture import Floats, join_cases, pool_cases, spreads
from training.offers.problem import MOST_VALIDATION_CASES, Problem


class MixtureStage:
    """Learns weights for the models of a job on its validation folds.

    Args:
        problem: What the job works on.
        fitted: The scorers of each model, one for each validation fold.
    """

    def __init__(self, problem: Problem, fitted: Mapping[str, Sequence[AnyScorer]]) -> None:
        self._problem = problem
        self._names = tuple(fitted)
        self._fitted = [
            [fitted[name][number] for name in self._names] for number in range(len(problem.validation))
        ]
        k = int(problem.metric.split("@")[1])
        self._scales = [
            spreads(scorers, fold.data, problem.split.task, seed=problem.seed)
            for scorers, fold in zip(self._fitted, problem.validation, strict=True)
        ]
        cases = join_cases(
            [
                pool_cases(fold, problem.split.task, scorers, scales, k=k, seed=problem.seed)
                for scorers, scales, fold in zip(self._fitted, self._scales, problem.validation, strict=True)
            ]
        )
        half = self._first_half(cases.members)
        self._weights = select_weights(cases, k=k, seed=problem.seed)
        self._of_half = [
            select_weights(cases.take(np.flatnonzero(part)), k=k, seed=problem.seed) for part in (half, ~half)
        ]

    @property
    def weights(self) -> dict[str, float]:
        """Return the weight of each model that has one."""
        return {
            name: float(weight) for name, weight in zip(self._names, self._weights, strict=True) if weight > 0
        }

    def validate(self) -> Evaluation:
        """Measure on validation: each half of the members by the weights that were learned on the other half."""
        first, second = (
            self._problem.evaluate(
                [
                    self._model(fold.data, number, weights)
                    for number, fold in enumerate(self._problem.validation)
                ],
                self._problem.validation,
                MOST_VALIDATION_CASES,
            )
            for weights in self._of_half
        )
        return join_halves(second, first, self._first_half, self._problem.validation, self._problem.ks)

    def model_on(self, data: FitData, fitted: Mapping[str, AnyScorer]) -> OfferModel:
        """Return the model of a moment.

        Args:
            data: What was known.
            fitted: The models' scorers fitted on it.
        """
        scorers = [fitted[name] for name in self._names]
        scales = spreads(scorers, data, self._problem.split.task, seed=self._problem.seed)
        return self._problem.model(data, mix(scorers, self._weights, scales))

    def _model(self, data: FitData, number: int, weights: Floats) -> OfferModel:
        return self._problem.model(data, mix(self._fitted[number], weights, self._scales[number]))

    def _first_half(self, members: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        order = np.random.default_rng(self._problem.seed).permutation(self._problem.purchases.member_count)
        first: npt.NDArray[np.bool_] = order[members] % 2 == 0
        return first


def mix(scorers: Sequence[AnyScorer], weights: Floats, scales: Floats) -> Mixture:
    """Return the weighted sum of scorers, each divided by its scale; those without weight or scale are left out.

    Args:
        scorers: Fitted scorers.
        weights: float64[scorers], from 0 on.
        scales: float64[scorers], the ``spreads`` of these very scorers.
    """
    used = [
        (scorer, float(weight / scale))
        for scorer, weight, scale in zip(scorers, weights, scales, strict=True)
        if weight > 0 and scale > 0
    ]
    # When no scorer tells offers apart, any of them gives the same order.
    parts = used or [(scorers[0], 1.0)]
    return Mixture(tuple(scorer for scorer, _ in parts), tuple(weight for _, weight in parts))
