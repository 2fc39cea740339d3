"""The contract of every store of experiments and identities, and how an older file becomes one."""

import dataclasses
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from experiments.definition import State
from experiments.definition.lifecycle import ChangeAction, ExperimentChange, changed_paths, etag
from experiments.log.events import Outcome, to_micros
from experiments.log.frames import read_log
from server.members import Trip
from server.storage import IdentityLink, LinkResult, SqliteEventLog
from tests.experiments.definitions import arms, definition
from tests.server.connections import connections
from tests.server.test_storage import exposure, outcome

NOW = datetime(2017, 12, 5, 12, 0, 0, 123_456, tzinfo=UTC)
PATIENT_S = 20.0


def change(position: int = 1, **fields: object) -> ExperimentChange:
    """Return a change with every field set."""
    plain = ExperimentChange(
        programme="default",
        experiment_id="offer-ranking",
        position=position,
        action=ChangeAction.UPDATE,
        actor="Zoë 🛒",
        change_time=NOW + timedelta(seconds=position),
        request_id=f"r{position}",
        request_digest=f"digest{position}",
        before_revision=position - 1,
        before_state=State.DRAFT,
        changed_paths=("owner", "variants[1].weight"),
        definition=definition(
            revision=position, start_date=NOW.date(), layer={"layer_id": "l", "slots": ["1-9"]}
        ),
    )
    return dataclasses.replace(plain, **fields)  # type: ignore[arg-type]  # fields by name


@dataclasses.dataclass(frozen=True)
class Adapter:
    """One implementation: opens the store in a folder; opening again continues it."""

    name: str
    open: Callable[[Path], SqliteEventLog]


