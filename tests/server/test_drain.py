"""Stopping: health first, then nothing new, calls in flight finish, and everything acknowledged is on disk."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from experiments.log.frames import read_log
from server.app import App, build
from server.config import load_config
from tests.server import scene
from tests.server.running import RPC_TIMEOUT_S, Client, running
from tests.server.waiting import wait_until
from troth.v1.outcome_service_pb2 import LogOutcomesRequest, Outcome


def _app(folder: Path, drain_wait: float) -> App:
    config = load_config(scene.write_scene(folder / "scene"))
    return build(
        config.model_copy(update={"server": config.server.model_copy(update={"drain_wait": drain_wait})})
    )


def test_calls_in_flight_finish(tmp_path: Path) -> None:
    """Calls that the store holds up while the server stops are answered, and new ones are refused."""
    app = _app(tmp_path, drain_wait=0.0)
    app.start()
    client = Client(f"127.0.0.1:{app.port}")
    log = tmp_path / "scene" / "troth.db"
    stopping, before = threading.Thread(target=app.stop), _request_threads()
    try:
        with (
            closing(sqlite3.connect(log, isolation_level=None)) as other,
            ThreadPoolExecutor(12) as pool,
        ):
            other.execute("BEGIN IMMEDIATE")
            sent = [
                pool.submit(client.decide, f"m{number:02}", request_id=f"flight-{number}")
                for number in range(12)
            ]
            # All 12 hold a thread of the server once it has begun 12.
            wait_until(lambda: _request_threads() - before >= 12, "all calls are in flight")
            stopping.start()
            wait_until(lambda: _refuses(app.port), "new calls are refused")
            assert not any(one.done() for one in sent)
            other.execute("COMMIT")
            decisions = [one.result(timeout=RPC_TIMEOUT_S) for one in sent]
        stopping.join(RPC_TIMEOUT_S)
        assert not stopping.is_alive()
    finally:
        if not stopping.ident:
            app.stop()
        client.close()
    # The calls that found out whether the server refuses may have come in time to be logged too; they have no key.
    logged = read_log(log).decisions.drop_nulls("request_id")
    assert sorted(logged["decision_id"].to_list()) == sorted(one.decision_id for one in decisions)


def _request_threads() -> int:
    return sum(thread.name.startswith("request") for thread in threading.enumerate())


def _refuses(port: int) -> bool:
    fresh = Client(f"127.0.0.1:{port}")
    try:
        fresh.decide("m01", timeout=0.2)
    except grpc.RpcError as error:
        return error.code() is grpc.StatusCode.UNAVAILABLE
    finally:
        fresh.close()
    return False


def test_health_goes_first(tmp_path: Path) -> None:
    """While load balancers are given time, the server says NOT_SERVING and still answers; no call is lost."""
    app = _app(tmp_path, drain_wait=2.0)
    app.start()
    client = Client(f"127.0.0.1:{app.port}")
    stopping = threading.Thread(target=app.stop)
    try:
        assert client.healthy()
        stopping.start()
        wait_until(lambda: not client.healthy(), "the server says NOT_SERVING", within_s=1.9)
        assert not client.healthy("troth.v1.RecommendationService")
        assert client.decide("m01").decision_id
    finally:
        stopping.join(RPC_TIMEOUT_S)
        client.close()
    assert not stopping.is_alive()
    with pytest.raises(grpc.RpcError):
        Client(f"127.0.0.1:{app.port}").decide("m01", timeout=1)


def test_watchers_of_health_do_not_hold_up_the_end(tmp_path: Path) -> None:
    """Who watches the health is told NOT_SERVING; a watch that stays open is ended after the grace."""
    config = load_config(scene.write_scene(tmp_path / "scene"))
    app = build(
        config.model_copy(
            update={"server": config.server.model_copy(update={"drain_wait": 0.0, "grace": 0.5})}
        )
    )
    app.start()
    client = Client(f"127.0.0.1:{app.port}")
    health: Any = health_pb2_grpc.HealthStub(client.channel)
    watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=RPC_TIMEOUT_S)
    stopping = threading.Thread(target=app.stop)
    try:
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        stopping.start()
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
    finally:
        stopping.join(5)
        client.close()
    assert not stopping.is_alive()


def test_stopping_under_load(tmp_path: Path) -> None:
    """Clients that never stop sending: every acknowledged outcome is in the log, whenever the server stopped."""
    app = _app(tmp_path, drain_wait=0.0)
    app.start()
    client = Client(f"127.0.0.1:{app.port}")
    acknowledged: list[str] = []

    def work(worker: int) -> None:
        for number in range(100_000):
            event_id = f"{worker}-{number}"
            outcome = Outcome(event_id=event_id, member_id="m", outcome_type="click")
            try:
                client.log_outcomes(LogOutcomesRequest(outcomes=[outcome]), timeout=RPC_TIMEOUT_S)
            except grpc.RpcError:
                return
            acknowledged.append(event_id)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(acknowledged) > 200, "there is load")
    finally:
        app.stop()
        for thread in threads:
            thread.join(RPC_TIMEOUT_S)
        client.close()
    assert not any(thread.is_alive() for thread in threads)
    logged = read_log(tmp_path / "scene" / "troth.db").outcomes["event_id"].to_list()
    assert len(logged) == len(set(logged))
    assert set(acknowledged) <= set(logged)


def test_stop_without_start(tmp_path: Path) -> None:
    """A server that was built and never started stops at once and gives back its ports and its log."""
    app = _app(tmp_path, drain_wait=0.0)
    app.stop()

    ports: dict[str, Any] = {"port": app.port, "metrics_port": app.metrics_port}
    with running(tmp_path / "scene" / "troth.toml", **ports) as again:
        assert (again.app.port, again.app.metrics_port) == (app.port, app.metrics_port)
        assert again.decide("m01").decision_id


def test_threads_end(tmp_path: Path) -> None:
    """A stopped server leaves no thread of its own running."""
    before = set(threading.enumerate())
    app = _app(tmp_path, drain_wait=0.0)
    app.start()
    client = Client(f"127.0.0.1:{app.port}")
    client.decide("m01")
    client.close()
    app.stop()

    def left() -> set[str]:
        ours = {thread.name for thread in set(threading.enumerate()) - before if thread.is_alive()}
        return {name for name in ours if name.startswith(("request", "event-log", "model-watcher", "Thread"))}

    wait_until(lambda: not left(), "all threads have ended")
