"""What a refresh made, in plain values."""

from dataclasses import dataclass
from typing import Any

from training.evaluation import Estimate
from training.offers.result import estimate_json
from training.promotion import PromotionResult


@dataclass(frozen=True)
class Drift:
    """How the champion of before ranks the new purchases, which it has not seen.

    Attributes:
        metric: The metric that decides.
        value: What it reaches on them.
        cases: Members with a purchase that the task is about.
        days: Days of the new purchases; the fewer, the fewer truths each case has.
        judged: What it, or the version it goes back to, reached when it was judged, where that is known.
    """

    metric: str
    value: Estimate
    cases: int
    days: float
    judged: float | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "metric": self.metric,
            **estimate_json(self.value),
            "cases": self.cases,
            "days": self.days,
            "when_judged": self.judged,
        }


@dataclass(frozen=True)
class Added:
    """What was read and what entered.

    Attributes:
        rows: New purchases.
        left_out: Rows that the champion knows already: not later than its feature time.
        first_left_out: Place of the first of them in the table, from 1; 0 for none.
        members: Members that are new.
        products: Products that are new; new offers where offers are the products themselves.
        gap_days: Days from the feature time to the first new purchase.
    """

    rows: int
    left_out: int
    first_left_out: int
    members: int
    products: int
    gap_days: float


@dataclass(frozen=True)
class RefreshResult:
    """What a refresh made.

    Attributes:
        programme: Loyalty programme.
        task: What the model is for.
        model: Name of its recommender.
        version: The new version.
        refreshed_from: The champion that purchases were added to.
        evidence_from: The version whose evaluation stands for the new one.
        run_id: MLflow run.
        feature_time: The moment that the new version reaches to, RFC 3339 in UTC.
        known_until: The moment that the champion reached to.
        added: What entered.
        drift: How the champion ranks the new purchases; ``None`` where that cannot be measured.
        promotion: What the gate said.
    """

    programme: str
    task: str
    model: str
    version: str
    refreshed_from: str
    evidence_from: str
    run_id: str
    feature_time: str
    known_until: str
    added: Added
    drift: Drift | None
    promotion: PromotionResult

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain values."""
        added = self.added
        return {
            "programme": self.programme,
            "task": self.task,
            "model": self.model,
            "version": self.version,
            "refreshed_from": self.refreshed_from,
            "evidence_from": self.evidence_from,
            "run_id": self.run_id,
            "known_until": self.known_until,
            "feature_time": self.feature_time,
            "rows": added.rows,
            "rows_left_out": added.left_out,
            "new_members": added.members,
            "new_products": added.products,
            "gap_days": added.gap_days,
            "drift": None if self.drift is None else self.drift.to_json(),
            "promoted": self.promotion.promoted,
            "reason": self.promotion.reason,
        }
