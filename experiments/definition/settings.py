"""How an experiment is analysed, allocated, isolated and turned into money."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from experiments.definition.fields import DefinitionPart, Identifier, Label, Ppm
from experiments.definition.metric import Number

SLOTS = 1_000
"""Slots of a layer."""


class AnalysisMethod(StrEnum):
    """When the experiment may be judged.

    ``ALWAYS_VALID`` at any time and as often as wanted; ``GROUP_SEQUENTIAL`` at planned looks, with narrower
    intervals; ``FIXED`` once, at the planned size.
    """

    ALWAYS_VALID = "always-valid"
    GROUP_SEQUENTIAL = "group-sequential"
    FIXED = "fixed"


class Analysis(DefinitionPart):
    """How and when the experiment is judged.

    Attributes:
        method: When it may be judged.
        spending: How group-sequential looks spend alpha.
        phi: Exponent of the spending ``power``: alpha times the share of the planned size to this power.
        looks: Planned looks, equally spaced up to the planned size; for group-sequential.
    """

    method: Annotated[AnalysisMethod, Field(strict=False)] = AnalysisMethod.ALWAYS_VALID
    spending: Literal["obrien-fleming", "pocock", "power"] = "obrien-fleming"
    phi: Annotated[float, Field(gt=0, le=10)] = 2.0
    looks: Annotated[int, Field(ge=1, le=200)] = 4


class Correction(StrEnum):
    """What is done about many comparisons at once: keep the chance of any error, or the share of errors, or nothing."""

    HOLM = "holm"
    BENJAMINI_HOCHBERG = "benjamini-hochberg"
    NONE = "none"


class Attribution(StrEnum):
    """Which outcomes count: all of an exposed member, or only those that name an exposed decision."""

    MEMBER = "member"
    DECISION = "decision"


class LayerSlots(DefinitionPart):
    """The slots of a layer that are lent to an experiment; a member is in exactly one slot of a layer.

    Attributes:
        layer_id: Experiments in the same layer never share a member.
        slots: Numbers from 0 to 999, as ``7`` or ranges ``100-199``.
    """

    layer_id: Identifier
    slots: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """The slots as half-open ranges, in order, adjacent ones joined."""
        return slot_ranges(self.slots)


class Holdout(DefinitionPart):
    """Members of the programme that no experiment touches, to know what all experiments together changed.

    Attributes:
        holdout_id: The same in all experiments that keep it; also the salt of its hash.
        traffic_ppm: Members that are held out, in parts per million of all.
    """

    holdout_id: Identifier
    traffic_ppm: Ppm


class Allocation(DefinitionPart):
    """How members are spread over the variants.

    Attributes:
        kind: ``fixed`` by the weights, or ``thompson``: weights follow the chance to be the best.
        uniform_ppm: Members that are always spread evenly, in parts per million; the unbiased slice of a bandit.
        metric_id: The metric that a bandit maximises; the primary one if empty.
    """

    kind: Literal["fixed", "thompson"] = "fixed"
    uniform_ppm: Ppm = 100_000
    metric_id: str = ""


class Money(DefinitionPart):
    """What an effect is worth.

    Attributes:
        metric_id: A metric in money per member, after the offer's cost (see ``terms`` of a source).
        units_per_month: Members that the winner would reach in a month.
        cost_per_unit: What giving the treatment to a member costs beyond what the metric holds.
        cost_per_month: What running the treatment costs a month.
        currency_code: ISO 4217 code.
    """

    metric_id: Label
    units_per_month: Annotated[Number, Field(gt=0)] | None = None
    cost_per_unit: Number = 0
    cost_per_month: Number = 0
    currency_code: Annotated[str, Field(pattern=r"^([A-Z]{3})?$")] = ""


class Prior(DefinitionPart):
    """What is believed of the relative effect before the data: a normal distribution.

    Attributes:
        prior_mean: As a share: 0.02 is plus two per cent.
        prior_sd: Its standard deviation, as a share.
    """

    prior_mean: Number = 0.0
    prior_sd: Annotated[Number, Field(gt=0)] = 0.3


def slot_ranges(slots: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Return slots such as ``7`` and ``100-199`` as half-open ranges, in order, adjacent ones joined.

    Raises:
        ValueError: A text is not a slot, or a slot is there twice.
    """
    ranges: list[tuple[int, int]] = []
    for text in slots:
        first, dash, last = text.partition("-")
        if not (first.isdecimal() and (last.isdecimal() if dash else True)):
            raise ValueError(f"{text!r} is not a slot; write a number or a range such as 100-199")
        lower, upper = int(first), int(last or first) + 1
        if not lower < upper <= SLOTS:
            raise ValueError(f"{text!r} must be a range within 0-{SLOTS - 1}")
        ranges.append((lower, upper))
    joined: list[tuple[int, int]] = []
    for lower, upper in sorted(ranges):
        if joined and lower < joined[-1][1]:
            raise ValueError(f"slot {lower} is there twice")
        if joined and lower == joined[-1][1]:
            joined[-1] = (joined[-1][0], upper)
        else:
            joined.append((lower, upper))
    return tuple(joined)
