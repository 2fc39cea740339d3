"""Several server processes on one file, many clients: budgets are used to the last unit and never beyond."""

import itertools
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import grpc
import pytest

from server.storage.schema import COMMITTED, OPEN, RELEASED
from tests.server import decision_scene as ds
from tests.server.decision_scene import Asking, money, offered
from tests.server.process import ServerProcess, connected, serving
from tests.server.running import Client
from tests.server.test_budgets_writes import KEPT, SUMS
from tests.server.waiting import wait_until

CLIENTS = 8
SECOND = 1 / 86_400


def catalogue(units: int, dollars: int, hold_days: float = 7.0) -> dict[str, Any]:
    """Return what the scene's catalogue has instead: an offer with units, one with money, and one without limits."""
    return {
        "placements": [{"placement_id": "till", "arbitration": "worth", "default_offer_count": 1}],
        "actions": [],
        "contact_policies": [],
        "quiet_hours": [],
        "cool_downs": [],
        "channels": [],
        "offers": [
            {
                "offer_id": "units", "kind": "perk", "value": money("9"),
                "budgets": [{"units": units, "hold_days": hold_days}],
            },
            {
                "offer_id": "money", "kind": "perk", "value": money("8"), "response_cost": money("2.50"),
                "budgets": [{"money": money(str(dollars)), "hold_days": hold_days}],
            },
            {"offer_id": "rest", "kind": "perk"},
        ],
    }  # fmt: skip


