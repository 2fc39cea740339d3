"""Standing arms among the experiments in force: there for their period, then drawn anew."""

from datetime import UTC, date, datetime

import pytest

from experiments.assignment.assign import assign_all
from experiments.assignment.plan import compile_plan
from server.catalogue import Catalogue, Placement, StandingArms
from server.decide.snapshot import Snapshot
from server.errors import ExperimentReadOnlyError
from server.programme.programmes import Programmes

ARMS = StandingArms(traffic_ppm={"holdout": 200_000, "no_levers": 100_000})
CATALOGUE = Catalogue(
    time_zone="America/New_York", placements=(Placement(placement_id="till"),), standing_arms=ARMS
)


@pytest.fixture
def programmes() -> Programmes:
    """One programme whose catalogue has standing arms."""
    return Programmes({"default": Snapshot(CATALOGUE, compile_plan([], "default"))})


def _arms(programmes: Programmes) -> dict[str, str]:
    plan = programmes.current("default").plan
    return {
        f"m{number}": str(one.variant_id)
        for number in range(2000)
        for one in assign_all(plan, f"m{number}", "till", {})
    }


def test_a_period_draws_its_members_anew(programmes: Programmes) -> None:
    """Within a period a member stays where they are, in the programme's days; the next one draws them independently."""
    programmes.follow_periods(datetime(2026, 11, 30, 23, tzinfo=UTC))
    november = _arms(programmes)
    # In New York it is still November.
    programmes.follow_periods(datetime(2026, 12, 1, 4, 59, tzinfo=UTC))
    assert list(programmes.current("default").experiments) == ["standing-arms.2026-11"]
    assert _arms(programmes) == november

    programmes.follow_periods(datetime(2026, 12, 1, 5, tzinfo=UTC))
    assert list(programmes.current("default").experiments) == ["standing-arms.2026-12"]
    december = _arms(programmes)

    held = {member for member, arm in november.items() if arm == "holdout"}
    again = {member for member, arm in december.items() if arm == "holdout"}
    # 400 expected in each and 80 in both; five standard deviations of 18 and 8.
    assert 310 <= len(held) <= 490
    assert 40 <= len(held & again) <= 120
    assert {"policy", "no_levers", "holdout"} == set(december.values())


def test_arms_follow_the_catalogue(programmes: Programmes) -> None:
    """A catalogue with other arms has them at once, one without has none; other experiments stay."""
    day = date(2026, 11, 25)
    programmes.replace_catalogue("default", CATALOGUE, day)
    before = programmes.current("default").plan.revision

    fewer = Catalogue(
        **{**CATALOGUE.model_dump(), "standing_arms": StandingArms(traffic_ppm={"holdout": 10_000})}
    )
    programmes.replace_catalogue("default", fewer, day)
    assert programmes.current("default").plan.revision != before
    assert set(_arms(programmes).values()) == {"policy", "holdout"}

    none = Catalogue(**{**CATALOGUE.model_dump(), "standing_arms": StandingArms()})
    programmes.replace_catalogue("default", none, day)
    assert not programmes.current("default").experiments


def test_nothing_changes_within_a_period(programmes: Programmes) -> None:
    """A look within the period leaves the very same plan in force, so nothing is compiled every second."""
    programmes.follow_periods(datetime(2026, 11, 2, tzinfo=UTC))
    snapshot = programmes.current("default")

    programmes.follow_periods(datetime(2026, 11, 20, tzinfo=UTC))

    assert programmes.current("default") is snapshot


def test_refusal_says_where_arms_are_changed() -> None:
    """Who tries to stop the standing arms like an experiment is sent to the catalogue."""
    error = ExperimentReadOnlyError("standing-arms.2026-11", standing=True)

    assert "is made of the catalogue's standing_arms; change those" in error.message
