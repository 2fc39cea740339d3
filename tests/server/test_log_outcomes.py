"""LogOutcomes: kept once, all or none, with every field."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from tests.server.running import Running, refusal
from troth.v1.outcome_service_pb2 import LogOutcomesRequest, LogOutcomesResponse, Outcome

NewId = Callable[[], str]


def _outcome(event_id: str, **fields: Any) -> Outcome:
    return Outcome(**{"event_id": event_id, "member_id": "m01", "outcome_type": "purchase"} | fields)


def _log(server: Running, *outcomes: Outcome, **fields: Any) -> tuple[int, int, int]:
    response = server.log_outcomes(LogOutcomesRequest(outcomes=outcomes, **fields))
    return response.accepted_count, response.duplicate_count, response.unattributed_count


def test_every_field_is_kept(server: Running, new_id: NewId) -> None:
    """An outcome with every field set is in the log with exactly these, and is attributed to its decision."""
    decision = server.decide("m01")
    event_id = new_id()
    happened = datetime(2017, 12, 5, 1, 2, 3, 456_789, tzinfo=UTC)
    stamp = Timestamp()
    stamp.FromDatetime(happened)
    before = datetime.now(UTC)

    counts = _log(
        server,
        _outcome(
            event_id,
            decision_id=decision.decision_id,
            offer_id=decision.offers[0].offer_id,
            value=Money(currency_code="USD", units=-12, nanos=-340_000_001),
            outcome_time=stamp,
            outcome_type="return",
            product_ids=["é", "b", "é"],
            channel_id="email",
        ),
    )

    assert counts == (1, 0, 0)
    row = server.logged_outcome(event_id)
    assert before <= row.pop("receive_time") <= datetime.now(UTC)
    assert row.pop("value") == pytest.approx(-12.340000001, abs=1e-12)
    assert row.pop("member_version") > 1
    assert row == {
        "programme": "default",
        "event_id": event_id,
        "member_id": "m01",
        "outcome_type": "return",
        "decision_id": decision.decision_id,
        "offer_id": decision.offers[0].offer_id,
        "value_units": -12,
        "value_nanos": -340_000_001,
        "currency_code": "USD",
        "outcome_time": happened,
        "product_ids": ["é", "b", "é"],
        "channel_id": "email",
    }


def test_unset_fields_stay_unset(server: Running, new_id: NewId) -> None:
    """What was not sent is null in the log; the time is the server's clock at arrival."""
    event_id = new_id()

    _log(server, _outcome(event_id, outcome_type="click"))

    row = server.logged_outcome(event_id)
    assert row["outcome_time"] == row["receive_time"]
    assert {name for name, value in row.items() if value is None} == {
        "decision_id",
        "offer_id",
        "value_units",
        "value_nanos",
        "value",
        "currency_code",
        "product_ids",
        "channel_id",
    }


def test_a_value_of_zero_is_a_value(server: Running, new_id: NewId) -> None:
    """Nought dollars and no value are different things."""
    event_id = new_id()

    _log(server, _outcome(event_id, value=Money(currency_code="EUR")))

    row = server.logged_outcome(event_id)
    assert (row["value_units"], row["value_nanos"], row["currency_code"]) == (0, 0, "EUR")


def test_duplicates_in_one_batch_and_across_calls(server: Running, new_id: NewId) -> None:
    """An event id counts once: the first content stays, repeats are counted and change nothing."""
    first, second = new_id(), new_id()

    assert _log(server, _outcome(first, offer_id="a"), _outcome(second), _outcome(first, offer_id="b")) == (
        2,
        1,
        2,
    )
    assert _log(server, _outcome(first, offer_id="c"), _outcome(new_id())) == (1, 1, 1)
    assert _log(server, _outcome(first), _outcome(second)) == (0, 2, 0)

    assert server.logged_outcome(first)["offer_id"] == "a"


def test_event_ids_of_two_programmes_are_apart(server: Running, new_id: NewId) -> None:
    """The programme is part of an event's key."""
    event_id = new_id()

    assert _log(server, _outcome(event_id)) == (1, 0, 1)
    assert _log(server, _outcome(event_id), programme="second") == (1, 0, 1)
    assert server.logged_outcome(event_id, "second")["programme"] == "second"


def test_concurrent_repeats_are_counted_once(server: Running, new_id: NewId) -> None:
    """Of many clients that send the same events at once, each event is accepted from one."""
    event_ids = [new_id() for _ in range(10)]
    request = LogOutcomesRequest(outcomes=[_outcome(event_id) for event_id in event_ids])

    with ThreadPoolExecutor(16) as pool:
        responses: list[LogOutcomesResponse] = list(pool.map(server.log_outcomes, [request] * 32))

    assert sum(response.accepted_count for response in responses) == 10
    assert sum(response.duplicate_count for response in responses) == 310
    for event_id in event_ids:
        server.logged_outcome(event_id)


