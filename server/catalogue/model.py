"""The catalogue: offers and placements, checked at construction, with a revision that names its content."""

import hashlib
import json
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from training.bundle import Task

OFFER_COUNT_LIMIT = 100
"""No placement answers with more offers than this."""

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Money(_Model):
    """An amount of money.

    Attributes:
        amount: Decimal number with at most nine digits after the point; written as text in YAML to stay exact.
        currency_code: ISO 4217 code, for example ``USD``.
    """

    amount: Annotated[Decimal, Field(decimal_places=9, max_digits=18)]
    currency_code: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class Placement(_Model):
    """Where an answer is shown.

    Attributes:
        placement_id: Unique in the catalogue.
        description: For people.
        default_offer_count: Offers in an answer when the request names no number.
        max_offer_count: A request for more is cut to this.
        ranking: How offers are ranked when no experiment says otherwise.
        task: What the placement is for; says which model ranks, and which offers come into question for a member.
    """

    placement_id: Identifier
    description: str = ""
    default_offer_count: Annotated[int, Field(ge=1, le=OFFER_COUNT_LIMIT)] = 3
    max_offer_count: Annotated[int, Field(ge=1, le=OFFER_COUNT_LIMIT)] = 10
    ranking: Literal["champion", "popular"] = "champion"
    task: Task = Task.REPLENISH

    @model_validator(mode="after")
    def _default_fits(self) -> "Placement":
        if self.default_offer_count > self.max_offer_count:
            raise ValueError(
                f"default_offer_count {self.default_offer_count} is above max_offer_count {self.max_offer_count}"
            )
        return self


class Offer(_Model):
    """Something the programme can give.

    Attributes:
        offer_id: Unique in the catalogue.
        title: For people.
        kind: What it is.
        valid_from: First day of validity, in the catalogue's time zone.
        valid_until: Last day of validity, included.
        discount: What it takes off, if known.
        placements: Where it may be shown; everywhere if empty.
        attributes: Further facts, for reports.
    """

    offer_id: Identifier
    title: str = ""
    kind: Literal["coupon", "discount", "points_multiplier", "perk", "product"] = "coupon"
    valid_from: date = date.min
    valid_until: date = date.max
    discount: Money | None = None
    placements: tuple[Identifier, ...] = ()
    attributes: dict[str, str | int | float | bool] = {}

    @model_validator(mode="after")
    def _window_is_open(self) -> "Offer":
        if self.valid_from > self.valid_until:
            raise ValueError(f"valid_from {self.valid_from} is after valid_until {self.valid_until}")
        return self


class Catalogue(_Model):
    """All offers and placements of one programme.

    Attributes:
        programme: The loyalty programme.
        time_zone: IANA name of the zone in which days begin and end.
        note: A rule that shaped the catalogue, for reports.
        placements: At least one.
        offers: In the order that breaks ties.
    """

    programme: Identifier = "default"
    time_zone: str = "UTC"
    note: str = ""
    placements: Annotated[tuple[Placement, ...], Field(min_length=1)]
    offers: tuple[Offer, ...]

    @field_validator("time_zone")
    @classmethod
    def _zone_is_known(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is not an IANA time zone such as America/New_York")
        return value

    @model_validator(mode="after")
    def _ids_are_unique_and_known(self) -> "Catalogue":
        placement_ids = {placement.placement_id for placement in self.placements}
        if len(placement_ids) < len(self.placements):
            raise ValueError("two placements have the same placement_id")
        seen: set[str] = set()
        for offer in self.offers:
            if offer.offer_id in seen:
                raise ValueError(f"offer_id {offer.offer_id!r} is there twice")
            seen.add(offer.offer_id)
            if unknown := set(offer.placements) - placement_ids:
                raise ValueError(f"offer {offer.offer_id!r} names unknown placements {sorted(unknown)}")
        return self

    @cached_property
    def revision(self) -> str:
        """Names the content: equal catalogues have equal revisions."""
        content = json.dumps(
            self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        return "catalogue-" + hashlib.sha256(content.encode()).hexdigest()[:12]

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone in which days begin and end."""
        return ZoneInfo(self.time_zone)

    @cached_property
    def placements_by_id(self) -> dict[str, Placement]:
        """Placements by id."""
        return {placement.placement_id: placement for placement in self.placements}

    @cached_property
    def offers_by_id(self) -> dict[str, Offer]:
        """Offers by id."""
        return {offer.offer_id: offer for offer in self.offers}

    @cached_property
    def _first_days(self) -> npt.NDArray[np.int64]:
        return np.array([offer.valid_from.toordinal() for offer in self.offers], dtype=np.int64)

    @cached_property
    def _last_days(self) -> npt.NDArray[np.int64]:
        return np.array([offer.valid_until.toordinal() for offer in self.offers], dtype=np.int64)

    def eligible(self, placement_id: str, day: date) -> npt.NDArray[np.int64]:
        """Return the positions of the offers that may be shown at the placement on the day, in catalogue order."""
        ordinal = day.toordinal()
        valid = np.flatnonzero((self._first_days <= ordinal) & (ordinal <= self._last_days))
        shown = [
            position
            for position in valid.tolist()
            if not self.offers[position].placements or placement_id in self.offers[position].placements
        ]
        return np.array(shown, dtype=np.int64)
