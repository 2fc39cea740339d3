"""Refreshing the champion: purchases since its feature time enter it without the rows of the past."""

from training.offers.refresh_job import refresh_model
from training.refreshing.result import RefreshResult

__all__ = ["RefreshResult", "refresh_model"]
