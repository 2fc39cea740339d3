"""Maximum likelihood over positive parameters: several bounded starts, each end checked.

Some families have no best member: their likelihood rises towards a limit, such as a beta distribution of dropout probabilities that
narrows to one probability for all. The limit is a model of its own with fewer parameters. A caller therefore fits the limits too and lets
``best`` decide by likelihood, which is the same on every machine, while the sign of a nearly flat curvature is not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from scipy import optimize

from training.members.history import Floats

Evaluate = Callable[[Floats], tuple[float, Floats]]
"""Returns the log-likelihood and its gradient at some parameters."""

MARGIN = 1e-3
"""A model with more parameters serves only if its log-likelihood is higher by more than this: less is rounding, not evidence."""

_BOUND = np.log(1e6)
"""Of the logarithms: a parameter on it has run away towards a limit."""
_EDGE = 1e-3
_STEP = 1e-5
_GRADIENT_TOLERANCE = 1e-5
_SAME = 1e-4


class Comparable(Protocol):
    """A fitted model that can be compared with others of the same members."""

    @property
    def log_likelihood(self) -> float:
        """Sum over all members."""

    @property
    def free(self) -> int:
        """Number of free parameters."""


F = TypeVar("F", bound=Comparable)


@dataclass(frozen=True, slots=True)
class Maximum:
    """Parameters at which a likelihood is highest.

    Attributes:
        parameters: float64[k].
        errors: float64[k], standard errors from the curvature by the delta method; NaN where the likelihood is too flat for them.
        log_likelihood: The likelihood there.
        agreeing: How many of the starts ended at it.
        starts: How many starts there were.
    """

    parameters: Floats
    errors: Floats
    log_likelihood: float
    agreeing: int
    starts: int


def maximise(evaluate: Evaluate, starts: Sequence[Floats], members: float) -> Maximum | None:
    """Return where a likelihood is highest inside the range, or ``None`` where it rises towards the range's end.

    The search runs over logarithms of the parameters, so that each stays above 0, by L-BFGS-B within bounds and then by BFGS; the
    gradient must vanish at the end. Nothing is added to the likelihood: there is no penalty.

    Args:
        evaluate: The log-likelihood and its gradient by the parameters.
        starts: float64[k] each, above 0.
        members: How many members the likelihood sums over, which sets its scale.

    Returns:
        The maximum; ``None`` if no start ends at one.
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
        return None
    best_end = min(ends, key=lambda end: float(end.fun))
    parameters = np.exp(best_end.x)
    return Maximum(
        parameters,
        parameters * _relative_errors(lambda logs: loss(logs)[1], best_end.x, members),
        -float(best_end.fun) * members,
        sum(bool((end.fun - best_end.fun) * members < _SAME) for end in ends),
        len(starts),
    )


def best(fits: Sequence[F]) -> F:
    """Return the fit with the highest likelihood, the simpler one where more parameters raise it by at most ``MARGIN``."""
    chosen = min(fits, key=lambda fit: fit.free)
    for fit in sorted(fits, key=lambda fit: fit.free):
        if fit.log_likelihood > chosen.log_likelihood + MARGIN * (fit.free > chosen.free):
            chosen = fit
    return chosen


def _relative_errors(gradient: Callable[[Floats], Floats], at: Floats, members: float) -> Floats:
    steps = _STEP * np.eye(len(at))
    rows = np.array([(gradient(at + step) - gradient(at - step)) / (2 * _STEP) for step in steps])
    curvature = (rows + rows.T) / 2 * members
    if not np.isfinite(curvature).all() or np.linalg.eigvalsh(curvature).min() <= 0:
        return np.full(len(at), np.nan)
    errors: Floats = np.sqrt(np.diag(np.linalg.inv(curvature)))
    return errors
