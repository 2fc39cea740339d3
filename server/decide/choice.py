"""What was chosen, and how it came about."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from experiments.assignment.plan import Assignment
from experiments.log.events import ActionChoice, AssignedVariant, OfferChoice, OfferReason
from server.catalogue import NO_ACTION
from server.decide.arbitrate import Weighed
from server.decide.context import DecisionContext
from server.decide.eligibility import Codes, Eligibility
from server.decide.explore import UNIFORM, Slate
from server.decide.gates import Gate
from server.decide.policy import NO_MODEL, Policy
from server.decide.score import Scored
from server.decide.table import CandidateTable

_REMOVING = tuple((int(gate), gate.name) for gate in Gate if gate is not Gate.OPEN)


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen and how.

    Attributes:
        offers: Best first.
        actions: The action chosen, where actions are.
        runner_up: The action that comes next.
        ranking: The ranking that was used in the end.
        degradations: What was missing.
        eligible_count: Rows that could be chosen.
        assignments: Experiments that reached the member.
        standing_arm: The standing arm that they are in, or empty.
        arbitration_id: What weighed, or empty.
        exploration: How much was left to chance.
        slate_propensity: Probability of the whole answer.
        removed: How many candidates each gate removed.
    """

    offers: tuple[OfferChoice, ...]
    actions: tuple[ActionChoice, ...]
    runner_up: ActionChoice | None
    ranking: str
    degradations: tuple[str, ...]
    eligible_count: int
    assignments: tuple[AssignedVariant, ...]
    standing_arm: str
    arbitration_id: str
    exploration: str
    slate_propensity: float
    removed: Mapping[str, int]

    @property
    def candidate_ids(self) -> tuple[str, ...]:
        """What it gives; *no action* is nothing."""
        given = (*(one.offer_id for one in self.offers), *(one.action_id for one in self.actions))
        return tuple(one for one in given if one != NO_ACTION)


@dataclass(frozen=True, slots=True)
class Considered:
    """How a choice came about, kept to explain it.

    Attributes:
        table: The candidates.
        eligibility: The gate that removed each row, and how many each removed.
        scored: What the model says; ``None`` where gates left nothing, or the member is held out.
        weighed: What the arbitration makes of it; ``None`` without one.
        slate: Rows of the table in the order of the answer.
        runner_up: The row that comes next, where actions are chosen.
    """

    table: CandidateTable
    eligibility: Eligibility
    scored: Scored | None = None
    weighed: Weighed | None = None
    slate: Slate = field(default=Slate((), ()))
    runner_up: int | None = None

    @property
    def codes(self) -> Codes:
        """uint8[rows], the gate that removed each row; 0 for those that could be chosen."""
        return self.eligibility.codes

    def score(self, place: int) -> float:
        """Return the score of a row; 0 for one that was not scored."""
        position = self._position(place)
        if position is None or self.scored is None:
            return 0.0
        return float(self.scored.scores[position] if self.weighed is None else self.weighed.scores[position])

    def factors(self, place: int) -> Mapping[str, float] | None:
        """Return what the score of a row is made of; nothing without an arbitration, and for one that was not scored."""
        position = self._position(place)
        return None if position is None or self.weighed is None else self.weighed.factors(position)

    def _position(self, place: int) -> int | None:
        if self.scored is None:
            return None
        places = self.scored.places
        at = int(places.searchsorted(place))
        return at if at < len(places) and places[at] == place else None


def choice_of(
    context: DecisionContext, policy: Policy, assignments: tuple[Assignment, ...], considered: Considered
) -> Choice:
    """Return the answer.

    Args:
        context: The decision.
        policy: What decided.
        assignments: The variants that reached the member.
        considered: How it came about.
    """
    scored, weighed = considered.scored, considered.weighed
    offers: tuple[OfferChoice, ...] = ()
    actions: tuple[ActionChoice, ...] = ()
    runner_up = None
    degradations: tuple[str, ...] = ()
    if context.placement.decides == "actions":
        made = [
            _action(considered, place, rank, propensity, factors=context.factors)
            for rank, (place, propensity) in enumerate(_answered(considered), start=1)
        ]
        actions, runner_up = tuple(made[:1]), made[1] if len(made) > 1 else None
    else:
        offers = _offers(considered, factors=context.factors)
        degradations = () if scored is None or policy.arm == NO_MODEL else scored.degradations
    if weighed is not None:
        degradations = (*degradations, *weighed.degradations)
    counts = considered.eligibility.counts
    return Choice(
        offers=offers,
        actions=actions,
        runner_up=runner_up,
        ranking=policy.ranking if scored is None else scored.ranking,
        degradations=degradations,
        eligible_count=counts[Gate.OPEN],
        assignments=tuple(
            AssignedVariant(
                a.experiment_id, a.variant_id or "", a.experiment_revision, a.parameters, a.reason.value
            )
            for a in assignments
        ),
        standing_arm=policy.arm,
        arbitration_id="" if policy.arbitration is None else policy.arbitration.arbitration_id,
        exploration=UNIFORM if policy.uniform else policy.exploration.method,
        slate_propensity=math.prod(considered.slate.propensities, start=1.0),
        removed={name: counts[gate] for gate, name in _REMOVING if counts[gate]},
    )


def _answered(considered: Considered) -> list[tuple[int, float]]:
    """Return the rows of the answer with their propensities; the runner-up, which is not given, has that of certainty."""
    slate = considered.slate
    rows = list(zip(slate.places, slate.propensities, strict=True))
    return rows if considered.runner_up is None else [*rows, (considered.runner_up, 1.0)]


def _action(
    considered: Considered, place: int, rank: int, propensity: float, *, factors: bool
) -> ActionChoice:
    table = considered.table
    return ActionChoice(
        table.candidates[place].candidate_id,
        table.channel_ids[place],
        rank,
        considered.score(place),
        propensity,
        considered.factors(place) if factors else None,
    )


def _offers(considered: Considered, *, factors: bool) -> tuple[OfferChoice, ...]:
    slate, scored = considered.slate, considered.scored
    reasons: Sequence[tuple[OfferReason, ...]] = [()] * len(slate.places)
    if scored is not None:
        reasons = scored.reasons(np.array(slate.places, dtype=np.int64))
    return tuple(
        OfferChoice(
            considered.table.candidates[place].candidate_id,
            rank,
            considered.score(place),
            propensity,
            why,
            considered.factors(place) if factors else None,
        )
        for rank, (place, propensity, why) in enumerate(
            zip(slate.places, slate.propensities, reasons, strict=True), start=1
        )
    )
