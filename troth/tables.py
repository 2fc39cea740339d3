"""Tables and definitions as users hold them, brought to what Troth reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import polars as pl

from experiments.aggregates.tables import NamedFrame, TableSource, open_table
from experiments.definition import ExperimentDefinition, load_experiment, parse_experiment
from experiments.errors import AnalysisError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Table: TypeAlias = Union[str, Path, pl.DataFrame, pl.LazyFrame, "pd.DataFrame", "pa.Table", Mapping[str, Any]]
"""A path, a polars or pandas frame, an Arrow table, or columns by name."""

Definition: TypeAlias = str | Path | Mapping[str, Any] | ExperimentDefinition
"""A YAML file with one experiment, its fields, or the definition itself."""


def source_of(table: Table, name: str) -> TableSource:
    """Return a table as the place where it is.

    Args:
        table: The table.
        name: What messages call it where it has no path.

    Returns:
        The path, or the table in memory.

    Raises:
        AnalysisError: It is none of the kinds that can be read.
    """
    if isinstance(table, str | Path):
        return Path(table)
    return NamedFrame(_frame(table, name), name)


def lazy(table: Table, name: str) -> pl.LazyFrame:
    """Return a table as a lazy frame.

    Raises:
        AnalysisError: It is none of the kinds that can be read, or its file cannot be opened.
    """
    return open_table(source_of(table, name))


def maybe(table: Table | None, name: str) -> TableSource | None:
    """Return a table as the place where it is; ``None`` without one."""
    return None if table is None else source_of(table, name)


def definition_of(definition: Definition, **changes: object) -> ExperimentDefinition:
    """Return the experiment that a file, a mapping or a definition describes, with changes to its fields.

    Args:
        definition: The experiment.
        **changes: New values of fields; empty ones change nothing.

    Raises:
        DefinitionError: The file cannot be read, or fields are wrong; all problems are named.
        OptionError: The file has several experiments.
    """
    if isinstance(definition, ExperimentDefinition):
        found = definition
    elif isinstance(definition, Mapping):
        found = parse_experiment(definition, "the definition")
    else:
        found = load_experiment(Path(definition))
    return found.model_copy(update={name: value for name, value in changes.items() if value})


def _frame(table: object, name: str) -> pl.LazyFrame:
    if isinstance(table, pl.LazyFrame):
        return table
    try:
        found = _in_memory(table)
    except (pl.exceptions.PolarsError, ValueError, TypeError) as error:
        sentence = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise AnalysisError(f"{name[:1].upper()}{name[1:]} cannot be read: {sentence}.") from error
    if found is not None:
        return (found.to_frame() if isinstance(found, pl.Series) else found).lazy()
    kind = type(table)
    raise AnalysisError(
        f"{name[:1].upper()}{name[1:]} is of type {kind.__module__}.{kind.__name__}; give a path, a polars or pandas frame, an Arrow"
        " table or columns by name."
    )


def _in_memory(table: Any) -> pl.DataFrame | pl.Series | None:
    """Return a table that is not a lazy frame; ``None`` if it is of another kind."""
    if isinstance(table, pl.DataFrame | pl.Series):
        return table
    if isinstance(table, Mapping):
        return pl.DataFrame(dict(table))
    library, kind = type(table).__module__.partition(".")[0], type(table).__name__
    if library == "pandas" and kind in {"DataFrame", "Series"}:
        frame = table.to_frame() if kind == "Series" else table
        # An index with a name is a column that was set aside; one without is the number of the row.
        return pl.from_pandas(frame, include_index=any(one is not None for one in frame.index.names))
    return pl.from_arrow(table) if library == "pyarrow" else None
