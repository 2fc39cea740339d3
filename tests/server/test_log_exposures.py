"""LogExposures: kept once, all or none, with every field."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from tests.server.running import Running, refusal
from troth.v1.outcome_service_pb2 import Exposure, LogExposuresRequest

NewId = Callable[[], str]


def _exposure(event_id: str, **fields: Any) -> Exposure:
    plain = {"event_id": event_id, "experiment_id": "banner", "variant_id": "loud", "member_id": "Zoë 🛒"}
    return Exposure(**plain | fields)


def _log(server: Running, *exposures: Exposure, **fields: Any) -> tuple[int, int]:
    response = server.log_exposures(LogExposuresRequest(exposures=exposures, **fields))
    return response.accepted_count, response.duplicate_count


def test_every_field_is_kept(server: Running, new_id: NewId) -> None:
    """An exposure with every field set is in the log with exactly these."""
    event = _exposure(new_id(), decision_id="d-1")
    when = datetime(2017, 12, 5, 1, 2, 3, 456_789, tzinfo=UTC)
    event.expose_time.FromDatetime(when)
    before = datetime.now(UTC)

    assert _log(server, event) == (1, 0)

    row = server.logged_exposure(event.event_id)
    assert before <= row.pop("receive_time") <= datetime.now(UTC)
    assert row == {
        "programme": "default",
        "event_id": event.event_id,
        "experiment_id": "banner",
        "variant_id": "loud",
        "member_id": "Zoë 🛒",
        "decision_id": "d-1",
        "expose_time": when,
    }


def test_unset_fields(server: Running, new_id: NewId) -> None:
    """Without a decision there is none in the log; without a time the server's clock counts."""
    event = _exposure(new_id())

    _log(server, event)

    row = server.logged_exposure(event.event_id)
    assert row["decision_id"] is None
    assert row["expose_time"] == row["receive_time"]


def test_duplicates_in_one_batch_and_across_calls(server: Running, new_id: NewId) -> None:
    """An event id counts once: the first content stays, repeats are counted and change nothing."""
    first, second = new_id(), new_id()

    assert _log(server, _exposure(first), _exposure(first, variant_id="plain"), _exposure(second)) == (2, 1)
    assert _log(server, _exposure(second, variant_id="plain"), _exposure(new_id())) == (1, 1)

    assert server.logged_exposure(first)["variant_id"] == "loud"
    assert server.logged_exposure(second)["variant_id"] == "loud"


def test_exposures_and_outcomes_have_ids_of_their_own(server: Running, new_id: NewId) -> None:
    """The same event id for an exposure and an outcome is not a duplicate."""
    from troth.v1.outcome_service_pb2 import LogOutcomesRequest, Outcome

    event_id = new_id()
    outcome = Outcome(event_id=event_id, member_id="m01", outcome_type="click")

    assert _log(server, _exposure(event_id)) == (1, 0)
    assert server.log_outcomes(LogOutcomesRequest(outcomes=[outcome])).accepted_count == 1


def test_one_wrong_event_rejects_all(server: Running, new_id: NewId) -> None:
    """A batch is all or nothing; each problem carries the index of its event."""
    good = _exposure(new_id())
    rows = server.row_counts()
    late = _exposure(new_id())
    late.expose_time.FromDatetime(datetime.now(UTC) + timedelta(minutes=6))
    wrong = Exposure(decision_id="d" * 129)

    refused = refusal(server.log_exposures, LogExposuresRequest(exposures=[good, wrong, late]))

    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.reason == "INVALID_REQUEST"
    assert sorted(refused.paths) == [
        "exposures[1].decision_id",
        "exposures[1].event_id",
        "exposures[1].experiment_id",
        "exposures[1].member_id",
        "exposures[1].variant_id",
        "exposures[2].expose_time",
    ]
    assert server.row_counts() == rows
    assert _log(server, good) == (1, 0)


@pytest.mark.parametrize("field", ["event_id", "experiment_id", "variant_id", "member_id"])
@pytest.mark.parametrize(
    "value", ["", "x" * 257, "x" * 10_000, "x\0"], ids=["empty", "257", "10,000", "control"]
)
def test_wrong_ids(server: Running, new_id: NewId, field: str, value: str) -> None:
    """Each id of an exposure is required and has its form."""
    event = _exposure(new_id())
    setattr(event, field, value)

    refused = refusal(server.log_exposures, LogExposuresRequest(exposures=[event]))

    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.paths == [f"exposures[0].{field}"]


def test_batch_sizes(server: Running, new_id: NewId) -> None:
    """1 to 1,000 events are taken at once; none and 1,001 are refused."""
    many = [_exposure(new_id()) for _ in range(1001)]

    assert refusal(server.log_exposures, LogExposuresRequest(exposures=many)).paths == ["exposures"]
    assert refusal(server.log_exposures, LogExposuresRequest()).paths == ["exposures"]
    assert _log(server, *many[:1000]) == (1000, 0)


def test_a_thousand_wrong_events(server: Running) -> None:
    """The worst batch gets its answer too: the client reads INVALID_ARGUMENT with details, not a broken connection."""
    refused = refusal(server.log_exposures, LogExposuresRequest(exposures=[Exposure()] * 1000))

    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.paths[0].startswith("exposures[0].")


def test_unknown_programme(server: Running, new_id: NewId) -> None:
    """An unknown programme is NOT_FOUND."""
    refused = refusal(
        server.log_exposures, LogExposuresRequest(programme="x", exposures=[_exposure(new_id())])
    )

    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "PROGRAMME_NOT_FOUND")