ADAPTERS = (Adapter("sqlite", lambda folder: SqliteEventLog(folder / "log.db")),)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
class TestExperimentStore:
    """What the server relies on."""

    @pytest.fixture
    def store(self, adapter: Adapter, tmp_path: Path) -> Iterator[SqliteEventLog]:
        opened = adapter.open(tmp_path)
        yield opened
        opened.close()

    def test_change_is_returned_and_kept(
        self, adapter: Adapter, store: SqliteEventLog, tmp_path: Path
    ) -> None:
        """A new change comes back as it is, and equal in every field after the store was closed and opened again."""
        first, second = change(1, before_state=None), change(2, request_id="")

        assert [store.append_change(one, PATIENT_S) for one in (first, second)] == [first, second]
        store.close()

        with closing(adapter.open(tmp_path)) as again:
            assert again.changes("default", "offer-ranking", 0, 10) == (first, second)
            assert again.changes("default", "offer-ranking", 1, 10) == (second,)
            assert again.changes("default", "offer-ranking", 0, 1) == (first,)
            (standing,) = again.stored_experiments("default")
            assert standing.last == second
            assert standing.create_time == first.change_time
            assert again.change_of_request("default", "r1") == first
            assert again.change_of_request("default", "r2") is None

    def test_known_request_keeps_nothing(self, store: SqliteEventLog) -> None:
        """Under a known key nothing is kept and the earlier change comes back; the key belongs to one programme."""
        store.append_change(change(1), PATIENT_S)

        assert store.append_change(change(2, request_id="r1"), PATIENT_S) == change(1)
        other = change(1, programme="second")
        assert store.append_change(other, PATIENT_S) == other
        assert len(store.changes("default", "offer-ranking", 0, 10)) == 1

    def test_taken_position_keeps_nothing(self, store: SqliteEventLog) -> None:
        """Of many changes for one position exactly one is kept, and all are told which."""
        wanted = [change(1, request_id=f"request-{number}", actor=str(number)) for number in range(16)]
        with ThreadPoolExecutor(16) as pool:
            told = list(pool.map(lambda one: store.append_change(one, PATIENT_S), wanted))

        assert {one.actor for one in told} == {told[0].actor}
        assert store.changes("default", "offer-ranking", 0, 99) == (told[0],)

    def test_stored_experiments_are_by_id(self, store: SqliteEventLog) -> None:
        """Each experiment of a programme stands once, by id, with its last change."""
        for name in ("b", "a", "É", "c"):
            store.append_change(change(1, experiment_id=name, request_id=""), PATIENT_S)
        store.append_change(change(2, experiment_id="b"), PATIENT_S)

        found = store.stored_experiments("default")
        assert [(one.last.experiment_id, one.last.position) for one in found] == [
            ("a", 1),
            ("b", 2),
            ("c", 1),
            ("É", 1),
        ]
        assert store.stored_experiments("second") == ()
        assert (store.change_count("default"), store.change_count("second")) == (5, 0)

    def test_links_resolve_to_the_first(self, store: SqliteEventLog) -> None:
        """All ids of a person lead to the same ids; the anonymous one that was linked first stands in front."""
        for anonymous_id in ("phone", "laptop", "a-tablet"):
            store.link_identities("default", [IdentityLink(anonymous_id, "Zoë")], NOW, PATIENT_S)

        for one in ("Zoë", "phone", "laptop", "a-tablet"):
            assert store.identities("default", one) == ("phone", "laptop", "a-tablet", "Zoë")
        assert store.identities("default", "nobody") == ("nobody",)
        assert store.identities("second", "phone") == ("phone",)
        assert store.has_identities("default")
        assert not store.has_identities("second")

    def test_links_are_counted(self, store: SqliteEventLog) -> None:
        """A link that is there, in the store or earlier in the batch, is a duplicate."""
        batch = [IdentityLink("a", "m"), IdentityLink("b", "m"), IdentityLink("a", "m")]

        assert store.link_identities("default", batch, NOW, PATIENT_S) == LinkResult(2, 1)
        assert store.link_identities("default", batch, NOW, PATIENT_S) == LinkResult(0, 3)
        assert store.link_identities("default", [], NOW, PATIENT_S) == LinkResult(0, 0)

    @pytest.mark.parametrize(
        "bad",
        [
            IdentityLink("a", "other"),
            IdentityLink("m", "n"),
            IdentityLink("c", "a"),
            IdentityLink("new", "fresh"),
            IdentityLink("mate", "q"),
        ],
        ids=[
            "another member",
            "a member as visitor",
            "a visitor as member",
            "visitor twice",
            "member as visitor",
        ],
    )
    def test_contradictions_keep_nothing(self, store: SqliteEventLog, bad: IdentityLink) -> None:
        """A visitor of two members, and an id on both sides of links, refuse the whole batch by name."""
        store.link_identities("default", [IdentityLink("a", "m")], NOW, PATIENT_S)
        batch = [IdentityLink("new", "mate"), IdentityLink("fine", "m"), bad]

        assert store.link_identities("default", batch, NOW, PATIENT_S) == LinkResult(0, 0, (bad,))
        assert store.identities("default", "m") == ("a", "m")
        assert store.identities("default", "mate") == ("mate",)

    def test_first_variant_is_that_of_the_first_logged(self, store: SqliteEventLog) -> None:
        """Of all exposures of all ids of a person the one that was logged first counts, whatever time it carries."""
        sent = [
            exposure(1, member_id="phone", variant_id="w", expose_time=NOW),
            exposure(2, member_id="Zoë", variant_id="v", expose_time=NOW - timedelta(days=9)),
            exposure(3, member_id="Zoë", experiment_id="other", variant_id="x"),
            exposure(4, member_id="Zoë", programme="second", variant_id="y"),
        ]
        for one in sent:
            store.append_exposures([one], PATIENT_S)

        assert store.first_variant("default", "e", ["Zoë"]) == "v"
        assert store.first_variant("default", "e", ["Zoë", "phone"]) == "w"
        assert store.first_variant("default", "other", ["Zoë", "phone"]) == "x"
        assert store.first_variant("second", "e", ["Zoë"]) == "y"
        assert store.first_variant("default", "e", ["nobody"]) is None

    def test_event_count_grows(self, store: SqliteEventLog) -> None:
        """The count of events grows with exposures and outcomes."""
        assert store.event_count() == 0
        store.append_exposures([exposure(1), exposure(2)], PATIENT_S)
        store.append_outcomes([outcome(1)], PATIENT_S)

        assert store.event_count() == 3


