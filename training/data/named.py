"""Data sets by name."""

from collections.abc import Callable

from training.data import complete_journey
from training.data.dataset import OfferDataset
from training.errors import DatasetError

DATASETS: dict[str, Callable[[], OfferDataset]] = {"complete-journey": complete_journey.load}


def load_dataset(name: str) -> OfferDataset:
    """Load a data set that comes with an installed package.

    Raises:
        DatasetError: There is none of this name, or it cannot be read.
    """
    try:
        load = DATASETS[name]
    except KeyError:
        raise DatasetError(
            f"There is no data set {name!r}; there is {', '.join(DATASETS)}.", dataset=name
        ) from None
    return load()
