"""The two clocks: live, the client's is checked and logged; in a replay it decides."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from tests.server import scene
from tests.server.running import Running, refusal, running
from troth.v1.recommendation_service_pb2 import RecommendOffersRequest

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2017, 12, 5, 12, 0, 0, 250_000, tzinfo=UTC)


class SettableClock:
    """A clock that shows what a test sets it to."""

    def __init__(self, time: datetime) -> None:
        self.time = time

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture(scope="module")
def clock() -> SettableClock:
    return SettableClock(NOW)


@pytest.fixture(scope="module")
def at_noon(tmp_path_factory: pytest.TempPathFactory, clock: SettableClock) -> Iterator[Running]:
    """A live server whose clock the tests set."""
    with running(scene.write_scene(tmp_path_factory.mktemp("clock") / "scene"), clock) as started:
        yield started


def _stamp(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp


def _ask(time: datetime) -> RecommendOffersRequest:
    return RecommendOffersRequest(
        member_id="nobody", placement_id="checkout", offer_count=10, request_time=_stamp(time)
    )


@pytest.mark.parametrize("minutes", [-5, -1, 0, 4.999, 5])
def test_live_within_five_minutes(at_noon: Running, clock: SettableClock, minutes: float) -> None:
    """A client's clock within five minutes, the bounds included, is fine; the server's decides, both are logged."""
    clock.time = NOW
    client_time = NOW + timedelta(minutes=minutes)

    decision = at_noon.recommend_offers(_ask(client_time)).decision

    assert decision.decide_time.ToDatetime(tzinfo=UTC) == NOW
    row = at_noon.logged_decision(decision.decision_id)
    assert (row["request_time"], row["receive_time"], row["decide_time"]) == (client_time, NOW, NOW)


@pytest.mark.parametrize(
    "client_time",
    [
        NOW + timedelta(minutes=5, microseconds=1),
        NOW - timedelta(minutes=5, microseconds=1),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    ],
    ids=["ahead", "behind", "year 1", "year 9999"],
)
def test_live_beyond_five_minutes(at_noon: Running, clock: SettableClock, client_time: datetime) -> None:
    """Beyond five minutes either way a live server refuses, names the field and logs nothing."""
    clock.time = NOW
    rows = at_noon.row_counts()

    refused = refusal(at_noon.recommend_offers, _ask(client_time))

    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.reason == "INVALID_REQUEST"
    assert refused.paths == ["request_time"]
    assert "5 minutes" in refused.message
    assert "--replay" in refused.message
    assert at_noon.row_counts() == rows


def test_live_without_a_request_time(at_noon: Running, clock: SettableClock) -> None:
    """A request without a time is decided by the server's clock; the log has no request time."""
    clock.time = NOW
    decision = at_noon.decide("nobody")

    row = at_noon.logged_decision(decision.decision_id)
    assert (row["request_time"], row["receive_time"], row["decide_time"]) == (None, NOW, NOW)


def test_replay_decides_as_of_the_request(replay_server: Running) -> None:
    """A replay server decides as of the request's own time and logs its own clock beside it."""
    before = datetime.now(UTC)
    client_time = datetime(2017, 12, 6, 1, 2, 3, 456_789, tzinfo=UTC)

    decision = replay_server.recommend_offers(_ask(client_time)).decision

    row = replay_server.logged_decision(decision.decision_id)
    assert decision.decide_time.ToDatetime(tzinfo=UTC) == client_time
    assert (row["request_time"], row["decide_time"]) == (client_time, client_time)
    assert before <= row["receive_time"] <= datetime.now(UTC)


def test_replay_without_a_request_time(replay_server: Running) -> None:
    """Without a time a replay server decides as of now."""
    decision = replay_server.decide("nobody")

    row = replay_server.logged_decision(decision.decision_id)
    assert row["request_time"] is None
    assert row["decide_time"] == row["receive_time"]


