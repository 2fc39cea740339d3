"""The four groups of members by what a treatment does to them, each claimed only where held-out outcomes show it.

A model puts each member into one group by her predicted effect and her predicted outcome without treatment:

* *persuadables*: the predicted effect is above what a treatment costs, and not small;
* *sleeping dogs*: the predicted effect is below zero;
* *sure things* and *lost causes*: the effect is between, and the outcome without treatment is at least, or below, the average.

A prediction is no evidence. What counts is the actual average effect among the members predicted to be in the group, by doubly
robust scores of models that did not see their outcomes, with an interval that is shared among the groups (Bonferroni):

* persuadables are confirmed if the interval's lower end is above what a treatment costs;
* sleeping dogs only if its upper end is below zero;
* sure things and lost causes if its upper end is below what is small or a treatment's cost, and their outcome without treatment is
  above, or below, everybody's by more than chance.

In every other case the answer is "no evidence", and the sentence says what these members gained in fact.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from experiments.effects.description import FeatureDifference, describe, in_words
from experiments.uplift.estimate import Estimate, mean_estimate
from experiments.uplift.trial import Bools, Floats

_SMALL = 0.25


class GroupName(StrEnum):
    """What members of a group are like."""

    PERSUADABLES = "persuadables"
    SURE_THINGS = "sure things"
    LOST_CAUSES = "lost causes"
    SLEEPING_DOGS = "sleeping dogs"


@dataclass(frozen=True, slots=True)
class EffectGroup:
    """Members predicted to be in a group, and whether the trial confirms it.

    Attributes:
        name: The group.
        claimed: Whether held-out outcomes confirm it.
        size: Members predicted to be in it.
        share: Of all members.
        predicted: Their mean predicted effect; NaN for an empty group.
        effect: Their actual average effect, with an interval shared among the groups.
        untreated: Their outcome without treatment minus everybody's, with the same kind of interval.
        differences: In which features they differ from the others, strongest first.
        verdict: What can be said of them, in a sentence.
    """

    name: GroupName
    claimed: bool
    size: int
    share: float
    predicted: float
    effect: Estimate
    untreated: Estimate
    differences: tuple[FeatureDifference, ...]
    verdict: str

    @property
    def harmed(self) -> bool:
        """Whether the treatment is shown to harm them."""
        return self.effect.below_zero

    @property
    def description(self) -> str:
        """Who they are, by two features."""
        return in_words(self.differences)


def effect_groups(
    control: Floats,
    contrasts: Floats,
    predicted: Floats,
    untreated: Floats,
    features: pl.DataFrame,
    *,
    worth: float = 0.0,
    level: float = 0.05,
    tests: int = 1,
) -> tuple[EffectGroup, ...]:
    """Return the four groups for one arm, empty ones included.

    Args:
        control: float64[n], doubly robust scores of the control.
        contrasts: float64[n], scores of the arm minus scores of the control.
        predicted: float64[n], predicted effects by models that did not see the member's own outcome.
        untreated: float64[n], predicted outcomes without treatment, by such models.
        features: n rows, to describe the groups by.
        worth: What a treatment costs, 0 or more, in the outcome's unit. An effect below it, or below a quarter of the average
            effect, is small, which makes a sure thing or a lost cause.
        level: The accepted error of all claims together.
        tests: Among how many arms it is shared.
    """
    small = max(worth, _SMALL * abs(float(contrasts.mean())))
    between = (predicted >= 0) & (predicted <= small)
    high = untreated >= untreated.mean()
    members = {
        GroupName.PERSUADABLES: predicted > small,
        GroupName.SURE_THINGS: between & high,
        GroupName.LOST_CAUSES: between & ~high,
        GroupName.SLEEPING_DOGS: predicted < 0,
    }
    share = level / (tests * len(members))
    return tuple(
        _judged(
            name,
            inside,
            control=control,
            contrasts=contrasts,
            predicted=predicted,
            features=features,
            worth=worth,
            small=small,
            level=share,
        )
        for name, inside in members.items()
    )


def _judged(
    name: GroupName,
    inside: Bools,
    *,
    control: Floats,
    contrasts: Floats,
    predicted: Floats,
    features: pl.DataFrame,
    worth: float,
    small: float,
    level: float,
) -> EffectGroup:
    effect = mean_estimate(contrasts[inside], level=level)
    # The group's own mean less everybody's, member by member, so that what they share makes no noise.
    weight = inside / max(inside.mean(), 1 / len(inside)) - 1.0
    untreated = mean_estimate(weight * (control - control.mean()), level=level)
    claimed = _confirmed(name, effect, untreated, worth, small)
    return EffectGroup(
        name=name,
        claimed=claimed,
        size=int(inside.sum()),
        share=float(inside.mean()),
        predicted=float(predicted[inside].mean()) if inside.any() else float("nan"),
        effect=effect,
        untreated=untreated,
        differences=describe(features, inside),
        verdict=_verdict(name, effect, claimed, free=worth == 0),
    )


def _confirmed(name: GroupName, effect: Estimate, untreated: Estimate, worth: float, small: float) -> bool:
    if not effect.error > 0:
        return False
    if name is GroupName.PERSUADABLES:
        return effect.lower > worth
    if name is GroupName.SLEEPING_DOGS:
        return effect.upper < 0
    above = untreated.above_zero if name is GroupName.SURE_THINGS else untreated.below_zero
    return effect.upper < small and above


_CONFIRMED = {
    GroupName.PERSUADABLES: "Confirmed: these members gain more than a treatment costs.",
    GroupName.SURE_THINGS: "Confirmed: these members do well without, and a treatment adds too little.",
    GroupName.LOST_CAUSES: "Confirmed: these members do little with or without a treatment.",
    GroupName.SLEEPING_DOGS: "Confirmed: a treatment harms these members.",
}


def _verdict(name: GroupName, effect: Estimate, claimed: bool, *, free: bool) -> str:
    if math.isnan(effect.estimate):
        return "Nobody is predicted to be among them."
    if claimed:
        persuaded = free and name is GroupName.PERSUADABLES
        return "Confirmed: these members gain." if persuaded else _CONFIRMED[name]
    if name is GroupName.SLEEPING_DOGS:
        found = (
            "the members predicted to be harmed gained in fact"
            if effect.above_zero
            else "what these members gained or lost may be chance"
        )
        return f"No evidence of harm: {found}."
    if effect.below_zero:
        return "No evidence: a treatment harms these members, other than predicted."
    if name is GroupName.PERSUADABLES:
        less = "" if free else ", or less than a treatment costs"
        return f"No evidence: what these members gained may be chance{less}."
    return "No evidence: these members may gain as much as others do."
