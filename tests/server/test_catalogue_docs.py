"""The page about the catalogue: its example is sound and complete, and no field is missing from its words."""

import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from server.catalogue import (
    MOMENT_ATTRIBUTES,
    PROFILE_ATTRIBUTES,
    Catalogue,
    candidates,
    limits,
    model,
    policy,
)
from server.catalogue.diff import FILE_ACTOR
from server.catalogue.load import parse_catalogue

PAGE = (Path(__file__).parents[2] / "docs" / "catalogue.md").read_text(encoding="utf-8")
EXAMPLE = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
FIELDS = sorted(
    {
        field
        for module in (candidates, limits, model, policy)
        for part in vars(module).values()
        if isinstance(part, type) and issubclass(part, BaseModel)
        for field in part.model_fields
    }
)


def test_the_example() -> None:
    """The one example is a sound catalogue, and uses every list and setting of a catalogue."""
    (text,) = EXAMPLE
    document = yaml.safe_load(text)

    parse_catalogue(document, "docs/catalogue.md")

    assert Catalogue.model_fields.keys() - document.keys() == {"note"}


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_is_told(field: str) -> None:
    """Each field of the model stands on the page."""
    assert re.search(rf"\b{field}\b", PAGE)


@pytest.mark.parametrize("name", [*PROFILE_ATTRIBUTES, *MOMENT_ATTRIBUTES])
def test_every_attribute_is_told(name: str) -> None:
    """Each attribute that is built in stands on the page."""
    assert re.search(rf"\b{name}\b", PAGE)


def test_the_actor_of_files() -> None:
    """The page names the actor that the trail has for the configured file."""
    assert f"by the actor `{FILE_ACTOR}`" in PAGE
