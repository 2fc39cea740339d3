"""How a model was put together, so that it can be fitted again on more purchases without the rows of the past."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from training.bundle.encoding import AttributeCodes
from training.data.histories import Calendar
from training.data.purchases import Attributes, Purchases
from training.errors import TrainingError
from training.recommenders import RECOMMENDERS, Recommender, SeasonalPopularity
from training.recommenders.base import Parameter
from training.recommenders.frequency import CategoryFrequency
from training.tracking.registry import ModelRegistry, RegisteredVersion

_FORMAT = 1
_KINDS: dict[str, type[Recommender]] = {**RECOMMENDERS, CategoryFrequency.name: CategoryFrequency}


class Kind(StrEnum):
    """How the parts of a model make up the whole."""

    SINGLE = "single"
    """One recommender."""
    MIXTURE = "mixture"
    """A weighted sum of recommenders on one scale."""
    RANKER = "ranker"
    """Trees over recommenders."""


@dataclass(frozen=True)
class RecipePart:
    """One recommender of the first stage.

    Attributes:
        name: Name within the model.
        recommender: Name of its kind.
        parameters: Its settings.
        weight: Its weight in a mixture, on the scale of its spread; 0 elsewhere.
        quota: How many candidates it nominates for the shortlist of a ranker; 0 elsewhere.
    """

    name: str
    recommender: str
    parameters: Mapping[str, Parameter]
    weight: float = 0.0
    quota: int = 0

    @classmethod
    def of(cls, name: str, settings: Recommender, *, weight: float = 0.0, quota: int = 0) -> Self:
        """Describe a recommender with its settings.

        Args:
            name: Of the recommender.
            settings: The settings.
            weight: Its weight in the mixture.
            quota: How many offers it nominates.

        Returns:
            The description.
        """
        return cls(name, settings.name, settings.parameters, weight, quota)

    def settings(self) -> Recommender:
        """Return the recommender that this part describes.

        Raises:
            TrainingError: This Troth has no such recommender, or it has other settings.
        """
        kind = _KINDS.get(self.recommender)
        if kind is None:
            raise TrainingError(f"There is no recommender {self.recommender!r} any more: train once.")
        try:
            return kind(**self.parameters)
        except (TypeError, ValueError) as error:
            raise TrainingError(
                f"The settings of {self.name} are none of this Troth ({error}): train once."
            ) from error


@dataclass(frozen=True)
class Recipe:
    """What to fit, and how to put it together.

    Attributes:
        kind: What the parts make up.
        parts: The first stage; of a ranker the lead first.
        seed: Seed of everything random.
        has_times: Whether the times of purchases are known.
        product_codes: How attributes of products become numbers.
        features: What the columns were that the trees of a ranker learned from; empty elsewhere.
    """

    kind: Kind
    parts: tuple[RecipePart, ...]
    seed: int
    has_times: bool
    product_codes: AttributeCodes
    features: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as plain values."""
        return {"format": _FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, document: Any) -> Self:
        """Read what ``to_json`` returned.

        Raises:
            TrainingError: It is none of this format.
        """
        try:
            if document["format"] != _FORMAT:
                raise TrainingError(
                    f"The recipe has format {document['format']!r}, not {_FORMAT}: train once."
                )
            codes = document["product_codes"]
            return cls(
                Kind(document["kind"]),
                tuple(RecipePart(**part) for part in document["parts"]),
                int(document["seed"]),
                bool(document["has_times"]),
                AttributeCodes(tuple(codes["names"]), tuple(tuple(values) for values in codes["values"])),
                tuple(document["features"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise TrainingError(f"The recipe of the model is damaged ({error}): train once.") from error


@dataclass(frozen=True, eq=False)
class Known:
    """What a fit looks at beside histories, in the order of a bundle's ids.

    Attributes:
        members: float32[members, attributes], -1 for unknown.
        products: float32[products, attributes], -1 for unknown.
        product_categories: int32[products], the category of each product, or -1.
        categories: int32[offers], the category of each offer, or -1.
        calendar: Trips by day over the last year; kept where a part of the model looks at seasons.
    """

    members: npt.NDArray[np.float32]
    products: npt.NDArray[np.float32]
    product_categories: npt.NDArray[np.int32]
    categories: npt.NDArray[np.int32]
    calendar: Calendar | None = None

    @classmethod
    def of(cls, purchases: Purchases, recipe: Recipe, moment: float) -> Self:
        """Gather what the parts of a recipe look at beside the histories.

        Args:
            purchases: Everything that was bought.
            recipe: How the model was put together.
            moment: Days since 1970.

        Returns:
            What was known at the moment.
        """
        seasonal = any(part.recommender == SeasonalPopularity.name for part in recipe.parts)
        return cls(
            purchases.members.table,
            purchases.products.table,
            purchases.product_categories,
            purchases.categories,
            Calendar.of(purchases.rows, moment) if seasonal else None,
        )

    def member_attributes(self, codes: AttributeCodes) -> Attributes:
        """Return the members' attributes with what their numbers mean."""
        return Attributes(codes, self.members)

    def product_attributes(self, codes: AttributeCodes) -> Attributes:
        """Return the products' attributes with what their numbers mean."""
        return Attributes(codes, self.products)


def recipe_of(
    kind: Kind, parts: Sequence[RecipePart], purchases: Purchases, seed: int, features: Sequence[str] = ()
) -> Recipe:
    """Write down how a model was fitted on purchases.

    Args:
        kind: How the parts are put together.
        parts: The recommenders with their settings.
        purchases: Everything that was bought.
        seed: Of everything random.
        features: Names of features.

    Returns:
        The recipe.
    """
    return Recipe(kind, tuple(parts), seed, purchases.has_times, purchases.products.codes, tuple(features))


RECIPE_FILE = "recipe.json"
KNOWN_FILE = "known.npz"


def write_recipe(folder: Path, recipe: Recipe, known: Known) -> None:
    """Write a recipe, and what is known of members, products and offers, into a folder.

    Args:
        folder: Where to.
        recipe: How the model was put together.
        known: What is known of ids.
    """
    text = json.dumps(recipe.to_json(), indent=2, ensure_ascii=False)
    (folder / RECIPE_FILE).write_text(text + "\n", encoding="utf-8")
    calendar = known.calendar
    seasons = (
        {} if calendar is None else {f"calendar_{name}": array for name, array in vars(calendar).items()}
    )
    np.savez_compressed(
        folder / KNOWN_FILE,
        members=known.members,
        products=known.products,
        product_categories=known.product_categories,
        categories=known.categories,
        **seasons,
    )


def read_recipe(recipe: Path, known: Path) -> tuple[Recipe, Known]:
    """Read what ``write_recipe`` wrote.

    Raises:
        TrainingError: A file is damaged or of another format.
    """
    try:
        document = json.loads(recipe.read_text(encoding="utf-8"))
        with np.load(known, allow_pickle=False) as file:
            names = [f"calendar_{part.name}" for part in fields(Calendar)]
            found = Known(
                file["members"],
                file["products"],
                file["product_categories"],
                file["categories"],
                Calendar(*(file[name] for name in names)) if names[0] in file else None,
            )
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise TrainingError(f"The recipe of the model is damaged ({error}): train once.") from error
    return Recipe.from_json(document), found


def recipe_of_version(registry: ModelRegistry, version: RegisteredVersion) -> tuple[Recipe, Known] | None:
    """Return how to fit a registered version again, or ``None`` where that was not kept.

    Raises:
        TrainingError: What was kept is damaged.
    """
    with registry.files(version, RECIPE_FILE, KNOWN_FILE) as kept:
        return None if kept is None else read_recipe(*kept)
