"""Purchases that were logged since the model was made change the next answer at once."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from experiments.log.events import Outcome as OutcomeEvent
from experiments.log.events import to_micros
from server.members import MemberState, Trip
from server.members.state import MAX_TRIPS, after_outcome
from server.storage import SqliteEventLog
from tests.server import scene
from tests.server import task_scene as tasks
from tests.server.running import Running, refusal
from tests.server.task_scene import ids
from tests.server.waiting import wait_until
from training.bundle import Task, write_bundle
from troth.v1 import decision_pb2
from troth.v1.outcome_service_pb2 import LogOutcomesRequest, Outcome

PATIENT_S = 20.0
DAY = timedelta(days=1)


def _stamp(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp


def _buy(server: Running, event_id: str, member_id: str, *products: str, **fields: Any) -> None:
    plain = {
        "event_id": event_id,
        "member_id": member_id,
        "outcome_type": "purchase",
        "product_ids": products,
    }
    server.log_outcomes(LogOutcomesRequest(outcomes=[Outcome(**plain | fields)]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tasks.write_tasks(tmp_path / "scene")
    return tmp_path / "scene"


@pytest.fixture
def server(folder: Path) -> Iterator[Running]:
    with tasks.serving(folder) as started:
        yield started


def _counts(server: Running, member_id: str) -> dict[str, float]:
    """Return the score of each offer, which is the number of trips with it."""
    return {offer.offer_id: offer.score for offer in server.decide(member_id, offer_count=10).offers}


def test_purchase_changes_the_next_answer(server: Running) -> None:
    """What was bought and logged over gRPC is counted by the very next recommendation, for this member only."""
    assert ids(server.decide("bert")) == ["salt", "bread", "butter"]

    for number in range(3):
        _buy(
            server,
            f"b{number}",
            "bert",
            "jam",
            "caviar",
            outcome_time=_stamp(tasks.NOW - number * timedelta(hours=1)),
        )

    assert [(one.offer_id, one.score) for one in server.decide("bert").offers] == [
        ("jam", 3.0),
        ("salt", 2.0),
        ("bread", 0.0),
    ]
    assert _counts(server, "anna")["jam"] == 0.0


def test_first_purchase_of_an_unknown_member(server: Running) -> None:
    """Somebody whom the model has never met is ranked by it from their first purchase on; it still does not know them."""
    _buy(server, "first", "newcomer", "salt")

    decision = server.decide("newcomer", "ideas")

    assert ids(decision)[0] == "eggs"
    assert decision.ranking == decision_pb2.RANKING_CHAMPION
    assert list(decision.degradations) == [decision_pb2.DEGRADATION_MEMBER_UNKNOWN]


def test_repeats_are_one_trip(server: Running) -> None:
    """A repeated event counts once, whatever it says the second time; outcomes of one moment are one trip."""
    for products in (["jam"], ["jam"], ["eggs"]):
        _buy(server, "same", "bert", *products)
    _buy(server, "other line", "bert", "jam", "milk")

    assert {name: _counts(server, "bert")[name] for name in ("jam", "milk", "eggs")} == {
        "jam": 1.0,
        "milk": 1.0,
        "eggs": 0.0,
    }


def test_what_is_no_purchase(server: Running) -> None:
    """A click, a return, and a purchase that names no products change no answer."""
    before = _counts(server, "bert")

    _buy(server, "click", "bert", "jam", outcome_type="click")
    _buy(server, "return", "bert", "jam", outcome_type="return")
    _buy(server, "nothing", "bert")

    assert _counts(server, "bert") == before


def test_restart_remembers(folder: Path) -> None:
    """A restarted server reads from its log what was bought since the feature time."""
    with tasks.serving(folder) as server:
        _buy(server, "before the restart", "bert", "jam")
        before = _counts(server, "bert")
    with tasks.serving(folder) as server:
        assert _counts(server, "bert") == before
        assert before["jam"] == 1.0


def test_only_what_the_model_cannot_know(server: Running) -> None:
    """A purchase up to the feature time is in the model's history already; a later one is added."""
    _buy(server, "exactly", "bert", "jam", outcome_time=_stamp(scene.FEATURE_TIME))
    assert _counts(server, "bert")["jam"] == 0.0

    _buy(server, "later", "bert", "jam", outcome_time=_stamp(scene.FEATURE_TIME + timedelta(microseconds=1)))
    assert _counts(server, "bert")["jam"] == 1.0


def test_replay_sees_no_future(folder: Path) -> None:
    """A decision as of a time does not see what was bought after it; one as of the time of the purchase does."""
    bought = scene.FEATURE_TIME + 5 * DAY
    with tasks.serving(folder, lambda: tasks.NOW + 30 * DAY, replay=True) as server:
        _buy(server, "future", "bert", "jam", outcome_time=_stamp(bought))

        def score(time: datetime) -> float:
            decision = server.decide("bert", offer_count=10, request_time=_stamp(time))
            scores: dict[str, float] = {offer.offer_id: offer.score for offer in decision.offers}
            return scores["jam"]

        assert score(bought - timedelta(microseconds=1)) == 0.0
        assert score(bought) == 1.0
        assert score(bought + 400 * DAY) == 1.0
        assert score(scene.FEATURE_TIME - 400 * DAY) == 0.0


