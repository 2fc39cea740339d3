"""The gRPC classes: convert, call the handler, convert."""

from server.servicers.services import ExperimentServicer, OutcomeServicer, RecommendationServicer

__all__ = ["ExperimentServicer", "OutcomeServicer", "RecommendationServicer"]
