"""What logged decisions and outcomes do to a member's state."""

from collections.abc import Iterable

from experiments.log.events import OFFERS, Decision, Outcome, to_micros
from server.catalogue.candidates import NO_ACTION
from server.members.state import MemberState


def after_decision(state: MemberState, decision: Decision) -> MemberState:
    """Return the state after a decision, which names the version that it makes.

    Args:
        state: The state before.
        decision: The decision; its ``member_version`` must be set.
    """
    if decision.kind == OFFERS:
        chosen = [(offer.offer_id, decision.channel_id) for offer in decision.offers]
    else:
        chosen = [(action.action_id, action.channel_id) for action in decision.actions]
    return state.after_decision(decision.member_version or 0, to_micros(decision.decide_time), *given(chosen))


def given(chosen: Iterable[tuple[str, str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the channels that an answer takes and what it gives; *no action* gives nothing.

    Args:
        chosen: Each offer or action that was chosen, with its channel or an empty one.
    """
    kept = [(candidate_id, channel_id) for candidate_id, channel_id in chosen if candidate_id != NO_ACTION]
    channel_ids = dict.fromkeys(channel_id for _, channel_id in kept if channel_id)
    return tuple(channel_ids), tuple(candidate_id for candidate_id, _ in kept)


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
