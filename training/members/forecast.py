"""What each member is expected to do next: orders, silence, the value of an order, and what she is worth."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from training.errors import TrainingError
from training.member_value.history import Floats, OrderHistory
from training.members.counts import CountFit, CountModelKind, fit_counts
from training.members.history import Duration, TimeUnit
from training.members.orders import order_history
from training.members.rules import MemberRules
from training.members.spend import SpendFit, fit_spend

YEAR = Duration(365.0, TimeUnit.DAY)


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """Models of a programme's members and what they expect.

    Attributes:
        members: ``member``, sorted.
        fits: The models of counts that could be fitted, the better one first.
        spend: The model of spend; none where it could not be fitted or has no mean.
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
        """Return float64[n], orders expected within another horizon; NaN without a model."""
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

    BG/NBD and MBG/NBD are fitted, and the one with the higher likelihood serves (they have equally many parameters). Where neither has
    a fit, as where nobody ever leaves, the NBD serves, which is said.

    Args:
        orders: One row per order, sorted.
        as_of: The last day that is observed.
        horizon: Of expected orders and of silence.
        rules: Margin and discounting.
        value_horizon: Of value.
    """
    members, history, repeat = order_history(orders, as_of, TimeUnit.WEEK)
    warnings: list[str] = []
    fits = []
    for kind in (CountModelKind.MBG_NBD, CountModelKind.BG_NBD):
        try:
            fits.append(fit_counts(kind, history))
        except TrainingError as error:
            warnings.append(error.message)
    fits.sort(key=lambda fit: -fit.log_likelihood)
    if not fits:
        fits = _without_leaving(history, warnings)
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


def _without_leaving(history: OrderHistory, warnings: list[str]) -> list[CountFit]:
    try:
        fit = fit_counts(CountModelKind.NBD, history)
    except TrainingError:
        warnings.append("So expected orders, churn and customer lifetime value are not known.")
        return []
    warnings.append(
        "So the NBD serves, in which nobody ever leaves: its churn is silence within the horizon alone."
    )
    return [fit]


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
