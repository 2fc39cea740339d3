"""Standing arms as experiments: their periods, their members, their lift."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from experiments.analysis import analyze_log
from experiments.assignment.assign import assign
from experiments.assignment.plan import compile_plan
from experiments.definition import ExperimentDefinition
from experiments.errors import AnalysisError
from experiments.log.events import AssignedVariant, Decision, Outcome
from experiments.log.frames import EventFrames
from experiments.standing_arms import (
    PeriodKind,
    is_standing,
    named_period,
    period_of,
    standing_definition,
    with_decisions_as_exposures,
)
from tests.experiments.attribution.logs import START, action, decision, log, outcome

ARMS = {"random_eligible": 100_000, "holdout": 200_000}


def may(arms: dict[str, int] = ARMS) -> ExperimentDefinition:
    """Return the standing arms of May."""
    return standing_definition("default", arms, "month", date(2026, 5, 20), ["home"])


@pytest.mark.parametrize(
    ("day", "kind", "name", "first", "last"),
    [
        (date(2026, 11, 30), "month", "2026-11", date(2026, 11, 1), date(2026, 11, 30)),
        (date(2028, 2, 1), "month", "2028-02", date(2028, 2, 1), date(2028, 2, 29)),
        (date(2026, 12, 31), "quarter", "2026-Q4", date(2026, 10, 1), date(2026, 12, 31)),
        (date(2026, 4, 1), "quarter", "2026-Q2", date(2026, 4, 1), date(2026, 6, 30)),
        (date(2026, 7, 4), "year", "2026", date(2026, 1, 1), date(2026, 12, 31)),
    ],
)
def test_a_day_belongs_to_one_period(day: date, kind: PeriodKind, name: str, first: date, last: date) -> None:
    """Periods are those of the calendar; a name leads back to its period."""
    found = period_of(day, kind)

    assert (found.name, found.first_day, found.last_day) == (name, first, last)
    assert named_period(name) == (kind, first)


@pytest.mark.parametrize("name", ["", "may", "2026-13", "2026-5", "2026-Q5", "2026-Q", "2026-05-01", "26"])
def test_other_texts_are_no_periods(name: str) -> None:
    """The sentence says how periods are written."""
    with pytest.raises(AnalysisError, match="write a month as 2026-11, a quarter as 2026-Q4, a year as 2026"):
        named_period(name)


def test_the_arms_are_a_running_experiment() -> None:
    """The policy is the control with whoever is left; each arm hands its own name to what decides."""
    found = may()

    assert found.experiment_id == found.salt == "standing-arms.2026-05"
    assert (found.start_date, found.end_date) == (date(2026, 5, 1), date(2026, 5, 31))
    assert [(one.variant_id, one.weight, one.parameters) for one in found.variants] == [
        ("policy", 700_000, {}),
        ("holdout", 200_000, {"standing_arm": "holdout"}),
        ("random_eligible", 100_000, {"standing_arm": "random_eligible"}),
    ]
    assert found.control == "policy"
    assert is_standing(found)
    assert not is_standing(found.model_copy(update={"experiment_id": "standing"}))
    assert may(dict(reversed(ARMS.items()))) == found, "the order in a file moves nobody"


def test_members_are_drawn_anew_each_period() -> None:
    """Shares are those of the arms, and a member's arm in May says nothing about the one in June (99.9 % bands)."""
    june = standing_definition("default", ARMS, "month", date(2026, 6, 1), ["home"])
    plan = compile_plan([may(), june], "default")
    number = 20_000
    drawn = [
        [str(assign(plan, one, f"m{member}").variant_id) for member in range(number)]
        for one in ("standing-arms.2026-05", "standing-arms.2026-06")
    ]

    both = sum(pair == ("holdout", "holdout") for pair in zip(*drawn, strict=True))
    for share, count in (
        (0.2, drawn[0].count("holdout")),
        (0.1, drawn[1].count("random_eligible")),
        (0.04, both),
    ):
        assert count == pytest.approx(number * share, abs=3.29 * (number * share * (1 - share)) ** 0.5)


