"""Tables of trials whose truth is known."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from experiments.uplift.trial import Floats
from training.send_plan import ArmCost, PlanOptions, PlanResult, plan_sends
from training.uplift.reading import TrialColumns

COLUMNS = TrialColumns(
    treatment="arm", control="none", outcome="spend", member="member", features=("x", "y", "visits", "shop")
)
COSTS = {"call": ArmCost(0.1), "mail": ArmCost(0.1)}


@dataclass(frozen=True)
class Table:
    """A trial of a mail and a call, both with the same average effect, which ``x`` turns in opposite ways.

    Attributes:
        members: How many.
        effect: Average effect of both arms; of the mail alone if ``mail_only``.
        interaction: How strongly ``x`` raises the mail's effect and lowers the call's.
        mail_only: Whether the call does nothing.
        noise: Standard deviation of the spend around its expectation.
    """

    members: int = 3_000
    effect: float = 0.2
    interaction: float = 0.6
    mail_only: bool = False
    noise: float = 1.0

    def frame(self, seed: int) -> pl.DataFrame:
        """Return the table of a draw."""
        random = np.random.default_rng(seed)
        n = self.members
        x, y = random.normal(size=n), random.normal(size=n)
        names = np.array(["none", "call", "mail"])
        arm = random.integers(0, 3, n)
        spend = 5 + 0.3 * y + self._effects(x)[np.arange(n), arm] + self.noise * random.normal(size=n)
        return pl.DataFrame(
            {
                "member": [f"m{number}" for number in range(n)],
                "x": x,
                "y": y,
                "visits": random.integers(0, 10, n),
                "shop": random.choice(["north", "south", "west"], n),
                "arm": names[arm],
                "spend": spend,
                "bought": (spend > 5).astype(np.int64),
            }
        )

    def net_truth(self, frame: pl.DataFrame) -> Floats:
        """Return float64[n, 3], true net effects of none, call and mail at a cost of 0.1."""
        net: Floats = self._effects(frame["x"].to_numpy()) - np.array([0.0, 0.1, 0.1])
        return net

    def _effects(self, x: Floats) -> Floats:
        call = np.zeros(len(x)) if self.mail_only else self.effect - self.interaction * x
        mail = self.effect + self.interaction * x * (not self.mail_only)
        effects: Floats = np.column_stack((np.zeros(len(x)), call, mail))
        return effects


def planned(
    folder: Path, table: pl.DataFrame, columns: TrialColumns = COLUMNS, **options: object
) -> PlanResult:
    """Write a table and plan with it, without boosted trees."""
    path = folder / "trial.parquet"
    table.write_parquet(path)
    asked = {"costs": COSTS, "challengers": False, **options}
    return plan_sends(path, columns, PlanOptions(**asked))  # type: ignore[arg-type]
