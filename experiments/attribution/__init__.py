"""Which outcomes are due to which decisions: one join and one schema, for experiments and for training."""

from experiments.attribution.rules import AttributionRules, Rule, Status
from experiments.attribution.schema import CREDIT_COLUMNS, TOUCH_COLUMNS
from experiments.attribution.touches import evidence, touches
from experiments.log.attribution import attribute

__all__ = [
    "CREDIT_COLUMNS",
    "TOUCH_COLUMNS",
    "AttributionRules",
    "Rule",
    "Status",
    "attribute",
    "evidence",
    "touches",
]
