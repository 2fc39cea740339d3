"""What a member table keeps beside itself, so that later transactions can continue it: every member's orders, and its last day."""

from datetime import date
from pathlib import Path

import polars as pl

from training.errors import DatasetError
from training.members.orders import ORDER_SCHEMA, Orders


def state_path(table: Path) -> Path:
    """Return where the orders behind a member table are kept: ``members.orders.parquet`` beside ``members.parquet``."""
    return table.with_name(f"{table.stem}.orders.parquet")


def write_state(table: Path, orders: Orders) -> None:
    """Keep the orders behind a member table.

    Raises:
        DatasetError: They cannot be written.
    """
    path = state_path(table)
    try:
        orders.lines.write_parquet(
            path,
            metadata={"troth.as_of": orders.as_of.isoformat(), "troth.has": ",".join(sorted(orders.has))},
        )
    except OSError as error:
        raise DatasetError(f"{path} cannot be written: {error.strerror or error}.", table=str(path)) from None


def read_state(table: Path) -> Orders:
    """Return the orders behind a member table.

    Raises:
        DatasetError: They are not there, or are none that ``write_state`` wrote.
    """
    path = state_path(table)
    try:
        kept = pl.read_parquet_metadata(path)
        lines = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError):
        raise DatasetError(
            f"{path} cannot be read; it was written beside {table.name} and is needed to continue it. Without --previous the table is"
            " made anew from all transactions.",
            table=str(path),
        ) from None
    if "troth.as_of" not in kept or dict(lines.schema) != ORDER_SCHEMA:
        raise DatasetError(f"{path} holds no orders of a member table.", table=str(path))
    return Orders(
        lines,
        date.fromisoformat(kept["troth.as_of"]),
        {},
        frozenset(part for part in kept["troth.has"].split(",") if part),
    )
