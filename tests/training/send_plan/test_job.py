"""A trial becomes a list: what costs, limits, rules and other members change, and what is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from experiments.errors import DomainError
from experiments.uplift.calibration import calibrate
from tests.experiments.pages import Page
from tests.experiments.uplift.hillstrom import ARMS, FEATURES, hillstrom
from tests.training.send_plan.trials import COLUMNS, COSTS, Table, planned
from training.data.tables import write_table
from training.send_plan import ArmCost, PlanOptions, PlanResult, plan_sends
from training.send_plan.costs import expected_costs, net_outcome
from training.send_plan.list_table import gain_band
from training.send_plan.own_rule import RuleLine
from training.uplift.reading import TrialColumns

LIST_COLUMNS = [
    "member",
    "arm",
    "propensity",
    "random",
    "expected_gain",
    "expected_gain_lower",
    "expected_gain_upper",
    "cost",
    "reason",
]


@pytest.fixture(scope="module")
def strong(tmp_path_factory: pytest.TempPathFactory) -> PlanResult:
    """A plan of a trial with a strong interaction, with money for a third of its members."""
    return planned(tmp_path_factory.mktemp("strong"), Table().frame(1), budget=100.0)


def test_a_strong_interaction_becomes_a_list_of_its_members(strong: PlanResult) -> None:
    """The list has a row per member in the table's order, keeps the budget, and names the feature that turns the effects."""
    listed = strong.table
    assert strong.document["verdict"] == "personalise"
    assert listed.columns == LIST_COLUMNS
    assert listed["member"].to_list() == [f"m{number}" for number in range(3_000)]
    assert listed["cost"].sum() == pytest.approx(strong.document["list"]["cost"])
    assert listed["cost"].sum() <= 100.0 + 1e-9
    assert dict(listed["arm"].value_counts().iter_rows()) == strong.document["list"]["sends"]
    sent = listed.filter((pl.col("arm") != "none") & ~pl.col("random"))
    assert (sent["expected_gain_lower"] < sent["expected_gain"]).all()
    assert (sent["expected_gain"] > 0).all()
    assert (listed.filter(pl.col("arm") == "none")["expected_gain"] == 0).all()
    named = sent["reason"].str.starts_with("x ")
    assert named.to_numpy().mean() > 0.95
    assert set(listed.filter(pl.col("random"))["reason"]) == {"left to chance"}


def test_the_list_is_worth_what_it_says(strong: PlanResult) -> None:
    """The true value of the list as written lies in its interval, and the mean of what is expected of its sends is near it."""
    table = Table()
    frame = table.frame(1)
    places = {"none": 0, "call": 1, "mail": 2}
    arm = np.array([places[name] for name in strong.table["arm"]])
    true = table.net_truth(frame)[np.arange(3_000), arm].mean()
    value = strong.document["list"]["value"]
    assert value["ci_lower"] <= true <= value["ci_upper"]
    assert strong.document["list"]["expected_net_gain"] / 3_000 == pytest.approx(true, rel=0.2)


def test_hillstrom_is_one_offer_for_all(tmp_path: Path) -> None:
    """On Hillstrom personalising is not shown to earn more than the men's e-mail for all; the measured loss is about a dime."""
    trial = hillstrom(*ARMS)
    frame = trial.features.with_columns(
        segment=pl.Series([ARMS[place] for place in trial.arm.tolist()]),
        spend=pl.Series(trial.outcomes["spend"]),
    )
    columns = TrialColumns("segment", "No E-Mail", "spend", features=FEATURES)
    costs = {"Mens E-Mail": ArmCost(0.1), "Womens E-Mail": ArmCost(0.1)}
    result = planned(tmp_path, frame, columns, costs=costs, budget=100_000.0)
    document = result.document
    assert (document["verdict"], document["arm"]) == ("one_offer_for_all", "Mens E-Mail")
    assert document["value"]["best_arm"]["ci_upper"] > 0 > document["value"]["best_arm"]["estimate"]
    assert document["value"]["best_arm"]["ci_lower"] > -0.35
    assert document["list"]["sends"]["Mens E-Mail"] > 0.95 * 64_000
    # The published means of spend, 1.4226 and 0.6528, less the cost of a send.
    men = document["candidates"][0]
    assert men["estimate"] == pytest.approx(1.4226 - 0.6528 - 0.1, abs=0.01)


