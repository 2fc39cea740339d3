"""The gRPC classes: convert, call the handler, convert."""

from server.servicers.experiment import ExperimentServicer
from server.servicers.member import MemberServicer
from server.servicers.services import OutcomeServicer, RecommendationServicer

__all__ = ["ExperimentServicer", "MemberServicer", "OutcomeServicer", "RecommendationServicer"]
