"""The four groups of members by what a treatment does to them, each claimed only where held-out outcomes show it.

A model puts each member into one group by the predicted effect and the predicted outcome without treatment:

* *persuadables*: the predicted effect is above what a treatment costs, and not small;
* *sleeping dogs*: the predicted effect is below zero;
* *sure things* and *lost causes*: the effect is between, and the outcome without treatment is at least, or below, the average.

A prediction is not evidence. What counts is the actual average effect among the members predicted to be in the group, by doubly
robust scores of models that did not see their outcomes, with an interval that is shared among the groups (Bonferroni):

* persuadables are confirmed if the interval's lower end is above what a treatment costs;
* sleeping dogs only if its upper end is below zero;
* sure things and lost causes if its upper end is below what is small or a treatment's cost, and their outcome without treatment is
  above, or below, everybody's by more than chance.

In every other case the answer is "no evidence", and the sentence says what these members gained in fact. A group is described by the
features in which its members differ most from the others.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl

from experiments.number_format import plain
from experiments.stats.estimate import Estimate, mean_estimate
from experiments.uplift.trial import Bools, Floats

_MAX_TEXTS = 20
_WORTH_SAYING = 0.1


@dataclass(frozen=True, slots=True)
class FeatureDifference:
    """How a feature differs between a group and all other members.

    Attributes:
        feature: The column.
        value: Which of its values is counted, for text and booleans; none for numbers.
        inside: Mean in the group; for a value, its share.
        outside: The same of the others.
        standardised: Their difference over the root of the mean of the two variances (Cohen's d); infinite where neither side
            varies.
    """

    feature: str
    value: str | None
    inside: float
    outside: float
    standardised: float

    @property
    def words(self) -> str:
        """The difference in plain words: ``history higher (380 against 190)``, ``channel is Web (70 % against 40 %)``."""
        if self.value is None:
            decimals = _decimals(self.inside, self.outside)
            way = "higher" if self.standardised > 0 else "lower"
            return f"{self.feature} {way} ({plain(self.inside, decimals)} against {plain(self.outside, decimals)})"
        shares = f"({plain(100 * self.inside)} % against {plain(100 * self.outside)} %)"
        way = "more often" if self.standardised > 0 else "less often"
        named = self.feature if self.value == "yes" else f"{self.feature} is {self.value}"
        return f"{named} {way} {shares}"


def describe(features: pl.DataFrame, chosen: Bools) -> tuple[FeatureDifference, ...]:
    """Return the features in which some members differ from the others, the strongest first, one line per feature.

    Numbers are compared by their means, booleans and 0/1 by their shares, text by the share of the value that differs most. Nulls
    and NaN are left out of a number, and a value of their own ("unknown") in a text. Columns of other types, and text with more
    than 20 values, are passed over.

    Args:
        features: n rows.
        chosen: bool[n], the group.
    """
    if chosen.all() or not chosen.any():
        return ()
    found = [one for column in features for one in [_difference(column, chosen)] if one is not None]
    return tuple(sorted(found, key=lambda one: (-abs(one.standardised), one.feature)))


def difference_words(differences: Sequence[FeatureDifference], most: int = 2) -> str:
    """Return the strongest differences as a phrase; says so where there is nothing worth saying (below 0.1).

    Args:
        differences: Of `describe`.
        most: How many features to name.
    """
    named = [one.words for one in differences[:most] if abs(one.standardised) >= _WORTH_SAYING]
    return "; ".join(named) if named else "like everybody else in all features"


def _difference(column: pl.Series, chosen: Bools) -> FeatureDifference | None:
    if column.dtype == pl.Boolean:
        return _compared(column.name, "yes", column.cast(pl.Float64).to_numpy(), chosen)
    if column.dtype.is_numeric():
        values = column.cast(pl.Float64).to_numpy()
        known = values[~np.isnan(values)]
        flag = len(known) > 0 and bool(np.isin(known, (0.0, 1.0)).all())
        return _compared(column.name, "yes" if flag else None, values, chosen)
    if column.dtype in {pl.String, pl.Categorical, pl.Enum}:
        texts = column.cast(pl.String).fill_null("unknown")
        values_of = sorted(texts.unique().to_list())
        if len(values_of) > _MAX_TEXTS:
            return None
        each = [
            _compared(column.name, value, (texts == value).cast(pl.Float64).to_numpy(), chosen)
            for value in values_of
        ]
        return max((one for one in each if one), key=lambda one: abs(one.standardised), default=None)
    return None


def _compared(name: str, value: str | None, values: Floats, chosen: Bools) -> FeatureDifference | None:
    known = ~np.isnan(values)
    inside, outside = values[known & chosen], values[known & ~chosen]
    if not len(inside) or not len(outside):
        return None
    apart = float(inside.mean() - outside.mean())
    spread = math.sqrt((float(inside.var()) + float(outside.var())) / 2)
    standardised = apart / spread if spread > 0 else math.copysign(math.inf, apart) if apart else 0.0
    return FeatureDifference(name, value, float(inside.mean()), float(outside.mean()), standardised)


def _decimals(*values: float) -> int:
    """Return the decimals that show three digits of the larger value: 0 from 100 on, 2 for 1.23."""
    largest = max(abs(value) for value in values)
    return min(max(0, 2 - math.floor(math.log10(largest))), 6) if largest > 0 else 0


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
        return difference_words(self.differences)


def effect_groups(
    control: Floats,
    contrasts: Floats,
    predicted: Floats,
    untreated: Floats,
    features: pl.DataFrame,
    *,
    worth: float = 0.0,
    alpha: float = 0.05,
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
        alpha: The accepted error of all claims together.
        tests: Among how many arms it is shared.

    Returns:
        Persuadables, sure things, lost causes and sleeping dogs, each with its actual effect.
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
    share = alpha / (tests * len(members))
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
            alpha=share,
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
    alpha: float,
) -> EffectGroup:
    effect = mean_estimate(contrasts[inside], alpha=alpha)
    # The group's own mean less everybody's, member by member, so that what they share makes no noise.
    weight = inside / max(inside.mean(), 1 / len(inside)) - 1.0
    untreated = mean_estimate(weight * (control - control.mean()), alpha=alpha)
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
    if not effect.standard_error > 0:
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
    if math.isnan(effect.value):
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