def test_two_kinds_of_cost_count_in_the_value_and_in_the_budget(tmp_path: Path) -> None:
    """A cost per response makes what responders brought less, and a send dearer where a response is likely."""
    margin, response = np.array([10.0, 0.0, 8.0]), np.array([1.0, 0.0, 1.0])
    costs = np.array([0.0, 0.5]), np.array([0.0, 2.0])
    assert net_outcome(margin, response, np.array([1, 1, 0]), costs).tolist() == [7.5, -0.5, 8.0]
    assert expected_costs(np.array([[0.9, 0.25]]), costs).tolist() == [[1.0]]
    columns = replace(COLUMNS, response="bought")
    found = planned(tmp_path, Table().frame(2), columns, costs={**COSTS, "mail": ArmCost(0.1, 0.3)})
    dear = found.plan.audience.costs[:, 1]
    assert dear.min() > 0.1
    assert dear.max() < 0.4
    bought = Table().frame(2).filter(pl.col("arm") == "mail")["bought"].mean()
    assert isinstance(bought, float)
    assert dear.mean() == pytest.approx(0.1 + 0.3 * bought, abs=0.02)
    assert found.document["candidates"][1]["estimate"] < 0.2


def test_sends_caps_and_returns_are_kept(tmp_path: Path) -> None:
    """The list as written has at most so many sends, and of the capped arm at most so many."""
    found = planned(tmp_path, Table().frame(3), sends=600, caps={"mail": 250}, min_roi=2.0)
    sends = found.document["list"]["sends"]
    assert sends["mail"] <= 250
    assert sends["mail"] + sends["call"] <= 600
    assert found.document["budget"]["caps"] == {"mail": 250}


def test_the_own_rule_is_an_alternative(tmp_path: Path) -> None:
    """A rule that finds the members whom the arms help is as good as the plan; the first line that matches counts."""
    rules = [RuleLine("x > 0.0", "mail"), RuleLine("true", "call")]
    found = planned(tmp_path, Table().frame(4), rules=rules)
    frame = Table().frame(4)
    assert found.plan.problem.audience.rule is not None
    expected = np.where(frame["x"].to_numpy() > 0, 2, 1)
    assert (found.plan.problem.audience.rule == expected).all()
    assert found.document["verdict"] == "simple_rule"
    assert found.document["rule"] == "rule"
    assert found.document["value"]["rule"]["ci_upper"] > 0


def test_a_list_for_other_members_goes_by_the_same_effects(tmp_path: Path, strong: PlanResult) -> None:
    """Other members are planned with the limits of their own list, and the value stays that of the trial's members."""
    other = Table(members=500).frame(9).drop("arm", "spend", "bought")
    other.write_csv(tmp_path / "others.csv")
    found = planned(tmp_path, Table().frame(1), budget=100.0 / 6, members=tmp_path / "others.csv")
    assert found.document["verdict"] == "personalise"
    assert not found.document["list"]["of_the_trial"]
    assert found.table.height == 500
    assert found.table["cost"].sum() <= 100.0 / 6 + 1e-9
    assert found.document["value"]["nobody"]["estimate"] == pytest.approx(
        strong.document["value"]["nobody"]["estimate"]
    )
    truth = Table().net_truth(other)
    places = {"none": 0, "call": 1, "mail": 2}
    chosen = found.table.with_columns(
        true=truth[np.arange(500), [places[arm] for arm in found.table["arm"]]]
    ).filter((pl.col("arm") != "none") & ~pl.col("random"))
    assert (chosen["true"].to_numpy() > 0).mean() > 0.95


