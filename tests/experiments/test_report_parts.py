"""The report's parts beyond the plain two-arm result: money, guardrails, segments, factors, days, checks."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from experiments.analysis import ExperimentResult, analyze_table
from experiments.analysis import document as error_rates
from experiments.definition import parse_experiment
from experiments.number_format import money_change, money_step, plural
from experiments.pages import ReportContext, build_report
from experiments.pages.experiment_verdict import measured_rate
from experiments.pages.experiment_words import FigureFormat
from tests.experiments.pages import Page

CONTEXT = ReportContext(title="Title", subtitle="Subtitle", generated_time=datetime(2026, 5, 4, tzinfo=UTC))
DEFINITION: dict[str, Any] = {
    "experiment_id": "basket",
    "unit": "player",
    "analysis": "fixed",
    "variant_column": "variant",
    "variants": [{"variant_id": "control"}, {"variant_id": "points", "name": "Points"}],
    "metrics": [
        {"metric_id": "margin", "unit_label": "EUR", "covariates": ["before"]},
        {
            "metric_id": "back",
            "kind": "proportion",
            "role": "guardrail",
            "margin": {"relative": 0.1},
        },
        {"metric_id": "calls", "role": "guardrail", "direction": "decrease", "margin": {"absolute": 0.03}},
    ],
}


def units(number: int = 6_000, effect: float = 1.0, calls: float = 0.0, before: float = 0.0) -> pl.DataFrame:
    """Return units of two variants; ``effect`` raises the margin, ``calls`` the calls, ``before`` the covariate."""
    random = np.random.default_rng(20_260_301)
    treated = np.arange(number) % 2
    known = random.gamma(2, 5, number) + before * treated
    days = [date(2026, 3, 1) + timedelta(int(day)) for day in np.arange(number) // 2 % 10]
    return pl.DataFrame(
        {
            "variant": np.where(treated, "points", "control"),
            "before": known,
            "margin": known + random.normal(0, 5, number) + effect * treated,
            "back": random.random(number) < 0.5,
            "calls": random.poisson(0.2 + calls * treated),
            "country": np.where(np.arange(number) % 3 == 0, "FR", "DE"),
            "day": days,
        }
    )


def result(table: pl.DataFrame | None = None, **changes: Any) -> ExperimentResult:
    """Return the analysis of the units, by default with a clear effect."""
    return analyze_table(parse_experiment(DEFINITION | changes, "test"), units() if table is None else table)


def text_of(found: ExperimentResult) -> str:
    """Return the visible text of the report, its charts undrawn to save time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vl_convert.vegalite_to_svg", lambda *_, **__: "<svg></svg>")
        return Page(build_report(found, CONTEXT)).text


def test_guardrails_say_their_margin_in_words() -> None:
    """A guardrail that holds says what it may lose and the worst that is possible, also where less is better."""
    text = text_of(result())

    assert "Ship: Points" in text
    assert "Holds. It may fall by up to 10 %; at worst it " in text
    assert "Holds. It may rise by up to 0.030; at worst it " in text


def test_a_harmed_guardrail_is_worse() -> None:
    """More calls are worse, and forbid to ship although the margin rose."""
    text = text_of(result(units(calls=0.2)))

    assert "Do not ship" in text
    assert "Points is worse on calls" in text
    assert "Worse, and more than chance explains." in text


def test_money_is_told_after_costs_and_at_the_top() -> None:
    """Per unit and per month, rounded by its interval, in the owner's word for the unit."""
    money = {
        "metric_id": "margin",
        "units_per_month": 10_000,
        "cost_per_unit": 0.25,
        "cost_per_month": 500,
        "currency_code": "EUR",
    }
    found = result(money=money)
    (worth,) = found.money
    assert worth.per_unit is not None
    assert worth.per_unit_lower is not None
    opening = text_of(found)[:700]

    assert (
        f"After costs that is +{worth.per_unit:.2f} EUR, between +{worth.per_unit_lower:.2f} and" in opening
    )
    assert "per player. A month, with 10,000 players: +" in opening