def simulated(folder: Path, members: int = 6_000) -> EventFrames:
    """Return a May in which half of the policy's members buy for 20, three tenths of the random, a fifth of the rest.

    Everybody is decided for twice; whoever buys redeems the offer, without naming a decision.
    """
    random = np.random.default_rng(7)
    plan = compile_plan([may()], "default")
    chances = {"policy": 0.5, "random_eligible": 0.3, "holdout": 0.2}
    decisions: list[Decision] = []
    outcomes: list[Outcome] = []
    for number in range(members):
        member_id = f"m{number}"
        variant_id = str(assign(plan, "standing-arms.2026-05", member_id).variant_id)
        assigned = AssignedVariant("standing-arms.2026-05", variant_id, 1, {})
        offers = () if variant_id == "holdout" else ("tea", "jam")
        for visit, day in enumerate(sorted(random.uniform(0, 20, 2))):
            made = decision(f"{member_id}-{visit}", member_id, float(day), *offers)
            other = AssignedVariant("another", "v", 1, {})
            decisions.append(replace(made, assignments=(other, assigned)))
        if random.random() < chances[variant_id]:
            outcomes.append(outcome(f"p{number}", member_id, 21, "purchase", value=20))
            outcomes.append(outcome(f"r{number}", member_id, 22, "redemption", offer_id="tea"))
        # Before the first decision and after the period: neither counts.
        outcomes.append(outcome(f"before{number}", member_id, -1, "purchase", value=1_000))
        outcomes.append(outcome(f"after{number}", member_id, 31, "purchase", value=1_000))
    return log(folder, decisions, outcomes)


def test_the_lift_of_each_arm_is_recovered(tmp_path: Path) -> None:
    """Every decision is an exposure: all members count, and the intervals hold what the simulation put there."""
    result = analyze_log(may(), simulated(tmp_path))

    assert result.diagnostics.counts["units_in_several_variants"] == 0
    found = {(one["metric_id"], one["variant_id"]): one for one in result.to_json()["results"]}
    truths = {
        ("value", "random_eligible"): 6.0 - 10.0,
        ("value", "holdout"): 4.0 - 10.0,
        ("redemptions", "random_eligible"): 0.3 - 0.5,
        ("redemptions", "holdout"): 0.2 - 0.5,
        ("given", "random_eligible"): 0.0,
        ("given", "holdout"): -4.0,
    }
    assert set(found) == set(truths)
    for key, truth in truths.items():
        assert found[key]["estimate"] == pytest.approx(truth, abs=0.12 * abs(truth)), key
    for key in (("value", "holdout"), ("redemptions", "random_eligible")):
        assert found[key]["ci_lower"] < truths[key] < found[key]["ci_upper"] < 0, key
    assert sum(result.to_json()["units"].values()) == 6_000


def test_the_arms_of_another_period_do_not_count(tmp_path: Path) -> None:
    """June has no decision in a log of May, and the sentence says so."""
    june = standing_definition("default", ARMS, "month", date(2026, 6, 1), ["home"])
    frames = log(tmp_path, [decision("d1", "ann", 0, "tea")], [])

    with pytest.raises(AnalysisError, match=r"no exposure of experiment 'standing-arms\.2026-06'"):
        analyze_log(june, frames)
    assert START.date() + timedelta(days=31) == june.start_date


def test_no_action_is_nothing_given(tmp_path: Path) -> None:
    """An action counts as given, *no action* does not, so that the holdout is given nothing."""
    arm = AssignedVariant("standing-arms.2026-05", "holdout", 1, {})
    made = [
        action("d1", "ann", 0, "hello"),
        action("d2", "ann", 1, "no_action"),
        decision("d3", "ann", 2, "tea", "jam"),
    ]
    frames = log(tmp_path, [replace(one, assignments=(arm,)) for one in made], [])

    given = with_decisions_as_exposures(may(), frames).outcomes

    assert sorted(given["decision_id"]) == ["d1", "d3", "d3"]
