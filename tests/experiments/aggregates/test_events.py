from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.aggregates import collect
from experiments.aggregates.event_columns import Aggregate, EventColumn, EventNames, EventSpec
from experiments.aggregates.events import FIRST, UnitTable, unit_table
from experiments.errors import AnalysisError
from tests.experiments.aggregates.reference import assert_same, metric

DAY = datetime(2024, 3, 1, 12, tzinfo=UTC)

BUYS = EventColumn("buys", Aggregate.COUNT, "buy")
SPEND = EventColumn("spend", Aggregate.VALUE, "buy")


def at(days: float) -> datetime:
    """Return the time so many days after the base time."""
    return DAY + timedelta(days=days)


def exposures(*rows: tuple[Any, ...], **names: str) -> pl.LazyFrame:
    """Return exposures of rows (unit, variant, days)."""
    table = [
        (unit, variant, None if days is None else at(days), *rest) for unit, variant, days, *rest in rows
    ]
    extra = list(names.values())
    return pl.LazyFrame(table, schema=["unit_id", "variant_id", "expose_time", *extra], orient="row")


def outcomes(*rows: tuple[Any, ...], **names: str) -> pl.LazyFrame:
    """Return outcomes of rows (unit, type, days, value)."""
    table = [(unit, kind, None if days is None else at(days), *rest) for unit, kind, days, *rest in rows]
    schema: dict[str, Any] = {
        "unit_id": pl.String,
        "outcome_type": pl.String,
        "outcome_time": pl.Datetime("us", "UTC"),
        "value": pl.Float64,
        **dict.fromkeys(names.values(), pl.String),
    }
    return pl.LazyFrame(table, schema=schema, orient="row")


def made(table: UnitTable, *columns: str) -> dict[str, tuple[Any, ...]]:
    """Return the wanted columns by unit."""
    return {row[0]: row[1:] for row in table.frame.select("unit", *columns).iter_rows()}


def test_outcomes_count_from_first_exposure_to_the_end_of_the_window() -> None:
    """The moment of exposure counts, the end of the window does not; nothing before, nothing of other types."""
    table = unit_table(
        exposures(("u", "a", 1), ("u", "a", 0), ("v", "b", 0)),
        outcomes(
            ("u", "buy", -0.001, 1.0),
            ("u", "buy", 0, 2.0),
            ("u", "buy", 1, 4.0),
            ("u", "buy", 6.999, 8.0),
            ("u", "buy", 7, 16.0),
            ("u", "view", 1, 32.0),
            ("v", "view", 20, 0.0),
            ("x", "buy", 1, 64.0),
        ),
        EventSpec((BUYS, SPEND), window_days=7, as_of=at(20)),
    )

    assert made(table, "variant", FIRST, "buys", "spend") == {
        "u": ("a", at(0), 3.0, 14.0),
        "v": ("b", at(0), 0.0, 0.0),
    }
    assert (table.diagnostics.outcomes, table.diagnostics.outcomes_of_others) == (6, 1)
    assert table.diagnostics.exposures == 3


def test_units_in_several_variants_and_overridden_ones_are_left_out() -> None:
    """Who met two variants or was put into one by hand is nobody's unit, and is counted."""
    table = unit_table(
        exposures(("u", "a", 0), ("u", "b", 1), ("v", "a", 0), ("w", "b", 0), ("w", "b", 3)),
        outcomes(("u", "buy", 1, 1.0), ("w", "buy", 1, 1.0)),
        EventSpec((BUYS,), overridden=frozenset({"v", "u", "nobody"})),
    )

    assert made(table, "buys") == {"w": (1.0,)}
    assert (table.diagnostics.units_in_several_variants, table.diagnostics.overridden_units) == (1, 1)


def test_immature_units_wait() -> None:
    """A unit whose window is not over at the latest time seen is left out and counted; without a window nobody is."""
    shown = exposures(("old", "a", 0), ("edge", "b", 3), ("new", "b", 3.001))
    bought = outcomes(("old", "buy", 10, 1.0), ("new", "buy", 4, 1.0))

    windowed = unit_table(shown, bought, EventSpec((BUYS,), window_days=7))
    endless = unit_table(shown, bought, EventSpec((BUYS,)))

    assert made(windowed, "buys") == {"old": (0.0,), "edge": (0.0,)}
    assert (windowed.diagnostics.immature_units, windowed.diagnostics.as_of) == (1, at(10))
    assert made(endless, "buys") == {"old": (1.0,), "edge": (0.0,), "new": (1.0,)}