def test_a_trial_whose_arms_differ_beforehand_is_not_planned_with(tmp_path: Path) -> None:
    """If one arm got other members than the control, the plan stops, says so, and sends nothing."""
    frame = Table(effect=1.0).frame(5)
    lost = (frame["arm"] == "mail") & (frame["x"] < 0)
    found = planned(tmp_path, frame.filter(~lost))
    assert found.document["verdict"] == "trial_not_trusted"
    assert "differ" in found.document["sentence"]
    assert set(found.table["arm"]) == {"none"}
    assert found.document["value"]["nobody"]["estimate"] is None


def test_without_any_cost_or_margin_column_the_plan_says_so(tmp_path: Path) -> None:
    """Arms whose cost was not named are free, and the outcome itself is the money; the steps say both."""
    found = planned(tmp_path, Table().frame(6), costs={"mail": ArmCost(0.2, 0.1)})
    steps = {step["step"]: step["sentence"] for step in found.document["steps"]}
    assert "spend itself is the money" in steps["read"]
    assert steps["costs"] == "mail: 0.2 a send and 0.1 a response; call: nothing, because no cost was named."
    assert (found.plan.audience.costs[:, 0] == 0).all()


def test_the_page_shows_who_gets_what(strong: PlanResult) -> None:
    """The page leads with the verdict and names the feature that sets apart who gets the mail."""
    text = Page(strong.page("Plan of May")).text
    assert text.index("Personalise") < text.index("Who gets what")
    assert "x higher" in text
    assert "Are the effects as predicted?" in text


def test_a_member_s_band_is_that_of_the_line_at_her_prediction() -> None:
    """The band of a line's height is narrowest at the mean prediction, where it is the average's own."""
    random = np.random.default_rng(1)
    predicted = random.normal(size=2_000)
    contrasts = predicted + random.normal(size=2_000)
    line = calibrate(contrasts, predicted)
    raw = np.array([[line.predicted_mean], [line.predicted_mean + 2.0], [0.0]])
    expected = line.apply(raw)
    gain, lower, upper = gain_band([line], raw, expected, np.array([1, 1, 0]))
    assert gain.tolist() == [expected[0, 0], expected[1, 0], 0.0]
    assert (upper - lower)[0] == pytest.approx(2 * 1.96 * line.average.standard_error, rel=1e-3)
    assert (upper - lower)[1] == pytest.approx(
        2 * 1.96 * np.hypot(line.average.standard_error, 2 * line.slope.standard_error), rel=1e-3
    )
    assert (lower[2], upper[2]) == (0.0, 0.0)


def test_plans_are_repeatable(tmp_path: Path) -> None:
    """The same table and seed give the same list and document, digit by digit."""
    first, second = (planned(tmp_path, Table(members=900).frame(7), budget=20.0) for _ in range(2))
    assert first.table.equals(second.table)
    assert json.dumps(first.document) == json.dumps(second.document)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_lists_are_written_by_their_ending(tmp_path: Path, strong: PlanResult, ending: str) -> None:
    """CSV and Parquet hold the same list."""
    path = tmp_path / "new" / f"list.{ending}"
    write_table(strong.table, path)
    read = pl.read_csv(path) if ending == "csv" else pl.read_parquet(path)
    assert read["member"].equals(strong.table["member"])
    assert read["propensity"].to_numpy() == pytest.approx(strong.table["propensity"].to_numpy())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"costs": {"post": ArmCost(1.0)}}, "no arm 'post' for the cost; it has call, mail"),
        ({"costs": {"none": ArmCost(1.0)}}, "'none' is the control"),
        ({"costs": {"mail": ArmCost(-1.0)}}, "not a number of at least 0"),
        ({"caps": {"post": 3}}, "no arm 'post' for the cap"),
        ({"rules": [RuleLine("x > 0.0", "post")]}, "no arm 'post' for the rule"),
        ({"rules": [RuleLine("z > 0.0", "mail")]}, "z"),
        ({"smallest_gain": 0.0}, "above 0"),
        ({"members": Path("nowhere.parquet")}, "nowhere.parquet"),
    ],
)
def test_what_cannot_be_planned_is_refused(tmp_path: Path, options: dict[str, object], words: str) -> None:
    """Arms that cannot be sent, columns that are not there and amounts that make no sense are refused with a sentence."""
    with pytest.raises(DomainError, match=words):
        planned(tmp_path, Table(members=300).frame(1), COLUMNS, **options)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (pl.col("shop").alias("x"), "of one kind in both"),
        (pl.lit("m1").alias("member"), "have an id that other rows have too"),
    ],
)
def test_other_members_must_be_like_the_trial_s(tmp_path: Path, change: pl.Expr, words: str) -> None:
    """A feature of another kind and an id that comes twice are refused."""
    others = Table(members=50).frame(2).with_columns(change)
    others.write_parquet(tmp_path / "others.parquet")
    with pytest.raises(DomainError, match=words):
        planned(tmp_path, Table(members=300).frame(1), members=tmp_path / "others.parquet")


