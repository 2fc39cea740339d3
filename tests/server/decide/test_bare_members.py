"""A member of whom nothing is known, or of whom something odd is, still gets an answer."""

from datetime import UTC, datetime

import pytest

from server.catalogue import Catalogue, Channel, Offer, Placement, QuietHours
from server.decide.decide import decide
from server.members import MemberProfile, MemberState
from tests.server.decide.making import NOON, ask, counting_bundle, offers, snapshot_of

RULES = ("age >= 18", 'tier == "gold"', "points_balance > 10", "days_since_purchase < 9", 'city in ["Rome"]')


def test_a_member_without_any_attribute_gets_an_answer() -> None:
    """Rules that cannot tell close their offers with a reason of their own; the others are given."""
    asked = tuple(Offer(offer_id=f"r{place}", eligible=rule) for place, rule in enumerate(RULES))
    catalogue = Catalogue(
        attributes={"age": "int", "city": "string"},
        placements=(Placement(placement_id="home"),),
        offers=(*asked, *offers("free")),
    )
    choice, _ = decide(snapshot_of(catalogue), ask(catalogue.placements[0], state=MemberState("nobody")))
    assert [one.offer_id for one in choice.offers] == ["free"]
    assert choice.removed == {"ELIGIBILITY_ERROR": len(RULES)}


def test_a_member_that_the_model_does_not_know_gets_what_is_popular() -> None:
    """Without history and attributes the popular offers are given, and the answer says why."""
    catalogue = Catalogue(placements=(Placement(placement_id="home"),), offers=offers("a", "b", "c"))
    bundle = counting_bundle({"somebody": {"a": 3}}, {"a": 1.0, "b": 3.0, "c": 2.0})
    choice, _ = decide(snapshot_of(catalogue, bundle), ask(catalogue.placements[0]))
    assert [one.offer_id for one in choice.offers] == ["b", "c", "a"]
    assert (choice.ranking, choice.degradations) == ("popular", ("MEMBER_UNKNOWN",))


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "America", "", "a\x00b", "UTC" * 100])
@pytest.mark.parametrize("hour", [3, 12])
def test_a_time_zone_that_does_not_exist_counts_as_the_catalogues(zone: str, hour: int) -> None:
    """Whatever stands in a profile, there is an answer; rules and quiet hours then go by the catalogue's time."""
    catalogue = Catalogue(
        time_zone="UTC",
        channels=(Channel(channel_id="push", outbound=True),),
        placements=(Placement(placement_id="home", channels=("push",)),),
        quiet_hours=(QuietHours(start="22:00", end="07:00"),),
        offers=(
            Offer(offer_id="night", eligible="local_hour < 7"),
            Offer(offer_id="day", eligible="local_hour >= 7"),
        ),
    )
    state = MemberState("m1", profile=MemberProfile(time_zone=zone))
    time = NOON.replace(hour=hour)
    question = ask(catalogue.placements[0], state=state, channel_id="push", time=time)
    choice, _ = decide(snapshot_of(catalogue), question)
    assert [one.offer_id for one in choice.offers] == ([] if hour == 3 else ["day"])
    assert dict(choice.removed) == (
        {"QUIET_HOURS": 1, "NOT_ELIGIBLE": 1} if hour == 3 else {"NOT_ELIGIBLE": 1}
    )


@pytest.mark.parametrize("time", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_the_ends_of_the_calendar_have_an_answer(time: datetime, zone: str) -> None:
    """Where the local time lies outside the calendar the time itself stands in, for rules and quiet hours alike."""
    catalogue = Catalogue(
        time_zone=zone,
        channels=(Channel(channel_id="push", outbound=True),),
        placements=(Placement(placement_id="home", channels=("push",)),),
        quiet_hours=(QuietHours(start="10:00", end="11:00"),),
        offers=(Offer(offer_id="a", eligible="local_hour >= 0"),),
    )
    question = ask(catalogue.placements[0], channel_id="push", time=time)
    choice, _ = decide(snapshot_of(catalogue), question)
    assert [one.offer_id for one in choice.offers] == ["a"]
