"""The gRPC classes: convert, call the handler, convert."""

from server.api.catalog import CatalogServicer
from server.api.experiment import ExperimentServicer
from server.api.member import MemberServicer
from server.api.outcome import OutcomeServicer
from server.api.recommendation import RecommendationServicer

__all__ = [
    "CatalogServicer",
    "ExperimentServicer",
    "MemberServicer",
    "OutcomeServicer",
    "RecommendationServicer",
]
