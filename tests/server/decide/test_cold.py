"""What is new: for whom it comes into question, which places it has, and how evidence moves its probability."""

import pytest
import scipy.stats

from server.catalogue import Arbitration, Catalogue, Exploration, Offer, Placement
from server.decide.context import Evidence
from server.decide.decide import decide
from server.decide.gates import Gate
from server.members import MemberState
from tests.server.decide.making import NOON, ask, dollars, offers, snapshot_of

MEMBERS = 2000


def throttled(exploration: Exploration, evidence: Evidence, **more: object) -> float:
    """Return the share of members for whom offer ``new`` comes into question."""
    catalogue = Catalogue(
        placements=(Placement(placement_id="home", exploration=exploration),), offers=offers("old", "new")
    )
    snapshot = snapshot_of(catalogue)
    reached = 0
    for number in range(MEMBERS):
        question = ask(catalogue.placements[0], state=MemberState(f"m{number}"), evidence=evidence, **more)  # type: ignore[arg-type]  # as ask wants it
        _, considered = decide(snapshot, question)
        code = considered.codes[considered.table.places["new"][0]]
        assert code in {Gate.OPEN, Gate.NEW_TO_FEW}
        reached += code == Gate.OPEN
    return reached / MEMBERS


@pytest.mark.parametrize(
    ("given", "expected"), [(0, 0.2), (25, 0.4), (50, 0.6), (99, 0.992), (100, 1.0), (5000, 1.0)]
)
def test_the_share_of_members_grows_with_the_evidence(given: int, expected: float) -> None:
    """From ``cold_share`` for a wholly new offer in a straight line to all members at ``mature_after`` (99.9 % band)."""
    exploration = Exploration(method="epsilon", mature_after=100, cold_share=0.2)
    evidence = Evidence({"old": (1000, 10), "new": (given, 0)})
    low, high = scipy.stats.binom.interval(1 - 0.001 / 6, MEMBERS, expected)
    assert low <= throttled(exploration, evidence) * MEMBERS <= high


def test_a_member_stays_for_a_month_and_two_offers_have_members_of_their_own() -> None:
    """Who an offer is tried on hangs on member, offer and month, not on the decision."""
    exploration = Exploration(method="epsilon", cold_share=0.5)
    names = [f"o{number}" for number in range(20)]
    catalogue = Catalogue(
        placements=(Placement(placement_id="home", exploration=exploration),), offers=offers(*names)
    )
    snapshot = snapshot_of(catalogue)

    def reached(member: str, day: int, month: int, seed: str) -> tuple[int, ...]:
        time = NOON.replace(month=month, day=day)
        question = ask(catalogue.placements[0], state=MemberState(member), time=time, seed=seed)
        return tuple(decide(snapshot, question)[1].codes.tolist())

    assert reached("m1", 1, 5, "d1") == reached("m1", 31, 5, "d2")
    assert len({reached("m1", 1, month, "d1") for month in range(1, 13)}) == 12
    assert len({reached(f"m{number}", 1, 5, "d1") for number in range(50)}) == 50


def test_where_all_are_too_new_for_her_the_fallback_is_given() -> None:
    """The fallback fills the answer after what comes into question for them, or alone."""
    exploration = Exploration(method="epsilon", cold_share=0.01)
    catalogue = Catalogue(
        placements=(Placement(placement_id="home", exploration=exploration, fallback_offer_ids=("always",)),),
        offers=offers("new", "always"),
    )
    snapshot = snapshot_of(catalogue)
    answers = set()
    for number in range(20):
        choice, _ = decide(snapshot, ask(catalogue.placements[0], state=MemberState(f"m{number}")))
        answers.add(tuple(one.offer_id for one in choice.offers))
    assert ("always",) in answers
    assert answers <= {("always",), ("new", "always")}


def cold_catalogue(shortlist: int, cold_places: int) -> Catalogue:
    """Return offers that are the better the earlier they stand, drawn evenly from the shortlist."""
    exploration = Exploration(
        method="epsilon", share=1.0, shortlist=shortlist, cold_places=cold_places, mature_after=100
    )
    return Catalogue(
        currency_code="USD",
        placements=(Placement(placement_id="home", arbitration="formula", exploration=exploration),),
        arbitrations=(Arbitration(arbitration_id="formula", factors=("value",)),),
        offers=tuple(
            Offer(offer_id=f"o{place}", kind="perk", value=dollars(20 - place)) for place in range(10)
        ),
    )


@pytest.mark.parametrize(
    ("cold", "cold_places", "expected"),
    [
        ((7, 8, 9), 2, {0, 1, 7, 8}),
        ((7,), 2, {0, 1, 7, 2}),
        ((0, 8), 1, {0, 1, 2, 8}),
        ((3, 8), 1, {0, 1, 2, 3}),
        ((), 2, {0, 1, 2, 3}),
        ((5, 6, 7, 8, 9), 4, {5, 6, 7, 8}),
        ((9,), 0, {0, 1, 2, 3}),
    ],
)
def test_the_last_places_of_the_shortlist_are_for_what_is_new(
    cold: tuple[int, ...], cold_places: int, expected: set[int]
) -> None:
    """The best without evidence take ``cold_places``, beside those that are among the best anyway; too few leave them."""
    catalogue = cold_catalogue(4, cold_places)
    snapshot = snapshot_of(catalogue)
    evidence = Evidence({f"o{place}": (100, 1) for place in range(10) if place not in cold})
    first = {
        decide(snapshot, ask(catalogue.placements[0], evidence=evidence, seed=f"d{number}"))[0]
        .offers[0]
        .offer_id
        for number in range(200)
    }
    assert first == {f"o{place}" for place in expected}


def test_ties_in_the_places_of_what_is_new_go_by_the_catalogue() -> None:
    """Of equal offers the first of the catalogue is the best of the shortlist, new or not."""
    exploration = Exploration(method="epsilon", share=0.0, shortlist=2, cold_places=2, mature_after=100)
    catalogue = Catalogue(
        placements=(Placement(placement_id="home", exploration=exploration),), offers=offers("old", "new")
    )
    evidence = Evidence({"old": (100, 1)})
    choice, _ = decide(snapshot_of(catalogue), ask(catalogue.placements[0], evidence=evidence))
    assert [one.offer_id for one in choice.offers] == ["old", "new"]


@pytest.mark.parametrize(
    ("given", "answered", "expected"),
    [(0, 0, 0.05), (200, 0, 0.01), (200, 40, 0.17), (950, 95, 0.0975), (10, 20, 0.2083333333)],
)
def test_evidence_moves_the_prior(given: int, answered: int, expected: float) -> None:
    """(50 × 0.05 + responses) / (50 + decisions); more responses than decisions count as all of them."""
    catalogue = Catalogue(
        currency_code="USD",
        placements=(Placement(placement_id="home", arbitration="formula"),),
        arbitrations=(Arbitration(arbitration_id="formula", default_probability=0.9),),
        offers=(
            Offer(offer_id="a", kind="perk", value=dollars(1), prior_probability=0.05, prior_evidence=50),
        ),
    )
    question = ask(catalogue.placements[0], evidence=Evidence({"a": (given, answered)}))
    choice, _ = decide(snapshot_of(catalogue), question)
    assert choice.offers[0].score == pytest.approx(expected)