def test_unfinished_experiments_say_how_long_they_take() -> None:
    """Days to go stand in the heading, and the way to the planned size below."""
    text = text_of(
        result(units(effect=0.05), time_column="day", analysis="always-valid", planned_units=10_000)
    )

    assert "Keep running: about " in text
    assert "more days" in text[:200]
    assert "6,000 of 10,000 players that were planned." in text


def test_fixed_analysis_waits_for_its_end() -> None:
    """Before the planned end nothing is decided, whatever the figures."""
    text = text_of(result(planned_units=8_000))

    assert "Keep running: about 2,000 more players" in text
    assert "is judged once, at the planned end" in text


def test_segments_name_their_correction() -> None:
    """Each metric has its table by segment, and says how many comparisons it was corrected for."""
    text = text_of(result(segments=["country"]))

    assert "Margin by country" in text
    assert "Corrected for looking at several segments: Holm over 6." in text


def test_days_have_their_chart_and_their_trend() -> None:
    """With days there is a chart of the effect by day, and whether it fades."""
    page = Page(build_report(result(time_column="day"), CONTEXT))

    assert "Does the effect last?" in page.text
    assert "no clear sign that the effect fades or grows" in page.text
    assert page.tags.count("svg") == 5


def test_factors_are_compared_with_their_first_levels() -> None:
    """Main effects and interactions are named by the levels' names."""
    random = np.random.default_rng(5)
    cells = ["long.plain", "long.gold", "short.plain", "short.gold"]
    number = 4_000
    table = pl.DataFrame(
        {
            "variant": [cells[index % 4] for index in range(number)],
            "clicks": random.normal(10, 2, number) + (np.arange(number) % 4 >= 2),
        }
    )
    factors = [
        {"factor_id": "subject", "name": "Subject", "levels": [{"level_id": "long"}, {"level_id": "short"}]},
        {"factor_id": "colour", "levels": [{"level_id": "plain"}, {"level_id": "gold"}]},
    ]
    raw = {name: value for name, value in DEFINITION.items() if name != "variants"}
    definition = parse_experiment(raw | {"factors": factors, "metrics": [{"metric_id": "clicks"}]}, "test")

    text = text_of(analyze_table(definition, table))

    assert "Which part did it?" in text
    assert "Subject short instead of long +" in text
    assert "Subject short instead of long, together with colour gold instead of plain" in text


def test_groups_that_differed_before_are_red() -> None:
    """A covariate that differs makes the experiment invalid, and its light red."""
    text = text_of(result(units(before=2.0)))

    assert "Invalid: the groups differed from the start" in text
    assert "The groups differed before the experiment" in text
    assert "Better" not in text


def test_suspicious_sizes_are_amber_and_said_at_the_top() -> None:
    """A warning is not an alarm: the verdict stands, with a doubt beside it."""
    found = result()

    text = text_of(replace(found, srm=replace(found.srm, warning=True, p_value=0.005)))

    assert "Ship: Points" in text
    assert "Check first: the sizes of the groups are unusual" in text[:500]
    assert "Unusual, but possible" in text


def test_shares_are_percentages_in_percentage_points() -> None:
    """Nobody reads 0.497 as a share: figures are per cent, differences percentage points."""
    text = text_of(result())

    assert "percentage points" in text
    assert "0.49" not in text.split("Technical appendix")[0]


@pytest.mark.parametrize(
    ("analysis", "words"),
    [
        ("always-valid", "Do. The intervals of this experiment are made for it"),
        ("fixed", "Do not decide by it."),
        ({"method": "group-sequential", "looks": 2}, "Decide at the 2 planned looks only"),
    ],
)
def test_looking_every_day_is_answered(analysis: object, words: str) -> None:
    """Each method says whether one may."""
    text = text_of(result(analysis=analysis, planned_units=6_000))

    assert f"What if I look every day? {words}" in text


