"""Simulations small enough to work out every number by hand."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from experiments.errors import DomainError
from server.whatif import SimulationError, to_json
from server.whatif.page import budgets
from tests.server.simulated import at, money, simulated, write_files, write_requests, write_revision

DAY_1, DAY_2 = date(2026, 5, 1), date(2026, 5, 2)
CATALOGUE: dict[str, Any] = {
    "currency_code": "USD",
    "attributes": {"age": "int"},
    "channels": [{"channel_id": "email", "outbound": True}],
    "placements": [
        {
            "placement_id": "letter",
            "channels": ["email"],
            "arbitration": "money",
            "default_offer_count": 1,
            "fallback_offer_ids": ["book"],
        }
    ],
    "arbitrations": [{"arbitration_id": "money", "default_probability": 0.5}],
    "contact_policies": [{"policy_id": "twice", "most": 2, "days": 30}],
    "segments": [{"segment_id": "old", "rule": "age >= 60"}],
    "offers": [
        {"offer_id": "tea", "value": money("10"), "cost": money("1"), "prior_evidence": 1e9, "budgets": [{"units": 2, "hold_days": 1}]},
        {"offer_id": "jam", "value": money("6"), "response_cost": money("2"), "eligible": "age >= 60"},
        {"offer_id": "never", "value": money("99"), "eligible": "age >= 200"},
        {"offer_id": "book", "value": money("1")},
    ],
}  # fmt: skip
MEMBERS = pl.DataFrame(
    {"member_id": ["ann", "bob", "eve"], "age": [70, 65, 20], "tier": ["gold", "gold", "blue"]}
)


def ask(*asked: tuple[float, str], placement_id: str = "letter") -> list[dict[str, Any]]:
    """Return requests of members, each at an hour."""
    return [
        {"member_id": member_id, "placement_id": placement_id, "time": at(hours)}
        for hours, member_id in asked
    ]


REQUESTS = ask((0, "ann"), (1, "bob"), (2, "eve"), (3, "ann"), (4, "ann"), (30, "eve"), (31, "bob"))
"""Tea is given to Ann and Bob, then its two are reserved; Eve gets the fallback, Ann jam. Their third letter is one too many.
The next day tea is free again: Eve gets one, Bob the other."""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A programme without a log, with a member table beside it."""
    MEMBERS.write_parquet(tmp_path / "members.parquet")
    return write_files(tmp_path, CATALOGUE)


def run(config: Path, rows: list[dict[str, Any]], **asked: Any) -> Any:
    """Return the document of a simulation of these requests."""
    requests = write_requests(config.parent, rows)
    return to_json(simulated(config, requests=requests, members=config.parent / "members.parquet", **asked))


def test_reach_names_members_decisions_and_days(config: Path) -> None:
    """Each offer counts members once and decisions one by one; what nobody got names the gate that kept it."""
    found = run(config, REQUESTS)["today"]

    rows = {
        one["candidate_id"]: (one["members"], one["decisions"], one["first_day"], one["last_day"])
        for one in found["reached"]
    }
    assert rows == {
        "tea": (3, 4, "2026-05-01", "2026-05-02"),
        "jam": (1, 1, "2026-05-01", "2026-05-01"),
        "book": (1, 1, "2026-05-01", "2026-05-01"),
    }
    assert found["reached"][0]["member_share"] == 1.0
    assert found["unreached"] == [
        {"candidate_id": "never", "title": "", "gate": "NOT_ELIGIBLE", "decisions": 7}
    ]


def test_answers_are_counted_by_kind(config: Path) -> None:
    """One of seven answers is filled by the fallback, one is empty since Ann had both letters of the month."""
    found = run(config, REQUESTS)["today"]

    assert found["placements"] == [
        {
            "placement_id": "letter",
            "decisions": 7,
            "fallback": 1,
            "no_action": 0,
            "empty": 1,
            "unanswered": 0,
        }
    ]
    assert found["removed"]["BUDGET_SPENT"] == 2
    assert found["removed"]["CONTACT_POLICY"] == 3


def test_budgets_burn_down_day_by_day(config: Path) -> None:
    """Tea's two are reserved on the first day, which is when they ran out; held for a day, they come back and go again."""
    (budget,) = run(config, REQUESTS)["today"]["budgets"]

    assert (budget["account_id"], budget["units"], budget["ran_out"]) == ("candidate:tea:0", 2, "2026-05-01")
    assert [
        (one["day"], one["reserved_units"], one["committed_units"], one["released_units"], one["left_units"])
        for one in budget["days"]
    ] == [("2026-05-01", 2, 0, 0, 0), ("2026-05-02", 2, 0, 2, 0)]


