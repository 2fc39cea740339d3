"""What a plan is made from."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from experiments.errors import AnalysisError
from experiments.send_plan.comparing import Scored
from experiments.send_plan.limits import Limits
from experiments.uplift.trial import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Audience:
    """Members a list is made for, with what is predicted for each.

    Attributes:
        members: Ids, n of them.
        gains: float64[n, K], predicted net gain of each arm over the control, margin less cost, by which arms are chosen; for members
            of the trial by models that did not see them.
        costs: float64[n, K], expected cost of each arm: per send, and per response times its probability.
        response: float64[n, K], predicted response to each arm: what a response model ranks by.
        rule: int64[n], the arm that somebody's own rule gives, 0 the control; none without a rule.
        expected: float64[n, K], what is expected of each arm, calibrated; the gains themselves if none. Where effects are not shown to
            differ, the gains are what personalising would go by, and this is the average.
    """

    members: pl.Series
    gains: Floats
    costs: Floats
    response: Floats
    rule: Ints | None = None
    expected: Floats | None = None

    def __post_init__(self) -> None:
        """Check that there is a number for every member and arm.

        Raises:
            AnalysisError: Shapes differ, or a number is missing or infinite.
        """
        n = len(self.members)
        for name in ("gains", "costs", "response"):
            values = getattr(self, name)
            if values.ndim != 2 or values.shape != (n, self.gains.shape[1]):
                raise AnalysisError(f"The {name} have the shape {values.shape}; a row per member is needed.")
            if not np.isfinite(values).all():
                raise AnalysisError(f"The {name} hold a missing or infinite number; every one must be known.")

    def __len__(self) -> int:
        """Return the number of members."""
        return len(self.members)

    @property
    def expected_gains(self) -> Floats:
        """float64[n, K], what is expected of each arm."""
        return self.gains if self.expected is None else self.expected


@dataclass(frozen=True, slots=True, eq=False)
class PlanProblem:
    """A trial with what was learned from it, and what may be spent.

    Attributes:
        arms: Names, the control first.
        audience: The members of the trial.
        scored: Their scores, in net margin.
        net: float64[n], the net margin that each member brought: margin less the cost of what she had.
        predicted: float64[n, arms], net margin predicted for each arm by models that did not see the member.
        limits: For a list of the trial's members.
        smallest_gain: The smallest gain worth having, money per member; a tenth of the control's standard deviation if none.
        differ: Whether effects differ measurably between members: the heterogeneity gate.
        distrust: Why the trial is not to be trusted, a sentence each; empty where it is.
        random_share: How much of a list is left to chance, in [0, 1).
        seed: Of that chance.
        level: The accepted error of each interval.
    """

    arms: Sequence[str]
    audience: Audience
    scored: Scored
    net: Floats
    predicted: Floats
    limits: Limits
    smallest_gain: float | None = None
    differ: bool = True
    distrust: Sequence[str] = field(default=())
    random_share: float = 0.05
    seed: int = 0
    level: float = 0.05

    def __post_init__(self) -> None:
        """Check what no trial allows.

        Raises:
            AnalysisError: There is no arm beside the control, an arm has nobody, or a number is out of its range.
        """
        if len(self.arms) < 2:
            raise AnalysisError(
                "The trial has one arm only; a plan needs a control and an arm that can be sent."
            )
        counts = np.bincount(self.scored.arm, minlength=len(self.arms))
        empty = [arm for arm, count in zip(self.arms, counts, strict=True) if count < 2]
        if empty:
            raise AnalysisError(
                f"Fewer than two members of the trial had {', '.join(empty)}; every arm needs some."
            )
        if self.smallest_gain is not None and not 0 < self.smallest_gain < np.inf:
            raise AnalysisError(
                f"The smallest gain worth having is {self.smallest_gain:g}; give an amount above 0."
            )
        if not 0 <= self.random_share < 1:
            raise AnalysisError(f"The random share is {self.random_share:g}; give one from 0 to below 1.")

    @property
    def counts(self) -> Ints:
        """int64[arms], members of the trial by arm."""
        return np.bincount(self.scored.arm, minlength=len(self.arms)).astype(np.int64)

    @property
    def worth_having(self) -> float:
        """The smallest gain worth having, money per member."""
        if self.smallest_gain is not None:
            return self.smallest_gain
        spread = float(self.net[self.scored.arm == 0].std(ddof=1))
        return 0.1 * spread if spread > 0 else 1e-9
