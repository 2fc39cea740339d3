"""The gRPC classes: convert, call the handler, convert."""

from server.servicers.catalog import CatalogServicer
from server.servicers.experiment import ExperimentServicer
from server.servicers.services import OutcomeServicer, RecommendationServicer

__all__ = ["CatalogServicer", "ExperimentServicer", "OutcomeServicer", "RecommendationServicer"]
