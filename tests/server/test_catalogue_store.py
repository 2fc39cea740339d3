"""The audit trail of catalogues on disk, and which catalogue a starting server begins with."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from experiments.errors import DefinitionError
from server.catalogue import Catalogue, Offer, Placement, catalogue_changes
from server.catalogue.diff import CatalogueChange, ChangeSource
from server.errors import StoreUnavailableError
from server.programme.loading import catalogue_to_serve, open_catalogue
from server.storage.catalogue_store import CatalogueFile
from tests.server.catalogue_scene import NOW, Log

TIMEOUT_S = 10.0


def _catalogue(*names: str) -> Catalogue:
    return Catalogue(
        placements=(Placement(placement_id="p"),), offers=tuple(Offer(offer_id=name) for name in names)
    )


def _change(
    catalogue: Catalogue, position: int, before: Catalogue | None = None, **fields: Any
) -> CatalogueChange:
    change = CatalogueChange(
        programme=catalogue.programme,
        position=position,
        revision=catalogue.revision,
        change_time=NOW,
        actor="ann",
        source=ChangeSource.GRPC,
        request_id="",
        request_digest="d",
        changes=catalogue_changes(before, catalogue),
        document=catalogue.to_json(),
    )
    return replace(change, **fields)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    opened = Log(tmp_path / "troth.db")
    yield opened
    opened.close()


ONE, TWO = _catalogue("a"), _catalogue("a", "b")


def test_kept_and_read(log: Log, tmp_path: Path) -> None:
    """A change is read back as it was kept, by position, by revision, by request, and by a reader of the file."""
    first = _change(ONE, 1, request_id="r1")
    second = _change(TWO, 2, ONE, source=ChangeSource.CLI, change_time=NOW + timedelta(microseconds=1))
    for change in (first, second):
        assert log.append_catalogue_change(change, TIMEOUT_S) == change

    assert log.stored_catalogue("default") == second
    assert log.catalogue_at("default", ONE.revision) == first
    assert log.catalogue_at("default", "catalogue-000000000000") is None
    assert log.catalogue_change_of_request("default", "r1") == first
    assert log.catalogue_change_of_request("default", "r2") is None
    assert log.catalogue_changes("default", 0, 9) == (first, second)
    assert log.catalogue_changes("default", 1, 9) == (second,)
    assert log.catalogue_changes("default", 0, 1) == (first,)
    assert log.stored_catalogue("other") is None
    assert CatalogueFile(tmp_path / "troth.db").stored_catalogue("default") == second


def test_a_taken_position(log: Log) -> None:
    """Of two changes that were made from the same catalogue, the second gets the first in its place."""
    first = _change(ONE, 1)
    log.append_catalogue_change(first, TIMEOUT_S)

    assert log.append_catalogue_change(_change(TWO, 1), TIMEOUT_S) == first
    assert log.catalogue_changes("default", 0, 9) == (first,)


def test_a_repeated_request(log: Log) -> None:
    """A request that comes again gets its change, whatever position it asks for; nothing is kept twice."""
    first = _change(ONE, 1, request_id="r")
    log.append_catalogue_change(first, TIMEOUT_S)

    assert log.append_catalogue_change(_change(ONE, 2, request_id="r"), TIMEOUT_S) == first
    assert len(log.catalogue_changes("default", 0, 9)) == 1
    other = _change(ONE, 1, request_id="r", programme="other")
    assert log.append_catalogue_change(other, TIMEOUT_S) == other


def test_many_at_once(log: Log) -> None:
    """Of many writers at one position exactly one is kept, and all are told which."""
    wanted = [_change(_catalogue(f"o{number}"), 1, request_id=f"r{number}") for number in range(20)]
    with ThreadPoolExecutor(20) as pool:
        kept = list(pool.map(lambda change: log.append_catalogue_change(change, TIMEOUT_S), wanted))

    assert len(set(kept)) == 1
    assert log.catalogue_changes("default", 0, 99) == (kept[0],)


@pytest.mark.parametrize(
    "statement", ["DELETE FROM catalogue_changes", "UPDATE catalogue_changes SET actor = 'x'"]
)
def test_the_trail_is_append_only(log: Log, tmp_path: Path, statement: str) -> None:
    """Nobody alters or removes an entry, not even with a database tool."""
    log.append_catalogue_change(_change(ONE, 1), TIMEOUT_S)

    refused = pytest.raises(sqlite3.IntegrityError, match="append-only")
    with closing(sqlite3.connect(tmp_path / "troth.db")) as connection, refused:
        connection.execute(statement)


def test_files_without_catalogues(tmp_path: Path) -> None:
    """A log from before there were catalogues has none; a file that is not a log cannot be read."""
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        connection.execute("CREATE TABLE decisions (a)")
    (tmp_path / "text.db").write_text("no database, but long enough to be looked at" * 100, encoding="utf-8")

    assert CatalogueFile(tmp_path / "old.db").stored_catalogue("default") is None
    with pytest.raises(StoreUnavailableError):
        CatalogueFile(tmp_path / "text.db").stored_catalogue("default")


def test_which_catalogue_counts() -> None:
    """The file counts until it was taken once, and again when it says something else; else what stands in the store."""
    taken = _change(ONE, 1, source=ChangeSource.FILE)
    edited = _change(TWO, 2)

    assert catalogue_to_serve(ONE, None, None).from_file
    assert catalogue_to_serve(ONE, edited, None).from_file
    assert not catalogue_to_serve(ONE, taken, taken).from_file
    assert catalogue_to_serve(ONE, taken, taken).catalogue == ONE
    later = catalogue_to_serve(ONE, edited, taken)
    assert (later.catalogue, later.from_file) == (TWO, False)
    newer = catalogue_to_serve(_catalogue("c"), edited, taken)
    assert (newer.catalogue, newer.from_file) == (_catalogue("c"), True)


def test_changes_outlive_restarts_until_the_file_is_edited(log: Log) -> None:
    """Starting takes the file into the trail once; a change over gRPC then stands until somebody edits the file."""
    assert open_catalogue(ONE, log, NOW) == ONE
    assert open_catalogue(ONE, log, NOW) == ONE
    log.append_catalogue_change(_change(TWO, 2, ONE), TIMEOUT_S)
    assert open_catalogue(ONE, log, NOW) == TWO
    edited = _catalogue("a", "c")
    assert open_catalogue(edited, log, NOW) == edited
    assert open_catalogue(edited, log, NOW) == edited

    trail = log.catalogue_changes("default", 0, 9)
    assert [(one.position, one.source.value, one.actor) for one in trail] == [
        (1, "file", "file"),
        (2, "grpc", "ann"),
        (3, "file", "file"),
    ]
    assert [str(change) for change in trail[2].changes] == [
        "- offers/b",
        "+ offers/c",
    ]


def test_servers_that_start_together(log: Log) -> None:
    """Many servers on one store take the file into the trail once."""
    with ThreadPoolExecutor(8) as pool:
        served = list(
            pool.map(lambda number: open_catalogue(ONE, log, NOW + timedelta(seconds=number)), range(8))
        )

    assert served == [ONE] * 8
    assert len(log.catalogue_changes("default", 0, 99)) == 1


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ('{"placements":[]}', "placements"),
        (
            '{"placements":[{"placement_id":"p"}],"offers":[{"offer_id":"a","eligible":"x > 1"}]}',
            "offers[0].eligible",
        ),
    ],
)
def test_a_stored_catalogue_of_other_rules(log: Log, document: str, path: str) -> None:
    """What stands in the store and breaks the rules of this version is told with its problems; an edited file replaces it."""
    open_catalogue(ONE, log, NOW)
    log.append_catalogue_change(_change(TWO, 2, document=document), TIMEOUT_S)

    with pytest.raises(DefinitionError, match="in the store") as caught:
        open_catalogue(ONE, log, NOW)
    assert caught.value.problems[0].path.startswith(path)
    assert open_catalogue(_catalogue("c"), log, NOW) == _catalogue("c")
