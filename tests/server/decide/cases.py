"""One catalogue, member and question, as raw facts and as what the server makes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from experiments.log.events import to_micros
from server.budgets.book import Closed
from server.catalogue import Catalogue, Placement
from server.decide.context import DecisionContext, Evidence
from server.decide.snapshot import Snapshot
from server.members import MemberProfile, MemberState
from tests.server.decide.making import arm, ask, counting_bundle, snapshot_of
from training.bundle import Bundle

MEMBER = "m1"


@dataclass(frozen=True)
class Event:
    """One thing that happened to the member; ``kind`` is ``decision`` or a type of outcome."""

    kind: str
    time: datetime
    candidate_id: str = ""
    channel_id: str = ""


@dataclass(frozen=True)
class Case:
    """A catalogue, a member and a question, as raw facts and as what the server makes of them."""

    catalogue: Catalogue
    placement: Placement
    channel_id: str
    profile: MemberProfile
    events: tuple[Event, ...]
    attributes: Mapping[str, object]
    basket: tuple[str, ...]
    count: int
    time: datetime
    closed: frozenset[str]
    evidence: Mapping[str, tuple[int, int]]
    arm: str
    seed: str
    trips: Mapping[str, int] | None
    popular: Mapping[str, float] = field(default_factory=dict)

    @property
    def bundle(self) -> Bundle | None:
        """The model: trips of the member with each offer, if there is one."""
        if not self.popular:
            return None
        trips = {"somebody": {next(iter(self.popular)): 2}}
        if self.trips is not None:
            trips[MEMBER] = dict(self.trips)
        return counting_bundle(trips, self.popular)

    @property
    def snapshot(self) -> Snapshot:
        """What the decision reads."""
        return snapshot_of(self.catalogue, self.bundle)

    def state(self, order: Sequence[int] | None = None) -> MemberState:
        """Return the member's state, their events folded in some order."""
        state = MemberState(MEMBER).after_profile(1, self.profile)
        for place in range(len(self.events)) if order is None else order:
            event, version = self.events[place], state.version + 1
            if event.kind == "decision":
                channels = [event.channel_id] if event.channel_id else []
                given = [event.candidate_id] if event.candidate_id else []
                state = state.after_decision(version, to_micros(event.time), channels, given)
            else:
                state = state.after_outcome(
                    version,
                    to_micros(event.time),
                    event.kind,
                    candidate_id=event.candidate_id,
                    channel_id=event.channel_id,
                    product_ids=["milk"] if event.kind == "purchase" else (),
                )
        return state

    def question(self, state: MemberState | None = None) -> DecisionContext:
        """Return what is asked."""
        return ask(
            self.placement,
            state=self.state() if state is None else state,
            attributes=self.attributes,
            basket=self.basket,
            channel_id=self.channel_id,
            assigned=arm(self.arm),
            count=self.count,
            time=self.time,
            seed=self.seed,
            closed=Closed.of(self.closed),
            evidence=Evidence(self.evidence),
        )
