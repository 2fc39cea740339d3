"""Columns of a user's own tables: what counts as a time, and what is refused."""

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from training.data.tables import as_days, as_ids, open_frame, require
from training.errors import DatasetError

DAY = (date(2017, 1, 31) - date(1970, 1, 1)).days


@pytest.mark.parametrize(
    "times",
    [
        pl.Series([date(2017, 1, 31)]),
        pl.Series([datetime(2017, 1, 31, tzinfo=UTC)]),
        pl.Series(["2017-01-31"]),
        pl.Series(["2017-01-31 00:00:00"]),
        pl.Series(["20170131"]),
        pl.Series([20170131]),
        pl.Series([DAY]),
        pl.Series([float(DAY)]),
        pl.Series([DAY * 86_400]),
        pl.Series([DAY * 86_400_000]),
    ],
)
def test_all_of_these_are_the_same_day(times: pl.Series) -> None:
    """Dates, timestamps, texts, YYYYMMDD, days and seconds since 1970 are read as what they can only be."""
    assert as_days(times, "Column 't'").to_list() == [DAY]


@pytest.mark.parametrize("numbers", [[20171331], [17_000, 20170131]])
def test_numbers_that_are_no_dates_stay_numbers(numbers: list[int]) -> None:
    """A thirteenth month, or a day count beside it, makes the column one of days since 1970."""
    assert as_days(pl.Series(numbers), "Column 't'").to_list() == [float(number) for number in numbers]


def test_what_is_no_time_is_refused() -> None:
    """A text that is not a date is refused with its type."""
    with pytest.raises(DatasetError, match="Column 't' is of type String, which is not a time"):
        as_days(pl.Series(["soon"]), "Column 't'")


def test_columns_and_ids_are_named_in_refusals(tmp_path: Path) -> None:
    """A missing column lists those that are there; a missing or broken id names its first row; a missing file its path."""
    path = tmp_path / "t.csv"
    path.write_text("member,spend\na,1\n,2\n")
    frame = open_frame(path)
    with pytest.raises(DatasetError, match=r"t\.csv has no column 'id' for the member; it has member, spend"):
        require(frame, path, "id", "member")
    with pytest.raises(DatasetError, match="1 row has no id, the first is row 2"):
        as_ids(frame.collect()["member"], path, "member")
    with pytest.raises(DatasetError, match="not a whole number"):
        as_ids(pl.Series([1.0, 1.5]), path, "member")
    with pytest.raises(DatasetError, match=r"none\.csv"):
        open_frame(tmp_path / "none.csv")
