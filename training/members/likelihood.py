"""Maximum likelihood over parameters above 0: several bounded starts, and a result that was checked or is refused."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from training.errors import TrainingError
from training.members.history import Floats

Evaluate = Callable[[Floats], tuple[float, Floats]]
"""Returns the log-likelihood and its gradient at some parameters."""

_BOUND = np.log(1e6)
"""Of the logarithms: a parameter on it has run away, as on a ridge without a maximum."""
_EDGE = 1e-3
_STEP = 1e-5
_GRADIENT_TOLERANCE = 1e-5
_SAME = 1e-4


@dataclass(frozen=True, slots=True)
class Maximum:
    """Parameters at which a likelihood is highest.

    Attributes:
        parameters: float64[k].
        errors: float64[k], standard errors, from the curvature by the delta method.
        log_likelihood: There.
        agreeing: How many of the starts ended at it.
        starts: How many there were.
    """

    parameters: Floats
    errors: Floats
    log_likelihood: float
    agreeing: int
    starts: int


def maximise(evaluate: Evaluate, starts: Sequence[Floats], members: float, what: str) -> Maximum:
    """Return where a likelihood is highest. Nothing is added to the likelihood: there is no penalty.

    The search goes over logarithms of the parameters, so that each stays above 0, by L-BFGS-B within bounds and then by
    BFGS; the gradient must vanish there, and the curvature must be that of a maximum.

    Args:
        evaluate: The log-likelihood and its gradient by the parameters.
        starts: float64[k] each.
        members: How many members it sums over, which sets its scale.
        what: What is fitted, for errors.

    Raises:
        TrainingError: No start ends at a maximum: the likelihood rises towards the end of the range, or is flat.
    """

    def loss(logs: Floats) -> tuple[float, Floats]:
        parameters = np.exp(logs)
        value, gradient = evaluate(parameters)
        return -value / members, -gradient * parameters / members

    bounds = [(-_BOUND, _BOUND)] * len(starts[0])
    ends = []
    for start in starts:
        first = optimize.minimize(loss, np.log(start), jac=True, method="L-BFGS-B", bounds=bounds)
        if np.abs(first.x).max() > _BOUND - _EDGE or not np.isfinite(first.fun):
            continue
        second = optimize.minimize(loss, first.x, jac=True, method="BFGS", options={"gtol": 1e-9})
        end = second if np.isfinite(second.fun) and second.fun <= first.fun else first
        if np.abs(end.x).max() < _BOUND and np.abs(loss(end.x)[1]).max() < _GRADIENT_TOLERANCE:
            ends.append(end)
    if not ends:
        raise TrainingError(
            f"{what} has no best fit to these orders: its likelihood rises for ever towards parameters that make no sense."
            " More members, or a longer time, may help."
        )
    best = min(ends, key=lambda end: float(end.fun))
    curvature = _curvature(lambda logs: loss(logs)[1], best.x) * members
    if np.linalg.eigvalsh(curvature).min() <= 0:
        raise TrainingError(
            f"{what} has no single best fit to these orders: its likelihood is flat where it is highest."
            " More members, or a longer time, may help."
        )
    parameters = np.exp(best.x)
    return Maximum(
        parameters,
        parameters * np.sqrt(np.diag(np.linalg.inv(curvature))),
        -float(best.fun) * members,
        sum(bool((end.fun - best.fun) * members < _SAME) for end in ends),
        len(starts),
    )


def _curvature(gradient: Callable[[Floats], Floats], at: Floats) -> Floats:
    steps = _STEP * np.eye(len(at))
    rows = np.array([(gradient(at + step) - gradient(at - step)) / (2 * _STEP) for step in steps])
    symmetric: Floats = (rows + rows.T) / 2
    return symmetric
