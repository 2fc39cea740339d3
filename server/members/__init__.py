"""What the server knows of a member at one moment."""

from server.members.profile import MemberProfile
from server.members.state import MemberState, Tally, Trip

__all__ = ["MemberProfile", "MemberState", "Tally", "Trip"]
