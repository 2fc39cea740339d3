"""Names of what the second stage looks at, and which way each may speak."""

from training.bundle.history import COLUMNS, DECAYED

PAIR_FEATURES = (
    "trips",
    "days_since_last",
    "days_since_first",
    "value_per_trip",
    "discounted_share",
    *COLUMNS[DECAYED:],
    "products_bought",
    "recent_value",
    "usual_interval",
    "due_by_own_interval",
    "due_by_offer_interval",
    "momentum",
    "share_of_trips",
    "share_of_recent_trips",
    "share_of_latest_trips",
    "value",
    "discounted_trips",
    "category_share",
)
LINE_FEATURES = ("line_decayed_84", "line_recent_value", "line_discounted_trips")
"""The same over all products of the lines that the offer covers something of."""

RELATIVE_FEATURES = (
    "decayed_84_of_most",
    "recent_value_of_most",
    "line_decayed_84_of_most",
    "line_recent_value_of_most",
    "offer_decayed_84_of_most",
)
"""Shares of the highest number among the candidates: what is much for one member is little for another."""

MEMBER_FEATURES = (
    "member_trips",
    "member_days_since_last",
    "member_days_since_first",
    "member_recent_trips",
    "member_latest_trips",
    "member_offers",
    "member_value_per_trip",
    "member_discounted_share",
)
OFFER_FEATURES = (
    "offer_buyers",
    "offer_buyers_28_days",
    "offer_buyers_56_days",
    "offer_decayed_7",
    "offer_decayed_28",
    "offer_decayed_84",
    "offer_decayed_336",
    "offer_trend",
    "offer_repeat_share",
    "offer_interval",
    "offer_trips_per_buyer",
    "offer_value_per_trip",
    "offer_discounted_share",
    "offer_products",
    "offer_lines",
)

RISING = frozenset(
    (
        "trips",
        *COLUMNS[DECAYED:],
        "products_bought",
        "recent_value",
        "value",
        "share_of_trips",
        "share_of_recent_trips",
        "share_of_latest_trips",
        "category_share",
        *LINE_FEATURES,
        *RELATIVE_FEATURES,
    )
)
"""Features that speak for an offer the more the higher they are: what the member did with it and with its like."""

FALLING = frozenset(("days_since_last",))
"""Features that speak against an offer the more the higher they are."""
