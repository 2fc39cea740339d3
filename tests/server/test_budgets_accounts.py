"""What a decision draws from which account, and what budgets let out over time: all calculated by hand."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from experiments.log.events import to_micros
from server.budgets import Accounts, Draw
from server.catalogue import Action, Budget, Group, Offer
from tests.server.budget_process import START, catalogue, money


def draw_of(budget: Budget, time: datetime, zone: str = "UTC", **fields: Any) -> Draw:
    """Return what an offer with one budget draws at a time."""
    offer = Offer(offer_id="a", budgets=(budget,), **fields)
    (draw,) = Accounts(catalogue(offer, time_zone=zone)).draws(["a"], time)
    return draw


def allowed(budget: Budget, time: datetime, zone: str = "UTC", **fields: Any) -> int | None:
    """Return the units that an offer's only budget allows by a time."""
    return draw_of(budget, time, zone, **fields).allowed_units


def utc(*parts: int) -> datetime:
    """Return a time in UTC."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]  # year to minute


def test_which_accounts() -> None:
    """An offer draws from its budgets, those of its group and of the group above, and its inventory; in the order asked."""
    unit = Budget(units=9)
    accounts = Accounts(
        catalogue(
            Offer(offer_id="a", group_id="inner", budgets=(unit, Budget(units=8, hold_days=1)), inventory=5),
            Offer(offer_id="free"),
            groups=(
                Group(group_id="outer", budgets=(unit, unit)),
                Group(group_id="inner", parent_id="outer", budgets=(unit,)),
            ),
            actions=(Action(action_id="survey", kind="survey", group_id="outer"),),
        )
    )

    draws = accounts.draws(["survey", "free", "unknown", "a"], START)

    assert [(draw.candidate_id, draw.account_id, draw.allowed_units) for draw in draws] == [
        ("survey", "group:outer:0", 9),
        ("survey", "group:outer:1", 9),
        ("a", "candidate:a:0", 9),
        ("a", "candidate:a:1", 8),
        ("a", "group:inner:0", 9),
        ("a", "group:outer:0", 9),
        ("a", "group:outer:1", 9),
        ("a", "inventory:a", 5),
    ]
    assert {draw.units for draw in draws} == {1}
    holds = {draw.account_id: draw.hold_micros for draw in draws}
    day = 86_400_000_000
    assert (holds["candidate:a:0"], holds["candidate:a:1"], holds["inventory:a"]) == (7 * day, day, 7 * day)


def test_a_catalogue_without_budgets_draws_nothing() -> None:
    """Without budgets and inventory there is no account and no draw."""
    accounts = Accounts(catalogue(Offer(offer_id="a", cost=money("1"))))

    assert accounts.by_candidate == {}
    assert accounts.draws(["a"], START) == []


@pytest.mark.parametrize(
    ("fields", "micros"),
    [
        ({}, 0),
        ({"cost": money("0.10")}, 100_000),
        ({"discount": money("1.25")}, 1_250_000),
        ({"discount": money("1.25"), "response_cost": money("0.75")}, 750_000),
        ({"discount": money("1.25"), "response_cost": money("0")}, 0),
        ({"cost": money("0.1"), "discount": money("0.2"), "points_liability": money("0.3")}, 600_000),
        ({"points_liability": money("0.000000001")}, 1),
        ({"cost": money("0.0000004"), "points_liability": money("0.0000006")}, 1),
        ({"cost": money("999999999"), "response_cost": money("0.000001")}, 999_999_999_000_001),
        ({"cost": money("-2"), "response_cost": money("0.5")}, 0),
    ],
)
def test_what_a_decision_costs(fields: dict[str, Any], micros: int) -> None:
    """Cost, what a response costs (else the discount) and points are added exactly and rounded up once; never below 0."""
    draw = draw_of(Budget(money=money("5.0000019")), START, **fields)

    assert (draw.units, draw.micros) == (1, micros)
    assert (draw.allowed_units, draw.allowed_micros) == (None, 5_000_001)


@pytest.mark.parametrize(
    ("period", "start"),
    [
        ("total", None),
        ("day", utc(2017, 12, 5, 5)),
        ("week", utc(2017, 12, 4, 5)),
        ("month", utc(2017, 12, 1, 5)),
    ],
)
def test_when_periods_begin(period: Any, start: datetime | None) -> None:
    """Periods begin at midnight in New York, weeks on Monday; what is not paced is allowed at once."""
    draw = draw_of(Budget(units=7, period=period), utc(2017, 12, 6, 4, 59), "America/New_York")

    assert draw.period == (0 if start is None else to_micros(start))
    assert draw.allowed_units == 7


@pytest.mark.parametrize(
    ("period", "last", "first"),
    [
        ("day", utc(2017, 12, 6, 4, 59), utc(2017, 12, 6, 5)),
        ("week", utc(2017, 12, 11, 4, 59), utc(2017, 12, 11, 5)),
        ("month", utc(2018, 1, 1, 4, 59), utc(2018, 1, 1, 5)),
    ],
)
def test_when_periods_end(period: Any, last: datetime, first: datetime) -> None:
    """The first moment of the next day, Monday or month belongs to a period that begins with it; also back in time."""
    accounts = Accounts(
        catalogue(
            Offer(offer_id="a", budgets=(Budget(units=7, period=period),)), time_zone="America/New_York"
        )
    )

    begins = [accounts.draws(["a"], time)[0].period for time in (last, first, last)]

    assert begins[1] == to_micros(first)
    assert begins[0] == begins[2] < begins[1]


def test_midnight_that_does_not_exist() -> None:
    """Where the clock jumps over midnight, the day begins with the jump, and has 23 hours."""
    budget = Budget(units=23, period="day", pacing="even")
    zone = "America/Sao_Paulo"

    assert draw_of(budget, utc(2017, 10, 15, 3), zone).period == to_micros(utc(2017, 10, 15, 3))
    assert allowed(budget, utc(2017, 10, 15, 3), zone) == 1
    assert draw_of(budget, utc(2017, 10, 15, 2, 59), zone).period == to_micros(utc(2017, 10, 14, 3))
    assert allowed(budget, utc(2017, 10, 16, 1, 59), zone) == 23
    assert allowed(budget, utc(2017, 10, 16, 2), zone) == 0  # 23 * 1/24


def test_half_an_hour_at_the_end() -> None:
    """On Lord Howe Island the clock moves by half an hour: a day of 23.5 hours lets out all in its last half hour, no more."""
    budget = Budget(units=47, period="day", pacing="even")
    zone = "Australia/Lord_Howe"

    assert allowed(budget, utc(2017, 9, 30, 13, 30), zone) == 2
    assert allowed(budget, utc(2017, 10, 1, 12, 29), zone) == 46
    assert allowed(budget, utc(2017, 10, 1, 12, 30), zone) == 47
    assert allowed(budget, utc(2017, 10, 1, 12, 59), zone) == 47
    assert allowed(budget, utc(2017, 10, 1, 13), zone) == 1


@pytest.mark.parametrize(
    ("time", "units"),
    [
        # 24 hours from 05:00 UTC: 100 * 1/24 = 4.17, 2/24 = 8.33
        (utc(2017, 12, 5, 5), 4),
        (utc(2017, 12, 5, 5, 59), 4),
        (utc(2017, 12, 5, 6), 8),
        (utc(2017, 12, 6, 4, 59), 100),
        # 25 hours from 04:00 UTC on the day on which the clock goes back: one hour's part is exactly 4
        (utc(2017, 11, 5, 4), 4),
        (utc(2017, 11, 5, 6, 30), 12),
        (utc(2017, 11, 6, 3, 59), 96),
        (utc(2017, 11, 6, 4), 100),
        (utc(2017, 11, 6, 5), 4),
        # 23 hours from 05:00 UTC on the day on which it goes forward: 100 * 1/23 = 4.35, 8/23 = 34.78, 22/23 = 95.65
        (utc(2017, 3, 12, 5), 4),
        (utc(2017, 3, 12, 12, 30), 34),
        (utc(2017, 3, 13, 2, 59), 95),
        (utc(2017, 3, 13, 3), 100),
        (utc(2017, 3, 13, 4), 4),
    ],
)
def test_even_over_a_day(time: datetime, units: int) -> None:
    """Hour by hour, one hour ahead, rounded down; by real hours, of which a day in New York has 23 to 25."""
    assert allowed(Budget(units=100, period="day", pacing="even"), time, "America/New_York") == units


@pytest.mark.parametrize(
    ("period", "time", "units"),
    [
        # Tuesday 12:30 in New York: 36 hours of 168 have passed
        ("week", utc(2017, 12, 5, 17, 30), 37),
        # The week of the change has 169 hours: 168 * 1/169 is less than one unit
        ("week", utc(2017, 10, 30, 4), 0),
        ("week", utc(2017, 10, 30, 5), 1),
        ("week", utc(2017, 11, 6, 4, 59), 168),
        # November has 721 hours there: 168 * 722/721 would be too much, 168 * 360/721 = 83.88
        ("month", utc(2017, 11, 16, 3, 59), 83),
        ("month", utc(2017, 12, 1, 4, 59), 168),
        ("month", utc(2017, 12, 1, 5), 0),
        # December has 744 hours: 168 * 5/744 = 1.13
        ("month", utc(2017, 12, 1, 9), 1),
    ],
)
def test_even_over_a_week_and_a_month(period: Any, time: datetime, units: int) -> None:
    """The same rule over weeks from Monday and over months as long as they are."""
    assert allowed(Budget(units=168, period=period, pacing="even"), time, "America/New_York") == units


@pytest.mark.parametrize(
    ("time", "units"),
    [
        (utc(2017, 11, 30, 23, 59), 0),
        (utc(2017, 12, 1), 2),
        (utc(2017, 12, 2, 12), 74),
        (utc(2017, 12, 2, 22, 59), 94),
        (utc(2017, 12, 2, 23), 96),
        (utc(2017, 12, 3), 96),
        (utc(2030, 1, 1), 96),
    ],
)
def test_even_over_a_total(time: datetime, units: int) -> None:
    """A total is let out between its first and last day, 48 hours here: nothing before, all after."""
    days: dict[str, Any] = {"first_day": date(2017, 12, 1), "last_day": date(2017, 12, 2)}
    budget = Budget(units=96, pacing="even", **days)

    draw = draw_of(budget, time, valid_from=date(2017, 1, 1), valid_until=date(2018, 1, 1))

    assert (draw.period, draw.allowed_units) == (0, units)


def test_a_total_lasts_as_long_as_what_it_is_for() -> None:
    """Without days of its own a total is paced over the validity of its offer; of a group, over that of all its offers."""
    even = Budget(units=96, pacing="even")
    first: dict[str, Any] = {"valid_from": date(2017, 12, 1), "valid_until": date(2017, 12, 1)}
    second: dict[str, Any] = {"valid_from": date(2017, 12, 2), "valid_until": date(2017, 12, 2)}
    accounts = Accounts(
        catalogue(
            Offer(offer_id="a", group_id="g", budgets=(even,), **first),
            Offer(offer_id="b", group_id="g", **second),
            groups=(Group(group_id="g", budgets=(even,)),),
        )
    )

    own, group = accounts.draws(["a"], utc(2017, 12, 1, 11))

    assert (own.allowed_units, group.allowed_units) == (48, 24)


def test_a_total_without_end_is_not_paced() -> None:
    """A total that never ends cannot be spread over its time, so all of it is allowed."""
    assert allowed(Budget(units=96, pacing="even"), START, valid_from=date(2018, 1, 1)) == 96


def test_money_is_paced_like_units() -> None:
    """Half a day and one hour: 13/24 of 1 dollar is 541,666.67 millionths, rounded down."""
    budget = Budget(money=money("1"), period="day", pacing="even")

    assert draw_of(budget, START + timedelta(minutes=59)).allowed_micros == 541_666


def test_inventory_is_never_paced() -> None:
    """What is in stock is allowed at any time."""
    offer = Offer(offer_id="a", inventory=0, budgets=(Budget(units=24, period="day", pacing="even"),))

    draws = Accounts(catalogue(offer)).draws(["a"], utc(2017, 12, 5))

    assert [(draw.account_id, draw.allowed_units) for draw in draws] == [
        ("candidate:a:0", 1),
        ("inventory:a", 0),
    ]