def test_the_worst_measured_rate_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all simulations with several looks of a method, the highest rate counts; without any, nothing is said."""
    rates = [
        {"key": "always-valid/normal/even", "rate": 0.02, "looks": 100, "runs": 2_000},
        {"key": "always-valid/revenue/even", "rate": 0.031, "looks": 100, "runs": 2_000},
        {"key": "always-valid/width", "rate": 1.5, "looks": 1, "runs": 2_000},
    ]
    for document in ({"rates": rates}, json.loads(json.dumps({rate["key"]: rate for rate in rates}))):
        monkeypatch.setattr(
            "experiments.pages.experiment_verdict.measured", lambda document=document: document
        )
        rate = measured_rate("always-valid/")
        assert rate is not None
        assert rate.words().startswith("Measured: of 2,000 simulated experiments")
        assert "looked at 100 times each, 3.1 % found a change" in rate.words()
        assert measured_rate("group-sequential/") is None
    assert error_rates.measured() is not None


def test_intervals_have_their_p_values_in_the_appendix() -> None:
    """Every interval stands with its own confidence and p-value, named."""
    metrics = [{"metric_id": "margin"}, {"metric_id": "back", "kind": "proportion"}]
    text = text_of(result(metrics=metrics)).split("Technical appendix")[1]

    for name in (
        "One look",
        "One look, corrected",
        "Always valid",
        "Decision",
        "Posterior of the relative effect",
    ):
        assert name in text


def test_open_intervals_are_said_from_their_end() -> None:
    """A one-sided interval has one end, on the card and in the chart."""
    text = text_of(result(metrics=[{"metric_id": "margin", "alternative": "greater"}]))

    assert "at least +" in text


def test_winsorised_bounds_and_terms_are_told() -> None:
    """How a metric is made is written out: terms, bounds, quantiles."""
    metrics = [
        {
            "metric_id": "profit",
            "numerator": {"terms": [{"column": "margin", "factor": 0.5}, {"column": "calls", "factor": -1}]},
            "winsorize": {"upper": 20},
        },
        {"metric_id": "calls", "kind": "quantile", "quantile": 0.9, "numerator": "before"},
    ]
    text = text_of(result(metrics=metrics))

    assert "The sum of 0.5 × margin, -1 × calls" in text
    assert "above 20 are pulled in to that bound" in text
    assert "the value that 90 % of the players stay below" in text


def test_money_is_rounded_by_its_interval() -> None:
    """Two digits of the interval's width: nobody is told cents of a sum that may be 10,000 off."""
    assert money_change(312_345.6, money_step(250_000, 374_000), "EUR") == "+310,000 EUR"
    assert money_change(1.2345, money_step(0.4, 2.1), "EUR") == "+1.2 EUR"
    assert money_change(-0.004, money_step(-0.01, 0.002), "") == "−0.004"


@pytest.mark.parametrize(
    ("noun", "several"),
    [
        ("member", "members"),
        ("player", "players"),
        ("household", "households"),
        ("city", "cities"),
        ("bus", "buses"),
    ],
)
def test_units_have_regular_plurals(noun: str, several: str) -> None:
    """The owner's word for the unit is used in counts."""
    assert plural(noun) == several


@pytest.mark.parametrize(
    ("unit", "name", "written"),
    [
        ("offers", "offers hit per trip", "0.19 offers hit per trip"),
        ("EUR", "margin", "0.19 EUR margin"),
        ("", "margin", "0.19 margin"),
        ("off", "offers hit per trip", "0.19 off offers hit per trip"),
    ],
)
def test_a_unit_that_the_name_begins_with_is_said_once(unit: str, name: str, written: str) -> None:
    """A figure reads with its unit and what it is of, and no word twice."""
    assert FigureFormat(factor=1.0, decimals=2, unit=unit, change_unit=unit).value_of(0.186, name) == written
