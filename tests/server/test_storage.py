"""The contract of every event log; each adapter passes all of it."""

import dataclasses
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest

from experiments.log.events import (
    ACTIONS,
    ActionChoice,
    AssignedVariant,
    Decision,
    Exposure,
    OfferChoice,
    OfferReason,
    Outcome,
)
from experiments.log.frames import EventFrames, read_log
from server.errors import StoreTimeoutError, StoreUnavailableError
from server.storage import AppendResult, EventLog, MemberStore, SqliteEventLog
from tests.server.connections import connections
from tests.server.waiting import wait_until

NOW = datetime(2017, 12, 5, 12, 0, 0, 123_456, tzinfo=UTC)
PATIENT_S = 20.0
STRUCTURED = {
    "offers", "assignments", "degradations", "actions", "runner_up", "attributes", "basket", "removed",
}  # fmt: skip
REASONS = (
    OfferReason("DUE_AGAIN", interval_days=7, elapsed_days=9),
    OfferReason("BOUGHT_BEFORE", trip_count=3, span_days=23),
    OfferReason("GOES_WITH", product_id="Käse, 茶"),
)


def decision(number: int, **changes: object) -> Decision:
    """Return a decision with every field set."""
    plain = Decision(
        programme="default",
        decision_id=f"d{number}",
        request_id=f"r{number}",
        request_digest=f"digest{number}",
        member_id="Zoë 🛒",
        placement_id="checkout",
        requested_count=3,
        request_time=NOW - timedelta(seconds=2),
        receive_time=NOW,
        decide_time=NOW - timedelta(seconds=1),
        ranking="champion",
        model_version="m@1",
        plan_revision="plan-1",
        catalogue_revision="catalogue-1",
        feature_time=datetime(2017, 12, 4, 5, tzinfo=UTC),
        eligible_count=7,
        degradations=("MEMBER_UNKNOWN",),
        offers=(
            OfferChoice("a", 1, 0.1 + 0.2, 0.5, REASONS, {"probability": 0.25, "value": 1.2}),
            OfferChoice("b", 2, -1e-38, 1.0),
        ),
        assignments=(AssignedVariant("e", "v", 2, {"text": "é", "whole": 1, "float": 1.0, "truth": True}),),
        channel_id="app",
        attributes={"age": 44, "share": 0.1, "likes": ("tea", "Käse"), "joined": NOW, "staff": False},
        basket=("bread", "Käse, 茶"),
        campaign_id="spring",
        standing_arm="random",
        arbitration_id="plain",
        exploration="softmax",
        slate_propensity=0.5,
        budget_state="b1",
        evidence_state="e1",
        removed={"NOT_ELIGIBLE": 3},
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]  # fields by name


def exposure(number: int, **changes: object) -> Exposure:
    """Return an exposure with every field set."""
    plain = Exposure("default", f"x{number}", "e", "v", "Zoë", "d1", NOW - timedelta(days=1), NOW)
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]  # fields by name


def outcome(number: int, **changes: object) -> Outcome:
    """Return an outcome with every field set."""
    plain = Outcome(
        "default",
        f"o{number}",
        "Zoë",
        "purchase",
        "d1",
        "a",
        -3,
        -250_000_000,
        "USD",
        NOW - timedelta(1),
        NOW,
        ("bread", "Käse, 茶"),
        "app",
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]  # fields by name


class Store(EventLog, MemberStore, Protocol):
    """What one file is to the server."""


def keep(log: EventLog, one: Decision) -> Decision:
    """Return what the log has for a decision that it must not refuse."""
    kept = log.submit_decision(one).result(PATIENT_S).decision
    assert kept is not None
    return kept


@dataclasses.dataclass(frozen=True)
class Adapter:
    """One implementation.

    Attributes:
        name: For the test's id.
        open: Opens the log in a folder; opening again continues it.
        read: Reads back what a folder's log holds of a programme.
    """

    name: str
    open: Callable[[Path], Store]
    read: Callable[[Path, str], EventFrames]


