"""Tables of units in files, opened without being read."""

import glob
from pathlib import Path

import polars as pl

from experiments.errors import AnalysisError

NULL_TOKENS = ["", "NA", "NaN", "null"]
"""What stands for no value in text files."""

ENDINGS = (".parquet", ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".ndjson", ".jsonl", ".feather", ".arrow")
"""Endings of files that can be opened."""

_WHOLE_INFERENCE_BYTES = 256 << 20
_INFERENCE_ROWS = 100_000


def open_table(path: str | Path) -> pl.LazyFrame:
    """Return the table in a file, a folder of Parquet files or all files that a pattern matches.

    The types of CSV columns come from all rows (of files above 256 MiB from the first 100,000), so that a column of
    whole numbers with one fraction is one of fractions, and one with a word in it is text, which metrics refuse by
    name.

    Args:
        path: A file with one of ``ENDINGS``, a folder, or a pattern with ``*``, ``?`` or ``[``.

    Raises:
        AnalysisError: There is no such file, it has another ending, or it cannot be read.
    """
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
