"""Standing arms: small always-on slices of members, as an experiment of each period.

The lift of each part of the formula, and of giving anything at all, is then known at any time. Clients log no exposure for
them: the decision itself is what a member met.
"""

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import polars as pl

from experiments.definition import ExperimentDefinition, State
from experiments.errors import AnalysisError
from experiments.log.frames import EventFrames

STANDING = "standing-arms"
"""The name by which people ask for them; ids of such experiments are it, a dot and the period."""

POLICY = "policy"
"""The variant of everybody else: the formula as it is."""

PARAMETER = "standing_arm"
"""The parameter that hands an arm's name to what decides."""

GIVEN = "standing-arms.given"
"""Type of the outcomes that stand for what was given; the analysis derives them from decisions."""

_NO_ACTION = "no_action"
"""The action of who is given nothing."""

PeriodKind = Literal["month", "quarter", "year"]

_NAMES = {
    POLICY: "The policy",
    "random_eligible": "Random choice",
    "no_model": "The policy without model",
    "no_levers": "The policy without levers",
    "no_personalisation": "The same for everybody",
    "holdout": "The holdout",
}


@dataclass(frozen=True, slots=True)
class Period:
    """A calendar period in which a member stays in their arm.

    Attributes:
        name: ``2026-11``, ``2026-Q4`` or ``2026``.
        first_day: Its first day.
        last_day: Its last day.
    """

    name: str
    first_day: date
    last_day: date


def period_of(day: date, period: PeriodKind) -> Period:
    """Return the period that a day belongs to."""
    if period == "year":
        return Period(f"{day.year:04}", date(day.year, 1, 1), date(day.year, 12, 31))
    length = 3 if period == "quarter" else 1
    first = (day.month - 1) // length * length + 1
    last = first + length - 1
    name = f"{day.year:04}-Q{last // 3}" if period == "quarter" else f"{day.year:04}-{first:02}"
    return Period(
        name, date(day.year, first, 1), date(day.year, last, calendar.monthrange(day.year, last)[1])
    )


def named_period(name: str) -> tuple[PeriodKind, date]:
    """Return what kind of period a name such as ``2026-11`` stands for, and its first day.

    Raises:
        AnalysisError: It is not a period's name.
    """
    year, _, part = name.partition("-")
    kind: PeriodKind = "quarter" if part.startswith("Q") else "month" if part else "year"
    try:
        month = {"year": "1", "quarter": part[1:], "month": part}[kind]
        day = date(int(year), int(month) * 3 - 2 if kind == "quarter" else int(month), 1)
    except ValueError:
        day = None
    if day is None or period_of(day, kind).name != name:
        raise AnalysisError(
            f"{name!r} is not a period; write a month as 2026-11, a quarter as 2026-Q4, a year as 2026.",
            period=name,
        )
    return kind, day


def standing_definition(
    programme: str,
    arms: Mapping[str, int],
    period: PeriodKind,
    day: date,
    placements: Sequence[str],
) -> ExperimentDefinition:
    """Return the experiment of the standing arms in the period that a day belongs to.

    Args:
        programme: The loyalty programme.
        arms: Members in each arm, in parts per million; at least one arm, together below 1,000,000.
        period: For how long a member stays where they are.
        day: Any day of the period, in the programme's time zone.
        placements: Where decisions are made; at least one.
    """
    own = period_of(day, period)
    experiment_id = f"{STANDING}.{own.name}"
    return ExperimentDefinition.model_validate(
        {
            "experiment_id": experiment_id,
            "programme": programme,
            "hypothesis": "Each part of the policy earns more than it would without it.",
            "owner": "the catalogue's standing_arms",
            "state": State.RUNNING,
            "placements": list(placements),
            # Named after the period, so that each draws its members anew.
            "salt": experiment_id,
            "control": POLICY,
            "variants": [
                {"variant_id": POLICY, "weight": 1_000_000 - sum(arms.values()), "name": _NAMES[POLICY]},
                *(
                    {
                        "variant_id": arm,
                        "weight": weight,
                        "name": _NAMES.get(arm, arm),
                        "parameters": {PARAMETER: arm},
                    }
                    for arm, weight in sorted(arms.items())
                ),
            ],
            "metrics": [
                _metric("value", "Spend per member", "purchase", "value"),
                _metric("redemptions", "Redemptions per member", "redemption", "count"),
                _metric("given", "Offers given per member", GIVEN, "count"),
            ],
            "start_date": own.first_day,
            "end_date": own.last_day,
        }
    )


def is_standing(definition: ExperimentDefinition) -> bool:
    """Tell whether an experiment is one of standing arms."""
    return definition.experiment_id.startswith(f"{STANDING}.") and any(
        PARAMETER in variant.parameters for variant in definition.variants
    )


def with_decisions_as_exposures(definition: ExperimentDefinition, frames: EventFrames) -> EventFrames:
    """Return a log in which every decision that standing arms shaped is an exposure, and what it gave outcomes.

    Outcomes after the period, whose days are taken in UTC, are left out: by then the members are in other arms.
    """
    shaped = (
        frames.decisions.select(
            "programme",
            "decision_id",
            "member_id",
            "decide_time",
            "receive_time",
            "offers",
            "actions",
            "assignments",
        )
        .explode("assignments")
        .unnest("assignments")
        .filter(pl.col("experiment_id") == definition.experiment_id)
    )
    exposures = shaped.select(
        "programme",
        "experiment_id",
        "variant_id",
        "member_id",
        "decision_id",
        "receive_time",
        event_id="decision_id",
        expose_time="decide_time",
    )
    outcomes = frames.outcomes.filter(pl.col("outcome_time").dt.date() <= definition.end_date)
    return EventFrames(
        frames.decisions,
        exposures.select(frames.exposures.columns),
        pl.concat([outcomes, _given(shaped)], how="diagonal_relaxed"),
        frames.identities,
    )


def _given(shaped: pl.DataFrame) -> pl.DataFrame:
    real = pl.element().struct.field("action_id") != _NO_ACTION
    number = pl.col("offers").list.len() + pl.col("actions").list.eval(real).list.sum().fill_null(0)
    return (
        shaped.select(
            "programme",
            "decision_id",
            "member_id",
            "receive_time",
            place=pl.int_ranges(0, number),
            outcome_time="decide_time",
        )
        .explode("place")
        .drop_nulls("place")
        .with_columns(outcome_type=pl.lit(GIVEN), event_id=pl.format("{} {}", "decision_id", "place"))
        .drop("place")
    )


def _metric(metric_id: str, name: str, outcome_type: str, aggregate: str) -> dict[str, object]:
    source = {"event": "outcomes", "outcome_type": outcome_type, "aggregate": aggregate}
    return {"metric_id": metric_id, "name": name, "numerator": source}