def test_a_column_may_have_a_longer_window() -> None:
    """A column's own window makes its value missing, not zero, for units that have not had it whole."""
    table = unit_table(
        exposures(("old", "a", 0), ("new", "b", 5)),
        outcomes(("new", "buy", 6, 1.0), ("old", "buy", 10, 1.0)),
        EventSpec((BUYS, EventColumn("later", Aggregate.COUNT, "buy", window_days=9)), window_days=5),
    )

    assert made(table, "buys", "later") == {"old": (0.0, 0.0), "new": (1.0, None)}
    assert table.diagnostics.immature_values == {"later": 1}


def test_pre_period_columns_look_back() -> None:
    """A covariate counts the days before first exposure, that moment excluded, whatever the window."""
    before = EventColumn("before", Aggregate.VALUE, "buy", pre_period_days=28)
    table = unit_table(
        exposures(("u", "a", 0), ("v", "a", 0)),
        outcomes(
            ("u", "buy", -28.001, 1.0),
            ("u", "buy", -28, 2.0),
            ("u", "buy", -0.001, 4.0),
            ("u", "buy", 0, 8.0),
        ),
        EventSpec((SPEND, before)),
    )

    assert made(table, "spend", "before") == {"u": (8.0, 6.0), "v": (0.0, 0.0)}


def test_retention_looks_at_whole_days() -> None:
    """Retention from day 1 to day 2 is any outcome from 24 to just under 72 hours after exposure, once these are over."""
    back = EventColumn("back", Aggregate.RETAINED, "visit", first_day=1, last_day=2)
    table = unit_table(
        exposures(*((unit, "a", 0) for unit in "stuvw"), ("x", "a", 1)),
        outcomes(
            ("s", "visit", 0.999, None),
            ("t", "visit", 1, None),
            ("u", "visit", 2.999, None),
            ("u", "visit", 2, None),
            ("v", "visit", 3, None),
            ("x", "visit", 2.5, None),
        ),
        EventSpec((back,)),
    )

    assert made(table, "back") == {
        "s": (0.0,), "t": (1.0,), "u": (1.0,), "v": (0.0,), "w": (0.0,), "x": (None,)
    }  # fmt: skip


def test_event_ids_count_once() -> None:
    """Repeated ids are dropped and counted; events without an id all count."""
    table = unit_table(
        exposures(("u", "a", 0, "e1"), ("u", "a", 0, "e1"), ("u", "a", 1, None), ("u", "a", 1, None), id="event_id"),
        outcomes(
            ("u", "buy", 1, 1.0, "o1"), ("u", "buy", 1, 1.0, "o1"), ("u", "buy", 2, 1.0, None),
            ("u", "buy", 2, 1.0, None), id="event_id",
        ),
        EventSpec((BUYS, EventColumn("shown", Aggregate.EXPOSURES))),
    )  # fmt: skip

    assert made(table, "buys", "shown") == {"u": (3.0, 3.0)}
    assert (table.diagnostics.duplicate_exposures, table.diagnostics.duplicate_outcomes) == (1, 1)


def test_exposures_of_the_window_are_a_denominator() -> None:
    """Exposures count from the first one to the end of the window."""
    shown = EventColumn("shown", Aggregate.EXPOSURES)
    table = unit_table(
        exposures(("u", "a", 0), ("u", "a", 6.9), ("u", "a", 7), ("v", "b", 0)),
        outcomes(),
        EventSpec((shown,), window_days=7),
    )

    assert made(table, "shown") == {"u": (2.0,), "v": (1.0,)}


def test_links_make_one_member_of_two_ids() -> None:
    """Anonymous ids become members in both tables first: then variants clash, and overrides apply."""
    links = pl.LazyFrame({"anonymous_id": ["anon1", "anon2", "anon3"], "member_id": ["u", "v", "w"]})
    spec = EventSpec((BUYS,), identities=links, overridden=frozenset({"w"}))
    table = unit_table(
        exposures(("anon1", "a", 0), ("u", "a", 1), ("anon2", "a", 0), ("v", "b", 1), ("anon3", "a", 0)),
        outcomes(("u", "buy", 0.5, 1.0), ("anon1", "buy", 2, 1.0)),
        spec,
    )

    assert made(table, FIRST, "buys") == {"u": (at(0), 2.0)}
    assert (table.diagnostics.units_in_several_variants, table.diagnostics.overridden_units) == (1, 1)
    torn = pl.concat([links, pl.LazyFrame({"anonymous_id": ["anon1"], "member_id": ["z"]})])
    with pytest.raises(AnalysisError, match="linked to several members, for example “anon1”"):
        unit_table(exposures(("u", "a", 0)), outcomes(), EventSpec((BUYS,), identities=torn))


