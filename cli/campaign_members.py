"""The list of members that a campaign decides for."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from experiments.errors import AnalysisError

_COLUMN = "member_id"


@dataclass(frozen=True, slots=True)
class Members:
    """Members of a campaign.

    Attributes:
        source: Their file.
        member_ids: Each of them once, in the order of the file.
        repeated_count: So many lines of the file named one again.
    """

    source: Path
    member_ids: pl.Series
    repeated_count: int

    def fingerprint(self) -> str:
        """Return what tells this list from another."""
        digest = hashlib.sha256()
        for member_id in self.member_ids:
            content = member_id.encode()
            digest.update(b"%d:" % len(content) + content)
        return digest.hexdigest()


def read_members(path: Path) -> Members:
    """Read a list of members: ``.parquet`` or ``.csv`` with a column ``member_id``, or ``.txt`` with one id a line.

    Raises:
        AnalysisError: The file cannot be read, has no such column, misses ids, or names nobody.
    """
    if not path.is_file():
        raise AnalysisError(f"There is no file {path}.", path=str(path))
    try:
        found = _read(path)
    except (pl.exceptions.PolarsError, UnicodeDecodeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise AnalysisError(
            f"{path} cannot be read as a list of members: {reason}.", path=str(path)
        ) from None
    empty = int((found.is_null() | (found == "")).sum())
    if empty:
        raise AnalysisError(
            f"{path} has {empty:,} rows without a {_COLUMN}; leave them out of the list.", path=str(path)
        )
    if not len(found):
        raise AnalysisError(f"{path} names no members.", path=str(path))
    once = found.unique(maintain_order=True)
    return Members(path, once, len(found) - len(once))


def _read(path: Path) -> pl.Series:
    if path.suffix == ".txt":
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        return pl.Series(_COLUMN, [line for line in lines if line.strip()], dtype=pl.String)
    if path.suffix == ".parquet":
        table = pl.scan_parquet(path)
    elif path.suffix == ".csv":
        # As text, so that ids keep their leading zeros.
        table = pl.scan_csv(path, infer_schema=False)
    else:
        raise AnalysisError(f"{path} must end with .parquet, .csv or .txt.", path=str(path))
    columns = table.collect_schema().names()
    if _COLUMN not in columns:
        raise AnalysisError(
            f"{path} has no column {_COLUMN}; it has {', '.join(columns) or 'none'}.", path=str(path)
        )
    return table.select(pl.col(_COLUMN).cast(pl.String)).collect().to_series()
