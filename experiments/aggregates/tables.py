"""Tables in files or in memory, opened without being read; and times of any kind of column as UTC."""

import glob
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from experiments.errors import AnalysisError

NULL_TOKENS = ["", "NA", "NaN", "null"]
"""What stands for no value in text files."""

ENDINGS = (".parquet", ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".ndjson", ".jsonl", ".feather", ".arrow")
"""Endings of files that can be opened."""

_WHOLE_INFERENCE_BYTES = 256 << 20
_INFERENCE_ROWS = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class NamedFrame:
    """A table in memory, which stands wherever the path of one may stand.

    Attributes:
        frame: The table.
        name: What messages and records call it.
    """

    frame: pl.LazyFrame
    name: str = "the table"

    def __str__(self) -> str:
        return self.name

    @property
    def stem(self) -> str:
        """The name, as of a path."""
        return self.name


TableSource = Path | NamedFrame
"""Where a table is: in a file, a folder, files that match a pattern, or in memory."""


def open_table(path: str | TableSource) -> pl.LazyFrame:
    """Return the table in a file, a folder of Parquet files or all files that a pattern matches.

    The types of CSV columns come from all rows (of files above 256 MiB from the first 100,000), so that a column of
    whole numbers with one fraction is one of fractions, and one with a word in it is text, which metrics refuse by
    name.

    Args:
        path: A file with one of ``ENDINGS``, a folder, or a pattern with ``*``, ``?`` or ``[``; or a table in memory.

    Returns:
        The table, not yet read.

    Raises:
        AnalysisError: There is no such file, it has another ending, or it cannot be read.
    """
    if isinstance(path, NamedFrame):
        return path.frame
    files = _files(str(path))
    endings = {_ending(file) for file in files}
    if len(endings) > 1:
        raise AnalysisError(
            f"{path} has files of several kinds: {', '.join(sorted(endings))}.", path=str(path)
        )
    try:
        frame = _scan(files, endings.pop())
        frame.collect_schema()
        frame.head(1).collect()
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        sentence = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise AnalysisError(f"{path} cannot be read: {sentence}.", path=str(path)) from error
    return frame


def _files(path: str) -> list[Path]:
    place = Path(path).expanduser()
    if place.is_file():
        return [place]
    if place.is_dir():
        found = sorted(place.rglob("*.parquet"))
        if not found:
            raise AnalysisError(f"The folder {path} has no Parquet files.", path=path)
        return found
    found = sorted(Path(one) for one in glob.glob(str(place), recursive=True) if Path(one).is_file())  # noqa: PTH207 absolute patterns
    if not found:
        raise AnalysisError(f"There is no file {path}.", path=path)
    return found


def _ending(file: Path) -> str:
    name = file.name.casefold()
    for ending in sorted(ENDINGS, key=len, reverse=True):
        if name.endswith(ending):
            return ending
    raise AnalysisError(f"{file} has an unknown ending; tables can be {', '.join(ENDINGS)}.", path=str(file))


def _scan(files: list[Path], ending: str) -> pl.LazyFrame:
    if ending == ".parquet":
        return pl.scan_parquet(files)
    if ending in (".feather", ".arrow"):
        return pl.scan_ipc(files)
    rows = None if sum(file.stat().st_size for file in files) < _WHOLE_INFERENCE_BYTES else _INFERENCE_ROWS
    if ending in (".ndjson", ".jsonl"):
        return pl.scan_ndjson(files, infer_schema_length=rows)
    return pl.scan_csv(
        files,
        separator="\t" if ending.startswith(".tsv") else ",",
        infer_schema_length=rows,
        null_values=NULL_TOKENS,
    )


UTC = pl.Datetime("us", "UTC")
"""The type that all times are brought to."""

_ISO = "%+"


def utc_time(column: str, dtype: pl.DataType) -> pl.Expr:
    """Return the expression of a column's times in UTC; null where text is not an ISO 8601 time.

    A date is its first moment; a time without a zone is taken as UTC.

    Args:
        column: Dates, dates with time, or ISO 8601 text such as ``2024-03-01``, ``2024-03-01 10:30`` or
            ``2024-03-01T10:30:00+01:00``.
        dtype: Type of the column.

    Raises:
        AnalysisError: The column is of another type.
    """
    times = pl.col(column)
    if dtype == pl.Null:
        return times.cast(UTC)
    if dtype == pl.Date:
        return times.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if isinstance(dtype, pl.Datetime):
        aware = times.dt.convert_time_zone("UTC") if dtype.time_zone else times.dt.replace_time_zone("UTC")
        return aware.cast(UTC)
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return _from_text(times.cast(pl.String).str.strip_chars())
    raise AnalysisError(
        f"Column {column} holds no times but {dtype}; dates, dates with time or ISO 8601 text are needed.",
        column=column,
    )


def is_text(dtype: pl.DataType) -> bool:
    """Return whether the type holds text."""
    return dtype in (pl.String, pl.Categorical, pl.Enum)


def refuse_unreadable(frame: pl.LazyFrame, column: str, dtype: pl.DataType) -> None:
    """Refuse text that is not a time.

    Args:
        frame: The table.
        column: Its column.
        dtype: Its type.

    Raises:
        AnalysisError: Values of the column cannot be read.
    """
    if not is_text(dtype):
        return
    unreadable = frame.select(
        pl.col(column).cast(pl.String).alias("text"), time=utc_time(column, dtype)
    ).filter(pl.col("text").is_not_null() & pl.col("time").is_null())
    found = unreadable.select(pl.len(), pl.col("text").first()).collect()
    count, example = found.row(0)
    if count:
        raise AnalysisError(
            f"Column {column} has {count:,} values that are not ISO 8601 times, for example “{example}”.",
            column=column,
        )


def _from_text(text: pl.Expr) -> pl.Expr:
    # Chrono reads a full ISO time only with seconds and zone, so what people leave out is filled in.
    joined = text.str.replace(r"^(\d{4}-\d{2}-\d{2}) +", "${1}T")
    whole = (
        pl.when(joined.str.len_bytes() == 10)
        .then(joined + "T00:00:00Z")
        .otherwise(joined.str.replace(r"T(\d{2}:\d{2})($|Z|[+-])", "T${1}:00${2}"))
    )
    zoned = whole.str.replace(r"([+-]\d{2})(\d{2})?$", "${1}:${2}").str.replace(r"([+-]\d{2}:)$", "${1}00")
    named = (
        pl.when(whole.str.contains(r"T.*(Z|[+-]\d{2}:?(\d{2})?)$"))
        .then(pl.when(whole.str.contains(r"(Z|[+-]\d{2}:\d{2})$")).then(whole).otherwise(zoned))
        .otherwise(whole + "Z")
    )
    return named.str.to_datetime(_ISO, time_unit="us", time_zone="UTC", strict=False)
