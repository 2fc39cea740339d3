"""`troth models` as its users meet it, on a real store."""

import json
from pathlib import Path

import pytest

from cli.train import comparison
from tests.cli.in_process import Ran, run
from tests.training.small_jobs import empty_store, record_job, small_fold, small_job
from training.evaluation.evaluation import COUNTING

# Both come from inside mlflow, which is not ours to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),
    pytest.mark.filterwarnings("ignore:Operation with range is deprecated"),
]


class Troth:
    """The command, run in this process, on one store."""

    def __init__(
        self, store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._store, self._monkeypatch, self._capsys = store, monkeypatch, capsys

    def __call__(self, *arguments: str) -> Ran:
        """Run ``troth models …`` and return exit code, stdout and stderr."""
        command = ["models", *arguments, "--store", str(self._store)]
        return run(self._monkeypatch, self._capsys, *command)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a job of three models, and one on other cases."""
    store = empty_store(tmp_path_factory.mktemp("models") / "store")
    record_job(store, [COUNTING, "als", "bpr"], job=small_job(programme="default"))
    other = small_job(programme="default", judged_on="test: 28 days from 2018-01-01")
    record_job(store, [COUNTING], job=other, fold=small_fold(2))
    return store


@pytest.fixture
def troth(store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Troth:
    return Troth(store, monkeypatch, capsys)


def test_list_shows_versions_with_what_was_said_of_them(troth: Troth) -> None:
    """One line per version: task, number, model, aliases, what the gate said and the deciding metric."""
    code, out, err = troth("list", "--task", "replenish")
    assert (code, err) == (0, "")
    header, *lines = out.splitlines()
    assert header.split() == ["task", "version", "model", "aliases", "status", "metric", "registered"]
    assert [line.split()[1] for line in lines] == ["4", "3", "2", "1"]
    assert "pending" in lines[2]
    assert "NDCG@10 1.0000" in lines[2]
    document = json.loads(troth("list", "--json", "-")[1])
    assert [version["version"] for version in document["versions"]] == ["4", "3", "2", "1"]
    assert document["versions"][0]["judged_on"] == "test: 28 days from 2018-01-01"


def test_compare_puts_the_best_first_and_names_other_cases(troth: Troth) -> None:
    """Values with errors and paired differences; a version judged on other cases is named below the table."""
    code, out, err = troth("compare", "2", "3", "1", "4")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [["als", "2"], [COUNTING, "1"], ["bpr", "3"]]
    assert "1.0000 ± 0.0000  +0.55" in lines[1]
    assert "Not compared: decayed_frequency, version 4, was judged on test: 28 days from 2018-01-01." in lines
    document = json.loads(troth("compare", "2", "3", "--metric", "recall@5", "--json", "-")[1])
    assert document["metric"] == "recall@5"
    best = document["versions"][0]
    difference = best["difference_to_decayed_frequency"]
    assert difference["low"] < difference["value"] < difference["high"]
    assert best["difference_to_champion"] is None
    code, out, _ = troth("compare")
    assert (code, len(out.splitlines())) == (0, 3), "the latest job has one model"
    code, out, err = troth("compare", "--metric", "luck@3")
    assert (code, out) == (1, "")
    assert err.startswith("troth: There is no metric 'luck@3'; choose from ndcg@5")


def test_promote_refuses_with_the_reason_and_rollback_brings_back(troth: Troth, tmp_path: Path) -> None:
    """Refused is exit code 1 and one sentence on stderr; promoted and rolled back say which version serves."""
    code, out, err = troth("promote", "3")
    assert (code, out) == (1, "")
    assert err.startswith(
        "troth: bpr cannot become champion: NDCG@10 0.2662 is 0.1749 below decayed_frequency"
    )
    assert err.count("\n") == 1
    code, out, err = troth("promote", "2", "--latency-limit-ms", "0", "--json", "-")
    assert code == 1
    assert json.loads(out)["reason"] == err.removeprefix("troth: ").strip()
    code, out, err = troth("promote", "1")
    assert (code, err) == (0, "")
    assert out.startswith("decayed_frequency, version 1 is champion: NDCG@10 0.44")
    document = json.loads(troth("promote", "2", "--json", "-")[1])
    assert (document["promoted"], document["previous"], document["model"]) == (True, "1", "als")
    code, out, err = troth("pull", "--target", str(tmp_path))
    link = tmp_path / "default" / "offers" / "replenish" / "champion"
    assert (code, err) == (0, "")
    assert out.startswith(f"{link} is version 2, als@")
    code, out, err = troth("rollback")
    assert (code, err) == (0, "")
    assert out == "decayed_frequency, version 1 is champion again; als, version 2 served before.\n"
    pulled = json.loads(troth("pull", "--task", "replenish", "--target", str(tmp_path), "--json", "-")[1])
    assert [(model["version"], model["changed"]) for model in pulled["models"]] == [("1", True)]
    assert json.loads(troth("rollback", "--json", "-")[1])["version"] == "2"
    assert "The champion is als, version 2." in troth("compare", "1", "2")[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("promote", "99"), "has no version '99'"),
        (("rollback", "--task", "redeem"), "There is no model troth-default-offers-redeem"),
        (("list", "--programme", "tea"), "There is no model of programme tea"),
        (("compare", "--task", "sell"), "There is no task 'sell'"),
        (("pull", "--alias", "green"), "has the alias 'green'"),
    ],
)
def test_what_is_not_there_is_one_sentence(troth: Troth, arguments: tuple[str, ...], says: str) -> None:
    """Exit code 1 and one sentence on stderr, nothing on stdout."""
    code, out, err = troth(*arguments)
    assert (code, out) == (1, "")
    assert says in err
    assert err.count("\n") == 1


def test_a_watching_pull_outlives_the_store(
    troth: Troth, monkeypatch: pytest.MonkeyPatch, store: Path, tmp_path: Path
) -> None:
    """With --watch a store that cannot be read is reported, and looked at again; what was pulled stays."""
    looks = 0

    def sleep(seconds: float) -> None:
        nonlocal looks
        looks += 1
        assert seconds == 0.5
        if looks == 1:
            (store / "mlflow.db").rename(store / "away.db")
        elif looks == 2:
            (store / "away.db").rename(store / "mlflow.db")
        else:
            raise KeyboardInterrupt

    monkeypatch.setattr("cli.models.time.sleep", sleep)
    arguments = ("--alias", "challenger", "--target", str(tmp_path), "--watch", "--interval", "0.5")
    code, out, err = troth("pull", *arguments)
    assert code == 130
    assert out.count("\n") == 1
    assert err.startswith("troth: There is no model store in")


def test_the_table_of_a_job(tmp_path: Path) -> None:
    """The table of a training job puts the best first, with the paired difference to counting."""
    job = record_job(empty_store(tmp_path / "store"), [COUNTING, "als"], job=small_job(programme="table"))
    header, best, counting, judged = comparison(job).splitlines()
    assert "NDCG@10 against decayed_frequency" in header
    assert best.startswith("als (best on validation)  1.0000 ± 0.0000")
    assert f"{job.differences['als'].value:+.4f} (95 %" in best
    assert counting.startswith(COUNTING)
    assert judged.startswith("Judged on test: 28 days from 2017-12-04")
