"""Writing tables for users: Parquet, or CSV where the ending says so."""

from pathlib import Path

import polars as pl

from training.errors import DatasetError


def write_table(table: pl.DataFrame, path: Path) -> None:
    """Write a table, into a folder that is made if there is none.

    Args:
        table: What to write.
        path: Where; a CSV file if it ends so, else Parquet.

    Raises:
        DatasetError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".csv":
            table.write_csv(path)
        else:
            table.write_parquet(path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be written: {error.strerror or error}.", table=str(path)) from None