ADAPTERS = (
    Adapter(
        "sqlite",
        lambda folder: SqliteEventLog(folder / "log.db"),
        lambda folder, programme: read_log(folder / "log.db", programme),
    ),
)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
class TestEventLog:
    """What the server relies on."""

    @pytest.fixture
    def log(self, adapter: Adapter, tmp_path: Path) -> Iterator[Store]:
        opened = adapter.open(tmp_path)
        yield opened
        opened.close()

    def test_decision_is_returned_and_kept(self, adapter: Adapter, log: Store, tmp_path: Path) -> None:
        """A new decision comes back as the member's first, and every field is in the log once it is back."""
        sent = decision(1)

        kept = keep(log, sent)

        assert kept == dataclasses.replace(sent, member_version=1)
        assert log.decision("default", "d1") == kept
        assert log.decision("default", "d2") is log.decision("second", "d1") is None
        (row,) = adapter.read(tmp_path, "default").decisions.to_dicts()
        for field in dataclasses.fields(Decision):
            if field.name not in STRUCTURED:
                assert row[field.name] == getattr(kept, field.name), field.name
        assert row["offers"] == [
            {name: getattr(offer, name) for name in ("offer_id", "rank", "score", "propensity")}
            for offer in kept.offers
        ]
        assert row["degradations"] == ["MEMBER_UNKNOWN"]
        assert row["assignments"] == [{"experiment_id": "e", "variant_id": "v", "experiment_revision": 2}]

    def test_decision_on_actions_is_kept_with_every_field(self, log: Store) -> None:
        """An action, its runner-up and their factors are read back as they were."""
        sent = decision(
            1,
            kind=ACTIONS,
            offers=(),
            channel_id="",
            actions=(ActionChoice("care", "email", 1, 2.5, 0.8, {"uplift": 0.1}),),
            runner_up=ActionChoice("no_action", "", 2, 0.0, 0.2),
            attributes={},
            basket=(),
        )

        assert log.decision("default", "d1") is None
        assert keep(log, sent) == log.decision("default", "d1") == dataclasses.replace(sent, member_version=1)

    def test_known_request_id_returns_the_earlier_decision(
        self, adapter: Adapter, log: Store, tmp_path: Path
    ) -> None:
        """Under a known key nothing is kept; the earlier decision comes back equal in every field and type."""
        first = keep(log, decision(1))

        again = keep(log, decision(2, request_id="r1", member_id="other"))

        assert again == first
        assert [type(value) for value in again.assignments[0].parameters.values()] == [str, int, float, bool]
        assert len(adapter.read(tmp_path, "default").decisions) == 1

    def test_no_request_id_is_no_key(self, adapter: Adapter, log: Store, tmp_path: Path) -> None:
        """Decisions without a key never collide."""
        for number in range(3):
            assert keep(log, decision(number, request_id="")).decision_id == f"d{number}"

        assert adapter.read(tmp_path, "default").decisions["request_id"].to_list() == [None] * 3

    def test_programmes_are_apart(self, adapter: Adapter, log: Store, tmp_path: Path) -> None:
        """The programme is part of every key: the same ids in two programmes are different things."""
        for programme in ("default", "second"):
            kept = keep(log, decision(1, programme=programme))
            assert kept.programme == programme
            assert log.append_exposures([exposure(1, programme=programme)], PATIENT_S) == AppendResult(1, 0)
            assert log.append_outcomes([outcome(1, programme=programme)], PATIENT_S).accepted_count == 1

        for programme in ("default", "second"):
            frames = adapter.read(tmp_path, programme)
            assert (len(frames.decisions), len(frames.exposures), len(frames.outcomes)) == (1, 1, 1)

    def test_events_are_kept_with_every_field(self, adapter: Adapter, log: Store, tmp_path: Path) -> None:
        """An exposure and an outcome are read back as they were, absent parts as nulls."""
        sent_exposures = [exposure(1), exposure(2, decision_id="")]
        sent_outcomes = [
            outcome(1),
            outcome(
                2,
                decision_id="",
                offer_id="",
                value_units=None,
                value_nanos=None,
                currency_code="",
                product_ids=(),
                channel_id="",
            ),
        ]

        log.append_exposures(sent_exposures, PATIENT_S)
        log.append_outcomes(sent_outcomes, PATIENT_S)

        frames = adapter.read(tmp_path, "default")
        assert frames.exposures.to_dicts() == [
            {name: value or None for name, value in dataclasses.asdict(one).items()} for one in sent_exposures
        ]
        assert frames.outcomes.drop("value").to_dicts() == [
            {name: value or None for name, value in dataclasses.asdict(one).items()}
            | {"product_ids": list(one.product_ids) or None, "member_version": version}
            for version, one in enumerate(sent_outcomes, start=1)
        ]

    def test_repeats_are_counted_once(self, adapter: Adapter, log: Store, tmp_path: Path) -> None:
        """Repeats in a batch and across batches are counted as duplicates; the first content stays."""
        assert log.append_exposures([exposure(1), exposure(1, variant_id="w")], PATIENT_S) == AppendResult(
            1, 1
        )
        assert log.append_exposures([exposure(1), exposure(2)], PATIENT_S) == AppendResult(1, 1)
        first = log.append_outcomes([outcome(1), outcome(1, offer_id="b"), outcome(2)], PATIENT_S)
        assert first == AppendResult(2, 1, 2)
        assert log.append_outcomes([outcome(2, offer_id="b")], PATIENT_S) == AppendResult(0, 1, 0)

        frames = adapter.read(tmp_path, "default")
        assert frames.exposures["variant_id"].to_list() == ["v", "v"]
        assert frames.outcomes["offer_id"].to_list() == ["a", "a"]

    def test_attribution(self, log: EventLog) -> None:
        """An outcome is attributed if the log has its decision, of the same programme and member."""
        keep(log, decision(1, member_id="Zoë"))
        sent = [
            outcome(1),
            outcome(2, decision_id=""),
            outcome(3, decision_id="d9"),
            outcome(4, member_id="Max"),
            outcome(5, programme="second"),
        ]

        assert log.append_outcomes(sent, PATIENT_S) == AppendResult(5, 0, 4)

    def test_empty_batches(self, log: EventLog) -> None:
        """Nothing to keep is not an error."""
        assert log.append_exposures([], PATIENT_S) == AppendResult(0, 0)
        assert log.append_outcomes([], PATIENT_S) == AppendResult(0, 0, 0)

    def test_order_is_the_order_of_arrival(self, adapter: Adapter, log: Store, tmp_path: Path) -> None:
        """What was acknowledged earlier stands earlier, and a batch keeps its order."""
        for start in range(0, 50, 5):
            log.append_outcomes([outcome(number) for number in range(start, start + 5)], PATIENT_S)

        ids = adapter.read(tmp_path, "default").outcomes["event_id"].to_list()
        assert ids == [f"o{number}" for number in range(50)]

    def test_sixteen_threads(self, adapter: Adapter, log: Store, tmp_path: Path) -> None:
        """16 threads with overlapping ids: each id is new to exactly one of them and in the log once."""
        accepted, told = [0] * 16, [[""]] * 16

        def work(worker: int) -> None:
            mine = []
            for number in range(60):
                mine.append(
                    keep(
                        log, decision(number, decision_id=f"d{worker}-{number}", request_id=f"r{number}")
                    ).decision_id
                )
                accepted[worker] += log.append_outcomes(
                    [outcome(number), outcome(1000 + number), outcome(10_000 * (worker + 1) + number)],
                    PATIENT_S,
                ).accepted_count
                accepted[worker] += log.append_exposures([exposure(number)], PATIENT_S).accepted_count
            told[worker] = mine

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(work, range(16)))

        frames = adapter.read(tmp_path, "default")
        assert all(one == told[0] for one in told)
        assert sorted(frames.decisions["decision_id"].to_list()) == sorted(told[0])
        assert len(frames.outcomes) == frames.outcomes["event_id"].n_unique() == 60 * 18
        assert len(frames.exposures) == frames.exposures["event_id"].n_unique() == 60
        assert sum(accepted) == 60 * 19

    def test_acknowledged_is_readable_at_once(self, adapter: Adapter, log: Store, tmp_path: Path) -> None:
        """Whatever was acknowledged to any thread is seen by a reader that starts afterwards."""

        def work(worker: int) -> None:
            for number in range(10):
                mine = f"o{worker}-{number}"
                log.append_outcomes([outcome(0, event_id=mine)], PATIENT_S)
                assert mine in adapter.read(tmp_path, "default").outcomes["event_id"]

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))

    def test_an_impossible_event_harms_nobody_else(
        self, adapter: Adapter, log: Store, tmp_path: Path
    ) -> None:
        """A batch that cannot be kept fails alone and whole; those written at the same time are kept."""
        impossible = [outcome(900), outcome(901, value_units=2**70)]
        failures: list[BaseException] = []

        def poison() -> None:
            for _ in range(30):
                try:
                    log.append_outcomes(impossible, PATIENT_S)
                except Exception as error:  # noqa: BLE001 any error is right; only its effect on others counts
                    failures.append(error)

        def work(worker: int) -> None:
            for number in range(30):
                log.append_exposures([exposure(worker * 100 + number)], PATIENT_S)

        with ThreadPoolExecutor(5) as pool:
            done = [pool.submit(poison), *(pool.submit(work, worker) for worker in range(4))]
            for one in done:
                one.result()

        frames = adapter.read(tmp_path, "default")
        assert len(failures) == 30
        assert len(frames.exposures) == 120
        assert frames.outcomes.is_empty()

    def test_opened_again(self, adapter: Adapter, log: Store, tmp_path: Path) -> None:
        """A log that is closed and opened again goes on where it was, keys included."""
        keep(log, decision(1))
        log.append_outcomes([outcome(1)], PATIENT_S)
        log.close()

        with closing(adapter.open(tmp_path)) as again:
            assert keep(again, decision(2, request_id="r1")) == decision(1, member_version=1)
            assert again.append_outcomes([outcome(1), outcome(2)], PATIENT_S).accepted_count == 1

        assert adapter.read(tmp_path, "default").outcomes["event_id"].to_list() == ["o1", "o2"]

    def test_close_twice_and_use_after(self, log: EventLog) -> None:
        """Closing twice does nothing; a closed log refuses at once and says why."""
        log.close()
        log.close()

        for call in (
            lambda: log.submit_decision(decision(1)),
            lambda: log.append_exposures([exposure(1)], PATIENT_S),
            lambda: log.append_outcomes([outcome(1)], PATIENT_S),
        ):
            with pytest.raises(StoreUnavailableError, match="stopping"):
                call()

    def test_close_under_load(self, adapter: Adapter, log: Store, tmp_path: Path) -> None:
        """While it closes, each call is either kept and acknowledged or refused; nothing is in between or hangs."""
        acknowledged: list[str] = []
        refused = threading.Event()

        def work(worker: int) -> None:
            for number in range(100_000):
                mine = f"o{worker}-{number}"
                try:
                    log.append_outcomes([outcome(0, event_id=mine)], PATIENT_S)
                except StoreUnavailableError:
                    refused.set()
                    return
                acknowledged.append(mine)

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(acknowledged) >= 100, "there is load")
        log.close()
        for thread in threads:
            thread.join(PATIENT_S)

        assert refused.is_set()
        assert not any(thread.is_alive() for thread in threads)
        kept = adapter.read(tmp_path, "default").outcomes["event_id"].to_list()
        assert sorted(kept) == sorted(acknowledged)

    def test_no_patience(self, log: EventLog) -> None:
        """A deadline that has passed is told as such, at once."""
        start = time.monotonic()
        results = set()
        for number in range(50):
            try:
                log.append_outcomes([outcome(number)], 0.0)
                results.add("kept")
            except StoreTimeoutError:
                results.add("timeout")

        assert results <= {"kept", "timeout"}
        assert "timeout" in results
        assert time.monotonic() - start < 30


