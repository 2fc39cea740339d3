from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.aggregates import NO_VALUE, Bounds, ColumnSource, MetricColumns, TableLayout, Winsor, collect
from tests.experiments.aggregates.reference import assert_same, metric, rows_of

ARMS = {"a": "a", "b": "b"}
PLAIN = TableLayout("variant")
CELLS = TableLayout("variant", time_column="day", segment_columns=("country",))

values = st.one_of(st.none(), st.just(float("nan")), st.floats(-1e6, 1e6, allow_subnormal=False))
rows = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", None]),
        st.sampled_from([date(2024, 3, 1), date(2024, 3, 2), None]),
        st.sampled_from(["DE", "FR", None]),
        values,
        values,
    ),
    max_size=30,
)


def frame_of(table: list[Any]) -> pl.DataFrame:
    """Return rows as a frame; two rows make sure that both variants are there."""
    fixed = [("a", date(2024, 3, 1), "DE", 1.0, 2.0), ("b", date(2024, 3, 1), None, 3.0, None)]
    schema = {"variant": pl.String, "day": pl.Date, "country": pl.String, "x": pl.Float64, "y": pl.Float64}
    return pl.DataFrame(fixed + table, schema=schema, orient="row")


@given(rows, st.booleans(), st.sampled_from([PLAIN, CELLS]))
def test_moments_equal_two_passes_in_double_precision(
    table: list[Any], lazy: bool, layout: TableLayout
) -> None:
    """Totals are those of a plain two-pass computation over complete rows, with and without cells."""
    frame = frame_of(table)

    found = collect(frame.lazy() if lazy else frame, layout, [metric("x", "x"), metric("xy", "x", "y")], ARMS)

    for variant in "ab":
        part = rows_of(frame, variant)
        assert found.units(variant) == part.height
        assert_same(found.total("x", variant), part["x"].to_list(), rel=1e-7)
        assert_same(found.total("xy", variant), part["x"].to_list(), part["y"].to_list(), rel=1e-7)


@settings(max_examples=40)
@given(rows, rows)
def test_merged_parts_equal_the_whole(left: list[Any], right: list[Any]) -> None:
    """Statistics of two parts of a table, merged, are those of the table: units, moments, diagnostics."""
    metrics = [metric("x", "x"), metric("xy", "x", "y")]
    parts = [collect(frame_of(part), CELLS, metrics, ARMS) for part in (left, right)]

    merged = parts[0].merge(parts[1])
    whole = collect(pl.concat([frame_of(left), frame_of(right)]), CELLS, metrics, ARMS)

    assert dict(merged.cell_units) == dict(whole.cell_units)
    assert merged.diagnostics == whole.diagnostics
    both = pl.concat([frame_of(left), frame_of(right)])
    for variant in "ab":
        part = rows_of(both, variant)
        assert_same(merged.total("xy", variant), part["x"].to_list(), part["y"].to_list(), rel=1e-7)


