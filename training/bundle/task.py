"""The tasks a placement can have, and which offers each of them is about."""

from enum import StrEnum

import numpy as np
import numpy.typing as npt

from training.bundle.features import offer_rows
from training.bundle.history import LAST_AGE, Profile
from training.bundle.scorers import Covers

LAPSED_DAYS = 56.0
"""What was not bought in the last 8 weeks has lapsed."""


class Task(StrEnum):
    """What a placement is for."""

    REPLENISH = "replenish"
    """What the member buys next, repeats welcome."""
    WIN_BACK = "win_back"
    """What the member did not buy in the last 8 weeks, mostly lapsed favourites."""
    DISCOVER = "discover"
    """What the member never bought."""
    REDEEM = "redeem"
    """Which coupon the member will use."""


def applicable(task: Task, profile: Profile, covers: Covers) -> npt.NDArray[np.bool_]:
    """Return bool[offers]: which offers the task is about for this member.

    Args:
        task: The task.
        profile: What the programme says of the member.
        covers: Which offers cover which products.
    """
    allowed = np.ones(covers.offer_count, bool)
    if task in {Task.REPLENISH, Task.REDEEM}:
        return allowed
    offers, columns, _ = offer_rows(profile, covers)
    if task is Task.WIN_BACK:
        offers = offers[columns[:, LAST_AGE] < LAPSED_DAYS]
    allowed[offers] = False
    return allowed
