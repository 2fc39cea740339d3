"""The gRPC classes: convert, call the handler, convert."""

from server.servicers.experiment import ExperimentServicer
from server.servicers.member import MemberServicer
from server.servicers.outcome import OutcomeServicer
from server.servicers.recommendation import RecommendationServicer

__all__ = ["ExperimentServicer", "MemberServicer", "OutcomeServicer", "RecommendationServicer"]
