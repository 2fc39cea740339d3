"""Effects by decile of the prediction: what was predicted beside what held."""

from dataclasses import dataclass

import numpy as np

from experiments.uplift.estimate import Estimate, mean_estimate
from experiments.uplift.trial import Floats, Ints


@dataclass(frozen=True, slots=True)
class Decile:
    """Members whose predicted effects are neighbours.

    Attributes:
        number: 1 has the highest predictions; numbers may be missing where predictions are tied.
        size: Members in it.
        predicted: Mean predicted effect.
        lowest: The lowest predicted effect in it.
        highest: The highest.
        actual: Their actual average effect.
    """

    number: int
    size: int
    predicted: float
    lowest: float
    highest: float
    actual: Estimate


def places(predicted: Floats, groups: int) -> Ints:
    """Return each member's group of about equal size, int64[n], 0 for the highest predictions.

    Equal predictions stay together: they go where the middle of their ranks lies. So the groups do not depend on the order of
    the members, and with few distinct predictions some groups stay empty.

    Args:
        predicted: float64[n].
        groups: How many, at least 1.
    """
    _, which, counts = np.unique(-predicted, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    return np.minimum((middle * groups / max(len(predicted), 1)).astype(np.int64), groups - 1)[which]


def effects_by_decile(
    contrasts: Floats, predicted: Floats, *, groups: int = 10, level: float = 0.05
) -> tuple[Decile, ...]:
    """Return predicted and actual effects by decile of the prediction, the highest first.

    Args:
        contrasts: float64[n], scores (doubly robust or inverse-propensity) of the arm minus those of the control.
        predicted: float64[n], by models that did not see the member's own outcome.
        groups: How many groups; ten are deciles.
        level: The accepted error of each interval.
    """
    place = places(predicted, groups)
    table = []
    for number in np.unique(place):
        inside = place == number
        these = predicted[inside]
        table.append(
            Decile(
                int(number) + 1,
                int(inside.sum()),
                float(these.mean()),
                float(these.min()),
                float(these.max()),
                mean_estimate(contrasts[inside], level=level),
            )
        )
    return tuple(table)
