"""Small programmes to simulate: files, a real server whose log they have, and the simulation of it."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from experiments.log.events import Decision, Outcome
from server.config import load_config
from server.decide.context import DecisionContext
from server.engine import Engine
from server.handlers.changes import Provenance
from server.members.profile import ProfileUpdate
from server.metrics import Metrics
from server.whatif import Simulation, SimulationOptions, opened, simulate

START = datetime(2026, 5, 1, 6, tzinfo=UTC)
_TIMEOUT_S = 20.0
_NUMBERS = itertools.count(1)
CONFIG = """\
[server]
evidence_interval = 86400
[store]
path = "log.db"
[programmes.default]
catalogue = "catalogue.yaml"
"""


def at(hours: float) -> datetime:
    """Return the moment so many hours after the start."""
    return START + timedelta(hours=hours)


def money(amount: str) -> dict[str, str]:
    """Return an amount in dollars."""
    return {"amount": amount, "currency_code": "USD"}


def write_files(folder: Path, catalogue: dict[str, Any]) -> Path:
    """Write configuration and catalogue, and return the configuration."""
    (folder / "catalogue.yaml").write_text(yaml.safe_dump(catalogue), encoding="utf-8")
    config = folder / "troth.toml"
    config.write_text(CONFIG, encoding="utf-8")
    return config


def write_revision(folder: Path, catalogue: dict[str, Any]) -> Path:
    """Write a catalogue to try, and return its file."""
    path = folder / "revision.yaml"
    path.write_text(yaml.safe_dump(catalogue), encoding="utf-8")
    return path


def write_requests(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """Write a table of requests, and return its file."""
    path = folder / "requests.parquet"
    pl.DataFrame(rows).write_parquet(path)
    return path


def simulated(config: Path, **asked: Any) -> Simulation:
    """Simulate the only programme of a configuration."""
    with opened(load_config(config), "default", at(0)) as source:
        return simulate(source, SimulationOptions(**asked))


class Serving:
    """A server in this process, with a clock that the test sets.

    Attributes:
        now: What the clock says.
        decisions: What was answered, in order.
    """

    def __init__(self, config: Path, now: datetime) -> None:
        self.now = now
        self.decisions: list[Decision] = []
        self.engine = Engine(load_config(config), lambda: self.now, Metrics(), lambda: None)

    def decide(self, member_id: str, placement_id: str, **fields: Any) -> Decision:
        """Decide, and keep the answer."""
        context = DecisionContext(member_id=member_id, placement_id=placement_id, **fields)
        decision, _ = self.engine.decisions.make(context, _TIMEOUT_S)
        self.decisions.append(decision)
        return decision

    def happened(self, member_id: str, outcome_type: str, decision_id: str = "", offer_id: str = "") -> None:
        """Log an outcome."""
        outcome = Outcome(
            "default", f"event-{next(_NUMBERS)}", member_id, outcome_type, decision_id, offer_id, None, None, "",
            outcome_time=self.now, receive_time=self.now,
        )  # fmt: skip
        self.engine.events.log_outcomes("default", [outcome], _TIMEOUT_S)

    def say(self, member_id: str, **fields: Any) -> None:
        """Change a profile."""
        update = ProfileUpdate(member_id, **fields)
        self.engine.members.upsert("default", [update], Provenance("test", "", ""), _TIMEOUT_S)


@contextmanager
def serving(config: Path, now: datetime = START) -> Iterator[Serving]:
    """Run a server in this process; it is stopped whatever happens.

    Args:
        config: Its configuration.
        now: What its clock says at first.
    """
    server = Serving(config, now)
    try:
        server.engine.start()
        yield server
    finally:
        server.engine.close()
