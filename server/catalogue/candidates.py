"""What can be chosen: offers and actions, and the groups whose rules they inherit."""

from abc import abstractmethod
from datetime import date
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, model_validator

from server.catalogue.base import CataloguePart, Identifier, Money, OptionalIdentifier, RuleText
from server.catalogue.limits import Budget, Cap

NO_ACTION: Final = "no_action"
"""The action that is always possible, costs nothing and earns nothing; also its kind."""

Lever = Annotated[float, Field(gt=0, le=1000)]
Probability = Annotated[float, Field(ge=0, le=1)]
_Title = Annotated[str, StringConstraints(max_length=500)]
_Reference = Annotated[str, StringConstraints(max_length=2_000)]
"""Titles and references travel with every answer, up to 100 in one."""


class Limited(CataloguePart):
    """What groups hand down to their members and candidates add to.

    A candidate must pass its own rules and those of all its groups; caps and budgets of a group are counted over the whole
    group; levers are multiplied.

    Attributes:
        eligible: May they have it, by law and contract? In CEL.
        applicable: Does it make sense now?
        suitable: Is it good for them?
        purposes: What they must have consented to on the channel.
        caps: How often for each member.
        budgets: How much altogether.
        lever: Priority set by people; 1 changes nothing.
    """

    eligible: RuleText = ""
    applicable: RuleText = ""
    suitable: RuleText = ""
    purposes: tuple[Identifier, ...] = ()
    caps: tuple[Cap, ...] = ()
    budgets: tuple[Budget, ...] = ()
    lever: Lever = 1.0


class Group(Limited):
    """Offers and actions that share rules and limits.

    Attributes:
        group_id: Unique in the catalogue.
        parent_id: The group that this one belongs to, or empty.
        description: For people.
    """

    group_id: Identifier
    parent_id: OptionalIdentifier = ""
    description: str = ""


class Candidate(Limited):
    """An offer or an action.

    Attributes:
        title: For people, at most 500 characters.
        description: For people.
        group_id: Its group, or empty.
        category: What diversity counts by; its group if empty.
        valid_from: First day of validity, in the catalogue's time zone.
        valid_until: Last day of validity, included.
        channels: How it may travel; on every channel if empty.
        placements: Where it may be shown; everywhere if empty.
        value: What a response earns, before what it costs.
        cost: What giving it costs, whether there is a response or not.
        response_cost: What a response costs; the discount of an offer that has one, else nothing, if it is left out.
        points_liability: The worth of the points that a response adds.
        inventory: How many there are in all; no limit if none.
        prior_probability: How likely a response is while there is no evidence; the arbitration's if none.
        prior_evidence: For how many decisions the prior counts.
        creative: Reference to what is shown, at most 2,000 characters.
        attributes: Further facts, for reports.
    """

    title: _Title = ""
    description: str = ""
    group_id: OptionalIdentifier = ""
    category: str = ""
    valid_from: date = date.min
    valid_until: date = date.max
    channels: tuple[Identifier, ...] = ()
    placements: tuple[Identifier, ...] = ()
    value: Money | None = None
    cost: Money | None = None
    response_cost: Money | None = None
    points_liability: Money | None = None
    inventory: Annotated[int, Field(ge=0, le=10**12)] | None = None
    prior_probability: Probability | None = None
    prior_evidence: Annotated[float, Field(gt=0, le=10**9)] = 100.0
    creative: _Reference = ""
    attributes: dict[str, str | int | float | bool] = Field(default_factory=dict)

    @property
    @abstractmethod
    def candidate_id(self) -> str:
        """The id of the offer or action."""

    @model_validator(mode="after")
    def _window_is_open(self) -> "Candidate":
        if self.valid_from > self.valid_until:
            raise ValueError(f"valid_from {self.valid_from} is after valid_until {self.valid_until}")
        return self


class Offer(Candidate):
    """Something the programme can give.

    Attributes:
        offer_id: Unique in the catalogue, among offers and actions.
        kind: What it is.
        discount: What it takes off, if known.
    """

    offer_id: Identifier
    kind: Literal["coupon", "discount", "points_multiplier", "perk", "product"] = "coupon"
    discount: Money | None = None

    @property
    def candidate_id(self) -> str:
        """The id of the offer."""
        return self.offer_id


class Action(Candidate):
    """What to do next for a member.

    Attributes:
        action_id: Unique in the catalogue, among offers and actions.
        kind: What it is.
    """

    action_id: Identifier
    kind: Literal[
        "welcome", "care", "cross_sell", "tier_nudge", "points_expiry_reminder", "win_back", "referral",
        "review_request", "survey", "no_action",
    ]  # fmt: skip

    @property
    def candidate_id(self) -> str:
        """The id of the action."""
        return self.action_id
