"""How candidates are weighed against each other, and how much of the choice is left to chance."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from server.catalogue.base import CataloguePart, Identifier, Money, OptionalIdentifier, RuleText
from server.catalogue.candidates import Lever, Probability
from training.bundle import Task

OFFER_COUNT_LIMIT = 100
"""No placement answers with more offers than this."""

Factor = Literal["probability", "value", "context", "lever", "cost"]


class ContextWeight(CataloguePart):
    """Makes some candidates weigh more or less while a rule holds.

    Attributes:
        rule: In CEL; where it errs the weight does not apply.
        group_ids: The candidates of these groups, and of the groups in them; all candidates if empty.
        weight: They are multiplied by it; weights that apply together are multiplied with each other.
    """

    rule: RuleText
    group_ids: tuple[Identifier, ...] = ()
    weight: Lever


class Arbitration(CataloguePart):
    """The formula: probability × value × context weight × lever − cost, of which parts may be left out.

    Value is what a response earns, less what it costs and less its points liability.

    Attributes:
        arbitration_id: Unique in the catalogue.
        factors: The parts that count; the others count as 1, the cost as 0.
        context_weights: The context weights.
        default_probability: Where neither model nor candidate says how likely a response is.
        default_value: Where a candidate has no value; a candidate without one is refused if none is given.
        least_score: Candidates below it are not chosen; no limit if none.
    """

    arbitration_id: Identifier
    factors: Annotated[tuple[Factor, ...], Field(min_length=1)] = (
        "probability", "value", "context", "lever", "cost",
    )  # fmt: skip
    context_weights: tuple[ContextWeight, ...] = ()
    default_probability: Probability = 0.01
    default_value: Money | None = None
    least_score: float | None = None


class Exploration(CataloguePart):
    """How much of the choice is left to chance.

    At every rank each offer of the shortlist that is left is chosen with a probability of at least ``least_probability``.

    Attributes:
        method: ``epsilon`` takes the best, and in a share of choices any of the shortlist; ``softmax`` chooses in
            proportion to exp(score / temperature), rank after rank (Plackett-Luce); ``thompson`` in proportion to each
            offer's chance to be the best, given the evidence.
        share: At most so much of the probability is spread evenly over the shortlist: all of it by ``epsilon``,
            ``least_probability`` × shortlist by the others.
        shortlist: How many of the best come into question.
        least_probability: The floor of ``softmax`` and ``thompson``; share / shortlist if none.
        temperature: Of ``softmax``, in units of the standard deviation of the shortlist's scores.
        cold_places: So many places of the shortlist are for the best of those without evidence.
        mature_after: With so many decisions as evidence an offer is no longer cold.
        cold_share: Share of members, by hash, for whom a wholly new offer comes into question; grows with the evidence up
            to all members.
    """

    method: Literal["none", "epsilon", "softmax", "thompson"] = "none"
    share: Probability = 0.1
    shortlist: Annotated[int, Field(ge=1, le=200)] = 20
    least_probability: Probability | None = None
    temperature: Annotated[float, Field(gt=0, le=1000)] = 1.0
    cold_places: Annotated[int, Field(ge=0, le=100)] = 0
    mature_after: Annotated[int, Field(ge=1, le=10**9)] = 100
    cold_share: Annotated[float, Field(gt=0, le=1)] = 1.0

    @model_validator(mode="after")
    def _floor_fits(self) -> "Exploration":
        floor = self.floor * self.shortlist
        if floor > self.share * (1 + 1e-12):
            raise ValueError(
                f"least_probability {self.least_probability:g} × shortlist {self.shortlist} is {floor:g}, more than the"
                f" share {self.share:g}; lower one of them or raise the share"
            )
        if self.cold_places > self.shortlist:
            raise ValueError(
                f"cold_places {self.cold_places} are more than the shortlist's {self.shortlist} places"
            )
        return self

    @property
    def floor(self) -> float:
        """The probability that every offer of the shortlist has at least, at every rank."""
        return self.share / self.shortlist if self.least_probability is None else self.least_probability


Arm = Literal["random_eligible", "no_model", "no_levers", "no_personalisation", "holdout"]


class StandingArms(CataloguePart):
    """Small always-on slices of members, so that the lift of each part of the formula is known at any time.

    Attributes:
        period: For so long a member stays where they are; then they are drawn anew.
        traffic_ppm: Members in each arm, in parts per million. ``random_eligible`` chooses evenly among all that may be
            chosen, ``no_model`` takes every probability from the priors, ``no_levers`` counts levers and context weights
            as 1, ``no_personalisation`` ranks by what is popular, ``holdout`` gives nothing.
    """

    period: Literal["month", "quarter", "year"] = "month"
    traffic_ppm: dict[Arm, Annotated[int, Field(ge=1, le=500_000)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _leaves_members(self) -> "StandingArms":
        total = sum(self.traffic_ppm.values())
        if total > 500_000:
            raise ValueError(
                f"the arms take {total} of 1,000,000 members; at most half may be in standing arms"
            )
        return self


class Channel(CataloguePart):
    """How an answer travels.

    Attributes:
        channel_id: Unique in the catalogue.
        description: For people.
        outbound: Whether we turn to the member unasked; contact policies and quiet hours count such channels.
        purposes: What a member must have consented to on this channel.
    """

    channel_id: Identifier
    description: str = ""
    outbound: bool = False
    purposes: tuple[Identifier, ...] = ()


class Placement(CataloguePart):
    """Where an answer is shown.

    Attributes:
        placement_id: Unique in the catalogue.
        description: For people.
        decides: Whether offers or actions are chosen here.
        channels: How its answers travel. Offers take the one that the request names, else the first; actions compete over
            all of them. Empty where no channel matters.
        default_offer_count: Offers in an answer when the request names no number.
        max_offer_count: A request for more is cut to this.
        ranking: How offers are ranked when no experiment says otherwise.
        task: What the placement is for; says which model ranks, and which offers come into question for a member.
        arbitration: The arbitration that weighs; empty to rank by the model alone.
        exploration: What is left to chance when no experiment says otherwise.
        most_per_category: At most so many of one category in an answer; no limit if none.
        fallback_offer_ids: Fill the answer, in this order, where too little is left; they obey the same rules, and take no
            part otherwise.
        attribution_window_days: An outcome so long after a decision can be due to it.
    """

    placement_id: Identifier
    description: str = ""
    decides: Literal["offers", "actions"] = "offers"
    channels: tuple[Identifier, ...] = ()
    default_offer_count: Annotated[int, Field(ge=1, le=OFFER_COUNT_LIMIT)] = 3
    max_offer_count: Annotated[int, Field(ge=1, le=OFFER_COUNT_LIMIT)] = 10
    ranking: Literal["champion", "popular"] = "champion"
    task: Task = Task.REPLENISH
    arbitration: OptionalIdentifier = ""
    exploration: Exploration = Exploration()
    most_per_category: Annotated[int, Field(ge=1, le=OFFER_COUNT_LIMIT)] | None = None
    fallback_offer_ids: tuple[Identifier, ...] = ()
    attribution_window_days: Annotated[float, Field(gt=0, le=366)] = 14.0

    @model_validator(mode="after")
    def _default_fits(self) -> "Placement":
        if self.default_offer_count > self.max_offer_count:
            raise ValueError(
                f"default_offer_count {self.default_offer_count} is above max_offer_count {self.max_offer_count}"
            )
        return self
