import gzip
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from experiments.aggregates import ColumnSource, MetricColumns, TableLayout, collect
from experiments.aggregates.tables import open_table
from experiments.errors import AnalysisError

FRAME = pl.DataFrame({"unit": ["a", "b", "c"], "variant": ["x", "y", "x"], "spend": [1.5, None, 3.0]})
TEXT = "unit,variant,spend\na,x,1.5\nb,y,{}\nc,x,3\n"


@pytest.mark.parametrize(
    "name", ["t.parquet", "t.csv", "t.csv.gz", "t.tsv", "t.ndjson", "t.feather", "t.arrow", "T.CSV"]
)
def test_every_kind_of_file_holds_the_same_table(tmp_path: Path, name: str) -> None:
    """The same rows come back from every format that can be opened."""
    path = tmp_path / name
    text = TEXT.format("")
    if name.endswith("parquet"):
        FRAME.write_parquet(path)
    elif name.endswith("gz"):
        path.write_bytes(gzip.compress(text.encode()))
    elif name.casefold().endswith("csv"):
        path.write_text(text)
    elif name.endswith("tsv"):
        path.write_text(text.replace(",", "\t"))
    elif name.endswith("ndjson"):
        FRAME.write_ndjson(path)
    else:
        FRAME.write_ipc(path)

    assert_frame_equal(open_table(path).collect(), FRAME)


def test_folders_and_patterns_are_one_table(tmp_path: Path) -> None:
    """All Parquet files of a folder, or all that match a pattern, are read as one."""
    FRAME.head(1).write_parquet(tmp_path / "a.parquet")
    FRAME.tail(2).write_parquet(tmp_path / "b.parquet")

    assert_frame_equal(open_table(tmp_path).collect(), FRAME)
    assert_frame_equal(open_table(tmp_path / "*.parquet").collect(), FRAME)


@pytest.mark.parametrize("token", ["", "NA", "NaN", "null"])
def test_tokens_for_no_value_are_null(tmp_path: Path, token: str) -> None:
    """Empty fields and the usual words for no value are null, and the column stays numeric."""
    (tmp_path / "t.csv").write_text(TEXT.format(token))

    assert open_table(tmp_path / "t.csv").collect()["spend"].to_list() == [1.5, None, 3.0]


def test_a_late_fraction_makes_a_column_of_fractions(tmp_path: Path) -> None:
    """Types are inferred from all rows: whole numbers with one fraction at the end are read as numbers."""
    (tmp_path / "t.csv").write_text("spend\n" + "1\n" * 20_000 + "2.5\n")

    assert open_table(tmp_path / "t.csv").collect()["spend"].sum() == 20_002.5


def test_mixed_columns_are_refused_by_name(tmp_path: Path) -> None:
    """A word among numbers refuses the metric that reads the column, naming column and word."""
    (tmp_path / "t.csv").write_text("variant,spend\n" + "x,1\n" * 20_000 + "y,lots\n")
    metric = MetricColumns("spend", (ColumnSource.column("spend"),))

    found = collect(open_table(tmp_path / "t.csv"), TableLayout("variant"), [metric], {"x": "x", "y": "y"})

    assert found.refused == {
        "spend": "Column spend of metric spend holds text, but numbers are needed: “lots” is not a number."
    }


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("absent.csv", None, "There is no file"),
        ("t.xlsx", b"1", "unknown ending"),
        ("t.parquet", b"no parquet", "cannot be read"),
        ("t.csv", b"", "cannot be read"),
        ("t.csv.gz", b"\x1f\x8b\x08 damaged", "cannot be read"),
        ("t.arrow", b"no arrow file", "cannot be read"),
        ("t.ndjson", b"{no json", "cannot be read"),
    ],
)
def test_files_that_cannot_be_tables_are_refused(
    tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    """A file that is not there, of an unknown kind or damaged is refused in one sentence that names it."""
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(AnalysisError, match=sentence) as caught:
        open_table(tmp_path / name)

    assert name in caught.value.message


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    """A folder needs Parquet files."""
    with pytest.raises(AnalysisError, match="no Parquet files"):
        open_table(tmp_path)
