"""What the server knows of a member at one moment."""

from server.members.profile import MemberProfile
from server.members.state import EventTally, MemberState, Trip

__all__ = ["EventTally", "MemberProfile", "MemberState", "Trip"]
