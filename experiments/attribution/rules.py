"""What decides whether an outcome is due to a decision."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from experiments.errors import AnalysisError

DEFAULT_WINDOW_DAYS = 14.0
"""The window of placements for which none is given; the same as a catalogue's default."""

MOST_WINDOW_DAYS = 366.0
"""The longest window."""


class Rule(StrEnum):
    """Which decisions can earn credit: all that gave something, or only those that were exposed by then."""

    LAST_TOUCH = "last_touch"
    EXPOSED_LAST_TOUCH = "exposed_last_touch"


class Status(StrEnum):
    """What became of an outcome."""

    ATTRIBUTED = "attributed"
    """Credited to one decision."""

    LATE = "late"
    """There is a decision for it, but its window was over."""

    NOT_EXPOSED = "not_exposed"
    """There is a decision for it within the window, but it had not been exposed."""

    OTHER_MEMBER = "other_member"
    """It names the decision of another member."""

    NO_DECISION = "no_decision"
    """Nothing was decided before it that it could be due to."""


@dataclass(frozen=True, slots=True)
class AttributionRules:
    """How outcomes are joined to decisions.

    Attributes:
        windows: Days after a decision in which an outcome can be due to it, above 0, by placement id. A day is 24 hours.
        rule: Which decisions can earn credit.
        default_window_days: The window of placements that ``windows`` does not name.
        exposure_types: Types of outcomes that show, where they name a decision, that its answer was seen.
        response_types: Types of outcomes that count as a response to the candidate that they are credited to.
        credit_unnamed: Whether an outcome that names neither decision nor offer, such as a purchase, is credited to the
            member's latest decision.

    Raises:
        AnalysisError: A window is out of range, or the rule is unknown.
    """

    windows: Mapping[str, float] = field(default_factory=dict)
    rule: Rule = Rule.LAST_TOUCH
    default_window_days: float = DEFAULT_WINDOW_DAYS
    exposure_types: tuple[str, ...] = ("impression", "view", "click")
    response_types: tuple[str, ...] = ("click", "redemption", "purchase")
    credit_unnamed: bool = True

    def __post_init__(self) -> None:
        if self.rule not in tuple(Rule):
            raise AnalysisError(
                f"There is no attribution rule {self.rule!r}; the rules are {', '.join(Rule)}.",
                rule=self.rule,
            )
        named = {f"of placement {placement!r}": days for placement, days in self.windows.items()}
        for whose, days in {**named, "by default": self.default_window_days}.items():
            if not (math.isfinite(days) and 0 < days <= MOST_WINDOW_DAYS):
                raise AnalysisError(
                    f"The attribution window {whose} is {days:g} days; it must be above 0 and at most"
                    f" {MOST_WINDOW_DAYS:g}."
                )
