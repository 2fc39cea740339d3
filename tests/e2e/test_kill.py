"""Kill -9 under load: whatever a client was told is in the store, once, as it was told."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.type.money_pb2 import Money

from experiments.log.frames import EventFrames
from tests.server.process import ServerProcess, serve_command
from tests.server.running import Client
from tests.server.scene import MEMBERS, write_scene
from tests.server.waiting import wait_until
from troth.v1.decision_pb2 import Decision
from troth.v1.outcome_service_pb2 import Exposure, LogExposuresRequest, LogOutcomesRequest, Outcome
from troth.v1.recommendation_service_pb2 import RecommendOffersRequest

CLIENTS = 8
SEED = 20261122
LONGEST_LOAD_S = 0.6


@dataclass
class Told:
    """What clients sent and what they were told, by the ids that they made.

    Attributes:
        asked: Every request_id that was ever sent.
        decisions: The answer to each request_id that got one.
        sent: Every event that was ever sent, by kind and id.
        acknowledged: Kind and id of each event that was acknowledged.
        retries: Requests that were sent again because no answer came.
        failures: What must not happen.
        abandoned: Set when there will be no server any more, so that nobody waits for one.
    """

    asked: set[str] = field(default_factory=set)
    decisions: dict[str, Decision] = field(default_factory=dict)
    sent: dict[tuple[str, str], Any] = field(default_factory=dict)
    acknowledged: set[tuple[str, str]] = field(default_factory=set)
    retries: int = 0
    failures: list[str] = field(default_factory=list)
    abandoned: threading.Event = field(default_factory=threading.Event)


class Backend(threading.Thread):
    """A client that never gives up: what was not answered is sent again, with the same ids, until it is.

    Args:
        number: Makes its ids its own.
        address: Tells where the server is at the moment.
        told: Where it notes what it was told.
        stop: Ends it after the request under way.
    """

    def __init__(self, number: int, address: Callable[[], str], told: Told, stop: threading.Event) -> None:
        super().__init__(name=f"backend-{number}", daemon=True)
        self._number = number
        self._address = address
        self._told = told
        self._stop_asked = stop
        self._random = random.Random(SEED * 100 + number)
        self._connected_to = ""
        self._client: Client | None = None

    def run(self) -> None:
        """Send requests of all kinds until told to stop."""
        step = 0
        try:
            while not self._stop_asked.is_set():
                step += 1
                self._random.choice((self._decide, self._expose, self._report))(f"{self._number}-{step}")
        except Exception as error:  # noqa: BLE001 told to the test, which would not see a thread's exception
            self._told.failures.append(f"{self.name}: {error!r}")
        finally:
            if self._client is not None:
                self._client.close()

    def _decide(self, key: str) -> None:
        request = RecommendOffersRequest(
            member_id=self._random.choice((*MEMBERS, "nobody")),
            placement_id=self._random.choice(("checkout", "home")),
            offer_count=self._random.randrange(4),
            request_id=key,
        )
        self._told.asked.add(key)
        answer = self._until_answered("recommend_offers", request).decision
        self._told.decisions[key] = answer
        if self._random.random() < 0.1:
            # As a client does whose answer got lost on the way: the same question must find the same answer.
            again = self._until_answered("recommend_offers", request).decision
            if again != answer:
                self._told.failures.append(f"{key} was decided as {answer} and then as {again}")

    def _expose(self, key: str) -> None:
        events = [
            Exposure(
                event_id=f"{key}-{place}", experiment_id="banner", variant_id="loud", member_id=f"m-{key}"
            )
            for place in range(self._random.randint(1, 3))
        ]
        self._log("exposure", events, "log_exposures", LogExposuresRequest(exposures=events))

    def _report(self, key: str) -> None:
        events = [
            Outcome(
                event_id=f"{key}-{place}",
                member_id=f"m-{key}",
                outcome_type="purchase",
                offer_id=f"offer-{place}",
                value=Money(currency_code="USD", units=place, nanos=self._random.randrange(10**9)),
            )
            for place in range(self._random.randint(1, 3))
        ]
        self._log("outcome", events, "log_outcomes", LogOutcomesRequest(outcomes=events))

    def _log(self, kind: str, events: list[Any], method: str, request: Any) -> None:
        self._told.sent.update({(kind, event.event_id): event for event in events})
        response = self._until_answered(method, request)
        if response.accepted_count + response.duplicate_count != len(events):
            self._told.failures.append(f"{len(events)} events were answered with {response}")
        self._told.acknowledged.update((kind, event.event_id) for event in events)

    def _until_answered(self, method: str, request: Any) -> Any:
        while not self._told.abandoned.is_set():
            address = self._address()
            if address != self._connected_to or self._client is None:
                if self._client is not None:
                    self._client.close()
                self._client, self._connected_to = Client(address), address
            try:
                return getattr(self._client, method)(request, timeout=5.0)
            except grpc.RpcError as error:
                # A killed server is UNAVAILABLE or, if it died in the call, CANCELLED or out of time; a refusal is a bug.
                if error.code() not in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
                    raise
                self._told.retries += 1
                self._told.abandoned.wait(0.02)
        raise RuntimeError("there is no server any more")


def _check(
    told: Told, frames: EventFrames, decisions: dict[str, Decision], events: set[tuple[str, str]]
) -> None:
    """Check that the store holds each of the decisions and events once, and as the client was told or sent it."""
    rows = frames.decisions.to_dicts()
    by_key = {row["request_id"]: row for row in rows}
    assert len(by_key) == len(rows)
    assert set(by_key) <= told.asked
    assert set(decisions) <= set(by_key)
    for key, decision in decisions.items():
        row = by_key[key]
        assert (row["decision_id"], row["member_id"]) == (decision.decision_id, decision.member_id)
        assert (row["placement_id"], row["model_version"]) == (decision.placement_id, decision.model_version)
        assert row["decide_time"] == decision.decide_time.ToDatetime(tzinfo=UTC)
        assert [(one["offer_id"], one["rank"], one["score"], one["propensity"]) for one in row["offers"]] == [
            (one.offer_id, one.rank, one.score, one.propensity) for one in decision.offers
        ]
    kept = {
        **{("exposure", row["event_id"]): row for row in frames.exposures.to_dicts()},
        **{("outcome", row["event_id"]): row for row in frames.outcomes.to_dicts()},
    }
    assert len(kept) == len(frames.exposures) + len(frames.outcomes)
    assert set(kept) <= set(told.sent)
    assert events <= set(kept)
    for kind, event_id in events:
        row, event = kept[kind, event_id], told.sent[kind, event_id]
        assert row["member_id"] == event.member_id
        if kind == "outcome":
            assert (row["value_units"], row["value_nanos"]) == (event.value.units, event.value.nanos)
            assert (row["offer_id"], row["outcome_type"]) == (event.offer_id, event.outcome_type)
        else:
            assert (row["experiment_id"], row["variant_id"]) == (event.experiment_id, event.variant_id)


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_kills_under_load(tmp_path: Path, kills: int) -> None:
    """A server that is killed at random moments loses nothing that it had answered and keeps nothing twice.

    After each kill the file is read as it is, before any client could send again what it misses.
    """
    config = write_scene(tmp_path / "scene")
    told, stop = Told(), threading.Event()
    chance = random.Random(SEED)

    def start() -> ServerProcess:
        return ServerProcess(config, tmp_path / "server.log", serve_command(config))

    server = start()
    address = server.address
    backends = [Backend(number, lambda: address, told, stop) for number in range(CLIENTS)]
    for backend in backends:
        backend.start()
    try:
        for kill in range(kills):
            before = len(told.decisions) + len(told.acknowledged)
            wait_until(
                lambda: bool(told.failures) or len(told.decisions) + len(told.acknowledged) > before,  # noqa: B023
                "the server answers",
                within_s=30,
            )
            time.sleep(chance.uniform(0, LONGEST_LOAD_S))
            assert not told.failures
            server.kill()
            _check(told, server.frames(), dict(told.decisions), set(told.acknowledged))
            assert told.retries >= kill, "a kill that no client noticed is not a kill under load"
            server = start()
            address = server.address
        answered = len(told.decisions)
        wait_until(
            lambda: len(told.decisions) > answered, "the server answers after the last kill", within_s=30
        )
    except BaseException:
        told.abandoned.set()
        raise
    finally:
        stop.set()
        for backend in backends:
            backend.join(timeout=30)
        exit_code = server.stop()
    assert not any(backend.is_alive() for backend in backends)
    assert not told.failures
    assert exit_code == 0
    # All that was ever sent has been answered by now, so the store holds exactly that, each once.
    frames = server.frames()
    assert set(told.decisions) == told.asked
    assert told.acknowledged == set(told.sent)
    _check(told, frames, told.decisions, told.acknowledged)
    assert len(frames.decisions) == len(told.asked)
    assert len(frames.exposures) + len(frames.outcomes) == len(told.sent)
    assert told.retries >= kills
    print(f"{len(told.asked)} decisions, {len(told.sent)} events, {told.retries} retries, {kills} kills")
