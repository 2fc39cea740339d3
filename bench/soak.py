"""Does the server keep its temper? 16 parallel clients for two minutes: no error, no growth of memory after warm-up.

A real server process with a written scene; client processes with several threads each mix all four RPCs, among them unknown
members, baskets, purchases that change the next answer, retries with the same key and repeated events. In the end the log must hold exactly what was acknowledged. Exit
code 1 on any error, on a row too many or too few, or if memory grew beyond the bound.
"""

import argparse
import contextlib
import json
import random
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import psutil
from google.protobuf.timestamp_pb2 import Timestamp

from bench.scene import write_scene
from troth.v1 import experiment_service_pb2_grpc, outcome_service_pb2_grpc, recommendation_service_pb2_grpc
from troth.v1.experiment_service_pb2 import GetAssignmentsRequest
from troth.v1.outcome_service_pb2 import Exposure, LogExposuresRequest, LogOutcomesRequest, Outcome
from troth.v1.recommendation_service_pb2 import RecommendOffersRequest

WARM_UP_S = 20
PROCESSES = 2
MEMBERS = 2500
_MIB = 1024 * 1024
_DEADLINE_S = 10.0


class Worker(threading.Thread):
    """One client: sends one request after another until the time is up.

    Attributes:
        done: Requests answered, by method.
        errors: Requests not answered, by method and status, and wrong answers.
        decisions: Decisions it caused.
        events: Events that were new.
    """

    def __init__(self, address: str, name: str, ends: float) -> None:
        super().__init__(name=name)
        self.done: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.decisions = 0
        self.events = 0
        self._ends = ends
        self._random = random.Random(name)
        self._step = 0
        channel = grpc.insecure_channel(address, options=(("grpc.use_local_subchannel_pool", 1),))
        self._channel = channel
        recommendation: Any = recommendation_service_pb2_grpc.RecommendationServiceStub(channel)
        experiment: Any = experiment_service_pb2_grpc.ExperimentServiceStub(channel)
        outcome: Any = outcome_service_pb2_grpc.OutcomeServiceStub(channel)
        self._recommend_offers = recommendation.RecommendOffers
        self._get_assignments = experiment.GetAssignments
        self._log_exposures = outcome.LogExposures
        self._log_outcomes = outcome.LogOutcomes

    def run(self) -> None:
        """Mix the methods: half of the requests are questions for offers."""
        kinds = {self._ask: 50, self._assign: 20, self._report: 20, self._expose: 10}
        chosen, weights = list(kinds), list(kinds.values())
        while time.monotonic() < self._ends:
            self._step += 1
            kind = self._random.choices(chosen, weights)[0]
            method = kind.__name__.removeprefix("_")
            try:
                kind(f"{self.name}-{self._step}")
                self.done[method] += 1
            except grpc.RpcError as error:
                self.errors[f"{method} {error.code().name}: {error.details()}"] += 1
            except AssertionError as error:
                self.errors[f"{method}: wrong answer {error}"] += 1
        self._channel.close()

    def _member(self) -> str:
        # One in ten is unknown to the model.
        return f"m{self._random.randrange(MEMBERS * 10 // 9)}"

    def _ask(self, key: str) -> None:
        request = RecommendOffersRequest(
            member_id=self._member(),
            placement_id="checkout",
            offer_count=self._random.randrange(11),
            request_id=self._random.choice(("", key)),
            basket_product_ids=self._products() if self._random.random() < 0.3 else (),
        )
        decision = self._recommend_offers(request, timeout=_DEADLINE_S).decision
        self.decisions += 1
        assert len(decision.offers) == (request.offer_count or 3)
        if request.request_id and self._random.random() < 0.2:
            assert self._recommend_offers(request, timeout=_DEADLINE_S).decision == decision

    def _assign(self, _: str) -> None:
        answer = self._get_assignments(GetAssignmentsRequest(member_id=self._member()), timeout=_DEADLINE_S)
        assert len(answer.assignments) == 1

    def _products(self) -> list[str]:
        # Some are unknown to the model.
        return [f"o{self._random.randrange(1100)}" for _ in range(self._random.randint(1, 10))]

    def _report(self, key: str) -> None:
        member = self._member()
        # One trip a minute at most, so that what the server must remember of a member is bounded.
        minute = Timestamp(seconds=int(time.time()) // 60 * 60)
        events = [
            Outcome(
                event_id=f"{key}-{place}",
                member_id=member,
                outcome_type="purchase",
                offer_id="o1",
                outcome_time=minute,
                product_ids=self._products(),
            )
            for place in range(self._random.randint(1, 5))
        ]
        self._log(self._log_outcomes, LogOutcomesRequest(outcomes=events), len(events))

    def _expose(self, key: str) -> None:
        event = Exposure(
            event_id=key, experiment_id="offer-ranking", variant_id="popular", member_id=self._member()
        )
        self._log(self._log_exposures, LogExposuresRequest(exposures=[event]), 1)

    def _log(self, call: Any, request: Any, count: int) -> None:
        answer = call(request, timeout=_DEADLINE_S)
        assert (answer.accepted_count, answer.duplicate_count) == (count, 0)
        self.events += count
        if self._random.random() < 0.1:
            answer = call(request, timeout=_DEADLINE_S)
            assert (answer.accepted_count, answer.duplicate_count) == (0, count)


def work(address: str, name: str, threads: int, seconds: float) -> None:
    """Be one client process: run its threads and print what they saw as JSON."""
    ends = time.monotonic() + seconds
    workers = [Worker(address, f"{name}-{number}", ends) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seen = {
        "done": sum((worker.done for worker in workers), Counter()),
        "errors": sum((worker.errors for worker in workers), Counter()),
        "decisions": sum(worker.decisions for worker in workers),
        "events": sum(worker.events for worker in workers),
    }
    print(json.dumps(seen))


@contextlib.contextmanager
def serving(config: Path, log: Path) -> Iterator[tuple[str, int]]:
    """Run the server; give its address and process id."""
    command = [sys.executable, "-m", "cli.main", "serve", "--config", str(config)]
    with (
        log.open("wb") as lines,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=lines, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            found = re.search(r"answers on (\S+),", process.stdout.readline())
            if found is None:
                sys.exit(f"the server did not start:\n{log.read_text()[-2000:]}")
            yield found[1], process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def watch(process: psutil.Process, seconds: float) -> list[tuple[float, float]]:
    """Return resident memory in MiB, once a second."""
    start, samples = time.monotonic(), []
    while (passed := time.monotonic() - start) < seconds:
        samples.append((passed, process.memory_info().rss / _MIB))
        time.sleep(1)
    return samples


def rows(database: Path) -> tuple[int, int]:
    """Return how many decisions and events the log holds."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        counts = [
            int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
            for table in ("decisions", "exposures", "outcomes")
        ]
    return counts[0], counts[1] + counts[2]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--bound-mib", type=float, default=8.0, help="growth that is let pass")
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        address, name, threads, seconds = options.work
        work(address, name, int(threads), float(seconds))
        return
    if options.seconds <= WARM_UP_S:
        parser.error(f"--seconds must be more than the {WARM_UP_S} s of warm-up")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        config = write_scene(folder, member_count=MEMBERS)
        with serving(config, folder / "server.log") as (address, pid):
            per_process = options.clients // PROCESSES
            clients = [
                subprocess.Popen(
                    [
                        sys.executable, "-m", "bench.soak",
                        "--work", address, f"c{number}", str(per_process), str(options.seconds),
                    ],
                    stdout=subprocess.PIPE,
                    text=True,
                )
                for number in range(PROCESSES)
            ]  # fmt: skip
            samples = watch(psutil.Process(pid), options.seconds)
            seen = [json.loads(client.communicate(timeout=60)[0]) for client in clients]
        decisions, events = rows(folder / "troth.db")
    sys.exit(report(options, samples, seen, (decisions, events)))


def report(
    options: argparse.Namespace,
    samples: list[tuple[float, float]],
    seen: list[dict[str, Any]],
    logged: tuple[int, int],
) -> int:
    """Print what was seen and return the exit code."""
    done: Counter[str] = sum((Counter(one["done"]) for one in seen), Counter())
    errors: Counter[str] = sum((Counter(one["errors"]) for one in seen), Counter())
    told = sum(one["decisions"] for one in seen), sum(one["events"] for one in seen)
    window = min(10.0, (options.seconds - WARM_UP_S) / 2)
    warm = statistics.median(rss for at, rss in samples if WARM_UP_S <= at < WARM_UP_S + window)
    last = statistics.median(rss for at, rss in samples if at >= options.seconds - window)
    growth, requests = last - warm, sum(done.values())
    after_warm_up = requests * (options.seconds - WARM_UP_S) / options.seconds
    print(f"{per_line(done)}: {requests} requests, {requests / options.seconds:.0f} a second")
    print(f"errors: {sum(errors.values())}")
    for error, count in errors.most_common(10):
        print(f"  {count} x {error}")
    print(f"log: {logged[0]} decisions and {logged[1]} events; clients were told of {told[0]} and {told[1]}")
    print(f"memory of the server: {warm:.1f} MiB after {WARM_UP_S} s, {last:.1f} MiB at the end")
    print(f"growth: {growth:+.1f} MiB, {growth / after_warm_up * 100_000:+.2f} MiB per 100,000 requests")
    if errors or logged != told:
        print("FAILED: errors, or a log that differs from what was answered")
        return 1
    if growth > options.bound_mib:
        print(f"FAILED: memory grew by more than {options.bound_mib} MiB")
        return 1
    return 0


def per_line(done: Counter[str]) -> str:
    """Return the counts in words."""
    return ", ".join(f"{count} {method}" for method, count in sorted(done.items()))


if __name__ == "__main__":
    main()
