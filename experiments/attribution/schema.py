"""The columns that attribution gives, for analysis, training and Parquet files."""

import polars as pl

_TIME = pl.Datetime("us", "UTC")

OUTCOME_SUMS = pl.List(pl.Struct({"outcome_type": pl.String, "count": pl.Int64, "value": pl.Float64}))
"""Outcomes by type, in the order of types: how many, and their money added up, 0 where none has a value."""

CREDIT_COLUMNS: dict[str, pl.DataType] = {
    "programme": pl.String(),
    "event_id": pl.String(),
    "member_id": pl.String(),
    "outcome_type": pl.String(),
    "outcome_time": _TIME,
    "value": pl.Float64(),
    "currency_code": pl.String(),
    "status": pl.String(),
    "decision_id": pl.String(),
    "placement_id": pl.String(),
    "decide_time": _TIME,
    "candidate_id": pl.String(),
}
"""Columns of ``attribute``, one row per outcome. ``status`` is a value of ``Status``; ``decision_id``, ``placement_id`` and
``decide_time`` are null unless it is ``attributed``. ``candidate_id`` is the offer or action that earns the credit, null where
it is the decision as a whole."""

TOUCH_COLUMNS: dict[str, pl.DataType] = {
    "programme": pl.String(),
    "decision_id": pl.String(),
    "member_id": pl.String(),
    "placement_id": pl.String(),
    "campaign_id": pl.String(),
    "kind": pl.String(),
    "candidate_id": pl.String(),
    "channel_id": pl.String(),
    "rank": pl.Int64(),
    "score": pl.Float64(),
    "propensity": pl.Float64(),
    "slate_propensity": pl.Float64(),
    "standing_arm": pl.String(),
    "model_version": pl.String(),
    "catalogue_revision": pl.String(),
    "decide_time": _TIME,
    "window_end_time": _TIME,
    "exposed": pl.Boolean(),
    "responded": pl.Boolean(),
    "response_time": _TIME,
    "value": pl.Float64(),
    "currency_code": pl.String(),
    "outcomes": OUTCOME_SUMS,
    "decision_outcomes": OUTCOME_SUMS,
}
"""Columns of ``touches``, one row per decided candidate.

``kind`` is ``offers`` or ``actions``; ``channel_id``, ``campaign_id`` and ``standing_arm`` are null where there is none.
``slate_propensity`` is null in logs of older versions. Until ``window_end_time`` more outcomes may come. ``exposed``: the
answer was seen, as far as the log knows. ``responded``: an outcome of a response type is credited to the candidate;
``response_time`` is that of the first. ``value`` is the money of all outcomes credited to the candidate, 0 without any, in
``currency_code``; both are null where currencies differ. ``outcomes`` are those credited to the candidate,
``decision_outcomes`` those credited to the decision as a whole, the same in each of its rows."""
