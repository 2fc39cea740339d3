from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from experiments.aggregates import ColumnSource, MetricColumns, Statistics, TableLayout, Winsor, collect
from experiments.aggregates.checks import refuse_duplicates
from experiments.errors import AnalysisError
from tests.experiments.aggregates.reference import metric

ARMS = {"a": "a", "b": "b"}
BASE = pl.DataFrame(
    {"unit": ["u1", "u2", "u3"], "variant": ["a", "b", "a"], "x": [1.0, 0.0, 1.0], "z": [1, 2, 3]}
)


def refusal(frame: pl.DataFrame, **layout: Any) -> str:
    """Return the message with which a table is refused, the same for frames and scans."""
    sentences = []
    for table in (frame, frame.lazy()):
        with pytest.raises(AnalysisError) as caught:
            collect(table, TableLayout("variant", **layout), [metric("x", "x")], ARMS)
        sentences.append(caught.value.message)
    assert sentences[0] == sentences[1]
    return sentences[0]


def refused_metric(frame: pl.DataFrame, one: MetricColumns) -> str:
    """Return why a metric is refused, while another one stands."""
    for table in (frame.lazy(), frame):
        found = collect(table, TableLayout("variant"), [one, metric("z", "z")], ARMS)
        assert list(found.refused) == [one.metric_id]
        assert found.total("z", "a").count == 2
        with pytest.raises(AnalysisError) as caught:
            found.total(one.metric_id, "a")
        assert caught.value.message == found.refused[one.metric_id]
    return found.refused[one.metric_id]


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (BASE.head(0), "The table has no rows."),
        (BASE.with_columns(variant=pl.lit("c")), "column variant holds c, and the variants are a, b"),
        (BASE.with_columns(variant=pl.lit(" a")), "column variant holds “ a”, and the variants are a, b"),
        (BASE.with_columns(variant=pl.lit(None)), "column variant is empty"),
        (BASE.with_columns(variant=pl.lit(None, pl.String)), "column variant is empty"),
        (BASE.with_columns(variant=pl.lit([1])), "The variant column variant holds List"),
        (BASE.rename({"x": "X_total"}), "no column x (metric x)"),
        (BASE.rename({"x": "X"}), "no column x (metric x), did you mean X?"),
        (BASE.rename({"variant": "variants"}), "no column variant (variant column), did you mean variants?"),
    ],
)
def test_tables_without_an_experiment_are_refused(frame: pl.DataFrame, sentence: str) -> None:
    """Empty tables, unknown variants and unknown columns are refused in words that help."""
    assert sentence in refusal(frame)


def test_all_unknown_columns_are_named_at_once() -> None:
    """One message names every column that is not there, with its role."""
    sentence = refusal(BASE.drop("x"), unit_column="user", segment_columns=("country",))

    assert all(
        part in sentence for part in ("user (unit column)", "country (segment column)", "x (metric x)")
    )


@pytest.mark.parametrize("kind", ["text", "whole", "far"])
@pytest.mark.parametrize("lazy", [False, True])
def test_duplicate_units_are_refused(kind: str, lazy: bool) -> None:
    """A unit with two rows is named, with how many there are, whatever the type of the id."""
    ids = pl.Series(range(10_000)).append(pl.Series([77, 78, 77]))
    unit = {"text": pl.format("u{}", "id"), "whole": pl.col("id"), "far": pl.col("id") * 10**12}[kind]
    frame = pl.DataFrame({"id": ids}).select(unit=unit, variant=pl.lit("a"), x=1.0)
    name = {"text": "u77", "whole": "77", "far": "77000000000000"}[kind]

    with pytest.raises(AnalysisError, match=f"3 rows for unit “{name}” in column unit, and 2 such units"):
        collect(frame.lazy() if lazy else frame, TableLayout("variant", "unit"), [metric("x", "x")], ARMS)


@pytest.mark.parametrize("lazy", [False, True])
def test_unique_units_pass(lazy: bool) -> None:
    """Units that differ pass in any order, negative and huge numbers too; so does a repeat that does not count."""
    random = np.random.default_rng(5)
    for ids in (random.permutation(200_000) - 5, random.permutation(50_000) * 10**14):
        frame = pl.DataFrame({"unit": ids, "variant": "a", "x": 1.0})
        frame = pl.concat([frame, frame.head(1).with_columns(variant=pl.lit("other"))])
        found = collect(
            frame.lazy() if lazy else frame, TableLayout("variant", "unit"), [metric("x", "x")], ARMS
        )
        assert found.units("a") == len(ids)


def test_hashes_that_do_not_fit_are_looked_at_in_parts() -> None:
    """With room for few hashes, the same duplicates are found in several passes."""
    frame = pl.DataFrame({"unit": [f"u{i}" for i in range(30_000)] + ["u123"]})

    refuse_duplicates(frame.head(30_000), "unit", None, max_hashes=1000)
    with pytest.raises(AnalysisError, match=r"2 rows for unit “u123”.*at least 1 such"):
        refuse_duplicates(frame.lazy(), "unit", None, max_hashes=1000)


def test_a_million_ids_pass_the_hash() -> None:
    """Ids whose 32 bits agree by chance (about 116 pairs here) are told apart by themselves."""
    refuse_duplicates(pl.select(unit=pl.format("u{}", pl.int_range(1_000_000))), "unit", None)


def test_units_need_ids() -> None:
    """A row without an id is refused."""
    frame = BASE.with_columns(unit=pl.Series(["u1", None, "u3"]))

    assert refusal(frame, unit_column="unit") == (
        "Column unit has rows without a value; every unit needs its id."
    )