class TestSqlite:
    """What only the SQLite file promises."""

    def test_settings(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The file is a write-ahead log whose commits are synced; both are what durability rests on."""
        opened = connections(monkeypatch)

        with closing(SqliteEventLog(tmp_path / "log.db")):
            writing = [one for one in opened if not one.execute("PRAGMA query_only").fetchone()[0]]
            assert writing
            for connection in writing:
                assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
                assert connection.execute("PRAGMA synchronous").fetchone() == (2,)

    def test_group_commit(self, tmp_path: Path) -> None:
        """Requests that arrive while a commit is under way share the next one; each is counted in one group."""
        groups: list[int] = []
        with (
            closing(SqliteEventLog(tmp_path / "log.db", groups.append)) as log,
            closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as other,
            ThreadPoolExecutor(16) as pool,
        ):
            other.execute("BEGIN IMMEDIATE")
            sent = [pool.submit(log.append_outcomes, [outcome(number)], PATIENT_S) for number in range(16)]
            wait_until(lambda: all(one.running() for one in sent), "all have asked")
            other.execute("COMMIT")
            for one in sent:
                assert one.result().accepted_count == 1

        assert sum(groups) == 16
        assert len(groups) < 8

    def test_locked_file(self, tmp_path: Path) -> None:
        """While another process holds the file, a call fails in time; afterwards the log works without a restart."""
        with closing(SqliteEventLog(tmp_path / "log.db")) as log:
            with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                start = time.monotonic()
                with pytest.raises(StoreTimeoutError):
                    log.append_outcomes([outcome(1)], 0.2)
                assert time.monotonic() - start < 20
                other.execute("ROLLBACK")

            assert log.append_outcomes([outcome(2)], PATIENT_S).accepted_count == 1