@given(rows, st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(table: list[Any], random: Any) -> None:
    """Shuffled rows give the same units, and the same moments but for rounding."""
    shuffled = list(table)
    random.shuffle(shuffled)

    first, second = (
        collect(frame_of(one), CELLS, [metric("xy", "x", "y")], ARMS) for one in (table, shuffled)
    )

    assert first.cell_units == second.cell_units
    assert first.diagnostics == second.diagnostics
    part = rows_of(frame_of(table), "a")
    for one in (first, second):
        assert_same(one.total("xy", "a"), part["x"].to_list(), part["y"].to_list(), rel=1e-7)


def test_margins_partition_the_units() -> None:
    """Days and segments each partition a variant's units; null is a segment of its own and a day of none."""
    random = np.random.default_rng(1)
    size = 5000
    days = [date(2024, 3, 1) + timedelta(days=int(d)) for d in random.integers(0, 9, size)]
    frame = pl.DataFrame(
        {
            "variant": random.choice(["a", "b"], size),
            "day": [None if i % 50 == 0 else day for i, day in enumerate(days)],
            "country": [None if i % 7 == 0 else ("DE", "FR")[i % 2] for i in range(size)],
            "x": random.gamma(1, 20, size),
        }
    )

    found = collect(frame, CELLS, [metric("x", "x")], ARMS)

    by_segment = found.by_segment("x", "a", "country")
    assert list(by_segment) == [NO_VALUE, "DE", "FR"]
    for value, moments in by_segment.items():
        part = rows_of(frame, "a").filter(pl.col("country").fill_null(NO_VALUE) == value)
        assert_same(moments, part["x"].to_list())
        assert found.units_by_segment("a", "country")[value] == part.height
    for day, moments in found.by_day("x", "a").items():
        part = rows_of(frame, "a").filter(pl.col("day") == day)
        assert_same(moments, part["x"].to_list())
        assert found.units_by_day("a")[day] == part.height
    undated = rows_of(frame, "a")["day"].null_count()
    assert sum(found.units_by_day("a").values()) == found.units("a") - undated
    assert found.diagnostics.without_day == frame["day"].null_count()


@pytest.mark.parametrize("layout", [PLAIN, CELLS])
@pytest.mark.parametrize(("centre", "rel"), [(0.0, 1e-12), (1e6, 1e-12), (1e9, 1e-9), (1e12, 1e-7)])
@pytest.mark.parametrize("first", [0.0, None])
def test_large_means_keep_their_variance(
    layout: TableLayout, centre: float, rel: float, first: float | None
) -> None:
    """A mean of 1e9 with a deviation of 1 is right, also if the first 10,000 rows look quite different."""
    random = np.random.default_rng(2)
    size = 40_000
    x = centre + random.normal(size=size)
    y = centre + random.normal(size=size)
    if first is not None:
        x[:10_000] = first
    frame = pl.DataFrame(
        {"variant": ["a", "b"] * (size // 2), "day": date(2024, 1, 1), "country": "DE", "x": x, "y": y}
    )
    # Variant b has its first rows cut off, so that it has none of the misleading values.
    frame = frame.with_row_index().filter((pl.col("index") >= 10_000) | (pl.col("variant") == "a"))

    found = collect(frame, layout, [metric("xy", "x", "y")], ARMS)

    for variant in "ab":
        part = rows_of(frame, variant)
        assert_same(found.total("xy", variant), part["x"].to_list(), part["y"].to_list(), rel=rel)


def test_columns_that_do_not_vary_have_no_variance() -> None:
    """Equal values have products of exactly zero, whatever the value, in every variant and day."""
    random = np.random.default_rng(3)
    frame = pl.DataFrame(
        {
            "variant": random.choice(["a", "b"], 20_000),
            "day": [date(2024, 1, 1 + i % 5) for i in range(20_000)],
            "country": "DE",
        }
    ).with_columns(x=pl.when(variant="a").then(0.1).otherwise(1e7 / 3))

    for layout in (PLAIN, CELLS):
        found = collect(frame, layout, [metric("x", "x")], ARMS)
        for variant, value in (("a", 0.1), ("b", 1e7 / 3)):
            for moments in [found.total("x", variant), *found.by_day("x", variant).values()]:
                assert moments.means[0] == pytest.approx(value, rel=1e-15)
                assert moments.variance() == 0.0


def test_sources_can_be_sums_of_columns() -> None:
    """A linear combination is computed per unit; a missing term is a missing value."""
    frame = pl.DataFrame(
        {"variant": ["a"] * 3 + ["b"], "revenue": [100, 40, None, 1], "cost": [7.0, 5.0, 1.0, 1.0]}
    )
    profit = MetricColumns("profit", (ColumnSource((("revenue", 0.25), ("cost", -1.0))),))

    found = collect(frame, PLAIN, [profit], ARMS)

    assert_same(found.total("profit", "a"), [18.0, 5.0])
    assert found.metrics["profit"].columns == ("0.25 × revenue + -1 × cost",)
    assert found.diagnostics.missing == {"profit": 1}


def test_missing_values_are_counted_and_never_values() -> None:
    """Null and NaN leave the unit out of this metric only, and are told apart in the diagnostics."""
    frame = pl.DataFrame(
        {
            "variant": ["a", "a", "a", "b", "z"],
            "x": [1.0, None, float("nan"), 2.0, None],
            "y": [1, 2, 3, 4, 5],
        }
    )

    for table in (frame, frame.lazy()):
        found = collect(table, PLAIN, [metric("x", "x"), metric("y", "y")], ARMS)

        assert found.total("x", "a").count == 1
        assert found.total("y", "a").count == 3
        assert found.units("a") == 3
        assert found.diagnostics.missing == {"x": 2}
        assert (found.diagnostics.nulls, found.diagnostics.nans) == ({"x": 1}, {"x": 1})
        assert (found.diagnostics.in_unknown_variants, found.diagnostics.unknown_examples) == (1, ("z",))


def test_only_triggered_units_count() -> None:
    """Rows whose trigger is false, 0 or missing are left out and counted."""
    for trigger in ([True, False, None, True], [1, 0, None, 1], [1.0, 0.0, float("nan"), 2.0]):
        frame = pl.DataFrame({"variant": ["a", "a", "b", "b"], "met": trigger, "x": [1, 2, 3, 4]})

        found = collect(frame, TableLayout("variant", trigger_column="met"), [metric("x", "x")], ARMS)

        assert (found.units("a"), found.units("b"), found.diagnostics.not_triggered) == (1, 1, 2)


def test_caps_are_pooled_and_recorded() -> None:
    """Quantiles come from all variants together, both tails; the tighter of limit and quantile holds."""
    random = np.random.default_rng(4)
    x = random.standard_cauchy(20_001)
    frame = pl.DataFrame({"variant": random.choice(["a", "b", "z"], len(x)), "x": x, "d": 1.0})
    known = frame.filter(pl.col("variant") != "z")["x"].to_numpy()
    lower, upper = np.quantile(known, [0.01, 0.99])
    source = ColumnSource.column("x")

    found = collect(
        frame,
        PLAIN,
        [
            MetricColumns("q", (source, source), Winsor(lower_quantile=0.01, upper_quantile=0.99)),
            MetricColumns("both", (source,), Winsor(lower=-1e9, upper=2.0, upper_quantile=0.99)),
        ],
        ARMS,
    )

    assert found.metrics["q"].bounds == pytest.approx((lower, upper))
    assert found.metrics["both"].bounds == Bounds(-1e9, 2.0)
    part = rows_of(frame, "b")["x"].to_numpy()
    assert_same(found.total("q", "b"), part.clip(lower, upper).tolist(), part.tolist())
    assert_same(found.total("both", "a"), rows_of(frame, "a")["x"].clip(-1e9, 2.0).to_list())


def test_clusters_are_the_units() -> None:
    """Members of a cluster are added up; their number is the last column; clusters in two variants are left out."""
    frame = pl.DataFrame(
        {
            "shop": ["s1", "s1", "s2", "s3", "s3", "s4", None, "s5"],
            "variant": ["a", "a", "a", "b", "b", "b", "a", "a"],
            "x": [1.0, 2.0, 4.0, 8.0, None, 16.0, 99.0, None],
            "w": [1, 1, 1, 1, 1, 1, 1, 1],
        }
    ).extend(pl.DataFrame({"shop": ["s6", "s6"], "variant": ["a", "b"], "x": [5.0, 5.0], "w": [1, 1]}))

    for table in (frame, frame.lazy()):
        found = collect(table, TableLayout("variant", cluster_column="shop"), [metric("x", "x", "w")], ARMS)

        assert found.clustered
        assert found.metrics["x"].columns == ("x", "w", "members")
        assert_same(found.total("x", "a"), [3.0, 4.0], [2, 1], [2, 1])
        assert_same(found.total("x", "b"), [8.0, 16.0], [1, 1], [1, 1])
        assert (found.units("a"), found.units("b")) == (3, 2)
        diagnostics = found.diagnostics
        assert (diagnostics.rows, diagnostics.without_cluster) == (10, 1)
        assert (diagnostics.clusters_in_several_variants, diagnostics.members_of_those_clusters) == (1, 2)
        assert diagnostics.missing == {"x": 1}
