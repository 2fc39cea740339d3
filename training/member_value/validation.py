"""Whether forecasts hold: models of the orders before a window, judged by the orders in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from training.member_value.history import Floats
from training.members.forecast import forecast
from training.members.history import Duration, TimeUnit
from training.members.orders import Orders, day_before
from training.members.rules import MemberRules

FEWEST_MEMBERS = 100
_GROUPS = 10


@dataclass(frozen=True, slots=True)
class ChurnGroup:
    """Members with about the same predicted probability of no order.

    Attributes:
        members: How many.
        predicted: Mean probability.
        actual: Share who did not order.
    """

    members: int
    predicted: float
    actual: float


@dataclass(frozen=True, slots=True)
class Week:
    """Orders of one week of the window.

    Attributes:
        number: From 1.
        predicted: By the model.
        actual: That came.
    """

    number: int
    predicted: float
    actual: int


@dataclass(frozen=True, slots=True)
class Validation:
    """How a forecast did in the window that it did not see.

    Attributes:
        split: The last day that models saw.
        until: The last day of the window.
        members: Members known at the split.
        model: The model of counts that served.
        predicted_orders: Sum of expected orders.
        actual_orders: Sum of orders.
        bias: Predicted over actual, less 1.
        mae: Mean absolute error a member.
        rmse: Root of the mean squared error a member.
        auc: Of the probability of no order, for no order.
        auc_recency: The same by days since the last order, which a model must be worth having beside.
        brier: Mean squared error of the probability.
        brier_constant: The same for the share of all members.
        churn: Groups by predicted probability.
        weeks: Orders by week.
    """

    split: date
    until: date
    members: int
    model: str
    predicted_orders: float
    actual_orders: int
    bias: float
    mae: float
    rmse: float
    auc: float
    auc_recency: float
    brier: float
    brier_constant: float
    churn: tuple[ChurnGroup, ...]
    weeks: tuple[Week, ...]


def validate(orders: Orders, horizon: Duration, rules: MemberRules) -> tuple[Validation | None, str]:
    """Fit on what came before the last horizon, and compare with what came in it.

    Returns:
        The result, and an empty text; or none, and why there is none.
    """
    split = day_before(orders.as_of, horizon.days)
    known = orders.until(split).orders
    members = known["member"].n_unique()
    if members < FEWEST_MEMBERS:
        return None, (
            f"Forecasts were not tried on a window: only {members} members ordered until {split}; at least {FEWEST_MEMBERS} are needed."
        )
    made = forecast(known, split, horizon, rules)
    if not made.fits:
        return None, "Forecasts were not tried on a window: " + " ".join(made.warnings)
    later = orders.orders.filter(pl.col("day") > split)
    joined = made.members.join(later.group_by("member").agg(n=pl.len()), on="member", how="left")
    actual: Floats = joined["n"].fill_null(0).to_numpy().astype(np.float64)
    last = known.group_by("member", maintain_order=True).agg(pl.col("day").max())
    recency = (pl.Series([split]) - last["day"]).dt.total_days().to_numpy().astype(np.float64)
    silent, error = (actual == 0).astype(np.float64), made.expected_orders - actual
    total = float(actual.sum())
    return Validation(
        split=split,
        until=orders.as_of,
        members=members,
        model=made.fits[0].model.kind.label,
        predicted_orders=float(made.expected_orders.sum()),
        actual_orders=int(total),
        bias=float(made.expected_orders.sum()) / total - 1 if total else float("nan"),
        mae=float(np.abs(error).mean()),
        rmse=float(np.sqrt((error**2).mean())),
        auc=area_under_curve(made.no_order, silent),
        auc_recency=area_under_curve(recency, silent),
        brier=float(((made.no_order - silent) ** 2).mean()),
        brier_constant=float(silent.mean() * (1 - silent.mean())),
        churn=_groups(made.no_order, silent),
        weeks=_weeks(
            orders,
            made.members,
            split,
            [
                made.expected(known, split, Duration(w, TimeUnit.WEEK)).sum()
                for w in range(1, int(horizon.of(TimeUnit.WEEK)) + 1)
            ],
        ),
    ), ""


def area_under_curve(scores: Floats, events: Floats) -> float:
    """Return how often a member with the event has the higher score than one without, ties half (Mann & Whitney 1947); NaN without both."""
    from scipy.stats import rankdata

    yes = events > 0
    count = int(yes.sum())
    if count in {0, len(events)}:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[yes].sum() - count * (count + 1) / 2) / (count * (len(events) - count)))


def _groups(predicted: Floats, silent: Floats) -> tuple[ChurnGroup, ...]:
    order = np.argsort(predicted, kind="stable")
    return tuple(
        ChurnGroup(len(part), float(predicted[part].mean()), float(silent[part].mean()))
        for part in np.array_split(order, _GROUPS)
        if len(part)
    )


def _weeks(orders: Orders, members: pl.DataFrame, split: date, reached: Sequence[float]) -> tuple[Week, ...]:
    later = orders.orders.join(members, on="member").filter(pl.col("day") > split)
    found = []
    for number, total in enumerate(reached, start=1):
        begin, end = split + timedelta(days=7 * (number - 1)), split + timedelta(days=7 * number)
        actual = later.filter((pl.col("day") > begin) & (pl.col("day") <= end)).height
        found.append(Week(number, float(total - (reached[number - 2] if number > 1 else 0.0)), actual))
    return tuple(found)
