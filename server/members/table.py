"""A table of members, such as a CRM or `troth train members` writes it, as updates of their profiles.

One row for each member. Columns ``member_id``, ``tier``, ``points_balance``, ``points_expire_time`` and ``time_zone`` are the
fields of these names; ``consent:CHANNEL:PURPOSE`` holds true or false, with an empty channel for all that are not named;
every other column is an attribute of its name. An empty cell, and one that is no
number in a column of numbers, says nothing and changes nothing.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from experiments.errors import AnalysisError
from server.members.profile import ProfileUpdate

_CONSENT, _CONSENT_COLONS = "consent:", 2
_TYPES: Mapping[str, pl.DataType] = {
    "member_id": pl.String(),
    "tier": pl.String(),
    "points_balance": pl.Int64(),
    "points_expire_time": pl.Datetime("us", "UTC"),
    "time_zone": pl.String(),
}


def read_member_table(path: Path) -> pl.DataFrame:
    """Return a Parquet or CSV table of members, its columns in the types that profiles take.

    Raises:
        AnalysisError: It cannot be read, lacks ``member_id`` or names a member twice, or a column has a type that no profile
            takes.
    """
    try:
        table = (
            pl.read_csv(path, try_parse_dates=True, infer_schema_length=None, schema_overrides={"member_id": pl.String})
            if path.suffix.lower() == ".csv"
            else pl.read_parquet(path)
        )  # fmt: skip
    except (OSError, pl.exceptions.PolarsError) as error:
        raise AnalysisError(
            f"{path} cannot be read as a table of members: {error}.", path=str(path)
        ) from None
    if "member_id" not in table.columns:
        raise AnalysisError(f"{path} has no column member_id.", path=str(path))
    table = table.with_columns(_typed(path, table[name]) for name in table.columns)
    member_ids = table["member_id"]
    if member_ids.null_count() or member_ids.is_duplicated().any():
        fault = "a row without member_id" if member_ids.null_count() else "a member in several rows"
        raise AnalysisError(f"{path} has {fault}; each member has one row.", path=str(path))
    return table


def member_updates(table: pl.DataFrame) -> Iterator[ProfileUpdate]:
    """Yield the update that each row of ``read_member_table`` makes, in its order."""
    for row in table.iter_rows(named=True):
        # Only what is not a number differs from itself.
        yield _update({name: value for name, value in row.items() if value is not None and value == value})  # noqa: PLR0124


def _typed(path: Path, column: pl.Series) -> pl.Series:
    name = column.name
    wanted = pl.Boolean() if name.startswith(_CONSENT) else _TYPES.get(name)
    if wanted is None:
        wanted = _attribute_type(column.dtype)
    if column.dtype.is_temporal() and isinstance(wanted, pl.Datetime):
        zoned = isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone
        moments = column.cast(pl.Datetime("us")) if not zoned else column.cast(wanted)
        return moments if zoned else moments.dt.replace_time_zone("UTC")
    if wanted is None or (name.startswith(_CONSENT) and name.count(":") != _CONSENT_COLONS):
        raise _misfit(path, column)
    try:
        return column.cast(wanted)
    except pl.exceptions.PolarsError:
        raise _misfit(path, column) from None


def _misfit(path: Path, column: pl.Series) -> AnalysisError:
    return AnalysisError(
        f"{path}: column {column.name} of type {column.dtype} is nothing that a profile holds; leave it out or convert it.",
        path=str(path),
        column=column.name,
    )


def _attribute_type(kind: pl.DataType) -> pl.DataType | None:
    """Return how an attribute of this type is kept; ``None`` if it cannot be."""
    if kind.is_integer():
        return pl.Int64()
    if kind.is_float() or kind.is_decimal():
        return pl.Float64()
    if isinstance(kind, pl.Datetime | pl.Date):
        return pl.Datetime("us", "UTC")
    if isinstance(kind, pl.List):
        return pl.List(pl.String())
    if isinstance(kind, pl.Categorical | pl.Enum | pl.String | pl.Null):
        return pl.String()
    return pl.Boolean() if isinstance(kind, pl.Boolean) else None


def _update(row: Mapping[str, Any]) -> ProfileUpdate:
    consents, values, attributes = {}, {}, {}
    for name, value in row.items():
        if name.startswith(_CONSENT):
            _, channel_id, purpose = name.split(":")
            consents[channel_id, purpose] = value
        elif name in _TYPES:
            values[name] = value
        else:
            attributes[name] = tuple(value) if isinstance(value, list) else value
    member_id = values.pop("member_id")
    return ProfileUpdate(member_id, attributes, consents, values)
