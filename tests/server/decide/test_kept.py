"""What is kept between decisions must not outlive what it was worked out from."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from experiments.assignment.plan import compile_plan
from server.catalogue import (
    Action,
    Arbitration,
    Catalogue,
    Channel,
    Offer,
    Placement,
)
from server.decide.context import Question, Visit
from server.decide.decide import decide
from server.decide.score import ProfileCache
from server.members import MemberProfile, MemberState
from server.programme.snapshot import Snapshot
from tests.server import scene
from training.bundle import open_bundle

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def _offered(snapshot: Snapshot, state: MemberState) -> list[str]:
    (placement,) = snapshot.catalogue.placements
    question = Question(placement, "web", Visit(state), (), 3, NOON, "seed")
    return [one.offer_id for one in decide(snapshot, question)[0].offers]


def test_members_of_one_answer_to_rules_may_differ_in_consent() -> None:
    """What gates make of a table is shared by members for whom both rules and ways say the same, not rules alone."""
    catalogue = Catalogue(
        attributes={"age": "int"},
        channels=(Channel(channel_id="web", purposes=("ads",)),),
        placements=(Placement(placement_id="till", channels=("web",)),),
        offers=(Offer(offer_id="tea", eligible="age > 17"),),
    )
    snapshot = Snapshot(catalogue, compile_plan([], "default"))

    def member(name: str, age: int, *, consents: bool) -> MemberState:
        profile = MemberProfile(attributes={"age": age}, consents={("web", "ads"): consents})
        return MemberState(name, profile=profile)

    assert _offered(snapshot, member("anna", 40, consents=True)) == ["tea"]
    assert _offered(snapshot, member("bob", 40, consents=False)) == []
    assert _offered(snapshot, member("cleo", 12, consents=True)) == []
    assert _offered(snapshot, member("anna", 40, consents=True)) == ["tea"]
    # The same member, told something else since.
    assert _offered(snapshot, member("anna", 12, consents=True)) == []


def test_a_past_grows_older(tmp_path: Path) -> None:
    """A member's past is kept for a day of the model's time, and not beyond a purchase."""
    folder = tmp_path / "scene"
    scene.write_scene(folder)
    bundle = open_bundle(scene.champion_link(folder).resolve())
    pasts, since = ProfileCache(bundle), bundle.manifest.feature_instant
    visit = Visit(MemberState("m01"))

    member, today = pasts.of(visit, since + timedelta(hours=30))
    assert pasts.of(visit, since + timedelta(hours=31)) == (member, today)
    _, tomorrow = pasts.of(visit, since + timedelta(hours=50))
    expected = visit.past(bundle.model, member, since, since + timedelta(hours=50))
    assert tomorrow.columns.tobytes() == expected.columns.tobytes()
    assert tomorrow.stats.tobytes() == expected.stats.tobytes() != today.stats.tobytes()

    bought = visit.state.after_outcome(
        1, int((since + timedelta(hours=49)).timestamp() * 1e6), "purchase", product_ids=["apple"]
    )
    _, after = pasts.of(Visit(bought), since + timedelta(hours=50))
    assert after.stats.tobytes() != tomorrow.stats.tobytes()


def test_the_window_of_responses_is_the_longest_that_weighs() -> None:
    """Only placements that weigh evidence set how long a decision waits; without one nothing is gathered."""
    worth = Arbitration(arbitration_id="worth")
    plain = Placement(placement_id="plain", attribution_window_days=90)
    till = Placement(placement_id="till", arbitration="worth", attribution_window_days=3)
    following = Placement(placement_id="next", decides="actions", attribution_window_days=9)
    care = (Action(action_id="care", kind="care"),)

    assert Catalogue(placements=(plain,)).response_window is None
    assert Catalogue(placements=(plain, till), arbitrations=(worth,)).response_window == timedelta(days=3)
    every = Catalogue(placements=(plain, till, following), arbitrations=(worth,), actions=care)
    assert every.response_window == timedelta(days=9)


def test_a_fallback_that_is_given_was_not_removed() -> None:
    """It counts among what could be chosen; one that was not needed is removed as a fallback."""
    catalogue = Catalogue(
        channels=(Channel(channel_id="web"),),
        placements=(
            Placement(placement_id="till", channels=("web",), fallback_offer_ids=("jam", "rice", "nuts")),
        ),
        offers=tuple(Offer(offer_id=one) for one in ("tea", "jam", "rice", "nuts")),
    )
    snapshot = Snapshot(catalogue, compile_plan([], "default"))
    (placement,) = catalogue.placements
    choice, _ = decide(snapshot, Question(placement, "web", Visit(MemberState("anna")), (), 3, NOON, "seed"))

    assert [one.offer_id for one in choice.offers] == ["tea", "jam", "rice"]
    assert choice.eligible_count == 3
    assert dict(choice.removed) == {"FALLBACK_ONLY": 1}