def test_unattributed_outcomes_are_kept_and_counted(server: Running, new_id: NewId) -> None:
    """An outcome without a decision, of a decision that never was, or of another member's, is kept and counted."""
    mine, theirs = server.decide("m01").decision_id, server.decide("m02").decision_id
    elsewhere = server.decide("m01", programme="second").decision_id
    sent = {new_id(): decision_id for decision_id in ("", "never-was", theirs, elsewhere, mine)}

    counts = _log(server, *(_outcome(event_id, decision_id=one) for event_id, one in sent.items()))

    assert counts == (5, 0, 4)
    for event_id, decision_id in sent.items():
        assert server.logged_outcome(event_id)["decision_id"] == (decision_id or None)


def test_one_wrong_event_rejects_all(server: Running, new_id: NewId) -> None:
    """A batch is all or nothing; each problem carries the index of its event."""
    good, also_good = new_id(), new_id()
    rows = server.row_counts()
    request = LogOutcomesRequest(
        outcomes=[
            _outcome(good),
            _outcome("", member_id="", outcome_type=""),
            _outcome(also_good),
            _outcome(
                "e" * 129,
                member_id="m" * 257,
                outcome_type="Purchase",
                decision_id="\n",
                offer_id="o" * 10_000,
            ),
        ]
    )

    refused = refusal(server.log_outcomes, request)

    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.reason == "INVALID_REQUEST"
    assert sorted(refused.paths) == sorted(
        f"outcomes[{index}].{field}"
        for index, fields in {
            1: ("event_id", "member_id", "outcome_type"),
            3: ("event_id", "member_id", "outcome_type", "decision_id", "offer_id"),
        }.items()
        for field in fields
    )
    assert server.row_counts() == rows
    assert _log(server, _outcome(good), _outcome(also_good)) == (2, 0, 2)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (Money(units=1), "currency_code"),
        (Money(currency_code="usd", units=1), "currency_code"),
        (Money(currency_code="USDX", units=1), "currency_code"),
        (Money(currency_code="U$D", units=1), "currency_code"),
        (Money(currency_code="USD\n", units=1), "currency_code"),
        (Money(currency_code="ÜSD", units=1), "currency_code"),
        (Money(currency_code="USD", nanos=1_000_000_000), "nanos"),
        (Money(currency_code="USD", nanos=-1_000_000_000), "nanos"),
        (Money(currency_code="USD", nanos=-(2**31)), "nanos"),
        (Money(currency_code="USD", units=1, nanos=-1), "nanos"),
        (Money(currency_code="USD", units=-1, nanos=1), "nanos"),
    ],
    ids=lambda value: str(value).replace("\n", " "),
)
def test_impossible_money(server: Running, new_id: NewId, value: Money, path: str) -> None:
    """Money without a currency, with more than a unit of nanos or with two signs is refused at its path."""
    refused = refusal(server.log_outcomes, LogOutcomesRequest(outcomes=[_outcome(new_id(), value=value)]))

    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.paths == [f"outcomes[0].value.{path}"]


@pytest.mark.parametrize(
    ("units", "nanos"),
    [(0, 0), (0, 999_999_999), (0, -999_999_999), (2**63 - 1, 999_999_999), (-(2**63), -999_999_999), (0, 1)],
)
def test_extreme_money_is_exact(server: Running, new_id: NewId, units: int, nanos: int) -> None:
    """Every amount that google.type.Money can say is kept to the last digit."""
    event_id = new_id()

    _log(server, _outcome(event_id, value=Money(currency_code="JPY", units=units, nanos=nanos)))

    row = server.logged_outcome(event_id)
    assert (row["value_units"], row["value_nanos"]) == (units, nanos)


@pytest.mark.parametrize("outcome_type", ["a", "x" * 64, "points_2x", "unsubscribe"])
def test_any_well_formed_type(server: Running, new_id: NewId, outcome_type: str) -> None:
    """Outcome types are open: any well-formed name is kept."""
    event_id = new_id()
    _log(server, _outcome(event_id, outcome_type=outcome_type))

    assert server.logged_outcome(event_id)["outcome_type"] == outcome_type


@pytest.mark.parametrize(
    "outcome_type", ["", "x" * 65, "2x", "_x", "Click", "click!", "klick ", "kauf\n", "ä"]
)
def test_malformed_type(server: Running, new_id: NewId, outcome_type: str) -> None:
    """A misspelt type is refused, so that it does not become a metric that nobody finds."""
    request = LogOutcomesRequest(outcomes=[_outcome(new_id(), outcome_type=outcome_type)])

    assert refusal(server.log_outcomes, request).paths == ["outcomes[0].outcome_type"]


