"""``import troth``: light, typed, the same numbers as the command, and whatever frame the user has."""

import doctest
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import troth
from tests.cli.in_process import run
from tests.cli.programme_files import write_programme
from tests.experiments.attribution.logs import decision, outcome, write_log
from tests.experiments.test_standing_arms import simulated

ROOT = Path(__file__).parents[2]
DEFINITION: dict[str, Any] = {
    "experiment_id": "gate",
    "unit_column": "user",
    "variant_column": "version",
    "control": "old",
    "variants": [{"variant_id": "old"}, {"variant_id": "new"}],
    "metrics": [
        {"metric_id": "bought", "kind": "proportion"},
        {"metric_id": "spend", "role": "guardrail", "margin": {"relative": 0.1}},
    ],
}
YAML = """
experiment_id: gate
unit_column: user
variant_column: version
control: old
variants: [{variant_id: old}, {variant_id: new}]
metrics:
  - {metric_id: bought, kind: proportion}
  - {metric_id: spend, role: guardrail, margin: {relative: 0.1}}
"""


def players() -> pl.DataFrame:
    """Return 2,000 units of an experiment whose treatment works."""
    random = np.random.default_rng(3)
    new = np.arange(2_000) % 2 == 1
    return pl.DataFrame(
        {
            "user": [f"u{number}" for number in range(2_000)],
            "version": np.where(new, "new", "old"),
            "bought": (random.random(2_000) < np.where(new, 0.4, 0.3)).astype(int),
            "spend": random.gamma(2.0, 5.0, 2_000),
        }
    )


def test_importing_is_light() -> None:
    """The import loads no library and no package of ours: notebooks and servers pay for what they call."""
    code = (
        "import sys, troth; print([name for name in ('numpy', 'polars', 'pandas', 'grpc', 'mlflow', 'scipy', 'pydantic',"
        " 'experiments', 'training', 'server', 'cli') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT, timeout=60
    )

    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_examples_of_the_docstring_run() -> None:
    """What ``help(troth)`` shows is what comes out."""
    found = doctest.testmod(troth)

    assert found.attempted > 3
    assert found.failed == 0


def test_everything_that_is_named_is_there() -> None:
    """Each exported name can be had, has a docstring, and stands in ``dir``."""
    for name in troth.__all__:
        assert getattr(troth, name).__doc__, name
    assert set(troth.__all__) <= set(dir(troth))
    with pytest.raises(AttributeError, match="no attribute 'analyse'"):
        troth.analyse  # noqa: B018  # a misspelt name


@pytest.mark.parametrize(
    "held",
    [
        lambda frame, _: frame,
        lambda frame, _: frame.lazy(),
        lambda frame, _: frame.to_pandas(),
        lambda frame, _: frame.to_pandas().set_index("user"),
        lambda frame, _: frame.to_arrow(),
        lambda frame, _: frame.to_dict(as_series=False),
        lambda frame, folder: (frame.write_parquet(folder / "t.parquet"), folder / "t.parquet")[1],
        lambda frame, folder: (frame.write_csv(folder / "t.csv"), str(folder / "t.csv"))[1],
    ],
    ids=["polars", "lazy", "pandas", "pandas index", "arrow", "mapping", "parquet", "csv"],
)
def test_any_table_gives_the_same_result(held: Callable[[pl.DataFrame, Path], Any], tmp_path: Path) -> None:
    """Polars, pandas, Arrow, columns by name and files are the same table."""
    table = players()
    result = troth.analyze(DEFINITION, held(table, tmp_path))

    assert_frame_equal(result.to_polars(), troth.analyze(DEFINITION, table).to_polars(), rel_tol=1e-12)


def test_analysis_is_what_the_command_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The result equals the command's JSON to the last digit, and can be computed again from what was saved."""
    (tmp_path / "gate.yaml").write_text(YAML, encoding="utf-8")
    players().write_parquet(tmp_path / "t.parquet")
    monkeypatch.chdir(tmp_path)
    ran = run(monkeypatch, capsys, "experiment", "analyze", "gate.yaml", "--data", "t.parquet", "--json", "-")
    result = troth.analyze("gate.yaml", players().to_pandas())

    assert result.to_json() == json.loads(ran.out)
    result.save(tmp_path / "saved.json")
    assert troth.analyze(DEFINITION, saved=tmp_path / "saved.json").to_json() == result.to_json()