class Processes:
    """Servers on one file, and their clients."""

    def __init__(self, config: Path, count: int) -> None:
        self.path = config.parent / "troth.db"
        self._stack = ExitStack()
        self.servers: list[ServerProcess] = []
        self.clients: list[Client] = []
        try:
            # The first one makes the file.
            self.servers.append(self._stack.enter_context(serving(config)))
            with ThreadPoolExecutor(count) as pool:
                contexts = [serving(config) for _ in range(1, count)]
                self.servers += pool.map(self._stack.enter_context, contexts)
            self.clients = [self._stack.enter_context(connected(server)) for server in self.servers]
        except BaseException:
            self.close()
            raise

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Return rows of the file."""
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(statement).fetchall()

    def given(self) -> Counter[str]:
        """Return how many decisions gave which offer, by the log."""
        statement = "SELECT json_extract(one.value, '$.offer_id'), count(*) FROM decisions, json_each(offers) AS one GROUP BY 1"
        return Counter(dict(self.rows(statement)))

    def spent(self) -> dict[str, tuple[int, int]]:
        """Return units and millionths of dollars of each account, reserved and committed together."""
        statement = "SELECT account_id, reserved_units + committed_units, reserved_micros + committed_micros FROM budget_accounts"
        return {account: (units, micros) for account, units, micros in self.rows(statement)}

    def check(self) -> None:
        """Check that accounts are the sums of their reservations, each of a decision that gave the offer."""
        assert self.rows("PRAGMA integrity_check") == [("ok",)]
        assert self.rows(KEPT) == self.rows(SUMS)
        orphans = (
            "SELECT count(*) FROM reservations r, json_each(r.draws) one WHERE NOT EXISTS ("
            "SELECT 1 FROM decisions d, json_each(d.offers) o WHERE d.decision_id = r.decision_id"
            " AND o.value ->> 'offer_id' = one.value ->> 0)"
        )
        assert self.rows(orphans) == [(0,)]

    def close(self) -> None:
        """End all."""
        self._stack.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Processes]]:
    """Starts servers on a catalogue; they are ended whatever happens."""
    with ExitStack() as stack:

        def begin(count: int = 3, **limits: Any) -> Processes:
            started = Processes(ds.write(tmp_path / "scene", **catalogue(**limits)), count)
            stack.callback(started.close)
            return started

        yield begin


def ask_all(
    processes: Processes, members: int, *, killing: ServerProcess | None = None
) -> list[tuple[str, str, list[str]]]:
    """Ask once for each of so many members, 8 at a time, through all servers; return member, decision and offers.

    Args:
        processes: The servers.
        members: How many members.
        killing: Kill this server after a quarter of the answers; calls that it does not answer are passed over.
    """
    asking = [Asking(client) for client in processes.clients]
    answered = itertools.count(1)

    def work(worker: int) -> list[tuple[str, str, list[str]]]:
        told = []
        for number in range(worker, members, CLIENTS):
            member = f"m{number:05}"
            try:
                decision = asking[number % len(asking)].offers(member, request_id=member)
            except grpc.RpcError:
                if killing is None:
                    raise
                continue
            told.append((member, decision.decision_id, offered(decision)))
            if next(answered) == members // 4 and killing is not None:
                killing.kill()
        return told

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [one for told in pool.map(work, range(CLIENTS)) for one in told]


@pytest.mark.parametrize(
    ("units", "dollars", "members"),
    [(150, 125, 300), pytest.param(1_000, 500, 1_600, marks=pytest.mark.slow)],
)
def test_never_overspent(start: Callable[..., Processes], units: int, dollars: int, members: int) -> None:
    """Exactly the budget is given, in units and in money, and whoever comes too late gets something else."""
    processes = start(units=units, dollars=dollars)

    told = ask_all(processes, members)

    counts = Counter(offer for *_, offers in told for offer in offers)
    paid = int(dollars / 2.5)
    assert counts == {"units": units, "money": paid, "rest": members - units - paid}
    assert processes.given() == counts
    assert processes.spent() == {
        "candidate:units:0": (units, 0),
        "candidate:money:0": (paid, paid * 2_500_000),
    }
    processes.check()


def test_redemptions_commit_and_the_rest_runs_out(start: Callable[..., Processes]) -> None:
    """What is redeemed stays spent; what is not is given back after its hold, and used again to the last unit."""
    processes = start(2, units=20, dollars=5, hold_days=4 * SECOND)
    told = [one for one in ask_all(processes, 30) if one[2] == ["units"]]
    assert len(told) == 20
    asking = [Asking(client) for client in processes.clients]
    for number, (member, decision_id, _) in enumerate(told[:12]):
        # Through another server than the one that decided.
        ask = asking[(int(member[1:]) + 1) % len(asking)]
        ask.log(member, "redemption", event=f"e{number}", decision_id=decision_id, offer_id="units")
    states = (
        "SELECT substr(states, one.key + 1, 1), count(*) FROM reservations, json_each(draws) AS one"
        " WHERE one.value ->> 0 = 'units' GROUP BY 1"
    )

    wait_until(lambda: dict(processes.rows(states)).get(OPEN, 0) == 0, "reservations run out")

    assert dict(processes.rows(states)) == {COMMITTED: 12, RELEASED: 8}
    wait_until(lambda: _others_get(processes, 8), "what was given back is given again")
    processes.check()


def _others_get(processes: Processes, units: int) -> bool:
    """Ask for new members until the units that were given back are used, and tell whether they were, exactly."""
    ask = Asking(processes.clients[0])
    start = len(processes.rows("SELECT 1 FROM decisions"))
    got = [offered(ask.offers(f"late{start + number}")) for number in range(units + 2)]
    spent = processes.spent()["candidate:units:0"][0]
    assert spent <= 20
    return got.count(["units"]) == units and spent == 20


def test_killed_in_the_middle(start: Callable[..., Processes]) -> None:
    """A server that is killed loses nothing it told of and holds nothing back: the others use the budget to the last unit."""
    processes = start(2, units=120, dollars=5)
    told = ask_all(processes, 240, killing=processes.servers[1])

    logged = dict(processes.rows("SELECT decision_id, member_id FROM decisions"))
    assert all(logged.get(decision_id) == member for member, decision_id, _ in told)
    assert len(told) < 240
    del processes.clients[1]
    retried = ask_all(processes, 240)

    again = {member: decision_id for member, decision_id, _ in retried}
    # Retries through the other servers find the decisions that the killed one had made.
    assert all(again[member] == decision_id for member, decision_id, _ in told)
    assert processes.given()["units"] == 120
    assert processes.spent()["candidate:units:0"] == (120, 0)
    processes.check()
