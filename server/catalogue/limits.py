"""Limits: how often, to whom, within which budget."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from server.catalogue.base import CataloguePart, Days, EventKind, Identifier, Money

MAX_COUNTED = 100
"""No cap and no contact policy counts further than this."""
DECISION = "decision"
"""The event that a cap counts unless it names a type of outcome."""

_ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class Cap(CataloguePart):
    """At most so many events for each member.

    Attributes:
        most: The event that would be one more closes the candidate.
        days: Within the last so many days; ever, if none.
        count: What is counted: ``decision`` or a type of outcome.
    """

    most: Annotated[int, Field(ge=1, le=MAX_COUNTED)]
    days: Days | None = None
    count: EventKind = DECISION


class Budget(CataloguePart):
    """What may be given away: reserved at the decision, committed at redemption, released when it expires.

    Attributes:
        money: At most so much in a period.
        units: At most so many in a period.
        period: How long until it starts anew; ``total`` never does. Periods begin at midnight of the catalogue's time
            zone, weeks on Monday.
        pacing: ``even`` lets out the budget hour by hour over the period: at any time at most its elapsed share, and
            always one hour's part ahead.
        first_day: When a paced total begins; the candidate's first day of validity if none.
        last_day: Its last day, included; the candidate's last day of validity if none.
        hold_days: After so many days without redemption a reservation is released.
    """

    money: Money | None = None
    units: Annotated[int, Field(ge=1, le=10**12)] | None = None
    period: Literal["total", "day", "week", "month"] = "total"
    pacing: Literal["none", "even"] = "none"
    first_day: date | None = None
    last_day: date | None = None
    hold_days: Days = 7.0

    @model_validator(mode="after")
    def _limits_something(self) -> "Budget":
        if self.money is None and self.units is None:
            raise ValueError("needs money or units; without either it limits nothing")
        if self.money is not None and self.money.amount <= 0:
            raise ValueError("money must be above 0")
        if self.first_day is not None and self.last_day is not None and self.first_day > self.last_day:
            raise ValueError(f"first_day {self.first_day} is after last_day {self.last_day}")
        return self


class ContactPolicy(CataloguePart):
    """At most so many contacts with a member: decisions that gave them something, *no action* excepted.

    Attributes:
        policy_id: Unique in the catalogue.
        channels: Counted over these together; over all outbound channels if empty.
        most: The contact that would be one more is not made.
        days: Within the last so many days.
    """

    policy_id: Identifier
    channels: tuple[Identifier, ...] = ()
    most: Annotated[int, Field(ge=1, le=MAX_COUNTED)]
    days: Days


class QuietHours(CataloguePart):
    """When not to disturb, in the member's time zone.

    Attributes:
        start: First minute of quiet, ``HH:MM``.
        end: First minute after it; before ``start`` if the quiet lasts over midnight.
        channels: Quiet on these; on all outbound channels if empty.
    """

    start: _ClockTime
    end: _ClockTime
    channels: tuple[Identifier, ...] = ()

    @model_validator(mode="after")
    def _lasts(self) -> "QuietHours":
        if self.start == self.end:
            raise ValueError("start and end are the same time; leave quiet hours out or name another end")
        return self


class CoolDown(CataloguePart):
    """A rest after the member said no.

    Attributes:
        outcome_types: What starts it.
        days: How long.
        scope: What rests: the candidate that was refused, its whole group, the channel (all of them, if nobody said which),
            or everything.
    """

    outcome_types: Annotated[tuple[EventKind, ...], Field(min_length=1)] = ("refusal", "unsubscribe")
    days: Days
    scope: Literal["candidate", "group", "channel", "everything"] = "candidate"
