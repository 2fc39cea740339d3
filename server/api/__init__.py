"""The gRPC classes: convert, call the handler, convert."""

from server.servicers.catalog import CatalogServicer
from server.servicers.experiment import ExperimentServicer
from server.servicers.member import MemberServicer
from server.servicers.outcome import OutcomeServicer
from server.servicers.recommendation import RecommendationServicer

__all__ = [
    "CatalogServicer",
    "ExperimentServicer",
    "MemberServicer",
    "OutcomeServicer",
    "RecommendationServicer",
]
