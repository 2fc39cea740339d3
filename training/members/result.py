"""What the job for members found, as one document, as metrics of its run, and in words."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import polars as pl

from experiments.display import Displayed
from experiments.number_format import count_of
from training.members.counts import CountFit, CountModel
from training.members.descriptions import PromoterScore
from training.members.forecast import Forecast, Validation
from training.members.history import Duration
from training.members.orders import Orders
from training.members.spend import SpendFit, SpendModel


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TrainMembersResult(Displayed):
    """The result of the job.

    Attributes:
        table: The member table.
        path: Where it was written.
        orders: What it is made of.
        horizon: Of expected orders and churn.
        found: The models.
        validation: How they did on a window they did not see; ``None`` if they were not tried.
        movements: Between stages over the last horizon: ``before``, ``after``, ``members``.
        repurchase: Within 30, 60 and 90 days.
        promoters: The net promoter score; ``None`` without survey answers.
        warnings: What the reader should know.
        run_id: MLflow run.
        experiment_name: Its experiment.
        tracking_uri: Address of the store.
    """

    table: pl.DataFrame
    path: str
    orders: Orders
    horizon: Duration
    found: Forecast
    validation: Validation | None
    movements: pl.DataFrame
    repurchase: pl.DataFrame
    promoters: PromoterScore | None
    warnings: tuple[str, ...]
    run_id: str
    experiment_name: str
    tracking_uri: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "members": self.table.height,
            "orders": int(self.table["orders"].sum()),
            "as_of": self.orders.as_of.isoformat(),
            "horizon_days": self.horizon.days,
            "table": self.path,
            "columns": {name: str(kind) for name, kind in self.table.schema.items()},
            "models": {fit.model.kind.value: _fit(fit) for fit in self.found.fits},
            "spend_model": None if self.found.spend is None else _fit(self.found.spend),
            "serving": self.found.fits[0].model.kind.value if self.found.fits else None,
            "validation": None if self.validation is None else _plain(asdict(self.validation)),
            "segments": _counts(self.table["rfm_segment"]),
            "lifecycle": _counts(self.table["lifecycle_stage"]),
            "tiers": _counts(self.table["tier"]) if "tier" in self.table.columns else None,
            "movements": self.movements.to_dicts(),
            "repurchase": self.repurchase.to_dicts(),
            "net_promoter_score": None if self.promoters is None else asdict(self.promoters),
            "totals": {name: float(self.table[name].sum()) for name in ("spend", "expected_orders", "clv")},
            "dropped": dict(self.orders.dropped),
            "warnings": list(self.warnings),
            "run": {
                "run_id": self.run_id,
                "experiment": self.experiment_name,
                "tracking_uri": self.tracking_uri,
            },
        }

    def to_polars(self) -> pl.DataFrame:
        """Return the member table."""
        return self.table

    def summary(self) -> str:
        """Return the result for a terminal."""
        days = f"{self.horizon.days:g} days"
        lines = [
            f"{count_of(self.table.height, 'member')} until {self.orders.as_of}, written to {self.path}."
        ]
        if self.found.fits:
            expected, churn = self.found.expected_orders.sum(), self.found.no_order.mean()
            lines.append(
                f"Next {days}, by {self.found.fits[0].model.label}: {expected:,.0f} orders expected; {churn:.0%} of members order"
                " nothing."
            )
        if self.validation is not None:
            one = self.validation
            lines.append(
                f"Tried on {one.split} to {one.until}: {one.predicted_orders:,.0f} orders predicted, {one.actual_orders:,} came"
                f" ({one.bias:+.1%}); churn AUC {one.auc:.3f} (recency alone {one.auc_recency:.3f}), Brier {one.brier:.3f}"
                f" ({one.brier_constant:.3f} without a model)."
            )
        stages = _counts(self.table["lifecycle_stage"])
        lines.append("Stages: " + ", ".join(f"{name} {count:,}" for name, count in stages.items()) + ".")
        lines += [f"  ! {warning}" for warning in self.warnings]
        lines.append(f"Compare runs: mlflow ui --backend-store-uri {self.tracking_uri}")
        return "\n".join(lines)


def metrics_of(found: Forecast, validation: Validation | None) -> dict[str, float]:
    """Return numbers for the run."""
    metrics: dict[str, float] = {}
    for fit in found.fits:
        metrics |= _finite(
            fit.model.kind.value, fit.model, ("r", "alpha", "a", "b", "rate", "dropout", "at_once")
        ) | {f"{fit.model.kind.value}/log_likelihood": fit.log_likelihood}
    if found.spend is not None:
        names = ("p", "q", "gamma", "mean", "scale")
        metrics |= _finite("gamma_gamma", found.spend.model, names)
        metrics["gamma_gamma/log_likelihood"] = found.spend.log_likelihood
    if validation is not None:
        metrics |= {
            f"validation/{name}": float(getattr(validation, name))
            for name in ("bias", "mae", "rmse", "auc", "auc_recency", "brier", "brier_constant")
        }
    return metrics


def _finite(prefix: str, model: CountModel | SpendModel, names: Sequence[str]) -> dict[str, float]:
    """Return the parameters that a model has; those of a limit are infinite or not there."""
    values = {name: getattr(model, name) for name in names}
    return {
        f"{prefix}/{name}": value for name, value in values.items() if value is not None and isfinite(value)
    }


def _fit(fit: CountFit | SpendFit) -> dict[str, Any]:
    plain: dict[str, Any] = _plain(asdict(fit))
    return plain


def _counts(values: pl.Series) -> dict[str, int]:
    counts = values.alias("name").value_counts().sort("count", "name", descending=[True, False])
    return dict(counts.iter_rows())


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None  # noqa: PLR0124  # NaN
    return value.isoformat() if hasattr(value, "isoformat") else value
