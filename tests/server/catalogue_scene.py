"""A catalogue that uses every field, and a server of its own for catalogues over a real log."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import yaml

from experiments.assignment.plan import compile_plan
from experiments.definition import ExperimentDefinition
from server.api.catalog import CatalogServicer
from server.api.interceptors import ErrorInterceptor
from server.catalogue import Catalogue
from server.catalogue.load import parse_catalogue
from server.decide.snapshot import KnownExperiment, Snapshot
from server.handlers.catalogue import CatalogueHandler, SegmentHandler
from server.programme.loading import open_catalogue
from server.programme.programmes import Programmes
from server.storage import SqliteEventLog
from troth.v1 import catalog_service_pb2_grpc

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)

FULL = """\
time_zone: America/New_York
note: Made for tests.
currency_code: USD
attributes: {age: int, city: string, student: bool}
channels:
  - {channel_id: app, description: The phone}
  - {channel_id: email, outbound: true, purposes: [marketing]}
placements:
  - placement_id: home
    channels: [app]
    arbitration: worth
    exploration: {method: softmax, share: 0.2, shortlist: 5, temperature: 0.5, cold_places: 1}
    most_per_category: 2
    fallback_offer_ids: [coffee]
  - {placement_id: next, decides: actions, channels: [app, email], arbitration: worth}
groups:
  - {group_id: adults, eligible: age >= 18, lever: 2, purposes: [marketing]}
  - group_id: spring
    parent_id: adults
    applicable: days_since_purchase > 3
    caps: [{most: 2, days: 7}]
    budgets: [{units: 1000, pacing: even, first_day: 2026-05-01, last_day: 2026-05-31}]
segments:
  - {segment_id: young, rule: age < 30, description: The young}
contact_policies:
  - {policy_id: weekly, channels: [email], most: 2, days: 7}
quiet_hours:
  - {start: "21:00", end: "08:00"}
cool_downs:
  - {days: 30, scope: channel}
arbitrations:
  - arbitration_id: worth
    context_weights: [{rule: local_hour < 11, group_ids: [spring], weight: 1.5}]
    default_value: {amount: "0.50", currency_code: USD}
standing_arms: {period: quarter, traffic_ppm: {holdout: 10000, no_model: 5000}}
offers:
  - offer_id: coffee
    kind: perk
    title: Free coffee
    cost: {amount: "0.80", currency_code: USD}
    inventory: 500
    attributes: {size: 12, hot: true, strength: 0.5, roast: dark}
  - offer_id: tea
    group_id: spring
    title: Tee für zwei
    valid_from: 2026-05-01
    valid_until: 2026-05-31
    channels: [app]
    placements: [home]
    suitable: '"young" in segments || tier == "gold"'
    caps: [{most: 1, count: redemption}]
    budgets: [{money: {amount: "250", currency_code: USD}, period: week, hold_days: 3}]
    value: {amount: "3.25", currency_code: USD}
    discount: {amount: "1.00", currency_code: USD}
    prior_probability: 0
actions:
  - {action_id: hello, kind: welcome, applicable: purchase_count == 0, channels: [email]}
  - {action_id: no_action, kind: no_action}
"""
"""A catalogue as a person writes it."""


def document() -> Any:
    """Return the catalogue's document, to change before it is parsed."""
    return yaml.safe_load(FULL)


def full() -> Catalogue:
    """Return the catalogue."""
    return parse_catalogue(document(), "scene")


Log = SqliteEventLog


class Members:
    """Knows the members that a test names."""

    def __init__(self, known: list[Mapping[str, object]]) -> None:
        self._known = known

    def members(self, programme: str) -> Iterable[Mapping[str, object]]:
        return self._known if programme == "default" else ()


@dataclass
class Serving:
    """A server of catalogues.

    Attributes:
        address: Host and port.
        stub: Calls it.
        log: Its log.
        programmes: What is in force.
        told: The catalogues of which others were told.
        handler: What answers the calls.
    """

    address: str
    stub: Any
    log: Log
    programmes: Programmes
    told: list[tuple[str, str]]
    handler: CatalogueHandler


@contextmanager
def serving(
    path: Path,
    catalogue: Catalogue,
    experiments: tuple[ExperimentDefinition, ...] = (),
    members: tuple[Mapping[str, object], ...] = (),
    clock: Callable[[], datetime] = lambda: NOW,
) -> Iterator[Serving]:
    """Run a server of catalogues over a log; it is stopped whatever happens.

    Args:
        path: The SQLite file.
        catalogue: What the configured file says.
        experiments: Experiments in force.
        members: Whom it knows.
        clock: The server's clock.
    """
    log = Log(path)
    programmes = Programmes(
        {
            catalogue.programme: Snapshot(
                open_catalogue(catalogue, log, clock()),
                compile_plan(experiments, catalogue.programme),
                experiments={one.experiment_id: KnownExperiment(one) for one in experiments},
            )
        }
    )
    told: list[tuple[str, str]] = []
    handler = CatalogueHandler(
        programmes, log, clock, lambda name, changed: told.append((name, changed.revision))
    )
    executor = ThreadPoolExecutor(8)
    server = grpc.server(
        executor,
        interceptors=[ErrorInterceptor()],
        options=(("grpc.max_receive_message_length", 32 * 1024 * 1024),),
    )
    servicer = CatalogServicer(handler, SegmentHandler(programmes, Members(list(members))))
    catalog_service_pb2_grpc.add_CatalogServiceServicer_to_server(servicer, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    channel = grpc.insecure_channel(address, options=(("grpc.use_local_subchannel_pool", 1),))
    try:
        stub: Any = catalog_service_pb2_grpc.CatalogServiceStub(channel)
        yield Serving(address, stub, log, programmes, told, handler)
    finally:
        channel.close()
        server.stop(None).wait()
        handler.close()
        log.close()
        executor.shutdown()