def test_segments_are_those_of_the_first_exposure_that_met_the_trigger() -> None:
    """Only exposures with the trigger count; the first of them gives day and segment."""
    table = unit_table(
        exposures(
            ("u", "a", 0, "DE", False), ("u", "a", 2, "FR", True), ("u", "a", 3, "IT", True),
            ("v", "b", 0, None, True), ("w", "b", 0, "DE", None), country="country", met="met",
        ),
        outcomes(("u", "buy", 1, 1.0), ("u", "buy", 2, 1.0)),
        EventSpec((BUYS,), segment_columns=("country",), trigger_column="met"),
    )  # fmt: skip

    assert made(table, FIRST, "country", "buys") == {"u": (at(2), "FR", 1.0), "v": (at(0), None, 0.0)}
    assert table.diagnostics.exposures_without_trigger == 2


def test_other_experiments_do_not_count() -> None:
    """Where exposures name their experiment, only ours count."""
    table = unit_table(
        exposures(("u", "a", 0, "ours"), ("u", "b", 0, "other"), ("v", "b", 0, "other"), e="experiment_id"),
        outcomes(),
        EventSpec((BUYS,), experiment_id="ours"),
    )

    assert made(table, "variant") == {"u": ("a",)}


def test_incomplete_events_are_counted() -> None:
    """Exposures without unit, variant or time, and outcomes without unit or time, are left out and counted."""
    table = unit_table(
        exposures((None, "a", 0), ("u", None, 0), ("u", "a", None), ("u", "a", 0)),
        outcomes(
            (None, "buy", 1, 1.0),
            ("u", "buy", None, 1.0),
            ("u", "buy", 1, None),
            ("u", "buy", 1, float("nan")),
        ),
        EventSpec((BUYS, SPEND)),
    )

    assert made(table, "buys", "spend") == {"u": (2.0, 0.0)}
    found = table.diagnostics
    assert (found.incomplete_exposures, found.incomplete_outcomes, found.outcomes_without_value) == (3, 2, 2)


@pytest.mark.parametrize("kind", ["date", "text", "naive"])
def test_times_of_any_kind_and_other_names(kind: str) -> None:
    """Dates, ISO text and times without zone work, under any column names, and whole numbers are ids too."""
    times: dict[str, list[Any]] = {
        "date": [date(2024, 3, 1), date(2024, 3, 5)],
        "text": ["2024-03-01T00:00:00Z", "2024-03-05 10:00"],
        "naive": [datetime(2024, 3, 1), datetime(2024, 3, 5)],  # noqa: DTZ001 naive on purpose
    }
    table = unit_table(
        pl.LazyFrame({"who": [7, 8], "arm": [0, 1], "seen": times[kind]}),
        pl.LazyFrame({"who": [7, 8], "what": ["buy", "buy"], "when": times[kind][::-1]}),
        EventSpec((BUYS,), names=EventNames("who", "arm", "seen", "what", "when")),
    )

    assert made(table, "variant", "buys") == {"7": ("0", 1.0), "8": ("1", 0.0)}


@pytest.mark.parametrize(
    ("shown", "bought", "sentence"),
    [
        (exposures(("u", "a", 0)).drop("unit_id"), outcomes(), "have no column unit_id or member_id"),
        (exposures(("u", "a", 0)).rename({"variant_id": "variant"}), outcomes(), "no column variant_id, did you mean"),
        (exposures(("u", "a", 0)), outcomes().drop("value"), "outcomes have no column value"),
        (exposures(("u", "a", 0)), outcomes().with_columns(value=pl.lit("x")), "holds String, but numbers"),
        (exposures(("u", "a", 0)).with_columns(expose_time=pl.lit("soon")), outcomes(), "not ISO 8601 times"),
        (exposures((None, "a", 0)), outcomes(), "No exposure"),
        (exposures(), outcomes(), "."),
    ],
)  # fmt: skip
def test_tables_that_are_no_events_are_refused(
    shown: pl.LazyFrame, bought: pl.LazyFrame, sentence: str
) -> None:
    """Missing columns, wrong types, unreadable times and empty tables are refused in words."""
    with pytest.raises(AnalysisError, match=sentence):
        unit_table(shown, bought, EventSpec((BUYS, SPEND)))


