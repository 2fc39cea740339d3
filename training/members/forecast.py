"""What each member is expected to do next, and whether such forecasts hold.

Forecasts are of orders, of silence, of the value of an order, and of the value of the member. They are validated on a window that the models
did not see: fitted on the orders before it, judged by the orders in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from training.errors import TrainingError
from training.members.counts import CountFit, CountModelKind, fit_counts
from training.members.history import Duration, Floats, OrderHistory, TimeUnit
from training.members.orders import Orders, day_before, order_history
from training.members.rules import MemberRules
from training.members.spend import SpendFit, fit_spend

YEAR = Duration(365.0, TimeUnit.DAY)


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """Models of a programme's members and what they expect.

    Attributes:
        members: ``member``, sorted.
        fits: The models of counts, the one with the highest likelihood first; empty without a repeat order.
        spend: The model of spend; ``None`` where it could not be fitted or has no mean.
        expected_orders: float64[n], within the horizon; NaN without a model.
        no_order: float64[n], the probability that none comes within it.
        order_value: float64[n], what the next order is expected to bring.
        value: float64[n], margin expected within the value horizon.
        warnings: What could not be done, in sentences.
    """

    members: pl.DataFrame
    fits: tuple[CountFit, ...]
    spend: SpendFit | None
    expected_orders: Floats
    no_order: Floats
    order_value: Floats
    value: Floats
    warnings: tuple[str, ...]

    def expected(self, orders: pl.DataFrame, as_of: date, horizon: Duration) -> Floats:
        """Return float64[n], orders expected within another horizon; NaN without a model.

        Args:
            orders: One row per order, sorted.
            as_of: The last day that is observed.
            horizon: How far ahead.
        """
        _, history, _ = order_history(orders, as_of, TimeUnit.WEEK)
        return (
            self.fits[0].model.expected_orders(history, horizon)
            if self.fits
            else np.full(len(history), np.nan)
        )


def forecast(
    orders: pl.DataFrame, as_of: date, horizon: Duration, rules: MemberRules, value_horizon: Duration = YEAR
) -> Forecast:
    """Fit the models and apply them.

    BG/NBD and MBG/NBD are fitted with their limits (``fit_counts``), and the one with the higher likelihood serves. That is the NBD where
    nobody seems to leave, which a warning says.

    Args:
        orders: One row per order, sorted.
        as_of: The last day that is observed.
        horizon: Of expected orders and of silence.
        rules: Margin and discounting.
        value_horizon: Of value.

    Returns:
        The models and what they expect of each member.
    """
    members, history, repeat = order_history(orders, as_of, TimeUnit.WEEK)
    warnings: list[str] = []
    fits = _fitted(history, warnings)
    spend, order_value = _order_value(orders, history.repeats, repeat, warnings)
    missing = np.full(len(history), np.nan)
    expected = fits[0].model.expected_orders(history, horizon) if fits else missing
    silent = fits[0].model.no_order(history, horizon) if fits else missing
    until = fits[0].model.expected_orders(history, value_horizon) if fits else missing
    later = (1 + rules.yearly_discount) ** (-value_horizon.days / 2 / YEAR.days)
    return Forecast(
        members.select("member"),
        tuple(fits),
        spend,
        expected,
        silent,
        order_value,
        until * order_value * rules.margin_share * later,
        tuple(warnings),
    )


def _fitted(history: OrderHistory, warnings: list[str]) -> list[CountFit]:
    """Return the models of counts, the one with the highest likelihood first; ``None`` without a repeat order."""
    try:
        found = [fit_counts(kind, history) for kind in (CountModelKind.MBG_NBD, CountModelKind.BG_NBD)]
    except TrainingError as error:
        warnings += [error.message, "So expected orders, churn and customer lifetime value are not known."]
        return []
    by_kind = {fit.model.kind: fit for fit in found}
    fits = sorted(by_kind.values(), key=lambda fit: -fit.log_likelihood)
    if fits[0].model.kind is CountModelKind.NBD:
        warnings.append(
            "Nobody seems to leave, so the NBD serves: its churn is silence within the horizon alone."
        )
    return fits


def _order_value(
    orders: pl.DataFrame, repeats: Floats, repeat: Floats, warnings: list[str]
) -> tuple[SpendFit | None, Floats]:
    try:
        fit = fit_spend(repeats, repeat)
        known = np.where(np.isfinite(repeat) & (repeat > 0), repeats, 0.0)
        return fit, fit.model.expected_spend(known, np.nan_to_num(repeat))
    except TrainingError as error:
        warnings.append(f"{error.message} So the value of an order is each member's own mean.")
    mean = orders.group_by("member", maintain_order=True).agg(pl.col("value").mean())["value"]
    return None, mean.to_numpy().astype(np.float64)


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

    Args:
        orders: The orders.
        horizon: How far ahead.
        rules: Conventions of the programme.

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
        model=made.fits[0].model.label,
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
