"""Making decisions: read what is known, decide, log, answer."""

import os
import time
from collections.abc import Callable
from datetime import datetime

from experiments.errors import Problem
from experiments.log.events import ACTIONS, Decision
from server.budgets import Book, Closed
from server.catalogue import Catalogue, Placement
from server.clock import Clock
from server.decide.choice import Choice
from server.decide.context import DecisionContext, Evidence
from server.decide.decide import decide
from server.decide.snapshot import Snapshot
from server.errors import InvalidRequestError, PlacementNotFoundError, RequestIdReusedError, ServerBusyError
from server.handlers.assignments import Assigner, Subject
from server.handlers.request_checks import request_time_problem
from server.members.state import after_decision
from server.programme.programmes import Programmes
from server.storage import EventLog, StateDocument
from server.storage.member_cache import MemberStates


def placement_of(context: DecisionContext, catalogue: Catalogue) -> tuple[Placement, str]:
    """Return the placement and the channel that a decision is about; the channel is empty where none matters.

    Raises:
        PlacementNotFoundError: The catalogue has no such placement.
        InvalidRequestError: The placement decides something else, or does not have the channel.
    """
    placement = catalogue.placements_by_id.get(context.placement_id)
    if placement is None:
        raise PlacementNotFoundError(
            context.programme, context.placement_id, tuple(catalogue.placements_by_id)
        )
    problem = (
        _kind_problem(context, placement)
        or _channel_problem(context, placement)
        or _count_problem(context, placement)
    )
    if problem is not None:
        raise InvalidRequestError([problem])
    if placement.decides == ACTIONS:
        return placement, ""
    return placement, context.channel_id or next(iter(placement.channels), "")


def _kind_problem(context: DecisionContext, placement: Placement) -> Problem | None:
    if not context.kind or context.kind == placement.decides:
        return None
    method = "NextBestAction" if placement.decides == ACTIONS else "RecommendOffers"
    return Problem(
        "placement_id", f"{placement.placement_id!r} decides {placement.decides}; ask for them with {method}"
    )


def _count_problem(context: DecisionContext, placement: Placement) -> Problem | None:
    if placement.decides != ACTIONS or not context.offer_count:
        return None
    return Problem("offer_count", "must be 0: one action is chosen for each member")


def _channel_problem(context: DecisionContext, placement: Placement) -> Problem | None:
    if not context.channel_id:
        return None
    if placement.decides == ACTIONS:
        return Problem("channel_id", "must be empty: actions compete over all channels of the placement")
    if context.channel_id in placement.channels:
        return None
    has = f"has {', '.join(placement.channels)}" if placement.channels else "names no channels"
    return Problem("channel_id", f"placement {placement.placement_id!r} {has}, so not {context.channel_id!r}")


