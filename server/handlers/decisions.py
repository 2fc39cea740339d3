"""Making decisions: read what is known, decide, log, answer.

What clients ask decisions about.

Identifiers that the server makes.
"""

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from experiments.errors import Problem
from experiments.log.events import ACTIONS, Decision
from server.budgets import Book, Closed
from server.catalogue import Catalogue, Placement
from server.decide.choice import Choice
from server.decide.context import Question, Visit
from server.decide.decide import decide
from server.decide.evidence import Evidence
from server.errors import InvalidRequestError, PlacementNotFoundError, RequestIdReusedError, ServerBusyError
from server.handlers.assignments import Assigner, Subject
from server.handlers.request_checks import Clock, request_time_problem
from server.members.state import after_decision
from server.programme.snapshot import Programmes, Snapshot
from server.storage import EventLog, StateDocument
from server.storage.member_cache import HeldMember, MemberStates


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


def new_decision_id() -> str:
    """Return a UUID of version 7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then random bits.

    Ordered by time, so that an index over millions of them stays warm where it grows.
    """
    random = int.from_bytes(os.urandom(10), "big")
    high = (time.time_ns() // 1_000_000) << 16 | 0x7000 | random >> 68
    low = 0x8000_0000_0000_0000 | random & 0x3FFF_FFFF_FFFF_FFFF
    text = f"{high & 0xFFFF_FFFF_FFFF_FFFF:016x}{low:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_MOST_ATTEMPTS = 20
"""So often a decision is made anew because the member or a budget changed while it was made."""


class DecisionMaker:
    """Makes and logs decisions.

    Args:
        programmes: Catalogue, plan and models of each programme.
        people: Assigns members.
        states: What the log has of members.
        log: Where decisions go before they are answered.
        clock: The server's clock.
        books: What is spent, by programme.
        evidence: What is known of responses, by programme.
        replay: Decide as of the request's time instead of the server's.
        on_decision: Called with each answered decision.
    """

    def __init__(
        self,
        programmes: Programmes,
        people: Assigner,
        states: MemberStates,
        log: EventLog,
        clock: Clock,
        *,
        books: Callable[[str], Book],
        evidence: Callable[[str], Evidence],
        replay: bool,
        on_decision: Callable[[Decision], None],
    ) -> None:
        self._programmes = programmes
        self._people = people
        self._states = states
        self._log = log
        self._clock = clock
        self._books = books
        self._evidence = evidence
        self._replay = replay
        self._on_decision = on_decision

    def make(self, request: DecisionRequest, timeout: float) -> tuple[Decision, Catalogue]:
        """Decide, and return the decision once it is on disk, with the catalogue that describes its candidates.

        Args:
            request: The question.
            timeout: Seconds that the log may take.

        Raises:
            ProgrammeNotFoundError: Unknown programme.
            PlacementNotFoundError: Unknown placement.
            InvalidRequestError: The request does not fit the placement, or its time is not allowed.
            RequestIdReusedError: The key was used for another question.
            ServerBusyError: The member's state changed again and again while it was decided.
            StoreUnavailableError, StoreTimeoutError: The decision could not be logged.
        """
        due = time.monotonic() + timeout
        snapshot = self._programmes.current(request.programme)
        placement, channel_id = placement_of(request, snapshot.catalogue)
        now = self._clock()
        if not self._replay and (problem := request_time_problem(request.request_time, now)):
            raise InvalidRequestError([problem])
        attempt = _Attempt(
            request,
            snapshot,
            placement=placement,
            channel_id=channel_id,
            now=now,
            decide_time=self._time(request, now),
        )
        refused: frozenset[str] = frozenset()
        for _ in range(_MOST_ATTEMPTS):
            result = self._attempt(attempt, refused, due)
            if isinstance(result, Decision):
                if result.request_digest != attempt.digest:
                    raise RequestIdReusedError(request.request_id)
                self._on_decision(result)
                return result, snapshot.catalogue
            refused |= result
        raise ServerBusyError("decisions of one member", retry_s=1)

    def _attempt(self, attempt: "_Attempt", refused: frozenset[str], due: float) -> Decision | frozenset[str]:
        """Return the decision that the log has in the end, or the candidates that it refused."""
        request, snapshot = attempt.request, attempt.snapshot
        closed = self._books(request.programme).closed(attempt.decide_time)
        if refused:
            closed = Closed.of(closed.candidate_ids | refused)
        evidence = self._evidence(request.programme)
        with self._states.hold(request.programme, request.member_id) as held:
            decision_id = new_decision_id()
            person = Subject(request.member_id, attributes=request.attributes)
            question = Question(
                placement=attempt.placement,
                channel_id=attempt.channel_id,
                visit=Visit(held.state, request.attributes, request.basket),
                assigned=self._people.assign_placed(snapshot, person, request.placement_id),
                count=attempt.count,
                time=attempt.decide_time,
                seed=decision_id,
                closed=closed,
                evidence=evidence,
                factors=request.factors,
            )
            choice, _ = decide(snapshot, question)
            decision = attempt.decision(decision_id, choice, held, closed, evidence)
            pending = self._log.submit_decision(
                decision,
                draws=snapshot.compiled.accounts.draws(choice.candidate_ids, attempt.decide_time),
                states=_documents(closed, evidence),
                chain=held.chain,
            )
            held.advance(after_decision(held.state, decision))
        result = pending.result(due - time.monotonic())
        return frozenset(result.refused) if result.decision is None else result.decision

    def _time(self, request: DecisionRequest, now: datetime) -> datetime:
        return request.request_time if self._replay and request.request_time else now


class _Attempt:
    """What stays the same however often a decision is made anew."""

    __slots__ = (
        "_now",
        "channel_id",
        "count",
        "decide_time",
        "digest",
        "placement",
        "request",
        "snapshot",
    )

    def __init__(
        self,
        request: DecisionRequest,
        snapshot: Snapshot,
        *,
        placement: Placement,
        channel_id: str,
        now: datetime,
        decide_time: datetime,
    ) -> None:
        self.request = request
        self.snapshot = snapshot
        self.placement = placement
        self.channel_id = channel_id
        self.decide_time = decide_time
        self.digest = request.digest()
        self.count = min(request.offer_count or placement.default_offer_count, placement.max_offer_count)
        self._now = now

    def decision(
        self, decision_id: str, choice: Choice, held: HeldMember, closed: Closed, evidence: Evidence
    ) -> Decision:
        """Return the decision to log."""
        request, snapshot = self.request, self.snapshot
        manifest = snapshot.manifest_at(self.placement)
        return Decision(
            programme=request.programme,
            decision_id=decision_id,
            request_id=request.request_id,
            request_digest=self.digest,
            member_id=request.member_id,
            placement_id=request.placement_id,
            requested_count=self.count,
            request_time=request.request_time,
            receive_time=self._now,
            decide_time=self.decide_time,
            ranking=choice.ranking,
            model_version="" if manifest is None else manifest.model_version,
            plan_revision=snapshot.plan.revision,
            catalogue_revision=snapshot.catalogue.revision,
            feature_time=None if manifest is None else manifest.feature_instant,
            eligible_count=choice.eligible_count,
            degradations=choice.degradations,
            offers=choice.offers,
            assignments=choice.assignments,
            kind=self.placement.decides,
            actions=choice.actions,
            runner_up=choice.runner_up,
            channel_id=self.channel_id,
            attributes=request.attributes,
            basket=request.basket,
            member_version=held.state.version + 1,
            campaign_id=request.campaign_id,
            standing_arm=choice.standing_arm,
            arbitration_id=choice.arbitration_id,
            exploration=choice.exploration,
            slate_propensity=choice.slate_propensity,
            budget_state=closed.state_id,
            evidence_state=evidence.state_id,
            removed=choice.removed,
        )


def _documents(closed: Closed, evidence: Evidence) -> list[StateDocument]:
    return [
        StateDocument(state_id, document)
        for state_id, document in ((closed.state_id, closed.document), (evidence.state_id, evidence.document))
        if state_id
    ]
