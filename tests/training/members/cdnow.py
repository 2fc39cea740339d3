"""The CDNOW sample as tests read it."""

import gzip
from datetime import date
from functools import cache
from pathlib import Path

import polars as pl
import pytest

DATA = Path(__file__).parents[3].resolve().parent / "shared" / "data" / "cdnow" / "CDNOW_sample.txt.gz"
CALIBRATION = date(1997, 9, 30)


@cache
def transactions() -> pl.DataFrame:
    """Return ``id``, ``date`` (a number such as 19970101) and ``usd``; skip where the data is not there."""
    if not DATA.is_file():
        pytest.skip("the CDNOW data is not beside the repository")
    rows = [line.split() for line in gzip.decompress(DATA.read_bytes()).decode().splitlines()]
    return pl.DataFrame(
        {
            "id": [row[0] for row in rows],
            "date": [int(row[2]) for row in rows],
            "usd": [float(row[4]) for row in rows],
        }
    )


def write(folder: Path) -> Path:
    """Write the sample as a CSV table and return its path."""
    path = folder / "cdnow.csv"
    transactions().write_csv(path)
    return path
