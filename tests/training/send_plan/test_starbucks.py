"""The Starbucks offers: ten offers sent at random to three of four members, and what a plan makes of the first wave."""

import json
from pathlib import Path

import polars as pl
import pytest

from training.send_plan import ArmCost, PlanOptions, plan_sends
from training.uplift.reading import TrialColumns

DATA = Path(__file__).parents[3].resolve().parent / "shared" / "data" / "starbucks-offers"
WEEK_HOURS = 168
"""The second wave goes out then."""


def test_the_plan_of_the_first_wave_beats_what_was_sent(tmp_path: Path) -> None:
    """On spend less rewards and five cents a send, the list earns more than the uniform policy that was logged, by DR and by IPS.

    One row per member: the offer of hour 0 or none, spend until the second wave, and whether they completed the offer, which costs its reward.
    """
    if not (DATA / "transcript.parquet").is_file():
        pytest.skip("the Starbucks data is not beside the repository")
    offers = [json.loads(line) for line in (DATA / "portfolio.json").read_text(encoding="utf-8").splitlines()]
    rewards = {f"{one['offer_type']} {one['id'][:4]}": float(one["reward"]) for one in offers}
    names = dict(zip((one["id"] for one in offers), rewards, strict=True))
    table = _first_wave(names)
    table.write_parquet(tmp_path / "wave.parquet")

    columns = TrialColumns(
        "arm",
        "none",
        "spend",
        response="completed",
        member="person",
        features=("age", "gender", "income", "since"),
    )
    costs = {arm: ArmCost(0.05, reward) for arm, reward in rewards.items()}
    options = PlanOptions(
        costs=costs, challengers=False, shares={"none": 0.25, **dict.fromkeys(rewards, 0.075)}
    )
    document = plan_sends(tmp_path / "wave.parquet", columns, options).document

    assert document["verdict"] in {"one_offer_for_all", "personalise"}
    better = document["list"]["value_against_trial"]
    assert better["ci_lower"] > 0
    assert better["ips"]["ci_lower"] > 0
    assert better["estimate"] == pytest.approx(better["ips"]["estimate"], abs=2 * better["standard_error"])


def _first_wave(names: dict[str, str]) -> pl.DataFrame:
    week = (
        pl.read_parquet(DATA / "transcript.parquet")
        .unique(maintain_order=True)
        .filter(pl.col("time_hours") < WEEK_HOURS)
    )
    event, arm = pl.col("event"), pl.col("offer_id").replace(names)
    sent = week.filter((event == "offer received") & (pl.col("time_hours") == 0)).select("person", arm=arm)
    spent = week.filter(event == "transaction").group_by("person").agg(spend=pl.col("amount").sum())
    completed = (
        week.filter(event == "offer completed")
        .select("person", arm=arm)
        .unique()
        .with_columns(completed=pl.lit(1))
    )
    members = pl.read_parquet(DATA / "profile.parquet").select(
        "person",
        "gender",
        "income",
        age=pl.when(pl.col("age") < 118).then(pl.col("age")),
        since=pl.col("became_member_on").str.to_date("%Y%m%d"),
    )
    return (
        members.join(sent, on="person", how="left")
        .with_columns(pl.col("arm").fill_null("none"))
        .join(spent, on="person", how="left")
        .join(completed, on=["person", "arm"], how="left")
        .with_columns(pl.col("spend", "completed").fill_null(0))
    )
