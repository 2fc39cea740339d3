"""Decisions per second on one core, as a ratio to the faster of two bare echo servers. `make bench`.

Every server is pinned to one core, the load generator (h2load, of Debian's nghttp2-client) to another; the same request
frame, the same answer. The servers take turns, several rounds, so that a drifting machine hits all alike; the medians
are compared. Troth's answers are durable: after its turn the decisions in its log are counted and must be as many as
h2load saw answered.
"""

import argparse
import contextlib
import itertools
import os
import re
import shutil
import signal
import sqlite3
import statistics
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import grpc

from bench.scene import write_scene
from bench.scene_catalogue import MEMBER_ATTRIBUTES, MEMBER_TIER
from troth.v1 import decision_pb2, member_pb2, member_service_pb2
from troth.v1 import member_service_pb2_grpc as member_services
from troth.v1 import recommendation_service_pb2 as messages
from troth.v1 import recommendation_service_pb2_grpc as services

METHOD = "/troth.v1.RecommendationService/RecommendOffers"
SERVER_CORE, CLIENT_CORE = "0", "1"


def pinned(core: str, command: list[str]) -> list[str]:
    """Return the command bound to one core, where the machine has several."""
    return ["taskset", "-c", core, *command] if (os.cpu_count() or 1) > 1 else command


@contextlib.contextmanager
def running(command: list[str], log: Path) -> Iterator[int]:
    """Run a server that prints its port; stop it in the end."""
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            pinned(SERVER_CORE, command), stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            found = re.search(r"(\d+)(?=,|\s|$)(?!\.)", re.sub(r"^.*?(port |127\.0\.0\.1:)", "", line))
            if found is None:
                sys.exit(f"the server did not start; see {log}:\n{log.read_text()[-2000:]}")
            yield int(found.group(1))
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def load(port: int, frame: Path, *, clients: int, requests: int) -> tuple[float, int]:
    """Post the frame many times; return requests per second and how many were answered."""
    command = [
        "h2load", f"--requests={requests}", f"--clients={clients}", "--threads=1", f"--data={frame}",
        "-H", "content-type: application/grpc", "-H", "te: trailers", f"http://127.0.0.1:{port}{METHOD}",
    ]  # fmt: skip
    printed = subprocess.run(pinned(CLIENT_CORE, command), check=True, capture_output=True, text=True).stdout
    rate = re.search(r"([\d.]+) req/s", printed)
    done = re.search(r"(\d+) succeeded", printed)
    assert rate is not None, printed
    assert done is not None, printed
    return float(rate.group(1)), int(done.group(1))


def decisions(database: Path) -> int:
    """Count the decisions in a log."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM decisions").fetchone()
    return int(count)


def known_member(member_id: str) -> member_service_pb2.UpsertMembersRequest:
    """Return what makes a member pass some of the rules of ``scene_catalogue``."""
    member = member_pb2.Member(member_id=member_id, tier=MEMBER_TIER)
    for name, value in MEMBER_ATTRIBUTES.items():
        member.attributes[name].int_value = value
    member.consents.add(purpose="personalisation", granted=True)
    return member_service_pb2.UpsertMembersRequest(
        actor="bench", updates=[member_service_pb2.MemberUpdate(member=member)]
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=64, help="connections, one call in flight on each")
    parser.add_argument("--requests", type=int, default=20_000, help="calls in each turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--offers", type=int, default=1000)
    parser.add_argument("--second-stage", action="store_true", help="let trees rank instead of counting")
    parser.add_argument(
        "--decisioning",
        action="store_true",
        help="with 200 rules, limits, budgets, arbitration and exploration",
    )
    options = parser.parse_args()
    if shutil.which("h2load") is None:
        sys.exit("h2load is missing; install Debian's nghttp2-client")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        config = write_scene(
            folder,
            offer_count=options.offers,
            second_stage=options.second_stage,
            decisioning=options.decisioning,
        )
        frame = folder / "frame"
        troth = [sys.executable, "-m", "cli.main", "serve", "--config", str(config)]
        canned = folder / "canned"
        with (
            running(troth, folder / "first.log") as port,
            grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
        ):
            stub = services.RecommendationServiceStub(channel)
            members = member_services.MemberServiceStub(channel)
            for number in itertools.count():
                members.UpsertMembers(known_member(f"m{number}"))
                question = messages.RecommendOffersRequest(member_id=f"m{number}", placement_id="checkout")
                answer = stub.RecommendOffers(question)
                # A member whom the experiment lets the model rank for.
                if answer.decision.ranking == decision_pb2.RANKING_CHAMPION:
                    break
            request = question.SerializeToString()
            frame.write_bytes(struct.pack(">BI", 0, len(request)) + request)
            canned.write_bytes(answer.SerializeToString())
        servers = {
            "echo on threads": [sys.executable, "-m", "bench.echo", "threads", str(canned)],
            "echo on asyncio": [sys.executable, "-m", "bench.echo", "aio", str(canned)],
            "Troth": troth,
        }
        rates: dict[str, list[float]] = {name: [] for name in servers}
        for turn in range(options.rounds):
            for name, command in servers.items():
                before = decisions(folder / "troth.db")
                with running(command, folder / f"{turn}.log") as port:
                    warm = load(
                        port, frame, clients=options.clients, requests=max(options.requests // 10, 100)
                    )[1]
                    rate, answered = load(port, frame, clients=options.clients, requests=options.requests)
                rates[name].append(rate)
                if name == "Troth":
                    logged = decisions(folder / "troth.db") - before
                    if logged != warm + answered:
                        sys.exit(f"{warm + answered} decisions were answered, but {logged} are in the log")
                print(f"round {turn + 1}  {name:16} {rate:8.0f} a second")
    middle = {name: statistics.median(values) for name, values in rates.items()}
    floor = max(middle["echo on threads"], middle["echo on asyncio"])
    print(f"\n{options.clients} calls in flight, {options.offers} offers, one core for the server, medians:")
    for name, rate in middle.items():
        print(f"{name:16} {rate:8.0f} a second  {rate / floor:5.2f} of the faster echo")


if __name__ == "__main__":
    main()
