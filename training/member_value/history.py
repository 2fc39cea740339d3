"""What the models of counts read of each member's orders: how many came again, when the last did, and since when she is known."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.members.history import TimeUnit

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class OrderHistory:
    """Orders of members, as Fader, Hardie & Lee (2005), section 2, summarise them.

    Attributes:
        repeats: float64[n], orders after the first, ``x``.
        last: float64[n], time from the first order to the last, ``t_x``; 0 without repeats.
        age: float64[n], time from the first order to the end of observation, ``T``.
        unit: What the times count.
    """

    repeats: Floats
    last: Floats
    age: Floats
    unit: TimeUnit

    def __post_init__(self) -> None:
        wrong = (self.repeats < 0) | (self.last < 0) | (self.last > self.age)
        if wrong.any() or not np.isfinite(self.age).all():
            raise ValueError("an order history needs x >= 0 and 0 <= t_x <= T")

    def __len__(self) -> int:
        return len(self.repeats)

    def grouped(self) -> tuple["OrderHistory", Floats]:
        """Return the distinct histories, and float64[groups], how many members have each."""
        rows = np.column_stack([self.repeats, self.last, self.age])
        distinct, counts = np.unique(rows, axis=0, return_counts=True)
        repeats, last, age = distinct.T
        return OrderHistory(repeats, last, age, self.unit), counts.astype(np.float64)
