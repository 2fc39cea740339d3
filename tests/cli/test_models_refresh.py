"""`troth models refresh` as its users meet it, on a real store."""

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from tests.cli.in_process import Ran, run
from tests.training.small_jobs import empty_store, record_job, small_job
from training.evaluation.evaluation import COUNTING
from training.tracking import ModelRegistry

# Both come from inside mlflow, which is not ours to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),
    pytest.mark.filterwarnings("ignore:Operation with range is deprecated"),
]


class Refresh:
    """The command, run in this process, on one store."""

    def __init__(
        self, store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.store, self._monkeypatch, self._capsys = store, monkeypatch, capsys

    def __call__(self, *arguments: str, store: Path | None = None) -> Ran:
        """Run ``troth models refresh …`` and return exit code, stdout and stderr."""
        command = ["models", "refresh", *arguments, "--store", str(store or self.store)]
        return run(self._monkeypatch, self._capsys, *command)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose champion counts, up to the first second of 2018."""
    store = empty_store(tmp_path_factory.mktemp("refresh") / "store")
    record_job(store, [COUNTING, "als"], job=small_job(programme="default"))
    return store


@pytest.fixture
def refresh(store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refresh:
    crown(store, "1")
    return Refresh(store, monkeypatch, capsys)


def crown(store: Path, version: str) -> None:
    ModelRegistry(store, "default", "replenish").set_alias("champion", version)


def today(folder: Path, *days: int) -> tuple[str, ...]:
    """Write a purchase for each day of January 2018, and return the options that name the table."""
    path = folder / f"today{'-'.join(map(str, days))}.parquet"
    rows = {
        "customer": [f"m{place:02}" for place in range(len(days))],
        "product": [f"offer {place:02}" for place in range(len(days))],
        "when": [datetime(2018, 1, day, tzinfo=UTC) for day in days],
    }
    pl.DataFrame(rows).write_parquet(path)
    columns = ("--member-column", "customer", "--offer-column", "product", "--time-column", "when")
    return ("--interactions", str(path), *columns)


def test_new_purchases_make_a_new_champion(refresh: Refresh, tmp_path: Path) -> None:
    """Plain words say what entered, what was left out, how the old champion did, and which version serves."""
    code, out, err = refresh(*today(tmp_path, 1, 2, 4, 4))
    assert (code, err) == (0, "")
    added, left_out, drift, promoted = out.splitlines()
    assert added == (
        "Added 3 purchases after 2018-01-01T00:00:00Z and up to 2018-01-04T00:00:00Z; new: 0 members, 0 products."
    )
    assert left_out == "Left out 1 row up to 2018-01-01T00:00:00Z, known to version 1; the first is row 1."
    assert drift.startswith("Version 1 ranks these 3.0 days with NDCG@10 ")
    assert promoted.startswith(
        "decayed_frequency, version 3 is champion: it is version 1 with the purchases made since"
    )
    code, out, err = refresh(*today(tmp_path, 1, 7, 8, 8), "--json", "-")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert (document["version"], document["refreshed_from"], document["evidence_from"]) == ("4", "3", "1")
    assert (document["rows"], document["rows_left_out"], document["gap_days"]) == (3, 1, 3.0)
    assert (document["promoted"], document["drift"]["cases"]) == (True, 3)


def test_a_gap_is_worth_a_word(refresh: Refresh, tmp_path: Path) -> None:
    """When days seem to be missing, the sentence says how many."""
    code, out, _ = refresh(*today(tmp_path, 9, 10))
    assert code == 0
    assert "The first new purchase is 8.0 days after 2018-01-01T00:00:00Z: what was bought between" in out


def test_mistakes_are_one_sentence(refresh: Refresh, store: Path, tmp_path: Path) -> None:
    """Exit code 1 and one sentence on stderr, nothing on stdout; nothing is registered."""
    table = today(tmp_path, 3)
    before = len(ModelRegistry(store, "default", "replenish").versions())
    cases = [
        (
            today(tmp_path, 1, 1),
            "Nothing in today1-1.parquet is new: none of its 2 rows is later than 2018-01-01",
        ),
        (("--interactions", "none.parquet", "--time-column", "when"), "none.parquet"),
        ((*today(tmp_path, 3), "--member-column", "who"), "has no column 'who' for the member"),
        ((*table, "--task", "redeem"), "There is no model troth-default-offers-redeem"),
        ((*table, "--task", "sell"), "There is no task 'sell'"),
    ]
    for arguments, says in cases:
        code, out, err = refresh(*arguments)
        assert (code, out) == (1, ""), err
        assert says in err
        assert err.count("\n") == 1
    crown(store, "2")
    code, out, err = refresh(*table)
    assert (code, out) == (1, "")
    assert err == (
        "troth: als, version 2 was made before Troth kept what it takes to fit a model again: train once, then refresh.\n"
    )
    assert len(ModelRegistry(store, "default", "replenish").versions()) == before


def test_a_time_column_must_be_named(refresh: Refresh, tmp_path: Path) -> None:
    """Without times nobody knows which purchases are new: that is a usage error."""
    code, out, err = refresh("--interactions", str(tmp_path / "today.parquet"))
    assert (code, out) == (2, "")
    assert "--time-column" in err


def test_a_refused_refresh_names_the_reason(
    refresh: Refresh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version that is registered but too slow does not serve: exit code 1 and the reason on stderr."""
    monkeypatch.setattr("training.promotion.check_latency", _too_slow)
    code, out, err = refresh(*today(tmp_path, 5), "--json", "-")
    assert code == 1
    document = json.loads(out)
    assert not document["promoted"]
    assert err == "troth: decayed_frequency cannot become champion: it is too slow.\n"


def _too_slow(*_: object) -> None:
    from training.promotion_checks import CheckError

    raise CheckError("It is too slow")