def test_batch_sizes(server: Running, new_id: NewId) -> None:
    """1 to 1,000 events are taken at once; none and 1,001 are refused."""
    many = [_outcome(new_id()) for _ in range(1001)]

    too_many = refusal(server.log_outcomes, LogOutcomesRequest(outcomes=many))
    none = refusal(server.log_outcomes, LogOutcomesRequest())

    assert (too_many.code, too_many.paths) == (grpc.StatusCode.INVALID_ARGUMENT, ["outcomes"])
    assert "1001" in too_many.message
    assert (none.code, none.paths) == (grpc.StatusCode.INVALID_ARGUMENT, ["outcomes"])
    assert _log(server, *many[:1000]) == (1000, 0, 1000)


def test_largest_batch(server: Running, new_id: NewId) -> None:
    """A thousand events with every id at its full length in the widest script fit into one request."""
    wide = "🛒"
    events = [
        _outcome(
            f"{new_id()}-".ljust(128, wide),
            member_id=wide * 256,
            outcome_type="t" * 64,
            decision_id=wide * 128,
            offer_id=wide * 128,
            value=Money(currency_code="USD", units=-(2**63), nanos=-999_999_999),
        )
        for _ in range(1000)
    ]

    assert _log(server, *events) == (1000, 0, 1000)
    assert server.logged_outcome(events[-1].event_id)["offer_id"] == wide * 128


def test_a_thousand_wrong_events(server: Running) -> None:
    """The worst batch gets its answer too: the client reads INVALID_ARGUMENT with details, not a broken connection."""
    wrong = Outcome(decision_id="\n" * 3, offer_id="o" * 200, value=Money(units=1, nanos=-1))
    wrong.outcome_time.seconds = 2**60

    refused = refusal(server.log_outcomes, LogOutcomesRequest(outcomes=[wrong] * 1000))

    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.reason == "INVALID_REQUEST"
    assert refused.paths[0].startswith("outcomes[0].")


def test_malformed_channel(server: Running, new_id: NewId) -> None:
    """A channel id that is too long or holds control characters is refused at its path."""
    events = [_outcome(new_id(), channel_id=channel_id) for channel_id in ("x" * 129, "a\0", "e-mail")]

    refused = refusal(server.log_outcomes, LogOutcomesRequest(outcomes=events))

    assert refused.paths == ["outcomes[0].channel_id", "outcomes[1].channel_id"]


def test_channel_of_the_decision(server: Running, new_id: NewId) -> None:
    """An outcome without a channel takes the one of its decision; where that has none, it stays without."""
    decision = server.decide("m01")
    event_id = new_id()

    _log(server, _outcome(event_id, decision_id=decision.decision_id))

    expected = server.logged_decision(decision.decision_id)["channel_id"]
    assert server.logged_outcome(event_id)["channel_id"] == expected


@pytest.mark.parametrize("seconds", [301, 3600, 10**9])
def test_future_times_are_refused(server: Running, new_id: NewId, seconds: int) -> None:
    """What happens later than five minutes ahead of the server's clock has not happened."""
    event = _outcome(new_id())
    event.outcome_time.FromDatetime(datetime.now(UTC) + timedelta(seconds=seconds))

    refused = refusal(server.log_outcomes, LogOutcomesRequest(outcomes=[_outcome(new_id()), event]))

    assert refused.paths == ["outcomes[1].outcome_time"]
    assert "5 minutes ahead" in refused.message


@pytest.mark.parametrize("offset", [timedelta(minutes=4), timedelta(days=-3650), timedelta(0)], ids=str)
def test_other_times_are_kept(server: Running, new_id: NewId, offset: timedelta) -> None:
    """An outcome may be told late: any time up to five minutes ahead is kept as it was sent, with the arrival."""
    event, when = _outcome(new_id()), datetime.now(UTC) + offset
    event.outcome_time.FromDatetime(when)

    _log(server, event)

    row = server.logged_outcome(event.event_id)
    assert row["outcome_time"] == when
    assert abs(row["receive_time"] - datetime.now(UTC)) < timedelta(minutes=1)


def test_invalid_time(server: Running, new_id: NewId) -> None:
    """An impossible timestamp is a problem of its event."""
    event = _outcome(new_id())
    event.outcome_time.nanos = -5

    refused = refusal(server.log_outcomes, LogOutcomesRequest(outcomes=[event]))

    assert refused.paths == ["outcomes[0].outcome_time"]


def test_unknown_programme(server: Running, new_id: NewId) -> None:
    """An unknown programme is NOT_FOUND; a misspelt name makes no log of its own."""
    refused = refusal(
        server.log_outcomes, LogOutcomesRequest(programme="defualt", outcomes=[_outcome(new_id())])
    )

    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "PROGRAMME_NOT_FOUND")
    assert server.frames("defualt").outcomes.is_empty()
