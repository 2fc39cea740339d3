"""The catalogue: offers, actions, placements, rules, limits and policies."""

from server.catalogue.base import Money
from server.catalogue.candidates import NO_ACTION, Action, Candidate, Group, Limited, Offer
from server.catalogue.checks import catalogue_problems
from server.catalogue.diff import catalogue_changes
from server.catalogue.limits import DECISION, Budget, Cap, ContactPolicy, CoolDown, QuietHours
from server.catalogue.load import dump_catalogue, load_catalogue
from server.catalogue.model import MOMENT_ATTRIBUTES, PROFILE_ATTRIBUTES, Catalogue, Segment
from server.catalogue.policy import (
    Arbitration,
    Channel,
    ContextWeight,
    Exploration,
    Factor,
    Placement,
    StandingArms,
)

__all__ = [
    "DECISION",
    "MOMENT_ATTRIBUTES",
    "NO_ACTION",
    "PROFILE_ATTRIBUTES",
    "Action",
    "Arbitration",
    "Budget",
    "Candidate",
    "Cap",
    "Catalogue",
    "Channel",
    "ContactPolicy",
    "ContextWeight",
    "CoolDown",
    "Exploration",
    "Factor",
    "Group",
    "Limited",
    "Money",
    "Offer",
    "Placement",
    "QuietHours",
    "Segment",
    "StandingArms",
    "catalogue_changes",
    "catalogue_problems",
    "dump_catalogue",
    "load_catalogue",
]