def test_a_result_can_be_read(tmp_path: Path) -> None:
    """Verdict, single intervals, a table, a page, one line at a prompt and HTML in a notebook."""
    result = troth.analyze(DEFINITION, players())

    assert result.verdict == "ship"
    interval = result["bought"]["new"].always_valid
    assert interval is not None
    assert interval.ci_lower is not None
    assert 0 < interval.ci_lower < 0.1
    table = result.to_polars()
    assert set(table["method"]) == {"fixed", "always_valid", "adjusted", "decisive"}
    row = table.filter(metric_id="bought", method="always_valid").row(0, named=True)
    assert (row["variant_id"], row["ci_lower"]) == ("new", interval.ci_lower)
    page = result.to_html(tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text(encoding="utf-8") == page
    assert page.startswith("<!doctype html>")
    assert repr(result).startswith("<Analysis: gate: ship. ")
    assert "\n" not in repr(result)
    assert "<table" in result._repr_html_()
    with pytest.raises(KeyError, match="there is no metric 'boght'; there are bought, spend"):
        result["boght"]


def test_power_and_simulation() -> None:
    """Plans from a baseline equal those from the table that has it; A/A splits keep the methods' word."""
    report = troth.power(DEFINITION, players(), effect="20%")
    assert report.methods[0].required_units is not None
    assert report.methods[0].required_units > 500
    assert "units: fixed" in repr(report)
    given = troth.power(
        DEFINITION, baseline_mean=report.baseline_mean, baseline_sd=report.baseline_sd, relative=0.2
    )
    assert given.methods[0].required_units == pytest.approx(report.methods[0].required_units, rel=0.02)
    found = troth.simulate(DEFINITION, players(), runs=100, looks=3)
    assert found.runs == 100
    assert repr(found).startswith("<AATest: ")


def test_assignment_is_the_servers() -> None:
    """Series and frames of ids get the same variants, in their order; who does not run assigns only as a preview."""
    ids = [f"m{number}" for number in range(200)]
    by_frame = troth.assign(DEFINITION, pl.DataFrame({"user": ids}), preview=True)
    by_series = troth.assign(DEFINITION, pd.Series(ids, name="user"), preview=True)

    assert by_frame.equals(by_series)
    assert by_frame["user"].to_list() == ids
    assert set(by_frame["variant_id"]) == {"old", "new"}
    with pytest.raises(troth.TrothError, match="assigns nobody except as a preview"):
        troth.assign(DEFINITION, pl.DataFrame({"user": ids}))


def test_the_log_is_read(tmp_path: Path) -> None:
    """The server's log as frames, with a line that counts."""
    write_log(
        tmp_path / "troth.db",
        [decision("d1", "ann", 0, "tea")],
        [outcome("o1", "ann", 1, "view", decision_id="d1")],
    )
    log = troth.read_log(tmp_path / "troth.db")

    assert log.outcomes["member_id"].to_list() == ["ann"]
    assert repr(log) == "<EventFrames: 1 decisions, 0 exposures, 1 outcomes, 0 identity links>"


def trial(members: int = 1_500) -> pl.DataFrame:
    """Return a trial in which mail helps those who came often."""
    random = np.random.default_rng(8)
    visits, mailed = random.poisson(3, members), random.random(members) < 0.5
    spend = random.gamma(2.0, 5.0, members) + np.where(mailed & (visits > 3), 6.0, 0.0)
    return pl.DataFrame(
        {
            "id": [f"m{n}" for n in range(members)],
            "arm": np.where(mailed, "mail", "none"),
            "visits": visits,
            "spend": spend,
        }
    )


def test_a_plan_of_sends(tmp_path: Path) -> None:
    """From a trial in memory to a verdict, a list and a page; a rule of one's own is written as pairs."""
    found = troth.plan(
        trial().to_pandas(),
        treatment_column="arm",
        control="none",
        outcome_column="spend",
        member_column="id",
        features=["visits"],
        cost={"mail": 0.5},
        rule=[("visits > 3", "mail")],
        challengers=False,
    )

    assert found.verdict.value
    assert found.to_polars().height == 1_500
    assert "<!doctype html>" in found.to_html(tmp_path / "plan.html")
    assert (tmp_path / "plan.html").is_file()
    assert repr(found).startswith("<PlanResult: ")


def test_a_policys_value() -> None:
    """A policy is valued on a table in memory; exactly one policy is named."""
    random = np.random.default_rng(1)
    action = random.choice(["a", "b"], 4_000)
    reward = (random.random(4_000) < np.where(action == "a", 0.3, 0.1)).astype(float)
    log = pd.DataFrame({"candidate_id": action, "propensity": 0.5, "reward": reward})
    found = troth.evaluate_policy(log, reward_column="reward", policy="always:a")

    assert found.verdict == "gain"
    assert found.to_json()["fingerprint"] == found.fingerprint
    with pytest.raises(troth.OptionError, match="Give either --policy or --policy-column"):
        troth.evaluate_policy(log, reward_column="reward")


def test_a_table_of_members(tmp_path: Path) -> None:
    """Transactions in memory make the table of members."""
    random = np.random.default_rng(2)
    days = np.array(["2024-01-01"], dtype="datetime64[D]") + random.integers(0, 300, 2_000)
    bought = pl.DataFrame(
        {"who": random.integers(1, 250, 2_000), "day": days, "eur": random.gamma(2.0, 10.0, 2_000)}
    )
    found = troth.train_members(
        bought,
        member_column="who",
        time_column="day",
        value_column="eur",
        out=tmp_path / "members.parquet",
        as_of=date(2024, 11, 1),
        store=tmp_path / "mlflow",
    )

    assert found.to_polars().equals(pl.read_parquet(tmp_path / "members.parquet"))
    assert repr(found).startswith("<TrainMembersResult: ")


def test_what_cannot_be_read_is_said() -> None:
    """Errors are of one hierarchy and name the kind that was given and what would be right."""
    with pytest.raises(
        troth.AnalysisError,
        match=r"The table is of type builtins\.int; give a path, a polars or pandas frame",
    ):
        troth.analyze(DEFINITION, 7)
    with pytest.raises(troth.AnalysisError, match="The table cannot be read: "):
        troth.analyze(DEFINITION, {"version": ["old", "new"], "bought": [1]})
    with pytest.raises(troth.AnalysisError, match="The table cannot be read: "):
        troth.analyze(DEFINITION, pd.DataFrame({"version": ["old", 1, b"x"]}))
    with pytest.raises(troth.DefinitionError, match="metrics"):
        troth.analyze({**DEFINITION, "metrics": []}, players())
    with pytest.raises(troth.TrothError, match="Give one source"):
        troth.analyze(DEFINITION)
    with pytest.raises(troth.OptionError, match="Give either interactions or dataset"):
        troth.train_offers()


@pytest.mark.parametrize("name", ["experiments", "server"])
def test_a_folder_of_the_user_is_named(name: str, tmp_path: Path) -> None:
    """A user's own ``experiments/`` or ``server/`` gives an ImportError that says which folder hides what."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("", encoding="utf-8")
    code = "import troth, troth.v1.recommendation_service_pb2; troth.analyze"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60
    )

    last = done.stderr.strip().splitlines()[-1]
    assert last == (
        f"ImportError: {tmp_path / name} hides Troth's own package {name!r}: Python finds it first."
        " Rename it, or start Python in another folder."
    )


def test_what_the_configuration_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standing arms and the server's own log are read as by the command, number for number."""
    monkeypatch.chdir(tmp_path)
    write_programme(tmp_path)
    simulated(tmp_path, 1_000)

    result = troth.analyze("standing-arms", config="troth.toml", period="2026-05")
    options = ("--config", "troth.toml", "--json", "-")
    ran = run(monkeypatch, capsys, "experiment", "analyze", "standing-arms.2026-05", *options)
    assert result.to_json() == json.loads(ran.out)

    found = troth.evaluate_policy(config="troth.toml", policy="uniform", reward_column="value")
    chosen = ("--policy", "uniform", "--reward-column", "value")
    ran = run(monkeypatch, capsys, "policy", "evaluate", *options, *chosen)
    assert found.to_json() == json.loads(ran.out)


def test_options_that_exclude_each_other() -> None:
    """Wrong options are one kind of error, whichever function finds them."""
    for wrong in (
        lambda: troth.analyze(DEFINITION, players(), log="troth.db"),
        lambda: troth.analyze(DEFINITION, players(), members=players()),
        lambda: troth.analyze(DEFINITION, config="troth.toml"),
        lambda: troth.power(DEFINITION, players(), effect="5%", relative=0.05),
        lambda: troth.power(DEFINITION, players(), effect="large"),
        lambda: troth.power(DEFINITION, players(), metric="boght"),
        lambda: troth.evaluate_policy(policy="uniform"),
        lambda: troth.train_offers(players(), horizon="a month"),
    ):
        with pytest.raises(troth.OptionError):
            wrong()


def test_who_responded(tmp_path: Path) -> None:
    """Asked for, it stands in the result's JSON and report, and the trial that it rests on is written."""
    table = players().with_columns(visits=pl.int_range(pl.len()) % 7)
    result = troth.analyze(DEFINITION, table, who=True, features=["visits"], trial=tmp_path / "trial.parquet")

    assert result.responders is not None
    assert result.to_json()["who_responded"]["features"] == ["visits"]
    assert result.responders.section() in result.to_html()
    assert pl.read_parquet(tmp_path / "trial.parquet").height == 2_000
