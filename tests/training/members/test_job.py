"""`troth train members` from transactions to a table, a document and a run; and continued with later transactions."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from server.members.table import read_member_table
from tests.cli.in_process import Ran, run
from tests.training.members.cdnow import write
from training.errors import DatasetError
from training.members.orders import TransactionColumns, read_orders

Command = Callable[..., Ran]
START = date(2023, 1, 1)


def bought(members: int = 300, days: int = 500, seed: int = 1, leaving: float = 0.1) -> pl.DataFrame:
    """Return transactions of members who order now and then, and leave after an order with this probability."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(members):
        at, rate = int(random.integers(0, 200)), random.gamma(1.0, 1 / 40)
        while at < days:
            value = round(float(random.gamma(4.0, 8.0)), 2)
            category, channel = (
                str(random.choice(["tea", "jam", "soap"])),
                str(random.choice(["web", "shop"])),
            )
            rows.append(
                (
                    f"m{number}",
                    START + timedelta(days=at),
                    value,
                    category,
                    channel,
                    float(random.integers(0, 2)),
                )
            )
            if random.random() < 0.05:
                rows.append((f"m{number}", START + timedelta(days=at), -value / 2, category, channel, 0.0))
            at += 1 + int(random.exponential(1 / rate)) if random.random() >= leaving else days
    schema = ["id", "when", "eur", "what", "where", "off"]
    return pl.DataFrame(rows, schema=schema, orient="row")


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return the command, in a folder with transactions."""
    monkeypatch.chdir(tmp_path)
    bought().write_parquet(tmp_path / "bought.parquet")
    columns = ("--member-column", "id", "--time-column", "when", "--value-column", "eur")
    return lambda *arguments: run(monkeypatch, capsys, "train", "members", *columns, *arguments)


def test_from_transactions_to_a_table_that_the_server_takes(train: Command, tmp_path: Path) -> None:
    """All parts are there, the window was tried, the run is kept, and the table is one of members."""
    (tmp_path / "rules.yaml").write_text(
        "tiers: {tiers: [{name: silver, spend: 100}, {name: gold, spend: 400}]}\npoints_valid_days: 365\nmargin_share: 0.4\n"
    )
    pl.DataFrame(
        {"member": ["m1", "m1"], "time": ["2024-01-01", "2024-02-01"], "points": [100, -30]}
    ).write_csv("points.csv")
    pl.DataFrame({"member": ["m1", "m2"], "time": ["2024-01-01"] * 2, "score": [9, 3]}).write_csv(
        "answers.csv"
    )
    pl.DataFrame({"id": ["m1", "m2"], "city": ["Bonn", "Ulm"]}).write_csv("crm.csv")
    ran = train(
        *(
            "--transactions",
            "bought.parquet",
            "--out",
            "members.parquet",
            "--config",
            "rules.yaml",
            "--json",
            "-",
        ),
        *("--category-column", "what", "--channel-column", "where", "--discount-column", "off"),
        *("--points", "points.csv", "--surveys", "answers.csv", "--attributes", "crm.csv"),
    )
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert found["members"] == 300
    assert found["validation"]["auc"] > 0.5
    assert 0 < found["validation"]["brier"] < found["validation"]["brier_constant"]
    assert found["serving"] in {"mbg_nbd", "bg_nbd"}
    assert found["warnings"] == []
    assert found["net_promoter_score"]["score"] == 0.0

    table = read_member_table(tmp_path / "members.parquet")
    one = table.filter(pl.col("member_id") == "m1").row(0, named=True)
    assert (one["points_balance"], one["nps_group"], one["city"]) == (70, "promoter", "Bonn")
    assert one["preferred_channel"] in {"web", "shop"}
    assert set(table["tier"].unique()) <= {"none", "silver", "gold"}
    assert table["churn_probability"].is_between(0, 1).all()
    ratio = table["clv"] / (table["expected_order_value"] * 0.4)
    assert (ratio > table["expected_orders"]).all()
    money = bought().filter(pl.col("id") == "m1")["eur"].sum()
    assert one["spend"] == pytest.approx(money)


def test_continued_is_the_same_as_made_anew(train: Command, tmp_path: Path) -> None:
    """A table of the first 400 days and the transactions since give the table of all; rows that overlap are counted, not doubled."""
    everything = bought()
    cut = START + timedelta(days=400)
    everything.filter(pl.col("when") <= cut).write_parquet("early.parquet")
    everything.filter(pl.col("when") > cut - timedelta(days=10)).write_parquet("late.parquet")
    options = ("--category-column", "what", "--store", "store")
    assert (
        train(
            "--transactions", "early.parquet", "--out", "early.table.parquet", "--as-of", str(cut), *options
        ).code
        == 0
    )
    ran = train(
        "--transactions",
        "late.parquet",
        "--out",
        "both.parquet",
        "--previous",
        "early.table.parquet",
        *options,
    )
    assert f"rows were left out: not later than {cut}, in the table already" in ran.out
    assert train("--transactions", "bought.parquet", "--out", "anew.parquet", *options).code == 0
    assert_frame_equal(pl.read_parquet("both.parquet"), pl.read_parquet("anew.parquet"))


def test_where_nobody_leaves_the_nbd_serves(train: Command) -> None:
    """Members who go on for ever have no probability of leaving to fit; they are forecast by their rates, which is said."""
    bought(leaving=0.0, seed=3).write_parquet("loyal.parquet")
    ran = train("--transactions", "loyal.parquet", "--out", "members.parquet")
    assert ran.code == 0, ran.err
    assert "Nobody seems to leave, so the NBD serves" in ran.out
    assert pl.read_parquet("members.parquet")["expected_orders"].min() > 0  # type: ignore[operator]  # a number


def test_members_who_came_once_are_described_all_the_same(train: Command, tmp_path: Path) -> None:
    """Nobody came again: there is no forecast, which is said, and everything else is there, as CSV too."""
    pl.DataFrame({"id": ["a", "b", "c"], "when": ["2024-01-01"] * 3, "eur": [1.0, 2.0, 3.0]}).write_csv(
        "once.csv"
    )
    ran = train("--transactions", "once.csv", "--out", "members.csv", "--json", "out.json")
    assert ran.code == 0, ran.err
    assert "no member ordered a second time" in ran.out
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["serving"] is None
    table = pl.read_csv("members.csv")
    assert table["lifecycle_stage"].to_list() == ["new"] * 3
    assert table["expected_orders"].null_count() == 3


@pytest.mark.parametrize(
    ("table", "arguments", "code", "sentence"),
    [
        ("id,when,eur\n", (), 1, "no transactions of a member"),
        ("id,when\na,2024-01-01\n", (), 1, "has no column 'eur' for the value; it has id, when"),
        ("id,when,eur\na,soon,1\n", (), 1, "'when' of bad.csv is of type String, which is not a time"),
        ("id,when,eur\na,,1\n", (), 1, "1 row has no time, the first is row 1"),
        ("id,when,eur\na,2024-01-01,much\n", (), 1, "is of type String; it must be a number"),
        ("id,when,eur\na,2024-01-01,-1\n", (), 1, "has returns only"),
        (
            "id,when,eur\na,2024-01-01,1\n",
            ("--horizon", "-9d"),
            1,
            "--horizon is '-9d'; write days or weeks above 0",
        ),
        ("id,when,eur\na,2024-01-01,1\n", ("--as-of", "2023-01-01"), 1, "no transactions until 2023-01-01"),
        (
            "id,when,eur\na,2024-01-01,1\n",
            ("--config", "rules.yaml"),
            1,
            "tiers.window: Extra inputs are not permitted",
        ),
        ("id,when,eur\na,2024-01-01,1\n", ("--previous", "old.parquet"), 1, "needed to continue it"),
        (
            "id,when,eur\na,2024-01-01,1\n",
            ("--surveys", "answers.csv"),
            1,
            "a score that is not from 0 to 10",
        ),
    ],
)
def test_what_is_wrong_is_said_once(  # noqa: PLR0917 pytest's fixtures
    train: Command, tmp_path: Path, table: str, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    """One sentence on stderr."""
    (tmp_path / "bad.csv").write_text(table)
    (tmp_path / "rules.yaml").write_text("tiers: {window: 3}\n")
    (tmp_path / "answers.csv").write_text("member,time,score\na,2024-01-01,11\n")
    ran = train("--transactions", "bad.csv", "--out", "m.parquet", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert sentence in " ".join(ran.err.split())


def test_cdnow_is_read_as_published(tmp_path: Path) -> None:
    """Dates written as numbers, one order per member and day: 2,357 members, as in Fader, Hardie & Lee (2005)."""
    orders = read_orders(write(tmp_path), TransactionColumns("id", "date", "usd"))
    assert orders.lines["member"].n_unique() == 2_357
    assert orders.as_of == date(1998, 6, 30)
    assert orders.lines["value"].sum() == pytest.approx(pl.read_csv(write(tmp_path))["usd"].sum())
    with pytest.raises(DatasetError, match="has no column 'price' for the value"):
        read_orders(write(tmp_path), TransactionColumns("id", "date", "price"))
