"""What a plan may use: money, sends, sends of one arm, and the return that it must bring."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from experiments.errors import AnalysisError


@dataclass(frozen=True, slots=True)
class Limits:
    """What a plan may use.

    Attributes:
        budget: Money, at least 0; infinite without a limit. It limits the expected cost.
        sends: Most members who get an arm; none without a limit.
        caps: Most members who get one arm, by the arm's position among the arms other than the control, from 0.
        min_roi: Least net gain per 1 of cost of the whole plan, at least 0; none without a limit.
    """

    budget: float = math.inf
    sends: int | None = None
    caps: Mapping[int, int] = field(default_factory=dict)
    min_roi: float | None = None

    def __post_init__(self) -> None:
        """Check that each limit can be kept.

        Raises:
            AnalysisError: A limit is negative or not a number.
        """
        if not self.budget >= 0:
            raise AnalysisError(f"The budget is {self.budget:g}; give an amount of at least 0.")
        if self.sends is not None and self.sends < 0:
            raise AnalysisError(f"The number of sends is {self.sends}; give at least 0.")
        for count in self.caps.values():
            if count < 0:
                raise AnalysisError(f"The cap of an arm is {count}; give at least 0.")
        if self.min_roi is not None and not 0 <= self.min_roi < math.inf:
            raise AnalysisError(f"The minimum return is {self.min_roi:g}; give a number of at least 0.")

    @property
    def counted(self) -> bool:
        """Whether members are counted, not only money."""
        return self.sends is not None or bool(self.caps)

    def less(self, cost: float, sends_by_arm: Mapping[int, int]) -> "Limits":
        """Return what is left after some sends; nothing is left below 0.

        Args:
            cost: What they cost.
            sends_by_arm: How many there were of each arm other than the control, from 0.
        """
        sent = sum(sends_by_arm.values())
        return replace(
            self,
            budget=max(self.budget - cost, 0.0),
            sends=None if self.sends is None else max(self.sends - sent, 0),
            caps={arm: max(cap - sends_by_arm.get(arm, 0), 0) for arm, cap in self.caps.items()},
        )

    def share(self, part: float) -> "Limits":
        """Return the limits of a part of the members: each amount and count in proportion, counts rounded down."""
        return replace(
            self,
            budget=self.budget * part,
            sends=None if self.sends is None else int(self.sends * part),
            caps={arm: int(cap * part) for arm, cap in self.caps.items()},
        )
