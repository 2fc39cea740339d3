from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import polars as pl
import pytest

from experiments.aggregates import TableLayout, collect
from tests.experiments.aggregates.reference import assert_same, metric

ARMS = {"a": "a", "b": "b"}
PLAIN = TableLayout("variant")

TIMES: list[Any] = [
    [datetime(2024, 3, 1, 23, 30), datetime(2024, 3, 2, 0, 30)],  # noqa: DTZ001 naive on purpose
    [
        datetime(2024, 3, 2, 0, 30, tzinfo=timezone(timedelta(hours=1))).astimezone(UTC),
        datetime(2024, 3, 2, 0, 30, tzinfo=UTC),
    ],
    [date(2024, 3, 1), date(2024, 3, 2)],
    ["2024-03-01", "2024-03-02"],
    ["2024-03-02T00:30:00+01:00", "2024-03-02 00:30"],
    ["2024-03-02T00:30+0100", "2024-03-02T00:30:00.123Z"],
    ["2024-03-01 23:59:59.999999", "2024-03-01 23:30:00-02"],
]


@pytest.mark.parametrize("times", TIMES)
def test_the_day_is_the_day_in_utc(times: list[Any]) -> None:
    """Dates, times with and without zone and ISO text give the day in UTC."""
    frame = pl.DataFrame({"variant": ["a", "b"], "t": times, "x": [1.0, 2.0]})

    found = collect(frame, TableLayout("variant", time_column="t"), [metric("x", "x")], ARMS)

    assert list(found.units_by_day("a")) == [date(2024, 3, 1)]
    assert list(found.units_by_day("b")) == [date(2024, 3, 2)]


VARIANTS = [
    (pl.Series(["0", "1"]), pl.String),
    (pl.Series([0, 1]), pl.Int8),
    (pl.Series([0, 1]), pl.UInt64),
    (pl.Series([0.0, 1.0]), pl.Float32),
    (pl.Series([False, True]), pl.Boolean),
    (pl.Series(["0", "1"]), pl.Categorical),
    (pl.Series(["0", "1", None]).head(2), pl.Enum(["1", "0", "2"])),
]


@pytest.mark.parametrize(("series", "dtype"), VARIANTS)
def test_variants_are_found_in_columns_of_any_type(series: pl.Series, dtype: pl.DataType) -> None:
    """Text, categories, whole and floating numbers and truth values all name variants."""
    frame = pl.DataFrame({"variant": series.cast(dtype), "x": [1.0, 2.0]})

    found = collect(frame, PLAIN, [metric("x", "x")], {"0": "off", "1": "on", "7": "seven"})

    assert [found.units(variant) for variant in ("off", "on", "seven")] == [1, 1, 0]
    assert found.total("x", "on").means == (2.0,)
    assert found.total("x", "seven").count == 0


@pytest.mark.parametrize(
    "dtype", [pl.Int8, pl.Int64, pl.UInt8, pl.UInt64, pl.Float32, pl.Decimal(10, 2), pl.Boolean]
)
def test_numbers_of_any_type_are_summed(dtype: Any) -> None:
    """The type of a metric's column does not change its moments; unsigned numbers never wrap around."""
    x = [1, 0, 1, 1, 0, 0]
    frame = pl.DataFrame({"variant": ["a", "b"] * 3, "x": pl.Series(x).cast(dtype)})

    found = collect(frame, PLAIN, [metric("x", "x")], ARMS)

    assert_same(found.total("x", "a"), x[::2])
    assert_same(found.total("x", "b"), x[1::2])


def test_several_values_can_mean_one_variant() -> None:
    """Arms are pooled when two values of the column map to the same variant."""
    frame = pl.DataFrame({"variant": ["a", "a2", "b"], "x": [1.0, 3.0, 5.0]})

    found = collect(frame, PLAIN, [metric("x", "x")], {"a": "a", "a2": "a", "b": "b"})

    assert found.units("a") == 2
    assert found.total("x", "a").means == (2.0,)
