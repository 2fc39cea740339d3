"""Deciding for the members of a campaign: the same decisions as single calls, many at a time."""

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from experiments.log.events import Decision
from server.catalogue import Catalogue
from server.decide.context import DecisionContext
from server.errors import RequestError, RequestIdReusedError, StoreTimeoutError, StoreUnavailableError
from server.handlers.decisions import DecisionMaker, placement_of
from server.programme.programmes import Programmes

_AT_ONCE = 32
"""So many members are decided for at a time, so that they share commits of the log."""
_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class CampaignRequest:
    """A question for many members.

    Attributes:
        programme: The loyalty programme.
        campaign_id: The campaign; nobody is decided for twice under one id.
        placement_id: Where the answers are shown.
        channel_id: How they travel; empty for the placement's first channel.
        offer_count: Offers wanted; 0 for the placement's default.
        member_ids: For whom.
    """

    programme: str
    campaign_id: str
    placement_id: str
    channel_id: str
    offer_count: int
    member_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class CampaignAnswer:
    """What became of one member.

    Attributes:
        member_id: The member.
        decision: Their decision, if there is one.
        problem: Why there is none, or empty.
    """

    member_id: str
    decision: Decision | None
    problem: str = ""


class CampaignHandler:
    """Answers ``DecideCampaign``.

    Args:
        programmes: Catalogue of each programme.
        maker: Makes the decisions.
    """

    def __init__(self, programmes: Programmes, maker: DecisionMaker) -> None:
        self._programmes = programmes
        self._maker = maker
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="campaign")

    def decide(self, request: CampaignRequest) -> tuple[Iterator[CampaignAnswer], Catalogue]:
        """Return the answers as they are made, in the order of the members, and the catalogue that describes them.

        Members that were decided for under the campaign's id get the same decision again.

        Raises:
            ProgrammeNotFoundError, PlacementNotFoundError, InvalidRequestError: As a single decision.
            StoreUnavailableError, StoreTimeoutError: From the iterator: the log cannot be written; call again later.
        """
        catalogue = self._programmes.current(request.programme).catalogue
        placement_of(_member_request(request, "anybody"), catalogue)
        return self._answers(request), catalogue

    def close(self) -> None:
        """Let decisions under way finish; those that wait are not made."""
        self._pool.shutdown(cancel_futures=True)

    def _answers(self, request: CampaignRequest) -> Iterator[CampaignAnswer]:
        waiting: deque[Future[CampaignAnswer]] = deque()
        try:
            for member_id in request.member_ids:
                if len(waiting) >= 2 * _AT_ONCE:
                    yield waiting.popleft().result()
                waiting.append(self._pool.submit(self._one, request, member_id))
            while waiting:
                yield waiting.popleft().result()
        finally:
            for one in waiting:
                one.cancel()

    def _one(self, request: CampaignRequest, member_id: str) -> CampaignAnswer:
        try:
            decision, _ = self._maker.make(_member_request(request, member_id), _TIMEOUT_S)
        except (StoreUnavailableError, StoreTimeoutError):
            raise
        except RequestIdReusedError:
            return CampaignAnswer(member_id, None, _decided_otherwise(request.campaign_id))
        except RequestError as error:
            return CampaignAnswer(member_id, None, error.message)
        return CampaignAnswer(member_id, decision)


def _decided_otherwise(campaign_id: str) -> str:
    return (
        f"Campaign {campaign_id!r} decided for this member before, with another placement, channel or number of offers;"
        " ask for those again, or use another campaign_id."
    )


def campaign_request_id(campaign_id: str, member_id: str) -> str:
    """Return the key under which a member is decided for once in a campaign."""
    content = f"{len(campaign_id)}:{campaign_id}{member_id}"
    return "campaign-" + hashlib.sha256(content.encode()).hexdigest()[:40]


def _member_request(request: CampaignRequest, member_id: str) -> DecisionContext:
    return DecisionContext(
        programme=request.programme,
        member_id=member_id,
        placement_id=request.placement_id,
        offer_count=request.offer_count,
        request_id=campaign_request_id(request.campaign_id, member_id),
        channel_id=request.channel_id,
        campaign_id=request.campaign_id,
    )
