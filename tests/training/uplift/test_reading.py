"""Reading a trial: what counts as arm, outcome and feature, and one clear sentence for what does not."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.training.uplift.trials import simulated, table_of
from training.errors import DatasetError
from training.uplift.features import FEWEST_ROWS, encode, learn_encoding
from training.uplift.reading import ReadTrial, TrialColumns, read_trial
from training.uplift.trust import check_trial

COLUMNS = TrialColumns(treatment="arm", control="none", outcome="spend", member="member")


def read(tmp_path: Path, table: pl.DataFrame, **columns: Any) -> ReadTrial:
    """Write a table and read it as a trial."""
    path = tmp_path / "trial.parquet"
    table.write_parquet(path)
    return read_trial(path, replace(COLUMNS, **columns))


@pytest.fixture
def table() -> pl.DataFrame:
    """A trial of two arms."""
    return table_of(simulated(3_000, effect=0.5)[0])


def test_a_trial_is_read_with_all_that_can_be_a_feature(tmp_path: Path, table: pl.DataFrame) -> None:
    """Ids, constants and what came afterwards are left out, each with its reason; the rest are features."""
    after = table.with_columns(
        clicked=pl.Series(np.where(table["arm"] == "mail", 1.0, 0.0) * (np.arange(3_000) % 2)),
        bought=pl.col("spend") > 1,
        always=pl.lit("x"),
        code=pl.format("id {}", pl.int_range(3_000)),
    )
    found = read(tmp_path, after)

    assert found.trial.arms == ("none", "mail")
    assert found.trial.features.columns == ["x1", "x2", "group"]
    assert {name: reason.split(",")[0] for name, reason in found.left_out.items() if name != "bought"} == {
        "clicked": "it differs between the arms",
        "always": "it is the same everywhere",
        "code": "it is different for every member",
    }
    assert "bought" in found.left_out
    assert (found.money, found.response) == ("spend", "spend above 0")
    assert found.trial.propensity[0] == pytest.approx((table["arm"] == table["arm"][0]).mean())


def test_features_that_are_named_are_used_with_a_warning(tmp_path: Path, table: pl.DataFrame) -> None:
    """Somebody may know better; they are told what looks wrong."""
    after = table.with_columns(clicked=(pl.col("arm") == "mail").cast(pl.Float64))
    found = read(tmp_path, after, features=("x1", "clicked"))
    assert found.trial.features.columns == ["x1", "clicked"]
    assert [warning for warning in found.warnings if "'clicked' differs between the arms" in warning]


def test_copies_of_an_outcome_are_no_features(tmp_path: Path, table: pl.DataFrame) -> None:
    """A multiple of the outcome, its order, and a flag that names those without it leak even where the arm changes nothing."""
    spend = pl.col("spend").clip(0.0)
    after = table.with_columns(
        spend=spend,
        margin=spend * 0.3 + pl.col("x2") * 0.02,
        order=spend.exp().clip(None, 1e6),
        bought=spend > 0,
        delivered=pl.when(spend > 0).then(pl.date(2024, 5, 1)).otherwise(None),
    )
    found = read(tmp_path, after)
    assert found.trial.features.columns == ["x1", "x2", "group"]
    assert set(found.left_out) == {"margin", "order", "bought", "delivered"}


def test_members_known_to_buy_nothing_are_no_leak(tmp_path: Path) -> None:
    """A rare outcome that a small group never has does not give the outcome away: such a feature is worth having."""
    random = np.random.default_rng(1)
    group = np.repeat(["lapsed", "active"], [5_000, 45_000])
    table = pl.DataFrame(
        {
            "arm": random.choice(["none", "mail"], 50_000),
            "group": group,
            "spend": (group == "active") & (random.random(50_000) < 0.02),
        }
    )
    assert read(tmp_path, table, member="").trial.features.columns == ["group"]


def test_a_trial_without_features_keeps_its_members(tmp_path: Path, table: pl.DataFrame) -> None:
    """There are as many rows of features as members, also where there is no feature, and every part of the trial has its own."""
    found = read(tmp_path, table.drop("x1", "x2", "group"))
    assert found.trial.features.shape == (3_000, 0)
    assert found.trial.rows(np.arange(7)).features.shape == (7, 0)
    assert check_trial(found.trial).findings[1].passed is None


def test_features_of_every_type_become_plain(tmp_path: Path, table: pl.DataFrame) -> None:
    """What is not finite is missing; times of day, durations and decimals are numbers, which everything later can read."""
    row = pl.int_range(3_000)
    found = read(
        tmp_path,
        table.select(
            "member",
            "arm",
            "spend",
            gap=pl.when(row % 3 == 0).then(float("inf")).when(row % 3 == 1).then(float("nan")).otherwise(row),
            noon=pl.time(12),
            late=pl.when(row % 2 == 0).then(pl.time(18)).otherwise(pl.time(6)),
            since=pl.duration(hours=row % 48),
            price=(row % 7).cast(pl.Decimal(10, 2)),
            city=pl.col("group").cast(pl.Categorical),
        ),
    )
    features = found.trial.features
    assert features["gap"].null_count() == 2_000
    assert features["late"].head(2).to_list() == [0.75, 0.25]
    assert features["since"].max() == pytest.approx(47 / 24)
    assert features["price"].dtype == pl.Float64
    assert features["city"].dtype == pl.String
    assert found.left_out == {"noon": "it is the same everywhere"}


@pytest.mark.parametrize(
    ("change", "columns", "sentence"),
    [
        (
            {},
            {"treatment": "segment"},
            "has no column 'segment' for the treatment; it has member, arm, spend",
        ),
        ({}, {"features": ("age",)}, "has no column 'age' for the feature"),
        ({}, {"features": ("spend",)}, "Column 'spend' cannot be a feature"),
        ({}, {"control": "nobody"}, r"The control 'nobody' is not in column 'arm' of .*; it has mail, none"),
        ({"arm": pl.lit("none")}, {}, "has the arm 'none' alone; there is nothing to compare"),
        ({"arm": pl.lit(None, pl.String)}, {}, "3,000 rows have no arm"),
        ({"spend": pl.lit("much")}, {}, "is of type String; an outcome is a number, or true and false"),
        ({"spend": pl.lit(float("nan"))}, {}, "3,000 rows have no outcome"),
        ({"spend": pl.lit(2.5)}, {}, "is 2.5 for everybody; nothing can be learned from it"),
        ({"member": pl.lit(1)}, {}, "3,000 rows have an id that other rows have too"),
        ({"p": pl.lit(0.0)}, {"propensity": "p"}, r"a propensity outside \(0, 1\]"),
        ({"p": pl.lit("half")}, {"propensity": "p"}, "propensities are numbers"),
        ({"r": pl.lit(3)}, {"response": "r"}, "must be 0 or 1"),
        ({"arm": pl.col("x1")}, {"control": "1"}, "a number with a fraction"),
        ({"arm": pl.col("member")}, {"control": "1"}, "more than the 50 arms"),
        (
            {"list": pl.lit([1])},
            {"features": ("list",)},
            "a feature is a number, a date, yes or no, or a text",
        ),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, table: pl.DataFrame, change: dict[str, pl.Expr], columns: dict[str, Any], sentence: str
) -> None:
    """Each bad table or column gives one sentence."""
    with pytest.raises(DatasetError, match=sentence):
        read(tmp_path, table.with_columns(**change), **columns)


def test_arms_and_outcomes_of_other_types(tmp_path: Path, table: pl.DataFrame) -> None:
    """Arms may be numbers or yes and no, outcomes yes and no; a binary outcome is its own response."""
    numbered = table.with_columns(arm=(pl.col("arm") == "mail").cast(pl.Int8), spend=pl.col("spend") > 0)
    found = read(tmp_path, numbered, control="0")
    assert (found.trial.arms, found.response) == (("0", "1"), "spend")
    assert set(found.trial.outcomes["spend"].tolist()) == {0.0, 1.0}
    flags = read(tmp_path, table.with_columns(arm=pl.col("arm") == "mail"), control="false")
    assert flags.trial.arms == ("false", "true")
    assert read(tmp_path, table.with_columns(arm=pl.col("arm") == "mail"), control="0").trial.arms == (
        "false",
        "true",
    )


def test_wrong_propensities_are_noticed(tmp_path: Path, table: pl.DataFrame) -> None:
    """Where weighting by them does not give the members back, the reader is told."""
    (warning,) = [
        one
        for one in read(tmp_path, table.with_columns(p=pl.lit(0.1)), propensity="p").warnings
        if "fit" in one
    ]
    assert re.search(r"stands for \d+% of all members", warning)
    assert not read(tmp_path, table.with_columns(p=pl.lit(0.5)), propensity="p").warnings


@pytest.mark.parametrize("skewed", [False, True])
def test_a_sound_trial_is_trusted(skewed: bool) -> None:
    """Of 200 trials hardly one fails a check at 1 in 1,000, and a balance below 5 % comes about as often as it should."""
    checked = [check_trial(simulated(1_000, skewed=skewed, seed=seed)[0]) for seed in range(200)]
    assert sum(not trust.trusted for trust in checked) <= 1
    balance = [trust.findings[1].p_value for trust in checked]
    assert 0.01 <= np.mean([p is not None and p < 0.05 for p in balance]) <= 0.11


def test_a_broken_trial_is_not_trusted() -> None:
    """Lost members, arms given by habit, and arms that hardly overlap each fail their check."""
    trial, _ = simulated(3_000)
    lost = trial.rows(np.flatnonzero((trial.arm == 0) | (np.arange(3_000) % 5 > 0)))
    assert (
        check_trial(lost, {"none": 1, "mail": 1})
        .failures[0]
        .startswith("The arms do not have their planned sizes")
    )
    assert check_trial(trial, {"none": 1, "mail": 1}).trusted
    chosen = trial.rows(np.flatnonzero((trial.arm == 0) | (trial.features["x1"].to_numpy() > -0.5)))
    (sentence,) = check_trial(chosen).failures
    assert "differ from the control's in what was known before" in sentence


def test_encoding_of_numbers_texts_and_gaps() -> None:
    """Numbers are standardised with a flag for gaps, texts get one number per frequent level but the first, dates are days."""
    rows = 100
    table = pl.DataFrame(
        {
            "age": [None if row < 25 else float(row) for row in range(rows)],
            "city": ["Bonn"] * 50 + ["Köln"] * 30 + ["Ulm"] * (rows - 80 - 1) + ["Hof"],
            "since": pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 4, 9), eager=True),
            "club": [row % 2 == 0 for row in range(rows)],
            "same": [1] * rows,
        }
    )
    encoding = learn_encoding(table)
    assert encoding.labels == ("age", "age is missing", "city = Köln", "since", "club")
    matrix = encode(encoding, table)
    assert matrix[:, 0][25:].mean() == pytest.approx(0.0, abs=1e-12)
    assert matrix[:, 0][25:].std() == pytest.approx(1.0)
    assert matrix[:25, :2].tolist() == [[0.0, 1.0]] * 25
    assert matrix[:, 2].sum() == 30
    assert FEWEST_ROWS == 20
    for row in range(rows):
        assert encoding.of_member(table.row(row, named=True)).tolist() == matrix[row].tolist()


def test_times_of_members_are_those_of_the_table() -> None:
    """A time stands for the same number in a table and as an attribute of one member, in any time zone."""
    table = pl.DataFrame(
        {"since": pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 5), "1h", eager=True)}
    )
    for zone in (None, "UTC", "Europe/Berlin"):
        times = table.with_columns(pl.col("since").dt.replace_time_zone(zone))
        encoding = learn_encoding(times)
        matrix = encode(encoding, times)
        alone = [encoding.of_member(row) for row in times.to_dicts()]
        assert np.array(alone) == pytest.approx(matrix, abs=1e-9)
