"""Synthetic logs shaped like the offer-ranking experiment: trips clustered within members."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from polars.datatypes import DataTypeClass

from experiments.assignment.assign import assign_frame
from experiments.assignment.plan import compile_plan
from experiments.definition import ExperimentDefinition

Row = dict[str, Any]

_TIME = pl.Datetime("us", "UTC")
EXPOSURE_SCHEMA: dict[str, DataTypeClass | pl.DataType] = {
    "programme": pl.String,
    "event_id": pl.String,
    "experiment_id": pl.String,
    "variant_id": pl.String,
    "member_id": pl.String,
    "decision_id": pl.String,
    "expose_time": _TIME,
    "receive_time": _TIME,
}
OUTCOME_SCHEMA: dict[str, DataTypeClass | pl.DataType] = {
    "programme": pl.String,
    "event_id": pl.String,
    "member_id": pl.String,
    "outcome_type": pl.String,
    "decision_id": pl.String,
    "offer_id": pl.String,
    "value": pl.Float64,
    "currency_code": pl.String,
    "outcome_time": _TIME,
    "receive_time": _TIME,
}


@dataclass(frozen=True)
class Logs:
    """Frames as an analysis reads them."""

    exposures: pl.DataFrame
    outcomes: pl.DataFrame


def exposure(
    member_id: str, variant_id: str, decision_id: str | None, **changes: str
) -> dict[str, str | None]:
    """Return one exposure row of ``offer-ranking``; its event id is made from the decision unless given."""
    return {
        "programme": "default",
        "event_id": f"x-{member_id}-{decision_id}",
        "experiment_id": "offer-ranking",
        "variant_id": variant_id,
        "member_id": member_id,
        "decision_id": decision_id,
    } | changes


def outcome(
    member_id: str,
    decision_id: str | None,
    offer_id: str | None,
    value: float | None = 1.0,
    **changes: Any,
) -> Row:
    """Return one purchase; its event id is made from decision and offer unless given."""
    return {
        "programme": "default",
        "event_id": f"o-{member_id}-{decision_id}-{offer_id}",
        "member_id": member_id,
        "outcome_type": "purchase",
        "decision_id": decision_id,
        "offer_id": offer_id,
        "value": value,
        "currency_code": None if value is None else "USD",
    } | changes


def frames(exposures: list[Row], outcomes: list[Row]) -> Logs:
    """Return rows as frames with the columns of the log."""
    return Logs(
        pl.DataFrame(exposures, schema=EXPOSURE_SCHEMA), pl.DataFrame(outcomes, schema=OUTCOME_SCHEMA)
    )


def offer_ranking_logs(
    definition: ExperimentDefinition,
    *,
    seed: int = 1,
    members: int = 2_000,
    trips: float = 5.9,
    hit_rates: tuple[float, ...] = (0.03, 0.0625),
    hit_values: tuple[float, ...] = (2.4, 3.7),
) -> Logs:
    """Return logs of trips that ask for 3 offers each; members differ in trips and in how often they hit.

    Args:
        definition: Its variants and their assignment.
        seed: Of the random numbers.
        members: Households.
        trips: Mean trips of a household.
        hit_rates: For each variant, the mean chance of one offer to be hit.
        hit_values: For each variant, the mean USD of a hit.
    """
    random = np.random.default_rng(seed)
    member_ids = [f"household-{number}" for number in range(members)]
    plan = compile_plan([definition], definition.programme)
    assigned = pl.DataFrame({"member_id": member_ids}).with_columns(
        variant_id=assign_frame(plan, definition.experiment_id, pl.col("member_id")).struct.field(
            "variant_id"
        )
    )
    order = [variant.variant_id for variant in definition.variants]
    arm = np.array([order.index(variant_id) for variant_id in assigned["variant_id"]])
    trip_counts = 1 + random.negative_binomial(1, 1 / trips, size=members)
    chance = np.clip(random.gamma(0.5, 2.0, size=members) * np.array(hit_rates)[arm], 0, 1)
    of_trip = np.repeat(np.arange(members), trip_counts)
    number = np.arange(len(of_trip))
    hit_trip, hit_offer = np.nonzero(random.random((len(of_trip), 3)) < chance[of_trip, None])
    value = random.gamma(1.5, np.array(hit_values)[arm[of_trip[hit_trip]]] / 1.5).round(2)
    exposures = pl.DataFrame(
        {
            "programme": definition.programme,
            "event_id": [f"x{n}" for n in number],
            "experiment_id": definition.experiment_id,
            "variant_id": assigned["variant_id"].gather(of_trip),
            "member_id": assigned["member_id"].gather(of_trip),
            "decision_id": [f"d{n}" for n in number],
            "expose_time": None,
            "receive_time": None,
        },
        schema_overrides=EXPOSURE_SCHEMA,
    )
    outcomes = pl.DataFrame(
        {
            "programme": definition.programme,
            "event_id": [f"o{trip}-{offer}" for trip, offer in zip(hit_trip, hit_offer, strict=True)],
            "member_id": assigned["member_id"].gather(of_trip[hit_trip]),
            "outcome_type": "purchase",
            "decision_id": [f"d{trip}" for trip in hit_trip],
            "offer_id": [f"offer-{offer}" for offer in hit_offer],
            "value": value,
            "currency_code": "USD",
            "outcome_time": None,
            "receive_time": None,
        },
        schema_overrides=OUTCOME_SCHEMA,
    )
    return Logs(exposures, outcomes)
