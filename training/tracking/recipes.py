"""What a run keeps so that its model can be fitted again: both ends of both files live here."""

import json
from dataclasses import fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from training.data.calendar import Calendar
from training.errors import TrainingError
from training.offers.recipe import Known, Recipe

RECIPE_FILE = "recipe.json"
KNOWN_FILE = "known.npz"


def write_recipe(folder: Path, recipe: Recipe, known: Known) -> None:
    """Write a recipe, and what is known of members, products and offers, into a folder."""
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