@pytest.mark.parametrize(
    "client_time",
    [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1, 1, 1, 4, 0, 0, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ],
    ids=["year 1", "year 1 before local midnight", "before the epoch", "year 9999"],
)
def test_replay_at_the_ends_of_time(replay_server: Running, client_time: datetime) -> None:
    """Every valid timestamp gets an answer in a replay, also where the local day lies outside the calendar."""
    decision = replay_server.recommend_offers(_ask(client_time)).decision

    assert replay_server.logged_decision(decision.decision_id)["decide_time"] == client_time


def _windows() -> list[tuple[str, datetime, bool]]:
    """Return instants around the ends of windows in Eastern time, and whether the offer is valid then."""
    edges = {
        # 23 hours: 05:00 to 04:00 UTC.
        "spring-day": (datetime(2017, 3, 12, 5, tzinfo=UTC), datetime(2017, 3, 13, 4, tzinfo=UTC)),
        # 25 hours: 04:00 to 05:00 UTC.
        "autumn-day": (datetime(2017, 11, 5, 4, tzinfo=UTC), datetime(2017, 11, 6, 5, tzinfo=UTC)),
        # Seven days of winter.
        "december": (datetime(2017, 12, 4, 5, tzinfo=UTC), datetime(2017, 12, 11, 5, tzinfo=UTC)),
    }
    tick = timedelta(microseconds=1)
    return [
        (offer, instant, valid)
        for offer, (start, end) in edges.items()
        for instant, valid in (
            (start - tick, False),
            (start, True),
            (start + (end - start) / 2, True),
            (end - tick, True),
            (end, False),
        )
    ]


@pytest.mark.parametrize("case", _windows(), ids=lambda case: f"{case[0]} {case[1]}")
def test_windows_are_local_days(
    at_noon: Running, replay_server: Running, clock: SettableClock, case: tuple[str, datetime, bool]
) -> None:
    """An offer is valid from the first local midnight to the last, on the days of 23 and 25 hours too.

    The bounds in UTC were worked out by hand from the US rules of 2017 (clocks changed on March 12 and November 5).
    """
    offer, instant, valid = case
    clock.time = instant
    live = at_noon.decide("nobody", offer_count=10)
    replayed = replay_server.recommend_offers(_ask(instant)).decision

    for decision in (live, replayed):
        assert decision.decide_time.ToDatetime(tzinfo=UTC) == instant
        assert decision.eligible_count == 16 + valid
        expected = scene.eligible("checkout", instant.astimezone(NEW_YORK).date())
        assert (offer in expected) is valid
        ranked = scene.ranked(expected, scene.popular_scores())[:10]
        assert [one.offer_id for one in decision.offers] == [name for name, _ in ranked]


@given(st.integers(0, 380 * 86_400))
def test_eligible_count_at_any_moment(seconds: int) -> None:
    """At any moment the catalogue's eligible offers are those whose window holds the local day."""
    day = (datetime(2016, 12, 25, tzinfo=UTC) + timedelta(seconds=seconds)).astimezone(NEW_YORK).date()
    positions = scene.CATALOGUE.eligible("checkout", day)

    assert [scene.OFFERS[place].offer_id for place in positions] == scene.eligible("checkout", day)


def test_days_of_a_replay_do_not_pile_up(replay_server: Running) -> None:
    """A replay over more days than are kept joined gives right answers when it comes back to a day."""
    start = datetime(2017, 10, 1, 12, tzinfo=UTC)
    counts: dict[date, int] = {}
    for step in (*range(90), *range(90)):
        instant = start + timedelta(days=step)
        decision = replay_server.recommend_offers(_ask(instant)).decision
        day = instant.date()
        assert counts.setdefault(day, decision.eligible_count) == decision.eligible_count
    assert {day for day, count in counts.items() if count == 17} == {
        date(2017, 11, 5),
        *(date(2017, 12, number) for number in range(4, 11)),
    }