def test_contacts_are_counted_over_everybody_who_asked(config: Path) -> None:
    """Each of three members got two letters, and so as many as the policy allows."""
    found = run(config, REQUESTS)["today"]

    assert found["contacts"] == [
        {"channel_id": "email", "contacts": 6, "mean": 2.0, "p50": 2.0, "p95": 2.0, "most": 2}
    ]
    assert found["policy_members"] == {"twice": 3}


def test_money_is_probability_times_value_less_cost(config: Path) -> None:
    """Tea is worth 0.5 × 10 − 1 = 4, jam 0.5 × (6 − 2) = 2; a fallback is not weighed. A response to jam costs 2, tea 1."""
    found = run(config, REQUESTS)["today"]

    assert (found["decisions"], found["valued_decisions"]) == (7, 5)
    assert found["value"] == pytest.approx(4 * 4 + 2)
    assert found["value_per_decision"] == pytest.approx(18 / 5)
    assert found["cost"] == pytest.approx(4 * 1 + 0.5 * 2)


def test_who_loses_against_today(config: Path) -> None:
    """A revision that gives tea to the old only takes everything from Eve but the fallback, and nothing from the old."""
    offers = [{**CATALOGUE["offers"][0], "eligible": '"old" in segments'}, *CATALOGUE["offers"][1:3]]
    placements = [{**CATALOGUE["placements"][0], "fallback_offer_ids": []}]
    revision = write_revision(config.parent, {**CATALOGUE, "offers": offers, "placements": placements})

    found = run(config, REQUESTS, catalogue=revision)

    groups = {
        (one["kind"], one["name"]): (
            one["members"], one["reached_today"], one["reached_new"], one["losing"], one["gaining"],
        )
        for one in found["groups"]
    }  # fmt: skip
    assert groups == {
        ("everybody", ""): (3, 3, 2, 1, 0),
        ("segment", "old"): (2, 2, 2, 0, 0),
        ("tier", "blue"): (1, 1, 0, 1, 0),
        ("tier", "gold"): (2, 2, 2, 0, 0),
    }
    blue = next(one for one in found["groups"] if one["name"] == "blue")
    assert (blue["value_today"], blue["value_new"]) == (pytest.approx(4), 0)
    assert [
        (one["candidate_id"], one["members_today"], one["members_new"]) for one in found["candidates"]
    ] == [
        ("book", 1, 0),
        ("tea", 3, 2),
    ]


def test_assumed_responses_are_redeemed(config: Path) -> None:
    """With certain responses what is given is committed an hour later, and a coupon is redeemed once."""
    certain = {**CATALOGUE["offers"][0], "prior_probability": 1.0}
    revision = write_revision(config.parent, {**CATALOGUE, "offers": [certain]} | {"placements": [
        {**CATALOGUE["placements"][0], "fallback_offer_ids": []}
    ]})  # fmt: skip

    found = run(config, ask((0, "ann"), (2, "ann"), (3, "bob"), (50, "eve")), catalogue=revision, assume=True)

    (budget,) = found["new"]["budgets"]
    assert found["new"]["responses"] == 2
    assert budget["days"][-1]["committed_units"] == 2
    assert budget["days"][-1]["released_units"] == 0
    assert found["new"]["removed"] == {"CAP_REACHED": 1, "BUDGET_SPENT": 1}


def test_every_member_asks_once_a_day(config: Path) -> None:
    """Without requests, --placement lets each member of the table ask on each day."""
    found = to_json(
        simulated(
            config,
            members=config.parent / "members.parquet",
            placement_id="letter",
            from_day=DAY_1,
            until_day=DAY_2,
        )
    )

    assert (found["requests"], found["first_day"], found["last_day"]) == (6, "2026-05-01", "2026-05-02")
    assert found["today"]["members"] == 3


