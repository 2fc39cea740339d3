"""What clients ask decisions about."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from experiments.errors import Problem
from experiments.log.events import ACTIONS
from server.catalogue import Catalogue, Placement
from server.errors import InvalidRequestError, PlacementNotFoundError


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """A question whose fields are checked one by one.

    Attributes:
        programme: The loyalty programme.
        member_id: Who asks.
        placement_id: Where the answer is shown.
        kind: What is asked for: ``offers`` or ``actions``; empty for what the placement decides.
        offer_count: Offers wanted; 0 for the placement's default.
        request_id: Key of retries, or empty.
        request_time: The client's clock, if sent.
        attributes: What is known of the member, by name; for targeting, rules, and for the model if it does not know her.
        basket: Products in her basket now.
        channel_id: How the answer travels; empty for the placement's first channel.
        campaign_id: For which campaign, or empty.
        factors: Whether the answer shows what each score is made of.
    """

    programme: str
    member_id: str
    placement_id: str
    kind: str = ""
    offer_count: int = 0
    request_id: str = ""
    request_time: datetime | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)
    basket: tuple[str, ...] = ()
    channel_id: str = ""
    campaign_id: str = ""
    factors: bool = False

    def digest(self) -> str:
        """Return what tells a retry from another question under the same key.

        The client's clock, the attributes and the basket are left out: they may be newer in a retry, which must find its
        decision.
        """
        parts = [self.member_id, self.placement_id, str(self.offer_count)]
        if self.channel_id:
            parts.append(self.channel_id)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def placement_of(request: DecisionRequest, catalogue: Catalogue) -> tuple[Placement, str]:
    """Return the placement and the channel that a request is about; the channel is empty where none matters.

    Raises:
        PlacementNotFoundError: The catalogue has no such placement.
        InvalidRequestError: The placement decides something else, or does not have the channel.
    """
    placement = catalogue.placements_by_id.get(request.placement_id)
    if placement is None:
        raise PlacementNotFoundError(
            request.programme, request.placement_id, tuple(catalogue.placements_by_id)
        )
    problem = (
        _kind_problem(request, placement)
        or _channel_problem(request, placement)
        or _count_problem(request, placement)
    )
    if problem is not None:
        raise InvalidRequestError([problem])
    if placement.decides == ACTIONS:
        return placement, ""
    return placement, request.channel_id or next(iter(placement.channels), "")


def _kind_problem(request: DecisionRequest, placement: Placement) -> Problem | None:
    if not request.kind or request.kind == placement.decides:
        return None
    method = "NextBestAction" if placement.decides == ACTIONS else "RecommendOffers"
    return Problem(
        "placement_id", f"{placement.placement_id!r} decides {placement.decides}; ask for them with {method}"
    )


def _count_problem(request: DecisionRequest, placement: Placement) -> Problem | None:
    if placement.decides != ACTIONS or not request.offer_count:
        return None
    return Problem("offer_count", "must be 0: one action is chosen for each member")


def _channel_problem(request: DecisionRequest, placement: Placement) -> Problem | None:
    if not request.channel_id:
        return None
    if placement.decides == ACTIONS:
        return Problem("channel_id", "must be empty: actions compete over all channels of the placement")
    if request.channel_id in placement.channels:
        return None
    has = f"has {', '.join(placement.channels)}" if placement.channels else "names no channels"
    return Problem("channel_id", f"placement {placement.placement_id!r} {has}, so not {request.channel_id!r}")