@pytest.mark.parametrize(
    "arguments",
    [
        {"aggregate": Aggregate.COUNT},
        {"aggregate": Aggregate.EXPOSURES, "outcome_type": "buy"},
        {"aggregate": Aggregate.EXPOSURES, "pre_period_days": 7},
        {"aggregate": Aggregate.RETAINED, "outcome_type": "buy", "first_day": 3, "last_day": 2},
        {"aggregate": Aggregate.COUNT, "outcome_type": "buy", "window_days": 0},
    ],
)
def test_columns_that_make_no_sense_are_refused(arguments: Any) -> None:
    """Contradictory columns are refused where they are made."""
    with pytest.raises(AnalysisError):
        EventColumn("c", **arguments)


unit_ids = st.sampled_from("uvwxyz")
shown_rows = st.lists(
    st.tuples(unit_ids, st.sampled_from("aab"), st.integers(0, 20)), min_size=1, max_size=25
)
bought_rows = st.lists(
    st.tuples(unit_ids, st.just("buy"), st.integers(-20, 40), st.floats(-100, 100)), max_size=40
)


@settings(max_examples=40)
@given(shown_rows, bought_rows, st.randoms(use_true_random=False))
def test_the_unit_table_equals_a_loop_over_events(shown: list[Any], bought: list[Any], random: Any) -> None:
    """Any log, in any order, gives what a plain loop finds, and statistics of it those of the loop's rows."""
    expected: dict[str, tuple[Any, ...]] = {}
    for unit in {row[0] for row in shown}:
        mine = [row for row in shown if row[0] == unit]
        first = min(row[2] for row in mine)
        if len({row[1] for row in mine}) == 1 and first + 7 <= 40:
            inside = [row for row in bought if row[0] == unit and first <= row[2] < first + 7]
            before = [row for row in bought if row[0] == unit and first - 5 <= row[2] < first]
            spend = sum(row[3] for row in inside)
            expected[unit] = (mine[0][1], at(first), len(inside), pytest.approx(spend), len(before))
    spec = EventSpec(
        (BUYS, SPEND, EventColumn("before", Aggregate.COUNT, "buy", pre_period_days=5)),
        window_days=7,
        as_of=at(40),
    )
    random.shuffle(shown)
    random.shuffle(bought)

    table = unit_table(exposures(*shown), outcomes(*bought), spec)

    assert made(table, "variant", FIRST, "buys", "spend", "before") == expected
    if expected:
        found = collect(table.frame, table.layout, [metric("m", "spend", "before")], {"a": "a", "b": "b"})
        rows = [row for row in made(table, "variant", "spend", "before").values() if row[0] == "a"]
        assert_same(found.total("m", "a"), [row[1] for row in rows], [row[2] for row in rows], rel=1e-7)


def test_whole_numbers_are_one_id_however_they_are_written() -> None:
    """A null turns a column of whole numbers into one of fractions: 7 in one table, 7.0 in the other are one unit."""
    shown = exposures((7, "a", 0), (8, "b", 0))
    bought = outcomes(("7", "buy", 1, 5.0)).with_columns(pl.col("unit_id").cast(pl.Float64))

    table = unit_table(shown, bought, EventSpec((SPEND,)))

    assert made(table, "spend") == {"7": (5.0,), "8": (0.0,)}


def test_what_happens_after_the_data_end_does_not_count() -> None:
    """Looked at as of a day, units shown later are not there yet, and outcomes have not happened."""
    shown = exposures(("u", "a", 0), ("v", "b", 4), ("u", "b", 5))
    bought = outcomes(("u", "buy", 1, 1.0), ("u", "buy", 3, 2.0))

    table = unit_table(shown, bought, EventSpec((SPEND,), as_of=at(3)))

    assert made(table, "variant", "spend") == {"u": ("a", 1.0)}


def test_outcome_types_that_are_not_there_are_said() -> None:
    """A misspelt type gives zeros, and a sentence can say which types there are."""
    found = unit_table(
        exposures(("u", "a", 0), ("v", "b", 0)),
        outcomes(("u", "buys", 1, 1.0), ("v", "view", 1, None)),
        EventSpec((SPEND,)),
    ).diagnostics

    assert (found.absent_types, found.present_types) == (("buy",), ("buys", "view"))