def test_product_ids_are_checked(server: Running) -> None:
    """Wrong product ids reject the batch and are named with their index, all at once."""
    wrong = Outcome(
        event_id="wrong",
        member_id="bert",
        outcome_type="purchase",
        product_ids=["", "p" * 257, "a\0", *(f"p{number}" for number in range(498))],
    )

    refused = refusal(server.log_outcomes, LogOutcomesRequest(outcomes=[wrong]))

    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.paths == [f"outcomes[0].product_ids{part}" for part in ("", "[0]", "[1]", "[2]")]
    assert server.row_counts()[2] == 0


def test_newer_model_knows_by_itself(folder: Path, server: Running) -> None:
    """A swap to a model with a later feature time drops what that model learned from; what is older for another task stays."""
    _buy(server, "known later", "bert", "jam")
    later = tasks.NOW + timedelta(seconds=1)
    path = scene.champion_link(folder).parent / "versions" / "later"
    write_bundle(
        path,
        tasks.counting(),
        programme="default",
        model_name="scene",
        model_version="later",
        data_fingerprint="scene",
        feature_time=later,
    )

    scene.promote(folder, path)

    wait_until(lambda: server.decide("bert").model_version == "later", "the later model serves")
    assert _counts(server, "bert")["jam"] == 0.0
    assert "jam" not in ids(server.decide("bert", "ideas", offer_count=10))


def test_first_model_reads_the_log(tmp_path: Path) -> None:
    """A server that starts without a model, and gets one, knows what was bought since that model's feature time."""
    folder = tmp_path / "scene"
    tasks.write_tasks(folder)
    for task in Task:
        scene.champion_link(folder, task).unlink(missing_ok=True)
    with tasks.serving(folder) as server:
        _buy(server, "no model yet", "bert", "jam")

        tasks.serve(folder, tasks.counting(), "counts@2")

        wait_until(server.healthy, "the first model serves")
        assert _counts(server, "bert")["jam"] == 1.0


def _event(number: int, minutes: int, *products: str, **changes: Any) -> OutcomeEvent:
    time = scene.FEATURE_TIME + minutes * timedelta(minutes=1)
    plain: dict[str, Any] = {
        "programme": "default",
        "event_id": f"o{number}",
        "member_id": "bert",
        "outcome_type": "purchase",
        "decision_id": "",
        "offer_id": "",
        "value_units": None,
        "value_nanos": None,
        "currency_code": "",
        "outcome_time": time,
        "receive_time": time,
        "product_ids": products,
    }
    return OutcomeEvent(**plain | changes)


def _micros(minutes: int) -> int:
    return to_micros(scene.FEATURE_TIME + minutes * timedelta(minutes=1))


def test_trips_are_bounded_and_in_order() -> None:
    """Of one member the latest 200 trips are kept, oldest first, in whatever order they were logged."""
    numbers = [*range(0, MAX_TRIPS + 50, 2), *range(1, MAX_TRIPS + 50, 2)]

    state = MemberState("bert")
    for number in numbers:
        state = after_outcome(state, _event(number, number, "jam"))

    assert [trip.micros for trip in state.trips] == [_micros(number) for number in range(50, MAX_TRIPS + 50)]


def test_log_keeps_trips(tmp_path: Path) -> None:
    """Purchases of one moment are one trip, of its member and programme only; what names no products is none."""
    with closing(SqliteEventLog(tmp_path / "log.db")) as log:
        bought = [_event(1, 20, "jam"), _event(2, 20, "salt", "jam"), _event(3, 10, "eggs"), _event(4, 30)]
        log.append_outcomes(bought, PATIENT_S)

        assert log.member_state("default", "bert").trips == (
            Trip(_micros(10), ("eggs",)),
            Trip(_micros(20), ("jam", "salt")),
        )
        assert log.member_state("default", "anna").trips == log.member_state("second", "bert").trips == ()


@pytest.fixture
def heard() -> list[str]:
    """Ids of the outcomes that a log told of."""
    return []


def test_log_tells_of_what_is_new(tmp_path: Path, heard: list[str]) -> None:
    """The log tells of each outcome once, when it is on disk, before the request is answered; repeats are not told again."""
    tell: Callable[[Any], None] = lambda outcomes: heard.extend(one.event_id for one in outcomes)  # noqa: E731
    with closing(SqliteEventLog(tmp_path / "log.db", on_outcomes=tell)) as log:
        log.append_outcomes([_event(1, 0, "jam"), _event(1, 0, "jam"), _event(2, 0)], PATIENT_S)
        assert heard == ["o1", "o2"]
        log.append_outcomes([_event(2, 0, "jam"), _event(3, 5, "salt", outcome_type="click")], PATIENT_S)
        assert heard == ["o1", "o2", "o3"]


def test_log_is_silent_about_what_it_did_not_keep(tmp_path: Path, heard: list[str]) -> None:
    """Outcomes that could not be written are not told of, and those written beside them once."""
    tell: Callable[[Any], None] = lambda outcomes: heard.extend(one.event_id for one in outcomes)  # noqa: E731
    with closing(SqliteEventLog(tmp_path / "log.db", on_outcomes=tell)) as log:
        with pytest.raises(OverflowError):
            log.append_outcomes([_event(1, 0, "jam"), _event(2, 0, "jam", value_units=2**70)], PATIENT_S)
        assert heard == []

        log.append_outcomes([_event(1, 0, "jam")], PATIENT_S)
        assert heard == ["o1"]