def test_other_members_may_have_further_columns(tmp_path: Path) -> None:
    """Columns of the members that the trial lacks change nothing."""
    others = Table(members=50).frame(2).with_columns(pl.lit(1).alias("other"))
    others.write_parquet(tmp_path / "others.parquet")
    found = planned(tmp_path, Table(members=300).frame(1), members=tmp_path / "others.parquet")
    assert found.table.height == 50


def test_a_missing_feature_of_other_members_is_named(tmp_path: Path) -> None:
    """A table without one of the trial's features is refused by the feature's name."""
    Table(members=50).frame(2).drop("visits").write_parquet(tmp_path / "others.parquet")
    with pytest.raises(DomainError, match="no column 'visits' for the feature"):
        planned(tmp_path, Table(members=300).frame(1), members=tmp_path / "others.parquet")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "verdicts", "least"),
    [
        (Table(), {"personalise"}, 0.97),
        (Table(members=8_000, effect=0.0, interaction=0.0), {"send_nothing"}, 0.95),
        (Table(members=600, effect=0.1, interaction=0.0), {"not_enough_data"}, 0.9),
        (Table(effect=0.5, mail_only=True), {"one_offer_for_all"}, 0.95),
    ],
    ids=["strong interaction", "no effect", "small", "one good arm"],
)
def test_verdicts_over_many_trials(
    tmp_path: Path, table: Table, verdicts: set[str], least: float, figures: Callable[..., None]
) -> None:
    """With the product's learner each truth gets its verdict, and the plan's true value lies in its interval in 93 % of trials."""
    runs, right, inside = 100, 0, 0
    for seed in range(runs):
        frame = table.frame(seed)
        found = planned(tmp_path, frame)
        right += found.document["verdict"] in verdicts
        arm = found.plan.findings.list.arm
        true = table.net_truth(frame)[np.arange(table.members), arm].mean()
        value = found.document["value"]["nobody"]
        inside += bool(value["refused"]) or value["ci_lower"] <= true <= value["ci_upper"]
    figures(right_verdicts=right / runs, true_values_inside=inside / runs)
    assert right / runs >= least
    assert "personalise" not in verdicts or inside / runs >= 0.93 - 3 * np.sqrt(0.05 * 0.95 / runs)


def test_a_trial_without_features_can_have_one_offer_for_all(tmp_path: Path) -> None:
    """Without any feature nobody is told apart; an arm that earns something is sent to all, to other members too."""
    frame = Table(effect=0.5, mail_only=True).frame(2).select("member", "arm", "spend")
    frame.head(40).drop("arm", "spend").write_parquet(tmp_path / "others.parquet")
    columns = replace(COLUMNS, features=())
    found = planned(tmp_path, frame, columns, members=tmp_path / "others.parquet", random_share=0.0)
    assert (found.document["verdict"], found.document["arm"]) == ("one_offer_for_all", "mail")
    assert set(found.table["arm"]) == {"mail"}
    assert found.table.height == 40


def test_boosted_trees_challenge_the_default(tmp_path: Path) -> None:
    """With challengers the steps say what each is shown to choose better, and the list is made as before."""
    path = tmp_path / "trial.parquet"
    Table(members=900).frame(8).write_parquet(path)
    found = plan_sends(path, COLUMNS, PlanOptions(costs=COSTS, budget=30.0))
    steps = {step["step"]: step["sentence"] for step in found.document["steps"]}
    assert "lightgbm" in steps["effects"]
    assert found.table.height == 900
