"""Splits by week: train, choose on validation, refit, and leave the rest alone."""

from dataclasses import dataclass

import polars as pl

from training.data.dataset import OfferDataset
from training.data.interactions import Interactions, build_interactions, guard_weeks
from training.errors import HeldOutRowsError
from training.evaluation.window import ValidationWindow, build_window


@dataclass(frozen=True, slots=True)
class WeekSplit:
    """Which weeks a training job may use, and for what.

    Weeks after ``validate_until`` are held out: only a replay of the finished bundle may touch them.

    Attributes:
        train_until: Last week of the first fit.
        validate_until: Last week of the validation window, and of the refit.

    Raises:
        ValueError: The validation window is empty.
    """

    train_until: int = 45
    validate_until: int = 49

    def __post_init__(self) -> None:
        if not self.train_until < self.validate_until:
            raise ValueError(f"validate_until == {self.validate_until}, must be > {self.train_until}.")

    @property
    def refit_until(self) -> int:
        """Last week any fit may see."""
        return self.validate_until

    def describe(self) -> str:
        """Return the split in words, for tags and notes."""
        return (
            f"train weeks <= {self.train_until}, validate {self.train_until + 1}-{self.validate_until}, "
            f"refit <= {self.refit_until}"
        )

    def interactions(self, dataset: OfferDataset, until_week: int) -> Interactions:
        """Return the purchases of weeks up to ``until_week``, coded for a fit.

        Raises:
            HeldOutRowsError: ``until_week`` lies beyond the refit end.
        """
        if until_week > self.refit_until:
            raise HeldOutRowsError(
                f"A fit up to week {until_week} would see weeks that are held out (after {self.refit_until}).",
                week=str(until_week),
                last_week=str(self.refit_until),
            )
        return build_interactions(dataset, self.visible(dataset.purchases, until_week), until_week)

    def window(self, dataset: OfferDataset) -> ValidationWindow:
        """Return the trips of the validation window."""
        purchases = self.visible(dataset.purchases, self.validate_until)
        guard_weeks(purchases, self.refit_until)
        return build_window(dataset, purchases, self.train_until + 1, self.validate_until)

    @staticmethod
    def visible(purchases: pl.DataFrame, until_week: int) -> pl.DataFrame:
        """Return the rows of weeks up to ``until_week``."""
        return purchases.filter(pl.col("week") <= until_week)
