"""`troth policy evaluate` and `compare`, from tables and from the server's log."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from server.catalogue.load import load_catalogue
from server.programme.loading import open_catalogue
from tests.cli.in_process import Ran, run
from tests.cli.programme_files import write_programme
from tests.experiments.attribution.logs import decision, outcome, write_log
from tests.experiments.off_policy.bandits import open_bandit
from tests.server.catalogue_scene import NOW, Log

Command = Callable[..., Ran]


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return the command, in a folder with a uniform log of two offers, of which ``tea`` earns more."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(3)
    tea = random.random(4_000) < 0.5
    reward = (random.random(4_000) < np.where(tea, 0.3, 0.1)).astype(float)
    pl.DataFrame(
        {
            "offer": np.where(tea, "tea", "jam"),
            "p": 0.5,
            "bought": reward,
            "new": np.where(tea, 0.8, 0.2),
            "age": random.normal(size=4_000),
        }
    ).write_parquet(tmp_path / "log.parquet")
    return lambda *arguments: run(monkeypatch, capsys, "policy", *arguments)


LOG = (
    "--log",
    "log.parquet",
    "--action-column",
    "offer",
    "--propensity-column",
    "p",
    "--reward-column",
    "bought",
)


def evaluated(ran: Ran) -> dict[str, object]:
    """Return the one JSON document that is all of stdout."""
    assert (ran.code, ran.err) == (0, "")
    found: dict[str, object] = json.loads(ran.out)
    return found


@pytest.mark.parametrize(
    ("arguments", "verdict", "value"),
    [
        (("--policy", "always:tea"), "gain", 0.3),
        (("--policy", "always:jam"), "loss", 0.1),
        (("--policy", "uniform"), "no_difference_shown", 0.2),
        (("--policy", "logging"), "no_difference_shown", 0.2),
        (("--policy-column", "new"), "gain", 0.26),
        (("--policy", "always:tea", "--features", "age"), "gain", 0.3),
    ],
)
def test_policies_are_valued(policy: Command, arguments: tuple[str, ...], verdict: str, value: float) -> None:
    """Named policies have doubly robust values, a column of probabilities has none; the truth lies within four errors."""
    found = evaluated(policy("evaluate", *LOG, *arguments, "--json", "-"))
    assert found["verdict"] == verdict
    estimate = found["value"]
    assert isinstance(estimate, dict)
    assert estimate["estimate"] == pytest.approx(value, abs=4 * estimate["standard_error"])
    estimators = found["estimators"]
    assert isinstance(estimators, dict)
    assert ("dr" in estimators) == (arguments[0] == "--policy" and arguments[1] != "logging")
    assert found["estimator"] == ("dr" if "--features" in arguments else "ips")
    if "dm" in estimators:
        assert "ci_lower" not in estimators["dm"]


def test_open_bandit_from_tables(policy: Command, tmp_path: Path) -> None:
    """Its log and its Bernoulli-TS as tables give the published 1.198126, by position, and a refusal."""
    logged = open_bandit()
    counts = pl.read_csv(Path(__file__).parents[1] / "data" / "open_bandit_all.csv")
    counts.select(action="item_id", position="position", probability="bernoulli_ts").write_csv("ts.csv")
    clicked = counts.select("item_id", "position", n="clicks", click=pl.lit(1))
    passed = counts.select("item_id", "position", n=pl.col("impressions") - pl.col("clicks"), click=pl.lit(0))
    rows = (
        pl.concat([clicked, passed])
        .select(pl.exclude("n").repeat_by("n"))
        .explode("item_id", "position", "click")
        .drop_nulls()
    )
    rows.with_columns(p=pl.lit(1 / 80)).write_csv(tmp_path / "all.csv")
    assert rows.height == len(logged)
    columns = ("--action-column", "item_id", "--propensity-column", "p", "--reward-column", "click")
    found = evaluated(
        policy(
            "evaluate",
            "--log",
            "all.csv",
            *columns,
            "--position-column",
            "position",
            "--policy",
            "table:ts.csv",
            "--json",
            "-",
        )
    )
    assert found["relative_value"] == pytest.approx(1.198126, abs=1e-6)
    assert found["verdict"] == "refused"
    ran = policy(
        "evaluate", "--log", "all.csv", *columns, "--position-column", "position", "--policy", "table:ts.csv"
    )
    assert ran.out.startswith("refused: The value rests on 38 rewards")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (
            (*LOG, "--policy", "magic"),
            1,
            "There is no policy 'magic'; write uniform, logging, always:ACTION or table:FILE",
        ),
        ((*LOG, "--policy", "always:soap"), 1, "The log never chose 'soap'; it chose jam, tea"),
        ((*LOG, "--policy", "table:bad.csv"), 1, "The probabilities of bad.csv sum to 0.5, not 1"),
        ((*LOG, "--policy", "table:none.csv"), 1, "none.csv"),
        ((*LOG, "--policy-column", "age"), 1, "a probability outside [0, 1]"),
        ((*LOG, "--policy-column", "offer"), 1, "is of type String; it must be a number"),
        ((*LOG, "--policy", "uniform", "--features", "height"), 1, "has no column 'height' for the feature"),
        ((*LOG, "--policy", "uniform", "--propensity-column", "age"), 1, "a propensity outside (0, 1]"),
        (
            (*LOG, "--policy", "uniform", "--reward-column", "money"),
            1,
            "has no column 'money' for the reward",
        ),
        (LOG, 2, "Give either --policy or --policy-column"),
        (("--policy", "uniform"), 2, "Give --log, or --config"),
        ((*LOG, "--policy", "uniform", "--revision", "r"), 2, "its log keeps the value"),
        (("--log", "empty.csv", *LOG[2:], "--policy", "uniform"), 1, "empty.csv"),
    ],
)
def test_what_is_wrong_is_said_once(
    policy: Command, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    """One sentence on stderr, and nothing on stdout."""
    Path("bad.csv").write_text("action,probability\ntea,0.5\n")
    Path("empty.csv").write_text("offer,p,bought\n")
    ran = policy("evaluate", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert sentence in " ".join(ran.err.replace("│", " ").split())


def test_the_servers_own_log_and_its_promises(policy: Command, tmp_path: Path) -> None:
    """Decisions with their outcomes are a log; a value is kept with the revision in force and held against an experiment's result."""
    write_programme(tmp_path)
    made = [decision(f"d{number}", f"m{number}", 0, ("tea", "jam")[number % 2]) for number in range(400)]
    bought = [
        outcome(f"o{number}", f"m{number}", 1, "redemption", offer_id=("tea", "jam")[number % 2])
        for number in range(400)
        if number % 2 == 0 and number % 3 == 0
    ]
    write_log(tmp_path / "log.db", made, bought)
    log = Log(tmp_path / "log.db")
    try:
        catalogue = open_catalogue(load_catalogue(tmp_path / "default.yaml"), log, NOW)
    finally:
        log.close()
    asked = ("evaluate", "--config", "troth.toml", "--policy", "always:tea")
    found = evaluated(policy(*asked, "--revision", catalogue.revision, "--json", "-"))
    assert found["verdict"] == "gain"
    assert isinstance(found["on_policy"], dict)
    assert found["on_policy"]["estimate"] == pytest.approx(67 / 400)

    Path("result.json").write_text(
        json.dumps(
            {"results": [{"metric_id": "rate", "variant_id": "new", "estimate": 0.1, "standard_error": 0.05}]}
        )
    )
    ran = policy("compare", catalogue.revision, "--result", "result.json", "--config", "troth.toml")
    assert ran.code == 0
    assert "Promised +0.1" in ran.out
    assert "measured +0.1" in ran.out
    assert "agree within chance" in ran.out
    missing = policy(
        "compare", catalogue.revision, "--result", "result.json", "--config", "troth.toml", "--metric", "cost"
    )
    assert "has no such result; it has rate of new" in missing.err
    assert (
        "Nothing was kept with revision 'r9'"
        in policy("compare", "r9", "--result", "result.json", "--config", "troth.toml").err
    )
    unknown = policy(*asked, "--revision", "catalogue-none")
    assert "The log knows no catalogue revision 'catalogue-none'" in unknown.err
