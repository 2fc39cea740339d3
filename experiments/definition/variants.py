"""Variants of an experiment, written one by one or as the cells of a factorial design."""

from typing import Annotated

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr

from experiments.definition.base import Part
from experiments.definition.fields import Identifier, Label

# Whole numbers cross the wire as 64 bits with a sign.
_WholeNumber = Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)]
ParameterValue = StrictStr | StrictBool | _WholeNumber | Annotated[StrictFloat, Field(allow_inf_nan=False)]
Weight = Annotated[int, Field(ge=0, le=1_000_000)]


class Variant(Part):
    """One arm of an experiment.

    Attributes:
        variant_id: Unique within the experiment; also its value in a table's variant column.
        weight: Share of the enrolled members, relative to the other weights; 0 closes the arm.
        name: What people call it, in reports; the id if empty.
        description: What a member in this arm gets.
        parameters: What the arm hands to the code that it steers.
    """

    variant_id: Label
    weight: Weight = 1
    name: str = ""
    description: str = ""
    parameters: dict[str, ParameterValue] = Field(default_factory=dict)

    @property
    def label(self) -> str:
        """What people call the variant."""
        return self.name or self.variant_id


class Level(Part):
    """One setting of a factor.

    Attributes:
        level_id: Unique within the factor.
        weight: Share of the enrolled members, relative to the factor's other levels.
        name: What people call it; the id if empty.
        parameters: What the level hands to the code that it steers.
    """

    level_id: Identifier
    weight: Annotated[int, Field(ge=1, le=1_000)] = 1
    name: str = ""
    parameters: dict[str, ParameterValue] = Field(default_factory=dict)

    @property
    def label(self) -> str:
        """What people call the level."""
        return self.name or self.level_id


class Factor(Part):
    """One thing that a factorial design varies, independently of its other factors.

    Attributes:
        factor_id: Unique within the experiment.
        name: What people call it; the id if empty.
        levels: At least two; the first is the one that the others are compared with.
    """

    factor_id: Identifier
    name: str = ""
    levels: Annotated[tuple[Level, ...], Field(min_length=2, strict=False)]

    @property
    def label(self) -> str:
        """What people call the factor."""
        return self.name or self.factor_id
