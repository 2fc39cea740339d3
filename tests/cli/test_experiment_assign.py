"""`troth experiment assign`, from file to file."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from cli.experiment import assign as command
from experiments.assignment.assign import assign
from experiments.assignment.plan import compile_plan
from experiments.definition import parse_experiment
from experiments.errors import DomainError
from tests.experiments.definitions import raw_definition

FULL: dict[str, Any] = {
    "holdout": {"holdout_id": "year", "traffic_ppm": 100_000},
    "layer": {"layer_id": "checkout", "slots": ["0-799"]},
    "attributes": {"tier": "string", "points": "int"},
    "targeting": 'tier == "1" && points >= 10',
    "overrides": {"007": "personal"},
    "traffic_ppm": 900_000,
    "revision": 3,
}


def run(folder: Path, table: Path, *options: str, out: str = "out.parquet", **changes: Any) -> str:
    """Run the command over a table; return what it says."""
    # JSON is YAML.
    definition = folder / "experiment.yaml"
    definition.write_text(json.dumps(raw_definition(**changes)), encoding="utf-8")
    app = typer.Typer()
    app.command()(command)
    arguments = [str(definition), "--units", str(table), "--out", str(folder / out), *options]
    result = CliRunner().invoke(app, arguments, catch_exceptions=True)
    if isinstance(result.exception, DomainError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output.strip()


def units(count: int = 3_000) -> pl.DataFrame:
    """Return a table with ids that look like numbers, and attributes."""
    return pl.DataFrame({"member_id": [f"{number:03}" for number in range(count)]}).with_columns(
        tier=(pl.int_range(pl.len()) % 3).cast(pl.String), points=pl.int_range(pl.len()) % 50
    )


@pytest.mark.parametrize(("source", "target"), [("csv", "parquet"), ("parquet", "csv"), ("csv", "csv")])
def test_files_hold_what_assign_answers(tmp_path: Path, source: str, target: str) -> None:
    """Every row is the answer of one assignment, in the table's order, whatever the formats."""
    table = units()
    path = tmp_path / f"units.{source}"
    table.write_csv(path) if source == "csv" else table.write_parquet(path)

    said = run(tmp_path, path, out=f"out.{target}", **FULL)

    schema = {"member_id": pl.String}
    out = tmp_path / f"out.{target}"
    written = pl.read_parquet(out) if target == "parquet" else pl.read_csv(out, schema_overrides=schema)
    plan = compile_plan([parse_experiment(raw_definition(**FULL), "test")], "default")
    answers = [assign(plan, "offer-ranking", row["member_id"], row) for row in table.iter_rows(named=True)]
    assert written.columns == ["member_id", "variant_id", "reason", "experiment_revision", "plan_revision"]
    assert written.rows() == [
        (unit_id, answer.variant_id, answer.reason.value, 3, plan.revision)
        for unit_id, answer in zip(table["member_id"], answers, strict=True)
    ]
    assert len(set(written["reason"])) == 6
    popular = sum(answer.variant_id == "popular" for answer in answers)
    assert said.startswith(f"3,000 units: popular {popular}, personal ")
    assert "1 overridden; " in said
    assert f"{sum(answer.reason == 'HELD_OUT' for answer in answers)} held out" in said
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_whole_numbers_are_ids_as_they_are_written(tmp_path: Path) -> None:
    """The number 42 is the unit "42"; a row without an id has no answer and is told."""
    path = tmp_path / "units.parquet"
    pl.DataFrame({"id": [42, None, 7]}).write_parquet(path)

    said = run(tmp_path, path, "--unit-column", "id")

    written = pl.read_parquet(tmp_path / "out.parquet")
    plan = compile_plan([parse_experiment(raw_definition(), "test")], "default")
    assert written["id"].to_list() == ["42", None, "7"]
    assert written["variant_id"].to_list() == [
        assign(plan, "offer-ranking", "42").variant_id,
        None,
        assign(plan, "offer-ranking", "7").variant_id,
    ]
    assert said.endswith("1 rows without an id")


def test_sticky_units_keep_their_earlier_variant(tmp_path: Path) -> None:
    """The earlier variant comes from a column."""
    path = tmp_path / "units.csv"
    path.write_text("member_id,had\n1,personal\n2,popular\n3,\n")

    run(tmp_path, path, "--earlier-column", "had", sticky=True)

    written = pl.read_parquet(tmp_path / "out.parquet")
    assert written["variant_id"].to_list()[:2] == ["personal", "popular"]
    assert written["reason"].to_list() == ["STICKY", "STICKY", "ASSIGNED"]


def test_what_does_not_run_assigns_only_as_a_preview(tmp_path: Path) -> None:
    """A mailing for an experiment that nobody started is refused."""
    path = tmp_path / "units.parquet"
    units(10).write_parquet(path)

    with pytest.raises(
        DomainError, match=r"offer-ranking is not running but draft, so it assigns nobody except as a preview"
    ):
        run(tmp_path, path, state="draft")
    assert not (tmp_path / "out.parquet").exists()
    assert run(tmp_path, path, "--preview", state="draft").startswith("10 units: popular ")


@pytest.mark.parametrize(
    ("table", "options", "changes", "said"),
    [
        (
            {"member_id": ["1"]},
            [],
            FULL,
            "The assignment needs points, tier, but the table has no such column",
        ),
        ({"id": ["1"]}, [], {}, "no column 'member_id' for the units; its columns are id"),
        ({"member_id": [1.0]}, [], {}, "'member_id' is Float64; ids must be texts or whole numbers"),
        ({"member_id": ["1"]}, ["--earlier-column", "had"], {"sticky": True}, "needs had"),
        ({"member_id": ["1"], "tier": ["a"], "points": ["b"]}, [], FULL, "points"),
    ],
)
def test_columns_that_do_not_fit_are_named(
    tmp_path: Path, table: dict[str, Any], options: list[str], changes: dict[str, Any], said: str
) -> None:
    """One sentence says which column is missing or wrong; nothing is written."""
    path = tmp_path / "units.parquet"
    pl.DataFrame(table).write_parquet(path)

    with pytest.raises(DomainError, match=said):
        run(tmp_path, path, *options, **changes)

    assert not (tmp_path / "out.parquet").exists()


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    """Missing files, other formats and broken rows are sentences, and an earlier output stays as it was."""
    broken = tmp_path / "units.csv"
    broken.write_text("member_id,tier,points\n" + "1,1,20\n" * 2_000 + "2,1,many\n")
    (tmp_path / "out.csv").write_text("kept")

    with pytest.raises(DomainError, match=r"nowhere.csv: there is no such file"):
        run(tmp_path, tmp_path / "nowhere.csv")
    with pytest.raises(DomainError, match=r"units.json: a table must be a .parquet or .csv file"):
        run(tmp_path, tmp_path / "units.json")
    with pytest.raises(DomainError, match="cannot be read"):
        run(tmp_path, broken, out="out.csv", **FULL)
    assert (tmp_path / "out.csv").read_text() == "kept"
