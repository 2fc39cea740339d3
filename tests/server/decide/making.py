"""Short ways to a snapshot, a question and a model, so that a test says only what it is about."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from experiments.assignment.plan import Assignment, AssignmentReason, compile_plan
from server.budgets.book import NOTHING_CLOSED, Closed
from server.catalogue import Catalogue, Money, Offer, Placement
from server.decide.context import NO_EVIDENCE, DecisionContext, Evidence
from server.decide.snapshot import Snapshot
from server.members import MemberState
from tests.server.scene import counting_model
from training.bundle import FORMAT_VERSION, Bundle, Manifest, OfferModel, Task

NOON = datetime(2026, 5, 13, 12, 0, tzinfo=UTC)
"""A Wednesday."""


def dollars(amount: float) -> Money:
    """Return an amount of money."""
    return Money(amount=Decimal(str(amount)), currency_code="USD")


def offers(*names: str) -> tuple[Offer, ...]:
    """Return offers without rules or limits; no coupons, which may be redeemed only once."""
    return tuple(Offer(offer_id=name, kind="product") for name in names)


def bundle_of(model: OfferModel, feature_time: datetime = NOON) -> Bundle:
    """Return a model as the server holds it, without a folder."""
    time = feature_time.isoformat()
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        kind="offers",
        programme="default",
        model_name="hand",
        model_version="hand@1",
        run_id="",
        data_fingerprint="",
        code_version="unknown",
        feature_time=time,
        create_time=time,
        parameters={},
        metrics={},
        task=model.task.value,
        files={},
        layout={},
    )
    return Bundle(Path("nowhere"), manifest, model)


def counting_bundle(
    trips: Mapping[str, Mapping[str, int]], popular: Mapping[str, float], task: Task = Task.REPLENISH
) -> Bundle:
    """Return a model that scores an offer by the member's trips with it.

    Args:
        trips: By member and offer.
        popular: Popular score of each offer that the model knows.
        task: What it is for.
    """
    known = sorted(popular)
    ordered = {member: trips[member] for member in sorted(trips)}
    return bundle_of(counting_model(task, known, ordered, [popular[one] for one in known]))


def snapshot_of(catalogue: Catalogue, bundle: Bundle | None = None) -> Snapshot:
    """Return what a decision reads."""
    bundles = {} if bundle is None else {bundle.model.task: bundle}
    return Snapshot(catalogue, compile_plan([], catalogue.programme), bundles)


def variant(parameters: Mapping[str, str]) -> Assignment:
    """Return the assignment to a variant with these parameters."""
    return Assignment("exp", "v", AssignmentReason.ASSIGNED, "plan-1", 1, dict(parameters))


def arm(name: str) -> tuple[Assignment, ...]:
    """Return the assignments of a member in a standing arm."""
    return (variant({"standing_arm": name}),) if name else ()


def ask(
    placement: Placement,
    *,
    state: MemberState | None = None,
    attributes: Mapping[str, object] | None = None,
    basket: Sequence[str] = (),
    channel_id: str = "",
    assigned: Sequence[Assignment] = (),
    count: int | None = None,
    time: datetime = NOON,
    seed: str = "d1",
    closed: Closed = NOTHING_CLOSED,
    evidence: Evidence = NO_EVIDENCE,
) -> DecisionContext:
    """Return the decision of a member of whom nothing is known, unless said otherwise."""
    state = MemberState("m1") if state is None else state
    context = DecisionContext(
        member_id=state.member_id,
        placement_id=placement.placement_id,
        attributes={} if attributes is None else attributes,
        basket=basket,
        factors=True,
    )
    context.place(placement, channel_id, time=time, receive_time=time)
    context.count = placement.default_offer_count if count is None else count
    context.attempt(seed, state, assigned, closed=closed, evidence=evidence)
    return context
