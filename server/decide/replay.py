"""Making a decision again from what it was made from, and comparing it with the log."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from experiments.assignment.plan import Assignment, AssignmentReason
from experiments.log.events import ActionChoice, Decision, OfferChoice
from server.budgets import Closed
from server.catalogue import Placement
from server.decide.choice import Choice
from server.decide.context import DecisionContext, Evidence
from server.members import MemberState

_COMPARED = (
    "offers", "actions", "runner_up", "ranking", "degradations", "eligible_count", "standing_arm",
    "arbitration_id", "exploration", "slate_propensity", "removed",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that came out otherwise.

    Attributes:
        path: What, for example ``offers[0].score``.
        logged: What the log has, as text that tells every bit.
        replayed: What came out.
    """

    path: str
    logged: str
    replayed: str


def context_of(
    decision: Decision, placement: Placement, state: MemberState, closed: Closed, evidence: Evidence
) -> DecisionContext:
    """Return the context in which a logged decision was made.

    Args:
        decision: From the log.
        placement: Its placement, from the catalogue of its revision.
        state: The member's state that it read.
        closed: What budgets had closed.
        evidence: What was known of responses.

    Returns:
        The context, which ``decide`` turns into the same decision.
    """
    chosen: tuple[OfferChoice | ActionChoice, ...] = (*decision.offers, *decision.actions)
    context = DecisionContext(
        programme=decision.programme,
        member_id=decision.member_id,
        placement_id=decision.placement_id,
        attributes=decision.attributes,
        basket=decision.basket,
        factors=any(one.factors is not None for one in chosen),
    )
    context.place(
        placement, decision.channel_id, time=decision.decide_time, receive_time=decision.receive_time
    )
    context.count = decision.requested_count
    assigned = [
        Assignment(
            experiment_id=one.experiment_id,
            variant_id=one.variant_id,
            reason=AssignmentReason(one.reason),
            plan_revision=decision.plan_revision,
            experiment_revision=one.experiment_revision,
            parameters=one.parameters,
        )
        for one in decision.assignments
    ]
    context.attempt(decision.decision_id, state, assigned, closed=closed, evidence=evidence)
    return context


def differences(decision: Decision, choice: Choice) -> tuple[Difference, ...]:
    """Return everything in which a choice differs from the log; nothing if every bit is the same."""
    return tuple(
        difference
        for name in _COMPARED
        for difference in _differences(name, getattr(decision, name), getattr(choice, name))
    )


def _differences(path: str, logged: Any, replayed: Any) -> Iterator[Difference]:
    if is_dataclass(logged) and type(logged) is type(replayed):
        for field in fields(logged):
            yield from _differences(
                f"{path}.{field.name}", getattr(logged, field.name), getattr(replayed, field.name)
            )
    elif isinstance(logged, tuple) and isinstance(replayed, tuple) and len(logged) == len(replayed):
        for index, (one, other) in enumerate(zip(logged, replayed, strict=True)):
            yield from _differences(f"{path}[{index}]", one, other)
    elif isinstance(logged, Mapping) and isinstance(replayed, Mapping):
        for name in sorted(logged.keys() | replayed.keys()):
            yield from _differences(f"{path}.{name}", logged.get(name), replayed.get(name))
    elif logged != replayed or (isinstance(logged, float) and repr(logged) != repr(replayed)):
        yield Difference(path, repr(logged), repr(replayed))
