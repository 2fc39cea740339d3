"""`troth experiment power` and `troth experiment simulate`."""

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.cli.in_process import Command
from tests.cli.test_commands import process

DEFINITION = """
experiment_id: checkout
variants: [{variant_id: control}, {variant_id: new}]
planned_units: 4000
metrics:
  - {metric_id: revenue, covariates: [before]}
  - {metric_id: visits, role: guardrail, margin: {relative: 0.02}}
time_column: day
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Return a definition and a table of the past, without variants."""
    random = np.random.default_rng(3)
    before = random.normal(20, 4, 2_000)
    frame = pl.DataFrame(
        {
            "unit_id": range(2_000),
            "before": before,
            "revenue": before + random.normal(0, 2, 2_000),
            "visits": random.poisson(5, 2_000),
            "day": [date(2026, 1, 1) + timedelta(days=number % 20) for number in range(2_000)],
        }
    )
    (tmp_path / "checkout.yaml").write_text(DEFINITION, encoding="utf-8")
    frame.write_parquet(tmp_path / "past.parquet")
    return str(tmp_path / "checkout.yaml"), str(tmp_path / "past.parquet")


def test_power_from_a_table(troth: Command, files: tuple[str, str]) -> None:
    """Units, days, power and smallest effect of each method; JSON alone on stdout."""
    done = troth("experiment", "power", files[0], "--data", files[1], "--effect", "1%", "--json", "-")

    document = json.loads(done.out)
    assert done.code == 0
    assert document["baseline_sd"] == pytest.approx(2, rel=0.1)
    assert document["units_per_day"] == 100
    assert [one["method"] for one in document["methods"]] == ["fixed", "group-sequential", "always-valid"]
    for one in document["methods"]:
        assert one["days"] == pytest.approx(one["required_units"] / 100)
        assert 0 < one["power"] < 1
        assert one["reasons"] == {}


def test_power_from_mean_and_deviation(troth: Command, files: tuple[str, str]) -> None:
    """Without a table, mean and standard deviation will do; the page is for people."""
    options = ("--baseline-mean", "20", "--baseline-sd", "4", "--relative", "0.02", "--units-per-day", "500")
    done = troth("experiment", "power", files[0], *options)

    assert done.code == 0
    assert "an effect of 0.4 (+2 %) is found with a chance of 80 % at alpha 0.05." in done.out
    assert "always-valid" in done.out


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ((), 2, "Give --data TABLE"),
        (("--baseline-mean", "1"), 2, "both --baseline-mean and --baseline-sd"),
        (("--baseline-mean", "1", "--baseline-sd", "1", "--effect", "five"), 2, "write 5% or 0.5"),
        (("--baseline-mean", "1", "--baseline-sd", "1", "--metric", "x"), 2, "there are revenue, visits"),
        (("--baseline-mean", "1", "--baseline-sd", "0", "--effect", "5%"), 1, "positive variance"),
    ],
)
def test_power_says_what_is_missing(
    troth: Command, files: tuple[str, str], options: tuple[str, ...], code: int, said: str
) -> None:
    """Wrong usage ends with 2, what cannot be planned with 1, both in words."""
    done = troth("experiment", "power", files[0], *options)

    assert done.code == code
    assert said in " ".join(done.err.replace("│", " ").split())


def test_simulate_a_table(troth: Command, files: tuple[str, str]) -> None:
    """Every metric and method has its rate, band and sentence; the same seed gives the same bytes in another process."""
    command = ("experiment", "simulate", files[0], "--data", files[1], "--runs", "100", "--looks", "3")
    done, again = troth(*command, "--json", "-"), process(*command, "--json", "-")

    document = json.loads(done.out)
    assert done.code == 0
    assert "Traceback" not in done.err  # a slow machine is told how far it is
    assert (document["runs"], document["looks"], document["seed"], document["effect"]) == (100, 3, 1, 0.0)
    assert [one["metric_id"] for one in document["metrics"]] == ["revenue", "visits"]
    for one in document["metrics"]:
        methods = [rate["method"] for rate in one["rates"]]
        assert methods == ["fixed", "fixed-peeking", "always-valid", "group-sequential"]
        assert one["sentence"].endswith("in order.")
    assert document["sound"]
    assert again.stdout == done.out


def test_simulate_an_effect(troth: Command, files: tuple[str, str]) -> None:
    """With an effect the sentences say how often it was found."""
    done = troth(
        "experiment",
        "simulate",
        files[0],
        "--data",
        files[1],
        "--runs",
        "100",
        "--looks",
        "2",
        "--effect",
        "5%",
    )

    assert done.code == 0
    assert "splits with an effect of +5 % significant at 5 %" in done.out


def test_simulate_says_which_column_is_missing(
    troth: Command, files: tuple[str, str], tmp_path: Path
) -> None:
    """A table without the metric's column is refused by its name."""
    pl.read_parquet(files[1]).drop("visits").write_parquet(tmp_path / "less.parquet")

    done = troth("experiment", "simulate", files[0], "--data", str(tmp_path / "less.parquet"))

    assert done.code == 1
    assert "visits" in done.err
    assert done.err.count("\n") == 1