def new_decision_id() -> str:
    """Return a UUID of version 7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then random bits.

    Ordered by time, so that an index over millions of them stays warm where it grows.
    """
    random = int.from_bytes(os.urandom(10), "big")
    high = (time.time_ns() // 1_000_000) << 16 | 0x7000 | random >> 68
    low = 0x8000_0000_0000_0000 | random & 0x3FFF_FFFF_FFFF_FFFF
    text = f"{high & 0xFFFF_FFFF_FFFF_FFFF:016x}{low:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_MAX_ATTEMPTS = 20
"""So often a decision is made anew because the member or a budget changed while it was made."""


class DecisionMaker:
    """Makes and logs decisions.

    Args:
        programmes: Catalogue, plan and models of each programme.
        assigner: Assigns members.
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
        assigner: Assigner,
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
        self._assigner = assigner
        self._states = states
        self._log = log
        self._clock = clock
        self._books = books
        self._evidence = evidence
        self._replay = replay
        self._on_decision = on_decision

    def make(self, context: DecisionContext, timeout: float) -> tuple[Decision, Catalogue]:
        """Decide, and return the decision once it is on disk, with the catalogue that describes its candidates.

        Args:
            context: What the client asked, each field checked on its own.
            timeout: Seconds that the log may take.

        Returns:
            The decision as logged; an earlier one if the request is a retry.

        Raises:
            ProgrammeNotFoundError: Unknown programme.
            PlacementNotFoundError: Unknown placement.
            InvalidRequestError: The request does not fit the placement, or its time is not allowed.
            RequestIdReusedError: The key was used for another request.
            ServerBusyError: The member's state changed again and again while it was decided.
            StoreUnavailableError, StoreTimeoutError: The decision could not be logged.
        """
        due = time.monotonic() + timeout
        snapshot = self._programmes.current(context.programme)
        placement, channel_id = placement_of(context, snapshot.catalogue)
        now = self._clock()
        if not self._replay and (problem := request_time_problem(context.request_time, now)):
            raise InvalidRequestError([problem])
        digest = context.digest()
        context.place(placement, channel_id, time=self._time(context, now), receive_time=now)
        refused: frozenset[str] = frozenset()
        for _ in range(_MAX_ATTEMPTS):
            result = self._attempt(snapshot, context, digest, refused, due)
            if isinstance(result, Decision):
                if result.request_digest != digest:
                    raise RequestIdReusedError(context.request_id)
                self._on_decision(result)
                return result, snapshot.catalogue
            refused |= result
        raise ServerBusyError("decisions of one member", retry_s=1)

    def _attempt(
        self,
        snapshot: Snapshot,
        context: DecisionContext,
        digest: str,
        refused: frozenset[str],
        due: float,
    ) -> Decision | frozenset[str]:
        """Return the decision that the log has in the end, or the candidates that it refused."""
        closed = self._books(context.programme).closed(context.time)
        if refused:
            closed = Closed.of(closed.candidate_ids | refused)
        evidence = self._evidence(context.programme)
        with self._states.hold(context.programme, context.member_id) as held:
            subject = Subject(context.member_id, attributes=context.attributes)
            assigned = self._assigner.assign_placed(snapshot, subject, context.placement_id)
            context.attempt(new_decision_id(), held.state, assigned, closed=closed, evidence=evidence)
            choice, _ = decide(snapshot, context)
            decision = _decision(snapshot, context, digest, choice)
            pending = self._log.submit_decision(
                decision,
                draws=snapshot.compiled.accounts.draws(choice.candidate_ids, context.time),
                states=_documents(closed, evidence),
                chain=held.chain,
            )
            held.advance(after_decision(held.state, decision))
        result = pending.result(due - time.monotonic())
        return frozenset(result.refused) if result.decision is None else result.decision

    def _time(self, context: DecisionContext, now: datetime) -> datetime:
        return context.request_time if self._replay and context.request_time else now


def _decision(snapshot: Snapshot, context: DecisionContext, digest: str, choice: Choice) -> Decision:
    """Return the decision to log."""
    manifest = snapshot.manifest_at(context.placement)
    return Decision(
        programme=context.programme,
        decision_id=context.decision_id,
        request_id=context.request_id,
        request_digest=digest,
        member_id=context.member_id,
        placement_id=context.placement_id,
        requested_count=context.count,
        request_time=context.request_time,
        receive_time=context.receive_time,
        decide_time=context.time,
        ranking=choice.ranking,
        model_version="" if manifest is None else manifest.model_version,
        plan_revision=snapshot.plan.revision,
        catalogue_revision=snapshot.catalogue.revision,
        feature_time=None if manifest is None else manifest.feature_instant,
        eligible_count=choice.eligible_count,
        degradations=choice.degradations,
        offers=choice.offers,
        assignments=choice.assignments,
        kind=context.placement.decides,
        actions=choice.actions,
        runner_up=choice.runner_up,
        channel_id=context.channel_id,
        attributes=context.attributes,
        basket=tuple(context.basket),
        member_version=context.state.version + 1,
        campaign_id=context.campaign_id,
        standing_arm=choice.standing_arm,
        arbitration_id=choice.arbitration_id,
        exploration=choice.exploration,
        slate_propensity=choice.slate_propensity,
        budget_state=context.closed.state_id,
        evidence_state=context.evidence.state_id,
        removed=choice.removed,
    )


def _documents(closed: Closed, evidence: Evidence) -> list[StateDocument]:
    return [
        StateDocument(state_id, document)
        for state_id, document in ((closed.state_id, closed.document), (evidence.state_id, evidence.document))
        if state_id
    ]