def test_infinite_values_refuse_the_metric_with_their_count() -> None:
    """Infinite values refuse the metric, also where a cap or a difference would hide them; others stand."""
    frame = BASE.with_columns(x=pl.Series([float("inf"), -float("inf"), float("nan")]))
    expected = "Metric x cannot be computed: column x has 2 infinite values."
    x = ColumnSource.column("x")

    assert refused_metric(frame, metric("x", "x")) == expected
    assert refused_metric(frame, MetricColumns("x", (x,), Winsor(lower=-1, upper=1))) == expected
    assert refused_metric(frame, MetricColumns("x", (ColumnSource((("x", 1.0), ("x", -1.0))),))) == expected


def test_values_that_cannot_be_squared_refuse_the_metric() -> None:
    """A square beyond the range of numbers is refused, not infinite."""
    frame = BASE.with_columns(x=pl.Series([1e200, -1e200, 1.0]))

    assert "values of x are so large" in refused_metric(frame, metric("x", "x"))


@pytest.mark.parametrize("x", [[1, 0, 2], [1, 0, -1], [1.0, 0.0, 0.5], [0.5, 2.0, 0.5]])
def test_proportions_demand_zero_and_one(x: list[float]) -> None:
    """A proportion with any other value is refused, also where the sums alone would not show it."""
    sentence = refused_metric(BASE.with_columns(x=pl.Series(x)), metric("x", "x", binary=True))

    assert "must be 0 or 1" in sentence


@pytest.mark.parametrize(
    "x", [[1, 0, None], [1.0, float("nan"), 0.0], [True, False, True], [1, 1, 1], [0, 0, 0]]
)
def test_proportions_take_zero_and_one(x: list[float]) -> None:
    """Numbers and truth values pass; missing values are no other values."""
    frame = BASE.with_columns(x=pl.Series(x, strict=False))

    for layout in (TableLayout("variant"), TableLayout("variant", segment_columns=("unit",))):
        assert not collect(frame, layout, [metric("x", "x", binary=True)], ARMS).refused


@pytest.mark.parametrize(
    ("column", "held"), [(["1", "x", "3"], "“x” is not a number"), (["1", "2", "3"], "its numbers are text")]
)
def test_text_refuses_the_metric(column: list[str], held: str) -> None:
    """Text in a metric's column refuses it by name with an example."""
    assert held in refused_metric(BASE.with_columns(x=pl.Series(column)), metric("x", "x"))


def test_columns_without_values_leave_empty_moments() -> None:
    """All null, of any type, is not a unit: count 0 and zeros, never NaN, and counted as missing."""
    for empty in (pl.lit(None), pl.lit(None, pl.Float64), pl.lit(float("nan"))):
        frame = BASE.with_columns(x=empty)
        found = collect(frame, TableLayout("variant"), [metric("x", "x", "z")], ARMS)

        assert found.total("x", "a").means == (0.0, 0.0)
        assert found.total("x", "a").count == 0
        assert found.diagnostics.missing == {"x": 3}
        assert Statistics.from_json(found.to_json()) == found


def test_a_million_variants_are_counted_not_grouped() -> None:
    """A variant column full of ids is refused with examples; one with two real values keeps these."""
    ids = pl.select(variant=pl.format("u{}", pl.int_range(1_000_000)), x=1.0)

    assert "holds u0, u1, u10" in refusal(ids)
    found = collect(
        pl.concat([ids, BASE.select("variant", "x")]), TableLayout("variant"), [metric("x", "x")], ARMS
    )
    assert found.diagnostics.in_unknown_variants == 1_000_000
    assert (found.units("a"), found.units("b")) == (2, 1)


def test_too_many_segments_are_refused() -> None:
    """A segment column full of ids is refused by name before its cells fill the memory."""
    frame = pl.select(variant=pl.lit("a").repeat_by(50_000).explode(), x=1.0).with_row_index("id")

    assert "segment column id has about" in refusal(frame, segment_columns=("id",))


def test_times_that_cannot_be_read_are_refused() -> None:
    """Text that is not a time is refused with an example and a count; so is a number."""
    frame = BASE.with_columns(t=pl.Series(["2024-01-01", "yesterday", None]))

    assert refusal(frame, time_column="t") == (
        "Column t has 1 values that are not ISO 8601 times, for example “yesterday”."
    )
    assert "holds no times but Int64" in refusal(BASE, time_column="z")


def test_a_scan_that_fails_is_refused(tmp_path: Path) -> None:
    """A damaged file becomes a sentence, not a traceback."""
    (tmp_path / "t.csv").write_text("variant,x\na,1\nb,2,3,4\n")

    with pytest.raises(AnalysisError, match="The table cannot be read"):
        collect(pl.scan_csv(tmp_path / "t.csv"), TableLayout("variant"), [metric("x", "x")], ARMS)


def test_metrics_are_told_apart() -> None:
    """No metric, the same metric twice and a metric of too many columns are refused."""
    for metrics in ([], [metric("x", "x"), metric("x", "z")]):
        with pytest.raises(AnalysisError):
            collect(BASE, TableLayout("variant"), metrics, ARMS)
    with pytest.raises(AnalysisError):
        metric("x", *("x" for _ in range(33)))


@pytest.mark.parametrize("name", ["*", "^x.*$"])
def test_names_that_stand_for_many_columns_are_refused(name: str) -> None:
    """Such a name would read other columns than the one that has it."""
    frame = BASE.with_columns(pl.col("z").alias(name))

    with pytest.raises(AnalysisError, match="stands for many columns"):
        collect(frame, TableLayout("variant"), [metric("x", name)], ARMS)
