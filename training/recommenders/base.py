"""What every recommender of offers is, and the settings that several share."""

from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import Any, ClassVar, Protocol, Self

from training.bundle.history import HALF_LIVES
from training.bundle.scorers import WEIGHTINGS, AnyScorer, Weighting
from training.data.purchases import FitData

Parameter = str | int | float | bool


class SettingsTrial(Protocol):
    """Proposes settings; optuna's trials do, and a recommender asks for them by its own parameters' names."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Propose a number.

        Args:
            name: The parameter.
            low: Lowest value.
            high: Highest value.
            log: Whether to search on the logarithm.

        Returns:
            The proposal.
        """

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """Propose a whole number.

        Args:
            name: The parameter.
            low: Lowest value.
            high: Highest value.
            log: Whether to search on the logarithm.

        Returns:
            The proposal.
        """

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Propose one of the choices."""


class Recommender(ABC):
    """A way to score offers for members, with its settings; subclasses are frozen dataclasses.

    Fitting the same data with the same settings and seed gives the same scorer, bit for bit.

    Attributes:
        name: Stable name, used in model versions and on the wire.
        summary: One line for the model card.
        slow: Whether a fit takes much longer than a count.
        descent: Whether it learns by stochastic gradient descent, which takes many times longer still.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    slow: ClassVar[bool] = False
    descent: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def suggest(cls, trial: SettingsTrial) -> Self:
        """Return settings that a study proposes; the space holds the defaults."""

    @classmethod
    def starts(cls) -> tuple[Self, ...]:
        """Return the settings to try first: the defaults, and others that did well on data of another kind."""
        return (cls(),)

    @abstractmethod
    def fit(self, data: FitData, *, seed: int, threads: int = 1) -> AnyScorer:
        """Learn from histories.

        Args:
            data: Histories up to one moment.
            seed: Seed of everything random.
            threads: Threads that may be used; the result does not depend on it.

        Returns:
            The scorer.

        Raises:
            TrainingError: The data is too large for this method, with what to do about it.
        """

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Return the settings by name."""
        settings: Any = self
        return asdict(settings)


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