def test_requests_that_the_revision_refuses_are_counted(config: Path) -> None:
    """A placement that the revision does not have any more is not an error: its requests stay without an answer."""
    placements = [{**CATALOGUE["placements"][0], "placement_id": "page", "channels": []}]
    revision = write_revision(config.parent, {**CATALOGUE, "placements": placements})

    found = run(config, REQUESTS, catalogue=revision)

    assert found["new"]["placements"][0]["unanswered"] == 7
    assert found["new"]["decisions"] == 0
    assert next(one for one in found["groups"])["losing"] == 3


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"member_id": ["a"], "placement_id": ["letter"]}, "lacks the column time; it has member_id, placement_id"),
        ({"member_id": ["a"], "placement_id": ["cellar"], "time": [at(0)]}, "'cellar', which the catalogue does not have; it has letter"),
        ({"member_id": ["a"], "placement_id": ["letter"], "time": ["soon"]}, "column time has texts that are not times"),
        ({"member_id": ["a"], "placement_id": ["letter"], "time": [7]}, "column time is of type Int64"),
        ({"member_id": [None], "placement_id": ["letter"], "time": [at(0)]}, "row 1: member_id and time must not be empty"),
        ({"member_id": ["a"], "placement_id": ["letter"], "time": [at(0)], "age": ["x"]}, "row 1: age is 'x'; the catalogue declares it as int"),
    ],
)  # fmt: skip
def test_bad_requests_are_named(config: Path, table: dict[str, Any], words: str) -> None:
    """What is wrong with a table is said with its column or row."""
    path = config.parent / "bad.parquet"
    pl.DataFrame(table).write_parquet(path)

    with pytest.raises(SimulationError) as caught:
        simulated(config, requests=path)

    assert words in caught.value.message


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"name": ["a"]}, "has no column member_id"),
        ({"member_id": ["a", "a"]}, "a member in several rows"),
        ({"member_id": ["a"], "age": ["old"]}, "row 1: age is 'old'; the catalogue declares it as int"),
        ({"member_id": ["a"], "consent:ads": [True]}, "consent:ads of type Boolean is nothing that a profile holds"),
    ],
)  # fmt: skip
def test_bad_members_are_named(config: Path, table: dict[str, Any], words: str) -> None:
    """What is wrong with a member table is said with its column or row."""
    path = config.parent / "bad.parquet"
    pl.DataFrame(table).write_parquet(path)

    with pytest.raises(DomainError) as caught:
        simulated(config, members=path, placement_id="letter", from_day=DAY_1, until_day=DAY_1)

    assert words in caught.value.message


def test_an_empty_log_says_what_to_give_instead(config: Path) -> None:
    """A programme that has decided nothing yet is simulated from tables."""
    with pytest.raises(SimulationError, match="give --requests, or --placement with --members"):
        simulated(config)


def test_consent_comes_from_the_table(tmp_path: Path) -> None:
    """Columns consent:CHANNEL:PURPOSE, the channel empty for all others, say who may be written to: not Eve, of tea and the book."""
    channels = [{"channel_id": "email", "outbound": True, "purposes": ["ads"]}]
    config = write_files(tmp_path, {**CATALOGUE, "channels": channels})
    MEMBERS.with_columns(
        pl.Series("consent:email:ads", [True, None, None]), pl.Series("consent::ads", [None, True, False])
    ).write_csv(tmp_path / "members.csv")
    requests = write_requests(tmp_path, ask((0, "ann"), (1, "bob"), (2, "eve")))

    found = to_json(simulated(config, requests=requests, members=tmp_path / "members.csv"))

    assert found["today"]["removed"]["NO_CONSENT"] == 2
    assert found["today"]["placements"][0]["empty"] == 1


def test_budgets_that_ran_out_stand_first(config: Path) -> None:
    """The rows for people begin with what ran out, then least left; what nobody drew from is left out of it."""
    offers = [
        {**CATALOGUE["offers"][0], "budgets": [{"units": 100}]},
        {**CATALOGUE["offers"][1], "budgets": [{"money": money("2")}]},
        {**CATALOGUE["offers"][2], "budgets": [{"units": 5}]},
    ]
    placements = [{**CATALOGUE["placements"][0], "fallback_offer_ids": [], "default_offer_count": 2}]
    write_files(config.parent, {**CATALOGUE, "offers": offers, "placements": placements})
    requests = write_requests(config.parent, ask((0, "ann"), (1, "bob")))

    found = simulated(config, requests=requests, members=config.parent / "members.parquet")

    assert budgets(found.today) == [
        ("candidate:jam:0", "2.00 USD", "2.00 USD", "0.00 USD", "0.00 USD", "0.00 USD", "2026-05-01"),
        ("candidate:tea:0", "100", "2", "0", "0", "98", "lasted"),
    ]


def test_standing_arms_are_those_of_the_catalogue(config: Path) -> None:
    """Half of the members get nothing once a revision has a holdout of half; they are drawn as the server draws them."""
    arms = {"period": "year", "traffic_ppm": {"holdout": 500_000}}
    revision = write_revision(config.parent, {**CATALOGUE, "standing_arms": arms})
    requests = write_requests(config.parent, ask(*((1, f"m{number}") for number in range(200))))

    found = to_json(simulated(config, requests=requests, catalogue=revision))

    (everybody,) = (one for one in found["groups"] if one["kind"] == "everybody")
    assert everybody["reached_today"] == 200
    assert 70 <= everybody["losing"] <= 130
    assert found["new"]["removed"]["HELD_OUT"] == 4 * everybody["losing"]
