"""What all parts of a definition share: types of names and texts, their patterns in words, and shares of members."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

PARTS_PER_MILLION = 1_000_000
"""Shares of members are whole parts per million."""

IDENTIFIER_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
LABEL_PATTERN = r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]{0,126}[^\s\x00-\x1f\x7f])?$"

Identifier = Annotated[str, Field(pattern=IDENTIFIER_PATTERN)]
"""A name that stands in file names and addresses."""
Label = Annotated[str, Field(pattern=LABEL_PATTERN)]
"""A name as other systems write it, for example the value of a table's variant column."""
Text = Annotated[str, Field(min_length=1)]
Ppm = Annotated[int, Field(ge=0, le=PARTS_PER_MILLION)]
"""A share in parts per million."""

PATTERN_WORDS = {
    IDENTIFIER_PATTERN: (
        "must consist of letters, digits, dots, underscores and hyphens, start with a letter or digit and have at"
        " most 128 characters"
    ),
    LABEL_PATTERN: "must have 1 to 128 characters, no control characters and no space at either end",
}


class DefinitionPart(BaseModel):
    """A part of a definition: frozen, strict, without unknown fields."""

    # Strict, so that no text becomes a number; enumerations and tuples alone accept what YAML has for them.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def share_bounds(weights: tuple[int, ...]) -> tuple[int, ...]:
    """Return the upper bounds, in parts per million, of adjacent ranges with the given relative weights.

    The first range starts at 0, the last ends at 1_000_000; inner bounds are rounded down.

    Args:
        weights: Whole numbers, in the order of the variants, at least one above 0; 0 makes an empty range.
    """
    total = sum(weights)
    bounds: list[int] = []
    running = 0
    for weight in weights:
        running += weight
        bounds.append(running * PARTS_PER_MILLION // total)
    return tuple(bounds)