class TestSqlite:
    """What only the SQLite file promises."""

    @pytest.mark.parametrize(
        "statement", ["UPDATE experiment_changes SET actor = 'nobody'", "DELETE FROM experiment_changes"]
    )
    def test_the_trail_is_append_only(self, tmp_path: Path, statement: str) -> None:
        """The file itself refuses to alter or remove an entry of the audit trail."""
        with closing(SqliteEventLog(tmp_path / "log.db")) as store:
            store.append_change(change(1), PATIENT_S)
        with (
            closing(sqlite3.connect(tmp_path / "log.db")) as connection,
            pytest.raises(sqlite3.IntegrityError, match="append-only"),
        ):
            connection.execute(statement)

    def test_the_first_exposure_is_found_by_an_index(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Neither the first exposure nor the links of a person are searched for row by row."""
        opened = connections(monkeypatch)
        ran: list[str] = []
        with closing(SqliteEventLog(tmp_path / "log.db")) as store:
            store.event_count()
            for connection in opened:
                connection.set_trace_callback(ran.append)
            store.first_variant("default", "e", ["m"])
            store.identities("default", "m")
            for connection in opened:
                connection.set_trace_callback(None)

        selects = [one for one in ran if "FROM exposures" in one or "FROM identity_links" in one]
        assert len(selects) == 3
        with closing(sqlite3.connect(tmp_path / "log.db")) as connection:
            for statement in selects:
                plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
                assert all(step.startswith("SEARCH") for step in plan), plan

    def test_a_file_of_version_1_is_brought_up_to_date(self, tmp_path: Path) -> None:
        """A file as version 1 made it keeps every event and takes experiments and links afterwards."""
        path = tmp_path / "log.db"
        _write_version_1(path)
        assert len(read_log(path).exposures) == 1, "an analysis reads the old file as it is"
        assert read_log(path).identities.is_empty()
        assert read_log(path).outcomes["product_ids"].to_list() == [None]

        for _ in range(2):
            with closing(SqliteEventLog(path)) as store:
                assert store.first_variant("default", "e", ["m"]) == "v"
                assert store.append_exposures([exposure(1, event_id="x1")], PATIENT_S).duplicate_count == 1
                assert store.append_change(change(1), PATIENT_S) == change(1)
                bought = Outcome(
                    "default", "o2", "m", "purchase", "", "", None, None, "", NOW, NOW, ("bread",)
                )
                store.append_outcomes([bought], PATIENT_S)
                state = store.member_state("default", "m")
                assert state.version == 1
                assert state.trips == (Trip(to_micros(NOW), ("bread",)),)
                assert state.by_event["purchase"].times == (1, to_micros(NOW))
                assert (
                    store.link_identities("default", [IdentityLink("a", "m")], NOW, PATIENT_S).conflicts == ()
                )

        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (4,)
        assert read_log(path).exposures["event_id"].to_list() == ["x1"]
        assert read_log(path).outcomes.select("event_id", "product_ids").rows() == [
            ("o1", None),
            ("o2", ["bread"]),
        ]
        assert read_log(path).identities.to_dicts() == [
            {"programme": "default", "anonymous_id": "a", "member_id": "m", "link_time": NOW}
        ]


def _write_version_1(path: Path) -> None:
    """Write a log with one exposure by the statements of version 1, as they were released."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("""
            CREATE TABLE decisions (programme TEXT NOT NULL, decision_id TEXT NOT NULL, request_id TEXT,
                request_digest TEXT NOT NULL, member_id TEXT NOT NULL, placement_id TEXT NOT NULL,
                requested_count INTEGER NOT NULL, request_time INTEGER, receive_time INTEGER NOT NULL,
                decide_time INTEGER NOT NULL, ranking TEXT NOT NULL, model_version TEXT NOT NULL,
                plan_revision TEXT NOT NULL, catalogue_revision TEXT NOT NULL, feature_time INTEGER,
                eligible_count INTEGER NOT NULL, degradations TEXT NOT NULL, offers TEXT NOT NULL,
                assignments TEXT NOT NULL, PRIMARY KEY (programme, decision_id));
            CREATE UNIQUE INDEX decisions_by_request ON decisions (programme, request_id)
                WHERE request_id IS NOT NULL;
            CREATE TABLE exposures (programme TEXT NOT NULL, event_id TEXT NOT NULL, experiment_id TEXT NOT NULL,
                variant_id TEXT NOT NULL, member_id TEXT NOT NULL, decision_id TEXT, expose_time INTEGER NOT NULL,
                receive_time INTEGER NOT NULL, PRIMARY KEY (programme, event_id));
            CREATE TABLE outcomes (programme TEXT NOT NULL, event_id TEXT NOT NULL, member_id TEXT NOT NULL,
                outcome_type TEXT NOT NULL, decision_id TEXT, offer_id TEXT, value_units INTEGER,
                value_nanos INTEGER, currency_code TEXT, outcome_time INTEGER NOT NULL,
                receive_time INTEGER NOT NULL, PRIMARY KEY (programme, event_id));
            INSERT INTO exposures VALUES ('default', 'x1', 'e', 'v', 'm', NULL, 1, 2);
            INSERT INTO outcomes VALUES ('default', 'o1', 'm', 'purchase', NULL, NULL, NULL, NULL, NULL, 1, 2);
            PRAGMA journal_mode = WAL;
            PRAGMA user_version = 1;
        """)
        connection.commit()


def test_changed_paths() -> None:
    """The trail names what changed as precisely as it can without naming members."""
    before = definition()
    after = definition(owner="x", overrides={"m1": "popular"}, metrics=[*before.model_dump()["metrics"][:1]])
    reweighted = definition(
        variants=[{**one.model_dump(), "weight": 1 + index} for index, one in enumerate(before.variants)]
    )

    assert changed_paths(before, before) == ()
    assert sorted(changed_paths(before, after)) == ["metrics", "overrides", "owner"]
    assert changed_paths(before, reweighted) == ("variants[1].weight",)
    assert "hypothesis" in changed_paths(None, before)
    assert etag(before) != etag(after)
    assert etag(before) == etag(definition())


def test_arms_make_no_difference_to_etags() -> None:
    """Equal definitions have equal etags, however they were written."""
    assert etag(definition(variants=arms(1, 1), control="v0")) == etag(
        definition(variants=[{"variant_id": "v0"}, {"variant_id": "v1"}], control="v0")
    )
