"""What every recommender of offers is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, ClassVar, Self

from training.bundle import OfferModel
from training.data.interactions import Interactions


class Recommender(ABC):
    """A way to score offers for members, with its settings; subclasses are frozen dataclasses.

    Fitting the same interactions with the same settings and seed gives the same model, bit for bit. A member about
    whom the recommender knows nothing is absent from the model and gets popular offers.

    Attributes:
        name: Stable name, used in model versions and on the wire.
        summary: One line for the model card.
        slow: Whether a fit takes tens of seconds on a year of purchases; a job starts these first.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    slow: ClassVar[bool] = False

    @classmethod
    def grid(cls) -> Sequence[Self]:
        """Return the settings to compare on the validation window, in the order in which ties are resolved."""
        return (cls(),)

    @abstractmethod
    def fit(self, interactions: Interactions, *, seed: int) -> OfferModel:
        """Learn from purchases.

        Args:
            interactions: Purchases up to one moment.
            seed: Seed of everything random.
        """

    @property
    def parameters(self) -> dict[str, str | int | float | bool]:
        """Return the settings by name."""
        settings: Any = self
        return asdict(settings)
