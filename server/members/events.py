"""What logged decisions and outcomes do to a member's state."""

from collections.abc import Sequence

from experiments.events import OFFERS, Decision, Outcome, to_micros
from server.catalogue.candidates import NO_ACTION
from server.members.state import MemberState


def after_decision(state: MemberState, decision: Decision) -> MemberState:
    """Return the state after a decision, which names the version that it makes.

    Args:
        state: The state before.
        decision: The decision; its ``member_version`` must be set.
    """
    if decision.kind == OFFERS:
        given = [(offer.offer_id, decision.channel_id) for offer in decision.offers]
    else:
        given = [(action.action_id, action.channel_id) for action in decision.actions]
    return after_giving(state, decision.member_version or 0, to_micros(decision.decide_time), given)


def after_giving(
    state: MemberState, version: int, micros: int, given: Sequence[tuple[str, str]]
) -> MemberState:
    """Return the state after a decision that gave these offers or actions, each with its channel or an empty one.

    Args:
        state: The state before.
        version: The version that the decision makes.
        micros: Its time.
        given: What was chosen; *no action* gives nothing.
    """
    kept = [(candidate_id, channel_id) for candidate_id, channel_id in given if candidate_id != NO_ACTION]
    channel_ids = dict.fromkeys(channel_id for _, channel_id in kept if channel_id)
    return state.after_decision(version, micros, channel_ids, [candidate_id for candidate_id, _ in kept])


def after_outcome(state: MemberState, outcome: Outcome) -> MemberState:
    """Return the state after an outcome, which names the version that it makes."""
    return state.after_outcome(
        outcome.member_version or 0,
        to_micros(outcome.outcome_time),
        outcome.outcome_type,
        candidate_id=outcome.offer_id,
        channel_id=outcome.channel_id,
        product_ids=outcome.product_ids,
    )
