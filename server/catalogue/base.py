"""What every part of the catalogue is made of: strict immutable models, identifiers, money, rules."""

from decimal import Decimal
from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")]
OptionalIdentifier = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9._:-]{0,127})?$")]
"""An identifier, or empty for none."""
RuleText = Annotated[str, StringConstraints(max_length=15_000)]
"""A rule in CEL over the catalogue's attributes; empty for none. What is supported stands in ``experiments.rules``."""
Days = Annotated[float, Field(gt=0, le=3660)]
EventKind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""``decision``, or a type of outcome such as ``impression`` or ``redemption``."""


_CENTS = Decimal("0.01")


@cache
def time_zones() -> frozenset[str]:
    """Return the IANA names of all time zones; listed once, for to list them takes 45 ms."""
    return frozenset(available_timezones())


class CataloguePart(BaseModel):
    """Base of all parts of the catalogue."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Money(CataloguePart):
    """An amount of money.

    Attributes:
        amount: Decimal number with at most nine digits after the point; written as text in YAML to stay exact.
        currency_code: ISO 4217 code, for example ``USD``.
    """

    amount: Annotated[Decimal, Field(decimal_places=9, max_digits=18)]
    currency_code: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]

    @field_validator("amount")
    @classmethod
    def _in_one_spelling(cls, value: Decimal) -> Decimal:
        # 1.5 and 1.50 are equal, so catalogues with either must have one revision.
        cents = value.quantize(_CENTS)
        return (cents if cents == value else value.normalize()) + 0
