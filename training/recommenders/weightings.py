"""Settings that recommenders share: how much a pair weighs by the age of its purchases."""

from training.bundle.history import HALF_LIVES
from training.bundle.scorers import WEIGHTINGS, Weighting


def decayed(half_life_days: float) -> Weighting:
    """Return the weighting of a half-life; 0 counts all trips alike."""
    return f"decayed_{half_life_days:g}" if half_life_days else "count"


def check_half_life(half_life_days: float) -> None:
    """Refuse a half-life that histories hold no column for.

    Raises:
        ValueError: It is neither 0 nor one of ``HALF_LIVES``.
    """
    if half_life_days not in {0.0, *HALF_LIVES}:
        known = ", ".join(f"{days:g}" for days in HALF_LIVES)
        raise ValueError(f"half_life_days == {half_life_days}, must be 0 or one of {known}.")


def check_weighting(weighting: Weighting) -> None:
    """Refuse a weighting that does not exist.

    Raises:
        ValueError: It is none of ``WEIGHTINGS``.
    """
    if weighting not in WEIGHTINGS:
        raise ValueError(f"weighting == {weighting!r}, must be one of {', '.join(WEIGHTINGS)}.")
